// What a server accepts: extended key usage by mode, protocol version and depth, and everything
// else about a client's certificate, in memory.

#include "ekubench/tls/config.h"

#include "ekubench/peer/memory.h"
#include "support/fixtures.h"
#include "support/tls_link.h"

#include <criterion/criterion.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_UNSUPPORTED_CERTIFICATE 43
#define ALERT_CERTIFICATE_EXPIRED 45
#define ALERT_UNKNOWN_CA 48
#define ALERT_DECRYPT_ERROR 51
#define ALERT_CERTIFICATE_REQUIRED 116

#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)

// Outcomes, symbolically.
enum outcome {
    ACCEPT,
    REJECT_PURPOSE,
    REJECT_UNKNOWN_CA, // No issuer in the trusted CA list.
    REJECT_TOO_LONG,   // The chain is longer than the policy allows.
    REJECT_SELF_SIGNED,
    REJECT_SELF_SIGNED_IN_CHAIN,
    REJECT_EXPIRED,
    REJECT_NOT_YET_VALID,
    REJECT_SIGNATURE,
    REJECT_NO_CERTIFICATE_1_2,
    REJECT_NO_CERTIFICATE_1_3,
    NUM_OUTCOMES
};

static const struct {
    const char *name;
    int verify_result;
    enum ekb_err server_err;
    const char *code;
    int alert;
} outcomes[NUM_OUTCOMES] = {
    [ACCEPT] = {"accept", X509_V_OK, EKB_OK, "ok", -1},
    [REJECT_PURPOSE] = {"purpose", X509_V_ERR_INVALID_PURPOSE, EKB_VERIFY_PURPOSE, "verify_purpose",
                        ALERT_UNSUPPORTED_CERTIFICATE},
    [REJECT_UNKNOWN_CA] = {"unknown CA", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                           EKB_VERIFY_NO_LOCAL_ISSUER, "verify_no_local_issuer", ALERT_UNKNOWN_CA},
    [REJECT_TOO_LONG] = {"chain too long", X509_V_ERR_CERT_CHAIN_TOO_LONG,
                         EKB_VERIFY_CHAIN_TOO_LONG, "verify_chain_too_long", ALERT_UNKNOWN_CA},
    [REJECT_SELF_SIGNED] = {"self-signed", X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
                            EKB_VERIFY_SELF_SIGNED_LEAF, "verify_self_signed_leaf",
                            ALERT_UNKNOWN_CA},
    [REJECT_SELF_SIGNED_IN_CHAIN] = {"self-signed in chain", X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                                     EKB_VERIFY_SELF_SIGNED_IN_CHAIN, "verify_self_signed_in_chain",
                                     ALERT_UNKNOWN_CA},
    [REJECT_EXPIRED] = {"expired", X509_V_ERR_CERT_HAS_EXPIRED, EKB_VERIFY_EXPIRED,
                        "verify_expired", ALERT_CERTIFICATE_EXPIRED},
    [REJECT_NOT_YET_VALID] = {"not yet valid", X509_V_ERR_CERT_NOT_YET_VALID,
                              EKB_VERIFY_NOT_YET_VALID, "verify_not_yet_valid",
                              ALERT_CERTIFICATE_EXPIRED},
    [REJECT_SIGNATURE] = {"signature", X509_V_ERR_CERT_SIGNATURE_FAILURE, EKB_VERIFY_SIGNATURE,
                          "verify_signature", ALERT_DECRYPT_ERROR},
    [REJECT_NO_CERTIFICATE_1_2] = {"no certificate (1.2)", X509_V_OK, EKB_TLS_NO_CERTIFICATE,
                                   "tls_no_certificate", ALERT_HANDSHAKE_FAILURE},
    [REJECT_NO_CERTIFICATE_1_3] = {"no certificate (1.3)", X509_V_OK, EKB_TLS_NO_CERTIFICATE,
                                   "tls_no_certificate", ALERT_CERTIFICATE_REQUIRED},
};

static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};

// The hierarchy that the server trusts, of the greatest depth; its end entity is the server.
static struct fixture_pki ours;
static struct ekb_identity server_identity;
static struct ekb_memory_pair *pair;
static struct ekb_clock clock_in_use;

