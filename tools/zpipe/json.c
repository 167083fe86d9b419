// SPDX-License-Identifier: MIT
/*
 * json - writes JSON as it goes
 *
 * What is not printable ASCII is escaped byte by byte, so that the output is text whatever a
 * process calls itself.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "json.h"

static void put_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (isprint(c))
			fputc(c, out);
		else
			fprintf(out, "\\u%04x", c);
	}
	fputc('"', out);
}

/* What stands before a value: the outermost elements get a line each. */
static void put_name(struct json *json, const char *name)
{
	if (json->more)
		fputc(',', json->out);
	if (json->depth == 1)
		fputs("\n ", json->out);
	else if (json->more)
		fputc(' ', json->out);
	if (name) {
		put_string(json->out, name);
		fputs(": ", json->out);
	}
	json->more = true;
}

void json_begin(struct json *json, const char *name, char bracket)
{
	put_name(json, name);
	fputc(bracket, json->out);
	json->depth++;
	json->more = false;
}

void json_end(struct json *json, char bracket)
{
	json->depth--;
	if (!json->depth && json->more)
		fputc('\n', json->out);
	fputc(bracket, json->out);
	json->more = true;
	if (!json->depth) {
		fputc('\n', json->out);
		json->more = false;
	}
}

void json_text(struct json *json, const char *name, const char *value)
{
	put_name(json, name);
	put_string(json->out, value);
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	put_name(json, name);
	fprintf(json->out, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	put_name(json, name);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *name)
{
	put_name(json, name);
	fputs("null", json->out);
}

void json_word(struct json *json, const char *name, const char *value)
{
	const char *digits = value + (*value == '-');
	const size_t length = strlen(digits);

	if (length && strspn(digits, "0123456789") == length && (length == 1 || *digits != '0')) {
		put_name(json, name);
		fputs(value, json->out);
	} else {
		json_text(json, name, value);
	}
}
