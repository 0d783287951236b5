// The TLS configurations of a client's arms.

#ifndef EKUBENCH_SRC_PEER_CLIENT_CONFIG_H
#define EKUBENCH_SRC_PEER_CLIENT_CONFIG_H

#include "ekubench/base/err.h"
#include "ekubench/peer/client.h"
#include "ekubench/tls/config.h"

#include <stddef.h>

// ekb_client_configs_create makes the configuration of every arm from its store; release them with
// ekb_client_configs_destroy (NULL is legal). As ekb_client_check.
EKB_NODISCARD enum ekb_err ekb_client_configs_create(struct ekb_tls_config ***out_configs,
                                                     const struct ekb_client_options *options,
                                                     struct ekb_fail *reterr_fail);
void ekb_client_configs_destroy(struct ekb_tls_config **configs, size_t num_configs);

#endif