static void set_up(void)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = EKB_MINT_MAX_DEPTH, .eku = EKB_EKU_SERVER_AUTH};
    fixture_pki_init(&ours, &spec);
    server_identity = (struct ekb_identity){.chain = ours.chain, .key = ours.key};
    cr_assert_eq(ekb_memory_pair_create(&pair), EKB_OK);
    clock_in_use = ekb_clock_monotonic();
}

static void tear_down(void)
{
    ekb_memory_pair_destroy(pair);
    fixture_pki_deinit(&ours);
}

TestSuite(eku_matrix, .init = set_up, .fini = tear_down, .timeout = 110);

// issue_valid makes an end entity under `ca` that is valid from `not_before` to `not_after`.
static struct ekb_identity issue_valid(const struct ekb_ca *ca, unsigned eku, int64_t not_before,
                                       int64_t not_after)
{
    const struct ekb_mint_leaf spec = {.common_name = "client",
                                       .key_type = EKB_KEY_P256,
                                       .eku = eku,
                                       .not_before = not_before,
                                       .not_after = not_after};
    struct ekb_identity identity = {0};
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_ca_issue(&identity.chain, &identity.key, ca, &spec, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return identity;
}

static struct ekb_identity issue(const struct ekb_ca *ca, unsigned eku)
{
    return issue_valid(ca, eku, FIXTURE_NOT_BEFORE, FIXTURE_NOT_AFTER);
}

// intermediate makes a CA under `issuer`.
static struct ekb_ca *intermediate(const struct ekb_ca *issuer, unsigned eku, int64_t not_after)
{
    const struct ekb_mint_ca spec = {.common_name = "another intermediate",
                                     .key_type = EKB_KEY_P256,
                                     .eku = eku,
                                     .not_before = FIXTURE_NOT_BEFORE,
                                     .not_after = not_after};
    struct ekb_ca *ca = NULL;
    cr_assert_eq(ekb_ca_create_intermediate(&ca, issuer, &spec, NULL), EKB_OK);
    return ca;
}

// A connection to be made.
struct attempt {
    const struct ekb_identity *client; // NULL: no certificate.
    const struct ekb_chain *trust;     // NULL: our root.
    struct ekb_policy policy;
    enum ekb_tls_version version;
};

static struct ekb_memory_outcome make_attempt(const struct attempt *attempt)
{
    struct ekb_memory_outcome got;
    const struct ekb_tls_options server_options = {
        .role = EKB_ROLE_SERVER,
        .version = attempt->version,
        .identity = &server_identity,
        .trust = attempt->trust != NULL ? attempt->trust : fixture_pki_root(&ours),
        .policy = attempt->policy};
    const struct ekb_tls_options client_options = {.role = EKB_ROLE_CLIENT,
                                                   .version = attempt->version,
                                                   .identity = attempt->client,
                                                   .trust = fixture_pki_root(&ours),
                                                   .policy = ekb_policy_default()};
    struct ekb_tls_config *server = tls_config(&server_options);
    struct ekb_tls_config *client = tls_config(&client_options);
    ekb_memory_handshake(pair, &got, client, server, &clock_in_use);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
    return got;
}

// expect makes the attempt, which must end with `outcome` on both sides.
static void expect(const char *name, const struct attempt *attempt, enum outcome outcome)
{
    char label[200];
    (void)snprintf(label, sizeof label, "%s, TLS %s, EKU mode %s, level %s, depth limit %u: %s",
                   name, ekb_tls_version_name(attempt->version),
                   ekb_eku_mode_name(attempt->policy.eku),
                   ekb_verify_level_name(attempt->policy.verify), attempt->policy.max_depth,
                   outcomes[outcome].name);

    const struct ekb_memory_outcome got = make_attempt(attempt);

    cr_expect(got.server_err == EKB_OK || got.client_err != EKB_OK,
              "%s: accepted by the client, but not by the server", label);
    cr_expect_eq(got.server_err, outcomes[outcome].server_err, "%s: server has %s", label,
                 ekb_err_name(got.server_err));
    cr_expect_str_eq(ekb_err_name(got.server_err), outcomes[outcome].code, "%s: code %s", label,
                     ekb_err_name(got.server_err));
    cr_expect_eq(got.server_verify_result, outcomes[outcome].verify_result,
                 "%s: verification result %d", label, got.server_verify_result);
    cr_expect_eq(got.client_err, outcome == ACCEPT ? EKB_OK : EKB_TLS_ALERT, "%s: client has %s",
                 label, ekb_err_name(got.client_err));
    cr_expect_eq(got.server_alert, outcomes[outcome].alert, "%s: alert %d sent", label,
                 got.server_alert);
    cr_expect_eq(got.client_alert, outcomes[outcome].alert, "%s: alert %d received", label,
                 got.client_alert);
}

// expect_in_both expects the same with TLS 1.2 and 1.3.
static void expect_in_both(const char *name, struct attempt attempt, enum outcome outcome)
{
    for (size_t i = 0; i < 2; i++) {
        attempt.version = versions[i];
        expect(name, &attempt, outcome);
    }
}

static struct ekb_policy policy_with(enum ekb_eku_mode eku, enum ekb_verify_level verify)
{
    struct ekb_policy policy = ekb_policy_default();
    policy.eku = eku;
    policy.verify = verify;
    return policy;
}

// The leaf's usages.

static const struct {
    const char *name;
    unsigned eku;
    enum outcome by_mode[EKB_EKU_NUM_MODES];
} leaves[] = {
    //                                   on              off             none
    {"absent", EKB_EKU_ABSENT, {ACCEPT, ACCEPT, ACCEPT}},
    {"clientAuth", EKB_EKU_CLIENT_AUTH, {ACCEPT, REJECT_PURPOSE, ACCEPT}},
    {"serverAuth", EKB_EKU_SERVER_AUTH, {REJECT_PURPOSE, ACCEPT, ACCEPT}},
    {"both", BOTH, {ACCEPT, ACCEPT, ACCEPT}},
    {"any", EKB_EKU_ANY, {REJECT_PURPOSE, REJECT_PURPOSE, ACCEPT}},
    {"codeSigning", EKB_EKU_CODE_SIGNING, {REJECT_PURPOSE, REJECT_PURPOSE, ACCEPT}},
    {"clientAuth+any", EKB_EKU_CLIENT_AUTH | EKB_EKU_ANY, {ACCEPT, REJECT_PURPOSE, ACCEPT}},
    {"serverAuth+any", EKB_EKU_SERVER_AUTH | EKB_EKU_ANY, {REJECT_PURPOSE, ACCEPT, ACCEPT}},
};

static void expect_row_by_row(enum ekb_eku_mode mode)
{
    static const size_t depths[] = {1, 2, EKB_MINT_MAX_DEPTH};
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        for (size_t j = 0; j < sizeof depths / sizeof depths[0]; j++) {
            char name[64];
            struct ekb_identity client = issue(ours.cas[depths[j] - 1], leaves[i].eku);
            (void)snprintf(name, sizeof name, "leaf %s at depth %zu", leaves[i].name, depths[j]);

            expect_in_both(
                name,
                (struct attempt){.client = &client, .policy = policy_with(mode, EKB_VERIFY_FULL)},
                leaves[i].by_mode[mode]);

            tls_identity_deinit(&client);
        }
    }
}

