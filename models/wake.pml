/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wake - who waits for what, and that nobody waits in vain
 *
 * One writer and one reader of a cooperative pipe, as module/wait.c, writer.c,
 * reader.c and the inline paths of lib/ have it: wake positions in two halves
 * (of sleepers, and left by poll and EAGAIN), cursors that the kernel takes
 * over when it looks, sleepers that are collected under the lock and woken
 * after it, pause and resume, starving, FULL, ENOBUFS, lazy reclaim, release,
 * and the hook of a killed process whose fd lives on elsewhere. A processor's
 * stores reach memory through a buffer (x86-TSO); what is done under the
 * pipe's lock takes several steps, between which the buffers and the other
 * side's userspace go on.
 *
 * Bytes are units; a segment has two. Checked: no state in which both sleep,
 * no reader asleep beside what it waits for, nothing published is lost, no
 * cursor that makes an honest end look like a liar, no FULL without anything
 * to give back, no ENOBUFS without unpublished bytes, and no more wake calls
 * than times somebody went to sleep.
 *
 * Not covered: several readers, shared pools, posted buffers, deadlines (which
 * are a wake-up without a reason), fairness.
 *
 * Either side may at any time do nothing any more, without closing anything.
 * Variants: N, NSEG, PAUSE, RESUME, MIN (units); TWO: segments;
 * POLLET: both sides try
 * without waiting and sleep in edge-triggered epoll; KILLW, KILLR: killed
 * anywhere; WSUP: somebody else keeps the writer's fd; RESTART: the reader's,
 * and a new reader goes on; WAITEX: FLUSH waits for examined; COUNT: of calls.
 * Mutants: see check.
 */
#ifdef TWO		/* segments, and a reader with a minimum beyond the pause */
#define NSEG 2
#define MIN 3
#ifndef N
#define N 4
#endif
#endif
#ifndef N
#define N 3		/* the writer sends */
#endif
#ifndef NSEG
#define NSEG 1		/* capacity in segments */
#endif
#ifndef PAUSE
#define PAUSE 2
#endif
#ifndef RESUME
#define RESUME 2
#endif
#ifndef MIN
#define MIN 2		/* of the reads that have a minimum */
#endif
#define SEG	2
#define T	8	/* descriptors */
#define NONE	100	/* a word that is not armed */
#define LEAST(a, b)	((a) < (b) -> (a) : (b))
#define MOST(a, b)	((a) > (b) -> (a) : (b))

/* Shared words: of userspace, and the kernel's. */
byte pub, exa, con;
byte s_rw = NONE, s_we = NONE, s_wc = NONE;

/* The kernel's, under its lock: 1 is the writer's call, 2 the reader's. */
byte lk;
byte kpub, kexa, kcon;
byte rsl = NONE, rar = NONE;	/* the reader waits for published: asleep, armed */
byte esl = NONE, ear = NONE;	/* the writer, for examined */
byte csl = NONE, car = NONE;	/* the writer, for consumed */
byte memwait = NONE;		/* an ALLOC waits until this is consumed */
byte push;
bit paused, wended, rended;
bit rjoined, wjoined;		/* there is a sleeper */
bit rstate, wstate;		/* TASK_INTERRUPTIBLE */
bit revent, wevent;		/* of epoll */
bit sendr, sendw;		/* wake-ups decided and not sent */
byte start[T], opened, first;	/* chain */
byte pos, granted;		/* committed, end of the grant */

bit wkill, rkill, wink, rink;	/* to be killed; in the kernel */
bit gone, rgone;		/* ghosts: does nothing any more, its fd is not closed */
byte seen;			/* ghost: what this reader was shown */
byte lc, le;			/* consumed and examined, as the reader knows them */

