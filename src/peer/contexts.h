// The TLS configurations of a server's listeners, made together from one reading of the store:
// a reload makes another set and swaps it in whole.

#ifndef EKUBENCH_SRC_PEER_CONTEXTS_H
#define EKUBENCH_SRC_PEER_CONTEXTS_H

#include "ekubench/base/err.h"
#include "ekubench/peer/server.h"
#include "ekubench/tls/config.h"

#include <stddef.h>

struct ekb_contexts;

// ekb_contexts_create reads the store of `options` and makes the configuration of each listener;
// listeners that ask for the same share one. Release with `ekb_contexts_destroy` (NULL is legal):
// connections that began with them go on. Errors of ekb_store_load and ekb_tls_config_create.
EKB_NODISCARD enum ekb_err ekb_contexts_create(struct ekb_contexts **out_contexts,
                                               const struct ekb_server_options *options,
                                               const struct ekb_tls_observer *observer,
                                               struct ekb_fail *reterr_fail);
void ekb_contexts_destroy(struct ekb_contexts *contexts);

// ekb_contexts_get returns the configuration of listener `index`, borrowed from `contexts`.
const struct ekb_tls_config *ekb_contexts_get(const struct ekb_contexts *contexts, size_t index);

#endif
