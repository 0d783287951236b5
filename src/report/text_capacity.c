// How many handshakes a second the server takes while the objective is met.

#include "report/answer.h"
#include "report/text_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

// write_spread adds the range of the percentile over the long trials at the answer's rate, if there
// are any.
static void write_spread(char out_text[96], const struct ekb_record_capacity *capacity)
{
    uint64_t low = capacity->validation.latency_ns.value;
    uint64_t high = low;
    unsigned num = 1;
    out_text[0] = '\0';
    for (size_t i = 0; i < capacity->num_trials; i++) {
        const struct ekb_record_trial *trial = &capacity->trials[i];
        const bool is_same = fabs(trial->rate_per_s / capacity->lower_per_s - 1) < 1e-6;
        if (is_same && trial->latency_ns.known && strcmp(trial->outcome, "invalid") != 0) {
            low = trial->latency_ns.value < low ? trial->latency_ns.value : low;
            high = trial->latency_ns.value > high ? trial->latency_ns.value : high;
            num++;
        }
    }
    if (num > 1) {
        (void)snprintf(out_text, 96, " (%.2f to %.2f ms over %u trials at that rate)",
                       (double)low / 1e6, (double)high / 1e6, num);
    }
}

static void say_costs(struct report_answer *answer, const struct ekb_record_capacity *capacity)
{
    char server[EKB_UNITS_TEXT_LEN];
    char client[EKB_UNITS_TEXT_LEN];
    char server_us[64];
    char client_us[64];
    const bool is_ours = capacity->server_cpu_ns.known && capacity->server_utilisation.known;
    if (is_ours && capacity->blocks_known) {
        const struct ekb_estimate *busy = &capacity->utilisation_blocks;
        report_say(answer,
                   "CPU per handshake there, kernel included, with intervals over the "
                   "validation's blocks: server %s us, client %s us; the server's %llu core%s "
                   "%.0f %% busy [%.0f, %.0f].",
                   text_interval(server_us, &capacity->server_cpu_blocks, text_us),
                   text_interval(client_us, &capacity->client_cpu_blocks, text_us),
                   (unsigned long long)capacity->server_cores,
                   capacity->server_cores == 1 ? " was" : "s were",
                   100.0 * capacity->server_utilisation.value, 100.0 * busy->low,
                   100.0 * busy->high);
    } else if (is_ours) {
        report_say(answer,
                   "CPU per handshake there, kernel included: server %s, client %s; the server's "
                   "%llu core%s %.0f %% busy.",
                   ekb_units_format_ns(server, capacity->server_cpu_ns.value),
                   ekb_units_format_ns(client, capacity->client_cpu_ns.value),
                   (unsigned long long)capacity->server_cores,
                   capacity->server_cores == 1 ? " was" : "s were",
                   100.0 * capacity->server_utilisation.value);
    } else {
        report_say(answer,
                   "CPU per handshake there, kernel included: client %s. The server is not ours: "
                   "its CPU is unknown, and no cores are projected.",
                   ekb_units_format_ns(client, capacity->client_cpu_ns.value));
    }
}

static void say_ceiling(struct report_answer *answer, const struct ekb_record_capacity *capacity)
{
    uint64_t in_flight = 0;
    double best = 0;
    for (size_t i = 0; i < capacity->num_ceilings; i++) {
        if (capacity->ceilings[i].accepted_per_s > best) {
            best = capacity->ceilings[i].accepted_per_s;
            in_flight = capacity->ceilings[i].in_flight;
        }
    }
    if (in_flight > 0 && isfinite(capacity->ceiling_per_s)) {
        report_say(answer,
                   "A closed loop reaches %.0f/s, with %llu in flight: there everybody waits as "
                   "long as it takes, and the next begins when one is done. The rate at which the "
                   "objective still holds is lower.",
                   capacity->ceiling_per_s, (unsigned long long)in_flight);
    }
}

static void say_validation(struct report_answer *answer, const struct ekb_record_capacity *capacity)
{
    char latency[EKB_UNITS_TEXT_LEN];
    char spread[96];
    if (!capacity->validated || !capacity->client_cpu_ns.known ||
        !capacity->validation.latency_ns.known) {
        return;
    }
    write_spread(spread, capacity);
    report_say(answer, "Validated for %.3g s: %gth percentile %s%s.",
               (double)capacity->validation.duration_ns / 1e9, capacity->percentile,
               ekb_units_format_ns(latency, (double)capacity->validation.latency_ns.value), spread);
    say_costs(answer, capacity);
}

