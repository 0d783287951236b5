#include "ekubench/report/format.h"

#include "ekubench/base/file.h"
#include "ekubench/report/distribution.h"
#include "ekubench/stat/words.h"

#include <criterion/criterion.h>
#include <hdr/hdr_histogram.h>
#include <hdr/hdr_histogram_log.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ekb_record record;
static char *text;

static void tear_down(void)
{
    free(text);
    ekb_record_deinit(&record);
}

TestSuite(format, .fini = tear_down, .timeout = 30);

// read_golden reads a result of tests/report/golden.
static void read_golden(const char *name)
{
    char path[512];
    uint8_t *data = NULL;
    size_t data_len = 0;
    struct ekb_fail fail = {0};
    (void)snprintf(path, sizeof path, "%s/report/golden/%s.json", EKB_TEST_DIR, name);
    cr_assert_eq(ekb_file_read(&data, &data_len, path, 1u << 24, NULL), EKB_OK, "%s", path);
    cr_assert_eq(ekb_record_from_json(&record, (const char *)data, data_len, &fail), EKB_OK, "%s",
                 fail.detail);
    free(data);
}

static enum ekb_err write_as(const char *format, size_t num_results, const char *arm,
                             struct ekb_fail *fail)
{
    char label[] = "result";
    const struct ekb_report_result results[] = {{label, &record}, {label, &record}};
    const struct ekb_report_set set = {
        .results = results, .num_results = num_results, .choice = {.arm = arm}};
    *fail = (struct ekb_fail){0};
    return ekb_report_format_write(&text, ekb_report_format_find(format), &set, fail);
}

static void must_write_as(const char *format, const char *arm)
{
    struct ekb_fail fail;
    cr_assert_eq(write_as(format, 1, arm, &fail), EKB_OK, "%s", fail.detail);
}

Test(format, has_each_name_once_and_says_what_it_is_for)
{
    size_t num = 0;
    for (const struct ekb_report_format *format = ekb_report_format_at(0); format != NULL;
         format = ekb_report_format_at(num)) {
        cr_expect_eq(ekb_report_format_find(format->name), format, "%s", format->name);
        cr_expect_gt(strlen(format->purpose), 10);
        cr_expect_gt(strlen(format->extension), 1);
        num++;
    }
    cr_expect_eq(num, 11);
    cr_expect_null(ekb_report_format_find("pdf"));
}

Test(format, writes_the_same_twice)
{
    read_golden("measure");
    struct ekb_fail fail;
    for (size_t i = 0; ekb_report_format_at(i) != NULL; i++) {
        const char *name = ekb_report_format_at(i)->name;
        cr_assert_eq(write_as(name, 1, strcmp(name, "hgrm") == 0 ? "load/on" : NULL, &fail), EKB_OK,
                     "%s: %s", name, fail.detail);
        char *first = text;
        cr_assert_eq(write_as(name, 1, strcmp(name, "hgrm") == 0 ? "load/on" : NULL, &fail),
                     EKB_OK);
        cr_expect_str_eq(first, text);
        free(first);
        free(text);
        text = NULL;
    }
}

Test(format, refuses_more_than_it_holds)
{
    struct ekb_fail fail;
    read_golden("load");

    cr_expect_eq(write_as("hlog", 2, NULL, &fail), EKB_USAGE);
    cr_expect_str_eq(fail.detail, "hlog holds one result, not 2: report each by itself");
    cr_expect_eq(write_as("csv", 1, "load/load", &fail), EKB_USAGE);
    cr_expect_null(text);
}

Test(format, writes_something_of_a_record_with_nothing_in_it)
{
    struct ekb_fail fail;
    (void)snprintf(record.kind, sizeof record.kind, "measure");
    for (size_t i = 0; ekb_report_format_at(i) != NULL; i++) {
        const struct ekb_report_format *format = ekb_report_format_at(i);
        if (format->breadth == EKB_REPORT_ONE_DISTRIBUTION) {
            cr_expect_eq(write_as(format->name, 1, NULL, &fail), EKB_USAGE);
            continue;
        }
        cr_expect_eq(write_as(format->name, 1, NULL, &fail), EKB_OK, "%s: %s", format->name,
                     fail.detail);
        cr_expect_gt(strlen(text), 1, "%s", format->name);
        free(text);
        text = NULL;
    }
}

