#include "ekubench/store/gate.h"

#include "support/fixtures.h"
#include "support/forge.h"

#include <criterion/criterion.h>
#include <openssl/asn1.h>
#include <openssl/base.h>
#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define DAY INT64_C(86400)

// 2026-06-15.
#define NOON INT64_C(1781524800)

#define NO_CLIENT                                                                                  \
    "Invalid certificate: The file provided does not have a client usage attribute. Services "     \
    "requiring mutual TLS may not work."
#define NO_SERVER                                                                                  \
    "Invalid certificate: The file provided does not have a server usage attribute. Services "     \
    "requiring mutual TLS may not work."
#define NO_CHAIN                                                                                   \
    "Invalid certificate: The certificates in the file provided do not make one chain, the leaf "  \
    "first and each issued by the next."
#define KEY_ACCEPTED "; RSA of at least 2048 bits, EC P-256, P-384, P-521 and Ed25519 are accepted."

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

TestSuite(gate, .init = set_up, .fini = tear_down);

// Keys of all kinds.

enum kind {
    RSA_1024,
    RSA_1920,
    RSA_2048,
    RSA_3072,
    P_224,
    P_256,
    P_384,
    P_521,
    ED25519,
    NUM_KINDS
};

static const struct {
    const char *name; // As a refusal has it.
    unsigned bits;    // Of RSA.
    int curve;        // NID.
    bool is_taken;
} kinds[NUM_KINDS] = {
    [RSA_1024] = {"RSA 1024", 1024, 0, false},
    [RSA_1920] = {"RSA 1920", 1920, 0, false},
    [RSA_2048] = {"RSA 2048", 2048, 0, true},
    [RSA_3072] = {"RSA 3072", 3072, 0, true},
    [P_224] = {"another key", 0, NID_secp224r1, false},
    [P_256] = {"EC P-256", 0, NID_X9_62_prime256v1, true},
    [P_384] = {"EC P-384", 0, NID_secp384r1, true},
    [P_521] = {"EC P-521", 0, NID_secp521r1, true},
    [ED25519] = {"Ed25519", 0, 0, true},
};

static EVP_PKEY *key_of(enum kind kind)
{
    EVP_PKEY *key = EVP_PKEY_new();
    if (kinds[kind].bits != 0) {
        RSA *rsa = RSA_new();
        BIGNUM *exponent = BN_new();
        cr_assert_eq(BN_set_word(exponent, RSA_F4), 1);
        cr_assert_eq(RSA_generate_key_ex(rsa, (int)kinds[kind].bits, exponent, NULL), 1);
        cr_assert_eq(EVP_PKEY_assign_RSA(key, rsa), 1);
        BN_free(exponent);
    } else if (kinds[kind].curve != 0) {
        EC_KEY *ec = EC_KEY_new_by_curve_name(kinds[kind].curve);
        cr_assert_eq(EC_KEY_generate_key(ec), 1);
        cr_assert_eq(EVP_PKEY_assign_EC_KEY(key, ec), 1);
    } else {
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
        EVP_PKEY_free(key);
        key = NULL;
        cr_assert_eq(EVP_PKEY_keygen_init(context), 1);
        cr_assert_eq(EVP_PKEY_keygen(context, &key), 1);
        EVP_PKEY_CTX_free(context);
    }
    return key;
}

// ours returns a key as the library under test has it, in which there is no P-224 and no small RSA.
static struct ekb_key *ours(EVP_PKEY *pkey)
{
    struct ekb_key *key = NULL;
    struct ekb_fail fail = {0};
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file);
    cr_assert_eq(PEM_write_PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL), 1);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(ekb_key_read_pem(&key, path, &fail), EKB_OK, "%s", fail.detail);
    return key;
}

static void append(struct ekb_chain *chain, const struct ekb_chain *from, size_t index)
{
    cr_assert_eq(ekb_chain_append(chain, from, index), EKB_OK);
}

// Asking.

static const char *texts[EKB_STORE_NUM_SIDES] = {"server", "client"};

