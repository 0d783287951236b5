// From tallies to the record: what the workers counted, put into the form of the result file,
// together with everything that speaks against trusting it.

#ifndef EKUBENCH_LAB_ASSEMBLE_H
#define EKUBENCH_LAB_ASSEMBLE_H

#include "ekubench/base/err.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/check.h"
#include "ekubench/stat/record.h"

#include <stdbool.h>
#include <stdint.h>

// ekb_assemble_covariates returns what happened in a slice beside the measurement: slices that
// stat/check calls disturbed are left out of estimates, in all arms alike.
struct ekb_covariates ekb_assemble_covariates(const struct ekb_stage *stage, uint32_t slice);

// ekb_assemble_stage appends a finished stage to `record`: `label` describes it, `arm_labels` its
// arms (one for each of the client's arms; only their descriptive fields are used). It adds the
// stage's arms, throughput, series and CPU, and the reasons why it is not clean. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_assemble_stage(struct ekb_record *record,
                                              const struct ekb_stage *stage,
                                              const struct ekb_record_stage *label,
                                              const struct ekb_record_arm *arm_labels);

// ekb_assemble_kept_slices copies to `out_slices` (num_slices entries) the slices of one arm that
// count for estimates: those measured and not dropped for steal; the others have count 0.
void ekb_assemble_kept_slices(struct ekb_slice_sum *out_slices, const struct ekb_stage *stage,
                              const struct ekb_slice_sum *slices, enum ekb_slice_kind kind);

// ekb_assemble_mean estimates the mean cost of a handshake over the kept slices of `kind`, with its
// 95 % interval; false, and nothing written, if they are too few or memory is short.
bool ekb_assemble_mean(struct ekb_estimate *out_estimate, const struct ekb_stage *stage,
                       const struct ekb_slice_sum *slices, enum ekb_slice_kind kind);

// ekb_assemble_summarize summarizes the samples of `distribution`, if there are any. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_assemble_summarize(struct ekb_record_summary *out,
                                                  const struct ekb_distribution *distribution);

// ekb_assemble_negotiated sets what the stage's first full handshake negotiated, unless it is known
// already.
void ekb_assemble_negotiated(struct ekb_record *record, const struct ekb_stage *stage);

#endif
