// What the parts of lab/capacity share: stages and trials (capacity_trial), and the stage of the
// variants (capacity_vary). capacity_judge has what only decides.

#ifndef EKUBENCH_SRC_LAB_CAPACITY_INTERNAL_H
#define EKUBENCH_SRC_LAB_CAPACITY_INTERNAL_H

#include "ekubench/lab/capacity.h"
#include "ekubench/lab/stores.h"
#include "lab/staging.h"

#include <stdbool.h>
#include <stdint.h>

#define CAPACITY_PROGRESS_LEN 96
// What a trial takes beside its duration: warming up, and its processes.
#define CAPACITY_WARMUP_NS (500 * EKB_NS_PER_MS)
#define CAPACITY_OVERHEAD_NS (CAPACITY_WARMUP_NS + 250 * EKB_NS_PER_MS)

struct capacity_run {
    const struct ekb_capacity_settings *settings;
    const struct ekb_session_control *control;
    struct ekb_capacity_lengths lengths;
    struct ekb_plan plan;      // Of one stage, which changes.
    struct ekb_stores *stores; // NULL: the server is not ours.
    uint64_t run_seed;
    uint32_t trial_in_flight; // What trials may have under way (capacity_make_room).
    uint64_t num_stages;      // So far; each has a seed of its own.
    uint64_t later_ns;        // What is still to come after the present stage, at most.
    // What is shown of it, by turns: a stage is known by the address of its name.
    char progress[2][CAPACITY_PROGRESS_LEN];
    // Trials in a row that were invalid because other work had the workers' CPUs.
    unsigned num_disturbed;
    bool interrupted;
};

// capacity_run_stage runs the plan's stage, seeded anew, and shows it as `progress`. Release both
// (free, ekb_stage_deinit), also after an error. `stores_of` (by arm, each NULL: the run's own)
// says where arms have their identities from, or is NULL.
EKB_NODISCARD enum ekb_err capacity_run_stage(struct capacity_run *run, struct ekb_stage *out_stage,
                                              struct ekb_staging **out_staging,
                                              struct ekb_stores *const *stores_of,
                                              struct ekb_fail *reterr_fail);

// capacity_workers returns how many workers a count means of which 0 counts as 1.
uint32_t capacity_workers(uint32_t count);

// capacity_show says what runs next.
void capacity_show(struct capacity_run *run, const char *format, ...) EKB_PRINTF(2, 3);

// capacity_assemble appends the stage that has run to `record`.
EKB_NODISCARD enum ekb_err capacity_assemble(const struct capacity_run *run,
                                             struct ekb_record *record,
                                             const struct ekb_stage *stage,
                                             const struct ekb_staging *staging,
                                             struct ekb_fail *reterr_fail);

// capacity_make_room chooses how many connections trials of up to `highest_per_s` (0: unknown yet)
// may have under way, and sees that this machine allows them. Errors of ekb_staging_look_ahead.
EKB_NODISCARD enum ekb_err capacity_make_room(struct capacity_run *run, struct ekb_record *record,
                                              double highest_per_s, struct ekb_fail *reterr_fail);

// capacity_find_ceiling runs closed loops with more and more in flight, whose stages go into
// `record`, and fills what its capacity says of the ceiling. EKB_DISTURBED if nothing was accepted.
EKB_NODISCARD enum ekb_err capacity_find_ceiling(struct capacity_run *run,
                                                 struct ekb_record *record,
                                                 struct ekb_fail *reterr_fail);

// capacity_run_trial runs `trial` and judges it. If it passes and `kept` is not NULL, its stage
// goes into that record, and so do the costs that it shows.
EKB_NODISCARD enum ekb_err capacity_run_trial(struct capacity_run *run,
                                              struct ekb_record_trial *trial,
                                              enum ekb_search_outcome *out_outcome,
                                              struct ekb_record *kept,
                                              struct ekb_fail *reterr_fail);

// capacity_last returns the last of `rows`, NULL if there is none.
const struct ekb_record_cpu *capacity_last(const struct ekb_record_cpu *rows, size_t num_rows);

// capacity_compare_variants runs the stage of the variants and fills their costs and what follows
// from them, and the cost of a rejected handshake.
EKB_NODISCARD enum ekb_err capacity_compare_variants(struct capacity_run *run,
                                                     struct ekb_record *record,
                                                     struct ekb_fail *reterr_fail);

#endif
