#include "ekubench/stat/validation.h"

#include "ekubench/base/err.h"

#include <math.h>

// Invalid ones in a row at one rate that end it.
#define MAX_INVALID 2

void ekb_validation_init(struct ekb_validation *out_validation,
                         const struct ekb_validation_options *options)
{
    EKB_CHECK(options->rate_per_s > 0 && options->step > 0 && options->step < 1);
    *out_validation = (struct ekb_validation){
        .options = *options, .rate_per_s = options->rate_per_s, .upper_per_s = (double)INFINITY};
}

enum ekb_validation_state ekb_validation_next(const struct ekb_validation *validation,
                                              struct ekb_search_trial *out_trial)
{
    const struct ekb_validation_options *options = &validation->options;
    const bool is_spent = validation->spent_ns > 0 &&
                          validation->spent_ns + options->duration_ns > options->budget_ns;
    if (validation->passed) {
        return EKB_VALIDATION_PASSED;
    }
    if (validation->invalid_in_row >= MAX_INVALID || is_spent) {
        return isinf(validation->upper_per_s) ? EKB_VALIDATION_INVALID : EKB_VALIDATION_FAILED;
    }
    *out_trial = (struct ekb_search_trial){validation->rate_per_s, options->duration_ns};
    return EKB_VALIDATION_GOING;
}

void ekb_validation_add(struct ekb_validation *validation, enum ekb_search_outcome outcome)
{
    validation->spent_ns += validation->options.duration_ns;
    validation->invalid_in_row = outcome == EKB_SEARCH_INVALID ? validation->invalid_in_row + 1 : 0;
    if (outcome == EKB_SEARCH_PASSED) {
        validation->passed = true;
    } else if (outcome == EKB_SEARCH_FAILED) {
        validation->upper_per_s = validation->rate_per_s;
        validation->rate_per_s *= 1.0 - validation->options.step;
    }
}
