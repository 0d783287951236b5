#include "ekubench/stat/rank.h"

#include "ekubench/base/rng.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define NUM_ITEMS(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_N 60
#define MAX_WALSH (MAX_N * (MAX_N + 1) / 2)

// The depression scores of nine patients at the first visit after the start of a therapy less those
// at the second: Hollander and Wolfe, "Nonparametric Statistical Methods", 1973, page 29; R's
// example in ?wilcox.test.
static const double depression[] = {1.83 - 0.878, 0.50 - 0.647, 1.62 - 0.598,
                                    2.48 - 2.05,  1.68 - 1.06,  1.88 - 1.29,
                                    1.55 - 1.06,  3.06 - 3.14,  1.30 - 1.29};

// Darwin's maize: crossed less self-fertilized, in eighths of an inch. Fisher, "The Design of
// Experiments", 1935, table 3.
static const double maize[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};

// Hours of sleep gained with one soporific less those with another: Cushny and Peebles, Journal of
// Physiology 32, 1905, the sample of Student's paper of 1908; R's `sleep`. In tenths of an hour,
// in which it is exact. One zero and a tie.
static const double sleep_tenths[] = {12, 24, 13, 13, 0, 10, 18, 8, 46, 14};

// The flow of the Nile at Aswan from 1871 to 1970: Durbin and Koopman, "Time Series Analysis by
// State Space Methods", 2001; R's `Nile`.
static const double nile[] = {
    1120, 1160, 963, 1210, 1160, 1160, 813,  1230, 1370, 1140, 995,  935,  1110, 994,  1020,
    960,  1180, 799, 958,  1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774,  840,
    874,  694,  940, 833,  701,  916,  692,  1020, 1050, 969,  831,  726,  456,  824,  702,
    1120, 1100, 832, 764,  821,  768,  845,  864,  862,  698,  845,  744,  796,  1040, 759,
    781,  865,  845, 944,  984,  897,  822,  1010, 771,  676,  649,  846,  812,  742,  801,
    1040, 860,  874, 848,  890,  744,  749,  838,  1050, 918,  986,  797,  923,  975,  815,
    1020, 906,  901, 1170, 912,  746,  919,  718,  714,  740};

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

// fill_scattered fills sixteenths without zeroes and ties; ((1:n * 7919) %% 10007 - 4000) / 16 in
// R.
static void fill_scattered(double *out_values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out_values[i] = ((double)((i + 1) * 7919 % 10007) - 4000.0) / 16.0;
    }
}

static struct ekb_estimate estimate_of(const double *values, size_t n, double confidence)
{
    struct ekb_estimate estimate = {0};
    cr_assert_eq(ekb_rank_estimate(&estimate, values, n, confidence), EKB_OK, "n %zu", n);
    cr_expect_eq(estimate.n, n);
    return estimate;
}

static double p_of(const double *values, size_t n)
{
    double p = -1;
    cr_assert_eq(ekb_rank_test(&p, values, n), EKB_OK, "n %zu", n);
    return p;
}

static void expect_estimate(struct ekb_estimate got, struct ekb_estimate wanted, double tolerance)
{
    cr_expect_float_eq(got.estimate, wanted.estimate, tolerance, "estimate %.17g, wanted %.17g",
                       got.estimate, wanted.estimate);
    cr_expect_float_eq(got.low, wanted.low, tolerance, "low %.17g, wanted %.17g", got.low,
                       wanted.low);
    cr_expect_float_eq(got.high, wanted.high, tolerance, "high %.17g, wanted %.17g", got.high,
                       wanted.high);
}

static void expect_p(const double *values, size_t n, double wanted)
{
    const double got = p_of(values, n);
    cr_expect_float_eq(got, wanted, 1e-12 * wanted, "n %zu: p %.17g, wanted %.17g", n, got, wanted);
}

// Against R 4.2.2 and what is published.

