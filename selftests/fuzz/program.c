// SPDX-License-Identifier: GPL-2.0-only
/*
 * program - see program.h
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define NR_SLOTS	16
#define NR_THREADS	3

/* The start of each reproducer: what the executor includes, as it was compiled. */
extern const char fuzz_runtime[];
asm(".section .rodata\n"
	"fuzz_runtime:\n"
	".incbin \"" FUZZ_DIR "/runtime.h\"\n"
	".incbin \"" FUZZ_DIR "/syscalls.h\"\n"
	".incbin \"" FUZZ_DIR "/calls.h\"\n"
	".byte 0\n"
	".previous\n");

/* splitmix64 */
uint64_t fuzz_random(uint64_t *seed)
{
	uint64_t x = *seed += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t below(uint64_t *seed, uint64_t most)
{
	return most ? fuzz_random(seed) % most : 0;
}

static bool one_in(uint64_t *seed, unsigned int n)
{
	return !below(seed, n);
}

/* --- text --- */

/* The kinds of a call's arguments, one after the other; NULL at the end. */
static const char *next_kind(const char *kind)
{
	kind = strchr(kind, ' ');
	return kind ? kind + 1 : NULL;
}

static const char *first_kind(int what)
{
	const char *kind = what == CALL_FORK ? "N2 N64" : call_kinds[what].args;

	return *kind ? kind : NULL;
}

static int find_call(const char *name)
{
	int i;

	for (i = 0; i < nr_call_kinds; i++)
		if (!strcmp(call_kinds[i].name, name))
			return i;
	return -2;
}

static bool is_slot_kind(char kind)
{
	return kind == 'F' || kind == 'M' || kind == 'H';
}

static bool parse_argument(struct argument *a, const char *word, char kind)
{
	char *end;

	*a = (struct argument){ .base = 0 };
	if (isalpha(*word)) {
		a->base = *word;
		if (!strchr(is_slot_kind(kind) ? "fmh" : "gpecv", a->base))
			return false;
		if (is_slot_kind(kind) && a->base != tolower(kind))
			return false;
		a->slot = strtoul(word + 1, &end, 10);
		if (end == word + 1 || a->slot >= NR_SLOTS)
			return false;
		word = end;
		if (!*word)
			return true;
		if (is_slot_kind(kind) || (*word != '+' && *word != '-'))
			return false;
		a->offset = strtoull(word + 1, &end, 0);
		if (*word == '-')
			a->offset = -a->offset;
		return end != word + 1 && !*end;
	}
	if (is_slot_kind(kind))
		return false;
	a->offset = strtoull(word, &end, 0);
	return end != word && !*end;
}

static bool parse_line(struct call *call, char *line)
{
	char *left, *word = strtok_r(line, " \t", &left);
	const char *kind;
	int i = 0;

	*call = (struct call){ .thread = 0 };
	if (isdigit(word[0]) && word[1] == ':' && !word[2]) {
		call->thread = word[0] - '0';
		word = strtok_r(NULL, " \t", &left);
		if (call->thread >= NR_THREADS || !word)
			return false;
	}
	call->what = strcmp(word, "fork") ? find_call(word) : CALL_FORK;
	if (call->what < CALL_FORK)
		return false;
	for (kind = first_kind(call->what); kind; kind = next_kind(kind)) {
		word = strtok_r(NULL, " \t", &left);
		if (!word || !parse_argument(&call->a[i++], word, *kind))
			return false;
	}
	return !strtok_r(NULL, " \t", &left);
}

int program_parse(struct program *p, const char *text)
{
	int number = 0;

	p->nr = 0;
	while (*text) {
		size_t length = strcspn(text, "\n");
		char line[256];

		number++;
		if (length >= sizeof(line))
			return number;
		memcpy(line, text, length);
		line[length] = '\0';
		text += length + (text[length] == '\n');
		line[strcspn(line, "#")] = '\0';
		if (!line[strspn(line, " \t")])
			continue;
		if (p->nr == MOST_CALLS || !parse_line(&p->call[p->nr++], line))
			return number;
	}
	return 0;
}

static void print_number(uint64_t n, FILE *to)
{
	fprintf(to, n < 1024 ? "%llu" : "%#llx", (unsigned long long)n);
}

static void print_argument(const struct argument *a, FILE *to)
{
	if (!a->base) {
		print_number(a->offset, to);
		return;
	}
	fprintf(to, "%c%u", a->base, a->slot);
	if (!a->offset)
		return;
	putc((int64_t)a->offset < 0 ? '-' : '+', to);
	print_number((int64_t)a->offset < 0 ? -a->offset : a->offset, to);
}

void program_print(const struct program *p, FILE *to)
{
	int i, j;

	for (i = 0; i < p->nr; i++) {
		const struct call *call = &p->call[i];
		const char *kind;

		if (call->thread)
			fprintf(to, "%d: ", call->thread);
		fputs(call->what == CALL_FORK ? "fork" : call_kinds[call->what].name, to);
		for (j = 0, kind = first_kind(call->what); kind; kind = next_kind(kind)) {
			putc(' ', to);
			print_argument(&call->a[j++], to);
		}
		putc('\n', to);
	}
}

/* --- C --- */

static void print_argument_c(const struct argument *a, char kind, FILE *to)
{
	if (is_slot_kind(kind)) {
		fprintf(to, ", %u", a->slot);
		return;
	}
	fputs(", ", to);
	if (a->base)
		fprintf(to, "value_of('%c', %u) + ", a->base, a->slot);
	print_number(a->offset, to);
	fputs("ULL", to);
}

void program_print_c(const struct program *p, FILE *to)
{
	int i, j, child = -1;

	fputs(fuzz_runtime, to);
	fputs("\n/* Run a call: the thread, the function, its arguments. */\n"
	      "#define RUN(thread, name, ...)\t\t\t\t\t\t\\\n"
	      "\trun_on(thread, &(struct job){ call_##name, says_how(#name), { __VA_ARGS__ } })\n\n",
	      to);
	fputs("int main(void)\n{\n\tlet_fail();\n\tset_up();\n", to);
	for (i = 0; i < p->nr; i++) {
		const struct call *call = &p->call[i];
		const char *kind, *tab = child >= 0 ? "\t\t" : "\t";

		if (call->what == CALL_FORK) {
			if (child >= 0)
				continue;
			child = i + call->a[1].offset;
			fprintf(to, "\tif (!child_begin(%llu)) {\n",
				(unsigned long long)call->a[0].offset);
		} else {
			fprintf(to, "%sRUN(%d, %s", tab, call->thread, call_kinds[call->what].name);
			for (j = 0, kind = first_kind(call->what); kind; kind = next_kind(kind))
				print_argument_c(&call->a[j++], *kind, to);
			fputs(");\n", to);
		}
		if (child >= 0 && (i >= child || i == p->nr - 1)) {
			fputs("\t\tclean_up();\n\t}\n", to);
			child = -1;
		}
	}
	fputs("\tclean_up();\n\treturn 0;\n}\n", to);
}

/* --- changes --- */

static const uint64_t numbers[] = {
	0, 1, 2, 3, 4, 7, 8, 9, 24, 63, 64, 65, 100, 511, 512, 1000,
	4095, 4096, 4097, 5000, 8191, 8192, 8193, 12288, 16383, 16384, 16385, 20480, 32768,
	49152, 65535, 65536, 65537, 81920, 131072, 196608, 262143, 262144, 262145, 300000, 786432,
	1048575, 1048576, 1048577, 2097152, 4194304, 1ULL << 31, (1ULL << 31) - 1, 1ULL << 32,
	(1ULL << 32) - 1, 1ULL << 40, 3ULL << 40, 5ULL << 40, 1ULL << 63, (1ULL << 63) - 1,
	-1ULL, -2ULL, -4096ULL, -4097ULL, 0x541b,
};

#define NR_NUMBERS	(sizeof(numbers) / sizeof(*numbers))

static uint64_t some_number(uint64_t *seed)
{
	uint64_t n = numbers[below(seed, NR_NUMBERS)];

	switch (below(seed, 8)) {
	case 0:
		return n + 1;
	case 1:
		return n - 1;
	case 2:
		return n + numbers[below(seed, NR_NUMBERS)];
	case 3:
		return fuzz_random(seed) >> below(seed, 64);
	default:
		return n;
	}
}

/* One that a program is likely to have meant: small ones, and sizes of pages and segments. */
static uint64_t some_length(uint64_t *seed)
{
	return one_in(seed, 8) ? some_number(seed) : numbers[below(seed, 43)];
}

static uint8_t some_slot(const struct program *p, char base, uint64_t *seed)
{
	int tries;

	for (tries = 0; p->nr && tries < 4 && !one_in(seed, 8); tries++) {
		const struct call *call = &p->call[below(seed, p->nr)];
		const struct argument *a = &call->a[below(seed, 3)];

		if (a->base == base)
			return a->slot;
	}
	return below(seed, one_in(seed, 4) ? NR_SLOTS : 6);
}

static void some_value(struct argument *a, const struct program *p, uint64_t *seed)
{
	static const char bases[] = "ggppppeeccccv";
	static const uint64_t steps[] = { 0, 0, 0, 0, 1, -1, 100, 4096, -4096, 65536, 8192, 16384 };

	if (one_in(seed, 4)) {
		a->offset = some_number(seed);
		return;
	}
	a->base = bases[below(seed, sizeof(bases) - 1)];
	a->slot = some_slot(p, a->base == 'v' ? 'h' : 'f', seed);
	a->offset = one_in(seed, 6) ? some_number(seed) : steps[below(seed, 12)];
}

static void some_argument(struct argument *a, const char *kind, const struct program *p,
			  uint64_t *seed)
{
	uint64_t most = strtoull(kind + 1, NULL, *kind == 'X' ? 16 : 10);

	*a = (struct argument){ .base = 0 };
	switch (*kind) {
	case 'F':
	case 'M':
	case 'H':
		a->base = tolower(*kind);
		a->slot = some_slot(p, a->base, seed);
		break;
	case 'V':
		some_value(a, p, seed);
		break;
	case 'L':
		a->offset = some_length(seed);
		break;
	case 'N':
		a->offset = one_in(seed, 30) ? some_number(seed) : below(seed, most + 1);
		break;
	case 'X':
		a->offset = one_in(seed, 2) ? 0 : fuzz_random(seed) & fuzz_random(seed) & most;
		if (one_in(seed, 40))
			a->offset |= 1ULL << below(seed, 32);
		break;
	case 'D':
		a->offset = one_in(seed, 6) ? 0 : 1 + below(seed, 3) * 1500;
		break;
	case 'B':
		a->offset = one_in(seed, 4) ? below(seed, 20) : 0;
		break;
	}
}

static void some_call(struct call *call, const struct program *p, uint64_t *seed)
{
	const char *kind;
	int i = 0;

	*call = (struct call){ .thread = one_in(seed, 8) ? 1 + below(seed, NR_THREADS - 1) : 0 };
	call->what = one_in(seed, 40) ? CALL_FORK : (int)below(seed, nr_call_kinds);
	/* Verbs, twice as often; they are the first ones of the table. */
	if (one_in(seed, 2) && call->what >= 24)
		call->what = below(seed, 24);
	for (kind = first_kind(call->what); kind; kind = next_kind(kind))
		some_argument(&call->a[i++], kind, p, seed);
	if (call->what == CALL_FORK) {
		call->a[1].offset = 1 + below(seed, 6);
		call->thread = 0;
	}
}

void program_drop(struct program *p, int at)
{
	p->nr--;
	memmove(&p->call[at], &p->call[at + 1], (p->nr - at) * sizeof(p->call[0]));
}

static void insert(struct program *p, int at, const struct call *call)
{
	if (p->nr == MOST_CALLS)
		program_drop(p, p->nr - 1);
	if (at > p->nr)
		at = p->nr;
	memmove(&p->call[at + 1], &p->call[at], (p->nr - at) * sizeof(p->call[0]));
	p->call[at] = *call;
	p->nr++;
}

static void change_argument(struct program *p, uint64_t *seed)
{
	struct call *call = &p->call[below(seed, p->nr)];
	const char *kind = first_kind(call->what);
	int n = 0, which, i;

	for (; kind; kind = next_kind(kind))
		n++;
	if (!n)
		return;
	which = below(seed, n);
	for (i = 0, kind = first_kind(call->what); i < which; i++)
		kind = next_kind(kind);
	/* Near what it was, or another one. */
	if (strchr("VL", *kind) && one_in(seed, 2))
		call->a[which].offset += one_in(seed, 2) ? some_length(seed) :
					 -some_length(seed);
	else if (*kind == 'X' && one_in(seed, 2))
		call->a[which].offset ^= 1ULL << below(seed, 6);
	else
		some_argument(&call->a[which], kind, p, seed);
}

/* The beginning of one, and the end of another. */
static void splice_programs(struct program *p, const struct program *b, uint64_t *seed)
{
	int i, from = below(seed, b->nr + 1), nr = 1 + below(seed, b->nr - from + 1);

	if (one_in(seed, 2))
		p->nr = below(seed, p->nr + 1);
	if (one_in(seed, 2))
		from = 0;
	for (i = from; i < from + nr && i < b->nr && p->nr < MOST_CALLS; i++)
		p->call[p->nr++] = b->call[i];
}

static void change_once(struct program *p, const struct program *b, uint64_t *seed)
{
	struct call call;

	switch (p->nr ? below(seed, 20) : 0) {
	case 0 ... 6:
		some_call(&call, p, seed);
		insert(p, one_in(seed, 2) ? p->nr : (int)below(seed, p->nr + 1), &call);
		break;
	case 7:
		splice_programs(p, b, seed);
		break;
	case 8:
		program_drop(p, below(seed, p->nr));
		break;
	case 9:
		call = p->call[below(seed, p->nr)];
		insert(p, below(seed, p->nr + 1), &call);
		break;
	case 10:
		p->call[below(seed, p->nr)].thread = below(seed, NR_THREADS);
		break;
	case 11: /* a call fails, or goes another way */
		call = (struct call){ .what = find_call(one_in(seed, 2) ? "via" : "fail") };
		some_argument(&call.a[0], first_kind(call.what), p, seed);
		insert(p, below(seed, p->nr + 1), &call);
		break;
	default:
		change_argument(p, seed);
	}
}

void program_mutate(struct program *p, const struct program *b, uint64_t *seed)
{
	int n;

	for (n = 1 + below(seed, one_in(seed, 3) ? 12 : 3); n; n--)
		change_once(p, b, seed);
}

int program_has(const struct program *p, const char *name)
{
	int i, what = find_call(name);

	for (i = 0; i < p->nr; i++)
		if (p->call[i].what == what)
			return 1;
	return 0;
}
