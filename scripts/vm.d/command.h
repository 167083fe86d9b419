/* SPDX-License-Identifier: MIT */
/*
 * command - the one command that a guest is for
 *
 * Its streams are relayed to the host and from it, the kernel's log beside them; asked by the host,
 * every thread says where it sleeps. What the command leaves behind is killed.
 */
#ifndef ZPIPE_VM_COMMAND_H
#define ZPIPE_VM_COMMAND_H

#include <stdint.h>

/* Its exit status, or 128 and its signal. */
uint32_t run_command(int port, int kmsg);

#endif
