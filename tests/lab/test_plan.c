#include "ekubench/lab/plan.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/sequence.h"
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
    static const uint64_t limits_s[NUM_NAMES] = {45, 120};

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

Test(plan, is_stretched_in_whole_turns_and_quadruples)
{
    static const char *const all[] = {"quick", "standard", EKB_PLAN_LOAD, EKB_PLAN_COMPARE};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const struct ekb_plan usual = builtin(all[i]);
        const uint64_t wanted_ns = ekb_plan_duration_ns(&usual) * 7 / 2;
        struct ekb_plan plan = usual;

        cr_assert_eq(ekb_plan_stretch(&plan, wanted_ns), EKB_OK);

        const uint64_t duration_ns = ekb_plan_duration_ns(&plan);
        cr_expect_leq(duration_ns, wanted_ns, "%s", all[i]);
        cr_expect_geq(duration_ns, wanted_ns - wanted_ns / 20, "%s: %llu of %llu ns", all[i],
                      (unsigned long long)duration_ns, (unsigned long long)wanted_ns);
        for (size_t s = 0; s < plan.num_stages; s++) {
            const struct ekb_plan_stage *stage = &plan.stages[s];
            const uint32_t num_slices = stage->num_slices - stage->num_warmup;
            const bool is_pilot = strcmp(stage->name, EKB_STAGE_PILOT) == 0;
            cr_expect_eq(stage->num_slices > usual.stages[s].num_slices, !is_pilot, "%s",
                         stage->name);
            cr_expect(stage->block_slices == 0 || num_slices % (4 * stage->block_slices) == 0);
            cr_expect(stage->floor_every == 0 || num_slices % stage->floor_every == 0);
        }
    }
}

Test(plan, is_not_stretched_to_less_than_it_takes_or_to_more_than_half_an_hour)
{
    const struct ekb_plan usual = builtin("standard");
    const uint64_t whole_ns = ekb_plan_duration_ns(&usual);
    struct ekb_plan plan = usual;

    cr_expect_eq(ekb_plan_stretch(&plan, whole_ns - 1), EKB_USAGE);
    cr_expect_eq(ekb_plan_stretch(&plan, EKB_PLAN_MAX_NS + 1), EKB_USAGE);
    cr_expect_eq(ekb_plan_duration_ns(&plan), whole_ns);
    cr_expect_eq(ekb_plan_stretch(&plan, whole_ns), EKB_OK);
    cr_expect_eq(ekb_plan_duration_ns(&plan), whole_ns);
    cr_expect_eq(ekb_plan_stretch(&plan, EKB_PLAN_MAX_NS), EKB_OK);
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
    const struct ekb_plan_settings settings = {.seed = 99,
                                               .in_flight = 17,
                                               .version = EKB_TLS_1_2,
                                               .version_set = true,
                                               .key_type = EKB_KEY_P384,
                                               .key_type_set = true};
    const int cost = ekb_plan_stage_index(&usual, EKB_PLAN_STAGE_COST);
    const int load = ekb_plan_stage_index(&usual, EKB_PLAN_STAGE_LOAD);

    cr_assert_eq(ekb_plan_builtin(&plan, "quick", &settings), EKB_OK);

    cr_expect_eq(plan.seed, 99);
    cr_expect_eq(plan.version, EKB_TLS_1_2);
    cr_expect_eq(plan.key_type, EKB_KEY_P384);
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
            cr_expect_eq(arm->expect, EKB_EXPECT_ACCEPT, "%s", name);
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
    cr_expect_eq(once->expect, again->expect);
}

Test(plan, resumes_in_one_arm_what_another_brings)
{
    const struct ekb_plan plan = builtin("standard");
    const struct ekb_plan_arm *full = arm_of(&plan, EKB_PLAN_STAGE_COST, "on-d1");
    const struct ekb_plan_arm *tickets = arm_of(&plan, EKB_PLAN_STAGE_COST, EKB_PLAN_TICKETS_ARM);
    const struct ekb_plan_arm *resumed = arm_of(&plan, EKB_PLAN_STAGE_COST, EKB_PLAN_RESUMED_ARM);

    cr_expect(tickets->tickets && !tickets->resumes);
    cr_expect(resumed->resumes && !resumed->tickets);
    cr_expect(!full->tickets && !full->resumes);
    // Else they could not resume it, and would not compare.
    cr_expect(ekb_policy_equal(&tickets->policy, &resumed->policy));
    cr_expect(ekb_policy_equal(&tickets->policy, &full->policy));
    cr_expect_eq(tickets->depth, full->depth);
    cr_expect_eq(tickets->client_eku, full->client_eku);
}

