// IMPLEMENTATION NOTES
//
// The k-th smallest Walsh average is found without making all of them. For sorted values the number
// of averages that are at most t is counted in one pass (as i grows, the last fitting j falls), and
// the smallest t with a count of at least k is searched by bisection over the doubles: that t is
// the average sought, to the last bit, because the count changes nowhere else.

#include "ekubench/stat/rank.h"

#include "ekubench/stat/distribution.h"
#include "stat/sort.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static double *sorted_copy(const double *values, size_t num_values)
{
    double *copy =
        num_values < SIZE_MAX / sizeof copy[0] ? malloc(num_values * sizeof copy[0] + 1) : NULL;
    if (copy != NULL && num_values > 0) {
        memcpy(copy, values, num_values * sizeof copy[0]);
        ekb_sort_doubles(copy, num_values);
    }
    return copy;
}

// Halves are added: the sum could overflow.
static double walsh(double a, double b)
{
    return 0.5 * a + 0.5 * b;
}

static uint64_t num_walsh(uint64_t n)
{
    return n * (n + 1) / 2;
}

// count_walsh returns how many averages of the sorted values are at most `limit`.
static uint64_t count_walsh(const double *sorted, size_t n, double limit)
{
    uint64_t count = 0;
    size_t end = n; // sorted[i] fits together with all before it.
    for (size_t i = 0; i < n; i++) {
        while (end > 0 && walsh(sorted[i], sorted[end - 1]) > limit) {
            end--;
        }
        if (end <= i) {
            break;
        }
        count += end - i;
    }
    return count;
}

// nth_walsh returns the `rank`-th smallest average (the first is 1).
static double nth_walsh(const double *sorted, size_t n, uint64_t rank)
{
    double low = sorted[0];
    double high = sorted[n - 1];
    if (count_walsh(sorted, n, low) >= rank) {
        return low;
    }
    for (;;) {
        const double middle = walsh(low, high);
        if (middle <= low || middle >= high) {
            return high;
        }
        if (count_walsh(sorted, n, middle) >= rank) {
            high = middle;
        } else {
            low = middle;
        }
    }
}

// The signed-rank statistic.

// fill_frequencies counts, for each value v of the statistic, the subsets of {1..n} that add up to
// it. `out_frequencies` has num_walsh(n) + 1 entries. Doubles hold the counts exactly up to 2^53,
// and well enough beyond.
static void fill_frequencies(double *out_frequencies, size_t n)
{
    const size_t top = (size_t)num_walsh(n);
    memset(out_frequencies, 0, (top + 1) * sizeof out_frequencies[0]);
    out_frequencies[0] = 1.0;
    for (size_t rank = 1; rank <= n; rank++) {
        for (size_t v = top; v >= rank; v--) {
            out_frequencies[v] += out_frequencies[v - rank];
        }
    }
}

#define NUM_FREQUENCIES (EKB_RANK_MAX_EXACT * (EKB_RANK_MAX_EXACT + 1) / 2 + 1)

// tail_probability returns P(V <= v) with `n` values.
static double tail_probability(const double *frequencies, size_t n, uint64_t v)
{
    double sum = 0;
    for (uint64_t i = 0; i <= v; i++) {
        sum += frequencies[i];
    }
    return ldexp(sum, -(int)n);
}

// interval_rank returns the rank of the average that is the lower end, 0 if there is none: the
// largest k with 2 P(V < k) <= 1 - confidence.
static uint64_t interval_rank(size_t n, double confidence)
{
    const double tail = 0.5 * (1.0 - confidence);
    if (n > EKB_RANK_MAX_EXACT) {
        const double count = (double)n;
        const double deviation = sqrt(count * (count + 1.0) * (2.0 * count + 1.0) / 24.0);
        const double rank =
            count * (count + 1.0) / 4.0 + ekb_normal_quantile(tail) * deviation + 0.5;
        return rank < 1.0 ? 0 : (uint64_t)rank;
    }
    double frequencies[NUM_FREQUENCIES];
    fill_frequencies(frequencies, n);
    uint64_t rank = 0;
    double below = ldexp(frequencies[0], -(int)n); // P(V <= rank)
    while (below <= tail) {
        rank++;
        below += ldexp(frequencies[rank], -(int)n);
    }
    return rank;
}

