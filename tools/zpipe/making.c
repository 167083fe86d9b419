// SPDX-License-Identifier: MIT
/*
 * making - the options of subcommands that make a pipe
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "machine.h"
#include "making.h"

static const struct argp_option options_of[] = {
	{ "capacity", 'c', "BYTES", 0,
	  "Most bytes a pipe holds (1M); K, M and G are understood", 1 },
	{ "segment-size", 's', "BYTES", 0, "Size of a segment, a power of two (64K)", 1 },
	{ "guarded", 'g', NULL, 0, "For ends that do not trust each other", 1 },
	{ 0 },
};

uint64_t parse_size(const char *text)
{
	static const char units[] = "KMG";
	const char *unit;
	unsigned long long value;
	char *end;
	int shift = 0;

	errno = 0;
	value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end & ~0x20) : NULL;
	if (unit) {
		shift = 10 * (int)(unit - units + 1);
		end++;
	}
	if (errno || *text < '0' || *text > '9' || *end || !value || value > UINT64_MAX >> shift) {
		complain("'%s' is no number of bytes", text);
		return 0;
	}
	return value << shift;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct zp_create_opts *opts = state->input;
	uint64_t size = 0;

	if (key == 'c' || key == 's') {
		size = parse_size(arg);
		if (!size)
			exit(argp_err_exit_status);
	}
	switch (key) {
	case 'c':
		opts->capacity = size;
		return 0;
	case 's':
		if (size > UINT32_MAX)
			argp_error(state, "a segment of %s is too large", arg);
		opts->segment_size = (uint32_t)size;
		return 0;
	case 'g':
		opts->flags |= ZP_GUARDED;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp making_argp = { .options = options_of, .parser = parse };

int make_pipe(const struct zp_create_opts *opts, int *writer_fd, int *reader_fd)
{
	const int ret = zp_create(opts, writer_fd, reader_fd);

	switch (ret) {
	case 0:
		break;
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		if (machine_has_module())
			complain("there is no " MACHINE_DEVICE ": see zpipe doctor");
		break;
	case -EACCES:
		complain(MACHINE_DEVICE ": %s: see zpipe doctor", strerror(-ret));
		break;
	case -EINVAL:
		complain("a pipe of that capacity and segment size cannot be made; see zpipe(4)");
		break;
	case -EDQUOT:
		complain("your limit of pipes or pages is used up: see zpipe doctor");
		break;
	default:
		complain("cannot make a pipe: %s", strerror(-ret));
	}
	return ret;
}
