// The workers of one server.
//
// The parent makes a crew from the options of the server and forks its workers one by one. Each has
// options, sockets and a tally of its own, and lives and dies for itself. What they have counted
// adds up, exactly (ekb_tally_merge).

#ifndef EKUBENCH_PEER_CREW_H
#define EKUBENCH_PEER_CREW_H

#include "ekubench/base/err.h"
#include "ekubench/peer/server.h"
#include "ekubench/peer/tally.h"
#include "ekubench/peer/worker.h"

#include <stddef.h>
#include <stdint.h>

#define EKB_CREW_MAX 16

// Zeroed it has no workers.
struct ekb_crew {
    uint32_t num_workers;
    struct ekb_server_options workers[EKB_CREW_MAX]; // Listeners and tally are the worker's own.
};

// ekb_crew_open makes a crew of `options->num_workers` workers (EKB_CREW_MAX at most) and as many
// empty tallies of `num_arms` and `num_slices`. `options` has been opened (ekb_server_open); its
// sockets are the first worker's from now on, and none of `options` any more; the others get their
// own at the same addresses, or share them, as `options->listening` says. What else `options`
// points to is borrowed. Release with `ekb_crew_deinit`, also after an error. Errors of
// ekb_net_listen; EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_crew_open(struct ekb_crew *out_crew,
                                         struct ekb_server_options *options, size_t num_arms,
                                         size_t num_slices, struct ekb_fail *reterr_fail);
void ekb_crew_deinit(struct ekb_crew *crew);

// ekb_crew_spawn forks worker `index`, which runs ekb_server_run and holds its own sockets only: of
// one that ends, the kernel gives connections to the others. Errors of ekb_worker_spawn.
EKB_NODISCARD enum ekb_err ekb_crew_spawn(struct ekb_worker *out_worker, struct ekb_crew *crew,
                                          uint32_t index, int cpu, struct ekb_fail *reterr_fail);

// ekb_crew_close gives up this process's copies of the sockets, once all workers are forked.
void ekb_crew_close(struct ekb_crew *crew);

// ekb_crew_merge adds up what the workers have counted, when all `workers[0..num_workers)` have
// ended, and returns it as one tally that the caller owns; NULL if the crew has none. What one had
// under way that died is unfinished.
struct ekb_tally *ekb_crew_merge(struct ekb_crew *crew, const struct ekb_worker *workers);

#endif
