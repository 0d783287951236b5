// The dual-store server: listeners, each with its policy, in one event loop.
//
// `ekb_server_open` binds the listeners in the parent, so that a port in use is reported before
// anything starts and the ports chosen by the system are known. `ekb_server_run` is the worker: it
// makes its own contexts from the store and serves until its parent says stop.
//
// A connection: handshake; if the client's certificate satisfies the listener's policy, one byte of
// application data ('K'), which tells the client that it was accepted; then the server waits for
// the client's close. If not: the alert, no more writing, reading until the client closes (at most
// a second). Each outcome is counted under a stable code. Garbage, silence, resets and half-open
// connections end in a code and cost a slot for at most the deadline; when all slots are in use a
// new connection is reset at once and counted as server_full.

#ifndef EKUBENCH_PEER_SERVER_H
#define EKUBENCH_PEER_SERVER_H

#include "ekubench/base/err.h"
#include "ekubench/io/net.h"
#include "ekubench/peer/event.h"
#include "ekubench/peer/tally.h"
#include "ekubench/peer/timeline.h"
#include "ekubench/pki/policy.h"
#include "ekubench/tls/config.h"

#include <stddef.h>
#include <stdint.h>

// How the workers of one server, if it has several, come by connections. With one worker there is
// no difference.
enum ekb_listening {
    // A socket for each at the same addresses (SO_REUSEPORT): the kernel deals connections out by a
    // hash of their addresses, whoever is busy.
    EKB_LISTENING_EACH,
    // One socket, from which each accepts one connection at a time: at most one waits for a worker
    // that is busy.
    EKB_LISTENING_SHARED,
};

// ekb_listening_name returns "per-worker" or "shared".
const char *ekb_listening_name(enum ekb_listening listening);

// The confirmation.
#define EKB_SERVER_CONFIRMATION 'K'

#define EKB_LISTENER_LIST_LEN 256
#define EKB_LISTENER_PATH_LEN 1024

struct ekb_listener {
    struct ekb_address
        address; // Port 0: the system chooses; `ekb_server_open` stores what it chose.
    struct ekb_policy policy;
    enum ekb_tls_version version;
    enum ekb_tls_resumption resumption;
    // As in struct ekb_tls_preferences; "": the usual ones. Not pointers, so that terms can be
    // given to a worker in shared memory.
    char groups[EKB_LISTENER_LIST_LEN];
    char ciphers[EKB_LISTENER_LIST_LEN];
    // A store whose server certificate is held beside the store's own ("": none): the client's
    // preference decides which of them it gets.
    char second_store[EKB_LISTENER_PATH_LEN];
    const char *store_path;            // Its own store; NULL: the server's.
    const struct ekb_flights *flights; // No TLS: as many bytes. NULL: TLS.
    struct ekb_ticket_key ticket_key;  // Of all workers. Zeroed: the library makes one.
    bool probe;         // Timers inside of verification, on every connection (pki/probe).
    uint64_t inject_ns; // CPU time wasted in every handshake that is accepted: a known effect.
    uint16_t arm;       // Where its connections are counted.
    int fd;             // Set by `ekb_server_open`.
};

struct ekb_server_options {
    const char *store_path;   // The node's dual store: server identity, trusted CA list, CRLs.
    const int64_t *verify_at; // Time of verification, seconds since the epoch; NULL: now.
    struct ekb_listener *listeners;
    size_t num_listeners;
    uint32_t num_workers; // That serve these listeners (peer/crew); 0 counts as 1.
    enum ekb_listening listening;
    uint32_t max_connections;            // Of one worker.
    uint64_t deadline_ns;                // Handshake, and waiting for the client's close.
    const struct ekb_timeline *timeline; // Shared with the parent.
    struct ekb_tally *tally;
    const uint8_t *expect; // By arm, enum ekb_expect.
    // Floor slices: the client store whose handshake with listener `floor_listener` is made in
    // memory. NULL: none.
    const char *floor_client_store;
    size_t floor_listener;
    struct ekb_event_queue *events; // What is to be told while it runs; NULL: nothing is.
    bool tells_accepted; // Of accepted handshakes too, and with what was presented (a test of a
                         // link, not a load).
    // In memory shared with the parent, or NULL: as many listeners, from which a reload takes the
    // terms (ekb_listener_take_terms).
    const struct ekb_listener *reload_from;
};

// ekb_server_check reads the store and makes every listener's configuration, and throws them away:
// what would be wrong in the worker is said before it starts. Errors of ekb_store_load and
// ekb_tls_config_create.
EKB_NODISCARD enum ekb_err ekb_server_check(const struct ekb_server_options *options,
                                            struct ekb_fail *reterr_fail);

// ekb_server_open binds the listeners, of the first worker or of all of them;
// ekb_server_close closes what was opened. Errors of ekb_net_listen: EKB_ADDRESS_IN_USE also if it
// is another server of ours that would share the address.
EKB_NODISCARD enum ekb_err ekb_server_open(struct ekb_server_options *options,
                                           struct ekb_fail *reterr_fail);
void ekb_server_close(struct ekb_server_options *options);

// ekb_server_run serves until the parent says stop through `control_fd` or goes away. Told to
// reload (ekb_worker_command_reload), it reads the store and `options->reload_from` anew;
// connections that have begun go on under what they began with. If that fails, all stays as it was.
// Either is an event. It calls `ready` (with `ready_context`) once, when it accepts connections.
// EKB_NO_IO_URING, EKB_NOMEM, EKB_SYSTEM, errors of the store.
EKB_NODISCARD enum ekb_err ekb_server_run(const struct ekb_server_options *options, int control_fd,
                                          void (*ready)(void *ready_context), void *ready_context,
                                          struct ekb_fail *reterr_fail);

#endif
