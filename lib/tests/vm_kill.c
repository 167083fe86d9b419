// SPDX-License-Identifier: MIT
/*
 * vm_kill - SIGKILL at random moments: nothing published is lost, nothing else appears
 *
 * A writer and a reader are processes that a supervisor, which holds both fds,
 * kills and starts anew. Each notes in shared memory what it is about to do
 * (intent) and what it has done (done): a kill leaves `published` and
 * `consumed` between the two, the successors go on exactly there, and every
 * byte that a reader sees must be the one that belongs to its position.
 *
 * ZPIPE_KILLS: how many, over all ways to go (1,200); ZPIPE_SEED repeats a run.
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "raw.h"
#include "stream.h"

#define PIPE_KILLS	40	/* per pipe */
#define LONGEST		3000	/* message */
#define BAD_EXIT	77

/* The fields of one process at a time; the supervisor reads those of the dead. */
struct witness {
	uint64_t intent;
	uint64_t done;
};

struct shared {
	struct witness w, r;
	uint64_t stop;		/* the writer completes at the first message from here on */
	uint64_t total;
};

enum way { MAPPED, CALLS, GUARDED, GUARDED_CALLS };

struct pair {
	struct shared *shared;
	enum way way;
	int wfd, rfd;
	pid_t writer, reader;
	uint64_t tried, lost;
};

static uint64_t state;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void store(uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_SEQ_CST);
}

static uint64_t load(const uint64_t *from)
{
	return __atomic_load_n(from, __ATOMIC_SEQ_CST);
}

static _Noreturn void bad(const char *what, long long value)
{
	printf("# pid %d: %s: %lld\n", (int)getpid(), what, value);
	fflush(stdout);
	_exit(BAD_EXIT);
}

/* ---- the two processes, by the library ---- */

static _Noreturn void write_mapped(struct pair *p)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct shared *s = p->shared;
	struct zp_writer *w;
	int ret = zp_writer_open(&w, p->wfd, &keep);

	if (ret)
		bad("writer: open", ret);
	for (;;) {
		size_t n = 1 + (size_t)(next() % LONGEST), i;

		if (load(&s->stop) <= zp_position(w)) {
			store(&s->total, zp_position(w));
			ret = zp_writer_complete(w, 0, 0);
			if (ret)
				bad("complete", ret);
			_exit(0);
		}
		ret = zp_alloc(w, n, &room);
		if (ret)
			bad("alloc", ret);
		for (i = 0; i < n; i++)
			((unsigned char *)room.data)[i] = byte_at(zp_position(w) + i);
		zp_commit(w, n);
		store(&s->w.intent, zp_position(w));
		ret = zp_flush(w);
		if (ret)
			bad("flush", ret);
		store(&s->w.done, zp_position(w));
	}
}

static _Noreturn void read_mapped(struct pair *p)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct shared *s = p->shared;
	struct zp_reader *r;
	int ret = zp_reader_open(&r, p->rfd, &keep);

	if (ret)
		bad("reader: open", ret);
	for (;;) {
		uint64_t to;

		ret = zp_read(r, &view);
		if (ret)
			bad("read", ret);
		if (!view_good(&view))
			bad("a wrong byte in the view from", (long long)view.start);
		if (view.start != zp_consumed(r))
			bad("the view does not begin at consumed", (long long)view.start);
		to = view.start == view.end ? view.end :
					      view.start + 1 + next() % (view.end - view.start);
		if (view.flags & ZP_COMPLETED && view.start == view.end) {
			store(&s->r.done, to);
			_exit(0);
		}
		store(&s->r.intent, to);
		ret = zp_advance(r, to, next() % 2 ? view.end : to);
		if (ret)
			bad("advance", ret);
		store(&s->r.done, to);
	}
}

/* ---- and without it: each step is a call, and nothing but bytes is shared ---- */

