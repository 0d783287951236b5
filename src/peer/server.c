// IMPLEMENTATION NOTES
//
// Phases of a connection and what moves it on:
//
//   HANDSHAKING --(verified)--> CONFIRMING --('K' is sent: accepted)--> CLOSING --(client
//   closes)--> end
//        |                          |
//        |                          +--(send fails: failed)--> end
//        +--(TLS failure: rejected or failed)--> FLUSHING --(alert sent)--> DRAINING --(close)-->
//        end
//        +--(peer closed, reset, deadline: failed)--> end
//
// Never more than one operation of a connection is in the kernel. The alert must not be lost:
// closing a socket with unread bytes sends a reset that may overtake it, hence shutdown and
// draining.

#include "ekubench/peer/server.h"

#include "ekubench/peer/ends.h"
#include "ekubench/peer/event.h"
#include "ekubench/peer/listen.h"
#include "ekubench/peer/sequence.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/probe.h"
#include "peer/contexts.h"
#include "peer/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// How long a listener rests after accept failed (no descriptors, no memory).
#define ACCEPT_REST_NS (UINT64_C(10) * EKB_NS_PER_MS)

struct server {
    struct ekb_engine engine;
    const struct ekb_server_options *options;
    struct ekb_contexts *contexts;
    struct ekb_tls_config *floor_client;
    uint64_t *rearm_at_ns; // By listener; 0: accepting.
    // By slot, if there are events: a connection that has been reset has no peer any more.
    struct ekb_address *peers;
    struct ekb_tls_observer observer;
    uint64_t verify_begin_ns;
    struct ekb_sequence repeats; // Order of the numbers of repeats of probes.
    bool accepts_cancelled;
};

static void verify_begin(void *context)
{
    struct server *server = context;
    server->verify_begin_ns = ekb_clock_now(&server->engine.options.clock);
}

static void verify_end(void *context)
{
    struct server *server = context;
    if (server->engine.current != NULL) {
        server->engine.current->verify_ns +=
            ekb_clock_now(&server->engine.options.clock) - server->verify_begin_ns;
    }
}

static void add_probe(const struct server *server, unsigned probe, uint64_t count, uint64_t ns)
{
    struct ekb_slice_sum *slice = &server->options->tally->probes[probe][server->engine.slice];
    slice->count += count;
    slice->sum += ns;
}

// verified takes a sample of what verification costs.
static void verified(void *context, void *chain)
{
    struct server *server = context;
    struct ekb_probe_sample sample;
    if (server->engine.current == NULL ||
        ekb_engine_slice_kind(&server->engine) != EKB_SLICE_MEASURED) {
        return;
    }
    const uint16_t repeats = ekb_sequence_next(&server->repeats);
    ekb_probe_measure(&sample, chain, &server->engine.options.clock, ekb_tally_repeats[repeats]);
    add_probe(server, EKB_TALLY_PROBE_EMPTY, 1, sample.empty_ns);
    add_probe(server, EKB_TALLY_PROBE_FIRST, sample.num_checked, sample.first_ns);
    add_probe(server, EKB_TALLY_PROBE_PURPOSE, sample.num_checked, sample.purpose_ns);
    add_probe(server, EKB_TALLY_PROBE_PARSE, sample.num_checked, sample.parse_ns);
    add_probe(server, EKB_TALLY_PROBE_VERIFY, 1, server->engine.current->verify_ns);
    add_probe(server, EKB_TALLY_PROBE_REPEATS + repeats, 1, sample.repeats_ns);
}

enum ekb_err ekb_server_check(const struct ekb_server_options *options,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_contexts *contexts = NULL;
    const enum ekb_err err = ekb_contexts_create(&contexts, options, NULL, reterr_fail);
    ekb_contexts_destroy(contexts);
    return err;
}

const char *ekb_listening_name(enum ekb_listening listening)
{
    return listening == EKB_LISTENING_SHARED ? "shared" : "per-worker";
}

// listen_first binds an address that other workers of this server will bind too. Whoever else does
// so would be given a part of the connections: hence it must be free at first.
static enum ekb_err listen_first(int *out_fd, const struct ekb_address *address,
                                 struct ekb_fail *reterr_fail)
{
    int fd = -1;
    if (ekb_address_port(address) != 0) {
        const enum ekb_err err = ekb_net_listen(&fd, address, false, reterr_fail);
        if (err != EKB_OK) {
            return err;
        }
        (void)close(fd);
    }
    return ekb_net_listen(out_fd, address, true, reterr_fail);
}

