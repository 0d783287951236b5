// The load client: many connections in flight, each one full handshake, against any TLS server.
//
// Closed loop: whenever a connection ends the next one starts, so that `in_flight` are under way at
// all times, once there are as many.
//
// Open loop: connections start when they are due (peer/pace), whatever becomes of the others, as
// those of many independent clients do. One that is due when `in_flight` are under way is dropped,
// and counted; its successors are not late for it.
//
// Each new connection draws its arm: from a seeded block-randomised sequence, or by the shares of
// the arms. A handshake is accepted when the server's verdict has been seen, not
// when the client's own handshake call returns: in TLS 1.3 that happens before the server has
// looked at the client's certificate.
//
// Connections are closed by reset, so that no TIME_WAIT keeps ports. Latency is measured from the
// planned start.

#ifndef EKUBENCH_PEER_CLIENT_H
#define EKUBENCH_PEER_CLIENT_H

#include "ekubench/base/err.h"
#include "ekubench/io/net.h"
#include "ekubench/peer/confirm.h"
#include "ekubench/peer/pace.h"
#include "ekubench/peer/pick.h"
#include "ekubench/peer/tally.h"
#include "ekubench/peer/timeline.h"
#include "ekubench/pki/policy.h"
#include "ekubench/tls/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How much the client itself does.
enum ekb_client_kind {
    EKB_CLIENT_FULL,  // Verifies the server's chain.
    EKB_CLIENT_CHEAP, // Does not even parse it: for load, when the server is what is measured.
};

struct ekb_client_arm {
    struct ekb_address target;
    const char
        *store_path; // The client store to present and the CAs to trust; NULL: no certificate.
    // A directory of identities (store/identities), of which each connection presents the one that
    // is picked, in the place of the store's; or NULL.
    const char *identities;
    struct ekb_pick_rule pick;
    // In the place of the store's CAs: those of another store, or of a PEM file. NULL: none.
    const char *trust_store;
    const char *ca_path;
    enum ekb_tls_version version;
    struct ekb_tls_preferences preferences;
    enum ekb_client_kind kind;
    const struct ekb_policy *policy; // What a full one verifies; NULL: chain, validity, serverAuth.
    bool presents_server;            // The store's server certificate: a node that has no other.
    const char *sni;                 // Or NULL.
    double share;        // Of the connections. 0 in all arms: each arm as often as the others.
    bool keeps_sessions; // Those that its connections bring can be resumed, by arms that resume.
    // Presents sessions of arm `session_arm`, one connection each in TLS 1.3, and only what is
    // resumed counts as expected. As long as there is none, that arm has the connection.
    bool resumes;
    uint16_t session_arm;
    const struct ekb_flights *flights; // No TLS: as many bytes, in TCP slices only. NULL: TLS.
    enum ekb_expect expect;
};

struct ekb_client_options {
    const struct ekb_client_arm *arms;
    size_t num_arms;
    uint32_t in_flight; // Open loop: at most.
    uint64_t
        ramp_ns; // Closed loop: how long it takes from none to `in_flight`, from the origin on.
    const struct ekb_pace_stretch *stretches; // The rate of an open loop, or NULL. Borrowed.
    size_t num_stretches;
    enum ekb_arrivals_kind arrivals;
    struct ekb_pace_share share; // Of the rate that this worker gives.
    uint64_t max_starts;         // 0: no limit.
    uint64_t deadline_ns;
    uint64_t seed;
    enum ekb_confirm confirm;
    const struct ekb_timeline *timeline; // Shared with the parent. Connections start until its end.
    struct ekb_tally *tally;
    // Floor slices: the server store whose handshake (EKU mode on) with arm 0's client is made in
    // memory. NULL: none.
    const char *floor_server_store;
};

// Source addresses of connections to 127.0.0.0/8 at most.
#define EKB_CLIENT_MAX_SOURCES 64

// The client gives up when this many handshakes have failed and none has been accepted or rejected.
#define EKB_CLIENT_GIVE_UP 16

// ekb_client_check reads the stores and makes every arm's configuration, and throws them away.
EKB_NODISCARD enum ekb_err ekb_client_check(const struct ekb_client_options *options,
                                            struct ekb_fail *reterr_fail);

// ekb_client_run prepares, calls `ready`, and runs the load from the timeline's origin to its end,
// or until the parent says stop through `control_fd` or goes away. EKB_NO_IO_URING, EKB_NOMEM,
// EKB_SYSTEM, errors of the stores; the commonest failure's code if it gave up (the detail names
// the server).
EKB_NODISCARD enum ekb_err ekb_client_run(const struct ekb_client_options *options, int control_fd,
                                          void (*ready)(void *ready_context), void *ready_context,
                                          struct ekb_fail *reterr_fail);

#endif
