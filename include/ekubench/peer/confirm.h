// What counts as the server's verdict on a client's handshake.
//
// In TLS 1.3 a client's own handshake ends before the server has looked at the client's certificate
// (RFC 8446 section 2): only what the server sends afterwards tells. In a full handshake of TLS 1.2
// the server's Finished comes after it; in a resumed one the client's is the last, and a client
// that resets the connection then may take it back: it says goodbye instead, and waits for what
// comes. Pure.

#ifndef EKUBENCH_PEER_CONFIRM_H
#define EKUBENCH_PEER_CONFIRM_H

#include "ekubench/base/err.h"
#include "ekubench/tls/endpoint.h"

#include <stdbool.h>

enum ekb_confirm {
    EKB_CONFIRM_FIRST,  // Whichever of byte, ticket and close comes first; in TLS 1.2 the end of
                        // a full handshake, which is a verdict there.
    EKB_CONFIRM_BYTE,   // The first byte of application data.
    EKB_CONFIRM_TICKET, // The first ticket.
    EKB_CONFIRM_CLOSE,  // The server's close in order (close_notify).
    EKB_CONFIRM_HTTP,   // The status of the answer to a request: 400, 401, 403, 495 and 496 refuse
                        // the client, as servers do that judge certificates after the handshake.
    EKB_CONFIRM_NONE,   // Nothing: the end of the client's own handshake counts. In TLS 1.3 the
                        // server may still reject.
    EKB_CONFIRM_NUM
};

// ekb_confirm_name returns "first", "byte", ...; ekb_confirm_parse reads one back or returns
// EKB_USAGE.
const char *ekb_confirm_name(enum ekb_confirm confirm);
EKB_NODISCARD enum ekb_err ekb_confirm_parse(enum ekb_confirm *out_confirm, const char *text);

enum ekb_confirm_state {
    EKB_CONFIRM_STATE_WAITING,
    EKB_CONFIRM_STATE_ASK,  // The client has to send its request now.
    EKB_CONFIRM_STATE_PART, // The client has to say goodbye now; the end of the connection, in
                            // whatever way, confirms it.
    EKB_CONFIRM_STATE_ACCEPTED,
    EKB_CONFIRM_STATE_REFUSED,   // By the answer's status.
    EKB_CONFIRM_STATE_MALFORMED, // The answer is not HTTP.
};

// ekb_confirm_look says what the endpoint of a client, which has not failed, has come to. `asked`:
// the request, or the goodbye, has been written.
enum ekb_confirm_state ekb_confirm_look(enum ekb_confirm confirm,
                                        const struct ekb_endpoint *endpoint, bool asked);

#endif