enum ekb_err ekb_server_open(struct ekb_server_options *options, struct ekb_fail *reterr_fail)
{
    const bool each = options->num_workers > 1 && options->listening == EKB_LISTENING_EACH;
    for (size_t i = 0; i < options->num_listeners; i++) {
        options->listeners[i].fd = -1;
    }
    for (size_t i = 0; i < options->num_listeners; i++) {
        struct ekb_listener *listener = &options->listeners[i];
        enum ekb_err err =
            each ? listen_first(&listener->fd, &listener->address, reterr_fail)
                 : ekb_net_listen(&listener->fd, &listener->address, false, reterr_fail);
        if (err == EKB_OK) {
            err = ekb_net_local_address(&listener->address, listener->fd);
        }
        if (err != EKB_OK) {
            ekb_server_close(options);
            return err;
        }
    }
    return EKB_OK;
}

void ekb_server_close(struct ekb_server_options *options)
{
    for (size_t i = 0; i < options->num_listeners; i++) {
        if (options->listeners[i].fd >= 0) {
            (void)close(options->listeners[i].fd);
            options->listeners[i].fd = -1;
        }
    }
}

// is_judgement is true for reasons that are about the client's certificate: such a client is
// rejected, not failed.
static bool is_judgement(enum ekb_err err)
{
    return err == EKB_TLS_NO_CERTIFICATE || err == EKB_TLS_BAD_CERTIFICATE ||
           err == EKB_TLS_BAD_SIGNATURE || (err >= EKB_VERIFY_UNSPECIFIED && err < EKB_ERR_COUNT);
}

// find_peer stores who is at the other end of `fd`; of length 0 if it is gone already.
static void find_peer(struct ekb_address *out_peer, int fd)
{
    if (ekb_net_peer_address(out_peer, fd) != EKB_OK) {
        out_peer->len = 0;
    }
}

// push_event completes an event about the connection of `fd`.
static void push_event(const struct server *server, struct ekb_event *event, int fd)
{
    event->at_ns = ekb_event_now_ns();
    if (ekb_net_local_address(&event->local, fd) != EKB_OK) {
        event->local.len = 0;
    }
    ekb_event_push(server->options->events, event);
}

// tell pushes an event about a connection that has a slot.
static void tell(const struct server *server, enum ekb_event_kind kind, const struct ekb_conn *conn,
                 enum ekb_err err)
{
    struct ekb_event event = {
        .kind = kind, .fail = {.err = err}, .peer = server->peers[conn->slot]};
    if (server->options->tells_accepted) {
        struct ekb_chain *chain = NULL;
        struct ekb_description leaf;
        if (ekb_endpoint_copy_peer_chain(&chain, conn->endpoint) == EKB_OK && chain != NULL &&
            ekb_chain_len(chain) > 0) {
            ekb_chain_describe(&leaf, chain, 0);
            (void)snprintf(event.serial, sizeof event.serial, "%s", leaf.serial);
        }
        ekb_chain_destroy(chain);
    }
    push_event(server, &event, conn->fd);
}

static void refused(void *context, const struct ekb_conn *conn, enum ekb_err err)
{
    const struct server *server = context;
    if (server->peers != NULL) {
        tell(server, EKB_EVENT_REFUSED, conn, err);
    }
}

// renew makes the contexts anew, on the terms that the parent wants by now.
static enum ekb_err renew(struct server *server, struct ekb_fail *reterr_fail)
{
    struct ekb_server_options wanted = *server->options;
    struct ekb_contexts *contexts = NULL;
    wanted.listeners = calloc(wanted.num_listeners, sizeof wanted.listeners[0]);
    if (wanted.listeners == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "listeners");
    }
    for (size_t i = 0; i < wanted.num_listeners; i++) {
        const struct ekb_listener *now = &server->options->listeners[i];
        wanted.listeners[i].store_path = now->store_path;
        wanted.listeners[i].flights = now->flights;
        wanted.listeners[i].probe = now->probe;
        ekb_listener_take_terms(&wanted.listeners[i],
                                wanted.reload_from != NULL ? &wanted.reload_from[i] : now);
    }
    const enum ekb_err err =
        ekb_contexts_create(&contexts, &wanted, &server->observer, reterr_fail);
    if (err == EKB_OK) {
        for (size_t i = 0; i < wanted.num_listeners; i++) {
            ekb_listener_take_terms(&server->options->listeners[i], &wanted.listeners[i]);
        }
        ekb_contexts_destroy(server->contexts);
        server->contexts = contexts;
    }
    free(wanted.listeners);
    return err;
}

