// What config and endpoint share inside the tls layer.

#ifndef EKUBENCH_SRC_TLS_INTERNAL_H
#define EKUBENCH_SRC_TLS_INTERNAL_H

#include "ekubench/tls/config.h"

#include <openssl/ssl.h>

struct ekb_tls_config {
    SSL_CTX *context;
    enum ekb_role role;
    const char *sni;            // Owned copy, or NULL.
    struct ekb_flights flights; // Of a bare configuration, which has no context.
};

// ekb_endpoint_note_event is the context's info callback: it keeps the alerts of a connection.
void ekb_endpoint_note_event(const SSL *ssl, int type, int value);

#endif
