// SPDX-License-Identifier: MIT
/*
 * watch - preserved ranges of a library built for debugging (-DZP_DEBUG)
 *
 * A range is shown through a mapping of its own, page by page the same memory.
 * Releasing it leaves the addresses behind, without memory: who touches a view of
 * it gets a SIGSEGV where the mistake is, and a second release finds the mark
 * on the first. The last LATELY of them are remembered; before that, one could
 * be confused with a new range. In a guarded pipe the kernel itself takes the
 * pages away, so there only the mark is used.
 */
#ifdef ZP_DEBUG

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define LATELY	4096

#define WATCHED		0x6b65707421212121ULL
#define RELEASED	0x6672656564212121ULL

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct zp_kept *lately[LATELY];
static unsigned int next;

int zp_kept_watch(struct zp_kept *kept, const struct zp_map *map, const struct zpipe_span *pieces,
		  uint32_t nr)
{
	uint64_t mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;
	size_t size = 0;
	unsigned char *at;
	uint32_t i;
	int ret = 0;

	kept->watched = WATCHED;
	kept->memory = NULL;
	kept->size = 0;
	if (map->guarded)
		return 0;
	for (i = 0; i < nr; i++)
		size += (size_t)(((pieces[i].offset & mask) + pieces[i].length + mask) & ~mask);
	at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	kept->memory = at;
	kept->size = size;
	for (i = 0; i < nr && !ret; i++) {
		uint64_t from = pieces[i].offset & ~mask;
		uint64_t skip = pieces[i].offset & mask;
		size_t part = (size_t)((skip + pieces[i].length + mask) & ~mask);

		ret = zp_map_again(map, at, from, part);
		kept->spans[i].data = at + skip;
		at += part;
	}
	if (ret)
		munmap(kept->memory, kept->size);
	kept->view.first = kept->spans[0];
	return ret;
}

void zp_kept_check(const struct zp_kept *kept, const char *call)
{
	char text[128];
	int n;

	if (kept->watched == WATCHED)
		return;
	n = snprintf(text, sizeof(text), "libzpipe: %s(%p): %s\n", call, (const void *)kept,
		     kept->watched == RELEASED ? "the range was released before" :
						 "that is no preserved range");
	if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
		abort();
	abort();
}

void zp_kept_free(struct zp_kept *kept)
{
	struct zp_kept *oldest;

	kept->watched = RELEASED;
	if (kept->memory &&
	    mmap(kept->memory, kept->size, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		abort();
	pthread_mutex_lock(&lock);
	oldest = lately[next];
	lately[next] = kept;
	next = (next + 1) % LATELY;
	pthread_mutex_unlock(&lock);
	if (oldest && oldest->memory)
		munmap(oldest->memory, oldest->size);
	free(oldest);
}

#else

/* A file is not empty in ISO C. */
extern int zp_nothing_to_watch;

#endif /* ZP_DEBUG */
