#include "ekubench/stat/record.h"

#include "ekubench/base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#define SET_TEXT(field, text) ((void)snprintf((field), sizeof(field), "%s", (text)))

static struct ekb_hist *make_hist(void)
{
    void *memory = aligned_alloc(16, (ekb_hist_size() + 15) / 16 * 16);
    cr_assert_not_null(memory);
    return ekb_hist_init(memory);
}

static void *allocate(size_t num_items, size_t item_len)
{
    void *items = calloc(num_items, item_len);
    cr_assert_not_null(items);
    return items;
}

// summary_of_range summarizes the samples 1000, 2000 ... `num_samples` * 1000.
static struct ekb_record_summary summary_of_range(uint64_t num_samples)
{
    struct ekb_hist *hist = make_hist();
    struct ekb_moments moments = {0};
    for (uint64_t i = 1; i <= num_samples; i++) {
        ekb_moments_add(&moments, i * 1000);
        ekb_hist_record(hist, i * 1000);
    }
    struct ekb_record_summary summary = {0};
    cr_assert_eq(ekb_record_summarize(&summary, &moments, hist), EKB_OK);
    free(hist);
    return summary;
}

static void fill_minimal(struct ekb_record *record)
{
    SET_TEXT(record->kind, "measure");
    SET_TEXT(record->started_at, "2026-03-29T06:54:39.839Z");
}

static void fill_parts(struct ekb_record *record)
{
    record->num_parts = 2;
    record->parts = allocate(2, sizeof record->parts[0]);
    for (size_t i = 0; i < 2; i++) {
        struct ekb_record_part *part = &record->parts[i];
        SET_TEXT(part->kind, "load");
        SET_TEXT(part->started_at, "2026-03-29T06:54:39.839Z");
        SET_TEXT(part->version, "0.1.0");
        SET_TEXT(part->cpu_model, "Some CPU @ 3.00GHz");
        part->seed = 7 + i;
        part->client_workers = 1;
        part->started = 6000;
        part->duration_ns = UINT64_C(10000000000);
        part->clean = i == 0;
        part->cpus = 4;
    }
}

static void fill_build(struct ekb_record *record)
{
    SET_TEXT(record->build.version, "0.1.0");
    SET_TEXT(record->build.git, "v0.1.0-3-gabcdef0-dirty");
    SET_TEXT(record->build.compiler, "gcc 12.2.0");
    SET_TEXT(record->build.flags, "-O2 -g");
    SET_TEXT(record->build.build_type, "release");
    SET_TEXT(record->build.boringssl_revision, "0123456789abcdef");
    SET_TEXT(record->build.liburing, "2.3");
    SET_TEXT(record->build.hdr_histogram, "0.11.8");
    SET_TEXT(record->build.jansson, "2.14");
    SET_TEXT(record->build.zlib, "1.2.13");
    SET_TEXT(record->build.criterion, "2.4.1");
    record->build.boringssl_api_version = 32;
    record->build.boringssl_assembly_known = true;
    record->build.boringssl_assembly = true;
}

static void fill_host(struct ekb_record *record)
{
    SET_TEXT(record->host.kernel, "6.1.0-18-amd64");
    SET_TEXT(record->host.cpu_model, "Some CPU @ 3.00GHz");
    SET_TEXT(record->host.clocksource, "tsc");
    SET_TEXT(record->host.congestion_control, "cubic");
    SET_TEXT(record->host.port_range, "32768-60999");
    record->host.cpus = 4;
    record->host.memory_bytes = UINT64_C(8589934592);
    record->host.descriptors_limit = 1048576;
    record->host.somaxconn = 4096;
    record->host.steal_percent = (struct ekb_record_real){true, 0.25};
    record->host.virtual_machine_known = true;
    record->host.virtual_machine = true;
}

static void fill_plan(struct ekb_record *record)
{
    SET_TEXT(record->plan.name, "quick");
    record->plan.seed = INT64_MAX;
    SET_TEXT(record->plan.tls, "1.3");
    SET_TEXT(record->plan.groups, "X25519");
    SET_TEXT(record->plan.cipher, "TLS_AES_128_GCM_SHA256");
    SET_TEXT(record->plan.key, "p256");
    SET_TEXT(record->plan.target, "192.0.2.1:8443");
    SET_TEXT(record->plan.scenario, "condition-2.1");
    SET_TEXT(record->plan.release, "X15.5");
    SET_TEXT(record->plan.command, "ekubench measure --scenario condition-2.1");
    SET_TEXT(record->plan.confirm, "byte");
    record->plan.server_workers = 1;
    record->plan.client_workers = 2;
    record->plan.deadline_ns = UINT64_C(5000000000);
    record->plan.num_stages = 1;
    record->plan.stages = allocate(1, sizeof *record->plan.stages);
    struct ekb_record_stage *stage = &record->plan.stages[0];
    SET_TEXT(stage->name, "verify");
    SET_TEXT(stage->shape, "closed-loop");
    SET_TEXT(stage->client, "full");
    stage->in_flight = 64;
    stage->ramp_ns = UINT64_C(700000000);
    stage->warmup_ns = UINT64_C(1000000000);
    stage->duration_ns = UINT64_C(10000000000);
    stage->slice_ns = UINT64_C(50000000);
    stage->floor_every = 8;
    stage->num_slices = 200;
    stage->num_slices_dropped = 3;
    stage->steal_percent = (struct ekb_record_real){true, 0.5};
    stage->open_loop.known = true;
    SET_TEXT(stage->open_loop.arrivals, "fixed");
    stage->open_loop.num_stretches = 2;
    stage->open_loop.stretches = allocate(2, sizeof stage->open_loop.stretches[0]);
    stage->open_loop.stretches[0] = (struct ekb_record_stretch){UINT64_C(5000000000), 0, 100.5};
    stage->open_loop.planned_per_s = 100.5;
    stage->open_loop.offered_per_s = 99.25;
    stage->open_loop.lag_ns = summary_of_range(50);
    stage->num_network = 2;
    SET_TEXT(stage->network[0].name, "TCPTimeouts");
    SET_TEXT(stage->network[1].name, "RetransSegs");
    stage->network[1].count = 7;
}

