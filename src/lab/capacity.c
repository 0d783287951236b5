#include "ekubench/lab/capacity.h"

#include "ekubench/base/units.h"
#include "ekubench/stat/validation.h"
#include "lab/capacity_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUM_LONG 3
#define WIDTH 0.02
// Where the search begins, as a share of the ceiling.
#define FIRST 0.7
// Disturbed trials in a row that end the search: a lower rate does not make the machine quiet.
#define MAX_DISTURBED 6
// A percentile with fewer than so many due beyond it is not to be relied on.
#define MIN_BEYOND 10.0

static enum ekb_err keep_trial(struct ekb_record_capacity *capacity,
                               const struct ekb_record_trial *trial, struct ekb_fail *reterr_fail)
{
    struct ekb_record_trial *trials =
        realloc(capacity->trials, (capacity->num_trials + 1) * sizeof trials[0]);
    if (trials == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "result");
    }
    capacity->trials = trials;
    trials[capacity->num_trials++] = *trial;
    return EKB_OK;
}

static const char *state_name(enum ekb_search_state state)
{
    static const char *const names[] = {
        [EKB_SEARCH_GOING] = "ended",     [EKB_SEARCH_FOUND] = "found",
        [EKB_SEARCH_CEILING] = "ceiling", [EKB_SEARCH_GENERATOR] = "generator",
        [EKB_SEARCH_NOTHING] = "nothing", [EKB_SEARCH_EXHAUSTED] = "exhausted"};
    return names[state];
}

// show_trial says what is being tried, and what is known by now.
static void show_trial(struct capacity_run *run, const struct ekb_search *search,
                       const struct ekb_search_trial *trial, size_t number)
{
    const double lower = ekb_search_lower(search);
    const double upper = ekb_search_upper(search);
    char bracket[64] = "";
    char rate[EKB_UNITS_TEXT_LEN];
    char low[EKB_UNITS_TEXT_LEN];
    char high[EKB_UNITS_TEXT_LEN];
    (void)ekb_units_format_count(rate, (uint64_t)llround(trial->rate_per_s));
    (void)ekb_units_format_count(low, (uint64_t)llround(lower));
    (void)ekb_units_format_count(high, isinf(upper) ? 0 : (uint64_t)llround(upper));
    if (lower > 0 && !isinf(upper)) {
        (void)snprintf(bracket, sizeof bracket, "; bracket %.20s to %.20s/s", low, high);
    } else if (lower > 0) {
        (void)snprintf(bracket, sizeof bracket, "; %.20s/s passes", low);
    } else if (!isinf(upper)) {
        (void)snprintf(bracket, sizeof bracket, "; %.20s/s fails", high);
    }
    capacity_show(run, "trial %zu: %.20s/s, %.3g s%s", number, rate,
                  (double)trial->duration_ns / 1e9, bracket);
}

// search finds the bounds and stores how much of the budget it has left.
static enum ekb_err search(struct capacity_run *run, struct ekb_record_capacity *capacity,
                           uint64_t *out_left_ns, struct ekb_fail *reterr_fail)
{
    const struct ekb_search_options options = {
        .first_per_s = fmin(FIRST * capacity->ceiling_per_s, capacity->highest_per_s),
        .ceiling_per_s = capacity->highest_per_s,
        .width = WIDTH,
        .short_ns = run->lengths.short_ns,
        .long_ns = run->lengths.long_ns,
        .num_long = NUM_LONG,
        .budget_ns = run->settings->budget_ns,
        .overhead_ns = CAPACITY_OVERHEAD_NS};
    const uint64_t after_ns = run->later_ns;
    struct ekb_search state;
    struct ekb_search_trial next;
    enum ekb_search_state how = EKB_SEARCH_GOING;
    enum ekb_err err = EKB_OK;
    ekb_search_init(&state, &options);
    run->num_disturbed = 0;
    while (err == EKB_OK && !run->interrupted && run->num_disturbed < MAX_DISTURBED &&
           (how = ekb_search_next(&state, &next)) == EKB_SEARCH_GOING) {
        struct ekb_record_trial trial = {
            .purpose = "search", .rate_per_s = next.rate_per_s, .duration_ns = next.duration_ns};
        enum ekb_search_outcome outcome = EKB_SEARCH_INVALID;
        show_trial(run, &state, &next, capacity->num_trials + 1);
        run->later_ns =
            after_ns + options.budget_ns - state.spent_ns - next.duration_ns - options.overhead_ns;
        err = capacity_run_trial(run, &trial, &outcome, NULL, reterr_fail);
        if (err == EKB_OK && !run->interrupted) {
            if (run->num_disturbed > 0) {
                ekb_search_lose(&state, &next);
            } else {
                ekb_search_add(&state, &next, outcome);
            }
            err = keep_trial(capacity, &trial, reterr_fail);
        }
    }
    run->later_ns = after_ns;
    EKB_RECORD_COPY(capacity->state,
                    run->num_disturbed < MAX_DISTURBED ? state_name(how) : "disturbed");
    capacity->lower_per_s = ekb_search_lower(&state);
    capacity->upper_per_s = ekb_search_upper(&state);
    *out_left_ns = options.budget_ns - state.spent_ns;
    return err;
}

