// The series of one worker: what it did in each interval of its time, in memory shared with its
// parent.
//
// Beside the totals of peer/tally, for figures over time: live ones, and the course of a load that
// changes. Everything counts when it happens: a start when it is made, a verdict and its latency
// when it comes. An interval's latencies are therefore of handshakes that ended in it, whenever
// they began, and its starts end in later ones. What comes after the last interval is in one more.
//
// One writer, one reader, no locks, as the tally has it.

#ifndef EKUBENCH_PEER_SERIES_H
#define EKUBENCH_PEER_SERIES_H

#include "ekubench/base/err.h"
#include "ekubench/stat/hist.h"

#include <stddef.h>
#include <stdint.h>

// Of one stage at most, without the one for what comes after.
#define EKB_SERIES_MAX_INTERVALS 600

struct ekb_series_interval {
    uint64_t started;
    uint64_t accepted;
    uint64_t rejected;
    uint64_t failed;
    uint64_t dropped;
    struct ekb_hist *latency; // Coarse. Of expected verdicts, from the planned start.
};

struct ekb_series {
    uint64_t interval_ns;
    size_t num_intervals; // With the one for what comes after.
    struct ekb_series_interval *intervals;
};

// ekb_series_interval_ns returns how long the intervals of `total_ns` are: a second, or the least
// number of whole ones that makes them few enough.
uint64_t ekb_series_interval_ns(uint64_t total_ns);

// ekb_series_create makes an empty series of `total_ns` in newly-mapped shared memory; release it
// with `ekb_series_destroy` (NULL is legal). It takes memory as intervals are reached, some 20 KiB
// each. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_series_create(struct ekb_series **out_series, uint64_t total_ns,
                                             uint64_t interval_ns);
void ekb_series_destroy(struct ekb_series *series);

// ekb_series_index returns the index of the interval at `elapsed_ns` after the start;
// ekb_series_at the interval.
size_t ekb_series_index(const struct ekb_series *series, uint64_t elapsed_ns);
struct ekb_series_interval *ekb_series_at(const struct ekb_series *series, uint64_t elapsed_ns);

// ekb_series_merge adds what `from` has counted to `to`, another series of the same size, exactly.
void ekb_series_merge(struct ekb_series *to, const struct ekb_series *from);

#endif
