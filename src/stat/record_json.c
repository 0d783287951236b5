#include "ekubench/stat/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

// IMPLEMENTATION NOTES
//
// One function per JSON object, named after its key, in the order of docs/result.schema.json.
// Values are made by the `*_of` functions; `put` and `append` take them over. The writer keeps the
// first error (the library answers with NULL when out of memory, and accepts NULL), so that only
// the top looks.

struct writer {
    enum ekb_err err;
};

// Fifteen digits are what a double always keeps: 0.1 stays 0.1 in the file.
#define REAL_DIGITS 15

static void fail(struct writer *writer, enum ekb_err err)
{
    if (writer->err == EKB_OK) {
        writer->err = err;
    }
}

static void put(struct writer *writer, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) {
        fail(writer, EKB_NOMEM);
    }
}

static void append(struct writer *writer, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0) {
        fail(writer, EKB_NOMEM);
    }
}

// JSON integers are signed 64 bits wide here. A wrapped number would be a wrong one.
static json_t *u64_of(struct writer *writer, uint64_t value)
{
    if (value > INT64_MAX) {
        fail(writer, EKB_TOO_BIG);
        return json_null();
    }
    return json_integer((json_int_t)value);
}

static json_t *u64_or_null(struct writer *writer, const struct ekb_record_u64 *value)
{
    return value->known ? u64_of(writer, value->value) : json_null();
}

// Of things that every machine has: 0 means that it could not be read.
static json_t *positive_or_null(struct writer *writer, uint64_t value)
{
    return value > 0 ? u64_of(writer, value) : json_null();
}

static json_t *real_of(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *real_or_null(const struct ekb_record_real *value)
{
    return value->known ? real_of(value->value) : json_null();
}

static json_t *bool_of(bool value)
{
    return json_boolean(value);
}

// plain_copy returns a newly-allocated copy of `text` with "?" for every byte that is not ASCII.
static char *plain_copy(const char *text)
{
    char *copy = strdup(text);
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            *at = '?';
        }
    }
    return copy;
}

// A text may come from outside (a CPU's name) or may have been cut within a character to fit its
// field; JSON must be UTF-8, and the library refuses what is not.
static json_t *text_of(const char *text)
{
    json_t *value = json_string(text);
    if (value == NULL) {
        char *plain = plain_copy(text);
        value = plain == NULL ? NULL : json_string(plain);
        free(plain);
    }
    return value;
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : text_of(text);
}

static json_t *counts_of(struct writer *writer, const struct ekb_record_count *items,
                         size_t num_items)
{
    json_t *object = json_object();
    for (size_t i = 0; i < num_items; i++) {
        char *key = plain_copy(items[i].name);
        if (key == NULL) {
            fail(writer, EKB_NOMEM);
            break;
        }
        put(writer, object, key, u64_of(writer, items[i].count));
        free(key);
    }
    return object;
}

static json_t *texts_of(struct writer *writer, const char (*lines)[EKB_RECORD_TEXT_LEN],
                        size_t num_lines)
{
    json_t *array = json_array();
    for (size_t i = 0; i < num_lines; i++) {
        append(writer, array, text_of(lines[i]));
    }
    return array;
}

static json_t *ci95_of(struct writer *writer, const struct ekb_estimate *estimate)
{
    json_t *array = json_array();
    append(writer, array, real_of(estimate->low));
    append(writer, array, real_of(estimate->high));
    return array;
}

static json_t *interval_or_null(struct writer *writer, bool known,
                                const struct ekb_estimate *estimate)
{
    if (!known) {
        return json_null();
    }
    json_t *object = json_object();
    put(writer, object, "estimate", real_of(estimate->estimate));
    put(writer, object, "ci95", ci95_of(writer, estimate));
    put(writer, object, "n", u64_of(writer, estimate->n));
    return object;
}

