#include "ekubench/pki/describe.h"

#include "support/fixtures.h"
#include "support/forge.h"

#include <criterion/criterion.h>
#include <openssl/asn1.h>
#include <openssl/base.h>
#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct fixture_dir dir;
static char path[512];
static X509 *x509;
static GENERAL_NAMES *names;
static EVP_PKEY *key;
static bool is_nameless; // Neither subject nor issuer.

// What the lists of the certificate described last say.
static char *names_text;
static char *usages_text;

static char *joined(enum ekb_err (*list)(struct ekb_texts *, const struct ekb_chain *, size_t),
                    const struct ekb_chain *chain)
{
    struct ekb_texts texts = {0};
    cr_assert_eq(list(&texts, chain, 0), EKB_OK);
    char *text = ekb_texts_join(&texts, ", ");
    cr_assert_not_null(text);
    ekb_texts_deinit(&texts);
    return text;
}

static void free_texts(void)
{
    free(names_text);
    free(usages_text);
    names_text = NULL;
    usages_text = NULL;
}

static void take_texts(const struct ekb_chain *chain)
{
    free_texts();
    names_text = joined(ekb_chain_names, chain);
    usages_text = joined(ekb_chain_usages, chain);
}

static void set_up(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "certificate");
    key = EVP_PKEY_new();
    cr_assert_eq(EC_KEY_generate_key(ec), 1);
    cr_assert_eq(EVP_PKEY_assign_EC_KEY(key, ec), 1);
    names = GENERAL_NAMES_new();
    x509 = X509_new();
    cr_assert_eq(X509_set_version(x509, X509_VERSION_3), 1);
    cr_assert_eq(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1), 1);
    cr_assert_not_null(ASN1_TIME_set_posix(X509_getm_notBefore(x509), FIXTURE_NOT_BEFORE));
    cr_assert_not_null(ASN1_TIME_set_posix(X509_getm_notAfter(x509), FIXTURE_NOT_AFTER));
    cr_assert_eq(X509_set_pubkey(x509, key), 1);
}

static void tear_down(void)
{
    free_texts();
    X509_free(x509);
    GENERAL_NAMES_free(names);
    EVP_PKEY_free(key);
    fixture_dir_deinit(&dir);
}

TestSuite(describe, .init = set_up, .fini = tear_down);

static void add_subject(int nid, const char *text)
{
    cr_assert_eq(X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), nid, MBSTRING_UTF8,
                                            (const uint8_t *)text, -1, -1, 0),
                 1, "%s", text);
}

static void add_name(int type, const void *data, size_t len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value =
        ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    cr_assert_eq(ASN1_STRING_set(value, data, (ossl_ssize_t)len), 1);
    GENERAL_NAME_set0_value(name, type, value);
    cr_assert_gt(sk_GENERAL_NAME_push(names, name), 0u);
}

static void add_dns(const char *text)
{
    add_name(GEN_DNS, text, strlen(text));
}

// described signs the certificate and describes it.
static struct ekb_description described(void)
{
    uint8_t *der = NULL;
    struct ekb_chain *chain = NULL;
    struct ekb_fail fail = {0};
    struct ekb_description description;
    if (!is_nameless) {
        cr_assert_eq(X509_NAME_add_entry_by_NID(X509_get_issuer_name(x509), NID_commonName,
                                                MBSTRING_ASC, (const uint8_t *)"issuer", -1, -1, 0),
                     1);
    }
    if (!is_nameless && X509_NAME_entry_count(X509_get_subject_name(x509)) == 0) {
        add_subject(NID_commonName, "subject");
    }
    if (sk_GENERAL_NAME_num(names) > 0) {
        cr_assert_eq(X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, 0), 1);
    }
    cr_assert_gt(X509_sign(x509, key, EVP_sha256()), 0);
    const int len = i2d_X509(x509, &der);
    cr_assert_gt(len, 0);
    fixture_write(path, der, (size_t)len, 0600);
    cr_assert_eq(ekb_chain_read(&chain, path, EKB_CHAIN_DER, &fail), EKB_OK, "%s", fail.detail);
    ekb_chain_describe(&description, chain, 0);
    take_texts(chain);
    ekb_chain_destroy(chain);
    OPENSSL_free(der);
    return description;
}

static bool ends_with(const char *text, const char *ending)
{
    const size_t len = strlen(text);
    return len >= strlen(ending) && strcmp(text + len - strlen(ending), ending) == 0;
}