struct golden {
    size_t n;
    double confidence;
    struct ekb_estimate wanted;
};

Test(rank, gives_the_published_interval_of_the_depression_scores)
{
    static const struct golden goldens[] = {
        {9, 0.90, {.estimate = 0.46, .low = 0.175, .high = 0.726}},
        {9, 0.95, {.estimate = 0.46, .low = 0.010, .high = 0.786}},
        {9, 0.99, {.estimate = 0.46, .low = -0.1135, .high = 0.987}},
    };

    for (size_t i = 0; i < NUM_ITEMS(goldens); i++) {
        expect_estimate(estimate_of(depression, 9, goldens[i].confidence), goldens[i].wanted,
                        1e-12);
    }
}

Test(rank, gives_the_published_p_of_the_depression_scores)
{
    // V = 40 of 45: the ways of making at most 5 are 10, of 512.
    expect_p(depression, 9, 0.0390625);
}

Test(rank, gives_the_published_interval_of_darwins_maize)
{
    static const struct golden goldens[] = {
        {15, 0.90, {.estimate = 25, .low = 8, .high = 39.5}},
        {15, 0.95, {.estimate = 25, .low = 4, .high = 41.5}},
        {15, 0.99, {.estimate = 25, .low = -13, .high = 49}},
    };

    for (size_t i = 0; i < NUM_ITEMS(goldens); i++) {
        expect_estimate(estimate_of(maize, 15, goldens[i].confidence), goldens[i].wanted, 0.0);
    }
}

Test(rank, gives_the_published_p_of_darwins_maize)
{
    expect_p(maize, 15, 0.041259765625);
}

Test(rank, gives_the_exact_intervals_of_r_up_to_fifty_values)
{
    static const struct golden goldens[] = {
        {6, 0.90, {.estimate = 114.4375, .low = -16.0625, .high = 283.125}},
        {6, 0.95, {.estimate = 114.4375, .low = -146.5625, .high = 348.375}},
        {10, 0.90, {.estimate = 100.90625, .low = -29.59375, .high = 217.875}},
        {10, 0.95, {.estimate = 100.90625, .low = -43.125, .high = 231.40625}},
        {10, 0.99, {.estimate = 100.90625, .low = -108.375, .high = 296.65625}},
        {30, 0.90, {.estimate = 84.96875, .low = 22.125, .high = 150.21875}},
        {30, 0.95, {.estimate = 84.96875, .low = 8.59375, .high = 161.34375}},
        {30, 0.99, {.estimate = 84.96875, .low = -18.46875, .high = 179.6875}},
        {49, 0.90, {.estimate = 71.4375, .low = 30.84375, .high = 123.15625}},
        {49, 0.95, {.estimate = 71.4375, .low = 19.71875, .high = 131.875}},
        {49, 0.99, {.estimate = 71.4375, .low = 3.78125, .high = 150.21875}},
        {50, 0.90, {.estimate = 73.84375, .low = 30.84375, .high = 120.75}},
        {50, 0.95, {.estimate = 73.84375, .low = 19.71875, .high = 131.875}},
        {50, 0.99, {.estimate = 73.84375, .low = 3.78125, .high = 150.21875}},
    };
    double values[50];

    for (size_t i = 0; i < NUM_ITEMS(goldens); i++) {
        fill_scattered(values, goldens[i].n);
        expect_estimate(estimate_of(values, goldens[i].n, goldens[i].confidence), goldens[i].wanted,
                        0.0);
    }
}

