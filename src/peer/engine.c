#include "peer/engine.h"

#include "ekubench/io/net.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// How long a wait may be at most when nothing else limits it.
#define MAX_WAIT_NS EKB_NS_PER_S

static enum ekb_err make_slab(struct ekb_engine *engine)
{
    const uint32_t capacity = engine->options.max_connections;
    engine->conns = calloc(capacity, sizeof engine->conns[0]);
    engine->free_slots = calloc(capacity, sizeof engine->free_slots[0]);
    engine->rx_slab = malloc((size_t)capacity * EKB_CONN_RX_LEN);
    if (engine->conns == NULL || engine->free_slots == NULL || engine->rx_slab == NULL) {
        return EKB_NOMEM;
    }
    for (uint32_t slot = 0; slot < capacity; slot++) {
        struct ekb_conn *conn = &engine->conns[slot];
        conn->slot = slot;
        conn->fd = -1;
        conn->spare_fd = -1;
        conn->rx = engine->rx_slab + (size_t)slot * EKB_CONN_RX_LEN;
        if (ekb_endpoint_create(&conn->endpoint) != EKB_OK) {
            return EKB_NOMEM;
        }
        // The lowest slots are taken first, so that few in flight touch little memory.
        engine->free_slots[capacity - 1 - slot] = slot;
    }
    engine->num_free = capacity;
    return EKB_OK;
}

static void listen_to_parent(struct ekb_engine *engine)
{
    if (engine->options.control_fd >= 0) {
        ekb_loop_recv(engine->loop, (struct ekb_op_tag){.op = EKB_OP_CONTROL},
                      engine->options.control_fd, &engine->control_byte, 1, EKB_RECV_NOW);
    }
}

enum ekb_err ekb_engine_init(struct ekb_engine *engine, const struct ekb_engine_options *options,
                             const struct ekb_engine_role *role, struct ekb_fail *reterr_fail)
{
    *engine = (struct ekb_engine){.options = *options, .role = *role, .wake_ns = UINT64_MAX};
    const uint32_t max_queue = 4096;
    const struct ekb_loop_options loop_options = {
        .num_submissions =
            options->max_connections < max_queue ? options->max_connections + 64 : max_queue,
        .num_completions = options->max_connections * 4 + 256,
    };
    enum ekb_err err = ekb_loop_create(&engine->loop, &loop_options, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    (void)strncpy(options->tally->ring_setup, ekb_loop_setup_text(engine->loop),
                  sizeof options->tally->ring_setup - 1);
    if (make_slab(engine) != EKB_OK ||
        ekb_deadlines_create(&engine->deadlines[EKB_CONN_TIME_PHASE], options->max_connections,
                             options->deadline_ns) != EKB_OK ||
        ekb_deadlines_create(&engine->deadlines[EKB_CONN_TIME_DRAIN], options->max_connections,
                             EKB_ENGINE_DRAIN_NS) != EKB_OK ||
        (options->floor_client != NULL && ekb_memory_pair_create(&engine->floor_pair) != EKB_OK)) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%u connections", options->max_connections);
    }
    listen_to_parent(engine);
    return EKB_OK;
}

void ekb_engine_deinit(struct ekb_engine *engine)
{
    // The ring first: it must not write into buffers that are gone.
    ekb_loop_destroy(engine->loop);
    for (uint32_t slot = 0; engine->conns != NULL && slot < engine->options.max_connections;
         slot++) {
        const int fds[] = {engine->conns[slot].fd, engine->conns[slot].spare_fd};
        for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
            if (fds[i] >= 0) {
                (void)close(fds[i]);
            }
        }
        ekb_tls_session_destroy(engine->conns[slot].session);
        ekb_endpoint_destroy(engine->conns[slot].endpoint);
    }
    ekb_memory_pair_destroy(engine->floor_pair);
    for (size_t i = 0; i < EKB_CONN_NUM_TIMES; i++) {
        ekb_deadlines_destroy(engine->deadlines[i]);
    }
    free(engine->rx_slab);
    free(engine->free_slots);
    free(engine->conns);
    *engine = (struct ekb_engine){0};
}

uint32_t ekb_engine_num_open(const struct ekb_engine *engine)
{
    return engine->options.max_connections - engine->num_free;
}

enum ekb_slice_kind ekb_engine_slice_kind(const struct ekb_engine *engine)
{
    return ekb_timeline_kind(engine->options.timeline, engine->slice);
}

