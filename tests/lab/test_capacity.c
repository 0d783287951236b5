#include "ekubench/lab/capacity.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/rng.h"
#include "ekubench/stat/backlog.h"
#include "ekubench/stat/validation.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

// A thousand handshakes were due and accepted: one each from 0.01 ms to 10 ms.
static const struct ekb_capacity_objective objective = {
    .percentile = 99, .limit_ns = 20 * EKB_NS_PER_MS, .max_error_share = 0.001};

static struct ekb_hist *hist;
static struct ekb_record_trial trial;

static void set_up(void)
{
    void *memory = calloc(1, ekb_hist_size());
    cr_assert_not_null(memory);
    hist = ekb_hist_init(memory);
    for (uint64_t i = 1; i <= 1000; i++) {
        ekb_hist_record(hist, i * 10 * EKB_NS_PER_US);
    }
    trial = (struct ekb_record_trial){.rate_per_s = 500,
                                      .duration_ns = 2 * EKB_NS_PER_S,
                                      .offered_per_s = 500,
                                      .lag_p99_ns = {true, 100 * EKB_NS_PER_US},
                                      .due = 1000,
                                      .accepted = 1000,
                                      .server_busy_percent = {true, 99},
                                      .client_busy_percent = {true, 80}};
}

static void tear_down(void)
{
    free(hist);
}

TestSuite(capacity, .init = set_up, .fini = tear_down, .timeout = 120);

static void expect(enum ekb_search_outcome outcome, const char *reason)
{
    static const char *const names[] = {"passed", "failed", "invalid"};
    const enum ekb_search_outcome got = ekb_capacity_judge(&trial, hist, &objective);
    cr_expect_eq(got, outcome, "%d: %s", (int)got, trial.reason);
    cr_expect_str_eq(trial.outcome, names[outcome]);
    cr_expect_not_null(strstr(trial.reason, reason), "no \"%s\" in \"%s\"", reason, trial.reason);
}

Test(capacity, says_why_the_time_was_up_when_half_of_the_trials_were_invalid)
{
    struct ekb_record_trial trials[] = {
        {.purpose = "search", .outcome = "invalid", .rate_per_s = 900, .reason = "first"},
        {.purpose = "search", .outcome = "passed", .rate_per_s = 800},
        {.purpose = "search", .outcome = "invalid", .rate_per_s = 950, .reason = "other work"},
        {.purpose = "validation", .outcome = "passed", .rate_per_s = 800},
        {.purpose = "search", .outcome = "failed", .rate_per_s = 1000},
        {.purpose = "search", .outcome = "passed", .rate_per_s = 850},
    };
    struct ekb_record record = {.capacity = {.trials = trials, .num_trials = 5}};

    ekb_capacity_note_invalid(&record);

    cr_expect_eq(record.num_notes, 1);
    cr_expect_str_eq(record.notes[0], "2 of the search's 4 trials were invalid and took its time, "
                                      "the last at 950/s: other work");

    record.capacity.num_trials = 6;
    record.num_notes = 0;

    ekb_capacity_note_invalid(&record);

    cr_expect_eq(record.num_notes, 0);
}

Test(capacity, passes_what_meets_the_objective)
{
    expect(EKB_SEARCH_PASSED, "");
    cr_expect_str_eq(trial.reason, "");
    cr_assert(trial.latency_ns.known);
    cr_expect_float_eq((double)trial.latency_ns.value, 9.9e6, 2e4, "%llu",
                       (unsigned long long)trial.latency_ns.value);
}

Test(capacity, fails_what_is_too_slow)
{
    for (uint64_t i = 0; i < 12; i++) {
        ekb_hist_record(hist, 25 * EKB_NS_PER_MS);
    }
    trial.due = trial.accepted = 1012;
    expect(EKB_SEARCH_FAILED, "the 99th percentile of latency was 25.0");
}

