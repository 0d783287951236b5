#include "ekubench/pki/crl.h"

#include "ekubench/base/file.h"
#include "pki/pki_internal.h"

#include <openssl/asn1.h>
#include <openssl/base.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CRL_LABEL "X509 CRL"

struct ekb_crls {
    X509_CRL **crls;
    size_t len;
};

struct ekb_crls *ekb_crls_create(void)
{
    return calloc(1, sizeof(struct ekb_crls));
}

void ekb_crls_destroy(struct ekb_crls *crls)
{
    for (size_t i = 0; crls != NULL && i < crls->len; i++) {
        X509_CRL_free(crls->crls[i]);
    }
    if (crls != NULL) {
        free((void *)crls->crls);
        free(crls);
    }
}

size_t ekb_crls_len(const struct ekb_crls *crls)
{
    return crls->len;
}

X509_CRL *ekb_crls_crl(const struct ekb_crls *crls, size_t index)
{
    assert(index < crls->len);
    return crls->crls[index];
}

void ekb_crls_describe(struct ekb_crl_description *out_description, const struct ekb_crls *crls,
                       size_t index)
{
    X509_CRL *crl = ekb_crls_crl(crls, index);
    const ASN1_TIME *next_update = X509_CRL_get0_nextUpdate(crl);
    const STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(crl);
    struct ekb_crl_description description = {
        .next_update = INT64_MAX,
        .num_revoked = revoked != NULL ? sk_X509_REVOKED_num(revoked) : 0};
    ekb_pki_name_text(description.issuer, sizeof description.issuer, X509_CRL_get_issuer(crl));
    (void)ASN1_TIME_to_posix(X509_CRL_get0_lastUpdate(crl), &description.this_update);
    if (next_update != NULL) {
        (void)ASN1_TIME_to_posix(next_update, &description.next_update);
    }
    ERR_clear_error();
    *out_description = description;
}

// push appends `crl` and takes it; on EKB_NOMEM it does neither.
static enum ekb_err push(struct ekb_crls *crls, X509_CRL *crl)
{
    X509_CRL **grown =
        (X509_CRL **)reallocarray((void *)crls->crls, crls->len + 1, sizeof(X509_CRL *));
    if (grown == NULL) {
        return EKB_NOMEM;
    }
    crls->crls = grown;
    crls->crls[crls->len++] = crl;
    return EKB_OK;
}

// Reading and writing.

// append_der appends the CRL that `der_len` bytes of `der` are, all of them.
static enum ekb_err append_der(struct ekb_crls *crls, const uint8_t *der, size_t der_len,
                               const char *path, struct ekb_fail *reterr_fail)
{
    if (crls->len == EKB_CRLS_MAX) {
        return ekb_fail_say(reterr_fail, EKB_TOO_BIG, "%s holds more than %d CRLs", path,
                            EKB_CRLS_MAX);
    }
    const uint8_t *end = der;
    X509_CRL *crl = d2i_X509_CRL(NULL, &end, (long)der_len);
    if (crl == NULL || end != der + der_len) {
        X509_CRL_free(crl);
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s: CRL %zu is malformed (%s)", path,
                            crls->len + 1, ekb_pki_take_reason());
    }
    if (push(crls, crl) != EKB_OK) {
        X509_CRL_free(crl);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    return EKB_OK;
}

static enum ekb_err append_block(struct ekb_crls *crls, struct ekb_pem_block *block,
                                 const char *path, struct ekb_fail *reterr_fail)
{
    uint8_t *der = NULL;
    size_t der_len = 0;
    enum ekb_err err = ekb_pem_decode(&der, &der_len, block);
    if (err != EKB_OK) {
        return ekb_fail_say(reterr_fail, err, "%s: CRL %zu is not base64", path, crls->len + 1);
    }
    err = append_der(crls, der, der_len, path, reterr_fail);
    ekb_file_free_secret(der, der_len);
    return err;
}

static enum ekb_err append_pem(struct ekb_crls *crls, uint8_t *text, size_t text_len,
                               const char *path, struct ekb_fail *reterr_fail)
{
    struct ekb_pem_reader reader = {.next = text, .remaining_len = text_len};
    struct ekb_pem_block block = {0};
    enum ekb_err err = EKB_OK;
    while ((err = ekb_pem_next(&block, &reader)) == EKB_OK) {
        if (ekb_pem_label_is(&block, CRL_LABEL)) {
            err = append_block(crls, &block, path, reterr_fail);
        }
        if (err != EKB_OK) {
            return err;
        }
    }
    if (err != EKB_NOT_FOUND) {
        return ekb_fail_say(reterr_fail, err, "%s: a PEM block has no end", path);
    }
    return crls->len > 0 ? EKB_OK : ekb_fail_say(reterr_fail, EKB_PARSE, "%s holds no CRL", path);
}

