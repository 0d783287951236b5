#include "ekubench/lab/effects.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/assemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIDENCE 0.95
#define CONTROL_CONFIDENCE 0.99
#define BOOTSTRAP_SEED UINT64_C(20240301)

struct contrast {
    const char *question;
    const char *treated;
    const char *control;
};

// The A/A control comes first: its interval decides whether the others get a verdict.
static const struct contrast contrasts[] = {
    {EKB_EFFECT_CONTROL, "on-d1-again", "on-d1"}, {EKB_EFFECT_EKU, "on-d1", "none-d1"},
    {EKB_EFFECT_EKU, "off-d1", "none-d1"},        {EKB_EFFECT_EKU, "on-d1", "off-d1"},
    {EKB_EFFECT_EKU, "on-d2", "none-d2"},         {EKB_EFFECT_EKU, "on-d3", "none-d3"},
    {EKB_EFFECT_EKU, "on-d5", "none-d5"},         {EKB_EFFECT_LADDER, "raw-d1", "one-way"},
    {EKB_EFFECT_LADDER, "parse-d1", "raw-d1"},    {EKB_EFFECT_LADDER, "none-d1", "parse-d1"},
    {EKB_EFFECT_LADDER, "on-d1", "none-d1"},      {EKB_EFFECT_REJECT, "reject-d1", "on-d1"},
};

#define NUM_DEPTHS 4
static const double depths[NUM_DEPTHS] = {1, 2, 3, 5};

static struct ekb_record_effect *append(struct ekb_record *record)
{
    struct ekb_record_effect *effects =
        realloc(record->effects, (record->num_effects + 1) * sizeof effects[0]);
    if (effects == NULL) {
        return NULL;
    }
    record->effects = effects;
    memset(&effects[record->num_effects], 0, sizeof effects[0]);
    return &effects[record->num_effects++];
}

// write_verdict says `slower` or `faster` only if the wider interval `family`, which allows for the
// number of contrasts that answer the same question, excludes zero.
static void write_verdict(struct ekb_record_effect *effect, const struct ekb_estimate *family,
                          bool withheld)
{
    char estimate[EKB_UNITS_TEXT_LEN];
    char low[EKB_UNITS_TEXT_LEN];
    char high[EKB_UNITS_TEXT_LEN];
    const struct ekb_estimate *e = &effect->estimate;
    if (withheld) {
        (void)snprintf(effect->verdict, sizeof effect->verdict,
                       "withheld: the A/A control shows a difference");
    } else if (family->low > 0) {
        (void)snprintf(effect->verdict, sizeof effect->verdict, "slower by %s [%s, %s]",
                       ekb_units_format_ns(estimate, e->estimate), ekb_units_format_ns(low, e->low),
                       ekb_units_format_ns(high, e->high));
    } else if (family->high < 0) {
        (void)snprintf(effect->verdict, sizeof effect->verdict, "faster by %s [%s, %s]",
                       ekb_units_format_ns(estimate, -e->estimate),
                       ekb_units_format_ns(low, -e->high), ekb_units_format_ns(high, -e->low));
    } else {
        (void)snprintf(effect->verdict, sizeof effect->verdict,
                       "no detectable difference; smallest detectable %s",
                       ekb_units_format_ns(estimate, effect->mde));
    }
}

// An estimate with the two intervals that are made of it.
struct estimates {
    struct ekb_estimate own;    // At CONFIDENCE.
    struct ekb_estimate family; // At the confidence that the whole family needs (Bonferroni).
};

// family_confidence returns the confidence of each of `num_members` intervals that together have
// CONFIDENCE.
static double family_confidence(size_t num_members)
{
    return 1.0 - (1.0 - CONFIDENCE) / (double)num_members;
}

