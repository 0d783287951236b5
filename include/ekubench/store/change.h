// A change of a store directory: all of it, or nothing.
//
// The files of a store live in a *generation*, a hidden directory, and are reached through it: the
// name `server.pem` is a symbolic link to `.data/server.pem`, and `.data` is one to the generation.
// A change makes another generation beside it, complete, and then replaces the one link `.data`
// (rename(2), which is atomic). Whoever reads by name, with this library or without it, finds the
// old files or the new ones, never a certificate with the other's key; and so does whoever comes
// after a crash. (A path is resolved link by link. Who meets a change at that very moment can be
// told that there is no such file, and opens it again; this library does.) A store of plain files,
// put there by hand, is read as it is; its first change turns it into this form without a moment in
// which it is not whole.
//
// A lock keeps two changes of one store apart. What a crashed one has left is removed by the next.

#ifndef EKUBENCH_STORE_CHANGE_H
#define EKUBENCH_STORE_CHANGE_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/crl.h"
#include "ekubench/store/store.h"

#include <stddef.h>
#include <stdint.h>

struct ekb_change;

// ekb_change_begin begins a change of the store directory `path`, which is made (mode 0755) if it
// is missing, and waits up to ten seconds for another one to end. Release with
// `ekb_change_destroy`. EKB_LOCKED if it does not end; EKB_PERMISSION, EKB_SYSTEM, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_change_begin(struct ekb_change **out_change, const char *path,
                                            struct ekb_fail *reterr_fail);

// ekb_change_destroy gives the change up, unless it was committed, and unlocks the store. NULL is
// legal.
void ekb_change_destroy(struct ekb_change *change);

// ekb_change_put_identity puts certificate chain and key of `side` in the place of what there was;
// ekb_change_put_trust the trusted CA list, which may be empty, ekb_change_put_crls the CRLs.
// EKB_KEY_MISMATCH if the key does not belong to the leaf; errors of the writers of pki.
EKB_NODISCARD enum ekb_err ekb_change_put_identity(struct ekb_change *change,
                                                   enum ekb_store_side side,
                                                   const struct ekb_identity *identity,
                                                   struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_change_put_trust(struct ekb_change *change,
                                                const struct ekb_chain *trust,
                                                struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_change_put_crls(struct ekb_change *change,
                                               const struct ekb_crls *crls,
                                               struct ekb_fail *reterr_fail);

// ekb_change_put_request puts a signing request (PEM text) and its key into the place of the
// pending one of `side`; ekb_change_drop_request removes what is there, if anything is.
EKB_NODISCARD enum ekb_err ekb_change_put_request(struct ekb_change *change,
                                                  enum ekb_store_side side, const char *pem,
                                                  const struct ekb_key *key,
                                                  struct ekb_fail *reterr_fail);
void ekb_change_drop_request(struct ekb_change *change, enum ekb_store_side side);

// ekb_change_commit makes the change, durably. After an error the store is as it was, or, if it was
// the very last step that failed, as it was to be. EKB_PERMISSION, EKB_SYSTEM, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_change_commit(struct ekb_change *change,
                                             struct ekb_fail *reterr_fail);

#endif
