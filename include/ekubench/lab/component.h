// Components: what the parts of verification cost, timed where they happen.

#ifndef EKUBENCH_LAB_COMPONENT_H
#define EKUBENCH_LAB_COMPONENT_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"
#include "ekubench/stat/words.h"

// ekb_component_add appends the parts to `record`: each estimated over slices, with its interval.
// Nothing if the plan has no arm with timers. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_component_add(struct ekb_record *record,
                                             const struct ekb_plan_stage *plan,
                                             const struct ekb_stage *stage);

#endif
