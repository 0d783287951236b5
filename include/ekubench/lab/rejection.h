// Rejections: what to do where a server does not take the node that connects to it.
//
// A server says no more than an alert (RFC 8446 section 6.2), and servers differ in which. What the
// node had to present, and whether it came to that, tells which of the reasons it can have been.
// Pure data and pure functions; what a node makes of a server is lab/outbound's.

#ifndef EKUBENCH_LAB_REJECTION_H
#define EKUBENCH_LAB_REJECTION_H

#include <stdbool.h>

// The server has sent no alert, and closed or reset the connection.
#define EKB_REJECTION_HUNG_UP (-1)

struct ekb_rejection {
    int alert;        // Or EKB_REJECTION_HUNG_UP.
    bool asked;       // The server has asked for a certificate,
    bool presented;   // and the node has presented one. Of that one:
    unsigned eku;     // its usages (EKB_EKU_*);
    bool self_signed; // it is signed by itself;
    bool expired;     // its validity was over, or had not begun.
    bool two_stores;  // It is of a client store: the node has one.
};

// ekb_rejection_hint says what to do about `rejection`, as exactly as can be told; a string
// literal, never "".
const char *ekb_rejection_hint(const struct ekb_rejection *rejection);

#endif
