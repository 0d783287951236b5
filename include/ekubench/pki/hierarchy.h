// A CA hierarchy that grows downwards on demand: a root, an intermediate under it, one under that,
// ...
//
// All CAs have one key type and one validity, and no extended key usage. Their keys live in memory
// only.

#ifndef EKUBENCH_PKI_HIERARCHY_H
#define EKUBENCH_PKI_HIERARCHY_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/key.h"
#include "ekubench/pki/mint.h"

#include <stddef.h>
#include <stdint.h>

struct ekb_hierarchy;

// ekb_hierarchy_create makes the root; the validity is in seconds since the epoch. Release with
// `ekb_hierarchy_destroy` (NULL is legal). Errors of ekb_ca_create_root.
EKB_NODISCARD enum ekb_err ekb_hierarchy_create(struct ekb_hierarchy **out_hierarchy,
                                                enum ekb_key_type key_type, int64_t not_before,
                                                int64_t not_after, struct ekb_fail *reterr_fail);
void ekb_hierarchy_destroy(struct ekb_hierarchy *hierarchy);

// ekb_hierarchy_create_stranger makes the root of another one, of the same key type and validity as
// `known`, whose CAs have other names. Nobody who trusts `known` trusts it. As
// ekb_hierarchy_create.
EKB_NODISCARD enum ekb_err ekb_hierarchy_create_stranger(struct ekb_hierarchy **out_hierarchy,
                                                         const struct ekb_hierarchy *known,
                                                         struct ekb_fail *reterr_fail);

// ekb_hierarchy_root returns the root's certificate, a trusted CA list of one; owned by
// `hierarchy`.
const struct ekb_chain *ekb_hierarchy_root(const struct ekb_hierarchy *hierarchy);

// ekb_hierarchy_root_ca returns the root itself, to sign other things; owned by `hierarchy`.
const struct ekb_ca *ekb_hierarchy_root_ca(const struct ekb_hierarchy *hierarchy);

// ekb_hierarchy_issue makes a key and a certificate with `depth` certificates above it (1 to
// EKB_MINT_MAX_DEPTH), making the intermediates that it needs. Key type and validity of `spec` are
// the hierarchy's, whatever it says. As ekb_ca_issue.
EKB_NODISCARD enum ekb_err ekb_hierarchy_issue(struct ekb_chain **out_chain,
                                               struct ekb_key **out_key,
                                               struct ekb_hierarchy *hierarchy, unsigned depth,
                                               const struct ekb_mint_leaf *spec,
                                               struct ekb_fail *reterr_fail);

// ekb_hierarchy_issue_brief is the same for a certificate that lives for the first `life_s` seconds
// of the hierarchy's validity only.
EKB_NODISCARD enum ekb_err
ekb_hierarchy_issue_brief(struct ekb_chain **out_chain, struct ekb_key **out_key,
                          struct ekb_hierarchy *hierarchy, unsigned depth, int64_t life_s,
                          const struct ekb_mint_leaf *spec, struct ekb_fail *reterr_fail);

// A chain that the hierarchy has issued at that depth, and whose leaf is revoked. Borrowed.
struct ekb_hierarchy_revoked {
    const struct ekb_chain *chain;
    unsigned depth;
};

// ekb_hierarchy_issue_crls makes what is needed to look up the revocation of every certificate of
// chains up to `depth`: a CRL of each of the first `depth` CAs, of the hierarchy's validity, on
// which are those of `revoked` that the CA has signed, and nobody else. Release `*out_crls` with
// `ekb_crls_destroy`. EKB_USAGE if there is no such depth, EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_hierarchy_issue_crls(struct ekb_crls **out_crls,
                                                    struct ekb_hierarchy *hierarchy, unsigned depth,
                                                    const struct ekb_hierarchy_revoked *revoked,
                                                    size_t num_revoked,
                                                    struct ekb_fail *reterr_fail);

#endif