void ekb_engine_stop(struct ekb_engine *engine, uint64_t stop_deadline_ns)
{
    if (!engine->stopping || stop_deadline_ns < engine->stop_deadline_ns) {
        engine->stop_deadline_ns = stop_deadline_ns;
    }
    engine->stopping = true;
}

static struct ekb_tally_usage read_usage(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return (struct ekb_tally_usage){0};
    }
    return (struct ekb_tally_usage){.voluntary_switches = (uint64_t)usage.ru_nvcsw,
                                    .involuntary_switches = (uint64_t)usage.ru_nivcsw,
                                    .minor_faults = (uint64_t)usage.ru_minflt,
                                    .major_faults = (uint64_t)usage.ru_majflt};
}

static struct ekb_tally_usage usage_since(const struct ekb_tally_usage *before,
                                          const struct ekb_tally_usage *now)
{
    return (struct ekb_tally_usage){
        .voluntary_switches = now->voluntary_switches - before->voluntary_switches,
        .involuntary_switches = now->involuntary_switches - before->involuntary_switches,
        .minor_faults = now->minor_faults - before->minor_faults,
        .major_faults = now->major_faults - before->major_faults};
}

// How late a tick may be for reasons of our own, when not much is in flight.
#define LATE_NS (20 * EKB_NS_PER_MS)

// lost_ns returns for how much of the time since the last tick the process neither ran nor waited
// for anything: it was stopped (SIGSTOP, a frozen control group), which the scheduler counts as no
// delay. A wait ends at the end of a slice; a tick that is late, of a process that was not busy
// meanwhile, was kept from it.
static uint64_t lost_ns(const struct ekb_engine *engine, uint64_t now_ns, uint64_t cpu_ns)
{
    const struct ekb_timeline *timeline = engine->options.timeline;
    const uint64_t begin_ns = engine->tick_ns;
    const uint64_t due_ns = ekb_timeline_start(timeline, engine->slice + 1);
    const uint64_t late_ns = now_ns > due_ns ? now_ns - due_ns : 0;
    const uint64_t passed_ns = now_ns - begin_ns;
    const uint64_t idle_ns = passed_ns > cpu_ns ? passed_ns - cpu_ns : 0;
    const uint64_t lost = late_ns < idle_ns ? late_ns : idle_ns;
    return lost > LATE_NS ? lost : 0;
}

// tick notes the CPU time at the start of every slice that has begun since the last tick.
static void tick(struct ekb_engine *engine, uint64_t now_ns)
{
    struct ekb_tally *tally = engine->options.tally;
    const struct ekb_timeline *timeline = engine->options.timeline;
    if (now_ns < timeline->origin_ns) {
        return;
    }
    const uint32_t slice = ekb_timeline_slice(timeline, now_ns);
    if (engine->ticked && slice == engine->slice) {
        return;
    }
    const struct ekb_cpu_time cpu = ekb_clock_cpu();
    const uint64_t run_delay_ns = ekb_clock_run_delay_ns();
    const struct ekb_tally_usage usage = read_usage();
    if (engine->ticked && engine->slice < timeline->num_slices) {
        const uint64_t lost = lost_ns(engine, now_ns, cpu.total_ns - engine->slice_cpu.total_ns);
        tally->run_delay_ns[engine->slice] = run_delay_ns - engine->slice_run_delay_ns + lost;
        // Of slices that passed meanwhile there was nothing.
        for (uint32_t i = engine->slice + 1; i < slice && lost > 0; i++) {
            tally->run_delay_ns[i] = timeline->slice_ns;
        }
        tally->usage[engine->slice] = usage_since(&engine->slice_usage, &usage);
    }
    if (engine->ticked && ekb_timeline_kind(timeline, engine->slice) == EKB_SLICE_MEASURED) {
        tally->user_ns += cpu.user_ns - engine->slice_cpu.user_ns;
        tally->system_ns += cpu.system_ns - engine->slice_cpu.system_ns;
    }
    for (uint32_t i = engine->ticked ? engine->slice + 1 : 0; i <= slice; i++) {
        tally->cpu_ns_at[i] = cpu.total_ns;
        tally->open_at[i] = ekb_engine_num_open(engine);
    }
    engine->slice = slice;
    engine->slice_cpu = cpu;
    engine->slice_run_delay_ns = run_delay_ns;
    engine->slice_usage = usage;
    engine->tick_ns = now_ns;
    engine->ticked = true;
}

