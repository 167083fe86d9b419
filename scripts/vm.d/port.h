/* SPDX-License-Identifier: MIT */
/*
 * port - the guest's side of the wire: what is said to the host, and how a run ends
 *
 * Frames out and in, the kernel's log among them, notes of ours, and the status, which is the last
 * that the host hears. Until the port is there notes go to the console.
 */
#ifndef ZPIPE_VM_PORT_H
#define ZPIPE_VM_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* The kernel's log and the port, for poll(2). */
int open_log(void);
int open_port(void);

void send_frame(enum wire_type type, const void *data, size_t len);
/* At most WIRE_MAX bytes; false when that is not what came. */
bool read_frame(struct wire_frame *frame, void *data);
void note(enum wire_type type, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pump_log(void);

void finish(uint32_t status) __attribute__((noreturn));
/* Says why, from errno, and ends the run. */
void fail(const char *what) __attribute__((noreturn));

#endif