// One of a thousand may go wrong.
Test(capacity, fails_what_has_too_many_errors)
{
    trial.due = 1001;
    trial.errors = 1;
    expect(EKB_SEARCH_PASSED, "");
    trial.due = 1002;
    trial.errors = 2;
    expect(EKB_SEARCH_FAILED, "2 of 1002 were not accepted");
}

// Those that were not accepted took for ever: of 1,020 due the 99th percentile is one of them.
Test(capacity, counts_errors_as_the_slowest)
{
    struct ekb_capacity_objective lenient = objective;
    lenient.max_error_share = 0.5;
    trial.due = 1020;
    trial.errors = 20;
    cr_expect_eq(ekb_capacity_judge(&trial, hist, &lenient), EKB_SEARCH_FAILED);
    cr_expect(!trial.latency_ns.known);
    trial.due = 1008;
    trial.errors = 8;
    cr_expect_eq(ekb_capacity_judge(&trial, hist, &lenient), EKB_SEARCH_PASSED, "%s", trial.reason);
    // Rank 998 of 1,000 accepted.
    cr_expect_float_eq((double)trial.latency_ns.value, 9.98e6, 2e4);
}

// The client's faults are not the server's, whatever came out of it.
Test(capacity, blames_no_server_for_its_client)
{
    trial.lag_p99_ns.value = 2100 * EKB_NS_PER_US;
    expect(EKB_SEARCH_INVALID, "the client was late, by 2.10 ms");
    trial.lag_p99_ns.value = 1900 * EKB_NS_PER_US;
    expect(EKB_SEARCH_PASSED, "");
    trial.client_busy_percent.value = 86;
    trial.errors = 500;
    expect(EKB_SEARCH_INVALID, "86 % busy");
}

// A client that is late by 3 ms has not made 150 of them.
Test(capacity, takes_no_small_lag_for_an_excuse)
{
    for (uint64_t i = 0; i < 100; i++) {
        ekb_hist_record(hist, 150 * EKB_NS_PER_MS);
    }
    trial.due = trial.accepted = 1100;
    trial.lag_p99_ns.value = 3 * EKB_NS_PER_MS;
    expect(EKB_SEARCH_FAILED, "was 150.");
    trial.lag_p99_ns.value = 16 * EKB_NS_PER_MS;
    expect(EKB_SEARCH_INVALID, "the client was late");
}

Test(capacity, takes_nothing_for_no_answer)
{
    trial.due = trial.accepted = 0;
    expect(EKB_SEARCH_INVALID, "nothing was due");
}

// Whatever the objective: what grows is not sustained. Of 10,000 due chance makes 100.
Test(capacity, fails_what_piles_up)
{
    trial.in_flight_begin = (struct ekb_record_real){true, 20};
    trial.in_flight_end = (struct ekb_record_real){true, 40};
    expect(EKB_SEARCH_PASSED, "");
    trial.in_flight_end.value = 60;
    expect(EKB_SEARCH_FAILED, "the work in hand grew: from 20 connections to 60");
    trial.in_flight_begin.known = false;
    expect(EKB_SEARCH_PASSED, "");
}

// An arrival that nobody had a connection for is not excused by a share of errors.
Test(capacity, fails_what_was_turned_away)
{
    struct ekb_capacity_objective lenient = objective;
    lenient.max_error_share = 0.5;
    trial.due = 1008;
    trial.errors = trial.dropped = 8;
    cr_expect_eq(ekb_capacity_judge(&trial, hist, &lenient), EKB_SEARCH_FAILED);
    cr_expect_not_null(strstr(trial.reason, "8 found all connections under way"));
}

Test(capacity, gives_each_trial_a_seed_of_its_own)
{
    uint64_t seeds[400];
    size_t num = 0;
    for (uint64_t run = 1; run <= 4; run++) {
        for (uint64_t number = 0; number < 100; number++) {
            seeds[num] = ekb_capacity_trial_seed(run, number);
            cr_expect_lt(seeds[num], UINT64_C(1) << 53);
            cr_expect_eq(seeds[num], ekb_capacity_trial_seed(run, number));
            for (size_t i = 0; i < num; i++) {
                cr_assert_neq(seeds[i], seeds[num], "run %llu, trial %llu", (unsigned long long)run,
                              (unsigned long long)number);
            }
            num++;
        }
    }
}

