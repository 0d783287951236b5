// What the parts of the text report share.

#ifndef EKUBENCH_SRC_REPORT_TEXT_INTERNAL_H
#define EKUBENCH_SRC_REPORT_TEXT_INTERNAL_H

#include "ekubench/stat/record.h"
#include "ekubench/stat/words.h"

#include <stdio.h>

// All numbers of one table are in one unit, so that they can be compared by eye.
struct text_unit {
    double divisor;
};
extern const struct text_unit text_us, text_ms, text_plain;

// text_rule begins a section; text_wrapped prints a paragraph of at most 1,023 characters, broken
// between words.
void text_rule(FILE *out, const char *title);
void text_wrapped(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);

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

// text_find_eku_effect finds what a mode costs over another in server CPU ("on-d1 - none-d1").
const struct ekb_record_effect *text_find_eku_effect(const struct ekb_record *record,
                                                     const char *contrast);

// text_interval writes "183.2 [182.9, 183.6]" in `unit`, with the digits that the interval makes
// meaningful; text_signed_interval the same of an effect, with its sign, "-" for none.
const char *text_interval(char out_text[64], const struct ekb_estimate *estimate,
                          struct text_unit unit);
const char *text_signed_interval(char out_text[64], const struct ekb_record_effect *effect,
                                 struct text_unit unit);

// text_rate_of returns the rate of an arm while it ran: NaN if unknown.
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
