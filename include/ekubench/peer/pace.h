// When a client starts connections. Pure arithmetic on times that it is given.

#ifndef EKUBENCH_PEER_PACE_H
#define EKUBENCH_PEER_PACE_H

#include <stdint.h>

// ekb_pace_ramp returns how many connections may be in flight `elapsed_ns` after the start, of a
// closed loop that shall have `in_flight` of them from `ramp_ns` on: one more at equal distances,
// the first at once. `ramp_ns` is below 2^32 s.
uint32_t ekb_pace_ramp(uint32_t in_flight, uint64_t ramp_ns, uint64_t elapsed_ns);

// ekb_pace_ramp_next_ns returns when, after the start, that number rises next; UINT64_MAX if it
// does not.
uint64_t ekb_pace_ramp_next_ns(uint32_t in_flight, uint64_t ramp_ns, uint64_t elapsed_ns);

#endif
