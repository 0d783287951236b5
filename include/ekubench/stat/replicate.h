// From slices to replicates: one number for each stretch of time in which all arms ran. Pure.
//
// What all arms of a stretch share, its noise and its drift, cancels in a difference or a slope
// taken inside of it; what is left is what the estimators get. Each function stores at most
// `num_slices` values in time order into `out_values` and returns how many; a slice in which one of
// the arms has no handshake gives none. `out_index`, if not NULL, gets the slice of each value.

#ifndef EKUBENCH_STAT_REPLICATE_H
#define EKUBENCH_STAT_REPLICATE_H

#include "ekubench/stat/estimate.h"

#include <stddef.h>

// Slices of several arms, at most 64 of them (more give no values). `slices[a * num_slices + s]` is
// slice s of arm a, which stands at `x[a]`.
struct ekb_slice_arms {
    const struct ekb_slice_sum *slices;
    size_t num_slices;
    const double *x;
    size_t num_arms;
};

// ekb_replicate_means gives the slice means of one arm.
size_t ekb_replicate_means(double *out_values, size_t *out_index,
                           const struct ekb_slice_sum *slices, size_t num_slices);

// ekb_replicate_differences gives treated - control, in the unit of the slices;
// ekb_replicate_log_ratios gives ln(treated / control), of slices in which both are above zero.
size_t ekb_replicate_differences(double *out_values, size_t *out_index,
                                 const struct ekb_slice_sum *treated,
                                 const struct ekb_slice_sum *control, size_t num_slices);
size_t ekb_replicate_log_ratios(double *out_values, size_t *out_index,
                                const struct ekb_slice_sum *treated,
                                const struct ekb_slice_sum *control, size_t num_slices);

// ekb_replicate_slopes gives the least-squares slope over the arms' x: the cost of one more unit.
// None if all x are equal.
size_t ekb_replicate_slopes(double *out_values, size_t *out_index,
                            const struct ekb_slice_arms *arms);

// ekb_replicate_curvatures gives the coefficient of the second-degree orthogonal polynomial over x:
// zero for points on a line. None with fewer than three different x.
size_t ekb_replicate_curvatures(double *out_values, size_t *out_index,
                                const struct ekb_slice_arms *arms);

// ekb_replicate_quadruple returns the contrast of four blocks in time order, ABBA (`begins_with_b`
// false) or BAAB, of logarithms or other values: (B1 + B2 - A1 - A2) / 2. A drift that is a
// straight line in time cancels exactly.
double ekb_replicate_quadruple(const double blocks[4], int begins_with_b);

#endif
