#include "cli/compare.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/file.h"
#include "ekubench/base/process.h"
#include "ekubench/lab/instructions.h"
#include "ekubench/lab/plan.h"
#include "ekubench/peer/sequence.h"
#include "ekubench/stat/check.h"
#include "ekubench/stat/rank.h"
#include "ekubench/stat/replicate.h"
#include "ekubench/stat/verdict.h"
#include "ekubench/stat/words.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEED UINT64_C(1)

// A run takes three seconds; one that takes so long hangs.
#define MAX_RUN_NS (180 * EKB_NS_PER_S)

// One of the two that are compared: a program with the plan that it measures by.
struct side {
    const char *binary;
    const char *plan;
};

// What is compared of one run of a plan.
enum quantity {
    SERVER_CPU,
    CLIENT_CPU,
    WALL,
    NUM_QUANTITIES
};

static const char *const quantity_names[NUM_QUANTITIES] = {
    [SERVER_CPU] = "server CPU per handshake, kernel included",
    [CLIENT_CPU] = "client CPU per handshake, kernel included",
    [WALL] = "time per handshake (inverse of the rate)",
};

// One run of one binary.
struct run {
    bool clean;
    double values[NUM_QUANTITIES]; // ns
};

static double stage_cpu(json_t *root, const char *side)
{
    json_t *stages = json_object_get(json_object_get(json_object_get(root, "cpu"), side), "stages");
    return json_number_value(json_object_get(json_array_get(stages, 0), "per_handshake_ns"));
}

static enum ekb_err read_run(struct run *out_run, const char *file, const struct side *side,
                             struct ekb_fail *reterr_fail)
{
    json_error_t error;
    json_t *root = json_load_file(file, 0, &error);
    if (root == NULL) {
        return ekb_fail_set(reterr_fail, EKB_PARSE, 0, "the result of %s measure --plan %s",
                            side->binary, side->plan);
    }
    json_t *rate = json_array_get(json_object_get(root, "throughput"), 0);
    const double per_s = json_number_value(json_object_get(rate, "accepted_per_s"));
    out_run->values[SERVER_CPU] = stage_cpu(root, "server");
    out_run->values[CLIENT_CPU] = stage_cpu(root, "client");
    out_run->values[WALL] = per_s > 0 ? 1e9 / per_s : 0;
    out_run->clean = json_is_true(json_object_get(json_object_get(root, "validity"), "clean")) &&
                     out_run->values[SERVER_CPU] > 0 && out_run->values[CLIENT_CPU] > 0 &&
                     out_run->values[WALL] > 0;
    json_decref(root);
    return EKB_OK;
}

// wait_for waits for a run to end and stores its exit status.
static enum ekb_err wait_for(int *out_status, pid_t pid, const struct side *side,
                             const volatile sig_atomic_t *stop, struct ekb_fail *reterr_fail)
{
    int status = 0;
    const enum ekb_err err = ekb_process_wait(&status, pid, MAX_RUN_NS, stop);
    if (err == EKB_STOPPED || *stop != 0) {
        return ekb_fail_set(reterr_fail, EKB_STOPPED, 0, "comparing");
    }
    if (err != EKB_OK) {
        return ekb_fail_say(reterr_fail, EKB_UNSUPPORTED,
                            "%s measure --plan %s took longer than %u s and was ended",
                            side->binary, side->plan, (unsigned)(MAX_RUN_NS / EKB_NS_PER_S));
    }
    if (!WIFEXITED(status) ||
        (WEXITSTATUS(status) != EKB_EXIT_OK && WEXITSTATUS(status) != EKB_EXIT_ENVIRONMENT)) {
        return ekb_fail_set(reterr_fail, EKB_UNSUPPORTED, 0, "%s measure --plan %s does not work",
                            side->binary, side->plan);
    }
    *out_status = WEXITSTATUS(status);
    return EKB_OK;
}

// take_run reads what a run left behind. One that could not measure leaves nothing.
static enum ekb_err take_run(struct run *out_run, const struct side *side, const char *file,
                             int status, struct ekb_fail *reterr_fail)
{
    if (access(file, F_OK) == 0) {
        const enum ekb_err err = read_run(out_run, file, side, reterr_fail);
        out_run->clean = out_run->clean && status == EKB_EXIT_OK;
        return err;
    }
    *out_run = (struct run){.clean = false};
    return status != EKB_EXIT_OK
               ? EKB_OK
               : ekb_fail_say(reterr_fail, EKB_UNSUPPORTED,
                              "%s measure --plan %s succeeds, but writes no result.json",
                              side->binary, side->plan);
}

