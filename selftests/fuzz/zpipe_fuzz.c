// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpipe_fuzz - programs of calls against /dev/zpipe, changed at random, guided by coverage
 *
 * Programs are run by a child, which closes all that a program had; where that cannot be (somebody
 * still sleeps, or is nobody special any more), and when one takes too long, another child goes on.
 * Where the kernel has kcov and the module is instrumented, a program that reaches a block of the
 * module that none has reached is cut down to what it needs for that, and joins the corpus;
 * elsewhere the corpus is run and changed blindly. After each program the kernel's log is read: a
 * report ends the run, with the program as text and as C.
 */
#include <dirent.h>
#include <err.h>
#include <getopt.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "runtime.h"
#include "calls.h"

#include "cover.h"
#include "program.h"

#define TRACING		"/sys/kernel/tracing/"
#define MOST_PROGRAMS	4096
#define MOST_WAKES	8	/* calls of a program that may sleep until a signal */
#define PATIENCE_MS	20000	/* so long a killed program may take to end */

#define KIND(name, args)	{ #name, args, call_##name },
const struct call_kind call_kinds[] = { FUZZ_CALLS(KIND) };
const int nr_call_kinds = sizeof(call_kinds) / sizeof(*call_kinds);

static struct entry {
	struct program p;
	struct cover cover;
	char name[64];
} *corpus[MOST_PROGRAMS];
static int nr_corpus;

static struct cover reached;
static unsigned long nr_run, nr_killed;
static int nr_blocks;
static int limit_ms = 200;
static int log_fd = -1, current_fd = -1;
static uint64_t seed;
static const char *keep_dir;
static char before[NR_PARAMETERS][24];

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

static void remember_current(const struct program *p)
{
	char *text = NULL;
	size_t size;
	FILE *to;

	if (current_fd < 0)
		return;
	to = open_memstream(&text, &size);
	if (!to)
		err(1, "memory");
	program_print(p, to);
	fclose(to);
	if (pwrite(current_fd, text, size, 0) < 0 || ftruncate(current_fd, size))
		err(1, "--current");
	free(text);
}

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

