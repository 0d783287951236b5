#include "ekubench/base/units.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct unit {
    const char *suffix;
    double factor;
};

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

// Descending: the order of the parts of a duration.
static const struct unit duration_units[] = {{"d", 86400.0e9}, {"h", 3600.0e9}, {"m", 60.0e9},
                                             {"s", 1e9},       {"ms", 1e6},     {"us", 1e3},
                                             {"ns", 1e0}};
static const struct unit rate_units[] = {
    {"/s", 1.0},        {"k/s", 1e3},        {"K/s", 1e3},        {"M/s", 1e6},
    {"/m", 1.0 / 60},   {"k/m", 1e3 / 60},   {"K/m", 1e3 / 60},   {"M/m", 1e6 / 60},
    {"/h", 1.0 / 3600}, {"k/h", 1e3 / 3600}, {"K/h", 1e3 / 3600}, {"M/h", 1e6 / 3600}};
static const struct unit share_units[] = {{"", 1.0}, {"%", 0.01}};
static const struct unit percent_units[] = {{"", 1.0}, {"%", 1.0}};
static const struct unit count_units[] = {
    {"", 1e0}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}};
static const struct unit size_units[] = {{"", 1e0},
                                         {"B", 1e0},
                                         {"k", 1e3},
                                         {"K", 1e3},
                                         {"kB", 1e3},
                                         {"KB", 1e3},
                                         {"M", 1e6},
                                         {"MB", 1e6},
                                         {"G", 1e9},
                                         {"GB", 1e9},
                                         {"KiB", 1024.0},
                                         {"MiB", 1024.0 * 1024.0},
                                         {"GiB", 1024.0 * 1024.0 * 1024.0}};

// read_number reads the unsigned decimal number that `text` begins with. It returns its length; 0
// if there is none.
static size_t read_number(long double *out_value, const char *text)
{
    const size_t len = strspn(text, "0123456789.");
    char number[32] = {0};
    char *end = NULL;
    if (len == 0 || len > 24) {
        return 0;
    }
    memcpy(number, text, len);
    errno = 0;
    *out_value = strtold(number, &end);
    return errno == 0 && *end == '\0' ? len : 0;
}

// settle returns `value` as what was written: decimals are rarely exact in binary, and what is
// whole but for that is whole.
static double settle(long double value)
{
    const long double whole = roundl(value);
    return (double)(fabsl(value - whole) < 1e-9L * fabsl(value) ? whole : value);
}

