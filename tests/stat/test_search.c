#include "ekubench/stat/search.h"

#include "ekubench/base/rng.h"

#include <criterion/criterion.h>

#include <math.h>
#include <string.h>

#define S UINT64_C(1000000000)

TestSuite(search, .timeout = 60);

static const struct ekb_search_options usual = {.first_per_s = 2000,
                                                .ceiling_per_s = 4000,
                                                .width = 0.02,
                                                .short_ns = 2 * S,
                                                .long_ns = 8 * S,
                                                .num_long = 3,
                                                .budget_ns = 1000 * S};

// A server, a generator and a machine that are known.
struct world {
    double knee_per_s; // The highest rate that meets the objective.
    double mu_per_s;   // Above 0: the server is a queue (M/M/1) whose 99th percentile is known,
    double slo_s;      // with this objective,
    double scatter;    // and a trial of 2 s sees it with this relative deviation.
    double generator_per_s;      // Trials above it are invalid; 0: never.
    double generator_long_per_s; // Long ones above it, too; 0: never.
    double disturbed;            // Share of trials that are invalid by chance.
    struct ekb_rng rng;
    // What happened.
    unsigned num_trials;
    double highest_per_s;
    uint64_t shortest_at_end_ns;
};

static double uniform(struct ekb_rng *rng)
{
    return ((double)(ekb_rng_next(rng) >> 11) + 0.5) * 0x1p-53;
}

static double normal(struct ekb_rng *rng)
{
    return sqrt(-2.0 * log(uniform(rng))) * cos(6.283185307179586 * uniform(rng));
}

static bool meets(struct world *world, const struct ekb_search_trial *trial)
{
    if (!(world->mu_per_s > 0)) {
        return trial->rate_per_s <= world->knee_per_s;
    }
    if (trial->rate_per_s >= world->mu_per_s) {
        return false;
    }
    const double p99_s = log(100.0) / (world->mu_per_s - trial->rate_per_s);
    const double deviation = world->scatter / sqrt((double)trial->duration_ns / (2.0 * (double)S));
    return p99_s * exp(deviation * normal(&world->rng)) <= world->slo_s;
}

static enum ekb_search_state run(struct ekb_search *search, struct world *world,
                                 const struct ekb_search_options *options)
{
    struct ekb_search_trial trial;
    enum ekb_search_state state;
    ekb_search_init(search, options);
    while ((state = ekb_search_next(search, &trial)) == EKB_SEARCH_GOING) {
        enum ekb_search_outcome outcome = EKB_SEARCH_INVALID;
        const bool too_long = world->generator_long_per_s > 0 &&
                              trial.rate_per_s > world->generator_long_per_s &&
                              trial.duration_ns >= options->long_ns;
        if (!too_long &&
            (world->generator_per_s <= 0 || trial.rate_per_s <= world->generator_per_s) &&
            !(uniform(&world->rng) < world->disturbed)) {
            outcome = meets(world, &trial) ? EKB_SEARCH_PASSED : EKB_SEARCH_FAILED;
        }
        world->num_trials++;
        world->highest_per_s = fmax(world->highest_per_s, trial.rate_per_s);
        cr_assert_leq(world->num_trials, 1000u, "it does not end");
        cr_assert_leq(trial.rate_per_s, options->ceiling_per_s * (1 + 1e-9));
        ekb_search_add(search, &trial, outcome);
    }
    return state;
}

Test(search, encloses_a_knee_wherever_it_is)
{
    for (double knee = 5; knee < 4000; knee *= 1.137) {
        struct ekb_search search;
        struct world world = {.knee_per_s = knee};

        const enum ekb_search_state state = run(&search, &world, &usual);

        cr_expect_eq(state, EKB_SEARCH_FOUND, "%f: %d", knee, (int)state);
        const double lower = ekb_search_lower(&search);
        const double upper = ekb_search_upper(&search);
        cr_expect(lower <= knee && knee < upper, "%f: %f to %f", knee, lower, upper);
        cr_expect_leq((upper - lower) / upper, 0.02, "%f: %f to %f", knee, lower, upper);
    }
}

