// The text report: a record as tables for people, at most 100 columns wide, in plain ASCII.

#ifndef EKUBENCH_REPORT_TEXT_H
#define EKUBENCH_REPORT_TEXT_H

#include "ekubench/base/err.h"
#include "ekubench/stat/record.h"

// ekb_report_text returns the report as a newly-allocated string; free it with `free`. A pure
// function of `record`: what is not known is left out or shown as "-", never guessed. No estimate
// without its interval where one is known, no percentile with fewer than ten samples beyond it.
// EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_report_text(char **out_text, const struct ekb_record *record);

#endif
