#include "ekubench/peer/pick.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUM_DRAWS 200000
#define SEED UINT64_C(20261121)

static const struct ekb_pace_share alone = {.index = 0, .count = 1};
static const struct ekb_pick_rule round_robin = {.kind = EKB_PICK_ROUND_ROBIN};
static const struct ekb_pick_rule uniform = {.kind = EKB_PICK_UNIFORM};

static struct ekb_pick_rule zipf(double exponent)
{
    return (struct ekb_pick_rule){.kind = EKB_PICK_ZIPF, .exponent = exponent};
}

static struct ekb_pick *create(const struct ekb_pick_rule *rule, size_t num,
                               const struct ekb_pace_share *share, uint64_t seed)
{
    struct ekb_pick *pick = NULL;
    cr_assert_eq(ekb_pick_create(&pick, rule, num, share, seed), EKB_OK);
    return pick;
}

// Text.

struct text_case {
    const char *text;
    enum ekb_pick_kind kind;
    double exponent;
    const char *formatted;
};

Test(pick, is_read_from_text_and_written_back)
{
    static const struct text_case cases[] = {
        {"round-robin", EKB_PICK_ROUND_ROBIN, 1, "round-robin"},
        {"uniform", EKB_PICK_UNIFORM, 1, "uniform"},
        {"zipf", EKB_PICK_ZIPF, 1, "zipf:1"},
        {"zipf:1.2", EKB_PICK_ZIPF, 1.2, "zipf:1.2"},
        {"zipf:0", EKB_PICK_ZIPF, 0, "zipf:0"},
        {"zipf:10", EKB_PICK_ZIPF, 10, "zipf:10"},
        {"zipf:0.75", EKB_PICK_ZIPF, 0.75, "zipf:0.75"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[EKB_PICK_TEXT_LEN];
        struct ekb_pick_rule rule;
        const enum ekb_err err = ekb_pick_parse(&rule, cases[i].text);
        cr_assert_eq(err, EKB_OK, "%s: %s", cases[i].text, ekb_err_name(err));
        cr_expect_eq(rule.kind, cases[i].kind, "%s", cases[i].text);
        cr_expect_float_eq(rule.exponent, cases[i].exponent, 1e-12, "%s: %f", cases[i].text,
                           rule.exponent);
        cr_expect_str_eq(ekb_pick_format(text, &rule), cases[i].formatted);
    }
}

Test(pick, is_refused_when_the_text_is_none_of_the_rules)
{
    static const char *const texts[] = {"",
                                        "robin",
                                        "Uniform",
                                        "uniform ",
                                        "zipf:",
                                        "zipf:-1",
                                        "zipf: 1",
                                        "zipf:1.2x",
                                        "zipf:1.",
                                        "zipf:.5",
                                        "zipf:10.1",
                                        "zipf:nan",
                                        "zipf:inf",
                                        "zipf:1e3",
                                        "zipf:0x1",
                                        "zipf:+1",
                                        "zipf1",
                                        "zipf:1,2",
                                        "round-robin:2",
                                        "zipf:9999999999999999999999999999999999999999999999"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ekb_pick_rule rule = {.exponent = 77};
        const enum ekb_err err = ekb_pick_parse(&rule, texts[i]);
        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s", texts[i], ekb_err_name(err));
        cr_expect_float_eq(rule.exponent, 77, 0, "\"%s\": written in spite of that", texts[i]);
    }
}

// Round-robin.

struct round_case {
    size_t num;
    uint32_t num_workers;
};

// Workers that have picked equally often have, together, picked every identity equally often, or
// some of them once more.
Test(pick, goes_round_exactly_when_several_workers_share_it)
{
    static const struct round_case cases[] = {{1, 1}, {1, 3},  {2, 5},   {5, 1},  {7, 2},
                                              {8, 2}, {12, 8}, {100, 3}, {99, 16}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t num = cases[i].num;
        const uint32_t num_workers = cases[i].num_workers;
        const size_t num_picks = 3 * num + 1;
        size_t *counts = calloc(num, sizeof counts[0]);
        cr_assert_not_null(counts);
        for (uint32_t worker = 0; worker < num_workers; worker++) {
            const struct ekb_pace_share share = {.index = worker, .count = num_workers};
            struct ekb_pick *pick = create(&round_robin, num, &share, SEED);
            for (size_t j = 0; j < num_picks; j++) {
                const size_t picked = ekb_pick_next(pick);
                cr_assert_lt(picked, num);
                counts[picked]++;
            }
            ekb_pick_destroy(pick);
        }
        const size_t least = num_picks * num_workers / num;
        for (size_t j = 0; j < num; j++) {
            cr_expect(counts[j] == least || counts[j] == least + 1,
                      "%zu identities, %u workers: identity %zu was picked %zu times, not %zu", num,
                      num_workers, j, counts[j], least);
        }
        free(counts);
    }
}

Test(pick, begins_with_the_first_and_goes_on_with_the_next_when_alone)
{
    struct ekb_pick *pick = create(&round_robin, 3, &alone, SEED);

    for (size_t i = 0; i < 10; i++) {
        cr_expect_eq(ekb_pick_next(pick), i % 3);
    }

    ekb_pick_destroy(pick);
}

// Distributions.

// chi_square draws NUM_DRAWS times and returns the statistic against the weights k^-exponent. Ranks
// that are expected fewer than ten times are taken together.
static double chi_square(struct ekb_pick *pick, size_t num, double exponent, size_t *out_freedom)
{
    size_t *counts = calloc(num, sizeof counts[0]);
    double total = 0;
    double statistic = 0;
    double expected = 0;
    double observed = 0;
    cr_assert_not_null(counts);
    for (size_t i = 0; i < NUM_DRAWS; i++) {
        const size_t picked = ekb_pick_next(pick);
        cr_assert_lt(picked, num);
        counts[picked]++;
    }
    for (size_t i = 0; i < num; i++) {
        total += pow((double)(i + 1), -exponent);
    }
    *out_freedom = 0;
    for (size_t i = 0; i < num; i++) {
        expected += NUM_DRAWS * pow((double)(i + 1), -exponent) / total;
        observed += (double)counts[i];
        if (expected >= 10) {
            statistic += (observed - expected) * (observed - expected) / expected;
            expected = 0;
            observed = 0;
            ++*out_freedom;
        }
    }
    free(counts);
    --*out_freedom;
    return statistic;
}

// expect_fits holds the statistic to the 99.9 % quantile of its distribution, by Wilson and
// Hilferty's approximation. The seed is fixed: it passes always or never.
static void expect_fits(struct ekb_pick *pick, size_t num, double exponent, const char *name)
{
    size_t freedom = 0;
    const double statistic = chi_square(pick, num, exponent, &freedom);
    const double part = 2.0 / (9.0 * (double)freedom);
    const double limit = (double)freedom * pow(1.0 - part + 3.0902 * sqrt(part), 3.0);
    cr_expect_lt(statistic, limit, "%s of %zu: chi-square %f above %f with %zu degrees of freedom",
                 name, num, statistic, limit, freedom);
}

Test(pick, follows_zipf)
{
    static const double exponents[] = {0.5, 1.0, 1.2, 2.0};
    static const size_t nums[] = {2, 10, 1000, 5000};

    for (size_t i = 0; i < sizeof exponents / sizeof exponents[0]; i++) {
        for (size_t j = 0; j < sizeof nums / sizeof nums[0]; j++) {
            char name[EKB_PICK_TEXT_LEN];
            const struct ekb_pick_rule rule = zipf(exponents[i]);
            struct ekb_pick *pick = create(&rule, nums[j], &alone, SEED);
            expect_fits(pick, nums[j], exponents[i], ekb_pick_format(name, &rule));
            ekb_pick_destroy(pick);
        }
    }
}

Test(pick, gives_each_the_same_probability_when_uniform)
{
    static const size_t nums[] = {2, 7, 5000};

    for (size_t i = 0; i < sizeof nums / sizeof nums[0]; i++) {
        struct ekb_pick *pick = create(&uniform, nums[i], &alone, SEED);
        expect_fits(pick, nums[i], 0, "uniform");
        ekb_pick_destroy(pick);
    }
}

Test(pick, is_uniform_when_the_exponent_of_zipf_is_none)
{
    const struct ekb_pick_rule rule = zipf(0);
    struct ekb_pick *pick = create(&rule, 100, &alone, SEED);

    expect_fits(pick, 100, 0, "zipf:0");

    ekb_pick_destroy(pick);
}

// A test that fits everything holds nothing.
Test(pick, does_not_fit_another_exponent)
{
    size_t freedom = 0;
    const struct ekb_pick_rule rule = zipf(1);
    struct ekb_pick *pick = create(&rule, 1000, &alone, SEED);

    const double statistic = chi_square(pick, 1000, 1.1, &freedom);

    cr_expect_gt(statistic, 2.0 * (double)freedom, "%f", statistic);
    ekb_pick_destroy(pick);
}

// Bounds and seeds.

Test(pick, has_no_choice_when_there_is_one)
{
    const struct ekb_pick_rule rules[] = {round_robin, uniform, zipf(1), zipf(10)};

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct ekb_pick *pick = create(&rules[i], 1, &alone, SEED);
        for (size_t j = 0; j < 1000; j++) {
            cr_assert_eq(ekb_pick_next(pick), 0);
        }
        ekb_pick_destroy(pick);
    }
}

