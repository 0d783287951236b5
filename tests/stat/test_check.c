#include "ekubench/stat/check.h"

#include "ekubench/base/rng.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include <criterion/criterion.h>

#define NUM_ITEMS(array) (sizeof(array) / sizeof((array)[0]))

// Luteinizing hormone in one woman's blood, every ten minutes: Diggle, "Time Series: A
// Biostatistical Introduction", 1990, table A.1, series 3; R's `lh`.
static const double hormone[] = {2.4, 2.4, 2.4, 2.2, 2.1, 1.5, 2.3, 2.3, 2.5, 2.0, 1.9, 1.7,
                                 2.2, 1.8, 3.2, 3.2, 2.7, 2.2, 2.2, 1.9, 1.9, 1.8, 2.7, 3.0,
                                 2.3, 2.0, 2.0, 2.9, 2.9, 2.7, 2.7, 2.3, 2.6, 2.4, 1.8, 1.7,
                                 1.5, 1.4, 2.1, 3.3, 3.5, 3.5, 3.1, 2.6, 2.1, 3.4, 3.0, 2.9};

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

static const double digits[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3};

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

// fill_series makes values in which each keeps `memory` of the last: AR(1), steady from the first.
static void fill_series(double *out_values, size_t n, double memory, struct ekb_rng *rng)
{
    out_values[0] = normal(rng) / sqrt(1.0 - memory * memory);
    for (size_t i = 1; i < n; i++) {
        out_values[i] = memory * out_values[i - 1] + normal(rng);
    }
}

// Autocorrelation.

static void expect_autocorrelation(const double *values, size_t n, double wanted)
{
    const double got = ekb_check_autocorrelation(values, n);
    cr_expect_float_eq(got, wanted, 1e-13, "n %zu: got %.17g, wanted %.17g", n, got, wanted);
}

Test(check, gives_the_autocorrelation_of_r)
{
    // acf(x)$acf[2] of R 4.2.2.
    static const double alternating[] = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};

    expect_autocorrelation(hormone, NUM_ITEMS(hormone), 0.5755244755244755);
    expect_autocorrelation(nile, NUM_ITEMS(nile), 0.49840818413302945);
    expect_autocorrelation(digits, NUM_ITEMS(digits), -0.14408014571948999);
    expect_autocorrelation(alternating, NUM_ITEMS(alternating), -0.91666666666666663);
}

Test(check, gives_the_same_autocorrelation_far_from_zero)
{
    double far[NUM_ITEMS(digits)];
    for (size_t i = 0; i < NUM_ITEMS(digits); i++) {
        far[i] = digits[i] + 1e9;
    }

    const double got = ekb_check_autocorrelation(far, NUM_ITEMS(far));

    // The mean of such values is known to 1e-7 of their spread.
    cr_expect_float_eq(got, -0.14408014571948999, 1e-6, "got %.17g", got);
}

Test(check, has_no_autocorrelation_with_fewer_than_three_values)
{
    static const double values[] = {1.0, -1.0, 1.0};

    for (size_t n = 0; n < 3; n++) {
        expect_autocorrelation(values, n, 0.0);
        cr_expect_not(ekb_check_is_correlated(values, n), "n %zu", n);
    }
    expect_autocorrelation(values, 3, -0.66666666666666667); // acf of R.
}

Test(check, has_no_autocorrelation_without_variance)
{
    // 0.1 is not a double, and neither is the mean of many of it.
    static const double constants[] = {0.0, 1.0, -3.0, 0.1, 1e9 / 3.0};
    double values[100];

    for (size_t c = 0; c < NUM_ITEMS(constants); c++) {
        for (size_t i = 0; i < 100; i++) {
            values[i] = constants[c];
        }
        size_t num_wrong = 0;
        for (size_t n = 3; n <= 100; n++) {
            const int is_zero = fabs(ekb_check_autocorrelation(values, n)) <= 0.0;
            num_wrong += is_zero && !ekb_check_is_correlated(values, n) ? 0 : 1;
        }
        cr_expect_eq(num_wrong, 0, "constant %g: wrong for %zu of 98 lengths; %g at 30",
                     constants[c], num_wrong, ekb_check_autocorrelation(values, 30));
    }
}

