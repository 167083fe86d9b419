// SPDX-License-Identifier: MIT
/*
 * views - searching and parsing in pieces, beside the same on plain memory; and what a message
 * allocates
 *
 * 64 KiB, in one span and in sixteen of a page each. The comparison is with what a program would
 * call on memory in one piece: memmem(3), memchr(3), a loop over digits. Each is the quickest of
 * many runs, so that what else the machine does is left out; under --icount they are all alike.
 * What a message allocates is counted by the linker's help (--wrap), also for the library.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zpipe.h>

#include "clock.h"
#include "report.h"
#include "views.h"

#define SIZE		65536
#define SPANS		16
#define ROUNDS		200
#define MESSAGES	1000

static const char needle[] = "needle!!";

struct work {
	char *text;
	size_t len;
	const struct zp_view *view;	/* of it */
	uint64_t sum;			/* what was found: that the work is done, and right */
};

/*
 * The loops are there several times, and the median of the ratios counts: how long a loop takes
 * also depends on where it lies, still more where an emulator has put its translation. Over the
 * border of two pages it takes an emulator twice the time or more; none is longer than its
 * alignment.
 */
#define COPIES		5
#define INLINE		static inline __attribute__((always_inline))
#define COPY(_loop, _nr)							\
static __attribute__((noinline, aligned(1024))) void _loop##_nr(struct work *w)	\
{										\
	/* that they be not taken for the same, and made one */			\
	__asm__ __volatile__("" : : "i"(_nr));					\
	_loop(w);								\
}
#define COPIES_OF(_loop)							\
COPY(_loop, 0) COPY(_loop, 1) COPY(_loop, 2) COPY(_loop, 3) COPY(_loop, 4)	\
static void (*const _loop##_copies[COPIES])(struct work *w) = {			\
	_loop##0, _loop##1, _loop##2, _loop##3, _loop##4,			\
};

static void *hidden(void *p)
{
	__asm__ __volatile__("" : "+r"(p) : : "memory");
	return p;
}

INLINE void flat_find(struct work *w)
{
	const char *text = hidden(w->text);

	w->sum = (uint64_t)((char *)memmem(text, w->len, needle, sizeof(needle) - 1) - text);
}
COPIES_OF(flat_find)

INLINE void view_find(struct work *w)
{
	zp_view_find(w->view, 0, needle, sizeof(needle) - 1, &w->sum);
}
COPIES_OF(view_find)

INLINE void flat_line(struct work *w)
{
	const char *text = hidden(w->text);

	w->sum = (uint64_t)((char *)memchr(text, '\n', w->len) - text);
}
COPIES_OF(flat_line)

INLINE void view_line(struct work *w)
{
	struct zp_view rest = *w->view, line;

	w->sum = zp_view_take_line(&rest, NULL, &line) ? 0 : zp_view_len(&line);
}
COPIES_OF(view_line)

INLINE void flat_integers(struct work *w)
{
	const char *p = hidden(w->text), *const end = p + w->len;
	uint64_t sum = 0;

	while (p < end) {
		uint64_t value = 0;

		while (p < end && (unsigned char)(*p - '0') < 10)
			value = value * 10 + (unsigned char)(*p++ - '0');
		sum += value;
		p++;
	}
	w->sum = sum;
}
COPIES_OF(flat_integers)

INLINE void view_integers(struct work *w)
{
	uint64_t sum = 0, value;
	struct zp_cursor c;

	zp_cursor_init(&c, w->view);
	zp_cursor_final(&c);
	while (!zp_cursor_uint(&c, &value)) {
		sum += value;
		zp_cursor_skip(&c, 1);
	}
	w->sum = sum;
}
COPIES_OF(view_integers)

struct pair {
	const char *name;
	void (*const *flat)(struct work *w);
	void (*const *view)(struct work *w);
	bool cost;		/* the promise is the cost over that of the flat one, not speed */
	double need;
};

/*
 * Nanoseconds, or instructions, of either. They take turns: what becomes of the machine meanwhile
 * becomes of both.
 */
static void least(void (*const loops[2])(struct work *w), struct work work[2], double best[2])
{
	for (int i = 0; i < 2 * ROUNDS; i++) {
		const uint64_t begin = clock_ns();
		double took;

		loops[i % 2](&work[i % 2]);
		took = (double)(clock_ns() - begin);
		if (i < 2 || took < best[i % 2])
			best[i % 2] = took;
	}
}

