#include "ekubench/pki/cert.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <openssl/base64.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct fixture_dir dir;
static struct fixture_pki pki;
static char path[512];

static void set_up(void)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 3, .eku = EKB_EKU_SERVER_AUTH};
    fixture_dir_init(&dir);
    fixture_pki_init(&pki, &spec);
    (void)fixture_dir_file(path, &dir, "chain.pem");
}

static void tear_down(void)
{
    fixture_pki_deinit(&pki);
    fixture_dir_deinit(&dir);
}

TestSuite(cert, .init = set_up, .fini = tear_down);

// chain_text returns the PEM of the whole chain, to be freed.
static char *chain_text(void)
{
    cr_assert_eq(ekb_chain_write_pem(pki.chain, path, NULL), EKB_OK);
    return fixture_read(path, NULL);
}

// certificate_text returns the PEM of one certificate, to be freed.
static char *certificate_text(size_t index)
{
    struct ekb_chain *one = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(one, pki.chain, index), EKB_OK);
    cr_assert_eq(ekb_chain_write_pem(one, path, NULL), EKB_OK);
    ekb_chain_destroy(one);
    return fixture_read(path, NULL);
}

static void assert_same(const struct ekb_chain *got, size_t got_index, size_t index)
{
    size_t len = 0;
    size_t got_len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, index, &len);
    const uint8_t *got_der = ekb_chain_der(got, got_index, &got_len);
    cr_assert_eq(got_len, len, "certificate %zu: %zu bytes, not %zu", index, got_len, len);
    cr_assert(memcmp(got_der, der, len) == 0, "certificate %zu", index);
}

// fails reads the chain at `path`, which must fail with `err` and a detail that names the file.
static void fails(enum ekb_err err, const char *detail_part)
{
    struct ekb_chain *chain = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err got = ekb_chain_read_pem(&chain, path, &fail);

    cr_assert_eq(got, err, "%s: %s", ekb_err_name(got), fail.detail);
    cr_assert_eq(fail.err, err);
    cr_assert_null(chain);
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_assert_not_null(strstr(fail.detail, detail_part), "%s", fail.detail);
    cr_assert_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
}

// Reading and writing.

Test(cert, reads_back_the_chain_when_written)
{
    struct ekb_chain *chain = NULL;
    cr_assert_eq(ekb_chain_write_pem(pki.chain, path, NULL), EKB_OK);

    cr_assert_eq(ekb_chain_read_pem(&chain, path, NULL), EKB_OK);

    cr_assert_eq(ekb_chain_len(chain), 3u);
    for (size_t i = 0; i < 3; i++) {
        assert_same(chain, i, i);
    }
    ekb_chain_destroy(chain);
}

Test(cert, is_readable_by_all_when_written)
{
    (void)umask(077);

    cr_assert_eq(ekb_chain_write_pem(pki.chain, path, NULL), EKB_OK);

    cr_assert_eq(fixture_mode(path), 0644u, "%04o", fixture_mode(path));
}