Test(rank, gives_the_normal_intervals_of_r_beyond_fifty_values)
{
    // wilcox.test(x, exact = FALSE, tol.root = 1e-12). R looks for the root of a step function of
    // the shift, which steps at Walsh averages only, from above the quantile to below it: at the
    // order statistic that we take. Averages here are multiples of 1/32, so that a tolerance of
    // 1e-9 tells one from the next, and is a thousand times what R's search leaves.
    static const struct golden goldens[] = {
        {51, 0.90, {.estimate = 71.4375, .low = 30.84375, .high = 120.75}},
        {51, 0.95, {.estimate = 71.4375, .low = 19.71875, .high = 125.5625}},
        {51, 0.99, {.estimate = 71.4375, .low = 3.78125, .high = 147.8125}},
        {60, 0.90, {.estimate = 73.84375, .low = 33.25, .high = 118.34375}},
        {60, 0.95, {.estimate = 73.84375, .low = 28.4375, .high = 123.15625}},
        {60, 0.99, {.estimate = 73.84375, .low = 6.1875, .high = 145.40625}},
        {200, 0.90, {.estimate = 65.71875, .low = 44.375, .high = 87.96875}},
        {200, 0.95, {.estimate = 65.71875, .low = 40.15625, .high = 92.78125}},
        {200, 0.99, {.estimate = 65.71875, .low = 31.4375, .high = 100.0}},
    };
    double values[200];

    for (size_t i = 0; i < NUM_ITEMS(goldens); i++) {
        fill_scattered(values, goldens[i].n);
        expect_estimate(estimate_of(values, goldens[i].n, goldens[i].confidence), goldens[i].wanted,
                        1e-9);
    }
}

Test(rank, holds_the_interval_of_r_when_a_long_sample_has_ties)
{
    // R narrows the normal interval for ties, [26, 101] here; ours is made for continuous values.
    double values[NUM_ITEMS(nile)];
    for (size_t i = 0; i < NUM_ITEMS(nile); i++) {
        values[i] = nile[i] - 850.0;
    }

    const struct ekb_estimate estimate = estimate_of(values, NUM_ITEMS(nile), 0.95);

    cr_expect_float_eq(estimate.estimate, 63.5, 0.0, "estimate %.17g", estimate.estimate);
    cr_expect(estimate.low <= 26.0 && estimate.low >= 25.0, "low %.17g", estimate.low);
    cr_expect(estimate.high >= 101.0 && estimate.high <= 102.0, "high %.17g", estimate.high);
}

Test(rank, gives_the_p_of_r_on_both_sides_of_the_switch_to_normal)
{
    // R with exact = TRUE up to 50, FALSE beyond. The other way round it gives 0.00771476 at 50 and
    // 0.00777304 at 51.
    static const struct {
        size_t n;
        double p;
    } goldens[] = {
        {6, 0.21875},
        {10, 0.193359375},
        {30, 0.02622899413108826},
        {49, 0.0085834043801646959},
        {50, 0.0069413795797625957},
        {51, 0.0085571549278279299},
        {60, 0.0032719636104765483},
        {200, 3.0090461521892475e-06},
    };
    double values[200];

    for (size_t i = 0; i < NUM_ITEMS(goldens); i++) {
        fill_scattered(values, goldens[i].n);
        expect_p(values, goldens[i].n, goldens[i].p);
    }
}

Test(rank, gives_the_p_of_r_when_values_are_tied_or_zero)
{
    // wilcox.test(x, exact = FALSE): normal, with correction, without zeroes, mid-ranks.
    static const double mixed[] = {1, -1, 2, 2, -3, 3, 3, 0, 0, 5, -6, 7};
    static const double one_size[] = {3, 3, 3, 3, 3, -3, 3};
    static const double one_zero[] = {0, 1, -2, 3, 4, 5, 6, 7}; // Exact, without it: 0.046875.
    static const double one_not_zero[] = {0, 0, 4};
    static const double opposite[] = {-1, 1};
    double flow[NUM_ITEMS(nile)];
    for (size_t i = 0; i < NUM_ITEMS(nile); i++) {
        flow[i] = nile[i] - 850.0;
    }

    expect_p(sleep_tenths, NUM_ITEMS(sleep_tenths), 0.0090906980159250559);
    expect_p(mixed, NUM_ITEMS(mixed), 0.28261948801999426);
    expect_p(one_size, NUM_ITEMS(one_size), 0.072600939449957366);
    expect_p(one_zero, NUM_ITEMS(one_zero), 0.051912964935018277);
    expect_p(one_not_zero, NUM_ITEMS(one_not_zero), 1.0);
    expect_p(opposite, NUM_ITEMS(opposite), 1.0);
    expect_p(flow, NUM_ITEMS(flow), 0.000884395231852);
}

