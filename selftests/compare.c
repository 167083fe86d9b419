// SPDX-License-Identifier: GPL-2.0-only
/*
 * compare - what a death, or a hostile peer, does to a zpipe, to a pipe(2), and to a memfd ring
 *
 * The same writer and reader move 64-bit words, each its own stream position, through each of the
 * three: a zpipe by its calls, pipe(2) by write(2) and read(2), and a ring in a memfd with futex
 * wake-ups, made like that of bench/ (a stored position for each side, a flag for each sleeper).
 *
 * kills: one of them, or both, is killed again and again, and its successor goes on where the thing
 * itself, or for a pipe(2) the note of the dead one, says that the stream stands. A word that never
 * comes is lost, one that comes when it was handled is doubled, no progress is hung.
 * ends: one is killed and nobody else has its fd; the other must come to its end.
 * lies: a writer that has filled all its memory with the right words stores anything to the shared
 * words that it can write to. The reader must get right words, or be told.
 *
 * Only what zpipe does can fail the test; the figures of the others are for comparison.
 *
 * ZPIPE_COMPARE: runs of each (20); ZPIPE_SEED repeats their lots.
 */
#include <errno.h>
#include <linux/futex.h>
#include <limits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(64UL << 10)
#define MOST		4096	/* bytes at a time; pipe(2) keeps so many together */
#define HUNG_MS		2000

/* How a process ends by itself. */
enum { TOLD = 20, FALSE_WORD, BROKEN };

/* Seen by all: the notes of the writer and of the reader, and what was found. */
struct notes {
	__u64 intent;
	__u64 done;
	__u64 handled;
	__u64 lost;
	__u64 doubled;
};

struct ring {
	_Alignas(128) __u64 published;
	_Alignas(128) __u64 consumed;
	_Alignas(128) __u32 reader_sleeps;
	_Alignas(128) __u32 writer_sleeps;
	_Alignas(4096) __u64 words[CAPACITY / 8];
};

struct link {
	int fd[2];		/* writer, reader; a ring has one */
	struct ring *ring;
	struct zt_end end;	/* of a zpipe, where attached */
	struct notes *notes;
	__u64 at;		/* of this process: published, or handled */
	__u64 seed;
};

struct system {
	const char *name;
	int (*open)(struct link *l);
	/* Where the stream stands for a successor. */
	void (*attach)(struct link *l, bool writer);
	/* Words of [at, at + length): waits for room; the end of the reader is TOLD. */
	void (*put)(struct link *l, __u64 length);
	/* What is there, to handle(); waits; the end of the writer is TOLD. */
	void (*take)(struct link *l);
	/* All its memory with the right words, some published, then lies. */
	void (*lie)(struct link *l);
};

static __u64 load(const __u64 *from)
{
	return __atomic_load_n(from, __ATOMIC_SEQ_CST);
}

static void store(__u64 *to, __u64 value)
{
	__atomic_store_n(to, value, __ATOMIC_SEQ_CST);
}

/* One message's words. What was handled before is known by its position, except in a pipe(2). */
static void handle(struct link *l, const __u64 *words, size_t length)
{
	size_t k;

	for (k = 0; k < length / 8; k++) {
		if (words[k] == l->at) {
			l->at += 8;
		} else if (words[k] < l->at && words[k] % 8 == 0) {
			store(&l->notes->doubled, 1);
		} else if (words[k] < load(&l->notes->intent) && words[k] % 8 == 0) {
			store(&l->notes->lost, 1);
			l->at = words[k] + 8;
		} else {
			_exit(FALSE_WORD);
		}
	}
	store(&l->notes->handled, l->at);
}

static void fill(__u64 *words, __u64 position, size_t length)
{
	size_t k;

	for (k = 0; k < length / 8; k++)
		words[k] = position + 8 * k;
}

/* ---- pipe(2) ---- */

static int pipe_open(struct link *l)
{
	int fds[2];

	if (pipe(fds))
		return -errno;
	l->fd[0] = fds[1];
	l->fd[1] = fds[0];
	return 0;
}