// reload leaves all as it is if it fails. Connections that have begun go on as they began.
static void reload(void *context)
{
    struct server *server = context;
    const struct ekb_clock *clock = &server->engine.options.clock;
    struct ekb_event event = {.at_ns = ekb_event_now_ns()};
    const uint64_t begin_ns = ekb_clock_now(clock);
    const bool done = renew(server, &event.fail) == EKB_OK;
    event.kind = done ? EKB_EVENT_RELOADED : EKB_EVENT_RELOAD_FAILED;
    event.spent_ns = ekb_clock_now(clock) - begin_ns;
    if (server->options->events != NULL) {
        ekb_event_push(server->options->events, &event);
    }
}

static void drain(struct server *server, struct ekb_conn *conn)
{
    ekb_conn_shut_down(&server->engine, conn);
    conn->phase = EKB_CONN_DRAINING;
    ekb_conn_restart_deadline(&server->engine, conn, EKB_CONN_TIME_DRAIN);
    ekb_conn_recv(&server->engine, conn, EKB_RECV_LATER);
}

static void refuse(struct server *server, struct ekb_conn *conn)
{
    const enum ekb_err err = ekb_endpoint_error(conn->endpoint);
    ekb_conn_decide(&server->engine, conn,
                    is_judgement(err) ? EKB_OUTCOME_REJECTED : EKB_OUTCOME_FAILED, err,
                    ekb_endpoint_alert_sent(conn->endpoint));
    conn->phase = EKB_CONN_FLUSHING;
    if (!ekb_conn_send(&server->engine, conn)) {
        drain(server, conn);
    }
}

// waste keeps the CPU busy for a while, as slower code would.
static void waste(const struct server *server, uint64_t inject_ns)
{
    if (inject_ns > 0) {
        const uint64_t until_ns = ekb_clock_now(&server->engine.options.clock) + inject_ns;
        while (ekb_clock_now(&server->engine.options.clock) < until_ns) {
        }
    }
}

// advance does what the endpoint's state asks for after bytes have gone in or out.
static void advance(struct server *server, struct ekb_conn *conn, enum ekb_recv_hint hint)
{
    static const uint8_t confirmation = EKB_SERVER_CONFIRMATION;
    const enum ekb_endpoint_state state = ekb_endpoint_state(conn->endpoint);

    const bool complete = state == EKB_ENDPOINT_READY || state == EKB_ENDPOINT_CLOSED;

    if (complete && conn->phase == EKB_CONN_HANDSHAKING) {
        waste(server, conn->inject_ns);
        conn->phase = EKB_CONN_CONFIRMING;
        ekb_endpoint_write(conn->endpoint, &confirmation, 1);
    }
    if (ekb_endpoint_state(conn->endpoint) == EKB_ENDPOINT_FAILED) {
        refuse(server, conn);
    } else if (!ekb_conn_send(&server->engine, conn)) {
        if (state == EKB_ENDPOINT_CLOSED) {
            ekb_conn_decide(&server->engine, conn, EKB_OUTCOME_FAILED, EKB_PEER_CLOSED, -1);
            ekb_conn_end(conn);
        } else {
            ekb_conn_recv(&server->engine, conn, hint);
        }
    }
}

static void accepted(struct server *server, struct ekb_conn *conn)
{
    ekb_conn_decide(&server->engine, conn, EKB_OUTCOME_ACCEPTED, EKB_OK, -1);
    if (server->options->tells_accepted) {
        tell(server, EKB_EVENT_ACCEPTED, conn, EKB_OK);
    }
    conn->phase = EKB_CONN_CLOSING;
    ekb_conn_restart_deadline(&server->engine, conn, EKB_CONN_TIME_PHASE);
    ekb_conn_recv(&server->engine, conn, EKB_RECV_LATER);
}

static void on_sent(struct server *server, struct ekb_conn *conn, int32_t result)
{
    size_t wire_len;
    (void)ekb_endpoint_pending(conn->endpoint, &wire_len);
    if (result < 0 || (size_t)result < wire_len) {
        ekb_conn_decide(&server->engine, conn, EKB_OUTCOME_FAILED,
                        result < 0 ? ekb_net_err_from_errno(-result) : EKB_PEER_RESET, -1);
        ekb_conn_end(conn);
        return;
    }
    ekb_endpoint_sent(conn->endpoint, wire_len);
    if (conn->phase == EKB_CONN_FLUSHING) {
        drain(server, conn);
    } else if (conn->phase == EKB_CONN_CONFIRMING) {
        accepted(server, conn);
    } else {
        advance(server, conn, EKB_RECV_LATER);
    }
}

