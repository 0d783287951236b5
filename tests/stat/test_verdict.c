#include "ekubench/stat/verdict.h"

#include "ekubench/base/rng.h"
#include "ekubench/stat/rank.h"
#include "ekubench/stat/replicate.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <criterion/criterion.h>

#define NUM_ITEMS(array) (sizeof(array) / sizeof((array)[0]))

// Darwin's maize: Fisher, "The Design of Experiments", 1935, table 3. p is 0.0413; the 95 %
// interval is [4, 41.5], the 99 % one [-13, 49].
static const double maize[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};

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

static void expect_near(double got, double wanted, double tolerance, const char *what)
{
    cr_expect_float_eq(got, wanted, tolerance, "%s: got %.17g, wanted %.17g", what, got, wanted);
}

// fill_even spreads values evenly over [middle - reach, middle + reach].
static void fill_even(double *out_values, size_t n, double middle, double reach)
{
    for (size_t i = 0; i < n; i++) {
        out_values[i] = middle + reach * (2.0 * (double)i / ((double)n - 1.0) - 1.0);
    }
}

static void decide(struct ekb_contrast *contrasts, size_t num)
{
    cr_assert_eq(ekb_verdict_decide(contrasts, num, false), EKB_OK);
}

// One contrast.

static void expect_verdict(double middle, double reach, double equivalence,
                           enum ekb_verdict_kind wanted)
{
    double values[20];
    struct ekb_contrast contrast = {.values = values, .num_values = 20, .equivalence = equivalence};
    fill_even(values, 20, middle, reach);

    decide(&contrast, 1);

    cr_expect(contrast.known);
    cr_expect_eq(contrast.verdict, wanted, "middle %g, equivalence %g: got %d, p %g, [%g, %g]",
                 middle, equivalence, (int)contrast.verdict, contrast.p, contrast.estimate.low,
                 contrast.estimate.high);
}

Test(verdict, says_slower_when_the_treatment_costs_more)
{
    expect_verdict(10.0, 5.0, 0.0, EKB_VERDICT_SLOWER);
}

Test(verdict, says_faster_when_the_treatment_costs_less)
{
    expect_verdict(-10.0, 5.0, 0.0, EKB_VERDICT_FASTER);
}

Test(verdict, says_equivalent_when_the_narrow_interval_lies_within)
{
    // The 90 % interval reaches 1.32 to either side of the middle, the 95 % one 1.58.
    expect_verdict(0.1, 5.0, 2.0, EKB_VERDICT_EQUIVALENT);
    expect_verdict(-0.1, 5.0, 2.0, EKB_VERDICT_EQUIVALENT);
}

Test(verdict, says_undetected_when_the_narrow_interval_sticks_out)
{
    expect_verdict(1.0, 5.0, 2.0, EKB_VERDICT_UNDETECTED);
    expect_verdict(-1.0, 5.0, 2.0, EKB_VERDICT_UNDETECTED);
}

Test(verdict, says_undetected_when_nothing_counts_as_no_difference)
{
    expect_verdict(0.1, 5.0, 0.0, EKB_VERDICT_UNDETECTED);
    expect_verdict(0.1, 5.0, -1.0, EKB_VERDICT_UNDETECTED);
}

Test(verdict, says_slower_when_a_difference_is_found_that_would_not_matter)
{
    expect_verdict(1.0, 0.5, 100.0, EKB_VERDICT_SLOWER);
    expect_verdict(-1.0, 0.5, 100.0, EKB_VERDICT_FASTER);
}

Test(verdict, uses_the_narrow_interval_and_not_the_wide_one_for_equivalence)
{
    double values[20];
    struct ekb_contrast contrast = {.values = values, .num_values = 20, .equivalence = 1e9};
    fill_even(values, 20, 0.0, 5.0);
    decide(&contrast, 1);
    cr_assert_lt(contrast.narrow.high, contrast.estimate.high);

    contrast.equivalence = 0.5 * (contrast.narrow.high + contrast.estimate.high);
    decide(&contrast, 1);
    cr_expect_eq(contrast.verdict, EKB_VERDICT_EQUIVALENT, "between the two: %d",
                 (int)contrast.verdict);

    contrast.equivalence = contrast.narrow.high;
    decide(&contrast, 1);
    cr_expect_eq(contrast.verdict, EKB_VERDICT_UNDETECTED, "at the end of the narrow one: %d",
                 (int)contrast.verdict);
}

