#include "ekubench/pki/verify.h"

#include "ekubench/pki/verdict.h"
#include "pki/pki_internal.h"

#include <openssl/base.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ekb_verifier {
    X509_STORE *store;
    X509_VERIFY_PARAM *param;
    struct ekb_anchors *anchors; // NULL: no two of the trusted CA list have one name.
    bool has_at;
    int64_t at;
    enum ekb_eku_absent eku_absent; // ACCEPT in mode `none`, which asks for no usage at all.
    unsigned max_depth;
};

// Making one.

static bool fill_store(X509_STORE *store, const struct ekb_verify_options *options)
{
    bool filled = true;
    for (size_t i = 0; options->trust != NULL && i < ekb_chain_len(options->trust) && filled; i++) {
        filled = X509_STORE_add_cert(store, ekb_chain_x509(options->trust, i)) == 1;
    }
    for (size_t i = 0; options->crls != NULL && i < ekb_crls_len(options->crls) && filled; i++) {
        filled = X509_STORE_add_crl(store, ekb_crls_crl(options->crls, i)) == 1;
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
    verifier->eku_absent = policy->eku == EKB_EKU_NONE ? EKB_EKU_ABSENT_ACCEPT : policy->eku_absent;
    verifier->has_at = options->at != NULL;
    verifier->at = options->at != NULL ? clamp(*options->at) : 0;
    verifier->store = X509_STORE_new();
    verifier->param = X509_VERIFY_PARAM_new();
    enum ekb_err err = EKB_OK;
    if (verifier->store == NULL || verifier->param == NULL ||
        !fill_store(verifier->store, options) || !fill_param(verifier->param, options) ||
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

// verify_cert is the library's X509_verify_cert, with the trusted CA list in the best order if the
// order matters.
static bool verify_cert(const struct ekb_verifier *verifier, X509_STORE_CTX *context)
{
    if (verifier->anchors == NULL) {
        return X509_verify_cert(context) > 0;
    }
    const int64_t at = verifier->has_at ? verifier->at : (int64_t)time(NULL);
    STACK_OF(X509) *anchors = ekb_anchors_at(verifier->anchors, at);
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

bool ekb_verifier_run(const struct ekb_verifier *verifier, X509_STORE_CTX *context, int *out_depth)
{
    int reason = X509_V_OK;
    *out_depth = -1;
    if (X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(context), verifier->param) != 1) {
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

static void describe(struct ekb_verify_outcome *outcome, X509_STORE_CTX *context)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    outcome->chain_len = chain != NULL ? sk_X509_num(chain) : 0;
    if (outcome->depth >= 0 && (size_t)outcome->depth < outcome->chain_len) {
        ekb_pki_name_text(outcome->subject, sizeof outcome->subject,
                          X509_get_subject_name(sk_X509_value(chain, (size_t)outcome->depth)));
    }
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
        describe(&outcome, context);
        *out_outcome = outcome;
    }
    X509_STORE_CTX_free(context);
    sk_X509_free(presented);
    ERR_clear_error();
    return err;
}
