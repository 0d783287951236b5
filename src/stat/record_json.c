#include "ekubench/stat/record.h"

#include "stat/json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

// IMPLEMENTATION NOTES
//
// One function per JSON object, named after its key, in the order of docs/result.schema.json.
// Values are made by stat/json_writer.

// Fifteen digits are what a double always keeps: 0.1 stays 0.1 in the file.
#define REAL_DIGITS 15

static json_t *build_of(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    json_t *boringssl = json_object();
    ekb_json_put(writer, boringssl, "revision",
                 ekb_json_text_or_null(record->build.boringssl_revision));
    ekb_json_put(writer, boringssl, "api_version",
                 ekb_json_positive_or_null(writer, record->build.boringssl_api_version));
    ekb_json_put(writer, boringssl, "assembly",
                 record->build.boringssl_assembly_known
                     ? ekb_json_bool(record->build.boringssl_assembly)
                     : json_null());

    json_t *object = json_object();
    ekb_json_put(writer, object, "version", ekb_json_text_or_null(record->build.version));
    ekb_json_put(writer, object, "git", ekb_json_text_or_null(record->build.git));
    ekb_json_put(writer, object, "compiler", ekb_json_text_or_null(record->build.compiler));
    ekb_json_put(writer, object, "flags", ekb_json_text_or_null(record->build.flags));
    ekb_json_put(writer, object, "build_type", ekb_json_text_or_null(record->build.build_type));
    ekb_json_put(writer, object, "boringssl", boringssl);
    ekb_json_put(writer, object, "liburing", ekb_json_text_or_null(record->build.liburing));
    ekb_json_put(writer, object, "hdr_histogram",
                 ekb_json_text_or_null(record->build.hdr_histogram));
    ekb_json_put(writer, object, "jansson", ekb_json_text_or_null(record->build.jansson));
    ekb_json_put(writer, object, "zlib", ekb_json_text_or_null(record->build.zlib));
    ekb_json_put(writer, object, "criterion", ekb_json_text_or_null(record->build.criterion));
    return object;
}

static json_t *host_of(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "kernel", ekb_json_text_or_null(record->host.kernel));
    ekb_json_put(writer, object, "cpu_model", ekb_json_text_or_null(record->host.cpu_model));
    ekb_json_put(writer, object, "cpus", ekb_json_positive_or_null(writer, record->host.cpus));
    ekb_json_put(writer, object, "memory_bytes",
                 ekb_json_positive_or_null(writer, record->host.memory_bytes));
    ekb_json_put(writer, object, "clocksource", ekb_json_text_or_null(record->host.clocksource));
    ekb_json_put(writer, object, "congestion_control",
                 ekb_json_text_or_null(record->host.congestion_control));
    ekb_json_put(writer, object, "steal_percent",
                 ekb_json_real_or_null(&record->host.steal_percent));
    ekb_json_put(writer, object, "descriptors_limit",
                 ekb_json_positive_or_null(writer, record->host.descriptors_limit));
    ekb_json_put(writer, object, "somaxconn",
                 ekb_json_positive_or_null(writer, record->host.somaxconn));
    ekb_json_put(writer, object, "port_range", ekb_json_text_or_null(record->host.port_range));
    ekb_json_put(writer, object, "virtual_machine",
                 record->host.virtual_machine_known ? ekb_json_bool(record->host.virtual_machine)
                                                    : json_null());
    return object;
}

static json_t *open_loop_or_null(struct ekb_json_writer *writer,
                                 const struct ekb_record_open_loop *loop)
{
    if (!loop->known) {
        return json_null();
    }
    json_t *stretches = json_array();
    for (size_t i = 0; i < loop->num_stretches; i++) {
        json_t *stretch = json_object();
        ekb_json_put(writer, stretch, "duration_ns",
                     ekb_json_u64(writer, loop->stretches[i].duration_ns));
        ekb_json_put(writer, stretch, "begin_per_s", ekb_json_real(loop->stretches[i].begin_per_s));
        ekb_json_put(writer, stretch, "end_per_s", ekb_json_real(loop->stretches[i].end_per_s));
        ekb_json_append(writer, stretches, stretch);
    }
    json_t *object = json_object();
    ekb_json_put(writer, object, "arrivals", ekb_json_text(loop->arrivals));
    ekb_json_put(writer, object, "stretches", stretches);
    ekb_json_put(writer, object, "planned_per_s", ekb_json_real(loop->planned_per_s));
    ekb_json_put(writer, object, "offered_per_s", ekb_json_real(loop->offered_per_s));
    ekb_json_put(writer, object, "lag_ns", ekb_json_summary_or_null(writer, &loop->lag_ns));
    ekb_json_put(writer, object, "dropped_wait_ns",
                 ekb_json_summary_or_null(writer, &loop->dropped_wait_ns));
    return object;
}

