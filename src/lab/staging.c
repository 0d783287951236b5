#include "lab/staging.h"

#include "ekubench/lab/stage.h"
#include "ekubench/peer/ends.h"

#include <stdio.h>
#include <string.h>

// A server worker has room for connections that are ending while their successors begin, and for
// more than its share: twice the stage's, where there are descriptors for as many.
#define ROOM_FACTOR 2
#define ROOM_SPARE 256

static uint32_t at_least_one(uint32_t count)
{
    return count > 0 ? count : 1;
}

// room_of returns how many connections a server worker of the stage has room for.
static uint32_t room_of(const struct ekb_plan_stage *stage)
{
    const uint64_t wanted = (uint64_t)stage->in_flight * ROOM_FACTOR + ROOM_SPARE;
    const uint64_t needed = ekb_preflight_room(stage->in_flight, stage->server_workers);
    const uint64_t allowed = ekb_net_descriptor_limit();
    const uint64_t possible =
        allowed > EKB_STAGE_SPARE_DESCRIPTORS ? allowed - EKB_STAGE_SPARE_DESCRIPTORS : 0;
    if (possible >= wanted) {
        return (uint32_t)wanted;
    }
    return (uint32_t)(possible > needed ? possible : needed);
}

struct ekb_preflight_load ekb_staging_needs(const struct ekb_plan_stage *stage)
{
    const bool is_open_loop = stage->rate_per_s > 0;
    return (struct ekb_preflight_load){
        .in_flight = stage->in_flight,
        // An open loop begins by its rate: as many as that is in a second.
        .at_once = is_open_loop && stage->rate_per_s < stage->in_flight
                       ? (uint64_t)stage->rate_per_s
                       : ekb_preflight_at_once(stage->in_flight, stage->ramp_ns),
        .client_workers = at_least_one(stage->client_workers),
        .server_workers = at_least_one(stage->server_workers),
        .listening = stage->listening,
        .is_loopback4 = true,
    };
}

// needs_against is ekb_staging_needs against a server that is not ours, unless `target` is NULL.
static struct ekb_preflight_load needs_against(const struct ekb_plan_stage *stage,
                                               const struct ekb_address *target)
{
    struct ekb_preflight_load load = ekb_staging_needs(stage);
    if (target != NULL) {
        load.server_workers = 0;
        load.is_loopback4 = ekb_address_is_loopback4(target);
    }
    return load;
}

uint64_t ekb_staging_most(const struct ekb_plan_stage *stage, const struct ekb_address *target)
{
    const struct ekb_preflight_load load = needs_against(stage, target);
    struct ekb_preflight_limits limits;
    ekb_preflight_read_limits(&limits);
    return ekb_preflight_most(&load, &limits);
}

enum ekb_err ekb_staging_look_ahead(struct ekb_record *record, const struct ekb_plan_stage *stage,
                                    const struct ekb_address *target, struct ekb_fail *reterr_fail)
{
    const struct ekb_preflight_load load = needs_against(stage, target);
    int cpus[2 * EKB_STAGE_MAX_WORKERS];
    const enum ekb_err err = ekb_preflight_pass(record, stage->name, &load, reterr_fail);
    return err != EKB_OK ? err
                         : ekb_pin_choose(cpus, load.server_workers + load.client_workers,
                                          &stage->pin, NULL, 0, 0, reterr_fail);
}

// first_with_tickets returns the index of the arm whose sessions the others resume.
static uint16_t first_with_tickets(const struct ekb_plan_stage *stage)
{
    uint16_t arm = 0;
    while (arm + 1u < stage->num_arms && !stage->arms[arm].tickets) {
        arm++;
    }
    return arm;
}

static void label_arm(struct ekb_record_arm *label, const struct ekb_plan *plan,
                      const struct ekb_plan_arm *arm)
{
    char eku[64];
    *label = (struct ekb_record_arm){
        .depth = arm->depth, .resumes = arm->resumes, .identities = arm->depth > 0 ? 1 : 0};
    EKB_RECORD_COPY(label->name, arm->name);
    EKB_RECORD_COPY(label->eku, ekb_eku_mode_name(arm->policy.eku));
    EKB_RECORD_COPY(label->verify,
                    arm->bare_tcp ? "tcp" : ekb_verify_level_name(arm->policy.verify));
    EKB_RECORD_COPY(label->key,
                    ekb_key_type_name(arm->link != NULL ? arm->link->key_type : plan->key_type));
    EKB_RECORD_COPY(label->client_eku, arm->depth == 0 ? "" : ekb_eku_format(eku, arm->client_eku));
    EKB_RECORD_COPY(label->tls, ekb_tls_version_name(plan->version));
    EKB_RECORD_COPY(label->expect, ekb_expect_name(arm->expect));
}

