#include "ekubench/lab/scenario.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/foretell.h"
#include "ekubench/lab/outbound.h"
#include "ekubench/lab/site.h"
#include "ekubench/peer/crew.h"
#include "ekubench/peer/visit.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/verify.h"
#include "ekubench/store/store.h"
#include "ekubench/tls/alert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_NS (5 * EKB_NS_PER_S)
#define SETTLE_NS (2 * EKB_NS_PER_S)
#define LOOK_EVERY_NS (2 * EKB_NS_PER_MS)
#define MAX_CONNECTIONS 16

// What runs of one node: a listener for each link that comes to it.
struct host {
    struct ekb_server_options server;
    struct ekb_listener listeners[EKB_DEPLOYMENT_MAX_LINKS];
    uint8_t expect[EKB_DEPLOYMENT_MAX_LINKS];
    struct ekb_crew crew;
    struct ekb_worker worker;
    struct ekb_event_queue *events;
};

struct runner {
    const struct ekb_deployment *deployment;
    const struct ekb_scenario_terms *terms;
    struct ekb_scenario_run *out;
    struct ekb_site *site;
    struct host hosts[EKB_DEPLOYMENT_MAX_NODES];
    // By link: its listener's place in the host.
    size_t listener_of[EKB_DEPLOYMENT_MAX_LINKS];
};

// policy_of makes a policy that verifies what `demand` says; `name` is what it was expected to be
// called.
static enum ekb_err policy_of(struct ekb_policy *out_policy, const struct ekb_link_demand *demand,
                              const char *name, struct ekb_fail *reterr_fail)
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

static bool is_connection(const struct ekb_deployment_link *link)
{
    return link->kind != EKB_LINK_SIP_SERVICE;
}

// Servers.

