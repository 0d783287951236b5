#include "ekubench/lab/load.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/assemble.h"
#include "ekubench/lab/open_loop.h"
#include "ekubench/lab/preflight.h"
#include "ekubench/store/identities.h"
#include "ekubench/store/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define STAGE_NAME "load"
// Slices short enough for a rate over time, and not more than a tally should hold.
#define MIN_SLICE_NS (100 * EKB_NS_PER_MS)
// Of fewer, chance may take all.
#define MIN_TO_RESUME 10.0
#define MAX_SLICES 10000

// The arms of a load, those of shares in their order.
enum {
    ARM_FULL,
    ARM_RESUMED,
    ARM_REJECTED,
    MAX_ARMS
};
struct arms {
    struct ekb_client_arm arms[MAX_ARMS];
    const char *names[MAX_ARMS];
    size_t num;
};

// in_flight_of returns how many can be in flight: no more than there are.
static uint32_t in_flight_of(const struct ekb_load_settings *settings)
{
    const bool is_fewer = settings->max_starts > 0 && settings->max_starts < settings->in_flight;
    return is_fewer ? (uint32_t)settings->max_starts : settings->in_flight;
}

static struct ekb_timeline make_timeline(const struct ekb_load_settings *settings)
{
    const uint64_t total_ns = settings->warmup_ns + settings->duration_ns;
    uint64_t slice_ns = total_ns / MAX_SLICES + 1;
    slice_ns = slice_ns < MIN_SLICE_NS ? MIN_SLICE_NS : slice_ns;
    const uint64_t num_warmup = (settings->warmup_ns + slice_ns - 1) / slice_ns;
    const uint64_t num_measured = (settings->duration_ns + slice_ns - 1) / slice_ns;
    return (struct ekb_timeline){
        .slice_ns = slice_ns,
        .num_slices = (uint32_t)(num_warmup + num_measured),
        .num_warmup = (uint32_t)num_warmup,
        .interval_ns = ekb_series_interval_ns((num_warmup + num_measured) * slice_ns)};
}

static void describe(struct ekb_record *record, const struct ekb_load_settings *settings)
{
    EKB_RECORD_COPY(record->plan.name, "load");
    EKB_RECORD_COPY(record->plan.tls, ekb_tls_version_name(settings->arm.version));
    EKB_RECORD_COPY(record->plan.groups, ekb_tls_preferences_groups(&settings->arm.preferences));
    EKB_RECORD_COPY(record->plan.target, settings->target_text);
    EKB_RECORD_COPY(record->plan.confirm, ekb_confirm_name(settings->confirm));
    record->plan.seed = settings->seed;
    record->plan.client_workers = settings->num_workers;
    record->plan.deadline_ns = settings->deadline_ns;
}

static struct ekb_record_stage label_stage(const struct ekb_load_settings *settings,
                                           const struct ekb_timeline *timeline)
{
    struct ekb_record_stage label = {
        .in_flight = in_flight_of(settings),
        .ramp_ns = settings->ramp_ns,
        .warmup_ns = timeline->num_warmup * timeline->slice_ns,
        .duration_ns = (timeline->num_slices - timeline->num_warmup) * timeline->slice_ns,
        .slice_ns = timeline->slice_ns,
    };
    EKB_RECORD_COPY(label.name, STAGE_NAME);
    EKB_RECORD_COPY(label.shape, settings->num_stretches > 0 ? "open-loop" : "closed-loop");
    EKB_RECORD_COPY(label.client, settings->arm.kind == EKB_CLIENT_FULL ? "full" : "cheap");
    return label;
}

static struct ekb_client_arm *add_arm(struct arms *arms, const struct ekb_client_arm *like,
                                      const char *name, double share)
{
    struct ekb_client_arm *arm = &arms->arms[arms->num];
    *arm = *like;
    arm->share = share;
    arms->names[arms->num++] = name;
    return arm;
}

