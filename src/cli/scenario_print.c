#include "cli/scenario.h"

#include "ekubench/tls/alert.h"
#include "ekubench/tls/config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// So many digits of a serial number tell certificates apart in a table.
#define SERIAL_DIGITS 12

static const char *node_name(const struct ekb_deployment *deployment, size_t node)
{
    return deployment->nodes[node].name;
}

static const char *state_name(bool active)
{
    return active ? "Active" : "Failed";
}

static const char *mra_name(enum ekb_scenario_mra mra)
{
    return mra == EKB_MRA_WORKS ? "works" : mra == EKB_MRA_FAILS ? "fails" : "-";
}

static const char *store_text(const char *store)
{
    return strcmp(store, "both") == 0     ? "the certificate of both its stores"
           : strcmp(store, "second") == 0 ? "its second server certificate"
           : strcmp(store, "server") == 0 ? "its server certificate"
           : strcmp(store, "client") == 0 ? "its client certificate"
                                          : "a certificate of neither store";
}

// print_end prints what one end presented, and what the other verifies of it.
static void print_end(const char *node, const struct ekb_scenario_end *end)
{
    char demand[EKB_LINK_DEMAND_TEXT_LEN];
    if (end->presented) {
        (void)printf("    %s presents %s, serial %.*s...; verified: %s\n", node,
                     store_text(end->store), SERIAL_DIGITS, end->serial,
                     ekb_link_demand_text(demand, &end->demand));
    } else {
        (void)printf("    %s presents nothing that was seen; verified: %s\n", node,
                     ekb_link_demand_text(demand, &end->demand));
    }
}

// wanted_name returns the name that the end which was refused has to have.
static const char *wanted_name(const struct ekb_deployment *deployment,
                               const struct ekb_scenario_link *result)
{
    const struct ekb_deployment_link *link = result->link;
    if (!result->by_initiator) {
        return deployment->nodes[link->initiator].host;
    }
    return link->address[0] != '\0' ? link->address : deployment->nodes[link->responder].host;
}

static void print_failure(const struct ekb_deployment *deployment,
                          const struct ekb_scenario_link *result)
{
    const struct ekb_link_row *row = ekb_link_row(result->link->kind);
    const size_t who = result->by_initiator ? result->link->initiator : result->link->responder;
    const bool is_name = result->err == EKB_VERIFY_HOSTNAME || result->err == EKB_VERIFY_IP;
    (void)printf("    %s%s%s", row->failure != NULL ? row->failure : "",
                 row->failure != NULL ? ": " : "", ekb_err_sentence(result->err));
    if (is_name) {
        (void)printf(": %s is wanted", wanted_name(deployment, result));
    }
    if (result->alert >= 0) {
        (void)printf(" (%s sends the alert %s)", node_name(deployment, who),
                     ekb_alert_name(result->alert));
    }
    (void)putchar('\n');
    const char *line = result->outbound;
    while (*line != '\0') {
        const size_t len = strcspn(line, "\n");
        (void)printf("    %.*s\n", (int)len, line);
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    if (result->outbound[0] == '\0' && result->event[0] != '\0') {
        (void)printf("    %s\n", result->event);
    }
}

static void print_messages(const struct ekb_tls_trace *trace)
{
    bool sent = false;
    size_t column = 0;
    for (size_t i = 0; i < trace->num; i++) {
        const char *const name = ekb_tls_message_name(trace->messages[i].type);
        const bool turns = i == 0 || trace->messages[i].sent != sent;
        if (column + strlen(name) > 88) {
            (void)printf("\n       ");
            column = 0;
        }
        sent = trace->messages[i].sent;
        column += (size_t)printf("%s %s", turns ? (sent ? "  ->" : "  <-") : ",", name);
    }
    if (trace->num > 0) {
        (void)putchar('\n');
    }
}

// print_observed prints what was seen, beside what was expected.
static void print_observed(const struct ekb_scenario_link *result)
{
    (void)printf("; it is %s", state_name(result->active));
    if (!result->active) {
        (void)printf(", %s", ekb_err_name(result->err));
        if (result->alert >= 0) {
            (void)printf(", %s", ekb_alert_name(result->alert));
        }
        if (result->verify_depth >= 0) {
            (void)printf(", depth=%d", result->verify_depth);
        }
    }
    if (result->said != NULL && result->said->asks && !result->asks) {
        (void)printf(", and no certificate is asked for");
    }
    if (result->said != NULL && result->said->log[0] != '\0') {
        (void)printf("; what is logged is below");
    }
    (void)putchar('\n');
}

static void print_verdict(const struct ekb_scenario_link *result)
{
    if (!result->has_roles) {
        (void)printf("  EXPECTED: certificates of the stores of their roles\n");
    } else if (result->expected == EKB_EXPECTED_UNKNOWN) {
        (void)printf("  nothing is expected\n");
    } else if (result->matches) {
        (void)printf("  as %s\n", result->is_foretold ? "the rules say" : "expected");
    } else {
        const char *const details = result->said != NULL ? result->said->details : "";
        (void)printf(
            "\n    EXPECTED: %s%s%s%s", state_name(result->expected == EKB_EXPECTED_ACTIVE),
            details[0] != '\0' ? ", " : "", details, result->is_foretold ? " (by the rules)" : "");
        print_observed(result);
    }
}

static void print_link(const struct ekb_deployment *deployment,
                       const struct ekb_scenario_link *result)
{
    const struct ekb_link_row *row = ekb_link_row(result->link->kind);
    const uint16_t port = result->link->port != 0 ? result->link->port : row->port;
    char title[64];
    char ends[2 * EKB_DEPLOYMENT_NAME_LEN];
    if (port != 0) {
        (void)snprintf(title, sizeof title, "%s (%u)", row->title, (unsigned)port);
    } else {
        (void)snprintf(title, sizeof title, "%s", row->title);
    }
    (void)snprintf(ends, sizeof ends, "%s -> %s", node_name(deployment, result->link->initiator),
                   node_name(deployment, result->link->responder));
    (void)printf("  %-28s %-20s %s", title, ends, state_name(result->active));
    print_verdict(result);
    print_end(node_name(deployment, result->link->initiator), &result->initiator);
    if (result->link->kind != EKB_LINK_SIP_SERVICE) {
        print_end(node_name(deployment, result->link->responder), &result->responder);
        print_messages(&result->trace);
    }
    if (!result->active) {
        print_failure(deployment, result);
    }
}

static void print_refusals(const struct ekb_deployment *deployment,
                           const struct ekb_scenario_run *run)
{
    static const char *const sides[] = {"server", "client"};
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
            if (run->refusals[i][side].err != EKB_OK) {
                (void)printf("  the gate of %s refuses its %s certificate: %s\n",
                             node_name(deployment, i), sides[side], run->refusals[i][side].detail);
            }
        }
    }
}