// run_once measures one side into `directory`. A run that is not clean is no error.
static enum ekb_err run_once(struct run *out_run, const struct side *side, const char *directory,
                             const volatile sig_atomic_t *stop, struct ekb_fail *reterr_fail)
{
    char file[4096];
    pid_t pid = 0;
    int status = 0;
    const char *const words[] = {side->binary, "measure", "--plan", side->plan,
                                 "-o",         directory, NULL};
    (void)snprintf(file, sizeof file, "%s/result.json", directory);
    // What is read afterwards is this run's or nobody's.
    if (unlink(file) != 0 && errno != ENOENT) {
        return ekb_fail_set(reterr_fail, EKB_SYSTEM, errno, "%s", file);
    }
    enum ekb_err err = ekb_process_start(&pid, words, NULL, reterr_fail);
    if (err == EKB_OK) {
        err = wait_for(&status, pid, side, stop, reterr_fail);
    }
    return err == EKB_OK ? take_run(out_run, side, file, status, reterr_fail) : err;
}

// The times of all quadruples.
struct times {
    double *contrasts[NUM_QUANTITIES]; // ln(new / base)
    double *controls[NUM_QUANTITIES];  // ln of one base to the other, in an order drawn by lot.
    double sums[NUM_QUANTITIES][2];    // Of the bases, of the news.
    size_t num;
    size_t num_dropped;
    double *memory;
};

static enum ekb_err times_init(struct times *times, uint32_t num_quadruples)
{
    *times = (struct times){.num = 0};
    times->memory = calloc((size_t)2 * NUM_QUANTITIES * num_quadruples + 1, sizeof(double));
    for (size_t i = 0; i < NUM_QUANTITIES && times->memory != NULL; i++) {
        times->contrasts[i] = times->memory + (2 * i) * num_quadruples;
        times->controls[i] = times->memory + (2 * i + 1) * num_quadruples;
    }
    return times->memory != NULL ? EKB_OK : EKB_NOMEM;
}

// add_quadruple adds four runs in their order; the whole quadruple is dropped if one was disturbed.
static void add_quadruple(struct times *times, const struct run runs[EKB_QUADRUPLE_LEN],
                          const struct ekb_quadruple *quadruple)
{
    for (size_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
        if (!runs[i].clean) {
            times->num_dropped++;
            return;
        }
    }
    for (size_t q = 0; q < NUM_QUANTITIES; q++) {
        double values[EKB_QUADRUPLE_LEN];
        double control = 0;
        for (size_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
            const enum ekb_quadruple_arm arm = quadruple->arms[i];
            values[i] = log(runs[i].values[q]);
            times->sums[q][arm == EKB_QUADRUPLE_B ? 1 : 0] += runs[i].values[q];
            control += arm == EKB_QUADRUPLE_TWIN ? values[i]
                       : arm == EKB_QUADRUPLE_A  ? -values[i]
                                                 : 0;
        }
        times->contrasts[q][times->num] =
            ekb_replicate_quadruple(values, quadruple->begins_with_b ? 1 : 0);
        times->controls[q][times->num] = control;
    }
    times->num++;
}

// widen adds what the A/A control shows to the change, on both sides: as much as that may be the
// fault of the apparatus.
static void widen(struct ekb_estimate *change, const struct times *times, size_t q)
{
    struct ekb_estimate control;
    if (ekb_rank_estimate(&control, times->controls[q], times->num,
                          EKB_VERDICT_CONTROL_CONFIDENCE) == EKB_OK) {
        const double most = fmax(fabs(control.low), fabs(control.high));
        change->low -= most;
        change->high += most;
    }
}

static void to_percent(struct ekb_estimate *change)
{
    change->estimate = 100.0 * expm1(change->estimate);
    change->low = 100.0 * expm1(change->low);
    change->high = 100.0 * expm1(change->high);
}

// measure_row stores the change of one quantity, or returns why it is withheld. A control that
// differs by less than matters withholds nothing: the change with that on top of it is still within
// the limit.
static const char *measure_row(struct ekb_compare_row *row, const struct times *times, size_t q,
                               double limit_percent)
{
    if (!ekb_verdict_control_is_possible(times->num) ||
        ekb_rank_estimate(&row->change, times->contrasts[q], times->num, 0.95) != EKB_OK) {
        return "too few undisturbed quadruples for the A/A control";
    }
    const bool differs = ekb_verdict_control_differs(times->controls[q], times->num);
    if (differs) {
        widen(&row->change, times, q);
    }
    to_percent(&row->change);
    return differs && (row->change.low <= -limit_percent || row->change.high >= limit_percent)
               ? "the A/A control shows a difference where there is none"
               : NULL;
}