static void say_projection(struct report_answer *answer, const struct ekb_record_capacity *capacity)
{
    char headroom[64];
    if (!capacity->target_per_s.known) {
        return;
    }
    if (capacity->headroom.value >= 0) {
        (void)snprintf(headroom, sizeof headroom, "one alone can take it, with %.0f %% to spare",
                       100.0 * capacity->headroom.value);
    } else {
        (void)snprintf(headroom, sizeof headroom, "one alone can take %.3g %% of it",
                       100.0 / (1.0 - capacity->headroom.value));
    }
    if (capacity->target_cores.known) {
        report_say(
            answer,
            "PROJECTED, not measured: %.0f/s need %.0f server cores at that utilisation, "
            "that is %.0f machines like this one, each with a CPU for its client as here; %s.",
            capacity->target_per_s.value, capacity->target_cores.value,
            capacity->target_machines.value, headroom);
    } else {
        report_say(answer, "PROJECTED, not measured: %.0f/s need %.0f servers like that one; %s.",
                   capacity->target_per_s.value, capacity->target_machines.value, headroom);
    }
}

// write_rate writes "3012 [2990, 3034]".
static const char *write_rate(char out_text[64], const struct ekb_estimate *rate)
{
    (void)snprintf(out_text, 64, "%.0f [%.0f, %.0f]", rate->estimate, rate->low, rate->high);
    return out_text;
}

static void say_mix_costs(struct report_answer *answer, const struct ekb_record_mix *mix)
{
    char first[64];
    char second[64];
    if (mix->rejected_known) {
        report_say(answer,
                   "A client that is rejected for its EKU costs the server %s us (measured).",
                   text_interval(first, &mix->rejected_cpu_ns, text_us));
    }
    if (mix->resumed_known) {
        report_say(answer,
                   "One that resumes costs it %s us, and the full handshake that gave it the "
                   "ticket %s us (measured).",
                   text_interval(first, &mix->resumed_cpu_ns, text_us),
                   text_interval(second, &mix->tickets_cpu_ns, text_us));
    }
}

static void say_mix(struct report_answer *answer, const struct ekb_record_mix *mix)
{
    char shares[96];
    char rate[64];
    char accepted[32];
    char cores[64] = "";
    if (!mix->known) {
        return;
    }
    (void)snprintf(shares, sizeof shares,
                   mix->resume_share > 0
                       ? "%g %% of the load rejected and %g %% of the rest resumed"
                       : "%g %% of the load rejected",
                   100.0 * mix->reject_share, 100.0 * mix->resume_share);
    say_mix_costs(answer, mix);
    if (mix->target_cores.known) {
        (void)snprintf(cores, sizeof cores, "; the target needs %.0f cores",
                       mix->target_cores.value);
    }
    if (mix->rate_known) {
        report_say(answer, "PROJECTED, not measured, with %s: %s/s, of which %s/s are accepted%s.",
                   shares, write_rate(rate, &mix->rate_per_s),
                   text_real(accepted, 0, mix->accepted_per_s), cores);
    } else {
        report_say(answer, "With %s: unknown.", shares);
    }
}

bool text_is_at_least(const struct ekb_record_variant *variant)
{
    return variant->searched && isinf(variant->upper_per_s) &&
           (strcmp(variant->state, "generator") == 0 || strcmp(variant->state, "exhausted") == 0);
}

static void write_variant(FILE *out, const struct ekb_record_variant *variant)
{
    char cost[64] = "-";
    char searched[32] = "-";
    char projected[64] = "-";
    char factor[64] = "-";
    char cores[16] = "";
    if (variant->target_cores.known) {
        (void)snprintf(cores, sizeof cores, "%8.0f", variant->target_cores.value);
    }
    if (variant->cost_known) {
        (void)text_interval(cost, &variant->server_cpu_ns, text_us);
    }
    if (variant->searched && variant->lower_per_s > 0) {
        (void)snprintf(searched, sizeof searched, "%.0f%s", variant->lower_per_s,
                       text_is_at_least(variant) ? "+" : "");
    } else if (variant->searched) {
        (void)snprintf(searched, sizeof searched, "none");
    }
    if (variant->rate_known) {
        const struct ekb_estimate ratio = {.estimate = 1.0 / variant->cost_factor.estimate,
                                           .low = 1.0 / variant->cost_factor.high,
                                           .high = 1.0 / variant->cost_factor.low};
        (void)write_rate(projected, &variant->projected_per_s);
        (void)snprintf(factor, sizeof factor, "%.3f [%.3f, %.3f]", ratio.estimate, ratio.low,
                       ratio.high);
    }
    (void)fprintf(out, "%-12s  %-20s %9s  %-20s  %-*s%s\n", variant->name, cost, searched,
                  projected, cores[0] != '\0' ? 20 : 0, factor, cores);
}

