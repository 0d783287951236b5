// Errors.
//
// Every fallible function of the library returns `enum ekb_err`; `EKB_OK` is 0. One table,
// `EKB_ERR_TABLE`, gives each code its stable short name (the key under which results count
// failures; never renamed) and a sentence for people. Detail that only a cold path needs (errno,
// alert, library text) travels in a `struct ekb_fail`, which every taker may pass as NULL.
//
// This module prints nothing and keeps no state.

#ifndef EKUBENCH_BASE_ERR_H
#define EKUBENCH_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__GNUC__)
#define EKB_NODISCARD __attribute__((warn_unused_result))
#define EKB_PRINTF(fmt_index, args_index) __attribute__((format(printf, fmt_index, args_index)))
#define EKB_NORETURN __attribute__((noreturn))
#else
#define EKB_NODISCARD
#define EKB_PRINTF(fmt_index, args_index)
#define EKB_NORETURN
#endif

// clang-format off
// EKB_ERR_TABLE(X) expands X(NAME, short_name, sentence) once for each code, ordered by origin:
// our own, the system, the connection, TLS, certificate verification.
#define EKB_ERR_TABLE(X)                                                                           \
    X(OK,                        "ok",                        "no error")                          \
    /* Our own. */                                                                                 \
    X(USAGE,                     "usage",                     "the request is malformed")          \
    X(NOMEM,                     "out_of_memory",             "out of memory")                     \
    X(PARSE,                     "parse",                     "the input cannot be parsed")        \
    X(TOO_BIG,                   "too_big",                   "the input is larger than allowed")  \
    X(NOT_FOUND,                 "not_found",                 "something that is needed is missing") \
    X(KEY_MISMATCH,              "key_mismatch",              "the private key does not belong to the certificate") \
    X(UNSUPPORTED,               "unsupported",               "this is not supported")             \
    X(EXISTS,                    "exists",                    "it exists already")                 \
    X(LOCKED,                    "locked",                    "somebody else is changing it")       \
    X(NEED_PASSWORD,             "need_password",             "the password is wrong or missing")  \
    X(STOPPED,                   "stopped",                   "stopped on request")                \
    X(WORKER_DIED,               "worker_died",               "a worker process ended unexpectedly") \
    X(DISTURBED,                 "disturbed",                 "the machine was disturbed: there is no valid answer") \
    X(INTERNAL,                  "internal",                  "an internal error")                 \
    /* The upload gate; the detail is the whole sentence (store/gate). */                           \
    X(REFUSED_USAGE,             "refused_usage",             "the certificate lacks the usage of the store") \
    X(REFUSED_KEY,               "refused_key",               "the certificate's key is weak or of a kind that is not taken") \
    X(REFUSED_EXPIRED,           "refused_expired",           "the certificate has expired")       \
    X(REFUSED_CHAIN,             "refused_chain",             "the certificates make no chain")    \
    X(REFUSED_CA,                "refused_ca",                "the certificate is not a CA's")     \
    X(REFUSED_DUPLICATE,         "refused_duplicate",         "the certificate is there already")  \
    X(REFUSED_PENDING,           "refused_pending",           "a signing request is pending")      \
    /* The system. */                                                                              \
    X(SYSTEM,                    "system",                    "a system call failed")              \
    X(PERMISSION,                "permission",                "permission denied")                 \
    X(NO_IO_URING,               "no_io_uring",               "io_uring cannot be used here")      \
    X(DESCRIPTORS,               "descriptors",               "too few file descriptors are allowed") \
    X(ADDRESS_IN_USE,            "address_in_use",            "the address is in use")             \
    X(RING_OVERFLOW,             "ring_overflow",             "the completion queue overflowed")   \
    /* The connection. */                                                                          \
    X(CONNECT_REFUSED,           "connect_refused",           "nothing listens at that address")   \
    X(CONNECT_TIMEOUT,           "connect_timeout",           "the connection attempt timed out")  \
    X(CONNECT_UNREACHABLE,       "connect_unreachable",       "the address cannot be reached")     \
    X(CONNECT_NO_PORT,           "connect_no_port",           "no local port is free")             \
    X(CONNECT_FAILED,            "connect_failed",            "the connection could not be made")  \
    X(PEER_RESET,                "peer_reset",                "the peer reset the connection")     \
    X(PEER_CLOSED,               "peer_closed",               "the peer closed the connection too early") \
    X(DEADLINE,                  "deadline",                  "the handshake took longer than its deadline") \
    X(SERVER_FULL,               "server_full",               "the server holds as many connections as it may") \
    X(TRANSPORT,                 "transport",                 "sending or receiving failed")       \
    /* TLS. */                                                                                     \
    X(TLS_ALERT,                 "tls_alert",                 "the peer ended the handshake with an alert") \
    X(TLS_NOT_TLS,               "tls_not_tls",               "the peer does not speak TLS")       \
    X(TLS_VERSION,               "tls_version",               "no TLS version in common")          \
    X(TLS_NO_COMMON,             "tls_no_common_parameters",  "no cipher, group or signature algorithm in common") \
    X(TLS_NO_CERTIFICATE,        "tls_no_certificate",        "the peer sent no certificate")      \
    X(TLS_BAD_CERTIFICATE,       "tls_bad_certificate",       "the peer's certificate cannot be decoded or used") \
    X(TLS_BAD_SIGNATURE,         "tls_bad_signature",         "the peer does not hold its certificate's key") \
    X(TLS_BAD_RECORD,            "tls_bad_record",            "a record did not authenticate or was malformed") \
    X(TLS_PROTOCOL,              "tls_protocol",              "the peer broke the TLS protocol")   \
    X(TLS_INTERNAL,              "tls_internal",              "the TLS library failed")            \
    /* What follows the handshake. */                                                              \
    X(HTTP_REFUSED,              "http_refused",              "the server's HTTP answer refuses the client") \
    X(HTTP_MALFORMED,            "http_malformed",            "the server's answer is not HTTP")   \
    /* Certificate verification, one per X.509 verification result (pki/verdict). */               \
    X(VERIFY_UNSPECIFIED,        "verify_unspecified",        "unspecified certificate verification error") \
    X(VERIFY_NO_ISSUER,          "verify_no_issuer",          "unable to get issuer certificate")  \
    X(VERIFY_NO_CRL,             "verify_no_crl",             "unable to get certificate revocation list") \
    X(VERIFY_UNREADABLE_SIGNATURE, "verify_unreadable_signature", "unable to decrypt the certificate's or CRL's signature") \
    X(VERIFY_UNREADABLE_KEY,     "verify_unreadable_key",     "unable to decode issuer public key") \
    X(VERIFY_SIGNATURE,          "verify_signature",          "certificate signature failure")     \
    X(VERIFY_CRL_SIGNATURE,      "verify_crl_signature",      "certificate revocation list signature failure") \
    X(VERIFY_NOT_YET_VALID,      "verify_not_yet_valid",      "certificate is not yet valid")      \
    X(VERIFY_EXPIRED,            "verify_expired",            "certificate has expired")           \
    X(VERIFY_CRL_NOT_YET_VALID,  "verify_crl_not_yet_valid",  "certificate revocation list is not yet valid") \
    X(VERIFY_CRL_EXPIRED,        "verify_crl_expired",        "certificate revocation list has expired") \
    X(VERIFY_BAD_TIME,           "verify_bad_time",           "a time field of the certificate or CRL is malformed") \
    X(VERIFY_SELF_SIGNED_LEAF,   "verify_self_signed_leaf",   "self signed certificate")           \
    X(VERIFY_SELF_SIGNED_IN_CHAIN, "verify_self_signed_in_chain", "self signed certificate in certificate chain") \
    X(VERIFY_NO_LOCAL_ISSUER,    "verify_no_local_issuer",    "unable to get local issuer certificate") \
    X(VERIFY_LEAF_SIGNATURE,     "verify_leaf_signature",     "unable to verify the first certificate") \
    X(VERIFY_CHAIN_TOO_LONG,     "verify_chain_too_long",     "certificate chain too long")        \
    X(VERIFY_REVOKED,            "verify_revoked",            "certificate revoked")               \
    X(VERIFY_INVALID_CA,         "verify_invalid_ca",         "invalid CA certificate")            \
    X(VERIFY_PATH_LENGTH,        "verify_path_length",        "path length constraint exceeded")   \
    X(VERIFY_PURPOSE,            "verify_purpose",            "unsupported certificate purpose")   \
    X(VERIFY_UNTRUSTED,          "verify_untrusted",          "certificate not trusted")           \
    X(VERIFY_REJECTED,           "verify_rejected",           "certificate rejected")              \
    X(VERIFY_ISSUER_MISMATCH,    "verify_issuer_mismatch",    "issuer and subject, or their key identifiers, do not match") \
    X(VERIFY_CRL_ISSUER,         "verify_crl_issuer",         "the CRL's issuer, signing right or scope does not fit") \
    X(VERIFY_UNHANDLED_CRITICAL, "verify_unhandled_critical", "unhandled critical extension")      \
    X(VERIFY_INVALID_EXTENSION,  "verify_invalid_extension",  "invalid or inconsistent certificate extension") \
    X(VERIFY_POLICY,             "verify_policy",             "invalid or missing certificate policy") \
    X(VERIFY_NAME_CONSTRAINTS,   "verify_name_constraints",   "a name constraint is violated or unsupported") \
    X(VERIFY_HOSTNAME,           "verify_hostname",           "host name does not match the certificate") \
    X(VERIFY_EMAIL,              "verify_email",              "e-mail address does not match the certificate") \
    X(VERIFY_IP,                 "verify_ip",                 "IP address does not match the certificate") \
    X(VERIFY_APPLICATION,        "verify_application",        "the application refused the certificate") \
    X(VERIFY_INTERNAL,           "verify_internal",           "certificate verification failed internally")
