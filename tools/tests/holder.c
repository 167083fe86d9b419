// SPDX-License-Identifier: MIT
/*
 * holder - holds zpipes in states known in advance, for the tests of the tools
 *
 * Prints "NAME PID FD ID" for each fd, then "ready", and ends with its standard input. The numbers
 * are primes, so that no other count of the machine looks like them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <linux/zpipe.h>

static int device;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "holder: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void show(const char *name, int fd, uint64_t id)
{
	printf("%s %d %d %llu\n", name, getpid(), fd, (unsigned long long)id);
}

static struct zpipe_create_args make(const char *name, struct zpipe_create_args args)
{
	char word[64];

	need(!ioctl(device, ZPIPE_IOC_CREATE, &args), "CREATE");
	snprintf(word, sizeof(word), "%s.writer", name);
	show(word, args.out_writer_fd, args.out_id);
	snprintf(word, sizeof(word), "%s.reader", name);
	show(word, args.out_reader_fd, args.out_id);
	return args;
}

static void put(int fd, size_t bytes)
{
	char *buffer = calloc(1, bytes);

	need(buffer && write(fd, buffer, bytes) == (ssize_t)bytes, "write");
	free(buffer);
}

static void take(int fd, size_t bytes)
{
	char *buffer = malloc(bytes);

	need(buffer && read(fd, buffer, bytes) == (ssize_t)bytes, "read");
	free(buffer);
}

/* Published 100003, consumed 7919: held 92084. 3 calls of write(2), 2 of read(2). */
static void make_stream(void)
{
	const struct zpipe_create_args p = make("stream", (struct zpipe_create_args){
		.capacity = 1 << 20, .pause = 524287, .resume = 262139, .pool_fd = -1 });

	put(p.out_writer_fd, 50021);
	put(p.out_writer_fd, 40009);
	put(p.out_writer_fd, 100003 - 50021 - 40009);
	take(p.out_reader_fd, 3001);
	take(p.out_reader_fd, 7919 - 3001);
}

/* The pause threshold is 5003, and 6007 bytes are published. */
static void make_paused(void)
{
	const struct zpipe_create_args p = make("paused", (struct zpipe_create_args){
		.flags = ZPIPE_F_CONTIG | ZPIPE_F_NONBLOCK, .capacity = 65536, .pause = 5003,
		.resume = 2503, .pool_fd = -1 });
	struct zpipe_alloc_args grant = { .min = 6007, .want = 6007 };
	struct zpipe_flush_args flush = { .position = 6007 };

	need(!ioctl(p.out_writer_fd, ZPIPE_IOC_ALLOC, &grant), "ALLOC");
	need(ioctl(p.out_writer_fd, ZPIPE_IOC_FLUSH, &flush) && errno == EAGAIN, "FLUSH");
}

/* The writer has finished well, the reader with EPROTO. */
static void make_ended(void)
{
	const struct zpipe_create_args p = make("ended", (struct zpipe_create_args){
		.capacity = 16384, .pool_fd = -1, .flags = ZPIPE_F_GUARDED });
	struct zpipe_complete_args done = { 0 };

	need(!ioctl(p.out_writer_fd, ZPIPE_IOC_COMPLETE, &done), "COMPLETE");
	done = (struct zpipe_complete_args){ .error = EPROTO };
	need(!ioctl(p.out_reader_fd, ZPIPE_IOC_COMPLETE, &done), "COMPLETE");
}

/* Published 20011 bytes by its shared word alone: nobody has told the kernel. */
static void make_mapped(void)
{
	const struct zpipe_create_args p = make("mapped", (struct zpipe_create_args){
		.capacity = 65536, .pool_fd = -1 });
	struct zpipe_alloc_args grant = { .min = 1, .want = 32768 };
	struct zpipe_info_args info = { 0 };
	char *page;

	need(!ioctl(p.out_writer_fd, ZPIPE_IOC_ALLOC, &grant), "ALLOC");
	need(grant.out_length >= 4096, "a grant");
	grant = (struct zpipe_alloc_args){ .min = 20011, .want = 20011 };
	need(!ioctl(p.out_writer_fd, ZPIPE_IOC_ALLOC, &grant), "ALLOC");
	need(!ioctl(p.out_writer_fd, ZPIPE_IOC_INFO, &info), "INFO");
	page = mmap(NULL, info.out_writer.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    p.out_writer_fd, (off_t)info.out_writer.offset);
	need(page != MAP_FAILED, "mmap");
	__atomic_store_n((uint64_t *)(void *)(page + info.out_published_at), 20011,
			 __ATOMIC_RELEASE);
}

