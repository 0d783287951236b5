#include "ekubench/lab/component.h"

#include "support/stages.h"

#include "ekubench/lab/assemble.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define NUM_WARMUP 2
#define NUM_SLICES 26
#define NUM_MEASURED (NUM_SLICES - NUM_WARMUP)
#define PER_SLICE 100

// What is planted: of one certificate, of one handshake, of one repeat; and the timer in all.
#define TIMER_NS 30
#define PURPOSE_NS 18
#define PARSE_NS 15000
#define VERIFY_NS 290000
#define REPEAT_NS 12
#define LOOP_NS 7 // Beside the timer, of all repeats: in no difference and no slope.
// Certificates in the chain of the arm with timers.
#define NUM_CHECKED 2

static struct ekb_plan_stage plan;
static struct ekb_stage stage;
static struct ekb_record record;

static void set_up(void)
{
    struct ekb_plan whole;
    const struct ekb_plan_settings settings = {0};
    cr_assert_eq(ekb_plan_builtin(&whole, "quick", &settings), EKB_OK);
    plan = whole.stages[ekb_plan_stage_index(&whole, EKB_PLAN_STAGE_COST)];
    record = (struct ekb_record){0};
}

static void tear_down(void)
{
    ekb_stage_deinit(&stage);
    ekb_record_deinit(&record);
}

TestSuite(component, .init = set_up, .fini = tear_down, .timeout = 60);

static void plant(unsigned probe, uint32_t slice, uint64_t count, uint64_t sum)
{
    stage.server.tally->probes[probe][slice] = (struct ekb_slice_sum){.count = count, .sum = sum};
}

// plant_slice plants samples whose timer varies from slice to slice, by up to 8 ns: it is the same
// for all in a slice.
static void plant_slice(uint32_t slice)
{
    const uint64_t timer_ns = TIMER_NS + slice % 5 * 2;
    const uint64_t num_checked = NUM_CHECKED * PER_SLICE;
    plant(EKB_TALLY_PROBE_EMPTY, slice, PER_SLICE, PER_SLICE * timer_ns);
    plant(EKB_TALLY_PROBE_PURPOSE, slice, num_checked, num_checked * (timer_ns + PURPOSE_NS));
    plant(EKB_TALLY_PROBE_PARSE, slice, num_checked, num_checked * (timer_ns + PARSE_NS));
    plant(EKB_TALLY_PROBE_VERIFY, slice, PER_SLICE, PER_SLICE * (timer_ns + VERIFY_NS));
    for (unsigned i = 0; i < EKB_TALLY_NUM_REPEATS; i++) {
        // Chance gives the numbers of repeats different numbers of samples.
        const uint64_t count = PER_SLICE / 4 + (slice + i) % 3;
        plant(EKB_TALLY_PROBE_REPEATS + i, slice, count,
              count * (LOOP_NS + timer_ns + (uint64_t)ekb_tally_repeats[i] * REPEAT_NS));
    }
}

static void fill(uint32_t num_slices)
{
    stage_fixture_init(&stage, plan.num_arms, num_slices, NUM_WARMUP, 0);
    for (uint32_t slice = 0; slice < num_slices; slice++) {
        plant_slice(slice);
    }
}

// spoil plants samples out of all proportion.
static void spoil(uint32_t slice)
{
    for (unsigned probe = 0; probe < EKB_TALLY_NUM_PROBES; probe++) {
        plant(probe, slice, PER_SLICE, (probe + 1) * PER_SLICE * UINT64_C(10000000));
    }
}

static const struct ekb_record_effect *find(const char *contrast)
{
    for (size_t i = 0; i < record.num_effects; i++) {
        if (strcmp(record.effects[i].contrast, contrast) == 0) {
            return &record.effects[i];
        }
    }
    cr_assert_fail("no effect \"%s\"", contrast);
    return NULL;
}

static const struct {
    const char *contrast;
    const char *metric;
    double planted_ns;
} parts[] = {
    {EKB_CONTRAST_PURPOSE_TIMER, EKB_METRIC_PURPOSE, PURPOSE_NS},
    {EKB_CONTRAST_PURPOSE_SLOPE, EKB_METRIC_PURPOSE, REPEAT_NS},
    {EKB_CONTRAST_PARSE, EKB_METRIC_PARSE, PARSE_NS},
    {EKB_CONTRAST_VERIFY, EKB_METRIC_VERIFY, VERIFY_NS},
};
#define NUM_PARTS (sizeof parts / sizeof parts[0])

static void expect_parts(size_t n)
{
    cr_assert_eq(record.num_effects, NUM_PARTS, "%zu effects", record.num_effects);
    for (size_t i = 0; i < NUM_PARTS; i++) {
        const struct ekb_record_effect *effect = find(parts[i].contrast);
        const struct ekb_estimate *e = &effect->estimate;
        cr_expect_float_eq(e->estimate, parts[i].planted_ns, 1e-6, "%s: %f", parts[i].contrast,
                           e->estimate);
        // The timer, which all in a slice share, does not widen the interval.
        cr_expect_float_eq(e->low, parts[i].planted_ns, 1e-6, "%s: %f", parts[i].contrast, e->low);
        cr_expect_float_eq(e->high, parts[i].planted_ns, 1e-6, "%s: %f", parts[i].contrast,
                           e->high);
        cr_expect_eq(e->n, n, "%s: %zu", parts[i].contrast, e->n);
    }
}

