#include "ekubench/lab/plan.h"

#include "ekubench/peer/sequence.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)

const uint64_t ekb_plan_injected_ns[EKB_PLAN_NUM_INJECTED] = {1 * EKB_NS_PER_US, 5 * EKB_NS_PER_US,
                                                              20 * EKB_NS_PER_US};

const unsigned ekb_plan_depths[EKB_PLAN_NUM_DEPTHS] = {1, 2, 3, 5};

// The built-in plans differ in length only. Slices of the cost stage are short, because the slice
// is the unit of replication.
static const struct length {
    const char *name;
    uint64_t resolve_ns;
    uint32_t cost_slices; // At most; 250 ms each.
    uint32_t floor_slices;
    // Of the load stage.
    uint32_t in_flight;
    uint32_t num_quadruples; // Of four blocks each.
    uint32_t washout_slices; // 100 ms each.
    uint32_t measured_slices;
} lengths[] = {
    {"quick", 1 * EKB_NS_PER_US, 4 + 32, 2 + 18, 600, 8, 3, 3}, // 4 s + 9 s + 5 s + 20 s
    {"standard", 500, 4 + 140, 2 + 42, 2000, 10, 8, 6},         // 4 s + 36 s + 11 s + 57 s
};

// The load stage takes no longer than this, whatever is in flight: there are fewer quadruples then,
// but one at least.
#define MAX_LOAD_NS (120 * EKB_NS_PER_S)

// plan_policy is the default policy, but for CRLs: the server's store has some, for the one arm
// that is about them.
static struct ekb_policy plan_policy(void)
{
    struct ekb_policy policy = ekb_policy_default();
    policy.crl = EKB_CRL_OFF;
    return policy;
}

static void add_arm(struct ekb_plan_stage *stage, const char *name, struct ekb_policy policy,
                    unsigned depth, unsigned client_eku)
{
    assert(stage->num_arms < EKB_PLAN_MAX_ARMS);
    struct ekb_plan_arm *arm = &stage->arms[stage->num_arms++];
    *arm = (struct ekb_plan_arm){.policy = policy,
                                 .depth = depth,
                                 .client_eku = client_eku,
                                 .server_depth = 1,
                                 .expect = EKB_EXPECT_ACCEPT};
    (void)snprintf(arm->name, sizeof arm->name, "%s", name);
}

// add_rungs adds the rungs of the ladder that are none of the modes: below them, where nothing is
// verified and the mode is the one that asks for nothing, and above them.
static void add_rungs(struct ekb_plan_stage *stage)
{
    struct ekb_policy policy = plan_policy();
    policy.eku = EKB_EKU_NONE;
    policy.verify = EKB_VERIFY_ONE_WAY;
    add_arm(stage, "one-way", policy, 0, 0);
    policy.verify = EKB_VERIFY_PARSE;
    add_arm(stage, "parse-d1", policy, 1, BOTH);

    policy = plan_policy();
    EKB_CHECK(ekb_name_parse(&policy.name, EKB_PLAN_CLIENT_NAME) == EKB_OK);
    add_arm(stage, "name-d1", policy, 1, BOTH);
    policy.crl = EKB_CRL_ON;
    add_arm(stage, "crl-d1", policy, 1, BOTH);
}

// add_server_depths adds longer chains of the server; on-d1 is the first of them.
static void add_server_depths(struct ekb_plan_stage *stage)
{
    for (size_t i = 1; i < EKB_PLAN_NUM_DEPTHS; i++) {
        char name[EKB_PLAN_NAME_LEN];
        (void)snprintf(name, sizeof name, EKB_PLAN_SERVER_DEPTH_ARM, ekb_plan_depths[i]);
        add_arm(stage, name, plan_policy(), 1, BOTH);
        stage->arms[stage->num_arms - 1].server_depth = ekb_plan_depths[i];
    }
}