struct ekb_series_interval *ekb_engine_interval(const struct ekb_engine *engine, uint64_t now_ns)
{
    const struct ekb_series *series = engine->options.tally->series;
    const uint64_t origin_ns = engine->options.timeline->origin_ns;
    return series == NULL ? NULL
                          : ekb_series_at(series, now_ns > origin_ns ? now_ns - origin_ns : 0);
}

struct ekb_conn *ekb_conn_take(struct ekb_engine *engine, int fd, uint16_t arm, uint64_t planned_ns,
                               uint64_t now_ns)
{
    struct ekb_tally *tally = engine->options.tally;
    if (engine->num_free == 0) {
        return NULL;
    }
    struct ekb_conn *conn = &engine->conns[engine->free_slots[--engine->num_free]];
    assert(conn->phase == EKB_CONN_FREE && !conn->busy);
    conn->fd = fd >= 0 ? fd : conn->spare_fd;
    conn->spare_fd = -1;
    conn->arm = arm;
    conn->phase = EKB_CONN_CONNECTING;
    conn->outcome = EKB_OUTCOME_NONE;
    conn->expired = false;
    conn->was_reset = false;
    conn->ended = false;
    conn->asked = false;
    conn->resumed = false;
    conn->planned_ns = planned_ns;
    conn->started_ns = now_ns;
    conn->connected_ns = 0;
    conn->steps_ns = 0;
    conn->verify_ns = 0;
    conn->inject_ns = 0;
    conn->sent_bytes = 0;
    conn->received_bytes = 0;
    ekb_deadlines_arm(engine->deadlines[EKB_CONN_TIME_PHASE], conn->slot, now_ns);
    tally->arms[arm].started++;
    struct ekb_series_interval *interval = ekb_engine_interval(engine, now_ns);
    if (interval != NULL) {
        interval->started++;
    }
    tally->open_connections = ekb_engine_num_open(engine);
    if (tally->open_connections > tally->peak_connections) {
        tally->peak_connections = tally->open_connections;
    }
    return conn;
}

static struct ekb_op_tag begin_op(struct ekb_conn *conn, enum ekb_op op)
{
    assert(!conn->busy && !conn->ended);
    conn->busy = true;
    conn->pending_op = op;
    return (struct ekb_op_tag){.op = op, .slot = conn->slot, .generation = conn->generation};
}

void ekb_conn_connect(struct ekb_engine *engine, struct ekb_conn *conn,
                      const struct sockaddr *address, socklen_t address_len)
{
    ekb_loop_connect(engine->loop, begin_op(conn, EKB_OP_CONNECT), conn->fd, address, address_len);
}

void ekb_conn_recv(struct ekb_engine *engine, struct ekb_conn *conn, enum ekb_recv_hint hint)
{
    ekb_loop_recv(engine->loop, begin_op(conn, EKB_OP_RECV), conn->fd, conn->rx, EKB_CONN_RX_LEN,
                  hint);
}

bool ekb_conn_send(struct ekb_engine *engine, struct ekb_conn *conn)
{
    size_t wire_len;
    const uint8_t *wire = ekb_endpoint_pending(conn->endpoint, &wire_len);
    if (wire_len == 0) {
        return false;
    }
    ekb_loop_send(engine->loop, begin_op(conn, EKB_OP_SEND), conn->fd, wire, wire_len);
    return true;
}

static void disarm(struct ekb_engine *engine, const struct ekb_conn *conn)
{
    for (size_t i = 0; i < EKB_CONN_NUM_TIMES; i++) {
        ekb_deadlines_disarm(engine->deadlines[i], conn->slot);
    }
}

void ekb_conn_restart_deadline(struct ekb_engine *engine, struct ekb_conn *conn,
                               enum ekb_conn_time time)
{
    disarm(engine, conn);
    ekb_deadlines_arm(engine->deadlines[time], conn->slot, ekb_clock_now(&engine->options.clock));
}

// count_in_series counts the connection's outcome in the interval in which it has come.
static void count_in_series(struct ekb_engine *engine, const struct ekb_conn *conn)
{
    struct ekb_series_interval *interval = ekb_engine_interval(engine, conn->verdict_ns);
    if (interval == NULL) {
        return;
    }
    *(conn->outcome == EKB_OUTCOME_ACCEPTED   ? &interval->accepted
      : conn->outcome == EKB_OUTCOME_REJECTED ? &interval->rejected
                                              : &interval->failed) += 1;
    if (engine->role.is_expected(engine->role.context, conn)) {
        ekb_hist_record(interval->latency, conn->verdict_ns - conn->planned_ns);
    }
}

