#include "ekubench/lab/workload.h"

#include "ekubench/lab/measure.h"
#include "ekubench/lab/scenario.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ekb_deployment *deployment;
static struct ekb_workload *workload;
static struct ekb_fail fail;

static void set_up(void)
{
    deployment = calloc(1, sizeof *deployment);
    cr_assert_not_null(deployment);
    workload = NULL;
    fail = (struct ekb_fail){.err = EKB_OK};
}

static void tear_down(void)
{
    ekb_workload_destroy(workload);
    free(deployment);
}

TestSuite(workload, .init = set_up, .fini = tear_down, .timeout = 60);

static enum ekb_err make(const char *name, enum ekb_release release)
{
    const struct ekb_workload_terms terms = {.release = release, .version = EKB_TLS_1_3};
    cr_assert_eq(ekb_deployment_open(deployment, name, &fail), EKB_OK, "%s", fail.detail);
    return ekb_workload_create(&workload, deployment, &terms, &fail);
}

// The arms as one text: "uc-zone-on+ ssh-tunnel-", accepted or rejected.
static const char *arms_of(char out_text[512])
{
    out_text[0] = '\0';
    for (size_t i = 0; i < ekb_workload_num_arms(workload); i++) {
        const struct ekb_plan_arm *arm = ekb_workload_arm(workload, i);
        const size_t len = strlen(out_text);
        (void)snprintf(out_text + len, 512 - len, "%s%s%c", len > 0 ? " " : "", arm->name,
                       arm->expect == EKB_EXPECT_ACCEPT   ? '+'
                       : arm->expect == EKB_EXPECT_REJECT ? '-'
                                                          : '!');
    }
    return out_text;
}

Test(workload, has_an_arm_for_each_connection_and_mode_and_knows_what_comes_of_it)
{
    static const struct {
        const char *name;
        enum ekb_release release;
        const char *arms;
    } rows[] = {
        {"condition-2.1", EKB_RELEASE_X15_5,
         "uc-zone-on+ uc-zone-off+ uc-zone-none+ ssh-tunnel+ traffic-server+"},
        {"test-case-1", EKB_RELEASE_X15_5, "uc-zone-on- uc-zone-none+ ssh-tunnel- traffic-server+"},
        {"test-case-2", EKB_RELEASE_X15_5,
         "uc-zone-off+ uc-zone-none+ ssh-tunnel- traffic-server+"},
        // The far end of b2b-on has a mode of its own.
        {"condition-4", EKB_RELEASE_X15_5,
         "uc-zone-on+ uc-zone-off+ uc-zone-none+ ssh-tunnel+ traffic-server+ b2b-on-on- "
         "b2b-on-none+ b2b-off-off+ b2b-off-none+"},
        // No switch, and one store.
        {"condition-1", EKB_RELEASE_X15_4, "uc-zone-on+ uc-zone-none+ ssh-tunnel+ traffic-server+"},
        // A far end that does not know the CA rejects, whatever usage it asks for.
        {"condition-3", EKB_RELEASE_X15_5,
         "uc-zone-on+ uc-zone-off+ uc-zone-none+ ssh-tunnel+ traffic-server+ b2b-on- b2b-none-"},
        // C refuses the server.
        {"traffic-2", EKB_RELEASE_X15_5, "traffic-server!"},
        // Nobody is verified.
        {"traffic-1", EKB_RELEASE_X14_1, "traffic-server+"},
    };
    char arms[512];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(make(rows[i].name, rows[i].release), EKB_OK, "%s: %s", rows[i].name,
                     fail.detail);
        cr_expect_str_eq(arms_of(arms), rows[i].arms, "%s: %s", rows[i].name, arms);
        ekb_workload_destroy(workload);
        workload = NULL;
    }
}

