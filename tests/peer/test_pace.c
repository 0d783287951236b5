#include "ekubench/peer/pace.h"

#include <criterion/criterion.h>

#include <inttypes.h>

TestSuite(pace, .timeout = 10);

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
