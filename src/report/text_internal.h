// What the parts of the text report share.

#ifndef EKUBENCH_SRC_REPORT_TEXT_INTERNAL_H
#define EKUBENCH_SRC_REPORT_TEXT_INTERNAL_H

#include "report/answer.h"

#include "ekubench/stat/record.h"
#include "ekubench/stat/words.h"

#include <stdbool.h>
#include <stdio.h>

// All numbers of one table are in one unit, so that they can be compared by eye.
struct text_unit {
    double divisor;
};
extern const struct text_unit text_us, text_ms, text_plain;

// The title of the section that says what the run found out about itself.
#define TEXT_VALIDITY "Validity"

// text_rule begins a section; text_wrapped prints a paragraph of at most 1,023 characters, broken
// between words.
void text_rule(FILE *out, const char *title);
void text_wrapped(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);

// text_machine writes "2 virtual CPUs (AMD EPYC)", or that there are several; text_sides where
// client and server ran: "server on CPU 0, client on CPU 1, over loopback", nothing if that is
// unknown.
const char *text_machine(char out_text[256], const struct ekb_record *record);
const char *text_sides(char out_text[384], const struct ekb_record *record);

// text_write_said prints each sentence as a paragraph.
void text_write_said(FILE *out, const struct report_answer *answer);

// These find a part of the record; NULL if it is not there. `contrast` NULL: the first one. The
// only arm: that of a cost stage that has just one, and so nothing to be compared with.
const struct ekb_record_stage *text_find_stage(const struct ekb_record *record, const char *name);
const struct ekb_record_arm *text_find_only_arm(const struct ekb_record *record);
const struct ekb_record_effect *text_find_effect(const struct ekb_record *record,
                                                 const char *question, const char *metric,
                                                 const char *contrast);

// The depths of the cost stage's chains.
#define TEXT_NUM_DEPTHS 4
extern const unsigned long long text_depths[TEXT_NUM_DEPTHS];

// text_find_cost_arm finds the cost stage's arm of an EKU mode: "on", 1 is "on-d1".
const struct ekb_record_arm *text_find_cost_arm(const struct ekb_record *record, const char *mode,
                                                unsigned long long depth);

// The rungs of verification, each standing on the one before, the first on one-way TLS.
struct text_rung {
    const char *label;
    const char *short_label; // Where there is little room.
    const char *contrast;
};
#define TEXT_NUM_RUNGS 6
extern const struct text_rung text_rungs[TEXT_NUM_RUNGS];
extern const char text_rungs_meaning[];

// text_find_eku_effect finds what a mode costs over another in server CPU ("on-d1 - none-d1").
const struct ekb_record_effect *text_find_eku_effect(const struct ekb_record *record,
                                                     const char *contrast);

// The channels by which the EKU check is measured, in groups: timers inside of verification, whole
// handshakes, blocks under load.
enum text_channel_group {
    TEXT_COMPONENT,
    TEXT_HANDSHAKES,
    TEXT_BLOCKS
};
struct text_channel {
    char label[64];
    const struct ekb_record_effect *effect;
    struct text_unit unit;
    const char *unit_name;
};
#define TEXT_MAX_CHANNELS 6

// text_modes says what the EKU modes are that are compared.
extern const char text_modes[];

// text_list_channels overwrites `out_channels` with those of `group` that are known, and returns
// how many.
size_t text_list_channels(struct text_channel out_channels[TEXT_MAX_CHANNELS],
                          const struct ekb_record *record, enum text_channel_group group);

// text_eku_is_known is true if any channel has seen the check.
bool text_eku_is_known(const struct ekb_record *record);

// text_short_verdict writes a verdict without its numbers.
const char *text_short_verdict(char out_text[EKB_RECORD_TEXT_LEN],
                               const struct ekb_record_effect *effect);

// The kinds of clients of which some are rejected, and what each is compared with.
struct text_kind {
    const char *label;
    const char *arm;
    const char *control; // NULL: it is one.
};
#define TEXT_NUM_KINDS 7
extern const struct text_kind text_kinds[TEXT_NUM_KINDS];

// text_why_cheaper says at what a server stops.
extern const char text_why_cheaper[];

// text_num_rejected returns how many kinds are rejected in the record; text_find_kind returns the
// arm of one and text_find_kind_effect what it costs over its control: NULL if it is not there.
size_t text_num_rejected(const struct ekb_record *record);
const struct ekb_record_arm *text_find_kind(const struct ekb_record *record,
                                            const struct text_kind *kind);
const struct ekb_record_effect *text_find_kind_effect(const struct ekb_record *record,
                                                      const struct text_kind *kind);

// text_alert_of returns the alert that most clients of the arm got, "" if none did.
const char *text_alert_of(const struct ekb_record_arm *arm);

