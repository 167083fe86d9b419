/* SPDX-License-Identifier: MIT */
/*
 * module - zpipe.ko in the guest, from before it is loaded to after it is gone
 *
 * Where the kernel tracks its memory (kmemleak, page_owner) what the module has lost is looked for
 * when the last process has ended, and again once it was unloaded, loaded and unloaded. What is
 * found goes into the log, where it counts as a complaint of the kernel's.
 */
#ifndef ZPIPE_VM_MODULE_H
#define ZPIPE_VM_MODULE_H

#include <stdbool.h>

/* Before the host's root hides it; false when there is none. */
bool find_module(const char *params);
void begin_module(void);
void end_module(void);

#endif