static void add(void)
{
    cr_assert_eq(ekb_component_add(&record, &plan, &stage), EKB_OK);
}

Test(component, finds_what_was_planted_when_the_timer_is_taken_off)
{
    fill(NUM_SLICES);

    add();

    expect_parts(NUM_MEASURED);
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

Test(component, says_of_each_part_what_it_is)
{
    fill(NUM_SLICES);

    add();

    for (size_t i = 0; i < NUM_PARTS; i++) {
        const struct ekb_record_effect *effect = find(parts[i].contrast);
        cr_expect_str_eq(effect->question, EKB_EFFECT_COMPONENT);
        cr_expect_str_eq(effect->metric, parts[i].metric);
        cr_expect_str_eq(effect->stage, "cost");
        cr_expect_str_eq(effect->unit, "ns");
        cr_expect_neq(effect->method[0], '\0');
    }
}

// An average over samples, not over slices' averages, would depend on how many there are of each.
Test(component, finds_the_slope_when_a_number_of_repeats_came_by_once)
{
    fill(NUM_SLICES);
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        const uint64_t timer_ns = TIMER_NS + slice % 5 * 2;
        plant(EKB_TALLY_PROBE_REPEATS + 3, slice, 1, LOOP_NS + timer_ns + UINT64_C(64) * REPEAT_NS);
    }

    add();

    expect_parts(NUM_MEASURED);
}

Test(component, takes_the_slope_over_the_repeats_as_they_are)
{
    fill(NUM_SLICES);
    // The check costs more each time: 0, 100, 1600, 6400 over 0, 8, 32, 64.
    static const uint64_t spent_ns[EKB_TALLY_NUM_REPEATS] = {0, 100, 1600, 6400};
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        for (unsigned i = 0; i < EKB_TALLY_NUM_REPEATS; i++) {
            plant(EKB_TALLY_PROBE_REPEATS + i, slice, 10, 10 * (TIMER_NS + spent_ns[i]));
        }
    }

    add();

    // By least squares: sum of (x - 26) y over sum of (x - 26)^2.
    const double slope =
        (-18.0 * 100 + 6.0 * 1600 + 38.0 * 6400) / (26.0 * 26 + 18.0 * 18 + 6.0 * 6 + 38.0 * 38);
    cr_expect_float_eq(find(EKB_CONTRAST_PURPOSE_SLOPE)->estimate.estimate, slope, 1e-6, "%f",
                       find(EKB_CONTRAST_PURPOSE_SLOPE)->estimate.estimate);
}

Test(component, leaves_out_the_slope_of_a_slice_when_a_number_of_repeats_is_missing)
{
    fill(NUM_SLICES);
    plant(EKB_TALLY_PROBE_REPEATS + 2, 10, 0, 0);

    add();

    cr_expect_eq(find(EKB_CONTRAST_PURPOSE_SLOPE)->estimate.n, NUM_MEASURED - 1u);
    cr_expect_eq(find(EKB_CONTRAST_PURPOSE_TIMER)->estimate.n, (size_t)NUM_MEASURED);
}

Test(component, leaves_out_a_slice_when_it_warms_up_or_was_disturbed)
{
    fill(NUM_SLICES);
    spoil(0);
    spoil(NUM_WARMUP - 1);
    spoil(10);
    stage.steal_by_slice[10] = EKB_CHECK_MAX_STEAL_PERCENT + 1;
    spoil(11);
    stage.client.tally->run_delay_ns[11] = STAGE_FIXTURE_SLICE_NS / 10;

    add();

    expect_parts(NUM_MEASURED - 2);
}

// Only servers have timers.
Test(component, ignores_the_client)
{
    fill(NUM_SLICES);
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        for (unsigned probe = 0; probe < EKB_TALLY_NUM_PROBES; probe++) {
            stage.client.tally->probes[probe][slice] =
                (struct ekb_slice_sum){.count = 1, .sum = 1000000 * probe};
        }
    }

    add();

    expect_parts(NUM_MEASURED);
}

Test(component, adds_nothing_when_no_arm_has_timers)
{
    fill(NUM_SLICES);
    plan.num_arms = (size_t)ekb_plan_arm_index(&plan, EKB_PLAN_PROBE_ARM);

    add();

    cr_expect_eq(record.num_effects, 0u, "%zu", record.num_effects);
}

Test(component, adds_nothing_when_nothing_was_sampled)
{
    stage_fixture_init(&stage, plan.num_arms, NUM_SLICES, NUM_WARMUP, 0);

    add();

    cr_expect_eq(record.num_effects, 0u, "%zu", record.num_effects);
}

Test(component, adds_nothing_when_there_are_too_few_slices)
{
    fill(NUM_WARMUP + EKB_ESTIMATE_MIN_N - 1);

    add();

    cr_expect_eq(record.num_effects, 0u, "%zu", record.num_effects);
    cr_expect_eq(record.num_reasons, 0u);
}
