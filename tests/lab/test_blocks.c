#include "ekubench/lab/blocks.h"

#include "support/stages.h"

#include "ekubench/base/rng.h"
#include "ekubench/lab/effects.h"
#include "ekubench/peer/sequence.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SEED 20
#define NUM_QUADRUPLES 12
#define NUM_BLOCKS (NUM_QUADRUPLES * EKB_QUADRUPLE_LEN)
#define NUM_WARMUP 2
// Three slices each, of which the first is washout.
#define BLOCK_SLICES 3
#define WASHOUT_SLICES 1
#define NUM_MEASURED (BLOCK_SLICES - WASHOUT_SLICES)

// By Little's law these are one thing: a handshake every 66.7 us, 90 of them in flight.
#define PER_SLICE 1500
#define IN_FLIGHT 90
#define WALL_NS ((double)STAGE_FIXTURE_SLICE_NS / PER_SLICE)
#define LATENCY_NS (WALL_NS * IN_FLIGHT)
#define CPU_NS 250000

static struct ekb_plan_stage plan;
static struct ekb_stage stage;
static struct ekb_record record;

static void set_up(void)
{
    struct ekb_plan whole;
    const struct ekb_plan_settings settings = {0};
    cr_assert_eq(ekb_plan_builtin(&whole, "quick", &settings), EKB_OK);
    plan = whole.stages[ekb_plan_stage_index(&whole, EKB_PLAN_STAGE_LOAD)];
    plan.block_slices = BLOCK_SLICES;
    plan.washout_slices = WASHOUT_SLICES;
    plan.slice_ns = STAGE_FIXTURE_SLICE_NS;
    plan.in_flight = IN_FLIGHT;
    record = (struct ekb_record){0};
}

static void tear_down(void)
{
    ekb_stage_deinit(&stage);
    ekb_record_deinit(&record);
}

TestSuite(blocks, .init = set_up, .fini = tear_down, .timeout = 60);

// What is true of a block; what is measured of it has some noise.
struct planted {
    double wall_ns; // Per handshake.
    double tail_ns; // The latency of one of fifty.
    double server_cpu_ns;
    double client_cpu_ns;
};

typedef void plant(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm);

static enum ekb_quadruple_arm arm_of(uint32_t block)
{
    return ekb_quadruple_make(SEED, block / EKB_QUADRUPLE_LEN).arms[block % EKB_QUADRUPLE_LEN];
}

static uint32_t first_slice(uint32_t block)
{
    return NUM_WARMUP + block * BLOCK_SLICES;
}

// noisy varies a value by at most 0.2 %.
static uint64_t noisy(struct ekb_rng *rng, double value)
{
    const double noise = (double)ekb_rng_below(rng, 4001) - 2000.0;
    return (uint64_t)(value * (1.0 + noise * 1e-6) + 0.5);
}

static void fill_slice(uint32_t slice, enum ekb_quadruple_arm arm, const struct planted *planted,
                       struct ekb_rng *rng)
{
    const double latency_ns = planted->wall_ns * IN_FLIGHT;
    const double due = (double)STAGE_FIXTURE_SLICE_NS / planted->wall_ns;
    // Acceptances come in waves: how many fall into a slice says little.
    const uint64_t count = (uint64_t)(due * (0.8 + 1e-4 * (double)ekb_rng_below(rng, 4001)) + 0.5);
    const uint64_t num_tail = (count + 49) / 50;
    const double tail_share = (double)num_tail / (double)count;
    const double body_ns = (latency_ns - tail_share * planted->tail_ns) / (1.0 - tail_share);
    stage_fixture_accept(&stage, arm, slice, count - num_tail,
                         noisy(rng, body_ns) / STAGE_FIXTURE_LATENCY);
    stage_fixture_accept(&stage, arm, slice, num_tail,
                         noisy(rng, planted->tail_ns) / STAGE_FIXTURE_LATENCY);
    stage_fixture_use_cpu(&stage.server, slice, noisy(rng, planted->server_cpu_ns * due));
    stage_fixture_use_cpu(&stage.client, slice, noisy(rng, planted->client_cpu_ns * due));
}

