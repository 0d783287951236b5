#include "ekubench/lab/capacity.h"

#include "ekubench/lab/assemble.h"
#include "ekubench/lab/open_loop.h"
#include "ekubench/stat/check.h"
#include "ekubench/stat/projection.h"
#include "lab/staging.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CEILING_STAGE "ceiling"
#define TRIAL_STAGE "trial"
#define VALIDATION_STAGE "validation"

#define SLICE_NS (100 * EKB_NS_PER_MS)
#define CEILING_IN_FLIGHT 64
#define CEILING_SLICES 30
#define TRIAL_WARMUP_SLICES 5
// An open loop may have this many under way: what is due beyond is dropped, and the trial fails.
#define TRIAL_IN_FLIGHT 4000
#define SHORT_NS (2 * EKB_NS_PER_S)
#define LONG_NS (6 * EKB_NS_PER_S)
#define NUM_LONG 3
#define WIDTH 0.02
#define VALIDATION_NS (10 * EKB_NS_PER_S)
// Where the search begins, as a share of the ceiling.
#define FIRST 0.7
// A server that is busier than this at the bound is what ends the search.
#define SERVER_BUSY_PERCENT 90.0

// The judgement of a trial.

static enum ekb_search_outcome decide(struct ekb_record_trial *trial,
                                      enum ekb_search_outcome outcome, const char *reason)
{
    static const char *const names[] = {"passed", "failed", "invalid"};
    (void)snprintf(trial->outcome, sizeof trial->outcome, "%s", names[outcome]);
    (void)snprintf(trial->reason, sizeof trial->reason, "%s", reason);
    return outcome;
}

// find_latency sets the latency at the objective's percentile of all that were due: those that were
// not accepted took for ever. Unknown if it is one of these.
static void find_latency(struct ekb_record_trial *trial, const struct ekb_hist *latency,
                         double percentile)
{
    const double rank = ceil(percentile / 100.0 * (double)trial->due);
    const double count = (double)ekb_hist_count(latency);
    if (rank >= 1 && rank <= count) {
        trial->latency_ns = (struct ekb_record_u64){
            .known = true, .value = ekb_hist_percentile(latency, 100.0 * rank / count)};
    }
}

enum ekb_search_outcome ekb_capacity_judge(struct ekb_record_trial *trial,
                                           const struct ekb_hist *latency,
                                           const struct ekb_capacity_objective *objective)
{
    char text[EKB_RECORD_TEXT_LEN];
    find_latency(trial, latency, objective->percentile);
    if (trial->due == 0) {
        return decide(trial, EKB_SEARCH_INVALID, "nothing was due");
    }
    if (trial->lag_p99_ns.known &&
        (double)trial->lag_p99_ns.value > EKB_CAPACITY_MAX_LAG * (double)objective->limit_ns) {
        (void)snprintf(text, sizeof text, "the client was late, by %.2f ms (99th percentile)",
                       (double)trial->lag_p99_ns.value / 1e6);
        return decide(trial, EKB_SEARCH_INVALID, text);
    }
    if (trial->client_busy_percent.known &&
        trial->client_busy_percent.value > EKB_OPEN_LOOP_MAX_BUSY_PERCENT) {
        (void)snprintf(text, sizeof text, "the client's CPU was %.0f %% busy",
                       trial->client_busy_percent.value);
        return decide(trial, EKB_SEARCH_INVALID, text);
    }
    if ((double)trial->errors > objective->max_error_share * (double)trial->due) {
        (void)snprintf(text, sizeof text, "%llu of %llu were not accepted",
                       (unsigned long long)trial->errors, (unsigned long long)trial->due);
        return decide(trial, EKB_SEARCH_FAILED, text);
    }
    if (!trial->latency_ns.known || trial->latency_ns.value > objective->limit_ns) {
        (void)snprintf(
            text, sizeof text, "the %gth percentile of latency was %.2f ms", objective->percentile,
            trial->latency_ns.known ? (double)trial->latency_ns.value / 1e6 : (double)INFINITY);
        return decide(trial, EKB_SEARCH_FAILED, text);
    }
    return decide(trial, EKB_SEARCH_PASSED, "");
}

// Running.

struct run {
    const struct ekb_capacity_settings *settings;
    const struct ekb_session_control *control;
    struct ekb_record *record;
    struct ekb_plan plan; // Of one stage, which changes.
    struct ekb_stores *stores;
    uint64_t later_ns; // What is still to come after the present stage, at most.
    bool interrupted;
};

