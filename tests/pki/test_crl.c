#include "ekubench/pki/crl.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <openssl/asn1.h>
#include <openssl/base.h>
#include <openssl/base64.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/stack.h>
#include <openssl/x509.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

// 2026-06-15.
#define NOON INT64_C(1781524800)
#define DAY INT64_C(86400)

static struct fixture_dir dir;
static struct fixture_pki pki;
static char path[512];

static void set_up(void)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 2};
    fixture_dir_init(&dir);
    fixture_pki_init(&pki, &spec);
    (void)fixture_dir_file(path, &dir, "list.crl");
}

static void tear_down(void)
{
    fixture_pki_deinit(&pki);
    fixture_dir_deinit(&dir);
}

TestSuite(crl, .init = set_up, .fini = tear_down);

// issue_days appends a CRL of the intermediate that has `num_revoked` times the leaf on it, made
// `days` after noon.
static void issue_days(struct ekb_crls *crls, int days, size_t num_revoked)
{
    const struct ekb_chain *revoked[8];
    const struct ekb_crl_spec spec = {.revoked = revoked,
                                      .num_revoked = num_revoked,
                                      .this_update = NOON + days * DAY,
                                      .next_update = NOON + (days + 1) * DAY};
    struct ekb_fail fail = {0};
    cr_assert_leq(num_revoked, COUNT(revoked));
    for (size_t i = 0; i < num_revoked; i++) {
        revoked[i] = pki.chain;
    }
    cr_assert_eq(ekb_crls_issue(crls, pki.cas[1], &spec, &fail), EKB_OK, "%s", fail.detail);
}

// crl_text returns the PEM of a new CRL, to be freed.
static char *crl_text(int days)
{
    struct ekb_crls *crls = ekb_crls_create();
    issue_days(crls, days, 1);
    cr_assert_eq(ekb_crls_write(crls, path, NULL), EKB_OK);
    ekb_crls_destroy(crls);
    return fixture_read(path, NULL);
}

static char *certificate_text(void)
{
    cr_assert_eq(ekb_chain_write_pem(pki.chain, path, NULL), EKB_OK);
    return fixture_read(path, NULL);
}

// der_of returns the bytes of the first block of `text`, to be freed.
static uint8_t *der_of(const char *text, size_t *out_len)
{
    const char *body = strchr(text, '\n');
    const char *end = strstr(text, "-----END");
    char *base64 = malloc((size_t)(end - body));
    uint8_t *der = malloc((size_t)(end - body));
    size_t base64_len = 0;
    for (const char *c = body; c < end; c++) {
        if (*c != '\n') {
            base64[base64_len++] = *c;
        }
    }
    cr_assert_eq(
        EVP_DecodeBase64(der, out_len, (size_t)(end - body), (uint8_t *)base64, base64_len), 1);
    free(base64);
    return der;
}

// crl_der returns the DER of a new CRL, to be freed.
static uint8_t *crl_der(size_t *out_len)
{
    char *text = crl_text(0);
    uint8_t *der = der_of(text, out_len);
    free(text);
    return der;
}

