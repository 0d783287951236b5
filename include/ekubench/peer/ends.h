// The two ends of a handshake in memory, made from their stores.

#ifndef EKUBENCH_PEER_ENDS_H
#define EKUBENCH_PEER_ENDS_H

#include "ekubench/base/err.h"
#include "ekubench/pki/policy.h"
#include "ekubench/tls/config.h"

#include <stdbool.h>

// Where they come from and how the server verifies its client.
struct ekb_ends_spec {
    const char *server_store;
    const char *client_store;
    enum ekb_tls_version version;
    struct ekb_tls_preferences preferences; // Of either end.
    struct ekb_policy policy;
    bool cheap_client; // The client does not even parse the server's certificate.
};

// ekb_ends_make_server and ekb_ends_make_client make the configuration of one end; release it with
// ekb_tls_config_destroy. Errors of ekb_store_load and ekb_tls_config_create.
EKB_NODISCARD enum ekb_err ekb_ends_make_server(struct ekb_tls_config **out_config,
                                                const struct ekb_ends_spec *spec,
                                                struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_ends_make_client(struct ekb_tls_config **out_config,
                                                const struct ekb_ends_spec *spec,
                                                struct ekb_fail *reterr_fail);

// ekb_flights_record makes the handshake of the two ends in memory, the server's confirmation
// included, and stores the lengths of its flights: what a bare TCP connection exchanges to show
// what the transport alone costs. Errors of the two above; the handshake's own, if it fails.
EKB_NODISCARD enum ekb_err ekb_flights_record(struct ekb_flights *out_flights,
                                              const struct ekb_ends_spec *spec,
                                              struct ekb_fail *reterr_fail);

#endif
