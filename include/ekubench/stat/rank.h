// The Hodges-Lehmann estimator and Wilcoxon's signed-rank test: where the middle of a sample of
// paired differences lies, with an interval that no single spike can move, from 12 values on. Pure.
//
// The estimate is the median of the n (n + 1) / 2 Walsh averages (d_i + d_j) / 2, i <= j; the
// interval is made of two of them, by inverting the signed-rank test (Hodges and Lehmann, Annals of
// Mathematical Statistics 34(2), 1963; Hollander, Wolfe and Chicken, "Nonparametric Statistical
// Methods", 3rd ed. 2014, sections 3.1 to 3.3). It estimates the mean if the differences are
// distributed symmetrically, with 95 % of the mean's efficiency if they are normal, and keeps it if
// they are not.

#ifndef EKUBENCH_STAT_RANK_H
#define EKUBENCH_STAT_RANK_H

#include "ekubench/base/err.h"
#include "ekubench/stat/estimate.h"

#include <stddef.h>

// Up to this many values the distribution of the signed-rank statistic is computed exactly, beyond
// it is taken as normal.
#define EKB_RANK_MAX_EXACT 50

// ekb_rank_estimate estimates the middle of `num_values` finite `values` with its interval at
// `confidence` (in (0, 1)). The interval covers at least that much if the values are continuous
// (with the normal distribution, within 0.03 % of it); with ties it is the wider for it.
// EKB_NOT_FOUND with fewer than EKB_ESTIMATE_MIN_N values, or with so few that no interval has that
// confidence (2^(1-n) is above 1 - confidence); EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_rank_estimate(struct ekb_estimate *out_estimate,
                                             const double *values, size_t num_values,
                                             double confidence);

// ekb_rank_test stores the two-sided p-value of the signed-rank test for a middle of zero: exact up
// to EKB_RANK_MAX_EXACT values without ties and zeroes; else normal, with continuity correction,
// zeroes left out and mid-ranks for ties. 1 if all are zero. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_rank_test(double *out_p, const double *values, size_t num_values);

#endif
