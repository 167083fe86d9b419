/* SPDX-License-Identifier: MIT */
/*
 * symbols - names for the addresses of a user stack
 */
#ifndef ZB_SYMBOLS_H
#define ZB_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * zb_symbols - where these addresses are in that process
 * @pid: a process; when it is gone, or is not ours to see, only the addresses are told
 * @address: of the stack, the innermost first; 0 ends it
 * @number: at most so many
 *
 * What was read of a file is kept until the program ends.
 *
 * Return: one line for each, "function+0x12 (file)"; to be freed. NULL without memory.
 */
char *zb_symbols(pid_t pid, const uint64_t *address, size_t number);

#endif
