// A site: a deployment that has been made. Its CAs are minted, and the stores of its nodes lie on
// disk, filled by what an administrator does (store/admin): through the gate of the release, and by
// the upgrade where that is how a client store comes to be. There is no other way in, but for far
// ends, which have no gate of ours, and for stores that somebody has: these are used as they are,
// or a copy of them that has been upgraded. Nothing is ever written to them.

#ifndef EKUBENCH_LAB_SITE_H
#define EKUBENCH_LAB_SITE_H

#include "ekubench/base/err.h"
#include "ekubench/lab/deployment.h"
#include "ekubench/store/release.h"
#include "ekubench/store/store.h"

#include <stdbool.h>
#include <stddef.h>

// Under which rules it is made.
struct ekb_site_terms {
    enum ekb_release release; // Of C and E.
    enum ekb_eku_mode mode;   // Of those that have none of their own.
    const char *
        directory; // Where; it is made, and stays. NULL: a temporary one, which goes with the site.
};

struct ekb_site;

// ekb_site_create makes the site. What the gate refuses is no error: the node goes on without it,
// as a real one does (ekb_site_refusal). Under a release of one store nothing is in the client
// stores: such a node presents its server certificate (ekb_release_client_side). Release with
// `ekb_site_destroy` (NULL is legal). EKB_USAGE if a node is said to run another release;
// EKB_EXISTS if there is something in the directory; errors of ekb_store_find and
// ekb_store_survey for somebody's own store, of pki/mint, store/admin and base/file.
EKB_NODISCARD enum ekb_err ekb_site_create(struct ekb_site **out_site,
                                           const struct ekb_deployment *deployment,
                                           const struct ekb_site_terms *terms,
                                           struct ekb_fail *reterr_fail);
void ekb_site_destroy(struct ekb_site *site);

// ekb_site_store returns the directory of the store of `node`; ekb_site_second that of its second
// server certificate, or NULL: it has none. Both are borrowed.
const char *ekb_site_store(const struct ekb_site *site, size_t node);
const char *ekb_site_second(const struct ekb_site *site, size_t node);

// ekb_site_is_upgraded is true if the store of `node` is a copy of somebody's own store, to which
// the upgrade has given a client certificate.
bool ekb_site_is_upgraded(const struct ekb_site *site, size_t node);

// ekb_site_refusal returns why the gate has refused the certificate of `side` of `node`; its code
// is EKB_OK if it has not. Of a node with a store of its own it is why the gate of this release
// would refuse what is in it, for its usage; it is there all the same.
const struct ekb_fail *ekb_site_refusal(const struct ekb_site *site, size_t node,
                                        enum ekb_store_side side);

// ekb_site_rules returns the rules that `node` is under.
struct ekb_release_node ekb_site_rules(const struct ekb_site *site, size_t node);

#endif
