// SPDX-License-Identifier: MIT
/*
 * vm_step - SIGKILL after each single instruction of a flush, an alloc, an advance, a read
 *
 * A process is stepped with ptrace(2) through one call of the library and is
 * killed after the first instruction, another one after the second, and so on
 * until the call is over. However far it came, the pipe is as before the call
 * or as after it: whoever slept at the other end is awake if there is something
 * for it, a successor goes on, and every byte is the one of its position.
 *
 * ZPIPE_STRIDE=1 does so; the short form kills after every n-th, from a random
 * one on.
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "raw.h"
#include "stream.h"

#define PAGE		4096u
#define SHOWN		100u	/* published before the call */
#define MORE		50u	/* and what the call publishes, or gives back */
#define SHORT_STEPS	12	/* kills of the short form, for each call */

/* What stands between here and the other side, in shared memory. */
struct shared {
	uint32_t woken;		/* the sleeper at the other end has returned, and is content */
	uint32_t asleep;	/* it is about to sleep */
};

struct scene {
	const char *name;
	uint32_t flags;
	/* In the process that is stepped: what comes before, and the call. */
	void (*before)(struct scene *s);
	int (*call)(struct scene *s);
	/* A process at the other end that sleeps meanwhile, or NULL. */
	int (*sleeper)(struct scene *s);
	bool writes;		/* the call is the writer's */
	uint64_t grants;	/* bytes that are published before */
	uint64_t capacity;
	int wfd, rfd;
	struct zp_writer *w;
	struct zp_reader *r;
	struct shared *shared;
	pid_t pid, other;
};

static _Noreturn void bad(const char *what, int ret)
{
	printf("# pid %d: %s: %d\n", (int)getpid(), what, ret);
	fflush(stdout);
	_exit(77);
}

static void must(const char *what, int ret)
{
	if (ret)
		bad(what, ret);
}

static struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD, .spin = -1 };

/* ---- the calls ---- */

static void committed(struct scene *s)
{
	must("put", put(s->w, MORE));
}

static int flush(struct scene *s)
{
	return zp_flush(s->w);
}

static void at_the_end_of_a_grant(struct scene *s)
{
	must("put", put(s->w, PAGE - SHOWN));
	must("flush", zp_flush(s->w));
}

static int alloc(struct scene *s)
{
	return zp_alloc(s->w, 200, &room);
}

static void view_taken(struct scene *s)
{
	must("read", zp_read(s->r, &view));
}

static int advance(struct scene *s)
{
	return zp_advance(s->r, view.start + MORE, view.end);
}

static int advance_a_segment(struct scene *s)
{
	return zp_advance(s->r, view.start + PAGE, view.end);
}

static void nothing(struct scene *s)
{
	(void)s;
}

static int read_all(struct scene *s)
{
	return zp_read(s->r, &view);
}

static void all_consumed(struct scene *s)
{
	must("read", zp_read(s->r, &view));
	must("consume", zp_consume_all(s->r));
}

static int try_read(struct scene *s)
{
	return zp_try_read(s->r, &view) == -EAGAIN ? 0 : 1;
}

/* ---- who sleeps ---- */

static int reader_sleeps(struct scene *s)
{
	must("open", zp_reader_open(&s->r, s->rfd, &keep));
	must("read", zp_read(s->r, &view));
	must("consume", zp_consume_all(s->r));
	__atomic_store_n(&s->shared->asleep, 1, __ATOMIC_SEQ_CST);
	must("read", zp_read(s->r, &view));
	if (view.start != SHOWN || view.end != SHOWN + MORE || !view_good(&view))
		bad("wrong bytes", (int)view.end);
	return 0;
}

static int writer_sleeps(struct scene *s)
{
	must("open", zp_writer_open(&s->w, s->wfd, &keep));
	__atomic_store_n(&s->shared->asleep, 1, __ATOMIC_SEQ_CST);
	must("alloc", zp_alloc(s->w, PAGE, &room));
	return 0;
}

/* ---- stepping ---- */

static void wait_for(const uint32_t *flag, const char *what)
{
	unsigned int i;

	for (i = 0; !__atomic_load_n(flag, __ATOMIC_SEQ_CST); i++) {
		if (i > 20000)
			bad(what, 0);
		sleep_ms(1);
	}
}

/* Does a process sleep in the kernel? */
static bool sleeps(pid_t pid)
{
	char path[64], text[512] = "", *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = '\0';
		fclose(f);
	}
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