// An empty distribution has no extremes and no mean; a single sample has no deviation.
static json_t *summary_of(struct writer *writer, const struct ekb_record_summary *summary)
{
    const struct ekb_moments *moments = &summary->moments;
    const bool some = moments->count > 0;
    json_t *object = json_object();
    put(writer, object, "count", u64_of(writer, moments->count));
    put(writer, object, "sum", u64_of(writer, moments->sum));
    put(writer, object, "min", some ? u64_of(writer, moments->min) : json_null());
    put(writer, object, "mean", some ? real_of(ekb_moments_mean(moments)) : json_null());
    put(writer, object, "stddev",
        moments->count > 1 ? real_of(ekb_moments_stddev(moments)) : json_null());
    put(writer, object, "p50", u64_or_null(writer, &summary->p50));
    put(writer, object, "p90", u64_or_null(writer, &summary->p90));
    put(writer, object, "p99", u64_or_null(writer, &summary->p99));
    put(writer, object, "p999", u64_or_null(writer, &summary->p999));
    put(writer, object, "max", some ? u64_of(writer, moments->max) : json_null());
    put(writer, object, "hdr", summary->hdr == NULL ? json_null() : text_of(summary->hdr));
    return object;
}

static json_t *summary_or_null(struct writer *writer, const struct ekb_record_summary *summary)
{
    return summary->known ? summary_of(writer, summary) : json_null();
}

static json_t *build_of(struct writer *writer, const struct ekb_record *record)
{
    json_t *boringssl = json_object();
    put(writer, boringssl, "revision", text_or_null(record->build.boringssl_revision));
    put(writer, boringssl, "api_version",
        positive_or_null(writer, record->build.boringssl_api_version));
    put(writer, boringssl, "assembly", bool_of(record->build.boringssl_assembly));

    json_t *object = json_object();
    put(writer, object, "version", text_or_null(record->build.version));
    put(writer, object, "git", text_or_null(record->build.git));
    put(writer, object, "compiler", text_or_null(record->build.compiler));
    put(writer, object, "flags", text_or_null(record->build.flags));
    put(writer, object, "build_type", text_or_null(record->build.build_type));
    put(writer, object, "boringssl", boringssl);
    put(writer, object, "liburing", text_or_null(record->build.liburing));
    put(writer, object, "hdr_histogram", text_or_null(record->build.hdr_histogram));
    put(writer, object, "jansson", text_or_null(record->build.jansson));
    put(writer, object, "zlib", text_or_null(record->build.zlib));
    put(writer, object, "criterion", text_or_null(record->build.criterion));
    return object;
}

static json_t *host_of(struct writer *writer, const struct ekb_record *record)
{
    json_t *object = json_object();
    put(writer, object, "kernel", text_or_null(record->host.kernel));
    put(writer, object, "cpu_model", text_or_null(record->host.cpu_model));
    put(writer, object, "cpus", positive_or_null(writer, record->host.cpus));
    put(writer, object, "memory_bytes", positive_or_null(writer, record->host.memory_bytes));
    put(writer, object, "clocksource", text_or_null(record->host.clocksource));
    put(writer, object, "congestion_control", text_or_null(record->host.congestion_control));
    put(writer, object, "steal_percent", real_or_null(&record->host.steal_percent));
    put(writer, object, "descriptors_limit",
        positive_or_null(writer, record->host.descriptors_limit));
    put(writer, object, "somaxconn", positive_or_null(writer, record->host.somaxconn));
    put(writer, object, "port_range", text_or_null(record->host.port_range));
    put(writer, object, "virtual_machine",
        record->host.virtual_machine_known ? bool_of(record->host.virtual_machine) : json_null());
    return object;
}

static json_t *stage_of(struct writer *writer, const struct ekb_record_stage *stage)
{
    json_t *object = json_object();
    put(writer, object, "name", text_of(stage->name));
    put(writer, object, "shape", text_of(stage->shape));
    put(writer, object, "in_flight", u64_of(writer, stage->in_flight));
    put(writer, object, "ramp_ns", u64_of(writer, stage->ramp_ns));
    put(writer, object, "warmup_ns", u64_of(writer, stage->warmup_ns));
    put(writer, object, "duration_ns", u64_of(writer, stage->duration_ns));
    put(writer, object, "slice_ns", u64_of(writer, stage->slice_ns));
    put(writer, object, "floor_every", u64_of(writer, stage->floor_every));
    put(writer, object, "client", text_of(stage->client));
    put(writer, object, "num_slices", u64_of(writer, stage->num_slices));
    put(writer, object, "num_slices_dropped", u64_of(writer, stage->num_slices_dropped));
    put(writer, object, "steal_percent", real_or_null(&stage->steal_percent));
    put(writer, object, "network", counts_of(writer, stage->network, stage->num_network));
    return object;
}

