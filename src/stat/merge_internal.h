// What the parts of stat/merge share.

#ifndef EKUBENCH_SRC_STAT_MERGE_INTERNAL_H
#define EKUBENCH_SRC_STAT_MERGE_INTERNAL_H

#include "ekubench/stat/merge.h"

#include <stdbool.h>

// Whether the parts ran at the same time, as one load of several generators.
enum merge_times {
    MERGE_APART,
    MERGE_TOGETHER,
};

// The results that all is made of in the end: what is merged already stands there by its parts.
struct merge_list {
    struct ekb_record_part *parts; // Newly allocated, and so are the
    const char **labels;           // names of the files that they are from, which are borrowed.
    size_t num;
    size_t first; // Which began first.
    enum merge_times times;
    uint64_t first_start_ms, last_start_ms, last_end_ms; // Since 1970.
};

// merge_list_make makes the list; merge_list_deinit frees it. EKB_USAGE if one of them does not say
// when it began, if the same run is in it twice, or if a part is merged from loads of one time and
// not all are of one; EKB_NOMEM.
EKB_NODISCARD enum ekb_err merge_list_make(struct merge_list *out_list,
                                           const struct ekb_merge_part *parts, size_t num_parts,
                                           struct ekb_fail *reterr_fail);
void merge_list_deinit(struct merge_list *list);

// merge_check_kinds refuses results of which the answer is no count, merge_check those that are not
// of one kind and plan. Of one load each part has its own share of what is in flight and of the
// rate.
EKB_NODISCARD enum ekb_err merge_check_kinds(const struct ekb_merge_part *parts, size_t num_parts,
                                             struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err merge_check(const struct ekb_merge_part *parts, size_t num_parts,
                                       enum merge_times times, struct ekb_fail *reterr_fail);

// merge_shorten copies `text`, without its middle if it is too long, and returns the copy.
const char *merge_shorten(char *out_text, size_t text_len, const char *text);

// merge_add adds `more` to `*sum`. False, and nothing is changed, if that is more than a file can
// say.
bool merge_add(uint64_t *sum, uint64_t more);

// Where sums are in the result, for messages: "arms", "load/on".
struct merge_place {
    const char *list;
    const char *item;
    struct ekb_fail *fail;
};

// A sum and what is to be added to it.
struct merge_sum {
    const char *name;
    uint64_t *to;
    uint64_t from;
};

// merge_sums adds all of them; merge_distribution is ekb_merge_summaries. EKB_TOO_BIG, having said
// of which; EKB_NOMEM.
EKB_NODISCARD enum ekb_err merge_sums(const struct merge_sum *sums, size_t num_sums,
                                      const struct merge_place *place);
EKB_NODISCARD enum ekb_err merge_distribution(struct ekb_record_summary *to,
                                              const struct ekb_record_summary *from,
                                              const char *name, const struct merge_place *place);

// merge_higher and merge_higher_u64 set `*to` to `from` if that is known, and higher than what is
// known of `*to`.
void merge_higher(struct ekb_record_real *to, const struct ekb_record_real *from);
void merge_higher_u64(struct ekb_record_u64 *to, const struct ekb_record_u64 *from);

// merge_rounded returns `real` with the digits that a file keeps: what is added to a sum read from
// a file is then what is added to the sum itself.
double merge_rounded(double real);

// merge_arms adds the arms of `from` to those of `to`, which has the same ones. EKB_TOO_BIG,
// EKB_NOMEM.
EKB_NODISCARD enum ekb_err merge_arms(struct ekb_record *to, const struct ekb_record *from,
                                      struct ekb_fail *reterr_fail);

// merge_reasons adds the reasons that are not there yet. merge_notes writes all notes anew: a
// merged part's own ones are said of all, or not at all.
void merge_reasons(struct ekb_record *to, const struct ekb_record *from);
void merge_notes(struct ekb_record *record, const struct ekb_merge_part *parts, size_t num_parts,
                 const struct merge_list *list);

// merge_rates adds what is in flight, the rates and the course in time of another generator of the
// same load; merge_drop_rates forgets them, of parts that ran apart. EKB_TOO_BIG, EKB_NOMEM.
EKB_NODISCARD enum ekb_err merge_rates(struct ekb_record *to, const struct ekb_record *from,
                                       struct ekb_fail *reterr_fail);
void merge_drop_rates(struct ekb_record *record);

#endif
