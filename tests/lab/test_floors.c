#include "ekubench/lab/floors.h"

#include "support/stages.h"

#include "ekubench/lab/assemble.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdbool.h>
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

// The engine tax: slices of three kinds in turn.

#define TURN 3
#define NUM_TURNS 8
#define PER_TCP_SLICE 40
#define MEMORY_NS 200000.0
#define TCP_NS 40000.0

// What a handshake over the loop costs each side, all CPU time counted: 25 % and 50 % over the sum
// of the two others.
static const double measured_ns[] = {300000.0, 360000.0};
static const double taxes_percent[] = {25.0, 50.0};

// scale_of is how slow the machine is in a turn: all kinds alike.
static double scale_of(uint32_t slice)
{
    return 1.0 + 0.1 * (slice / TURN % 4);
}

// fill_tax plants what each kind of slice costs.
static void fill_tax(uint32_t num_turns, bool tcp_floor)
{
    struct ekb_stage_side *const sides[] = {&stage.server, &stage.client};
    record = (struct ekb_record){0};
    stage_fixture_init(&stage, NUM_ARMS, NUM_WARMUP + num_turns * TURN, NUM_WARMUP, TURN);
    stage.timeline.tcp_floor = tcp_floor;
    for (uint32_t slice = 0; slice < stage.timeline.num_slices; slice++) {
        const double scale = slice < NUM_WARMUP ? 7.0 : scale_of(slice - NUM_WARMUP);
        const enum ekb_slice_kind kind = ekb_timeline_kind(&stage.timeline, slice);
        const uint64_t count = kind == EKB_SLICE_TCP ? PER_TCP_SLICE : PER_SLICE;
        if (kind == EKB_SLICE_FLOOR) {
            stage_fixture_floor(&stage, slice, 100, (uint64_t)(MEMORY_NS * scale));
            // What the process spends in it beside the handshakes does not matter.
            stage_fixture_use_cpu(&stage.server, slice, 77000000);
            continue;
        }
        stage_fixture_accept(&stage, kind == EKB_SLICE_TCP ? 1 : 0, slice, count, 1000);
        for (size_t i = 0; i < 2; i++) {
            const double cost_ns = kind == EKB_SLICE_TCP ? TCP_NS : measured_ns[i];
            stage_fixture_use_cpu(sides[i], slice, (uint64_t)(cost_ns * scale * (double)count));
        }
    }
}

static const struct ekb_record_side_floor *floor_of(size_t side)
{
    return side == 0 ? &record.server_floor : &record.client_floor;
}

// expect_tax checks both sides; the mean of the scales of the turns is `scale`.
static void expect_tax(size_t num_turns, double scale)
{
    for (size_t i = 0; i < 2; i++) {
        const struct ekb_record_side_floor *const floor = floor_of(i);
        cr_assert(floor->interval_known && floor->tcp_known && floor->measured_known &&
                      floor->tax_known,
                  "side %zu", i);
        expect_near(floor->interval.estimate, MEMORY_NS * scale, 1, "memory");
        expect_near(floor->tcp.estimate, TCP_NS * scale, 1, "TCP");
        expect_near(floor->measured.estimate, measured_ns[i] * scale, 1, "measured");
        expect_near(floor->tax_percent.estimate, taxes_percent[i], 0.01, "the tax");
        expect_near(floor->over_memory.value, measured_ns[i] / MEMORY_NS, 0.001, "over memory");
        cr_expect_eq(floor->tax_percent.n, num_turns, "side %zu: %zu", i, floor->tax_percent.n);
        cr_expect_eq(floor->tcp.n, num_turns, "side %zu: %zu", i, floor->tcp.n);
        cr_expect_eq(floor->measured.n, num_turns, "side %zu: %zu", i, floor->measured.n);
    }
}

Test(floors, gives_the_tax_of_each_side_when_all_kinds_are_there)
{
    fill_tax(NUM_TURNS, true);

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    expect_tax(NUM_TURNS, 1.15);
}

// Costs go up and down by 30 % from turn to turn, the tax does not.
Test(floors, compares_turn_by_turn_when_the_machine_changes_its_speed)
{
    fill_tax(NUM_TURNS, true);

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    for (size_t i = 0; i < 2; i++) {
        const struct ekb_record_side_floor *const floor = floor_of(i);
        cr_expect_gt(floor->measured.high - floor->measured.low, 10000, "costs vary");
        expect_near(floor->tax_percent.low, taxes_percent[i], 0.01, "low");
        expect_near(floor->tax_percent.high, taxes_percent[i], 0.01, "high");
    }
}

Test(floors, has_the_planted_tax_in_its_interval_when_there_is_noise)
{
    static const int noise_percent[NUM_TURNS] = {3, -1, 2, -3, 0, 1, -2, 4};
    fill_tax(NUM_TURNS, true);
    for (uint32_t turn = 0; turn < NUM_TURNS; turn++) {
        const uint32_t slice = NUM_WARMUP + turn * TURN;
        const double cost_ns = measured_ns[0] * scale_of(turn * TURN) * PER_SLICE;
        stage_fixture_use_cpu(&stage.server, slice,
                              (uint64_t)(cost_ns * (100 + noise_percent[turn]) / 100));
    }

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    const struct ekb_estimate *tax = &record.server_floor.tax_percent;
    cr_expect(tax->low < 25 && 25 < tax->high, "[%f, %f]", tax->low, tax->high);
    cr_expect_gt(tax->high - tax->low, 2, "[%f, %f]", tax->low, tax->high);
    cr_expect_lt(tax->high - tax->low, 10, "[%f, %f]", tax->low, tax->high);
    expect_near(record.client_floor.tax_percent.high, 50, 0.01, "the client's");
}

