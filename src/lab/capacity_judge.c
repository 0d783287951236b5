// The parts of lab/capacity that only decide.

#include "ekubench/lab/capacity.h"

#include "ekubench/base/rng.h"
#include "ekubench/lab/open_loop.h"
#include "ekubench/stat/backlog.h"
#include "ekubench/stat/projection.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// A side that is busier than this at the bound is what ends the search.
#define BUSY_PERCENT 90.0

static enum ekb_search_outcome decide(struct ekb_record_trial *trial,
                                      enum ekb_search_outcome outcome, const char *reason)
{
    static const char *const names[] = {"passed", "failed", "invalid"};
    (void)snprintf(trial->outcome, sizeof trial->outcome, "%s", names[outcome]);
    (void)snprintf(trial->reason, sizeof trial->reason, "%s", reason);
    return outcome;
}

// find_latency sets the latency at the objective's percentile of all that were due: those that were
// not accepted took for ever. Unknown if it is one of these.
static void find_latency(struct ekb_record_trial *trial, const struct ekb_hist *latency,
                         double percentile)
{
    const double rank = ceil(percentile / 100.0 * (double)trial->due);
    const double count = (double)ekb_hist_count(latency);
    if (rank >= 1 && rank <= count) {
        trial->latency_ns = (struct ekb_record_u64){
            .known = true, .value = ekb_hist_percentile(latency, 100.0 * rank / count)};
    }
}

// most_lag_ns returns how late the client may be: by a tenth of the objective; or of the latency,
// if that is longer, for what is far from the objective is not the client's doing.
static double most_lag_ns(const struct ekb_record_trial *trial,
                          const struct ekb_capacity_objective *objective)
{
    const double latency_ns = trial->latency_ns.known ? (double)trial->latency_ns.value : 0;
    return EKB_CAPACITY_MAX_LAG * fmax((double)objective->limit_ns, latency_ns);
}

// blame_client is true if the trial says nothing of the server; the text says why.
static bool blame_client(char out_text[EKB_RECORD_TEXT_LEN], const struct ekb_record_trial *trial,
                         const struct ekb_capacity_objective *objective)
{
    if (trial->due == 0) {
        (void)snprintf(out_text, EKB_RECORD_TEXT_LEN, "nothing was due");
        return true;
    }
    if (trial->lag_p99_ns.known &&
        (double)trial->lag_p99_ns.value > most_lag_ns(trial, objective)) {
        (void)snprintf(out_text, EKB_RECORD_TEXT_LEN,
                       "the client was late, by %.2f ms (99th percentile)",
                       (double)trial->lag_p99_ns.value / 1e6);
        return true;
    }
    if (trial->client_busy_percent.known &&
        trial->client_busy_percent.value > EKB_OPEN_LOOP_MAX_BUSY_PERCENT) {
        (void)snprintf(out_text, EKB_RECORD_TEXT_LEN, "the client's CPU was %.0f %% busy",
                       trial->client_busy_percent.value);
        return true;
    }
    return false;
}

static bool grows(const struct ekb_record_trial *trial)
{
    const struct ekb_backlog backlog = {.begin = trial->in_flight_begin.value,
                                        .end = trial->in_flight_end.value};
    return trial->in_flight_begin.known && trial->in_flight_end.known &&
           ekb_backlog_grows(&backlog, (double)trial->due);
}

enum ekb_search_outcome ekb_capacity_judge(struct ekb_record_trial *trial,
                                           const struct ekb_hist *latency,
                                           const struct ekb_capacity_objective *objective)
{
    char text[EKB_RECORD_TEXT_LEN];
    find_latency(trial, latency, objective->percentile);
    if (blame_client(text, trial, objective)) {
        return decide(trial, EKB_SEARCH_INVALID, text);
    }
    if ((double)trial->errors > objective->max_error_share * (double)trial->due) {
        (void)snprintf(text, sizeof text, "%llu of %llu were not accepted",
                       (unsigned long long)trial->errors, (unsigned long long)trial->due);
        return decide(trial, EKB_SEARCH_FAILED, text);
    }
    if (trial->dropped > 0) {
        (void)snprintf(text, sizeof text, "%llu found all connections under way",
                       (unsigned long long)trial->dropped);
        return decide(trial, EKB_SEARCH_FAILED, text);
    }
    if (grows(trial)) {
        (void)snprintf(text, sizeof text, "the work in hand grew: from %.0f connections to %.0f",
                       trial->in_flight_begin.value, trial->in_flight_end.value);
        return decide(trial, EKB_SEARCH_FAILED, text);
    }
    if (!trial->latency_ns.known || trial->latency_ns.value > objective->limit_ns) {
        (void)snprintf(
            text, sizeof text, "the %gth percentile of latency was %.2f ms", objective->percentile,
            trial->latency_ns.known ? (double)trial->latency_ns.value / 1e6 : (double)INFINITY);
        return decide(trial, EKB_SEARCH_FAILED, text);
    }
    return decide(trial, EKB_SEARCH_PASSED, "");
}

