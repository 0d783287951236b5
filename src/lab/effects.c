#include "ekubench/lab/effects.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/assemble.h"
#include "ekubench/stat/check.h"
#include "ekubench/stat/replicate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERENCE_METHOD "differences paired by slice, Hodges-Lehmann, signed-rank interval"
#define SLOPE_METHOD "least-squares slope in each slice, Hodges-Lehmann, signed-rank interval"
#define CURVATURE_METHOD                                                                           \
    "second-degree coefficient in each slice, Hodges-Lehmann, signed-rank interval"

enum metric {
    SERVER_CPU,
    CLIENT_CPU,
    WIRE,
    NUM_METRICS
};

static const struct {
    const char *name;
    const char *unit;
} metrics[NUM_METRICS] = {
    [SERVER_CPU] = {EKB_METRIC_SERVER_CPU, "ns"},
    [CLIENT_CPU] = {EKB_METRIC_CLIENT_CPU, "ns"},
    [WIRE] = {EKB_METRIC_WIRE, "bytes"},
};

enum kind {
    DIFFERENCE, // treated - control.
    SLOPE,      // Over the depths, of the arms that `treated` names by depth.
    CURVATURE,
};

struct row {
    enum kind kind;
    const char *treated;
    const char *control;
    const char *text; // NULL: "treated - control".
};

struct family {
    const char *question;
    enum metric metric;
    double equivalence;
    const struct row *rows;
    size_t num_rows;
};

static const struct row eku_rows[] = {
    {DIFFERENCE, "on-d1", "none-d1", NULL}, {DIFFERENCE, "off-d1", "none-d1", NULL},
    {DIFFERENCE, "on-d1", "off-d1", NULL},  {DIFFERENCE, "on-d2", "none-d2", NULL},
    {DIFFERENCE, "on-d3", "none-d3", NULL}, {DIFFERENCE, "on-d5", "none-d5", NULL},
};
_Static_assert(sizeof eku_rows / sizeof eku_rows[0] == EKB_EFFECT_EKU_FAMILY,
               "the pilot reckons with as many");
static const struct row ladder_rows[] = {
    {DIFFERENCE, "parse-d1", "one-way", NULL}, {DIFFERENCE, "none-d1", "parse-d1", NULL},
    {DIFFERENCE, "off-d1", "none-d1", NULL},   {DIFFERENCE, "on-d1", "off-d1", NULL},
    {DIFFERENCE, "name-d1", "on-d1", NULL},    {DIFFERENCE, "crl-d1", "name-d1", NULL},
};
static const struct row depth_rows[] = {
    {SLOPE, "on-d%u", NULL, EKB_CONTRAST_DEPTH_ON},
    {SLOPE, "off-d%u", NULL, EKB_CONTRAST_DEPTH_OFF},
    {SLOPE, "none-d%u", NULL, EKB_CONTRAST_DEPTH_NONE},
};
static const struct row server_depth_rows[] = {
    {SLOPE, EKB_PLAN_SERVER_DEPTH_ARM, NULL, EKB_CONTRAST_SERVER_DEPTH},
};
static const struct row client_linearity_rows[] = {
    {CURVATURE, "on-d%u", NULL, EKB_CONTRAST_CLIENT_CURVE},
};
static const struct row server_linearity_rows[] = {
    {CURVATURE, EKB_PLAN_SERVER_DEPTH_ARM, NULL, EKB_CONTRAST_SERVER_CURVE},
};
static const struct row timer_rows[] = {{DIFFERENCE, EKB_PLAN_PROBE_ARM, "on-d2", NULL}};
static const struct row reject_rows[] = {
    {DIFFERENCE, EKB_ARM_REJECT_EKU, EKB_ARM_ACCEPT, NULL},
    {DIFFERENCE, EKB_ARM_REJECT_CA, EKB_ARM_ACCEPT, NULL},
    {DIFFERENCE, EKB_ARM_REJECT_EXPIRED, EKB_ARM_ACCEPT, NULL},
    {DIFFERENCE, EKB_ARM_REJECT_REVOKED, EKB_ARM_ACCEPT_CRL, NULL},
    {DIFFERENCE, EKB_ARM_REJECT_NONE, EKB_ARM_ACCEPT, NULL},
};

