#include "ekubench/stat/record.h"

#include "stat/json_reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// IMPLEMENTATION NOTES
//
// One function per JSON object, as in record_json.c, in the same order. What can be computed from
// other values (means, sums over stages) is not read.

static void read_parts(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at parts = ekb_json_array(root, "parts");
    record->parts = ekb_json_items(&parts, &record->num_parts, sizeof record->parts[0]);
    for (size_t i = 0; i < record->num_parts; i++) {
        struct ekb_record_part *part = &record->parts[i];
        const struct ekb_json_at at = ekb_json_element(&parts, i);
        EKB_JSON_READ_TEXT(&at, "kind", part->kind);
        EKB_JSON_READ_TEXT(&at, "started_at", part->started_at);
        part->duration_ns = ekb_json_read_u64(&at, "duration_ns");
        part->seed = ekb_json_read_u64(&at, "seed");
        part->client_workers = ekb_json_read_u64(&at, "client_workers");
        part->started = ekb_json_read_u64(&at, "started");
        part->clean = ekb_json_read_bool(&at, "clean");
        EKB_JSON_READ_TEXT(&at, "version", part->version);
        EKB_JSON_READ_TEXT(&at, "git", part->git);
        EKB_JSON_READ_TEXT(&at, "kernel", part->kernel);
        EKB_JSON_READ_TEXT(&at, "cpu_model", part->cpu_model);
        part->cpus = ekb_json_read_u64(&at, "cpus");
        part->memory_bytes = ekb_json_read_u64(&at, "memory_bytes");
    }
}

static void read_build(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at at = ekb_json_object(root, "build");
    const struct ekb_json_at boringssl = ekb_json_object(&at, "boringssl");
    EKB_JSON_READ_TEXT(&boringssl, "revision", record->build.boringssl_revision);
    record->build.boringssl_api_version = ekb_json_read_u64(&boringssl, "api_version");
    record->build.boringssl_assembly_known =
        ekb_json_read_known_bool(&boringssl, "assembly", &record->build.boringssl_assembly);
    EKB_JSON_READ_TEXT(&at, "version", record->build.version);
    EKB_JSON_READ_TEXT(&at, "git", record->build.git);
    EKB_JSON_READ_TEXT(&at, "compiler", record->build.compiler);
    EKB_JSON_READ_TEXT(&at, "flags", record->build.flags);
    EKB_JSON_READ_TEXT(&at, "build_type", record->build.build_type);
    EKB_JSON_READ_TEXT(&at, "liburing", record->build.liburing);
    EKB_JSON_READ_TEXT(&at, "hdr_histogram", record->build.hdr_histogram);
    EKB_JSON_READ_TEXT(&at, "jansson", record->build.jansson);
    EKB_JSON_READ_TEXT(&at, "zlib", record->build.zlib);
    EKB_JSON_READ_TEXT(&at, "criterion", record->build.criterion);
}

static void read_host(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at at = ekb_json_object(root, "host");
    EKB_JSON_READ_TEXT(&at, "kernel", record->host.kernel);
    EKB_JSON_READ_TEXT(&at, "cpu_model", record->host.cpu_model);
    record->host.cpus = ekb_json_read_u64(&at, "cpus");
    record->host.memory_bytes = ekb_json_read_u64(&at, "memory_bytes");
    EKB_JSON_READ_TEXT(&at, "clocksource", record->host.clocksource);
    EKB_JSON_READ_TEXT(&at, "congestion_control", record->host.congestion_control);
    record->host.steal_percent = ekb_json_read_known_real(&at, "steal_percent");
    record->host.descriptors_limit = ekb_json_read_u64(&at, "descriptors_limit");
    record->host.somaxconn = ekb_json_read_u64(&at, "somaxconn");
    EKB_JSON_READ_TEXT(&at, "port_range", record->host.port_range);
    record->host.virtual_machine_known =
        ekb_json_read_known_bool(&at, "virtual_machine", &record->host.virtual_machine);
}

