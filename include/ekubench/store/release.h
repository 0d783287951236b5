// Releases: what each of them lets into its stores, and what it verifies (docs/domain.md section
// 8).
//
// One table, read by whoever deploys a node (lab/deployment) and by whoever foretells one
// (lab/audit). Adding a release is adding a row. Pure data and pure functions.

#ifndef EKUBENCH_STORE_RELEASE_H
#define EKUBENCH_STORE_RELEASE_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/policy.h"
#include "ekubench/store/gate.h"

#include <stdbool.h>

// The releases whose rules differ; each row covers those from its own up to the next.
enum ekb_release {
    EKB_RELEASE_X14_1, // And all before it.
    EKB_RELEASE_X14_2,
    EKB_RELEASE_X15_4,
    EKB_RELEASE_X15_5, // And all after it.
    EKB_RELEASE_NUM
};

// What kind of node it is. Rules that name "C" or "E" are about these two; the others are far ends.
enum ekb_node_kind {
    EKB_NODE_CORE, // "C"
    EKB_NODE_EDGE, // "E"
    EKB_NODE_FAR,  // Somebody else's: no release of ours.
    EKB_NODE_NUM_KINDS
};

// Whom a node verifies that it connects to by HTTPS.
enum ekb_outbound {
    EKB_OUTBOUND_DISCOVERY, // Nobody, but when it discovers them, and then only if it is told to.
    EKB_OUTBOUND_ALWAYS,
};

struct ekb_release_rules {
    const char *name;   // "X15.5"
    const char *covers; // "X14.2 to X15.3"
    bool two_stores;    // Else one certificate serves both roles.
    // Usages (EKB_EKU_*) that the server store demands of C and E, all of them; and of an E whose
    // switch EnableServerEkuUpload is on, where there is such a switch.
    unsigned server_needs;
    bool has_upload_switch;
    unsigned server_needs_switched;
    bool has_mode_switch; // Else the EKU checking mode is on, always.
    enum ekb_outbound outbound;
    bool prefers_ecdsa;             // Of a server that has an RSA and an ECDSA certificate.
    enum ekb_eku_mode cluster_mode; // ClusterDB, TLS verify Enforcing: as the EKU checking modes.
    unsigned signature_needs;       // MRA SIP SERVICE: usages of E's certificate.
};

// ekb_release_rules returns the row of `release`.
const struct ekb_release_rules *ekb_release_rules(enum ekb_release release);

// ekb_release_parse reads a version ("X15.5", "x14.0.3", "15.4.1") and finds the row that covers
// it. EKB_USAGE if it is no version.
EKB_NODISCARD enum ekb_err ekb_release_parse(enum ekb_release *out_release, const char *text);

// ekb_node_kind_name returns "core", "edge" or "far"; ekb_node_kind_parse reads one back
// (EKB_USAGE).
const char *ekb_node_kind_name(enum ekb_node_kind kind);
EKB_NODISCARD enum ekb_err ekb_node_kind_parse(enum ekb_node_kind *out_kind, const char *text);

// How ClusterDB verifies its peers.
enum ekb_tls_verify {
    EKB_TLS_VERIFY_ENFORCING,  // As the release has it.
    EKB_TLS_VERIFY_PERMISSIVE, // Any certificate will do, or none.
};

// How one node is set up. The gate of its stores and its EKU checking mode follow from that.
struct ekb_release_node {
    enum ekb_release release;
    enum ekb_node_kind kind;
    enum ekb_eku_mode mode; // As it is set; only where there is such a switch.
    bool server_eku_upload; // EnableServerEkuUpload, likewise.
    enum ekb_tls_verify cluster_verify;
};

// ekb_release_mode returns the EKU checking mode that is in force on `node`.
enum ekb_eku_mode ekb_release_mode(const struct ekb_release_node *node);

// ekb_release_gate returns the usages that the store of `side` demands on `node`. A node without a
// client store (one store) demands of it what it demands of the server's. A far end is somebody
// else's: no gate of ours, 0.
unsigned ekb_release_gate(const struct ekb_release_node *node, enum ekb_store_side side);

// ekb_release_client_side returns the store whose certificate `node` presents as a TLS client:
// where there is one store, the server's.
enum ekb_store_side ekb_release_client_side(const struct ekb_release_node *node);

#endif
