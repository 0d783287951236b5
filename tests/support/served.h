// A server worker under test: forked as the program forks it, on loopback ports that the system
// chooses, and looked at through its tally.

#ifndef EKUBENCH_TESTS_SUPPORT_SERVED_H
#define EKUBENCH_TESTS_SUPPORT_SERVED_H

#include "ekubench/peer/event.h"
#include "ekubench/peer/server.h"
#include "ekubench/peer/worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVED_MAX_LISTENERS 4
// How long it takes at most until a count is there, or a worker has ended.
#define SERVED_PATIENCE_NS (10 * EKB_NS_PER_S)

struct served {
    struct ekb_listener listeners[SERVED_MAX_LISTENERS];
    uint8_t expect[SERVED_MAX_LISTENERS];
    struct ekb_timeline timeline; // Never begins.
    struct ekb_server_options options;
    struct ekb_worker worker;
};

// What differs between tests. Zeroes mean the defaults: one listener with the default policy and
// any TLS version, 64 connections, a deadline of 10 s.
struct served_spec {
    const char *listeners[SERVED_MAX_LISTENERS]; // Options, as after ADDR:PORT: ",eku=off,tls=1.2".
    uint32_t max_connections;
    uint64_t deadline_ns;
    const struct ekb_listener *reload_from; // As in struct ekb_server_options.
    struct ekb_event_queue *events;
    bool tells_accepted;
};

// skip_without_io_uring skips the test where the kernel refuses io_uring.
void skip_without_io_uring(void);

// served_start runs a server of `store_path` and returns when it is ready.
void served_start(struct served *out_served, const char *store_path,
                  const struct served_spec *spec);

// served_address is where listener `index` listens; served_arm is what it has counted.
const struct ekb_address *served_address(const struct served *served, size_t index);
const struct ekb_tally_arm *served_arm(const struct served *served, size_t index);

// served_await waits until `*counter` of the tally is at least `wanted`, and fails the test if it
// does not get there.
#define served_await(counter, wanted) served_await_at(__LINE__, (counter), (wanted), #counter)
void served_await_at(int line, const uint64_t *counter, uint64_t wanted, const char *text);

// served_await_event takes the next event from `queue`, which comes a moment after the counters,
// and fails the test if there is none.
struct ekb_event served_await_event(struct ekb_event_queue *queue);

// served_stop tells the server to stop and fails the test unless it ends well with
// started = accepted + rejected + failed + unfinished in every arm. The tally stays until
// served_deinit.
void served_stop(struct served *served);
void served_deinit(struct served *served);

#endif
