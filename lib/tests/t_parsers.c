// SPDX-License-Identifier: MIT
/*
 * t_parsers - the example parsers, with every split of their input
 */
#include <errno.h>

#include "cuts.h"
#include "tap.h"
#include "transcript.h"

struct input {
	enum parser parser;
	const char *bytes;
	size_t len;
	const char *wanted;	/* in the end; NULL for not looked at */
};

#define INPUT(parser, bytes, wanted) { parser, bytes, sizeof(bytes) - 1, wanted }

static const struct input inputs[] = {
	INPUT(PARSE_CHUNKED, "4\r\nWiki\r\n5\r\npedia\r\nE\r\n in\r\n\r\nchunks.\r\n0\r\n\r\n",
	      "Wikipedia in\r\n\r\nchunks.<end 1>"),
	INPUT(PARSE_CHUNKED, "0A ;name=value\r\n0123456789\r\n1\t\r\nx\r\n0\r\nAge: 1\r\nB: 2\r\n\r\nrest",
	      "0123456789x<end 1>"),
	INPUT(PARSE_CHUNKED, "3\r\nabcd\r\n", "abc<end -74>"),
	INPUT(PARSE_CHUNKED, "3\nabc\r\n0\r\n\r\n", "<end -74>"),
	INPUT(PARSE_CHUNKED, " 3\r\nabc\r\n", "<end -74>"),
	INPUT(PARSE_CHUNKED, "-3\r\nabc\r\n", "<end -74>"),
	INPUT(PARSE_CHUNKED, "0x3\r\nabc\r\n", "<end -74>"),
	INPUT(PARSE_CHUNKED, "3 abc\r\n", "<end -74>"),
	INPUT(PARSE_CHUNKED, "\r\n", "<end -74>"),
	INPUT(PARSE_CHUNKED, "3;\rx\r\nabc\r\n", "<end -74>"),
	INPUT(PARSE_CHUNKED, "10000000000000000\r\n", "<end -34>"),
	INPUT(PARSE_CHUNKED, "ffffffffffffffff\r\nab", "ab<end 256>"),
	INPUT(PARSE_CHUNKED, "5\r\nab", "ab<end 256>"),
	INPUT(PARSE_RESP, "+OK\r\n-ERR no\r\n:-12\r\n$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n", NULL),
	INPUT(PARSE_RESP, "*3\r\n$3\r\nSET\r\n*2\r\n:1\r\n*1\r\n+x\r\n$5\r\nval\r\n\r\n:7\r\n",
	      "<kind 4><number 3><depth 0><kind 3><number 3><depth 1>SET"
	      "<kind 4><number 2><depth 1><kind 2><number 1><depth 2>"
	      "<kind 4><number 1><depth 2><kind 0><number 0><depth 3>x"
	      "<kind 3><number 5><depth 1>val\r\n<last 0><kind 2><number 7><depth 0><last 0><end 256>"),
	INPUT(PARSE_RESP, "$3\r\nabcd\r\n", "<end -74>"),
	INPUT(PARSE_RESP, "$-2\r\n", "<end -74>"),
	INPUT(PARSE_RESP, "*99999999\r\n", "<end -90>"),
	INPUT(PARSE_RESP, "$99999999999999999999\r\n", "<end -34>"),
	INPUT(PARSE_RESP, "$9999999999\r\n", "<end -90>"),
	INPUT(PARSE_RESP, ":12x\r\n", "<end -74>"),
	INPUT(PARSE_RESP, ":\r\n", "<end -74>"),
	INPUT(PARSE_RESP, "GET x\r\n", "<end -74>"),
	INPUT(PARSE_RESP, "+a\nb\r\n", "<end -74>"),
	INPUT(PARSE_RESP, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", NULL),
	INPUT(PARSE_NDJSON, "{\"a\": 1}\n\n  \r\n[1,2]\r\n \"x\" \n12\n-1\nnull\ntrue\nfalse\n{",
	      "<length 8>{\"a\": 1}<length 5>[1,2]<length 3>\"x\"<length 2>12<length 2>-1"
	      "<length 4>null<length 4>true<length 5>false<end 256>"),
	INPUT(PARSE_NDJSON, "1\nhello\n", "<length 1>1<end -74>"),
	INPUT(PARSE_NDJSON, "1\n\0\n", "<length 1>1<end -74>"),
	INPUT(PARSE_FRAMES, "\0\0\0\3abc\0\0\0\0\0\0\0\1x\0\0\0\5four",
	      "<length 3>abc<length 0><length 1>x<end 256>"),
	INPUT(PARSE_FRAMES, "\0\x10\0\1", "<end -90>"),
	INPUT(PARSE_FRAMES, "\xff\xff\xff\xff", "<end -90>"),
};

#define EACH_INPUT(in) \
	for (in = inputs; in < inputs + sizeof(inputs) / sizeof(inputs[0]); in++)

static bool two_borders(size_t i, uint32_t arg)
{
	return i + 1 == arg >> 16 || i + 1 == (arg & 0xffff);
}

static void whole(void)
{
	const struct input *in;

	EACH_INPUT(in) {
		struct transcript t = transcript_of(in->parser, in->bytes, in->len, cuts_some, 0);

		note(&t, "", 1);
		if (in->wanted && !EXPECT(!strcmp(t.text, in->wanted)))
			printf("# %s\n# %s\n", in->bytes, t.text);
		free(t.text);
	}
}

static bool same(const struct input *in, const struct transcript *wanted,
		 bool (*border)(size_t i, uint32_t arg), uint32_t arg)
{
	struct transcript t = transcript_of(in->parser, in->bytes, in->len, border, arg);
	bool good = t.len == wanted->len && !memcmp(t.text, wanted->text, t.len);

	if (!EXPECT(good))
		printf("# '%s' in parts %#x: %.*s\n", in->bytes, arg, (int)t.len, t.text);
	free(t.text);
	return good;
}

static void one_split(void)
{
	const struct input *in;
	uint32_t at;

	EACH_INPUT(in) {
		struct transcript t = transcript_of(in->parser, in->bytes, in->len, cuts_some, 0);

		for (at = 1; at < in->len; at++)
			same(in, &t, cuts_one, at);
		same(in, &t, cuts_some, 1);
		free(t.text);
	}
}

static void two_splits(void)
{
	const struct input *in;
	uint32_t a, b;

	EACH_INPUT(in) {
		struct transcript t = transcript_of(in->parser, in->bytes, in->len, cuts_some, 0);

		for (a = 1; a < in->len; a++) {
			for (b = a + 1; b < in->len; b++) {
				if (!same(in, &t, two_borders, a << 16 | b))
					a = b = (uint32_t)in->len;
			}
		}
		free(t.text);
	}
}

static void random_splits(void)
{
	const struct input *in;
	uint32_t seed;

	EACH_INPUT(in) {
		struct transcript t = transcript_of(in->parser, in->bytes, in->len, cuts_some, 0);

		for (seed = 2; seed < 100; seed++)
			same(in, &t, cuts_some, seed);
		free(t.text);
	}
}

/* Lines as long as they may be, and one byte more. */
static void limits(void)
{
	static const enum parser parsers[] = { PARSE_CHUNKED, PARSE_RESP, PARSE_NDJSON };
	static const size_t limit[] = { CHUNKED_LINE, RESP_LINE, NDJSON_LINE };
	static char text[NDJSON_LINE + 8];
	size_t i, more;
	uint32_t way;

	for (i = 0; i < 3; i++) {
		for (more = 0; more < 2; more++) {
			/* behind the sign, for the second */
			size_t len = limit[i] + more + (i == 1);

			memset(text, i == 0 ? '0' : '1', len);
			text[0] = i == 1 ? '+' : '1';
			if (i == 0)
				text[1] = ';';
			memcpy(text + len, "\r\n", 2);
			if (i == 2)
				text[--len + 1] = '\n';
			for (way = 0; way < 4; way++) {
				struct transcript t = transcript_of(parsers[i], text, len + 2,
								    cuts_one, way * 1234);

				EXPECT_EQ(t.ret, more ? -EMSGSIZE : ZP_MORE);
				free(t.text);
			}
		}
	}
}

static void last_line(void)
{
	struct ndjson p = { { 0, 0 } };
	struct zp_view text;
	struct zp_cursor c;

	zp_cursor_init_memory(&c, "1\n 23 ", 6);
	EXPECT_EQ(ndjson_next(&p, &c, &text), 0);
	EXPECT_EQ(ndjson_next(&p, &c, &text), ZP_MORE);
	EXPECT_EQ(ndjson_last(&p, &c, &text), 0);
	EXPECT(cuts_same(&text, "23", 2));
	EXPECT_EQ(ndjson_last(&p, &c, &text), ZP_MORE);
}

static const struct tap_test tests[] = {
	{ "parsers.whole_input", whole },
	{ "parsers.every_split", one_split },
	{ "parsers.every_two_splits", two_splits },
	{ "parsers.random_splits", random_splits },
	{ "parsers.limits_are_exact", limits },
	{ "ndjson.last_line_without_end", last_line },
};

TAP_MAIN(tests)