Test(verdict, fills_estimates_intervals_and_p)
{
    struct ekb_estimate bootstrap = {0};
    struct ekb_contrast contrast = {.values = maize, .num_values = NUM_ITEMS(maize)};

    decide(&contrast, 1);

    cr_expect(contrast.known);
    expect_near(contrast.estimate.estimate, 25.0, 0.0, "estimate");
    expect_near(contrast.estimate.low, 4.0, 0.0, "low");
    expect_near(contrast.estimate.high, 41.5, 0.0, "high");
    expect_near(contrast.narrow.estimate, 25.0, 0.0, "estimate at 90 %");
    expect_near(contrast.narrow.low, 8.0, 0.0, "low at 90 %");
    expect_near(contrast.narrow.high, 39.5, 0.0, "high at 90 %");
    expect_near(contrast.p, 0.041259765625, 1e-13, "p");
    expect_near(contrast.adjusted_p, 0.041259765625, 1e-13, "adjusted p");
    // (z.975 + z.80) / z.975 times half of the interval.
    expect_near(contrast.mde, 2.8015852181129679 / 1.959963984540054 * 18.75, 1e-8, "mde");
    // The mean, and an interval close to Student's: t.test of R.
    expect_near(contrast.bootstrap.estimate, 314.0 / 15.0, 1e-12, "mean");
    expect_near(contrast.bootstrap.low, 0.031, 4.0, "low of the mean");
    expect_near(contrast.bootstrap.high, 41.835, 4.0, "high of the mean");
    cr_assert_eq(ekb_estimate_mean(&bootstrap, maize, NUM_ITEMS(maize), 0.95, 1), EKB_OK);
    expect_near(contrast.bootstrap.low, bootstrap.low, 3.0, "low of the mean, another seed");
    cr_expect_eq(contrast.verdict, EKB_VERDICT_SLOWER);
}

Test(verdict, decides_the_same_again)
{
    struct ekb_contrast first = {.values = maize, .num_values = NUM_ITEMS(maize)};
    struct ekb_contrast second = first;

    decide(&first, 1);
    decide(&second, 1);

    expect_near(second.bootstrap.low, first.bootstrap.low, 0.0, "low of the mean");
    expect_near(second.bootstrap.high, first.bootstrap.high, 0.0, "high of the mean");
    expect_near(second.adjusted_p, first.adjusted_p, 0.0, "adjusted p");
}

Test(verdict, says_faster_and_slower_of_the_same_values_with_their_signs_turned)
{
    double turned[NUM_ITEMS(maize)];
    for (size_t i = 0; i < NUM_ITEMS(maize); i++) {
        turned[i] = -maize[i];
    }
    struct ekb_contrast contrast = {.values = turned, .num_values = NUM_ITEMS(turned)};

    decide(&contrast, 1);

    cr_expect_eq(contrast.verdict, EKB_VERDICT_FASTER);
    expect_near(contrast.estimate.low, -41.5, 0.0, "low");
    expect_near(contrast.estimate.high, -4.0, 0.0, "high");
}

// Families.

Test(verdict, withholds_all_verdicts_and_fills_the_rest)
{
    double same[20];
    struct ekb_contrast contrasts[3] = {
        {.values = maize, .num_values = NUM_ITEMS(maize)},
        {.values = same, .num_values = 20, .equivalence = 100.0},
        {.values = same, .num_values = 20},
    };
    fill_even(same, 20, 0.0, 5.0);

    cr_assert_eq(ekb_verdict_decide(contrasts, 3, true), EKB_OK);

    for (size_t i = 0; i < 3; i++) {
        cr_expect(contrasts[i].known);
        cr_expect_eq(contrasts[i].verdict, EKB_VERDICT_WITHHELD, "contrast %zu: %d", i,
                     (int)contrasts[i].verdict);
    }
    expect_near(contrasts[0].estimate.low, 4.0, 0.0, "low");
    expect_near(contrasts[0].adjusted_p, 3.0 * 0.041259765625, 1e-13, "adjusted p");
}