static void fill(uint32_t num_blocks, plant *plant_block)
{
    struct ekb_rng rng;
    ekb_rng_init(&rng, 3);
    stage_fixture_init_blocks(&stage, EKB_QUADRUPLE_NUM_ARMS, num_blocks, BLOCK_SLICES,
                              WASHOUT_SLICES, NUM_WARMUP);
    for (uint32_t block = 0; block < num_blocks; block++) {
        const enum ekb_quadruple_arm arm = arm_of(block);
        struct planted planted = {WALL_NS, LATENCY_NS, CPU_NS, 2.0 * CPU_NS};
        // In the washout there is something else.
        const struct planted before = {10.0 * WALL_NS, 10.0 * LATENCY_NS, 7.0 * CPU_NS, CPU_NS};
        plant_block(&planted, block, arm);
        fill_slice(first_slice(block), arm, &before, &rng);
        for (uint32_t i = WASHOUT_SLICES; i < BLOCK_SLICES; i++) {
            fill_slice(first_slice(block) + i, arm, &planted, &rng);
        }
    }
}

static void add(void)
{
    cr_assert_eq(ekb_blocks_add(&record, &plan, &stage, SEED), EKB_OK);
}

static const struct ekb_record_effect *find_or_null(const char *question, const char *metric)
{
    for (size_t i = 0; i < record.num_effects; i++) {
        if (strcmp(record.effects[i].question, question) == 0 &&
            strcmp(record.effects[i].metric, metric) == 0) {
            return &record.effects[i];
        }
    }
    return NULL;
}

static const struct ekb_record_effect *find(const char *question, const char *metric)
{
    const struct ekb_record_effect *effect = find_or_null(question, metric);
    cr_assert_not_null(effect, "no effect on %s of \"%s\"", metric, question);
    return effect;
}

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static const char *const metrics[] = {EKB_METRIC_WALL, EKB_METRIC_P99, EKB_METRIC_SERVER_CPU};

// expect_effect checks the estimate, its interval and the beginning of its verdict.
static void expect_effect(const char *question, const char *metric, double wanted, double tolerance,
                          const char *verdict)
{
    const struct ekb_record_effect *effect = find(question, metric);
    const struct ekb_estimate *e = &effect->estimate;
    cr_expect_lt(fabs(e->estimate - wanted), tolerance, "%s: %f, not %f", metric, e->estimate,
                 wanted);
    cr_expect(e->low - tolerance <= wanted && wanted <= e->high + tolerance,
              "%s: %f not in [%f, %f]", metric, wanted, e->low, e->high);
    cr_expect(begins_with(effect->verdict, verdict), "%s: \"%s\", not \"%s\"", metric,
              effect->verdict, verdict);
}

static void nothing(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm)
{
    (void)planted;
    (void)block;
    (void)arm;
}

// A tenth fewer handshakes a second: each takes 1/0.9 of the time.
static void a_is_worse(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm)
{
    (void)block;
    if (arm != EKB_QUADRUPLE_B) {
        planted->wall_ns /= 0.9;
        planted->tail_ns *= 1.2;
        planted->server_cpu_ns += 5000;
    }
}

// Rows.

Test(blocks, have_the_arms_of_the_seeded_order)
{
    fill(NUM_BLOCKS, nothing);

    add();

    static const char *const names[] = {"on", "on-again", "none"};
    cr_assert_eq(record.num_blocks, (size_t)NUM_BLOCKS, "%zu", record.num_blocks);
    for (uint32_t i = 0; i < NUM_BLOCKS; i++) {
        cr_expect_str_eq(record.blocks[i].stage, EKB_STAGE_LOAD);
        cr_expect_str_eq(record.blocks[i].arm, names[arm_of(i)], "%" PRIu32 ": %s", i,
                         record.blocks[i].arm);
        cr_expect_eq(record.blocks[i].quadruple, i / 4, "%" PRIu32 ": %" PRIu64, i,
                     record.blocks[i].quadruple);
        cr_expect(!record.blocks[i].disturbed, "%" PRIu32, i);
    }
}

static void by_block(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm)
{
    (void)arm;
    planted->wall_ns = WALL_NS * (1.0 + 0.1 * block);
    planted->tail_ns = 2.0 * LATENCY_NS + 1e6 * block;
    planted->server_cpu_ns = CPU_NS + 1e4 * block;
    planted->client_cpu_ns = CPU_NS + 2e4 * block;
}

static void expect_share(double value, double wanted, const char *what)
{
    cr_expect_lt(fabs(value / wanted - 1), 0.005, "%s: %f, not %f", what, value, wanted);
}

