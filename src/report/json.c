// The result itself, as this version writes it.

#include "report/format_internal.h"

#include <stdlib.h>

enum ekb_err report_write_json(FILE *out, const struct ekb_report_set *set,
                               struct ekb_fail *reterr_fail)
{
    char *text = NULL;
    const enum ekb_err err = ekb_record_to_json(&text, set->results[0].record);
    if (err != EKB_OK) {
        return ekb_fail_set(reterr_fail, err, 0, "result");
    }
    (void)fputs(text, out);
    free(text);
    return EKB_OK;
}
