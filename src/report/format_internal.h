// The formats' writers, each in a file of its own. What they get is checked: at least one result,
// no more than the format holds.

#ifndef EKUBENCH_SRC_REPORT_FORMAT_INTERNAL_H
#define EKUBENCH_SRC_REPORT_FORMAT_INTERNAL_H

#include "ekubench/report/format.h"

typedef enum ekb_err report_write(FILE *out, const struct ekb_report_set *set,
                                  struct ekb_fail *reterr_fail);

report_write report_write_text;
report_write report_write_json;
report_write report_write_markdown;
report_write report_write_html;
report_write report_write_csv;
report_write report_write_hgrm;
report_write report_write_hlog;
report_write report_write_junit;
report_write report_write_github_benchmark;
report_write report_write_bencher;
report_write report_write_openmetrics;

#endif
