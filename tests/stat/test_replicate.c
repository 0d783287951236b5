#include "ekubench/stat/replicate.h"

#include "ekubench/base/rng.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include <criterion/criterion.h>

#define NUM_ITEMS(array) (sizeof(array) / sizeof((array)[0]))
#define NUM_SLICES 40
#define MAX_ARMS 8

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

// A slice of 100 handshakes of that mean, rounded to the hundredth of a unit.
static struct ekb_slice_sum slice_of(double mean)
{
    return (struct ekb_slice_sum){.count = 100, .sum = (uint64_t)llround(100.0 * mean)};
}

// Means, differences, ratios.

Test(replicate, gives_the_mean_of_each_slice)
{
    const struct ekb_slice_sum slices[] = {{10, 1000}, {4, 10}, {1, 7}, {3, 0}};
    double values[4];

    const size_t num = ekb_replicate_means(values, NULL, slices, 4);

    cr_assert_eq(num, 4);
    expect_near(values[0], 100.0, 0.0, "first");
    expect_near(values[1], 2.5, 0.0, "second");
    expect_near(values[2], 7.0, 0.0, "third");
    expect_near(values[3], 0.0, 0.0, "fourth");
}

Test(replicate, leaves_empty_slices_out_of_means_and_tells_which_are_left)
{
    const struct ekb_slice_sum slices[] = {{0, 0}, {2, 10}, {0, 0}, {0, 0}, {1, 7}, {0, 0}};
    double values[6];
    size_t index[6] = {99, 99, 99, 99, 99, 99};

    const size_t num = ekb_replicate_means(values, index, slices, 6);

    cr_assert_eq(num, 2);
    expect_near(values[0], 5.0, 0.0, "first");
    expect_near(values[1], 7.0, 0.0, "second");
    cr_expect_eq(index[0], 1);
    cr_expect_eq(index[1], 4);
    cr_expect_eq(index[2], 99, "written beyond what was returned");
}

Test(replicate, gives_nothing_when_there_are_no_slices)
{
    const double x[] = {1.0, 2.0, 3.0};
    const struct ekb_slice_sum slices[1] = {{1, 1}};
    const struct ekb_slice_arms arms = {.slices = slices, .x = x, .num_arms = 3};
    double values[1];

    cr_expect_eq(ekb_replicate_means(values, NULL, slices, 0), 0);
    cr_expect_eq(ekb_replicate_differences(values, NULL, slices, slices, 0), 0);
    cr_expect_eq(ekb_replicate_log_ratios(values, NULL, slices, slices, 0), 0);
    cr_expect_eq(ekb_replicate_slopes(values, NULL, &arms), 0);
    cr_expect_eq(ekb_replicate_curvatures(values, NULL, &arms), 0);
}

Test(replicate, takes_the_control_from_the_treated)
{
    // By the mean, not by the sum: 130 - 100 and 90 - 100.
    const struct ekb_slice_sum treated[] = {{10, 1300}, {2, 180}};
    const struct ekb_slice_sum control[] = {{20, 2000}, {7, 700}};
    double values[2];

    const size_t num = ekb_replicate_differences(values, NULL, treated, control, 2);

    cr_assert_eq(num, 2);
    expect_near(values[0], 30.0, 0.0, "first");
    expect_near(values[1], -10.0, 0.0, "second");
}

Test(replicate, leaves_slices_out_of_differences_when_either_arm_is_empty)
{
    const struct ekb_slice_sum treated[] = {{1, 5}, {0, 0}, {1, 7}, {0, 0}, {1, 9}};
    const struct ekb_slice_sum control[] = {{1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 2}};
    double values[5];
    size_t index[5];

    const size_t num = ekb_replicate_differences(values, index, treated, control, 5);

    cr_assert_eq(num, 2);
    expect_near(values[0], 4.0, 0.0, "first");
    expect_near(values[1], 7.0, 0.0, "second");
    cr_expect_eq(index[0], 0);
    cr_expect_eq(index[1], 4);
}

Test(replicate, gives_the_logarithm_of_treated_by_control)
{
    const struct ekb_slice_sum treated[] = {{10, 1300}, {2, 180}, {5, 500}};
    const struct ekb_slice_sum control[] = {{20, 2000}, {7, 700}, {1, 100}};
    double values[3];

    const size_t num = ekb_replicate_log_ratios(values, NULL, treated, control, 3);

    cr_assert_eq(num, 3);
    expect_near(values[0], 0.26236426446749106, 1e-15, "ln 1.3"); // R: log(1.3)
    expect_near(values[1], -0.10536051565782628, 1e-15, "ln 0.9");
    expect_near(values[2], 0.0, 0.0, "ln 1");
}

