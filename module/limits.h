/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * limits - what one user may take: pipes and pages, and the module parameters
 *
 * Pages are charged when they are really allocated, to the user who made the
 * pipe, besides the memory cgroup that the allocation itself is charged to.
 */
#ifndef ZPIPE_LIMITS_H
#define ZPIPE_LIMITS_H

#include <linux/types.h>
#include <linux/uidgid.h>

struct zpipe_user;

/**
 * struct zpipe_user_totals - what all users have, and what was refused to them
 * @users: that have anything
 * @refused_pipes: calls that failed for the limit of pipes, since the module came
 * @refused_pages: for the hard limit of pages; likewise
 * @limited: calls that were made smaller, or failed, for the soft limit; likewise
 * @own_pipes: of one user
 * @own_pages: of one user
 * @own_refused: calls of one user that failed for a limit, as long as it has anything
 */
struct zpipe_user_totals {
	u64 users;
	u64 refused_pipes;
	u64 refused_pages;
	u64 limited;
	u64 own_pipes;
	u64 own_pages;
	u64 own_refused;
};

extern unsigned long zpipe_max_capacity;
extern unsigned long zpipe_max_preserved;

struct zpipe_user *zpipe_user_get(void);
void zpipe_user_hold(struct zpipe_user *user);
void zpipe_user_put(struct zpipe_user *user);
int zpipe_user_add_pipe(struct zpipe_user *user, bool exempt);
void zpipe_user_sub_pipe(struct zpipe_user *user);
int zpipe_user_add_pages(struct zpipe_user *user, unsigned long pages, bool exempt);
void zpipe_user_sub_pages(struct zpipe_user *user, unsigned long pages);
bool zpipe_user_is_soft(struct zpipe_user *user, unsigned long pages);
kuid_t zpipe_user_uid(const struct zpipe_user *user);
void zpipe_user_sum(kuid_t uid, struct zpipe_user_totals *totals);

#endif /* ZPIPE_LIMITS_H */
