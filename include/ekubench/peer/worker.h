// Worker processes: forked, pinned, watched.
//
// A worker is forked by a single-threaded parent, pinned to one CPU, ignores the terminal's signals
// (the parent decides), and dies with its parent. The two talk over a socket pair: the worker
// reports `ready` once and its end (with the reason, if it failed); the parent sends commands.
// Numbers travel through the tally in shared memory, never over the socket.

#ifndef EKUBENCH_PEER_WORKER_H
#define EKUBENCH_PEER_WORKER_H

#include "ekubench/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ekb_worker {
    pid_t pid;
    int control_fd;       // The parent's end; poll it for reports. -1: no worker.
    bool ready;           // It has reported ready.
    bool ended;           // It has reported its end, or is gone.
    struct ekb_fail fail; // Why it ended; err is EKB_OK if it did as it was told.
};

// The body of a worker. It calls `ready(ready_context)` once when it is prepared, and its return
// value is reported to the parent.
typedef enum ekb_err ekb_worker_body(void *context, int control_fd,
                                     void (*ready)(void *ready_context), void *ready_context,
                                     struct ekb_fail *reterr_fail);

// EKB_WORKER_UNPINNED leaves the worker to the scheduler.
#define EKB_WORKER_UNPINNED (-1)

// ekb_worker_spawn forks a worker that runs `body(context, ...)` on CPU `cpu`. EKB_SYSTEM if it
// cannot fork.
EKB_NODISCARD enum ekb_err ekb_worker_spawn(struct ekb_worker *out_worker, int cpu,
                                            ekb_worker_body *body, void *context,
                                            struct ekb_fail *reterr_fail);

// ekb_worker_command_go, _stop, _abort and _reload tell the worker that the timeline is set; to
// start nothing new and end; to end within a third of a second; to read its configuration anew. A
// worker that is gone is ignored.
void ekb_worker_command_go(struct ekb_worker *worker);
void ekb_worker_command_stop(struct ekb_worker *worker);
void ekb_worker_command_abort(struct ekb_worker *worker);
void ekb_worker_command_reload(struct ekb_worker *worker);

// ekb_worker_update takes the reports of `workers[0..num_workers)` that have arrived, waiting up to
// `wait_ns` for the first; it returns early on a signal.
void ekb_worker_update(struct ekb_worker *workers, int num_workers, uint64_t wait_ns);

// ekb_worker_reap waits for the end of the worker and closes its socket; one that does not end
// within `wait_ns` is killed. If it ended without a report, `fail` says how (EKB_WORKER_DIED). Safe
// on a zeroed worker with control_fd -1.
void ekb_worker_reap(struct ekb_worker *worker, uint64_t wait_ns);

// ekb_worker_resident_bytes returns the worker's resident anonymous memory (what it does not
// share), 0 if unknown.
uint64_t ekb_worker_resident_bytes(const struct ekb_worker *worker);

// ekb_worker_cpus stores up to `max_cpus` numbers of the CPUs that this process may use and returns
// how many there are.
int ekb_worker_cpus(int *out_cpus, int max_cpus);

#endif