static json_t *stage_of(struct ekb_json_writer *writer, const struct ekb_record_stage *stage)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "name", ekb_json_text(stage->name));
    ekb_json_put(writer, object, "shape", ekb_json_text(stage->shape));
    ekb_json_put(writer, object, "in_flight", ekb_json_u64(writer, stage->in_flight));
    ekb_json_put(writer, object, "open_loop", open_loop_or_null(writer, &stage->open_loop));
    ekb_json_put(writer, object, "ramp_ns", ekb_json_u64(writer, stage->ramp_ns));
    ekb_json_put(writer, object, "warmup_ns", ekb_json_u64(writer, stage->warmup_ns));
    ekb_json_put(writer, object, "duration_ns", ekb_json_u64(writer, stage->duration_ns));
    ekb_json_put(writer, object, "slice_ns", ekb_json_u64(writer, stage->slice_ns));
    ekb_json_put(writer, object, "floor_every", ekb_json_u64(writer, stage->floor_every));
    ekb_json_put(writer, object, "client", ekb_json_text(stage->client));
    ekb_json_put(writer, object, "listening", ekb_json_text_or_null(stage->listening));
    ekb_json_put(writer, object, "num_slices", ekb_json_u64(writer, stage->num_slices));
    ekb_json_put(writer, object, "num_slices_dropped",
                 ekb_json_u64(writer, stage->num_slices_dropped));
    ekb_json_put(writer, object, "steal_percent", ekb_json_real_or_null(&stage->steal_percent));
    ekb_json_put(writer, object, "network",
                 ekb_json_counts(writer, stage->network, stage->num_network));
    return object;
}

// put_treatments writes what an arm is, without what it did.
static void put_treatments(struct ekb_json_writer *writer, json_t *object,
                           const struct ekb_record_arm *arm)
{
    ekb_json_put(writer, object, "name", ekb_json_text(arm->name));
    ekb_json_put(writer, object, "stage", ekb_json_text(arm->stage));
    ekb_json_put(writer, object, "eku", ekb_json_text_or_null(arm->eku));
    ekb_json_put(writer, object, "verify", ekb_json_text_or_null(arm->verify));
    ekb_json_put(writer, object, "depth", ekb_json_u64(writer, arm->depth));
    ekb_json_put(writer, object, "key", ekb_json_text_or_null(arm->key));
    ekb_json_put(writer, object, "client_eku", ekb_json_text_or_null(arm->client_eku));
    ekb_json_put(writer, object, "tls", ekb_json_text(arm->tls));
    ekb_json_put(writer, object, "expect", ekb_json_text(arm->expect));
    ekb_json_put(writer, object, "resumes", json_boolean(arm->resumes));
    ekb_json_put(writer, object, "identities", ekb_json_u64(writer, arm->identities));
    ekb_json_put(writer, object, "pick", ekb_json_text_or_null(arm->pick));
}

