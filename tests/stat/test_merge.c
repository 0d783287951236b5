#include "ekubench/stat/merge.h"

#include "ekubench/base/rng.h"

#include <criterion/criterion.h>
#include <jansson.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_TEXT(field, text) ((void)snprintf((field), sizeof(field), "%s", (text)))
#define NUM_PARTS 3
#define NUM_BLOCKS 12
#define NUM_INTERVALS 2

static struct ekb_record whole;
static struct ekb_record parts[NUM_PARTS];
static struct ekb_record merged;

static void tear_down(void)
{
    ekb_record_deinit(&whole);
    ekb_record_deinit(&merged);
    for (size_t i = 0; i < NUM_PARTS; i++) {
        ekb_record_deinit(&parts[i]);
    }
}

TestSuite(merge, .fini = tear_down, .timeout = 60);

// A load that is recorded as a whole and, each handshake by one of several generators, in parts.

static void *allocate(size_t num_items, size_t item_len)
{
    void *items = calloc(num_items, item_len);
    cr_assert_not_null(items);
    return items;
}

// What one generator, or all of them, records of one distribution.
struct recorder {
    struct ekb_moments moments;
    struct ekb_hist *hist;
};

static void begin(struct recorder *recorder)
{
    void *memory = aligned_alloc(16, (ekb_hist_size() + 15) / 16 * 16);
    cr_assert_not_null(memory);
    *recorder = (struct recorder){.hist = ekb_hist_init(memory)};
}

static void take(struct recorder *recorder, uint64_t value)
{
    ekb_moments_add(&recorder->moments, value);
    ekb_hist_record(recorder->hist, value);
}

static struct ekb_record_summary end(struct recorder *recorder)
{
    struct ekb_record_summary summary = {0};
    if (recorder->moments.count > 0) {
        cr_assert_eq(ekb_record_summarize(&summary, &recorder->moments, recorder->hist), EKB_OK);
    }
    free(recorder->hist);
    return summary;
}

static void fill(struct ekb_record *record, uint64_t share)
{
    SET_TEXT(record->kind, "load");
    SET_TEXT(record->started_at, "2026-03-29T06:54:39.839Z");
    record->duration_ns = UINT64_C(13000000000);
    SET_TEXT(record->build.version, "0.1.0");
    SET_TEXT(record->host.cpu_model, "Some CPU");
    record->host.cpus = 4;
    SET_TEXT(record->plan.name, "load");
    SET_TEXT(record->plan.tls, "1.3");
    SET_TEXT(record->plan.key, "p256");
    SET_TEXT(record->plan.target, "192.0.2.1:8443");
    record->plan.client_workers = share;
    record->plan.num_stages = 1;
    record->plan.stages = allocate(1, sizeof record->plan.stages[0]);
    struct ekb_record_stage *stage = &record->plan.stages[0];
    SET_TEXT(stage->name, "load");
    SET_TEXT(stage->shape, "open-loop");
    SET_TEXT(stage->client, "full");
    stage->in_flight = 100 * share;
    stage->duration_ns = UINT64_C(12000000000);
    stage->slice_ns = UINT64_C(1000000000);
    stage->num_slices = NUM_BLOCKS;
    stage->open_loop.known = true;
    SET_TEXT(stage->open_loop.arrivals, "poisson");
    stage->open_loop.num_stretches = 1;
    stage->open_loop.stretches = allocate(1, sizeof stage->open_loop.stretches[0]);
    stage->open_loop.stretches[0] =
        (struct ekb_record_stretch){stage->duration_ns, 50.0 * (double)share, 50.0 * (double)share};
    stage->open_loop.planned_per_s = 50.0 * (double)share;
    stage->open_loop.offered_per_s = 50.0 * (double)share;
    record->num_arms = 1;
    record->arms = allocate(1, sizeof record->arms[0]);
    SET_TEXT(record->arms[0].name, "load");
    SET_TEXT(record->arms[0].stage, "load");
    SET_TEXT(record->arms[0].expect, "accept");
    SET_TEXT(record->arms[0].tls, "1.3");
    record->num_throughput = 1;
    record->throughput = allocate(1, sizeof record->throughput[0]);
    SET_TEXT(record->throughput[0].stage, "load");
    record->throughput[0].block_ns = stage->slice_ns;
    record->throughput[0].num_blocks = NUM_BLOCKS;
    record->throughput[0].blocks = allocate(NUM_BLOCKS, sizeof(uint64_t));
    record->num_series = 1;
    record->series = allocate(1, sizeof record->series[0]);
    SET_TEXT(record->series[0].stage, "load");
    record->series[0].interval_ns = UINT64_C(6000000000);
    record->series[0].num_intervals = NUM_INTERVALS;
    record->series[0].intervals = allocate(NUM_INTERVALS, sizeof(struct ekb_record_interval));
    record->num_client_cpu = 1;
    record->client_cpu = allocate(1, sizeof record->client_cpu[0]);
    SET_TEXT(record->client_cpu[0].stage, "load");
    record->client_cpu[0].workers = share;
    record->client_cpu[0].window_ns = share * stage->duration_ns;
    record->arms[0].server_known = true;
    record->floors_known = true;
}

