#include "ekubench/lab/open_loop.h"

#include "support/stages.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/assemble.h"

#include <criterion/criterion.h>

#include <string.h>

// A second of warm-up and three measured, in slices of 100 ms; 1,000/s planned.
#define NUM_WARMUP 10
#define NUM_SLICES 40
#define PER_SLICE 100
#define NUM_DUE 3000
#define LATENCY_NS 3000000

static const struct ekb_pace_stretch stretches[] = {{EKB_NS_PER_S, 0, 1000},
                                                    {3 * EKB_NS_PER_S, 1000, 1000}};
static const struct ekb_record_stage label = {.name = "load",
                                              .shape = "open-loop",
                                              .in_flight = 50,
                                              .client = "full",
                                              .duration_ns = 3 * EKB_NS_PER_S};
static const struct ekb_record_arm arm_label = {
    .name = "load", .tls = "1.3", .verify = "full", .expect = "accept"};

static struct ekb_stage stage;
static struct ekb_record record;
static struct ekb_client_options client;

static void set_up(void)
{
    record = (struct ekb_record){0};
    client = (struct ekb_client_options){.num_arms = 1,
                                         .in_flight = 50,
                                         .stretches = stretches,
                                         .num_stretches = 2,
                                         .arrivals = EKB_ARRIVALS_POISSON};
    stage_fixture_init(&stage, 1, NUM_SLICES, NUM_WARMUP, 0);
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        stage_fixture_accept(&stage, 0, slice, PER_SLICE, LATENCY_NS / STAGE_FIXTURE_LATENCY);
        // 80 % busy.
        stage_fixture_use_cpu(&stage.client, slice, STAGE_FIXTURE_SLICE_NS / 10 * 8);
    }
    stage.client.tally->ended_ns = ekb_timeline_start(&stage.timeline, NUM_SLICES);
}

static void tear_down(void)
{
    ekb_stage_deinit(&stage);
    ekb_record_deinit(&record);
}

TestSuite(open_loop, .init = set_up, .fini = tear_down, .timeout = 60);

static void add_lags(uint64_t count, uint64_t lag_ns)
{
    for (uint64_t i = 0; i < count; i++) {
        ekb_distribution_add(&stage.client.tally->lag, lag_ns);
        ekb_distribution_add(&stage.client.tally->arms[0].uncorrected, LATENCY_NS - lag_ns);
    }
}

static void add_drops(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        ekb_distribution_add(&stage.client.tally->dropped_wait, 1000000);
    }
    stage.client.tally->arms[0].dropped = count;
}

static const struct ekb_record_open_loop *add(void)
{
    cr_assert_eq(ekb_assemble_stage(&record, &stage, &label, &arm_label), EKB_OK);
    cr_assert_eq(ekb_open_loop_add(&record, &stage, &client), EKB_OK);
    return &record.plan.stages[0].open_loop;
}

static void expect_reason(const char *part)
{
    cr_assert_eq(record.num_reasons, 1u, "%zu: %s", record.num_reasons, record.reasons[0]);
    cr_expect_not_null(strstr(record.reasons[0], part), "no \"%s\" in: %s", part,
                       record.reasons[0]);
}

Test(open_loop, is_described_with_its_rates)
{
    add_lags(NUM_DUE, 100000);

    const struct ekb_record_open_loop *loop = add();

    cr_assert(loop->known);
    cr_expect_str_eq(loop->arrivals, "poisson");
    cr_expect_eq(loop->num_stretches, 2u);
    cr_expect_float_eq(loop->stretches[0].end_per_s, 1000, 1e-9);
    cr_expect_float_eq(loop->planned_per_s, 1000, 1e-6, "%f", loop->planned_per_s);
    cr_expect_float_eq(loop->offered_per_s, 1000, 1e-6, "%f", loop->offered_per_s);
    cr_expect_eq(loop->lag_ns.moments.count, (uint64_t)NUM_DUE);
    cr_expect(!loop->dropped_wait_ns.known);
    cr_expect_eq(record.arms[0].uncorrected_latency_ns.moments.max, LATENCY_NS - 100000u);
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

Test(open_loop, says_nothing_when_it_is_closed)
{
    client.stretches = NULL;

    const struct ekb_record_open_loop *loop = add();

    cr_expect(!loop->known);
    cr_expect(!record.arms[0].uncorrected_latency_ns.known);
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

// What was dropped was offered.
Test(open_loop, is_not_clean_when_arrivals_were_dropped)
{
    add_lags(NUM_DUE - 500, 100000);
    add_drops(500);

    const struct ekb_record_open_loop *loop = add();

    cr_expect_float_eq(loop->offered_per_s, 1000, 1e-6, "%f", loop->offered_per_s);
    cr_expect_eq(loop->dropped_wait_ns.moments.count, 500u);
    cr_expect_eq(record.arms[0].dropped, 500u);
    expect_reason("500 of 4500 arrivals found all 50 connections under way");
}

// A percent and four standard deviations: 30 + 219 of 3,000.
Test(open_loop, is_not_clean_when_another_rate_was_offered)
{
    static const struct {
        uint64_t offered;
        bool clean;
    } rows[] = {{NUM_DUE - 245, true},
                {NUM_DUE + 245, true},
                {NUM_DUE - 255, false},
                {NUM_DUE + 255, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tear_down();
        set_up();
        add_lags(rows[i].offered, 100000);
        (void)add();
        if (rows[i].clean) {
            cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
        } else {
            expect_reason("where 1000.0/s were planned");
        }
    }
}

// Ended by count, or by the user: what was not offered was not wanted.
Test(open_loop, does_not_miss_what_was_ended_early)
{
    add_lags(1000, 100000);
    stage.client.tally->ended_ns = ekb_timeline_start(&stage.timeline, 30);

    const struct ekb_record_open_loop *loop = add();

    cr_expect_float_eq(loop->planned_per_s, 1000, 1e-6, "%f", loop->planned_per_s);
    cr_expect_float_eq(loop->offered_per_s, 500, 1e-6, "%f", loop->offered_per_s);
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

Test(open_loop, is_not_clean_when_the_client_was_late)
{
    add_lags(NUM_DUE, 290000);
    (void)add();
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
    tear_down();
    set_up();

    add_lags(NUM_DUE, 310000);
    (void)add();
    expect_reason("the client was late");
    tear_down();
    set_up();

    // By an objective of 5 ms it was not.
    add_lags(NUM_DUE, 310000);
    cr_assert_eq(ekb_assemble_stage(&record, &stage, &label, &arm_label), EKB_OK);
    cr_assert_eq(ekb_open_loop_add_within(&record, &stage, &client, 5 * EKB_NS_PER_MS), EKB_OK);
    cr_expect_eq(record.num_reasons, 0u, "%s", record.reasons[0]);
}

Test(open_loop, is_not_clean_when_the_clients_cpu_is_full)
{
    add_lags(NUM_DUE, 100000);
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        stage_fixture_use_cpu(&stage.client, slice, STAGE_FIXTURE_SLICE_NS / 100 * 86);
    }

    (void)add();

    expect_reason("CPU was 86 % busy");
}
