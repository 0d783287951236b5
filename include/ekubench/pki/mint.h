// Minting: CA hierarchies and end-entity certificates, as public CAs make them (RFC 5280,
// CA/Browser Forum baseline requirements): version 3; subject and authority key identifiers in
// every certificate; basic constraints and key usage critical; CA: keyCertSign + cRLSign, leaf:
// digitalSignature (RSA also keyEncipherment); random serial numbers, always of sixteen bytes, so
// that no certificate is longer than another by chance; names in subjectAltName. Signed with
// SHA-256, by a P-384 CA with SHA-384.
//
// Nothing checks that a certificate makes sense under its CA: validity and extended key usages may
// stick out, because that is what is to be tested.

#ifndef EKUBENCH_PKI_MINT_H
#define EKUBENCH_PKI_MINT_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// `depth` everywhere = number of certificates above the leaf: 1 = signed by the root, 2 = one
// intermediate.
#define EKB_MINT_MAX_DEPTH 10

// A certification authority: certificate, key, and the chain above it up to its root. It does not
// change once made.
struct ekb_ca;

struct ekb_mint_ca {
    const char *common_name; // 1 to 64 characters of UTF-8. The organization is "ekubench".
    enum ekb_key_type key_type;
    unsigned eku;       // EKB_EKU_*; EKB_EKU_ABSENT: no extension, as roots have none.
    int64_t not_before; // Seconds since the epoch.
    int64_t not_after;  // Not before `not_before`; the last second that is valid.
};

struct ekb_mint_leaf {
    const char *common_name; // As above. It is the whole subject.
    enum ekb_key_type key_type;
    unsigned eku;
    int64_t not_before;
    int64_t not_after;
    // subjectAltName dNSName entries, host names or "*." and a host name; NULL if num_dns_names is
    // 0.
    const char *const *dns_names;
    size_t num_dns_names;
    // iPAddress entries, textual IPv4 or IPv6.
    const char *const *ip_addresses;
    size_t num_ip_addresses;
};

// ekb_ca_create_root makes a key and a self-signed CA. ekb_ca_create_intermediate makes one signed
// by `issuer`, which it does not keep. Release both with `ekb_ca_destroy` (NULL is legal).
// EKB_USAGE (name empty, too long or not UTF-8; validity reversed or not a date; EKB_EKU_OTHER;
// more than EKB_MINT_MAX_DEPTH CAs in a line), EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_ca_create_root(struct ekb_ca **out_ca,
                                              const struct ekb_mint_ca *spec,
                                              struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_ca_create_intermediate(struct ekb_ca **out_ca,
                                                      const struct ekb_ca *issuer,
                                                      const struct ekb_mint_ca *spec,
                                                      struct ekb_fail *reterr_fail);
void ekb_ca_destroy(struct ekb_ca *ca);

// ekb_ca_certificate returns the CA's own certificate as a chain of one, borrowed from `ca`.
const struct ekb_chain *ekb_ca_certificate(const struct ekb_ca *ca);

// ekb_mint_self_signed makes a key and a certificate for it that is signed with it: a leaf without
// a CA, which nobody trusts by itself. It has no key usage: with one that does not let it sign
// certificates, verification takes it for a certificate whose issuer is missing. As ekb_ca_issue.
EKB_NODISCARD enum ekb_err ekb_mint_self_signed(struct ekb_chain **out_chain,
                                                struct ekb_key **out_key,
                                                const struct ekb_mint_leaf *spec,
                                                struct ekb_fail *reterr_fail);

// ekb_ca_issue makes a key and a certificate for it, signed by `ca`. `*out_chain` is newly
// allocated: the leaf, then the intermediates up to but without the root; `*out_key` newly
// allocated. EKB_USAGE as above, or if a name or address is malformed; EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_ca_issue(struct ekb_chain **out_chain, struct ekb_key **out_key,
                                        const struct ekb_ca *ca, const struct ekb_mint_leaf *spec,
                                        struct ekb_fail *reterr_fail);

// ekb_mint_is_dns_name is true if `name` is a host name, or "*." and a host name (RFC 1123, RFC
// 6125).
bool ekb_mint_is_dns_name(const char *name);

#endif
