/* SPDX-License-Identifier: MIT */
/*
 * linux/types - the kernel's short names on top of the uapi ones
 *
 * Found before the system's header when the pure code is compiled on the host.
 */
#ifndef ZPIPE_HOST_TYPES_H
#define ZPIPE_HOST_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include_next <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#endif /* ZPIPE_HOST_TYPES_H */