static void write_variants(FILE *out, const struct ekb_record_capacity *capacity)
{
    if (capacity->num_variants == 0) {
        return;
    }
    text_rule(out, "How does it differ?");
    text_wrapped(out, "Costs are measured side by side. Rates at the objective are PROJECTED from "
                      "them, where the server is as busy as at the main one's, unless they were "
                      "searched for; [95 %% interval] of the cost alone.");
    const bool has_cores = capacity->target_cores.known;
    const int width = has_cores ? 20 : 0;
    (void)fprintf(out, "\n%-12s  %-20s %9s  %-20s  %-*s%s\n", "", "server CPU per", "measured,",
                  "PROJECTED,", width, "rate, of the", has_cores ? "  cores," : "");
    (void)fprintf(out, "%-12s  %-20s %9s  %-20s  %-*s%s\n", "", "handshake, us", "per s", "per s",
                  width, "main one's", has_cores ? "  target" : "");
    bool any_at_least = false;
    for (size_t i = 0; i < capacity->num_variants; i++) {
        write_variant(out, &capacity->variants[i]);
        any_at_least = any_at_least || text_is_at_least(&capacity->variants[i]);
    }
    if (any_at_least) {
        text_wrapped(out,
                     "+: or more; the client or the time has set the bound, not the server. What "
                     "is projected from such a rate is or more, too.");
    }
}

static void write_trial(FILE *out, const char *label, const struct ekb_record_trial *trial)
{
    char rate[32];
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
    if (trial->server_busy_percent.known) {
        (void)snprintf(server, sizeof server, "%.0f", trial->server_busy_percent.value);
    }
    if (trial->client_busy_percent.known) {
        (void)snprintf(client, sizeof client, "%.0f", trial->client_busy_percent.value);
    }
    (void)fprintf(out, "%-10s %8s %5.3g %8llu %7llu %9s %8s %7s %7s  %s\n", label,
                  text_real(rate, 0, trial->rate_per_s), (double)trial->duration_ns / 1e9,
                  (unsigned long long)trial->due, (unsigned long long)trial->errors, latency, lag,
                  server, client, trial->outcome);
    // The latency stands there already.
    if (trial->reason[0] != '\0' && strstr(trial->reason, "percentile of latency") == NULL) {
        text_wrapped(out, "  (%s)", trial->reason);
    }
}

static void write_trials(FILE *out, const struct ekb_record_capacity *capacity)
{
    char label[32];
    if (capacity->num_trials == 0) {
        return;
    }
    (void)fprintf(out, "\n%-10s %8s %5s %8s %7s %9s %8s %7s %7s  %s\n", "trial", "rate/s", "s",
                  "due", "errors", "latency", "lag p99", "server", "client", "");
    (void)snprintf(label, sizeof label, "p%g, ms", capacity->percentile);
    (void)fprintf(out, "%-10s %8s %5s %8s %7s %9s %8s %7s %7s\n", "", "", "", "", "", label, "ms",
                  "busy %", "busy %");
    for (size_t i = 0; i < capacity->num_trials; i++) {
        const struct ekb_record_trial *trial = &capacity->trials[i];
        (void)snprintf(label, sizeof label, "%zu", i + 1);
        write_trial(out, strcmp(trial->purpose, "validation") == 0 ? "validation" : label, trial);
    }
    if (capacity->validated) {
        write_trial(out, "validation", &capacity->validation);
    }
}

// say_subject says what was measured, and by what kind of client.
static void say_subject(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_arm *arm = record->num_arms > 0 ? &record->arms[0] : NULL;
    const char *client = record->plan.num_stages > 0 ? record->plan.stages[0].client : "";
    char identities[96] = "";
    if (arm != NULL && arm->identities > 1) {
        (void)snprintf(identities, sizeof identities, ", with %llu identities (%s)",
                       (unsigned long long)arm->identities, arm->pick);
    }
    if (client[0] != '\0') {
        report_say(answer,
                   "The server is %s, the client %s one%s; a handshake is accepted when %s.",
                   record->plan.target[0] != '\0' ? record->plan.target : "ekubench's own",
                   strcmp(client, "full") == 0 ? "a full" : "a cheap", identities,
                   text_confirm_meaning(record->plan.confirm));
    }
}

void text_say_capacity(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_capacity *capacity = &record->capacity;
    if (record->interrupted) {
        report_say(answer, "The search was interrupted.");
    }
    say_subject(answer, record);
    say_validation(answer, capacity);
    say_ceiling(answer, capacity);
    say_projection(answer, capacity);
    say_mix(answer, &capacity->mix);
}

void text_write_capacity(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_capacity *capacity = &record->capacity;
    struct report_answer said = {.num_sentences = 0};
    if (!capacity->known) {
        return;
    }
    text_rule(out, "Capacity");
    if (ekb_record_is_clean(record)) {
        report_answer_capacity(&said, record);
    }
    text_say_capacity(&said, record);
    text_write_said(out, &said);
    write_trials(out, capacity);
    write_variants(out, capacity);
}
