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

// Workers by index: the server, then the clients.
enum {
    SERVER,
    CLIENT,
    MAX_WORKERS = CLIENT + EKB_STAGE_MAX_CLIENTS
};

struct run {
    struct ekb_stage *stage;
    struct ekb_server_options *server; // Or NULL.
    struct ekb_client_options *client;
    const struct ekb_stage_control *control;
    struct ekb_timeline *timeline; // Shared with the workers.
    struct ekb_worker workers[MAX_WORKERS];
    int num_workers;
    struct ekb_client_options clients[EKB_STAGE_MAX_CLIENTS]; // What each worker does.
    uint32_t num_clients;
    uint64_t resident[MAX_WORKERS]; // Peak, by worker.
    struct ekb_host_ticks ticks;    // At the last slice boundary, as the next.
    struct ekb_net_counters network;
    struct ekb_live live;
    uint32_t slice;
    bool aborted;
};

static enum ekb_err server_body(void *context, int control_fd, void (*ready)(void *),
                                void *ready_context, struct ekb_fail *reterr_fail)
{
    const struct run *run = context;
    return ekb_server_run(run->server, control_fd, ready, ready_context, reterr_fail);
}

static enum ekb_err client_body(void *context, int control_fd, void (*ready)(void *),
                                void *ready_context, struct ekb_fail *reterr_fail)
{
    const struct ekb_client_options *client = context;
    return ekb_client_run(client, control_fd, ready, ready_context, reterr_fail);
}

static bool is_stopped(const struct run *run)
{
    return run->control->stop != NULL && *run->control->stop != 0;
}

static enum ekb_err worker_fail(struct ekb_fail *reterr_fail, const struct ekb_worker *worker)
{
    if (reterr_fail != NULL) {
        *reterr_fail = worker->fail;
    }
    return worker->fail.err;
}

static enum ekb_err await_ready(struct run *run, int index, struct ekb_fail *reterr_fail)
{
    struct ekb_worker *worker = &run->workers[index];
    const uint64_t until_ns = ekb_clock_now_ns() + PREPARE_NS;
    while (!worker->ready && !worker->ended) {
        if (ekb_clock_now_ns() > until_ns) {
            return ekb_fail_set(reterr_fail, EKB_WORKER_DIED, 0, "a worker does not get ready");
        }
        ekb_worker_update(worker, 1, LOOK_EVERY_NS);
    }
    return worker->ready ? EKB_OK : worker_fail(reterr_fail, worker);
}

