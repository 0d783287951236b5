// Frozen: a library to be preloaded (LD_PRELOAD) into a process whose instructions are counted. It
// takes chance out of it: random bytes from the system are a fixed sequence, and the calendar
// stands still, so that the same program mints the same keys, makes the same signatures and takes
// the same branches each time. NEVER to be loaded into anything that is to be secure.
//
// The monotonic clock goes on.

#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

// 2026-06-15T12:00:00Z.
#define NOON 1781524800

// splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
static uint64_t next_random(void)
{
    static uint64_t state;
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)next_random();
    }
}

EXPORTED ssize_t getrandom(void *buffer, size_t len, unsigned flags)
{
    (void)flags;
    fill(buffer, len);
    return (ssize_t)len;
}

EXPORTED long syscall(long number, ...)
{
    static long (*real)(long number, ...);
    long words[6];
    va_list args;
    va_start(args, number);
    for (size_t i = 0; i < 6; i++) {
        words[i] = va_arg(args, long);
    }
    va_end(args);
    if (number == SYS_getrandom) {
        fill((uint8_t *)words[0], (size_t)words[1]);
        return words[1];
    }
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    }
    return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

EXPORTED time_t time(time_t *out_time)
{
    if (out_time != NULL) {
        *out_time = NOON;
    }
    return NOON;
}

EXPORTED int gettimeofday(struct timeval *restrict out_time, void *restrict zone)
{
    (void)zone;
    *out_time = (struct timeval){.tv_sec = NOON};
    return 0;
}

EXPORTED int clock_gettime(clockid_t clock, struct timespec *out_time)
{
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        *out_time = (struct timespec){.tv_sec = NOON};
        return 0;
    }
    // Not through this library's own syscall: it would be counted twice over.
    static int (*real)(clockid_t clock, struct timespec * out_time);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    return real(clock, out_time);
}