static void fill_arm(struct ekb_record_arm *arm)
{
    SET_TEXT(arm->name, "eku-on");
    SET_TEXT(arm->stage, "verify");
    SET_TEXT(arm->eku, "on");
    SET_TEXT(arm->verify, "full");
    arm->depth = 2;
    SET_TEXT(arm->key, "p256");
    SET_TEXT(arm->client_eku, "clientAuth");
    SET_TEXT(arm->tls, "1.3");
    SET_TEXT(arm->expect, "accept");
    arm->client = (struct ekb_record_outcomes){
        .started = 12010, .accepted = 12000, .rejected = 2, .failed = 5, .unfinished = 3};
    cr_assert_eq(ekb_record_counts_add(&arm->client.failures, "deadline", 5), EKB_OK);
    cr_assert_eq(ekb_record_counts_add(&arm->client.failures, "tls_alert", 2), EKB_OK);
    cr_assert_eq(ekb_record_counts_add(&arm->client.alerts, "certificate_unknown", 2), EKB_OK);
    arm->server_known = true;
    arm->server = (struct ekb_record_outcomes){.started = 12010, .accepted = 12008, .rejected = 2};
    cr_assert_eq(ekb_record_counts_add(&arm->server.failures, "verify_purpose", 2), EKB_OK);
    cr_assert_eq(ekb_record_counts_add(&arm->server.alerts, "certificate_unknown", 2), EKB_OK);
    arm->dropped = 11;
    arm->uncorrected_latency_ns = summary_of_range(20);
    arm->latency_ns = summary_of_range(12000);
    arm->connect_ns = summary_of_range(50);
    arm->server_cpu_ns = summary_of_range(1);
    arm->client_sent_bytes = (struct ekb_record_real){true, 2345.5};
    arm->server_sent_bytes = (struct ekb_record_real){true, 1234.25};
    arm->server_cpu_interval_known = true;
    arm->server_cpu_interval = (struct ekb_estimate){200.5, 199.25, 201.75, 190};
}

// fill_series gives stage "verify" two intervals that add up to its arm.
static void fill_series(struct ekb_record *record)
{
    record->num_series = 1;
    record->series = allocate(1, sizeof *record->series);
    struct ekb_record_series *series = &record->series[0];
    SET_TEXT(series->stage, "verify");
    series->interval_ns = UINT64_C(1000000000);
    series->num_intervals = 2;
    series->intervals = allocate(2, sizeof *series->intervals);
    series->intervals[0] = (struct ekb_record_interval){.duration_ns = UINT64_C(1000000000),
                                                        .started = 12009,
                                                        .accepted = 12000,
                                                        .failed = 1,
                                                        .dropped = 11,
                                                        .in_flight = 8,
                                                        .p50_ns = {true, 1234567},
                                                        .p99_ns = {true, 7654321},
                                                        .max_ns = {true, 7654322},
                                                        .steal_percent = {true, 1.25}};
    series->intervals[1] = (struct ekb_record_interval){.start_ns = UINT64_C(1000000000),
                                                        .duration_ns = 123456789,
                                                        .started = 1,
                                                        .rejected = 2,
                                                        .failed = 4,
                                                        .in_flight = 3};
}

static void fill_effects(struct ekb_record *record)
{
    record->num_throughput = 2;
    record->throughput = allocate(2, sizeof *record->throughput);
    SET_TEXT(record->throughput[0].stage, "verify");
    record->throughput[0].accepted_per_s = 1200.5;
    record->throughput[0].block_ns = UINT64_C(1000000000);
    record->throughput[0].num_blocks = 3;
    record->throughput[0].blocks = allocate(3, sizeof(uint64_t));
    record->throughput[0].blocks[1] = 1201;
    SET_TEXT(record->throughput[1].stage, "verify");
    SET_TEXT(record->throughput[1].arm, "eku-on");
    fill_series(record);
    record->num_effects = 1;
    record->effects = allocate(1, sizeof *record->effects);
    struct ekb_record_effect *effect = &record->effects[0];
    SET_TEXT(effect->question, "What does the EKU check cost?");
    SET_TEXT(effect->contrast, "eku-on - eku-off");
    SET_TEXT(effect->stage, "verify");
    SET_TEXT(effect->metric, "server_cpu_ns");
    SET_TEXT(effect->unit, "ns");
    SET_TEXT(effect->verdict, "no difference found");
    SET_TEXT(effect->method, "paired slices, bootstrap");
    effect->estimate = (struct ekb_estimate){-12.5, -40.0, 15.0, 197};
    effect->mde = 39.5;
}

static void fill_floors(struct ekb_record *record)
{
    record->floors_known = true;
    record->server_floor.memory_ns = summary_of_range(3);
    record->server_floor.interval_known = true;
    record->server_floor.interval = (struct ekb_estimate){2000.0, 1900.0, 2100.0, 24};
    record->server_floor.over_memory = (struct ekb_record_real){true, 1.5};
    record->server_floor.steps_over_memory = (struct ekb_record_real){true, 1.25};
    record->client_floor.memory_ns = summary_of_range(2);
}

static void fill_cpu(struct ekb_record *record)
{
    record->num_server_cpu = 2;
    record->server_cpu = allocate(2, sizeof *record->server_cpu);
    for (size_t i = 0; i < 2; i++) {
        struct ekb_record_cpu *cpu = &record->server_cpu[i];
        (void)snprintf(cpu->stage, sizeof cpu->stage, "stage-%zu", i);
        cpu->user_ns = 600 + 100 * i;
        cpu->system_ns = 300;
        cpu->total_ns = 900 + 100 * i;
        cpu->handshakes = 2;
        cpu->steps_ns = 500;
        cpu->workers = 2;
        cpu->window_ns = 2000;
        cpu->per_handshake_ns = (struct ekb_record_real){true, 450.0};
        cpu->kernel_and_loop_ns = (struct ekb_record_real){true, 200.0};
        cpu->busy_percent = (struct ekb_record_real){true, 45.0};
        cpu->memory_base_bytes = (struct ekb_record_u64){true, 4096};
        cpu->memory_peak_bytes = (struct ekb_record_u64){true, 8192};
        cpu->peak_connections = (struct ekb_record_u64){true, 64};
        cpu->memory_per_connection_bytes = (struct ekb_record_real){true, 64.0};
        SET_TEXT(cpu->ring_setup, "single-issuer defer-taskrun");
        SET_TEXT(cpu->cpu_list, "0-1");
    }
    record->num_client_cpu = 1;
    record->client_cpu = allocate(1, sizeof *record->client_cpu);
    SET_TEXT(record->client_cpu[0].stage, "stage-0");
}

static void fill_variant(struct ekb_record_variant *variant, const char *name)
{
    SET_TEXT(variant->name, name);
    SET_TEXT(variant->eku, "on");
    SET_TEXT(variant->key, "p256");
    variant->depth = 1;
}

