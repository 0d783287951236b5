#include "ekubench/lab/foretell.h"

#include "ekubench/pki/cert.h"
#include "ekubench/pki/policy.h"

#include <string.h>
#include <strings.h>

struct ekb_release_node ekb_foretell_rules(const struct ekb_deployment *deployment, size_t index,
                                           enum ekb_release release, enum ekb_eku_mode mode)
{
    const struct ekb_deployment_node *node = &deployment->nodes[index];
    struct ekb_release_node rules = node->rules;
    rules.release = release;
    if (!node->has_mode) {
        rules.mode = rules.kind == EKB_NODE_FAR ? EKB_EKU_ON : mode;
    }
    return rules;
}

struct ekb_release_node ekb_foretell_gate(const struct ekb_deployment_node *node,
                                          struct ekb_release_node rules)
{
    if (node->client.origin == EKB_ORIGIN_UPGRADE && rules.kind != EKB_NODE_FAR &&
        ekb_release_rules(rules.release)->two_stores) {
        rules.release = EKB_RELEASE_X15_4;
    }
    return rules;
}

// passes is true if the gate lets the certificate in: usages must be there, absent ones are not.
static bool passes(const struct ekb_deployment_identity *identity, unsigned needs)
{
    return ekb_deployment_is_minted(identity) && (identity->eku & needs) == needs;
}

// server_of returns what the node presents as a server; NULL: its self-signed default.
static const struct ekb_deployment_identity *server_of(const struct ekb_deployment_node *node,
                                                       struct ekb_release_node rules)
{
    const struct ekb_release_node gate = ekb_foretell_gate(node, rules);
    return passes(&node->server, ekb_release_gate(&gate, EKB_STORE_SERVER)) ? &node->server : NULL;
}

// client_of returns what it presents as a client; NULL: nothing.
static const struct ekb_deployment_identity *client_of(const struct ekb_deployment_node *node,
                                                       struct ekb_release_node rules)
{
    if (ekb_release_client_side(&rules) == EKB_STORE_SERVER ||
        node->client.origin == EKB_ORIGIN_UPGRADE || node->client.origin == EKB_ORIGIN_COPY) {
        return server_of(node, rules);
    }
    return passes(&node->client, ekb_release_gate(&rules, EKB_STORE_CLIENT)) ? &node->client : NULL;
}

static bool is_ecdsa(const struct ekb_deployment_identity *identity)
{
    return identity->key_type == EKB_KEY_P256 || identity->key_type == EKB_KEY_P384 ||
           identity->key_type == EKB_KEY_ED25519;
}

// second_of returns its second server certificate, NULL if it has none.
static const struct ekb_deployment_identity *second_of(const struct ekb_deployment_node *node,
                                                       struct ekb_release_node rules)
{
    return passes(&node->second, ekb_release_gate(&rules, EKB_STORE_SERVER)) ? &node->second : NULL;
}

// sent_to returns which of its server certificates the node sends to `initiator`.
static const struct ekb_deployment_identity *sent_to(const struct ekb_deployment_node *node,
                                                     struct ekb_release_node rules,
                                                     const struct ekb_release_node *initiator)
{
    const struct ekb_deployment_identity *first = server_of(node, rules);
    const struct ekb_deployment_identity *second = second_of(node, rules);
    const bool ecdsa_first =
        initiator->kind == EKB_NODE_FAR || ekb_release_rules(initiator->release)->prefers_ecdsa;
    // The default has an ECDSA key.
    const bool first_is_ecdsa = first == NULL || is_ecdsa(first);
    return second != NULL && is_ecdsa(second) == ecdsa_first && first_is_ecdsa != ecdsa_first
               ? second
               : first;
}

// What one end of a link shows to the other.
struct shown {
    const struct ekb_deployment_identity *identity; // NULL: nothing that anybody trusts.
    bool has_name; // It is called what it is expected to be called.
};

