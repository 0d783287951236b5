#include "ekubench/pki/cert.h"

#include "ekubench/base/file.h"
#include "pki/pki_internal.h"

#include <openssl/asn1.h>
#include <openssl/base.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/pool.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CERTIFICATE_LABEL "CERTIFICATE"
#define TRUSTED_LABEL "TRUSTED CERTIFICATE"

// Lifecycle.

struct ekb_chain *ekb_chain_create(void)
{
    return calloc(1, sizeof(struct ekb_chain));
}

static void certificate_deinit(struct ekb_certificate *certificate)
{
    X509_free(certificate->x509);
    CRYPTO_BUFFER_free(certificate->der);
}

void ekb_chain_destroy(struct ekb_chain *chain)
{
    if (chain == NULL) {
        return;
    }
    for (size_t i = 0; i < chain->len; i++) {
        certificate_deinit(&chain->certificates[i]);
    }
    free(chain->certificates);
    free(chain);
}

// Building.

// push appends `certificate` and takes ownership of it; on EKB_NOMEM it does neither.
static enum ekb_err push(struct ekb_chain *chain, const struct ekb_certificate *certificate)
{
    if (chain->len == chain->capacity) {
        const size_t capacity = chain->capacity == 0 ? 4 : 2 * chain->capacity;
        struct ekb_certificate *grown =
            reallocarray(chain->certificates, capacity, sizeof *certificate);
        if (grown == NULL) {
            return EKB_NOMEM;
        }
        chain->certificates = grown;
        chain->capacity = capacity;
    }
    chain->certificates[chain->len++] = *certificate;
    return EKB_OK;
}

enum ekb_err ekb_chain_append_der(struct ekb_chain *chain, const uint8_t *der, size_t der_len)
{
    struct ekb_certificate certificate = {0};
    enum ekb_err err = EKB_NOMEM;

    certificate.der = CRYPTO_BUFFER_new(der, der_len, NULL);
    if (certificate.der != NULL) {
        certificate.x509 = X509_parse_from_buffer(certificate.der);
        err = certificate.x509 != NULL ? push(chain, &certificate) : EKB_PARSE;
    }
    if (err != EKB_OK) {
        certificate_deinit(&certificate);
    }
    return err;
}

enum ekb_err ekb_chain_append(struct ekb_chain *chain, const struct ekb_chain *from, size_t index)
{
    assert(index < from->len);
    struct ekb_certificate certificate = from->certificates[index];

    const enum ekb_err err = push(chain, &certificate);
    if (err == EKB_OK) {
        X509_up_ref(certificate.x509);
        CRYPTO_BUFFER_up_ref(certificate.der);
    }
    return err;
}

// Reading and writing.

// append_trusted appends a certificate that trust settings follow (OpenSSL's X509_AUX).
static enum ekb_err append_trusted(struct ekb_chain *chain, const uint8_t *der, size_t der_len)
{
    struct ekb_certificate certificate = {0};
    const uint8_t *end = der;
    uint8_t *plain = NULL;
    enum ekb_err err = EKB_PARSE;

    certificate.x509 = d2i_X509_AUX(NULL, &end, (long)der_len);
    if (certificate.x509 != NULL && end == der + der_len) {
        const int plain_len = i2d_X509(certificate.x509, &plain);
        certificate.der = plain_len > 0 ? CRYPTO_BUFFER_new(plain, (size_t)plain_len, NULL) : NULL;
        err = certificate.der != NULL ? push(chain, &certificate) : EKB_NOMEM;
    }
    OPENSSL_free(plain);
    if (err != EKB_OK) {
        certificate_deinit(&certificate);
    }
    return err;
}

// append_block appends the certificate of `block`, a part of the file `path`.
static enum ekb_err append_block(struct ekb_chain *chain, struct ekb_pem_block *block,
                                 const char *path, struct ekb_fail *reterr_fail)
{
    const bool trusted = ekb_pem_label_is(block, TRUSTED_LABEL);
    uint8_t *der = NULL;
    size_t der_len = 0;

    if (chain->len == EKB_CHAIN_MAX_CERTS) {
        return ekb_fail_say(reterr_fail, EKB_TOO_BIG, "%s holds more than %d certificates", path,
                            EKB_CHAIN_MAX_CERTS);
    }
    enum ekb_err err = ekb_pem_decode(&der, &der_len, block);
    if (err == EKB_PARSE) {
        return ekb_fail_say(reterr_fail, err, "%s: certificate %zu is not base64", path,
                            chain->len + 1);
    }
    if (err == EKB_OK) {
        err = trusted ? append_trusted(chain, der, der_len)
                      : ekb_chain_append_der(chain, der, der_len);
        ekb_file_free_secret(der, der_len);
    }
    if (err == EKB_PARSE) {
        return ekb_fail_say(reterr_fail, err, "%s: certificate %zu is malformed (%s)", path,
                            chain->len + 1, ekb_pki_take_reason());
    }
    return err == EKB_OK ? EKB_OK : ekb_fail_set(reterr_fail, err, 0, "%s", path);
}

