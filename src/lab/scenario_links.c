#include "lab/scenario_internal.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/utf8.h"
#include "ekubench/peer/visit.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/verify.h"
#include "ekubench/store/store.h"

#include <stdio.h>
#include <string.h>

// Ends.

// describe_end says which certificate has `serial`, of those in the stores of `node`.
static enum ekb_err describe_end(struct ekb_scenario_end *end,
                                 const struct ekb_scenario_runner *runner, size_t node,
                                 struct ekb_fail *reterr_fail)
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
            end->has_one = end->has_one || side == (int)end->role;
            ekb_chain_describe(&leaf, identity->chain, 0);
            if (strcmp(leaf.serial, end->serial) == 0) {
                (void)snprintf(end->subject, sizeof end->subject, "%.*s",
                               (int)ekb_utf8_cut(leaf.subject, sizeof end->subject - 1),
                               leaf.subject);
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

// is_name is true for what is found wrong with a name.
static bool is_name(enum ekb_err err)
{
    return err == EKB_VERIFY_HOSTNAME || err == EKB_VERIFY_IP || err == EKB_VERIFY_EMAIL;
}

// Connections.

// make_client makes what the initiator connects with: its client store, if it has one.
static enum ekb_err make_client(struct ekb_tls_config **out_config,
                                const struct ekb_scenario_runner *runner, size_t index,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_plan_link initiator;
    struct ekb_store *store = NULL;
    enum ekb_err err = ekb_scenario_initiator(&initiator, runner->site, runner->deployment,
                                              &runner->deployment->links[index], reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_load(&store, initiator.client_store, EKB_STORE_NEED_TRUST, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_tls_options tls = {
        .role = EKB_ROLE_CLIENT,
        .version = runner->terms->version,
        .preferences = initiator.preferences,
        .identity = ekb_store_identity(store, runner->out->links[index].initiator.role),
        .trust = ekb_store_trust(store),
        .policy = initiator.policy,
        .goes_by_mode = true,
        .sni = initiator.sni};
    err = ekb_tls_config_create(out_config, &tls, reterr_fail);
    ekb_store_destroy(store);
    return err;
}

// await_event waits for what the server has to tell of the connection that has just been made.
static bool await_event(struct ekb_event *out_event, struct ekb_scenario_host *host)
{
    const uint64_t until_ns = ekb_clock_now_ns() + EKB_SCENARIO_SETTLE_NS;
    while (!ekb_event_pop(out_event, host->events)) {
        if (ekb_clock_now_ns() > until_ns || host->worker.ended) {
            return false;
        }
        ekb_worker_update(&host->worker, 1, EKB_SCENARIO_LOOK_NS);
    }
    return true;
}

// A chain that was refused, and by whom.
struct refused {
    const struct ekb_chain *chain;
    size_t verifier; // Node.
    struct ekb_link_demand demand;
};

// tell_depth finds which certificate of the chain was not taken.
static enum ekb_err tell_depth(struct ekb_scenario_link *result,
                               const struct ekb_scenario_runner *runner,
                               const struct refused *refused, struct ekb_fail *reterr_fail)
{
    struct ekb_verify_options options = {.anchor = EKB_ANCHOR_ROOT};
    struct ekb_verify_outcome outcome = {.depth = -1};
    struct ekb_store *store = NULL;
    struct ekb_link_demand demand = refused->demand;
    demand.name = false;
    enum ekb_err err = ekb_scenario_policy(&options.policy, &demand, "", reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_load(&store, ekb_site_store(runner->site, refused->verifier),
                             EKB_STORE_NEED_TRUST, reterr_fail);
    }
    if (err == EKB_OK) {
        options.trust = ekb_store_trust(store);
        err = ekb_verify_once(&outcome, &options, refused->chain, reterr_fail);
    }
    if (err == EKB_OK && outcome.err != EKB_OK) {
        result->verify_depth = outcome.depth;
    } else if (err == EKB_OK && is_name(result->err)) {
        result->verify_depth = 0; // The chain is good: it is the leaf's name.
    }
    ekb_store_destroy(store);
    return err;
}

// tell_outbound writes what the initiator logs of a server that it has refused.
static void tell_outbound(struct ekb_scenario_link *result,
                          const struct ekb_scenario_runner *runner)
{
    const struct ekb_deployment_link *link = result->link;
    const struct ekb_outbound_verdict verdict = {
        .err = result->err, .depth = result->verify_depth, .is_name = is_name(result->err)};
    struct ekb_name name;
    const char *const server =
        link->address[0] != '\0' ? link->address : runner->deployment->nodes[link->responder].host;
    const bool is_address = ekb_name_parse(&name, server) == EKB_OK && name.kind == EKB_NAME_IP;
    (void)ekb_outbound_log(result->outbound, &verdict, server, is_address ? server : "127.0.0.1");
}

// tell_refusal says of a certificate that was refused which one it was, and what is logged.
static enum ekb_err tell_refusal(struct ekb_scenario_link *result,
                                 const struct ekb_scenario_runner *runner,
                                 const struct ekb_chain *by_responder, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_link *link = result->link;
    struct ekb_store *store = NULL;
    struct refused refused = {by_responder, link->initiator, result->responder.demand};
    enum ekb_err err = EKB_OK;
    if (result->err < EKB_VERIFY_UNSPECIFIED || result->err >= EKB_ERR_COUNT) {
        return EKB_OK;
    }
    if (!result->by_initiator) {
        err = ekb_store_load(&store, ekb_site_store(runner->site, link->initiator), 0, reterr_fail);
        if (err != EKB_OK) {
            return err;
        }
        refused = (struct refused){ekb_store_identity(store, result->initiator.role)->chain,
                                   link->responder, result->initiator.demand};
    }
    if (refused.chain != NULL && ekb_chain_len(refused.chain) > 0) {
        err = tell_depth(result, runner, &refused, reterr_fail);
    }
    if (err == EKB_OK && result->by_initiator &&
        ekb_link_row(link->kind)->of_responder == EKB_RULE_OUTBOUND) {
        tell_outbound(result, runner);
    }
    ekb_store_destroy(store);
    return err;
}

// has_asked is true if the responder has asked for a certificate after its own hello, and the
// initiator, unless it has ended the handshake first, has answered after that.
static bool has_asked(const struct ekb_tls_trace *trace, bool by_initiator)
{
    enum {
        NOTHING,
        GREETED,
        ANSWERED,
        ASKED,
        DONE
    } at = NOTHING;
    for (size_t i = 0; i < trace->num; i++) {
        const uint8_t type = trace->messages[i].type;
        const bool sent = trace->messages[i].sent;
        if (at == NOTHING && sent && type == EKB_TLS_MESSAGE_CLIENT_HELLO) {
            at = GREETED;
        } else if (at == GREETED && !sent && type == EKB_TLS_MESSAGE_SERVER_HELLO) {
            at = ANSWERED;
        } else if (at == ANSWERED && !sent && type == EKB_TLS_MESSAGE_CERTIFICATE_REQUEST) {
            at = ASKED;
        } else if (at == ASKED && sent && type == EKB_TLS_MESSAGE_CERTIFICATE) {
            at = DONE;
        }
    }
    return at == DONE || (at == ASKED && by_initiator);
}

// see fills what came of the link from what either end saw of it.
static void see(struct ekb_scenario_link *result, const struct ekb_visit *visit,
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
    result->asks = has_asked(&visit->trace, result->by_initiator);
}

static enum ekb_err connect_link(struct ekb_scenario_runner *runner, size_t index,
                                 struct ekb_fail *reterr_fail)
{
    struct ekb_scenario_link *result = &runner->out->links[index];
    struct ekb_scenario_host *host = &runner->hosts[result->link->responder];
    struct ekb_tls_config *config = NULL;
    struct ekb_visit visit = {.err = EKB_OK};
    struct ekb_event event;
    enum ekb_err err =
        ekb_scenario_name_node(runner, result->link->initiator,
                               make_client(&config, runner, index, reterr_fail), reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_visit_options options = {
        .target = host->crew.workers[0].listeners[runner->listener_of[index]].address,
        .config = config,
        .deadline_ns = EKB_SCENARIO_DEADLINE_NS,
        .settle_ns = EKB_SCENARIO_SETTLE_NS};
    err = ekb_visit_make(&visit, &options, reterr_fail);
    if (err == EKB_OK) {
        const bool has_event = await_event(&event, host);
        see(result, &visit, &event, has_event);
        take_serial(&result->responder, visit.peer);
    }
    if (err == EKB_OK) {
        err = tell_refusal(result, runner, visit.peer, reterr_fail);
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

static enum ekb_err check_signature(struct ekb_scenario_runner *runner, size_t index,
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
    if (err == EKB_OK && outcome.err == EKB_OK && !outcome.may_sign) {
        outcome.err = EKB_VERIFY_PURPOSE; // As a handshake has it (tls/endpoint).
        outcome.depth = 0;
    }
    if (err == EKB_OK) {
        take_serial(&result->initiator, ekb_store_identity(signer, EKB_STORE_SERVER)->chain);
        result->active = outcome.err == EKB_OK;
        result->err = outcome.err;
        result->verify_depth = outcome.err != EKB_OK ? outcome.depth : -1;
    }
    ekb_store_destroy(trusting);
    ekb_store_destroy(signer);
    return err;
}

enum ekb_err ekb_scenario_try(struct ekb_scenario_runner *runner, size_t index,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_scenario_link *result = &runner->out->links[index];
    enum ekb_err err = ekb_scenario_is_connection(result->link)
                           ? connect_link(runner, index, reterr_fail)
                           : check_signature(runner, index, reterr_fail);
    if (err == EKB_OK) {
        err = describe_end(&result->initiator, runner, result->link->initiator, reterr_fail);
    }
    if (err == EKB_OK) {
        err = describe_end(&result->responder, runner, result->link->responder, reterr_fail);
    }
    return err;
}
