#include "ekubench/pki/mint.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <openssl/asn1.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)

// All keys but RSA's take no time.
static const enum ekb_key_type all_types[] = {EKB_KEY_P256,    EKB_KEY_P384,    EKB_KEY_RSA2048,
                                              EKB_KEY_RSA3072, EKB_KEY_RSA4096, EKB_KEY_ED25519};
_Static_assert(sizeof all_types / sizeof all_types[0] == EKB_KEY_NUM_TYPES, "a type is missing");

// Looking at certificates. Through DER, as a peer would.

static X509 *parse(const struct ekb_chain *chain, size_t index)
{
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(chain, index, &len);
    const uint8_t *end = der;
    X509 *x509 = d2i_X509(NULL, &end, (long)len);
    cr_assert_not_null(x509);
    cr_assert_eq(end, der + len);
    return x509;
}

struct extension {
    int index;
    bool critical;
    uint8_t data[512];
    size_t len;
};

static struct extension find(const X509 *x509, int nid)
{
    struct extension found = {.index = X509_get_ext_by_NID(x509, nid, -1)};
    if (found.index >= 0) {
        cr_assert_lt(X509_get_ext_by_NID(x509, nid, found.index), 0, "there twice");
        X509_EXTENSION *extension = X509_get_ext(x509, found.index);
        const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);
        found.critical = X509_EXTENSION_get_critical(extension) != 0;
        found.len = (size_t)ASN1_STRING_length(data);
        cr_assert_leq(found.len, sizeof found.data);
        memcpy(found.data, ASN1_STRING_get0_data(data), found.len);
    }
    return found;
}

// has asserts that `x509` has the extension `nid` with that criticality and exactly that content.
static void has(const X509 *x509, int nid, bool critical, const void *data, size_t len)
{
    const struct extension found = find(x509, nid);
    cr_assert_geq(found.index, 0, "extension %d is missing", nid);
    cr_assert_eq(found.critical, critical, "extension %d", nid);
    cr_assert_eq(found.len, len, "extension %d: %zu bytes, not %zu", nid, found.len, len);
    cr_assert(memcmp(found.data, data, len) == 0, "extension %d", nid);
}

static void key_id(uint8_t out_id[SHA_DIGEST_LENGTH], const X509 *x509)
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x509);
    (void)SHA1(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), out_id);
}

static void has_key_ids(const X509 *x509, const X509 *issuer)
{
    uint8_t subject_value[2 + SHA_DIGEST_LENGTH] = {0x04, SHA_DIGEST_LENGTH};
    uint8_t authority_value[4 + SHA_DIGEST_LENGTH] = {0x30, 2 + SHA_DIGEST_LENGTH, 0x80,
                                                      SHA_DIGEST_LENGTH};
    key_id(subject_value + 2, x509);
    key_id(authority_value + 4, issuer);
    has(x509, NID_subject_key_identifier, false, subject_value, sizeof subject_value);
    has(x509, NID_authority_key_identifier, false, authority_value, sizeof authority_value);
}

static const char *subject(char out_text[256], const X509 *x509)
{
    return X509_NAME_oneline(X509_get_subject_name(x509), out_text, 256);
}

// verify verifies the chain of `pki` for `purpose`, with its root trusted.
static int verify(const struct fixture_pki *pki, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *intermediates = sk_X509_new_null();
    X509 *root = parse(fixture_pki_root(pki), 0);
    X509 *leaf = parse(pki->chain, 0);
    cr_assert(X509_STORE_add_cert(store, root));
    for (size_t i = 1; i < ekb_chain_len(pki->chain); i++) {
        cr_assert(sk_X509_push(intermediates, parse(pki->chain, i)));
    }
    cr_assert(X509_STORE_CTX_init(context, store, leaf, intermediates));
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    cr_assert(X509_VERIFY_PARAM_set_purpose(param, purpose));
    X509_VERIFY_PARAM_set_depth(param, 32);

    const int verified = X509_verify_cert(context);

    const int result = verified == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    ERR_clear_error();
    X509_free(leaf);
    X509_free(root);
    sk_X509_pop_free(intermediates, X509_free);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return result;
}

