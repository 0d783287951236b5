#include "ekubench/lab/floors.h"

#include "support/stages.h"

#include "ekubench/lab/assemble.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>

#define NUM_ARMS 2
#define NUM_WARMUP 2
#define NUM_SLICES 26
#define PER_SLICE 10

static struct ekb_stage stage;
static struct ekb_record record;

static void tear_down(void)
{
    ekb_stage_deinit(&stage);
    ekb_record_deinit(&record);
}

TestSuite(floors, .fini = tear_down, .timeout = 60);

static void expect_near(double value, double wanted, double tolerance, const char *what)
{
    cr_expect_lt(fabs(value - wanted), tolerance, "%s is %f, not %f", what, value, wanted);
}

// add_floors makes a stage with a floor of 200 us, and assembles it.
static void add_floors(uint32_t num_slices, uint32_t floor_every)
{
    const struct ekb_record_stage label = {.name = "floor"};
    struct ekb_record_arm *arm_labels = calloc(NUM_ARMS, sizeof arm_labels[0]);
    cr_assert_not_null(arm_labels);
    stage_fixture_init(&stage, NUM_ARMS, num_slices, NUM_WARMUP, floor_every);
    for (uint32_t slice = 0; slice < num_slices; slice++) {
        if (ekb_timeline_kind(&stage.timeline, slice) == EKB_SLICE_FLOOR) {
            stage_fixture_floor(&stage, slice, 100, 200000);
        } else {
            stage_fixture_accept(&stage, 0, slice, PER_SLICE, 300000);
        }
    }
    cr_assert_eq(ekb_assemble_stage(&record, &stage, &label, arm_labels), EKB_OK);
    free(arm_labels);
}

Test(floors, gives_floors_with_their_ratio)
{
    add_floors(NUM_SLICES, 3);

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    const struct ekb_record_side_floor *const sides[] = {&record.server_floor,
                                                         &record.client_floor};
    cr_expect(record.floors_known);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(sides[i]->memory_ns.known);
        cr_expect_eq(sides[i]->memory_ns.moments.count, 800);
        expect_near(ekb_moments_mean(&sides[i]->memory_ns.moments), 200000, 1, "the floor");
        cr_assert(sides[i]->interval_known);
        expect_near(sides[i]->interval.estimate, 200000, 1, "the floor's estimate");
        cr_expect_eq(sides[i]->interval.n, 8);
        // A handshake costs 300 us in steps, and the process used 90 ms for ten of them.
        cr_assert(sides[i]->steps_over_memory.known);
        expect_near(sides[i]->steps_over_memory.value, 1.5, 1e-9, "steps over memory");
        cr_assert(sides[i]->over_memory.known);
        expect_near(sides[i]->over_memory.value, 45, 1e-9, "all over memory");
    }
}

Test(floors, gives_no_interval_when_floor_slices_are_few)
{
    add_floors(NUM_WARMUP + 15, 3);

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    cr_expect(record.server_floor.memory_ns.known);
    cr_expect(!record.server_floor.interval_known);
}

Test(floors, gives_no_floor_when_none_was_measured)
{
    add_floors(NUM_SLICES, 0);

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    cr_expect(!record.server_floor.memory_ns.known);
    cr_expect(!record.server_floor.steps_over_memory.known);
    cr_expect(!record.client_floor.memory_ns.known);
}
