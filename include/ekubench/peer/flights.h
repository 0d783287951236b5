// The flights of a handshake, as byte counts: what a bare TCP connection exchanges to show what the
// transport alone costs.

#ifndef EKUBENCH_PEER_FLIGHTS_H
#define EKUBENCH_PEER_FLIGHTS_H

#include "ekubench/base/err.h"
#include "ekubench/tls/config.h"

// ekb_flights_record makes the handshake of the two stores in memory (EKU mode on), the server's
// confirmation included, and stores the lengths of its flights. Errors of ekb_store_load and
// ekb_tls_config_create; the handshake's own, if it fails.
EKB_NODISCARD enum ekb_err ekb_flights_record(struct ekb_flights *out_flights,
                                              const char *server_store, const char *client_store,
                                              enum ekb_tls_version version,
                                              struct ekb_fail *reterr_fail);

#endif
