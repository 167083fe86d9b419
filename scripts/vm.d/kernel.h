/* SPDX-License-Identifier: MIT */
/*
 * kernel - what the guest's kernel is told: drivers, settings, processors
 */
#ifndef ZPIPE_VM_KERNEL_H
#define ZPIPE_VM_KERNEL_H

#include <stdbool.h>

/* A module from an fd, as finit_module(2). */
int insmod(int fd, const char *options);
void load_drivers(void);

/* A value for a file of the kernel's; nothing where there is no such file. */
void put(const char *path, const char *value);
void set_up_kernel(bool icount);
void start_processors(void);

#endif
