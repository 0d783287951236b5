#include "ekubench/lab/effects.h"

#include "support/stages.h"

#include "ekubench/lab/assemble.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUM_WARMUP 2
#define NUM_SLICES 26
#define NUM_MEASURED (NUM_SLICES - NUM_WARMUP)
#define PER_SLICE 10
#define BASE_NS UINT64_C(100000)

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

TestSuite(effects, .init = set_up, .fini = tear_down, .timeout = 60);

// The cost of `arm` in `slice` by default: all arms alike, but for noise of 200 ns that all share
// and of 10 ns of their own, whose mean over two slices is nothing.
static uint64_t default_cost(size_t arm, uint32_t slice)
{
    return BASE_NS + (slice % 5) * 200 + (arm % 2 == 0 ? slice % 2 * 10 : 10 - slice % 2 * 10);
}

// What an arm costs beyond the others in a slice.
typedef uint64_t extra_cost(const char *arm_name, uint32_t slice);

static void fill(uint32_t num_slices, extra_cost *extra)
{
    stage_fixture_init(&stage, plan.num_arms, num_slices, NUM_WARMUP, 0);
    for (size_t arm = 0; arm < plan.num_arms; arm++) {
        for (uint32_t slice = 0; slice < num_slices; slice++) {
            stage_fixture_accept(&stage, arm, slice, PER_SLICE,
                                 default_cost(arm, slice) + extra(plan.arms[arm].name, slice));
        }
    }
}

static const struct ekb_record_effect *find_of(const char *metric, const char *question,
                                               const char *contrast)
{
    for (size_t i = 0; i < record.num_effects; i++) {
        if (strcmp(record.effects[i].contrast, contrast) == 0 &&
            strcmp(record.effects[i].metric, metric) == 0 &&
            strcmp(record.effects[i].question, question) == 0) {
            return &record.effects[i];
        }
    }
    cr_assert_fail("no effect %s", contrast);
    return NULL;
}

static const struct ekb_record_effect *find(const char *question, const char *contrast)
{
    const char *metric = strcmp(contrast, "server's chain: per certificate, depth 1 to 5") == 0
                             ? EKB_METRIC_CLIENT_CPU
                             : EKB_METRIC_SERVER_CPU;
    return find_of(metric, question, contrast);
}

static bool is(const char *name, const char *wanted)
{
    return strcmp(name, wanted) == 0;
}

static uint64_t nothing(const char *arm_name, uint32_t slice)
{
    (void)arm_name;
    (void)slice;
    return 0;
}

static uint64_t thousand_at_on_d1(const char *arm_name, uint32_t slice)
{
    (void)slice;
    return is(arm_name, "on-d1") || is(arm_name, "on-d1-again") ? 1000 : 0;
}

static uint64_t thousand_at_control(const char *arm_name, uint32_t slice)
{
    (void)slice;
    return is(arm_name, "on-d1-again") ? 1000 : 0;
}

static uint64_t drift_of_all_and_500_at_on_d2(const char *arm_name, uint32_t slice)
{
    return (slice % 2) * BASE_NS + (is(arm_name, "on-d2") ? 500 : 0);
}

static uint64_t by_depth(const char *arm_name, uint32_t slice)
{
    (void)slice;
    return 75000 * plan.arms[ekb_plan_arm_index(&plan, arm_name)].depth;
}

static uint64_t huge_in_slice_10(const char *arm_name, uint32_t slice)
{
    return slice == 10 && is(arm_name, "on-d2") ? 50000000 : 0;
}

static uint64_t huge_in_warmup(const char *arm_name, uint32_t slice)
{
    return slice < NUM_WARMUP && is(arm_name, "on-d2") ? 50000000 : 0;
}

static void expect_near(double value, double wanted, double tolerance, const char *what)
{
    cr_expect_lt(fabs(value - wanted), tolerance, "%s is %f, not %f", what, value, wanted);
}

