// SPDX-License-Identifier: MIT
/*
 * remap - a view in one piece, by mapping its pieces next to each other
 *
 * The kernel lets a reader map any part of the window as often as it likes, and takes
 * pages away from all mappings at once. So what the second mapping shows is as good,
 * and as long good, as the first.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/* Bytes from the start of the reader's mapping on; all ones if it does not lie in it. */
static uint64_t offset_of(const struct zp_map *map, const void *data, size_t len)
{
	uint64_t offset = (uint64_t)((uintptr_t)data - (uintptr_t)map->data);
	uint64_t size = 2 * map->info.out_data.size + map->info.out_spare.size;

	if ((uintptr_t)data < (uintptr_t)map->data || offset > size || len > size - offset)
		return UINT64_MAX;
	return offset;
}

/* How many bytes of pages the view takes: 0 if its pieces do not meet at borders of pages. */
static size_t measure(const struct zp_map *map, const struct zp_view *view, uint64_t mask)
{
	uint64_t size = 0;
	uint32_t i;

	for (i = 0; i < view->nr_spans; i++) {
		size_t len;
		const void *data = zp_view_span(view, i, &len);
		uint64_t offset = offset_of(map, data, len);

		if (offset == UINT64_MAX || (i && offset & mask) ||
		    (i < view->nr_spans - 1 && (offset + len) & mask))
			return 0;
		size += ((offset & mask) + len + mask) & ~mask;
	}
	return size <= SIZE_MAX / 2 ? (size_t)size : 0;
}

/* Addresses without memory, as many as are needed. */
static int reserve(struct zp_remap *remap, size_t size)
{
	void *memory;

	if (remap->size >= size)
		return 0;
	memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	zp_remap_free(&(struct zp_remap){ .memory = remap->memory, .size = remap->size });
	remap->memory = memory;
	remap->size = size;
	return 0;
}

int zp_remap(struct zp_reader *r, struct zp_view *view, struct zp_remap *remap)
{
	const struct zp_chain *chain;
	const struct zp_map *map = zp_reader_map(r, &chain);
	uint64_t mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;
	uint64_t skip;
	unsigned char *at;
	size_t size;
	uint32_t i;
	int ret;

	if (view->nr_spans <= 1)
		return 0;
	size = measure(map, view, mask);
	if (!size)
		return -EINVAL;
	ret = reserve(remap, size);
	at = remap->memory;
	skip = offset_of(map, view->first.data, view->first.len) & mask;
	for (i = 0; i < view->nr_spans && !ret; i++) {
		size_t len;
		const void *data = zp_view_span(view, i, &len);
		uint64_t offset = offset_of(map, data, len);
		size_t part = (size_t)(((offset & mask) + len + mask) & ~mask);

		ret = zp_map_again(map, at, offset & ~mask, part);
		at += part;
	}
	if (ret)
		return ret;
	remap->used = size;
	remap->maps++;
	remap->mapped += zp_view_len(view);
	view->nr_spans = 1;
	view->first.data = (unsigned char *)remap->memory + skip;
	view->first.len = (size_t)zp_view_len(view);
	return 0;
}

void zp_remap_free(struct zp_remap *remap)
{
	if (remap->memory)
		munmap(remap->memory, remap->size);
	*remap = (struct zp_remap){ 0 };
}