// clang-format on

enum ekb_err {
#define EKB_ERR_ENUM(name, short_name, sentence) EKB_##name,
    EKB_ERR_TABLE(EKB_ERR_ENUM)
#undef EKB_ERR_ENUM
    // EKB_ERR_COUNT is the number of codes, for arrays indexed by code.
    EKB_ERR_COUNT
};

// A failure with the detail that a cold path can give. A zeroed one means no failure.
struct ekb_fail {
    enum ekb_err err;
    int sys_errno;     // errno of the failed system call, or 0.
    int verify_result; // X509_V_ERR_* as the library gave it, or 0.
    int verify_depth;  // Position of the offending certificate, 0 = leaf; -1 if unknown.
    int alert;         // Alert number sent or received, or -1 if there was none.
    char detail[512];  // What was being done to what: file, address, library text.
    bool is_said;      // The detail is the whole sentence (ekb_fail_say).
};

// ekb_err_name returns the stable short name of `err`, a string literal.
const char *ekb_err_name(enum ekb_err err);

// ekb_err_sentence returns a sentence (no capital, no full stop) about `err`, a string literal.
const char *ekb_err_sentence(enum ekb_err err);

// ekb_fail_set fills `*reterr_fail` with `err`, `sys_errno` (0 if none) and the formatted detail,
// and returns `err`, so that a caller can write `return ekb_fail_set(...)`. `reterr_fail` may be
// NULL.
enum ekb_err ekb_fail_set(struct ekb_fail *reterr_fail, enum ekb_err err, int sys_errno,
                          const char *format, ...) EKB_PRINTF(4, 5);

// ekb_fail_say is ekb_fail_set for a detail that says by itself what is wrong: ekb_fail_text adds
// nothing to it.
enum ekb_err ekb_fail_say(struct ekb_fail *reterr_fail, enum ekb_err err, const char *format, ...)
    EKB_PRINTF(3, 4);

// ekb_fail_text writes into `out_text` (of `text_len` bytes, always terminated) one line that says
// what went wrong: detail, sentence, and the system's reason, each if it adds something. A detail
// of ekb_fail_say, and one of EKB_USAGE, stands alone.
void ekb_fail_text(char *out_text, unsigned long text_len, const struct ekb_fail *fail);

// EKB_CHECK must hold in release builds too, because a wrong number is worse than a crash: clocks
// that run backwards, counts that do not add up. It prints the condition and aborts.
#define EKB_CHECK(condition)                                                                       \
    ((condition) ? (void)0 : ekb_check_failed(#condition, __FILE__, __LINE__))

EKB_NORETURN void ekb_check_failed(const char *condition, const char *file, int line);

#endif
