// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpipe_wait - time, threads, children and users for the zpipe selftests
 *
 * Every wait here has an end: what takes longer than ZT_PATIENCE_MS dies with a line that says
 * what was waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "zpipe_test.h"

__u64 zt_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

__u64 zt_deadline(unsigned int ms)
{
	return zt_now() + ms * 1000000ULL;
}

void zt_sleep_ms(unsigned int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

bool zt_eventually(bool (*test)(void *), void *arg)
{
	__u64 end = zt_deadline(ZT_PATIENCE_MS);

	while (!test(arg)) {
		if (zt_now() > end)
			return false;
		zt_sleep_ms(1);
	}
	return true;
}

static bool reader_armed(void *e)
{
	return zt_reader_wake((const struct zt_end *)e) != ZPIPE_UNARMED;
}

static bool paused_armed(void *e)
{
	return zt_wake_examined((const struct zt_end *)e) != ZPIPE_UNARMED;
}

static bool starved_armed(void *e)
{
	return zt_wake_consumed((const struct zt_end *)e) != ZPIPE_UNARMED;
}

void zt_await_reader(const struct zt_end *e)
{
	if (!zt_eventually(reader_armed, (void *)e))
		zt_die("no reader came to wait");
}

void zt_await_paused(const struct zt_end *e)
{
	if (!zt_eventually(paused_armed, (void *)e))
		zt_die("no writer came to be paused");
}

void zt_await_starved(const struct zt_end *e)
{
	if (!zt_eventually(starved_armed, (void *)e))
		zt_die("no writer came to wait for memory");
}

static bool asleep(void *arg)
{
	char path[64], line[256], *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)arg);
	f = fopen(path, "r");
	if (!f)
		return true;
	state = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return state && (state[2] == 'S' || state[2] == 'Z');
}

/* Also right for a thread of this process: /proc/TID exists, though it is not listed. */
void zt_await_asleep(pid_t tid)
{
	if (!zt_eventually(asleep, &tid))
		zt_die("task %d does not sleep", tid);
}

static void *run_call(void *arg)
{
	struct zt_bg *bg = arg;

	atomic_store(&bg->tid, syscall(SYS_gettid));
	bg->ret = zt_ioctl(bg->fd, bg->cmd, bg->args);
	atomic_store(&bg->done, true);
	return NULL;
}

void zt_spawn(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	int ret = pthread_create(thread, NULL, fn, arg);

	if (ret)
		zt_die("pthread_create: %s", strerror(ret));
}

void zt_join(pthread_t thread)
{
	struct timespec end;
	int ret;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += ZT_PATIENCE_MS / 1000;
	ret = pthread_timedjoin_np(thread, NULL, &end);
	if (ret)
		zt_die("a thread does not end: %s", strerror(ret));
}

void zt_bg_start(struct zt_bg *bg, int fd, unsigned long cmd, void *args)
{
	*bg = (struct zt_bg){ .fd = fd, .cmd = cmd, .args = args, .ret = -ETIME };
	zt_spawn(&bg->thread, run_call, bg);
}

static bool has_begun(void *tid)
{
	return atomic_load((atomic_int *)tid);
}

/* True when the call still sleeps after a glance: for calls that arm no word. */
bool zt_bg_sleeps(struct zt_bg *bg)
{
	if (!zt_eventually(has_begun, &bg->tid))
		return false;
	zt_sleep_ms(ZT_GLANCE_MS);
	return !atomic_load(&bg->done);
}

int zt_bg_join(struct zt_bg *bg)
{
	zt_join(bg->thread);
	return bg->ret;
}

static void *run_splice(void *arg)
{
	struct zt_splice *bg = arg;
	ssize_t ret;

	atomic_store(&bg->tid, syscall(SYS_gettid));
	ret = splice(bg->in, NULL, bg->out, NULL, bg->length, bg->flags);
	bg->ret = ret < 0 ? -errno : ret;
	atomic_store(&bg->done, true);
	return NULL;
}

void zt_splice_start(struct zt_splice *bg, int in, int out, size_t length)
{
	*bg = (struct zt_splice){ .in = in, .out = out, .length = length, .ret = -ETIME };
	zt_spawn(&bg->thread, run_splice, bg);
}

/* True when it sleeps, interruptibly, and still does after a glance. */
bool zt_splice_sleeps(struct zt_splice *bg)
{
	if (!zt_eventually(has_begun, &bg->tid))
		return false;
	zt_sleep_ms(ZT_GLANCE_MS);
	if (atomic_load(&bg->done))
		return false;
	zt_await_asleep(atomic_load(&bg->tid));
	return !atomic_load(&bg->done);
}

ssize_t zt_splice_join(struct zt_splice *bg)
{
	zt_join(bg->thread);
	return bg->ret;
}

/* The exit status of a child, or 128 and its signal. */
int zt_wait_child(pid_t child)
{
	__u64 end = zt_deadline(ZT_PATIENCE_MS);
	int status;
	pid_t pid;

	while (!(pid = waitpid(child, &status, WNOHANG))) {
		if (zt_now() > end) {
			kill(child, SIGKILL);
			zt_die("child %d does not end", child);
		}
		zt_sleep_ms(1);
	}
	if (pid != child)
		zt_die("waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

__u64 zt_seed(void)
{
	const char *given = getenv("ZPIPE_SEED");
	__u64 seed = given ? strtoull(given, NULL, 0) : 0x5eedULL + zt_now();

	printf("# seed %#llx (ZPIPE_SEED repeats it)\n", (unsigned long long)seed);
	fflush(stdout);
	return seed ? seed : 1;
}

/* splitmix64 */
__u64 zt_random(__u64 *state)
{
	__u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

bool zt_long(void)
{
	return getenv("ZPIPE_LONG");
}

static sigjmp_buf refused;

static void refuse(int sig)
{
	siglongjmp(refused, sig);
}

/* Outlives the jump out of touch(). */
static int touched;

/* A byte, or -1 where there is none to be had. */
static int touch(unsigned char *at, bool store)
{
	struct sigaction act = { .sa_handler = refuse }, bus, segv;

	touched = -1;

	sigaction(SIGBUS, &act, &bus);
	sigaction(SIGSEGV, &act, &segv);
	if (!sigsetjmp(refused, 1)) {
		if (store)
			__atomic_store_n(at, 0x5a, __ATOMIC_SEQ_CST);
		touched = store ? 0x5a : __atomic_load_n(at, __ATOMIC_SEQ_CST);
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return touched;
}

int zt_peek(const unsigned char *at)
{
	return touch((unsigned char *)(uintptr_t)at, false);
}

bool zt_can_read(const unsigned char *at)
{
	return zt_peek(at) >= 0;
}

/* Leaves 0x5a there. */
bool zt_can_write(unsigned char *at)
{
	return touch(at, true) >= 0;
}

/* A user nobody else is: the limits of such a process start at nothing. */
uid_t zt_fresh_uid(void)
{
	static uid_t next;

	if (!next)
		next = 200000 + getpid() % 100000 * 16;
	return next++;
}

void zt_become(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		zt_die("setresuid %u: %s", uid, strerror(errno));
}

void zt_allow_files(unsigned long most)
{
	struct rlimit files = { .rlim_cur = most, .rlim_max = most };

	if (setrlimit(RLIMIT_NOFILE, &files))
		zt_die("RLIMIT_NOFILE %lu: %s", most, strerror(errno));
}
