#include "ekubench/lab/capacity.h"

#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

// A thousand handshakes were due and accepted: one each from 0.01 ms to 10 ms.
static const struct ekb_capacity_objective objective = {
    .percentile = 99, .limit_ns = 20 * EKB_NS_PER_MS, .max_error_share = 0.001};

static struct ekb_hist *hist;
static struct ekb_record_trial trial;

static void set_up(void)
{
    void *memory = calloc(1, ekb_hist_size());
    cr_assert_not_null(memory);
    hist = ekb_hist_init(memory);
    for (uint64_t i = 1; i <= 1000; i++) {
        ekb_hist_record(hist, i * 10 * EKB_NS_PER_US);
    }
    trial = (struct ekb_record_trial){.rate_per_s = 500,
                                      .duration_ns = 2 * EKB_NS_PER_S,
                                      .offered_per_s = 500,
                                      .lag_p99_ns = {true, 100 * EKB_NS_PER_US},
                                      .due = 1000,
                                      .accepted = 1000,
                                      .server_busy_percent = {true, 99},
                                      .client_busy_percent = {true, 80}};
}

static void tear_down(void)
{
    free(hist);
}

TestSuite(capacity, .init = set_up, .fini = tear_down, .timeout = 20);

static void expect(enum ekb_search_outcome outcome, const char *reason)
{
    static const char *const names[] = {"passed", "failed", "invalid"};
    const enum ekb_search_outcome got = ekb_capacity_judge(&trial, hist, &objective);
    cr_expect_eq(got, outcome, "%d: %s", (int)got, trial.reason);
    cr_expect_str_eq(trial.outcome, names[outcome]);
    cr_expect_not_null(strstr(trial.reason, reason), "no \"%s\" in \"%s\"", reason, trial.reason);
}

Test(capacity, passes_what_meets_the_objective)
{
    expect(EKB_SEARCH_PASSED, "");
    cr_expect_str_eq(trial.reason, "");
    cr_assert(trial.latency_ns.known);
    cr_expect_float_eq((double)trial.latency_ns.value, 9.9e6, 2e4, "%llu",
                       (unsigned long long)trial.latency_ns.value);
}

Test(capacity, fails_what_is_too_slow)
{
    for (uint64_t i = 0; i < 12; i++) {
        ekb_hist_record(hist, 25 * EKB_NS_PER_MS);
    }
    trial.due = trial.accepted = 1012;
    expect(EKB_SEARCH_FAILED, "the 99th percentile of latency was 25.0");
}

// One of a thousand may go wrong.
Test(capacity, fails_what_has_too_many_errors)
{
    trial.due = 1001;
    trial.errors = 1;
    expect(EKB_SEARCH_PASSED, "");
    trial.due = 1002;
    trial.errors = 2;
    expect(EKB_SEARCH_FAILED, "2 of 1002 were not accepted");
}

// Those that were not accepted took for ever: of 1,020 due the 99th percentile is one of them.
Test(capacity, counts_errors_as_the_slowest)
{
    struct ekb_capacity_objective lenient = objective;
    lenient.max_error_share = 0.5;
    trial.due = 1020;
    trial.errors = 20;
    cr_expect_eq(ekb_capacity_judge(&trial, hist, &lenient), EKB_SEARCH_FAILED);
    cr_expect(!trial.latency_ns.known);
    trial.due = 1008;
    trial.errors = 8;
    cr_expect_eq(ekb_capacity_judge(&trial, hist, &lenient), EKB_SEARCH_PASSED, "%s", trial.reason);
    // Rank 998 of 1,000 accepted.
    cr_expect_float_eq((double)trial.latency_ns.value, 9.98e6, 2e4);
}

// The client's faults are not the server's, whatever came out of it.
Test(capacity, blames_no_server_for_its_client)
{
    trial.lag_p99_ns.value = 2100 * EKB_NS_PER_US;
    expect(EKB_SEARCH_INVALID, "the client was late, by 2.10 ms");
    trial.lag_p99_ns.value = 1900 * EKB_NS_PER_US;
    expect(EKB_SEARCH_PASSED, "");
    trial.client_busy_percent.value = 86;
    trial.errors = 500;
    expect(EKB_SEARCH_INVALID, "86 % busy");
}

Test(capacity, takes_nothing_for_no_answer)
{
    trial.due = trial.accepted = 0;
    expect(EKB_SEARCH_INVALID, "nothing was due");
}