#ifdef POLLET
#define POLLS true
#else
#define POLLS false
#endif
#define RW LEAST(rsl, rar)
#define WE LEAST(esl, ear)
#define WC LEAST(csl, car)
#ifdef LIFT_NEVER
#define LIFTS false
#else
#define LIFTS (RW != NONE && RW > kpub)
#endif
#define STARVES (RW != NONE && RW > kpub)
#ifdef PAUSE_BY_CONSUMED
#define SEEN kcon
#define SEEN_WORD con
#else
#define SEEN kexa
#define SEEN_WORD exa
#endif
#ifdef FULL_EXAMINED
#define FULL (memwait != NONE && kcon < memwait && kexa == kpub && kcon < kpub)
#elif defined(FULL_NEVER)
#define FULL false
#elif defined(FULL_WITHOUT_WRITER)
#define FULL (kexa == kpub && opened - first == NSEG)
#else
#define FULL (memwait != NONE && kcon < memwait && kcon < kpub)
#endif

#ifdef COUNT
byte arms, calls;
#define COUNT_ARM arms++
#define COUNT_CALL calls++; assert(calls <= arms)
#else
#define COUNT_ARM skip
#define COUNT_CALL skip
#endif

/* Store buffers. */
mtype = { PUB, EXA, CON, S_RW };
chan wb = [2] of { mtype, byte };
chan rb = [3] of { mtype, byte };
#define DRAINED_W (len(wb) == 0)
#define DRAINED_R (len(rb) == 0)
#ifdef NO_FENCE_WRITER
#define FENCE_W skip
#else
#define FENCE_W DRAINED_W
#endif
#ifdef NO_FENCE_READER
#define FENCE_R skip
#else
#define FENCE_R DRAINED_R
#endif

inline put(a, v)
{
	if
	:: a == PUB -> pub = v
	:: a == EXA -> exa = v
	:: a == CON -> con = v
	:: a == S_RW -> s_rw = v
	fi
}

active proctype memory()
{
	mtype a;
	byte v;

end:	do
	:: atomic { wb?a, v -> put(a, v); v = 0 }
	:: atomic { rb?a, v -> put(a, v); v = 0 }
	od
}

/* ---- under the lock ---- */

/* zpipe_wait_share_locked() */
inline share_writer_words()
{
	s_we = (kexa < WE -> WE : NONE);
	s_wc = (kcon < WC -> WC : NONE)
}

inline share()
{
	s_rw = (rended -> 0 : RW);
	share_writer_words()
}

inline wake_reader()
{
#ifndef NO_CLEAR
	rsl = NONE;
	rar = NONE;
#endif
	sendr = (sendr || rjoined || POLLS);
	share()
}

inline wake_writer()
{
	esl = NONE;
	ear = NONE;
	csl = NONE;
	car = NONE;
	sendw = (sendw || wjoined || POLLS);
	share()
}

/* zpipe_pipe_pause_locked() */
inline lift()
{
	if
	:: paused && (rended || wended || LIFTS || kpub - SEEN < RESUME) -> paused = 0
	:: else
	fi
}

inline pause_now()
{
	if
	:: paused -> lift()
	:: !paused && !rended && !wended && !LIFTS && kpub - SEEN >= PAUSE -> paused = 1
	:: else
	fi
}

inline end_waits()
{
	if
	:: kpub >= RW -> wake_reader()
	:: else
	fi;
	if
	:: paused -> lift()
	:: else
	fi;
	if
	:: SEEN >= WE || kcon >= WC -> wake_writer()
	:: else
	fi
}

/* zpipe_pipe_look_locked(): c, e and p are the caller's. */
inline look()
{
#ifdef LOAD_EXAMINED_FIRST
	e = exa;
	c = con;
	p = pub;
#else
	c = con;
	e = exa;
	p = pub;
#endif
	atomic {
		if
		:: wended
		:: else -> assert(p >= kpub && p <= granted); kpub = p
		fi;
		if
		:: rended -> kexa = kpub; kcon = kpub
		:: else ->
			if
			:: e < kexa -> e = kexa
			:: else
			fi;
			assert(c >= kcon && c <= e && e <= kpub);	/* else EPROTO */
			kexa = e;
			kcon = c
		fi;
		end_waits();
		c = 0;
		e = 0;
		p = 0
	}
}

