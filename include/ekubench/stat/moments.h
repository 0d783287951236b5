// Exact moments of integer samples: count, sum, sum of squares, minimum, maximum.
//
// Sums are exact integers, so that merging in any order gives the same result to the bit and a
// difference of a few nanoseconds between means of hundreds of microseconds is not lost in
// rounding. Plain data: a zeroed one is empty.

#ifndef EKUBENCH_STAT_MOMENTS_H
#define EKUBENCH_STAT_MOMENTS_H

#include <stdbool.h>
#include <stdint.h>

struct ekb_moments {
    uint64_t count;
    uint64_t sum;
    uint64_t sum_squares_low; // The 128-bit sum of squares, low and high half.
    uint64_t sum_squares_high;
    uint64_t min; // 0 if empty.
    uint64_t max;
};

// ekb_moments_add adds one sample below 2^63. The sum must stay below 2^64 (584 years in
// nanoseconds). Both are checked, in release builds too: a wrapped sum would be a wrong mean.
void ekb_moments_add(struct ekb_moments *moments, uint64_t value);

// ekb_moments_merge adds all samples of `from` to `to`. The sum must stay below 2^64, which is
// checked; whoever merges sums that were read from a file looks first.
void ekb_moments_merge(struct ekb_moments *to, const struct ekb_moments *from);

// ekb_moments_mean returns the mean, 0 if empty.
double ekb_moments_mean(const struct ekb_moments *moments);

// ekb_moments_stddev returns the sample standard deviation (n - 1), 0 with fewer than two samples.
// The numerator count * sum_squares - sum^2 is computed without cancellation.
double ekb_moments_stddev(const struct ekb_moments *moments);

// Storing: a sum of squares is more than numbers in files can be, and goes as text.

// ekb_moments_format_squares writes the sum of squares in decimal digits.
#define EKB_MOMENTS_TEXT_LEN 40
const char *ekb_moments_format_squares(char out_text[EKB_MOMENTS_TEXT_LEN],
                                       const struct ekb_moments *moments);

// ekb_moments_parse_squares reads it back into `moments`. False, and nothing changed, if `text` is
// not digits only or does not fit.
bool ekb_moments_parse_squares(struct ekb_moments *moments, const char *text);

// ekb_moments_guess_squares sets the sum of squares so that the deviation comes to `stddev`, as
// near as its digits tell, for results that do not have the sum.
void ekb_moments_guess_squares(struct ekb_moments *moments, double stddev);

// ekb_moments_is_possible is true if there are samples below 2^63 whose moments these can be. What
// was read from a file is asked before anything is computed from it.
bool ekb_moments_is_possible(const struct ekb_moments *moments);

#endif
