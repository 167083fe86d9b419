/* SPDX-License-Identifier: MIT */
/*
 * host - just enough of the kernel's words to compile the pure code here
 *
 * chain.c and slots.c use fixed-width integers, min and max, errnos and two
 * accessors for shared words; nothing else may creep in.
 */
#ifndef ZPIPE_HOST_H
#define ZPIPE_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define min_t(t, a, b)		min((t)(a), (t)(b))
#define max_t(t, a, b)		max((t)(a), (t)(b))
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

#endif /* ZPIPE_HOST_H */
