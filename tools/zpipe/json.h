/* SPDX-License-Identifier: MIT */
/*
 * json - writes JSON as it goes
 *
 * Commas, blanks and quotes are its business; nesting is the caller's. Names are NULL in arrays.
 */
#ifndef ZPIPE_JSON_H
#define ZPIPE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned int depth;
	bool more;	/* a value stands before the next one */
};

void json_begin(struct json *json, const char *name, char bracket);
void json_end(struct json *json, char bracket);
void json_text(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, uint64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);
/* A number where it is one, else text: for what the kernel says of itself. */
void json_word(struct json *json, const char *name, const char *value);

#endif
