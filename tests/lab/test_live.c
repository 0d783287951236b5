#include "ekubench/lab/live.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/rng.h"

#include <criterion/criterion.h>

#include <inttypes.h>

#define ORIGIN_NS UINT64_C(5000000000)
#define NUM_CLIENTS 2

static struct ekb_tally *tallies[NUM_CLIENTS];
static struct ekb_live live;

// Intervals of two seconds: seconds begin, end and go on within them.
static void set_up(void)
{
    for (size_t i = 0; i < NUM_CLIENTS; i++) {
        cr_assert_eq(ekb_tally_create(&tallies[i], 2, 1, 0), EKB_OK);
        cr_assert_eq(ekb_series_create(&tallies[i]->series, 10 * EKB_NS_PER_S, 2 * EKB_NS_PER_S),
                     EKB_OK);
    }
    cr_assert_eq(ekb_live_init(&live, ORIGIN_NS), EKB_OK);
}

static void tear_down(void)
{
    for (size_t i = 0; i < NUM_CLIENTS; i++) {
        ekb_tally_destroy(tallies[i]);
    }
    ekb_live_deinit(&live);
}

TestSuite(live, .init = set_up, .fini = tear_down, .timeout = 60);

static void look_at(uint64_t elapsed_ms)
{
    const struct ekb_tally *const all[NUM_CLIENTS] = {tallies[0], tallies[1]};
    ekb_live_look(&live, all, NUM_CLIENTS, ORIGIN_NS + elapsed_ms * EKB_NS_PER_MS);
}

static void end_well(size_t client, uint64_t elapsed_ms, uint64_t count, uint64_t latency_ns)
{
    tallies[client]->arms[client].accepted += count;
    for (uint64_t i = 0; i < count; i++) {
        ekb_hist_record(ekb_series_at(tallies[client]->series, elapsed_ms * EKB_NS_PER_MS)->latency,
                        latency_ns);
    }
}

static void expect_near(struct ekb_record_u64 value, double wanted)
{
    cr_assert(value.known);
    cr_expect((double)value.value >= wanted && (double)value.value <= 1.01 * wanted,
              "%" PRIu64 ", not %f", value.value, wanted);
}

Test(live, knows_nothing_until_a_second_is_over)
{
    end_well(0, 500, 100, 1000000);

    look_at(0);
    look_at(999);

    cr_expect(!live.last.known);
}

Test(live, has_what_all_clients_did_in_the_second)
{
    end_well(0, 100, 1000, 1000000);
    end_well(1, 200, 1500, 1000000);
    tallies[0]->arms[1].rejected = 7;
    tallies[1]->arms[0].failed = 3;
    tallies[1]->arms[0].dropped = 2;

    look_at(1100);

    cr_expect(live.last.known);
    cr_expect_eq(live.last.length_ns, 1100 * EKB_NS_PER_MS);
    cr_expect_eq(live.last.completed, 2507u);
    cr_expect_eq(live.last.failed, 3u);
    cr_expect_eq(live.last.dropped, 2u);
    expect_near(live.last.p50_ns, 1000000);
    expect_near(live.last.p99_ns, 1000000);
    expect_near(live.last.max_ns, 1000000);
}

// Not the mean since the start.
Test(live, has_the_last_second_only)
{
    end_well(0, 500, 5000, 1000000);
    tallies[0]->arms[0].failed = 100;
    look_at(1000);
    end_well(0, 1500, 2000, 30000000);
    look_at(1900);
    cr_expect_eq(live.last.failed, 100u);

    look_at(2000);

    cr_expect_eq(live.last.completed, 2000u);
    cr_expect_eq(live.last.failed, 0u);
    expect_near(live.last.p50_ns, 30000000);
    expect_near(live.last.max_ns, 30000000);
}

Test(live, has_latencies_across_the_end_of_an_interval)
{
    end_well(0, 900, 100, 1000000);
    look_at(1500);
    end_well(1, 1800, 30, 2000000);
    end_well(1, 2100, 60, 4000000);

    look_at(2500);

    cr_expect_eq(live.last.completed, 90u);
    expect_near(live.last.p50_ns, 4000000);
    cr_expect(!live.last.p99_ns.known);
    look_at(3500);
    cr_expect_eq(live.last.completed, 0u);
    cr_expect(!live.last.max_ns.known);
}

// All samples are in one second and none in two, whenever the looks come.
Test(live, has_every_sample_once)
{
    struct ekb_rng rng;
    uint64_t recorded = 0;
    uint64_t seen = 0;
    uint64_t samples_seen = 0;
    ekb_rng_init(&rng, 5);
    for (uint64_t ms = 0; ms < 12000; ms += 1 + ekb_rng_below(&rng, 400)) {
        const uint64_t count = ekb_rng_below(&rng, 50);
        const uint64_t begin_ns = live.begin_ns;
        end_well(ekb_rng_below(&rng, NUM_CLIENTS), ms, count, 1000000 + ms);
        recorded += count;

        look_at(ms);

        if (live.begin_ns != begin_ns) {
            seen += live.last.completed;
            samples_seen += ekb_hist_count(live.hist_since);
        }
    }
    look_at(20000);

    cr_expect_eq(seen + live.last.completed, recorded);
    cr_expect_eq(samples_seen + ekb_hist_count(live.hist_since), recorded);
}

Test(live, has_no_latency_without_a_series)
{
    for (size_t i = 0; i < NUM_CLIENTS; i++) {
        ekb_series_destroy(tallies[i]->series);
        tallies[i]->series = NULL;
        tallies[i]->arms[0].accepted = 4000;
    }

    look_at(1000);

    cr_expect_eq(live.last.completed, 8000u);
    cr_expect(!live.last.p50_ns.known);
    cr_expect(!live.last.max_ns.known);
}
