#include "stat/json_reader.h"

#include <math.h>

static void read_trial(const struct ekb_json_at *at, struct ekb_record_trial *trial)
{
    EKB_JSON_READ_TEXT(at, "purpose", trial->purpose);
    trial->rate_per_s = ekb_json_read_real(at, "rate_per_s");
    trial->duration_ns = ekb_json_read_u64(at, "duration_ns");
    trial->seed = ekb_json_read_u64(at, "seed");
    EKB_JSON_READ_TEXT(at, "outcome", trial->outcome);
    EKB_JSON_READ_TEXT(at, "reason", trial->reason);
    trial->offered_per_s = ekb_json_read_real(at, "offered_per_s");
    trial->latency_ns = ekb_json_read_known_u64(at, "latency_ns");
    trial->lag_p99_ns = ekb_json_read_known_u64(at, "lag_p99_ns");
    trial->due = ekb_json_read_u64(at, "due");
    trial->accepted = ekb_json_read_u64(at, "accepted");
    trial->errors = ekb_json_read_u64(at, "errors");
    trial->dropped = ekb_json_read_u64(at, "dropped");
    trial->in_flight_begin = ekb_json_read_known_real(at, "in_flight_begin");
    trial->in_flight_end = ekb_json_read_known_real(at, "in_flight_end");
    trial->server_busy_percent = ekb_json_read_known_real(at, "server_busy_percent");
    trial->client_busy_percent = ekb_json_read_known_real(at, "client_busy_percent");
}

static void read_trials(const struct ekb_json_at *at, struct ekb_record_capacity *capacity)
{
    const struct ekb_json_at trials = ekb_json_array(at, "trials");
    const struct ekb_json_at ceilings = ekb_json_array(at, "ceilings");
    capacity->trials = ekb_json_items(&trials, &capacity->num_trials, sizeof capacity->trials[0]);
    for (size_t i = 0; i < capacity->num_trials; i++) {
        const struct ekb_json_at item = ekb_json_element(&trials, i);
        read_trial(&item, &capacity->trials[i]);
    }
    capacity->ceilings =
        ekb_json_items(&ceilings, &capacity->num_ceilings, sizeof capacity->ceilings[0]);
    for (size_t i = 0; i < capacity->num_ceilings; i++) {
        const struct ekb_json_at item = ekb_json_element(&ceilings, i);
        struct ekb_record_ceiling *ceiling = &capacity->ceilings[i];
        ceiling->in_flight = ekb_json_read_u64(&item, "in_flight");
        ceiling->accepted_per_s = ekb_json_read_real(&item, "accepted_per_s");
        ceiling->server_busy_percent = ekb_json_read_known_real(&item, "server_busy_percent");
        ceiling->client_busy_percent = ekb_json_read_known_real(&item, "client_busy_percent");
    }
}

// read_upper reads a bound that is infinite if there is none.
static double read_upper(const struct ekb_json_at *at)
{
    const struct ekb_record_real upper = ekb_json_read_known_real(at, "upper_per_s");
    return upper.known ? upper.value : (double)INFINITY;
}

static void read_mix(const struct ekb_json_at *capacity, struct ekb_record_mix *mix)
{
    const struct ekb_json_at at = ekb_json_object(capacity, "mix");
    mix->known = at.value != NULL;
    if (!mix->known) {
        return;
    }
    mix->reject_share = ekb_json_read_real(&at, "reject_share");
    mix->resume_share = ekb_json_read_real(&at, "resume_share");
    mix->rejected_known = ekb_json_read_interval(&at, "rejected_cpu_ns", &mix->rejected_cpu_ns);
    mix->resumed_known = ekb_json_read_interval(&at, "resumed_cpu_ns", &mix->resumed_cpu_ns) &&
                         ekb_json_read_interval(&at, "tickets_cpu_ns", &mix->tickets_cpu_ns);
    mix->rate_known = ekb_json_read_interval(&at, "projected_per_s", &mix->rate_per_s);
    mix->mean_cpu_ns = ekb_json_read_real(&at, "mean_cpu_ns");
    mix->accepted_per_s = ekb_json_read_real(&at, "projected_accepted_per_s");
    mix->target_cores = ekb_json_read_known_real(&at, "cores");
}