static void fill_capacity(struct ekb_record *record)
{
    struct ekb_record_capacity *capacity = &record->capacity;
    capacity->known = true;
    capacity->percentile = 99.9;
    capacity->limit_ns = UINT64_C(20000000);
    SET_TEXT(capacity->state, "generator");
    SET_TEXT(capacity->limiter, "client CPU");
    capacity->ceiling_per_s = 4000.5;
    capacity->lower_per_s = 3100.25;
    capacity->upper_per_s = (double)INFINITY;
    capacity->num_trials = 2;
    capacity->trials = allocate(2, sizeof capacity->trials[0]);
    SET_TEXT(capacity->trials[0].outcome, "passed");
    SET_TEXT(capacity->trials[1].outcome, "invalid");
    SET_TEXT(capacity->trials[1].reason, "the client was late");
    capacity->trials[1].due = 77;
    capacity->trials[1].lag_p99_ns = (struct ekb_record_u64){true, 3000000};
    capacity->validated = true;
    SET_TEXT(capacity->validation.outcome, "passed");
    capacity->server_cpu_ns = (struct ekb_record_real){true, 250000.5};
    capacity->server_cores = 1;
    capacity->target_cores = (struct ekb_record_real){true, 17};
    capacity->headroom = (struct ekb_record_real){true, -15.25};
    SET_TEXT(capacity->trials[0].purpose, "search");
    capacity->trials[0].seed = 12345;
    capacity->trials[0].in_flight_end = (struct ekb_record_real){true, 33.5};
    capacity->highest_per_s = 3940;
    capacity->num_ceilings = 1;
    capacity->ceilings = allocate(1, sizeof capacity->ceilings[0]);
    capacity->ceilings[0] = (struct ekb_record_ceiling){.in_flight = 256, .accepted_per_s = 4000.5};
    capacity->blocks_known = true;
    capacity->server_cpu_blocks = (struct ekb_estimate){250000, 249000, 251000, 20};
    capacity->mix = (struct ekb_record_mix){.known = true,
                                            .reject_share = 0.25,
                                            .rejected_known = true,
                                            .rejected_cpu_ns = {120000, 110000, 130000, 40}};
    capacity->num_variants = 2;
    fill_variant(&capacity->variants[0], "main");
    fill_variant(&capacity->variants[1], "depth=2");
    capacity->variants[1].cost_known = true;
    capacity->variants[1].cost_factor = (struct ekb_estimate){1.25, 1.2, 1.3, 40};
    capacity->variants[0].searched = true;
    SET_TEXT(capacity->variants[0].state, "found");
    capacity->variants[0].upper_per_s = (double)INFINITY;
}

static void fill_full(struct ekb_record *record)
{
    fill_minimal(record);
    record->duration_ns = UINT64_C(61000000000);
    fill_parts(record);
    fill_build(record);
    fill_host(record);
    fill_plan(record);
    record->num_arms = 2;
    record->arms = allocate(2, sizeof *record->arms);
    fill_arm(&record->arms[0]);
    SET_TEXT(record->arms[1].name, "foreign");
    SET_TEXT(record->arms[1].stage, "verify");
    SET_TEXT(record->arms[1].tls, "any");
    SET_TEXT(record->arms[1].expect, "reject");
    fill_effects(record);
    fill_floors(record);
    fill_capacity(record);
    fill_cpu(record);
    record->interrupted = true;
    ekb_record_add_reason(record, "steal was %.1f %%", 4.5);
    ekb_record_add_note(record, "the client used %u workers", 2U);
}

static char *text_of(const struct ekb_record *record)
{
    char *text = NULL;
    const enum ekb_err err = ekb_record_to_json(&text, record);
    cr_assert_eq(err, EKB_OK, "got %s", ekb_err_name(err));
    return text;
}

static json_t *json_of(const struct ekb_record *record)
{
    char *text = text_of(record);
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(json, "line %d: %s", error.line, error.text);
    free(text);
    return json;
}

static json_t *full_json(void)
{
    struct ekb_record record = {0};
    fill_full(&record);
    json_t *json = json_of(&record);
    ekb_record_deinit(&record);
    return json;
}

static json_t *minimal_json(void)
{
    struct ekb_record record = {0};
    fill_minimal(&record);
    return json_of(&record);
}

// at returns what `path` ("arms.0.name") leads to in `json`.
static const json_t *at(const json_t *json, const char *path)
{
    char copy[128];
    (void)snprintf(copy, sizeof copy, "%s", path);
    char *rest = NULL;
    for (char *key = strtok_r(copy, ".", &rest); key != NULL; key = strtok_r(NULL, ".", &rest)) {
        json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10))
                                   : json_object_get(json, key);
    }
    cr_assert_not_null(json, "%s is missing", path);
    return json;
}

static void expect_integer(const json_t *json, const char *path, json_int_t wanted)
{
    const json_t *value = at(json, path);
    cr_expect(json_is_integer(value), "%s is not an integer", path);
    cr_expect_eq(json_integer_value(value), wanted, "%s is %lld, wanted %lld", path,
                 json_integer_value(value), wanted);
}

static void expect_real(const json_t *json, const char *path, double wanted)
{
    const json_t *value = at(json, path);
    cr_expect(json_is_real(value), "%s is not a real number", path);
    cr_expect(fabs(json_real_value(value) - wanted) <= fabs(wanted) * 1e-14,
              "%s is %.17g, wanted %.17g", path, json_real_value(value), wanted);
}

static void expect_text(const json_t *json, const char *path, const char *wanted)
{
    const json_t *value = at(json, path);
    cr_assert(json_is_string(value), "%s is not a string", path);
    cr_expect_str_eq(json_string_value(value), wanted);
}

static void expect_null(const json_t *json, const char *path)
{
    cr_expect(json_is_null(at(json, path)), "%s is not null", path);
}

Test(record, leaves_all_percentiles_unknown_when_there_are_fewer_than_20_samples)
{
    struct ekb_record_summary summary = summary_of_range(19);

    cr_expect(summary.known);
    cr_expect_not(summary.p50.known);
    cr_expect_not(summary.p90.known);
    cr_expect_not(summary.p99.known);
    cr_expect_not(summary.p999.known);
    free(summary.hdr);
}