/* zpipe_wait_unlock_and_wake(): who sleeps is collected with the lock held. */
inline leave()
{
	atomic {
		wr = (sendr && rjoined);
		ww = (sendw && wjoined);
		pr = sendr;
		pw = sendw;
		sendr = 0;
		sendw = 0;
		lk = 0
	}
	if
	:: wr || ww || pr || pw ->
		atomic {
			if
			:: wr -> rstate = 0
			:: else
			fi;
			if
			:: ww -> wstate = 0
			:: else
			fi;
			revent = (revent || (pr && POLLS));
			wevent = (wevent || (pw && POLLS));
			wr = 0;
			ww = 0;
			pr = 0;
			pw = 0
		}
	:: else
	fi
}

#define ENTER_W atomic { lk == 0 && DRAINED_W -> lk = 1; wink = 1 }
#define ENTER_R atomic { lk == 0 && DRAINED_R -> lk = 2; rink = 1 }
#define EXIT_W atomic { wink = 0 }
#define EXIT_R atomic { rink = 0 }

/* ---- writer ---- */

/* Where descriptor k ends when the request leaves the open one. */
#define ENDS(k) ((k) + 1 < opened -> start[((k) + 1) % T] : pos)

/* Nothing will ever happen any more: then nothing may have been missed. */
#define MISSED_W assert(rgone && SEEN_WORD < WE && con < WC)
#define MISSED_R assert(gone && pub < RW && (mn > 1 || seen == pub))

inline sleep_writer()
{
	leave();
	atomic { wink = 0 };
	if
#ifdef POLLET
	:: atomic { wevent -> wevent = 0 }
#else
	:: !wstate
#endif
	:: timeout -> MISSED_W; goto over
	fi;
	atomic { wink = 1 };
	ENTER_W;
	wjoined = 0
}

inline join_writer()
{
#ifndef POLLET
	wjoined = 1;
	wstate = 1;
#endif
	skip
}

/* ALLOC of m units: r is 0, 2 when the reader has ended, 3 for ENOBUFS. */
inline k_alloc(m)
{
	ENTER_W;
	do
	:: true ->
		look();
		atomic {
			do
			:: first < opened && ENDS(first) <= kcon -> start[first % T] = 0; first++
			:: else -> break
			od;
			if
			:: rended -> r = 2
			:: !rended && opened - first < NSEG ->
				assert(opened - first < T);
				start[opened % T] = pos;
				opened++;
				granted = pos + SEG;
				r = 0
			:: !rended && opened - first == NSEG && ENDS(first) > kpub -> r = 3
			:: else -> r = 1
			fi
		}
		if
		:: r != 1 -> break
		:: else
		fi;
		atomic {
			join_writer();
			memwait = ENDS(first);
#ifdef POLLET
			car = LEAST(car, memwait);
#else
			csl = LEAST(csl, memwait);
#endif
			share()
		}
		look();
		atomic {
#ifndef FULL_BY_READER_ONLY
			if
			:: STARVES && FULL -> wake_reader()
			:: else
			fi;
#endif
			skip
		}
		sleep_writer()
	od;
	atomic {
		memwait = NONE;
		csl = NONE;
		share()
	}
	leave();
	EXIT_W
}

inline k_flush(waits)
{
	ENTER_W;
	look();
	atomic {
		if
		:: waits && push < pos && !rended ->
			push = pos;
			if
			:: RW != NONE && kexa < kpub -> wake_reader()
			:: else
			fi
		:: else
		fi
	}
	do
	:: true ->
		atomic {
			pause_now();
			r = (!rended && (paused || (waits && kexa < pos)));
			if
			:: r ->
				join_writer();
				e = (paused -> kpub - RESUME + 1 : NONE);
				if
				:: waits && kexa < pos -> e = LEAST(e, pos)
				:: else
				fi;
#ifdef POLLET
				ear = LEAST(ear, e);
#else
				esl = LEAST(esl, e);
#endif
				e = 0;
				share()
			:: else
			fi
		}
		if
		:: !r -> break
		:: else
		fi;
		look();
		sleep_writer();
		look()
	od;
	atomic {
		esl = NONE;
		share()
	}
	leave();
	EXIT_W
}