// One handshake, as each record that is to have it sees it.
struct handshake {
    uint64_t latency_ns, cpu_ns, bytes;
    size_t block;
    bool failed;
    bool by_server; // The server has recorded it too.
};

static void count(struct ekb_record *record, const struct handshake *handshake)
{
    struct ekb_record_arm *arm = &record->arms[0];
    struct ekb_record_interval *interval =
        &record->series[0].intervals[handshake->block / (NUM_BLOCKS / NUM_INTERVALS)];
    arm->client.started++;
    interval->started++;
    if (handshake->failed) {
        arm->client.failed++;
        arm->dropped += 2;
        interval->failed++;
        record->client_cpu[0].ring_overflows++;
        cr_assert_eq(ekb_record_counts_add(&arm->client.failures, "deadline", 1), EKB_OK);
        return;
    }
    arm->client.accepted++;
    interval->accepted++;
    record->throughput[0].blocks[handshake->block]++;
    record->client_cpu[0].total_ns += handshake->cpu_ns;
    record->client_cpu[0].steps_ns += handshake->cpu_ns;
    record->client_cpu[0].handshakes++;
    arm->client_sent_bytes.known = true;
    arm->client_sent_bytes.value += (double)handshake->bytes;
    if (handshake->by_server) {
        arm->server_sent_bytes.known = true;
        arm->server_sent_bytes.value += 3 * (double)handshake->bytes;
    }
}

// close_record computes what follows from the counts, as lab/assemble does.
static void close_record(struct ekb_record *record)
{
    struct ekb_record_throughput *row = &record->throughput[0];
    struct ekb_record_cpu *cpu = &record->client_cpu[0];
    uint64_t accepted = 0;
    for (size_t i = 0; i < NUM_BLOCKS; i++) {
        accepted += row->blocks[i];
    }
    row->accepted_per_s = (double)accepted / NUM_BLOCKS;
    cr_assert_eq(ekb_record_estimate_rate(row), EKB_OK);
    record->arms[0].client_sent_bytes.value /= (double)record->arms[0].client_cpu_ns.moments.count;
    record->arms[0].server_sent_bytes.value /= (double)record->arms[0].server_cpu_ns.moments.count;
    cpu->per_handshake_ns =
        (struct ekb_record_real){true, (double)cpu->total_ns / (double)cpu->handshakes};
    cpu->kernel_and_loop_ns = (struct ekb_record_real){true, 0};
    cpu->busy_percent =
        (struct ekb_record_real){true, 100.0 * (double)cpu->total_ns / (double)cpu->window_ns};
}

// make_load makes the whole and its parts, of `num` handshakes.
static void make_load(size_t num)
{
    struct ekb_rng rng;
    struct ekb_record *records[NUM_PARTS + 1] = {&whole, &parts[0], &parts[1], &parts[2]};
    struct recorder latencies[NUM_PARTS + 1];
    struct recorder cpus[NUM_PARTS + 1];
    struct recorder servers[NUM_PARTS + 1];
    struct recorder lags[NUM_PARTS + 1];
    struct recorder server_floors[NUM_PARTS + 1];
    struct recorder client_floors[NUM_PARTS + 1];
    ekb_rng_init(&rng, 7);
    for (size_t i = 0; i <= NUM_PARTS; i++) {
        fill(records[i], i == 0 ? NUM_PARTS : 1);
        records[i]->plan.seed = i;
        begin(&latencies[i]);
        begin(&cpus[i]);
        begin(&servers[i]);
        begin(&lags[i]);
        begin(&server_floors[i]);
        begin(&client_floors[i]);
    }
    for (size_t i = 0; i < num; i++) {
        // Some latencies are beyond the histogram's range.
        const struct handshake handshake = {
            .latency_ns = 1000 + (ekb_rng_next(&rng) >> (27 + ekb_rng_below(&rng, 20))),
            .cpu_ns = 200000 + ekb_rng_below(&rng, 100000),
            .bytes = 1000 + ekb_rng_below(&rng, 9),
            .block = (size_t)ekb_rng_below(&rng, NUM_BLOCKS),
            .failed = ekb_rng_below(&rng, 10) == 0,
            .by_server = ekb_rng_below(&rng, 3) != 0};
        const size_t owners[2] = {0, 1 + (size_t)ekb_rng_below(&rng, NUM_PARTS)};
        for (size_t j = 0; j < 2; j++) {
            count(records[owners[j]], &handshake);
            take(&lags[owners[j]], handshake.bytes);
            if (!handshake.failed) {
                take(&latencies[owners[j]], handshake.latency_ns);
                take(&cpus[owners[j]], handshake.cpu_ns);
                take(&server_floors[owners[j]], handshake.cpu_ns / 2);
                take(&client_floors[owners[j]], handshake.cpu_ns / 3);
            }
            if (!handshake.failed && handshake.by_server) {
                take(&servers[owners[j]], handshake.cpu_ns / 5);
            }
        }
    }
    for (size_t i = 0; i <= NUM_PARTS; i++) {
        records[i]->arms[0].latency_ns = end(&latencies[i]);
        records[i]->arms[0].client_cpu_ns = end(&cpus[i]);
        records[i]->arms[0].server_cpu_ns = end(&servers[i]);
        records[i]->plan.stages[0].open_loop.lag_ns = end(&lags[i]);
        records[i]->server_floor.memory_ns = end(&server_floors[i]);
        records[i]->client_floor.memory_ns = end(&client_floors[i]);
        close_record(records[i]);
    }
}

