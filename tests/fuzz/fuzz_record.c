// A result file: what is read can be written, read again, and written to the same; every format
// takes it, and so does a merge with itself.

#include "ekubench/report/format.h"
#include "ekubench/stat/merge.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

static void report(const struct ekb_record *record)
{
    char label[] = "result";
    const struct ekb_report_result results[] = {{label, record}, {label, record}};
    for (size_t i = 0; ekb_report_format_at(i) != NULL; i++) {
        for (size_t num = 1; num <= 2; num++) {
            const struct ekb_report_set set = {.results = results, .num_results = num};
            char *text = NULL;
            if (ekb_report_format_write(&text, ekb_report_format_at(i), &set, NULL) == EKB_OK) {
                free(text);
            }
        }
    }
}

static void merge(const struct ekb_record *record)
{
    const struct ekb_merge_part parts[] = {{"a", record}, {"b", record}};
    struct ekb_record merged;
    if (ekb_merge_records(&merged, parts, 2, NULL) == EKB_OK) {
        report(&merged);
        ekb_record_deinit(&merged);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
    struct ekb_record record;
    struct ekb_record again;
    char *written = NULL;
    char *rewritten = NULL;
    if (ekb_record_from_json(&record, (const char *)data, data_len, NULL) != EKB_OK) {
        return 0;
    }
    if (ekb_record_to_json(&written, &record) == EKB_OK) {
        EKB_CHECK(ekb_record_from_json(&again, written, strlen(written), NULL) == EKB_OK);
        EKB_CHECK(ekb_record_to_json(&rewritten, &again) == EKB_OK);
        EKB_CHECK(strcmp(written, rewritten) == 0);
        ekb_record_deinit(&again);
    }
    report(&record);
    merge(&record);
    free(written);
    free(rewritten);
    ekb_record_deinit(&record);
    return 0;
}
