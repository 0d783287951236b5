#include "ekubench/report/text.h"

#include "ekubench/stat/words.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 100
#define SET_TEXT(field, text) ((void)snprintf((field), sizeof(field), "%s", (text)))

static struct ekb_record record;
static char *text;

static void tear_down(void)
{
    free(text);
    ekb_record_deinit(&record);
}

TestSuite(text, .fini = tear_down, .timeout = 30);

// Records made by hand.

static void *allocate(size_t num_items, size_t item_len)
{
    void *items = calloc(num_items, item_len);
    cr_assert_not_null(items);
    return items;
}

static void fill_head(const char *kind)
{
    SET_TEXT(record.kind, kind);
    SET_TEXT(record.started_at, "2026-03-29T06:54:39.839Z");
    SET_TEXT(record.build.version, "0.1.0");
    SET_TEXT(record.build.boringssl_revision, "32b51305debe43e38e7bf2c2b13c4ebf3b474e80");
    record.build.boringssl_api_version = 19;
    record.build.boringssl_assembly_known = true;
    record.build.boringssl_assembly = true;
    SET_TEXT(record.host.kernel, "6.1.0-18-amd64");
    SET_TEXT(record.host.cpu_model, "AMD EPYC 7B13");
    record.host.cpus = 2;
    SET_TEXT(record.plan.tls, "1.3");
    SET_TEXT(record.plan.cipher, "TLS_AES_128_GCM_SHA256");
    SET_TEXT(record.plan.groups, "X25519:P-256:P-384");
    SET_TEXT(record.plan.key, "p256");
    SET_TEXT(record.plan.confirm, "byte");
}

static void add_stage(const char *name, uint64_t in_flight)
{
    record.plan.stages =
        realloc(record.plan.stages, (record.plan.num_stages + 1) * sizeof record.plan.stages[0]);
    cr_assert_not_null(record.plan.stages);
    struct ekb_record_stage *stage = &record.plan.stages[record.plan.num_stages++];
    *stage = (struct ekb_record_stage){.in_flight = in_flight};
    SET_TEXT(stage->name, name);
    SET_TEXT(stage->client, "full");
}

// add_arm appends an arm with `accepted` accepted handshakes.
static struct ekb_record_arm *add_arm(const char *stage, const char *name, uint64_t accepted)
{
    record.arms = realloc(record.arms, (record.num_arms + 1) * sizeof record.arms[0]);
    cr_assert_not_null(record.arms);
    struct ekb_record_arm *arm = &record.arms[record.num_arms++];
    *arm = (struct ekb_record_arm){.client = {.started = accepted, .accepted = accepted}};
    SET_TEXT(arm->stage, stage);
    SET_TEXT(arm->name, name);
    SET_TEXT(arm->expect, "accept");
    return arm;
}

// set_effect gives an effect another estimate and, unless it is NULL, another verdict.
static void set_effect(const char *metric, const char *contrast, struct ekb_estimate estimate,
                       const char *verdict)
{
    size_t num_found = 0;
    for (size_t i = 0; i < record.num_effects; i++) {
        struct ekb_record_effect *effect = &record.effects[i];
        if (strcmp(effect->metric, metric) == 0 && strcmp(effect->contrast, contrast) == 0) {
            effect->estimate = estimate;
            num_found++;
            if (verdict != NULL) {
                SET_TEXT(effect->verdict, verdict);
            }
        }
    }
    cr_assert_eq(num_found, 1, "%s of %s", metric, contrast);
}

static void set_server_cpu(struct ekb_record_arm *arm, double estimate, double low, double high)
{
    arm->server_cpu_interval_known = true;
    arm->server_cpu_interval = (struct ekb_estimate){estimate, low, high, 60};
}

static struct ekb_record_u64 known(uint64_t value)
{
    return (struct ekb_record_u64){true, value};
}

static void set_latency(struct ekb_record_arm *arm)
{
    arm->latency_ns.known = true;
    arm->latency_ns.moments = (struct ekb_moments){.count = 5000, .min = 1000000, .max = 948700000};
    arm->latency_ns.p50 = known(800600000);
    arm->latency_ns.p90 = known(896000000);
    arm->latency_ns.p99 = known(941600000);
}

static void add_effect(const char *question, const char *metric, const char *contrast,
                       struct ekb_estimate estimate, const char *verdict)
{
    record.effects = realloc(record.effects, (record.num_effects + 1) * sizeof record.effects[0]);
    cr_assert_not_null(record.effects);
    struct ekb_record_effect *effect = &record.effects[record.num_effects++];
    *effect = (struct ekb_record_effect){.estimate = estimate, .mde = 900};
    SET_TEXT(effect->question, question);
    SET_TEXT(effect->metric, metric);
    SET_TEXT(effect->contrast, contrast);
    SET_TEXT(effect->verdict, verdict);
}

static void add_rate(const char *stage, const char *arm, double accepted_per_s)
{
    record.throughput =
        realloc(record.throughput, (record.num_throughput + 1) * sizeof record.throughput[0]);
    cr_assert_not_null(record.throughput);
    struct ekb_record_throughput *row = &record.throughput[record.num_throughput++];
    *row = (struct ekb_record_throughput){.accepted_per_s = accepted_per_s};
    SET_TEXT(row->stage, stage);
    SET_TEXT(row->arm, arm);
}

// remove_effects removes those that answer `question`, or all with NULL.
static void remove_effects(const char *question)
{
    size_t num_kept = 0;
    for (size_t i = 0; i < record.num_effects; i++) {
        if (question != NULL && strcmp(record.effects[i].question, question) != 0) {
            record.effects[num_kept++] = record.effects[i];
        }
    }
    record.num_effects = num_kept;
}

static struct ekb_record_real real(double value)
{
    return (struct ekb_record_real){true, value};
}

static void add_block(const char *arm, double wall_ns, bool disturbed)
{
    record.blocks = realloc(record.blocks, (record.num_blocks + 1) * sizeof record.blocks[0]);
    cr_assert_not_null(record.blocks);
    struct ekb_record_block *block = &record.blocks[record.num_blocks++];
    // Counted, it would be 100/s.
    *block = (struct ekb_record_block){.disturbed = disturbed,
                                       .measured_ns = 1000000000,
                                       .accepted = 100,
                                       .accepted_per_s = 100,
                                       .wall_ns = real(wall_ns)};
    SET_TEXT(block->stage, "load");
    SET_TEXT(block->arm, arm);
}

static void fill_cpu(struct ekb_record_cpu *cpu, const char *stage)
{
    SET_TEXT(cpu->stage, stage);
    cpu->per_handshake_ns = real(1234567);
    cpu->kernel_and_loop_ns = real(98765);
    cpu->busy_percent = real(99.7);
    cpu->memory_per_connection_bytes = real(40960);
    SET_TEXT(cpu->cpu_list, "12");
}

#define NOTHING "no detectable difference; smallest detectable 900 ns"

static void fill_effects(void)
{
    static const char *const server = EKB_METRIC_SERVER_CPU;
    static const char *const client = EKB_METRIC_CLIENT_CPU;
    static const char *const rungs[] = {"parse-d1 - one-way", "none-d1 - parse-d1",
                                        "off-d1 - none-d1",   "on-d1 - off-d1",
                                        "name-d1 - on-d1",    "crl-d1 - name-d1"};
#define E(estimate, low, high) (struct ekb_estimate){estimate, low, high, 60}
    add_effect(EKB_EFFECT_CONTROL, server, "on-d1-again - on-d1", E(120, -300, 500), NOTHING);
    add_effect(EKB_EFFECT_CONTROL, client, "on-d1-again - on-d1", E(-80, -700, 600), NOTHING);
    add_effect(EKB_EFFECT_CONTROL, EKB_METRIC_WALL, "on-again - on", E(0.3, -0.9, 1.4), NOTHING);
    add_effect(EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_TIMER,
               E(23.1, 21.9, 24.2), "slower by 23.1 ns [21.9 ns, 24.2 ns]");
    add_effect(EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_FIRST,
               E(31.7, 30.3, 32.7), "slower by 31.7 ns [30.3 ns, 32.7 ns]");
    add_effect(EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_SLOPE,
               E(19.1, 18.9, 19.2), "slower by 19.1 ns [18.9 ns, 19.2 ns]");
    add_effect(EKB_EFFECT_EKU, server, "on-d1 - none-d1", E(42, -410, 490), NOTHING);
    add_effect(EKB_EFFECT_EKU, server, "off-d1 - none-d1", E(-30, -450, 390), NOTHING);
    add_effect(EKB_EFFECT_EKU, server, "on-d2 - none-d2", E(12, -390, 440), NOTHING);
    add_effect(EKB_EFFECT_LOAD, server, "on - none", E(210, -1200, 1700), NOTHING);
    add_effect(EKB_EFFECT_LOAD, EKB_METRIC_WALL, "on - none", E(0.2, -0.7, 1.1),
               "equivalent within 2.00 %");
    for (size_t i = 0; i < sizeof rungs / sizeof rungs[0]; i++) {
        const double cost = 10000.0 * (double)(i + 1);
        add_effect(EKB_EFFECT_LADDER, server, rungs[i], E(cost, cost - 500, cost + 500), "slower");
        add_effect(EKB_EFFECT_LADDER, client, rungs[i], E(300, -500, 900), NOTHING);
        add_effect(EKB_EFFECT_LADDER, EKB_METRIC_WIRE, rungs[i], E(i == 0 ? 621 : -0.02, -0.1, 0.1),
                   NOTHING);
    }
    add_effect(EKB_EFFECT_DEPTH, server, EKB_CONTRAST_DEPTH_ON, E(75123, 74900, 75300),
               "slower by 75.1 us [74.9 us, 75.3 us]");
    add_effect(EKB_EFFECT_SERVER_DEPTH, client, EKB_CONTRAST_SERVER_DEPTH, E(68000, 67500, 68500),
               "slower by 68 us");
    add_effect(EKB_EFFECT_SERVER_DEPTH, EKB_METRIC_WIRE, EKB_CONTRAST_SERVER_DEPTH,
               E(474, 473.9, 474.1), "more by 474 bytes");
    add_effect(EKB_EFFECT_REJECT, server, "reject-d1 - on-d1", E(-169000, -170000, -168000),
               "faster by 169 us [168 us, 170 us]");
    add_effect(EKB_EFFECT_REJECT, client, "reject-d1 - on-d1", E(3600, 1900, 5300),
               "slower by 3.60 us [1.90 us, 5.30 us]");
    add_effect(EKB_EFFECT_RESUMED, server, EKB_CONTRAST_RESUMED, E(-210000, -212000, -208000),
               "faster by 210 us [208 us, 212 us]");
    add_effect(EKB_EFFECT_RESUMED, client, EKB_CONTRAST_RESUMED, E(-150000, -151000, -149000),
               "faster by 150 us [149 us, 151 us]");
    add_effect(EKB_EFFECT_RESUMED, server, EKB_CONTRAST_TICKETS, E(9000, 8000, 10000),
               "slower by 9.00 us [8.00 us, 10.0 us]");
#undef E
}

