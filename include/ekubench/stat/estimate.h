// Estimates with their intervals: pure functions of samples.
//
// The unit of replication is the slice of time, never the handshake: handshakes of one slice share
// its noise. All functions are deterministic: resampling is seeded. Each allocates once and takes
// time proportional to EKB_ESTIMATE_RESAMPLES times the number of replicates.
//
// Intervals are percentile bootstrap intervals (Efron and Tibshirani 1993, ch. 13), their quantiles
// widened for small samples (Hesterberg 2015, "expanded percentile"): the plain ones cover much
// less than they say with few replicates.

#ifndef EKUBENCH_STAT_ESTIMATE_H
#define EKUBENCH_STAT_ESTIMATE_H

#include "ekubench/base/err.h"

#include <stddef.h>
#include <stdint.h>

// An estimate with a two-sided confidence interval, in the unit of the samples. `n` is the number
// of replicates it rests on.
struct ekb_estimate {
    double estimate;
    double low;
    double high;
    size_t n;
};

// One slice of one arm: how many handshakes, and the sum of what they cost.
struct ekb_slice_sum {
    uint64_t count;
    uint64_t sum;
};

// The bootstrap's resamples.
#define EKB_ESTIMATE_RESAMPLES 2000
// Below this many replicates no interval is given.
#define EKB_ESTIMATE_MIN_N 6

// ekb_estimate_mean estimates the mean of `num_values` finite `values` with its interval at
// `confidence` (0.95, say; above 0 and below 1). EKB_NOT_FOUND with fewer than EKB_ESTIMATE_MIN_N
// values, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_estimate_mean(struct ekb_estimate *out_estimate,
                                             const double *values, size_t num_values,
                                             double confidence, uint64_t seed);

// ekb_estimate_slice_ratio estimates the cost per handshake of one arm, sum of `sum` over sum of
// `count`, resampling whole slices. Slices with count 0 are left out. Errors as ekb_estimate_mean.
EKB_NODISCARD enum ekb_err ekb_estimate_slice_ratio(struct ekb_estimate *out_estimate,
                                                    const struct ekb_slice_sum *slices,
                                                    size_t num_slices, double confidence,
                                                    uint64_t seed);

#endif