Test(rank, tests_the_fewest_values_exactly)
{
    // All positive: 2 / 2^n.
    static const double values[] = {1.25, 2.25, 3.25, 4.25, 5.25};

    for (size_t n = 1; n <= 5; n++) {
        expect_p(values, n, ldexp(2.0, -(int)n));
    }
}

Test(rank, has_a_p_of_one_when_there_is_nothing_to_see)
{
    static const double zeroes[] = {0.0, -0.0, 0.0, 0.0, 0.0, 0.0, 0.0};

    expect_p(zeroes, NUM_ITEMS(zeroes), 1.0);
    expect_p(zeroes, 0, 1.0);
}

Test(rank, never_gives_a_p_above_one)
{
    // In the middle of the distribution twice the tail is more than one.
    static const double balanced[] = {1.0, -2.0, -3.0, 4.0, 5.5, -6.0, -7.0, 8.0};

    expect_p(balanced, NUM_ITEMS(balanced), 1.0);
}

// Against brute force.

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

// fill_walsh makes all averages, sorted, and returns how many.
static size_t fill_walsh(double *out_averages, const double *values, size_t n)
{
    size_t num = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i; j < n; j++) {
            out_averages[num++] = 0.5 * values[i] + 0.5 * values[j];
        }
    }
    qsort(out_averages, num, sizeof out_averages[0], compare_doubles);
    return num;
}

// The distribution of the signed-rank statistic: all 2^n sums are counted, in integers. P(V < v) is
// below[v] / 2^n.
static void fill_below(uint64_t below[MAX_WALSH + 2], size_t n)
{
    uint64_t counts[MAX_WALSH + 1] = {1};
    for (size_t rank = 1; rank <= n; rank++) {
        for (size_t v = MAX_WALSH; v >= rank; v--) {
            counts[v] += counts[v - rank];
        }
    }
    below[0] = 0;
    for (size_t v = 0; v <= MAX_WALSH; v++) {
        below[v + 1] = below[v] + counts[v];
    }
}

// confidence_of returns a confidence for which the k-th average is the end of the interval: half
// way to the next one's.
static double confidence_of(size_t n, size_t k, const uint64_t *below)
{
    if (n <= EKB_RANK_MAX_EXACT) {
        return 1.0 - ldexp((double)below[k] + (double)below[k + 1], -(int)n);
    }
    const double count = (double)n;
    const double deviation = sqrt(count * (count + 1.0) * (2.0 * count + 1.0) / 24.0);
    const double z = ((double)k - count * (count + 1.0) / 4.0) / deviation;
    return 1.0 - erfc(-z / sqrt(2.0));
}

// expect_all_averages asks for every `step`-th average from the outermost to the middle, and for
// the median of all.
static void expect_all_averages(const double *values, size_t n, size_t step, const char *kind)
{
    double averages[MAX_WALSH];
    uint64_t below[MAX_WALSH + 2];
    const size_t total = fill_walsh(averages, values, n);
    const double middle = 0.5 * averages[(total - 1) / 2] + 0.5 * averages[total / 2];
    fill_below(below, n);
    for (size_t k = 1; 2 * k < total; k += step) {
        const struct ekb_estimate got = estimate_of(values, n, confidence_of(n, k, below));
        cr_expect_float_eq(got.low, averages[k - 1], 0.0,
                           "%s, n %zu, %zu from below: %.17g, not %.17g", kind, n, k, got.low,
                           averages[k - 1]);
        cr_expect_float_eq(got.high, averages[total - k], 0.0,
                           "%s, n %zu, %zu from above: %.17g, not %.17g", kind, n, k, got.high,
                           averages[total - k]);
        cr_expect_float_eq(got.estimate, middle, 0.0, "%s, n %zu: middle %.17g, not %.17g", kind, n,
                           got.estimate, middle);
    }
}

