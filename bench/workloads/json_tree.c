/*
 * json_tree - documents as trees of blocks: parse, print, search, drop.
 *
 * 1. The parser descends by functions, one per kind of value. It takes what
 *    RFC 8259 allows, but of escapes only those of one letter.
 */
#include <ctype.h>

#include "json_tree.h"
#include "workload.h"

#define FIRST_MEMBERS	4
#define FIRST_TEXT	64	/* bytes */
#define THOUSAND	1000

struct parser {
	const char *next;
};

static const char escapes[] = "\"\\/\b\f\n\r\t";
static const char escape_letters[] = "\"\\/bfnrt";

void text_put(struct text *text, const char *bytes, size_t size)
{
	if (text->size + size > text->room) {
		while (text->size + size > text->room)
			text->room = text->room ? 2 * text->room : FIRST_TEXT;
		text->bytes = need(realloc(text->bytes, text->room));
	}
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
}

static void text_put_char(struct text *text, char c)
{
	text_put(text, &c, 1);
}

void text_put_number(struct text *text, int64_t thousandths)
{
	uint64_t left = (uint64_t)llabs(thousandths);
	uint64_t whole = left / THOUSAND;
	uint64_t part = left % THOUSAND;
	char digits[32];
	char *start = digits + sizeof(digits);

	if (part) {
		for (int i = 0; i < 3; i++, part /= 10)
			*--start = (char)('0' + part % 10);
		*--start = '.';
	}
	do
		*--start = (char)('0' + whole % 10);
	while (whole /= 10);
	if (thousandths < 0)
		*--start = '-';
	text_put(text, start, (size_t)(digits + sizeof(digits) - start));
}

void text_put_string(struct text *text, const char *string)
{
	text_put_char(text, '"');
	while (*string) {
		size_t plain = strcspn(string, "\"\\\b\f\n\r\t");

		text_put(text, string, plain);
		string += plain;
		if (*string) {
			const char *escape = strchr(escapes, *string++);

			text_put_char(text, '\\');
			text_put_char(text, escape_letters[escape - escapes]);
		}
	}
	text_put_char(text, '"');
}

_Noreturn static void parse_fail(const struct parser *parser)
{
	workload_die("this is no JSON: %.40s", parser->next);
}

static void skip_space(struct parser *parser)
{
	parser->next += strspn(parser->next, " \t\r\n");
}

/* Is c next, after spaces? Then it is skipped. */
static bool skip_char(struct parser *parser, char c)
{
	skip_space(parser);
	if (*parser->next != c)
		return false;
	parser->next++;
	return true;
}

static void expect_char(struct parser *parser, char c)
{
	if (!skip_char(parser, c))
		parse_fail(parser);
}

static struct json *json_new(enum json_kind kind)
{
	struct json *json = take(sizeof(*json));

	*json = (struct json){ .kind = kind };
	return json;
}

/* The size of the string, whose end `next` is before, without escapes. */
static size_t measure_string(const struct parser *parser)
{
	const char *at = parser->next;
	size_t size = 0;

	for (; *at != '"'; at++, size++) {
		if (!*at || (*at == '\\' && !*++at))
			parse_fail(parser);
	}
	return size;
}

static char *parse_string(struct parser *parser)
{
	char *string, *end;

	expect_char(parser, '"');
	end = string = take(measure_string(parser) + 1);
	while (*parser->next != '"') {
		char c = *parser->next++;

		if (c == '\\') {
			const char *letter = strchr(escape_letters,
						    *parser->next++);

			if (!letter)
				parse_fail(parser);
			c = escapes[letter - escape_letters];
		}
		*end++ = c;
	}
	*end = '\0';
	parser->next++;
	return string;
}

static int64_t parse_digits(struct parser *parser)
{
	int64_t value = 0;

	if (!isdigit((unsigned char)*parser->next))
		parse_fail(parser);
	while (isdigit((unsigned char)*parser->next))
		value = 10 * value + (*parser->next++ - '0');
	return value;
}

static struct json *parse_number(struct parser *parser)
{
	struct json *json = json_new(JSON_NUMBER);
	bool negative = skip_char(parser, '-');

	json->number = parse_digits(parser) * THOUSAND;
	if (*parser->next == '.') {
		const char *start = ++parser->next;
		int64_t part = parse_digits(parser);

		if (parser->next - start != 3)
			parse_fail(parser);
		json->number += part;
	}
	if (negative)
		json->number = -json->number;
	return json;
}

