/* SPDX-License-Identifier: MIT */
/*
 * raw - an end without the library: ioctls, and the regions it may map
 */
#ifndef ZPIPE_TESTS_RAW_H
#define ZPIPE_TESTS_RAW_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/zpipe.h>

/* Its window is mapped once: a byte that lies behind the end lies at the beginning. */
struct raw_end {
	int fd;
	struct zpipe_info_args info;
	unsigned char *data;
	const unsigned char *writer;
};

static inline int raw_call(int fd, unsigned long cmd, void *args)
{
	return ioctl(fd, cmd, args) < 0 ? -errno : 0;
}

static inline int raw_open(struct raw_end *e, int fd, bool writer)
{
	int prot = writer ? PROT_READ | PROT_WRITE : PROT_READ, ret;

	*e = (struct raw_end){ .fd = fd };
	ret = raw_call(fd, ZPIPE_IOC_INFO, &e->info);
	if (ret)
		return ret;
	e->data = mmap(NULL, (size_t)e->info.out_window, prot, MAP_SHARED, fd,
		       (off_t)e->info.out_data.offset);
	e->writer = mmap(NULL, (size_t)e->info.out_writer.size, PROT_READ, MAP_SHARED, fd,
			 (off_t)e->info.out_writer.offset);
	return e->data == MAP_FAILED || e->writer == MAP_FAILED ? -errno : 0;
}

static inline void raw_unmap(struct raw_end *e)
{
	munmap(e->data, (size_t)e->info.out_window);
	munmap((void *)(uintptr_t)e->writer, (size_t)e->info.out_writer.size);
}

static inline unsigned char *raw_at(const struct raw_end *e, uint64_t offset)
{
	return e->data + offset % e->info.out_window;
}

/* The shared word, which no call of this process makes the kernel look at. */
static inline uint64_t raw_published(const struct raw_end *e)
{
	const unsigned char *word = e->writer + e->info.out_published_at;

	return __atomic_load_n((const uint64_t *)(const void *)word, __ATOMIC_ACQUIRE);
}

#endif /* ZPIPE_TESTS_RAW_H */