static void print_terms(const struct ekb_scenario_run *run)
{
    (void)printf("%s, EKU mode %s, TLS %s", ekb_release_rules(run->release)->name,
                 ekb_release_rules(run->release)->has_mode_switch ? ekb_eku_mode_name(run->mode)
                                                                  : "on (no switch)",
                 ekb_tls_version_name(run->version));
}

// is_of_mra is true if MRA is made of links of this kind.
static bool is_of_mra(enum ekb_link kind)
{
    for (size_t i = 0; i < EKB_DEPLOYMENT_NUM_MRA; i++) {
        if (ekb_deployment_mra[i] == kind) {
            return true;
        }
    }
    return false;
}

// mra_why writes which of the links fail of which MRA is made.
#define WHY_LEN 512
static const char *mra_why(char out_text[WHY_LEN], const struct ekb_scenario_run *run)
{
    size_t len = 0;
    out_text[0] = '\0';
    for (size_t i = 0; i < run->num_links; i++) {
        const struct ekb_scenario_link *result = &run->links[i];
        if (!result->active && is_of_mra(result->link->kind) && len < WHY_LEN) {
            len += (size_t)snprintf(out_text + len, WHY_LEN - len, "%s%s (%s)", len > 0 ? ", " : "",
                                    ekb_link_row(result->link->kind)->title,
                                    ekb_err_sentence(result->err));
        }
    }
    return out_text;
}

static void print_mra(const struct ekb_scenario_run *run)
{
    char why[WHY_LEN];
    (void)printf("  MRA %s", mra_name(run->mra));
    if (!run->mra_matches) {
        (void)printf(", EXPECTED%s: %s", run->mra_is_foretold ? " from its links" : "",
                     run->expected_mra == EKB_EXPECTED_ACTIVE ? "works" : "fails");
    } else if (run->expected_mra != EKB_EXPECTED_UNKNOWN) {
        (void)printf(", as %s", run->mra_is_foretold ? "follows from that" : "expected");
    }
    if (run->mra == EKB_MRA_FAILS) {
        (void)printf(", since this fails: %s", mra_why(why, run));
    } else if (!run->mra_matches) {
        (void)printf(", since all of its links are active");
    }
    (void)putchar('\n');
}

void ekb_scenario_print(const struct ekb_deployment *deployment, const struct ekb_scenario_run *run)
{
    (void)printf("%s: %s\n", deployment->name, deployment->title);
    print_terms(run);
    (void)printf("\n");
    print_refusals(deployment, run);
    for (size_t i = 0; i < run->num_links; i++) {
        print_link(deployment, &run->links[i]);
    }
    if (run->mra != EKB_MRA_UNKNOWN) {
        print_mra(run);
    }
    (void)printf("\n");
}

// The table.

// state_of returns the state of the links of a kind.
static const char *state_of(const struct ekb_scenario_run *run, enum ekb_link kind)
{
    for (size_t i = 0; i < run->num_links; i++) {
        if (run->links[i].link->kind == kind) {
            return state_name(run->links[i].active);
        }
    }
    return "-";
}