static struct ekb_crls *read_back(void)
{
    struct ekb_crls *crls = NULL;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_crls_read(&crls, path, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    cr_assert_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
    return crls;
}

// refused reads the file at `path`, which must fail with `err` and a detail that names the file.
static void refused(const char *name, enum ekb_err err, const char *detail_part)
{
    struct ekb_crls *crls = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err got = ekb_crls_read(&crls, path, &fail);

    cr_expect_eq(got, err, "%s: %s (%s)", name, ekb_err_name(got), fail.detail);
    cr_expect_eq(fail.err, err, "%s: %s", name, ekb_err_name(fail.err));
    cr_expect_null(crls, "%s: something was read", name);
    cr_expect_not_null(strstr(fail.detail, path), "%s: %s", name, fail.detail);
    cr_expect_not_null(strstr(fail.detail, detail_part), "%s: %s", name, fail.detail);
    cr_expect_eq(ERR_peek_error(), 0u, "%s: the library's error queue is not empty", name);
}

// Sets.

Test(crl, is_empty_when_created)
{
    struct ekb_crls *crls = ekb_crls_create();

    const size_t len = ekb_crls_len(crls);

    cr_assert_eq(len, 0u, "%zu", len);
    ekb_crls_destroy(crls);
}

Test(crl, is_destroyed_when_null)
{
    ekb_crls_destroy(NULL);
}

// Reading.

Test(crl, is_read_when_in_pem_or_der)
{
    size_t der_len = 0;
    char *first = crl_text(0);
    char *second = crl_text(1);
    char *certificates = certificate_text();
    uint8_t *der = der_of(first, &der_len);
    const char *key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    const struct {
        const char *name;
        const char *parts[5]; // One after the other; all NULL: the DER.
        size_t len;
    } cases[] = {
        {"DER", {NULL}, 1},
        {"one", {first}, 1},
        {"several", {first, second, first}, 3},
        {"text around", {"X509 CRL\n\n", first, "\n# and\n", second, "the end"}, 2},
        {"certificates around", {certificates, first, certificates, second, certificates}, 2},
        {"a key before", {key, first}, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[16384] = "";
        for (size_t j = 0; j < COUNT(cases[i].parts) && cases[i].parts[j] != NULL; j++) {
            cr_assert_lt(strlen(text) + strlen(cases[i].parts[j]), sizeof text);
            (void)strcat(text, cases[i].parts[j]);
        }
        if (text[0] != '\0') {
            fixture_write_text(path, text);
        } else {
            fixture_write(path, der, der_len, 0600);
        }

        struct ekb_crls *crls = read_back();

        cr_expect_eq(ekb_crls_len(crls), cases[i].len, "%s: %zu", cases[i].name,
                     ekb_crls_len(crls));
        ekb_crls_destroy(crls);
    }
    free(der);
    free(certificates);
    free(second);
    free(first);
}

Test(crl, is_refused_when_the_file_is_missing)
{
    refused("missing", EKB_NOT_FOUND, "");
}

Test(crl, is_refused_when_the_file_is_a_directory)
{
    (void)snprintf(path, sizeof path, "%s", dir.path);

    refused("a directory", EKB_PARSE, "");
}

Test(crl, is_refused_when_the_file_holds_none)
{
    char *certificates = certificate_text();
    const struct {
        const char *name;
        const char *text;
        const char *detail_part;
    } cases[] = {
        {"nothing", "", "no CRL"},
        {"text", "hello\n", "no CRL"},
        {"certificates", certificates, "no CRL"},
        {"no end", "-----BEGIN X509 CRL-----\nAAAA\n", "no end"},
        {"the end of something else", "-----BEGIN X509 CRL-----\nAAAA\n-----END CERTIFICATE-----\n",
         "no end"},
        {"an empty block", "-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n", "CRL 1"},
        {"no base64", "-----BEGIN X509 CRL-----\n?!\n-----END X509 CRL-----\n",
         "CRL 1 is not base64"},
        {"no CRL in it", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
         "CRL 1 is malformed"},
        {"a label that is none of ours", "-----BEGIN CRL-----\nAAAA\n-----END CRL-----\n",
         "no CRL"},
        {"DER of nothing", "0\202\1\1", "malformed"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_write_text(path, cases[i].text);

        refused(cases[i].name, EKB_PARSE, cases[i].detail_part);
    }
    free(certificates);
}

Test(crl, is_refused_when_a_certificate_has_its_label)
{
    char text[8192];
    char *certificates = certificate_text();
    char *end = strstr(certificates, "-----END");
    *end = '\0';
    (void)snprintf(text, sizeof text, "-----BEGIN X509 CRL-----%s-----END X509 CRL-----\n",
                   strchr(certificates, '\n'));
    fixture_write_text(path, text);
    free(certificates);

    refused("a certificate", EKB_PARSE, "CRL 1 is malformed");
}

Test(crl, is_refused_when_the_certificate_is_in_der)
{
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    fixture_write(path, der, len, 0600);

    refused("a certificate", EKB_PARSE, "malformed");
}

Test(crl, is_refused_when_the_second_is_malformed)
{
    char text[8192];
    char *first = crl_text(0);
    char *second = crl_text(1);
    strchr(second, '\n')[1] ^= 1;
    (void)snprintf(text, sizeof text, "%s%s", first, second);
    fixture_write_text(path, text);
    free(second);
    free(first);

    refused("the second", EKB_PARSE, "CRL 2 is malformed");
}

Test(crl, is_refused_when_bytes_trail)
{
    size_t len = 0;
    uint8_t *der = crl_der(&len);
    static const uint8_t trails[] = {0, '\n', 0x30};
    for (size_t i = 0; i < COUNT(trails); i++) {
        char name[32];
        uint8_t *longer = malloc(len + 1);
        memcpy(longer, der, len);
        longer[len] = trails[i];
        fixture_write(path, longer, len + 1, 0600);
        (void)snprintf(name, sizeof name, "trailing %02x", trails[i]);

        refused(name, EKB_PARSE, "malformed");

        free(longer);
    }
    free(der);
}

Test(crl, is_refused_when_bytes_trail_in_the_block)
{
    size_t len = 0;
    char base64[4096];
    char text[8192];
    uint8_t *der = crl_der(&len);
    uint8_t *longer = calloc(1, len + 3);
    memcpy(longer, der, len);
    (void)EVP_EncodeBlock((uint8_t *)base64, longer, len + 3);
    (void)snprintf(text, sizeof text, "-----BEGIN X509 CRL-----\n%s\n-----END X509 CRL-----\n",
                   base64);
    fixture_write_text(path, text);
    free(longer);
    free(der);

    refused("trailing zeros", EKB_PARSE, "malformed");
}

Test(crl, is_refused_when_truncated_anywhere)
{
    size_t len = 0;
    uint8_t *der = crl_der(&len);
    for (size_t i = 0; i < len; i++) {
        char name[32];
        fixture_write(path, der, i, 0600);
        (void)snprintf(name, sizeof name, "%zu of %zu bytes", i, len);

        refused(name, EKB_PARSE, "");
    }
    free(der);
}

// No byte is such that its change leads to more than a refusal.
Test(crl, is_read_or_refused_when_a_byte_is_wrong)
{
    size_t len = 0;
    uint8_t *der = crl_der(&len);
    for (size_t i = 0; i < len; i++) {
        struct ekb_crls *crls = NULL;
        der[i] ^= 0xff;
        fixture_write(path, der, len, 0600);
        der[i] ^= 0xff;

        const enum ekb_err err = ekb_crls_read(&crls, path, NULL);

        cr_expect(err == EKB_OK || err == EKB_PARSE, "byte %zu: %s", i, ekb_err_name(err));
        cr_expect_eq(err == EKB_OK, crls != NULL, "byte %zu", i);
        cr_expect_eq(ERR_peek_error(), 0u, "byte %zu: the error queue is not empty", i);
        ekb_crls_destroy(crls);
    }
    free(der);
}

// write_many writes `num_crls` times the same CRL.
static void write_many(size_t num_crls)
{
    char *text = crl_text(0);
    const size_t len = strlen(text);
    char *many = malloc(num_crls * len);
    for (size_t i = 0; i < num_crls; i++) {
        memcpy(many + i * len, text, len);
    }
    fixture_write(path, many, num_crls * len, 0644);
    free(many);
    free(text);
}

Test(crl, is_read_when_there_are_as_many_as_allowed)
{
    write_many(EKB_CRLS_MAX);

    struct ekb_crls *crls = read_back();

    cr_assert_eq(ekb_crls_len(crls), (size_t)EKB_CRLS_MAX, "%zu", ekb_crls_len(crls));
    ekb_crls_destroy(crls);
}

Test(crl, is_refused_when_there_are_too_many)
{
    write_many(EKB_CRLS_MAX + 1);

    refused("1001", EKB_TOO_BIG, "more than 1000");
}

Test(crl, is_refused_when_the_file_is_too_big)
{
    fixture_write_text(path, "");
    cr_assert_eq(truncate(path, (off_t)EKB_CRLS_MAX_FILE_LEN + 1), 0);

    refused("a byte more", EKB_TOO_BIG, "at most");
}

// Quadratic time would take hours for each of these.
Test(crl, is_refused_quickly_when_the_file_is_full_of_blocks, .timeout = 60)
{
    static const struct {
        const char *piece;
        enum ekb_err err;
    } cases[] = {
        {"-----BEGIN X509 CRL-----\n", EKB_PARSE},
        {"-----BEGIN X-----\n-----END X-----\n", EKB_PARSE},
        {"-----END X509 CRL-----\n", EKB_PARSE},
        {"\n", EKB_PARSE},
    };
    const size_t text_len = 16u << 20;
    char *text = malloc(text_len);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const size_t len = strlen(cases[i].piece);
        for (size_t at = 0; at < text_len; at++) {
            text[at] = cases[i].piece[at % len];
        }
        fixture_write(path, text, text_len, 0644);

        refused(cases[i].piece, cases[i].err, "");
    }
    free(text);
}

// Writing.

Test(crl, is_read_back_when_written)
{
    char copy_path[512];
    struct ekb_crls *crls = ekb_crls_create();
    issue_days(crls, 0, 0);
    issue_days(crls, 1, 1);
    issue_days(crls, 2, 3);
    cr_assert_eq(ekb_crls_write(crls, path, NULL), EKB_OK);

    struct ekb_crls *copy = read_back();

    cr_assert_eq(ekb_crls_len(copy), 3u, "%zu", ekb_crls_len(copy));
    (void)fixture_dir_file(copy_path, &dir, "copy.crl");
    cr_assert_eq(ekb_crls_write(copy, copy_path, NULL), EKB_OK);
    char *text = fixture_read(path, NULL);
    char *copy_text = fixture_read(copy_path, NULL);
    cr_assert_str_eq(copy_text, text);
    free(copy_text);
    free(text);
    ekb_crls_destroy(copy);
    ekb_crls_destroy(crls);
}

Test(crl, is_readable_by_all_when_written)
{
    struct ekb_crls *crls = ekb_crls_create();
    issue_days(crls, 0, 0);
    (void)umask(077);

    cr_assert_eq(ekb_crls_write(crls, path, NULL), EKB_OK);

    cr_assert_eq(fixture_mode(path), 0644u, "%04o", fixture_mode(path));
    ekb_crls_destroy(crls);
}

Test(crl, writes_nothing_when_the_set_is_empty)
{
    struct ekb_crls *empty = ekb_crls_create();
    struct ekb_fail fail = {0};
    struct stat status;

    const enum ekb_err err = ekb_crls_write(empty, path, &fail);

    cr_assert_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_assert_eq(stat(path, &status), -1);
    ekb_crls_destroy(empty);
}

Test(crl, fails_to_write_when_the_directory_is_missing)
{
    struct ekb_crls *crls = ekb_crls_create();
    struct ekb_fail fail = {0};
    issue_days(crls, 0, 0);
    (void)fixture_dir_file(path, &dir, "missing/list.crl");

    const enum ekb_err err = ekb_crls_write(crls, path, &fail);

    cr_assert_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    ekb_crls_destroy(crls);
}

// Making one.

static X509_CRL *parsed(struct ekb_crls *crls)
{
    size_t len = 0;
    cr_assert_eq(ekb_crls_write(crls, path, NULL), EKB_OK);
    char *text = fixture_read(path, NULL);
    uint8_t *der = der_of(text, &len);
    const uint8_t *next = der;
    X509_CRL *crl = d2i_X509_CRL(NULL, &next, (long)len);
    cr_assert_not_null(crl);
    free(der);
    free(text);
    return crl;
}

static X509 *x509_of(const struct ekb_chain *chain)
{
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(chain, 0, &len);
    X509 *x509 = d2i_X509(NULL, &der, (long)len);
    cr_assert_not_null(x509);
    return x509;
}

Test(crl, says_what_was_asked_for_when_issued)
{
    int64_t this_update = 0;
    int64_t next_update = 0;
    X509_REVOKED *revoked = NULL;
    struct ekb_crls *crls = ekb_crls_create();
    X509 *ca = x509_of(ekb_ca_certificate(pki.cas[1]));
    X509 *leaf = x509_of(pki.chain);
    EVP_PKEY *key = X509_get_pubkey(ca);
    issue_days(crls, 0, 1);

    X509_CRL *crl = parsed(crls);

    cr_expect_eq(X509_CRL_get_version(crl), X509_CRL_VERSION_2, "%ld", X509_CRL_get_version(crl));
    cr_expect_eq(X509_CRL_verify(crl, key), 1, "not signed by its CA");
    cr_expect_eq(X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)), 0);
    cr_expect_eq(ASN1_TIME_to_posix(X509_CRL_get0_lastUpdate(crl), &this_update), 1);
    cr_expect_eq(ASN1_TIME_to_posix(X509_CRL_get0_nextUpdate(crl), &next_update), 1);
    cr_expect_eq(this_update, NOON, "%lld", (long long)this_update);
    cr_expect_eq(next_update, NOON + DAY, "%lld", (long long)next_update);
    cr_expect_eq(X509_CRL_get0_by_cert(crl, &revoked, leaf), 1, "the leaf is not on it");
    cr_expect_eq(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 1u);
    X509_CRL_free(crl);
    EVP_PKEY_free(key);
    X509_free(leaf);
    X509_free(ca);
    ekb_crls_destroy(crls);
}

