// JSON for github-action-benchmark. It has levels (report/numbers), no effects: a difference near
// zero has no ratio to the one before.

#include "report/escape.h"
#include "report/format_internal.h"
#include "report/numbers.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// smaller returns the number so that smaller is better: a rate as the time that one takes.
static struct report_number smaller(const struct report_number *number)
{
    struct report_number turned = *number;
    if (number->sense == REPORT_BIGGER_IS_BETTER) {
        const size_t len = strlen(turned.metric);
        const size_t stem_len = len > 6 ? len - 6 : 0; // Without "_per_s".
        (void)snprintf(turned.metric + stem_len, sizeof turned.metric - stem_len, "_each_ns");
        turned.unit = "ns";
        turned.value = 1e9 / number->value;
        turned.low = 1e9 / number->high;
        turned.high = 1e9 / number->low;
    }
    return turned;
}

static void write_benchmark(FILE *out, const struct report_number *number,
                            const struct ekb_record *record)
{
    char text[320];
    // One number for both sides is what there is room for: the larger.
    const double width = fmax(number->high - number->value, number->value - number->low);
    (void)snprintf(text, sizeof text, "%s %s", number->of, number->metric);
    (void)fputs("  {\"name\": ", out);
    report_json_text(out, text);
    (void)fprintf(out, ", \"unit\": \"%s\", \"value\": ", number->unit);
    report_json_real(out, number->value);
    if (number->interval_known && isfinite(width)) {
        (void)fprintf(out, ", \"range\": \"\\u00b1 %.3g\"", width);
    }
    (void)snprintf(text, sizeof text, "%s %s, TLS %s, %s, %s%s", record->kind, record->plan.name,
                   record->plan.tls, record->plan.key, record->build.git,
                   ekb_record_is_clean(record) ? "" : ", NOT CLEAN");
    (void)fputs(", \"extra\": ", out);
    report_json_text(out, text);
    (void)fputc('}', out);
}

enum ekb_err report_write_github_benchmark(FILE *out, const struct ekb_report_set *set,
                                           struct ekb_fail *reterr_fail)
{
    struct report_numbers numbers = {0};
    const struct ekb_record *record = set->results[0].record;
    if (report_numbers_make(&numbers, record) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "report");
    }
    (void)fputc('[', out);
    for (size_t i = 0, num_written = 0; i < numbers.num_items; i++) {
        const struct report_number number = smaller(&numbers.items[i]);
        if (isfinite(number.value)) {
            (void)fputs(num_written++ > 0 ? ",\n" : "\n", out);
            write_benchmark(out, &number, record);
        }
    }
    (void)fputs("\n]\n", out);
    free(numbers.items);
    return EKB_OK;
}