static const struct row resumed_rows[] = {
    {DIFFERENCE, EKB_PLAN_RESUMED_ARM, "on-d1", NULL},
    {DIFFERENCE, EKB_PLAN_TICKETS_ARM, "on-d1", NULL},
};

static const struct row injected_rows[] = {
    {DIFFERENCE, "inject-1us", "on-d1", NULL},
    {DIFFERENCE, "inject-5us", "on-d1", NULL},
    {DIFFERENCE, "inject-20us", "on-d1", NULL},
};

static const struct row store_rows[] = {{DIFFERENCE, "other", "on-d1", NULL}};

#define ROWS(rows) rows, sizeof(rows) / sizeof(rows)[0]
static const struct family families[] = {
    {EKB_EFFECT_EKU, SERVER_CPU, EKB_EFFECT_EQUIVALENCE_NS, ROWS(eku_rows)},
    {EKB_EFFECT_LADDER, SERVER_CPU, EKB_EFFECT_EQUIVALENCE_NS, ROWS(ladder_rows)},
    {EKB_EFFECT_LADDER, CLIENT_CPU, EKB_EFFECT_EQUIVALENCE_NS, ROWS(ladder_rows)},
    {EKB_EFFECT_LADDER, WIRE, 0, ROWS(ladder_rows)},
    {EKB_EFFECT_DEPTH, SERVER_CPU, 0, ROWS(depth_rows)},
    {EKB_EFFECT_DEPTH, CLIENT_CPU, 0, ROWS(depth_rows)},
    {EKB_EFFECT_DEPTH, WIRE, 0, ROWS(depth_rows)},
    {EKB_EFFECT_SERVER_DEPTH, SERVER_CPU, 0, ROWS(server_depth_rows)},
    {EKB_EFFECT_SERVER_DEPTH, CLIENT_CPU, 0, ROWS(server_depth_rows)},
    {EKB_EFFECT_SERVER_DEPTH, WIRE, 0, ROWS(server_depth_rows)},
    {EKB_EFFECT_LINEARITY, SERVER_CPU, 0, ROWS(client_linearity_rows)},
    {EKB_EFFECT_LINEARITY, CLIENT_CPU, 0, ROWS(server_linearity_rows)},
    {EKB_EFFECT_TIMERS, SERVER_CPU, 0, ROWS(timer_rows)},
    {EKB_EFFECT_REJECT, SERVER_CPU, 0, ROWS(reject_rows)},
    {EKB_EFFECT_REJECT, CLIENT_CPU, 0, ROWS(reject_rows)},
    {EKB_EFFECT_RESUMED, SERVER_CPU, 0, ROWS(resumed_rows)},
    {EKB_EFFECT_RESUMED, CLIENT_CPU, 0, ROWS(resumed_rows)},
    {EKB_EFFECT_RESUMED, WIRE, 0, ROWS(resumed_rows)},
    {EKB_EFFECT_INJECTED, SERVER_CPU, 0, ROWS(injected_rows)},
    {EKB_EFFECT_STORES, SERVER_CPU, 0, ROWS(store_rows)},
    {EKB_EFFECT_STORES, CLIENT_CPU, 0, ROWS(store_rows)},
    {EKB_EFFECT_STORES, WIRE, 0, ROWS(store_rows)},
};

// Verdicts in words.

typedef const char *format_amount(char out_text[EKB_UNITS_TEXT_LEN], double amount);

static const char *format_plain(char out_text[EKB_UNITS_TEXT_LEN], double amount)
{
    (void)snprintf(out_text, EKB_UNITS_TEXT_LEN, "%.3g bytes", amount);
    return out_text;
}

static const char *format_percent(char out_text[EKB_UNITS_TEXT_LEN], double amount)
{
    (void)snprintf(out_text, EKB_UNITS_TEXT_LEN, "%.2f %%", amount);
    return out_text;
}

