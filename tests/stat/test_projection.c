#include "ekubench/stat/projection.h"

#include <criterion/criterion.h>

static const struct ekb_projection_costs costs = {300000, 100000, 150000};

Test(projection, means_over_the_mix)
{
    static const struct {
        struct ekb_projection_mix mix;
        double mean_ns;
    } rows[] = {{{0, 0}, 300000},   {{1, 0}, 100000},    {{0, 1}, 150000},
                {{0.3, 0}, 240000}, {{0, 0.05}, 292500}, {{0.3, 0.05}, 235500}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_float_eq(ekb_projection_mean_ns(&costs, &rows[i].mix), rows[i].mean_ns, 1e-6,
                           "%zu", i);
    }
}

// 2,000/s of 300 us each are 60 % of a core.
Test(projection, knows_the_utilisation_law)
{
    cr_expect_float_eq(ekb_projection_utilisation(2000, 300000, 1), 0.6, 1e-12);
    cr_expect_float_eq(ekb_projection_utilisation(2000, 300000, 4), 0.15, 1e-12);
}

Test(projection, needs_whole_cores_and_machines)
{
    // 50,000/s x 300 us = 15 cores busy, at 60 %: 25.
    cr_expect_float_eq(ekb_projection_cores(50000, 300000, 0.6), 25, 1e-9);
    cr_expect_float_eq(ekb_projection_cores(50001, 300000, 0.6), 26, 1e-9);
    cr_expect_float_eq(ekb_projection_cores(1, 300000, 0.6), 1, 1e-9);
    cr_expect_float_eq(ekb_projection_cores(1, 300000, 0), 0, 1e-9);
    // Clocks disagree by a little: a core is never more than busy.
    cr_expect_float_eq(ekb_projection_cores(50000, 300000, 1.004), 15, 1e-9);
    cr_expect_float_eq(ekb_projection_machines(50000, 2500), 20, 1e-9);
    cr_expect_float_eq(ekb_projection_machines(50000, 2499), 21, 1e-9);
    cr_expect_float_eq(ekb_projection_machines(50000, 0), 0, 1e-9);
}

Test(projection, tells_what_is_left)
{
    cr_expect_float_eq(ekb_projection_headroom(1500, 2000), 0.25, 1e-12);
    cr_expect_float_eq(ekb_projection_headroom(3000, 2000), -0.5, 1e-12);
}

// At that share the accepted ones are half of what they were, with the same CPU time in all.
Test(projection, tells_which_storm_of_rejects_takes_half)
{
    const double f = ekb_projection_reject_share(&costs);
    const double mean_ns = ekb_projection_mean_ns(&costs, &(struct ekb_projection_mix){0, f});
    const double accepted_before = 1e9 / costs.full_ns;
    const double accepted_now = (1 - f) * 1e9 / mean_ns;
    cr_expect_float_eq(f, 2.0 / 3.0, 1e-12);
    cr_expect_float_eq(accepted_now / accepted_before, 0.5, 1e-12);
}