Test(effects, answers_every_question_when_all_arms_are_there)
{
    fill(NUM_SLICES, nothing);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    cr_expect_eq(record.num_effects, 50, "%zu effects", record.num_effects);
    (void)find(EKB_EFFECT_CONTROL, "on-d1-again - on-d1");
    (void)find(EKB_EFFECT_EKU, "on-d1 - none-d1");
    (void)find(EKB_EFFECT_EKU, "off-d1 - none-d1");
    (void)find(EKB_EFFECT_EKU, "on-d1 - off-d1");
    (void)find(EKB_EFFECT_EKU, "on-d5 - none-d5");
    (void)find(EKB_EFFECT_LADDER, "parse-d1 - one-way");
    (void)find(EKB_EFFECT_LADDER, "none-d1 - parse-d1");
    (void)find(EKB_EFFECT_LADDER, "off-d1 - none-d1");
    (void)find(EKB_EFFECT_LADDER, "on-d1 - off-d1");
    (void)find(EKB_EFFECT_LADDER, "name-d1 - on-d1");
    (void)find(EKB_EFFECT_LADDER, "crl-d1 - name-d1");
    (void)find(EKB_EFFECT_REJECT, "reject-d1 - on-d1");
    (void)find(EKB_EFFECT_RESUMED, EKB_CONTRAST_RESUMED);
    (void)find(EKB_EFFECT_RESUMED, EKB_CONTRAST_TICKETS);
    (void)find(EKB_EFFECT_DEPTH, "EKU on: per certificate, depth 1 to 5");
    (void)find(EKB_EFFECT_SERVER_DEPTH, "server's chain: per certificate, depth 1 to 5");
    (void)find(EKB_EFFECT_LINEARITY, "client's chain: curvature over depth 1 to 5");
}

Test(effects, says_of_each_what_it_rests_on)
{
    fill(NUM_SLICES, nothing);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    for (size_t i = 0; i < record.num_effects; i++) {
        const struct ekb_record_effect *effect = &record.effects[i];
        const struct ekb_estimate *e = &effect->estimate;
        cr_expect_str_eq(effect->stage, "cost");
        cr_expect_str_eq(effect->unit,
                         strcmp(effect->metric, EKB_METRIC_WIRE) == 0 ? "bytes" : "ns");
        cr_expect_eq(e->n, NUM_MEASURED, "%s: n = %zu", effect->contrast, e->n);
        cr_expect(e->low <= e->estimate && e->estimate <= e->high, "%s: %f not in [%f, %f]",
                  effect->contrast, e->estimate, e->low, e->high);
        cr_expect_geq(effect->mde, 0, "%s", effect->contrast);
        cr_expect_neq(effect->verdict[0], '\0', "%s", effect->contrast);
        cr_expect_neq(effect->method[0], '\0', "%s", effect->contrast);
    }
}

Test(effects, finds_no_difference_when_there_is_none)
{
    fill(NUM_SLICES, nothing);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    const struct ekb_record_effect *effect = find(EKB_EFFECT_EKU, "on-d1 - off-d1");
    expect_near(effect->estimate.estimate, 0, 1, "the difference");
    cr_expect_str_eq(effect->verdict, "equivalent within 2.00 us");
    cr_expect_eq(record.num_reasons, 0);
}

Test(effects, finds_the_difference_when_there_is_one)
{
    fill(NUM_SLICES, thousand_at_on_d1);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    const struct ekb_record_effect *slower = find(EKB_EFFECT_EKU, "on-d1 - none-d1");
    expect_near(slower->estimate.estimate, 1000, 1, "the difference");
    cr_expect_gt(slower->estimate.low, 950);
    cr_expect_lt(slower->estimate.high, 1050);
    cr_expect_eq(strncmp(slower->verdict, "slower by ", 10), 0, "%s", slower->verdict);
    const struct ekb_record_effect *faster = find(EKB_EFFECT_REJECT, "reject-d1 - on-d1");
    expect_near(faster->estimate.estimate, -1000, 1, "the difference");
    cr_expect_eq(strncmp(faster->verdict, "faster by ", 10), 0, "%s", faster->verdict);
    cr_expect_eq(record.num_reasons, 0, "%s", record.reasons[0]);
}

// The noise that arms of a slice share must not widen the interval of their difference.
Test(effects, pairs_by_slice_when_slices_differ)
{
    fill(NUM_SLICES, drift_of_all_and_500_at_on_d2);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    const struct ekb_record_effect *effect = find(EKB_EFFECT_EKU, "on-d2 - none-d2");
    expect_near(effect->estimate.low, 500, 20, "low");
    expect_near(effect->estimate.high, 500, 20, "high");
}

Test(effects, finds_the_slope_when_each_certificate_costs_the_same)
{
    fill(NUM_SLICES, by_depth);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    expect_near(find(EKB_EFFECT_DEPTH, "EKU on: per certificate, depth 1 to 5")->estimate.estimate,
                75000, 20, "the slope");
    expect_near(
        find(EKB_EFFECT_DEPTH, "no EKU check: per certificate, depth 1 to 5")->estimate.estimate,
        75000, 20, "the slope");
}

