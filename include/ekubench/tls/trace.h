// A trace: the handshake messages of one connection, in the order in which they went.

#ifndef EKUBENCH_TLS_TRACE_H
#define EKUBENCH_TLS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// More than any handshake has here; what is beyond is left out.
#define EKB_TLS_TRACE_MAX 32

struct ekb_tls_trace {
    struct {
        uint8_t type; // RFC 8446 section 4, RFC 5246 section 7.4.
        bool sent;    // Else received.
    } messages[EKB_TLS_TRACE_MAX];
    size_t num;
};

// What some are.
#define EKB_TLS_MESSAGE_CLIENT_HELLO 1
#define EKB_TLS_MESSAGE_SERVER_HELLO 2
#define EKB_TLS_MESSAGE_CERTIFICATE 11
#define EKB_TLS_MESSAGE_CERTIFICATE_REQUEST 13
#define EKB_TLS_MESSAGE_SERVER_HELLO_DONE 14
// Follows every client's certificate, and no empty list of them.
#define EKB_TLS_MESSAGE_CERTIFICATE_VERIFY 15
#define EKB_TLS_MESSAGE_FINISHED 20

// ekb_tls_message_name returns the name in the RFC ("ClientHello"), "message" if it is not known
// here.
const char *ekb_tls_message_name(uint8_t type);

// ekb_tls_trace_has is true if a message of that type was sent, or received.
bool ekb_tls_trace_has(const struct ekb_tls_trace *trace, uint8_t type, bool sent);

#endif