Test(verdict, takes_a_verdict_back_when_the_family_grows)
{
    // Darwin's p of 0.041 is not enough when three questions are asked at once.
    double turned[NUM_ITEMS(maize)];
    double same[20];
    struct ekb_contrast contrasts[3] = {
        {.values = maize, .num_values = NUM_ITEMS(maize)},
        {.values = turned, .num_values = NUM_ITEMS(turned)},
        {.values = same, .num_values = 20},
    };
    for (size_t i = 0; i < NUM_ITEMS(maize); i++) {
        turned[i] = -maize[i];
    }
    fill_even(same, 20, 0.1, 5.0);

    decide(&contrasts[0], 1);
    decide(&contrasts[1], 1);
    cr_expect_eq(contrasts[0].verdict, EKB_VERDICT_SLOWER);
    cr_expect_eq(contrasts[1].verdict, EKB_VERDICT_FASTER);

    decide(contrasts, 3);
    cr_expect_eq(contrasts[0].verdict, EKB_VERDICT_UNDETECTED);
    cr_expect_eq(contrasts[1].verdict, EKB_VERDICT_UNDETECTED);
    cr_expect_gt(contrasts[0].estimate.low, 0.0);
    cr_expect_lt(contrasts[1].estimate.high, 0.0);
    expect_near(contrasts[0].adjusted_p, 3.0 * 0.041259765625, 1e-13, "adjusted p");
}

Test(verdict, leaves_what_has_too_few_values_out_of_the_family)
{
    // Were the middle one counted, Darwin's p would be adjusted out of significance.
    static const double few[] = {1.0, 2.0, 3.0, 4.0, 5.0};
    double more[20];
    struct ekb_contrast contrasts[4] = {
        {.values = few, .num_values = 5, .known = true},
        {.values = maize, .num_values = NUM_ITEMS(maize)},
        {.values = NULL, .num_values = 0, .known = true},
        {.values = more, .num_values = 20},
    };
    fill_even(more, 20, -10.0, 5.0);

    decide(contrasts, 4);

    cr_expect_not(contrasts[0].known);
    cr_expect_not(contrasts[2].known);
    cr_expect(contrasts[1].known);
    cr_expect(contrasts[3].known);
    cr_expect_eq(contrasts[1].verdict, EKB_VERDICT_SLOWER);
    cr_expect_eq(contrasts[3].verdict, EKB_VERDICT_FASTER);
    expect_near(contrasts[3].p, ldexp(2.0, -20), 1e-18, "smallest p");
    expect_near(contrasts[3].adjusted_p, ldexp(4.0, -20), 1e-18, "smallest p, doubled");
    expect_near(contrasts[1].adjusted_p, 0.041259765625, 1e-13, "largest p, as it is");
}

Test(verdict, knows_nothing_when_no_contrast_has_enough_values)
{
    static const double few[] = {1.0, 2.0, 3.0, 4.0, 5.0};
    struct ekb_contrast contrasts[2] = {
        {.values = few, .num_values = 5, .known = true},
        {.values = few, .num_values = 1, .known = true},
    };

    decide(contrasts, 2);

    cr_expect_not(contrasts[0].known);
    cr_expect_not(contrasts[1].known);
}

Test(verdict, decides_nothing_of_an_empty_family)
{
    struct ekb_contrast contrast = {.values = maize, .num_values = NUM_ITEMS(maize)};

    cr_expect_eq(ekb_verdict_decide(&contrast, 0, false), EKB_OK);
    cr_expect_not(contrast.known);
}

Test(verdict, refuses_a_family_that_is_too_large, .timeout = 60)
{
    static struct ekb_contrast contrasts[EKB_VERDICT_MAX_FAMILY + 1];
    for (size_t i = 0; i < NUM_ITEMS(contrasts); i++) {
        contrasts[i] = (struct ekb_contrast){.values = maize, .num_values = NUM_ITEMS(maize)};
    }

    cr_expect_eq(ekb_verdict_decide(contrasts, EKB_VERDICT_MAX_FAMILY + 1, false), EKB_USAGE);
    cr_expect_not(contrasts[0].known);
    cr_expect_eq(ekb_verdict_decide(contrasts, EKB_VERDICT_MAX_FAMILY, false), EKB_OK);
    cr_expect(contrasts[EKB_VERDICT_MAX_FAMILY - 1].known);
    expect_near(contrasts[0].adjusted_p, 1.0, 0.0, "adjusted p");
}