Test(cert, reads_an_empty_list_when_the_file_says_that_it_is_one)
{
    static const struct {
        const char *text;
        unsigned accept;
        enum ekb_err err;
    } cases[] = {
        {EKB_CHAIN_EMPTY_TEXT, EKB_CHAIN_EMPTY, EKB_OK},
        {EKB_CHAIN_EMPTY_TEXT, 0, EKB_PARSE},
        {"", EKB_CHAIN_EMPTY, EKB_PARSE},
        {"hello\n" EKB_CHAIN_EMPTY_TEXT, EKB_CHAIN_EMPTY, EKB_PARSE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_chain *chain = NULL;
        fixture_write_text(path, cases[i].text);

        const enum ekb_err err = ekb_chain_read(&chain, path, cases[i].accept, NULL);

        cr_expect_eq(err, cases[i].err, "%zu: %s", i, ekb_err_name(err));
        cr_expect(err != EKB_OK || ekb_chain_len(chain) == 0, "%zu", i);
        ekb_chain_destroy(chain);
    }
}

Test(cert, writes_nothing_when_the_chain_is_empty)
{
    struct ekb_chain *empty = ekb_chain_create();
    struct stat status;

    cr_assert_eq(ekb_chain_write_pem(empty, path, NULL), EKB_USAGE);

    cr_assert_eq(stat(path, &status), -1);
    ekb_chain_destroy(empty);
}

Test(cert, fails_to_write_when_the_directory_is_missing)
{
    struct ekb_fail fail = {0};
    (void)fixture_dir_file(path, &dir, "missing/chain.pem");

    cr_assert_neq(ekb_chain_write_pem(pki.chain, path, &fail), EKB_OK);

    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
}

// between writes `before`, the leaf's certificate, `middle`, the next one, `after`.
static void between(const char *before, const char *middle, const char *after)
{
    char text[8192];
    char *leaf = certificate_text(0);
    char *next = certificate_text(1);
    cr_assert_lt(snprintf(text, sizeof text, "%s%s%s%s%s", before, leaf, middle, next, after),
                 (int)sizeof text);
    fixture_write_text(path, text);
    free(next);
    free(leaf);
}

Test(cert, skips_what_stands_between_when_it_is_no_certificate)
{
    static const struct {
        const char *name;
        const char *before;
        const char *middle;
        const char *after;
    } cases[] = {
        {"text", "subject=CN = x\n\n", "Bag Attributes: <none>\n", "the end"},
        {"a key", "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ""},
        {"a CRL", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "", ""},
        {"a BEGIN that is none", "-----BEGIN CERTIFICATE\n", "-----BEGIN \n", "-----BEGIN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_chain *chain = NULL;
        struct ekb_fail fail = {0};
        between(cases[i].before, cases[i].middle, cases[i].after);

        const enum ekb_err err = ekb_chain_read_pem(&chain, path, &fail);

        cr_assert_eq(err, EKB_OK, "%s: %s", cases[i].name, fail.detail);
        cr_assert_eq(ekb_chain_len(chain), 2u, "%s", cases[i].name);
        assert_same(chain, 0, 0);
        assert_same(chain, 1, 1);
        ekb_chain_destroy(chain);
    }
}

Test(cert, is_read_when_the_label_is_the_old_one)
{
    struct ekb_chain *chain = NULL;
    char text[4096];
    char *body = certificate_text(0);
    char *end = strstr(body, "-----END");
    *end = '\0';
    (void)snprintf(text, sizeof text,
                   "-----BEGIN X509 CERTIFICATE-----%s-----END X509 CERTIFICATE-----",
                   strchr(body, '\n'));
    fixture_write_text(path, text);
    free(body);

    cr_assert_eq(ekb_chain_read_pem(&chain, path, NULL), EKB_OK);

    assert_same(chain, 0, 0);
    ekb_chain_destroy(chain);
}

// Refusals.

Test(cert, is_refused_when_the_file_is_missing)
{
    fails(EKB_NOT_FOUND, "chain.pem");
}

Test(cert, is_refused_when_the_file_holds_none)
{
    static const struct {
        const char *text;
        const char *detail_part;
    } cases[] = {
        {"", "no certificate"},
        {"hello\n", "no certificate"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n", "no end"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CERTIFICATE-----\n", "no end"},
        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "certificate 1 is not base64"},
        {"-----BEGIN CERTIFICATE-----\nA AA\n-----END CERTIFICATE-----\n", "not base64"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "malformed"},
        {"-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n",
         "not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_write_text(path, cases[i].text);

        fails(EKB_PARSE, cases[i].detail_part);
    }
}

Test(cert, is_refused_when_the_second_is_malformed)
{
    char *text = chain_text();
    char *second = strstr(strstr(text, "-----END"), "-----BEGIN");
    strchr(second, '\n')[1] ^= 1;
    fixture_write_text(path, text);
    free(text);

    fails(EKB_PARSE, "certificate 2 is malformed");
}

Test(cert, is_refused_when_the_file_is_too_big)
{
    char *text = calloc(1, EKB_CHAIN_MAX_FILE_LEN + 1);
    fixture_write(path, text, EKB_CHAIN_MAX_FILE_LEN + 1, 0644);
    free(text);

    fails(EKB_TOO_BIG, "at most");
}

// write_many writes `num_certificates` copies of the leaf.
static void write_many(size_t num_certificates)
{
    struct ekb_chain *many = ekb_chain_create();
    for (size_t i = 0; i < num_certificates; i++) {
        cr_assert_eq(ekb_chain_append(many, pki.chain, 0), EKB_OK);
    }
    cr_assert_eq(ekb_chain_write_pem(many, path, NULL), EKB_OK);
    ekb_chain_destroy(many);
}

Test(cert, is_read_when_there_are_as_many_as_allowed)
{
    struct ekb_chain *chain = NULL;
    write_many(EKB_CHAIN_MAX_CERTS);

    cr_assert_eq(ekb_chain_read_pem(&chain, path, NULL), EKB_OK);

    cr_assert_eq(ekb_chain_len(chain), (size_t)EKB_CHAIN_MAX_CERTS);
    ekb_chain_destroy(chain);
}

Test(cert, is_refused_when_there_are_too_many)
{
    write_many(EKB_CHAIN_MAX_CERTS + 1);

    fails(EKB_TOO_BIG, "more than 1000");
}

// Quadratic time would take minutes for each of these.
Test(cert, is_refused_quickly_when_the_file_is_full_of_blocks, .timeout = 20)
{
    static const char *const pieces[] = {"-----BEGIN CERTIFICATE-----\n",
                                         "-----BEGIN X-----\n-----END X-----\n", "-----BEGIN ",
                                         "-----END CERTIFICATE-----\n", "\n"};
    char *text = malloc(EKB_CHAIN_MAX_FILE_LEN);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        const size_t len = strlen(pieces[i]);
        for (size_t at = 0; at < EKB_CHAIN_MAX_FILE_LEN; at++) {
            text[at] = pieces[i][at % len];
        }
        fixture_write(path, text, EKB_CHAIN_MAX_FILE_LEN, 0644);

        fails(EKB_PARSE, "");
    }
    free(text);
}

// More that is taken.

#define ALL_FORMS (EKB_CHAIN_DER | EKB_CHAIN_TRUST_SETTINGS)

// fails_to_take reads the chain at `path` with `accept`, which must fail with EKB_PARSE.
static void fails_to_take(const char *name, unsigned accept, const char *detail_part)
{
    struct ekb_chain *chain = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err got = ekb_chain_read(&chain, path, accept, &fail);

    cr_expect_eq(got, EKB_PARSE, "%s: %s: %s", name, ekb_err_name(got), fail.detail);
    cr_expect_eq(fail.err, EKB_PARSE, "%s: %s", name, ekb_err_name(fail.err));
    cr_expect_null(chain, "%s: something was read", name);
    cr_expect_not_null(strstr(fail.detail, path), "%s: %s", name, fail.detail);
    cr_expect_not_null(strstr(fail.detail, detail_part), "%s: %s", name, fail.detail);
    cr_expect_eq(ERR_peek_error(), 0u, "%s: the library's error queue is not empty", name);
}

// taken reads the chain at `path` with `accept`.
static struct ekb_chain *taken(unsigned accept)
{
    struct ekb_chain *chain = NULL;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_chain_read(&chain, path, accept, &fail);
    cr_assert_eq(err, EKB_OK, "accept %u: %s: %s", accept, ekb_err_name(err), fail.detail);
    cr_assert_eq(ERR_peek_error(), 0u, "accept %u: the library's error queue is not empty", accept);
    return chain;
}

Test(cert, is_read_when_in_der_and_taken_so)
{
    static const unsigned accepts[] = {EKB_CHAIN_DER, ALL_FORMS};
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 1, &len);
    fixture_write(path, der, len, 0600);
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        struct ekb_chain *chain = taken(accepts[i]);

        cr_assert_eq(ekb_chain_len(chain), 1u, "%zu", ekb_chain_len(chain));
        assert_same(chain, 0, 1);
        ekb_chain_destroy(chain);
    }
}

