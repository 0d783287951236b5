#include "support/forge.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

EVP_PKEY *forge_key(void)
{
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    cr_assert_eq(EC_KEY_generate_key(ec), 1);
    cr_assert_eq(EVP_PKEY_assign_EC_KEY(key, ec), 1);
    return key;
}

static void extend(X509 *x509, int nid, const char *value)
{
    if (value != NULL) {
        X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);
        cr_assert_not_null(extension, "%s", value);
        cr_assert_eq(X509_add_ext(x509, extension, -1), 1);
        X509_EXTENSION_free(extension);
    }
}

static void name_it(X509_NAME *name, int nid, const char *text)
{
    if (text != NULL) {
        cr_assert_eq(
            X509_NAME_add_entry_by_NID(name, nid, MBSTRING_ASC, (const uint8_t *)text, -1, -1, 0),
            1);
    }
}

static void date(ASN1_TIME *at, int64_t wanted, int64_t usual)
{
    cr_assert_not_null(ASN1_TIME_set_posix(at, wanted != 0 ? wanted : usual));
}

static struct ekb_chain *chain_of(X509 *x509)
{
    struct ekb_chain *chain = NULL;
    struct ekb_fail fail = {0};
    struct fixture_dir dir;
    char path[512];
    uint8_t *der = NULL;
    const int len = i2d_X509(x509, &der);
    cr_assert_gt(len, 0);
    fixture_dir_init(&dir);
    fixture_write(fixture_dir_file(path, &dir, "forged.der"), der, (size_t)len, 0600);
    cr_assert_eq(ekb_chain_read(&chain, path, EKB_CHAIN_DER, &fail), EKB_OK, "%s", fail.detail);
    fixture_dir_deinit(&dir);
    OPENSSL_free(der);
    return chain;
}

struct ekb_chain *forge(const struct forgery *forgery, EVP_PKEY *key, EVP_PKEY *issuer_key)
{
    static long num_forged;
    X509 *x509 = X509_new();
    X509_NAME *issuer = X509_NAME_new();
    const EVP_MD *digest = EVP_PKEY_id(issuer_key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    name_it(issuer, NID_commonName, forgery->issuer);
    name_it(X509_get_subject_name(x509), NID_commonName, forgery->subject);
    name_it(X509_get_subject_name(x509), NID_pkcs9_emailAddress, forgery->email);
    cr_assert_eq(X509_set_version(x509, forgery->is_v1 ? X509_VERSION_1 : X509_VERSION_3), 1);
    cr_assert_eq(ASN1_INTEGER_set(X509_get_serialNumber(x509),
                                  forgery->serial != 0 ? forgery->serial : ++num_forged),
                 1);
    cr_assert_eq(X509_set_issuer_name(x509, issuer), 1);
    date(X509_getm_notBefore(x509), forgery->not_before, FIXTURE_NOT_BEFORE);
    date(X509_getm_notAfter(x509), forgery->not_after, FIXTURE_NOT_AFTER);
    cr_assert_eq(X509_set_pubkey(x509, key), 1);
    extend(x509, NID_basic_constraints, forgery->basic_constraints);
    extend(x509, NID_key_usage, forgery->key_usage);
    extend(x509, NID_ext_key_usage, forgery->eku);
    extend(x509, NID_subject_alt_name, forgery->names);
    extend(x509, NID_name_constraints, forgery->name_constraints);
    cr_assert_gt(X509_sign(x509, issuer_key, digest), 0);
    struct ekb_chain *chain = chain_of(x509);
    X509_NAME_free(issuer);
    X509_free(x509);
    return chain;
}
