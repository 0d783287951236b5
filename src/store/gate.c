#include "ekubench/store/gate.h"

#include "ekubench/base/utf8.h"
#include "ekubench/pki/describe.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MIN_RSA_BITS 2048

// What is asked of every certificate.

static enum ekb_err check_key(const struct ekb_description *description,
                              struct ekb_fail *reterr_fail)
{
    char key[EKB_KEY_KIND_TEXT_LEN];
    const bool weak =
        description->key_kind == EKB_KEY_KIND_RSA && description->key_bits < MIN_RSA_BITS;
    if (!weak && description->key_kind != EKB_KEY_KIND_OTHER) {
        return EKB_OK;
    }
    return ekb_fail_say(reterr_fail, EKB_REFUSED_KEY,
                        "Invalid certificate: The key of %.*s is %s; RSA of at least %d bits, EC "
                        "P-256, P-384, P-521 and Ed25519 are accepted.",
                        (int)ekb_utf8_cut(description->subject, 100), description->subject,
                        ekb_key_kind_format(key, description->key_kind, description->key_bits),
                        MIN_RSA_BITS);
}

// check_ca refuses what may not sign certificates.
static enum ekb_err check_ca(const struct ekb_description *description,
                             struct ekb_fail *reterr_fail)
{
    if (description->is_ca && description->may_sign_certs) {
        return EKB_OK;
    }
    return ekb_fail_say(reterr_fail, EKB_REFUSED_CA,
                        "Invalid certificate: %.*s is not a CA certificate%s.",
                        (int)ekb_utf8_cut(description->subject, 150), description->subject,
                        description->is_ca ? " that may sign certificates" : "");
}

// Sorting.

// issues_another is true if certificate `index` issued another one of the chain.
static bool issues_another(const struct ekb_chain *chain, size_t index)
{
    for (size_t i = 0; i < ekb_chain_len(chain); i++) {
        if (i != index && ekb_chain_is_issued_by(chain, i, chain, index)) {
            return true;
        }
    }
    return false;
}

// find_leaf returns the position of the only certificate that issued no other; the chain's length
// if there is none or more than one.
static size_t find_leaf(const struct ekb_chain *chain)
{
    const size_t len = ekb_chain_len(chain);
    size_t leaf = len;
    for (size_t i = 0; i < len; i++) {
        if (issues_another(chain, i)) {
            continue;
        }
        if (leaf != len) {
            return len;
        }
        leaf = i;
    }
    return leaf;
}

static bool has_twins(const struct ekb_chain *chain)
{
    for (size_t i = 0; i < ekb_chain_len(chain); i++) {
        for (size_t j = 0; j < i; j++) {
            if (ekb_chain_same(chain, i, chain, j)) {
                return true;
            }
        }
    }
    return false;
}

static size_t find_issuer(const struct ekb_chain *chain, size_t index, const bool *used)
{
    for (size_t i = 0; i < ekb_chain_len(chain); i++) {
        if (!used[i] && ekb_chain_is_issued_by(chain, index, chain, i)) {
            return i;
        }
    }
    return ekb_chain_len(chain);
}

static enum ekb_err check_keys(const struct ekb_chain *chain, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < ekb_chain_len(chain) && err == EKB_OK; i++) {
        struct ekb_description description;
        ekb_chain_describe(&description, chain, i);
        err = check_key(&description, reterr_fail);
    }
    return err;
}

