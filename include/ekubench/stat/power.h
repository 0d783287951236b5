// How much is enough: from the spread of a pilot to the number of replicates, and back. Pure.

#ifndef EKUBENCH_STAT_POWER_H
#define EKUBENCH_STAT_POWER_H

#include "ekubench/base/err.h"

#include <stddef.h>
#include <stdint.h>

// z.975 + z.80: a two-sided test at 5 % finds an effect of that many standard errors four times out
// of five.
#define EKB_POWER_FACTOR 2.801585218

// ekb_power_factor returns the like of one of `num_contrasts` (1 or more) that share the 5 %:
// z(1 - 0.025 / num_contrasts) + z.80. Holm's adjustment asks for no more than that.
double ekb_power_factor(size_t num_contrasts);

// Fewer replicates than this are never planned.
#define EKB_POWER_MIN_N 12

// ekb_power_spread returns the standard deviation to plan with: the larger of the sample's and
// 1.4826 times its median absolute deviation, times sqrt((n - 1) / chi-square(0.2, n - 1)), so that
// a pilot underestimates it once in five times only. 0 with fewer than two values. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_power_spread(double *out_spread, const double *values,
                                            size_t num_values);

// ekb_power_replicates returns how many replicates find an effect of `delta` with that spread, in
// one of `num_contrasts` contrasts, at least EKB_POWER_MIN_N: (factor spread / delta)^2 pi / 3 +
// 2.5, for the efficiency of the estimator and the coarseness of its test (simulated in the tests:
// 80 to 83 %); UINT64_MAX if `delta` is not above zero or there is no such number.
// ekb_power_detectable returns the smallest effect that `n` replicates find.
uint64_t ekb_power_replicates(double spread, double delta, size_t num_contrasts);
double ekb_power_detectable(double spread, uint64_t n, size_t num_contrasts);

#endif