static void expect_plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        cr_expect(*c >= ' ' && *c < 0x7f, "byte %02x in \"%s\"", (unsigned char)*c, text);
    }
}

Test(describe, says_what_the_library_says)
{
    struct fixture_pki pki;
    struct ekb_description description;
    size_t len = 0;
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P384, .depth = 2, .eku = EKB_EKU_CLIENT_AUTH};
    fixture_pki_init(&pki, &spec);
    const uint8_t *der = ekb_chain_der(pki.chain, 0, &len);
    X509 *ours = d2i_X509(NULL, &der, (long)len);

    ekb_chain_describe(&description, pki.chain, 0);
    take_texts(pki.chain);

    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(ours), NULL);
    char *hex = BN_bn2hex(serial);
    cr_expect_str_eq(description.serial, hex, "%s", description.serial);
    cr_expect_str_eq(description.subject, "CN=test.example", "%s", description.subject);
    cr_expect_str_eq(description.issuer, "CN=test intermediate 1,O=ekubench", "%s",
                     description.issuer);
    cr_expect_str_eq(names_text, "DNS:test.example, DNS:localhost, IP:127.0.0.1, IP:::1", "%s",
                     names_text);
    cr_expect_eq(description.eku, (unsigned)EKB_EKU_CLIENT_AUTH);
    cr_expect_eq(description.key_kind, EKB_KEY_KIND_P384);
    cr_expect_eq(description.key_bits, 384u);
    cr_expect_eq(description.not_before, FIXTURE_NOT_BEFORE);
    cr_expect_eq(description.not_after, FIXTURE_NOT_AFTER);
    cr_expect(!description.is_ca && !description.may_sign_certs && !description.is_self_signed);
    OPENSSL_free(hex);
    BN_free(serial);
    X509_free(ours);
    fixture_pki_deinit(&pki);
}

Test(describe, knows_a_root)
{
    struct fixture_pki pki;
    struct ekb_description description;
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_ED25519, .depth = 1};
    fixture_pki_init(&pki, &spec);

    ekb_chain_describe(&description, fixture_pki_root(&pki), 0);
    take_texts(fixture_pki_root(&pki));

    cr_expect(description.is_ca && description.may_sign_certs && description.is_self_signed);
    cr_expect_str_eq(names_text, "");
    cr_expect_eq(description.key_kind, EKB_KEY_KIND_ED25519);
    fixture_pki_deinit(&pki);
}

// A name alone is no signature: two roots of one name, of which one has signed.
Test(describe, tells_a_namesake_from_an_issuer)
{
    static const struct forgery ca = {
        .subject = "ca", .issuer = "ca", .basic_constraints = "critical,CA:TRUE"};
    static const struct forgery leaf_of_ca = {.subject = "leaf", .issuer = "ca"};
    static const struct forgery leaf_of_other = {.subject = "leaf", .issuer = "other"};
    EVP_PKEY *ca_key = forge_key();
    EVP_PKEY *other_key = forge_key();
    struct ekb_chain *issuer = forge(&ca, ca_key, ca_key);
    struct ekb_chain *namesake = forge(&ca, other_key, other_key);
    struct ekb_chain *leaf = forge(&leaf_of_ca, other_key, ca_key);
    struct ekb_chain *other = forge(&leaf_of_other, other_key, ca_key);

    cr_expect(ekb_chain_is_named_by(leaf, 0, issuer, 0));
    cr_expect(ekb_chain_is_issued_by(leaf, 0, issuer, 0));
    cr_expect(ekb_chain_is_named_by(leaf, 0, namesake, 0));
    cr_expect_not(ekb_chain_is_issued_by(leaf, 0, namesake, 0));
    cr_expect_not(ekb_chain_is_named_by(other, 0, issuer, 0));
    cr_expect_not(ekb_chain_is_issued_by(other, 0, issuer, 0));
    ekb_chain_destroy(other);
    ekb_chain_destroy(leaf);
    ekb_chain_destroy(namesake);
    ekb_chain_destroy(issuer);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(ca_key);
}

