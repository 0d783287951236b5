// Bencher Metric Format, version 0: the levels of report/numbers with their intervals.

#include "report/escape.h"
#include "report/format_internal.h"
#include "report/numbers.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void write_measure(FILE *out, const struct report_number *number)
{
    (void)fputs("    ", out);
    report_json_text(out, number->metric);
    (void)fputs(": {\"value\": ", out);
    report_json_real(out, number->value);
    if (number->interval_known) {
        (void)fputs(", \"lower_value\": ", out);
        report_json_real(out, number->low);
        (void)fputs(", \"upper_value\": ", out);
        report_json_real(out, number->high);
    }
    (void)fputc('}', out);
}

// is_first_of is true if no number before it is of the same.
static bool is_first_of(const struct report_numbers *numbers, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(numbers->items[i].of, numbers->items[index].of) == 0) {
            return false;
        }
    }
    return true;
}

// write_measures writes all that is known of what the number `first` is of.
static void write_measures(FILE *out, const struct report_numbers *numbers, size_t first)
{
    report_json_text(out, numbers->items[first].of);
    for (size_t i = first; i < numbers->num_items; i++) {
        if (strcmp(numbers->items[i].of, numbers->items[first].of) == 0) {
            (void)fputs(i == first ? ": {\n" : ",\n", out);
            write_measure(out, &numbers->items[i]);
        }
    }
    (void)fputs("\n  }", out);
}

enum ekb_err report_write_bencher(FILE *out, const struct ekb_report_set *set,
                                  struct ekb_fail *reterr_fail)
{
    struct report_numbers numbers = {0};
    if (report_numbers_make(&numbers, set->results[0].record) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "report");
    }
    (void)fputc('{', out);
    for (size_t i = 0; i < numbers.num_items; i++) {
        if (is_first_of(&numbers, i)) {
            (void)fputs(i > 0 ? ",\n  " : "\n  ", out);
            write_measures(out, &numbers, i);
        }
    }
    (void)fputs(numbers.num_items > 0 ? "\n}\n" : "}\n", out);
    free(numbers.items);
    return EKB_OK;
}