static format_amount *format_of(const char *unit)
{
    return strcmp(unit, "ns") == 0  ? ekb_units_format_ns
           : strcmp(unit, "%") == 0 ? format_percent
                                    : format_plain;
}

// write_change writes "slower by x [lo, hi]"; of bytes, "more".
static void write_change(struct ekb_record_effect *effect, const char *word, double sign)
{
    char estimate[EKB_UNITS_TEXT_LEN];
    char low[EKB_UNITS_TEXT_LEN];
    char high[EKB_UNITS_TEXT_LEN];
    format_amount *const format = format_of(effect->unit);
    const struct ekb_estimate *e = &effect->estimate;
    (void)snprintf(effect->verdict, sizeof effect->verdict, "%s by %s [%s, %s]", word,
                   format(estimate, sign * e->estimate), format(low, sign > 0 ? e->low : -e->high),
                   format(high, sign > 0 ? e->high : -e->low));
}

static void write_verdict(struct ekb_record_effect *effect, const struct ekb_contrast *contrast)
{
    char amount[EKB_UNITS_TEXT_LEN];
    format_amount *const format = format_of(effect->unit);
    const bool is_size = strcmp(effect->unit, "bytes") == 0;
    switch (contrast->verdict) {
    case EKB_VERDICT_SLOWER:
        write_change(effect, is_size ? "more" : "slower", 1);
        break;
    case EKB_VERDICT_FASTER:
        write_change(effect, is_size ? "less" : "faster", -1);
        break;
    case EKB_VERDICT_EQUIVALENT:
        (void)snprintf(effect->verdict, sizeof effect->verdict, "equivalent within %s",
                       format(amount, contrast->equivalence));
        break;
    case EKB_VERDICT_UNDETECTED:
        (void)snprintf(effect->verdict, sizeof effect->verdict,
                       "no detectable difference%s; smallest detectable %s",
                       contrast->only_alone ? " among so many contrasts (alone it would be one)"
                                            : "",
                       format(amount, contrast->mde));
        break;
    case EKB_VERDICT_NONE:
        (void)snprintf(effect->verdict, sizeof effect->verdict,
                       "no verdict: too few undisturbed replicates for one");
        break;
    case EKB_VERDICT_WITHHELD:
        (void)snprintf(effect->verdict, sizeof effect->verdict,
                       "withheld: the A/A control shows a difference");
        break;
    }
}

enum ekb_err ekb_effects_append(struct ekb_record *record, const struct ekb_effect_label *label,
                                const struct ekb_contrast *contrast)
{
    if (!contrast->known) {
        return EKB_OK;
    }
    struct ekb_record_effect *effects =
        realloc(record->effects, (record->num_effects + 1) * sizeof effects[0]);
    if (effects == NULL) {
        return EKB_NOMEM;
    }
    record->effects = effects;
    struct ekb_record_effect *effect = &effects[record->num_effects++];
    *effect = (struct ekb_record_effect){
        .estimate = contrast->estimate,
        .bootstrap = contrast->bootstrap,
        .p_adjusted = contrast->adjusted_p,
        .equivalence = contrast->equivalence,
        .mde = contrast->mde,
    };
    EKB_RECORD_COPY(effect->question, label->question);
    EKB_RECORD_COPY(effect->contrast, label->contrast);
    EKB_RECORD_COPY(effect->stage, label->stage);
    EKB_RECORD_COPY(effect->metric, label->metric);
    EKB_RECORD_COPY(effect->unit, label->unit);
    EKB_RECORD_COPY(effect->method, label->method);
    write_verdict(effect, contrast);
    return EKB_OK;
}

// From slices to contrasts.

struct workspace {
    const struct ekb_plan_stage *plan;
    size_t num_slices;
    size_t num_contrasts;
    size_t num_skewed;                         // Of them, those whose two estimators disagree.
    struct ekb_slice_sum *slices[NUM_METRICS]; // Kept ones of every arm, one arm after another.
    bool withheld[NUM_METRICS];
    bool controlled[NUM_METRICS]; // There are enough slices for an A/A control.
};

