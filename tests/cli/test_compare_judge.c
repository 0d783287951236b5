#include "cli/compare.h"

#include <criterion/criterion.h>

#include <string.h>

static const struct ekb_compare_wish wish = {.time_percent = 5};

// row_of returns a row whose interval is that, in percent.
static struct ekb_compare_row row_of(double low, double high)
{
    return (struct ekb_compare_row){.name = "a time",
                                    .unit = "ns",
                                    .base = 100,
                                    .now = 100,
                                    .change = {(low + high) / 2, low, high, 10}};
}

// expect_verdict adds the row to an empty comparison; `begin` is how its verdict begins.
static void expect_verdict(int line, const struct ekb_compare_row *row, const char *begin)
{
    struct ekb_comparison comparison = {.num_rows = 0};
    ekb_compare_add_interval(&comparison, row, &wish);
    cr_expect_eq(strncmp(comparison.rows[0].verdict, begin, strlen(begin)), 0,
                 "line %d: \"%s\", not \"%s\"", line, comparison.rows[0].verdict, begin);
}

Test(compare_judge, says_what_the_interval_of_one_row_says)
{
    const struct ekb_compare_row slower = row_of(1, 9);
    const struct ekb_compare_row faster = row_of(-9, -1);
    const struct ekb_compare_row nothing = row_of(-6, 6);
    const struct ekb_compare_row little = row_of(1, 2);
    expect_verdict(__LINE__, &slower, "slower by 5.0 % [1.0, 9.0]");
    expect_verdict(__LINE__, &faster, "faster by 5.0 % [1.0, 9.0]");
    expect_verdict(__LINE__, &nothing, "no detectable difference; smallest detectable");
    expect_verdict(__LINE__, &little, "equivalent within 5 %; slower by 1.5 % [1.0, 2.0]");
}

// Of three times each tested at 5 % one differs in up to three comparisons of twenty.
Test(compare_judge, calls_no_row_different_that_is_only_one_of_many)
{
    struct ekb_compare_row rows[3] = {row_of(1, 9), row_of(-6, 6), row_of(-1, 2)};
    const double p[3] = {0.02, 0.4, 0.3}; // 0.06 of three.
    ekb_compare_adjust(rows, p, 3);
    cr_expect(rows[0].only_alone);
    cr_expect(!rows[1].only_alone && !rows[2].only_alone);
    expect_verdict(__LINE__, &rows[0],
                   "no detectable difference among so many (alone it would be one); smallest");
    expect_verdict(__LINE__, &rows[1], "no detectable difference; smallest");
    expect_verdict(__LINE__, &rows[2], "equivalent within 5 %");
}

Test(compare_judge, calls_a_row_different_that_is_so_among_many)
{
    struct ekb_compare_row rows[3] = {row_of(1, 9), row_of(2, 9), row_of(-9, -1)};
    const double p[3] = {0.016, 0.004, 0.04}; // Holm: 0.032, 0.012, 0.04.
    ekb_compare_adjust(rows, p, 3);
    expect_verdict(__LINE__, &rows[0], "slower by");
    expect_verdict(__LINE__, &rows[1], "slower by");
    expect_verdict(__LINE__, &rows[2], "faster by");
}

// In a family more is needed to be seen.
Test(compare_judge, reckons_what_is_detectable_with_the_family)
{
    struct ekb_compare_row rows[3] = {row_of(-6, 6), row_of(-6, 6), row_of(-6, 6)};
    const double p[3] = {0.5, 0.5, 0.5};
    const struct ekb_compare_row alone = row_of(-6, 6);
    expect_verdict(__LINE__, &alone, "no detectable difference; smallest detectable 8.6 %");
    ekb_compare_adjust(rows, p, 3);
    expect_verdict(__LINE__, &rows[0], "no detectable difference; smallest detectable 9.9 %");
}

// A gate fails by no row that is called no difference.
Test(compare_judge, fails_no_gate_by_what_is_only_one_of_many)
{
    const struct ekb_compare_wish strict = {.time_percent = 5, .gate_time = true};
    struct ekb_comparison comparison = {.num_rows = 0};
    struct ekb_compare_row rows[3] = {row_of(6, 20), row_of(-6, 6), row_of(-6, 6)};
    const double p[3] = {0.02, 0.4, 0.3};
    ekb_compare_add_interval(&comparison, &rows[0], &strict);
    cr_expect_eq(comparison.rows[0].outcome, EKB_GATE_FAILED, "alone it does");
    ekb_compare_adjust(rows, p, 3);
    ekb_compare_add_interval(&comparison, &rows[0], &strict);
    cr_expect_eq(comparison.rows[1].outcome, EKB_GATE_INCONCLUSIVE);
}

Test(compare_judge, takes_no_rows)
{
    ekb_compare_adjust(NULL, NULL, 0);
}
