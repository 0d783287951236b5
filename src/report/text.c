#include "ekubench/report/text.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How many characters a wrapped line may have; two less than a line has, for the indented ones.
#define WIDTH 98

struct unit {
    double divisor;
    const char *name;
};

// All times of one table are in one unit, so that they can be compared by eye.
static const struct unit microseconds = {1e3, "us"};
static const struct unit milliseconds = {1e6, "ms"};

static void rule(FILE *out, const char *title)
{
    (void)fprintf(out, "\n%s\n", title);
    for (size_t i = 0; i < strlen(title) && i < WIDTH; i++) {
        (void)fputc('-', out);
    }
    (void)fputc('\n', out);
}

// wrapped prints a paragraph, broken between words.
static void wrapped(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);

static void wrapped(FILE *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);

    char *rest = NULL;
    size_t column = 0;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        const size_t word_len = strlen(word);
        if (column > 0 && column + 1 + word_len > WIDTH) {
            (void)fputc('\n', out);
            column = 0;
        }
        (void)fprintf(out, "%s%s", column > 0 ? " " : "", word);
        column += word_len + (column > 0 ? 1 : 0);
    }
    (void)fputc('\n', out);
}

static const struct ekb_record_stage *find_stage(const struct ekb_record *record, const char *name)
{
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        if (strcmp(record->plan.stages[i].name, name) == 0) {
            return &record->plan.stages[i];
        }
    }
    return NULL;
}

