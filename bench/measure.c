// SPDX-License-Identifier: MIT
/*
 * measure - run one cell once: processes, barrier, clock, sums
 *
 * The link is made in the parent and inherited; each side attaches in its own process, on its own
 * processor where there are two. After the first lap both sides meet at a barrier; the
 * producer then
 * starts the clock before its first message and the consumer stops it after its last, so that no
 * part of the work falls outside. Wrong sums, and kernel counters that contradict ours, are errors.
 */
#include <errno.h>
#include <linux/futex.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "latency.h"
#include "measure.h"

/* A run that takes this long is stuck. */
#define STUCK_SECONDS	120

/* Round trips that are looked at one by one, after a run. */
#define TRIPS		2000

/* What the two sides and the parent share. */
struct meeting {
	_Atomic uint32_t arrived;
	uint64_t start_ns, stop_ns;
	struct latency latency;
	struct side {
		uint64_t calls, all_calls;	/* while the clock ran; with the first lap */
		uint64_t word, sum;
		int error;
	} side[2];
};

enum { PRODUCER, CONSUMER };

int measure_processors(void)
{
	cpu_set_t allowed;

	return sched_getaffinity(0, sizeof(allowed), &allowed) ? 1 : CPU_COUNT(&allowed);
}

/* To the nth processor that we may use, if there are two. */
static void pin_to(int nth)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) || CPU_COUNT(&allowed) < 2)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void meet(struct meeting *meeting)
{
	if (atomic_fetch_add(&meeting->arrived, 1) == 1)
		syscall(SYS_futex, &meeting->arrived, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	while (atomic_load(&meeting->arrived) < 2)
		syscall(SYS_futex, &meeting->arrived, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static struct bench_base *base_of(struct bench_link *link)
{
	return (struct bench_base *)link;
}

/* Messages that pass before the clock starts: all memory touched once, both sides warm. */
static uint64_t first_lap(const struct bench_cell *cell)
{
	uint64_t lap = 2 * cell->config.capacity / cell->config.message;

	if (cell->mode == BENCH_PINGPONG || !cell->system->ring)
		lap = lap < 64 ? lap : 64;
	return lap ? lap : 1;
}

static int stream_side(const struct bench_cell *cell, struct bench_link *link, int who,
		       struct meeting *meeting)
{
	const struct bench_system *system = cell->system;
	struct side *side = &meeting->side[who];
	uint64_t before;
	int err;

	err = who == PRODUCER ? system->attach_writer(link) : system->attach_reader(link);
	if (!err)
		err = who == PRODUCER ? system->produce(link, first_lap(cell), &side->word) :
					system->consume(link, first_lap(cell), &side->sum);
	if (err)
		return err;
	meet(meeting);
	before = base_of(link)->calls;
	if (who == PRODUCER) {
		meeting->start_ns = clock_ns();
		err = system->produce(link, cell->messages, &side->word);
	} else {
		err = system->consume(link, cell->messages, &side->sum);
		meeting->stop_ns = clock_ns();
	}
	side->all_calls = base_of(link)->calls;
	side->calls = side->all_calls - before;
	return err;
}

/* Not while the other clock runs: to look at it twice for each would slow the trips down. */
static int look_at_trips(const struct bench_cell *cell, struct bench_link *there,
			 struct bench_link *back, int who, struct meeting *meeting)
{
	const uint64_t trips = cell->messages < TRIPS ? cell->messages : TRIPS;
	struct side *side = &meeting->side[who];
	int err = 0;

	if (who == CONSUMER)
		return cell->system->pong(there, back, trips, &side->word, &side->sum);
	for (uint64_t i = 0; i < trips && !err; i++) {
		uint64_t begin = clock_ns();

		err = cell->system->ping(there, back, 1, &side->word, &side->sum);
		latency_add(&meeting->latency, clock_ns() - begin);
	}
	return err;
}

/* Both ends of two links: the producer sends first and holds the clock. */
static int pingpong_side(const struct bench_cell *cell, struct bench_link *there,
			 struct bench_link *back, int who, struct meeting *meeting)
{
	const struct bench_system *system = cell->system;
	struct side *side = &meeting->side[who];
	uint64_t before;
	int err;

	err = system->attach_writer(who == PRODUCER ? there : back);
	if (!err)
		err = system->attach_reader(who == PRODUCER ? back : there);
	if (!err)
		err = (who == PRODUCER ? system->ping : system->pong)
			(there, back, first_lap(cell), &side->word, &side->sum);
	if (err)
		return err;
	meet(meeting);
	before = base_of(there)->calls + base_of(back)->calls;
	if (who == PRODUCER)
		meeting->start_ns = clock_ns();
	err = (who == PRODUCER ? system->ping : system->pong)
		(there, back, cell->messages, &side->word, &side->sum);
	if (who == PRODUCER)
		meeting->stop_ns = clock_ns();
	side->all_calls = base_of(there)->calls + base_of(back)->calls;
	side->calls = side->all_calls - before;
	return err ? err : look_at_trips(cell, there, back, who, meeting);
}

uint64_t measure_batch(const struct bench_cell *cell)
{
	size_t room = cell->system->alone_max;
	size_t message = cell->config.message;
	uint64_t batch;

	if (cell->system->grain)
		message = (message + cell->system->grain - 1) / cell->system->grain *
			  cell->system->grain;
	if (!room)
		room = cell->config.capacity / 4;
	batch = room / message;
	return batch < 256 ? batch : 256;
}

/* One process is both ends, through two copies of the link as two processes would have. */
static int alone(const struct bench_cell *cell, struct bench_link *writer,
		 struct bench_link *reader, struct meeting *meeting)
{
	const struct bench_system *system = cell->system;
	struct side *to = &meeting->side[PRODUCER], *from = &meeting->side[CONSUMER];
	const uint64_t batch = measure_batch(cell);
	uint64_t laps = (first_lap(cell) + batch - 1) / batch;
	uint64_t calls[2] = { 0, 0 };
	int err;

	err = system->attach_writer(writer);
	if (!err)
		err = system->attach_reader(reader);
	for (int timed = 0; timed < 2 && !err; timed++) {
		calls[PRODUCER] = base_of(writer)->calls;
		calls[CONSUMER] = base_of(reader)->calls;
		meeting->start_ns = clock_ns();
		for (uint64_t lap = 0; lap < laps && !err; lap++) {
			err = system->produce(writer, batch, &to->word);
			if (!err)
				err = system->consume(reader, batch, &from->sum);
		}
		meeting->stop_ns = clock_ns();
		laps = cell->messages / batch;
	}
	to->all_calls = base_of(writer)->calls;
	to->calls = to->all_calls - calls[PRODUCER];
	from->all_calls = base_of(reader)->calls;
	from->calls = from->all_calls - calls[CONSUMER];
	return err;
}

static void run_child(const struct bench_cell *cell, struct bench_link *links[2], int who,
		      struct meeting *meeting)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(STUCK_SECONDS);
	pin_to(who);
	switch (cell->mode) {
	case BENCH_STREAM:
		err = stream_side(cell, links[0], who, meeting);
		break;
	case BENCH_PINGPONG:
		err = pingpong_side(cell, links[0], links[1], who, meeting);
		break;
	default:
		err = alone(cell, links[0], links[1], meeting);
	}
	meeting->side[who].error = err;
	_exit(err ? 1 : 0);
}

static void complain(const struct bench_cell *cell, const char *what)
{
	fprintf(stderr, "bench: %s %s %zu bytes: %s\n", cell->system->name, cell->label,
		cell->config.message, what);
}

/* Starts the sides and waits for them; when one fails, the other is not left waiting for it. */
static int run_children(const struct bench_cell *cell, struct bench_link *links[2],
			struct meeting *meeting)
{
	const int sides = cell->mode == BENCH_ALONE ? 1 : 2;
	pid_t pids[2] = { -1, -1 };
	int failed = 0;

	fflush(NULL);
	for (int who = 0; who < sides; who++) {
		pids[who] = fork();
		if (!pids[who])
			run_child(cell, links, who, meeting);
		if (pids[who] < 0)
			failed = errno;
	}
	for (int who = 0; who < sides; who++) {
		int status = 0;
		pid_t pid = pids[0] < 0 && pids[1] < 0 ? -1 : wait(&status);

		if (pid < 0)
			break;
		for (int i = 0; i < 2; i++)
			if (pids[i] == pid)
				pids[i] = -1;
		if (!status)
			continue;
		for (int i = 0; i < 2; i++)
			if (pids[i] > 0)
				kill(pids[i], SIGKILL);
		if (!failed)
			failed = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ETIMEDOUT :
				 EIO;
	}
	for (int who = 0; who < sides; who++)
		if (meeting->side[who].error)
			failed = -meeting->side[who].error;
	if (failed)
		complain(cell, strerror(failed));
	return failed ? -1 : 0;
}

/* The sum of the words 0, 1, ... n - 1. */
static uint64_t sum_below(uint64_t n)
{
	return n % 2 ? (n - 1) / 2 * n : n / 2 * (n - 1);
}

static int check(const struct bench_cell *cell, struct bench_link *links[2],
		 const struct meeting *meeting)
{
	const struct side *side = meeting->side;
	const bool both_ways = cell->mode == BENCH_PINGPONG;
	int err;

	if (side[CONSUMER].sum != sum_below(side[PRODUCER].word) ||
	    side[PRODUCER].sum != sum_below(side[CONSUMER].word)) {
		complain(cell, "a wrong sum arrived");
		return -1;
	}
	/* The calls of a round trip are spread over two links. */
	if (!cell->system->verify || both_ways)
		return 0;
	err = cell->system->verify(links[0], side[PRODUCER].all_calls + side[CONSUMER].all_calls,
				   side[PRODUCER].word * sizeof(uint64_t));
	if (err)
		complain(cell, "the kernel's counters contradict ours");
	return err ? -1 : 0;
}

int measure_once(const struct bench_cell *cell, struct bench_sample *sample,
		 struct latency *latency)
{
	const struct bench_system *system = cell->system;
	const int opened = cell->mode == BENCH_PINGPONG ? 2 : 1;
	struct bench_link *links[2];
	struct meeting *meeting;
	int err = 0, made = 0;

	meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	links[0] = aligned_alloc(128, (system->link_size + 127) & ~127UL);
	links[1] = aligned_alloc(128, (system->link_size + 127) & ~127UL);
	if (meeting == MAP_FAILED || !links[0] || !links[1]) {
		complain(cell, "no memory");
		return -1;
	}
	while (made < opened && !err) {
		memset(links[made], 0, system->link_size);
		base_of(links[made])->config = cell->config;
		err = system->open(links[made]);
		if (!err)
			made++;
	}
	if (err)
		complain(cell, strerror(-err));
	if (opened == 1)
		memcpy(links[1], links[0], system->link_size);
	if (!err)
		err = run_children(cell, links, meeting);
	if (!err)
		err = check(cell, links, meeting);
	if (!err) {
		double messages = (double)cell->messages;

		sample->ns = (double)(meeting->stop_ns - meeting->start_ns) / messages;
		sample->writer_calls = (double)meeting->side[PRODUCER].calls / messages;
		sample->reader_calls = (double)meeting->side[CONSUMER].calls / messages;
		latency_merge(latency, &meeting->latency);
	}
	while (made--)
		system->close(links[made]);
	free(links[0]);
	free(links[1]);
	munmap(meeting, sizeof(*meeting));
	return err ? -1 : 0;
}

int measure_calibrate(struct bench_cell *cell, double target)
{
	const uint64_t step = cell->mode == BENCH_ALONE ? measure_batch(cell) : 1;
	struct latency ignored = { 0 };
	struct bench_sample sample;
	double factor;

	cell->messages = cell->mode == BENCH_PINGPONG ? 50 : (256UL << 10) / cell->config.message;
	if (cell->messages < 4)
		cell->messages = 4;
	for (;;) {
		cell->messages = (cell->messages + step - 1) / step * step;
		if (measure_once(cell, &sample, &ignored))
			return -1;
		factor = target / (sample.ns * (double)cell->messages + 1);
		if (factor < 8)
			break;
		cell->messages *= factor < 64 ? 8 : 32;
	}
	cell->messages = (uint64_t)((double)cell->messages * factor) + 1;
	if (cell->messages < 4)
		cell->messages = 4;
	cell->messages = (cell->messages + step - 1) / step * step;
	return 0;
}
