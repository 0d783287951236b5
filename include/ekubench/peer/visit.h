// A visit: one connection to a server, in the foreground, that tells all there was to see.
//
// For those who look at a server or a link, not for load: it waits, and allocates. The TLS is that
// of tls/endpoint, the judge that of the configuration.

#ifndef EKUBENCH_PEER_VISIT_H
#define EKUBENCH_PEER_VISIT_H

#include "ekubench/base/err.h"
#include "ekubench/io/net.h"
#include "ekubench/pki/cert.h"
#include "ekubench/tls/config.h"
#include "ekubench/tls/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct ekb_visit_options {
    struct ekb_address target;
    const struct ekb_tls_config *config; // A client's; borrowed.
    uint64_t deadline_ns;                // For all of it.
    // How long to wait for the server's verdict after the client's own handshake: a server of
    // TLS 1.3 judges the client's certificate after that, and need not say that it has accepted it.
    uint64_t settle_ns;
};

#define EKB_VISIT_NAME_LEN 48

// What came of it.
struct ekb_visit {
    // EKB_OK: the handshake ended, and no rejection was seen. EKB_CONNECT_*, EKB_PEER_*,
    // EKB_DEADLINE, EKB_TRANSPORT; EKB_TLS_ALERT: the server sent `alert_received`; EKB_VERIFY_*
    // and the others of TLS: this side ended it, with `alert_sent`.
    enum ekb_err err;
    bool confirmed; // The server has said that it accepts: by a ticket, a byte, a close in order.
    bool was_asked; // The server has asked for a certificate.
    int alert_received; // -1: none.
    int alert_sent;
    struct ekb_chain
        *peer; // What the server presented, as far as it can be decoded; owned. NULL: nothing.
    char version[EKB_VISIT_NAME_LEN]; // As the library names them; "" if it did not come so far.
    char cipher[EKB_VISIT_NAME_LEN];
    char group[EKB_VISIT_NAME_LEN];
    char signature[EKB_VISIT_NAME_LEN];
    char reason[128]; // The library's, if it failed; "".
    struct ekb_address local;
    struct ekb_tls_trace trace; // The handshake's messages, in their order.
};

// ekb_visit_make makes the connection, sees what comes of it and ends it. The return value is about
// the attempt alone, not about the server: EKB_NOMEM, EKB_DESCRIPTORS, EKB_SYSTEM. Release
// `*out_visit` with ekb_visit_deinit, whatever was returned.
EKB_NODISCARD enum ekb_err ekb_visit_make(struct ekb_visit *out_visit,
                                          const struct ekb_visit_options *options,
                                          struct ekb_fail *reterr_fail);
void ekb_visit_deinit(struct ekb_visit *visit);

#endif
