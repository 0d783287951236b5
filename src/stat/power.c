#include "ekubench/stat/power.h"

#include "ekubench/stat/distribution.h"
#include "stat/sort.h"

#include <math.h>
#include <stdlib.h>

// The Hodges-Lehmann estimate of normal data has 3 / pi of the mean's efficiency, and the
// signed-rank test of few values is coarser than its level; fitted to simulations (tests/stat).
#define INVERSE_EFFICIENCY 1.047197551196598
#define SMALL_SAMPLE 2.5

static double deviation(const double *values, size_t n)
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i] - values[0];
    }
    const double mean = values[0] + sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    return sqrt(squares / (double)(n - 1));
}

enum ekb_err ekb_power_spread(double *out_spread, const double *values, size_t num_values)
{
    if (num_values < 2) {
        *out_spread = 0;
        return EKB_OK;
    }
    double *away = malloc(num_values * sizeof away[0]);
    if (away == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < num_values; i++) {
        away[i] = values[i];
    }
    const double middle = ekb_sort_median(away, num_values);
    for (size_t i = 0; i < num_values; i++) {
        away[i] = fabs(values[i] - middle);
    }
    const double robust = 1.4826 * ekb_sort_median(away, num_values);
    const double freedom = (double)num_values - 1.0;
    free(away);
    *out_spread = fmax(robust, deviation(values, num_values)) *
                  sqrt(freedom / ekb_chi_square_quantile(0.2, freedom));
    return EKB_OK;
}

double ekb_power_factor(size_t num_contrasts)
{
    return ekb_normal_quantile(1.0 - 0.025 / (double)num_contrasts) + ekb_normal_quantile(0.8);
}

uint64_t ekb_power_replicates(double spread, double delta, size_t num_contrasts)
{
    if (!(delta > 0)) {
        return UINT64_MAX;
    }
    const double ratio = ekb_power_factor(num_contrasts) * spread / delta;
    const double wanted = ceil(ratio * ratio * INVERSE_EFFICIENCY + SMALL_SAMPLE);
    if (!(wanted < 1e18)) {
        return UINT64_MAX;
    }
    return wanted < EKB_POWER_MIN_N ? EKB_POWER_MIN_N : (uint64_t)wanted;
}

double ekb_power_detectable(double spread, uint64_t n, size_t num_contrasts)
{
    return (double)n > SMALL_SAMPLE ? ekb_power_factor(num_contrasts) * spread *
                                          sqrt(INVERSE_EFFICIENCY / ((double)n - SMALL_SAMPLE))
                                    : (double)INFINITY;
}
