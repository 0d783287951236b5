#include "ekubench/pki/bundle.h"

#include "ekubench/base/file.h"
#include "pki/pki_internal.h"

#include <openssl/base.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pkcs8.h>
#include <openssl/stack.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdlib.h>

void ekb_bundle_deinit(struct ekb_bundle *bundle)
{
    ekb_chain_destroy(bundle->chain);
    ekb_key_destroy(bundle->key);
    free(bundle->faults);
    *bundle = (struct ekb_bundle){0};
}

static enum ekb_err append_x509(struct ekb_chain *chain, const X509 *x509)
{
    uint8_t *der = NULL;
    const int der_len = i2d_X509((X509 *)(uintptr_t)x509, &der);
    const enum ekb_err err =
        der_len > 0 ? ekb_chain_append_der(chain, der, (size_t)der_len) : EKB_PARSE;
    OPENSSL_free(der);
    return err;
}

// keep_fault leaves what is wrong with the key, `err`, in `bundle`, if it is about the key.
static enum ekb_err keep_fault(struct ekb_bundle *bundle, enum ekb_err err,
                               struct ekb_fail *reterr_fail)
{
    if (err != EKB_NOMEM) {
        return EKB_OK;
    }
    if (reterr_fail != NULL) {
        *reterr_fail = bundle->key_fault;
    }
    return err;
}

// take_pkcs12 fills the bundle from what the library has decoded.
static enum ekb_err take_pkcs12(struct ekb_bundle *bundle, EVP_PKEY *pkey,
                                const STACK_OF(X509) * certificates, const char *path,
                                struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    bundle->chain = ekb_chain_create();
    if (bundle->chain == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    for (size_t i = 0; i < sk_X509_num(certificates) && err == EKB_OK; i++) {
        err = append_x509(bundle->chain, sk_X509_value(certificates, i));
    }
    if (err != EKB_OK) {
        return ekb_fail_say(reterr_fail, err, "%s: a certificate is malformed", path);
    }
    if (ekb_chain_len(bundle->chain) == 0) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s holds no certificate", path);
    }
    if (pkey == NULL) {
        return EKB_OK;
    }
    EVP_PKEY_up_ref(pkey);
    return keep_fault(bundle, ekb_key_wrap(&bundle->key, pkey, path, &bundle->key_fault),
                      reterr_fail);
}

