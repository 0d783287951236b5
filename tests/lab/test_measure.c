#include "ekubench/lab/measure.h"

#include "support/fixtures.h"
#include "support/served.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/effects.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)

static struct fixture_dir temporary;
static struct ekb_plan plan;
static struct ekb_record record;
static volatile sig_atomic_t stop;

static struct ekb_plan_arm *add_arm(struct ekb_plan_stage *stage, const char *name,
                                    enum ekb_eku_mode mode, unsigned depth)
{
    struct ekb_plan_arm *arm = &stage->arms[stage->num_arms++];
    arm->policy = ekb_policy_default();
    arm->policy.eku = mode;
    arm->depth = depth;
    arm->client_eku = BOTH;
    arm->server_depth = 1;
    arm->expect = EKB_EXPECT_ACCEPT;
    (void)snprintf(arm->name, sizeof arm->name, "%s", name);
    return arm;
}

// A plan of about five seconds: everything that a real one has, in short slices.
static void make_plan(void)
{
    plan = (struct ekb_plan){.name = "tiny",
                             .seed = 5,
                             .version = EKB_TLS_1_3,
                             .key_type = EKB_KEY_P256,
                             .deadline_ns = 5 * EKB_NS_PER_S,
                             .num_stages = 3};
    struct ekb_plan_stage *cost = &plan.stages[0];
    *cost = (struct ekb_plan_stage){.name = EKB_PLAN_STAGE_COST,
                                    .in_flight = 2,
                                    .slice_ns = 100 * EKB_NS_PER_MS,
                                    .num_warmup = 1,
                                    .num_slices = 1 + 12};
    (void)add_arm(cost, "on-d1", EKB_EKU_ON, 1);
    (void)add_arm(cost, "none-d1", EKB_EKU_NONE, 1);
    (void)add_arm(cost, "on-d1-again", EKB_EKU_ON, 1);
    struct ekb_plan_arm *rejected = add_arm(cost, "reject-d1", EKB_EKU_ON, 1);
    rejected->client_eku = EKB_EKU_SERVER_AUTH;
    rejected->expect = EKB_EXPECT_REJECT;
    struct ekb_plan_stage *floor = &plan.stages[1];
    *floor = (struct ekb_plan_stage){.name = EKB_PLAN_STAGE_FLOOR,
                                     .in_flight = 8,
                                     .slice_ns = 50 * EKB_NS_PER_MS,
                                     .num_warmup = 1,
                                     .num_slices = 1 + 21,
                                     .floor_every = 3,
                                     .tcp_floor = true};
    (void)add_arm(floor, "on-d1", EKB_EKU_ON, 1);
    add_arm(floor, EKB_PLAN_TCP_ARM, EKB_EKU_ON, 1)->bare_tcp = true;
    struct ekb_plan_stage *load = &plan.stages[2];
    *load = (struct ekb_plan_stage){.name = EKB_PLAN_STAGE_LOAD,
                                    .in_flight = 20,
                                    .slice_ns = 50 * EKB_NS_PER_MS,
                                    .num_warmup = 1,
                                    .num_slices = 1 + 6 * 4 * 2,
                                    .block_slices = 2,
                                    .washout_slices = 1};
    (void)add_arm(load, "on", EKB_EKU_ON, 1);
    (void)add_arm(load, "on-again", EKB_EKU_ON, 1);
    (void)add_arm(load, "none", EKB_EKU_NONE, 1);
}

static void set_up(void)
{
    skip_without_io_uring();
    fixture_dir_init(&temporary);
    cr_assert_eq(setenv("TMPDIR", temporary.path, 1), 0);
    make_plan();
}

static void tear_down(void)
{
    ekb_record_deinit(&record);
    fixture_dir_deinit(&temporary);
}

TestSuite(measure, .init = set_up, .fini = tear_down, .timeout = 90);

static enum ekb_err run(struct ekb_fail *reterr_fail)
{
    const struct ekb_session_control control = {.stop = &stop};
    return ekb_measure_run(&record, &plan, &control, reterr_fail);
}