static enum ekb_err check(enum ekb_store_side side, const struct ekb_chain *chain,
                          const struct ekb_key *key, struct ekb_gate_warning *warning,
                          struct ekb_fail *fail)
{
    const unsigned needs = side == EKB_STORE_SERVER ? EKB_EKU_SERVER_AUTH : EKB_EKU_CLIENT_AUTH;
    const enum ekb_err err = ekb_gate_check_chain(needs, chain, NOON, warning, fail);
    return err == EKB_OK ? ekb_gate_check_key(chain, key, fail) : err;
}

// expect_identity asks the gate about an identity. `detail`: the whole sentence, or NULL.
static void expect_identity(const char *name, enum ekb_store_side side,
                            const struct ekb_chain *chain, const struct ekb_key *key,
                            enum ekb_err wanted, const char *detail)
{
    struct ekb_gate_warning warning = {"unwritten"};
    struct ekb_fail fail = {0};

    const enum ekb_err err = check(side, chain, key, &warning, &fail);

    cr_expect_eq(err, wanted, "%s to the %s store: %s, not %s (%s)", name, texts[side],
                 ekb_err_name(err), ekb_err_name(wanted), fail.detail);
    if (detail != NULL) {
        cr_expect_str_eq(fail.detail, detail, "%s to the %s store: \"%s\"", name, texts[side],
                         fail.detail);
    }
    if (wanted == EKB_OK && err == EKB_OK) {
        cr_expect_str_eq(warning.text, "", "%s: \"%s\"", name, warning.text);
    }
}

// Usage.

Test(gate, asks_for_the_usage_of_the_store)
{
    static const struct {
        const char *name;
        unsigned eku;
        const char *refusals[EKB_STORE_NUM_SIDES]; // NULL: taken.
    } cases[] = {
        {"clientAuth", EKB_EKU_CLIENT_AUTH, {NO_SERVER, NULL}},
        {"serverAuth", EKB_EKU_SERVER_AUTH, {NULL, NO_CLIENT}},
        {"both", EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH, {NULL, NULL}},
        {"absent", EKB_EKU_ABSENT, {NO_SERVER, NO_CLIENT}},
        {"any", EKB_EKU_ANY, {NO_SERVER, NO_CLIENT}},
        {"codeSigning", EKB_EKU_CODE_SIGNING, {NO_SERVER, NO_CLIENT}},
        {"any and clientAuth", EKB_EKU_ANY | EKB_EKU_CLIENT_AUTH, {NO_SERVER, NULL}},
        {"codeSigning and serverAuth",
         EKB_EKU_CODE_SIGNING | EKB_EKU_SERVER_AUTH,
         {NULL, NO_CLIENT}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture_pki pki;
        const struct fixture_pki_spec spec = {
            .key_type = EKB_KEY_P256, .depth = 2, .eku = cases[i].eku};
        fixture_pki_init(&pki, &spec);
        for (unsigned side = 0; side < EKB_STORE_NUM_SIDES; side++) {
            const char *refusal = cases[i].refusals[side];
            expect_identity(cases[i].name, (enum ekb_store_side)side, pki.chain, pki.key,
                            refusal == NULL ? EKB_OK : EKB_REFUSED_USAGE, refusal);
        }
        fixture_pki_deinit(&pki);
    }
}

// An intermediate of a public CA may be for one usage only; the gate looks at the leaf.
Test(gate, takes_an_intermediate_of_another_usage)
{
    struct fixture_pki pki;
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256,
                                          .depth = 2,
                                          .eku = EKB_EKU_CLIENT_AUTH,
                                          .ca_eku = EKB_EKU_SERVER_AUTH};
    fixture_pki_init(&pki, &spec);

    expect_identity("clientAuth under serverAuth", EKB_STORE_CLIENT, pki.chain, pki.key, EKB_OK,
                    NULL);

    fixture_pki_deinit(&pki);
}

// Keys.

#define CA_EXTENSIONS .basic_constraints = "critical,CA:TRUE", .key_usage = "keyCertSign"

