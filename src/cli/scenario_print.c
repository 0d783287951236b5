#include "cli/scenario.h"

#include "ekubench/tls/alert.h"
#include "ekubench/tls/config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// So many digits of a serial number tell certificates apart in a table.
#define SERIAL_DIGITS 12

static const char *store_text(const char *store)
{
    return strcmp(store, "both") == 0     ? "the certificate of both its stores"
           : strcmp(store, "second") == 0 ? "its second server certificate"
           : strcmp(store, "server") == 0 ? "its server certificate"
           : strcmp(store, "client") == 0 ? "its client certificate"
                                          : "a certificate of neither store";
}

// why_nothing says why an end has presented nothing.
static const char *why_nothing(const struct ekb_scenario_link *result,
                               const struct ekb_scenario_end *end)
{
    if (!end->has_one) {
        return "it has none";
    }
    if (end == &result->initiator && !ekb_link_row(result->link->kind)->asks) {
        return "it was not asked";
    }
    return result->active ? "none was seen" : "the handshake had ended";
}

// print_end prints what one end presented, and what the other verifies of it.
static void print_end(const struct ekb_deployment *deployment,
                      const struct ekb_scenario_link *result, const struct ekb_scenario_end *end)
{
    char demand[EKB_LINK_DEMAND_TEXT_LEN];
    const char *const node = ekb_scenario_node_name(
        deployment, end == &result->initiator ? result->link->initiator : result->link->responder);
    (void)ekb_link_demand_text(demand, &end->demand);
    if (end->presented) {
        (void)printf("    %s presents %s, serial %.*s...; it is verified for: %s\n", node,
                     store_text(end->store), SERIAL_DIGITS, end->serial, demand);
    } else {
        (void)printf("    %s presents nothing (%s); it would be verified for: %s\n", node,
                     why_nothing(result, end), demand);
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
        (void)printf(" (%s sends the alert %s)", ekb_scenario_node_name(deployment, who),
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
    (void)printf("; it is %s", ekb_scenario_state_name(result->active));
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
        (void)printf("\n    EXPECTED: %s%s%s%s",
                     ekb_scenario_state_name(result->expected == EKB_EXPECTED_ACTIVE),
                     details[0] != '\0' ? ", " : "", details,
                     result->is_foretold ? " (by the rules)" : "");
        print_observed(result);
    }
}

static void print_link(const struct ekb_deployment *deployment,
                       const struct ekb_scenario_link *result)
{
    const struct ekb_link_row *row = ekb_link_row(result->link->kind);
    const uint16_t port = result->link->port != 0 ? result->link->port : row->port;
    char title[64];
    char ends[2 * EKB_DEPLOYMENT_NAME_LEN + 8];
    if (port != 0) {
        (void)snprintf(title, sizeof title, "%s (%u)", row->title, (unsigned)port);
    } else {
        (void)snprintf(title, sizeof title, "%s", row->title);
    }
    (void)snprintf(ends, sizeof ends, "%s -> %s",
                   ekb_scenario_node_name(deployment, result->link->initiator),
                   ekb_scenario_node_name(deployment, result->link->responder));
    (void)printf("  %-28s %-20s %s", title, ends, ekb_scenario_state_name(result->active));
    print_verdict(result);
    print_end(deployment, result, &result->initiator);
    if (result->link->kind != EKB_LINK_SIP_SERVICE) {
        print_end(deployment, result, &result->responder);
        print_messages(&result->trace);
    }
    if (!result->active) {
        print_failure(deployment, result);
    }
}

// print_refusal says what the gate has said of a certificate, or would have said of one that is in
// somebody's own store.
static void print_refusal(const struct ekb_deployment *deployment,
                          const struct ekb_scenario_run *run, size_t node, enum ekb_store_side side)
{
    static const char *const sides[] = {
        [EKB_STORE_SERVER] = "server", [EKB_STORE_CLIENT] = "client"};
    const enum ekb_release gate = ekb_scenario_gate(deployment, run, node, side);
    const char *const release = ekb_release_rules(gate)->name;
    const char *const name = ekb_scenario_node_name(deployment, node);
    const char *const why = run->refusals[node][side].detail;
    if (run->refusals[node][side].err == EKB_OK) {
        return;
    }
    if (deployment->nodes[node].store[0] != '\0') {
        (void)printf("  the gate of %s would refuse the %s certificate in %s's store: %s\n",
                     release, sides[side], name, why);
    } else {
        (void)printf("  the gate of %s, %s's%s, refuses its %s certificate: %s\n", name, release,
                     gate != run->release ? " before the upgrade" : "", sides[side], why);
    }
}

// print_nodes says what there is to say of single nodes.
static void print_nodes(const struct ekb_deployment *deployment, const struct ekb_scenario_run *run)
{
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        const struct ekb_deployment_node *node = &deployment->nodes[i];
        if (ekb_scenario_has_own_mode(node, run->release)) {
            (void)printf("  %s: EKU mode %s (its own)\n", node->name,
                         ekb_eku_mode_name(node->rules.mode));
        }
        if (run->upgraded[i]) {
            (void)printf("  the store of %s has no client certificate: upgraded, in a copy\n",
                         node->name);
        }
        print_refusal(deployment, run, i, EKB_STORE_SERVER);
        print_refusal(deployment, run, i, EKB_STORE_CLIENT);
    }
}

static void print_terms(const struct ekb_scenario_run *run)
{
    const struct ekb_release_rules *rules = ekb_release_rules(run->release);
    (void)printf("%s, EKU mode %s, TLS %s\n", rules->covers,
                 rules->has_mode_switch ? ekb_eku_mode_name(run->mode) : "on (no switch)",
                 ekb_tls_version_name(run->version));
}

static void print_mra(const struct ekb_scenario_run *run)
{
    (void)printf("  MRA %s", ekb_scenario_mra_name(run->mra));
    if (!run->mra_matches) {
        (void)printf(", EXPECTED%s: %s", run->mra_is_foretold ? " from its links" : "",
                     run->expected_mra == EKB_EXPECTED_ACTIVE ? "works" : "fails");
    } else if (run->expected_mra != EKB_EXPECTED_UNKNOWN) {
        (void)printf(", as %s", run->mra_is_foretold ? "follows from that" : "expected");
    }
    if (run->mra == EKB_MRA_FAILS) {
        char *why = ekb_scenario_mra_why(run);
        (void)printf(", since this fails: %s", why != NULL ? why : "out of memory");
        free(why);
    } else if (!run->mra_matches) {
        (void)printf(", since all of its links are active");
    }
    (void)putchar('\n');
}

void ekb_scenario_print(const struct ekb_deployment *deployment, const struct ekb_scenario_run *run)
{
    (void)printf("%s: %s\n", deployment->name, deployment->title);
    print_terms(run);
    print_nodes(deployment, run);
    if (ekb_scenario_is_elsewhere(deployment, run)) {
        (void)printf("  [expect] says nothing of this run\n");
    }
    for (size_t i = 0; i < run->num_links; i++) {
        print_link(deployment, &run->links[i]);
    }
    if (run->mra != EKB_MRA_UNKNOWN) {
        print_mra(run);
    }
    (void)printf("\n");
}