enum ekb_err ekb_rank_estimate(struct ekb_estimate *out_estimate, const double *values,
                               size_t num_values, double confidence)
{
    assert(confidence > 0.0 && confidence < 1.0);
    const size_t n = num_values;
    const uint64_t rank = n >= EKB_ESTIMATE_MIN_N ? interval_rank(n, confidence) : 0;
    if (rank == 0) {
        return EKB_NOT_FOUND;
    }
    double *sorted = sorted_copy(values, n);
    if (sorted == NULL) {
        return EKB_NOMEM;
    }
    const uint64_t total = num_walsh(n);
    *out_estimate = (struct ekb_estimate){
        .estimate =
            walsh(nth_walsh(sorted, n, (total + 1) / 2), nth_walsh(sorted, n, total / 2 + 1)),
        .low = nth_walsh(sorted, n, rank),
        .high = nth_walsh(sorted, n, total + 1 - rank),
        .n = n,
    };
    free(sorted);
    return EKB_OK;
}

// The test.

static int compare_sizes(const void *left, const void *right)
{
    const double a = fabs(*(const double *)left);
    const double b = fabs(*(const double *)right);
    return (a > b) - (a < b);
}

// What there is to know of a sample for the test.
struct signed_ranks {
    size_t n;        // Values that are not zero.
    double positive; // Sum of the ranks of the positive ones: V.
    double tie_term; // Sum of t^3 - t over groups of t equal sizes.
    bool has_zeroes;
};

static struct signed_ranks rank_signs(double *values, size_t num_values)
{
    struct signed_ranks ranks = {0};
    size_t first = 0;
    qsort(values, num_values, sizeof values[0], compare_sizes);
    while (first < num_values && fabs(values[first]) <= 0.0) {
        first++;
    }
    ranks.n = num_values - first;
    ranks.has_zeroes = first > 0;
    for (size_t i = first; i < num_values;) {
        size_t end = i + 1;
        while (end < num_values && fabs(values[end]) <= fabs(values[i])) {
            end++;
        }
        const double group = (double)(end - i);
        const double rank = 0.5 * (double)(i + 1 + end) - (double)first;
        ranks.tie_term += group * group * group - group;
        for (; i < end; i++) {
            ranks.positive += values[i] > 0 ? rank : 0;
        }
    }
    return ranks;
}

static double exact_p(const struct signed_ranks *ranks)
{
    double frequencies[NUM_FREQUENCIES];
    const double top = (double)num_walsh(ranks->n);
    const double lesser = fmin(ranks->positive, top - ranks->positive);
    fill_frequencies(frequencies, ranks->n);
    return fmin(1.0, 2.0 * tail_probability(frequencies, ranks->n, (uint64_t)lesser));
}

static double normal_p(const struct signed_ranks *ranks)
{
    const double n = (double)ranks->n;
    const double away = fabs(ranks->positive - n * (n + 1.0) / 4.0);
    const double variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ranks->tie_term / 48.0;
    return fmin(1.0, 2.0 * ekb_normal_cdf(-fmax(away - 0.5, 0.0) / sqrt(variance)));
}

enum ekb_err ekb_rank_test(double *out_p, const double *values, size_t num_values)
{
    double *copy = sorted_copy(values, num_values);
    if (copy == NULL) {
        return EKB_NOMEM;
    }
    const struct signed_ranks ranks = rank_signs(copy, num_values);
    free(copy);
    if (ranks.n == 0) {
        *out_p = 1.0;
    } else if (ranks.n <= EKB_RANK_MAX_EXACT && !ranks.has_zeroes && ranks.tie_term <= 0.0) {
        *out_p = exact_p(&ranks);
    } else {
        *out_p = normal_p(&ranks);
    }
    return EKB_OK;
}
