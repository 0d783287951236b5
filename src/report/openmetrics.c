// OpenMetrics text, of which Prometheus's older text form has every line too. Base units (seconds,
// bytes, ratios), no timestamps; a family at a time, as the form demands, and in it all results. No
// series comes twice, whatever a file has: of parts with the same names the first is written.

#include "report/escape.h"
#include "report/format_internal.h"
#include "report/text_internal.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1e9

// A family of samples.
struct head {
    const char *name, *type, *unit, *help;
};

// What is being written.
struct metrics {
    FILE *out;
    const struct ekb_report_set *set;
    const char *name; // Of the samples.
    size_t result;
};

// A sample's labels, by name and value, in pairs up to NULL.
struct labels {
    const char *pairs[12];
};

static void begin_family(struct metrics *metrics, const struct head *head)
{
    (void)fprintf(metrics->out, "# TYPE %s %s\n", head->name, head->type);
    if (head->unit != NULL) {
        (void)fprintf(metrics->out, "# UNIT %s %s\n", head->name, head->unit);
    }
    (void)fprintf(metrics->out, "# HELP %s %s\n", head->name, head->help);
    metrics->name = head->name;
}

// result_at goes to a result; NULL: there are no more.
static const struct ekb_record *result_at(struct metrics *metrics, size_t index)
{
    metrics->result = index;
    return index < metrics->set->num_results ? metrics->set->results[index].record : NULL;
}

// write_name writes the sample's name and its labels in braces, with the result's if there are
// several.
static void write_name(const struct metrics *metrics, const struct labels *labels)
{
    const char *separator = "{";
    (void)fputs(metrics->name, metrics->out);
    if (metrics->set->num_results > 1) {
        (void)fputs("{result=\"", metrics->out);
        report_label_text(metrics->out, metrics->set->results[metrics->result].label);
        (void)fputc('"', metrics->out);
        separator = ",";
    }
    for (size_t i = 0; labels->pairs[i] != NULL; i += 2) {
        (void)fprintf(metrics->out, "%s%s=\"", separator, labels->pairs[i]);
        report_label_text(metrics->out, labels->pairs[i + 1]);
        (void)fputc('"', metrics->out);
        separator = ",";
    }
    if (separator[0] == ',') {
        (void)fputc('}', metrics->out);
    }
}

static void write_real(const struct metrics *metrics, const struct labels *labels, double value)
{
    if (isfinite(value)) {
        write_name(metrics, labels);
        (void)fprintf(metrics->out, " %.9g\n", value + 0.0);
    }
}

static void write_count(const struct metrics *metrics, const struct labels *labels, uint64_t value)
{
    write_name(metrics, labels);
    (void)fprintf(metrics->out, " %llu\n", (unsigned long long)value);
}

static void write_run(struct metrics *metrics)
{
    const struct ekb_record *record = NULL;
    // OpenMetrics has a type "info"; a reader of Prometheus's older text form refuses all of a file
    // with a type that it does not know. A gauge that is called so is the same to both.
    begin_family(metrics, &(struct head){.name = "ekubench_run_info",
                                         .type = "gauge",
                                         .help = "The run and the program."});
    for (size_t i = 0; (record = result_at(metrics, i)) != NULL; i++) {
        const struct labels labels = {{"kind", record->kind, "plan", record->plan.name, "version",
                                       record->build.version, "git", record->build.git, "tls",
                                       record->plan.tls, NULL}};
        write_count(metrics, &labels, 1);
    }
    begin_family(
        metrics,
        &(struct head){.name = "ekubench_clean",
                       .type = "gauge",
                       .help = "1 if nothing speaks against the numbers, 0 if something does."});
    for (size_t i = 0; (record = result_at(metrics, i)) != NULL; i++) {
        write_count(metrics, &(struct labels){{NULL}}, ekb_record_is_clean(record) ? 1 : 0);
    }
}

static bool is_first_arm(const struct ekb_record *record, const struct ekb_record_arm *arm)
{
    return ekb_record_find_arm(record, arm->stage, arm->name) == arm;
}

