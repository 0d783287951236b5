#include "report/answer.h"

#include "report/numbers.h"
#include "report/text_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void report_say(struct report_answer *answer, const char *format, ...)
{
    va_list args;
    if (answer->num_sentences == REPORT_MAX_SENTENCES) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(answer->sentences[answer->num_sentences++], sizeof answer->sentences[0], format,
                    args);
    va_end(args);
}

const char *report_amount(char out_text[96], const struct ekb_estimate *estimate)
{
    char interval[64];
    const bool is_small = fabs(estimate->low) < 1e3 && fabs(estimate->high) < 1e3;
    (void)text_interval(interval, estimate, is_small ? text_plain : text_us);
    const size_t number_len = strcspn(interval, " ");
    (void)snprintf(out_text, 96, "%.*s %s%s", (int)number_len, interval, is_small ? "ns" : "us",
                   interval + number_len);
    return out_text;
}

const char *report_change(char out_text[128], const struct ekb_estimate *change)
{
    char amount[96];
    const bool is_less = change->estimate < 0;
    const struct ekb_estimate size = {.estimate = fabs(change->estimate),
                                      .low = is_less ? -change->high : change->low,
                                      .high = is_less ? -change->low : change->high,
                                      .n = change->n};
    (void)snprintf(out_text, 128, "%s %s", report_amount(amount, &size), is_less ? "less" : "more");
    return out_text;
}

// Links of a deployment.

static double cost_of(const struct ekb_record_arm *link)
{
    return link->server_cpu_interval.estimate;
}

// write_link writes its name, and if its handshakes do not end as one expects.
static const char *write_link(char out_text[96], const struct ekb_record_arm *link)
{
    const bool is_accepted = strcmp(link->expect, "accept") == 0;
    (void)snprintf(out_text, 96, "%s%s%s%s", link->name, is_accepted ? "" : " (",
                   is_accepted ? "" : text_outcome_of(link), is_accepted ? "" : ")");
    return out_text;
}

// write_check writes what the EKU check changes; nothing if that is unknown.
static const char *write_check(char out_text[512], const struct ekb_record *record)
{
    const struct ekb_record_effect *check =
        text_find_effect(record, EKB_EFFECT_LINK, EKB_METRIC_SERVER_CPU, NULL);
    char amount[96];
    out_text[0] = '\0';
    if (check != NULL) {
        (void)snprintf(out_text, 512, "; the EKU check's mode changes that by %s (%s): %s",
                       report_amount(amount, &check->estimate), check->contrast, check->verdict);
    }
    return out_text;
}

void report_answer_links(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_arm *cheapest = NULL;
    const struct ekb_record_arm *dearest = NULL;
    char amounts[2][96];
    char links[2][96];
    char check[512];
    for (size_t i = 0; i < record->num_arms && record->plan.scenario[0] != '\0'; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        if (text_is_link(arm) && arm->server_cpu_interval_known) {
            cheapest = cheapest == NULL || cost_of(arm) < cost_of(cheapest) ? arm : cheapest;
            dearest = dearest == NULL || cost_of(arm) > cost_of(dearest) ? arm : dearest;
        }
    }
    if (cheapest == NULL) {
        return;
    }
    (void)report_amount(amounts[0], &cheapest->server_cpu_interval);
    (void)report_amount(amounts[1], &dearest->server_cpu_interval);
    (void)write_link(links[0], cheapest);
    (void)write_link(links[1], dearest);
    (void)write_check(check, record);
    if (cheapest == dearest) {
        report_say(answer, "A handshake costs the responder %s of CPU on the link %s%s.",
                   amounts[0], links[0], check);
    } else {
        report_say(answer,
                   "A handshake costs the responder %s of CPU on the cheapest link, %s, and %s on "
                   "the dearest, %s%s.",
                   amounts[0], links[0], amounts[1], links[1], check);
    }
}

// Capacity.

