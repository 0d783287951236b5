#include "ekubench/stat/record.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ekubench/base/utf8.h"

// A percentile is stated only if this many samples lie beyond it.
#define MIN_SAMPLES_BEYOND 10

// Of intervals of rates; the seed is that of all resampling of a result's levels.
#define RATE_CONFIDENCE 0.95
#define RATE_SEED UINT64_C(20240229)

void ekb_record_copy_text(char *out_text, size_t text_len, const char *text)
{
    (void)snprintf(out_text, text_len, "%s", text);
}

static void free_summary(struct ekb_record_summary *summary)
{
    free(summary->hdr);
}

static void free_outcomes(struct ekb_record_outcomes *outcomes)
{
    free(outcomes->failures.items);
    free(outcomes->alerts.items);
}

static void free_arm(struct ekb_record_arm *arm)
{
    free_outcomes(&arm->client);
    free_outcomes(&arm->server);
    free_summary(&arm->latency_ns);
    free_summary(&arm->uncorrected_latency_ns);
    free_summary(&arm->connect_ns);
    free_summary(&arm->server_cpu_ns);
    free_summary(&arm->verify_ns);
    free_summary(&arm->client_cpu_ns);
}

static void free_stage(struct ekb_record_stage *stage)
{
    free(stage->open_loop.stretches);
    free_summary(&stage->open_loop.lag_ns);
    free_summary(&stage->open_loop.dropped_wait_ns);
}

void ekb_record_deinit(struct ekb_record *record)
{
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        free_stage(&record->plan.stages[i]);
    }
    for (size_t i = 0; i < record->num_arms; i++) {
        free_arm(&record->arms[i]);
    }
    for (size_t i = 0; i < record->num_throughput; i++) {
        free(record->throughput[i].blocks);
    }
    for (size_t i = 0; i < record->num_series; i++) {
        free(record->series[i].intervals);
    }
    free_summary(&record->server_floor.memory_ns);
    free_summary(&record->client_floor.memory_ns);
    free(record->capacity.trials);
    free(record->capacity.ceilings);
    free(record->parts);
    free(record->plan.stages);
    free(record->arms);
    free(record->throughput);
    free(record->series);
    free(record->effects);
    free(record->blocks);
    free(record->server_cpu);
    free(record->client_cpu);
    memset(record, 0, sizeof *record);
}

static void add_line(char (*lines)[EKB_RECORD_LINE_LEN], size_t *num_lines, const char *format,
                     va_list args) EKB_PRINTF(3, 0);

static void add_line(char (*lines)[EKB_RECORD_LINE_LEN], size_t *num_lines, const char *format,
                     va_list args)
{
    if (*num_lines == EKB_RECORD_MAX_REASONS) {
        (void)snprintf(lines[EKB_RECORD_MAX_REASONS - 1], EKB_RECORD_LINE_LEN, "and more");
        return;
    }
    static const char cut[] = "...";
    char *line = lines[(*num_lines)++];
    if (vsnprintf(line, EKB_RECORD_LINE_LEN, format, args) >= EKB_RECORD_LINE_LEN) {
        const size_t len = ekb_utf8_cut(line, EKB_RECORD_LINE_LEN - sizeof cut);
        memcpy(line + len, cut, sizeof cut);
    }
}

void ekb_record_add_reason(struct ekb_record *record, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(record->reasons, &record->num_reasons, format, args);
    va_end(args);
}

void ekb_record_add_note(struct ekb_record *record, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(record->notes, &record->num_notes, format, args);
    va_end(args);
}

bool ekb_record_is_clean(const struct ekb_record *record)
{
    return record->num_reasons == 0;
}

// num_refused returns how many servers the clients of an arm have refused.
static uint64_t num_refused(const struct ekb_record_outcomes *client)
{
    uint64_t num = 0;
    for (size_t i = 0; i < client->failures.num_items; i++) {
        const struct ekb_record_count *failure = &client->failures.items[i];
        num += strncmp(failure->name, "verify_", strlen("verify_")) == 0 ? failure->count : 0;
    }
    return num;
}

uint64_t ekb_record_num_expected(const struct ekb_record_arm *arm)
{
    return strcmp(arm->expect, "accept") == 0   ? arm->client.accepted
           : strcmp(arm->expect, "reject") == 0 ? arm->client.rejected
                                                : num_refused(&arm->client);
}