Test(replicate, leaves_slices_out_of_ratios_when_either_arm_is_empty_or_zero)
{
    const struct ekb_slice_sum treated[] = {{1, 8}, {0, 0}, {1, 1}, {3, 0}, {1, 1}, {1, 4}};
    const struct ekb_slice_sum control[] = {{1, 4}, {1, 1}, {0, 0}, {1, 1}, {3, 0}, {1, 8}};
    double values[6];
    size_t index[6];

    const size_t num = ekb_replicate_log_ratios(values, index, treated, control, 6);

    cr_assert_eq(num, 2);
    expect_near(values[0], 0.69314718055994529, 1e-15, "ln 2");
    expect_near(values[1], -0.69314718055994529, 1e-15, "-ln 2");
    cr_expect_eq(index[0], 0);
    cr_expect_eq(index[1], 5);
}

// Slopes.

// Slices of arms whose mean in slice s is curve(x, s).
struct arms_fixture {
    struct ekb_slice_sum slices[MAX_ARMS * NUM_SLICES];
    struct ekb_slice_arms arms;
};

static void fill_arms(struct arms_fixture *out_fixture, const double *x, size_t num_arms,
                      double (*curve)(double x, size_t slice))
{
    for (size_t a = 0; a < num_arms; a++) {
        for (size_t s = 0; s < NUM_SLICES; s++) {
            // Counts that differ between arms and slices must not matter.
            const uint64_t count = 1 + (3 * a + s) % 5;
            const uint64_t mean = (uint64_t)llround(curve(x[a], s));
            out_fixture->slices[a * NUM_SLICES + s] = (struct ekb_slice_sum){count, count * mean};
        }
    }
    out_fixture->arms = (struct ekb_slice_arms){
        .slices = out_fixture->slices, .num_slices = NUM_SLICES, .x = x, .num_arms = num_arms};
}

// A line of slope 1500, moved and not turned by what the slice does to all arms.
static double line(double x, size_t slice)
{
    return 100000.0 + 1500.0 * x + 77777.0 * (double)slice;
}

// The line with a bend of 250 on it.
static double parabola(double x, size_t slice)
{
    return line(x, slice) + 250.0 * x * x;
}

// A bend of 250 around x = 3, without a slope.
static double valley(double x, size_t slice)
{
    return 1000.0 + 250.0 * (x - 3.0) * (x - 3.0) + 77777.0 * (double)slice;
}

static void expect_all(const double *values, size_t num, double wanted, double tolerance)
{
    for (size_t i = 0; i < num; i++) {
        cr_expect_float_eq(values[i], wanted, tolerance, "slice %zu: got %.17g, wanted %.17g", i,
                           values[i], wanted);
    }
}

Test(replicate, finds_the_slope_of_a_line_exactly)
{
    static const double x[] = {1.0, 2.0, 3.0, 6.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];
    fill_arms(&fixture, x, 4, line);

    const size_t num = ekb_replicate_slopes(values, NULL, &fixture.arms);

    cr_assert_eq(num, NUM_SLICES);
    expect_all(values, num, 1500.0, 1e-9);
}

Test(replicate, finds_the_slope_of_two_arms)
{
    static const double x[] = {4.0, 2.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];
    fill_arms(&fixture, x, 2, line);

    const size_t num = ekb_replicate_slopes(values, NULL, &fixture.arms);

    cr_assert_eq(num, NUM_SLICES);
    expect_all(values, num, 1500.0, 1e-9);
}

Test(replicate, gives_the_least_squares_slope_of_r)
{
    // lm(c(5, 1, 4, 20) ~ c(1, 2, 3, 6)): -3 + 3.5 x.
    static const double x[] = {1.0, 2.0, 3.0, 6.0};
    const struct ekb_slice_sum slices[] = {{2, 10}, {1, 1}, {3, 12}, {1, 20}};
    const struct ekb_slice_arms arms = {.slices = slices, .num_slices = 1, .x = x, .num_arms = 4};
    double value = 0;

    cr_assert_eq(ekb_replicate_slopes(&value, NULL, &arms), 1);

    expect_near(value, 3.5, 1e-13, "slope");
}

