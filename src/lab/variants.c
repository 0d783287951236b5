#include "ekubench/lab/variants.h"

#include "ekubench/lab/assemble.h"
#include "ekubench/stat/rank.h"
#include "ekubench/stat/replicate.h"
#include "ekubench/stat/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CONFIDENCE 0.95
// More than in the cost stage: the costs are those of a server with some work in hand.
#define IN_FLIGHT 16
#define NUM_SLICES 40
#define MIN_SLICE_NS (100 * EKB_NS_PER_MS)
#define NUM_WARMUP 4

const char *ekb_variant_name(char out_name[EKB_PLAN_NAME_LEN], const struct ekb_variant *variant)
{
    switch (variant->dimension) {
    case EKB_VARIANT_EKU:
        (void)snprintf(out_name, EKB_PLAN_NAME_LEN, "eku=%s", ekb_eku_mode_name(variant->eku));
        break;
    case EKB_VARIANT_DEPTH:
        (void)snprintf(out_name, EKB_PLAN_NAME_LEN, "depth=%u", variant->depth);
        break;
    case EKB_VARIANT_KEY:
        (void)snprintf(out_name, EKB_PLAN_NAME_LEN, "key=%s", ekb_key_type_name(variant->key_type));
        break;
    }
    return out_name;
}

void ekb_variant_apply(struct ekb_plan_settings *settings, const struct ekb_variant *variant)
{
    switch (variant->dimension) {
    case EKB_VARIANT_EKU:
        settings->eku = variant->eku;
        settings->eku_set = true;
        break;
    case EKB_VARIANT_DEPTH:
        settings->depth = variant->depth;
        break;
    case EKB_VARIANT_KEY:
        settings->key_type = variant->key_type;
        settings->key_type_set = true;
        break;
    }
}

bool ekb_variant_is_main(const struct ekb_variant *variant, const struct ekb_plan *plan)
{
    const struct ekb_plan_arm *arm = &plan->stages[0].arms[0];
    switch (variant->dimension) {
    case EKB_VARIANT_EKU:
        return variant->eku == arm->policy.eku;
    case EKB_VARIANT_DEPTH:
        return variant->depth == arm->depth;
    case EKB_VARIANT_KEY:
        return variant->key_type == plan->key_type;
    }
    return false;
}

static struct ekb_plan_arm *add_arm(struct ekb_plan_stage *stage, const struct ekb_plan_arm *like)
{
    EKB_CHECK(stage->num_arms < EKB_PLAN_MAX_ARMS);
    stage->arms[stage->num_arms] = *like;
    return &stage->arms[stage->num_arms++];
}

// add_rejects adds the arm of clients whose one usage is not the one that the mode asks for.
static void add_rejects(struct ekb_plan_stage *stage, const struct ekb_plan_arm *main)
{
    struct ekb_plan_arm *arm = add_arm(stage, main);
    (void)snprintf(arm->name, sizeof arm->name, EKB_VARIANTS_REJECT_ARM);
    EKB_CHECK(main->policy.eku != EKB_EKU_NONE);
    arm->client_eku = main->policy.eku == EKB_EKU_ON ? EKB_EKU_SERVER_AUTH : EKB_EKU_CLIENT_AUTH;
    arm->expect = EKB_EXPECT_REJECT;
}

// add_resumed adds an arm whose connections resume, and the one that they have their tickets from.
static void add_resumed(struct ekb_plan_stage *stage, const struct ekb_plan_arm *main)
{
    struct ekb_plan_arm *arm = add_arm(stage, main);
    (void)snprintf(arm->name, sizeof arm->name, EKB_VARIANTS_TICKETS_ARM);
    arm->tickets = true;
    arm = add_arm(stage, main);
    (void)snprintf(arm->name, sizeof arm->name, EKB_VARIANTS_RESUMED_ARM);
    arm->resumes = true;
}

