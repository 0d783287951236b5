#include "ekubench/stat/gate.h"

#include "stat/sort.h"

#include <math.h>
#include <stdlib.h>

enum ekb_gate_outcome ekb_gate_exact(double change_percent, double threshold_percent)
{
    return change_percent > threshold_percent ? EKB_GATE_FAILED : EKB_GATE_PASSED;
}

enum ekb_gate_outcome ekb_gate_interval(const struct ekb_estimate *change_percent,
                                        double threshold_percent)
{
    if (change_percent->low > threshold_percent) {
        return EKB_GATE_FAILED;
    }
    return change_percent->high <= threshold_percent ? EKB_GATE_PASSED : EKB_GATE_INCONCLUSIVE;
}

double ekb_gate_change(double base, double now)
{
    if (base <= 0) {
        return now <= 0 ? 0 : (double)INFINITY;
    }
    return 100.0 * (now / base - 1.0);
}

// quantile interpolates between the sorted values.
static double quantile(const double *sorted, size_t n, double share)
{
    const double position = share * (double)(n - 1);
    const size_t below = (size_t)position;
    const size_t above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (position - (double)below) * (sorted[above] - sorted[below]);
}

enum ekb_err ekb_gate_threshold(double *out_percent, const double *values, size_t num_values)
{
    if (num_values < EKB_GATE_MIN_HISTORY) {
        *out_percent = EKB_GATE_SHORT_HISTORY_PERCENT;
        return EKB_OK;
    }
    const size_t n = num_values - 1;
    double *changes = calloc(n, sizeof changes[0]);
    if (changes == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        changes[i] = fabs(ekb_gate_change(values[i], values[i + 1]));
    }
    ekb_sort_doubles(changes, n);
    const double q1 = quantile(changes, n, 0.25);
    const double q3 = quantile(changes, n, 0.75);
    const double fence = q3 + 3.0 * (q3 - q1);
    // Changes from zero are infinite, and their quartiles may be no numbers.
    *out_percent = isfinite(fence)
                       ? fmin(fmax(EKB_GATE_EXACT_PERCENT, fence), EKB_GATE_MAX_HISTORY_PERCENT)
                       : EKB_GATE_MAX_HISTORY_PERCENT;
    free(changes);
    return EKB_OK;
}

enum ekb_err ekb_gate_change_of_estimates(struct ekb_estimate *out_change_percent,
                                          const struct ekb_estimate *base,
                                          const struct ekb_estimate *now)
{
    if (base->low <= 0 || now->low <= 0 || base->estimate <= 0 || now->estimate <= 0) {
        return EKB_NOT_FOUND;
    }
    const double change = log(now->estimate / base->estimate);
    const double below = hypot(log(now->estimate / now->low), log(base->high / base->estimate));
    const double above = hypot(log(now->high / now->estimate), log(base->estimate / base->low));
    *out_change_percent = (struct ekb_estimate){
        .estimate = 100.0 * expm1(change),
        .low = 100.0 * expm1(change - below),
        .high = 100.0 * expm1(change + above),
        .n = base->n < now->n ? base->n : now->n,
    };
    return EKB_OK;
}
