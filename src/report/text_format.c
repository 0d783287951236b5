#include "report/text_internal.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

// How many characters a wrapped line may have; two less than a line has, for the indented ones.
#define WIDTH 98

const struct text_unit text_us = {1e3};
const struct text_unit text_ms = {1e6};
const struct text_unit text_plain = {1};

void text_rule(FILE *out, const char *title)
{
    (void)fprintf(out, "\n%s\n", title);
    for (size_t i = 0; i < strlen(title) && i < WIDTH; i++) {
        (void)fputc('-', out);
    }
    (void)fputc('\n', out);
}

void text_wrapped(FILE *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);

    char *rest = NULL;
    size_t column = 0;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        const size_t word_len = strlen(word);
        if (column > 0 && column + 1 + word_len > WIDTH) {
            (void)fputc('\n', out);
            column = 0;
        }
        (void)fprintf(out, "%s%s", column > 0 ? " " : "", word);
        column += word_len + (column > 0 ? 1 : 0);
    }
    (void)fputc('\n', out);
}

void text_write_said(FILE *out, const struct report_answer *answer)
{
    for (size_t i = 0; i < answer->num_sentences; i++) {
        text_wrapped(out, "%s", answer->sentences[i]);
    }
}

const struct ekb_record_stage *text_find_stage(const struct ekb_record *record, const char *name)
{
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        if (strcmp(record->plan.stages[i].name, name) == 0) {
            return &record->plan.stages[i];
        }
    }
    return NULL;
}

const struct ekb_record_arm *text_find_only_arm(const struct ekb_record *record)
{
    const struct ekb_record_arm *only = NULL;
    for (size_t i = 0; i < record->num_arms; i++) {
        if (strcmp(record->arms[i].stage, EKB_STAGE_COST) == 0) {
            if (only != NULL) {
                return NULL;
            }
            only = &record->arms[i];
        }
    }
    return only;
}

// decimals returns how many decimals of `value` its interval's width makes meaningful: as many as
// show its second digit.
static int decimals(double width)
{
    int count = 0;
    for (double scaled = width; count < 2 && scaled < 10.0; scaled *= 10.0) {
        count++;
    }
    return width <= 0 ? 1 : count;
}

// rounded returns `value` as it will be printed, but never the zero that is printed as -0.
static double rounded(double value, int digits)
{
    const double factor = pow(10, digits);
    return round(value * factor) / factor + 0.0;
}

const char *text_interval(char out_text[64], const struct ekb_estimate *estimate,
                          struct text_unit unit)
{
    const double scale = 1.0 / unit.divisor;
    const int digits = decimals((estimate->high - estimate->low) * scale);
    (void)snprintf(out_text, 64, "%.*f [%.*f, %.*f]", digits,
                   rounded(estimate->estimate * scale, digits), digits,
                   rounded(estimate->low * scale, digits), digits,
                   rounded(estimate->high * scale, digits));
    return out_text;
}

const struct ekb_record_effect *text_find_effect(const struct ekb_record *record,
                                                 const char *question, const char *metric,
                                                 const char *contrast)
{
    for (size_t i = 0; i < record->num_effects; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        if (strcmp(effect->question, question) == 0 && strcmp(effect->metric, metric) == 0 &&
            (contrast == NULL || strcmp(effect->contrast, contrast) == 0)) {
            return effect;
        }
    }
    return NULL;
}

const unsigned long long text_depths[TEXT_NUM_DEPTHS] = {1, 2, 3, 5};

const struct ekb_record_effect *text_find_eku_effect(const struct ekb_record *record,
                                                     const char *contrast)
{
    return text_find_effect(record, EKB_EFFECT_EKU, EKB_METRIC_SERVER_CPU, contrast);
}

const char *text_signed_interval(char out_text[64], const struct ekb_record_effect *effect,
                                 struct text_unit unit)
{
    char interval[64];
    if (effect == NULL) {
        (void)snprintf(out_text, 64, "-");
    } else {
        (void)snprintf(out_text, 64, "%s%.60s", effect->estimate.estimate >= 0 ? "+" : "",
                       text_interval(interval, &effect->estimate, unit));
    }
    return out_text;
}

const char *text_least(char out_text[32], const struct ekb_record_effect *effect,
                       struct text_unit unit)
{
    const double value = effect->mde / unit.divisor;
    if (isfinite(value) && value < 99.5) {
        (void)snprintf(out_text, 32, "%.2g", value);
        return out_text;
    }
    return text_real(out_text, 0, value);
}

const char *text_real(char out_text[32], int num_decimals, double value)
{
    if (isfinite(value)) {
        (void)snprintf(out_text, 32, "%.*f", num_decimals, value);
    } else {
        (void)snprintf(out_text, 32, "-");
    }
    return out_text;
}

void text_say_not_measured(struct report_answer *answer, const struct ekb_record *record,
                           const char *stage_name)
{
    const struct ekb_record_stage *stage = text_find_stage(record, stage_name);
    if (record->interrupted) {
        report_say(answer, "Not measured: the run was interrupted; see Validity.");
    } else if (stage != NULL && stage->num_slices > 0 && stage->num_slices_dropped == 0) {
        report_say(answer, "Not measured: too few slices.");
    } else {
        report_say(answer, "Not measured: other work or the hypervisor disturbed its slices; see "
                           "Validity.");
    }
}

void text_not_measured(FILE *out, const struct ekb_record *record, const char *stage_name)
{
    struct report_answer said = {.num_sentences = 0};
    text_say_not_measured(&said, record, stage_name);
    text_write_said(out, &said);
}
