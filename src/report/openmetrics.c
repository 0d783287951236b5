// OpenMetrics text. Base units (seconds, bytes, ratios), no timestamps; a family at a time, as the
// form demands, and in it all results.

#include "report/escape.h"
#include "report/format_internal.h"
#include "report/text_internal.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define NS_PER_S 1e9

struct metrics {
    FILE *out;
    const struct ekb_report_set *set;
};

// A sample's labels, by name and value, in pairs up to NULL.
struct labels {
    const char *pairs[12];
};

static void begin_family(const struct metrics *metrics, const char *name, const char *type,
                         const char *unit, const char *help)
{
    (void)fprintf(metrics->out, "# TYPE %s %s\n", name, type);
    if (unit[0] != '\0') {
        (void)fprintf(metrics->out, "# UNIT %s %s\n", name, unit);
    }
    (void)fprintf(metrics->out, "# HELP %s %s\n", name, help);
}

// write_labels writes them in braces, with the result's if there are several.
static void write_labels(const struct metrics *metrics, size_t result, const struct labels *labels)
{
    const char *separator = "{";
    if (metrics->set->num_results > 1) {
        (void)fputs("{result=\"", metrics->out);
        report_label_text(metrics->out, metrics->set->results[result].label);
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

static void write_real(const struct metrics *metrics, const char *name, size_t result,
                       const struct labels *labels, double value)
{
    if (isfinite(value)) {
        (void)fputs(name, metrics->out);
        write_labels(metrics, result, labels);
        (void)fprintf(metrics->out, " %.9g\n", value + 0.0);
    }
}

static void write_count(const struct metrics *metrics, const char *name, size_t result,
                        const struct labels *labels, uint64_t value)
{
    (void)fputs(name, metrics->out);
    write_labels(metrics, result, labels);
    (void)fprintf(metrics->out, " %llu\n", (unsigned long long)value);
}

static void write_run(const struct metrics *metrics)
{
    begin_family(metrics, "ekubench_run", "info", "", "The run and the program.");
    for (size_t i = 0; i < metrics->set->num_results; i++) {
        const struct ekb_record *record = metrics->set->results[i].record;
        const struct labels labels = {{"kind", record->kind, "plan", record->plan.name, "version",
                                       record->build.version, "git", record->build.git, "tls",
                                       record->plan.tls, NULL}};
        write_count(metrics, "ekubench_run_info", i, &labels, 1);
    }
    begin_family(metrics, "ekubench_clean", "gauge", "",
                 "1 if nothing speaks against the numbers, 0 if something does.");
    for (size_t i = 0; i < metrics->set->num_results; i++) {
        write_count(metrics, "ekubench_clean", i, &(struct labels){{NULL}},
                    ekb_record_is_clean(metrics->set->results[i].record) ? 1 : 0);
    }
}

static void write_handshakes(const struct metrics *metrics)
{
    begin_family(metrics, "ekubench_handshakes", "counter", "",
                 "Handshakes as the client saw them.");
    for (size_t i = 0; i < metrics->set->num_results; i++) {
        const struct ekb_record *record = metrics->set->results[i].record;
        for (size_t j = 0; j < record->num_arms; j++) {
            const struct ekb_record_arm *arm = &record->arms[j];
            const struct {
                const char *outcome;
                uint64_t count;
            } rows[] = {{"accepted", arm->client.accepted},
                        {"rejected", arm->client.rejected},
                        {"failed", arm->client.failed},
                        {"unfinished", arm->client.unfinished},
                        {"dropped", arm->dropped}};
            for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
                const struct labels labels = {
                    {"stage", arm->stage, "arm", arm->name, "outcome", rows[k].outcome, NULL}};
                write_count(metrics, "ekubench_handshakes_total", i, &labels, rows[k].count);
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

static void write_summary(const struct metrics *metrics, const struct family *family, size_t result,
                          const struct ekb_record_arm *arm)
{
    const struct ekb_record_summary *summary = family->of(arm);
    const struct labels labels = {{"stage", arm->stage, "arm", arm->name, NULL}};
    const struct {
        const char *quantile;
        struct ekb_record_u64 value;
    } rows[] = {{"0.5", summary->p50},
                {"0.9", summary->p90},
                {"0.99", summary->p99},
                {"0.999", summary->p999}};
    char name[64];
    if (!summary->known) {
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct labels with = {
            {"stage", arm->stage, "arm", arm->name, "quantile", rows[i].quantile, NULL}};
        if (rows[i].value.known) {
            write_real(metrics, family->name, result, &with,
                       (double)rows[i].value.value / NS_PER_S);
        }
    }
    (void)snprintf(name, sizeof name, "%s_sum", family->name);
    write_real(metrics, name, result, &labels, (double)summary->moments.sum / NS_PER_S);
    (void)snprintf(name, sizeof name, "%s_count", family->name);
    write_count(metrics, name, result, &labels, summary->moments.count);
}

static void write_summaries(const struct metrics *metrics)
{
    static const struct family families[] = {
        {"ekubench_latency_seconds", "Planned start to the server's verdict.", latency_of},
        {"ekubench_server_cpu_seconds", "Server's time in a connection's own steps.",
         server_cpu_of},
        {"ekubench_verify_seconds", "Of that, inside certificate verification.", verify_of},
        {"ekubench_client_cpu_seconds", "Client's time in a connection's own steps.",
         client_cpu_of},
    };
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        begin_family(metrics, families[i].name, "summary", "seconds", families[i].help);
        for (size_t j = 0; j < metrics->set->num_results; j++) {
            const struct ekb_record *record = metrics->set->results[j].record;
            for (size_t k = 0; k < record->num_arms; k++) {
                write_summary(metrics, &families[i], j, &record->arms[k]);
            }
        }
    }
}

static void write_bounds(const struct metrics *metrics, const char *name, size_t result,
                         const char *const keys[8], const double values[3])
{
    static const char *const bounds[] = {"estimate", "low", "high"};
    for (size_t i = 0; i < 3; i++) {
        const struct labels labels = {{keys[0], keys[1], keys[2], keys[3], keys[4], keys[5],
                                       keys[6], keys[7], "bound", bounds[i], NULL}};
        write_real(metrics, name, result, &labels, values[i]);
    }
}

// write_effects writes those of one unit, with their intervals, divided by `divisor`.
static void write_effects(const struct metrics *metrics, const char *name, const char *unit,
                          const char *unit_of_effect, double divisor)
{
    begin_family(metrics, name, "gauge", unit,
                 "Differences between arms, with their 95 % intervals.");
    for (size_t i = 0; i < metrics->set->num_results; i++) {
        const struct ekb_record *record = metrics->set->results[i].record;
        for (size_t j = 0; j < record->num_effects; j++) {
            const struct ekb_record_effect *effect = &record->effects[j];
            const char *const keys[8] = {"question", effect->question, "contrast", effect->contrast,
                                         "stage",    effect->stage,    "metric",   effect->metric};
            const double values[3] = {effect->estimate.estimate / divisor,
                                      effect->estimate.low / divisor,
                                      effect->estimate.high / divisor};
            if (strcmp(effect->unit, unit_of_effect) == 0) {
                write_bounds(metrics, name, i, keys, values);
            }
        }
    }
}

static void write_rates(const struct metrics *metrics)
{
    begin_family(metrics, "ekubench_accepted_per_second", "gauge", "",
                 "Accepted handshakes per second of measured time; arm \"\": all together.");
    for (size_t i = 0; i < metrics->set->num_results; i++) {
        const struct ekb_record *record = metrics->set->results[i].record;
        for (size_t j = 0; j < record->num_throughput; j++) {
            const struct ekb_record_throughput *row = &record->throughput[j];
            const struct labels labels = {{"stage", row->stage, "arm", row->arm, NULL}};
            write_real(metrics, "ekubench_accepted_per_second", i, &labels, row->accepted_per_s);
        }
    }
    begin_family(metrics, "ekubench_capacity_per_second", "gauge", "",
                 "The highest rate that meets the objective, and the lowest that does not.");
    for (size_t i = 0; i < metrics->set->num_results; i++) {
        const struct ekb_record_capacity *capacity = &metrics->set->results[i].record->capacity;
        if (capacity->known) {
            write_real(metrics, "ekubench_capacity_per_second", i,
                       &(struct labels){{"bound", "lower", NULL}}, capacity->lower_per_s);
            write_real(metrics, "ekubench_capacity_per_second", i,
                       &(struct labels){{"bound", "upper", NULL}}, capacity->upper_per_s);
        }
    }
}

enum ekb_err report_write_openmetrics(FILE *out, const struct ekb_report_set *set,
                                      struct ekb_fail *reterr_fail)
{
    const struct metrics metrics = {.out = out, .set = set};
    (void)reterr_fail;
    write_run(&metrics);
    write_handshakes(&metrics);
    write_summaries(&metrics);
    write_rates(&metrics);
    write_effects(&metrics, "ekubench_effect_seconds", "seconds", "ns", NS_PER_S);
    write_effects(&metrics, "ekubench_effect_bytes", "bytes", "bytes", 1);
    write_effects(&metrics, "ekubench_effect_ratio", "ratio", "%", 100);
    (void)fputs("# EOF\n", out);
    return EKB_OK;
}
