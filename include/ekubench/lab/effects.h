// Effects: the answers of the cost stage, as contrasts between arms with their intervals.

#ifndef EKUBENCH_LAB_EFFECTS_H
#define EKUBENCH_LAB_EFFECTS_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"

// The questions, as they stand in the result.
#define EKB_EFFECT_CONTROL "A/A control: the same treatment twice"
#define EKB_EFFECT_EKU "What does the EKU check cost?"
#define EKB_EFFECT_DEPTH "What does each extra certificate cost?"
#define EKB_EFFECT_LADDER "What does each rung of verification add?"
#define EKB_EFFECT_REJECT "What does a rejected client cost?"

// ekb_effects_add appends to `record` every contrast of the cost stage: paired by slice, in
// nanoseconds of server CPU per handshake, each with its 95 % interval, smallest detectable effect
// and verdict. If the 99 % interval of the A/A control excludes zero, the verdicts are withheld. A
// contrast with too few slices is left out. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_effects_add(struct ekb_record *record,
                                           const struct ekb_plan_stage *plan,
                                           const struct ekb_stage *stage);

// ekb_effects_add_floors fills the record's floors from the cost stage's floor slices and its arm
// 0, the same handshake over the loop.
EKB_NODISCARD enum ekb_err ekb_effects_add_floors(struct ekb_record *record,
                                                  const struct ekb_stage *stage);

#endif
