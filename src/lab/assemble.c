#include "ekubench/lab/assemble.h"

#include "ekubench/lab/intervals.h"
#include "ekubench/stat/check.h"
#include "ekubench/tls/alert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIDENCE 0.95
#define BOOTSTRAP_SEED UINT64_C(20240229)
// Rates of blocks that differ by more than this are worth a note (coefficient of variation).
#define UNSTEADY_CV 0.2

// wait_percent returns for how much of the slice a worker waited for its CPU.
static double wait_percent(const struct ekb_stage *stage, const struct ekb_stage_side *side,
                           uint32_t slice)
{
    return side->tally == NULL ? 0
                               : 100.0 * (double)side->tally->run_delay_ns[slice] /
                                     (double)stage->timeline.slice_ns;
}

struct ekb_covariates ekb_assemble_covariates(const struct ekb_stage *stage, uint32_t slice)
{
    return (struct ekb_covariates){
        .steal_percent = stage->steal_by_slice[slice],
        .wait_percent = fmax(wait_percent(stage, &stage->server, slice),
                             wait_percent(stage, &stage->client, slice)),
    };
}

// is_complete is true if the client went on beyond the end of the slice.
static bool is_complete(const struct ekb_stage *stage, uint32_t slice)
{
    return stage->client.tally->cpu_ns_at[slice + 1] != 0;
}

static bool is_dropped(const struct ekb_stage *stage, uint32_t slice)
{
    const struct ekb_covariates covariates = ekb_assemble_covariates(stage, slice);
    return ekb_check_is_disturbed(&covariates, 1);
}

void ekb_assemble_kept_slices(struct ekb_slice_sum *out_slices, const struct ekb_stage *stage,
                              const struct ekb_slice_sum *slices, enum ekb_slice_kind kind)
{
    for (uint32_t i = 0; i < stage->timeline.num_slices; i++) {
        const bool kept = ekb_timeline_kind(&stage->timeline, i) == kind && !is_dropped(stage, i);
        out_slices[i] = kept ? slices[i] : (struct ekb_slice_sum){0};
    }
}

static enum ekb_err copy_outcomes(struct ekb_record_outcomes *out, const struct ekb_tally_arm *arm)
{
    *out = (struct ekb_record_outcomes){.started = arm->started,
                                        .accepted = arm->accepted,
                                        .rejected = arm->rejected,
                                        .failed = arm->failed,
                                        .unfinished = arm->unfinished,
                                        .resumed = arm->resumed};
    for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
        if (ekb_record_counts_add(&out->failures, ekb_err_name((enum ekb_err)err),
                                  arm->failures[err]) != EKB_OK) {
            return EKB_NOMEM;
        }
    }
    for (int alert = 0; alert < EKB_TALLY_NUM_ALERTS; alert++) {
        if (ekb_record_counts_add(&out->alerts, ekb_alert_name(alert), arm->alerts[alert]) !=
            EKB_OK) {
            return EKB_NOMEM;
        }
    }
    return EKB_OK;
}

enum ekb_err ekb_assemble_summarize(struct ekb_record_summary *out,
                                    const struct ekb_distribution *distribution)
{
    return distribution->moments.count == 0
               ? EKB_OK
               : ekb_record_summarize(out, &distribution->moments, distribution->hist);
}

bool ekb_assemble_mean(struct ekb_estimate *out_estimate, const struct ekb_stage *stage,
                       const struct ekb_slice_sum *slices, enum ekb_slice_kind kind)
{
    struct ekb_slice_sum *kept = calloc(stage->timeline.num_slices, sizeof kept[0]);
    if (kept == NULL) {
        return false;
    }
    ekb_assemble_kept_slices(kept, stage, slices, kind);
    const enum ekb_err err = ekb_estimate_slice_ratio(
        out_estimate, kept, stage->timeline.num_slices, CONFIDENCE, BOOTSTRAP_SEED);
    free(kept);
    return err == EKB_OK;
}

static struct ekb_record_real ratio(double numerator, double denominator)
{
    if (denominator <= 0) {
        return (struct ekb_record_real){0};
    }
    return (struct ekb_record_real){.known = true, .value = numerator / denominator};
}

