// SPDX-License-Identifier: MIT
/*
 * map - from an fd of unknown origin to mapped regions
 *
 * An fd may have been received from anybody. INFO says what it is; nothing is
 * mapped, and no offset is used, before everything INFO said was found to make
 * sense: magic, version, role, sizes, and that each shared word lies aligned
 * inside its region. After that the rest of the library need not check again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/* Of the magic: the last byte is the generation of the whole interface. */
#define MAGIC_GENERATION	0xffULL

/* Pipe flags whose rules this library knows. */
#define KNOWN_FLAGS		(ZPIPE_F_CONTIG | ZPIPE_F_NONBLOCK | ZPIPE_F_GUARDED | \
				 ZPIPE_F_POSTED)

/* Polls before sleeping, where another CPU may answer meanwhile. */
#define DEFAULT_SPIN		500

static bool is_pow2(uint64_t n)
{
	return n && !(n & (n - 1));
}

static bool region_ok(const struct zpipe_region *region, size_t page_size)
{
	if (!region->size || region->size > SIZE_MAX / 4)
		return false;
	if ((region->offset | region->size) & (page_size - 1))
		return false;
	return region->offset <= (uint64_t)INT64_MAX - region->size;
}

static bool word_ok(const struct zpipe_region *region, uint32_t at, uint32_t size)
{
	return !(at & (size - 1)) && at < region->size && region->size - at >= size;
}

static bool words_ok(const struct zpipe_info_args *info)
{
	const struct zpipe_region *state = &info->out_state;
	uint64_t table;

	if (!is_pow2(info->out_table_entries) || info->out_table_entries < 2)
		return false;
	table = (uint64_t)info->out_table_entries * sizeof(struct zpipe_descriptor);
	if (info->out_table_at & (sizeof(uint64_t) - 1) || info->out_table_at >= state->size ||
	    state->size - info->out_table_at < table)
		return false;

	return word_ok(state, info->out_opened_at, 8) &&
	       word_ok(state, info->out_granted_at, 8) &&
	       word_ok(state, info->out_reader_wake_at, 8) &&
	       word_ok(state, info->out_pause_at, 8) &&
	       word_ok(state, info->out_writer_wake_examined_at, 8) &&
	       word_ok(state, info->out_writer_wake_consumed_at, 8) &&
	       word_ok(state, info->out_reader_events_at, 4) &&
	       word_ok(state, info->out_sole_reader_at, 4) &&
	       word_ok(&info->out_writer, info->out_published_at, 8) &&
	       word_ok(&info->out_reader, info->out_examined_at, 8) &&
	       word_ok(&info->out_reader, info->out_consumed_at, 8) &&
	       info->out_examined_at != info->out_consumed_at;
}

/* Does what INFO answered describe a pipe that this library can map? */
int zp_map_check(const struct zpipe_info_args *info, size_t page_size)
{
	if ((info->out_magic ^ ZPIPE_MAGIC) & ~MAGIC_GENERATION)
		return -EPROTO;
	if (info->out_magic != ZPIPE_MAGIC || info->out_flags & ~KNOWN_FLAGS)
		return -EPROTONOSUPPORT;
	if (!info->out_version)
		return -EPROTO;
	/* that is for zp_buffer_open() */
	if (info->out_role == ZPIPE_ROLE_BUFFER)
		return -EBADF;
	if (info->out_role != ZPIPE_ROLE_WRITER && info->out_role != ZPIPE_ROLE_READER)
		return -EPROTO;

	if (!region_ok(&info->out_state, page_size) || !region_ok(&info->out_writer, page_size) ||
	    !region_ok(&info->out_reader, page_size) || !region_ok(&info->out_data, page_size))
		return -EPROTO;
	if (!is_pow2(info->out_segment_size) || info->out_segment_size & (page_size - 1) ||
	    !info->out_nr_segments)
		return -EPROTO;
	if (info->out_window != (uint64_t)info->out_segment_size * info->out_nr_segments ||
	    info->out_window != info->out_data.size || !info->out_capacity ||
	    info->out_capacity > info->out_window)
		return -EPROTO;
	/* none, or as large as the window */
	if (info->out_spare.size && (!region_ok(&info->out_spare, page_size) ||
				     info->out_spare.size != info->out_window))
		return -EPROTO;
	if (!words_ok(info))
		return -EPROTO;

	if (info->out_consumed > info->out_examined || info->out_examined > info->out_published ||
	    info->out_published > info->out_granted ||
	    info->out_granted - info->out_consumed > info->out_window)
		return -EPROTO;
	return 0;
}

/* Ask an fd what it is; the answer is not checked. */
int zp_map_ask(int fd, struct zpipe_info_args *info)
{
	int ret;

	*info = (struct zpipe_info_args){ 0 };
	ret = zp_sys_info(fd, info);
	switch (ret) {
	case -ENOTTY:
	case -EINVAL:
	case -EOPNOTSUPP:
	case -EPERM:
		/* what files say that are not ours */
		return -EBADF;
	default:
		return ret > 0 ? -EPROTO : ret;
	}
}

