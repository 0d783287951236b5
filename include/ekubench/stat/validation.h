// The last word on a rate that a search has found: trials of a fixed length at it, until one has
// passed. Pure: somebody else runs them.
//
// A validation that fails takes the rate back, and the next one is a step below it. One that is
// invalid (the generator's or the machine's fault) is repeated once. A rate is an answer only if
// its validation has passed.

#ifndef EKUBENCH_STAT_VALIDATION_H
#define EKUBENCH_STAT_VALIDATION_H

#include "ekubench/stat/search.h"

#include <stdint.h>

struct ekb_validation_options {
    double rate_per_s; // Where it begins. Above 0.
    double step;       // By which share it goes down, such as 0.03.
    uint64_t duration_ns;
    uint64_t budget_ns; // Of all of them: none begins that would exceed it, but the first.
};

enum ekb_validation_state {
    EKB_VALIDATION_GOING,
    EKB_VALIDATION_PASSED,
    EKB_VALIDATION_FAILED,  // None passed, at any rate that was tried.
    EKB_VALIDATION_INVALID, // None was valid.
};

struct ekb_validation {
    struct ekb_validation_options options;
    double rate_per_s;  // Of the next one, or of the one that passed.
    double upper_per_s; // The lowest that failed; infinity if none did.
    unsigned invalid_in_row;
    bool passed;
    uint64_t spent_ns;
};

void ekb_validation_init(struct ekb_validation *out_validation,
                         const struct ekb_validation_options *options);

// ekb_validation_next stores the next trial to run and returns EKB_VALIDATION_GOING, or returns how
// it has ended. ekb_validation_add takes the outcome of that trial.
enum ekb_validation_state ekb_validation_next(const struct ekb_validation *validation,
                                              struct ekb_search_trial *out_trial);
void ekb_validation_add(struct ekb_validation *validation, enum ekb_search_outcome outcome);

#endif
