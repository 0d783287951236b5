// Several results, side by side: one row for each number that any of them has.

#ifndef EKUBENCH_SRC_REPORT_OVERLAY_H
#define EKUBENCH_SRC_REPORT_OVERLAY_H

#include "report/numbers.h"

#include "ekubench/report/format.h"

struct report_overlay {
    const struct ekb_report_set *set; // Borrowed.
    struct report_numbers *results;   // As many as the set has.
    const struct report_number **rows;
    size_t num_rows;
};

// report_overlay_init lists the rows, in the order in which they come up. Free it with
// report_overlay_deinit, after an error too. EKB_NOMEM.
EKB_NODISCARD enum ekb_err report_overlay_init(struct report_overlay *out_overlay,
                                               const struct ekb_report_set *set);
void report_overlay_deinit(struct report_overlay *overlay);

// report_overlay_cell writes what a result has in a row, "183.2 us [182.9, 183.6]", or "-".
#define REPORT_CELL_LEN 96
const char *report_overlay_cell(char out_text[REPORT_CELL_LEN],
                                const struct report_overlay *overlay, size_t row, size_t result);

#endif