Test(capacity, tries_more_in_flight_while_the_rate_rises)
{
    // A server far away: 300 ms whatever is in flight, until it is full at 3,000/s.
    cr_expect_eq(ekb_capacity_more_in_flight(64, 213, 0, false), 256u);
    cr_expect_eq(ekb_capacity_more_in_flight(256, 853, 213, false), 1024u);
    cr_expect_eq(ekb_capacity_more_in_flight(1024, 3000, 853, false), 4096u);
    cr_expect_eq(ekb_capacity_more_in_flight(4096, 3010, 3000, false), 0u);
    // One that is full with 64 is asked once more.
    cr_expect_eq(ekb_capacity_more_in_flight(64, 3500, 0, true), 256u);
    cr_expect_eq(ekb_capacity_more_in_flight(256, 3560, 3500, true), 0u);
    cr_expect_eq(ekb_capacity_more_in_flight(256, 3580, 3500, true), 1024u);
    // A slow one that is busy is not: so many would wait for seconds.
    cr_expect_eq(ekb_capacity_more_in_flight(64, 150, 0, true), 0u);
    cr_expect_eq(ekb_capacity_more_in_flight(64, 20, 0, false), 0u);
}

Test(capacity, fits_its_trials_to_the_budget)
{
    const struct ekb_capacity_lengths usual = ekb_capacity_choose_lengths(120 * EKB_NS_PER_S);
    const struct ekb_capacity_lengths poor = ekb_capacity_choose_lengths(5 * EKB_NS_PER_S);
    const struct ekb_capacity_lengths rich = ekb_capacity_choose_lengths(3600 * EKB_NS_PER_S);
    cr_expect_eq(usual.short_ns, 2 * EKB_NS_PER_S);
    cr_expect_eq(usual.long_ns, 6 * EKB_NS_PER_S);
    cr_expect_eq(usual.validation_ns, 10 * EKB_NS_PER_S);
    cr_expect_eq(usual.ceiling_ns, 3 * EKB_NS_PER_S);
    cr_expect_eq(poor.short_ns, EKB_NS_PER_S / 2);
    cr_expect_eq(poor.validation_ns, EKB_NS_PER_S);
    cr_expect_eq(memcmp(&usual, &rich, sizeof usual), 0);
}

// The projection.

static struct ekb_record_capacity measured(void)
{
    struct ekb_record_capacity capacity = {.known = true,
                                           .state = "found",
                                           .ceiling_per_s = 4000,
                                           .lower_per_s = 3000,
                                           .upper_per_s = 3060,
                                           .validated = true,
                                           .server_cpu_ns = {true, 250000},
                                           .client_cpu_ns = {true, 200000},
                                           .server_utilisation = {true, 0.75},
                                           .server_cores = 1};
    return capacity;
}

Test(capacity, projects_cores_and_machines)
{
    struct ekb_record_capacity capacity = measured();
    ekb_capacity_project(&capacity, 30000);
    cr_expect_float_eq(capacity.target_cores.value, 10, 1e-9);
    cr_expect_float_eq(capacity.target_machines.value, 10, 1e-9);
    cr_expect_float_eq(capacity.headroom.value, -9, 1e-9);
    cr_expect_str_eq(capacity.limiter, "queueing");
}