// make_arms divides the load by its shares. Rejected clients present the other store's certificate,
// or none, and trust what the others trust.
static void make_arms(struct arms *arms, const struct ekb_load_settings *settings)
{
    const double resumes = settings->resume_share;
    const double rejected = settings->reject_share;
    const bool is_divided = resumes > 0 || rejected > 0;
    struct ekb_client_arm *arm = add_arm(arms, &settings->arm, is_divided ? "full" : STAGE_NAME,
                                         is_divided ? (1 - rejected) * (1 - resumes) : 0);
    arm->keeps_sessions = resumes > 0;
    if (resumes > 0) {
        arm = add_arm(arms, &settings->arm, "resumed", (1 - rejected) * resumes);
        arm->resumes = true;
        arm->session_arm = ARM_FULL;
    }
    if (!(rejected > 0)) {
        return;
    }
    arm = add_arm(arms, &settings->arm, "rejected", rejected);
    arm->expect = EKB_EXPECT_REJECT;
    arm->identities = NULL;
    arm->store_path = settings->reject_store;
    arm->trust_store = settings->arm.store_path;
}

// label_identity describes a chain, to which the root does not belong: it is not sent.
static void label_identity(struct ekb_record_arm *label, const struct ekb_identity *identity)
{
    char eku[EKB_EKU_TEXT_LEN];
    label->depth = ekb_chain_len(identity->chain);
    EKB_RECORD_COPY(label->client_eku, ekb_eku_format(eku, ekb_chain_eku(identity->chain, 0)));
    EKB_RECORD_COPY(label->key, ekb_key_type_name(ekb_key_type_of(identity->key)));
}

// label_identities describes those of a directory by the first of them.
static enum ekb_err label_identities(struct ekb_record_arm *label, const struct ekb_client_arm *arm,
                                     struct ekb_fail *reterr_fail)
{
    char rule[EKB_PICK_TEXT_LEN];
    struct ekb_identities identities = {.num = 0};
    const enum ekb_err err = ekb_identities_read(&identities, arm->identities, reterr_fail);
    if (err == EKB_OK) {
        label_identity(label, &identities.all[0]);
        label->identities = identities.num;
        EKB_RECORD_COPY(label->pick, ekb_pick_format(rule, &arm->pick));
    }
    ekb_identities_deinit(&identities);
    return err;
}

enum ekb_err ekb_load_label_arm(struct ekb_record_arm *label, const struct ekb_client_arm *arm,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    EKB_RECORD_COPY(label->name, STAGE_NAME);
    EKB_RECORD_COPY(label->tls, ekb_tls_version_name(arm->version));
    EKB_RECORD_COPY(label->expect, ekb_expect_name(arm->expect));
    label->resumes = arm->resumes;
    if (arm->identities != NULL) {
        return label_identities(label, arm, reterr_fail);
    }
    if (arm->store_path == NULL) {
        return EKB_OK;
    }
    const enum ekb_err err = ekb_store_load(&store, arm->store_path, 0, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_identity *identity = ekb_store_identity(store, EKB_STORE_CLIENT);
    if (identity->chain != NULL) {
        label_identity(label, identity);
        label->identities = 1;
    }
    ekb_store_destroy(store);
    return EKB_OK;
}

// what_is_needed says what the run will have open. Of an open loop as many may begin at once as its
// highest rate makes in a second.
static struct ekb_preflight_load what_is_needed(const struct ekb_load_settings *settings)
{
    double at_once = 0;
    for (size_t i = 0; i < settings->num_stretches; i++) {
        at_once = fmax(at_once,
                       fmax(settings->stretches[i].begin_per_s, settings->stretches[i].end_per_s));
    }
    return (struct ekb_preflight_load){
        .in_flight = in_flight_of(settings),
        .at_once = settings->num_stretches > 0 && at_once < in_flight_of(settings)
                       ? (uint64_t)at_once
                       : ekb_preflight_at_once(in_flight_of(settings), settings->ramp_ns),
        .client_workers = settings->num_workers > 0 ? settings->num_workers : 1,
        .is_loopback4 = ekb_address_is_loopback4(&settings->arm.target),
    };
}

// check_share says so if nothing was begun, or far fewer resumed than were to.
static void check_share(struct ekb_record *record, const struct ekb_load_settings *settings)
{
    uint64_t started = 0;
    uint64_t resumed = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        started += record->arms[i].client.started;
        resumed += record->arms[i].client.resumed;
    }
    if (started == 0) {
        ekb_record_add_reason(record, "no handshake was begun");
    }
    const double wanted = (1.0 - settings->reject_share) * settings->resume_share * (double)started;
    if (wanted >= MIN_TO_RESUME && (double)resumed < wanted / 2.0) {
        ekb_record_add_reason(
            record,
            "%llu handshakes resumed a session, where about %.0f should: does the server give "
            "tickets "
            "(ours does with --listen ...,resume=on), and are they waited for (--confirm)?",
            (unsigned long long)resumed, wanted);
    }
}