static const struct {
    const char *state;
    const char *meaning;
} states[] = {
    {"ceiling",
     "That is the highest rate that was tried: nearer to what a closed loop reaches, a "
     "trial cannot tell whether the work in hand grows. The objective is no limit here."},
    {"generator", "Above it the client could not keep up: the server may take more."},
    {"exhausted", "The time was up before the bounds were close: give it more (--budget)."},
    {"ended", "The search ended before its time, for what is said below: that is no answer."},
    {"nothing", "No rate meets the objective."},
    {"disturbed",
     "Other work had the workers' CPUs, trial after trial: no answer on this machine as "
     "busy as it is."},
    {"unvalidated", "No answer: no validation met the objective, at the rate that the search had "
                    "found or below it (a longer --budget has longer trials)."},
};

// What ends a search's rates, in a sentence.
static const struct {
    const char *limiter;
    const char *meaning;
} limiters[] = {
    {"server CPU", "it is full"},
    {"client CPU", "it is full: the server may take more"},
    {"queueing", "handshakes wait for one another longer than the objective allows, while the "
                 "server's CPU is not yet full"},
    {"server or network", "the server or the network, of which no more is known here"},
};

static const char *write_limiter(char out_text[192], const char *limiter)
{
    out_text[0] = '\0';
    for (size_t i = 0; i < sizeof limiters / sizeof limiters[0]; i++) {
        if (strcmp(limiters[i].limiter, limiter) == 0) {
            (void)snprintf(out_text, 192, " Limiter: %s (%s).", limiter, limiters[i].meaning);
            return out_text;
        }
    }
    if (limiter[0] != '\0') {
        (void)snprintf(out_text, 192, " Limiter: %s.", limiter);
    }
    return out_text;
}

// say_overlap says at which rates trials came out both ways: from the lowest that failed to the
// highest that passed.
static void say_overlap(struct report_answer *answer, const struct ekb_record_capacity *capacity)
{
    double failed_per_s = (double)INFINITY;
    double passed_per_s = capacity->validated ? capacity->lower_per_s : 0;
    for (size_t i = 0; i < capacity->num_trials; i++) {
        const struct ekb_record_trial *trial = &capacity->trials[i];
        if (strcmp(trial->outcome, "failed") == 0) {
            failed_per_s = fmin(failed_per_s, trial->rate_per_s);
        } else if (strcmp(trial->outcome, "passed") == 0) {
            passed_per_s = fmax(passed_per_s, trial->rate_per_s);
        }
    }
    if (round(failed_per_s) == round(passed_per_s)) {
        report_say(answer,
                   "At %.0f/s some trials passed and some failed: the limit is about there, and "
                   "moves with the machine's speed.",
                   failed_per_s);
    } else if (failed_per_s < passed_per_s) {
        report_say(answer,
                   "Between %.0f and %.0f/s some trials passed and some failed: the limit is about "
                   "there, and moves with the machine's speed.",
                   failed_per_s, passed_per_s);
    }
}

void report_answer_capacity(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_capacity *capacity = &record->capacity;
    char limit[EKB_UNITS_TEXT_LEN];
    char upper[64] = "no rate that was tried fails to";
    char limiter[192];
    if (isfinite(capacity->upper_per_s)) {
        (void)snprintf(upper, sizeof upper, "%.0f/s does not", capacity->upper_per_s);
    }
    (void)ekb_units_format_ns(limit, (double)capacity->limit_ns);
    if (capacity->lower_per_s > 0) {
        report_say(answer,
                   "%.0f handshakes/s meet the objective (the %gth percentile of latency at most "
                   "%s, %g %% errors); %s.%s",
                   capacity->lower_per_s, capacity->percentile, limit,
                   100.0 * capacity->max_error_share, upper,
                   write_limiter(limiter, capacity->limiter));
        say_overlap(answer, capacity);
    }
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i].state, capacity->state) == 0 && !record->interrupted) {
            report_say(answer, "%s", states[i].meaning);
        }
    }
    if (capacity->lower_per_s > 0 && !capacity->validated) {
        report_say(answer, "Not validated.");
    }
}

// Load.