/* 3 handles on 4099 bytes, and a buffer of 1009. */
static void make_preserved(void)
{
	const struct zpipe_create_args p = make("kept", (struct zpipe_create_args){
		.capacity = 65536, .pool_fd = -1 });
	static const uint64_t lengths[] = { 1009, 1091, 1999 };
	struct zpipe_export_args export = { 0 };

	put(p.out_writer_fd, 10007);
	for (size_t i = 0; i < 3; i++) {
		struct zpipe_preserve_args preserve = { .position = i * 2003,
							.length = lengths[i] };

		need(!ioctl(p.out_reader_fd, ZPIPE_IOC_PRESERVE, &preserve), "PRESERVE");
		if (!i)
			export.handle = preserve.out_handle;
	}
	need(!ioctl(p.out_reader_fd, ZPIPE_IOC_EXPORT, &export), "EXPORT");
	show("buffer", export.out_fd, p.out_id);
}

/* 13 segments of a page, and a pipe in it that holds 5 of them. */
static void make_pool(void)
{
	struct zpipe_pool_create_args pool = { .segment_size = 4096, .segments = 13,
					       .idle = ZPIPE_POOL_IDLE };
	struct zpipe_create_args p = { .capacity = 32768 };

	need(!ioctl(device, ZPIPE_IOC_POOL_CREATE, &pool), "POOL_CREATE");
	show("pool", pool.out_fd, pool.out_id);
	p.pool_fd = pool.out_fd;
	p = make("pooled", p);
	put(p.out_writer_fd, 17497);
}

/* Of three readers one was detached, one has finished; 12007 bytes, 2001 of them held. */
static void make_outrun(void)
{
	const struct zpipe_create_args p = make("outrun", (struct zpipe_create_args){
		.capacity = 8192, .segment_size = 4096, .pool_fd = -1 });
	struct zpipe_complete_args done = { 0 };
	struct zpipe_tee_args slow = { .flags = ZPIPE_TEE_F_DETACH }, over = { 0 };

	need(!ioctl(p.out_reader_fd, ZPIPE_IOC_TEE, &slow), "TEE");
	show("outrun.slow", slow.out_fd, p.out_id);
	need(!ioctl(p.out_reader_fd, ZPIPE_IOC_TEE, &over), "TEE");
	show("outrun.over", over.out_fd, p.out_id);
	need(!ioctl(over.out_fd, ZPIPE_IOC_COMPLETE, &done), "COMPLETE");
	for (size_t i = 0; i < 3; i++) {
		put(p.out_writer_fd, i < 2 ? 5003 : 12007 - 2 * 5003);
		if (i < 2)
			take(p.out_reader_fd, 5003);
	}
}

/* holder many N: so many pipes and nothing else. */
static void make_many(long nr)
{
	struct zpipe_create_args args;

	for (long i = 0; i < nr; i++) {
		args = (struct zpipe_create_args){ .capacity = 4096, .pool_fd = -1 };
		need(!ioctl(device, ZPIPE_IOC_CREATE, &args), "CREATE");
	}
	printf("many %d %ld\n", getpid(), nr);
}

int main(int argc, char **argv)
{
	char byte;

	prctl(PR_SET_NAME, "hol\"d\\er");
	device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);
	need(device >= 0, "/dev/zpipe");
	if (argc == 3 && !strcmp(argv[1], "many")) {
		make_many(strtol(argv[2], NULL, 10));
	} else {
		make_stream();
		make_paused();
		make_ended();
		make_mapped();
		make_preserved();
		make_pool();
		make_outrun();
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
