/*
 * settings - parsing a text of settings; what it prints is caught.
 */
#ifndef TESTS_SETTINGS_H
#define TESTS_SETTINGS_H

#include "base/options.h"

#include "capture.h"

static struct capture capture;
static const char *const printed = capture.text;

static inline void parse(struct options *opts, const char *text)
{
	capture_begin(&capture);
	options_parse(opts, text, "TEST");
	capture_end(&capture);
}

#endif
