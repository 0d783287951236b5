#include "ekubench/pki/csr.h"

#include "ekubench/pki/cert.h"
#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <openssl/base.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct ekb_key *key;

static void set_up(void)
{
    cr_assert_eq(ekb_key_generate(&key, EKB_KEY_P256, NULL), EKB_OK);
}

static void tear_down(void)
{
    ekb_key_destroy(key);
}

TestSuite(csr, .init = set_up, .fini = tear_down);

static const char *const dns_names[] = {"host.example", "*.example"};
static const char *const ip_addresses[] = {"192.0.2.1", "2001:db8::1"};

static char *created(const struct ekb_csr_spec *spec)
{
    char *pem = NULL;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_csr_create(&pem, key, spec, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return pem;
}

static X509_REQ *parsed(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    cr_assert_not_null(request, "%s", pem);
    return request;
}

Test(csr, says_what_it_asks_for)
{
    const struct ekb_csr_spec spec = {.common_name = "host.example",
                                      .organization = "Example, Inc.",
                                      .eku = EKB_EKU_SERVER_AUTH,
                                      .dns_names = dns_names,
                                      .num_dns_names = 2,
                                      .ip_addresses = ip_addresses,
                                      .num_ip_addresses = 2};
    struct ekb_csr_description description;
    char *pem = created(&spec);

    const enum ekb_err err = ekb_csr_describe(&description, pem, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_str_eq(description.subject, "CN=host.example,O=Example\\, Inc.", "%s",
                     description.subject);
    char *names = ekb_texts_join(&description.names, ", ");
    cr_expect_str_eq(names, "DNS:host.example, DNS:*.example, IP:192.0.2.1, IP:2001:db8::1", "%s",
                     names);
    free(names);
    ekb_csr_description_deinit(&description);
    free(pem);
}

Test(csr, is_signed_with_its_key_whatever_the_kind)
{
    const struct ekb_csr_spec spec = {.common_name = "x"};
    for (unsigned type = 0; type < EKB_KEY_NUM_TYPES; type++) {
        ekb_key_destroy(key);
        key = NULL;
        cr_assert_eq(ekb_key_generate(&key, (enum ekb_key_type)type, NULL), EKB_OK);

        char *pem = created(&spec);

        X509_REQ *request = parsed(pem);
        EVP_PKEY *public_key = X509_REQ_get_pubkey(request);
        cr_expect_eq(X509_REQ_verify(request, public_key), 1, "%s",
                     ekb_key_type_name((enum ekb_key_type)type));
        EVP_PKEY_free(public_key);
        X509_REQ_free(request);
        free(pem);
    }
}

Test(csr, asks_for_the_usages_and_for_none_when_absent)
{
    static const struct {
        const char *name;
        unsigned eku;
        size_t num_usages;
    } cases[] = {
        {"absent", EKB_EKU_ABSENT, 0},
        {"serverAuth", EKB_EKU_SERVER_AUTH, 1},
        {"both", EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ekb_csr_spec spec = {.common_name = "x", .eku = cases[i].eku};
        char *pem = created(&spec);

        X509_REQ *request = parsed(pem);
        STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
        EXTENDED_KEY_USAGE *usages = X509V3_get_d2i(extensions, NID_ext_key_usage, NULL, NULL);

        const size_t num_usages = usages != NULL ? sk_ASN1_OBJECT_num(usages) : 0;
        cr_expect_eq(num_usages, cases[i].num_usages, "%s: %zu", cases[i].name, num_usages);
        EXTENDED_KEY_USAGE_free(usages);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        X509_REQ_free(request);
        free(pem);
    }
}

Test(csr, is_refused_when_a_name_is_malformed)
{
    static const char long_label[] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    static const struct {
        const char *name;
        const char *common_name;
        const char *organization;
        const char *dns;
        const char *ip;
    } cases[] = {
        {"no common name", "", NULL, NULL, NULL},
        {"common name too long", long_label, NULL, NULL, NULL},
        {"common name not UTF-8", "\xff\xfe", NULL, NULL, NULL},
        {"organization empty", "x", "", NULL, NULL},
        {"organization not UTF-8", "x", "\xff", NULL, NULL},
        {"DNS name empty", "x", NULL, "", NULL},
        {"DNS name with a blank", "x", NULL, "a b", NULL},
        {"DNS name with a line end", "x", NULL, "a\nb", NULL},
        {"DNS name not ASCII", "x", NULL, "h\xc3\xb6st.example", NULL},
        {"DNS name with an empty label", "x", NULL, "a..b", NULL},
        {"DNS name with a wildcard inside", "x", NULL, "a.*.example", NULL},
        {"address of three", "x", NULL, NULL, "192.0.2"},
        {"address with a mask", "x", NULL, NULL, "192.0.2.0/24"},
        {"address empty", "x", NULL, NULL, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ekb_csr_spec spec = {.common_name = cases[i].common_name,
                                          .organization = cases[i].organization,
                                          .dns_names = &cases[i].dns,
                                          .num_dns_names = cases[i].dns != NULL ? 1 : 0,
                                          .ip_addresses = &cases[i].ip,
                                          .num_ip_addresses = cases[i].ip != NULL ? 1 : 0};
        char *pem = NULL;

        const enum ekb_err err = ekb_csr_create(&pem, key, &spec, NULL);

        cr_expect_eq(err, EKB_USAGE, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_null(pem, "%s", cases[i].name);
        cr_expect_eq(ERR_peek_error(), 0u, "%s: the library's error queue", cases[i].name);
        free(pem);
    }
}

Test(csr, is_not_described_when_it_is_something_else_or_its_signature_is_bad)
{
    const struct ekb_csr_spec spec = {.common_name = "x"};
    char *bad = created(&spec);
    char *end = strstr(bad, "-----END");
    cr_assert_not_null(end);
    char *last = end - 8; // In the signature.
    *last = (char)(*last == 'A' ? 'B' : 'A');
    const char *const texts[] = {
        "", "hello", "-----BEGIN CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", bad};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct ekb_csr_description description;

        const enum ekb_err err = ekb_csr_describe(&description, texts[i], NULL);

        cr_expect_eq(err, EKB_PARSE, "%zu: %s", i, ekb_err_name(err));
        cr_expect_eq(ERR_peek_error(), 0u, "%zu: the library's error queue", i);
    }
    free(bad);
}