static void run_well(void)
{
    struct ekb_fail fail = {0};
    const enum ekb_err err = run(&fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

// No reason may speak of outcomes or counts. Steal and the control are the machine's business.
static void expect_no_reason_about(const char *word)
{
    for (size_t i = 0; i < record.num_reasons; i++) {
        cr_expect(strstr(record.reasons[i], word) == NULL, "%s", record.reasons[i]);
    }
}

static void expect_left_behind_nothing(void)
{
    DIR *dir = opendir(temporary.path);
    cr_assert_not_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        cr_expect(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0,
                  "%s is left in TMPDIR", entry->d_name);
    }
    (void)closedir(dir);
    cr_expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a process is left");
}

static void expect_reconciled(const struct ekb_record_arm *arm)
{
    const struct ekb_record_outcomes *const sides[] = {&arm->client, &arm->server};
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(sides[i]->started,
                     sides[i]->accepted + sides[i]->rejected + sides[i]->failed +
                         sides[i]->unfinished,
                     "%s/%s, side %zu", arm->stage, arm->name, i);
    }
    cr_expect_eq(arm->client.accepted, arm->server.accepted, "%s/%s", arm->stage, arm->name);
    cr_expect_eq(arm->client.rejected, arm->server.rejected, "%s/%s", arm->stage, arm->name);
}

static void expect_outcomes_that_reconcile(void)
{
    cr_assert_eq(record.num_arms, 9);
    for (size_t i = 0; i < record.num_arms; i++) {
        const struct ekb_record_arm *arm = &record.arms[i];
        const bool accept = strcmp(arm->name, "reject-d1") != 0;
        cr_expect_gt(arm->client.started, 0, "%s/%s", arm->stage, arm->name);
        cr_expect_eq(arm->client.accepted, accept ? arm->client.started : 0, "%s/%s", arm->stage,
                     arm->name);
        cr_expect_eq(arm->client.rejected, accept ? 0 : arm->client.started, "%s/%s", arm->stage,
                     arm->name);
        expect_reconciled(arm);
    }
    expect_no_reason_about("expected to");
    expect_no_reason_about("counts");
    expect_no_reason_about("overflow");
    cr_expect(!record.interrupted);
}

// Far more than a handshake takes on any machine, so that the least of an arm shows it.
#define INJECTED_NS (20 * EKB_NS_PER_MS)

Test(measure, wastes_the_time_that_is_injected_into_an_arm)
{
    plan.num_stages = 1;
    plan.stages[0].num_arms = 2;
    plan.stages[0].arms[1].inject_ns = INJECTED_NS;

    run_well();

    cr_assert_eq(record.num_arms, 2u);
    const struct ekb_record_summary *const plain = &record.arms[0].server_cpu_ns;
    const struct ekb_record_summary *const injected = &record.arms[1].server_cpu_ns;
    cr_assert(plain->known && injected->known);
    cr_expect_geq(injected->moments.min, INJECTED_NS, "%llu ns",
                  (unsigned long long)injected->moments.min);
    cr_expect_lt(plain->moments.min, INJECTED_NS, "%llu ns",
                 (unsigned long long)plain->moments.min);
}

static void expect_the_plan_that_it_ran(void)
{
    cr_expect_str_eq(record.kind, "measure");
    cr_expect_str_eq(record.plan.name, "tiny");
    cr_expect_eq(record.plan.seed, 5);
    cr_expect_str_eq(record.plan.tls, "1.3");
    cr_expect_str_eq(record.plan.key, "p256");
    cr_expect_eq(strncmp(record.plan.cipher, "TLS_", 4), 0, "%s", record.plan.cipher);
    cr_assert_eq(record.plan.num_stages, 3);
    cr_expect_eq(record.plan.stages[0].num_slices, 12);
    cr_expect_eq(record.plan.stages[1].floor_every, 3);
    const struct ekb_record_arm *rejected = ekb_record_find_arm(&record, "cost", "reject-d1");
    cr_assert_not_null(rejected);
    cr_expect_str_eq(rejected->client_eku, "serverAuth");
    cr_expect_str_eq(rejected->expect, "reject");
    cr_expect_geq(record.duration_ns, ekb_plan_duration_ns(&plan));
}