Test(describe, names_kinds_of_keys)
{
    static const struct {
        enum ekb_key_kind kind;
        unsigned bits;
        const char *text;
    } cases[] = {
        {EKB_KEY_KIND_RSA, 2048, "RSA 2048"},   {EKB_KEY_KIND_P256, 256, "EC P-256"},
        {EKB_KEY_KIND_P384, 384, "EC P-384"},   {EKB_KEY_KIND_P521, 521, "EC P-521"},
        {EKB_KEY_KIND_ED25519, 256, "Ed25519"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[EKB_KEY_KIND_TEXT_LEN];

        (void)ekb_key_kind_format(text, cases[i].kind, cases[i].bits);

        cr_expect_str_eq(text, cases[i].text, "\"%s\"", text);
    }
}

Test(describe, escapes_what_is_not_printable_in_a_subject)
{
    add_subject(NID_commonName, "a\x1b[31m\nb, c");

    const struct ekb_description description = described();

    expect_plain(description.subject);
    cr_expect_not_null(strstr(description.subject, "\\, c"), "%s", description.subject);
}

// What is outside of ASCII is written as it is, but for what is not seen, or turns round or breaks
// what is beside it.
Test(describe, writes_letters_of_all_languages_in_a_subject)
{
    static const struct {
        const char *name;
        const char *text;
    } cases[] = {
        {"b\xc3\xbc"
         "cher",
         "CN=b\xc3\xbc"
         "cher"},
        {"\xd0\x96\xe6\xbc\xa2\xf0\x9f\x98\x80", "CN=\xd0\x96\xe6\xbc\xa2\xf0\x9f\x98\x80"},
        {"\xc3\xbc, \\C3\"", "CN=\xc3\xbc\\, \\\\C3\\\""},
        {"a\x7f", "CN=a\\7F"},
        {"a\xc2\x80\xc2\x9f", "CN=a\\C2\\80\\C2\\9F"},
        {"a\xc2\xa1", "CN=a\xc2\xa1"},
        {"a\xe2\x80\x8e\xe2\x80\x8f", "CN=a\\E2\\80\\8E\\E2\\80\\8F"},
        {"a\xe2\x80\xa8\xe2\x80\xa9", "CN=a\\E2\\80\\A8\\E2\\80\\A9"},
        {"a\xe2\x80\xaa\xe2\x80\xae", "CN=a\\E2\\80\\AA\\E2\\80\\AE"},
        {"a\xe2\x81\xa6\xe2\x81\xa9", "CN=a\\E2\\81\\A6\\E2\\81\\A9"},
        {"a\xee\x80\x80\xef\xbb\xbf", "CN=a\\EE\\80\\80\\EF\\BB\\BF"},
        {"a\xf4\x80\x80\x80", "CN=a\\F4\\80\\80\\80"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        X509_NAME *name = X509_NAME_new();
        cr_assert_eq(X509_set_subject_name(x509, name), 1);
        X509_NAME_free(name);
        add_subject(NID_commonName, cases[i].name);

        const struct ekb_description description = described();

        cr_expect_str_eq(description.subject, cases[i].text, "%zu: %s", i, description.subject);
    }
}

// The text must be UTF-8 wherever it is cut, and an escape whole.
Test(describe, cuts_a_long_subject_between_characters)
{
    static const char *const characters[] = {"\xc3\xbc", "\xe6\xbc\xa2", "\xf0\x9f\x98\x80",
                                             "\n",       "\xe2\x80\xae", ","};
    static const char *const written[] = {"\xc3\xbc", "\xe6\xbc\xa2", "\xf0\x9f\x98\x80",
                                          "\\0A",     "\\E2\\80\\AE", "\\,"};
    for (size_t i = 0; i < COUNT(characters); i++) {
        for (size_t before = 0; before < 12; before++) {
            char text[65] = "";
            X509_NAME *name = X509_NAME_new();
            cr_assert_eq(X509_set_subject_name(x509, name), 1);
            X509_NAME_free(name);
            memset(text, 'x', before);
            add_subject(NID_organizationName, before > 0 ? text : "x");
            const size_t len_one = strlen(characters[i]);
            size_t text_len = 0;
            for (; text_len + len_one <= 64; text_len += len_one) {
                memcpy(text + text_len, characters[i], len_one);
            }
            text[text_len] = '\0';
            for (int j = 0; j < 8; j++) {
                add_subject(NID_organizationalUnitName, text);
            }

            const struct ekb_description description = described();

            const size_t len = strlen(description.subject);
            const size_t one = strlen(written[i]);
            cr_expect(ends_with(description.subject, "..."), "%zu: %s", i, description.subject);
            cr_expect_gt(len + one + 1, sizeof description.subject - 1, "%zu: %zu", i, len);
            const char *end = description.subject + len - 3;
            cr_expect(strncmp(end - one, written[i], one) == 0 || end[-1] == '=' ||
                          end[-1] == 'U' || end[-1] == 'O' || (end[-1] == ',' && end[-2] != '\\'),
                      "%zu, %zu: %s", i, before, description.subject);
        }
    }
}

Test(describe, escapes_what_is_not_printable_in_a_name)
{
    static const char odd[] = "a\n\x1b[31m, DNS:b\\\xc3";
    static const char with_zero[] = "good.example\0.evil.example";
    add_name(GEN_DNS, odd, sizeof odd - 1);
    add_name(GEN_DNS, with_zero, sizeof with_zero - 1);

    (void)described();

    expect_plain(names_text);
    cr_expect_str_eq(names_text,
                     "DNS:a\\0A\\1B[31m\\2C\\20DNS:b\\5C\\C3, DNS:good.example\\00.evil.example",
                     "%s", names_text);
}

// As in certificates whose names are all in subjectAltName.
Test(describe, writes_nothing_when_there_is_no_subject)
{
    is_nameless = true;
    add_dns("host.example");

    const struct ekb_description description = described();

    cr_expect_str_eq(description.subject, "", "%s", description.subject);
    cr_expect_str_eq(description.issuer, "", "%s", description.issuer);
    cr_expect_str_eq(names_text, "DNS:host.example", "%s", names_text);
}

Test(describe, writes_names_of_each_kind)
{
    static const uint8_t v4[] = {192, 0, 2, 1};
    static const uint8_t v6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static const uint8_t neither[] = {1, 2, 3, 4, 5};
    add_name(GEN_IPADD, v4, sizeof v4);
    add_name(GEN_IPADD, v6, sizeof v6);
    add_name(GEN_IPADD, neither, sizeof neither);
    add_name(GEN_EMAIL, "a@b.example", 11);
    add_name(GEN_URI, "sip:a@b.example", 15);

    (void)described();

    cr_expect_str_eq(names_text,
                     "IP:192.0.2.1, IP:2001:db8::1, IP:?, email:a@b.example, URI:sip:a@b.example",
                     "%s", names_text);
}

Test(describe, writes_names_of_other_types_with_their_type)
{
    const uint8_t upn[] = "user@b.example";
    GENERAL_NAME *other = GENERAL_NAME_new();
    ASN1_TYPE *value = ASN1_TYPE_new();
    ASN1_STRING *text = ASN1_STRING_type_new(V_ASN1_UTF8STRING);
    cr_assert_eq(ASN1_STRING_set(text, upn, sizeof upn - 1), 1);
    ASN1_TYPE_set(value, V_ASN1_UTF8STRING, text);
    cr_assert_eq(
        GENERAL_NAME_set0_othername(other, OBJ_txt2obj("1.3.6.1.4.1.311.20.2.3", 1), value), 1);
    cr_assert_gt(sk_GENERAL_NAME_push(names, other), 0u);
    GENERAL_NAME *directory = GENERAL_NAME_new();
    X509_NAME *name = X509_NAME_new();
    cr_assert_eq(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                            (const uint8_t *)"x", -1, -1, 0),
                 1);
    GENERAL_NAME_set0_value(directory, GEN_DIRNAME, name);
    cr_assert_gt(sk_GENERAL_NAME_push(names, directory), 0u);
    GENERAL_NAME *registered = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(registered, GEN_RID, OBJ_txt2obj("1.2.3.4", 1));
    cr_assert_gt(sk_GENERAL_NAME_push(names, registered), 0u);

    (void)described();

    cr_expect_str_eq(names_text,
                     "otherName:1.3.6.1.4.1.311.20.2.3=user@b.example, dirName:CN=x, RID:1.2.3.4",
                     "%s", names_text);
}

Test(describe, writes_all_names_each_whole)
{
    char long_name[301];
    char name[64];
    size_t len = 0;
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    add_name(GEN_URI, long_name, sizeof long_name - 1);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "host-%03d.example.", i);
        add_dns(name);
    }

    (void)described();

    cr_expect_eq(strncmp(names_text + 4, long_name, sizeof long_name - 1), 0, "%.400s", names_text);
    for (const char *c = names_text; *c != '\0'; c++) {
        len += *c == ',';
    }
    cr_expect_eq(len, 1000u, "%zu commas", len);
    cr_expect(ends_with(names_text, ", DNS:host-999.example."));
}

