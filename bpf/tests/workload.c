// SPDX-License-Identifier: MIT
/*
 * workload - so many bytes, calls, waits and pauses, known in advance
 *
 * What the tools must print exactly. Each step makes a pipe, does something NUMBER times with SIZE
 * bytes, and closes it. Several steps run one after the other: workload rw:7:101 wait:13:17
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/zpipe.h>

struct ends {
	int writer;
	int reader;
	uint64_t position;
};

static char bytes[1 << 20];

static void die(const char *what)
{
	fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void call(int fd, unsigned long request, void *args, const char *what)
{
	if (ioctl(fd, request, args))
		die(what);
}

static struct ends make(uint64_t capacity, uint32_t segment, uint64_t pause)
{
	struct zpipe_create_args args = {
		.capacity = capacity, .segment_size = segment, .pause = pause, .pool_fd = -1,
	};
	int device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);

	if (device < 0)
		die("/dev/zpipe");
	call(device, ZPIPE_IOC_CREATE, &args, "create");
	close(device);
	return (struct ends){ .writer = args.out_writer_fd, .reader = args.out_reader_fd };
}

static void done(struct ends *ends)
{
	struct zpipe_complete_args args = { 0 };

	call(ends->writer, ZPIPE_IOC_COMPLETE, &args, "complete");
	close(ends->reader);
	close(ends->writer);
}

static void write_all(int fd, uint64_t size)
{
	if (write(fd, bytes, size) != (ssize_t)size)
		die("write");
}

static void read_all(int fd, uint64_t size)
{
	ssize_t part;

	for (; size; size -= (uint64_t)part) {
		part = read(fd, bytes, size);
		if (part <= 0)
			die("read");
	}
}

static void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left))
		;
}

static void alloc(struct ends *ends, uint64_t size)
{
	struct zpipe_alloc_args args = { .position = ends->position, .min = size };

	call(ends->writer, ZPIPE_IOC_ALLOC, &args, "alloc");
}

static void flush(struct ends *ends, uint64_t size, uint32_t flags)
{
	struct zpipe_flush_args args = { .position = ends->position + size, .flags = flags };

	if (ioctl(ends->writer, ZPIPE_IOC_FLUSH, &args) &&
	    (errno != EAGAIN || !(flags & ZPIPE_FLUSH_F_NOWAIT)))
		die("flush");
	ends->position += size;
}

static void take(int reader, uint64_t size)
{
	struct zpipe_read_args view = { .min = size };
	struct zpipe_advance_args args = { .examined = ZPIPE_KEEP };

	call(reader, ZPIPE_IOC_READ, &view, "read");
	args.consumed = view.out_start + size;
	call(reader, ZPIPE_IOC_ADVANCE, &args, "advance");
}

/* NUMBER times write(2) and read(2). */
static void rw(uint64_t number, uint64_t size)
{
	struct ends ends = make(0, 0, 0);

	while (number--) {
		write_all(ends.writer, size);
		read_all(ends.reader, size);
	}
	done(&ends);
}

/* NUMBER times alloc, flush, read, advance: nothing is copied. */
static void verbs(uint64_t number, uint64_t size)
{
	struct ends ends = make(0, 0, 0);

	while (number--) {
		alloc(&ends, size);
		flush(&ends, size, 0);
		take(ends.reader, size);
	}
	done(&ends);
}

/* NUMBER times write(2), and splice(2) by reference into a pipe. */
static void spliced(uint64_t number, uint64_t size)
{
	struct ends ends = make(0, 0, 0);
	int to[2];

	if (pipe(to))
		die("pipe");
	while (number--) {
		write_all(ends.writer, size);
		if (splice(ends.reader, NULL, to[1], NULL, size, 0) != (ssize_t)size)
			die("splice");
		read_all(to[0], size);
	}
	close(to[0]);
	close(to[1]);
	done(&ends);
}