// text_outcome_of says what becomes of an arm's client, or of its server: "accepted", "rejected",
// "refuses".
const char *text_outcome_of(const struct ekb_record_arm *arm);

// text_is_twin is true for an arm that repeats another, as a control.
bool text_is_twin(const struct ekb_record_arm *arm);

// text_revision, text_api and text_assembly say which BoringSSL it was: "19", "with assembly"; "-"
// for what is unknown.
const char *text_revision(const struct ekb_record *record);
const char *text_api(char out_text[24], const struct ekb_record *record);
const char *text_assembly(const struct ekb_record *record);

// text_is_link is true for an arm that, of a deployment's result, has the costs of a link.
bool text_is_link(const struct ekb_record_arm *arm);

// text_is_at_least is true if a search ended for other reasons than the server's.
bool text_is_at_least(const struct ekb_record_variant *variant);

// What sections say beside their tables, apart from how it is printed.
void text_say_missing_verdicts(struct report_answer *answer, const struct ekb_record *record);
void text_say_agreement(struct report_answer *answer, const struct ekb_record *record);
void text_say_linearity(struct report_answer *answer, const struct ekb_record *record);
void text_say_reject(struct report_answer *answer, const struct ekb_record *record);
void text_say_resumed(struct report_answer *answer, const struct ekb_record *record);
void text_say_verdicts(struct report_answer *answer, const struct ekb_record *record);
void text_say_arms(struct report_answer *answer, const struct ekb_record *record);
void text_say_words(struct report_answer *answer, const struct ekb_record *record);
void text_say_clean(struct report_answer *answer, const struct ekb_record *record);
void text_say_controls(struct report_answer *answer, const struct ekb_record *record);
void text_say_outcomes(struct report_answer *answer, const struct ekb_record *record);
void text_say_capacity(struct report_answer *answer, const struct ekb_record *record);
void text_say_levels(struct report_answer *answer, const struct ekb_record *record);
void text_say_negotiated(struct report_answer *answer, const struct ekb_record *record);
void text_say_shape(struct report_answer *answer, const struct ekb_record_stage *stage);
void text_say_side(struct report_answer *answer, const char *name,
                   const struct ekb_record_cpu *cpu);
void text_say_not_measured(struct report_answer *answer, const struct ekb_record *record,
                           const char *stage);

// text_interval writes "183.2 [182.9, 183.6]" in `unit`, with the digits that the interval makes
// meaningful; text_signed_interval the same of an effect, with its sign, "-" for none.
const char *text_interval(char out_text[64], const struct ekb_estimate *estimate,
                          struct text_unit unit);
const char *text_signed_interval(char out_text[64], const struct ekb_record_effect *effect,
                                 struct text_unit unit);

// text_confirm_meaning says what was taken for the server's verdict.
const char *text_confirm_meaning(const char *confirm);

// text_least writes the smallest detectable difference of an effect in `unit`: two digits, and all
// before the point. text_real writes a number with `num_decimals`. Both: "-" if it is unknown.
const char *text_least(char out_text[32], const struct ekb_record_effect *effect,
                       struct text_unit unit);
const char *text_real(char out_text[32], int num_decimals, double value);

// text_is_steal_known is true if it is of any interval.
bool text_is_steal_known(const struct ekb_record_series *series);

// text_rate_of returns the rate of an arm while it ran: NaN if unknown, or if its handshakes are
// not to be accepted. Of several runs there is none but the one that they had together.
double text_rate_of(const struct ekb_record *record, const struct ekb_record_arm *arm);

// text_not_measured says, instead of a table in which nothing is known, why that is so of `stage`.
void text_not_measured(FILE *out, const struct ekb_record *record, const char *stage);

// The sections. Each prints nothing if the record has nothing for it.
void text_write_only_arm(FILE *out, const struct ekb_record *record);
void text_write_links(FILE *out, const struct ekb_record *record);
void text_write_answer(FILE *out, const struct ekb_record *record);
void text_write_ladder(FILE *out, const struct ekb_record *record);
void text_write_eku(FILE *out, const struct ekb_record *record);
void text_write_depth(FILE *out, const struct ekb_record *record);
void text_write_rejects(FILE *out, const struct ekb_record *record);
void text_write_resumed(FILE *out, const struct ekb_record *record);
void text_write_load(FILE *out, const struct ekb_record *record);
void text_write_floors(FILE *out, const struct ekb_record *record);
void text_write_foreign_load(FILE *out, const struct ekb_record *record);
void text_write_series(FILE *out, const struct ekb_record *record,
                       const struct ekb_record_stage *stage);
void text_write_capacity(FILE *out, const struct ekb_record *record);

#endif
