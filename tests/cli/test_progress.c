#include "cli/cli.h"

#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <string.h>

static struct ekb_session_report report;

static void set_up(void)
{
    report = (struct ekb_session_report){.stage = "load",
                                         .left_ns = 11 * EKB_NS_PER_S + 1,
                                         .now = {.in_flight = 512,
                                                 .second = {.known = true,
                                                            .length_ns = EKB_NS_PER_S,
                                                            .completed = 2841,
                                                            .p50_ns = {true, 3210000},
                                                            .p99_ns = {true, 8910000},
                                                            .max_ns = {true, 9990000}}}};
}

TestSuite(progress, .init = set_up, .timeout = 10);

static void expect_line(const char *wanted)
{
    char text[EKB_CLI_PROGRESS_LEN];

    const char *line = ekb_cli_progress_text(text, EKB_CLI_PROGRESS_LEN, &report);

    cr_expect_str_eq(line, wanted, "\"%s\"", line);
    cr_expect_lt(strlen(line), 80u);
}

Test(progress, has_rate_latency_and_failures_of_the_last_second)
{
    expect_line("load: 2,841/s, 512 in flight, p50 3.21 ms, p99 8.91 ms, 0 failed; 12 s left");
}

Test(progress, has_a_rate_by_the_second_when_it_was_a_longer_one)
{
    report.now.second.length_ns = 1250 * EKB_NS_PER_MS;
    report.now.second.completed = 2500;
    report.now.second.failed = 3;

    expect_line("load: 2,000/s, 512 in flight, p50 3.21 ms, p99 8.91 ms, 3 failed; 12 s left");
}

Test(progress, says_that_it_warms_up)
{
    report.now.is_warmup = true;
    report.now.second.p50_ns.known = false;
    report.now.second.p99_ns.known = false;
    report.now.second.max_ns.known = false;

    expect_line("load: warm-up, 2,841/s, 512 in flight, 0 failed; 12 s left");
}

Test(progress, has_no_rate_until_a_second_is_over)
{
    report.now.is_warmup = true;
    report.now.second = (struct ekb_live_second){.known = false};

    expect_line("load: warm-up, 512 in flight; 12 s left");
}

// A percentile of too few samples is none.
Test(progress, has_the_longest_when_the_second_had_too_few)
{
    report.now.second.completed = 400;
    report.now.second.p99_ns.known = false;
    expect_line("load: 400/s, 512 in flight, p50 3.21 ms, max 9.99 ms, 0 failed; 12 s left");

    report.now.second.completed = 12;
    report.now.second.p50_ns.known = false;
    expect_line("load: 12/s, 512 in flight, max 9.99 ms, 0 failed; 12 s left");
}

Test(progress, has_what_was_dropped)
{
    report.now.second.dropped = 17;

    expect_line("load: 2,841/s, 512 in flight, p99 8.91 ms, 0 failed, 17 dropped; 12 s left");
}

Test(progress, leaves_out_the_least_when_there_is_no_room)
{
    report.stage = "validation";
    report.now.in_flight = 20000;
    report.now.second.dropped = 123456;
    report.now.second.failed = 123456;
    report.left_ns = 86400 * EKB_NS_PER_S;
    expect_line("validation: 2,841/s, 123,456 failed, 123,456 dropped; 86400 s left");
}

Test(progress, is_cut_when_nothing_is_left_to_leave_out)
{
    report.stage = "a-stage-with-a-name-of-forty-seven-characters-x";
    report.now.second.failed = 123456789;
    report.now.second.dropped = 123456789;

    expect_line("a-stage-with-a-name-of-forty-seven-characters-x: 2,841/s, 123,456,789 failed, 1");
}

Test(progress, fits_a_narrow_terminal)
{
    char text[EKB_CLI_PROGRESS_LEN];
    for (size_t width = 2; width <= 200; width++) {
        cr_expect_lt(strlen(ekb_cli_progress_text(text, width, &report)), width, "%zu", width);
    }
    cr_expect_str_eq(ekb_cli_progress_text(text, 60, &report),
                     "load: 2,841/s, 512 in flight, 0 failed; 12 s left", "%s", text);
    cr_expect_str_eq(ekb_cli_progress_text(text, 10, &report), "load: 2,8");
}