static bool is_first_rate(const struct ekb_record *record, size_t index)
{
    const struct ekb_record_throughput *rows = record->throughput;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(rows[i].stage, rows[index].stage) == 0 &&
            strcmp(rows[i].arm, rows[index].arm) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_first_effect(const struct ekb_record *record, size_t index)
{
    const struct ekb_record_effect *effect = &record->effects[index];
    for (size_t i = 0; i < index; i++) {
        const struct ekb_record_effect *before = &record->effects[i];
        if (strcmp(before->unit, effect->unit) == 0 && strcmp(before->stage, effect->stage) == 0 &&
            strcmp(before->metric, effect->metric) == 0 &&
            strcmp(before->question, effect->question) == 0 &&
            strcmp(before->contrast, effect->contrast) == 0) {
            return false;
        }
    }
    return true;
}

static void write_outcomes(const struct metrics *metrics, const struct ekb_record_arm *arm)
{
    const struct {
        const char *outcome;
        uint64_t count;
    } rows[] = {{"accepted", arm->client.accepted},
                {"rejected", arm->client.rejected},
                {"failed", arm->client.failed},
                {"unfinished", arm->client.unfinished},
                {"dropped", arm->dropped}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct labels labels = {
            {"stage", arm->stage, "arm", arm->name, "outcome", rows[i].outcome, NULL}};
        write_count(metrics, &labels, rows[i].count);
    }
}

static void write_handshakes(struct metrics *metrics)
{
    const struct ekb_record *record = NULL;
    begin_family(metrics, &(struct head){.name = "ekubench_handshakes",
                                         .type = "counter",
                                         .help = "Handshakes as the client saw them."});
    metrics->name = "ekubench_handshakes_total";
    for (size_t i = 0; (record = result_at(metrics, i)) != NULL; i++) {
        for (size_t j = 0; j < record->num_arms; j++) {
            if (is_first_arm(record, &record->arms[j])) {
                write_outcomes(metrics, &record->arms[j]);
            }
        }
    }
}

// A family of summaries: which distribution of an arm.
struct family {
    const char *name;
    const char *help;
    const struct ekb_record_summary *(*of)(const struct ekb_record_arm *arm);
};

static const struct ekb_record_summary *latency_of(const struct ekb_record_arm *arm)
{
    return &arm->latency_ns;
}

static const struct ekb_record_summary *server_cpu_of(const struct ekb_record_arm *arm)
{
    return &arm->server_cpu_ns;
}

static const struct ekb_record_summary *client_cpu_of(const struct ekb_record_arm *arm)
{
    return &arm->client_cpu_ns;
}

static const struct ekb_record_summary *verify_of(const struct ekb_record_arm *arm)
{
    return &arm->verify_ns;
}

static void write_quantiles(const struct metrics *metrics, const struct ekb_record_arm *arm,
                            const struct ekb_record_summary *summary)
{
    const struct {
        const char *quantile;
        struct ekb_record_u64 value;
    } rows[] = {{"0.5", summary->p50},
                {"0.9", summary->p90},
                {"0.99", summary->p99},
                {"0.999", summary->p999}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct labels labels = {
            {"stage", arm->stage, "arm", arm->name, "quantile", rows[i].quantile, NULL}};
        if (rows[i].value.known) {
            write_real(metrics, &labels, (double)rows[i].value.value / NS_PER_S);
        }
    }
}

static void write_summary(const struct metrics *metrics, const struct family *family,
                          const struct ekb_record_arm *arm)
{
    const struct ekb_record_summary *summary = family->of(arm);
    const struct labels labels = {{"stage", arm->stage, "arm", arm->name, NULL}};
    struct metrics part = *metrics;
    char name[64];
    if (!summary->known) {
        return;
    }
    write_quantiles(metrics, arm, summary);
    part.name = name;
    (void)snprintf(name, sizeof name, "%s_sum", family->name);
    write_real(&part, &labels, (double)summary->moments.sum / NS_PER_S);
    (void)snprintf(name, sizeof name, "%s_count", family->name);
    write_count(&part, &labels, summary->moments.count);
}

static void write_summaries(struct metrics *metrics)
{
    static const struct family families[] = {
        {"ekubench_latency_seconds", "Planned start to the server's verdict.", latency_of},
        {"ekubench_server_cpu_seconds", "Server's time in a connection's own steps.",
         server_cpu_of},
        {"ekubench_verify_seconds", "Of that, inside certificate verification.", verify_of},
        {"ekubench_client_cpu_seconds", "Client's time in a connection's own steps.",
         client_cpu_of},
    };
    const struct ekb_record *record = NULL;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        begin_family(metrics, &(struct head){.name = families[i].name,
                                             .type = "summary",
                                             .unit = "seconds",
                                             .help = families[i].help});
        for (size_t j = 0; (record = result_at(metrics, j)) != NULL; j++) {
            for (size_t k = 0; k < record->num_arms; k++) {
                if (is_first_arm(record, &record->arms[k])) {
                    write_summary(metrics, &families[i], &record->arms[k]);
                }
            }
        }
    }
}

