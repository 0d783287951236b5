// What the modules of the tls layer share.

#ifndef EKUBENCH_SRC_TLS_INTERNAL_H
#define EKUBENCH_SRC_TLS_INTERNAL_H

#include "ekubench/tls/config.h"
#include "ekubench/tls/endpoint.h"
#include "ekubench/tls/preferences.h"

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A certificate chain, leaf first, and its key, with references of their own.
struct ekb_credential {
    CRYPTO_BUFFER **certs;
    size_t num_certs;
    EVP_PKEY *key;
};

// What connections of a context may present, where that is not always the same.
struct ekb_credentials {
    size_t num;
    struct ekb_credential all[];
};

struct ekb_tls_config {
    SSL_CTX *context;
    enum ekb_role role;
    const char *sni; // Owned copy, or NULL.
    struct ekb_credentials
        *identities;            // A client's, of which each connection presents one; or NULL.
    struct ekb_flights flights; // Of a bare configuration, which has no context.
};

// ekb_tls_prefer sets groups, cipher suites and signature algorithms of the context. EKB_USAGE.
EKB_NODISCARD enum ekb_err ekb_tls_prefer(SSL_CTX *context,
                                          const struct ekb_tls_preferences *preferences,
                                          struct ekb_fail *reterr_fail);

// ekb_credentials_create makes credentials of complete identities; release them with
// ekb_credentials_destroy (NULL is legal). EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_credentials_create(struct ekb_credentials **out_credentials,
                                                  const struct ekb_identity *identities,
                                                  size_t num_identities);
void ekb_credentials_destroy(struct ekb_credentials *credentials);

// ekb_credential_present makes `ssl` present it; false if the library refuses it.
bool ekb_credential_present(SSL *ssl, const struct ekb_credential *credential);

// ekb_credentials_offer makes the server context present whichever of the credentials the client
// prefers. It takes ownership of them, whatever happens. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_credentials_offer(SSL_CTX *context,
                                                 struct ekb_credentials *credentials);

// ekb_endpoint_note_session is the context's callback for new sessions: it gives them to the
// endpoint of the connection.
int ekb_endpoint_note_session(SSL *ssl, SSL_SESSION *session);

// ekb_endpoint_ssl returns the library's object of the connection, NULL if there is none.
SSL *ekb_endpoint_ssl(const struct ekb_endpoint *endpoint);

// ekb_endpoint_note_message tells the endpoint of the connection of a handshake message.
void ekb_endpoint_note_message(const SSL *ssl, uint8_t type, bool sent);

// ekb_endpoint_note_ticket tells the endpoint of the connection that a ticket has come.
void ekb_endpoint_note_ticket(const SSL *ssl);

// ekb_endpoint_note_event is the context's info callback: it keeps the alerts of a connection.
void ekb_endpoint_note_event(const SSL *ssl, int type, int value);

// ekb_tls_look_at_message is the context's message callback: it counts tickets, and in TLS 1.3 it
// sends the alert that fits a peer whose key may not sign, at which the library then fails.
void ekb_tls_look_at_message(int is_write, int version, int content_type, const void *message,
                             size_t message_len, SSL *ssl, void *arg);

#endif
