#include "ekubench/stat/estimate.h"

#include "ekubench/base/rng.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include <criterion/criterion.h>

#define NUM_SLICES 40

static void expect_near(double got, double wanted, double tolerance)
{
    cr_expect(fabs(got - wanted) <= tolerance, "got %.17g, wanted %.17g", got, wanted);
}

static double uniform(struct ekb_rng *rng)
{
    return ((double)(ekb_rng_next(rng) >> 11) + 0.5) * 0x1p-53;
}

// Box and Muller's transformation, one half of it.
static double normal(struct ekb_rng *rng)
{
    const double radius = sqrt(-2.0 * log(uniform(rng)));
    return radius * cos(2.0 * acos(-1.0) * uniform(rng));
}

// coverage_of returns the share of `num_rounds` samples of `num_values` standard normal values
// whose 95 % interval covers 0.
static double coverage_of(size_t num_values, size_t num_rounds)
{
    double values[64];
    size_t num_covered = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 2026);
    for (size_t round = 0; round < num_rounds; round++) {
        for (size_t i = 0; i < num_values; i++) {
            values[i] = normal(&rng);
        }
        struct ekb_estimate estimate;
        cr_assert_eq(ekb_estimate_mean(&estimate, values, num_values, 0.95, round), EKB_OK);
        if (estimate.low <= 0.0 && estimate.high >= 0.0) {
            num_covered++;
        }
    }
    return (double)num_covered / (double)num_rounds;
}

Test(estimate, gives_the_mean_of_a_known_sample)
{
    const double values[] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0};
    struct ekb_estimate estimate = {0};

    const enum ekb_err err = ekb_estimate_mean(&estimate, values, 7, 0.95, 1);

    cr_assert_eq(err, EKB_OK);
    expect_near(estimate.estimate, 4.0, 1e-12);
    cr_expect_eq(estimate.n, 7);
    cr_expect(estimate.low > 1.0 && estimate.low < 4.0, "low is %f", estimate.low);
    cr_expect(estimate.high > 4.0 && estimate.high < 7.0, "high is %f", estimate.high);
}

Test(estimate, is_as_wide_as_student_when_data_are_normal)
{
    // Student's interval of 1 to 20: mean 10.5, deviation 5.916, t(0.975, 19) = 2.093.
    double values[20];
    for (size_t i = 0; i < 20; i++) {
        values[i] = (double)i + 1.0;
    }
    const double half = 2.093 * sqrt(35.0 / 20.0);
    struct ekb_estimate estimate = {0};

    cr_assert_eq(ekb_estimate_mean(&estimate, values, 20, 0.95, 1), EKB_OK);

    expect_near(estimate.low, 10.5 - half, 0.1 * half);
    expect_near(estimate.high, 10.5 + half, 0.1 * half);
}

Test(estimate, has_no_width_when_all_values_are_equal)
{
    double values[30];
    for (size_t i = 0; i < 30; i++) {
        values[i] = 0.1;
    }
    struct ekb_estimate estimate = {0};

    cr_assert_eq(ekb_estimate_mean(&estimate, values, 30, 0.95, 1), EKB_OK);

    expect_near(estimate.estimate, 0.1, 0.0);
    expect_near(estimate.low, 0.1, 0.0);
    expect_near(estimate.high, 0.1, 0.0);
}

Test(estimate, narrows_when_confidence_falls)
{
    const double values[] = {3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0};
    struct ekb_estimate wide = {0};
    struct ekb_estimate narrow = {0};

    cr_assert_eq(ekb_estimate_mean(&wide, values, 10, 0.99, 1), EKB_OK);
    cr_assert_eq(ekb_estimate_mean(&narrow, values, 10, 0.50, 1), EKB_OK);

    cr_expect_lt(wide.low, narrow.low);
    cr_expect_gt(wide.high, narrow.high);
}

Test(estimate, refuses_too_few_values)
{
    const double values[EKB_ESTIMATE_MIN_N] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0};
    struct ekb_estimate estimate = {.n = 77};

    cr_expect_eq(ekb_estimate_mean(&estimate, values, 0, 0.95, 1), EKB_NOT_FOUND);
    cr_expect_eq(ekb_estimate_mean(&estimate, values, EKB_ESTIMATE_MIN_N - 1, 0.95, 1),
                 EKB_NOT_FOUND);
    cr_expect_eq(estimate.n, 77, "an output was written on failure");
    cr_expect_eq(ekb_estimate_mean(&estimate, values, EKB_ESTIMATE_MIN_N, 0.95, 1), EKB_OK);
}

