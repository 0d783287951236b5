#include "cli/compare.h"

#include "ekubench/stat/power.h"
#include "ekubench/stat/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Z_975 1.959963984540054

void ekb_compare_add_note(struct ekb_comparison *comparison, const char *format, ...)
{
    va_list args;
    if (comparison->num_notes == sizeof comparison->notes / sizeof comparison->notes[0]) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(comparison->notes[comparison->num_notes], sizeof comparison->notes[0], format,
                    args);
    va_end(args);
    ekb_compare_clean(comparison->notes[comparison->num_notes]);
    // Rows that are alike need no more than one.
    for (size_t i = 0; i < comparison->num_notes; i++) {
        if (strcmp(comparison->notes[i], comparison->notes[comparison->num_notes]) == 0) {
            return;
        }
    }
    comparison->num_notes++;
}

static struct ekb_compare_row *next_row(struct ekb_comparison *comparison)
{
    EKB_CHECK(comparison->num_rows < EKB_COMPARE_MAX_ROWS);
    return &comparison->rows[comparison->num_rows++];
}

void ekb_compare_add_exact(struct ekb_comparison *comparison, const char *name, double base,
                           double now, double threshold)
{
    struct ekb_compare_row *row = next_row(comparison);
    const double change = ekb_gate_change(base, now);
    *row = (struct ekb_compare_row){.exact = true,
                                    .gates = true,
                                    .base = base,
                                    .now = now,
                                    .change = {change, change, change, 1},
                                    .threshold = threshold,
                                    .outcome = ekb_gate_exact(change, threshold)};
    (void)snprintf(row->name, sizeof row->name, "%s", name);
    if (fabs(change) <= threshold) {
        (void)snprintf(row->verdict, sizeof row->verdict, "equivalent within %.2g %%", threshold);
    } else {
        (void)snprintf(row->verdict, sizeof row->verdict, "%s by %.2f %%",
                       change > 0 ? "slower" : "faster", fabs(change));
    }
}

void ekb_compare_adjust(struct ekb_compare_row *rows, const double *p, size_t num_rows)
{
    double adjusted[EKB_VERDICT_MAX_FAMILY];
    EKB_CHECK(num_rows <= EKB_VERDICT_MAX_FAMILY);
    if (num_rows > 0) {
        memcpy(adjusted, p, num_rows * sizeof p[0]);
    }
    ekb_holm(adjusted, num_rows);
    for (size_t i = 0; i < num_rows; i++) {
        const struct ekb_estimate *change = &rows[i].change;
        rows[i].family = num_rows;
        rows[i].only_alone =
            (change->low > 0 || change->high < 0) && adjusted[i] > EKB_VERDICT_LEVEL;
    }
}

// write_change writes "slower by 0.4 % [0.1, 0.8]", or nothing if that cannot be said.
static void write_change(char out_text[64], const struct ekb_compare_row *row)
{
    const struct ekb_estimate *change = &row->change;
    out_text[0] = '\0';
    if (row->only_alone) {
        return;
    }
    if (change->low > 0) {
        (void)snprintf(out_text, 64, "slower by %.1f %% [%.1f, %.1f]", change->estimate,
                       change->low, change->high);
    } else if (change->high < 0) {
        (void)snprintf(out_text, 64, "faster by %.1f %% [%.1f, %.1f]", -change->estimate,
                       -change->high, -change->low);
    }
}

// What lies within the limit is equivalent, whether or not it is nothing: quadruples of runs
// resolve half a percent.
static void write_interval_verdict(struct ekb_compare_row *row)
{
    const struct ekb_estimate *change = &row->change;
    const double half = 0.5 * (change->high - change->low);
    char text[64];
    write_change(text, row);
    if (change->low > -row->threshold && change->high < row->threshold) {
        (void)snprintf(row->verdict, sizeof row->verdict, "equivalent within %.2g %%%s%s",
                       row->threshold, text[0] != '\0' ? "; " : "", text);
    } else if (text[0] != '\0') {
        (void)snprintf(row->verdict, sizeof row->verdict, "%s", text);
    } else {
        const size_t family = row->family > 0 ? row->family : 1;
        (void)snprintf(row->verdict, sizeof row->verdict,
                       "no detectable difference%s; smallest detectable %.1f %%",
                       row->only_alone ? " among so many (alone it would be one)" : "",
                       ekb_power_factor(family) * half / Z_975);
    }
}