static void on_received(struct server *server, struct ekb_conn *conn, int32_t result)
{
    if (result > 0 && (conn->phase == EKB_CONN_DRAINING || conn->phase == EKB_CONN_CLOSING)) {
        ekb_conn_recv(&server->engine, conn, EKB_RECV_LATER);
    } else if (result > 0) {
        ekb_endpoint_feed(conn->endpoint, conn->rx, (size_t)result);
        advance(server, conn, EKB_RECV_NOW);
    } else {
        // After the verdict this is the client's close, and `decide` keeps the verdict.
        ekb_conn_decide(&server->engine, conn, EKB_OUTCOME_FAILED,
                        result == 0 ? EKB_PEER_CLOSED : ekb_net_err_from_errno(-result), -1);
        ekb_conn_end(conn);
    }
}

static void complete(void *context, struct ekb_conn *conn, const struct ekb_completion *completion)
{
    struct server *server = context;
    if (completion->tag.op == EKB_OP_SEND) {
        on_sent(server, conn, completion->result);
    } else {
        on_received(server, conn, completion->result);
    }
}

// turn_away resets a connection for which there is no slot.
static void turn_away(struct server *server, int fd, uint16_t arm_index)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct ekb_tally_arm *arm = &server->options->tally->arms[arm_index];
    if (server->peers != NULL) {
        struct ekb_event event = {.kind = EKB_EVENT_REFUSED, .fail = {.err = EKB_SERVER_FULL}};
        find_peer(&event.peer, fd);
        push_event(server, &event, fd);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(fd);
    arm->started++;
    arm->failed++;
    arm->failures[EKB_SERVER_FULL]++;
}

static void accept_one(struct server *server, size_t listener_index, int fd)
{
    struct ekb_engine *engine = &server->engine;
    const struct ekb_listener *listener = &server->options->listeners[listener_index];
    struct ekb_conn *conn =
        ekb_conn_take(engine, fd, listener->arm, engine->mark_ns, engine->mark_ns);
    if (conn == NULL) {
        turn_away(server, fd, listener->arm);
        return;
    }
    if (server->peers != NULL) {
        find_peer(&server->peers[conn->slot], fd);
    }
    engine->current = conn;
    conn->phase = EKB_CONN_HANDSHAKING;
    conn->inject_ns = listener->inject_ns;
    if (ekb_endpoint_start(conn->endpoint, ekb_contexts_get(server->contexts, listener_index)) ==
        EKB_OK) {
        ekb_conn_recv(engine, conn, EKB_RECV_NOW);
    } else {
        ekb_conn_decide(engine, conn, EKB_OUTCOME_FAILED, ekb_endpoint_error(conn->endpoint), -1);
        ekb_conn_end(conn);
    }
    ekb_conn_step_end(engine, conn);
}

static bool is_shared(const struct server *server)
{
    return server->options->num_workers > 1 && server->options->listening == EKB_LISTENING_SHARED;
}

static void on_accept(void *context, const struct ekb_completion *completion)
{
    struct server *server = context;
    const uint32_t listener = completion->tag.slot;
    uint64_t rearm_at_ns = completion->more ? 0 : server->engine.mark_ns;
    if (completion->result >= 0) {
        accept_one(server, listener, completion->result);
    } else if (completion->result == -EINVAL && is_shared(server)) {
        // Another worker has ended the listener: it has been told to stop, as this one will be.
        rearm_at_ns = UINT64_MAX;
    } else if (completion->result != -ECANCELED && completion->result != -ECONNABORTED) {
        server->options->tally->num_accept_errors++;
        rearm_at_ns += ACCEPT_REST_NS;
    }
    if (!completion->more) {
        server->rearm_at_ns[listener] = rearm_at_ns;
    }
}

// arm begins to accept. From a socket that several workers share one connection at a time: the
// kernel wakes the one that has waited longest, and who would go on waiting would get them all.
static void arm(struct server *server, uint32_t listener)
{
    const struct ekb_op_tag tag = {.op = EKB_OP_ACCEPT, .slot = listener};
    const int fd = server->options->listeners[listener].fd;
    if (is_shared(server)) {
        ekb_loop_accept_one(server->engine.loop, tag, fd);
    } else {
        ekb_loop_accept(server->engine.loop, tag, fd);
    }
}

// stop_accepting ends the listeners at once, also for whoever else holds them: cancelled accepts
// are submitted later, and the ring keeps a listener alive until they are done.
static void stop_accepting(struct server *server)
{
    for (size_t i = 0; i < server->options->num_listeners; i++) {
        if (server->rearm_at_ns[i] == 0) {
            ekb_loop_cancel(server->engine.loop,
                            (struct ekb_op_tag){.op = EKB_OP_ACCEPT, .slot = (uint32_t)i});
        }
    }
    for (size_t i = 0; i < server->options->num_listeners; i++) {
        (void)shutdown(server->options->listeners[i].fd, SHUT_RDWR);
    }
    server->accepts_cancelled = true;
}

