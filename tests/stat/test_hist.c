#include "ekubench/stat/hist.h"

#include "ekubench/base/rng.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <hdr/hdr_histogram.h>
#include <hdr/hdr_histogram_log.h>

static struct ekb_hist *make_hist(void)
{
    const size_t size = (ekb_hist_size() + 15) / 16 * 16;
    void *memory = aligned_alloc(16, size);
    cr_assert_not_null(memory);
    // What was in the memory before must not matter.
    memset(memory, 0xa5, size);
    return ekb_hist_init(memory);
}

static struct hdr_histogram *decode(const struct ekb_hist *hist)
{
    char *text = NULL;
    cr_assert_eq(ekb_hist_encode(&text, hist), EKB_OK);
    struct hdr_histogram *decoded = NULL;
    cr_assert_eq(hdr_log_decode(&decoded, text, strlen(text)), 0);
    free(text);
    return decoded;
}

Test(hist, is_empty_when_initialized)
{
    struct ekb_hist *hist = make_hist();

    cr_expect_eq(ekb_hist_count(hist), 0);
    cr_expect_eq(ekb_hist_num_clamped(hist), 0);
    free(hist);
}

Test(hist, answers_zero_when_empty)
{
    struct ekb_hist *hist = make_hist();

    const uint64_t median = ekb_hist_percentile(hist, 50.0);
    const uint64_t lowest = ekb_hist_percentile(hist, 0.0);

    cr_expect_eq(median, 0, "got %lu", median);
    cr_expect_eq(lowest, 0, "got %lu", lowest);
    free(hist);
}

Test(hist, answers_the_only_value_when_it_has_one)
{
    struct ekb_hist *hist = make_hist();

    ekb_hist_record(hist, 777);

    cr_expect_eq(ekb_hist_count(hist), 1);
    cr_expect_eq(ekb_hist_percentile(hist, 0.0), 777);
    cr_expect_eq(ekb_hist_percentile(hist, 50.0), 777);
    cr_expect_eq(ekb_hist_percentile(hist, 100.0), 777);
    free(hist);
}

Test(hist, keeps_small_values_exact)
{
    struct ekb_hist *hist = make_hist();

    for (uint64_t value = 1; value <= 1000; value++) {
        ekb_hist_record(hist, value);
    }

    cr_expect_eq(ekb_hist_percentile(hist, 50.0), 500);
    cr_expect_eq(ekb_hist_percentile(hist, 99.0), 990);
    cr_expect_eq(ekb_hist_percentile(hist, 99.9), 999);
    free(hist);
}

Test(hist, is_within_a_thousandth_when_values_are_large)
{
    struct ekb_hist *hist = make_hist();

    for (uint64_t value = 1; value <= 1000; value++) {
        ekb_hist_record(hist, value * 1000003);
    }

    const double wanted = 990.0 * 1000003.0;
    const double got = (double)ekb_hist_percentile(hist, 99.0);
    cr_expect(got >= wanted && got <= wanted * 1.001, "got %f, wanted %f", got, wanted);
    free(hist);
}

Test(hist, answers_percentile_zero_with_the_upper_end_of_the_bucket)
{
    struct ekb_hist *hist = make_hist();

    ekb_hist_record(hist, 100000);

    cr_expect_eq(ekb_hist_percentile(hist, 0.0), ekb_hist_percentile(hist, 100.0));
    cr_expect_geq(ekb_hist_percentile(hist, 0.0), 100000);
    free(hist);
}

Test(hist, counts_the_ends_of_the_range_without_clamping)
{
    struct ekb_hist *hist = make_hist();

    ekb_hist_record(hist, (uint64_t)EKB_HIST_MIN_NS);
    ekb_hist_record(hist, (uint64_t)EKB_HIST_MAX_NS);

    cr_expect_eq(ekb_hist_count(hist), 2);
    cr_expect_eq(ekb_hist_num_clamped(hist), 0);
    free(hist);
}

