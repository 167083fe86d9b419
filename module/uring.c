// SPDX-License-Identifier: GPL-2.0-only
/*
 * uring - io_uring commands: the verbs without a system call, waiting without a task
 *
 * A command is the ioctl of the same number and goes the same way through
 * ioctl.c. One that must wait is parked: it stays busy like a call that sleeps
 * (a second one of its kind is EBUSY), its words are armed, and an entry of
 * its own on the end's poll queue takes the place of the sleeping task. Each
 * wake-up makes the command look again in the task that submitted it, the only
 * one whose memory it may touch.
 *
 * Who may act on a parked command, and what keeps them apart:
 *
 *	issue, retry and cancel are called with the ring's lock held, hence one
 *	at a time: retry in the submitter or, when that is gone, in a worker of
 *	the kernel; cancel (the ring ends) in any task.
 *	wake and the timer come at any moment in any context. They do no more
 *	than move the state:
 *
 *	RUNNING	-> WOKEN	what was looked at may be old
 *	PARKED	-> QUEUED	and whoever does this, and nobody else, sends the
 *				command to its task
 *
 * The others do the rest: RUNNING -> PARKED when the verb waits, or, finding
 * WOKEN, -> QUEUED; retry does QUEUED -> RUNNING. Cancel does PARKED -> RUNNING
 * and ends the command, which then was sent nowhere; one that is QUEUED it
 * leaves to the retry that comes. So a command is completed exactly once, by
 * whoever has it RUNNING, after it has left the queue and stopped the timer,
 * that is, when nobody can find it any more.
 *
 * No wake-up is lost: the entry joins the queue before the verb arms its word
 * and stays until the end, and a wake-up that finds QUEUED or WOKEN is followed
 * by a look that takes the pipe's lock after the waker has dropped it.
 *
 * The command holds the end's file, so the queue outlives it (POLLFREE has no
 * place here), a registered file may be unregistered, and closing the fd ends
 * nothing: as with a call that sleeps, the end is closed when the command is
 * over. A child of the submitter has no part in its ring's requests. A process
 * that exits (it closes the ring) or executes another program cancels its own;
 * the command of a thread that has exited is canceled when it would look
 * again, which is in a worker of the kernel then.
 *
 * Where commands cannot be canceled (before 6.8) a parked one would block the
 * end of its ring: one that must wait is handed to a worker thread of the
 * ring, where it sleeps as an ioctl does; so does, everywhere, one that was
 * submitted for a worker (IOSQE_ASYNC).
 */
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "compat.h"
#include "ioctl.h"
#include "types.h"
#include "uring.h"
#include "wait.h"

enum state {
	RUNNING,
	WOKEN,
	PARKED,
	QUEUED,
};

/**
 * struct parked - a command that waits
 * @cmd: io_uring's
 * @call: the verb; owned
 * @park: its
 * @queue: the end's poll queue
 * @entry: on it
 * @timer: for the deadline
 * @timed: the timer was started
 * @expired: it has fired
 * @canceled: end it at the next look
 * @state: see above
 */
struct parked {
	struct io_uring_cmd *cmd;
	struct zpipe_call *call;
	struct zpipe_park park;
	struct wait_queue_head *queue;
	struct wait_queue_entry entry;
	struct hrtimer timer;
	bool timed;
	bool expired;
	bool canceled;
	atomic_t state;
};

static struct parked **parked_of(struct io_uring_cmd *cmd)
{
	return (struct parked **)cmd->pdu;
}

/*
 * Never through the value that the handler returns: there EAGAIN and
 * EIOCBQUEUED have a meaning, and any errno may be the peer's.
 */
static int deliver(struct io_uring_cmd *cmd, int ret, unsigned int issue_flags)
{
	/* Nobody could restart it: the worker was told to stop. */
	if (ret == -ERESTARTSYS)
		ret = -EINTR;
	io_uring_cmd_done(cmd, ret, 0, issue_flags);
	return -EIOCBQUEUED;
}

static void finish(struct parked *parked, int ret, unsigned int issue_flags)
{
	struct io_uring_cmd *cmd = parked->cmd;

	remove_wait_queue(parked->queue, &parked->entry);
	hrtimer_cancel(&parked->timer);
	*parked_of(cmd) = NULL;
	kfree(parked->call);
	kfree(parked);
	deliver(cmd, ret, issue_flags);
}

static void retry(struct io_uring_cmd *cmd, unsigned int issue_flags);

static void look(struct parked *parked, unsigned int issue_flags)
{
	int ret = zpipe_ioctl_run(parked->call);

	if (!parked->park.waits) {
		finish(parked, ret, issue_flags);
		return;
	}
	zpipe_uring_mark_cancelable(parked->cmd, issue_flags);
	if (parked->park.deadline && !parked->timed) {
		parked->timed = true;
		hrtimer_start(&parked->timer,
			      ns_to_ktime(min_t(u64, parked->park.deadline, KTIME_MAX)),
			      HRTIMER_MODE_ABS);
	}
	if (atomic_cmpxchg(&parked->state, RUNNING, PARKED) == RUNNING)
		return;
	/* What woke it came while it looked, and left this to us. */
	atomic_set(&parked->state, QUEUED);
	io_uring_cmd_complete_in_task(parked->cmd, retry);
}