static void read_open_loop(const struct ekb_json_at *stage, struct ekb_record_open_loop *loop)
{
    const struct ekb_json_at at = ekb_json_object(stage, "open_loop");
    loop->known = at.value != NULL;
    if (!loop->known) {
        return;
    }
    const struct ekb_json_at stretches = ekb_json_array(&at, "stretches");
    loop->stretches = ekb_json_items(&stretches, &loop->num_stretches, sizeof loop->stretches[0]);
    for (size_t i = 0; i < loop->num_stretches; i++) {
        const struct ekb_json_at item = ekb_json_element(&stretches, i);
        loop->stretches[i] =
            (struct ekb_record_stretch){.duration_ns = ekb_json_read_u64(&item, "duration_ns"),
                                        .begin_per_s = ekb_json_read_real(&item, "begin_per_s"),
                                        .end_per_s = ekb_json_read_real(&item, "end_per_s")};
    }
    EKB_JSON_READ_TEXT(&at, "arrivals", loop->arrivals);
    loop->planned_per_s = ekb_json_read_real(&at, "planned_per_s");
    loop->offered_per_s = ekb_json_read_real(&at, "offered_per_s");
    ekb_json_read_summary(&at, "lag_ns", &loop->lag_ns);
    ekb_json_read_summary(&at, "dropped_wait_ns", &loop->dropped_wait_ns);
}

static void read_stage(const struct ekb_json_at *at, struct ekb_record_stage *stage)
{
    EKB_JSON_READ_TEXT(at, "name", stage->name);
    EKB_JSON_READ_TEXT(at, "shape", stage->shape);
    stage->in_flight = ekb_json_read_u64(at, "in_flight");
    read_open_loop(at, &stage->open_loop);
    stage->ramp_ns = ekb_json_read_u64(at, "ramp_ns");
    stage->warmup_ns = ekb_json_read_u64(at, "warmup_ns");
    stage->duration_ns = ekb_json_read_u64(at, "duration_ns");
    stage->slice_ns = ekb_json_read_u64(at, "slice_ns");
    stage->floor_every = ekb_json_read_u64(at, "floor_every");
    EKB_JSON_READ_TEXT(at, "client", stage->client);
    EKB_JSON_READ_TEXT(at, "listening", stage->listening);
    stage->num_slices = ekb_json_read_u64(at, "num_slices");
    stage->num_slices_dropped = ekb_json_read_u64(at, "num_slices_dropped");
    stage->steal_percent = ekb_json_read_known_real(at, "steal_percent");
    stage->num_network = ekb_json_read_counts(at, "network", stage->network,
                                              sizeof stage->network / sizeof stage->network[0]);
}

static void read_plan(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at at = ekb_json_object(root, "plan");
    const struct ekb_json_at stages = ekb_json_array(&at, "stages");
    if (at.value == NULL) {
        ekb_json_refuse(root, "plan", "an object");
    }
    EKB_JSON_READ_TEXT(&at, "name", record->plan.name);
    record->plan.seed = ekb_json_read_u64(&at, "seed");
    EKB_JSON_READ_TEXT(&at, "tls", record->plan.tls);
    EKB_JSON_READ_TEXT(&at, "groups", record->plan.groups);
    EKB_JSON_READ_TEXT(&at, "cipher", record->plan.cipher);
    EKB_JSON_READ_TEXT(&at, "group", record->plan.group);
    EKB_JSON_READ_TEXT(&at, "server_signature", record->plan.server_signature);
    EKB_JSON_READ_TEXT(&at, "key", record->plan.key);
    EKB_JSON_READ_TEXT(&at, "target", record->plan.target);
    EKB_JSON_READ_TEXT(&at, "scenario", record->plan.scenario);
    EKB_JSON_READ_TEXT(&at, "release", record->plan.release);
    EKB_JSON_READ_TEXT(&at, "command", record->plan.command);
    EKB_JSON_READ_TEXT(&at, "confirm", record->plan.confirm);
    record->plan.server_workers = ekb_json_read_u64(&at, "server_workers");
    record->plan.client_workers = ekb_json_read_u64(&at, "client_workers");
    record->plan.deadline_ns = ekb_json_read_u64(&at, "deadline_ns");
    record->plan.stages =
        ekb_json_items(&stages, &record->plan.num_stages, sizeof record->plan.stages[0]);
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        const struct ekb_json_at stage = ekb_json_element(&stages, i);
        read_stage(&stage, &record->plan.stages[i]);
    }
}

