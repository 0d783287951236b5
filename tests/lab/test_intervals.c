#include "ekubench/lab/intervals.h"

#include "support/stages.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/assemble.h"

#include <criterion/criterion.h>

#include <inttypes.h>

// Three seconds in slices of 100 ms, of which the first is warm-up.
#define NUM_WARMUP 10
#define NUM_SLICES 30

static const struct ekb_record_stage label = {
    .name = "load", .shape = "closed-loop", .client = "full"};
static const struct ekb_record_arm arm_label = {
    .name = "load", .tls = "1.3", .verify = "full", .expect = "accept"};

static struct ekb_stage stage;
static struct ekb_record record;

static void set_up(void)
{
    record = (struct ekb_record){0};
    stage_fixture_init(&stage, 1, NUM_SLICES, NUM_WARMUP, 0);
    cr_assert_eq(ekb_series_create(&stage.client.tally->series, 3 * EKB_NS_PER_S, EKB_NS_PER_S),
                 EKB_OK);
    stage.client.tally->ended_ns = ekb_timeline_start(&stage.timeline, NUM_SLICES);
}

static void tear_down(void)
{
    ekb_stage_deinit(&stage);
    ekb_record_deinit(&record);
}

TestSuite(intervals, .init = set_up, .fini = tear_down, .timeout = 60);

static struct ekb_series_interval *interval(size_t index)
{
    return &stage.client.tally->series->intervals[index];
}

static void end_well(size_t index, uint64_t count, uint64_t latency_ns)
{
    interval(index)->accepted += count;
    for (uint64_t i = 0; i < count; i++) {
        ekb_hist_record(interval(index)->latency, latency_ns + i);
    }
}

static const struct ekb_record_series *add(void)
{
    cr_assert_eq(ekb_intervals_add(&record, &stage, "load"), EKB_OK);
    cr_assert_eq(record.num_series, 1u);
    return &record.series[0];
}

static void expect_steal(const struct ekb_record_interval *interval, double percent)
{
    cr_expect(interval->steal_percent.known);
    cr_expect_float_eq(interval->steal_percent.value, percent, 1e-9, "%g, not %g",
                       interval->steal_percent.value, percent);
}

Test(intervals, are_none_when_no_series_was_kept)
{
    ekb_series_destroy(stage.client.tally->series);
    stage.client.tally->series = NULL;

    cr_expect_eq(ekb_intervals_add(&record, &stage, "load"), EKB_OK);

    cr_expect_eq(record.num_series, 0u);
}

Test(intervals, have_counts_and_what_is_under_way)
{
    interval(0)->started = 100;
    interval(0)->failed = 3;
    interval(0)->dropped = 7;
    end_well(0, 90, 1000000);
    interval(1)->started = 50;
    interval(1)->rejected = 2;
    end_well(1, 45, 2000000);

    const struct ekb_record_series *series = add();

    cr_expect_str_eq(series->stage, "load");
    cr_expect_eq(series->interval_ns, EKB_NS_PER_S);
    cr_assert_eq(series->num_intervals, 3u, "%zu", series->num_intervals);
    const struct ekb_record_interval *first = &series->intervals[0];
    const struct ekb_record_interval *second = &series->intervals[1];
    cr_expect_eq(first->start_ns, 0u);
    cr_expect_eq(first->duration_ns, EKB_NS_PER_S);
    cr_expect_eq(first->started, 100u);
    cr_expect_eq(first->accepted, 90u);
    cr_expect_eq(first->failed, 3u);
    cr_expect_eq(first->dropped, 7u);
    cr_expect_eq(first->in_flight, 7u);
    cr_expect_eq(second->start_ns, EKB_NS_PER_S);
    cr_expect_eq(second->rejected, 2u);
    cr_expect_eq(second->in_flight, 10u);
    cr_expect_eq(series->intervals[2].in_flight, 10u);
}

// What too few samples say is unknown.
Test(intervals, have_percentiles_with_ten_samples_beyond)
{
    end_well(0, 19, 1000000);
    end_well(1, 20, 1000000);
    end_well(2, 1000, 1000000);

    const struct ekb_record_series *series = add();

    cr_expect(!series->intervals[0].p50_ns.known);
    cr_expect(series->intervals[0].max_ns.known);
    cr_expect_eq(series->intervals[0].max_ns.value, 1000018u);
    cr_expect(series->intervals[1].p50_ns.known);
    cr_expect(!series->intervals[1].p99_ns.known);
    cr_expect(series->intervals[2].p99_ns.known);
    cr_expect_leq(series->intervals[2].p99_ns.value, series->intervals[2].max_ns.value);
    cr_expect_geq(series->intervals[2].p99_ns.value, 1000000u);
}