// The chain presented is the same in all three modes: its leaf has both usages, so that every mode
// accepts it.
static void make_cost_stage(struct ekb_plan_stage *stage, uint32_t num_slices)
{
    struct ekb_policy policy = plan_policy();
    char name[EKB_PLAN_NAME_LEN];
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_COST,
        .in_flight = 4,
        .slice_ns = 250 * EKB_NS_PER_MS,
        .num_warmup = 4,
        .num_slices = num_slices,
        .client = EKB_CLIENT_FULL,
    };

    for (size_t i = 0; i < EKB_PLAN_NUM_DEPTHS; i++) {
        for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
            policy.eku = (enum ekb_eku_mode)mode;
            (void)snprintf(name, sizeof name, "%s-d%u", ekb_eku_mode_name(policy.eku),
                           ekb_plan_depths[i]);
            add_arm(stage, name, policy, ekb_plan_depths[i], BOTH);
        }
    }
    policy.eku = EKB_EKU_ON;
    add_arm(stage, "on-d1-again", policy, 1, BOTH); // The A/A control.
    add_arm(stage, "reject-d1", policy, 1, EKB_EKU_SERVER_AUTH);
    stage->arms[stage->num_arms - 1].expect = EKB_EXPECT_REJECT;

    policy = plan_policy();
    add_arm(stage, EKB_PLAN_PROBE_ARM, policy, 2, BOTH);
    stage->arms[stage->num_arms - 1].probe = true;
    add_arm(stage, EKB_PLAN_TICKETS_ARM, policy, 1, BOTH);
    stage->arms[stage->num_arms - 1].tickets = true;
    add_arm(stage, EKB_PLAN_RESUMED_ARM, policy, 1, BOTH);
    stage->arms[stage->num_arms - 1].resumes = true;
    add_rungs(stage);
    add_server_depths(stage);
}

// The same arm twice, as in the cost stage.
static void make_pilot_stage(struct ekb_plan_stage *stage)
{
    *stage = (struct ekb_plan_stage){
        .name = EKB_STAGE_PILOT,
        .in_flight = 4,
        .slice_ns = 250 * EKB_NS_PER_MS,
        .num_warmup = 2,
        .num_slices = 2 + 14,
        .client = EKB_CLIENT_FULL,
    };
    add_arm(stage, "on-d1", plan_policy(), 1, BOTH);
    add_arm(stage, "on-d1-again", plan_policy(), 1, BOTH);
}

// One arm, enough in flight to keep both sides busy; in turn with it the same bytes without TLS,
// and the same handshake without a socket.
static void make_floor_stage(struct ekb_plan_stage *stage, uint32_t num_slices)
{
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_FLOOR,
        .in_flight = 64,
        .slice_ns = 250 * EKB_NS_PER_MS,
        .num_warmup = 2,
        .num_slices = num_slices,
        .floor_every = 3,
        .tcp_floor = true,
        .client = EKB_CLIENT_FULL,
    };
    add_arm(stage, "on-d1", plan_policy(), 1, BOTH);
    add_arm(stage, EKB_PLAN_TCP_ARM, plan_policy(), 1, BOTH);
    stage->arms[stage->num_arms - 1].bare_tcp = true;
}

// Blocks of one arm each: A (EKU on), its twin, and B (no EKU check). Connections of the block
// before take in_flight / rate to end, half a second for 2,000, and whatever shared that time with
// them is not measured either: the washout is a good deal longer, and grows with the number.
static void make_load_stage(struct ekb_plan_stage *stage, const struct length *length,
                            uint32_t in_flight)
{
    struct ekb_policy policy = plan_policy();
    const uint32_t factor = (in_flight + length->in_flight - 1) / length->in_flight;
    const uint32_t block_slices = factor * (length->washout_slices + length->measured_slices);
    const uint64_t slice_ns = 100 * EKB_NS_PER_MS;
    const uint64_t room = MAX_LOAD_NS / (EKB_QUADRUPLE_LEN * (uint64_t)block_slices * slice_ns);
    const uint32_t num_possible =
        room < length->num_quadruples ? (uint32_t)room : length->num_quadruples;
    const uint32_t num_quadruples = num_possible > 0 ? num_possible : 1;
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_LOAD,
        .in_flight = in_flight,
        .slice_ns = slice_ns,
        .num_warmup = 12 * factor,
        .num_slices = 12 * factor + num_quadruples * EKB_QUADRUPLE_LEN * block_slices,
        .block_slices = block_slices,
        .washout_slices = factor * length->washout_slices,
        .client = EKB_CLIENT_FULL,
    };
    add_arm(stage, "on", policy, 1, BOTH);
    add_arm(stage, "on-again", policy, 1, BOTH);
    policy.eku = EKB_EKU_NONE;
    add_arm(stage, "none", policy, 1, BOTH);
}