// say_latency gives the percentiles that are known.
static void say_latency(struct report_answer *answer, const struct ekb_record_arm *arm)
{
    char p50[EKB_UNITS_TEXT_LEN];
    char p99[EKB_UNITS_TEXT_LEN];
    char max[EKB_UNITS_TEXT_LEN];
    const struct ekb_record_summary *latency = &arm->latency_ns;
    if (!latency->known || latency->moments.count == 0) {
        return;
    }
    (void)ekb_units_format_ns(max, (double)latency->moments.max);
    (void)ekb_units_format_ns(p50, (double)latency->p50.value);
    (void)ekb_units_format_ns(p99, (double)latency->p99.value);
    if (latency->p50.known && latency->p99.known) {
        report_say(answer, "Latency of %s: median %s, 99th percentile %s, at most %s.", arm->name,
                   p50, p99, max);
    } else if (latency->p50.known) {
        report_say(answer, "Latency of %s: median %s, at most %s.", arm->name, p50, max);
    } else {
        report_say(answer, "Latency of %s: at most %s.", arm->name, max);
    }
}

// is_total is true for the rate of all arms of a stage in which a server is loaded.
static bool is_total(const struct ekb_record_throughput *row)
{
    return row->arm[0] == '\0' && report_stage_has_rates(row->stage) &&
           isfinite(row->accepted_per_s);
}

// write_load writes of which load a rate is: "With 2,000 in flight".
static const char *write_load(char out_text[160], const struct ekb_record *record,
                              const char *stage_name)
{
    const struct ekb_record_stage *stage = text_find_stage(record, stage_name);
    char in_flight[EKB_UNITS_TEXT_LEN];
    size_t num_totals = 0;
    char name[64] = "";
    for (size_t i = 0; i < record->num_throughput; i++) {
        num_totals += is_total(&record->throughput[i]) ? 1 : 0;
    }
    if (num_totals > 1 || stage == NULL) {
        (void)snprintf(name, sizeof name, " (stage %s)", stage_name);
    }
    if (stage == NULL || (stage->open_loop.known && !isfinite(stage->open_loop.planned_per_s))) {
        (void)snprintf(out_text, 160, "Under load%s", name);
    } else if (stage->open_loop.known) {
        (void)snprintf(out_text, 160, "With %.0f due per second%s", stage->open_loop.planned_per_s,
                       name);
    } else {
        (void)snprintf(out_text, 160, "With %s in flight%s",
                       ekb_units_format_count(in_flight, stage->in_flight), name);
    }
    return out_text;
}

void report_answer_load(struct report_answer *answer, const struct ekb_record *record)
{
    for (size_t i = 0; i < record->num_throughput && !record->capacity.known; i++) {
        const struct ekb_record_throughput *row = &record->throughput[i];
        char load[160];
        if (is_total(row) && row->interval_known) {
            report_say(answer, "%s the server accepted %.0f [%.0f, %.0f] handshakes/s.",
                       write_load(load, record, row->stage), row->accepted_per_s, row->interval.low,
                       row->interval.high);
        } else if (is_total(row)) {
            report_say(answer, "%s the server accepted %.0f handshakes/s.",
                       write_load(load, record, row->stage), row->accepted_per_s);
        }
    }
    if (record->num_arms == 1) {
        say_latency(answer, &record->arms[0]);
    }
}

// say_withheld says that there is no answer, and where it stands why.
static void say_withheld(struct report_answer *answer, const char *section)
{
    if (section != NULL) {
        report_say(answer, "No answer: the run is not clean; see below, \"%s\".", section);
    } else {
        report_say(answer, "No answer: the run is not clean; the reasons stand below.");
    }
}

void report_answer_all(struct report_answer *answer, const struct ekb_record *record,
                       const char *section)
{
    if (!ekb_record_is_clean(record)) {
        say_withheld(answer, section);
        return;
    }
    report_answer_costs(answer, record);
    report_answer_rejects(answer, record);
    report_answer_links(answer, record);
    if (record->capacity.known) {
        report_answer_capacity(answer, record);
    }
    report_answer_load(answer, record);
    if (answer->num_sentences == 0) {
        report_say(answer, "No answer: what was asked for was not measured.");
    }
}
