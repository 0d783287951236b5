// Clocks.
//
// Time is `uint64_t` nanoseconds of CLOCK_MONOTONIC, read through a `struct ekb_clock` so that
// tests can replace it. Differences are `int64_t`. CPU time is a separate thing with its own two
// functions, because reading it is a system call (about ten times a monotonic read) and it belongs
// at the boundaries of intervals, never in a loop.

#ifndef EKUBENCH_BASE_CLOCK_H
#define EKUBENCH_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define EKB_NS_PER_US UINT64_C(1000)
#define EKB_NS_PER_MS UINT64_C(1000000)
#define EKB_NS_PER_S UINT64_C(1000000000)

// A source of monotonic nanoseconds. `now_ns` is called with `context`.
struct ekb_clock {
    uint64_t (*now_ns)(void *context);
    void *context;
};

// CPU time of a process in nanoseconds, as the kernel accounts it. `total_ns` is exact (scheduler
// clock); the split into user and system is the kernel's estimate, scaled to add up to it.
struct ekb_cpu_time {
    uint64_t total_ns;
    uint64_t user_ns;
    uint64_t system_ns;
};

// ekb_clock_run_delay_ns returns for how long the calling process has been ready to run while
// something else had its CPU, so far; 0 if the kernel does not say.
uint64_t ekb_clock_run_delay_ns(void);

// ekb_clock_monotonic returns the clock that reads CLOCK_MONOTONIC.
struct ekb_clock ekb_clock_monotonic(void);

// ekb_clock_now returns the present time of `clock` in nanoseconds.
static inline uint64_t ekb_clock_now(const struct ekb_clock *clock)
{
    return clock->now_ns(clock->context);
}

// ekb_clock_now_ns returns CLOCK_MONOTONIC in nanoseconds.
uint64_t ekb_clock_now_ns(void);

// ekb_clock_cpu returns the CPU time that the calling process has used so far.
struct ekb_cpu_time ekb_clock_cpu(void);

// ekb_clock_format_utc writes the wall-clock time now, in UTC, as RFC 3339 with milliseconds
// ("2026-03-29T06:54:39.839Z") into `out_text`, which holds `text_len` >= 25 bytes.
void ekb_clock_format_utc(char *out_text, size_t text_len);

#endif