static _Noreturn void write_calls(struct pair *p)
{
	struct shared *s = p->shared;
	struct raw_end e;
	uint64_t at;
	int ret = raw_open(&e, p->wfd, true);

	if (ret)
		bad("raw writer: open", ret);
	at = e.info.out_published;
	for (;;) {
		struct zpipe_alloc_args grant = { .position = at, .min = 1 + next() % LONGEST };
		struct zpipe_flush_args flush = { 0 };
		uint64_t i;

		if (load(&s->stop) <= at) {
			struct zpipe_complete_args over = { 0 };

			store(&s->total, at);
			ret = raw_call(p->wfd, ZPIPE_IOC_COMPLETE, &over);
			if (ret)
				bad("COMPLETE", ret);
			_exit(0);
		}
		ret = raw_call(p->wfd, ZPIPE_IOC_ALLOC, &grant);
		if (ret || grant.out_length < grant.min)
			bad("ALLOC", ret);
		for (i = 0; i < grant.min; i++)
			*raw_at(&e, grant.out_offset + i) = byte_at(at + i);
		at += grant.min;
		store(&s->w.intent, at);
		flush.position = at;
		ret = raw_call(p->wfd, ZPIPE_IOC_FLUSH, &flush);
		if (ret)
			bad("FLUSH", ret);
		store(&s->w.done, at);
	}
}

static _Noreturn void read_calls(struct pair *p)
{
	struct zpipe_advance_args leave = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP };
	struct shared *s = p->shared;
	struct zpipe_span spans[64];
	struct raw_end e;
	int ret = raw_open(&e, p->rfd, false);

	if (ret)
		bad("raw reader: open", ret);
	/* A read of the dead one may be outstanding: it is over, without anything consumed. */
	ret = raw_call(p->rfd, ZPIPE_IOC_ADVANCE, &leave);
	if (ret && ret != -EPROTO)
		bad("ADVANCE for the dead", ret);
	for (;;) {
		struct zpipe_read_args read = { .spans = (uintptr_t)spans, .nr_spans = 64,
						.flags = ZPIPE_READ_F_REREAD };
		struct zpipe_advance_args to = { 0 };
		uint64_t at, i;
		uint32_t k;

		ret = raw_call(p->rfd, ZPIPE_IOC_READ, &read);
		if (ret || read.out_nr_spans > 64)
			bad("READ", ret);
		at = read.out_start;
		for (k = 0; k < read.out_nr_spans; k++) {
			for (i = 0; i < spans[k].length; i++, at++) {
				if (*raw_at(&e, spans[k].offset + i) != byte_at(at))
					bad("a wrong byte at", (long long)at);
			}
		}
		if (at != read.out_end)
			bad("the spans end at", (long long)at);
		if (read.out_flags & ZPIPE_RES_COMPLETED && at == read.out_start) {
			store(&s->r.done, at);
			_exit(0);
		}
		to.consumed = read.out_start + 1 + next() % (at - read.out_start);
		to.examined = to.consumed;
		store(&s->r.intent, to.consumed);
		ret = raw_call(p->rfd, ZPIPE_IOC_ADVANCE, &to);
		if (ret)
			bad("ADVANCE", ret);
		store(&s->r.done, to.consumed);
	}
}

/* ---- the supervisor ---- */

static pid_t start(struct pair *p, bool writer)
{
	bool calls = p->way == CALLS || p->way == GUARDED_CALLS;
	uint64_t seed = next();
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	state = seed | 1;
	if (writer && calls)
		write_calls(p);
	else if (writer)
		write_mapped(p);
	else if (calls)
		read_calls(p);
	else
		read_mapped(p);
}

/* A process that has ended by itself has something to complain about. */
static void reap(struct pair *p, pid_t pid, const char *who)
{
	int status = join(pid);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	printf("# %s ended by itself: status %#x\n", who, (unsigned int)status);
	p->lost++;
}

static void check_between(struct pair *p, const char *what, uint64_t is, const struct witness *w)
{
	if (is >= load(&w->done) && is <= load(&w->intent))
		return;
	printf("# %s is %llu, not from %llu to %llu\n", what, (unsigned long long)is,
	       (unsigned long long)load(&w->done), (unsigned long long)load(&w->intent));
	p->lost++;
}

/* Some time, or until somebody has come so far: often just a few instructions. */
static void wait_a_while(struct pair *p)
{
	uint64_t until = load(&p->shared->w.done) + next() % 20000;
	uint64_t i, turns = next() % (1 << next() % 15);

	for (i = 0; i < turns && load(&p->shared->w.done) < until; i++) {
		if (i % 64 == 63)
			sched_yield();
	}
	if (next() % 8 == 0) {
		struct timespec t = { .tv_nsec = (long)(next() % 2000000) };

		nanosleep(&t, NULL);
	}
}

