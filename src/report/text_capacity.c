// How many handshakes a second the server takes while the objective is met.

#include "report/text_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *state;
    const char *meaning;
} states[] = {
    {"ceiling", "A closed loop reaches no more than that: the objective is no limit here."},
    {"generator", "Above it the client could not keep up: the server may take more."},
    {"exhausted", "The time was up before the bounds were close: give it more (--budget)."},
    {"nothing", "No rate meets the objective."},
};

static void write_answer(FILE *out, const struct ekb_record_capacity *capacity)
{
    char limit[EKB_UNITS_TEXT_LEN];
    char upper[64] = "no rate that was tried fails to";
    if (isfinite(capacity->upper_per_s)) {
        (void)snprintf(upper, sizeof upper, "%.0f/s does not", capacity->upper_per_s);
    }
    (void)ekb_units_format_ns(limit, (double)capacity->limit_ns);
    if (capacity->lower_per_s > 0) {
        text_wrapped(out,
                     "%.0f handshakes/s meet the objective (the %gth percentile of latency at most "
                     "%s, %g %% errors); %s. Limiter: %s.",
                     capacity->lower_per_s, capacity->percentile, limit,
                     100.0 * capacity->max_error_share, upper, capacity->limiter);
    }
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i].state, capacity->state) == 0) {
            text_wrapped(out, "%s", states[i].meaning);
        }
    }
}

static void write_validation(FILE *out, const struct ekb_record_capacity *capacity)
{
    char server[EKB_UNITS_TEXT_LEN];
    char client[EKB_UNITS_TEXT_LEN];
    char latency[EKB_UNITS_TEXT_LEN] = "unknown";
    if (!capacity->validated || !capacity->server_cpu_ns.known || !capacity->client_cpu_ns.known ||
        !capacity->server_utilisation.known) {
        return;
    }
    if (capacity->validation.latency_ns.known) {
        (void)ekb_units_format_ns(latency, (double)capacity->validation.latency_ns.value);
    }
    text_wrapped(
        out,
        "Measured there, for %.0f s: %gth percentile %s; CPU per handshake, kernel "
        "included: server %s, client %s; the server's core was %.0f %% busy. A closed loop "
        "reaches %.0f/s.",
        (double)capacity->validation.duration_ns / 1e9, capacity->percentile, latency,
        ekb_units_format_ns(server, capacity->server_cpu_ns.value),
        ekb_units_format_ns(client, capacity->client_cpu_ns.value),
        100.0 * capacity->server_utilisation.value, capacity->ceiling_per_s);
}

static void write_projection(FILE *out, const struct ekb_record_capacity *capacity)
{
    if (!capacity->target_per_s.known) {
        return;
    }
    text_wrapped(out,
                 "PROJECTED, not measured: %.0f/s need %.0f server cores at that utilisation, or "
                 "%.0f machines like this one with a client on it; one of them has a headroom of "
                 "%.0f %%.",
                 capacity->target_per_s.value, capacity->target_cores.value,
                 capacity->target_machines.value, 100.0 * capacity->headroom.value);
}

static void write_trial(FILE *out, const char *label, const struct ekb_record_trial *trial)
{
    char latency[32] = "-";
    char lag[32] = "-";
    char server[32] = "-";
    char client[32] = "-";
    if (trial->latency_ns.known) {
        (void)snprintf(latency, sizeof latency, "%.2f", (double)trial->latency_ns.value / 1e6);
    }
    if (trial->lag_p99_ns.known) {
        (void)snprintf(lag, sizeof lag, "%.2f", (double)trial->lag_p99_ns.value / 1e6);
    }
    if (trial->server_busy_percent.known && trial->client_busy_percent.known) {
        (void)snprintf(server, sizeof server, "%.0f", trial->server_busy_percent.value);
        (void)snprintf(client, sizeof client, "%.0f", trial->client_busy_percent.value);
    }
    (void)fprintf(out, "%-10s %8.0f %5.0f %8llu %7llu %9s %8s %7s %7s  %s\n", label,
                  trial->rate_per_s, (double)trial->duration_ns / 1e9,
                  (unsigned long long)trial->due, (unsigned long long)trial->errors, latency, lag,
                  server, client, trial->outcome);
    if (strcmp(trial->outcome, "invalid") == 0) {
        text_wrapped(out, "  (%s)", trial->reason);
    }
}

void text_write_capacity(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_capacity *capacity = &record->capacity;
    char label[32];
    if (!capacity->known) {
        return;
    }
    text_rule(out, "Capacity");
    write_answer(out, capacity);
    write_validation(out, capacity);
    write_projection(out, capacity);
    if (capacity->num_trials == 0) {
        return;
    }
    (void)fprintf(out, "\n%-10s %8s %5s %8s %7s %9s %8s %7s %7s  %s\n", "trial", "rate/s", "s",
                  "due", "errors", "latency", "lag p99", "server", "client", "");
    (void)snprintf(label, sizeof label, "p%g, ms", capacity->percentile);
    (void)fprintf(out, "%-10s %8s %5s %8s %7s %9s %8s %7s %7s\n", "", "", "", "", "", label, "ms",
                  "busy %", "busy %");
    for (size_t i = 0; i < capacity->num_trials; i++) {
        (void)snprintf(label, sizeof label, "%zu", i + 1);
        write_trial(out, label, &capacity->trials[i]);
    }
    if (capacity->validated) {
        write_trial(out, "validation", &capacity->validation);
    }
}