static void expect_effects_of_the_cost_stage(void)
{
    bool has_control = false;
    bool has_eku = false;
    bool has_reject = false;
    for (size_t i = 0; i < record.num_effects; i++) {
        // On a quiet machine the blocks of the load stage have effects too.
        if (strcmp(record.effects[i].question, EKB_EFFECT_LOAD) == 0 ||
            strcmp(record.effects[i].stage, EKB_STAGE_LOAD) == 0) {
            cr_expect_str_eq(record.effects[i].stage, EKB_STAGE_LOAD);
            continue;
        }
        has_control |= strcmp(record.effects[i].question, EKB_EFFECT_CONTROL) == 0;
        has_eku |= strcmp(record.effects[i].question, EKB_EFFECT_EKU) == 0;
        has_reject |= strcmp(record.effects[i].question, EKB_EFFECT_REJECT) == 0;
        cr_expect_str_eq(record.effects[i].stage, "cost");
    }
    // A busy machine may leave too few slices for any.
    const struct ekb_record_stage *stage = &record.plan.stages[0];
    const bool enough = stage->num_slices - stage->num_slices_dropped >= EKB_ESTIMATE_MIN_N;
    cr_expect_eq(has_control, enough);
    cr_expect_eq(has_eku, enough);
    cr_expect_eq(has_reject, enough);
}

static void expect_floors_of_the_floor_stage(void)
{
    const struct ekb_record_side_floor *const sides[] = {&record.server_floor,
                                                         &record.client_floor};
    cr_assert(record.floors_known);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(sides[i]->memory_ns.known, "side %zu", i);
        cr_expect_gt(sides[i]->memory_ns.moments.count, 0, "side %zu", i);
    }
    // Seven slices measure the floor, and six are enough for an interval.
    for (size_t i = 0; i < 2 && record.plan.stages[1].num_slices_dropped <= 1; i++) {
        cr_assert(sides[i]->interval_known, "side %zu", i);
        cr_assert(sides[i]->steps_over_memory.known, "side %zu", i);
        cr_expect_gt(sides[i]->steps_over_memory.value, 0, "side %zu", i);
    }
}

static void expect_throughput_and_cpu_of_every_stage(void)
{
    cr_expect_eq(record.num_throughput, 5 + 3 + 1);
    cr_assert_eq(record.num_server_cpu, 3);
    cr_assert_eq(record.num_client_cpu, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct ekb_record_cpu *cpu = &record.server_cpu[i];
        const struct ekb_record_stage *stage = &record.plan.stages[i];
        cr_expect_str_eq(cpu->stage, stage->name);
        cr_expect_leq(cpu->window_ns, stage->duration_ns, "%s", stage->name);
        if (stage->num_slices_dropped < stage->num_slices / 2) {
            cr_expect_gt(cpu->total_ns, 0, "%s", stage->name);
            cr_expect_gt(cpu->handshakes, 0, "%s", stage->name);
        }
    }
}

static void expect_a_valid_result(void)
{
    char command[1200];
    char path[512];
    char *json = NULL;
    cr_assert_eq(ekb_record_to_json(&json, &record), EKB_OK);
    fixture_write_text(fixture_dir_file(path, &temporary, "result.json"), json);
    free(json);
    (void)snprintf(command, sizeof command, "'%s/../scripts/check-result.sh' '%s'", EKB_TEST_DIR,
                   path);
    const int status = system(command);

    cr_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        cr_skip_test("there is no validator");
    }
    cr_expect_eq(WEXITSTATUS(status), 0, "the result is not valid");
}

// One run for all: it takes five seconds.
Test(measure, runs_a_plan_of_every_kind_of_stage)
{
    run_well();

    expect_outcomes_that_reconcile();
    expect_the_plan_that_it_ran();
    expect_effects_of_the_cost_stage();
    expect_floors_of_the_floor_stage();
    expect_throughput_and_cpu_of_every_stage();
    expect_left_behind_nothing();
    expect_a_valid_result();
}

Test(measure, runs_with_tls_1_2)
{
    plan.version = EKB_TLS_1_2;
    plan.num_stages = 1;

    run_well();

    const struct ekb_record_arm *arm = ekb_record_find_arm(&record, "cost", "on-d1");
    cr_assert_not_null(arm);
    cr_expect_gt(arm->client.accepted, 0);
    cr_expect_str_eq(arm->tls, "1.2");
    expect_no_reason_about("expected to");
}

struct reject_case {
    const char *arm;
    const char *err;                          // As the server sees it,
    const char *alerts[EKB_TLS_NUM_VERSIONS]; // and what the client is told.
};

// count_is is true if of `counts` there is `name` alone, `wanted` times.
static bool count_is(const struct ekb_record_counts *counts, const char *name, uint64_t wanted)
{
    return counts->num_items == 1 && strcmp(counts->items[0].name, name) == 0 &&
           counts->items[0].count == wanted;
}

