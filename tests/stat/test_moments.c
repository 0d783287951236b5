#include "ekubench/stat/moments.h"

#include "ekubench/base/rng.h"

#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include <criterion/criterion.h>

// expect_close compares with a relative tolerance of 2^-50.
static void expect_close(double got, double wanted)
{
    cr_expect(fabs(got - wanted) <= fabs(wanted) * 0x1p-50, "got %.17g, wanted %.17g", got, wanted);
}

static struct ekb_moments moments_of(const uint64_t *values, size_t num_values)
{
    struct ekb_moments moments = {0};
    for (size_t i = 0; i < num_values; i++) {
        ekb_moments_add(&moments, values[i]);
    }
    return moments;
}

Test(moments, are_zero_when_empty)
{
    const struct ekb_moments moments = {0};

    cr_expect_eq(moments.count, 0);
    expect_close(ekb_moments_mean(&moments), 0.0);
    expect_close(ekb_moments_stddev(&moments), 0.0);
}

Test(moments, have_no_deviation_when_there_is_one_sample)
{
    const struct ekb_moments moments = moments_of((const uint64_t[]){42}, 1);

    cr_expect_eq(moments.count, 1);
    cr_expect_eq(moments.min, 42);
    cr_expect_eq(moments.max, 42);
    expect_close(ekb_moments_mean(&moments), 42.0);
    expect_close(ekb_moments_stddev(&moments), 0.0);
}

Test(moments, are_right_for_a_known_sample)
{
    const uint64_t values[] = {2, 4, 4, 4, 5, 5, 7, 9};

    const struct ekb_moments moments = moments_of(values, 8);

    cr_expect_eq(moments.sum, 40);
    cr_expect_eq(moments.sum_squares_low, 232);
    cr_expect_eq(moments.sum_squares_high, 0);
    cr_expect_eq(moments.min, 2);
    cr_expect_eq(moments.max, 9);
    expect_close(ekb_moments_mean(&moments), 5.0);
    expect_close(ekb_moments_stddev(&moments), sqrt(32.0 / 7.0));
}

Test(moments, keep_zero_as_the_minimum)
{
    const struct ekb_moments moments = moments_of((const uint64_t[]){3, 0, 8}, 3);

    cr_expect_eq(moments.min, 0);
    cr_expect_eq(moments.max, 8);
}

Test(moments, carry_into_the_high_half_when_squares_exceed_64_bits)
{
    const uint64_t value = UINT64_C(1) << 33;

    const struct ekb_moments moments = moments_of((const uint64_t[]){value, value, 1}, 3);

    cr_expect_eq(moments.sum_squares_high, 8);
    cr_expect_eq(moments.sum_squares_low, 1);
}

Test(moments, carry_between_the_halves_when_the_low_one_wraps)
{
    const uint64_t value = UINT64_MAX >> 32; // Its square is 2^64 - 2^33 + 1.

    const struct ekb_moments moments = moments_of((const uint64_t[]){value, value}, 2);

    cr_expect_eq(moments.sum_squares_high, 1);
    cr_expect_eq(moments.sum_squares_low, UINT64_MAX - (UINT64_C(1) << 34) + 3);
}

Test(moments, do_not_cancel_when_the_spread_is_tiny_beside_the_mean)
{
    const uint64_t base = UINT64_C(1000000000000000); // 1e15, squares 1e30: no double could.

    const struct ekb_moments moments = moments_of((const uint64_t[]){base, base + 1, base + 2}, 3);

    expect_close(ekb_moments_stddev(&moments), 1.0);
}

Test(moments, do_not_cancel_when_the_mean_is_just_below_a_whole_number)
{
    // One sample of a million is 1 lower than the others: the variance is 1 / n.
    struct ekb_moments moments = {0};
    ekb_moments_add(&moments, 999);
    for (size_t i = 1; i < 1000000; i++) {
        ekb_moments_add(&moments, 1000);
    }

    expect_close(ekb_moments_stddev(&moments), 1e-3);
}

Test(moments, have_no_deviation_when_all_samples_are_equal)
{
    struct ekb_moments moments = {0};
    for (size_t i = 0; i < 1000; i++) {
        ekb_moments_add(&moments, UINT64_C(9007199254740993)); // 2^53 + 1
    }

    expect_close(ekb_moments_stddev(&moments), 0.0);
}

Test(moments, hold_the_largest_samples_that_are_allowed)
{
    const uint64_t largest = INT64_MAX;

    const struct ekb_moments moments = moments_of((const uint64_t[]){largest, largest, 1}, 3);

    cr_expect_eq(moments.sum, UINT64_MAX);
    // The samples are a, a and 1: the variance is (a - 1)^2 / 3.
    expect_close(ekb_moments_stddev(&moments), (double)(largest - 1) / sqrt(3.0));
}

