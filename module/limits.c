// SPDX-License-Identifier: GPL-2.0-only
/*
 * limits - what one user may take: pipes and pages, and the module parameters
 *
 * One object per uid that owns a pipe, in a small hash table. A limit is
 * checked before the memory is taken, by adding first and taking back what was
 * too much, so two racing callers cannot both slip under it.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>

#include "limits.h"

unsigned long zpipe_max_capacity = 256UL << 20;
module_param_named(max_capacity, zpipe_max_capacity, ulong, 0644);
MODULE_PARM_DESC(max_capacity, "Most bytes that one pipe may hold (default 256 MiB)");

static unsigned long user_pages_soft = 16384;
module_param(user_pages_soft, ulong, 0644);
MODULE_PARM_DESC(user_pages_soft,
		 "Pages of a user beyond which new pipes are limited to two (default 16384, 0 for none)");

static unsigned long user_pages_hard = 131072;
module_param(user_pages_hard, ulong, 0644);
MODULE_PARM_DESC(user_pages_hard,
		 "Most pages that a user may hold in pipes (default 131072, 0 for no limit)");

static unsigned long user_pipes = 4096;
module_param(user_pipes, ulong, 0644);
MODULE_PARM_DESC(user_pipes, "Most pipes of a user (default 4096, 0 for no limit)");

unsigned long zpipe_max_preserved = 64UL << 20;
module_param_named(max_preserved, zpipe_max_preserved, ulong, 0644);
MODULE_PARM_DESC(max_preserved,
		 "Most bytes that one reader may preserve (default 64 MiB, 0 for no limit)");

/**
 * struct zpipe_user - what a uid has
 * @node: in the table; users_lock
 * @uid: immutable
 * @refs: pools and replacement segments that charge to it
 * @pipes: how many
 * @pages: how many
 * @refused: calls that failed for a limit
 */
struct zpipe_user {
	struct hlist_node node;
	kuid_t uid;
	refcount_t refs;
	atomic_long_t pipes;
	atomic_long_t pages;
	atomic_long_t refused;
};

static DEFINE_HASHTABLE(users, 6);
static DEFINE_SPINLOCK(users_lock);

/* How often a limit was in somebody's way. */
static atomic_long_t refused_pipes = ATOMIC_LONG_INIT(0);
static atomic_long_t refused_pages = ATOMIC_LONG_INIT(0);
static atomic_long_t limited = ATOMIC_LONG_INIT(0);

static struct zpipe_user *find_user_locked(kuid_t uid)
{
	struct zpipe_user *user;

	lockdep_assert_held(&users_lock);
	hash_for_each_possible(users, user, node, __kuid_val(uid)) {
		if (uid_eq(user->uid, uid)) {
			refcount_inc(&user->refs);
			return user;
		}
	}
	return NULL;
}

/**
 * zpipe_user_get - the caller's account
 *
 * Context: may sleep.
 * Return: a reference, or NULL without memory.
 */
struct zpipe_user *zpipe_user_get(void)
{
	kuid_t uid = current_uid();
	struct zpipe_user *user, *new;

	spin_lock(&users_lock);
	user = find_user_locked(uid);
	spin_unlock(&users_lock);
	if (user)
		return user;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	new->uid = uid;
	refcount_set(&new->refs, 1);

	spin_lock(&users_lock);
	user = find_user_locked(uid);
	if (!user) {
		hash_add(users, &new->node, __kuid_val(uid));
		user = new;
		new = NULL;
	}
	spin_unlock(&users_lock);
	kfree(new);
	return user;
}

/**
 * zpipe_user_hold - one more reference
 * @user: an account that the caller has a reference on
 */
void zpipe_user_hold(struct zpipe_user *user)
{
	refcount_inc(&user->refs);
}

/**
 * zpipe_user_put - drop a reference
 * @user: the account; freed with its last pipe
 */
void zpipe_user_put(struct zpipe_user *user)
{
	bool last;

	spin_lock(&users_lock);
	last = refcount_dec_and_test(&user->refs);
	if (last)
		hash_del(&user->node);
	spin_unlock(&users_lock);
	if (last)
		kfree(user);
}

static int charge(struct zpipe_user *user, atomic_long_t *count, unsigned long by,
		  unsigned long limit, bool exempt, atomic_long_t *refused)
{
	unsigned long now = atomic_long_add_return(by, count);

	if (limit && now > limit && !exempt) {
		atomic_long_sub(by, count);
		atomic_long_inc(&user->refused);
		atomic_long_inc(refused);
		return -EDQUOT;
	}
	return 0;
}

/**
 * zpipe_user_add_pipe - count one more pipe
 * @user: the account
 * @exempt: the caller may pass limits (CAP_SYS_RESOURCE)
 *
 * Return: 0 or -EDQUOT.
 */
int zpipe_user_add_pipe(struct zpipe_user *user, bool exempt)
{
	return charge(user, &user->pipes, 1, READ_ONCE(user_pipes), exempt, &refused_pipes);
}

/**
 * zpipe_user_sub_pipe - count one pipe less
 * @user: the account
 */
void zpipe_user_sub_pipe(struct zpipe_user *user)
{
	atomic_long_dec(&user->pipes);
}

/**
 * zpipe_user_add_pages - charge pages that are about to be allocated
 * @user: the account
 * @pages: how many
 * @exempt: the pipe's maker may pass limits (CAP_SYS_RESOURCE)
 *
 * Return: 0 or -EDQUOT.
 */
int zpipe_user_add_pages(struct zpipe_user *user, unsigned long pages, bool exempt)
{
	return charge(user, &user->pages, pages, READ_ONCE(user_pages_hard), exempt,
		      &refused_pages);
}

/**
 * zpipe_user_sub_pages - pages have gone back
 * @user: the account
 * @pages: how many
 */
void zpipe_user_sub_pages(struct zpipe_user *user, unsigned long pages)
{
	atomic_long_sub(pages, &user->pages);
}

/**
 * zpipe_user_is_soft - would a full pipe take the user past the soft limit
 * @user: the account
 * @pages: capacity of the pipe
 *
 * Return: whether a new pipe is to be small.
 */
bool zpipe_user_is_soft(struct zpipe_user *user, unsigned long pages)
{
	unsigned long soft = READ_ONCE(user_pages_soft);

	if (!soft || (unsigned long)atomic_long_read(&user->pages) + pages <= soft)
		return false;
	atomic_long_inc(&limited);
	return true;
}

/**
 * zpipe_user_sum - what users have, all of them and one
 * @uid: the one
 * @totals: filled
 */
void zpipe_user_sum(kuid_t uid, struct zpipe_user_totals *totals)
{
	struct zpipe_user *user;
	int bucket;

	*totals = (struct zpipe_user_totals){
		.refused_pipes = atomic_long_read(&refused_pipes),
		.refused_pages = atomic_long_read(&refused_pages),
		.limited = atomic_long_read(&limited),
	};
	spin_lock(&users_lock);
	hash_for_each(users, bucket, user, node) {
		totals->users++;
		if (!uid_eq(user->uid, uid))
			continue;
		totals->own_pipes = atomic_long_read(&user->pipes);
		totals->own_pages = atomic_long_read(&user->pages);
		totals->own_refused = atomic_long_read(&user->refused);
	}
	spin_unlock(&users_lock);
}

/**
 * zpipe_user_uid - whose account it is
 * @user: the account
 *
 * Return: the user.
 */
kuid_t zpipe_user_uid(const struct zpipe_user *user)
{
	return user->uid;
}
