// SPDX-License-Identifier: MIT
/*
 * keeper - what workload.c does not do: mistakes, kept memory, and the pipes of others
 *
 * Same manner: keeper STEP:NUMBER:SIZE..., each a count known in advance.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/zpipe.h>

static char bytes[1 << 20];

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "keeper: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left))
		;
}

static void make(int *writer, int *reader)
{
	struct zpipe_create_args args = { .pool_fd = -1 };
	int device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);

	need(device >= 0 && !ioctl(device, ZPIPE_IOC_CREATE, &args), "create");
	close(device);
	*writer = args.out_writer_fd;
	*reader = args.out_reader_fd;
}

/* NUMBER flushes beyond what was granted, SIZE completions with ECANCELED (0 or 1). */
static void reject(uint64_t number, uint64_t size)
{
	struct zpipe_complete_args complete = { .error = ECANCELED };
	struct zpipe_flush_args args = { .position = 4099 };
	int writer, reader;

	make(&writer, &reader);
	while (number--)
		need(ioctl(writer, ZPIPE_IOC_FLUSH, &args) && errno == EINVAL, "refused flush");
	if (size)
		need(!ioctl(writer, ZPIPE_IOC_COMPLETE, &complete), "complete");
	close(writer);
	close(reader);
}

static uint64_t keep_range(int reader, uint64_t position, uint64_t length)
{
	struct zpipe_preserve_args args = { .position = position, .length = length };

	need(!ioctl(reader, ZPIPE_IOC_PRESERVE, &args), "preserve");
	return args.out_handle;
}

/*
 * NUMBER ranges of SIZE bytes are preserved; the first is released, the second exported. Another
 * reader takes nothing, this one all.
 */
static void keep(uint64_t number, uint64_t size)
{
	struct zpipe_release_args release = { 0 };
	struct zpipe_export_args export = { 0 };
	struct zpipe_tee_args tee = { 0 };
	int writer, reader;
	uint64_t k, handle;

	make(&writer, &reader);
	need(!ioctl(reader, ZPIPE_IOC_TEE, &tee), "tee");
	for (k = 0; k < number; k++) {
		need(write(writer, bytes, size) == (ssize_t)size, "write");
		handle = keep_range(reader, k * size, size);
		if (k == 0)
			release.handle = handle;
		if (k == 1)
			export.handle = handle;
		need(read(reader, bytes, size) == (ssize_t)size, "read");
	}
	need(!ioctl(reader, ZPIPE_IOC_RELEASE, &release), "release");
	need(!ioctl(reader, ZPIPE_IOC_EXPORT, &export), "export");
	printf("ready\n");
	fflush(stdout);
	sleep_ms(2500);
	close(writer);
	close(reader);
	close(tee.out_fd);
	close(export.out_fd);
}

static void push(int writer, int reader, uint64_t number, uint64_t size)
{
	while (number--) {
		need(write(writer, bytes, size) == (ssize_t)size, "write");
		need(read(reader, bytes, sizeof(bytes)) == (ssize_t)size, "read");
	}
	close(writer);
	close(reader);
}

static void push_pipe(uint64_t number, uint64_t size)
{
	int fds[2];

	need(!pipe(fds), "pipe");
	push(fds[1], fds[0], number, size);
}

static void push_socket(int type, uint64_t number, uint64_t size)
{
	int fds[2];

	need(!socketpair(AF_UNIX, type, 0, fds), "socketpair");
	push(fds[1], fds[0], number, size);
}

static void push_stream(uint64_t number, uint64_t size)
{
	push_socket(SOCK_STREAM, number, size);
}

static void push_packets(uint64_t number, uint64_t size)
{
	push_socket(SOCK_SEQPACKET, number, size);
}

static void push_datagrams(uint64_t number, uint64_t size)
{
	push_socket(SOCK_DGRAM, number, size);
}

static const struct {
	const char *name;
	void (*run)(uint64_t number, uint64_t size);
} steps[] = {
	{ "reject", reject }, { "keep", keep }, { "pipe", push_pipe }, { "unix", push_stream },
	{ "packet", push_packets }, { "dgram", push_datagrams },
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
			fprintf(stderr, "usage: keeper STEP:NUMBER:SIZE...\n");
			return 2;
		}
		for (k = 0; k < sizeof(steps) / sizeof(*steps) && strcmp(name, steps[k].name); k++)
			;
		if (k == sizeof(steps) / sizeof(*steps)) {
			fprintf(stderr, "keeper: there is no step %s\n", name);
			return 2;
		}
		steps[k].run(number, size);
	}
	return 0;
}
