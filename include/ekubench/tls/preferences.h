// What one side of a connection prefers: key agreement groups, cipher suites, signature algorithms.

#ifndef EKUBENCH_TLS_PREFERENCES_H
#define EKUBENCH_TLS_PREFERENCES_H

#include "ekubench/base/err.h"

#include <stdbool.h>

// Key agreement groups, most preferred first. TLS 1.2 with an ECDSA certificate needs its curve in
// the list.
#define EKB_TLS_GROUPS "X25519:P-256:P-384"
// The TLS 1.2 suites, most preferred first; in TLS 1.3 the library takes AES-128-GCM where there is
// AES hardware, and lets nobody choose.
#define EKB_TLS_CIPHERS                                                                            \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"

// In a list of groups: the library's hybrid of X25519 and a post-quantum algorithm.
#define EKB_TLS_HYBRID "hybrid"

// Lists, most preferred first, joined by colons. NULL: the two above; of signatures, all that are
// known.
struct ekb_tls_preferences {
    // Names of the library ("X25519", "P-256", "P-384", "P-521", ...), or EKB_TLS_HYBRID. The
    // client's order decides.
    const char *groups;
    // TLS 1.2 suites, by OpenSSL's names.
    const char *ciphers;
    // What is verified, by the names of RFC 8446 section 4.2.3 ("ecdsa_secp256r1_sha256",
    // "rsa_pss_rsae_sha256", ...): a client's order decides which certificate comes of a server
    // that has two.
    const char *signatures;
};

// ekb_tls_preferences_check returns EKB_OK if the library knows all of them, else EKB_USAGE with
// the list that is wrong and what is known; EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_tls_preferences_check(const struct ekb_tls_preferences *preferences,
                                                     struct ekb_fail *reterr_fail);

// ekb_tls_preferences_groups returns the list of groups: what is given, or EKB_TLS_GROUPS.
const char *ekb_tls_preferences_groups(const struct ekb_tls_preferences *preferences);

// ekb_tls_preferences_equal is true if both prefer the same.
bool ekb_tls_preferences_equal(const struct ekb_tls_preferences *a,
                               const struct ekb_tls_preferences *b);

// ekb_tls_hybrid_group returns the library's name of EKB_TLS_HYBRID: "X25519MLKEM768" or, before
// that was a standard, "X25519KYBER"; NULL if it has none.
const char *ekb_tls_hybrid_group(void);

#endif