// put_treatments writes what an arm is, without what it did.
static void put_treatments(struct writer *writer, json_t *object, const struct ekb_record_arm *arm)
{
    put(writer, object, "name", text_of(arm->name));
    put(writer, object, "stage", text_of(arm->stage));
    put(writer, object, "eku", text_or_null(arm->eku));
    put(writer, object, "verify", text_or_null(arm->verify));
    put(writer, object, "depth", u64_of(writer, arm->depth));
    put(writer, object, "key", text_or_null(arm->key));
    put(writer, object, "client_eku", text_or_null(arm->client_eku));
    put(writer, object, "tls", text_of(arm->tls));
    put(writer, object, "expect", text_of(arm->expect));
}

static json_t *plan_of(struct writer *writer, const struct ekb_record *record)
{
    json_t *stages = json_array();
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        append(writer, stages, stage_of(writer, &record->plan.stages[i]));
    }
    json_t *arms = json_array();
    for (size_t i = 0; i < record->num_arms; i++) {
        json_t *arm = json_object();
        put_treatments(writer, arm, &record->arms[i]);
        append(writer, arms, arm);
    }

    json_t *object = json_object();
    put(writer, object, "name", text_or_null(record->plan.name));
    put(writer, object, "seed", u64_of(writer, record->plan.seed));
    put(writer, object, "tls", text_or_null(record->plan.tls));
    put(writer, object, "groups", text_or_null(record->plan.groups));
    put(writer, object, "cipher", text_or_null(record->plan.cipher));
    put(writer, object, "key", text_or_null(record->plan.key));
    put(writer, object, "target", text_or_null(record->plan.target));
    put(writer, object, "confirm", text_or_null(record->plan.confirm));
    put(writer, object, "server_workers", u64_of(writer, record->plan.server_workers));
    put(writer, object, "client_workers", u64_of(writer, record->plan.client_workers));
    put(writer, object, "deadline_ns", u64_of(writer, record->plan.deadline_ns));
    put(writer, object, "stages", stages);
    put(writer, object, "arms", arms);
    return object;
}

static void put_handshakes(struct writer *writer, json_t *object,
                           const struct ekb_record_outcomes *outcomes)
{
    put(writer, object, "started", u64_of(writer, outcomes->started));
    put(writer, object, "accepted", u64_of(writer, outcomes->accepted));
    put(writer, object, "rejected", u64_of(writer, outcomes->rejected));
    put(writer, object, "failed", u64_of(writer, outcomes->failed));
    put(writer, object, "unfinished", u64_of(writer, outcomes->unfinished));
}

static void put_causes(struct writer *writer, json_t *object,
                       const struct ekb_record_outcomes *outcomes)
{
    put(writer, object, "failures",
        counts_of(writer, outcomes->failures.items, outcomes->failures.num_items));
    put(writer, object, "alerts",
        counts_of(writer, outcomes->alerts.items, outcomes->alerts.num_items));
}

static json_t *server_or_null(struct writer *writer, const struct ekb_record_arm *arm)
{
    if (!arm->server_known) {
        return json_null();
    }
    json_t *object = json_object();
    put_handshakes(writer, object, &arm->server);
    put_causes(writer, object, &arm->server);
    return object;
}

