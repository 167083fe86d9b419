// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpipe_bytes - which byte stands at which position, and whole steps of a stream made of them
 */
#include <errno.h>
#include <string.h>

#include "zpipe_test.h"

/* A prime, so that no two segments of a test look alike. */
#define ORACLE_PERIOD	65521

static unsigned char oracle[2 * ORACLE_PERIOD];

__attribute__((constructor)) static void make_oracle(void)
{
	__u64 state = 0x2545f4914f6cdd1dULL;
	size_t i;

	for (i = 0; i < ORACLE_PERIOD; i++) {
		oracle[i] = zt_random(&state) >> 56;
		oracle[i + ORACLE_PERIOD] = oracle[i];
	}
}

void zt_fill(void *dst, __u64 position, size_t len)
{
	unsigned char *p = dst;

	while (len) {
		size_t at = position % ORACLE_PERIOD;
		size_t n = len < ORACLE_PERIOD ? len : ORACLE_PERIOD;

		memcpy(p, oracle + at, n);
		p += n;
		position += n;
		len -= n;
	}
}

ssize_t zt_mismatch(const void *src, __u64 position, size_t len)
{
	const unsigned char *p = src;
	size_t done = 0;

	while (done < len) {
		size_t at = (position + done) % ORACLE_PERIOD, i;
		size_t n = len - done < ORACLE_PERIOD ? len - done : ORACLE_PERIOD;

		if (memcmp(p + done, oracle + at, n)) {
			for (i = 0; p[done + i] == oracle[at + i]; i++)
				;
			return done + i;
		}
		done += n;
	}
	return -1;
}

/* May a span be here? */
static bool is_place(const struct zt_end *e, __u64 offset, __u64 len)
{
	__u64 window = e->info.out_window, segment = e->info.out_segment_size;

	if (offset < window)
		return len && len <= window;
	/* A spare segment is alone. */
	return len && offset >= 2 * window && offset + len <= 2 * window + e->info.out_spare.size &&
	       offset / segment == (offset + len - 1) / segment;
}

/* -1, or the position of the first byte of a preserved range that is not what it was. */
long long zt_kept_mismatch(const struct zt_end *r, const struct zt_kept *kept)
{
	__u64 at = kept->args.position;
	__u32 i;

	if (kept->args.out_nr_spans > ZT_SPANS)
		zt_die("a range of %u spans", kept->args.out_nr_spans);
	for (i = 0; i < kept->args.out_nr_spans; i++) {
		const struct zpipe_span *s = &kept->spans[i];
		ssize_t bad;

		if (!is_place(r, s->offset, s->length))
			zt_die("span %u is %llu+%llu", i, (unsigned long long)s->offset,
			       (unsigned long long)s->length);
		bad = zt_mismatch(r->data + s->offset, at, s->length);
		if (bad >= 0)
			return at + bad;
		at += s->length;
	}
	return at == kept->args.position + kept->args.length ? -1 : (long long)at;
}

void zt_check_view(const struct zt_end *r, const struct zt_view *view)
{
	const struct zpipe_read_args *a = &view->args;
	__u64 at = a->out_start;
	__u32 i;

	if (a->out_nr_spans > ZT_SPANS)
		zt_die("a view of %u spans", a->out_nr_spans);
	for (i = 0; i < a->out_nr_spans; i++) {
		const struct zpipe_span *s = &view->spans[i];
		ssize_t bad;

		if (!is_place(r, s->offset, s->length))
			zt_die("span %u is %llu+%llu", i, (unsigned long long)s->offset,
			       (unsigned long long)s->length);
		bad = zt_mismatch(r->data + s->offset, at, s->length);
		if (bad >= 0)
			zt_die("wrong byte at position %llu (view %llu to %llu)",
			       (unsigned long long)at + bad, (unsigned long long)a->out_start,
			       (unsigned long long)a->out_end);
		at += s->length;
	}
	if (at != a->out_end)
		zt_die("spans end at %llu, the view at %llu", (unsigned long long)at,
		       (unsigned long long)a->out_end);
}

/* Fills @len bytes of a grant; -EMSGSIZE when it is shorter. */
int zt_fill_grant(struct zt_end *w, const struct zpipe_alloc_args *grant, __u64 len)
{
	if (grant->out_length < len)
		return -EMSGSIZE;
	if (!is_place(w, grant->out_offset, grant->out_length))
		zt_die("grant is %llu+%llu", (unsigned long long)grant->out_offset,
		       (unsigned long long)grant->out_length);
	zt_fill(w->data + grant->out_offset, grant->position, len);
	return 0;
}

int zt_put(struct zt_end *w, __u64 len)
{
	__u64 at = zt_published(w), end = at + len;

	while (at < end) {
		struct zpipe_alloc_args grant;
		int ret = zt_alloc(w, at, 1, end - at, &grant);
		__u64 n;

		if (ret)
			return ret;
		n = grant.out_length < end - at ? grant.out_length : end - at;
		zt_fill_grant(w, &grant, n);
		at += n;
		ret = zt_flush(w, at, 0, NULL);
		if (ret)
			return ret;
	}
	return 0;
}

int zt_put_pages(struct zt_end *w, __u64 len)
{
	int ret = 0;

	for (; len && !ret; len -= len < ZT_PAGE ? len : ZT_PAGE)
		ret = zt_put(w, len < ZT_PAGE ? len : ZT_PAGE);
	return ret;
}

int zt_take(struct zt_end *r, __u64 len)
{
	struct zt_view view;
	int ret = zt_read(r, len, 0, &view);

	if (ret)
		return ret;
	zt_check_view(r, &view);
	if (view.args.out_end - view.args.out_start < len)
		return -EMSGSIZE;
	return zt_advance(r, view.args.out_start + len, view.args.out_start + len);
}