// add_listener adds the listener of `link` to its responder's host.
static enum ekb_err add_listener(struct runner *runner, size_t index, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_link *link = &runner->deployment->links[index];
    struct host *host = &runner->hosts[link->responder];
    struct ekb_listener *listener = &host->listeners[host->server.num_listeners];
    const struct ekb_link_demand *demand = &runner->out->links[index].initiator.demand;
    const char *second = ekb_site_second(runner->site, link->responder);
    struct ekb_policy policy;
    enum ekb_err err =
        policy_of(&policy, demand, runner->deployment->nodes[link->initiator].host, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    if (!demand->chain) {
        policy.verify = ekb_link_row(link->kind)->asks ? EKB_VERIFY_PARSE : EKB_VERIFY_ONE_WAY;
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

static enum ekb_err await_ready(struct host *host, struct ekb_fail *reterr_fail)
{
    const uint64_t until_ns = ekb_clock_now_ns() + DEADLINE_NS;
    while (!host->worker.ready && !host->worker.ended && ekb_clock_now_ns() < until_ns) {
        ekb_worker_update(&host->worker, 1, LOOK_EVERY_NS);
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
static enum ekb_err start(struct runner *runner, size_t node, struct ekb_fail *reterr_fail)
{
    static const struct ekb_timeline never = {
        .origin_ns = UINT64_MAX / 2, .slice_ns = EKB_NS_PER_S, .num_slices = 1, .num_warmup = 1};
    struct host *host = &runner->hosts[node];
    enum ekb_err err = ekb_event_queue_create(&host->events);
    if (err != EKB_OK) {
        return ekb_fail_set(reterr_fail, err, 0, "events");
    }
    host->server.store_path = ekb_site_store(runner->site, node);
    host->server.listeners = host->listeners;
    host->server.max_connections = MAX_CONNECTIONS;
    host->server.deadline_ns = DEADLINE_NS;
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

static void stop(struct host *host)
{
    ekb_worker_command_abort(&host->worker);
    ekb_worker_reap(&host->worker, EKB_NS_PER_S);
    ekb_crew_deinit(&host->crew);
    if (host->server.listeners != NULL) { // It has been begun.
        ekb_server_close(&host->server);
    }
    ekb_event_queue_destroy(host->events);
}

// Ends.

// describe_end says which certificate has `serial`, of those in the stores of `node`.
static enum ekb_err describe_end(struct ekb_scenario_end *end, const struct runner *runner,
                                 size_t node, struct ekb_fail *reterr_fail)
{
    const char *const second = ekb_site_second(runner->site, node);
    const char *const paths[] = {ekb_site_store(runner->site, node), second};
    bool held[3] = {false}; // Server, client, second.
    for (size_t i = 0; i < 2 && paths[i] != NULL; i++) {
        struct ekb_store *store = NULL;
        const enum ekb_err err = ekb_store_survey(&store, paths[i], EKB_STORE_ALL, reterr_fail);
        if (err != EKB_OK) {
            return err;
        }
        for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
            const struct ekb_identity *identity =
                ekb_store_identity(store, (enum ekb_store_side)side);
            struct ekb_description leaf;
            if (identity->chain == NULL || ekb_chain_len(identity->chain) == 0) {
                continue;
            }
            ekb_chain_describe(&leaf, identity->chain, 0);
            if (strcmp(leaf.serial, end->serial) == 0) {
                (void)snprintf(end->subject, sizeof end->subject, "%.127s", leaf.subject);
                held[i == 1 ? 2 : side] = true;
            }
        }
        ekb_store_destroy(store);
    }
    (void)snprintf(end->store, sizeof end->store, "%s",
                   held[0] && held[1] ? "both"
                   : held[0]          ? "server"
                   : held[1]          ? "client"
                   : held[2]          ? "second"
                                      : "");
    return EKB_OK;
}

static void take_serial(struct ekb_scenario_end *end, const struct ekb_chain *chain)
{
    struct ekb_description leaf;
    if (chain != NULL && ekb_chain_len(chain) > 0) {
        ekb_chain_describe(&leaf, chain, 0);
        end->presented = true;
        memcpy(end->serial, leaf.serial, sizeof end->serial);
    }
}

// Connections.

// make_client makes what the initiator connects with: its client store, if it has one.
static enum ekb_err make_client(struct ekb_tls_config **out_config, const struct runner *runner,
                                size_t index, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_link *link = &runner->deployment->links[index];
    const struct ekb_link_demand *demand = &runner->out->links[index].responder.demand;
    const char *const host =
        link->address[0] != '\0' ? link->address : runner->deployment->nodes[link->responder].host;
    const struct ekb_release_node rules = ekb_site_rules(runner->site, link->initiator);
    struct ekb_store *store = NULL;
    struct ekb_tls_options tls = {.role = EKB_ROLE_CLIENT, .version = runner->terms->version};
    enum ekb_err err = policy_of(&tls.policy, demand, host, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_load(&store, ekb_site_store(runner->site, link->initiator),
                             EKB_STORE_NEED_TRUST, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    tls.policy.verify = demand->chain ? EKB_VERIFY_FULL : EKB_VERIFY_RAW;
    tls.identity = ekb_store_identity(store, EKB_STORE_CLIENT);
    tls.trust = ekb_store_trust(store);
    if (rules.kind != EKB_NODE_FAR) {
        tls.preferences = ekb_outbound_preferences(ekb_release_rules(rules.release)->prefers_ecdsa);
    }
    tls.sni = tls.policy.name.kind == EKB_NAME_DNS ? tls.policy.name.text : NULL;
    err = ekb_tls_config_create(out_config, &tls, reterr_fail);
    ekb_store_destroy(store);
    return err;
}

// await_event waits for what the server has to tell of the connection that has just been made.
static bool await_event(struct ekb_event *out_event, struct host *host)
{
    const uint64_t until_ns = ekb_clock_now_ns() + SETTLE_NS;
    while (!ekb_event_pop(out_event, host->events)) {
        if (ekb_clock_now_ns() > until_ns || host->worker.ended) {
            return false;
        }
        ekb_worker_update(&host->worker, 1, LOOK_EVERY_NS);
    }
    return true;
}

// tell_depth finds which certificate of the responder's chain the initiator did not take.
static enum ekb_err tell_depth(struct ekb_scenario_link *result, const struct runner *runner,
                               const struct ekb_chain *chain, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_link *link = result->link;
    struct ekb_verify_options options = {.anchor = EKB_ANCHOR_ROOT};
    struct ekb_verify_outcome outcome = {.depth = -1};
    struct ekb_store *store = NULL;
    struct ekb_link_demand demand = result->responder.demand;
    demand.name = false;
    enum ekb_err err = policy_of(&options.policy, &demand, "", reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_load(&store, ekb_site_store(runner->site, link->initiator),
                             EKB_STORE_NEED_TRUST, reterr_fail);
    }
    if (err == EKB_OK) {
        options.trust = ekb_store_trust(store);
        err = ekb_verify_once(&outcome, &options, chain, reterr_fail);
    }
    result->verify_depth = outcome.depth;
    ekb_store_destroy(store);
    return err;
}

// judge fills what came of the link from what either end saw of it.
static void judge(struct ekb_scenario_link *result, const struct ekb_visit *visit,
                  const struct ekb_event *event, bool has_event)
{
    const bool refused = has_event && event->kind == EKB_EVENT_REFUSED;
    result->trace = visit->trace;
    result->active = visit->err == EKB_OK && has_event && !refused;
    result->alert = visit->alert_sent >= 0 ? visit->alert_sent : visit->alert_received;
    if (refused) {
        (void)ekb_event_format(result->event, event);
    }
    if (has_event && event->serial[0] != '\0') {
        result->initiator.presented = true;
        (void)snprintf(result->initiator.serial, sizeof result->initiator.serial, "%s",
                       event->serial);
    }
    if (visit->err != EKB_OK && visit->err != EKB_TLS_ALERT && visit->err != EKB_PEER_CLOSED &&
        visit->err != EKB_PEER_RESET) {
        result->err = visit->err;
        result->by_initiator = true;
    } else if (refused) {
        result->err = event->fail.err;
    } else if (!result->active) {
        result->err = visit->err != EKB_OK ? visit->err : EKB_DEADLINE;
    }
}

static enum ekb_err connect_link(struct runner *runner, size_t index, struct ekb_fail *reterr_fail)
{
    struct ekb_scenario_link *result = &runner->out->links[index];
    struct host *host = &runner->hosts[result->link->responder];
    struct ekb_tls_config *config = NULL;
    struct ekb_visit visit = {.err = EKB_OK};
    struct ekb_event event;
    enum ekb_err err = make_client(&config, runner, index, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_visit_options options = {
        .target = host->crew.workers[0].listeners[runner->listener_of[index]].address,
        .config = config,
        .deadline_ns = DEADLINE_NS,
        .settle_ns = SETTLE_NS};
    err = ekb_visit_make(&visit, &options, reterr_fail);
    if (err == EKB_OK) {
        const bool has_event = await_event(&event, host);
        judge(result, &visit, &event, has_event);
        take_serial(&result->responder, visit.peer);
    }
    if (err == EKB_OK && result->by_initiator && result->err >= EKB_VERIFY_UNSPECIFIED &&
        visit.peer != NULL && ekb_chain_len(visit.peer) > 0) {
        err = tell_depth(result, runner, visit.peer, reterr_fail);
    }
    ekb_visit_deinit(&visit);
    ekb_tls_config_destroy(config);
    return err;
}

// Signatures: what C finds of the certificate with which E has signed.

// verify_usage verifies the server certificate of `signer` against the trusted list of `verifier`,
// for one usage.
static enum ekb_err verify_usage(struct ekb_verify_outcome *out_outcome,
                                 const struct ekb_store *signer, const struct ekb_store *trusting,
                                 enum ekb_eku_mode mode, struct ekb_fail *reterr_fail)
{
    struct ekb_verify_options options = {.trust = ekb_store_trust(trusting),
                                         .policy = ekb_policy_default(),
                                         .anchor = EKB_ANCHOR_ROOT};
    options.policy.eku = mode;
    return ekb_verify_once(out_outcome, &options,
                           ekb_store_identity(signer, EKB_STORE_SERVER)->chain, reterr_fail);
}

static enum ekb_err check_signature(struct runner *runner, size_t index,
                                    struct ekb_fail *reterr_fail)
{
    static const struct {
        unsigned usage;
        enum ekb_eku_mode mode;
    } usages[] = {{EKB_EKU_SERVER_AUTH, EKB_EKU_OFF}, {EKB_EKU_CLIENT_AUTH, EKB_EKU_ON}};
    struct ekb_scenario_link *result = &runner->out->links[index];
    const struct ekb_deployment_link *link = result->link;
    struct ekb_store *signer = NULL;
    struct ekb_store *trusting = NULL;
    struct ekb_verify_outcome outcome = {.err = EKB_OK};
    enum ekb_err err = ekb_store_load(&signer, ekb_site_store(runner->site, link->initiator),
                                      EKB_STORE_NEED_SERVER, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_load(&trusting, ekb_site_store(runner->site, link->responder),
                             EKB_STORE_NEED_TRUST, reterr_fail);
    }
    for (size_t i = 0; i < 2 && err == EKB_OK && outcome.err == EKB_OK; i++) {
        if ((result->initiator.demand.usages & usages[i].usage) != 0) {
            err = verify_usage(&outcome, signer, trusting, usages[i].mode, reterr_fail);
        }
    }
    if (err == EKB_OK) {
        take_serial(&result->initiator, ekb_store_identity(signer, EKB_STORE_SERVER)->chain);
        result->active = outcome.err == EKB_OK;
        result->err = outcome.err;
    }
    ekb_store_destroy(trusting);
    ekb_store_destroy(signer);
    return err;
}

// Expectations.

// fits is true if what came of the link is what `expectation` says.
static bool fits(const struct ekb_scenario_link *result, enum ekb_expected expected,
                 const char *reason)
{
    if (result->active != (expected == EKB_EXPECTED_ACTIVE)) {
        return false;
    }
    return reason[0] == '\0' || strcmp(reason, ekb_err_name(result->err)) == 0 ||
           (result->alert >= 0 && strcmp(reason, ekb_alert_name(result->alert)) == 0);
}

// is_from is true if the end presented nothing, or what is in that store of its node.
static bool is_from(const struct ekb_scenario_end *end, const char *store)
{
    return !end->presented || strcmp(end->store, store) == 0 || strcmp(end->store, "both") == 0 ||
           (strcmp(end->store, "second") == 0 && strcmp(store, "server") == 0);
}

// has_roles is true if each end presented the certificate of its role, by its serial number.
static bool has_roles(const struct ekb_scenario_link *result)
{
    return is_from(&result->initiator, is_connection(result->link) ? "client" : "server") &&
           is_from(&result->responder, "server");
}

static void expect(struct runner *runner, size_t index)
{
    struct ekb_scenario_link *result = &runner->out->links[index];
    const struct ekb_deployment_expectation *said = ekb_deployment_expect(
        runner->deployment, result->link->name, runner->terms->release, runner->terms->mode);
    if (said != NULL) {
        result->expected = said->expected;
        (void)snprintf(result->expected_reason, sizeof result->expected_reason, "%s", said->reason);
    }
    if (said == NULL) {
        result->is_foretold = true;
        result->expected = ekb_foretell_link(runner->deployment, result->link,
                                             runner->terms->release, runner->terms->mode);
    }
    result->has_roles = has_roles(result);
    result->matches =
        result->has_roles && (result->expected == EKB_EXPECTED_UNKNOWN ||
                              fits(result, result->expected, result->expected_reason));
    runner->out->matches = runner->out->matches && result->matches;
}

// Whether all links of a kind are active: unknown if there is none.
static enum ekb_scenario_mra state_of(const struct ekb_scenario_run *run, enum ekb_link kind)
{
    enum ekb_scenario_mra state = EKB_MRA_UNKNOWN;
    for (size_t i = 0; i < run->num_links; i++) {
        if (run->links[i].link->kind == kind) {
            state = run->links[i].active && state != EKB_MRA_FAILS ? EKB_MRA_WORKS : EKB_MRA_FAILS;
        }
    }
    return state;
}

static void conclude(struct runner *runner)
{
    static const enum ekb_link parts[] = {EKB_LINK_UC_ZONE, EKB_LINK_SSH_TUNNEL,
                                          EKB_LINK_SIP_SERVICE, EKB_LINK_TRAFFIC};
    struct ekb_scenario_run *run = runner->out;
    const struct ekb_deployment_expectation *said = ekb_deployment_expect(
        runner->deployment, "mra", runner->terms->release, runner->terms->mode);
    bool all_known = true;
    bool one_fails = false;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const enum ekb_scenario_mra state = state_of(run, parts[i]);
        all_known = all_known && state != EKB_MRA_UNKNOWN;
        one_fails = one_fails || state == EKB_MRA_FAILS;
    }
    run->mra = !all_known ? EKB_MRA_UNKNOWN : one_fails ? EKB_MRA_FAILS : EKB_MRA_WORKS;
    run->expected_mra = said != NULL ? said->expected : EKB_EXPECTED_UNKNOWN;
    run->mra_matches =
        said == NULL ||
        run->mra == (said->expected == EKB_EXPECTED_ACTIVE ? EKB_MRA_WORKS : EKB_MRA_FAILS);
    run->matches = run->matches && run->mra_matches;
}

static void begin_links(struct runner *runner)
{
    struct ekb_scenario_run *run = runner->out;
    run->num_links = runner->deployment->num_links;
    for (size_t i = 0; i < run->num_links; i++) {
        const struct ekb_deployment_link *link = &runner->deployment->links[i];
        const struct ekb_release_node initiator = ekb_site_rules(runner->site, link->initiator);
        const struct ekb_release_node responder = ekb_site_rules(runner->site, link->responder);
        run->links[i] = (struct ekb_scenario_link){
            .link = link,
            .initiator.demand = ekb_link_demand_of_initiator(link->kind, &responder),
            .responder.demand = ekb_link_demand_of_responder(link->kind, &initiator),
            .alert = -1,
            .verify_depth = -1};
    }
    for (size_t i = 0; i < runner->deployment->num_nodes; i++) {
        for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
            run->refusals[i][side] = *ekb_site_refusal(runner->site, i, (enum ekb_store_side)side);
        }
    }
}

static enum ekb_err start_servers(struct runner *runner, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < runner->out->num_links && err == EKB_OK; i++) {
        if (is_connection(&runner->deployment->links[i])) {
            err = add_listener(runner, i, reterr_fail);
        }
    }
    for (size_t i = 0; i < runner->deployment->num_nodes && err == EKB_OK; i++) {
        if (runner->hosts[i].server.num_listeners > 0) {
            err = start(runner, i, reterr_fail);
        }
    }
    return err;
}

static enum ekb_err run_links(struct runner *runner, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < runner->out->num_links && err == EKB_OK; i++) {
        struct ekb_scenario_link *result = &runner->out->links[i];
        if (runner->terms->stop != NULL && *runner->terms->stop != 0) {
            return ekb_fail_say(reterr_fail, EKB_STOPPED, "interrupted");
        }
        err = is_connection(result->link) ? connect_link(runner, i, reterr_fail)
                                          : check_signature(runner, i, reterr_fail);
        if (err == EKB_OK) {
            err = describe_end(&result->initiator, runner, result->link->initiator, reterr_fail);
        }
        if (err == EKB_OK) {
            err = describe_end(&result->responder, runner, result->link->responder, reterr_fail);
        }
        if (err == EKB_OK) {
            expect(runner, i);
        }
    }
    return err;
}

enum ekb_err ekb_scenario_run(struct ekb_scenario_run *out_run,
                              const struct ekb_deployment *deployment,
                              const struct ekb_scenario_terms *terms, struct ekb_fail *reterr_fail)
{
    const struct ekb_site_terms site = {
        .release = terms->release, .mode = terms->mode, .directory = terms->directory};
    struct runner *runner = calloc(1, sizeof *runner);
    if (runner == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a scenario");
    }
    *out_run = (struct ekb_scenario_run){
        .release = terms->release, .mode = terms->mode, .version = terms->version, .matches = true};
    runner->deployment = deployment;
    runner->terms = terms;
    runner->out = out_run;
    for (size_t i = 0; i < EKB_DEPLOYMENT_MAX_NODES; i++) {
        runner->hosts[i].worker = (struct ekb_worker){.control_fd = -1, .ended = true};
    }
    enum ekb_err err = ekb_site_create(&runner->site, deployment, &site, reterr_fail);
    if (err == EKB_OK) {
        begin_links(runner);
        err = start_servers(runner, reterr_fail);
    }
    if (err == EKB_OK) {
        err = run_links(runner, reterr_fail);
    }
    if (err == EKB_OK) {
        conclude(runner);
    }
    for (size_t i = 0; i < EKB_DEPLOYMENT_MAX_NODES; i++) {
        stop(&runner->hosts[i]);
    }
    ekb_site_destroy(runner->site);
    free(runner);
    return err;
}