static enum ekb_err read_pkcs12(struct ekb_bundle *bundle, const uint8_t *data, size_t data_len,
                                const char *path, const char *password,
                                struct ekb_fail *reterr_fail)
{
    EVP_PKEY *pkey = NULL;
    CBS cbs;
    enum ekb_err err = EKB_OK;
    if (ekb_pkcs12_iterations(data, data_len) > EKB_BUNDLE_MAX_ITERATIONS) {
        return ekb_fail_set(reterr_fail, EKB_TOO_BIG, 0, "%s: PKCS #12 of more than %d iterations",
                            path, EKB_BUNDLE_MAX_ITERATIONS);
    }
    STACK_OF(X509) *certificates = sk_X509_new_null();
    CBS_init(&cbs, data, data_len);
    if (certificates == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    if (PKCS12_get_key_and_certs(&pkey, certificates, &cbs, password != NULL ? password : "") ==
        1) {
        err = take_pkcs12(bundle, pkey, certificates, path, reterr_fail);
    } else if (ERR_GET_REASON(ERR_peek_error()) == PKCS8_R_INCORRECT_PASSWORD) {
        err = ekb_fail_set(reterr_fail, EKB_NEED_PASSWORD, 0, "%s", path);
    } else {
        err = ekb_fail_say(reterr_fail, EKB_PARSE, "%s is neither a certificate nor PKCS #12 (%s)",
                           path, ekb_pki_take_reason());
    }
    ERR_clear_error();
    EVP_PKEY_free(pkey);
    sk_X509_pop_free(certificates, X509_free);
    return err;
}

static enum ekb_err read_der(struct ekb_bundle *bundle, const uint8_t *data, size_t data_len,
                             const char *path, const char *password, struct ekb_fail *reterr_fail)
{
    bundle->chain = ekb_chain_create();
    if (bundle->chain == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    const enum ekb_err err = ekb_chain_append_der(bundle->chain, data, data_len);
    ERR_clear_error();
    if (err != EKB_PARSE) {
        return err == EKB_OK ? EKB_OK : ekb_fail_set(reterr_fail, err, 0, "%s", path);
    }
    ekb_bundle_deinit(bundle);
    return read_pkcs12(bundle, data, data_len, path, password, reterr_fail);
}

// has_key is true if there is a private key among the PEM blocks of the file.
static bool has_key(uint8_t *text, size_t text_len)
{
    struct ekb_pem_reader reader = {.next = text, .remaining_len = text_len};
    struct ekb_pem_block block = {0};
    while (ekb_pem_next(&block, &reader) == EKB_OK) {
        if (ekb_pem_label_ends_with(&block, "PRIVATE KEY")) {
            return true;
        }
    }
    return false;
}

static enum ekb_err read_pem(struct ekb_bundle *bundle, uint8_t *text, size_t text_len,
                             const char *path, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = ekb_chain_read_pem(&bundle->chain, path, reterr_fail);
    if (err == EKB_OK && has_key(text, text_len)) {
        err = keep_fault(bundle,
                         ekb_key_from_pem(&bundle->key, text, text_len, path, &bundle->key_fault),
                         reterr_fail);
    }
    return err;
}

// Surveying.

// What the parts of a survey share.
struct survey {
    struct ekb_bundle *bundle;
    const char *path;
    struct ekb_pem_reader reader;
    const uint8_t *counted; // Up to here lines have been counted,
    size_t num_lines;       // so many.
    size_t num_blocks;
};

// count_lines counts up to `end`. What has been decoded has no lines any more, hence in time.
static void count_lines(struct survey *survey, const uint8_t *end)
{
    while (survey->counted < end) {
        survey->num_lines += *survey->counted++ == '\n' ? 1 : 0;
    }
}

// keep keeps what is wrong with the block that begins after `line` lines. EKB_NOMEM.
static enum ekb_err keep(struct survey *survey, enum ekb_err err, size_t line, const char *what)
{
    struct ekb_bundle *bundle = survey->bundle;
    if (bundle->faults == NULL) {
        bundle->faults = calloc(EKB_BUNDLE_MAX_FAULTS, sizeof *bundle->faults);
    }
    if (bundle->faults == NULL) {
        return EKB_NOMEM;
    }
    if (bundle->num_faults < EKB_BUNDLE_MAX_FAULTS) {
        (void)ekb_fail_say(&bundle->faults[bundle->num_faults], err,
                           "%s: block %zu, in line %zu, %s", survey->path, survey->num_blocks,
                           line + 1, what);
    }
    bundle->num_faults++;
    return EKB_OK;
}

// survey_certificate appends the certificate of `block`, or keeps what is wrong with it.
static enum ekb_err survey_certificate(struct survey *survey, struct ekb_pem_block *block,
                                       size_t line)
{
    uint8_t *der = NULL;
    size_t der_len = 0;
    enum ekb_err err = ekb_pem_decode(&der, &der_len, block);
    if (err == EKB_PARSE) {
        return keep(survey, err, line, "is not base64");
    }
    if (err == EKB_OK) {
        err = ekb_chain_append_der(survey->bundle->chain, der, der_len);
        ekb_file_free_secret(der, der_len);
    }
    if (err == EKB_PARSE) {
        err = keep(survey, err, line, "is a malformed certificate");
    }
    ERR_clear_error();
    return err;
}

static bool is_certificate(const struct ekb_pem_block *block)
{
    return ekb_pem_label_is(block, "CERTIFICATE") || ekb_pem_label_is(block, "X509 CERTIFICATE");
}

// survey_blocks goes from block to block, up to the last or one certificate too many.
static enum ekb_err survey_blocks(struct survey *survey)
{
    struct ekb_pem_block block = {0};
    enum ekb_err err = EKB_OK;
    while (err == EKB_OK) {
        const enum ekb_err found = ekb_pem_next(&block, &survey->reader);
        if (found == EKB_NOT_FOUND) {
            break;
        }
        count_lines(survey, survey->reader.begin);
        const size_t line = survey->num_lines;
        count_lines(survey, survey->reader.next);
        survey->num_blocks++;
        if (found != EKB_OK) {
            err = keep(survey, found, line, "has no end");
        } else if (ekb_pem_label_is(&block, "TRUSTED CERTIFICATE")) {
            err = keep(survey, EKB_PARSE, line, "is a TRUSTED CERTIFICATE, which is not supported");
        } else if (is_certificate(&block) &&
                   ekb_chain_len(survey->bundle->chain) == EKB_CHAIN_MAX_CERTS) {
            return keep(survey, EKB_TOO_BIG, line, "is one certificate too many for a file");
        } else if (is_certificate(&block)) {
            err = survey_certificate(survey, &block, line);
        }
    }
    return err;
}

static enum ekb_err survey_pem(struct ekb_bundle *bundle, uint8_t *text, size_t text_len,
                               const char *path, struct ekb_fail *reterr_fail)
{
    struct survey survey = {.bundle = bundle,
                            .path = path,
                            .reader = {.next = text, .remaining_len = text_len},
                            .counted = text};
    bundle->chain = ekb_chain_create();
    if (bundle->chain == NULL || survey_blocks(&survey) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    return ekb_chain_len(bundle->chain) > 0 || bundle->num_faults > 0
               ? EKB_OK
               : ekb_fail_say(reterr_fail, EKB_PARSE, "%s holds no certificate", path);
}

// The whole.

typedef enum ekb_err read_text(struct ekb_bundle *bundle, uint8_t *text, size_t text_len,
                               const char *path, struct ekb_fail *reterr_fail);

// read_file reads PEM by `read`.
static enum ekb_err read_file(struct ekb_bundle *out_bundle, read_text *read, const char *path,
                              const char *password, struct ekb_fail *reterr_fail)
{
    struct ekb_bundle bundle = {0};
    uint8_t *data = NULL;
    size_t data_len = 0;
    enum ekb_err err = ekb_file_read(&data, &data_len, path, EKB_CHAIN_MAX_FILE_LEN, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    err = ekb_pki_is_der(data, data_len)
              ? read_der(&bundle, data, data_len, path, password, reterr_fail)
              : read(&bundle, data, data_len, path, reterr_fail);
    ekb_file_free_secret(data, data_len);
    if (err != EKB_OK) {
        ekb_bundle_deinit(&bundle);
        return err;
    }
    *out_bundle = bundle;
    return EKB_OK;
}

enum ekb_err ekb_bundle_read(struct ekb_bundle *out_bundle, const char *path, const char *password,
                             struct ekb_fail *reterr_fail)
{
    return read_file(out_bundle, read_pem, path, password, reterr_fail);
}

enum ekb_err ekb_bundle_survey(struct ekb_bundle *out_bundle, const char *path,
                               const char *password, struct ekb_fail *reterr_fail)
{
    return read_file(out_bundle, survey_pem, path, password, reterr_fail);
}
