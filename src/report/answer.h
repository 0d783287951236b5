// What a result says first of all, in sentences. Text puts them under titles, other formats at
// their top; none adds to them.

#ifndef EKUBENCH_SRC_REPORT_ANSWER_H
#define EKUBENCH_SRC_REPORT_ANSWER_H

#include "ekubench/stat/record.h"

#include <stddef.h>

#define REPORT_MAX_SENTENCES 24

struct report_answer {
    char sentences[REPORT_MAX_SENTENCES][1024];
    size_t num_sentences;
};

// report_say appends a sentence, or several that belong together, if there is room.
void report_say(struct report_answer *answer, const char *format, ...) EKB_PRINTF(2, 3);

// These append what a measurement of costs, one of rejected clients, one of a deployment's links, a
// search for capacity, and a load say, and nothing if the record has nothing of it.
void report_answer_costs(struct report_answer *answer, const struct ekb_record *record);
void report_answer_rejects(struct report_answer *answer, const struct ekb_record *record);
void report_answer_links(struct report_answer *answer, const struct ekb_record *record);
void report_answer_capacity(struct report_answer *answer, const struct ekb_record *record);
void report_answer_load(struct report_answer *answer, const struct ekb_record *record);

// report_answer_all appends whatever of these there is, and says so if there is nothing. Of a run
// that is not clean the answer is withheld: it says so, and that `section` has the reasons, or with
// NULL that they stand below.
void report_answer_all(struct report_answer *answer, const struct ekb_record *record,
                       const char *section);

// report_amount writes "66.1 us [65.8, 66.4]", in ns if neither end of the interval is as much as
// 1 us: a table that gives the same effect in us shows nothing of that.
const char *report_amount(char out_text[96], const struct ekb_estimate *estimate);

// report_change writes "107.9 us [107.1, 108.6] less", or "more".
const char *report_change(char out_text[128], const struct ekb_estimate *change);

#endif
