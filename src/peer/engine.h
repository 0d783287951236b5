// The engine: what a server worker and a client worker have in common.
//
// It owns the loop, the slab of connections, the deadlines and the clock, and it is the one glue
// between tls/endpoint (which knows no sockets) and io/loop (which knows no TLS). The role says
// what to do with a connection through `struct ekb_engine_role`.
//
// Time: one clock read closes each step (the handling of one completion, the start of one
// connection) and opens the next, so that every nanosecond of a step belongs to exactly one
// connection. What lies between the last step of a batch and the first of the next is the kernel's
// and the loop's.
//
// Memory: everything is allocated in `ekb_engine_init`; afterwards only the TLS library allocates.

#ifndef EKUBENCH_SRC_PEER_ENGINE_H
#define EKUBENCH_SRC_PEER_ENGINE_H

#include "ekubench/base/clock.h"
#include "ekubench/base/err.h"
#include "ekubench/io/deadline.h"
#include "ekubench/io/loop.h"
#include "ekubench/peer/memory.h"
#include "ekubench/peer/tally.h"
#include "ekubench/peer/timeline.h"
#include "ekubench/tls/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_CONN_RX_LEN 4096

enum ekb_conn_phase {
    EKB_CONN_FREE,
    EKB_CONN_CONNECTING,  // Client.
    EKB_CONN_HANDSHAKING, // Until the verdict.
    EKB_CONN_CONFIRMING,  // Server: the confirmation is on its way.
    EKB_CONN_CLOSING,     // Server: verdict given, waiting for the client's close.
    EKB_CONN_FLUSHING,    // An alert is on its way.
    EKB_CONN_DRAINING,    // Server: after an alert, reading until the client closes.
};

enum ekb_outcome {
    EKB_OUTCOME_NONE,
    EKB_OUTCOME_ACCEPTED,
    EKB_OUTCOME_REJECTED,
    EKB_OUTCOME_FAILED,
};

struct ekb_conn {
    int fd;
    int spare_fd; // Client: the slot's socket, reset and fit for the next connection; or -1.
    uint32_t slot;
    uint32_t generation;
    uint16_t arm;
    enum ekb_conn_phase phase;
    enum ekb_outcome outcome;
    enum ekb_op pending_op; // Valid while `busy`.
    bool busy;              // An operation is in the kernel.
    bool was_reset; // Client: a send has found the connection reset; what the server sent before is
                    // still read.
    bool expired;   // Its deadline has passed; it ends when the operation has.
    bool ended;     // Closed and released at the end of the present step.
    bool asked;     // Client: its request is written.
    bool resumed;   // When the verdict came.
    uint64_t planned_ns; // When it was due, and
    uint64_t started_ns; // when it was started.
    uint64_t connected_ns;
    uint64_t verdict_ns;
    uint64_t steps_ns;
    uint64_t verify_ns;
    uint64_t inject_ns; // Server: time to waste in this handshake.
    uint64_t sent_bytes;
    uint64_t received_bytes;
    struct ekb_tls_session *session; // Client: what it offers to resume, owned; or NULL.
    struct ekb_endpoint *endpoint;
    uint8_t *rx; // EKB_CONN_RX_LEN bytes.
};

// The times to live of a connection's phases.
enum ekb_conn_time {
    EKB_CONN_TIME_PHASE, // Handshake, or waiting for the client's close: `deadline_ns`.
    EKB_CONN_TIME_DRAIN, // Reading until the peer closes, after an alert: EKB_ENGINE_DRAIN_NS.
    EKB_CONN_NUM_TIMES
};
#define EKB_ENGINE_DRAIN_NS EKB_NS_PER_S

// What a role does. All are called with the role's own `context`.
struct ekb_engine_role {
    // An operation on `conn` is complete (never EKB_OP_ACCEPT or EKB_OP_CONTROL); the step ends
    // when it returns.
    void (*complete)(void *context, struct ekb_conn *conn, const struct ekb_completion *completion);
    // An accept operation is complete. NULL for a client.
    void (*accept)(void *context, const struct ekb_completion *completion);
    // Before each wait: start, re-arm. False ends the run.
    bool (*turn)(void *context, uint64_t now_ns);
    // True if the socket of a connection that came to a verdict may serve the next one (a client's
    // may).
    bool reuses_sockets;
    // True if the outcome of `conn` is what is expected in its arm: costs and latencies are those
    // of such connections.
    bool (*is_expected)(const void *context, const struct ekb_conn *conn);
    // `conn` is over, and still has its endpoint. NULL: nothing is to be done.
    void (*over)(void *context, struct ekb_conn *conn);
    // A connection has been rejected or has failed. NULL: nobody wants to know.
    void (*refused)(void *context, const struct ekb_conn *conn, enum ekb_err err);
    // The parent wants the role's configuration read anew. NULL: it has none.
    void (*reload)(void *context);
    void *context;
};

struct ekb_engine_options {
    uint32_t max_connections;
    uint64_t deadline_ns;
    int control_fd;
    struct ekb_clock clock;
    const struct ekb_timeline *timeline; // Shared: the origin is set before the first connection.
    struct ekb_tally *tally;
    // The in-memory handshake of floor slices; NULL: none is measured.
    const struct ekb_tls_config *floor_client;
    const struct ekb_tls_config *floor_server;
    enum ekb_role floor_side; // Whose part is kept.
    // Latency is that of connections that were planned in a measured slice, whenever they end: with
    // those that end in one the slow ones of the last seconds would be left out. Else of these,
    // which in a closed loop is the same.
    bool samples_by_plan;
};