// merge_these merges the parts whose numbers are given into `*out`.
static enum ekb_err merge_these(struct ekb_record *out, const size_t *numbers, size_t num,
                                struct ekb_fail *fail)
{
    static const char *const labels[NUM_PARTS] = {"a.json", "b.json", "c.json"};
    struct ekb_merge_part list[NUM_PARTS];
    for (size_t i = 0; i < num; i++) {
        list[i] = (struct ekb_merge_part){labels[numbers[i]], &parts[numbers[i]]};
    }
    *fail = (struct ekb_fail){0};
    return ekb_merge_records(out, list, num, fail);
}

static void merge_all(void)
{
    static const size_t all[NUM_PARTS] = {0, 1, 2};
    struct ekb_fail fail;
    cr_assert_eq(merge_these(&merged, all, NUM_PARTS, &fail), EKB_OK, "%s", fail.detail);
}

// json_of returns a part of a record's JSON as text, or all of it with NULL.
static char *json_of(const struct ekb_record *record, const char *key)
{
    char *text = NULL;
    cr_assert_eq(ekb_record_to_json(&text, record), EKB_OK);
    if (key == NULL) {
        return text;
    }
    json_t *json = json_loads(text, 0, NULL);
    free(text);
    text = json_dumps(json_object_get(json, key), JSON_INDENT(1));
    json_decref(json);
    cr_assert_not_null(text);
    return text;
}

static void expect_same(const struct ekb_record *first, const struct ekb_record *second,
                        const char *key)
{
    char *ours = json_of(first, key);
    char *theirs = json_of(second, key);
    cr_expect_str_eq(ours, theirs, "%s differs", key != NULL ? key : "something");
    free(ours);
    free(theirs);
}

Test(merge, of_the_parts_is_the_whole_to_the_bit)
{
    make_load(20000);

    merge_all();

    expect_same(&merged, &whole, "arms");
    expect_same(&merged, &whole, "throughput");
    expect_same(&merged, &whole, "cpu");
    expect_same(&merged, &whole, "series"); // In which no percentile is known, here.
    expect_same(&merged, &whole, "floors");
    whole.plan.seed = merged.plan.seed; // That of the first part.
    expect_same(&merged, &whole, "plan");
    cr_expect_gt(merged.arms[0].dropped, 0);
    cr_expect_gt(merged.client_cpu[0].ring_overflows, 0);
    cr_expect_gt(merged.plan.stages[0].open_loop.lag_ns.moments.count, 0);
    cr_expect_gt(merged.server_floor.memory_ns.moments.count, 0);
    cr_expect_eq(merged.plan.stages[0].open_loop.offered_per_s, 150.0);
    cr_expect_eq(merged.plan.stages[0].in_flight, whole.plan.stages[0].in_flight);
    cr_expect_eq(merged.plan.stages[0].open_loop.stretches[0].begin_per_s, 150.0);
    cr_expect_eq(merged.plan.client_workers, 3);
    cr_expect(merged.arms[0].latency_ns.p999.known);
}

// Generators of one load may be on several machines.
Test(merge, has_the_highest_steal_of_an_interval)
{
    make_load(100);
    parts[0].series[0].intervals[0].steal_percent = (struct ekb_record_real){true, 2};
    parts[1].series[0].intervals[0].steal_percent = (struct ekb_record_real){true, 7};
    parts[2].series[0].intervals[1].steal_percent = (struct ekb_record_real){true, 0.5};

    merge_all();

    const struct ekb_record_interval *intervals = merged.series[0].intervals;
    cr_expect(intervals[0].steal_percent.known);
    cr_expect_eq(intervals[0].steal_percent.value, 7.0);
    cr_expect(intervals[1].steal_percent.known);
    cr_expect_eq(intervals[1].steal_percent.value, 0.5);
}

