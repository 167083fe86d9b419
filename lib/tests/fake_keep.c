// SPDX-License-Identifier: MIT
/*
 * fake_keep - PRESERVE and RELEASE of the fake kernel
 *
 * Handles are counted, as the library's bookkeeping is what is tested; the
 * memory is not held, so tests look at a range only while the stream stands
 * still. The real thing is tests/vm_kept.c.
 */
#include <errno.h>
#include <pthread.h>

#include "fake_state.h"

#define MAX_HANDLES	64

static bool held[MAX_HANDLES];

int zp_sys_preserve(int fd, struct zpipe_preserve_args *args)
{
	struct zpipe_span *spans = (void *)(uintptr_t)args->spans;
	uint64_t position = args->position, end = position + args->length, k;
	uint32_t nr = 0;
	int ret = -ENOBUFS, h;

	if (fd != fake.reader_fd)
		return -EBADF;
	pthread_mutex_lock(&fake.lock);
	if (!args->length || position < get(fake_consumed()) || end > get(fake_published())) {
		ret = -EINVAL;
		goto out_unlock;
	}
	for (k = fake.first; k < fake.opened && position < end; k++) {
		uint64_t stop = k + 1 < fake.opened ? entry(k + 1)->start : end;

		if (stop <= position)
			continue;
		if (stop > end)
			stop = end;
		if (nr < args->nr_spans)
			spans[nr] = (struct zpipe_span){
				.offset = (entry(k)->offset + (position - entry(k)->start)) %
					  fake.window,
				.length = stop - position,
			};
		nr++;
		position = stop;
	}
	for (h = 0; h < MAX_HANDLES && held[h]; h++)
		;
	if (h == MAX_HANDLES)
		goto out_unlock;
	held[h] = true;
	args->out_handle = (uint64_t)h + 1;
	args->out_nr_spans = nr;
	ret = 0;
out_unlock:
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

int zp_sys_release(int fd, struct zpipe_release_args *args)
{
	int ret = -ESTALE;

	if (fd != fake.reader_fd)
		return -EBADF;
	pthread_mutex_lock(&fake.lock);
	if (args->handle - 1 < MAX_HANDLES && held[args->handle - 1]) {
		held[args->handle - 1] = false;
		ret = 0;
	}
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

unsigned int fake_kept(void)
{
	unsigned int n = 0, h;

	for (h = 0; h < MAX_HANDLES; h++)
		n += held[h];
	return n;
}