// A measurement as a whole: everything known that can be.
static void fill_measurement(void)
{
    static const char *const modes[] = {"on", "off", "none"};
    static const unsigned depths[] = {1, 2, 3, 5};
    char name[32];
    fill_head("measure");
    add_stage("cost", 4);
    add_stage("load", 2000);
    for (unsigned m = 0; m < 3; m++) {
        for (unsigned d = 0; d < 4; d++) {
            (void)snprintf(name, sizeof name, "%s-d%u", modes[m], depths[d]);
            const double cost = 250000.0 + 75000.0 * depths[d] + 100.0 * m;
            set_server_cpu(add_arm("cost", name, 1000), cost, cost - 800, cost + 900);
        }
    }
    set_server_cpu(add_arm("cost", "one-way", 1000), 133000, 132800, 133200);
    set_server_cpu(add_arm("cost", EKB_ARM_RESUMED, 1000), 115000, 114000, 116000);
    struct ekb_record_arm *rejected = add_arm("cost", "reject-d1", 0);
    set_server_cpu(rejected, 156000, 155000, 157000);
    SET_TEXT(rejected->expect, "reject");
    rejected->client = (struct ekb_record_outcomes){.started = 1000, .rejected = 1000};
    cr_assert_eq(ekb_record_counts_add(&rejected->client.failures, "tls_alert", 1000), EKB_OK);
    cr_assert_eq(ekb_record_counts_add(&rejected->client.alerts, "unsupported_certificate", 1000),
                 EKB_OK);
    for (unsigned m = 0; m < 3; m++) {
        set_latency(add_arm("load", modes[m], 8000));
        add_rate("load", modes[m], 833.4);
    }
    add_rate("load", "", 2500.2);
    fill_effects();
    record.server_cpu = allocate(2, sizeof record.server_cpu[0]);
    record.client_cpu = allocate(2, sizeof record.client_cpu[0]);
    record.num_server_cpu = 2;
    record.num_client_cpu = 2;
    fill_cpu(&record.server_cpu[0], "cost");
    fill_cpu(&record.server_cpu[1], "load");
    fill_cpu(&record.client_cpu[0], "cost");
    fill_cpu(&record.client_cpu[1], "load");
    record.floors_known = true;
    record.server_floor = (struct ekb_record_side_floor){
        .memory_ns = {.known = true, .moments = {.count = 100, .sum = 30000000}},
        .interval_known = true,
        .interval = {300000, 299000, 301000, 12},
        .tcp_known = true,
        .tcp = {21000, 20500, 21500, 12},
        .measured_known = true,
        .measured = {331000, 329000, 333000, 12},
        .tax_known = true,
        .tax_percent = {3.1, 2.2, 4.0, 12},
    };
    record.client_floor = record.server_floor;
    record.host.steal_percent = real(0.04);
}

// A run of the plan "compare": one arm, nothing to compare it with.
static void fill_compare(const char *name)
{
    fill_head("measure");
    add_stage("cost", 64);
    struct ekb_record_arm *arm = add_arm("cost", name, 5000);
    set_latency(arm);
    set_server_cpu(arm, 237200, 235600, 239100);
    arm->client_cpu_interval_known = true;
    arm->client_cpu_interval = (struct ekb_estimate){213900, 212800, 215300, 60};
    add_rate("cost", name, 3456);
    record.server_cpu = allocate(1, sizeof record.server_cpu[0]);
    record.num_server_cpu = 1;
    fill_cpu(&record.server_cpu[0], "cost");
}

static void fill_load(void)
{
    fill_head("load");
    SET_TEXT(record.plan.target, "127.0.0.1:7001");
    add_stage("load", 100);
    set_latency(add_arm("load", "load", 5000));
    add_rate("load", "load", 1234);
}

// Looking at the report.

static void write_report(void)
{
    free(text);
    text = NULL;
    cr_assert_eq(ekb_report_text(&text, &record), EKB_OK);
}

static void expect_plain(const char *what)
{
    size_t column = 0;
    const char *line = text;
    for (const char *c = text; *c != '\0'; c++) {
        const bool is_plain = (*c >= ' ' && *c <= '~') || *c == '\n';
        cr_expect(is_plain, "%s: byte %d", what, (unsigned char)*c);
        if (*c != '\n') {
            column++;
            continue;
        }
        cr_expect_leq(column, MAX_COLUMNS, "%s: %zu columns: %.*s", what, column, (int)column,
                      line);
        column = 0;
        line = c + 1;
    }
    cr_expect_eq(column, 0, "%s: the last line has no end", what);
    cr_expect_null(strstr(text, " \n"), "%s: blanks at the end of a line", what);
}

// line_with returns the first line of the report that contains `part`; it fails the test if there
// is none.
static const char *line_with(const char *part)
{
    static char line[1024];
    const char *found = strstr(text, part);
    cr_assert_not_null(found, "no \"%s\" in:\n%s", part, text);
    while (found > text && found[-1] != '\n') {
        found--;
    }
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(found, "\n"), found);
    return line;
}

// row_of returns the last line that begins with `word` and a space: the one of the load table.
static const char *row_of(const char *word)
{
    static char line[1024];
    const size_t word_len = strlen(word);
    line[0] = '\0';
    for (const char *c = text; *c != '\0'; c++) {
        const bool begins = c == text || c[-1] == '\n';
        if (begins && strncmp(c, word, word_len) == 0 && c[word_len] == ' ') {
            (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(c, "\n"), c);
        }
    }
    cr_assert_neq(line[0], '\0', "no row of %s in:\n%s", word, text);
    return line;
}

static bool has(const char *part)
{
    return strstr(text, part) != NULL;
}