static void expect_holm(const double *p, const double *wanted, size_t num)
{
    double got[8];
    for (size_t i = 0; i < num; i++) {
        got[i] = p[i];
    }
    ekb_holm(got, num);
    for (size_t i = 0; i < num; i++) {
        cr_expect_float_eq(got[i], wanted[i], 1e-14, "%zu of %zu: got %.17g, wanted %.17g", i, num,
                           got[i], wanted[i]);
    }
}

Test(verdict, adjusts_p_as_r_does)
{
    // p.adjust(p, "holm") of R 4.2.2.
    static const double four[] = {0.01, 0.04, 0.03, 0.005};
    static const double ties[] = {0.9, 0.2, 0.2, 0.8};
    static const double six[] = {1e-4, 0.012, 0.012, 0.3, 0.049, 0.6};

    expect_holm(four, (const double[]){0.03, 0.06, 0.06, 0.02}, 4);
    expect_holm(ties, (const double[]){1.0, 0.8, 0.8, 1.0}, 4);
    expect_holm(six, (const double[]){6e-4, 0.06, 0.06, 0.6, 0.147, 0.6}, 6);
    expect_holm(four, (const double[]){0.01}, 1);
    expect_holm(four, NULL, 0);
}

// The control.

Test(verdict, sees_a_control_differ_beyond_99_percent_only)
{
    double values[20];

    fill_even(values, 20, 10.0, 5.0);
    cr_expect(ekb_verdict_control_differs(values, 20));
    fill_even(values, 20, -10.0, 5.0);
    cr_expect(ekb_verdict_control_differs(values, 20));
    fill_even(values, 20, 0.1, 5.0);
    cr_expect_not(ekb_verdict_control_differs(values, 20));
    cr_expect_not(ekb_verdict_control_differs(maize, NUM_ITEMS(maize)), "95 %% were enough");
}

Test(verdict, sees_no_evidence_in_a_control_of_too_few_values)
{
    // 99 % needs eight.
    static const double values[] = {100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0};

    for (size_t n = 0; n < 8; n++) {
        cr_expect_not(ekb_verdict_control_differs(values, n), "n %zu", n);
    }
    cr_expect(ekb_verdict_control_differs(values, 8));
}

Test(verdict, sees_a_sound_control_differ_once_in_a_hundred_runs)
{
    double values[40];
    size_t num_different = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 1);

    for (size_t run = 0; run < 2000; run++) {
        for (size_t i = 0; i < 40; i++) {
            values[i] = normal(&rng);
        }
        num_different += ekb_verdict_control_differs(values, 40) ? 1 : 0;
    }

    // 20, give or take three standard errors of 4.5.
    cr_expect(num_different >= 6 && num_different <= 34, "%zu of 2000", num_different);
}

Test(verdict, sees_estimators_disagree_beyond_a_fifth_of_the_width)
{
    struct ekb_contrast contrast = {
        .known = true,
        .estimate = {.estimate = 5.0, .low = 0.0, .high = 10.0, .n = 20},
        .bootstrap = {.estimate = 6.99, .low = 1.0, .high = 12.0, .n = 20},
    };

    cr_expect_not(ekb_verdict_estimators_disagree(&contrast));
    contrast.bootstrap.estimate = 7.01;
    cr_expect(ekb_verdict_estimators_disagree(&contrast));
    contrast.bootstrap.estimate = 3.01;
    cr_expect_not(ekb_verdict_estimators_disagree(&contrast));
    contrast.bootstrap.estimate = 2.99;
    cr_expect(ekb_verdict_estimators_disagree(&contrast));
}

// Simulations.

#define MAX_SLICES 200

// A run of two arms, slice by slice. What a handshake costs drifts by up to a factor of two over
// the run and wanders on the way, alike for both; each arm has noise of 2 % of its own; in 3 % of
// the slices the hypervisor steals from each arm, as it happens, up to five times the cost.
struct run {
    struct ekb_slice_sum treated[MAX_SLICES];
    struct ekb_slice_sum control[MAX_SLICES];
};