Test(eku_matrix, judges_the_leaf_when_the_mode_is_on)
{
    expect_row_by_row(EKB_EKU_ON);
}

Test(eku_matrix, judges_the_leaf_when_the_mode_is_off)
{
    expect_row_by_row(EKB_EKU_OFF);
}

Test(eku_matrix, judges_the_leaf_when_the_mode_is_none)
{
    expect_row_by_row(EKB_EKU_NONE);
}

// The intermediate's usages, above a leaf with both.

static const struct {
    const char *name;
    unsigned eku;
    enum outcome by_mode[EKB_EKU_NUM_MODES];
} intermediates[] = {
    {"absent", EKB_EKU_ABSENT, {ACCEPT, ACCEPT, ACCEPT}},
    {"clientAuth", EKB_EKU_CLIENT_AUTH, {ACCEPT, REJECT_PURPOSE, ACCEPT}},
    {"serverAuth", EKB_EKU_SERVER_AUTH, {REJECT_PURPOSE, ACCEPT, ACCEPT}},
    {"both", BOTH, {ACCEPT, ACCEPT, ACCEPT}},
    {"any", EKB_EKU_ANY, {REJECT_PURPOSE, REJECT_PURPOSE, ACCEPT}},
    {"codeSigning", EKB_EKU_CODE_SIGNING, {REJECT_PURPOSE, REJECT_PURPOSE, ACCEPT}},
};