static enum ekb_err fill_arm(struct ekb_record_arm *arm, const struct ekb_stage *stage,
                             size_t index)
{
    const struct ekb_tally_arm *client = &stage->client.tally->arms[index];
    enum ekb_err err = copy_outcomes(&arm->client, client);
    if (err == EKB_OK) {
        err = ekb_assemble_summarize(&arm->latency_ns, &client->latency);
    }
    if (err == EKB_OK) {
        err = ekb_assemble_summarize(&arm->connect_ns, &client->connect);
    }
    if (err == EKB_OK) {
        err = ekb_assemble_summarize(&arm->client_cpu_ns, &client->steps);
    }
    arm->client_sent_bytes = ratio((double)client->sent_bytes, (double)client->steps.moments.count);
    arm->client_cpu_interval_known = ekb_assemble_mean(&arm->client_cpu_interval, stage,
                                                       client->steps_by_slice, EKB_SLICE_MEASURED);
    if (stage->server.tally == NULL || err != EKB_OK) {
        return err;
    }
    const struct ekb_tally_arm *server = &stage->server.tally->arms[index];
    arm->server_known = true;
    err = copy_outcomes(&arm->server, server);
    if (err == EKB_OK) {
        err = ekb_assemble_summarize(&arm->server_cpu_ns, &server->steps);
    }
    if (err == EKB_OK) {
        err = ekb_assemble_summarize(&arm->verify_ns, &server->verify);
    }
    arm->server_sent_bytes = ratio((double)server->sent_bytes, (double)server->steps.moments.count);
    arm->server_cpu_interval_known = ekb_assemble_mean(&arm->server_cpu_interval, stage,
                                                       server->steps_by_slice, EKB_SLICE_MEASURED);
    return err;
}

// check_outcomes says what is wrong with the outcomes of one arm.
static void check_outcomes(struct ekb_record *record, const struct ekb_record_arm *arm)
{
    const struct ekb_record_outcomes *client = &arm->client;
    const struct ekb_record_outcomes *server = &arm->server;

    if (client->started !=
        client->accepted + client->rejected + client->failed + client->unfinished) {
        ekb_record_add_reason(record, "%s/%s: the client's counts do not add up", arm->stage,
                              arm->name);
    }
    if (ekb_record_num_expected(arm) + client->unfinished != client->started) {
        ekb_record_add_reason(
            record, "%s/%s: expected to %s, but %llu accepted, %llu rejected, %llu failed",
            arm->stage, arm->name, arm->expect, (unsigned long long)client->accepted,
            (unsigned long long)client->rejected, (unsigned long long)client->failed);
    }
    if (client->resumed != (arm->resumes ? client->accepted : 0)) {
        ekb_record_add_reason(
            record, "%s/%s: %llu of %llu accepted handshakes resumed a session, where %s should",
            arm->stage, arm->name, (unsigned long long)client->resumed,
            (unsigned long long)client->accepted, arm->resumes ? "all" : "none");
    }
    if (!arm->server_known) {
        return;
    }
    if (server->resumed < client->resumed ||
        server->resumed > client->resumed + client->unfinished + client->failed) {
        ekb_record_add_reason(
            record, "%s/%s: the server counts %llu resumed sessions, the client %llu", arm->stage,
            arm->name, (unsigned long long)server->resumed, (unsigned long long)client->resumed);
    }
    if (server->started > client->started) {
        ekb_record_add_reason(record, "%s/%s: %llu connections came from somebody else", arm->stage,
                              arm->name, (unsigned long long)(server->started - client->started));
    }
    // A verdict that the client did not live to read is the only difference there may be.
    const uint64_t unread = client->unfinished + client->failed;
    if (server->accepted < client->accepted || server->accepted > client->accepted + unread ||
        server->rejected < client->rejected || server->rejected > client->rejected + unread) {
        ekb_record_add_reason(
            record,
            "%s/%s: the server counts %llu accepted and %llu rejected, the client %llu and "
            "%llu",
            arm->stage, arm->name, (unsigned long long)server->accepted,
            (unsigned long long)server->rejected, (unsigned long long)client->accepted,
            (unsigned long long)client->rejected);
    }
}

static void *grow(void *items, size_t num_items, size_t num_more, size_t item_len)
{
    uint8_t *grown = realloc(items, (num_items + num_more) * item_len);
    if (grown != NULL) {
        memset(grown + num_items * item_len, 0, num_more * item_len);
    }
    return grown;
}

