#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t count_up(void *context)
{
    uint64_t *now_ns = context;
    return *now_ns += 5;
}

Test(clock, asks_its_source_when_read)
{
    uint64_t now_ns = 100;
    const struct ekb_clock clock = {.now_ns = count_up, .context = &now_ns};

    const uint64_t first = ekb_clock_now(&clock);
    const uint64_t second = ekb_clock_now(&clock);

    cr_expect_eq(first, 105, "%" PRIu64, first);
    cr_expect_eq(second, 110, "%" PRIu64, second);
}

Test(clock, is_the_monotonic_clock_when_read_directly)
{
    const uint64_t before = monotonic_ns();

    const uint64_t now = ekb_clock_now_ns();

    const uint64_t after = monotonic_ns();
    cr_assert(before <= now && now <= after, "%" PRIu64 " <= %" PRIu64 " <= %" PRIu64, before, now,
              after);
}

Test(clock, is_the_monotonic_clock_when_read_through_the_interface)
{
    const struct ekb_clock clock = ekb_clock_monotonic();
    const uint64_t before = monotonic_ns();

    const uint64_t now = ekb_clock_now(&clock);

    const uint64_t after = monotonic_ns();
    cr_assert(before <= now && now <= after, "%" PRIu64 " <= %" PRIu64 " <= %" PRIu64, before, now,
              after);
}

Test(clock, never_runs_backwards_when_read_often)
{
    uint64_t last = ekb_clock_now_ns();
    for (int i = 0; i < 100000; i++) {
        const uint64_t now = ekb_clock_now_ns();

        cr_assert_geq(now, last, "%" PRIu64 " after %" PRIu64, now, last);
        last = now;
    }
}

// CPU time.

// burn works until the process has used `ns` more of its CPU.
static void burn(uint64_t ns)
{
    const uint64_t begin_ns = ekb_clock_cpu().total_ns;
    while (ekb_clock_cpu().total_ns - begin_ns < ns) {
    }
}

Test(clock, counts_cpu_time_when_working)
{
    const clock_t before = clock();
    const struct ekb_cpu_time first = ekb_clock_cpu();

    burn(50 * EKB_NS_PER_MS);

    const uint64_t grown = ekb_clock_cpu().total_ns - first.total_ns;
    const uint64_t outside = (uint64_t)(clock() - before) * (EKB_NS_PER_S / CLOCKS_PER_SEC);
    cr_expect_geq(grown, 50 * EKB_NS_PER_MS, "%" PRIu64, grown);
    // The C library's own measure, which is rounded to microseconds.
    cr_expect_leq(grown, outside + 2 * EKB_NS_PER_US, "%" PRIu64 " of %" PRIu64, grown, outside);
}

Test(clock, counts_no_cpu_time_when_sleeping)
{
    const struct timespec pause = {.tv_nsec = 200000000};
    const struct ekb_cpu_time before = ekb_clock_cpu();

    (void)nanosleep(&pause, NULL);

    const uint64_t grown = ekb_clock_cpu().total_ns - before.total_ns;
    cr_assert_lt(grown, 100 * EKB_NS_PER_MS, "%" PRIu64, grown);
}

Test(clock, splits_cpu_time_so_that_the_parts_add_up_when_working)
{
    burn(50 * EKB_NS_PER_MS);

    const struct ekb_cpu_time cpu = ekb_clock_cpu();

    // The parts are rounded to microseconds and read a moment earlier.
    const uint64_t sum = cpu.user_ns + cpu.system_ns;
    cr_expect_leq(sum, cpu.total_ns + 2 * EKB_NS_PER_US, "%" PRIu64 " of %" PRIu64, sum,
                  cpu.total_ns);
    cr_expect_geq(sum, cpu.total_ns - 10 * EKB_NS_PER_MS, "%" PRIu64 " of %" PRIu64, sum,
                  cpu.total_ns);
}

// Waiting for a CPU.

Test(clock, counts_the_delay_when_something_else_has_the_cpu)
{
    cpu_set_t one;
    const uint64_t span_ns = 300 * EKB_NS_PER_MS;
    if (access("/proc/self/schedstat", R_OK) != 0) {
        cr_skip_test("the kernel does not account for delays");
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    const pid_t rival = fork();
    cr_assert_geq(rival, 0);
    if (rival == 0) {
        for (;;) {
        }
    }
    const uint64_t delay_before = ekb_clock_run_delay_ns();
    const uint64_t cpu_before = ekb_clock_cpu().total_ns;
    const uint64_t begin_ns = ekb_clock_now_ns();

    while (ekb_clock_now_ns() - begin_ns < span_ns) {
    }

    const uint64_t delay = ekb_clock_run_delay_ns() - delay_before;
    const uint64_t cpu = ekb_clock_cpu().total_ns - cpu_before;
    const uint64_t wall = ekb_clock_now_ns() - begin_ns;
    (void)kill(rival, SIGKILL);
    (void)waitpid(rival, NULL, 0);
    cr_expect_geq(delay, span_ns / 10, "%" PRIu64, delay);
    // It was ready all the time. A host may take some of it from both.
    cr_expect_leq(delay + cpu, wall + 20 * EKB_NS_PER_MS, "%" PRIu64 " + %" PRIu64 " of %" PRIu64,
                  delay, cpu, wall);
}

// Wall-clock text.

Test(clock, writes_rfc_3339_with_milliseconds_when_formatting)
{
    // 0: a digit; anything else: itself.
    static const char form[] = "0000-00-00T00:00:00.000Z";
    char text[64];
    memset(text, '@', sizeof text);

    ekb_clock_format_utc(text, 25);

    cr_assert_eq(text[24], '\0');
    cr_assert_eq(text[25], '@', "it wrote beyond the end");
    for (size_t i = 0; i < 24; i++) {
        const bool fits = form[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i];
        cr_expect(fits, "%s at %zu", text, i);
    }
}

Test(clock, writes_the_time_now_in_utc_when_formatting)
{
    char text[32];
    struct tm parts = {0};
    const time_t before = time(NULL);

    ekb_clock_format_utc(text, sizeof text);

    const time_t after = time(NULL);
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    cr_assert_not_null(end, "%s", text);
    cr_assert_eq(*end, '.', "%s", text);
    const time_t written = timegm(&parts);
    // time() may lag behind the clock by a tick.
    cr_assert(before - 1 <= written && written <= after + 1, "%s is %lld, not in %lld to %lld",
              text, (long long)written, (long long)before, (long long)after);
}
