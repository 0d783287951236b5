// Capacity: how many handshakes a second the server takes while an objective is met.
//
// Closed loops give the ceiling; a search (stat/search) runs open-loop trials below it, each a
// stage of its own with a seed of its own; longer ones (stat/validation) have the last word. The
// server is this machine's, on CPUs of its own, or somebody else's. Of ours, the client is the
// cheap one unless asked otherwise, so that it is not what ends the search. Variants of the
// treatment are measured side by side afterwards (lab/variants).

#ifndef EKUBENCH_LAB_CAPACITY_H
#define EKUBENCH_LAB_CAPACITY_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/session.h"
#include "ekubench/lab/variants.h"
#include "ekubench/peer/client.h"
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
    struct ekb_plan_settings plan; // Seed, TLS version, key type, EKU mode, depth, workers.
    // A link of a deployment, in the place of what `plan` says of key and depth (lab/workload), and
    // what that is called; borrowed. NULL: there is none.
    const struct ekb_plan_arm *arm;
    const char *scenario;
    const char *release;
    bool full_client;
    // A server that is not ours: of `plan` the seed and the client
    // workers count then, and there is nothing to vary.
    const char *target_text; // As the user wrote it; NULL: the server is ours.
    struct ekb_client_arm target;
    enum ekb_confirm confirm;
    double target_per_s; // For the projection; 0: none.
    uint64_t budget_ns;  // Of the search's trials; how long they are follows from it.
    struct ekb_variant variants[EKB_RECORD_MAX_VARIANTS - 1];
    size_t num_variants;
    bool vary_search; // Search for each of them.
    // Of the load that the target will have, from 0 to below 1: projected.
    double reject_share; // Clients without the EKU.
    double resume_share; // Of those accepted.
};

// The rules that make a trial invalid, as for every open loop (lab/open_loop), with the lag
// measured by the objective's limit, or by the latency where that is longer.
#define EKB_CAPACITY_MAX_LAG 0.1

// A validation that fails takes the rate back by this share: less than the bounds are apart, so
// that the answer is not far below the truth when it was chance. There are so many validations at
// least, if they are needed, when the search has used up its budget.
#define EKB_CAPACITY_RETREAT 0.015
#define EKB_CAPACITY_VALIDATIONS 4

// ekb_capacity_judge completes `trial`, whose counts, rates and shares are known, and of which
// `latency` has the latencies of those accepted: its latency at the objective's percentile, outcome
// and reason. A trial fails when the work in hand grows (stat/backlog), whatever the objective.
// Pure.
enum ekb_search_outcome ekb_capacity_judge(struct ekb_record_trial *trial,
                                           const struct ekb_hist *latency,
                                           const struct ekb_capacity_objective *objective);

// ekb_capacity_trial_seed returns the seed of trial `number` of a run: another for each. Below
// 2^53. Pure.
uint64_t ekb_capacity_trial_seed(uint64_t run_seed, uint64_t number);

// ekb_capacity_more_in_flight returns how many in flight the next closed loop tries for the
// ceiling, after one with `in_flight` that accepted `accepted_per_s`, and before it `best_per_s` at
// best (0: it was the first): four times as many; 0 if the rate has not risen by 2 %, or if so many
// might take too long. `is_busy`: a side was seen to be busy all the time, so that more cannot do
// much. Pure.
uint32_t ekb_capacity_more_in_flight(uint32_t in_flight, double accepted_per_s, double best_per_s,
                                     bool is_busy);

// How long stages are measured: an hour's budget is no reason for trials longer than these.
struct ekb_capacity_lengths {
    uint64_t ceiling_ns;    // 3 s,
    uint64_t short_ns;      // 2 s,
    uint64_t long_ns;       // 6 s,
    uint64_t validation_ns; // 10 s,
    uint64_t variants_ns;   // 10 s from two minutes on; less of less.
};
struct ekb_capacity_lengths ekb_capacity_choose_lengths(uint64_t budget_ns);

// ekb_capacity_note_invalid notes in `record` when half of the search's trials or more were
// invalid: why its bounds are apart. Pure.
void ekb_capacity_note_invalid(struct ekb_record *record);

// ekb_capacity_project fills what is projected for the target and for the mix of loads, and what
// limits, from what was measured: nothing without a validation. Pure.
void ekb_capacity_project(struct ekb_record_capacity *capacity, double target_per_s);

// ekb_capacity_run runs the search and fills `*out_record` (release with ekb_record_deinit, also
// after an error). Interrupted: EKB_OK, the record says so. Errors of ekb_stores_create,
// ekb_client_check and ekb_stage_run; EKB_DISTURBED if not even the ceiling could be measured.
EKB_NODISCARD enum ekb_err ekb_capacity_run(struct ekb_record *out_record,
                                            const struct ekb_capacity_settings *settings,
                                            const struct ekb_session_control *control,
                                            struct ekb_fail *reterr_fail);

#endif