// The histogram library's own reader takes the log.
Test(format, writes_a_log_that_the_library_reads)
{
    struct hdr_log_reader reader;
    struct ekb_report_distribution distribution = {.arm = NULL};
    read_golden("load");
    must_write_as("hlog", NULL);
    FILE *file = fmemopen(text, strlen(text), "r");
    cr_assert_not_null(file);
    cr_assert_eq(hdr_log_reader_init(&reader), 0);
    cr_assert_eq(hdr_log_read_header(&reader, file), 0);
    cr_expect_eq(reader.major_version, 1);
    cr_expect_eq(reader.minor_version, 3);

    size_t num = 0;
    while (ekb_report_distribution_next(&record, &distribution)) {
        char tag[128] = "";
        char wanted[256];
        struct hdr_log_entry entry = {.tag = tag, .tag_len = sizeof tag};
        struct hdr_histogram *hist = NULL;
        cr_assert_eq(hdr_log_read_entry(&reader, file, &entry, &hist), 0);
        (void)snprintf(wanted, sizeof wanted, "%s.%s.%s", distribution.arm->stage,
                       distribution.arm->name, distribution.metric);
        const struct ekb_record_summary *summary = distribution.summary;
        cr_expect_str_eq(tag, wanted);
        cr_expect_eq((uint64_t)hist->total_count, summary->moments.count);
        cr_expect_eq(entry.interval.tv_sec, 3);
        if (summary->p50.known) {
            cr_expect_eq((uint64_t)hdr_value_at_percentile(hist, 50.0), summary->p50.value);
        }
        hdr_close(hist);
        num++;
    }
    cr_expect_eq(num, 4);
    (void)fclose(file);
}

// Each row of the percentile text is what the histogram says.
Test(format, writes_percentiles_that_the_histogram_has)
{
    read_golden("load");
    must_write_as("hgrm", NULL);
    struct hdr_histogram *hist = NULL;
    char *hdr = record.arms[0].latency_ns.hdr;
    cr_assert_eq(hdr_log_decode(&hist, hdr, strlen(hdr)), 0);

    size_t num_rows = 0;
    double last = -1;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        double value = 0;
        double share = 0;
        double count = 0;
        if (sscanf(line, "%lf %lf %lf", &value, &share, &count) != 3) {
            continue;
        }
        const double total = (double)hist->total_count;
        const double wanted = (double)hdr_value_at_percentile(hist, 100.0 * count / total) / 1e3;
        cr_expect(value > wanted - 0.0006 && value < wanted + 0.0006, "%g: %g, not %g", share,
                  value, wanted);
        cr_expect_geq(count, share * total * (1 - 1e-12), "%g: only %g of %g", share, count, total);
        cr_expect_geq(value, last);
        last = value;
        num_rows++;
    }
    cr_expect_gt(num_rows, 30);
    hdr_close(hist);
}

// add_arm adds an arm to `record`, and its rate to the throughput.
static struct ekb_record_arm *add_arm(const char *stage, const char *name, const char *expect)
{
    record.arms = reallocarray(record.arms, record.num_arms + 1, sizeof record.arms[0]);
    record.throughput =
        reallocarray(record.throughput, record.num_throughput + 1, sizeof record.throughput[0]);
    cr_assert(record.arms != NULL && record.throughput != NULL);
    struct ekb_record_throughput *row = &record.throughput[record.num_throughput++];
    *row = (struct ekb_record_throughput){.accepted_per_s = 123};
    EKB_RECORD_COPY(row->stage, stage);
    EKB_RECORD_COPY(row->arm, name);
    struct ekb_record_arm *arm = &record.arms[record.num_arms++];
    *arm = (struct ekb_record_arm){.depth = 1};
    EKB_RECORD_COPY(arm->stage, stage);
    EKB_RECORD_COPY(arm->name, name);
    EKB_RECORD_COPY(arm->expect, expect);
    return arm;
}

// add_effect adds an effect of server CPU in `unit`.
static struct ekb_record_effect *add_effect(const char *stage, const char *unit)
{
    record.effects = reallocarray(record.effects, record.num_effects + 1, sizeof record.effects[0]);
    cr_assert_not_null(record.effects);
    struct ekb_record_effect *effect = &record.effects[record.num_effects++];
    *effect = (struct ekb_record_effect){.mde = 1};
    EKB_RECORD_COPY(effect->stage, stage);
    EKB_RECORD_COPY(effect->unit, unit);
    EKB_RECORD_COPY(effect->question, EKB_EFFECT_EKU);
    EKB_RECORD_COPY(effect->contrast, "on - off");
    EKB_RECORD_COPY(effect->metric, EKB_METRIC_SERVER_CPU);
    EKB_RECORD_COPY(effect->verdict, "no detectable difference");
    return effect;
}

static void expect_in(const char *format, const char *wanted)
{
    must_write_as(format, NULL);
    cr_expect_not_null(strstr(text, wanted), "%s: %s is not in %s", format, wanted, text);
    free(text);
    text = NULL;
}

static void expect_not_in(const char *format, const char *unwanted)
{
    must_write_as(format, NULL);
    cr_expect_null(strstr(text, unwanted), "%s: %s is in %s", format, unwanted, text);
    free(text);
    text = NULL;
}

