// The event log of `ekubench serve`: one line an event, so many lines a second at most, and a line
// that says how many were left out. A file that gets too long is renamed, in the place of the one
// before it, and a new one begins: whatever clients do, the log has two files of that length at
// most.
//
// A line is written with one write, or is left out: it never waits for who reads a pipe, and what a
// full disk takes of a line ends before the next one begins. What was left out, for whichever
// reason, is counted; that lines cannot be written is said on standard error too, once.

#ifndef EKUBENCH_SRC_CLI_EVENTLOG_H
#define EKUBENCH_SRC_CLI_EVENTLOG_H

#include "ekubench/base/err.h"
#include "ekubench/peer/event.h"

#include <stdbool.h>
#include <stdint.h>

struct ekb_eventlog_limits {
    uint64_t lines_per_s; // Of refused connections. 0: no limit.
    uint64_t max_len;     // Bytes of a regular file. 0: no limit.
};

// Of the file that got too long.
#define EKB_EVENTLOG_OLD_ENDING ".1"

// A second since the epoch, and the lines with it that had to ask.
struct ekb_eventlog_second {
    uint64_t second;
    uint64_t num_lines;
};

struct ekb_eventlog {
    const char *path; // Borrowed; NULL: standard error.
    int fd;
    bool is_open;
    bool is_torn;        // The last line has no end.
    bool has_complained; // That lines cannot be written.
    struct ekb_eventlog_limits limits;
    // Of two: what one of several workers has to tell may come after what another one tells of the
    // next second.
    struct ekb_eventlog_second seconds[2];
    uint64_t told_ns; // When it was last said how many were left out.
    uint64_t num_left_out;
    uint64_t num_lost; // By the queue, as far as they are in `num_left_out`.
};

// ekb_eventlog_open begins a log that is appended to the file `path` (borrowed, made with mode
// 0640), or written to standard error if that is NULL. EKB_PERMISSION, EKB_NOT_FOUND, EKB_SYSTEM.
EKB_NODISCARD enum ekb_err ekb_eventlog_open(struct ekb_eventlog *out_log, const char *path,
                                             const struct ekb_eventlog_limits *limits,
                                             struct ekb_fail *reterr_fail);

// ekb_eventlog_reopen goes on in the file that has the log's path now, as after the old one was
// renamed. Errors as above; the old file goes on then.
EKB_NODISCARD enum ekb_err ekb_eventlog_reopen(struct ekb_eventlog *log,
                                               struct ekb_fail *reterr_fail);

// ekb_eventlog_begin begins a turn of writing: `now_ns` is of the monotonic clock, `num_lost` what
// the queue has lost so far. ekb_eventlog_write writes one event, or leaves it out: of refused
// connections that have one second in their time stamps so many are written as the limit says. A
// line that would make the file too long begins a new one; if there can be none, it is left out.
void ekb_eventlog_begin(struct ekb_eventlog *log, uint64_t now_ns, uint64_t num_lost);
void ekb_eventlog_write(struct ekb_eventlog *log, const struct ekb_event *event);

// ekb_eventlog_close writes how many lines were left out, if any, and closes the file. Zeroed is
// legal.
void ekb_eventlog_close(struct ekb_eventlog *log);

#endif