static void add_time_rows(struct ekb_comparison *comparison, const struct times *times,
                          const struct ekb_compare_wish *wish)
{
    if (!ekb_verdict_control_is_possible(times->num)) {
        ekb_compare_add_note(
            comparison,
            "%zu quadruples of runs could be used, and %u are needed: the verdicts "
            "on times are withheld",
            times->num, EKB_COMPARE_MIN_QUADRUPLES);
    }
    struct ekb_compare_row rows[NUM_QUANTITIES];
    double p[NUM_QUANTITIES];
    size_t num_rows = 0;
    for (size_t q = 0; q < NUM_QUANTITIES; q++) {
        struct ekb_compare_row *row = &rows[num_rows];
        *row = (struct ekb_compare_row){.unit = "ns",
                                        .base = times->sums[q][0] / (2.0 * (double)times->num),
                                        .now = times->sums[q][1] / (2.0 * (double)times->num)};
        (void)snprintf(row->name, sizeof row->name, "%s", quantity_names[q]);
        const char *reason = measure_row(row, times, q, wish->time_percent);
        if (reason == NULL &&
            ekb_rank_test(&p[num_rows], times->contrasts[q], times->num) != EKB_OK) {
            reason = "out of memory";
        }
        if (reason == NULL) {
            num_rows++;
        } else {
            ekb_compare_add_withheld(comparison, row, reason, wish);
        }
    }
    ekb_compare_adjust(rows, p, num_rows);
    for (size_t i = 0; i < num_rows; i++) {
        ekb_compare_add_interval(comparison, &rows[i], wish);
    }
}

// judge_times fills the rows, if enough of the quadruples were undisturbed.
static enum ekb_err judge_times(struct ekb_comparison *comparison, const struct times *times,
                                const struct ekb_compare_wish *wish, struct ekb_fail *reterr_fail)
{
    if (ekb_check_too_many_dropped(times->num_dropped, wish->num_quadruples)) {
        return ekb_fail_set(reterr_fail, EKB_DISTURBED, 0,
                            "%zu of %u quadruples of runs were disturbed, more than %g %%",
                            times->num_dropped, (unsigned)wish->num_quadruples,
                            EKB_CHECK_MAX_DROPPED_PERCENT);
    }
    if (times->num_dropped > 0) {
        ekb_compare_add_note(comparison, "%zu of %u quadruples of runs were disturbed and left out",
                             times->num_dropped, (unsigned)wish->num_quadruples);
    }
    add_time_rows(comparison, times, wish);
    return EKB_OK;
}

static enum ekb_err run_quadruples(struct times *times, const struct side sides[2],
                                   const char *directory, const struct ekb_compare_wish *wish,
                                   const volatile sig_atomic_t *stop, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (uint32_t q = 0; q < wish->num_quadruples && err == EKB_OK; q++) {
        const struct ekb_quadruple quadruple = ekb_quadruple_make(SEED, q);
        struct run runs[EKB_QUADRUPLE_LEN] = {{.clean = false}};
        for (size_t i = 0; i < EKB_QUADRUPLE_LEN && err == EKB_OK; i++) {
            err = run_once(&runs[i], &sides[quadruple.arms[i] == EKB_QUADRUPLE_B ? 1 : 0],
                           directory, stop, reterr_fail);
        }
        if (err == EKB_OK) {
            add_quadruple(times, runs, &quadruple);
            ekb_cli_say("quadruple %u of %u", (unsigned)q + 1, (unsigned)wish->num_quadruples);
        }
    }
    return err;
}

