// The EKU check, through every channel.

#include "report/text_internal.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

// Two ways to time the check that differ by less than this factor agree (docs/method.md).
#define MAX_APART 2.0

static void write_channel(FILE *out, const char *label, const struct ekb_record_effect *effect,
                          struct text_unit unit, const char *unit_name)
{
    char interval[64];
    char smallest[32];
    char verdict[EKB_RECORD_TEXT_LEN];
    if (effect == NULL) {
        return;
    }
    (void)snprintf(smallest, sizeof smallest, "%.2g", effect->mde / unit.divisor);
    (void)snprintf(verdict, sizeof verdict, "%.*s", (int)strcspn(effect->verdict, ":;["),
                   effect->verdict);
    (void)fprintf(out, "%-36s %-22s %-2s %7s  %s\n", label,
                  text_signed_interval(interval, effect, unit), unit_name, smallest, verdict);
}

// has_both is true if the stage has the arms of the two modes that are compared.
static bool has_both(const struct ekb_record *record, const char *stage, const char *on,
                     const char *none)
{
    return ekb_record_find_arm(record, stage, on) != NULL &&
           ekb_record_find_arm(record, stage, none) != NULL;
}

static const struct ekb_record_effect *depth_effect(const struct ekb_record *record, size_t index)
{
    char contrast[EKB_RECORD_TEXT_LEN];
    (void)snprintf(contrast, sizeof contrast, "on-d%llu - none-d%llu", text_depths[index],
                   text_depths[index]);
    return text_find_eku_effect(record, contrast);
}

// A way to look at the check from outside, beside its timers.
struct outside {
    size_t num;     // Intervals that are known.
    size_t num_hit; // Of them, that hold what the timers say.
};

static void look(struct outside *outside, const struct ekb_record_effect *effect, double check_ns)
{
    if (effect != NULL) {
        outside->num++;
        outside->num_hit +=
            effect->estimate.low <= check_ns && check_ns <= effect->estimate.high ? 1 : 0;
    }
}

// times_apart returns by what factor two costs differ: 1 or more, infinite if one is not positive.
static double times_apart(double a, double b)
{
    const double low = fmin(a, b);
    return low > 0 ? fmax(a, b) / low : (double)INFINITY;
}

// write_timers says by how much the two ways to time the check differ, and nothing if their
// intervals overlap as they should.
static const char *write_timers(char out_text[128], const struct ekb_estimate *timer,
                                const struct ekb_estimate *repeats)
{
    const double factor = times_apart(timer->estimate, repeats->estimate);
    out_text[0] = '\0';
    if (isinf(factor)) {
        (void)snprintf(out_text, 128, "; one of the two ways to time the check finds no cost");
    } else if (factor >= MAX_APART || timer->high < repeats->low || repeats->high < timer->low) {
        (void)snprintf(out_text, 128,
                       "; the two ways to time the check differ by a factor of %.2f (below %.0f is "
                       "agreement)",
                       factor, MAX_APART);
    }
    return out_text;
}

// write_agreement compares the channels: the check as timed must lie in every interval of what was
// measured from outside, and the two ways to time it must not differ by more than a factor of two.
static void write_agreement(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_effect *timer = text_find_effect(
        record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_TIMER);
    const struct ekb_record_effect *repeats = text_find_effect(
        record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_SLOPE);
    struct outside handshakes = {0};
    struct outside blocks = {0};
    char timers[128];
    if (timer == NULL || repeats == NULL) {
        return;
    }
    const double check_ns = timer->estimate.estimate;
    for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
        look(&handshakes, depth_effect(record, i), check_ns * (double)text_depths[i]);
    }
    look(&blocks, text_find_effect(record, EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, NULL), check_ns);
    if (handshakes.num == 0) {
        return;
    }
    const bool hit = handshakes.num_hit == handshakes.num && blocks.num_hit == blocks.num;
    const bool agree =
        hit && times_apart(timer->estimate.estimate, repeats->estimate.estimate) < MAX_APART;
    text_wrapped(out, "The channels %s: %.0f ns for each certificate below the root %s of %s%s.",
                 agree ? "agree" : "do not agree", check_ns,
                 hit ? "lie in every interval" : "are not in every interval",
                 blocks.num > 0 ? "what was measured from outside" : "the per-handshake channel",
                 write_timers(timers, &timer->estimate, &repeats->estimate));
}

