// Certificate verification: the one path by which a chain is judged, whether it comes from a file
// (`ekubench verify`) or from a TLS peer (tls/config).
//
// X.509 verification itself is the library's (BoringSSL's X509_verify_cert: RFC 5280 chains built
// by subject name and key identifiers, signatures, validity, usage, names, CRLs). A verifier adds
// what docs/domain.md promises beyond it: a leaf without extended key usage can be refused; a
// certificate that is not a CA is no issuer, even if it is in the trusted CA list; of trusted
// certificates with one name and key the one that is valid at the time is taken; and a chain that
// ends for its length is called too long whatever the library's version.
//
// As the library has it, a certificate is over in its last second already (RFC 5280 section 4.1.2.5
// counts that second in).
//
// A verifier is made once and constant afterwards; it may be used by many connections of one
// process.

#ifndef EKUBENCH_PKI_VERIFY_H
#define EKUBENCH_PKI_VERIFY_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What may end a chain.
enum ekb_anchor {
    EKB_ANCHOR_ROOT,   // A self-signed certificate of the trusted CA list.
    EKB_ANCHOR_LISTED, // Any certificate of the list ("partial chain").
};

struct ekb_verify_options {
    const struct ekb_chain *trust; // The trusted CA list; NULL or empty: nothing is accepted.
    // If not NULL, every certificate of the chain, the last one included, needs a current list from
    // its issuer among these. Delta CRLs do not count as any.
    const struct ekb_crls *crls;
    struct ekb_policy policy; // Its verify level is not looked at.
    enum ekb_anchor anchor;
    const int64_t *at; // Seconds since the epoch; NULL: now, whenever that is.
};

// What was found. A zeroed one is not a verdict.
struct ekb_verify_outcome {
    enum ekb_err err;   // EKB_OK, or EKB_VERIFY_*: the reason.
    int library_result; // X509_V_*.
    int alert;          // The alert that a TLS peer would get; -1 with EKB_OK.
    int depth;          // Position of the offending certificate in the chain, 0 = leaf; -1 if none.
    // False if the leaf has key usage without digitalSignature. X.509 verification takes other bits
    // for a client's or a server's too, but TLS has its holder sign, and fails.
    bool may_sign;
    size_t chain_len;  // Certificates in the chain as it was built, the root included.
    char subject[256]; // Of the offending certificate (RFC 2253 form, cut to fit); "" if none.
};

struct ekb_verifier;

// ekb_verifier_create makes a newly-allocated verifier; release it with `ekb_verifier_destroy`
// (NULL is legal). It keeps its own references. EKB_USAGE if the depth limit is 0 or the name is
// malformed; EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_verifier_create(struct ekb_verifier **out_verifier,
                                               const struct ekb_verify_options *options,
                                               struct ekb_fail *reterr_fail);
void ekb_verifier_destroy(struct ekb_verifier *verifier);

// ekb_verifier_check judges `chain`: the leaf first, the others in any order. The verdict goes to
// `*out_outcome`; the return value is about the attempt alone: EKB_USAGE if the chain is empty,
// EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_verifier_check(const struct ekb_verifier *verifier,
                                              const struct ekb_chain *chain,
                                              struct ekb_verify_outcome *out_outcome,
                                              struct ekb_fail *reterr_fail);

// ekb_verify_once judges one chain, with a verifier that is made for it alone. Errors of
// ekb_verifier_create and ekb_verifier_check.
EKB_NODISCARD enum ekb_err ekb_verify_once(struct ekb_verify_outcome *out_outcome,
                                           const struct ekb_verify_options *options,
                                           const struct ekb_chain *chain,
                                           struct ekb_fail *reterr_fail);

#endif