static json_t *plan_of(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    json_t *stages = json_array();
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        ekb_json_append(writer, stages, stage_of(writer, &record->plan.stages[i]));
    }
    json_t *arms = json_array();
    for (size_t i = 0; i < record->num_arms; i++) {
        json_t *arm = json_object();
        put_treatments(writer, arm, &record->arms[i]);
        ekb_json_append(writer, arms, arm);
    }

    json_t *object = json_object();
    ekb_json_put(writer, object, "name", ekb_json_text_or_null(record->plan.name));
    ekb_json_put(writer, object, "seed", ekb_json_u64(writer, record->plan.seed));
    ekb_json_put(writer, object, "tls", ekb_json_text_or_null(record->plan.tls));
    ekb_json_put(writer, object, "groups", ekb_json_text_or_null(record->plan.groups));
    ekb_json_put(writer, object, "cipher", ekb_json_text_or_null(record->plan.cipher));
    ekb_json_put(writer, object, "group", ekb_json_text_or_null(record->plan.group));
    ekb_json_put(writer, object, "server_signature",
                 ekb_json_text_or_null(record->plan.server_signature));
    ekb_json_put(writer, object, "key", ekb_json_text_or_null(record->plan.key));
    ekb_json_put(writer, object, "target", ekb_json_text_or_null(record->plan.target));
    ekb_json_put(writer, object, "scenario", ekb_json_text_or_null(record->plan.scenario));
    ekb_json_put(writer, object, "release", ekb_json_text_or_null(record->plan.release));
    ekb_json_put(writer, object, "command", ekb_json_text_or_null(record->plan.command));
    ekb_json_put(writer, object, "confirm", ekb_json_text_or_null(record->plan.confirm));
    ekb_json_put(writer, object, "server_workers",
                 ekb_json_u64(writer, record->plan.server_workers));
    ekb_json_put(writer, object, "client_workers",
                 ekb_json_u64(writer, record->plan.client_workers));
    ekb_json_put(writer, object, "deadline_ns", ekb_json_u64(writer, record->plan.deadline_ns));
    ekb_json_put(writer, object, "stages", stages);
    ekb_json_put(writer, object, "arms", arms);
    return object;
}

static void put_handshakes(struct ekb_json_writer *writer, json_t *object,
                           const struct ekb_record_outcomes *outcomes)
{
    ekb_json_put(writer, object, "started", ekb_json_u64(writer, outcomes->started));
    ekb_json_put(writer, object, "accepted", ekb_json_u64(writer, outcomes->accepted));
    ekb_json_put(writer, object, "rejected", ekb_json_u64(writer, outcomes->rejected));
    ekb_json_put(writer, object, "failed", ekb_json_u64(writer, outcomes->failed));
    ekb_json_put(writer, object, "unfinished", ekb_json_u64(writer, outcomes->unfinished));
    ekb_json_put(writer, object, "resumed", ekb_json_u64(writer, outcomes->resumed));
}

static void put_causes(struct ekb_json_writer *writer, json_t *object,
                       const struct ekb_record_outcomes *outcomes)
{
    ekb_json_put(writer, object, "failures",
                 ekb_json_counts(writer, outcomes->failures.items, outcomes->failures.num_items));
    ekb_json_put(writer, object, "alerts",
                 ekb_json_counts(writer, outcomes->alerts.items, outcomes->alerts.num_items));
}

static json_t *server_or_null(struct ekb_json_writer *writer, const struct ekb_record_arm *arm)
{
    if (!arm->server_known) {
        return json_null();
    }
    json_t *object = json_object();
    put_handshakes(writer, object, &arm->server);
    put_causes(writer, object, &arm->server);
    return object;
}

static json_t *arm_of(struct ekb_json_writer *writer, const struct ekb_record_arm *arm)
{
    json_t *handshakes = json_object();
    put_handshakes(writer, handshakes, &arm->client);
    json_t *wire_bytes = json_object();
    ekb_json_put(writer, wire_bytes, "client_sent", ekb_json_real_or_null(&arm->client_sent_bytes));
    ekb_json_put(writer, wire_bytes, "server_sent", ekb_json_real_or_null(&arm->server_sent_bytes));

    json_t *object = json_object();
    put_treatments(writer, object, arm);
    ekb_json_put(writer, object, "handshakes", handshakes);
    put_causes(writer, object, &arm->client);
    ekb_json_put(writer, object, "server", server_or_null(writer, arm));
    ekb_json_put(writer, object, "dropped", ekb_json_u64(writer, arm->dropped));
    ekb_json_put(writer, object, "uncorrected_latency_ns",
                 ekb_json_summary_or_null(writer, &arm->uncorrected_latency_ns));
    ekb_json_put(writer, object, "latency_ns", ekb_json_summary_or_null(writer, &arm->latency_ns));
    ekb_json_put(writer, object, "connect_ns", ekb_json_summary_or_null(writer, &arm->connect_ns));
    ekb_json_put(writer, object, "server_cpu_ns",
                 ekb_json_summary_or_null(writer, &arm->server_cpu_ns));
    ekb_json_put(writer, object, "verify_ns", ekb_json_summary_or_null(writer, &arm->verify_ns));
    ekb_json_put(writer, object, "client_cpu_ns",
                 ekb_json_summary_or_null(writer, &arm->client_cpu_ns));
    ekb_json_put(writer, object, "wire_bytes", wire_bytes);
    ekb_json_put(writer, object, "server_cpu_mean_ns",
                 ekb_json_interval_or_null(writer, arm->server_cpu_interval_known,
                                           &arm->server_cpu_interval));
    ekb_json_put(writer, object, "client_cpu_mean_ns",
                 ekb_json_interval_or_null(writer, arm->client_cpu_interval_known,
                                           &arm->client_cpu_interval));
    return object;
}