static struct ekb_slice_sum make_slice(double cost, double stolen, struct ekb_rng *rng)
{
    const uint64_t count = 50 + ekb_rng_below(rng, 100);
    const double mean = cost * exp(0.02 * normal(rng)) * (1.0 + stolen * uniform(rng));
    return (struct ekb_slice_sum){.count = count, .sum = (uint64_t)(mean * (double)count)};
}

static void make_run(struct run *out_run, size_t num_slices, double effect, struct ekb_rng *rng)
{
    const double phase = uniform(rng);
    double walk = 0;
    for (size_t s = 0; s < num_slices; s++) {
        const double time = (double)s / (double)num_slices;
        walk = 0.9 * walk + 0.02 * normal(rng);
        const double drift = 1.5 + 0.5 * sin(2.0 * acos(-1.0) * (0.5 * time + phase)) + walk;
        const double stolen = uniform(rng) < 0.03 ? 5.0 : 0.0;
        out_run->control[s] = make_slice(200000.0 * drift, stolen, rng);
        out_run->treated[s] = make_slice(200000.0 * drift * exp(effect), stolen, rng);
    }
}

static bool finds_any(const struct ekb_contrast *contrasts, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        if (contrasts[i].verdict == EKB_VERDICT_SLOWER ||
            contrasts[i].verdict == EKB_VERDICT_FASTER) {
            return true;
        }
    }
    return false;
}

Test(verdict, finds_in_a_run_without_a_difference_one_in_twenty_times, .timeout = 300)
{
    static struct run run;
    double values[20];
    struct ekb_contrast contrast = {.values = values, .equivalence = 0.0};
    size_t num_found = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 2);

    for (size_t i = 0; i < 2000; i++) {
        make_run(&run, 20, 0.0, &rng);
        contrast.num_values = ekb_replicate_differences(values, NULL, run.treated, run.control, 20);
        decide(&contrast, 1);
        num_found += finds_any(&contrast, 1) ? 1 : 0;
    }

    // 3.5 % to 6.5 %; twenty signs have 4.84 % to offer.
    cr_expect(num_found >= 70 && num_found <= 130, "%zu of 2000", num_found);
}

Test(verdict, finds_in_quadruples_without_a_difference_as_often_as_twelve_can, .timeout = 300)
{
    // Blocks drift by a straight line, steeper than their noise; the order is a coin's. Of the
    // 4,096 ways of twelve signs, 2 * 87 have a p of at most 5 %: 4.248 %.
    double values[12];
    struct ekb_contrast contrast = {.values = values, .num_values = 12};
    size_t num_found = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 3);

    for (size_t i = 0; i < 2000; i++) {
        const double slope = 0.1 * normal(&rng);
        for (size_t q = 0; q < 12; q++) {
            double blocks[4];
            for (size_t b = 0; b < 4; b++) {
                blocks[b] = slope * (double)(4 * q + b) + 0.02 * normal(&rng);
            }
            values[q] = ekb_replicate_quadruple(blocks, (int)ekb_rng_below(&rng, 2));
        }
        decide(&contrast, 1);
        num_found += finds_any(&contrast, 1) ? 1 : 0;
    }

    // 85, give or take three standard errors of 9.
    const double wanted = 2000.0 * 174.0 / 4096.0;
    cr_expect_float_eq((double)num_found, wanted, 27.0, "%zu of 2000, not %g", num_found, wanted);
}

Test(verdict, covers_an_injected_effect, .timeout = 300)
{
    // 3 % more, found again in the logarithms of the ratios. With twelve slices there is more
    // coverage than 95 %, because there are not all p-values.
    static const size_t lengths[] = {12, 40, 200};
    static struct run run;
    double values[MAX_SLICES];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 4);

    for (size_t i = 0; i < NUM_ITEMS(lengths); i++) {
        size_t num_covered = 0;
        for (size_t round = 0; round < 2000; round++) {
            struct ekb_estimate estimate = {0};
            make_run(&run, lengths[i], 0.03, &rng);
            const size_t n =
                ekb_replicate_log_ratios(values, NULL, run.treated, run.control, lengths[i]);
            cr_assert_eq(ekb_rank_estimate(&estimate, values, n, 0.95), EKB_OK);
            num_covered += estimate.low <= 0.03 && estimate.high >= 0.03 ? 1 : 0;
        }
        cr_expect(num_covered >= 1860 && num_covered <= 1950, "n %zu: %zu of 2000", lengths[i],
                  num_covered);
    }
}

