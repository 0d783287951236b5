// Certificates and chains: read, written, looked at.
//
// A `struct ekb_chain` is an ordered list of X.509 certificates. For an identity it is leaf first,
// then intermediates, without the root; for a trusted CA list the order means nothing. Certificates
// are shared by the chains that hold them. Nothing here judges a certificate (pki/policy, and the
// library's verification, do).

#ifndef EKUBENCH_PKI_CERT_H
#define EKUBENCH_PKI_CERT_H

#include "ekubench/base/err.h"
#include "ekubench/pki/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// At most this many certificates are read from one file, and at most this many bytes.
#define EKB_CHAIN_MAX_CERTS 1000
#define EKB_CHAIN_MAX_FILE_LEN (4u << 20)

// Extended key usages, as a set (RFC 5280 section 4.2.1.12).
enum {
    EKB_EKU_SERVER_AUTH = 1 << 0,
    EKB_EKU_CLIENT_AUTH = 1 << 1,
    EKB_EKU_CODE_SIGNING = 1 << 2,
    EKB_EKU_ANY = 1 << 3,
    EKB_EKU_OTHER = 1 << 4, // Only found, never minted: usages not named here.
    EKB_EKU_ABSENT = 0      // No extension at all.
};

// Enough for any text that ekb_eku_format writes.
#define EKB_EKU_TEXT_LEN 64

struct ekb_chain;

// ekb_chain_create returns an empty chain, or NULL if out of memory; `ekb_chain_destroy` frees one
// (NULL is legal).
struct ekb_chain *ekb_chain_create(void);
void ekb_chain_destroy(struct ekb_chain *chain);

// ekb_chain_read_pem reads all certificates ("CERTIFICATE", "X509 CERTIFICATE") of the PEM file
// `path`, in their order, into a newly-allocated chain. Text between them is skipped, and so are
// blocks that are something else. Errors of ekb_file_read; EKB_PARSE if there is no certificate in
// it, one is malformed, a block has no end, or one is OpenSSL's "TRUSTED CERTIFICATE"; EKB_TOO_BIG
// beyond the limits above; EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_chain_read_pem(struct ekb_chain **out_chain, const char *path,
                                              struct ekb_fail *reterr_fail);

// What else ekb_chain_read takes.
enum {
    EKB_CHAIN_DER = 1 << 0,            // One certificate in DER, the whole file.
    EKB_CHAIN_TRUST_SETTINGS = 1 << 1, // "TRUSTED CERTIFICATE", for verification only: the settings
                                       // are kept in memory, but are lost on writing.
    EKB_CHAIN_EMPTY = 1 << 2,          // No certificate, in a file that is EKB_CHAIN_EMPTY_TEXT.
};

// A file without certificates has lost them, unless it says that there are none.
#define EKB_CHAIN_EMPTY_TEXT "# This list is empty.\n"

// ekb_chain_read is ekb_chain_read_pem that takes more: `accept` is a set of the above.
EKB_NODISCARD enum ekb_err ekb_chain_read(struct ekb_chain **out_chain, const char *path,
                                          unsigned accept, struct ekb_fail *reterr_fail);

// ekb_chain_write_pem writes the certificates to `path` with mode 0644, whole or not at all.
// EKB_USAGE if there are none (such a file could not be read back), EKB_NOMEM, errors of
// ekb_file_write_atomic.
EKB_NODISCARD enum ekb_err ekb_chain_write_pem(const struct ekb_chain *chain, const char *path,
                                               struct ekb_fail *reterr_fail);

// ekb_chain_to_pem returns the certificates as PEM text, newly allocated; free it with `free`. NULL
// if out of memory.
char *ekb_chain_to_pem(const struct ekb_chain *chain);

// ekb_chain_len returns the number of certificates.
size_t ekb_chain_len(const struct ekb_chain *chain);

// ekb_chain_der returns the DER bytes of certificate `index` (borrowed from `chain`) and their
// number.
const uint8_t *ekb_chain_der(const struct ekb_chain *chain, size_t index, size_t *out_len);

// ekb_chain_append appends a reference to certificate `index` of `from` to `chain`. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_chain_append(struct ekb_chain *chain, const struct ekb_chain *from,
                                            size_t index);

// ekb_chain_eku returns the set of extended key usages of certificate `index`; EKB_EKU_ABSENT if it
// has no such extension, EKB_EKU_OTHER if the extension is malformed.
unsigned ekb_chain_eku(const struct ekb_chain *chain, size_t index);

// ekb_chain_matches_key is true if `key` is the private key of the leaf (certificate 0). An empty
// chain matches none.
bool ekb_chain_matches_key(const struct ekb_chain *chain, const struct ekb_key *key);

// ekb_eku_parse reads a set separated by commas: serverAuth, clientAuth, codeSigning, any (short
// forms: server, client, both), or "none", alone, for no extension. EKB_USAGE. ekb_eku_format
// writes "serverAuth+clientAuth", "absent", ... into `out_text` and returns it.
EKB_NODISCARD enum ekb_err ekb_eku_parse(unsigned *out_eku, const char *text);
const char *ekb_eku_format(char out_text[EKB_EKU_TEXT_LEN], unsigned eku);

#endif