Test(merge, of_parts_with_few_samples_has_the_percentiles_of_all)
{
    make_load(50);
    cr_assert_not(parts[0].arms[0].latency_ns.p50.known);

    merge_all();

    cr_expect(merged.arms[0].latency_ns.p50.known);
    expect_same(&merged, &whole, "arms");
}

Test(merge, of_a_merged_result_with_another_is_that_of_all)
{
    static const size_t first[] = {0, 1};
    struct ekb_fail fail;
    struct ekb_record two;
    struct ekb_record three;
    // In the digits of a file it makes a difference where sums of these are rounded.
    static const double rates[NUM_PARTS] = {911.284711850335, 127.530984730198, 122.901274894115};
    make_load(5000);
    for (size_t i = 0; i < NUM_PARTS; i++) {
        parts[i].throughput[0].accepted_per_s = rates[i];
        parts[i].plan.stages[0].open_loop.offered_per_s = rates[i];
    }
    SET_TEXT(parts[2].reasons[0], "something");
    parts[2].num_reasons = 1;
    merge_all();

    cr_assert_eq(merge_these(&two, first, 2, &fail), EKB_OK, "%s", fail.detail);
    const struct ekb_merge_part list[] = {{"ab.json", &two}, {"c.json", &parts[2]}};
    cr_assert_eq(ekb_merge_records(&three, list, 2, &fail), EKB_OK, "%s", fail.detail);

    expect_same(&three, &merged, NULL);
    ekb_record_deinit(&two);
    ekb_record_deinit(&three);
}

// make_apart makes the parts runs of different times.
static void make_apart(void)
{
    SET_TEXT(parts[1].started_at, "2026-03-29T08:00:00Z");
    SET_TEXT(parts[2].started_at, "2026-03-29T07:00:00Z");
}

Test(merge, of_a_merged_result_with_another_is_that_of_all_at_different_times)
{
    static const size_t first[] = {0, 1};
    struct ekb_fail fail;
    struct ekb_record two;
    struct ekb_record three;
    make_load(5000);
    make_apart();
    SET_TEXT(parts[0].notes[0], "a note");
    SET_TEXT(parts[2].notes[0], "another note");
    SET_TEXT(parts[2].host.cpu_model, "Another CPU"); // A note of merging that the first has not.
    parts[0].num_notes = 1;
    parts[2].num_notes = 1;
    merge_all();

    cr_assert_eq(merge_these(&two, first, 2, &fail), EKB_OK, "%s", fail.detail);
    const struct ekb_merge_part list[] = {{"ab.json", &two}, {"c.json", &parts[2]}};
    cr_assert_eq(ekb_merge_records(&three, list, 2, &fail), EKB_OK, "%s", fail.detail);

    expect_same(&three, &merged, NULL);
    cr_expect_eq(merged.num_notes, 5);
    ekb_record_deinit(&two);
    ekb_record_deinit(&three);
}

// All at once they would have no rate, and what is in flight would not be added.
Test(merge, refuses_a_result_merged_from_loads_of_another_time)
{
    static const size_t first[] = {0, 1};
    struct ekb_fail fail;
    struct ekb_record two;
    make_load(500);
    SET_TEXT(parts[2].started_at, "2026-03-29T07:00:00Z");
    cr_assert_eq(merge_these(&two, first, 2, &fail), EKB_OK, "%s", fail.detail);

    const struct ekb_merge_part list[] = {{"ab.json", &two}, {"c.json", &parts[2]}};
    const enum ekb_err err = ekb_merge_records(&merged, list, 2, &fail);

    cr_expect_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
    cr_expect_not_null(strstr(fail.detail, "ab.json is merged from loads at one time"), "%s",
                       fail.detail);
    cr_expect_not_null(strstr(fail.detail, "merge its parts themselves"), "%s", fail.detail);
    ekb_record_deinit(&two);
}

Test(merge, refuses_the_same_run_twice)
{
    static const size_t twice[] = {1, 1};
    struct ekb_fail fail;
    make_load(500);

    cr_expect_eq(merge_these(&merged, twice, 2, &fail), EKB_USAGE);

    cr_expect_not_null(strstr(fail.detail, "b.json and b.json have the same run"), "%s",
                       fail.detail);
}

// Generators of one load begin together, and may do the same.
Test(merge, takes_runs_that_differ_in_little)
{
    struct ekb_fail fail;
    static const size_t two[] = {0, 1};
    for (size_t i = 0; i < 5; i++) {
        make_load(100);
        parts[1].arms[0].client.started = parts[0].arms[0].client.started;
        parts[1].plan.seed = parts[0].plan.seed + (i == 0 ? 1 : 0);
        parts[1].duration_ns += i == 1 ? 1 : 0;
        SET_TEXT(parts[1].host.cpu_model, i == 2 ? "Another CPU" : "Some CPU");
        parts[1].arms[0].client.started += i == 3 ? 1 : 0;
        SET_TEXT(parts[1].started_at,
                 i == 4 ? "2026-03-29T06:54:39.840Z" : "2026-03-29T06:54:39.839Z");

        cr_expect_eq(merge_these(&merged, two, 2, &fail), EKB_OK, "%zu: %s", i, fail.detail);

        tear_down();
    }
}

