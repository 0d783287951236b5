// IMPLEMENTATION NOTES
//
// Phases: CONNECTING -> HANDSHAKING -> end, with FLUSHING before the end when this side refuses the
// server and an alert must go out. What was sent last decides how the next receive waits: after a
// flight nothing can be there yet.
//
// Source addresses: one client address has as many ports to one server port as the ephemeral range
// holds. When more than half of them would be in flight, connections to 127.0.0.0/8 are spread over
// further source addresses of it (127.0.0.2, ...), the port being chosen at connect.

#include "ekubench/peer/client.h"

#include "ekubench/peer/ends.h"
#include "ekubench/peer/sequence.h"
#include "peer/client_choice.h"
#include "peer/client_config.h"
#include "peer/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// Connections started per turn at most, so that a start does not flood the accept queue.
#define MAX_BURST 64
// Dropped arrivals whose wait is still to be seen; of more, what they have waited so far is kept.
#define MAX_WAITING 4096

struct client {
    struct ekb_engine engine;
    const struct ekb_client_options *options;
    struct ekb_tls_config **configs; // By arm.
    struct ekb_tls_config *floor_server;
    struct ekb_arrivals arrivals;
    uint64_t due_ns;      // The next arrival, after the origin; UINT64_MAX: none.
    uint64_t *waiting_ns; // Planned starts of dropped arrivals since a connection was free.
    size_t num_waiting;
    struct ekb_client_choice choice;
    char request[512]; // What is sent with EKB_CONFIRM_HTTP.
    struct ekb_address sources[EKB_CLIENT_MAX_SOURCES];
    size_t num_sources; // 0: the system chooses.
    size_t next_source;
    uint64_t num_started;
    uint64_t num_decided;
    uint64_t num_failed;
    enum ekb_err last_failure;
    bool gave_up;
};

enum ekb_err ekb_client_check(const struct ekb_client_options *options,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_tls_config **configs = NULL;
    const enum ekb_err err = ekb_client_configs_create(&configs, options, reterr_fail);
    if (err == EKB_OK) {
        ekb_client_configs_destroy(configs, options->num_arms);
    }
    return err;
}

static void finish(struct client *client, struct ekb_conn *conn, enum ekb_outcome outcome,
                   enum ekb_err err)
{
    const int alert =
        outcome == EKB_OUTCOME_REJECTED ? ekb_endpoint_alert_received(conn->endpoint) : -1;
    ekb_conn_decide(&client->engine, conn, outcome, err, alert);
    ekb_conn_end(conn);
}

// refuse ends a connection whose endpoint has failed: because the server sent an alert (a
// rejection), or for a reason of our own, which the server is told.
static void refuse(struct client *client, struct ekb_conn *conn)
{
    const enum ekb_err err = ekb_endpoint_error(conn->endpoint);
    if (err == EKB_TLS_ALERT) {
        finish(client, conn, EKB_OUTCOME_REJECTED, err);
        return;
    }
    ekb_conn_decide(&client->engine, conn, EKB_OUTCOME_FAILED, err, -1);
    conn->phase = EKB_CONN_FLUSHING;
    if (!ekb_conn_send(&client->engine, conn)) {
        ekb_conn_end(conn);
    }
}

static void note_negotiated(struct client *client, const struct ekb_conn *conn)
{
    struct ekb_tally *tally = client->options->tally;
    const struct ekb_endpoint *endpoint = conn->endpoint;
    // A resumed handshake proves nothing with a signature.
    if (tally->cipher[0] == '\0' && !ekb_endpoint_is_resumed(endpoint)) {
        (void)snprintf(tally->version, sizeof tally->version, "%s",
                       ekb_endpoint_version_name(endpoint));
        (void)snprintf(tally->group, sizeof tally->group, "%s", ekb_endpoint_group_name(endpoint));
        (void)snprintf(tally->signature, sizeof tally->signature, "%s",
                       ekb_endpoint_signature_name(endpoint));
        (void)snprintf(tally->cipher, sizeof tally->cipher, "%s",
                       ekb_endpoint_cipher_name(endpoint));
    }
}