void ekb_scenario_print_head(FILE *file)
{
    (void)fprintf(file, "%-16s %-7s %-4s %-4s %-8s %-8s %-6s %-28s %s\n", "deployment", "release",
                  "EKU", "TLS", "UC zone", "SSH", "MRA", "other links", "matches");
}

void ekb_scenario_print_row(FILE *file, const struct ekb_deployment *deployment,
                            const struct ekb_scenario_run *run)
{
    char others[128] = "";
    for (size_t i = 0; i < run->num_links; i++) {
        const struct ekb_scenario_link *result = &run->links[i];
        const size_t len = strlen(others);
        if (result->link->kind == EKB_LINK_UC_ZONE || result->link->kind == EKB_LINK_SSH_TUNNEL ||
            result->link->kind == EKB_LINK_SIP_SERVICE ||
            (result->link->kind == EKB_LINK_TRAFFIC && run->mra != EKB_MRA_UNKNOWN)) {
            continue;
        }
        (void)snprintf(others + len, sizeof others - len, "%s%s %s", len > 0 ? ", " : "",
                       result->link->name, result->active ? "Active" : "Failed");
    }
    (void)fprintf(file, "%-16s %-7s %-4s %-4s %-8s %-8s %-6s %-28s %s\n", deployment->name,
                  ekb_release_rules(run->release)->name,
                  ekb_eku_mode_name(ekb_release_rules(run->release)->has_mode_switch ? run->mode
                                                                                     : EKB_EKU_ON),
                  ekb_tls_version_name(run->version), state_of(run, EKB_LINK_UC_ZONE),
                  state_of(run, EKB_LINK_SSH_TUNNEL), mra_name(run->mra),
                  others[0] != '\0' ? others : "-", run->matches ? "yes" : "NO");
}

// JSON.

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
    return expected == EKB_EXPECTED_UNKNOWN ? NULL : state_name(expected == EKB_EXPECTED_ACTIVE);
}

static json_t *link_json(const struct ekb_deployment *deployment,
                         const struct ekb_scenario_link *result)
{
    const struct ekb_deployment_link *link = result->link;
    const struct ekb_deployment_expectation *said = result->said;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:s, s:s?, s:s?, s:o, s:b, s:s?, s:o, s:s?, s:s?, s:s?, s:b, s:o}",
        "name", link->name, "link", ekb_link_row(link->kind)->name, "initiator",
        end_json(node_name(deployment, link->initiator), &result->initiator), "responder",
        end_json(node_name(deployment, link->responder), &result->responder), "status",
        state_name(result->active), "code", result->active ? NULL : ekb_err_name(result->err),
        "alert", result->alert >= 0 ? ekb_alert_name(result->alert) : NULL, "depth",
        result->verify_depth >= 0 ? json_integer(result->verify_depth) : json_null(), "asks",
        (int)result->asks, "event", result->event[0] != '\0' ? result->event : NULL, "outbound_log",
        lines_json(result->outbound), "expected", expected_name(result->expected),
        "expected_reason", said != NULL && said->reason[0] != '\0' ? said->reason : NULL,
        "expected_details", said != NULL && said->details[0] != '\0' ? said->details : NULL,
        "matches", (int)result->matches, "messages", messages_json(&result->trace));
}

static void add_refusal(json_t *list, const char *node, const char *store,
                        const struct ekb_fail *refusal)
{
    if (refusal->err != EKB_OK) {
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "node", node, "store",
                                                    store, "code", ekb_err_name(refusal->err),
                                                    "sentence", refusal->detail));
    }
}

static json_t *refusals_json(const struct ekb_deployment *deployment,
                             const struct ekb_scenario_run *run)
{
    json_t *list = json_array();
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        const char *const node = node_name(deployment, i);
        add_refusal(list, node, "server", &run->refusals[i][EKB_STORE_SERVER]);
        add_refusal(list, node, "client", &run->refusals[i][EKB_STORE_CLIENT]);
    }
    return list;
}

json_t *ekb_scenario_json(const struct ekb_deployment *deployment,
                          const struct ekb_scenario_run *run)
{
    json_t *links = json_array();
    for (size_t i = 0; i < run->num_links; i++) {
        (void)json_array_append_new(links, link_json(deployment, &run->links[i]));
    }
    char why[WHY_LEN];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s?, s:s?, s:s?, s:b}", "name",
                     deployment->name, "title", deployment->title, "release",
                     ekb_release_rules(run->release)->name, "eku_mode",
                     ekb_eku_mode_name(run->mode), "tls", ekb_tls_version_name(run->version),
                     "refusals", refusals_json(deployment, run), "links", links, "mra",
                     run->mra == EKB_MRA_UNKNOWN ? NULL : mra_name(run->mra), "expected_mra",
                     run->expected_mra == EKB_EXPECTED_UNKNOWN  ? NULL
                     : run->expected_mra == EKB_EXPECTED_ACTIVE ? "works"
                                                                : "fails",
                     "mra_why", run->mra == EKB_MRA_FAILS ? mra_why(why, run) : NULL, "matches",
                     (int)run->matches);
}