Test(gate, looks_at_the_kind_and_size_of_the_leafs_key)
{
    static const struct forgery leaf_forgery = {
        .subject = "leaf", .issuer = "issuer", .eku = "serverAuth,clientAuth"};
    EVP_PKEY *issuer_key = key_of(P_256);
    for (unsigned kind = 0; kind < NUM_KINDS; kind++) {
        char detail[256];
        EVP_PKEY *pkey = key_of((enum kind)kind);
        struct ekb_chain *chain = forge(&leaf_forgery, pkey, issuer_key);
        struct ekb_key *key = ours(kind == P_224 ? issuer_key : pkey);
        const bool is_taken = kinds[kind].is_taken;
        (void)snprintf(detail, sizeof detail, "Invalid certificate: The key of CN=leaf is %s%s",
                       kinds[kind].name, KEY_ACCEPTED);

        expect_identity(kinds[kind].name, EKB_STORE_SERVER, chain, key,
                        is_taken ? EKB_OK : EKB_REFUSED_KEY, is_taken ? NULL : detail);

        ekb_key_destroy(key);
        ekb_chain_destroy(chain);
        EVP_PKEY_free(pkey);
    }
    EVP_PKEY_free(issuer_key);
}

Test(gate, looks_at_the_kind_and_size_of_an_intermediates_key)
{
    static const struct forgery leaf_forgery = {
        .subject = "leaf", .issuer = "issuer", .eku = "serverAuth,clientAuth"};
    static const struct forgery issuer_forgery = {
        .subject = "issuer", .issuer = "root", CA_EXTENSIONS};
    EVP_PKEY *leaf_key = key_of(P_256);
    EVP_PKEY *root_key = key_of(P_256);
    struct ekb_key *key = ours(leaf_key);
    for (unsigned kind = 0; kind < NUM_KINDS; kind++) {
        char detail[256];
        EVP_PKEY *issuer_key = key_of((enum kind)kind);
        struct ekb_chain *chain = forge(&leaf_forgery, leaf_key, issuer_key);
        struct ekb_chain *issuer = forge(&issuer_forgery, issuer_key, root_key);
        const bool is_taken = kinds[kind].is_taken;
        append(chain, issuer, 0);
        (void)snprintf(detail, sizeof detail, "Invalid certificate: The key of CN=issuer is %s%s",
                       kinds[kind].name, KEY_ACCEPTED);

        expect_identity(kinds[kind].name, EKB_STORE_SERVER, chain, key,
                        is_taken ? EKB_OK : EKB_REFUSED_KEY, is_taken ? NULL : detail);

        ekb_chain_destroy(issuer);
        ekb_chain_destroy(chain);
        EVP_PKEY_free(issuer_key);
    }
    ekb_key_destroy(key);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(leaf_key);
}

Test(gate, refuses_a_key_that_is_another_certificates)
{
    struct fixture_pki pki;
    struct ekb_key *other = NULL;
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH};
    fixture_pki_init(&pki, &spec);
    cr_assert_eq(ekb_key_generate(&other, EKB_KEY_P256, NULL), EKB_OK);

    expect_identity("another key", EKB_STORE_SERVER, pki.chain, other, EKB_KEY_MISMATCH,
                    "Invalid certificate: The private key does not belong to the certificate.");

    ekb_key_destroy(other);
    fixture_pki_deinit(&pki);
}

Test(gate, names_a_key_that_is_not_taken_before_it_looks_for_a_chain)
{
    static const struct forgery forgery = {
        .subject = "leaf", .issuer = "leaf", .eku = "serverAuth,clientAuth"};
    struct ekb_chain *sorted = NULL;
    struct ekb_fail fail = {0};
    EVP_PKEY *key = key_of(P_224);
    struct ekb_chain *chain = forge(&forgery, key, key);

    const enum ekb_err err = ekb_gate_sort(&sorted, chain, &fail);

    cr_expect_eq(err, EKB_REFUSED_KEY, "%s", ekb_err_name(err));
    cr_expect_str_eq(fail.detail,
                     "Invalid certificate: The key of CN=leaf is another key" KEY_ACCEPTED, "%s",
                     fail.detail);
    ekb_chain_destroy(chain);
    EVP_PKEY_free(key);
}