void ekb_compare_add_interval(struct ekb_comparison *comparison, const struct ekb_compare_row *row,
                              const struct ekb_compare_wish *wish)
{
    struct ekb_compare_row *added = next_row(comparison);
    *added = *row;
    added->gates = wish->gate_time;
    added->threshold = wish->time_percent;
    added->outcome = ekb_gate_interval(&added->change, added->threshold);
    if (added->only_alone && added->outcome == EKB_GATE_FAILED) {
        added->outcome = EKB_GATE_INCONCLUSIVE; // What is no difference fails nothing.
    }
    write_interval_verdict(added);
}

void ekb_compare_add_withheld(struct ekb_comparison *comparison, const struct ekb_compare_row *row,
                              const char *reason, const struct ekb_compare_wish *wish)
{
    struct ekb_compare_row *added = next_row(comparison);
    *added = *row;
    added->gates = wish->gate_time;
    added->threshold = wish->time_percent;
    added->change = (struct ekb_estimate){.estimate = NAN, .low = NAN, .high = NAN};
    added->outcome = EKB_GATE_INCONCLUSIVE;
    (void)snprintf(added->verdict, sizeof added->verdict, "withheld: %s", reason);
}

int ekb_compare_status(const struct ekb_comparison *comparison)
{
    bool inconclusive = false;
    bool has_gate = false;
    for (size_t i = 0; i < comparison->num_rows; i++) {
        const struct ekb_compare_row *row = &comparison->rows[i];
        if (row->gates && row->outcome == EKB_GATE_FAILED) {
            return EKB_EXIT_GATE;
        }
        has_gate = has_gate || row->gates;
        inconclusive = inconclusive || (row->gates && row->outcome == EKB_GATE_INCONCLUSIVE);
    }
    if (comparison->disturbed) {
        return EKB_EXIT_ENVIRONMENT;
    }
    // Advice alone can be inconclusive too; it never fails.
    for (size_t i = 0; i < comparison->num_rows && !has_gate; i++) {
        inconclusive = inconclusive || comparison->rows[i].outcome == EKB_GATE_INCONCLUSIVE;
    }
    return inconclusive ? EKB_EXIT_INCONCLUSIVE : EKB_EXIT_OK;
}

// Two sides.

static const struct ekb_compare_trait *find_trait(const struct ekb_compare_side *side,
                                                  const struct ekb_compare_trait *wanted)
{
    for (size_t i = 0; i < side->num_traits; i++) {
        if (strcmp(side->traits[i].schema, wanted->schema) == 0 &&
            strcmp(side->traits[i].name, wanted->name) == 0) {
            return &side->traits[i];
        }
    }
    return NULL;
}

static const struct ekb_compare_value *find_value(const struct ekb_compare_side *side,
                                                  const char *name)
{
    for (size_t i = 0; i < side->num_values; i++) {
        if (strcmp(side->values[i].name, name) == 0) {
            return &side->values[i];
        }
    }
    return NULL;
}

static bool has_schema(const struct ekb_compare_side *side, const char *schema)
{
    for (size_t i = 0; i < side->num_schemas; i++) {
        if (strcmp(side->schemas[i], schema) == 0) {
            return true;
        }
    }
    return false;
}