// Chains.

struct matrix_row {
    enum ekb_key_type key_type;
    size_t depth;
};

ParameterizedTestParameters(mint, makes_chains_that_verify)
{
    // Ten depths for the cheap keys, two for RSA's.
    static struct matrix_row rows[EKB_KEY_NUM_TYPES * EKB_MINT_MAX_DEPTH];
    size_t num_rows = 0;
    for (size_t i = 0; i < EKB_KEY_NUM_TYPES; i++) {
        const bool rsa = strncmp(ekb_key_type_name(all_types[i]), "rsa", 3) == 0;
        for (size_t depth = 1; depth <= (rsa ? 2 : EKB_MINT_MAX_DEPTH); depth++) {
            rows[num_rows++] = (struct matrix_row){.key_type = all_types[i], .depth = depth};
        }
    }
    return cr_make_param_array(struct matrix_row, rows, num_rows, NULL);
}

ParameterizedTest(struct matrix_row *row, mint, makes_chains_that_verify)
{
    const struct fixture_pki_spec spec = {
        .key_type = row->key_type, .depth = row->depth, .eku = BOTH, .ca_eku = BOTH};
    const char *name = ekb_key_type_name(row->key_type);
    struct fixture_pki pki = {0};
    fixture_pki_init(&pki, &spec);

    const int as_client = verify(&pki, X509_PURPOSE_SSL_CLIENT);
    const int as_server = verify(&pki, X509_PURPOSE_SSL_SERVER);

    cr_assert_eq(ekb_chain_len(pki.chain), row->depth, "%s, depth %zu", name, row->depth);
    cr_assert_eq(as_client, X509_V_OK, "%s, depth %zu: %d", name, row->depth, as_client);
    cr_assert_eq(as_server, X509_V_OK, "%s, depth %zu: %d", name, row->depth, as_server);
    cr_assert(ekb_chain_matches_key(pki.chain, pki.key), "%s, depth %zu", name, row->depth);
    fixture_pki_deinit(&pki);
}

Test(mint, makes_a_chain_that_verifies_when_key_types_differ)
{
    struct fixture_pki pki = {0};
    struct ekb_mint_ca ca = {.common_name = "root",
                             .key_type = EKB_KEY_P384,
                             .not_before = FIXTURE_NOT_BEFORE,
                             .not_after = FIXTURE_NOT_AFTER};
    const struct ekb_mint_leaf leaf = {.common_name = "leaf",
                                       .key_type = EKB_KEY_RSA2048,
                                       .not_before = FIXTURE_NOT_BEFORE,
                                       .not_after = FIXTURE_NOT_AFTER};
    cr_assert_eq(ekb_ca_create_root(&pki.cas[pki.depth++], &ca, NULL), EKB_OK);
    ca.common_name = "ed25519";
    ca.key_type = EKB_KEY_ED25519;
    cr_assert_eq(ekb_ca_create_intermediate(&pki.cas[pki.depth++], pki.cas[0], &ca, NULL), EKB_OK);
    ca.common_name = "rsa";
    ca.key_type = EKB_KEY_RSA2048;
    cr_assert_eq(ekb_ca_create_intermediate(&pki.cas[pki.depth++], pki.cas[1], &ca, NULL), EKB_OK);
    cr_assert_eq(ekb_ca_issue(&pki.chain, &pki.key, pki.cas[2], &leaf, NULL), EKB_OK);

    const int result = verify(&pki, X509_PURPOSE_SSL_CLIENT);

    cr_assert_eq(result, X509_V_OK, "%d", result);
    fixture_pki_deinit(&pki);
}