static void start_sleeper(struct scene *s)
{
	unsigned int i;

	fflush(stdout);
	s->other = fork();
	if (s->other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		must("sleeper", s->sleeper(s));
		__atomic_store_n(&s->shared->woken, 1, __ATOMIC_SEQ_CST);
		_exit(0);
	}
	wait_for(&s->shared->asleep, "nobody is about to sleep");
	for (i = 0; i < 20000 && !sleeps(s->other); i++)
		sleep_ms(1);
	EXPECT(sleeps(s->other));
}

/* A pipe with a few bytes, and a process that stops right before the call. */
static void set_scene(struct scene *s)
{
	struct zp_create_opts opts = {
		.sz = sizeof(opts), .flags = s->flags, .segment_size = PAGE,
		.capacity = s->capacity, .pause = ZP_NEVER,
	};
	struct zp_writer *w;
	int status;

	memset(s->shared, 0, sizeof(*s->shared));
	s->other = 0;
	must("create", zp_create(&opts, &s->wfd, &s->rfd));
	must("open", zp_writer_open(&w, s->wfd, &keep));
	must("put", put(w, (size_t)s->grants));
	must("flush", zp_flush(w));
	zp_writer_close(w);
	if (s->sleeper)
		start_sleeper(s);

	fflush(stdout);
	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (s->writes)
			must("open", zp_writer_open(&s->w, s->wfd, &keep));
		else
			must("open", zp_reader_open(&s->r, s->rfd, &keep));
		s->before(s);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		__asm__ volatile("int3");
		status = s->call(s);
		__asm__ volatile("int3");
		_exit(status);
	}
	if (waitpid(s->pid, &status, 0) != s->pid || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGTRAP)
		bad("the process does not stop", status);
}

/* One instruction more. False when the call is over. */
static bool step(struct scene *s)
{
	siginfo_t info;
	int status;

	if (ptrace(PTRACE_SINGLESTEP, s->pid, NULL, NULL) || waitpid(s->pid, &status, 0) != s->pid)
		bad("PTRACE_SINGLESTEP", errno);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		bad("the call ends in an unexpected way", status);
	if (ptrace(PTRACE_GETSIGINFO, s->pid, NULL, &info))
		bad("PTRACE_GETSIGINFO", errno);
	return info.si_code == TRAP_TRACE;
}

static void end_of(pid_t pid)
{
	kill(pid, SIGKILL);
	EXPECT(WIFSIGNALED(join(pid)));
}

/* The reader that comes next, then the writer, then all bytes to the end. */
static void check_successors(struct scene *s)
{
	struct zp_info info = { .sz = sizeof(info) };
	struct zp_writer *w;
	struct zp_reader *r;
	uint64_t at;

	ASSERT_EQ(zp_query(s->rfd, &info), 0);
	ASSERT_EQ(zp_writer_open(&w, s->wfd, &keep), 0);
	ASSERT_EQ(zp_reader_open(&r, s->rfd, &keep), 0);
	EXPECT_EQ(zp_position(w), info.published);
	EXPECT_EQ(zp_consumed(r), info.consumed);
	at = info.consumed;
	if (info.published > at) {
		ASSERT_EQ(zp_read(r, &view), 0);
		EXPECT_EQ(view.start, at);
		EXPECT_EQ(view.end, info.published);
		EXPECT(view_good(&view));
		ASSERT_EQ(zp_consume_all(r), 0);
	}
	ASSERT_EQ(put(w, 300), 0);
	ASSERT_EQ(zp_flush(w), 0);
	ASSERT_EQ(zp_writer_complete(w, 0, 0), 0);
	ASSERT_EQ(zp_read(r, &view), 0);
	EXPECT_EQ(view.start, info.published);
	EXPECT_EQ(zp_view_len(&view), 300);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume_all(r), 0);
	ASSERT_EQ(zp_read(r, &view), 0);
	EXPECT_EQ(view.flags, ZP_COMPLETED);
	zp_writer_close(w);
	zp_reader_close(r);
}

/* What the words say that the kernel has not been asked about. */
static void check_sleeper(struct scene *s, const struct raw_end *e, uint64_t consumed)
{
	bool due = s->writes ? raw_published(e) > s->grants : consumed >= PAGE;

	if (due)
		wait_for(&s->shared->woken, "the sleeper is not woken");
	else
		EXPECT(sleeps(s->other) && !s->shared->woken);
	if (!due)
		end_of(s->other);
	else
		EXPECT_EQ(join(s->other), 0);
}