Test(blocks, have_what_was_measured_without_the_washout)
{
    fill(4, by_block);

    add();

    cr_assert_eq(record.num_blocks, 4u);
    for (uint32_t i = 0; i < 4; i++) {
        const struct ekb_record_block *block = &record.blocks[i];
        struct planted planted;
        by_block(&planted, i, arm_of(i));
        cr_expect_eq(block->measured_ns, NUM_MEASURED * STAGE_FIXTURE_SLICE_NS);
        uint64_t accepted = 0;
        for (uint32_t j = WASHOUT_SLICES; j < BLOCK_SLICES; j++) {
            accepted += stage.client.tally->completed[first_slice(i) + j];
        }
        cr_expect_eq(block->accepted, accepted);
        expect_share(block->accepted_per_s,
                     (double)accepted * 1e9 / (NUM_MEASURED * (double)STAGE_FIXTURE_SLICE_NS),
                     "rate");
        cr_assert(block->wall_ns.known);
        expect_share(block->wall_ns.value, planted.wall_ns, "wall time");
        cr_assert(block->p99_ns.known && block->server_cpu_ns.known && block->client_cpu_ns.known);
        expect_share((double)block->p99_ns.value, planted.tail_ns, "p99");
        expect_share(block->server_cpu_ns.value, planted.server_cpu_ns, "server CPU");
        expect_share(block->client_cpu_ns.value, planted.client_cpu_ns, "client CPU");
    }
}

Test(blocks, have_what_happened_beside_them_with_the_washout)
{
    fill(4, nothing);
    for (uint32_t slice = 0; slice < stage.timeline.num_slices; slice++) {
        stage.server.tally->usage[slice] = (struct ekb_tally_usage){1, 10, 100, 1000};
        stage.client.tally->usage[slice] = (struct ekb_tally_usage){2, 20, 200, 2000};
        stage.network_by_slice[slice].retransmitted_segments = 4;
        stage.network_by_slice[slice].listen_overflows = 5;
        stage.network_by_slice[slice].loss_probes = 77;
    }
    // Of the second block: mean of 3, 0, 0 and of the greater of both sides' 0, 6, 3.
    stage.steal_by_slice[first_slice(1)] = 3;
    stage.server.tally->run_delay_ns[first_slice(1) + 1] = STAGE_FIXTURE_SLICE_NS * 6 / 100;
    stage.client.tally->run_delay_ns[first_slice(1) + 1] = STAGE_FIXTURE_SLICE_NS * 2 / 100;
    stage.client.tally->run_delay_ns[first_slice(1) + 2] = STAGE_FIXTURE_SLICE_NS * 3 / 100;

    add();

    cr_assert_eq(record.num_blocks, 4u);
    for (uint32_t i = 0; i < 4; i++) {
        const struct ekb_record_block *block = &record.blocks[i];
        cr_expect_eq(block->voluntary_switches, 3u * BLOCK_SLICES);
        cr_expect_eq(block->involuntary_switches, 30u * BLOCK_SLICES);
        cr_expect_eq(block->page_faults, 3300u * BLOCK_SLICES);
        cr_expect_eq(block->retransmitted_segments, 4u * BLOCK_SLICES);
        cr_expect_eq(block->listen_overflows, 5u * BLOCK_SLICES);
        cr_expect_float_eq(block->steal_percent, i == 1 ? 1 : 0, 1e-9);
        cr_expect_float_eq(block->wait_percent, i == 1 ? 3 : 0, 1e-9);
    }
}

Test(blocks, know_the_99th_percentile_when_ten_samples_are_beyond_it)
{
    stage_fixture_init_blocks(&stage, EKB_QUADRUPLE_NUM_ARMS, 4, BLOCK_SLICES, WASHOUT_SLICES,
                              NUM_WARMUP);
    for (uint32_t block = 0; block < 4; block++) {
        stage_fixture_accept(&stage, arm_of(block), first_slice(block), 5000, 1000);
        stage_fixture_accept(&stage, arm_of(block), first_slice(block) + 1, 500, 1000);
        stage_fixture_accept(&stage, arm_of(block), first_slice(block) + 2,
                             block % 2 == 0 ? 499 : 500, 1000);
    }

    add();

    cr_expect(!record.blocks[0].p99_ns.known);
    cr_expect(record.blocks[1].p99_ns.known);
    cr_expect_eq(record.blocks[0].accepted, 999u);
    cr_expect_eq(record.blocks[1].accepted, 1000u);
}

Test(blocks, have_the_99th_percentile_of_all_their_measured_slices)
{
    fill(4, nothing);
    // Of 3,000 handshakes 45 took long: 1.5 %, and all in one slice.
    stage_fixture_accept(&stage, arm_of(2), first_slice(2) + 2, 45, (uint64_t)LATENCY_NS);

    add();

    expect_share((double)record.blocks[1].p99_ns.value, LATENCY_NS, "p99");
    expect_share((double)record.blocks[2].p99_ns.value, STAGE_FIXTURE_LATENCY * LATENCY_NS, "p99");
}

