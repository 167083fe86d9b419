/* SPDX-License-Identifier: MIT */
/*
 * making - the options of subcommands that make a pipe
 */
#ifndef ZPIPE_MAKING_H
#define ZPIPE_MAKING_H

#include <argp.h>
#include <stdint.h>

#include <zpipe.h>

/* A child of the subcommand's argp, whose input is the zp_create_opts to fill. */
extern const struct argp making_argp;

/* A number of bytes, with K, M or G behind it; 0 with a complaint when it is none. */
uint64_t parse_size(const char *text);

/* Makes one; complains, with what helps. 0 or -errno. */
int make_pipe(const struct zp_create_opts *opts, int *writer_fd, int *reader_fd);

#endif
