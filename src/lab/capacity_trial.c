// Stages and trials of lab/capacity.

#include "lab/capacity_internal.h"

#include "ekubench/lab/assemble.h"
#include "ekubench/lab/load.h"
#include "ekubench/lab/open_loop.h"
#include "ekubench/stat/backlog.h"
#include "ekubench/stat/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_NS (100 * EKB_NS_PER_MS)
#define FIRST_IN_FLIGHT 64
// An open loop may have this many under way, or twice what the objective's limit makes of the
// highest rate if that is more: what is due beyond is dropped, and the trial fails.
#define TRIAL_IN_FLIGHT 4000
#define MAX_IN_FLIGHT 200000
#define ROOM 2.0
// A stage of the ceiling that was disturbed is run so often at most.
#define CEILING_TRIES 3
// A side that is busier than this is busy all the time.
#define BUSY_PERCENT 95.0
// A closed loop goes through its connections so often before it is measured, and meanwhile.
#define WARMUP_ROUNDS 2.0
#define MEASURED_ROUNDS 6.0
#define SLICE_ROUNDS 3.0
// A validation has about so many blocks, whatever its length.
#define NUM_BLOCKS 20
#define CONFIDENCE 0.95
#define BOOTSTRAP_SEED UINT64_C(20240229)

uint32_t capacity_workers(uint32_t count)
{
    return count > 0 ? count : 1;
}

void capacity_show(struct capacity_run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(run->progress[run->num_stages % 2], CAPACITY_PROGRESS_LEN, format, args);
    va_end(args);
}

// stage_foreign prepares the client's side against a server that is not ours.
static enum ekb_err stage_foreign(struct ekb_staging *staging, const struct capacity_run *run,
                                  struct ekb_fail *reterr_fail)
{
    const struct ekb_capacity_settings *settings = run->settings;
    staging->client_arms[0] = settings->target;
    ekb_staging_load(staging, &run->plan, &run->plan.stages[0]);
    staging->client.num_arms = 1;
    staging->client.confirm = settings->confirm;
    return ekb_load_label_arm(&staging->labels[0], &settings->target, reterr_fail);
}

// use_stores gives arms identities from elsewhere.
static void use_stores(struct ekb_staging *staging, const struct ekb_plan_stage *stage,
                       struct ekb_stores *const *stores_of)
{
    for (size_t i = 0; i < stage->num_arms; i++) {
        if (stores_of[i] != NULL) {
            staging->listeners[i].store_path = ekb_stores_server(stores_of[i], &stage->arms[i]);
            staging->client_arms[i].store_path = ekb_stores_client(stores_of[i], &stage->arms[i]);
        }
    }
}

enum ekb_err capacity_run_stage(struct capacity_run *run, struct ekb_stage *out_stage,
                                struct ekb_staging **out_staging,
                                struct ekb_stores *const *stores_of, struct ekb_fail *reterr_fail)
{
    const struct ekb_plan_stage *plan_stage = &run->plan.stages[0];
    struct ekb_session_progress progress = {.control = run->control,
                                            .stage = run->progress[run->num_stages % 2],
                                            .later_ns = run->later_ns};
    struct ekb_stage_control control = ekb_session_stage_control(&progress);
    const struct ekb_timeline timeline = {.slice_ns = plan_stage->slice_ns,
                                          .num_slices = plan_stage->num_slices,
                                          .num_warmup = plan_stage->num_warmup,
                                          .interval_ns = EKB_NS_PER_S};
    struct ekb_staging *staging = calloc(1, sizeof *staging);
    *out_stage = (struct ekb_stage){0};
    *out_staging = staging;
    control.pin = &plan_stage->pin;
    if (staging == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stage");
    }
    run->plan.seed = ekb_capacity_trial_seed(run->run_seed, run->num_stages);
    run->num_stages++;
    enum ekb_err err = run->stores != NULL ? ekb_staging_init(staging, &run->plan, plan_stage,
                                                              run->stores, reterr_fail)
                                           : stage_foreign(staging, run, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    if (stores_of != NULL) {
        use_stores(staging, plan_stage, stores_of);
    }
    if (!(plan_stage->rate_per_s > 0)) {
        // All at once they would come to their verdicts all at once, round after round.
        staging->client.ramp_ns = plan_stage->num_warmup * plan_stage->slice_ns / 2;
    }
    staging->client.share =
        (struct ekb_pace_share){0, capacity_workers(plan_stage->client_workers)};
    err = ekb_stage_run(out_stage, run->stores != NULL ? &staging->server : NULL, &staging->client,
                        &timeline, &control, reterr_fail);
    run->interrupted = run->interrupted || out_stage->interrupted;
    return err;
}

enum ekb_err capacity_assemble(const struct capacity_run *run, struct ekb_record *record,
                               const struct ekb_stage *stage, const struct ekb_staging *staging,
                               struct ekb_fail *reterr_fail)
{
    const struct ekb_record_stage label = ekb_staging_label(&run->plan.stages[0]);
    if (ekb_assemble_stage(record, stage, &label, staging->labels) != EKB_OK ||
        ekb_open_loop_add_within(record, stage, &staging->client,
                                 run->settings->objective.limit_ns) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "result");
    }
    ekb_assemble_negotiated(record, stage);
    if (run->stores == NULL) {
        EKB_RECORD_COPY(record->plan.key, staging->labels[0].key);
    }
    return EKB_OK;
}

