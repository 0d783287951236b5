#include "ekubench/lab/plan.h"

#include "ekubench/base/clock.h"
#include "ekubench/pki/cert.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"quick", "standard"};
#define NUM_NAMES (sizeof names / sizeof names[0])

static struct ekb_plan builtin(const char *name)
{
    struct ekb_plan plan;
    const struct ekb_plan_settings settings = {0};
    cr_assert_eq(ekb_plan_builtin(&plan, name, &settings), EKB_OK, "%s", name);
    return plan;
}

static const struct ekb_plan_arm *arm_of(const struct ekb_plan *plan, const char *stage_name,
                                         const char *arm_name)
{
    const int stage = ekb_plan_stage_index(plan, stage_name);
    cr_assert_geq(stage, 0, "no stage %s", stage_name);
    const int arm = ekb_plan_arm_index(&plan->stages[stage], arm_name);
    cr_assert_geq(arm, 0, "no arm %s", arm_name);
    return &plan->stages[stage].arms[arm];
}

Test(plan, is_not_found_when_name_is_unknown)
{
    static const char *const unknown[] = {"", "slow", "Quick", "quick ", "standardly"};
    const struct ekb_plan_settings settings = {0};

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct ekb_plan plan = {.seed = 4711};
        const enum ekb_err err = ekb_plan_builtin(&plan, unknown[i], &settings);
        cr_expect_eq(err, EKB_NOT_FOUND, "\"%s\": %s", unknown[i], ekb_err_name(err));
        cr_expect_eq(plan.seed, 4711, "\"%s\": written in spite of the error", unknown[i]);
    }
}

Test(plan, keeps_the_promised_time)
{
    static const uint64_t limits_s[NUM_NAMES] = {40, 120};

    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        const uint64_t duration_ns = ekb_plan_duration_ns(&plan);
        cr_expect_leq(duration_ns, limits_s[i] * EKB_NS_PER_S, "%s: %llu ns", names[i],
                      (unsigned long long)duration_ns);
        cr_expect_gt(duration_ns, 0, "%s", names[i]);
    }
}

Test(plan, lasts_as_long_as_its_slices)
{
    struct ekb_plan plan = {.num_stages = 2};
    plan.stages[0] = (struct ekb_plan_stage){.slice_ns = 100, .num_slices = 7, .num_warmup = 3};
    plan.stages[1] = (struct ekb_plan_stage){.slice_ns = 1000, .num_slices = 2};

    cr_expect_eq(ekb_plan_duration_ns(&plan), 2700);
}

Test(plan, takes_defaults_when_nothing_is_set)
{
    const struct ekb_plan plan = builtin("standard");

    cr_expect_eq(plan.seed, EKB_PLAN_DEFAULT_SEED);
    cr_expect_eq(plan.version, EKB_TLS_1_3);
    cr_expect_eq(plan.stages[ekb_plan_stage_index(&plan, EKB_PLAN_STAGE_LOAD)].in_flight,
                 EKB_PLAN_DEFAULT_IN_FLIGHT);
    cr_expect_str_eq(plan.name, "standard");
}

Test(plan, takes_settings_when_set)
{
    struct ekb_plan plan;
    const struct ekb_plan usual = builtin("quick");
    const struct ekb_plan_settings settings = {
        .seed = 99, .in_flight = 17, .version = EKB_TLS_1_2, .version_set = true};
    const int cost = ekb_plan_stage_index(&usual, EKB_PLAN_STAGE_COST);
    const int load = ekb_plan_stage_index(&usual, EKB_PLAN_STAGE_LOAD);

    cr_assert_eq(ekb_plan_builtin(&plan, "quick", &settings), EKB_OK);

    cr_expect_eq(plan.seed, 99);
    cr_expect_eq(plan.version, EKB_TLS_1_2);
    cr_expect_eq(plan.stages[load].in_flight, 17);
    cr_expect_eq(plan.stages[cost].in_flight, usual.stages[cost].in_flight);
}

Test(plan, has_unique_arm_names)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        for (size_t s = 0; s < plan.num_stages; s++) {
            const struct ekb_plan_stage *stage = &plan.stages[s];
            for (size_t a = 0; a < stage->num_arms; a++) {
                cr_expect_eq(ekb_plan_arm_index(stage, stage->arms[a].name), (int)a,
                             "%s/%s/%s is there twice", names[i], stage->name, stage->arms[a].name);
            }
        }
    }
}