Test(cert, is_refused_when_in_der_and_not_taken_so)
{
    static const unsigned accepts[] = {0, EKB_CHAIN_TRUST_SETTINGS};
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    fixture_write(path, der, len, 0600);
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        fails_to_take(i == 0 ? "PEM alone" : "trust settings", accepts[i], "no certificate");
    }
}

Test(cert, is_read_when_in_pem_whatever_else_is_taken)
{
    cr_assert_eq(ekb_chain_write_pem(pki.chain, path, NULL), EKB_OK);
    for (unsigned accept = 0; accept <= ALL_FORMS; accept++) {
        struct ekb_chain *chain = taken(accept);

        cr_assert_eq(ekb_chain_len(chain), 3u, "accept %u: %zu", accept, ekb_chain_len(chain));
        for (size_t i = 0; i < 3; i++) {
            assert_same(chain, i, i);
        }
        ekb_chain_destroy(chain);
    }
}

Test(cert, is_refused_when_bytes_trail_in_der)
{
    static const uint8_t trails[] = {0, '\n', 0x30};
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    uint8_t *longer = malloc(len + 1);
    memcpy(longer, der, len);
    for (size_t i = 0; i < sizeof trails; i++) {
        char name[32];
        longer[len] = trails[i];
        fixture_write(path, longer, len + 1, 0600);
        (void)snprintf(name, sizeof name, "trailing %02x", trails[i]);

        fails_to_take(name, ALL_FORMS, "malformed");
    }
    free(longer);
}

