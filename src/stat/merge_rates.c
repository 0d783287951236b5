#include "stat/merge_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ekb_record_throughput *find_row(struct ekb_record *record,
                                              const struct ekb_record_throughput *like)
{
    for (size_t i = 0; i < record->num_throughput; i++) {
        struct ekb_record_throughput *row = &record->throughput[i];
        if (strcmp(row->stage, like->stage) == 0 && strcmp(row->arm, like->arm) == 0) {
            return row;
        }
    }
    return NULL;
}

double merge_rounded(double real)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.15g", real);
    return strtod(text, NULL);
}

// merge_row adds the blocks that both have: in the others not all generators ran.
static enum ekb_err merge_row(struct ekb_record_throughput *to,
                              const struct ekb_record_throughput *from,
                              struct ekb_fail *reterr_fail)
{
    const struct merge_place place = {"throughput", to->stage, reterr_fail};
    to->accepted_per_s = merge_rounded(to->accepted_per_s + from->accepted_per_s);
    to->num_blocks = from->num_blocks < to->num_blocks ? from->num_blocks : to->num_blocks;
    if (from->block_ns != to->block_ns || to->block_ns == 0) {
        to->num_blocks = 0;
    }
    for (size_t i = 0; i < to->num_blocks; i++) {
        const struct merge_sum block = {"blocks", &to->blocks[i], from->blocks[i]};
        const enum ekb_err err = merge_sums(&block, 1, &place);
        if (err != EKB_OK) {
            return err;
        }
    }
    return ekb_record_estimate_rate(to);
}

// merge_interval adds counts. Of percentiles there is no sum.
static enum ekb_err merge_interval(struct ekb_record_interval *to,
                                   const struct ekb_record_interval *from,
                                   const struct merge_place *place)
{
    const struct merge_sum sums[] = {
        {"started", &to->started, from->started},    {"accepted", &to->accepted, from->accepted},
        {"rejected", &to->rejected, from->rejected}, {"failed", &to->failed, from->failed},
        {"dropped", &to->dropped, from->dropped},    {"in_flight", &to->in_flight, from->in_flight},
    };
    to->duration_ns = from->duration_ns > to->duration_ns ? from->duration_ns : to->duration_ns;
    to->p50_ns = (struct ekb_record_u64){0};
    to->p99_ns = (struct ekb_record_u64){0};
    merge_higher_u64(&to->max_ns, &from->max_ns);
    merge_higher(&to->steal_percent, &from->steal_percent);
    return merge_sums(sums, sizeof sums / sizeof sums[0], place);
}

static enum ekb_err merge_series(struct ekb_record_series *to, const struct ekb_record_series *from,
                                 struct ekb_fail *reterr_fail)
{
    const struct merge_place place = {"series", to->stage, reterr_fail};
    enum ekb_err err = EKB_OK;
    if (from->num_intervals > to->num_intervals) {
        struct ekb_record_interval *intervals =
            realloc(to->intervals, from->num_intervals * sizeof intervals[0]);
        if (intervals == NULL) {
            return EKB_NOMEM;
        }
        for (size_t i = to->num_intervals; i < from->num_intervals; i++) {
            intervals[i] = (struct ekb_record_interval){.start_ns = from->intervals[i].start_ns};
        }
        to->intervals = intervals;
        to->num_intervals = from->num_intervals;
    }
    for (size_t i = 0; i < from->num_intervals && err == EKB_OK; i++) {
        err = merge_interval(&to->intervals[i], &from->intervals[i], &place);
    }
    return err;
}

static enum ekb_err merge_all_series(struct ekb_record *to, const struct ekb_record *from,
                                     struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    size_t num_kept = 0;
    for (size_t i = 0; i < to->num_series; i++) {
        struct ekb_record_series *series = &to->series[i];
        const struct ekb_record_series *other = ekb_record_find_series(from, series->stage);
        if (other == NULL || other->interval_ns != series->interval_ns) {
            free(series->intervals); // They have no time in common.
            continue;
        }
        to->series[num_kept] = *series;
        if (err == EKB_OK) {
            err = merge_series(&to->series[num_kept], other, reterr_fail);
        }
        num_kept++;
    }
    to->num_series = num_kept;
    return err;
}

// merge_load adds what a generator is to keep up.
static enum ekb_err merge_load(struct ekb_record_stage *to, const struct ekb_record_stage *from,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_record_open_loop *loop = &to->open_loop;
    const struct merge_place place = {"plan.stages", to->name, reterr_fail};
    const struct merge_sum sum = {"in_flight", &to->in_flight, from->in_flight};
    for (size_t i = 0; i < loop->num_stretches; i++) {
        struct ekb_record_stretch *stretch = &loop->stretches[i];
        const struct ekb_record_stretch *other = &from->open_loop.stretches[i];
        stretch->begin_per_s = merge_rounded(stretch->begin_per_s + other->begin_per_s);
        stretch->end_per_s = merge_rounded(stretch->end_per_s + other->end_per_s);
    }
    loop->planned_per_s = merge_rounded(loop->planned_per_s + from->open_loop.planned_per_s);
    loop->offered_per_s = merge_rounded(loop->offered_per_s + from->open_loop.offered_per_s);
    return merge_sums(&sum, 1, &place);
}

enum ekb_err merge_rates(struct ekb_record *to, const struct ekb_record *from,
                         struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < to->plan.num_stages && err == EKB_OK; i++) {
        err = merge_load(&to->plan.stages[i], &from->plan.stages[i], reterr_fail);
    }
    for (size_t i = 0; i < from->num_throughput && err == EKB_OK; i++) {
        struct ekb_record_throughput *row = find_row(to, &from->throughput[i]);
        err = row != NULL ? merge_row(row, &from->throughput[i], reterr_fail) : EKB_OK;
    }
    return err == EKB_OK ? merge_all_series(to, from, reterr_fail) : err;
}

void merge_drop_rates(struct ekb_record *record)
{
    for (size_t i = 0; i < record->num_throughput; i++) {
        free(record->throughput[i].blocks);
    }
    for (size_t i = 0; i < record->num_series; i++) {
        free(record->series[i].intervals);
    }
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        record->plan.stages[i].open_loop.offered_per_s = (double)NAN;
    }
    record->num_throughput = 0;
    record->num_series = 0;
}
