// Two endpoints and the bytes between them, cut as a test wants; a TLS peer that is not ours; and
// identities that pki/mint does not make. What cannot be done fails the test.

#ifndef EKUBENCH_TESTS_SUPPORT_TLS_LINK_H
#define EKUBENCH_TESTS_SUPPORT_TLS_LINK_H

#include "ekubench/base/rng.h"
#include "ekubench/store/store.h"
#include "ekubench/tls/config.h"
#include "ekubench/tls/endpoint.h"

#include <openssl/base.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// tls_config makes a configuration.
struct ekb_tls_config *tls_config(const struct ekb_tls_options *options);

// Bytes under way. Zeroed: none.
struct tls_bytes {
    uint8_t *data;
    size_t begin;
    size_t end;
    size_t capacity;
};

void tls_bytes_add(struct tls_bytes *bytes, const void *data, size_t len);
size_t tls_bytes_len(const struct tls_bytes *bytes);
void tls_bytes_deinit(struct tls_bytes *bytes);

// How bytes are cut. Zeroed: not at all.
struct tls_cut {
    size_t max_len;      // At most so many at a time; 0: no limit.
    struct ekb_rng *rng; // Random lengths, of what is fed and of what is said to be sent.
};

// tls_flush moves all that is pending at `endpoint` to `out` and returns in how many parts the
// endpoint offered it.
size_t tls_flush(struct ekb_endpoint *endpoint, struct tls_bytes *out, const struct tls_cut *cut);

// tls_deliver feeds the next bytes of `in` from memory of just their length, and flushes. False if
// there were none.
bool tls_deliver(struct ekb_endpoint *endpoint, struct tls_bytes *in, struct tls_bytes *out,
                 const struct tls_cut *cut);

// A connection of two endpoints.
struct tls_link {
    struct ekb_endpoint *client;
    struct ekb_endpoint *server;
    struct tls_bytes to_server;
    struct tls_bytes to_client;
    struct tls_cut cut;
    size_t max_parts; // The most parts in which one flight was offered.
};

// tls_link_init starts both. tls_link_run carries bytes until none are left. tls_link_restart
// begins a new connection with the same endpoints, tls_link_restart_as one of a client that
// chooses.
void tls_link_init(struct tls_link *out_link, const struct ekb_tls_config *client,
                   const struct ekb_tls_config *server);
void tls_link_run(struct tls_link *link);
void tls_link_restart(struct tls_link *link, const struct ekb_tls_config *client,
                      const struct ekb_tls_config *server);
void tls_link_restart_as(struct tls_link *link, const struct ekb_tls_config *client,
                         const struct ekb_endpoint_choice *choice,
                         const struct ekb_tls_config *server);
void tls_link_deinit(struct tls_link *link);

// A TLS peer made of the library alone, so that it can do what our configurations do not.
struct tls_foreign {
    SSL *ssl;
    bool done;       // Its handshake is complete.
    bool failed;     // It has given up.
    size_t num_read; // Bytes of application data.
    uint32_t reason; // Packed error of the library.
};

// tls_foreign_init makes a peer of `context`, which it takes, and, a client, has its first flight
// in `out`. tls_foreign_step takes all of `in` and answers into `out`.
void tls_foreign_init(struct tls_foreign *out_foreign, SSL_CTX *context, enum ekb_role role,
                      struct tls_bytes *out);
void tls_foreign_step(struct tls_foreign *foreign, struct tls_bytes *in, struct tls_bytes *out);
void tls_foreign_deinit(struct tls_foreign *foreign);

// tls_foreign_run carries bytes between `endpoint` and `foreign` until none are left; `in` is what
// goes to the endpoint.
void tls_foreign_run(struct tls_foreign *foreign, struct ekb_endpoint *endpoint,
                     struct tls_bytes *in);

// A self-signed end entity, without key usage, which the library takes for its own issuer.
struct tls_self_signed {
    EVP_PKEY *pkey;
    X509 *x509;
};

// tls_self_signed_init makes one with a key of `type` (P-256, RSA-2048 or Ed25519) and with `eku`
// (EKB_EKU_SERVER_AUTH, EKB_EKU_CLIENT_AUTH or absent). tls_self_signed_identity turns it into an
// identity; tls_identity_deinit frees that.
void tls_self_signed_init(struct tls_self_signed *out_entity, enum ekb_key_type type, unsigned eku);
void tls_self_signed_deinit(struct tls_self_signed *entity);
struct ekb_identity tls_self_signed_identity(const struct tls_self_signed *entity);
void tls_identity_deinit(struct ekb_identity *identity);

// tls_with_broken_signature returns `chain` with the last byte of the leaf's signature changed.
struct ekb_chain *tls_with_broken_signature(const struct ekb_chain *chain);

#endif