// says is true if the report has `sentence`, wherever its lines break.
static bool says(const char *sentence)
{
    char *flat = strdup(text);
    cr_assert_not_null(flat);
    for (char *c = flat; *c != '\0'; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
    const bool found = strstr(flat, sentence) != NULL;
    free(flat);
    return found;
}

// Form.

Test(text, is_plain_when_everything_is_known)
{
    fill_measurement();

    write_report();

    expect_plain("measurement");
}

Test(text, is_plain_when_nothing_is_known)
{
    write_report();

    expect_plain("zeroes");
}

Test(text, is_plain_when_it_is_about_a_load)
{
    fill_load();

    write_report();

    expect_plain("load");
}

Test(text, is_plain_when_intervals_are_narrow)
{
    fill_measurement();
    for (size_t i = 0; i < record.num_arms; i++) {
        set_server_cpu(&record.arms[i], 1178231, 1178201, 1178261);
    }

    write_report();

    expect_plain("narrow intervals");
}

Test(text, is_plain_when_reasons_and_notes_are_long)
{
    fill_load();
    ekb_record_add_reason(&record,
                          "load/a-rather-long-name: the server counts 123456789 accepted and "
                          "123456789 rejected, the client 123456788 and 123456789 (%s)",
                          "and so on");
    ekb_record_add_note(&record,
                        "load: rate x latency gives 123456 in flight where 123456 were kept for "
                        "as long as anybody can remember (%s)",
                        "Little's law");

    write_report();

    expect_plain("long lines");
}

Test(text, is_the_same_when_written_again)
{
    fill_measurement();
    write_report();
    char *first = strdup(text);
    cr_assert_not_null(first);

    write_report();

    cr_expect_str_eq(text, first);
    free(first);
}

// Content.

Test(text, begins_with_what_ran_where)
{
    fill_measurement();

    write_report();

    cr_expect_str_eq(line_with("ekubench "), "ekubench 0.1.0  measure  2026-03-29T06:54:39.839Z");
    cr_expect(has("TLS_AES_128_GCM_SHA256"));
    cr_expect(has("2 CPUs (AMD EPYC 7B13)"));
    cr_expect(has("with assembly"));
}

Test(text, warns_when_library_has_no_assembly)
{
    fill_measurement();
    record.build.boringssl_assembly = false;

    write_report();

    cr_expect(has("WITHOUT assembly"));
}

Test(text, gives_costs_with_intervals)
{
    fill_measurement();

    write_report();

    const char *row = line_with("depth 1      ");
    cr_expect(strstr(row, "325.0 [324.2, 325.9]") != NULL, "%s", row);
    row = line_with("depth 5 ");
    cr_expect(strstr(row, "625.0 [624.2, 625.9]") != NULL, "%s", row);
    row = line_with("+1 certificate");
    cr_expect(strstr(row, "75.12 [74.90, 75.30]") != NULL, "%s", row);
}

Test(text, answers_in_a_few_sentences_first_of_all)
{
    fill_measurement();

    write_report();

    const char *answer = strstr(text, "The answer\n");
    cr_assert_not_null(answer);
    cr_expect_lt(answer, strstr(text, "What does each rung"));
    cr_expect(
        says("The answer ---------- Checking the client's EKU costs the server 23.1 ns [21.9, "
             "24.2] per certificate with warm caches, 0.007 % of a verified handshake, and "
             "31.7 ns [30.3, 32.7] when the certificate was not looked at before."),
        "%s", answer);
    cr_expect(says("differs from one without any by 42 ns [-410, 490] (0.01 %) of server CPU: no "
                   "detectable difference; 0.9 us (0.3 %) would have been seen."),
              "%s", answer);
    cr_expect(says("133.00 us [132.80, 133.20]"), "%s", answer);
    cr_expect(says("consulting a CRL 60.0 us [59.5, 60.5]; and"), "%s", answer);
    cr_expect(says("With 2,000 in flight the server accepted 2500 handshakes/s.  What does each"),
              "%s", answer);
}

// The switch is on or off: what it costs stands in the answer, and in the table.
Test(text, says_what_the_switch_costs)
{
    fill_measurement();
    add_effect(EKB_EFFECT_EKU, EKB_METRIC_SERVER_CPU, "on-d1 - off-d1",
               (struct ekb_estimate){-1578, -3200, 100, 60}, NOTHING);

    write_report();

    cr_expect(
        says(
            "(0.01 %) of server CPU, and from one with it off (for serverAuth) by -1.6 us "
            "[-3.2, 0.1] (-0.5 %): no detectable difference; 0.9 us (0.3 %) would have been seen."),
        "%s", text);
    cr_expect(strstr(line_with("the same, depth 1, on - off "), "-1.6 [-3.2, 0.1]") != NULL);
    cr_expect(strstr(line_with("the same, depth 1, off - none "), "[-0.45, 0.39]") != NULL, "%s",
              text);
    cr_expect(says("off: it must be for serverAuth"), "%s", text);
}

Test(text, gives_each_comparison_its_verdict_when_one_sees_a_difference)
{
    fill_measurement();
    add_effect(EKB_EFFECT_EKU, EKB_METRIC_SERVER_CPU, "on-d1 - off-d1",
               (struct ekb_estimate){9000, 8000, 10000, 60}, "slower by 9.00 us [8 us, 10 us]");

    write_report();

    cr_expect(
        says("of server CPU: no detectable difference; 0.9 us (0.3 %) would have been seen; "
             "and from one with it off (for serverAuth) by 9.0 us [8.0, 10.0] (2.8 %): slower "
             "by 9.00 us."),
        "%s", text);
}

// An answer from numbers that are not to be trusted would be believed.
Test(text, withholds_the_answer_when_the_run_is_not_clean)
{
    fill_measurement();
    ekb_record_add_reason(&record, "load: interrupted");

    write_report();

    cr_expect(says("The answer ---------- No answer: the run is not clean; see below, "
                   "\"Validity\".  What does each"),
              "%s", text);
    cr_expect(!says("the server accepted") && !has("Checking the client's EKU costs"), "%s", text);
    expect_plain("not clean");
}

Test(text, withholds_the_answer_of_a_load_that_is_not_clean)
{
    fill_load();
    ekb_record_add_reason(&record, "load: interrupted");

    write_report();

    cr_expect(says("No answer: the run is not clean; see below, \"Validity\"."), "%s", text);
}

Test(text, says_what_the_words_of_its_notes_mean_and_no_others)
{
    fill_measurement();
    write_report();
    cr_expect(!has("Words:"), "%s", text);

    ekb_record_add_note(&record, "cost: left out of the estimates: 7 of 140 slices (%s)", "steal");
    write_report();
    cr_expect(says("Words: a slice is a fraction of a second of a run; intervals are over slices, "
                   "not over handshakes; steal is time that the hypervisor gave to others. "),
              "%s", text);
    cr_expect(!says("a contrast is") && !says("an arm is"), "%s", text);
}

Test(text, is_not_just_clean_when_a_question_has_no_answer)
{
    fill_measurement();
    write_report();
    cr_expect(has("\nClean: nothing speaks against these numbers.\n"), "%s", text);

    set_effect(EKB_METRIC_WALL, "on - none", (struct ekb_estimate){0.2, -0.7, 1.1, 60},
               "no verdict: too few replicates for an A/A control");
    write_report();
    cr_expect(says("Clean, but not every question has an answer. Comparisons without a verdict: 1 "
                   "in \"What does the EKU check cost?\"."),
              "%s", text);
    cr_expect(says("replicates are the repetitions that an interval is over"), "%s", text);
    cr_expect(!has("nothing speaks against"), "%s", text);
}

// An interval of 95 % misses the truth once in twenty: that makes no run unclean.
Test(text, says_by_which_interval_a_control_is_judged)
{
    fill_measurement();
    write_report();
    cr_expect(says("one in twenty of these 95 % intervals misses 0; if the 99 % interval of a "
                   "control does, verdicts are withheld"),
              "%s", text);
}

Test(text, says_what_the_levels_of_its_stages_include)
{
    fill_measurement();
    add_stage("floor", 64);

    write_report();

    cr_expect(
        says("costs the server 325 us in TLS and our own code with 4 in flight (the tables of "
             "costs); with the kernel's part, 331 us with 64 in flight (here), and 1235 us "
             "with 2,000 (under load)."),
        "%s", text);
    cr_expect(says("slice by slice: they are not exactly those of two levels"), "%s", text);
}

Test(text, gives_no_memory_of_a_connection_when_there_were_few)
{
    fill_measurement();
    write_report();
    cr_expect(has("40.0 KiB a connection"), "%s", text);

    record.server_cpu[1].peak_connections = known(99);
    record.client_cpu[1].peak_connections = known(99);
    write_report();
    cr_expect(!has("a connection\n"), "%s", text);

    record.server_cpu[1].peak_connections = known(100);
    write_report();
    cr_expect(has("40.0 KiB a connection"), "%s", text);
}

Test(text, says_what_its_verdicts_mean)
{
    fill_measurement();
    write_report();
    cr_expect(!has("Equivalent:") && says("First look: the check right after signatures"), "%s",
              text);

    for (size_t i = 0; i < record.num_effects; i++) {
        record.effects[i].equivalence = 2000;
    }
    remove_effects(EKB_EFFECT_EKU);
    write_report();
    cr_expect(!has("Equivalent:"), "%s", text);

    add_effect(EKB_EFFECT_EKU, EKB_METRIC_SERVER_CPU, "on-d1 - none-d1",
               (struct ekb_estimate){42, -410, 490, 60}, "equivalent within 2.00 us");
    record.effects[record.num_effects - 1].equivalence = 2000;
    write_report();
    cr_expect(says("(of a handshake's CPU, +-2 us) that counts as no difference"), "%s", text);
}

Test(text, says_where_client_and_server_ran)
{
    fill_measurement();
    write_report();
    cr_expect(says("server on CPU 12, client on CPU 12, over loopback;"), "%s", text);

    record.host.virtual_machine_known = true;
    record.host.virtual_machine = true;
    SET_TEXT(record.plan.target, "192.0.2.7:443");
    write_report();
    cr_expect(says("2 virtual CPUs (AMD EPYC 7B13)"), "%s", text);
    cr_expect(says("client on CPU 12, server at 192.0.2.7:443;") && !has("loopback"), "%s", text);
}

Test(text, answers_in_the_unit_of_its_tables_when_the_interval_reaches_a_microsecond)
{
    fill_measurement();
    set_effect(EKB_METRIC_SERVER_CPU, "on-d1 - none-d1",
               (struct ekb_estimate){-594, -1784, 695, 60}, NULL);

    write_report();

    cr_expect(says("-0.6 us [-1.8, 0.7]"), "%s", text);
    cr_expect(!has("-594"), "%s", text);
}

Test(text, calls_what_a_rejected_client_costs_less_a_saving)
{
    fill_measurement();

    write_report();

    cr_expect(says("a client rejected for its EKU takes 169.0 us [168.0, 170.0] less than an"),
              "%s", text);
}

Test(text, says_more_when_a_rejected_client_costs_more)
{
    fill_measurement();
    set_effect(EKB_METRIC_SERVER_CPU, "reject-d1 - on-d1",
               (struct ekb_estimate){12e3, 9e3, 14e3, 60}, NULL);

    write_report();

    cr_expect(says("takes 12.0 us [9.0, 14.0] more than an"), "%s", text);
}

Test(text, says_what_a_resumed_handshake_costs_and_what_tickets_do)
{
    fill_measurement();
    write_report();
    cr_expect(says("nothing presented or verified: 115.0 [114.0, 116.0] us of server CPU"), "%s",
              text);
    cr_expect(says("server -210.0 [-212.0, -208.0] us, client -150.0 [-151.0, -149.0] us"), "%s",
              text);
    cr_expect(says("the tickets costs the server +9.0 [8.0, 10.0] us in a full one"), "%s", text);
}

Test(text, says_nothing_of_resumption_that_was_not_measured)
{
    fill_measurement();
    remove_effects(EKB_EFFECT_RESUMED);
    write_report();
    cr_expect(!says("What does a resumed handshake cost?"), "%s", text);
}

// Rates are of those accepted: 0/s would look like a rate.
Test(text, gives_no_rate_of_an_arm_that_is_to_be_rejected)
{
    fill_head("load");
    add_stage("load", 100);
    struct ekb_record_arm *rejected = add_arm("load", "rejected", 0);
    SET_TEXT(rejected->expect, "reject");
    rejected->client = (struct ekb_record_outcomes){.started = 7, .rejected = 7};
    add_rate("load", "rejected", 0);
    write_report();
    cr_expect(has("\nrejected                  0         7       0         -"), "%s", text);
}

Test(text, has_its_sections_in_their_order)
{
    static const char *const titles[] = {
        "\nThe answer\n",
        "\nWhat does each rung of verification add?\n",
        "\nWhat does the EKU check cost?\n",
        "\nWhat does each extra certificate cost?\n",
        "\nWhat does a rejected client cost?\n",
        "\nWhat does a resumed handshake cost?\n",
        "\nUnder load\n",
        "\nFloors: how much of it is this tool?\n",
        "\nValidity\n",
    };
    const char *last = NULL;
    fill_measurement();

    write_report();

    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        const char *title = strstr(text, titles[i]);
        cr_assert_not_null(title, "no %s", titles[i]);
        cr_expect_gt(title, last, "%s", titles[i]);
        last = title;
    }
}