Test(hist, counts_values_outside_the_range_as_clamped)
{
    static const uint64_t outside[] = {0, (uint64_t)EKB_HIST_MAX_NS + 1, INT64_MAX,
                                       (uint64_t)INT64_MAX + 1, UINT64_MAX};
    const size_t num_outside = sizeof outside / sizeof outside[0];
    struct ekb_hist *hist = make_hist();

    for (size_t i = 0; i < num_outside; i++) {
        ekb_hist_record(hist, outside[i]);
    }

    cr_expect_eq(ekb_hist_count(hist), num_outside);
    cr_expect_eq(ekb_hist_num_clamped(hist), num_outside);
    cr_expect_eq(ekb_hist_percentile(hist, 0.0), 1);
    const double highest = (double)ekb_hist_percentile(hist, 100.0);
    cr_expect(highest >= 60e9 && highest < 60.06e9, "got %f", highest);
    free(hist);
}

Test(hist, is_the_same_to_the_byte_when_merged_as_when_recorded_in_one)
{
    struct ekb_hist *parts[2] = {make_hist(), make_hist()};
    struct ekb_hist *all = make_hist();
    struct ekb_rng rng;
    ekb_rng_init(&rng, 7);
    for (size_t i = 0; i < 20000; i++) {
        // Some 0 and some above the range, so that clamping is merged too.
        const uint64_t value = ekb_rng_below(&rng, UINT64_C(70000000000)) >> (i % 40);
        ekb_hist_record(parts[i % 2], value);
        ekb_hist_record(all, value);
    }

    ekb_hist_merge(parts[0], parts[1]);

    struct hdr_histogram *merged = decode(parts[0]);
    struct hdr_histogram *wanted = decode(all);
    cr_expect_eq(ekb_hist_count(parts[0]), ekb_hist_count(all));
    cr_expect_eq(ekb_hist_num_clamped(parts[0]), ekb_hist_num_clamped(all));
    cr_expect_gt(ekb_hist_num_clamped(all), 0);
    cr_expect_eq(merged->counts_len, wanted->counts_len);
    cr_expect_arr_eq(merged->counts, wanted->counts,
                     (size_t)wanted->counts_len * sizeof wanted->counts[0]);
    for (double percentile = 0.0; percentile <= 100.0; percentile += 0.5) {
        cr_expect_eq(ekb_hist_percentile(parts[0], percentile),
                     ekb_hist_percentile(all, percentile), "at %f", percentile);
    }
    hdr_close(merged);
    hdr_close(wanted);
    free(parts[0]);
    free(parts[1]);
    free(all);
}

Test(hist, does_not_change_when_an_empty_one_is_merged)
{
    struct ekb_hist *hist = make_hist();
    struct ekb_hist *empty = make_hist();
    ekb_hist_record(hist, 5);

    ekb_hist_merge(hist, empty);

    cr_expect_eq(ekb_hist_count(hist), 1);
    cr_expect_eq(ekb_hist_percentile(hist, 100.0), 5);
    cr_expect_eq(ekb_hist_count(empty), 0);
    free(hist);
    free(empty);
}

Test(hist, takes_over_when_merged_into_an_empty_one)
{
    struct ekb_hist *empty = make_hist();
    struct ekb_hist *hist = make_hist();
    ekb_hist_record(hist, 5);
    ekb_hist_record(hist, 9);

    ekb_hist_merge(empty, hist);

    cr_expect_eq(ekb_hist_count(empty), 2);
    cr_expect_eq(ekb_hist_percentile(empty, 50.0), 5);
    cr_expect_eq(ekb_hist_percentile(empty, 100.0), 9);
    free(hist);
    free(empty);
}

Test(hist, starts_with_the_v2_cookie_when_encoded)
{
    struct ekb_hist *hist = make_hist();
    ekb_hist_record(hist, 183000);
    char *text = NULL;

    const enum ekb_err err = ekb_hist_encode(&text, hist);

    cr_assert_eq(err, EKB_OK);
    cr_expect_eq(strncmp(text, "HISTFAAA", 8), 0, "got %s", text);
    free(text);
    free(hist);
}

Test(hist, survives_encoding_and_decoding)
{
    struct ekb_hist *hist = make_hist();
    for (uint64_t value = 1; value < 3000; value++) {
        ekb_hist_record(hist, value * value);
    }

    struct hdr_histogram *decoded = decode(hist);

    cr_expect_eq((uint64_t)decoded->total_count, ekb_hist_count(hist));
    cr_expect_eq(decoded->lowest_discernible_value, EKB_HIST_MIN_NS);
    cr_expect_eq(decoded->highest_trackable_value, EKB_HIST_MAX_NS);
    cr_expect_eq(decoded->significant_figures, EKB_HIST_DIGITS);
    for (double percentile = 1.0; percentile <= 100.0; percentile += 1.0) {
        cr_expect_eq((uint64_t)hdr_value_at_percentile(decoded, percentile),
                     ekb_hist_percentile(hist, percentile), "at %f", percentile);
    }
    hdr_close(decoded);
    free(hist);
}

