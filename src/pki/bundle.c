#include "ekubench/pki/bundle.h"

#include "ekubench/base/file.h"
#include "pki/pkcs12_internal.h"
#include "pki/pki_internal.h"

#include <openssl/base.h>
#include <openssl/err.h>

#include <stdbool.h>
#include <stdlib.h>

void ekb_bundle_deinit(struct ekb_bundle *bundle)
{
    ekb_chain_destroy(bundle->chain);
    ekb_key_destroy(bundle->key);
    free(bundle->faults);
    *bundle = (struct ekb_bundle){0};
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

// What is read, and what for.
enum purpose {
    PURPOSE_READ,
    PURPOSE_SURVEY,
};

struct source {
    const char *path;
    const char *password;
    enum purpose purpose;
};

// next_fault returns where the next fault of `bundle` goes. NULL: it has been counted, and there is
// no place any more (or no memory, if there are no faults at all).
static struct ekb_fail *next_fault(struct ekb_bundle *bundle)
{
    if (bundle->faults == NULL) {
        bundle->faults = calloc(EKB_BUNDLE_MAX_FAULTS, sizeof *bundle->faults);
    }
    if (bundle->faults == NULL) {
        return NULL;
    }
    return bundle->num_faults++ < EKB_BUNDLE_MAX_FAULTS ? &bundle->faults[bundle->num_faults - 1]
                                                        : NULL;
}

// check_certificates says what is wrong with the certificates of a PKCS #12 file; in a survey only
// if there is nothing else to say.
static enum ekb_err check_certificates(struct ekb_bundle *bundle, const struct ekb_pkcs12 *pkcs12,
                                       const struct source *source, struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {.err = EKB_OK};
    if (pkcs12->num_malformed > 0) {
        (void)ekb_fail_say(&fail, EKB_PARSE, "%s: certificates that are malformed: %zu",
                           source->path, pkcs12->num_malformed);
    } else if (pkcs12->has_more) {
        (void)ekb_fail_say(&fail, EKB_TOO_BIG, "%s holds more than %d certificates", source->path,
                           EKB_CHAIN_MAX_CERTS);
    } else if (ekb_chain_len(pkcs12->chain) == 0) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s holds no certificate", source->path);
    }
    if (fail.err == EKB_OK) {
        return EKB_OK;
    }
    if (source->purpose == PURPOSE_SURVEY) {
        struct ekb_fail *fault = next_fault(bundle);
        if (fault == NULL) {
            return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", source->path);
        }
        *fault = fail;
        return EKB_OK;
    }
    if (reterr_fail != NULL) {
        *reterr_fail = fail;
    }
    return fail.err;
}

static enum ekb_err fail_pkcs12(struct ekb_fail *reterr_fail, enum ekb_err err, const char *path)
{
    switch ((int)err) {
    case EKB_TOO_BIG:
        return ekb_fail_set(reterr_fail, err, 0, "%s: PKCS #12 of more than %d iterations", path,
                            EKB_BUNDLE_MAX_ITERATIONS);
    case EKB_UNSUPPORTED:
        return ekb_fail_say(reterr_fail, err, "%s is PKCS #12 encrypted in a way that is not known",
                            path);
    case EKB_PARSE:
        return ekb_fail_say(reterr_fail, err,
                            "%s is neither a certificate nor well-formed PKCS #12", path);
    default:
        return ekb_fail_set(reterr_fail, err, 0, "%s", path);
    }
}

// take_key takes the one key that there may be.
static enum ekb_err take_key(struct ekb_bundle *bundle, struct ekb_pkcs12 *pkcs12, const char *path,
                             struct ekb_fail *reterr_fail)
{
    EVP_PKEY *pkey = NULL;
    if (pkcs12->num_keys == 0) {
        return EKB_OK;
    }
    if (pkcs12->num_keys > 1) {
        return ekb_fail_say(reterr_fail, EKB_UNSUPPORTED,
                            "%s holds several private keys (%zu), one is wanted: export one entry",
                            path, pkcs12->num_keys);
    }
    const enum ekb_err err = ekb_pkcs12_key(&pkey, pkcs12);
    if (err == EKB_PARSE || err == EKB_UNSUPPORTED) {
        (void)ekb_fail_say(&bundle->key_fault, err,
                           "%s: the private key is malformed, or encrypted in a way that is not "
                           "known",
                           path);
        return EKB_OK;
    }
    if (err != EKB_OK) {
        return fail_pkcs12(reterr_fail, err, path);
    }
    return keep_fault(bundle, ekb_key_wrap(&bundle->key, pkey, path, &bundle->key_fault),
                      reterr_fail);
}

static enum ekb_err read_pkcs12(struct ekb_bundle *bundle, const uint8_t *data, size_t data_len,
                                const struct source *source, struct ekb_fail *reterr_fail)
{
    struct ekb_pkcs12 pkcs12 = {.chain = NULL};
    enum ekb_err err = ekb_pkcs12_open(&pkcs12, data, data_len, source->password);
    if (err != EKB_OK) {
        return fail_pkcs12(reterr_fail, err, source->path);
    }
    err = check_certificates(bundle, &pkcs12, source, reterr_fail);
    if (err == EKB_OK && source->purpose == PURPOSE_READ) {
        err = take_key(bundle, &pkcs12, source->path, reterr_fail);
    }
    if (err == EKB_OK) {
        bundle->chain = pkcs12.chain;
        pkcs12.chain = NULL;
    }
    ekb_pkcs12_deinit(&pkcs12);
    return err;
}

static enum ekb_err read_der(struct ekb_bundle *bundle, const uint8_t *data, size_t data_len,
                             const struct source *source, struct ekb_fail *reterr_fail)
{
    bundle->chain = ekb_chain_create();
    if (bundle->chain == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", source->path);
    }
    const enum ekb_err err = ekb_chain_append_der(bundle->chain, data, data_len);
    ERR_clear_error();
    if (err != EKB_PARSE) {
        return err == EKB_OK ? EKB_OK : ekb_fail_set(reterr_fail, err, 0, "%s", source->path);
    }
    ekb_bundle_deinit(bundle);
    return read_pkcs12(bundle, data, data_len, source, reterr_fail);
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
    struct ekb_fail *fault = next_fault(survey->bundle);
    if (fault != NULL) {
        (void)ekb_fail_say(fault, err, "%s: block %zu, in line %zu, %s", survey->path,
                           survey->num_blocks, line + 1, what);
    }
    return survey->bundle->faults != NULL ? EKB_OK : EKB_NOMEM;
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

static enum ekb_err read_file(struct ekb_bundle *out_bundle, const struct source *source,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_bundle bundle = {0};
    uint8_t *data = NULL;
    size_t data_len = 0;
    enum ekb_err err =
        ekb_file_read(&data, &data_len, source->path, EKB_CHAIN_MAX_FILE_LEN, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    if (ekb_pki_is_der(data, data_len)) {
        err = read_der(&bundle, data, data_len, source, reterr_fail);
    } else if (source->purpose == PURPOSE_SURVEY) {
        err = survey_pem(&bundle, data, data_len, source->path, reterr_fail);
    } else {
        err = read_pem(&bundle, data, data_len, source->path, reterr_fail);
    }
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
    const struct source source = {path, password, PURPOSE_READ};
    return read_file(out_bundle, &source, reterr_fail);
}

enum ekb_err ekb_bundle_survey(struct ekb_bundle *out_bundle, const char *path,
                               const char *password, struct ekb_fail *reterr_fail)
{
    const struct source source = {path, password, PURPOSE_SURVEY};
    return read_file(out_bundle, &source, reterr_fail);
}
