// IMPLEMENTATION NOTES
//
// In a handshake both sides sign with the key of their certificate, and the library sees that key
// usage, if there is any, allows it. In TLS 1.3 it looks before anything else of a certificate and
// sends "illegal parameter"; in TLS 1.2 it looks last and sends nothing. What fits is "unsupported
// certificate" (RFC 8446 section 6.2). Nothing of the library lets its alert be chosen there. But a
// connection sends one fatal alert only: in TLS 1.3 ours goes out when the message comes, before
// the library has looked into it; in TLS 1.2 after the library has failed (tls/endpoint).

#include "pki/pki_internal.h"
#include "tls/tls_internal.h"

#include <openssl/bytestring.h>
#include <openssl/ssl.h>

#include <stdbool.h>

// leaf_of finds the first certificate of a Certificate message of TLS 1.3 (RFC 8446 section 4.4.2).
static bool leaf_of(CBS *out_leaf, const uint8_t *message, size_t message_len)
{
    uint8_t type = 0;
    CBS cbs;
    CBS body;
    CBS context;
    CBS list;
    CBS_init(&cbs, message, message_len);
    return CBS_get_u8(&cbs, &type) == 1 && type == SSL3_MT_CERTIFICATE &&
           CBS_get_u24_length_prefixed(&cbs, &body) == 1 &&
           CBS_get_u8_length_prefixed(&body, &context) == 1 &&
           CBS_get_u24_length_prefixed(&body, &list) == 1 &&
           CBS_get_u24_length_prefixed(&list, out_leaf) == 1;
}

void ekb_tls_look_at_message(int is_write, int version, int content_type, const void *message,
                             size_t message_len, SSL *ssl, void *arg)
{
    const uint8_t *const bytes = message;
    CBS leaf;
    (void)arg;
    if (content_type != SSL3_RT_HANDSHAKE || message_len == 0) {
        return;
    }
    ekb_endpoint_note_message(ssl, bytes[0], is_write != 0);
    if (is_write != 0) {
        return;
    }
    if (bytes[0] == SSL3_MT_NEW_SESSION_TICKET) {
        ekb_endpoint_note_ticket(ssl);
    } else if (version == TLS1_3_VERSION && leaf_of(&leaf, message, message_len) &&
               !ekb_pki_may_sign(CBS_data(&leaf), CBS_len(&leaf))) {
        (void)SSL_send_fatal_alert(ssl, SSL_AD_UNSUPPORTED_CERTIFICATE);
    }
}