Test(hist, survives_encoding_when_empty)
{
    struct ekb_hist *hist = make_hist();

    struct hdr_histogram *decoded = decode(hist);

    cr_expect_eq(decoded->total_count, 0);
    hdr_close(decoded);
    free(hist);
}

Test(hist, stays_within_the_size_it_states)
{
    const size_t size = ekb_hist_size();
    const size_t padded = (size + 15) / 16 * 16 + 16;
    unsigned char *memory = aligned_alloc(16, padded);
    cr_assert_not_null(memory);
    memset(memory, 0x5a, padded);

    struct ekb_hist *hist = ekb_hist_init(memory);
    ekb_hist_record(hist, UINT64_MAX);

    for (size_t i = size; i < padded; i++) {
        cr_expect_eq(memory[i], 0x5a, "byte %zu past the end was written", i - size);
    }
    free(memory);
}

static struct ekb_hist *make_coarse(void)
{
    void *memory = aligned_alloc(16, (ekb_hist_coarse_size() + 15) / 16 * 16);
    cr_assert_not_null(memory);
    memset(memory, 0, ekb_hist_coarse_size());
    return ekb_hist_init_coarse(memory);
}

// A series has hundreds of them in each worker.
Test(hist, takes_little_memory_when_it_is_coarse)
{
    cr_expect_leq(ekb_hist_coarse_size(), ekb_hist_size() / 7, "%zu bytes", ekb_hist_coarse_size());
    cr_expect_leq(ekb_hist_coarse_size(), 31u * 1024, "%zu bytes", ekb_hist_coarse_size());
}

Test(hist, is_within_a_hundredth_when_it_is_coarse)
{
    struct ekb_hist *hist = make_coarse();

    for (uint64_t value = 1; value <= 1000; value++) {
        ekb_hist_record(hist, value * 1000003);
    }
    ekb_hist_record(hist, UINT64_MAX);

    const double wanted = 990.0 * 1000003.0;
    const double got = (double)ekb_hist_percentile(hist, 98.9);
    cr_expect(got >= wanted && got <= wanted * 1.008, "got %f, wanted %f", got, wanted);
    cr_expect_eq(ekb_hist_num_clamped(hist), 1u);
    free(hist);
}

Test(hist, knows_the_largest_value_exactly)
{
    struct ekb_hist *hist = make_coarse();
    cr_expect_eq(ekb_hist_max(hist), 0u);

    ekb_hist_record(hist, 123456789);
    ekb_hist_record(hist, 1);

    cr_expect_eq(ekb_hist_max(hist), 123456789u);
    free(hist);
}

Test(hist, has_what_came_since_when_an_earlier_state_is_subtracted)
{
    struct ekb_hist *hist = make_coarse();
    struct ekb_hist *before = make_coarse();
    struct ekb_hist *since = make_coarse();
    struct ekb_rng rng;
    ekb_rng_init(&rng, 11);
    for (size_t i = 0; i < 3000; i++) {
        ekb_hist_record(hist, ekb_rng_below(&rng, 1u << (i % 30)));
    }
    ekb_hist_copy(before, hist);
    for (size_t i = 0; i < 2000; i++) {
        const uint64_t value = 1000 + ekb_rng_below(&rng, 1u << (i % 25));
        ekb_hist_record(hist, value);
        ekb_hist_record(since, value);
    }

    ekb_hist_subtract(hist, before);

    cr_expect_eq(ekb_hist_count(hist), 2000u);
    cr_expect_eq(ekb_hist_num_clamped(hist), 0u);
    for (double percentile = 1; percentile <= 100; percentile++) {
        cr_expect_eq(ekb_hist_percentile(hist, percentile), ekb_hist_percentile(since, percentile),
                     "at %f", percentile);
    }
    const uint64_t max = ekb_hist_max(hist);
    cr_expect(max >= ekb_hist_max(since) && (double)max <= 1.008 * (double)ekb_hist_max(since));
    free(hist);
    free(before);
    free(since);
}