const char *ekb_record_base_kind(const struct ekb_record *record)
{
    return record->num_parts > 0 ? record->parts[0].kind : record->kind;
}

enum ekb_err ekb_record_estimate_rate(struct ekb_record_throughput *row)
{
    double *rates = calloc(row->num_blocks + 1, sizeof rates[0]);
    if (rates == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < row->num_blocks; i++) {
        rates[i] = (double)row->blocks[i] * 1e9 / (double)row->block_ns;
    }
    row->interval_known = ekb_estimate_mean(&row->interval, rates, row->num_blocks, RATE_CONFIDENCE,
                                            RATE_SEED) == EKB_OK;
    free(rates);
    return EKB_OK;
}

enum ekb_err ekb_record_counts_add(struct ekb_record_counts *counts, const char *name,
                                   uint64_t count)
{
    if (count == 0) {
        return EKB_OK;
    }
    struct ekb_record_count added = {.count = count};
    (void)snprintf(added.name, sizeof added.name, "%s", name);
    for (size_t i = 0; i < counts->num_items; i++) {
        if (strcmp(counts->items[i].name, added.name) == 0) {
            counts->items[i].count += count;
            return EKB_OK;
        }
    }
    struct ekb_record_count *items =
        realloc(counts->items, (counts->num_items + 1) * sizeof *items);
    if (items == NULL) {
        return EKB_NOMEM;
    }
    items[counts->num_items] = added;
    counts->items = items;
    counts->num_items++;
    return EKB_OK;
}

struct ekb_record_u64 ekb_record_percentile(const struct ekb_hist *hist, unsigned permille)
{
    // Whole numbers: 20 samples are enough for p50, 100 for p90, 1000 for p99, 10000 for p999.
    if (ekb_hist_count(hist) < MIN_SAMPLES_BEYOND * 1000 / (1000 - permille)) {
        return (struct ekb_record_u64){0};
    }
    const uint64_t value = ekb_hist_percentile(hist, (double)permille / 10.0);
    const uint64_t max = ekb_hist_max(hist);
    return (struct ekb_record_u64){.known = true, .value = value < max ? value : max};
}

// percentile_of returns the percentile `permille` / 10 of `hist`. The histogram answers with the
// upper end of a bucket; the exact extremes cut it off, so that no percentile exceeds the maximum.
static struct ekb_record_u64 percentile_of(const struct ekb_hist *hist,
                                           const struct ekb_moments *moments, unsigned permille)
{
    struct ekb_record_u64 percentile = ekb_record_percentile(hist, permille);
    if (percentile.known && percentile.value > moments->max) {
        percentile.value = moments->max;
    }
    if (percentile.known && percentile.value < moments->min) {
        percentile.value = moments->min;
    }
    return percentile;
}

enum ekb_err ekb_record_summarize(struct ekb_record_summary *out_summary,
                                  const struct ekb_moments *moments, const struct ekb_hist *hist)
{
    struct ekb_record_summary summary = {.known = true, .moments = *moments};
    if (hist != NULL && ekb_hist_count(hist) > 0) {
        const enum ekb_err err = ekb_hist_encode(&summary.hdr, hist);
        if (err != EKB_OK) {
            return err;
        }
        summary.p50 = percentile_of(hist, moments, 500);
        summary.p90 = percentile_of(hist, moments, 900);
        summary.p99 = percentile_of(hist, moments, 990);
        summary.p999 = percentile_of(hist, moments, 999);
    }
    *out_summary = summary;
    return EKB_OK;
}

const struct ekb_record_arm *ekb_record_find_arm(const struct ekb_record *record, const char *stage,
                                                 const char *name)
{
    assert(stage != NULL && name != NULL);
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        if (strcmp(arm->stage, stage) == 0 && strcmp(arm->name, name) == 0) {
            return arm;
        }
    }
    return NULL;
}

const struct ekb_record_series *ekb_record_find_series(const struct ekb_record *record,
                                                       const char *stage)
{
    for (size_t i = 0; i < record->num_series; i++) {
        if (strcmp(record->series[i].stage, stage) == 0) {
            return &record->series[i];
        }
    }
    return NULL;
}

const struct ekb_record_cpu *ekb_record_find_cpu(const struct ekb_record_cpu *rows, size_t num_rows,
                                                 const char *stage)
{
    for (size_t i = 0; i < num_rows; i++) {
        if (strcmp(rows[i].stage, stage) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}