Test(check, calls_a_series_correlated_beyond_the_bound_only)
{
    // The bound is 0.3718 for 48 values, 0.2576 for 100, 0.8146 for ten, 0.7436 for twelve.
    static const double alternating[] = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};

    cr_expect(ekb_check_is_correlated(hormone, NUM_ITEMS(hormone)));
    cr_expect(ekb_check_is_correlated(nile, NUM_ITEMS(nile)));
    cr_expect(ekb_check_is_correlated(alternating, NUM_ITEMS(alternating)));
    cr_expect_not(ekb_check_is_correlated(digits, NUM_ITEMS(digits)));
}

Test(check, places_the_bound_where_one_percent_is_left)
{
    // Each value keeps 0.13 of the last, and the bound is 0.1288: half of the runs on either side.
    double values[400];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 1);
    size_t num_close = 0;

    for (size_t round = 0; round < 400; round++) {
        fill_series(values, 400, 0.13, &rng);
        const double r = ekb_check_autocorrelation(values, 400);
        const double bound = 2.5758293035489004 / 20.0;
        cr_expect_eq(ekb_check_is_correlated(values, 400), fabs(r) > bound, "r %.17g", r);
        num_close += fabs(r - bound) < 0.002 ? 1 : 0;
    }

    cr_expect_gt(num_close, 5, "only %zu came close to the bound", num_close);
}

Test(check, flags_values_that_follow_from_the_last)
{
    double values[200];
    size_t num_flagged = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 2);

    for (size_t run = 0; run < 500; run++) {
        fill_series(values, 200, 0.6, &rng);
        num_flagged += ekb_check_is_correlated(values, 200) ? 1 : 0;
    }

    cr_expect_geq(num_flagged, 475, "%zu of 500", num_flagged);
}

Test(check, flags_white_noise_rarely)
{
    static const size_t lengths[] = {12, 40, 200};
    double values[200];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 3);

    for (size_t i = 0; i < NUM_ITEMS(lengths); i++) {
        size_t num_flagged = 0;
        for (size_t run = 0; run < 2000; run++) {
            fill_series(values, lengths[i], 0.0, &rng);
            num_flagged += ekb_check_is_correlated(values, lengths[i]) ? 1 : 0;
        }
        cr_expect_leq(num_flagged, 60, "n %zu: %zu of 2000", lengths[i], num_flagged);
    }
}

// Trend.

static struct ekb_trend trend_of(const double *values, size_t n)
{
    struct ekb_trend trend = {.rho = 77, .p = 77};
    cr_assert_eq(ekb_check_trend(&trend, values, n), EKB_OK);
    return trend;
}

static void expect_trend(const double *values, size_t n, double rho, double p)
{
    const struct ekb_trend trend = trend_of(values, n);
    cr_expect_float_eq(trend.rho, rho, 1e-14, "n %zu: rho %.17g, wanted %.17g", n, trend.rho, rho);
    cr_expect_float_eq(trend.p, p, 1e-12 * p, "n %zu: p %.17g, wanted %.17g", n, trend.p, p);
}

Test(check, gives_spearmans_rho_of_r_with_ties)
{
    // cor(x, seq_along(x), method = "spearman"), 2 * pnorm(-abs(rho) * sqrt(n - 1)).
    static const double six[] = {2, 2, 1, 3, 3, 3};

    expect_trend(nile, NUM_ITEMS(nile), -0.43744993007970906, 1.3454975638634987e-05);
    expect_trend(hormone, NUM_ITEMS(hormone), 0.29503609021277055, 0.043107643132139647);
    expect_trend(six, NUM_ITEMS(six), 0.74065607981804127, 0.097689959346156832);
}

Test(check, gives_a_rho_of_one_when_every_value_is_above_the_last)
{
    static const double rising[] = {-1e9, 0.0, 1e-9, 2e-9, 5.0, 1e9, 1e300};
    double falling[NUM_ITEMS(rising)];
    for (size_t i = 0; i < NUM_ITEMS(rising); i++) {
        falling[i] = -rising[i];
    }

    cr_expect_float_eq(trend_of(rising, NUM_ITEMS(rising)).rho, 1.0, 1e-15);
    cr_expect_float_eq(trend_of(falling, NUM_ITEMS(falling)).rho, -1.0, 1e-15);
}

Test(check, has_no_trend_with_fewer_than_six_values_or_without_variance)
{
    static const double rising[] = {1, 2, 3, 4, 5};
    static const double constant[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};

    for (size_t n = 0; n <= NUM_ITEMS(rising); n++) {
        expect_trend(rising, n, 0.0, 1.0);
    }
    expect_trend(constant, NUM_ITEMS(constant), 0.0, 1.0);
}