Test(floors, leaves_out_a_turn_when_one_of_its_slices_was_disturbed)
{
    // One of each kind, in turns of different speed.
    static const uint32_t slices[] = {NUM_WARMUP + 1 * TURN, NUM_WARMUP + 2 * TURN + 1,
                                      NUM_WARMUP + 3 * TURN + 2};
    for (size_t i = 0; i < 3; i++) {
        fill_tax(NUM_TURNS, true);
        stage.steal_by_slice[slices[i]] = 50;
        stage_fixture_use_cpu(&stage.server, slices[i], 999000000);
        stage.server.tally->floor_by_slice[slices[i]].sum *= 10;

        cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

        cr_assert(record.server_floor.tax_known && record.client_floor.tax_known);
        cr_expect_eq(record.server_floor.tax_percent.n, NUM_TURNS - 1u, "%zu: %zu", i,
                     record.server_floor.tax_percent.n);
        expect_near(record.server_floor.tax_percent.high, 25, 0.01, "the server's");
        expect_near(record.client_floor.tax_percent.low, 50, 0.01, "the client's");
        tear_down();
    }
}

Test(floors, does_not_count_a_slice_when_it_was_not_reached)
{
    fill_tax(NUM_TURNS, true);
    // The last turn's TCP slice was begun and not ended.
    stage_fixture_end(&stage.server, NUM_WARMUP + 7 * TURN + 1);
    stage.server.tally->floor_by_slice[NUM_WARMUP + 7 * TURN + 2] = (struct ekb_slice_sum){0};

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    cr_assert(record.server_floor.tax_known);
    cr_expect_eq(record.server_floor.tax_percent.n, NUM_TURNS - 1u, "%zu",
                 record.server_floor.tax_percent.n);
    expect_near(record.server_floor.tax_percent.high, 25, 0.01, "the tax");
    cr_expect_eq(record.server_floor.tcp.n, NUM_TURNS - 1u);
    cr_expect_eq(record.server_floor.measured.n, (size_t)NUM_TURNS);
}

Test(floors, knows_no_tax_when_there_are_no_tcp_slices)
{
    fill_tax(NUM_TURNS, false);

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    for (size_t i = 0; i < 2; i++) {
        cr_expect(!floor_of(i)->tcp_known);
        cr_expect(!floor_of(i)->tax_known);
        cr_expect(floor_of(i)->measured_known);
        cr_expect(floor_of(i)->interval_known);
        expect_near(floor_of(i)->over_memory.value, measured_ns[i] / MEMORY_NS, 0.001,
                    "over memory");
    }
}

static void clear_kind(enum ekb_slice_kind kind)
{
    struct ekb_tally *const tallies[] = {stage.server.tally, stage.client.tally};
    for (uint32_t slice = 0; slice < stage.timeline.num_slices; slice++) {
        if (ekb_timeline_kind(&stage.timeline, slice) == kind) {
            for (size_t i = 0; i < 2; i++) {
                tallies[i]->completed[slice] = 0;
                tallies[i]->floor_by_slice[slice] = (struct ekb_slice_sum){0};
            }
        }
    }
}

Test(floors, knows_no_tax_when_nothing_was_completed_in_slices_of_a_kind)
{
    static const enum ekb_slice_kind kinds[] = {EKB_SLICE_MEASURED, EKB_SLICE_TCP, EKB_SLICE_FLOOR};
    for (size_t i = 0; i < 3; i++) {
        fill_tax(NUM_TURNS, true);
        clear_kind(kinds[i]);

        cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

        for (size_t side = 0; side < 2; side++) {
            const struct ekb_record_side_floor *const floor = floor_of(side);
            cr_expect(!floor->tax_known, "%zu", i);
            cr_expect_eq(floor->measured_known, kinds[i] != EKB_SLICE_MEASURED, "%zu", i);
            cr_expect_eq(floor->tcp_known, kinds[i] != EKB_SLICE_TCP, "%zu", i);
            cr_expect_eq(floor->interval_known, kinds[i] != EKB_SLICE_FLOOR, "%zu", i);
            cr_expect_eq(floor->over_memory.known, kinds[i] == EKB_SLICE_TCP, "%zu", i);
        }
        tear_down();
    }
}

Test(floors, knows_no_tax_when_turns_are_few)
{
    fill_tax(EKB_ESTIMATE_MIN_N - 1, true);

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    cr_expect(!record.server_floor.tax_known);
    cr_expect(!record.server_floor.tcp_known);
    cr_expect(record.server_floor.memory_ns.known);
}

Test(floors, leaves_out_the_turn_that_is_cut_short)
{
    fill_tax(NUM_TURNS, true);
    // The last floor slice is gone: of the last turn there are a measured slice and a TCP slice.
    stage.timeline.num_slices--;

    cr_assert_eq(ekb_floors_add(&record, &stage), EKB_OK);

    cr_assert(record.server_floor.tax_known);
    cr_expect_eq(record.server_floor.tax_percent.n, NUM_TURNS - 1u);
    cr_expect_eq(record.server_floor.tcp.n, (size_t)NUM_TURNS);
    expect_near(record.server_floor.tax_percent.estimate, 25, 0.01, "the tax");
}