Test(describe, names_usages_it_knows_and_numbers_the_others)
{
    static const struct {
        const char *name;
        const char *oids[8];
        const char *text;
    } cases[] = {
        {"absent", {NULL}, ""},
        {"known",
         {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.3", "1.3.6.1.5.5.7.3.4",
          "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"},
         "serverAuth, clientAuth, codeSigning, emailProtection, timeStamping, OCSPSigning"},
        {"unknown",
         {"2.5.29.37.0", "1.3.6.1.4.1.99999.1", "2.5.4.3"},
         "any, 1.3.6.1.4.1.99999.1, 2.5.4.3"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        EXTENDED_KEY_USAGE *list = EXTENDED_KEY_USAGE_new();
        for (size_t j = 0; j < COUNT(cases[i].oids) && cases[i].oids[j] != NULL; j++) {
            cr_assert_gt(sk_ASN1_OBJECT_push(list, OBJ_txt2obj(cases[i].oids[j], 1)), 0u);
        }
        if (sk_ASN1_OBJECT_num(list) > 0) {
            cr_assert_eq(X509_add1_ext_i2d(x509, NID_ext_key_usage, list, 0, X509V3_ADD_REPLACE),
                         1);
        }

        (void)described();

        cr_expect_str_eq(usages_text, cases[i].text, "%s: %s", cases[i].name, usages_text);
        EXTENDED_KEY_USAGE_free(list);
    }
}

Test(describe, says_that_a_list_is_malformed)
{
    static const uint8_t junk[] = {0x04, 0x01, 0x00};
    static const int nids[] = {NID_subject_alt_name, NID_ext_key_usage};
    for (size_t i = 0; i < COUNT(nids); i++) {
        ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
        cr_assert_eq(ASN1_OCTET_STRING_set(data, junk, sizeof junk), 1);
        X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nids[i], 0, data);
        cr_assert_eq(X509_add_ext(x509, extension, -1), 1);
        X509_EXTENSION_free(extension);
        ASN1_OCTET_STRING_free(data);
    }

    (void)described();

    cr_expect_str_eq(names_text, "malformed", "%s", names_text);
    cr_expect_str_eq(usages_text, "malformed", "%s", usages_text);
}