static const struct pair pairs[] = {
	{ "find", flat_find_copies, view_find_copies, false, 0.8 },
	{ "take-line", flat_line_copies, view_line_copies, false, 0.8 },
	{ "integers", flat_integers_copies, view_integers_copies, true, 1.2 },
};

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int report_pair(const struct pair *pair, char *text, size_t len, const struct zp_view *view,
		       bool icount)
{
	double best[2], ratios[COPIES];
	char what[80];

	snprintf(what, sizeof(what), "%s %s 64KiB, %u span%s", pair->cost ? "cost" : "speed",
		 pair->name, view->nr_spans, view->nr_spans > 1 ? "s" : "");
	for (int i = 0; i < COPIES; i++) {
		void (*const loops[2])(struct work *w) = { pair->flat[i], pair->view[i] };
		struct work work[2] = { { .text = text, .len = len }, { .view = view } };

		least(loops, work, best);
		ratios[i] = pair->cost ? best[1] / best[0] : best[0] / best[1];
		if (work[0].sum != work[1].sum) {
			fprintf(stderr, "bench: views: %s: different answers\n", what);
			return 1;
		}
	}
	qsort(ratios, COPIES, sizeof(*ratios), ascending);
	printf("  %-24s flat %8.0f, view %8.0f; %.2f..%.2f\n", what, best[0], best[1], ratios[0],
	       ratios[COPIES - 1]);
	/* Emulated, so few instructions for a byte take as long as where they lie makes them. */
	if (pair->cost && !icount) {
		printf("%s: %.2f (judged by instructions)\n", what, ratios[COPIES / 2]);
		return 0;
	}
	return !report_verdict(what, ratios[COPIES / 2], pair->cost, pair->need);
}

/* Calls of the allocator since it was last asked. */
static uint64_t allocations;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t nr, size_t size)
{
	allocations++;
	return __real_calloc(nr, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	allocations++;
	return __real_realloc(old, size);
}

/* A message there and, by all that views are for, out again. */
static int send_message(struct zp_writer *w, struct zp_reader *r)
{
	static const char message[] = "17 words of 4711\n";
	struct zp_view view, line, front;
	uint64_t value, at;
	struct zp_cursor c;
	int ret;

	ret = zp_write(w, message, sizeof(message) - 1);
	ret = ret ? ret : zp_flush(w);
	ret = ret ? ret : zp_read(r, &view);
	if (ret)
		return ret;
	ret = zp_view_find(&view, view.start, "words", 5, &at);
	zp_view_peek(&view, 2, &front);
	ret = ret ? ret : zp_view_take_line(&view, NULL, &line);
	zp_cursor_init(&c, &line);
	ret = ret ? ret : zp_cursor_uint(&c, &value);
	if (!ret && (value != 17 || !zp_view_equal(&front, &front)))
		ret = -EBADMSG;
	return ret ? ret : zp_advance(r, view.start, view.end);
}

static int report_allocations(void)
{
	const struct zp_open_opts open = { .sz = sizeof(open), .spin = -1 };
	struct zp_writer *w = NULL;
	struct zp_reader *r = NULL;
	int wfd, rfd, ret;

	ret = zp_create(NULL, &wfd, &rfd);
	ret = ret ? ret : zp_writer_open(&w, wfd, &open);
	ret = ret ? ret : zp_reader_open(&r, rfd, &open);
	/* Until every segment was used once. */
	for (int i = 0; i < 100 * MESSAGES && !ret; i++)
		ret = send_message(w, r);
	allocations = 0;
	for (int i = 0; i < MESSAGES && !ret; i++)
		ret = send_message(w, r);
	zp_writer_close(w);
	zp_reader_close(r);
	if (ret) {
		fprintf(stderr, "bench: views: %s\n", strerror(-ret));
		return 1;
	}
	return !report_verdict("calls of malloc per message", (double)allocations / MESSAGES, true,
			       0);
}

int views_report(bool icount)
{
	static char text[SIZE], digits[SIZE + 32];
	struct zp_span text_spans[SPANS], digit_spans[SPANS];
	struct zp_view views[4];
	size_t len = 0;
	int missed = 0;

	memset(text, 'x', sizeof(text));
	text[SIZE - 1] = '\n';
	memcpy(text + SIZE - 40, needle, sizeof(needle) - 1);
	srand(1);
	while (len < SIZE - 12)
		len += (size_t)sprintf(digits + len, "%d,", rand() % (1 << rand() % 30));
	/* As long as that of the text: what is behind the last comma is nothing. */
	memset(digits + len, ',', SIZE - len);
	for (int i = 0; i < SPANS; i++) {
		text_spans[i] = (struct zp_span){ text + i * (SIZE / SPANS), SIZE / SPANS };
		digit_spans[i] = (struct zp_span){ digits + i * (SIZE / SPANS), SIZE / SPANS };
	}
	views[0] = zp_view_of(text, SIZE);
	views[2] = zp_view_of(digits, len);
	for (int i = 0; i < 2; i++) {
		const struct zp_span *spans = i ? digit_spans : text_spans;

		views[2 * i + 1] = (struct zp_view){
			.end = SIZE, .nr_spans = SPANS, .first = spans[0], .more = spans + 1,
			.last = SIZE / SPANS,
		};
	}
	zp_view_slice(&views[3], 0, len, &views[3]);
	puts("views beside plain memory");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		const struct pair *pair = &pairs[i];
		const bool numbers = pair->flat == flat_integers_copies;

		for (int k = 0; k < 2; k++)
			missed += report_pair(pair, numbers ? digits : text, numbers ? len : SIZE,
					      &views[2 * numbers + k], icount);
	}
	if (!access("/dev/zpipe", F_OK))
		missed += report_allocations();
	return missed;
}