void ekb_conn_decide(struct ekb_engine *engine, struct ekb_conn *conn, enum ekb_outcome outcome,
                     enum ekb_err err, int alert)
{
    struct ekb_tally *tally = engine->options.tally;
    struct ekb_tally_arm *arm = &tally->arms[conn->arm];
    if (conn->outcome != EKB_OUTCOME_NONE) {
        return;
    }
    conn->outcome = outcome;
    conn->verdict_ns = ekb_clock_now(&engine->options.clock);
    if (outcome == EKB_OUTCOME_ACCEPTED) {
        conn->resumed = ekb_endpoint_is_resumed(conn->endpoint);
        arm->accepted++;
        arm->resumed += conn->resumed ? 1 : 0;
    } else {
        arm->failures[err]++;
        *(outcome == EKB_OUTCOME_REJECTED ? &arm->rejected : &arm->failed) += 1;
        if (engine->role.refused != NULL) {
            engine->role.refused(engine->role.context, conn, err);
        }
    }
    if (alert >= 0) {
        arm->alerts[alert]++;
    }
    count_in_series(engine, conn);
    if (outcome != EKB_OUTCOME_FAILED && engine->slice < tally->num_slices) {
        tally->completed[engine->slice]++;
        if (outcome == EKB_OUTCOME_ACCEPTED) {
            tally->accepted_by_arm[engine->slice * tally->num_arms + conn->arm]++;
        }
    }
}

void ekb_conn_shut_down(struct ekb_engine *engine, const struct ekb_conn *conn)
{
    const uint64_t begin_ns = ekb_clock_now(&engine->options.clock);
    (void)shutdown(conn->fd, SHUT_WR);
    engine->mark_ns += ekb_clock_now(&engine->options.clock) - begin_ns;
}

void ekb_conn_end(struct ekb_conn *conn)
{
    assert(!conn->busy);
    conn->ended = true;
}

static void add_to_slice(struct ekb_slice_sum *slice, uint64_t value)
{
    slice->count++;
    slice->sum += value;
}

// keep_in_block adds the latency to that of its block, unless it began in the one before.
static void keep_in_block(struct ekb_engine *engine, const struct ekb_conn *conn)
{
    const struct ekb_timeline *timeline = engine->options.timeline;
    const uint32_t block = ekb_timeline_block(timeline, engine->slice);
    if (block < engine->options.tally->num_blocks &&
        ekb_timeline_block(timeline, ekb_timeline_slice(timeline, conn->planned_ns)) == block) {
        ekb_distribution_add(&engine->options.tally->latency_by_block[block],
                             conn->verdict_ns - conn->planned_ns);
    }
}

// keep_latency adds the connection's times to its arm, if it is one of those that are measured.
static void keep_latency(struct ekb_engine *engine, const struct ekb_conn *conn)
{
    struct ekb_tally_arm *arm = &engine->options.tally->arms[conn->arm];
    const struct ekb_timeline *timeline = engine->options.timeline;
    const uint32_t slice = engine->options.samples_by_plan
                               ? ekb_timeline_slice(timeline, conn->planned_ns)
                               : engine->slice;
    if (conn->connected_ns == 0 || ekb_timeline_kind(timeline, slice) != EKB_SLICE_MEASURED) {
        return;
    }
    ekb_distribution_add(&arm->connect, conn->connected_ns - conn->planned_ns);
    ekb_distribution_add(&arm->latency, conn->verdict_ns - conn->planned_ns);
    if (engine->options.samples_by_plan) {
        ekb_distribution_add(&arm->uncorrected, conn->verdict_ns - conn->started_ns);
    }
    keep_in_block(engine, conn);
}

// keep_sample adds what the connection cost to its arm, if it is one of those that are measured.
static void keep_sample(struct ekb_engine *engine, const struct ekb_conn *conn)
{
    struct ekb_tally *tally = engine->options.tally;
    struct ekb_tally_arm *arm = &tally->arms[conn->arm];
    if (!engine->role.is_expected(engine->role.context, conn)) {
        return;
    }
    keep_latency(engine, conn);
    if (ekb_engine_slice_kind(engine) != EKB_SLICE_MEASURED) {
        return;
    }
    ekb_distribution_add(&arm->steps, conn->steps_ns);
    if (conn->verify_ns > 0) {
        ekb_distribution_add(&arm->verify, conn->verify_ns);
    }
    arm->sent_bytes += conn->sent_bytes;
    add_to_slice(&arm->steps_by_slice[engine->slice], conn->steps_ns);
    add_to_slice(&arm->wire_by_slice[engine->slice], conn->sent_bytes + conn->received_bytes);
}