Test(intervals, have_one_more_for_what_came_after_the_end)
{
    interval(2)->started = 10;
    end_well(3, 10, 1000000);
    stage.client.tally->ended_ns += 250 * EKB_NS_PER_MS;

    const struct ekb_record_series *series = add();

    cr_assert_eq(series->num_intervals, 4u, "%zu", series->num_intervals);
    cr_expect_eq(series->intervals[2].in_flight, 10u);
    cr_expect_eq(series->intervals[3].start_ns, 3 * EKB_NS_PER_S);
    cr_expect_eq(series->intervals[3].duration_ns, 250 * EKB_NS_PER_MS, "%" PRIu64,
                 series->intervals[3].duration_ns);
    cr_expect_eq(series->intervals[3].in_flight, 0u);
}

Test(intervals, end_with_the_stage_when_it_ends_early)
{
    interval(0)->started = 5;
    interval(1)->started = 6;
    stage.client.tally->ended_ns = stage.timeline.origin_ns + 1400 * EKB_NS_PER_MS;

    const struct ekb_record_series *series = add();

    cr_assert_eq(series->num_intervals, 2u, "%zu", series->num_intervals);
    cr_expect_eq(series->intervals[0].duration_ns, EKB_NS_PER_S);
    cr_expect_eq(series->intervals[1].duration_ns, 400 * EKB_NS_PER_MS);
}

// A worker that died has left no end, but what it counted.
Test(intervals, have_all_that_was_counted_when_no_end_is_known)
{
    interval(1)->started = 6;
    stage.client.tally->ended_ns = 0;

    const struct ekb_record_series *series = add();

    cr_assert_eq(series->num_intervals, 1u, "%zu", series->num_intervals);
    cr_expect_eq(series->intervals[0].start_ns, EKB_NS_PER_S);
    cr_expect_eq(series->intervals[0].duration_ns, EKB_NS_PER_S);
}

// Of ten slices each the mean, whatever the slices are for.
Test(intervals, have_the_steal_of_their_slices)
{
    for (size_t slice = 0; slice < 10; slice++) {
        stage.steal_by_slice[slice] = (double)slice;
    }
    stage.steal_by_slice[17] = 30;
    interval(2)->started = 10;
    end_well(3, 10, 1000000);
    stage.client.tally->ended_ns += 250 * EKB_NS_PER_MS;

    const struct ekb_record_series *series = add();

    cr_assert_eq(series->num_intervals, 4u);
    expect_steal(&series->intervals[0], 4.5);
    expect_steal(&series->intervals[1], 3.0);
    expect_steal(&series->intervals[2], 0.0);
    cr_expect(!series->intervals[3].steal_percent.known, "there is no slice after the end");
}

Test(intervals, weigh_the_steal_of_slices_by_the_time_in_common)
{
    stage.timeline.slice_ns = 800 * EKB_NS_PER_MS; // 0.8 s, then 0.2 s of another.
    stage.steal_by_slice[0] = 10;
    stage.steal_by_slice[1] = 20;
    stage.steal_by_slice[2] = 40;

    const struct ekb_record_series *series = add();

    expect_steal(&series->intervals[0], 12.0);
    expect_steal(&series->intervals[1], 28.0); // 0.6 s, 0.4 s.
}

// The slice that was under way was never looked at.
Test(intervals, have_the_steal_of_slices_that_were_over)
{
    interval(1)->started = 6;
    for (size_t slice = 0; slice < NUM_SLICES; slice++) {
        stage.steal_by_slice[slice] = slice < 14 ? 2 : 0;
    }
    stage.client.tally->ended_ns = stage.timeline.origin_ns + 1450 * EKB_NS_PER_MS;

    const struct ekb_record_series *series = add();

    cr_assert_eq(series->num_intervals, 2u, "%zu", series->num_intervals);
    expect_steal(&series->intervals[1], 2.0);
}

Test(intervals, have_no_steal_that_nobody_looked_at)
{
    stage.steal_known = false;

    const struct ekb_record_series *series = add();

    cr_assert_eq(series->num_intervals, 3u, "%zu", series->num_intervals);
    cr_expect(!series->intervals[0].steal_percent.known);
}

Test(intervals, are_part_of_what_is_assembled_of_a_stage)
{
    cr_assert_eq(ekb_assemble_stage(&record, &stage, &label, &arm_label), EKB_OK);

    cr_expect_not_null(ekb_record_find_series(&record, "load"));
    cr_expect_null(ekb_record_find_series(&record, "cost"));
}
