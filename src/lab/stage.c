#include "ekubench/lab/stage.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/host.h"
#include "ekubench/peer/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// How long a worker may take to prepare (contexts, slab) and, over its deadline, to end.
#define PREPARE_NS (30 * EKB_NS_PER_S)
#define END_NS (5 * EKB_NS_PER_S)
// The first connection starts this long after both workers are told.
#define LEAD_NS (20 * EKB_NS_PER_MS)
#define LOOK_EVERY_NS (250 * EKB_NS_PER_MS)

// Workers by index: those of the server, then those of the client.
#define MAX_WORKERS (2 * EKB_STAGE_MAX_WORKERS)

struct run {
    struct ekb_stage *stage;
    struct ekb_server_options *server; // Or NULL.
    struct ekb_client_options *client;
    const struct ekb_stage_control *control;
    struct ekb_timeline *timeline; // Shared with the workers.
    struct ekb_worker workers[MAX_WORKERS];
    uint32_t num_workers;
    struct ekb_crew crew; // What each server worker does;
    uint32_t num_servers;
    struct ekb_client_options clients[EKB_STAGE_MAX_WORKERS]; // what each client worker does.
    uint32_t num_clients;
    uint64_t resident[MAX_WORKERS]; // Peak, by worker.
    struct ekb_host_ticks ticks;    // At the last slice boundary, as the next.
    struct ekb_net_counters network;
    struct ekb_live live;
    uint32_t slice;
    bool aborted;
};

static enum ekb_err client_body(void *context, int control_fd, void (*ready)(void *),
                                void *ready_context, struct ekb_fail *reterr_fail)
{
    const struct ekb_client_options *client = context;
    return ekb_client_run(client, control_fd, ready, ready_context, reterr_fail);
}

static struct ekb_worker *client_worker(struct run *run, uint32_t index)
{
    return &run->workers[run->num_servers + index];
}

static bool is_stopped(const struct run *run)
{
    return run->control->stop != NULL && *run->control->stop != 0;
}

// worker_fail hands over why worker `index` has ended. Of one that died it says whose it was.
static enum ekb_err worker_fail(struct ekb_fail *reterr_fail, const struct run *run, uint32_t index)
{
    const struct ekb_fail *fail = &run->workers[index].fail;
    const bool is_server = index < run->num_servers;
    if (fail->err == EKB_WORKER_DIED) {
        return ekb_fail_set(reterr_fail, fail->err, 0, "%s worker %u of %u, %s",
                            is_server ? "server" : "client",
                            is_server ? index + 1 : index - run->num_servers + 1,
                            is_server ? run->num_servers : run->num_clients, fail->detail);
    }
    if (reterr_fail != NULL) {
        *reterr_fail = *fail;
    }
    return fail->err;
}

static enum ekb_err await_ready(struct run *run, uint32_t index, struct ekb_fail *reterr_fail)
{
    struct ekb_worker *worker = &run->workers[index];
    const uint64_t until_ns = ekb_clock_now_ns() + PREPARE_NS;
    while (!worker->ready && !worker->ended) {
        if (ekb_clock_now_ns() > until_ns) {
            return ekb_fail_set(reterr_fail, EKB_WORKER_DIED, 0, "a worker does not get ready");
        }
        ekb_worker_update(worker, 1, LOOK_EVERY_NS);
    }
    return worker->ready ? EKB_OK : worker_fail(reterr_fail, run, index);
}

// choose_cpus gives the workers their CPUs, the server's first. A server that is not ours may be on
// this machine: a CPU is left to it.
static enum ekb_err choose_cpus(struct run *run, struct ekb_fail *reterr_fail)
{
    static const struct ekb_pin automatic = {.mode = EKB_PIN_AUTO};
    const struct ekb_pin *pin = run->control->pin != NULL ? run->control->pin : &automatic;
    struct ekb_stage *stage = run->stage;
    int allowed[MAX_WORKERS + 1];
    int cpus[MAX_WORKERS];
    const int num_cpus = ekb_worker_cpus(allowed, MAX_WORKERS + 1);
    const size_t num_allowed = (size_t)(num_cpus < MAX_WORKERS + 1 ? num_cpus : MAX_WORKERS + 1);
    const enum ekb_err err = ekb_pin_choose(cpus, run->num_workers, pin, allowed, num_allowed,
                                            run->num_servers == 0 ? 1 : 0, reterr_fail);
    if (err == EKB_OK) {
        memcpy(stage->server.cpus, cpus, run->num_servers * sizeof cpus[0]);
        memcpy(stage->client.cpus, cpus + run->num_servers, run->num_clients * sizeof cpus[0]);
    }
    return err;
}

