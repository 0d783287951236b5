#include "ekubench/lab/scenario.h"

#include "ekubench/pki/mint.h"
#include "ekubench/store/store.h"
#include "support/fixtures.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(scenario, .timeout = 60);

static struct ekb_deployment deployment;

// run runs the deployment of `text`. Without io_uring there is nothing to be tested here.
static struct ekb_scenario_run *run(const char *text, enum ekb_release release,
                                    enum ekb_eku_mode mode, enum ekb_tls_version version)
{
    struct ekb_fail fail = {.err = EKB_OK};
    struct ekb_scenario_run *out = calloc(1, sizeof *out);
    const struct ekb_scenario_terms terms = {.release = release, .mode = mode, .version = version};
    cr_assert_not_null(out);
    cr_assert_eq(ekb_deployment_parse(&deployment, text, "mine.ini", &fail), EKB_OK, "%s",
                 fail.detail);
    const enum ekb_err err = ekb_scenario_run(out, &deployment, &terms, &fail);
    if (err == EKB_NO_IO_URING) {
        cr_skip_test("io_uring cannot be used here");
    }
    cr_assert_eq(err, EKB_OK, "%s", fail.detail);
    return out;
}

static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};

#define HEAD "[deployment]\nca = CA1, CA2\n"
#define NODES                                                                                      \
    HEAD "[node C]\nkind = core\nserver = CA1 both\nclient = CA1 both\n"                           \
         "[node E]\nkind = edge\nserver = CA1 both\nclient = CA1 both\n"                           \
         "[node CUCM]\nserver = CA1 server\n"
#define ZONE "[link uc-zone]\ninitiator = C\nresponder = E\n"
#define TRAFFIC "[link traffic-server]\ninitiator = C\nresponder = CUCM\n"
#define MRA                                                                                        \
    ZONE "[link ssh-tunnel]\ninitiator = C\nresponder = E\n"                                       \
         "[link sip-service]\ninitiator = E\nresponder = C\n" TRAFFIC

// That every built-in one is as expected, in both versions and under every release, is
// tests/cli/test_scenario.sh's; this is about what it says of them.
Test(scenario, shows_who_presents_what_and_why_it_is_refused)
{
    for (size_t i = 0; i < 2; i++) {
        struct ekb_scenario_run *out = run(ekb_scenario_builtin_find("test-case-1")->text,
                                           EKB_RELEASE_X15_5, EKB_EKU_ON, versions[i]);

        const struct ekb_scenario_link *zone = &out->links[0];

        cr_expect(out->matches);
        cr_expect_not(zone->active);
        cr_expect_eq(zone->err, EKB_VERIFY_PURPOSE);
        cr_expect_eq(zone->verify_depth, 0, "%d", zone->verify_depth);
        cr_expect(zone->asks);
        cr_expect_not_null(strstr(zone->event, "Detail=\"unsupported certificate purpose\""), "%s",
                           zone->event);
        cr_expect_str_eq(zone->initiator.store, "both");
        cr_expect_eq(out->mra, EKB_MRA_FAILS);
        free(out);
    }
}

// Under a release of one store a node presents its server certificate, though a store of its own
// has another one for clients.
Test(scenario, presents_the_servers_certificate_where_there_is_one_store)
{
    struct fixture_dir dir;
    char path[512];
    char text[2048];
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256,
                                          .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
    struct fixture_pki pki[EKB_STORE_NUM_SIDES];
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "own");
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        fixture_pki_init(&pki[side], &spec);
        const struct ekb_identity identity = {pki[side].chain, pki[side].key};
        cr_assert_eq(ekb_store_write_identity(path, (enum ekb_store_side)side, &identity, NULL),
                     EKB_OK);
    }
    cr_assert_eq(ekb_store_write_trust(path, fixture_pki_root(&pki[EKB_STORE_SERVER]), NULL),
                 EKB_OK);
    (void)snprintf(text, sizeof text,
                   HEAD
                   "[node C]\nkind = core\nstore = %s\n[node E]\nkind = edge\nstore = %s\n" ZONE
                   "[expect X15.4]\nuc-zone = active\n"
                   "[expect X15.5]\nuc-zone = failed, unknown_ca\n",
                   path, path);
    for (size_t i = 0; i < 2; i++) {
        struct ekb_scenario_run *old = run(text, EKB_RELEASE_X15_4, EKB_EKU_ON, versions[i]);
        struct ekb_scenario_run *new = run(text, EKB_RELEASE_X15_5, EKB_EKU_ON, versions[i]);

        cr_expect(old->matches);
        cr_expect_str_eq(old->links[0].initiator.store, "server");
        cr_expect(new->matches);
        cr_expect_str_eq(new->links[0].initiator.store, "client");
        free(new);
        free(old);
    }
    fixture_pki_deinit(&pki[0]);
    fixture_pki_deinit(&pki[1]);
    fixture_dir_deinit(&dir);
}

