#include "cli/scenario.h"

#include "ekubench/tls/alert.h"
#include "ekubench/tls/config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static json_t *end_json(const char *node, const struct ekb_scenario_end *end)
{
    char demand[EKB_LINK_DEMAND_TEXT_LEN];
    return json_pack("{s:s, s:b, s:s?, s:s?, s:s?, s:s}", "node", node, "presented",
                     (int)end->presented, "serial", end->presented ? end->serial : NULL, "subject",
                     end->subject[0] != '\0' ? end->subject : NULL, "store",
                     end->store[0] != '\0' ? end->store : NULL, "verified",
                     ekb_link_demand_text(demand, &end->demand));
}

static json_t *messages_json(const struct ekb_tls_trace *trace)
{
    json_t *list = json_array();
    for (size_t i = 0; i < trace->num; i++) {
        (void)json_array_append_new(list, json_pack("{s:s, s:b}", "message",
                                                    ekb_tls_message_name(trace->messages[i].type),
                                                    "sent", (int)trace->messages[i].sent));
    }
    return list;
}

// lines_json returns the lines of `text`, each ended by a newline.
static json_t *lines_json(const char *text)
{
    json_t *list = json_array();
    while (*text != '\0') {
        const size_t len = strcspn(text, "\n");
        (void)json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    return list;
}

static const char *expected_name(enum ekb_expected expected)
{
    return expected == EKB_EXPECTED_UNKNOWN
               ? NULL
               : ekb_scenario_state_name(expected == EKB_EXPECTED_ACTIVE);
}

static json_t *link_json(const struct ekb_deployment *deployment,
                         const struct ekb_scenario_link *result)
{
    const struct ekb_deployment_link *link = result->link;
    const struct ekb_deployment_expectation *said = result->said;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:s, s:s?, s:s?, s:o, s:b, s:s?, s:o, s:s?, s:s?, s:s?, s:b, s:o}",
        "name", link->name, "link", ekb_link_row(link->kind)->name, "initiator",
        end_json(ekb_scenario_node_name(deployment, link->initiator), &result->initiator),
        "responder",
        end_json(ekb_scenario_node_name(deployment, link->responder), &result->responder), "status",
        ekb_scenario_state_name(result->active), "code",
        result->active ? NULL : ekb_err_name(result->err), "alert",
        result->alert >= 0 ? ekb_alert_name(result->alert) : NULL, "depth",
        result->verify_depth >= 0 ? json_integer(result->verify_depth) : json_null(), "asks",
        (int)result->asks, "event", result->event[0] != '\0' ? result->event : NULL, "outbound_log",
        lines_json(result->outbound), "expected", expected_name(result->expected),
        "expected_reason", said != NULL && said->reason[0] != '\0' ? said->reason : NULL,
        "expected_details", said != NULL && said->details[0] != '\0' ? said->details : NULL,
        "matches", (int)result->matches, "messages", messages_json(&result->trace));
}

// refusals_json returns what the gates have refused; or, of nodes with stores of their own, what
// they would have.
static json_t *refusals_json(const struct ekb_deployment *deployment,
                             const struct ekb_scenario_run *run, bool would)
{
    static const char *const sides[] = {
        [EKB_STORE_SERVER] = "server", [EKB_STORE_CLIENT] = "client"};
    json_t *list = json_array();
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
            const struct ekb_fail *refusal = &run->refusals[i][side];
            const enum ekb_release gate =
                ekb_scenario_gate(deployment, run, i, (enum ekb_store_side)side);
            if (refusal->err != EKB_OK && would == (deployment->nodes[i].store[0] != '\0')) {
                (void)json_array_append_new(
                    list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "node",
                                    ekb_scenario_node_name(deployment, i), "store", sides[side],
                                    "gate", ekb_release_rules(gate)->name, "code",
                                    ekb_err_name(refusal->err), "sentence", refusal->detail));
            }
        }
    }
    return list;
}

static json_t *upgraded_json(const struct ekb_deployment *deployment,
                             const struct ekb_scenario_run *run)
{
    json_t *list = json_array();
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        if (run->upgraded[i]) {
            (void)json_array_append_new(list, json_string(deployment->nodes[i].name));
        }
    }
    return list;
}

static json_t *modes_json(const struct ekb_deployment *deployment,
                          const struct ekb_scenario_run *run)
{
    json_t *modes = json_object();
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        const struct ekb_deployment_node *node = &deployment->nodes[i];
        if (ekb_scenario_has_own_mode(node, run->release)) {
            (void)json_object_set_new(modes, node->name,
                                      json_string(ekb_eku_mode_name(node->rules.mode)));
        }
    }
    return modes;
}

// add_nodes adds what there is to say of single nodes, and what the run was held to.
static void add_nodes(json_t *json, const struct ekb_deployment *deployment,
                      const struct ekb_scenario_run *run)
{
    const char *const basis = ekb_scenario_basis(run);
    (void)json_object_set_new(json, "own_eku_modes", modes_json(deployment, run));
    (void)json_object_set_new(json, "upgraded", upgraded_json(deployment, run));
    (void)json_object_set_new(json, "would_refuse", refusals_json(deployment, run, true));
    (void)json_object_set_new(json, "basis", basis != NULL ? json_string(basis) : json_null());
}

json_t *ekb_scenario_json(const struct ekb_deployment *deployment,
                          const struct ekb_scenario_run *run)
{
    json_t *links = json_array();
    for (size_t i = 0; i < run->num_links; i++) {
        (void)json_array_append_new(links, link_json(deployment, &run->links[i]));
    }
    char *why = run->mra == EKB_MRA_FAILS ? ekb_scenario_mra_why(run) : NULL;
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s?, s:s?, s:s?, s:b}", "name", deployment->name,
        "title", deployment->title, "release", ekb_release_rules(run->release)->name, "covers",
        ekb_release_rules(run->release)->covers, "eku_mode", ekb_eku_mode_name(run->mode), "tls",
        ekb_tls_version_name(run->version), "refusals", refusals_json(deployment, run, false),
        "links", links, "mra", run->mra == EKB_MRA_UNKNOWN ? NULL : ekb_scenario_mra_name(run->mra),
        "expected_mra",
        run->expected_mra == EKB_EXPECTED_UNKNOWN  ? NULL
        : run->expected_mra == EKB_EXPECTED_ACTIVE ? "works"
                                                   : "fails",
        "mra_why", why, "matches", (int)run->matches);
    if (json != NULL) {
        add_nodes(json, deployment, run);
    }
    free(why);
    return json;
}
