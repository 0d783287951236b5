// Outbound verification: what a node makes of an HTTPS server that it connects to, and the lines
// that it logs (docs/domain.md section 9). Pure, but for the verification itself (pki/verify).

#ifndef EKUBENCH_LAB_OUTBOUND_H
#define EKUBENCH_LAB_OUTBOUND_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/store/release.h"
#include "ekubench/tls/preferences.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ekb_outbound_preferences returns what decides which certificate a server with an RSA and an ECDSA
// one sends: signature algorithms (TLS 1.3) and suites (TLS 1.2), either kind first. All that the
// library has is offered, but for Triple-DES and SHA-1 signatures; RSA keys that are for PSS alone
// (rsa_pss_pss_*) and TLS before 1.2 it does not know.
struct ekb_tls_preferences ekb_outbound_preferences(bool ecdsa_first);

// ekb_outbound_only returns preferences with which a server can only send a certificate of that
// kind.
struct ekb_tls_preferences ekb_outbound_only(bool ecdsa);

// What is found of a server's chain: first the chain, then, if it is good, the name.
struct ekb_outbound_verdict {
    enum ekb_err err;  // EKB_OK, or EKB_VERIFY_*.
    bool is_name;      // It is the name that does not fit: the chain is good.
    int depth;         // Of the offending certificate, 0 = leaf; -1 if none.
    char subject[256]; // Its subject; "".
};

// ekb_outbound_judge verifies `chain` against `trust`, and its names against `name` (the FQDN or
// address that was connected to; names are in the SANs, and in the CN only if no SAN is of a name's
// type). `at` is in seconds since the epoch; NULL: now. EKB_USAGE if the name is malformed or the
// chain empty; EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_outbound_judge(struct ekb_outbound_verdict *out_verdict,
                                              const struct ekb_chain *chain,
                                              const struct ekb_chain *trust, const char *name,
                                              const int64_t *at, struct ekb_fail *reterr_fail);

// ekb_outbound_log writes the lines that the node logs of `verdict`, each ended by a newline: none
// if it is good. `server` is the name or address that was connected to, `address` the IP address
// that it is.
#define EKB_OUTBOUND_LOG_LEN 2048
const char *ekb_outbound_log(char out_text[EKB_OUTBOUND_LOG_LEN],
                             const struct ekb_outbound_verdict *verdict, const char *server,
                             const char *address);

// ekb_outbound_hint says what to do about `verdict`; "" if it is good. A string literal.
const char *ekb_outbound_hint(const struct ekb_outbound_verdict *verdict);

#endif