static void close_socket(struct ekb_engine *engine, struct ekb_conn *conn)
{
    const bool came_to_verdict =
        conn->outcome == EKB_OUTCOME_ACCEPTED || conn->outcome == EKB_OUTCOME_REJECTED;
    if (engine->role.reuses_sockets && came_to_verdict && ekb_net_reset(conn->fd) == EKB_OK) {
        conn->spare_fd = conn->fd;
    } else if (conn->fd >= 0) {
        (void)close(conn->fd);
    }
    conn->fd = -1;
}

static void release(struct ekb_engine *engine, struct ekb_conn *conn)
{
    conn->phase = EKB_CONN_FREE;
    conn->generation = (conn->generation + 1) & EKB_OP_GENERATION_MASK;
    engine->free_slots[engine->num_free++] = conn->slot;
    engine->options.tally->open_connections = ekb_engine_num_open(engine);
}

void ekb_conn_step_end(struct ekb_engine *engine, struct ekb_conn *conn)
{
    if (conn->ended) {
        disarm(engine, conn);
        if (engine->role.over != NULL) {
            engine->role.over(engine->role.context, conn);
        }
        ekb_endpoint_stop(conn->endpoint);
    }
    const uint64_t now_ns = ekb_clock_now(&engine->options.clock);
    const uint64_t step_ns = now_ns - engine->mark_ns;
    EKB_CHECK(now_ns >= engine->mark_ns);
    engine->mark_ns = now_ns;
    conn->steps_ns += step_ns;
    if (engine->slice < engine->options.tally->num_slices) {
        engine->options.tally->steps_ns[engine->slice] += step_ns;
    }
    if (conn->ended) {
        // The kernel's work, and so no part of any step.
        close_socket(engine, conn);
        keep_sample(engine, conn);
        release(engine, conn);
        engine->mark_ns = ekb_clock_now(&engine->options.clock);
    }
    engine->current = NULL;
}

static void obey(struct ekb_engine *engine, int32_t result)
{
    const uint64_t now_ns = ekb_clock_now(&engine->options.clock);
    if (result != 1) {
        ekb_engine_stop(engine, now_ns); // The parent is gone.
        return;
    }
    if (engine->control_byte == EKB_CONTROL_STOP) {
        ekb_engine_stop(engine, now_ns + engine->options.deadline_ns);
    } else if (engine->control_byte == EKB_CONTROL_ABORT) {
        ekb_engine_stop(engine, now_ns + EKB_ENGINE_ABORT_NS);
    } else if (engine->control_byte == EKB_CONTROL_RELOAD && engine->role.reload != NULL) {
        engine->role.reload(engine->role.context);
    }
    listen_to_parent(engine);
}

// The one dispatch function.
static void handle(void *context, const struct ekb_completion *completion)
{
    struct ekb_engine *engine = context;
    if (engine->mark_ns == 0) {
        engine->mark_ns = ekb_clock_now(&engine->options.clock);
    }
    switch (completion->tag.op) {
    case EKB_OP_ACCEPT:
        engine->role.accept(engine->role.context, completion);
        return;
    case EKB_OP_CONTROL:
        obey(engine, completion->result);
        return;
    case EKB_OP_CONNECT:
    case EKB_OP_RECV:
    case EKB_OP_SEND:
        break;
    case EKB_OP_CANCEL:
    case EKB_OP_NOP:
    case EKB_OP_NUM:
    default:
        return;
    }
    struct ekb_conn *conn = &engine->conns[completion->tag.slot];
    if (conn->generation != completion->tag.generation || !conn->busy) {
        return; // Of a connection that is over.
    }
    conn->busy = false;
    engine->current = conn;
    if (conn->expired) {
        ekb_conn_decide(engine, conn, EKB_OUTCOME_FAILED, EKB_DEADLINE, -1);
        ekb_conn_end(conn);
    } else {
        if (completion->tag.op != EKB_OP_CONNECT && completion->result > 0) {
            *(completion->tag.op == EKB_OP_SEND ? &conn->sent_bytes : &conn->received_bytes) +=
                (uint64_t)completion->result;
        }
        engine->role.complete(engine->role.context, conn, completion);
    }
    ekb_conn_step_end(engine, conn);
}