// Issuers.

Test(gate, refuses_an_issuer_that_is_no_ca)
{
    static const struct forgery leaf_forgery = {
        .subject = "leaf", .issuer = "issuer", .eku = "serverAuth"};
    static const struct {
        const char *name;
        struct forgery forgery;
        const char *detail;
    } cases[] = {
        {"an end entity",
         {.subject = "issuer", .issuer = "root", .basic_constraints = "critical,CA:FALSE"},
         "Invalid certificate: CN=issuer is not a CA certificate."},
        {"no basic constraints",
         {.subject = "issuer", .issuer = "root"},
         "Invalid certificate: CN=issuer is not a CA certificate."},
        {"a CA that may not",
         {.subject = "issuer",
          .issuer = "root",
          .basic_constraints = "critical,CA:TRUE",
          .key_usage = "cRLSign"},
         "Invalid certificate: CN=issuer is not a CA certificate that may sign certificates."},
    };
    EVP_PKEY *leaf_key = key_of(P_256);
    EVP_PKEY *issuer_key = key_of(P_256);
    struct ekb_key *key = ours(leaf_key);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_chain *chain = forge(&leaf_forgery, leaf_key, issuer_key);
        struct ekb_chain *issuer = forge(&cases[i].forgery, issuer_key, leaf_key);
        append(chain, issuer, 0);

        expect_identity(cases[i].name, EKB_STORE_SERVER, chain, key, EKB_REFUSED_CA,
                        cases[i].detail);

        ekb_chain_destroy(issuer);
        ekb_chain_destroy(chain);
    }
    ekb_key_destroy(key);
    EVP_PKEY_free(issuer_key);
    EVP_PKEY_free(leaf_key);
}

// Validity.

Test(gate, looks_at_the_validity_of_every_certificate)
{
    static const struct {
        const char *name;
        int64_t leaf_from, leaf_until, issuer_from, issuer_until; // 0: of the fixtures.
        enum ekb_err err;
        const char *detail;
        const char *warning;
    } cases[] = {
        {"valid", 0, 0, 0, 0, EKB_OK, "", ""},
        {"expired leaf", 0, NOON - 1, 0, 0, EKB_REFUSED_EXPIRED,
         "Invalid certificate: The certificate CN=leaf has expired.", ""},
        {"expired issuer", 0, 0, 0, NOON - DAY, EKB_REFUSED_EXPIRED,
         "Invalid certificate: The certificate CN=issuer has expired.", ""},
        {"last second", 0, NOON, 0, NOON, EKB_OK, "", ""},
        {"first second", NOON, 0, NOON, 0, EKB_OK, "", ""},
        {"leaf not valid yet", NOON + 1, 0, 0, 0, EKB_OK, "",
         "the certificate CN=leaf is not valid yet"},
        {"issuer not valid yet", 0, 0, NOON + DAY, 0, EKB_OK, "",
         "the certificate CN=issuer is not valid yet"},
        {"leaf not valid yet, issuer expired", NOON + 1, 0, 0, NOON - 1, EKB_REFUSED_EXPIRED,
         "Invalid certificate: The certificate CN=issuer has expired.", ""},
    };
    EVP_PKEY *leaf_key = key_of(P_256);
    EVP_PKEY *issuer_key = key_of(P_256);
    struct ekb_key *key = ours(leaf_key);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct forgery leaf_forgery = {.subject = "leaf",
                                             .issuer = "issuer",
                                             .eku = "serverAuth",
                                             .not_before = cases[i].leaf_from,
                                             .not_after = cases[i].leaf_until};
        const struct forgery issuer_forgery = {.subject = "issuer",
                                               .issuer = "root",
                                               CA_EXTENSIONS,
                                               .not_before = cases[i].issuer_from,
                                               .not_after = cases[i].issuer_until};
        struct ekb_gate_warning warning = {""};
        struct ekb_fail fail = {0};
        struct ekb_chain *chain = forge(&leaf_forgery, leaf_key, issuer_key);
        struct ekb_chain *issuer = forge(&issuer_forgery, issuer_key, issuer_key);
        append(chain, issuer, 0);

        const enum ekb_err err = check(EKB_STORE_SERVER, chain, key, &warning, &fail);

        cr_expect_eq(err, cases[i].err, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_str_eq(fail.detail, cases[i].detail, "%s: \"%s\"", cases[i].name, fail.detail);
        cr_expect_str_eq(warning.text, cases[i].warning, "%s: \"%s\"", cases[i].name, warning.text);
        ekb_chain_destroy(issuer);
        ekb_chain_destroy(chain);
    }
    ekb_key_destroy(key);
    EVP_PKEY_free(issuer_key);
    EVP_PKEY_free(leaf_key);
}