// add_only_arm adds the arm that the settings ask for.
static void add_only_arm(struct ekb_plan_stage *stage, const struct ekb_plan_settings *settings)
{
    struct ekb_policy policy = plan_policy();
    const unsigned depth = settings->depth != 0 ? settings->depth : 1;
    char name[EKB_PLAN_NAME_LEN];
    policy.eku = settings->eku_set ? settings->eku : EKB_EKU_ON;
    (void)snprintf(name, sizeof name, "%s-d%u", ekb_eku_mode_name(policy.eku), depth);
    add_arm(stage, name, policy, depth, BOTH);
}

// One arm, as many in flight as are asked for. The ramp takes half a millisecond for each, twice
// what a core needs for a handshake, so that the accept queue stays short; then as long again,
// until all have come to their verdicts once or twice; and twice as long is measured.
static void make_one_load_stage(struct ekb_plan_stage *stage,
                                const struct ekb_plan_settings *settings, uint32_t in_flight)
{
    const uint64_t slice_ns = 100 * EKB_NS_PER_MS;
    const uint32_t ramp_slices = in_flight / 200 < 5 ? 5 : in_flight / 200;
    const uint32_t measured_slices = in_flight / 100 < 50 ? 50 : in_flight / 100;
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_LOAD,
        .in_flight = in_flight,
        .ramp_ns = ramp_slices * slice_ns,
        .slice_ns = slice_ns,
        .num_warmup = 2 * ramp_slices,
        .num_slices = 2 * ramp_slices + measured_slices,
        .client = EKB_CLIENT_FULL,
    };
    add_only_arm(stage, settings);
}

// One arm, enough in flight to keep both sides busy, for a short while.
static void make_compare_stage(struct ekb_plan_stage *stage,
                               const struct ekb_plan_settings *settings)
{
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_COST,
        .in_flight = settings->in_flight != 0 ? settings->in_flight : 64,
        .slice_ns = 200 * EKB_NS_PER_MS,
        .num_warmup = 2,
        .num_slices = 2 + 8,
        .client = EKB_CLIENT_FULL,
    };
    add_only_arm(stage, settings);
}

// set_workers gives the last stage, which is the load stage or the only one, its workers.
static void set_workers(struct ekb_plan *plan, const struct ekb_plan_settings *settings)
{
    struct ekb_plan_stage *stage = &plan->stages[plan->num_stages - 1];
    stage->server_workers = settings->server_workers;
    stage->client_workers = settings->client_workers;
    stage->listening = settings->listening;
    stage->pin = settings->pin;
}

// add_reject adds a client with a fault.
static void add_reject(struct ekb_plan_stage *stage, const char *name, struct ekb_policy policy,
                       enum ekb_client_fault fault)
{
    // One that presents nothing has no chain.
    add_arm(stage, name, policy, fault == EKB_CLIENT_FAULT_NO_CERTIFICATE ? 0 : 1, BOTH);
    stage->arms[stage->num_arms - 1].fault = fault;
    stage->arms[stage->num_arms - 1].client_eku =
        fault == EKB_CLIENT_FAULT_WRONG_EKU ? EKB_EKU_SERVER_AUTH : BOTH;
    stage->arms[stage->num_arms - 1].expect = EKB_EXPECT_REJECT;
}