static double any_sign(struct ekb_rng *rng, double value)
{
    return ekb_rng_below(rng, 2) == 0 ? value : -value;
}

static double make_normal(struct ekb_rng *rng)
{
    return normal(rng);
}

static double make_negative(struct ekb_rng *rng)
{
    return -1.0 - uniform(rng);
}

static double make_tiny(struct ekb_rng *rng)
{
    return 1e-300 * normal(rng);
}

static double make_huge(struct ekb_rng *rng)
{
    return any_sign(rng, (1.0 + 0.7 * uniform(rng)) * 1e308);
}

static double make_equal(struct ekb_rng *rng)
{
    (void)rng;
    return 0.1;
}

static double make_tied(struct ekb_rng *rng)
{
    return (double)ekb_rng_below(rng, 7) - 3.0;
}

// Skewed, with one value in ten far out.
static double make_spiked(struct ekb_rng *rng)
{
    const double value = exp(normal(rng));
    return ekb_rng_below(rng, 10) == 0 ? 1e6 * value : value;
}

// From 1e-150 to 1e150.
static double make_of_any_size(struct ekb_rng *rng)
{
    return any_sign(rng, pow(10.0, 300.0 * uniform(rng) - 150.0));
}

struct kind {
    const char *name;
    double (*make)(struct ekb_rng *rng);
};

static const struct kind kinds[] = {
    {"normal", make_normal}, {"negative", make_negative},
    {"tiny", make_tiny},     {"huge", make_huge},
    {"equal", make_equal},   {"tied", make_tied},
    {"spiked", make_spiked}, {"of any size", make_of_any_size},
};

Test(rank, takes_the_averages_that_sorting_all_of_them_would_give, .timeout = 120)
{
    double values[MAX_N];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 1);

    for (size_t n = EKB_ESTIMATE_MIN_N; n <= MAX_N; n++) {
        for (size_t kind = 0; kind < NUM_ITEMS(kinds); kind++) {
            for (size_t i = 0; i < n; i++) {
                values[i] = kinds[kind].make(&rng);
            }
            // Every one of short samples, some twenty of long ones.
            expect_all_averages(values, n, 1 + n * n / 80, kinds[kind].name);
        }
    }
}

Test(rank, gives_the_same_when_the_values_come_in_another_order)
{
    double values[40];
    double turned[40];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 2);
    for (size_t i = 0; i < 40; i++) {
        values[i] = normal(&rng);
        turned[39 - i] = values[i];
    }

    expect_estimate(estimate_of(turned, 40, 0.95), estimate_of(values, 40, 0.95), 0.0);
    cr_expect_float_eq(p_of(turned, 40), p_of(values, 40), 0.0);
}

Test(rank, leaves_the_values_as_they_are)
{
    double values[NUM_ITEMS(maize)];
    memcpy(values, maize, sizeof values);

    (void)estimate_of(values, NUM_ITEMS(values), 0.95);
    (void)p_of(values, NUM_ITEMS(values));

    for (size_t i = 0; i < NUM_ITEMS(values); i++) {
        cr_expect_float_eq(values[i], maize[i], 0.0, "value %zu became %g", i, values[i]);
    }
}

Test(rank, turns_the_interval_when_the_signs_turn)
{
    double turned[NUM_ITEMS(maize)];
    for (size_t i = 0; i < NUM_ITEMS(maize); i++) {
        turned[i] = -maize[i];
    }

    expect_estimate(estimate_of(turned, NUM_ITEMS(turned), 0.95),
                    (struct ekb_estimate){.estimate = -25, .low = -41.5, .high = -4}, 0.0);
    expect_p(turned, NUM_ITEMS(turned), 0.041259765625);
}