void ekb_variants_make_stage(struct ekb_plan_stage *out_stage, const struct ekb_plan_stage *main,
                             const struct ekb_variant *variants, size_t num_variants, unsigned with,
                             uint64_t duration_ns)
{
    const uint64_t slice_ns = duration_ns / NUM_SLICES;
    *out_stage = (struct ekb_plan_stage){
        .name = EKB_VARIANTS_STAGE,
        .in_flight = IN_FLIGHT,
        .slice_ns = slice_ns > MIN_SLICE_NS ? slice_ns : MIN_SLICE_NS,
        .num_warmup = NUM_WARMUP,
        .client = main->client,
        .server_workers = main->server_workers,
        .client_workers = main->client_workers,
        .listening = main->listening,
        .pin = main->pin,
    };
    out_stage->num_slices = NUM_WARMUP + (uint32_t)(duration_ns / out_stage->slice_ns);
    (void)snprintf(add_arm(out_stage, &main->arms[0])->name, EKB_PLAN_NAME_LEN, "main");
    (void)snprintf(add_arm(out_stage, &main->arms[0])->name, EKB_PLAN_NAME_LEN, "main-again");
    for (size_t i = 0; i < num_variants; i++) {
        struct ekb_plan_arm *arm = add_arm(out_stage, &main->arms[0]);
        (void)ekb_variant_name(arm->name, &variants[i]);
        if (variants[i].dimension == EKB_VARIANT_EKU) {
            arm->policy.eku = variants[i].eku;
        } else if (variants[i].dimension == EKB_VARIANT_DEPTH) {
            arm->depth = variants[i].depth;
        }
    }
    if ((with & EKB_VARIANTS_WITH_RESUMED) != 0) {
        add_resumed(out_stage, &main->arms[0]);
    }
    if ((with & EKB_VARIANTS_WITH_REJECTS) != 0) {
        add_rejects(out_stage, &main->arms[0]);
    }
}

// log_ratios stores the logarithms of the ratios of `arm` to the main one by slice, and the main
// one's mean. Their number; 0 if memory is short.
static size_t log_ratios(double *out_values, double *out_main_ns, const struct ekb_stage *stage,
                         size_t arm)
{
    const struct ekb_tally *tally = stage->server.tally;
    const size_t num_slices = stage->timeline.num_slices;
    struct ekb_slice_sum *kept = calloc(2 * num_slices, sizeof kept[0]);
    struct ekb_slice_sum main = {0};
    if (kept == NULL) {
        return 0;
    }
    ekb_assemble_kept_slices(kept, stage, tally->arms[EKB_VARIANTS_MAIN].steps_by_slice,
                             EKB_SLICE_MEASURED);
    ekb_assemble_kept_slices(kept + num_slices, stage, tally->arms[arm].steps_by_slice,
                             EKB_SLICE_MEASURED);
    for (size_t i = 0; i < num_slices; i++) {
        main.count += kept[i].count;
        main.sum += kept[i].sum;
    }
    const size_t num_values =
        ekb_replicate_log_ratios(out_values, NULL, kept + num_slices, kept, num_slices);
    *out_main_ns = main.count > 0 ? (double)main.sum / (double)main.count : 0;
    free(kept);
    return num_values;
}

bool ekb_variants_cost_factor(struct ekb_estimate *out_factor, const struct ekb_stage *stage,
                              size_t arm, double kernel_ns)
{
    double main_ns = 0;
    struct ekb_estimate ratio;
    double *values = calloc(stage->timeline.num_slices, sizeof values[0]);
    if (values == NULL) {
        return false;
    }
    const size_t num_values = log_ratios(values, &main_ns, stage, arm);
    const bool known =
        num_values > 0 && ekb_rank_estimate(&ratio, values, num_values, CONFIDENCE) == EKB_OK;
    free(values);
    if (known) {
        const double whole_ns = main_ns + kernel_ns;
        *out_factor = (struct ekb_estimate){
            .estimate = (main_ns * exp(ratio.estimate) + kernel_ns) / whole_ns,
            .low = (main_ns * exp(ratio.low) + kernel_ns) / whole_ns,
            .high = (main_ns * exp(ratio.high) + kernel_ns) / whole_ns,
            .n = ratio.n};
    }
    return known;
}

bool ekb_variants_control_differs(const struct ekb_stage *stage)
{
    double main_ns;
    double *values = calloc(stage->timeline.num_slices, sizeof values[0]);
    if (values == NULL) {
        return false;
    }
    const size_t num_values = log_ratios(values, &main_ns, stage, EKB_VARIANTS_AGAIN);
    const bool differs = num_values > 0 && ekb_verdict_control_differs(values, num_values);
    free(values);
    return differs;
}

struct ekb_estimate ekb_variants_scale(double value, const struct ekb_estimate *factor)
{
    return (struct ekb_estimate){.estimate = value * factor->estimate,
                                 .low = value * factor->low,
                                 .high = value * factor->high,
                                 .n = factor->n};
}

struct ekb_estimate ekb_variants_divide(double value, const struct ekb_estimate *factor)
{
    return (struct ekb_estimate){.estimate = value / factor->estimate,
                                 .low = value / factor->high,
                                 .high = value / factor->low,
                                 .n = factor->n};
}
