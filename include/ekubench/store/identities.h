// Many client identities: a directory with one PEM file each, which holds the private key and the
// certificate chain, leaf first (`ekubench pki mint --count` writes such a directory).
//
// They are no store: there is nothing to trust among them, and no change of several at once. What
// was read does not follow later changes of the files. Nothing here judges a certificate.

#ifndef EKUBENCH_STORE_IDENTITIES_H
#define EKUBENCH_STORE_IDENTITIES_H

#include "ekubench/base/err.h"
#include "ekubench/store/store.h"

#include <stddef.h>

// More than these are not read.
#define EKB_IDENTITIES_MAX 100000

// The folder in the directory of a minted store that holds them.
#define EKB_IDENTITIES_FOLDER "clients"

// In the byte order of the files' names. Zeroed: none.
struct ekb_identities {
    struct ekb_identity *all;
    size_t num;
};

// ekb_identities_read reads every file of `directory` whose name ends in ".pem" and does not begin
// with a dot. Issuers that one file shares with the file before it are in memory once.
// EKB_NOT_FOUND if there are none or no such directory; EKB_TOO_BIG if they are more than
// EKB_IDENTITIES_MAX; EKB_KEY_MISMATCH if a key does not belong to its leaf; EKB_PERMISSION if the
// permission bits of a file give anything to others than its owner; errors of ekb_chain_read_pem
// and ekb_key_read_pem (a directory or a FIFO of such a name is EKB_PARSE). The detail names the
// file. Release with `ekb_identities_deinit`.
EKB_NODISCARD enum ekb_err ekb_identities_read(struct ekb_identities *out_identities,
                                               const char *directory, struct ekb_fail *reterr_fail);
void ekb_identities_deinit(struct ekb_identities *identities);

// ekb_identities_add writes one as number `number` of `directory`, which is made (mode 0755) if it
// is missing: a file called "00001.pem", ... with mode 0600, whole or not at all. They are sure to
// survive a crash of the machine only once ekb_identities_sync was called, after the last of them.
// EKB_KEY_MISMATCH, with nothing written; EKB_USAGE if the chain is empty; EKB_NOMEM,
// EKB_TLS_INTERNAL; errors of base/file.
EKB_NODISCARD enum ekb_err ekb_identities_add(const char *directory, size_t number,
                                              const struct ekb_identity *identity,
                                              struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_identities_sync(const char *directory, struct ekb_fail *reterr_fail);

#endif
