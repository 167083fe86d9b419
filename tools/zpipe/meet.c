// SPDX-License-Identifier: MIT
/*
 * meet - send and recv: a stream between two commands that know a name
 *
 * Whoever comes first listens at the name (zp_listen()), the other one connects; both then have a
 * link of two pipes and need the name no more. The bytes go one way. On the other way the receiver
 * says that it is one, and, at the end, that all has arrived where it goes: only then the sender is
 * done. Each begins with a word that says which of the two it is, so that two senders do not wait
 * for each other.
 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zpipe.h>

#include "command.h"
#include "copying.h"
#include "making.h"

/* How soon to try again, when both have come at the same time. */
#define PAUSE_NS	10000000

/* What a side says first. */
#define WORD		8
static const char sends[WORD + 1] = "zp-send\n", receives[WORD + 1] = "zp-recv\n";

struct meeting {
	struct zp_create_opts opts;
	bool sender;
	const char *name;
	char path[128];
	unsigned int mode;
	uint64_t deadline;	/* for the other side to come; 0: none */
	struct zp_duplex link;
	struct copying copying;
};

/* A name of one's own, or a path of one's choice. */
static int find_path(struct meeting *meeting)
{
	const char *form = strchr(meeting->name, '/') || *meeting->name == '@' ? "%s" : NULL;
	int length;

	if (form)
		length = snprintf(meeting->path, sizeof(meeting->path), "%s", meeting->name);
	else
		length = snprintf(meeting->path, sizeof(meeting->path), "@zpipe-%u/%s",
				  (unsigned int)geteuid(), meeting->name);
	return *meeting->name && length < (int)sizeof(meeting->path) ? 0 : -ENAMETOOLONG;
}

static int listen_for(struct meeting *meeting, int fds[2])
{
	const struct zp_listen_opts opts = {
		.sz = sizeof(opts), .create = &meeting->opts, .mode = meeting->mode,
	};
	struct zp_listener *listener;
	int ret;

	ret = zp_listen(meeting->path, &opts, &listener);
	if (ret)
		return ret;
	/* Who may not, and who has given up, is not whom we wait for. */
	do
		ret = zp_accept(listener, 0, meeting->deadline, fds, NULL);
	while (ret == -EACCES || ret == -ECONNABORTED || ret == -EINTR);
	zp_listener_close(listener);
	return ret;
}

static int connect_to(struct meeting *meeting, int fds[2])
{
	const struct zp_connect_opts opts = {
		.sz = sizeof(opts), .deadline = meeting->deadline,
		.flags = meeting->opts.flags & ZP_GUARDED ? ZP_CONNECT_GUARDED : 0,
	};

	return zp_connect(meeting->path, &opts, fds);
}

/* Has this errno a cause that is over soon: the other one is just coming, or just leaving? */
static bool is_passing(int ret)
{
	return ret == -EADDRINUSE || ret == -EBUSY || ret == -ECONNRESET || ret == -EINTR ||
	       ret == -EAGAIN;
}

static int meet(struct meeting *meeting, int fds[2])
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	int ret;

	for (int tries = 0;; tries++) {
		ret = connect_to(meeting, fds);
		if (ret == -ENOENT || ret == -ECONNREFUSED)
			ret = listen_for(meeting, fds);
		/* A file that is no socket is in use for ever. */
		if (!is_passing(ret) || tries == 100)
			return ret;
		nanosleep(&pause, NULL);
	}
}

/* Tell the other side which we are, and hear which it is. */
static int introduce(struct meeting *meeting)
{
	char word[WORD] = "";
	struct zp_view view;
	int ret;

	ret = zp_write_flush(meeting->link.writer, meeting->sender ? sends : receives, WORD, NULL);
	if (!ret)
		ret = zp_read_flags(meeting->link.reader, WORD, 0, meeting->deadline, &view);
	if (ret)
		return ret > 0 ? -ECONNRESET : ret;
	zp_view_copy(&view, view.start, word, WORD);
	if (memcmp(word, meeting->sender ? receives : sends, WORD) != 0) {
		ret = memcmp(word, meeting->sender ? sends : receives, WORD) ? -EPROTO : -EEXIST;
		zp_consume(meeting->link.reader, 0);
		return ret;
	}
	return zp_consume(meeting->link.reader, WORD);
}

/* The receiver's last word: nothing but the end, or its errno. */
static int hear_the_end(struct zp_reader *reader)
{
	struct zp_view view;
	int ret;

	do
		ret = zp_read(reader, &view);
	while (ret == -EINTR);
	return ret || !zp_view_len(&view) ? ret : -EPROTO;
}