Test(record, states_a_percentile_from_ten_samples_beyond_on)
{
    static const struct {
        uint64_t num_samples;
        bool p50, p90, p99, p999;
    } cases[] = {
        {20, true, false, false, false}, {99, true, false, false, false},
        {100, true, true, false, false}, {999, true, true, false, false},
        {1000, true, true, true, false}, {9999, true, true, true, false},
        {10000, true, true, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_record_summary summary = summary_of_range(cases[i].num_samples);

        cr_expect_eq(summary.p50.known, cases[i].p50, "p50, %lu", cases[i].num_samples);
        cr_expect_eq(summary.p90.known, cases[i].p90, "p90, %lu", cases[i].num_samples);
        cr_expect_eq(summary.p99.known, cases[i].p99, "p99, %lu", cases[i].num_samples);
        cr_expect_eq(summary.p999.known, cases[i].p999, "p999, %lu", cases[i].num_samples);
        free(summary.hdr);
    }
}

Test(record, has_percentiles_within_a_thousandth)
{
    struct ekb_record_summary summary = summary_of_range(10000);

    const double p99 = (double)summary.p99.value;
    cr_expect(p99 >= 9900e3 && p99 <= 9900e3 * 1.001, "p99 is %f", p99);
    cr_expect_eq(strncmp(summary.hdr, "HISTFAAA", 8), 0);
    free(summary.hdr);
}

Test(record, has_no_percentile_beyond_the_maximum)
{
    struct ekb_hist *hist = make_hist();
    struct ekb_moments moments = {0};
    for (size_t i = 0; i < 10000; i++) {
        ekb_moments_add(&moments, 1000001);
        ekb_hist_record(hist, 1000001);
    }
    struct ekb_record_summary summary = {0};

    cr_assert_eq(ekb_record_summarize(&summary, &moments, hist), EKB_OK);

    cr_expect_eq(summary.p50.value, 1000001, "got %lu", summary.p50.value);
    cr_expect_eq(summary.p999.value, 1000001, "got %lu", summary.p999.value);
    free(summary.hdr);
    free(hist);
}

Test(record, summarizes_moments_when_there_is_no_histogram)
{
    struct ekb_moments moments = {0};
    for (size_t i = 0; i < 10000; i++) {
        ekb_moments_add(&moments, 5);
    }
    struct ekb_record_summary summary = {0};

    cr_assert_eq(ekb_record_summarize(&summary, &moments, NULL), EKB_OK);

    cr_expect(summary.known);
    cr_expect_eq(summary.moments.count, 10000);
    cr_expect_not(summary.p50.known);
    cr_expect_null(summary.hdr);
}

Test(record, has_no_histogram_text_when_there_are_no_samples)
{
    struct ekb_record_summary summary = summary_of_range(0);

    cr_expect(summary.known);
    cr_expect_null(summary.hdr);
}

Test(record, appends_counts_in_order)
{
    struct ekb_record_counts counts = {0};

    cr_assert_eq(ekb_record_counts_add(&counts, "deadline", 3), EKB_OK);
    cr_assert_eq(ekb_record_counts_add(&counts, "peer_reset", 1), EKB_OK);

    cr_assert_eq(counts.num_items, 2);
    cr_expect_str_eq(counts.items[0].name, "deadline");
    cr_expect_eq(counts.items[0].count, 3);
    cr_expect_str_eq(counts.items[1].name, "peer_reset");
    free(counts.items);
}

Test(record, leaves_out_a_count_of_zero)
{
    struct ekb_record_counts counts = {0};

    cr_assert_eq(ekb_record_counts_add(&counts, "deadline", 0), EKB_OK);

    cr_expect_eq(counts.num_items, 0);
    cr_expect_null(counts.items);
}

Test(record, adds_up_counts_of_one_name)
{
    struct ekb_record_counts counts = {0};

    cr_assert_eq(ekb_record_counts_add(&counts, "deadline", 3), EKB_OK);
    cr_assert_eq(ekb_record_counts_add(&counts, "deadline", 4), EKB_OK);

    cr_assert_eq(counts.num_items, 1);
    cr_expect_eq(counts.items[0].count, 7);
    free(counts.items);
}

Test(record, is_clean_until_a_reason_is_added)
{
    struct ekb_record record = {0};

    ekb_record_add_note(&record, "only a note");
    const bool before = ekb_record_is_clean(&record);
    ekb_record_add_reason(&record, "%d connections were lost", 3);

    cr_expect(before);
    cr_expect_not(ekb_record_is_clean(&record));
    cr_expect_str_eq(record.reasons[0], "3 connections were lost");
}

Test(record, says_and_more_when_reasons_overflow)
{
    struct ekb_record record = {0};

    for (int i = 0; i < EKB_RECORD_MAX_REASONS + 2; i++) {
        ekb_record_add_reason(&record, "reason %d", i);
    }

    cr_expect_eq(record.num_reasons, EKB_RECORD_MAX_REASONS);
    cr_expect_str_eq(record.reasons[0], "reason 0");
    cr_expect_str_eq(record.reasons[EKB_RECORD_MAX_REASONS - 2], "reason 22");
    cr_expect_str_eq(record.reasons[EKB_RECORD_MAX_REASONS - 1], "and more");
}

Test(record, keeps_the_last_note_when_notes_are_just_full)
{
    struct ekb_record record = {0};

    for (int i = 0; i < EKB_RECORD_MAX_REASONS; i++) {
        ekb_record_add_note(&record, "note %d", i);
    }

    cr_expect_str_eq(record.notes[EKB_RECORD_MAX_REASONS - 1], "note 23");
}

Test(record, cuts_a_reason_that_is_too_long)
{
    struct ekb_record record = {0};

    ekb_record_add_reason(&record, "%0*d", 500, 0);

    cr_expect_eq(strlen(record.reasons[0]), EKB_RECORD_LINE_LEN - 1);
    cr_expect_str_eq(record.reasons[0] + EKB_RECORD_LINE_LEN - 5, "0...");
}

Test(record, finds_an_arm_by_stage_and_name)
{
    struct ekb_record record = {0};
    fill_full(&record);

    const struct ekb_record_arm *found = ekb_record_find_arm(&record, "verify", "foreign");

    cr_expect_eq(found, &record.arms[1]);
    ekb_record_deinit(&record);
}

Test(record, finds_no_arm_when_stage_or_name_differs)
{
    struct ekb_record record = {0};
    fill_full(&record);

    cr_expect_null(ekb_record_find_arm(&record, "other", "foreign"));
    cr_expect_null(ekb_record_find_arm(&record, "verify", "other"));
    ekb_record_deinit(&record);
}

Test(record, is_zero_after_deinit)
{
    static const struct ekb_record zero;
    static struct ekb_record record;
    fill_full(&record);

    ekb_record_deinit(&record);
    ekb_record_deinit(&record);

    cr_expect_eq(memcmp(&record, &zero, sizeof zero), 0);
}

Test(record, has_the_keys_of_the_schema_in_order)
{
    static const char *const keys[] = {
        "schema", "kind",     "started_at", "duration_ns", "parts",    "build",
        "host",   "plan",     "arms",       "throughput",  "series",   "effects",
        "blocks", "capacity", "floors",     "cpu",         "validity", "interrupted",
    };
    json_t *json = minimal_json();

    size_t num_keys = 0;
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        cr_assert_lt(num_keys, sizeof keys / sizeof keys[0], "%s is one too many", key);
        cr_expect_str_eq(key, keys[num_keys]);
        num_keys++;
    }

    cr_expect_eq(num_keys, sizeof keys / sizeof keys[0]);
    json_decref(json);
}