/* All that a successor can know is what the dead has noted. */
static void pipe_attach(struct link *l, bool writer)
{
	l->at = writer ? load(&l->notes->done) : load(&l->notes->handled);
}

static void pipe_put(struct link *l, __u64 length)
{
	__u64 words[MOST / 8];

	fill(words, l->at, length);
	store(&l->notes->intent, l->at + length);
	if (write(l->fd[0], words, length) != (ssize_t)length)
		_exit(errno == EPIPE ? TOLD : BROKEN);
}

static void pipe_take(struct link *l)
{
	__u64 words[MOST / 8];
	ssize_t n = read(l->fd[1], words, sizeof(words));

	if (n <= 0)
		_exit(n ? BROKEN : TOLD);
	handle(l, words, n);
}

/* ---- a ring in a memfd ---- */

static int ring_open(struct link *l)
{
	l->fd[0] = memfd_create("ring", MFD_CLOEXEC);
	l->fd[1] = -1;
	if (l->fd[0] < 0 || ftruncate(l->fd[0], sizeof(*l->ring)))
		return -errno;
	l->ring = mmap(NULL, sizeof(*l->ring), PROT_READ | PROT_WRITE, MAP_SHARED, l->fd[0], 0);
	return l->ring == MAP_FAILED ? -errno : 0;
}

static void ring_attach(struct link *l, bool writer)
{
	l->at = writer ? load(&l->ring->published) : load(&l->notes->handled);
}

