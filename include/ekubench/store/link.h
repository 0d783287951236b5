// Links: who connects to whom, and what either verifies of the other (docs/domain.md section 10).
//
// One table, read by whoever deploys nodes (lab/deployment) and by whoever foretells what a
// certificate is good for (lab/audit). Adding a link is adding a row. Pure data and pure functions.

#ifndef EKUBENCH_STORE_LINK_H
#define EKUBENCH_STORE_LINK_H

#include "ekubench/base/err.h"
#include "ekubench/store/release.h"

#include <stdbool.h>
#include <stdint.h>

enum ekb_link {
    EKB_LINK_UC_ZONE,
    EKB_LINK_SSH_TUNNEL,
    EKB_LINK_NEIGHBOR,
    EKB_LINK_B2B,
    EKB_LINK_TRAFFIC,
    EKB_LINK_CLUSTER,
    EKB_LINK_SIP_SERVICE, // No connection: C checks a signature of E's.
    EKB_LINK_BROWSER,
    EKB_LINK_NUM
};

// Who may be at an end.
enum ekb_link_end {
    EKB_END_CORE,
    EKB_END_EDGE,
    EKB_END_FAR,
    EKB_END_ANY,
    EKB_END_SAME, // The same kind as the other end: a peer of its cluster.
};

// By what rule one end verifies the other.
enum ekb_link_rule {
    EKB_RULE_NOTHING,     // Not at all.
    EKB_RULE_MODE,        // By the verifier's EKU checking mode.
    EKB_RULE_CLIENT_AUTH, // For clientAuth, whatever the mode.
    EKB_RULE_SERVER_AUTH,
    EKB_RULE_OUTBOUND,  // For serverAuth and its name, where the release verifies those it connects
                        // to.
    EKB_RULE_CLUSTER,   // As the release has it for ClusterDB; not at all if TLS verify is
                        // permissive.
    EKB_RULE_SIGNATURE, // As the release has it for MRA SIP SERVICE.
};

struct ekb_link_row {
    const char *name;    // "uc-zone"
    const char *title;   // "UC traversal zone"
    const char *failure; // What a failed one says of itself, or NULL.
    enum ekb_link_end initiator;
    enum ekb_link_end responder;
    enum ekb_link_rule of_initiator; // How the responder verifies it,
    enum ekb_link_rule of_responder; // and the other way round.
    uint16_t port;                   // 0: no one in particular.
    bool initiator_named;            // It is verified for its name, too,
    bool responder_named;            // and so is this one.
    bool asks; // The responder asks for a certificate, though it may verify nothing of it.
};

// ekb_link_row returns the row of `link`. ekb_link_parse finds a link by its name (EKB_USAGE).
const struct ekb_link_row *ekb_link_row(enum ekb_link link);
EKB_NODISCARD enum ekb_err ekb_link_parse(enum ekb_link *out_link, const char *name);

// What is verified of a certificate.
struct ekb_link_demand {
    bool chain;      // Chain and validity; without it nothing is.
    bool name;       // That it has the name which it was expected to have.
    unsigned usages; // EKB_EKU_*, all of them; X509's rule: an absent extension has each.
};

// ekb_link_demand_of_initiator returns what `responder` verifies of those who connect to it by
// `link`, ekb_link_demand_of_responder what `initiator` verifies of whom it connects to.
struct ekb_link_demand ekb_link_demand_of_initiator(enum ekb_link link,
                                                    const struct ekb_release_node *responder);
struct ekb_link_demand ekb_link_demand_of_responder(enum ekb_link link,
                                                    const struct ekb_release_node *initiator);

// ekb_link_allows is true if the set of usages `eku` of a leaf (ekb_chain_eku) has all that
// `demand` asks for.
bool ekb_link_allows(const struct ekb_link_demand *demand, unsigned eku);

// ekb_link_demand_text says what is verified: "chain, clientAuth, name", "nothing".
#define EKB_LINK_DEMAND_TEXT_LEN 64
const char *ekb_link_demand_text(char out_text[EKB_LINK_DEMAND_TEXT_LEN],
                                 const struct ekb_link_demand *demand);

#endif