static void read_variant(const struct ekb_json_at *at, struct ekb_record_variant *variant)
{
    const struct ekb_json_at searched = ekb_json_object(at, "searched");
    EKB_JSON_READ_TEXT(at, "name", variant->name);
    EKB_JSON_READ_TEXT(at, "eku", variant->eku);
    variant->depth = ekb_json_read_u64(at, "depth");
    EKB_JSON_READ_TEXT(at, "key", variant->key);
    variant->cost_known = ekb_json_read_interval(at, "cost_factor", &variant->cost_factor) &&
                          ekb_json_read_interval(at, "server_cpu_ns", &variant->server_cpu_ns);
    variant->rate_known =
        ekb_json_read_interval(at, "projected_per_s", &variant->projected_per_s) &&
        variant->cost_known;
    variant->target_cores = ekb_json_read_known_real(at, "cores");
    variant->searched = searched.value != NULL;
    if (variant->searched) {
        EKB_JSON_READ_TEXT(&searched, "state", variant->state);
        variant->ceiling_per_s = ekb_json_read_real(&searched, "ceiling_per_s");
        variant->lower_per_s = ekb_json_read_real(&searched, "lower_per_s");
        variant->upper_per_s = read_upper(&searched);
    }
}

static void read_variants(const struct ekb_json_at *at, struct ekb_record_capacity *capacity)
{
    const struct ekb_json_at variants = ekb_json_array(at, "variants");
    const size_t num = json_array_size(variants.value);
    if (num > EKB_RECORD_MAX_VARIANTS) {
        ekb_json_refuse(at, "variants", "an array of at most 12 objects");
        return;
    }
    for (size_t i = 0; i < num; i++) {
        const struct ekb_json_at item = ekb_json_element(&variants, i);
        read_variant(&item, &capacity->variants[i]);
    }
    capacity->num_variants = num;
}

// read_costs reads what a handshake costs at the answer. The intervals are of what is known beside
// them.
static void read_costs(const struct ekb_json_at *at, struct ekb_record_capacity *capacity)
{
    capacity->server_cpu_ns = ekb_json_read_known_real(at, "server_cpu_ns");
    capacity->client_cpu_ns = ekb_json_read_known_real(at, "client_cpu_ns");
    capacity->server_utilisation = ekb_json_read_known_real(at, "server_utilisation");
    const bool server =
        ekb_json_read_interval(at, "server_cpu_interval", &capacity->server_cpu_blocks);
    const bool client =
        ekb_json_read_interval(at, "client_cpu_interval", &capacity->client_cpu_blocks);
    const bool utilisation =
        ekb_json_read_interval(at, "server_utilisation_interval", &capacity->utilisation_blocks);
    capacity->blocks_known = server || client || utilisation;
    capacity->server_cores = ekb_json_read_u64(at, "server_cores");
    EKB_JSON_READ_TEXT(at, "limiter", capacity->limiter);
}

void ekb_json_read_capacity(const struct ekb_json_at *root,
                            struct ekb_record_capacity *out_capacity)
{
    const struct ekb_json_at at = ekb_json_object(root, "capacity");
    const struct ekb_json_at objective = ekb_json_object(&at, "objective");
    const struct ekb_json_at validation = ekb_json_object(&at, "validation");
    const struct ekb_json_at projection = ekb_json_object(&at, "projection");
    out_capacity->known = at.value != NULL;
    if (!out_capacity->known) {
        return;
    }
    out_capacity->percentile = ekb_json_read_real(&objective, "percentile");
    if (!isfinite(out_capacity->percentile)) {
        ekb_json_refuse(&objective, "percentile", "a number");
    }
    out_capacity->limit_ns = ekb_json_read_u64(&objective, "limit_ns");
    out_capacity->max_error_share = ekb_json_read_real(&objective, "max_error_share");
    if (!isfinite(out_capacity->max_error_share)) {
        ekb_json_refuse(&objective, "max_error_share", "a number");
    }
    EKB_JSON_READ_TEXT(&at, "state", out_capacity->state);
    out_capacity->ceiling_per_s = ekb_json_read_real(&at, "ceiling_per_s");
    out_capacity->highest_per_s = ekb_json_read_real(&at, "highest_per_s");
    out_capacity->lower_per_s = ekb_json_read_real(&at, "lower_per_s");
    out_capacity->upper_per_s = read_upper(&at);
    read_trials(&at, out_capacity);
    out_capacity->validated = validation.value != NULL;
    if (out_capacity->validated) {
        read_trial(&validation, &out_capacity->validation);
    }
    read_costs(&at, out_capacity);
    out_capacity->target_per_s = ekb_json_read_known_real(&projection, "target_per_s");
    out_capacity->target_cores = ekb_json_read_known_real(&projection, "cores");
    out_capacity->target_machines = ekb_json_read_known_real(&projection, "machines");
    out_capacity->headroom = ekb_json_read_known_real(&projection, "headroom");
    read_mix(&at, &out_capacity->mix);
    read_variants(&at, out_capacity);
}