/* The shared word of the reader, without a call. */
static uint64_t consumed_word(const struct raw_end *e)
{
	size_t size = (size_t)e->info.out_reader.size;
	const unsigned char *page = mmap(NULL, size, PROT_READ, MAP_SHARED, e->fd,
					 (off_t)e->info.out_reader.offset);
	uint64_t consumed;

	if (page == MAP_FAILED)
		bad("mmap", errno);
	consumed = *(const uint64_t *)(const void *)(page + e->info.out_consumed_at);
	munmap((void *)(uintptr_t)page, size);
	return consumed;
}

/* Killed after so many instructions. Returns whether the call was not over by then. */
static bool kill_after(struct scene *s, uint64_t steps)
{
	struct raw_end e;
	bool going = true;

	set_scene(s);
	must("raw_open", raw_open(&e, s->rfd, false));
	while (going && steps--)
		going = step(s);
	end_of(s->pid);
	if (s->sleeper)
		check_sleeper(s, &e, consumed_word(&e));
	raw_unmap(&e);
	check_successors(s);
	close(s->wfd);
	close(s->rfd);
	return going;
}

static uint64_t count_steps(struct scene *s)
{
	uint64_t steps = 0;

	set_scene(s);
	while (step(s))
		steps++;
	end_of(s->pid);
	if (s->other) {
		/* the call was over, so it may be too */
		kill(s->other, SIGKILL);
		join(s->other);
	}
	close(s->wfd);
	close(s->rfd);
	return steps;
}

static void walk(struct scene s)
{
	const char *stride_is = getenv("ZPIPE_STRIDE");
	uint64_t k, steps, stride, tried = 0, first = 0;
	int failed = tap_failed;

	s.shared = mmap(NULL, sizeof(*s.shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(s.shared != MAP_FAILED);
	if (!s.grants)
		s.grants = SHOWN;
	if (!s.capacity)
		s.capacity = 4ULL * PAGE;
	alarm(3600);
	steps = count_steps(&s);
	stride = stride_is ? strtoull(stride_is, NULL, 0) : 1 + steps / SHORT_STEPS;
	if (stride > 1)
		first = zp_deadline(0) % stride;
	for (k = first; k <= steps && tap_failed == failed; k += stride) {
		/* how many there are may differ by what the linker resolves */
		kill_after(&s, k);
		tried++;
	}
	alarm(0);
	printf("# step: %s%s: %llu instructions, every %llu. from %llu on: %llu tried, %d lost\n",
	       s.name, s.flags & ZP_GUARDED ? ", guarded" : "", (unsigned long long)steps,
	       (unsigned long long)stride, (unsigned long long)first,
	       (unsigned long long)tried, tap_failed - failed);
	EXPECT(steps > 3);
	munmap(s.shared, sizeof(*s.shared));
}

static void both_modes(struct scene s)
{
	walk(s);
	s.flags = ZP_GUARDED;
	walk(s);
}

static void flushes(void)
{
	struct scene s = { "flush", .writes = true, .before = committed, .call = flush };

	both_modes(s);
}

static void flushes_to_a_sleeper(void)
{
	struct scene s = { "flush to a reader that sleeps", .writes = true, .before = committed,
			   .call = flush, .sleeper = reader_sleeps };

	both_modes(s);
}

static void allocs(void)
{
	struct scene s = { "alloc", .writes = true, .before = at_the_end_of_a_grant,
			   .call = alloc };

	both_modes(s);
}

static void advances(void)
{
	struct scene s = { "advance", .before = view_taken, .call = advance };

	both_modes(s);
}

static void advances_to_a_sleeper(void)
{
	struct scene s = { "advance for a writer that sleeps", .before = view_taken,
			   .call = advance_a_segment, .sleeper = writer_sleeps,
			   .grants = 2ULL * PAGE, .capacity = 2ULL * PAGE };

	both_modes(s);
}

static void reads(void)
{
	struct scene some = { "read", .before = nothing, .call = read_all };
	struct scene none = { "read of nothing", .before = all_consumed, .call = try_read };

	both_modes(some);
	both_modes(none);
}

static const struct tap_test tests[] = {
	{ "step.flush_killed_after_each_instruction", flushes },
	{ "step.flush_that_wakes_a_reader", flushes_to_a_sleeper },
	{ "step.alloc", allocs },
	{ "step.advance", advances },
	{ "step.advance_that_wakes_a_writer", advances_to_a_sleeper },
	{ "step.read", reads },
};

VM_MAIN(tests)