// finish fills what all effects have in common.
static void finish(struct ekb_record_effect *effect, const char *question, const char *stage_name,
                   const struct estimates *estimates, bool withheld, const char *method)
{
    (void)snprintf(effect->question, sizeof effect->question, "%s", question);
    (void)snprintf(effect->stage, sizeof effect->stage, "%s", stage_name);
    (void)snprintf(effect->unit, sizeof effect->unit, "ns");
    (void)snprintf(effect->method, sizeof effect->method, "%s", method);
    effect->estimate = estimates->own;
    effect->mde = ekb_estimate_minimum_detectable(&estimates->own);
    write_verdict(effect, &estimates->family, withheld);
}

struct workspace {
    const struct ekb_plan_stage *plan;
    const struct ekb_stage *stage;
    size_t num_slices;
    struct ekb_slice_sum *slices; // Kept slices of every arm, one arm after another.
};

static const struct ekb_slice_sum *slices_of(const struct workspace *work, const char *arm_name)
{
    const int arm = ekb_plan_arm_index(work->plan, arm_name);
    return arm < 0 ? NULL : work->slices + (size_t)arm * work->num_slices;
}

static bool control_differs(const struct workspace *work)
{
    const struct ekb_slice_sum *again = slices_of(work, contrasts[0].treated);
    const struct ekb_slice_sum *once = slices_of(work, contrasts[0].control);
    struct ekb_estimate estimate;
    if (again == NULL || once == NULL ||
        ekb_estimate_slice_difference(&estimate, again, once, work->num_slices, CONTROL_CONFIDENCE,
                                      BOOTSTRAP_SEED) != EKB_OK) {
        return false;
    }
    return estimate.low > 0 || estimate.high < 0;
}

static size_t num_contrasts_of(const char *question)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof contrasts / sizeof contrasts[0]; i++) {
        count += strcmp(contrasts[i].question, question) == 0 ? 1 : 0;
    }
    return count;
}

static enum ekb_err add_contrast(struct ekb_record *record, const struct workspace *work,
                                 const struct contrast *contrast, bool withheld)
{
    const struct ekb_slice_sum *treated = slices_of(work, contrast->treated);
    const struct ekb_slice_sum *control = slices_of(work, contrast->control);
    const double wide = family_confidence(num_contrasts_of(contrast->question));
    struct estimates estimates;
    if (treated == NULL || control == NULL ||
        ekb_estimate_slice_difference(&estimates.own, treated, control, work->num_slices,
                                      CONFIDENCE, BOOTSTRAP_SEED) != EKB_OK ||
        ekb_estimate_slice_difference(&estimates.family, treated, control, work->num_slices, wide,
                                      BOOTSTRAP_SEED) != EKB_OK) {
        return EKB_OK;
    }
    struct ekb_record_effect *effect = append(record);
    if (effect == NULL) {
        return EKB_NOMEM;
    }
    (void)snprintf(effect->contrast, sizeof effect->contrast, "%s - %s", contrast->treated,
                   contrast->control);
    finish(effect, contrast->question, work->plan->name, &estimates, withheld,
           "mean of differences paired by slice, percentile bootstrap over slices");
    return EKB_OK;
}

static enum ekb_err add_slope(struct ekb_record *record, const struct workspace *work,
                              enum ekb_eku_mode mode, bool withheld)
{
    struct estimates estimates;
    struct ekb_slice_sum *by_depth = calloc(NUM_DEPTHS * work->num_slices, sizeof by_depth[0]);
    if (by_depth == NULL) {
        return EKB_NOMEM;
    }
    bool complete = true;
    for (size_t i = 0; i < NUM_DEPTHS; i++) {
        char name[EKB_PLAN_NAME_LEN];
        (void)snprintf(name, sizeof name, "%s-d%.0f", ekb_eku_mode_name(mode), depths[i]);
        const struct ekb_slice_sum *slices = slices_of(work, name);
        complete = complete && slices != NULL;
        if (slices != NULL) {
            memcpy(by_depth + i * work->num_slices, slices, work->num_slices * sizeof slices[0]);
        }
    }
    enum ekb_err err = ekb_estimate_slice_slope(&estimates.own, by_depth, depths, NUM_DEPTHS,
                                                work->num_slices, CONFIDENCE, BOOTSTRAP_SEED);
    if (err == EKB_OK) {
        err = ekb_estimate_slice_slope(&estimates.family, by_depth, depths, NUM_DEPTHS,
                                       work->num_slices, family_confidence(EKB_EKU_NUM_MODES),
                                       BOOTSTRAP_SEED);
    }
    free(by_depth);
    if (!complete || err != EKB_OK) {
        return EKB_OK;
    }
    struct ekb_record_effect *effect = append(record);
    if (effect == NULL) {
        return EKB_NOMEM;
    }
    (void)snprintf(effect->contrast, sizeof effect->contrast, "%s: per certificate, depth 1 to 5",
                   ekb_eku_mode_name(mode));
    finish(effect, EKB_EFFECT_DEPTH, work->plan->name, &estimates, withheld,
           "least-squares slope in each slice, mean, percentile bootstrap over slices");
    return EKB_OK;
}