Test(blocks, know_no_cpu_time_per_handshake_when_there_was_none)
{
    stage_fixture_init_blocks(&stage, EKB_QUADRUPLE_NUM_ARMS, 4, BLOCK_SLICES, WASHOUT_SLICES,
                              NUM_WARMUP);

    add();

    cr_assert_eq(record.num_blocks, 4u);
    cr_expect(!record.blocks[0].wall_ns.known);
    cr_expect(!record.blocks[0].server_cpu_ns.known);
    cr_expect(!record.blocks[0].client_cpu_ns.known);
    cr_expect(!record.blocks[0].p99_ns.known);
    cr_expect_eq(record.blocks[0].accepted, 0u);
    cr_expect_eq(record.num_effects, 0u);
}

// One side alone is enough: the block has not been measured.
Test(blocks, end_with_the_last_one_that_was_finished_on_both_sides)
{
    struct ekb_stage_side *const sides[] = {&stage.server, &stage.client};
    for (size_t i = 0; i < 2; i++) {
        record = (struct ekb_record){0};
        fill(NUM_BLOCKS, nothing);
        stage_fixture_end(sides[i], first_slice(30) + BLOCK_SLICES - 1);

        add();

        cr_expect_eq(record.num_blocks, 30u, "%zu: %zu", i, record.num_blocks);
        cr_expect_eq(find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->estimate.n, 7u);
        cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
        tear_down();
    }
}

Test(blocks, count_as_finished_when_the_next_was_reached)
{
    fill(8, nothing);
    stage_fixture_end(&stage.server, first_slice(5));

    add();

    cr_expect_eq(record.num_blocks, 5u, "%zu", record.num_blocks);
}

// What follows is not computed from what was there before.
Test(blocks, are_added_to_those_that_are_there)
{
    fill(NUM_BLOCKS, nothing);
    add();
    ekb_stage_deinit(&stage);
    fill(NUM_BLOCKS, a_is_worse);

    add();

    cr_assert_eq(record.num_blocks, 2u * NUM_BLOCKS, "%zu", record.num_blocks);
    for (uint32_t i = 0; i < NUM_BLOCKS; i++) {
        const struct ekb_record_block *const blocks = record.blocks;
        cr_expect_str_eq(blocks[i].arm, blocks[NUM_BLOCKS + i].arm);
        cr_expect_eq(blocks[i].accepted > blocks[NUM_BLOCKS + i].accepted,
                     arm_of(i) != EKB_QUADRUPLE_B, "%" PRIu32, i);
    }
    cr_assert_eq(record.num_effects, 12u, "%zu", record.num_effects);
    // Wall time of the treatment, once without and once with a difference.
    cr_expect_float_eq(record.effects[3].estimate.estimate, 0, 0.2);
    cr_expect_float_eq(record.effects[9].estimate.estimate, 100.0 / 0.9 - 100.0, 0.2, "%f",
                       record.effects[9].estimate.estimate);
    cr_expect_eq(record.effects[9].estimate.n, (size_t)NUM_QUADRUPLES);
}

// Effects.

Test(blocks, say_of_each_effect_what_it_rests_on)
{
    static const char *const units[] = {"%", "%", "ns"};
    static const double equivalences[] = {2, 5, EKB_EFFECT_EQUIVALENCE_NS};
    fill(NUM_BLOCKS, nothing);

    add();

    cr_assert_eq(record.num_effects, 6u, "%zu", record.num_effects);
    for (size_t i = 0; i < 3; i++) {
        const struct ekb_record_effect *const treatment = find(EKB_EFFECT_LOAD, metrics[i]);
        const struct ekb_record_effect *const control = find(EKB_EFFECT_CONTROL, metrics[i]);
        cr_expect_str_eq(treatment->contrast, "on - none");
        cr_expect_str_eq(control->contrast, "on-again - on");
        cr_expect_str_eq(treatment->stage, EKB_STAGE_LOAD);
        cr_expect_str_eq(treatment->unit, units[i]);
        cr_expect_str_eq(control->unit, units[i]);
        cr_expect_eq(treatment->estimate.n, (size_t)NUM_QUADRUPLES);
        cr_expect_eq(control->estimate.n, (size_t)NUM_QUADRUPLES);
        cr_expect_float_eq(treatment->equivalence, equivalences[i], 1e-9);
        cr_expect_neq(treatment->method[0], '\0');
    }
}