Test(hist, has_no_count_below_zero_when_too_much_is_subtracted)
{
    struct ekb_hist *hist = make_coarse();
    struct ekb_hist *other = make_coarse();
    ekb_hist_record(hist, 1000);
    ekb_hist_record(other, 1000);
    ekb_hist_record(other, 1000);
    ekb_hist_record(other, 5000);

    ekb_hist_subtract(hist, other);

    cr_expect_eq(ekb_hist_count(hist), 0u);
    cr_expect_eq(ekb_hist_max(hist), 0u);
    free(hist);
    free(other);
}

// Reading back.

static struct ekb_hist *make_filled(uint64_t seed, size_t num_values)
{
    struct ekb_hist *hist = make_hist();
    struct ekb_rng rng;
    ekb_rng_init(&rng, seed);
    for (size_t i = 0; i < num_values; i++) {
        ekb_hist_record(hist, 1 + (ekb_rng_next(&rng) >> (24 + ekb_rng_next(&rng) % 40)));
    }
    return hist;
}

Test(hist, is_the_same_when_read_back)
{
    for (size_t num = 0; num < 3000; num = num * 3 + 1) {
        struct ekb_hist *hist = make_filled(num + 1, num);
        struct ekb_hist *read = make_filled(7, 100);
        char *text = NULL;
        char *again = NULL;
        cr_assert_eq(ekb_hist_encode(&text, hist), EKB_OK);

        cr_assert_eq(ekb_hist_decode(read, text), EKB_OK, "%zu values", num);

        cr_assert_eq(ekb_hist_encode(&again, read), EKB_OK);
        cr_expect_str_eq(again, text);
        cr_expect_eq(ekb_hist_count(read), num);
        cr_expect_eq(ekb_hist_percentile(read, 99.0), ekb_hist_percentile(hist, 99.0));
        free(again);
        free(text);
        free(read);
        free(hist);
    }
}

Test(hist, is_empty_when_what_is_read_is_no_histogram)
{
    struct ekb_hist *hist = make_filled(3, 1000);
    struct ekb_hist *read = make_hist();
    char *text = NULL;
    cr_assert_eq(ekb_hist_encode(&text, hist), EKB_OK);
    const size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        const char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        if (ekb_hist_decode(read, text) != EKB_OK) {
            cr_expect_eq(ekb_hist_count(read), 0);
        }
        text[i] = '\0';
        cr_expect_eq(ekb_hist_decode(read, text), EKB_PARSE, "%zu of %zu letters", i, len);
        text[i] = '*';
        cr_expect_eq(ekb_hist_decode(read, text), EKB_PARSE, "a '*' at %zu", i);
        text[i] = was;
    }
    cr_expect_eq(ekb_hist_decode(read, text), EKB_OK);
    free(text);
    free(read);
    free(hist);
}

Test(hist, refuses_a_histogram_with_other_buckets)
{
    // The golden vector of HdrHistogram's own tests: two digits from 20000 to 3.6e12.
    static const char other[] =
        "HISTFAAAAEJ42pNpmSzMwMAgxwABTBDKT4GBgdnNYMcCBvsPEBEWLj45FTExAT4pBSEB"
        "Ka6UkAgBi1uM7xjfMMlwMDABAC0CCjM=";
    struct ekb_hist *hist = make_hist();

    cr_expect_eq(ekb_hist_decode(hist, other), EKB_PARSE);

    free(hist);
}

Test(hist, gives_its_buckets_in_order)
{
    struct ekb_hist *hist = make_hist();
    struct ekb_hist_bucket bucket = {0};
    ekb_hist_record(hist, 5);
    ekb_hist_record(hist, 1000000);
    ekb_hist_record(hist, 1000001);

    cr_assert(ekb_hist_next_bucket(hist, &bucket));
    cr_expect_eq(bucket.low_ns, 5);
    cr_expect_eq(bucket.high_ns, 5);
    cr_expect_eq(bucket.count, 1);
    cr_assert(ekb_hist_next_bucket(hist, &bucket));
    cr_expect_leq(bucket.low_ns, 1000000);
    cr_expect_eq(bucket.high_ns, ekb_hist_percentile(hist, 100.0));
    cr_expect_eq(bucket.count, 2);
    cr_expect_not(ekb_hist_next_bucket(hist, &bucket));
    free(hist);
}