#define NUM_INTERMEDIATES (sizeof intermediates / sizeof intermediates[0])

// expect_intermediate judges a leaf with `leaf_eku` under intermediate `index` in every mode. With
// `trust_it` the intermediate is in the trusted CA list too.
static void expect_intermediate(size_t index, unsigned leaf_eku, bool trust_it,
                                const enum outcome by_mode[EKB_EKU_NUM_MODES])
{
    char name[100];
    struct ekb_chain *trust = ekb_chain_create();
    struct ekb_ca *ca = intermediate(ours.cas[0], intermediates[index].eku, FIXTURE_NOT_AFTER);
    struct ekb_identity client = issue(ca, leaf_eku);
    (void)snprintf(name, sizeof name, "intermediate %s%s", intermediates[index].name,
                   trust_it ? ", trusted" : "");
    cr_assert_eq(ekb_chain_append(trust, fixture_pki_root(&ours), 0), EKB_OK);
    if (trust_it) {
        cr_assert_eq(ekb_chain_append(trust, ekb_ca_certificate(ca), 0), EKB_OK);
    }

    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        expect_in_both(
            name,
            (struct attempt){.client = &client,
                             .trust = trust,
                             .policy = policy_with((enum ekb_eku_mode)mode, EKB_VERIFY_FULL)},
            by_mode[mode]);
    }

    tls_identity_deinit(&client);
    ekb_ca_destroy(ca);
    ekb_chain_destroy(trust);
}

Test(eku_matrix, judges_the_intermediate_too_when_it_is_not_trusted)
{
    for (size_t i = 0; i < NUM_INTERMEDIATES; i++) {
        expect_intermediate(i, BOTH, false, intermediates[i].by_mode);
    }
}

Test(eku_matrix, does_not_judge_the_intermediate_when_it_is_trusted)
{
    static const enum outcome always[EKB_EKU_NUM_MODES] = {ACCEPT, ACCEPT, ACCEPT};
    for (size_t i = 0; i < NUM_INTERMEDIATES; i++) {
        expect_intermediate(i, BOTH, true, always);
    }
}

Test(eku_matrix, still_judges_the_leaf_when_the_intermediate_is_trusted)
{
    static const enum outcome for_server[EKB_EKU_NUM_MODES] = {REJECT_PURPOSE, ACCEPT, ACCEPT};
    static const enum outcome for_client[EKB_EKU_NUM_MODES] = {ACCEPT, REJECT_PURPOSE, ACCEPT};

    expect_intermediate(0, EKB_EKU_SERVER_AUTH, true, for_server);
    expect_intermediate(0, EKB_EKU_CLIENT_AUTH, true, for_client);
}

// One wrong intermediate among many is enough.
Test(eku_matrix, judges_every_intermediate_when_the_chain_is_long)
{
    struct ekb_ca *wrong = intermediate(ours.cas[3], EKB_EKU_SERVER_AUTH, FIXTURE_NOT_AFTER);
    struct ekb_ca *below = intermediate(wrong, EKB_EKU_ABSENT, FIXTURE_NOT_AFTER);
    struct ekb_ca *lowest = intermediate(below, BOTH, FIXTURE_NOT_AFTER);
    struct ekb_identity client = issue(lowest, EKB_EKU_CLIENT_AUTH);

    expect_in_both(
        "the third of six intermediates serverAuth",
        (struct attempt){.client = &client, .policy = policy_with(EKB_EKU_ON, EKB_VERIFY_FULL)},
        REJECT_PURPOSE);

    tls_identity_deinit(&client);
    ekb_ca_destroy(lowest);
    ekb_ca_destroy(below);
    ekb_ca_destroy(wrong);
}

// Everything else about the certificate, in every mode: usage is no substitute for the rest.

