// The upload gate: what a store takes in, and what it refuses (docs/domain.md section 2).
//
// Pure functions over what has been read; nothing is written here. A refusal is one of
// EKB_REFUSED_* or EKB_KEY_MISMATCH, and the failure's detail is the whole sentence to print.

#ifndef EKUBENCH_STORE_GATE_H
#define EKUBENCH_STORE_GATE_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/key.h"
#include "ekubench/store/store.h"

#include <stddef.h>
#include <stdint.h>

// How every refusal begins.
#define EKB_GATE_SENTENCE "Invalid certificate: "

// More certificates than this are no chain.
#define EKB_GATE_MAX_CHAIN 16

// Something to be told although it is accepted; "" if there is nothing.
struct ekb_gate_warning {
    char text[256];
};

// ekb_gate_sort returns in `*out_sorted` a newly-allocated chain of the certificates of `uploaded`:
// the leaf first, each issued by the next. The leaf is the one that issued no other.
// EKB_REFUSED_KEY if a key is of a kind or size that is not taken (what it signed could perhaps not
// be verified), EKB_REFUSED_CHAIN if they make no such chain, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_gate_sort(struct ekb_chain **out_sorted,
                                         const struct ekb_chain *uploaded,
                                         struct ekb_fail *reterr_fail);

// ekb_gate_check_chain says whether `chain`, sorted, may go into a store that demands the usages
// `needs` (a set of EKB_EKU_SERVER_AUTH and EKB_EKU_CLIENT_AUTH: store/release says which) at `now`
// (seconds since the epoch). EKB_REFUSED_USAGE if its leaf lacks one of them,
// EKB_REFUSED_KEY, EKB_REFUSED_EXPIRED, EKB_REFUSED_CHAIN, EKB_REFUSED_CA if an issuer is none.
// ekb_gate_check_key says whether `key` is that of its leaf: EKB_KEY_MISMATCH.
EKB_NODISCARD enum ekb_err ekb_gate_check_chain(unsigned needs, const struct ekb_chain *chain,
                                                int64_t now, struct ekb_gate_warning *out_warning,
                                                struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_gate_check_key(const struct ekb_chain *chain,
                                              const struct ekb_key *key,
                                              struct ekb_fail *reterr_fail);

// ekb_gate_check_ca says whether certificate `index` of `uploaded` may go into the trusted CA list
// `trust` (NULL: empty). EKB_REFUSED_CA if it is no CA or may not sign certificates,
// EKB_REFUSED_DUPLICATE, EKB_REFUSED_KEY, EKB_REFUSED_EXPIRED.
EKB_NODISCARD enum ekb_err ekb_gate_check_ca(const struct ekb_chain *uploaded, size_t index,
                                             const struct ekb_chain *trust, int64_t now,
                                             struct ekb_gate_warning *out_warning,
                                             struct ekb_fail *reterr_fail);

#endif