Test(effects, withholds_verdicts_when_the_control_differs)
{
    fill(NUM_SLICES, thousand_at_control);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    for (size_t i = 0; i < record.num_effects; i++) {
        const struct ekb_record_effect *effect = &record.effects[i];
        const bool is_control = strcmp(effect->question, EKB_EFFECT_CONTROL) == 0;
        const bool is_wire = strcmp(effect->metric, EKB_METRIC_WIRE) == 0; // Its control is equal.
        const bool is_withheld = strncmp(effect->verdict, "withheld", 8) == 0;
        cr_expect_eq(!is_control && !is_wire, is_withheld, "%s: %s", effect->contrast,
                     effect->verdict);
    }
    cr_expect_eq(record.num_reasons, 2);
    cr_expect(strstr(record.reasons[0], "A/A control") != NULL, "%s", record.reasons[0]);
}

Test(effects, leaves_out_what_its_arms_are_missing_for)
{
    plan.num_arms = (size_t)ekb_plan_arm_index(&plan, "on-d2");
    fill(NUM_SLICES, nothing);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    // Three of the EKU question; two rungs of the ladder in three metrics.
    cr_expect_eq(record.num_effects, 9, "%zu effects", record.num_effects);
    (void)find(EKB_EFFECT_EKU, "on-d1 - none-d1");
    (void)find(EKB_EFFECT_EKU, "off-d1 - none-d1");
    (void)find(EKB_EFFECT_EKU, "on-d1 - off-d1");
    (void)find(EKB_EFFECT_LADDER, "on-d1 - off-d1");
}

// Above zero in two of three slices, by as much as it is below in the others: p is 0.02 by itself,
// and 0.13 as one of six.
static uint64_t barely_at_on_d3(const char *arm_name, uint32_t slice)
{
    if (is(arm_name, "on-d3")) {
        return 10000 + (slice % 3 == 0 ? 0 : 800) + slice * 2;
    }
    return is(arm_name, "none-d3") ? 10420 : 0;
}

Test(effects, gives_no_verdict_when_chance_is_enough_for_one_of_the_family)
{
    fill(NUM_SLICES, barely_at_on_d3);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    const struct ekb_record_effect *effect = find(EKB_EFFECT_EKU, "on-d3 - none-d3");
    cr_assert(effect->estimate.low > 0, "this is about an interval without zero: %f",
              effect->estimate.low);
    cr_expect_gt(effect->p_adjusted, 0.05);
    cr_expect_eq(strncmp(effect->verdict, "slower", 6) == 0, false, "%s", effect->verdict);
}

// A difference that is certainly there, and certainly too small to matter, is said as what it is.
static uint64_t hundred_at_on_d3(const char *arm_name, uint32_t slice)
{
    (void)slice;
    return is(arm_name, "on-d3") ? 100 : 0;
}

Test(effects, finds_bytes_and_the_client_too)
{
    fill(NUM_SLICES, hundred_at_on_d3);
    const int arm = ekb_plan_arm_index(&plan, "parse-d1");
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        stage.client.tally->arms[arm].wire_by_slice[slice].sum += UINT64_C(500) * PER_SLICE;
        stage.client.tally->arms[arm].steps_by_slice[slice].sum += UINT64_C(7000) * PER_SLICE;
    }

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    const struct ekb_record_effect *bytes =
        find_of(EKB_METRIC_WIRE, EKB_EFFECT_LADDER, "parse-d1 - one-way");
    expect_near(bytes->estimate.estimate, 500, 1e-9, "the bytes");
    cr_expect_str_eq(bytes->verdict, "more by 500 bytes [500 bytes, 500 bytes]");
    expect_near(
        find_of(EKB_METRIC_CLIENT_CPU, EKB_EFFECT_LADDER, "parse-d1 - one-way")->estimate.estimate,
        7000, 11, "the client's time");
    expect_near(find(EKB_EFFECT_LADDER, "parse-d1 - one-way")->estimate.estimate, 0, 11,
                "the server's time");
    cr_expect_eq(strncmp(find(EKB_EFFECT_EKU, "on-d3 - none-d3")->verdict, "slower by 100 ns", 16),
                 0, "%s", find(EKB_EFFECT_EKU, "on-d3 - none-d3")->verdict);
}