Test(rank, has_no_width_when_all_values_are_equal)
{
    double values[60];
    for (size_t i = 0; i < 60; i++) {
        values[i] = 0.1;
    }

    for (size_t n = EKB_ESTIMATE_MIN_N; n <= 60; n++) {
        expect_estimate(estimate_of(values, n, 0.95),
                        (struct ekb_estimate){.estimate = 0.1, .low = 0.1, .high = 0.1}, 0.0);
    }
}

Test(rank, refuses_too_few_values)
{
    static const double values[] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0};
    struct ekb_estimate estimate = {.n = 77};

    cr_expect_eq(ekb_rank_estimate(&estimate, values, 0, 0.5), EKB_NOT_FOUND);
    cr_expect_eq(ekb_rank_estimate(&estimate, values, EKB_ESTIMATE_MIN_N - 1, 0.5), EKB_NOT_FOUND);
    cr_expect_eq(estimate.n, 77, "an output was written on failure");
    cr_expect_eq(ekb_rank_estimate(&estimate, values, EKB_ESTIMATE_MIN_N, 0.5), EKB_OK);
}

Test(rank, refuses_a_confidence_that_so_few_values_cannot_give)
{
    // 2^(1 - n) is 1/32 with six values, 1/64 with seven, 1/128 with eight.
    static const double values[] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0};
    struct ekb_estimate estimate = {.n = 77};

    cr_expect_eq(ekb_rank_estimate(&estimate, values, 6, 0.97), EKB_NOT_FOUND);
    cr_expect_eq(ekb_rank_estimate(&estimate, values, 7, 0.99), EKB_NOT_FOUND);
    cr_expect_eq(estimate.n, 77, "an output was written on failure");
    cr_expect_eq(ekb_rank_estimate(&estimate, values, 6, 0.96875), EKB_OK);
    cr_expect_eq(ekb_rank_estimate(&estimate, values, 8, 0.99), EKB_OK);
}

// Properties.

Test(rank, widens_when_confidence_rises)
{
    double values[80];
    fill_scattered(values, 80);

    for (size_t n = 12; n <= 80; n += 4) {
        struct ekb_estimate last = estimate_of(values, n, 0.05);
        for (int percent = 10; percent <= 95; percent += 5) {
            const struct ekb_estimate next = estimate_of(values, n, (double)percent / 100.0);
            cr_expect(next.low <= last.low && next.high >= last.high, "n %zu, %d %%", n, percent);
            last = next;
        }
    }
}

Test(rank, finds_an_effect_exactly_when_the_interval_excludes_zero, .timeout = 60)
{
    double values[50];
    size_t num_found = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 3);

    for (size_t round = 0; round < 1000; round++) {
        const size_t n = EKB_ESTIMATE_MIN_N + round % 45;
        for (size_t i = 0; i < n; i++) {
            values[i] = normal(&rng) + 2.0 / sqrt((double)n);
        }
        const struct ekb_estimate estimate = estimate_of(values, n, 0.95);
        const int is_apart = estimate.low > 0.0 || estimate.high < 0.0;
        const double p = p_of(values, n);
        cr_expect_eq(is_apart, p <= 0.05, "n %zu, p %.17g, [%g, %g]", n, p, estimate.low,
                     estimate.high);
        num_found += is_apart ? 1 : 0;
    }

    cr_expect(num_found > 300 && num_found < 700, "found %zu: too few of one kind", num_found);
}

