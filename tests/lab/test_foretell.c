#include "ekubench/lab/foretell.h"

#include "ekubench/lab/scenario.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(foretell, .timeout = 10);

// find_link returns the link called `name`.
static const struct ekb_deployment_link *find_link(const struct ekb_deployment *deployment,
                                                   const char *name)
{
    for (size_t i = 0; i < deployment->num_links; i++) {
        if (strcmp(deployment->links[i].name, name) == 0) {
            return &deployment->links[i];
        }
    }
    cr_assert_fail("%s has no link %s", deployment->name, name);
    return NULL;
}

// What is written beside each built-in deployment is what the rules foretell of it: two accounts of
// the same thing, of which neither knows the other.
Test(foretell, agrees_with_what_is_said_of_the_built_in_deployments)
{
    struct ekb_deployment *deployment = calloc(1, sizeof *deployment);
    size_t num_compared = 0;
    cr_assert_not_null(deployment);
    for (size_t i = 0; i < EKB_NUM_SCENARIOS_BUILTIN; i++) {
        struct ekb_fail fail = {.err = EKB_OK};
        cr_assert_eq(ekb_deployment_parse(deployment, ekb_scenario_builtins[i].text,
                                          ekb_scenario_builtins[i].name, &fail),
                     EKB_OK, "%s: %s", ekb_scenario_builtins[i].name, fail.detail);
        for (size_t r = 0; r < deployment->num_releases; r++) {
            for (size_t m = 0; m < deployment->num_modes; m++) {
                for (size_t l = 0; l < deployment->num_links; l++) {
                    const struct ekb_deployment_link *link = &deployment->links[l];
                    const struct ekb_deployment_expectation *said = ekb_deployment_expect(
                        deployment, link->name, deployment->releases[r], deployment->modes[m]);
                    cr_assert_not_null(said, "%s: nothing is said of %s",
                                       ekb_scenario_builtins[i].name, link->name);
                    cr_expect_eq(ekb_foretell_link(deployment, link, deployment->releases[r],
                                                   deployment->modes[m]),
                                 said->expected, "%s: %s, %s, %s", ekb_scenario_builtins[i].name,
                                 link->name, ekb_release_rules(deployment->releases[r])->name,
                                 ekb_eku_mode_name(deployment->modes[m]));
                    num_compared++;
                }
            }
        }
    }
    cr_expect_gt(num_compared, 40u);
    free(deployment);
}

// expect_release foretells a link of a built-in deployment under another release.
static void expect_release(int line, const char *name, const char *link, enum ekb_release release,
                           enum ekb_expected wanted)
{
    struct ekb_deployment *deployment = calloc(1, sizeof *deployment);
    cr_assert_not_null(deployment);
    cr_assert_eq(
        ekb_deployment_parse(deployment, ekb_scenario_builtin_find(name)->text, name, NULL),
        EKB_OK);
    cr_expect_eq(ekb_foretell_link(deployment, find_link(deployment, link), release, EKB_EKU_ON),
                 wanted, "line %d", line);
    free(deployment);
}

// Before X15.5 there is one store, and up to X15.4 its gate wants both usages.
Test(foretell, knows_what_older_releases_do_not_let_in)
{
    expect_release(__LINE__, "condition-1", "uc-zone", EKB_RELEASE_X14_2, EKB_EXPECTED_ACTIVE);
    expect_release(__LINE__, "condition-2.1", "uc-zone", EKB_RELEASE_X15_4, EKB_EXPECTED_FAILED);
    expect_release(__LINE__, "test-case-1", "ssh-tunnel", EKB_RELEASE_X15_4, EKB_EXPECTED_FAILED);
    expect_release(__LINE__, "condition-3", "uc-zone", EKB_RELEASE_X14_1, EKB_EXPECTED_ACTIVE);
    expect_release(__LINE__, "traffic-2", "traffic-server", EKB_RELEASE_X14_1, EKB_EXPECTED_ACTIVE);
}

// foretold foretells the first link of `text`.
static enum ekb_expected foretold(const char *text, enum ekb_release release)
{
    struct ekb_fail fail = {.err = EKB_OK};
    struct ekb_deployment *deployment = calloc(1, sizeof *deployment);
    cr_assert_not_null(deployment);
    cr_assert_eq(ekb_deployment_parse(deployment, text, "mine.ini", &fail), EKB_OK, "%s",
                 fail.detail);
    const enum ekb_expected expected =
        ekb_foretell_link(deployment, &deployment->links[0], release, EKB_EKU_ON);
    free(deployment);
    return expected;
}

#define CUCM(server, second)                                                                       \
    "[deployment]\nca = CA1\n[node C]\nkind = core\nserver = CA1 both\nclient = none\n"            \
    "[node CUCM]\nserver = " server "\nsecond = " second                                           \
    "\n[link traffic-server]\ninitiator = C\nresponder = CUCM\n"

// Who asks without verifying takes who has nothing.
Test(foretell, does_not_want_a_certificate_of_which_nothing_is_verified)
{
    cr_expect_eq(foretold(CUCM("CA1 server", "none"), EKB_RELEASE_X15_5), EKB_EXPECTED_ACTIVE);
}

// Names are the same in any case.
Test(foretell, knows_the_name_by_which_a_server_is_reached)
{
    cr_expect_eq(foretold(CUCM("CA1 server", "none") "address = CUCM.Example\n", EKB_RELEASE_X15_5),
                 EKB_EXPECTED_ACTIVE);
    cr_expect_eq(foretold(CUCM("CA1 server", "none") "address = cucm\n", EKB_RELEASE_X15_5),
                 EKB_EXPECTED_FAILED);
    cr_expect_eq(foretold(CUCM("CA1 server", "none") "address = 192.0.2.1\n", EKB_RELEASE_X15_5),
                 EKB_EXPECTED_FAILED);
}