/* A process ends: a call that sleeps is over, then come flush and release of the file. */
inline end_writer()
{
	DRAINED_W;
	ENTER_W;
	atomic {
		wjoined = 0;
		wstate = 0;
		esl = NONE;
		csl = NONE;
		memwait = NONE;
		share()
	}
#ifndef NO_FLUSH_HOOK
	look();
#endif
	leave();
#ifdef WSUP
	if
	:: wkill && pos < N -> atomic { gone = 1; wink = 0 }; goto over
	:: else
	fi;
#endif
	ENTER_W;
#ifndef RELEASE_WITHOUT_LOOK
	look();
#endif
	atomic {
		wended = 1;
		lift();
#ifndef NO_RELEASE_WAKE
		rsl = NONE;
		rar = NONE;
		sendr = 1;
#endif
		share()
	}
	leave();
	EXIT_W
}

active proctype writer()
{
	byte m, c, e, p, r, limit;
	bit wr, ww, pr, pw;

	{
	do
	:: pos < N ->
		if
		:: m = 1
		:: pos + 2 <= N -> m = 2
		fi;
		if
		:: pos + m <= granted
		:: else ->
			k_alloc(m);
			if
			:: r == 2 -> break
			:: r == 3 -> assert(pub < pos || len(wb)); goto publish
			:: r == 0
			fi
		fi;
		atomic { pos = pos + m; m = 0 };
		if
#ifdef BATCH
		:: pos < N -> goto next
#endif
		:: true
		fi;
publish:	wb!PUB, pos;
		FENCE_W;
		if
		:: pos >= s_rw -> COUNT_CALL; k_flush(false)
		:: else ->
			/* the library's pause_limit, from a fresh look */
			limit = SEEN_WORD;
			if
			:: pos - limit >= PAUSE -> k_flush(false)
			:: else
			fi;
			limit = 0
		fi;
#ifdef WAITEX
		if
		:: k_flush(true)
		:: true
		fi;
#endif
next:		skip
	:: pos == N -> break
	:: pos > 0 -> gone = 1; goto over
	od
	} unless { wkill && !wink };
	end_writer();
over:	skip
}

/* ---- reader ---- */

inline judge()
{
	t = MOST(kcon + mn, ((reread -> kcon : kexa) + 1));
	f = 0;
	if
	:: wended -> f = 1
	:: !wended && (kpub >= t || (push > (reread -> kcon : kexa) &&
				     kpub > (reread -> kcon : kexa))) -> f = 3
	:: else ->
#ifndef FULL_BY_WRITER_ONLY
		if
		:: FULL -> f = 2; assert(kcon < kpub)
		:: else
		fi
#else
		skip
#endif
	fi
}

inline arm_reader()
{
	atomic {
		COUNT_ARM;
		lifted = paused;
#ifdef POLLET
		rar = LEAST(rar, t);
#else
		rjoined = 1;
		rstate = 1;
		rsl = LEAST(rsl, t);
#endif
#ifdef NO_FENCE_KERNEL
		share_writer_words();
		rb!S_RW, (rended -> 0 : RW);
#else
		share();
#endif
		if
		:: lifted -> lift()
		:: else
		fi;
		if
		:: lifted && !paused -> wake_writer()
		:: else
		fi;
		lifted = 0
	}
#ifndef NO_SECOND_LOOK
	look()
#endif
}