Test(describe, cuts_a_long_subject_with_dots_at_its_end)
{
    char name[65];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    add_subject(NID_commonName, name);
    for (int i = 0; i < 5; i++) {
        add_subject(NID_organizationalUnitName, name);
    }

    const struct ekb_description description = described();

    cr_expect_eq(strlen(description.subject), sizeof description.subject - 1);
    cr_expect(ends_with(description.subject, "..."), "%s", description.subject);
}

Test(describe, writes_serial_numbers_of_any_length)
{
    static const struct {
        const char *name;
        size_t len; // In bytes.
        bool cut;
    } cases[] = {{"one", 1, false}, {"twenty", 20, false}, {"forty", 40, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t bytes[64];
        memset(bytes, 0x5a, sizeof bytes);
        BIGNUM *number = BN_bin2bn(bytes, cases[i].len, NULL);
        cr_assert_not_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)));

        const struct ekb_description description = described();

        char *hex = BN_bn2hex(number);
        if (cases[i].cut) {
            cr_expect(ends_with(description.serial, "..."), "%s: %s", cases[i].name,
                      description.serial);
        } else {
            cr_expect_str_eq(description.serial, hex, "%s: %s", cases[i].name, description.serial);
        }
        OPENSSL_free(hex);
        BN_free(number);
    }
}

// A DSA key whose parameters are its issuer's (RFC 3279 section 2.3.2) has no size of its own.
Test(describe, a_key_without_its_parameters)
{
    DSA *dsa = DSA_new();
    EVP_PKEY *bare = EVP_PKEY_new();
    BIGNUM *number = BN_new();
    cr_assert_eq(BN_set_word(number, 12345), 1);
    cr_assert_eq(DSA_set0_key(dsa, number, NULL), 1);
    cr_assert_eq(EVP_PKEY_assign_DSA(bare, dsa), 1);
    cr_assert_eq(X509_set_pubkey(x509, bare), 1);

    const struct ekb_description description = described();

    cr_expect_eq(description.key_kind, EKB_KEY_KIND_OTHER);
    cr_expect_eq(description.key_bits, 0u);
    EVP_PKEY_free(bare);
}