static void expect_in_all_modes(const char *name, const struct ekb_identity *client,
                                const struct ekb_chain *trust, enum outcome outcome)
{
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        expect_in_both(
            name,
            (struct attempt){.client = client,
                             .trust = trust,
                             .policy = policy_with((enum ekb_eku_mode)mode, EKB_VERIFY_FULL)},
            outcome);
    }
}

Test(eku_matrix, rejects_when_there_is_no_certificate)
{
    static const enum outcome by_version[] = {REJECT_NO_CERTIFICATE_1_2, REJECT_NO_CERTIFICATE_1_3};
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        for (size_t i = 0; i < 2; i++) {
            const struct attempt attempt = {
                .version = versions[i],
                .policy = policy_with((enum ekb_eku_mode)mode, EKB_VERIFY_FULL)};

            expect("no certificate", &attempt, by_version[i]);
        }
    }
}

Test(eku_matrix, rejects_when_the_ca_is_unknown)
{
    static const size_t depths[] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        const struct fixture_pki_spec spec = {
            .key_type = EKB_KEY_P256, .depth = depths[i], .eku = BOTH};
        struct fixture_pki theirs;
        fixture_pki_init(&theirs, &spec);
        const struct ekb_identity client = {.chain = theirs.chain, .key = theirs.key};

        expect_in_all_modes("unknown CA", &client, NULL, REJECT_UNKNOWN_CA);

        fixture_pki_deinit(&theirs);
    }
}

Test(eku_matrix, rejects_when_an_intermediate_is_missing)
{
    struct ekb_chain *leaf_only = ekb_chain_create();
    struct ekb_identity whole = issue(ours.cas[1], BOTH);
    cr_assert_eq(ekb_chain_append(leaf_only, whole.chain, 0), EKB_OK);
    const struct ekb_identity client = {.chain = leaf_only, .key = whole.key};

    expect_in_all_modes("missing intermediate", &client, NULL, REJECT_UNKNOWN_CA);

    ekb_chain_destroy(leaf_only);
    tls_identity_deinit(&whole);
}

Test(eku_matrix, accepts_when_the_root_is_sent_too)
{
    struct ekb_identity client = issue(ours.cas[1], BOTH);
    cr_assert_eq(ekb_chain_append(client.chain, fixture_pki_root(&ours), 0), EKB_OK);

    expect_in_all_modes("root sent", &client, NULL, ACCEPT);

    tls_identity_deinit(&client);
}

Test(eku_matrix, rejects_when_an_unknown_root_is_sent_too)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 2, .eku = BOTH};
    struct fixture_pki theirs;
    fixture_pki_init(&theirs, &spec);
    cr_assert_eq(ekb_chain_append(theirs.chain, fixture_pki_root(&theirs), 0), EKB_OK);
    const struct ekb_identity client = {.chain = theirs.chain, .key = theirs.key};

    expect_in_all_modes("unknown root sent", &client, NULL, REJECT_SELF_SIGNED_IN_CHAIN);

    fixture_pki_deinit(&theirs);
}

Test(eku_matrix, rejects_when_the_leaf_has_expired)
{
    struct ekb_identity client =
        issue_valid(ours.cas[1], BOTH, FIXTURE_NOT_BEFORE, (int64_t)time(NULL) - 3600);

    expect_in_all_modes("expired", &client, NULL, REJECT_EXPIRED);

    tls_identity_deinit(&client);
}

Test(eku_matrix, rejects_when_the_leaf_is_not_yet_valid)
{
    struct ekb_identity client =
        issue_valid(ours.cas[1], BOTH, (int64_t)time(NULL) + 3600, FIXTURE_NOT_AFTER);

    expect_in_all_modes("not yet valid", &client, NULL, REJECT_NOT_YET_VALID);

    tls_identity_deinit(&client);
}

Test(eku_matrix, rejects_when_an_intermediate_has_expired)
{
    struct ekb_ca *ca = intermediate(ours.cas[0], EKB_EKU_ABSENT, (int64_t)time(NULL) - 3600);
    struct ekb_identity client = issue(ca, BOTH);

    expect_in_all_modes("expired intermediate", &client, NULL, REJECT_EXPIRED);

    tls_identity_deinit(&client);
    ekb_ca_destroy(ca);
}