// RFC 5280 section 5.2: an authority key identifier and a CRL number, neither of them critical.
Test(crl, has_the_extensions_of_the_profile_when_issued)
{
    static const int nids[] = {NID_authority_key_identifier, NID_crl_number};
    struct ekb_crls *crls = ekb_crls_create();
    issue_days(crls, 0, 0);
    X509_CRL *crl = parsed(crls);
    for (size_t i = 0; i < COUNT(nids); i++) {
        const int index = X509_CRL_get_ext_by_NID(crl, nids[i], -1);

        cr_assert_geq(index, 0, "%s is not there", OBJ_nid2sn(nids[i]));
        cr_expect_eq(X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, index)), 0, "%s",
                     OBJ_nid2sn(nids[i]));
    }
    X509_CRL_free(crl);
    ekb_crls_destroy(crls);
}

// An empty list is left out, not written as empty (RFC 5280 section 5.1.2.6).
Test(crl, has_no_list_when_nothing_is_revoked)
{
    struct ekb_crls *crls = ekb_crls_create();
    issue_days(crls, 0, 0);

    X509_CRL *crl = parsed(crls);

    cr_expect_null(X509_CRL_get_REVOKED(crl));
    X509_CRL_free(crl);
    ekb_crls_destroy(crls);
}

Test(crl, is_issued_when_the_ca_has_any_type_of_key)
{
    for (unsigned type = 0; type < EKB_KEY_NUM_TYPES; type++) {
        const char *name = ekb_key_type_name((enum ekb_key_type)type);
        const struct fixture_pki_spec spec = {.key_type = (enum ekb_key_type)type};
        const struct ekb_crl_spec crl_spec = {.this_update = NOON, .next_update = NOON + DAY};
        struct fixture_pki other = {0};
        struct ekb_crls *crls = ekb_crls_create();
        fixture_pki_init(&other, &spec);
        X509 *ca = x509_of(fixture_pki_root(&other));
        EVP_PKEY *key = X509_get_pubkey(ca);

        const enum ekb_err err = ekb_crls_issue(crls, other.cas[0], &crl_spec, NULL);

        cr_assert_eq(err, EKB_OK, "%s: %s", name, ekb_err_name(err));
        X509_CRL *crl = parsed(crls);
        cr_expect_eq(X509_CRL_verify(crl, key), 1, "%s: the signature is wrong", name);
        X509_CRL_free(crl);
        EVP_PKEY_free(key);
        X509_free(ca);
        ekb_crls_destroy(crls);
        fixture_pki_deinit(&other);
    }
}