Test(blocks, show_no_difference_when_there_is_none)
{
    fill(NUM_BLOCKS, nothing);

    add();

    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, 0, 0.2, "equivalent within 2");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_P99, 0, 0.3, "equivalent within 5");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, 0, 400, "equivalent within 2.00 us");
    for (size_t i = 0; i < 3; i++) {
        expect_effect(EKB_EFFECT_CONTROL, metrics[i], 0, i == 2 ? 600 : 0.3, "no detectable");
    }
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

static void b_is_worse(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm)
{
    (void)block;
    if (arm == EKB_QUADRUPLE_B) {
        planted->wall_ns /= 0.9;
        planted->tail_ns *= 1.25;
        planted->server_cpu_ns += 5000;
    }
}

Test(blocks, show_the_difference_when_a_is_worse)
{
    fill(NUM_BLOCKS, a_is_worse);

    add();

    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, 100.0 / 0.9 - 100.0, 0.2, "slower by 11");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_P99, 20, 0.4, "slower by ");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, 5000, 400, "slower by ");
    for (size_t i = 0; i < 3; i++) {
        expect_effect(EKB_EFFECT_CONTROL, metrics[i], 0, i == 2 ? 600 : 0.3, "no detectable");
    }
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

Test(blocks, show_the_difference_when_b_is_worse)
{
    fill(NUM_BLOCKS, b_is_worse);

    add();

    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, -10, 0.2, "faster by ");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_P99, -20, 0.4, "faster by ");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, -5000, 400, "faster by ");
}

// From 100 % to 160 % over the run: 3.7 % from one block of a quadruple to its last.
static void drift(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm)
{
    (void)arm;
    const double factor = 1.0 + 0.6 * block / NUM_BLOCKS;
    planted->wall_ns *= factor;
    planted->tail_ns *= factor;
    planted->server_cpu_ns *= factor;
}

static void drift_and_a_is_worse(struct planted *planted, uint32_t block,
                                 enum ekb_quadruple_arm arm)
{
    a_is_worse(planted, block, arm);
    planted->server_cpu_ns -= arm != EKB_QUADRUPLE_B ? 5000 : 0;
    drift(planted, block, arm);
    planted->server_cpu_ns += arm != EKB_QUADRUPLE_B ? 5000 : 0;
}

Test(blocks, do_not_show_a_drift_when_it_is_a_straight_line)
{
    fill(NUM_BLOCKS, drift);

    add();

    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, 0, 0.2, "equivalent within 2");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_P99, 0, 0.3, "equivalent within 5");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, 0, 500, "equivalent within 2.00 us");
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

Test(blocks, show_the_difference_when_there_is_a_drift_too)
{
    fill(NUM_BLOCKS, drift_and_a_is_worse);

    add();

    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, 100.0 / 0.9 - 100.0, 0.3, "slower by 11");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_P99, 20, 0.5, "slower by ");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, 5000, 600, "slower by ");
}

Test(blocks, leave_out_the_99th_percentile_when_it_is_not_known)
{
    fill(NUM_BLOCKS, nothing);
    // One block of the fourth quadruple has too few samples.
    stage.client.tally->latency_by_block[13].moments.count = 999;

    add();

    cr_expect_eq(find(EKB_EFFECT_LOAD, EKB_METRIC_P99)->estimate.n, NUM_QUADRUPLES - 1u);
    cr_expect_eq(find(EKB_EFFECT_CONTROL, EKB_METRIC_P99)->estimate.n, NUM_QUADRUPLES - 1u);
    cr_expect_eq(find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->estimate.n, (size_t)NUM_QUADRUPLES);
}

static void slowly(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm)
{
    (void)block;
    (void)arm;
    planted->wall_ns = WALL_NS * 4;
}

Test(blocks, say_nothing_of_the_99th_percentile_when_it_is_never_known)
{
    fill(NUM_BLOCKS, slowly);

    add();

    cr_expect_null(find_or_null(EKB_EFFECT_LOAD, EKB_METRIC_P99));
    cr_expect_null(find_or_null(EKB_EFFECT_CONTROL, EKB_METRIC_P99));
    (void)find(EKB_EFFECT_LOAD, EKB_METRIC_WALL);
    (void)find(EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU);
    cr_expect_eq(record.num_effects, 4u);
}

