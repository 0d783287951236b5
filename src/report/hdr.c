// HdrHistogram's own formats: percentiles as text (.hgrm) and the log (.hlog), so that its tools
// read them.

#include "report/format_internal.h"

#include "ekubench/base/units.h"
#include "ekubench/report/distribution.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The percentile text. Its rows are those of the Java library: at least five for each halving of
// the distance to 100 %, values at the upper end of their bucket, here in microseconds.

#define TICKS 5
// Half of the last digit is rounded up there, and to the even one by printf.
#define ROUND_UP 1e-15
#define NS_PER_US 1e3

// next_level returns the percentile after `level`.
static double next_level(double level)
{
    // The library's way to say log2, so that rounding is the same.
    const double halvings = floor(log(100.0 / (100.0 - level)) / log(2)) + 1;
    return level + 100.0 / (TICKS * exp2(halvings));
}

static void write_percentiles(FILE *out, const struct ekb_hist *hist)
{
    const double total = (double)ekb_hist_count(hist);
    struct ekb_hist_bucket bucket = {0};
    uint64_t count = 0;
    double level = 0;
    while (ekb_hist_next_bucket(hist, &bucket)) {
        count += bucket.count;
        // A bucket that many levels fall into has a row for each of them, but for the last one:
        // nothing is beyond it.
        bool is_last = false;
        while (!is_last && 100.0 * (double)count / total >= level) {
            (void)fprintf(out, "%12.3f %2.12f %10llu %14.2f\n", (double)bucket.high_ns / NS_PER_US,
                          level / 100.0 + ROUND_UP, (unsigned long long)count,
                          1.0 / (1.0 - level / 100.0));
            level = next_level(level);
            is_last = count == ekb_hist_count(hist);
        }
    }
    if (count > 0) {
        (void)fprintf(out, "%12.3f %2.12f %10llu\n", (double)bucket.high_ns / NS_PER_US, 1.0,
                      (unsigned long long)count);
    }
}

enum ekb_err report_write_hgrm(FILE *out, const struct ekb_report_set *set,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_report_distribution found;
    const enum ekb_err err = ekb_report_distribution_find(&found, set->results[0].record, set->arm,
                                                          set->metric, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    struct ekb_hist *hist = ekb_report_distribution_open(found.summary);
    if (hist == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "report");
    }
    const struct ekb_moments *moments = &found.summary->moments;
    (void)fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                  "1/(1-Percentile)");
    write_percentiles(out, hist);
    (void)fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
                  ekb_moments_mean(moments) / NS_PER_US, ekb_moments_stddev(moments) / NS_PER_US);
    (void)fprintf(out, "#[Max     = %12.3f, Total count    = %12llu]\n",
                  (double)moments->max / NS_PER_US, (unsigned long long)moments->count);
    (void)fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", 26, 2048);
    free(hist);
    return EKB_OK;
}

// The log: one interval, the whole stage, for each distribution, told apart by tags.

// write_tag writes a name without what ends a tag.
static void write_tag(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        const bool ends = *at == ',' || isspace((unsigned char)*at) != 0;
        (void)fputc(ends ? '_' : *at, out);
    }
}

// start_of returns when the run began, in seconds since 1970, with its milliseconds; 0 if the
// result does not say.
static double start_of(const struct ekb_record *record)
{
    char seconds[sizeof record->started_at];
    int64_t whole = 0;
    const size_t len = strcspn(record->started_at, ".Z");
    (void)snprintf(seconds, sizeof seconds, "%.*sZ", (int)(len < 30 ? len : 30),
                   record->started_at);
    if (ekb_units_parse_time(&whole, seconds) != EKB_OK) {
        return 0;
    }
    const double part = record->started_at[len] == '.' ? strtod(record->started_at + len, NULL) : 0;
    return (double)whole + part;
}

static double seconds_of(const struct ekb_record *record, const char *stage)
{
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        if (strcmp(record->plan.stages[i].name, stage) == 0) {
            return (double)record->plan.stages[i].duration_ns / 1e9;
        }
    }
    return 0;
}

enum ekb_err report_write_hlog(FILE *out, const struct ekb_report_set *set,
                               struct ekb_fail *reterr_fail)
{
    const struct ekb_record *record = set->results[0].record;
    struct ekb_report_distribution distribution = {.arm = NULL};
    const double start = start_of(record);
    (void)reterr_fail;
    // A reader's line may have no more than 127 bytes here.
    (void)fprintf(out, "#[ekubench %.31s, %.15s; tags: stage.arm.metric; values in ns]\n",
                  record->build.version, record->kind);
    (void)fputs("#[Histogram log format version 1.3]\n", out);
    (void)fprintf(out, "#[StartTime: %.3f (seconds since epoch), %s]\n", start, record->started_at);
    (void)fprintf(out, "#[BaseTime: %.3f (seconds since epoch)]\n", start);
    (void)fputs("\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                "\"Interval_Compressed_Histogram\"\n",
                out);
    while (ekb_report_distribution_next(record, &distribution)) {
        (void)fputs("Tag=", out);
        write_tag(out, distribution.arm->stage);
        (void)fputc('.', out);
        write_tag(out, distribution.arm->name);
        (void)fprintf(out, ".%s,0.000,%.3f,%.3f,%s\n", distribution.metric,
                      seconds_of(record, distribution.arm->stage),
                      (double)distribution.summary->moments.max / 1e6, distribution.summary->hdr);
    }
    return EKB_OK;
}
