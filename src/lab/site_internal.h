// A store that somebody has, taken into a site (site_own).

#ifndef EKUBENCH_LAB_SITE_INTERNAL_H
#define EKUBENCH_LAB_SITE_INTERNAL_H

#include "ekubench/base/err.h"
#include "ekubench/lab/deployment.h"
#include "ekubench/store/release.h"
#include "ekubench/store/store.h"

#include <stdbool.h>

struct ekb_site_own {
    char *store;      // Where it is used: where it is, or the copy. Newly allocated.
    bool is_upgraded; // It is a copy, with a client certificate that the store has not.
    struct ekb_fail refusals[EKB_STORE_NUM_SIDES]; // What the gate would have said of it.
};

// ekb_site_own_take looks into the store of `node`, which is under `rules`, and writes nothing to
// it. Where the release has two stores, and it has a server certificate and no client certificate,
// it is copied to `copy` and the copy upgraded, as the upgrade would do, unless the node says that
// it is to have none. On failure `*out_own` is untouched. Errors of ekb_store_find,
// ekb_store_survey, ekb_admin_upgrade and base/file; EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_site_own_take(struct ekb_site_own *out_own,
                                             const struct ekb_deployment_node *node,
                                             const struct ekb_release_node *rules, const char *copy,
                                             struct ekb_fail *reterr_fail);

#endif
