/* SPDX-License-Identifier: MIT */
/*
 * raw.h - /dev/zpipe through its kernel interface alone, for the ends that use no library
 */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/zpipe.h>

struct raw_pipe {
	int writer, reader;
};

/* Default thresholds. 0 or -errno. */
static inline int raw_create(struct raw_pipe *pipe, uint64_t capacity, uint32_t flags)
{
	struct zpipe_create_args args = {
		.flags = flags, .capacity = capacity, .pool_fd = -1,
		.pause = ZPIPE_DEFAULT, .resume = ZPIPE_DEFAULT,
	};
	int device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);
	int err;

	if (device < 0)
		return -errno;
	err = ioctl(device, ZPIPE_IOC_CREATE, &args) ? -errno : 0;
	close(device);
	pipe->writer = args.out_writer_fd;
	pipe->reader = args.out_reader_fd;
	return err;
}

static inline void raw_close(const struct raw_pipe *pipe)
{
	close(pipe->writer);
	close(pipe->reader);
}

/* The data window twice, back to back, so that no span ever wraps. */
static inline unsigned char *raw_map(int fd, int prot)
{
	struct zpipe_info_args info = { 0 };
	unsigned char *window;

	if (ioctl(fd, ZPIPE_IOC_INFO, &info))
		return NULL;
	window = mmap(NULL, 2 * info.out_data.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (window == MAP_FAILED)
		return NULL;
	for (int half = 0; half < 2; half++)
		if (mmap(window + (uint64_t)half * info.out_data.size, info.out_data.size, prot,
			 MAP_SHARED | MAP_FIXED, fd, (off_t)info.out_data.offset) == MAP_FAILED)
			return NULL;
	return window;
}

static inline int raw_stat(int fd, struct zpipe_stat_args *stat)
{
	*stat = (struct zpipe_stat_args) { 0 };
	return ioctl(fd, ZPIPE_IOC_STAT, stat) ? -errno : 0;
}

static inline uint64_t raw_calls(const struct zpipe_stat_args *stat)
{
	return stat->out_allocs + stat->out_flushes + stat->out_reads + stat->out_advances;
}

#endif
