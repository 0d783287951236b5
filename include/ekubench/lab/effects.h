// Effects: the answers of the cost stage, as contrasts between arms with their intervals.

#ifndef EKUBENCH_LAB_EFFECTS_H
#define EKUBENCH_LAB_EFFECTS_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"
#include "ekubench/stat/verdict.h"
#include "ekubench/stat/words.h"

// A difference of less than this in CPU time per handshake matters to nobody: what "equivalent"
// means for the EKU check.
#define EKB_EFFECT_EQUIVALENCE_NS 2000.0

// Contrasts that answer the question of the EKU check together.
#define EKB_EFFECT_EKU_FAMILY 6

// ekb_effects_add appends to `record` every contrast of the cost stage, paired by slice
// (stat/verdict decides; a family is the contrasts that answer one question in one metric). If the
// 99 % interval of a metric's A/A control excludes zero, the verdicts in it are withheld and the
// record is not clean. A contrast with too few slices is left out. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_effects_add(struct ekb_record *record,
                                           const struct ekb_plan_stage *plan,
                                           const struct ekb_stage *stage);

// What describes a contrast in the result.
struct ekb_effect_label {
    const char *question;
    const char *contrast;
    const char *stage;
    const char *metric;
    const char *unit; // "ns", "bytes", "%"
    const char *method;
};

// ekb_effects_append appends a decided contrast with its verdict in words; nothing if it is not
// known. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_effects_append(struct ekb_record *record,
                                              const struct ekb_effect_label *label,
                                              const struct ekb_contrast *contrast);

#endif
