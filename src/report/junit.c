// JUnit's XML, as CI systems read it: a test case for each gate and each effect. What has no answer
// is skipped, never passed.

#include "report/escape.h"
#include "report/format_internal.h"
#include "report/text_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum outcome {
    PASSED,
    FAILED,  // A gate.
    BROKEN,  // The run itself.
    SKIPPED, // No answer.
    NUM_OUTCOMES,
};

struct test_case {
    const char *class_name;
    const char *name;
    enum outcome outcome;
    const char *message;
};

// A suite is written twice, the first time only to count.
struct suite {
    FILE *out; // NULL: count.
    size_t counts[NUM_OUTCOMES];
};

static void put(FILE *out, const char *before, const char *text, const char *after)
{
    (void)fputs(before, out);
    report_xml_text(out, text);
    (void)fputs(after, out);
}

static void add_case(struct suite *suite, const struct test_case *test)
{
    static const char *const elements[] = {"system-out", "failure", "error", "skipped"};
    suite->counts[test->outcome]++;
    if (suite->out == NULL) {
        return;
    }
    put(suite->out, "    <testcase classname=\"", test->class_name, "\"");
    put(suite->out, " name=\"", test->name, "\" time=\"0\">\n");
    if (test->outcome == PASSED) {
        put(suite->out, "      <system-out>", test->message, "</system-out>\n");
    } else {
        (void)fprintf(suite->out, "      <%s", elements[test->outcome]);
        put(suite->out, " message=\"", test->message, "\"/>\n");
    }
    (void)fputs("    </testcase>\n", suite->out);
}

static void add_validity(struct suite *suite, const struct ekb_record *record)
{
    char message[EKB_RECORD_MAX_REASONS * (EKB_RECORD_LINE_LEN + 2)] = "";
    size_t len = 0;
    for (size_t i = 0; i < record->num_reasons; i++) {
        len += (size_t)snprintf(message + len, sizeof message - len, "%s%s", i > 0 ? "; " : "",
                                record->reasons[i]);
    }
    const bool clean = ekb_record_is_clean(record);
    add_case(suite, &(struct test_case){.class_name = "ekubench.validity",
                                        .name = "nothing speaks against the numbers",
                                        .outcome = clean ? PASSED : BROKEN,
                                        .message = clean ? "clean" : message});
}

static void add_arm(struct suite *suite, const struct ekb_record_arm *arm)
{
    char name[192];
    char message[256];
    const struct ekb_record_outcomes *client = &arm->client;
    const bool is_due = ekb_record_num_expected(arm) + client->unfinished == client->started;
    (void)snprintf(name, sizeof name, "%s/%s: the %s is to %s", arm->stage, arm->name,
                   strcmp(arm->expect, "refuse") == 0 ? "client" : "server", arm->expect);
    (void)snprintf(message, sizeof message,
                   "%llu started: %llu accepted, %llu rejected, %llu failed, %llu unfinished",
                   (unsigned long long)client->started, (unsigned long long)client->accepted,
                   (unsigned long long)client->rejected, (unsigned long long)client->failed,
                   (unsigned long long)client->unfinished);
    add_case(suite, &(struct test_case){.class_name = "ekubench.outcomes",
                                        .name = name,
                                        .outcome = !is_due                ? FAILED
                                                   : client->started == 0 ? SKIPPED
                                                                          : PASSED,
                                        .message = message});
}

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

// outcome_of takes a verdict at its word. The control is a gate: the same treatment twice must not
// differ.
static enum outcome outcome_of(const struct ekb_record_effect *effect)
{
    const char *verdict = effect->verdict;
    const bool differs = begins_with(verdict, "slower") || begins_with(verdict, "faster") ||
                         begins_with(verdict, "more") || begins_with(verdict, "less");
    if (strcmp(effect->question, EKB_EFFECT_CONTROL) == 0) {
        return differs ? FAILED : begins_with(verdict, "no verd") ? SKIPPED : PASSED;
    }
    return differs || begins_with(verdict, "equivalent") ? PASSED : SKIPPED;
}