/* In the submitter, unless that is gone; with the ring's lock held. */
static void retry(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct parked *parked = *parked_of(cmd);

	/*
	 * A full barrier, pairs with the one in on_timer: either it finds
	 * RUNNING, or this finds expired.
	 */
	atomic_xchg(&parked->state, RUNNING);
	parked->park.expired = READ_ONCE(parked->expired);
	if (parked->canceled || zpipe_uring_is_orphan(cmd)) {
		zpipe_ioctl_stop(parked->call);
		finish(parked, -ECANCELED, issue_flags);
		return;
	}
	look(parked, issue_flags);
}

/* The ring ends, or the submitter's memory; with the ring's lock held. */
static void cancel(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct parked *parked = *parked_of(cmd);

	if (atomic_cmpxchg(&parked->state, PARKED, RUNNING) != PARKED) {
		parked->canceled = true;
		return;
	}
	zpipe_ioctl_stop(parked->call);
	finish(parked, -ECANCELED, issue_flags);
}

static void wake(struct parked *parked)
{
	int state = atomic_read(&parked->state);
	int next;

	do {
		if (state == WOKEN || state == QUEUED)
			return;
		next = state == PARKED ? QUEUED : WOKEN;
	} while (!atomic_try_cmpxchg(&parked->state, &state, next));
	if (next == QUEUED)
		io_uring_cmd_complete_in_task(parked->cmd, retry);
}

static int on_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	wake(container_of(entry, struct parked, entry));
	return 1;
}

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct parked *parked = container_of(timer, struct parked, timer);

	WRITE_ONCE(parked->expired, true);
	/* Pairs with the exchange in retry. */
	smp_mb();
	wake(parked);
	return HRTIMER_NORESTART;
}

/* Takes over the call. */
static int park(struct io_uring_cmd *cmd, struct zpipe_call *call,
		const struct zpipe_park *probe, unsigned int issue_flags)
{
	struct zpipe_end *end = cmd->file->private_data;
	struct parked *parked;

	parked = kzalloc(sizeof(*parked), GFP_KERNEL_ACCOUNT);
	if (!call || !parked) {
		kfree(parked);
		kfree(call);
		return deliver(cmd, -ENOMEM, issue_flags);
	}
	parked->cmd = cmd;
	parked->call = call;
	parked->park.published = probe->published;
	zpipe_ioctl_park(call, &parked->park);
	parked->queue = end->role == ZPIPE_ROLE_READER ? &end->pipe->reader_poll :
			&end->pipe->writer_poll;
	atomic_set(&parked->state, RUNNING);
	hrtimer_init(&parked->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	parked->timer.function = on_timer;
	init_waitqueue_func_entry(&parked->entry, on_wake);
	*parked_of(cmd) = parked;
	/* Before the verb arms its word, see zpipe_wait_join_locked(). */
	add_wait_queue(parked->queue, &parked->entry);
	look(parked, issue_flags);
	return -EIOCBQUEUED;
}

/**
 * zpipe_uring_cmd - f_op->uring_cmd of an end
 * @cmd: cmd_op is an ioctl command, the area a struct zpipe_uring_cmd
 * @issue_flags: IO_URING_F_*
 *
 * Context: with IO_URING_F_NONBLOCK waits for nobody; touches user memory.
 * Return: -EIOCBQUEUED, or -EAGAIN to be called again in a worker.
 */
int zpipe_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const struct zpipe_uring_cmd *area;
	struct zpipe_park probe = { .probe = true };
	struct zpipe_call *call = NULL;
	u64 user, reserved;
	int ret;

	if (zpipe_uring_is_cancel(issue_flags)) {
		cancel(cmd, issue_flags);
		return 0;
	}
	/* There is nothing to poll for completions; 6.1 leaves this to us. */
	if (issue_flags & IO_URING_F_IOPOLL)
		return -EOPNOTSUPP;
	/* It may lie in the ring itself, where userspace writes. */
	area = zpipe_uring_area(cmd);
	user = READ_ONCE(area->args);
	reserved = READ_ONCE(area->__reserved);
	if (reserved || (cmd->flags & IORING_URING_CMD_FIXED))
		return deliver(cmd, -EOPNOTSUPP, issue_flags);

	if (!(issue_flags & IO_URING_F_NONBLOCK)) {
		ret = zpipe_ioctl_verb(cmd->file, cmd->cmd_op, u64_to_user_ptr(user));
		return deliver(cmd, ret, issue_flags);
	}
	ret = zpipe_ioctl_probe(cmd->file, cmd->cmd_op, u64_to_user_ptr(user), &probe,
				zpipe_uring_can_park() ? &call : NULL);
	if (!probe.waits)
		return deliver(cmd, ret, issue_flags);
	if (!zpipe_uring_can_park())
		return -EAGAIN;
	return park(cmd, call, &probe, issue_flags);
}
