// What recording one sample costs: the exact moments alone, the histogram alone, both; and what a
// series costs a handshake: a start, a verdict and a latency, each with its interval looked up.

#include "bench.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/tally.h"
#include "ekubench/stat/hist.h"
#include "ekubench/stat/moments.h"

#include <stdio.h>
#include <stdlib.h>

#define NUM_SAMPLES 100000

enum {
    NOTHING,
    MOMENTS,
    HIST,
    BOTH,
    SERIES,
    NUM_ROWS
};

static const char *const names[NUM_ROWS] = {"empty loop", "moments", "histogram", "both", "series"};

// The times of a minute's handshakes.
#define MINUTE_NS (60 * EKB_NS_PER_S)
#define STEP_NS (MINUTE_NS / NUM_SAMPLES)

static void count_in_series(struct ekb_series *series, uint64_t started_ns, uint64_t latency_ns)
{
    ekb_series_at(series, started_ns)->started++;
    struct ekb_series_interval *interval = ekb_series_at(series, started_ns + latency_ns);
    interval->accepted++;
    ekb_hist_record(interval->latency, latency_ns);
}

static double run(int row, struct ekb_distribution *distribution, struct ekb_series *series,
                  const uint64_t *samples)
{
    uint64_t kept = 0;
    const uint64_t begin_ns = ekb_clock_now_ns();
    for (size_t i = 0; i < NUM_SAMPLES; i++) {
        if (row == MOMENTS) {
            ekb_moments_add(&distribution->moments, samples[i]);
        } else if (row == HIST) {
            ekb_hist_record(distribution->hist, samples[i]);
        } else if (row == BOTH) {
            ekb_distribution_add(distribution, samples[i]);
        } else if (row == SERIES) {
            count_in_series(series, i * STEP_NS, samples[i]);
        } else {
            // Keeps the compiler from dropping the loop.
            __asm__ volatile("" : "+r"(kept) : "r"(samples[i]));
        }
    }
    return (double)(ekb_clock_now_ns() - begin_ns) / NUM_SAMPLES;
}

int main(int argc, char **argv)
{
    static double spent[NUM_ROWS][BENCH_MAX_ROUNDS];
    const size_t num_rounds = bench_rounds(argc, argv, 50);
    uint64_t *samples = malloc(NUM_SAMPLES * sizeof samples[0]);
    void *memory = aligned_alloc(64, (ekb_hist_size() + 63) & ~(size_t)63);
    struct ekb_rng rng;
    struct ekb_series *series = NULL;
    if (samples == NULL || memory == NULL ||
        ekb_series_create(&series, MINUTE_NS, EKB_NS_PER_S) != EKB_OK) {
        return 3;
    }
    struct ekb_distribution distribution = {.hist = ekb_hist_init(memory)};
    ekb_rng_init(&rng, 1);
    for (size_t i = 0; i < NUM_SAMPLES; i++) {
        samples[i] = 150000 + ekb_rng_below(&rng, 100000);
    }
    for (size_t round = 0; round < num_rounds; round++) {
        uint16_t order[NUM_ROWS] = {NOTHING, MOMENTS, HIST, BOTH, SERIES};
        ekb_rng_shuffle(&rng, order, NUM_ROWS);
        for (size_t i = 0; i < NUM_ROWS; i++) {
            spent[order[i]][round] = run(order[i], &distribution, series, samples);
        }
    }
    (void)printf("recording one sample; ns, median over %zu rounds (least)\n", num_rounds);
    for (int row = 0; row < NUM_ROWS; row++) {
        const double median = bench_median(spent[row], num_rounds);
        (void)printf("%-12s %7.2f (%.2f)\n", names[row], median, spent[row][0]);
    }
    ekb_series_destroy(series);
    free(memory);
    free(samples);
    return 0;
}
