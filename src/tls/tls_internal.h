// What config and endpoint share inside the tls layer.

#ifndef EKUBENCH_SRC_TLS_INTERNAL_H
#define EKUBENCH_SRC_TLS_INTERNAL_H

#include "ekubench/tls/config.h"

#include <openssl/ssl.h>

#include <stddef.h>

struct ekb_tls_config {
    SSL_CTX *context;
    enum ekb_role role;
    const char *sni;            // Owned copy, or NULL.
    struct ekb_flights flights; // Of a bare configuration, which has no context.
};

// ekb_endpoint_note_event is the context's info callback: it keeps the alerts of a connection.
void ekb_endpoint_note_event(const SSL *ssl, int type, int value);

// ekb_tls_look_at_message is the context's message callback: in TLS 1.3 it sends the alert that
// fits a peer whose key may not sign, at which the library then fails.
void ekb_tls_look_at_message(int is_write, int version, int content_type, const void *message,
                             size_t message_len, SSL *ssl, void *arg);

#endif