Test(mint, makes_chains_that_fail_when_a_usage_is_missing)
{
    static const struct {
        unsigned eku;
        unsigned ca_eku;
        int as_client;
        int as_server;
    } cases[] = {
        {EKB_EKU_ABSENT, EKB_EKU_ABSENT, X509_V_OK, X509_V_OK},
        {EKB_EKU_SERVER_AUTH, BOTH, X509_V_ERR_INVALID_PURPOSE, X509_V_OK},
        {EKB_EKU_CLIENT_AUTH, BOTH, X509_V_OK, X509_V_ERR_INVALID_PURPOSE},
        {BOTH, EKB_EKU_SERVER_AUTH, X509_V_ERR_INVALID_PURPOSE, X509_V_OK},
        {BOTH, EKB_EKU_CLIENT_AUTH, X509_V_OK, X509_V_ERR_INVALID_PURPOSE},
        {EKB_EKU_ANY, BOTH, X509_V_ERR_INVALID_PURPOSE, X509_V_ERR_INVALID_PURPOSE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct fixture_pki_spec spec = {
            .key_type = EKB_KEY_P256, .depth = 2, .eku = cases[i].eku, .ca_eku = cases[i].ca_eku};
        struct fixture_pki pki = {0};
        fixture_pki_init(&pki, &spec);

        const int as_client = verify(&pki, X509_PURPOSE_SSL_CLIENT);
        const int as_server = verify(&pki, X509_PURPOSE_SSL_SERVER);

        cr_assert_eq(as_client, cases[i].as_client, "case %zu: %d", i, as_client);
        cr_assert_eq(as_server, cases[i].as_server, "case %zu: %d", i, as_server);
        fixture_pki_deinit(&pki);
    }
}

Test(mint, orders_the_chain_from_the_leaf_up_without_the_root)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 3};
    static const char *const subjects[] = {"/CN=test.example", "/O=ekubench/CN=test intermediate 2",
                                           "/O=ekubench/CN=test intermediate 1"};
    struct fixture_pki pki = {0};
    char text[256];

    fixture_pki_init(&pki, &spec);

    cr_assert_eq(ekb_chain_len(pki.chain), 3u);
    for (size_t i = 0; i < 3; i++) {
        X509 *x509 = parse(pki.chain, i);
        cr_assert_str_eq(subject(text, x509), subjects[i]);
        X509_free(x509);
    }
    fixture_pki_deinit(&pki);
}

// One certificate.

// The fields that are the same in all certificates.
static void has_common_fields(const X509 *x509)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
    cr_assert_eq(X509_get_version(x509), X509_VERSION_3);
    cr_assert_eq(ASN1_STRING_type(serial), V_ASN1_INTEGER, "not positive");
    cr_assert_eq(ASN1_STRING_length(serial), 16, "%d", ASN1_STRING_length(serial));
    cr_assert_lt(ASN1_STRING_get0_data(serial)[0], 0x80);
}

static const uint8_t ca_constraints[] = {0x30, 0x03, 0x01, 0x01, 0xff};
static const uint8_t leaf_constraints[] = {0x30, 0x00};
static const uint8_t ca_usage[] = {0x03, 0x02, 0x01, 0x06};
static const uint8_t leaf_usage[] = {0x03, 0x02, 0x07, 0x80};
static const uint8_t rsa_leaf_usage[] = {0x03, 0x02, 0x05, 0xa0};

Test(mint, makes_a_root_with_the_extensions_of_one)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256};
    struct fixture_pki pki = {0};
    char text[256];

    fixture_pki_init(&pki, &spec);

    X509 *root = parse(fixture_pki_root(&pki), 0);
    cr_assert_eq(ekb_chain_len(fixture_pki_root(&pki)), 1u);
    has_common_fields(root);
    has(root, NID_basic_constraints, true, ca_constraints, sizeof ca_constraints);
    has(root, NID_key_usage, true, ca_usage, sizeof ca_usage);
    has_key_ids(root, root);
    cr_assert_eq(X509_get_ext_count(root), 4);
    cr_assert_str_eq(subject(text, root), "/O=ekubench/CN=test root");
    cr_assert_eq(X509_NAME_cmp(X509_get_subject_name(root), X509_get_issuer_name(root)), 0);
    X509_free(root);
    fixture_pki_deinit(&pki);
}

