// Units: the only place where times, counts and sizes are read from and turned into text.

#ifndef EKUBENCH_BASE_UNITS_H
#define EKUBENCH_BASE_UNITS_H

#include "ekubench/base/err.h"

#include <stddef.h>
#include <stdint.h>

// Enough for any text that the functions below write.
#define EKB_UNITS_TEXT_LEN 32

// ekb_units_parse_duration reads "10s", "250ms", "20us", "300ns", "2m", "1h" or "30d" (a decimal
// number with a unit, no sign; a bare number is refused because its unit would be a guess), or
// several of them from the largest unit to the smallest, "1m30s", into nanoseconds. EKB_USAGE if
// `text` is anything else or does not fit.
EKB_NODISCARD enum ekb_err ekb_units_parse_duration(uint64_t *out_ns, const char *text);

// ekb_units_parse_time reads a point in time into seconds since the epoch (UTC): "2026-03-29",
// "2026-03-29T06:54:39Z", or the number of seconds itself. EKB_USAGE if `text` is anything else or
// no such date exists.
EKB_NODISCARD enum ekb_err ekb_units_parse_time(int64_t *out_seconds, const char *text);

// ekb_units_parse_instant reads the time of day that results have, "2026-03-29T06:54:39.839Z", with
// or without a part of a second, into milliseconds since the epoch. EKB_USAGE if `text` is anything
// else, or before the epoch.
EKB_NODISCARD enum ekb_err ekb_units_parse_instant(uint64_t *out_ms, const char *text);

// ekb_units_parse_count reads a count: digits with an optional k (or K), M or G (powers of 1000),
// such as "2000", "2k", "1.5M". EKB_USAGE if it is anything else, not whole, or outside [min, max].
EKB_NODISCARD enum ekb_err ekb_units_parse_count(uint64_t *out_count, const char *text,
                                                 uint64_t min, uint64_t max);

// ekb_units_parse_size reads a number of bytes: like a count, with an optional B behind ("64kB"),
// and KiB, MiB and GiB are powers of 1024.
EKB_NODISCARD enum ekb_err ekb_units_parse_size(uint64_t *out_bytes, const char *text, uint64_t min,
                                                uint64_t max);

// ekb_units_parse_rate reads how often something happens, "1500/s", "2.5k/s", "600/m", "10/h" (k or
// K, M: powers of 1000), into times per second, above 0 and at most 10^9. EKB_USAGE if it is
// anything else.
EKB_NODISCARD enum ekb_err ekb_units_parse_rate(double *out_per_s, const char *text);

// ekb_units_parse_share reads a share of a whole, "5%", "0.1%" or "0.05", into a number from 0
// to 1. EKB_USAGE if it is anything else.
EKB_NODISCARD enum ekb_err ekb_units_parse_share(double *out_share, const char *text);

// ekb_units_parse_percent reads a number of percent, "5%" or "5", which may be more than the whole.
// EKB_USAGE if it is anything else.
EKB_NODISCARD enum ekb_err ekb_units_parse_percent(double *out_percent, const char *text);

// ekb_units_format_time writes seconds since the epoch as "2026-03-29T06:54:39Z".
const char *ekb_units_format_time(char out_text[EKB_UNITS_TEXT_LEN], int64_t seconds);

// ekb_units_format_ns writes `ns` with three significant digits and a fitting unit ("183 us").
const char *ekb_units_format_ns(char out_text[EKB_UNITS_TEXT_LEN], double ns);

// ekb_units_format_count writes `count` with thousands separated by commas.
const char *ekb_units_format_count(char out_text[EKB_UNITS_TEXT_LEN], uint64_t count);

// ekb_units_format_bytes writes `bytes` in B, KiB, MiB or GiB with three significant digits.
const char *ekb_units_format_bytes(char out_text[EKB_UNITS_TEXT_LEN], double bytes);

#endif
