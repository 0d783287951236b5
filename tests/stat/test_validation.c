#include "ekubench/stat/validation.h"

#include <criterion/criterion.h>

#include <math.h>

#define S UINT64_C(1000000000)

TestSuite(validation, .timeout = 20);

static const struct ekb_validation_options usual = {
    .rate_per_s = 3000, .step = 0.03, .duration_ns = 10 * S, .budget_ns = 60 * S};

// run gives it these outcomes ('p', 'f', 'i'), in their order, and stores how many it took.
static enum ekb_validation_state run(struct ekb_validation *validation,
                                     const struct ekb_validation_options *options,
                                     const char *outcomes, size_t *out_num)
{
    struct ekb_search_trial trial;
    enum ekb_validation_state state;
    ekb_validation_init(validation, options);
    *out_num = 0;
    while ((state = ekb_validation_next(validation, &trial)) == EKB_VALIDATION_GOING) {
        const char outcome = outcomes[*out_num];
        cr_assert_neq(outcome, '\0', "it does not end");
        cr_expect_eq(trial.duration_ns, options->duration_ns);
        ekb_validation_add(validation, outcome == 'p'   ? EKB_SEARCH_PASSED
                                       : outcome == 'f' ? EKB_SEARCH_FAILED
                                                        : EKB_SEARCH_INVALID);
        ++*out_num;
    }
    return state;
}

Test(validation, ends_with_one_that_passes)
{
    struct ekb_validation validation;
    size_t num;
    cr_expect_eq(run(&validation, &usual, "p", &num), EKB_VALIDATION_PASSED);
    cr_expect_eq(num, 1u);
    cr_expect_float_eq(validation.rate_per_s, 3000, 1e-9);
    cr_expect(isinf(validation.upper_per_s));
}

Test(validation, goes_down_until_one_passes)
{
    struct ekb_validation validation;
    size_t num;
    cr_expect_eq(run(&validation, &usual, "ffp", &num), EKB_VALIDATION_PASSED);
    cr_expect_eq(num, 3u);
    cr_expect_float_eq(validation.rate_per_s, 3000 * 0.97 * 0.97, 1e-9);
    cr_expect_float_eq(validation.upper_per_s, 3000 * 0.97, 1e-9);
}

// An answer that failed is none.
Test(validation, has_no_answer_when_none_passes)
{
    struct ekb_validation validation;
    size_t num;
    cr_expect_eq(run(&validation, &usual, "ffffffffff", &num), EKB_VALIDATION_FAILED);
    cr_expect_eq(num, 6u, "%zu", num);
}

Test(validation, repeats_an_invalid_one_once)
{
    struct ekb_validation validation;
    size_t num;
    cr_expect_eq(run(&validation, &usual, "ip", &num), EKB_VALIDATION_PASSED);
    cr_expect_float_eq(validation.rate_per_s, 3000, 1e-9);
    cr_expect_eq(run(&validation, &usual, "iip", &num), EKB_VALIDATION_INVALID);
    cr_expect_eq(num, 2u);
    // At each rate anew.
    cr_expect_eq(run(&validation, &usual, "ifip", &num), EKB_VALIDATION_PASSED);
    cr_expect_float_eq(validation.rate_per_s, 3000 * 0.97, 1e-9);
    cr_expect_eq(run(&validation, &usual, "fiip", &num), EKB_VALIDATION_FAILED);
}

// The first one runs, whatever is left.
Test(validation, runs_once_without_a_budget)
{
    struct ekb_validation_options poor = usual;
    struct ekb_validation validation;
    size_t num;
    poor.budget_ns = 0;
    cr_expect_eq(run(&validation, &poor, "fp", &num), EKB_VALIDATION_FAILED);
    cr_expect_eq(num, 1u);
    cr_expect_eq(run(&validation, &poor, "ip", &num), EKB_VALIDATION_INVALID);
    cr_expect_eq(num, 1u);
}
