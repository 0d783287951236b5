#include "ekubench/pki/verify.h"

#include "ekubench/pki/hierarchy.h"
#include "support/fixtures.h"
#include "support/forge.h"

#include <criterion/criterion.h>
#include <openssl/base.h>
#include <openssl/base64.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)

// 2026-06-15.
#define NOON INT64_C(1781524800)

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

// Alerts (RFC 8446 section 6).
#define NO_ALERT (-1)
#define BAD_CERTIFICATE 42
#define UNSUPPORTED_CERTIFICATE 43
#define CERTIFICATE_REVOKED 44
#define CERTIFICATE_EXPIRED 45
#define UNKNOWN_CA 48
#define DECRYPT_ERROR 51

static struct fixture_dir dir;
static char path[512];

static void set_up(void)
{
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "file");
}

static void tear_down(void)
{
    fixture_dir_deinit(&dir);
}

TestSuite(verify, .init = set_up, .fini = tear_down);

// Asking.

static struct ekb_verify_options trusting(const struct ekb_chain *trust)
{
    return (struct ekb_verify_options){.trust = trust, .policy = ekb_policy_default()};
}

static struct ekb_verifier *verifier_of(const struct ekb_verify_options *options)
{
    struct ekb_verifier *verifier = NULL;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_verifier_create(&verifier, options, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return verifier;
}

static struct ekb_verify_outcome check(const struct ekb_verifier *verifier,
                                       const struct ekb_chain *chain)
{
    struct ekb_verify_outcome outcome = {.err = EKB_ERR_COUNT};
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_verifier_check(verifier, chain, &outcome, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    cr_assert_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
    return outcome;
}

static struct ekb_verify_outcome judge(const struct ekb_verify_options *options,
                                       const struct ekb_chain *chain)
{
    struct ekb_verifier *verifier = verifier_of(options);
    const struct ekb_verify_outcome outcome = check(verifier, chain);
    ekb_verifier_destroy(verifier);
    return outcome;
}

// expect_accepted and expect_rejected look at all of a verdict but the subject.
static void expect_accepted(const char *name, const struct ekb_verify_outcome *outcome)
{
    cr_expect_eq(outcome->err, EKB_OK, "%s: %s at depth %d", name, ekb_err_name(outcome->err),
                 outcome->depth);
    cr_expect_eq(outcome->library_result, X509_V_OK, "%s: %d", name, outcome->library_result);
    cr_expect_eq(outcome->alert, NO_ALERT, "%s: alert %d", name, outcome->alert);
    cr_expect_eq(outcome->depth, -1, "%s: depth %d", name, outcome->depth);
    cr_expect_str_eq(outcome->subject, "", "%s: \"%s\"", name, outcome->subject);
}

static void expect_rejected(const char *name, const struct ekb_verify_outcome *outcome,
                            enum ekb_err err, int library_result, int alert, int depth)
{
    cr_expect_eq(outcome->err, err, "%s: %s, not %s", name, ekb_err_name(outcome->err),
                 ekb_err_name(err));
    cr_expect_eq(outcome->library_result, library_result, "%s: result %d, not %d", name,
                 outcome->library_result, library_result);
    cr_expect_eq(outcome->alert, alert, "%s: alert %d, not %d", name, outcome->alert, alert);
    cr_expect_eq(outcome->depth, depth, "%s: depth %d, not %d", name, outcome->depth, depth);
}

// Chains.

static void append(struct ekb_chain *chain, const struct ekb_chain *from, size_t index)
{
    cr_assert_eq(ekb_chain_append(chain, from, index), EKB_OK);
}

static void append_all(struct ekb_chain *chain, const struct ekb_chain *from)
{
    for (size_t i = 0; i < ekb_chain_len(from); i++) {
        append(chain, from, i);
    }
}

// joined returns the certificates of the one, then of the other.
static struct ekb_chain *joined(const struct ekb_chain *one, const struct ekb_chain *other)
{
    struct ekb_chain *chain = ekb_chain_create();
    append_all(chain, one);
    append_all(chain, other);
    return chain;
}

static struct ekb_chain *only(const struct ekb_chain *from, size_t index)
{
    struct ekb_chain *chain = ekb_chain_create();
    append(chain, from, index);
    return chain;
}

static struct ekb_chain *chain_of_der(const uint8_t *der, size_t len)
{
    struct ekb_chain *chain = NULL;
    struct ekb_fail fail = {0};
    fixture_write(path, der, len, 0600);
    cr_assert_eq(ekb_chain_read(&chain, path, EKB_CHAIN_DER, &fail), EKB_OK, "%s", fail.detail);
    return chain;
}

// Certificates as mint makes them.

static struct fixture_pki pki_of(size_t depth, unsigned eku, unsigned ca_eku)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = depth, .eku = eku, .ca_eku = ca_eku};
    struct fixture_pki pki = {0};
    fixture_pki_init(&pki, &spec);
    return pki;
}

static struct ekb_ca *root_named(const char *common_name)
{
    const struct ekb_mint_ca spec = {.common_name = common_name,
                                     .key_type = EKB_KEY_P256,
                                     .not_before = FIXTURE_NOT_BEFORE,
                                     .not_after = FIXTURE_NOT_AFTER};
    struct ekb_ca *ca = NULL;
    cr_assert_eq(ekb_ca_create_root(&ca, &spec, NULL), EKB_OK);
    return ca;
}

static struct ekb_chain *issue(const struct ekb_ca *ca, const struct ekb_mint_leaf *spec)
{
    struct ekb_chain *chain = NULL;
    struct ekb_key *key = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_ca_issue(&chain, &key, ca, spec, &fail), EKB_OK, "%s", fail.detail);
    ekb_key_destroy(key);
    return chain;
}

// leaf_under returns the leaf and the intermediates of a plain client under `ca`.
static struct ekb_chain *leaf_under(const struct ekb_ca *ca)
{
    const struct ekb_mint_leaf spec = {.common_name = "leaf",
                                       .key_type = EKB_KEY_P256,
                                       .eku = EKB_EKU_CLIENT_AUTH,
                                       .not_before = FIXTURE_NOT_BEFORE,
                                       .not_after = FIXTURE_NOT_AFTER};
    return issue(ca, &spec);
}

// Certificates as mint makes none.

// forged is forge with another issuer.
static struct ekb_chain *forged(const struct forgery *forgery, EVP_PKEY *key, EVP_PKEY *issuer_key,
                                const char *issuer_name)
{
    struct forgery of = *forgery;
    of.issuer = issuer_name;
    return forge(&of, key, issuer_key);
}

static struct ekb_chain *self_signed(const struct forgery *forgery)
{
    EVP_PKEY *key = forge_key();
    struct ekb_chain *chain = forged(forgery, key, key, forgery->subject);
    EVP_PKEY_free(key);
    return chain;
}

// with_trust_settings returns certificate 0 of `chain` with OpenSSL's trust settings: the usage of
// that name rejected, or trusted (0: none).
static struct ekb_chain *with_trust_settings(const struct ekb_chain *chain, int rejected,
                                             int trusted)
{
    char base64[4096];
    char text[8192];
    size_t len = 0;
    uint8_t *aux = NULL;
    struct ekb_chain *got = NULL;
    struct ekb_fail fail = {0};
    const uint8_t *der = ekb_chain_der(chain, 0, &len);
    X509 *x509 = d2i_X509(NULL, &der, (long)len);
    if (rejected != 0) {
        cr_assert_eq(X509_add1_reject_object(x509, OBJ_nid2obj(rejected)), 1);
    }
    if (trusted != 0) {
        cr_assert_eq(X509_add1_trust_object(x509, OBJ_nid2obj(trusted)), 1);
    }
    const int aux_len = i2d_X509_AUX(x509, &aux);
    cr_assert(aux_len > 0 && aux_len < 3000);
    (void)EVP_EncodeBlock((uint8_t *)base64, aux, (size_t)aux_len);
    (void)snprintf(text, sizeof text,
                   "-----BEGIN TRUSTED CERTIFICATE-----\n%s\n-----END TRUSTED CERTIFICATE-----\n",
                   base64);
    fixture_write_text(path, text);
    cr_assert_eq(ekb_chain_read(&got, path, EKB_CHAIN_TRUST_SETTINGS, &fail), EKB_OK, "%s",
                 fail.detail);
    OPENSSL_free(aux);
    X509_free(x509);
    return got;
}

// Extended key usage of the leaf.

// The table of docs/domain.md, and what `reject` adds to it.
static const struct {
    const char *name;
    unsigned eku;
    bool accepted[EKB_EKU_NUM_MODES];
    bool accepted_if_demanded[EKB_EKU_NUM_MODES];
} leaf_ekus[] = {
    {"absent", EKB_EKU_ABSENT, {true, true, true}, {false, false, true}},
    {"clientAuth", EKB_EKU_CLIENT_AUTH, {true, false, true}, {true, false, true}},
    {"serverAuth", EKB_EKU_SERVER_AUTH, {false, true, true}, {false, true, true}},
    {"both", EKB_EKU_CLIENT_AUTH | EKB_EKU_SERVER_AUTH, {true, true, true}, {true, true, true}},
    {"any", EKB_EKU_ANY, {false, false, true}, {false, false, true}},
    {"codeSigning", EKB_EKU_CODE_SIGNING, {false, false, true}, {false, false, true}},
};

static void expect_eku_verdict(size_t index, enum ekb_eku_mode mode, enum ekb_eku_absent absent)
{
    char name[128];
    struct fixture_pki pki = pki_of(2, leaf_ekus[index].eku, EKB_EKU_ABSENT);
    struct ekb_verify_options options = trusting(fixture_pki_root(&pki));
    options.policy.eku = mode;
    options.policy.eku_absent = absent;
    const bool accepted = absent == EKB_EKU_ABSENT_REJECT
                              ? leaf_ekus[index].accepted_if_demanded[mode]
                              : leaf_ekus[index].accepted[mode];
    (void)snprintf(name, sizeof name, "mode %s, leaf %s, eku_absent %s", ekb_eku_mode_name(mode),
                   leaf_ekus[index].name, ekb_eku_absent_name(absent));

    const struct ekb_verify_outcome outcome = judge(&options, pki.chain);

    if (accepted) {
        expect_accepted(name, &outcome);
        cr_expect_eq(outcome.chain_len, 3u, "%s: %zu", name, outcome.chain_len);
    } else {
        expect_rejected(name, &outcome, EKB_VERIFY_PURPOSE, X509_V_ERR_INVALID_PURPOSE,
                        UNSUPPORTED_CERTIFICATE, 0);
        cr_expect_str_eq(outcome.subject, "CN=test.example", "%s: \"%s\"", name, outcome.subject);
    }
    fixture_pki_deinit(&pki);
}