Test(mint, makes_an_intermediate_with_the_extensions_of_one)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .ca_eku = EKB_EKU_CLIENT_AUTH};
    static const uint8_t usages[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
                                     0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
    struct fixture_pki pki = {0};

    fixture_pki_init(&pki, &spec);

    X509 *root = parse(fixture_pki_root(&pki), 0);
    X509 *intermediate = parse(pki.chain, 1);
    has_common_fields(intermediate);
    has(intermediate, NID_basic_constraints, true, ca_constraints, sizeof ca_constraints);
    has(intermediate, NID_key_usage, true, ca_usage, sizeof ca_usage);
    has(intermediate, NID_ext_key_usage, false, usages, sizeof usages);
    has_key_ids(intermediate, root);
    cr_assert_eq(X509_get_ext_count(intermediate), 5);
    cr_assert_eq(X509_NAME_cmp(X509_get_issuer_name(intermediate), X509_get_subject_name(root)), 0);
    X509_free(intermediate);
    X509_free(root);
    fixture_pki_deinit(&pki);
}

Test(mint, makes_a_leaf_with_the_extensions_of_one)
{
    static const uint8_t usages[] = {0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05,
                                     0x05, 0x07, 0x03, 0x01, 0x06, 0x08, 0x2b, 0x06,
                                     0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
    static const char names[] = "\x30\x31"
                                "\x82\x0ctest.example"
                                "\x82\x09localhost"
                                "\x87\x04\x7f\0\0\x01"
                                "\x87\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 2, .eku = BOTH};
    struct fixture_pki pki = {0};

    fixture_pki_init(&pki, &spec);

    X509 *leaf = parse(pki.chain, 0);
    X509 *issuer = parse(pki.chain, 1);
    has_common_fields(leaf);
    has(leaf, NID_basic_constraints, true, leaf_constraints, sizeof leaf_constraints);
    has(leaf, NID_key_usage, true, leaf_usage, sizeof leaf_usage);
    has(leaf, NID_ext_key_usage, false, usages, sizeof usages);
    has(leaf, NID_subject_alt_name, false, names, sizeof names - 1);
    has_key_ids(leaf, issuer);
    cr_assert_eq(X509_get_ext_count(leaf), 6);
    X509_free(issuer);
    X509_free(leaf);
    fixture_pki_deinit(&pki);
}

// issue makes one leaf as `leaf` says (validity filled in if it has none) under a CA with a key of
// `ca_type`.
static X509 *issue(enum ekb_key_type ca_type, const struct ekb_mint_leaf *leaf)
{
    const struct ekb_mint_ca ca_spec = {.common_name = "ca",
                                        .key_type = ca_type,
                                        .not_before = FIXTURE_NOT_BEFORE,
                                        .not_after = FIXTURE_NOT_AFTER};
    struct ekb_mint_leaf spec = *leaf;
    struct ekb_ca *ca = NULL;
    struct ekb_chain *chain = NULL;
    struct ekb_key *key = NULL;
    struct ekb_fail fail = {0};
    if (spec.not_after == 0) {
        spec.not_before = FIXTURE_NOT_BEFORE;
        spec.not_after = FIXTURE_NOT_AFTER;
    }
    cr_assert_eq(ekb_ca_create_root(&ca, &ca_spec, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_ca_issue(&chain, &key, ca, &spec, &fail), EKB_OK, "%s", fail.detail);
    X509 *x509 = parse(chain, 0);
    ekb_key_destroy(key);
    ekb_chain_destroy(chain);
    ekb_ca_destroy(ca);
    return x509;
}

Test(mint, allows_key_encipherment_when_the_leaf_key_is_rsa)
{
    const struct ekb_mint_leaf spec = {.common_name = "leaf", .key_type = EKB_KEY_RSA2048};

    X509 *leaf = issue(EKB_KEY_P256, &spec);

    has(leaf, NID_key_usage, true, rsa_leaf_usage, sizeof rsa_leaf_usage);
    X509_free(leaf);
}

Test(mint, leaves_out_extensions_when_there_is_nothing_to_say)
{
    const struct ekb_mint_leaf spec = {.common_name = "leaf", .key_type = EKB_KEY_P256};

    X509 *leaf = issue(EKB_KEY_P256, &spec);

    cr_assert_lt(find(leaf, NID_ext_key_usage).index, 0);
    cr_assert_lt(find(leaf, NID_subject_alt_name).index, 0);
    X509_free(leaf);
}

Test(mint, signs_with_the_algorithm_of_the_ca_key)
{
    static const int algorithms[EKB_KEY_NUM_TYPES] = {
        [EKB_KEY_P256] = NID_ecdsa_with_SHA256,
        [EKB_KEY_P384] = NID_ecdsa_with_SHA384,
        [EKB_KEY_RSA2048] = NID_sha256WithRSAEncryption,
        [EKB_KEY_RSA3072] = NID_sha256WithRSAEncryption,
        [EKB_KEY_RSA4096] = NID_sha256WithRSAEncryption,
        [EKB_KEY_ED25519] = NID_ED25519,
    };
    const struct ekb_mint_leaf spec = {.common_name = "leaf", .key_type = EKB_KEY_P256};
    for (size_t i = 0; i < EKB_KEY_NUM_TYPES; i++) {
        X509 *leaf = issue(all_types[i], &spec);

        const int algorithm = X509_get_signature_nid(leaf);

        cr_assert_eq(algorithm, algorithms[all_types[i]], "%s: %d", ekb_key_type_name(all_types[i]),
                     algorithm);
        X509_free(leaf);
    }
}

Test(mint, gives_another_serial_number_when_called_again)
{
    const struct ekb_mint_leaf spec = {.common_name = "leaf", .key_type = EKB_KEY_P256};
    X509 *first = issue(EKB_KEY_P256, &spec);

    X509 *second = issue(EKB_KEY_P256, &spec);

    cr_assert_neq(ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)),
                  0);
    X509_free(second);
    X509_free(first);
}

