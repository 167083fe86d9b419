/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan - where a grant, or forwarded bytes, would go
 */
#ifndef ZPIPE_PLAN_H
#define ZPIPE_PLAN_H

#include <linux/types.h>

#include "chain.h"

int zpipe_plan_grant(struct zpipe_chain *chain, u64 position, u64 min, u64 want,
		     struct zpipe_plan *plan);
int zpipe_plan_at(struct zpipe_chain *chain, u64 position, u64 min, bool go_on, u64 offset,
		  u64 length, struct zpipe_plan *plan);
int zpipe_plan_forward(struct zpipe_chain *chain, u64 position, u64 length, u32 nr,
		       struct zpipe_plan *plan);

#endif /* ZPIPE_PLAN_H */
