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

// Which of the two identities. The TLS role decides: a server presents the server certificate, a
// client the client certificate, on every interface.
enum ekb_store_side {
    EKB_STORE_SERVER,
    EKB_STORE_CLIENT,
    EKB_STORE_NUM_SIDES
};

// What a store has; the identities are numbered as their sides are.
enum ekb_store_part {
    EKB_STORE_PART_SERVER = EKB_STORE_SERVER,
    EKB_STORE_PART_CLIENT = EKB_STORE_CLIENT,
    EKB_STORE_PART_TRUST,
    EKB_STORE_PART_CRLS,
    EKB_STORE_NUM_PARTS
};

// Sets of parts.
enum {
    EKB_STORE_NEED_SERVER = 1 << EKB_STORE_PART_SERVER,
    EKB_STORE_NEED_CLIENT = 1 << EKB_STORE_PART_CLIENT,
    EKB_STORE_NEED_TRUST = 1 << EKB_STORE_PART_TRUST,
    EKB_STORE_NEED_CRLS = 1 << EKB_STORE_PART_CRLS,
    EKB_STORE_ALL = (1 << EKB_STORE_NUM_PARTS) - 1
};

// A certificate chain and its key. Both NULL: there is none.
struct ekb_identity {
    struct ekb_chain *chain;
    struct ekb_key *key;
};

struct ekb_store;

// ekb_store_load reads the store directory `path`. `need` is the set of the parts that the caller
// cannot do without; the others are read if they are there.
// EKB_NOT_FOUND if the directory or a needed file is missing, or one half of a pair is, needed or
// not (the detail names the file); EKB_KEY_MISMATCH if a key does not belong to its certificate;
// EKB_PERMISSION if a private key's permission bits give anything to others than its owner; errors
// of ekb_chain_read_pem, ekb_key_read_pem and ekb_crls_read. Release with `ekb_store_destroy` (NULL
// is legal).
EKB_NODISCARD enum ekb_err ekb_store_load(struct ekb_store **out_store, const char *path,
                                          unsigned need, struct ekb_fail *reterr_fail);
void ekb_store_destroy(struct ekb_store *store);

// ekb_store_survey is ekb_store_load for whoever can do without: it reads those of the set `parts`,
// and what is wrong with one is kept beside it and is no error. Of a faulty part there is what
// could be read, of an identity perhaps the chain alone or the key alone. Errors of
// ekb_store_find; EKB_LOCKED, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_store_survey(struct ekb_store **out_store, const char *path,
                                            unsigned parts, struct ekb_fail *reterr_fail);

// ekb_store_fault returns what is wrong with `part`, borrowed from `store`; its code is EKB_OK if
// that is nothing.
const struct ekb_fail *ekb_store_fault(const struct ekb_store *store, enum ekb_store_part part);

// ekb_store_find returns EKB_OK if there is a store at `path`: a directory that holds at least one
// file of a store, good or bad, whoever has put it there. EKB_NOT_FOUND if there is none;
// EKB_PERMISSION and EKB_SYSTEM if that cannot be told.
EKB_NODISCARD enum ekb_err ekb_store_find(const char *path, struct ekb_fail *reterr_fail);

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