// A variant that costs half as much again needs half as many cores again.
Test(capacity, projects_the_cores_of_each_variant)
{
    struct ekb_record_variant variants[] = {
        {.name = "main", .cost_known = true, .server_cpu_ns = {250000, 250000, 250000, 0}},
        {.name = "depth=3", .cost_known = true, .server_cpu_ns = {375000, 370000, 380000, 40}},
        {.name = "key=rsa2048"}};
    struct ekb_record_capacity capacity = measured();
    capacity.variants[0] = variants[0];
    capacity.variants[1] = variants[1];
    capacity.variants[2] = variants[2];
    capacity.num_variants = 3;
    ekb_capacity_project(&capacity, 30000);
    cr_expect_float_eq(capacity.variants[0].target_cores.value, 10, 1e-9);
    cr_expect_float_eq(capacity.variants[1].target_cores.value, 15, 1e-9);
    cr_expect(!capacity.variants[2].target_cores.known);
}

// Of a server that is not ours the CPU is unknown.
Test(capacity, projects_no_cores_of_others)
{
    struct ekb_record_capacity capacity = measured();
    capacity.server_cores = 0;
    capacity.server_cpu_ns.known = capacity.server_utilisation.known = false;
    ekb_capacity_project(&capacity, 30000);
    cr_expect(!capacity.target_cores.known);
    cr_expect_float_eq(capacity.target_machines.value, 10, 1e-9);
    cr_expect_str_eq(capacity.limiter, "server or network");
}

Test(capacity, projects_nothing_from_what_was_not_validated)
{
    struct ekb_record_capacity capacity = measured();
    capacity.validated = false;
    ekb_capacity_project(&capacity, 30000);
    cr_expect(!capacity.target_per_s.known);
    cr_expect(!capacity.target_machines.known);
    cr_expect_str_eq(capacity.limiter, "");
}

Test(capacity, names_what_limits)
{
    static const struct {
        const char *state;
        double utilisation;
        double server_busy_percent, client_busy_percent; // Of the ceiling.
        const char *limiter;
    } rows[] = {
        {"found", 0.75, 99, 80, "queueing"},       {"found", 0.95, 99, 80, "server CPU"},
        {"generator", 0.95, 99, 80, "client CPU"}, {"ceiling", 0.85, 99, 80, "server CPU"},
        {"ceiling", 0.6, 70, 99, "client CPU"},    {"ceiling", 0.6, 70, 60, "queueing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ekb_record_ceiling ceiling = {
            .in_flight = 64,
            .accepted_per_s = 4000,
            .server_busy_percent = {true, rows[i].server_busy_percent},
            .client_busy_percent = {true, rows[i].client_busy_percent}};
        struct ekb_record_capacity capacity = measured();
        (void)strcpy(capacity.state, rows[i].state);
        capacity.ceilings = &ceiling;
        capacity.num_ceilings = 1;
        capacity.server_utilisation.value = rows[i].utilisation;
        ekb_capacity_project(&capacity, 0);
        cr_expect_str_eq(capacity.limiter, rows[i].limiter, "%zu: %s", i, capacity.limiter);
    }
}

// One in twenty at half the cost: 2.5 % more come, 2.6 % fewer are accepted.
Test(capacity, projects_a_share_of_rejects)
{
    struct ekb_record_capacity capacity = measured();
    capacity.mix = (struct ekb_record_mix){.known = true,
                                           .reject_share = 0.05,
                                           .rejected_known = true,
                                           .rejected_cpu_ns = {125000, 120000, 130000, 40}};
    ekb_capacity_project(&capacity, 30000);
    cr_assert(capacity.mix.rate_known);
    cr_expect_float_eq(capacity.mix.mean_cpu_ns, 243750, 1e-6);
    cr_expect_float_eq(capacity.mix.rate_per_s.estimate, 3000 / 0.975, 1e-6);
    cr_expect_float_eq(capacity.mix.accepted_per_s, 3000 / 0.975 * 0.95, 1e-6);
    cr_expect_lt(capacity.mix.rate_per_s.low, capacity.mix.rate_per_s.estimate);
    cr_expect_gt(capacity.mix.rate_per_s.high, capacity.mix.rate_per_s.estimate);
    cr_expect_float_eq(capacity.mix.target_cores.value, 10, 1e-9);
}

