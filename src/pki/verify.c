#include "ekubench/pki/verify.h"

#include "ekubench/pki/verdict.h"
#include "pki/pki_internal.h"

#include <openssl/asn1.h>
#include <openssl/base.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ekb_verifier {
    X509_STORE *store;
    X509_VERIFY_PARAM *param;
    STACK_OF(X509_CRL) * crls;
    struct ekb_anchors *anchors; // NULL: no two of the trusted CA list have one name.
    bool has_at;
    int64_t at;
    enum ekb_eku_absent eku_absent; // ACCEPT in mode `none`, which asks for no usage at all.
    unsigned max_depth;
    struct ekb_name name;
};

// Making one.

// add_crl leaves out a delta CRL: the library would take it for a whole one, on which nobody is who
// was revoked before.
static bool add_crl(struct ekb_verifier *verifier, X509_CRL *crl)
{
    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0) {
        return true;
    }
    if (X509_STORE_add_crl(verifier->store, crl) != 1 ||
        sk_X509_CRL_push(verifier->crls, crl) == 0) {
        return false;
    }
    X509_CRL_up_ref(crl);
    return true;
}

static bool fill_store(struct ekb_verifier *verifier, const struct ekb_verify_options *options)
{
    bool filled = true;
    for (size_t i = 0; options->trust != NULL && i < ekb_chain_len(options->trust) && filled; i++) {
        filled = X509_STORE_add_cert(verifier->store, ekb_chain_x509(options->trust, i)) == 1;
    }
    for (size_t i = 0; options->crls != NULL && i < ekb_crls_len(options->crls) && filled; i++) {
        filled = add_crl(verifier, ekb_crls_crl(options->crls, i));
    }
    return filled;
}

static bool set_name(X509_VERIFY_PARAM *param, const struct ekb_name *name)
{
    switch (name->kind) {
    case EKB_NAME_DNS:
        return X509_VERIFY_PARAM_set1_host(param, name->text, strlen(name->text)) == 1;
    case EKB_NAME_IP:
        return X509_VERIFY_PARAM_set1_ip_asc(param, name->text) == 1;
    case EKB_NAME_EMAIL:
        return X509_VERIFY_PARAM_set1_email(param, name->text, strlen(name->text)) == 1;
    case EKB_NAME_NONE:
    case EKB_NAME_NUM_KINDS:
        break;
    }
    return true;
}

// clamp keeps a time within what a certificate can say, give or take a second: the library computes
// with it.
static int64_t clamp(int64_t at)
{
    const int64_t first = INT64_C(-62167219200) - 1; // Before the year 0,
    const int64_t last = INT64_C(253402300799) + 1;  // after the year 9999.
    if (at < first) {
        return first;
    }
    return at > last ? last : at;
}

static bool fill_param(X509_VERIFY_PARAM *param, const struct ekb_verify_options *options)
{
    const struct ekb_policy *policy = &options->policy;
    const int trust = ekb_policy_trust(policy->eku);
    unsigned long flags = X509_V_FLAG_TRUSTED_FIRST;
    flags |= options->anchor == EKB_ANCHOR_LISTED ? X509_V_FLAG_PARTIAL_CHAIN : 0;
    flags |= options->crls != NULL ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL : 0;

    X509_VERIFY_PARAM_set_depth(param, ekb_policy_library_depth(policy->max_depth));
    if (options->at != NULL) {
        X509_VERIFY_PARAM_set_time_posix(param, clamp(*options->at));
    }
    return X509_VERIFY_PARAM_set_flags(param, flags) == 1 &&
           X509_VERIFY_PARAM_set_purpose(param, ekb_policy_purpose(policy->eku)) == 1 &&
           (trust == 0 || X509_VERIFY_PARAM_set_trust(param, trust) == 1);
}

enum ekb_err ekb_verifier_create(struct ekb_verifier **out_verifier,
                                 const struct ekb_verify_options *options,
                                 struct ekb_fail *reterr_fail)
{
    const struct ekb_policy *policy = &options->policy;
    if (policy->max_depth < 1 || policy->max_depth > INT_MAX) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "the depth limit must be at least 1");
    }
    struct ekb_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "certificate verification");
    }
    verifier->max_depth = policy->max_depth;
    verifier->name = policy->name;
    verifier->eku_absent = policy->eku == EKB_EKU_NONE ? EKB_EKU_ABSENT_ACCEPT : policy->eku_absent;
    verifier->has_at = options->at != NULL;
    verifier->at = options->at != NULL ? clamp(*options->at) : 0;
    verifier->store = X509_STORE_new();
    verifier->param = X509_VERIFY_PARAM_new();
    verifier->crls = sk_X509_CRL_new_null();
    enum ekb_err err = EKB_OK;
    if (verifier->store == NULL || verifier->param == NULL || verifier->crls == NULL ||
        !fill_store(verifier, options) || !fill_param(verifier->param, options) ||
        (options->trust != NULL &&
         ekb_anchors_create(&verifier->anchors, options->trust) != EKB_OK)) {
        err = ekb_pki_fail(reterr_fail, "certificate verification");
    } else if (!set_name(verifier->param, &policy->name)) {
        ERR_clear_error();
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\" is no name that a certificate has",
                           policy->name.text);
    }
    if (err != EKB_OK) {
        ekb_verifier_destroy(verifier);
        return err;
    }
    *out_verifier = verifier;
    return EKB_OK;
}