static uint32_t slices_of(double ns)
{
    return (uint32_t)ceil(ns / (double)SLICE_NS);
}

// shape_stage sets the stage's load: an open loop of that rate, or a closed one if it is 0.
static void shape_stage(struct capacity_run *run, const char *name, double rate_per_s,
                        uint32_t in_flight, uint64_t duration_ns)
{
    struct ekb_plan_stage *stage = &run->plan.stages[0];
    (void)snprintf(stage->name, sizeof stage->name, "%s", name);
    stage->rate_per_s = rate_per_s;
    stage->in_flight = in_flight;
    stage->slice_ns = SLICE_NS;
    stage->num_warmup = slices_of((double)CAPACITY_WARMUP_NS);
    stage->num_slices = stage->num_warmup + slices_of((double)duration_ns);
}

enum ekb_err capacity_make_room(struct capacity_run *run, struct ekb_record *record,
                                double highest_per_s, struct ekb_fail *reterr_fail)
{
    const struct ekb_capacity_settings *settings = run->settings;
    const struct ekb_address *target = run->stores == NULL ? &settings->target.target : NULL;
    const double wanted =
        ROOM * highest_per_s * (double)settings->objective.limit_ns / (double)EKB_NS_PER_S;
    struct ekb_plan_stage stage = run->plan.stages[0];
    (void)snprintf(stage.name, sizeof stage.name, "search");
    stage.in_flight = TRIAL_IN_FLIGHT;
    if (wanted > TRIAL_IN_FLIGHT) {
        const uint64_t most = ekb_staging_most(&stage, target);
        const double allowed = fmin((double)most, MAX_IN_FLIGHT);
        stage.in_flight = (uint32_t)fmax(TRIAL_IN_FLIGHT, fmin(wanted, allowed));
    }
    if (wanted >= stage.in_flight + 1.0) {
        ekb_record_add_note(record,
                            "search: the objective could have %.0f connections under way, and "
                            "there may be %u%s: more arrivals are dropped",
                            wanted, (unsigned)stage.in_flight,
                            stage.in_flight < MAX_IN_FLIGHT ? " (open files)" : "");
    }
    run->trial_in_flight = stage.in_flight;
    stage.rate_per_s = fmax(highest_per_s, 1.0);
    return ekb_staging_look_ahead(record, &stage, target, reterr_fail);
}

const struct ekb_record_cpu *capacity_last(const struct ekb_record_cpu *rows, size_t num_rows)
{
    return num_rows > 0 ? &rows[num_rows - 1] : NULL;
}

static struct ekb_record_real busy_of(const struct ekb_record_cpu *row)
{
    struct ekb_record_real busy = {.known = false};
    if (row != NULL && row->busy_percent.known) {
        busy = (struct ekb_record_real){true, fmin(row->busy_percent.value, 100.0)};
    }
    return busy;
}

// The ceiling.

