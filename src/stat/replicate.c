#include "ekubench/stat/replicate.h"

#include <math.h>
#include <stdbool.h>

#define MAX_ARMS 64

static double mean(const struct ekb_slice_sum *slice)
{
    return (double)slice->sum / (double)slice->count;
}

static size_t store(double *out_values, size_t *out_index, size_t num_stored, double value,
                    size_t slice)
{
    out_values[num_stored] = value;
    if (out_index != NULL) {
        out_index[num_stored] = slice;
    }
    return num_stored + 1;
}

size_t ekb_replicate_means(double *out_values, size_t *out_index,
                           const struct ekb_slice_sum *slices, size_t num_slices)
{
    size_t n = 0;
    for (size_t s = 0; s < num_slices; s++) {
        if (slices[s].count > 0) {
            n = store(out_values, out_index, n, mean(&slices[s]), s);
        }
    }
    return n;
}

size_t ekb_replicate_differences(double *out_values, size_t *out_index,
                                 const struct ekb_slice_sum *treated,
                                 const struct ekb_slice_sum *control, size_t num_slices)
{
    size_t n = 0;
    for (size_t s = 0; s < num_slices; s++) {
        if (treated[s].count > 0 && control[s].count > 0) {
            n = store(out_values, out_index, n, mean(&treated[s]) - mean(&control[s]), s);
        }
    }
    return n;
}

size_t ekb_replicate_log_ratios(double *out_values, size_t *out_index,
                                const struct ekb_slice_sum *treated,
                                const struct ekb_slice_sum *control, size_t num_slices)
{
    size_t n = 0;
    for (size_t s = 0; s < num_slices; s++) {
        if (treated[s].sum > 0 && treated[s].count > 0 && control[s].sum > 0 &&
            control[s].count > 0) {
            n = store(out_values, out_index, n, log(mean(&treated[s]) / mean(&control[s])), s);
        }
    }
    return n;
}

static bool is_full(const struct ekb_slice_arms *arms, size_t slice)
{
    for (size_t a = 0; a < arms->num_arms; a++) {
        if (arms->slices[a * arms->num_slices + slice].count == 0) {
            return false;
        }
    }
    return true;
}

// contrast_values applies `weights`, which add up to zero, to the means of every full slice. The
// first arm's mean is taken off before, to keep the terms small.
static size_t contrast_values(double *out_values, size_t *out_index,
                              const struct ekb_slice_arms *arms, const double *weights)
{
    size_t n = 0;
    for (size_t s = 0; s < arms->num_slices; s++) {
        if (!is_full(arms, s)) {
            continue;
        }
        const double first = mean(&arms->slices[s]);
        double value = 0;
        for (size_t a = 0; a < arms->num_arms; a++) {
            value += weights[a] * (mean(&arms->slices[a * arms->num_slices + s]) - first);
        }
        n = store(out_values, out_index, n, value, s);
    }
    return n;
}

static double sum_product(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

// center takes off the mean and returns the sum of squares that is left.
static double center(double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    for (size_t i = 0; i < n; i++) {
        values[i] -= sum / (double)n;
    }
    return sum_product(values, values, n);
}

// scale_weights makes the weights of a least-squares coefficient from the centred regressor. False
// if it is no regressor: what is left of it is rounding.
static bool scale_weights(double *weights, size_t n, double squares, double scale)
{
    if (n == 0 || squares <= 1e-12 * scale) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        weights[i] /= squares;
    }
    return true;
}

size_t ekb_replicate_slopes(double *out_values, size_t *out_index,
                            const struct ekb_slice_arms *arms)
{
    double weights[MAX_ARMS] = {0};
    const size_t n = arms->num_arms <= MAX_ARMS ? arms->num_arms : 0;
    for (size_t a = 0; a < n; a++) {
        weights[a] = arms->x[a] - arms->x[0];
    }
    const double scale = sum_product(weights, weights, n);
    const double squares = center(weights, n);
    return scale_weights(weights, n, squares, scale)
               ? contrast_values(out_values, out_index, arms, weights)
               : 0;
}

size_t ekb_replicate_curvatures(double *out_values, size_t *out_index,
                                const struct ekb_slice_arms *arms)
{
    double line[MAX_ARMS] = {0};
    double weights[MAX_ARMS] = {0};
    const size_t n = arms->num_arms <= MAX_ARMS ? arms->num_arms : 0;
    for (size_t a = 0; a < n; a++) {
        line[a] = arms->x[a] - arms->x[0];
        weights[a] = line[a] * line[a];
    }
    const double scale = sum_product(weights, weights, n);
    const double squares = center(line, n);
    (void)center(weights, n);
    if (n < 3 || squares <= 0) {
        return 0;
    }
    // What the square has beyond the line.
    const double share = sum_product(line, weights, n) / squares;
    for (size_t a = 0; a < n; a++) {
        weights[a] -= share * line[a];
    }
    return scale_weights(weights, n, sum_product(weights, weights, n), scale)
               ? contrast_values(out_values, out_index, arms, weights)
               : 0;
}

double ekb_replicate_quadruple(const double blocks[4], int begins_with_b)
{
    const double inner_minus_outer = 0.5 * (blocks[1] + blocks[2] - blocks[0] - blocks[3]);
    return begins_with_b != 0 ? -inner_minus_outer : inner_minus_outer;
}
