// SPDX-License-Identifier: MIT
/*
 * supervise - a consumer that is killed again and again, and does everything once
 *
 *	supervise [KILLS]
 *
 * The supervisor keeps the reader fd; each new consumer goes on at `consumed`. One that
 * dies after it has processed a record and before it advances leaves that record to its
 * successor, who must not process it again. So each result is kept together with the
 * stream position of its record, in one write, and a consumer that starts looks at the
 * last one. That is all it takes: the pipe remembers the rest.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zpipe.h>

struct result {
	uint64_t position;
	uint64_t square;
};

static struct shared {
	unsigned int kills, wanted;
	uint64_t again;
} *shared;

static int results;

/* Numbers, as long as there is somebody to be killed. */
static int produce(int fd)
{
	struct zp_writer *w;
	uint64_t n;

	if (zp_writer_open(&w, fd, NULL))
		return 1;
	for (n = 0; __atomic_load_n(&shared->kills, __ATOMIC_RELAXED) < shared->wanted; n++) {
		if (zp_put_le(w, 8, n) || zp_flush(w))
			return 1;
	}
	return zp_writer_complete(w, 0, 0) ? 1 : 0;
}

/* Up to where records have been processed, whether or not that was consumed. */
static uint64_t processed(void)
{
	struct result last;
	off_t end = lseek(results, 0, SEEK_END);

	if (end < (off_t)sizeof(last))
		return 0;
	if (pread(results, &last, sizeof(last), end - (off_t)sizeof(last)) != sizeof(last))
		return UINT64_MAX;
	return last.position + 8;
}

static int consume(void *arg, int fd)
{
	uint64_t done = processed();
	struct zp_reader *r;
	struct zp_view view;

	(void)arg;
	if (zp_reader_open(&r, fd, NULL))
		return 1;
	while (!zp_read(r, &view)) {
		struct zp_cursor c;
		uint64_t n;

		if (!zp_view_len(&view))
			return view.flags & ZP_COMPLETED ? 0 : 1;
		zp_cursor_init(&c, &view);
		if (zp_cursor_le(&c, 8, &n)) {
			/* a part of one */
			zp_examine_all(r);
			continue;
		}
		if (view.start >= done) {
			struct result result = { view.start, n * n };

			if (write(results, &result, sizeof(result)) != sizeof(result))
				return 1;
		} else {
			shared->again++;
		}
		if (zp_consume(r, 8))
			return 1;
	}
	return 1;
}

/* The consumer has just started: let it work for a moment. */
static int kill_it(void *arg, const struct zp_supervised *what)
{
	struct timespec moment = { .tv_nsec = random() % 3000000 };

	(void)arg;
	if (!what->running || shared->kills == shared->wanted)
		return 0;
	nanosleep(&moment, NULL);
	kill(what->pid, SIGKILL);
	__atomic_fetch_add(&shared->kills, 1, __ATOMIC_RELAXED);
	return 0;
}

int main(int argc, char **argv)
{
	struct zp_supervise_opts opts = {
		.sz = sizeof(opts), .run = consume, .event = kill_it, .min_delay_ns = 1,
	};
	struct zp_supervised last;
	uint64_t n = 0, bad = 0;
	struct result result;
	int wfd, rfd, status, ret;
	FILE *file = tmpfile();
	pid_t producer;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (!file || shared == MAP_FAILED)
		err(1, "memory");
	results = fileno(file);
	shared->wanted = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 100;
	ret = zp_create(NULL, &wfd, &rfd);
	if (ret)
		errx(1, "cannot make a pipe: %s", strerror(-ret));
	producer = fork();
	if (!producer)
		_exit(produce(wfd));
	close(wfd);
	ret = zp_supervise(rfd, &opts, &last);
	if (ret)
		errx(1, "supervising: %s", strerror(-ret));
	if (waitpid(producer, &status, 0) != producer || status)
		errx(1, "the producer has failed");
	/* each of them, once, in order */
	for (; pread(results, &result, sizeof(result), (off_t)(n * sizeof(result))) > 0; n++)
		bad += result.position != n * 8 || result.square != n * n;
	printf("%u kills, %llu restarts, %llu records once each, %llu shown again, %llu wrong\n",
	       shared->kills, (unsigned long long)last.restarts, (unsigned long long)n,
	       (unsigned long long)shared->again, (unsigned long long)bad);
	return bad || shared->kills < shared->wanted || n * 8 != last.consumed;
}
