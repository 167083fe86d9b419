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

struct zpipe_user;

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

#endif /* ZPIPE_LIMITS_H */
