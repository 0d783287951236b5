// The far ends of the handshake in memory that is measured as a floor.

#ifndef EKUBENCH_SRC_PEER_FLOOR_H
#define EKUBENCH_SRC_PEER_FLOOR_H

#include "ekubench/base/err.h"
#include "ekubench/peer/flights.h"
#include "ekubench/tls/config.h"

// ekb_floor_make_client and ekb_floor_make_server make the configuration of one side from its
// store, with the default policy (EKU mode on). Errors of ekb_store_load and ekb_tls_config_create.
EKB_NODISCARD enum ekb_err ekb_floor_make_client(struct ekb_tls_config **out_config,
                                                 const char *store_path,
                                                 enum ekb_tls_version version,
                                                 struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_floor_make_server(struct ekb_tls_config **out_config,
                                                 const char *store_path,
                                                 enum ekb_tls_version version,
                                                 struct ekb_fail *reterr_fail);

#endif