// set_preferences gives `listener` the plan's.
static void set_preferences(struct ekb_listener *listener,
                            const struct ekb_tls_preferences *preferences)
{
    if (preferences->groups != NULL) {
        (void)snprintf(listener->groups, sizeof listener->groups, "%s", preferences->groups);
    }
    if (preferences->ciphers != NULL) {
        (void)snprintf(listener->ciphers, sizeof listener->ciphers, "%s", preferences->ciphers);
    }
}

static void add_listener(struct ekb_staging *staging, const struct ekb_plan *plan,
                         const struct ekb_plan_arm *arm, const struct ekb_stores *stores, size_t i)
{
    const bool gives_tickets = arm->tickets || arm->resumes;
    staging->listeners[i] =
        (struct ekb_listener){.policy = arm->policy,
                              .version = plan->version,
                              .store_path = ekb_stores_server(stores, arm),
                              .flights = arm->bare_tcp ? &staging->flights : NULL,
                              .resumption = gives_tickets ? EKB_TLS_RESUME_ON : EKB_TLS_RESUME_OFF,
                              .inject_ns = arm->inject_ns,
                              .probe = arm->probe,
                              .arm = (uint16_t)i,
                              .fd = -1};
    if (arm->link != NULL && arm->link->second_store != NULL) {
        (void)snprintf(staging->listeners[i].second_store,
                       sizeof staging->listeners[i].second_store, "%s", arm->link->second_store);
    }
    set_preferences(&staging->listeners[i], &plan->preferences);
    staging->expect[i] = (uint8_t)arm->expect;
    label_arm(&staging->labels[i], plan, arm);
}

// share_tickets gives the listeners one ticket key if several workers serve them: a client may come
// to any of these.
static enum ekb_err share_tickets(struct ekb_staging *staging, const struct ekb_plan_stage *stage,
                                  struct ekb_fail *reterr_fail)
{
    struct ekb_ticket_key key;
    if (stage->server_workers < 2) {
        return EKB_OK;
    }
    if (ekb_ticket_key_make(&key) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_TLS_INTERNAL, 0, "ticket key");
    }
    for (size_t i = 0; i < stage->num_arms; i++) {
        if (staging->listeners[i].resumption == EKB_TLS_RESUME_ON) {
            staging->listeners[i].ticket_key = key;
        }
    }
    return EKB_OK;
}

