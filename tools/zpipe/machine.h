/* SPDX-License-Identifier: MIT */
/*
 * machine - the module, its parameters and its device on this machine
 */
#ifndef ZPIPE_MACHINE_H
#define ZPIPE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#define MACHINE_DEVICE	"/dev/zpipe"
#define MACHINE_MODULE	"/sys/module/zpipe"

/* Is it loaded? Complains when not. */
bool machine_has_module(void);

/* First line of a file, without its end; "" where there is none. */
void machine_line(const char *path, char *line, size_t size);

/* A module parameter as a number, or -1. */
long long machine_parameter(const char *name);

#endif