static bool turn(void *context, uint64_t now_ns)
{
    struct server *server = context;
    struct ekb_engine *engine = &server->engine;
    engine->wake_ns = UINT64_MAX;
    if (engine->stopping) {
        if (!server->accepts_cancelled) {
            stop_accepting(server);
        }
        return ekb_engine_num_open(engine) > 0;
    }
    for (size_t i = 0; i < server->options->num_listeners; i++) {
        const uint64_t at_ns = server->rearm_at_ns[i];
        if (at_ns != 0 && at_ns <= now_ns) {
            server->rearm_at_ns[i] = 0;
            arm(server, (uint32_t)i);
        } else if (at_ns != 0 && at_ns < engine->wake_ns) {
            engine->wake_ns = at_ns;
        }
    }
    return true;
}

static bool is_expected(const void *context, const struct ekb_conn *conn)
{
    const struct server *server = context;
    static const enum ekb_outcome outcomes[] = {[EKB_EXPECT_REJECT] = EKB_OUTCOME_REJECTED,
                                                [EKB_EXPECT_ACCEPT] = EKB_OUTCOME_ACCEPTED,
                                                [EKB_EXPECT_REFUSE] = EKB_OUTCOME_FAILED};
    return conn->outcome == outcomes[server->options->expect[conn->arm]];
}

static enum ekb_err make_floor_client(struct server *server, struct ekb_fail *reterr_fail)
{
    const struct ekb_server_options *options = server->options;
    const struct ekb_listener *listener = &options->listeners[options->floor_listener];
    const struct ekb_ends_spec spec = {.client_store = options->floor_client_store,
                                       .version = listener->version,
                                       .preferences = ekb_listener_preferences(listener)};
    return ekb_ends_make_client(&server->floor_client, &spec, reterr_fail);
}

static enum ekb_err prepare(struct server *server, int control_fd, struct ekb_fail *reterr_fail)
{
    const struct ekb_server_options *options = server->options;
    enum ekb_err err =
        ekb_contexts_create(&server->contexts, options, &server->observer, reterr_fail);
    if (err == EKB_OK && options->floor_client_store != NULL) {
        err = make_floor_client(server, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    server->rearm_at_ns = calloc(options->num_listeners, sizeof server->rearm_at_ns[0]);
    if (server->rearm_at_ns == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "listeners");
    }
    for (size_t i = 0; i < options->num_listeners; i++) {
        server->rearm_at_ns[i] = 1; // Due at the first turn.
    }
    if (options->events != NULL) {
        server->peers = calloc(options->max_connections, sizeof server->peers[0]);
        if (server->peers == NULL) {
            return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "connections");
        }
    }
    const struct ekb_engine_options engine_options = {
        .max_connections = options->max_connections,
        .deadline_ns = options->deadline_ns,
        .control_fd = control_fd,
        .clock = ekb_clock_monotonic(),
        .timeline = options->timeline,
        .tally = options->tally,
        .floor_client = server->floor_client,
        .floor_server = ekb_contexts_get(server->contexts, options->floor_listener),
        .floor_side = EKB_ROLE_SERVER,
    };
    const struct ekb_engine_role role = {.complete = complete,
                                         .accept = on_accept,
                                         .turn = turn,
                                         .is_expected = is_expected,
                                         .refused = refused,
                                         .reload = reload,
                                         .context = server};
    return ekb_engine_init(&server->engine, &engine_options, &role, reterr_fail);
}

enum ekb_err ekb_server_run(const struct ekb_server_options *options, int control_fd,
                            void (*ready)(void *ready_context), void *ready_context,
                            struct ekb_fail *reterr_fail)
{
    struct server server = {.options = options};
    server.observer = (struct ekb_tls_observer){.verify_begin = verify_begin,
                                                .verify_end = verify_end,
                                                .verified = verified,
                                                .context = &server};
    ekb_sequence_init(&server.repeats, EKB_TALLY_NUM_REPEATS, 1);

    enum ekb_err err = prepare(&server, control_fd, reterr_fail);
    if (err == EKB_OK) {
        ready(ready_context);
        err = ekb_engine_run(&server.engine, reterr_fail);
    }
    ekb_engine_deinit(&server.engine);
    ekb_tls_config_destroy(server.floor_client);
    ekb_contexts_destroy(server.contexts);
    free(server.peers);
    free(server.rearm_at_ns);
    return err;
}