// run_stage runs the plan's stage and assembles it into `record`.
static enum ekb_err run_stage(struct run *run, struct ekb_record *record, struct ekb_stage *stage,
                              struct ekb_fail *reterr_fail)
{
    const struct ekb_plan_stage *plan_stage = &run->plan.stages[0];
    struct ekb_session_progress progress = {
        .control = run->control, .stage = plan_stage->name, .later_ns = run->later_ns};
    const struct ekb_stage_control control = ekb_session_stage_control(&progress);
    const struct ekb_timeline timeline = {.slice_ns = plan_stage->slice_ns,
                                          .num_slices = plan_stage->num_slices,
                                          .num_warmup = plan_stage->num_warmup,
                                          .interval_ns = EKB_NS_PER_S};
    struct ekb_staging *staging = calloc(1, sizeof *staging);
    if (staging == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stage");
    }
    enum ekb_err err = ekb_staging_init(staging, &run->plan, plan_stage, run->stores, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_stage_run(stage, &staging->server, &staging->client, &timeline, &control,
                            reterr_fail);
    }
    if (err == EKB_OK) {
        const struct ekb_record_stage label = ekb_staging_label(plan_stage);
        run->interrupted = run->interrupted || stage->interrupted;
        ekb_assemble_negotiated(run->record, stage);
        if (ekb_assemble_stage(record, stage, &label, staging->labels) != EKB_OK ||
            ekb_open_loop_add(record, stage, &staging->client) != EKB_OK) {
            err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "result");
        }
    }
    free(staging);
    return err;
}

static void shape_stage(struct run *run, const char *name, double rate_per_s, uint64_t duration_ns)
{
    struct ekb_plan_stage *stage = &run->plan.stages[0];
    const uint32_t num_measured = (uint32_t)((duration_ns + SLICE_NS - 1) / SLICE_NS);
    (void)snprintf(stage->name, sizeof stage->name, "%s", name);
    stage->rate_per_s = rate_per_s;
    stage->in_flight = rate_per_s > 0 ? TRIAL_IN_FLIGHT : CEILING_IN_FLIGHT;
    stage->slice_ns = SLICE_NS;
    stage->num_warmup = TRIAL_WARMUP_SLICES;
    stage->num_slices = TRIAL_WARMUP_SLICES + num_measured;
}

static const struct ekb_record_cpu *last_cpu(const struct ekb_record_cpu *rows, size_t num_rows)
{
    return num_rows > 0 ? &rows[num_rows - 1] : NULL;
}

// describe_trial fills what a trial's judgement needs from the record that it made.
static void describe_trial(struct ekb_record_trial *trial, const struct ekb_record *record,
                           const struct ekb_record_stage *row, const struct ekb_stage *stage)
{
    const struct ekb_record_cpu *server = last_cpu(record->server_cpu, record->num_server_cpu);
    const struct ekb_record_cpu *client = last_cpu(record->client_cpu, record->num_client_cpu);
    const struct ekb_tally *tally = stage->client.tally;
    trial->offered_per_s = row->open_loop.offered_per_s;
    trial->due = tally->lag.moments.count + tally->dropped_wait.moments.count;
    trial->accepted = tally->arms[0].latency.moments.count;
    trial->errors = trial->due > trial->accepted ? trial->due - trial->accepted : 0;
    trial->lag_p99_ns = row->open_loop.lag_ns.p99;
    if (server != NULL && client != NULL) {
        trial->server_busy_percent = server->busy_percent;
        trial->client_busy_percent = client->busy_percent;
    }
}

// run_trial runs one trial, into a record of its own that is `kept` or forgotten.
static enum ekb_err run_trial(struct run *run, struct ekb_record_trial *trial,
                              enum ekb_search_outcome *out_outcome, struct ekb_record *kept,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_record forgotten = {.num_arms = 0};
    struct ekb_record *record = kept != NULL ? kept : &forgotten;
    struct ekb_stage stage = {0};
    shape_stage(run, kept != NULL ? VALIDATION_STAGE : TRIAL_STAGE, trial->rate_per_s,
                trial->duration_ns);
    const enum ekb_err err = run_stage(run, record, &stage, reterr_fail);
    if (err == EKB_OK && !run->interrupted && record->plan.stages != NULL &&
        stage.client.tally != NULL) {
        const struct ekb_record_stage *row = &record->plan.stages[record->plan.num_stages - 1];
        describe_trial(trial, record, row, &stage);
        *out_outcome = ekb_capacity_judge(trial, stage.client.tally->arms[0].latency.hist,
                                          &run->settings->objective);
        if (*out_outcome != EKB_SEARCH_INVALID &&
            ekb_check_too_many_dropped(row->num_slices_dropped, row->num_slices)) {
            *out_outcome = decide(trial, EKB_SEARCH_INVALID,
                                  "other work or the hypervisor took the workers' CPUs");
        }
    }
    ekb_stage_deinit(&stage);
    ekb_record_deinit(&forgotten);
    return err;
}