// Two in one file: of DER, one is the whole file.
Test(cert, is_refused_when_there_are_two_in_der)
{
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    uint8_t *twice = malloc(2 * len);
    memcpy(twice, der, len);
    memcpy(twice + len, der, len);
    fixture_write(path, twice, 2 * len, 0600);

    fails_to_take("twice", ALL_FORMS, "malformed");

    free(twice);
}

Test(cert, is_refused_when_der_is_truncated_anywhere)
{
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    for (size_t i = 0; i < len; i++) {
        char name[32];
        fixture_write(path, der, i, 0600);
        (void)snprintf(name, sizeof name, "%zu of %zu bytes", i, len);

        fails_to_take(name, ALL_FORMS, "");
    }
}

// trusted_text returns a "TRUSTED CERTIFICATE" block of certificate `index`, as `openssl x509
// -trustout -addreject clientAuth` writes it, followed by `num_trailing` zeros; to be freed.
static char *trusted_text(size_t index, size_t num_trailing)
{
    size_t len = 0;
    uint8_t *aux = NULL;
    const uint8_t *der = ekb_chain_der(pki.chain, index, &len);
    X509 *x509 = d2i_X509(NULL, &der, (long)len);
    cr_assert_eq(X509_add1_reject_object(x509, OBJ_nid2obj(NID_client_auth)), 1);
    const int aux_len = i2d_X509_AUX(x509, &aux);
    cr_assert_gt(aux_len, (int)len, "no settings were written");
    uint8_t *padded = calloc(1, (size_t)aux_len + num_trailing);
    memcpy(padded, aux, (size_t)aux_len);
    const size_t text_len = 2 * ((size_t)aux_len + num_trailing) + 100;
    char *base64 = malloc(text_len);
    char *text = malloc(text_len);
    (void)EVP_EncodeBlock((uint8_t *)base64, padded, (size_t)aux_len + num_trailing);
    (void)snprintf(text, text_len,
                   "-----BEGIN TRUSTED CERTIFICATE-----\n%s\n-----END TRUSTED CERTIFICATE-----\n",
                   base64);
    free(base64);
    free(padded);
    OPENSSL_free(aux);
    X509_free(x509);
    return text;
}

Test(cert, is_read_when_it_has_trust_settings_and_is_taken_so)
{
    static const unsigned accepts[] = {EKB_CHAIN_TRUST_SETTINGS, ALL_FORMS};
    char *text = trusted_text(0, 0);
    fixture_write_text(path, text);
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        struct ekb_chain *chain = taken(accepts[i]);

        cr_assert_eq(ekb_chain_len(chain), 1u, "%zu", ekb_chain_len(chain));
        assert_same(chain, 0, 0);
        ekb_chain_destroy(chain);
    }
    free(text);
}

Test(cert, is_refused_when_it_has_trust_settings_and_is_not_taken_so)
{
    static const unsigned accepts[] = {0, EKB_CHAIN_DER};
    char *text = trusted_text(0, 0);
    fixture_write_text(path, text);
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        fails_to_take(i == 0 ? "PEM alone" : "DER", accepts[i], "not supported");
    }
    free(text);
}

Test(cert, keeps_the_order_when_some_have_trust_settings)
{
    char all[16384];
    char *first = certificate_text(0);
    char *second = trusted_text(1, 0);
    char *third = certificate_text(2);
    (void)snprintf(all, sizeof all, "%s%s%s", first, second, third);
    fixture_write_text(path, all);

    struct ekb_chain *chain = taken(EKB_CHAIN_TRUST_SETTINGS);

    cr_assert_eq(ekb_chain_len(chain), 3u, "%zu", ekb_chain_len(chain));
    for (size_t i = 0; i < 3; i++) {
        assert_same(chain, i, i);
    }
    ekb_chain_destroy(chain);
    free(third);
    free(second);
    free(first);
}