Test(replicate, leaves_slices_out_of_slopes_when_an_arm_is_empty)
{
    static const double x[] = {1.0, 2.0, 3.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];
    size_t index[NUM_SLICES];
    fill_arms(&fixture, x, 3, line);
    fixture.slices[0 * NUM_SLICES + 0] = (struct ekb_slice_sum){0, 0};
    fixture.slices[1 * NUM_SLICES + 4] = (struct ekb_slice_sum){0, 0};
    fixture.slices[2 * NUM_SLICES + 9] = (struct ekb_slice_sum){0, 0};

    const size_t num = ekb_replicate_slopes(values, index, &fixture.arms);

    cr_assert_eq(num, NUM_SLICES - 3);
    expect_all(values, num, 1500.0, 1e-9);
    for (size_t i = 0; i < num; i++) {
        const size_t wanted = i < 3 ? i + 1 : i < 7 ? i + 2 : i + 3;
        cr_expect_eq(index[i], wanted, "value %zu is of slice %zu, not %zu", i, index[i], wanted);
    }
}

Test(replicate, has_no_slope_when_all_x_are_equal)
{
    static const double sames[][3] = {{2.0, 2.0, 2.0}, {0.0, 0.0, 0.0}, {0.1, 0.1, 0.1}};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];

    for (size_t i = 0; i < NUM_ITEMS(sames); i++) {
        fill_arms(&fixture, sames[i], 3, line);
        cr_expect_eq(ekb_replicate_slopes(values, NULL, &fixture.arms), 0, "x %g", sames[i][0]);
    }
}

Test(replicate, has_no_slope_when_there_is_one_arm_or_none)
{
    static const double x[] = {2.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];

    fill_arms(&fixture, x, 1, line);
    cr_expect_eq(ekb_replicate_slopes(values, NULL, &fixture.arms), 0);
    fill_arms(&fixture, x, 0, line);
    cr_expect_eq(ekb_replicate_slopes(values, NULL, &fixture.arms), 0);
}

Test(replicate, finds_slopes_when_x_lie_far_from_zero)
{
    static const double x[] = {1000000.0, 1000001.0, 1000002.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];
    fill_arms(&fixture, x, 3, line);

    const size_t num = ekb_replicate_slopes(values, NULL, &fixture.arms);

    cr_expect_eq(num, NUM_SLICES, "%zu slices", num);
    expect_all(values, num, 1500.0, 1e-6);
}

// Curvatures.

Test(replicate, finds_no_curvature_on_a_line)
{
    static const double x[] = {1.0, 2.0, 3.0, 4.0, 8.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];
    fill_arms(&fixture, x, 5, line);

    const size_t num = ekb_replicate_curvatures(values, NULL, &fixture.arms);

    cr_assert_eq(num, NUM_SLICES);
    expect_all(values, num, 0.0, 1e-9);
}

Test(replicate, finds_the_curvature_of_a_parabola_exactly)
{
    static const double x[] = {1.0, 2.0, 3.0, 4.0, 8.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];
    fill_arms(&fixture, x, 5, parabola);

    const size_t num = ekb_replicate_curvatures(values, NULL, &fixture.arms);

    cr_assert_eq(num, NUM_SLICES);
    expect_all(values, num, 250.0, 1e-9);
}

Test(replicate, gives_the_quadratic_coefficient_of_r)
{
    // lm(y ~ x + I(x^2)) on the points of the slope above.
    static const double x[] = {1.0, 2.0, 3.0, 6.0};
    const struct ekb_slice_sum slices[] = {{2, 10}, {1, 1}, {3, 12}, {1, 20}};
    const struct ekb_slice_arms arms = {.slices = slices, .num_slices = 1, .x = x, .num_arms = 4};
    double value = 0;

    cr_assert_eq(ekb_replicate_curvatures(&value, NULL, &arms), 1);

    expect_near(value, 1.2762430939226503, 1e-13, "curvature");
}

Test(replicate, keeps_slope_and_curvature_apart)
{
    // A valley in the middle of the x has curvature and no slope, a line slope and no curvature.
    static const double x[] = {1.0, 2.0, 3.0, 4.0, 5.0};
    static struct arms_fixture fixture;
    double slopes[NUM_SLICES];
    double curvatures[NUM_SLICES];
    fill_arms(&fixture, x, 5, valley);

    cr_assert_eq(ekb_replicate_slopes(slopes, NULL, &fixture.arms), NUM_SLICES);
    cr_assert_eq(ekb_replicate_curvatures(curvatures, NULL, &fixture.arms), NUM_SLICES);

    expect_all(slopes, NUM_SLICES, 0.0, 1e-9);
    expect_all(curvatures, NUM_SLICES, 250.0, 1e-9);
}

