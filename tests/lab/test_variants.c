#include "ekubench/lab/variants.h"

#include "support/stages.h"

#include <criterion/criterion.h>

#include <math.h>
#include <string.h>

#define NUM_SLICES 24
#define NUM_WARMUP 4
#define KERNEL_NS 50000.0

// The arms of a stage made by hand.
enum {
    MAIN,
    AGAIN,
    DEEPER,
    NUM_ARMS
};

static struct ekb_stage stage;

static void tear_down(void)
{
    ekb_stage_deinit(&stage);
}

TestSuite(variants, .fini = tear_down, .timeout = 30);

static const struct ekb_variant list[] = {
    {.dimension = EKB_VARIANT_EKU, .eku = EKB_EKU_OFF},
    {.dimension = EKB_VARIANT_DEPTH, .depth = 3},
    {.dimension = EKB_VARIANT_KEY, .key_type = EKB_KEY_RSA2048},
};
#define NUM_VARIANTS (sizeof list / sizeof list[0])

static void make_main(struct ekb_plan *out_plan)
{
    cr_assert_eq(
        ekb_plan_builtin(out_plan, EKB_PLAN_COMPARE, &(struct ekb_plan_settings){.depth = 1}),
        EKB_OK);
}

Test(variants, have_names)
{
    static const char *const names[] = {"eku=off", "depth=3", "key=rsa2048"};
    char name[EKB_PLAN_NAME_LEN];
    for (size_t i = 0; i < NUM_VARIANTS; i++) {
        cr_expect_str_eq(ekb_variant_name(name, &list[i]), names[i]);
    }
}

Test(variants, know_the_main_treatment)
{
    struct ekb_plan plan;
    make_main(&plan);
    for (size_t i = 0; i < NUM_VARIANTS; i++) {
        struct ekb_plan_settings settings = {.depth = 1};
        struct ekb_plan own;
        cr_expect(!ekb_variant_is_main(&list[i], &plan), "%zu", i);
        ekb_variant_apply(&settings, &list[i]);
        cr_assert_eq(ekb_plan_builtin(&own, EKB_PLAN_COMPARE, &settings), EKB_OK);
        cr_expect(ekb_variant_is_main(&list[i], &own), "%zu", i);
    }
}

Test(variants, stand_beside_the_main_one_and_its_twin)
{
    struct ekb_plan plan;
    struct ekb_plan_stage made;
    make_main(&plan);
    plan.stages[0].server_workers = 3;

    ekb_variants_make_stage(&made, &plan.stages[0], list, NUM_VARIANTS,
                            EKB_VARIANTS_WITH_REJECTS | EKB_VARIANTS_WITH_RESUMED,
                            10 * EKB_NS_PER_S);

    cr_assert_eq(made.num_arms, 2 + NUM_VARIANTS + 3);
    cr_expect_str_eq(made.arms[EKB_VARIANTS_MAIN].name, "main");
    cr_expect_str_eq(made.arms[EKB_VARIANTS_AGAIN].name, "main-again");
    cr_expect_eq(made.arms[EKB_VARIANTS_FIRST].policy.eku, EKB_EKU_OFF);
    cr_expect_eq(made.arms[EKB_VARIANTS_FIRST + 1].depth, 3u);
    cr_expect_eq(made.arms[EKB_VARIANTS_FIRST + 1].policy.eku, EKB_EKU_ON);
    cr_expect_str_eq(made.arms[EKB_VARIANTS_FIRST + 2].name, "key=rsa2048");
    const struct ekb_plan_arm *tickets = &made.arms[made.num_arms - 3];
    cr_expect_str_eq(tickets->name, EKB_VARIANTS_TICKETS_ARM);
    cr_expect(tickets->tickets && !tickets->resumes && tickets[1].resumes);
    cr_expect_str_eq(tickets[1].name, EKB_VARIANTS_RESUMED_ARM);
    cr_expect_eq(made.server_workers, 3u);
    const struct ekb_plan_arm *rejected = &made.arms[made.num_arms - 1];
    cr_expect_str_eq(rejected->name, EKB_VARIANTS_REJECT_ARM);
    cr_expect_eq(rejected->expect, EKB_EXPECT_REJECT);
    cr_expect_eq(rejected->client_eku, (unsigned)EKB_EKU_SERVER_AUTH);
    cr_expect_eq((made.num_slices - made.num_warmup) * made.slice_ns, 10 * EKB_NS_PER_S);
    cr_expect_float_eq(made.rate_per_s, 0, 1e-12);
}

