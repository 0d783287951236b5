// Plans: what a measurement does, as data.
//
// A plan has stages, a stage has arms; an arm is a listener's policy and a client's chain. Pure: a
// plan is made from its name and a few settings, and holds everything that is needed to run it
// again.

#ifndef EKUBENCH_LAB_PLAN_H
#define EKUBENCH_LAB_PLAN_H

#include "ekubench/base/clock.h"
#include "ekubench/base/err.h"
#include "ekubench/peer/client.h"
#include "ekubench/pki/key.h"
#include "ekubench/pki/policy.h"
#include "ekubench/tls/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_PLAN_MAX_ARMS 32
#define EKB_PLAN_MAX_STAGES 3
#define EKB_PLAN_NAME_LEN 32

// The names of the built-in stages and of the arms that the analysis refers to.
#define EKB_PLAN_STAGE_COST "cost"
#define EKB_PLAN_STAGE_FLOOR "floor"
#define EKB_PLAN_STAGE_LOAD "load"

struct ekb_plan_arm {
    char name[EKB_PLAN_NAME_LEN];
    struct ekb_policy policy;
    unsigned depth;      // Certificates above the leaf of the client's chain.
    unsigned client_eku; // EKB_EKU_* of the client's leaf.
    bool expect_accept;
};

struct ekb_plan_stage {
    char name[EKB_PLAN_NAME_LEN];
    uint32_t in_flight;
    uint64_t slice_ns;
    uint32_t num_warmup; // Slices.
    uint32_t num_slices; // Warm-up included.
    uint32_t floor_every;
    enum ekb_client_kind client;
    struct ekb_plan_arm arms[EKB_PLAN_MAX_ARMS];
    size_t num_arms;
};

struct ekb_plan {
    char name[EKB_PLAN_NAME_LEN];
    uint64_t seed;
    enum ekb_tls_version version;
    enum ekb_key_type key_type;
    uint64_t deadline_ns;
    struct ekb_plan_stage stages[EKB_PLAN_MAX_STAGES];
    size_t num_stages;
};

// What a user may change of a built-in plan. Zeroes mean the plan's own.
struct ekb_plan_settings {
    uint64_t seed;                // Below 2^63.
    uint32_t in_flight;           // Of the load stage.
    enum ekb_tls_version version; // EKB_TLS_1_2 or EKB_TLS_1_3, if `version_set`.
    bool version_set;
};

#define EKB_PLAN_DEFAULT_SEED 1
#define EKB_PLAN_DEFAULT_IN_FLIGHT 2000

// ekb_plan_builtin makes the plan called `name`: "quick" (at most 40 s in all) or "standard" (at
// most 120 s). EKB_NOT_FOUND if there is no such plan.
EKB_NODISCARD enum ekb_err ekb_plan_builtin(struct ekb_plan *out_plan, const char *name,
                                            const struct ekb_plan_settings *settings);

// ekb_plan_duration_ns returns how long the stages run, without setting up and tearing down.
uint64_t ekb_plan_duration_ns(const struct ekb_plan *plan);

// ekb_plan_stage_index returns the index of the stage called `name`, or -1; ekb_plan_arm_index that
// of an arm of `stage`.
int ekb_plan_stage_index(const struct ekb_plan *plan, const char *name);
int ekb_plan_arm_index(const struct ekb_plan_stage *stage, const char *name);

#endif
