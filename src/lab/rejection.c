#include "ekubench/lab/rejection.h"

#include "ekubench/pki/cert.h"

#include <stddef.h>

// What is known of a rejection.
enum {
    UNASKED = 1 << 0,        // No certificate was asked for, as far as it came.
    EMPTY = 1 << 1,          // One was asked for, and none presented.
    PRESENTED = 1 << 2,      // One was presented,
    NO_CLIENT_AUTH = 1 << 3, // which has usages, and clientAuth is not among them;
    NO_SERVER_AUTH = 1 << 4, // likewise serverAuth;
    SELF_SIGNED = 1 << 5,
    EXPIRED = 1 << 6,
    ONE_STORE = 1 << 7,
    TWO_STORES = 1 << 8,
};

#define ANY_ALERT (-2)

// Alerts (RFC 8446 section 6, RFC 5246 section 7.2).
enum {
    HANDSHAKE_FAILURE = 40,
    BAD_CERTIFICATE = 42,
    UNSUPPORTED_CERTIFICATE = 43,
    CERTIFICATE_REVOKED = 44,
    CERTIFICATE_EXPIRED = 45,
    CERTIFICATE_UNKNOWN = 46,
    UNKNOWN_CA = 48,
    ACCESS_DENIED = 49,
    DECRYPT_ERROR = 51,
    PROTOCOL_VERSION = 70,
    INSUFFICIENT_SECURITY = 71,
    INTERNAL_ERROR = 80,
    UNRECOGNIZED_NAME = 112,
};

#define NOTHING_IN_COMMON                                                                          \
    "the server shares no cipher suite, group or signature algorithm with the node, or has no "    \
    "certificate for any: look at what it is set to offer"
#define WANTS_CLIENT_AUTH                                                                          \
    "the server verifies the node's certificate for clientAuth, and it is for serverAuth or "      \
    "others only: "
#define UPLOAD_TWO                                                                                 \
    "upload one with clientAuth to the client store (`ekubench store upload client`), or set the " \
    "server's EKU checking mode to off"
#define UPLOAD_ONE                                                                                 \
    "have the certificate issued with clientAuth too, set the server's EKU checking mode to off, " \
    "or upgrade to X15.5, which has a client store"
#define UNTRUSTED                                                                                  \
    "the server does not trust the CA of the node's certificate: add its root to the server's "    \
    "trusted CA list, and upload the certificate with its intermediates"
#define SELF "the node's certificate is signed by itself: have a CA that the server trusts issue it"
#define OUT_OF_TIME                                                                                \
    "the node's certificate is not valid at this time: look at the clock; if it is right, renew "  \
    "the certificate"

