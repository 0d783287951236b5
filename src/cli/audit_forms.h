// What the forms of `ekubench audit` share: words, and the columns of the judgement on links.

#ifndef EKUBENCH_SRC_CLI_AUDIT_FORMS_H
#define EKUBENCH_SRC_CLI_AUDIT_FORMS_H

#include "cli/audit_print.h"

#include "ekubench/lab/audit.h"
#include "ekubench/pki/cert.h"
#include "ekubench/store/link.h"
#include "ekubench/store/release.h"

#include <stddef.h>

// ekb_audit_roles_name returns "server", "client", "both" or "?"; ekb_audit_place_name "file",
// "store" or "server"; ekb_audit_switch_name "on" or "off". String literals.
// ekb_audit_good_for_text is ekb_eku_format of what `item` is good for, "nothing" included.
const char *ekb_audit_roles_name(unsigned roles);
const char *ekb_audit_place_name(enum ekb_audit_place place);
const char *ekb_audit_switch_name(int mode);
const char *ekb_audit_good_for_text(char out_text[EKB_EKU_TEXT_LEN],
                                    const struct ekb_audit_item *item);

// One column of the judgement on links: a release, and a mode (0: on) where it has the switch.
struct ekb_audit_column {
    enum ekb_release release;
    int mode;
};

// ekb_audit_columns lists all columns and returns their number; ekb_audit_column_of returns that of
// the audit.
#define EKB_AUDIT_MAX_COLUMNS (2 * (size_t)EKB_RELEASE_NUM)
size_t ekb_audit_columns(struct ekb_audit_column out_columns[EKB_AUDIT_MAX_COLUMNS]);
struct ekb_audit_column ekb_audit_column_of(const struct ekb_audit_options *options);

// ekb_audit_links returns the links of which that is found in a column, as a set (1 << enum
// ekb_link).
unsigned ekb_audit_links(const struct ekb_audit_item *item, struct ekb_audit_column column,
                         enum ekb_audit_link found);

// ekb_audit_reasons lists the faults of `item` that are told as reasons, each by its bit, and
// returns their number: all but what is told of the gate and of the upgrade.
size_t ekb_audit_reasons(unsigned out_faults[EKB_AUDIT_NUM_FAULTS],
                         const struct ekb_audit_item *item);

// The forms. Each prints what stands first, an item or a problem (`text`, of `source`), and what
// stands last. CSV has nothing to say at the end.
void ekb_audit_text_begin(const struct ekb_audit_printer *printer);
void ekb_audit_text_item(const struct ekb_audit_printer *printer,
                         const struct ekb_audit_item *item);
void ekb_audit_text_end(const struct ekb_audit_printer *printer,
                        const struct ekb_audit_totals *totals);
void ekb_audit_json_begin(const struct ekb_audit_printer *printer);
void ekb_audit_json_item(const struct ekb_audit_printer *printer,
                         const struct ekb_audit_item *item);
void ekb_audit_json_problem(const struct ekb_audit_printer *printer, const char *source,
                            const struct ekb_fail *problem, const char *text);
void ekb_audit_json_end(const struct ekb_audit_totals *totals);
void ekb_audit_csv_begin(void);
void ekb_audit_csv_item(const struct ekb_audit_printer *printer, const struct ekb_audit_item *item);
void ekb_audit_csv_problem(const char *source, const char *text);

#endif
