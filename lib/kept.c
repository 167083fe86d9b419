// SPDX-License-Identifier: MIT
/*
 * kept - preserved ranges: the kernel's handle, and a view of where it put them
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/* Enough for most; more are asked for with a second call. */
#define FEW	4

static int preserve(const struct zp_map *map, uint64_t position, uint64_t len,
		    struct zpipe_preserve_args *args, struct zpipe_span *spans, uint32_t room)
{
	int ret;

	*args = (struct zpipe_preserve_args){
		.position = position, .length = len,
		.nr_spans = room, .spans = (uintptr_t)spans,
	};
	ret = zp_sys_preserve(map->fd, args);
	return ret > 0 ? -EPROTO : ret;
}

static int make(const struct zp_map *map, const struct zp_chain *chain,
		const struct zpipe_preserve_args *args, const struct zpipe_span *spans,
		struct zp_kept **kept)
{
	uint32_t nr = args->out_nr_spans, i;
	struct zp_kept *k;
	int ret;

	for (i = 0; i < nr; i++) {
		if (!zp_chain_has(chain, spans[i].offset, spans[i].length))
			return -EPROTO;
	}
	k = malloc(sizeof(*k) + nr * sizeof(k->spans[0]));
	if (!k)
		return -ENOMEM;
	k->fd = map->fd;
	k->handle = args->out_handle;
	k->view = (struct zp_view){
		.start = args->position, .end = args->position + args->length,
	};
	ret = zp_view_fill(&k->view, k->spans, spans, nr, map->data);
	if (!ret)
		ret = zp_kept_watch(k, map, spans, nr);
	if (ret)
		free(k);
	else
		*kept = k;
	return ret;
}

static int give_up(int fd, uint64_t handle)
{
	struct zpipe_release_args args = { .handle = handle };
	int ret = zp_sys_release(fd, &args);

	return ret > 0 ? -EPROTO : ret;
}

int zp_preserve(struct zp_reader *r, uint64_t position, uint64_t len, struct zp_kept **kept)
{
	struct zpipe_span few[FEW], *spans = few, *more = NULL;
	struct zpipe_preserve_args args;
	const struct zp_chain *chain;
	const struct zp_map *map = zp_reader_map(r, &chain);
	int ret;

	ret = preserve(map, position, len, &args, few, FEW);
	if (ret)
		return ret;
	if (args.out_nr_spans > FEW) {
		uint32_t nr = args.out_nr_spans;
		uint64_t first = args.out_handle;

		more = calloc(nr, sizeof(*more));
		spans = more;
		/* the first handle holds it meanwhile, so it has as many spans */
		ret = more ? preserve(map, position, len, &args, more, nr) : -ENOMEM;
		give_up(map->fd, first);
		if (!ret && args.out_nr_spans != nr) {
			give_up(map->fd, args.out_handle);
			ret = -EPROTO;
		}
		if (ret)
			goto out_free;
	}
	ret = make(map, chain, &args, spans, kept);
	if (ret)
		give_up(map->fd, args.out_handle);
out_free:
	free(more);
	return ret;
}

int zp_take(struct zp_reader *r, uint64_t n, struct zp_kept **kept)
{
	struct zp_kept *k;
	int ret;

	if (!r->shown)
		return -EPROTO;
	n = ZP_MIN(n, r->shown - 1 - r->consumed);
	ret = zp_preserve(r, r->consumed, n, &k);
	if (ret)
		return ret;
	ret = zp_consume(r, n);
	if (ret < 0)
		zp_release(k);
	else
		*kept = k;
	return ret;
}

const struct zp_view *zp_kept_view(const struct zp_kept *kept)
{
	zp_kept_check(kept, "zp_kept_view");
	return &kept->view;
}

int zp_release(struct zp_kept *kept)
{
	int ret;

	if (!kept)
		return 0;
	zp_kept_check(kept, "zp_release");
	ret = give_up(kept->fd, kept->handle);
	zp_kept_free(kept);
	return ret;
}

int zp_export(const struct zp_kept *kept, int *fd)
{
	struct zpipe_export_args args = { 0 };
	int ret;

	zp_kept_check(kept, "zp_export");
	args.handle = kept->handle;
	ret = zp_sys_export(kept->fd, &args);
	if (ret)
		return ret > 0 ? -EPROTO : ret;
	*fd = args.out_fd;
	return 0;
}