// end_validation takes the answer from how the validation has ended.
static void end_validation(struct ekb_record *record, const struct ekb_validation *validation,
                           enum ekb_validation_state how, const char *last_reason)
{
    struct ekb_record_capacity *capacity = &record->capacity;
    capacity->upper_per_s = fmin(capacity->upper_per_s, validation->upper_per_s);
    if (how == EKB_VALIDATION_PASSED) {
        const double beyond =
            (double)capacity->validation.due * (1.0 - capacity->percentile / 100.0);
        capacity->validated = true;
        capacity->lower_per_s = validation->rate_per_s;
        if (validation->rate_per_s < validation->options.rate_per_s) {
            ekb_record_add_note(record,
                                "the validation at %.0f/s did not meet the objective: the answer "
                                "was taken back until one did",
                                validation->options.rate_per_s);
        }
        if (strcmp(capacity->state, "exhausted") == 0 &&
            capacity->upper_per_s - capacity->lower_per_s <= WIDTH * capacity->upper_per_s) {
            EKB_RECORD_COPY(capacity->state, "found"); // By the validations.
        }
        if (beyond < MIN_BEYOND) {
            ekb_record_add_note(record,
                                "validation: of %llu due few lie beyond the %gth percentile: it is "
                                "not to be relied on (a longer --budget, a lower percentile)",
                                (unsigned long long)capacity->validation.due, capacity->percentile);
        }
    } else if (how == EKB_VALIDATION_FAILED) {
        EKB_RECORD_COPY(capacity->state, "unvalidated");
        capacity->lower_per_s = 0;
    } else {
        ekb_record_add_reason(record, "no validation at %.0f/s was valid (%s)",
                              validation->rate_per_s, last_reason);
    }
}

// validate runs longer trials at the lower bound, and below it if they fail, and takes costs and
// utilisation from the one that passes.
static enum ekb_err validate(struct capacity_run *run, struct ekb_record *record, uint64_t left_ns,
                             struct ekb_fail *reterr_fail)
{
    struct ekb_record_capacity *capacity = &record->capacity;
    const uint64_t length_ns = run->lengths.validation_ns;
    const struct ekb_validation_options options = {.rate_per_s = capacity->lower_per_s,
                                                   .step = EKB_CAPACITY_RETREAT,
                                                   .duration_ns = length_ns,
                                                   .budget_ns = left_ns + EKB_CAPACITY_VALIDATIONS *
                                                                              length_ns};
    struct ekb_validation state;
    struct ekb_search_trial next;
    struct ekb_record_trial trial = {.rate_per_s = 0};
    enum ekb_validation_state how = EKB_VALIDATION_GOING;
    enum ekb_err err = EKB_OK;
    ekb_validation_init(&state, &options);
    while (err == EKB_OK && !run->interrupted &&
           (how = ekb_validation_next(&state, &next)) == EKB_VALIDATION_GOING) {
        enum ekb_search_outcome outcome = EKB_SEARCH_INVALID;
        char rate[EKB_UNITS_TEXT_LEN];
        trial = (struct ekb_record_trial){.purpose = "validation",
                                          .rate_per_s = next.rate_per_s,
                                          .duration_ns = next.duration_ns};
        capacity_show(run, "validation: %s/s, %.3g s",
                      ekb_units_format_count(rate, (uint64_t)llround(next.rate_per_s)),
                      (double)next.duration_ns / 1e9);
        err = capacity_run_trial(run, &trial, &outcome, record, reterr_fail);
        if (err != EKB_OK || run->interrupted) {
            return err;
        }
        ekb_validation_add(&state, outcome);
        if (outcome == EKB_SEARCH_PASSED) {
            capacity->validation = trial;
        } else {
            err = keep_trial(capacity, &trial, reterr_fail);
        }
    }
    if (err == EKB_OK && !run->interrupted) {
        end_validation(record, &state, how, trial.reason);
    }
    return err;
}

