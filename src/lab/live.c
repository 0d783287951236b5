#include "ekubench/lab/live.h"

#include "ekubench/base/clock.h"

#include <stdlib.h>

static struct ekb_hist *make_hist(void)
{
    void *memory = calloc(1, ekb_hist_coarse_size());
    return memory != NULL ? ekb_hist_init_coarse(memory) : NULL;
}

enum ekb_err ekb_live_init(struct ekb_live *live, uint64_t origin_ns)
{
    *live = (struct ekb_live){.origin_ns = origin_ns,
                              .begin_ns = origin_ns,
                              .hist_before = make_hist(),
                              .hist_now = make_hist(),
                              .hist_since = make_hist()};
    return live->hist_before != NULL && live->hist_now != NULL && live->hist_since != NULL
               ? EKB_OK
               : EKB_NOMEM;
}

void ekb_live_deinit(struct ekb_live *live)
{
    free(live->hist_before);
    free(live->hist_now);
    free(live->hist_since);
    *live = (struct ekb_live){0};
}

static struct ekb_live_second totals_of(const struct ekb_tally *const *tallies, size_t num_tallies)
{
    struct ekb_live_second totals = {0};
    for (size_t i = 0; i < num_tallies; i++) {
        for (size_t j = 0; j < tallies[i]->num_arms; j++) {
            const struct ekb_tally_arm *arm = &tallies[i]->arms[j];
            totals.completed += arm->accepted + arm->rejected;
            totals.failed += arm->failed;
            totals.dropped += arm->dropped;
        }
    }
    return totals;
}

// find_latencies puts into `hist_since` what has been recorded since the second began. Counts of
// the interval that goes on are read once: what they gain meanwhile is the next second's.
static void find_latencies(struct ekb_live *live, const struct ekb_tally *const *tallies,
                           size_t num_tallies, uint64_t now_ns)
{
    const size_t interval = ekb_series_index(tallies[0]->series, now_ns - live->origin_ns);
    for (size_t i = 0; i < num_tallies; i++) {
        const struct ekb_hist *hist = tallies[i]->series->intervals[interval].latency;
        if (i == 0) {
            ekb_hist_copy(live->hist_now, hist);
        } else {
            ekb_hist_merge(live->hist_now, hist);
        }
    }
    ekb_hist_copy(live->hist_since, live->hist_now);
    for (size_t i = 0; i < num_tallies; i++) {
        for (size_t j = live->interval; j < interval; j++) {
            ekb_hist_merge(live->hist_since, tallies[i]->series->intervals[j].latency);
        }
    }
    ekb_hist_subtract(live->hist_since, live->hist_before);

    struct ekb_hist *const before = live->hist_before;
    live->hist_before = live->hist_now;
    live->hist_now = before;
    live->interval = interval;
}

void ekb_live_look(struct ekb_live *live, const struct ekb_tally *const *tallies,
                   size_t num_tallies, uint64_t now_ns)
{
    if (now_ns < live->begin_ns + EKB_NS_PER_S) {
        return;
    }
    const struct ekb_live_second totals = totals_of(tallies, num_tallies);
    live->last = (struct ekb_live_second){.known = true,
                                          .length_ns = now_ns - live->begin_ns,
                                          .completed = totals.completed - live->before.completed,
                                          .failed = totals.failed - live->before.failed,
                                          .dropped = totals.dropped - live->before.dropped};
    live->before = totals;
    live->begin_ns = now_ns;
    if (num_tallies > 0 && tallies[0]->series != NULL) {
        find_latencies(live, tallies, num_tallies, now_ns);
        live->last.p50_ns = ekb_record_percentile(live->hist_since, 500);
        live->last.p99_ns = ekb_record_percentile(live->hist_since, 990);
        live->last.max_ns = (struct ekb_record_u64){.known = ekb_hist_count(live->hist_since) > 0,
                                                    .value = ekb_hist_max(live->hist_since)};
    }
}
