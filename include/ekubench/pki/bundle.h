// What people bring: a file with certificates, and perhaps a key, in whatever form.

#ifndef EKUBENCH_PKI_BUNDLE_H
#define EKUBENCH_PKI_BUNDLE_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/key.h"

#include <stddef.h>

// More faults than this of one file are counted, not kept.
#define EKB_BUNDLE_MAX_FAULTS 16

// All newly allocated, or NULL.
struct ekb_bundle {
    struct ekb_chain *chain;
    struct ekb_key *key;
    struct ekb_fail key_fault; // Why there is no key although one was brought; else EKB_OK.
    struct ekb_fail *faults;   // Of ekb_bundle_survey: what could not be read, and where it stands.
    size_t num_faults;         // All of them.
};

// How often a hash may be iterated for a PKCS #12 file, for all of its parts and all passwords that
// are tried: a second or two.
#define EKB_BUNDLE_MAX_ITERATIONS 5000000

// ekb_bundle_read reads the file `path`: PEM (certificates in any number, and the first private key
// if there is one), one certificate in DER, or PKCS #12 (RFC 7292) with `password` (NULL: none is
// known), or if that is not right, without one. Release with `ekb_bundle_deinit`; a zeroed one is
// legal. Errors of ekb_file_read (at most EKB_CHAIN_MAX_FILE_LEN bytes are read); EKB_PARSE if it
// is none of these or malformed; EKB_NEED_PASSWORD if it is PKCS #12 and the password is wrong or
// missing; EKB_TOO_BIG, also for PKCS #12 that wants more than EKB_BUNDLE_MAX_ITERATIONS;
// EKB_UNSUPPORTED for PKCS #12 with several private keys, or encrypted in a way that is not known;
// EKB_NOMEM. A private key that is malformed, encrypted or of a kind that is not known is no error
// but a `key_fault`: the certificate says more about it.
EKB_NODISCARD enum ekb_err ekb_bundle_read(struct ekb_bundle *out_bundle, const char *path,
                                           const char *password, struct ekb_fail *reterr_fail);

// ekb_bundle_survey is ekb_bundle_read for whoever can do without, and without any key: of a PEM
// file whatever is wrong with one block is kept in `faults`, and is no error, and so is what is
// wrong with certificates of PKCS #12, which may have any number of keys. The chain may be empty
// then. Of more than EKB_CHAIN_MAX_CERTS certificates the first ones are read. A file without
// certificates and without faults is EKB_PARSE.
EKB_NODISCARD enum ekb_err ekb_bundle_survey(struct ekb_bundle *out_bundle, const char *path,
                                             const char *password, struct ekb_fail *reterr_fail);
void ekb_bundle_deinit(struct ekb_bundle *bundle);

#endif