static const struct ekb_slice_sum *slices_of(const struct workspace *work, enum metric metric,
                                             const char *arm_name)
{
    const int arm = ekb_plan_arm_index(work->plan, arm_name);
    return arm < 0 ? NULL : work->slices[metric] + (size_t)arm * work->num_slices;
}

static size_t differences(double *out_values, const struct workspace *work, enum metric metric,
                          const struct row *row)
{
    const struct ekb_slice_sum *treated = slices_of(work, metric, row->treated);
    const struct ekb_slice_sum *control = slices_of(work, metric, row->control);
    return treated == NULL || control == NULL
               ? 0
               : ekb_replicate_differences(out_values, NULL, treated, control, work->num_slices);
}

// name_of_depth names the arm of the pattern that has `depth`. The arm with the shortest chain of
// the server is the one with the shortest of the client.
static void name_of_depth(char out_name[EKB_PLAN_NAME_LEN], const char *pattern, unsigned depth)
{
    const char *mark = strstr(pattern, "%u");
    if (strcmp(pattern, EKB_PLAN_SERVER_DEPTH_ARM) == 0 && depth == ekb_plan_depths[0]) {
        (void)snprintf(out_name, EKB_PLAN_NAME_LEN, "on-d%u", depth);
    } else {
        (void)snprintf(out_name, EKB_PLAN_NAME_LEN, "%.*s%u", (int)(mark - pattern), pattern,
                       depth);
    }
}

// over_depths gives slopes or curvatures over the arms of a pattern.
static enum ekb_err over_depths(double *out_values, size_t *out_num_values,
                                const struct workspace *work, enum metric metric,
                                const struct row *row)
{
    double x[EKB_PLAN_NUM_DEPTHS];
    struct ekb_slice_sum *slices = calloc(EKB_PLAN_NUM_DEPTHS * work->num_slices, sizeof slices[0]);
    const struct ekb_slice_arms arms = {
        .slices = slices, .num_slices = work->num_slices, .x = x, .num_arms = EKB_PLAN_NUM_DEPTHS};
    if (slices == NULL) {
        return EKB_NOMEM;
    }
    // An arm that is missing has empty slices, and so there are no values.
    for (size_t i = 0; i < EKB_PLAN_NUM_DEPTHS; i++) {
        char name[EKB_PLAN_NAME_LEN];
        name_of_depth(name, row->treated, ekb_plan_depths[i]);
        const struct ekb_slice_sum *arm = slices_of(work, metric, name);
        x[i] = ekb_plan_depths[i];
        if (arm != NULL) {
            memcpy(slices + i * work->num_slices, arm, work->num_slices * sizeof arm[0]);
        }
    }
    *out_num_values = row->kind == SLOPE ? ekb_replicate_slopes(out_values, NULL, &arms)
                                         : ekb_replicate_curvatures(out_values, NULL, &arms);
    free(slices);
    return EKB_OK;
}

#define MAX_ROWS EKB_PLAN_MAX_ARMS

// A family while it is worked on.
struct answer {
    struct ekb_contrast contrasts[MAX_ROWS];
    double *values; // Of one row after another, num_slices each.
};

static enum ekb_err fill_answer(struct answer *answer, const struct workspace *work,
                                const struct family *family)
{
    enum ekb_err err = EKB_OK;
    EKB_CHECK(family->num_rows <= MAX_ROWS);
    answer->values = calloc(family->num_rows * work->num_slices + 1, sizeof answer->values[0]);
    if (answer->values == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < family->num_rows && err == EKB_OK; i++) {
        const struct row *row = &family->rows[i];
        double *values = answer->values + i * work->num_slices;
        size_t num_values = 0;
        if (row->kind == DIFFERENCE) {
            num_values = differences(values, work, family->metric, row);
        } else {
            err = over_depths(values, &num_values, work, family->metric, row);
        }
        answer->contrasts[i] = (struct ekb_contrast){
            .values = values, .num_values = num_values, .equivalence = family->equivalence};
    }
    return err;
}