Test(cert, is_read_when_a_block_of_trust_settings_has_none)
{
    char text[4096];
    char *body = certificate_text(0);
    *strstr(body, "-----END") = '\0';
    (void)snprintf(text, sizeof text,
                   "-----BEGIN TRUSTED CERTIFICATE-----%s-----END TRUSTED CERTIFICATE-----\n",
                   strchr(body, '\n'));
    fixture_write_text(path, text);
    free(body);

    struct ekb_chain *chain = taken(EKB_CHAIN_TRUST_SETTINGS);

    assert_same(chain, 0, 0);
    ekb_chain_destroy(chain);
}

Test(cert, is_refused_when_something_trails_the_trust_settings)
{
    char *text = trusted_text(0, 3);
    fixture_write_text(path, text);
    free(text);

    fails_to_take("three zeros", EKB_CHAIN_TRUST_SETTINGS, "certificate 1 is malformed");
}

Test(cert, is_refused_when_the_block_of_trust_settings_is_no_certificate)
{
    fixture_write_text(
        path, "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n");

    fails_to_take("three zeros", EKB_CHAIN_TRUST_SETTINGS, "certificate 1 is malformed");
}

Test(cert, loses_the_trust_settings_when_written)
{
    char *text = trusted_text(0, 0);
    char *plain = certificate_text(0);
    fixture_write_text(path, text);
    struct ekb_chain *chain = taken(EKB_CHAIN_TRUST_SETTINGS);

    cr_assert_eq(ekb_chain_write_pem(chain, path, NULL), EKB_OK);

    char *written = fixture_read(path, NULL);
    cr_assert_str_eq(written, plain);
    free(written);
    ekb_chain_destroy(chain);
    free(plain);
    free(text);
}

// Chains.

Test(cert, is_empty_when_created)
{
    struct ekb_chain *chain = ekb_chain_create();

    cr_assert_eq(ekb_chain_len(chain), 0u);

    ekb_chain_destroy(chain);
}

Test(cert, is_destroyed_when_null)
{
    ekb_chain_destroy(NULL);
}

Test(cert, outlives_the_chain_when_appended_to_another)
{
    struct ekb_chain *first = ekb_chain_create();
    struct ekb_chain *second = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(first, pki.chain, 1), EKB_OK);

    cr_assert_eq(ekb_chain_append(second, first, 0), EKB_OK);

    ekb_chain_destroy(first);
    cr_assert_eq(ekb_chain_len(second), 1u);
    assert_same(second, 0, 1);
    ekb_chain_destroy(second);
}

Test(cert, can_be_appended_when_from_the_same_chain)
{
    struct ekb_chain *chain = ekb_chain_create();
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(ekb_chain_append(chain, pki.chain, i % 3), EKB_OK);
    }

    cr_assert_eq(ekb_chain_append(chain, chain, 2), EKB_OK);

    assert_same(chain, 4, 2);
    ekb_chain_destroy(chain);
}

Test(cert, matches_the_key_when_it_is_the_leafs)
{
    const bool matches = ekb_chain_matches_key(pki.chain, pki.key);

    cr_assert(matches);
}

Test(cert, does_not_match_the_key_when_it_is_another)
{
    static const enum ekb_key_type types[] = {EKB_KEY_P256, EKB_KEY_P384, EKB_KEY_ED25519};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct ekb_key *key = NULL;
        cr_assert_eq(ekb_key_generate(&key, types[i], NULL), EKB_OK);

        const bool matches = ekb_chain_matches_key(pki.chain, key);

        cr_assert_not(matches, "%s", ekb_key_type_name(types[i]));
        cr_assert_eq(ERR_peek_error(), 0u, "%s", ekb_key_type_name(types[i]));
        ekb_key_destroy(key);
    }
}

Test(cert, does_not_match_the_key_when_the_chain_is_empty)
{
    struct ekb_chain *empty = ekb_chain_create();

    cr_assert_not(ekb_chain_matches_key(empty, pki.key));

    ekb_chain_destroy(empty);
}

// Extended key usages.

