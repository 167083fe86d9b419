// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipe - the life of a pipe: create, put, free
 *
 * stream.c has how it moves on, ends.c how an end finishes, info.c what one can
 * ask.
 */
#include <linux/capability.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "limits.h"
#include "pipe.h"
#include "pool.h"
#include "preserve.h"
#include "segment.h"
#include "wait.h"
#include "zpipe_trace.h"

#define DEFAULT_CAPACITY	(1ULL << 20)
#define DEFAULT_SEGMENT		(1ULL << 16)

/* Descriptors of a guarded pipe, unless it has more segments. */
#define GUARDED_ENTRIES		4096

/* Of exactly the size, as there may be many that are idle. */
static struct kmem_cache *pipe_cache;

static atomic64_t last_id = ATOMIC64_INIT(0);

/* What CREATE was asked for, worked out. */
struct geometry {
	u64 pause;
	u64 resume;
	u32 shift;
	u32 nr;
};

/**
 * zpipe_pipe_thresholds - fill in defaults and check
 * @pause: bytes, 0 for never
 * @resume: bytes; 0 counts as 1
 * @capacity: of the pipe
 *
 * Return: 0, or -EINVAL when @resume is above @pause.
 */
int zpipe_pipe_thresholds(u64 *pause, u64 *resume, u64 capacity)
{
	if (*pause == ZPIPE_DEFAULT)
		*pause = capacity / 4 * 3;
	if (*resume == ZPIPE_DEFAULT)
		*resume = *pause / 2;
	if (*resume == 0)
		*resume = 1;
	if (*pause && *resume > *pause)
		return -EINVAL;
	return 0;
}

/* A pipe of a shared pool: its memory was judged when the pool was made. */
static int work_out_shared(const struct zpipe_create_args *args, const struct zpipe_pool *pool,
			   struct geometry *geometry)
{
	u64 window = zpipe_pool_window(pool);
	u64 capacity = args->capacity ?: min(DEFAULT_CAPACITY, window);

	/*
	 * CONTIG goes on where it stopped, POSTED wants all, GUARDED hides what is
	 * not its own: others are there too.
	 */
	if (args->flags & (ZPIPE_F_CONTIG | ZPIPE_F_POSTED | ZPIPE_F_GUARDED))
		return -EINVAL;
	if (capacity > READ_ONCE(zpipe_max_capacity) || capacity > window)
		return -EINVAL;
	if (args->segment_size && max_t(u64, args->segment_size, PAGE_SIZE) != 1ULL << pool->shift)
		return -EINVAL;
	geometry->shift = pool->shift;
	geometry->nr = DIV_ROUND_UP_ULL(capacity, 1ULL << pool->shift);
	geometry->pause = args->pause;
	geometry->resume = args->resume;
	return zpipe_pipe_thresholds(&geometry->pause, &geometry->resume,
				     (u64)geometry->nr << geometry->shift);
}

static int work_out(const struct zpipe_create_args *args, struct zpipe_user *user, bool exempt,
		    struct geometry *geometry)
{
	u64 capacity = args->capacity ?: DEFAULT_CAPACITY;
	u64 segment = args->segment_size;

	if (capacity > READ_ONCE(zpipe_max_capacity) || segment > ZPIPE_MAX_SEGMENT)
		return -EINVAL;
	/* A view of a guarded window, and the length of a descriptor, have 32 bits. */
	if ((args->flags & (ZPIPE_F_GUARDED | ZPIPE_F_POSTED)) &&
	    capacity > ZPIPE_VIEW_SPAN - ZPIPE_MAX_SEGMENT)
		return -EINVAL;
	if (!exempt && zpipe_user_is_soft(user, DIV_ROUND_UP(capacity, PAGE_SIZE))) {
		if (args->capacity)
			return -EDQUOT;
		capacity = 2 * PAGE_SIZE;
		segment = min_t(u64, segment, PAGE_SIZE);
	}
	if (!segment) {
		/* Sixteen or more segments, none above the default unless it takes too many. */
		segment = clamp_t(u64, rounddown_pow_of_two(capacity) / 16,
				  PAGE_SIZE, DEFAULT_SEGMENT);
		while (DIV_ROUND_UP_ULL(capacity, segment) > ZPIPE_MAX_SEGMENTS)
			segment *= 2;
	}
	if (!is_power_of_2(segment))
		return -EINVAL;
	segment = max_t(u64, segment, PAGE_SIZE);
	if (DIV_ROUND_UP_ULL(capacity, segment) > ZPIPE_MAX_SEGMENTS)
		return -EINVAL;

	geometry->shift = ilog2(segment);
	geometry->nr = DIV_ROUND_UP_ULL(capacity, segment);
	geometry->pause = args->pause;
	geometry->resume = args->resume;
	return zpipe_pipe_thresholds(&geometry->pause, &geometry->resume,
				     (u64)geometry->nr << geometry->shift);
}