static void ring_wake(__u32 *flag)
{
	__u32 sleeps = 1;

	if (__atomic_compare_exchange_n(flag, &sleeps, 0, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		syscall(SYS_futex, flag, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void ring_wait(const __u64 *position, __u64 at, __u32 *flag)
{
	while (load(position) < at) {
		__atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
		if (load(position) < at)
			syscall(SYS_futex, flag, FUTEX_WAIT, 1, NULL, NULL, 0);
	}
}

static void ring_put(struct link *l, __u64 length)
{
	struct ring *r = l->ring;
	__u64 k;

	if (l->at + length > CAPACITY)
		ring_wait(&r->consumed, l->at + length - CAPACITY, &r->writer_sleeps);
	for (k = 0; k < length; k += 8)
		r->words[(l->at + k) % CAPACITY / 8] = l->at + k;
	store(&l->notes->intent, l->at + length);
	store(&r->published, l->at + length);
	ring_wake(&r->reader_sleeps);
}

static void ring_take(struct link *l)
{
	struct ring *r = l->ring;
	__u64 from = load(&r->consumed), to, k, words[MOST / 8];

	/* The dead one had handled that. */
	if (from < l->at) {
		from = l->at;
		store(&r->consumed, from);
	}
	ring_wait(&r->published, from + 1, &r->reader_sleeps);
	to = load(&r->published);
	if (to > from + MOST)
		to = from + MOST;
	for (k = 0; from + k < to; k += 8)
		words[k / 8] = r->words[(from + k) % CAPACITY / 8];
	handle(l, words, to - from);
	store(&r->consumed, to);
	ring_wake(&r->writer_sleeps);
}

static __u64 any(struct link *l)
{
	__u64 lot = zt_random(&l->seed);

	return lot % 2 ? lot >> (lot & 63) : lot % (2 * CAPACITY);
}

static void ring_lie(struct link *l)
{
	__u64 *words[] = { &l->ring->published, &l->ring->consumed };

	fill(l->ring->words, 0, CAPACITY);
	store(&l->notes->intent, CAPACITY);
	store(&l->ring->published, CAPACITY / 4);
	ring_wake(&l->ring->reader_sleeps);
	for (;;) {
		store(words[zt_random(&l->seed) % 2], any(l) & ~7ULL);
		ring_wake(&l->ring->reader_sleeps);
		usleep(zt_random(&l->seed) % 100);
	}
}

/* ---- zpipe ---- */

static int zpipe_open(struct link *l)
{
	struct zpipe_create_args *args = ZT_ARGS(0, CAPACITY);
	int ret = zt_create(args);

	l->fd[0] = args->out_writer_fd;
	l->fd[1] = args->out_reader_fd;
	return ret;
}

static void zpipe_attach(struct link *l, bool writer)
{
	if (zt_end_map(&l->end, l->fd[!writer]))
		_exit(BROKEN);
	l->at = writer ? l->end.info.out_published : load(&l->notes->handled);
	if (!writer) {
		/* A read of the dead one is over; what it had handled, too. */
		zt_advance(&l->end, ZPIPE_KEEP, ZPIPE_KEEP);
		if (l->end.info.out_consumed < l->at) {
			struct zt_view view;

			if (zt_read(&l->end, 1, 0, &view) || zt_advance(&l->end, l->at, l->at))
				_exit(BROKEN);
		}
	}
}

static void zpipe_grant(struct link *l, __u64 length)
{
	struct zpipe_alloc_args grant = { .position = l->at, .min = length };

	if (zt_ioctl(l->fd[0], ZPIPE_IOC_ALLOC, &grant))
		_exit(BROKEN);
	if (grant.out_flags & ZPIPE_RES_COMPLETED)
		_exit(TOLD);
	fill((__u64 *)(void *)(l->end.data + grant.out_offset), l->at, length);
	store(&l->notes->intent, l->at + length);
}

static void zpipe_put(struct link *l, __u64 length)
{
	struct zpipe_flush_args flush = { .position = l->at + length };

	zpipe_grant(l, length);
	if (zt_ioctl(l->fd[0], ZPIPE_IOC_FLUSH, &flush))
		_exit(BROKEN);
	if (flush.out_flags & ZPIPE_RES_COMPLETED)
		_exit(TOLD);
}

static void zpipe_take(struct link *l)
{
	struct zpipe_span spans[ZT_SPANS];
	struct zpipe_read_args read = { .spans = (uintptr_t)spans, .nr_spans = ZT_SPANS };
	int ret = zt_ioctl(l->fd[1], ZPIPE_IOC_READ, &read);
	__u64 at;
	__u32 k;

	if (ret)
		_exit(ret == -ECONNRESET || ret == -EPROTO ? TOLD : BROKEN);
	at = read.out_start;
	for (k = 0; k < read.out_nr_spans && k < ZT_SPANS; k++) {
		if (spans[k].offset + spans[k].length > 2 * l->end.info.out_window)
			_exit(FALSE_WORD);
		handle(l, (const __u64 *)(const void *)(l->end.data + spans[k].offset),
		       spans[k].length);
		at += spans[k].length;
	}
	ret = zt_advance(&l->end, at, at);
	if (ret)
		_exit(ret == -EPROTO ? TOLD : BROKEN);
}

static void zpipe_lie(struct link *l)
{
	zpipe_grant(l, CAPACITY);
	zt_store_published(&l->end, CAPACITY / 4);
	for (;;) {
		struct zpipe_flush_args flush = { .position = CAPACITY / 4 };

		zt_store_published(&l->end, any(l) & ~7ULL);
		/* Whatever it answers. */
		ioctl(l->fd[0], ZPIPE_IOC_FLUSH, &flush);
		usleep(zt_random(&l->seed) % 100);
	}
}

static const struct system systems[] = {
	{ "zpipe", zpipe_open, zpipe_attach, zpipe_put, zpipe_take, zpipe_lie },
	{ "pipe(2)", pipe_open, pipe_attach, pipe_put, pipe_take, NULL },
	{ "memfd ring", ring_open, ring_attach, ring_put, ring_take, ring_lie },
};

#define NR_SYSTEMS	(sizeof(systems) / sizeof(*systems))

/* ---- runs ---- */

FIXTURE(compare)
{
	struct notes *notes;
	__u64 seed;
	__u64 runs;
};

FIXTURE_SETUP(compare)
{
	const char *given = getenv("ZPIPE_COMPARE");

	self->runs = given ? strtoull(given, NULL, 0) : 20;
	self->seed = zt_seed();
	self->notes = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			   0);
	ASSERT_NE(MAP_FAILED, self->notes);
}

FIXTURE_TEARDOWN(compare)
{
}

#define KILLS	"%llu tried, %llu lost, %llu doubled, %llu hung, %llu wrong"
#define LIES	"%llu tried, %llu told, %llu unharmed, %llu misled, %llu wrong"

static int open_link(FIXTURE_DATA(compare) *self, const struct system *s, struct link *l)
{
	*l = (struct link){ .fd = { -1, -1 }, .notes = self->notes };
	memset(self->notes, 0, sizeof(*self->notes));
	return s->open(l);
}

static void close_link(struct link *l)
{
	if (l->ring)
		munmap(l->ring, sizeof(*l->ring));
	close(l->fd[0]);
	if (l->fd[1] >= 0)
		close(l->fd[1]);
}

static pid_t start(const struct system *s, struct link *l, bool writer, bool alone, __u64 seed)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	l->seed = seed;
	if (alone && l->fd[1] >= 0)
		close(l->fd[writer]);
	s->attach(l, writer);
	for (;;) {
		__u64 length = 8 + zt_random(&l->seed) % (MOST - 8) / 8 * 8;

		if (!writer) {
			s->take(l);
			continue;
		}
		s->put(l, length);
		l->at += length;
		store(&l->notes->done, l->at);
	}
}

/* Has it ended by itself before the time is up? Its status is for the caller. */
static bool ends(pid_t pid, int *status)
{
	__u64 end = zt_deadline(HUNG_MS);

	while (waitpid(pid, status, WNOHANG) != pid) {
		if (zt_now() > end)
			return false;
		zt_sleep_ms(1);
	}
	return true;
}

static void put_down(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The stream goes on: the successors handle something. */
static bool goes_on(const struct notes *notes, __u64 beyond)
{
	__u64 end = zt_deadline(HUNG_MS);

	while (load(&notes->handled) <= beyond) {
		if (zt_now() > end)
			return false;
		zt_sleep_ms(1);
	}
	return true;
}

struct verdict {
	__u64 lost;
	__u64 doubled;
	__u64 hung;
	__u64 wrong;	/* false words, crashes, errors that nobody knows */
};

/* A new link now and then: one that has lost its way stays there. */
static void kill_again_and_again(struct __test_metadata *_metadata, FIXTURE_DATA(compare) *self,
				 const struct system *s, struct verdict *v)
{
	__u64 run, lots = self->seed;

	for (run = 0; run < self->runs; run++) {
		__u64 whom = 1 + zt_random(&lots) % 3, beyond;
		struct link l;
		pid_t w, r;
		bool hung;
		int k;

		ASSERT_EQ(0, open_link(self, s, &l));
		w = start(s, &l, true, false, zt_random(&lots));
		r = start(s, &l, false, false, zt_random(&lots));
		hung = !goes_on(self->notes, 0);
		for (k = 0; k < 4 && !hung; k++) {
			usleep(zt_random(&lots) % 3000);
			if (whom & 1)
				kill(w, SIGKILL);
			if (whom & 2)
				kill(r, SIGKILL);
			if (whom & 1)
				waitpid(w, NULL, 0);
			if (whom & 2)
				waitpid(r, NULL, 0);
			beyond = load(&self->notes->intent);
			if (whom & 1)
				w = start(s, &l, true, false, zt_random(&lots));
			if (whom & 2)
				r = start(s, &l, false, false, zt_random(&lots));
			hung = !goes_on(self->notes, beyond);
		}
		v->wrong += waitpid(w, NULL, WNOHANG) || waitpid(r, NULL, WNOHANG);
		put_down(w);
		put_down(r);
		v->lost += load(&self->notes->lost);
		v->doubled += load(&self->notes->doubled);
		v->hung += hung;
		close_link(&l);
	}
}

TEST_F_TIMEOUT(compare, kills_with_successors, 100000)
{
	size_t k;

	for (k = 0; k < NR_SYSTEMS; k++) {
		struct verdict v = { 0 };

		kill_again_and_again(_metadata, self, &systems[k], &v);
		TH_LOG("compare: kills: %s: " KILLS, systems[k].name,
		       (unsigned long long)self->runs,
		       (unsigned long long)v.lost, (unsigned long long)v.doubled,
		       (unsigned long long)v.hung, (unsigned long long)v.wrong);
		if (k == 0)
			EXPECT_EQ(0, v.lost + v.doubled + v.hung + v.wrong);
	}
}

TEST_F_TIMEOUT(compare, ends_without_successors, 100000)
{
	size_t k;

	for (k = 0; k < NR_SYSTEMS; k++) {
		const struct system *s = &systems[k];
		struct verdict v = { 0 };
		__u64 run, lots = self->seed;
		int hung = 0;

		/* Each takes a while, and a few tell enough. */
		for (run = 0; run < self->runs && hung < 2; run++) {
			bool writer = run % 2;
			int status = 0;
			pid_t pid[2];
			struct link l;

			ASSERT_EQ(0, open_link(self, s, &l));
			pid[0] = start(s, &l, false, true, zt_random(&lots));
			pid[1] = start(s, &l, true, true, zt_random(&lots));
			close_link(&l);
			usleep(zt_random(&lots) % 5000);
			put_down(pid[writer]);
			if (!ends(pid[!writer], &status)) {
				put_down(pid[!writer]);
				hung++;
			} else {
				v.wrong += !WIFEXITED(status) || WEXITSTATUS(status) != TOLD;
			}
			/* What was published before is all there. */
			v.lost += writer && load(&self->notes->handled) < load(&self->notes->done);
			v.lost += load(&self->notes->lost);
		}
		TH_LOG("compare: ends: %s: %llu tried, %llu lost, %d hung, %llu wrong", s->name,
		       (unsigned long long)run, (unsigned long long)v.lost, hung,
		       (unsigned long long)v.wrong);
		if (k == 0)
			EXPECT_EQ(0, v.lost + hung + v.wrong);
	}
}

TEST_F_TIMEOUT(compare, lies_of_the_writer, 100000)
{
	size_t k;

	for (k = 0; k < NR_SYSTEMS; k++) {
		const struct system *s = &systems[k];
		__u64 run, lots = self->seed, told = 0, fine = 0;
		struct verdict v = { 0 };

		if (!s->lie) {
			TH_LOG("compare: lies: %s: it shares no words", s->name);
			continue;
		}
		for (run = 0; run < self->runs; run++) {
			int status = 0;
			pid_t liar, reader;
			struct link l;

			ASSERT_EQ(0, open_link(self, s, &l));
			liar = fork();
			if (!liar) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				l.seed = zt_random(&lots);
				s->attach(&l, true);
				s->lie(&l);
			}
			zt_random(&lots);
			reader = start(s, &l, false, false, zt_random(&lots));
			usleep(20000 + zt_random(&lots) % 20000);
			if (waitpid(reader, &status, WNOHANG) == reader) {
				bool is_told = WIFEXITED(status) && WEXITSTATUS(status) == TOLD;

				told += is_told;
				v.wrong += !is_told;
			} else {
				/* Not told, but it has had nothing false either. */
				put_down(reader);
				v.lost += load(&self->notes->lost) || load(&self->notes->doubled);
				fine += !load(&self->notes->lost) && !load(&self->notes->doubled);
			}
			put_down(liar);
			close_link(&l);
		}
		TH_LOG("compare: lies: %s: " LIES, s->name, (unsigned long long)run,
		       (unsigned long long)told,
		       (unsigned long long)fine, (unsigned long long)v.lost,
		       (unsigned long long)v.wrong);
		if (k == 0)
			EXPECT_EQ(0, v.lost + v.wrong);
	}
}

TEST_HARNESS_MAIN
