// The numbers of a record that others may want to follow: one list, from which the formats for
// dashboards and the overlay of several results are made.

#ifndef EKUBENCH_SRC_REPORT_NUMBERS_H
#define EKUBENCH_SRC_REPORT_NUMBERS_H

#include "ekubench/stat/record.h"

#include <stdbool.h>
#include <stddef.h>

enum report_sense {
    REPORT_SMALLER_IS_BETTER,
    REPORT_BIGGER_IS_BETTER,
};

struct report_number {
    char of[112];     // What it is of: "cost/on-d1", "load", "capacity".
    char metric[48];  // "server_cpu_ns", "latency_p99_ns", "accepted_per_s"
    const char *unit; // "ns", "/s"; a string literal.
    enum report_sense sense;
    double value;
    bool interval_known;
    double low, high;
};

struct report_numbers {
    struct report_number *items;
    size_t num_items;
};

// report_stage_has_rates is true for stages whose rates mean something: in the others the arms take
// turns from handshake to handshake, so that each accepts as many as any other.
bool report_stage_has_rates(const char *stage);

// report_numbers_make lists the known, finite numbers of `record`, newly allocated; free the items.
// EKB_NOMEM.
EKB_NODISCARD enum ekb_err report_numbers_make(struct report_numbers *out_numbers,
                                               const struct ekb_record *record);

// report_numbers_find returns the number that is called as `like`, or NULL.
const struct report_number *report_numbers_find(const struct report_numbers *numbers,
                                                const struct report_number *like);

#endif