Test(text, gives_what_each_rung_adds_on_both_sides)
{
    fill_measurement();

    write_report();

    const char *row = line_with("+ certificate and client's signature");
    cr_expect(strstr(row, "+10.0 [9.5, 10.5]") != NULL, "%s", row);
    cr_expect(strstr(row, "+621") != NULL, "%s", row);
    cr_expect(says("that proves its key (CertificateVerify) checked."), "%s", text);
    row = line_with("+ CRL checked");
    cr_expect(strstr(row, "+60.0 [59.5, 60.5]") != NULL, "%s", row);
    cr_expect(strstr(row, "+0.3 [-0.5, 0.9]") != NULL, "%s", row);
    cr_expect(strstr(row, "+0\n") == NULL && strstr(row, " -0") == NULL, "%s", row);
}

Test(text, puts_the_channels_side_by_side)
{
    fill_measurement();

    write_report();

    const char *row = line_with("component, per certificate: timer");
    cr_expect(strstr(row, "+23.1 [21.9, 24.2]") != NULL, "%s", row);
    row = line_with("per handshake, server CPU, depth 1");
    cr_expect(strstr(row, "no detectable difference") != NULL, "%s", row);
    row = line_with("blocks, wall time per handshake");
    cr_expect(strstr(row, "equivalent within 2.00 %") != NULL, "%s", row);
    cr_expect(has("The channels agree: 23 ns"), "%s", text);
}

static void set_slope(double estimate, double low, double high)
{
    set_effect(EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_SLOPE,
               (struct ekb_estimate){estimate, low, high, 60}, NULL);
}

// 23.1 [21.9, 24.2] and 19.1 [18.9, 19.2].
Test(text, says_by_how_much_the_timers_differ_when_their_intervals_do_not_overlap)
{
    fill_measurement();

    write_report();

    cr_expect(says("The channels agree: 23 ns for each certificate below the root lie in every "
                   "interval of what was measured from outside; the two ways to time the check "
                   "differ by a factor of 1.21 (below 2 is agreement)."),
              "%s", text);
}

Test(text, does_not_compare_the_timers_when_their_intervals_overlap)
{
    fill_measurement();
    set_slope(21.8, 20.9, 22.0);

    write_report();

    cr_expect(says("from outside. "), "%s", text);
    cr_expect(!has("two ways"), "%s", text);
}

Test(text, says_that_the_channels_do_not_agree_when_the_timers_do_not)
{
    fill_measurement();
    set_slope(9.9, 9.8, 10.0);

    write_report();

    cr_expect(says("The channels do not agree: 23 ns for each certificate below the root lie in "
                   "every interval of what was measured from outside; the two ways to time the "
                   "check differ by a factor of 2.33 (below 2 is agreement)."),
              "%s", text);
}

Test(text, gives_no_factor_when_one_timer_finds_no_cost)
{
    fill_measurement();
    set_slope(-0.3, -1, 0.4);

    write_report();

    cr_expect(says("do not agree") && says("one of the two ways to time the check finds no cost."),
              "%s", text);
}

static void add_curvature(struct ekb_estimate estimate, const char *verdict)
{
    add_effect(EKB_EFFECT_LINEARITY, EKB_METRIC_SERVER_CPU, EKB_CONTRAST_CLIENT_CURVE, estimate,
               verdict);
}

// The second differences of a square are twice its coefficient.
Test(text, says_how_much_the_next_certificate_costs_less_when_it_is_no_straight_line)
{
    fill_measurement();
    add_curvature((struct ekb_estimate){-590, -750, -400, 60}, "faster by 590 ns [400 ns, 750 ns]");

    write_report();

    cr_expect_str_eq(line_with("Client's chain: "),
                     "Client's chain: No: each further certificate costs 1.18 us [0.80, 1.50] less "
                     "than the one before.");
}

Test(text, says_how_much_the_next_certificate_costs_more_when_it_is_no_straight_line)
{
    fill_measurement();
    add_curvature((struct ekb_estimate){410, 200, 630, 60}, "slower by 410 ns [200 ns, 630 ns]");

    write_report();

    cr_expect(has("No: each further certificate costs 0.82 us [0.40, 1.26] more than the one"),
              "%s", text);
}

Test(text, says_that_it_is_a_straight_line_when_nothing_else_is_seen)
{
    static const char *const verdicts[] = {NOTHING, "equivalent within 2.00 us"};
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        tear_down();
        text = NULL;
        fill_measurement();
        add_curvature((struct ekb_estimate){30, -200, 210, 60}, verdicts[i]);

        write_report();

        cr_expect_str_eq(line_with("Client's chain: "),
                         "Client's chain: Yes, as far as this run can see: each costs 60 ns "
                         "[-400, 420] more than the last.");
    }
}

Test(text, does_not_say_whether_it_is_a_straight_line_when_the_verdict_is_withheld)
{
    fill_measurement();
    add_curvature((struct ekb_estimate){30, -200, 210, 60},
                  "withheld: the A/A control shows a difference");

    write_report();

    cr_expect_str_eq(line_with("Client's chain: "),
                     "Client's chain: No answer; withheld: the A/A control shows a difference.");
}

Test(text, says_so_when_the_channels_do_not_agree)
{
    fill_measurement();
    for (size_t i = 0; i < record.num_effects; i++) {
        if (strcmp(record.effects[i].contrast, "on-d2 - none-d2") == 0) {
            record.effects[i].estimate = (struct ekb_estimate){900, 500, 1300, 60};
        }
    }

    write_report();

    cr_expect(has("The channels do not agree"), "%s", text);
}

Test(text, gives_the_controls)
{
    fill_measurement();

    write_report();

    cr_expect(has("A/A control (the same arm twice), server: difference 0.12 [-0.30, 0.50] us."),
              "%s", line_with("A/A"));
    cr_expect(has("client: difference -0.1 [-0.7, 0.6] us.") ||
                  has("client: difference -0.08 [-0.70, 0.60] us."),
              "%s", text);
    cr_expect(has("differs by 0.3 [-0.9, 1.4] %."), "%s", text);
}

Test(text, gives_latencies_in_milliseconds)
{
    fill_measurement();

    write_report();

    const char *row = row_of("off");
    cr_expect(strstr(row, "8000") != NULL, "%s", row);
    cr_expect(strstr(row, "833") != NULL, "%s", row);
    cr_expect(strstr(row, "800.6") != NULL, "%s", row);
    cr_expect(strstr(row, "941.6") != NULL, "%s", row);
    cr_expect(strstr(row, "948.7") != NULL, "%s", row);
}