Test(crl, is_not_issued_when_the_times_are_reversed_or_no_dates)
{
    static const struct {
        const char *name;
        int64_t this_update;
        int64_t next_update;
        enum ekb_err err;
    } cases[] = {
        {"at once over", NOON, NOON, EKB_OK},
        {"1969", -DAY, DAY, EKB_OK},
        {"beyond 2049", NOON, INT64_C(2524608000), EKB_OK},
        {"reversed", NOON, NOON - 1, EKB_USAGE},
        {"the year 10000", NOON, INT64_C(253402300800), EKB_USAGE},
        {"before the year 0", INT64_C(-62167219201), NOON, EKB_USAGE},
        {"no years at all", INT64_MIN, INT64_MAX, EKB_USAGE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ekb_crl_spec spec = {.this_update = cases[i].this_update,
                                          .next_update = cases[i].next_update};
        struct ekb_crls *crls = ekb_crls_create();
        struct ekb_fail fail = {0};

        const enum ekb_err err = ekb_crls_issue(crls, pki.cas[0], &spec, &fail);

        cr_expect_eq(err, cases[i].err, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_eq(fail.err, cases[i].err, "%s: %s", cases[i].name, ekb_err_name(fail.err));
        cr_expect_eq(ekb_crls_len(crls), cases[i].err == EKB_OK ? 1u : 0u, "%s: %zu", cases[i].name,
                     ekb_crls_len(crls));
        cr_expect_eq(ERR_peek_error(), 0u, "%s: the error queue is not empty", cases[i].name);
        ekb_crls_destroy(crls);
    }
}
