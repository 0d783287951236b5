// Several results as one, exactly: counts of histograms add, sums add, extremes are the extremes;
// percentiles are then read from the whole. Nothing is averaged: what cannot be computed from what
// the parts have is unknown, and a note says so.
//
// Results of `load` that ran at the same time (the last began within a tenth of the shortest one's
// measured time after the first) are one load, of several generators: what is in flight, the rates
// and the course in time add. Of any others only what does not depend on when it was is merged;
// memory and connections are the highest.

#ifndef EKUBENCH_STAT_MERGE_H
#define EKUBENCH_STAT_MERGE_H

#include "ekubench/base/err.h"
#include "ekubench/stat/record.h"

#include <stddef.h>

// A result to be merged, and what it is called in messages.
struct ekb_merge_part {
    const char *label;
    const struct ekb_record *record;
};

// ekb_merge_records makes one record of `num_parts`, at least one; merged ones may be among them,
// and step by step it is to the bit what it is all at once. It owns nothing of theirs. EKB_USAGE,
// with what differs between which two, if they are of different kinds or plans (seeds and numbers
// of workers may differ), or are a search for capacity, of which the answer is no count; if the
// same run is there twice; if one does not say when it began; if one is merged from loads of one
// time, and the others are not of that time. EKB_TOO_BIG, with its name, if a sum gets too large
// for a file; EKB_NOMEM. Then the record is empty.
EKB_NODISCARD enum ekb_err ekb_merge_records(struct ekb_record *out_record,
                                             const struct ekb_merge_part *parts, size_t num_parts,
                                             struct ekb_fail *reterr_fail);

// ekb_merge_summaries adds `from` to `to`, distributions of the same thing. A histogram that one of
// them lacks is lacking then. EKB_TOO_BIG, EKB_NOMEM; `to` is as it was.
EKB_NODISCARD enum ekb_err ekb_merge_summaries(struct ekb_record_summary *to,
                                               const struct ekb_record_summary *from);

#endif