// CUCM asks for a certificate, and takes who has none.
Test(scenario, reaches_a_server_that_asks_without_a_certificate)
{
    for (size_t i = 0; i < 2; i++) {
        struct ekb_scenario_run *out =
            run(HEAD "[node C]\nkind = core\nserver = CA1 both\nclient = none\n"
                     "[node CUCM]\nserver = CA1 server\n" TRAFFIC
                     "[expect]\ntraffic-server = active, asks\n",
                EKB_RELEASE_X15_5, EKB_EKU_ON, versions[i]);

        cr_expect(out->matches, "%s", ekb_err_name(out->links[0].err));
        cr_expect(out->links[0].active);
        cr_expect_not(out->links[0].initiator.presented);
        free(out);
    }
}

// A browser is not asked.
Test(scenario, tells_who_is_not_asked)
{
    struct ekb_scenario_run *out =
        run(NODES "[link browser]\ninitiator = CUCM\nresponder = E\n[expect]\nbrowser = active\n",
            EKB_RELEASE_X15_5, EKB_EKU_ON, EKB_TLS_1_3);

    cr_expect(out->matches);
    cr_expect_not(out->links[0].asks);
    free(out);
}

Test(scenario, foretells_mra_where_nothing_is_said_of_it)
{
    struct ekb_scenario_run *out = run(NODES MRA, EKB_RELEASE_X15_5, EKB_EKU_ON, EKB_TLS_1_3);

    cr_expect_eq(out->expected_mra, EKB_EXPECTED_ACTIVE);
    cr_expect_eq(out->mra, EKB_MRA_WORKS);
    cr_expect(out->matches);
    free(out);
    out = run(NODES MRA "[expect]\nssh-tunnel = failed\n", EKB_RELEASE_X15_5, EKB_EKU_ON,
              EKB_TLS_1_3);
    cr_expect_eq(out->expected_mra, EKB_EXPECTED_FAILED, "as it follows from what is said");
    cr_expect_not(out->mra_matches);
    cr_expect_not(out->matches);
    free(out);
}

// Every word of an expectation counts.
Test(scenario, does_not_match_what_is_not_so)
{
    static const struct {
        const char *said;
        bool matches;
    } cases[] = {
        {"failed", true},
        {"failed, unknown_ca, depth=1, asks, log=Action=Terminate", true},
        {"failed, verify_no_local_issuer, depth>0, log=depth=1", true},
        {"active", false},
        {"failed, unsupported_certificate", false},
        {"failed, depth=0", false},
        {"failed, depth>1", false},
        {"failed, log=Action=Accept", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text,
                       HEAD "[node C]\nkind = core\nserver = CA1 both\nclient = CA1 both\n"
                            "trust = CA1\n[node CUCM]\nserver = CA2 server depth=2\n" TRAFFIC
                            "[expect]\ntraffic-server = %s\n",
                       cases[i].said);
        struct ekb_scenario_run *out = run(text, EKB_RELEASE_X15_5, EKB_EKU_ON, versions[i % 2]);

        cr_expect_eq(out->matches, cases[i].matches, "%s: %s, depth %d, %s", cases[i].said,
                     ekb_err_name(out->links[0].err), out->links[0].verify_depth,
                     out->links[0].outbound);
        free(out);
    }
}