// shape_ceiling makes the closed loop with `in_flight`, where the one before reached `rate_per_s`
// (0: there was none): long enough for its connections to go round a few times, in slices of
// some rounds, for they come to their verdicts in waves.
static void shape_ceiling(struct capacity_run *run, uint32_t in_flight, double rate_per_s)
{
    struct ekb_plan_stage *stage = &run->plan.stages[0];
    const double round_ns = rate_per_s > 0 ? (double)in_flight / rate_per_s * 1e9 : 0;
    const double warmup_ns = fmax((double)CAPACITY_WARMUP_NS, WARMUP_ROUNDS * round_ns);
    const double measured_ns = fmax((double)run->lengths.ceiling_ns, MEASURED_ROUNDS * round_ns);
    const double slice_ns = fmax((double)SLICE_NS, SLICE_ROUNDS * round_ns);
    char name[EKB_PLAN_NAME_LEN] = "ceiling";
    if (rate_per_s > 0) {
        (void)snprintf(name, sizeof name, "ceiling-%u", (unsigned)in_flight);
    }
    shape_stage(run, name, 0, in_flight, run->lengths.ceiling_ns);
    stage->slice_ns = (uint64_t)slice_ns;
    stage->num_warmup = (uint32_t)ceil(warmup_ns / slice_ns);
    stage->num_slices = stage->num_warmup + (uint32_t)ceil(measured_ns / slice_ns);
}

// rate_of returns the rate of all arms of the record's last stage; 0 if it is unknown.
static double rate_of(const struct ekb_record *record)
{
    const char *stage = record->plan.stages[record->plan.num_stages - 1].name;
    for (size_t i = 0; i < record->num_throughput; i++) {
        const struct ekb_record_throughput *row = &record->throughput[i];
        if (strcmp(row->stage, stage) == 0 && row->arm[0] == '\0') {
            return isfinite(row->accepted_per_s) ? row->accepted_per_s : 0;
        }
    }
    return 0;
}

static enum ekb_err keep_ceiling(struct ekb_record *record, uint32_t in_flight)
{
    struct ekb_record_capacity *capacity = &record->capacity;
    struct ekb_record_ceiling *rows =
        realloc(capacity->ceilings, (capacity->num_ceilings + 1) * sizeof rows[0]);
    if (rows == NULL) {
        return EKB_NOMEM;
    }
    capacity->ceilings = rows;
    rows[capacity->num_ceilings++] = (struct ekb_record_ceiling){
        .in_flight = in_flight,
        .accepted_per_s = rate_of(record),
        .server_busy_percent = busy_of(capacity_last(record->server_cpu, record->num_server_cpu)),
        .client_busy_percent = busy_of(capacity_last(record->client_cpu, record->num_client_cpu)),
    };
    return EKB_OK;
}

static bool is_full(const struct ekb_record_real *busy_percent)
{
    return busy_percent->known && busy_percent->value > BUSY_PERCENT;
}

// commonest returns the name that has been counted most; NULL if there is none.
static const char *commonest(const struct ekb_record_counts *counts)
{
    const struct ekb_record_count *most = NULL;
    for (size_t i = 0; i < counts->num_items; i++) {
        most = most == NULL || counts->items[i].count > most->count ? &counts->items[i] : most;
    }
    return most != NULL ? most->name : NULL;
}

// why_not returns why handshakes of the record's last arm were not accepted: the commonest alert,
// or code.
static const char *why_not(const struct ekb_record *record)
{
    const struct ekb_record_outcomes *client = &record->arms[record->num_arms - 1].client;
    const char *alert = commonest(&client->alerts);
    const char *code = commonest(&client->failures);
    return alert != NULL && client->rejected >= client->failed ? alert : code;
}

// say_nobody says that no handshake was accepted, and why.
static enum ekb_err say_nobody(const struct ekb_record *record, struct ekb_fail *reterr_fail)
{
    const struct ekb_record_outcomes *client =
        record->num_arms > 0 ? &record->arms[record->num_arms - 1].client : NULL;
    const char *why = client != NULL ? why_not(record) : NULL;
    if (why == NULL) {
        return ekb_fail_set(reterr_fail, EKB_DISTURBED, 0, "no handshake was accepted");
    }
    return ekb_fail_say(reterr_fail, EKB_TLS_ALERT,
                        "no handshake was accepted: %llu rejected, %llu failed, most of them with "
                        "%s",
                        (unsigned long long)client->rejected, (unsigned long long)client->failed,
                        why);
}

