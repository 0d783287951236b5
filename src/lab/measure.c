#include "ekubench/lab/measure.h"

#include "ekubench/lab/assemble.h"
#include "ekubench/lab/blocks.h"
#include "ekubench/lab/component.h"
#include "ekubench/lab/effects.h"
#include "ekubench/lab/floors.h"
#include "ekubench/lab/pilot.h"
#include "ekubench/lab/session.h"
#include "ekubench/lab/stores.h"
#include "lab/staging.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// choose_length sets how long the cost stage runs, from what the pilot has shown.
static enum ekb_err choose_length(struct ekb_record *record, struct ekb_plan *plan,
                                  const struct ekb_stage *pilot)
{
    const int cost = ekb_plan_stage_index(plan, EKB_PLAN_STAGE_COST);
    return cost < 0 ? EKB_OK
                    : ekb_pilot_choose(&plan->stages[cost], record, pilot, plan->resolve_ns);
}

// size_load fits the load stage to what the floor stage has shown: of two CPUs the busier one sets
// the rate, one does the work of both. A tenth more for what thousands in flight cost.
static void size_load(struct ekb_record *record, struct ekb_plan *plan)
{
    const struct ekb_record_cpu *server =
        ekb_record_find_cpu(record->server_cpu, record->num_server_cpu, EKB_PLAN_STAGE_FLOOR);
    const struct ekb_record_cpu *client =
        ekb_record_find_cpu(record->client_cpu, record->num_client_cpu, EKB_PLAN_STAGE_FLOOR);
    const int load = ekb_plan_stage_index(plan, EKB_PLAN_STAGE_LOAD);
    if (server == NULL || client == NULL || load < 0 || !server->per_handshake_ns.known ||
        !client->per_handshake_ns.known) {
        return;
    }
    const double server_ns = server->per_handshake_ns.value;
    const double client_ns = client->per_handshake_ns.value;
    const bool shared = strcmp(server->cpu_list, client->cpu_list) == 0;
    const double ns = 1.1 * (shared ? server_ns + client_ns : fmax(server_ns, client_ns));
    ekb_blocks_size(&plan->stages[load], record, 1e9 / ns);
}

static enum ekb_err add_answers(struct ekb_record *record, struct ekb_plan *whole_plan,
                                const struct ekb_plan_stage *plan, const struct ekb_stage *stage)
{
    if (strcmp(plan->name, EKB_STAGE_PILOT) == 0) {
        return choose_length(record, whole_plan, stage);
    }
    if (strcmp(plan->name, EKB_PLAN_STAGE_COST) == 0) {
        const enum ekb_err err = ekb_effects_add(record, plan, stage);
        return err != EKB_OK ? err : ekb_component_add(record, plan, stage);
    }
    if (plan->block_slices > 0) {
        return ekb_blocks_add(record, plan, stage, whole_plan->seed);
    }
    if (strcmp(plan->name, EKB_PLAN_STAGE_FLOOR) == 0) {
        size_load(record, whole_plan);
        return ekb_floors_add(record, stage);
    }
    return EKB_OK;
}

static enum ekb_err run_stage(struct ekb_record *record, struct ekb_plan *plan, size_t index,
                              const struct ekb_stores *stores,
                              const struct ekb_session_control *control,
                              struct ekb_fail *reterr_fail)
{
    const struct ekb_plan_stage *plan_stage = &plan->stages[index];
    struct ekb_session_progress progress = {.control = control, .stage = plan_stage->name};
    for (size_t i = index + 1; i < plan->num_stages; i++) {
        progress.later_ns += plan->stages[i].num_slices * plan->stages[i].slice_ns;
    }
    struct ekb_stage_control stage_control = ekb_session_stage_control(&progress);
    stage_control.pin = &plan_stage->pin;
    // Of the stages of cost and floor nothing is to be told over time, and nothing to be added to
    // it.
    const uint64_t interval_ns =
        plan_stage->block_slices > 0
            ? ekb_series_interval_ns(plan_stage->num_slices * plan_stage->slice_ns)
            : 0;
    const struct ekb_timeline timeline = {.slice_ns = plan_stage->slice_ns,
                                          .num_slices = plan_stage->num_slices,
                                          .num_warmup = plan_stage->num_warmup,
                                          .floor_every = plan_stage->floor_every,
                                          .tcp_floor = plan_stage->tcp_floor,
                                          .block_slices = plan_stage->block_slices,
                                          .washout_slices = plan_stage->washout_slices,
                                          .interval_ns = interval_ns};
    struct ekb_staging staging;
    struct ekb_stage stage = {0};
    enum ekb_err err = ekb_staging_init(&staging, plan, plan_stage, stores, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_stage_run(&stage, &staging.server, &staging.client, &timeline, &stage_control,
                            reterr_fail);
    }
    // Of a worker that died the others' results are left, and its own as far as it came.
    if (err == EKB_OK || (err == EKB_WORKER_DIED && stage.client.tally != NULL)) {
        const struct ekb_record_stage label = ekb_staging_label(plan_stage);
        enum ekb_err result = ekb_assemble_stage(record, &stage, &label, staging.labels);
        if (result == EKB_OK && err == EKB_OK) {
            result = add_answers(record, plan, plan_stage, &stage);
        }
        ekb_assemble_negotiated(record, &stage);
        if (result != EKB_OK) {
            err = ekb_fail_set(reterr_fail, result, 0, "result");
        }
    }
    ekb_stage_deinit(&stage);
    return err;
}