Test(gate, refuses_a_chain_that_does_not_hang_together)
{
    struct fixture_pki pki;
    struct fixture_pki other;
    struct ekb_chain *chain = ekb_chain_create();
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH};
    fixture_pki_init(&pki, &spec);
    fixture_pki_init(&other, &spec); // Of the same names.
    append(chain, pki.chain, 0);
    append(chain, other.chain, 1);

    expect_identity("another intermediate", EKB_STORE_SERVER, chain, pki.key, EKB_REFUSED_CHAIN,
                    "Invalid certificate: Certificate 2 of the file provided did not issue the one "
                    "before it.");

    ekb_chain_destroy(chain);
    fixture_pki_deinit(&other);
    fixture_pki_deinit(&pki);
}

// Sorting.

static void expect_sorted(const char *name, const struct ekb_chain *got,
                          const struct ekb_chain *wanted)
{
    cr_assert_eq(ekb_chain_len(got), ekb_chain_len(wanted), "%s: %zu certificates", name,
                 ekb_chain_len(got));
    for (size_t i = 0; i < ekb_chain_len(wanted); i++) {
        size_t len = 0;
        size_t got_len = 0;
        const uint8_t *der = ekb_chain_der(wanted, i, &len);
        const uint8_t *got_der = ekb_chain_der(got, i, &got_len);
        cr_expect(len == got_len && memcmp(der, got_der, len) == 0, "%s: position %zu", name, i);
    }
}

// sorts_all_orders sorts every order of `chain`, whose order is the wanted one.
static void sorts_all_orders(const struct ekb_chain *chain)
{
    const size_t len = ekb_chain_len(chain);
    size_t num_orders = 1;
    for (size_t i = 2; i <= len; i++) {
        num_orders *= i;
    }
    for (size_t order = 0; order < num_orders; order++) {
        char name[64];
        bool used[8] = {false};
        size_t rest = order;
        size_t divisor = num_orders;
        struct ekb_chain *uploaded = ekb_chain_create();
        struct ekb_chain *sorted = NULL;
        struct ekb_fail fail = {0};
        int name_len = snprintf(name, sizeof name, "order");
        for (size_t i = 0; i < len; i++) {
            divisor /= len - i;
            size_t nth = rest / divisor;
            rest %= divisor;
            size_t index = 0;
            while (used[index] || nth-- > 0) {
                index++;
            }
            used[index] = true;
            append(uploaded, chain, index);
            name_len += snprintf(name + name_len, sizeof name - (size_t)name_len, " %zu", index);
        }

        const enum ekb_err err = ekb_gate_sort(&sorted, uploaded, &fail);

        cr_assert_eq(err, EKB_OK, "%s: %s: %s", name, ekb_err_name(err), fail.detail);
        expect_sorted(name, sorted, chain);
        ekb_chain_destroy(sorted);
        ekb_chain_destroy(uploaded);
    }
}