// append_text appends the certificates of the PEM text `text`, after which there is a zero.
static enum ekb_err append_text(struct ekb_chain *chain, uint8_t *text, size_t text_len,
                                unsigned accept, const char *path, struct ekb_fail *reterr_fail)
{
    struct ekb_pem_reader reader = {.next = text, .remaining_len = text_len};
    struct ekb_pem_block block = {0};
    enum ekb_err err = EKB_OK;

    while ((err = ekb_pem_next(&block, &reader)) == EKB_OK) {
        // OpenSSL's form, which carries trust settings after the certificate. To skip it would lose
        // a certificate in silence, to read it would lose the settings.
        const bool trusted = ekb_pem_label_is(&block, TRUSTED_LABEL);
        if (trusted && (accept & EKB_CHAIN_TRUST_SETTINGS) == 0) {
            return ekb_fail_say(
                reterr_fail, EKB_PARSE,
                "%s: certificate %zu is a TRUSTED CERTIFICATE, which is not supported", path,
                chain->len + 1);
        }
        if (!trusted && !ekb_pem_label_is(&block, CERTIFICATE_LABEL) &&
            !ekb_pem_label_is(&block, "X509 " CERTIFICATE_LABEL)) {
            continue;
        }
        err = append_block(chain, &block, path, reterr_fail);
        if (err != EKB_OK) {
            return err;
        }
    }
    if (err != EKB_NOT_FOUND) {
        return ekb_fail_say(reterr_fail, err, "%s: a PEM block has no end", path);
    }
    const bool meant =
        (accept & EKB_CHAIN_EMPTY) != 0 && strcmp((const char *)text, EKB_CHAIN_EMPTY_TEXT) == 0;
    if (chain->len == 0 && !meant) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s holds no certificate", path);
    }
    return EKB_OK;
}

static enum ekb_err append_file(struct ekb_chain *chain, uint8_t *data, size_t data_len,
                                unsigned accept, const char *path, struct ekb_fail *reterr_fail)
{
    if ((accept & EKB_CHAIN_DER) == 0 || !ekb_pki_is_der(data, data_len)) {
        return append_text(chain, data, data_len, accept, path, reterr_fail);
    }
    const enum ekb_err err = ekb_chain_append_der(chain, data, data_len);
    if (err == EKB_PARSE) {
        return ekb_fail_say(reterr_fail, err, "%s: the certificate is malformed (%s)", path,
                            ekb_pki_take_reason());
    }
    return err == EKB_OK ? EKB_OK : ekb_fail_set(reterr_fail, err, 0, "%s", path);
}

enum ekb_err ekb_chain_read_pem(struct ekb_chain **out_chain, const char *path,
                                struct ekb_fail *reterr_fail)
{
    return ekb_chain_read(out_chain, path, 0, reterr_fail);
}

enum ekb_err ekb_chain_read(struct ekb_chain **out_chain, const char *path, unsigned accept,
                            struct ekb_fail *reterr_fail)
{
    struct ekb_chain *chain = NULL;
    uint8_t *text = NULL;
    size_t text_len = 0;

