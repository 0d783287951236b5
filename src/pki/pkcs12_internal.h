// PKCS #12 (RFC 7292), opened with a bounded amount of work, and the encryption by passwords that
// is in it.

#ifndef EKUBENCH_SRC_PKI_PKCS12_INTERNAL_H
#define EKUBENCH_SRC_PKI_PKCS12_INTERNAL_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"

#include <openssl/base.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Encryption by passwords.

// A password, and how often a hash may still be iterated with it. That belongs to the file and not
// to the password: whatever is tried takes from it.
struct ekb_pbe {
    const char *password; // UTF-8. NULL: none at all, which is not the empty one.
    uint64_t *iterations_left;
};

// ekb_pbe_decrypt decrypts `data`. `algorithm` is the content of an AlgorithmIdentifier: PBES2 (RFC
// 8018) with PBKDF2, or one of PKCS #12's own. `*out_text` is newly allocated; free it with
// `OPENSSL_free`. EKB_TOO_BIG if more iterations are wanted than are left, before the first;
// EKB_NEED_PASSWORD if it does not decrypt; EKB_UNSUPPORTED; EKB_PARSE; EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_pbe_decrypt(uint8_t **out_text, size_t *out_len,
                                           const CBS *algorithm, const CBS *data,
                                           const struct ekb_pbe *pbe);

// ekb_pbe_check_mac checks the MAC of `content` that is in `mac_data`, the content of a MacData.
// EKB_NEED_PASSWORD if it is another; the other errors as above.
EKB_NODISCARD enum ekb_err ekb_pbe_check_mac(const CBS *mac_data, const CBS *content,
                                             const struct ekb_pbe *pbe);

// Files.

// An open file. Zeroed: none.
struct ekb_pkcs12 {
    struct ekb_chain *chain; // At most EKB_CHAIN_MAX_CERTS certificates in the order of the file,
    bool has_more;           // there are more,
    size_t num_malformed;    // without those that are malformed.
    size_t num_keys;
    uint8_t *key; // The first, as it stands in the file.
    size_t key_len;
    bool key_is_encrypted;
    const char *password; // The one that opened it.
    uint64_t iterations_left;
};

// ekb_pkcs12_open reads the certificates of the file in `ber`, with `password`, without any, and
// with the empty one; `password`, NULL if none is known, must outlive `*out_pkcs12`. No key is
// decrypted. All tries together iterate a hash at most EKB_BUNDLE_MAX_ITERATIONS times. Release
// with `ekb_pkcs12_deinit`. EKB_PARSE, EKB_NEED_PASSWORD, EKB_TOO_BIG (iterations),
// EKB_UNSUPPORTED, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_pkcs12_open(struct ekb_pkcs12 *out_pkcs12, const uint8_t *ber,
                                           size_t ber_len, const char *password);
void ekb_pkcs12_deinit(struct ekb_pkcs12 *pkcs12);

// ekb_pkcs12_key opens the first private key, of which there must be one, with what iterations are
// left. `*out_key` is newly allocated. Errors as above.
EKB_NODISCARD enum ekb_err ekb_pkcs12_key(EVP_PKEY **out_key, struct ekb_pkcs12 *pkcs12);

#endif