static const char *method_of(enum kind kind)
{
    return kind == DIFFERENCE ? DIFFERENCE_METHOD : kind == SLOPE ? SLOPE_METHOD : CURVATURE_METHOD;
}

static enum ekb_err append_answer(struct ekb_record *record, struct workspace *work,
                                  const struct family *family, const struct answer *answer)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < family->num_rows && err == EKB_OK; i++) {
        const struct row *row = &family->rows[i];
        char text[EKB_RECORD_TEXT_LEN];
        (void)snprintf(text, sizeof text, "%s - %s", row->treated,
                       row->control != NULL ? row->control : "");
        const struct ekb_effect_label label = {
            .question = family->question,
            .contrast = row->text != NULL ? row->text : text,
            .stage = work->plan->name,
            .metric = metrics[family->metric].name,
            .unit = metrics[family->metric].unit,
            .method = method_of(row->kind),
        };
        const struct ekb_contrast *contrast = &answer->contrasts[i];
        work->num_contrasts += contrast->known ? 1 : 0;
        work->num_skewed += contrast->known && ekb_verdict_estimators_disagree(contrast) ? 1 : 0;
        err = ekb_effects_append(record, &label, contrast);
    }
    return err;
}

static enum ekb_err add_family(struct ekb_record *record, struct workspace *work,
                               const struct family *family)
{
    struct answer answer = {.values = NULL};
    enum ekb_err err = fill_answer(&answer, work, family);
    if (err == EKB_OK) {
        err =
            ekb_verdict_decide(answer.contrasts, family->num_rows, work->withheld[family->metric]);
    }
    for (size_t i = 0; i < family->num_rows && !work->controlled[family->metric]; i++) {
        answer.contrasts[i].verdict = EKB_VERDICT_NONE;
    }
    if (err == EKB_OK) {
        err = append_answer(record, work, family, &answer);
    }
    free(answer.values);
    return err;
}

// check_replicates says what the replicates of the control have that the estimators do not expect.
static void check_replicates(struct ekb_record *record, const struct workspace *work,
                             enum metric metric, const struct ekb_contrast *control)
{
    struct ekb_trend trend;
    if (ekb_check_is_correlated(control->values, control->num_values)) {
        ekb_record_add_note(record,
                            "%s: %s: slices resemble the ones before them (lag-1 autocorrelation "
                            "%.2f): intervals are narrower than they should be",
                            work->plan->name, metrics[metric].name,
                            ekb_check_autocorrelation(control->values, control->num_values));
    }
    if (ekb_check_trend(&trend, control->values, control->num_values) == EKB_OK &&
        trend.p < EKB_CHECK_LEVEL) {
        ekb_record_add_note(record, "%s: %s: no steady state (Spearman's rho with time %.2f)",
                            work->plan->name, metrics[metric].name, trend.rho);
    }
}

// find_control finds the arm that is there twice: the A/A control. An empty row if there is none.
static struct row find_control(char out_name[EKB_PLAN_NAME_LEN], const struct ekb_plan_stage *plan)
{
    for (size_t i = 0; i < plan->num_arms; i++) {
        const char *twin = plan->arms[i].name;
        const size_t len = strlen(twin);
        const size_t ending_len = strlen(EKB_PLAN_TWIN);
        if (len > ending_len && strcmp(twin + len - ending_len, EKB_PLAN_TWIN) == 0) {
            (void)snprintf(out_name, EKB_PLAN_NAME_LEN, "%.*s", (int)(len - ending_len), twin);
            return (struct row){DIFFERENCE, twin, out_name, NULL};
        }
    }
    return (struct row){DIFFERENCE, "", "", NULL};
}

