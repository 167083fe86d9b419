// SPDX-License-Identifier: MIT
/*
 * cat - files one after the other to standard output, through mapped memory where it can be; and
 * pv, which is the same with a line that says how far it is
 *
 * A file that is the reader of a zpipe is read where its bytes lie; a standard output that is the
 * writer of one is written by reading into its memory, or, from a zpipe, by reference. With no
 * zpipe in it there is an ordinary loop of read(2) and write(2). A writer that was mapped must be
 * told of the end: so must it be that nothing else is to be written after this program, or
 * --keep-open says that something is, and the writer is not mapped.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zpipe.h>

#include "command.h"
#include "making.h"
#include "progress.h"

#define BUFFER	(128 << 10)

struct cat {
	char **file;
	size_t nr;
	bool keep_open;
	struct progress progress;
	uint64_t before;	/* bytes of the files that are done with */
	struct zp_writer *writer;	/* standard output, where it is one */
	int in;			/* the file that is being read */
	const char *name;	/* as one says it */
	bool failed;		/* one file could not be read */
};

/* 0: not the end of a pipe, or not this end. */
static bool has_role(int fd, uint32_t role)
{
	struct zp_info info = { .sz = sizeof(info) };

	return !zp_query(fd, &info) && info.role == role;
}

static int count(void *arg, uint64_t done)
{
	struct cat *cat = arg;

	progress_set(&cat->progress, cat->before + done);
	return 0;
}

/* An fd would block: wait for the one, and if that did not help, the next time for the other. */
static void wait_for(const struct cat *cat, bool output)
{
	struct pollfd fd = { .fd = output ? STDOUT_FILENO : cat->in,
			     .events = output ? POLLOUT : POLLIN };

	poll(&fd, 1, -1);
}

/* One part of a file that is no zpipe to one that is none. 1 at the end. */
static int copy_part(const struct cat *cat, char *buffer, uint64_t *done)
{
	ssize_t got = read(cat->in, buffer, BUFFER);
	size_t gone = 0;

	if (got <= 0)
		return got ? -errno : 1;
	while (gone < (size_t)got) {
		const ssize_t n = write(STDOUT_FILENO, buffer + gone, (size_t)got - gone);

		/* What was read is nowhere else: it must go now. */
		if (n < 0 && errno == EAGAIN)
			wait_for(cat, true);
		else if (n < 0 && errno != EINTR)
			return -errno;
		gone += n > 0 ? (size_t)n : 0;
	}
	*done += (uint64_t)got;
	return 0;
}

static int copy_plain(struct cat *cat, uint64_t *done)
{
	char *buffer = malloc(BUFFER);
	int ret = buffer ? 0 : -ENOMEM;

	*done = 0;
	while (!ret) {
		ret = copy_part(cat, buffer, done);
		count(cat, *done);
	}
	free(buffer);
	return ret < 0 ? ret : 0;
}

static int copy_once(struct cat *cat, struct zp_reader *reader, uint64_t *done)
{
	const struct zp_copy_opts opts = { .sz = sizeof(opts), .progress = count, .arg = cat };

	if (reader && cat->writer)
		return zp_copy(cat->writer, reader, &opts, done);
	if (reader)
		return zp_copy_to_fd(reader, STDOUT_FILENO, &opts, done);
	if (cat->writer)
		return zp_copy_from_fd(cat->writer, cat->in, &opts, done);
	return copy_plain(cat, done);
}

/* All of it; as the functions of zpipe/copy.h. */
static int copy_file(struct cat *cat, struct zp_reader *reader)
{
	bool output = false;
	uint64_t done;
	int ret;

	do {
		ret = copy_once(cat, reader, &done);
		cat->before += done;
		if (ret == -EAGAIN) {
			wait_for(cat, output);
			output = !output;
		}
	} while (ret == -EINTR || ret == -EAGAIN || ret == -ECANCELED || ret == ZP_CANCELED);
	return ret;
}

/* The other side has left: end as write(2) to a pipe would end this process. */
static int end_by_sigpipe(void)
{
	raise(SIGPIPE);
	complain("write error: %s", strerror(EPIPE));
	return -EPIPE;
}

static int cat_fd(struct cat *cat)
{
	const struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct zp_reader *reader = NULL;
	int ret = 0;

	if (has_role(cat->in, ZP_ROLE_READER))
		ret = zp_reader_open(&reader, cat->in, &keep);
	if (!ret)
		ret = copy_file(cat, reader);
	zp_reader_close(reader);
	if (ret > 0)
		return end_by_sigpipe();
	if (ret == -ECONNRESET && reader)
		complain("%s: its writer went away before it was done", cat->name);
	else if (ret)
		complain("copying %s: %s", cat->name, strerror(-ret));
	return ret;
}

