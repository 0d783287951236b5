// What every run of the lab has around it: the record's beginning and end, and the way of progress
// and stop between the user and a stage.

#ifndef EKUBENCH_LAB_SESSION_H
#define EKUBENCH_LAB_SESSION_H

#include "ekubench/lab/host.h"
#include "ekubench/lab/stage.h"
#include "ekubench/stat/record.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

// What a run tells while it goes on.
struct ekb_session_report {
    const char *stage;
    uint64_t left_ns; // Of the whole run.
    struct ekb_stage_progress now;
};

struct ekb_session_control {
    void (*progress)(void *context, const struct ekb_session_report *report); // Or NULL.
    void *context;
    const volatile sig_atomic_t *stop; // Set to stop; or NULL.
};

// What ekb_session_begin remembers for ekb_session_end.
struct ekb_session {
    uint64_t begin_ns;
    bool ticks_known;
    struct ekb_host_ticks ticks;
};

// ekb_session_begin makes `*out_record` a record of `kind` with the host, the build and the time in
// it; ekb_session_end adds the duration and the steal.
struct ekb_session ekb_session_begin(struct ekb_record *out_record, const char *kind);
void ekb_session_end(const struct ekb_session *session, struct ekb_record *record);

// Where a stage stands in its run.
struct ekb_session_progress {
    const struct ekb_session_control *control;
    const char *stage;
    uint64_t later_ns; // Of the stages after this one.
};

// ekb_session_stage_control returns the control of a stage that reports through `progress`, which
// must outlive it.
struct ekb_stage_control ekb_session_stage_control(struct ekb_session_progress *progress);

#endif