// is_disturbed is true of the record's last stage if other work had the workers' CPUs.
static bool is_disturbed(const struct ekb_record *record)
{
    const struct ekb_record_stage *row = &record->plan.stages[record->plan.num_stages - 1];
    return ekb_check_too_many_dropped(row->num_slices_dropped, row->num_slices);
}

// run_ceiling runs the stage; it goes into `record`, unless it `may_repeat` and was disturbed:
// `*out_kept` is false then.
static enum ekb_err run_ceiling(struct capacity_run *run, struct ekb_record *record,
                                bool may_repeat, bool *out_kept, struct ekb_fail *reterr_fail)
{
    struct ekb_record look = {.num_arms = 0};
    struct ekb_stage stage;
    struct ekb_staging *staging;
    enum ekb_err err = capacity_run_stage(run, &stage, &staging, NULL, reterr_fail);
    if (err == EKB_OK) {
        err = capacity_assemble(run, &look, &stage, staging, reterr_fail);
    }
    *out_kept = err == EKB_OK && (run->interrupted || !may_repeat || !is_disturbed(&look));
    if (*out_kept) {
        err = capacity_assemble(run, record, &stage, staging, reterr_fail);
    }
    ekb_record_deinit(&look);
    ekb_stage_deinit(&stage);
    free(staging);
    return err;
}

// try_ceiling repeats what other work has disturbed: it would say nothing of the server, nor of
// more in flight.
static enum ekb_err try_ceiling(struct capacity_run *run, struct ekb_record *record,
                                uint32_t in_flight, struct ekb_fail *reterr_fail)
{
    bool kept = false;
    enum ekb_err err = EKB_OK;
    for (unsigned i = 0; i < CEILING_TRIES && err == EKB_OK && !kept; i++) {
        err = run_ceiling(run, record, i + 1 < CEILING_TRIES, &kept, reterr_fail);
    }
    if (err == EKB_OK && keep_ceiling(record, in_flight) != EKB_OK) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "result");
    }
    return err;
}

enum ekb_err capacity_find_ceiling(struct capacity_run *run, struct ekb_record *record,
                                   struct ekb_fail *reterr_fail)
{
    struct ekb_record_capacity *capacity = &record->capacity;
    const uint32_t num_servers = capacity_workers(run->plan.stages[0].server_workers);
    const uint32_t num_clients = capacity_workers(run->plan.stages[0].client_workers);
    uint32_t in_flight = FIRST_IN_FLIGHT * (num_servers > num_clients ? num_servers : num_clients);
    double last_per_s = 0;
    while (in_flight > 0) {
        shape_ceiling(run, in_flight, last_per_s);
        capacity_show(run, "ceiling: closed loop of %u", (unsigned)in_flight);
        const enum ekb_err err = try_ceiling(run, record, in_flight, reterr_fail);
        if (err != EKB_OK || run->interrupted) {
            return err;
        }
        const struct ekb_record_ceiling *row = &capacity->ceilings[capacity->num_ceilings - 1];
        const bool is_busy =
            is_full(&row->server_busy_percent) || is_full(&row->client_busy_percent);
        last_per_s = row->accepted_per_s;
        if (!(last_per_s > 0)) {
            return say_nobody(record, reterr_fail);
        }
        // What a disturbed machine does says nothing of more in flight.
        in_flight = is_disturbed(record)
                        ? 0
                        : ekb_capacity_more_in_flight(in_flight, last_per_s,
                                                      capacity->ceiling_per_s, is_busy);
        capacity->ceiling_per_s = fmax(capacity->ceiling_per_s, last_per_s);
    }
    capacity->highest_per_s =
        ekb_backlog_highest_per_s(capacity->ceiling_per_s, run->lengths.validation_ns);
    return capacity_make_room(run, record, capacity->highest_per_s, reterr_fail);
}

// Trials.

// describe_backlog looks at the connections under way at the start of each slice that was measured.
static void describe_backlog(struct ekb_record_trial *trial, const struct ekb_stage *stage)
{
    const struct ekb_timeline *timeline = &stage->timeline;
    const uint64_t *looks = stage->client.tally->open_at + timeline->num_warmup;
    struct ekb_backlog backlog;
    if (stage->client.tally->cpu_ns_at[timeline->num_slices] != 0 &&
        ekb_backlog_look(&backlog, looks, timeline->num_slices - timeline->num_warmup + 1)) {
        trial->in_flight_begin = (struct ekb_record_real){true, backlog.begin};
        trial->in_flight_end = (struct ekb_record_real){true, backlog.end};
    }
}

