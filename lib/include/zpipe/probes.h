/* SPDX-License-Identifier: MIT */
/*
 * probes - USDT probes of provider "zpipe", for what never enters the kernel
 *
 * Include <zpipe.h>, not this file. A probe is one nop, and a note in the
 * program that says where it is and where its arguments are; bpftrace, perf
 * and SystemTap find it by name. They are there when <sys/sdt.h> was at compile
 * time (Debian: systemtap-sdt-dev), in the library and in programs that use its
 * inline functions. Define ZP_NO_USDT to leave them out.
 *
 *	writer_open(end, fd, pipe)	a handle was opened; the kernel's pipe id
 *	reader_open(end, fd, pipe)
 *	publish(end, position)		zp_flush(), zp_publish()
 *	advance(end, consumed, examined)	zp_advance() and its kin
 *	write(end, position, bytes)	zp_write(), zp_write_flush(): copied in
 *	patch(end, position, bytes)	zp_patch(): copied in
 *	view_copy(position, bytes)	zp_view_copy(): copied out
 *	spin(end, polls, found)		looked so often before a call would wait
 *	pause_begin(end, position)	a flush that may have to wait
 *	pause_end(end, position, ret)	and has its answer
 *
 * end is the handle: a number that stays the same while it is open.
 */
#ifndef ZPIPE_PROBES_H
#define ZPIPE_PROBES_H

#if !defined(ZP_NO_USDT) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define ZP_HAVE_USDT 1
#endif
#endif

#ifdef ZP_HAVE_USDT
/* Compilers take each of its lines for an instruction, and would not inline it: it is one nop. */
#if defined(__clang__) ? __clang_major__ >= 11 : __GNUC__ >= 9
#define ZP_PROBE_INLINE	__inline__
#else
#define ZP_PROBE_INLINE
#endif
#ifdef __cplusplus
/* The macros for asm statements are for C; this is what those without asm consist of. */
#define ZP_PROBE(name, n, ...)							\
	__asm__ ZP_PROBE_INLINE __volatile__(					\
		_SDT_ASM_BODY(zpipe, name, _SDT_ASM_ARGS, (n), 0) _SDT_ASM_BASE	\
		: : _SDT_ASM_OPERANDS_##n(__VA_ARGS__))
#else
#define ZP_PROBE(name, n, ...)							\
	__asm__ ZP_PROBE_INLINE __volatile__(					\
		STAP_PROBE_ASM(zpipe, name, STAP_PROBE_ASM_TEMPLATE(n))		\
		: : STAP_PROBE_ASM_OPERANDS(n, __VA_ARGS__))
#endif
#define ZP_PROBE2(name, a, b)		ZP_PROBE(name, 2, a, b)
#define ZP_PROBE3(name, a, b, c)	ZP_PROBE(name, 3, a, b, c)
#else
#define ZP_PROBE2(name, a, b)		((void)0)
#define ZP_PROBE3(name, a, b, c)	((void)0)
#endif

#endif /* ZPIPE_PROBES_H */
