// The main job: mint, fill the stores, run the stages of a plan, and give the record.

#ifndef EKUBENCH_LAB_MEASURE_H
#define EKUBENCH_LAB_MEASURE_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/session.h"
#include "ekubench/stat/record.h"

// ekb_measure_run runs `plan` and fills `*out_record` (release with ekb_record_deinit, also after
// an error; what was measured before the error is in it). Interrupted: EKB_OK, the record says so.
// Errors of the stages and stores.
EKB_NODISCARD enum ekb_err ekb_measure_run(struct ekb_record *out_record,
                                           const struct ekb_plan *plan,
                                           const struct ekb_session_control *control,
                                           struct ekb_fail *reterr_fail);

// ekb_measure_cross_check compares two independent measurements of one thing in a record and adds a
// note if they disagree: the throughput of the load stage against in flight / latency (Little's
// law).
void ekb_measure_cross_check(struct ekb_record *record);

#endif