Test(record, ends_with_one_newline)
{
    struct ekb_record record = {0};
    fill_minimal(&record);

    char *text = text_of(&record);

    const size_t text_len = strlen(text);
    cr_expect_str_eq(text + text_len - 3, "\n}\n");
    cr_expect_eq(strncmp(text, "{\n  \"schema\": \"ekubench.result/1\"", 32), 0, "%.40s", text);
    free(text);
}

Test(record, writes_what_the_run_was)
{
    json_t *json = full_json();

    expect_text(json, "schema", EKB_RECORD_SCHEMA);
    expect_text(json, "kind", "measure");
    expect_integer(json, "duration_ns", 61000000000);
    expect_text(json, "build.boringssl.revision", "0123456789abcdef");
    expect_integer(json, "build.boringssl.api_version", 32);
    cr_expect(json_is_true(at(json, "build.boringssl.assembly")));
    expect_integer(json, "host.memory_bytes", 8589934592);
    expect_real(json, "host.steal_percent", 0.25);
    cr_expect(json_is_true(at(json, "host.virtual_machine")));
    expect_integer(json, "plan.seed", INT64_MAX);
    expect_integer(json, "plan.stages.0.num_slices_dropped", 3);
    expect_integer(json, "plan.stages.0.network.TCPTimeouts", 0);
    expect_integer(json, "plan.stages.0.network.RetransSegs", 7);
    expect_text(json, "plan.arms.0.client_eku", "clientAuth");
    expect_text(json, "plan.arms.1.name", "foreign");
    json_decref(json);
}

Test(record, writes_what_an_arm_did)
{
    json_t *json = full_json();

    expect_text(json, "arms.0.eku", "on");
    expect_integer(json, "arms.0.depth", 2);
    expect_integer(json, "arms.0.handshakes.started", 12010);
    expect_integer(json, "arms.0.handshakes.unfinished", 3);
    expect_integer(json, "arms.0.failures.deadline", 5);
    expect_integer(json, "arms.0.alerts.certificate_unknown", 2);
    expect_integer(json, "arms.0.server.accepted", 12008);
    expect_integer(json, "arms.0.server.failures.verify_purpose", 2);
    expect_real(json, "arms.0.wire_bytes.client_sent", 2345.5);
    expect_real(json, "arms.0.server_cpu_mean_ns.estimate", 200.5);
    expect_real(json, "arms.0.server_cpu_mean_ns.ci95.0", 199.25);
    expect_real(json, "arms.0.server_cpu_mean_ns.ci95.1", 201.75);
    expect_integer(json, "arms.0.server_cpu_mean_ns.n", 190);
    json_decref(json);
}

Test(record, writes_distributions)
{
    json_t *json = full_json();

    expect_integer(json, "arms.0.latency_ns.count", 12000);
    expect_integer(json, "arms.0.latency_ns.sum", 72006000000);
    expect_integer(json, "arms.0.latency_ns.min", 1000);
    expect_real(json, "arms.0.latency_ns.mean", 6000500.0);
    expect_real(json, "arms.0.latency_ns.stddev", 1000.0 * sqrt(12000.0 * 12001.0 / 12.0));
    expect_integer(json, "arms.0.latency_ns.max", 12000000);
    cr_expect(json_is_integer(at(json, "arms.0.latency_ns.p999")));
    cr_expect(json_is_string(at(json, "arms.0.latency_ns.hdr")));
    cr_expect(json_is_integer(at(json, "arms.0.connect_ns.p50")));
    expect_null(json, "arms.0.connect_ns.p90");
    expect_null(json, "arms.0.server_cpu_ns.stddev");
    json_decref(json);
}

Test(record, writes_an_open_loop)
{
    json_t *json = full_json();

    expect_text(json, "plan.stages.0.open_loop.arrivals", "fixed");
    expect_real(json, "plan.stages.0.open_loop.planned_per_s", 100.5);
    expect_real(json, "plan.stages.0.open_loop.offered_per_s", 99.25);
    expect_integer(json, "plan.stages.0.open_loop.stretches.0.duration_ns", 5000000000);
    expect_real(json, "plan.stages.0.open_loop.stretches.0.end_per_s", 100.5);
    expect_integer(json, "plan.stages.0.open_loop.lag_ns.count", 50);
    expect_null(json, "plan.stages.0.open_loop.dropped_wait_ns");
    expect_integer(json, "arms.0.dropped", 11);
    expect_integer(json, "arms.0.uncorrected_latency_ns.count", 20);
    json_decref(json);
}

Test(record, writes_what_happened_in_each_interval)
{
    json_t *json = full_json();

    expect_text(json, "series.0.stage", "verify");
    expect_integer(json, "series.0.interval_ns", 1000000000);
    cr_expect_eq(json_array_size(at(json, "series.0.intervals")), 2);
    expect_integer(json, "series.0.intervals.0.start_ns", 0);
    expect_integer(json, "series.0.intervals.0.started", 12009);
    expect_integer(json, "series.0.intervals.0.accepted", 12000);
    expect_integer(json, "series.0.intervals.0.dropped", 11);
    expect_integer(json, "series.0.intervals.0.in_flight", 8);
    expect_integer(json, "series.0.intervals.0.p50_ns", 1234567);
    expect_integer(json, "series.0.intervals.0.p99_ns", 7654321);
    expect_integer(json, "series.0.intervals.0.max_ns", 7654322);
    expect_integer(json, "series.0.intervals.1.duration_ns", 123456789);
    expect_integer(json, "series.0.intervals.1.rejected", 2);
    expect_integer(json, "series.0.intervals.1.failed", 4);
    expect_null(json, "series.0.intervals.1.p50_ns");
    expect_null(json, "series.0.intervals.1.p99_ns");
    expect_null(json, "series.0.intervals.1.max_ns");
    expect_real(json, "series.0.intervals.0.steal_percent", 1.25);
    expect_null(json, "series.0.intervals.1.steal_percent");
    json_decref(json);
}

Test(record, writes_effects_and_throughput)
{
    json_t *json = full_json();

    expect_null(json, "throughput.0.arm");
    expect_real(json, "throughput.0.accepted_per_s", 1200.5);
    expect_integer(json, "throughput.0.blocks.1", 1201);
    expect_text(json, "throughput.1.arm", "eku-on");
    cr_expect_eq(json_array_size(at(json, "throughput.1.blocks")), 0);
    expect_text(json, "effects.0.contrast", "eku-on - eku-off");
    expect_text(json, "effects.0.stage", "verify");
    expect_real(json, "effects.0.estimate", -12.5);
    expect_real(json, "effects.0.ci95.0", -40.0);
    expect_real(json, "effects.0.ci95.1", 15.0);
    expect_integer(json, "effects.0.n", 197);
    expect_real(json, "effects.0.mde", 39.5);
    json_decref(json);
}