Test(merge, has_the_floors_of_those_that_measured_them)
{
    make_load(500);
    const uint64_t count = parts[1].server_floor.memory_ns.moments.count;
    parts[0].floors_known = false;
    parts[2].floors_known = false;
    free(parts[0].server_floor.memory_ns.hdr);
    free(parts[2].server_floor.memory_ns.hdr);
    parts[0].server_floor.memory_ns = (struct ekb_record_summary){.known = false};
    parts[2].server_floor.memory_ns = (struct ekb_record_summary){.known = false};

    merge_all();

    cr_expect(merged.floors_known);
    cr_expect_eq(merged.server_floor.memory_ns.moments.count, count);
}

Test(merge, refuses_a_run_that_is_a_part_already)
{
    static const size_t first[] = {0, 2};
    struct ekb_fail fail;
    struct ekb_record two;
    make_load(500);
    cr_assert_eq(merge_these(&two, first, 2, &fail), EKB_OK, "%s", fail.detail);

    const struct ekb_merge_part list[] = {
        {"b.json", &parts[1]}, {"c.json", &parts[2]}, {"ac.json", &two}};
    const enum ekb_err err = ekb_merge_records(&merged, list, 3, &fail);

    cr_expect_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
    cr_expect_not_null(strstr(fail.detail, "c.json and ac.json have the same run"), "%s",
                       fail.detail);
    ekb_record_deinit(&two);
}

Test(merge, refuses_a_result_that_does_not_say_when_it_began)
{
    static const char *const starts[] = {"", "yesterday"};
    static const size_t two[] = {0, 1};
    struct ekb_fail fail;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        make_load(100);
        SET_TEXT(parts[1].started_at, starts[i]);

        cr_expect_eq(merge_these(&merged, two, 2, &fail), EKB_USAGE, "%s", starts[i]);

        cr_expect_not_null(strstr(fail.detail, "b.json does not say when it began"), "%s",
                           fail.detail);
        tear_down();
    }
}

// Measured for twelve seconds.
Test(merge, adds_the_rates_of_loads_that_ran_together_for_nine_tenths_of_the_time)
{
    make_load(500);
    SET_TEXT(parts[2].started_at, "2026-03-29T06:54:41.039Z");
    merge_all();
    cr_expect_eq(merged.num_throughput, 1);
    ekb_record_deinit(&merged);

    SET_TEXT(parts[2].started_at, "2026-03-29T06:54:41.040Z");
    merge_all();

    cr_expect_eq(merged.num_throughput, 0);
}

Test(merge, does_not_care_about_the_order_of_the_parts)
{
    static const size_t backwards[NUM_PARTS] = {2, 1, 0};
    struct ekb_fail fail;
    struct ekb_record other;
    make_load(5000);
    merge_all();

    cr_assert_eq(merge_these(&other, backwards, NUM_PARTS, &fail), EKB_OK);

    expect_same(&other, &merged, "arms");
    expect_same(&other, &merged, "throughput");
    ekb_record_deinit(&other);
}

Test(merge, keeps_where_the_parts_are_from_and_why_they_are_not_to_be_trusted)
{
    make_load(500);
    SET_TEXT(parts[1].started_at, "2026-03-29T06:54:38.339Z");
    SET_TEXT(parts[1].host.cpu_model, "Another CPU");
    parts[1].plan.seed = 9;
    SET_TEXT(parts[1].reasons[0], "the moon");
    parts[1].num_reasons = 1;
    SET_TEXT(parts[2].reasons[0], "the moon");
    SET_TEXT(parts[2].reasons[1], "the sun");
    parts[2].num_reasons = 2;
    parts[2].interrupted = true;

    merge_all();

    cr_expect_str_eq(merged.kind, "merge");
    cr_expect_str_eq(ekb_record_base_kind(&merged), "load");
    cr_assert_eq(merged.num_parts, 3);
    cr_assert_not_null(merged.parts);
    cr_expect_str_eq(merged.parts[0].cpu_model, "Some CPU");
    cr_expect_str_eq(merged.parts[1].cpu_model, "Another CPU");
    cr_expect_eq(merged.parts[1].seed, 9);
    cr_expect(merged.parts[0].clean);
    cr_expect_not(merged.parts[2].clean);
    cr_expect_eq(merged.parts[0].started + merged.parts[1].started + merged.parts[2].started, 500);
    cr_expect_str_eq(merged.host.cpu_model, "");
    cr_expect_eq(merged.host.cpus, 4);
    cr_expect_str_eq(merged.started_at, "2026-03-29T06:54:38.339Z");
    cr_expect_eq(merged.duration_ns, UINT64_C(14500000000));
    cr_assert_eq(merged.num_reasons, 2);
    cr_expect_str_eq(merged.reasons[0], "the moon");
    cr_expect_str_eq(merged.reasons[1], "the sun");
    cr_expect(merged.interrupted);
}