static json_t *arm_of(struct writer *writer, const struct ekb_record_arm *arm)
{
    json_t *handshakes = json_object();
    put_handshakes(writer, handshakes, &arm->client);
    json_t *wire_bytes = json_object();
    put(writer, wire_bytes, "client_sent", real_or_null(&arm->client_sent_bytes));
    put(writer, wire_bytes, "server_sent", real_or_null(&arm->server_sent_bytes));

    json_t *object = json_object();
    put_treatments(writer, object, arm);
    put(writer, object, "handshakes", handshakes);
    put_causes(writer, object, &arm->client);
    put(writer, object, "server", server_or_null(writer, arm));
    put(writer, object, "latency_ns", summary_or_null(writer, &arm->latency_ns));
    put(writer, object, "connect_ns", summary_or_null(writer, &arm->connect_ns));
    put(writer, object, "server_cpu_ns", summary_or_null(writer, &arm->server_cpu_ns));
    put(writer, object, "verify_ns", summary_or_null(writer, &arm->verify_ns));
    put(writer, object, "client_cpu_ns", summary_or_null(writer, &arm->client_cpu_ns));
    put(writer, object, "wire_bytes", wire_bytes);
    put(writer, object, "server_cpu_mean_ns",
        interval_or_null(writer, arm->server_cpu_interval_known, &arm->server_cpu_interval));
    put(writer, object, "client_cpu_mean_ns",
        interval_or_null(writer, arm->client_cpu_interval_known, &arm->client_cpu_interval));
    return object;
}

static json_t *throughput_of(struct writer *writer, const struct ekb_record_throughput *throughput)
{
    json_t *blocks = json_array();
    for (size_t i = 0; i < throughput->num_blocks; i++) {
        append(writer, blocks, u64_of(writer, throughput->blocks[i]));
    }
    json_t *object = json_object();
    put(writer, object, "stage", text_of(throughput->stage));
    put(writer, object, "arm", text_or_null(throughput->arm));
    put(writer, object, "accepted_per_s", real_of(throughput->accepted_per_s));
    put(writer, object, "ci95",
        throughput->interval_known ? ci95_of(writer, &throughput->interval) : json_null());
    put(writer, object, "block_ns", u64_of(writer, throughput->block_ns));
    put(writer, object, "blocks", blocks);
    return object;
}

static json_t *effect_of(struct writer *writer, const struct ekb_record_effect *effect)
{
    json_t *object = json_object();
    put(writer, object, "question", text_of(effect->question));
    put(writer, object, "contrast", text_of(effect->contrast));
    put(writer, object, "stage", text_of(effect->stage));
    put(writer, object, "metric", text_of(effect->metric));
    put(writer, object, "unit", text_of(effect->unit));
    put(writer, object, "estimate", real_of(effect->estimate.estimate));
    put(writer, object, "ci95", ci95_of(writer, &effect->estimate));
    put(writer, object, "n", u64_of(writer, effect->estimate.n));
    put(writer, object, "mde", real_of(effect->mde));
    put(writer, object, "p_adjusted", real_of(effect->p_adjusted));
    put(writer, object, "equivalence", real_of(effect->equivalence));
    put(writer, object, "bootstrap_estimate", real_of(effect->bootstrap.estimate));
    put(writer, object, "bootstrap_ci95", ci95_of(writer, &effect->bootstrap));
    put(writer, object, "verdict", text_of(effect->verdict));
    put(writer, object, "method", text_of(effect->method));
    return object;
}

static json_t *block_of(struct writer *writer, const struct ekb_record_block *block)
{
    json_t *object = json_object();
    put(writer, object, "stage", text_of(block->stage));
    put(writer, object, "arm", text_of(block->arm));
    put(writer, object, "quadruple", u64_of(writer, block->quadruple));
    put(writer, object, "disturbed", json_boolean(block->disturbed));
    put(writer, object, "measured_ns", u64_of(writer, block->measured_ns));
    put(writer, object, "accepted", u64_of(writer, block->accepted));
    put(writer, object, "accepted_per_s", real_of(block->accepted_per_s));
    put(writer, object, "p99_ns", u64_or_null(writer, &block->p99_ns));
    put(writer, object, "wall_ns", real_or_null(&block->wall_ns));
    put(writer, object, "server_cpu_ns", real_or_null(&block->server_cpu_ns));
    put(writer, object, "client_cpu_ns", real_or_null(&block->client_cpu_ns));
    put(writer, object, "steal_percent", real_of(block->steal_percent));
    put(writer, object, "wait_percent", real_of(block->wait_percent));
    put(writer, object, "voluntary_switches", u64_of(writer, block->voluntary_switches));
    put(writer, object, "involuntary_switches", u64_of(writer, block->involuntary_switches));
    put(writer, object, "page_faults", u64_of(writer, block->page_faults));
    put(writer, object, "retransmitted_segments", u64_of(writer, block->retransmitted_segments));
    put(writer, object, "listen_overflows", u64_of(writer, block->listen_overflows));
    return object;
}

