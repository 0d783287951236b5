// Floors: how far what was measured is from what cannot be avoided.

#ifndef EKUBENCH_LAB_FLOORS_H
#define EKUBENCH_LAB_FLOORS_H

#include "ekubench/base/err.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"

// ekb_floors_add fills the record's floors from the floor stage: the handshake in memory of its
// floor slices, the bare exchange of its TCP slices, and its arm 0, the same handshake over the
// loop. The engine tax is what is measured beyond the sum of the two, compared turn by turn.
// EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_floors_add(struct ekb_record *record, const struct ekb_stage *stage);

#endif
