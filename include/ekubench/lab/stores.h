// The stores of a measurement: one CA hierarchy, one server store and one client store for
// each chain that the plan needs, on disk, as a deployment would have them.
//
// They live in a private temporary directory (mode 0700) that `ekb_stores_destroy` removes. All
// certificates of a run have one root; the server trusts that root alone, so that the intermediates
// always come from the client and are always verified. A client with a fault (pki/client_fault) has
// a store of its own, and the servers' CRLs list those that are revoked.

#ifndef EKUBENCH_LAB_STORES_H
#define EKUBENCH_LAB_STORES_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"

struct ekb_stores;

// ekb_stores_create mints and writes everything that `plan` needs. Release with
// `ekb_stores_destroy` (NULL is legal). Errors of pki/mint, store and base/file.
EKB_NODISCARD enum ekb_err ekb_stores_create(struct ekb_stores **out_stores,
                                             const struct ekb_plan *plan,
                                             struct ekb_fail *reterr_fail);
void ekb_stores_destroy(struct ekb_stores *stores);

// ekb_stores_server and ekb_stores_client return the paths of the stores of the two sides of `arm`,
// which must be one of the plan's; owned by `stores`. A client without a certificate has none:
// NULL.
const char *ekb_stores_server(const struct ekb_stores *stores, const struct ekb_plan_arm *arm);
const char *ekb_stores_client(const struct ekb_stores *stores, const struct ekb_plan_arm *arm);

// ekb_stores_trust returns the path of a PEM file with the root alone; owned by `stores`.
const char *ekb_stores_trust(const struct ekb_stores *stores);

#endif
