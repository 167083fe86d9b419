// SPDX-License-Identifier: GPL-2.0-only
///
/// User memory is never touched while a spinlock is held or in a function that is called with one
/// (`_locked`), nor under a mutex that the page fault of our own mapping takes: a user copy may
/// fault, sleep for as long as somebody else likes, and take the mm lock.
///
virtual report

@spin exists@
expression lock;
position p;
identifier take = {spin_lock, spin_lock_irq, spin_lock_bh, read_lock, write_lock};
identifier copy = {copy_to_user, copy_from_user, copy_struct_from_user, put_user, get_user,
	copy_to_iter, copy_from_iter, copy_page_to_iter, copy_page_from_iter, strncpy_from_user,
	clear_user, fault_in_readable, fault_in_writeable};
@@
take(lock)
... when != spin_unlock(lock)
    when != spin_unlock_irq(lock)
    when != spin_unlock_bh(lock)
    when != read_unlock(lock)
    when != write_unlock(lock)
copy@p(...)

@pipe exists@
expression end;
position p;
identifier copy = {copy_to_user, copy_from_user, copy_struct_from_user, put_user, get_user,
	copy_to_iter, copy_from_iter, copy_page_to_iter, copy_page_from_iter, strncpy_from_user,
	clear_user, fault_in_readable, fault_in_writeable};
@@
zpipe_wait_lock(end)
... when != zpipe_wait_unlock(end)
copy@p(...)

@mutex exists@
expression pool;
position p;
identifier take = {mutex_lock, mutex_lock_killable, mutex_lock_interruptible, mutex_trylock};
identifier copy = {copy_to_user, copy_from_user, copy_struct_from_user, put_user, get_user,
	copy_to_iter, copy_from_iter, copy_page_to_iter, copy_page_from_iter, strncpy_from_user,
	clear_user, fault_in_readable, fault_in_writeable};
@@
take(&pool->mutex)
... when != mutex_unlock(&pool->mutex)
copy@p(...)

@named@
identifier fn =~ "_locked$";
position p;
identifier copy = {copy_to_user, copy_from_user, copy_struct_from_user, put_user, get_user,
	copy_to_iter, copy_from_iter, copy_page_to_iter, copy_page_from_iter, strncpy_from_user,
	clear_user, fault_in_readable, fault_in_writeable};
@@
fn(...) {
<+...
copy@p(...)
...+>
}

@script:python depends on report@
p << spin.p;
copy << spin.copy;
@@
coccilib.report.print_report(p[0], "%s under a spinlock" % copy)

@script:python depends on report@
p << pipe.p;
copy << pipe.copy;
@@
coccilib.report.print_report(p[0], "%s under a pipe's lock" % copy)

@script:python depends on report@
p << mutex.p;
copy << mutex.copy;
@@
coccilib.report.print_report(p[0], "%s under the mutex of page faults" % copy)

@script:python depends on report@
p << named.p;
copy << named.copy;
@@
coccilib.report.print_report(p[0], "%s in a function that is called with a lock held" % copy)