static void read_outcomes(const struct ekb_json_at *counts, const struct ekb_json_at *causes,
                          struct ekb_record_outcomes *outcomes)
{
    outcomes->started = ekb_json_read_u64(counts, "started");
    outcomes->accepted = ekb_json_read_u64(counts, "accepted");
    outcomes->rejected = ekb_json_read_u64(counts, "rejected");
    outcomes->failed = ekb_json_read_u64(counts, "failed");
    outcomes->unfinished = ekb_json_read_u64(counts, "unfinished");
    outcomes->resumed = ekb_json_read_u64(counts, "resumed");
    ekb_json_read_grown_counts(causes, "failures", &outcomes->failures);
    ekb_json_read_grown_counts(causes, "alerts", &outcomes->alerts);
}

static void read_treatments(const struct ekb_json_at *at, struct ekb_record_arm *arm)
{
    EKB_JSON_READ_TEXT(at, "name", arm->name);
    EKB_JSON_READ_TEXT(at, "stage", arm->stage);
    EKB_JSON_READ_TEXT(at, "eku", arm->eku);
    EKB_JSON_READ_TEXT(at, "verify", arm->verify);
    arm->depth = ekb_json_read_u64(at, "depth");
    EKB_JSON_READ_TEXT(at, "key", arm->key);
    EKB_JSON_READ_TEXT(at, "client_eku", arm->client_eku);
    EKB_JSON_READ_TEXT(at, "tls", arm->tls);
    EKB_JSON_READ_TEXT(at, "expect", arm->expect);
    arm->resumes = ekb_json_read_bool(at, "resumes");
    arm->identities = ekb_json_read_u64(at, "identities");
    EKB_JSON_READ_TEXT(at, "pick", arm->pick);
}

static void read_arm(const struct ekb_json_at *at, struct ekb_record_arm *arm)
{
    const struct ekb_json_at handshakes = ekb_json_object(at, "handshakes");
    const struct ekb_json_at server = ekb_json_object(at, "server");
    const struct ekb_json_at wire_bytes = ekb_json_object(at, "wire_bytes");
    read_treatments(at, arm);
    read_outcomes(&handshakes, at, &arm->client);
    arm->server_known = server.value != NULL;
    read_outcomes(&server, &server, &arm->server);
    arm->dropped = ekb_json_read_u64(at, "dropped");
    ekb_json_read_summary(at, "uncorrected_latency_ns", &arm->uncorrected_latency_ns);
    ekb_json_read_summary(at, "latency_ns", &arm->latency_ns);
    ekb_json_read_summary(at, "connect_ns", &arm->connect_ns);
    ekb_json_read_summary(at, "server_cpu_ns", &arm->server_cpu_ns);
    ekb_json_read_summary(at, "verify_ns", &arm->verify_ns);
    ekb_json_read_summary(at, "client_cpu_ns", &arm->client_cpu_ns);
    arm->client_sent_bytes = ekb_json_read_known_real(&wire_bytes, "client_sent");
    arm->server_sent_bytes = ekb_json_read_known_real(&wire_bytes, "server_sent");
    arm->server_cpu_interval_known =
        ekb_json_read_interval(at, "server_cpu_mean_ns", &arm->server_cpu_interval);
    arm->client_cpu_interval_known =
        ekb_json_read_interval(at, "client_cpu_mean_ns", &arm->client_cpu_interval);
}

static void read_arms(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at arms = ekb_json_array(root, "arms");
    if (arms.value == NULL) {
        ekb_json_refuse(root, "arms", "an array");
    }
    record->arms = ekb_json_items(&arms, &record->num_arms, sizeof record->arms[0]);
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_json_at at = ekb_json_element(&arms, i);
        read_arm(&at, &record->arms[i]);
    }
}