uint64_t ekb_capacity_trial_seed(uint64_t run_seed, uint64_t number)
{
    struct ekb_rng rng;
    ekb_rng_init(&rng, run_seed);
    uint64_t base = ekb_rng_next(&rng);
    ekb_rng_init(&rng, base + number);
    return ekb_rng_next(&rng) >> 11;
}

#define GROW_BY 4
#define MAX_IN_FLIGHT 4096
#define RISE 1.02
// So many in flight may take this long, if the rate does not rise at all.
#define MAX_WAIT_S 2.5
#define MAX_BUSY_WAIT_S 1.0

uint32_t ekb_capacity_more_in_flight(uint32_t in_flight, double accepted_per_s, double best_per_s,
                                     bool is_busy)
{
    const uint32_t more = in_flight * GROW_BY;
    const double wait_s = (double)more / accepted_per_s;
    if (accepted_per_s < RISE * best_per_s || more > MAX_IN_FLIGHT ||
        wait_s > (is_busy ? MAX_BUSY_WAIT_S : MAX_WAIT_S)) {
        return 0;
    }
    return more;
}

static uint64_t part(uint64_t budget_ns, uint64_t divisor, uint64_t min_ns, uint64_t max_ns)
{
    const uint64_t ns = budget_ns / divisor;
    return ns < min_ns ? min_ns : ns > max_ns ? max_ns : ns;
}

struct ekb_capacity_lengths ekb_capacity_choose_lengths(uint64_t budget_ns)
{
    const uint64_t half_ns = EKB_NS_PER_S / 2;
    return (struct ekb_capacity_lengths){
        .ceiling_ns = part(budget_ns, 40, half_ns, 3 * EKB_NS_PER_S),
        .short_ns = part(budget_ns, 60, half_ns, 2 * EKB_NS_PER_S),
        .long_ns = part(budget_ns, 20, half_ns, 6 * EKB_NS_PER_S),
        .validation_ns = part(budget_ns, 12, 2 * half_ns, 10 * EKB_NS_PER_S),
        .variants_ns = part(budget_ns, 12, 2 * half_ns, 10 * EKB_NS_PER_S),
    };
}

static const struct ekb_record_ceiling *best_ceiling(const struct ekb_record_capacity *capacity)
{
    const struct ekb_record_ceiling *best = NULL;
    for (size_t i = 0; i < capacity->num_ceilings; i++) {
        if (best == NULL || capacity->ceilings[i].accepted_per_s > best->accepted_per_s) {
            best = &capacity->ceilings[i];
        }
    }
    return best;
}

// limiter_of says what ends it. Of a server that is not ours, all that is not the client may be the
// network.
static const char *limiter_of(const struct ekb_record_capacity *capacity)
{
    const struct ekb_record_ceiling *ceiling = best_ceiling(capacity);
    const bool at_ceiling = strcmp(capacity->state, "ceiling") == 0;
    const bool is_ours = capacity->server_cores > 0;
    const bool client_is_full = ceiling != NULL && ceiling->client_busy_percent.known &&
                                ceiling->client_busy_percent.value > BUSY_PERCENT;
    const bool server_is_full = ceiling != NULL && ceiling->server_busy_percent.known &&
                                ceiling->server_busy_percent.value > BUSY_PERCENT;
    const bool server_is_busy = capacity->server_utilisation.known &&
                                100.0 * capacity->server_utilisation.value > BUSY_PERCENT;
    if (strcmp(capacity->state, "generator") == 0 ||
        (at_ceiling && client_is_full && !server_is_full)) {
        return "client CPU";
    }
    return !is_ours                                           ? "server or network"
           : server_is_busy || (at_ceiling && server_is_full) ? "server CPU"
                                                              : "queueing";
}

static struct ekb_record_real known(double value)
{
    return (struct ekb_record_real){true, value};
}

