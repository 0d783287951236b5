// Certificate revocation lists: read, and made.
//
// A `struct ekb_crls` is a set of CRLs (RFC 5280 section 5), at most one of which is consulted for
// a certificate. Nothing here judges them; verification (pki/verify) checks their signature, scope
// and time.

#ifndef EKUBENCH_PKI_CRL_H
#define EKUBENCH_PKI_CRL_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/mint.h"

#include <stddef.h>
#include <stdint.h>

// At most this many CRLs are read from one file, and at most this many bytes: the CRL of a large
// public CA has tens of megabytes.
#define EKB_CRLS_MAX 1000
#define EKB_CRLS_MAX_FILE_LEN (64u << 20)

struct ekb_crls;

// ekb_crls_create returns an empty set, or NULL if out of memory; `ekb_crls_destroy` frees one
// (NULL is legal).
struct ekb_crls *ekb_crls_create(void);
void ekb_crls_destroy(struct ekb_crls *crls);

// ekb_crls_read reads the file `path`: PEM ("X509 CRL", any number; other blocks are skipped) or
// one DER CRL. Errors of ekb_file_read; EKB_PARSE if there is none in it or one is malformed,
// EKB_TOO_BIG beyond the limits above, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_crls_read(struct ekb_crls **out_crls, const char *path,
                                         struct ekb_fail *reterr_fail);

// ekb_crls_write writes the set to `path` as PEM with mode 0644, whole or not at all. EKB_USAGE if
// it is empty, EKB_NOMEM, errors of ekb_file_write_atomic.
EKB_NODISCARD enum ekb_err ekb_crls_write(const struct ekb_crls *crls, const char *path,
                                          struct ekb_fail *reterr_fail);

// ekb_crls_len returns the number of CRLs.
size_t ekb_crls_len(const struct ekb_crls *crls);

// What a list says of itself. Times are seconds since the epoch.
struct ekb_crl_description {
    char issuer[256]; // As in struct ekb_description.
    int64_t this_update;
    int64_t next_update; // INT64_MAX if it names none.
    size_t num_revoked;
};

// ekb_crls_describe describes CRL `index`.
void ekb_crls_describe(struct ekb_crl_description *out_description, const struct ekb_crls *crls,
                       size_t index);

// A list to be made: the certificates with index 0 of `revoked` are on it.
struct ekb_crl_spec {
    const struct ekb_chain *const *revoked;
    size_t num_revoked;
    int64_t this_update; // Seconds since the epoch.
    int64_t next_update; // Not before `this_update`.
};

// ekb_crls_issue makes a CRL signed by `ca` and appends it to `crls`. EKB_USAGE if the times are
// reversed or no dates, EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_crls_issue(struct ekb_crls *crls, const struct ekb_ca *ca,
                                          const struct ekb_crl_spec *spec,
                                          struct ekb_fail *reterr_fail);

#endif