// 1 / 250 us and 1 / 500 us; the third block was disturbed.
Test(text, gives_the_rate_of_an_arm_by_the_wall_time_of_its_undisturbed_blocks)
{
    fill_measurement();
    record.num_throughput = 0;
    add_block("off", 250000, false);
    add_block("on", 123, false);
    add_block("off", 500000, false);
    add_block("off", 100000, true);

    write_report();

    const char *row = row_of("off");
    cr_expect(strstr(row, " 3000 ") != NULL, "%s", row);
    cr_expect(strstr(row, " 100 ") == NULL, "%s", row);
}

Test(text, adds_up_all_arms)
{
    fill_measurement();

    write_report();

    cr_expect(has("39000 handshakes: 38000 accepted, 1000 rejected, 0 failed, 0 unfinished."), "%s",
              line_with("handshakes:"));
}

Test(text, counts_no_connection_without_tls_as_a_handshake)
{
    char handshakes[64];
    char connections[96];
    fill_measurement();
    EKB_RECORD_COPY(record.arms[0].verify, "tcp");
    const uint64_t num = record.arms[0].client.started;
    (void)snprintf(handshakes, sizeof handshakes,
                   "%llu handshakes:", (unsigned long long)(39000 - num));
    (void)snprintf(connections, sizeof connections,
                   "Beside them %llu TCP connections without TLS, for the floor.",
                   (unsigned long long)num);

    write_report();

    cr_expect_gt(num, 0u);
    cr_expect(has(handshakes), "%s", line_with("handshakes:"));
    cr_expect(says(connections), "%s", text);
}

Test(text, lists_failures_and_alerts_when_there_are_any)
{
    fill_measurement();

    write_report();

    cr_expect_str_eq(line_with("tls_alert"), "  cost/reject-d1: 1000 x tls_alert (expected)");
    cr_expect(strstr(line_with("unsupported_certificate"), "1000") != NULL);
}

Test(text, does_not_excuse_failures_when_they_are_not_expected)
{
    fill_load();
    record.arms[0].client = (struct ekb_record_outcomes){.started = 7, .failed = 7};
    cr_assert_eq(ekb_record_counts_add(&record.arms[0].client.failures, "peer_reset", 7), EKB_OK);

    write_report();

    cr_expect_str_eq(line_with("peer_reset"), "  load/load: 7 x peer_reset");
}

Test(text, gives_floors_with_the_engine_tax)
{
    fill_measurement();

    write_report();

    const char *row = line_with("300.0 [299.0, 301.0]");
    cr_expect(strncmp(row, "server", 6) == 0, "%s", row);
    cr_expect(strstr(row, "21.0 [20.5, 21.5]") != NULL, "%s", row);
    cr_expect(strstr(row, "331.0 [329.0, 333.0]") != NULL, "%s", row);
    cr_expect(strstr(row, "3.10 [2.20, 4.00]") != NULL || strstr(row, "3.1 [2.2, 4.0]") != NULL,
              "%s", row);
}

Test(text, gives_one_table_when_there_is_one_arm)
{
    static const char *const names[] = {"on-d1", "none-d3", "one-way"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tear_down();
        text = NULL;
        fill_compare(names[i]);

        write_report();

        const char *row = row_of(names[i]);
        cr_expect(strstr(row, " 5000 ") && strstr(row, " 3456 ") && strstr(row, " 941.6 "), "%s",
                  row);
        cr_expect(has("Closed loop, 64 in flight."), "%s", text);
        cr_expect(has("server: 237.2 [235.6, 239.1] us of CPU per handshake"), "%s", text);
        cr_expect(has("client: 213.9 [212.8, 215.3] us of CPU per handshake"), "%s", text);
        cr_expect(has("server: 100 % of CPU 12 busy"), "%s", text);
        cr_expect(!has("The answer") && !has("each extra certificate") && !has("each rung") &&
                      !has("EKU check"),
                  "%s", text);
        expect_plain(names[i]);
    }
}

Test(text, leaves_out_the_cost_of_one_arm_when_it_is_unknown)
{
    fill_compare("on-d1");
    record.arms[0].server_cpu_interval_known = false;

    write_report();

    cr_expect(!has("server: 237") && has("client: 213.9"), "%s", text);
}

Test(text, names_the_target_when_server_is_not_ours)
{
    fill_load();

    write_report();

    cr_expect(has("127.0.0.1:7001"));
    cr_expect(has("100 in flight"));
    cr_expect(!has("The answer"));
}

Test(text, warns_when_acceptance_was_not_confirmed)
{
    fill_load();
    SET_TEXT(record.plan.confirm, "none");

    write_report();

    cr_expect(has("may still"), "%s", text);
}

// What is not known.

Test(text, shows_dash_when_cost_is_unknown)
{
    fill_measurement();
    for (size_t i = 0; i < record.num_arms; i++) {
        record.arms[i].server_cpu_interval_known = false;
    }

    write_report();

    const char *row = line_with("depth 1      ");
    cr_expect(strstr(row, " - ") != NULL, "%s", row);
    cr_expect_null(strstr(row, "["), "%s", row);
    cr_expect_null(strstr(row, "0.0"), "%s", row);
}

Test(text, shows_dash_when_percentile_is_unknown)
{
    fill_measurement();

    write_report();

    // p99.9 stands between p99 and the maximum.
    const char *row = row_of("off");
    const char *p99 = strstr(row, "941.6");
    const char *max = strstr(row, "948.7");
    cr_assert(p99 != NULL && max != NULL, "%s", row);
    cr_expect_eq(strspn(p99 + 5, " "), (size_t)(strchr(p99, '-') - p99 - 5), "%s", row);
    cr_expect_lt(strchr(p99, '-'), max, "%s", row);
}

Test(text, shows_dash_when_there_is_no_latency)
{
    fill_load();
    record.arms[0].latency_ns.known = false;

    write_report();

    const char *row = line_with("5000");
    cr_expect_not_null(strchr(row, '-'), "%s", row);
    cr_expect_null(strstr(row, "0.0"), "%s", row);
}

// A rate that is not known must not become 0.
Test(text, shows_dash_when_rate_is_unknown)
{
    fill_load();
    record.num_throughput = 0;

    write_report();

    char *row = strdup(line_with("5000"));
    cr_assert_not_null(row);
    // Name, accepted, rejected, failed, then the rate.
    const char *words[5] = {0};
    char *rest = NULL;
    char *word = strtok_r(row, " ", &rest);
    for (int i = 0; i < 5 && word != NULL; i++) {
        words[i] = word;
        word = strtok_r(NULL, " ", &rest);
    }
    cr_assert_not_null(words[4]);
    cr_expect_str_eq(words[4], "-");
    free(row);
}

Test(text, shows_dash_when_key_type_is_unknown)
{
    fill_load();
    record.plan.key[0] = '\0';

    write_report();

    cr_expect(has("key -") || !has("key "), "%s", line_with("key "));
}

Test(text, leaves_out_what_was_not_run)
{
    fill_head("measure");

    write_report();

    cr_expect(has("No answer: what was asked for was not measured."));
    cr_expect(!has("Under load"));
    cr_expect(!has("in memory"));
    cr_expect(!has("hypervisor"));
    cr_expect(!has("A/A"));
}

Test(text, leaves_out_floors_when_none_was_measured)
{
    fill_measurement();
    record.server_floor = (struct ekb_record_side_floor){0};
    record.client_floor = (struct ekb_record_side_floor){0};

    write_report();

    cr_expect(!has("Floors"));
}

#define DISTURBED "Not measured: other work or the hypervisor disturbed its slices; see Validity."

static void forget_floor(struct ekb_record_side_floor *floor)
{
    *floor = (struct ekb_record_side_floor){.memory_ns = floor->memory_ns};
}

Test(text, has_a_sentence_instead_of_floors_when_all_slices_were_disturbed)
{
    fill_measurement();
    forget_floor(&record.server_floor);
    forget_floor(&record.client_floor);

    write_report();

    cr_expect(
        has("Floors: how much of it is this tool?\n------------------------------------\n" DISTURBED
            "\n"),
        "%s", text);
    cr_expect(!has("engine tax"), "%s", text);
}

Test(text, has_a_table_of_floors_when_one_side_is_known)
{
    fill_measurement();
    forget_floor(&record.server_floor);

    write_report();

    cr_expect(has("engine tax") && !has(DISTURBED), "%s", text);
}

Test(text, says_why_there_are_no_floors_when_the_run_was_interrupted_or_short)
{
    fill_measurement();
    forget_floor(&record.server_floor);
    forget_floor(&record.client_floor);
    add_stage(EKB_STAGE_FLOOR, 64);
    record.plan.stages[record.plan.num_stages - 1].num_slices = 2;

    write_report();
    cr_expect(has("Not measured: too few slices."), "%s", text);

    record.interrupted = true;
    write_report();
    cr_expect(has("Not measured: the run was interrupted; see Validity."), "%s", text);
}

