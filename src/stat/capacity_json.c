#include "stat/json_writer.h"

static json_t *trial_of(struct ekb_json_writer *writer, const struct ekb_record_trial *trial)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "purpose", ekb_json_text_or_null(trial->purpose));
    ekb_json_put(writer, object, "rate_per_s", ekb_json_real(trial->rate_per_s));
    ekb_json_put(writer, object, "duration_ns", ekb_json_u64(writer, trial->duration_ns));
    ekb_json_put(writer, object, "seed", ekb_json_u64(writer, trial->seed));
    ekb_json_put(writer, object, "outcome", ekb_json_text(trial->outcome));
    ekb_json_put(writer, object, "reason", ekb_json_text_or_null(trial->reason));
    ekb_json_put(writer, object, "offered_per_s", ekb_json_real(trial->offered_per_s));
    ekb_json_put(writer, object, "latency_ns", ekb_json_u64_or_null(writer, &trial->latency_ns));
    ekb_json_put(writer, object, "lag_p99_ns", ekb_json_u64_or_null(writer, &trial->lag_p99_ns));
    ekb_json_put(writer, object, "due", ekb_json_u64(writer, trial->due));
    ekb_json_put(writer, object, "accepted", ekb_json_u64(writer, trial->accepted));
    ekb_json_put(writer, object, "errors", ekb_json_u64(writer, trial->errors));
    ekb_json_put(writer, object, "dropped", ekb_json_u64(writer, trial->dropped));
    ekb_json_put(writer, object, "in_flight_begin", ekb_json_real_or_null(&trial->in_flight_begin));
    ekb_json_put(writer, object, "in_flight_end", ekb_json_real_or_null(&trial->in_flight_end));
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

static json_t *ceiling_of(struct ekb_json_writer *writer, const struct ekb_record_ceiling *ceiling)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "in_flight", ekb_json_u64(writer, ceiling->in_flight));
    ekb_json_put(writer, object, "accepted_per_s", ekb_json_real(ceiling->accepted_per_s));
    ekb_json_put(writer, object, "server_busy_percent",
                 ekb_json_real_or_null(&ceiling->server_busy_percent));
    ekb_json_put(writer, object, "client_busy_percent",
                 ekb_json_real_or_null(&ceiling->client_busy_percent));
    return object;
}

static json_t *searched_or_null(struct ekb_json_writer *writer,
                                const struct ekb_record_variant *variant)
{
    if (!variant->searched) {
        return json_null();
    }
    json_t *object = json_object();
    ekb_json_put(writer, object, "state", ekb_json_text(variant->state));
    ekb_json_put(writer, object, "ceiling_per_s", ekb_json_real(variant->ceiling_per_s));
    ekb_json_put(writer, object, "lower_per_s", ekb_json_real(variant->lower_per_s));
    ekb_json_put(writer, object, "upper_per_s", ekb_json_real(variant->upper_per_s));
    return object;
}

static json_t *variant_of(struct ekb_json_writer *writer, const struct ekb_record_variant *variant)
{
    json_t *object = json_object();
    ekb_json_put(writer, object, "name", ekb_json_text(variant->name));
    ekb_json_put(writer, object, "eku", ekb_json_text(variant->eku));
    ekb_json_put(writer, object, "depth", ekb_json_u64(writer, variant->depth));
    ekb_json_put(writer, object, "key", ekb_json_text(variant->key));
    ekb_json_put(writer, object, "cost_factor",
                 ekb_json_interval_or_null(writer, variant->cost_known, &variant->cost_factor));
    ekb_json_put(writer, object, "server_cpu_ns",
                 ekb_json_interval_or_null(writer, variant->cost_known, &variant->server_cpu_ns));
    ekb_json_put(writer, object, "projected_per_s",
                 ekb_json_interval_or_null(writer, variant->rate_known, &variant->projected_per_s));
    ekb_json_put(writer, object, "cores", ekb_json_real_or_null(&variant->target_cores));
    ekb_json_put(writer, object, "searched", searched_or_null(writer, variant));
    return object;
}