Test(plan, expects_a_rejection_of_one_arm_only)
{
    const struct ekb_plan plan = builtin("standard");
    const struct ekb_plan_arm *rejected = arm_of(&plan, EKB_PLAN_STAGE_COST, "reject-d1");
    size_t num_rejected = 0;

    for (size_t s = 0; s < plan.num_stages; s++) {
        for (size_t a = 0; a < plan.stages[s].num_arms; a++) {
            num_rejected += plan.stages[s].arms[a].expect == EKB_EXPECT_ACCEPT ? 0 : 1;
        }
    }

    cr_expect_eq(num_rejected, 1);
    cr_expect_eq(rejected->expect, EKB_EXPECT_REJECT);
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

// What the stages promise their analyses.

// expect_alike checks that two arms are alike but for what `EXCEPT_*` allows.
enum {
    EXCEPT_EKU = 1 << 0,
    EXCEPT_INJECTED = 1 << 1,
    EXCEPT_PROBE = 1 << 2,
    EXCEPT_SERVER_DEPTH = 1 << 3,
    EXCEPT_TCP = 1 << 4,
};

static void expect_alike(const struct ekb_plan_arm *a, const struct ekb_plan_arm *b,
                         unsigned except)
{
    struct ekb_policy policy_a = a->policy;
    struct ekb_policy policy_b = b->policy;
    if ((except & EXCEPT_EKU) != 0) {
        policy_a.eku = policy_b.eku;
    }
    cr_expect_eq(policy_a.eku, policy_b.eku, "%s, %s", a->name, b->name);
    cr_expect_eq(policy_a.verify, policy_b.verify, "%s, %s", a->name, b->name);
    cr_expect_eq(policy_a.max_depth, policy_b.max_depth, "%s, %s", a->name, b->name);
    cr_expect_eq(policy_a.eku_absent, policy_b.eku_absent, "%s, %s", a->name, b->name);
    cr_expect_eq(policy_a.crl, policy_b.crl, "%s, %s", a->name, b->name);
    cr_expect_eq(policy_a.name.kind, policy_b.name.kind, "%s, %s", a->name, b->name);
    cr_expect_eq(a->depth, b->depth, "%s, %s", a->name, b->name);
    cr_expect_eq(a->client_eku, b->client_eku, "%s, %s", a->name, b->name);
    cr_expect_eq(a->expect, b->expect, "%s, %s", a->name, b->name);
    cr_expect((except & EXCEPT_INJECTED) != 0 || a->inject_ns == b->inject_ns, "%s, %s", a->name,
              b->name);
    cr_expect((except & EXCEPT_PROBE) != 0 || a->probe == b->probe, "%s, %s", a->name, b->name);
    cr_expect((except & EXCEPT_SERVER_DEPTH) != 0 || a->server_depth == b->server_depth, "%s, %s",
              a->name, b->name);
    cr_expect((except & EXCEPT_TCP) != 0 || a->bare_tcp == b->bare_tcp, "%s, %s", a->name, b->name);
}

static const struct ekb_plan_stage *stage_of(const struct ekb_plan *plan, const char *name)
{
    const int stage = ekb_plan_stage_index(plan, name);
    cr_assert_geq(stage, 0, "no stage %s", name);
    return &plan->stages[stage];
}

Test(plan, has_one_arm_with_timers)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        const struct ekb_plan_arm *timed = arm_of(&plan, EKB_PLAN_STAGE_COST, EKB_PLAN_PROBE_ARM);
        size_t num_probes = 0;

        for (size_t s = 0; s < plan.num_stages; s++) {
            for (size_t a = 0; a < plan.stages[s].num_arms; a++) {
                num_probes += plan.stages[s].arms[a].probe ? 1 : 0;
            }
        }

        cr_expect(timed->probe, "%s", names[i]);
        cr_expect_eq(num_probes, 1u, "%s: %zu", names[i], num_probes);
        expect_alike(timed, arm_of(&plan, EKB_PLAN_STAGE_COST, "on-d2"), EXCEPT_PROBE);
    }
}