static json_t *floor_mean_or_null(bool known, const struct ekb_record_side_floor *side)
{
    if (!known || !side->memory_ns.known || side->memory_ns.moments.count == 0) {
        return json_null();
    }
    return real_of(ekb_moments_mean(&side->memory_ns.moments));
}

static json_t *floor_or_null(struct writer *writer, bool known,
                             const struct ekb_record_side_floor *side)
{
    if (!known || !side->memory_ns.known) {
        return json_null();
    }
    json_t *object = summary_of(writer, &side->memory_ns);
    put(writer, object, "ci95",
        side->interval_known ? ci95_of(writer, &side->interval) : json_null());
    put(writer, object, "io_over_memory", real_or_null(&side->over_memory));
    put(writer, object, "steps_over_memory", real_or_null(&side->steps_over_memory));
    return object;
}

static json_t *estimate_or_null(bool known, const struct ekb_estimate *estimate)
{
    return known ? real_of(estimate->estimate) : json_null();
}

static json_t *floors_of(struct writer *writer, const struct ekb_record *record)
{
    const bool known = record->floors_known;
    json_t *object = json_object();
    put(writer, object, "memory_handshake_server_ns",
        floor_mean_or_null(known, &record->server_floor));
    put(writer, object, "memory_handshake_client_ns",
        floor_mean_or_null(known, &record->client_floor));
    const struct ekb_record_side_floor *server = &record->server_floor;
    const struct ekb_record_side_floor *client = &record->client_floor;
    put(writer, object, "tcp_exchange_server_ns",
        estimate_or_null(known && server->tcp_known, &server->tcp));
    put(writer, object, "tcp_exchange_client_ns",
        estimate_or_null(known && client->tcp_known, &client->tcp));
    put(writer, object, "engine_tax_percent_server",
        estimate_or_null(known && server->tax_known, &server->tax_percent));
    put(writer, object, "engine_tax_percent_client",
        estimate_or_null(known && client->tax_known, &client->tax_percent));
    put(writer, object, "engine_tax_percent_server_ci95",
        known && server->tax_known ? ci95_of(writer, &server->tax_percent) : json_null());
    put(writer, object, "engine_tax_percent_client_ci95",
        known && client->tax_known ? ci95_of(writer, &client->tax_percent) : json_null());
    put(writer, object, "memory_handshake_server",
        floor_or_null(writer, known, &record->server_floor));
    put(writer, object, "memory_handshake_client",
        floor_or_null(writer, known, &record->client_floor));
    return object;
}

static json_t *cpu_stage_of(struct writer *writer, const struct ekb_record_cpu *cpu)
{
    json_t *object = json_object();
    put(writer, object, "stage", text_of(cpu->stage));
    put(writer, object, "user_ns", u64_of(writer, cpu->user_ns));
    put(writer, object, "system_ns", u64_of(writer, cpu->system_ns));
    put(writer, object, "total_ns", u64_of(writer, cpu->total_ns));
    put(writer, object, "handshakes", u64_of(writer, cpu->handshakes));
    put(writer, object, "steps_ns", u64_of(writer, cpu->steps_ns));
    put(writer, object, "window_ns", u64_of(writer, cpu->window_ns));
    put(writer, object, "per_handshake_ns", real_or_null(&cpu->per_handshake_ns));
    put(writer, object, "kernel_and_loop_ns", real_or_null(&cpu->kernel_and_loop_ns));
    put(writer, object, "busy_percent", real_or_null(&cpu->busy_percent));
    put(writer, object, "memory_base_bytes", u64_or_null(writer, &cpu->memory_base_bytes));
    put(writer, object, "memory_peak_bytes", u64_or_null(writer, &cpu->memory_peak_bytes));
    put(writer, object, "peak_connections", u64_or_null(writer, &cpu->peak_connections));
    put(writer, object, "memory_per_connection_bytes",
        real_or_null(&cpu->memory_per_connection_bytes));
    put(writer, object, "ring_overflows", u64_of(writer, cpu->ring_overflows));
    put(writer, object, "ring_setup", text_or_null(cpu->ring_setup));
    put(writer, object, "cpu_list", text_or_null(cpu->cpu_list));
    return object;
}

