#include "ekubench/stat/check.h"

#include "ekubench/stat/distribution.h"

#include <math.h>
#include <stdlib.h>

#define MIN_TREND 6
#define Z_995 2.5758293035489004

double ekb_check_autocorrelation(const double *values, size_t num_values)
{
    double mean = 0;
    double squares = 0;
    double products = 0;
    if (num_values < 3) {
        return 0;
    }
    // Summed as differences from the first, so that equal values have no variance.
    for (size_t i = 0; i < num_values; i++) {
        mean += (values[i] - values[0]) / (double)num_values;
    }
    mean += values[0];
    for (size_t i = 0; i < num_values; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
        products += i > 0 ? (values[i] - mean) * (values[i - 1] - mean) : 0;
    }
    return squares > 0 ? products / squares : 0;
}

bool ekb_check_is_correlated(const double *values, size_t num_values)
{
    return num_values >= 3 &&
           fabs(ekb_check_autocorrelation(values, num_values)) > Z_995 / sqrt((double)num_values);
}

struct place {
    double value;
    size_t time;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    return (a->value > b->value) - (a->value < b->value);
}

// correlation of the (mid-)ranks of the sorted places with the time.
static double spearman(const struct place *places, size_t n)
{
    const double middle = 0.5 * ((double)n + 1.0);
    double products = 0;
    double rank_squares = 0;
    double time_squares = 0;
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && places[end].value <= places[i].value) {
            end++;
        }
        const double rank = 0.5 * (double)(i + 1 + end) - middle;
        for (; i < end; i++) {
            const double time = (double)places[i].time + 1.0 - middle;
            products += rank * time;
            rank_squares += rank * rank;
            time_squares += time * time;
        }
    }
    return rank_squares > 0 ? products / sqrt(rank_squares * time_squares) : 0;
}

enum ekb_err ekb_check_trend(struct ekb_trend *out_trend, const double *values, size_t num_values)
{
    if (num_values < MIN_TREND) {
        *out_trend = (struct ekb_trend){.rho = 0, .p = 1};
        return EKB_OK;
    }
    struct place *places = malloc(num_values * sizeof places[0]);
    if (places == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < num_values; i++) {
        places[i] = (struct place){.value = values[i], .time = i};
    }
    qsort(places, num_values, sizeof places[0], compare_places);
    out_trend->rho = spearman(places, num_values);
    out_trend->p = 2.0 * ekb_normal_cdf(-fabs(out_trend->rho) * sqrt((double)num_values - 1.0));
    free(places);
    return EKB_OK;
}

bool ekb_check_is_disturbed(const struct ekb_covariates *members, size_t num_members)
{
    for (size_t i = 0; i < num_members; i++) {
        if (members[i].steal_percent > EKB_CHECK_MAX_STEAL_PERCENT ||
            members[i].wait_percent > EKB_CHECK_MAX_WAIT_PERCENT) {
            return true;
        }
    }
    return false;
}

bool ekb_check_too_many_dropped(uint64_t num_dropped, uint64_t num_all)
{
    return (double)num_dropped * 100.0 > EKB_CHECK_MAX_DROPPED_PERCENT * (double)num_all;
}
