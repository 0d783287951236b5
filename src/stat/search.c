#include "ekubench/stat/search.h"

#include "ekubench/base/err.h"

#include <math.h>
#include <string.h>

// Rates that are closer than this share are one.
#define SAME 1e-9
// A search that starts too high comes down, and one that starts too low goes up, by this factor.
#define STEP_DOWN 0.7
#define STEP_UP 1.3
// What is below this share of the first rate is nothing.
#define NOTHING 1e-3
// Bounds closer than so many widths are looked at with long trials.
#define CLOSE 4.0

void ekb_search_init(struct ekb_search *out_search, const struct ekb_search_options *options)
{
    EKB_CHECK(options->first_per_s > 0 && options->ceiling_per_s >= options->first_per_s &&
              options->width > 0 && options->num_long > 0);
    *out_search = (struct ekb_search){.options = *options};
}

enum judgement {
    UNKNOWN,
    MEETS,
    MISSES
};

// is_stuck is true if the generator cannot give that rate.
static bool is_stuck(const struct ekb_search_rate *rate)
{
    return rate->invalid_in_row >= EKB_SEARCH_MAX_INVALID;
}

// judge does not believe the short trials of a rate at which long ones cannot be had.
static enum judgement judge(const struct ekb_search_rate *rate)
{
    const bool has_long = rate->long_passed + rate->long_failed > 0;
    if (!has_long && is_stuck(rate)) {
        return UNKNOWN;
    }
    const unsigned passed = has_long ? rate->long_passed : rate->short_passed;
    const unsigned failed = has_long ? rate->long_failed : rate->short_failed;
    return passed + failed == 0 ? UNKNOWN : failed <= passed ? MEETS : MISSES;
}

// upper_index returns the index of the lowest rate that misses the objective, num_rates if there is
// none; lower_index that of the highest below it that meets it.
static size_t upper_index(const struct ekb_search *search)
{
    size_t i = 0;
    while (i < search->num_rates && judge(&search->rates[i]) != MISSES) {
        i++;
    }
    return i;
}

static size_t lower_index(const struct ekb_search *search)
{
    size_t lower = search->num_rates;
    for (size_t i = 0; i < upper_index(search); i++) {
        lower = judge(&search->rates[i]) == MEETS ? i : lower;
    }
    return lower;
}

double ekb_search_lower(const struct ekb_search *search)
{
    const size_t index = lower_index(search);
    return index < search->num_rates ? search->rates[index].rate_per_s : 0;
}

double ekb_search_upper(const struct ekb_search *search)
{
    const size_t index = upper_index(search);
    return index < search->num_rates ? search->rates[index].rate_per_s : (double)INFINITY;
}

// limit returns the lowest rate above the lower bound that cannot be tried, or infinity.
static double limit(const struct ekb_search *search)
{
    const double lower = ekb_search_lower(search);
    for (size_t i = 0; i < search->num_rates; i++) {
        if (is_stuck(&search->rates[i]) && search->rates[i].rate_per_s > lower) {
            return search->rates[i].rate_per_s;
        }
    }
    return (double)INFINITY;
}

static unsigned num_long(const struct ekb_search_rate *rate)
{
    return rate->long_passed + rate->long_failed;
}

// wants_more is true of a bound that needs another long trial, and can have it.
static bool wants_more(const struct ekb_search *search, const struct ekb_search_rate *rate)
{
    return num_long(rate) < search->options.num_long && !is_stuck(rate);
}

// confirm chooses, of the two bounds, the one with fewer long trials, if it needs another.
static bool confirm(const struct ekb_search *search, struct ekb_search_trial *out_trial)
{
    const size_t lower = lower_index(search);
    const size_t upper = upper_index(search);
    const struct ekb_search_rate *wanting = NULL;
    if (lower < search->num_rates && wants_more(search, &search->rates[lower])) {
        wanting = &search->rates[lower];
    }
    if (upper < search->num_rates && wants_more(search, &search->rates[upper]) &&
        (wanting == NULL || num_long(&search->rates[upper]) < num_long(wanting))) {
        wanting = &search->rates[upper];
    }
    if (wanting != NULL) {
        *out_trial = (struct ekb_search_trial){wanting->rate_per_s, search->options.long_ns};
    }
    return wanting != NULL;
}

