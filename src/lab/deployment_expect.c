// The sections [expect ...] of the INI file of a deployment:
//     LINK = active | failed [, CODE or alert] [, depth=N | depth>N] [, asks] [, log=TEXT]

#include "lab/deployment_internal.h"

#include "ekubench/base/units.h"
#include "ekubench/tls/alert.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ITEM_LEN 160

bool ekb_deployment_begin_expect(struct ekb_deployment_reader *reader, const char *runs)
{
    char word[EKB_DEPLOYMENT_WORD_LEN];
    struct ekb_deployment_expectation *runs_of = &reader->expectation;
    *runs_of = (struct ekb_deployment_expectation){.section_line = reader->lines.line};
    while (ekb_deployment_next_word(word, &runs, ",")) {
        bool *const has = ekb_eku_mode_parse(&runs_of->mode, word) == EKB_OK
                              ? &runs_of->has_mode
                              : &runs_of->has_release;
        if (*has) {
            return ekb_deployment_refuse(
                reader, "[expect ... %s]: one release, one EKU mode, or one of each is wanted",
                word);
        }
        if (has == &runs_of->has_mode && runs_of->mode == EKB_EKU_NONE) {
            return ekb_deployment_refuse(reader,
                                         "[expect %s]: no run has that EKU mode: on or off "
                                         "is wanted",
                                         word);
        }
        if (has == &runs_of->has_release &&
            !ekb_deployment_keep_release(reader, &runs_of->release, word)) {
            return false;
        }
        *has = true;
    }
    return true;
}

// next_item takes what there is up to the next comma, without the blanks around it; false at the
// end. `*text` is NULL after the last one.
static bool next_item(char out_item[ITEM_LEN], const char **text)
{
    if (*text == NULL) {
        return false;
    }
    *text += strspn(*text, " \t");
    size_t len = strcspn(*text, ",");
    const char *const end = *text + len;
    while (len > 0 && ((*text)[len - 1] == ' ' || (*text)[len - 1] == '\t')) {
        len--;
    }
    (void)snprintf(out_item, ITEM_LEN, "%.*s", (int)len, *text);
    *text = *end == ',' ? end + 1 : NULL;
    return true;
}

// is_reason is true for a stable code and for the name of an alert.
static bool is_reason(const char *word)
{
    for (unsigned err = EKB_OK + 1; err < EKB_ERR_COUNT; err++) {
        if (strcmp(word, ekb_err_name((enum ekb_err)err)) == 0) {
            return true;
        }
    }
    for (int alert = 0; alert < EKB_ALERT_MAX; alert++) {
        if (strcmp(word, ekb_alert_name(alert)) == 0) {
            return strcmp(word, ekb_alert_name(EKB_ALERT_MAX)) != 0; // "unassigned"
        }
    }
    return false;
}

// take_depth reads "depth=1" and "depth>0".
static bool take_depth(struct ekb_deployment_reader *reader,
                       struct ekb_deployment_expectation *expectation, const char *item)
{
    uint64_t depth = 0;
    const bool above = item[5] == '>';
    if (expectation->has_depth ||
        ekb_units_parse_count(&depth, item + 6, 0, INT_MAX - 1) != EKB_OK) {
        return ekb_deployment_refuse(reader, "\"%.60s\": one depth=N or depth>N is wanted", item);
    }
    expectation->has_depth = true;
    expectation->min_depth = (unsigned)depth + (above ? 1 : 0);
    expectation->max_depth = above ? UINT_MAX : (unsigned)depth;
    return true;
}

static bool take_detail(struct ekb_deployment_reader *reader,
                        struct ekb_deployment_expectation *expectation, const char *item)
{
    if (strcmp(item, "asks") == 0) {
        expectation->asks = true;
        return true;
    }
    if (expectation->expected == EKB_EXPECTED_ACTIVE) {
        return ekb_deployment_refuse(
            reader, "\"%.60s\": of an active link only asks can be expected", item);
    }
    if (strncmp(item, "depth=", 6) == 0 || strncmp(item, "depth>", 6) == 0) {
        return take_depth(reader, expectation, item);
    }
    if (strncmp(item, "log=", 4) == 0 && expectation->log[0] == '\0') {
        return ekb_deployment_keep_text(reader, expectation->log, sizeof expectation->log,
                                        item + 4);
    }
    if (!is_reason(item)) {
        return ekb_deployment_refuse(reader,
                                     "\"%.60s\": a reason (a code such as verify_purpose, or an "
                                     "alert), depth=N, depth>N, asks or log=TEXT is wanted",
                                     item);
    }
    return expectation->reason[0] == '\0'
               ? ekb_deployment_keep_text(reader, expectation->reason, sizeof expectation->reason,
                                          item)
               : ekb_deployment_refuse(reader, "\"%s\": %s is the reason already", item,
                                       expectation->reason);
}

// is_of_same_runs is true if the two speak of the same thing in the same runs.
static bool is_of_same_runs(const struct ekb_deployment_expectation *a,
                            const struct ekb_deployment_expectation *b)
{
    return strcmp(a->what, b->what) == 0 && a->has_release == b->has_release &&
           (!a->has_release || a->release == b->release) && a->has_mode == b->has_mode &&
           (!a->has_mode || a->mode == b->mode);
}

static bool add(struct ekb_deployment_reader *reader,
                const struct ekb_deployment_expectation *expectation)
{
    struct ekb_deployment *deployment = reader->deployment;
    for (size_t i = 0; i < deployment->num_expectations; i++) {
        if (is_of_same_runs(&deployment->expectations[i], expectation)) {
            return ekb_deployment_refuse(reader,
                                         "%s: what is expected of it in these runs is said "
                                         "already",
                                         expectation->what);
        }
    }
    if (deployment->num_expectations == EKB_DEPLOYMENT_MAX_EXPECTATIONS) {
        return ekb_deployment_refuse(reader, "at most %d expectations",
                                     EKB_DEPLOYMENT_MAX_EXPECTATIONS);
    }
    deployment->expectations[deployment->num_expectations++] = *expectation;
    return true;
}

bool ekb_deployment_set_expectation(struct ekb_deployment_reader *reader, const char *key,
                                    const char *value)
{
    struct ekb_deployment_expectation expectation = reader->expectation;
    expectation.line = reader->lines.line;
    char item[ITEM_LEN] = "";
    (void)next_item(item, &value);
    // As the tables have it, too: Active, Failed.
    if (strcasecmp(item, "active") == 0 || strcmp(item, "works") == 0) {
        expectation.expected = EKB_EXPECTED_ACTIVE;
    } else if (strcasecmp(item, "failed") == 0 || strcmp(item, "fails") == 0) {
        expectation.expected = EKB_EXPECTED_FAILED;
    } else {
        return ekb_deployment_refuse(
            reader,
            "\"%.60s\": active (works) or failed (fails) is wanted, and what else is "
            "expected after a comma",
            item);
    }
    if (value != NULL && strcmp(key, "mra") == 0) {
        return ekb_deployment_refuse(reader, "mra works or fails; why is said of its links");
    }
    (void)snprintf(expectation.details, sizeof expectation.details, "%s",
                   value != NULL ? value + strspn(value, " \t") : "");
    while (next_item(item, &value)) {
        if (!take_detail(reader, &expectation, item)) {
            return false;
        }
    }
    return ekb_deployment_keep_text(reader, expectation.what, sizeof expectation.what, key) &&
           add(reader, &expectation);
}
