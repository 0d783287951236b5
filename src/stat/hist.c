#include "ekubench/stat/hist.h"

#include "stat/hist_unpack.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <hdr/hdr_histogram.h>
#include <hdr/hdr_histogram_log.h>

// The library's own hdr_init allocates; here its struct and its counts lie in the caller's memory,
// so that a histogram can be in memory shared between processes.
struct ekb_hist {
    struct hdr_histogram hdr; // hdr.counts points to `counts` below.
    uint64_t num_clamped;
    int64_t counts[];
};

static struct hdr_histogram_bucket_config configure(int digits)
{
    struct hdr_histogram_bucket_config config = {0};
    const int rc = hdr_calculate_bucket_config(EKB_HIST_MIN_NS, EKB_HIST_MAX_NS, digits, &config);
    EKB_CHECK(rc == 0);
    return config;
}

static size_t size_of(const struct hdr_histogram_bucket_config *config)
{
    return sizeof(struct ekb_hist) + (size_t)config->counts_len * sizeof(int64_t);
}

size_t ekb_hist_size(void)
{
    const struct hdr_histogram_bucket_config config = configure(EKB_HIST_DIGITS);
    return size_of(&config);
}

size_t ekb_hist_coarse_size(void)
{
    const struct hdr_histogram_bucket_config config = configure(EKB_HIST_COARSE_DIGITS);
    return size_of(&config);
}

// init makes a histogram in `memory`, of which the counts are zero.
static struct ekb_hist *init(void *memory, struct hdr_histogram_bucket_config *config)
{
    struct ekb_hist *hist = memory;
    hdr_init_preallocated(&hist->hdr, config);
    hist->hdr.counts = hist->counts;
    hist->num_clamped = 0;
    return hist;
}

struct ekb_hist *ekb_hist_init(void *memory)
{
    assert(memory != NULL && (uintptr_t)memory % 16 == 0);
    struct hdr_histogram_bucket_config config = configure(EKB_HIST_DIGITS);

    // Zeroing also touches every page, so that recording never takes a first page fault.
    memset(memory, 0, size_of(&config));
    return init(memory, &config);
}

struct ekb_hist *ekb_hist_init_coarse(void *memory)
{
    assert(memory != NULL && (uintptr_t)memory % 16 == 0);
    struct hdr_histogram_bucket_config config = configure(EKB_HIST_COARSE_DIGITS);
    return init(memory, &config);
}

void ekb_hist_record(struct ekb_hist *hist, uint64_t value_ns)
{
    int64_t value = (int64_t)value_ns;
    if (value_ns > (uint64_t)EKB_HIST_MAX_NS) {
        value = EKB_HIST_MAX_NS;
        hist->num_clamped++;
    } else if (value_ns < (uint64_t)EKB_HIST_MIN_NS) {
        value = EKB_HIST_MIN_NS;
        hist->num_clamped++;
    }
    EKB_CHECK(hdr_record_value(&hist->hdr, value));
}

void ekb_hist_merge(struct ekb_hist *to, const struct ekb_hist *from)
{
    // hdr_add would record the lower end of each bucket again, which moves the minimum and the
    // maximum. All histograms here have the same buckets, so that counts can simply be added, and
    // the result is the same to the byte as if one histogram had recorded everything.
    assert(to != from);
    EKB_CHECK(to->hdr.counts_len == from->hdr.counts_len);
    for (int32_t i = 0; i < from->hdr.counts_len; i++) {
        to->counts[i] += from->counts[i];
    }
    to->hdr.total_count += from->hdr.total_count;
    if (from->hdr.min_value < to->hdr.min_value) {
        to->hdr.min_value = from->hdr.min_value;
    }
    if (from->hdr.max_value > to->hdr.max_value) {
        to->hdr.max_value = from->hdr.max_value;
    }
    to->num_clamped += from->num_clamped;
}