static enum ekb_err add_arms(struct ekb_record *record, const struct ekb_stage *stage,
                             const struct ekb_record_stage *label,
                             const struct ekb_record_arm *arm_labels)
{
    const size_t num_arms = stage->client.tally->num_arms;
    struct ekb_record_arm *arms = grow(record->arms, record->num_arms, num_arms, sizeof arms[0]);
    if (arms == NULL) {
        return EKB_NOMEM;
    }
    record->arms = arms;
    for (size_t i = 0; i < num_arms; i++) {
        struct ekb_record_arm *arm = &record->arms[record->num_arms++];
        *arm = arm_labels[i];
        EKB_RECORD_COPY(arm->stage, label->name);
        const enum ekb_err err = fill_arm(arm, stage, i);
        if (err != EKB_OK) {
            return err;
        }
        check_outcomes(record, arm);
    }
    return EKB_OK;
}

// accepted_in returns what one arm, or all with `arm_index` num_arms, accepted in a slice.
static uint64_t accepted_in(const struct ekb_tally *tally, uint32_t slice, size_t arm_index)
{
    uint64_t accepted = 0;
    for (size_t arm = 0; arm < tally->num_arms; arm++) {
        if (arm == arm_index || arm_index == tally->num_arms) {
            accepted += tally->accepted_by_arm[slice * tally->num_arms + arm];
        }
    }
    return accepted;
}

// fill_block_rate fills the rate of a stage of blocks, whole ones, the washout included: thousands
// in flight come to their verdicts in waves that are longer than a slice.
static enum ekb_err fill_block_rate(struct ekb_record_throughput *row,
                                    const struct ekb_stage *stage, size_t arm_index)
{
    const struct ekb_timeline *timeline = &stage->timeline;
    const uint32_t num_blocks = ekb_timeline_num_blocks(timeline);
    uint64_t accepted = 0;
    row->block_ns = timeline->slice_ns * timeline->block_slices;
    for (uint32_t block = 0; block < num_blocks; block++) {
        const uint32_t first = timeline->num_warmup + block * timeline->block_slices;
        const uint32_t end = first + timeline->block_slices;
        if (!is_complete(stage, end - 1)) {
            break;
        }
        for (uint32_t slice = first; slice < end; slice++) {
            row->blocks[row->num_blocks] += accepted_in(stage->client.tally, slice, arm_index);
        }
        accepted += row->blocks[row->num_blocks++];
    }
    const double seconds = (double)row->num_blocks * (double)row->block_ns / 1e9;
    row->accepted_per_s = seconds > 0 ? (double)accepted / seconds : (double)NAN;
    return ekb_record_estimate_rate(row);
}

// add_throughput appends the accepted handshakes per slice of one arm, or of all with `arm_index`
// num_arms.
static enum ekb_err add_throughput(struct ekb_record *record, const struct ekb_stage *stage,
                                   const char *stage_name, const char *arm_name, size_t arm_index)
{
    const struct ekb_tally *tally = stage->client.tally;
    struct ekb_record_throughput *rows =
        grow(record->throughput, record->num_throughput, 1, sizeof rows[0]);
    if (rows == NULL) {
        return EKB_NOMEM;
    }
    record->throughput = rows;
    struct ekb_record_throughput *row = &rows[record->num_throughput++];
    EKB_RECORD_COPY(row->stage, stage_name);
    EKB_RECORD_COPY(row->arm, arm_name);
    row->block_ns = stage->timeline.slice_ns;
    row->blocks = calloc(tally->num_slices, sizeof row->blocks[0]);
    if (row->blocks == NULL) {
        return EKB_NOMEM;
    }
    if (stage->timeline.block_slices > 0) {
        return fill_block_rate(row, stage, arm_index);
    }
    uint64_t accepted = 0;
    for (uint32_t slice = 0; slice < tally->num_slices; slice++) {
        // A slice that was not reached, or not to its end, is no block.
        if (ekb_timeline_kind(&stage->timeline, slice) != EKB_SLICE_MEASURED ||
            !is_complete(stage, slice)) {
            continue;
        }
        row->blocks[row->num_blocks] = accepted_in(tally, slice, arm_index);
        accepted += row->blocks[row->num_blocks++];
    }
    const uint32_t last = ekb_timeline_slice(&stage->timeline, tally->ended_ns);
    double seconds = (double)row->num_blocks * (double)row->block_ns / 1e9;
    if (!stage->interrupted && last < tally->num_slices &&
        ekb_timeline_kind(&stage->timeline, last) == EKB_SLICE_MEASURED) {
        // All that was to be done was done before the time was up.
        accepted += accepted_in(tally, last, arm_index);
        seconds += (double)(tally->ended_ns - ekb_timeline_start(&stage->timeline, last)) / 1e9;
    }
    row->accepted_per_s = seconds > 0 ? (double)accepted / seconds : (double)NAN;
    return ekb_record_estimate_rate(row);
}