// search_ns returns what a search may have to do after its ceiling.
static uint64_t search_ns(const struct capacity_run *run)
{
    return run->settings->budget_ns + run->lengths.validation_ns;
}

// find_rate finds the highest rate of the run's plan: ceiling, search, validation.
static enum ekb_err find_rate(struct capacity_run *run, struct ekb_record *record,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_record_capacity *capacity = &record->capacity;
    const uint64_t after_ns = run->later_ns;
    uint64_t left_ns = 0;
    run->later_ns = after_ns + search_ns(run);
    enum ekb_err err = capacity_make_room(run, record, 0, reterr_fail);
    if (err == EKB_OK) {
        err = capacity_find_ceiling(run, record, reterr_fail);
    }
    if (err == EKB_OK && !run->interrupted) {
        run->later_ns = after_ns + run->lengths.validation_ns;
        err = search(run, capacity, &left_ns, reterr_fail);
    }
    run->later_ns = after_ns;
    ekb_capacity_note_invalid(record);
    if (err == EKB_OK && !run->interrupted && capacity->lower_per_s > 0) {
        err = validate(run, record, left_ns, reterr_fail);
    } else if (err == EKB_OK && !run->interrupted && strcmp(capacity->state, "generator") == 0) {
        ekb_record_add_reason(record, "no trial was valid: %s",
                              capacity->trials[capacity->num_trials - 1].reason);
    }
    if (strcmp(capacity->state, "disturbed") == 0) {
        ekb_record_add_reason(record, "other work or the hypervisor disturbed %d trials in a row",
                              MAX_DISTURBED);
    }
    return err;
}

static struct ekb_record_capacity begin_capacity(const struct ekb_capacity_settings *settings)
{
    struct ekb_record_capacity capacity = {
        .known = true,
        .percentile = settings->objective.percentile,
        .limit_ns = settings->objective.limit_ns,
        .max_error_share = settings->objective.max_error_share,
        .upper_per_s = (double)INFINITY,
        .server_cores =
            settings->target_text == NULL ? capacity_workers(settings->plan.server_workers) : 0,
        .mix = {.known = settings->reject_share > 0 || settings->resume_share > 0,
                .reject_share = settings->reject_share,
                .resume_share = settings->resume_share},
    };
    EKB_RECORD_COPY(capacity.state, "ended"); // As long as nothing else is known.
    return capacity;
}

// make_plan makes the plan of one stage with one arm, and its stores if the server is ours.
static enum ekb_err make_plan(struct capacity_run *run, const struct ekb_plan_settings *plan,
                              struct ekb_fail *reterr_fail)
{
    const struct ekb_capacity_settings *settings = run->settings;
    const enum ekb_err err = ekb_plan_builtin(&run->plan, EKB_PLAN_COMPARE, plan);
    if (err != EKB_OK) {
        return ekb_fail_set(reterr_fail, err, 0, "plan");
    }
    if (settings->arm != NULL) {
        run->plan.key_type = settings->arm->link->key_type;
        run->plan.stages[0].arms[0] = *settings->arm;
        run->plan.stages[0].arms[0].policy.eku = plan->eku;
    }
    run->run_seed = run->plan.seed;
    run->plan.stages[0].client = settings->full_client ? EKB_CLIENT_FULL : EKB_CLIENT_CHEAP;
    if (settings->target_text == NULL) {
        return ekb_stores_create(&run->stores, &run->plan, reterr_fail);
    }
    const struct ekb_client_options client = {.arms = &settings->target, .num_arms = 1};
    run->plan.stages[0].client = settings->target.kind;
    return ekb_client_check(&client, reterr_fail);
}

static void describe(struct ekb_record *record, const struct capacity_run *run)
{
    const struct ekb_capacity_settings *settings = run->settings;
    const bool is_ours = settings->target_text == NULL;
    EKB_RECORD_COPY(record->plan.name, "capacity");
    EKB_RECORD_COPY(record->plan.tls,
                    ekb_tls_version_name(is_ours ? run->plan.version : settings->target.version));
    EKB_RECORD_COPY(record->plan.groups,
                    ekb_tls_preferences_groups(is_ours ? &run->plan.preferences
                                                       : &settings->target.preferences));
    EKB_RECORD_COPY(record->plan.key, is_ours ? ekb_key_type_name(run->plan.key_type) : "");
    EKB_RECORD_COPY(record->plan.confirm,
                    ekb_confirm_name(is_ours ? EKB_CONFIRM_BYTE : settings->confirm));
    EKB_RECORD_COPY(record->plan.scenario, settings->scenario != NULL ? settings->scenario : "");
    EKB_RECORD_COPY(record->plan.release, settings->release != NULL ? settings->release : "");
    EKB_RECORD_COPY(record->plan.target, is_ours ? "" : settings->target_text);
    record->plan.seed = run->run_seed;
    record->plan.server_workers = is_ours ? capacity_workers(settings->plan.server_workers) : 0;
    record->plan.client_workers = capacity_workers(settings->plan.client_workers);
    record->plan.deadline_ns = run->plan.deadline_ns;
}