static json_t *mix_or_null(struct ekb_json_writer *writer, const struct ekb_record_mix *mix)
{
    if (!mix->known) {
        return json_null();
    }
    json_t *object = json_object();
    ekb_json_put(writer, object, "reject_share", ekb_json_real(mix->reject_share));
    ekb_json_put(writer, object, "resume_share", ekb_json_real(mix->resume_share));
    ekb_json_put(writer, object, "rejected_cpu_ns",
                 ekb_json_interval_or_null(writer, mix->rejected_known, &mix->rejected_cpu_ns));
    ekb_json_put(writer, object, "resumed_cpu_ns",
                 ekb_json_interval_or_null(writer, mix->resumed_known, &mix->resumed_cpu_ns));
    ekb_json_put(writer, object, "tickets_cpu_ns",
                 ekb_json_interval_or_null(writer, mix->resumed_known, &mix->tickets_cpu_ns));
    ekb_json_put(writer, object, "mean_cpu_ns",
                 mix->rate_known ? ekb_json_real(mix->mean_cpu_ns) : json_null());
    ekb_json_put(writer, object, "projected_per_s",
                 ekb_json_interval_or_null(writer, mix->rate_known, &mix->rate_per_s));
    ekb_json_put(writer, object, "projected_accepted_per_s",
                 mix->rate_known ? ekb_json_real(mix->accepted_per_s) : json_null());
    ekb_json_put(writer, object, "cores", ekb_json_real_or_null(&mix->target_cores));
    return object;
}

static json_t *trials_of(struct ekb_json_writer *writer, const struct ekb_record_capacity *capacity)
{
    json_t *trials = json_array();
    for (size_t i = 0; i < capacity->num_trials; i++) {
        ekb_json_append(writer, trials, trial_of(writer, &capacity->trials[i]));
    }
    return trials;
}

static json_t *ceilings_of(struct ekb_json_writer *writer,
                           const struct ekb_record_capacity *capacity)
{
    json_t *ceilings = json_array();
    for (size_t i = 0; i < capacity->num_ceilings; i++) {
        ekb_json_append(writer, ceilings, ceiling_of(writer, &capacity->ceilings[i]));
    }
    return ceilings;
}

static json_t *variants_of(struct ekb_json_writer *writer,
                           const struct ekb_record_capacity *capacity)
{
    json_t *variants = json_array();
    for (size_t i = 0; i < capacity->num_variants; i++) {
        ekb_json_append(writer, variants, variant_of(writer, &capacity->variants[i]));
    }
    return variants;
}

json_t *ekb_json_capacity_or_null(struct ekb_json_writer *writer,
                                  const struct ekb_record_capacity *capacity)
{
    const bool blocks = capacity->blocks_known;
    if (!capacity->known) {
        return json_null();
    }
    json_t *object = json_object();
    ekb_json_put(writer, object, "objective", objective_of(writer, capacity));
    ekb_json_put(writer, object, "state", ekb_json_text(capacity->state));
    ekb_json_put(writer, object, "ceiling_per_s", ekb_json_real(capacity->ceiling_per_s));
    ekb_json_put(writer, object, "ceilings", ceilings_of(writer, capacity));
    ekb_json_put(writer, object, "highest_per_s", ekb_json_real(capacity->highest_per_s));
    ekb_json_put(writer, object, "lower_per_s", ekb_json_real(capacity->lower_per_s));
    ekb_json_put(writer, object, "upper_per_s", ekb_json_real(capacity->upper_per_s));
    ekb_json_put(writer, object, "trials", trials_of(writer, capacity));
    ekb_json_put(writer, object, "validation",
                 capacity->validated ? trial_of(writer, &capacity->validation) : json_null());
    ekb_json_put(writer, object, "server_cpu_ns", ekb_json_real_or_null(&capacity->server_cpu_ns));
    ekb_json_put(writer, object, "server_cpu_interval",
                 ekb_json_interval_or_null(writer, blocks && capacity->server_cpu_ns.known,
                                           &capacity->server_cpu_blocks));
    ekb_json_put(writer, object, "client_cpu_ns", ekb_json_real_or_null(&capacity->client_cpu_ns));
    ekb_json_put(writer, object, "client_cpu_interval",
                 ekb_json_interval_or_null(writer, blocks && capacity->client_cpu_ns.known,
                                           &capacity->client_cpu_blocks));
    ekb_json_put(writer, object, "server_utilisation",
                 ekb_json_real_or_null(&capacity->server_utilisation));
    ekb_json_put(writer, object, "server_utilisation_interval",
                 ekb_json_interval_or_null(writer, blocks && capacity->server_utilisation.known,
                                           &capacity->utilisation_blocks));
    ekb_json_put(writer, object, "server_cores", ekb_json_u64(writer, capacity->server_cores));
    ekb_json_put(writer, object, "limiter", ekb_json_text_or_null(capacity->limiter));
    ekb_json_put(writer, object, "projection", projection_of(writer, capacity));
    ekb_json_put(writer, object, "mix", mix_or_null(writer, &capacity->mix));
    ekb_json_put(writer, object, "variants", variants_of(writer, capacity));
    return object;
}
