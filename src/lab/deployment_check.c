#include "lab/deployment_internal.h"

#include "ekubench/pki/mint.h"

#include <stdio.h>
#include <string.h>

static bool is_end(enum ekb_link_end end, enum ekb_node_kind kind, enum ekb_node_kind other)
{
    switch (end) {
    case EKB_END_CORE:
        return kind == EKB_NODE_CORE;
    case EKB_END_EDGE:
        return kind == EKB_NODE_EDGE;
    case EKB_END_FAR:
        return kind == EKB_NODE_FAR;
    case EKB_END_SAME:
        return kind == other;
    case EKB_END_ANY:
        break;
    }
    return true;
}

// end_text says who may be at an end of a link.
static const char *end_text(enum ekb_link_end end)
{
    switch (end) {
    case EKB_END_CORE:
        return "a core node";
    case EKB_END_EDGE:
        return "an edge node";
    case EKB_END_FAR:
        return "a far end";
    case EKB_END_SAME:
        return "one of the same kind";
    case EKB_END_ANY:
        break;
    }
    return "any node";
}

static enum ekb_err check_link(const struct ekb_deployment *deployment,
                               const struct ekb_deployment_link *link, const char *name,
                               struct ekb_fail *reterr_fail)
{
    if (link->kind == EKB_LINK_NUM) {
        return ekb_fail_say(reterr_fail, EKB_USAGE,
                            "%s:%u: [link %s]: its kind is wanted: " EKB_DEPLOYMENT_KINDS, name,
                            link->line, link->name);
    }
    const bool has_initiator = link->initiator < deployment->num_nodes;
    if (!has_initiator || link->responder >= deployment->num_nodes) {
        return ekb_fail_say(reterr_fail, EKB_USAGE,
                            "%s:%u: [link %s]: initiator and responder are wanted: add a line "
                            "\"%s = NODE\"",
                            name, link->line, link->name,
                            has_initiator ? "responder" : "initiator");
    }
    const struct ekb_deployment_node *initiator = &deployment->nodes[link->initiator];
    const struct ekb_deployment_node *responder = &deployment->nodes[link->responder];
    const struct ekb_link_row *row = ekb_link_row(link->kind);
    if (!is_end(row->initiator, initiator->rules.kind, responder->rules.kind) ||
        !is_end(row->responder, responder->rules.kind, initiator->rules.kind)) {
        return ekb_fail_say(reterr_fail, EKB_USAGE,
                            "%s:%u: [link %s]: %s goes from %s to %s; this one goes from %s "
                            "(%s) to %s (%s)",
                            name, link->line, link->name, row->name, end_text(row->initiator),
                            end_text(row->responder), initiator->name,
                            ekb_node_kind_name(initiator->rules.kind), responder->name,
                            ekb_node_kind_name(responder->rules.kind));
    }
    return EKB_OK;
}

// count_links returns how many links of `kind` there are.
static size_t count_links(const struct ekb_deployment *deployment, enum ekb_link kind)
{
    size_t num = 0;
    for (size_t i = 0; i < deployment->num_links; i++) {
        num += deployment->links[i].kind == kind ? 1 : 0;
    }
    return num;
}

// check_mra refuses an expectation of MRA where not all is there of which it is made.
static enum ekb_err check_mra(const struct ekb_deployment *deployment,
                              const struct ekb_deployment_expectation *expectation,
                              const char *name, struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < EKB_DEPLOYMENT_NUM_MRA; i++) {
        if (count_links(deployment, ekb_deployment_mra[i]) == 0) {
            return ekb_fail_say(reterr_fail, EKB_USAGE,
                                "%s:%u: [expect]: mra is made of four links, and there is no %s: "
                                "add [link %s]",
                                name, expectation->line, ekb_link_row(ekb_deployment_mra[i])->name,
                                ekb_link_row(ekb_deployment_mra[i])->name);
        }
    }
    return EKB_OK;
}

// refuse_stranger says of what nothing can be expected, and of what it can.
static enum ekb_err refuse_stranger(const struct ekb_deployment *deployment,
                                    const struct ekb_deployment_expectation *expectation,
                                    const char *name, struct ekb_fail *reterr_fail)
{
    char links[96] = "";
    for (size_t i = 0; i < deployment->num_links; i++) {
        const size_t len = strlen(links);
        if (len + strlen(deployment->links[i].name) + sizeof ", ..." > sizeof links) {
            (void)snprintf(links + len, sizeof links - len, ", ...");
            break;
        }
        (void)snprintf(links + len, sizeof links - len, "%s%s", len > 0 ? ", " : "",
                       deployment->links[i].name);
    }
    return ekb_fail_say(reterr_fail, EKB_USAGE,
                        "%s:%u: [expect]: \"%s\" is no link of the deployment, nor mra; its links "
                        "are %s",
                        name, expectation->line, expectation->what, links);
}

