#include "ekubench/store/link.h"

#include <stdio.h>
#include <string.h>

static const struct ekb_link_row links[] = {
    [EKB_LINK_UC_ZONE] = {.name = "uc-zone",
                          .title = "UC traversal zone",
                          .initiator = EKB_END_CORE,
                          .responder = EKB_END_EDGE,
                          .port = 7001,
                          .of_initiator = EKB_RULE_MODE,
                          .of_responder = EKB_RULE_SERVER_AUTH,
                          .asks = true},
    [EKB_LINK_SSH_TUNNEL] = {.name = "ssh-tunnel",
                             .title = "SSH tunnel",
                             .initiator = EKB_END_CORE,
                             .responder = EKB_END_EDGE,
                             .port = 2222,
                             .of_initiator = EKB_RULE_CLIENT_AUTH,
                             .of_responder = EKB_RULE_NOTHING,
                             .asks = true,
                             .failure = "Permission denied"},
    [EKB_LINK_NEIGHBOR] = {.name = "neighbor",
                           .title = "secure neighbor zone",
                           .initiator = EKB_END_ANY,
                           .responder = EKB_END_ANY,
                           .port = 5061,
                           .of_initiator = EKB_RULE_MODE,
                           .initiator_named = true,
                           .of_responder = EKB_RULE_SERVER_AUTH,
                           .responder_named = true,
                           .asks = true},
    [EKB_LINK_B2B] = {.name = "b2b",
                      .title = "B2B, Webex",
                      .initiator = EKB_END_EDGE,
                      .responder = EKB_END_FAR,
                      .port = 5061,
                      .of_initiator = EKB_RULE_MODE,
                      .of_responder = EKB_RULE_SERVER_AUTH,
                      .responder_named = true,
                      .asks = true},
    [EKB_LINK_TRAFFIC] = {.name = "traffic-server",
                          .title = "traffic server",
                          .initiator = EKB_END_CORE,
                          .responder = EKB_END_FAR,
                          .port = 8443,
                          .of_initiator = EKB_RULE_NOTHING,
                          .of_responder = EKB_RULE_OUTBOUND,
                          .responder_named = true,
                          .asks = true},
    [EKB_LINK_CLUSTER] = {.name = "cluster",
                          .title = "ClusterDB",
                          .initiator = EKB_END_ANY,
                          .responder = EKB_END_SAME,
                          .of_initiator = EKB_RULE_CLUSTER,
                          .of_responder = EKB_RULE_CLUSTER,
                          .asks = true},
    [EKB_LINK_SIP_SERVICE] = {.name = "sip-service",
                              .title = "MRA SIP SERVICE",
                              .initiator = EKB_END_EDGE,
                              .responder = EKB_END_CORE,
                              .of_initiator = EKB_RULE_SIGNATURE,
                              .of_responder = EKB_RULE_NOTHING},
    [EKB_LINK_BROWSER] = {.name = "browser",
                          .title = "browser, Smart Licensing",
                          .initiator = EKB_END_FAR,
                          .responder = EKB_END_ANY,
                          .port = 443,
                          .of_initiator = EKB_RULE_NOTHING,
                          .of_responder = EKB_RULE_SERVER_AUTH,
                          .responder_named = true},
};

const struct ekb_link_row *ekb_link_row(enum ekb_link link)
{
    return &links[link];
}

enum ekb_err ekb_link_parse(enum ekb_link *out_link, const char *name)
{
    for (unsigned i = 0; i < EKB_LINK_NUM; i++) {
        if (strcmp(name, links[i].name) == 0) {
            *out_link = (enum ekb_link)i;
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

static unsigned usage_of_mode(enum ekb_eku_mode mode)
{
    return mode == EKB_EKU_ON    ? EKB_EKU_CLIENT_AUTH
           : mode == EKB_EKU_OFF ? EKB_EKU_SERVER_AUTH
                                 : 0U;
}

static struct ekb_link_demand demand_of(enum ekb_link_rule rule, bool named,
                                        const struct ekb_release_node *verifier)
{
    const struct ekb_release_rules *release = ekb_release_rules(verifier->release);
    struct ekb_link_demand demand = {.chain = true, .name = named};
    switch (rule) {
    case EKB_RULE_NOTHING:
        return (struct ekb_link_demand){.chain = false};
    case EKB_RULE_MODE:
        demand.usages = usage_of_mode(ekb_release_mode(verifier));
        break;
    case EKB_RULE_CLIENT_AUTH:
        demand.usages = EKB_EKU_CLIENT_AUTH;
        break;
    case EKB_RULE_OUTBOUND:
        if (verifier->kind != EKB_NODE_FAR && release->outbound != EKB_OUTBOUND_ALWAYS) {
            return (struct ekb_link_demand){.chain = false};
        }
        demand.usages = EKB_EKU_SERVER_AUTH;
        break;
    case EKB_RULE_SERVER_AUTH:
        demand.usages = EKB_EKU_SERVER_AUTH;
        break;
    case EKB_RULE_CLUSTER:
        if (verifier->cluster_verify == EKB_TLS_VERIFY_PERMISSIVE) {
            return (struct ekb_link_demand){.chain = false};
        }
        demand.usages = usage_of_mode(release->cluster_mode);
        break;
    case EKB_RULE_SIGNATURE:
        demand.usages = release->signature_needs;
        break;
    }
    return demand;
}

struct ekb_link_demand ekb_link_demand_of_initiator(enum ekb_link link,
                                                    const struct ekb_release_node *responder)
{
    return demand_of(links[link].of_initiator, links[link].initiator_named, responder);
}

struct ekb_link_demand ekb_link_demand_of_responder(enum ekb_link link,
                                                    const struct ekb_release_node *initiator)
{
    return demand_of(links[link].of_responder, links[link].responder_named, initiator);
}

bool ekb_link_allows(const struct ekb_link_demand *demand, unsigned eku)
{
    return eku == EKB_EKU_ABSENT || (eku & demand->usages) == demand->usages;
}

const char *ekb_link_demand_text(char out_text[EKB_LINK_DEMAND_TEXT_LEN],
                                 const struct ekb_link_demand *demand)
{
    (void)snprintf(out_text, EKB_LINK_DEMAND_TEXT_LEN, "%s%s%s%s",
                   demand->chain ? "chain" : "nothing",
                   (demand->usages & EKB_EKU_CLIENT_AUTH) != 0 ? ", clientAuth" : "",
                   (demand->usages & EKB_EKU_SERVER_AUTH) != 0 ? ", serverAuth" : "",
                   demand->name ? ", name" : "");
    return out_text;
}