static void read_throughput(const struct ekb_json_at *at, struct ekb_record_throughput *row)
{
    const struct ekb_json_at blocks = ekb_json_array(at, "blocks");
    EKB_JSON_READ_TEXT(at, "stage", row->stage);
    EKB_JSON_READ_TEXT(at, "arm", row->arm);
    row->accepted_per_s = ekb_json_read_real(at, "accepted_per_s");
    row->interval_known =
        ekb_json_read_ci95(at, "ci95", &row->interval) && isfinite(row->accepted_per_s);
    row->block_ns = ekb_json_read_u64(at, "block_ns");
    row->blocks = ekb_json_items(&blocks, &row->num_blocks, sizeof row->blocks[0]);
    for (size_t i = 0; i < row->num_blocks; i++) {
        const json_t *value = json_array_get(blocks.value, i);
        if (!json_is_integer(value) || json_integer_value(value) < 0) {
            ekb_json_refuse(at, "blocks", "an array of whole numbers from 0 on");
            return;
        }
        row->blocks[i] = (uint64_t)json_integer_value(value);
    }
    row->interval.estimate = row->accepted_per_s;
    row->interval.n = row->num_blocks;
}

static void read_all_throughput(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at rows = ekb_json_array(root, "throughput");
    record->throughput =
        ekb_json_items(&rows, &record->num_throughput, sizeof record->throughput[0]);
    for (size_t i = 0; i < record->num_throughput; i++) {
        const struct ekb_json_at at = ekb_json_element(&rows, i);
        read_throughput(&at, &record->throughput[i]);
    }
}

static void read_interval(const struct ekb_json_at *at, struct ekb_record_interval *interval)
{
    interval->start_ns = ekb_json_read_u64(at, "start_ns");
    interval->duration_ns = ekb_json_read_u64(at, "duration_ns");
    interval->started = ekb_json_read_u64(at, "started");
    interval->accepted = ekb_json_read_u64(at, "accepted");
    interval->rejected = ekb_json_read_u64(at, "rejected");
    interval->failed = ekb_json_read_u64(at, "failed");
    interval->dropped = ekb_json_read_u64(at, "dropped");
    interval->in_flight = ekb_json_read_u64(at, "in_flight");
    interval->p50_ns = ekb_json_read_known_u64(at, "p50_ns");
    interval->p99_ns = ekb_json_read_known_u64(at, "p99_ns");
    interval->max_ns = ekb_json_read_known_u64(at, "max_ns");
    interval->steal_percent = ekb_json_read_known_real(at, "steal_percent");
}

static void read_series(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at rows = ekb_json_array(root, "series");
    record->series = ekb_json_items(&rows, &record->num_series, sizeof record->series[0]);
    for (size_t i = 0; i < record->num_series; i++) {
        struct ekb_record_series *series = &record->series[i];
        const struct ekb_json_at at = ekb_json_element(&rows, i);
        const struct ekb_json_at intervals = ekb_json_array(&at, "intervals");
        EKB_JSON_READ_TEXT(&at, "stage", series->stage);
        series->interval_ns = ekb_json_read_u64(&at, "interval_ns");
        series->intervals =
            ekb_json_items(&intervals, &series->num_intervals, sizeof series->intervals[0]);
        for (size_t j = 0; j < series->num_intervals; j++) {
            const struct ekb_json_at item = ekb_json_element(&intervals, j);
            read_interval(&item, &series->intervals[j]);
        }
    }
}

// read_effect returns false if the estimate or its interval is unknown: there is no effect then.
static bool read_effect(const struct ekb_json_at *at, struct ekb_record_effect *effect)
{
    EKB_JSON_READ_TEXT(at, "question", effect->question);
    EKB_JSON_READ_TEXT(at, "contrast", effect->contrast);
    EKB_JSON_READ_TEXT(at, "stage", effect->stage);
    EKB_JSON_READ_TEXT(at, "metric", effect->metric);
    EKB_JSON_READ_TEXT(at, "unit", effect->unit);
    effect->estimate.estimate = ekb_json_read_real(at, "estimate");
    const bool known =
        ekb_json_read_ci95(at, "ci95", &effect->estimate) && isfinite(effect->estimate.estimate);
    effect->estimate.n = ekb_json_read_u64(at, "n");
    effect->mde = ekb_json_read_real(at, "mde");
    effect->p_adjusted = ekb_json_read_real(at, "p_adjusted");
    effect->equivalence = ekb_json_read_real(at, "equivalence");
    effect->bootstrap.estimate = ekb_json_read_real(at, "bootstrap_estimate");
    (void)ekb_json_read_ci95(at, "bootstrap_ci95", &effect->bootstrap);
    effect->bootstrap.n = effect->estimate.n;
    EKB_JSON_READ_TEXT(at, "verdict", effect->verdict);
    EKB_JSON_READ_TEXT(at, "method", effect->method);
    return known;
}