static enum ekb_err add_all_throughput(struct ekb_record *record, const struct ekb_stage *stage,
                                       const struct ekb_record_stage *label,
                                       const struct ekb_record_arm *arm_labels)
{
    const size_t num_arms = stage->client.tally->num_arms;
    enum ekb_err err = add_throughput(record, stage, label->name, "", num_arms);
    // In a stage of blocks an arm runs part of the time only: lab/blocks has its rates.
    for (size_t i = 0; i < num_arms && err == EKB_OK && stage->timeline.block_slices == 0; i++) {
        err = add_throughput(record, stage, label->name, arm_labels[i].name, i);
    }
    return err;
}

// write_cpus lists the workers' CPUs, as far as there is room.
static void write_cpus(struct ekb_record_cpu *cpu, const struct ekb_stage_side *side)
{
    size_t len = 0;
    if (side->cpus[0] < 0) {
        EKB_RECORD_COPY(cpu->cpu_list, "any");
        return;
    }
    for (uint32_t i = 0; i < side->num_workers && len < sizeof cpu->cpu_list; i++) {
        len += (size_t)snprintf(cpu->cpu_list + len, sizeof cpu->cpu_list - len, "%s%d",
                                i > 0 ? "," : "", side->cpus[i]);
    }
}

static void fill_cpu(struct ekb_record_cpu *cpu, const struct ekb_stage *stage,
                     const struct ekb_stage_side *side, const char *stage_name)
{
    const struct ekb_tally *tally = side->tally;
    EKB_RECORD_COPY(cpu->stage, stage_name);
    cpu->user_ns = tally->user_ns;
    cpu->system_ns = tally->system_ns;
    for (uint32_t slice = 0; slice < tally->num_slices; slice++) {
        if (ekb_timeline_kind(&stage->timeline, slice) != EKB_SLICE_MEASURED ||
            tally->cpu_ns_at[slice + 1] == 0 || is_dropped(stage, slice)) {
            continue;
        }
        cpu->total_ns += tally->cpu_ns_at[slice + 1] - tally->cpu_ns_at[slice];
        cpu->steps_ns += tally->steps_ns[slice];
        cpu->handshakes += tally->completed[slice];
        cpu->window_ns += stage->timeline.slice_ns * ekb_stage_num_cpus(side);
    }
    cpu->per_handshake_ns = ratio((double)cpu->total_ns, (double)cpu->handshakes);
    // Steps are wall time, the total is CPU time: with much steal the difference means nothing.
    if (cpu->total_ns >= cpu->steps_ns) {
        cpu->kernel_and_loop_ns =
            ratio((double)(cpu->total_ns - cpu->steps_ns), (double)cpu->handshakes);
    }
    cpu->busy_percent = ratio(100.0 * (double)cpu->total_ns, (double)cpu->window_ns);
    cpu->peak_connections =
        (struct ekb_record_u64){.known = true, .value = tally->peak_connections};
    if (side->memory_base_bytes > 0 && side->memory_peak_bytes >= side->memory_base_bytes) {
        cpu->memory_base_bytes = (struct ekb_record_u64){true, side->memory_base_bytes};
        cpu->memory_peak_bytes = (struct ekb_record_u64){true, side->memory_peak_bytes};
        cpu->memory_per_connection_bytes =
            ratio((double)(side->memory_peak_bytes - side->memory_base_bytes),
                  (double)tally->peak_connections);
    }
    cpu->ring_overflows = tally->num_overflows;
    EKB_RECORD_COPY(cpu->ring_setup, tally->ring_setup);
    cpu->workers = side->num_workers;
    write_cpus(cpu, side);
}