Test(plan, has_an_arm_for_each_depth_of_the_servers_chain)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        const struct ekb_plan_arm *shortest = arm_of(&plan, EKB_PLAN_STAGE_COST, "on-d1");
        size_t num_longer = 0;

        cr_expect_eq(shortest->server_depth, ekb_plan_depths[0]);
        for (size_t d = 1; d < EKB_PLAN_NUM_DEPTHS; d++) {
            char name[EKB_PLAN_NAME_LEN];
            (void)snprintf(name, sizeof name, "server-d%u", ekb_plan_depths[d]);
            const struct ekb_plan_arm *arm = arm_of(&plan, EKB_PLAN_STAGE_COST, name);
            cr_expect_eq(arm->server_depth, ekb_plan_depths[d], "%s: %u", name, arm->server_depth);
            expect_alike(arm, shortest, EXCEPT_SERVER_DEPTH);
        }
        for (size_t s = 0; s < plan.num_stages; s++) {
            for (size_t a = 0; a < plan.stages[s].num_arms; a++) {
                cr_expect_geq(plan.stages[s].arms[a].server_depth, 1u);
                num_longer += plan.stages[s].arms[a].server_depth > 1 ? 1 : 0;
            }
        }
        cr_expect_eq(num_longer, EKB_PLAN_NUM_DEPTHS - 1u, "%s: %zu", names[i], num_longer);
    }
}

Test(plan, exchanges_the_bytes_without_tls_in_the_last_arm_of_its_floor_stage)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        const struct ekb_plan_stage *floor = stage_of(&plan, EKB_PLAN_STAGE_FLOOR);

        cr_assert_eq(floor->num_arms, 2u, "%zu arms", floor->num_arms);
        cr_expect_str_eq(floor->arms[1].name, EKB_PLAN_TCP_ARM);
        cr_expect(floor->arms[1].bare_tcp);
        expect_alike(&floor->arms[0], &floor->arms[1], EXCEPT_TCP);
        cr_expect(floor->tcp_floor);
        // A turn has a measured slice too.
        cr_expect_gt(floor->floor_every, 2u);
        for (size_t s = 0; s < plan.num_stages; s++) {
            const struct ekb_plan_stage *stage = &plan.stages[s];
            cr_expect(stage == floor || !stage->tcp_floor, "%s", stage->name);
            for (size_t a = 0; a < stage->num_arms; a++) {
                cr_expect(stage == floor || !stage->arms[a].bare_tcp, "%s", stage->arms[a].name);
            }
        }
    }
}

// A turn that is not whole gives no tax; fewer than six give no interval.
Test(plan, has_whole_turns_in_its_floor_stage)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        const struct ekb_plan_stage *floor = stage_of(&plan, EKB_PLAN_STAGE_FLOOR);
        const uint32_t num_slices = floor->num_slices - floor->num_warmup;

        cr_expect_eq(num_slices % floor->floor_every, 0u, "%s: %u slices", names[i], num_slices);
        cr_expect_geq(num_slices / floor->floor_every, 6u, "%s: %u slices", names[i], num_slices);
    }
}

Test(plan, has_blocks_of_a_its_twin_and_b_in_its_load_stage)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        const struct ekb_plan_stage *load = stage_of(&plan, EKB_PLAN_STAGE_LOAD);

        cr_assert_eq(load->num_arms, (size_t)EKB_QUADRUPLE_NUM_ARMS, "%zu", load->num_arms);
        const struct ekb_plan_arm *a = &load->arms[EKB_QUADRUPLE_A];
        const struct ekb_plan_arm *twin = &load->arms[EKB_QUADRUPLE_TWIN];
        const struct ekb_plan_arm *b = &load->arms[EKB_QUADRUPLE_B];
        expect_alike(a, twin, 0);
        expect_alike(a, b, EXCEPT_EKU);
        cr_expect_eq(a->policy.eku, EKB_EKU_ON);
        cr_expect_eq(b->policy.eku, EKB_EKU_NONE);
    }
}

Test(plan, has_whole_quadruples_with_something_to_measure_in_its_load_stage)
{
    static const uint32_t num_quadruples[NUM_NAMES] = {8, 10};
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        const struct ekb_plan_stage *load = stage_of(&plan, EKB_PLAN_STAGE_LOAD);
        const uint32_t num_slices = load->num_slices - load->num_warmup;

        cr_expect_gt(load->block_slices, load->washout_slices, "%s", names[i]);
        cr_expect_gt(load->washout_slices, 0u, "%s", names[i]);
        cr_expect_eq(num_slices, num_quadruples[i] * EKB_QUADRUPLE_LEN * load->block_slices,
                     "%s: %u slices", names[i], num_slices);
        for (size_t s = 0; s < plan.num_stages; s++) {
            cr_expect(&plan.stages[s] == load || plan.stages[s].block_slices == 0, "%s",
                      plan.stages[s].name);
        }
    }
}