Test(verify, judges_the_leafs_usage_by_mode)
{
    for (size_t i = 0; i < COUNT(leaf_ekus); i++) {
        for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
            for (unsigned absent = 0; absent < EKB_EKU_ABSENT_NUM; absent++) {
                expect_eku_verdict(i, (enum ekb_eku_mode)mode, (enum ekb_eku_absent)absent);
            }
        }
    }
}

// Extended key usage of an intermediate.

static const struct {
    const char *name;
    unsigned eku;
    bool accepted[EKB_EKU_NUM_MODES];
} ca_ekus[] = {
    {"absent", EKB_EKU_ABSENT, {true, true, true}},
    {"clientAuth", EKB_EKU_CLIENT_AUTH, {true, false, true}},
    {"serverAuth", EKB_EKU_SERVER_AUTH, {false, true, true}},
    {"both", EKB_EKU_CLIENT_AUTH | EKB_EKU_SERVER_AUTH, {true, true, true}},
    {"any", EKB_EKU_ANY, {false, false, true}},
    {"codeSigning", EKB_EKU_CODE_SIGNING, {false, false, true}},
};

static void expect_ca_eku_verdict(size_t index, enum ekb_eku_mode mode, enum ekb_eku_absent absent)
{
    char name[128];
    struct fixture_pki pki =
        pki_of(2, EKB_EKU_CLIENT_AUTH | EKB_EKU_SERVER_AUTH, ca_ekus[index].eku);
    struct ekb_verify_options options = trusting(fixture_pki_root(&pki));
    options.policy.eku = mode;
    options.policy.eku_absent = absent;
    (void)snprintf(name, sizeof name, "mode %s, intermediate %s, eku_absent %s",
                   ekb_eku_mode_name(mode), ca_ekus[index].name, ekb_eku_absent_name(absent));

    const struct ekb_verify_outcome outcome = judge(&options, pki.chain);

    if (ca_ekus[index].accepted[mode]) {
        expect_accepted(name, &outcome);
    } else {
        expect_rejected(name, &outcome, EKB_VERIFY_PURPOSE, X509_V_ERR_INVALID_PURPOSE,
                        UNSUPPORTED_CERTIFICATE, 1);
        cr_expect_str_eq(outcome.subject, "CN=test intermediate 1,O=ekubench", "%s: \"%s\"", name,
                         outcome.subject);
    }
    fixture_pki_deinit(&pki);
}

Test(verify, judges_an_intermediates_usage_by_mode)
{
    for (size_t i = 0; i < COUNT(ca_ekus); i++) {
        for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
            expect_ca_eku_verdict(i, (enum ekb_eku_mode)mode, EKB_EKU_ABSENT_ACCEPT);
        }
    }
}

Test(verify, asks_no_usage_extension_of_an_intermediate_when_it_is_demanded)
{
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        expect_ca_eku_verdict(0, (enum ekb_eku_mode)mode, EKB_EKU_ABSENT_REJECT);
    }
}

Test(verify, asks_no_usage_of_an_intermediate_when_it_is_trusted)
{
    struct fixture_pki pki = pki_of(2, EKB_EKU_CLIENT_AUTH, EKB_EKU_SERVER_AUTH);
    struct ekb_chain *trust = joined(ekb_ca_certificate(pki.cas[1]), fixture_pki_root(&pki));
    const struct ekb_verify_options options = trusting(trust);

    const struct ekb_verify_outcome outcome = judge(&options, pki.chain);

    expect_accepted("trusted intermediate", &outcome);
    ekb_chain_destroy(trust);
    fixture_pki_deinit(&pki);
}

// Depth.