// Each kind of client that is rejected, and accepted ones to compare them with: one whose CRL is
// consulted, as the revoked one's is.
static void make_rejects_stage(struct ekb_plan_stage *stage,
                               const struct ekb_plan_settings *settings)
{
    const struct ekb_policy policy = plan_policy();
    struct ekb_policy with_crl = policy;
    with_crl.crl = EKB_CRL_ON;
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_COST,
        .in_flight = settings->in_flight != 0 ? settings->in_flight : 4,
        .slice_ns = 250 * EKB_NS_PER_MS,
        .num_warmup = 4,
        .num_slices = 4 + 76,
        .client = EKB_CLIENT_FULL,
    };
    add_arm(stage, EKB_ARM_ACCEPT, policy, 1, BOTH);
    add_arm(stage, EKB_ARM_ACCEPT "-again", policy, 1, BOTH);
    add_arm(stage, EKB_ARM_ACCEPT_CRL, with_crl, 1, BOTH);
    add_reject(stage, EKB_ARM_REJECT_EKU, policy, EKB_CLIENT_FAULT_WRONG_EKU);
    add_reject(stage, EKB_ARM_REJECT_CA, policy, EKB_CLIENT_FAULT_UNKNOWN_CA);
    add_reject(stage, EKB_ARM_REJECT_EXPIRED, policy, EKB_CLIENT_FAULT_EXPIRED);
    add_reject(stage, EKB_ARM_REJECT_REVOKED, with_crl, EKB_CLIENT_FAULT_REVOKED);
    add_reject(stage, EKB_ARM_REJECT_NONE, policy, EKB_CLIENT_FAULT_NO_CERTIFICATE);
}

// make_only_stage makes the one stage of a plan that has no other.
static void make_only_stage(struct ekb_plan *plan, const struct ekb_plan_settings *settings)
{
    const uint32_t in_flight =
        settings->in_flight != 0 ? settings->in_flight : EKB_PLAN_DEFAULT_IN_FLIGHT;
    plan->num_stages = 1;
    if (strcmp(plan->name, EKB_PLAN_COMPARE) == 0) {
        make_compare_stage(&plan->stages[0], settings);
        return;
    }
    if (strcmp(plan->name, EKB_PLAN_REJECTS) == 0) {
        make_rejects_stage(&plan->stages[0], settings);
        return;
    }
    make_one_load_stage(&plan->stages[0], settings, in_flight);
    // Of a slow core, thousands in flight take seconds each.
    const uint64_t enough_ns = 2 * EKB_NS_PER_MS * in_flight;
    plan->deadline_ns = enough_ns > plan->deadline_ns ? enough_ns : plan->deadline_ns;
}

enum ekb_err ekb_plan_builtin(struct ekb_plan *out_plan, const char *name,
                              const struct ekb_plan_settings *settings)
{
    size_t length = 0;
    while (length < sizeof lengths / sizeof lengths[0] && strcmp(lengths[length].name, name) != 0) {
        length++;
    }
    const bool has_one_arm =
        strcmp(name, EKB_PLAN_COMPARE) == 0 || strcmp(name, EKB_PLAN_LOAD) == 0;
    const bool is_rejects = strcmp(name, EKB_PLAN_REJECTS) == 0;
    if (length == sizeof lengths / sizeof lengths[0] && !has_one_arm && !is_rejects) {
        return EKB_NOT_FOUND;
    }

    if (!has_one_arm && (settings->eku_set || settings->depth != 0)) {
        return EKB_USAGE;
    }

    *out_plan = (struct ekb_plan){
        .seed = settings->seed != 0 ? settings->seed : EKB_PLAN_DEFAULT_SEED,
        .version = settings->version_set ? settings->version : EKB_TLS_1_3,
        .preferences = settings->preferences,
        .key_type = settings->key_type_set ? settings->key_type : EKB_KEY_P256,
        .deadline_ns = 10 * EKB_NS_PER_S,
        .num_stages = 4,
    };
    (void)snprintf(out_plan->name, sizeof out_plan->name, "%s", name);
    if (has_one_arm || is_rejects) {
        make_only_stage(out_plan, settings);
        set_workers(out_plan, settings);
        return EKB_OK;
    }
    out_plan->resolve_ns = lengths[length].resolve_ns;
    make_pilot_stage(&out_plan->stages[0]);
    make_cost_stage(&out_plan->stages[1], lengths[length].cost_slices);
    make_floor_stage(&out_plan->stages[2], lengths[length].floor_slices);
    make_load_stage(&out_plan->stages[3], &lengths[length],
                    settings->in_flight != 0 ? settings->in_flight : lengths[length].in_flight);
    set_workers(out_plan, settings);
    return EKB_OK;
}