// make_server makes a listener for each arm, and opens them.
static enum ekb_err make_server(struct ekb_staging *staging, const struct ekb_plan *plan,
                                const struct ekb_plan_stage *stage, const struct ekb_stores *stores,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_address loopback;
    enum ekb_err err = ekb_address_parse(&loopback, "127.0.0.1:0", reterr_fail);
    for (size_t i = 0; i < stage->num_arms && err == EKB_OK; i++) {
        add_listener(staging, plan, &stage->arms[i], stores, i);
        staging->listeners[i].address = loopback;
    }
    if (err == EKB_OK) {
        err = share_tickets(staging, stage, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    staging->server = (struct ekb_server_options){
        .store_path = ekb_stores_server(stores, &stage->arms[0]),
        .listeners = staging->listeners,
        .num_listeners = stage->num_arms,
        .num_workers = stage->server_workers,
        .listening = stage->listening,
        .max_connections = room_of(stage),
        .deadline_ns = plan->deadline_ns,
        .expect = staging->expect,
        .floor_client_store =
            stage->floor_every > 0 ? ekb_stores_client(stores, &stage->arms[0]) : NULL,
    };
    return ekb_server_open(&staging->server, reterr_fail);
}

void ekb_staging_load(struct ekb_staging *staging, const struct ekb_plan *plan,
                      const struct ekb_plan_stage *stage)
{
    staging->client = (struct ekb_client_options){
        .arms = staging->client_arms,
        .num_arms = stage->num_arms,
        .in_flight = stage->in_flight,
        .ramp_ns = stage->ramp_ns,
        .share = {.index = 0, .count = stage->client_workers},
        .deadline_ns = plan->deadline_ns,
        .seed = plan->seed,
        .confirm = EKB_CONFIRM_BYTE,
        .arrivals = EKB_ARRIVALS_POISSON,
    };
    if (stage->rate_per_s > 0) {
        staging->rate = (struct ekb_pace_stretch){(uint64_t)stage->num_slices * stage->slice_ns,
                                                  stage->rate_per_s, stage->rate_per_s};
        staging->client.stretches = &staging->rate;
        staging->client.num_stretches = 1;
    }
}

// go_by_link has the client go about it as the link says.
static void go_by_link(struct ekb_client_arm *arm, const struct ekb_plan_link *link)
{
    const struct ekb_tls_preferences wished = arm->preferences;
    arm->ca_path = NULL;
    arm->trust_store = link->trust_store;
    arm->presents_server = link->presents_server;
    arm->policy = &link->policy;
    arm->sni = link->sni;
    arm->preferences = link->preferences;
    if (wished.groups != NULL) {
        arm->preferences.groups = wished.groups;
    }
    if (wished.ciphers != NULL) {
        arm->preferences.ciphers = wished.ciphers;
    }
}

// make_client makes an arm for each listener.
static void make_client(struct ekb_staging *staging, const struct ekb_plan *plan,
                        const struct ekb_plan_stage *stage, const struct ekb_stores *stores)
{
    for (size_t i = 0; i < stage->num_arms; i++) {
        const char *store_path = ekb_stores_client(stores, &stage->arms[i]);
        staging->client_arms[i] =
            (struct ekb_client_arm){.target = staging->listeners[i].address,
                                    .store_path = store_path,
                                    .ca_path = store_path == NULL ? ekb_stores_trust(stores) : NULL,
                                    .version = plan->version,
                                    .preferences = plan->preferences,
                                    .flights = stage->arms[i].bare_tcp ? &staging->flights : NULL,
                                    .kind = stage->client,
                                    .keeps_sessions = stage->arms[i].tickets,
                                    .resumes = stage->arms[i].resumes,
                                    .session_arm = first_with_tickets(stage),
                                    .expect = stage->arms[i].expect};
        if (stage->arms[i].link != NULL) {
            go_by_link(&staging->client_arms[i], stage->arms[i].link);
        }
    }
    ekb_staging_load(staging, plan, stage);
    staging->client.floor_server_store =
        stage->floor_every > 0 ? ekb_stores_server(stores, &stage->arms[0]) : NULL;
}

enum ekb_err ekb_staging_init(struct ekb_staging *staging, const struct ekb_plan *plan,
                              const struct ekb_plan_stage *stage, const struct ekb_stores *stores,
                              struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    if (stage->tcp_floor) {
        const struct ekb_ends_spec ends = {
            .server_store = ekb_stores_server(stores, &stage->arms[0]),
            .client_store = ekb_stores_client(stores, &stage->arms[0]),
            .version = plan->version,
            .preferences = plan->preferences,
            .policy = stage->arms[0].policy};
        err = ekb_flights_record(&staging->flights, &ends, reterr_fail);
    }
    if (err == EKB_OK) {
        err = make_server(staging, plan, stage, stores, reterr_fail);
    }
    if (err == EKB_OK) {
        make_client(staging, plan, stage, stores);
    }
    return err;
}

struct ekb_record_stage ekb_staging_label(const struct ekb_plan_stage *stage)
{
    struct ekb_record_stage label = {
        .in_flight = stage->in_flight,
        .ramp_ns = stage->ramp_ns,
        .warmup_ns = stage->num_warmup * stage->slice_ns,
        .duration_ns = (stage->num_slices - stage->num_warmup) * stage->slice_ns,
        .slice_ns = stage->slice_ns,
        .floor_every = stage->floor_every,
    };
    EKB_RECORD_COPY(label.name, stage->name);
    EKB_RECORD_COPY(label.shape, stage->rate_per_s > 0 ? "open-loop" : "closed-loop");
    EKB_RECORD_COPY(label.client, stage->client == EKB_CLIENT_FULL ? "full" : "cheap");
    return label;
}