static void accept_verdict(struct client *client, struct ekb_conn *conn)
{
    note_negotiated(client, conn);
    finish(client, conn, EKB_OUTCOME_ACCEPTED, EKB_OK);
}

// ask sends the request whose answer is the verdict.
static void ask(struct client *client, struct ekb_conn *conn)
{
    conn->asked = true;
    ekb_endpoint_write(conn->endpoint, (const uint8_t *)client->request, strlen(client->request));
}

static void part(struct ekb_conn *conn)
{
    conn->asked = true;
    ekb_endpoint_close(conn->endpoint);
}

// come_to_verdict ends a connection whose endpoint has come to the server's verdict; false if there
// is none yet.
static bool come_to_verdict(struct client *client, struct ekb_conn *conn)
{
    switch (ekb_confirm_look(client->options->confirm, conn->endpoint, conn->asked)) {
    case EKB_CONFIRM_STATE_ACCEPTED:
        accept_verdict(client, conn);
        return true;
    case EKB_CONFIRM_STATE_REFUSED:
        finish(client, conn, EKB_OUTCOME_REJECTED, EKB_HTTP_REFUSED);
        return true;
    case EKB_CONFIRM_STATE_MALFORMED:
        finish(client, conn, EKB_OUTCOME_FAILED, EKB_HTTP_MALFORMED);
        return true;
    case EKB_CONFIRM_STATE_ASK:
        ask(client, conn);
        return false;
    case EKB_CONFIRM_STATE_PART:
        part(conn);
        return false;
    case EKB_CONFIRM_STATE_WAITING:
        break;
    }
    return false;
}

static void advance(struct client *client, struct ekb_conn *conn, enum ekb_recv_hint hint)
{
    if (ekb_endpoint_state(conn->endpoint) == EKB_ENDPOINT_FAILED) {
        refuse(client, conn);
    } else if (!come_to_verdict(client, conn) && !ekb_conn_send(&client->engine, conn)) {
        if (ekb_endpoint_state(conn->endpoint) == EKB_ENDPOINT_CLOSED) {
            finish(client, conn, EKB_OUTCOME_FAILED, EKB_PEER_CLOSED);
        } else {
            ekb_conn_recv(&client->engine, conn, hint);
        }
    }
}

static void on_connected(struct client *client, struct ekb_conn *conn, int32_t result)
{
    if (result < 0) {
        finish(client, conn, EKB_OUTCOME_FAILED, ekb_net_err_from_errno(-result));
        return;
    }
    conn->connected_ns = client->engine.mark_ns;
    conn->phase = EKB_CONN_HANDSHAKING;
    const struct ekb_endpoint_choice choice = {
        .identity = ekb_client_choice_identity(&client->choice, conn->arm),
        .session = conn->session};
    ekb_endpoint_start_as(conn->endpoint, client->configs[conn->arm], &choice);
    advance(client, conn, EKB_RECV_LATER);
}

static void on_sent(struct client *client, struct ekb_conn *conn, int32_t result)
{
    size_t wire_len;
    (void)ekb_endpoint_pending(conn->endpoint, &wire_len);
    if (conn->phase == EKB_CONN_FLUSHING) {
        ekb_conn_end(conn);
    } else if (result < 0 && (result == -EPIPE || result == -ECONNRESET)) {
        // The server may have sent its reason before it closed: read it.
        conn->was_reset = true;
        ekb_conn_recv(&client->engine, conn, EKB_RECV_NOW);
    } else if (result < 0 || (size_t)result < wire_len) {
        finish(client, conn, EKB_OUTCOME_FAILED,
               result < 0 ? ekb_net_err_from_errno(-result) : EKB_PEER_RESET);
    } else {
        ekb_endpoint_sent(conn->endpoint, wire_len);
        advance(client, conn, EKB_RECV_LATER);
    }
}