Test(blocks, say_nothing_when_quadruples_are_few)
{
    fill(5 * EKB_QUADRUPLE_LEN + 3, a_is_worse);

    add();

    cr_expect_eq(record.num_blocks, 23u);
    cr_expect_eq(record.num_effects, 0u, "%zu", record.num_effects);
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

Test(blocks, say_nothing_when_there_are_none)
{
    fill(0, nothing);

    add();

    cr_expect_eq(record.num_blocks, 0u);
    cr_expect_eq(record.num_effects, 0u);
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

// The control.

static void twin_is_worse(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm)
{
    a_is_worse(planted, block, arm);
    if (arm == EKB_QUADRUPLE_TWIN) {
        planted->wall_ns /= 0.95;
    }
}

Test(blocks, withhold_the_verdict_when_the_twin_differs)
{
    fill(NUM_BLOCKS, twin_is_worse);

    add();

    cr_expect(
        begins_with(find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->verdict, "withheld: the A/A control"),
        "%s", find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->verdict);
    expect_effect(EKB_EFFECT_CONTROL, EKB_METRIC_WALL, 100.0 / 0.95 - 100.0, 0.3, "slower by 5");
    // What the twin does not differ in is not withheld.
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_P99, 20, 0.4, "slower by ");
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, 5000, 400, "slower by ");
    cr_assert_eq(record.num_reasons, 1u, "%zu", record.num_reasons);
    cr_expect_not_null(strstr(record.reasons[0], "A/A control"), "%s", record.reasons[0]);
    cr_expect_not_null(strstr(record.reasons[0], EKB_METRIC_WALL), "%s", record.reasons[0]);
    cr_expect(begins_with(record.reasons[0], "load: "), "%s", record.reasons[0]);
}

static void twin_is_worse_in_cpu_and_tail(struct planted *planted, uint32_t block,
                                          enum ekb_quadruple_arm arm)
{
    (void)block;
    if (arm == EKB_QUADRUPLE_TWIN) {
        planted->server_cpu_ns += 3000;
        planted->tail_ns *= 1.1;
    }
}

Test(blocks, withhold_the_verdict_in_each_metric_in_which_the_twin_differs)
{
    fill(NUM_BLOCKS, twin_is_worse_in_cpu_and_tail);

    add();

    expect_effect(EKB_EFFECT_CONTROL, EKB_METRIC_SERVER_CPU, 3000, 600, "slower by ");
    expect_effect(EKB_EFFECT_CONTROL, EKB_METRIC_P99, 10, 0.3, "slower by ");
    cr_expect(begins_with(find(EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU)->verdict, "withheld"));
    cr_expect(begins_with(find(EKB_EFFECT_LOAD, EKB_METRIC_P99)->verdict, "withheld"));
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, 0, 0.2, "equivalent");
    cr_expect_eq(record.num_reasons, 2u, "%zu", record.num_reasons);
}

// Disturbances.

// One block of quadruple 4 is out of all proportion.
#define DISTURBED_BLOCK 18
static void one_is_disturbed(struct planted *planted, uint32_t block, enum ekb_quadruple_arm arm)
{
    a_is_worse(planted, block, arm);
    if (block == DISTURBED_BLOCK) {
        planted->wall_ns *= 10;
        planted->tail_ns *= 100;
        planted->server_cpu_ns *= 10;
    }
}

static const struct {
    const char *name;
    double steal_percent[BLOCK_SLICES];
    double server_wait_percent[BLOCK_SLICES];
    double client_wait_percent[BLOCK_SLICES];
    bool is_disturbed;
} disturbances[] = {
    {"nothing", {0}, {0}, {0}, false},
    {"steal, just not too much", {5, 5, 5}, {0}, {0}, false},
    {"steal, just too much", {5.1, 5.1, 5.1}, {0}, {0}, true},
    {"steal in the washout alone, too much on the mean", {16, 0, 0}, {0}, {0}, true},
    {"steal in one slice, not too much on the mean", {0, 14, 0}, {0}, {0}, false},
    {"the server waits", {0}, {6, 6, 6}, {0}, true},
    {"the client waits", {0}, {0}, {6, 6, 6}, true},
    {"both wait in turns, each too little by itself", {0}, {6, 0, 6}, {0, 6, 0}, true},
    {"steal and waiting, neither too much", {4, 4, 4}, {4, 4, 4}, {4, 4, 4}, false},
};

