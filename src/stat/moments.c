#include "ekubench/stat/moments.h"

#include "ekubench/base/err.h"

#include <math.h>

// ISO C has no 128-bit integer; both compilers that this is built with do.
__extension__ typedef unsigned __int128 uint128;

static uint128 sum_squares_of(const struct ekb_moments *moments)
{
    return ((uint128)moments->sum_squares_high << 64) | moments->sum_squares_low;
}

static void set_sum_squares(struct ekb_moments *moments, uint128 value)
{
    moments->sum_squares_low = (uint64_t)value;
    moments->sum_squares_high = (uint64_t)(value >> 64);
}

static void add_sum_squares(struct ekb_moments *moments, uint128 value)
{
    set_sum_squares(moments, sum_squares_of(moments) + value);
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

const char *ekb_moments_format_squares(char out_text[EKB_MOMENTS_TEXT_LEN],
                                       const struct ekb_moments *moments)
{
    uint128 rest = sum_squares_of(moments);
    char *at = out_text + EKB_MOMENTS_TEXT_LEN - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    return at;
}

bool ekb_moments_parse_squares(struct ekb_moments *moments, const char *text)
{
    const uint128 max = ~(uint128)0;
    uint128 value = 0;
    if (text[0] == '\0') {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        const unsigned digit = (unsigned)*at - '0';
        if (digit > 9 || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    set_sum_squares(moments, value);
    return true;
}

// least_squares returns the least sum of squares that samples with that count and sum can have:
// with the mean as in sum_squared_deviations, n m^2 + 2 m r + r^2 / n, rounded up.
static uint128 least_squares(const struct ekb_moments *moments)
{
    const uint128 n = moments->count;
    const uint128 m = moments->sum / n;
    const uint128 r = moments->sum % n;
    return n * m * m + 2 * m * r + (r * r + n - 1) / n;
}

void ekb_moments_guess_squares(struct ekb_moments *moments, double stddev)
{
    if (moments->count == 0) {
        set_sum_squares(moments, 0);
        return;
    }
    // sum (x - m)^2 for the whole number m next to the mean is whole, and what is missing.
    const double n = (double)moments->count;
    const double r = (double)(moments->sum % moments->count);
    const double missing = round(stddev * stddev * (n - 1) + r * r / n) - ceil(r * r / n);
    const uint128 most = (uint128)moments->sum * moments->max;
    const uint128 guess =
        least_squares(moments) + (missing > 0 && missing < 0x1p126 ? (uint128)missing : 0);
    set_sum_squares(moments, guess < most ? guess : most);
}

bool ekb_moments_is_possible(const struct ekb_moments *moments)
{
    const uint128 count = moments->count;
    const uint128 sum = moments->sum;
    if (count == 0) {
        return sum == 0 && sum_squares_of(moments) == 0;
    }
    // The first bounds keep the products of the last within 128 bits.
    return moments->min <= moments->max && moments->max >> 63 == 0 && moments->sum >> 63 == 0 &&
           moments->count >> 63 == 0 && count * moments->min <= sum &&
           sum <= count * moments->max && least_squares(moments) <= sum_squares_of(moments) &&
           sum_squares_of(moments) <= sum * moments->max;
}