static void complete(void *context, struct ekb_conn *conn, const struct ekb_completion *completion)
{
    struct client *client = context;
    const int32_t result = completion->result;
    if (completion->tag.op == EKB_OP_CONNECT) {
        on_connected(client, conn, result);
    } else if (completion->tag.op == EKB_OP_SEND) {
        on_sent(client, conn, result);
    } else if (result > 0) {
        ekb_endpoint_feed(conn->endpoint, conn->rx, (size_t)result);
        advance(client, conn, EKB_RECV_NOW);
    } else if (conn->asked && client->options->confirm == EKB_CONFIRM_FIRST) {
        accept_verdict(client, conn);
    } else {
        finish(client, conn, EKB_OUTCOME_FAILED,
               result < 0        ? ekb_net_err_from_errno(-result)
               : conn->was_reset ? EKB_PEER_RESET
                                 : EKB_PEER_CLOSED);
    }
}

static const struct ekb_address *next_source(struct client *client)
{
    if (client->num_sources == 0) {
        return NULL;
    }
    client->next_source = (client->next_source + 1) % client->num_sources;
    return &client->sources[client->next_source];
}

// next_arm draws an arm with TLS; in TCP slices it takes the one without, and in a block the
// block's.
static uint16_t next_arm(struct client *client)
{
    const struct ekb_timeline *timeline = client->options->timeline;
    const uint32_t block = ekb_timeline_block(timeline, client->engine.slice);
    if (ekb_engine_slice_kind(&client->engine) == EKB_SLICE_TCP) {
        return client->choice.num_tls_arms;
    }
    if (block == UINT32_MAX) {
        return ekb_client_choice_arm(&client->choice);
    }
    const struct ekb_quadruple quadruple =
        ekb_quadruple_make(client->options->seed, block / EKB_QUADRUPLE_LEN);
    return (uint16_t)quadruple.arms[block % EKB_QUADRUPLE_LEN];
}

// is_measured is true if what was due at that time is measured, whenever it starts and ends.
static bool is_measured(const struct client *client, uint64_t planned_ns)
{
    const struct ekb_timeline *timeline = client->options->timeline;
    return ekb_timeline_kind(timeline, ekb_timeline_slice(timeline, planned_ns)) ==
           EKB_SLICE_MEASURED;
}

static void start_one(struct client *client, uint64_t planned_ns)
{
    struct ekb_engine *engine = &client->engine;
    enum ekb_err err = EKB_OK;
    uint16_t arm_index = next_arm(client);
    struct ekb_tls_session *const session = ekb_client_choice_session(&client->choice, &arm_index);
    const struct ekb_address *target = &client->options->arms[arm_index].target;

    client->num_started++;
    struct ekb_conn *conn = ekb_conn_take(engine, -1, arm_index, planned_ns, engine->mark_ns);
    EKB_CHECK(conn != NULL);
    engine->current = conn;
    conn->session = session;
    if (conn->fd < 0) {
        err = ekb_net_client_socket(&conn->fd, target->storage.ss_family, next_source(client));
    }
    if (err != EKB_OK) {
        finish(client, conn, EKB_OUTCOME_FAILED, err);
    } else {
        ekb_conn_connect(engine, conn, (const struct sockaddr *)&target->storage, target->len);
    }
    ekb_conn_step_end(engine, conn);
}

// count_verdicts looks whether anything but failures has come so far, and keeps the commonest
// failure.
static void count_verdicts(struct client *client)
{
    const struct ekb_tally *tally = client->options->tally;
    uint64_t most = 0;
    client->num_decided = 0;
    client->num_failed = 0;
    for (size_t i = 0; i < tally->num_arms; i++) {
        const struct ekb_tally_arm *arm = &tally->arms[i];
        client->num_decided += arm->accepted + arm->rejected;
        client->num_failed +=
            client->options->arms[i].expect == EKB_EXPECT_REFUSE ? 0 : arm->failed;
        for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
            if (arm->failures[err] > most) {
                most = arm->failures[err];
                client->last_failure = (enum ekb_err)err;
            }
        }
    }
}

static bool should_give_up(struct client *client)
{
    if (client->num_decided == 0) {
        count_verdicts(client);
    }
    return client->num_decided == 0 && client->num_failed >= EKB_CLIENT_GIVE_UP;
}

// may_start is true if another connection may be in flight at `now_ns`.
static bool may_start(const struct client *client, uint64_t now_ns)
{
    const struct ekb_client_options *options = client->options;
    return ekb_engine_num_open(&client->engine) <
               ekb_pace_ramp(options->in_flight, options->ramp_ns,
                             now_ns - options->timeline->origin_ns) &&
           (options->max_starts == 0 || client->num_started < options->max_starts);
}