Test(blocks, leave_out_the_whole_quadruple_when_a_block_is_disturbed)
{
    for (size_t i = 0; i < sizeof disturbances / sizeof disturbances[0]; i++) {
        record = (struct ekb_record){0};
        fill(NUM_BLOCKS, disturbances[i].is_disturbed ? one_is_disturbed : a_is_worse);
        for (uint32_t j = 0; j < BLOCK_SLICES; j++) {
            const uint32_t slice = first_slice(DISTURBED_BLOCK) + j;
            const double slice_ns = (double)STAGE_FIXTURE_SLICE_NS;
            stage.steal_by_slice[slice] = disturbances[i].steal_percent[j];
            stage.server.tally->run_delay_ns[slice] =
                (uint64_t)(slice_ns / 100 * disturbances[i].server_wait_percent[j]);
            stage.client.tally->run_delay_ns[slice] =
                (uint64_t)(slice_ns / 100 * disturbances[i].client_wait_percent[j]);
        }

        add();

        const size_t n = disturbances[i].is_disturbed ? NUM_QUADRUPLES - 1 : NUM_QUADRUPLES;
        for (uint32_t block = 0; block < NUM_BLOCKS; block++) {
            cr_expect_eq(record.blocks[block].disturbed,
                         disturbances[i].is_disturbed && block == DISTURBED_BLOCK, "%s: %" PRIu32,
                         disturbances[i].name, block);
        }
        for (size_t j = 0; j < 3; j++) {
            cr_expect_eq(find(EKB_EFFECT_LOAD, metrics[j])->estimate.n, n, "%s: %zu of %s",
                         disturbances[i].name, find(EKB_EFFECT_LOAD, metrics[j])->estimate.n,
                         metrics[j]);
            cr_expect_eq(find(EKB_EFFECT_CONTROL, metrics[j])->estimate.n, n, "%s",
                         disturbances[i].name);
        }
        expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, 100.0 / 0.9 - 100.0, 0.3, "slower by 11");
        // The mean, which one value could spoil, shows that it is not there.
        const double mean = find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->bootstrap.estimate;
        cr_expect_float_eq(mean, 100.0 / 0.9 - 100.0, 0.3, "%s: %f", disturbances[i].name, mean);
        cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
        tear_down();
    }
}

static void disturb_quadruples(uint32_t num)
{
    for (uint32_t i = 0; i < num; i++) {
        // Each in another place.
        const uint32_t block = 4 * i + i % 4;
        for (uint32_t j = 0; j < BLOCK_SLICES; j++) {
            stage.steal_by_slice[first_slice(block) + j] = 50;
        }
    }
}

Test(blocks, are_not_clean_when_more_than_a_fifth_is_left_out)
{
    for (uint32_t num = 0; num <= NUM_QUADRUPLES; num++) {
        record = (struct ekb_record){0};
        fill(NUM_BLOCKS, nothing);
        disturb_quadruples(num);

        add();

        cr_expect_eq(record.num_reasons, num > 2 ? 1u : 0u, "%" PRIu32 ": %zu", num,
                     record.num_reasons);
        if (num > 2) {
            char expected[64];
            (void)snprintf(expected, sizeof expected, "disturbed %u of 12 quadruples", num);
            cr_expect_not_null(strstr(record.reasons[0], expected), "%s", record.reasons[0]);
        }
        const struct ekb_record_effect *effect = find_or_null(EKB_EFFECT_LOAD, EKB_METRIC_WALL);
        cr_expect_eq(effect != NULL, NUM_QUADRUPLES - num >= EKB_ESTIMATE_MIN_N, "%" PRIu32, num);
        tear_down();
    }
}

// All blocks of one quadruple count as one.
Test(blocks, count_quadruples_when_several_of_their_blocks_are_disturbed)
{
    fill(NUM_BLOCKS, nothing);
    for (uint32_t slice = first_slice(8); slice < first_slice(16); slice++) {
        stage.steal_by_slice[slice] = 50;
    }

    add();

    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
    cr_expect_eq(find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->estimate.n, NUM_QUADRUPLES - 2u);
}

static void slower_than_the_washout(struct planted *planted, uint32_t block,
                                    enum ekb_quadruple_arm arm)
{
    (void)arm;
    planted->wall_ns *= block < NUM_BLOCKS / 2 ? 16.6 : 17.0;
    planted->tail_ns = planted->wall_ns * IN_FLIGHT;
}

static void as_slow_as_the_washout(struct planted *planted, uint32_t block,
                                   enum ekb_quadruple_arm arm)
{
    slower_than_the_washout(planted, block, arm);
    planted->wall_ns *= 0.97;
}

// 90 in flight at 66.7 us each are 6 ms; the washout has 100.
Test(blocks, are_not_clean_when_handshakes_take_longer_than_the_washout)
{
    fill(NUM_BLOCKS, as_slow_as_the_washout);
    add();
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
    tear_down();
    record = (struct ekb_record){0};

    fill(NUM_BLOCKS, slower_than_the_washout);
    add();
    cr_assert_eq(record.num_reasons, 1u, "%zu", record.num_reasons);
    cr_expect_not_null(strstr(record.reasons[0], "longer than the washout of 100 ms"), "%s",
                       record.reasons[0]);
}