static struct fixture_pki deep_pki(size_t depth)
{
    struct fixture_pki pki;
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = depth, .eku = EKB_EKU_SERVER_AUTH};
    fixture_pki_init(&pki, &spec);
    return pki;
}

Test(gate, sorts_every_order_of_a_chain)
{
    struct fixture_pki pki = deep_pki(4);

    sorts_all_orders(pki.chain);

    fixture_pki_deinit(&pki);
}

Test(gate, sorts_every_order_of_a_chain_with_its_root)
{
    struct fixture_pki pki = deep_pki(3);
    append(pki.chain, fixture_pki_root(&pki), 0);

    sorts_all_orders(pki.chain);

    fixture_pki_deinit(&pki);
}

Test(gate, sorts_a_lone_self_signed_certificate)
{
    static const struct forgery forgery = {
        .subject = "host", .issuer = "host", .eku = "serverAuth"};
    EVP_PKEY *key = key_of(P_256);
    struct ekb_chain *chain = forge(&forgery, key, key);
    struct ekb_chain *sorted = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_gate_sort(&sorted, chain, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    expect_sorted("self-signed", sorted, chain);
    ekb_chain_destroy(sorted);
    ekb_chain_destroy(chain);
    EVP_PKEY_free(key);
}

static void expect_no_chain(const char *name, const struct ekb_chain *uploaded, const char *detail)
{
    struct ekb_chain *sorted = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_gate_sort(&sorted, uploaded, &fail);

    cr_expect_eq(err, EKB_REFUSED_CHAIN, "%s: %s", name, ekb_err_name(err));
    cr_expect_str_eq(fail.detail, detail, "%s: \"%s\"", name, fail.detail);
    cr_expect_null(sorted, "%s", name);
    ekb_chain_destroy(sorted);
}

Test(gate, refuses_what_makes_no_chain)
{
    struct fixture_pki pki = deep_pki(3);
    struct fixture_pki other = deep_pki(3);
    // Indices of leaf, two intermediates (3: the root); those of the other chain begin at 10.
    static const struct {
        const char *name;
        int indices[6]; // Ends with -1.
    } cases[] = {
        {"two leaves", {0, 10, -1}},
        {"two leaves, one chain", {0, 1, 2, 10, -1}},
        {"two chains", {0, 1, 10, 11, -1}},
        {"an intermediate of others first", {11, 0, 1, 2, -1}},
        {"an intermediate of others last", {0, 1, 2, 11, -1}},
        {"another root", {0, 1, 2, 13, -1}},
        {"the leaf twice", {0, 1, 0, 2, -1}},
        {"an intermediate twice", {0, 1, 1, 2, -1}},
        {"the last twice", {0, 1, 2, 2, -1}},
        {"the root twice", {0, 1, 2, 3, 3, -1}},
        {"the root twice, alone", {3, 3, -1}},
        {"one missing", {0, 2, -1}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_chain *uploaded = ekb_chain_create();
        for (size_t j = 0; cases[i].indices[j] >= 0; j++) {
            const int index = cases[i].indices[j];
            const struct fixture_pki *from = index < 10 ? &pki : &other;
            const bool is_root = index % 10 == 3;
            append(uploaded, is_root ? fixture_pki_root(from) : from->chain,
                   is_root ? 0 : (size_t)(index % 10));
        }

        expect_no_chain(cases[i].name, uploaded, NO_CHAIN);

        ekb_chain_destroy(uploaded);
    }
    fixture_pki_deinit(&other);
    fixture_pki_deinit(&pki);
}

Test(gate, refuses_more_certificates_than_a_chain_may_have)
{
    struct fixture_pki pki = deep_pki(2);
    struct ekb_chain *uploaded = ekb_chain_create();
    for (int i = 0; i < EKB_GATE_MAX_CHAIN + 1; i++) {
        append(uploaded, pki.chain, i == 0 ? 0 : 1);
    }

    expect_no_chain("17", uploaded,
                    "Invalid certificate: The file provided has 17 certificates, more than a chain "
                    "may have (16).");

    ekb_chain_destroy(uploaded);
    fixture_pki_deinit(&pki);
}

Test(gate, sorts_as_many_certificates_as_a_chain_may_have)
{
    EVP_PKEY *key = key_of(P_256);
    struct ekb_chain *wanted = ekb_chain_create();
    struct ekb_chain *uploaded = ekb_chain_create();
    struct ekb_chain *sorted = NULL;
    struct ekb_fail fail = {0};
    for (int i = 0; i < EKB_GATE_MAX_CHAIN; i++) {
        char subject[32];
        char issuer[32];
        const struct forgery forgery = {.subject = subject, .issuer = issuer, CA_EXTENSIONS};
        (void)snprintf(subject, sizeof subject, "level %d", i);
        (void)snprintf(issuer, sizeof issuer, "level %d", i + 1);
        struct ekb_chain *one = forge(&forgery, key, key);
        append(wanted, one, 0);
        ekb_chain_destroy(one);
    }
    for (size_t i = EKB_GATE_MAX_CHAIN; i-- > 0;) {
        append(uploaded, wanted, i);
    }

    const enum ekb_err err = ekb_gate_sort(&sorted, uploaded, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    expect_sorted("16", sorted, wanted);
    ekb_chain_destroy(sorted);
    ekb_chain_destroy(uploaded);
    ekb_chain_destroy(wanted);
    EVP_PKEY_free(key);
}

// CAs.

Test(gate, takes_cas_for_the_trusted_list_and_nothing_else)
{
    static const struct {
        const char *name;
        enum kind kind;
        struct forgery forgery;
        enum ekb_err err;
        const char *text; // The refusal, or the warning.
    } cases[] = {
        {"a root", P_256, {CA_EXTENSIONS}, EKB_OK, ""},
        {"an intermediate", P_256, {.issuer = "above", CA_EXTENSIONS}, EKB_OK, ""},
        {"no key usage", P_256, {.basic_constraints = "CA:TRUE"}, EKB_OK, ""},
        {"a path length", P_256, {.basic_constraints = "critical,CA:TRUE,pathlen:0"}, EKB_OK, ""},
        {"CA:FALSE",
         P_256,
         {.basic_constraints = "CA:FALSE", .key_usage = "keyCertSign"},
         EKB_REFUSED_CA,
         "Invalid certificate: CN=x is not a CA certificate."},
        {"no basic constraints",
         P_256,
         {.key_usage = "keyCertSign"},
         EKB_REFUSED_CA,
         "Invalid certificate: CN=x is not a CA certificate."},
        {"nothing at all",
         P_256,
         {.subject = NULL},
         EKB_REFUSED_CA,
         "Invalid certificate: CN=x is not a CA certificate."},
        {"version 1",
         P_256,
         {.is_v1 = true},
         EKB_REFUSED_CA,
         "Invalid certificate: CN=x is not a CA certificate."},
        {"without keyCertSign",
         P_256,
         {.basic_constraints = "CA:TRUE", .key_usage = "cRLSign,digitalSignature"},
         EKB_REFUSED_CA,
         "Invalid certificate: CN=x is not a CA certificate that may sign certificates."},
        {"expired",
         P_256,
         {CA_EXTENSIONS, .not_after = NOON - 1},
         EKB_REFUSED_EXPIRED,
         "Invalid certificate: The certificate CN=x has expired."},
        {"not valid yet",
         P_256,
         {CA_EXTENSIONS, .not_before = NOON + 1},
         EKB_OK,
         "the certificate CN=x is not valid yet"},
        {"a weak key",
         RSA_1024,
         {CA_EXTENSIONS},
         EKB_REFUSED_KEY,
         "Invalid certificate: The key of CN=x is RSA 1024" KEY_ACCEPTED},
        {"a key of another kind",
         P_224,
         {CA_EXTENSIONS},
         EKB_REFUSED_KEY,
         "Invalid certificate: The key of CN=x is another key" KEY_ACCEPTED},
        {"Ed25519", ED25519, {CA_EXTENSIONS}, EKB_OK, ""},
        {"P-521", P_521, {CA_EXTENSIONS}, EKB_OK, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_gate_warning warning = {""};
        struct ekb_fail fail = {0};
        struct forgery forgery = cases[i].forgery;
        EVP_PKEY *key = key_of(cases[i].kind);
        forgery.subject = "x";
        forgery.issuer = forgery.issuer != NULL ? forgery.issuer : "x";
        struct ekb_chain *chain = forge(&forgery, key, key);

        const enum ekb_err err = ekb_gate_check_ca(chain, 0, NULL, NOON, &warning, &fail);

        cr_expect_eq(err, cases[i].err, "%s: %s", cases[i].name, ekb_err_name(err));
        const char *text = err == EKB_OK ? warning.text : fail.detail;
        cr_expect_str_eq(text, cases[i].text, "%s: \"%s\"", cases[i].name, text);
        ekb_chain_destroy(chain);
        EVP_PKEY_free(key);
    }
}

Test(gate, refuses_a_ca_that_is_in_the_list_already)
{
    struct fixture_pki pki = deep_pki(2);
    struct fixture_pki other = deep_pki(2); // Of the same names.
    struct ekb_chain *trust = ekb_chain_create();
    struct ekb_gate_warning warning = {""};
    struct ekb_fail fail = {0};
    append(trust, fixture_pki_root(&other), 0);
    append(trust, fixture_pki_root(&pki), 0);

    const enum ekb_err err =
        ekb_gate_check_ca(fixture_pki_root(&pki), 0, trust, NOON, &warning, &fail);

    cr_expect_eq(err, EKB_REFUSED_DUPLICATE, "%s", ekb_err_name(err));
    cr_expect_str_eq(fail.detail,
                     "Invalid certificate: CN=test root,O=ekubench is in the trusted CA list "
                     "already.",
                     "\"%s\"", fail.detail);
    ekb_chain_destroy(trust);
    fixture_pki_deinit(&other);
    fixture_pki_deinit(&pki);
}

Test(gate, takes_a_ca_that_only_has_the_name_of_one_in_the_list)
{
    struct fixture_pki pki = deep_pki(2);
    struct fixture_pki other = deep_pki(2);
    struct ekb_gate_warning warning = {""};
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_gate_check_ca(fixture_pki_root(&pki), 0, fixture_pki_root(&other),
                                               NOON, &warning, &fail);

    cr_expect_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    fixture_pki_deinit(&other);
    fixture_pki_deinit(&pki);
}

// What TLS then refuses to present is better known here.
Test(gate, asks_the_leafs_key_usage_for_signatures)
{
    static const struct {
        const char *key_usage;
        enum ekb_err err;
    } cases[] = {
        {NULL, EKB_OK},
        {"digitalSignature", EKB_OK},
        {"digitalSignature,keyEncipherment", EKB_OK},
        {"keyEncipherment", EKB_REFUSED_USAGE},
        {"keyAgreement,nonRepudiation", EKB_REFUSED_USAGE},
    };
    EVP_PKEY *key = forge_key();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct forgery forgery = {.subject = "leaf",
                                        .issuer = "issuer",
                                        .eku = "serverAuth,clientAuth",
                                        .key_usage = cases[i].key_usage};
        struct ekb_gate_warning warning = {""};
        struct ekb_fail fail = {0};
        struct ekb_chain *chain = forge(&forgery, key, key);

        const enum ekb_err err = ekb_gate_check_chain(EKB_EKU_SERVER_AUTH, chain,
                                                      FIXTURE_NOT_BEFORE + 1, &warning, &fail);

        cr_expect_eq(err, cases[i].err, "%zu: %s", i, fail.detail);
        if (err != EKB_OK) {
            cr_expect_str_eq(fail.detail,
                             "Invalid certificate: The key usage of CN=leaf does not have "
                             "digitalSignature, without which TLS cannot use its key.");
        }
        ekb_chain_destroy(chain);
    }
    EVP_PKEY_free(key);
}
