#include "ekubench/base/clock.h"

#include "ekubench/base/err.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    EKB_CHECK(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * EKB_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t monotonic_now(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

struct ekb_clock ekb_clock_monotonic(void)
{
    return (struct ekb_clock){.now_ns = monotonic_now};
}

uint64_t ekb_clock_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t timeval_ns(struct timeval value)
{
    return (uint64_t)value.tv_sec * EKB_NS_PER_S + (uint64_t)value.tv_usec * EKB_NS_PER_US;
}

struct ekb_cpu_time ekb_clock_cpu(void)
{
    struct rusage usage;
    EKB_CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return (struct ekb_cpu_time){
        .total_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID),
        .user_ns = timeval_ns(usage.ru_utime),
        .system_ns = timeval_ns(usage.ru_stime),
    };
}

uint64_t ekb_clock_run_delay_ns(void)
{
    // Three numbers: time on the CPU, time waiting for one, time slices.
    char line[96];
    char *rest = NULL;
    const int fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    const ssize_t count = read(fd, line, sizeof line - 1);
    (void)close(fd);
    if (count <= 0) {
        return 0;
    }
    line[count] = '\0';
    (void)strtoull(line, &rest, 10);
    return strtoull(rest, NULL, 10);
}

void ekb_clock_format_utc(char *out_text, size_t text_len)
{
    struct timespec now;
    struct tm parts;
    char seconds[32];
    EKB_CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    EKB_CHECK(gmtime_r(&now.tv_sec, &parts) != NULL);
    (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out_text, text_len, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}