// next_start_ns returns when there is something to start again that no completion tells of.
static uint64_t next_start_ns(const struct client *client, uint64_t now_ns)
{
    const struct ekb_client_options *options = client->options;
    const uint64_t origin_ns = options->timeline->origin_ns;
    if (may_start(client, now_ns)) {
        return now_ns; // The rest goes out as soon as the first completions are handled.
    }
    const uint64_t next_ns =
        ekb_pace_ramp_next_ns(options->in_flight, options->ramp_ns, now_ns - origin_ns);
    return next_ns == UINT64_MAX ? next_ns : origin_ns + next_ns;
}

// is_ending is true at the end of a slice that is followed by one of another kind: what is in
// flight ends in the slice in which it began, so that the slice's processor time is that of its
// handshakes.
static bool is_ending(const struct client *client, uint64_t now_ns)
{
    const struct ekb_timeline *timeline = client->options->timeline;
    const uint32_t slice = ekb_timeline_slice(timeline, now_ns);
    const enum ekb_slice_kind next = ekb_timeline_kind(timeline, slice + 1);
    return timeline->floor_every > 0 && next != EKB_SLICE_OVER &&
           ekb_timeline_kind(timeline, slice) != next &&
           now_ns + ekb_timeline_ending_ns(timeline) >= ekb_timeline_start(timeline, slice + 1);
}

// start_in_flight keeps the closed loop closed.
static void start_in_flight(struct client *client, uint64_t now_ns)
{
    struct ekb_engine *engine = &client->engine;
    const bool starts =
        ekb_engine_slice_kind(engine) != EKB_SLICE_FLOOR && !is_ending(client, now_ns);
    for (int i = 0; starts && i < MAX_BURST && may_start(client, now_ns); i++) {
        start_one(client, engine->mark_ns);
    }
    engine->wake_ns = starts ? next_start_ns(client, now_ns) : UINT64_MAX;
}

// end_waiting notes how long dropped arrivals would have waited, now that a connection is free.
static void end_waiting(struct client *client, uint64_t now_ns)
{
    for (size_t i = 0; i < client->num_waiting; i++) {
        ekb_distribution_add(&client->options->tally->dropped_wait, now_ns - client->waiting_ns[i]);
    }
    client->num_waiting = 0;
}

// drop counts an arrival that no connection was free for. It waits until one is.
static void drop(struct client *client, uint64_t planned_ns, uint64_t now_ns)
{
    if (client->num_waiting == MAX_WAITING) {
        end_waiting(client, now_ns);
    }
    if (is_measured(client, planned_ns)) {
        client->waiting_ns[client->num_waiting++] = planned_ns;
    }
    client->options->tally->arms[next_arm(client)].dropped++;
    struct ekb_series_interval *interval = ekb_engine_interval(&client->engine, now_ns);
    if (interval != NULL) {
        interval->dropped++;
    }
}

// is_behind is true if the time is over and something is still due that was before its end: it is
// late, and not left out; but for what is so much that it takes longer than a deadline.
static bool is_behind(const struct client *client, uint64_t now_ns)
{
    const struct ekb_timeline *timeline = client->options->timeline;
    const uint64_t max_starts = client->options->max_starts;
    return client->options->stretches != NULL &&
           now_ns <
               ekb_timeline_start(timeline, timeline->num_slices) + client->options->deadline_ns &&
           client->due_ns < timeline->num_slices * timeline->slice_ns &&
           (max_starts == 0 || client->num_started < max_starts);
}

