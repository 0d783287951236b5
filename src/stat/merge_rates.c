#include "stat/merge_internal.h"

#include <math.h>
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

// merge_row adds the blocks that both have: in the others not all generators ran.
static enum ekb_err merge_row(struct ekb_record_throughput *to,
                              const struct ekb_record_throughput *from)
{
    to->accepted_per_s += from->accepted_per_s;
    to->num_blocks = from->num_blocks < to->num_blocks ? from->num_blocks : to->num_blocks;
    if (from->block_ns != to->block_ns || to->block_ns == 0) {
        to->num_blocks = 0;
    }
    for (size_t i = 0; i < to->num_blocks; i++) {
        if (!merge_add(&to->blocks[i], from->blocks[i])) {
            return EKB_TOO_BIG;
        }
    }
    return ekb_record_estimate_rate(to);
}

static void take_highest(struct ekb_record_u64 *to, const struct ekb_record_u64 *from)
{
    if (from->known && (!to->known || from->value > to->value)) {
        *to = *from;
    }
}

// merge_interval adds counts. Of percentiles there is no sum.
static bool merge_interval(struct ekb_record_interval *to, const struct ekb_record_interval *from)
{
    to->duration_ns = from->duration_ns > to->duration_ns ? from->duration_ns : to->duration_ns;
    to->p50_ns = (struct ekb_record_u64){0};
    to->p99_ns = (struct ekb_record_u64){0};
    take_highest(&to->max_ns, &from->max_ns);
    merge_higher(&to->steal_percent, &from->steal_percent);
    return merge_add(&to->started, from->started) && merge_add(&to->accepted, from->accepted) &&
           merge_add(&to->rejected, from->rejected) && merge_add(&to->failed, from->failed) &&
           merge_add(&to->dropped, from->dropped) && merge_add(&to->in_flight, from->in_flight);
}

static enum ekb_err merge_series(struct ekb_record_series *to, const struct ekb_record_series *from)
{
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
    for (size_t i = 0; i < from->num_intervals; i++) {
        if (!merge_interval(&to->intervals[i], &from->intervals[i])) {
            return EKB_TOO_BIG;
        }
    }
    return EKB_OK;
}

static enum ekb_err merge_all_series(struct ekb_record *to, const struct ekb_record *from)
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
            err = merge_series(&to->series[num_kept], other);
        }
        num_kept++;
    }
    to->num_series = num_kept;
    return err;
}

// merge_load adds what a generator is to keep up.
static bool merge_load(struct ekb_record_stage *to, const struct ekb_record_stage *from)
{
    struct ekb_record_open_loop *loop = &to->open_loop;
    for (size_t i = 0; i < loop->num_stretches; i++) {
        loop->stretches[i].begin_per_s += from->open_loop.stretches[i].begin_per_s;
        loop->stretches[i].end_per_s += from->open_loop.stretches[i].end_per_s;
    }
    loop->planned_per_s += from->open_loop.planned_per_s;
    loop->offered_per_s += from->open_loop.offered_per_s;
    return merge_add(&to->in_flight, from->in_flight);
}

enum ekb_err merge_rates(struct ekb_record *to, const struct ekb_record *from)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < to->plan.num_stages && err == EKB_OK; i++) {
        err = merge_load(&to->plan.stages[i], &from->plan.stages[i]) ? EKB_OK : EKB_TOO_BIG;
    }
    for (size_t i = 0; i < from->num_throughput && err == EKB_OK; i++) {
        struct ekb_record_throughput *row = find_row(to, &from->throughput[i]);
        err = row != NULL ? merge_row(row, &from->throughput[i]) : EKB_OK;
    }
    return err == EKB_OK ? merge_all_series(to, from) : err;
}

void merge_drop_rates(struct ekb_record *record)
{
    for (size_t i = 0; i < record->num_throughput; i++) {
        free(record->throughput[i].blocks);
    }
    for (size_t i = 0; i < record->num_series; i++) {
        free(record->series[i].intervals);
    }
    record->num_throughput = 0;
    record->num_series = 0;
}