Test(eku_matrix, rejects_when_the_leafs_signature_is_broken)
{
    static const size_t depths[] = {1, 2};
    for (size_t i = 0; i < 2; i++) {
        struct ekb_identity client = issue(ours.cas[depths[i] - 1], BOTH);
        struct ekb_chain *broken = tls_with_broken_signature(client.chain);
        const struct ekb_identity broken_client = {.chain = broken, .key = client.key};

        expect_in_all_modes("broken signature", &broken_client, NULL, REJECT_SIGNATURE);

        ekb_chain_destroy(broken);
        tls_identity_deinit(&client);
    }
}

// The usage is looked at before any signature and date (which is why a rejection is cheap).
Test(eku_matrix, names_the_usage_when_the_rest_is_wrong_too)
{
    struct ekb_identity expired = issue_valid(ours.cas[1], EKB_EKU_SERVER_AUTH, FIXTURE_NOT_BEFORE,
                                              (int64_t)time(NULL) - 3600);
    struct ekb_chain *broken = tls_with_broken_signature(expired.chain);
    const struct ekb_identity client = {.chain = broken, .key = expired.key};

    expect_in_both(
        "expired, broken and serverAuth",
        (struct attempt){.client = &client, .policy = policy_with(EKB_EKU_ON, EKB_VERIFY_FULL)},
        REJECT_PURPOSE);

    ekb_chain_destroy(broken);
    tls_identity_deinit(&expired);
}

Test(eku_matrix, rejects_when_the_leaf_is_self_signed)
{
    struct tls_self_signed entity;
    tls_self_signed_init(&entity, EKB_KEY_P256, EKB_EKU_CLIENT_AUTH);
    struct ekb_identity client = tls_self_signed_identity(&entity);

    expect_in_all_modes("self-signed", &client, NULL, REJECT_SELF_SIGNED);

    tls_identity_deinit(&client);
    tls_self_signed_deinit(&entity);
}

// It comes from the trusted CA list, whose certificates are not checked for usage.
Test(eku_matrix, accepts_any_usage_when_the_leaf_itself_is_trusted)
{
    struct tls_self_signed entity;
    tls_self_signed_init(&entity, EKB_KEY_P256, EKB_EKU_SERVER_AUTH);
    struct ekb_identity client = tls_self_signed_identity(&entity);

    expect_in_all_modes("trusted self-signed", &client, client.chain, ACCEPT);

    tls_identity_deinit(&client);
    tls_self_signed_deinit(&entity);
}

Test(eku_matrix, accepts_when_an_unrelated_certificate_is_sent_too)
{
    struct tls_self_signed entity;
    tls_self_signed_init(&entity, EKB_KEY_P256, EKB_EKU_SERVER_AUTH);
    struct ekb_identity unrelated = tls_self_signed_identity(&entity);
    struct ekb_identity client = issue(ours.cas[1], BOTH);
    cr_assert_eq(ekb_chain_append(client.chain, unrelated.chain, 0), EKB_OK);

    expect_in_all_modes("unrelated certificate", &client, NULL, ACCEPT);

    tls_identity_deinit(&client);
    tls_identity_deinit(&unrelated);
    tls_self_signed_deinit(&entity);
}

// The depth limit.

Test(eku_matrix, accepts_when_the_chain_is_as_deep_as_allowed)
{
    static const size_t depths[] = {1, 2, 3, 5, EKB_MINT_MAX_DEPTH};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        struct ekb_identity client = issue(ours.cas[depths[i] - 1], BOTH);
        struct ekb_policy policy = ekb_policy_default();
        policy.max_depth = (unsigned)depths[i];

        expect_in_both("exact depth", (struct attempt){.client = &client, .policy = policy},
                       ACCEPT);

        tls_identity_deinit(&client);
    }
}

Test(eku_matrix, rejects_when_the_chain_is_deeper_than_allowed)
{
    static const size_t depths[] = {2, 3, 5, EKB_MINT_MAX_DEPTH};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        struct ekb_identity client = issue(ours.cas[depths[i] - 1], BOTH);
        struct ekb_policy policy = ekb_policy_default();
        policy.max_depth = (unsigned)depths[i] - 1;

        expect_in_both("too deep", (struct attempt){.client = &client, .policy = policy},
                       REJECT_TOO_LONG);

        tls_identity_deinit(&client);
    }
}

