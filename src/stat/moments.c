#include "ekubench/stat/moments.h"

#include "ekubench/base/err.h"

#include <math.h>

// ISO C has no 128-bit integer; both compilers that this is built with do.
__extension__ typedef unsigned __int128 uint128;

static uint128 sum_squares_of(const struct ekb_moments *moments)
{
    return ((uint128)moments->sum_squares_high << 64) | moments->sum_squares_low;
}

static void add_sum_squares(struct ekb_moments *moments, uint128 value)
{
    const uint128 total = sum_squares_of(moments) + value;
    moments->sum_squares_low = (uint64_t)total;
    moments->sum_squares_high = (uint64_t)(total >> 64);
}

static void add_sum(struct ekb_moments *moments, uint64_t value)
{
    EKB_CHECK(!__builtin_add_overflow(moments->sum, value, &moments->sum));
}

void ekb_moments_add(struct ekb_moments *moments, uint64_t value)
{
    EKB_CHECK(value >> 63 == 0);
    if (moments->count == 0 || value < moments->min) {
        moments->min = value;
    }
    if (value > moments->max) {
        moments->max = value;
    }
    moments->count++;
    add_sum(moments, value);
    add_sum_squares(moments, (uint128)value * value);
}

void ekb_moments_merge(struct ekb_moments *to, const struct ekb_moments *from)
{
    if (from->count == 0) {
        return;
    }
    if (to->count == 0 || from->min < to->min) {
        to->min = from->min;
    }
    if (from->max > to->max) {
        to->max = from->max;
    }
    to->count += from->count;
    add_sum(to, from->sum);
    add_sum_squares(to, sum_squares_of(from));
}

double ekb_moments_mean(const struct ekb_moments *moments)
{
    return moments->count == 0 ? 0.0 : (double)moments->sum / (double)moments->count;
}

// The textbook numerator, count * sum_squares - sum^2, can need 191 bits, and in floating point it
// cancels. So the mean is split into a whole part m and a rest r / n, with S = n * m + r:
//
//     D = sum (x - m)^2    = sum_squares - n * m^2 - 2 * m * r          exact; at most sum_squares
//     sum (x - mean)^2     = D - r^2 / n
//
// and r^2 is split again, r^2 = q * n + t, so that D - q is exact too. If t > 0 then D - q >= 1,
// and D - q - t / n is the sum of two terms that are not negative: (D - q - 1) + (n - t) / n.
// Nothing cancels. No step overflows: sum < 2^64 and values < 2^63 bound sum_squares by 2^127, and
// the terms subtracted are never larger than what they are taken from.
static double sum_squared_deviations(const struct ekb_moments *moments)
{
    const uint128 n = moments->count;
    const uint128 m = moments->sum / n;
    const uint128 r = moments->sum % n;
    const uint128 d = sum_squares_of(moments) - n * m * m - 2 * m * r;
    const uint128 q = r * r / n;
    const uint128 t = r * r % n;
    if (t == 0) {
        return (double)(d - q);
    }
    return (double)(d - q - 1) + (double)(n - t) / (double)n;
}

double ekb_moments_stddev(const struct ekb_moments *moments)
{
    if (moments->count < 2) {
        return 0.0;
    }
    return sqrt(sum_squared_deviations(moments) / (double)(moments->count - 1));
}
