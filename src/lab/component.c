#include "ekubench/lab/component.h"

#include "ekubench/lab/assemble.h"
#include "ekubench/lab/effects.h"
#include "ekubench/stat/replicate.h"

#include <stdlib.h>

enum part {
    PURPOSE_TIMER,
    PURPOSE_FIRST,
    PURPOSE_SLOPE,
    PARSE,
    VERIFY,
    NUM_PARTS
};

static const struct {
    const char *contrast;
    const char *metric;
    enum ekb_tally_probe probe;
} parts[NUM_PARTS] = {
    [PURPOSE_TIMER] = {EKB_CONTRAST_PURPOSE_TIMER, EKB_METRIC_PURPOSE, EKB_TALLY_PROBE_PURPOSE},
    [PURPOSE_FIRST] = {EKB_CONTRAST_PURPOSE_FIRST, EKB_METRIC_PURPOSE, EKB_TALLY_PROBE_FIRST},
    [PURPOSE_SLOPE] = {EKB_CONTRAST_PURPOSE_SLOPE, EKB_METRIC_PURPOSE, EKB_TALLY_PROBE_REPEATS},
    [PARSE] = {EKB_CONTRAST_PARSE, EKB_METRIC_PARSE, EKB_TALLY_PROBE_PARSE},
    [VERIFY] = {EKB_CONTRAST_VERIFY, EKB_METRIC_VERIFY, EKB_TALLY_PROBE_VERIFY},
};

struct workspace {
    size_t num_slices;
    struct ekb_slice_sum *slices; // Kept ones of every probe, one after another.
    double *values;               // Of every part.
};

static const struct ekb_slice_sum *probe_of(const struct workspace *work, size_t probe)
{
    return work->slices + probe * work->num_slices;
}

static size_t fill_values(double *values, const struct workspace *work, enum part part)
{
    double repeats[EKB_TALLY_NUM_REPEATS];
    if (part != PURPOSE_SLOPE) {
        return ekb_replicate_differences(values, NULL, probe_of(work, parts[part].probe),
                                         probe_of(work, EKB_TALLY_PROBE_EMPTY), work->num_slices);
    }
    for (size_t i = 0; i < EKB_TALLY_NUM_REPEATS; i++) {
        repeats[i] = ekb_tally_repeats[i];
    }
    const struct ekb_slice_arms arms = {.slices = probe_of(work, EKB_TALLY_PROBE_REPEATS),
                                        .num_slices = work->num_slices,
                                        .x = repeats,
                                        .num_arms = EKB_TALLY_NUM_REPEATS};
    return ekb_replicate_slopes(values, NULL, &arms);
}

static enum ekb_err add_parts(struct ekb_record *record, const struct workspace *work,
                              const char *stage_name)
{
    enum ekb_err err = EKB_OK;
    for (unsigned part = 0; part < NUM_PARTS && err == EKB_OK; part++) {
        double *values = work->values + part * work->num_slices;
        struct ekb_contrast contrast = {.values = values,
                                        .num_values = fill_values(values, work, (enum part)part)};
        const struct ekb_effect_label label = {
            .question = EKB_EFFECT_COMPONENT,
            .contrast = parts[part].contrast,
            .stage = stage_name,
            .metric = parts[part].metric,
            .unit = "ns",
            .method =
                "timers inside of verification, by slice, Hodges-Lehmann, signed-rank interval",
        };
        err = ekb_verdict_decide(&contrast, 1, false);
        if (err == EKB_OK) {
            err = ekb_effects_append(record, &label, &contrast);
        }
    }
    return err;
}

enum ekb_err ekb_component_add(struct ekb_record *record, const struct ekb_plan_stage *plan,
                               const struct ekb_stage *stage)
{
    const size_t num_slices = stage->timeline.num_slices;
    struct workspace work = {
        .num_slices = num_slices,
        .slices = calloc(EKB_TALLY_NUM_PROBES * num_slices + 1, sizeof work.slices[0]),
        .values = calloc(NUM_PARTS * num_slices + 1, sizeof work.values[0]),
    };
    enum ekb_err err = work.slices != NULL && work.values != NULL ? EKB_OK : EKB_NOMEM;
    for (size_t i = 0; i < EKB_TALLY_NUM_PROBES && err == EKB_OK; i++) {
        ekb_assemble_kept_slices(work.slices + i * num_slices, stage,
                                 stage->server.tally->probes[i], EKB_SLICE_MEASURED);
    }
    if (err == EKB_OK && ekb_plan_arm_index(plan, EKB_PLAN_PROBE_ARM) >= 0) {
        err = add_parts(record, &work, plan->name);
    }
    free(work.values);
    free(work.slices);
    return err;
}
