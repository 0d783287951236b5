#include "ekubench/base/units.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

// Durations.

Test(units, reads_a_duration_when_it_has_a_unit)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"300ns", 300},
        {"20us", 20000},
        {"250ms", 250000000},
        {"10s", UINT64_C(10000000000)},
        {"2m", UINT64_C(120000000000)},
        {"1h", UINT64_C(3600000000000)},
        {"0s", 0},
        {"0.1s", 100000000},
        {"1.5ms", 1500000},
        {"4.35us", 4350},
        {"0.000000001s", 1},
        {"007s", UINT64_C(7000000000)},
        {"0.5h", UINT64_C(1800000000000)},
        {"24h", UINT64_C(86400000000000)},
        {"123456789ns", 123456789},
        {"1000000000s", UINT64_C(1000000000000000000)},
        {"30d", UINT64_C(2592000000000000)},
        {"0.5d", UINT64_C(43200000000000)},
        {"1m30s", UINT64_C(90000000000)},
        {"1h30m", UINT64_C(5400000000000)},
        {"1d2h3m4s5ms6us7ns", UINT64_C(93784005006007)},
        {"1s500ms", UINT64_C(1500000000)},
        {"2m0.5s", UINT64_C(120500000000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ns = 99;

        const enum ekb_err err = ekb_units_parse_duration(&ns, cases[i].text);

        cr_expect_eq(err, EKB_OK, "%s: %s", cases[i].text, ekb_err_name(err));
        cr_expect_eq(ns, cases[i].ns, "%s: %" PRIu64 ", not %" PRIu64, cases[i].text, ns,
                     cases[i].ns);
    }
}

Test(units, refuses_a_duration_when_it_is_malformed_or_does_not_fit)
{
    static const char *const texts[] = {
        "",      " ",     "s",           "10",           "0",
        "10 s",  " 10s",  "10s ",        "-1s",          "+1s",
        "10S",   "10MS",  "10sec",       "10D",          "1e3s",
        "0x10s", "1,5s",  "1.2.3s",      "..s",          ".s",
        "infs",  "nans",  "10s10s",      "ms10",         "10n",
        "10u",   "30s1m", "10\xc2\xb5s", "20000000000s", "99999999999999999999999h",
        "10s\n", "ten s", "1m30",        "1m 30s",       "1m-30s",
        "1h1h",  "1dd",   "1m30s ",      "1m1e3s",       "11574d99999999s",
        "1m,1s",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t ns = 99;

        const enum ekb_err err = ekb_units_parse_duration(&ns, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s, %" PRIu64, texts[i], ekb_err_name(err), ns);
        cr_expect_eq(ns, 99, "\"%s\": the output was changed to %" PRIu64, texts[i], ns);
    }
}

// Points in time.

Test(units, reads_a_time_when_it_is_a_date_or_a_number)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"2026-03-29", INT64_C(1774742400)},
        {"2026-03-29T00:00:00Z", INT64_C(1774742400)},
        {"2026-03-29T06:54:39Z", INT64_C(1774767279)},
        {"2026-12-31T23:59:59Z", INT64_C(1798761599)},
        {"1970-01-01", 0},
        {"1970-01-01T00:00:01Z", 1},
        {"1969-12-31T23:59:59Z", -1},
        {"2024-02-29", INT64_C(1709164800)},
        {"2000-02-29T12:00:00Z", INT64_C(951825600)},
        {"2050-01-01", INT64_C(2524608000)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799)},
        {"0", 0},
        {"1774767279", INT64_C(1774767279)},
        {"2026", 2026},
        {"-1", -1},
        {"9223372036854775807", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds = 99;

        const enum ekb_err err = ekb_units_parse_time(&seconds, cases[i].text);

        cr_expect_eq(err, EKB_OK, "%s: %s", cases[i].text, ekb_err_name(err));
        cr_expect_eq(seconds, cases[i].seconds, "%s: %" PRId64 ", not %" PRId64, cases[i].text,
                     seconds, cases[i].seconds);
    }
}