static void cat_file(struct cat *cat, const char *name, int *ret)
{
	const bool standard = !strcmp(name, "-");

	cat->name = standard ? "standard input" : name;
	cat->in = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	if (cat->in < 0) {
		complain("%s: %s", name, strerror(errno));
		cat->failed = true;
		return;
	}
	*ret = cat_fd(cat);
	if (!standard)
		close(cat->in);
}

/* Of all that is to be read, or 0 where one file does not tell. */
static uint64_t find_size(const struct cat *cat)
{
	uint64_t size = 0;
	struct stat st;
	off_t at;

	for (size_t i = 0; i < cat->nr; i++) {
		const bool standard = !strcmp(cat->file[i], "-");

		if ((standard ? fstat(STDIN_FILENO, &st) : stat(cat->file[i], &st)))
			continue;
		if (!S_ISREG(st.st_mode))
			return 0;
		at = standard ? lseek(STDIN_FILENO, 0, SEEK_CUR) : 0;
		size += (uint64_t)(st.st_size > at ? st.st_size - at : 0);
	}
	return size;
}

static int cat_all(struct cat *cat)
{
	int ret = 0, ended;

	if (has_role(STDOUT_FILENO, ZP_ROLE_WRITER) && !cat->keep_open) {
		ret = zp_writer_open(&cat->writer, STDOUT_FILENO, NULL);
		if (ret) {
			complain("standard output: %s", strerror(-ret));
			return STATUS_FAILED;
		}
	}
	if (!cat->progress.size)
		cat->progress.size = find_size(cat);
	ret = -progress_begin(&cat->progress);
	if (ret) {
		complain("%s", strerror(-ret));
		return STATUS_FAILED;
	}
	for (size_t i = 0; i < cat->nr && !ret; i++)
		cat_file(cat, cat->file[i], &ret);
	progress_end(&cat->progress);
	/* Half a stream is not passed off as a whole one. */
	if (cat->writer) {
		ended = zp_writer_complete(cat->writer, ret < 0 ? -ret : 0, ZP_DRAIN);
		if (ended && !ret) {
			complain("standard output: %s", strerror(-ended));
			ret = ended;
		}
		zp_writer_close(cat->writer);
	}
	return ret || cat->failed ? STATUS_FAILED : STATUS_OK;
}

static const struct argp_option options_of[] = {
	{ "progress", 'p', NULL, 0, "Say on standard error how far it is", 0 },
	{ "interval", 'i', "SECONDS", 0, "... so often (1)", 0 },
	{ "size", 's', "BYTES", 0, "... of so many bytes, where the files do not tell", 0 },
	{ "keep-open", 'k', NULL, 0,
	  "Others write after this program: do not end the stream that standard output is. "
	  "It is not mapped then", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cat *cat = state->input;
	char *end;

	switch (key) {
	case 'p':
		cat->progress.interval = 1;
		return 0;
	case 'i':
		cat->progress.interval = strtod(arg, &end);
		if (end == arg || *end || !(cat->progress.interval >= 0.01 &&
					    cat->progress.interval <= 86400))
			argp_error(state, "--interval takes seconds, 0.01 to 86400");
		return 0;
	case 's':
		cat->progress.size = parse_size(arg);
		if (!cat->progress.size)
			exit(STATUS_USAGE);
		return 0;
	case 'k':
		cat->keep_open = true;
		return 0;
	case ARGP_KEY_ARG:
		cat->file[cat->nr++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		cat->file[cat->nr++] = (char *)"-";
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run(int argc, char **argv, double interval)
{
	static const struct argp argp = {
		.options = options_of,
		.parser = parse,
		.args_doc = "[FILE...]",
		.doc = "Copy files (- and none: standard input) to standard output. Where one of "
		       "them is an end of a zpipe, its bytes are not copied through a buffer.",
	};
	struct cat cat = { .progress = { .interval = interval } };
	int status = STATUS_USAGE;

	cat.file = calloc((size_t)argc + 1, sizeof(*cat.file));
	if (!cat.file) {
		complain("%s", strerror(errno));
		return STATUS_FAILED;
	}
	if (!argp_parse(&argp, argc, argv, 0, NULL, &cat))
		status = cat_all(&cat);
	free(cat.file);
	return status;
}

int cmd_cat(int argc, char **argv)
{
	return run(argc, argv, 0);
}

int cmd_pv(int argc, char **argv)
{
	return run(argc, argv, 1);
}
