#include "ekubench/stat/backlog.h"

#include "ekubench/base/rng.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>

TestSuite(backlog, .timeout = 60);

static double uniform(struct ekb_rng *rng)
{
    return ((double)(ekb_rng_next(rng) >> 11) + 0.5) * 0x1p-53;
}

static double exponential(struct ekb_rng *rng, double mean)
{
    return -mean * log(uniform(rng));
}

enum service {
    CONSTANT,
    EXPONENTIAL
};

#define MU_PER_S 3000.0
#define WARMUP_S 0.5
#define LOOK_EVERY_S 0.1
#define MAX_LOOKS 20000
#define MAX_QUEUE 400000

// A queue of one server, looked at every 100 ms after a warm-up, as a trial does.
static size_t simulate(uint64_t *out_looks, double *out_due, struct ekb_rng *rng, double rho,
                       double duration_s, enum service service)
{
    const double end_s = WARMUP_S + duration_s;
    double *leaves_s = calloc(MAX_QUEUE, sizeof leaves_s[0]);
    cr_assert_not_null(leaves_s);
    size_t num = 0;
    size_t num_left = 0;
    size_t num_looks = 0;
    double free_s = 0;
    *out_due = 0;
    for (double now_s = exponential(rng, 1.0 / (rho * MU_PER_S)); now_s < end_s;
         now_s += exponential(rng, 1.0 / (rho * MU_PER_S))) {
        for (double look_s = WARMUP_S + (double)num_looks * LOOK_EVERY_S;
             look_s <= now_s && num_looks < MAX_LOOKS;
             look_s = WARMUP_S + (double)num_looks * LOOK_EVERY_S) {
            while (num_left < num && leaves_s[num_left] <= look_s) {
                num_left++;
            }
            out_looks[num_looks++] = num - num_left;
        }
        const double service_s =
            service == CONSTANT ? 1.0 / MU_PER_S : exponential(rng, 1.0 / MU_PER_S);
        free_s = fmax(free_s, now_s) + service_s;
        cr_assert_lt(num, (size_t)MAX_QUEUE);
        leaves_s[num++] = free_s;
        *out_due += now_s >= WARMUP_S ? 1 : 0;
    }
    free(leaves_s);
    return num_looks;
}

// share_that_grows returns of how many trials in a hundred the work in hand is found to grow.
static unsigned percent_that_grow(double rho, double duration_s, enum service service)
{
    static uint64_t looks[MAX_LOOKS];
    unsigned num = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct ekb_rng rng;
        struct ekb_backlog backlog;
        double due;
        ekb_rng_init(&rng, seed);
        const size_t num_looks = simulate(looks, &due, &rng, rho, duration_s, service);
        cr_assert(ekb_backlog_look(&backlog, looks, num_looks));
        num += ekb_backlog_grows(&backlog, due) ? 1 : 0;
    }
    return num;
}

Test(backlog, passes_a_load_that_is_sustained)
{
    static const double rhos[] = {0.3, 0.7, 0.9, 0.95};
    for (size_t i = 0; i < sizeof rhos / sizeof rhos[0]; i++) {
        for (double duration_s = 2; duration_s <= 10; duration_s += 4) {
            const unsigned constant = percent_that_grow(rhos[i], duration_s, CONSTANT);
            const unsigned scattered = percent_that_grow(rhos[i], duration_s, EXPONENTIAL);
            cr_expect_leq(constant, 1u, "rho %g, %g s: %u %%", rhos[i], duration_s, constant);
            cr_expect_leq(scattered, 2u, "rho %g, %g s: %u %%", rhos[i], duration_s, scattered);
        }
    }
}

// Two percent too many, 30,000 of them.
Test(backlog, finds_an_overload_given_enough_time)
{
    const unsigned constant = percent_that_grow(1.02, 10, CONSTANT);
    const unsigned scattered = percent_that_grow(1.02, 10, EXPONENTIAL);
    const unsigned scattered_long = percent_that_grow(1.02, 60, EXPONENTIAL);
    cr_expect_geq(constant, 90u, "%u %%", constant);
    cr_expect_geq(scattered, 80u, "%u %%", scattered);
    cr_expect_geq(scattered_long, 99u, "%u %%", scattered_long);
}

// A short trial finds a large one.
Test(backlog, finds_a_large_overload_soon)
{
    const unsigned constant = percent_that_grow(1.06, 2, CONSTANT);
    cr_expect_geq(constant, 95u, "%u %%", constant);
}

Test(backlog, heeds_the_middle_of_either_end)
{
    // A stall at the end, and one at the beginning.
    const uint64_t at_end[] = {3, 5, 4, 2, 6, 3, 4, 5, 900};
    const uint64_t at_begin[] = {900, 5, 4, 2, 6, 3, 400, 405, 410};
    struct ekb_backlog backlog;

    cr_assert(ekb_backlog_look(&backlog, at_end, 9));
    cr_expect_float_eq(backlog.begin, 4, 1e-12);
    cr_expect_float_eq(backlog.end, 5, 1e-12);
    cr_expect(!ekb_backlog_grows(&backlog, 1000));

    cr_assert(ekb_backlog_look(&backlog, at_begin, 9));
    cr_expect_float_eq(backlog.begin, 5, 1e-12);
    cr_expect_float_eq(backlog.end, 405, 1e-12);
    cr_expect(ekb_backlog_grows(&backlog, 1000));
}

Test(backlog, allows_what_chance_does)
{
    const struct ekb_backlog just = {.begin = 10, .end = 110};
    const struct ekb_backlog more = {.begin = 10, .end = 111};
    cr_expect(!ekb_backlog_grows(&just, 10000));
    cr_expect(ekb_backlog_grows(&more, 10000));
}

Test(backlog, needs_three_looks)
{
    const uint64_t looks[] = {1, 2, 3};
    struct ekb_backlog backlog = {.begin = -1};
    cr_expect(!ekb_backlog_look(&backlog, looks, 2));
    cr_expect_float_eq(backlog.begin, -1, 1e-12);
    cr_expect(ekb_backlog_look(&backlog, looks, 3));
    cr_expect_float_eq(backlog.end - backlog.begin, 2, 1e-12);
}

Test(backlog, takes_any_number_of_looks)
{
    static uint64_t looks[9001];
    struct ekb_backlog backlog;
    for (size_t i = 0; i < 9001; i++) {
        looks[i] = i;
    }
    for (size_t num = 3; num <= 9001; num += 857) {
        cr_assert(ekb_backlog_look(&backlog, looks, num));
        cr_expect_float_eq(backlog.end - backlog.begin, 2.0 * (double)num / 3.0,
                           0.02 * (double)num + 2, "%zu: %f to %f", num, backlog.begin,
                           backlog.end);
    }
}

// Ten seconds of 4,000/s tell 1.5 %.
Test(backlog, keeps_away_from_the_ceiling)
{
    cr_expect_float_eq(ekb_backlog_highest_per_s(4000, UINT64_C(10000000000)), 4000 * 0.985, 1e-6);
    cr_expect_float_eq(ekb_backlog_highest_per_s(10, UINT64_C(1000000000)), 5, 1e-9);
}
