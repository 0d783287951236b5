#include "lab/scenario_internal.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/outbound.h"
#include "ekubench/store/store.h"

#include <stdio.h>

#define MAX_CONNECTIONS 16

enum ekb_err ekb_scenario_policy(struct ekb_policy *out_policy,
                                 const struct ekb_link_demand *demand, const char *name,
                                 struct ekb_fail *reterr_fail)
{
    *out_policy = ekb_policy_default();
    out_policy->eku = (demand->usages & EKB_EKU_CLIENT_AUTH) != 0   ? EKB_EKU_ON
                      : (demand->usages & EKB_EKU_SERVER_AUTH) != 0 ? EKB_EKU_OFF
                                                                    : EKB_EKU_NONE;
    if (demand->name && ekb_name_parse(&out_policy->name, name) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\" is no name", name);
    }
    return EKB_OK;
}

enum ekb_err ekb_scenario_listener(struct ekb_policy *out_policy,
                                   const struct ekb_deployment *deployment,
                                   const struct ekb_deployment_link *link,
                                   const struct ekb_link_demand *demand,
                                   struct ekb_fail *reterr_fail)
{
    const enum ekb_err err = ekb_scenario_policy(
        out_policy, demand, deployment->nodes[link->initiator].host, reterr_fail);
    if (!demand->chain) { // Who asks for a certificate of which nothing is verified can do without.
        out_policy->verify = ekb_link_row(link->kind)->asks ? EKB_VERIFY_PARSE : EKB_VERIFY_ONE_WAY;
        out_policy->cert = EKB_CERT_OPTIONAL;
    }
    return err;
}

enum ekb_err ekb_scenario_initiator(struct ekb_plan_link *out_initiator,
                                    const struct ekb_site *site,
                                    const struct ekb_deployment *deployment,
                                    const struct ekb_deployment_link *link,
                                    struct ekb_fail *reterr_fail)
{
    const struct ekb_release_node rules = ekb_site_rules(site, link->initiator);
    const struct ekb_link_demand demand = ekb_link_demand_of_responder(link->kind, &rules);
    const char *const host =
        link->address[0] != '\0' ? link->address : deployment->nodes[link->responder].host;
    *out_initiator = (struct ekb_plan_link){
        .server_store = ekb_site_store(site, link->responder),
        .second_store = ekb_site_second(site, link->responder),
        .client_store = ekb_site_store(site, link->initiator),
        .presents_server = ekb_release_client_side(&rules) == EKB_STORE_SERVER,
        .trust_store = ekb_site_store(site, link->initiator),
    };
    if (rules.kind != EKB_NODE_FAR) {
        out_initiator->preferences =
            ekb_outbound_preferences(ekb_release_rules(rules.release)->prefers_ecdsa);
    }
    const enum ekb_err err =
        ekb_scenario_policy(&out_initiator->policy, &demand, host, reterr_fail);
    const struct ekb_name *name = &out_initiator->policy.name;
    out_initiator->policy.verify = demand.chain ? EKB_VERIFY_FULL : EKB_VERIFY_RAW;
    out_initiator->sni = name->kind == EKB_NAME_DNS ? name->text : NULL;
    return err;
}

bool ekb_scenario_is_connection(const struct ekb_deployment_link *link)
{
    return link->kind != EKB_LINK_SIP_SERVICE;
}

