// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpipe_fuzz - programs of calls against /dev/zpipe, changed at random, guided by coverage
 *
 * Here are the corpus, what joins it, and what counts as a defect; executor.c runs the programs.
 * Where the kernel has kcov and the module is instrumented, a program that reaches a block of the
 * module that none has reached is cut down to what it needs for that, and joins the corpus;
 * elsewhere the corpus is run and changed blindly. After each program the kernel's log is read: a
 * report ends the run, with the program as text and as C.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cover.h"
#include "executor.h"
#include "program.h"

#define MOST_PROGRAMS	4096

static struct entry {
	struct program p;
	struct cover cover;
	char name[64];
} *corpus[MOST_PROGRAMS];
static int nr_corpus;

static struct cover reached;
static unsigned long nr_run;
static int nr_blocks;
static int log_fd = -1, current_fd = -1;
static uint64_t seed;
static const char *keep_dir;

/* --- one program --- */

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

static void print_as_text_and_c(const struct program *p)
{
	printf("--- program ---\n");
	program_print(p, stdout);
	printf("--- the same in C ---\n");
	program_print_c(p, stdout);
	printf("--- end ---\n");
	fflush(stdout);
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
		/* Whose data race that is, scripts/vm.d/scan finds out. */
		if (strstr(line, "BUG: KCSAN:"))
			continue;
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
	       all, all ? within * 100 / all : 0, reports, executor_killed(), nr_corpus);
	fflush(stdout);
}

static void defect(const struct program *p, const char *why)
{
	executor_stop();
	printf("not ok - %s\n", why);
	print_as_text_and_c(p);
	summary(1);
	exit(1);
}

/* Runs it and says what it has reached; a report ends the fuzzer. */
static void run(const struct program *p, struct cover *cover)
{
	remember_current(p);
	if (!executor_run(p, cover))
		defect(p, "a killed program does not end");
	nr_run++;
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

static void prepare(const char *module, const char *current, int limit_ms)
{
	static const char running[] = "selftests: fuzz\n";

	log_fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (log_fd >= 0) {
		/* As run.sh does: what is told of allocations that fail is no complaint here. */
		if (write(log_fd, running, sizeof(running) - 1) < 0)
			warn("/dev/kmsg");
		lseek(log_fd, 0, SEEK_END);
	}
	if (current) {
		current_fd = open(current, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (current_fd < 0)
			err(1, "%s", current);
	}
	nr_blocks = cover_init(module);
	executor_prepare(limit_ms, nr_blocks);
}

static void run_all(uint64_t until)
{
	uint64_t state = seed, told = fuzz_now_ns();
	int i, nr = nr_corpus;

	for (i = 0; i < nr; i++) {
		run(&corpus[i]->p, &corpus[i]->cover);
		cover_or(&reached, &corpus[i]->cover);
	}
	while (fuzz_now_ns() < until) {
		fuzz_once(&state);
		if (fuzz_now_ns() - told > 20000000000ULL) {
			told = fuzz_now_ns();
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
	seed = value[SEED] ? strtoull(value[SEED], NULL, 0) : fuzz_now_ns() & 0xffffffff;
	keep_dir = value[KEEP];
	prepare(value[MODULE], value[CURRENT], value[LIMIT] ? atoi(value[LIMIT]) : 200);
	until = fuzz_now_ns() +
		strtoull(value[SECONDS] ? value[SECONDS] : "10", NULL, 0) * 1000000000;
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
	executor_stop();
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
