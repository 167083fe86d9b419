/* SPDX-License-Identifier: MIT */
/*
 * internal - what the files of libzpipe share
 *
 * Four layers, each using only those above it: raw calls (sys.c), the mapping
 * of an fd (map.c), the chain of descriptors in it (chain.c, pure), and the
 * two handles (writer.c, reader.c). A handle begins with the public struct
 * that the inline functions use; what follows here may grow.
 *
 * Trust: the kernel is believed once INFO was checked, though nothing it
 * answers is used as an index or a length without a look. Words that the
 * peer's process writes (the other cursor page) are hints: read once, bounded
 * by the kernel's words, then used.
 */
#ifndef ZPIPE_INTERNAL_H
#define ZPIPE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <linux/zpipe.h>

#include "zpipe.h"

#define ZP_MAX(a, b)	((a) > (b) ? (a) : (b))
#define ZP_MIN(a, b)	((a) < (b) ? (a) : (b))

/* Every raw call returns 0, or what the kernel returned, or a negative errno. */
int zp_sys_pool_create(int fd, struct zpipe_pool_create_args *args);
int zp_sys_pool_stat(int fd, struct zpipe_pool_stat_args *args);
int zp_sys_forward(int fd, struct zpipe_forward_args *args);
int zp_sys_create(int fd, struct zpipe_create_args *args);
int zp_sys_info(int fd, struct zpipe_info_args *args);
int zp_sys_stat(int fd, struct zpipe_stat_args *args);
int zp_sys_alloc(int fd, struct zpipe_alloc_args *args);
int zp_sys_flush(int fd, struct zpipe_flush_args *args);
int zp_sys_read(int fd, struct zpipe_read_args *args);
int zp_sys_advance(int fd, struct zpipe_advance_args *args);
int zp_sys_complete(int fd, struct zpipe_complete_args *args);
int zp_sys_cancel(int fd, struct zpipe_cancel_args *args);
int zp_sys_set(int fd, struct zpipe_set_args *args);
int zp_sys_preserve(int fd, struct zpipe_preserve_args *args);
int zp_sys_release(int fd, struct zpipe_release_args *args);
int zp_sys_export(int fd, struct zpipe_export_args *args);
int zp_sys_tee(int fd, struct zpipe_tee_args *args);
int zp_sys_post(int fd, struct zpipe_post_args *args);
int zp_sys_unpost(int fd, struct zpipe_unpost_args *args);
int zp_sys_reset(int fd, struct zpipe_reset_args *args);

/* writer.c, reader.c: for forward.c */
uint64_t zp_writer_capacity(const struct zp_writer *w);
void zp_writer_skip(struct zp_writer *w, uint64_t position);
void zp_reader_forwarded(struct zp_reader *r, uint64_t n);

/* view.c: what zp_view_copy() has copied in this process */
uint64_t zp_view_copied(void);

/**
 * struct zp_place - a byte of a view
 * @position: its stream position
 * @offset: in its span
 * @span: which that is
 */
struct zp_place {
	uint64_t position;
	size_t offset;
	uint32_t span;
};

/* view.c: zp_view_find() that tells where, and a cut there that need not look again */
int zp_view_locate(const struct zp_view *view, uint64_t from, const void *needle, size_t n,
		   struct zp_place *place);
void zp_view_divide(const struct zp_view *view, const struct zp_place *place,
		    struct zp_view *front, struct zp_view *back);

/* pipe.c: the part of @stats that the kernel has counted, and its way out */
int zp_stats_finish(int fd, uint32_t role, struct zp_stats *stats, struct zp_stats *to);

/**
 * struct zp_reserved - what zp_alloc_iov() has taken
 * @start: committed position then
 * @last: start of the last piece
 * @end: end of it; 0 for no reservation
 * @bias: address of a position in it is @bias + position
 */
struct zp_reserved {
	uint64_t start;
	uint64_t last;
	uint64_t end;
	uintptr_t bias;
};

struct zp_map;

/* writer.c: for copy.c, reserve.c and duplex.c */
const struct zp_map *zp_writer_map(const struct zp_writer *w);
void zp_writer_own_fd(struct zp_writer *w);
struct zp_reserved *zp_writer_reserved(struct zp_writer *w);

/* pipe.c: wait for poll(2) events of a descriptor */
int zp_await(int fd, short events, uint64_t deadline);

/* fdpass.c: bytes and the descriptors that come with them, in one message */
int zp_fds_send(int sock, const void *data, size_t len, const int *fds, unsigned int nr);
int zp_fds_recv(int sock, void *data, size_t *len, int *fds, unsigned int *nr);

/* opts.c: structs that begin with their size */
int zp_opts_get(void *known, size_t known_size, const void *from);
int zp_opts_put(void *to, const void *known, size_t known_size);

