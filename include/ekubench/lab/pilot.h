// The pilot: how much the machine scatters just now, measured on an A/A pair before the cost stage,
// and so how many slices that stage needs to find what the plan wants to be found.

#ifndef EKUBENCH_LAB_PILOT_H
#define EKUBENCH_LAB_PILOT_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"

// ekb_pilot_choose sets the number of slices of `cost` from a finished pilot stage: as many as find
// a difference of `resolve_ns` between two of its arms four times out of five (stat/power), within
// what it has (the plan's budget) and EKB_PILOT_MIN_SLICES; all it has if the pilot was disturbed.
// A note in `record` says what was chosen and what that finds. EKB_NOMEM.
#define EKB_PILOT_MIN_SLICES 48
EKB_NODISCARD enum ekb_err ekb_pilot_choose(struct ekb_plan_stage *cost, struct ekb_record *record,
                                            const struct ekb_stage *pilot, uint64_t resolve_ns);

#endif