// The first row that fits: its alert or any, and all of its facts.
static const struct {
    int alert;
    unsigned facts;
    const char *hint;
} hints[] = {
    {HANDSHAKE_FAILURE, UNASKED, NOTHING_IN_COMMON},
    {INSUFFICIENT_SECURITY, UNASKED, NOTHING_IN_COMMON},
    {PROTOCOL_VERSION, UNASKED,
     "the server takes no TLS version that was offered: 1.2 and 1.3 with --tls any, older ones "
     "never"},
    {UNRECOGNIZED_NAME, UNASKED, "the server goes by another name: give that one as --name"},
    {INTERNAL_ERROR, UNASKED, "the server failed by itself: look at its log"},
    {EKB_REJECTION_HUNG_UP, UNASKED,
     "the server ended the connection before it asked for a certificate: look at its log"},
    {ANY_ALERT, UNASKED,
     "the server ended the handshake before it asked for a certificate: look at its log"},

    {ANY_ALERT, EMPTY | TWO_STORES,
     "the server wants a client certificate, and none was presented: upload one with clientAuth to "
     "the client store (`ekubench store upload client`)"},
    {ANY_ALERT, EMPTY,
     "the server wants a client certificate, and none was presented: upload one with serverAuth "
     "and clientAuth, which is for both roles before X15.5 (`ekubench store upload server`)"},

    {UNSUPPORTED_CERTIFICATE, NO_CLIENT_AUTH | TWO_STORES, WANTS_CLIENT_AUTH UPLOAD_TWO},
    {UNSUPPORTED_CERTIFICATE, NO_CLIENT_AUTH, WANTS_CLIENT_AUTH UPLOAD_ONE},
    {UNSUPPORTED_CERTIFICATE, NO_SERVER_AUTH,
     "the server verifies the node's certificate for serverAuth, as with EKU checking mode off, "
     "and it has clientAuth only: have one issued with both, or set the mode to on"},
    {UNSUPPORTED_CERTIFICATE, PRESENTED,
     "the server does not take the kind of the node's certificate, though its usages are right: "
     "look at its key, its key usage (digitalSignature), and the usages of its intermediates"},
    {UNKNOWN_CA, SELF_SIGNED, SELF},
    {UNKNOWN_CA, PRESENTED, UNTRUSTED},
    {CERTIFICATE_EXPIRED, EXPIRED, OUT_OF_TIME},
    {CERTIFICATE_EXPIRED, PRESENTED,
     "the node's certificate is valid by the clock of this machine: look at the server's clock, at "
     "the intermediates, and at the CRLs of the server"},
    {CERTIFICATE_REVOKED, PRESENTED,
     "the CA has revoked the node's certificate, or one above it: have a new one issued"},
    {DECRYPT_ERROR, PRESENTED,
     "the server cannot verify a signature, of the node or in its chain: see that key and chain "
     "belong to the certificate (`ekubench verify`)"},
    {ACCESS_DENIED, PRESENTED,
     "the server takes the certificate, and still does not let its holder in: look at its access "
     "rules"},
    {INTERNAL_ERROR, PRESENTED, "the server failed by itself: look at its log"},

    // What servers send for several reasons: the nearest that the certificate gives.
    {ANY_ALERT, EXPIRED, OUT_OF_TIME},
    {ANY_ALERT, NO_CLIENT_AUTH | TWO_STORES,
     "the node's certificate has no clientAuth, which servers verify: " UPLOAD_TWO},
    {ANY_ALERT, NO_CLIENT_AUTH,
     "the node's certificate has no clientAuth, which servers verify: " UPLOAD_ONE},
    {ANY_ALERT, SELF_SIGNED, SELF},
    {BAD_CERTIFICATE, PRESENTED,
     "the server cannot use the node's certificate: see that its names are those that the server "
     "expects (TLS verify name), and that its chain is whole (`ekubench verify`)"},
    {CERTIFICATE_UNKNOWN, PRESENTED,
     "the server does not take the node's certificate and does not say why, most often since it "
     "does not trust the CA: see that the root is in its trusted CA list, and look at its log"},
    {HANDSHAKE_FAILURE, PRESENTED,
     "the server does not take the node's certificate and does not say why: see that it trusts the "
     "CA and takes the kind of key, and look at its log"},
    {EKB_REJECTION_HUNG_UP, PRESENTED,
     "the server ended the connection after the node's certificate had come, and did not say why: "
     "see that it trusts the CA, and look at its log"},
    {ANY_ALERT, 0,
     "the server ended the handshake after the node's certificate had come: look at its log"},
};

// facts_of returns what is known of `rejection`.
static unsigned facts_of(const struct ekb_rejection *rejection)
{
    unsigned facts = rejection->two_stores ? TWO_STORES : ONE_STORE;
    if (!rejection->presented) {
        return facts | (rejection->asked ? EMPTY : UNASKED);
    }
    facts |= PRESENTED;
    if (rejection->eku != EKB_EKU_ABSENT) {
        facts |= (rejection->eku & EKB_EKU_CLIENT_AUTH) == 0 ? NO_CLIENT_AUTH : 0;
        facts |= (rejection->eku & EKB_EKU_SERVER_AUTH) == 0 ? NO_SERVER_AUTH : 0;
    }
    facts |= rejection->self_signed ? SELF_SIGNED : 0;
    facts |= rejection->expired ? EXPIRED : 0;
    return facts;
}

const char *ekb_rejection_hint(const struct ekb_rejection *rejection)
{
    const unsigned facts = facts_of(rejection);
    size_t i = 0;
    // The last row fits all.
    while ((hints[i].alert != ANY_ALERT && hints[i].alert != rejection->alert) ||
           (hints[i].facts & facts) != hints[i].facts) {
        i++;
    }
    return hints[i].hint;
}
