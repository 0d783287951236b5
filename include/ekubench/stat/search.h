// The highest rate that meets an objective, found by trials. Pure: somebody else runs them.
//
// A trial at a rate passes, fails, or is invalid because the generator or the machine was at fault.
// Near the highest rate the same rate passes once and fails the next time, so that bisection alone
// would end anywhere. As in MLRsearch (IETF, draft-ietf-bmwg-mlrsearch): short trials while the
// bounds are far apart, long ones when they are close, and several of these at either bound before
// it is believed; a rate meets the objective if at most half of its trials fail, and long ones
// count instead of short ones. The lower bound is the highest rate that does, with none below it
// that does not; the upper bound the lowest that does not.

#ifndef EKUBENCH_STAT_SEARCH_H
#define EKUBENCH_STAT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_SEARCH_MAX_RATES 64
// Invalid trials in a row at one rate that end the search there.
#define EKB_SEARCH_MAX_INVALID 3

struct ekb_search_options {
    double first_per_s;   // The first trial. Above 0.
    double ceiling_per_s; // No trial is above this: a closed loop reached no more. At least
                          // `first_per_s`.
    double width;         // Relative distance of the bounds at the end, such as 0.02.
    uint64_t short_ns;
    uint64_t long_ns;
    unsigned num_long; // Valid long trials that a bound needs.
    // Of all trials together, each with what it takes beside its duration (warming up, processes):
    // when the next one would exceed it the search ends.
    uint64_t budget_ns;
    uint64_t overhead_ns;
};

enum ekb_search_outcome {
    EKB_SEARCH_PASSED,
    EKB_SEARCH_FAILED,
    EKB_SEARCH_INVALID
};

struct ekb_search_trial {
    double rate_per_s;
    uint64_t duration_ns;
};

enum ekb_search_state {
    EKB_SEARCH_GOING,
    EKB_SEARCH_FOUND,     // Both bounds are close and confirmed.
    EKB_SEARCH_CEILING,   // The ceiling itself meets the objective.
    EKB_SEARCH_GENERATOR, // Above the lower bound trials are invalid: the answer is at least it.
    EKB_SEARCH_NOTHING,   // Not even a thousandth of the first rate meets the objective.
    EKB_SEARCH_EXHAUSTED, // The budget is spent; the bounds are as they are.
};

// Trials of one rate.
struct ekb_search_rate {
    double rate_per_s;
    unsigned short_passed, short_failed;
    unsigned long_passed, long_failed;
    unsigned invalid;        // All of them,
    unsigned invalid_in_row; // and since the last valid one.
    uint64_t invalid_ns;     // How long the last of them was.
};

struct ekb_search {
    struct ekb_search_options options;
    struct ekb_search_rate rates[EKB_SEARCH_MAX_RATES]; // In ascending order.
    size_t num_rates;
    uint64_t spent_ns;
};

// ekb_search_init begins a search.
void ekb_search_init(struct ekb_search *out_search, const struct ekb_search_options *options);

// ekb_search_next stores the next trial to run and returns EKB_SEARCH_GOING, or returns how the
// search has ended. ekb_search_add takes the outcome of a trial.
enum ekb_search_state ekb_search_next(const struct ekb_search *search,
                                      struct ekb_search_trial *out_trial);
void ekb_search_add(struct ekb_search *search, const struct ekb_search_trial *trial,
                    enum ekb_search_outcome outcome);

// ekb_search_lose takes the time of a trial that says nothing of anybody, because the machine was
// disturbed: the same is chosen again.
void ekb_search_lose(struct ekb_search *search, const struct ekb_search_trial *trial);

// ekb_search_lower returns the highest rate that meets the objective, 0 if none does;
// ekb_search_upper the lowest that does not, infinity if none fails to.
double ekb_search_lower(const struct ekb_search *search);
double ekb_search_upper(const struct ekb_search *search);

#endif
