// The distributions of a record: those of its arms, by the names that they have in the file.

#ifndef EKUBENCH_REPORT_DISTRIBUTION_H
#define EKUBENCH_REPORT_DISTRIBUTION_H

#include "ekubench/base/err.h"
#include "ekubench/stat/hist.h"
#include "ekubench/stat/record.h"

#include <stdbool.h>
#include <stddef.h>

// Which distribution is meant.
struct ekb_report_choice {
    const char *arm;    // "cost/on-d1"; NULL: the only arm.
    const char *metric; // NULL: "latency_ns".
};

struct ekb_report_distribution {
    const struct ekb_record_arm *arm;
    const char *metric; // "latency_ns"; a string literal.
    const struct ekb_record_summary *summary;
    size_t next; // Where to look for the one after it.
};

// ekb_report_distribution_next overwrites `*distribution`, zeroed for the first call, with the next
// one of `record` that has a histogram. Of arms with the same stage and name, which only a damaged
// file has, the first is taken. False if there is none.
bool ekb_report_distribution_next(const struct ekb_record *record,
                                  struct ekb_report_distribution *distribution);

// ekb_report_distribution_find finds the one that `choice` means. EKB_USAGE, with a sentence, if
// there is none or it is not clear which.
EKB_NODISCARD enum ekb_err
ekb_report_distribution_find(struct ekb_report_distribution *out_distribution,
                             const struct ekb_record *record,
                             const struct ekb_report_choice *choice, struct ekb_fail *reterr_fail);

// ekb_report_distribution_name writes "cost.on-d1.latency_ns", a name that can be a file's and a
// tag: blanks, commas, "/" and "~" become "_", and so does a dot or a dash at the beginning. No
// other distribution of `record` has it: where another arm's name comes to the same, the later ones
// have a number behind theirs, "cost.x_y~2.latency_ns".
#define EKB_REPORT_DISTRIBUTION_NAME_LEN 160
const char *ekb_report_distribution_name(char out_name[EKB_REPORT_DISTRIBUTION_NAME_LEN],
                                         const struct ekb_record *record,
                                         const struct ekb_report_distribution *distribution);

// ekb_report_distribution_open returns its histogram, newly allocated; free it with `free`. NULL if
// there is no memory.
struct ekb_hist *ekb_report_distribution_open(const struct ekb_record_summary *summary);

#endif