static struct json *parse_word(struct parser *parser)
{
	static const char *const words[] = {
		[JSON_NULL] = "null",
		[JSON_FALSE] = "false",
		[JSON_TRUE] = "true",
	};

	for (unsigned int i = 0; i < array_size(words); i++) {
		size_t length = strlen(words[i]);

		if (!strncmp(parser->next, words[i], length)) {
			parser->next += length;
			return json_new(i);
		}
	}
	parse_fail(parser);
}

/* Room for one member more, of `size` bytes. */
static void *grow_members(struct json *json, void *members, size_t size)
{
	if (json->nr < json->room)
		return members;
	json->room = json->room ? 2 * json->room : FIRST_MEMBERS;
	return need(realloc(members, json->room * size));
}

static struct json *parse_value(struct parser *parser);

static struct json *parse_array(struct parser *parser)
{
	struct json *json = json_new(JSON_ARRAY);

	expect_char(parser, '[');
	if (skip_char(parser, ']'))
		return json;
	do {
		json->values = grow_members(json, json->values,
					    sizeof(json->values[0]));
		json->values[json->nr++] = parse_value(parser);
	} while (skip_char(parser, ','));
	expect_char(parser, ']');
	return json;
}

static struct json *parse_object(struct parser *parser)
{
	struct json *json = json_new(JSON_OBJECT);

	expect_char(parser, '{');
	if (skip_char(parser, '}'))
		return json;
	do {
		struct json_member member;

		member.key = parse_string(parser);
		expect_char(parser, ':');
		member.value = parse_value(parser);
		json->members = grow_members(json, json->members,
					     sizeof(member));
		json->members[json->nr++] = member;
	} while (skip_char(parser, ','));
	expect_char(parser, '}');
	return json;
}

static struct json *parse_value(struct parser *parser)
{
	struct json *json;

	skip_space(parser);
	switch (*parser->next) {
	case '{':
		return parse_object(parser);
	case '[':
		return parse_array(parser);
	case '"':
		json = json_new(JSON_STRING);
		json->string = parse_string(parser);
		return json;
	case '-':
	case '0' ... '9':
		return parse_number(parser);
	}
	return parse_word(parser);
}

struct json *json_parse(const char *text)
{
	struct parser parser = { .next = text };
	struct json *json = parse_value(&parser);

	skip_space(&parser);
	if (*parser.next)
		parse_fail(&parser);
	return json;
}

void json_print(const struct json *json, struct text *text)
{
	switch (json->kind) {
	case JSON_NULL:
		text_put(text, "null", 4);
		return;
	case JSON_FALSE:
		text_put(text, "false", 5);
		return;
	case JSON_TRUE:
		text_put(text, "true", 4);
		return;
	case JSON_NUMBER:
		text_put_number(text, json->number);
		return;
	case JSON_STRING:
		text_put_string(text, json->string);
		return;
	case JSON_ARRAY:
		text_put_char(text, '[');
		for (uint32_t i = 0; i < json->nr; i++) {
			if (i)
				text_put_char(text, ',');
			json_print(json->values[i], text);
		}
		text_put_char(text, ']');
		return;
	case JSON_OBJECT:
		text_put_char(text, '{');
		for (uint32_t i = 0; i < json->nr; i++) {
			if (i)
				text_put_char(text, ',');
			text_put_string(text, json->members[i].key);
			text_put_char(text, ':');
			json_print(json->members[i].value, text);
		}
		text_put_char(text, '}');
		return;
	}
	block_corrupt(json, sizeof(*json));
}

void json_drop(struct json *json)
{
	if (json->kind == JSON_STRING)
		free(json->string);
	if (json->kind == JSON_ARRAY) {
		for (uint32_t i = 0; i < json->nr; i++)
			json_drop(json->values[i]);
		free(json->values);
	}
	if (json->kind == JSON_OBJECT) {
		for (uint32_t i = 0; i < json->nr; i++) {
			free(json->members[i].key);
			json_drop(json->members[i].value);
		}
		free(json->members);
	}
	free(json);
}

struct json *json_find(const struct json *json, const char *key)
{
	if (json->kind != JSON_OBJECT)
		return NULL;
	for (uint32_t i = 0; i < json->nr; i++) {
		if (!strcmp(json->members[i].key, key))
			return json->members[i].value;
	}
	return NULL;
}
