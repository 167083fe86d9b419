/* SPDX-License-Identifier: MIT */
/*
 * wire.h - the protocol between the first process of the guest and its supervisor on the host
 *
 * One ordered byte stream (a virtio serial port) carries frames both ways, so that kernel console
 * noise never mixes with output and the result is known to come after the last byte of output.
 */
#ifndef ZPIPE_VM_WIRE_H
#define ZPIPE_VM_WIRE_H

#include <stdint.h>

enum wire_type {
	/* guest to host */
	WIRE_OUT = 'o',		/* standard output */
	WIRE_ERR = 'e',		/* standard error */
	WIRE_LOG = 'k',		/* one kernel log line */
	WIRE_EXIT = 'x',	/* uint32_t status, the last frame */
	/* host to guest */
	WIRE_IN = 'i',		/* standard input; length 0 is its end */
	WIRE_SIZE = 'w',	/* two uint16_t: rows, columns */
	WIRE_DUMP = 'd',	/* tell where every process sleeps */
};

struct wire_frame {
	uint32_t type;
	uint32_t len;
};

#define WIRE_MAX 65536

#endif
