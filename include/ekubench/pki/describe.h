// A certificate in words: what `ekubench store show` prints and what the upload gate looks at.
// Nothing here judges it.

#ifndef EKUBENCH_PKI_DESCRIBE_H
#define EKUBENCH_PKI_DESCRIBE_H

#include "ekubench/pki/cert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ekb_key_kind {
    EKB_KEY_KIND_RSA,
    EKB_KEY_KIND_P256,
    EKB_KEY_KIND_P384,
    EKB_KEY_KIND_P521,
    EKB_KEY_KIND_ED25519,
    EKB_KEY_KIND_OTHER,
};

// Texts are UTF-8 of one line, cut to fit between characters, with "..." at the end. Escaped is
// what is not seen (control characters, what has no width), what changes the direction of text, and
// what is private.
struct ekb_description {
    char subject[256]; // RFC 2253 form.
    char issuer[256];
    char serial[64]; // Hexadecimal.
    unsigned eku;    // EKB_EKU_*
    enum ekb_key_kind key_kind;
    unsigned key_bits;
    bool is_ca;          // Basic constraints say so.
    bool may_sign;       // Key usage is absent or has digitalSignature: TLS can use the key.
    bool may_sign_certs; // Key usage is absent or has keyCertSign.
    bool is_self_signed; // Subject and issuer are the same, and its own key signed it.
    int64_t not_before;  // Seconds since the epoch.
    int64_t not_after;
};

// Enough for any text that ekb_key_kind_format writes.
#define EKB_KEY_KIND_TEXT_LEN 32

// ekb_chain_describe describes certificate `index`.
void ekb_chain_describe(struct ekb_description *out_description, const struct ekb_chain *chain,
                        size_t index);

// A list of texts, as long as it has to be. Zeroed: an empty one.
struct ekb_texts {
    char **items;
    size_t len;
};

void ekb_texts_deinit(struct ekb_texts *texts);

// ekb_texts_join returns the items with `separator` between them, newly allocated; free it with
// `free`. NULL if out of memory.
char *ekb_texts_join(const struct ekb_texts *texts, const char *separator);

// ekb_chain_names returns the names in subjectAltName of certificate `index`, as "DNS:host.example"
// or "IP:192.0.2.1", in newly-allocated texts: all of them, each whole. In them commas and
// backslashes are escaped, too. ekb_chain_usages does so with the extended key usages: by name, or
// as a dotted number if there is none; without the extension there are none. "malformed" stands for
// what cannot be decoded. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_chain_names(struct ekb_texts *out_names,
                                           const struct ekb_chain *chain, size_t index);
EKB_NODISCARD enum ekb_err ekb_chain_usages(struct ekb_texts *out_usages,
                                            const struct ekb_chain *chain, size_t index);

// ekb_key_kind_format writes "RSA 2048", "EC P-256", "Ed25519", ... into `out_text` and returns it.
const char *ekb_key_kind_format(char out_text[EKB_KEY_KIND_TEXT_LEN], enum ekb_key_kind kind,
                                unsigned bits);

// ekb_chain_is_named_by is true if certificate `issuer` (of `issuers`) is named as the issuer of
// certificate `index` (of `chain`), and its key identifier fits if both have one.
// ekb_chain_is_issued_by wants its key to have signed it, too, which takes much longer to see.
bool ekb_chain_is_named_by(const struct ekb_chain *chain, size_t index,
                           const struct ekb_chain *issuers, size_t issuer);
bool ekb_chain_is_issued_by(const struct ekb_chain *chain, size_t index,
                            const struct ekb_chain *issuers, size_t issuer);

// ekb_chain_same is true if the two certificates are the same, byte for byte.
bool ekb_chain_same(const struct ekb_chain *a, size_t index_a, const struct ekb_chain *b,
                    size_t index_b);

#endif