enum ekb_err ekb_effects_add(struct ekb_record *record, const struct ekb_plan_stage *plan,
                             const struct ekb_stage *stage)
{
    struct workspace work = {
        .plan = plan, .stage = stage, .num_slices = stage->timeline.num_slices};
    work.slices = calloc(plan->num_arms * work.num_slices, sizeof work.slices[0]);
    if (work.slices == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < plan->num_arms; i++) {
        ekb_assemble_kept_slices(work.slices + i * work.num_slices, stage,
                                 stage->server.tally->arms[i].steps_by_slice, EKB_SLICE_MEASURED);
    }
    const bool withheld = control_differs(&work);
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < sizeof contrasts / sizeof contrasts[0] && err == EKB_OK; i++) {
        // The control itself is always shown.
        err = add_contrast(record, &work, &contrasts[i], withheld && i > 0);
    }
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES && err == EKB_OK; mode++) {
        err = add_slope(record, &work, (enum ekb_eku_mode)mode, withheld);
    }
    if (withheld) {
        ekb_record_add_reason(record, "%s: the A/A control shows a difference where there is none",
                              plan->name);
    }
    free(work.slices);
    return err;
}

// fill_floor compares arm 0 with the floor. Its steps are summed by connection, and the kernel's
// part is taken in proportion to them: CPU time over completed handshakes would be too much,
// because each slice begins with an empty loop and ends with connections that are half done.
static enum ekb_err fill_floor(struct ekb_record_side_floor *floor, const struct ekb_stage *stage,
                               const struct ekb_stage_side *side, const struct ekb_record_cpu *cpu)
{
    const struct ekb_tally *tally = side->tally;
    struct ekb_estimate steps;
    if (tally->floor.moments.count == 0) {
        return EKB_OK;
    }
    floor->interval_known =
        ekb_assemble_mean(&floor->interval, stage, tally->floor_by_slice, EKB_SLICE_FLOOR);
    if (floor->interval_known && floor->interval.estimate > 0 && cpu->steps_ns > 0 &&
        ekb_assemble_mean(&steps, stage, tally->arms[0].steps_by_slice, EKB_SLICE_MEASURED)) {
        const double ratio = steps.estimate / floor->interval.estimate;
        floor->steps_over_memory = (struct ekb_record_real){true, ratio};
        floor->over_memory =
            (struct ekb_record_real){true, ratio * (double)cpu->total_ns / (double)cpu->steps_ns};
    }
    return ekb_record_summarize(&floor->memory_ns, &tally->floor.moments, tally->floor.hist);
}

enum ekb_err ekb_effects_add_floors(struct ekb_record *record, const struct ekb_stage *stage)
{
    record->floors_known = true;
    enum ekb_err err = fill_floor(&record->server_floor, stage, &stage->server,
                                  &record->server_cpu[record->num_server_cpu - 1]);
    if (err == EKB_OK) {
        err = fill_floor(&record->client_floor, stage, &stage->client,
                         &record->client_cpu[record->num_client_cpu - 1]);
    }
    return err;
}
