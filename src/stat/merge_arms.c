#include "stat/merge_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool merge_add(uint64_t *sum, uint64_t more)
{
    if (*sum > INT64_MAX || more > INT64_MAX - *sum) {
        return false;
    }
    *sum += more;
    return true;
}

static enum ekb_err refuse_sum(const char *name, const struct merge_place *place)
{
    return ekb_fail_say(place->fail, EKB_TOO_BIG,
                        "they do not merge: %s.%s.%s adds up to more than a result can say",
                        place->list, place->item, name);
}

enum ekb_err merge_sums(const struct merge_sum *sums, size_t num_sums,
                        const struct merge_place *place)
{
    for (size_t i = 0; i < num_sums; i++) {
        if (!merge_add(sums[i].to, sums[i].from)) {
            return refuse_sum(sums[i].name, place);
        }
    }
    return EKB_OK;
}

enum ekb_err merge_distribution(struct ekb_record_summary *to,
                                const struct ekb_record_summary *from, const char *name,
                                const struct merge_place *place)
{
    const enum ekb_err err = ekb_merge_summaries(to, from);
    return err == EKB_TOO_BIG ? refuse_sum(name, place) : err;
}

static struct ekb_hist *open_hist(const char *hdr)
{
    void *memory = aligned_alloc(16, (ekb_hist_size() + 15) / 16 * 16);
    struct ekb_hist *hist = memory != NULL ? ekb_hist_init(memory) : NULL;
    if (hist != NULL && hdr != NULL && ekb_hist_decode(hist, hdr) != EKB_OK) {
        free(memory);
        return NULL;
    }
    return hist;
}

// sum_of adds two histograms, of which an empty one may have no text. NULL: out of memory.
static struct ekb_hist *sum_of(const char *first, const char *second)
{
    struct ekb_hist *sum = open_hist(first);
    struct ekb_hist *more = open_hist(second);
    if (sum != NULL && more != NULL) {
        ekb_hist_merge(sum, more);
    } else {
        free(sum);
        sum = NULL;
    }
    free(more);
    return sum;
}

enum ekb_err ekb_merge_summaries(struct ekb_record_summary *to,
                                 const struct ekb_record_summary *from)
{
    struct ekb_moments moments = to->moments;
    struct ekb_record_summary merged = {0};
    uint64_t sum = moments.sum;
    uint64_t count = moments.count;
    const bool is_whole = (to->hdr != NULL || to->moments.count == 0) &&
                          (from->hdr != NULL || from->moments.count == 0);
    if (!from->known) {
        return EKB_OK;
    }
    if (!merge_add(&sum, from->moments.sum) || !merge_add(&count, from->moments.count)) {
        return EKB_TOO_BIG;
    }
    ekb_moments_merge(&moments, &from->moments);
    struct ekb_hist *hist = is_whole ? sum_of(to->hdr, from->hdr) : NULL;
    if (is_whole && hist == NULL) {
        return EKB_NOMEM;
    }
    const enum ekb_err err = ekb_record_summarize(&merged, &moments, hist);
    free(hist);
    if (err == EKB_OK) {
        free(to->hdr);
        *to = merged;
    }
    return err;
}

static enum ekb_err merge_counts(struct ekb_record_counts *to, const struct ekb_record_counts *from,
                                 const struct merge_place *place)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < from->num_items && err == EKB_OK; i++) {
        err = ekb_record_counts_add(to, from->items[i].name, from->items[i].count);
    }
    for (size_t i = 0; i < to->num_items && err == EKB_OK; i++) {
        err = to->items[i].count > INT64_MAX ? refuse_sum(to->items[i].name, place) : EKB_OK;
    }
    return err;
}

static enum ekb_err merge_outcomes(struct ekb_record_outcomes *to,
                                   const struct ekb_record_outcomes *from,
                                   const struct merge_place *place)
{
    const struct merge_sum sums[] = {
        {"started", &to->started, from->started},
        {"accepted", &to->accepted, from->accepted},
        {"rejected", &to->rejected, from->rejected},
        {"failed", &to->failed, from->failed},
        {"unfinished", &to->unfinished, from->unfinished},
        {"resumed", &to->resumed, from->resumed},
    };
    enum ekb_err err = merge_sums(sums, sizeof sums / sizeof sums[0], place);
    if (err == EKB_OK) {
        err = merge_counts(&to->failures, &from->failures, place);
    }
    return err == EKB_OK ? merge_counts(&to->alerts, &from->alerts, place) : err;
}

// total_of returns the whole number of bytes behind a mean: sums of bytes are far below what a
// double says exactly.
static double total_of(const struct ekb_record_real *mean, uint64_t count)
{
    return mean->known ? round(mean->value * (double)count) : 0;
}

// merge_mean merges the mean of `count` samples with that of `more` samples.
static void merge_mean(struct ekb_record_real *mean, uint64_t count,
                       const struct ekb_record_real *from, uint64_t more)
{
    const double total = total_of(mean, count) + total_of(from, more);
    const bool known = (mean->known || count == 0) && (from->known || more == 0);
    mean->known = known && count + more > 0;
    mean->value = mean->known ? total / (double)(count + more) : 0;
}

static uint64_t count_of(const struct ekb_record_summary *summary)
{
    return summary->known ? summary->moments.count : 0;
}

static enum ekb_err merge_arm(struct ekb_record_arm *to, const struct ekb_record_arm *from,
                              struct ekb_fail *reterr_fail)
{
    const struct {
        const char *name;
        struct ekb_record_summary *to;
        const struct ekb_record_summary *from;
    } rows[] = {
        {"latency_ns", &to->latency_ns, &from->latency_ns},
        {"uncorrected_latency_ns", &to->uncorrected_latency_ns, &from->uncorrected_latency_ns},
        {"connect_ns", &to->connect_ns, &from->connect_ns},
        {"server_cpu_ns", &to->server_cpu_ns, &from->server_cpu_ns},
        {"verify_ns", &to->verify_ns, &from->verify_ns},
        {"client_cpu_ns", &to->client_cpu_ns, &from->client_cpu_ns},
    };
    const struct merge_place place = {"arms", to->name, reterr_fail};
    const struct merge_sum dropped = {"dropped", &to->dropped, from->dropped};
    merge_mean(&to->client_sent_bytes, count_of(&to->client_cpu_ns), &from->client_sent_bytes,
               count_of(&from->client_cpu_ns));
    merge_mean(&to->server_sent_bytes, count_of(&to->server_cpu_ns), &from->server_sent_bytes,
               count_of(&from->server_cpu_ns));
    enum ekb_err err = merge_outcomes(&to->client, &from->client, &place);
    if (err == EKB_OK) {
        err = merge_outcomes(&to->server, &from->server, &place);
    }
    if (err == EKB_OK) {
        err = merge_sums(&dropped, 1, &place);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && err == EKB_OK; i++) {
        err = merge_distribution(rows[i].to, rows[i].from, rows[i].name, &place);
    }
    to->server_cpu_interval_known = false;
    to->client_cpu_interval_known = false;
    return err;
}

enum ekb_err merge_arms(struct ekb_record *to, const struct ekb_record *from,
                        struct ekb_fail *reterr_fail)
{
    assert(to->num_arms == from->num_arms);
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < to->num_arms && err == EKB_OK; i++) {
        err = merge_arm(&to->arms[i], &from->arms[i], reterr_fail);
    }
    return err;
}
