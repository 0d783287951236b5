#include "ekubench/peer/pace.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

TestSuite(pace, .timeout = 10);
TestSuite(arrivals, .timeout = 20);

#define MS UINT64_C(1000000)

Test(pace, a_ramp_lets_one_more_start_at_equal_distances)
{
    for (uint64_t i = 0; i < 1000; i++) {
        cr_expect_eq(ekb_pace_ramp(1000, 1000 * MS, i * MS), i + 1, "%" PRIu64, i);
        cr_expect_eq(ekb_pace_ramp(1000, 1000 * MS, i * MS + MS - 1), i + 1, "%" PRIu64, i);
    }
    cr_expect_eq(ekb_pace_ramp(1000, 1000 * MS, 1000 * MS), 1000u);
    cr_expect_eq(ekb_pace_ramp(1000, 1000 * MS, UINT64_MAX), 1000u);
}

Test(pace, a_ramp_tells_when_the_next_may_start)
{
    for (uint64_t i = 0; i < 999; i++) {
        cr_expect_eq(ekb_pace_ramp_next_ns(1000, 1000 * MS, i * MS), (i + 1) * MS);
        cr_expect_eq(ekb_pace_ramp_next_ns(1000, 1000 * MS, i * MS + MS - 1), (i + 1) * MS);
    }
    cr_expect_eq(ekb_pace_ramp_next_ns(1000, 1000 * MS, 999 * MS), UINT64_MAX);
    cr_expect_eq(ekb_pace_ramp_next_ns(1000, 1000 * MS, UINT64_MAX), UINT64_MAX);
}

// What is told is true: at that time more may start, and one nanosecond before not yet.
Test(pace, a_ramp_that_is_not_a_multiple_keeps_its_word)
{
    const uint32_t in_flight = 7;
    const uint64_t ramp_ns = 1000;
    uint64_t at_ns = 0;
    for (uint32_t allowed = 1; allowed < in_flight; allowed++) {
        cr_expect_eq(ekb_pace_ramp(in_flight, ramp_ns, at_ns), allowed);
        at_ns = ekb_pace_ramp_next_ns(in_flight, ramp_ns, at_ns);
        cr_expect_eq(ekb_pace_ramp(in_flight, ramp_ns, at_ns - 1), allowed);
    }
    cr_expect_eq(ekb_pace_ramp(in_flight, ramp_ns, at_ns), in_flight);
    cr_expect_leq(at_ns, ramp_ns);
}

Test(pace, without_a_ramp_all_may_start_at_once)
{
    cr_expect_eq(ekb_pace_ramp(2000, 0, 0), 2000u);
    cr_expect_eq(ekb_pace_ramp_next_ns(2000, 0, 0), UINT64_MAX);
}

// Shorter than a nanosecond for each.
Test(pace, a_ramp_too_steep_for_the_clock_is_none)
{
    cr_expect_eq(ekb_pace_ramp(2000, 1999, 0), 2000u);
    cr_expect_eq(ekb_pace_ramp_next_ns(2000, 1999, 0), UINT64_MAX);
}

Test(pace, of_nothing_is_nothing)
{
    cr_expect_eq(ekb_pace_ramp(0, 1000, 10), 0u);
    cr_expect_eq(ekb_pace_ramp_next_ns(0, 1000, 10), UINT64_MAX);
}

// Arrivals.

#define S UINT64_C(1000000000)

static const struct ekb_pace_share whole = {0, 1};

static struct ekb_arrivals start(const struct ekb_pace_stretch *stretches, size_t num_stretches,
                                 enum ekb_arrivals_kind kind, uint64_t seed)
{
    struct ekb_arrivals arrivals;
    ekb_arrivals_init(&arrivals, stretches, num_stretches, kind, &whole, seed);
    return arrivals;
}

Test(arrivals, come_at_equal_distances_when_fixed)
{
    const struct ekb_pace_stretch stretch = {10 * S, 2000, 2000};
    struct ekb_arrivals arrivals = start(&stretch, 1, EKB_ARRIVALS_FIXED, 1);
    for (uint64_t i = 1; i <= 40000; i++) { // Beyond the stretch, at the same rate.
        const uint64_t at_ns = ekb_arrivals_next_ns(&arrivals);
        cr_assert_lt(llabs((long long)(at_ns - i * 500000)), 2, "%" PRIu64 ": %" PRIu64, i, at_ns);
    }
}