// choose_cpus gives each worker a CPU of its own if there are enough, the server the first.
static void choose_cpus(struct run *run)
{
    int cpus[MAX_WORKERS];
    const int num_cpus = ekb_worker_cpus(cpus, MAX_WORKERS);
    const bool enough = num_cpus >= run->num_workers;
    run->stage->server.cpus[0] = enough ? cpus[0] : EKB_WORKER_UNPINNED;
    for (uint32_t i = 0; i < run->num_clients; i++) {
        run->stage->client.cpus[i] = enough ? cpus[CLIENT + i] : EKB_WORKER_UNPINNED;
    }
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

static enum ekb_err prepare(struct run *run, const struct ekb_timeline *timeline,
                            struct ekb_fail *reterr_fail)
{
    struct ekb_stage *stage = run->stage;
    uint64_t descriptors = part_of(run->client->in_flight, 0, run->num_clients);

    run->timeline = mmap(NULL, sizeof *run->timeline, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    stage->steal_by_slice = calloc(timeline->num_slices, sizeof stage->steal_by_slice[0]);
    stage->network_by_slice = calloc(timeline->num_slices, sizeof stage->network_by_slice[0]);
    if (run->timeline == MAP_FAILED || stage->steal_by_slice == NULL ||
        stage->network_by_slice == NULL || divide_load(run, timeline) != EKB_OK ||
        (run->server != NULL && ekb_tally_create(&stage->server.tally, run->client->num_arms,
                                                 timeline->num_slices, 0) != EKB_OK)) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stage");
    }
    *run->timeline = *timeline;
    run->timeline->origin_ns = UINT64_MAX / 2; // Not yet.
    stage->client.num_workers = run->num_clients;
    stage->server.num_workers = run->server != NULL ? 1 : 0;
    if (run->server != NULL) {
        run->server->tally = stage->server.tally;
        run->server->timeline = run->timeline;
        descriptors =
            run->server->max_connections > descriptors ? run->server->max_connections : descriptors;
    }
    choose_cpus(run);
    return ekb_net_need_descriptors(descriptors + EKB_STAGE_SPARE_DESCRIPTORS, reterr_fail);
}

// start forks the workers. The server's listeners must be open: the parent gives up its copies, so
// that they close with the server.
static enum ekb_err start(struct run *run, struct ekb_fail *reterr_fail)
{
    struct ekb_stage *stage = run->stage;
    enum ekb_err err = EKB_OK;
    if (run->server != NULL) {
        err = ekb_worker_spawn(&run->workers[SERVER], stage->server.cpus[0], server_body, run,
                               reterr_fail);
        ekb_server_close(run->server);
        if (err == EKB_OK) {
            err = await_ready(run, SERVER, reterr_fail);
        }
        if (err != EKB_OK) {
            return err;
        }
        stage->server.memory_base_bytes = ekb_worker_resident_bytes(&run->workers[SERVER]);
    }
    for (uint32_t i = 0; i < run->num_clients && err == EKB_OK; i++) {
        err = ekb_worker_spawn(&run->workers[CLIENT + i], stage->client.cpus[i], client_body,
                               &run->clients[i], reterr_fail);
    }
    for (uint32_t i = 0; i < run->num_clients && err == EKB_OK; i++) {
        err = await_ready(run, (int)(CLIENT + i), reterr_fail);
        stage->client.memory_base_bytes += ekb_worker_resident_bytes(&run->workers[CLIENT + i]);
    }
    return err;
}

static void look_at_memory(struct run *run)
{
    struct ekb_stage *stage = run->stage;
    for (int i = 0; i < run->num_workers; i++) {
        if (run->workers[i].control_fd < 0 || run->workers[i].ended) {
            continue;
        }
        const uint64_t resident = ekb_worker_resident_bytes(&run->workers[i]);
        if (resident > run->resident[i]) {
            uint64_t *const peak =
                i == SERVER ? &stage->server.memory_peak_bytes : &stage->client.memory_peak_bytes;
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
    const struct ekb_tally *tallies[EKB_STAGE_MAX_CLIENTS];
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
        ended = ended && run->workers[CLIENT + i].ended;
    }
    return ended;
}

// has_lost_one is true if a worker has died or failed.
static bool has_lost_one(const struct run *run)
{
    bool lost = run->server != NULL && run->workers[SERVER].ended;
    for (uint32_t i = 0; i < run->num_clients; i++) {
        const struct ekb_worker *worker = &run->workers[CLIENT + i];
        lost = lost || (worker->ended && worker->fail.err != EKB_OK);
    }
    return lost;
}

static void abort_if_asked(struct run *run)
{
    if (!run->aborted && (is_stopped(run) || has_lost_one(run))) {
        run->stage->interrupted = is_stopped(run);
        run->aborted = true;
        for (uint32_t i = 0; i < run->num_clients; i++) {
            ekb_worker_command_abort(&run->workers[CLIENT + i]);
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
        ekb_worker_update(run->workers, run->num_workers, next_look(run, now_ns) - now_ns);
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
    for (int i = 0; i < run->num_workers; i++) {
        ekb_worker_command_go(&run->workers[i]);
    }
    return EKB_OK;
}

static void end_workers(struct run *run)
{
    // The clients first: their last connections want a server.
    for (uint32_t i = 0; i < run->num_clients; i++) {
        ekb_worker_reap(&run->workers[CLIENT + i], run->aborted ? EKB_NS_PER_S : END_NS);
    }
    if (run->aborted) {
        ekb_worker_command_abort(&run->workers[SERVER]);
    } else {
        ekb_worker_command_stop(&run->workers[SERVER]);
    }
    const uint64_t server_ns = run->server != NULL ? run->server->deadline_ns : 0;
    ekb_worker_reap(&run->workers[SERVER], run->aborted ? EKB_NS_PER_S : server_ns + END_NS);
}

// settle counts as unfinished what a worker that died had under way.
static void settle(struct ekb_tally *tally)
{
    for (size_t i = 0; i < tally->num_arms; i++) {
        struct ekb_tally_arm *arm = &tally->arms[i];
        const uint64_t ended = arm->accepted + arm->rejected + arm->failed;
        arm->unfinished = arm->started > ended ? arm->started - ended : 0;
    }
}

// merge_clients makes one tally of those of all client workers: the stage's.
static void merge_clients(struct run *run)
{
    run->stage->client.tally = run->clients[0].tally;
    for (uint32_t i = 0; i < run->num_clients; i++) {
        if (run->clients[i].tally != NULL && run->workers[CLIENT + i].fail.err == EKB_WORKER_DIED) {
            settle(run->clients[i].tally);
        }
    }
    for (uint32_t i = 1; i < run->num_clients; i++) {
        if (run->clients[i].tally != NULL) {
            ekb_tally_merge(run->clients[0].tally, run->clients[i].tally);
            ekb_tally_destroy(run->clients[i].tally);
        }
    }
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
        .num_clients = client->share.count > 0 ? client->share.count : 1,
    };
    EKB_CHECK(run.num_clients <= EKB_STAGE_MAX_CLIENTS);
    run.num_workers = (int)(CLIENT + run.num_clients);
    for (int i = 0; i < MAX_WORKERS; i++) {
        run.workers[i] = (struct ekb_worker){.control_fd = -1, .ended = true};
    }

    enum ekb_err err = prepare(&run, timeline, reterr_fail);
    const bool counted = ekb_net_read_counters(&before);
    if (err == EKB_OK) {
        err = start(&run, reterr_fail);
    } else if (server != NULL) {
        ekb_server_close(server);
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
    // The server's reason first: its death is the cause of the client's failures.
    for (int i = 0; i < run.num_workers && err == EKB_OK; i++) {
        err = worker_fail(reterr_fail, &run.workers[i]);
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
