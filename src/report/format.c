#include "ekubench/report/format.h"

#include "report/format_internal.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
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

static bool is_one_of(const struct ekb_report_result *results, size_t num_results,
                      const char *label)
{
    for (size_t i = 0; i < num_results; i++) {
        if (strcmp(results[i].label, label) == 0) {
            return true;
        }
    }
    return false;
}

// make_label returns the label of the set's result `index`, newly allocated: as it is given, or, if
// one of `made` has that already, with a number that none has. NULL: no memory.
static char *make_label(const struct ekb_report_set *set, const struct ekb_report_result *made,
                        size_t index)
{
    const char *given = set->results[index].label;
    char *label = strdup(given);
    bool is_taken = label != NULL && is_one_of(made, index, label);
    for (unsigned number = 2; is_taken; number++) {
        free(label);
        label = NULL;
        if (asprintf(&label, "%s (%u)", given, number) < 0) {
            return NULL;
        }
        is_taken =
            is_one_of(made, index, label) || is_one_of(set->results, set->num_results, label);
    }
    return label;
}

// write_labelled writes the set with a label of its own for each result, so that no two of them are
// taken for one: a path may have been given twice, or two of them look alike.
static enum ekb_err write_labelled(FILE *out, const struct ekb_report_format *format,
                                   const struct ekb_report_set *set, struct ekb_fail *reterr_fail)
{
    struct ekb_report_result *made = calloc(set->num_results, sizeof made[0]);
    enum ekb_err err = made != NULL ? EKB_OK : EKB_NOMEM;
    size_t num = 0;
    while (err == EKB_OK && num < set->num_results) {
        made[num] = (struct ekb_report_result){.label = make_label(set, made, num),
                                               .record = set->results[num].record};
        err = made[num].label != NULL ? EKB_OK : EKB_NOMEM;
        num += err == EKB_OK ? 1 : 0;
    }
    if (err == EKB_OK) {
        struct ekb_report_set labelled = *set;
        labelled.results = made;
        err = format->write(out, &labelled, reterr_fail);
    } else {
        err = ekb_fail_set(reterr_fail, err, 0, "report");
    }
    while (num > 0) {
        free(made[--num].label);
    }
    free(made);
    return err;
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
    err = write_labelled(out, format, set, reterr_fail);
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
