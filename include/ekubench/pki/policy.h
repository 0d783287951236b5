// Verification policy: what a TLS server asks of its clients' certificates.
//
// Pure data and pure functions; docs/domain.md section 3 has the rules in words. A policy is
// applied by pki/verify and, in TLS, by tls/config. It says nothing about trust (store).

#ifndef EKUBENCH_PKI_POLICY_H
#define EKUBENCH_PKI_POLICY_H

#include "ekubench/base/err.h"

#include <stdbool.h>

// EKU checking mode: what usage the client's certificate, and every untrusted intermediate that has
// an extended key usage extension, must allow. An absent extension allows every usage;
// anyExtendedKeyUsage alone satisfies neither `on` nor `off`. Certificates taken from the trusted
// CA list are not checked for usage.
enum ekb_eku_mode {
    EKB_EKU_ON,   // clientAuth: the default.
    EKB_EKU_OFF,  // serverAuth: the client check is bypassed, the server usage is still checked.
    EKB_EKU_NONE, // No usage at all: the baseline for measuring.
    EKB_EKU_NUM_MODES
};

// What a leaf without the extended key usage extension means to the modes `on` and `off`.
enum ekb_eku_absent {
    EKB_EKU_ABSENT_ACCEPT, // X.509's rule: it permits every usage.
    EKB_EKU_ABSENT_REJECT, // The extension is demanded.
    EKB_EKU_ABSENT_NUM
};

// Whether CRLs are consulted.
enum ekb_crl_mode {
    EKB_CRL_AUTO, // If the store has any.
    EKB_CRL_ON,   // A store without them is an error.
    EKB_CRL_OFF,
    EKB_CRL_NUM_MODES
};

// What the leaf must be named.
enum ekb_name_kind {
    EKB_NAME_NONE,  // Anything.
    EKB_NAME_DNS,   // A dNSName of subjectAltName, wildcards as RFC 6125 has them; the common name
                    // only if there is no dNSName and no iPAddress in subjectAltName.
    EKB_NAME_IP,    // An iPAddress of subjectAltName.
    EKB_NAME_EMAIL, // An rfc822Name of subjectAltName; the subject's emailAddress only if there is
                    // no subjectAltName.
    EKB_NAME_NUM_KINDS
};

// A DNS name has at most 253 characters.
#define EKB_NAME_LEN 254

struct ekb_name {
    enum ekb_name_kind kind;
    char text[EKB_NAME_LEN];
};

// How much of verification is done: the ladder whose rungs are measured.
enum ekb_verify_level {
    EKB_VERIFY_FULL,  // Chain, signatures, validity and usage.
    EKB_VERIFY_PARSE, // Certificate requested and parsed as X.509; nothing is verified but that the
                      // client holds the leaf's key.
    EKB_VERIFY_RAW, // Certificate requested; only the leaf's key is read, no X.509 object is made.
    EKB_VERIFY_ONE_WAY, // No certificate requested.
    EKB_VERIFY_NUM_LEVELS
};

// Whether a client must have the certificate for which it is asked. It says nothing about what the
// certificate is worth: one that is presented is judged as the rest of the policy says.
enum ekb_cert_mode {
    EKB_CERT_REQUIRED,
    EKB_CERT_OPTIONAL, // A client that has none is let in.
};

// The number of certificates above the leaf that a policy allows by default.
#define EKB_POLICY_DEFAULT_MAX_DEPTH 32

struct ekb_policy {
    enum ekb_eku_mode eku;
    enum ekb_verify_level verify;
    enum ekb_cert_mode cert; // At every level that asks for one.
    unsigned max_depth;      // Certificates above the leaf, the root included; 1 to INT_MAX.
    enum ekb_eku_absent eku_absent;
    enum ekb_crl_mode crl;
    struct ekb_name name;
};

// ekb_policy_default returns EKU mode on, full verification, the default depth.
struct ekb_policy ekb_policy_default(void);

// ekb_eku_mode_name returns "on", "off" or "none"; ekb_verify_level_name returns "full", "parse",
// "raw" or "one-way". The parsers read them back and return EKB_USAGE for anything else.
const char *ekb_eku_mode_name(enum ekb_eku_mode mode);
const char *ekb_verify_level_name(enum ekb_verify_level level);
EKB_NODISCARD enum ekb_err ekb_eku_mode_parse(enum ekb_eku_mode *out_mode, const char *text);
EKB_NODISCARD enum ekb_err ekb_verify_level_parse(enum ekb_verify_level *out_level,
                                                  const char *text);

// ekb_eku_absent_name returns "accept" or "reject"; ekb_eku_absent_parse reads one back
// (EKB_USAGE).
const char *ekb_eku_absent_name(enum ekb_eku_absent absent);
EKB_NODISCARD enum ekb_err ekb_eku_absent_parse(enum ekb_eku_absent *out_absent, const char *text);

// ekb_crl_mode_name returns "auto", "on" or "off"; ekb_crl_mode_parse reads one back (EKB_USAGE).
const char *ekb_crl_mode_name(enum ekb_crl_mode mode);
EKB_NODISCARD enum ekb_err ekb_crl_mode_parse(enum ekb_crl_mode *out_mode, const char *text);

// ekb_policy_equal is true if `a` and `b` ask for the same.
bool ekb_policy_equal(const struct ekb_policy *a, const struct ekb_policy *b);

// ekb_name_parse reads a name and finds its kind: an IP address (IPv6 with or without brackets), an
// e-mail address if it has an @, else a DNS name. EKB_USAGE if it is empty, too long, or has
// characters that no such name has.
EKB_NODISCARD enum ekb_err ekb_name_parse(struct ekb_name *out_name, const char *text);

// ekb_policy_purpose returns the library's purpose identifier (X509_PURPOSE_*) that makes it verify
// `mode`, and ekb_policy_trust the matching trust identifier (X509_TRUST_*; 0 = the library's
// default).
int ekb_policy_purpose(enum ekb_eku_mode mode);
int ekb_policy_trust(enum ekb_eku_mode mode);

// ekb_policy_library_depth returns the library's "verify depth" that allows `max_depth`
// certificates above the leaf: BoringSSL up to API version 28 counts the root, later ones do not.
int ekb_policy_library_depth(unsigned max_depth);

#endif