static void read_effects(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at rows = ekb_json_array(root, "effects");
    size_t num = 0;
    size_t num_known = 0;
    record->effects = ekb_json_items(&rows, &num, sizeof record->effects[0]);
    for (size_t i = 0; i < num; i++) {
        const struct ekb_json_at at = ekb_json_element(&rows, i);
        num_known += read_effect(&at, &record->effects[num_known]) ? 1 : 0;
    }
    record->num_effects = num_known;
}

static void read_block(const struct ekb_json_at *at, struct ekb_record_block *block)
{
    EKB_JSON_READ_TEXT(at, "stage", block->stage);
    EKB_JSON_READ_TEXT(at, "arm", block->arm);
    block->quadruple = ekb_json_read_u64(at, "quadruple");
    block->disturbed = ekb_json_read_bool(at, "disturbed");
    block->measured_ns = ekb_json_read_u64(at, "measured_ns");
    block->accepted = ekb_json_read_u64(at, "accepted");
    block->accepted_per_s = ekb_json_read_real(at, "accepted_per_s");
    block->p99_ns = ekb_json_read_known_u64(at, "p99_ns");
    block->wall_ns = ekb_json_read_known_real(at, "wall_ns");
    block->server_cpu_ns = ekb_json_read_known_real(at, "server_cpu_ns");
    block->client_cpu_ns = ekb_json_read_known_real(at, "client_cpu_ns");
    block->steal_percent = ekb_json_read_real(at, "steal_percent");
    block->wait_percent = ekb_json_read_real(at, "wait_percent");
    block->voluntary_switches = ekb_json_read_u64(at, "voluntary_switches");
    block->involuntary_switches = ekb_json_read_u64(at, "involuntary_switches");
    block->page_faults = ekb_json_read_u64(at, "page_faults");
    block->retransmitted_segments = ekb_json_read_u64(at, "retransmitted_segments");
    block->listen_overflows = ekb_json_read_u64(at, "listen_overflows");
}

static void read_blocks(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at rows = ekb_json_array(root, "blocks");
    record->blocks = ekb_json_items(&rows, &record->num_blocks, sizeof record->blocks[0]);
    for (size_t i = 0; i < record->num_blocks; i++) {
        const struct ekb_json_at at = ekb_json_element(&rows, i);
        read_block(&at, &record->blocks[i]);
    }
}

// What a side's floor is called in the file.
struct floor_keys {
    const char *side, *memory, *tcp, *tax, *tax_ci95;
};

// read_old_floor reads what results of versions without `intervals` have of them.
static void read_old_floor(const struct ekb_json_at *at, const struct floor_keys *keys,
                           struct ekb_record_side_floor *side)
{
    const struct ekb_json_at memory = ekb_json_object(at, keys->memory);
    const struct ekb_record_real tax = ekb_json_read_known_real(at, keys->tax);
    side->interval_known = ekb_json_read_ci95(&memory, "ci95", &side->interval);
    side->interval.estimate = ekb_moments_mean(&side->memory_ns.moments);
    side->tax_known = tax.known && ekb_json_read_ci95(at, keys->tax_ci95, &side->tax_percent);
    side->tax_percent.estimate = tax.value;
}