Test(merge, has_no_rates_when_the_parts_ran_apart)
{
    make_load(500);
    SET_TEXT(parts[2].started_at, "2026-03-29T07:00:00Z");

    merge_all();

    cr_expect_eq(merged.num_throughput, 0);
    cr_expect_eq(merged.num_series, 0);
    cr_expect_eq(merged.plan.stages[0].in_flight, 100);
    cr_expect_eq(merged.plan.client_workers, 1);
    cr_expect(isnan(merged.plan.stages[0].open_loop.offered_per_s));
    expect_same(&merged, &whole, "arms");
    cr_expect_not_null(strstr(merged.notes[merged.num_notes - 1], "different times"));
}

// They were not there at the same time.
Test(merge, has_the_highest_memory_of_runs_apart_and_the_sum_of_those_together)
{
    make_load(500);
    for (size_t i = 0; i < NUM_PARTS; i++) {
        struct ekb_record_cpu *cpu = &parts[i].client_cpu[0];
        cpu->memory_base_bytes = (struct ekb_record_u64){true, i == 2 ? 2000 : 1000};
        cpu->memory_peak_bytes = (struct ekb_record_u64){true, i == 1 ? 9000 : 5000};
        cpu->peak_connections = (struct ekb_record_u64){true, i == 2 ? 30 : 20};
        cpu->memory_per_connection_bytes = (struct ekb_record_real){true, i == 0 ? 7 : 6};
    }
    merge_all();
    cr_assert_eq(merged.num_client_cpu, 1);
    cr_assert_not_null(merged.client_cpu);
    cr_expect_eq(merged.client_cpu[0].memory_base_bytes.value, 4000);
    cr_expect_eq(merged.client_cpu[0].memory_peak_bytes.value, 19000);
    cr_expect_eq(merged.client_cpu[0].peak_connections.value, 70);
    cr_expect_eq(merged.client_cpu[0].memory_per_connection_bytes.value, 15000.0 / 70);
    ekb_record_deinit(&merged);
    make_apart();

    merge_all();

    cr_expect_eq(merged.client_cpu[0].memory_base_bytes.value, 2000);
    cr_expect_eq(merged.client_cpu[0].memory_peak_bytes.value, 9000);
    cr_expect_eq(merged.client_cpu[0].peak_connections.value, 30);
    cr_expect_eq(merged.client_cpu[0].memory_per_connection_bytes.value, 7.0);
}

// There is not room for any number of notes.
Test(merge, says_first_what_merging_has_to_say)
{
    make_load(500);
    make_apart();
    for (size_t i = 0; i < NUM_PARTS; i++) {
        parts[i].num_notes = EKB_RECORD_MAX_REASONS;
        for (size_t j = 0; j < EKB_RECORD_MAX_REASONS; j++) {
            (void)snprintf(parts[i].notes[j], EKB_RECORD_LINE_LEN, "note %zu of %zu", j, i);
        }
    }

    merge_all();

    cr_assert_eq(merged.num_notes, EKB_RECORD_MAX_REASONS);
    cr_expect_not_null(strstr(merged.notes[0], "there are no effects"), "%s", merged.notes[0]);
    cr_expect_not_null(strstr(merged.notes[1], "different times"), "%s", merged.notes[1]);
    cr_expect_str_eq(merged.notes[2], "note 0 of 0");
    cr_expect_str_eq(merged.notes[EKB_RECORD_MAX_REASONS - 1], "and more");
}

Test(merge, does_not_know_whether_there_was_assembly_when_the_parts_differ)
{
    make_load(100);
    for (size_t i = 0; i < NUM_PARTS; i++) {
        parts[i].build.boringssl_assembly_known = true;
        parts[i].build.boringssl_assembly = true;
    }
    merge_all();
    cr_expect(merged.build.boringssl_assembly_known && merged.build.boringssl_assembly);
    ekb_record_deinit(&merged);
    parts[1].build.boringssl_assembly = false;

    merge_all();

    cr_expect_not(merged.build.boringssl_assembly_known);
    char *json = json_of(&merged, "build");
    cr_expect_not_null(strstr(json, "\"assembly\": null"), "%s", json);
    free(json);
}

Test(merge, says_when_the_parts_did_not_begin_together)
{
    make_load(500);
    SET_TEXT(parts[1].started_at, "2026-03-29T06:54:39.939Z");
    merge_all();
    cr_expect_eq(merged.num_notes, 1);
    ekb_record_deinit(&merged);

    SET_TEXT(parts[2].started_at, "2026-03-29T06:54:39.940Z");
    merge_all();

    cr_assert_eq(merged.num_notes, 2);
    cr_expect_not_null(strstr(merged.notes[1], "did not begin together"));
}

