// SPDX-License-Identifier: MIT
/*
 * proof - what Frama-C proves of the pure code, for all inputs
 *
 * Contracts of functions of chain.c, chain.h and slots.h, which are compiled
 * into this file as they are; see prove. A contract stands at a declaration
 * here, so that the module needs no annotations. What is proved says with
 * -wp-rte that nothing is read or written outside of the structs.
 */
/* There is one thread here. */
#define __atomic_store_n(to, value, order)	(*(to) = (value))

#include "chain.h"

/*@ predicate ordered(struct zpipe_chain *c) =
      c->consumed <= c->examined <= c->published <= c->granted <= 0x4000000000000000 + 0xffffffff;

    predicate in_order(struct zpipe_cursor *r, struct zpipe_chain *c) =
      r->consumed <= r->examined <= c->published;

    predicate sane(struct zpipe_slots *s) = 1 <= s->nr <= 0x7fff;
*/

/*@ requires \valid(chain) && ordered(chain);
    assigns chain->published;
    ensures ordered(chain);
    ensures chain->published >= \old(chain->published);
    behavior good:
      assumes chain->published <= published <= chain->granted;
      ensures \result == 0 && chain->published == published;
    behavior bad:
      assumes published < chain->published || published > chain->granted;
      ensures \result < 0 && chain->published == \old(chain->published);
    complete behaviors;
    disjoint behaviors;
*/
int zpipe_chain_accept_writer(struct zpipe_chain *chain, u64 published);

/*@ requires \valid_read(chain) && \valid(cursor) && \separated(chain, cursor);
    requires ordered(chain) && in_order(cursor, chain);
    assigns cursor->consumed, cursor->examined;
    ensures in_order(cursor, chain);
    ensures cursor->consumed >= \old(cursor->consumed);
    ensures cursor->examined >= \old(cursor->examined);
    behavior good:
      assumes cursor->consumed <= consumed <= chain->published;
      assumes consumed <= examined || consumed <= cursor->examined;
      assumes examined <= chain->published;
      ensures \result == 0 && cursor->consumed == consumed;
      ensures cursor->examined ==
              (examined < \old(cursor->examined) ? \old(cursor->examined) : examined);
    behavior bad:
      assumes consumed < cursor->consumed || examined > chain->published ||
              (consumed > examined && consumed > cursor->examined);
      ensures \result < 0;
      ensures cursor->consumed == \old(cursor->consumed);
      ensures cursor->examined == \old(cursor->examined);
    complete behaviors;
    disjoint behaviors;
*/
int zpipe_chain_accept_reader(const struct zpipe_chain *chain, struct zpipe_cursor *cursor,
			      u64 consumed, u64 examined);

/*@ requires \valid(chain) && \valid_read(slowest) && \separated(chain, slowest);
    requires ordered(chain) && in_order(slowest, chain);
    assigns chain->consumed, chain->examined;
    ensures ordered(chain);
*/
static inline void zpipe_chain_settle(struct zpipe_chain *chain,
				      const struct zpipe_cursor *slowest);

/*@ requires \valid_read(chain) && ordered(chain);
    assigns \nothing;
    ensures \result == chain->published - chain->consumed;
    ensures \result <= chain->granted - chain->consumed;
*/
static inline u64 zpipe_chain_held(const struct zpipe_chain *chain);

/*@ requires \valid_read(chain) && ordered(chain);
    assigns \nothing;
    ensures \result == chain->published - chain->examined;
    ensures \result <= chain->published - chain->consumed;
*/
static inline u64 zpipe_chain_unexamined(const struct zpipe_chain *chain);

/*@ requires \valid_read(slots);
    assigns \nothing;
    ensures \result == (index >= slots->nr ? 1 : 0);
*/
static inline bool zpipe_slots_is_spare(const struct zpipe_slots *slots, u32 index);

/*@ requires \valid_read(slots) && sane(slots) && index < slots->nr && by < 0x10000;
    assigns \nothing;
    ensures \result < slots->nr;
    ensures index + by < slots->nr ==> \result == index + by;
*/
static inline u32 zpipe_slots_after(const struct zpipe_slots *slots, u32 index, u32 by);
#include "chain.c"