static void print_as_text_and_c(const struct program *p)
{
	printf("--- program ---\n");
	program_print(p, stdout);
	printf("--- the same in C ---\n");
	program_print_c(p, stdout);
	printf("--- end ---\n");
	fflush(stdout);
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

static const char *const bad_words[] = {
	"BUG:", "WARNING:", "KASAN:", "Oops", "UBSAN:", "INFO: task", "INFO: rcu", "refcount_t:",
	"possible recursive", "possible circular", "suspicious RCU", "unable to handle", "Bad page",
	"list_add corruption", "list_del corruption", "ODEBUG:", "sleeping function called",
};

static bool log_is_clean(void)
{
	char line[1024];
	bool clean = true;
	ssize_t n;
	size_t i;

	if (log_fd < 0)
		return true;
	while ((n = read(log_fd, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n < 0 ? 0 : n] = '\0';
		for (i = 0; i < sizeof(bad_words) / sizeof(*bad_words); i++) {
			if (strstr(line, bad_words[i])) {
				clean = false;
				printf("report: %s", line);
			}
		}
	}
	return clean;
}

static void summary(unsigned int reports)
{
	int n = cover_count(&reached), within, all;

	within = cover_within_reach(&reached, &all);
	printf("# fuzz: seed %#llx, %lu programs, %d of %d blocks (%d %%), ",
	       (unsigned long long)seed, nr_run, n, nr_blocks, nr_blocks ? n * 100 / nr_blocks : 0);
	printf("of those within reach %d of %d (%d %%), %u reports; %lu killed, %d kept\n", within,
	       all, all ? within * 100 / all : 0, reports, nr_killed, nr_corpus);
	fflush(stdout);
}

static void defect(const struct program *p, const char *why)
{
	end_executor();
	put_parameters_back();
	printf("not ok - %s\n", why);
	print_as_text_and_c(p);
	summary(1);
	exit(1);
}

/* Runs it and says what it has reached; a report ends the fuzzer. */
static void run(const struct program *p, struct cover *cover)
{
	remember_current(p);
	if (!executor)
		start_executor();
	cover_clear();
	box->p = *p;
	sem_post(&box->go);
	if (!wait_for_executor())
		defect(p, "a killed program does not end");
	nr_run++;
	cover_collect(cover);
	if (program_has(p, "limit")) {
		put_parameters_back();
		keep_pipes_small();
	}
	if (!log_is_clean())
		defect(p, "the kernel has complained");
}

/* --- the corpus --- */

static struct entry *add(const struct program *p, const struct cover *cover, const char *name)
{
	struct entry *entry = malloc(sizeof(*entry));

	if (!entry)
		err(1, "memory");
	entry->p = *p;
	entry->cover = *cover;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	if (nr_corpus == MOST_PROGRAMS)
		errx(1, "too many programs");
	return corpus[nr_corpus++] = entry;
}

static char *read_file(const char *path)
{
	FILE *from = fopen(path, "r");
	char *text = calloc(1, 65536);

	if (!from || !text || fread(text, 1, 65535, from) == 0)
		err(1, "%s", path);
	fclose(from);
	return text;
}

static void load_program(struct program *p, const char *path)
{
	char *text = read_file(path);
	int line = program_parse(p, text);

	if (line)
		errx(1, "%s:%d: no call", path, line);
	free(text);
}

static int by_name(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void load_corpus(const char *dir)
{
	static const struct cover nothing;
	struct dirent *found;
	char path[4096];
	DIR *all = opendir(dir);

	if (!all)
		err(1, "%s", dir);
	while ((found = readdir(all))) {
		struct program p;

		if (!strstr(found->d_name, ".txt"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, found->d_name);
		load_program(&p, path);
		add(&p, &nothing, found->d_name);
	}
	closedir(all);
	/* The same order everywhere, for the same numbers from the same seed. */
	qsort(corpus, nr_corpus, sizeof(*corpus), by_name);
}

/* In words, for who looks at the folder: the calls of a program make its name. */
static void name_of(const struct program *p, char *name, size_t size)
{
	char *text = NULL;
	size_t length, i;
	uint32_t hash = 2166136261U;
	FILE *to = open_memstream(&text, &length);

	if (!to)
		err(1, "memory");
	program_print(p, to);
	fclose(to);
	for (i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619U;
	free(text);
	snprintf(name, size, "%08x.txt", hash);
}

static void save(const struct entry *entry, const char *dir)
{
	char path[4096];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%s", dir, entry->name);
	to = fopen(path, "w");
	if (!to)
		err(1, "%s", path);
	fprintf(to, "# SPDX-License-Identifier: GPL-2.0-only\n");
	program_print(&entry->p, to);
	if (fclose(to))
		err(1, "%s", path);
}

/* Without each call that is not needed for what it was kept for. */
static void minimize(struct program *p, const struct cover *wanted, struct cover *all)
{
	int i;

	for (i = p->nr - 1; i >= 0; i--) {
		struct program less = *p;
		struct cover cover;

		program_drop(&less, i);
		run(&less, &cover);
		if (cover_holds(&cover, wanted)) {
			*p = less;
			*all = cover;
		}
	}
}

/* It has reached what none has; is that so again, and what does it need for it. */
static void keep(const struct program *found, const struct cover *cover)
{
	struct program p = *found;
	struct cover fresh, again;
	char name[64];
	struct entry *entry;

	cover_new(cover, &reached, &fresh);
	run(&p, &again);
	cover_or(&reached, cover);
	cover_and(&fresh, &again);
	cover_or(&reached, &again);
	if (!cover_count(&fresh))
		return;
	minimize(&p, &fresh, &again);
	name_of(&p, name, sizeof(name));
	entry = add(&p, &again, name);
	if (keep_dir)
		save(entry, keep_dir);
}

static void fuzz_once(uint64_t *state)
{
	struct program p = { .nr = 0 };
	const struct program *b = &p;
	struct cover cover, fresh;

	if (nr_corpus) {
		/* The younger ones more often: they are what the last ones were not. */
		int a = fuzz_random(state) % nr_corpus, c = fuzz_random(state) % nr_corpus;

		p = corpus[fuzz_random(state) % 2 && c > a ? c : a]->p;
		b = &corpus[fuzz_random(state) % nr_corpus]->p;
	}
	program_mutate(&p, b, state);
	run(&p, &cover);
	if (cover_new(&cover, &reached, &fresh))
		keep(&p, &cover);
}

/* As few programs as reach what all do, the one with most new blocks first. */
static void distill(const char *dir)
{
	struct cover all = { .bits = { 0 } }, fresh;
	bool *taken = calloc(nr_corpus, sizeof(*taken));
	int nr = 0;

	if (!taken)
		err(1, "memory");
	for (;;) {
		int i, best = -1, most = 0;

		for (i = 0; i < nr_corpus; i++) {
			int n = taken[i] ? 0 : cover_new(&corpus[i]->cover, &all, &fresh);

			if (n > most) {
				most = n;
				best = i;
			}
		}
		if (best < 0)
			break;
		taken[best] = true;
		nr++;
		cover_or(&all, &corpus[best]->cover);
		save(corpus[best], dir);
	}
	free(taken);
	printf("# %d programs reach %d blocks\n", nr, cover_count(&all));
}

static void say_usage(void)
{
	printf("usage: zpipe_fuzz [OPTION]...\n"
	       "  --corpus DIR     run the programs of a folder first, and change them\n"
	       "  --seconds N      so long (default 10)\n"
	       "  --seed S         as it was printed\n"
	       "  --module FILE    zpipe.ko as it was loaded, for its blocks\n"
	       "  --keep DIR       write programs that reach something new there\n"
	       "  --distill DIR    at the end write few programs that reach the same there\n"
	       "  --missing FILE   write the blocks that were not reached\n"
	       "  --current FILE   keep the program that runs there, for machines that die\n"
	       "  --limit MS       interrupt a call that takes longer (default 200)\n"
	       "  --run FILE       run this program only\n"
	       "  --to-c FILE      print a program as C\n"
	       "  --print FILE     print a program as it is understood\n");
	exit(2);
}

enum {
	CORPUS, SECONDS, SEED, MODULE, KEEP, DISTILL, MISSING, CURRENT, LIMIT, RUN, TO_C, PRINT, ALL
};

static const struct option options[] = {
	{ "corpus", 1, NULL, CORPUS }, { "seconds", 1, NULL, SECONDS }, { "seed", 1, NULL, SEED },
	{ "module", 1, NULL, MODULE }, { "keep", 1, NULL, KEEP }, { "distill", 1, NULL, DISTILL },
	{ "missing", 1, NULL, MISSING }, { "current", 1, NULL, CURRENT },
	{ "limit", 1, NULL, LIMIT }, { "run", 1, NULL, RUN }, { "to-c", 1, NULL, TO_C },
	{ "print", 1, NULL, PRINT }, { NULL, 0, NULL, 0 },
};

static void convert(const char *path, bool to_c)
{
	struct program p;

	load_program(&p, path);
	if (to_c)
		program_print_c(&p, stdout);
	else
		program_print(&p, stdout);
	exit(0);
}

/* Restartable sequences are user memory, too: a failed copy there is a signal that kills. */
static void without_rseq(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
	execv("/proc/self/exe", argv);
	err(1, "exec");
}

static void prepare(const char *module, const char *current)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd >= 0)
		lseek(log_fd, 0, SEEK_END);
	if (current) {
		current_fd = open(current, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (current_fd < 0)
			err(1, "%s", current);
	}
	nr_blocks = cover_init(module);
	/* Events are code, too. Once, since switching them rewrites the kernel. */
	if (nr_blocks) {
		write_text(TRACING "events/zpipe/enable", "1");
		/* A second listener takes another way. */
		mkdir(TRACING "instances/fuzz", 0755);
		write_text(TRACING "instances/fuzz/events/zpipe/enable", "1");
	}
	let_fail();
	read_parameters();
	keep_pipes_small();
}

static void run_all(uint64_t until)
{
	uint64_t state = seed, told = now_ns();
	int i, nr = nr_corpus;

	for (i = 0; i < nr; i++) {
		run(&corpus[i]->p, &corpus[i]->cover);
		cover_or(&reached, &corpus[i]->cover);
	}
	while (now_ns() < until) {
		fuzz_once(&state);
		if (now_ns() - told > 20000000000ULL) {
			told = now_ns();
			summary(0);
		}
	}
}

int main(int argc, char **argv)
{
	const char *value[ALL] = { NULL };
	uint64_t until;
	FILE *to;
	int c;

	without_rseq(argv);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c >= ALL)
			say_usage();
		value[c] = optarg;
	}
	if (optind != argc)
		say_usage();
	if (value[TO_C] || value[PRINT])
		convert(value[TO_C] ? value[TO_C] : value[PRINT], value[TO_C]);
	if (value[LIMIT])
		limit_ms = atoi(value[LIMIT]);
	seed = value[SEED] ? strtoull(value[SEED], NULL, 0) : now_ns() & 0xffffffff;
	keep_dir = value[KEEP];
	prepare(value[MODULE], value[CURRENT]);
	until = now_ns() + strtoull(value[SECONDS] ? value[SECONDS] : "10", NULL, 0) * 1000000000;
	printf("# fuzz: seed %#llx\n", (unsigned long long)seed);
	if (value[RUN]) {
		struct program p;

		load_program(&p, value[RUN]);
		run(&p, &reached);
	} else {
		if (value[CORPUS])
			load_corpus(value[CORPUS]);
		run_all(until);
	}
	end_executor();
	put_parameters_back();
	if (value[DISTILL])
		distill(value[DISTILL]);
	if (value[MISSING]) {
		to = fopen(value[MISSING], "w");
		if (!to)
			err(1, "%s", value[MISSING]);
		cover_print_missing(&reached, to);
		fclose(to);
	}
	summary(0);
	return 0;
}