// Off, the check asks for the other usage.
Test(variants, reject_whom_the_mode_rejects)
{
    struct ekb_plan plan;
    struct ekb_plan_stage made;
    make_main(&plan);
    plan.stages[0].arms[0].policy.eku = EKB_EKU_OFF;
    ekb_variants_make_stage(&made, &plan.stages[0], NULL, 0, EKB_VARIANTS_WITH_REJECTS,
                            10 * EKB_NS_PER_S);
    cr_assert_eq(made.num_arms, 3u);
    cr_expect_eq(made.arms[2].client_eku, (unsigned)EKB_EKU_CLIENT_AUTH);
}

// make_stage makes one in which the speed of the machine drifts by a factor of two.
static void make_stage(double deeper_factor, double again_factor)
{
    stage_fixture_init(&stage, NUM_ARMS, NUM_SLICES, NUM_WARMUP, 0);
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        const double speed = 1.0 + (double)slice / (double)NUM_SLICES;
        // A little scatter, as much to either side.
        const double scatter = 1.0 + 0.002 * ((double)(slice % 5) - 2.0);
        const double main_ns = 200000.0 * speed;
        stage_fixture_accept(&stage, MAIN, slice, 20, (uint64_t)main_ns);
        stage_fixture_accept(&stage, AGAIN, slice, 20,
                             (uint64_t)(main_ns * again_factor * scatter));
        stage_fixture_accept(&stage, DEEPER, slice, 20,
                             (uint64_t)(main_ns * deeper_factor * scatter));
    }
}

// 200 us of its own, at the mean speed of the slices that count (1.58), and 50 us of the kernel's:
// 40 % more of the former.
Test(variants, cost_what_they_cost_whatever_the_machine_does)
{
    struct ekb_estimate factor;
    make_stage(1.4, 1.0);
    const double main_ns = 200000.0 * (1.0 + 13.5 / 24.0);
    const double truth = (1.4 * main_ns + KERNEL_NS) / (main_ns + KERNEL_NS);

    cr_assert(ekb_variants_cost_factor(&factor, &stage, DEEPER, KERNEL_NS));

    cr_expect_float_eq(factor.estimate, truth, 0.002, "%f, not %f", factor.estimate, truth);
    cr_expect(factor.low <= truth && truth <= factor.high, "[%f, %f]", factor.low, factor.high);
    cr_expect_leq(factor.high - factor.low, 0.01);
    cr_expect_eq(factor.n, (size_t)(NUM_SLICES - NUM_WARMUP));
}

Test(variants, heed_the_control)
{
    make_stage(1.4, 1.0);
    cr_expect(!ekb_variants_control_differs(&stage));
    ekb_stage_deinit(&stage);
    make_stage(1.4, 1.02);
    cr_expect(ekb_variants_control_differs(&stage));
}

Test(variants, have_no_cost_with_too_few_slices)
{
    struct ekb_estimate factor = {.estimate = -1};
    stage_fixture_init(&stage, NUM_ARMS, NUM_SLICES, NUM_WARMUP, 0);
    for (uint32_t slice = NUM_WARMUP; slice < NUM_WARMUP + 3; slice++) {
        stage_fixture_accept(&stage, MAIN, slice, 20, 200000);
        stage_fixture_accept(&stage, DEEPER, slice, 20, 300000 + slice);
    }
    cr_expect(!ekb_variants_cost_factor(&factor, &stage, DEEPER, KERNEL_NS));
    cr_expect_float_eq(factor.estimate, -1, 1e-12);
}

Test(variants, turn_intervals_round_when_they_divide)
{
    const struct ekb_estimate factor = {.estimate = 2, .low = 1.6, .high = 2.5, .n = 9};
    const struct ekb_estimate cost = ekb_variants_scale(100, &factor);
    const struct ekb_estimate rate = ekb_variants_divide(1000, &factor);
    cr_expect_float_eq(cost.estimate, 200, 1e-9);
    cr_expect_float_eq(cost.low, 160, 1e-9);
    cr_expect_float_eq(cost.high, 250, 1e-9);
    cr_expect_float_eq(rate.estimate, 500, 1e-9);
    cr_expect_float_eq(rate.low, 400, 1e-9);
    cr_expect_float_eq(rate.high, 625, 1e-9);
}