// check_trait refuses sides that differ in a trait, or, if that is wished, notes it. A value is
// NULL if its side has a file of the schema, but not the trait.
static enum ekb_err check_trait(struct ekb_comparison *comparison, const char *name,
                                const char *const values[2],
                                const struct ekb_compare_side *const sides[2],
                                const struct ekb_compare_wish *wish, struct ekb_fail *reterr_fail)
{
    const char *base = values[0] != NULL ? values[0] : "unknown";
    const char *now = values[1] != NULL ? values[1] : "unknown";
    if (values[0] != NULL && values[1] != NULL && strcmp(base, now) == 0) {
        return EKB_OK;
    }
    if (!wish->force) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "they do not compare: %s is %.40s in %.40s and %.40s in %.40s "
                            "(--force compares all the same)",
                            name, base, sides[0]->label, now, sides[1]->label);
    }
    ekb_compare_add_note(comparison, "%s differs: %.80s, %.80s", name, base, now);
    return EKB_OK;
}

// check_traits refuses sides that do not compare, or, if that is wished, notes it.
static enum ekb_err check_traits(struct ekb_comparison *comparison,
                                 const struct ekb_compare_side *base,
                                 const struct ekb_compare_side *now,
                                 const struct ekb_compare_wish *wish, struct ekb_fail *reterr_fail)
{
    const struct ekb_compare_side *const sides[2] = {base, now};
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < base->num_traits && err == EKB_OK; i++) {
        const struct ekb_compare_trait *ours = &base->traits[i];
        const struct ekb_compare_trait *theirs = find_trait(now, ours);
        const char *const values[2] = {ours->value, theirs != NULL ? theirs->value : NULL};
        if (has_schema(now, ours->schema)) {
            err = check_trait(comparison, ours->name, values, sides, wish, reterr_fail);
        }
    }
    for (size_t i = 0; i < now->num_traits && err == EKB_OK; i++) {
        const struct ekb_compare_trait *theirs = &now->traits[i];
        const char *const values[2] = {NULL, theirs->value};
        if (has_schema(base, theirs->schema) && find_trait(base, theirs) == NULL) {
            err = check_trait(comparison, theirs->name, values, sides, wish, reterr_fail);
        }
    }
    return err;
}

// check_clean refuses sides that are not clean, or, if that is wished, notes them.
static enum ekb_err check_clean(struct ekb_comparison *comparison,
                                const struct ekb_compare_side *base,
                                const struct ekb_compare_side *now,
                                const struct ekb_compare_wish *wish, struct ekb_fail *reterr_fail)
{
    const struct ekb_compare_side *const sides[2] = {base, now};
    for (size_t i = 0; i < 2; i++) {
        if (sides[i]->clean) {
            continue;
        }
        if (!wish->force) {
            return ekb_fail_set(reterr_fail, EKB_DISTURBED, 0,
                                "%s is not clean (--force compares all the same)", sides[i]->label);
        }
        ekb_compare_add_note(comparison, "%s (%s) is not clean", sides[i]->label,
                             i == 0 ? "base" : "new");
    }
    return EKB_OK;
}

// is_counted tells whether the side has instructions of that name. A scenario without a
// verification has 0 of it.
static bool is_counted(const struct ekb_compare_side *side, const char *name)
{
    const struct ekb_compare_value *value = find_value(side, name);
    return value != NULL && value->estimate.estimate > 0;
}

// check_counts refuses sides of which one alone has a count, or, if that is wished, notes it: a
// scenario that is no longer counted would pass.
static enum ekb_err check_counts(struct ekb_comparison *comparison,
                                 const struct ekb_compare_side *from,
                                 const struct ekb_compare_side *other,
                                 const struct ekb_compare_wish *wish, struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < from->num_values; i++) {
        const struct ekb_compare_value *value = &from->values[i];
        if (!value->exact || value->estimate.estimate <= 0 || is_counted(other, value->name)) {
            continue;
        }
        if (!wish->force) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                                "they do not compare: \"%s\" is in %.60s, but not in %.60s "
                                "(--force compares the others)",
                                value->name, from->label, other->label);
        }
        ekb_compare_add_note(comparison, "\"%s\" is in one of them only and left out", value->name);
    }
    return EKB_OK;
}

