#include "ekubench/lab/pilot.h"

#include "support/stages.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/effects.h"
#include "ekubench/stat/power.h"

#include <criterion/criterion.h>

#include <math.h>
#include <string.h>

// Twenty measured slices, in which the second arm's handshakes take now 10 us more and now 10 us
// less than the first's.
#define NUM_WARMUP 2
#define NUM_SLICES 22
#define STEPS_NS 300000
#define AWAY_NS 10000

static struct ekb_stage pilot;
static struct ekb_record record;
static struct ekb_plan_stage cost;

static void set_up(void)
{
    record = (struct ekb_record){0};
    cost = (struct ekb_plan_stage){.num_warmup = 4, .num_slices = 4 + 100000, .num_arms = 8};
    stage_fixture_init(&pilot, 2, NUM_SLICES, NUM_WARMUP, 0);
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        stage_fixture_accept(&pilot, 0, slice, 100, STEPS_NS);
        stage_fixture_accept(&pilot, 1, slice, 100,
                             slice % 2 == 0 ? STEPS_NS + AWAY_NS : STEPS_NS - AWAY_NS);
    }
}

static void tear_down(void)
{
    ekb_stage_deinit(&pilot);
    ekb_record_deinit(&record);
}

TestSuite(pilot, .init = set_up, .fini = tear_down, .timeout = 60);

// The spread of differences that are 10 us above and below nothing, for the cost stage's arms: they
// share a slice with seven others and not with one, and have a quarter of the handshakes.
static double spread_there(void)
{
    double values[NUM_SLICES - NUM_WARMUP];
    double spread = 0;
    for (size_t i = 0; i < NUM_SLICES - NUM_WARMUP; i++) {
        values[i] = i % 2 == 0 ? AWAY_NS : -AWAY_NS;
    }
    cr_assert_eq(ekb_power_spread(&spread, values, NUM_SLICES - NUM_WARMUP), EKB_OK);
    return spread * sqrt(8.0 / 2.0);
}

Test(pilot, gives_the_cost_stage_what_finds_the_difference)
{
    const uint64_t wanted = ekb_power_replicates(spread_there(), 2000, EKB_EFFECT_EKU_FAMILY);
    cr_assert(wanted > 1000 && wanted < 100000, "%llu", (unsigned long long)wanted);

    cr_assert_eq(ekb_pilot_choose(&cost, &record, &pilot, 2000), EKB_OK);

    cr_expect_eq(cost.num_slices, 4 + wanted, "%u", cost.num_slices);
    cr_assert_eq(record.num_notes, 1u);
    cr_expect_not_null(strstr(record.notes[0], "2.00 us were wished for"), "%s", record.notes[0]);
}

Test(pilot, takes_no_more_than_there_is)
{
    cost.num_slices = 4 + 140;

    cr_assert_eq(ekb_pilot_choose(&cost, &record, &pilot, 500), EKB_OK);

    cr_expect_eq(cost.num_slices, 4u + 140u);
    cr_expect_eq(record.num_notes, 1u);
}

Test(pilot, takes_no_less_than_is_of_use)
{
    cr_assert_eq(ekb_pilot_choose(&cost, &record, &pilot, 10 * EKB_NS_PER_MS), EKB_OK);

    cr_expect_eq(cost.num_slices, 4u + EKB_PILOT_MIN_SLICES);
}

Test(pilot, leaves_the_plan_alone_when_it_was_disturbed)
{
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        pilot.steal_by_slice[slice] = 50;
    }

    cr_assert_eq(ekb_pilot_choose(&cost, &record, &pilot, 2000), EKB_OK);

    cr_expect_eq(cost.num_slices, 4u + 100000u);
    cr_expect_eq(record.num_notes, 0u);
}
