// SPDX-License-Identifier: GPL-2.0-only
/*
 * executor - see executor.h
 */
#include <err.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "runtime.h"
#include "syscalls.h"
#include "calls.h"

#include "executor.h"

#define TRACING		"/sys/kernel/tracing/"
#define MOST_WAKES	8	/* calls of a program that may sleep until a signal */
#define PATIENCE_MS	20000	/* so long a killed program may take to end */

#define KIND(name, args)	{ #name, args, call_##name },
const struct call_kind call_kinds[] = { FUZZ_CALLS(KIND) };
const int nr_call_kinds = sizeof(call_kinds) / sizeof(*call_kinds);

static int limit_ms;
static unsigned long nr_killed;
static char before[NR_PARAMETERS][24];

/* --- the machine --- */

/* Small pipes only, so that a program can do no harm to the machine. */
static void keep_pipes_small(void)
{
	write_text(PARAMETERS "max_capacity", "8388608");
}

static void put_parameters_back(void)
{
	char path[80];
	int i;

	for (i = 0; i < NR_PARAMETERS; i++) {
		snprintf(path, sizeof(path), PARAMETERS "%s", parameters[i]);
		write_text(path, before[i]);
	}
}

static void read_parameters(void)
{
	char path[80];
	ssize_t n;
	int i, fd;

	for (i = 0; i < NR_PARAMETERS; i++) {
		snprintf(path, sizeof(path), PARAMETERS "%s", parameters[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, before[i], sizeof(before[i]) - 1);
		if (n < 0)
			err(1, "%s", path);
		before[i][n] = '\0';
		close(fd);
	}
}

void executor_prepare(int limit, bool events)
{
	limit_ms = limit;
	/* Events are code, too. Once, since switching them rewrites the kernel. */
	if (events) {
		write_text(TRACING "events/zpipe/enable", "1");
		/* A second listener takes another way. */
		mkdir(TRACING "instances/fuzz", 0755);
		write_text(TRACING "instances/fuzz/events/zpipe/enable", "1");
	}
	let_fail();
	read_parameters();
	keep_pipes_small();
}

/* --- one program --- */

static uint64_t evaluate(const struct argument *a, char kind)
{
	if (kind == 'F' || kind == 'M' || kind == 'H')
		return a->slot;
	return (a->base ? value_of(a->base, a->slot) : 0) + a->offset;
}

static void run_call(const struct call *call)
{
	const struct call_kind *what = &call_kinds[call->what];
	struct job job = { .call = what->call, .keeps = says_how(what->name) };
	const char *kind = what->args;
	int i;

	for (i = 0; *kind; i++) {
		job.a[i] = evaluate(&call->a[i], *kind);
		kind += strcspn(kind, " ");
		kind += *kind == ' ';
	}
	run_on(call->thread, &job);
}

static void run_calls(const struct program *p, int from, int to)
{
	int i;

	for (i = from; i < to && i < p->nr; i++) {
		const struct call *call = &p->call[i];
		uint64_t lines = call->a[1].offset;

		if (call->what != CALL_FORK) {
			run_call(call);
			continue;
		}
		if (is_child)
			continue;
		if (lines > MOST_CALLS)
			lines = MOST_CALLS;
		if (!child_begin(call->a[0].offset)) {
			run_calls(p, i + 1, i + 1 + lines);
			clean_up();
		}
		i += lines;
	}
}

/* --- the process --- */

/* What the fuzzer and the process that runs its programs share. */
static struct {
	sem_t go;
	sem_t done;
	bool stays;		/* it can run another program */
	struct program p;
} *box;
static pid_t executor;

/* Whether nobody sleeps any more, also after a signal. */
static bool threads_are_idle(void)
{
	int i, tries;

	for (i = 1; i < NR_THREADS; i++) {
		for (tries = 0; tries < 3; tries++) {
			if (!__atomic_load_n(&workers[i].busy, __ATOMIC_ACQUIRE))
				break;
			pthread_kill(workers[i].thread, SIGUSR1);
			watch(&workers[i]);
		}
		if (__atomic_load_n(&workers[i].busy, __ATOMIC_ACQUIRE))
			return false;
	}
	return true;
}

/* Runs one program after the other, for as long as nothing is left of any. */
static void execute(void)
{
	setpgid(0, 0);
	thread_began = cover_begin;
	set_up();
	cover_begin(0);
	sem_post(&box->done);
	do {
		while (sem_wait(&box->go))
			;
		run_calls(&box->p, 0, box->p.nr);
		clean_up();
		box->stays = !program_has(&box->p, "user") && !program_has(&box->p, "fd_limit") &&
			     threads_are_idle();
		/* Threads may have opened something meanwhile. */
		clean_up();
		sem_post(&box->done);
	} while (box->stays);
	_exit(0);
}

static void start_executor(void)
{
	if (!box) {
		box = mmap(NULL, sizeof(*box), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
		if (box == MAP_FAILED)
			err(1, "memory");
	}
	sem_init(&box->go, 1, 0);
	sem_init(&box->done, 1, 0);
	box->stays = true;
	fflush(stdout);
	executor = fork();
	if (executor < 0)
		err(1, "fork");
	if (!executor)
		execute();
	/* To begin with takes longer than most programs do. */
	while (sem_wait(&box->done) && !waitpid(executor, NULL, WNOHANG))
		;
}

/* With all that it has left; false when it does not end. */
static bool end_executor(void)
{
	uint64_t begin = now_ns();

	if (!executor)
		return true;
	kill(-executor, SIGKILL);
	kill(executor, SIGKILL);
	while (waitpid(executor, NULL, WNOHANG) != executor) {
		if ((now_ns() - begin) / 1000000 > PATIENCE_MS)
			return false;
		sleep_us(1000);
	}
	/* Children of its, which may have come meanwhile. */
	kill(-executor, SIGKILL);
	executor = 0;
	return true;
}

/*
 * Until it has run the program, or has died of it. What sleeps is woken by a signal after a time,
 * and killed when that happens too often.
 */
static bool wait_for_executor(void)
{
	struct timespec until;
	int turn;

	for (turn = 1; turn <= 50 * MOST_WAKES; turn++) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += limit_ms * 20000L;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		if (!sem_timedwait(&box->done, &until))
			return box->stays || end_executor();
		if (waitpid(executor, NULL, WNOHANG) == executor) {
			kill(-executor, SIGKILL);
			executor = 0;
			nr_killed++;
			return true;
		}
		if (turn % 50 == 0)
			syscall(SYS_tgkill, executor, executor, SIGUSR1);
	}
	nr_killed++;
	return end_executor();
}

bool executor_run(const struct program *p, struct cover *cover)
{
	if (!executor)
		start_executor();
	cover_clear();
	box->p = *p;
	sem_post(&box->go);
	if (!wait_for_executor())
		return false;
	cover_collect(cover);
	if (program_has(p, "limit")) {
		put_parameters_back();
		keep_pipes_small();
	}
	return true;
}

void executor_stop(void)
{
	end_executor();
	put_parameters_back();
}

unsigned long executor_killed(void)
{
	return nr_killed;
}

uint64_t fuzz_now_ns(void)
{
	return now_ns();
}