/* Ask an fd what it is, and believe it only if it makes sense. */
int zp_map_info(int fd, struct zpipe_info_args *info)
{
	int ret = zp_map_ask(fd, info);

	return ret ? ret : zp_map_check(info, (size_t)sysconf(_SC_PAGESIZE));
}

static void *map_region(int fd, const struct zpipe_region *region, bool writable)
{
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;

	return mmap(NULL, (size_t)region->size, prot, MAP_SHARED, fd, (off_t)region->offset);
}

/* All that map_window() maps. */
static size_t window_size(const struct zpipe_info_args *info)
{
	return 2 * (size_t)info->out_data.size + (size_t)info->out_spare.size;
}

/*
 * Twice, back to back: a run of bytes that wraps is still one piece. Behind
 * that the spare region, so that every offset is one from the first byte.
 */
static void *map_window(int fd, const struct zpipe_info_args *info, bool writable)
{
	const struct zpipe_region *parts[] = { &info->out_data, &info->out_data, &info->out_spare };
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	size_t size = (size_t)info->out_data.size;
	unsigned char *base;
	size_t i;

	base = mmap(NULL, window_size(info), PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return MAP_FAILED;
	for (i = 0; i < 3; i++) {
		if (parts[i]->size &&
		    mmap(base + i * size, (size_t)parts[i]->size, prot, MAP_SHARED | MAP_FIXED, fd,
			 (off_t)parts[i]->offset) == MAP_FAILED) {
			int saved = errno;

			munmap(base, window_size(info));
			errno = saved;
			return MAP_FAILED;
		}
	}
	return base;
}

int zp_map_open(struct zp_map *map, int fd, uint32_t role, uint32_t flags)
{
	const struct zpipe_info_args *info = &map->info;
	bool writer = role == ZPIPE_ROLE_WRITER, guarded;
	void *state, *cursors[2], *data;
	int status, ret;

	if (flags & ~(uint32_t)ZP_KEEP_FD)
		return -EINVAL;
	ret = zp_map_info(fd, &map->info);
	if (ret)
		return ret;
	if (info->out_role != role)
		return -EBADF;
	guarded = info->out_flags & ZPIPE_F_GUARDED;
	status = fcntl(fd, F_GETFL);
	if (status < 0)
		return -errno;

	state = map_region(fd, &info->out_state, false);
	if (state == MAP_FAILED)
		return -errno;
	cursors[0] = map_region(fd, &info->out_writer, writer && !guarded);
	if (cursors[0] == MAP_FAILED) {
		ret = -errno;
		goto err_unmap_state;
	}
	cursors[1] = map_region(fd, &info->out_reader, !writer && !guarded);
	if (cursors[1] == MAP_FAILED) {
		ret = -errno;
		goto err_unmap_writer;
	}
	data = map_window(fd, info, writer);
	if (data == MAP_FAILED) {
		ret = -errno;
		goto err_unmap_reader;
	}

	map->fd = fd;
	map->keep_fd = flags & ZP_KEEP_FD;
	map->nonblock = status & O_NONBLOCK;
	map->guarded = guarded;
	map->state = state;
	map->writer = cursors[0];
	map->reader = cursors[1];
	map->data = data;
	return 0;

err_unmap_reader:
	munmap(cursors[1], (size_t)info->out_reader.size);
err_unmap_writer:
	munmap(cursors[0], (size_t)info->out_writer.size);
err_unmap_state:
	munmap(state, (size_t)info->out_state.size);
	return ret;
}

void zp_map_close(struct zp_map *map)
{
	munmap(map->data, window_size(&map->info));
	munmap(map->reader, (size_t)map->info.out_reader.size);
	munmap(map->writer, (size_t)map->info.out_writer.size);
	munmap(map->state, (size_t)map->info.out_state.size);
	if (!map->keep_fd)
		close(map->fd);
}

/* Spinning is for a peer that runs now: on another CPU, and one that is waited for. */
unsigned int zp_map_spin(const struct zp_map *map, int32_t wish)
{
	if (wish)
		return wish > 0 ? (unsigned int)wish : 0;
	if (map->nonblock)
		return 0;
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? DEFAULT_SPIN : 0;
}

/* Pages of one region, at most to its end. */
static int map_part(const struct zp_map *map, unsigned char *at, uint64_t from, size_t size)
{
	uint64_t window = map->info.out_data.size;
	const struct zpipe_region *region = &map->info.out_data;

	if (from >= 2 * window) {
		region = &map->info.out_spare;
		from -= 2 * window;
	} else if (from >= window) {
		from -= window;
	}
	if (mmap(at, size, PROT_READ, MAP_SHARED | MAP_FIXED, map->fd,
		 (off_t)(region->offset + from)) == MAP_FAILED)
		return -errno;
	return 0;
}

/*
 * The pages from @from on, counted as in the mapping of the window, at another address
 * as well; they may go over the end of the window. Both are multiples of a page.
 */
int zp_map_again(const struct zp_map *map, unsigned char *at, uint64_t from, size_t size)
{
	uint64_t window = map->info.out_data.size;
	size_t first = size;
	int ret;

	if (from < window && from + size > window)
		first = (size_t)(window - from);
	ret = map_part(map, at, from, first);
	if (!ret && first < size)
		ret = map_part(map, at + first, window, size - first);
	return ret;
}
