// The formats in which results can be had: for people, for spreadsheets, for the tools of others.
// docs/formats.md describes each.
//
// A format is a pure function of what is in the files: no clock, no environment, no terminal. The
// same results give the same bytes; of HTML, if the same gnuplot draws its plots.

#ifndef EKUBENCH_REPORT_FORMAT_H
#define EKUBENCH_REPORT_FORMAT_H

#include "ekubench/base/err.h"
#include "ekubench/report/distribution.h"
#include "ekubench/stat/record.h"

#include <stddef.h>
#include <stdio.h>

// A result, and what it is called where there are several; one whose label another has before it
// gets a number behind it, "a (2)".
struct ekb_report_result {
    char *label; // UTF-8 without control characters.
    const struct ekb_record *record;
};

// What is to be reported. Records as they are read (ekb_record_from_json).
struct ekb_report_set {
    const struct ekb_report_result *results;
    size_t num_results;              // At least one.
    struct ekb_report_choice choice; // For formats that hold one distribution: which.
};

// How much a format can hold.
enum ekb_report_breadth {
    EKB_REPORT_SEVERAL,          // Results, side by side.
    EKB_REPORT_ONE_RESULT,       // One result.
    EKB_REPORT_ONE_DISTRIBUTION, // One distribution of one arm.
};

struct ekb_report_format {
    const char *name;      // "markdown"
    const char *extension; // Of its files, without the dot.
    const char *purpose;   // A line for --help.
    enum ekb_report_breadth breadth;
    // Writes all of `set`; what cannot be written to `out` is found by whoever opened it.
    enum ekb_err (*write)(FILE *out, const struct ekb_report_set *set,
                          struct ekb_fail *reterr_fail);
};

// ekb_report_format_at returns the formats by number, NULL beyond the last one;
// ekb_report_format_find the one called `name`, or NULL.
const struct ekb_report_format *ekb_report_format_at(size_t index);
const struct ekb_report_format *ekb_report_format_find(const char *name);

// ekb_report_format_write returns the report as a newly-allocated string; free it with `free`.
// EKB_USAGE, with a sentence, if the set is more than the format can hold, or has no such arm or
// metric; EKB_TOO_BIG; EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_report_format_write(char **out_text,
                                                   const struct ekb_report_format *format,
                                                   const struct ekb_report_set *set,
                                                   struct ekb_fail *reterr_fail);

#endif