// describe_trial fills what a trial's judgement needs from the record that it made.
static void describe_trial(struct ekb_record_trial *trial, const struct ekb_record *record,
                           const struct ekb_stage *stage)
{
    const struct ekb_record_open_loop *loop =
        &record->plan.stages[record->plan.num_stages - 1].open_loop;
    const struct ekb_tally *tally = stage->client.tally;
    trial->offered_per_s = loop->offered_per_s;
    trial->due = tally->lag.moments.count + tally->dropped_wait.moments.count;
    trial->accepted = tally->arms[0].latency.moments.count;
    trial->errors = trial->due > trial->accepted ? trial->due - trial->accepted : 0;
    trial->dropped = tally->arms[0].dropped;
    // Whatever it rests on: a trial that is too short for it is no excuse for the client.
    trial->lag_p99_ns = (struct ekb_record_u64){.known = tally->lag.moments.count > 0,
                                                .value = ekb_hist_percentile(tally->lag.hist, 99)};
    trial->server_busy_percent = busy_of(capacity_last(record->server_cpu, record->num_server_cpu));
    trial->client_busy_percent = busy_of(capacity_last(record->client_cpu, record->num_client_cpu));
    describe_backlog(trial, stage);
}

// judge judges a trial whose stage was assembled into `record`, as its last.
static enum ekb_search_outcome judge(struct ekb_record_trial *trial, struct capacity_run *run,
                                     const struct ekb_record *record, const struct ekb_stage *stage)
{
    describe_trial(trial, record, stage);
    const enum ekb_search_outcome outcome = ekb_capacity_judge(
        trial, stage->client.tally->arms[0].latency.hist, &run->settings->objective);
    const char *why = record->num_arms > 0 ? why_not(record) : NULL;
    if (outcome == EKB_SEARCH_FAILED && trial->errors > trial->dropped && why != NULL) {
        const size_t len = strlen(trial->reason);
        (void)snprintf(trial->reason + len, sizeof trial->reason - len, " (%s)", why);
    }
    if (!is_disturbed(record)) {
        run->num_disturbed = 0;
        return outcome;
    }
    run->num_disturbed++;
    EKB_RECORD_COPY(trial->outcome, "invalid");
    EKB_RECORD_COPY(trial->reason, "other work or the hypervisor took the workers' CPUs");
    return EKB_SEARCH_INVALID;
}

// Blocks of one side: what its CPU time was, for how many handshakes.
struct blocks {
    struct ekb_slice_sum costs[NUM_BLOCKS + 1];
    double busy[NUM_BLOCKS + 1];
    size_t num;
};

static void fill_blocks(struct blocks *out_blocks, const struct ekb_stage *stage,
                        const struct ekb_stage_side *side)
{
    const struct ekb_timeline *timeline = &stage->timeline;
    const uint32_t num_slices = timeline->num_slices - timeline->num_warmup;
    const uint32_t len = num_slices / NUM_BLOCKS > 0 ? num_slices / NUM_BLOCKS : 1;
    const double wall_ns =
        (double)len * (double)timeline->slice_ns * (double)ekb_stage_num_cpus(side);
    out_blocks->num = 0;
    for (uint32_t first = timeline->num_warmup;
         first + len <= timeline->num_slices && out_blocks->num < NUM_BLOCKS; first += len) {
        const uint64_t *at = side->tally->cpu_ns_at;
        if (at[first] == 0 || at[first + len] == 0) {
            break;
        }
        struct ekb_slice_sum *cost = &out_blocks->costs[out_blocks->num];
        *cost = (struct ekb_slice_sum){.sum = at[first + len] - at[first]};
        for (uint32_t i = first; i < first + len; i++) {
            cost->count += side->tally->completed[i];
        }
        out_blocks->busy[out_blocks->num++] = fmin((double)cost->sum / wall_ns, 1.0);
    }
}