Test(text, has_one_row_for_the_blocks_when_too_few_were_undisturbed)
{
    fill_measurement();
    remove_effects(EKB_EFFECT_LOAD);

    write_report();

    const char *row = line_with("blocks ");
    cr_expect(strstr(row, "too few undisturbed quadruples") != NULL, "%s", row);
    cr_expect(!has("blocks, server CPU"), "%s", text);
    cr_expect(says("lie in every interval of the per-handshake channel"), "%s", text);
    cr_expect(!has("from outside"), "%s", text);
    expect_plain("no blocks");
}

Test(text, has_no_row_for_the_blocks_when_there_was_no_load)
{
    fill_measurement();
    remove_effects(EKB_EFFECT_LOAD);
    for (size_t i = 0; i < record.num_arms; i++) {
        SET_TEXT(record.arms[i].stage, "cost");
    }

    write_report();

    cr_expect(!has("quadruples"), "%s", text);
}

Test(text, says_once_why_there_is_no_verdict)
{
    static const char why[] = "no verdict: too few replicates for an A/A control";
    fill_measurement();
    set_effect(EKB_METRIC_SERVER_CPU, "on - none", (struct ekb_estimate){30, -90, 120, 4}, why);
    set_effect(EKB_METRIC_WALL, "on - none", (struct ekb_estimate){0.2, -0.7, 1.1, 4}, why);

    write_report();

    const char *row = line_with("blocks, wall time");
    cr_expect_str_eq(row + strlen(row) - strlen("  no verdict"), "  no verdict");
    const char *reason =
        strstr(text, "\nAbove, no verdict: too few replicates for an A/A control.\n");
    cr_assert_not_null(reason, "%s", text);
    cr_expect_null(strstr(reason + 2, "Above"), "%s", text);
    expect_plain("no verdict");
}

Test(text, does_not_speak_of_agreement_when_no_handshake_was_compared)
{
    fill_measurement();
    remove_effects(EKB_EFFECT_EKU);

    write_report();

    const char *row = line_with("per handshake  ");
    cr_expect(strstr(row, "too few undisturbed slices") != NULL, "%s", row);
    cr_expect(has("component, per certificate: timer"), "%s", text);
    cr_expect(!has("The channels"), "%s", text);
}

Test(text, has_no_empty_tables_when_everything_was_disturbed)
{
    fill_measurement();
    remove_effects(NULL);
    forget_floor(&record.server_floor);
    forget_floor(&record.client_floor);
    for (size_t i = 0; i < record.num_arms; i++) {
        record.arms[i].server_cpu_interval_known = false;
    }

    write_report();

    size_t num_sentences = 0;
    for (const char *c = strstr(text, DISTURBED); c != NULL; c = strstr(c + 1, DISTURBED)) {
        num_sentences++;
    }
    cr_expect_eq(num_sentences, 4, "%s", text);
    cr_expect(!has("Checking the") && !has("depth 1") && !has("+1 certificate") &&
                  !has("one-way TLS"),
              "%s", text);
    expect_plain("disturbed");
}

Test(text, compares_a_rejected_client_only_when_that_is_known)
{
    fill_measurement();
    remove_effects(EKB_EFFECT_REJECT);
    remove_effects(EKB_EFFECT_RESUMED);

    write_report();

    cr_expect(has("156.0 [155.0, 157.0] us of server CPU.\n") ||
                  has("156 [155, 157] us of server CPU.\n"),
              "%s", text);
    cr_expect(!has("Compared to"), "%s", text);
}

// A run of the plan "rejects".
static void fill_rejects(void)
{
    static const struct {
        const char *name;
        const char *alert;
        double cost;
    } arms[] = {
        {"on-d1", NULL, 310000},
        {"crl-d1", NULL, 330000},
        {"reject-d1", "unsupported_certificate", 156000},
        {"reject-ca-d1", "unknown_ca", 160000},
        {"reject-expired-d1", "certificate_expired", 240000},
        {"reject-revoked-d1", "certificate_revoked", 250000},
        {"reject-none", "certificate_required", 140000},
    };
    fill_head("measure");
    add_stage("cost", 4);
    for (size_t i = 0; i < sizeof arms / sizeof arms[0]; i++) {
        struct ekb_record_arm *arm = add_arm("cost", arms[i].name, 1000);
        set_server_cpu(arm, arms[i].cost, arms[i].cost - 1000, arms[i].cost + 1000);
        set_latency(arm);
        if (arms[i].alert != NULL) {
            SET_TEXT(arm->expect, "reject");
            arm->client = (struct ekb_record_outcomes){.started = 1000, .rejected = 1000};
            cr_assert_eq(ekb_record_counts_add(&arm->client.alerts, arms[i].alert, 1000), EKB_OK);
        }
    }
    add_effect(EKB_EFFECT_REJECT, EKB_METRIC_SERVER_CPU, "reject-d1 - on-d1",
               (struct ekb_estimate){-154000, -155000, -153000, 60}, "faster");
    add_effect(EKB_EFFECT_REJECT, EKB_METRIC_SERVER_CPU, "reject-revoked-d1 - crl-d1",
               (struct ekb_estimate){-80000, -81000, -79000, 60}, "faster");
}

Test(text, has_a_row_for_each_kind_of_client_when_several_are_rejected)
{
    static const struct {
        const char *label;
        const char *cost;
        const char *difference;
        const char *alert;
    } rows[] = {
        {"accepted ", "310.0 [309.0, 311.0]", "", ""},
        {"accepted, CRL consulted", "330.0 [329.0, 331.0]", "", ""},
        {"usage not clientAuth", "156.0 [155.0, 157.0]", "-154.0 [-155.0, -153.0]",
         "unsupported_certificate"},
        {"unknown CA", "160.0 [159.0, 161.0]", "-", "unknown_ca"},
        {"expired", "240.0 [239.0, 241.0]", "-", "certificate_expired"},
        {"revoked, CRL consulted", "250.0 [249.0, 251.0]", "-80.0 [-81.0, -79.0]",
         "certificate_revoked"},
        {"no certificate", "140.0 [139.0, 141.0]", "-", "certificate_required"},
    };
    fill_rejects();

    write_report();

    cr_expect(has("\nWhat does a rejected client cost?\n"), "%s", text);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char begin[64];
        (void)snprintf(begin, sizeof begin, "\n%s", rows[i].label);
        const char *row = strstr(text, begin);
        cr_assert_not_null(row, "no row %s in %s", rows[i].label, text);
        char line[256];
        (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(row + 1, "\n"), row + 1);
        cr_expect(strstr(line, rows[i].cost) != NULL, "%s", line);
        cr_expect(strstr(line, rows[i].difference) != NULL, "%s", line);
        cr_expect(strstr(line, rows[i].alert) != NULL, "%s", line);
        cr_expect_leq(strlen(line), 120, "%s", line);
    }
    // Of one depth there is nothing to say.
    cr_expect(!has("What does each extra certificate cost?"), "%s", text);
}

Test(text, has_no_row_for_a_kind_that_is_not_there)
{
    fill_rejects();
    record.num_arms -= 1; // That of no certificate.

    write_report();

    cr_expect(has("\nrevoked, CRL consulted "), "%s", text);
    cr_expect(!has("no certificate"), "%s", text);
    record.num_arms += 1;
}

// Links of a deployment.

static void fill_links(void)
{
    fill_head("measure");
    SET_TEXT(record.plan.scenario, "condition-4");
    SET_TEXT(record.plan.release, "X15.5");
    add_stage("cost", 4);
    set_server_cpu(add_arm("cost", "uc-zone-on", 1000), 310000, 309000, 311000);
    set_server_cpu(add_arm("cost", "uc-zone-none", 1000), 309000, 308000, 310000);
    struct ekb_record_arm *rejected = add_arm("cost", "b2b-on-on", 1000);
    SET_TEXT(rejected->expect, "reject");
    rejected->client = (struct ekb_record_outcomes){.started = 1000, .rejected = 1000};
    set_server_cpu(rejected, 156000, 155000, 157000);
    set_server_cpu(add_arm("cost", "uc-zone-on-again", 1000), 310000, 309000, 311000);
    add_effect(EKB_EFFECT_LINK, EKB_METRIC_SERVER_CPU, "uc-zone-on - uc-zone-none",
               (struct ekb_estimate){1000, -400, 2400, 60}, "no detectable difference; smallest");
    add_effect(EKB_EFFECT_REJECT_LINK, EKB_METRIC_SERVER_CPU, "b2b-on-on - b2b-on-none",
               (struct ekb_estimate){-154000, -155000, -153000, 60}, "faster by 154 us");
}

Test(text, has_a_row_for_each_link_of_a_deployment)
{
    fill_links();

    write_report();

    cr_expect(has("Deployment condition-4, by the rules of release X15.5"), "%s", text);
    cr_expect(has("\nuc-zone-on                  accepted  310.0 [309.0, 311.0]"), "%s", text);
    cr_expect(has("\nb2b-on-on                   rejected  156.0 [155.0, 157.0]"), "%s", text);
    cr_expect(!has("\nuc-zone-on-again"), "the control is no link: %s", text);
    cr_expect(has("\nWhat does the EKU check cost on the deployment's links?\n"), "%s", text);
    cr_expect(has("\nuc-zone-on - uc-zone-none"), "%s", text);
    cr_expect(has("no detectable difference\n"), "%s", text);
    cr_expect(has("\nWhat does a rejected client cost on the deployment's links?\n"), "%s", text);
    cr_expect(has("-154.0 [-155.0, -153.0]"), "%s", text);
    cr_expect(!has("What does each rung of verification add?"), "%s", text);
}