enum ekb_err ekb_gate_sort(struct ekb_chain **out_sorted, const struct ekb_chain *uploaded,
                           struct ekb_fail *reterr_fail)
{
    bool used[EKB_GATE_MAX_CHAIN] = {false};
    const size_t len = ekb_chain_len(uploaded);
    if (len > EKB_GATE_MAX_CHAIN) {
        return ekb_fail_say(
            reterr_fail, EKB_REFUSED_CHAIN,
            "Invalid certificate: The file provided has %zu certificates, more than "
            "a chain may have (%d).",
            len, EKB_GATE_MAX_CHAIN);
    }
    enum ekb_err err = check_keys(uploaded, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    struct ekb_chain *sorted = ekb_chain_create();
    if (sorted == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a chain");
    }
    size_t next = has_twins(uploaded) ? len : find_leaf(uploaded);
    while (next < len && err == EKB_OK) {
        used[next] = true;
        err = ekb_chain_append(sorted, uploaded, next);
        next = find_issuer(uploaded, next, used);
    }
    if (err != EKB_OK) {
        err = ekb_fail_set(reterr_fail, err, 0, "a chain");
    } else if (ekb_chain_len(sorted) != len) {
        err = ekb_fail_say(reterr_fail, EKB_REFUSED_CHAIN,
                           "Invalid certificate: The certificates in the file provided do not make "
                           "one chain, the leaf first and each issued by the next.");
    }
    if (err != EKB_OK) {
        ekb_chain_destroy(sorted);
        return err;
    }
    *out_sorted = sorted;
    return EKB_OK;
}

// Checking.

static enum ekb_err check_validity(const struct ekb_description *description, int64_t now,
                                   struct ekb_gate_warning *warning, struct ekb_fail *reterr_fail)
{
    if (now > description->not_after) {
        return ekb_fail_say(reterr_fail, EKB_REFUSED_EXPIRED,
                            "Invalid certificate: The certificate %.*s has expired.",
                            (int)ekb_utf8_cut(description->subject, 150), description->subject);
    }
    if (now < description->not_before) {
        (void)snprintf(warning->text, sizeof warning->text, "the certificate %.*s is not valid yet",
                       (int)ekb_utf8_cut(description->subject, 150), description->subject);
    }
    return EKB_OK;
}

static enum ekb_err check_usage(unsigned needs, const struct ekb_description *leaf,
                                struct ekb_fail *reterr_fail)
{
    const unsigned missing = needs & ~leaf->eku;
    if (missing != 0) {
        return ekb_fail_say(
            reterr_fail, EKB_REFUSED_USAGE,
            "Invalid certificate: The file provided does not have a %s usage attribute. "
            "Services requiring mutual TLS may not work.",
            (missing & EKB_EKU_SERVER_AUTH) != 0 ? "server" : "client");
    }
    if (!leaf->may_sign) {
        return ekb_fail_say(
            reterr_fail, EKB_REFUSED_USAGE,
            "Invalid certificate: The key usage of %s does not have digitalSignature, "
            "without which TLS cannot use its key.",
            leaf->subject);
    }
    return EKB_OK;
}

enum ekb_err ekb_gate_check_chain(unsigned needs, const struct ekb_chain *chain, int64_t now,
                                  struct ekb_gate_warning *out_warning,
                                  struct ekb_fail *reterr_fail)
{
    struct ekb_gate_warning warning = {""};
    struct ekb_description description;
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < ekb_chain_len(chain) && err == EKB_OK; i++) {
        ekb_chain_describe(&description, chain, i);
        err = i == 0 ? check_usage(needs, &description, reterr_fail) : EKB_OK;
        if (err == EKB_OK) {
            err = check_key(&description, reterr_fail);
        }
        if (err == EKB_OK) {
            err = check_validity(&description, now, &warning, reterr_fail);
        }
        if (err == EKB_OK && i > 0 && !ekb_chain_is_issued_by(chain, i - 1, chain, i)) {
            err = ekb_fail_say(reterr_fail, EKB_REFUSED_CHAIN,
                               "Invalid certificate: Certificate %zu of the file provided did not "
                               "issue the one before it.",
                               i + 1);
        }
        if (err == EKB_OK && i > 0) {
            err = check_ca(&description, reterr_fail);
        }
    }
    if (err == EKB_OK) {
        *out_warning = warning;
    }
    return err;
}

enum ekb_err ekb_gate_check_key(const struct ekb_chain *chain, const struct ekb_key *key,
                                struct ekb_fail *reterr_fail)
{
    return ekb_chain_matches_key(chain, key)
               ? EKB_OK
               : ekb_fail_say(reterr_fail, EKB_KEY_MISMATCH,
                              "Invalid certificate: The private key does not belong to the "
                              "certificate.");
}

enum ekb_err ekb_gate_check_ca(const struct ekb_chain *uploaded, size_t index,
                               const struct ekb_chain *trust, int64_t now,
                               struct ekb_gate_warning *out_warning, struct ekb_fail *reterr_fail)
{
    struct ekb_gate_warning warning = {""};
    struct ekb_description description;
    ekb_chain_describe(&description, uploaded, index);
    enum ekb_err err = check_ca(&description, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    for (size_t i = 0; trust != NULL && i < ekb_chain_len(trust); i++) {
        if (ekb_chain_same(uploaded, index, trust, i)) {
            return ekb_fail_say(reterr_fail, EKB_REFUSED_DUPLICATE,
                                "Invalid certificate: %.*s is in the trusted CA list already.",
                                (int)ekb_utf8_cut(description.subject, 150), description.subject);
        }
    }
    err = check_key(&description, reterr_fail);
    if (err == EKB_OK) {
        err = check_validity(&description, now, &warning, reterr_fail);
    }
    if (err == EKB_OK) {
        *out_warning = warning;
    }
    return err;
}
