#include "cli/selftest.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/plan.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// What must be found for the machine to be called fit: effects of this size and above.
#define MUST_FIND_NS (5 * EKB_NS_PER_US)

static const struct ekb_record_effect *find(const struct ekb_record *record, const char *question,
                                            const char *contrast)
{
    for (size_t i = 0; i < record->num_effects; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        if (strcmp(effect->question, question) == 0 &&
            strcmp(effect->metric, EKB_METRIC_SERVER_CPU) == 0 &&
            strcmp(effect->contrast, contrast) == 0) {
            return effect;
        }
    }
    return NULL;
}

static const struct ekb_record_effect *find_injected(const struct ekb_record *record, size_t index)
{
    char contrast[EKB_RECORD_TEXT_LEN];
    (void)snprintf(contrast, sizeof contrast, EKB_PLAN_INJECTED_ARM " - on-d1",
                   (unsigned long long)(ekb_plan_injected_ns[index] / EKB_NS_PER_US));
    return find(record, EKB_EFFECT_INJECTED, contrast);
}

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static bool is_found(const struct ekb_record_effect *effect)
{
    return effect != NULL && begins_with(effect->verdict, "slower");
}

// A control is believed to differ when verdicts are withheld for it: when its 99 % interval
// excludes zero, which chance does in one of a hundred runs.
static bool control_is_found(const struct ekb_record *record)
{
    const struct ekb_record_effect *effect = find_injected(record, 0);
    return effect != NULL && begins_with(effect->verdict, "withheld");
}

static bool is_within(const struct ekb_record_effect *effect, double value)
{
    return effect->estimate.low <= value && value <= effect->estimate.high;
}

static bool is_fit(const struct ekb_record *record)
{
    bool fit = find(record, EKB_EFFECT_CONTROL, "on-d1-again - on-d1") != NULL;
    for (size_t i = 0; i < EKB_PLAN_NUM_INJECTED; i++) {
        fit = fit && (ekb_plan_injected_ns[i] < MUST_FIND_NS || is_found(find_injected(record, i)));
    }
    return fit;
}

static void print_row(const char *label, double injected_ns, const struct ekb_record_effect *effect,
                      bool found)
{
    char injected[EKB_UNITS_TEXT_LEN];
    char recovered[64];
    (void)snprintf(recovered, sizeof recovered, "%.2f [%.2f, %.2f] us",
                   effect->estimate.estimate / 1e3, effect->estimate.low / 1e3,
                   effect->estimate.high / 1e3);
    (void)printf("%-18s %-10s %-28s %-9s %s\n", label,
                 injected_ns > 0 ? ekb_units_format_ns(injected, injected_ns) : "nothing",
                 recovered, found ? "found" : "not found",
                 is_within(effect, injected_ns) ? "" : "(the interval misses what was injected)");
}

static void print_table(const struct ekb_record *record)
{
    const struct ekb_record_effect *control =
        find(record, EKB_EFFECT_CONTROL, "on-d1-again - on-d1");
    char smallest[EKB_UNITS_TEXT_LEN];
    if (control == NULL) {
        (void)printf("%s\n", record->interrupted
                                 ? "Interrupted: nothing can be said of this machine."
                                 : "Too few undisturbed slices: nothing can be said of this "
                                   "machine.");
        return;
    }
    (void)printf("%-18s %-10s %-28s\n", "", "injected", "recovered [95 % interval]");
    print_row("A/A control", 0, control, control_is_found(record));
    for (size_t i = 0; i < EKB_PLAN_NUM_INJECTED; i++) {
        const struct ekb_record_effect *effect = find_injected(record, i);
        if (effect != NULL) {
            print_row("one arm slower by", (double)ekb_plan_injected_ns[i], effect,
                      is_found(effect));
        }
    }
    (void)printf("This machine resolves %s of server CPU per handshake in %llu slices of 250 ms.\n",
                 ekb_units_format_ns(smallest, control->mde),
                 (unsigned long long)control->estimate.n);
}

static json_t *row_json(double injected_ns, const struct ekb_record_effect *effect, bool found)
{
    return json_pack("{s:f, s:f, s:[f, f], s:f, s:b, s:s}", "injected_ns", injected_ns,
                     "estimate_ns", effect->estimate.estimate, "ci95", effect->estimate.low,
                     effect->estimate.high, "mde_ns", effect->mde, "found", found ? 1 : 0,
                     "verdict", effect->verdict);
}

static int print_json(const struct ekb_record *record)
{
    const struct ekb_record_effect *control =
        find(record, EKB_EFFECT_CONTROL, "on-d1-again - on-d1");
    json_t *rows = json_array();
    json_t *reasons = json_array();
    bool ok = rows != NULL && reasons != NULL;
    if (ok && control != NULL) {
        ok = json_array_append_new(rows, row_json(0, control, control_is_found(record))) == 0;
    }
    for (size_t i = 0; i < EKB_PLAN_NUM_INJECTED && ok; i++) {
        const struct ekb_record_effect *effect = find_injected(record, i);
        ok = effect == NULL || json_array_append_new(rows, row_json((double)ekb_plan_injected_ns[i],
                                                                    effect, is_found(effect))) == 0;
    }
    for (size_t i = 0; i < record->num_reasons && ok; i++) {
        ok = json_array_append_new(reasons, json_string(record->reasons[i])) == 0;
    }
    json_t *whole = ok ? json_pack("{s:b, s:O, s:O}", "fit", is_fit(record) ? 1 : 0, "effects",
                                   rows, "reasons", reasons)
                       : NULL;
    json_decref(rows);
    json_decref(reasons);
    return ekb_cli_print_json(whole);
}

int ekb_cli_self_test(enum ekb_cli_format format, uint64_t seed)
{
    struct ekb_plan plan;
    struct ekb_record record;
    struct ekb_fail fail = {0};
    const struct ekb_cli_job job = {.run = ekb_cli_measure_plan, .what = &plan};
    int status = EKB_EXIT_OK;
    ekb_plan_self_test(&plan, seed);

    const enum ekb_err err = ekb_cli_run(&record, &job, &fail);
    if (err != EKB_OK) {
        status = ekb_cli_fail(&fail);
    } else if (format == EKB_CLI_JSON) {
        status = print_json(&record);
    } else {
        print_table(&record);
    }
    for (size_t i = 0; i < record.num_reasons; i++) {
        ekb_cli_say("not clean: %s", record.reasons[i]);
    }
    if (status == EKB_EXIT_OK && !ekb_record_is_clean(&record)) {
        status = EKB_EXIT_ENVIRONMENT;
    } else if (status == EKB_EXIT_OK && !is_fit(&record)) {
        status = EKB_EXIT_INCONCLUSIVE;
    }
    ekb_record_deinit(&record);
    return status;
}