// Three in ten at a third of the cost, and tickets for all of them.
Test(capacity, projects_a_share_that_resumes)
{
    struct ekb_record_capacity capacity = measured();
    capacity.mix = (struct ekb_record_mix){.known = true,
                                           .resume_share = 0.3,
                                           .resumed_known = true,
                                           .resumed_cpu_ns = {85000, 80000, 90000, 40},
                                           .tickets_cpu_ns = {255000, 250000, 260000, 40}};
    ekb_capacity_project(&capacity, 30000);
    cr_assert(capacity.mix.rate_known);
    cr_expect_float_eq(capacity.mix.mean_cpu_ns, 0.3 * 85000 + 0.7 * 255000, 1e-6);
    cr_expect_float_eq(capacity.mix.rate_per_s.low, 3000 * 250000 / (0.3 * 90000 + 0.7 * 260000),
                       1e-6);
    cr_expect_float_eq(capacity.mix.accepted_per_s, capacity.mix.rate_per_s.estimate, 1e-9);
}

// What was not measured is unknown.
Test(capacity, projects_nothing_for_a_share_that_it_does_not_know)
{
    struct ekb_record_capacity capacity = measured();
    capacity.mix = (struct ekb_record_mix){.known = true, .resume_share = 0.3};
    ekb_capacity_project(&capacity, 30000);
    cr_expect(!capacity.mix.rate_known);
    cr_expect(capacity.target_cores.known);
    capacity.mix = (struct ekb_record_mix){.known = true, .reject_share = 0.3};
    ekb_capacity_project(&capacity, 30000);
    cr_expect(!capacity.mix.rate_known);
}

// The whole of it on a simulated queue: one server with exponential service times, whose latency at
// a percentile is known: ln(100) / (mu - rate) for the 99th.

#define MU_PER_S 3730.0
#define MAX_DUE 60000
#define SIMULATED_WARMUP_S 0.5

struct simulation {
    struct ekb_rng rng;
    struct ekb_hist *hist;
    double *leaves_s;
    uint64_t looks[200];
};

static double exponential(struct ekb_rng *rng, double mean)
{
    return -mean * log(((double)(ekb_rng_next(rng) >> 11) + 0.5) * 0x1p-53);
}

// simulate runs one trial and judges it.
static enum ekb_search_outcome simulate(struct simulation *sim, struct ekb_record_trial *simulated,
                                        const struct ekb_capacity_objective *slo)
{
    const double end_s = SIMULATED_WARMUP_S + (double)simulated->duration_ns / 1e9;
    double free_s = 0;
    double now_s = 0;
    size_t num = 0;
    size_t num_left = 0;
    size_t num_looks = 0;
    struct ekb_backlog backlog;
    sim->hist = ekb_hist_init(memset((void *)sim->hist, 0, ekb_hist_size()));
    while ((now_s += exponential(&sim->rng, 1.0 / simulated->rate_per_s)) < end_s) {
        while (SIMULATED_WARMUP_S + 0.1 * (double)num_looks <= now_s) {
            const double look_s = SIMULATED_WARMUP_S + 0.1 * (double)num_looks;
            while (num_left < num && sim->leaves_s[num_left] <= look_s) {
                num_left++;
            }
            sim->looks[num_looks++] = num - num_left;
        }
        free_s = fmax(free_s, now_s) + exponential(&sim->rng, 1.0 / MU_PER_S);
        cr_assert_lt(num, (size_t)MAX_DUE);
        sim->leaves_s[num++] = free_s;
        if (now_s >= SIMULATED_WARMUP_S) {
            ekb_hist_record(sim->hist, (uint64_t)((free_s - now_s) * 1e9));
            simulated->due++;
        }
    }
    simulated->accepted = simulated->due;
    cr_assert(ekb_backlog_look(&backlog, sim->looks, num_looks));
    simulated->in_flight_begin = (struct ekb_record_real){true, backlog.begin};
    simulated->in_flight_end = (struct ekb_record_real){true, backlog.end};
    return ekb_capacity_judge(simulated, sim->hist, slo);
}

