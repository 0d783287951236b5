// Gates: whether a change is a regression, by rules fixed beforehand. Pure.
//
// All changes are in percent of the base; positive is worse.

#ifndef EKUBENCH_STAT_GATE_H
#define EKUBENCH_STAT_GATE_H

#include "ekubench/base/err.h"
#include "ekubench/stat/estimate.h"

#include <stddef.h>

// Thresholds in percent: of numbers without noise, of the same while the history is short and at
// most whatever the history, and of times.
#define EKB_GATE_EXACT_PERCENT 0.2
#define EKB_GATE_SHORT_HISTORY_PERCENT 1.0
#define EKB_GATE_MAX_HISTORY_PERCENT 5.0
#define EKB_GATE_TIME_PERCENT 5.0

// A history of fewer values than this is short.
#define EKB_GATE_MIN_HISTORY 10

enum ekb_gate_outcome {
    EKB_GATE_PASSED,       // Not worse by more than the threshold.
    EKB_GATE_FAILED,       // Worse by more than the threshold, certainly.
    EKB_GATE_INCONCLUSIVE, // The interval holds the threshold.
};

// ekb_gate_exact judges a change of a number that has no noise.
enum ekb_gate_outcome ekb_gate_exact(double change_percent, double threshold_percent);

// ekb_gate_interval judges a change by its interval: failed only if all of it lies beyond the
// threshold, passed only if none of it does.
enum ekb_gate_outcome ekb_gate_interval(const struct ekb_estimate *change_percent,
                                        double threshold_percent);

// ekb_gate_threshold stores the threshold that follows from a history of the number, its values in
// the order of time: the larger of EKB_GATE_EXACT_PERCENT and Q3 + 3 IQR of the sizes of its
// changes from one value to the next (the fence that rustc-perf and rustls use), at most
// EKB_GATE_MAX_HISTORY_PERCENT; or EKB_GATE_SHORT_HISTORY_PERCENT with fewer than
// EKB_GATE_MIN_HISTORY values. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_gate_threshold(double *out_percent, const double *values,
                                              size_t num_values);

// ekb_gate_change returns by how many percent `now` is more than `base`; 0 if both are zero,
// infinite if base alone is.
double ekb_gate_change(double base, double now);

// ekb_gate_change_of_estimates stores the change between two independent estimates with its 95 %
// interval: of the logarithms, their widths added in squares. What varies between runs is not in
// it. EKB_NOT_FOUND unless both and their intervals are above zero.
EKB_NODISCARD enum ekb_err ekb_gate_change_of_estimates(struct ekb_estimate *out_change_percent,
                                                        const struct ekb_estimate *base,
                                                        const struct ekb_estimate *now);

#endif