// A far end has no gate: its client certificate gets in, and a link that verifies it for serverAuth
// is active.
Test(scenario, lets_a_far_end_have_a_client_certificate_without_clientauth)
{
    for (size_t i = 0; i < 2; i++) {
        for (int off = 0; off < 2; off++) {
            struct ekb_scenario_run *out =
                run(HEAD "[node E]\nkind = edge\nserver = CA1 both\n"
                         "[node far]\nserver = CA2 server\nclient = CA2 server\n"
                         "[link neighbor]\ninitiator = far\nresponder = E\n",
                    EKB_RELEASE_X15_5, off ? EKB_EKU_OFF : EKB_EKU_ON, versions[i]);

            cr_expect(out->matches);
            cr_expect_eq(out->links[0].active, off);
            cr_expect(out->links[0].initiator.presented);
            cr_expect_str_eq(out->links[0].initiator.store, "client");
            free(out);
        }
    }
}

// Peers of a cluster that is permissive take one another whatever they show.
Test(scenario, connects_a_permissive_cluster)
{
    static const char *const both[] = {"enforcing", "permissive"};
    for (size_t i = 0; i < 4; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text,
                       HEAD "[node E]\nkind = edge\nserver = CA1 both\ntrust = CA1\n"
                            "cluster-tls-verify = %s\n"
                            "[node F]\nkind = edge\nserver = CA2 both\ntrust = CA2\n"
                            "cluster-tls-verify = %s\n"
                            "[link cluster]\ninitiator = E\nresponder = F\n",
                       both[i / 2], both[i / 2]);
        struct ekb_scenario_run *out = run(text, EKB_RELEASE_X15_5, EKB_EKU_ON, versions[i % 2]);

        cr_expect(out->matches, "%s", ekb_err_name(out->links[0].err));
        cr_expect_eq(out->links[0].active, i / 2 == 1, "%zu", i);
        free(out);
    }
}

// Peers of a cluster verify one another alike: up to X15.3 for clientAuth, from X15.4 for nothing
// but the chain.
Test(scenario, verifies_the_responder_of_a_cluster_as_it_does_the_initiator)
{
    static const struct {
        unsigned eku; // Of the responder.
        enum ekb_release release;
        bool active;
    } cases[] = {{EKB_EKU_SERVER_AUTH, EKB_RELEASE_X14_1, false},
                 {EKB_EKU_CLIENT_AUTH, EKB_RELEASE_X14_1, true},
                 {EKB_EKU_SERVER_AUTH, EKB_RELEASE_X15_4, true},
                 {EKB_EKU_CLIENT_AUTH, EKB_RELEASE_X15_4, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture_dir dir;
        char paths[2][512];
        char text[2048];
        struct fixture_pki pki[2];
        struct ekb_chain *roots = ekb_chain_create();
        fixture_dir_init(&dir);
        for (size_t node = 0; node < 2; node++) {
            const struct fixture_pki_spec spec = {
                .key_type = EKB_KEY_P256,
                .eku = node == 0 ? EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH : cases[i].eku};
            fixture_pki_init(&pki[node], &spec);
            cr_assert_eq(ekb_chain_append(roots, fixture_pki_root(&pki[node]), 0), EKB_OK);
            (void)fixture_dir_file(paths[node], &dir, node == 0 ? "a" : "b");
        }
        for (size_t node = 0; node < 2; node++) {
            const struct ekb_identity identity = {pki[node].chain, pki[node].key};
            cr_assert_eq(ekb_store_write_identity(paths[node], EKB_STORE_SERVER, &identity, NULL),
                         EKB_OK);
            cr_assert_eq(ekb_store_write_trust(paths[node], roots, NULL), EKB_OK);
        }
        (void)snprintf(text, sizeof text,
                       HEAD "[node A]\nkind = core\nstore = %s\n[node B]\nkind = core\nstore = %s\n"
                            "[link cluster]\ninitiator = A\nresponder = B\n",
                       paths[0], paths[1]);
        struct ekb_scenario_run *out = run(text, cases[i].release, EKB_EKU_ON, versions[i % 2]);

        cr_expect_eq(out->links[0].active, cases[i].active, "%zu: %s", i,
                     ekb_err_name(out->links[0].err));
        cr_expect_eq(out->links[0].verify_depth, cases[i].active ? -1 : 0, "%zu", i);
        free(out);
        ekb_chain_destroy(roots);
        fixture_pki_deinit(&pki[0]);
        fixture_pki_deinit(&pki[1]);
        fixture_dir_deinit(&dir);
    }
}
