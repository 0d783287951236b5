#include "ekubench/lab/stores.h"

#include "support/fixtures.h"

#include "ekubench/pki/verify.h"
#include "ekubench/store/store.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// All that these tests make goes into a directory of their own, so that what is left can be seen.
static struct fixture_dir parent;
static struct ekb_plan plan;

static void set_up(void)
{
    const struct ekb_plan_settings settings = {0};
    fixture_dir_init(&parent);
    cr_assert_eq(setenv("TMPDIR", parent.path, 1), 0);
    cr_assert_eq(ekb_plan_builtin(&plan, "quick", &settings), EKB_OK);
}

static void tear_down(void)
{
    fixture_dir_deinit(&parent);
}

TestSuite(stores, .init = set_up, .fini = tear_down, .timeout = 60);

static struct ekb_stores *create(void)
{
    struct ekb_stores *stores = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_stores_create(&stores, &plan, &fail), EKB_OK, "%s", fail.detail);
    return stores;
}

static struct ekb_store *load(const char *path, unsigned need)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_store_load(&store, path, need, &fail), EKB_OK, "%s", fail.detail);
    return store;
}

static int num_entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    cr_assert_not_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 ? 1 : 0;
    }
    (void)closedir(dir);
    return count;
}

Test(stores, has_a_server_store_that_can_be_served)
{
    struct ekb_stores *stores = create();

    struct ekb_store *store = load(ekb_stores_server(stores, &plan.stages[0].arms[0]),
                                   EKB_STORE_NEED_SERVER | EKB_STORE_NEED_TRUST);

    const struct ekb_identity *identity = ekb_store_identity(store, EKB_STORE_SERVER);
    cr_expect_eq(ekb_chain_eku(identity->chain, 0), EKB_EKU_SERVER_AUTH);
    ekb_store_destroy(store);
    ekb_stores_destroy(stores);
}

// An intermediate in the trusted list would not be verified like one that the client sends.
Test(stores, trusts_the_root_alone)
{
    struct ekb_stores *stores = create();
    struct ekb_store *store =
        load(ekb_stores_server(stores, &plan.stages[0].arms[0]), EKB_STORE_NEED_TRUST);

    cr_expect_eq(ekb_chain_len(ekb_store_trust(store)), 1);

    ekb_store_destroy(store);
    ekb_stores_destroy(stores);
}

Test(stores, has_the_chain_that_each_arm_names)
{
    struct ekb_stores *stores = create();

    for (size_t s = 0; s < plan.num_stages; s++) {
        for (size_t a = 0; a < plan.stages[s].num_arms; a++) {
            const struct ekb_plan_arm *arm = &plan.stages[s].arms[a];
            struct ekb_store *store =
                load(ekb_stores_client(stores, arm), EKB_STORE_NEED_CLIENT | EKB_STORE_NEED_TRUST);
            const struct ekb_chain *chain = ekb_store_identity(store, EKB_STORE_CLIENT)->chain;
            if (arm->depth > 0) {
                // The leaf and what is above it, but the root.
                cr_expect_eq(ekb_chain_len(chain), arm->depth, "%s: %zu certificates", arm->name,
                             ekb_chain_len(chain));
                cr_expect_eq(ekb_chain_eku(chain, 0), arm->client_eku, "%s", arm->name);
            }
            ekb_store_destroy(store);
            store = load(ekb_stores_server(stores, arm), EKB_STORE_NEED_SERVER);
            cr_expect_eq(ekb_chain_len(ekb_store_identity(store, EKB_STORE_SERVER)->chain),
                         arm->server_depth, "%s", arm->name);
            ekb_store_destroy(store);
        }
    }

    ekb_stores_destroy(stores);
}

// Else arms that are compared would differ in more than their treatment.
Test(stores, gives_the_same_chain_when_arms_present_the_same)
{
    struct ekb_stores *stores = create();
    const struct ekb_plan_stage *cost =
        &plan.stages[ekb_plan_stage_index(&plan, EKB_PLAN_STAGE_COST)];
    const char *on = ekb_stores_client(stores, &cost->arms[ekb_plan_arm_index(cost, "on-d2")]);
    const char *none = ekb_stores_client(stores, &cost->arms[ekb_plan_arm_index(cost, "none-d2")]);
    const char *deeper = ekb_stores_client(stores, &cost->arms[ekb_plan_arm_index(cost, "on-d3")]);
    const char *once = ekb_stores_client(stores, &cost->arms[ekb_plan_arm_index(cost, "on-d1")]);
    const char *rejected =
        ekb_stores_client(stores, &cost->arms[ekb_plan_arm_index(cost, "reject-d1")]);

    cr_expect_str_eq(on, none);
    cr_expect_str_neq(on, deeper);
    cr_expect_str_neq(once, rejected);

    ekb_stores_destroy(stores);
}

// Faults.

static const struct ekb_plan_arm *reject_arm(enum ekb_client_fault fault)
{
    const struct ekb_plan_settings settings = {0};
    cr_assert_eq(ekb_plan_builtin(&plan, EKB_PLAN_REJECTS, &settings), EKB_OK);
    for (size_t a = 0; a < plan.stages[0].num_arms; a++) {
        if (plan.stages[0].arms[a].fault == fault) {
            return &plan.stages[0].arms[a];
        }
    }
    cr_assert_fail("no arm with that fault");
    return NULL;
}