Test(record, writes_capacity)
{
    json_t *json = full_json();

    expect_real(json, "capacity.objective.percentile", 99.9);
    expect_integer(json, "capacity.objective.limit_ns", 20000000);
    expect_text(json, "capacity.state", "generator");
    expect_text(json, "capacity.limiter", "client CPU");
    expect_real(json, "capacity.lower_per_s", 3100.25);
    expect_null(json, "capacity.upper_per_s");
    expect_null(json, "capacity.trials.0.reason");
    expect_null(json, "capacity.trials.0.latency_ns");
    expect_text(json, "capacity.trials.1.reason", "the client was late");
    expect_integer(json, "capacity.trials.1.due", 77);
    expect_integer(json, "capacity.trials.1.lag_p99_ns", 3000000);
    expect_text(json, "capacity.validation.outcome", "passed");
    expect_real(json, "capacity.server_cpu_ns", 250000.5);
    expect_null(json, "capacity.client_cpu_ns");
    expect_null(json, "capacity.projection.target_per_s");
    expect_real(json, "capacity.projection.cores", 17);
    expect_real(json, "capacity.projection.headroom", -15.25);
    expect_text(json, "capacity.trials.0.purpose", "search");
    expect_integer(json, "capacity.trials.0.seed", 12345);
    expect_real(json, "capacity.trials.0.in_flight_end", 33.5);
    expect_null(json, "capacity.trials.0.in_flight_begin");
    expect_real(json, "capacity.highest_per_s", 3940);
    expect_integer(json, "capacity.ceilings.0.in_flight", 256);
    expect_real(json, "capacity.server_cpu_interval.estimate", 250000);
    expect_null(json, "capacity.client_cpu_interval");
    expect_real(json, "capacity.mix.reject_share", 0.25);
    expect_real(json, "capacity.mix.rejected_cpu_ns.estimate", 120000);
    expect_null(json, "capacity.mix.projected_per_s");
    expect_text(json, "capacity.variants.0.searched.state", "found");
    expect_null(json, "capacity.variants.0.searched.upper_per_s");
    expect_null(json, "capacity.variants.0.cost_factor");
    expect_real(json, "capacity.variants.1.cost_factor.estimate", 1.25);
    expect_null(json, "capacity.variants.1.searched");
    json_decref(json);
    json = minimal_json();
    expect_null(json, "capacity");
    json_decref(json);
}

Test(record, writes_floors)
{
    json_t *json = full_json();

    expect_real(json, "floors.memory_handshake_server_ns", 2000.0);
    expect_real(json, "floors.memory_handshake_client_ns", 1500.0);
    expect_null(json, "floors.tcp_exchange_server_ns");
    expect_null(json, "floors.engine_tax_percent_client");
    expect_integer(json, "floors.memory_handshake_server.count", 3);
    expect_real(json, "floors.memory_handshake_server.ci95.1", 2100.0);
    expect_real(json, "floors.memory_handshake_server.io_over_memory", 1.5);
    expect_real(json, "floors.memory_handshake_server.steps_over_memory", 1.25);
    expect_null(json, "floors.memory_handshake_client.ci95");
    expect_null(json, "floors.memory_handshake_client.io_over_memory");
    json_decref(json);
}

Test(record, sums_cpu_over_stages)
{
    json_t *json = full_json();

    expect_integer(json, "cpu.server.user_ns", 1300);
    expect_integer(json, "cpu.server.system_ns", 600);
    expect_real(json, "cpu.server.per_handshake_ns", 475.0);
    expect_integer(json, "cpu.server.stages.1.total_ns", 1000);
    expect_integer(json, "cpu.server.stages.0.memory_peak_bytes", 8192);
    expect_text(json, "cpu.server.stages.0.cpu_list", "0-1");
    expect_integer(json, "cpu.client.user_ns", 0);
    expect_null(json, "cpu.client.per_handshake_ns");
    expect_null(json, "cpu.client.stages.0.busy_percent");
    json_decref(json);
}

Test(record, writes_reasons_and_notes)
{
    json_t *json = full_json();

    cr_expect(json_is_false(at(json, "validity.clean")));
    expect_text(json, "validity.reasons.0", "steal was 4.5 %");
    expect_text(json, "validity.notes.0", "the client used 2 workers");
    cr_expect(json_is_true(at(json, "interrupted")));
    json_decref(json);
}

Test(record, writes_null_for_what_is_unknown)
{
    static const char *const paths[] = {
        "build.version",
        "build.boringssl.api_version",
        "host.cpus",
        "host.steal_percent",
        "host.virtual_machine",
        "plan.name",
        "plan.target",
        "floors.memory_handshake_server_ns",
        "floors.memory_handshake_server",
        "cpu.server.user_ns",
        "cpu.server.per_handshake_ns",
    };
    json_t *json = minimal_json();

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        expect_null(json, paths[i]);
    }
    cr_expect(json_is_true(at(json, "validity.clean")));
    cr_expect_eq(json_array_size(at(json, "arms")), 0);
    json_decref(json);
}

Test(record, writes_null_for_what_an_arm_does_not_know)
{
    static const char *const paths[] = {
        "arms.1.eku",        "arms.1.verify",
        "arms.1.key",        "arms.1.server",
        "arms.1.latency_ns", "arms.1.wire_bytes.client_sent",
        "arms.1.verify_ns",  "arms.1.server_cpu_mean_ns",
        "plan.arms.1.eku",   "arms.1.client_cpu_mean_ns",
    };
    json_t *json = full_json();

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        expect_null(json, paths[i]);
    }
    json_decref(json);
}

Test(record, writes_null_moments_when_a_distribution_is_empty)
{
    struct ekb_record record = {0};
    fill_full(&record);
    record.arms[1].latency_ns = summary_of_range(0);

    json_t *json = json_of(&record);

    expect_integer(json, "arms.1.latency_ns.count", 0);
    expect_null(json, "arms.1.latency_ns.min");
    expect_null(json, "arms.1.latency_ns.mean");
    expect_null(json, "arms.1.latency_ns.max");
    expect_null(json, "arms.1.latency_ns.hdr");
    json_decref(json);
    ekb_record_deinit(&record);
}

Test(record, writes_null_for_numbers_that_are_not_finite)
{
    struct ekb_record record = {0};
    fill_full(&record);
    record.effects[0].mde = (double)NAN;
    record.effects[0].estimate.low = -(double)INFINITY;
    record.throughput[0].accepted_per_s = (double)INFINITY;
    record.host.steal_percent.value = (double)NAN;

    json_t *json = json_of(&record);

    expect_null(json, "effects.0.mde");
    expect_null(json, "effects.0.ci95.0");
    expect_real(json, "effects.0.ci95.1", 15.0);
    expect_null(json, "throughput.0.accepted_per_s");
    expect_null(json, "host.steal_percent");
    json_decref(json);
    ekb_record_deinit(&record);
}