Test(moments, are_the_same_to_the_bit_when_merged_as_when_added_in_one)
{
    struct ekb_moments parts[3] = {{0}};
    struct ekb_moments all = {0};
    struct ekb_rng rng;
    ekb_rng_init(&rng, 11);
    for (size_t i = 0; i < 30000; i++) {
        const uint64_t value = ekb_rng_below(&rng, UINT64_C(1) << 40);
        ekb_moments_add(&parts[i % 3], value);
        ekb_moments_add(&all, value);
    }

    // In another order than the samples came in.
    struct ekb_moments merged = {0};
    ekb_moments_merge(&merged, &parts[2]);
    ekb_moments_merge(&merged, &parts[0]);
    ekb_moments_merge(&merged, &parts[1]);

    cr_expect_eq(memcmp(&merged, &all, sizeof all), 0);
}

Test(moments, do_not_change_when_an_empty_one_is_merged)
{
    const struct ekb_moments empty = {0};
    struct ekb_moments moments = moments_of((const uint64_t[]){5, 6}, 2);
    const struct ekb_moments before = moments;

    ekb_moments_merge(&moments, &empty);

    cr_expect_eq(memcmp(&moments, &before, sizeof before), 0);
}

Test(moments, abort_when_a_sample_is_too_large, .signal = SIGABRT)
{
    struct ekb_moments moments = {0};

    ekb_moments_add(&moments, UINT64_C(1) << 63);
}

Test(moments, abort_when_the_sum_would_wrap, .signal = SIGABRT)
{
    struct ekb_moments moments = {0};

    ekb_moments_add(&moments, INT64_MAX);
    ekb_moments_add(&moments, INT64_MAX);
    ekb_moments_add(&moments, 2);
}

Test(moments, keep_their_squares_as_text)
{
    struct ekb_moments moments = {0};
    struct ekb_moments read = {0};
    char text[EKB_MOMENTS_TEXT_LEN];
    ekb_moments_add(&moments, INT64_MAX);
    ekb_moments_add(&moments, 3);

    const char *written = ekb_moments_format_squares(text, &moments);

    cr_expect_str_eq(written, "85070591730234615847396907784232501258");
    cr_assert(ekb_moments_parse_squares(&read, written));
    cr_expect_eq(read.sum_squares_low, moments.sum_squares_low);
    cr_expect_eq(read.sum_squares_high, moments.sum_squares_high);
    cr_expect_str_eq(ekb_moments_format_squares(text, &(struct ekb_moments){0}), "0");
}

Test(moments, refuse_a_text_that_is_no_sum)
{
    static const char *const texts[] = {"",    "-1", "1 ",
                                        "1.5", "x",  "340282366920938463463374607431768211456"};
    struct ekb_moments read = {.sum_squares_low = 7};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cr_expect_not(ekb_moments_parse_squares(&read, texts[i]), "%s", texts[i]);
    }
    cr_expect_eq(read.sum_squares_low, 7);
    cr_expect(ekb_moments_parse_squares(&read, "340282366920938463463374607431768211455"));
}

Test(moments, are_possible_when_samples_can_have_them)
{
    struct ekb_moments moments = {0};
    cr_expect(ekb_moments_is_possible(&moments));
    ekb_moments_add(&moments, 5);
    ekb_moments_add(&moments, 8);
    cr_expect(ekb_moments_is_possible(&moments));

    const struct ekb_moments impossible[] = {
        {.count = 0, .sum = 1},
        {.count = 2, .sum = 13, .sum_squares_low = 84, .min = 5, .max = 8},
        {.count = 2, .sum = 13, .sum_squares_low = 105, .min = 5, .max = 8},
        {.count = 2, .sum = 9, .sum_squares_low = 89, .min = 5, .max = 8},
        {.count = 2, .sum = 17, .sum_squares_low = 145, .min = 5, .max = 8},
        {.count = 2, .sum = 13, .sum_squares_low = 89, .min = 8, .max = 5},
        {.count = UINT64_MAX,
         .sum = UINT64_MAX,
         .sum_squares_high = 1,
         .min = 1,
         .max = UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        cr_expect_not(ekb_moments_is_possible(&impossible[i]), "%zu", i);
    }
}

Test(moments, come_near_a_deviation_that_is_all_that_is_known)
{
    struct ekb_moments moments = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        ekb_moments_add(&moments, 300000 + i * i);
    }
    const double stddev = ekb_moments_stddev(&moments);
    struct ekb_moments guessed = moments;
    guessed.sum_squares_low = 0;

    ekb_moments_guess_squares(&guessed, stddev);

    const double got = ekb_moments_stddev(&guessed);
    cr_expect(got > stddev * (1 - 1e-14) && got < stddev * (1 + 1e-14), "%.17g, not %.17g", got,
              stddev);
    cr_expect(ekb_moments_is_possible(&guessed));
}
