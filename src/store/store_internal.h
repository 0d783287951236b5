// The names of a store's files.

#ifndef EKUBENCH_SRC_STORE_INTERNAL_H
#define EKUBENCH_SRC_STORE_INTERNAL_H

#include "ekubench/store/store.h"

#define EKB_STORE_TRUST_NAME "ca.pem"
#define EKB_STORE_CRLS_NAME "client-ca.crl"
#define EKB_STORE_REQUESTS_NAME "generated_csr"
#define EKB_STORE_DATA_NAME ".data"
#define EKB_STORE_LOCK_NAME ".lock"

// Enough for the name of a generation (store/change).
#define EKB_STORE_GENERATION_LEN 64

// ekb_store_generation writes the name of the present generation of the store `path`, "" if it is
// one of plain files.
void ekb_store_generation(char out_name[EKB_STORE_GENERATION_LEN], const char *path);

// Everything that a store may hold, as it is named at the top.
#define EKB_STORE_NUM_TOP_NAMES 7
extern const char *const ekb_store_top_names[EKB_STORE_NUM_TOP_NAMES];

// ekb_store_is_own_link is true if `path` is the link by which a store reaches its file `name`.
bool ekb_store_is_own_link(const char *path, const char *name);

// What is said when there is no pending signing request.
#define EKB_STORE_NO_REQUEST "There is no certificate signing request in progress"

// ekb_store_tell fails with `fault`, the reason why something is not there, or, if that is none,
// with EKB_NOT_FOUND and the sentence `otherwise`.
EKB_NODISCARD enum ekb_err ekb_store_tell(const struct ekb_fail *fault, const char *otherwise,
                                          struct ekb_fail *reterr_fail);

// ekb_store_check_private is EKB_PERMISSION if the permission bits of the key file `path` give
// anything to others than its owner. A file that is not there is not complained of.
EKB_NODISCARD enum ekb_err ekb_store_check_private(const char *path, struct ekb_fail *reterr_fail);

struct ekb_store_names {
    const char *certificate;
    const char *key;
    const char *request;     // Below the store's directory.
    const char *request_key; // As well.
    unsigned need;           // EKB_STORE_NEED_*
};

extern const struct ekb_store_names ekb_store_names[EKB_STORE_NUM_SIDES];

#endif