Test(effects, leaves_out_all_when_there_are_too_few_slices)
{
    fill(NUM_WARMUP + EKB_ESTIMATE_MIN_N - 1, nothing);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    cr_expect_eq(record.num_effects, 0);
    cr_expect_eq(record.num_reasons, 0);
}

Test(effects, leaves_out_slices_when_they_were_stolen)
{
    fill(NUM_SLICES, huge_in_slice_10);
    stage.steal_by_slice[10] = EKB_CHECK_MAX_STEAL_PERCENT + 1;

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    const struct ekb_record_effect *effect = find(EKB_EFFECT_EKU, "on-d2 - none-d2");
    cr_expect_eq(effect->estimate.n, NUM_MEASURED - 1);
    cr_expect_lt(effect->estimate.high, 1000, "the stolen slice counts");
}

Test(effects, leaves_out_slices_when_they_warm_up)
{
    fill(NUM_SLICES, huge_in_warmup);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    cr_expect_lt(find(EKB_EFFECT_EKU, "on-d2 - none-d2")->estimate.high, 1000);
}

Test(effects, leaves_out_a_slice_when_an_arm_did_nothing_in_it)
{
    fill(NUM_SLICES, nothing);
    const int arm = ekb_plan_arm_index(&plan, "on-d2");
    stage.server.tally->arms[arm].steps_by_slice[12] = (struct ekb_slice_sum){0};

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);

    cr_expect_eq(find(EKB_EFFECT_EKU, "on-d2 - none-d2")->estimate.n, NUM_MEASURED - 1);
    cr_expect_eq(find(EKB_EFFECT_EKU, "on-d1 - none-d1")->estimate.n, NUM_MEASURED);
}

Test(effects, is_the_same_when_computed_again)
{
    struct ekb_record again = {0};
    fill(NUM_SLICES, nothing);

    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);
    cr_assert_eq(ekb_effects_add(&again, &plan, &stage), EKB_OK);

    cr_assert_eq(again.num_effects, record.num_effects);
    for (size_t i = 0; i < record.num_effects; i++) {
        cr_expect_eq(again.effects[i].estimate.low, record.effects[i].estimate.low);
        cr_expect_eq(again.effects[i].estimate.high, record.effects[i].estimate.high);
    }
    ekb_record_deinit(&again);
}

static uint64_t other_links_are_slower(const char *arm_name, uint32_t slice)
{
    (void)slice;
    return strcmp(arm_name, "zone-on") == 0    ? 5000
           : strcmp(arm_name, "zone-off") == 0 ? 2000
           : strcmp(arm_name, "far-on") == 0   ? 40000
                                               : 0;
}

// add_arm adds an arm of no known name.
static void add_arm(const char *name)
{
    (void)snprintf(plan.arms[plan.num_arms++].name, EKB_PLAN_NAME_LEN, "%s", name);
}

static void add_contrast(const char *question, const char *treated, const char *control)
{
    struct ekb_plan_contrast *contrast = &plan.contrasts[plan.num_contrasts++];
    contrast->question = question;
    (void)snprintf(contrast->treated, sizeof contrast->treated, "%s", treated);
    (void)snprintf(contrast->control, sizeof contrast->control, "%s", control);
}

Test(effects, are_those_that_the_stage_asks_for_too)
{
    plan.num_arms = 0;
    add_arm("zone-on");
    add_arm("zone-off");
    add_arm("zone-none");
    add_arm("zone-none" EKB_PLAN_TWIN);
    add_arm("far-on");
    add_contrast(EKB_EFFECT_LINK, "zone-on", "zone-none");
    add_contrast(EKB_EFFECT_LINK, "zone-on", "zone-off");
    add_contrast(EKB_EFFECT_REJECT_LINK, "far-on", "zone-none");
    fill(NUM_SLICES, other_links_are_slower);
    cr_assert_eq(ekb_effects_add(&record, &plan, &stage), EKB_OK);
    cr_expect_float_eq(find(EKB_EFFECT_LINK, "zone-on - zone-none")->estimate.estimate, 5000, 20);
    cr_expect_float_eq(find(EKB_EFFECT_LINK, "zone-on - zone-off")->estimate.estimate, 3000, 20);
    cr_expect_float_eq(find(EKB_EFFECT_REJECT_LINK, "far-on - zone-none")->estimate.estimate, 40000,
                       20);
    cr_expect_float_eq(find(EKB_EFFECT_CONTROL, "zone-none-again - zone-none")->estimate.estimate,
                       0, 20, "the control is whatever arm is there twice");
}
