#include "report/numbers.h"

#include "report/text_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PER_ARM 8

// add adds a number that is known and new: no name comes twice, whatever the file has.
static void add(struct report_numbers *numbers, const struct report_number *number)
{
    if (isfinite(number->value) && report_numbers_find(numbers, number) == NULL) {
        struct report_number *added = &numbers->items[numbers->num_items++];
        *added = *number;
        added->interval_known =
            number->interval_known && isfinite(number->low) && isfinite(number->high);
    }
}

static struct report_number name(const char *stage, const char *arm, const char *metric)
{
    struct report_number number = {.unit = "ns"};
    (void)snprintf(number.of, sizeof number.of, "%s%s%s", stage, arm[0] != '\0' ? "/" : "", arm);
    (void)snprintf(number.metric, sizeof number.metric, "%s", metric);
    return number;
}

static void add_mean(struct report_numbers *numbers, const struct ekb_record_arm *arm,
                     const char *metric, const struct ekb_estimate *mean)
{
    struct report_number number = name(arm->stage, arm->name, metric);
    number.value = mean->estimate;
    number.low = mean->low;
    number.high = mean->high;
    number.interval_known = true;
    add(numbers, &number);
}

static void add_percentile(struct report_numbers *numbers, const struct ekb_record_arm *arm,
                           const char *metric, struct ekb_record_u64 percentile)
{
    struct report_number number = name(arm->stage, arm->name, metric);
    number.value = (double)percentile.value;
    if (percentile.known && arm->latency_ns.known) {
        add(numbers, &number);
    }
}

bool report_stage_has_rates(const char *stage)
{
    static const char *const others[] = {EKB_STAGE_COST, EKB_STAGE_FLOOR, EKB_STAGE_PILOT,
                                         EKB_STAGE_VARIANTS};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(stage, others[i]) == 0) {
            return false;
        }
    }
    return true;
}

static void add_rate(struct report_numbers *numbers, const struct report_number *named, double rate,
                     const struct ekb_estimate *interval)
{
    struct report_number number = *named;
    number.unit = "/s";
    number.sense = REPORT_BIGGER_IS_BETTER;
    number.value = rate;
    if (interval != NULL) {
        number.interval_known = true;
        number.low = interval->low;
        number.high = interval->high;
    }
    add(numbers, &number);
}

static void add_arm(struct report_numbers *numbers, const struct ekb_record *record,
                    const struct ekb_record_arm *arm)
{
    if (arm->server_cpu_interval_known) {
        add_mean(numbers, arm, "server_cpu_ns", &arm->server_cpu_interval);
    }
    if (arm->client_cpu_interval_known) {
        add_mean(numbers, arm, "client_cpu_ns", &arm->client_cpu_interval);
    }
    add_percentile(numbers, arm, "latency_p50_ns", arm->latency_ns.p50);
    add_percentile(numbers, arm, "latency_p90_ns", arm->latency_ns.p90);
    add_percentile(numbers, arm, "latency_p99_ns", arm->latency_ns.p99);
    add_percentile(numbers, arm, "latency_p999_ns", arm->latency_ns.p999);
    if (report_stage_has_rates(arm->stage)) {
        const struct report_number number = name(arm->stage, arm->name, "accepted_per_s");
        add_rate(numbers, &number, text_rate_of(record, arm), NULL);
    }
}

static void add_capacity(struct report_numbers *numbers, const struct ekb_record_capacity *capacity)
{
    char limit[EKB_UNITS_TEXT_LEN];
    struct report_number number = name("capacity", "", "capacity_per_s");
    if (capacity->known && capacity->lower_per_s > 0) {
        const struct ekb_estimate bounds = {.low = capacity->lower_per_s,
                                            .high = capacity->upper_per_s};
        (void)snprintf(number.of, sizeof number.of, "capacity/p%g at most %s", capacity->percentile,
                       ekb_units_format_ns(limit, (double)capacity->limit_ns));
        add_rate(numbers, &number, capacity->lower_per_s, &bounds);
    }
}

enum ekb_err report_numbers_make(struct report_numbers *out_numbers,
                                 const struct ekb_record *record)
{
    struct report_numbers numbers = {
        .items = calloc(record->num_arms * MAX_PER_ARM + record->num_throughput + 1,
                        sizeof numbers.items[0])};
    if (numbers.items == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < record->num_arms; i++) {
        add_arm(&numbers, record, &record->arms[i]);
    }
    for (size_t i = 0; i < record->num_throughput; i++) {
        const struct ekb_record_throughput *row = &record->throughput[i];
        if (row->arm[0] == '\0' && report_stage_has_rates(row->stage)) {
            const struct report_number number = name(row->stage, "", "accepted_per_s");
            add_rate(&numbers, &number, row->accepted_per_s,
                     row->interval_known ? &row->interval : NULL);
        }
    }
    add_capacity(&numbers, &record->capacity);
    *out_numbers = numbers;
    return EKB_OK;
}

const struct report_number *report_numbers_find(const struct report_numbers *numbers,
                                                const struct report_number *like)
{
    for (size_t i = 0; i < numbers->num_items; i++) {
        if (strcmp(numbers->items[i].of, like->of) == 0 &&
            strcmp(numbers->items[i].metric, like->metric) == 0) {
            return &numbers->items[i];
        }
    }
    return NULL;
}
