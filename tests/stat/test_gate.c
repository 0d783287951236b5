#include "ekubench/stat/gate.h"

#include <criterion/criterion.h>

#include <math.h>

#define NUM_ITEMS(array) (sizeof(array) / sizeof(array)[0])

TestSuite(gate, .timeout = 20);

Test(gate, fails_what_is_more_than_the_threshold)
{
    cr_expect_eq(ekb_gate_exact(0.21, 0.2), EKB_GATE_FAILED);
    cr_expect_eq(ekb_gate_exact(0.2, 0.2), EKB_GATE_PASSED);
    cr_expect_eq(ekb_gate_exact(0.0, 0.2), EKB_GATE_PASSED);
    cr_expect_eq(ekb_gate_exact(-50.0, 0.2), EKB_GATE_PASSED);
    cr_expect_eq(ekb_gate_exact((double)INFINITY, 0.2), EKB_GATE_FAILED);
}

struct interval_case {
    double low;
    double high;
    enum ekb_gate_outcome outcome;
};

Test(gate, fails_an_interval_only_if_all_of_it_lies_beyond)
{
    static const struct interval_case cases[] = {
        {5.1, 9.0, EKB_GATE_FAILED},        {4.9, 9.0, EKB_GATE_INCONCLUSIVE},
        {-3.0, 9.0, EKB_GATE_INCONCLUSIVE}, {1.0, 5.0, EKB_GATE_PASSED},
        {-3.0, 2.0, EKB_GATE_PASSED},       {-9.0, -5.1, EKB_GATE_PASSED},
    };
    for (size_t i = 0; i < NUM_ITEMS(cases); i++) {
        const struct ekb_estimate change = {
            .estimate = 0.5 * (cases[i].low + cases[i].high),
            .low = cases[i].low,
            .high = cases[i].high,
        };

        cr_expect_eq(ekb_gate_interval(&change, 5.0), cases[i].outcome, "[%f, %f]", cases[i].low,
                     cases[i].high);
    }
}

Test(gate, gives_the_change_in_percent_of_the_base)
{
    cr_expect_float_eq(ekb_gate_change(200, 206), 3.0, 1e-12);
    cr_expect_float_eq(ekb_gate_change(200, 150), -25.0, 1e-12);
    cr_expect_float_eq(ekb_gate_change(0, 0), 0.0, 1e-12);
    cr_expect(isinf(ekb_gate_change(0, 1)));
}

Test(gate, wants_one_percent_while_the_history_is_short)
{
    static const double values[] = {100, 100, 100, 100, 100, 100, 100, 100, 100};
    double threshold = 0;

    cr_assert_eq(ekb_gate_threshold(&threshold, values, NUM_ITEMS(values)), EKB_OK);
    cr_expect_float_eq(threshold, 1.0, 1e-12);
    cr_assert_eq(ekb_gate_threshold(&threshold, values, 0), EKB_OK);
    cr_expect_float_eq(threshold, 1.0, 1e-12);
}

Test(gate, never_goes_below_the_exact_threshold)
{
    static const double values[] = {100, 100, 100, 100, 100, 100, 100, 100, 100, 100};
    double threshold = 0;

    cr_assert_eq(ekb_gate_threshold(&threshold, values, NUM_ITEMS(values)), EKB_OK);

    cr_expect_float_eq(threshold, 0.2, 1e-12);
}

// Changes of 0.1 to 0.9 %, up and down: quartiles 0.3 and 0.7 (R: quantile(1:9 / 10, type = 7)).
Test(gate, takes_the_fence_of_the_changes_of_a_long_history)
{
    double values[10] = {1000};
    double threshold = 0;
    for (size_t i = 1; i < NUM_ITEMS(values); i++) {
        const double change = 0.001 * (double)i * (i % 2 == 0 ? 1.0 : -1.0);
        values[i] = values[i - 1] * (1.0 + change);
    }

    cr_assert_eq(ekb_gate_threshold(&threshold, values, NUM_ITEMS(values)), EKB_OK);

    cr_expect_float_eq(threshold, 0.7 + 3.0 * (0.7 - 0.3), 1e-9);
}

// A history that varies by more than that says nothing; without a cap it would let all pass.
Test(gate, caps_the_threshold_of_a_wild_history)
{
    static const double wild[] = {100, 150, 100, 150, 100, 150, 100, 150, 100, 150};
    static const double zeros[] = {0, 100, 0, 100, 0, 100, 0, 100, 0, 100};
    double threshold = 0;

    cr_assert_eq(ekb_gate_threshold(&threshold, wild, NUM_ITEMS(wild)), EKB_OK);
    cr_expect_float_eq(threshold, 5.0, 1e-12);
    cr_assert_eq(ekb_gate_threshold(&threshold, zeros, NUM_ITEMS(zeros)), EKB_OK);
    cr_expect_float_eq(threshold, 5.0, 1e-12);
}

Test(gate, adds_the_widths_of_two_estimates_in_squares)
{
    const struct ekb_estimate base = {100, 99, 101, 20};
    const struct ekb_estimate now = {103, 101.97, 104.03, 30};
    struct ekb_estimate change;

    cr_assert_eq(ekb_gate_change_of_estimates(&change, &base, &now), EKB_OK);

    cr_expect_float_eq(change.estimate, 3.0, 1e-9);
    cr_expect_float_eq(change.high - change.estimate, 1.03 * 1.414, 0.02);
    cr_expect_float_eq(change.estimate - change.low, 1.03 * 1.414, 0.03);
    cr_expect_eq(change.n, 20);
}

Test(gate, gives_no_change_of_what_is_not_above_zero)
{
    const struct ekb_estimate good = {100, 99, 101, 20};
    const struct ekb_estimate bad = {100, -1, 201, 20};
    struct ekb_estimate change;

    cr_expect_eq(ekb_gate_change_of_estimates(&change, &good, &bad), EKB_NOT_FOUND);
    cr_expect_eq(ekb_gate_change_of_estimates(&change, &bad, &good), EKB_NOT_FOUND);
}