Test(estimate, runs_out_of_memory_when_the_count_is_absurd)
{
    const double value = 1.0;
    struct ekb_estimate estimate = {0};

    const enum ekb_err err = ekb_estimate_mean(&estimate, &value, SIZE_MAX / 2, 0.95, 1);

    cr_expect_eq(err, EKB_NOMEM);
}

Test(estimate, repeats_itself_when_the_seed_is_the_same)
{
    const double values[] = {3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0};
    struct ekb_estimate first;
    struct ekb_estimate second;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);

    cr_assert_eq(ekb_estimate_mean(&first, values, 8, 0.95, 99), EKB_OK);
    cr_assert_eq(ekb_estimate_mean(&second, values, 8, 0.95, 99), EKB_OK);

    cr_expect_eq(memcmp(&first, &second, sizeof first), 0);
}

Test(estimate, resamples_differently_when_the_seed_differs)
{
    double values[50];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 5);
    for (size_t i = 0; i < 50; i++) {
        values[i] = normal(&rng);
    }
    struct ekb_estimate first = {0};
    struct ekb_estimate second = {0};

    cr_assert_eq(ekb_estimate_mean(&first, values, 50, 0.95, 1), EKB_OK);
    cr_assert_eq(ekb_estimate_mean(&second, values, 50, 0.95, 2), EKB_OK);

    expect_near(first.estimate, second.estimate, 0.0);
    cr_expect_neq(memcmp(&first.low, &second.low, sizeof first.low), 0);
}

Test(estimate, covers_the_truth_as_often_as_it_says, .timeout = 120)
{
    const double coverage = coverage_of(30, 300);

    // 95 % give or take two and a half of the simulation's own standard errors.
    cr_expect(coverage >= 0.918 && coverage <= 0.982, "coverage %f", coverage);
}

Test(estimate, covers_the_truth_when_there_are_as_few_values_as_allowed, .timeout = 120)
{
    const double coverage = coverage_of(EKB_ESTIMATE_MIN_N, 300);

    cr_expect(coverage >= 0.90, "coverage %f", coverage);
}

Test(estimate, weighs_slices_by_their_count_in_a_ratio)
{
    // 10 handshakes at 100 and 30 at 200: 175 each, not 150.
    struct ekb_slice_sum slices[8];
    for (size_t i = 0; i < 8; i++) {
        slices[i] =
            i % 2 == 0 ? (struct ekb_slice_sum){10, 1000} : (struct ekb_slice_sum){30, 6000};
    }
    struct ekb_estimate estimate = {0};

    cr_assert_eq(ekb_estimate_slice_ratio(&estimate, slices, 8, 0.95, 1), EKB_OK);

    expect_near(estimate.estimate, 175.0, 1e-9);
    cr_expect(estimate.low < 175.0 && estimate.high > 175.0, "[%f, %f]", estimate.low,
              estimate.high);
}

Test(estimate, leaves_empty_slices_out_of_a_ratio)
{
    struct ekb_slice_sum slices[12] = {{0}};
    for (size_t i = 0; i < 12; i += 2) {
        slices[i] = (struct ekb_slice_sum){4, 400};
    }
    struct ekb_estimate estimate = {0};

    cr_assert_eq(ekb_estimate_slice_ratio(&estimate, slices, 12, 0.95, 1), EKB_OK);

    expect_near(estimate.estimate, 100.0, 0.0);
    expect_near(estimate.low, 100.0, 0.0);
    cr_expect_eq(estimate.n, 6);
}

Test(estimate, refuses_a_ratio_when_too_few_slices_have_samples)
{
    struct ekb_slice_sum slices[12] = {{0}};
    for (size_t i = 0; i < EKB_ESTIMATE_MIN_N - 1; i++) {
        slices[i] = (struct ekb_slice_sum){4, 400};
    }
    struct ekb_estimate estimate = {0};

    const enum ekb_err err = ekb_estimate_slice_ratio(&estimate, slices, 12, 0.95, 1);

    cr_expect_eq(err, EKB_NOT_FOUND);
}
