// A stage: the processes of one load shape, from fork to reap, and what the parent watches
// meanwhile.
//
// The parent is single-threaded and handles no connection. It forks the server workers (unless the
// server is not ours) and the client workers, on CPUs of their own if there are enough, sets the
// timeline, and then only looks: steal per slice, resident memory, the kernel's TCP counters, and
// the tallies for a progress line.

#ifndef EKUBENCH_LAB_STAGE_H
#define EKUBENCH_LAB_STAGE_H

#include "ekubench/base/err.h"
#include "ekubench/io/net.h"
#include "ekubench/lab/live.h"
#include "ekubench/peer/client.h"
#include "ekubench/peer/crew.h"
#include "ekubench/peer/pin.h"
#include "ekubench/peer/server.h"
#include "ekubench/peer/tally.h"
#include "ekubench/peer/timeline.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

// What is known while a stage runs.
struct ekb_stage_progress {
    uint64_t elapsed_ns;
    uint64_t total_ns;
    uint64_t accepted;
    uint64_t rejected;
    uint64_t failed;
    uint64_t in_flight;
    bool is_warmup;
    struct ekb_live_second second; // The last one.
};

// What a caller wants to be told, and how it says stop.
struct ekb_stage_control {
    void (*progress)(void *context, const struct ekb_stage_progress *progress); // Or NULL.
    void *context;
    const volatile sig_atomic_t *stop; // Set by a signal handler; or NULL.
    // The CPUs of the workers, the server's first; of the clients alone if the server is not ours.
    // NULL: EKB_PIN_AUTO, which leaves a CPU to a server that is not ours.
    const struct ekb_pin *pin;
};

// Workers of a side at most.
#define EKB_STAGE_MAX_WORKERS EKB_CREW_MAX

struct ekb_stage_side {
    // Of all its workers together, once they have ended. Owned by the stage; NULL if the side is
    // not ours.
    struct ekb_tally *tally;
    uint32_t num_workers;
    uint64_t memory_base_bytes; // Of all workers.
    uint64_t memory_peak_bytes;
    int cpus[EKB_STAGE_MAX_WORKERS]; // By worker; EKB_WORKER_UNPINNED: the scheduler's choice.
};

// Descriptors of a worker beside its connections: ring, listeners, library, standard streams.
#define EKB_STAGE_SPARE_DESCRIPTORS 128

struct ekb_stage {
    struct ekb_timeline timeline;
    struct ekb_stage_side server;
    struct ekb_stage_side client;
    enum ekb_listening listening; // Of the server's workers, if they are several.
    double *steal_by_slice;       // Percent of both CPUs' time, by slice; num_slices entries.
    struct ekb_net_counters *network_by_slice; // Growth; num_slices entries.
    bool steal_known;
    bool network_known;
    struct ekb_net_counters network; // Growth over the stage.
    bool interrupted;
};

// ekb_stage_run runs a stage: `server` (NULL: the server is not ours) and `client` as prepared but
// for tally and timeline, which this sets from `timeline` (the origin is set here). There are
// `server->num_workers` server workers and `client->share.count` client workers (0 counts as 1;
// EKB_STAGE_MAX_WORKERS at most). Clients share what is in flight, the starts and the rate among
// them, each with an order of arms of its own; servers take what comes. If one of either dies, the
// others are ended, and what they measured is kept, together with what it did so far. Release
// `*out_stage` with `ekb_stage_deinit`, also after an error; a zeroed one is legal. The server's
// listeners must be open; they are closed when this returns, whatever it returns. An interrupted
// stage is EKB_OK with `interrupted` set. EKB_DESCRIPTORS, EKB_USAGE (fewer CPUs than workers in
// `control->pin`), EKB_WORKER_DIED, and every error of the workers.
EKB_NODISCARD enum ekb_err
ekb_stage_run(struct ekb_stage *out_stage, struct ekb_server_options *server,
              struct ekb_client_options *client, const struct ekb_timeline *timeline,
              const struct ekb_stage_control *control, struct ekb_fail *reterr_fail);
void ekb_stage_deinit(struct ekb_stage *stage);

// ekb_stage_num_cpus returns on how many CPUs the workers of a side can run at a time: one each,
// but for those that are pinned to the same.
uint32_t ekb_stage_num_cpus(const struct ekb_stage_side *side);

#endif
