#include "ekubench/lab/plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)

static const unsigned depths[] = {1, 2, 3, 5};

// The built-in plans differ in length only. Slices of the cost stage are short, because the slice
// is the unit of replication; those of the load stage long enough for a rate.
static const struct {
    const char *name;
    uint32_t cost_slices;
    uint32_t load_slices;
} lengths[] = {
    {"quick", 4 + 60, 4 + 20},     // 16 s + 12 s
    {"standard", 4 + 220, 4 + 60}, // 56 s + 32 s
};

static void add_arm(struct ekb_plan_stage *stage, const char *name, struct ekb_policy policy,
                    unsigned depth, unsigned client_eku)
{
    assert(stage->num_arms < EKB_PLAN_MAX_ARMS);
    struct ekb_plan_arm *arm = &stage->arms[stage->num_arms++];
    *arm = (struct ekb_plan_arm){
        .policy = policy, .depth = depth, .client_eku = client_eku, .expect_accept = true};
    (void)snprintf(arm->name, sizeof arm->name, "%s", name);
}

// The chain presented is the same in all three modes: its leaf has both usages, so that every mode
// accepts it.
static void add_cost_arms(struct ekb_plan_stage *stage)
{
    struct ekb_policy policy = ekb_policy_default();
    char name[EKB_PLAN_NAME_LEN];

    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
            policy.eku = (enum ekb_eku_mode)mode;
            (void)snprintf(name, sizeof name, "%s-d%u", ekb_eku_mode_name(policy.eku), depths[i]);
            add_arm(stage, name, policy, depths[i], BOTH);
        }
    }
    policy.eku = EKB_EKU_ON;
    add_arm(stage, "on-d1-again", policy, 1, BOTH); // The A/A control.
    add_arm(stage, "reject-d1", policy, 1, EKB_EKU_SERVER_AUTH);
    stage->arms[stage->num_arms - 1].expect_accept = false;

    // Nothing is verified on these, so the mode is the one that asks for nothing.
    policy.eku = EKB_EKU_NONE;
    policy.verify = EKB_VERIFY_PARSE;
    add_arm(stage, "parse-d1", policy, 1, BOTH);
    policy.verify = EKB_VERIFY_RAW;
    add_arm(stage, "raw-d1", policy, 1, BOTH);
    policy.verify = EKB_VERIFY_ONE_WAY;
    add_arm(stage, "one-way", policy, 0, 0);
}

static void add_load_arms(struct ekb_plan_stage *stage)
{
    struct ekb_policy policy = ekb_policy_default();
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        policy.eku = (enum ekb_eku_mode)mode;
        add_arm(stage, ekb_eku_mode_name(policy.eku), policy, 1, BOTH);
    }
}

enum ekb_err ekb_plan_builtin(struct ekb_plan *out_plan, const char *name,
                              const struct ekb_plan_settings *settings)
{
    size_t length = 0;
    while (length < sizeof lengths / sizeof lengths[0] && strcmp(lengths[length].name, name) != 0) {
        length++;
    }
    if (length == sizeof lengths / sizeof lengths[0]) {
        return EKB_NOT_FOUND;
    }

    *out_plan = (struct ekb_plan){
        .seed = settings->seed != 0 ? settings->seed : EKB_PLAN_DEFAULT_SEED,
        .version = settings->version_set ? settings->version : EKB_TLS_1_3,
        .key_type = EKB_KEY_P256,
        .deadline_ns = 10 * EKB_NS_PER_S,
        .num_stages = 2,
    };
    (void)snprintf(out_plan->name, sizeof out_plan->name, "%s", name);
    struct ekb_plan_stage *cost = &out_plan->stages[0];
    *cost = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_COST,
        .in_flight = 4,
        .slice_ns = 250 * EKB_NS_PER_MS,
        .num_warmup = 4,
        .num_slices = lengths[length].cost_slices,
        .floor_every = 5,
        .client = EKB_CLIENT_FULL,
    };
    add_cost_arms(cost);
    struct ekb_plan_stage *load = &out_plan->stages[1];
    *load = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_LOAD,
        .in_flight = settings->in_flight != 0 ? settings->in_flight : EKB_PLAN_DEFAULT_IN_FLIGHT,
        .slice_ns = 500 * EKB_NS_PER_MS,
        .num_warmup = 4,
        .num_slices = lengths[length].load_slices,
        .client = EKB_CLIENT_FULL,
    };
    add_load_arms(load);
    return EKB_OK;
}

uint64_t ekb_plan_duration_ns(const struct ekb_plan *plan)
{
    uint64_t total_ns = 0;
    for (size_t i = 0; i < plan->num_stages; i++) {
        total_ns += plan->stages[i].num_slices * plan->stages[i].slice_ns;
    }
    return total_ns;
}

int ekb_plan_stage_index(const struct ekb_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->num_stages; i++) {
        if (strcmp(plan->stages[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int ekb_plan_arm_index(const struct ekb_plan_stage *stage, const char *name)
{
    for (size_t i = 0; i < stage->num_arms; i++) {
        if (strcmp(stage->arms[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}
