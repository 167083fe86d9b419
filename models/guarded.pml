/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guarded - who can touch a page of a guarded pipe, from grant to reuse
 *
 * The steps of module/guard.c against threads of both processes that fault,
 * store, pin and load at any moment: sealing moves the limit under the pool's
 * mutex, removes the PTEs, flushes the TLBs, takes over what is still pinned,
 * clears the rest of the page, and only then publishes; hiding does the first
 * three for a reader before it consumes; what is consumed is granted again.
 *
 * A position is a page here. A PTE and a TLB hold a frame; a TLB entry is good
 * until it is flushed, whatever became of the PTE. Checked: no store - by a TLB
 * or by a transfer that has pinned the frame - changes a frame that is
 * published and not consumed, no load sees one that is not, and no reader sees
 * what the writer has put behind the last byte.
 *
 * Not covered: several readers, preserved pages and readers that are detached.
 *
 * Variants: N pages in SLOTS slots. Mutants: see check.
 */
#ifndef N
#define N 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#define FRAMES	4
#define NO	0	/* no frame; else frame + 1 */

byte granted, sealed, published, consumed;
byte hid;			/* hidden: a word of Promela */
byte frame[SLOTS] = 0;
byte wpte[SLOTS], wtlb[SLOTS], rpte[SLOTS], rtlb[SLOTS];
bit wp[SLOTS];			/* write-protected, and was written to */
byte pin;
bit shown[FRAMES];		/* published and not consumed */
bit tail[FRAMES];		/* not zero behind the last byte */
bit mutex;
bit over;

#ifdef FAULT_WITHOUT_MUTEX
#define LOCK skip
#define UNLOCK skip
#else
#define LOCK atomic { !mutex -> mutex = 1 }
#define UNLOCK mutex = 0
#endif

/* The writer's calls: ALLOC and FLUSH of one page after the other. */
active proctype flush()
{
	byte s, f;

	atomic { frame[0] = 0; frame[1] = 1 }
	do
	:: published == N -> break
	:: else ->
		(granted - consumed < SLOTS);
		s = granted % SLOTS;
		granted++;
		/* the grant is written by the other thread, or is not */
#ifdef PUBLISH_FIRST
		atomic { published++; shown[frame[s]] = 1 };
#endif
#ifdef PIN_CHECK_FIRST
		f = (pin == frame[s] + 1);
#endif
#ifndef NO_LIMIT
		atomic { !mutex -> mutex = 1 };
		sealed = granted;
		mutex = 0;
#endif
#ifdef WRITE_PROTECT
		atomic {
			if
			:: wpte[s] -> wp[s] = 1
			:: else
			fi
		};
#elif !defined(NO_UNMAP)
		wpte[s] = NO;
#endif
#ifndef NO_TLB_FLUSH
		wtlb[s] = NO;
#endif
#ifndef PIN_CHECK_FIRST
		f = (pin == frame[s] + 1);
#endif
#ifdef NO_PIN_CHECK
		f = 0;
#endif
		if
		:: f ->
			/* a frame that nobody has, and its bytes */
			f = 0;
			atomic {
				do
				:: f == frame[0] || f == frame[1] || pin == f + 1 -> f++
				:: else -> break
				od;
				assert(f < FRAMES);
				tail[f] = tail[frame[s]];
				frame[s] = f
			}
		:: else
		fi;
#ifndef NO_ZERO
		tail[frame[s]] = 0;
#endif
#ifndef PUBLISH_FIRST
		atomic { published++; shown[frame[s]] = 1 };
#endif
		sealed = published;
		s = 0;
		f = 0
	od
}

/* Another thread of the writer, which knows no manners. */
active proctype writer()
{
	byte s, f;

end:	do
	:: over -> break
	:: atomic { s = 0 }
	:: atomic { s = 1 }
	:: !wpte[s] ->
		/* a fault */
		LOCK;
		if
		:: granted > sealed && (granted - 1) % SLOTS == s -> f = frame[s] + 1
		:: else -> f = NO
		fi;
		atomic {
			if
			:: f -> wpte[s] = f
			:: else
			fi;
			f = NO;
		};
		UNLOCK
	:: atomic { wpte[s] && !wp[s] && !wtlb[s] -> wtlb[s] = wpte[s] }
	:: atomic { wp[s] -> wp[s] = 0 }	/* mprotect(2), forth and back */
	:: atomic { wtlb[s] -> assert(!shown[wtlb[s] - 1]); tail[wtlb[s] - 1] = 1 }
	:: atomic { !pin && wpte[s] && !wp[s] -> pin = wpte[s] }
	:: atomic { pin -> assert(!shown[pin - 1]); tail[pin - 1] = 1 }
	:: pin = NO
	od
}

/* ADVANCE. */
active proctype advance()
{
	byte s;

	do
	:: consumed == N -> break
	:: else ->
		(consumed < published);
		s = consumed % SLOTS;
#ifdef CONSUME_FIRST
		atomic { shown[frame[s]] = 0; consumed++ };
#endif
#ifndef NO_HIDE
		atomic { !mutex -> mutex = 1 };
		hid++;
		mutex = 0;
		rpte[s] = NO;
#ifndef NO_TLB_FLUSH_READER
		rtlb[s] = NO;
#endif
#endif
#ifndef CONSUME_FIRST
		atomic { shown[frame[s]] = 0; consumed++ };
#endif
		s = 0
	od;
	over = 1
}

/* Another thread of the reader. */
active proctype reader()
{
	byte s, f;

end:	do
	:: over -> break
	:: atomic { s = 0 }
	:: atomic { s = 1 }
	:: !rpte[s] ->
		LOCK;
		if
		:: hid < published && hid % SLOTS == s -> f = frame[s] + 1
		:: hid + 1 < published && (hid + 1) % SLOTS == s -> f = frame[s] + 1
		:: else -> f = NO
		fi;
		atomic {
			if
			:: f -> rpte[s] = f
			:: else
			fi;
			f = NO
		};
		UNLOCK
	:: atomic { rpte[s] && !rtlb[s] -> rtlb[s] = rpte[s] }
	:: atomic { rtlb[s] -> assert(shown[rtlb[s] - 1] && !tail[rtlb[s] - 1]) }
	od
}