// Nothing that ended in a block began in it.
Test(blocks, are_not_clean_when_too_many_have_no_handshakes_of_their_own)
{
    for (uint32_t num = 2; num <= 3; num++) {
        record = (struct ekb_record){0};
        fill(NUM_BLOCKS, nothing);
        for (uint32_t i = 0; i < num; i++) {
            stage.client.tally->latency_by_block[4 * i + i].moments.count = 0;
        }

        add();

        cr_expect_eq(find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->estimate.n, NUM_QUADRUPLES - num);
        cr_expect_eq(record.num_reasons, num > 2 ? 1u : 0u, "%" PRIu32, num);
        if (num > 2) {
            cr_expect_not_null(strstr(record.reasons[0], "in 3 of 12 quadruples no handshake"),
                               "%s", record.reasons[0]);
        }
        tear_down();
    }
}

// Seven quadruples: enough for an interval of what is compared, not for one of the control at 99 %.
Test(blocks, have_no_verdict_when_there_can_be_no_control)
{
    fill(7 * EKB_QUADRUPLE_LEN, a_is_worse);
    add();
    cr_expect(begins_with(find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->verdict, "no verdict"), "%s",
              find(EKB_EFFECT_LOAD, EKB_METRIC_WALL)->verdict);
    tear_down();
    record = (struct ekb_record){0};

    fill(EKB_BLOCKS_MIN_QUADRUPLES * EKB_QUADRUPLE_LEN, a_is_worse);
    add();
    expect_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, 100.0 / 0.9 - 100.0, 0.3, "slower by 11");
}

// Size.

static struct ekb_plan_stage planned(void)
{
    struct ekb_plan whole;
    const struct ekb_plan_settings settings = {0};
    cr_assert_eq(ekb_plan_builtin(&whole, "standard", &settings), EKB_OK);
    return whole.stages[ekb_plan_stage_index(&whole, EKB_PLAN_STAGE_LOAD)];
}

Test(blocks, are_sized_by_the_rate)
{
    static const struct {
        double rate_per_s;
        uint32_t washout_slices; // 1.4 latencies, in slices of 100 ms.
        uint32_t block_slices;   // And 1.05.
        uint32_t num_warmup;     // Two.
        bool is_stretched;       // For the quadruples that a verdict needs.
        bool is_noted;
    } rows[] = {{3600, 8, 14, 12, false, false}, // 556 ms
                {8000, 4, 7, 5, false, false},   // 250 ms
                {2590, 11, 20, 16, true, false}, // 772 ms
                {1800, 16, 28, 23, false, true}, // 1,111 ms
                {500, 56, 98, 80, false, true}}; // 4 s
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct ekb_plan_stage before = planned();
        struct ekb_plan_stage sized = before;
        record = (struct ekb_record){0};

        ekb_blocks_size(&sized, &record, rows[i].rate_per_s);

        cr_expect_eq(sized.washout_slices, rows[i].washout_slices, "%f: %u", rows[i].rate_per_s,
                     sized.washout_slices);
        cr_expect_eq(sized.block_slices, rows[i].block_slices, "%f: %u", rows[i].rate_per_s,
                     sized.block_slices);
        cr_expect_eq(sized.num_warmup, rows[i].num_warmup, "%f: %u", rows[i].rate_per_s,
                     sized.num_warmup);
        const uint32_t num = (sized.num_slices - sized.num_warmup) / sized.block_slices / 4;
        cr_expect_eq(sized.num_slices, sized.num_warmup + num * 4 * sized.block_slices);
        cr_expect_eq(sized.num_slices > before.num_slices, rows[i].is_stretched, "%f: %u",
                     rows[i].rate_per_s, sized.num_slices);
        cr_expect_leq(sized.num_slices, before.num_slices * 6 / 5);
        cr_expect(num >= 1 && num <= 20, "%f: %u", rows[i].rate_per_s, num);
        cr_expect_eq(record.num_notes, rows[i].is_noted ? 1u : 0u, "%f: %u quadruples",
                     rows[i].rate_per_s, num);
        cr_expect_eq(num < EKB_BLOCKS_MIN_QUADRUPLES, rows[i].is_noted);
        ekb_record_deinit(&record);
    }
}

Test(blocks, keep_their_size_when_the_rate_is_not_known)
{
    const struct ekb_plan_stage before = planned();
    struct ekb_plan_stage sized = before;
    ekb_blocks_size(&sized, &record, (double)NAN);
    ekb_blocks_size(&sized, &record, 0);
    cr_expect_eq(sized.num_slices, before.num_slices);
    cr_expect_eq(sized.block_slices, before.block_slices);
}
