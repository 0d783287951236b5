// Capacity: how many handshakes a second the server takes while an objective is met.
//
// A closed loop gives the ceiling; a search (stat/search) runs open-loop trials below it, each a
// stage of its own; a longer one validates what was found. The server and the client are this
// machine's, on a CPU each; the client is the cheap one unless asked otherwise, so that it is not
// what ends the search.

#ifndef EKUBENCH_LAB_CAPACITY_H
#define EKUBENCH_LAB_CAPACITY_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/session.h"
#include "ekubench/stat/record.h"
#include "ekubench/stat/search.h"

#include <stdint.h>

struct ekb_capacity_objective {
    double percentile;      // Of latency from the planned start, of all that are due: above 0,
    uint64_t limit_ns;      // below 100. At most this.
    double max_error_share; // Of those due: failed, rejected or dropped.
};

struct ekb_capacity_settings {
    struct ekb_capacity_objective objective;
    struct ekb_plan_settings plan; // Seed, TLS version, key type, EKU mode, depth.
    bool full_client;
    double target_per_s; // For the projection; 0: none.
    uint64_t budget_ns;  // Of the trials.
};

// The rules that make a trial invalid, as for every open loop (lab/open_loop), with the lag
// measured by the objective's limit.
#define EKB_CAPACITY_MAX_LAG 0.1

// ekb_capacity_judge completes `trial`, whose counts, rates and shares are known, and of which
// `latency` has the latencies of those accepted: its latency at the objective's percentile, outcome
// and reason. Pure.
enum ekb_search_outcome ekb_capacity_judge(struct ekb_record_trial *trial,
                                           const struct ekb_hist *latency,
                                           const struct ekb_capacity_objective *objective);

// ekb_capacity_run runs the search and fills `*out_record` (release with ekb_record_deinit, also
// after an error). Interrupted: EKB_OK, the record says so. Errors of ekb_stores_create and
// ekb_stage_run; EKB_DISTURBED if not even the ceiling could be measured.
EKB_NODISCARD enum ekb_err ekb_capacity_run(struct ekb_record *out_record,
                                            const struct ekb_capacity_settings *settings,
                                            const struct ekb_session_control *control,
                                            struct ekb_fail *reterr_fail);

#endif