// The more are in flight, the longer the connections of the block before take to end.
Test(plan, has_longer_blocks_when_more_are_in_flight)
{
    const struct ekb_plan usual = builtin("standard");
    const struct ekb_plan_stage *usual_load = stage_of(&usual, EKB_PLAN_STAGE_LOAD);
    static const struct {
        uint32_t in_flight;
        uint32_t factor;
    } rows[] = {{1, 1}, {2000, 1}, {2001, 2}, {4000, 2}, {5000, 3}, {20000, 10}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ekb_plan plan;
        const struct ekb_plan_settings settings = {.in_flight = rows[i].in_flight};
        cr_assert_eq(ekb_plan_builtin(&plan, "standard", &settings), EKB_OK);
        const struct ekb_plan_stage *load = stage_of(&plan, EKB_PLAN_STAGE_LOAD);
        cr_expect_eq(load->washout_slices, usual_load->washout_slices * rows[i].factor);
        cr_expect_eq(load->block_slices, usual_load->block_slices * rows[i].factor);
        cr_expect_eq(load->num_warmup, usual_load->num_warmup * rows[i].factor);
        const uint32_t num_slices = load->num_slices - load->num_warmup;
        cr_expect_eq(num_slices % (EKB_QUADRUPLE_LEN * load->block_slices), 0u);
        cr_expect_leq(num_slices * load->slice_ns, 120 * EKB_NS_PER_S, "%u in flight: %llu ns",
                      rows[i].in_flight, (unsigned long long)(num_slices * load->slice_ns));
        cr_expect_gt(num_slices, 0u);
    }
}

Test(plan, compare_has_one_arm_as_it_is_told)
{
    const struct ekb_plan_settings settings = {.in_flight = 5,
                                               .key_type = EKB_KEY_RSA2048,
                                               .key_type_set = true,
                                               .eku = EKB_EKU_NONE,
                                               .eku_set = true,
                                               .depth = 3};
    const struct ekb_plan usual = builtin(EKB_PLAN_COMPARE);
    struct ekb_plan plan;
    cr_assert_eq(ekb_plan_builtin(&plan, EKB_PLAN_COMPARE, &settings), EKB_OK);

    cr_assert_eq(plan.num_stages, 1u);
    cr_assert_eq(plan.stages[0].num_arms, 1u);
    cr_expect_eq(plan.key_type, EKB_KEY_RSA2048);
    cr_expect_eq(plan.stages[0].in_flight, 5u);
    cr_expect_eq(plan.stages[0].arms[0].depth, 3u);
    cr_expect_eq(plan.stages[0].arms[0].policy.eku, EKB_EKU_NONE);
    cr_expect_str_eq(plan.stages[0].arms[0].name, "none-d3");
    cr_expect_eq(usual.key_type, EKB_KEY_P256);
    cr_expect_str_eq(usual.stages[0].arms[0].name, "on-d1");
    cr_expect_eq(ekb_plan_duration_ns(&usual), 2 * EKB_NS_PER_S);
}

Test(plan, load_has_one_arm_for_as_long_as_so_many_in_flight_take)
{
    static const struct {
        uint32_t in_flight;
        uint64_t ramp_ms;
        uint64_t measured_ms;
        uint64_t deadline_ms;
    } rows[] = {{500, 500, 5000, 10000}, {20000, 10000, 20000, 40000}};
    for (size_t i = 0; i < 2; i++) {
        const struct ekb_plan_settings settings = {.in_flight = rows[i].in_flight, .depth = 2};
        struct ekb_plan plan;
        cr_assert_eq(ekb_plan_builtin(&plan, EKB_PLAN_LOAD, &settings), EKB_OK);
        const struct ekb_plan_stage *stage = &plan.stages[0];

        cr_assert_eq(plan.num_stages, 1u);
        cr_assert_eq(stage->num_arms, 1u);
        cr_expect_str_eq(stage->name, EKB_PLAN_STAGE_LOAD);
        cr_expect_str_eq(stage->arms[0].name, "on-d2");
        cr_expect_eq(stage->in_flight, rows[i].in_flight);
        cr_expect_eq(stage->block_slices, 0u);
        cr_expect_eq(stage->ramp_ns, rows[i].ramp_ms * EKB_NS_PER_MS);
        cr_expect_eq(stage->num_warmup * stage->slice_ns, 2 * stage->ramp_ns);
        cr_expect_eq((stage->num_slices - stage->num_warmup) * stage->slice_ns,
                     rows[i].measured_ms * EKB_NS_PER_MS);
        cr_expect_eq(plan.deadline_ns, rows[i].deadline_ms * EKB_NS_PER_MS);
    }
}