static const struct ekb_record_cpu *find_cpu(const struct ekb_record_cpu *rows, size_t num_rows,
                                             const char *stage)
{
    for (size_t i = 0; i < num_rows; i++) {
        if (strcmp(rows[i].stage, stage) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

// decimals returns how many decimals of `value` its interval's width makes meaningful: as many as
// show its second digit.
static int decimals(double width)
{
    int count = 0;
    for (double scaled = width; count < 2 && scaled < 10.0; scaled *= 10.0) {
        count++;
    }
    return width <= 0 ? 1 : count;
}

// rounded returns `value` as it will be printed, but never the zero that is printed as -0.
static double rounded(double value, int digits)
{
    const double factor = pow(10, digits);
    return round(value * factor) / factor + 0.0;
}

// write_interval writes "183.2 [182.9, 183.6]" in `unit`.
static const char *write_interval(char out_text[64], const struct ekb_estimate *estimate,
                                  struct unit unit)
{
    const double scale = 1.0 / unit.divisor;
    const int digits = decimals((estimate->high - estimate->low) * scale);
    (void)snprintf(out_text, 64, "%.*f [%.*f, %.*f]", digits,
                   rounded(estimate->estimate * scale, digits), digits,
                   rounded(estimate->low * scale, digits), digits,
                   rounded(estimate->high * scale, digits));
    return out_text;
}

static void write_head(FILE *out, const struct ekb_record *record)
{
    (void)fprintf(out, "ekubench %s  %s  %s\n", record->build.version, record->kind,
                  record->started_at);
    wrapped(
        out, "TLS %s, %s, groups %s, key %s; %llu x %s, %s; BoringSSL %s (API %llu, %s assembly)",
        record->plan.tls, record->plan.cipher[0] != '\0' ? record->plan.cipher : "cipher unknown",
        record->plan.groups, record->plan.key[0] != '\0' ? record->plan.key : "-",
        (unsigned long long)record->host.cpus,
        record->host.cpu_model[0] != '\0' ? record->host.cpu_model : "CPU", record->host.kernel,
        record->build.boringssl_revision, (unsigned long long)record->build.boringssl_api_version,
        record->build.boringssl_assembly ? "with" : "WITHOUT");
    if (!ekb_record_is_clean(record)) {
        (void)fprintf(out, "\nNOT CLEAN: do not trust these numbers; \"Validity\" says why.\n");
    }
}

static const struct ekb_record_arm *cost_arm(const struct ekb_record *record, const char *mode,
                                             unsigned long long depth)
{
    char name[EKB_RECORD_NAME_LEN];
    (void)snprintf(name, sizeof name, "%s-d%llu", mode, depth);
    return ekb_record_find_arm(record, "cost", name);
}

static const struct ekb_record_effect *
find_effect(const struct ekb_record *record, const char *contrast_prefix, const char *question)
{
    for (size_t i = 0; i < record->num_effects; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        if (strncmp(effect->contrast, contrast_prefix, strlen(contrast_prefix)) == 0 &&
            strncmp(effect->question, question, strlen(question)) == 0) {
            return effect;
        }
    }
    return NULL;
}

static void write_cost_cell(FILE *out, const struct ekb_record_arm *arm)
{
    char text[64] = "-";
    if (arm != NULL && arm->server_cpu_interval_known) {
        (void)write_interval(text, &arm->server_cpu_interval, microseconds);
    }
    (void)fprintf(out, "  %-26s", text);
}

static void write_slope_row(FILE *out, const struct ekb_record *record)
{
    static const char *const modes[] = {"on:", "off:", "none:"};
    (void)fprintf(out, "%-14s", "+1 certificate");
    for (size_t i = 0; i < 3; i++) {
        char text[64] = "-";
        const struct ekb_record_effect *slope =
            find_effect(record, modes[i], "What does each extra");
        if (slope != NULL) {
            (void)write_interval(text, &slope->estimate, microseconds);
        }
        (void)fprintf(out, "  %-26s", text);
    }
    (void)fputc('\n', out);
}

static void write_eku_answer(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_effect *on =
        find_effect(record, "on-d1 - none-d1", "What does the EKU");
    const struct ekb_record_effect *off =
        find_effect(record, "off-d1 - none-d1", "What does the EKU");
    char on_text[64];
    char off_text[64];
    if (on == NULL || off == NULL) {
        return;
    }
    (void)fputc('\n', out);
    wrapped(out, "The EKU check itself, against none, at depth 1:");
    (void)fprintf(out, "  on:  %-24s us  %s\n",
                  write_interval(on_text, &on->estimate, microseconds), on->verdict);
    (void)fprintf(out, "  off: %-24s us  %s\n",
                  write_interval(off_text, &off->estimate, microseconds), off->verdict);
}

// write_verify_line gives the mean of the chain verification alone, by depth.
static void write_verify_line(FILE *out, const struct ekb_record *record)
{
    static const unsigned long long depths[] = {1, 2, 3, 5};
    char list[256] = "";
    size_t list_len = 0;
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        const struct ekb_record_arm *arm = cost_arm(record, "on", depths[i]);
        if (arm == NULL || !arm->verify_ns.known) {
            return;
        }
        list_len += (size_t)snprintf(
            list + list_len, sizeof list - list_len, "%s%.0f us at depth %llu", i > 0 ? ", " : "",
            ekb_moments_mean(&arm->verify_ns.moments) / microseconds.divisor, depths[i]);
    }
    wrapped(out, "Of it, the chain verification alone, timed inside the handshake: %s.", list);
}

static void write_cost_table(FILE *out, const struct ekb_record *record)
{
    static const unsigned long long depths[] = {1, 2, 3, 5};
    const struct ekb_record_cpu *cpu = find_cpu(record->server_cpu, record->num_server_cpu, "cost");
    if (find_stage(record, "cost") == NULL) {
        return;
    }
    rule(out, "What does verifying a client certificate cost the server?");
    wrapped(out,
            "us of server time per handshake in TLS and in our own code, with %llu in flight; mean "
            "[95 %% "
            "interval, within this run]. Depth = certificates above the client's leaf. A leaf with "
            "both "
            "usages, accepted in every mode.",
            (unsigned long long)find_stage(record, "cost")->in_flight);
    (void)fprintf(out, "\n%-14s  %-26s  %-26s  %-26s\n", "", "EKU checking on", "EKU checking off",
                  "no EKU check");
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        (void)fprintf(out, "depth %-8llu", depths[i]);
        write_cost_cell(out, cost_arm(record, "on", depths[i]));
        write_cost_cell(out, cost_arm(record, "off", depths[i]));
        write_cost_cell(out, cost_arm(record, "none", depths[i]));
        (void)fputc('\n', out);
    }
    write_slope_row(out, record);
    write_verify_line(out, record);
    if (cpu != NULL && cpu->kernel_and_loop_ns.known) {
        char text[EKB_UNITS_TEXT_LEN];
        wrapped(
            out,
            "To each handshake the kernel (TCP, io_uring) and the event loop add %s of server CPU "
            "here, with %llu in flight; with more in flight it is less.",
            ekb_units_format_ns(text, cpu->kernel_and_loop_ns.value),
            (unsigned long long)find_stage(record, "cost")->in_flight);
    }
    write_eku_answer(out, record);
}

static void write_rung(FILE *out, const struct ekb_record *record, const char *label,
                       const char *arm_name, const char *contrast)
{
    const struct ekb_record_arm *arm = ekb_record_find_arm(record, "cost", arm_name);
    const struct ekb_record_effect *effect =
        contrast != NULL ? find_effect(record, contrast, "What") : NULL;
    char mean[64] = "-";
    char added[64] = "";
    if (arm == NULL) {
        return;
    }
    if (arm->server_cpu_interval_known) {
        (void)write_interval(mean, &arm->server_cpu_interval, microseconds);
    }
    if (effect != NULL) {
        char interval[64];
        (void)snprintf(added, sizeof added, "%s%.60s", effect->estimate.estimate >= 0 ? "+" : "",
                       write_interval(interval, &effect->estimate, microseconds));
    }
    (void)fprintf(out, "%-44s  %-26s  %-26s\n", label, mean, added);
}

static void write_ladder(FILE *out, const struct ekb_record *record)
{
    if (ekb_record_find_arm(record, "cost", "one-way") == NULL) {
        return;
    }
    rule(out, "What does each step of verification add? (depth 1)");
    (void)fprintf(out, "%-44s  %-26s  %-26s\n", "", "us per handshake", "added, paired by slice");
    write_rung(out, record, "one-way TLS: no client certificate", "one-way", NULL);
    write_rung(out, record, "+ certificate requested, key proven", "raw-d1", "raw-d1 - one-way");
    write_rung(out, record, "+ parsed as X.509", "parse-d1", "parse-d1 - raw-d1");
    write_rung(out, record, "+ chain verified, no EKU check", "none-d1", "none-d1 - parse-d1");
    write_rung(out, record, "+ EKU checking on", "on-d1", "on-d1 - none-d1");
    write_rung(out, record, "rejected: EKU on, leaf without clientAuth", "reject-d1",
               "reject-d1 - on-d1");
    (void)fprintf(out, "(the last line's difference is against an accepted client)\n");
}

static const char *write_percentile(char out_text[32], struct ekb_record_u64 value)
{
    (void)snprintf(out_text, 32, value.known ? "%.1f" : "-",
                   (double)value.value / milliseconds.divisor);
    return out_text;
}

static void write_rate(char out_text[32], double rate)
{
    if (isnan(rate)) {
        (void)snprintf(out_text, 32, "-");
    } else {
        (void)snprintf(out_text, 32, "%.0f", rate);
    }
}

static void write_latency_row(FILE *out, const struct ekb_record *record,
                              const struct ekb_record_arm *arm)
{
    char p50[32];
    char p90[32];
    char p99[32];
    char p999[32];
    char rate_text[32] = "-";
    for (size_t i = 0; i < record->num_throughput; i++) {
        if (strcmp(record->throughput[i].stage, arm->stage) == 0 &&
            strcmp(record->throughput[i].arm, arm->name) == 0) {
            write_rate(rate_text, record->throughput[i].accepted_per_s);
        }
    }
    (void)fprintf(out, "%-16s %10llu %9llu %7llu %9s", arm->name,
                  (unsigned long long)arm->client.accepted,
                  (unsigned long long)arm->client.rejected, (unsigned long long)arm->client.failed,
                  rate_text);
    if (!arm->latency_ns.known) {
        (void)fprintf(out, " %8s %8s %8s %8s %8s\n", "-", "-", "-", "-", "-");
        return;
    }
    (void)fprintf(out, " %8s %8s %8s %8s %8.1f\n", write_percentile(p50, arm->latency_ns.p50),
                  write_percentile(p90, arm->latency_ns.p90),
                  write_percentile(p99, arm->latency_ns.p99),
                  write_percentile(p999, arm->latency_ns.p999),
                  (double)arm->latency_ns.moments.max / milliseconds.divisor);
}

// write_total_rate writes the rate of all arms of a stage, with its interval over the blocks if
// there are enough of them.
static const char *write_total_rate(char out_text[64], const struct ekb_record *record,
                                    const char *stage)
{
    (void)snprintf(out_text, 64, "-");
    for (size_t i = 0; i < record->num_throughput; i++) {
        const struct ekb_record_throughput *row = &record->throughput[i];
        if (row->arm[0] != '\0' || strcmp(row->stage, stage) != 0) {
            continue;
        }
        if (row->interval_known) {
            (void)snprintf(out_text, 64, "%.0f [%.0f, %.0f]", row->accepted_per_s,
                           row->interval.low, row->interval.high);
        } else {
            write_rate(out_text, row->accepted_per_s);
        }
    }
    return out_text;
}

static void write_side(FILE *out, const char *name, const struct ekb_record_cpu *cpu)
{
    char memory[EKB_UNITS_TEXT_LEN];
    char spent[EKB_UNITS_TEXT_LEN];
    if (cpu == NULL || !cpu->per_handshake_ns.known || !cpu->busy_percent.known) {
        return;
    }
    (void)fprintf(out, "%s: %.0f %% of CPU %s busy, %s per handshake, kernel included", name,
                  cpu->busy_percent.value, cpu->cpu_list,
                  ekb_units_format_ns(spent, cpu->per_handshake_ns.value));
    if (cpu->memory_per_connection_bytes.known) {
        (void)fprintf(out, "; %s a connection",
                      ekb_units_format_bytes(memory, cpu->memory_per_connection_bytes.value));
    }
    (void)fputc('\n', out);
}

static void write_load(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_stage *stage = find_stage(record, "load");
    char in_flight[EKB_UNITS_TEXT_LEN];
    char rate[64];
    if (stage == NULL) {
        return;
    }
    rule(out, "Under load");
    wrapped(
        out,
        "Closed loop, %s connections in flight at all times, the arms interleaved connection by "
        "connection: %s handshakes/s accepted in all. Latency in ms from the start of the "
        "connection "
        "to the server's confirmation; in a closed loop it is mostly waiting for the %s others. "
        "Counts are of the whole stage; rates and latencies are without the warm-up.",
        ekb_units_format_count(in_flight, stage->in_flight),
        write_total_rate(rate, record, stage->name), in_flight);
    (void)fprintf(out, "\n%-16s %10s %9s %7s %9s %8s %8s %8s %8s %8s\n", "EKU checking", "accepted",
                  "rejected", "failed", "per s", "p50", "p90", "p99", "p99.9", "max");
    for (size_t i = 0; i < record->num_arms; i++) {
        if (strcmp(record->arms[i].stage, stage->name) == 0) {
            write_latency_row(out, record, &record->arms[i]);
        }
    }
    write_side(out, "server", find_cpu(record->server_cpu, record->num_server_cpu, stage->name));
    write_side(out, "client", find_cpu(record->client_cpu, record->num_client_cpu, stage->name));
}

static void write_floor_row(FILE *out, const char *name, const struct ekb_record_side_floor *floor)
{
    char interval[64] = "-";
    char steps[32] = "-";
    char total[32] = "-";
    if (floor->interval_known) {
        (void)write_interval(interval, &floor->interval, microseconds);
    }
    if (floor->steps_over_memory.known) {
        (void)snprintf(steps, sizeof steps, "%.2f x", floor->steps_over_memory.value);
    }
    if (floor->over_memory.known) {
        (void)snprintf(total, sizeof total, "%.2f x", floor->over_memory.value);
    }
    (void)fprintf(out, "%-8s  %-26s  %-30s  %s\n", name, interval, steps, total);
}

static void write_floors(FILE *out, const struct ekb_record *record)
{
    if (!record->floors_known || !record->server_floor.memory_ns.known) {
        return;
    }
    const struct ekb_record_stage *stage = find_stage(record, "floor");
    rule(out, "How much of it is TLS?");
    wrapped(
        out,
        "EKU on, depth 1, %llu in flight, and every other slice the same handshake in memory. With "
        "more in flight than above, the caches are warm and each handshake costs less.",
        stage != NULL ? (unsigned long long)stage->in_flight : 0);
    (void)fprintf(out, "%-8s  %-26s  %-30s  %s\n", "", "us in memory", "over io_uring, our process",
                  "with the kernel's part");
    write_floor_row(out, "server", &record->server_floor);
    write_floor_row(out, "client", &record->client_floor);
}

static void write_outcomes(FILE *out, const struct ekb_record *record)
{
    uint64_t started = 0;
    uint64_t accepted = 0;
    uint64_t rejected = 0;
    uint64_t failed = 0;
    uint64_t unfinished = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_outcomes *client = &record->arms[i].client;
        started += client->started;
        accepted += client->accepted;
        rejected += client->rejected;
        failed += client->failed;
        unfinished += client->unfinished;
    }
    wrapped(out, "%llu handshakes: %llu accepted, %llu rejected, %llu failed, %llu unfinished.",
            (unsigned long long)started, (unsigned long long)accepted, (unsigned long long)rejected,
            (unsigned long long)failed, (unsigned long long)unfinished);
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        const bool expected = strcmp(arm->expect, "reject") == 0;
        for (size_t j = 0; j < arm->client.failures.num_items; j++) {
            const struct ekb_record_count *failure = &arm->client.failures.items[j];
            (void)fprintf(out, "  %s/%s: %llu x %s%s\n", arm->stage, arm->name,
                          (unsigned long long)failure->count, failure->name,
                          expected ? " (expected)" : "");
        }
        for (size_t j = 0; j < arm->client.alerts.num_items; j++) {
            (void)fprintf(out, "  %s/%s: alert %s x %llu\n", arm->stage, arm->name,
                          arm->client.alerts.items[j].name,
                          (unsigned long long)arm->client.alerts.items[j].count);
        }
    }
}