// make_contrast_plan makes a plan of one stage without arms, 45 s long.
static struct ekb_plan_stage *make_contrast_plan(struct ekb_plan *out_plan, const char *name,
                                                 uint64_t seed)
{
    struct ekb_plan_stage *stage = &out_plan->stages[0];
    *out_plan = (struct ekb_plan){
        .seed = seed,
        .version = EKB_TLS_1_3,
        .key_type = EKB_KEY_P256,
        .deadline_ns = 10 * EKB_NS_PER_S,
        .num_stages = 1,
    };
    (void)snprintf(out_plan->name, sizeof out_plan->name, "%s", name);
    *stage = (struct ekb_plan_stage){
        .name = EKB_PLAN_STAGE_COST,
        .in_flight = 4,
        .slice_ns = 250 * EKB_NS_PER_MS,
        .num_warmup = 4,
        .num_slices = 4 + 176,
        .client = EKB_CLIENT_FULL,
    };
    return stage;
}

void ekb_plan_stores(struct ekb_plan *out_plan, const char *base, const char *other, uint64_t seed)
{
    static const char *const names[] = {"on-d1", "on-d1-again", "other"};
    struct ekb_plan_stage *stage = make_contrast_plan(out_plan, "stores", seed);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        add_arm(stage, names[i], plan_policy(), 1, BOTH);
        stage->arms[i].store = i < 2 ? base : other;
    }
}

void ekb_plan_self_test(struct ekb_plan *out_plan, uint64_t seed)
{
    struct ekb_plan_stage *stage = make_contrast_plan(out_plan, "self-test", seed);
    add_arm(stage, "on-d1", plan_policy(), 1, BOTH);
    add_arm(stage, "on-d1-again", plan_policy(), 1, BOTH);
    for (size_t i = 0; i < EKB_PLAN_NUM_INJECTED; i++) {
        char name[EKB_PLAN_NAME_LEN];
        (void)snprintf(name, sizeof name, EKB_PLAN_INJECTED_ARM,
                       (unsigned long long)(ekb_plan_injected_ns[i] / EKB_NS_PER_US));
        add_arm(stage, name, plan_policy(), 1, BOTH);
        stage->arms[stage->num_arms - 1].inject_ns = ekb_plan_injected_ns[i];
    }
}

uint64_t ekb_plan_duration_ns(const struct ekb_plan *plan)
{
    uint64_t total_ns = 0;
    for (size_t i = 0; i < plan->num_stages; i++) {
        total_ns += plan->stages[i].num_slices * plan->stages[i].slice_ns;
    }
    return total_ns;
}

// unit_of returns how many slices of a stage belong together: a quadruple, a turn of the floors.
static uint32_t unit_of(const struct ekb_plan_stage *stage)
{
    const uint32_t turn = stage->floor_every > 0 ? stage->floor_every : 1;
    return stage->block_slices > 0 ? EKB_QUADRUPLE_LEN * stage->block_slices : turn;
}

enum ekb_err ekb_plan_stretch(struct ekb_plan *plan, uint64_t duration_ns)
{
    const uint64_t whole_ns = ekb_plan_duration_ns(plan);
    uint64_t measured_ns = 0;
    if (duration_ns < whole_ns || duration_ns > EKB_PLAN_MAX_NS) {
        return EKB_USAGE;
    }
    for (size_t i = 0; i < plan->num_stages; i++) {
        const struct ekb_plan_stage *stage = &plan->stages[i];
        if (strcmp(stage->name, EKB_STAGE_PILOT) != 0) {
            measured_ns += (stage->num_slices - stage->num_warmup) * stage->slice_ns;
        }
    }
    const double factor = 1 + (double)(duration_ns - whole_ns) / (double)measured_ns;
    for (size_t i = 0; i < plan->num_stages; i++) {
        struct ekb_plan_stage *stage = &plan->stages[i];
        if (strcmp(stage->name, EKB_STAGE_PILOT) != 0) {
            const uint32_t unit = unit_of(stage);
            const uint32_t num_units = (stage->num_slices - stage->num_warmup) / unit;
            stage->num_slices = stage->num_warmup + unit * (uint32_t)(num_units * factor);
        }
    }
    return EKB_OK;
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
