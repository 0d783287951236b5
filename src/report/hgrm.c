// HdrHistogram's percentile text. Its rows are those of the Java library: at least five for each
// halving of the distance to 100 %, values at the upper end of their bucket, here in microseconds.

#include "report/format_internal.h"

#include "ekubench/report/distribution.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

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
    const enum ekb_err err =
        ekb_report_distribution_find(&found, set->results[0].record, &set->choice, reterr_fail);
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