static enum ekb_err add_cpu(struct ekb_record *record, const struct ekb_stage *stage,
                            const struct ekb_record_stage *label)
{
    struct ekb_record_cpu *client =
        grow(record->client_cpu, record->num_client_cpu, 1, sizeof client[0]);
    if (client == NULL) {
        return EKB_NOMEM;
    }
    record->client_cpu = client;
    fill_cpu(&client[record->num_client_cpu++], stage, &stage->client, label->name);
    if (stage->server.tally == NULL) {
        return EKB_OK;
    }
    struct ekb_record_cpu *server =
        grow(record->server_cpu, record->num_server_cpu, 1, sizeof server[0]);
    if (server == NULL) {
        return EKB_NOMEM;
    }
    record->server_cpu = server;
    fill_cpu(&server[record->num_server_cpu++], stage, &stage->server, label->name);
    return EKB_OK;
}

static void fill_network(struct ekb_record_stage *row, const struct ekb_net_counters *network)
{
    const struct ekb_record_count counts[] = {
        {"listen_overflows", network->listen_overflows},
        {"listen_drops", network->listen_drops},
        {"retransmitted_segments", network->retransmitted_segments},
        {"loss_probes", network->loss_probes},
        {"request_queue_full_cookies", network->request_queue_full_cookies},
        {"time_wait_overflows", network->time_wait_overflows},
        {"aborts_on_memory", network->aborts_on_memory},
    };
    _Static_assert(sizeof counts <= sizeof row->network, "all counters have a place");
    memcpy(row->network, counts, sizeof counts);
    row->num_network = sizeof counts / sizeof counts[0];
}

static enum ekb_err add_stage(struct ekb_record *record, const struct ekb_stage *stage,
                              const struct ekb_record_stage *label)
{
    struct ekb_record_stage *rows =
        grow(record->plan.stages, record->plan.num_stages, 1, sizeof rows[0]);
    if (rows == NULL) {
        return EKB_NOMEM;
    }
    record->plan.stages = rows;
    struct ekb_record_stage *row = &rows[record->plan.num_stages++];
    *row = *label;
    if (stage->server.num_workers > 1) {
        EKB_RECORD_COPY(row->listening, ekb_listening_name(stage->listening));
    }
    double steal_sum = 0;
    for (uint32_t slice = 0; slice < stage->timeline.num_slices; slice++) {
        const enum ekb_slice_kind kind = ekb_timeline_kind(&stage->timeline, slice);
        if ((kind == EKB_SLICE_MEASURED || kind == EKB_SLICE_FLOOR) && is_complete(stage, slice)) {
            row->num_slices++;
            row->num_slices_dropped += is_dropped(stage, slice) ? 1 : 0;
            steal_sum += stage->steal_by_slice[slice];
        }
    }
    if (row->num_slices * stage->timeline.slice_ns < row->duration_ns) {
        row->duration_ns = row->num_slices * stage->timeline.slice_ns; // It ended early.
    }
    if (stage->steal_known) {
        row->steal_percent = ratio(steal_sum, (double)row->num_slices);
    }
    if (stage->network_known) {
        fill_network(row, &stage->network);
    }
    return EKB_OK;
}

// check_side gives the reasons that lie with one side's worker and machine.
static void check_side(struct ekb_record *record, const struct ekb_stage_side *side,
                       const char *stage_name, const char *side_name)
{
    if (side->tally == NULL) {
        return;
    }
    if (side->tally->num_overflows > 0) {
        ekb_record_add_reason(record, "%s: the %s's completion queue overflowed %llu times",
                              stage_name, side_name,
                              (unsigned long long)side->tally->num_overflows);
    }
    if (side->tally->num_accept_errors > 0) {
        ekb_record_add_reason(record, "%s: accepting a connection failed %llu times", stage_name,
                              (unsigned long long)side->tally->num_accept_errors);
    }
}

// check_rate notes a rate that goes up and down: connections in convoys, or a window that is short
// against the latency.
static void check_rate(struct ekb_record *record, const char *stage_name)
{
    for (size_t i = 0; i < record->num_throughput; i++) {
        const struct ekb_record_throughput *row = &record->throughput[i];
        if (strcmp(row->stage, stage_name) != 0 || row->arm[0] != '\0' || row->num_blocks < 2) {
            continue;
        }
        double squares = 0;
        double sum = 0;
        for (size_t j = 0; j < row->num_blocks; j++) {
            sum += (double)row->blocks[j];
            squares += (double)row->blocks[j] * (double)row->blocks[j];
        }
        const double mean = sum / (double)row->num_blocks;
        const double variance = squares / (double)row->num_blocks - mean * mean;
        if (mean > 0 && variance > UNSTEADY_CV * UNSTEADY_CV * mean * mean) {
            ekb_record_add_note(record,
                                "%s: the rate is unsteady, %.0f %% from block to block (standard "
                                "deviation): it is less certain than it looks",
                                stage_name, 100 * sqrt(variance) / mean);
        }
    }
}