Test(replicate, leaves_slices_out_of_curvatures_when_an_arm_is_empty)
{
    static const double x[] = {1.0, 2.0, 3.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];
    size_t index[NUM_SLICES];
    fill_arms(&fixture, x, 3, parabola);
    fixture.slices[2 * NUM_SLICES + 1] = (struct ekb_slice_sum){0, 0};

    const size_t num = ekb_replicate_curvatures(values, index, &fixture.arms);

    cr_assert_eq(num, NUM_SLICES - 1);
    expect_all(values, num, 250.0, 1e-9);
    cr_expect_eq(index[0], 0);
    cr_expect_eq(index[1], 2);
    cr_expect_eq(index[num - 1], NUM_SLICES - 1);
}

Test(replicate, has_no_curvature_with_fewer_than_three_different_x)
{
    static const double xs[][4] = {
        {1.0, 2.0, 1.0, 2.0}, {3.0, 3.0, 3.0, 3.0}, {0.1, 0.3, 0.3, 0.1}, {0.0, 0.0, 0.0, 7.0}};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];

    for (size_t i = 0; i < NUM_ITEMS(xs); i++) {
        fill_arms(&fixture, xs[i], 4, line);
        cr_expect_eq(ekb_replicate_curvatures(values, NULL, &fixture.arms), 0, "case %zu", i);
    }
    fill_arms(&fixture, xs[0], 2, line);
    cr_expect_eq(ekb_replicate_curvatures(values, NULL, &fixture.arms), 0);
}

Test(replicate, finds_curvatures_when_x_lie_far_from_zero)
{
    static const double x[] = {1000.0, 1001.0, 1002.0};
    static struct arms_fixture fixture;
    double values[NUM_SLICES];
    fill_arms(&fixture, x, 3, parabola);

    const size_t num = ekb_replicate_curvatures(values, NULL, &fixture.arms);

    cr_expect_eq(num, NUM_SLICES, "%zu slices", num);
    expect_all(values, num, 250.0, 1e-4);
}

// Quadruples.

Test(replicate, contrasts_a_quadruple_by_its_order)
{
    const double abba[] = {10.0, 13.0, 15.0, 12.0};

    expect_near(ekb_replicate_quadruple(abba, 0), 3.0, 0.0, "ABBA");
    expect_near(ekb_replicate_quadruple(abba, 1), -3.0, 0.0, "BAAB");
}

Test(replicate, cancels_a_straight_drift_in_a_quadruple)
{
    // B costs 0.25 more; sixteenths, so that nothing is rounded.
    for (int step = -64; step <= 64; step++) {
        const double drift = (double)step / 16.0;
        const double abba[] = {5.0, 5.25 + drift, 5.25 + 2.0 * drift, 5.0 + 3.0 * drift};
        const double baab[] = {5.25, 5.0 + drift, 5.0 + 2.0 * drift, 5.25 + 3.0 * drift};

        expect_near(ekb_replicate_quadruple(abba, 0), 0.25, 0.0, "ABBA");
        expect_near(ekb_replicate_quadruple(baab, 1), 0.25, 0.0, "BAAB");
    }
}

Test(replicate, leaves_of_a_curved_drift_what_the_other_order_takes_away)
{
    const double drift[] = {0.0, 1.0, 4.0, 9.0};

    expect_near(ekb_replicate_quadruple(drift, 0), -2.0, 0.0, "ABBA");
    expect_near(ekb_replicate_quadruple(drift, 1), 2.0, 0.0, "BAAB");
}

// Drift, in simulations of 200 slices: up to twofold over the run and wandering by 2 % from slice
// to slice, shared by all arms.

#define NUM_DRIFTING 200
#define NUM_RUNS 200

static void make_drift(double out_drift[NUM_DRIFTING], struct ekb_rng *rng)
{
    double walk = 0;
    for (size_t s = 0; s < NUM_DRIFTING; s++) {
        walk += 0.02 * normal(rng);
        out_drift[s] = exp(walk + log(2.0) * (double)s / NUM_DRIFTING);
    }
}

static double mean_of(const double *values, size_t num)
{
    double sum = 0;
    for (size_t i = 0; i < num; i++) {
        sum += values[i] / (double)num;
    }
    return sum;
}

Test(replicate, cancels_drift_that_all_arms_share_exactly_when_it_adds)
{
    // By far more than the effect of 50.
    struct ekb_slice_sum treated[NUM_SLICES];
    struct ekb_slice_sum control[NUM_SLICES];
    double values[NUM_SLICES];
    for (size_t s = 0; s < NUM_SLICES; s++) {
        const uint64_t drift = 1000 * s + 700 * (s % 7);
        control[s] = (struct ekb_slice_sum){10, 10 * (200000 + drift)};
        treated[s] = (struct ekb_slice_sum){20, 20 * (200050 + drift)};
    }

    cr_assert_eq(ekb_replicate_differences(values, NULL, treated, control, NUM_SLICES), NUM_SLICES);

    expect_all(values, NUM_SLICES, 50.0, 0.0);
}