// Of a far end's client certificate it is the verifier that decides, and no gate of ours.
Test(foretell, knows_that_a_far_end_has_no_gate)
{
    static const char text[] = "[deployment]\nca = CA1\n[node E]\nkind = edge\nserver = CA1 both\n"
                               "eku-mode = %s\n[node far]\nserver = CA1 server\n"
                               "client = CA1 server\n"
                               "[link neighbor]\ninitiator = far\nresponder = E\n";
    char on[512];
    char off[512];
    (void)snprintf(on, sizeof on, text, "on");
    (void)snprintf(off, sizeof off, text, "off");

    cr_expect_eq(foretold(on, EKB_RELEASE_X15_5), EKB_EXPECTED_FAILED);
    cr_expect_eq(foretold(off, EKB_RELEASE_X15_5), EKB_EXPECTED_ACTIVE);
}

Test(foretell, knows_of_a_permissive_cluster)
{
    static const char text[] = "[deployment]\nca = CA1, CA2\n"
                               "[node E]\nkind = edge\nserver = CA1 both\ntrust = CA1\n%s"
                               "[node F]\nkind = edge\nserver = CA2 both\ntrust = CA2\n%s"
                               "[link cluster]\ninitiator = E\nresponder = F\n";
    static const char permissive[] = "cluster-tls-verify = permissive\n";
    char enforcing[512];
    char one[512];
    char both[512];
    (void)snprintf(enforcing, sizeof enforcing, text, "cluster-tls-verify = enforcing\n", "");
    (void)snprintf(one, sizeof one, text, "", permissive);
    (void)snprintf(both, sizeof both, text, permissive, permissive);

    cr_expect_eq(foretold(enforcing, EKB_RELEASE_X15_5), EKB_EXPECTED_FAILED);
    cr_expect_eq(foretold(one, EKB_RELEASE_X15_5), EKB_EXPECTED_FAILED);
    cr_expect_eq(foretold(both, EKB_RELEASE_X15_5), EKB_EXPECTED_ACTIVE);
    cr_expect_eq(foretold(both, EKB_RELEASE_X14_1), EKB_EXPECTED_ACTIVE);
}

Test(foretell, knows_which_of_two_certificates_is_sent)
{
    static const struct {
        const char *text;
        enum ekb_expected up_to_x14_1;
        enum ekb_expected later;
    } cases[] = {
        {CUCM("CA1 server rsa2048", "self-signed server p256"), EKB_EXPECTED_ACTIVE,
         EKB_EXPECTED_FAILED},
        // A far end has no gate: what it has is sent, whatever the usage.
        {CUCM("CA1 server rsa2048", "CA1 client p256"), EKB_EXPECTED_ACTIVE, EKB_EXPECTED_FAILED},
        {CUCM("CA1 client rsa2048", "CA1 server p256"), EKB_EXPECTED_ACTIVE, EKB_EXPECTED_ACTIVE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(foretold(cases[i].text, EKB_RELEASE_X14_1), cases[i].up_to_x14_1, "%zu", i);
        cr_expect_eq(foretold(cases[i].text, EKB_RELEASE_X14_2), cases[i].later, "%zu", i);
    }
}

Test(foretell, takes_mra_from_the_states_of_its_links)
{
    static const struct {
        enum ekb_expected states[5];
        enum ekb_expected mra;
    } cases[] = {
        {{EKB_EXPECTED_ACTIVE, EKB_EXPECTED_ACTIVE, EKB_EXPECTED_ACTIVE, EKB_EXPECTED_ACTIVE,
          EKB_EXPECTED_FAILED},
         EKB_EXPECTED_ACTIVE},
        {{EKB_EXPECTED_ACTIVE, EKB_EXPECTED_FAILED, EKB_EXPECTED_ACTIVE, EKB_EXPECTED_ACTIVE,
          EKB_EXPECTED_ACTIVE},
         EKB_EXPECTED_FAILED},
        {{EKB_EXPECTED_ACTIVE, EKB_EXPECTED_UNKNOWN, EKB_EXPECTED_ACTIVE, EKB_EXPECTED_ACTIVE,
          EKB_EXPECTED_ACTIVE},
         EKB_EXPECTED_UNKNOWN},
        {{EKB_EXPECTED_ACTIVE, EKB_EXPECTED_UNKNOWN, EKB_EXPECTED_ACTIVE, EKB_EXPECTED_FAILED,
          EKB_EXPECTED_ACTIVE},
         EKB_EXPECTED_FAILED},
    };
    struct ekb_deployment *deployment = calloc(1, sizeof *deployment);
    cr_assert_not_null(deployment);
    // UC zone, SSH tunnel, SIP SERVICE, traffic server, and one that is no part of it.
    cr_assert_eq(ekb_deployment_parse(deployment, ekb_scenario_builtin_find("condition-3")->text,
                                      "condition-3", NULL),
                 EKB_OK);
    cr_assert_eq(deployment->num_links, 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(ekb_foretell_mra(deployment, cases[i].states), cases[i].mra, "%zu", i);
    }
    cr_assert_eq(ekb_deployment_parse(deployment, ekb_scenario_builtin_find("traffic-2")->text,
                                      "traffic-2", NULL),
                 EKB_OK);
    cr_expect_eq(ekb_foretell_mra(deployment, cases[1].states), EKB_EXPECTED_UNKNOWN,
                 "not all of it is there");
    free(deployment);
}