// do_sides_share_a_cpu is true if a server worker may be on the CPU of a client worker.
static bool do_sides_share_a_cpu(const struct ekb_stage *stage)
{
    for (uint32_t i = 0; i < stage->server.num_workers; i++) {
        for (uint32_t j = 0; j < stage->client.num_workers; j++) {
            const int server = stage->server.cpus[i];
            const int client = stage->client.cpus[j];
            if (server < 0 || client < 0 || server == client) {
                return true;
            }
        }
    }
    return false;
}

static void check_stage(struct ekb_record *record, const struct ekb_stage *stage)
{
    const struct ekb_record_stage *row = &record->plan.stages[record->plan.num_stages - 1];
    // An open loop's rate is planned: whether it was kept is said elsewhere (lab/open_loop).
    if (strcmp(row->shape, "open-loop") != 0) {
        check_rate(record, row->name);
    }
    check_side(record, &stage->server, row->name, "server");
    check_side(record, &stage->client, row->name, "client");
    if (stage->network.listen_overflows + stage->network.listen_drops > 0) {
        ekb_record_add_reason(record, "%s: the accept queue overflowed (%llu drops)", row->name,
                              (unsigned long long)stage->network.listen_drops);
    }
    // Probes go out when an acknowledgement is late because its sender is busy: nothing was lost.
    if (stage->network.retransmitted_segments > stage->network.loss_probes) {
        ekb_record_add_note(record, "%s: TCP segments retransmitted on this machine: %llu",
                            row->name,
                            (unsigned long long)(stage->network.retransmitted_segments -
                                                 stage->network.loss_probes));
    }
    if (stage->server.tally != NULL && do_sides_share_a_cpu(stage)) {
        ekb_record_add_reason(record, "%s: client and server share a CPU", row->name);
    }
    // Of blocks, whole quadruples are dropped (lab/blocks).
    const bool has_slices = stage->timeline.block_slices == 0;
    if (has_slices && ekb_check_too_many_dropped(row->num_slices_dropped, row->num_slices)) {
        ekb_record_add_reason(
            record,
            "%s: other work or the hypervisor took the workers' CPUs in %llu of %llu slices",
            row->name, (unsigned long long)row->num_slices_dropped,
            (unsigned long long)row->num_slices);
    } else if (has_slices && row->num_slices_dropped > 0) {
        ekb_record_add_note(
            record, "%s: left out of the estimates, for other work or steal: %llu of %llu slices",
            row->name, (unsigned long long)row->num_slices_dropped,
            (unsigned long long)row->num_slices);
    }
    if (stage->interrupted) {
        record->interrupted = true;
        ekb_record_add_reason(record, "%s: interrupted", row->name);
    }
}

enum ekb_err ekb_assemble_stage(struct ekb_record *record, const struct ekb_stage *stage,
                                const struct ekb_record_stage *label,
                                const struct ekb_record_arm *arm_labels)
{
    enum ekb_err err = add_stage(record, stage, label);
    if (err == EKB_OK) {
        err = add_arms(record, stage, label, arm_labels);
    }
    if (err == EKB_OK) {
        err = add_all_throughput(record, stage, label, arm_labels);
    }
    if (err == EKB_OK) {
        err = add_cpu(record, stage, label);
    }
    if (err == EKB_OK) {
        err = ekb_intervals_add(record, stage, label->name);
    }
    if (err == EKB_OK) {
        check_stage(record, stage);
    }
    return err;
}

void ekb_assemble_negotiated(struct ekb_record *record, const struct ekb_stage *stage)
{
    const struct ekb_tally *tally = stage->client.tally;
    if (record->plan.cipher[0] == '\0') {
        EKB_RECORD_COPY(record->plan.cipher, tally->cipher);
        EKB_RECORD_COPY(record->plan.group, tally->group);
        EKB_RECORD_COPY(record->plan.server_signature, tally->signature);
    }
}