static bool is_good(const struct shown *shown, const struct ekb_link_demand *demand,
                    const struct ekb_deployment_node *verifier)
{
    if (!demand->chain) {
        return true;
    }
    return shown->identity != NULL && shown->identity->origin == EKB_ORIGIN_CA &&
           (verifier->trusts & (1U << shown->identity->ca)) != 0 &&
           ekb_link_allows(demand, shown->identity->eku) && (!demand->name || shown->has_name);
}

enum ekb_expected ekb_foretell_link(const struct ekb_deployment *deployment,
                                    const struct ekb_deployment_link *link,
                                    enum ekb_release release, enum ekb_eku_mode mode)
{
    const struct ekb_deployment_node *a = &deployment->nodes[link->initiator];
    const struct ekb_deployment_node *b = &deployment->nodes[link->responder];
    const struct ekb_release_node rules_a =
        ekb_foretell_rules(deployment, link->initiator, release, mode);
    const struct ekb_release_node rules_b =
        ekb_foretell_rules(deployment, link->responder, release, mode);
    if (a->store[0] != '\0' || b->store[0] != '\0') {
        return EKB_EXPECTED_UNKNOWN;
    }
    const struct ekb_link_demand of_a = ekb_link_demand_of_initiator(link->kind, &rules_b);
    const struct ekb_link_demand of_b = ekb_link_demand_of_responder(link->kind, &rules_a);
    const struct shown by_a = {link->kind == EKB_LINK_SIP_SERVICE ? server_of(a, rules_a)
                                                                  : client_of(a, rules_a),
                               !a->unnamed};
    const struct shown by_b = {
        sent_to(b, rules_b, &rules_a),
        !b->unnamed && (link->address[0] == '\0' || strcasecmp(link->address, b->host) == 0)};
    return is_good(&by_a, &of_a, b) && is_good(&by_b, &of_b, a) ? EKB_EXPECTED_ACTIVE
                                                                : EKB_EXPECTED_FAILED;
}

// all_of returns the state of the links of `kind` together: unknown if there is none.
static enum ekb_expected all_of(const struct ekb_deployment *deployment,
                                const enum ekb_expected *states, enum ekb_link kind)
{
    bool is_there = false;
    bool all_known = true;
    for (size_t i = 0; i < deployment->num_links; i++) {
        if (deployment->links[i].kind != kind) {
            continue;
        }
        if (states[i] == EKB_EXPECTED_FAILED) {
            return EKB_EXPECTED_FAILED;
        }
        is_there = true;
        all_known = all_known && states[i] == EKB_EXPECTED_ACTIVE;
    }
    return is_there && all_known ? EKB_EXPECTED_ACTIVE : EKB_EXPECTED_UNKNOWN;
}

// has_mra is true if there is all of which MRA is made.
static bool has_mra(const struct ekb_deployment *deployment)
{
    size_t num = 0;
    for (size_t part = 0; part < EKB_DEPLOYMENT_NUM_MRA; part++) {
        bool is_there = false;
        for (size_t i = 0; i < deployment->num_links; i++) {
            is_there = is_there || deployment->links[i].kind == ekb_deployment_mra[part];
        }
        num += is_there ? 1 : 0;
    }
    return num == EKB_DEPLOYMENT_NUM_MRA;
}

enum ekb_expected ekb_foretell_mra(const struct ekb_deployment *deployment,
                                   const enum ekb_expected *states)
{
    enum ekb_expected mra = EKB_EXPECTED_ACTIVE;
    if (!has_mra(deployment)) {
        return EKB_EXPECTED_UNKNOWN;
    }
    for (size_t part = 0; part < EKB_DEPLOYMENT_NUM_MRA; part++) {
        const enum ekb_expected state = all_of(deployment, states, ekb_deployment_mra[part]);
        if (state == EKB_EXPECTED_FAILED) {
            return EKB_EXPECTED_FAILED;
        }
        mra = state == EKB_EXPECTED_UNKNOWN ? EKB_EXPECTED_UNKNOWN : mra;
    }
    return mra;
}