// The rungs below full verification.

static const enum ekb_verify_level unverified[] = {EKB_VERIFY_PARSE, EKB_VERIFY_RAW,
                                                   EKB_VERIFY_ONE_WAY};

static void expect_accepted_unverified(const char *name, const struct ekb_identity *client)
{
    for (size_t i = 0; i < sizeof unverified / sizeof unverified[0]; i++) {
        expect_in_both(
            name,
            (struct attempt){.client = client, .policy = policy_with(EKB_EKU_ON, unverified[i])},
            ACCEPT);
    }
}

Test(eku_matrix, accepts_the_wrong_usage_when_nothing_is_verified)
{
    struct ekb_identity client = issue(ours.cas[1], EKB_EKU_SERVER_AUTH);

    expect_accepted_unverified("serverAuth", &client);

    tls_identity_deinit(&client);
}

Test(eku_matrix, accepts_an_expired_leaf_when_nothing_is_verified)
{
    struct ekb_identity client =
        issue_valid(ours.cas[1], BOTH, FIXTURE_NOT_BEFORE, (int64_t)time(NULL) - 3600);

    expect_accepted_unverified("expired", &client);

    tls_identity_deinit(&client);
}

Test(eku_matrix, accepts_an_unknown_ca_when_nothing_is_verified)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 2, .eku = BOTH};
    struct fixture_pki theirs;
    fixture_pki_init(&theirs, &spec);
    const struct ekb_identity client = {.chain = theirs.chain, .key = theirs.key};

    expect_accepted_unverified("unknown CA", &client);

    fixture_pki_deinit(&theirs);
}

Test(eku_matrix, accepts_a_broken_signature_when_nothing_is_verified)
{
    struct ekb_identity whole = issue(ours.cas[1], BOTH);
    struct ekb_chain *broken = tls_with_broken_signature(whole.chain);
    const struct ekb_identity client = {.chain = broken, .key = whole.key};

    expect_accepted_unverified("broken signature", &client);

    ekb_chain_destroy(broken);
    tls_identity_deinit(&whole);
}

static void expect_certificate_demanded(enum ekb_verify_level level)
{
    static const enum outcome by_version[] = {REJECT_NO_CERTIFICATE_1_2, REJECT_NO_CERTIFICATE_1_3};
    for (size_t i = 0; i < 2; i++) {
        const struct attempt attempt = {.version = versions[i],
                                        .policy = policy_with(EKB_EKU_ON, level)};

        expect("no certificate", &attempt, by_version[i]);
    }
}

Test(eku_matrix, demands_a_certificate_when_it_only_parses_it)
{
    expect_certificate_demanded(EKB_VERIFY_PARSE);
}

Test(eku_matrix, demands_a_certificate_when_it_only_reads_its_key)
{
    expect_certificate_demanded(EKB_VERIFY_RAW);
}

Test(eku_matrix, accepts_a_client_without_certificate_when_one_way)
{
    expect_in_both("no certificate",
                   (struct attempt){.policy = policy_with(EKB_EKU_ON, EKB_VERIFY_ONE_WAY)}, ACCEPT);
}

Test(eku_matrix, is_sent_no_certificate_when_one_way)
{
    struct ekb_identity client = issue(ours.cas[4], BOTH);
    for (size_t i = 0; i < 2; i++) {
        struct attempt attempt = {.client = &client,
                                  .version = versions[i],
                                  .policy = policy_with(EKB_EKU_ON, EKB_VERIFY_RAW)};
        const uint64_t mutual = make_attempt(&attempt).client_sent_bytes;
        attempt.policy.verify = EKB_VERIFY_ONE_WAY;

        const uint64_t one_way = make_attempt(&attempt).client_sent_bytes;

        size_t chain_len = 0;
        for (size_t j = 0; j < ekb_chain_len(client.chain); j++) {
            size_t der_len;
            (void)ekb_chain_der(client.chain, j, &der_len);
            chain_len += der_len;
        }
        cr_expect_lt(one_way + chain_len, mutual, "TLS %s: %lu one-way, %lu mutual, chain of %zu",
                     ekb_tls_version_name(versions[i]), one_way, mutual, chain_len);
    }
    tls_identity_deinit(&client);
}