// The costs of single handshakes are those of one worker on either side.
Test(plan, has_several_workers_in_its_last_stage_only)
{
    static const char *const all[] = {"quick", "standard", EKB_PLAN_LOAD, EKB_PLAN_COMPARE};
    const struct ekb_plan_settings settings = {.server_workers = 3,
                                               .client_workers = 2,
                                               .listening = EKB_LISTENING_SHARED,
                                               .pin = {.mode = EKB_PIN_OFF}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct ekb_plan plan;
        cr_assert_eq(ekb_plan_builtin(&plan, all[i], &settings), EKB_OK);
        for (size_t s = 0; s < plan.num_stages; s++) {
            const struct ekb_plan_stage *stage = &plan.stages[s];
            const bool is_last = s + 1 == plan.num_stages;
            cr_expect_eq(stage->server_workers, is_last ? 3u : 0u, "%s", stage->name);
            cr_expect_eq(stage->client_workers, is_last ? 2u : 0u, "%s", stage->name);
            cr_expect_eq(stage->listening == EKB_LISTENING_SHARED, is_last, "%s", stage->name);
            cr_expect_eq(stage->pin.mode == EKB_PIN_OFF, is_last, "%s", stage->name);
        }
    }
}

// Whatever is in flight, there is something to measure.
Test(plan, has_a_quadruple_at_least)
{
    const struct ekb_plan_settings settings = {.in_flight = 200000};
    struct ekb_plan plan;
    cr_assert_eq(ekb_plan_builtin(&plan, "standard", &settings), EKB_OK);
    const struct ekb_plan_stage *load = stage_of(&plan, EKB_PLAN_STAGE_LOAD);

    cr_expect_eq(load->num_slices - load->num_warmup, EKB_QUADRUPLE_LEN * load->block_slices);
}

// In the others they are what is compared.
Test(plan, knows_mode_and_depth_with_one_arm_only)
{
    const struct ekb_plan_settings settings[] = {{.depth = 2},
                                                 {.eku = EKB_EKU_ON, .eku_set = true}};
    for (size_t i = 0; i < 2; i++) {
        struct ekb_plan plan = {.seed = 4711};
        cr_expect_eq(ekb_plan_builtin(&plan, "quick", &settings[i]), EKB_USAGE);
        cr_expect_eq(ekb_plan_builtin(&plan, EKB_PLAN_REJECTS, &settings[i]), EKB_USAGE);
        cr_expect_eq(plan.seed, 4711);
    }
}

// Clients that are rejected.

Test(plan, has_clients_with_every_fault_in_rejects)
{
    const struct ekb_plan plan = builtin(EKB_PLAN_REJECTS);
    size_t num_by_fault[EKB_CLIENT_FAULT_NUM] = {0};
    const struct ekb_plan_arm *accepted = arm_of(&plan, EKB_PLAN_STAGE_COST, "on-d1");
    const struct ekb_plan_arm *with_crl = arm_of(&plan, EKB_PLAN_STAGE_COST, "crl-d1");

    for (size_t a = 0; a < plan.stages[0].num_arms; a++) {
        const struct ekb_plan_arm *arm = &plan.stages[0].arms[a];
        const bool looks_up = arm->fault == EKB_CLIENT_FAULT_REVOKED || arm == with_crl;
        num_by_fault[arm->fault]++;
        cr_expect_eq(arm->expect == EKB_EXPECT_ACCEPT, arm->fault == EKB_CLIENT_FAULT_NONE, "%s",
                     arm->name);
        cr_expect(ekb_policy_equal(&arm->policy, looks_up ? &with_crl->policy : &accepted->policy),
                  "%s", arm->name);
        cr_expect_eq(arm->policy.crl, looks_up ? EKB_CRL_ON : EKB_CRL_OFF, "%s", arm->name);
    }

    cr_expect_eq(plan.num_stages, 1);
    cr_expect_eq(num_by_fault[EKB_CLIENT_FAULT_NONE], 3); // The control is one of them.
    for (unsigned fault = 1; fault < EKB_CLIENT_FAULT_NUM; fault++) {
        cr_expect_eq(num_by_fault[fault], 1, "%s",
                     ekb_client_fault_name((enum ekb_client_fault)fault));
    }
    cr_expect_leq(ekb_plan_duration_ns(&plan), 20 * EKB_NS_PER_S);
}