// The cheapest may be one on which nobody is let in.
Test(text, answers_for_a_deployment_with_its_links_first)
{
    fill_links();

    write_report();

    const char *answer = strstr(text, "The answer\n");
    cr_assert_not_null(answer, "%s", text);
    cr_expect_lt(answer, strstr(text, "What does a handshake cost on each link?"));
    cr_expect(
        says("A handshake costs the responder 156.0 us [155.0, 157.0] of CPU on the cheapest "
             "link, b2b-on-on (rejected), and 310.0 us [309.0, 311.0] on the dearest, "
             "uc-zone-on; the EKU check's mode changes that by 1.0 us [-0.4, 2.4] (uc-zone-on "
             "- uc-zone-none): no detectable difference; smallest."),
        "%s", text);
}

Test(text, answers_for_a_deployment_with_what_is_known)
{
    fill_links();
    remove_effects(EKB_EFFECT_LINK);
    for (size_t i = 1; i < record.num_arms; i++) {
        record.arms[i].server_cpu_interval_known = false;
    }

    write_report();

    cr_expect(says("A handshake costs the responder 310.0 us [309.0, 311.0] of CPU on the link "
                   "uc-zone-on."),
              "%s", text);

    record.arms[0].server_cpu_interval_known = false;
    write_report();

    cr_expect(says("No answer: what was asked for was not measured."), "%s", text);
}

// Validity.

Test(text, says_that_it_is_clean_when_it_is)
{
    fill_measurement();

    write_report();

    cr_expect(has("\nClean: "));
    cr_expect(!has("NOT CLEAN"));
}

Test(text, shows_every_reason_when_it_is_not_clean)
{
    fill_measurement();
    ekb_record_add_reason(&record, "load: interrupted");
    ekb_record_add_reason(&record, "cost: client and server share a CPU");

    write_report();

    cr_expect(has("NOT CLEAN: do not trust these numbers:\n"));
    cr_expect(strstr(text, "NOT CLEAN") < strstr(text, "What does"), "first of all");
    cr_expect_str_eq(line_with("interrupted"), "  - load: interrupted");
    cr_expect_str_eq(line_with("share a CPU"), "  - cost: client and server share a CPU");
    cr_expect(!has("\nClean: "));
}

Test(text, shows_notes_when_it_is_clean)
{
    fill_measurement();
    ekb_record_add_note(&record, "load: TCP segments retransmitted on this machine: 7");

    write_report();

    cr_expect_str_eq(line_with("Note: "),
                     "Note: load: TCP segments retransmitted on this machine: 7.");
    cr_expect(has("\nClean: "));
}

// Capacity.

static void fill_capacity(const char *state)
{
    struct ekb_record_capacity *capacity = &record.capacity;
    fill_head("capacity");
    capacity->known = true;
    capacity->percentile = 99;
    capacity->limit_ns = 20000000;
    SET_TEXT(capacity->state, state);
    SET_TEXT(capacity->limiter, "queueing");
    capacity->ceiling_per_s = 4100.4;
    capacity->lower_per_s = 3512.2;
    capacity->upper_per_s = 3571.9;
    capacity->num_trials = 2;
    capacity->trials = calloc(2, sizeof capacity->trials[0]);
    cr_assert_not_null(capacity->trials);
    capacity->trials[0] = (struct ekb_record_trial){.rate_per_s = 2870,
                                                    .duration_ns = 2000000000,
                                                    .due = 5740,
                                                    .accepted = 5740,
                                                    .latency_ns = {true, 3210000},
                                                    .lag_p99_ns = {true, 120000},
                                                    .server_busy_percent = {true, 68},
                                                    .client_busy_percent = {true, 52}};
    SET_TEXT(capacity->trials[0].outcome, "passed");
    capacity->trials[1] = (struct ekb_record_trial){.rate_per_s = 3700, .duration_ns = 2000000000};
    SET_TEXT(capacity->trials[1].outcome, "invalid");
    SET_TEXT(capacity->trials[1].reason, "the client was late");
    capacity->validated = true;
    capacity->validation = capacity->trials[0];
    capacity->validation.duration_ns = UINT64_C(10000000000);
    capacity->server_cpu_ns = (struct ekb_record_real){true, 250000};
    capacity->client_cpu_ns = (struct ekb_record_real){true, 180000};
    capacity->server_utilisation = (struct ekb_record_real){true, 0.88};
    capacity->server_cores = 1;
}

Test(text, answers_how_many_it_can_take)
{
    fill_capacity("found");

    write_report();

    cr_expect_not_null(
        strstr(line_with("3512 handshakes/s"),
               "meet the objective (the 99th percentile of latency at most 20.0 ms"));
    cr_expect(says("3572/s does not."));
    cr_expect(says("Limiter: queueing (handshakes wait for one another"));
    cr_expect(says("180 us"));
    cr_expect(says("the server's 1 core was 88 %"));
    cr_expect(!has("PROJECTED"));
    cr_expect(!says("How does it differ?"));
    cr_expect_not_null(line_with("1              2870     2     5740       0      3.21     0.12"));
    cr_expect(says("(the client was late)"));
}

// One trial more passed or failed by chance: the answer is no sharper than that.
Test(text, says_between_which_rates_trials_came_out_both_ways)
{
    fill_capacity("found");
    write_report();
    cr_expect(!says("the limit is about there"), "%s", text);

    SET_TEXT(record.capacity.trials[1].outcome, "failed");
    write_report();
    cr_expect(!says("the limit is about there"), "%s", text);

    record.capacity.trials[1].rate_per_s = 3400;
    write_report();
    cr_expect(says("Between 3400 and 3512/s some trials passed and some failed: the limit is about "
                   "there, and moves with the machine's speed."),
              "%s", text);
}

Test(text, marks_a_projection_as_one)
{
    fill_capacity("found");
    record.capacity.target_per_s = (struct ekb_record_real){true, 50000};
    record.capacity.target_cores = (struct ekb_record_real){true, 15};
    record.capacity.target_machines = (struct ekb_record_real){true, 15};
    record.capacity.headroom = (struct ekb_record_real){true, -13.24};

    write_report();

    cr_expect(says("PROJECTED, not measured: 50000/s need 15 server cores"));
    cr_expect(says("one alone can take 7.02 % of it"));
}

// The spread is that of all trials at the answer's rate.
Test(text, has_the_spread_of_what_was_validated)
{
    fill_capacity("found");
    record.capacity.trials[0].rate_per_s = record.capacity.lower_per_s;
    record.capacity.trials[0].latency_ns.value = 4110000;
    record.capacity.blocks_known = true;
    record.capacity.server_cpu_blocks = (struct ekb_estimate){250000, 248000, 253000, 20};
    record.capacity.client_cpu_blocks = (struct ekb_estimate){180000, 179000, 182000, 20};
    record.capacity.utilisation_blocks = (struct ekb_estimate){0.88, 0.86, 0.91, 20};

    write_report();

    cr_expect(says("(3.21 to 4.11 ms over 2 trials at"));
    cr_expect(says("server 250.0 [248.0, 253.0] us"));
    cr_expect(says("[86, 91]"));
}

Test(text, says_how_the_closed_loop_was_filled)
{
    fill_capacity("found");
    record.capacity.num_ceilings = 2;
    record.capacity.ceilings = allocate(2, sizeof record.capacity.ceilings[0]);
    record.capacity.ceilings[0] =
        (struct ekb_record_ceiling){.in_flight = 64, .accepted_per_s = 3900};
    record.capacity.ceilings[1] =
        (struct ekb_record_ceiling){.in_flight = 256, .accepted_per_s = 4100.4};

    write_report();

    cr_expect(says("A closed loop reaches 4100/s, with 256 in flight: there everybody waits"));
}

// Of a server that is not ours there is no CPU.
Test(text, projects_servers_when_the_server_is_not_ours)
{
    fill_capacity("found");
    record.capacity.server_cpu_ns.known = record.capacity.server_utilisation.known = false;
    record.capacity.server_cores = 0;
    record.capacity.target_per_s = (struct ekb_record_real){true, 50000};
    record.capacity.target_machines = (struct ekb_record_real){true, 15};
    record.capacity.headroom = (struct ekb_record_real){true, -13.24};

    write_report();

    cr_expect(says("The server is not ours"));
    cr_expect(says("PROJECTED, not measured: 50000/s need 15 servers like that one"));
    cr_expect(!says("server cores"));
}

// An answer that failed is none.
Test(text, has_no_answer_without_a_validation)
{
    fill_capacity("unvalidated");
    record.capacity.validated = false;
    record.capacity.lower_per_s = 0;

    write_report();

    cr_expect(says("No answer: no validation met the objective"));
    cr_expect(!says("meet the objective (the"));
}