Test(replicate, cancels_drift_that_all_arms_share_in_ratios_when_it_multiplies)
{
    struct ekb_slice_sum treated[NUM_DRIFTING];
    struct ekb_slice_sum control[NUM_DRIFTING];
    double drift[NUM_DRIFTING];
    double values[NUM_DRIFTING];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 1);
    make_drift(drift, &rng);
    for (size_t s = 0; s < NUM_DRIFTING; s++) {
        control[s] = slice_of(200000.0 * drift[s]);
        treated[s] = slice_of(206000.0 * drift[s]);
    }

    const size_t num = ekb_replicate_log_ratios(values, NULL, treated, control, NUM_DRIFTING);

    // The slices are rounded to 0.005 of 200,000 or so.
    cr_assert_eq(num, NUM_DRIFTING);
    expect_all(values, num, 0.029558802241544391, 1e-7); // R: log(1.03)
}

Test(replicate, does_not_bend_differences_when_drift_is_strong, .timeout = 60)
{
    // 3 % more, noise of 1 % on each arm. Differences grow with the drift as the costs do; about
    // the mean cost they must be right.
    struct ekb_slice_sum treated[NUM_DRIFTING];
    struct ekb_slice_sum control[NUM_DRIFTING];
    double drift[NUM_DRIFTING];
    double differences[NUM_DRIFTING];
    double ratios[NUM_DRIFTING];
    double ratio = 0;
    double share = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 2);
    for (size_t run = 0; run < NUM_RUNS; run++) {
        make_drift(drift, &rng);
        for (size_t s = 0; s < NUM_DRIFTING; s++) {
            control[s] = slice_of(200000.0 * drift[s] * exp(0.01 * normal(&rng)));
            treated[s] = slice_of(206000.0 * drift[s] * exp(0.01 * normal(&rng)));
        }
        (void)ekb_replicate_differences(differences, NULL, treated, control, NUM_DRIFTING);
        (void)ekb_replicate_log_ratios(ratios, NULL, treated, control, NUM_DRIFTING);
        share += mean_of(differences, NUM_DRIFTING) / (200000.0 * mean_of(drift, NUM_DRIFTING)) /
                 NUM_RUNS;
        ratio += mean_of(ratios, NUM_DRIFTING) / NUM_RUNS;
    }

    // Standard error: 0.01 * sqrt(2 / 200 / 200) = 0.00007. Four of them.
    expect_near(ratio, log(1.03), 0.0003, "log ratio");
    expect_near(share, 0.03, 0.0003, "difference by cost");
}

Test(replicate, does_not_bend_slopes_when_drift_is_strong, .timeout = 60)
{
    // 300,000 and 90,000 more for each unit, noise of 1 % on each arm.
    static const double x[] = {1.0, 2.0, 3.0, 4.0};
    static struct ekb_slice_sum slices[4 * NUM_DRIFTING];
    const struct ekb_slice_arms arms = {
        .slices = slices, .num_slices = NUM_DRIFTING, .x = x, .num_arms = 4};
    double drift[NUM_DRIFTING];
    double values[NUM_DRIFTING];
    double slope = 0;
    double curvature = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 3);
    for (size_t run = 0; run < NUM_RUNS; run++) {
        make_drift(drift, &rng);
        for (size_t i = 0; i < NUM_ITEMS(slices); i++) {
            const double cost = 300000.0 + 90000.0 * x[i / NUM_DRIFTING];
            slices[i] = slice_of(cost * drift[i % NUM_DRIFTING] * (1.0 + 0.01 * normal(&rng)));
        }
        const double scale = mean_of(drift, NUM_DRIFTING) * NUM_RUNS;
        (void)ekb_replicate_slopes(values, NULL, &arms);
        slope += mean_of(values, NUM_DRIFTING) / scale;
        (void)ekb_replicate_curvatures(values, NULL, &arms);
        curvature += mean_of(values, NUM_DRIFTING) / scale;
    }

    // A slope has an error of about 5,250 / sqrt(5), a curvature of 5,250 / 2, in 40,000 slices.
    expect_near(slope, 90000.0, 4.0 * 5250.0 / sqrt(5.0) / 200.0, "slope");
    expect_near(curvature, 0.0, 4.0 * 5250.0 / 2.0 / 200.0, "curvature");
}