// take_blocks estimates costs and utilisation over the blocks of the validation.
static void take_blocks(struct ekb_record_capacity *capacity, const struct ekb_stage *stage)
{
    struct blocks blocks;
    capacity->blocks_known = true;
    fill_blocks(&blocks, stage, &stage->client);
    capacity->blocks_known =
        ekb_estimate_slice_ratio(&capacity->client_cpu_blocks, blocks.costs, blocks.num, CONFIDENCE,
                                 BOOTSTRAP_SEED) == EKB_OK;
    if (stage->server.tally == NULL) {
        return;
    }
    fill_blocks(&blocks, stage, &stage->server);
    capacity->blocks_known =
        capacity->blocks_known &&
        ekb_estimate_slice_ratio(&capacity->server_cpu_blocks, blocks.costs, blocks.num, CONFIDENCE,
                                 BOOTSTRAP_SEED) == EKB_OK &&
        ekb_estimate_mean(&capacity->utilisation_blocks, blocks.busy, blocks.num, CONFIDENCE,
                          BOOTSTRAP_SEED) == EKB_OK;
}

// excuse_errors makes notes of the reasons from `first` on that are about handshakes which were not
// accepted: that was judged by the objective.
static void excuse_errors(struct ekb_record *record, size_t first)
{
    size_t num_kept = first;
    for (size_t i = first; i < record->num_reasons; i++) {
        if (strstr(record->reasons[i], ": expected to accept") != NULL) {
            ekb_record_add_note(record, "%s: within the objective", record->reasons[i]);
            continue;
        }
        if (num_kept < i) {
            EKB_RECORD_COPY(record->reasons[num_kept], record->reasons[i]);
        }
        num_kept++;
    }
    record->num_reasons = num_kept;
}

// keep appends a trial's stage to `record`, with what it says of costs.
static enum ekb_err keep(struct capacity_run *run, struct ekb_record *record,
                         const struct ekb_stage *stage, const struct ekb_staging *staging,
                         struct ekb_fail *reterr_fail)
{
    struct ekb_record_capacity *capacity = &record->capacity;
    const size_t num_reasons = record->num_reasons;
    const enum ekb_err err = capacity_assemble(run, record, stage, staging, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    excuse_errors(record, num_reasons);
    capacity->client_cpu_ns =
        capacity_last(record->client_cpu, record->num_client_cpu)->per_handshake_ns;
    if (stage->server.tally != NULL) {
        const struct ekb_record_cpu *server =
            capacity_last(record->server_cpu, record->num_server_cpu);
        const struct ekb_record_real busy = busy_of(server);
        capacity->server_cpu_ns = server->per_handshake_ns;
        capacity->server_utilisation = (struct ekb_record_real){busy.known, busy.value / 100.0};
    }
    take_blocks(capacity, stage);
    // One figure of each: what is projected stands on those that have an interval.
    if (capacity->blocks_known) {
        capacity->client_cpu_ns.value = capacity->client_cpu_blocks.estimate;
    }
    if (stage->server.tally != NULL) {
        capacity->server_cores = ekb_stage_num_cpus(&stage->server);
    }
    if (capacity->blocks_known && stage->server.tally != NULL) {
        capacity->server_cpu_ns.value = capacity->server_cpu_blocks.estimate;
        capacity->server_utilisation.value = capacity->utilisation_blocks.estimate;
    }
    return EKB_OK;
}

enum ekb_err capacity_run_trial(struct capacity_run *run, struct ekb_record_trial *trial,
                                enum ekb_search_outcome *out_outcome, struct ekb_record *kept,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_record record = {.num_arms = 0};
    struct ekb_stage stage;
    struct ekb_staging *staging;
    shape_stage(run, trial->purpose, trial->rate_per_s, run->trial_in_flight, trial->duration_ns);
    enum ekb_err err = capacity_run_stage(run, &stage, &staging, NULL, reterr_fail);
    trial->seed = run->plan.seed;
    if (err == EKB_OK && !run->interrupted) {
        err = capacity_assemble(run, &record, &stage, staging, reterr_fail);
    }
    if (err == EKB_OK && !run->interrupted && record.plan.stages != NULL &&
        stage.client.tally != NULL) {
        *out_outcome = judge(trial, run, &record, &stage);
        if (kept != NULL && *out_outcome == EKB_SEARCH_PASSED) {
            err = keep(run, kept, &stage, staging, reterr_fail);
        }
    }
    ekb_stage_deinit(&stage);
    ekb_record_deinit(&record);
    free(staging);
    return err;
}
