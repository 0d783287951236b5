// The course of a stage: what its clients did in each interval of time (peer/series), as the result
// has it.

#ifndef EKUBENCH_LAB_INTERVALS_H
#define EKUBENCH_LAB_INTERVALS_H

#include "ekubench/base/err.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"

// ekb_intervals_add appends the series of `stage`, called `name`, to `record`, up to its end; what
// came after the planned one is a last interval of its own. The counts of all intervals add up to
// those of all arms. Nothing if no series was kept. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_intervals_add(struct ekb_record *record,
                                             const struct ekb_stage *stage, const char *name);

#endif