// part_of returns what of `whole` falls to part `index` of `count`.
static uint64_t part_of(uint64_t whole, uint32_t index, uint32_t count)
{
    return whole / count + (index < whole % count ? 1 : 0);
}

// divide_load makes what each client worker does from what all of them do.
static enum ekb_err divide_load(struct run *run, const struct ekb_timeline *timeline)
{
    const struct ekb_client_options *whole = run->client;
    for (uint32_t i = 0; i < run->num_clients; i++) {
        struct ekb_client_options *client = &run->clients[i];
        *client = *whole;
        client->timeline = run->timeline;
        client->share = (struct ekb_pace_share){i, run->num_clients};
        client->in_flight = (uint32_t)part_of(whole->in_flight, i, run->num_clients);
        client->max_starts = part_of(whole->max_starts, i, run->num_clients);
        client->seed = whole->seed + i;
        if (ekb_tally_create(&client->tally, whole->num_arms, timeline->num_slices,
                             ekb_timeline_num_blocks(timeline)) != EKB_OK) {
            client->tally = NULL;
            return EKB_NOMEM;
        }
        if (timeline->interval_ns > 0 &&
            ekb_series_create(&client->tally->series, timeline->num_slices * timeline->slice_ns,
                              timeline->interval_ns) != EKB_OK) {
            return EKB_NOMEM;
        }
    }
    return EKB_OK;
}

// make_crew makes what each server worker does from what all of them do.
static enum ekb_err make_crew(struct run *run, const struct ekb_timeline *timeline,
                              struct ekb_fail *reterr_fail)
{
    if (run->server == NULL) {
        return EKB_OK;
    }
    run->server->timeline = run->timeline;
    return ekb_crew_open(&run->crew, run->server, run->client->num_arms, timeline->num_slices,
                         reterr_fail);
}

static enum ekb_err need_descriptors(const struct run *run, struct ekb_fail *reterr_fail)
{
    uint64_t most = part_of(run->client->in_flight, 0, run->num_clients);
    if (run->server != NULL) {
        // This process holds all workers' sockets for a while.
        const uint64_t sockets = (uint64_t)run->num_servers * run->server->num_listeners;
        most = run->server->max_connections > most ? run->server->max_connections : most;
        most = sockets > most ? sockets : most;
    }
    return ekb_net_need_descriptors(most + EKB_STAGE_SPARE_DESCRIPTORS, reterr_fail);
}

