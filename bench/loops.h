/* SPDX-License-Identifier: MIT */
/*
 * loops.h - the workload, the same for every system
 *
 * Included last by each system's file, which has defined struct bench_link and, static:
 *
 *	link_open, link_close		in the parent, before the fork
 *	attach_writer, attach_reader	in the process of that end
 *	writer_reserve(w, len)		room for one message; NULL and errno
 *	writer_publish(w, len)		the message is complete; 0 or -errno
 *	reader_take(r, &bytes)		what is there, waiting: 1 to BENCH_STEP bytes, whole
 *					words; 0 at the end; -errno
 *	reader_release(r, len)		the words were read; 0 or -errno
 *
 * w and r are what a program would hold in a variable: the link, unless LINK_WRITER and LINK_READER
 * say otherwise.
 *
 * The producer stores every word and the consumer adds up every word, eight to a turn of the loop
 * because a message is whole cache lines. The build turns off vectorisation, so that this part is
 * the same instructions with every compiler.
 *
 * Every loop begins a page of code. Where an emulator runs this, a jump to another page costs a
 * look-up: a loop that happened to lie across a border took twice the time, and which system that
 * was changed with every build.
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <errno.h>
#include <stdint.h>

#include "bench.h"

#ifndef LINK_WRITER
#define LINK_WRITER(link)	(link)
#define LINK_READER(link)	(link)
#endif

/* The loops, with all they call for each message inlined. */
#define BENCH_LOOP	__attribute__((noinline, aligned(4096)))
#define BENCH_INLINE	__attribute__((always_inline))

static inline BENCH_INLINE uint64_t fill_words(uint64_t *to, size_t words, uint64_t next)
{
	for (; words >= 8; words -= 8, to += 8, next += 8) {
		to[0] = next;
		to[1] = next + 1;
		to[2] = next + 2;
		to[3] = next + 3;
		to[4] = next + 4;
		to[5] = next + 5;
		to[6] = next + 6;
		to[7] = next + 7;
	}
	while (words--)
		*to++ = next++;
	return next;
}

static inline BENCH_INLINE uint64_t add_words(const uint64_t *from, size_t words, uint64_t sum)
{
	for (; words >= 8; words -= 8, from += 8)
		sum += from[0] + from[1] + from[2] + from[3] +
		       from[4] + from[5] + from[6] + from[7];
	while (words--)
		sum += *from++;
	return sum;
}

static inline BENCH_INLINE int
send_messages(struct bench_link *link, uint64_t messages, uint64_t *word)
{
	const size_t length = ((struct bench_base *)link)->config.message;
	__auto_type writer = LINK_WRITER(link);
	uint64_t next = *word;
	int err = 0;

	while (messages--) {
		uint64_t *bytes = writer_reserve(writer, length);

		if (!bytes) {
			err = -errno;
			break;
		}
		next = fill_words(bytes, length / sizeof(*bytes), next);
		err = writer_publish(writer, length);
		if (err)
			break;
	}
	*word = next;
	return err;
}

static inline BENCH_INLINE int
receive_messages(struct bench_link *link, uint64_t messages, uint64_t *sum)
{
	uint64_t left = messages * ((struct bench_base *)link)->config.message;
	__auto_type reader = LINK_READER(link);
	uint64_t total = *sum;
	int err = 0;

	while (left) {
		const uint64_t *bytes = NULL;
		ssize_t length = reader_take(reader, &bytes);

		if (length <= 0) {
			err = length ? (int)length : -EPIPE;
			break;
		}
		total = add_words(bytes, (size_t)length / sizeof(*bytes), total);
		err = reader_release(reader, (size_t)length);
		if (err)
			break;
		left -= (uint64_t)length;
	}
	*sum = total;
	return err;
}

static BENCH_LOOP int link_produce(struct bench_link *link, uint64_t messages, uint64_t *word)
{
	return send_messages(link, messages, word);
}

static BENCH_LOOP int link_consume(struct bench_link *link, uint64_t messages, uint64_t *sum)
{
	return receive_messages(link, messages, sum);
}

static BENCH_LOOP int link_ping(struct bench_link *there, struct bench_link *back, uint64_t trips,
				uint64_t *word, uint64_t *sum)
{
	int err = 0;

	while (trips-- && !err) {
		err = send_messages(there, 1, word);
		if (!err)
			err = receive_messages(back, 1, sum);
	}
	return err;
}

static BENCH_LOOP int link_pong(struct bench_link *there, struct bench_link *back, uint64_t trips,
				uint64_t *word, uint64_t *sum)
{
	int err = 0;

	while (trips-- && !err) {
		err = receive_messages(there, 1, sum);
		if (!err)
			err = send_messages(back, 1, word);
	}
	return err;
}

#define BENCH_LOOPS				\
	.link_size = sizeof(struct bench_link),	\
	.open = link_open,			\
	.close = link_close,			\
	.attach_writer = attach_writer,		\
	.attach_reader = attach_reader,		\
	.produce = link_produce,		\
	.consume = link_consume,		\
	.ping = link_ping,			\
	.pong = link_pong

#endif
