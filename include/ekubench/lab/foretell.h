// What the rules foretell of a deployment, without a certificate minted or a connection made: for
// runs of which nobody has said what is expected. Pure.

#ifndef EKUBENCH_LAB_FORETELL_H
#define EKUBENCH_LAB_FORETELL_H

#include "ekubench/lab/deployment.h"

#include <stddef.h>

// ekb_foretell_rules returns the rules that node `index` is under, in a run under `release` with
// the EKU checking mode `mode`: far ends have none of ours, and a mode of their own (on, if it is
// not said).
struct ekb_release_node ekb_foretell_rules(const struct ekb_deployment *deployment, size_t index,
                                           enum ekb_release release, enum ekb_eku_mode mode);

// ekb_foretell_gate returns the rules under which the server certificate of a node is uploaded:
// where the client store comes of the upgrade, those before the release of two stores.
struct ekb_release_node ekb_foretell_gate(const struct ekb_deployment_node *node,
                                          struct ekb_release_node rules);

// ekb_foretell_link returns what the rules say of `link`. EKB_EXPECTED_UNKNOWN if a node of it has
// a store of its own, which nobody has looked into.
enum ekb_expected ekb_foretell_link(const struct ekb_deployment *deployment,
                                    const struct ekb_deployment_link *link,
                                    enum ekb_release release, enum ekb_eku_mode mode);

// ekb_foretell_mra returns what follows for MRA of the states of its links: `states` has one for
// each link of `deployment`, foretold or seen. It fails if one of the four kinds does
// (ekb_deployment_mra), and of a kind each link must be active. EKB_EXPECTED_UNKNOWN if a kind is
// not there, or nothing is known of a link and none fails.
enum ekb_expected ekb_foretell_mra(const struct ekb_deployment *deployment,
                                   const enum ekb_expected *states);

#endif
