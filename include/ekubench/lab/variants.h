// Variants: how much more or less the server's CPU does for a handshake of another treatment.
//
// All of them run in one closed loop at the same time, each connection drawing its arm, as in the
// cost stage: what disturbs one disturbs all. Compared are the steps of the connections, paired by
// slice, as ratios to the main arm. What the kernel and the loop spend beside them cannot be
// attributed to arms and is taken to be the same for all.

#ifndef EKUBENCH_LAB_VARIANTS_H
#define EKUBENCH_LAB_VARIANTS_H

#include "ekubench/lab/plan.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"
#include "ekubench/stat/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ekb_variant_dimension {
    EKB_VARIANT_EKU,
    EKB_VARIANT_DEPTH,
    EKB_VARIANT_KEY
};

// One that differs from the main treatment in one thing.
struct ekb_variant {
    enum ekb_variant_dimension dimension;
    enum ekb_eku_mode eku;
    unsigned depth;
    enum ekb_key_type key_type;
};

// ekb_variant_name writes "eku=off", "depth=3" or "key=rsa2048".
const char *ekb_variant_name(char out_name[EKB_PLAN_NAME_LEN], const struct ekb_variant *variant);

// ekb_variant_apply makes of the main treatment's settings those of the variant.
void ekb_variant_apply(struct ekb_plan_settings *settings, const struct ekb_variant *variant);

// ekb_variant_is_main is true if that changes nothing in the plan.
bool ekb_variant_is_main(const struct ekb_variant *variant, const struct ekb_plan *plan);

// The arms of the stage: the main one, the same again as the control, the variants; and, if asked
// for, one that gives tickets and one that resumes with them, and one whose clients are rejected
// for their EKU.
enum {
    EKB_VARIANTS_MAIN,
    EKB_VARIANTS_AGAIN,
    EKB_VARIANTS_FIRST
};
#define EKB_VARIANTS_STAGE EKB_STAGE_VARIANTS
#define EKB_VARIANTS_TICKETS_ARM "tickets"
#define EKB_VARIANTS_RESUMED_ARM "resumed"
#define EKB_VARIANTS_REJECT_ARM "rejected"
#define EKB_VARIANTS_WITH_RESUMED 1u
#define EKB_VARIANTS_WITH_REJECTS 2u

// ekb_variants_make_stage makes the stage, `duration_ns` long without the warm-up, of the stage of
// one arm `main`, with those of EKB_VARIANTS_WITH_*.
void ekb_variants_make_stage(struct ekb_plan_stage *out_stage, const struct ekb_plan_stage *main,
                             const struct ekb_variant *variants, size_t num_variants, unsigned with,
                             uint64_t duration_ns);

// ekb_variants_cost_factor estimates the CPU time of the server for a handshake of `arm`, kernel
// included, as a multiple of the main arm's, with its 95 % interval over the slices, when
// `kernel_ns` of it are the kernel's and the loop's. False, and nothing written, if there are too
// few slices.
bool ekb_variants_cost_factor(struct ekb_estimate *out_factor, const struct ekb_stage *stage,
                              size_t arm, double kernel_ns);

// ekb_variants_control_differs is true if the main arm differs from itself.
bool ekb_variants_control_differs(const struct ekb_stage *stage);

// ekb_variants_scale returns `value` times an estimated factor; ekb_variants_divide, `value`
// divided by it.
struct ekb_estimate ekb_variants_scale(double value, const struct ekb_estimate *factor);
struct ekb_estimate ekb_variants_divide(double value, const struct ekb_estimate *factor);

#endif
