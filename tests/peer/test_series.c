#include "ekubench/peer/series.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/rng.h"

#include <criterion/criterion.h>

#include <inttypes.h>

static struct ekb_series *make(uint64_t total_ns)
{
    struct ekb_series *series = NULL;
    cr_assert_eq(ekb_series_create(&series, total_ns, ekb_series_interval_ns(total_ns)), EKB_OK);
    return series;
}

Test(series, has_intervals_of_a_second_until_they_would_be_too_many)
{
    static const struct {
        uint64_t total_s;
        uint64_t interval_s;
    } cases[] = {{0, 1},   {1, 1},    {31, 1},   {599, 1},  {600, 1},
                 {601, 2}, {1200, 2}, {1201, 3}, {3600, 6}, {86400, 144}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t total_ns = cases[i].total_s * EKB_NS_PER_S;

        const uint64_t interval_ns = ekb_series_interval_ns(total_ns);

        cr_expect_eq(interval_ns, cases[i].interval_s * EKB_NS_PER_S, "%" PRIu64 " s: %" PRIu64,
                     cases[i].total_s, interval_ns);
        cr_expect_leq(total_ns, EKB_SERIES_MAX_INTERVALS * interval_ns);
    }
}

Test(series, has_one_interval_more_for_what_comes_after)
{
    struct ekb_series *series = make(2 * EKB_NS_PER_S + 1);

    cr_expect_eq(series->num_intervals, 4u, "%zu", series->num_intervals);
    cr_expect_eq(ekb_series_index(series, 0), 0u);
    cr_expect_eq(ekb_series_index(series, EKB_NS_PER_S - 1), 0u);
    cr_expect_eq(ekb_series_index(series, EKB_NS_PER_S), 1u);
    cr_expect_eq(ekb_series_index(series, 3 * EKB_NS_PER_S - 1), 2u);
    cr_expect_eq(ekb_series_index(series, 3 * EKB_NS_PER_S), 3u);
    cr_expect_eq(ekb_series_index(series, UINT64_MAX), 3u);
    cr_expect_eq(ekb_series_at(series, UINT64_MAX), &series->intervals[3]);
    ekb_series_destroy(series);
}

Test(series, is_all_zero_when_created)
{
    struct ekb_series *series = make(5 * EKB_NS_PER_S);

    for (size_t i = 0; i < series->num_intervals; i++) {
        const struct ekb_series_interval *interval = &series->intervals[i];
        cr_expect_eq(interval->started + interval->accepted + interval->rejected +
                         interval->failed + interval->dropped + ekb_hist_count(interval->latency),
                     0u);
    }
    ekb_series_destroy(series);
    ekb_series_destroy(NULL);
}

Test(series, cannot_be_created_when_it_would_fill_the_address_space)
{
    struct ekb_series *series = NULL;

    const enum ekb_err err = ekb_series_create(&series, UINT64_C(1) << 50, 1);

    cr_expect_eq(err, EKB_NOMEM, "%s", ekb_err_name(err));
    cr_expect_null(series, "the output was changed");
}

static void count(struct ekb_series *series, uint64_t elapsed_ns, uint64_t latency_ns)
{
    struct ekb_series_interval *interval = ekb_series_at(series, elapsed_ns);
    interval->started += 5;
    interval->accepted += 1;
    interval->rejected += 2;
    interval->failed += 3;
    interval->dropped += 4;
    ekb_hist_record(interval->latency, latency_ns);
}

Test(series, is_exact_when_merged)
{
    struct ekb_series *parts[] = {make(7 * EKB_NS_PER_S), make(7 * EKB_NS_PER_S)};
    struct ekb_series *all = make(7 * EKB_NS_PER_S);
    struct ekb_rng rng;
    ekb_rng_init(&rng, 3);
    for (size_t i = 0; i < 5000; i++) {
        // The third second stays empty.
        uint64_t elapsed_ns = ekb_rng_below(&rng, 8 * EKB_NS_PER_S);
        elapsed_ns += elapsed_ns / EKB_NS_PER_S == 2 ? EKB_NS_PER_S : 0;
        const uint64_t latency_ns = ekb_rng_below(&rng, UINT64_C(70000000000)) >> (i % 40);
        count(parts[i % 3 == 0 ? 1 : 0], elapsed_ns, latency_ns);
        count(all, elapsed_ns, latency_ns);
    }

    ekb_series_merge(parts[0], parts[1]);

    for (size_t i = 0; i < all->num_intervals; i++) {
        const struct ekb_series_interval *wanted = &all->intervals[i];
        const struct ekb_series_interval *got = &parts[0]->intervals[i];
        cr_expect_eq(got->started, wanted->started, "%zu", i);
        cr_expect_eq(got->accepted, wanted->accepted, "%zu", i);
        cr_expect_eq(got->rejected, wanted->rejected, "%zu", i);
        cr_expect_eq(got->failed, wanted->failed, "%zu", i);
        cr_expect_eq(got->dropped, wanted->dropped, "%zu", i);
        cr_expect_eq(ekb_hist_count(got->latency), ekb_hist_count(wanted->latency), "%zu", i);
        cr_expect_eq(ekb_hist_max(got->latency), ekb_hist_max(wanted->latency), "%zu", i);
        for (double percentile = 1; percentile <= 100; percentile++) {
            cr_expect_eq(ekb_hist_percentile(got->latency, percentile),
                         ekb_hist_percentile(wanted->latency, percentile), "%zu at %f", i,
                         percentile);
        }
    }
    ekb_series_destroy(parts[0]);
    ekb_series_destroy(parts[1]);
    ekb_series_destroy(all);
}
