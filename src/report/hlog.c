// HdrHistogram's log: one interval, the whole stage, for each distribution, told apart by tags.

#include "report/format_internal.h"

#include "ekubench/base/units.h"
#include "ekubench/report/distribution.h"

#include <stdio.h>
#include <string.h>

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
    uint64_t start_ms = 0;
    (void)reterr_fail;
    if (ekb_units_parse_instant(&start_ms, record->started_at) != EKB_OK) {
        start_ms = 0; // The result does not say.
    }
    const double start = (double)start_ms / 1e3;
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
        char name[EKB_REPORT_DISTRIBUTION_NAME_LEN];
        (void)fprintf(out, "Tag=%s,0.000,%.3f,%.3f,%s\n",
                      ekb_report_distribution_name(name, record, &distribution),
                      seconds_of(record, distribution.arm->stage),
                      (double)distribution.summary->moments.max / 1e6, distribution.summary->hdr);
    }
    return EKB_OK;
}