// parse_with_unit reads an unsigned decimal number and one of `units`, and nothing else.
static enum ekb_err parse_with_unit(double *out_value, const char *text, const struct unit *units,
                                    size_t num_units)
{
    long double value = 0;
    const size_t len = read_number(&value, text);
    for (size_t i = 0; i < num_units && len > 0; i++) {
        if (strcmp(text + len, units[i].suffix) == 0) {
            *out_value = settle(value * (long double)units[i].factor);
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

// parse_whole reads what must be a whole number from `min` to `max` when its unit is applied.
static enum ekb_err parse_whole(uint64_t *out_value, const char *text, const struct unit *units,
                                size_t num_units, uint64_t min, uint64_t max)
{
    double value;
    // 2^53: above it a double no longer holds every integer.
    if (parse_with_unit(&value, text, units, num_units) != EKB_OK || value > 9007199254740992.0 ||
        value != floor(value) || (uint64_t)value < min || (uint64_t)value > max) {
        return EKB_USAGE;
    }
    *out_value = (uint64_t)value;
    return EKB_OK;
}

enum ekb_err ekb_units_parse_rate(double *out_per_s, const char *text)
{
    double value;
    if (parse_with_unit(&value, text, rate_units, LEN(rate_units)) != EKB_OK || !(value > 0) ||
        value > 1e9) {
        return EKB_USAGE;
    }
    *out_per_s = value;
    return EKB_OK;
}

enum ekb_err ekb_units_parse_share(double *out_share, const char *text)
{
    double value;
    if (parse_with_unit(&value, text, share_units, LEN(share_units)) != EKB_OK || !(value >= 0) ||
        value > 1) {
        return EKB_USAGE;
    }
    *out_share = value;
    return EKB_OK;
}

enum ekb_err ekb_units_parse_percent(double *out_percent, const char *text)
{
    double value;
    if (parse_with_unit(&value, text, percent_units, LEN(percent_units)) != EKB_OK) {
        return EKB_USAGE;
    }
    *out_percent = value;
    return EKB_OK;
}

enum ekb_err ekb_units_parse_duration(uint64_t *out_ns, const char *text)
{
    long double total_ns = 0;
    size_t next = 0; // The largest unit that the next part may have.
    do {
        long double value = 0;
        const size_t len = read_number(&value, text);
        text += len;
        const size_t suffix_len = strcspn(text, "0123456789.");
        while (next < LEN(duration_units) &&
               (strlen(duration_units[next].suffix) != suffix_len ||
                strncmp(text, duration_units[next].suffix, suffix_len) != 0)) {
            next++;
        }
        if (len == 0 || next == LEN(duration_units)) {
            return EKB_USAGE;
        }
        total_ns += value * (long double)duration_units[next++].factor;
        text += suffix_len;
    } while (*text != '\0');
    if (total_ns > 1e18L) {
        return EKB_USAGE;
    }
    *out_ns = (uint64_t)llround(settle(total_ns));
    return EKB_OK;
}

// has_form is true if `text` has a digit where `form` has a 0, and is like it elsewhere.
static bool has_form(const char *text, const char *form)
{
    for (; *form != '\0'; text++, form++) {
        const bool is_digit = *text >= '0' && *text <= '9';
        if (*form == '0' ? !is_digit : *text != *form) {
            return false;
        }
    }
    return *text == '\0';
}

// parse_date reads `text` by `format`, all of it, and refuses dates that do not exist (February
// 30), which timegm would carry over.
static bool parse_date(int64_t *out_seconds, const char *text, const char *format)
{
    struct tm date = {0};
    const char *end = strptime(text, format, &date);
    if (end == NULL || *end != '\0') {
        return false;
    }
    struct tm same = date;
    const time_t seconds = timegm(&same);
    *out_seconds = (int64_t)seconds;
    return same.tm_mday == date.tm_mday && same.tm_mon == date.tm_mon && date.tm_sec < 60;
}

enum ekb_err ekb_units_parse_time(int64_t *out_seconds, const char *text)
{
    char *end = NULL;
    int64_t seconds = 0;
    // strptime skips blanks and takes fewer digits.
    if ((has_form(text, "0000-00-00T00:00:00Z") &&
         parse_date(&seconds, text, "%Y-%m-%dT%H:%M:%SZ")) ||
        (has_form(text, "0000-00-00") && parse_date(&seconds, text, "%Y-%m-%d"))) {
        *out_seconds = seconds;
        return EKB_OK;
    }
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[strspn(text, "-0123456789")] != '\0') {
        return EKB_USAGE;
    }
    *out_seconds = number;
    return EKB_OK;
}

enum ekb_err ekb_units_parse_instant(uint64_t *out_ms, const char *text)
{
    static const char form[] = "0000-00-00T00:00:00";
    char seconds_text[sizeof form + 1];
    int64_t seconds = 0;
    uint64_t ms = 0;
    const size_t len = sizeof form - 1;
    if (strlen(text) <= len) {
        return EKB_USAGE;
    }
    const char *rest = text + len;
    (void)snprintf(seconds_text, sizeof seconds_text, "%.*sZ", (int)len, text);
    if (*rest == '.') {
        const size_t num_digits = strspn(rest + 1, "0123456789");
        for (size_t i = 0; i < 3; i++) { // What is beyond milliseconds is cut off.
            ms = ms * 10 + (i < num_digits ? (uint64_t)(rest[1 + i] - '0') : 0);
        }
        rest += num_digits > 0 ? 1 + num_digits : 0;
    }
    if (strcmp(rest, "Z") != 0 || !has_form(seconds_text, "0000-00-00T00:00:00Z") ||
        ekb_units_parse_time(&seconds, seconds_text) != EKB_OK || seconds < 0) {
        return EKB_USAGE;
    }
    *out_ms = (uint64_t)seconds * 1000 + ms;
    return EKB_OK;
}

const char *ekb_units_format_time(char out_text[EKB_UNITS_TEXT_LEN], int64_t seconds)
{
    const time_t time = (time_t)seconds;
    struct tm utc;
    if (gmtime_r(&time, &utc) == NULL ||
        strftime(out_text, EKB_UNITS_TEXT_LEN, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        (void)snprintf(out_text, EKB_UNITS_TEXT_LEN, "?");
    }
    return out_text;
}

enum ekb_err ekb_units_parse_count(uint64_t *out_count, const char *text, uint64_t min,
                                   uint64_t max)
{
    return parse_whole(out_count, text, count_units, LEN(count_units), min, max);
}

enum ekb_err ekb_units_parse_size(uint64_t *out_bytes, const char *text, uint64_t min, uint64_t max)
{
    return parse_whole(out_bytes, text, size_units, LEN(size_units), min, max);
}

// decimals_for returns how many decimals give `value` three significant digits.
static int decimals_for(double value)
{
    const double magnitude = fabs(value);
    return magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2;
}

const char *ekb_units_format_ns(char out_text[EKB_UNITS_TEXT_LEN], double ns)
{
    static const struct unit steps[] = {{"ns", 1e0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    size_t step = 0;
    while (step + 1 < sizeof steps / sizeof steps[0] &&
           fabs(ns) >= 0.9995 * steps[step + 1].factor) {
        step++;
    }
    const double value = ns / steps[step].factor;
    (void)snprintf(out_text, EKB_UNITS_TEXT_LEN, "%.*f %s", decimals_for(value), value,
                   steps[step].suffix);
    return out_text;
}

const char *ekb_units_format_count(char out_text[EKB_UNITS_TEXT_LEN], uint64_t count)
{
    char digits[EKB_UNITS_TEXT_LEN];
    const size_t num_digits =
        (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    size_t position = 0;
    for (size_t i = 0; i < num_digits; i++) {
        if (i > 0 && (num_digits - i) % 3 == 0) {
            out_text[position++] = ',';
        }
        out_text[position++] = digits[i];
    }
    out_text[position] = '\0';
    return out_text;
}

const char *ekb_units_format_bytes(char out_text[EKB_UNITS_TEXT_LEN], double bytes)
{
    static const char *const suffixes[] = {"B", "KiB", "MiB", "GiB"};
    size_t step = 0;
    double value = bytes;
    while (step + 1 < sizeof suffixes / sizeof suffixes[0] && fabs(value) >= 1023.5) {
        value /= 1024.0;
        step++;
    }
    (void)snprintf(out_text, EKB_UNITS_TEXT_LEN, "%.*f %s", step == 0 ? 0 : decimals_for(value),
                   value, suffixes[step]);
    return out_text;
}