// A unit of effects, and what its numbers are divided by to be in the base unit.
struct effect_unit {
    const char *unit;
    const char *name;
    const char *base;
    double divisor;
};

static void write_effect(const struct metrics *metrics, const struct ekb_record_effect *effect,
                         double divisor)
{
    const struct {
        const char *bound;
        double value;
    } rows[] = {{"estimate", effect->estimate.estimate},
                {"low", effect->estimate.low},
                {"high", effect->estimate.high}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct labels labels = {{"question", effect->question, "contrast", effect->contrast,
                                       "stage", effect->stage, "metric", effect->metric, "bound",
                                       rows[i].bound, NULL}};
        write_real(metrics, &labels, rows[i].value / divisor);
    }
}

// write_effects writes those of one unit, with their intervals.
static void write_effects(struct metrics *metrics, const struct effect_unit *unit)
{
    const struct ekb_record *record = NULL;
    begin_family(metrics,
                 &(struct head){.name = unit->name,
                                .type = "gauge",
                                .unit = unit->base,
                                .help = "Differences between arms, with their 95 % intervals."});
    for (size_t i = 0; (record = result_at(metrics, i)) != NULL; i++) {
        for (size_t j = 0; j < record->num_effects; j++) {
            if (strcmp(record->effects[j].unit, unit->unit) == 0 && is_first_effect(record, j)) {
                write_effect(metrics, &record->effects[j], unit->divisor);
            }
        }
    }
}

static void write_rates(struct metrics *metrics)
{
    const struct ekb_record *record = NULL;
    begin_family(metrics, &(struct head){.name = "ekubench_accepted_per_second",
                                         .type = "gauge",
                                         .help = "Accepted handshakes per second of measured time; "
                                                 "an empty arm: all together."});
    for (size_t i = 0; (record = result_at(metrics, i)) != NULL; i++) {
        for (size_t j = 0; j < record->num_throughput; j++) {
            const struct ekb_record_throughput *row = &record->throughput[j];
            const struct labels labels = {{"stage", row->stage, "arm", row->arm, NULL}};
            if (is_first_rate(record, j)) {
                write_real(metrics, &labels, row->accepted_per_s);
            }
        }
    }
}

static void write_capacity(struct metrics *metrics)
{
    const struct ekb_record *record = NULL;
    begin_family(metrics, &(struct head){.name = "ekubench_capacity_per_second",
                                         .type = "gauge",
                                         .help = "The highest rate that meets the objective, and "
                                                 "the lowest that does not."});
    for (size_t i = 0; (record = result_at(metrics, i)) != NULL; i++) {
        if (record->capacity.known) {
            write_real(metrics, &(struct labels){{"bound", "lower", NULL}},
                       record->capacity.lower_per_s);
            write_real(metrics, &(struct labels){{"bound", "upper", NULL}},
                       record->capacity.upper_per_s);
        }
    }
}

enum ekb_err report_write_openmetrics(FILE *out, const struct ekb_report_set *set,
                                      struct ekb_fail *reterr_fail)
{
    static const struct effect_unit units[] = {
        {"ns", "ekubench_effect_seconds", "seconds", NS_PER_S},
        {"bytes", "ekubench_effect_bytes", "bytes", 1},
        {"%", "ekubench_effect_ratio", "ratio", 100}};
    struct metrics metrics = {.out = out, .set = set};
    (void)reterr_fail;
    write_run(&metrics);
    write_handshakes(&metrics);
    write_summaries(&metrics);
    write_rates(&metrics);
    write_capacity(&metrics);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        write_effects(&metrics, &units[i]);
    }
    (void)fputs("# EOF\n", out);
    return EKB_OK;
}
