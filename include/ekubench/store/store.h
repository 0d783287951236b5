// The dual certificate store of one node: a server identity, a client identity, and one trusted CA
// list shared by both (docs/domain.md section 1).
//
// On disk a store is a directory: `server.pem` and `privkey.pem`, `client.pem` and
// `clientprivkey.pem`, `ca.pem`, and perhaps `client-ca.crl`. This module reads it and writes it;
// it does not judge what is in it. A store that was read does not follow later changes of the
// files.

#ifndef EKUBENCH_STORE_STORE_H
#define EKUBENCH_STORE_STORE_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/key.h"

#include <stdbool.h>

// Which of the two identities. The TLS role decides: a server presents the server certificate, a
// client the client certificate, on every interface.
enum ekb_store_side {
    EKB_STORE_SERVER,
    EKB_STORE_CLIENT,
    EKB_STORE_NUM_SIDES
};

// Parts that a caller cannot do without; the others are read if they are there.
enum {
    EKB_STORE_NEED_SERVER = 1 << 0,
    EKB_STORE_NEED_CLIENT = 1 << 1,
    EKB_STORE_NEED_TRUST = 1 << 2,
    EKB_STORE_NEED_CRLS = 1 << 3
};

// A certificate chain and its key. Both NULL: there is none.
struct ekb_identity {
    struct ekb_chain *chain;
    struct ekb_key *key;
};

struct ekb_store;

// ekb_store_load reads the store directory `path`. `need` is a set of EKB_STORE_NEED_*.
// EKB_NOT_FOUND if the directory or a needed file is missing, or one half of a pair is, needed or
// not (the detail names the file); EKB_KEY_MISMATCH if a key does not belong to its certificate;
// EKB_PERMISSION if a private key's permission bits give anything to others than its owner; errors
// of ekb_chain_read_pem, ekb_key_read_pem and ekb_crls_read. Release with `ekb_store_destroy` (NULL
// is legal).
EKB_NODISCARD enum ekb_err ekb_store_load(struct ekb_store **out_store, const char *path,
                                          unsigned need, struct ekb_fail *reterr_fail);
void ekb_store_destroy(struct ekb_store *store);

// ekb_store_is_empty is true if the directory `path` holds no file of a store, good or bad, or is
// not there at all.
bool ekb_store_is_empty(const char *path);

// ekb_store_identity returns the identity of `side`, borrowed from `store`; NULLs inside if there
// is none.
const struct ekb_identity *ekb_store_identity(const struct ekb_store *store,
                                              enum ekb_store_side side);

// ekb_store_trust returns the trusted CA list, borrowed from `store`; NULL if there is none. One
// that is there may be empty: nobody is trusted.
const struct ekb_chain *ekb_store_trust(const struct ekb_store *store);

// ekb_store_crls returns the CRLs for verifying client certificates, borrowed from `store`; NULL if
// there are none.
const struct ekb_crls *ekb_store_crls(const struct ekb_store *store);

// ekb_store_write_identity puts `identity` into the store `path` as the identity of `side`, and
// ekb_store_write_trust the trusted CA list, each as a change of its own (store/change: all of it
// or nothing, also if the machine stops). EKB_KEY_MISMATCH, with nothing written; errors of
// ekb_change_begin, _put and _commit.
EKB_NODISCARD enum ekb_err ekb_store_write_identity(const char *path, enum ekb_store_side side,
                                                    const struct ekb_identity *identity,
                                                    struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_store_write_trust(const char *path, const struct ekb_chain *trust,
                                                 struct ekb_fail *reterr_fail);

#endif