Test(verdict, holds_its_interval_when_there_are_spikes_and_notices_them, .timeout = 300)
{
    // One in twenty values is moved by fifty times the noise.
    double calm[100];
    double spiked[100];
    double rank_growth = 0;
    double mean_growth = 0;
    size_t num_noticed = 0;
    size_t num_alarms = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 5);

    for (size_t run = 0; run < 50; run++) {
        for (size_t i = 0; i < 100; i++) {
            calm[i] = normal(&rng);
            spiked[i] = calm[i] + (i % 20 == 7 ? 50.0 : 0.0);
        }
        struct ekb_contrast contrasts[2] = {{.values = calm, .num_values = 100},
                                            {.values = spiked, .num_values = 100}};
        decide(contrasts, 2);
        const double rank_ratio = (contrasts[1].estimate.high - contrasts[1].estimate.low) /
                                  (contrasts[0].estimate.high - contrasts[0].estimate.low);
        const double mean_ratio = (contrasts[1].bootstrap.high - contrasts[1].bootstrap.low) /
                                  (contrasts[0].bootstrap.high - contrasts[0].bootstrap.low);
        cr_expect_lt(rank_ratio, 2.0, "grew by %g", rank_ratio);
        cr_expect_gt(mean_ratio, 6.0, "grew by %g", mean_ratio);
        rank_growth += rank_ratio / 50.0;
        mean_growth += mean_ratio / 50.0;
        num_alarms += ekb_verdict_estimators_disagree(&contrasts[0]) ? 1 : 0;
        num_noticed += ekb_verdict_estimators_disagree(&contrasts[1]) ? 1 : 0;
    }

    cr_expect_lt(rank_growth, 1.4, "signed ranks grew by %g, the mean by %g", rank_growth,
                 mean_growth);
    cr_expect_eq(num_noticed, 50, "noticed %zu of 50", num_noticed);
    cr_expect_leq(num_alarms, 2, "%zu false alarms of 50", num_alarms);
}

Test(verdict, errs_in_a_family_no_more_often_than_in_one_contrast, .timeout = 300)
{
    // Six treatments that do nothing, each against the same control, 20 slices. What stat/verdict
    // does, without its bootstrap, which would take most of the time. Unadjusted, one run in five
    // would have a finding.
    size_t num_adjusted = 0;
    size_t num_plain = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 6);

    for (size_t run = 0; run < 2000; run++) {
        double control[20];
        double p[6];
        double plain = 1;
        double adjusted = 1;
        for (size_t i = 0; i < 20; i++) {
            control[i] = normal(&rng);
        }
        for (size_t c = 0; c < 6; c++) {
            double values[20];
            for (size_t i = 0; i < 20; i++) {
                values[i] = normal(&rng) - control[i];
            }
            cr_assert_eq(ekb_rank_test(&p[c], values, 20), EKB_OK);
            plain = fmin(plain, p[c]);
        }
        ekb_holm(p, 6);
        for (size_t c = 0; c < 6; c++) {
            adjusted = fmin(adjusted, p[c]);
        }
        num_plain += plain <= EKB_VERDICT_LEVEL ? 1 : 0;
        num_adjusted += adjusted <= EKB_VERDICT_LEVEL ? 1 : 0;
    }

    cr_expect(num_adjusted >= 40 && num_adjusted <= 130, "adjusted: %zu of 2000", num_adjusted);
    cr_expect_geq(num_plain, 300, "unadjusted: %zu of 2000", num_plain);
}

struct counts {
    size_t num_equivalent;
    size_t num_found;
    size_t num_within; // The 90 % interval lies inside, whatever the verdict.
};