Test(merge, leaves_out_effects_and_says_so)
{
    make_load(500);
    for (size_t i = 0; i < NUM_PARTS; i++) {
        SET_TEXT(parts[i].kind, "measure");
        parts[i].num_effects = 1;
        parts[i].effects = allocate(1, sizeof parts[i].effects[0]);
        parts[i].arms[0].client_cpu_interval_known = true;
        parts[i].num_blocks = 2;
        parts[i].blocks = allocate(2, sizeof parts[i].blocks[0]);
        parts[i].blocks[1].quadruple = 3;
        parts[i].plan.stages[0].warmup_ns = i;
    }

    merge_all();

    cr_expect_eq(merged.num_effects, 0);
    cr_expect_not(merged.arms[0].client_cpu_interval_known);
    cr_expect_not_null(strstr(merged.notes[0], "there are no effects"));
    cr_assert_eq(merged.num_blocks, 6);
    cr_expect_eq(merged.blocks[5].quadruple, 11);
    cr_expect_eq(merged.num_throughput, 0);
}

Test(merge, knows_no_percentiles_when_a_part_has_no_histogram)
{
    make_load(5000);
    free(parts[1].arms[0].latency_ns.hdr);
    parts[1].arms[0].latency_ns.hdr = NULL;

    merge_all();

    cr_expect_null(merged.arms[0].latency_ns.hdr);
    cr_expect_not(merged.arms[0].latency_ns.p50.known);
    cr_expect_eq(merged.arms[0].latency_ns.moments.sum, whole.arms[0].latency_ns.moments.sum);
}

Test(merge, refuses_sums_that_are_too_large)
{
    static const size_t all[NUM_PARTS] = {0, 1, 2};
    struct ekb_fail fail;
    make_load(500);
    parts[1].arms[0].client.started = INT64_MAX;

    cr_expect_eq(merge_these(&merged, all, NUM_PARTS, &fail), EKB_TOO_BIG);
    cr_expect_eq(merged.num_arms, 0);
    cr_expect_not_null(strstr(fail.detail, "arms.load.started adds up to more"), "%s", fail.detail);
    parts[1].arms[0].client.started = 0;
    parts[1].client_cpu[0].user_ns = INT64_MAX;
    parts[2].client_cpu[0].user_ns = 1;
    cr_expect_eq(merge_these(&merged, all, NUM_PARTS, &fail), EKB_TOO_BIG);
    cr_expect_not_null(strstr(fail.detail, "cpu.client.load.user_ns"), "%s", fail.detail);
}

// What differs in long paths is as often their beginning as their end.
Test(merge, cuts_long_names_in_the_middle)
{
    char middle[281] = "";
    char first[320];
    char other[320];
    struct ekb_fail fail;
    make_load(100);
    SET_TEXT(parts[1].plan.tls, "1.2");
    for (size_t i = 0; i + 1 < sizeof middle; i += 2) {
        (void)snprintf(middle + i, sizeof middle - i, "\xc3\xbc");
    }
    (void)snprintf(first, sizeof first, "one/%s/a.json", middle);
    (void)snprintf(other, sizeof other, "two/%sx/b.json", middle); // Cut at another byte.

    const struct ekb_merge_part list[] = {{first, &parts[0]}, {other, &parts[1]}};
    cr_expect_eq(ekb_merge_records(&merged, list, 2, &fail), EKB_USAGE);

    json_t *text = json_string(fail.detail); // NULL unless it is UTF-8.
    cr_expect_not_null(text, "%s", fail.detail);
    json_decref(text);
    cr_expect_not_null(strstr(fail.detail, " in one/"), "%s", fail.detail);
    cr_expect_not_null(strstr(fail.detail, "/a.json and \"1.2\" in two/"), "%s", fail.detail);
    cr_expect_not_null(strstr(fail.detail, "x/b.json"), "%s", fail.detail);
    cr_expect_not_null(strstr(fail.detail, "..."), "%s", fail.detail);
}

// One change of the second part each, and what is said of it.

static void change_kind(struct ekb_record *record)
{
    SET_TEXT(record->kind, "measure");
}

static void change_search(struct ekb_record *record)
{
    SET_TEXT(record->kind, "capacity");
}

static void change_tls(struct ekb_record *record)
{
    SET_TEXT(record->plan.tls, "1.2");
}

static void change_target(struct ekb_record *record)
{
    SET_TEXT(record->plan.target, "192.0.2.9:8443");
}

static void change_duration(struct ekb_record *record)
{
    record->plan.stages[0].duration_ns++;
}

static void change_warmup(struct ekb_record *record)
{
    record->plan.stages[0].warmup_ns++;
}

static void change_shape(struct ekb_record *record)
{
    SET_TEXT(record->plan.stages[0].shape, "closed-loop");
}

