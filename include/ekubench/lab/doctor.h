// The doctor: can this machine measure? Each check looks at one thing that decides whether numbers
// taken here can be trusted, and says what to do if they cannot.

#ifndef EKUBENCH_LAB_DOCTOR_H
#define EKUBENCH_LAB_DOCTOR_H

#include <stddef.h>

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

#define EKB_DOCTOR_MAX_FINDINGS 16

// ekb_doctor_examine makes all checks (it takes about a second: steal is watched that long), stores
// up to EKB_DOCTOR_MAX_FINDINGS findings and returns how many.
size_t ekb_doctor_examine(struct ekb_doctor_finding out_findings[EKB_DOCTOR_MAX_FINDINGS]);

// ekb_doctor_worst returns the worst level among `findings`.
enum ekb_doctor_level ekb_doctor_worst(const struct ekb_doctor_finding *findings,
                                       size_t num_findings);

// ekb_doctor_level_name returns "ok", "note", "warn" or "fail".
const char *ekb_doctor_level_name(enum ekb_doctor_level level);

#endif
