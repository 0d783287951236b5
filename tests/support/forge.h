// Certificates that nobody would issue, for tests of what judges certificates. What cannot be made
// fails the test.

#ifndef EKUBENCH_TESTS_SUPPORT_FORGE_H
#define EKUBENCH_TESTS_SUPPORT_FORGE_H

#include "ekubench/pki/cert.h"

#include <openssl/base.h>

#include <stdbool.h>
#include <stdint.h>

// What is in it. NULL: no such extension, no such part of the name. The texts of extensions are
// those of OpenSSL's configuration files.
struct forgery {
    const char *subject; // Common names.
    const char *issuer;
    const char *email; // emailAddress in the subject.
    const char *basic_constraints;
    const char *key_usage;
    const char *eku;
    const char *names; // subjectAltName.
    const char *name_constraints;
    bool is_v1;
    long serial;        // 0: another one each time.
    int64_t not_before; // 0: FIXTURE_NOT_BEFORE, FIXTURE_NOT_AFTER.
    int64_t not_after;
};

// forge returns a certificate for `key`, signed by `issuer_key` (with SHA-256, if it is not an
// Ed25519 key), as a chain of one.
struct ekb_chain *forge(const struct forgery *forgery, EVP_PKEY *key, EVP_PKEY *issuer_key);

// forge_key returns a new P-256 key.
EVP_PKEY *forge_key(void);

#endif