static void change_stretches(struct ekb_record *record)
{
    record->plan.stages[0].open_loop.stretches[0].duration_ns++;
}

static void change_arm(struct ekb_record *record)
{
    record->arms[0].depth = 3;
}

static void change_arms(struct ekb_record *record)
{
    record->num_arms = 0;
}

static void change_scenario(struct ekb_record *record)
{
    SET_TEXT(record->plan.scenario, "another");
}

static void change_release(struct ekb_record *record)
{
    SET_TEXT(record->plan.release, "2.0");
}

static void change_confirm(struct ekb_record *record)
{
    SET_TEXT(record->plan.confirm, "close");
}

static void change_floor_every(struct ekb_record *record)
{
    record->plan.stages[0].floor_every = 5;
}

static void change_name(struct ekb_record *record)
{
    SET_TEXT(record->plan.name, "quick");
}

static void change_groups(struct ekb_record *record)
{
    SET_TEXT(record->plan.groups, "P-256");
}

static void change_key(struct ekb_record *record)
{
    SET_TEXT(record->plan.key, "rsa2048");
}

static void change_cipher(struct ekb_record *record)
{
    SET_TEXT(record->plan.cipher, "another");
}

static void change_group(struct ekb_record *record)
{
    SET_TEXT(record->plan.group, "P-521");
}

static void change_signature(struct ekb_record *record)
{
    SET_TEXT(record->plan.server_signature, "another");
}

static void change_deadline(struct ekb_record *record)
{
    record->plan.deadline_ns = 5;
}

static void change_slice(struct ekb_record *record)
{
    record->plan.stages[0].slice_ns = 5;
}

static void change_ramp(struct ekb_record *record)
{
    record->plan.stages[0].ramp_ns = 5;
}

static void change_client(struct ekb_record *record)
{
    SET_TEXT(record->plan.stages[0].client, "cheap");
}

static void change_arrivals(struct ekb_record *record)
{
    SET_TEXT(record->plan.stages[0].open_loop.arrivals, "fixed");
}

static void change_expect(struct ekb_record *record)
{
    SET_TEXT(record->arms[0].expect, "reject");
}

static void change_server(struct ekb_record *record)
{
    record->arms[0].server_known = false;
}

static void change_time_and_rate(struct ekb_record *record)
{
    SET_TEXT(record->started_at, "2027-01-01T00:00:00Z");
    record->plan.stages[0].open_loop.stretches[0].end_per_s = 51;
}

Test(merge, refuses_another_plan_and_says_what_differs)
{
    static const struct {
        void (*change)(struct ekb_record *record);
        const char *said;
    } rows[] = {
        {change_kind, "kind is \"load\" in a.json and \"measure\" in b.json"},
        {change_search, "b.json is a result of \"capacity\""},
        {change_tls, "plan.tls is \"1.3\" in a.json and \"1.2\" in b.json"},
        {change_target, "plan.target is"},
        {change_duration, "plan.stages.load.duration_ns is"},
        {change_warmup, "plan.stages.load.warmup_ns is"},
        {change_shape, "plan.stages.load.shape is"},
        {change_stretches, "plan.stages.load.stretches.duration_ns is"},
        {change_arm, "arms.load.depth is \"0\" in a.json and \"3\" in b.json"},
        {change_arms, "the number of arms is"},
        {change_scenario, "plan.scenario is \"\" in a.json and \"another\" in b.json"},
        {change_release, "plan.release is"},
        {change_confirm, "plan.confirm is"},
        {change_floor_every, "plan.stages.load.floor_every is"},
        {change_name, "plan.name is"},
        {change_groups, "plan.groups is"},
        {change_key, "plan.key is"},
        {change_cipher, "plan.cipher is"},
        {change_group, "plan.group is"},
        {change_signature, "plan.server_signature is"},
        {change_deadline, "plan.deadline_ns is"},
        {change_slice, "plan.stages.load.slice_ns is"},
        {change_ramp, "plan.stages.load.ramp_ns is"},
        {change_client, "plan.stages.load.client is"},
        {change_arrivals, "plan.stages.load.arrivals is"},
        {change_expect, "arms.load.expect is"},
        {change_server, "arms.load.server is"},
        {change_time_and_rate, "plan.stages.load.stretches.end_per_s is"},
    };
    static const size_t two[] = {0, 1};
    struct ekb_fail fail;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_load(100);
        const size_t num_arms = parts[1].num_arms;
        rows[i].change(&parts[1]);

        const enum ekb_err err = merge_these(&merged, two, 2, &fail);

        cr_expect_eq(err, EKB_USAGE, "%s: %s", rows[i].said, ekb_err_name(err));
        cr_expect_not_null(strstr(fail.detail, rows[i].said), "\"%s\" without \"%s\"", fail.detail,
                           rows[i].said);
        parts[1].num_arms = num_arms;
        tear_down();
    }
}
