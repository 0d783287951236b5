// What keys and chains are inside, and PEM. For pki/, store/ and tls/ only: these share BoringSSL
// objects, everything else sees opaque types and DER.

#ifndef EKUBENCH_SRC_PKI_PKI_INTERNAL_H
#define EKUBENCH_SRC_PKI_PKI_INTERNAL_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/key.h"
#include "ekubench/pki/mint.h"
#include "ekubench/pki/verify.h"

#include <openssl/base.h>
#include <openssl/pool.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Keys and chains.

struct ekb_key {
    EVP_PKEY *pkey;
    enum ekb_key_type type;
};

// A certificate in both of the library's forms. `x509` was parsed from `der` and holds a reference
// to it.
struct ekb_certificate {
    X509 *x509;
    CRYPTO_BUFFER *der;
};

struct ekb_chain {
    struct ekb_certificate *certificates;
    size_t len;
    size_t capacity;
};

// ekb_key_pkey returns the library's key, borrowed from `key`.
EVP_PKEY *ekb_key_pkey(const struct ekb_key *key);

// ekb_chain_x509 returns certificate `index` as the library's object, ekb_chain_buffer as the
// library's buffer of DER (for SSL_CTX_set_chain_and_key); both borrowed from `chain`.
X509 *ekb_chain_x509(const struct ekb_chain *chain, size_t index);
CRYPTO_BUFFER *ekb_chain_buffer(const struct ekb_chain *chain, size_t index);

// ekb_chain_append_der parses one certificate, which must fill `der_len` bytes, and appends it.
// EKB_PARSE, EKB_NOMEM; the library's error queue then says why.
EKB_NODISCARD enum ekb_err ekb_chain_append_der(struct ekb_chain *chain, const uint8_t *der,
                                                size_t der_len);

// ekb_pki_digest returns what `key` signs certificates and CRLs with; NULL if its algorithm has a
// digest of its own.
const EVP_MD *ekb_pki_digest(const struct ekb_key *key);

// ekb_ca_key returns the key of `ca`, borrowed from it.
const struct ekb_key *ekb_ca_key(const struct ekb_ca *ca);

// ekb_crls_crl returns CRL `index`, borrowed from `crls`.
X509_CRL *ekb_crls_crl(const struct ekb_crls *crls, size_t index);

// ekb_pki_is_ip_address is true if `text` is an IPv4 or IPv6 address.
bool ekb_pki_is_ip_address(const char *text);

// ekb_pki_name_text writes `name` as text (RFC 2253 in UTF-8) that is one line and means what it
// looks like: escaped are control characters, what changes the direction of text, what has no
// width, and what is private. It is cut to fit, between characters, and terminated.
void ekb_pki_name_text(char *out_text, size_t text_len, const X509_NAME *name);

// ekb_pki_names is ekb_chain_names for names from elsewhere. NULL is legal.
EKB_NODISCARD enum ekb_err ekb_pki_names(struct ekb_texts *out_names, const GENERAL_NAMES *names);

// ekb_key_wrap gives `pkey`, of which it takes ownership whatever happens, to a new key. `what` is
// for messages. EKB_UNSUPPORTED if it is of no known type, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_key_wrap(struct ekb_key **out_key, EVP_PKEY *pkey, const char *what,
                                        struct ekb_fail *reterr_fail);

// ekb_key_from_pem is ekb_key_read_pem for a text, which it uses up; `path` is for messages.
EKB_NODISCARD enum ekb_err ekb_key_from_pem(struct ekb_key **out_key, uint8_t *text,
                                            size_t text_len, const char *path,
                                            struct ekb_fail *reterr_fail);

// Anchors: a trusted CA list in which several certificates have one name.
//
// Of those that fit as an issuer the library takes the first, whatever it is worth then. What is
// best depends on the time: a root that is renewed is listed with both of its certificates for a
// while, and the new one may begin later.

struct ekb_anchors;

// ekb_anchors_create makes, if certificates of `trust` have one name, a newly-allocated set of all
// of `trust`, with references of its own; else `*out_anchors` is NULL, and any order is as good as
// another. Release it with `ekb_anchors_destroy` (NULL is legal). EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_anchors_create(struct ekb_anchors **out_anchors,
                                              const struct ekb_chain *trust);
void ekb_anchors_destroy(struct ekb_anchors *anchors);

// ekb_anchors_at returns the certificates, the best at the time `at` first: what is valid before
// what is not, then CAs before others, what does not constrain names before what does, and what
// lives longer before the rest. The stack is to be freed, the certificates are borrowed from
// `anchors`. NULL: out of memory.
STACK_OF(X509) * ekb_anchors_at(const struct ekb_anchors *anchors, int64_t at);

