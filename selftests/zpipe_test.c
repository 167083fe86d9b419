// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpipe_test - the calls and the mapped ends of the zpipe selftests
 *
 * Anything here that goes wrong outside of what a test asked for ends the test at once, with a line
 * that says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zpipe_test.h"

void zt_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("# zpipe_test: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

/* Where the outputs of a verb begin; they reach to its end. */
static size_t first_output(unsigned int nr, size_t size)
{
	switch (nr) {
	case ZPIPE_NR_CREATE:
		return offsetof(struct zpipe_create_args, out_writer_fd);
	case ZPIPE_NR_INFO:
		return offsetof(struct zpipe_info_args, out_role);
	case ZPIPE_NR_STAT:
		return offsetof(struct zpipe_stat_args, out_granted);
	case ZPIPE_NR_ALLOC:
		return offsetof(struct zpipe_alloc_args, out_flags);
	case ZPIPE_NR_FLUSH:
		return offsetof(struct zpipe_flush_args, out_flags);
	case ZPIPE_NR_READ:
		return offsetof(struct zpipe_read_args, out_start);
	case ZPIPE_NR_ADVANCE:
		return offsetof(struct zpipe_advance_args, out_flags);
	case ZPIPE_NR_RESET:
		return offsetof(struct zpipe_reset_args, out_generation);
	case ZPIPE_NR_POOL_CREATE:
		return offsetof(struct zpipe_pool_create_args, out_fd);
	case ZPIPE_NR_FORWARD:
		return offsetof(struct zpipe_forward_args, out_flags);
	case ZPIPE_NR_PRESERVE:
		return offsetof(struct zpipe_preserve_args, out_handle);
	case ZPIPE_NR_EXPORT:
		return offsetof(struct zpipe_export_args, out_fd);
	case ZPIPE_NR_UNPOST:
		return offsetof(struct zpipe_unpost_args, out_cookie);
	case ZPIPE_NR_TEE:
		return offsetof(struct zpipe_tee_args, out_fd);
	default:
		return size;
	}
}

static __u32 result_flags(unsigned int nr, const void *args)
{
	switch (nr) {
	case ZPIPE_NR_ALLOC:
		return ((const struct zpipe_alloc_args *)args)->out_flags;
	case ZPIPE_NR_FLUSH:
		return ((const struct zpipe_flush_args *)args)->out_flags;
	case ZPIPE_NR_READ:
		return ((const struct zpipe_read_args *)args)->out_flags;
	case ZPIPE_NR_FORWARD:
		return ((const struct zpipe_forward_args *)args)->out_flags;
	case ZPIPE_NR_ADVANCE:
		return ((const struct zpipe_advance_args *)args)->out_flags;
	default:
		return 0;
	}
}

int zt_ioctl(int fd, unsigned long cmd, void *args)
{
	size_t size = _IOC_SIZE(cmd), outputs = first_output(_IOC_NR(cmd), size);
	unsigned char before[512];
	int ret;

	if (size > sizeof(before))
		zt_die("struct of %zu bytes", size);
	memset((unsigned char *)args + outputs, ZT_POISON, size - outputs);
	memcpy(before, args, size);
	ret = ioctl(fd, cmd, args) ? -errno : 0;
	if (ret && memcmp(before, args, size))
		zt_die("refused call %#x (%s) changed its struct", (unsigned int)_IOC_NR(cmd),
		       strerror(-ret));
	if (memcmp(before, args, outputs))
		zt_die("call %#x changed its inputs", (unsigned int)_IOC_NR(cmd));
	if (!ret && (result_flags(_IOC_NR(cmd), args) & ~ZT_ALL_RES))
		zt_die("call %#x answered unknown flags", (unsigned int)_IOC_NR(cmd));
	return ret;
}

int zt_create(struct zpipe_create_args *args)
{
	int fd = open(ZT_DEVICE, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = zt_ioctl(fd, ZPIPE_IOC_CREATE, args);
	close(fd);
	return ret;
}

/* A pool's fd, or -errno. */
int zt_pool(__u32 segment, __u32 segments, __u32 idle)
{
	struct zpipe_pool_create_args args = {
		.segment_size = segment, .segments = segments, .idle = idle,
	};
	int fd = open(ZT_DEVICE, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = zt_ioctl(fd, ZPIPE_IOC_POOL_CREATE, &args);
	close(fd);
	return ret ? ret : args.out_fd;
}

struct zpipe_pool_stat_args zt_pool_stat(int pool)
{
	struct zpipe_pool_stat_args args = { 0 };
	int ret = zt_ioctl(pool, ZPIPE_IOC_POOL_STAT, &args);

	if (ret)
		zt_die("STAT of a pool: %s", strerror(-ret));
	return args;
}

int zt_alloc(struct zt_end *w, __u64 position, __u64 min, __u64 want, struct zpipe_alloc_args *out)
{
	*out = (struct zpipe_alloc_args){ .position = position,
					  .min = min,
					  .want = want,
					  .flags = ZPIPE_ALLOC_F_NOWAIT };
	return zt_ioctl(w->fd, ZPIPE_IOC_ALLOC, out);
}

int zt_flush(struct zt_end *w, __u64 position, __u32 flags, struct zpipe_flush_args *out)
{
	struct zpipe_flush_args unused;

	if (!out)
		out = &unused;
	*out = (struct zpipe_flush_args){ .position = position,
					  .flags = flags | ZPIPE_FLUSH_F_NOWAIT };
	return zt_ioctl(w->fd, ZPIPE_IOC_FLUSH, out);
}

int zt_forward(struct zt_end *w, const struct zt_end *source, __u64 from, __u64 len,
	       __u64 position, struct zpipe_forward_args *out)
{
	struct zpipe_forward_args unused;

	if (!out)
		out = &unused;
	*out = (struct zpipe_forward_args){ .source_fd = source->fd,
					    .flags = ZPIPE_FORWARD_F_NOWAIT,
					    .source = from,
					    .length = len,
					    .position = position };
	return zt_ioctl(w->fd, ZPIPE_IOC_FORWARD, out);
}

int zt_read(struct zt_end *r, __u64 min, __u32 flags, struct zt_view *out)
{
	memset(out->spans, ZT_POISON, sizeof(out->spans));
	out->args = (struct zpipe_read_args){ .min = min,
					      .flags = flags | ZPIPE_READ_F_NOWAIT,
					      .nr_spans = ZT_SPANS,
					      .spans = (uintptr_t)out->spans };
	return zt_ioctl(r->fd, ZPIPE_IOC_READ, &out->args);
}

int zt_advance(struct zt_end *r, __u64 consumed, __u64 examined)
{
	struct zpipe_advance_args args = { .consumed = consumed, .examined = examined };

	return zt_ioctl(r->fd, ZPIPE_IOC_ADVANCE, &args);
}

int zt_complete(struct zt_end *e, int error, __u32 flags, __u64 position)
{
	struct zpipe_complete_args args = { .error = error, .flags = flags, .position = position };

	return zt_ioctl(e->fd, ZPIPE_IOC_COMPLETE, &args);
}

int zt_cancel(struct zt_end *e, __u32 what)
{
	struct zpipe_cancel_args args = { .what = what };

	return zt_ioctl(e->fd, ZPIPE_IOC_CANCEL, &args);
}

int zt_set(struct zt_end *e, __u64 pause, __u64 resume)
{
	struct zpipe_set_args args = { .pause = pause, .resume = resume };

	return zt_ioctl(e->fd, ZPIPE_IOC_SET, &args);
}

int zt_reset(struct zt_end *e, struct zpipe_reset_args *out)
{
	struct zpipe_reset_args unused;

	if (!out)
		out = &unused;
	*out = (struct zpipe_reset_args){ .flags = 0 };
	return zt_ioctl(e->fd, ZPIPE_IOC_RESET, out);
}

int zt_tee(int fd, __u32 flags, struct zpipe_tee_args *out)
{
	*out = (struct zpipe_tee_args){ .flags = flags };
	return zt_ioctl(fd, ZPIPE_IOC_TEE, out);
}

int zt_preserve(struct zt_end *r, __u64 position, __u64 len, struct zt_kept *out)
{
	int ret;

	memset(out->spans, ZT_POISON, sizeof(out->spans));
	out->args = (struct zpipe_preserve_args){ .position = position,
						  .length = len,
						  .nr_spans = ZT_SPANS,
						  .spans = (uintptr_t)out->spans };
	ret = zt_ioctl(r->fd, ZPIPE_IOC_PRESERVE, &out->args);
	out->handle = ret ? 0 : out->args.out_handle;
	return ret;
}

int zt_release(struct zt_end *r, __u64 handle)
{
	struct zpipe_release_args args = { .handle = handle };

	return zt_ioctl(r->fd, ZPIPE_IOC_RELEASE, &args);
}

/* The buffer's fd, or -errno. */
int zt_export(struct zt_end *r, __u64 handle)
{
	struct zpipe_export_args args = { .handle = handle };
	int ret = zt_ioctl(r->fd, ZPIPE_IOC_EXPORT, &args);

	return ret ? ret : args.out_fd;
}

int zt_info(int fd, struct zpipe_info_args *out)
{
	*out = (struct zpipe_info_args){ .flags = 0 };
	return zt_ioctl(fd, ZPIPE_IOC_INFO, out);
}

struct zpipe_stat_args zt_stat(const struct zt_end *e)
{
	struct zpipe_stat_args args = { .flags = 0 };
	int ret = zt_ioctl(e->fd, ZPIPE_IOC_STAT, &args);

	if (ret)
		zt_die("STAT: %s", strerror(-ret));
	return args;
}

static unsigned char *map_region(int fd, const struct zpipe_region *region, int prot, int times)
{
	size_t size = region->size;
	unsigned char *base = mmap(NULL, size * times, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				   0);
	int i;

	if (base == MAP_FAILED)
		return NULL;
	for (i = 0; i < times; i++) {
		if (mmap(base + i * size, size, prot, MAP_SHARED | MAP_FIXED, fd,
			 region->offset) == MAP_FAILED) {
			int saved = errno;

			munmap(base, size * times);
			errno = saved;
			return NULL;
		}
	}
	return base;
}

/* The window twice, and the spare region behind it. */
static unsigned char *map_data(const struct zt_end *e, int prot)
{
	size_t size = e->info.out_data.size, spare = e->info.out_spare.size;
	unsigned char *base = mmap(NULL, 2 * size + spare, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	int i;

	if (base == MAP_FAILED)
		return NULL;
	for (i = 0; i < 3; i++) {
		size_t length = i < 2 ? size : spare;

		if (length && mmap(base + i * size, length, prot, MAP_SHARED | MAP_FIXED, e->fd,
				   i < 2 ? e->info.out_data.offset : e->info.out_spare.offset) ==
				      MAP_FAILED) {
			int saved = errno;

			munmap(base, 2 * size + spare);
			errno = saved;
			return NULL;
		}
	}
	return base;
}

int zt_end_map(struct zt_end *e, int fd)
{
	int both = PROT_READ | PROT_WRITE, ret;
	bool writer, guarded;

	*e = (struct zt_end){ .fd = fd };
	ret = zt_info(fd, &e->info);
	if (ret)
		return ret;
	writer = e->info.out_role == ZPIPE_ROLE_WRITER;
	guarded = e->info.out_flags & ZPIPE_F_GUARDED;
	e->state = map_region(fd, &e->info.out_state, PROT_READ, 1);
	e->writer = map_region(fd, &e->info.out_writer,
			       writer && !guarded ? both : PROT_READ, 1);
	e->reader = map_region(fd, &e->info.out_reader,
			       writer || guarded ? PROT_READ : both, 1);
	e->data = map_data(e, writer ? both : PROT_READ);
	if (!e->state || !e->writer || !e->reader || !e->data) {
		ret = -errno;
		zt_end_unmap(e);
	}
	return ret;
}

void zt_end_unmap(struct zt_end *e)
{
	if (e->state)
		munmap(e->state, e->info.out_state.size);
	if (e->writer)
		munmap(e->writer, e->info.out_writer.size);
	if (e->reader)
		munmap(e->reader, e->info.out_reader.size);
	if (e->data)
		munmap(e->data, 2 * e->info.out_data.size + e->info.out_spare.size);
	e->state = NULL;
	e->writer = NULL;
	e->reader = NULL;
	e->data = NULL;
}

void zt_end_close(struct zt_end *e)
{
	zt_end_unmap(e);
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

int zt_pipe_open(struct zt_pipe *p, struct zpipe_create_args *args)
{
	int ret;

	*p = (struct zt_pipe){ .w.fd = -1, .r.fd = -1 };
	ret = zt_create(args);
	if (ret)
		return ret;
	p->id = args->out_id;
	ret = zt_end_map(&p->w, args->out_writer_fd);
	if (!ret)
		ret = zt_end_map(&p->r, args->out_reader_fd);
	return ret;
}

void zt_pipe_close(struct zt_pipe *p)
{
	zt_end_close(&p->w);
	zt_end_close(&p->r);
}

struct zpipe_descriptor zt_entry(const struct zt_end *e, __u64 index)
{
	size_t at = e->info.out_table_at + (index & (e->info.out_table_entries - 1)) *
		    sizeof(struct zpipe_descriptor);

	return (struct zpipe_descriptor){
		.start = zt_load(e->state, at + offsetof(struct zpipe_descriptor, start)),
		.offset = zt_load(e->state, at + offsetof(struct zpipe_descriptor, offset)),
	};
}

__u32 zt_events(const struct zt_end *e)
{
	return __atomic_load_n((const __u32 *)(const void *)(e->state +
							     e->info.out_reader_events_at),
			       __ATOMIC_ACQUIRE);
}