static void read_floor(const struct ekb_json_at *at, const struct floor_keys *keys,
                       struct ekb_record_side_floor *side)
{
    const struct ekb_json_at memory = ekb_json_object(at, keys->memory);
    const struct ekb_json_at all = ekb_json_object(at, "intervals");
    const struct ekb_json_at intervals = ekb_json_object(&all, keys->side);
    ekb_json_read_summary(at, keys->memory, &side->memory_ns);
    side->over_memory = ekb_json_read_known_real(&memory, "io_over_memory");
    side->steps_over_memory = ekb_json_read_known_real(&memory, "steps_over_memory");
    if (all.value == NULL) {
        read_old_floor(at, keys, side);
        return;
    }
    side->interval_known = ekb_json_read_interval(&intervals, "memory_ns", &side->interval);
    side->tcp_known = ekb_json_read_interval(&intervals, "tcp_exchange_ns", &side->tcp);
    side->measured_known = ekb_json_read_interval(&intervals, "measured_ns", &side->measured);
    side->tax_known = ekb_json_read_interval(&intervals, "engine_tax_percent", &side->tax_percent);
}

static void read_floors(const struct ekb_json_at *root, struct ekb_record *record)
{
    static const struct floor_keys server = {"server", "memory_handshake_server",
                                             "tcp_exchange_server_ns", "engine_tax_percent_server",
                                             "engine_tax_percent_server_ci95"};
    static const struct floor_keys client = {"client", "memory_handshake_client",
                                             "tcp_exchange_client_ns", "engine_tax_percent_client",
                                             "engine_tax_percent_client_ci95"};
    const struct ekb_json_at at = ekb_json_object(root, "floors");
    read_floor(&at, &server, &record->server_floor);
    read_floor(&at, &client, &record->client_floor);
    record->floors_known = record->server_floor.memory_ns.known ||
                           record->client_floor.memory_ns.known || record->server_floor.tcp_known ||
                           record->client_floor.tcp_known || record->server_floor.tax_known ||
                           record->client_floor.tax_known;
}

static void read_cpu(const struct ekb_json_at *at, struct ekb_record_cpu *cpu)
{
    EKB_JSON_READ_TEXT(at, "stage", cpu->stage);
    cpu->user_ns = ekb_json_read_u64(at, "user_ns");
    cpu->system_ns = ekb_json_read_u64(at, "system_ns");
    cpu->total_ns = ekb_json_read_u64(at, "total_ns");
    cpu->handshakes = ekb_json_read_u64(at, "handshakes");
    cpu->steps_ns = ekb_json_read_u64(at, "steps_ns");
    cpu->workers = ekb_json_read_u64(at, "workers");
    cpu->window_ns = ekb_json_read_u64(at, "window_ns");
    cpu->per_handshake_ns = ekb_json_read_known_real(at, "per_handshake_ns");
    cpu->kernel_and_loop_ns = ekb_json_read_known_real(at, "kernel_and_loop_ns");
    cpu->busy_percent = ekb_json_read_known_real(at, "busy_percent");
    cpu->memory_base_bytes = ekb_json_read_known_u64(at, "memory_base_bytes");
    cpu->memory_peak_bytes = ekb_json_read_known_u64(at, "memory_peak_bytes");
    cpu->peak_connections = ekb_json_read_known_u64(at, "peak_connections");
    cpu->memory_per_connection_bytes = ekb_json_read_known_real(at, "memory_per_connection_bytes");
    cpu->ring_overflows = ekb_json_read_u64(at, "ring_overflows");
    EKB_JSON_READ_TEXT(at, "ring_setup", cpu->ring_setup);
    EKB_JSON_READ_TEXT(at, "cpu_list", cpu->cpu_list);
}

static void read_cpu_side(const struct ekb_json_at *root, const char *key,
                          struct ekb_record_cpu **out_rows, size_t *out_num_rows)
{
    const struct ekb_json_at sides = ekb_json_object(root, "cpu");
    const struct ekb_json_at side = ekb_json_object(&sides, key);
    const struct ekb_json_at stages = ekb_json_array(&side, "stages");
    struct ekb_record_cpu *rows = ekb_json_items(&stages, out_num_rows, sizeof rows[0]);
    for (size_t i = 0; i < *out_num_rows; i++) {
        const struct ekb_json_at at = ekb_json_element(&stages, i);
        read_cpu(&at, &rows[i]);
    }
    *out_rows = rows;
}

