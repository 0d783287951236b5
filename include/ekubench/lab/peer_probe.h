// A probe: what a server shows to a node that connects to it, and what the node makes of that.
//
// Some connections that only look (whatever certificate comes is taken, and none is presented),
// with either kind of certificate preferred, and if need be with one kind alone; and one as the
// node makes it, with the certificate that its release has for a client, and its verification.

#ifndef EKUBENCH_LAB_PEER_PROBE_H
#define EKUBENCH_LAB_PEER_PROBE_H

#include "ekubench/base/err.h"
#include "ekubench/io/net.h"
#include "ekubench/lab/outbound.h"
#include "ekubench/peer/visit.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/release.h"
#include "ekubench/store/store.h"
#include "ekubench/tls/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ekb_peer_probe_options {
    struct ekb_address target;
    // All that the target's name has: the first that connects is the target. NULL: it has one.
    const struct ekb_addresses *addresses;
    const char *store; // The node's: its certificates and its trusted CAs, as far as it has any.
    const char *name;  // What the server has to be called: a DNS name or an IP address.
    enum ekb_release release;
    bool discovery; // It is discovered, with TLS verify mode on: every release verifies it.
    enum ekb_tls_version version;
    const int64_t *at;    // Of the verification; NULL: now.
    uint64_t deadline_ns; // Of each connection.
};

// The kinds of certificates of which a server may hold one each.
enum ekb_probe_kind {
    EKB_PROBE_RSA,
    EKB_PROBE_ECDSA, // And Ed25519.
    EKB_PROBE_NUM_KINDS
};

// What the node did with its certificate.
enum ekb_probe_client {
    EKB_PROBE_CLIENT_NOT_KNOWN, // The handshake ended before the server can have asked for one.
    EKB_PROBE_CLIENT_NOT_ASKED, // The server does not ask for one.
    EKB_PROBE_CLIENT_TOO_EARLY, // It does, but the handshake ended before one could be presented.
    EKB_PROBE_CLIENT_EMPTY,     // It does; the node has none, and has said so.
    EKB_PROBE_CLIENT_PRESENTED, // It does; the node has presented its own.
};

struct ekb_peer_probe {
    struct ekb_address address; // Of the target: the one that connects.
    struct ekb_visit look;      // That takes whatever comes, with the preferences of the release.
    struct ekb_chain *chains[EKB_PROBE_NUM_KINDS]; // By kind; NULL: the server has none of it.
    struct ekb_outbound_verdict verdicts[EKB_PROBE_NUM_KINDS];
    struct {
        bool shown; // The next is known: something was presented.
        enum ekb_probe_kind kind;
    } preferred[EKB_PROBE_NUM_KINDS]; // By the kind that is asked for first: what comes of it.
    size_t num_trusted;               // CAs in the node's list.
    // As the node makes it. Not made if the server showed nothing.
    bool visited;
    struct ekb_visit visit;
    struct ekb_outbound_verdict
        verdict; // On what came in it; good if the release verifies nothing.
    enum ekb_probe_client client;
    enum ekb_store_side side;    // The store whose certificate the release has for a client:
    bool has_leaf;               // there is one,
    struct ekb_description leaf; // this.
};

// ekb_peer_probe_look connects once, with `preferences`, presents nothing and takes whatever
// certificate comes; of the options neither store nor release nor time matters. A name that is none
// of DNS is not asked for. Errors of ekb_tls_config_create and ekb_visit_make; release `*out_visit`
// with ekb_visit_deinit.
EKB_NODISCARD enum ekb_err ekb_peer_probe_look(struct ekb_visit *out_visit,
                                               const struct ekb_peer_probe_options *options,
                                               struct ekb_tls_preferences preferences,
                                               struct ekb_fail *reterr_fail);

// ekb_peer_probe_make probes the server. That it cannot be reached, or fails, is no error (`look`
// and `visit` say it). A store without a trusted CA list trusts nobody. Errors of ekb_store_find,
// ekb_store_load, ekb_tls_config_create, ekb_visit_make and ekb_outbound_judge. Release
// `*out_probe` with ekb_peer_probe_deinit, whatever was returned.
EKB_NODISCARD enum ekb_err ekb_peer_probe_make(struct ekb_peer_probe *out_probe,
                                               const struct ekb_peer_probe_options *options,
                                               struct ekb_fail *reterr_fail);
void ekb_peer_probe_deinit(struct ekb_peer_probe *probe);

// ekb_peer_probe_shows is true if the server has shown a certificate.
bool ekb_peer_probe_shows(const struct ekb_peer_probe *probe);

// ekb_peer_probe_kind_of returns which certificate `release` gets of a server that was probed: what
// came when it was asked as that release asks. False if nothing did.
bool ekb_peer_probe_kind_of(enum ekb_probe_kind *out_kind, const struct ekb_peer_probe *probe,
                            enum ekb_release release);

// ekb_peer_probe_verifies is true if `release` verifies the server that is probed.
bool ekb_peer_probe_verifies(const struct ekb_peer_probe_options *options,
                             enum ekb_release release);

// ekb_peer_probe_works is true if the node's own connection came about.
bool ekb_peer_probe_works(const struct ekb_peer_probe *probe);

// ekb_peer_probe_hint says what to do if it did not, "" if nothing is known or it did. A string
// literal.
const char *ekb_peer_probe_hint(const struct ekb_peer_probe *probe);

#endif