static void write_component_rows(FILE *out, const struct ekb_record *record)
{
    static const char *const rows[][2] = {
        {"component, per certificate: timer", EKB_CONTRAST_PURPOSE_TIMER},
        {"component, the same, first look", EKB_CONTRAST_PURPOSE_FIRST},
        {"component, leaf: slope over repeats", EKB_CONTRAST_PURPOSE_SLOPE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_channel(
            out, rows[i][0],
            text_find_effect(record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, rows[i][1]),
            text_plain, "ns");
    }
}

static void write_handshake_rows(FILE *out, const struct ekb_record *record)
{
    if (text_find_eku_effect(record, NULL) == NULL &&
        has_both(record, EKB_STAGE_COST, "on-d1", "none-d1")) {
        (void)fprintf(out, "%-36s %s\n", "per handshake", "too few undisturbed slices");
    }
    for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
        char label[64];
        (void)snprintf(label, sizeof label, "per handshake, server CPU, depth %llu",
                       text_depths[i]);
        write_channel(out, label, depth_effect(record, i), text_us, "us");
    }
}

static void write_block_rows(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_effect *server =
        text_find_effect(record, EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, NULL);
    const struct ekb_record_effect *wall =
        text_find_effect(record, EKB_EFFECT_LOAD, EKB_METRIC_WALL, NULL);
    const struct ekb_record_effect *p99 =
        text_find_effect(record, EKB_EFFECT_LOAD, EKB_METRIC_P99, NULL);
    if (server == NULL && wall == NULL && p99 == NULL &&
        has_both(record, EKB_STAGE_LOAD, "on", "none")) {
        (void)fprintf(out, "%-36s %s\n", "blocks", "too few undisturbed quadruples");
    }
    write_channel(out, "blocks, server CPU, kernel included", server, text_us, "us");
    write_channel(out, "blocks, wall time per handshake", wall, text_plain, "%");
    write_channel(out, "blocks, 99th percentile of latency", p99, text_plain, "%");
}

static bool is_without_verdict(const struct ekb_record_effect *effect)
{
    return (strcmp(effect->question, EKB_EFFECT_EKU) == 0 ||
            strcmp(effect->question, EKB_EFFECT_LOAD) == 0) &&
           strchr(effect->verdict, ':') != NULL;
}

// write_missing_verdicts says why there is none, for which the table has no room: each reason once.
static void write_missing_verdicts(FILE *out, const struct ekb_record *record)
{
    for (size_t i = 0; i < record->num_effects; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        bool said = false;
        for (size_t j = 0; j < i; j++) {
            said = said || (is_without_verdict(&record->effects[j]) &&
                            strcmp(record->effects[j].verdict, effect->verdict) == 0);
        }
        if (is_without_verdict(effect) && !said) {
            text_wrapped(out, "Above, %s.", effect->verdict);
        }
    }
}

// eku_is_known is true if any channel has seen the check.
static bool eku_is_known(const struct ekb_record *record)
{
    return text_find_eku_effect(record, NULL) != NULL ||
           text_find_effect(record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, NULL) != NULL ||
           text_find_effect(record, EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, NULL) != NULL;
}

void text_write_eku(FILE *out, const struct ekb_record *record)
{
    const bool known = eku_is_known(record);
    if (!known && !has_both(record, EKB_STAGE_COST, "on-d1", "none-d1")) {
        return;
    }
    text_rule(out, "What does the EKU check cost?");
    if (!known) {
        text_not_measured(out, record, EKB_STAGE_COST);
        return;
    }
    (void)fprintf(out, "%-36s %-22s %-2s %7s  %s\n", "EKU checking on - no check",
                  "[95 % interval]", "", "least", "verdict");
    (void)fprintf(out, "%-36s %-22s %-2s %7s\n", "", "", "", "seen");
    write_component_rows(out, record);
    write_handshake_rows(out, record);
    write_block_rows(out, record);
    write_missing_verdicts(out, record);
    write_agreement(out, record);
}