// read_validity refuses a result that calls itself clean in spite of its reasons, or the other way
// round: which of the two were to be believed?
static void read_validity(const struct ekb_json_at *root, struct ekb_record *record)
{
    const struct ekb_json_at at = ekb_json_object(root, "validity");
    bool clean = false;
    if (!ekb_json_read_known_bool(&at, "clean", &clean)) {
        ekb_json_refuse(&at, "clean", "true or false");
    }
    record->num_reasons =
        ekb_json_read_lines(&at, "reasons", record->reasons, EKB_RECORD_MAX_REASONS);
    record->num_notes = ekb_json_read_lines(&at, "notes", record->notes, EKB_RECORD_MAX_REASONS);
    if (clean != (record->num_reasons == 0)) {
        ekb_json_refuse(&at, "clean", "true without reasons, false with some,");
    }
}

static void read_record(const struct ekb_json_at *root, struct ekb_record *record)
{
    EKB_JSON_READ_TEXT(root, "kind", record->kind);
    EKB_JSON_READ_TEXT(root, "started_at", record->started_at);
    record->duration_ns = ekb_json_read_u64(root, "duration_ns");
    read_parts(root, record);
    read_build(root, record);
    read_host(root, record);
    read_plan(root, record);
    read_arms(root, record);
    read_all_throughput(root, record);
    read_series(root, record);
    read_effects(root, record);
    read_blocks(root, record);
    ekb_json_read_capacity(root, &record->capacity);
    read_floors(root, record);
    read_cpu_side(root, "server", &record->server_cpu, &record->num_server_cpu);
    read_cpu_side(root, "client", &record->client_cpu, &record->num_client_cpu);
    read_validity(root, record);
    record->interrupted = ekb_json_read_bool(root, "interrupted");
}

// check_schema sees that the file is a result, and of this schema.
static enum ekb_err check_schema(json_t *value, struct ekb_fail *reterr_fail)
{
    static const char family[] = "ekubench.result/";
    const char *schema = json_string_value(json_object_get(value, "schema"));
    if (schema == NULL || strncmp(schema, family, sizeof family - 1) != 0) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "no result of ekubench");
    }
    if (strcmp(schema, EKB_RECORD_SCHEMA) != 0) {
        return ekb_fail_say(reterr_fail, EKB_PARSE,
                            "a result of schema %.20s, but this ekubench reads schema %s",
                            &schema[sizeof family - 1], &EKB_RECORD_SCHEMA[sizeof family - 1]);
    }
    return EKB_OK;
}

static enum ekb_err read_value(struct ekb_record *out_record, json_t *value,
                               struct ekb_fail *reterr_fail)
{
    enum ekb_err err = check_schema(value, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    void *memory = aligned_alloc(16, (ekb_hist_size() + 15) / 16 * 16);
    if (memory == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "result");
    }
    struct ekb_json_reader reader = {.fail = reterr_fail, .hist = ekb_hist_init(memory)};
    const struct ekb_json_at root = {.reader = &reader, .value = value};
    read_record(&root, out_record);
    free(memory);
    return reader.err;
}

enum ekb_err ekb_record_from_json(struct ekb_record *out_record, const char *text, size_t len,
                                  struct ekb_fail *reterr_fail)
{
    json_error_t error;
    *out_record = (struct ekb_record){.num_arms = 0};
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL && error.text[0] == '\0') { // The library says nothing about that.
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "result");
    }
    if (value == NULL) {
        for (char *at = error.text; *at != '\0'; at++) {
            if ((unsigned char)*at < ' ' || (unsigned char)*at > '~') {
                *at = '?'; // It quotes the file.
            }
        }
        return ekb_fail_say(reterr_fail, EKB_PARSE, "line %d: %s", error.line, error.text);
    }
    const enum ekb_err err = read_value(out_record, value, reterr_fail);
    json_decref(value);
    if (err != EKB_OK) {
        ekb_record_deinit(out_record);
    }
    return err;
}