Test(rank, does_not_follow_one_spike_from_twelve_values_on)
{
    // With fewer, the averages that a spike is part of reach to the end of the 95 % interval.
    double values[60];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 4);

    for (size_t n = 12; n <= 60; n++) {
        double largest = -1e300;
        for (size_t i = 1; i < n; i++) {
            values[i] = normal(&rng);
            largest = fmax(largest, values[i]);
        }
        values[0] = 1e9;
        const struct ekb_estimate spiked = estimate_of(values, n, 0.95);
        values[0] = 1e18;
        const struct ekb_estimate worse = estimate_of(values, n, 0.95);

        expect_estimate(worse, spiked, 0.0);
        cr_expect(spiked.high <= largest, "n %zu: high %g, largest other %g", n, spiked.high,
                  largest);
    }
}

Test(rank, keeps_its_confidence_when_the_normal_takes_over)
{
    // What the interval really covers follows from which average is its end. At 90 % the normal
    // distribution is a little short: 89.974 % at the worst, with 51 values.
    static const double confidences[] = {0.90, 0.95, 0.99};
    double values[MAX_N];
    double averages[MAX_WALSH];
    uint64_t below[MAX_WALSH + 2];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 5);
    for (size_t i = 0; i < MAX_N; i++) {
        values[i] = normal(&rng);
    }

    for (size_t n = EKB_RANK_MAX_EXACT + 1; n <= MAX_N; n++) {
        (void)fill_walsh(averages, values, n);
        fill_below(below, n);
        for (size_t i = 0; i < NUM_ITEMS(confidences); i++) {
            const double low = estimate_of(values, n, confidences[i]).low;
            size_t k = 1;
            while (averages[k - 1] < low) {
                k++;
            }
            const double covers = 1.0 - 2.0 * ldexp((double)below[k], -(int)n);
            cr_expect_float_eq(covers, confidences[i], 0.0025, "n %zu, %g: covers %g", n,
                               confidences[i], covers);
            cr_expect(covers >= confidences[i] - 0.0003, "n %zu, %g: covers %g", n, confidences[i],
                      covers);
        }
    }
}

// Simulations.

Test(rank, covers_the_middle_as_often_as_it_says, .timeout = 120)
{
    // The middle of normal values plus, in one of ten, twenty times the noise. 2,000 rounds have a
    // standard error of half a percent.
    static const struct {
        size_t n;
        double confidence;
    } cases[] = {{8, 0.95}, {12, 0.95}, {12, 0.90}, {40, 0.90}, {40, 0.95}, {100, 0.95}};
    double values[100];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 6);

    for (size_t c = 0; c < NUM_ITEMS(cases); c++) {
        size_t num_covered = 0;
        for (size_t round = 0; round < 2000; round++) {
            for (size_t i = 0; i < cases[c].n; i++) {
                const double noise = normal(&rng);
                values[i] = 7.0 + (ekb_rng_below(&rng, 10) == 0 ? 20.0 * noise : noise);
            }
            const struct ekb_estimate estimate =
                estimate_of(values, cases[c].n, cases[c].confidence);
            num_covered += estimate.low <= 7.0 && estimate.high >= 7.0 ? 1 : 0;
        }
        const double coverage = (double)num_covered / 2000.0;
        cr_expect(coverage >= cases[c].confidence - 0.015 && coverage <= 0.98,
                  "n %zu at %g: coverage %g", cases[c].n, cases[c].confidence, coverage);
    }
}

Test(rank, is_nearly_as_efficient_as_the_mean_when_values_are_normal, .timeout = 60)
{
    // 3 / pi = 0.955 for long samples. The two estimates of a sample go together, so that 2,000
    // rounds know the ratio of their variances to about 1 %.
    double of_mean = 0;
    double of_rank = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 7);

    for (size_t round = 0; round < 2000; round++) {
        double values[40];
        double mean = 0;
        for (size_t i = 0; i < 40; i++) {
            values[i] = normal(&rng);
            mean += values[i] / 40.0;
        }
        const double middle = estimate_of(values, 40, 0.5).estimate;
        of_mean += mean * mean;
        of_rank += middle * middle;
    }

    cr_expect_float_eq(of_mean / of_rank, 0.955, 0.03, "efficiency %g", of_mean / of_rank);
}
