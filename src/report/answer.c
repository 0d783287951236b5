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

// Costs.

// say_eku gives the check as it is with warm caches, and as it was at the first look.
static void say_eku(struct report_answer *answer, const struct ekb_record_effect *check,
                    const struct ekb_record_effect *first, const struct ekb_record_effect *whole)
{
    char amount[96];
    char cold[96];
    char difference[96];
    report_say(
        answer,
        "The EKU check costs the server %s per certificate with warm caches and %s at the first "
        "look, timed inside the handshake; a whole handshake with the check differs from one "
        "without by %s of server CPU: %s.",
        report_amount(amount, &check->estimate), report_amount(cold, &first->estimate),
        report_amount(difference, &whole->estimate), whole->verdict);
}

void report_answer_costs(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_effect *check = text_find_effect(
        record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_TIMER);
    const struct ekb_record_effect *first = text_find_effect(
        record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_FIRST);
    const struct ekb_record_effect *whole = text_find_eku_effect(record, "on-d1 - none-d1");
    const struct ekb_record_effect *slope =
        text_find_effect(record, EKB_EFFECT_DEPTH, EKB_METRIC_SERVER_CPU, EKB_CONTRAST_DEPTH_ON);
    const struct ekb_record_effect *reject =
        text_find_effect(record, EKB_EFFECT_REJECT, EKB_METRIC_SERVER_CPU, NULL);
    const struct ekb_record_arm *one_way = ekb_record_find_arm(record, EKB_STAGE_COST, "one-way");
    const struct ekb_record_arm *mutual = ekb_record_find_arm(record, EKB_STAGE_COST, "on-d1");
    const bool check_known = check != NULL && first != NULL && whole != NULL;
    const bool costs_known = one_way != NULL && mutual != NULL &&
                             one_way->server_cpu_interval_known &&
                             mutual->server_cpu_interval_known && slope != NULL && reject != NULL;
    if (text_find_stage(record, EKB_STAGE_COST) == NULL || (!check_known && !costs_known)) {
        return;
    }
    if (check_known) {
        say_eku(answer, check, first, whole);
    }
    if (costs_known) {
        char base[96];
        char all[96];
        char each[96];
        char saved[128];
        report_say(answer,
                   "What costs is the certificate itself: one-way TLS takes %s of server CPU, a "
                   "verified client %s, each further certificate in its chain %s; and a client "
                   "rejected for its EKU takes %s than an accepted one.",
                   report_amount(base, &one_way->server_cpu_interval),
                   report_amount(all, &mutual->server_cpu_interval),
                   report_amount(each, &slope->estimate), report_change(saved, &reject->estimate));
    }
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

void report_answer_capacity(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_capacity *capacity = &record->capacity;
    char limit[EKB_UNITS_TEXT_LEN];
    char upper[64] = "no rate that was tried fails to";
    char limiter[64] = "";
    if (capacity->limiter[0] != '\0') {
        (void)snprintf(limiter, sizeof limiter, " Limiter: %s.", capacity->limiter);
    }
    if (isfinite(capacity->upper_per_s)) {
        (void)snprintf(upper, sizeof upper, "%.0f/s does not", capacity->upper_per_s);
    }
    (void)ekb_units_format_ns(limit, (double)capacity->limit_ns);
    if (capacity->lower_per_s > 0) {
        report_say(answer,
                   "%.0f handshakes/s meet the objective (the %gth percentile of latency at most "
                   "%s, %g %% errors); %s.%s",
                   capacity->lower_per_s, capacity->percentile, limit,
                   100.0 * capacity->max_error_share, upper, limiter);
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

void report_answer_load(struct report_answer *answer, const struct ekb_record *record)
{
    for (size_t i = 0; i < record->num_throughput && !record->capacity.known; i++) {
        const struct ekb_record_throughput *row = &record->throughput[i];
        const bool is_all = row->arm[0] == '\0' && report_stage_has_rates(row->stage);
        if (is_all && row->interval_known) {
            report_say(answer,
                       "Under load (stage %s) %.0f handshakes/s [%.0f, %.0f] were accepted.",
                       row->stage, row->accepted_per_s, row->interval.low, row->interval.high);
        } else if (is_all && isfinite(row->accepted_per_s)) {
            report_say(answer, "Under load (stage %s) %.0f handshakes/s were accepted.", row->stage,
                       row->accepted_per_s);
        }
    }
    if (record->num_arms == 1) {
        say_latency(answer, &record->arms[0]);
    }
}

void report_answer_all(struct report_answer *answer, const struct ekb_record *record)
{
    report_answer_costs(answer, record);
    report_answer_links(answer, record);
    if (record->capacity.known) {
        report_answer_capacity(answer, record);
    }
    report_answer_load(answer, record);
    if (answer->num_sentences == 0) {
        report_say(answer, "No answer: what was asked for was not measured.");
    }
}