static enum ekb_err prepare(struct run *run, const struct ekb_timeline *timeline,
                            struct ekb_fail *reterr_fail)
{
    struct ekb_stage *stage = run->stage;
    run->timeline = mmap(NULL, sizeof *run->timeline, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    stage->steal_by_slice = calloc(timeline->num_slices, sizeof stage->steal_by_slice[0]);
    stage->network_by_slice = calloc(timeline->num_slices, sizeof stage->network_by_slice[0]);
    if (run->timeline == MAP_FAILED || stage->steal_by_slice == NULL ||
        stage->network_by_slice == NULL || divide_load(run, timeline) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stage");
    }
    *run->timeline = *timeline;
    run->timeline->origin_ns = UINT64_MAX / 2; // Not yet.
    stage->client.num_workers = run->num_clients;
    stage->server.num_workers = run->num_servers;
    enum ekb_err err = choose_cpus(run, reterr_fail);
    if (err == EKB_OK) {
        err = need_descriptors(run, reterr_fail);
    }
    return err == EKB_OK ? make_crew(run, timeline, reterr_fail) : err;
}

// await_side waits for the workers of a side, of which `first` is the first.
static enum ekb_err await_side(struct run *run, struct ekb_stage_side *side, uint32_t first,
                               struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (uint32_t i = first; i < first + side->num_workers && err == EKB_OK; i++) {
        err = await_ready(run, i, reterr_fail);
        side->memory_base_bytes += ekb_worker_resident_bytes(&run->workers[i]);
    }
    return err;
}

// start forks the workers. The parent gives up its copies of the server's sockets, so that they
// close with the workers.
static enum ekb_err start(struct run *run, struct ekb_fail *reterr_fail)
{
    struct ekb_stage *stage = run->stage;
    enum ekb_err err = EKB_OK;
    for (uint32_t i = 0; i < run->num_servers && err == EKB_OK; i++) {
        err = ekb_crew_spawn(&run->workers[i], &run->crew, i, stage->server.cpus[i], reterr_fail);
    }
    ekb_crew_close(&run->crew);
    if (err == EKB_OK) {
        err = await_side(run, &stage->server, 0, reterr_fail);
    }
    for (uint32_t i = 0; i < run->num_clients && err == EKB_OK; i++) {
        err = ekb_worker_spawn(client_worker(run, i), stage->client.cpus[i], client_body,
                               &run->clients[i], reterr_fail);
    }
    return err == EKB_OK ? await_side(run, &stage->client, run->num_servers, reterr_fail) : err;
}

static void look_at_memory(struct run *run)
{
    struct ekb_stage *stage = run->stage;
    for (uint32_t i = 0; i < run->num_workers; i++) {
        if (run->workers[i].control_fd < 0 || run->workers[i].ended) {
            continue;
        }
        const uint64_t resident = ekb_worker_resident_bytes(&run->workers[i]);
        if (resident > run->resident[i]) {
            uint64_t *const peak = i < run->num_servers ? &stage->server.memory_peak_bytes
                                                        : &stage->client.memory_peak_bytes;
            *peak += resident - run->resident[i];
            run->resident[i] = resident;
        }
    }
}

static struct ekb_net_counters grown(const struct ekb_net_counters *before,
                                     const struct ekb_net_counters *after)
{
    return (struct ekb_net_counters){
        .listen_overflows = after->listen_overflows - before->listen_overflows,
        .listen_drops = after->listen_drops - before->listen_drops,
        .retransmitted_segments = after->retransmitted_segments - before->retransmitted_segments,
        .loss_probes = after->loss_probes - before->loss_probes,
        .request_queue_full_cookies =
            after->request_queue_full_cookies - before->request_queue_full_cookies,
        .time_wait_overflows = after->time_wait_overflows - before->time_wait_overflows,
        .aborts_on_memory = after->aborts_on_memory - before->aborts_on_memory,
    };
}

// look_around attributes the steal and what the network counted since the last slice boundary to
// the slices that have ended: the counters to the last of them.
static void look_around(struct run *run, uint64_t now_ns)
{
    struct ekb_host_ticks ticks;
    const uint32_t slice = ekb_timeline_slice(run->timeline, now_ns);
    if (slice == run->slice || !ekb_host_read_ticks(&ticks)) {
        return;
    }
    const double percent = ekb_host_steal_percent(&run->ticks, &ticks);
    for (uint32_t i = run->slice; i < slice; i++) {
        run->stage->steal_by_slice[i] = percent;
    }
    struct ekb_net_counters network;
    if (ekb_net_read_counters(&network) && slice > 0) {
        run->stage->network_by_slice[slice - 1] = grown(&run->network, &network);
        run->network = network;
    }
    run->stage->steal_known = true;
    run->ticks = ticks;
    run->slice = slice;
}

static void add_progress(struct ekb_stage_progress *progress, const struct ekb_tally *tally)
{
    progress->in_flight += tally->open_connections;
    for (size_t i = 0; i < tally->num_arms; i++) {
        progress->accepted += tally->arms[i].accepted;
        progress->rejected += tally->arms[i].rejected;
        progress->failed += tally->arms[i].failed;
    }
}

static void report_progress(struct run *run, uint64_t now_ns)
{
    const struct ekb_timeline *timeline = run->timeline;
    const struct ekb_tally *tallies[EKB_STAGE_MAX_WORKERS];
    if (run->control->progress == NULL) {
        return;
    }
    for (uint32_t i = 0; i < run->num_clients; i++) {
        tallies[i] = run->clients[i].tally;
    }
    ekb_live_look(&run->live, tallies, run->num_clients, now_ns);
    struct ekb_stage_progress progress = {
        .elapsed_ns = now_ns > timeline->origin_ns ? now_ns - timeline->origin_ns : 0,
        .total_ns = timeline->num_slices * timeline->slice_ns,
        .is_warmup =
            ekb_timeline_kind(timeline, ekb_timeline_slice(timeline, now_ns)) == EKB_SLICE_WARMUP,
        .second = run->live.last,
    };
    for (uint32_t i = 0; i < run->num_clients; i++) {
        add_progress(&progress, tallies[i]);
    }
    run->control->progress(run->control->context, &progress);
}

static uint64_t next_look(const struct run *run, uint64_t now_ns)
{
    const uint64_t boundary_ns = run->slice < run->timeline->num_slices
                                     ? ekb_timeline_start(run->timeline, run->slice + 1)
                                     : 0;
    const uint64_t regular_ns = now_ns + LOOK_EVERY_NS;
    return boundary_ns > now_ns && boundary_ns < regular_ns ? boundary_ns : regular_ns;
}

static bool are_clients_ended(const struct run *run)
{
    bool ended = true;
    for (uint32_t i = 0; i < run->num_clients; i++) {
        ended = ended && run->workers[run->num_servers + i].ended;
    }
    return ended;
}

// has_lost_one is true if a worker has died or failed. One of the server's does not end by itself.
static bool has_lost_one(const struct run *run)
{
    bool lost = false;
    for (uint32_t i = 0; i < run->num_workers; i++) {
        const struct ekb_worker *worker = &run->workers[i];
        lost = lost || (worker->ended && (i < run->num_servers || worker->fail.err != EKB_OK));
    }
    return lost;
}

static void abort_if_asked(struct run *run)
{
    if (!run->aborted && (is_stopped(run) || has_lost_one(run))) {
        run->stage->interrupted = is_stopped(run);
        run->aborted = true;
        for (uint32_t i = 0; i < run->num_clients; i++) {
            ekb_worker_command_abort(client_worker(run, i));
        }
    }
}

// watch looks on until the clients have ended.
static void watch(struct run *run)
{
    const uint64_t last_ns = ekb_timeline_start(run->timeline, run->timeline->num_slices) +
                             2 * run->client->deadline_ns + END_NS;
    uint64_t now_ns = ekb_clock_now_ns();
    while (!are_clients_ended(run) && now_ns < last_ns) {
        ekb_worker_update(run->workers, (int)run->num_workers, next_look(run, now_ns) - now_ns);
        now_ns = ekb_clock_now_ns();
        look_around(run, now_ns);
        look_at_memory(run);
        report_progress(run, now_ns);
        abort_if_asked(run);
    }
}

// go sets the timeline and lets the load begin.
static enum ekb_err go(struct run *run, struct ekb_fail *reterr_fail)
{
    const uint64_t origin_ns = ekb_clock_now_ns() + LEAD_NS;
    if (ekb_live_init(&run->live, origin_ns) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stage");
    }
    (void)ekb_host_read_ticks(&run->ticks);
    (void)ekb_net_read_counters(&run->network);
    run->timeline->origin_ns = origin_ns;
    for (uint32_t i = 0; i < run->num_workers; i++) {
        ekb_worker_command_go(&run->workers[i]);
    }
    return EKB_OK;
}

static void end_workers(struct run *run)
{
    // The clients first: their last connections want a server.
    for (uint32_t i = 0; i < run->num_clients; i++) {
        ekb_worker_reap(client_worker(run, i), run->aborted ? EKB_NS_PER_S : END_NS);
    }
    for (uint32_t i = 0; i < run->num_servers; i++) {
        if (run->aborted) {
            ekb_worker_command_abort(&run->workers[i]);
        } else {
            ekb_worker_command_stop(&run->workers[i]);
        }
    }
    for (uint32_t i = 0; i < run->num_servers; i++) {
        ekb_worker_reap(&run->workers[i],
                        run->aborted ? EKB_NS_PER_S : run->server->deadline_ns + END_NS);
    }
}

// merge_clients makes one tally of those of all client workers: the stage's.
static void merge_clients(struct run *run)
{
    run->stage->client.tally = run->clients[0].tally;
    for (uint32_t i = 0; i < run->num_clients; i++) {
        if (run->clients[i].tally != NULL && client_worker(run, i)->fail.err == EKB_WORKER_DIED) {
            ekb_tally_settle(run->clients[i].tally, ekb_clock_now_ns());
        }
    }
    for (uint32_t i = 1; i < run->num_clients; i++) {
        if (run->clients[i].tally != NULL) {
            ekb_tally_merge(run->clients[0].tally, run->clients[i].tally);
            ekb_tally_destroy(run->clients[i].tally);
        }
    }
}

static uint32_t at_least_one(uint32_t count)
{
    return count > 0 ? count : 1;
}

enum ekb_err ekb_stage_run(struct ekb_stage *out_stage, struct ekb_server_options *server,
                           struct ekb_client_options *client, const struct ekb_timeline *timeline,
                           const struct ekb_stage_control *control, struct ekb_fail *reterr_fail)
{
    struct ekb_net_counters before = {0};
    struct ekb_net_counters after = {0};
    *out_stage = (struct ekb_stage){.timeline = *timeline};
    struct run run = {
        .stage = out_stage,
        .server = server,
        .client = client,
        .control = control,
        .num_servers = server != NULL ? at_least_one(server->num_workers) : 0,
        .num_clients = at_least_one(client->share.count),
    };
    EKB_CHECK(run.num_servers <= EKB_STAGE_MAX_WORKERS && run.num_clients <= EKB_STAGE_MAX_WORKERS);
    run.num_workers = run.num_servers + run.num_clients;
    out_stage->listening = server != NULL ? server->listening : EKB_LISTENING_EACH;
    for (int i = 0; i < MAX_WORKERS; i++) {
        run.workers[i] = (struct ekb_worker){.control_fd = -1, .ended = true};
    }

    enum ekb_err err = prepare(&run, timeline, reterr_fail);
    const bool counted = ekb_net_read_counters(&before);
    if (err == EKB_OK) {
        err = start(&run, reterr_fail);
    }
    if (err == EKB_OK) {
        err = go(&run, reterr_fail);
    }
    if (err == EKB_OK) {
        watch(&run);
        out_stage->timeline = *run.timeline;
    }
    run.aborted = run.aborted || err != EKB_OK;
    end_workers(&run);
    merge_clients(&run);
    ekb_live_deinit(&run.live);
    out_stage->server.tally = ekb_crew_merge(&run.crew, run.workers);
    // The server's reason first: its death is the cause of the client's failures.
    for (uint32_t i = 0; i < run.num_workers && err == EKB_OK; i++) {
        err = worker_fail(reterr_fail, &run, i);
    }
    ekb_crew_deinit(&run.crew);
    if (server != NULL) {
        ekb_server_close(server); // What no worker came to have.
    }
    out_stage->network_known = counted && ekb_net_read_counters(&after);
    out_stage->network = grown(&before, &after);
    if (run.timeline != NULL && run.timeline != MAP_FAILED) {
        (void)munmap(run.timeline, sizeof *run.timeline);
    }
    return err;
}

void ekb_stage_deinit(struct ekb_stage *stage)
{
    ekb_tally_destroy(stage->server.tally);
    ekb_tally_destroy(stage->client.tally);
    free(stage->steal_by_slice);
    free(stage->network_by_slice);
    *stage = (struct ekb_stage){0};
}

uint32_t ekb_stage_num_cpus(const struct ekb_stage_side *side)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < side->num_workers; i++) {
        bool is_first = true;
        for (uint32_t j = 0; j < i && side->cpus[i] != EKB_WORKER_UNPINNED; j++) {
            is_first = is_first && side->cpus[j] != side->cpus[i];
        }
        count += is_first ? 1 : 0;
    }
    return count;
}