/**
 * zpipe_pipe_init_reader - set up what does not depend on where the stream is
 * @pipe: the pipe
 * @reader: zeroed; @reader->page and @reader->words are the caller's to give
 */
void zpipe_pipe_init_reader(struct zpipe_pipe *pipe, struct zpipe_reader *reader)
{
	reader->pipe = pipe;
	mutex_init(&reader->mutex);
	INIT_LIST_HEAD(&reader->entry);
	zpipe_wait_init_reader(reader);
}

static int init_chain(struct zpipe_pipe *pipe, struct zpipe_pool *pool, u32 quota, u32 entries)
{
	struct zpipe_chain *chain = &pipe->chain;

	chain->run = kvcalloc(entries, sizeof(*chain->run), GFP_KERNEL_ACCOUNT);
	if (!chain->run)
		return -ENOMEM;
	chain->slots = &pool->slots;
	chain->table = pipe->state->table;
	chain->opened_word = &pipe->state->opened;
	chain->granted_word = &pipe->state->granted;
	chain->mask = entries - 1;
	chain->shift = pool->shift;
	chain->quota = quota;
	chain->contig = pipe->flags & ZPIPE_F_CONTIG;
	chain->page = pipe->flags & ZPIPE_F_GUARDED ? PAGE_SIZE : 0;
	return 0;
}

static void free_control(struct zpipe_pipe *pipe)
{
	kvfree(pipe->chain.run);
	zpipe_preserve_exit(&pipe->reader);
	free_page((unsigned long)pipe->reader.page);
	free_page((unsigned long)pipe->writer_page);
	if (pipe->state)
		free_pages_exact(pipe->state, pipe->state_size);
}

/*
 * Each entry holds a slot, but for the open one. A forward may take one slot
 * more than the quota, and one entry is being opened. In a guarded pipe each
 * page may need one; where pages are many the table may fill up.
 */
static u32 table_entries(const struct zpipe_pool *pool, u32 flags, u32 quota)
{
	u64 pages = zpipe_pool_window(pool) >> PAGE_SHIFT;
	u32 least = roundup_pow_of_two(quota + 3);

	if (!(flags & ZPIPE_F_GUARDED))
		return least;
	return max_t(u32, least, roundup_pow_of_two(min_t(u64, pages, GUARDED_ENTRIES - 1) + 1));
}

/* The pages both processes see besides the data: three, unless segments are many. */
static int alloc_control(struct zpipe_pipe *pipe, struct zpipe_pool *pool, u32 quota)
{
	u32 entries = table_entries(pool, pipe->flags, quota);
	struct zpipe_state *state;

	pipe->state_size = PAGE_ALIGN(struct_size(state, table, entries));
	pipe->state = alloc_pages_exact(pipe->state_size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	pipe->writer_page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	pipe->reader.page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!pipe->state || !pipe->writer_page || !pipe->reader.page ||
	    init_chain(pipe, pool, quota, entries)) {
		free_control(pipe);
		return -ENOMEM;
	}
	pipe->reader.words = &pipe->state->reader;
	state = pipe->state;
	state->magic = ZPIPE_MAGIC;
	state->id = pipe->id;
	state->window = zpipe_pool_window(pool);
	state->segment_size = 1U << pool->shift;
	state->table_entries = entries;
	state->pause = pipe->pause;
	return 0;
}

/* The reserve is taken, and who reclaims memory for all finds the pipe. */
static int join_pool(struct zpipe_pipe *pipe)
{
	struct zpipe_pool *pool = pipe->pool;

	zpipe_wait_lock(pipe);
	if (!zpipe_chain_join(&pipe->chain)) {
		zpipe_wait_unlock(pipe);
		return -ENOBUFS;
	}
	list_add_tail(&pipe->in_pool, &pool->pipes);
	list_add_tail(&pipe->reader.entry, &pipe->readers);
	pipe->nr_readers = 1;
	zpipe_wait_share_locked(pipe);
	zpipe_wait_unlock(pipe);
	return 0;
}

/* Nobody has used it since, so its chain is what the last end left. */
static void leave_pool(struct zpipe_pipe *pipe)
{
	zpipe_wait_lock(pipe);
	zpipe_chain_reset(&pipe->chain);
	zpipe_chain_leave(&pipe->chain);
	list_del(&pipe->in_pool);
	zpipe_wait_leave_locked(pipe, ZPIPE_HUNGER_SLEEP | ZPIPE_HUNGER_ARMED);
	zpipe_wait_unlock(pipe);
	if (pipe->pool->slots.shared)
		zpipe_segment_trim_after_end(pipe->pool);
}

/**
 * zpipe_pipe_create - make a pipe
 * @args: checked for flags and reserved words
 * @pool: a shared one, of which the caller has a reference, or NULL
 *
 * Context: may sleep.
 * Return: the pipe with two references, one for each end, or an ERR_PTR().
 */
