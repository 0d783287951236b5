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
    uint32_t cost_slices; // 250 ms each.
    uint32_t floor_slices;
    uint32_t load_slices; // 500 ms each.
} lengths[] = {
    {"quick", 4 + 60, 4 + 16, 4 + 16},     // 16 s + 5 s + 10 s
    {"standard", 4 + 216, 4 + 48, 4 + 60}, // 55 s + 13 s + 32 s
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
static void make_cost_stage(struct ekb_plan_stage *stage, uint32_t num_slices)
{
    struct ekb_policy policy = ekb_policy_default();
    char name[EKB_PLAN_NAME_LEN];
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_COST,
        .in_flight = 4,
        .slice_ns = 250 * EKB_NS_PER_MS,
        .num_warmup = 4,
        .num_slices = num_slices,
        .client = EKB_CLIENT_FULL,
    };

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

// One arm, enough in flight to keep both sides busy, and every second slice the same handshake in
// memory.
static void make_floor_stage(struct ekb_plan_stage *stage, uint32_t num_slices)
{
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_FLOOR,
        .in_flight = 64,
        .slice_ns = 250 * EKB_NS_PER_MS,
        .num_warmup = 4,
        .num_slices = num_slices,
        .floor_every = 2,
        .client = EKB_CLIENT_FULL,
    };
    add_arm(stage, "on-d1", ekb_policy_default(), 1, BOTH);
}

static void make_load_stage(struct ekb_plan_stage *stage, uint32_t num_slices, uint32_t in_flight)
{
    struct ekb_policy policy = ekb_policy_default();
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_LOAD,
        .in_flight = in_flight,
        .slice_ns = 500 * EKB_NS_PER_MS,
        .num_warmup = 4,
        .num_slices = num_slices,
        .client = EKB_CLIENT_FULL,
    };
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
        .num_stages = 3,
    };
    (void)snprintf(out_plan->name, sizeof out_plan->name, "%s", name);
    make_cost_stage(&out_plan->stages[0], lengths[length].cost_slices);
    make_floor_stage(&out_plan->stages[1], lengths[length].floor_slices);
    make_load_stage(&out_plan->stages[2], lengths[length].load_slices,
                    settings->in_flight != 0 ? settings->in_flight : EKB_PLAN_DEFAULT_IN_FLIGHT);
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