// add_listener adds the listener of `link` to its responder's host.
static enum ekb_err add_listener(struct ekb_scenario_runner *runner, size_t index,
                                 struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_link *link = &runner->deployment->links[index];
    struct ekb_scenario_host *host = &runner->hosts[link->responder];
    struct ekb_listener *listener = &host->listeners[host->server.num_listeners];
    const struct ekb_link_demand *demand = &runner->out->links[index].initiator.demand;
    const char *second = ekb_site_second(runner->site, link->responder);
    struct ekb_policy policy;
    const enum ekb_err err =
        ekb_scenario_listener(&policy, runner->deployment, link, demand, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    *listener = (struct ekb_listener){.policy = policy,
                                      .version = runner->terms->version,
                                      .arm = (uint16_t)host->server.num_listeners,
                                      .fd = -1};
    if (second != NULL) {
        (void)snprintf(listener->second_store, sizeof listener->second_store, "%s", second);
    }
    host->expect[host->server.num_listeners] = EKB_EXPECT_ACCEPT;
    runner->listener_of[index] = host->server.num_listeners++;
    return ekb_address_parse(&listener->address, "127.0.0.1:0", reterr_fail);
}

static enum ekb_err await_ready(struct ekb_scenario_host *host, struct ekb_fail *reterr_fail)
{
    const uint64_t until_ns = ekb_clock_now_ns() + EKB_SCENARIO_DEADLINE_NS;
    while (!host->worker.ready && !host->worker.ended && ekb_clock_now_ns() < until_ns) {
        ekb_worker_update(&host->worker, 1, EKB_SCENARIO_LOOK_NS);
    }
    if (host->worker.ready) {
        return EKB_OK;
    }
    if (host->worker.ended && host->worker.fail.err != EKB_OK) {
        *reterr_fail = host->worker.fail;
        return host->worker.fail.err;
    }
    return ekb_fail_set(reterr_fail, EKB_WORKER_DIED, 0, "a server does not get ready");
}

// start starts the server of a node to which links come.
static enum ekb_err start(struct ekb_scenario_runner *runner, size_t node,
                          struct ekb_fail *reterr_fail)
{
    static const struct ekb_timeline never = {
        .origin_ns = UINT64_MAX / 2, .slice_ns = EKB_NS_PER_S, .num_slices = 1, .num_warmup = 1};
    struct ekb_scenario_host *host = &runner->hosts[node];
    enum ekb_err err = ekb_event_queue_create(&host->events);
    if (err != EKB_OK) {
        return ekb_fail_set(reterr_fail, err, 0, "events");
    }
    host->server.store_path = ekb_site_store(runner->site, node);
    host->server.listeners = host->listeners;
    host->server.max_connections = MAX_CONNECTIONS;
    host->server.deadline_ns = EKB_SCENARIO_DEADLINE_NS;
    host->server.timeline = &never;
    host->server.expect = host->expect;
    host->server.events = host->events;
    host->server.tells_accepted = true;
    err = ekb_server_open(&host->server, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_crew_open(&host->crew, &host->server, host->server.num_listeners, 1, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_crew_spawn(&host->worker, &host->crew, 0, EKB_WORKER_UNPINNED, reterr_fail);
    }
    ekb_crew_close(&host->crew);
    return err == EKB_OK ? await_ready(host, reterr_fail) : err;
}

enum ekb_err ekb_scenario_name_node(const struct ekb_scenario_runner *runner, size_t node,
                                    enum ekb_err err, struct ekb_fail *reterr_fail)
{
    char text[384];
    if (err == EKB_OK || reterr_fail == NULL) {
        return err;
    }
    ekb_fail_text(text, sizeof text, reterr_fail);
    return ekb_fail_say(reterr_fail, err, "node %s cannot be run: %s",
                        runner->deployment->nodes[node].name, text);
}

static void stop(struct ekb_scenario_host *host)
{
    ekb_worker_command_abort(&host->worker);
    ekb_worker_reap(&host->worker, EKB_NS_PER_S);
    ekb_crew_deinit(&host->crew);
    if (host->server.listeners != NULL) { // It has been begun.
        ekb_server_close(&host->server);
    }
    ekb_event_queue_destroy(host->events);
}

// needs_trust is true if `node` has somebody to verify, or connects to one.
static bool needs_trust(const struct ekb_scenario_runner *runner, size_t node)
{
    bool needs = false;
    for (size_t i = 0; i < runner->out->num_links; i++) {
        const struct ekb_deployment_link *link = &runner->deployment->links[i];
        const bool verifies = runner->out->links[i].initiator.demand.chain;
        needs = needs || (link->responder == node && verifies) ||
                (link->initiator == node && ekb_scenario_is_connection(link));
    }
    return needs;
}

// check_trust says what to do about a store of somebody's own that has no trusted CA list.
static enum ekb_err check_trust(const struct ekb_scenario_runner *runner, size_t index,
                                struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_node *node = &runner->deployment->nodes[index];
    struct ekb_store *store = NULL;
    if (node->store[0] == '\0' || !needs_trust(runner, index)) {
        return EKB_OK;
    }
    enum ekb_err err = ekb_store_survey(&store, ekb_site_store(runner->site, index),
                                        EKB_STORE_NEED_TRUST, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const enum ekb_err fault = ekb_store_fault(store, EKB_STORE_PART_TRUST)->err;
    if (ekb_store_trust(store) == NULL && (fault == EKB_OK || fault == EKB_NOT_FOUND)) {
        err = ekb_fail_say(reterr_fail, EKB_NOT_FOUND,
                           "node %s: its store has no trusted CA list (ca.pem): `ekubench store "
                           "trust add FILE -s %s`",
                           node->name, node->store);
    }
    ekb_store_destroy(store);
    return err;
}

enum ekb_err ekb_scenario_start(struct ekb_scenario_runner *runner, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < runner->deployment->num_nodes && err == EKB_OK; i++) {
        err = check_trust(runner, i, reterr_fail);
    }
    for (size_t i = 0; i < runner->out->num_links && err == EKB_OK; i++) {
        if (ekb_scenario_is_connection(&runner->deployment->links[i])) {
            err = add_listener(runner, i, reterr_fail);
        }
    }
    for (size_t i = 0; i < runner->deployment->num_nodes && err == EKB_OK; i++) {
        if (runner->hosts[i].server.num_listeners > 0) {
            err = ekb_scenario_name_node(runner, i, start(runner, i, reterr_fail), reterr_fail);
        }
    }
    return err;
}

void ekb_scenario_stop(struct ekb_scenario_runner *runner)
{
    for (size_t i = 0; i < EKB_DEPLOYMENT_MAX_NODES; i++) {
        stop(&runner->hosts[i]);
    }
}