void ekb_hist_copy(struct ekb_hist *to, const struct ekb_hist *from)
{
    assert(to != from);
    EKB_CHECK(to->hdr.counts_len == from->hdr.counts_len);
    memcpy(to->counts, from->counts, (size_t)from->hdr.counts_len * sizeof from->counts[0]);
    to->hdr = from->hdr;
    to->hdr.counts = to->counts;
    to->num_clamped = from->num_clamped;
}

void ekb_hist_subtract(struct ekb_hist *to, const struct ekb_hist *from)
{
    assert(to != from);
    EKB_CHECK(to->hdr.counts_len == from->hdr.counts_len);
    for (int32_t i = 0; i < from->hdr.counts_len; i++) {
        to->counts[i] -= from->counts[i] < to->counts[i] ? from->counts[i] : to->counts[i];
    }
    hdr_reset_internal_counters(&to->hdr);
    to->num_clamped -= from->num_clamped < to->num_clamped ? from->num_clamped : to->num_clamped;
}

uint64_t ekb_hist_count(const struct ekb_hist *hist)
{
    return (uint64_t)hist->hdr.total_count;
}

uint64_t ekb_hist_num_clamped(const struct ekb_hist *hist)
{
    return hist->num_clamped;
}

uint64_t ekb_hist_max(const struct ekb_hist *hist)
{
    return (uint64_t)hist->hdr.max_value;
}

uint64_t ekb_hist_percentile(const struct ekb_hist *hist, double percentile)
{
    assert(percentile >= 0.0 && percentile <= 100.0);
    if (hist->hdr.total_count == 0) {
        return 0;
    }
    // The library answers percentile 0 with the lower end of the bucket, all others with the upper.
    const int64_t value = hdr_value_at_percentile(&hist->hdr, percentile);
    return (uint64_t)(hdr_next_non_equivalent_value(&hist->hdr, value) - 1);
}

enum ekb_err ekb_hist_encode(char **out_text, const struct ekb_hist *hist)
{
    // The library takes a histogram that is not const but only reads it; a copy of the head shares
    // the counts and needs no cast.
    struct hdr_histogram head = hist->hdr;
    char *text = NULL;
    const int rc = hdr_log_encode(&head, &text);
    if (rc != 0) {
        return rc == ENOMEM ? EKB_NOMEM : EKB_INTERNAL;
    }
    *out_text = text;
    return EKB_OK;
}

enum ekb_err ekb_hist_decode(struct ekb_hist *hist, const char *text)
{
    const struct ekb_hist_shape shape = {.lowest = hist->hdr.lowest_discernible_value,
                                         .highest = hist->hdr.highest_trackable_value,
                                         .digits = hist->hdr.significant_figures};
    const enum ekb_err err =
        ekb_hist_unpack(hist->counts, (size_t)hist->hdr.counts_len, &shape, text);
    if (err != EKB_OK) {
        memset(hist->counts, 0, (size_t)hist->hdr.counts_len * sizeof hist->counts[0]);
    }
    hdr_reset_internal_counters(&hist->hdr);
    // What was too long was counted at the end of the range, and not beyond it.
    if (hist->hdr.max_value > EKB_HIST_MAX_NS) {
        hist->hdr.max_value = EKB_HIST_MAX_NS;
    }
    hist->num_clamped = 0;
    return err;
}

bool ekb_hist_next_bucket(const struct ekb_hist *hist, struct ekb_hist_bucket *bucket)
{
    for (size_t i = bucket->next; i < (size_t)hist->hdr.counts_len; i++) {
        if (hist->counts[i] > 0) {
            const int64_t low = hdr_value_at_index(&hist->hdr, (int32_t)i);
            bucket->low_ns = (uint64_t)low;
            bucket->high_ns = (uint64_t)hdr_next_non_equivalent_value(&hist->hdr, low) - 1;
            bucket->count = (uint64_t)hist->counts[i];
            bucket->next = i + 1;
            return true;
        }
    }
    return false;
}
