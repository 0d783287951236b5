// What `ekubench audit` prints: as it is found, as text, JSON or CSV.

#ifndef EKUBENCH_SRC_CLI_AUDIT_PRINT_H
#define EKUBENCH_SRC_CLI_AUDIT_PRINT_H

#include "ekubench/lab/audit.h"

#include <stdint.h>

enum ekb_audit_form {
    EKB_AUDIT_TEXT,
    EKB_AUDIT_JSON,
    EKB_AUDIT_CSV, // RFC 4180, with a line of names.
};

struct ekb_audit_printer {
    const struct ekb_audit_options *options;
    enum ekb_audit_form form;
    uint64_t num; // Told so far.
};

// ekb_audit_print_begin prints what stands first, ekb_audit_print_end what stands last.
// ekb_audit_print is an `ekb_audit_tell` whose context is the printer: what is no printable ASCII
// in names of files is escaped, since they are anybody's.
void ekb_audit_print_begin(const struct ekb_audit_printer *printer);
void ekb_audit_print(void *context, const struct ekb_audit_item *item, const char *source,
                     const struct ekb_fail *problem);
void ekb_audit_print_end(const struct ekb_audit_printer *printer,
                         const struct ekb_audit_totals *totals);

#endif
