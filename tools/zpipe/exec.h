/* SPDX-License-Identifier: MIT */
/*
 * exec - programs that belong to zpipe, or that it needs
 */
#ifndef ZPIPE_EXEC_H
#define ZPIPE_EXEC_H

#include <stdbool.h>

/* Is there one of that name beside zpipe, or in PATH? */
bool exec_finds(const char *program);

#endif
