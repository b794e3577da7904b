/*
 * json_tree - documents as trees of blocks: parse, print, search, drop.
 *
 * 1. Each string is a block of its own; arrays and objects hold their members
 *    in one that grows by realloc. Text grows the same way.
 * 2. Numbers are thousandths: that is all that these documents have.
 */
#ifndef ZBM_JSON_TREE_H
#define ZBM_JSON_TREE_H

#include <stddef.h>
#include <stdint.h>

enum json_kind {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json {
	enum json_kind kind;
	uint32_t nr, room;		/* members */
	union {
		int64_t number;		/* thousandths */
		char *string;
		struct json **values;	/* of an array */
		struct json_member *members;
	};
};

struct json_member {
	char *key;
	struct json *value;
};

struct text {
	char *bytes;
	size_t size, room;
};

void text_put(struct text *text, const char *bytes, size_t size);
void text_put_number(struct text *text, int64_t thousandths);
void text_put_string(struct text *text, const char *string);

/* The whole text is one value; text that is none ends the program. */
struct json *json_parse(const char *text);
void json_print(const struct json *json, struct text *text);
void json_drop(struct json *json);

/* The member of an object, or NULL. */
struct json *json_find(const struct json *json, const char *key);

#endif
