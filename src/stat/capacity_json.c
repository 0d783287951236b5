#include "stat/json_writer.h"

static json_t *trial_of(struct ekb_json_writer *writer, const struct ekb_record_trial *trial)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "rate_per_s", ekb_json_real(trial->rate_per_s));
    ekb_json_put(writer, object, "duration_ns", ekb_json_u64(writer, trial->duration_ns));
    ekb_json_put(writer, object, "outcome", ekb_json_text(trial->outcome));
    ekb_json_put(writer, object, "reason", ekb_json_text_or_null(trial->reason));
    ekb_json_put(writer, object, "offered_per_s", ekb_json_real(trial->offered_per_s));
    ekb_json_put(writer, object, "latency_ns", ekb_json_u64_or_null(writer, &trial->latency_ns));
    ekb_json_put(writer, object, "lag_p99_ns", ekb_json_u64_or_null(writer, &trial->lag_p99_ns));
    ekb_json_put(writer, object, "due", ekb_json_u64(writer, trial->due));
    ekb_json_put(writer, object, "accepted", ekb_json_u64(writer, trial->accepted));
    ekb_json_put(writer, object, "errors", ekb_json_u64(writer, trial->errors));
    ekb_json_put(writer, object, "server_busy_percent",
                 ekb_json_real_or_null(&trial->server_busy_percent));
    ekb_json_put(writer, object, "client_busy_percent",
                 ekb_json_real_or_null(&trial->client_busy_percent));
    return object;
}

static json_t *objective_of(struct ekb_json_writer *writer,
                            const struct ekb_record_capacity *capacity)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "percentile", ekb_json_real(capacity->percentile));
    ekb_json_put(writer, object, "limit_ns", ekb_json_u64(writer, capacity->limit_ns));
    ekb_json_put(writer, object, "max_error_share", ekb_json_real(capacity->max_error_share));
    return object;
}

static json_t *projection_of(struct ekb_json_writer *writer,
                             const struct ekb_record_capacity *capacity)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "target_per_s", ekb_json_real_or_null(&capacity->target_per_s));
    ekb_json_put(writer, object, "cores", ekb_json_real_or_null(&capacity->target_cores));
    ekb_json_put(writer, object, "machines", ekb_json_real_or_null(&capacity->target_machines));
    ekb_json_put(writer, object, "headroom", ekb_json_real_or_null(&capacity->headroom));
    return object;
}

json_t *ekb_json_capacity_or_null(struct ekb_json_writer *writer,
                                  const struct ekb_record_capacity *capacity)
{
    if (!capacity->known) {
        return json_null();
    }
    json_t *trials = json_array();
    for (size_t i = 0; i < capacity->num_trials; i++) {
        ekb_json_append(writer, trials, trial_of(writer, &capacity->trials[i]));
    }
    json_t *object = json_object();
    ekb_json_put(writer, object, "objective", objective_of(writer, capacity));
    ekb_json_put(writer, object, "state", ekb_json_text(capacity->state));
    ekb_json_put(writer, object, "ceiling_per_s", ekb_json_real(capacity->ceiling_per_s));
    ekb_json_put(writer, object, "lower_per_s", ekb_json_real(capacity->lower_per_s));
    ekb_json_put(writer, object, "upper_per_s", ekb_json_real(capacity->upper_per_s));
    ekb_json_put(writer, object, "trials", trials);
    ekb_json_put(writer, object, "validation",
                 capacity->validated ? trial_of(writer, &capacity->validation) : json_null());
    ekb_json_put(writer, object, "server_cpu_ns", ekb_json_real_or_null(&capacity->server_cpu_ns));
    ekb_json_put(writer, object, "client_cpu_ns", ekb_json_real_or_null(&capacity->client_cpu_ns));
    ekb_json_put(writer, object, "server_utilisation",
                 ekb_json_real_or_null(&capacity->server_utilisation));
    ekb_json_put(writer, object, "server_cores", ekb_json_u64(writer, capacity->server_cores));
    ekb_json_put(writer, object, "limiter", ekb_json_text_or_null(capacity->limiter));
    ekb_json_put(writer, object, "projection", projection_of(writer, capacity));
    return object;
}
