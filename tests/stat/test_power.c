#include "ekubench/stat/power.h"

#include "ekubench/base/rng.h"
#include "ekubench/stat/rank.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <criterion/criterion.h>

#define NUM_ITEMS(array) (sizeof(array) / sizeof((array)[0]))

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

static double spread_of(const double *values, size_t n)
{
    double spread = -1;
    cr_assert_eq(ekb_power_spread(&spread, values, n), EKB_OK);
    return spread;
}

// Spread.

static void expect_spread(const double *values, size_t n, double wanted, double relative)
{
    const double got = spread_of(values, n);
    cr_expect_float_eq(got, wanted, relative * wanted, "n %zu: got %.17g, wanted %.17g", n, got,
                       wanted);
}

Test(power, plans_with_the_deviation_when_it_is_the_larger)
{
    // max(sd(x), mad(x)) * sqrt((n - 1) / qchisq(0.2, n - 1)) in R 4.2.2. Half of the error that
    // stat/distribution has in the quantile of chi-square is left: 0.15 % with ten values.
    static const double maize[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
    static const double spiked[] = {10, 11, 9, 10.5, 9.5, 10, 10.2, 9.8, 10.1, 500};

    expect_spread(maize, NUM_ITEMS(maize), 45.898932283123102, 0.0015);
    expect_spread(spiked, NUM_ITEMS(spiked), 200.408807014941, 0.0015);
}

Test(power, plans_with_the_median_deviation_when_it_is_the_larger)
{
    static const double odd[] = {-0.999, -0.998, -0.997, -0.996, 0.005, 1.006, 1.007, 1.008, 1.009};
    static const double even[] = {0, 0, 0, 10, 10, 10, -10, -10, -10, 5, -5, 0.5, 20, -20};

    expect_spread(odd, NUM_ITEMS(odd), 1.9604752803283518, 0.0015);
    expect_spread(even, NUM_ITEMS(even), 18.192532098507911, 0.0015);
}

Test(power, has_no_spread_with_fewer_than_two_values_or_without_variance)
{
    static const double constant[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};

    cr_expect_float_eq(spread_of(constant, 0), 0.0, 0.0);
    cr_expect_float_eq(spread_of(constant, 1), 0.0, 0.0);
    cr_expect_float_eq(spread_of(constant, 2), 0.0, 0.0);
    cr_expect_float_eq(spread_of(constant, NUM_ITEMS(constant)), 0.0, 0.0);
}

Test(power, has_the_same_spread_far_from_zero_and_in_another_order)
{
    static const double values[] = {3, 1, 4, 1, 5, 9, 2, 6};
    static const double moved[] = {1e9 + 6, 1e9 + 9, 1e9 + 5, 1e9 + 4,
                                   1e9 + 3, 1e9 + 2, 1e9 + 1, 1e9 + 1};

    expect_spread(moved, NUM_ITEMS(moved), spread_of(values, NUM_ITEMS(values)), 1e-12);
}

Test(power, underestimates_the_spread_once_in_five_pilots_only)
{
    static const size_t lengths[] = {8, 12, 20, 60};
    double values[60];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 1);

    for (size_t i = 0; i < NUM_ITEMS(lengths); i++) {
        size_t num_below = 0;
        double sum = 0;
        for (size_t run = 0; run < 4000; run++) {
            for (size_t j = 0; j < lengths[i]; j++) {
                values[j] = normal(&rng);
            }
            const double spread = spread_of(values, lengths[i]);
            num_below += spread < 1.0 ? 1 : 0;
            sum += spread / 4000.0;
        }
        // The standard error is 25 of 4,000. It is rarer than that because of the median deviation.
        cr_expect(num_below <= 860 && num_below >= 400, "n %zu: %zu of 4000 below, mean %g",
                  lengths[i], num_below, sum);
    }
}

// Replicates.

Test(power, has_the_factor_of_five_percent_and_four_times_out_of_five)
{
    // R: qnorm(0.975) + qnorm(0.8).
    cr_expect_float_eq(EKB_POWER_FACTOR, 2.8015852181129679, 1e-9);
    cr_expect_float_eq(ekb_power_factor(1), 2.8015852181129679, 1e-7);
    // R: qnorm(1 - 0.025 / m) + qnorm(0.8).
    cr_expect_float_eq(ekb_power_factor(3), 3.2356011, 1e-6);
    cr_expect_float_eq(ekb_power_factor(6), 3.4798784, 1e-6);
}

Test(power, needs_four_times_the_replicates_for_half_of_the_effect)
{
    // ((z.975 + z.80) * spread / delta)^2 * pi / 3 + 2.5: 824.43, 3290.2, 82195.3, 8219330.1.
    cr_expect_eq(ekb_power_replicates(1.0, 0.1, 1), 825);
    cr_expect_eq(ekb_power_replicates(1.0, 0.05, 1), 3291);
    cr_expect_eq(ekb_power_replicates(7.0, 0.07, 1), 82196);
    cr_expect_eq(ekb_power_replicates(1e-9, 1e-12, 1), 8219331);
}