Test(mint, writes_times_as_rfc_5280_says)
{
    static const struct {
        int64_t time;
        int type;
        const char *text;
    } cases[] = {
        {-631152001, V_ASN1_GENERALIZEDTIME, "19491231235959Z"},
        {-631152000, V_ASN1_UTCTIME, "500101000000Z"},
        {0, V_ASN1_UTCTIME, "700101000000Z"},
        {INT64_C(2524607999), V_ASN1_UTCTIME, "491231235959Z"},
        {INT64_C(2524608000), V_ASN1_GENERALIZEDTIME, "20500101000000Z"},
        {INT64_C(253402300799), V_ASN1_GENERALIZEDTIME, "99991231235959Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ekb_mint_leaf spec = {.common_name = "leaf",
                                           .key_type = EKB_KEY_P256,
                                           .not_before = cases[i].time,
                                           .not_after = INT64_C(253402300799)};

        X509 *leaf = issue(EKB_KEY_P256, &spec);

        const ASN1_TIME *time = X509_get0_notBefore(leaf);
        const ASN1_TIME *end = X509_get0_notAfter(leaf);
        cr_assert_eq(ASN1_STRING_type(time), cases[i].type, "%s", cases[i].text);
        cr_assert_eq((size_t)ASN1_STRING_length(time), strlen(cases[i].text), "%s", cases[i].text);
        cr_assert(memcmp(ASN1_STRING_get0_data(time), cases[i].text, strlen(cases[i].text)) == 0,
                  "%s", cases[i].text);
        cr_assert(memcmp(ASN1_STRING_get0_data(end), "99991231235959Z", 15) == 0);
        X509_free(leaf);
    }
}

