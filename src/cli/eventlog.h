// The event log of `ekubench serve`: one line an event, so many lines a second at most, and a line
// that says how many were left out.

#ifndef EKUBENCH_SRC_CLI_EVENTLOG_H
#define EKUBENCH_SRC_CLI_EVENTLOG_H

#include "ekubench/base/err.h"
#include "ekubench/peer/event.h"

#include <stdint.h>
#include <stdio.h>

struct ekb_eventlog {
    FILE *file;
    uint64_t lines_per_s; // 0: no limit.
    double allowance;     // Lines that may be written now; a second's worth at most.
    uint64_t filled_ns;   // When the allowance was last filled.
    uint64_t told_ns;     // When it was last said how many were left out.
    uint64_t num_left_out;
    uint64_t num_lost; // By the queue, as far as they are in `num_left_out`.
};

// ekb_eventlog_open begins a log that is appended to the file `path` (made with mode 0640), or
// written to standard error if that is NULL. EKB_PERMISSION, EKB_NOT_FOUND, EKB_SYSTEM.
EKB_NODISCARD enum ekb_err ekb_eventlog_open(struct ekb_eventlog *out_log, const char *path,
                                             uint64_t lines_per_s, struct ekb_fail *reterr_fail);

// ekb_eventlog_begin begins a turn of writing: `now_ns` is of the monotonic clock, `num_lost` what
// the queue has lost so far. ekb_eventlog_write writes one event, or leaves it out;
// ekb_eventlog_end ends the turn.
void ekb_eventlog_begin(struct ekb_eventlog *log, uint64_t now_ns, uint64_t num_lost);
void ekb_eventlog_write(struct ekb_eventlog *log, const struct ekb_event *event);
void ekb_eventlog_end(struct ekb_eventlog *log);

// ekb_eventlog_close writes how many lines were left out, if any, and closes the file. Zeroed is
// legal.
void ekb_eventlog_close(struct ekb_eventlog *log);

#endif