Test(check, finds_a_trend_in_eight_values_at_the_earliest)
{
    // rho cannot be above 1, and 2.576 squared is 6.6.
    static const double rising[] = {1, 2, 3, 4, 5, 6, 7, 8};

    cr_expect_gt(trend_of(rising, 7).p, EKB_CHECK_LEVEL);
    cr_expect_lt(trend_of(rising, 8).p, EKB_CHECK_LEVEL);
}

Test(check, flags_a_drifting_series_and_rarely_a_steady_one)
{
    // The drift: as much, over the whole run, as the noise's standard deviation times two.
    double steady[100];
    double drifting[100];
    size_t num_steady = 0;
    size_t num_drifting = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 4);

    for (size_t run = 0; run < 2000; run++) {
        for (size_t i = 0; i < 100; i++) {
            steady[i] = normal(&rng);
            drifting[i] = steady[i] + 2.0 * (double)i / 100.0;
        }
        num_steady += trend_of(steady, 100).p <= EKB_CHECK_LEVEL ? 1 : 0;
        num_drifting += trend_of(drifting, 100).p <= EKB_CHECK_LEVEL ? 1 : 0;
    }

    // 20 of 2,000, give or take three standard errors of 4.5.
    cr_expect(num_steady >= 6 && num_steady <= 34, "steady: %zu of 2000", num_steady);
    cr_expect_geq(num_drifting, 1960, "drifting: %zu of 2000", num_drifting);
}

// Dropping.

Test(check, drops_what_is_above_a_threshold_and_not_what_is_at_it)
{
    static const struct {
        struct ekb_covariates covariates;
        bool is_disturbed;
    } cases[] = {
        {{.steal_percent = 0.0, .wait_percent = 0.0}, false},
        {{.steal_percent = 5.0, .wait_percent = 5.0}, false},
        {{.steal_percent = 5.001, .wait_percent = 0.0}, true},
        {{.steal_percent = 0.0, .wait_percent = 5.001}, true},
        {{.steal_percent = 4.0, .wait_percent = 4.0}, false}, // They do not add up.
        {{.steal_percent = 100.0, .wait_percent = 100.0}, true},
    };

    for (size_t i = 0; i < NUM_ITEMS(cases); i++) {
        cr_expect_eq(ekb_check_is_disturbed(&cases[i].covariates, 1), cases[i].is_disturbed,
                     "steal %g, wait %g", cases[i].covariates.steal_percent,
                     cases[i].covariates.wait_percent);
    }
}

Test(check, drops_the_whole_quadruple_when_any_member_is_disturbed)
{
    const struct ekb_covariates quiet = {.steal_percent = 1.0, .wait_percent = 2.0};
    const struct ekb_covariates stolen = {.steal_percent = 6.0, .wait_percent = 0.0};
    const struct ekb_covariates waited = {.steal_percent = 0.0, .wait_percent = 6.0};
    struct ekb_covariates members[4] = {quiet, quiet, quiet, quiet};

    cr_expect_not(ekb_check_is_disturbed(members, 4));
    for (size_t i = 0; i < 4; i++) {
        members[i] = stolen;
        cr_expect(ekb_check_is_disturbed(members, 4), "stolen from member %zu", i);
        members[i] = waited;
        cr_expect(ekb_check_is_disturbed(members, 4), "member %zu waited", i);
        members[i] = quiet;
    }
}

Test(check, drops_nothing_that_has_no_members)
{
    const struct ekb_covariates stolen = {.steal_percent = 50.0};

    cr_expect_not(ekb_check_is_disturbed(&stolen, 0));
}

Test(check, gives_up_when_more_than_a_fifth_is_dropped)
{
    cr_expect_not(ekb_check_too_many_dropped(0, 0));
    cr_expect_not(ekb_check_too_many_dropped(0, 10));
    cr_expect_not(ekb_check_too_many_dropped(2, 10));
    cr_expect(ekb_check_too_many_dropped(3, 10));
    cr_expect_not(ekb_check_too_many_dropped(20, 100));
    cr_expect(ekb_check_too_many_dropped(21, 100));
    cr_expect_not(ekb_check_too_many_dropped(1, 5));
    cr_expect(ekb_check_too_many_dropped(1, 4));
    cr_expect(ekb_check_too_many_dropped(7, 7));
}

Test(check, counts_a_fifth_of_very_many_without_overflow)
{
    cr_expect_not(ekb_check_too_many_dropped(UINT64_MAX / 6, UINT64_MAX));
    cr_expect(ekb_check_too_many_dropped(UINT64_MAX / 4, UINT64_MAX));
}