// start_due starts what is due in an open loop.
static void start_due(struct client *client, uint64_t now_ns)
{
    struct ekb_engine *engine = &client->engine;
    const uint64_t origin_ns = client->options->timeline->origin_ns;
    const uint64_t max_starts = client->options->max_starts;
    if (ekb_engine_num_open(engine) < client->options->in_flight) {
        end_waiting(client, now_ns);
    }
    const uint64_t end_ns =
        ekb_timeline_start(client->options->timeline, client->options->timeline->num_slices);
    const uint64_t until_ns = (now_ns < end_ns ? now_ns : end_ns - 1) - origin_ns;
    for (int i = 0; i < MAX_BURST && client->due_ns <= until_ns &&
                    (max_starts == 0 || client->num_started < max_starts);
         i++) {
        const uint64_t planned_ns = origin_ns + client->due_ns;
        if (ekb_engine_num_open(engine) == client->options->in_flight) {
            drop(client, planned_ns, now_ns);
        } else {
            if (is_measured(client, planned_ns)) {
                ekb_distribution_add(&client->options->tally->lag, engine->mark_ns - planned_ns);
            }
            start_one(client, planned_ns);
        }
        client->due_ns = ekb_arrivals_next_ns(&client->arrivals);
    }
    engine->wake_ns = client->due_ns == UINT64_MAX ? UINT64_MAX : origin_ns + client->due_ns;
}

static bool turn(void *context, uint64_t now_ns)
{
    struct client *client = context;
    struct ekb_engine *engine = &client->engine;
    const enum ekb_slice_kind kind = ekb_engine_slice_kind(engine);
    const uint64_t max_starts = client->options->max_starts;

    if (!engine->stopping && ((kind == EKB_SLICE_OVER && !is_behind(client, now_ns)) ||
                              (max_starts != 0 && client->num_started >= max_starts))) {
        ekb_engine_stop(engine, now_ns + 2 * client->options->deadline_ns);
    }
    if (!engine->stopping && should_give_up(client)) {
        client->gave_up = true;
        return false;
    }
    if (engine->stopping) {
        end_waiting(client, now_ns);
        return ekb_engine_num_open(engine) > 0;
    }
    if (now_ns < client->options->timeline->origin_ns) {
        engine->wake_ns = client->options->timeline->origin_ns;
        return true;
    }
    if (client->options->stretches != NULL) {
        start_due(client, now_ns);
    } else {
        start_in_flight(client, now_ns);
    }
    return true;
}

static bool is_expected(const void *context, const struct ekb_conn *conn)
{
    const struct client *client = context;
    const struct ekb_client_arm *arm = &client->options->arms[conn->arm];
    switch (arm->expect) {
    case EKB_EXPECT_ACCEPT:
        return conn->outcome == EKB_OUTCOME_ACCEPTED && conn->resumed == arm->resumes;
    case EKB_EXPECT_REJECT:
        return conn->outcome == EKB_OUTCOME_REJECTED && conn->resumed == arm->resumes;
    case EKB_EXPECT_REFUSE:
        break;
    }
    return conn->outcome == EKB_OUTCOME_FAILED && ekb_endpoint_alert_sent(conn->endpoint) >= 0;
}

static void over(void *context, struct ekb_conn *conn)
{
    struct client *client = context;
    ekb_client_choice_over(&client->choice, conn);
}

static void spread_sources(struct client *client)
{
    uint32_t low = 32768;
    uint32_t high = 60999;
    (void)ekb_net_port_range(&low, &high);
    const uint32_t per_source = (high - low) / 2 + 1;
    const uint64_t num_workers =
        client->options->share.count > 0 ? client->options->share.count : 1;
    const uint64_t in_flight = client->options->in_flight * num_workers; // Of all of them, about.
    if (in_flight <= per_source) {
        return;
    }
    for (size_t i = 0; i < client->options->num_arms; i++) {
        if (!ekb_address_is_loopback4(&client->options->arms[i].target)) {
            return;
        }
    }
    const size_t wanted = in_flight / per_source + 1;
    client->num_sources = wanted < EKB_CLIENT_MAX_SOURCES ? wanted : EKB_CLIENT_MAX_SOURCES;
    for (size_t i = 0; i < client->num_sources; i++) {
        char text[EKB_ADDRESS_TEXT_LEN] = "127.0.0.1:0";
        text[8] = (char)('1' + i % 9);
        text[6] = (char)('0' + i / 9);
        EKB_CHECK(ekb_address_parse(&client->sources[i], text, NULL) == EKB_OK);
    }
}