// run_rejects runs the stage of the plan "rejects", in a few short slices.
static void run_rejects(enum ekb_tls_version version)
{
    const struct ekb_plan_settings settings = {.version = version, .version_set = true};
    cr_assert_eq(ekb_plan_builtin(&plan, EKB_PLAN_REJECTS, &settings), EKB_OK);
    plan.stages[0].slice_ns = 100 * EKB_NS_PER_MS;
    plan.stages[0].num_warmup = 1;
    plan.stages[0].num_slices = 1 + 12;
    run_well();
    expect_no_reason_about("expected to");
    expect_no_reason_about("counts");
}

Test(measure, rejects_each_kind_of_client_with_the_alert_that_fits)
{
#define BOTH_VERSIONS(alert)                                                                       \
    {                                                                                              \
        [EKB_TLS_1_2] = (alert), [EKB_TLS_1_3] = (alert)                                           \
    }
    static const struct reject_case cases[] = {
        {"reject-d1", "verify_purpose", BOTH_VERSIONS("unsupported_certificate")},
        {"reject-ca-d1", "verify_no_local_issuer", BOTH_VERSIONS("unknown_ca")},
        {"reject-expired-d1", "verify_expired", BOTH_VERSIONS("certificate_expired")},
        {"reject-revoked-d1", "verify_revoked", BOTH_VERSIONS("certificate_revoked")},
        {"reject-none",
         "tls_no_certificate",
         {[EKB_TLS_1_2] = "handshake_failure", [EKB_TLS_1_3] = "certificate_required"}},
    };
    static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};

    for (size_t v = 0; v < 2; v++) {
        run_rejects(versions[v]);

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            const struct ekb_record_arm *arm =
                ekb_record_find_arm(&record, EKB_STAGE_COST, cases[i].arm);
            const char *alert = cases[i].alerts[versions[v]];
            cr_assert_not_null(arm, "%s", cases[i].arm);
            cr_expect_gt(arm->client.rejected, 0, "%s, %s", arm->name, arm->tls);
            cr_expect_eq(arm->client.accepted, 0, "%s, %s", arm->name, arm->tls);
            cr_expect(count_is(&arm->client.alerts, alert, arm->client.rejected), "%s, %s: no %s",
                      arm->name, arm->tls, alert);
            cr_expect(count_is(&arm->server.failures, cases[i].err, arm->server.rejected),
                      "%s, %s: not %s but %s", arm->name, arm->tls, cases[i].err,
                      arm->server.failures.num_items > 0 ? arm->server.failures.items[0].name : "");
            cr_expect(arm->latency_ns.known, "%s", arm->name);
            expect_reconciled(arm);
        }
        for (size_t i = 0; i < 3; i++) {
            cr_expect_gt(record.arms[i].client.accepted, 0, "%s", record.arms[i].name);
            cr_expect_eq(record.arms[i].client.rejected, 0, "%s", record.arms[i].name);
        }
        ekb_record_deinit(&record);
        record = (struct ekb_record){0};
    }
}

Test(measure, compares_each_kind_of_rejected_client_to_an_accepted_one)
{
    static const char *const contrasts[] = {"reject-d1 - on-d1", "reject-ca-d1 - on-d1",
                                            "reject-expired-d1 - on-d1",
                                            "reject-revoked-d1 - crl-d1", "reject-none - on-d1"};
    run_rejects(EKB_TLS_1_3);
    // A busy machine may leave too few slices for any.
    const struct ekb_record_stage *stage = &record.plan.stages[0];
    const bool enough = stage->num_slices - stage->num_slices_dropped >= EKB_ESTIMATE_MIN_N;

    for (size_t i = 0; i < sizeof contrasts / sizeof contrasts[0]; i++) {
        bool found = false;
        for (size_t j = 0; j < record.num_effects; j++) {
            found = found || (strcmp(record.effects[j].question, EKB_EFFECT_REJECT) == 0 &&
                              strcmp(record.effects[j].contrast, contrasts[i]) == 0);
        }
        cr_expect_eq(found, enough, "%s", contrasts[i]);
    }
}