// A rate that is no whole number of nanoseconds does not drift.
Test(arrivals, keep_their_rate_in_the_long_run)
{
    const struct ekb_pace_stretch stretch = {S, 3333.3, 3333.3};
    struct ekb_arrivals arrivals = start(&stretch, 1, EKB_ARRIVALS_FIXED, 1);
    uint64_t at_ns = 0;
    for (uint64_t i = 0; i < 3333300; i++) {
        at_ns = ekb_arrivals_next_ns(&arrivals);
    }
    cr_expect_lt(llabs((long long)(at_ns - 1000 * S)), 1000, "%" PRIu64, at_ns);
}

static uint64_t count_until(struct ekb_arrivals *arrivals, uint64_t end_ns, uint64_t *out_next_ns)
{
    uint64_t count = 0;
    while ((*out_next_ns = ekb_arrivals_next_ns(arrivals)) < end_ns) {
        count++;
    }
    return count;
}

// Variance of a Poisson count is its mean; of 200 counts of 500, five deviations of the sum are
// 1,581, and the variance of a count has a deviation of 10 %.
Test(arrivals, are_as_many_as_expected_with_poissons_spread)
{
    const struct ekb_pace_stretch stretch = {S, 1000, 1000};
    double sum = 0;
    double squares = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct ekb_arrivals arrivals = start(&stretch, 1, EKB_ARRIVALS_POISSON, seed);
        uint64_t next_ns = 0;
        const double count = (double)count_until(&arrivals, S / 2, &next_ns);
        sum += count;
        squares += (count - 500) * (count - 500);
    }
    cr_expect_lt(fabs(sum - 100000), 1581, "%f", sum);
    cr_expect(squares / 200 > 300 && squares / 200 < 750, "%f", squares / 200);
}

// Kolmogorov-Smirnov against the exponential distribution; 1.95 is passed once in a thousand.
Test(arrivals, have_exponential_distances_when_poisson)
{
    enum {
        NUM = 20000
    };
    static double gaps[NUM];
    const struct ekb_pace_stretch stretch = {S, 5000, 5000};
    struct ekb_arrivals arrivals = start(&stretch, 1, EKB_ARRIVALS_POISSON, 7);
    uint64_t before_ns = 0;
    for (size_t i = 0; i < NUM; i++) {
        const uint64_t at_ns = ekb_arrivals_next_ns(&arrivals);
        cr_assert_geq(at_ns, before_ns);
        gaps[i] = 1.0 - exp(-(double)(at_ns - before_ns) * 5000 / 1e9);
        before_ns = at_ns;
    }
    static unsigned bins[100];
    double worst = 0;
    double cumulated = 0;
    for (size_t i = 0; i < NUM; i++) {
        const double place = gaps[i] * 100;
        bins[place < 99 ? (size_t)place : 99]++;
    }
    for (size_t i = 0; i < 100; i++) {
        cumulated += bins[i];
        worst = fmax(worst, fabs(cumulated / NUM - (double)(i + 1) / 100));
    }
    cr_expect_lt(worst * sqrt(NUM), 1.95, "%f", worst * sqrt(NUM));
}

Test(arrivals, are_the_same_when_the_seed_is)
{
    const struct ekb_pace_stretch stretch = {S, 5000, 5000};
    struct ekb_arrivals a = start(&stretch, 1, EKB_ARRIVALS_POISSON, 7);
    struct ekb_arrivals b = start(&stretch, 1, EKB_ARRIVALS_POISSON, 7);
    struct ekb_arrivals c = start(&stretch, 1, EKB_ARRIVALS_POISSON, 8);
    unsigned num_different = 0;
    for (size_t i = 0; i < 1000; i++) {
        const uint64_t at_ns = ekb_arrivals_next_ns(&a);
        cr_assert_eq(at_ns, ekb_arrivals_next_ns(&b));
        num_different += at_ns != ekb_arrivals_next_ns(&c) ? 1 : 0;
    }
    cr_expect_gt(num_different, 990u);
}

// 100/s for a second, then up to 300/s in two, a second of nothing, and 50/s for ever.
static const struct ekb_pace_stretch steps[] = {
    {S, 100, 100}, {2 * S, 100, 300}, {S, 0, 0}, {S, 50, 50}};