Test(search, believes_a_bound_after_enough_long_trials)
{
    struct ekb_search search;
    struct world world = {.knee_per_s = 2345};

    cr_assert_eq(run(&search, &world, &usual), EKB_SEARCH_FOUND);

    for (size_t i = 0; i < search.num_rates; i++) {
        const struct ekb_search_rate *rate = &search.rates[i];
        const bool is_bound = rate->rate_per_s == ekb_search_lower(&search) ||
                              rate->rate_per_s == ekb_search_upper(&search);
        const unsigned num_long = rate->long_passed + rate->long_failed;
        cr_expect(is_bound ? num_long >= 3 : num_long <= 1, "%f: %u long trials", rate->rate_per_s,
                  num_long);
        // In ascending order.
        cr_expect(i == 0 || rate->rate_per_s > search.rates[i - 1].rate_per_s);
    }
    // Far from the knee they were short.
    cr_expect_eq(search.rates[0].long_passed + search.rates[0].long_failed, 0u);
}

// A queue whose objective is met up to mu - ln(100) / T: 3,500/s with 20 ms and mu = 3,730/s.
Test(search, finds_the_knee_of_a_queue_within_three_percent)
{
    const double truth = 3730.0 - log(100.0) / 0.020;
    unsigned num_within = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct ekb_search search;
        struct world world = {.mu_per_s = 3730, .slo_s = 0.020, .scatter = 0.15};
        ekb_rng_init(&world.rng, seed);

        const enum ekb_search_state state = run(&search, &world, &usual);

        const double lower = ekb_search_lower(&search);
        const double upper = ekb_search_upper(&search);
        cr_expect_eq(state, EKB_SEARCH_FOUND, "seed %llu: %d", (unsigned long long)seed,
                     (int)state);
        num_within += fabs(lower / truth - 1) <= 0.03 && fabs(upper / truth - 1) <= 0.03 ? 1 : 0;
    }
    cr_expect_geq(num_within, 190u, "%u of 200", num_within);
}

Test(search, is_not_misled_by_trials_that_were_disturbed)
{
    unsigned num_found = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct ekb_search search;
        struct world world = {.knee_per_s = 3100, .disturbed = 0.1};
        ekb_rng_init(&world.rng, seed);
        if (run(&search, &world, &usual) == EKB_SEARCH_FOUND) {
            num_found++;
            cr_expect(ekb_search_lower(&search) <= 3100 && 3100 < ekb_search_upper(&search));
        }
    }
    // Three disturbed ones in a row look like a generator's limit: once in a thousand rates.
    cr_expect_geq(num_found, 95u, "%u of 100", num_found);
}

// The generator gives no more than 2,500/s; the server could take 3,400. That is not the server's
// limit, and is not called so.
Test(search, says_when_it_is_the_generator_that_cannot)
{
    struct ekb_search search;
    struct world world = {.knee_per_s = 3400, .generator_per_s = 2500};

    const enum ekb_search_state state = run(&search, &world, &usual);

    cr_expect_eq(state, EKB_SEARCH_GENERATOR, "%d", (int)state);
    cr_expect_leq(ekb_search_lower(&search), 2500);
    cr_expect_geq(ekb_search_lower(&search), 2500 * 0.97);
    cr_expect(isinf(ekb_search_upper(&search)));
}

// One that gives a rate for a short while only does not give it.
Test(search, is_not_caught_where_only_short_trials_are_valid)
{
    struct ekb_search search;
    struct world world = {.knee_per_s = 3400, .generator_long_per_s = 2500};

    const enum ekb_search_state state = run(&search, &world, &usual);

    cr_expect_eq(state, EKB_SEARCH_GENERATOR, "%d", (int)state);
    cr_expect_leq(ekb_search_lower(&search), 2500);
    cr_expect_geq(ekb_search_lower(&search), 2500 * 0.95, "%f", ekb_search_lower(&search));
    cr_expect_leq(world.num_trials, 80u, "%u", world.num_trials);
}

Test(search, finds_the_knee_below_the_generators_limit)
{
    struct ekb_search search;
    struct world world = {.knee_per_s = 2300, .generator_per_s = 2500};

    cr_expect_eq(run(&search, &world, &usual), EKB_SEARCH_FOUND);
    cr_expect(ekb_search_lower(&search) <= 2300 && 2300 < ekb_search_upper(&search));
}

Test(search, ends_at_the_ceiling_when_that_meets_the_objective)
{
    struct ekb_search search;
    struct world world = {.knee_per_s = 1e6};

    const enum ekb_search_state state = run(&search, &world, &usual);

    cr_expect_eq(state, EKB_SEARCH_CEILING, "%d", (int)state);
    cr_expect_float_eq(ekb_search_lower(&search), 4000, 1e-6);
    cr_expect_float_eq(world.highest_per_s, 4000, 1e-6);
}