static uint64_t num_failed_by(const struct ekb_record *record, const char *name)
{
    uint64_t num = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_counts *failures = &record->arms[i].client.failures;
        for (size_t j = 0; j < failures->num_items; j++) {
            num += strcmp(failures->items[j].name, name) == 0 ? failures->items[j].count : 0;
        }
    }
    return num;
}

// check_verdicts says in words why none of the handshakes came to a verdict, if none did: there
// were too few for the client to give up.
static void check_verdicts(struct ekb_record *record)
{
    uint64_t most = 0;
    enum ekb_err commonest = EKB_OK;
    for (size_t i = 0; i < record->num_arms; i++) {
        if (record->arms[i].client.accepted + record->arms[i].client.rejected > 0) {
            return;
        }
    }
    for (unsigned err = EKB_OK + 1; err < EKB_ERR_COUNT; err++) {
        const uint64_t num = num_failed_by(record, ekb_err_name((enum ekb_err)err));
        commonest = num > most ? (enum ekb_err)err : commonest;
        most = num > most ? num : most;
    }
    if (most > 0) {
        ekb_record_add_reason(record, "no handshake came to a verdict: %s",
                              ekb_err_sentence(commonest));
    }
}

enum ekb_err ekb_load_run(struct ekb_record *out_record, const struct ekb_load_settings *settings,
                          const struct ekb_session_control *control, struct ekb_fail *reterr_fail)
{
    const struct ekb_session session = ekb_session_begin(out_record, "load");
    const struct ekb_timeline timeline = make_timeline(settings);
    struct ekb_session_progress progress = {.control = control, .stage = STAGE_NAME};
    struct ekb_stage_control stage_control = ekb_session_stage_control(&progress);
    const struct ekb_preflight_load needs = what_is_needed(settings);
    struct arms arms = {.num = 0};
    struct ekb_record_arm labels[MAX_ARMS] = {0};
    make_arms(&arms, settings);
    struct ekb_client_options client = {
        .arms = arms.arms,
        .num_arms = arms.num,
        .in_flight = in_flight_of(settings),
        .ramp_ns = settings->ramp_ns,
        .max_starts = settings->max_starts,
        .deadline_ns = settings->deadline_ns,
        .seed = settings->seed,
        .stretches = settings->num_stretches > 0 ? settings->stretches : NULL,
        .num_stretches = settings->num_stretches,
        .arrivals = settings->arrivals,
        .share = {.index = 0, .count = settings->num_workers},
        .confirm = settings->confirm,
    };
    struct ekb_stage stage = {0};
    describe(out_record, settings);
    stage_control.pin = &settings->pin;
    enum ekb_err err = ekb_preflight_pass(out_record, STAGE_NAME, &needs, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_client_check(&client, reterr_fail);
    }
    for (size_t i = 0; i < arms.num && err == EKB_OK; i++) {
        err = ekb_load_label_arm(&labels[i], &arms.arms[i], reterr_fail);
        EKB_RECORD_COPY(labels[i].name, arms.names[i]);
        if (out_record->plan.key[0] == '\0') {
            EKB_RECORD_COPY(out_record->plan.key, labels[i].key);
        }
    }
    if (err == EKB_OK) {
        err = ekb_stage_run(&stage, NULL, &client, &timeline, &stage_control, reterr_fail);
    }
    // Of a worker that died the others' results are left, and its own as far as it came.
    if (err == EKB_OK || (err == EKB_WORKER_DIED && stage.client.tally != NULL)) {
        const struct ekb_record_stage label = label_stage(settings, &timeline);
        ekb_assemble_negotiated(out_record, &stage);
        if (ekb_assemble_stage(out_record, &stage, &label, labels) != EKB_OK ||
            ekb_open_loop_add(out_record, &stage, &client) != EKB_OK) {
            err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "result");
        }
        check_share(out_record, settings);
        check_verdicts(out_record);
    }
    ekb_stage_deinit(&stage);
    ekb_session_end(&session, out_record);
    return err;
}