Test(arrivals, follow_the_rate_when_it_changes)
{
    static const struct {
        uint64_t until_ns;
        double expected;
    } rows[] = {{S / 2, 50},  {S, 100},     {2 * S, 250}, {3 * S, 500},
                {4 * S, 500}, {5 * S, 550}, {7 * S, 650}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ekb_arrivals fixed = start(steps, 4, EKB_ARRIVALS_FIXED, 1);
        uint64_t next_ns = 0;
        const double counted = (double)count_until(&fixed, rows[i].until_ns, &next_ns);
        cr_expect_lt(fabs(counted - rows[i].expected), 1.01, "until %" PRIu64 ": %f, not %f",
                     rows[i].until_ns, counted, rows[i].expected);
        cr_expect_float_eq(ekb_pace_expected(steps, 4, rows[i].until_ns), rows[i].expected, 1e-6);

        double sum = 0;
        for (uint64_t seed = 0; seed < 100; seed++) {
            struct ekb_arrivals poisson = start(steps, 4, EKB_ARRIVALS_POISSON, seed);
            sum += (double)count_until(&poisson, rows[i].until_ns, &next_ns);
        }
        cr_expect_lt(fabs(sum / 100 - rows[i].expected), 5 * sqrt(rows[i].expected / 100),
                     "until %" PRIu64 ": %f, not %f", rows[i].until_ns, sum / 100,
                     rows[i].expected);
    }
}

Test(arrivals, never_go_back_and_leave_the_silence_silent)
{
    for (unsigned kind = 0; kind < EKB_ARRIVALS_NUM_KINDS; kind++) {
        struct ekb_arrivals arrivals = start(steps, 4, (enum ekb_arrivals_kind)kind, 3);
        uint64_t before_ns = 0;
        for (size_t i = 0; i < 1000; i++) {
            const uint64_t at_ns = ekb_arrivals_next_ns(&arrivals);
            cr_assert_geq(at_ns, before_ns);
            cr_expect(at_ns <= 3 * S || at_ns > 4 * S, "%s: %" PRIu64,
                      ekb_arrivals_kind_name((enum ekb_arrivals_kind)kind), at_ns);
            before_ns = at_ns;
        }
    }
}

Test(arrivals, end_when_the_rate_falls_to_nothing)
{
    static const struct ekb_pace_stretch falling[] = {{2 * S, 1000, 0}};
    struct ekb_arrivals arrivals = start(falling, 1, EKB_ARRIVALS_FIXED, 1);
    uint64_t next_ns = 0;
    const uint64_t count = count_until(&arrivals, UINT64_MAX, &next_ns);
    cr_expect(count == 999 || count == 1000, "%" PRIu64, count);
    cr_expect_eq(ekb_arrivals_next_ns(&arrivals), UINT64_MAX);
}

static int by_time(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

// Three workers together are one.
Test(arrivals, of_several_workers_are_those_of_one)
{
    enum {
        EACH = 200,
        WORKERS = 3
    };
    static uint64_t times[EACH * WORKERS];
    struct ekb_arrivals one = start(steps, 4, EKB_ARRIVALS_FIXED, 1);
    for (uint32_t w = 0; w < WORKERS; w++) {
        struct ekb_arrivals part;
        const struct ekb_pace_share share = {w, WORKERS};
        ekb_arrivals_init(&part, steps, 4, EKB_ARRIVALS_FIXED, &share, 1);
        for (size_t i = 0; i < EACH; i++) {
            times[w * EACH + i] = ekb_arrivals_next_ns(&part);
        }
    }
    qsort(times, EACH * WORKERS, sizeof times[0], by_time);
    for (size_t i = 0; i < EACH * WORKERS; i++) {
        const uint64_t at_ns = ekb_arrivals_next_ns(&one);
        cr_expect_lt(llabs((long long)(times[i] - at_ns)), 1000, "%zu: %" PRIu64 ", not %" PRIu64,
                     i, times[i], at_ns);
    }
}

Test(arrivals, of_several_workers_are_independent_when_poisson)
{
    struct ekb_arrivals parts[2];
    unsigned num_equal = 0;
    const struct ekb_pace_stretch stretch = {S, 2000, 2000};
    for (uint32_t w = 0; w < 2; w++) {
        const struct ekb_pace_share share = {w, 2};
        ekb_arrivals_init(&parts[w], &stretch, 1, EKB_ARRIVALS_POISSON, &share, 1);
    }
    uint64_t last_ns[2] = {0};
    for (size_t i = 0; i < 10000; i++) {
        last_ns[0] = ekb_arrivals_next_ns(&parts[0]);
        last_ns[1] = ekb_arrivals_next_ns(&parts[1]);
        num_equal += last_ns[0] == last_ns[1] ? 1 : 0;
    }
    cr_expect_lt(num_equal, 3u);
    // Half the rate each: 10,000 at 1,000/s.
    for (size_t w = 0; w < 2; w++) {
        cr_expect_lt(fabs((double)last_ns[w] / 1e9 - 10), 0.5, "%" PRIu64, last_ns[w]);
    }
}
