#include "cli/compare.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *outcome_name(const struct ekb_compare_row *row)
{
    static const char *const names[] = {"passed", "FAILED", "inconclusive"};
    static const char *const advice[] = {"ok", "worse", "unclear"};
    return row->gates ? names[row->outcome] : advice[row->outcome];
}

static const char *format_value(char out_text[EKB_UNITS_TEXT_LEN],
                                const struct ekb_compare_row *row, double value)
{
    if (!isfinite(value)) {
        (void)snprintf(out_text, EKB_UNITS_TEXT_LEN, "-");
        return out_text;
    }
    if (strcmp(row->unit, "ns") == 0) {
        return ekb_units_format_ns(out_text, value);
    }
    return ekb_units_format_count(out_text, (uint64_t)(value + 0.5));
}

static const char *format_change(char out_text[64], const struct ekb_compare_row *row)
{
    if (isnan(row->change.estimate)) {
        (void)snprintf(out_text, 64, "-");
    } else if (row->exact) {
        (void)snprintf(out_text, 64, "%+.3f %%", row->change.estimate + 0.0);
    } else {
        (void)snprintf(out_text, 64, "%+.1f [%.1f, %.1f] %%", row->change.estimate, row->change.low,
                       row->change.high);
    }
    return out_text;
}

static void print_text(const struct ekb_comparison *comparison)
{
    char base[EKB_UNITS_TEXT_LEN];
    char now[EKB_UNITS_TEXT_LEN];
    char change[64];
    (void)printf("%-34s %11s %11s  %-22s %7s  %s\n", "", "base", "new", "change, 95 % interval",
                 "limit", "gate");
    for (size_t i = 0; i < comparison->num_rows; i++) {
        const struct ekb_compare_row *row = &comparison->rows[i];
        (void)printf("%-34s %11s %11s  %-22s %5.2g %%  %s\n", row->name,
                     format_value(base, row, row->base), format_value(now, row, row->now),
                     format_change(change, row), row->threshold, outcome_name(row));
    }
    for (size_t i = 0; i < comparison->num_rows; i++) {
        const struct ekb_compare_row *row = &comparison->rows[i];
        if (!row->exact || row->outcome == EKB_GATE_FAILED) {
            (void)printf("%s: %s\n", row->name, row->verdict);
        }
    }
    for (size_t i = 0; i < comparison->num_notes; i++) {
        (void)printf("Note: %s.\n", comparison->notes[i]);
    }
}

static void print_markdown(const struct ekb_comparison *comparison)
{
    static const char *const marks[] = {":white_check_mark:", ":x:", ":grey_question:"};
    char base[EKB_UNITS_TEXT_LEN];
    char now[EKB_UNITS_TEXT_LEN];
    char change[64];
    (void)printf("| | base | new | change | limit | verdict | |\n|---|--:|--:|--:|--:|---|---|\n");
    for (size_t i = 0; i < comparison->num_rows; i++) {
        const struct ekb_compare_row *row = &comparison->rows[i];
        (void)printf("| %s | %s | %s | %s | %.2g %% | %s | %s |\n", row->name,
                     format_value(base, row, row->base), format_value(now, row, row->now),
                     format_change(change, row), row->threshold, row->verdict,
                     row->gates ? marks[row->outcome] : "advice");
    }
    for (size_t i = 0; i < comparison->num_notes; i++) {
        (void)printf("\n> %s.\n", comparison->notes[i]);
    }
}

static json_t *number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static int print_json(const struct ekb_comparison *comparison)
{
    static const char *const outcomes[] = {"passed", "failed", "inconclusive"};
    json_t *rows = json_array();
    json_t *notes = json_array();
    bool ok = rows != NULL && notes != NULL;
    for (size_t i = 0; i < comparison->num_rows && ok; i++) {
        const struct ekb_compare_row *row = &comparison->rows[i];
        json_t *item = json_pack(
            "{s:s, s:o, s:o, s:o, s:[o, o], s:f, s:b, s:b, s:s, s:s}", "metric", row->name, "base",
            number_json(row->base), "new", number_json(row->now), "change_percent",
            number_json(row->change.estimate), "ci95", number_json(row->change.low),
            number_json(row->change.high), "threshold_percent", row->threshold, "exact",
            row->exact ? 1 : 0, "gates", row->gates ? 1 : 0, "outcome", outcomes[row->outcome],
            "verdict", row->verdict);
        ok = item != NULL && json_array_append_new(rows, item) == 0;
    }
    for (size_t i = 0; i < comparison->num_notes && ok; i++) {
        ok = json_array_append_new(notes, json_string(comparison->notes[i])) == 0;
    }
    json_t *whole = ok ? json_pack("{s:s, s:i, s:O, s:O}", "schema", "ekubench.compare/1", "status",
                                   ekb_compare_status(comparison), "rows", rows, "notes", notes)
                       : NULL;
    json_decref(rows);
    json_decref(notes);
    return ekb_cli_print_json(whole);
}

int ekb_compare_print(const struct ekb_comparison *comparison, enum ekb_compare_form form)
{
    if (form == EKB_COMPARE_JSON) {
        return print_json(comparison);
    }
    if (form == EKB_COMPARE_MARKDOWN) {
        print_markdown(comparison);
    } else {
        print_text(comparison);
    }
    return EKB_EXIT_OK;
}
