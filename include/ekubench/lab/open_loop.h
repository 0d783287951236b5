// What is to be said of an open loop beside what every stage has: how many were due, how late the
// generator was, what was dropped, and whether the load was the one that was planned.

#ifndef EKUBENCH_LAB_OPEN_LOOP_H
#define EKUBENCH_LAB_OPEN_LOOP_H

#include "ekubench/base/err.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"

// The generator is at fault when the 99th percentile of its lag is more than this share of that of
// latency, when its CPU is busier than this, or when it offered a rate that is off by more than
// this share and chance together.
#define EKB_OPEN_LOOP_MAX_LAG 0.1
#define EKB_OPEN_LOOP_MAX_BUSY_PERCENT 85.0
#define EKB_OPEN_LOOP_MAX_OFF 0.01

// ekb_open_loop_add completes the last stage of `record` and its arms, which ekb_assemble_stage has
// just appended, from the stage that `client` has run. The record is not clean when arrivals were
// dropped or the generator was at fault. Does nothing if the loop was closed. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_open_loop_add(struct ekb_record *record,
                                             const struct ekb_stage *stage,
                                             const struct ekb_client_options *client);

// ekb_open_loop_add_within is the same where latency is judged by an objective: lag is measured by
// `limit_ns` and not by the latency that there was, of which it is a part.
EKB_NODISCARD enum ekb_err ekb_open_loop_add_within(struct ekb_record *record,
                                                    const struct ekb_stage *stage,
                                                    const struct ekb_client_options *client,
                                                    uint64_t limit_ns);

#endif
