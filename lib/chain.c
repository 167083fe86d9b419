// SPDX-License-Identifier: MIT
/*
 * chain - from stream positions to memory, by way of the descriptor table
 *
 * Entry k says where the bytes from its start on lie; they end where entry
 * k + 1 starts. An entry is final once published is beyond its start, so a
 * walk steps into it only then, and takes its start for an end only when that
 * is no greater than the end of the walk, which is never beyond published
 * (rule R9 of the design; for the writer, who opens the entries itself, every
 * entry is final up to the committed position). Pure: it reads the table and
 * the caller's arguments, nothing else.
 *
 * An entry whose end is not beyond consumed may be written anew at any time: a
 * walk must not read it. So the caller remembers the ends it has seen and
 * begins at an entry that it did not consume to the end, as far as it knows;
 * and where that entry has ended meanwhile, exactly at the first byte wanted,
 * the walk finds out by looking at the next one first.
 *
 * The table is the kernel's, but offsets and lengths are held against the
 * window all the same before they become pointers, and the walk takes no more
 * steps than the table has entries.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

void zp_chain_init(struct zp_chain *chain, const struct zp_map *map)
{
	const struct zpipe_info_args *info = &map->info;

	chain->table = (const void *)(map->state + info->out_table_at);
	chain->mask = info->out_table_entries - 1;
	chain->opened = zp_map_word(map->state, info->out_opened_at);
	chain->window = info->out_window;
	chain->segment = info->out_segment_size;
	chain->spare = info->out_spare.size;
	chain->data = map->data;
}

int zp_walk_init(struct zp_walk *walk, const struct zp_chain *chain)
{
	size_t nr = (size_t)chain->mask + 1;

	walk->ends = calloc(nr, sizeof(*walk->ends));
	walk->spans = calloc(nr, sizeof(*walk->spans));
	if (walk->ends && walk->spans)
		return 0;
	zp_walk_exit(walk);
	return -ENOMEM;
}

void zp_walk_exit(struct zp_walk *walk)
{
	free(walk->ends);
	free(walk->spans);
}

static uint64_t start_of(const struct zp_chain *chain, uint64_t index)
{
	/* acquire: the next entry's start is read before this one's, see above */
	return __atomic_load_n(&chain->table[index & chain->mask].start, __ATOMIC_ACQUIRE);
}

static uint64_t offset_of(const struct zp_chain *chain, uint64_t index)
{
	return __atomic_load_n(&chain->table[index & chain->mask].offset, __ATOMIC_RELAXED);
}

/*
 * May @length bytes lie at @offset? Up to a window of them in its first turn,
 * or within one of the spare segments behind its second.
 */
bool zp_chain_has(const struct zp_chain *chain, uint64_t offset, uint64_t length)
{
	if (offset < chain->window)
		return length <= chain->window;
	if (offset < 2 * chain->window || offset - 2 * chain->window >= chain->spare)
		return false;
	return length <= chain->segment - (offset & (chain->segment - 1));
}

/*
 * Append a run that is at @offset of the window. If it follows the last span,
 * modulo the window, the second mapping makes them one; a spare segment is
 * always a span of its own.
 */
static void add_run(const struct zp_chain *chain, struct zp_walk *walk, uint64_t offset,
		    uint64_t length)
{
	struct zp_span *span = walk->spans + walk->nr_spans;
	uint64_t end;

	if (offset >= chain->window && offset < 2 * chain->window)
		offset -= chain->window;
	if (walk->nr_spans && offset < chain->window) {
		end = (uint64_t)((unsigned char *)span[-1].data - chain->data) + span[-1].len;
		if (end >= chain->window)
			end -= chain->window;
		if (end == offset && span[-1].len + length <= chain->window) {
			span[-1].len += (size_t)length;
			return;
		}
	}
	span->data = chain->data + offset;
	span->len = (size_t)length;
	walk->nr_spans++;
}

/*
 * Where do the bytes from @from to @to lie? @from < @to, and @to is at most an
 * acquired published (reader) or committed (writer). -EPROTO if the table does
 * not say.
 */
int zp_chain_walk(const struct zp_chain *chain, uint64_t from, uint64_t to, struct zp_walk *walk)
{
	uint64_t opened = zp_load(chain->opened);
	uint64_t index = walk->index;
	uint64_t steps;

	walk->nr_spans = 0;
	walk->nr_entries = 0;
	for (steps = 0; steps <= chain->mask + 1; steps++, index++) {
		uint64_t start, offset, end, next = UINT64_MAX;

		if (index >= opened)
			return -EPROTO;
		if (index + 1 < opened)
			next = start_of(chain, index + 1);
		if (next <= from && !walk->nr_entries)
			continue;
		if (walk->nr_entries > chain->mask)
			return -EPROTO;
		if (!walk->nr_entries)
			walk->index = index;
		walk->ends[walk->nr_entries++] = next <= to ? next : UINT64_MAX;
		if (next <= from)
			continue;

		end = ZP_MIN(next, to);
		start = start_of(chain, index);
		offset = offset_of(chain, index);
		if (start > from || !zp_chain_has(chain, offset, end - start))
			return -EPROTO;
		add_run(chain, walk, offset + (from - start), end - from);
		from = end;
		if (from == to)
			return 0;
	}
	return -EPROTO;
}

/*
 * Up to @consumed was given back: the walk's entry of the byte behind it, or of
 * the last one while it is not known that this ended.
 */
uint64_t zp_walk_entry(const struct zp_walk *walk, uint64_t consumed)
{
	uint32_t i = 0;

	while (i < walk->nr_entries && walk->ends[i] <= consumed)
		i++;
	return walk->index + i;
}

/* The entry that holds @position, looking back from the newest one. */
int zp_chain_find(const struct zp_chain *chain, uint64_t position, uint64_t *index)
{
	uint64_t opened = zp_load(chain->opened);
	uint64_t k;

	for (k = opened; k > 0 && opened - k <= chain->mask; k--) {
		if (start_of(chain, k - 1) <= position) {
			*index = k - 1;
			return 0;
		}
	}
	return -EPROTO;
}

/* Start of the open descriptor: below it the memory may be another. */
uint64_t zp_chain_open_start(const struct zp_chain *chain)
{
	uint64_t opened = zp_load(chain->opened);

	return opened ? start_of(chain, opened - 1) : UINT64_MAX;
}