static enum ekb_err compare_times(struct ekb_comparison *comparison, const struct side sides[2],
                                  const struct ekb_compare_wish *wish,
                                  const volatile sig_atomic_t *stop, struct ekb_fail *reterr_fail)
{
    char *directory = NULL;
    struct times times = {.memory = NULL};
    enum ekb_err err = ekb_file_make_temporary(&directory, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    err = times_init(&times, wish->num_quadruples);
    if (err == EKB_OK) {
        err = run_quadruples(&times, sides, directory, wish, stop, reterr_fail);
    }
    if (err == EKB_OK) {
        err = judge_times(comparison, &times, wish, reterr_fail);
    }
    free(times.memory);
    ekb_file_remove_tree(directory);
    free(directory);
    return err;
}

// count_side counts the instructions of a program, as a side of two results.
static enum ekb_err count_side(struct ekb_compare_side *out_side, const char *binary,
                               const volatile sig_atomic_t *stop, struct ekb_fail *reterr_fail)
{
    struct ekb_instructions counts;
    ekb_cli_say("counting the instructions of %s", binary);
    const enum ekb_err err =
        ekb_instructions_count(&counts, binary, EKB_INSTRUCTIONS_HANDSHAKES, stop, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    *out_side = (struct ekb_compare_side){.clean = true};
    (void)snprintf(out_side->label, sizeof out_side->label, "%s", binary);
    ekb_compare_clean(out_side->label);
    for (size_t i = 0; i < EKB_NUM_COUNT_SCENARIOS; i++) {
        for (unsigned part = 0; part < EKB_COUNT_NUM_PARTS; part++) {
            struct ekb_compare_value *value = &out_side->values[out_side->num_values++];
            value->exact = true;
            value->estimate.estimate = counts.counts[i][part];
            (void)snprintf(value->name, sizeof value->name, "instructions %s %s",
                           ekb_count_scenarios[i].name,
                           ekb_count_part_name((enum ekb_count_part)part));
        }
    }
    return EKB_OK;
}

// compare_instructions fills the comparison with the counts of both.
static enum ekb_err compare_instructions(struct ekb_comparison *out_comparison,
                                         const char *const binaries[2],
                                         const struct ekb_compare_wish *wish,
                                         const volatile sig_atomic_t *stop,
                                         struct ekb_fail *reterr_fail)
{
    struct ekb_compare_side *sides = calloc(2, sizeof sides[0]);
    enum ekb_err err = EKB_OK;
    if (sides == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "instructions");
    }
    for (size_t i = 0; i < 2 && err == EKB_OK; i++) {
        err = count_side(&sides[i], binaries[i], stop, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_compare_sides(out_comparison, &sides[0], &sides[1], wish, reterr_fail);
    }
    free(sides);
    return err;
}

// require_rows fails if nothing could be said.
static enum ekb_err require_rows(const struct ekb_comparison *comparison,
                                 struct ekb_fail *reterr_fail)
{
    return comparison->num_rows > 0
               ? EKB_OK
               : ekb_fail_set(reterr_fail, EKB_DISTURBED, 0, "%s",
                              comparison->num_notes > 0 ? comparison->notes[0]
                                                        : "nothing was measured");
}

// add_times compares times beside what was counted, which is true though the machine be disturbed.
static enum ekb_err add_times(struct ekb_comparison *comparison, const struct side sides[2],
                              const struct ekb_compare_wish *wish,
                              const volatile sig_atomic_t *stop, struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {0};
    const enum ekb_err err = compare_times(comparison, sides, wish, stop, &fail);
    if (err == EKB_DISTURBED && comparison->num_rows > 0) {
        comparison->disturbed = true;
        ekb_compare_add_note(comparison, "there is no valid answer on times: %s", fail.detail);
        return EKB_OK;
    }
    if (reterr_fail != NULL) {
        *reterr_fail = fail;
    }
    return err;
}

enum ekb_err ekb_compare_run_binaries(struct ekb_comparison *out_comparison, const char *base,
                                      const char *now, const struct ekb_compare_wish *wish,
                                      struct ekb_fail *reterr_fail)
{
    const char *const binaries[2] = {base, now};
    const struct side sides[2] = {{base, EKB_PLAN_COMPARE}, {now, EKB_PLAN_COMPARE}};
    const volatile sig_atomic_t *stop = ekb_cli_stop_flag();
    enum ekb_err err = EKB_OK;
    *out_comparison = (struct ekb_comparison){.num_rows = 0};
    for (size_t i = 0; i < 2; i++) {
        if (access(binaries[i], X_OK) != 0) {
            return ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "%s %s", binaries[i],
                                errno == EACCES ? "cannot be executed" : "cannot be found");
        }
    }
    if (wish->with_instructions) {
        err = compare_instructions(out_comparison, binaries, wish, stop, reterr_fail);
    }
    if (err == EKB_OK && wish->with_times) {
        err = add_times(out_comparison, sides, wish, stop, reterr_fail);
    }
    return err == EKB_OK ? require_rows(out_comparison, reterr_fail) : err;
}

// Plans.

// check_plan sees that the file is a plan that can be run again and again.
static enum ekb_err check_plan(const char *path, struct ekb_fail *reterr_fail)
{
    struct ekb_plan plan;
    const enum ekb_err err = ekb_cli_read_plan(&plan, path, reterr_fail);
    if (err == EKB_OK && strcmp(plan.name, EKB_PLAN_COMPARE) != 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "%s: a run of the plan %s takes %.0f s; two plans are compared by many "
                            "short runs: write plan = compare",
                            path, plan.name, (double)ekb_plan_duration_ns(&plan) / 1e9);
    }
    return err;
}