Test(format, takes_a_refusal_that_is_due_for_a_success)
{
    struct ekb_record_arm *arm = add_arm("load", "refuses", "refuse");
    arm->client = (struct ekb_record_outcomes){.started = 12, .failed = 10, .unfinished = 2};
    cr_assert_eq(ekb_record_counts_add(&arm->client.failures, "verify_no_issuer", 10), EKB_OK);

    expect_in("junit", "name=\"load/refuses: the client is to refuse\"");
    expect_in("junit", "failures=\"0\"");
    expect_not_in("csv", ",123,");
    expect_not_in("github-benchmark", "accepted_each_ns");
    expect_not_in("bencher", "accepted_per_s");
}

Test(format, takes_another_failure_than_a_refusal_for_one)
{
    struct ekb_record_arm *arm = add_arm("load", "refuses", "refuse");
    arm->client = (struct ekb_record_outcomes){.started = 10, .failed = 10};
    cr_assert_eq(ekb_record_counts_add(&arm->client.failures, "timeout", 10), EKB_OK);

    expect_in("junit", "failures=\"1\"");
}

// In the others the arms take turns, or are what others are compared with.
Test(format, follows_rates_only_of_stages_where_an_arm_has_the_load_to_itself)
{
    add_arm("variants", "depth=2", "accept");
    add_arm("cost", "on-d1", "accept");
    add_arm("floor", "on-d1", "accept");
    add_arm("pilot", "on-d1", "accept");
    expect_not_in("github-benchmark", "accepted_each_ns");
    expect_not_in("bencher", "accepted_per_s");

    add_arm("validation", "on-d1", "accept");
    expect_in("github-benchmark", "validation/on-d1 accepted_each_ns");
    expect_in("bencher", "accepted_per_s");
}

Test(format, counts_whom_the_run_ended_before_as_neither)
{
    add_arm("load", "on", "accept")->client =
        (struct ekb_record_outcomes){.started = 10, .accepted = 7, .unfinished = 3};
    add_arm("load", "off", "reject")->client =
        (struct ekb_record_outcomes){.started = 10, .rejected = 7, .unfinished = 3};

    expect_in("junit", "failures=\"0\"");
    record.arms[0].client.unfinished = 2;
    expect_in("junit", "failures=\"1\"");
}

// write_set writes three results, called "a", `second` and "a (2)", of the same record.
static void write_set(const char *format, const char *second)
{
    struct ekb_fail fail = {0};
    char labels[3][8] = {"a", "", "a (2)"};
    (void)snprintf(labels[1], sizeof labels[1], "%s", second);
    const struct ekb_report_result results[] = {
        {labels[0], &record}, {labels[1], &record}, {labels[2], &record}};
    const struct ekb_report_set set = {.results = results, .num_results = 3};
    free(text);
    text = NULL;
    cr_assert_eq(ekb_report_format_write(&text, ekb_report_format_find(format), &set, &fail),
                 EKB_OK, "%s", fail.detail);
}

Test(format, tells_results_of_one_name_apart)
{
    static const char *const formats[] = {"openmetrics", "csv", "junit", "markdown", "text"};
    add_arm("load", "on", "accept");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        write_set(formats[i], "a");
        cr_expect_not_null(strstr(text, "a (2)"), "%s: %s", formats[i], text);
        cr_expect_not_null(strstr(text, "a (3)"), "%s: %s", formats[i], text);
    }
    write_set("openmetrics", "b");
    cr_expect_null(strstr(text, "a (3)"), "%s", text);
}

// num_lines_like counts the lines that begin with `begin`.
static size_t num_lines_like(const char *begin)
{
    size_t num = 0;
    for (const char *at = strstr(text, begin); at != NULL; at = strstr(at + 1, begin)) {
        num += at == text || at[-1] == '\n' ? 1 : 0;
    }
    return num;
}

// A damaged file: a series may not come twice, whatever the reader of the format makes of it.
Test(format, writes_no_series_twice_of_a_file_that_repeats_itself)
{
    add_arm("load", "on", "accept")->client.accepted = 7;
    add_arm("load", "on", "accept")->client.accepted = 8;
    add_effect("cost", "%");
    add_effect("cost", "%");

    must_write_as("openmetrics", NULL);

    cr_expect_eq(
        num_lines_like(
            "ekubench_handshakes_total{stage=\"load\",arm=\"on\",outcome=\"accepted\"} 7\n"),
        1);
    cr_expect_eq(num_lines_like("ekubench_handshakes_total{"), 5, "%s", text);
    cr_expect_eq(num_lines_like("ekubench_accepted_per_second{"), 1, "%s", text);
    cr_expect_eq(num_lines_like("ekubench_effect_ratio{"), 3, "%s", text);
}

