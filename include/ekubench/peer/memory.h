// A handshake in memory: both endpoints in one process, no socket, no kernel.
//
// It is the floor under what the loop measures (nothing can be faster than TLS itself), and the
// test bench for everything about TLS that needs no network.

#ifndef EKUBENCH_PEER_MEMORY_H
#define EKUBENCH_PEER_MEMORY_H

#include "ekubench/base/clock.h"
#include "ekubench/base/err.h"
#include "ekubench/tls/endpoint.h"

#include <stdint.h>

struct ekb_memory_pair;

// The outcome of one connection: each side's error and alert, and the time spent in each side's
// steps, from SSL_new to SSL_free, the server's one confirming byte included.
struct ekb_memory_outcome {
    enum ekb_err client_err; // EKB_OK: the confirmation was read. EKB_TLS_ALERT: see client_alert.
    enum ekb_err server_err;
    int client_alert; // Received by the client, or -1.
    int server_alert; // Sent by the server, or -1.
    int server_verify_result;
    uint64_t client_ns;
    uint64_t server_ns;
    uint64_t client_sent_bytes;
    uint64_t server_sent_bytes;
    struct ekb_flights flights; // As they went, up to EKB_FLIGHTS_MAX; `num` counts all.
};

// ekb_memory_pair_create makes a reusable pair; release it with `ekb_memory_pair_destroy` (NULL is
// legal). EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_memory_pair_create(struct ekb_memory_pair **out_pair);
void ekb_memory_pair_destroy(struct ekb_memory_pair *pair);

// ekb_memory_handshake makes one connection between the two configurations, timed with `clock`, and
// describes it in
// `*out_outcome`. It always ends.
void ekb_memory_handshake(struct ekb_memory_pair *pair, struct ekb_memory_outcome *out_outcome,
                          const struct ekb_tls_config *client, const struct ekb_tls_config *server,
                          const struct ekb_clock *clock);

#endif