static void write_validity(FILE *out, const struct ekb_record *record)
{
    rule(out, "Validity");
    write_outcomes(out, record);
    const struct ekb_record_effect *control = find_effect(record, "on-d1-again", "A/A");
    if (control != NULL) {
        char interval[64];
        wrapped(out, "A/A control (the same arm twice): difference %s us.",
                write_interval(interval, &control->estimate, microseconds));
    }
    if (record->host.steal_percent.known) {
        wrapped(out, "The hypervisor took %.1f %% of the machine during the run.",
                record->host.steal_percent.value);
    }
    for (size_t i = 0; i < record->num_notes; i++) {
        wrapped(out, "Note: %s.", record->notes[i]);
    }
    if (ekb_record_is_clean(record)) {
        (void)fprintf(out, "Clean: nothing speaks against these numbers.\n");
        return;
    }
    (void)fprintf(out, "NOT CLEAN: do not trust these numbers:\n");
    for (size_t i = 0; i < record->num_reasons; i++) {
        (void)fputs("  ", out);
        wrapped(out, "- %s", record->reasons[i]);
    }
}

static void write_foreign_load(FILE *out, const struct ekb_record *record)
{
    if (strcmp(record->kind, "load") != 0 || record->num_arms == 0) {
        return;
    }
    const struct ekb_record_stage *stage = find_stage(record, record->arms[0].stage);
    wrapped(out, "Target %s, closed loop, %llu in flight, %s client, accepted means: %s.",
            record->plan.target, stage != NULL ? (unsigned long long)stage->in_flight : 0,
            stage != NULL ? stage->client : "-",
            strcmp(record->plan.confirm, "byte") == 0
                ? "the server's first byte was read"
                : "the client's own handshake ended (in TLS 1.3 the server may still reject)");
    (void)fprintf(out, "\n%-16s %10s %9s %7s %9s %8s %8s %8s %8s %8s\n", "latency in ms",
                  "accepted", "rejected", "failed", "per s", "p50", "p90", "p99", "p99.9", "max");
    for (size_t i = 0; i < record->num_arms; i++) {
        write_latency_row(out, record, &record->arms[i]);
    }
    write_side(out, "client",
               find_cpu(record->client_cpu, record->num_client_cpu, record->arms[0].stage));
}

// strip_line_ends removes the blanks that columns leave at the ends of lines.
static void strip_line_ends(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        while (*from == '\n' && to > text && to[-1] == ' ') {
            to--;
        }
        *to++ = *from;
    }
    *to = '\0';
}

enum ekb_err ekb_report_text(char **out_text, const struct ekb_record *record)
{
    char *text = NULL;
    size_t text_len = 0;
    FILE *out = open_memstream(&text, &text_len);
    if (out == NULL) {
        return EKB_NOMEM;
    }
    write_head(out, record);
    write_foreign_load(out, record);
    if (strcmp(record->kind, "load") != 0) {
        write_cost_table(out, record);
        write_ladder(out, record);
        write_load(out, record);
        write_floors(out, record);
    }
    write_validity(out, record);
    if (fclose(out) != 0) {
        free(text);
        return EKB_NOMEM;
    }
    strip_line_ends(text);
    *out_text = text;
    return EKB_OK;
}