Test(text, has_a_table_of_variants)
{
    fill_capacity("found");
    record.capacity.num_variants = 2;
    struct ekb_record_variant *main = &record.capacity.variants[0];
    struct ekb_record_variant *deep = &record.capacity.variants[1];
    SET_TEXT(main->name, "main");
    *deep = (struct ekb_record_variant){.cost_known = true,
                                        .cost_factor = {1.25, 1.2, 1.3, 40},
                                        .server_cpu_ns = {312500, 300000, 325000, 40},
                                        .rate_known = true,
                                        .projected_per_s = {2810, 2702, 2927, 40}};
    SET_TEXT(deep->name, "depth=2");
    main->searched = true;
    main->lower_per_s = 3512.2;

    write_report();

    cr_expect(says("How does it differ?"));
    cr_expect_not_null(strstr(line_with("main    "), "3512  "));
    cr_expect(!has("or more"));
    cr_expect_not_null(strstr(line_with("depth=2"), "313 [300, 325]"), "%s", line_with("depth=2"));
    cr_expect_not_null(strstr(line_with("depth=2"), "2810 [2702, 2927]"));
    cr_expect_not_null(strstr(line_with("depth=2"), "0.800 [0.769, 0.833]"));
}

// The client's limit is not the server's, and what is projected from it is not either.
Test(text, says_that_a_rate_may_be_more)
{
    fill_capacity("generator");
    record.capacity.num_variants = 1;
    SET_TEXT(record.capacity.variants[0].name, "main");
    SET_TEXT(record.capacity.variants[0].state, "generator");
    record.capacity.variants[0].searched = true;
    record.capacity.variants[0].lower_per_s = 3512.2;
    record.capacity.variants[0].upper_per_s = (double)INFINITY;

    write_report();

    cr_expect_not_null(strstr(line_with("main    "), "3512+"));
    cr_expect(says("+: or more"));
}

Test(text, says_that_a_search_was_interrupted)
{
    fill_capacity("exhausted");
    record.interrupted = true;

    write_report();

    cr_expect(says("The search was interrupted."));
    cr_expect(!says("The time was up"));
}

Test(text, marks_a_mix_as_projected)
{
    fill_capacity("found");
    record.capacity.mix = (struct ekb_record_mix){.known = true,
                                                  .reject_share = 0.05,
                                                  .rejected_known = true,
                                                  .rejected_cpu_ns = {125000, 120000, 130000, 40},
                                                  .rate_known = true,
                                                  .rate_per_s = {3600, 3590, 3610, 40},
                                                  .accepted_per_s = 3420};

    write_report();

    cr_expect(says("rejected for its EKU costs the server 125 [120, 130] us (measured)"));
    cr_expect(says("PROJECTED, not measured, with 5 % of the load rejected"));
    cr_expect(has("3420/s"));
    record.capacity.mix.rate_known = false;
    record.capacity.mix.resume_share = 0.3;
    free(text);
    text = NULL;

    write_report();

    cr_expect(says("30 % of the rest resumed: unknown."));
    record.capacity.mix.resumed_known = true;
    record.capacity.mix.resumed_cpu_ns = (struct ekb_estimate){85000, 80000, 90000, 40};
    record.capacity.mix.tickets_cpu_ns = (struct ekb_estimate){255000, 250000, 260000, 40};
    free(text);
    text = NULL;

    write_report();

    cr_expect(says("One that resumes costs it 85 [80, 90] us"));
}

// The client's limit is not the server's.
Test(text, says_what_the_answer_is_not)
{
    fill_capacity("generator");
    record.capacity.upper_per_s = (double)INFINITY;

    write_report();

    cr_expect(says("no rate that was tried fails to"));
    cr_expect(says("the server may take more"));
}

// An open loop of the load client.

Test(text, has_lag_and_uncorrected_latency_of_an_open_loop)
{
    fill_head("load");
    SET_TEXT(record.plan.target, "192.0.2.1:443");
    add_stage("load", 4000);
    struct ekb_record_open_loop *loop = &record.plan.stages[0].open_loop;
    loop->known = true;
    SET_TEXT(loop->arrivals, "poisson");
    loop->planned_per_s = 300;
    loop->offered_per_s = 304;
    loop->lag_ns.known = true;
    loop->lag_ns.p50 = (struct ekb_record_u64){true, 100000};
    struct ekb_record_arm *arm = add_arm("load", "load", 1000);
    arm->latency_ns.known = true;
    arm->latency_ns.p50 = (struct ekb_record_u64){true, 2000000};
    arm->uncorrected_latency_ns.known = true;
    arm->uncorrected_latency_ns.p50 = (struct ekb_record_u64){true, 1500000};

    write_report();

    cr_expect(has("Open loop, poisson arrivals: 300/s planned, 304/s offered"));
    cr_expect_not_null(strstr(line_with("  uncorrected"), "1.5"));
    cr_expect_not_null(strstr(line_with("  the client's lag"), "0.1"));
    cr_expect(!has("what was dropped"));
}

// fill_steps makes an open loop of 500/s and, from the half of its time on, `then_per_s`, in as
// many intervals.
static void fill_steps(size_t num_intervals, double then_per_s)
{
    const uint64_t half_ns = num_intervals / 2 * UINT64_C(1000000000);
    fill_head("load");
    SET_TEXT(record.plan.target, "192.0.2.1:443");
    add_stage("load", 4000);
    struct ekb_record_stage *stage = &record.plan.stages[0];
    stage->warmup_ns = UINT64_C(1000000000);
    stage->open_loop.known = true;
    SET_TEXT(stage->open_loop.arrivals, "fixed");
    stage->open_loop.num_stretches = 3;
    stage->open_loop.stretches = allocate(3, sizeof stage->open_loop.stretches[0]);
    stage->open_loop.stretches[0] = (struct ekb_record_stretch){stage->warmup_ns, 0, 500};
    stage->open_loop.stretches[1] =
        (struct ekb_record_stretch){half_ns - stage->warmup_ns, 500, 500};
    stage->open_loop.stretches[2] = (struct ekb_record_stretch){half_ns, then_per_s, then_per_s};
    set_latency(add_arm("load", "load", 5000));
    record.series = allocate(1, sizeof record.series[0]);
    record.num_series = 1;
    struct ekb_record_series *series = &record.series[0];
    SET_TEXT(series->stage, "load");
    series->interval_ns = UINT64_C(1000000000);
    series->num_intervals = num_intervals + 1;
    series->intervals = allocate(num_intervals + 1, sizeof series->intervals[0]);
    for (size_t i = 0; i < num_intervals; i++) {
        series->intervals[i] = (struct ekb_record_interval){
            .start_ns = i * series->interval_ns,
            .duration_ns = series->interval_ns,
            .started = 490,
            .accepted = 480,
            .rejected = 1,
            .failed = 2,
            .dropped = 10,
            .in_flight = i + 1,
            .p50_ns = {true, 1000000 * (i + 1)},
            .max_ns = {true, 3000000 * (i + 1)},
        };
    }
    series->intervals[num_intervals] = (struct ekb_record_interval){
        .start_ns = num_intervals * series->interval_ns, .duration_ns = 1000000, .accepted = 7};
}

static size_t num_rows_after(const char *head)
{
    size_t count = 0;
    for (const char *at = strchr(strstr(text, head), '\n') + 1; at[0] == ' '; count++) {
        at = strchr(at, '\n') + 1;
    }
    return count;
}

Test(text, has_the_course_of_a_load_that_changes)
{
    fill_steps(6, 1000);

    write_report();

    cr_assert(has("  from s    due/s accepted/s rejected   failed  dropped in flight      p50      "
                  "p99      max\n"
                  "       0      500        480        1        2       10         1      1.0      "
                  "  -      3.0\n"
                  "       1      500        480        1        2       10         2      2.0      "
                  "  -      "
                  "6.0\n"),
              "%s", text);
    // What ended in the millisecond after is no row.
    cr_expect_eq(num_rows_after("  from s "), 6u);
    cr_expect(!has("the highest of the intervals"));
}

// Of a result of an earlier version it is not.
Test(text, has_the_steal_of_a_load_that_changes_when_it_is_known)
{
    fill_steps(120, 1000);
    record.series[0].intervals[0].steal_percent = (struct ekb_record_real){true, 2};
    record.series[0].intervals[1].steal_percent = (struct ekb_record_real){true, 5};

    write_report();

    cr_expect(has("      p99      max steal %\n"), "%s", text);
    cr_expect(has("       0      500        480        6       12       60         6      6.0      "
                  "  -     18.0     3.5\n"),
              "%s", text);
    cr_expect(has("        12     12.0        -     36.0       -\n"), "%s", text);
}

Test(text, has_few_rows_when_the_load_was_long)
{
    fill_steps(120, 1000);

    write_report();

    cr_expect_eq(num_rows_after("  from s "), 20u);
    cr_expect(has("       6      500        480        6       12       60        12     12.0      "
                  "  -     36.0\n"));
    cr_expect(has("the highest of the intervals"));
}

Test(text, has_no_course_when_the_load_was_steady)
{
    fill_steps(6, 500);

    write_report();

    cr_expect(!has("from s"));
}