static int transfer(struct meeting *meeting)
{
	struct zp_duplex *link = &meeting->link;
	int ret;

	if (meeting->sender) {
		meeting->copying.writer = link->writer;
		meeting->copying.in = STDIN_FILENO;
	} else {
		meeting->copying.reader = link->reader;
		meeting->copying.out = STDOUT_FILENO;
	}
	ret = -progress_begin(&meeting->copying.progress);
	if (ret)
		return ret;
	ret = copying_run(&meeting->copying);
	if (meeting->sender) {
		/* The reader left: its last word says why. */
		if (ret >= 0) {
			zp_writer_complete(link->writer, 0, 0);
			ret = hear_the_end(link->reader);
		} else {
			zp_writer_complete(link->writer, -ret, ZP_DRAIN);
		}
	} else {
		zp_writer_complete(link->writer, ret < 0 ? -ret : 0, 0);
	}
	progress_end(&meeting->copying.progress);
	return ret;
}

static int explain(const struct meeting *meeting, int ret)
{
	const char *other = meeting->sender ? "receiver" : "sender";

	switch (ret) {
	case 0:
		return STATUS_OK;
	case -ETIMEDOUT:
		complain("%s: no %s has come", meeting->name, other);
		break;
	case -EEXIST:
		complain("%s: there is a %s already", meeting->name,
			 meeting->sender ? "sender" : "receiver");
		break;
	case -ECONNRESET:
		complain("%s: the %s went away before all was done", meeting->name, other);
		break;
	case -EADDRINUSE:
		complain("%s: a file that is no socket, or a listener that does not answer",
			 meeting->name);
		break;
	case -EPROTO:
		complain("%s: the other side is no zpipe %s%s", meeting->name,
			 meeting->sender ? "recv" : "send",
			 meeting->opts.flags & ZP_GUARDED ? ", or not a guarded one" : "");
		break;
	default:
		complain("%s: %s", meeting->name, strerror(-ret));
	}
	return STATUS_FAILED;
}

static int run(struct meeting *meeting)
{
	int fds[2], probe[2], ret;

	ret = find_path(meeting);
	if (ret)
		return explain(meeting, ret);
	/* So that what is wrong here is said here, and at once. */
	if (make_pipe(&meeting->opts, &probe[0], &probe[1]))
		return STATUS_FAILED;
	close(probe[0]);
	close(probe[1]);
	ret = meet(meeting, fds);
	if (!ret) {
		ret = zp_duplex_open(&meeting->link, fds, NULL);
		if (ret) {
			close(fds[0]);
			close(fds[1]);
		}
	}
	if (ret)
		return explain(meeting, ret);
	ret = introduce(meeting);
	if (!ret)
		ret = transfer(meeting);
	else
		zp_duplex_complete(&meeting->link, -ret);
	zp_duplex_close(&meeting->link);
	return explain(meeting, ret);
}

static const struct argp_option options_of[] = {
	{ "wait", 'w', "SECONDS", 0, "Give up when the other side has not come until then", 0 },
	{ "mode", 'm', "MODE", 0, "Permission bits of the socket, if NAME is a path (600)", 0 },
	{ "progress", 'p', NULL, 0, "Say on standard error how far it is", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct meeting *meeting = state->input;
	double seconds;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &meeting->opts;
		return 0;
	case 'w':
		seconds = strtod(arg, &end);
		if (end == arg || *end || !(seconds >= 0 && seconds <= 1e9))
			argp_error(state, "--wait takes seconds");
		meeting->deadline = zp_deadline((uint64_t)(seconds * 1e9));
		return 0;
	case 'm':
		meeting->mode = (unsigned int)strtoul(arg, &end, 8);
		if (end == arg || *end || !meeting->mode || meeting->mode > 0777)
			argp_error(state, "--mode takes permission bits, as 660");
		return 0;
	case 'p':
		meeting->copying.progress.interval = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (meeting->name)
			argp_error(state, "'%s' is one argument too many", arg);
		meeting->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (!meeting->name)
			argp_error(state, "which NAME?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int begin(int argc, char **argv, bool sender, const char *doc)
{
	static const struct argp_child children[] = { { &making_argp, 0, NULL, 0 }, { 0 } };
	const struct argp argp = {
		.options = options_of, .parser = parse, .args_doc = "NAME", .doc = doc,
		.children = children,
	};
	struct meeting meeting = { .opts = { .sz = sizeof(meeting.opts) }, .sender = sender };

	if (argp_parse(&argp, argc, argv, 0, NULL, &meeting))
		return STATUS_USAGE;
	return run(&meeting);
}

int cmd_send(int argc, char **argv)
{
	return begin(argc, argv, true,
		     "Send standard input to the zpipe recv of the same NAME, whichever of the "
		     "two comes first.");
}

int cmd_recv(int argc, char **argv)
{
	return begin(argc, argv, false,
		     "Write to standard output what the zpipe send of the same NAME sends.");
}