void ekb_verifier_destroy(struct ekb_verifier *verifier)
{
    if (verifier != NULL) {
        X509_STORE_free(verifier->store);
        X509_VERIFY_PARAM_free(verifier->param);
        sk_X509_CRL_pop_free(verifier->crls, X509_CRL_free);
        ekb_anchors_destroy(verifier->anchors);
        free(verifier);
    }
}

X509_STORE *ekb_verifier_store(const struct ekb_verifier *verifier)
{
    return verifier->store;
}

// Judging.

// reason_of returns what the library's reason means here: a chain that could not be completed
// because it may not be longer is too long, whatever the library calls it.
static int reason_of(const struct ekb_verifier *verifier, X509_STORE_CTX *context)
{
    const int reason = X509_STORE_CTX_get_error(context);
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    const bool incomplete = reason == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                            reason == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
    if (incomplete && chain != NULL && sk_X509_num(chain) > verifier->max_depth) {
        return X509_V_ERR_CERT_CHAIN_TOO_LONG;
    }
    return reason != X509_V_OK ? reason : X509_V_ERR_UNSPECIFIED;
}

// find_offence returns what we do not accept in a chain that the library accepts, and sets
// `*out_depth`; X509_V_OK if there is nothing.
static int find_offence(const struct ekb_verifier *verifier, X509_STORE_CTX *context,
                        int *out_depth)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    for (size_t i = 1; i < sk_X509_num(chain); i++) {
        // The library does not look at what it took from the trusted CA list.
        if (X509_check_ca(sk_X509_value(chain, i)) == 0) {
            *out_depth = (int)i;
            return X509_V_ERR_INVALID_CA;
        }
    }
    if (verifier->eku_absent == EKB_EKU_ABSENT_REJECT &&
        X509_get_ext_by_NID(sk_X509_value(chain, 0), NID_ext_key_usage, -1) < 0) {
        *out_depth = 0;
        return X509_V_ERR_INVALID_PURPOSE;
    }
    return X509_V_OK;
}

static int64_t time_of(const struct ekb_verifier *verifier)
{
    return verifier->has_at ? verifier->at : (int64_t)time(NULL);
}

// verify_cert is the library's X509_verify_cert, with the trusted CA list in the best order if the
// order matters.
static bool verify_cert(const struct ekb_verifier *verifier, X509_STORE_CTX *context)
{
    if (verifier->anchors == NULL) {
        return X509_verify_cert(context) > 0;
    }
    STACK_OF(X509) *anchors = ekb_anchors_at(verifier->anchors, time_of(verifier));
    if (anchors == NULL) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_OUT_OF_MEM);
        return false;
    }
    X509_STORE_CTX_set0_trusted_stack(context, anchors);
    const bool verified = X509_verify_cert(context) > 0;
    X509_STORE_CTX_set0_trusted_stack(context, NULL);
    sk_X509_free(anchors);
    return verified;
}

// verifier_index returns the place of the verifier in a context, -1 if out of memory.
static int verifier_index(void)
{
    static int index = -1; // The library's registry is as global as this.
    if (index < 0) {
        index = X509_STORE_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    }
    return index;
}

// pardon is asked by the library whether an error is one.
static int pardon(int ok, X509_STORE_CTX *context)
{
    const struct ekb_verifier *verifier = X509_STORE_CTX_get_ex_data(context, verifier_index());
    if (ok == 1 || X509_STORE_CTX_get_error(context) != X509_V_ERR_HOSTNAME_MISMATCH) {
        return ok;
    }
    return ekb_pki_common_name_counts(X509_STORE_CTX_get0_chain(context), verifier->name.text) ? 1
                                                                                               : 0;
}

// watch has `pardon` asked, if there is a name for which it may be needed.
static bool watch(const struct ekb_verifier *verifier, X509_STORE_CTX *context)
{
    if (verifier->name.kind != EKB_NAME_DNS) {
        return true;
    }
    X509_STORE_CTX_set_verify_cb(context, pardon);
    return verifier_index() >= 0 &&
           X509_STORE_CTX_set_ex_data(context, verifier_index(), (void *)(uintptr_t)verifier) == 1;
}