#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAME_253                                                                                   \
    LABEL_63 "." LABEL_63 "." LABEL_63 "."                                                         \
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

Test(mint, accepts_names_when_they_are_well_formed)
{
    static const char *const dns_names[] = {
        "a", "xn--bcher-kva.example", "*.example", "1.a", LABEL_63, NAME_253};
    static const char *const common_names[] = {"x",
                                               "B\xc3\xbc"
                                               "cher",
                                               LABEL_63 "b"};
    for (size_t i = 0; i < sizeof common_names / sizeof common_names[0]; i++) {
        const struct ekb_mint_leaf spec = {.common_name = common_names[i],
                                           .key_type = EKB_KEY_P256,
                                           .dns_names = dns_names,
                                           .num_dns_names = sizeof dns_names / sizeof dns_names[0]};

        X509 *leaf = issue(EKB_KEY_P256, &spec);

        cr_assert_geq(find(leaf, NID_subject_alt_name).index, 0);
        X509_free(leaf);
    }
}

// Refusals.

static const struct ekb_mint_ca good_ca = {.common_name = "ca",
                                           .key_type = EKB_KEY_P256,
                                           .not_before = FIXTURE_NOT_BEFORE,
                                           .not_after = FIXTURE_NOT_AFTER};

// refuses tries to issue `spec`, which must fail with EKB_USAGE and a detail.
static void refuses(const struct ekb_mint_leaf *spec, const char *detail_part)
{
    struct ekb_ca *ca = NULL;
    struct ekb_chain *chain = NULL;
    struct ekb_key *key = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_ca_create_root(&ca, &good_ca, NULL), EKB_OK);

    const enum ekb_err err = ekb_ca_issue(&chain, &key, ca, spec, &fail);

    cr_assert_eq(err, EKB_USAGE, "%s: %s", ekb_err_name(err), fail.detail);
    cr_assert_null(chain);
    cr_assert_null(key);
    cr_assert_not_null(strstr(fail.detail, detail_part), "%s", fail.detail);
    cr_assert_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
    ekb_ca_destroy(ca);
}

static const char *const bad_common_names[] = {"", LABEL_63 "bb", "\xff", "a\xc3"};

Test(mint, refuses_a_leaf_when_the_common_name_is_malformed)
{
    for (size_t i = 0; i < sizeof bad_common_names / sizeof bad_common_names[0]; i++) {
        const struct ekb_mint_leaf spec = {.common_name = bad_common_names[i],
                                           .key_type = EKB_KEY_P256,
                                           .not_before = FIXTURE_NOT_BEFORE,
                                           .not_after = FIXTURE_NOT_AFTER};

        refuses(&spec, "common name");
    }
}

Test(mint, refuses_a_leaf_when_a_host_name_is_malformed)
{
    static const char too_long_label[] = LABEL_63 "a";
    static const char too_long_name[] = NAME_253 "a";
    static const char *const names[] = {
        "",          ".",   "a.",           ".a",         "a..b",
        "a b",       "a_b", "-a",           "a-",         "*",
        "*.",        "a.*", "*.*.example",  "a/b",        "b\xc3\xbc.example",
        "127.0.0.1", "::1", too_long_label, too_long_name};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct ekb_mint_leaf spec = {.common_name = "leaf",
                                           .key_type = EKB_KEY_P256,
                                           .not_before = FIXTURE_NOT_BEFORE,
                                           .not_after = FIXTURE_NOT_AFTER,
                                           .dns_names = &names[i],
                                           .num_dns_names = 1};

        refuses(&spec, "host name");
    }
}

