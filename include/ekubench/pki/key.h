// Private keys: made, read, written.
//
// Keys come from the TLS library's generator. The encoded form passes only through buffers that are
// overwritten after use; it never reaches a message or a log.

#ifndef EKUBENCH_PKI_KEY_H
#define EKUBENCH_PKI_KEY_H

#include "ekubench/base/err.h"

#include <stddef.h>
#include <stdint.h>

// A key file of more bytes is not read: the largest key here takes 3.3 KiB.
#define EKB_KEY_MAX_FILE_LEN (64u << 10)

enum ekb_key_type {
    EKB_KEY_P256,
    EKB_KEY_P384,
    EKB_KEY_RSA2048,
    EKB_KEY_RSA3072,
    EKB_KEY_RSA4096,
    EKB_KEY_ED25519,
    EKB_KEY_NUM_TYPES, // That can be made.
    // These are read and used, not made.
    EKB_KEY_P521 = EKB_KEY_NUM_TYPES,
    EKB_KEY_RSA, // Of another size.
    EKB_KEY_NUM_KNOWN
};

struct ekb_key;

// ekb_key_type_name returns "p256", "p384", "rsa2048", ..., "ed25519", "p521", "rsa";
// `ekb_key_type_parse` reads one that can be made back (EKB_USAGE if it is none of them).
const char *ekb_key_type_name(enum ekb_key_type type);
EKB_NODISCARD enum ekb_err ekb_key_type_parse(enum ekb_key_type *out_type, const char *text);

// ekb_key_generate makes a newly-allocated key of `type`; release it with `ekb_key_destroy`.
// EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_key_generate(struct ekb_key **out_key, enum ekb_key_type type,
                                            struct ekb_fail *reterr_fail);

// ekb_key_read_pem reads the first private key of the file `path` ("PRIVATE KEY", "EC PRIVATE KEY",
// "RSA PRIVATE KEY"; what else is in the file is skipped) into a newly-allocated key. Errors of
// ekb_file_read; EKB_PARSE if there is none in it, it is malformed, or it is encrypted (no password
// is ever asked for); EKB_UNSUPPORTED if it is of another form, or of none of the types above. Who
// may read the file is not checked (store/store does).
EKB_NODISCARD enum ekb_err ekb_key_read_pem(struct ekb_key **out_key, const char *path,
                                            struct ekb_fail *reterr_fail);

// ekb_key_to_pem returns `key` as PKCS #8 PEM text with a terminating zero that `*out_len` does not
// count, newly allocated; free it with `ekb_file_free_secret`. EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_key_to_pem(uint8_t **out_text, size_t *out_len,
                                          const struct ekb_key *key, struct ekb_fail *reterr_fail);

// ekb_key_write_pem writes `key` to `path` as PKCS #8 PEM with mode 0600, whole or not at all.
// EKB_NOMEM, EKB_TLS_INTERNAL, errors of ekb_file_write_atomic.
EKB_NODISCARD enum ekb_err ekb_key_write_pem(const struct ekb_key *key, const char *path,
                                             struct ekb_fail *reterr_fail);

// ekb_key_type_of returns the type of `key`.
enum ekb_key_type ekb_key_type_of(const struct ekb_key *key);

// ekb_key_destroy frees `key`. NULL is legal.
void ekb_key_destroy(struct ekb_key *key);

#endif