Test(plan, has_no_minted_fault_but_in_rejects)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        for (size_t s = 0; s < plan.num_stages; s++) {
            for (size_t a = 0; a < plan.stages[s].num_arms; a++) {
                cr_expect_eq(plan.stages[s].arms[a].fault, EKB_CLIENT_FAULT_NONE);
            }
        }
    }
}

Test(plan, injects_nothing_when_builtin)
{
    for (size_t i = 0; i < NUM_NAMES; i++) {
        const struct ekb_plan plan = builtin(names[i]);
        for (size_t s = 0; s < plan.num_stages; s++) {
            for (size_t a = 0; a < plan.stages[s].num_arms; a++) {
                cr_expect_eq(plan.stages[s].arms[a].inject_ns, 0u, "%s",
                             plan.stages[s].arms[a].name);
            }
        }
    }
}

// The self-test.

Test(self_test, is_over_in_a_minute)
{
    struct ekb_plan plan;

    ekb_plan_self_test(&plan, 1);

    cr_expect_leq(ekb_plan_duration_ns(&plan), 50 * EKB_NS_PER_S, "%llu ns",
                  (unsigned long long)ekb_plan_duration_ns(&plan));
    cr_expect_gt(ekb_plan_duration_ns(&plan), 0u);
}

Test(self_test, has_one_arm_twice_and_one_for_each_injected_time)
{
    static const uint64_t injected_ns[EKB_PLAN_NUM_INJECTED] = {1000, 5000, 20000};
    static const char *const arm_names[] = {"inject-1us", "inject-5us", "inject-20us"};
    struct ekb_plan plan;

    ekb_plan_self_test(&plan, 1);

    cr_assert_eq(plan.num_stages, 1u);
    cr_assert_eq(plan.stages[0].num_arms, 2u + EKB_PLAN_NUM_INJECTED);
    const struct ekb_plan_arm *plain = arm_of(&plan, EKB_PLAN_STAGE_COST, "on-d1");
    const struct ekb_plan_arm *again = arm_of(&plan, EKB_PLAN_STAGE_COST, "on-d1-again");
    cr_expect_eq(plain->inject_ns, 0u);
    expect_alike(plain, again, 0);
    for (size_t i = 0; i < EKB_PLAN_NUM_INJECTED; i++) {
        const struct ekb_plan_arm *arm = arm_of(&plan, EKB_PLAN_STAGE_COST, arm_names[i]);
        cr_expect_eq(ekb_plan_injected_ns[i], injected_ns[i]);
        cr_expect_eq(arm->inject_ns, injected_ns[i], "%s: %llu", arm->name,
                     (unsigned long long)arm->inject_ns);
        expect_alike(arm, plain, EXCEPT_INJECTED);
    }
}

// What it says of a machine is to hold for a measurement: it is done as the cost stage is.
Test(self_test, has_the_shape_of_the_cost_stage)
{
    const struct ekb_plan usual = builtin("quick");
    const struct ekb_plan_stage *cost = stage_of(&usual, EKB_PLAN_STAGE_COST);
    struct ekb_plan plan;

    ekb_plan_self_test(&plan, 1);

    cr_expect_str_eq(plan.stages[0].name, EKB_PLAN_STAGE_COST);
    cr_expect_eq(plan.stages[0].in_flight, cost->in_flight);
    cr_expect_eq(plan.stages[0].slice_ns, cost->slice_ns);
    cr_expect_eq(plan.stages[0].num_warmup, cost->num_warmup);
    cr_expect_eq(plan.stages[0].client, cost->client);
    cr_expect_eq(plan.stages[0].floor_every, 0u);
    cr_expect_eq(plan.stages[0].block_slices, 0u);
    cr_expect_eq(plan.version, usual.version);
    cr_expect_eq(plan.key_type, usual.key_type);
    expect_alike(&plan.stages[0].arms[0], arm_of(&usual, EKB_PLAN_STAGE_COST, "on-d1"), 0);
}

Test(self_test, takes_the_seed_that_it_is_given)
{
    static const uint64_t seeds[] = {1, 2, 4711, UINT64_C(1) << 53};
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        struct ekb_plan plan;

        ekb_plan_self_test(&plan, seeds[i]);

        cr_expect_eq(plan.seed, seeds[i], "%llu", (unsigned long long)plan.seed);
    }
}