/**
 * struct zp_map - an fd and the regions mapped from it
 * @fd: the end
 * @keep_fd: unmapping leaves it open
 * @nonblock: it had O_NONBLOCK when it was opened
 * @guarded: positions move by ioctl only, the words are read-only
 * @state: state region
 * @writer: writer region
 * @reader: reader region
 * @data: data window, mapped twice back to back, and the spare region behind
 * @info: the checked geometry
 */
struct zp_map {
	int fd;
	bool keep_fd;
	bool nonblock;
	bool guarded;
	unsigned char *state;
	unsigned char *writer;
	unsigned char *reader;
	unsigned char *data;
	struct zpipe_info_args info;
};

int zp_map_check(const struct zpipe_info_args *info, size_t page_size);
int zp_map_info(int fd, struct zpipe_info_args *info);
int zp_map_ask(int fd, struct zpipe_info_args *info);
int zp_map_open(struct zp_map *map, int fd, uint32_t role, uint32_t flags);
void zp_map_close(struct zp_map *map);
int zp_map_again(const struct zp_map *map, unsigned char *at, uint64_t from, size_t size);
unsigned int zp_map_spin(const struct zp_map *map, int32_t wish);

/* A shared word of a checked geometry. */
static inline uint64_t *zp_map_word(unsigned char *region, uint32_t at)
{
	return (uint64_t *)(void *)(region + at);
}

static inline uint64_t zp_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint64_t zp_load_acquire(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void zp_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" : : : "memory");
#else
	__asm__ __volatile__("" : : : "memory");
#endif
}

/**
 * struct zp_chain - where to find the descriptors
 * @table: in the state region
 * @mask: entries - 1
 * @opened: the shared word
 * @window: bytes
 * @segment: bytes of a segment
 * @spare: bytes of the spare segments, behind the second mapping
 * @data: the first of the two mappings
 */
struct zp_chain {
	const struct zpipe_descriptor *table;
	uint64_t mask;
	const uint64_t *opened;
	uint64_t window;
	uint64_t segment;
	uint64_t spare;
	unsigned char *data;
};

/**
 * struct zp_walk - a range of the stream and where it lies
 * @index: in: an entry at or before the one of the first byte, and not before
 *	the one of the last byte consumed; out: the one of the first byte
 * @nr_entries: out: entries the range lies in
 * @ends: room for mask + 1: where each of them ends; all ones if not known
 * @nr_spans: out
 * @spans: room for mask + 1
 */
struct zp_walk {
	uint64_t index;
	uint32_t nr_entries;
	uint32_t nr_spans;
	uint64_t *ends;
	struct zp_span *spans;
};

void zp_chain_init(struct zp_chain *chain, const struct zp_map *map);
bool zp_chain_has(const struct zp_chain *chain, uint64_t offset, uint64_t length);
int zp_chain_walk(const struct zp_chain *chain, uint64_t from, uint64_t to, struct zp_walk *walk);
uint64_t zp_walk_entry(const struct zp_walk *walk, uint64_t consumed);
int zp_view_fill(struct zp_view *view, struct zp_span *spans, const struct zpipe_span *from,
		 uint32_t nr, unsigned char *data);
/**
 * struct zp_kept - a preserved range
 * @fd: the reader
 * @handle: the kernel's
 * @view: of the range
 * @watched: debug: not released yet
 * @memory: debug: a mapping of its own
 * @size: debug: bytes of it
 * @spans: of the view
 */
struct zp_kept {
	int fd;
	uint64_t handle;
	struct zp_view view;
#ifdef ZP_DEBUG
	uint64_t watched;
	void *memory;
	size_t size;
#endif
	struct zp_span spans[];
};

#ifdef ZP_DEBUG
/* watch.c */
int zp_kept_watch(struct zp_kept *kept, const struct zp_map *map, const struct zpipe_span *pieces,
		  uint32_t nr);
void zp_kept_check(const struct zp_kept *kept, const char *call);
void zp_kept_free(struct zp_kept *kept);
#else
static inline int zp_kept_watch(struct zp_kept *kept, const struct zp_map *map,
				const struct zpipe_span *pieces, uint32_t nr)
{
	(void)kept;
	(void)map;
	(void)pieces;
	(void)nr;
	return 0;
}

static inline void zp_kept_check(const struct zp_kept *kept, const char *call)
{
	(void)kept;
	(void)call;
}

static inline void zp_kept_free(struct zp_kept *kept)
{
	free(kept);
}
#endif

const struct zp_map *zp_reader_map(struct zp_reader *r, const struct zp_chain **chain);
int zp_walk_init(struct zp_walk *walk, const struct zp_chain *chain);
void zp_walk_exit(struct zp_walk *walk);
int zp_chain_find(const struct zp_chain *chain, uint64_t position, uint64_t *index);
uint64_t zp_chain_open_start(const struct zp_chain *chain);

#endif /* ZPIPE_INTERNAL_H */