Test(workload, measures_nothing_that_is_not_as_expected)
{
    static const char text[] = "[deployment]\nname = wrong\nca = CA1\n"
                               "[node C]\nkind = core\nserver = CA1 both\nclient = CA1 both\n"
                               "[node E]\nkind = edge\nserver = CA1 both\nclient = CA1 both\n"
                               "[link uc-zone]\ninitiator = C\nresponder = E\n"
                               "[expect]\nuc-zone = failed\n";
    const struct ekb_workload_terms terms = {.release = EKB_RELEASE_X15_5, .version = EKB_TLS_1_3};
    cr_assert_eq(ekb_deployment_parse(deployment, text, "wrong", &fail), EKB_OK, "%s", fail.detail);
    cr_expect_eq(ekb_workload_create(&workload, deployment, &terms, &fail), EKB_USAGE);
    cr_expect_not_null(strstr(fail.detail, "does not do what is expected of it"), "%s",
                       fail.detail);
}

Test(workload, refuses_names_that_arms_have_no_room_for)
{
    static const char text[] = "[deployment]\nname = long\nca = CA1\n"
                               "[node C]\nkind = core\nserver = CA1 both\nclient = CA1 both\n"
                               "[node E]\nkind = edge\nserver = CA1 both\nclient = CA1 both\n"
                               "[link a-link-of-twenty-letters]\nkind = uc-zone\ninitiator = C\n"
                               "responder = E\n";
    const struct ekb_workload_terms terms = {.release = EKB_RELEASE_X15_5, .version = EKB_TLS_1_3};
    cr_assert_eq(ekb_deployment_parse(deployment, text, "long", &fail), EKB_OK, "%s", fail.detail);
    cr_expect_eq(ekb_workload_create(&workload, deployment, &terms, &fail), EKB_USAGE);
    cr_expect_not_null(strstr(fail.detail, "at most"), "%s", fail.detail);
}

// What a text about C and E makes; the link comes last.
static enum ekb_err make_of(const char *links)
{
    char text[2048];
    const struct ekb_workload_terms terms = {.release = EKB_RELEASE_X15_5, .version = EKB_TLS_1_3};
    (void)snprintf(text, sizeof text,
                   "[deployment]\nname = own\nca = CA1\n"
                   "[node C]\nkind = core\nserver = CA1 both\nclient = CA1 both\n"
                   "[node E]\nkind = edge\nserver = CA1 both\nclient = CA1 both\n%s",
                   links);
    cr_assert_eq(ekb_deployment_parse(deployment, text, "own", &fail), EKB_OK, "%s", fail.detail);
    return ekb_workload_create(&workload, deployment, &terms, &fail);
}

#define ZONE(name) "[link " name "]\nkind = uc-zone\ninitiator = C\nresponder = E\n"
#define TUNNEL(name) "[link " name "]\nkind = ssh-tunnel\ninitiator = C\nresponder = E\n"

Test(workload, refuses_names_that_would_be_those_of_other_arms)
{
    cr_expect_eq(make_of(ZONE("zone") TUNNEL("zone-on")), EKB_USAGE);
    cr_expect_not_null(strstr(fail.detail, "[link zone-on]"), "%s", fail.detail);
    cr_expect_eq(make_of(ZONE("zone") TUNNEL("zone-on-again")), EKB_USAGE);
    cr_expect_not_null(strstr(fail.detail, "what a control is called"), "%s", fail.detail);
}

