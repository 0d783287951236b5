// The stage of the variants of lab/capacity, and what follows from it.

#include "lab/capacity_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// make_stores mints what the stage's arms present. Those of another key have stores of their own,
// which go into `stores_of` by arm.
static enum ekb_err make_stores(struct ekb_stores **out_stores, struct ekb_stores **stores_of,
                                const struct capacity_run *run, struct ekb_fail *reterr_fail)
{
    const struct ekb_capacity_settings *settings = run->settings;
    enum ekb_err err = ekb_stores_create(out_stores, &run->plan, reterr_fail);
    for (size_t i = 0; i < settings->num_variants && err == EKB_OK; i++) {
        if (settings->variants[i].dimension != EKB_VARIANT_KEY) {
            continue;
        }
        struct ekb_plan plan = run->plan;
        plan.key_type = settings->variants[i].key_type;
        plan.stages[0].num_arms = 1; // The main one's chain.
        err = ekb_stores_create(&stores_of[EKB_VARIANTS_FIRST + i], &plan, reterr_fail);
    }
    return err;
}

static void describe_variant(struct ekb_record_variant *row, const struct ekb_plan *plan,
                             const struct ekb_plan_arm *arm, const struct ekb_variant *variant)
{
    const bool has_key = variant != NULL && variant->dimension == EKB_VARIANT_KEY;
    EKB_RECORD_COPY(row->name, arm->name);
    EKB_RECORD_COPY(row->eku, ekb_eku_mode_name(arm->policy.eku));
    EKB_RECORD_COPY(row->key, ekb_key_type_name(has_key ? variant->key_type : plan->key_type));
    row->depth = arm->depth;
}

// What the costs of the stage are multiples of.
struct base {
    const struct ekb_stage *stage;
    double kernel_ns;
    double server_cpu_ns; // Of the main treatment at the answer.
    double rate_per_s;    // The answer; 0: there is none that is valid, or the control differs.
};

static void fill_variant(struct ekb_record_variant *row, const struct base *base, size_t arm)
{
    row->cost_known =
        base->server_cpu_ns > 0 &&
        ekb_variants_cost_factor(&row->cost_factor, base->stage, arm, base->kernel_ns);
    if (!row->cost_known) {
        return;
    }
    row->server_cpu_ns = ekb_variants_scale(base->server_cpu_ns, &row->cost_factor);
    row->rate_known = base->rate_per_s > 0;
    if (row->rate_known) {
        row->projected_per_s = ekb_variants_divide(base->rate_per_s, &row->cost_factor);
    }
}

static void fill_main(struct ekb_record_variant *row, const struct ekb_record_capacity *capacity,
                      double server_cpu_ns)
{
    row->cost_known = server_cpu_ns > 0;
    row->cost_factor = (struct ekb_estimate){.estimate = 1, .low = 1, .high = 1};
    row->server_cpu_ns = capacity->blocks_known
                             ? capacity->server_cpu_blocks
                             : ekb_variants_scale(server_cpu_ns, &row->cost_factor);
    row->searched = true;
    EKB_RECORD_COPY(row->state, capacity->state);
    row->ceiling_per_s = capacity->ceiling_per_s;
    row->lower_per_s = capacity->lower_per_s;
    row->upper_per_s = capacity->upper_per_s;
}

// fill_cost estimates the server's CPU time for a handshake of the arm called `name`.
static bool fill_cost(struct ekb_estimate *out_cpu_ns, const struct base *base,
                      const struct ekb_plan_stage *plan, const char *name)
{
    struct ekb_estimate factor;
    const int arm = ekb_plan_arm_index(plan, name);
    const bool known = arm >= 0 && base->server_cpu_ns > 0 &&
                       ekb_variants_cost_factor(&factor, base->stage, (size_t)arm, base->kernel_ns);
    if (known) {
        *out_cpu_ns = ekb_variants_scale(base->server_cpu_ns, &factor);
    }
    return known;
}

static void fill_mix(struct ekb_record_mix *mix, const struct base *base,
                     const struct ekb_plan_stage *plan)
{
    mix->rejected_known = fill_cost(&mix->rejected_cpu_ns, base, plan, EKB_VARIANTS_REJECT_ARM);
    mix->resumed_known = fill_cost(&mix->resumed_cpu_ns, base, plan, EKB_VARIANTS_RESUMED_ARM) &&
                         fill_cost(&mix->tickets_cpu_ns, base, plan, EKB_VARIANTS_TICKETS_ARM);
}