static json_t *throughput_of(struct ekb_json_writer *writer,
                             const struct ekb_record_throughput *throughput)
{
    json_t *blocks = json_array();
    for (size_t i = 0; i < throughput->num_blocks; i++) {
        ekb_json_append(writer, blocks, ekb_json_u64(writer, throughput->blocks[i]));
    }
    json_t *object = json_object();
    ekb_json_put(writer, object, "stage", ekb_json_text(throughput->stage));
    ekb_json_put(writer, object, "arm", ekb_json_text_or_null(throughput->arm));
    ekb_json_put(writer, object, "accepted_per_s", ekb_json_real(throughput->accepted_per_s));
    ekb_json_put(writer, object, "ci95",
                 throughput->interval_known ? ekb_json_ci95(writer, &throughput->interval)
                                            : json_null());
    ekb_json_put(writer, object, "block_ns", ekb_json_u64(writer, throughput->block_ns));
    ekb_json_put(writer, object, "blocks", blocks);
    return object;
}

static json_t *effect_of(struct ekb_json_writer *writer, const struct ekb_record_effect *effect)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "question", ekb_json_text(effect->question));
    ekb_json_put(writer, object, "contrast", ekb_json_text(effect->contrast));
    ekb_json_put(writer, object, "stage", ekb_json_text(effect->stage));
    ekb_json_put(writer, object, "metric", ekb_json_text(effect->metric));
    ekb_json_put(writer, object, "unit", ekb_json_text(effect->unit));
    ekb_json_put(writer, object, "estimate", ekb_json_real(effect->estimate.estimate));
    ekb_json_put(writer, object, "ci95", ekb_json_ci95(writer, &effect->estimate));
    ekb_json_put(writer, object, "n", ekb_json_u64(writer, effect->estimate.n));
    ekb_json_put(writer, object, "mde", ekb_json_real(effect->mde));
    ekb_json_put(writer, object, "p_adjusted", ekb_json_real(effect->p_adjusted));
    ekb_json_put(writer, object, "equivalence", ekb_json_real(effect->equivalence));
    ekb_json_put(writer, object, "bootstrap_estimate", ekb_json_real(effect->bootstrap.estimate));
    ekb_json_put(writer, object, "bootstrap_ci95", ekb_json_ci95(writer, &effect->bootstrap));
    ekb_json_put(writer, object, "verdict", ekb_json_text(effect->verdict));
    ekb_json_put(writer, object, "method", ekb_json_text(effect->method));
    return object;
}

static json_t *block_of(struct ekb_json_writer *writer, const struct ekb_record_block *block)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "stage", ekb_json_text(block->stage));
    ekb_json_put(writer, object, "arm", ekb_json_text(block->arm));
    ekb_json_put(writer, object, "quadruple", ekb_json_u64(writer, block->quadruple));
    ekb_json_put(writer, object, "disturbed", json_boolean(block->disturbed));
    ekb_json_put(writer, object, "measured_ns", ekb_json_u64(writer, block->measured_ns));
    ekb_json_put(writer, object, "accepted", ekb_json_u64(writer, block->accepted));
    ekb_json_put(writer, object, "accepted_per_s", ekb_json_real(block->accepted_per_s));
    ekb_json_put(writer, object, "p99_ns", ekb_json_u64_or_null(writer, &block->p99_ns));
    ekb_json_put(writer, object, "wall_ns", ekb_json_real_or_null(&block->wall_ns));
    ekb_json_put(writer, object, "server_cpu_ns", ekb_json_real_or_null(&block->server_cpu_ns));
    ekb_json_put(writer, object, "client_cpu_ns", ekb_json_real_or_null(&block->client_cpu_ns));
    ekb_json_put(writer, object, "steal_percent", ekb_json_real(block->steal_percent));
    ekb_json_put(writer, object, "wait_percent", ekb_json_real(block->wait_percent));
    ekb_json_put(writer, object, "voluntary_switches",
                 ekb_json_u64(writer, block->voluntary_switches));
    ekb_json_put(writer, object, "involuntary_switches",
                 ekb_json_u64(writer, block->involuntary_switches));
    ekb_json_put(writer, object, "page_faults", ekb_json_u64(writer, block->page_faults));
    ekb_json_put(writer, object, "retransmitted_segments",
                 ekb_json_u64(writer, block->retransmitted_segments));
    ekb_json_put(writer, object, "listen_overflows", ekb_json_u64(writer, block->listen_overflows));
    return object;
}