// add_control adds the A/A control, which is always shown, and decides whether the verdicts in its
// metric are withheld.
static enum ekb_err add_control(struct ekb_record *record, struct workspace *work,
                                enum metric metric)
{
    char name[EKB_PLAN_NAME_LEN];
    const struct row row = find_control(name, work->plan);
    const struct family family = {EKB_EFFECT_CONTROL, metric, 0, &row, 1};
    struct answer answer = {.values = NULL};
    enum ekb_err err = fill_answer(&answer, work, &family);
    if (err == EKB_OK) {
        const struct ekb_contrast *control = &answer.contrasts[0];
        check_replicates(record, work, metric, control);
        work->controlled[metric] = ekb_verdict_control_is_possible(control->num_values);
        work->withheld[metric] = ekb_verdict_control_differs(control->values, control->num_values);
        err = ekb_verdict_decide(answer.contrasts, 1, false);
    }
    if (err == EKB_OK) {
        err = append_answer(record, work, &family, &answer);
    }
    if (work->withheld[metric]) {
        ekb_record_add_reason(record,
                              "%s: the A/A control shows a difference where there is none (%s)",
                              work->plan->name, metrics[metric].name);
    }
    free(answer.values);
    return err;
}

static const struct ekb_slice_sum *tallied(const struct ekb_stage *stage, enum metric metric,
                                           size_t arm)
{
    const struct ekb_tally *tally =
        metric == SERVER_CPU ? stage->server.tally : stage->client.tally;
    return metric == WIRE ? tally->arms[arm].wire_by_slice : tally->arms[arm].steps_by_slice;
}

static enum ekb_err fill_workspace(struct workspace *work, const struct ekb_stage *stage)
{
    for (unsigned metric = 0; metric < NUM_METRICS; metric++) {
        struct ekb_slice_sum *slices =
            calloc(work->plan->num_arms * work->num_slices + 1, sizeof slices[0]);
        work->slices[metric] = slices;
        if (slices == NULL) {
            return EKB_NOMEM;
        }
        for (size_t i = 0; i < work->plan->num_arms; i++) {
            ekb_assemble_kept_slices(slices + i * work->num_slices, stage,
                                     tallied(stage, (enum metric)metric, i), EKB_SLICE_MEASURED);
        }
    }
    return EKB_OK;
}

// add_own adds the contrasts of the stage's own that answer `question`, in one metric.
static enum ekb_err add_own(struct ekb_record *record, struct workspace *work, const char *question,
                            enum metric metric)
{
    struct row rows[EKB_PLAN_MAX_ARMS];
    struct family family = {question, metric, metric == SERVER_CPU ? EKB_EFFECT_EQUIVALENCE_NS : 0,
                            rows, 0};
    for (size_t i = 0; i < work->plan->num_contrasts; i++) {
        const struct ekb_plan_contrast *contrast = &work->plan->contrasts[i];
        if (strcmp(contrast->question, question) == 0) {
            rows[family.num_rows++] =
                (struct row){DIFFERENCE, contrast->treated, contrast->control, NULL};
        }
    }
    return family.num_rows > 0 ? add_family(record, work, &family) : EKB_OK;
}

enum ekb_err ekb_effects_add(struct ekb_record *record, const struct ekb_plan_stage *plan,
                             const struct ekb_stage *stage)
{
    struct workspace work = {.plan = plan, .num_slices = stage->timeline.num_slices};
    enum ekb_err err = fill_workspace(&work, stage);
    for (unsigned metric = 0; metric < NUM_METRICS && err == EKB_OK; metric++) {
        err = add_control(record, &work, (enum metric)metric);
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0] && err == EKB_OK; i++) {
        err = add_family(record, &work, &families[i]);
    }
    for (unsigned metric = 0; metric < NUM_METRICS && err == EKB_OK; metric++) {
        err = add_own(record, &work, EKB_EFFECT_LINK, (enum metric)metric);
        if (err == EKB_OK) {
            err = add_own(record, &work, EKB_EFFECT_REJECT_LINK, (enum metric)metric);
        }
    }
    if (work.num_skewed > 0) {
        ekb_record_add_note(
            record,
            "%s: in %zu of %zu contrasts single spikes move the mean by more than a fifth of the "
            "interval; the estimate sets them aside",
            plan->name, work.num_skewed, work.num_contrasts);
    }
    for (unsigned metric = 0; metric < NUM_METRICS; metric++) {
        free(work.slices[metric]);
    }
    return err;
}
