// What words mean that a result uses: of those in its notes, reasons and verdicts.

#include "report/text_internal.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *word;
    const char *meaning;
} words[] = {
    {"arm", "an arm is one kind of handshake, one way of doing it"},
    {"contrast", "a contrast is the difference of two arms"},
    {"slice", "a slice is a fraction of a second of a run; intervals are over slices, not over "
              "handshakes"},
    {"quadruple", "a quadruple is four blocks, stretches of time with one arm each, in an order in "
                  "which a drift cancels out"},
    {"replicate", "replicates are the repetitions that an interval is over, slices or quadruples"},
    {"pilot", "the pilot is a short run before the others that shows how much the numbers of this "
              "machine scatter"},
    {"steal", "steal is time that the hypervisor gave to others"},
};

// has_word is true if `text` has `word` or its plural, but not a longer word that begins with it.
static bool has_word(const char *text, const char *word)
{
    const size_t word_len = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        const bool begins = at == text || strchr(" (\"", at[-1]) != NULL;
        const char *after = at + word_len + (at[word_len] == 's' ? 1 : 0);
        if (begins && (*after == '\0' || strchr(" ,.:;)\"", *after) != NULL)) {
            return true;
        }
    }
    return false;
}

static bool is_used(const struct ekb_record *record, const char *word)
{
    bool used = false;
    for (size_t i = 0; i < record->num_reasons; i++) {
        used = used || has_word(record->reasons[i], word);
    }
    for (size_t i = 0; i < record->num_notes; i++) {
        used = used || has_word(record->notes[i], word);
    }
    for (size_t i = 0; i < record->num_effects; i++) {
        used = used || has_word(record->effects[i].verdict, word);
    }
    return used;
}

void text_say_words(struct report_answer *answer, const struct ekb_record *record)
{
    char text[1000] = "";
    size_t text_len = 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        // Contrasts are of arms.
        if (is_used(record, words[i].word) || (i == 0 && is_used(record, "contrast"))) {
            text_len += (size_t)snprintf(text + text_len, sizeof text - text_len, "%s%s",
                                         text_len > 0 ? "; " : "", words[i].meaning);
        }
    }
    if (text_len > 0) {
        report_say(answer, "Words: %s.", text);
    }
}

// Questions without an answer.

// title_of returns the title of the section in which the answer to a question stands.
static const char *title_of(const char *question)
{
    static const char depth[] = "What does each extra certificate cost?";
    static const char *const rows[][2] = {
        {EKB_EFFECT_LOAD, EKB_EFFECT_EKU},
        {EKB_EFFECT_DEPTH, depth},
        {EKB_EFFECT_SERVER_DEPTH, depth},
        {EKB_EFFECT_LINEARITY, depth},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i][0], question) == 0) {
            return rows[i][1];
        }
    }
    return question;
}

static bool is_open(const struct ekb_record_effect *effect)
{
    return strncmp(effect->verdict, "no verdict", strlen("no verdict")) == 0 &&
           strcmp(effect->question, EKB_EFFECT_CONTROL) != 0 &&
           strcmp(effect->question, EKB_EFFECT_TIMERS) != 0;
}

// num_open returns how many comparisons of a section have no verdict.
static size_t num_open(const struct ekb_record *record, const char *title)
{
    size_t num = 0;
    for (size_t i = 0; i < record->num_effects; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        num += is_open(effect) && strcmp(title_of(effect->question), title) == 0 ? 1 : 0;
    }
    return num;
}

void text_say_clean(struct report_answer *answer, const struct ekb_record *record)
{
    char text[512] = "";
    size_t text_len = 0;
    for (size_t i = 0; i < record->num_effects && text_len < sizeof text; i++) {
        const char *title = title_of(record->effects[i].question);
        char quoted[EKB_RECORD_TEXT_LEN + 2];
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", title);
        if (is_open(&record->effects[i]) && strstr(text, quoted) == NULL) {
            text_len += (size_t)snprintf(text + text_len, sizeof text - text_len, "%s%zu in %s",
                                         text_len > 0 ? ", " : "", num_open(record, title), quoted);
        }
    }
    if (text_len > 0) {
        report_say(answer,
                   "Clean, but not every question has an answer. Comparisons without a verdict: "
                   "%s.",
                   text);
    } else {
        report_say(answer, "Clean: nothing speaks against these numbers.");
    }
}

// Names of arms.

// What is in a name, by how it begins.
static const struct {
    const char *begin;
    const char *name;
    const char *meaning;
} arm_kinds[] = {
    {"on", "on", "the server checks that the client's certificate may be used for clientAuth"},
    {"off", "off", "it checks for serverAuth instead"},
    {"none", "none", "it does not look at the usage"},
    {"one-way", "one-way", "it asks for no certificate"},
    {"parse-", "parse", "it parses the certificate and verifies no chain"},
    {"name-", "name", "as on, and it checks the name in the certificate"},
    {"crl-", "crl", "it consults a CRL, too"},
    {"server-", "server", "as on; the server's own chain has that depth"},
    {"timed-", "timed", "as on, with timers inside of the verification"},
    {"tickets-", "tickets", "as on, and the client gets tickets to resume with"},
    {"resumed-", "resumed", "the client resumes with a ticket: nothing is verified"},
    {"reject-d", "reject", "as on; the client's certificate is not for clientAuth"},
    {"reject-ca-", "reject-ca", "as on; the client's CA is unknown"},
    {"reject-expired-", "reject-expired", "as on; the client's certificate is expired"},
    {"reject-revoked-", "reject-revoked", "with a CRL, on which the client's certificate is"},
    {"reject-none", "reject-none", "as on; the client has no certificate"},
    {"tcp", "tcp", "no TLS: a TCP connection that exchanges as many bytes"},
};
#define NUM_ARM_KINDS (sizeof arm_kinds / sizeof arm_kinds[0])

// is_of_kind is true for "on" and "on-d1" of the first kind, but not for "one-way".
static bool is_of_kind(const char *name, const char *begin)
{
    const size_t len = strlen(begin);
    return strncmp(name, begin, len) == 0 &&
           (begin[len - 1] == '-' || name[len] == '\0' || strchr("-0123456789", name[len]) != NULL);
}

static bool has_kind(const struct ekb_record *record, const char *begin)
{
    bool has = false;
    for (size_t i = 0; i < record->num_arms; i++) {
        has = has || is_of_kind(record->arms[i].name, begin);
    }
    return has;
}

static bool has_part(const struct ekb_record *record, const char *part)
{
    bool has = false;
    for (size_t i = 0; i < record->num_arms; i++) {
        has = has || strstr(record->arms[i].name, part) != NULL;
    }
    return has;
}

void text_say_arms(struct report_answer *answer, const struct ekb_record *record)
{
    if (strcmp(ekb_record_base_kind(record), "measure") != 0 || record->plan.scenario[0] != '\0') {
        return; // They have names of their own.
    }
    for (size_t i = 0; i < NUM_ARM_KINDS; i++) {
        if (has_kind(record, arm_kinds[i].begin)) {
            report_say(answer, "%s: %s", arm_kinds[i].name, arm_kinds[i].meaning);
        }
    }
    if (has_part(record, "-d1") && answer->num_sentences > 0) {
        report_say(answer,
                   "d1, d2, ...: the depth of the chain, how many certificates are above the "
                   "client's own");
    }
    if (has_part(record, "-again") && answer->num_sentences > 0) {
        report_say(answer, "again: the same once more, as a control");
    }
}