static void describe_plan(struct ekb_record *record, const struct ekb_plan *plan)
{
    EKB_RECORD_COPY(record->plan.name, plan->name);
    EKB_RECORD_COPY(record->plan.tls, ekb_tls_version_name(plan->version));
    EKB_RECORD_COPY(record->plan.groups, ekb_tls_preferences_groups(&plan->preferences));
    EKB_RECORD_COPY(record->plan.key,
                    plan->scenario == NULL ? ekb_key_type_name(plan->key_type) : "");
    EKB_RECORD_COPY(record->plan.scenario, plan->scenario != NULL ? plan->scenario : "");
    EKB_RECORD_COPY(record->plan.release, plan->release != NULL ? plan->release : "");
    EKB_RECORD_COPY(record->plan.confirm, ekb_confirm_name(EKB_CONFIRM_BYTE));
    record->plan.seed = plan->seed;
    record->plan.server_workers = 1;
    record->plan.client_workers = 1;
    for (size_t i = 0; i < plan->num_stages; i++) {
        const struct ekb_plan_stage *stage = &plan->stages[i];
        if (stage->server_workers > record->plan.server_workers) {
            record->plan.server_workers = stage->server_workers;
        }
        if (stage->client_workers > record->plan.client_workers) {
            record->plan.client_workers = stage->client_workers;
        }
    }
    record->plan.deadline_ns = plan->deadline_ns;
}

// look_ahead looks at every stage before the first one has taken its time.
static enum ekb_err look_ahead(struct ekb_record *record, const struct ekb_plan *plan,
                               struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < plan->num_stages && err == EKB_OK; i++) {
        err = ekb_staging_look_ahead(record, &plan->stages[i], NULL, reterr_fail);
    }
    return err;
}

void ekb_measure_cross_check(struct ekb_record *record)
{
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        const struct ekb_record_stage *stage = &record->plan.stages[i];
        double latency_sum_ns = 0;
        double samples = 0;
        for (size_t j = 0; j < record->num_arms; j++) {
            const struct ekb_record_arm *arm = &record->arms[j];
            if (strcmp(arm->stage, stage->name) == 0 && arm->latency_ns.known) {
                latency_sum_ns += (double)arm->latency_ns.moments.sum;
                samples += (double)arm->latency_ns.moments.count;
            }
        }
        for (size_t j = 0; j < record->num_throughput; j++) {
            const struct ekb_record_throughput *row = &record->throughput[j];
            if (strcmp(row->stage, stage->name) != 0 || row->arm[0] != '\0' || samples == 0 ||
                strcmp(stage->name, EKB_PLAN_STAGE_LOAD) != 0) {
                continue;
            }
            // Little's law: in flight = rate x time in flight.
            const double in_flight = row->accepted_per_s * latency_sum_ns / samples / 1e9;
            const double off_percent = 100.0 * (in_flight / (double)stage->in_flight - 1.0);
            if (fabs(off_percent) > 5.0) {
                ekb_record_add_note(record,
                                    "%s: rate x latency gives %.0f in flight where %llu were kept "
                                    "(Little's law)",
                                    stage->name, in_flight, (unsigned long long)stage->in_flight);
            }
        }
    }
}

enum ekb_err ekb_measure_run(struct ekb_record *out_record, const struct ekb_plan *plan,
                             const struct ekb_session_control *control,
                             struct ekb_fail *reterr_fail)
{
    struct ekb_stores *stores = NULL;
    struct ekb_plan chosen = *plan; // Stages set the lengths of later ones in it.
    const struct ekb_session session = ekb_session_begin(out_record, "measure");
    describe_plan(out_record, plan);

    enum ekb_err err = look_ahead(out_record, plan, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_stores_create(&stores, plan, reterr_fail);
    }
    for (size_t i = 0; i < plan->num_stages && err == EKB_OK && !out_record->interrupted; i++) {
        err = run_stage(out_record, &chosen, i, stores, control, reterr_fail);
    }
    ekb_stores_destroy(stores);

    ekb_session_end(&session, out_record);
    ekb_measure_cross_check(out_record);
    return err;
}