// go_on chooses the next trial while the bounds are apart; false if they are close and confirmed.
static bool go_on(const struct ekb_search *search, struct ekb_search_trial *out_trial)
{
    const struct ekb_search_options *options = &search->options;
    const double lower = ekb_search_lower(search);
    const double upper = fmin(ekb_search_upper(search), limit(search));
    uint64_t duration_ns = options->short_ns;
    double rate = options->first_per_s;
    if (lower > 0 && isinf(upper)) {
        rate = fmin(lower * STEP_UP, options->ceiling_per_s);
        if (lower >= options->ceiling_per_s * (1.0 - SAME)) {
            return confirm(search, out_trial);
        }
    } else if (lower == 0 && !isinf(upper)) {
        rate = upper * STEP_DOWN;
    } else if (lower > 0) {
        const double apart = (upper - lower) / upper;
        if (apart <= options->width) {
            return confirm(search, out_trial);
        }
        rate = sqrt(lower * upper);
        duration_ns = apart > CLOSE * options->width ? options->short_ns : options->long_ns;
    }
    *out_trial = (struct ekb_search_trial){rate, duration_ns};
    return true;
}

// retry chooses the rate whose last trial was invalid, if it may be tried again.
static bool retry(const struct ekb_search *search, struct ekb_search_trial *out_trial)
{
    for (size_t i = 0; i < search->num_rates; i++) {
        const struct ekb_search_rate *rate = &search->rates[i];
        if (rate->invalid_in_row > 0 && !is_stuck(rate)) {
            *out_trial = (struct ekb_search_trial){rate->rate_per_s, rate->invalid_ns};
            return true;
        }
    }
    return false;
}

// ending says how a search ends that needs no more trials.
static enum ekb_search_state ending(const struct ekb_search *search)
{
    if (ekb_search_upper(search) <= limit(search) && !isinf(ekb_search_upper(search))) {
        return EKB_SEARCH_FOUND;
    }
    return isinf(limit(search)) ? EKB_SEARCH_CEILING : EKB_SEARCH_GENERATOR;
}

enum ekb_search_state ekb_search_next(const struct ekb_search *search,
                                      struct ekb_search_trial *out_trial)
{
    struct ekb_search_trial trial;
    const bool going = retry(search, &trial) || go_on(search, &trial);
    if (!going) {
        return ending(search);
    }
    if (trial.rate_per_s < search->options.first_per_s * NOTHING) {
        return isinf(limit(search)) ? EKB_SEARCH_NOTHING : EKB_SEARCH_GENERATOR;
    }
    if (search->spent_ns + trial.duration_ns + search->options.overhead_ns >
            search->options.budget_ns ||
        search->num_rates == EKB_SEARCH_MAX_RATES) {
        return EKB_SEARCH_EXHAUSTED;
    }
    *out_trial = trial;
    return EKB_SEARCH_GOING;
}

// rate_of returns the entry of a rate, which it makes if there is none.
static struct ekb_search_rate *rate_of(struct ekb_search *search, double rate_per_s)
{
    size_t i = 0;
    while (i < search->num_rates && search->rates[i].rate_per_s < rate_per_s * (1.0 - SAME)) {
        i++;
    }
    if (i == search->num_rates || search->rates[i].rate_per_s > rate_per_s * (1.0 + SAME)) {
        EKB_CHECK(search->num_rates < EKB_SEARCH_MAX_RATES);
        memmove(&search->rates[i + 1], &search->rates[i],
                (search->num_rates - i) * sizeof search->rates[0]);
        search->rates[i] = (struct ekb_search_rate){.rate_per_s = rate_per_s};
        search->num_rates++;
    }
    return &search->rates[i];
}

void ekb_search_add(struct ekb_search *search, const struct ekb_search_trial *trial,
                    enum ekb_search_outcome outcome)
{
    struct ekb_search_rate *rate = rate_of(search, trial->rate_per_s);
    const bool is_long = trial->duration_ns >= search->options.long_ns;
    search->spent_ns += trial->duration_ns + search->options.overhead_ns;
    if (outcome == EKB_SEARCH_INVALID) {
        rate->invalid++;
        rate->invalid_in_row++;
        rate->invalid_ns = trial->duration_ns;
        return;
    }
    rate->invalid_in_row = 0;
    if (outcome == EKB_SEARCH_PASSED) {
        *(is_long ? &rate->long_passed : &rate->short_passed) += 1;
    } else {
        *(is_long ? &rate->long_failed : &rate->short_failed) += 1;
    }
}

void ekb_search_lose(struct ekb_search *search, const struct ekb_search_trial *trial)
{
    search->spent_ns += trial->duration_ns + search->options.overhead_ns;
}
