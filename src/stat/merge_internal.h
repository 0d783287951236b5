// What the parts of stat/merge share.

#ifndef EKUBENCH_SRC_STAT_MERGE_INTERNAL_H
#define EKUBENCH_SRC_STAT_MERGE_INTERNAL_H

#include "ekubench/stat/merge.h"

#include <stdbool.h>

// Whether the parts ran at the same time, as one load of several generators.
enum merge_times {
    MERGE_APART,
    MERGE_TOGETHER,
};

// merge_check refuses parts that are not of one kind and plan. Of one load each part has its own
// share of what is in flight and of the rate.
EKB_NODISCARD enum ekb_err merge_check(const struct ekb_merge_part *parts, size_t num_parts,
                                       enum merge_times times, struct ekb_fail *reterr_fail);

// merge_add adds `more` to `*sum`. False, and nothing is changed, if that is more than a file can
// say.
bool merge_add(uint64_t *sum, uint64_t more);

// merge_higher sets `*to` to `from` if that is known, and higher than what is known of `*to`.
void merge_higher(struct ekb_record_real *to, const struct ekb_record_real *from);

// merge_arms adds the arms of `from` to those of `to`, which has the same ones. EKB_TOO_BIG,
// EKB_NOMEM.
EKB_NODISCARD enum ekb_err merge_arms(struct ekb_record *to, const struct ekb_record *from);

// merge_rates adds what is in flight, the rates and the course in time of another generator of the
// same load; merge_drop_rates forgets them, of parts that ran apart. EKB_TOO_BIG, EKB_NOMEM.
EKB_NODISCARD enum ekb_err merge_rates(struct ekb_record *to, const struct ekb_record *from);
void merge_drop_rates(struct ekb_record *record);

#endif
