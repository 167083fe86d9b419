// SPDX-License-Identifier: MIT
/*
 * demo - a real file from one process to another, and the proof that nobody copied it
 *
 * A producer reads the file into grants, a consumer hashes the views, this process shows
 * and judges:
 * the digest against sha256sum's, the kernel's count of copied bytes against 0, the physical frames
 * of one process against the other's. Then unmodified programs move the same file through a zpipe.
 * The last line is made for machines.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zpipe.h>

#include "demo.h"
#include "join.h"

#define MIB	(1024.0 * 1024.0)

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *why, ...)
{
	va_list args;

	fflush(stderr);
	printf("demo: FAIL ");
	va_start(args, why);
	vprintf(why, args);
	va_end(args);
	putchar('\n');
	exit(1);
}

/* sha256sum prints the digest first. */
static void digest_from(int file, char digest[DEMO_DIGEST])
{
	ssize_t got = pread(file, digest, DEMO_DIGEST - 1, 0);

	digest[got > 0 ? got : 0] = '\0';
}

/* What sha256sum says about the file, with no zpipe near it. */
static void ask_sha256sum(char *path, char digest[DEMO_DIGEST])
{
	int out = memfd_create("digest", MFD_CLOEXEC);
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		dup2(out, STDOUT_FILENO);
		execlp("sha256sum", "sha256sum", path, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		fail("sha256sum %s does not work", path);
	digest_from(out, digest);
	close(out);
}

/* Reads the file once, so that both ways find it in the page cache and its disk is not measured. */
static void read_ahead(const char *path)
{
	static char buffer[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	do
		got = read(fd, buffer, sizeof(buffer));
	while (got > 0);
	if (got < 0)
		fail("%s: %s", path, strerror(errno));
	close(fd);
}

static pid_t start(struct demo_shared *shared, int who, int fd, int other, const char *path)
{
	pid_t pid = fork();
	int ret;

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(other);
	ret = who == PRODUCER ? demo_produce(shared, fd, path) : demo_consume(shared, fd);
	_exit(ret ? 1 : 0);
}

/* Shows progress until both are done. When one fails, the other need not go on. */
static void watch(struct demo_shared *shared, pid_t pids[2], uint64_t total)
{
	int running = 2, status, lost = 0;

	while (running) {
		const pid_t pid = waitpid(-1, &status, WNOHANG);

		if (shared->started_ns)
			demo_progress(atomic_load(&shared->done), total, shared->started_ns);
		if (!pid) {
			usleep(50000);
			continue;
		}
		if (pid < 0)
			break;
		running--;
		pids[pid == pids[CONSUMER] ? CONSUMER : PRODUCER] = -1;
		if (!status)
			continue;
		lost = status;
		for (int i = 0; i < 2; i++)
			if (pids[i] > 0)
				kill(pids[i], SIGKILL);
	}
	for (int i = 0; i < 2; i++)
		if (shared->why[i][0])
			fail("%s", shared->why[i]);
	if (lost)
		fail("a worker ended with status %#x", (unsigned int)lost);
}

static void show_pages(const struct demo_shared *shared)
{
	size_t compared, same = demo_same_pages(shared, &compared);

	printf("  the first bytes: producer %p, consumer %p; %zu of %zu pages are the "
	       "same physical "
	       "frames (%#llx ...)\n", shared->producer.address, shared->consumer.address, same,
	       compared, (unsigned long long)shared->consumer.frame[0]);
	if (!compared || !shared->consumer.frame[0])
		fail("the page frames cannot be seen (not root?)");
	if (same != compared)
		fail("%zu of %zu pages are not the same memory", compared - same, compared);
}

/* The file through grants and views. Returns system calls per MiB. */
static double move_in_place(char *path, uint64_t size, const char *expected)
{
	struct demo_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct zp_stat stat = { .sz = sizeof(stat) };
	int writer, reader, err;
	uint64_t calls;
	pid_t pids[2];

	if (shared == MAP_FAILED)
		fail("no memory");
	err = zp_create(NULL, &writer, &reader);
	if (err)
		fail("/dev/zpipe: %s", strerror(-err));
	printf("in place: a producer read(2)s the file into grants, a consumer hashes the views\n");
	fflush(stdout);
	pids[CONSUMER] = start(shared, CONSUMER, reader, writer, path);
	pids[PRODUCER] = start(shared, PRODUCER, writer, reader, path);
	close(writer);
	watch(shared, pids, size);
	err = zp_stat(reader, &stat);
	close(reader);
	if (err)
		fail("zp_stat: %s", strerror(-err));

	calls = stat.allocs + stat.flushes + stat.reads + stat.advances;
	printf("  %llu bytes, %.1f MB/s, sha256 %s\n", (unsigned long long)stat.consumed,
	       (double)stat.consumed * 1e3 / (double)(shared->ended_ns - shared->started_ns),
	       shared->digest);
	printf("  system calls on zpipe fds: %llu alloc, %llu flush, %llu read, %llu advance: "
	       "%.2f per "
	       "MiB\n", (unsigned long long)stat.allocs, (unsigned long long)stat.flushes,
	       (unsigned long long)stat.reads, (unsigned long long)stat.advances,
	       (double)calls / ((double)size / MIB));
	printf("  copied by the kernel: %llu bytes in, %llu bytes out; pauses: %llu (%.1f ms)\n",
	       (unsigned long long)stat.copied_write, (unsigned long long)stat.copied_read,
	       (unsigned long long)stat.pauses, (double)stat.paused_ns / 1e6);
	show_pages(shared);

	if (stat.consumed != size)
		fail("%llu of %llu bytes arrived", (unsigned long long)stat.consumed,
		     (unsigned long long)size);
	if (strcmp(shared->digest, expected))
		fail("the digest is not that of the file");
	if (stat.copied_write || stat.copied_read)
		fail("the kernel copied %llu bytes",
		     (unsigned long long)(stat.copied_write + stat.copied_read));
	munmap(shared, sizeof(*shared));
	return (double)calls / ((double)size / MIB);
}

/* The file through programs that know nothing of zpipe. */
static void move_unmodified(char *path, uint64_t size, const char *expected)
{
	char cat[] = "cat", dashes[] = "--", sum[] = "sha256sum";
	int out = memfd_create("digest", MFD_CLOEXEC);
	char digest[DEMO_DIGEST];
	struct join_result result;
	int err;

	printf("unmodified programs: cat FILE | sha256sum, a zpipe for the bar\n");
	fflush(stdout);
	err = join_run((char *[]) { cat, dashes, path, NULL }, (char *[]) { sum, NULL }, out,
		       &result);
	if (err)
		fail("joining cat and sha256sum: %s", strerror(-err));
	digest_from(out, digest);
	close(out);
	printf("  %llu bytes, %.1f MB/s, sha256 %s\n", (unsigned long long)result.stat.published,
	       (double)result.stat.published / 1e6 / result.seconds, digest);
	printf("  copied by the kernel: %llu bytes in, %llu bytes out\n",
	       (unsigned long long)result.stat.copied_write,
	       (unsigned long long)result.stat.copied_read);
	if (result.status)
		fail("a program ended with status %d", result.status);
	if (strcmp(digest, expected))
		fail("the digest of the unmodified programs is not that of the file");
	if (result.stat.copied_write != size || result.stat.copied_read != size)
		fail("read(2) and write(2) copied %llu and %llu bytes and not the file",
		     (unsigned long long)result.stat.copied_read,
		     (unsigned long long)result.stat.copied_write);
}

int main(int argc, char **argv)
{
	char expected[DEMO_DIGEST] = "";
	struct utsname machine;
	struct stat file;
	double per_mib;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: zpipe-demo FILE [SHA256]\n");
		return 2;
	}
	if (stat(argv[1], &file) || !S_ISREG(file.st_mode) || !file.st_size)
		fail("%s is not a file with anything in it", argv[1]);
	if (argc == 3)
		snprintf(expected, sizeof(expected), "%s", argv[2]);
	else
		ask_sha256sum(argv[1], expected);
	uname(&machine);
	printf("kernel %s, %s, %.1f MB, sha256sum %s\n", machine.release, argv[1],
	       (double)file.st_size / 1e6, expected);

	fflush(stdout);
	read_ahead(argv[1]);
	per_mib = move_in_place(argv[1], (uint64_t)file.st_size, expected);
	move_unmodified(argv[1], (uint64_t)file.st_size, expected);
	printf("demo: PASS bytes=%llu copied=0 syscalls_per_mib=%.2f\n",
	       (unsigned long long)file.st_size, per_mib);
	return 0;
}