static enum ekb_err keep_trial(struct ekb_record_capacity *capacity,
                               const struct ekb_record_trial *trial)
{
    struct ekb_record_trial *trials =
        realloc(capacity->trials, (capacity->num_trials + 1) * sizeof trials[0]);
    if (trials == NULL) {
        return EKB_NOMEM;
    }
    capacity->trials = trials;
    trials[capacity->num_trials++] = *trial;
    return EKB_OK;
}

static const char *state_name(enum ekb_search_state state)
{
    static const char *const names[] = {
        [EKB_SEARCH_GOING] = "exhausted", [EKB_SEARCH_FOUND] = "found",
        [EKB_SEARCH_CEILING] = "ceiling", [EKB_SEARCH_GENERATOR] = "generator",
        [EKB_SEARCH_NOTHING] = "nothing", [EKB_SEARCH_EXHAUSTED] = "exhausted"};
    return names[state];
}

static enum ekb_err search(struct run *run, struct ekb_fail *reterr_fail)
{
    struct ekb_record_capacity *capacity = &run->record->capacity;
    const struct ekb_search_options options = {.first_per_s = FIRST * capacity->ceiling_per_s,
                                               .ceiling_per_s = capacity->ceiling_per_s,
                                               .width = WIDTH,
                                               .short_ns = SHORT_NS,
                                               .long_ns = LONG_NS,
                                               .num_long = NUM_LONG,
                                               .budget_ns = run->settings->budget_ns};
    struct ekb_search state;
    struct ekb_search_trial next;
    enum ekb_search_state how = EKB_SEARCH_GOING;
    enum ekb_err err = EKB_OK;
    ekb_search_init(&state, &options);
    while (err == EKB_OK && !run->interrupted &&
           (how = ekb_search_next(&state, &next)) == EKB_SEARCH_GOING) {
        struct ekb_record_trial trial = {.rate_per_s = next.rate_per_s,
                                         .duration_ns = next.duration_ns};
        enum ekb_search_outcome outcome = EKB_SEARCH_INVALID;
        run->later_ns = VALIDATION_NS + (options.budget_ns > state.spent_ns + next.duration_ns
                                             ? options.budget_ns - state.spent_ns - next.duration_ns
                                             : 0);
        err = run_trial(run, &trial, &outcome, NULL, reterr_fail);
        if (err == EKB_OK && !run->interrupted) {
            ekb_search_add(&state, &next, outcome);
            err = keep_trial(capacity, &trial);
        }
    }
    (void)snprintf(capacity->state, sizeof capacity->state, "%s", state_name(how));
    capacity->lower_per_s = ekb_search_lower(&state);
    capacity->upper_per_s = ekb_search_upper(&state);
    return err;
}

static enum ekb_err find_ceiling(struct run *run, struct ekb_fail *reterr_fail)
{
    struct ekb_record_capacity *capacity = &run->record->capacity;
    struct ekb_stage stage = {0};
    shape_stage(run, CEILING_STAGE, 0, CEILING_SLICES * SLICE_NS);
    run->later_ns = run->settings->budget_ns + VALIDATION_NS;
    const enum ekb_err err = run_stage(run, run->record, &stage, reterr_fail);
    ekb_stage_deinit(&stage);
    if (err != EKB_OK || run->interrupted) {
        return err;
    }
    capacity->ceiling_per_s = run->record->throughput[0].accepted_per_s;
    return capacity->ceiling_per_s > 0
               ? EKB_OK
               : ekb_fail_set(reterr_fail, EKB_DISTURBED, 0, "no handshake was accepted");
}

// validate runs a longer trial at the lower bound, and takes costs and utilisation from it.
static enum ekb_err validate(struct run *run, struct ekb_fail *reterr_fail)
{
    struct ekb_record_capacity *capacity = &run->record->capacity;
    struct ekb_record_trial *trial = &capacity->validation;
    enum ekb_search_outcome outcome = EKB_SEARCH_INVALID;
    *trial = (struct ekb_record_trial){.rate_per_s = capacity->lower_per_s,
                                       .duration_ns = VALIDATION_NS};
    run->later_ns = 0;
    const enum ekb_err err = run_trial(run, trial, &outcome, run->record, reterr_fail);
    if (err != EKB_OK || run->interrupted) {
        return err;
    }
    const struct ekb_record_cpu *server =
        last_cpu(run->record->server_cpu, run->record->num_server_cpu);
    const struct ekb_record_cpu *client =
        last_cpu(run->record->client_cpu, run->record->num_client_cpu);
    capacity->validated = true;
    capacity->server_cpu_ns = server->per_handshake_ns;
    capacity->client_cpu_ns = client->per_handshake_ns;
    capacity->server_cores = server->workers;
    if (server->busy_percent.known) {
        capacity->server_utilisation =
            (struct ekb_record_real){true, server->busy_percent.value / 100.0};
    }
    if (outcome == EKB_SEARCH_FAILED) {
        ekb_record_add_note(run->record,
                            "the validation did not meet the objective (%s): take a little less",
                            trial->reason);
    }
    return EKB_OK;
}