// Without a usage to ask for, the name may still be wrong.
Test(workload, expects_of_the_baseline_what_comes_of_it)
{
    static const char text[] =
        "[deployment]\nname = own\nca = CA1\neku-mode = off\n"
        "[node far]\nkind = far\nnamed = no\nserver = CA1 both\nclient = CA1 client\n"
        "[node E]\nkind = edge\nserver = CA1 both\nclient = CA1 both\n"
        "[link neighbor]\ninitiator = far\nresponder = E\n";
    const struct ekb_workload_terms terms = {.release = EKB_RELEASE_X15_5, .version = EKB_TLS_1_3};
    char arms[512];
    cr_assert_eq(ekb_deployment_parse(deployment, text, "own", &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_workload_create(&workload, deployment, &terms, &fail), EKB_OK, "%s",
                 fail.detail);
    cr_expect_str_eq(arms_of(arms), "neighbor-off- neighbor-none-", "%s", arms);
}

// What is presented is the server's certificate where there is one store, and the client's else.
Test(workload, presents_what_the_release_has)
{
    cr_assert_eq(make("condition-1", EKB_RELEASE_X15_4), EKB_OK, "%s", fail.detail);
    cr_expect(ekb_workload_arm(workload, 0)->link->presents_server);
    ekb_workload_destroy(workload);
    workload = NULL;
    cr_assert_eq(make("condition-1", EKB_RELEASE_X15_5), EKB_OK, "%s", fail.detail);
    const struct ekb_plan_arm *arm = ekb_workload_arm(workload, 0);
    cr_expect_not(arm->link->presents_server);
    cr_expect_eq(arm->depth, 1u);
    cr_expect_eq(arm->client_eku, EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH);
}

Test(workload, finds_an_accepted_link)
{
    const enum ekb_eku_mode on = EKB_EKU_ON;
    const enum ekb_eku_mode off = EKB_EKU_OFF;
    const enum ekb_eku_mode none = EKB_EKU_NONE;
    cr_assert_eq(make("test-case-2", EKB_RELEASE_X15_5), EKB_OK, "%s", fail.detail);
    cr_expect_str_eq(ekb_workload_find(workload, NULL, NULL)->name, "uc-zone-off");
    cr_expect_str_eq(ekb_workload_find(workload, "uc-zone", &off)->name, "uc-zone-off");
    cr_expect_str_eq(ekb_workload_find(workload, "uc-zone", &none)->name, "uc-zone-none");
    cr_expect_str_eq(ekb_workload_find(workload, NULL, &on)->name, "traffic-server");
    cr_expect_null(ekb_workload_find(workload, "uc-zone", &on), "it is not the deployment's");
    cr_expect_null(ekb_workload_find(workload, "ssh-tunnel", NULL), "it is rejected");
    cr_expect_null(ekb_workload_find(workload, "b2b", NULL), "there is none");
    cr_expect_str_eq(ekb_workload_link_of(workload, ekb_workload_find(workload, NULL, &on)),
                     "traffic-server");
}

// The contrasts of a stage as one text.
static const char *contrasts_of(char out_text[1024], const struct ekb_plan_stage *stage)
{
    out_text[0] = '\0';
    for (size_t i = 0; i < stage->num_contrasts; i++) {
        const size_t len = strlen(out_text);
        (void)snprintf(out_text + len, 1024 - len, "%s%s - %s%s", len > 0 ? ", " : "",
                       stage->contrasts[i].treated, stage->contrasts[i].control,
                       strcmp(stage->contrasts[i].question, EKB_EFFECT_LINK) == 0 ? ""
                                                                                  : " (rejected)");
    }
    return out_text;
}

Test(workload, makes_a_plan_of_its_links)
{
    struct ekb_plan plan;
    const struct ekb_plan_settings settings = {0};
    char text[1024];
    cr_assert_eq(make("condition-4", EKB_RELEASE_X15_5), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_plan_builtin(&plan, "quick", &settings), EKB_OK);
    ekb_workload_apply(&plan, workload);
    cr_expect_str_eq(plan.scenario, "condition-4");
    cr_expect_str_eq(plan.release, "X15.5");
    cr_assert_eq(plan.num_stages, 2u);
    cr_expect_eq(plan.stages[0].num_arms, ekb_workload_num_arms(workload) + 1);
    cr_expect_str_eq(plan.stages[0].arms[plan.stages[0].num_arms - 1].name, "uc-zone-on-again");
    cr_expect_str_eq(contrasts_of(text, &plan.stages[0]),
                     "uc-zone-on - uc-zone-none, uc-zone-on - uc-zone-off, uc-zone-off - "
                     "uc-zone-none, b2b-on-on - b2b-on-none (rejected), b2b-off-off - b2b-off-none",
                     "%s", text);
    cr_assert_eq(plan.stages[1].num_arms, 3u);
    cr_expect_str_eq(plan.stages[1].arms[0].name, "uc-zone-on");
    cr_expect_str_eq(plan.stages[1].arms[1].name, "uc-zone-on-again");
    cr_expect_str_eq(plan.stages[1].arms[2].name, "uc-zone-none");
}

Test(workload, has_no_load_stage_where_the_check_makes_no_difference)
{
    struct ekb_plan plan;
    const struct ekb_plan_settings settings = {0};
    cr_assert_eq(make("test-case-1", EKB_RELEASE_X15_5), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_plan_builtin(&plan, "standard", &settings), EKB_OK);
    ekb_workload_apply(&plan, workload);
    cr_expect_eq(plan.num_stages, 1u);
}

// run_short measures the workload for a second or so, without the load stage.
static void run_short(struct ekb_record *out_record, enum ekb_tls_version version)
{
    struct ekb_plan plan;
    const struct ekb_session_control control = {.stop = NULL};
    const struct ekb_plan_settings settings = {.version = version, .version_set = true};
    cr_assert_eq(ekb_plan_builtin(&plan, "quick", &settings), EKB_OK);
    ekb_workload_apply(&plan, workload);
    plan.num_stages = 1;
    plan.stages[0].slice_ns = 100 * EKB_NS_PER_MS;
    plan.stages[0].num_warmup = 2;
    plan.stages[0].num_slices = 7;
    cr_assert_eq(ekb_measure_run(out_record, &plan, &control, &fail), EKB_OK, "%s", fail.detail);
}

Test(workload, is_measured_and_each_link_does_what_it_did_when_it_was_looked_at)
{
    static const struct {
        const char *name;
        enum ekb_release release;
        enum ekb_tls_version version;
    } rows[] = {{"condition-4", EKB_RELEASE_X15_5, EKB_TLS_1_3},
                {"condition-4", EKB_RELEASE_X15_5, EKB_TLS_1_2},
                {"condition-1", EKB_RELEASE_X15_4, EKB_TLS_1_3},
                {"traffic-1", EKB_RELEASE_X14_1, EKB_TLS_1_2},
                {"traffic-1", EKB_RELEASE_X15_5, EKB_TLS_1_2},
                {"traffic-3", EKB_RELEASE_X15_5, EKB_TLS_1_3},
                {"scenario-2", EKB_RELEASE_X15_5, EKB_TLS_1_3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ekb_record record = {0};
        cr_assert_eq(make(rows[i].name, rows[i].release), EKB_OK, "%s", fail.detail);
        run_short(&record, rows[i].version);
        cr_expect_str_eq(record.plan.scenario, rows[i].name);
        cr_assert_eq(record.num_arms, ekb_workload_num_arms(workload) + 1);
        for (size_t j = 0; j < record.num_arms; j++) {
            const struct ekb_record_arm *arm = &record.arms[j];
            const struct ekb_record_outcomes *client = &arm->client;
            const uint64_t expected = strcmp(arm->expect, "accept") == 0   ? client->accepted
                                      : strcmp(arm->expect, "reject") == 0 ? client->rejected
                                                                           : client->failed;
            cr_expect_gt(expected, 0u, "%s: %s", rows[i].name, arm->name);
            cr_expect_eq(expected + client->unfinished, client->started, "%s: %s", rows[i].name,
                         arm->name);
            cr_expect_gt(arm->server_cpu_ns.moments.count, 0u, "%s: %s is measured", rows[i].name,
                         arm->name);
        }
        for (size_t j = 0; j < record.num_reasons; j++) { // Other work may be a reason.
            cr_expect_null(strstr(record.reasons[j], "expected to"), "%s", record.reasons[j]);
        }
        ekb_record_deinit(&record);
        ekb_workload_destroy(workload);
        workload = NULL;
    }
}
