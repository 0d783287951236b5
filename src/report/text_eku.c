// The EKU check, through every channel.

#include "report/text_internal.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

// Two ways to time the check that differ by less than this factor agree (docs/method.md).
#define MAX_APART 2.0

const char text_modes[] =
    "EKU on: the client's certificate must be for clientAuth; off: it must be for serverAuth (what "
    "products do whose switch is off); none: its usage is not looked at. The test client's "
    "certificate has both usages, so every mode accepts it.";

const char *text_short_verdict(char out_text[EKB_RECORD_TEXT_LEN],
                               const struct ekb_record_effect *effect)
{
    size_t len = strcspn(effect->verdict, ":;[");
    while (len > 0 && effect->verdict[len - 1] == ' ') {
        len--;
    }
    (void)snprintf(out_text, EKB_RECORD_TEXT_LEN, "%.*s", (int)len, effect->verdict);
    return out_text;
}

static void write_channels(FILE *out, const struct ekb_record *record,
                           enum text_channel_group group)
{
    struct text_channel channels[TEXT_MAX_CHANNELS];
    const size_t num_channels = text_list_channels(channels, record, group);
    for (size_t i = 0; i < num_channels; i++) {
        const struct text_channel *channel = &channels[i];
        char interval[64];
        char smallest[32];
        char verdict[EKB_RECORD_TEXT_LEN];
        (void)fprintf(out, "%-36s %-22s %-2s %7s  %s\n", channel->label,
                      text_signed_interval(interval, channel->effect, channel->unit),
                      channel->unit_name, text_least(smallest, channel->effect, channel->unit),
                      text_short_verdict(verdict, channel->effect));
    }
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

// text_say_agreement compares the channels: the check as timed must lie in every interval of what
// was measured from outside, and the two ways to time it must not differ by more than a factor of
// two.
void text_say_agreement(struct report_answer *answer, const struct ekb_record *record)
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
    report_say(answer, "The channels %s: %.0f ns for each certificate below the root %s of %s%s.",
               agree ? "agree" : "do not agree", check_ns,
               hit ? "lie in every interval" : "are not in every interval",
               blocks.num > 0 ? "what was measured from outside" : "the per-handshake channel",
               write_timers(timers, &timer->estimate, &repeats->estimate));
}

// add_channel adds one if it is known.
static size_t add_channel(struct text_channel *channels, size_t num_channels, const char *label,
                          const struct ekb_record_effect *effect)
{
    if (effect == NULL) {
        return num_channels;
    }
    struct text_channel *channel = &channels[num_channels];
    const bool is_share =
        strcmp(effect->metric, EKB_METRIC_WALL) == 0 || strcmp(effect->metric, EKB_METRIC_P99) == 0;
    const bool is_part = strcmp(effect->metric, EKB_METRIC_PURPOSE) == 0;
    *channel = (struct text_channel){.effect = effect,
                                     .unit = is_share || is_part ? text_plain : text_us,
                                     .unit_name = is_share ? "%" : (is_part ? "ns" : "us")};
    (void)snprintf(channel->label, sizeof channel->label, "%s", label);
    return num_channels + 1;
}

static size_t list_component(struct text_channel *channels, const struct ekb_record *record)
{
    static const char *const rows[][2] = {
        {"component, per certificate: timer", EKB_CONTRAST_PURPOSE_TIMER},
        {"component, the same, first look", EKB_CONTRAST_PURPOSE_FIRST},
        {"component, leaf: slope over repeats", EKB_CONTRAST_PURPOSE_SLOPE},
    };
    size_t num = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        num = add_channel(
            channels, num, rows[i][0],
            text_find_effect(record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, rows[i][1]));
    }
    return num;
}

static size_t list_handshakes(struct text_channel *channels, const struct ekb_record *record)
{
    size_t num = 0;
    for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
        char label[64];
        (void)snprintf(label, sizeof label, "per handshake, server CPU, depth %llu",
                       text_depths[i]);
        num = add_channel(channels, num, label, depth_effect(record, i));
        if (text_depths[i] == 1) {
            num = add_channel(channels, num, "the same, depth 1, on - off",
                              text_find_eku_effect(record, "on-d1 - off-d1"));
            num = add_channel(channels, num, "the same, depth 1, off - none",
                              text_find_eku_effect(record, "off-d1 - none-d1"));
        }
    }
    return num;
}

static size_t list_blocks(struct text_channel *channels, const struct ekb_record *record)
{
    static const char *const rows[][2] = {
        {"blocks, server CPU, kernel included", EKB_METRIC_SERVER_CPU},
        {"blocks, wall time per handshake", EKB_METRIC_WALL},
        {"blocks, 99th percentile of latency", EKB_METRIC_P99},
    };
    size_t num = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        num = add_channel(channels, num, rows[i][0],
                          text_find_effect(record, EKB_EFFECT_LOAD, rows[i][1], NULL));
    }
    return num;
}