/* READ of a minimum: f is 1 COMPLETED, 2 FULL, 3 otherwise. */
inline k_read()
{
	ENTER_R;
	do
	:: true ->
		look();
		atomic { judge() };
		if
		:: f -> break
		:: else
		fi;
		arm_reader();
#ifdef POLLET
		atomic { judge() };
		if
		:: f -> break
		:: else
		fi;
#endif
		leave();
		atomic { rink = 0 };
		if
#ifdef POLLET
		:: atomic { revent -> revent = 0 }
#else
		:: !rstate
#endif
		:: timeout -> MISSED_R; goto over
		fi;
		atomic { rink = 1 };
		ENTER_R;
		atomic {
			rjoined = 0;
			rsl = NONE;
#ifdef SELF_CLEAR
			rar = NONE;
#endif
			share();
			t = 0
		}
	od;
	view = kpub;
	t = 0;
	leave();
	EXIT_R
}

inline advance(nc, ne)
{
#ifdef STORE_CONSUMED_FIRST
	atomic { lc = nc; rb!CON, lc };
	atomic { le = MOST(le, ne); rb!EXA, le };
#else
	atomic { le = MOST(le, ne); rb!EXA, le };
	atomic { lc = nc; rb!CON, lc };
#endif
	FENCE_R;
#ifdef WAKE_BY_CONSUMED
	if
	:: lc >= s_wc ->
#else
	if
#ifdef PAUSE_BY_CONSUMED
	:: lc >= s_we || lc >= s_wc ->
#else
	:: le >= s_we || lc >= s_wc ->
#endif
#endif
		ENTER_R;
		look();
		leave();
		EXIT_R
	:: else
	fi
}

inline reader_body()
{
	mn = 1;
	do
	:: true ->
		view = pub;
		f = 3;
		if
		:: view > le && view - lc >= mn
		:: else -> k_read()
		fi;
		assert(view >= lc);
		seen = view;
		mn = 1;
		reread = 0;
		if
		:: f != 1 -> rgone = 1; goto over
		:: true
		fi;
		if
		:: f == 1 -> advance(view, view); break
		:: f == 2 ->
			assert(view > lc);
			if
			:: advance(view, view)
			:: advance(lc + 1, view)
			fi
		:: f == 3 ->
			if
			:: advance(view, view)
			:: advance(lc, view)
			:: advance(lc, view); mn = MIN
			:: view - lc < MIN -> mn = MIN		/* and nothing is examined */
			:: view > lc + 1 -> advance(lc + 1, lc + 1)
			:: view > lc + 1 -> advance(lc + 1, view)
			fi
		fi
	od;
	/* Nothing that was published is lost. */
	assert(lc == pub && (wkill || lc == N))
}

inline end_reader(last)
{
	DRAINED_R;
	ENTER_R;
	atomic {
		rjoined = 0;
		rstate = 0;
		rsl = NONE;
		share()
	}
#ifndef NO_FLUSH_HOOK
	look();
#endif
	leave();
	if
	:: last ->
		ENTER_R;
		look();
		atomic {
			rended = 1;
			rsl = NONE;
			rar = NONE;
#ifndef NO_RELEASE_WAKE
			wake_writer();
			sendw = 1;
#endif
			lift();
			share()
		}
		leave()
	:: else
	fi;
	EXIT_R
}

active proctype reader()
{
	byte c, e, p, t, f, view, mn = 1;
	bit wr, ww, pr, pw, lifted, reread;

	{
	reader_body()
	} unless { rkill && !rink };
#ifdef RESTART
	end_reader(f == 1);
	if
	:: f != 1 ->
		/* It starts with what is there, not after what the dead one examined. */
		atomic {
			lc = kcon;
			seen = lc;
#ifdef ATTACH_EXAMINED
			le = kexa;
#else
			le = kcon;
			reread = (kcon < kexa);
#endif
			f = 0;
			t = 0;
			view = 0;
			rkill = 0
		};
		reader_body();
		end_reader(true)
	:: else
	fi;
#else
	end_reader(true);
#endif
over:	skip
}

#if defined(KILLW) || defined(KILLR)
active proctype killer()
{
	if
#ifdef KILLW
	:: wkill = 1
#endif
#ifdef KILLR
	:: rkill = 1
#endif
	:: skip
	fi
}
#endif
