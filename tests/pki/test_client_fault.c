#include "ekubench/pki/client_fault.h"

#include "support/fixtures.h"

#include "ekubench/pki/verify.h"

#include <criterion/criterion.h>

#include <string.h>
#include <time.h>

#define HOUR INT64_C(3600)
#define MAX_DEPTH 3

static struct ekb_hierarchy *hierarchy;

static void create(enum ekb_key_type key_type)
{
    const int64_t now = (int64_t)time(NULL);
    struct ekb_fail fail = {0};
    const enum ekb_err err =
        ekb_hierarchy_create(&hierarchy, key_type, now - HOUR, now + 24 * HOUR, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

static void tear_down(void)
{
    ekb_hierarchy_destroy(hierarchy);
}

TestSuite(client_fault, .fini = tear_down, .timeout = 60);

struct issued {
    struct ekb_chain *chain;
    struct ekb_key *key;
};

static struct issued issue(enum ekb_client_fault fault, unsigned depth)
{
    struct issued issued = {0};
    struct ekb_fail fail = {0};
    const struct ekb_mint_leaf spec = {.common_name = "client", .eku = EKB_EKU_CLIENT_AUTH};
    const enum ekb_err err =
        ekb_client_fault_issue(&issued.chain, &issued.key, hierarchy, depth, fault, &spec, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s: %s", ekb_client_fault_name(fault), ekb_err_name(err),
                 fail.detail);
    cr_assert(ekb_chain_matches_key(issued.chain, issued.key), "%s", ekb_client_fault_name(fault));
    return issued;
}

// judge verifies `chain` as a server would that has `crls` (NULL: none).
static struct ekb_verify_outcome judge(const struct ekb_chain *chain, const struct ekb_crls *crls)
{
    struct ekb_verifier *verifier = NULL;
    struct ekb_verify_outcome outcome = {0};
    struct ekb_fail fail = {0};
    const struct ekb_verify_options options = {
        .trust = ekb_hierarchy_root(hierarchy), .crls = crls, .policy = ekb_policy_default()};
    cr_assert_eq(ekb_verifier_create(&verifier, &options, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_verifier_check(verifier, chain, &outcome, &fail), EKB_OK, "%s", fail.detail);
    ekb_verifier_destroy(verifier);
    return outcome;
}

struct fault_case {
    enum ekb_client_fault fault;
    const char *name;
    enum ekb_err err;
    int alert; // RFC 8446 section 6; -1: none.
};

static const struct fault_case cases[] = {
    {EKB_CLIENT_FAULT_NONE, "none", EKB_OK, -1},
    {EKB_CLIENT_FAULT_WRONG_EKU, "wrong-eku", EKB_VERIFY_PURPOSE, 43},
    {EKB_CLIENT_FAULT_UNKNOWN_CA, "unknown-ca", EKB_VERIFY_NO_LOCAL_ISSUER, 48},
    {EKB_CLIENT_FAULT_EXPIRED, "expired", EKB_VERIFY_EXPIRED, 45},
    {EKB_CLIENT_FAULT_REVOKED, "revoked", EKB_VERIFY_REVOKED, 44},
};
#define NUM_CASES (sizeof cases / sizeof cases[0])

static void expect_fault(const struct fault_case *wanted, unsigned depth)
{
    struct ekb_crls *crls = NULL;
    struct issued issued = issue(wanted->fault, depth);
    const struct ekb_hierarchy_revoked revoked = {.chain = issued.chain, .depth = depth};
    const size_t num_revoked = wanted->fault == EKB_CLIENT_FAULT_REVOKED ? 1 : 0;
    cr_assert_eq(ekb_hierarchy_issue_crls(&crls, hierarchy, depth, &revoked, num_revoked, NULL),
                 EKB_OK);

    const struct ekb_verify_outcome outcome = judge(issued.chain, crls);

    cr_expect_eq(outcome.err, wanted->err, "%s, depth %u: %s", wanted->name, depth,
                 ekb_err_name(outcome.err));
    cr_expect_eq(outcome.alert, wanted->alert, "%s, depth %u: alert %d", wanted->name, depth,
                 outcome.alert);
    cr_expect_eq(ekb_chain_len(issued.chain), depth, "%s", wanted->name);
    ekb_crls_destroy(crls);
    ekb_chain_destroy(issued.chain);
    ekb_key_destroy(issued.key);
}

Test(client_fault, is_the_only_reason_for_a_rejection_at_every_depth)
{
    create(EKB_KEY_P256);

    for (size_t i = 0; i < NUM_CASES; i++) {
        for (unsigned depth = 1; depth <= MAX_DEPTH; depth++) {
            expect_fault(&cases[i], depth);
        }
    }
}

Test(client_fault, is_there_with_keys_of_every_kind)
{
    static const enum ekb_key_type key_types[] = {EKB_KEY_P384, EKB_KEY_RSA2048, EKB_KEY_ED25519};
    for (size_t i = 0; i < sizeof key_types / sizeof key_types[0]; i++) {
        create(key_types[i]);
        for (size_t j = 0; j < NUM_CASES; j++) {
            expect_fault(&cases[j], 1);
        }
        ekb_hierarchy_destroy(hierarchy);
        hierarchy = NULL;
    }
}

// Whoever consults no CRL takes a revoked one for any other.
Test(client_fault, is_not_seen_without_a_list_when_revoked)
{
    create(EKB_KEY_P256);
    struct issued issued = issue(EKB_CLIENT_FAULT_REVOKED, 2);

    const struct ekb_verify_outcome outcome = judge(issued.chain, NULL);

    cr_expect_eq(outcome.err, EKB_OK, "%s", ekb_err_name(outcome.err));
    ekb_chain_destroy(issued.chain);
    ekb_key_destroy(issued.key);
}

Test(client_fault, revokes_nobody_else)
{
    create(EKB_KEY_P256);
    struct ekb_crls *crls = NULL;
    struct issued bad[] = {issue(EKB_CLIENT_FAULT_REVOKED, 1), issue(EKB_CLIENT_FAULT_REVOKED, 3)};
    const struct ekb_hierarchy_revoked revoked[] = {{bad[0].chain, 1}, {bad[1].chain, 3}};

    cr_assert_eq(ekb_hierarchy_issue_crls(&crls, hierarchy, 3, revoked, 2, NULL), EKB_OK);

    cr_expect_eq(ekb_crls_len(crls), 3);
    for (unsigned depth = 1; depth <= 3; depth++) {
        struct ekb_crl_description description;
        struct issued good = issue(EKB_CLIENT_FAULT_NONE, depth);
        const struct ekb_verify_outcome outcome = judge(good.chain, crls);
        cr_expect_eq(outcome.err, EKB_OK, "depth %u: %s", depth, ekb_err_name(outcome.err));
        ekb_crls_describe(&description, crls, depth - 1);
        cr_expect_eq(description.num_revoked, depth == 2 ? 0 : 1, "depth %u: %zu", depth,
                     description.num_revoked);
        ekb_chain_destroy(good.chain);
        ekb_key_destroy(good.key);
    }
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(judge(bad[i].chain, crls).err, EKB_VERIFY_REVOKED);
        ekb_chain_destroy(bad[i].chain);
        ekb_key_destroy(bad[i].key);
    }
    ekb_crls_destroy(crls);
}

Test(client_fault, has_a_name)
{
    for (size_t i = 0; i < NUM_CASES; i++) {
        cr_expect_str_eq(ekb_client_fault_name(cases[i].fault), cases[i].name);
    }
    cr_expect_str_eq(ekb_client_fault_name(EKB_CLIENT_FAULT_NO_CERTIFICATE), "no-certificate");
}

Test(client_fault, is_refused_where_there_is_no_such_depth)
{
    static const unsigned depths[] = {0, EKB_MINT_MAX_DEPTH + 1};
    create(EKB_KEY_P256);
    const struct ekb_mint_leaf spec = {.common_name = "client"};

    for (size_t i = 0; i < 2; i++) {
        struct ekb_chain *chain = NULL;
        struct ekb_key *key = NULL;
        struct ekb_crls *crls = NULL;
        for (size_t j = 0; j < NUM_CASES; j++) {
            cr_expect_eq(ekb_client_fault_issue(&chain, &key, hierarchy, depths[i], cases[j].fault,
                                                &spec, NULL),
                         EKB_USAGE);
        }
        cr_expect_eq(ekb_hierarchy_issue_crls(&crls, hierarchy, depths[i], NULL, 0, NULL),
                     EKB_USAGE);
        cr_expect_null(chain);
        cr_expect_null(crls);
    }
}