Test(record, replaces_bytes_that_are_not_utf8)
{
    struct ekb_record record = {0};
    fill_minimal(&record);
    SET_TEXT(record.host.cpu_model, "Caf\xc3\xa9");
    SET_TEXT(record.host.kernel, "Caf\xc3"); // Cut within a character.

    json_t *json = json_of(&record);

    expect_text(json, "host.cpu_model", "Caf\xc3\xa9");
    expect_text(json, "host.kernel", "Caf?");
    json_decref(json);
}

Test(record, refuses_an_integer_that_json_cannot_hold)
{
    struct ekb_record record = {0};
    fill_minimal(&record);
    record.plan.seed = (uint64_t)INT64_MAX + 1;
    char *text = NULL;

    const enum ekb_err err = ekb_record_to_json(&text, &record);

    cr_expect_eq(err, EKB_TOO_BIG, "got %s", ekb_err_name(err));
    cr_expect_null(text);
}

// Allocations left before the JSON library's next one fails.
static size_t num_allocations_left;

static void *failing_malloc(size_t size)
{
    if (num_allocations_left == 0) {
        return NULL;
    }
    num_allocations_left--;
    return malloc(size);
}

Test(record, runs_out_of_memory_cleanly_wherever_it_happens, .timeout = 120)
{
    struct ekb_record record = {0};
    fill_full(&record);
    json_set_alloc_funcs(failing_malloc, free);
    char *text = NULL;

    size_t num_allowed = 0;
    enum ekb_err err = EKB_NOMEM;
    while (err == EKB_NOMEM && num_allowed < 100000) {
        num_allocations_left = num_allowed++;
        err = ekb_record_to_json(&text, &record);
        cr_assert(err == EKB_OK || text == NULL, "an output was written on failure");
    }

    cr_expect_eq(err, EKB_OK, "got %s", ekb_err_name(err));
    cr_expect_gt(num_allowed, 100);
    free(text);
    ekb_record_deinit(&record);
}

// Reading.

// again reads `text` back and returns what it is when written again.
static char *again(const char *text)
{
    struct ekb_record record;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_record_from_json(&record, text, strlen(text), &fail), EKB_OK, "%s",
                 fail.detail);
    char *written = text_of(&record);
    ekb_record_deinit(&record);
    return written;
}

Test(record, is_the_same_when_read_and_written_again)
{
    struct ekb_record records[2] = {0};
    fill_full(&records[0]);
    fill_minimal(&records[1]);

    for (size_t i = 0; i < 2; i++) {
        char *text = text_of(&records[i]);
        char *written = again(text);

        cr_expect_str_eq(written, text);
        free(written);
        free(text);
        ekb_record_deinit(&records[i]);
    }
}

Test(record, reads_what_text_reports_need_of_floors)
{
    struct ekb_record full = {0};
    struct ekb_record record;
    fill_full(&full);
    char *text = text_of(&full);

    cr_assert_eq(ekb_record_from_json(&record, text, strlen(text), NULL), EKB_OK);

    cr_expect(record.floors_known);
    cr_expect_eq(record.server_floor.measured_known, full.server_floor.measured_known);
    cr_expect_eq(record.server_floor.measured.estimate, full.server_floor.measured.estimate);
    cr_expect_eq(record.client_floor.tcp.n, full.client_floor.tcp.n);
    ekb_record_deinit(&record);
    ekb_record_deinit(&full);
    free(text);
}

// reading returns what reading `json` ends with, which it releases; what is wrong is in `*fail`.
static enum ekb_err reading(json_t *json, struct ekb_fail *fail)
{
    struct ekb_record record;
    *fail = (struct ekb_fail){0};
    char *text = json_dumps(json, 0);
    cr_assert_not_null(text);
    const enum ekb_err err = ekb_record_from_json(&record, text, strlen(text), fail);
    ekb_record_deinit(&record);
    free(text);
    json_decref(json);
    return err;
}

// edited returns the full record's JSON with another value at `path`; NULL: none.
static json_t *edited(const char *path, json_t *value)
{
    char parent[128];
    json_t *json = full_json();
    json_t *owner = json;
    (void)snprintf(parent, sizeof parent, "%s", path);
    char *last = strrchr(parent, '.');
    if (last != NULL) {
        *last++ = '\0';
    }
    char *rest = NULL;
    for (char *key = last != NULL ? strtok_r(parent, ".", &rest) : NULL; key != NULL;
         key = strtok_r(NULL, ".", &rest)) {
        owner = json_is_array(owner) ? json_array_get(owner, strtoul(key, NULL, 10))
                                     : json_object_get(owner, key);
    }
    const char *key = last != NULL ? last : path;
    if (value == NULL) {
        cr_assert_eq(json_object_del(owner, key), 0, "%s", path);
    } else {
        cr_assert_eq(json_object_set_new(owner, key, value), 0, "%s", path);
    }
    return json;
}

Test(record, reads_what_has_fewer_and_more_keys)
{
    static const char *const younger[] = {"floors.intervals", "arms.0.latency_ns.sum_squares",
                                          "plan.group",       "series",
                                          "capacity",         "series.0.intervals.0.steal_percent"};
    struct ekb_fail fail;

    for (size_t i = 0; i < sizeof younger / sizeof younger[0]; i++) {
        const enum ekb_err err = reading(edited(younger[i], NULL), &fail);
        cr_expect_eq(err, EKB_OK, "%s: %s", younger[i], fail.detail);
    }
    cr_expect_eq(reading(edited("host.moon_phase", json_real(0.5)), &fail), EKB_OK);
}

Test(record, computes_the_deviation_of_a_result_without_sums_of_squares)
{
    struct ekb_record record;
    json_t *json = edited("arms.0.latency_ns.sum_squares", NULL);
    const double stddev = json_number_value(at(json, "arms.0.latency_ns.stddev"));
    char *text = json_dumps(json, JSON_REAL_PRECISION(15));

    cr_assert_eq(ekb_record_from_json(&record, text, strlen(text), NULL), EKB_OK);

    const double read = ekb_moments_stddev(&record.arms[0].latency_ns.moments);
    cr_expect(fabs(read - stddev) <= 1e-14 * stddev, "%.17g, not %.17g", read, stddev);
    ekb_record_deinit(&record);
    json_decref(json);
    free(text);
}