struct zpipe_pipe *zpipe_pipe_create(const struct zpipe_create_args *args, struct zpipe_pool *pool)
{
	bool exempt = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	struct geometry geometry;
	struct zpipe_pipe *pipe;
	struct zpipe_user *user;
	int ret;

	user = zpipe_user_get();
	if (!user)
		return ERR_PTR(-ENOMEM);
	ret = pool ? work_out_shared(args, pool, &geometry) :
		     work_out(args, user, exempt, &geometry);
	if (!ret)
		ret = zpipe_user_add_pipe(user, exempt);
	if (ret)
		goto err_put_user;

	ret = -ENOMEM;
	pipe = kmem_cache_zalloc(pipe_cache, GFP_KERNEL_ACCOUNT);
	if (!pipe)
		goto err_sub_pipe;
	kref_init(&pipe->kref);
	kref_get(&pipe->kref);
	pipe->id = atomic64_inc_return(&last_id);
	pipe->flags = args->flags & ~ZPIPE_F_NONBLOCK;
	pipe->pause = geometry.pause;
	pipe->resume = geometry.resume;
	pipe->user = user;
	mutex_init(&pipe->write_mutex);
	INIT_LIST_HEAD(&pipe->readers);
	INIT_LIST_HEAD(&pipe->posts);
	zpipe_wait_init(pipe);
	zpipe_pipe_init_reader(pipe, &pipe->reader);

	if (pool)
		kref_get(&pool->kref);
	else
		pool = zpipe_pool_create(geometry.nr, geometry.shift, ZPIPE_IDLE, exempt);
	if (IS_ERR(pool)) {
		ret = PTR_ERR(pool);
		goto err_free_pipe;
	}
	pipe->pool = pool;
	if (pipe->flags & ZPIPE_F_GUARDED)
		atomic_set(&pool->views, 1);
	ret = alloc_control(pipe, pool, geometry.nr);
	if (ret)
		goto err_put_pool;
	ret = zpipe_user_add_pages(user, zpipe_pipe_control_pages(pipe), exempt);
	if (ret)
		goto err_free_control;
	ret = join_pool(pipe);
	if (ret)
		goto err_sub_pages;
	return pipe;

err_sub_pages:
	zpipe_user_sub_pages(user, zpipe_pipe_control_pages(pipe));
err_free_control:
	free_control(pipe);
err_put_pool:
	zpipe_pool_put(pool);
err_free_pipe:
	kmem_cache_free(pipe_cache, pipe);
err_sub_pipe:
	zpipe_user_sub_pipe(user);
err_put_user:
	zpipe_user_put(user);
	return ERR_PTR(ret);
}

/*
 * Both ends are released: no file is left, hence no mapping, no fault, no
 * poll and no sleeper (each holds its file). Other pipes of the pool may still
 * come by until it has left.
 */
static void pipe_free(struct kref *kref)
{
	struct zpipe_pipe *pipe = container_of(kref, struct zpipe_pipe, kref);

	trace_zpipe_destroy(pipe->id, pipe->chain.published, zpipe_chain_held(&pipe->chain), 0);
	leave_pool(pipe);
	zpipe_user_sub_pages(pipe->user, zpipe_pipe_control_pages(pipe));
	zpipe_user_sub_pipe(pipe->user);
	zpipe_user_put(pipe->user);
	free_control(pipe);
	zpipe_pool_put(pipe->pool);
	kmem_cache_free(pipe_cache, pipe);
}

/**
 * zpipe_pipe_put - an end lets go
 * @pipe: freed with the second one
 *
 * Context: may sleep.
 */
void zpipe_pipe_put(struct zpipe_pipe *pipe)
{
	kref_put(&pipe->kref, pipe_free);
}

/**
 * zpipe_pipe_reject_locked - a call is refused because of what it was given
 * @pipe: the pipe
 * @verb: ZPIPE_NR_*
 * @position: the bad one, where there is one
 * @ret: what to answer
 *
 * Return: @ret.
 */
int zpipe_pipe_reject_locked(struct zpipe_pipe *pipe, u32 verb, u64 position, int ret)
{
	lockdep_assert_held(&pipe->pool->lock);
	pipe->stats.rejects++;
	trace_zpipe_reject(pipe->id, position, verb, ret);
	return ret;
}

/**
 * zpipe_pipe_init - get ready to make pipes
 *
 * Return: 0 or -ENOMEM.
 */
int zpipe_pipe_init(void)
{
	pipe_cache = KMEM_CACHE(zpipe_pipe, SLAB_ACCOUNT);
	return pipe_cache ? 0 : -ENOMEM;
}

/** zpipe_pipe_exit - undo it, when there is no pipe any more */
void zpipe_pipe_exit(void)
{
	kmem_cache_destroy(pipe_cache);
}