// refuses_times expects each of the texts to be refused.
static void refuses_times(const char *const *texts, size_t num_texts)
{
    for (size_t i = 0; i < num_texts; i++) {
        int64_t seconds = 99;

        const enum ekb_err err = ekb_units_parse_time(&seconds, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s, %" PRId64, texts[i], ekb_err_name(err), seconds);
        cr_expect_eq(seconds, 99, "\"%s\": the output was changed to %" PRId64, texts[i], seconds);
    }
}

Test(units, refuses_a_time_when_there_is_no_such_date)
{
    static const char *const texts[] = {
        "2026-02-29",           "2026-02-30",           "2100-02-29",
        "2026-04-31",           "2026-00-01",           "2026-13-01",
        "2026-01-00",           "2026-01-32",           "2026-03-29T24:00:00Z",
        "2026-03-29T00:60:00Z", "2026-03-29T00:00:60Z", "2026-12-31T23:59:60Z",
        "2026-02-29T12:00:00Z",
    };
    refuses_times(texts, sizeof texts / sizeof texts[0]);
}

Test(units, refuses_a_time_when_it_is_malformed)
{
    static const char *const texts[] = {
        "",
        " ",
        "now",
        "yesterday",
        "2026-03",
        "2026-03-",
        "2026-03-29T",
        "2026-03-29Z",
        "2026-03-29T06:54Z",
        "2026-03-29T06:54:39",
        "2026-03-29t06:54:39Z",
        "2026-03-29T06:54:39z",
        "2026-03-29 06:54:39",
        "2026-03-29T06:54:39+01:00",
        "2026-03-29T06:54:39.5Z",
        "2026/03/29",
        "29-03-2026",
        "2026-03-29 ",
        "2026-03-29\n",
        "2026-03-29T06:54:39Z ",
        "12026-03-29",
        "+1",
        "1.5",
        "1e9",
        "0x10",
        "1k",
        "10s",
        "--1",
        "-",
        "1 ",
        " 1",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999",
    };
    refuses_times(texts, sizeof texts / sizeof texts[0]);
}

// What strptime and strtoll skip or fill in by themselves.
Test(units, refuses_a_time_when_it_has_blanks_or_lacks_digits)
{
    static const char *const texts[] = {
        " 2026-03-29",
        "2026- 3-29",
        "2026-03- 9",
        "2026 -03-29",
        "2026-3-29",
        "2026-03-9",
        "26-03-29",
        "2026-03-29T 6:54:39Z",
        "2026-03-29T6:54:39Z",
        "2026-03-29T06:4:39Z",
        "2026-03-29T06:54:9Z",
        "+2026-03-29",
        "-2026-03-29",
        "\t2026-03-29",
        "\n2026-03-29",
        "\t1",
        "\n1",
        "\v1",
        "\t+1",
    };
    refuses_times(texts, sizeof texts / sizeof texts[0]);
}

// Counts.

Test(units, reads_a_count_when_it_is_whole)
{
    static const struct {
        const char *text;
        uint64_t count;
    } cases[] = {
        {"0", 0},      {"1", 1},          {"2000", 2000},
        {"2k", 2000},  {"1.5M", 1500000}, {"3G", UINT64_C(3000000000)},
        {"0.5k", 500}, {"0042", 42},      {"9007199254740991", UINT64_C(9007199254740991)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t count = 99;

        const enum ekb_err err = ekb_units_parse_count(&count, cases[i].text, 0, UINT64_MAX);

        cr_expect_eq(err, EKB_OK, "%s: %s", cases[i].text, ekb_err_name(err));
        cr_expect_eq(count, cases[i].count, "%s: %" PRIu64 ", not %" PRIu64, cases[i].text, count,
                     cases[i].count);
    }
}

// A decimal fraction is not exact in binary: 1.001 * 1000 is a little less than 1001.
Test(units, reads_a_count_when_its_decimals_make_it_whole)
{
    static const struct {
        const char *text;
        uint64_t count;
    } cases[] = {
        {"1.001k", 1001},    {"1.003k", 1003},  {"4.035k", 4035},
        {"9.999k", 9999},    {"0.00051M", 510}, {"1.000001M", 1000001},
        {"0.000001M", 1},    {"8.192k", 8192},  {"1.000000001G", UINT64_C(1000000001)},
        {"0.000000003G", 3}, {"2K", 2000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t count = 99;

        const enum ekb_err err = ekb_units_parse_count(&count, cases[i].text, 0, UINT64_MAX);

        cr_expect_eq(err, EKB_OK, "%s: %s", cases[i].text, ekb_err_name(err));
        cr_expect_eq(count, cases[i].count, "%s: %" PRIu64 ", not %" PRIu64, cases[i].text, count,
                     cases[i].count);
    }
}

Test(units, refuses_a_count_when_it_is_malformed_or_not_whole)
{
    static const char *const texts[] = {
        "",
        " ",
        "k",
        "1.5",
        "1.0005k",
        "0.5",
        "-1",
        "+1",
        "1 k",
        "1KB",
        "1Ki",
        "1m",
        "1T",
        "1kk",
        "1e3",
        "0x10",
        "1,0",
        "1.2.3k",
        "nan",
        "10s",
        " 7",
        "7 ",
        ".",
        "18446744073709551616",
        "99999999999999999999999G",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t count = 99;

        const enum ekb_err err = ekb_units_parse_count(&count, texts[i], 0, UINT64_MAX);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s, %" PRIu64, texts[i], ekb_err_name(err), count);
        cr_expect_eq(count, 99, "\"%s\": the output was changed to %" PRIu64, texts[i], count);
    }
}

Test(units, reads_a_size_in_powers_of_1000_or_of_1024_as_its_unit_says)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"512B", 512},
        {"64k", 64000},
        {"64K", 64000},
        {"64kB", 64000},
        {"64KB", 64000},
        {"64KiB", 65536},
        {"100M", 100000000},
        {"1MB", 1000000},
        {"1MiB", 1048576},
        {"1.5MiB", 1572864},
        {"1G", 1000000000},
        {"1GB", 1000000000},
        {"1GiB", 1073741824},
        {"8388608GiB", UINT64_C(9007199254740992)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = 99;

        const enum ekb_err err = ekb_units_parse_size(&bytes, cases[i].text, 0, UINT64_MAX);

        cr_expect_eq(err, EKB_OK, "%s: %s", cases[i].text, ekb_err_name(err));
        cr_expect_eq(bytes, cases[i].bytes, "%s: %" PRIu64, cases[i].text, bytes);
    }
}

Test(units, refuses_a_size_when_it_is_malformed_or_not_whole_or_does_not_fit)
{
    static const char *const texts[] = {
        "",           "B",
        "-1",         "-64k",
        "+1",         "1e3",
        "1e3B",       "64 k",
        "64k ",       " 64k",
        "64kb",       "64m",
        "64kib",      "64Ki",
        "64KIB",      "1T",
        "1.5",        "0.1KiB",
        "1kBs",       "64KiBx",
        "8388609GiB", "99999999999999999999999G",
        "1%",         "1,000",
        "nan",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t bytes = 99;

        const enum ekb_err err = ekb_units_parse_size(&bytes, texts[i], 0, UINT64_MAX);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s, %" PRIu64, texts[i], ekb_err_name(err), bytes);
        cr_expect_eq(bytes, 99, "\"%s\": the output was changed to %" PRIu64, texts[i], bytes);
    }
}

Test(units, holds_a_count_to_its_limits_when_reading)
{
    static const struct {
        const char *text;
        uint64_t min;
        uint64_t max;
        enum ekb_err err;
    } cases[] = {
        {"1", 1, 10, EKB_OK},     {"10", 1, 10, EKB_OK},     {"0", 1, 10, EKB_USAGE},
        {"11", 1, 10, EKB_USAGE}, {"1k", 1, 999, EKB_USAGE}, {"1k", 1, 1000, EKB_OK},
        {"5", 5, 5, EKB_OK},      {"4", 5, 5, EKB_USAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t count;

        const enum ekb_err err =
            ekb_units_parse_count(&count, cases[i].text, cases[i].min, cases[i].max);

        cr_expect_eq(err, cases[i].err, "%s in %" PRIu64 " to %" PRIu64 ": %s", cases[i].text,
                     cases[i].min, cases[i].max, ekb_err_name(err));
    }
}

// Writing.

Test(units, writes_three_digits_and_a_fitting_unit_when_formatting_time)
{
    static const struct {
        double ns;
        const char *text;
    } cases[] = {
        {0, "0.00 ns"},      {1, "1.00 ns"},       {9.99, "9.99 ns"},   {9.994, "9.99 ns"},
        {9.996, "10.0 ns"},  {10, "10.0 ns"},      {99.94, "99.9 ns"},  {99.96, "100 ns"},
        {999.4, "999 ns"},   {999.6, "1.00 us"},   {1000, "1.00 us"},   {1234, "1.23 us"},
        {12345, "12.3 us"},  {183000, "183 us"},   {999499, "999 us"},  {999501, "1.00 ms"},
        {1e6, "1.00 ms"},    {45.67e6, "45.7 ms"}, {999.6e6, "1.00 s"}, {1e9, "1.00 s"},
        {61.54e9, "61.5 s"}, {-183000, "-183 us"}, {-0.5e6, "-500 us"}, {28.9, "28.9 ns"},
        {3600e9, "3600 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[EKB_UNITS_TEXT_LEN];

        const char *got = ekb_units_format_ns(text, cases[i].ns);

        cr_expect_eq(got, text);
        cr_expect_str_eq(text, cases[i].text, "%f: %s, not %s", cases[i].ns, text, cases[i].text);
    }
}

Test(units, separates_thousands_when_formatting_a_count)
{
    static const struct {
        uint64_t count;
        const char *text;
    } cases[] = {
        {0, "0"},
        {7, "7"},
        {999, "999"},
        {1000, "1,000"},
        {12345, "12,345"},
        {999999, "999,999"},
        {1000000, "1,000,000"},
        {UINT64_MAX, "18,446,744,073,709,551,615"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[EKB_UNITS_TEXT_LEN];

        const char *got = ekb_units_format_count(text, cases[i].count);

        cr_expect_eq(got, text);
        cr_expect_str_eq(text, cases[i].text, "%s, not %s", text, cases[i].text);
    }
}

Test(units, writes_three_digits_and_a_binary_unit_when_formatting_bytes)
{
    static const struct {
        double bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1, "1 B"},
        {512, "512 B"},
        {1023, "1023 B"},
        {1024, "1.00 KiB"},
        {1536, "1.50 KiB"},
        {10240, "10.0 KiB"},
        {102400, "100 KiB"},
        {1023.4 * 1024, "1023 KiB"},
        {1023.6 * 1024, "1.00 MiB"},
        {1048576, "1.00 MiB"},
        {5.0 * 1024 * 1024 * 1024, "5.00 GiB"},
        {2048.0 * 1024 * 1024 * 1024, "2048 GiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[EKB_UNITS_TEXT_LEN];

        const char *got = ekb_units_format_bytes(text, cases[i].bytes);

        cr_expect_eq(got, text);
        cr_expect_str_eq(text, cases[i].text, "%f: %s, not %s", cases[i].bytes, text,
                         cases[i].text);
    }
}

Test(units, stays_inside_its_text_when_a_number_is_huge)
{
    static const double values[] = {1e30, -1e300, 1e308, (double)INFINITY, (double)NAN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[EKB_UNITS_TEXT_LEN + 1];
        text[EKB_UNITS_TEXT_LEN] = '@';

        (void)ekb_units_format_ns(text, values[i]);
        cr_expect_lt(strnlen(text, EKB_UNITS_TEXT_LEN), (size_t)EKB_UNITS_TEXT_LEN, "%g",
                     values[i]);
        (void)ekb_units_format_bytes(text, values[i]);
        cr_expect_lt(strnlen(text, EKB_UNITS_TEXT_LEN), (size_t)EKB_UNITS_TEXT_LEN, "%g",
                     values[i]);

        cr_expect_eq(text[EKB_UNITS_TEXT_LEN], '@', "%g", values[i]);
    }
}

Test(units, read_a_rate)
{
    static const struct {
        const char *text;
        double per_s;
    } rows[] = {{"1500/s", 1500}, {"2k/s", 2000}, {"2.5k/s", 2500}, {"0.5/s", 0.5},
                {"600/m", 10},    {"7200/h", 2},  {"1M/s", 1e6},    {"60k/m", 1000},
                {"1000M/s", 1e9}, {"2K/s", 2000}, {"50K/s", 50000}, {"60K/m", 1000},
                {"36M/h", 10000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double per_s = 0;
        cr_expect_eq(ekb_units_parse_rate(&per_s, rows[i].text), EKB_OK, "%s", rows[i].text);
        cr_expect_float_eq(per_s, rows[i].per_s, 1e-9 * rows[i].per_s, "%s: %g", rows[i].text,
                           per_s);
    }
}

// A bare number has no unit of time.
Test(units, refuse_what_is_no_rate)
{
    static const char *const texts[] = {"",      "1500",  "2k",   "/s",    "-1/s",  "0/s",
                                        "1/",    "1 /s",  "1/s ", "1/S",   "1e3/s", "2000M/s",
                                        "inf/s", "nan/s", "1/ms", "0.0/s", "1..2/s"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double per_s = 4711;
        cr_expect_eq(ekb_units_parse_rate(&per_s, texts[i]), EKB_USAGE, "\"%s\"", texts[i]);
        cr_expect_eq(per_s, 4711);
    }
}

Test(units, read_a_share)
{
    static const struct {
        const char *text;
        double share;
    } rows[] = {{"0", 0},         {"0%", 0},      {"1", 1},         {"100%", 1},  {"5%", 0.05},
                {"0.05", 0.05},   {"0.1%", 1e-3}, {"12.5%", 0.125}, {".5", 0.5},  {"1.0", 1},
                {"99.9%", 0.999}, {"0.5", 0.5},   {"50%", 0.5},     {"100.0%", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double share = 4711;
        cr_expect_eq(ekb_units_parse_share(&share, rows[i].text), EKB_OK, "%s", rows[i].text);
        cr_expect_float_eq(share, rows[i].share, 1e-15, "%s: %.17g", rows[i].text, share);
    }
}

Test(units, refuse_what_is_no_share)
{
    static const char *const texts[] = {"",    "%",    "-1%", "-0.1",     "1.1",  "100.1%", "101%",
                                        "5 %", " 5%",  "5% ", "5%%",      "1e-3", "nan",    "inf",
                                        "5p",  "1k",   "0x1", "1/2",      "0,5",  "1..0",   "2",
                                        "k",   "0.5k", "all", "1.0000001"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double share = 4711;
        cr_expect_eq(ekb_units_parse_share(&share, texts[i]), EKB_USAGE, "\"%s\"", texts[i]);
        cr_expect_eq(share, 4711, "\"%s\"", texts[i]);
    }
}

Test(units, reads_a_percentage_with_its_sign_or_without)
{
    static const struct {
        const char *text;
        double percent;
    } rows[] = {{"5", 5}, {"5%", 5}, {"0.2%", 0.2}, {"0.2", 0.2}, {"0", 0}, {"250%", 250}};
    static const char *const others[] = {"", "%", "-1", "-1%", "1e3", "5 %", "5%%", "nan", "5x"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double percent = 4711;
        cr_expect_eq(ekb_units_parse_percent(&percent, rows[i].text), EKB_OK, "%s", rows[i].text);
        cr_expect_float_eq(percent, rows[i].percent, 1e-12, "%s: %g", rows[i].text, percent);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        double percent = 4711;
        cr_expect_eq(ekb_units_parse_percent(&percent, others[i]), EKB_USAGE, "\"%s\"", others[i]);
        cr_expect_eq(percent, 4711, "\"%s\"", others[i]);
    }
}

Test(units, reads_an_instant_to_the_millisecond)
{
    uint64_t ms = 7;

    cr_assert_eq(ekb_units_parse_instant(&ms, "2026-03-29T06:54:39.839Z"), EKB_OK);
    cr_expect_eq(ms, UINT64_C(1774767279839));
    cr_assert_eq(ekb_units_parse_instant(&ms, "2026-03-29T06:54:39Z"), EKB_OK);
    cr_expect_eq(ms, UINT64_C(1774767279000));
    cr_assert_eq(ekb_units_parse_instant(&ms, "1970-01-01T00:00:00.5Z"), EKB_OK);
    cr_expect_eq(ms, 500);
    cr_assert_eq(ekb_units_parse_instant(&ms, "1970-01-01T00:00:00.0019999Z"), EKB_OK);
    cr_expect_eq(ms, 1);
}

Test(units, refuses_an_instant_that_is_none)
{
    static const char *const texts[] = {"",
                                        "2026-03-29",
                                        "2026-03-29T06:54:39",
                                        "2026-03-29T06:54:39.Z",
                                        "2026-13-29T06:54:39Z",
                                        "2026-03-29T06:54:39.1",
                                        "1774767279",
                                        "1969-12-31T23:59:59Z",
                                        "2026-03-29T06:54:39.1Zx"};
    uint64_t ms = 7;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cr_expect_eq(ekb_units_parse_instant(&ms, texts[i]), EKB_USAGE, "%s", texts[i]);
    }
    cr_expect_eq(ms, 7);
}