static void kill_some(struct pair *p)
{
	struct zp_info info = { .sz = sizeof(info) };
	struct shared *s = p->shared;
	uint64_t whom = 1 + next() % 3;

	wait_a_while(p);
	if (whom & 1)
		kill(p->writer, SIGKILL);
	if (whom & 2)
		kill(p->reader, SIGKILL);
	if (whom & 1)
		reap(p, p->writer, "the writer");
	if (whom & 2)
		reap(p, p->reader, "the reader");
	if (zp_query(p->rfd, &info)) {
		p->lost++;
		return;
	}
	if (whom & 1) {
		check_between(p, "published", info.published, &s->w);
		store(&s->w.intent, info.published);
		store(&s->w.done, info.published);
	}
	if (whom & 2) {
		check_between(p, "consumed", info.consumed, &s->r);
		store(&s->r.intent, info.consumed);
		store(&s->r.done, info.consumed);
	}
	p->tried++;
	if (whom & 1)
		p->writer = start(p, true);
	if (whom & 2)
		p->reader = start(p, false);
}

static void one_pipe(struct pair *p, uint64_t kills)
{
	bool guarded = p->way == GUARDED || p->way == GUARDED_CALLS;
	struct zp_create_opts opts = {
		.sz = sizeof(opts), .flags = guarded ? ZP_GUARDED : 0, PAGES(8),
	};
	int first, second;

	memset(p->shared, 0, sizeof(*p->shared));
	p->shared->stop = UINT64_MAX;
	ASSERT_EQ(zp_create(&opts, &p->wfd, &p->rfd), 0);
	alarm(WATCHDOG);
	p->writer = start(p, true);
	p->reader = start(p, false);
	while (kills-- && !p->lost)
		kill_some(p);
	if (p->lost) {
		kill(p->writer, SIGKILL);
		kill(p->reader, SIGKILL);
	}
	store(&p->shared->stop, 0);
	first = join(p->writer);
	second = join(p->reader);
	if (!p->lost && (first || second || p->shared->r.done != p->shared->total)) {
		printf("# the stream ended at %llu of %llu, statuses %#x and %#x\n",
		       (unsigned long long)p->shared->r.done,
		       (unsigned long long)p->shared->total, (unsigned int)first,
		       (unsigned int)second);
		p->lost++;
	}
	alarm(0);
	close(p->wfd);
	close(p->rfd);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void sweep(enum way way, const char *name)
{
	struct pair p = { .way = way };
	uint64_t kills = from_environment("ZPIPE_KILLS", 1200) / 4;
	uint64_t seed = from_environment("ZPIPE_SEED", zp_deadline(0));

	p.shared = mmap(NULL, sizeof(*p.shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(p.shared != MAP_FAILED);
	state = seed * 0x9e3779b97f4a7c15ULL | 1;
	while (p.tried < kills && !p.lost)
		one_pipe(&p, kills - p.tried < PIPE_KILLS ? kills - p.tried : PIPE_KILLS);
	printf("# kill: %s: %llu tried, %llu lost, seed %llu\n", name,
	       (unsigned long long)p.tried, (unsigned long long)p.lost, (unsigned long long)seed);
	EXPECT_EQ(p.lost, 0);
	EXPECT_EQ(p.tried, kills);
	munmap(p.shared, sizeof(*p.shared));
}

static void sweep_mapped(void)
{
	sweep(MAPPED, "mapped");
}

static void sweep_calls(void)
{
	sweep(CALLS, "calls alone");
}

static void sweep_guarded(void)
{
	sweep(GUARDED, "guarded, by the library");
}

static void sweep_guarded_calls(void)
{
	sweep(GUARDED_CALLS, "guarded, calls alone");
}

static const struct tap_test tests[] = {
	{ "kill.mapped_ends_at_any_moment", sweep_mapped },
	{ "kill.ends_that_only_call_at_any_moment", sweep_calls },
	{ "kill.guarded_ends_at_any_moment", sweep_guarded },
	{ "kill.guarded_ends_that_only_call_at_any_moment", sweep_guarded_calls },
};

VM_MAIN(tests)