enum ekb_err ekb_compare_run_plans(struct ekb_comparison *out_comparison, const char *base,
                                   const char *now, const struct ekb_compare_wish *wish,
                                   struct ekb_fail *reterr_fail)
{
    char *const paths[2] = {realpath(base, NULL), realpath(now, NULL)};
    const struct side sides[2] = {{"/proc/self/exe", paths[0]}, {"/proc/self/exe", paths[1]}};
    enum ekb_err err = EKB_OK;
    *out_comparison = (struct ekb_comparison){.num_rows = 0};
    for (size_t i = 0; i < 2 && err == EKB_OK; i++) {
        err = paths[i] == NULL ? ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "%s cannot be found",
                                              i == 0 ? base : now)
                               : check_plan(paths[i], reterr_fail);
    }
    if (err == EKB_OK) {
        err = compare_times(out_comparison, sides, wish, ekb_cli_stop_flag(), reterr_fail);
    }
    free(paths[0]);
    free(paths[1]);
    return err == EKB_OK ? require_rows(out_comparison, reterr_fail) : err;
}

// Stores.

static void add_store_row(struct ekb_comparison *comparison, const struct ekb_record *record,
                          const char *name, const char *metric, double level,
                          const struct ekb_compare_wish *wish)
{
    for (size_t i = 0; i < record->num_effects && level > 0; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        if (strcmp(effect->question, EKB_EFFECT_STORES) != 0 ||
            strcmp(effect->metric, metric) != 0) {
            continue;
        }
        const double scale = 100.0 / level;
        struct ekb_compare_row row = {
            .base = level,
            .now = level + effect->estimate.estimate,
            .change = {effect->estimate.estimate * scale, effect->estimate.low * scale,
                       effect->estimate.high * scale, effect->estimate.n}};
        (void)snprintf(row.name, sizeof row.name, "%s", name);
        (void)snprintf(row.unit, sizeof row.unit, "%s",
                       strcmp(metric, EKB_METRIC_WIRE) == 0 ? "" : "ns");
        ekb_compare_add_interval(comparison, &row, wish);
    }
}

enum ekb_err ekb_compare_run_stores(struct ekb_comparison *out_comparison, const char *base,
                                    const char *now, const struct ekb_compare_wish *wish,
                                    struct ekb_fail *reterr_fail)
{
    struct ekb_plan plan;
    struct ekb_record record;
    const struct ekb_cli_job job = {.run = ekb_cli_measure_plan, .what = &plan};
    *out_comparison = (struct ekb_comparison){.num_rows = 0};
    ekb_plan_stores(&plan, base, now, SEED);
    const enum ekb_err err = ekb_cli_run(&record, &job, reterr_fail);
    const struct ekb_record_arm *arm =
        err == EKB_OK ? ekb_record_find_arm(&record, EKB_STAGE_COST, "on-d1") : NULL;
    if (arm != NULL) {
        add_store_row(out_comparison, &record, "server CPU per handshake", EKB_METRIC_SERVER_CPU,
                      arm->server_cpu_interval.estimate, wish);
        add_store_row(out_comparison, &record, "client CPU per handshake", EKB_METRIC_CLIENT_CPU,
                      arm->client_cpu_interval.estimate, wish);
        add_store_row(out_comparison, &record, "bytes on the wire", EKB_METRIC_WIRE,
                      arm->client_sent_bytes.value + arm->server_sent_bytes.value, wish);
    }
    for (size_t i = 0; i < record.num_reasons; i++) {
        ekb_compare_add_note(out_comparison, "not clean: %s", record.reasons[i]);
    }
    const bool clean = ekb_record_is_clean(&record);
    if (err == EKB_OK && !clean && !wish->force) {
        (void)ekb_fail_set(reterr_fail, EKB_DISTURBED, 0, "%s",
                           record.num_reasons > 0 ? record.reasons[0] : "the run is not clean");
    }
    ekb_record_deinit(&record);
    if (err != EKB_OK) {
        return err;
    }
    return clean || wish->force ? require_rows(out_comparison, reterr_fail) : EKB_DISTURBED;
}