static void name_limiter(struct ekb_record_capacity *capacity)
{
    const bool busy = capacity->server_utilisation.known &&
                      100.0 * capacity->server_utilisation.value > SERVER_BUSY_PERCENT;
    (void)snprintf(capacity->limiter, sizeof capacity->limiter, "%s",
                   strcmp(capacity->state, "generator") == 0 ? "client CPU"
                   : busy                                    ? "server CPU"
                                                             : "queueing");
}

static void project(struct ekb_record_capacity *capacity, double target_per_s)
{
    if (!(target_per_s > 0) || !capacity->server_cpu_ns.known ||
        !capacity->server_utilisation.known || !(capacity->lower_per_s > 0)) {
        return;
    }
    const double headroom = ekb_projection_headroom(target_per_s, capacity->lower_per_s);
    capacity->target_per_s = (struct ekb_record_real){true, target_per_s};
    capacity->target_cores = (struct ekb_record_real){
        true, ekb_projection_cores(target_per_s, capacity->server_cpu_ns.value,
                                   capacity->server_utilisation.value)};
    capacity->target_machines = (struct ekb_record_real){
        true, ekb_projection_machines(target_per_s, capacity->lower_per_s)};
    capacity->headroom = (struct ekb_record_real){true, headroom};
}

static enum ekb_err prepare(struct run *run, struct ekb_fail *reterr_fail)
{
    const struct ekb_capacity_settings *settings = run->settings;
    struct ekb_record *record = run->record;
    const enum ekb_err err = ekb_plan_builtin(&run->plan, EKB_PLAN_COMPARE, &settings->plan);
    if (err != EKB_OK) {
        return ekb_fail_set(reterr_fail, err, 0, "plan");
    }
    run->plan.stages[0].client = settings->full_client ? EKB_CLIENT_FULL : EKB_CLIENT_CHEAP;
    EKB_RECORD_COPY(record->plan.name, "capacity");
    EKB_RECORD_COPY(record->plan.tls, ekb_tls_version_name(run->plan.version));
    EKB_RECORD_COPY(record->plan.groups, EKB_TLS_GROUPS);
    EKB_RECORD_COPY(record->plan.key, ekb_key_type_name(run->plan.key_type));
    EKB_RECORD_COPY(record->plan.confirm, ekb_confirm_name(EKB_CONFIRM_BYTE));
    record->plan.seed = run->plan.seed;
    record->plan.server_workers = 1;
    record->plan.client_workers = 1;
    record->plan.deadline_ns = run->plan.deadline_ns;
    record->capacity = (struct ekb_record_capacity){
        .known = true,
        .percentile = settings->objective.percentile,
        .limit_ns = settings->objective.limit_ns,
        .max_error_share = settings->objective.max_error_share,
        .upper_per_s = (double)INFINITY,
    };
    EKB_RECORD_COPY(record->capacity.state, "exhausted");
    return ekb_stores_create(&run->stores, &run->plan, reterr_fail);
}

enum ekb_err ekb_capacity_run(struct ekb_record *out_record,
                              const struct ekb_capacity_settings *settings,
                              const struct ekb_session_control *control,
                              struct ekb_fail *reterr_fail)
{
    const struct ekb_session session = ekb_session_begin(out_record, "capacity");
    struct run run = {.settings = settings, .control = control, .record = out_record};
    enum ekb_err err = prepare(&run, reterr_fail);
    if (err == EKB_OK) {
        err = find_ceiling(&run, reterr_fail);
    }
    if (err == EKB_OK && !run.interrupted) {
        err = search(&run, reterr_fail);
    }
    if (err == EKB_OK && !run.interrupted && out_record->capacity.lower_per_s > 0) {
        err = validate(&run, reterr_fail);
    }
    name_limiter(&out_record->capacity);
    project(&out_record->capacity, settings->target_per_s);
    ekb_stores_destroy(run.stores);
    out_record->interrupted = out_record->interrupted || run.interrupted;
    ekb_session_end(&session, out_record);
    return err;
}