// Verification.

// ekb_verifier_store returns the trusted CA list and the CRLs as the library's object, borrowed
// from `verifier`.
X509_STORE *ekb_verifier_store(const struct ekb_verifier *verifier);

// ekb_verifier_run judges the chain in `context`, which must have been initialised with the store
// of `verifier`, and leaves the result there. True if it is accepted; `*out_depth` is the position
// of the offending certificate, -1 if there is none.
bool ekb_verifier_run(const struct ekb_verifier *verifier, X509_STORE_CTX *context, int *out_depth);

// ekb_verifier_remaining returns for how many seconds the chain in `context`, which has just been
// accepted, can go on being accepted: until the first of its certificates is over, or of the CRLs
// of their issuers.
uint64_t ekb_verifier_remaining(const struct ekb_verifier *verifier, X509_STORE_CTX *context);

// ekb_pki_common_name_counts is true if the leaf of `chain` has subjectAltName without a DNS name
// or an IP address, its common name is that of `host`, and no CA above it constrains names. The
// library takes no common name beside any subjectAltName.
bool ekb_pki_common_name_counts(const STACK_OF(X509) * chain, const char *host);

// ekb_pki_may_sign is false if the certificate in `der` has key usage and digitalSignature is not
// in it: TLS has its holder sign. What is malformed is left to those who decode all of it.
bool ekb_pki_may_sign(const uint8_t *der, size_t der_len);

// Extended key usages.

// One usage that has a name here. `eku` is its EKB_EKU_* bit.
struct ekb_usage {
    const char *name;
    const char *short_name;
    unsigned eku;
    int nid;
};

#define EKB_NUM_USAGES 4

// All of them, in the order in which they are written.
extern const struct ekb_usage ekb_usages[EKB_NUM_USAGES];

// Errors of the library.

// ekb_pki_take_reason returns the library's reason for the latest error of this thread, a string
// literal of the library, and empties its error queue: what is left there would be taken for the
// error of a later SSL_* call.
const char *ekb_pki_take_reason(void);

// ekb_pki_fail fills `*reterr_fail` with EKB_NOMEM if the library ran out of memory, else with
// EKB_TLS_INTERNAL, says what was being done (`doing`) and the reason, and empties the queue.
enum ekb_err ekb_pki_fail(struct ekb_fail *reterr_fail, const char *doing);

// PEM (RFC 7468). Not the library's reader: that one copies key material line by line over its
// stack, and would ask for a password on the terminal.

// One block. All points into the text that is being read.
struct ekb_pem_block {
    const uint8_t *label;
    size_t label_len;
    uint8_t *body; // From the line after BEGIN up to the line of END.
    size_t body_len;
};

struct ekb_pem_reader {
    uint8_t *next;
    size_t remaining_len;
    const uint8_t *begin; // The first line of the block that was found last, good or bad.
};

// ekb_pem_next finds the next block and skips what stands before it, in time linear in the bytes
// skipped. EKB_NOT_FOUND if there is none; EKB_PARSE if one begins but does not end: the line that
// stands in the place of its end is the next to be read.
EKB_NODISCARD enum ekb_err ekb_pem_next(struct ekb_pem_block *out_block,
                                        struct ekb_pem_reader *reader);

// ekb_pem_label_is is true if the label of `block` is `label`, ekb_pem_label_ends_with if it ends
// so.
bool ekb_pem_label_is(const struct ekb_pem_block *block, const char *label);
bool ekb_pem_label_ends_with(const struct ekb_pem_block *block, const char *ending);

// ekb_pem_decode decodes the body of `block`, whose text it uses up: blanks are squeezed out in
// place.
// `*out_der` is newly allocated; free it with `ekb_file_free_secret`. EKB_PARSE if it is not
// base64, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_pem_decode(uint8_t **out_der, size_t *out_len,
                                          struct ekb_pem_block *block);

// ekb_pki_is_der is true if `data` begins as a DER SEQUENCE of more than 127 bytes does, and no
// text.
bool ekb_pki_is_der(const uint8_t *data, size_t data_len);

// ekb_pem_encoded_len returns how many bytes ekb_pem_encode needs for `der_len` bytes, a
// terminating zero included. ekb_pem_encode writes a block there and returns its length without the
// zero.
size_t ekb_pem_encoded_len(const char *label, size_t der_len);
size_t ekb_pem_encode(uint8_t *out_text, const char *label, const uint8_t *der, size_t der_len);

#endif