Test(plan, has_every_mode_at_every_depth_in_its_cost_stage)
{
    static const char *const modes[] = {"on", "off", "none"};
    static const unsigned depths[] = {1, 2, 3, 5};
    const struct ekb_plan plan = builtin("quick");

    for (unsigned m = 0; m < 3; m++) {
        for (size_t d = 0; d < 4; d++) {
            char name[EKB_PLAN_NAME_LEN];
            (void)snprintf(name, sizeof name, "%s-d%u", modes[m], depths[d]);
            const struct ekb_plan_arm *arm = arm_of(&plan, EKB_PLAN_STAGE_COST, name);
            cr_expect_eq(arm->policy.eku, (enum ekb_eku_mode)m, "%s", name);
            cr_expect_eq(arm->policy.verify, EKB_VERIFY_FULL, "%s", name);
            cr_expect_eq(arm->depth, depths[d], "%s", name);
            cr_expect_eq(arm->client_eku, EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH, "%s", name);
            cr_expect(arm->expect_accept, "%s", name);
        }
    }
}

// Nothing but the switch may differ between arms that are compared.
Test(plan, has_a_control_that_is_the_same_arm_again)
{
    const struct ekb_plan plan = builtin("quick");
    const struct ekb_plan_arm *once = arm_of(&plan, EKB_PLAN_STAGE_COST, "on-d1");
    const struct ekb_plan_arm *again = arm_of(&plan, EKB_PLAN_STAGE_COST, "on-d1-again");

    cr_expect_eq(memcmp(&once->policy, &again->policy, sizeof once->policy), 0);
    cr_expect_eq(once->depth, again->depth);
    cr_expect_eq(once->client_eku, again->client_eku);
    cr_expect_eq(once->expect_accept, again->expect_accept);
}

Test(plan, expects_a_rejection_of_one_arm_only)
{
    const struct ekb_plan plan = builtin("standard");
    const struct ekb_plan_arm *rejected = arm_of(&plan, EKB_PLAN_STAGE_COST, "reject-d1");
    size_t num_rejected = 0;

    for (size_t s = 0; s < plan.num_stages; s++) {
        for (size_t a = 0; a < plan.stages[s].num_arms; a++) {
            num_rejected += plan.stages[s].arms[a].expect_accept ? 0 : 1;
        }
    }

    cr_expect_eq(num_rejected, 1);
    cr_expect(!rejected->expect_accept);
    cr_expect_eq(rejected->client_eku, EKB_EKU_SERVER_AUTH);
    cr_expect_eq(rejected->policy.eku, EKB_EKU_ON);
}

struct rung_case {
    const char *name;
    enum ekb_verify_level verify;
    unsigned depth;
};

Test(plan, has_the_rungs_of_the_ladder)
{
    static const struct rung_case cases[] = {{"parse-d1", EKB_VERIFY_PARSE, 1},
                                             {"one-way", EKB_VERIFY_ONE_WAY, 0},
                                             {"name-d1", EKB_VERIFY_FULL, 1},
                                             {"crl-d1", EKB_VERIFY_FULL, 1}};
    const struct ekb_plan plan = builtin("quick");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ekb_plan_arm *arm = arm_of(&plan, EKB_PLAN_STAGE_COST, cases[i].name);
        cr_expect_eq(arm->policy.verify, cases[i].verify, "%s", cases[i].name);
        cr_expect_eq(arm->depth, cases[i].depth, "%s", cases[i].name);
    }
}

Test(plan, measures_floors_in_a_stage_of_their_own)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        cr_expect_gt(plan.stages[ekb_plan_stage_index(&plan, EKB_PLAN_STAGE_FLOOR)].floor_every, 0);
        cr_expect_eq(plan.stages[ekb_plan_stage_index(&plan, EKB_PLAN_STAGE_COST)].floor_every, 0);
        cr_expect_eq(plan.stages[ekb_plan_stage_index(&plan, EKB_PLAN_STAGE_LOAD)].floor_every, 0);
    }
}

Test(plan, finds_nothing_when_name_is_unknown)
{
    const struct ekb_plan plan = builtin("quick");

    cr_expect_eq(ekb_plan_stage_index(&plan, "coast"), -1);
    cr_expect_eq(ekb_plan_arm_index(&plan.stages[1], "on-d4"), -1);
    cr_expect_eq(ekb_plan_arm_index(&plan.stages[1], ""), -1);
}