Test(mint, refuses_a_leaf_when_an_address_is_malformed)
{
    static const char *const addresses[] = {"",    "1.2.3",      "1.2.3.256", "1.2.3.4/24",
                                            "::g", "fe80::1%lo", "[::1]",     "localhost"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        const struct ekb_mint_leaf spec = {.common_name = "leaf",
                                           .key_type = EKB_KEY_P256,
                                           .not_before = FIXTURE_NOT_BEFORE,
                                           .not_after = FIXTURE_NOT_AFTER,
                                           .ip_addresses = &addresses[i],
                                           .num_ip_addresses = 1};

        refuses(&spec, "IP address");
    }
}

Test(mint, refuses_a_leaf_when_the_validity_is_not_one)
{
    static const struct {
        int64_t not_before;
        int64_t not_after;
        const char *detail_part;
    } cases[] = {
        {1, 0, "ends before"},
        {FIXTURE_NOT_AFTER, FIXTURE_NOT_BEFORE, "ends before"},
        {0, INT64_C(253402300800), "9999"},
        {0, INT64_MAX, "9999"},
        {INT64_MIN, 0, "9999"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ekb_mint_leaf spec = {.common_name = "leaf",
                                           .key_type = EKB_KEY_P256,
                                           .not_before = cases[i].not_before,
                                           .not_after = cases[i].not_after};

        refuses(&spec, cases[i].detail_part);
    }
}

Test(mint, refuses_a_leaf_when_its_usage_has_no_name)
{
    const struct ekb_mint_leaf spec = {.common_name = "leaf",
                                       .key_type = EKB_KEY_P256,
                                       .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_OTHER,
                                       .not_before = FIXTURE_NOT_BEFORE,
                                       .not_after = FIXTURE_NOT_AFTER};

    refuses(&spec, "usage");
}

Test(mint, refuses_a_root_when_what_it_shall_be_is_malformed)
{
    struct ekb_mint_ca specs[] = {good_ca, good_ca, good_ca, good_ca};
    specs[0].common_name = "";
    specs[1].common_name = LABEL_63 "bb";
    specs[2].not_after = FIXTURE_NOT_BEFORE - 1;
    specs[3].eku = EKB_EKU_OTHER;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct ekb_ca *ca = NULL;
        struct ekb_fail fail = {0};

        const enum ekb_err err = ekb_ca_create_root(&ca, &specs[i], &fail);

        cr_assert_eq(err, EKB_USAGE, "case %zu: %s", i, ekb_err_name(err));
        cr_assert_null(ca);
        cr_assert_neq(fail.detail[0], '\0');
    }
}

Test(mint, refuses_an_intermediate_when_the_hierarchy_is_too_deep)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = EKB_MINT_MAX_DEPTH};
    struct fixture_pki pki = {0};
    struct ekb_ca *ca = NULL;
    fixture_pki_init(&pki, &spec);

    const enum ekb_err err =
        ekb_ca_create_intermediate(&ca, pki.cas[EKB_MINT_MAX_DEPTH - 1], &good_ca, NULL);

    cr_assert_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
    cr_assert_null(ca);
    fixture_pki_deinit(&pki);
}

// Lifetimes.

Test(mint, keeps_nothing_of_the_issuer_when_it_is_destroyed)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 2, .eku = BOTH};
    struct ekb_mint_leaf leaf = {.common_name = "late",
                                 .key_type = EKB_KEY_P256,
                                 .not_before = FIXTURE_NOT_BEFORE,
                                 .not_after = FIXTURE_NOT_AFTER};
    struct ekb_chain *chain = NULL;
    struct ekb_key *key = NULL;
    struct fixture_pki pki = {0};
    fixture_pki_init(&pki, &spec);
    ekb_ca_destroy(pki.cas[0]);
    pki.cas[0] = NULL;

    const enum ekb_err err = ekb_ca_issue(&chain, &key, pki.cas[1], &leaf, NULL);

    cr_assert_eq(err, EKB_OK);
    cr_assert_eq(ekb_chain_len(chain), 2u);
    ekb_key_destroy(key);
    ekb_chain_destroy(chain);
    fixture_pki_deinit(&pki);
}

Test(mint, is_destroyed_when_null)
{
    ekb_ca_destroy(NULL);
}