static void add_effect(struct suite *suite, const struct ekb_record_effect *effect)
{
    char name[512];
    char message[512];
    char interval[64];
    (void)snprintf(name, sizeof name, "%s %s: %s: %s", effect->stage, effect->metric,
                   effect->question, effect->contrast);
    const int len = snprintf(message, sizeof message, "%s; %s %s", effect->verdict,
                             text_signed_interval(interval, effect, text_plain), effect->unit);
    if (isfinite(effect->mde)) {
        (void)snprintf(message + len, sizeof message - (size_t)len, ", smallest detectable %.3g %s",
                       effect->mde, effect->unit);
    }
    add_case(suite, &(struct test_case){.class_name = "ekubench.effects",
                                        .name = name,
                                        .outcome = outcome_of(effect),
                                        .message = message});
}

static void add_capacity(struct suite *suite, const struct ekb_record_capacity *capacity)
{
    static const char *const answers[] = {"found", "ceiling", "generator"};
    char name[128];
    char message[128];
    char limit[EKB_UNITS_TEXT_LEN];
    char rate[32];
    enum outcome outcome = strcmp(capacity->state, "nothing") == 0 ? FAILED : SKIPPED;
    if (!capacity->known) {
        return;
    }
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        outcome = strcmp(capacity->state, answers[i]) == 0 ? PASSED : outcome;
    }
    (void)snprintf(name, sizeof name, "a rate meets p%g at most %s", capacity->percentile,
                   ekb_units_format_ns(limit, (double)capacity->limit_ns));
    (void)snprintf(message, sizeof message, "%s: %s/s", capacity->state,
                   text_real(rate, 0, capacity->lower_per_s));
    add_case(suite, &(struct test_case){.class_name = "ekubench.capacity",
                                        .name = name,
                                        .outcome = outcome,
                                        .message = message});
}

static void add_all(struct suite *suite, const struct ekb_record *record)
{
    add_validity(suite, record);
    add_capacity(suite, &record->capacity);
    for (size_t i = 0; i < record->num_arms; i++) {
        add_arm(suite, &record->arms[i]);
    }
    for (size_t i = 0; i < record->num_effects; i++) {
        add_effect(suite, &record->effects[i]);
    }
}

static struct suite count(const struct ekb_record *record)
{
    struct suite counted = {.out = NULL};
    add_all(&counted, record);
    return counted;
}

static void write_counts(FILE *out, const struct suite *counted)
{
    const size_t *counts = counted->counts;
    (void)fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"",
                  counts[PASSED] + counts[FAILED] + counts[BROKEN] + counts[SKIPPED],
                  counts[FAILED], counts[BROKEN], counts[SKIPPED]);
}

static void write_property(FILE *out, const char *name, const char *value)
{
    if (value[0] != '\0') {
        (void)fprintf(out, "      <property name=\"%s\"", name);
        put(out, " value=\"", value, "\"/>\n");
    }
}

// write_timestamp writes nothing if the file does not say when, or no time.
static void write_timestamp(FILE *out, const char *started_at)
{
    uint64_t instant_ms = 0;
    if (ekb_units_parse_instant(&instant_ms, started_at) == EKB_OK) {
        // The form has no parts of seconds, and no zone: it is UTC.
        (void)fprintf(out, " timestamp=\"%.19s\"", started_at);
    }
}

static void write_suite(FILE *out, const struct ekb_report_result *result)
{
    const struct ekb_record *record = result->record;
    struct suite suite = {.out = out};
    const struct suite counted = count(record);
    put(out, "  <testsuite name=\"", result->label, "\"");
    write_counts(out, &counted);
    (void)fprintf(out, " time=\"%.3f\"", (double)record->duration_ns / 1e9);
    write_timestamp(out, record->started_at);
    (void)fputs(">\n    <properties>\n", out);
    write_property(out, "kind", record->kind);
    write_property(out, "plan", record->plan.name);
    write_property(out, "version", record->build.version);
    write_property(out, "git", record->build.git);
    write_property(out, "cpu_model", record->host.cpu_model);
    write_property(out, "kernel", record->host.kernel);
    (void)fputs("    </properties>\n", out);
    add_all(&suite, record);
    (void)fputs("  </testsuite>\n", out);
}

enum ekb_err report_write_junit(FILE *out, const struct ekb_report_set *set,
                                struct ekb_fail *reterr_fail)
{
    struct suite total = {.out = NULL};
    (void)reterr_fail;
    for (size_t i = 0; i < set->num_results; i++) {
        add_all(&total, set->results[i].record);
    }
    (void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"ekubench\"", out);
    write_counts(out, &total);
    (void)fputs(">\n", out);
    for (size_t i = 0; i < set->num_results; i++) {
        write_suite(out, &set->results[i]);
    }
    (void)fputs("</testsuites>\n", out);
    return EKB_OK;
}
