// Blocks: what EKU verification does to throughput and tail latency under load, where arms cannot
// run beside one another because they would share a queue.
//
// A block has one arm; four make a quadruple (peer/sequence), and the quadruple is the unit of
// replication.

#ifndef EKUBENCH_LAB_BLOCKS_H
#define EKUBENCH_LAB_BLOCKS_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"
#include "ekubench/stat/words.h"

// Differences smaller than these matter to nobody.
#define EKB_BLOCKS_EQUIVALENCE_WALL_PERCENT 2.0
#define EKB_BLOCKS_EQUIVALENCE_P99_PERCENT 5.0

// Quadruples without which nothing can be said (ekb_verdict_control_is_possible).
#define EKB_BLOCKS_MIN_QUADRUPLES 8

// ekb_blocks_size fits a stage of blocks, within the time that it has, or a fifth more if that
// gives EKB_BLOCKS_MIN_QUADRUPLES, to the rate at which handshakes can be accepted: the washout
// is 1.4 times and what is measured 1.05 times as long as thousands in flight take, so that what is
// measured began in its own block, and a whole wave of it. Notes in `record` if that leaves fewer
// quadruples than a verdict needs.
void ekb_blocks_size(struct ekb_plan_stage *plan, struct ekb_record *record, double rate_per_s);

// ekb_blocks_add appends to `record` a row for each block of the stage that was finished, and the
// contrast of the two treatments over quadruples, in wall time, tail latency and server CPU time,
// with its A/A control. A quadruple with a disturbed block (stat/check), or with one that has no
// handshakes of its own, is left out whole; when that are too many the record is not clean, nor
// when handshakes took longer than the washout. `seed` is that of the client's order. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_blocks_add(struct ekb_record *record,
                                          const struct ekb_plan_stage *plan,
                                          const struct ekb_stage *stage, uint64_t seed);

#endif