Test(power, never_plans_fewer_than_twelve_replicates)
{
    cr_expect_eq(EKB_POWER_MIN_N, 12);
    cr_expect_eq(ekb_power_replicates(1.0, 1.0, 1), 12);
    cr_expect_eq(ekb_power_replicates(1.0, 1e300, 1), 12);
    cr_expect_eq(ekb_power_replicates(0.0, 1e-300, 1), 12);
    cr_expect_eq(ekb_power_replicates(1.0, 0.9302, 1), 12); // 11.9991
    cr_expect_eq(ekb_power_replicates(1.0, 0.9301, 1), 13); // 12.0012
}

Test(power, needs_endless_replicates_when_there_is_no_effect_to_find)
{
    cr_expect_eq(ekb_power_replicates(1.0, 0.0, 1), UINT64_MAX);
    cr_expect_eq(ekb_power_replicates(1.0, -0.0, 1), UINT64_MAX);
    cr_expect_eq(ekb_power_replicates(1.0, -0.5, 1), UINT64_MAX);
    cr_expect_eq(ekb_power_replicates(0.0, 0.0, 1), UINT64_MAX);
    cr_expect_eq(ekb_power_replicates(1.0, (double)NAN, 1), UINT64_MAX);
}

Test(power, needs_endless_replicates_when_the_number_does_not_fit)
{
    cr_expect_eq(ekb_power_replicates(1.0, 1e-300, 1), UINT64_MAX);
    cr_expect_eq(ekb_power_replicates(1e300, 1.0, 1), UINT64_MAX);
    cr_expect_eq(ekb_power_replicates((double)INFINITY, 1.0, 1), UINT64_MAX);
}

Test(power, detects_less_with_fewer_replicates)
{
    cr_expect_float_eq(ekb_power_detectable(1.0, 100, 1), 0.29034599407380984, 1e-9);
    cr_expect_float_eq(ekb_power_detectable(3.0, 4, 1), 7.022532721227056, 1e-8);
    cr_expect(isinf(ekb_power_detectable(1.0, 0, 1)) && ekb_power_detectable(1.0, 0, 1) > 0);
}

Test(power, plans_what_it_can_detect)
{
    for (uint64_t n = EKB_POWER_MIN_N; n < 100000; n = n * 3 / 2) {
        const double delta = ekb_power_detectable(2.5, n, 1);

        // A hair more and less: the square root is rounded.
        cr_expect_eq(ekb_power_replicates(2.5, delta * (1.0 + 1e-12), 1), n);
        cr_expect_eq(ekb_power_replicates(2.5, delta * (1.0 - 1e-12), 1), n + 1);
    }
}

// Simulations.

// is_found tells what stat/verdict would of a single contrast, without its bootstrap, which takes
// most of the time.
static bool is_found(const double *values, size_t n)
{
    struct ekb_estimate estimate;
    double p = 1;
    cr_assert_eq(ekb_rank_estimate(&estimate, values, n, 0.95), EKB_OK);
    cr_assert_eq(ekb_rank_test(&p, values, n), EKB_OK);
    return p <= 0.05 && estimate.low > 0;
}

static bool finds_in_noise(size_t n, double delta, struct ekb_rng *rng)
{
    double values[400];
    cr_assert_leq(n, NUM_ITEMS(values));
    for (size_t i = 0; i < n; i++) {
        values[i] = delta + normal(rng);
    }
    return is_found(values, n);
}

// expect_power runs 4,000 experiments of the size that is planned for `delta` in noise of 1. Four
// out of five is what a test by the mean finds if it knows the noise; signed ranks are 95 % as
// good.
static void expect_power(double delta)
{
    const size_t n = (size_t)ekb_power_replicates(1.0, delta, 1);
    size_t num_found = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 2);
    for (size_t run = 0; run < 4000; run++) {
        num_found += finds_in_noise(n, delta, &rng) ? 1 : 0;
    }
    cr_expect(num_found >= 2960 && num_found <= 3600, "effect %g, n %zu: found in %zu of 4000",
              delta, n, num_found);
}

Test(power, plans_enough_to_find_the_effect_four_times_out_of_five, .timeout = 120)
{
    // Some 40, 100 and 200 replicates.
    expect_power(0.443);
    expect_power(0.2802);
    expect_power(0.1982);
}

Test(power, plans_enough_for_an_effect_that_few_replicates_find, .timeout = 120)
{
    expect_power(0.8088);
}

Test(power, plans_enough_from_a_pilot, .timeout = 120)
{
    // What the pilot of 20 has too much or too little moves the number of replicates.
    double pilot[20];
    size_t num_found = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 3);

    for (size_t run = 0; run < 2000; run++) {
        for (size_t i = 0; i < 20; i++) {
            pilot[i] = normal(&rng);
        }
        const size_t n = (size_t)ekb_power_replicates(spread_of(pilot, 20), 0.5, 1);
        num_found += finds_in_noise(n, 0.5, &rng) ? 1 : 0;
    }

    cr_expect(num_found >= 1600 && num_found <= 1900, "found in %zu of 2000", num_found);
}
