#include "ekubench/peer/series.h"

#include "ekubench/base/clock.h"

#include <sys/mman.h>

// What is mapped: this, the intervals, the histograms, each aligned to a line of the cache.
struct mapping {
    struct ekb_series series;
    size_t len;
};

static size_t aligned(size_t len)
{
    return (len + 63) & ~(size_t)63;
}

uint64_t ekb_series_interval_ns(uint64_t total_ns)
{
    const uint64_t longest_ns = EKB_SERIES_MAX_INTERVALS * EKB_NS_PER_S;
    return total_ns == 0 ? EKB_NS_PER_S : (total_ns - 1) / longest_ns * EKB_NS_PER_S + EKB_NS_PER_S;
}

enum ekb_err ekb_series_create(struct ekb_series **out_series, uint64_t total_ns,
                               uint64_t interval_ns)
{
    const size_t num_intervals = (size_t)((total_ns + interval_ns - 1) / interval_ns) + 1;
    const size_t hist_len = aligned(ekb_hist_coarse_size());
    const size_t intervals_at = aligned(sizeof(struct mapping));
    const size_t hists_at =
        intervals_at + aligned(num_intervals * sizeof(struct ekb_series_interval));
    const size_t len = hists_at + num_intervals * hist_len;

    uint8_t *memory =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return EKB_NOMEM;
    }
    struct mapping *mapping = (void *)memory;
    struct ekb_series_interval *intervals = (void *)(memory + intervals_at);
    for (size_t i = 0; i < num_intervals; i++) {
        intervals[i].latency = ekb_hist_init_coarse(memory + hists_at + i * hist_len);
    }
    mapping->series = (struct ekb_series){
        .interval_ns = interval_ns, .num_intervals = num_intervals, .intervals = intervals};
    mapping->len = len;
    *out_series = &mapping->series;
    return EKB_OK;
}

void ekb_series_destroy(struct ekb_series *series)
{
    if (series != NULL) {
        struct mapping *mapping = (void *)series;
        EKB_CHECK(munmap(mapping, mapping->len) == 0);
    }
}

size_t ekb_series_index(const struct ekb_series *series, uint64_t elapsed_ns)
{
    const uint64_t index = elapsed_ns / series->interval_ns;
    return index < series->num_intervals ? (size_t)index : series->num_intervals - 1;
}

struct ekb_series_interval *ekb_series_at(const struct ekb_series *series, uint64_t elapsed_ns)
{
    return &series->intervals[ekb_series_index(series, elapsed_ns)];
}

void ekb_series_merge(struct ekb_series *to, const struct ekb_series *from)
{
    EKB_CHECK(to->num_intervals == from->num_intervals && to->interval_ns == from->interval_ns);
    for (size_t i = 0; i < to->num_intervals; i++) {
        struct ekb_series_interval *interval = &to->intervals[i];
        const struct ekb_series_interval *other = &from->intervals[i];
        interval->started += other->started;
        interval->accepted += other->accepted;
        interval->rejected += other->rejected;
        interval->failed += other->failed;
        interval->dropped += other->dropped;
        // Most of what was not reached has no memory, and is to have none.
        if (ekb_hist_count(other->latency) > 0) {
            ekb_hist_merge(interval->latency, other->latency);
        }
    }
}