static json_t *floor_mean_or_null(bool known, const struct ekb_record_side_floor *side)
{
    if (!known || !side->memory_ns.known || side->memory_ns.moments.count == 0) {
        return json_null();
    }
    return ekb_json_real(ekb_moments_mean(&side->memory_ns.moments));
}

static json_t *floor_or_null(struct ekb_json_writer *writer, bool known,
                             const struct ekb_record_side_floor *side)
{
    if (!known || !side->memory_ns.known) {
        return json_null();
    }
    json_t *object = ekb_json_summary(writer, &side->memory_ns);
    ekb_json_put(writer, object, "ci95",
                 side->interval_known ? ekb_json_ci95(writer, &side->interval) : json_null());
    ekb_json_put(writer, object, "io_over_memory", ekb_json_real_or_null(&side->over_memory));
    ekb_json_put(writer, object, "steps_over_memory",
                 ekb_json_real_or_null(&side->steps_over_memory));
    return object;
}

static json_t *estimate_or_null(bool known, const struct ekb_estimate *estimate)
{
    return known ? ekb_json_real(estimate->estimate) : json_null();
}

static json_t *floor_intervals_of(struct ekb_json_writer *writer, bool known,
                                  const struct ekb_record_side_floor *side)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "memory_ns",
                 ekb_json_interval_or_null(writer, known && side->interval_known, &side->interval));
    ekb_json_put(writer, object, "tcp_exchange_ns",
                 ekb_json_interval_or_null(writer, known && side->tcp_known, &side->tcp));
    ekb_json_put(writer, object, "measured_ns",
                 ekb_json_interval_or_null(writer, known && side->measured_known, &side->measured));
    ekb_json_put(writer, object, "engine_tax_percent",
                 ekb_json_interval_or_null(writer, known && side->tax_known, &side->tax_percent));
    return object;
}

static json_t *floors_of(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    const bool known = record->floors_known;
    json_t *object = json_object();
    ekb_json_put(writer, object, "memory_handshake_server_ns",
                 floor_mean_or_null(known, &record->server_floor));
    ekb_json_put(writer, object, "memory_handshake_client_ns",
                 floor_mean_or_null(known, &record->client_floor));
    const struct ekb_record_side_floor *server = &record->server_floor;
    const struct ekb_record_side_floor *client = &record->client_floor;
    ekb_json_put(writer, object, "tcp_exchange_server_ns",
                 estimate_or_null(known && server->tcp_known, &server->tcp));
    ekb_json_put(writer, object, "tcp_exchange_client_ns",
                 estimate_or_null(known && client->tcp_known, &client->tcp));
    ekb_json_put(writer, object, "engine_tax_percent_server",
                 estimate_or_null(known && server->tax_known, &server->tax_percent));
    ekb_json_put(writer, object, "engine_tax_percent_client",
                 estimate_or_null(known && client->tax_known, &client->tax_percent));
    ekb_json_put(writer, object, "engine_tax_percent_server_ci95",
                 known && server->tax_known ? ekb_json_ci95(writer, &server->tax_percent)
                                            : json_null());
    ekb_json_put(writer, object, "engine_tax_percent_client_ci95",
                 known && client->tax_known ? ekb_json_ci95(writer, &client->tax_percent)
                                            : json_null());
    ekb_json_put(writer, object, "memory_handshake_server",
                 floor_or_null(writer, known, &record->server_floor));
    ekb_json_put(writer, object, "memory_handshake_client",
                 floor_or_null(writer, known, &record->client_floor));
    json_t *intervals = json_object();
    ekb_json_put(writer, intervals, "server", floor_intervals_of(writer, known, server));
    ekb_json_put(writer, intervals, "client", floor_intervals_of(writer, known, client));
    ekb_json_put(writer, object, "intervals", intervals);
    return object;
}