Test(record, refuses_what_is_no_such_result_and_says_where)
{
    const struct {
        const char *path;
        json_t *value;
        const char *said;
    } rows[] = {
        {"schema", NULL, "no result of ekubench"},
        {"schema", json_string("ekubench.instructions/1"), "no result of ekubench"},
        {"schema", json_string("ekubench.result/2"), "of schema 2, but this ekubench reads"},
        {"plan", NULL, "plan: an object is wanted"},
        {"plan", json_array(), "plan: an object is wanted"},
        {"arms", json_string("many"), "arms: an array is wanted"},
        {"arms", json_pack("[i]", 1), "arms[0]: an object is wanted"},
        {"arms.0.depth", json_integer(-1), "arms[0].depth: a whole number from 0 on is wanted"},
        {"arms.0.depth", json_real(1), "arms[0].depth: a whole number from 0 on is wanted"},
        {"arms.0.name", json_integer(1), "arms[0].name: a text of at most 47 bytes is wanted"},
        {"arms.0.name", json_string("a name that is much longer than any name that is written"),
         "arms[0].name: a text of at most 47 bytes"},
        {"arms.0.resumes", json_integer(0), "arms[0].resumes: true or false is wanted"},
        {"arms.0.latency_ns.hdr", json_string("HISTFAAA"), "arms[0].latency_ns.hdr: an HdrHist"},
        {"arms.0.latency_ns.hdr", json_integer(3), "arms[0].latency_ns.hdr: an HdrHist"},
        {"arms.0.latency_ns.count", json_integer(3), "arms[0].latency_ns: a count, sum"},
        {"arms.0.latency_ns.sum", json_integer(INT64_MAX), "arms[0].latency_ns: a count, sum"},
        {"arms.0.latency_ns.sum_squares", json_string("1"), "arms[0].latency_ns: a count, sum"},
        {"arms.0.latency_ns.sum_squares", json_string("-1"), "sum_squares: a text of digits"},
        {"arms.0.failures.deadline", json_string("5"), "arms[0].failures.deadline: a whole"},
        {"effects.0.ci95", json_pack("[f]", 1.0), "effects[0].ci95: an array of two numbers"},
        {"effects.0.ci95", json_pack("[f,s]", 1.0, ""), "effects[0].ci95: an array of two numbers"},
        {"throughput.0.blocks", json_pack("[i,f]", 1, 1.5), "throughput[0].blocks: an array of"},
        {"validity.clean", json_true(), "validity.clean: true without reasons"},
        {"validity.notes", json_pack("[i]", 1), "validity.notes: a list of at most"},
        {"cpu.server.stages.0.total_ns", json_string(""), "cpu.server.stages[0].total_ns: a whole"},
    };
    struct ekb_fail fail;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const enum ekb_err err = reading(edited(rows[i].path, rows[i].value), &fail);
        cr_expect_eq(err, EKB_PARSE, "%s: %s", rows[i].path, ekb_err_name(err));
        cr_expect_not_null(strstr(fail.detail, rows[i].said), "%s: \"%s\" without \"%s\"",
                           rows[i].path, fail.detail, rows[i].said);
    }
}

Test(record, refuses_a_histogram_of_other_samples)
{
    struct ekb_record_summary other = summary_of_range(7);
    struct ekb_fail fail;

    const enum ekb_err err =
        reading(edited("arms.0.latency_ns.hdr", json_string(other.hdr)), &fail);

    cr_expect_eq(err, EKB_PARSE);
    cr_expect_not_null(strstr(fail.detail, "of as many samples as"), "%s", fail.detail);
    free(other.hdr);
}

Test(record, refuses_what_is_no_json)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "null",
                                        "\"schema\"",
                                        "{\"a\":1",
                                        "nan",
                                        "{\"a\":1e999}",
                                        "\xff\xfe",
                                        "{\"a\":1,\"a\":1}",
                                        "{\"schema\":99999999999999999999}"};
    struct ekb_record record;
    struct ekb_fail fail;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const enum ekb_err err = ekb_record_from_json(&record, texts[i], strlen(texts[i]), &fail);
        cr_expect_eq(err, EKB_PARSE, "%s: %s", texts[i], ekb_err_name(err));
        cr_expect_gt(strlen(fail.detail), 5);
    }
}

Test(record, refuses_every_result_that_is_cut)
{
    struct ekb_record full = {0};
    struct ekb_record record;
    fill_full(&full);
    char *text = text_of(&full);
    const size_t text_len = strlen(text);

    for (size_t len = 0; len < text_len - 2; len += 7) {
        const enum ekb_err err = ekb_record_from_json(&record, text, len, NULL);
        cr_expect_eq(err, EKB_PARSE, "%zu of %zu bytes: %s", len, text_len, ekb_err_name(err));
    }
    free(text);
    ekb_record_deinit(&full);
}

Test(record, has_no_control_characters_when_read)
{
    struct ekb_record record;
    json_t *json = edited("host.cpu_model", json_string("a\x1b[31mb\nc\xc2\x9b"));
    char *text = json_dumps(json, 0);

    cr_assert_eq(ekb_record_from_json(&record, text, strlen(text), NULL), EKB_OK);

    cr_expect_str_eq(record.host.cpu_model, "a?[31mb?c??");
    ekb_record_deinit(&record);
    json_decref(json);
    free(text);
}

Test(record, leaves_nothing_behind_when_reading_runs_out_of_memory, .timeout = 120)
{
    struct ekb_record full = {0};
    struct ekb_record record;
    fill_full(&full);
    char *text = text_of(&full);
    json_set_alloc_funcs(failing_malloc, free);

    size_t num_allowed = 0;
    enum ekb_err err = EKB_NOMEM;
    while (err != EKB_OK && num_allowed < 100000) {
        num_allocations_left = num_allowed++;
        err = ekb_record_from_json(&record, text, strlen(text), NULL);
        cr_assert(err == EKB_OK || record.num_arms == 0, "a record was left behind");
    }

    cr_expect_eq(err, EKB_OK, "got %s", ekb_err_name(err));
    cr_expect_gt(num_allowed, 100);
    free(text);
    ekb_record_deinit(&record);
    ekb_record_deinit(&full);
}

static void write_record(const char *directory, const char *name, const struct ekb_record *record)
{
    char *path = ekb_file_join(directory, name);
    cr_assert_not_null(path);
    char *text = text_of(record);
    cr_expect_eq(ekb_file_write_atomic(path, text, strlen(text), 0644, NULL), EKB_OK);
    free(text);
    free(path);
}

// For test_schema.sh, which validates both files.
Test(record, writes_files_for_the_schema_test)
{
    const char *directory = getenv("EKUBENCH_TEST_RECORD_DIR");
    if (directory == NULL) {
        return;
    }
    struct ekb_record full = {0};
    struct ekb_record minimal = {0};
    fill_full(&full);
    fill_minimal(&minimal);

    write_record(directory, "full.json", &full);
    write_record(directory, "minimal.json", &minimal);

    ekb_record_deinit(&full);
    ekb_record_deinit(&minimal);
}