// expire ends the connections whose time is up. One with an operation in the kernel ends when that
// has been cancelled.
static void expire(struct ekb_engine *engine, uint64_t now_ns)
{
    uint32_t slot;
    while (ekb_deadlines_pop(engine->deadlines[EKB_CONN_TIME_PHASE], &slot, now_ns) ||
           ekb_deadlines_pop(engine->deadlines[EKB_CONN_TIME_DRAIN], &slot, now_ns)) {
        struct ekb_conn *conn = &engine->conns[slot];
        assert(conn->busy);
        conn->expired = true;
        ekb_loop_cancel(engine->loop, (struct ekb_op_tag){.op = conn->pending_op,
                                                          .slot = conn->slot,
                                                          .generation = conn->generation});
    }
}

static bool measures_floor_now(const struct ekb_engine *engine)
{
    return engine->floor_pair != NULL && !engine->stopping && ekb_engine_num_open(engine) == 0 &&
           ekb_engine_slice_kind(engine) == EKB_SLICE_FLOOR;
}

static void measure_floor(struct ekb_engine *engine)
{
    struct ekb_tally *tally = engine->options.tally;
    struct ekb_memory_outcome outcome;
    ekb_memory_handshake(engine->floor_pair, &outcome, engine->options.floor_client,
                         engine->options.floor_server, &engine->options.clock);
    EKB_CHECK(outcome.client_err == EKB_OK && outcome.server_err == EKB_OK);
    const uint64_t spent_ns =
        engine->options.floor_side == EKB_ROLE_SERVER ? outcome.server_ns : outcome.client_ns;
    ekb_distribution_add(&tally->floor, spent_ns);
    add_to_slice(&tally->floor_by_slice[engine->slice], spent_ns);
}

static uint64_t wait_for(const struct ekb_engine *engine, uint64_t now_ns)
{
    uint64_t until_ns = now_ns + MAX_WAIT_NS;
    const uint64_t limits[] = {
        ekb_deadlines_next(engine->deadlines[EKB_CONN_TIME_PHASE]),
        ekb_deadlines_next(engine->deadlines[EKB_CONN_TIME_DRAIN]),
        engine->wake_ns,
        engine->stopping ? engine->stop_deadline_ns : UINT64_MAX,
        engine->slice < engine->options.timeline->num_slices
            ? ekb_timeline_start(engine->options.timeline, engine->slice + 1)
            : UINT64_MAX,
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        until_ns = limits[i] < until_ns ? limits[i] : until_ns;
    }
    return until_ns > now_ns ? until_ns - now_ns : 0;
}

static void count_unfinished(struct ekb_engine *engine)
{
    for (uint32_t slot = 0; slot < engine->options.max_connections; slot++) {
        const struct ekb_conn *conn = &engine->conns[slot];
        if (conn->phase != EKB_CONN_FREE && conn->outcome == EKB_OUTCOME_NONE) {
            engine->options.tally->arms[conn->arm].unfinished++;
        }
    }
}

enum ekb_err ekb_engine_run(struct ekb_engine *engine, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (;;) {
        const uint64_t now_ns = ekb_clock_now(&engine->options.clock);
        tick(engine, now_ns);
        expire(engine, now_ns);
        engine->mark_ns = now_ns;
        if (!engine->role.turn(engine->role.context, now_ns) ||
            (engine->stopping && now_ns >= engine->stop_deadline_ns)) {
            break;
        }
        const bool busy_with_floor = measures_floor_now(engine);
        engine->mark_ns = 0;
        err = ekb_loop_run(engine->loop, busy_with_floor ? 0 : wait_for(engine, now_ns), handle,
                           engine);
        engine->options.tally->num_overflows = ekb_loop_num_overflows(engine->loop);
        if (err != EKB_OK) {
            (void)ekb_fail_set(reterr_fail, err, errno, "io_uring");
            break;
        }
        if (busy_with_floor && measures_floor_now(engine)) {
            measure_floor(engine);
        }
    }
    engine->options.tally->ended_ns = ekb_clock_now(&engine->options.clock);
    tick(engine, engine->options.tally->ended_ns);
    count_unfinished(engine);
    return err;
}