    enum ekb_err err = ekb_file_read(&text, &text_len, path, EKB_CHAIN_MAX_FILE_LEN, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    chain = ekb_chain_create();
    if (chain == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
        goto out;
    }
    err = append_file(chain, text, text_len, accept, path, reterr_fail);
    if (err == EKB_OK) {
        *out_chain = chain;
        chain = NULL;
    }
out:
    ekb_chain_destroy(chain);
    // The file may hold a key beside the certificates.
    ekb_file_free_secret(text, text_len);
    return err;
}

char *ekb_chain_to_pem(const struct ekb_chain *chain)
{
    size_t max_len = 1;
    size_t text_len = 0;
    size_t der_len = 0;

    for (size_t i = 0; i < chain->len; i++) {
        (void)ekb_chain_der(chain, i, &der_len);
        max_len += ekb_pem_encoded_len(CERTIFICATE_LABEL, der_len);
    }
    uint8_t *text = calloc(max_len, 1);
    for (size_t i = 0; text != NULL && i < chain->len; i++) {
        const uint8_t *der = ekb_chain_der(chain, i, &der_len);
        text_len += ekb_pem_encode(text + text_len, CERTIFICATE_LABEL, der, der_len);
    }
    return (char *)text;
}

enum ekb_err ekb_chain_write_pem(const struct ekb_chain *chain, const char *path,
                                 struct ekb_fail *reterr_fail)
{
    if (chain->len == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s: there is no certificate to write",
                            path);
    }
    char *text = ekb_chain_to_pem(chain);
    if (text == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    const enum ekb_err err = ekb_file_write_atomic(path, text, strlen(text), 0644, reterr_fail);
    free(text);
    return err;
}

// Inspection.

size_t ekb_chain_len(const struct ekb_chain *chain)
{
    return chain->len;
}

X509 *ekb_chain_x509(const struct ekb_chain *chain, size_t index)
{
    assert(index < chain->len);
    return chain->certificates[index].x509;
}

CRYPTO_BUFFER *ekb_chain_buffer(const struct ekb_chain *chain, size_t index)
{
    assert(index < chain->len);
    return chain->certificates[index].der;
}

const uint8_t *ekb_chain_der(const struct ekb_chain *chain, size_t index, size_t *out_len)
{
    const CRYPTO_BUFFER *der = ekb_chain_buffer(chain, index);
    *out_len = CRYPTO_BUFFER_len(der);
    return CRYPTO_BUFFER_data(der);
}

bool ekb_chain_matches_key(const struct ekb_chain *chain, const struct ekb_key *key)
{
    if (chain->len == 0) {
        return false;
    }
    const bool matches = X509_check_private_key(ekb_chain_x509(chain, 0), ekb_key_pkey(key)) == 1;
    ERR_clear_error();
    return matches;
}

// Extended key usages.

const struct ekb_usage ekb_usages[EKB_NUM_USAGES] = {
    {"serverAuth", "server", EKB_EKU_SERVER_AUTH, NID_server_auth},
    {"clientAuth", "client", EKB_EKU_CLIENT_AUTH, NID_client_auth},
    {"codeSigning", "codeSigning", EKB_EKU_CODE_SIGNING, NID_code_sign},
    {"any", "any", EKB_EKU_ANY, NID_anyExtendedKeyUsage},
};

static unsigned usage_of(int nid)
{
    for (size_t i = 0; i < EKB_NUM_USAGES; i++) {
        if (ekb_usages[i].nid == nid) {
            return ekb_usages[i].eku;
        }
    }
    return EKB_EKU_OTHER;
}

unsigned ekb_chain_eku(const struct ekb_chain *chain, size_t index)
{
    const X509 *x509 = ekb_chain_x509(chain, index);
    unsigned eku = 0;

    if (X509_get_ext_by_NID(x509, NID_ext_key_usage, -1) < 0) {
        return EKB_EKU_ABSENT;
    }
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(x509, NID_ext_key_usage, NULL, NULL);
    for (size_t i = 0; list != NULL && i < sk_ASN1_OBJECT_num(list); i++) {
        eku |= usage_of(OBJ_obj2nid(sk_ASN1_OBJECT_value(list, i)));
    }
    sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
    ERR_clear_error();
    // An extension that is empty, malformed or there twice permits nothing: it must not look
    // absent.
    return eku != 0 ? eku : EKB_EKU_OTHER;
}

static bool is_text(const char *text, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(text, name, len) == 0;
}

// find_usages returns the set that `len` bytes of `text` name, 0 if they name none.
static unsigned find_usages(const char *text, size_t len)
{
    if (is_text(text, len, "both")) {
        return EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH;
    }
    for (size_t i = 0; i < EKB_NUM_USAGES; i++) {
        if (is_text(text, len, ekb_usages[i].name) ||
            is_text(text, len, ekb_usages[i].short_name)) {
            return ekb_usages[i].eku;
        }
    }
    return 0;
}

enum ekb_err ekb_eku_parse(unsigned *out_eku, const char *text)
{
    unsigned eku = EKB_EKU_ABSENT;

    if (strcmp(text, "none") == 0) {
        *out_eku = EKB_EKU_ABSENT;
        return EKB_OK;
    }
    for (;;) {
        const size_t len = strcspn(text, ",");
        const unsigned found = find_usages(text, len);
        if (found == 0) {
            return EKB_USAGE;
        }
        eku |= found;
        if (text[len] == '\0') {
            break;
        }
        text += len + 1;
    }
    *out_eku = eku;
    return EKB_OK;
}

const char *ekb_eku_format(char out_text[EKB_EKU_TEXT_LEN], unsigned eku)
{
    size_t len = 0;

    for (size_t i = 0; i <= EKB_NUM_USAGES; i++) {
        const bool other = i == EKB_NUM_USAGES;
        if ((eku & (other ? EKB_EKU_OTHER : ekb_usages[i].eku)) != 0) {
            len += (size_t)snprintf(out_text + len, EKB_EKU_TEXT_LEN - len, "%s%s",
                                    len > 0 ? "+" : "", other ? "other" : ekb_usages[i].name);
        }
    }
    if (len == 0) {
        (void)snprintf(out_text, EKB_EKU_TEXT_LEN, "absent");
    }
    return out_text;
}