// A side without stages is a side that was not ours: unknown, not zero.
static json_t *cpu_side_of(struct writer *writer, const struct ekb_record_cpu *stages,
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
        append(writer, array, cpu_stage_of(writer, &stages[i]));
    }
    const bool some = num_stages > 0;
    json_t *object = json_object();
    put(writer, object, "user_ns", some ? u64_of(writer, user_ns) : json_null());
    put(writer, object, "system_ns", some ? u64_of(writer, system_ns) : json_null());
    put(writer, object, "per_handshake_ns",
        handshakes > 0 ? real_of((double)total_ns / (double)handshakes) : json_null());
    put(writer, object, "stages", array);
    return object;
}

static json_t *cpu_of(struct writer *writer, const struct ekb_record *record)
{
    json_t *object = json_object();
    put(writer, object, "server", cpu_side_of(writer, record->server_cpu, record->num_server_cpu));
    put(writer, object, "client", cpu_side_of(writer, record->client_cpu, record->num_client_cpu));
    return object;
}

static json_t *validity_of(struct writer *writer, const struct ekb_record *record)
{
    json_t *object = json_object();
    put(writer, object, "clean", bool_of(ekb_record_is_clean(record)));
    put(writer, object, "reasons", texts_of(writer, record->reasons, record->num_reasons));
    put(writer, object, "notes", texts_of(writer, record->notes, record->num_notes));
    return object;
}

static json_t *record_of(struct writer *writer, const struct ekb_record *record)
{
    json_t *arms = json_array();
    for (size_t i = 0; i < record->num_arms; i++) {
        append(writer, arms, arm_of(writer, &record->arms[i]));
    }
    json_t *throughput = json_array();
    for (size_t i = 0; i < record->num_throughput; i++) {
        append(writer, throughput, throughput_of(writer, &record->throughput[i]));
    }
    json_t *effects = json_array();
    for (size_t i = 0; i < record->num_effects; i++) {
        append(writer, effects, effect_of(writer, &record->effects[i]));
    }

    json_t *object = json_object();
    put(writer, object, "schema", text_of(EKB_RECORD_SCHEMA));
    put(writer, object, "kind", text_of(record->kind));
    put(writer, object, "started_at", text_of(record->started_at));
    put(writer, object, "duration_ns", u64_of(writer, record->duration_ns));
    put(writer, object, "build", build_of(writer, record));
    put(writer, object, "host", host_of(writer, record));
    put(writer, object, "plan", plan_of(writer, record));
    put(writer, object, "arms", arms);
    put(writer, object, "throughput", throughput);
    put(writer, object, "effects", effects);
    json_t *blocks = json_array();
    for (size_t i = 0; i < record->num_blocks; i++) {
        append(writer, blocks, block_of(writer, &record->blocks[i]));
    }
    put(writer, object, "blocks", blocks);
    put(writer, object, "floors", floors_of(writer, record));
    put(writer, object, "cpu", cpu_of(writer, record));
    put(writer, object, "validity", validity_of(writer, record));
    put(writer, object, "interrupted", bool_of(record->interrupted));
    return object;
}

enum ekb_err ekb_record_to_json(char **out_text, const struct ekb_record *record)
{
    struct writer writer = {.err = EKB_OK};
    json_t *root = record_of(&writer, record);
    char *text = NULL;
    if (root == NULL) {
        fail(&writer, EKB_NOMEM);
    }
    if (writer.err != EKB_OK) {
        goto out;
    }
    text =
        json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(REAL_DIGITS));
    if (text == NULL) {
        fail(&writer, EKB_NOMEM);
        goto out;
    }
    const size_t text_len = strlen(text);
    char *ended = realloc(text, text_len + 2);
    if (ended == NULL) {
        fail(&writer, EKB_NOMEM);
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