// fill_answers fills the costs from the stage, which is the record's last.
static void fill_answers(struct ekb_record *record, const struct capacity_run *run,
                         const struct ekb_stage *stage)
{
    struct ekb_record_capacity *capacity = &record->capacity;
    const struct ekb_capacity_settings *settings = run->settings;
    const struct ekb_plan_stage *plan = &run->plan.stages[0];
    const struct ekb_record_cpu *cpu = capacity_last(record->server_cpu, record->num_server_cpu);
    const bool differs = ekb_variants_control_differs(stage);
    const struct base base = {
        .stage = stage,
        .kernel_ns = cpu->kernel_and_loop_ns.known ? cpu->kernel_and_loop_ns.value : 0,
        .server_cpu_ns = capacity->server_cpu_ns.known ? capacity->server_cpu_ns.value
                                                       : cpu->per_handshake_ns.value,
        .rate_per_s = differs || !capacity->validated ? 0 : capacity->lower_per_s,
    };
    if (differs) {
        ekb_record_add_reason(record, "%s: the A/A control shows a difference where there is none",
                              plan->name);
    }
    describe_variant(&capacity->variants[0], &run->plan, &plan->arms[EKB_VARIANTS_MAIN], NULL);
    fill_main(&capacity->variants[0], capacity, base.server_cpu_ns);
    for (size_t i = 0; i < settings->num_variants; i++) {
        const size_t arm = EKB_VARIANTS_FIRST + i;
        struct ekb_record_variant *row = &capacity->variants[i + 1];
        describe_variant(row, &run->plan, &plan->arms[arm], &settings->variants[i]);
        fill_variant(row, &base, arm);
        if (!row->cost_known) {
            ekb_record_add_note(record, "%s: too few slices for the cost of %s", plan->name,
                                row->name);
        }
    }
    capacity->num_variants = settings->num_variants > 0 ? settings->num_variants + 1 : 0;
    fill_mix(&capacity->mix, &base, plan);
}

// label_keys corrects the labels of arms that have another key.
static void label_keys(struct ekb_staging *staging, const struct ekb_capacity_settings *settings)
{
    for (size_t i = 0; i < settings->num_variants; i++) {
        if (settings->variants[i].dimension == EKB_VARIANT_KEY) {
            EKB_RECORD_COPY(staging->labels[EKB_VARIANTS_FIRST + i].key,
                            ekb_key_type_name(settings->variants[i].key_type));
        }
    }
}

enum ekb_err capacity_compare_variants(struct capacity_run *run, struct ekb_record *record,
                                       struct ekb_fail *reterr_fail)
{
    const struct ekb_capacity_settings *settings = run->settings;
    struct ekb_stores *stores_of[EKB_PLAN_MAX_ARMS] = {NULL};
    struct ekb_stores *const own = run->stores;
    const struct ekb_plan_stage main = run->plan.stages[0];
    struct ekb_stage stage = {0};
    struct ekb_staging *staging = NULL;
    const unsigned with = (settings->reject_share > 0 ? EKB_VARIANTS_WITH_REJECTS : 0) |
                          (settings->resume_share > 0 ? EKB_VARIANTS_WITH_RESUMED : 0);
    ekb_variants_make_stage(&run->plan.stages[0], &main, settings->variants, settings->num_variants,
                            with, run->lengths.variants_ns);
    capacity_show(run, "variants, side by side");
    run->stores = NULL;
    enum ekb_err err = make_stores(&run->stores, stores_of, run, reterr_fail);
    if (err == EKB_OK) {
        err = capacity_run_stage(run, &stage, &staging, stores_of, reterr_fail);
    }
    if (err == EKB_OK && !run->interrupted) {
        label_keys(staging, settings);
        err = capacity_assemble(run, record, &stage, staging, reterr_fail);
    }
    if (err == EKB_OK && !run->interrupted) {
        fill_answers(record, run, &stage);
    }
    ekb_stage_deinit(&stage);
    free(staging);
    for (size_t i = 0; i < EKB_PLAN_MAX_ARMS; i++) {
        ekb_stores_destroy(stores_of[i]);
    }
    ekb_stores_destroy(run->stores);
    run->stores = own;
    run->plan.stages[0] = main;
    return err;
}