// search_variant searches for the highest rate of a variant, and keeps the answer only.
static enum ekb_err search_variant(struct capacity_run *run, struct ekb_record *record,
                                   size_t index, struct ekb_fail *reterr_fail)
{
    struct ekb_record_variant *row = &record->capacity.variants[index + 1];
    struct ekb_plan_settings plan = run->settings->plan;
    struct ekb_record scratch = {.capacity = begin_capacity(run->settings)};
    struct capacity_run variant = {.settings = run->settings,
                                   .control = run->control,
                                   .lengths = run->lengths,
                                   .num_stages = run->num_stages,
                                   .later_ns = run->later_ns};
    ekb_variant_apply(&plan, &run->settings->variants[index]);
    enum ekb_err err = make_plan(&variant, &plan, reterr_fail);
    if (err == EKB_OK) {
        err = find_rate(&variant, &scratch, reterr_fail);
    }
    for (size_t i = 0; i < scratch.num_reasons; i++) {
        ekb_record_add_reason(record, "%s: %s", row->name, scratch.reasons[i]);
    }
    row->searched = err == EKB_OK && !variant.interrupted;
    EKB_RECORD_COPY(row->state, scratch.capacity.state);
    row->ceiling_per_s = scratch.capacity.ceiling_per_s;
    row->lower_per_s = scratch.capacity.lower_per_s;
    row->upper_per_s = scratch.capacity.upper_per_s;
    run->num_stages = variant.num_stages;
    run->interrupted = run->interrupted || variant.interrupted;
    ekb_stores_destroy(variant.stores);
    ekb_record_deinit(&scratch);
    return err;
}

static bool has_variants(const struct ekb_capacity_settings *settings)
{
    return settings->target_text == NULL &&
           (settings->num_variants > 0 || settings->reject_share > 0 || settings->resume_share > 0);
}

static enum ekb_err vary(struct capacity_run *run, struct ekb_record *record, uint64_t each_ns,
                         struct ekb_fail *reterr_fail)
{
    const struct ekb_capacity_settings *settings = run->settings;
    const size_t num_searches = settings->vary_search ? settings->num_variants : 0;
    run->later_ns = num_searches * each_ns;
    enum ekb_err err = capacity_compare_variants(run, record, reterr_fail);
    for (size_t i = 0; i < num_searches && err == EKB_OK && !run->interrupted; i++) {
        run->later_ns = (num_searches - i - 1) * each_ns;
        err = search_variant(run, record, i, reterr_fail);
    }
    return err;
}

enum ekb_err ekb_capacity_run(struct ekb_record *out_record,
                              const struct ekb_capacity_settings *settings,
                              const struct ekb_session_control *control,
                              struct ekb_fail *reterr_fail)
{
    const struct ekb_session session = ekb_session_begin(out_record, "capacity");
    struct capacity_run run = {.settings = settings,
                               .control = control,
                               .lengths = ekb_capacity_choose_lengths(settings->budget_ns)};
    const uint64_t each_ns = run.lengths.ceiling_ns + search_ns(&run);
    enum ekb_err err = make_plan(&run, &settings->plan, reterr_fail);
    describe(out_record, &run);
    out_record->capacity = begin_capacity(settings);
    if (err == EKB_OK) {
        run.later_ns = has_variants(settings)
                           ? run.lengths.variants_ns +
                                 (settings->vary_search ? settings->num_variants : 0) * each_ns
                           : 0;
        err = find_rate(&run, out_record, reterr_fail);
    }
    if (err == EKB_OK && !run.interrupted && has_variants(settings) &&
        strcmp(out_record->capacity.state, "disturbed") != 0) {
        err = vary(&run, out_record, each_ns, reterr_fail);
    }
    ekb_capacity_project(&out_record->capacity, settings->target_per_s);
    ekb_stores_destroy(run.stores);
    if (run.interrupted && !out_record->interrupted) {
        // A trial's stage, which is not kept, would have said it.
        out_record->interrupted = true;
        ekb_record_add_reason(out_record, "interrupted");
    }
    ekb_session_end(&session, out_record);
    return err;
}
