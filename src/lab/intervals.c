#include "ekubench/lab/intervals.h"

#include <stdbool.h>
#include <stdlib.h>

static bool is_empty(const struct ekb_series_interval *interval)
{
    return interval->started + interval->accepted + interval->rejected + interval->failed +
               interval->dropped ==
           0;
}

// length_of returns how long interval `index` was: to its end, or the stage's, `ended_ns` after its
// start (0: unknown). What comes after the planned end goes on until that.
static uint64_t length_of(const struct ekb_series *series, size_t index, uint64_t ended_ns)
{
    const uint64_t start_ns = index * series->interval_ns;
    const bool is_last = index + 1 == series->num_intervals;
    const uint64_t passed_ns = ended_ns > start_ns ? ended_ns - start_ns : 0;
    return passed_ns > 0 && (is_last || passed_ns < series->interval_ns) ? passed_ns
                                                                         : series->interval_ns;
}

// steal_in returns the mean over the slices that share time with `interval`, each by how much. Of a
// slice that was under way when the clients ended, `ended_ns` after the start, nothing is known.
static struct ekb_record_real steal_in(const struct ekb_stage *stage,
                                       const struct ekb_record_interval *interval,
                                       uint64_t ended_ns)
{
    const uint64_t slice_ns = stage->timeline.slice_ns;
    const uint64_t end_ns = interval->start_ns + interval->duration_ns;
    const uint64_t num_ended = ended_ns / slice_ns;
    double sum = 0;
    double weight = 0;
    for (uint64_t i = interval->start_ns / slice_ns;
         i < num_ended && i < stage->timeline.num_slices && i * slice_ns < end_ns; i++) {
        const uint64_t from_ns = i * slice_ns;
        const uint64_t to_ns = from_ns + slice_ns;
        const double shared_ns =
            (double)(to_ns < end_ns ? to_ns : end_ns) -
            (double)(from_ns > interval->start_ns ? from_ns : interval->start_ns);
        sum += shared_ns * stage->steal_by_slice[i];
        weight += shared_ns;
    }
    const bool known = stage->steal_known && weight > 0;
    return (struct ekb_record_real){.known = known, .value = known ? sum / weight : 0};
}

static struct ekb_record_interval describe(const struct ekb_series_interval *interval)
{
    const uint64_t max_ns = ekb_hist_max(interval->latency);
    return (struct ekb_record_interval){
        .started = interval->started,
        .accepted = interval->accepted,
        .rejected = interval->rejected,
        .failed = interval->failed,
        .dropped = interval->dropped,
        .p50_ns = ekb_record_percentile(interval->latency, 500),
        .p99_ns = ekb_record_percentile(interval->latency, 990),
        .max_ns = {.known = ekb_hist_count(interval->latency) > 0, .value = max_ns},
    };
}

enum ekb_err ekb_intervals_add(struct ekb_record *record, const struct ekb_stage *stage,
                               const char *name)
{
    const struct ekb_series *series = stage->client.tally->series;
    if (series == NULL) {
        return EKB_OK;
    }
    struct ekb_record_series *rows =
        realloc(record->series, (record->num_series + 1) * sizeof rows[0]);
    if (rows == NULL) {
        return EKB_NOMEM;
    }
    record->series = rows;
    struct ekb_record_series *row = &rows[record->num_series];
    *row = (struct ekb_record_series){.interval_ns = series->interval_ns};
    EKB_RECORD_COPY(row->stage, name);
    row->intervals = calloc(series->num_intervals, sizeof row->intervals[0]);
    if (row->intervals == NULL) {
        return EKB_NOMEM;
    }
    record->num_series++;

    const uint64_t ended_at_ns = stage->client.tally->ended_ns;
    const uint64_t ended_ns =
        ended_at_ns > stage->timeline.origin_ns ? ended_at_ns - stage->timeline.origin_ns : 0;
    uint64_t in_flight = 0;
    for (size_t i = 0; i < series->num_intervals; i++) {
        const struct ekb_series_interval *interval = &series->intervals[i];
        const bool was_reached =
            i + 1 < series->num_intervals && i * series->interval_ns < ended_ns;
        if (is_empty(interval) && !was_reached) {
            continue;
        }
        struct ekb_record_interval *out = &row->intervals[row->num_intervals++];
        *out = describe(interval);
        in_flight += interval->started - interval->accepted - interval->rejected - interval->failed;
        out->start_ns = i * series->interval_ns;
        out->duration_ns = length_of(series, i, ended_ns);
        out->in_flight = in_flight;
        out->steal_percent = steal_in(stage, out, ended_ns);
    }
    return EKB_OK;
}