Test(format, gives_openmetrics_what_the_older_text_form_can_read_too)
{
    add_arm("load", "on", "accept");
    must_write_as("openmetrics", NULL);

    cr_expect_null(strstr(text, " info\n"), "%s", text);
    cr_expect_not_null(strstr(text, "# TYPE ekubench_run_info gauge\n"), "%s", text);
    cr_expect_eq(num_lines_like("ekubench_run_info{"), 1, "%s", text);
}

Test(format, gives_ratios_as_shares_of_one)
{
    add_effect("cost", "%")->estimate = (struct ekb_estimate){.estimate = 2, .low = 1, .high = 3};

    expect_in("openmetrics", "bound=\"estimate\"} 0.02\n");
    expect_in("openmetrics", "bound=\"high\"} 0.03\n");
}

Test(format, says_in_markdown_of_which_stage_an_effect_is)
{
    add_effect("cost", "ns");
    add_effect("load", "ns");

    expect_in("markdown", "on - off | cost | server_cpu_ns |");
    expect_in("markdown", "on - off | load | server_cpu_ns |");
}

Test(format, scales_the_least_that_markdown_could_have_seen)
{
    struct ekb_record_effect *effect = add_effect("cost", "ns");
    effect->estimate = (struct ekb_estimate){.estimate = 222, .low = -507, .high = 973};
    effect->mde = 1062;
    expect_in("markdown", "| +0.2 [-0.5, 1.0] | 1.1 | us |");

    effect->mde = 962;
    expect_in("markdown", "| +222 [-507, 973] | 962 | ns |");

    effect->mde = 123456;
    expect_in("markdown", "| 123 | us |");

    EKB_RECORD_COPY(effect->unit, "bytes");
    effect->mde = 0.0344;
    expect_in("markdown", "| 0.034 | bytes |");
}

Test(format, leaves_out_facts_that_are_unknown)
{
    expect_not_in("markdown", "CPUs");
    record.host.cpus = 2;
    expect_in("markdown", "| CPUs | 2 |");
}

Test(format, has_no_time_in_junit_where_none_is_known)
{
    expect_not_in("junit", "timestamp");
    EKB_RECORD_COPY(record.started_at, "2026-11-22T01:13:32.724Z");
    expect_in("junit", " timestamp=\"2026-11-22T01:13:32\"");

    // The nineteenth byte is in the middle of a character.
    EKB_RECORD_COPY(record.started_at, "2026-11-22T01:13:3\xc3\xa9Z");
    expect_not_in("junit", "timestamp");
}

Test(format, cuts_no_character_of_a_time_in_html)
{
    EKB_RECORD_COPY(record.started_at, "2026-11-2\xc3\xa9T01:13\xc3\xa9");
    expect_in("html", " on 2026-11-2\xc3\xa9T01:13\xc3\xa9 on ");
    EKB_RECORD_COPY(record.started_at, "2026-11-22T01:13:32.724Z");
    expect_in("html", " on 2026-11-22 at 01:13 UTC on ");
    record.started_at[0] = '\0';
    expect_not_in("html", " UTC on ");
}

Test(format, says_of_no_load_that_it_is_nan)
{
    read_golden("load");
    record.num_reasons = 0;
    record.plan.stages[0].open_loop.planned_per_s = (double)NAN;

    expect_in("markdown", "Under load the server accepted");
    expect_in("text", "Open loop, poisson arrivals: -/s planned");
}

Test(format, fails_a_search_only_if_no_rate_meets_the_objective)
{
    static const struct {
        const char *state, *counts;
    } rows[] = {{"found", " failures=\"0\" errors=\"0\" skipped=\"0\""},
                {"ceiling", " failures=\"0\" errors=\"0\" skipped=\"0\""},
                {"nothing", " failures=\"1\" errors=\"0\" skipped=\"0\""},
                {"disturbed", " failures=\"0\" errors=\"0\" skipped=\"1\""}};
    record.capacity.known = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EKB_RECORD_COPY(record.capacity.state, rows[i].state);
        expect_in("junit", rows[i].counts);
    }
}

Test(format, passes_no_arm_that_has_not_begun)
{
    add_arm("load", "on", "accept");

    expect_in("junit", " failures=\"0\" errors=\"0\" skipped=\"1\"");
}

Test(format, has_no_interval_without_both_its_ends)
{
    record.capacity = (struct ekb_record_capacity){
        .known = true, .percentile = 99, .lower_per_s = 100, .upper_per_s = (double)INFINITY};
    expect_in("bencher", "{\"value\": 100}");

    record.capacity.upper_per_s = 120;
    expect_in("bencher", "{\"value\": 100, \"lower_value\": 100, \"upper_value\": 120}");
}