static struct counts count_equivalent(size_t n, double difference, double equivalence,
                                      size_t num_runs)
{
    struct counts counts = {0};
    double values[64];
    struct ekb_rng rng;
    ekb_rng_init(&rng, n);
    for (size_t run = 0; run < num_runs; run++) {
        for (size_t i = 0; i < n; i++) {
            values[i] = difference + normal(&rng);
        }
        struct ekb_contrast contrast = {
            .values = values, .num_values = n, .equivalence = equivalence};
        decide(&contrast, 1);
        counts.num_equivalent += contrast.verdict == EKB_VERDICT_EQUIVALENT ? 1 : 0;
        counts.num_found += finds_any(&contrast, 1) ? 1 : 0;
        counts.num_within +=
            contrast.narrow.low > -equivalence && contrast.narrow.high < equivalence ? 1 : 0;
    }
    return counts;
}

Test(verdict, rarely_calls_a_difference_equivalent_that_just_matters, .timeout = 300)
{
    const struct counts counts = count_equivalent(20, 0.7, 0.7, 800);

    // 5 % of 800 are 40, with a standard error of 6.
    cr_expect(counts.num_within >= 22 && counts.num_within <= 52, "%zu of 800", counts.num_within);
    cr_expect_leq(counts.num_equivalent, 52, "%zu of 800", counts.num_equivalent);
}

Test(verdict, nearly_always_calls_equal_arms_equivalent_when_there_is_enough, .timeout = 300)
{
    const struct counts counts = count_equivalent(60, 0.0, 0.6, 200);

    // One in twenty is found to differ, by less than what matters.
    cr_expect_geq(counts.num_equivalent, 184, "%zu of 200", counts.num_equivalent);
    cr_expect_geq(counts.num_equivalent + counts.num_found, 196, "%zu and %zu of 200",
                  counts.num_equivalent, counts.num_found);
    cr_expect_geq(counts.num_within, 196, "%zu of 200", counts.num_within);
}

Test(verdict, finds_an_effect_of_its_smallest_detectable_size_four_times_out_of_five,
     .timeout = 300)
{
    // What a hundred runs without an effect say they would have found, injected into 400 others.
    double values[16];
    double mde = 0;
    size_t num_found = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 8);

    for (size_t run = 0; run < 500; run++) {
        const bool is_first_part = run < 100;
        struct ekb_contrast contrast = {.values = values, .num_values = 16};
        for (size_t i = 0; i < 16; i++) {
            values[i] = normal(&rng) + (is_first_part ? 0.0 : mde);
        }
        decide(&contrast, 1);
        mde += is_first_part ? contrast.mde / 100.0 : 0.0;
        num_found += !is_first_part && contrast.verdict == EKB_VERDICT_SLOWER ? 1 : 0;
    }

    cr_expect(num_found >= 296 && num_found <= 360, "%zu of 400 at %g", num_found, mde);
}

// The same of one contrast of six: its neighbours, which show nothing, make it harder to find.
Test(verdict, finds_its_smallest_detectable_effect_in_a_family_too, .timeout = 300)
{
    enum {
        N = 40,
        FAMILY = 6
    };
    double values[FAMILY][N];
    double mde = 0;
    size_t num_found = 0;
    size_t num_only_alone = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 9);

    for (size_t run = 0; run < 300; run++) {
        const bool is_first_part = run < 60;
        struct ekb_contrast contrasts[FAMILY];
        for (size_t c = 0; c < FAMILY; c++) {
            contrasts[c] = (struct ekb_contrast){.values = values[c], .num_values = N};
            for (size_t i = 0; i < N; i++) {
                values[c][i] = normal(&rng) + (is_first_part || c > 0 ? 0.0 : mde);
            }
        }
        decide(contrasts, FAMILY);
        mde += is_first_part ? contrasts[0].mde / 60.0 : 0.0;
        num_found += !is_first_part && contrasts[0].verdict == EKB_VERDICT_SLOWER ? 1 : 0;
        num_only_alone += contrasts[0].only_alone ? 1 : 0;
        cr_expect(!contrasts[0].only_alone || contrasts[0].verdict != EKB_VERDICT_SLOWER);
    }

    cr_expect(num_found >= 178 && num_found <= 222, "%zu of 240 at %g", num_found, mde);
    cr_expect_gt(num_only_alone, 5u, "%zu", num_only_alone);
}
