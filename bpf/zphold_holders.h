/* SPDX-License-Identifier: MIT */
/*
 * holders - the readers and buffers that processes hold, each once
 */
#ifndef ZPHOLD_HOLDERS_H
#define ZPHOLD_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan.h"

/* With the first fd that was found. */
struct holder {
	struct zb_end end;
	uint32_t index;		/* of a reader */
	unsigned int fds;
	bool shown;
};

struct holders {
	size_t nr;
	size_t room;
	uint64_t pipe;		/* 0: of all pipes */
	struct holder *holder;
};

/* In the place of those that were there: of readers those that keep or share something. */
void holders_find(struct holders *all);

/* What is not found is NULL. */
struct holder *holder_of_buffer(const struct holders *all, uint64_t pipe, uint64_t position,
				uint64_t length);
struct holder *holder_of_reader(const struct holders *all, uint64_t pipe, uint32_t index);

/* The first reader that preserves anything of that pipe, and what all of them do, in bytes. */
struct holder *holder_that_preserves(const struct holders *all, uint64_t pipe);
uint64_t holders_preserved(const struct holders *all, uint64_t pipe);

#endif