// judge verifies the client of `arm` as its server does.
static enum ekb_err judge(const struct ekb_stores *stores, const struct ekb_plan_arm *arm)
{
    struct ekb_verifier *verifier = NULL;
    struct ekb_verify_outcome outcome = {0};
    struct ekb_store *server = load(ekb_stores_server(stores, arm), EKB_STORE_NEED_CRLS);
    struct ekb_store *client = load(ekb_stores_client(stores, arm), EKB_STORE_NEED_CLIENT);
    const struct ekb_verify_options options = {
        .trust = ekb_store_trust(server), .crls = ekb_store_crls(server), .policy = arm->policy};
    cr_assert_eq(ekb_verifier_create(&verifier, &options, NULL), EKB_OK);
    cr_assert_eq(ekb_verifier_check(verifier, ekb_store_identity(client, EKB_STORE_CLIENT)->chain,
                                    &outcome, NULL),
                 EKB_OK);
    ekb_verifier_destroy(verifier);
    ekb_store_destroy(client);
    ekb_store_destroy(server);
    return outcome.err;
}

Test(stores, has_clients_with_the_fault_of_their_arm)
{
    static const enum ekb_err wanted[EKB_CLIENT_FAULT_NUM] = {
        [EKB_CLIENT_FAULT_NONE] = EKB_OK,
        [EKB_CLIENT_FAULT_WRONG_EKU] = EKB_VERIFY_PURPOSE,
        [EKB_CLIENT_FAULT_UNKNOWN_CA] = EKB_VERIFY_NO_LOCAL_ISSUER,
        [EKB_CLIENT_FAULT_EXPIRED] = EKB_VERIFY_EXPIRED,
        [EKB_CLIENT_FAULT_REVOKED] = EKB_VERIFY_REVOKED,
    };
    (void)reject_arm(EKB_CLIENT_FAULT_NONE);
    struct ekb_plan_stage *stage = &plan.stages[0];
    // Chains of another length have other CAs, and other lists.
    for (size_t a = 0; a < stage->num_arms; a += 2) {
        stage->arms[a].depth = stage->arms[a].depth > 0 ? 3 : 0;
    }
    struct ekb_stores *stores = create();

    for (size_t a = 0; a < stage->num_arms; a++) {
        const struct ekb_plan_arm *arm = &stage->arms[a];
        if (arm->fault != EKB_CLIENT_FAULT_NO_CERTIFICATE) {
            const enum ekb_err err = judge(stores, arm);
            cr_expect_eq(err, wanted[arm->fault], "%s: %s", arm->name, ekb_err_name(err));
        }
    }

    ekb_stores_destroy(stores);
}

Test(stores, has_only_the_root_for_a_client_without_a_certificate)
{
    const struct ekb_plan_arm *arm = reject_arm(EKB_CLIENT_FAULT_NO_CERTIFICATE);
    struct ekb_stores *stores = create();
    struct ekb_chain *trust = NULL;

    cr_expect_null(ekb_stores_client(stores, arm));
    cr_assert_eq(ekb_chain_read_pem(&trust, ekb_stores_trust(stores), NULL), EKB_OK);

    cr_expect_eq(ekb_chain_len(trust), 1);
    ekb_chain_destroy(trust);
    ekb_stores_destroy(stores);
}

Test(stores, uses_the_key_type_of_the_plan)
{
    plan.key_type = EKB_KEY_P384;
    struct ekb_stores *stores = create();
    struct ekb_store *store =
        load(ekb_stores_server(stores, &plan.stages[0].arms[0]), EKB_STORE_NEED_SERVER);

    cr_expect_eq(ekb_key_type_of(ekb_store_identity(store, EKB_STORE_SERVER)->key), EKB_KEY_P384);

    ekb_store_destroy(store);
    ekb_stores_destroy(stores);
}

Test(stores, lives_in_a_private_directory)
{
    struct ekb_stores *stores = create();
    char *copy = strdup(ekb_stores_server(stores, &plan.stages[0].arms[0]));
    cr_assert_not_null(copy);

    const char *directory = dirname(copy);

    cr_expect_eq(fixture_mode(directory), 0700, "%s has mode %04o", directory,
                 fixture_mode(directory));
    cr_expect_eq(strncmp(directory, parent.path, strlen(parent.path)), 0, "%s is not in TMPDIR",
                 directory);
    free(copy);
    ekb_stores_destroy(stores);
}

Test(stores, leaves_nothing_when_destroyed)
{
    struct ekb_stores *stores = create();
    const int during = num_entries(parent.path);

    ekb_stores_destroy(stores);

    cr_expect_eq(during, 1);
    cr_expect_eq(num_entries(parent.path), 0);
}

Test(stores, may_be_destroyed_when_there_are_none)
{
    ekb_stores_destroy(NULL);
}

Test(stores, names_the_directory_when_it_cannot_be_made)
{
    struct ekb_stores *stores = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(setenv("TMPDIR", "/nonexistent/tmp", 1), 0);

    const enum ekb_err err = ekb_stores_create(&stores, &plan, &fail);

    cr_expect_neq(err, EKB_OK);
    cr_expect_eq(fail.err, err, "the failure says %s", ekb_err_name(fail.err));
    cr_expect(strstr(fail.detail, "/nonexistent/tmp") != NULL, "%s", fail.detail);
    cr_expect_null(stores);
}

// Deeper than the minting goes: what was made before the failure is removed.
Test(stores, leaves_nothing_when_it_fails)
{
    struct ekb_stores *stores = NULL;
    struct ekb_fail fail = {0};
    plan.stages[1].arms[3].depth = EKB_MINT_MAX_DEPTH + 1;

    const enum ekb_err err = ekb_stores_create(&stores, &plan, &fail);

    cr_expect_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
    cr_expect_eq(num_entries(parent.path), 0);
}
