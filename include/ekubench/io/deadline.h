// Deadlines: a FIFO list of slots, all with the same time to live, so that the next one to expire
// is always the first, and everything is O(1). Pure: it is given the time.

#ifndef EKUBENCH_IO_DEADLINE_H
#define EKUBENCH_IO_DEADLINE_H

#include "ekubench/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct ekb_deadlines;

// ekb_deadlines_create makes an empty list for slots 0 to `capacity` - 1, each living `ttl_ns`
// after it is armed; release it with `ekb_deadlines_destroy` (NULL is legal). EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_deadlines_create(struct ekb_deadlines **out_deadlines,
                                                uint32_t capacity, uint64_t ttl_ns);
void ekb_deadlines_destroy(struct ekb_deadlines *deadlines);

// ekb_deadlines_arm starts (or starts anew) the time of `slot`. `now_ns` never runs backwards.
void ekb_deadlines_arm(struct ekb_deadlines *deadlines, uint32_t slot, uint64_t now_ns);

// ekb_deadlines_disarm stops it; a slot that is not armed is legal.
void ekb_deadlines_disarm(struct ekb_deadlines *deadlines, uint32_t slot);

// ekb_deadlines_next returns when the next slot expires, UINT64_MAX if none is armed.
uint64_t ekb_deadlines_next(const struct ekb_deadlines *deadlines);

// ekb_deadlines_pop disarms one slot that has expired at `now_ns` and stores it in `*out_slot`;
// false if none has.
bool ekb_deadlines_pop(struct ekb_deadlines *deadlines, uint32_t *out_slot, uint64_t now_ns);

#endif