// find searches below a ceiling as it was measured, validates, and returns the answer: 0 if there
// is none.
static double find(uint64_t seed, double ceiling_per_s, const struct ekb_capacity_objective *slo)
{
    const struct ekb_capacity_lengths lengths = ekb_capacity_choose_lengths(120 * EKB_NS_PER_S);
    const double highest_per_s = ekb_backlog_highest_per_s(ceiling_per_s, lengths.validation_ns);
    const struct ekb_search_options options = {.first_per_s = 0.7 * ceiling_per_s,
                                               .ceiling_per_s = highest_per_s,
                                               .width = 0.02,
                                               .short_ns = lengths.short_ns,
                                               .long_ns = lengths.long_ns,
                                               .num_long = 3,
                                               .budget_ns = 120 * EKB_NS_PER_S,
                                               .overhead_ns = 750 * EKB_NS_PER_MS};
    struct simulation sim = {.hist = calloc(1, ekb_hist_size()),
                             .leaves_s = calloc(MAX_DUE, sizeof(double))};
    struct ekb_search search;
    struct ekb_search_trial next;
    struct ekb_validation validation;
    cr_assert(sim.hist != NULL && sim.leaves_s != NULL);
    ekb_rng_init(&sim.rng, seed);
    ekb_search_init(&search, &options);
    while (ekb_search_next(&search, &next) == EKB_SEARCH_GOING) {
        struct ekb_record_trial simulated = {.rate_per_s = next.rate_per_s,
                                             .duration_ns = next.duration_ns};
        ekb_search_add(&search, &next, simulate(&sim, &simulated, slo));
    }
    cr_assert_gt(ekb_search_lower(&search), 0);
    ekb_validation_init(&validation,
                        &(struct ekb_validation_options){.rate_per_s = ekb_search_lower(&search),
                                                         .step = EKB_CAPACITY_RETREAT,
                                                         .duration_ns = lengths.validation_ns,
                                                         .budget_ns = EKB_CAPACITY_VALIDATIONS *
                                                                      lengths.validation_ns});
    while (ekb_validation_next(&validation, &next) == EKB_VALIDATION_GOING) {
        struct ekb_record_trial simulated = {.rate_per_s = next.rate_per_s,
                                             .duration_ns = next.duration_ns};
        ekb_validation_add(&validation, simulate(&sim, &simulated, slo));
    }
    free(sim.hist);
    free(sim.leaves_s);
    return validation.passed ? validation.rate_per_s : 0;
}

// 20 ms are met up to 3,500/s.
Test(capacity, finds_a_known_knee_within_three_percent)
{
    const double truth = MU_PER_S - log(100.0) / 0.020;
    unsigned num_within = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        const double found = find(seed, MU_PER_S, &objective);
        num_within += fabs(found / truth - 1) <= 0.03 ? 1 : 0;
        cr_expect_leq(found, truth * 1.03, "seed %llu: %f", (unsigned long long)seed, found);
    }
    cr_expect_geq(num_within, 45u, "%u of 50", num_within);
}

// Five seconds would be met at any rate, for as long as a validation lasts.
Test(capacity, ends_below_what_the_server_can_whatever_the_objective)
{
    static const double ceilings[] = {1.0, 1.03, 1.1}; // As it was measured, to the truth.
    const struct ekb_capacity_objective generous = {.percentile = 99, .limit_ns = 5 * EKB_NS_PER_S};
    for (size_t i = 0; i < sizeof ceilings / sizeof ceilings[0]; i++) {
        for (uint64_t seed = 0; seed < 12; seed++) {
            const double found = find(seed, ceilings[i] * MU_PER_S, &generous);
            cr_expect(found > 0.95 * MU_PER_S && found < 1.02 * MU_PER_S, "%g, %llu: %f",
                      ceilings[i], (unsigned long long)seed, found / MU_PER_S);
        }
    }
}
