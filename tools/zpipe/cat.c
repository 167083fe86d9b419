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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zpipe.h>

#include "command.h"
#include "copying.h"
#include "making.h"

struct cat {
	char **file;
	size_t nr;
	bool keep_open;
	struct copying copying;	/* of the file that is being read */
	const char *name;	/* as one says it */
	bool failed;		/* one file could not be read */
};

/* 0: not the end of a pipe, or not this end. */
static bool has_role(int fd, uint32_t role)
{
	struct zp_info info = { .sz = sizeof(info) };

	return !zp_query(fd, &info) && info.role == role;
}

static int cat_fd(struct cat *cat)
{
	const struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct copying *copying = &cat->copying;
	int ret = 0;

	copying->reader = NULL;
	if (has_role(copying->in, ZP_ROLE_READER))
		ret = zp_reader_open(&copying->reader, copying->in, &keep);
	if (!ret)
		ret = copying_run(copying);
	zp_reader_close(copying->reader);
	if (ret > 0)
		return copying_broken();
	if (ret == -ECONNRESET && copying->reader)
		complain("%s: its writer went away before it was done", cat->name);
	else if (ret)
		complain("copying %s: %s", cat->name, strerror(-ret));
	return ret;
}

static void cat_file(struct cat *cat, const char *name, int *ret)
{
	const bool standard = !strcmp(name, "-");

	cat->name = standard ? "standard input" : name;
	cat->copying.in = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	if (cat->copying.in < 0) {
		complain("%s: %s", name, strerror(errno));
		cat->failed = true;
		return;
	}
	*ret = cat_fd(cat);
	if (!standard)
		close(cat->copying.in);
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
		ret = zp_writer_open(&cat->copying.writer, STDOUT_FILENO, NULL);
		if (ret) {
			complain("standard output: %s", strerror(-ret));
			return STATUS_FAILED;
		}
	}
	if (!cat->copying.progress.size)
		cat->copying.progress.size = find_size(cat);
	ret = -progress_begin(&cat->copying.progress);
	if (ret) {
		complain("%s", strerror(-ret));
		return STATUS_FAILED;
	}
	for (size_t i = 0; i < cat->nr && !ret; i++)
		cat_file(cat, cat->file[i], &ret);
	progress_end(&cat->copying.progress);
	/* Half a stream is not passed off as a whole one. */
	if (cat->copying.writer) {
		ended = zp_writer_complete(cat->copying.writer, ret < 0 ? -ret : 0, ZP_DRAIN);
		if (ended && !ret) {
			complain("standard output: %s", strerror(-ended));
			ret = ended;
		}
		zp_writer_close(cat->copying.writer);
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
		cat->copying.progress.interval = 1;
		return 0;
	case 'i':
		cat->copying.progress.interval = strtod(arg, &end);
		if (end == arg || *end || !(cat->copying.progress.interval >= 0.01 &&
					    cat->copying.progress.interval <= 86400))
			argp_error(state, "--interval takes seconds, 0.01 to 86400");
		return 0;
	case 's':
		cat->copying.progress.size = parse_size(arg);
		if (!cat->copying.progress.size)
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
	struct cat cat = {
		.copying = { .out = STDOUT_FILENO, .progress = { .interval = interval } },
	};
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