Test(search, ends_when_nothing_meets_the_objective)
{
    struct ekb_search search;
    struct world world = {.knee_per_s = 0};

    cr_expect_eq(run(&search, &world, &usual), EKB_SEARCH_NOTHING);
    cr_expect_eq(ekb_search_lower(&search), 0);
    cr_expect_leq(world.num_trials, 30u);
}

Test(search, ends_when_its_time_is_spent)
{
    struct ekb_search search;
    struct world world = {.knee_per_s = 3000};
    struct ekb_search_options hasty = usual;
    hasty.budget_ns = 11 * S;

    cr_expect_eq(run(&search, &world, &hasty), EKB_SEARCH_EXHAUSTED);
    cr_expect_leq(search.spent_ns, 11 * S);
    cr_expect(ekb_search_lower(&search) <= 3000 && 3000 < ekb_search_upper(&search));
}

// A disturbed trial says nothing: the same is tried again.
Test(search, repeats_an_invalid_trial_at_its_length)
{
    struct ekb_search search;
    struct ekb_search_trial first;
    struct ekb_search_trial again;
    ekb_search_init(&search, &usual);
    ekb_search_add(&search, &(struct ekb_search_trial){3000, 2 * S}, EKB_SEARCH_PASSED);
    ekb_search_add(&search, &(struct ekb_search_trial){3050, 2 * S}, EKB_SEARCH_FAILED);
    cr_assert_eq(ekb_search_next(&search, &first), EKB_SEARCH_GOING);
    cr_expect_eq(first.duration_ns, 8 * S);
    ekb_search_add(&search, &first, EKB_SEARCH_INVALID);

    cr_assert_eq(ekb_search_next(&search, &again), EKB_SEARCH_GOING);

    cr_expect_eq(again.duration_ns, first.duration_ns);
    cr_expect_float_eq(again.rate_per_s, first.rate_per_s, 1e-9);
}

// That of a disturbed machine is nobody's limit.
Test(search, tries_again_what_was_lost)
{
    struct ekb_search search;
    struct ekb_search_trial first;
    struct ekb_search_trial again;
    ekb_search_init(&search, &usual);
    cr_assert_eq(ekb_search_next(&search, &first), EKB_SEARCH_GOING);
    for (unsigned i = 0; i < 2 * EKB_SEARCH_MAX_INVALID; i++) {
        ekb_search_lose(&search, &first);

        cr_assert_eq(ekb_search_next(&search, &again), EKB_SEARCH_GOING);

        cr_expect_float_eq(again.rate_per_s, first.rate_per_s, 1e-9);
        cr_expect_eq(again.duration_ns, first.duration_ns);
        cr_expect_eq(search.spent_ns, (i + 1) * first.duration_ns);
    }
}

// Warming up takes its time, too.
Test(search, counts_what_trials_take_beside_their_duration)
{
    struct ekb_search search;
    struct world world = {.knee_per_s = 3000};
    struct ekb_search_options hasty = usual;
    hasty.budget_ns = 11 * S;
    hasty.overhead_ns = S;

    cr_expect_eq(run(&search, &world, &hasty), EKB_SEARCH_EXHAUSTED);
    cr_expect_eq(world.num_trials, 3u, "%u", world.num_trials);
    cr_expect_eq(search.spent_ns, 9 * S);
}

// What a short trial said by chance does not stand against long ones.
Test(search, takes_back_what_a_short_trial_said)
{
    struct ekb_search search;
    struct ekb_search_trial trial;
    ekb_search_init(&search, &usual);
    ekb_search_add(&search, &(struct ekb_search_trial){3000, 2 * S}, EKB_SEARCH_PASSED);
    ekb_search_add(&search, &(struct ekb_search_trial){3050, 2 * S}, EKB_SEARCH_FAILED);
    cr_expect_eq(ekb_search_lower(&search), 3000);

    cr_assert_eq(ekb_search_next(&search, &trial), EKB_SEARCH_GOING);
    cr_expect_eq(trial.duration_ns, 8 * S);
    ekb_search_add(&search, &(struct ekb_search_trial){3000, 8 * S}, EKB_SEARCH_FAILED);

    cr_expect_eq(ekb_search_lower(&search), 0);
    cr_expect_eq(ekb_search_upper(&search), 3000);
    cr_assert_eq(ekb_search_next(&search, &trial), EKB_SEARCH_GOING);
    cr_expect_lt(trial.rate_per_s, 3000);
}