static json_t *cpu_stage_of(struct ekb_json_writer *writer, const struct ekb_record_cpu *cpu)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "stage", ekb_json_text(cpu->stage));
    ekb_json_put(writer, object, "user_ns", ekb_json_u64(writer, cpu->user_ns));
    ekb_json_put(writer, object, "system_ns", ekb_json_u64(writer, cpu->system_ns));
    ekb_json_put(writer, object, "total_ns", ekb_json_u64(writer, cpu->total_ns));
    ekb_json_put(writer, object, "handshakes", ekb_json_u64(writer, cpu->handshakes));
    ekb_json_put(writer, object, "steps_ns", ekb_json_u64(writer, cpu->steps_ns));
    ekb_json_put(writer, object, "workers", ekb_json_u64(writer, cpu->workers));
    ekb_json_put(writer, object, "window_ns", ekb_json_u64(writer, cpu->window_ns));
    ekb_json_put(writer, object, "per_handshake_ns", ekb_json_real_or_null(&cpu->per_handshake_ns));
    ekb_json_put(writer, object, "kernel_and_loop_ns",
                 ekb_json_real_or_null(&cpu->kernel_and_loop_ns));
    ekb_json_put(writer, object, "busy_percent", ekb_json_real_or_null(&cpu->busy_percent));
    ekb_json_put(writer, object, "memory_base_bytes",
                 ekb_json_u64_or_null(writer, &cpu->memory_base_bytes));
    ekb_json_put(writer, object, "memory_peak_bytes",
                 ekb_json_u64_or_null(writer, &cpu->memory_peak_bytes));
    ekb_json_put(writer, object, "peak_connections",
                 ekb_json_u64_or_null(writer, &cpu->peak_connections));
    ekb_json_put(writer, object, "memory_per_connection_bytes",
                 ekb_json_real_or_null(&cpu->memory_per_connection_bytes));
    ekb_json_put(writer, object, "ring_overflows", ekb_json_u64(writer, cpu->ring_overflows));
    ekb_json_put(writer, object, "ring_setup", ekb_json_text_or_null(cpu->ring_setup));
    ekb_json_put(writer, object, "cpu_list", ekb_json_text_or_null(cpu->cpu_list));
    return object;
}

// A side without stages is a side that was not ours: unknown, not zero.
static json_t *cpu_side_of(struct ekb_json_writer *writer, const struct ekb_record_cpu *stages,
                           size_t num_stages)
{
    uint64_t user_ns = 0;
    uint64_t system_ns = 0;
    uint64_t total_ns = 0;
    uint64_t handshakes = 0;
    json_t *array = json_array();
    for (size_t i = 0; i < num_stages; i++) {
        user_ns += stages[i].user_ns;
        system_ns += stages[i].system_ns;
        total_ns += stages[i].total_ns;
        handshakes += stages[i].handshakes;
        ekb_json_append(writer, array, cpu_stage_of(writer, &stages[i]));
    }
    const bool some = num_stages > 0;
    json_t *object = json_object();
    ekb_json_put(writer, object, "user_ns", some ? ekb_json_u64(writer, user_ns) : json_null());
    ekb_json_put(writer, object, "system_ns", some ? ekb_json_u64(writer, system_ns) : json_null());
    ekb_json_put(writer, object, "per_handshake_ns",
                 handshakes > 0 ? ekb_json_real((double)total_ns / (double)handshakes)
                                : json_null());
    ekb_json_put(writer, object, "stages", array);
    return object;
}

static json_t *cpu_of(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "server",
                 cpu_side_of(writer, record->server_cpu, record->num_server_cpu));
    ekb_json_put(writer, object, "client",
                 cpu_side_of(writer, record->client_cpu, record->num_client_cpu));
    return object;
}

static json_t *validity_of(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "clean", ekb_json_bool(ekb_record_is_clean(record)));
    ekb_json_put(writer, object, "reasons",
                 ekb_json_texts(writer, record->reasons, record->num_reasons));
    ekb_json_put(writer, object, "notes", ekb_json_texts(writer, record->notes, record->num_notes));
    return object;
}