// Two workers, so that the one which resumes a session is often not the one that gave the ticket.
Test(measure, resumes_what_any_worker_of_the_server_has_given)
{
    struct ekb_plan_stage *cost = &plan.stages[0];
    plan.num_stages = 1;
    cost->num_arms = 0;
    cost->server_workers = 2;
    add_arm(cost, EKB_PLAN_TICKETS_ARM, EKB_EKU_ON, 1)->tickets = true;
    add_arm(cost, EKB_PLAN_RESUMED_ARM, EKB_EKU_ON, 1)->resumes = true;

    run_well();

    const struct ekb_record_arm *full = ekb_record_find_arm(&record, "cost", EKB_ARM_TICKETS);
    const struct ekb_record_arm *resumed = ekb_record_find_arm(&record, "cost", EKB_ARM_RESUMED);
    cr_expect_eq(full->client.resumed, 0u);
    cr_expect_gt(resumed->client.accepted, 10u);
    cr_expect_eq(resumed->client.resumed, resumed->client.accepted);
    cr_expect_eq(resumed->server.resumed, resumed->server.accepted);
    expect_no_reason_about("resumed");
}

static void on_alarm(int number)
{
    (void)number;
    stop = 1;
}

Test(measure, keeps_what_it_has_when_interrupted)
{
    struct sigaction action = {.sa_handler = on_alarm};
    cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
    plan.stages[0].num_slices = 600;
    (void)alarm(1);

    run_well();

    cr_expect(record.interrupted);
    cr_expect(!ekb_record_is_clean(&record));
    cr_expect_eq(record.plan.num_stages, 1, "the next stage was begun");
    cr_expect_eq(record.num_arms, 4);
    cr_expect_gt(record.arms[0].client.accepted, 0);
    for (size_t i = 0; i < record.num_arms; i++) {
        const struct ekb_record_outcomes *ours = &record.arms[i].client;
        cr_expect_eq(ours->started,
                     ours->accepted + ours->rejected + ours->failed + ours->unfinished);
    }
    expect_left_behind_nothing();
}

Test(measure, is_not_clean_when_an_outcome_is_not_expected)
{
    plan.num_stages = 1;
    plan.stages[0].arms[1].expect = EKB_EXPECT_REJECT;

    run_well();

    cr_expect(!ekb_record_is_clean(&record));
    bool found = false;
    for (size_t i = 0; i < record.num_reasons; i++) {
        found |= strstr(record.reasons[i], "cost/none-d1: expected to reject") != NULL;
    }
    cr_expect(found, "%s", record.reasons[0]);
}

Test(measure, says_why_when_stores_cannot_be_made)
{
    struct ekb_fail fail = {0};
    cr_assert_eq(setenv("TMPDIR", "/nonexistent/tmp", 1), 0);

    const enum ekb_err err = run(&fail);

    cr_expect_neq(err, EKB_OK);
    cr_expect(strstr(fail.detail, "/nonexistent/tmp") != NULL, "%s", fail.detail);
    cr_expect_eq(record.num_arms, 0);
}

// The cross-check.

// A load stage with `in_flight` connections whose mean latency is 10 ms, at 1000/s: ten in flight.
static void make_load(uint64_t in_flight)
{
    record.plan.stages = calloc(1, sizeof record.plan.stages[0]);
    record.arms = calloc(1, sizeof record.arms[0]);
    record.throughput = calloc(1, sizeof record.throughput[0]);
    cr_assert(record.plan.stages != NULL && record.arms != NULL && record.throughput != NULL);
    record.plan.num_stages = 1;
    record.num_arms = 1;
    record.num_throughput = 1;
    (void)snprintf(record.plan.stages[0].name, sizeof record.plan.stages[0].name, "load");
    (void)snprintf(record.arms[0].stage, sizeof record.arms[0].stage, "load");
    (void)snprintf(record.throughput[0].stage, sizeof record.throughput[0].stage, "load");
    record.plan.stages[0].in_flight = in_flight;
    record.throughput[0].accepted_per_s = 1000;
    record.arms[0].latency_ns.known = true;
    for (int i = 0; i < 100; i++) {
        ekb_moments_add(&record.arms[0].latency_ns.moments, 10 * EKB_NS_PER_MS);
    }
}

Test(measure, notes_nothing_when_rate_and_latency_agree)
{
    make_load(10);

    ekb_measure_cross_check(&record);

    cr_expect_eq(record.num_notes, 0, "%s", record.notes[0]);
}

Test(measure, notes_it_when_rate_and_latency_disagree)
{
    make_load(20);

    ekb_measure_cross_check(&record);

    cr_assert_eq(record.num_notes, 1);
    cr_expect(strstr(record.notes[0], "10 in flight where 20 were kept") != NULL, "%s",
              record.notes[0]);
    cr_expect(ekb_record_is_clean(&record));
}
