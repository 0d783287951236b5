// When a client starts connections. Pure arithmetic on times that it is given, all of them
// nanoseconds after the start of the load.
//
// Closed loop: a ramp. Open loop: arrivals at a rate that may change with time. They are spaced in
// operational time, of which one unit passes for each arrival that is expected: at distances of one
// unit, or of exponentially distributed ones, which makes a Poisson process of any rate function
// (Cinlar, Introduction to Stochastic Processes, 1975, chapter 4). The parts of several workers,
// each with its share of the rate, add up to the whole: Poisson processes superpose, and those of
// fixed distances are shifted against one another.

#ifndef EKUBENCH_PEER_PACE_H
#define EKUBENCH_PEER_PACE_H

#include "ekubench/base/rng.h"

#include <stddef.h>
#include <stdint.h>

// ekb_pace_ramp returns how many connections may be in flight `elapsed_ns` after the start, of a
// closed loop that shall have `in_flight` of them from `ramp_ns` on: one more at equal distances,
// the first at once.
uint32_t ekb_pace_ramp(uint32_t in_flight, uint64_t ramp_ns, uint64_t elapsed_ns);

// ekb_pace_ramp_next_ns returns when, after the start, that number rises next; UINT64_MAX if it
// does not.
uint64_t ekb_pace_ramp_next_ns(uint32_t in_flight, uint64_t ramp_ns, uint64_t elapsed_ns);

// A stretch of time in which the rate goes from one value to another, in a straight line.
struct ekb_pace_stretch {
    uint64_t duration_ns;
    double begin_per_s;
    double end_per_s;
};

enum ekb_arrivals_kind {
    EKB_ARRIVALS_POISSON,
    EKB_ARRIVALS_FIXED,
    EKB_ARRIVALS_NUM_KINDS
};

// ekb_arrivals_kind_name returns "poisson" or "fixed".
const char *ekb_arrivals_kind_name(enum ekb_arrivals_kind kind);

// Who gives the load: worker `index` of `count`, from 0.
struct ekb_pace_share {
    uint32_t index;
    uint32_t count;
};

struct ekb_arrivals {
    const struct ekb_pace_stretch
        *stretches; // Borrowed. The last one's end rate holds on for ever.
    size_t num_stretches;
    enum ekb_arrivals_kind kind;
    double share; // Of the rate.
    struct ekb_rng rng;
    double operational; // Of the next arrival.
    size_t stretch;     // That it is in; `num_stretches` after the last.
    double passed;      // Operational time at the start of that stretch,
    uint64_t start_ns;  // and the time.
};

// ekb_arrivals_init prepares the arrivals of one worker. Rates are not negative; there is one
// stretch at least. The same seed and share give the same times.
void ekb_arrivals_init(struct ekb_arrivals *out_arrivals, const struct ekb_pace_stretch *stretches,
                       size_t num_stretches, enum ekb_arrivals_kind kind,
                       const struct ekb_pace_share *share, uint64_t seed);

// ekb_arrivals_next_ns returns when the next arrival is due, and draws the one after it: times
// never go back. UINT64_MAX if there are no more.
uint64_t ekb_arrivals_next_ns(struct ekb_arrivals *arrivals);

// ekb_pace_expected returns how many arrivals the whole load expects from the start until `at_ns`.
double ekb_pace_expected(const struct ekb_pace_stretch *stretches, size_t num_stretches,
                         uint64_t at_ns);

#endif