static json_t *part_of(struct ekb_json_writer *writer, const struct ekb_record_part *part)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "kind", ekb_json_text(part->kind));
    ekb_json_put(writer, object, "started_at", ekb_json_text(part->started_at));
    ekb_json_put(writer, object, "duration_ns", ekb_json_u64(writer, part->duration_ns));
    ekb_json_put(writer, object, "seed", ekb_json_u64(writer, part->seed));
    ekb_json_put(writer, object, "client_workers", ekb_json_u64(writer, part->client_workers));
    ekb_json_put(writer, object, "started", ekb_json_u64(writer, part->started));
    ekb_json_put(writer, object, "clean", ekb_json_bool(part->clean));
    ekb_json_put(writer, object, "version", ekb_json_text_or_null(part->version));
    ekb_json_put(writer, object, "git", ekb_json_text_or_null(part->git));
    ekb_json_put(writer, object, "kernel", ekb_json_text_or_null(part->kernel));
    ekb_json_put(writer, object, "cpu_model", ekb_json_text_or_null(part->cpu_model));
    ekb_json_put(writer, object, "cpus", ekb_json_positive_or_null(writer, part->cpus));
    ekb_json_put(writer, object, "memory_bytes",
                 ekb_json_positive_or_null(writer, part->memory_bytes));
    return object;
}

static json_t *parts_of(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    json_t *array = json_array();
    for (size_t i = 0; i < record->num_parts; i++) {
        ekb_json_append(writer, array, part_of(writer, &record->parts[i]));
    }
    return array;
}

static json_t *record_of(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    json_t *arms = json_array();
    for (size_t i = 0; i < record->num_arms; i++) {
        ekb_json_append(writer, arms, arm_of(writer, &record->arms[i]));
    }
    json_t *throughput = json_array();
    for (size_t i = 0; i < record->num_throughput; i++) {
        ekb_json_append(writer, throughput, throughput_of(writer, &record->throughput[i]));
    }
    json_t *effects = json_array();
    for (size_t i = 0; i < record->num_effects; i++) {
        ekb_json_append(writer, effects, effect_of(writer, &record->effects[i]));
    }

    json_t *object = json_object();
    ekb_json_put(writer, object, "schema", ekb_json_text(EKB_RECORD_SCHEMA));
    ekb_json_put(writer, object, "kind", ekb_json_text(record->kind));
    ekb_json_put(writer, object, "started_at", ekb_json_text(record->started_at));
    ekb_json_put(writer, object, "duration_ns", ekb_json_u64(writer, record->duration_ns));
    ekb_json_put(writer, object, "parts", parts_of(writer, record));
    ekb_json_put(writer, object, "build", build_of(writer, record));
    ekb_json_put(writer, object, "host", host_of(writer, record));
    ekb_json_put(writer, object, "plan", plan_of(writer, record));
    ekb_json_put(writer, object, "arms", arms);
    ekb_json_put(writer, object, "throughput", throughput);
    ekb_json_put(writer, object, "series", ekb_json_series(writer, record));
    ekb_json_put(writer, object, "effects", effects);
    json_t *blocks = json_array();
    for (size_t i = 0; i < record->num_blocks; i++) {
        ekb_json_append(writer, blocks, block_of(writer, &record->blocks[i]));
    }
    ekb_json_put(writer, object, "blocks", blocks);
    ekb_json_put(writer, object, "capacity", ekb_json_capacity_or_null(writer, &record->capacity));
    ekb_json_put(writer, object, "floors", floors_of(writer, record));
    ekb_json_put(writer, object, "cpu", cpu_of(writer, record));
    ekb_json_put(writer, object, "validity", validity_of(writer, record));
    ekb_json_put(writer, object, "interrupted", ekb_json_bool(record->interrupted));
    return object;
}

enum ekb_err ekb_record_to_json(char **out_text, const struct ekb_record *record)
{
    struct ekb_json_writer writer = {.err = EKB_OK};
    json_t *root = record_of(&writer, record);
    char *text = NULL;
    if (root == NULL) {
        ekb_json_fail(&writer, EKB_NOMEM);
    }
    if (writer.err != EKB_OK) {
        goto out;
    }
    text =
        json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(REAL_DIGITS));
    if (text == NULL) {
        ekb_json_fail(&writer, EKB_NOMEM);
        goto out;
    }
    const size_t text_len = strlen(text);
    char *ended = realloc(text, text_len + 2);
    if (ended == NULL) {
        ekb_json_fail(&writer, EKB_NOMEM);
        goto out;
    }
    memcpy(ended + text_len, "\n", 2);
    text = NULL;
    *out_text = ended;
out:
    free(text);
    json_decref(root);
    return writer.err;
}