bool ekb_verifier_run(const struct ekb_verifier *verifier, X509_STORE_CTX *context, int *out_depth)
{
    int reason = X509_V_OK;
    *out_depth = -1;
    if (X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(context), verifier->param) != 1 ||
        !watch(verifier, context)) {
        reason = X509_V_ERR_OUT_OF_MEM;
    } else if (verify_cert(verifier, context)) {
        reason = find_offence(verifier, context, out_depth);
    } else {
        reason = reason_of(verifier, context);
        *out_depth = X509_STORE_CTX_get_error_depth(context);
    }
    X509_STORE_CTX_set_error(context, reason);
    return reason == X509_V_OK;
}

// posix_of returns a date, `unless` if there is none.
static int64_t posix_of(const ASN1_TIME *date, int64_t unless)
{
    int64_t posix = unless;
    return date != NULL && ASN1_TIME_to_posix(date, &posix) == 1 ? posix : unless;
}

// crls_until returns when the first of the CRLs that are current, and made by the issuer of `x509`,
// is over. That another of the issuer's may live longer is not looked into: who comes later is
// verified anew, which costs no more than that.
static int64_t crls_until(const struct ekb_verifier *verifier, X509 *x509, int64_t at)
{
    int64_t until = INT64_MAX;
    for (size_t i = 0; i < sk_X509_CRL_num(verifier->crls); i++) {
        X509_CRL *crl = sk_X509_CRL_value(verifier->crls, i);
        const int64_t next = posix_of(X509_CRL_get0_nextUpdate(crl), INT64_MAX);
        if (next > at && next < until &&
            X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(x509)) == 0) {
            until = next;
        }
    }
    return until;
}

uint64_t ekb_verifier_remaining(const struct ekb_verifier *verifier, X509_STORE_CTX *context)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    const int64_t at = time_of(verifier);
    int64_t until = INT64_MAX;
    for (size_t i = 0; i < sk_X509_num(chain); i++) {
        X509 *x509 = sk_X509_value(chain, i);
        const int64_t certificate_until = posix_of(X509_get0_notAfter(x509), at);
        const int64_t revocation_until = crls_until(verifier, x509, at);
        until = certificate_until < until ? certificate_until : until;
        until = revocation_until < until ? revocation_until : until;
    }
    return until > at ? (uint64_t)until - (uint64_t)at : 0;
}

static void describe(struct ekb_verify_outcome *outcome, X509_STORE_CTX *context)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    outcome->chain_len = chain != NULL ? sk_X509_num(chain) : 0;
    if (outcome->depth >= 0 && (size_t)outcome->depth < outcome->chain_len) {
        ekb_pki_name_text(outcome->subject, sizeof outcome->subject,
                          X509_get_subject_name(sk_X509_value(chain, (size_t)outcome->depth)));
    }
}

static bool may_sign(const struct ekb_chain *chain)
{
    size_t der_len = 0;
    const uint8_t *der = ekb_chain_der(chain, 0, &der_len);
    return ekb_pki_may_sign(der, der_len);
}

static STACK_OF(X509) * stack_of(const struct ekb_chain *chain)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    for (size_t i = 0; stack != NULL && i < ekb_chain_len(chain); i++) {
        if (sk_X509_push(stack, ekb_chain_x509(chain, i)) == 0) {
            sk_X509_free(stack);
            stack = NULL;
        }
    }
    return stack;
}

enum ekb_err ekb_verifier_check(const struct ekb_verifier *verifier, const struct ekb_chain *chain,
                                struct ekb_verify_outcome *out_outcome,
                                struct ekb_fail *reterr_fail)
{
    if (ekb_chain_len(chain) == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "there is no certificate to verify");
    }
    struct ekb_verify_outcome outcome = {.depth = -1};
    enum ekb_err err = EKB_OK;
    STACK_OF(X509) *presented = stack_of(chain);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (presented == NULL || context == NULL ||
        X509_STORE_CTX_init(context, verifier->store, sk_X509_value(presented, 0), presented) !=
            1) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "certificate verification");
    } else {
        (void)ekb_verifier_run(verifier, context, &outcome.depth);
        outcome.library_result = X509_STORE_CTX_get_error(context);
        const struct ekb_verdict verdict = ekb_verdict_from_library(outcome.library_result);
        outcome.err = verdict.err;
        outcome.alert = verdict.alert;
        outcome.may_sign = may_sign(chain);
        describe(&outcome, context);
        *out_outcome = outcome;
    }
    X509_STORE_CTX_free(context);
    sk_X509_free(presented);
    ERR_clear_error();
    return err;
}

enum ekb_err ekb_verify_once(struct ekb_verify_outcome *out_outcome,
                             const struct ekb_verify_options *options,
                             const struct ekb_chain *chain, struct ekb_fail *reterr_fail)
{
    struct ekb_verifier *verifier = NULL;
    enum ekb_err err = ekb_verifier_create(&verifier, options, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    EKB_CHECK(verifier != NULL);
    err = ekb_verifier_check(verifier, chain, out_outcome, reterr_fail);
    ekb_verifier_destroy(verifier);
    return err;
}