size_t text_list_channels(struct text_channel out_channels[TEXT_MAX_CHANNELS],
                          const struct ekb_record *record, enum text_channel_group group)
{
    switch (group) {
    case TEXT_COMPONENT:
        return list_component(out_channels, record);
    case TEXT_HANDSHAKES:
        return list_handshakes(out_channels, record);
    case TEXT_BLOCKS:
        return list_blocks(out_channels, record);
    }
    return 0;
}

static void write_handshake_rows(FILE *out, const struct ekb_record *record)
{
    if (text_find_eku_effect(record, NULL) == NULL &&
        has_both(record, EKB_STAGE_COST, "on-d1", "none-d1")) {
        (void)fprintf(out, "%-36s %s\n", "per handshake", "too few undisturbed slices");
    }
    write_channels(out, record, TEXT_HANDSHAKES);
}

static void write_block_rows(FILE *out, const struct ekb_record *record)
{
    struct text_channel channels[TEXT_MAX_CHANNELS];
    if (text_list_channels(channels, record, TEXT_BLOCKS) == 0 &&
        has_both(record, EKB_STAGE_LOAD, "on", "none")) {
        (void)fprintf(out, "%-36s %s\n", "blocks", "too few undisturbed quadruples");
    }
    write_channels(out, record, TEXT_BLOCKS);
}

static bool is_without_verdict(const struct ekb_record_effect *effect)
{
    return (strcmp(effect->question, EKB_EFFECT_EKU) == 0 ||
            strcmp(effect->question, EKB_EFFECT_LOAD) == 0) &&
           strchr(effect->verdict, ':') != NULL;
}

// text_say_missing_verdicts says why there is none, for which the table has no room: each reason
// once.
void text_say_missing_verdicts(struct report_answer *answer, const struct ekb_record *record)
{
    for (size_t i = 0; i < record->num_effects; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        bool said = false;
        for (size_t j = 0; j < i; j++) {
            said = said || (is_without_verdict(&record->effects[j]) &&
                            strcmp(record->effects[j].verdict, effect->verdict) == 0);
        }
        if (is_without_verdict(effect) && !said) {
            report_say(answer, "Above, %s.", effect->verdict);
        }
    }
}

void text_say_verdicts(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_effect *whole = text_find_eku_effect(record, NULL);
    if (whole == NULL) {
        whole = text_find_effect(record, EKB_EFFECT_LINK, EKB_METRIC_SERVER_CPU, NULL);
    }
    if (whole != NULL && whole->equivalence > 0) {
        report_say(answer,
                   "Equivalent: the 90 %% interval lies within a band around 0 (of a handshake's "
                   "CPU, +-%.3g us) that counts as no difference that matters. No detectable "
                   "difference: 0 may be the truth, but the interval reaches beyond the band.",
                   whole->equivalence / text_us.divisor);
    }
    if (text_find_effect(record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE,
                         EKB_CONTRAST_PURPOSE_FIRST) != NULL) {
        report_say(answer,
                   "First look: the check right after signatures were verified, which leaves "
                   "the processor's caches full of other things; the others repeat it with "
                   "warm caches, all that it needs at hand. In a handshake it lies between.");
    }
}

bool text_eku_is_known(const struct ekb_record *record)
{
    return text_find_eku_effect(record, NULL) != NULL ||
           text_find_effect(record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, NULL) != NULL ||
           text_find_effect(record, EKB_EFFECT_LOAD, EKB_METRIC_SERVER_CPU, NULL) != NULL;
}

void text_write_eku(FILE *out, const struct ekb_record *record)
{
    const bool known = text_eku_is_known(record);
    if (!known && !has_both(record, EKB_STAGE_COST, "on-d1", "none-d1")) {
        return;
    }
    text_rule(out, "What does the EKU check cost?");
    if (!known) {
        text_not_measured(out, record, EKB_STAGE_COST);
        return;
    }
    text_wrapped(out, "%s", text_modes);
    (void)fprintf(out, "\n%-36s %-22s %-2s %7s  %s\n", "on - none, unless it says otherwise",
                  "[95 % interval]", "", "least", "verdict");
    (void)fprintf(out, "%-36s %-22s %-2s %7s\n", "", "", "", "seen");
    write_channels(out, record, TEXT_COMPONENT);
    write_handshake_rows(out, record);
    write_block_rows(out, record);
    struct report_answer said = {.num_sentences = 0};
    text_say_verdicts(&said, record);
    text_say_missing_verdicts(&said, record);
    text_say_agreement(&said, record);
    text_write_said(out, &said);
}
