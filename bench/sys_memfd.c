// SPDX-License-Identifier: MIT
/*
 * sys_memfd - a ring in a memfd with futex wake-ups: what one writes by hand for speed
 *
 * The peer that zpipe is measured against, so it is made as well as we can: the data is
 * mapped twice
 * back to back, every shared word that somebody stores has a cache line pair of its own, each side
 * keeps the other's position and looks again only when it runs out, one fence per publish or
 * release, a sleeper is woken by whoever wins the exchange of its flag, and both poll a bounded
 * number of times before they sleep. A writer that waits for room is woken when a part of the ring
 * came free that is worth waking for. It has no owner: none of the two survives the
 * other's mistakes.
 *
 *	writer				reader
 *	A: store-release published  ->	load-acquire published
 *	   fence			read the bytes
 *	B: load reader_sleeps		C: store-release consumed
 *					   fence
 *					D: load writer_sleeps
 * A sleeper stores its flag, fences and looks at the position again.
 */
#include <errno.h>
#include <immintrin.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

struct ring_control {
	_Alignas(128) _Atomic uint64_t published;
	_Alignas(128) _Atomic uint64_t consumed;
	_Alignas(128) _Atomic uint32_t reader_sleeps;
	_Alignas(128) _Atomic uint32_t writer_sleeps;
	_Atomic uint64_t writer_wake_at;	/* of consumed; valid while writer_sleeps */
};

#define CONTROL_SIZE	4096UL

_Static_assert(sizeof(struct ring_control) <= CONTROL_SIZE, "the control page is one page");

struct bench_link {
	struct bench_base base;
	int fd;
	struct ring_control *control;
	unsigned char *data;
	uint64_t mask;
	uint64_t published, consumed;	/* of this side: its own, and the other's as last seen */
};

static int link_open(struct bench_link *link)
{
	link->fd = memfd_create("ring", MFD_CLOEXEC);
	if (link->fd < 0)
		return -errno;
	if (ftruncate(link->fd, (off_t)(CONTROL_SIZE + link->base.config.capacity)))
		return -errno;
	return 0;
}

static void link_close(struct bench_link *link)
{
	close(link->fd);
}

static int attach_end(struct bench_link *link)
{
	const size_t size = link->base.config.capacity;
	unsigned char *data;

	link->mask = size - 1;
	link->published = 0;
	link->consumed = 0;
	link->control = mmap(NULL, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, link->fd, 0);
	if (link->control == MAP_FAILED)
		return -errno;
	data = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return -errno;
	for (size_t half = 0; half < 2; half++)
		if (mmap(data + half * size, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, link->fd,
			 (off_t)CONTROL_SIZE) == MAP_FAILED)
			return -errno;
	link->data = data;
	return 0;
}

static int attach_writer(struct bench_link *link)
{
	return attach_end(link);
}

static int attach_reader(struct bench_link *link)
{
	return attach_end(link);
}

static __attribute__((noinline, cold)) void futex_wake(struct bench_link *link,
						      _Atomic uint32_t *flag)
{
	uint32_t sleeps = 1;

	if (!atomic_compare_exchange_strong(flag, &sleeps, 0))
		return;
	link->base.calls++;
	syscall(SYS_futex, flag, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/*
 * Waits until the position is at least `at`; a false wake-up only makes another turn. For
 * the writer `wake_at` is where the reader should wake it.
 */
static __attribute__((noinline, cold)) uint64_t wait_for(struct bench_link *link,
							_Atomic uint64_t *position, uint64_t at,
							_Atomic uint32_t *flag)
{
	uint64_t now;

	for (unsigned int spin = 0; spin < link->base.config.spins; spin++) {
		now = atomic_load_explicit(position, memory_order_acquire);
		if (now >= at)
			return now;
		_mm_pause();
	}
	for (;;) {
		atomic_store_explicit(flag, 1, memory_order_release);
		atomic_thread_fence(memory_order_seq_cst);	/* pairs with B and D */
		now = atomic_load_explicit(position, memory_order_acquire);
		if (now >= at)
			break;
		link->base.calls++;
		syscall(SYS_futex, flag, FUTEX_WAIT, 1, NULL, NULL, 0);
	}
	atomic_store_explicit(flag, 0, memory_order_relaxed);
	return now;
}

static __attribute__((noinline, cold)) void wait_for_room(struct bench_link *link, uint64_t needed)
{
	struct ring_control *c = link->control;
	uint64_t worth = link->published + BENCH_STEP - link->base.config.capacity;
	uint64_t now = atomic_load_explicit(&c->consumed, memory_order_acquire);

	if (now < needed) {
		atomic_store_explicit(&c->writer_wake_at, worth > needed ? worth : needed,
				      memory_order_relaxed);
		now = wait_for(link, &c->consumed, needed, &c->writer_sleeps);
	}
	link->consumed = now;
}

static inline void *writer_reserve(struct bench_link *link, size_t length)
{
	if (link->published + length - link->consumed > link->base.config.capacity)
		wait_for_room(link, link->published + length - link->base.config.capacity);
	return link->data + (link->published & link->mask);
}

static inline int writer_publish(struct bench_link *link, size_t length)
{
	struct ring_control *c = link->control;

	link->published += length;
	atomic_store_explicit(&c->published, link->published, memory_order_release);	/* A */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&c->reader_sleeps, memory_order_relaxed))		/* B */
		futex_wake(link, &c->reader_sleeps);
	return 0;
}

static inline ssize_t reader_take(struct bench_link *link, const uint64_t **words)
{
	struct ring_control *c = link->control;
	uint64_t length = link->published - link->consumed;

	if (!length) {
		link->published = atomic_load_explicit(&c->published, memory_order_acquire);
		if (link->published == link->consumed)
			link->published = wait_for(link, &c->published, link->consumed + 1,
						   &c->reader_sleeps);
		length = link->published - link->consumed;
	}
	*words = (const uint64_t *)(const void *)(link->data + (link->consumed & link->mask));
	return (ssize_t)(length < BENCH_STEP ? length : BENCH_STEP);
}

static inline int reader_release(struct bench_link *link, size_t length)
{
	struct ring_control *c = link->control;

	link->consumed += length;
	atomic_store_explicit(&c->consumed, link->consumed, memory_order_release);	/* C */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&c->writer_sleeps, memory_order_acquire) &&		/* D */
	    link->consumed >= atomic_load_explicit(&c->writer_wake_at, memory_order_relaxed))
		futex_wake(link, &c->writer_sleeps);
	return 0;
}

#include "loops.h"

const struct bench_system sys_memfd = {
	.name = "memfd-ring",
	.ring = true,
	.spins = true,
	BENCH_LOOPS,
};