// costs_of returns the costs of the mix: as estimated (0), or all at the low (1) or high (2) ends.
static struct ekb_projection_costs costs_of(const struct ekb_record_capacity *capacity, int end)
{
    const struct ekb_record_mix *mix = &capacity->mix;
    const struct ekb_estimate *const estimates[] = {&mix->tickets_cpu_ns, &mix->resumed_cpu_ns,
                                                    &mix->rejected_cpu_ns};
    double ns[3];
    for (size_t i = 0; i < 3; i++) {
        ns[i] = end == 0   ? estimates[i]->estimate
                : end == 1 ? estimates[i]->low
                           : estimates[i]->high;
    }
    return (struct ekb_projection_costs){
        .full_ns = mix->resume_share > 0 ? ns[0] : capacity->server_cpu_ns.value,
        .resumed_ns = ns[1],
        .rejected_ns = ns[2]};
}

static void project_mix(struct ekb_record_capacity *capacity, double target_per_s)
{
    struct ekb_record_mix *mix = &capacity->mix;
    if (!mix->known || (mix->resume_share > 0 && !mix->resumed_known) ||
        (mix->reject_share > 0 && !mix->rejected_known) || !capacity->server_cpu_ns.known) {
        return;
    }
    const struct ekb_projection_mix shares = {.resumed = mix->resume_share,
                                              .rejected = mix->reject_share};
    const double work = capacity->lower_per_s * capacity->server_cpu_ns.value;
    double mean_ns[3];
    for (int end = 0; end < 3; end++) {
        const struct ekb_projection_costs costs = costs_of(capacity, end);
        mean_ns[end] = ekb_projection_mean_ns(&costs, &shares);
    }
    mix->rate_known = true;
    mix->mean_cpu_ns = mean_ns[0];
    mix->rate_per_s = (struct ekb_estimate){.estimate = work / mean_ns[0],
                                            .low = work / mean_ns[2],
                                            .high = work / mean_ns[1],
                                            .n = mix->reject_share > 0 ? mix->rejected_cpu_ns.n
                                                                       : mix->resumed_cpu_ns.n};
    mix->accepted_per_s = mix->rate_per_s.estimate * (1.0 - mix->reject_share);
    if (target_per_s > 0 && capacity->server_utilisation.known) {
        mix->target_cores = known(
            ekb_projection_cores(target_per_s, mean_ns[0], capacity->server_utilisation.value));
    }
}

void ekb_capacity_note_invalid(struct ekb_record *record)
{
    const struct ekb_record_trial *last = NULL;
    size_t num = 0;
    size_t num_invalid = 0;
    for (size_t i = 0; i < record->capacity.num_trials; i++) {
        const struct ekb_record_trial *trial = &record->capacity.trials[i];
        const bool is_invalid = strcmp(trial->outcome, "invalid") == 0;
        if (strcmp(trial->purpose, "search") == 0) {
            num++;
            num_invalid += is_invalid ? 1 : 0;
            last = is_invalid ? trial : last;
        }
    }
    if (last != NULL && 2 * num_invalid >= num) {
        ekb_record_add_note(record,
                            "%zu of the search's %zu trials were invalid and took its time, the "
                            "last at %.0f/s: %s",
                            num_invalid, num, last->rate_per_s, last->reason);
    }
}

void ekb_capacity_project(struct ekb_record_capacity *capacity, double target_per_s)
{
    if (!capacity->validated) {
        return;
    }
    (void)snprintf(capacity->limiter, sizeof capacity->limiter, "%s", limiter_of(capacity));
    project_mix(capacity, target_per_s);
    if (!(target_per_s > 0)) {
        return;
    }
    capacity->target_per_s = known(target_per_s);
    capacity->target_machines = known(ekb_projection_machines(target_per_s, capacity->lower_per_s));
    capacity->headroom = known(ekb_projection_headroom(target_per_s, capacity->lower_per_s));
    if (!capacity->server_cpu_ns.known || !capacity->server_utilisation.known) {
        return;
    }
    capacity->target_cores = known(ekb_projection_cores(target_per_s, capacity->server_cpu_ns.value,
                                                        capacity->server_utilisation.value));
    for (size_t i = 0; i < capacity->num_variants; i++) {
        struct ekb_record_variant *variant = &capacity->variants[i];
        if (variant->cost_known) {
            variant->target_cores = known(ekb_projection_cores(
                target_per_s, variant->server_cpu_ns.estimate, capacity->server_utilisation.value));
        }
    }
}
