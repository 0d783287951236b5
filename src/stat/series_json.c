#include "stat/json_writer.h"

static json_t *interval_of(struct ekb_json_writer *writer,
                           const struct ekb_record_interval *interval)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "start_ns", ekb_json_u64(writer, interval->start_ns));
    ekb_json_put(writer, object, "duration_ns", ekb_json_u64(writer, interval->duration_ns));
    ekb_json_put(writer, object, "started", ekb_json_u64(writer, interval->started));
    ekb_json_put(writer, object, "accepted", ekb_json_u64(writer, interval->accepted));
    ekb_json_put(writer, object, "rejected", ekb_json_u64(writer, interval->rejected));
    ekb_json_put(writer, object, "failed", ekb_json_u64(writer, interval->failed));
    ekb_json_put(writer, object, "dropped", ekb_json_u64(writer, interval->dropped));
    ekb_json_put(writer, object, "in_flight", ekb_json_u64(writer, interval->in_flight));
    ekb_json_put(writer, object, "p50_ns", ekb_json_u64_or_null(writer, &interval->p50_ns));
    ekb_json_put(writer, object, "p99_ns", ekb_json_u64_or_null(writer, &interval->p99_ns));
    ekb_json_put(writer, object, "max_ns", ekb_json_u64_or_null(writer, &interval->max_ns));
    ekb_json_put(writer, object, "steal_percent", ekb_json_real_or_null(&interval->steal_percent));
    return object;
}

static json_t *series_of(struct ekb_json_writer *writer, const struct ekb_record_series *series)
{
    json_t *intervals = json_array();
    for (size_t i = 0; i < series->num_intervals; i++) {
        ekb_json_append(writer, intervals, interval_of(writer, &series->intervals[i]));
    }
    json_t *object = json_object();
    ekb_json_put(writer, object, "stage", ekb_json_text(series->stage));
    ekb_json_put(writer, object, "interval_ns", ekb_json_u64(writer, series->interval_ns));
    ekb_json_put(writer, object, "intervals", intervals);
    return object;
}

json_t *ekb_json_series(struct ekb_json_writer *writer, const struct ekb_record *record)
{
    json_t *array = json_array();
    for (size_t i = 0; i < record->num_series; i++) {
        ekb_json_append(writer, array, series_of(writer, &record->series[i]));
    }
    return array;
}
