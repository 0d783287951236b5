#include "ekubench/report/distribution.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *metric;
    size_t offset;
} rows[] = {
    {"latency_ns", offsetof(struct ekb_record_arm, latency_ns)},
    {"uncorrected_latency_ns", offsetof(struct ekb_record_arm, uncorrected_latency_ns)},
    {"connect_ns", offsetof(struct ekb_record_arm, connect_ns)},
    {"server_cpu_ns", offsetof(struct ekb_record_arm, server_cpu_ns)},
    {"verify_ns", offsetof(struct ekb_record_arm, verify_ns)},
    {"client_cpu_ns", offsetof(struct ekb_record_arm, client_cpu_ns)},
};
#define NUM_ROWS (sizeof rows / sizeof rows[0])

static const struct ekb_record_summary *summary_of(const struct ekb_record_arm *arm, size_t row)
{
    return (const void *)((const char *)arm + rows[row].offset);
}

bool ekb_report_distribution_next(const struct ekb_record *record,
                                  struct ekb_report_distribution *distribution)
{
    for (size_t i = distribution->next; i < record->num_arms * NUM_ROWS; i++) {
        const struct ekb_record_arm *arm = &record->arms[i / NUM_ROWS];
        const struct ekb_record_summary *summary = summary_of(arm, i % NUM_ROWS);
        const bool is_first = ekb_record_find_arm(record, arm->stage, arm->name) == arm;
        if (is_first && summary->known && summary->hdr != NULL) {
            *distribution = (struct ekb_report_distribution){
                .arm = arm, .metric = rows[i % NUM_ROWS].metric, .summary = summary, .next = i + 1};
            return true;
        }
    }
    return false;
}

#define ARM_NAME_LEN (2 * EKB_RECORD_NAME_LEN + 2)

// name_arm writes "STAGE.ARM" without what ends a tag or begins a directory.
static void name_arm(char out_name[ARM_NAME_LEN], const struct ekb_record_arm *arm)
{
    (void)snprintf(out_name, ARM_NAME_LEN, "%s.%s", arm->stage, arm->name);
    for (char *at = out_name; *at != '\0'; at++) {
        const bool is_first = at == out_name && (*at == '.' || *at == '-');
        if (is_first || strchr("/,~", *at) != NULL || isspace((unsigned char)*at) != 0) {
            *at = '_';
        }
    }
}

const char *ekb_report_distribution_name(char out_name[EKB_REPORT_DISTRIBUTION_NAME_LEN],
                                         const struct ekb_record *record,
                                         const struct ekb_report_distribution *distribution)
{
    char name[ARM_NAME_LEN];
    char number[24] = "";
    size_t num_same = 1;
    name_arm(name, distribution->arm);
    for (const struct ekb_record_arm *arm = record->arms; arm != distribution->arm; arm++) {
        char other[ARM_NAME_LEN];
        name_arm(other, arm);
        num_same += strcmp(other, name) == 0 ? 1 : 0;
    }
    if (num_same > 1) { // No name has a "~" of its own.
        (void)snprintf(number, sizeof number, "~%zu", num_same);
    }
    (void)snprintf(out_name, EKB_REPORT_DISTRIBUTION_NAME_LEN, "%s%s.%s", name, number,
                   distribution->metric);
    return out_name;
}

// is_called is true if `name` is "STAGE/NAME" of the arm.
static bool is_called(const struct ekb_record_arm *arm, const char *name)
{
    char full[2 * EKB_RECORD_NAME_LEN + 2];
    (void)snprintf(full, sizeof full, "%s/%s", arm->stage, arm->name);
    return strcmp(full, name) == 0;
}

static const struct ekb_record_arm *find_arm(const struct ekb_record *record, const char *name)
{
    for (size_t i = 0; i < record->num_arms; i++) {
        if (name != NULL ? is_called(&record->arms[i], name) : record->num_arms == 1) {
            return &record->arms[i];
        }
    }
    return NULL;
}

enum ekb_err ekb_report_distribution_find(struct ekb_report_distribution *out_distribution,
                                          const struct ekb_record *record,
                                          const struct ekb_report_choice *choice,
                                          struct ekb_fail *reterr_fail)
{
    const char *wanted = choice->metric != NULL ? choice->metric : rows[0].metric;
    const struct ekb_record_arm *arm = find_arm(record, choice->arm);
    struct ekb_report_distribution found = {.arm = NULL};
    if (record->num_arms == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "the result has no arms");
    }
    if (arm == NULL && choice->arm == NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "the result has %zu arms: say which one (--arm %s/%s)",
                            record->num_arms, record->arms[0].stage, record->arms[0].name);
    }
    if (arm == NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "there is no arm %.100s in the result; its first is %s/%s", choice->arm,
                            record->arms[0].stage, record->arms[0].name);
    }
    while (ekb_report_distribution_next(record, &found)) {
        if (found.arm == arm && strcmp(found.metric, wanted) == 0) {
            *out_distribution = found;
            return EKB_OK;
        }
    }
    return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "the arm %s/%s has no distribution of %.60s",
                        arm->stage, arm->name, wanted);
}

struct ekb_hist *ekb_report_distribution_open(const struct ekb_record_summary *summary)
{
    void *memory = aligned_alloc(16, (ekb_hist_size() + 15) / 16 * 16);
    if (memory == NULL) {
        return NULL;
    }
    struct ekb_hist *hist = ekb_hist_init(memory);
    if (ekb_hist_decode(hist, summary->hdr) != EKB_OK) {
        // Whoever read the record has looked.
        free(memory);
        return NULL;
    }
    return hist;
}