// depth_verdict judges a chain of `depth` under a limit of `max_depth`; `with_root`: the peer sends
// its root too.
static struct ekb_verify_outcome depth_verdict(unsigned depth, unsigned max_depth, bool with_root)
{
    struct fixture_pki pki = pki_of(depth, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
    struct ekb_verify_options options = trusting(fixture_pki_root(&pki));
    struct ekb_chain *chain = ekb_chain_create();
    append_all(chain, pki.chain);
    if (with_root) {
        append_all(chain, fixture_pki_root(&pki));
    }
    options.policy.max_depth = max_depth;
    const struct ekb_verify_outcome outcome = judge(&options, chain);
    ekb_chain_destroy(chain);
    fixture_pki_deinit(&pki);
    return outcome;
}

Test(verify, accepts_a_chain_when_it_is_as_long_as_allowed)
{
    for (unsigned depth = 1; depth <= EKB_MINT_MAX_DEPTH; depth++) {
        for (int with_root = 0; with_root <= 1; with_root++) {
            char name[64];
            (void)snprintf(name, sizeof name, "depth %u, root sent: %d", depth, with_root);

            const struct ekb_verify_outcome outcome = depth_verdict(depth, depth, with_root == 1);

            expect_accepted(name, &outcome);
            cr_expect_eq(outcome.chain_len, depth + 1u, "%s: %zu", name, outcome.chain_len);
        }
    }
}

Test(verify, calls_a_chain_too_long_when_it_is_longer_by_one)
{
    for (unsigned depth = 2; depth <= EKB_MINT_MAX_DEPTH; depth++) {
        for (int with_root = 0; with_root <= 1; with_root++) {
            const struct ekb_verify_outcome outcome =
                depth_verdict(depth, depth - 1, with_root == 1);

            cr_expect_eq(outcome.err, EKB_VERIFY_CHAIN_TOO_LONG, "depth %u, root sent: %d: %s",
                         depth, with_root, ekb_err_name(outcome.err));
            cr_expect_eq(outcome.library_result, X509_V_ERR_CERT_CHAIN_TOO_LONG,
                         "depth %u, root sent: %d: %d", depth, with_root, outcome.library_result);
            cr_expect_eq(outcome.alert, UNKNOWN_CA, "depth %u, root sent: %d: %d", depth, with_root,
                         outcome.alert);
        }
    }
}

Test(verify, calls_a_chain_too_long_when_it_is_much_longer)
{
    const struct ekb_verify_outcome outcome = depth_verdict(10, 1, false);

    cr_expect_eq(outcome.err, EKB_VERIFY_CHAIN_TOO_LONG, "%s", ekb_err_name(outcome.err));
}

// There is room for one more: it is the issuer that is missing.
Test(verify, misses_the_issuer_when_the_chain_could_be_longer_by_one)
{
    struct ekb_ca *stranger = root_named("stranger");
    for (size_t depth = 1; depth <= 3; depth++) {
        char name[64];
        struct fixture_pki pki = pki_of(depth, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
        struct ekb_verify_options options = trusting(ekb_ca_certificate(stranger));
        options.policy.max_depth = (unsigned)ekb_chain_len(pki.chain);
        (void)snprintf(name, sizeof name, "%zu sent, %u above the leaf allowed",
                       ekb_chain_len(pki.chain), options.policy.max_depth);

        const struct ekb_verify_outcome outcome = judge(&options, pki.chain);

        expect_rejected(name, &outcome, EKB_VERIFY_NO_LOCAL_ISSUER,
                        X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNKNOWN_CA, (int)depth - 1);
        fixture_pki_deinit(&pki);
    }
    ekb_ca_destroy(stranger);
}

Test(verify, accepts_a_chain_when_the_limit_is_the_highest)
{
    const struct ekb_verify_outcome outcome = depth_verdict(3, INT_MAX, false);

    expect_accepted("INT_MAX", &outcome);
}

// Trust.

Test(verify, accepts_nothing_when_nothing_is_trusted)
{
    struct fixture_pki pki = pki_of(2, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
    struct ekb_chain *empty = ekb_chain_create();
    struct ekb_chain *with_root = joined(pki.chain, fixture_pki_root(&pki));
    const struct {
        const char *name;
        const struct ekb_chain *trust;
        const struct ekb_chain *chain;
        enum ekb_anchor anchor;
        enum ekb_err err;
        int result;
        int depth;
    } cases[] = {
        {"no list", NULL, pki.chain, EKB_ANCHOR_ROOT, EKB_VERIFY_NO_LOCAL_ISSUER,
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1},
        {"an empty list", empty, pki.chain, EKB_ANCHOR_ROOT, EKB_VERIFY_NO_LOCAL_ISSUER,
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1},
        {"no list, partial", NULL, pki.chain, EKB_ANCHOR_LISTED, EKB_VERIFY_NO_LOCAL_ISSUER,
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1},
        {"an empty list, partial", empty, pki.chain, EKB_ANCHOR_LISTED, EKB_VERIFY_NO_LOCAL_ISSUER,
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1},
        {"no list, root sent", NULL, with_root, EKB_ANCHOR_ROOT, EKB_VERIFY_SELF_SIGNED_IN_CHAIN,
         X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, 2},
        {"no list, root alone", NULL, fixture_pki_root(&pki), EKB_ANCHOR_ROOT,
         EKB_VERIFY_SELF_SIGNED_LEAF, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_verify_options options = trusting(cases[i].trust);
        options.anchor = cases[i].anchor;

        const struct ekb_verify_outcome outcome = judge(&options, cases[i].chain);

        expect_rejected(cases[i].name, &outcome, cases[i].err, cases[i].result, UNKNOWN_CA,
                        cases[i].depth);
    }
    ekb_chain_destroy(with_root);
    ekb_chain_destroy(empty);
    fixture_pki_deinit(&pki);
}

Test(verify, rejects_a_chain_when_its_ca_is_unknown)
{
    for (unsigned depth = 1; depth <= 3; depth++) {
        char name[32];
        struct fixture_pki pki = pki_of(depth, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
        struct ekb_ca *other = root_named("another root");
        const struct ekb_verify_options options = trusting(ekb_ca_certificate(other));
        (void)snprintf(name, sizeof name, "depth %u", depth);

        const struct ekb_verify_outcome outcome = judge(&options, pki.chain);

        expect_rejected(name, &outcome, EKB_VERIFY_NO_LOCAL_ISSUER,
                        X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNKNOWN_CA, (int)depth - 1);
        ekb_ca_destroy(other);
        fixture_pki_deinit(&pki);
    }
}

Test(verify, rejects_a_chain_when_an_intermediate_is_missing)
{
    struct fixture_pki pki = pki_of(3, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
    struct ekb_chain *leaf = only(pki.chain, 0);
    const struct ekb_verify_options options = trusting(fixture_pki_root(&pki));

    const struct ekb_verify_outcome outcome = judge(&options, leaf);

    expect_rejected("leaf alone", &outcome, EKB_VERIFY_NO_LOCAL_ISSUER,
                    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNKNOWN_CA, 0);
    ekb_chain_destroy(leaf);
    fixture_pki_deinit(&pki);
}

Test(verify, rejects_a_certificate_when_its_signature_is_wrong)
{
    static const int depths[] = {0, 1};
    for (size_t i = 0; i < COUNT(depths); i++) {
        char name[32];
        size_t len = 0;
        struct fixture_pki pki = pki_of(2, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
        const uint8_t *der = ekb_chain_der(pki.chain, (size_t)depths[i], &len);
        uint8_t *copy = malloc(len);
        memcpy(copy, der, len);
        copy[len - 1] ^= 1;
        struct ekb_chain *spoilt = chain_of_der(copy, len);
        struct ekb_chain *chain = ekb_chain_create();
        append(chain, depths[i] == 0 ? spoilt : pki.chain, 0);
        append(chain, depths[i] == 1 ? spoilt : pki.chain, depths[i] == 1 ? 0 : 1);
        const struct ekb_verify_options options = trusting(fixture_pki_root(&pki));
        (void)snprintf(name, sizeof name, "depth %d", depths[i]);

        const struct ekb_verify_outcome outcome = judge(&options, chain);

        expect_rejected(name, &outcome, EKB_VERIFY_SIGNATURE, X509_V_ERR_CERT_SIGNATURE_FAILURE,
                        DECRYPT_ERROR, depths[i]);
        ekb_chain_destroy(chain);
        ekb_chain_destroy(spoilt);
        free(copy);
        fixture_pki_deinit(&pki);
    }
}

// The key identifiers must tell them apart.
Test(verify, finds_the_issuer_when_two_cas_have_one_name)
{
    struct ekb_ca *cas[] = {root_named("the root"), root_named("the root")};
    for (size_t issuer = 0; issuer < 2; issuer++) {
        struct ekb_chain *chain = leaf_under(cas[issuer]);
        for (size_t first = 0; first < 2; first++) {
            char name[64];
            struct ekb_chain *trust =
                joined(ekb_ca_certificate(cas[first]), ekb_ca_certificate(cas[1 - first]));
            const struct ekb_verify_options options = trusting(trust);
            (void)snprintf(name, sizeof name, "issuer %zu, first in the list %zu", issuer, first);

            const struct ekb_verify_outcome outcome = judge(&options, chain);

            expect_accepted(name, &outcome);
            ekb_chain_destroy(trust);
        }
        ekb_chain_destroy(chain);
    }
    ekb_ca_destroy(cas[1]);
    ekb_ca_destroy(cas[0]);
}

Test(verify, rejects_a_chain_when_only_the_namesake_of_its_ca_is_trusted)
{
    struct ekb_ca *root = root_named("the root");
    struct ekb_ca *namesake = root_named("the root");
    struct ekb_chain *chain = leaf_under(root);
    const struct ekb_verify_options options = trusting(ekb_ca_certificate(namesake));

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    expect_rejected("namesake", &outcome, EKB_VERIFY_NO_LOCAL_ISSUER,
                    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNKNOWN_CA, 0);
    ekb_chain_destroy(chain);
    ekb_ca_destroy(namesake);
    ekb_ca_destroy(root);
}

// One certificate twice, and CAs that have nothing to do with it.
Test(verify, accepts_a_chain_when_the_list_has_more_than_its_root)
{
    struct fixture_pki pki = pki_of(2, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
    struct ekb_ca *other = root_named("another root");
    struct ekb_chain *trust = joined(ekb_ca_certificate(other), fixture_pki_root(&pki));
    append_all(trust, fixture_pki_root(&pki));
    append_all(trust, ekb_ca_certificate(other));
    const struct ekb_verify_options options = trusting(trust);

    const struct ekb_verify_outcome outcome = judge(&options, pki.chain);

    expect_accepted("a longer list", &outcome);
    ekb_chain_destroy(trust);
    ekb_ca_destroy(other);
    fixture_pki_deinit(&pki);
}

// What may end a chain.

static const struct {
    const char *name;
    size_t listed; // Which certificate of leaf, intermediate 2, intermediate 1, root is trusted.
    enum ekb_anchor anchor;
    bool accepted;
    size_t chain_len; // 0: a listed leaf is enough, but what is sent with it is looked at too.
} anchors[] = {
    {"root", 3, EKB_ANCHOR_ROOT, true, 4},
    {"root, partial", 3, EKB_ANCHOR_LISTED, true, 4},
    {"upper intermediate", 2, EKB_ANCHOR_ROOT, false, 0},
    {"upper intermediate, partial", 2, EKB_ANCHOR_LISTED, true, 3},
    {"lower intermediate", 1, EKB_ANCHOR_ROOT, false, 0},
    {"lower intermediate, partial", 1, EKB_ANCHOR_LISTED, true, 2},
    {"leaf", 0, EKB_ANCHOR_ROOT, false, 0},
    {"leaf, partial", 0, EKB_ANCHOR_LISTED, true, 0},
};

Test(verify, ends_a_chain_at_a_listed_certificate_when_it_may)
{
    struct fixture_pki pki = pki_of(3, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
    struct ekb_chain *all = joined(pki.chain, fixture_pki_root(&pki));
    for (size_t i = 0; i < COUNT(anchors); i++) {
        struct ekb_chain *trust = only(all, anchors[i].listed);
        struct ekb_verify_options options = trusting(trust);
        options.anchor = anchors[i].anchor;

        const struct ekb_verify_outcome outcome = judge(&options, pki.chain);

        if (anchors[i].accepted) {
            expect_accepted(anchors[i].name, &outcome);
            cr_expect(anchors[i].chain_len == 0 || outcome.chain_len == anchors[i].chain_len,
                      "%s: %zu", anchors[i].name, outcome.chain_len);
        } else {
            cr_expect(outcome.err == EKB_VERIFY_NO_ISSUER ||
                          outcome.err == EKB_VERIFY_NO_LOCAL_ISSUER,
                      "%s: %s", anchors[i].name, ekb_err_name(outcome.err));
            cr_expect_eq(outcome.alert, UNKNOWN_CA, "%s: %d", anchors[i].name, outcome.alert);
        }
        ekb_chain_destroy(trust);
    }
    ekb_chain_destroy(all);
    fixture_pki_deinit(&pki);
}

Test(verify, is_no_issuer_when_a_trusted_certificate_is_no_ca)
{
    static const struct {
        const char *name;
        struct forgery issuer;
        enum ekb_err err;
        int result;
        int depth;
    } cases[] = {
        {"CA:FALSE",
         {.subject = "issuer", .basic_constraints = "CA:FALSE"},
         EKB_VERIFY_INVALID_CA,
         X509_V_ERR_INVALID_CA,
         1},
        {"no basic constraints",
         {.subject = "issuer"},
         EKB_VERIFY_INVALID_CA,
         X509_V_ERR_INVALID_CA,
         1},
        // The library does not even take it for the issuer.
        {"no keyCertSign",
         {.subject = "issuer", .basic_constraints = "CA:FALSE", .key_usage = "digitalSignature"},
         EKB_VERIFY_NO_LOCAL_ISSUER,
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
         0},
    };
    static const struct forgery leaf = {.subject = "leaf", .basic_constraints = "CA:FALSE"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned anchor = EKB_ANCHOR_ROOT; anchor <= EKB_ANCHOR_LISTED; anchor++) {
            char name[64];
            EVP_PKEY *issuer_key = forge_key();
            EVP_PKEY *key = forge_key();
            struct ekb_chain *trust = forged(&cases[i].issuer, issuer_key, issuer_key, "issuer");
            struct ekb_chain *chain = forged(&leaf, key, issuer_key, "issuer");
            struct ekb_verify_options options = trusting(trust);
            options.anchor = (enum ekb_anchor)anchor;
            (void)snprintf(name, sizeof name, "%s, anchor %u", cases[i].name, anchor);

            const struct ekb_verify_outcome outcome = judge(&options, chain);

            expect_rejected(name, &outcome, cases[i].err, cases[i].result, UNKNOWN_CA,
                            cases[i].depth);
            ekb_chain_destroy(chain);
            ekb_chain_destroy(trust);
            EVP_PKEY_free(key);
            EVP_PKEY_free(issuer_key);
        }
    }
}

// As above, but what is listed and no CA is an intermediate, not self-signed.
Test(verify, is_no_issuer_when_a_trusted_intermediate_is_no_ca)
{
    static const struct forgery root = {.subject = "root", .basic_constraints = "CA:TRUE"};
    static const struct forgery middle = {.subject = "middle", .basic_constraints = "CA:FALSE"};
    static const struct forgery leaf = {.subject = "leaf"};
    EVP_PKEY *keys[] = {forge_key(), forge_key(), forge_key()};
    struct ekb_chain *roots = forged(&root, keys[0], keys[0], "root");
    struct ekb_chain *middles = forged(&middle, keys[1], keys[0], "root");
    struct ekb_chain *leaves = forged(&leaf, keys[2], keys[1], "middle");
    struct ekb_chain *both = joined(middles, roots);
    const struct {
        const char *name;
        const struct ekb_chain *trust;
        enum ekb_anchor anchor;
    } cases[] = {
        {"with its root", both, EKB_ANCHOR_ROOT},
        {"with its root, partial", both, EKB_ANCHOR_LISTED},
        {"alone, partial", middles, EKB_ANCHOR_LISTED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_verify_options options = trusting(cases[i].trust);
        options.anchor = cases[i].anchor;

        const struct ekb_verify_outcome outcome = judge(&options, leaves);

        expect_rejected(cases[i].name, &outcome, EKB_VERIFY_INVALID_CA, X509_V_ERR_INVALID_CA,
                        UNKNOWN_CA, 1);
        cr_expect_str_eq(outcome.subject, "CN=middle", "%s: \"%s\"", cases[i].name,
                         outcome.subject);
    }
    ekb_chain_destroy(both);
    ekb_chain_destroy(leaves);
    ekb_chain_destroy(middles);
    ekb_chain_destroy(roots);
    for (size_t i = 0; i < COUNT(keys); i++) {
        EVP_PKEY_free(keys[i]);
    }
}

Test(verify, is_no_issuer_when_a_sent_certificate_is_no_ca)
{
    static const struct forgery root = {.subject = "root", .basic_constraints = "CA:TRUE"};
    static const struct forgery middle = {.subject = "middle", .basic_constraints = "CA:FALSE"};
    static const struct forgery leaf = {.subject = "leaf"};
    EVP_PKEY *keys[] = {forge_key(), forge_key(), forge_key()};
    struct ekb_chain *roots = forged(&root, keys[0], keys[0], "root");
    struct ekb_chain *middles = forged(&middle, keys[1], keys[0], "root");
    struct ekb_chain *leaves = forged(&leaf, keys[2], keys[1], "middle");
    struct ekb_chain *chain = joined(leaves, middles);
    const struct ekb_verify_options options = trusting(roots);

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    expect_rejected("sent", &outcome, EKB_VERIFY_INVALID_CA, X509_V_ERR_INVALID_CA, UNKNOWN_CA, 1);
    ekb_chain_destroy(chain);
    ekb_chain_destroy(leaves);
    ekb_chain_destroy(middles);
    ekb_chain_destroy(roots);
    for (size_t i = 0; i < COUNT(keys); i++) {
        EVP_PKEY_free(keys[i]);
    }
}

// "For a trusted CA list the order means nothing" (pki/cert), and what is no CA is no issuer. A
// root that was renewed with its old key is listed twice for a while.
Test(verify, finds_the_issuer_in_any_order_when_a_useless_one_has_its_name_and_key)
{
    static const struct {
        const char *name;
        struct forgery useless;
    } cases[] = {
        {"no CA", {.subject = "issuer", .basic_constraints = "CA:FALSE"}},
        {"expired",
         {.subject = "issuer",
          .basic_constraints = "CA:TRUE",
          .not_after = FIXTURE_NOT_BEFORE + DAY}},
    };
    static const struct forgery issuer = {.subject = "issuer", .basic_constraints = "CA:TRUE"};
    static const struct forgery leaf = {.subject = "leaf"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        EVP_PKEY *issuer_key = forge_key();
        EVP_PKEY *key = forge_key();
        struct ekb_chain *useless = forged(&cases[i].useless, issuer_key, issuer_key, "issuer");
        struct ekb_chain *useful = forged(&issuer, issuer_key, issuer_key, "issuer");
        struct ekb_chain *chain = forged(&leaf, key, issuer_key, "issuer");
        for (int useless_first = 0; useless_first <= 1; useless_first++) {
            char name[64];
            struct ekb_chain *trust =
                useless_first == 1 ? joined(useless, useful) : joined(useful, useless);
            const struct ekb_verify_options options = trusting(trust);
            (void)snprintf(name, sizeof name, "%s, first: %d", cases[i].name, useless_first);

            const struct ekb_verify_outcome outcome = judge(&options, chain);

            expect_accepted(name, &outcome);
            ekb_chain_destroy(trust);
        }
        ekb_chain_destroy(chain);
        ekb_chain_destroy(useful);
        ekb_chain_destroy(useless);
        EVP_PKEY_free(key);
        EVP_PKEY_free(issuer_key);
    }
}

// Taken from the list, it is not checked for usage either.
Test(verify, accepts_a_self_signed_leaf_when_it_is_trusted)
{
    static const struct forgery leaf = {
        .subject = "leaf", .basic_constraints = "CA:FALSE", .eku = "serverAuth"};
    struct ekb_chain *chain = self_signed(&leaf);
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        struct ekb_verify_options options = trusting(chain);
        options.policy.eku = (enum ekb_eku_mode)mode;

        const struct ekb_verify_outcome outcome = judge(&options, chain);

        expect_accepted(ekb_eku_mode_name((enum ekb_eku_mode)mode), &outcome);
        cr_expect_eq(outcome.chain_len, 1u, "%zu", outcome.chain_len);
    }
    ekb_chain_destroy(chain);
}

Test(verify, rejects_a_self_signed_leaf_when_only_its_namesake_is_trusted)
{
    static const struct forgery leaf = {.subject = "leaf", .basic_constraints = "CA:FALSE"};
    struct ekb_chain *chain = self_signed(&leaf);
    struct ekb_chain *namesake = self_signed(&leaf);
    const struct ekb_verify_options options = trusting(namesake);

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    expect_rejected("namesake", &outcome, EKB_VERIFY_SELF_SIGNED_LEAF,
                    X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, UNKNOWN_CA, 0);
    cr_expect_str_eq(outcome.subject, "CN=leaf", "\"%s\"", outcome.subject);
    ekb_chain_destroy(namesake);
    ekb_chain_destroy(chain);
}

// A root that has settings is an anchor for the usages that they trust, and for no other; without a
// usage to look for (mode none) they say nothing.
Test(verify, obeys_the_trust_settings_of_a_root_when_it_has_some)
{
    static const struct {
        const char *name;
        int rejected;
        int trusted;
        enum ekb_err errs[EKB_EKU_NUM_MODES];
    } cases[] = {
        {"clientAuth rejected",
         NID_client_auth,
         0,
         {EKB_VERIFY_REJECTED, EKB_VERIFY_NO_ISSUER, EKB_OK}},
        {"serverAuth rejected",
         NID_server_auth,
         0,
         {EKB_VERIFY_NO_ISSUER, EKB_VERIFY_REJECTED, EKB_OK}},
        {"clientAuth trusted", 0, NID_client_auth, {EKB_OK, EKB_VERIFY_NO_ISSUER, EKB_OK}},
        {"serverAuth trusted", 0, NID_server_auth, {EKB_VERIFY_NO_ISSUER, EKB_OK, EKB_OK}},
        {"serverAuth rejected, clientAuth trusted",
         NID_server_auth,
         NID_client_auth,
         {EKB_OK, EKB_VERIFY_REJECTED, EKB_OK}},
    };
    struct fixture_pki pki = pki_of(1, EKB_EKU_CLIENT_AUTH | EKB_EKU_SERVER_AUTH, EKB_EKU_ABSENT);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_chain *trust =
            with_trust_settings(fixture_pki_root(&pki), cases[i].rejected, cases[i].trusted);
        for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
            struct ekb_verify_options options = trusting(trust);
            options.policy.eku = (enum ekb_eku_mode)mode;

            const struct ekb_verify_outcome outcome = judge(&options, pki.chain);

            const char *mode_name = ekb_eku_mode_name((enum ekb_eku_mode)mode);
            cr_expect_eq(outcome.err, cases[i].errs[mode], "%s, mode %s: %s", cases[i].name,
                         mode_name, ekb_err_name(outcome.err));
        }
        ekb_chain_destroy(trust);
    }
    fixture_pki_deinit(&pki);
}

// What is sent.

// next_permutation of 0 1 2 ...; false after the last.
static bool next_permutation(size_t *order, size_t len)
{
    size_t i = len - 1;
    size_t j = len - 1;
    while (i > 0 && order[i - 1] > order[i]) {
        i--;
    }
    if (i == 0) {
        return false;
    }
    while (order[j] < order[i - 1]) {
        j--;
    }
    const size_t kept = order[i - 1];
    order[i - 1] = order[j];
    order[j] = kept;
    for (j = len - 1; i < j; i++, j--) {
        const size_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
    return true;
}

Test(verify, accepts_a_chain_when_its_intermediates_are_in_any_order)
{
    size_t order[] = {0, 1, 2, 3};
    size_t num_orders = 0;
    struct fixture_pki pki = pki_of(5, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
    const struct ekb_verify_options options = trusting(fixture_pki_root(&pki));
    do {
        char name[64];
        struct ekb_chain *chain = only(pki.chain, 0);
        for (size_t i = 0; i < COUNT(order); i++) {
            append(chain, pki.chain, 1 + order[i]);
        }
        (void)snprintf(name, sizeof name, "%zu %zu %zu %zu", order[0], order[1], order[2],
                       order[3]);

        const struct ekb_verify_outcome outcome = judge(&options, chain);

        expect_accepted(name, &outcome);
        cr_expect_eq(outcome.chain_len, 6u, "%s: %zu", name, outcome.chain_len);
        ekb_chain_destroy(chain);
        num_orders++;
    } while (next_permutation(order, COUNT(order)));
    cr_assert_eq(num_orders, 24u, "%zu", num_orders);
    fixture_pki_deinit(&pki);
}

Test(verify, accepts_a_chain_when_more_is_sent_than_it_needs)
{
    struct fixture_pki pki = pki_of(3, EKB_EKU_CLIENT_AUTH, EKB_EKU_ABSENT);
    struct fixture_pki other = pki_of(3, EKB_EKU_SERVER_AUTH, EKB_EKU_CODE_SIGNING);
    struct ekb_chain *chain = only(pki.chain, 0);
    append_all(chain, other.chain);
    append_all(chain, fixture_pki_root(&other));
    append_all(chain, pki.chain);
    append_all(chain, fixture_pki_root(&pki));
    append_all(chain, pki.chain);
    const struct ekb_verify_options options = trusting(fixture_pki_root(&pki));

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    expect_accepted("unrelated certificates, and all twice", &outcome);
    cr_expect_eq(outcome.chain_len, 4u, "%zu", outcome.chain_len);
    ekb_chain_destroy(chain);
    fixture_pki_deinit(&other);
    fixture_pki_deinit(&pki);
}

// Time.

#define VALID_FROM INT64_C(1767225600)  // 2026-01-01.
#define VALID_UNTIL INT64_C(1798761599) // 2026-12-31T23:59:59Z.

// Which certificate has the short validity. Their positions in the chain, too.
enum {
    SHORT_LEAF,
    SHORT_INTERMEDIATE,
    SHORT_ROOT
};

struct short_lived {
    struct ekb_ca *root;
    struct ekb_ca *intermediate;
    struct ekb_chain *chain;
};

static struct ekb_mint_ca ca_living(const char *name, bool is_short)
{
    return (struct ekb_mint_ca){.common_name = name,
                                .key_type = EKB_KEY_P256,
                                .not_before = is_short ? VALID_FROM : FIXTURE_NOT_BEFORE,
                                .not_after = is_short ? VALID_UNTIL : FIXTURE_NOT_AFTER};
}

static struct short_lived short_lived_of(int which)
{
    struct short_lived got = {0};
    const struct ekb_mint_ca root = ca_living("root", which == SHORT_ROOT);
    const struct ekb_mint_ca intermediate = ca_living("intermediate", which == SHORT_INTERMEDIATE);
    const bool is_short = which == SHORT_LEAF;
    const struct ekb_mint_leaf leaf = {.common_name = "leaf",
                                       .key_type = EKB_KEY_P256,
                                       .not_before = is_short ? VALID_FROM : FIXTURE_NOT_BEFORE,
                                       .not_after = is_short ? VALID_UNTIL : FIXTURE_NOT_AFTER};
    cr_assert_eq(ekb_ca_create_root(&got.root, &root, NULL), EKB_OK);
    cr_assert_eq(ekb_ca_create_intermediate(&got.intermediate, got.root, &intermediate, NULL),
                 EKB_OK);
    got.chain = issue(got.intermediate, &leaf);
    return got;
}

static void short_lived_deinit(struct short_lived *short_lived)
{
    ekb_chain_destroy(short_lived->chain);
    ekb_ca_destroy(short_lived->intermediate);
    ekb_ca_destroy(short_lived->root);
}

static const struct {
    const char *name;
    int which;
} lives[] = {{"leaf", SHORT_LEAF}, {"intermediate", SHORT_INTERMEDIATE}, {"root", SHORT_ROOT}};

static struct ekb_verify_outcome verdict_at(int which, int64_t at)
{
    struct short_lived short_lived = short_lived_of(which);
    struct ekb_verify_options options = trusting(ekb_ca_certificate(short_lived.root));
    options.at = &at;
    const struct ekb_verify_outcome outcome = judge(&options, short_lived.chain);
    short_lived_deinit(&short_lived);
    return outcome;
}

Test(verify, is_not_yet_valid_when_a_second_before_the_first)
{
    for (size_t i = 0; i < COUNT(lives); i++) {
        const struct ekb_verify_outcome outcome = verdict_at(lives[i].which, VALID_FROM - 1);

        expect_rejected(lives[i].name, &outcome, EKB_VERIFY_NOT_YET_VALID,
                        X509_V_ERR_CERT_NOT_YET_VALID, CERTIFICATE_EXPIRED, lives[i].which);
    }
}

Test(verify, is_valid_when_in_the_first_second)
{
    for (size_t i = 0; i < COUNT(lives); i++) {
        const struct ekb_verify_outcome outcome = verdict_at(lives[i].which, VALID_FROM);

        expect_accepted(lives[i].name, &outcome);
    }
}

// The library's rule; RFC 5280 section 4.1.2.5 has the last second in.
Test(verify, has_expired_when_in_the_last_second)
{
    for (size_t i = 0; i < COUNT(lives); i++) {
        const struct ekb_verify_outcome outcome = verdict_at(lives[i].which, VALID_UNTIL);

        expect_rejected(lives[i].name, &outcome, EKB_VERIFY_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED,
                        CERTIFICATE_EXPIRED, lives[i].which);
    }
}

Test(verify, is_valid_when_a_second_before_the_last)
{
    for (size_t i = 0; i < COUNT(lives); i++) {
        const struct ekb_verify_outcome outcome = verdict_at(lives[i].which, VALID_UNTIL - 1);

        expect_accepted(lives[i].name, &outcome);
    }
}

Test(verify, has_expired_when_a_second_after_the_last)
{
    for (size_t i = 0; i < COUNT(lives); i++) {
        const struct ekb_verify_outcome outcome = verdict_at(lives[i].which, VALID_UNTIL + 1);

        expect_rejected(lives[i].name, &outcome, EKB_VERIFY_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED,
                        CERTIFICATE_EXPIRED, lives[i].which);
    }
}

Test(verify, is_accepted_at_no_time_when_it_is_far_off)
{
    static const struct {
        const char *name;
        int64_t at;
    } cases[] = {
        {"the epoch", 0},
        {"before it", -1},
        {"the year -292277022657", INT64_MIN},
        {"the year 292277026596", INT64_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ekb_verify_outcome outcome = verdict_at(SHORT_LEAF, cases[i].at);

        cr_expect(outcome.err == EKB_VERIFY_NOT_YET_VALID || outcome.err == EKB_VERIFY_EXPIRED,
                  "%s: %s", cases[i].name, ekb_err_name(outcome.err));
    }
}

// The option is copied, not pointed to.
Test(verify, keeps_the_time_when_it_changes_after_the_making)
{
    int64_t at = NOON;
    struct short_lived short_lived = short_lived_of(SHORT_LEAF);
    struct ekb_verify_options options = trusting(ekb_ca_certificate(short_lived.root));
    options.at = &at;
    struct ekb_verifier *verifier = verifier_of(&options);
    at = VALID_UNTIL + DAY;

    const struct ekb_verify_outcome outcome = check(verifier, short_lived.chain);

    expect_accepted("2026", &outcome);
    ekb_verifier_destroy(verifier);
    short_lived_deinit(&short_lived);
}

Test(verify, is_judged_now_when_no_time_is_given)
{
    static const struct {
        const char *name;
        int64_t not_before;
        int64_t not_after;
        enum ekb_err err;
    } cases[] = {
        {"now", FIXTURE_NOT_BEFORE, FIXTURE_NOT_AFTER, EKB_OK},
        {"past", FIXTURE_NOT_BEFORE, FIXTURE_NOT_BEFORE + DAY, EKB_VERIFY_EXPIRED},
        {"future", FIXTURE_NOT_AFTER - DAY, FIXTURE_NOT_AFTER, EKB_VERIFY_NOT_YET_VALID},
    };
    struct ekb_ca *root = root_named("root");
    const struct ekb_verify_options options = trusting(ekb_ca_certificate(root));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ekb_mint_leaf leaf = {.common_name = "leaf",
                                           .key_type = EKB_KEY_P256,
                                           .not_before = cases[i].not_before,
                                           .not_after = cases[i].not_after};
        struct ekb_chain *chain = issue(root, &leaf);

        const struct ekb_verify_outcome outcome = judge(&options, chain);

        cr_expect_eq(outcome.err, cases[i].err, "%s: %s", cases[i].name, ekb_err_name(outcome.err));
        ekb_chain_destroy(chain);
    }
    ekb_ca_destroy(root);
}

// Names.

// The leaves that are asked for a name.
enum {
    NAMED_DNS,              // DNS names and IP addresses; the common name is not among them.
    NAMED_CN,               // The common name alone.
    NAMED_CN_WILDCARD,      // A wildcard as the common name alone.
    NAMED_CN_IP,            // An IP address as the common name alone.
    NAMED_IP,               // An IP address, and a common name.
    NAMED_EMAIL,            // An rfc822Name, and a common name.
    NAMED_URI,              // A URI, and a common name.
    NAMED_URI_DNS,          // A URI and a DNS name, and another common name.
    NAMED_SUBJECT_MAIL,     // emailAddress in the subject alone.
    NAMED_SUBJECT_MAIL_DNS, // The same beside a DNS name.
    NUM_NAMED
};

static struct ekb_chain *named_chains[NUM_NAMED];
static struct ekb_chain *named_trust;

static void name_leaves(void)
{
    static const struct forgery leaves[NUM_NAMED] = {
        [NAMED_DNS] = {.subject = "cn.example",
                       .names = "DNS:test.example,DNS:Upper.Example,DNS:*.wild.example,"
                                "IP:192.0.2.1,IP:2001:db8::1"},
        [NAMED_CN] = {.subject = "cn.example"},
        [NAMED_CN_WILDCARD] = {.subject = "*.cn.example"},
        [NAMED_CN_IP] = {.subject = "192.0.2.1"},
        [NAMED_IP] = {.subject = "cn.example", .names = "IP:192.0.2.1"},
        [NAMED_EMAIL] = {.subject = "cn.example", .names = "email:Who@mail.example"},
        [NAMED_URI] = {.subject = "cn.example", .names = "URI:sip:cn.example"},
        [NAMED_URI_DNS] = {.subject = "cn.example", .names = "URI:sip:cn.example,DNS:test.example"},
        [NAMED_SUBJECT_MAIL] = {.subject = "cn.example", .email = "who@mail.example"},
        [NAMED_SUBJECT_MAIL_DNS] = {.subject = "cn.example",
                                    .email = "who@mail.example",
                                    .names = "DNS:test.example"},
    };
    static const struct forgery root = {.subject = "root", .basic_constraints = "CA:TRUE"};
    EVP_PKEY *root_key = forge_key();
    EVP_PKEY *key = forge_key();
    named_trust = forged(&root, root_key, root_key, "root");
    for (size_t i = 0; i < NUM_NAMED; i++) {
        named_chains[i] = forged(&leaves[i], key, root_key, "root");
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(root_key);
}

static void forget_leaves(void)
{
    for (size_t i = 0; i < NUM_NAMED; i++) {
        ekb_chain_destroy(named_chains[i]);
    }
    ekb_chain_destroy(named_trust);
}

static struct ekb_verify_outcome name_verdict(int leaf, const char *text)
{
    struct ekb_verify_options options = trusting(named_trust);
    const enum ekb_err err = ekb_name_parse(&options.policy.name, text);
    cr_assert_eq(err, EKB_OK, "\"%s\": %s", text, ekb_err_name(err));
    return judge(&options, named_chains[leaf]);
}

Test(verify, accepts_a_leaf_when_it_has_the_name)
{
    static const struct {
        const char *name;
        int leaf;
        const char *text;
    } cases[] = {
        {"exact", NAMED_DNS, "test.example"},
        {"another of several", NAMED_DNS, "upper.example"},
        {"in other case", NAMED_DNS, "TEST.Example"},
        {"wildcard", NAMED_DNS, "a.wild.example"},
        {"wildcard in other case", NAMED_DNS, "A.WILD.example"},
        {"wildcard, A-label", NAMED_DNS, "xn--bcher-kva.wild.example"},
        {"IPv4", NAMED_DNS, "192.0.2.1"},
        {"IPv6", NAMED_DNS, "2001:db8::1"},
        {"IPv6 in brackets", NAMED_DNS, "[2001:db8::1]"},
        {"IPv6 written out", NAMED_DNS, "2001:0DB8:0:0:0:0:0:1"},
        {"common name without others", NAMED_CN, "cn.example"},
        {"common name in other case", NAMED_CN, "CN.EXAMPLE"},
        {"common name, wildcard", NAMED_CN_WILDCARD, "a.cn.example"},
        {"common name beside an e-mail address", NAMED_EMAIL, "cn.example"},
        {"common name beside a URI", NAMED_URI, "cn.example"},
        {"common name beside a URI, in other case", NAMED_URI, "Cn.Example"},
        {"IPv4 alone", NAMED_IP, "192.0.2.1"},
        {"e-mail", NAMED_EMAIL, "Who@mail.example"},
        {"e-mail, domain in other case", NAMED_EMAIL, "Who@MAIL.example"},
        {"e-mail in the subject", NAMED_SUBJECT_MAIL, "who@mail.example"},
    };
    name_leaves();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ekb_verify_outcome outcome = name_verdict(cases[i].leaf, cases[i].text);

        expect_accepted(cases[i].name, &outcome);
    }
    forget_leaves();
}

// "The subject's emailAddress only if there is no subjectAltName" (pki/policy).
Test(verify, rejects_a_leaf_when_only_its_subject_has_the_address_beside_a_dns_name)
{
    name_leaves();

    const struct ekb_verify_outcome outcome =
        name_verdict(NAMED_SUBJECT_MAIL_DNS, "who@mail.example");

    expect_rejected("e-mail in the subject, DNS name", &outcome, EKB_VERIFY_EMAIL,
                    X509_V_ERR_EMAIL_MISMATCH, 42, 0);
    forget_leaves();
}

// Nothing constrains a common name.
Test(verify, takes_no_common_name_beside_other_names_when_names_are_constrained)
{
    static const struct forgery root = {.subject = "root",
                                        .basic_constraints = "CA:TRUE",
                                        .name_constraints = "permitted;DNS:allowed.example"};
    static const struct forgery leaf = {.subject = "cn.example", .names = "email:who@mail.example"};
    EVP_PKEY *key = forge_key();
    struct ekb_chain *trust = forged(&root, key, key, "root");
    struct ekb_chain *chain = forged(&leaf, key, key, "root");
    struct ekb_verify_options options = trusting(trust);
    cr_assert_eq(ekb_name_parse(&options.policy.name, "cn.example"), EKB_OK);

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    expect_rejected("constrained", &outcome, EKB_VERIFY_HOSTNAME, X509_V_ERR_HOSTNAME_MISMATCH,
                    BAD_CERTIFICATE, 0);
    ekb_chain_destroy(chain);
    ekb_chain_destroy(trust);
    EVP_PKEY_free(key);
}

Test(verify, rejects_a_leaf_when_it_does_not_have_the_name)
{
    static const struct {
        const char *name;
        int leaf;
        const char *text;
        enum ekb_err err;
        int result;
    } cases[] = {
        {"another", NAMED_DNS, "other.example", EKB_VERIFY_HOSTNAME, X509_V_ERR_HOSTNAME_MISMATCH},
        {"longer", NAMED_DNS, "test.example.com", EKB_VERIFY_HOSTNAME,
         X509_V_ERR_HOSTNAME_MISMATCH},
        {"shorter", NAMED_DNS, "test.exampl", EKB_VERIFY_HOSTNAME, X509_V_ERR_HOSTNAME_MISMATCH},
        {"below", NAMED_DNS, "a.test.example", EKB_VERIFY_HOSTNAME, X509_V_ERR_HOSTNAME_MISMATCH},
        {"above", NAMED_DNS, "example", EKB_VERIFY_HOSTNAME, X509_V_ERR_HOSTNAME_MISMATCH},
        {"wildcard, two labels", NAMED_DNS, "a.b.wild.example", EKB_VERIFY_HOSTNAME,
         X509_V_ERR_HOSTNAME_MISMATCH},
        {"wildcard, no label", NAMED_DNS, "wild.example", EKB_VERIFY_HOSTNAME,
         X509_V_ERR_HOSTNAME_MISMATCH},
        {"wildcard, empty label", NAMED_DNS, ".wild.example", EKB_VERIFY_HOSTNAME,
         X509_V_ERR_HOSTNAME_MISMATCH},
        {"wildcard, part of a label", NAMED_DNS, "awild.example", EKB_VERIFY_HOSTNAME,
         X509_V_ERR_HOSTNAME_MISMATCH},
        {"common name beside DNS names", NAMED_DNS, "cn.example", EKB_VERIFY_HOSTNAME,
         X509_V_ERR_HOSTNAME_MISMATCH},
        {"common name beside an IP address", NAMED_IP, "cn.example", EKB_VERIFY_HOSTNAME,
         X509_V_ERR_HOSTNAME_MISMATCH},
        {"another common name beside an e-mail address", NAMED_EMAIL, "other.example",
         EKB_VERIFY_HOSTNAME, X509_V_ERR_HOSTNAME_MISMATCH},
        {"common name beside a URI and a DNS name", NAMED_URI_DNS, "cn.example",
         EKB_VERIFY_HOSTNAME, X509_V_ERR_HOSTNAME_MISMATCH},
        {"another common name", NAMED_CN, "other.example", EKB_VERIFY_HOSTNAME,
         X509_V_ERR_HOSTNAME_MISMATCH},
        {"another IPv4", NAMED_DNS, "192.0.2.2", EKB_VERIFY_IP, X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"another IPv6", NAMED_DNS, "2001:db8::2", EKB_VERIFY_IP, X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"IPv4 mapped into IPv6", NAMED_DNS, "::ffff:192.0.2.1", EKB_VERIFY_IP,
         X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"IPv4 in the common name", NAMED_CN_IP, "192.0.2.1", EKB_VERIFY_IP,
         X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"another mailbox", NAMED_EMAIL, "whom@mail.example", EKB_VERIFY_EMAIL,
         X509_V_ERR_EMAIL_MISMATCH},
        {"mailbox in other case", NAMED_EMAIL, "who@mail.example", EKB_VERIFY_EMAIL,
         X509_V_ERR_EMAIL_MISMATCH},
        {"another domain", NAMED_EMAIL, "Who@example", EKB_VERIFY_EMAIL, X509_V_ERR_EMAIL_MISMATCH},
        {"no address at all", NAMED_CN, "who@mail.example", EKB_VERIFY_EMAIL,
         X509_V_ERR_EMAIL_MISMATCH},
    };
    name_leaves();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ekb_verify_outcome outcome = name_verdict(cases[i].leaf, cases[i].text);

        expect_rejected(cases[i].name, &outcome, cases[i].err, cases[i].result, BAD_CERTIFICATE, 0);
    }
    forget_leaves();
}

// Revocation.

// Which CRLs there are. Their issuers: the root, whose CRL the intermediate needs, and the
// intermediate, whose CRL the leaf needs.
struct revocation {
    struct ekb_ca *root;
    struct ekb_ca *intermediate;
    struct ekb_chain *chain; // The leaf, the intermediate.
    struct ekb_crls *crls;
};

static struct revocation revocation_of(void)
{
    struct revocation got = {.crls = ekb_crls_create()};
    const struct ekb_mint_ca intermediate = ca_living("intermediate", false);
    got.root = root_named("root");
    cr_assert_eq(ekb_ca_create_intermediate(&got.intermediate, got.root, &intermediate, NULL),
                 EKB_OK);
    got.chain = leaf_under(got.intermediate);
    return got;
}

static void revocation_deinit(struct revocation *revocation)
{
    ekb_crls_destroy(revocation->crls);
    ekb_chain_destroy(revocation->chain);
    ekb_ca_destroy(revocation->intermediate);
    ekb_ca_destroy(revocation->root);
}

// revoke issues a CRL by `ca` of the day from `this_update` on, with certificate 0 of `chain` on it
// (NULL: none).
static void revoke(struct ekb_crls *crls, const struct ekb_ca *ca, const struct ekb_chain *chain,
                   int64_t this_update)
{
    const struct ekb_chain *const revoked[] = {chain};
    const struct ekb_crl_spec spec = {.revoked = revoked,
                                      .num_revoked = chain != NULL ? 1 : 0,
                                      .this_update = this_update,
                                      .next_update = this_update + DAY};
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_crls_issue(crls, ca, &spec, &fail), EKB_OK, "%s", fail.detail);
}

static struct ekb_verify_outcome crl_verdict(const struct revocation *revocation, int64_t at)
{
    struct ekb_verify_options options = trusting(ekb_ca_certificate(revocation->root));
    options.crls = revocation->crls;
    options.at = &at;
    return judge(&options, revocation->chain);
}

enum {
    REVOKES_NOTHING,
    REVOKES_ITS,    // The certificate of our chain that it issued.
    REVOKES_OTHERS, // The other one, which it did not issue.
    MISSING
};

Test(verify, consults_the_crl_of_each_issuer)
{
    static const struct {
        const char *name;
        int intermediates; // What the CRL of the intermediate does.
        int roots;
        int64_t intermediates_age; // How long before now it was made.
        int64_t roots_age;
        enum ekb_err err;
        int result;
        int alert;
        int depth;
    } cases[] = {
        {"good", REVOKES_NOTHING, REVOKES_NOTHING, 0, 0, EKB_OK, X509_V_OK, NO_ALERT, -1},
        {"others revoked", REVOKES_OTHERS, REVOKES_OTHERS, 0, 0, EKB_OK, X509_V_OK, NO_ALERT, -1},
        {"in its last second but one", REVOKES_NOTHING, REVOKES_NOTHING, DAY - 1, DAY - 1, EKB_OK,
         X509_V_OK, NO_ALERT, -1},
        {"leaf revoked", REVOKES_ITS, REVOKES_NOTHING, 0, 0, EKB_VERIFY_REVOKED,
         X509_V_ERR_CERT_REVOKED, CERTIFICATE_REVOKED, 0},
        {"intermediate revoked", REVOKES_NOTHING, REVOKES_ITS, 0, 0, EKB_VERIFY_REVOKED,
         X509_V_ERR_CERT_REVOKED, CERTIFICATE_REVOKED, 1},
        {"both revoked", REVOKES_ITS, REVOKES_ITS, 0, 0, EKB_VERIFY_REVOKED,
         X509_V_ERR_CERT_REVOKED, CERTIFICATE_REVOKED, 0},
        {"no CRL for the leaf", MISSING, REVOKES_NOTHING, 0, 0, EKB_VERIFY_NO_CRL,
         X509_V_ERR_UNABLE_TO_GET_CRL, UNKNOWN_CA, 0},
        {"no CRL for the intermediate", REVOKES_NOTHING, MISSING, 0, 0, EKB_VERIFY_NO_CRL,
         X509_V_ERR_UNABLE_TO_GET_CRL, UNKNOWN_CA, 1},
        {"no CRL at all", MISSING, MISSING, 0, 0, EKB_VERIFY_NO_CRL, X509_V_ERR_UNABLE_TO_GET_CRL,
         UNKNOWN_CA, 0},
        {"leaf's expired", REVOKES_NOTHING, REVOKES_NOTHING, DAY + 1, 0, EKB_VERIFY_CRL_EXPIRED,
         X509_V_ERR_CRL_HAS_EXPIRED, CERTIFICATE_EXPIRED, 0},
        {"intermediate's expired", REVOKES_NOTHING, REVOKES_NOTHING, 0, DAY + 1,
         EKB_VERIFY_CRL_EXPIRED, X509_V_ERR_CRL_HAS_EXPIRED, CERTIFICATE_EXPIRED, 1},
        {"leaf's not yet valid", REVOKES_NOTHING, REVOKES_NOTHING, -1, 0,
         EKB_VERIFY_CRL_NOT_YET_VALID, X509_V_ERR_CRL_NOT_YET_VALID, CERTIFICATE_EXPIRED, 0},
        {"intermediate's not yet valid", REVOKES_NOTHING, REVOKES_NOTHING, 0, -1,
         EKB_VERIFY_CRL_NOT_YET_VALID, X509_V_ERR_CRL_NOT_YET_VALID, CERTIFICATE_EXPIRED, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct revocation revocation = revocation_of();
        const struct ekb_chain *of_intermediate[] = {NULL, revocation.chain,
                                                     ekb_ca_certificate(revocation.intermediate)};
        const struct ekb_chain *of_root[] = {NULL, ekb_ca_certificate(revocation.intermediate),
                                             revocation.chain};
        if (cases[i].intermediates != MISSING) {
            revoke(revocation.crls, revocation.intermediate,
                   of_intermediate[cases[i].intermediates], NOON - cases[i].intermediates_age);
        }
        if (cases[i].roots != MISSING) {
            revoke(revocation.crls, revocation.root, of_root[cases[i].roots],
                   NOON - cases[i].roots_age);
        }

        const struct ekb_verify_outcome outcome = crl_verdict(&revocation, NOON);

        if (cases[i].err == EKB_OK) {
            expect_accepted(cases[i].name, &outcome);
        } else {
            expect_rejected(cases[i].name, &outcome, cases[i].err, cases[i].result, cases[i].alert,
                            cases[i].depth);
        }
        revocation_deinit(&revocation);
    }
}

Test(verify, asks_for_no_crl_when_there_is_no_set)
{
    struct revocation revocation = revocation_of();
    struct ekb_verify_options options = trusting(ekb_ca_certificate(revocation.root));
    options.crls = NULL;

    const struct ekb_verify_outcome outcome = judge(&options, revocation.chain);

    expect_accepted("no set", &outcome);
    revocation_deinit(&revocation);
}

// "Every certificate of the chain, the last one included": this one is the last.
Test(verify, asks_for_a_crl_when_the_trusted_certificate_is_the_leaf)
{
    static const struct forgery leaf = {.subject = "leaf", .basic_constraints = "CA:FALSE"};
    struct ekb_chain *chain = self_signed(&leaf);
    struct ekb_crls *empty = ekb_crls_create();
    struct ekb_verify_options options = trusting(chain);
    options.crls = empty;

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    expect_rejected("trusted self-signed leaf", &outcome, EKB_VERIFY_NO_CRL,
                    X509_V_ERR_UNABLE_TO_GET_CRL, 48, 0);
    ekb_crls_destroy(empty);
    ekb_chain_destroy(chain);
}

Test(verify, consults_the_best_crl_when_an_issuer_has_several)
{
    static const struct {
        const char *name;
        int64_t age; // Of the CRL that revokes the leaf.
        int64_t other_age;
        enum ekb_err err;
    } cases[] = {
        {"revoked since", 60, 3600, EKB_VERIFY_REVOKED},
        {"no longer revoked", 3600, 60, EKB_OK},
        {"revoked; the other has expired", 60, 2 * DAY, EKB_VERIFY_REVOKED},
        {"the other; revoked in one that has expired", 2 * DAY, 60, EKB_OK},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int revoking_first = 0; revoking_first <= 1; revoking_first++) {
            struct revocation revocation = revocation_of();
            revoke(revocation.crls, revocation.root, NULL, NOON);
            for (int j = 0; j < 2; j++) {
                const bool revoking = (j == 0) == (revoking_first == 1);
                revoke(revocation.crls, revocation.intermediate, revoking ? revocation.chain : NULL,
                       NOON - (revoking ? cases[i].age : cases[i].other_age));
            }

            const struct ekb_verify_outcome outcome = crl_verdict(&revocation, NOON);

            cr_expect_eq(outcome.err, cases[i].err, "%s, revoking first: %d: %s", cases[i].name,
                         revoking_first, ekb_err_name(outcome.err));
            revocation_deinit(&revocation);
        }
    }
}

// library_crl returns the only CRL of the set as the library's object.
static X509_CRL *library_crl(const struct ekb_crls *crls)
{
    uint8_t binary[4096];
    size_t len = 0;
    cr_assert_eq(ekb_crls_write(crls, path, NULL), EKB_OK);
    char *text = fixture_read(path, NULL);
    // Base64 without the line ends.
    char *body = strchr(text, '\n');
    const char *end = strstr(text, "-----END");
    size_t body_len = 0;
    for (char *c = body; c < end; c++) {
        if (*c != '\n') {
            body[body_len++] = *c;
        }
    }
    cr_assert_eq(EVP_DecodeBase64(binary, &len, sizeof binary, (uint8_t *)body, body_len), 1);
    const uint8_t *next = binary;
    X509_CRL *crl = d2i_X509_CRL(NULL, &next, (long)len);
    cr_assert_not_null(crl);
    free(text);
    return crl;
}

// signed_set signs `crl`, which it takes, and returns a set of it alone.
static struct ekb_crls *signed_set(X509_CRL *crl, EVP_PKEY *key)
{
    uint8_t *der = NULL;
    struct ekb_crls *got = NULL;
    cr_assert_gt(X509_CRL_sign(crl, key, EVP_sha256()), 0);
    const int der_len = i2d_X509_CRL(crl, &der);
    fixture_write(path, der, (size_t)der_len, 0600);
    cr_assert_eq(ekb_crls_read(&got, path, NULL), EKB_OK);
    OPENSSL_free(der);
    X509_CRL_free(crl);
    return got;
}

// crl_of makes a list by hand, with certificate 0 of `revoked` on it (NULL: none).
static struct ekb_crls *crl_of(const char *issuer, EVP_PKEY *key, const struct ekb_chain *revoked,
                               int64_t this_update, bool is_delta)
{
    X509_CRL *crl = X509_CRL_new();
    X509_NAME *name = X509_NAME_new();
    ASN1_TIME *from = ASN1_TIME_set_posix(NULL, this_update);
    ASN1_TIME *until = ASN1_TIME_set_posix(NULL, this_update + DAY);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    cr_assert(ASN1_INTEGER_set_uint64(number, (uint64_t)this_update) == 1 &&
              X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                         (const uint8_t *)issuer, -1, -1, 0) == 1 &&
              X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(crl, name) == 1 &&
              X509_CRL_set1_lastUpdate(crl, from) == 1 &&
              X509_CRL_set1_nextUpdate(crl, until) == 1 &&
              X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_DEFAULT) == 1);
    if (is_delta) {
        cr_assert_eq(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, number, 1, X509V3_ADD_DEFAULT), 1);
    }
    if (revoked != NULL) {
        size_t len = 0;
        const uint8_t *der = ekb_chain_der(revoked, 0, &len);
        X509 *x509 = d2i_X509(NULL, &der, (long)len);
        X509_REVOKED *entry = X509_REVOKED_new();
        cr_assert(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(x509)) == 1 &&
                  X509_REVOKED_set_revocationDate(entry, from) == 1 &&
                  X509_CRL_add0_revoked(crl, entry) == 1);
        X509_free(x509);
    }
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(until);
    ASN1_TIME_free(from);
    X509_NAME_free(name);
    return signed_set(crl, key);
}

// joined_crls returns the lists of the one and of the other.
static struct ekb_crls *joined_crls(const struct ekb_crls *one, const struct ekb_crls *other)
{
    struct ekb_crls *got = NULL;
    cr_assert_eq(ekb_crls_write(one, path, NULL), EKB_OK);
    char *first = fixture_read(path, NULL);
    cr_assert_eq(ekb_crls_write(other, path, NULL), EKB_OK);
    char *second = fixture_read(path, NULL);
    const size_t len = strlen(first) + strlen(second) + 1;
    char *both = malloc(len);
    cr_assert_not_null(both);
    (void)snprintf(both, len, "%s%s", first, second);
    fixture_write_text(path, both);
    cr_assert_eq(ekb_crls_read(&got, path, NULL), EKB_OK);
    free(both);
    free(second);
    free(first);
    return got;
}

// resigned returns the CRLs of the set with the signature of a key that nobody knows.
static struct ekb_crls *resigned(const struct ekb_crls *crls)
{
    EVP_PKEY *key = forge_key();
    struct ekb_crls *got = signed_set(library_crl(crls), key);
    EVP_PKEY_free(key);
    return got;
}

Test(verify, rejects_a_crl_when_another_key_has_signed_it)
{
    struct ekb_ca *root = root_named("root");
    struct ekb_chain *chain = leaf_under(root);
    struct ekb_crls *crls = ekb_crls_create();
    revoke(crls, root, NULL, NOON);
    struct ekb_crls *wrong = resigned(crls);
    const int64_t at = NOON;
    struct ekb_verify_options options = trusting(ekb_ca_certificate(root));
    options.crls = wrong;
    options.at = &at;

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    expect_rejected("another key", &outcome, EKB_VERIFY_CRL_SIGNATURE,
                    X509_V_ERR_CRL_SIGNATURE_FAILURE, DECRYPT_ERROR, 0);
    ekb_crls_destroy(wrong);
    ekb_crls_destroy(crls);
    ekb_chain_destroy(chain);
    ekb_ca_destroy(root);
}

// A delta CRL has what is new since another list; who is on that one is not on it.
Test(verify, does_not_take_a_delta_crl_for_a_whole_one)
{
    static const struct forgery root = {.subject = "root", .basic_constraints = "CA:TRUE"};
    static const struct forgery leaf = {.subject = "leaf"};
    static const int64_t at = NOON;
    EVP_PKEY *key = forge_key();
    struct ekb_chain *trust = forged(&root, key, key, "root");
    struct ekb_chain *chain = forged(&leaf, key, key, "root");
    for (int both = 0; both <= 1; both++) {
        struct ekb_crls *sets[] = {crl_of("root", key, chain, NOON - 3600, false),
                                   crl_of("root", key, NULL, NOON - 60, true)};
        struct ekb_crls *crls = both == 1 ? joined_crls(sets[0], sets[1]) : sets[1];
        struct ekb_verify_options options = trusting(trust);
        options.crls = crls;
        options.at = &at;

        const struct ekb_verify_outcome outcome = judge(&options, chain);

        cr_expect_eq(outcome.err, both == 1 ? EKB_VERIFY_REVOKED : EKB_VERIFY_NO_CRL,
                     "with the whole one: %d: %s", both, ekb_err_name(outcome.err));
        if (both == 1) {
            ekb_crls_destroy(crls);
        }
        ekb_crls_destroy(sets[1]);
        ekb_crls_destroy(sets[0]);
    }
    ekb_chain_destroy(chain);
    ekb_chain_destroy(trust);
    EVP_PKEY_free(key);
}

// Its key identifier says that it is another CA's.
Test(verify, has_no_crl_when_only_the_namesake_of_the_ca_has_made_one)
{
    struct ekb_ca *root = root_named("root");
    struct ekb_ca *namesake = root_named("root");
    struct ekb_chain *chain = leaf_under(root);
    struct ekb_crls *crls = ekb_crls_create();
    revoke(crls, namesake, NULL, NOON);
    const int64_t at = NOON;
    struct ekb_verify_options options = trusting(ekb_ca_certificate(root));
    options.crls = crls;
    options.at = &at;

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    expect_rejected("namesake", &outcome, EKB_VERIFY_NO_CRL, X509_V_ERR_UNABLE_TO_GET_CRL,
                    UNKNOWN_CA, 0);
    ekb_crls_destroy(crls);
    ekb_chain_destroy(chain);
    ekb_ca_destroy(namesake);
    ekb_ca_destroy(root);
}

// Key usage.

// X.509 accepts what TLS does not.
Test(verify, says_whether_the_leaf_may_sign)
{
    static const struct {
        const char *key_usage;
        bool may_sign;
    } cases[] = {
        {NULL, true},
        {"digitalSignature", true},
        {"critical,keyEncipherment,digitalSignature", true},
        {"keyAgreement", false},
        {"critical,keyAgreement,decipherOnly", false},
    };
    static const struct forgery root = {.subject = "root", .basic_constraints = "CA:TRUE"};
    EVP_PKEY *root_key = forge_key();
    struct ekb_chain *trust = forged(&root, root_key, root_key, "root");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = cases[i].key_usage != NULL ? cases[i].key_usage : "absent";
        const struct forgery leaf = {.subject = "leaf", .key_usage = cases[i].key_usage};
        struct ekb_chain *chain = forged(&leaf, root_key, root_key, "root");
        const struct ekb_verify_options options = trusting(trust);

        const struct ekb_verify_outcome outcome = judge(&options, chain);

        expect_accepted(name, &outcome);
        cr_expect_eq(outcome.may_sign, cases[i].may_sign, "%s: %d", name, (int)outcome.may_sign);
        ekb_chain_destroy(chain);
    }
    ekb_chain_destroy(trust);
    EVP_PKEY_free(root_key);
}

// Verifiers.

Test(verify, gives_the_same_verdict_when_asked_many_times)
{
    struct revocation revocation = revocation_of();
    struct ekb_chain *revoked = leaf_under(revocation.intermediate);
    const int64_t at = NOON;
    struct ekb_verify_options options = trusting(ekb_ca_certificate(revocation.root));
    revoke(revocation.crls, revocation.root, NULL, NOON);
    revoke(revocation.crls, revocation.intermediate, revoked, NOON);
    options.crls = revocation.crls;
    options.at = &at;
    struct ekb_verifier *verifier = verifier_of(&options);
    for (int i = 0; i < 200; i++) {
        const struct ekb_verify_outcome good = check(verifier, revocation.chain);
        const struct ekb_verify_outcome bad = check(verifier, revoked);

        expect_accepted("good", &good);
        expect_rejected("revoked", &bad, EKB_VERIFY_REVOKED, X509_V_ERR_CERT_REVOKED,
                        CERTIFICATE_REVOKED, 0);
    }
    ekb_verifier_destroy(verifier);
    ekb_chain_destroy(revoked);
    revocation_deinit(&revocation);
}

Test(verify, outlives_what_it_was_made_of)
{
    struct revocation revocation = revocation_of();
    struct ekb_chain *trust = ekb_chain_create();
    append_all(trust, ekb_ca_certificate(revocation.root));
    revoke(revocation.crls, revocation.root, NULL, NOON);
    revoke(revocation.crls, revocation.intermediate, NULL, NOON);
    int64_t *at = malloc(sizeof *at);
    struct ekb_verify_options *options = malloc(sizeof *options);
    *at = NOON;
    *options = trusting(trust);
    options->crls = revocation.crls;
    options->at = at;
    struct ekb_verifier *verifier = verifier_of(options);
    free(options);
    free(at);
    ekb_chain_destroy(trust);
    ekb_crls_destroy(revocation.crls);
    revocation.crls = NULL;

    const struct ekb_verify_outcome outcome = check(verifier, revocation.chain);

    expect_accepted("after all is gone", &outcome);
    ekb_verifier_destroy(verifier);
    revocation_deinit(&revocation);
}

Test(verify, is_destroyed_when_null)
{
    ekb_verifier_destroy(NULL);
}

Test(verify, refuses_the_request_when_it_is_malformed)
{
    static const struct {
        const char *name;
        unsigned max_depth;
        struct ekb_name wanted;
    } cases[] = {
        {"depth 0", 0, {.kind = EKB_NAME_NONE}},
        {"depth beyond INT_MAX", (unsigned)INT_MAX + 1, {.kind = EKB_NAME_NONE}},
        {"no DNS name", 1, {.kind = EKB_NAME_DNS, .text = ""}},
        {"no e-mail address", 1, {.kind = EKB_NAME_EMAIL, .text = ""}},
        {"no IP address", 1, {.kind = EKB_NAME_IP, .text = ""}},
        {"half an IPv4 address", 1, {.kind = EKB_NAME_IP, .text = "192.0.2"}},
        {"more than an IPv4 address", 1, {.kind = EKB_NAME_IP, .text = "192.0.2.256"}},
        {"no IPv6 address", 1, {.kind = EKB_NAME_IP, .text = "1::2::3"}},
        {"a DNS name as IP address", 1, {.kind = EKB_NAME_IP, .text = "test.example"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_verifier *verifier = NULL;
        struct ekb_fail fail = {0};
        struct ekb_verify_options options = trusting(NULL);
        options.policy.max_depth = cases[i].max_depth;
        options.policy.name = cases[i].wanted;

        const enum ekb_err err = ekb_verifier_create(&verifier, &options, &fail);

        cr_expect_eq(err, EKB_USAGE, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_eq(fail.err, EKB_USAGE, "%s: %s", cases[i].name, ekb_err_name(fail.err));
        cr_expect_str_neq(fail.detail, "", "%s", cases[i].name);
        cr_expect_null(verifier, "%s: a verifier was made", cases[i].name);
        cr_expect_eq(ERR_peek_error(), 0u, "%s: the library's error queue is not empty",
                     cases[i].name);
    }
}

Test(verify, refuses_the_request_when_the_chain_is_empty)
{
    struct ekb_chain *empty = ekb_chain_create();
    const struct ekb_verify_options options = trusting(NULL);
    struct ekb_verifier *verifier = verifier_of(&options);
    struct ekb_verify_outcome outcome = {.err = EKB_ERR_COUNT, .depth = 77};

    const enum ekb_err err = ekb_verifier_check(verifier, empty, &outcome, NULL);

    cr_expect_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
    cr_expect_eq(outcome.err, EKB_ERR_COUNT, "%d", (int)outcome.err);
    cr_expect_eq(outcome.depth, 77, "%d", outcome.depth);
    ekb_verifier_destroy(verifier);
    ekb_chain_destroy(empty);
}

// The text has room for 255 characters.
Test(verify, cuts_the_subject_when_it_is_long)
{
    char names[6][65];
    struct ekb_verify_options options = trusting(NULL);
    X509_NAME *name = NULL;
    uint8_t *der = NULL;
    X509 *x509 = X509_new();
    EVP_PKEY *key = forge_key();
    cr_assert_not_null(ASN1_TIME_set_posix(X509_getm_notBefore(x509), FIXTURE_NOT_BEFORE));
    cr_assert_not_null(ASN1_TIME_set_posix(X509_getm_notAfter(x509), FIXTURE_NOT_AFTER));
    cr_assert_eq(X509_set_version(x509, X509_VERSION_3), 1);
    cr_assert_eq(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1), 1);
    cr_assert_eq(X509_set_pubkey(x509, key), 1);
    name = X509_get_subject_name(x509);
    for (size_t i = 0; i < COUNT(names); i++) {
        memset(names[i], 'a' + (int)i, 64);
        names[i][64] = '\0';
        cr_assert_eq(X509_NAME_add_entry_by_NID(name, NID_organizationalUnitName, MBSTRING_ASC,
                                                (const uint8_t *)names[i], -1, -1, 0),
                     1);
    }
    cr_assert_gt(X509_sign(x509, key, EVP_sha256()), 0);
    const int der_len = i2d_X509(x509, &der);
    struct ekb_chain *chain = chain_of_der(der, (size_t)der_len);

    const struct ekb_verify_outcome outcome = judge(&options, chain);

    cr_expect_eq(strlen(outcome.subject), sizeof outcome.subject - 1, "%zu: \"%s\"",
                 strlen(outcome.subject), outcome.subject);
    cr_expect_eq(strncmp(outcome.subject, "OU=ffff", 7), 0, "\"%s\"", outcome.subject);
    ekb_chain_destroy(chain);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    X509_free(x509);
}