// is_one_family is true if a socket made for one arm can connect to the others' targets.
static bool is_one_family(const struct ekb_client_options *options)
{
    for (size_t i = 1; i < options->num_arms; i++) {
        if (options->arms[i].target.storage.ss_family !=
            options->arms[0].target.storage.ss_family) {
            return false;
        }
    }
    return true;
}

static enum ekb_err make_floor_server(struct client *client, struct ekb_fail *reterr_fail)
{
    const struct ekb_ends_spec spec = {.server_store = client->options->floor_server_store,
                                       .version = client->options->arms[0].version,
                                       .preferences = client->options->arms[0].preferences,
                                       .policy = ekb_policy_default()};
    return ekb_ends_make_server(&client->floor_server, &spec, reterr_fail);
}

static void write_request(struct client *client)
{
    char address[EKB_ADDRESS_TEXT_LEN];
    const struct ekb_client_arm *arm = &client->options->arms[0];
    (void)snprintf(
        client->request, sizeof client->request,
        "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: ekubench\r\nConnection: close\r\n\r\n",
        arm->sni != NULL ? arm->sni : ekb_address_format(address, &arm->target));
}

static enum ekb_err prepare(struct client *client, int control_fd, struct ekb_fail *reterr_fail)
{
    const struct ekb_client_options *options = client->options;
    enum ekb_err err = ekb_client_configs_create(&client->configs, options, reterr_fail);
    if (err == EKB_OK && options->floor_server_store != NULL) {
        err = make_floor_server(client, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    if (options->stretches != NULL) {
        client->waiting_ns = calloc(MAX_WAITING, sizeof client->waiting_ns[0]);
        if (client->waiting_ns == NULL) {
            return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "arrivals");
        }
        ekb_arrivals_init(&client->arrivals, options->stretches, options->num_stretches,
                          options->arrivals, &options->share, options->seed);
        client->due_ns = ekb_arrivals_next_ns(&client->arrivals);
        // The kernel's habit of 50 us would be the generator's lag.
        (void)prctl(PR_SET_TIMERSLACK, 1UL);
    }
    if (ekb_client_choice_init(&client->choice, options, client->configs) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "arms");
    }
    write_request(client);
    spread_sources(client);
    const struct ekb_engine_options engine_options = {
        .max_connections = options->in_flight,
        .deadline_ns = options->deadline_ns,
        .control_fd = control_fd,
        .clock = ekb_clock_monotonic(),
        .timeline = options->timeline,
        .tally = options->tally,
        .floor_client = client->floor_server != NULL ? client->configs[0] : NULL,
        .floor_server = client->floor_server,
        .floor_side = EKB_ROLE_CLIENT,
        .samples_by_plan = options->stretches != NULL,
    };
    const struct ekb_engine_role role = {.complete = complete,
                                         .turn = turn,
                                         .is_expected = is_expected,
                                         .over = over,
                                         .reuses_sockets = is_one_family(options),
                                         .context = client};
    return ekb_engine_init(&client->engine, &engine_options, &role, reterr_fail);
}

static enum ekb_err give_up_text(const struct client *client, struct ekb_fail *reterr_fail)
{
    char text[EKB_ADDRESS_TEXT_LEN];
    return ekb_fail_set(reterr_fail, client->last_failure, 0,
                        "gave up on %s: the first %llu handshakes all failed",
                        ekb_address_format(text, &client->options->arms[0].target),
                        (unsigned long long)client->num_failed);
}

enum ekb_err ekb_client_run(const struct ekb_client_options *options, int control_fd,
                            void (*ready)(void *ready_context), void *ready_context,
                            struct ekb_fail *reterr_fail)
{
    struct client client = {.options = options};
    enum ekb_err err = prepare(&client, control_fd, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    ready(ready_context);
    err = ekb_engine_run(&client.engine, reterr_fail);
    if (err == EKB_OK && client.gave_up) {
        err = give_up_text(&client, reterr_fail);
    }
out:
    ekb_engine_deinit(&client.engine);
    ekb_client_choice_deinit(&client.choice);
    free(client.waiting_ns);
    ekb_tls_config_destroy(client.floor_server);
    ekb_client_configs_destroy(client.configs, options->num_arms);
    return err;
}