static enum ekb_err check_expectation(const struct ekb_deployment *deployment,
                                      const struct ekb_deployment_expectation *expectation,
                                      const char *name, struct ekb_fail *reterr_fail)
{
    if (strcmp(expectation->what, "mra") == 0) {
        return check_mra(deployment, expectation, name, reterr_fail);
    }
    for (size_t i = 0; i < deployment->num_links; i++) {
        if (strcmp(expectation->what, deployment->links[i].name) == 0) {
            const bool connects = deployment->links[i].kind != EKB_LINK_SIP_SERVICE;
            return connects || (!expectation->asks && expectation->log[0] == '\0')
                       ? EKB_OK
                       : ekb_fail_say(reterr_fail, EKB_USAGE,
                                      "%s:%u: [expect]: %s is no connection: nobody asks or logs",
                                      name, expectation->line, expectation->what);
        }
    }
    return refuse_stranger(deployment, expectation, name, reterr_fail);
}

// refuse_release says which releases differ. Where [deployment] names none, it is one node beside
// another, of which perhaps nothing is said.
static enum ekb_err refuse_release(const struct ekb_deployment *deployment,
                                   const struct ekb_deployment_node *node, const char *name,
                                   struct ekb_fail *reterr_fail)
{
    const char *const release = ekb_release_rules(node->rules.release)->name;
    if (deployment->has_release) {
        return ekb_fail_say(
            reterr_fail, EKB_USAGE,
            "%s:%u: C and E must run the same release: node %s has %s, [deployment] %s%s; leave "
            "the node's line out",
            name, node->line, node->name, release, ekb_release_rules(deployment->releases[0])->name,
            deployment->num_releases > 1 ? " and others" : "");
    }
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        const struct ekb_deployment_node *other = &deployment->nodes[i];
        if (other->rules.kind != EKB_NODE_FAR &&
            (!other->has_release || other->rules.release != node->rules.release)) {
            return ekb_fail_say(reterr_fail, EKB_USAGE,
                                "%s:%u: C and E must run the same release: node %s has %s, node %s "
                                "%s; say it once, "
                                "in [deployment]",
                                name, node->line, node->name, release, other->name,
                                other->has_release ? ekb_release_rules(other->rules.release)->name
                                                   : "says none");
        }
    }
    return EKB_OK;
}

// check_release refuses a C or E of another release than the deployment's: they must run the same.
static enum ekb_err check_release(const struct ekb_deployment *deployment,
                                  const struct ekb_deployment_node *node, const char *name,
                                  struct ekb_fail *reterr_fail)
{
    if (!node->has_release ||
        (deployment->num_releases == 1 && deployment->releases[0] == node->rules.release)) {
        return EKB_OK;
    }
    return refuse_release(deployment, node, name, reterr_fail);
}

static bool is_rsa(const struct ekb_deployment_identity *identity)
{
    return strncmp(ekb_key_type_name(identity->key_type), "rsa", 3) == 0;
}

// wanted_of returns what is wrong with a node; NULL: nothing.
static const char *wanted_of(const struct ekb_deployment_node *node)
{
    const bool is_far = node->rules.kind == EKB_NODE_FAR;
    const bool has_second = node->second.origin != EKB_ORIGIN_NONE;
    if (!ekb_mint_is_dns_name(node->host)) {
        return "host is wanted: no DNS name can be made of this one";
    }
    if (is_far && node->has_release) {
        return "release is of core and edge nodes: far ones run something else";
    }
    if (node->rules.server_eku_upload && node->rules.kind != EKB_NODE_EDGE) {
        return "server-eku-upload is of edge nodes";
    }
    if (node->says_cluster_verify && is_far) {
        return "cluster-tls-verify is of core and edge nodes";
    }
    if (node->says_upgrade && node->store[0] == '\0') {
        return "upgrade is of nodes with a store of their own: of others, client = upgrade or none";
    }
    if (node->store[0] != '\0' && node->has_minted) {
        return "store is used as it is: server, second, client, trust and named are of nodes "
               "without one";
    }
    if (has_second && !is_far) {
        return "second is of far nodes";
    }
    if (has_second && (node->server.origin == EKB_ORIGIN_NONE ||
                       is_rsa(&node->server) == is_rsa(&node->second))) {
        return "second is beside a server certificate with a key of another kind: one of them RSA";
    }
    return NULL;
}

static enum ekb_err check_node(const struct ekb_deployment *deployment,
                               const struct ekb_deployment_node *node, const char *name,
                               struct ekb_fail *reterr_fail)
{
    const char *wanted = wanted_of(node);
    return wanted == NULL ? check_release(deployment, node, name, reterr_fail)
                          : ekb_fail_say(reterr_fail, EKB_USAGE, "%s:%u: [node %s]: %s", name,
                                         node->line, node->name, wanted);
}

enum ekb_err ekb_deployment_check(const struct ekb_deployment *deployment, const char *name,
                                  struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    if (deployment->num_links == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s: a [link] is wanted", name);
    }
    for (size_t i = 0; i < deployment->num_nodes && err == EKB_OK; i++) {
        err = check_node(deployment, &deployment->nodes[i], name, reterr_fail);
    }
    for (size_t i = 0; i < deployment->num_links && err == EKB_OK; i++) {
        err = check_link(deployment, &deployment->links[i], name, reterr_fail);
    }
    for (size_t i = 0; i < deployment->num_expectations && err == EKB_OK; i++) {
        err = check_expectation(deployment, &deployment->expectations[i], name, reterr_fail);
    }
    return err;
}
