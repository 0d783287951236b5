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

// The rows in the order in which Markdown has them.
enum rank {
    RANK_FAILED,
    RANK_INCONCLUSIVE,
    RANK_OTHER,
    NUM_RANKS,
};

static enum rank rank_of(const struct ekb_compare_row *row)
{
    return !row->gates || row->outcome == EKB_GATE_PASSED ? RANK_OTHER
           : row->outcome == EKB_GATE_FAILED              ? RANK_FAILED
                                                          : RANK_INCONCLUSIVE;
}

// print_headline says how the gates decided and by how much the one that changed most did.
static void print_headline(const struct ekb_comparison *comparison)
{
    size_t counts[NUM_RANKS] = {0};
    size_t num_gates = 0;
    double largest = 0;
    for (size_t i = 0; i < comparison->num_rows; i++) {
        const struct ekb_compare_row *row = &comparison->rows[i];
        counts[rank_of(row)]++;
        num_gates += row->gates ? 1 : 0;
        if (row->gates && fabs(row->change.estimate) > fabs(largest)) {
            largest = row->change.estimate;
        }
    }
    switch (ekb_compare_status(comparison)) {
    case EKB_EXIT_OK:
        (void)printf("**passed**: ");
        break;
    case EKB_EXIT_GATE:
        (void)printf("**FAILED**: %zu of ", counts[RANK_FAILED]);
        break;
    case EKB_EXIT_ENVIRONMENT:
        (void)printf("**no valid answer on times**; passed: ");
        break;
    default:
        (void)printf("**inconclusive**: ");
        if (num_gates > 0) {
            (void)printf("%zu of ", counts[RANK_INCONCLUSIVE]);
        }
        break;
    }
    (void)printf("%zu gate%s", num_gates, num_gates == 1 ? "" : "s");
    if (num_gates > 0) {
        (void)printf(", largest change %+.2f %%", largest);
    }
    if (num_gates < comparison->num_rows) {
        (void)printf("; the others are advice");
    }
    (void)printf("\n\n");
}

static void print_markdown_row(const struct ekb_compare_row *row)
{
    static const char *const marks[] = {":white_check_mark:", ":x:", ":grey_question:"};
    char base[EKB_UNITS_TEXT_LEN];
    char now[EKB_UNITS_TEXT_LEN];
    char change[64];
    (void)printf("| %s | %s | %s | %s | %.2g %% | %s | %s |\n", row->name,
                 format_value(base, row, row->base), format_value(now, row, row->now),
                 format_change(change, row), row->threshold, row->verdict,
                 row->gates ? marks[row->outcome] : "advice");
}

static void print_markdown(const struct ekb_comparison *comparison)
{
    print_headline(comparison);
    (void)printf("| | base: %s | new: %s | change | limit | verdict | gate |\n"
                 "|---|--:|--:|--:|--:|---|---|\n",
                 comparison->labels[0], comparison->labels[1]);
    for (unsigned rank = 0; rank < NUM_RANKS; rank++) {
        for (size_t i = 0; i < comparison->num_rows; i++) {
            if ((unsigned)rank_of(&comparison->rows[i]) == rank) {
                print_markdown_row(&comparison->rows[i]);
            }
        }
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
