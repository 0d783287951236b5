// The doctor: can this machine measure? Each check looks at one thing that decides whether numbers
// taken here can be trusted, and says what to do if they cannot.

#ifndef EKUBENCH_LAB_DOCTOR_H
#define EKUBENCH_LAB_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ekb_doctor_level {
    EKB_DOCTOR_OK,
    EKB_DOCTOR_NOTE, // Worth knowing; measurements are valid.
    EKB_DOCTOR_WARN, // Numbers will be worse or fewer than they could be.
    EKB_DOCTOR_FAIL, // No valid measurement is possible.
};

struct ekb_doctor_finding {
    const char *check; // A string literal.
    enum ekb_doctor_level level;
    char found[160];
    char advice[200]; // "" when there is nothing to do.
};

#define EKB_DOCTOR_MAX_FINDINGS 20

// What the machine had to do while it was watched, by counters that only grow: ticks of all its
// CPUs together, and the time in which some process waited for one of them.
struct ekb_doctor_reading {
    bool known;
    uint64_t total_ticks; // All but steal.
    uint64_t busy_ticks;  // Of them, neither idle nor waiting for a disk.
    uint64_t own_ns;      // CPU time of this process.
    bool waiting_known;   // False if the kernel keeps no account of it (/proc/pressure/cpu).
    uint64_t waiting_us;
    uint64_t at_ns; // The time by the clock.
};

// ekb_doctor_judge_other_work says of two readings, with `ns_per_tick` of one CPU, whether other
// work disturbs what is measured here. Pure.
void ekb_doctor_judge_other_work(struct ekb_doctor_finding *out_finding,
                                 const struct ekb_doctor_reading *before,
                                 const struct ekb_doctor_reading *after, uint64_t ns_per_tick);

// ekb_doctor_examine makes all checks (it takes about a second: steal and other work are watched
// that long), stores up to EKB_DOCTOR_MAX_FINDINGS findings and returns how many.
size_t ekb_doctor_examine(struct ekb_doctor_finding out_findings[EKB_DOCTOR_MAX_FINDINGS]);

// ekb_doctor_worst returns the worst level among `findings`.
enum ekb_doctor_level ekb_doctor_worst(const struct ekb_doctor_finding *findings,
                                       size_t num_findings);

// ekb_doctor_level_name returns "ok", "note", "warn" or "fail".
const char *ekb_doctor_level_name(enum ekb_doctor_level level);

#endif
