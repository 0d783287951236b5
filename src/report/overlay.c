#include "report/overlay.h"

#include "report/answer.h"

#include "ekubench/base/units.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_row(const struct report_overlay *overlay, const struct report_number *number)
{
    for (size_t i = 0; i < overlay->num_rows; i++) {
        const struct report_number *row = overlay->rows[i];
        assert(row != NULL);
        if (strcmp(row->of, number->of) == 0 && strcmp(row->metric, number->metric) == 0) {
            return true;
        }
    }
    return false;
}

// add_new_rows adds what a result has and none before it had.
static void add_new_rows(struct report_overlay *overlay, const struct report_numbers *numbers)
{
    for (size_t i = 0; i < numbers->num_items; i++) {
        if (!has_row(overlay, &numbers->items[i])) {
            overlay->rows[overlay->num_rows++] = &numbers->items[i];
        }
    }
}

enum ekb_err report_overlay_init(struct report_overlay *out_overlay,
                                 const struct ekb_report_set *set)
{
    size_t max_rows = 1;
    *out_overlay = (struct report_overlay){
        .set = set, .results = calloc(set->num_results, sizeof out_overlay->results[0])};
    if (out_overlay->results == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < set->num_results; i++) {
        const enum ekb_err err =
            report_numbers_make(&out_overlay->results[i], set->results[i].record);
        if (err != EKB_OK) {
            return err;
        }
        max_rows += out_overlay->results[i].num_items;
    }
    out_overlay->rows = calloc(max_rows, sizeof(struct report_number *));
    if (out_overlay->rows == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < set->num_results; i++) {
        add_new_rows(out_overlay, &out_overlay->results[i]);
    }
    return EKB_OK;
}

void report_overlay_deinit(struct report_overlay *overlay)
{
    for (size_t i = 0; overlay->results != NULL && i < overlay->set->num_results; i++) {
        free(overlay->results[i].items);
    }
    free(overlay->results);
    free(overlay->rows);
    *overlay = (struct report_overlay){.num_rows = 0};
}

const char *report_overlay_cell(char out_text[REPORT_CELL_LEN],
                                const struct report_overlay *overlay, size_t row, size_t result)
{
    char time[EKB_UNITS_TEXT_LEN];
    const struct report_number *number =
        report_numbers_find(&overlay->results[result], overlay->rows[row]);
    if (number == NULL) {
        (void)snprintf(out_text, REPORT_CELL_LEN, "-");
    } else if (strcmp(number->unit, "ns") == 0 && number->interval_known) {
        const struct ekb_estimate estimate = {
            .estimate = number->value, .low = number->low, .high = number->high};
        (void)report_amount(out_text, &estimate);
    } else if (strcmp(number->unit, "ns") == 0) {
        (void)snprintf(out_text, REPORT_CELL_LEN, "%s", ekb_units_format_ns(time, number->value));
    } else if (number->interval_known) {
        (void)snprintf(out_text, REPORT_CELL_LEN, "%.0f%s [%.0f, %.0f]", number->value,
                       number->unit, number->low, number->high);
    } else {
        (void)snprintf(out_text, REPORT_CELL_LEN, "%.0f%s", number->value, number->unit);
    }
    return out_text;
}
