#include "ekubench/report/format.h"

#include "report/format_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct ekb_report_format formats[] = {
    {"text", "txt", "tables for a terminal; of several, their numbers side by side",
     EKB_REPORT_SEVERAL, report_write_text},
    {"json", "json", "the result itself, as this version writes it", EKB_REPORT_ONE_RESULT,
     report_write_json},
    {"markdown", "md", "a comment on a pull request", EKB_REPORT_SEVERAL, report_write_markdown},
    {"html", "html",
     "one page with plots (by gnuplot), to read offline or on paper; of several, side by side",
     EKB_REPORT_SEVERAL, report_write_html},
    {"csv", "csv", "a row for each arm and each block, for spreadsheets", EKB_REPORT_SEVERAL,
     report_write_csv},
    {"hgrm", "hgrm", "percentiles of one distribution, for HdrHistogram's plotter",
     EKB_REPORT_ONE_DISTRIBUTION, report_write_hgrm},
    {"hlog", "hlog", "all distributions, HdrHistogram's log, version 1.3, by tag",
     EKB_REPORT_ONE_RESULT, report_write_hlog},
    {"junit", "xml", "a test case for each gate and each effect, for CI", EKB_REPORT_SEVERAL,
     report_write_junit},
    {"github-benchmark", "json", "github-action-benchmark, customSmallerIsBetter",
     EKB_REPORT_ONE_RESULT, report_write_github_benchmark},
    {"bencher", "json", "Bencher Metric Format", EKB_REPORT_ONE_RESULT, report_write_bencher},
    {"openmetrics", "prom", "OpenMetrics text, for Prometheus and GitLab", EKB_REPORT_SEVERAL,
     report_write_openmetrics},
};
#define NUM_FORMATS (sizeof formats / sizeof formats[0])

const struct ekb_report_format *ekb_report_format_at(size_t index)
{
    return index < NUM_FORMATS ? &formats[index] : NULL;
}

const struct ekb_report_format *ekb_report_format_find(const char *name)
{
    for (size_t i = 0; i < NUM_FORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}

static enum ekb_err check(const struct ekb_report_format *format, const struct ekb_report_set *set,
                          struct ekb_fail *reterr_fail)
{
    if (set->num_results > 1 && format->breadth != EKB_REPORT_SEVERAL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "%s holds one result, not %zu: report each by itself", format->name,
                            set->num_results);
    }
    if (format->breadth != EKB_REPORT_ONE_DISTRIBUTION &&
        (set->choice.arm != NULL || set->choice.metric != NULL)) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "%s holds all arms: --arm and --metric have no effect", format->name);
    }
    return EKB_OK;
}

enum ekb_err ekb_report_format_write(char **out_text, const struct ekb_report_format *format,
                                     const struct ekb_report_set *set, struct ekb_fail *reterr_fail)
{
    assert(set->num_results > 0);
    char *text = NULL;
    size_t text_len = 0;
    enum ekb_err err = check(format, set, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    FILE *out = open_memstream(&text, &text_len);
    if (out == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "report");
    }
    err = format->write(out, set, reterr_fail);
    if (fclose(out) != 0 && err == EKB_OK) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "report");
    }
    if (err != EKB_OK) {
        free(text);
        return err;
    }
    *out_text = text;
    return EKB_OK;
}