// patched returns a chain of the leaf, with the bytes `from` in it, which must be there once, made
// `to`.
static struct ekb_chain *patched(const uint8_t *from, const uint8_t *to, size_t patch_len)
{
    char base64[2048];
    char text[4096];
    size_t len = 0;
    struct ekb_chain *chain = NULL;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    cr_assert_lt(len, 1024u);
    uint8_t *copy = malloc(len);
    memcpy(copy, der, len);
    uint8_t *place = memmem(copy, len, from, patch_len);
    cr_assert_not_null(place);
    memcpy(place, to, patch_len);
    (void)EVP_EncodeBlock((uint8_t *)base64, copy, len);
    (void)snprintf(text, sizeof text,
                   "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", base64);
    fixture_write_text(path, text);
    cr_assert_eq(ekb_chain_read_pem(&chain, path, NULL), EKB_OK);
    free(copy);
    return chain;
}

// id-kp-serverAuth in a list of one.
static const uint8_t server_auth[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
                                      0x01, 0x05, 0x05, 0x07, 0x03, 0x01};

Test(cert, has_other_usages_when_they_have_no_name)
{
    uint8_t unknown[sizeof server_auth];
    memcpy(unknown, server_auth, sizeof unknown);
    unknown[sizeof unknown - 1] = 0x63;
    struct ekb_chain *chain = patched(server_auth, unknown, sizeof unknown);

    const unsigned eku = ekb_chain_eku(chain, 0);

    cr_assert_eq(eku, (unsigned)EKB_EKU_OTHER, "%u", eku);
    ekb_chain_destroy(chain);
}

Test(cert, has_other_usages_when_the_extension_is_malformed)
{
    uint8_t malformed[sizeof server_auth];
    memcpy(malformed, server_auth, sizeof malformed);
    malformed[0] = 0x31;
    struct ekb_chain *chain = patched(server_auth, malformed, sizeof malformed);

    const unsigned eku = ekb_chain_eku(chain, 0);

    cr_assert_eq(eku, (unsigned)EKB_EKU_OTHER, "%u", eku);
    cr_assert_eq(ERR_peek_error(), 0u);
    ekb_chain_destroy(chain);
}

#define ALL_USAGES (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH | EKB_EKU_CODE_SIGNING | EKB_EKU_ANY)

Test(cert, has_the_usages_it_was_minted_with)
{
    for (unsigned eku = 0; eku <= ALL_USAGES; eku++) {
        const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .eku = eku};
        struct fixture_pki other = {0};
        fixture_pki_init(&other, &spec);

        const unsigned got = ekb_chain_eku(other.chain, 0);

        cr_assert_eq(got, eku, "%u, not %u", got, eku);
        fixture_pki_deinit(&other);
    }
}

Test(cert, parses_usages_when_they_are_well_formed)
{
    static const struct {
        const char *text;
        unsigned eku;
    } cases[] = {
        {"none", EKB_EKU_ABSENT},
        {"serverAuth", EKB_EKU_SERVER_AUTH},
        {"server", EKB_EKU_SERVER_AUTH},
        {"clientAuth", EKB_EKU_CLIENT_AUTH},
        {"client", EKB_EKU_CLIENT_AUTH},
        {"codeSigning", EKB_EKU_CODE_SIGNING},
        {"any", EKB_EKU_ANY},
        {"both", EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH},
        {"server,client", EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH},
        {"client,server,client", EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH},
        {"both,codeSigning,any", ALL_USAGES},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned eku = 1000;

        cr_assert_eq(ekb_eku_parse(&eku, cases[i].text), EKB_OK, "%s", cases[i].text);

        cr_assert_eq(eku, cases[i].eku, "%s: %u", cases[i].text, eku);
    }
}

Test(cert, refuses_usages_when_they_are_malformed)
{
    static const char *const texts[] = {"",       ",",      "server,",     ",server",
                                        "Server", "other",  "none,server", "server,none",
                                        "absent", "server "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        unsigned eku = 1000;

        cr_assert_eq(ekb_eku_parse(&eku, texts[i]), EKB_USAGE, "%s", texts[i]);

        cr_assert_eq(eku, 1000u, "%s", texts[i]);
    }
}

Test(cert, formats_usages)
{
    static const struct {
        unsigned eku;
        const char *text;
    } cases[] = {
        {EKB_EKU_ABSENT, "absent"},
        {EKB_EKU_SERVER_AUTH, "serverAuth"},
        {EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH, "serverAuth+clientAuth"},
        {EKB_EKU_OTHER, "other"},
        {ALL_USAGES | EKB_EKU_OTHER, "serverAuth+clientAuth+codeSigning+any+other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[EKB_EKU_TEXT_LEN];

        const char *got = ekb_eku_format(text, cases[i].eku);

        cr_assert_str_eq(got, cases[i].text);
    }
}
