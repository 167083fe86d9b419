/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * idle - memory that nobody uses goes back: after a while, or under pressure
 */
#ifndef ZPIPE_IDLE_H
#define ZPIPE_IDLE_H

int zpipe_idle_init(void);
void zpipe_idle_exit(void);
void zpipe_idle_kick(void);

#endif /* ZPIPE_IDLE_H */
