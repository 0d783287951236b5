#include "ekubench/pki/bundle.h"

#include "ekubench/base/clock.h"
#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <openssl/base.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pkcs8.h>
#include <openssl/stack.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct fixture_dir dir;
static struct fixture_pki pki;
static char path[512];

static void set_up(void)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 3, .eku = EKB_EKU_SERVER_AUTH};
    fixture_dir_init(&dir);
    fixture_pki_init(&pki, &spec);
    (void)fixture_dir_file(path, &dir, "bundle");
}

static void tear_down(void)
{
    fixture_pki_deinit(&pki);
    fixture_dir_deinit(&dir);
}

TestSuite(bundle, .init = set_up, .fini = tear_down);

static char *key_text(void)
{
    char file[512];
    cr_assert_eq(ekb_key_write_pem(pki.key, fixture_dir_file(file, &dir, "key"), NULL), EKB_OK);
    return fixture_read(file, NULL);
}

// expect_bundle reads the file: the whole chain (or the leaf alone), and the key if there is one.
static void expect_bundle(const char *name, const char *password, size_t num_certificates,
                          bool with_key)
{
    struct ekb_bundle bundle = {0};
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_bundle_read(&bundle, path, password, &fail);

    cr_expect_eq(err, EKB_OK, "%s: %s: %s", name, ekb_err_name(err), fail.detail);
    if (err == EKB_OK) {
        cr_expect_eq(ekb_chain_len(bundle.chain), num_certificates, "%s: %zu certificates", name,
                     ekb_chain_len(bundle.chain));
        cr_expect_eq(bundle.key != NULL, with_key, "%s: key", name);
        cr_expect(!with_key || ekb_chain_matches_key(pki.chain, bundle.key), "%s: another key",
                  name);
    }
    cr_expect_eq(ERR_peek_error(), 0u, "%s: the library's error queue is not empty", name);
    ekb_bundle_deinit(&bundle);
}

static void fails(const char *name, const char *password, enum ekb_err wanted)
{
    struct ekb_bundle bundle = {0};
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_bundle_read(&bundle, path, password, &fail);

    cr_expect_eq(err, wanted, "%s: %s, not %s: %s", name, ekb_err_name(err), ekb_err_name(wanted),
                 fail.detail);
    cr_expect_null(bundle.chain, "%s", name);
    cr_expect_null(bundle.key, "%s", name);
    cr_expect_eq(ERR_peek_error(), 0u, "%s: the library's error queue is not empty", name);
    ekb_bundle_deinit(&bundle);
}

// PEM and DER.