// note_history says what a history made of the threshold, if it is not what one expects.
static void note_history(struct ekb_comparison *comparison, const char *name, double percent,
                         size_t num_values)
{
    if (num_values < EKB_GATE_MIN_HISTORY) {
        ekb_compare_add_note(comparison, "the history has %zu of %d results: the limit is %g %%",
                             num_values, EKB_GATE_MIN_HISTORY, percent);
    } else if (percent >= EKB_GATE_MAX_HISTORY_PERCENT) {
        ekb_compare_add_note(comparison,
                             "\"%s\" varies too much in the history: the limit is %g %% at most",
                             name, percent);
    }
}

static enum ekb_err threshold_of(double *out_percent, struct ekb_comparison *comparison,
                                 const char *name, const struct ekb_compare_wish *wish,
                                 struct ekb_fail *reterr_fail)
{
    double *values = NULL;
    size_t num_values = 0;
    if (wish->instructions_percent > 0 || wish->history == NULL) {
        *out_percent =
            wish->instructions_percent > 0 ? wish->instructions_percent : EKB_GATE_EXACT_PERCENT;
        return EKB_OK;
    }
    enum ekb_err err = ekb_compare_history(&values, &num_values, wish->history, name, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_gate_threshold(out_percent, values, num_values);
    }
    if (err == EKB_OK) {
        note_history(comparison, name, *out_percent, num_values);
    }
    free(values);
    return err;
}

static enum ekb_err add_row(struct ekb_comparison *comparison, const struct ekb_compare_value *base,
                            const struct ekb_compare_value *now,
                            const struct ekb_compare_wish *wish, struct ekb_fail *reterr_fail)
{
    if (base->exact && (base->estimate.estimate <= 0 || now->estimate.estimate <= 0)) {
        return EKB_OK; // Neither is there, or check_counts has said so.
    }
    if (base->exact) {
        double threshold = 0;
        const enum ekb_err err =
            threshold_of(&threshold, comparison, base->name, wish, reterr_fail);
        if (err == EKB_OK) {
            ekb_compare_add_exact(comparison, base->name, base->estimate.estimate,
                                  now->estimate.estimate, threshold);
        }
        return err;
    }
    struct ekb_compare_row row = {.base = base->estimate.estimate, .now = now->estimate.estimate};
    (void)snprintf(row.name, sizeof row.name, "%s", base->name);
    (void)snprintf(row.unit, sizeof row.unit, "%s", base->unit);
    if (ekb_gate_change_of_estimates(&row.change, &base->estimate, &now->estimate) == EKB_OK) {
        ekb_compare_add_interval(comparison, &row, wish);
    }
    return EKB_OK;
}

enum ekb_err ekb_compare_sides(struct ekb_comparison *out_comparison,
                               const struct ekb_compare_side *base,
                               const struct ekb_compare_side *now,
                               const struct ekb_compare_wish *wish, struct ekb_fail *reterr_fail)
{
    *out_comparison = (struct ekb_comparison){.num_rows = 0};
    enum ekb_err err = check_traits(out_comparison, base, now, wish, reterr_fail);
    if (err == EKB_OK) {
        err = check_clean(out_comparison, base, now, wish, reterr_fail);
    }
    if (err == EKB_OK) {
        err = check_counts(out_comparison, base, now, wish, reterr_fail);
    }
    if (err == EKB_OK) {
        err = check_counts(out_comparison, now, base, wish, reterr_fail);
    }
    bool has_times = false;
    for (size_t i = 0; i < base->num_values && err == EKB_OK; i++) {
        const struct ekb_compare_value *ours = &base->values[i];
        const struct ekb_compare_value *theirs = find_value(now, ours->name);
        if (theirs != NULL) {
            has_times = has_times || !ours->exact;
            err = add_row(out_comparison, ours, theirs, wish, reterr_fail);
        }
    }
    if (err == EKB_OK && out_comparison->num_rows == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s and %s have no number in common",
                            base->label, now->label);
    }
    if (has_times) {
        ekb_compare_add_note(out_comparison,
                             "times are of two runs, one after the other: what the machine's speed "
                             "changed in between is in the change and not in its interval");
    }
    return err;
}