/* NUMBER times flush, and only then one reading of all of it. */
static void fill(uint64_t number, uint64_t size)
{
	struct ends ends = make(0, 0, 0);
	uint64_t k;

	for (k = 0; k < number; k++) {
		alloc(&ends, size);
		flush(&ends, size, 0);
	}
	take(ends.reader, number * size);
	done(&ends);
}

static pid_t gettid_of(pthread_t thread, const pid_t *tid)
{
	(void)thread;
	while (!__atomic_load_n(tid, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	return *tid;
}

/* Until that thread sleeps in the pipe: fdinfo says so, and its state does. */
static void until_waits(int fd, const char *key, pid_t tid)
{
	char path[64], line[256], state;
	bool waits = false;
	FILE *file;

	while (!waits) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		file = fopen(path, "re");
		if (!file)
			die(path);
		while (fgets(line, sizeof(line), file)) {
			if (!strncmp(line, key, strlen(key)) && strstr(line, "yes"))
				waits = true;
		}
		fclose(file);
		state = '?';
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
		file = fopen(path, "re");
		if (!file || !fgets(line, sizeof(line), file) || !strrchr(line, ')'))
			die(path);
		fclose(file);
		state = strrchr(line, ')')[2];
		waits = waits && state == 'S';
		if (!waits)
			sleep_ms(1);
	}
}

struct side {
	struct ends *ends;
	uint64_t number;
	uint64_t size;
	pid_t tid;
};

static void *reader_side(void *context)
{
	struct side *side = context;
	uint64_t k;

	__atomic_store_n(&side->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (k = 0; k < side->number; k++)
		take(side->ends->reader, side->size);
	return NULL;
}

/* NUMBER times the reader waits before SIZE bytes come. */
static void waits(uint64_t number, uint64_t size)
{
	struct ends ends = make(0, 0, 0);
	struct side side = { .ends = &ends, .number = number, .size = size };
	pthread_t thread;
	pid_t tid;

	if (pthread_create(&thread, NULL, reader_side, &side))
		die("thread");
	tid = gettid_of(thread, &side.tid);
	while (number--) {
		alloc(&ends, size);
		until_waits(ends.reader, "zpipe-reader-waits:", tid);
		flush(&ends, size, 0);
	}
	pthread_join(thread, NULL);
	done(&ends);
}

static void *writer_side(void *context)
{
	struct side *side = context;
	uint64_t k;

	__atomic_store_n(&side->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (k = 0; k < side->number; k++) {
		alloc(side->ends, side->size);
		flush(side->ends, side->size, 0);
	}
	return NULL;
}

/* NUMBER times the writer is paused, and sleeps, after SIZE bytes. */
static void pauses(uint64_t number, uint64_t size)
{
	struct ends ends = make(0, 0, size);
	struct side side = { .ends = &ends, .number = number, .size = size };
	pthread_t thread;
	pid_t tid;

	if (pthread_create(&thread, NULL, writer_side, &side))
		die("thread");
	tid = gettid_of(thread, &side.tid);
	while (number--) {
		until_waits(ends.writer, "zpipe-writer-waits:", tid);
		take(ends.reader, size);
	}
	pthread_join(thread, NULL);
	done(&ends);
}

/* NUMBER ranges of SIZE bytes are preserved until the reader is closed. */
static void preserve(uint64_t number, uint64_t size)
{
	struct ends ends = make(0, 0, 0);
	struct zpipe_preserve_args args = { .length = size };

	while (number--) {
		alloc(&ends, size);
		flush(&ends, size, 0);
		args.position = ends.position - size;
		call(ends.reader, ZPIPE_IOC_PRESERVE, &args, "preserve");
		take(ends.reader, size);
	}
	sleep_ms(2500);
	done(&ends);
}

/*
 * NUMBER times SIZE bytes go past a reader that is detached for it, and one that has completed;
 * until a signal.
 */
static void outrun(uint64_t number, uint64_t size)
{
	struct zpipe_tee_args slow = { .flags = ZPIPE_TEE_F_DETACH }, over = { 0 };
	struct zpipe_complete_args complete = { 0 };
	struct ends ends = make(8192, 4096, 0);

	call(ends.reader, ZPIPE_IOC_TEE, &slow, "tee");
	call(ends.reader, ZPIPE_IOC_TEE, &over, "tee");
	call(over.out_fd, ZPIPE_IOC_COMPLETE, &complete, "complete");
	while (number--) {
		alloc(&ends, size);
		flush(&ends, size, 0);
		take(ends.reader, size);
	}
	printf("ready\n");
	fflush(stdout);
	pause();
}

/* NUMBER pipes at once, with SIZE bytes in each, for a while. */
static void many(uint64_t number, uint64_t size)
{
	struct rlimit limit = { 1 << 18, 1 << 18 };
	struct ends *all = calloc(number, sizeof(*all));
	uint64_t k;

	if (!all || setrlimit(RLIMIT_NOFILE, &limit))
		die("limit");
	for (k = 0; k < number; k++) {
		all[k] = make(size <= 4096 ? 8192 : 0, 0, 0);
		alloc(&all[k], size);
		flush(&all[k], size, 0);
	}
	printf("ready\n");
	fflush(stdout);
	if (getenv("HOLD"))
		pause();
	for (k = 0; k < number; k++)
		done(&all[k]);
	free(all);
}

/* For NUMBER ms one process sends SIZE bytes at a time to another, which is slow every second. */
static void stream(uint64_t number, uint64_t size)
{
	struct ends ends = make(1 << 20, 0, 768 << 10);
	struct timespec now, begin;
	pid_t child;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		close(ends.writer);
		for (;;) {
			struct zpipe_read_args view = { .min = 1 };
			struct zpipe_advance_args args = { .examined = ZPIPE_KEEP };

			clock_gettime(CLOCK_MONOTONIC, &now);
			if ((now.tv_sec - begin.tv_sec) % 2)
				sleep_ms(20);
			call(ends.reader, ZPIPE_IOC_READ, &view, "read");
			if (view.out_end == view.out_start)
				break;
			args.consumed = view.out_end;
			call(ends.reader, ZPIPE_IOC_ADVANCE, &args, "advance");
		}
		_exit(0);
	}
	close(ends.reader);
	do {
		alloc(&ends, size);
		flush(&ends, size, 0);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((uint64_t)((now.tv_sec - begin.tv_sec) * 1000 +
			    (now.tv_nsec - begin.tv_nsec) / 1000000) < number);
	call(ends.writer, ZPIPE_IOC_COMPLETE, &(struct zpipe_complete_args){ 0 }, "complete");
	close(ends.writer);
	waitpid(child, NULL, 0);
}

static void idle(uint64_t number, uint64_t size)
{
	(void)size;
	sleep_ms((long)number);
}

static const struct {
	const char *name;
	void (*run)(uint64_t number, uint64_t size);
} steps[] = {
	{ "rw", rw }, { "verbs", verbs }, { "fill", fill }, { "splice", spliced },
	{ "wait", waits }, { "pause", pauses }, { "preserve", preserve }, { "many", many },
	{ "stream", stream }, { "outrun", outrun },
	{ "sleep", idle },
};

int main(int argc, char **argv)
{
	unsigned long long number, size;
	char name[16];
	size_t k;
	int at;

	for (at = 1; at < argc; at++) {
		if (sscanf(argv[at], "%15[a-z]:%llu:%llu", name, &number, &size) != 3 ||
		    size > sizeof(bytes)) {
			fprintf(stderr, "usage: workload STEP:NUMBER:SIZE...\n");
			return 2;
		}
		for (k = 0; k < sizeof(steps) / sizeof(*steps); k++) {
			if (!strcmp(name, steps[k].name)) {
				steps[k].run(number, size);
				break;
			}
		}
		if (k == sizeof(steps) / sizeof(*steps)) {
			fprintf(stderr, "workload: there is no step %s\n", name);
			return 2;
		}
	}
	return 0;
}