Test(bundle, reads_pem_in_any_order)
{
    char *key = key_text();
    char *chain = ekb_chain_to_pem(pki.chain);
    const struct {
        const char *name;
        const char *parts[3];
        bool with_key;
    } cases[] = {
        {"certificates alone", {chain, "", ""}, false},
        {"key last", {chain, key, ""}, true},
        {"key first", {key, chain, ""}, true},
        {"text between", {"Bag Attributes\n", key, chain}, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[16384];
        (void)snprintf(text, sizeof text, "%s%s%s", cases[i].parts[0], cases[i].parts[1],
                       cases[i].parts[2]);
        fixture_write_text(path, text);

        expect_bundle(cases[i].name, NULL, 3, cases[i].with_key);
    }
    free(chain);
    free(key);
}

// The limit is that of a file with certificates.
Test(bundle, reads_the_key_of_a_file_that_is_long)
{
    char *key = key_text();
    char *chain = ekb_chain_to_pem(pki.chain);
    const size_t padding = 100u << 10;
    char *text = calloc(1, padding + 16384);
    cr_assert_not_null(text);
    for (size_t i = 0; i < padding; i++) {
        text[i] = i % 64 == 63 ? '\n' : '#';
    }
    (void)snprintf(text + padding, 16384, "%s%s", chain, key);
    fixture_write_text(path, text);

    expect_bundle("100 KiB of remarks", NULL, 3, true);

    free(text);
    free(chain);
    free(key);
}

// What can be said of the certificate is said first.
Test(bundle, keeps_what_is_wrong_with_the_key)
{
    static const struct {
        const char *name;
        const char *key;
        enum ekb_err err;
    } cases[] = {
        {"malformed", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", EKB_PARSE},
        {"encrypted",
         "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
         EKB_PARSE},
        {"of another form",
         "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n", EKB_UNSUPPORTED},
    };
    char *chain = ekb_chain_to_pem(pki.chain);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_bundle bundle = {0};
        char text[16384];
        (void)snprintf(text, sizeof text, "%s%s", chain, cases[i].key);
        fixture_write_text(path, text);

        const enum ekb_err err = ekb_bundle_read(&bundle, path, NULL, NULL);

        cr_expect_eq(err, EKB_OK, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_eq(bundle.key_fault.err, cases[i].err, "%s: %s", cases[i].name,
                     ekb_err_name(bundle.key_fault.err));
        cr_expect_null(bundle.key, "%s", cases[i].name);
        ekb_bundle_deinit(&bundle);
    }
    free(chain);
}

Test(bundle, reads_one_certificate_in_der)
{
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    fixture_write(path, der, len, 0600);

    expect_bundle("DER", NULL, 1, false);
}

Test(bundle, is_refused_when_der_is_cut_or_longer)
{
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    uint8_t longer[8192] = {0};
    static const size_t lens[] = {1, 2, 4, 100};
    cr_assert_lt(len, sizeof longer);
    memcpy(longer, der, len);
    for (size_t i = 0; i < COUNT(lens); i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "cut to %zu bytes", lens[i]);
        fixture_write(path, der, lens[i], 0600);
        fails(name, NULL, EKB_PARSE);
    }
    fixture_write(path, der, len - 1, 0600);
    fails("one byte less", NULL, EKB_PARSE);
    fixture_write(path, longer, len + 1, 0600);
    fails("one byte more", NULL, EKB_PARSE);
}

Test(bundle, is_refused_when_it_is_something_else)
{
    static const struct {
        const char *name;
        const char *text;
    } cases[] = {
        {"nothing", ""},
        {"text", "hello\n"},
        {"zeros", "\0\0\0"},
        {"no end", "-----BEGIN CERTIFICATE-----\nAAAA\n"},
        {"no certificate in it", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"no base64", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_write_text(path, cases[i].text);

        fails(cases[i].name, NULL, EKB_PARSE);
    }
}

Test(bundle, is_refused_when_it_is_missing)
{
    fails("missing", NULL, EKB_NOT_FOUND);
}

// PKCS #12.

static EVP_PKEY *library_key(void)
{
    char file[512];
    free(key_text());
    FILE *stream = fopen(fixture_dir_file(file, &dir, "key"), "re");
    cr_assert_not_null(stream);
    EVP_PKEY *key = PEM_read_PrivateKey(stream, NULL, NULL, NULL);
    (void)fclose(stream);
    cr_assert_not_null(key);
    return key;
}

// Numbers of four bytes that nothing else in the file has.
#define ITERATIONS 0x01e0f1
#define MAC_ITERATIONS 0x01e0f2

// write_pkcs12 writes leaf, key and intermediates to the file.
static void write_pkcs12(const char *password)
{
    uint8_t *der = NULL;
    EVP_PKEY *key = library_key();
    STACK_OF(X509) *others = sk_X509_new_null();
    X509 *leaf = NULL;
    for (size_t i = 0; i < ekb_chain_len(pki.chain); i++) {
        size_t len = 0;
        const uint8_t *bytes = ekb_chain_der(pki.chain, i, &len);
        X509 *x509 = d2i_X509(NULL, &bytes, (long)len);
        if (i == 0) {
            leaf = x509;
        } else {
            cr_assert_gt(sk_X509_push(others, x509), 0u);
        }
    }
    PKCS12 *pkcs12 =
        PKCS12_create(password, "name", key, leaf, others, 0, 0, ITERATIONS, MAC_ITERATIONS, 0);
    cr_assert_not_null(pkcs12);
    const int len = i2d_PKCS12(pkcs12, &der);
    cr_assert_gt(len, 0);
    fixture_write(path, der, (size_t)len, 0600);
    OPENSSL_free(der);
    PKCS12_free(pkcs12);
    X509_free(leaf);
    sk_X509_pop_free(others, X509_free);
    EVP_PKEY_free(key);
    ERR_clear_error();
}

Test(bundle, reads_pkcs12_with_its_password_only)
{
    static const struct {
        const char *name;
        const char *password;
        const char *given;
        enum ekb_err err;
    } cases[] = {
        {"right", "horse", "horse", EKB_OK},
        {"wrong", "horse", "cow", EKB_NEED_PASSWORD},
        {"missing", "horse", NULL, EKB_NEED_PASSWORD},
        {"empty for another", "horse", "", EKB_NEED_PASSWORD},
        {"empty", "", "", EKB_OK},
        {"empty, none given", "", NULL, EKB_OK},
        {"none at all", NULL, NULL, EKB_OK},
        {"not ASCII", "h\xc3\xb6rse", "h\xc3\xb6rse", EKB_OK},
        {"longer", "horse", "horses", EKB_NEED_PASSWORD},
        // One password for many files: some have none.
        {"empty, another given", "", "horse", EKB_OK},
        {"none at all, one given", NULL, "horse", EKB_OK},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_pkcs12(cases[i].password);

        if (cases[i].err == EKB_OK) {
            expect_bundle(cases[i].name, cases[i].given, 3, true);
        } else {
            fails(cases[i].name, cases[i].given, cases[i].err);
        }
    }
}

Test(bundle, is_refused_when_pkcs12_is_cut)
{
    size_t len = 0;
    write_pkcs12("horse");
    char *data = fixture_read(path, &len);
    for (size_t left = 0; left < len; left += 37) {
        char name[64];
        (void)snprintf(name, sizeof name, "cut to %zu bytes", left);
        fixture_write(path, data, left, 0600);

        fails(name, "horse", EKB_PARSE);
    }
    free(data);
}

// patch replaces the number `from` wherever it stands behind a salt in the file, as DER of four
// bytes has it, or only in its `which`th place; true if there was one.
static bool patch(uint32_t from, uint32_t to, size_t which)
{
    size_t len = 0;
    char *data = fixture_read(path, &len);
    const uint8_t old[] = {0x02, 3, (uint8_t)(from >> 16), (uint8_t)(from >> 8), (uint8_t)from};
    const uint8_t new[] = {0x02, 3, (uint8_t)(to >> 16), (uint8_t)(to >> 8), (uint8_t)to};
    bool found = false;
    for (size_t i = 0; i + sizeof old <= len && !found; i++) {
        if (memcmp(data + i, old, sizeof old) == 0 && which-- == 0) {
            memcpy(data + i, new, sizeof new);
            found = true;
        }
    }
    fixture_write(path, data, len, 0600);
    free(data);
    return found;
}

// Bombs.

static void refuses_quickly(const char *name, enum ekb_err wanted)
{
    const uint64_t begin_ns = ekb_clock_now_ns();

    fails(name, NULL, wanted);

    const double took_s = (double)(ekb_clock_now_ns() - begin_ns) / 1e9;
    cr_expect_lt(took_s, 2.0, "%s: %.1f s", name, took_s);
}

// strip_mac takes the MAC away, with which no change would be read on.
static void strip_mac(void)
{
    size_t len = 0;
    char *data = fixture_read(path, &len);
    CBS in;
    CBS content;
    CBS version;
    CBS auth_safe;
    CBB cbb;
    CBB pfx;
    uint8_t *der = NULL;
    size_t der_len = 0;
    CBS_init(&in, (const uint8_t *)data, len);
    cr_assert_eq(CBS_get_asn1(&in, &content, CBS_ASN1_SEQUENCE), 1);
    cr_assert_eq(CBS_get_asn1_element(&content, &version, CBS_ASN1_INTEGER), 1);
    cr_assert_eq(CBS_get_asn1_element(&content, &auth_safe, CBS_ASN1_SEQUENCE), 1);
    cr_assert_eq(CBB_init(&cbb, len), 1);
    cr_assert_eq(CBB_add_asn1(&cbb, &pfx, CBS_ASN1_SEQUENCE), 1);
    cr_assert_eq(CBB_add_bytes(&pfx, CBS_data(&version), CBS_len(&version)), 1);
    cr_assert_eq(CBB_add_bytes(&pfx, CBS_data(&auth_safe), CBS_len(&auth_safe)), 1);
    cr_assert_eq(CBB_finish(&cbb, &der, &der_len), 1);
    fixture_write(path, der, der_len, 0600);
    OPENSSL_free(der);
    free(data);
}

// It would be tried for as long as it takes.
Test(bundle, is_refused_quickly_when_pkcs12_has_millions_of_iterations)
{
    static const struct {
        const char *name;
        uint32_t from;
        size_t which;
    } cases[] = {
        {"the MAC", MAC_ITERATIONS, 0},
        {"the certificates", ITERATIONS, 0},
        {"the key", ITERATIONS, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_pkcs12("");
        cr_assert(patch(cases[i].from, 0x7fffff, cases[i].which), "%s", cases[i].name);
        if (cases[i].from != MAC_ITERATIONS) {
            strip_mac();
        }

        refuses_quickly(cases[i].name, EKB_TOO_BIG);
    }
}

// repeat fills the file with a text, up to the limit of what is read.
static void repeat(const char *text)
{
    const size_t len = strlen(text);
    const size_t times = EKB_CHAIN_MAX_FILE_LEN / len;
    char *data = malloc(times * len);
    cr_assert_not_null(data);
    for (size_t i = 0; i < times; i++) {
        memcpy(data + i * len, text, len);
    }
    fixture_write(path, data, times * len, 0600);
    free(data);
}

Test(bundle, is_refused_quickly_when_it_has_thousands_of_certificates)
{
    struct ekb_chain *one = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(one, pki.chain, 0), EKB_OK);
    char *text = ekb_chain_to_pem(one);
    repeat(text);

    refuses_quickly("thousands of certificates", EKB_TOO_BIG);

    free(text);
    ekb_chain_destroy(one);
}

Test(bundle, is_refused_quickly_when_it_has_thousands_of_other_blocks)
{
    static const char *const texts[] = {
        "-----BEGIN A-----\n-----END A-----\n", "-----BEGIN A-----\n", "-----BEGIN ", "-----", "\n",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        repeat(texts[i]);

        refuses_quickly(texts[i], EKB_PARSE);
    }
}

Test(bundle, is_refused_quickly_when_the_file_is_too_long)
{
    static const off_t lens[] = {(off_t)EKB_CHAIN_MAX_FILE_LEN + 1, (off_t)100 << 20};
    for (size_t i = 0; i < COUNT(lens); i++) {
        fixture_write_text(path, "");
        cr_assert_eq(truncate(path, lens[i]), 0);

        refuses_quickly("sparse", EKB_TOO_BIG);
    }
}

// Surveys.

static const char bad_base64[] = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
static const char malformed[] =
    "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
static const char endless[] = "-----BEGIN CERTIFICATE-----\nMAMC\n";
static const char with_settings[] =
    "-----BEGIN TRUSTED CERTIFICATE-----\nMAMC\n-----END TRUSTED CERTIFICATE-----\n";

// one_text returns the leaf alone as PEM.
static char *one_text(void)
{
    struct ekb_chain *one = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(one, pki.chain, 0), EKB_OK);
    char *text = ekb_chain_to_pem(one);
    ekb_chain_destroy(one);
    return text;
}

static size_t count_lines(const char *text)
{
    size_t num = 0;
    for (; *text != '\0'; text++) {
        num += *text == '\n' ? 1 : 0;
    }
    return num;
}

// What is wrong with one block hides no other, and is told with its place; where everything is
// wanted, nothing is read.
Test(bundle, surveys_what_is_good_beside_what_is_not)
{
    static const struct {
        const char *name;
        const char *bad;
        const char *what;
    } cases[] = {
        {"no base64", bad_base64, "is not base64"},
        {"malformed", malformed, "is a malformed certificate"},
        {"no end", endless, "has no end"},
        {"trust settings", with_settings, "is a TRUSTED CERTIFICATE, which is not supported"},
    };
    char *good = one_text();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_bundle bundle = {0};
        char text[16384];
        char wanted[1024];
        (void)snprintf(text, sizeof text, "some text\n%s%s%s", good, cases[i].bad, good);
        fixture_write_text(path, text);

        const enum ekb_err err = ekb_bundle_survey(&bundle, path, NULL, NULL);

        cr_assert_eq(err, EKB_OK, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_eq(ekb_chain_len(bundle.chain), 2u, "%s: %zu certificates", cases[i].name,
                     ekb_chain_len(bundle.chain));
        cr_assert_eq(bundle.num_faults, 1u, "%s: %zu faults", cases[i].name, bundle.num_faults);
        (void)snprintf(wanted, sizeof wanted, "%s: block 2, in line %zu, %s", path,
                       count_lines(good) + 2, cases[i].what);
        cr_expect_str_eq(bundle.faults[0].detail, wanted);
        cr_expect_eq(ERR_peek_error(), 0u, "%s: the library's error queue is not empty",
                     cases[i].name);
        ekb_bundle_deinit(&bundle);
        fails(cases[i].name, NULL, EKB_PARSE);
    }
    free(good);
}

// What has been decoded must not spoil the count of lines.
Test(bundle, surveys_and_counts_lines_after_many_blocks)
{
    struct ekb_bundle bundle = {0};
    char *good = one_text();
    char text[32768];
    char wanted[1024];
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", good, good, malformed, good, bad_base64);
    fixture_write_text(path, text);

    const enum ekb_err err = ekb_bundle_survey(&bundle, path, NULL, NULL);

    cr_assert_eq(err, EKB_OK);
    cr_assert_eq(bundle.num_faults, 2u);
    (void)snprintf(wanted, sizeof wanted, "%s: block 5, in line %zu, is not base64", path,
                   3 * count_lines(good) + 3 + 1);
    cr_expect_str_eq(bundle.faults[1].detail, wanted);
    ekb_bundle_deinit(&bundle);
    free(good);
}

Test(bundle, surveys_and_counts_more_faults_than_it_keeps)
{
    struct ekb_bundle bundle = {0};
    repeat(malformed);

    const enum ekb_err err = ekb_bundle_survey(&bundle, path, NULL, NULL);

    cr_assert_eq(err, EKB_OK);
    cr_expect_eq(bundle.num_faults, EKB_CHAIN_MAX_FILE_LEN / strlen(malformed), "%zu faults",
                 bundle.num_faults);
    cr_expect_eq(ekb_chain_len(bundle.chain), 0u);
    ekb_bundle_deinit(&bundle);
}

Test(bundle, surveys_as_many_certificates_as_a_file_may_have)
{
    struct ekb_bundle bundle = {0};
    char *good = one_text();
    repeat(good);

    const enum ekb_err err = ekb_bundle_survey(&bundle, path, NULL, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_eq(ekb_chain_len(bundle.chain), (size_t)EKB_CHAIN_MAX_CERTS);
    cr_assert_eq(bundle.num_faults, 1u, "%zu faults", bundle.num_faults);
    cr_expect_eq(bundle.faults[0].err, EKB_TOO_BIG);
    ekb_bundle_deinit(&bundle);
    free(good);
}

Test(bundle, surveys_other_forms_as_it_reads_them)
{
    struct ekb_bundle bundle = {0};
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    fixture_write(path, der, len, 0600);
    cr_expect_eq(ekb_bundle_survey(&bundle, path, NULL, NULL), EKB_OK);
    cr_expect_eq(ekb_chain_len(bundle.chain), 1u);
    ekb_bundle_deinit(&bundle);
    fixture_write_text(path, "no certificate\n");
    cr_expect_eq(ekb_bundle_survey(&bundle, path, NULL, NULL), EKB_PARSE);
    write_pkcs12("horse");
    cr_expect_eq(ekb_bundle_survey(&bundle, path, "dog", NULL), EKB_NEED_PASSWORD);
}

Test(bundle, is_released_when_zeroed)
{
    struct ekb_bundle bundle = {0};

    ekb_bundle_deinit(&bundle);
}