enum ekb_err ekb_crls_read(struct ekb_crls **out_crls, const char *path,
                           struct ekb_fail *reterr_fail)
{
    uint8_t *data = NULL;
    size_t data_len = 0;
    enum ekb_err err = ekb_file_read(&data, &data_len, path, EKB_CRLS_MAX_FILE_LEN, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    struct ekb_crls *crls = ekb_crls_create();
    if (crls == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    } else if (ekb_pki_is_der(data, data_len)) {
        err = append_der(crls, data, data_len, path, reterr_fail);
    } else {
        err = append_pem(crls, data, data_len, path, reterr_fail);
    }
    ekb_file_free_secret(data, data_len);
    if (err != EKB_OK) {
        ekb_crls_destroy(crls);
        return err;
    }
    *out_crls = crls;
    return EKB_OK;
}

enum ekb_err ekb_crls_write(const struct ekb_crls *crls, const char *path,
                            struct ekb_fail *reterr_fail)
{
    uint8_t *text = NULL;
    size_t text_len = 0;
    enum ekb_err err = EKB_OK;
    if (crls->len == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s: there is no CRL to write", path);
    }
    for (size_t i = 0; i < crls->len && err == EKB_OK; i++) {
        uint8_t *der = NULL;
        const int der_len = i2d_X509_CRL(crls->crls[i], &der);
        if (der_len < 0) {
            err = ekb_pki_fail(reterr_fail, "encoding a CRL");
            break;
        }
        const size_t needed = text_len + ekb_pem_encoded_len(CRL_LABEL, (size_t)der_len);
        uint8_t *grown = realloc(text, needed);
        if (grown == NULL) {
            err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
        } else {
            text = grown;
            text_len += ekb_pem_encode(text + text_len, CRL_LABEL, der, (size_t)der_len);
        }
        OPENSSL_free(der);
    }
    if (err == EKB_OK) {
        err = ekb_file_write_atomic(path, text, text_len, 0644, reterr_fail);
    }
    free(text);
    return err;
}

// Making one.

static bool add_revoked(X509_CRL *crl, const struct ekb_chain *chain, const ASN1_TIME *when)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_STRING_dup(X509_get0_serialNumber(ekb_chain_x509(chain, 0)));
    const bool added =
        revoked != NULL && serial != NULL && X509_REVOKED_set_serialNumber(revoked, serial) == 1 &&
        X509_REVOKED_set_revocationDate(revoked, (ASN1_TIME *)(uintptr_t)when) == 1 &&
        X509_CRL_add0_revoked(crl, revoked) == 1;
    if (!added) {
        X509_REVOKED_free(revoked);
    }
    ASN1_INTEGER_free(serial);
    return added;
}

// add_extensions adds what RFC 5280 section 5.2 demands: the issuer's key identifier and a number,
// which is the time of the list.
static bool add_extensions(X509_CRL *crl, const X509 *issuer, int64_t this_update)
{
    AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id((X509 *)(uintptr_t)issuer);
    bool added = akid != NULL && number != NULL && key_id != NULL &&
                 (akid->keyid = ASN1_STRING_dup(key_id)) != NULL &&
                 ASN1_INTEGER_set_uint64(number, (uint64_t)this_update) == 1;
    added = added &&
            X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, akid, 0, X509V3_ADD_DEFAULT) ==
                1 &&
            X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_DEFAULT) == 1;
    AUTHORITY_KEYID_free(akid);
    ASN1_INTEGER_free(number);
    return added;
}

static bool fill(X509_CRL *crl, const struct ekb_ca *ca, const struct ekb_crl_spec *spec,
                 const ASN1_TIME *this_update, const ASN1_TIME *next_update)
{
    const X509 *issuer = ekb_chain_x509(ekb_ca_certificate(ca), 0);
    bool filled = X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
                  X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
                  X509_CRL_set1_lastUpdate(crl, this_update) == 1 &&
                  X509_CRL_set1_nextUpdate(crl, next_update) == 1 &&
                  add_extensions(crl, issuer, spec->this_update);
    for (size_t i = 0; i < spec->num_revoked && filled; i++) {
        filled = add_revoked(crl, spec->revoked[i], this_update);
    }
    return filled && X509_CRL_sort(crl) == 1 &&
           X509_CRL_sign(crl, ekb_key_pkey(ekb_ca_key(ca)), ekb_pki_digest(ekb_ca_key(ca))) > 0;
}

// append_again appends `crl` as it reads: only a list that was parsed has its digest and its
// issuer's key identifier, without which a store of the library takes two of one issuer for the
// same.
static enum ekb_err append_again(struct ekb_crls *crls, X509_CRL *crl, struct ekb_fail *reterr_fail)
{
    uint8_t *der = NULL;
    const int der_len = i2d_X509_CRL(crl, &der);
    if (der_len < 0) {
        return ekb_pki_fail(reterr_fail, "making a CRL");
    }
    const enum ekb_err err = append_der(crls, der, (size_t)der_len, "a new CRL", reterr_fail);
    OPENSSL_free(der);
    return err;
}

enum ekb_err ekb_crls_issue(struct ekb_crls *crls, const struct ekb_ca *ca,
                            const struct ekb_crl_spec *spec, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *this_update = ASN1_TIME_set_posix(NULL, spec->this_update);
    ASN1_TIME *next_update = ASN1_TIME_set_posix(NULL, spec->next_update);
    if (this_update == NULL || next_update == NULL || spec->next_update < spec->this_update) {
        ERR_clear_error();
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                           "the times of the CRL are reversed or no dates");
    } else if (crl == NULL || !fill(crl, ca, spec, this_update, next_update)) {
        err = ekb_pki_fail(reterr_fail, "making a CRL");
    } else {
        err = append_again(crls, crl, reterr_fail);
    }
    X509_CRL_free(crl);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    return err;
}
