// Checks of what the estimators take for granted: that the replicates are steady in time, that one
// does not follow from the last, and which of them are no evidence. Pure.

#ifndef EKUBENCH_STAT_CHECK_H
#define EKUBENCH_STAT_CHECK_H

#include "ekubench/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ekb_check_autocorrelation returns the lag-1 autocorrelation of values in time order; 0 with fewer
// than three values or without variance. ekb_check_is_correlated is true if it is significant at 1
// % (beyond 2.58 / sqrt(n)): then, if it is positive, intervals are narrower than they should be.
double ekb_check_autocorrelation(const double *values, size_t num_values);
bool ekb_check_is_correlated(const double *values, size_t num_values);

// ekb_check_trend stores Spearman's rank correlation of the values with their order in time, and
// its two-sided p-value (normal, rho sqrt(n - 1)): a significant one at 1 % means that no steady
// state was reached. Ties get mid-ranks. rho 0 and p 1 with fewer than six values. EKB_NOMEM.
struct ekb_trend {
    double rho;
    double p;
};
#define EKB_CHECK_LEVEL 0.01
EKB_NODISCARD enum ekb_err ekb_check_trend(struct ekb_trend *out_trend, const double *values,
                                           size_t num_values);

// What happened in one stretch of time beside the measurement.
struct ekb_covariates {
    double steal_percent; // Of the machine's time, taken by the hypervisor.
    double wait_percent;  // Of the time, in which a worker waited for its CPU.
};

// A stretch in which either is above this is no evidence; when more than the share of all
// stretches goes that way, nothing is. Fixed beforehand and blind to what was measured.
#define EKB_CHECK_MAX_STEAL_PERCENT 5.0
#define EKB_CHECK_MAX_WAIT_PERCENT 5.0
#define EKB_CHECK_MAX_DROPPED_PERCENT 20.0

// ekb_check_is_disturbed tells whether any of the `num_members` stretches that make one replicate
// (a slice; the four blocks of a quadruple) is to be dropped: then the whole replicate is.
bool ekb_check_is_disturbed(const struct ekb_covariates *members, size_t num_members);

// ekb_check_too_many_dropped is true if what is left is no evidence.
bool ekb_check_too_many_dropped(uint64_t num_dropped, uint64_t num_all);

#endif