struct ekb_engine {
    struct ekb_engine_options options;
    struct ekb_engine_role role;
    struct ekb_loop *loop;
    struct ekb_deadlines *deadlines[EKB_CONN_NUM_TIMES];
    struct ekb_memory_pair *floor_pair;
    struct ekb_conn *conns;
    uint8_t *rx_slab;
    uint32_t *free_slots;
    uint32_t num_free;
    uint64_t mark_ns; // Begin of the present step; 0 between batches.
    uint64_t wake_ns; // The role wants a turn at this time at the latest; UINT64_MAX: none.
    uint32_t slice;   // Of the last tick.
    uint64_t tick_ns; // The last tick.
    struct ekb_cpu_time slice_cpu; // At its start.
    uint64_t slice_run_delay_ns;
    struct ekb_tally_usage slice_usage;
    bool ticked;
    bool stopping;
    uint64_t stop_deadline_ns;
    struct ekb_conn *current; // The connection whose step it is, or NULL.
    char control_byte;
};

// Commands that the parent writes to the control socket, one byte each.
enum {
    EKB_CONTROL_GO = 'G',     // The timeline's origin is set.
    EKB_CONTROL_STOP = 'S',   // Start nothing new, let what is in flight end.
    EKB_CONTROL_ABORT = 'A',  // The same, but within EKB_ENGINE_ABORT_NS.
    EKB_CONTROL_RELOAD = 'R', // Read the configuration anew.
};
#define EKB_ENGINE_ABORT_NS (UINT64_C(300) * EKB_NS_PER_MS)

// ekb_engine_init prepares everything; `ekb_engine_deinit` releases it and is safe on a zeroed
// engine. EKB_NOMEM, EKB_NO_IO_URING.
EKB_NODISCARD enum ekb_err ekb_engine_init(struct ekb_engine *engine,
                                           const struct ekb_engine_options *options,
                                           const struct ekb_engine_role *role,
                                           struct ekb_fail *reterr_fail);
void ekb_engine_deinit(struct ekb_engine *engine);

// ekb_engine_run turns until the role ends it or the stop deadline has passed. EKB_SYSTEM if the
// ring fails.
EKB_NODISCARD enum ekb_err ekb_engine_run(struct ekb_engine *engine, struct ekb_fail *reterr_fail);

// ekb_engine_stop begins stopping: `stop_deadline_ns` (absolute) is when the run ends at the
// latest.
void ekb_engine_stop(struct ekb_engine *engine, uint64_t stop_deadline_ns);

// ekb_engine_num_open returns the number of connections in the slab that are in use.
uint32_t ekb_engine_num_open(const struct ekb_engine *engine);

// ekb_engine_slice_kind returns what the present slice is for.
enum ekb_slice_kind ekb_engine_slice_kind(const struct ekb_engine *engine);

// ekb_engine_interval returns the interval of the tally's series at `now_ns`; NULL if none is kept.
struct ekb_series_interval *ekb_engine_interval(const struct ekb_engine *engine, uint64_t now_ns);

// ekb_conn_take takes a free connection for socket `fd`, now owned by it; NULL if all are in use.
// Its deadline runs from `now_ns`, its latency from `planned_ns`.
struct ekb_conn *ekb_conn_take(struct ekb_engine *engine, int fd, uint16_t arm, uint64_t planned_ns,
                               uint64_t now_ns);

// ekb_conn_connect, ekb_conn_recv and ekb_conn_send queue the connection's next operation.
// ekb_conn_send sends what the endpoint has pending and returns false if there is nothing.
void ekb_conn_connect(struct ekb_engine *engine, struct ekb_conn *conn,
                      const struct sockaddr *address, socklen_t address_len);
void ekb_conn_recv(struct ekb_engine *engine, struct ekb_conn *conn, enum ekb_recv_hint hint);
bool ekb_conn_send(struct ekb_engine *engine, struct ekb_conn *conn);

// ekb_conn_shut_down ends the writing side of the connection. The time that takes is the kernel's
// and not counted in the step.
void ekb_conn_shut_down(struct ekb_engine *engine, const struct ekb_conn *conn);

// ekb_conn_restart_deadline gives the next phase of the connection its own time.
void ekb_conn_restart_deadline(struct ekb_engine *engine, struct ekb_conn *conn,
                               enum ekb_conn_time time);

// ekb_conn_decide counts the outcome of the connection, once: later calls are ignored. `err` is the
// reason of a rejection or failure.
void ekb_conn_decide(struct ekb_engine *engine, struct ekb_conn *conn, enum ekb_outcome outcome,
                     enum ekb_err err, int alert);

// ekb_conn_end marks the connection as over; it is closed, its costs are counted and its slot is
// released when the step ends. No operation may be in the kernel.
void ekb_conn_end(struct ekb_conn *conn);

// ekb_conn_step_end ends the step of `conn`: for steps that begin in the role's turn.
void ekb_conn_step_end(struct ekb_engine *engine, struct ekb_conn *conn);

#endif