Test(pick, stays_in_bounds_when_there_are_many)
{
    const struct ekb_pick_rule rules[] = {round_robin, uniform, zipf(0), zipf(1), zipf(10)};
    const struct ekb_pace_share last = {.index = 15, .count = 16};

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct ekb_pick *pick = create(&rules[i], 100000, &last, UINT64_MAX);
        for (size_t j = 0; j < NUM_DRAWS; j++) {
            cr_assert_lt(ekb_pick_next(pick), 100000);
        }
        ekb_pick_destroy(pick);
    }
}

// agreement returns how many of 1,000 picks are the same.
static size_t agreement(struct ekb_pick *a, struct ekb_pick *b)
{
    size_t num_same = 0;
    for (size_t i = 0; i < 1000; i++) {
        num_same += ekb_pick_next(a) == ekb_pick_next(b) ? 1 : 0;
    }
    ekb_pick_destroy(a);
    ekb_pick_destroy(b);
    return num_same;
}

Test(pick, has_the_same_order_when_the_seed_is_the_same)
{
    const struct ekb_pace_share second = {.index = 1, .count = 2};
    const struct ekb_pick_rule rules[] = {uniform, zipf(1)};

    for (size_t i = 0; i < 2; i++) {
        const struct ekb_pick_rule *rule = &rules[i];
        cr_expect_eq(agreement(create(rule, 1000, &second, 7), create(rule, 1000, &second, 7)),
                     1000);
        cr_expect_lt(agreement(create(rule, 1000, &second, 7), create(rule, 1000, &second, 8)),
                     200);
    }
}

Test(pick, has_another_order_in_each_worker)
{
    const struct ekb_pace_share first = {.index = 0, .count = 2};
    const struct ekb_pace_share second = {.index = 1, .count = 2};

    cr_expect_lt(agreement(create(&uniform, 1000, &first, 7), create(&uniform, 1000, &second, 7)),
                 200);
}

Test(pick, may_be_destroyed_when_there_is_none)
{
    ekb_pick_destroy(NULL);
}
