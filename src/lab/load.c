#include "ekubench/lab/load.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/assemble.h"

#include <stdio.h>

#define STAGE_NAME "load"
// Slices short enough for a rate over time, and not more than a tally should hold.
#define MIN_SLICE_NS (100 * EKB_NS_PER_MS)
#define MAX_SLICES 10000

static struct ekb_timeline make_timeline(const struct ekb_load_settings *settings)
{
    const uint64_t total_ns = settings->warmup_ns + settings->duration_ns;
    uint64_t slice_ns = total_ns / MAX_SLICES + 1;
    slice_ns = slice_ns < MIN_SLICE_NS ? MIN_SLICE_NS : slice_ns;
    const uint64_t num_warmup = (settings->warmup_ns + slice_ns - 1) / slice_ns;
    const uint64_t num_measured = (settings->duration_ns + slice_ns - 1) / slice_ns;
    return (struct ekb_timeline){.slice_ns = slice_ns,
                                 .num_slices = (uint32_t)(num_warmup + num_measured),
                                 .num_warmup = (uint32_t)num_warmup};
}

static void describe(struct ekb_record *record, const struct ekb_load_settings *settings)
{
    EKB_RECORD_COPY(record->plan.name, "load");
    EKB_RECORD_COPY(record->plan.tls, ekb_tls_version_name(settings->arm.version));
    EKB_RECORD_COPY(record->plan.groups, EKB_TLS_GROUPS);
    EKB_RECORD_COPY(record->plan.target, settings->target_text);
    EKB_RECORD_COPY(record->plan.confirm, settings->confirm == EKB_CONFIRM_BYTE ? "byte" : "none");
    record->plan.client_workers = 1;
    record->plan.deadline_ns = settings->deadline_ns;
}

static struct ekb_record_stage label_stage(const struct ekb_load_settings *settings,
                                           const struct ekb_timeline *timeline)
{
    struct ekb_record_stage label = {
        .in_flight = settings->in_flight,
        .warmup_ns = timeline->num_warmup * timeline->slice_ns,
        .duration_ns = (timeline->num_slices - timeline->num_warmup) * timeline->slice_ns,
        .slice_ns = timeline->slice_ns,
    };
    EKB_RECORD_COPY(label.name, STAGE_NAME);
    EKB_RECORD_COPY(label.shape, "closed-loop");
    EKB_RECORD_COPY(label.client, settings->arm.kind == EKB_CLIENT_FULL ? "full" : "cheap");
    return label;
}

enum ekb_err ekb_load_run(struct ekb_record *out_record, const struct ekb_load_settings *settings,
                          const struct ekb_session_control *control, struct ekb_fail *reterr_fail)
{
    const struct ekb_session session = ekb_session_begin(out_record, "load");
    const struct ekb_timeline timeline = make_timeline(settings);
    struct ekb_session_progress progress = {.control = control, .stage = STAGE_NAME};
    const struct ekb_stage_control stage_control = ekb_session_stage_control(&progress);
    struct ekb_client_options client = {
        .arms = &settings->arm,
        .num_arms = 1,
        .in_flight = settings->in_flight,
        .max_starts = settings->max_starts,
        .deadline_ns = settings->deadline_ns,
        .seed = 1,
        .confirm = settings->confirm,
    };
    struct ekb_stage stage = {0};
    describe(out_record, settings);
    enum ekb_err err = ekb_client_check(&client, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_stage_run(&stage, NULL, &client, &timeline, &stage_control, reterr_fail);
    }
    if (err == EKB_OK) {
        const struct ekb_record_stage label = label_stage(settings, &timeline);
        struct ekb_record_arm arm = {0};
        EKB_RECORD_COPY(arm.name, "load");
        EKB_RECORD_COPY(arm.tls, ekb_tls_version_name(settings->arm.version));
        EKB_RECORD_COPY(arm.expect, "accept");
        EKB_RECORD_COPY(out_record->plan.cipher, stage.client.tally->cipher);
        if (ekb_assemble_stage(out_record, &stage, &label, &arm) != EKB_OK) {
            err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "result");
        }
    }
    ekb_stage_deinit(&stage);
    ekb_session_end(&session, out_record);
    return err;
}
