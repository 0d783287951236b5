// Certificate signing requests (PKCS #10, RFC 2986).

#ifndef EKUBENCH_PKI_CSR_H
#define EKUBENCH_PKI_CSR_H

#include "ekubench/base/err.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/key.h"

#include <stddef.h>

struct ekb_csr_spec {
    const char *common_name;      // 1 to 64 characters of UTF-8.
    const char *organization;     // Or NULL.
    unsigned eku;                 // EKB_EKU_* asked for; EKB_EKU_ABSENT: none.
    const char *const *dns_names; // NULL if num_dns_names is 0.
    size_t num_dns_names;
    const char *const *ip_addresses;
    size_t num_ip_addresses;
};

// What a request asks for. Zeroed: nothing.
struct ekb_csr_description {
    char subject[256];      // As in struct ekb_description.
    struct ekb_texts names; // As of ekb_chain_names.
};

// ekb_csr_create makes a request for `key`, signed with it, as PEM text: newly allocated, free it
// with `free`. EKB_USAGE if a name is malformed, EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_csr_create(char **out_pem, const struct ekb_key *key,
                                          const struct ekb_csr_spec *spec,
                                          struct ekb_fail *reterr_fail);

// ekb_csr_describe says what the PEM text asks for; release it with `ekb_csr_description_deinit`.
// EKB_PARSE if it is no request or its signature is bad, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_csr_describe(struct ekb_csr_description *out_description,
                                            const char *pem, struct ekb_fail *reterr_fail);
void ekb_csr_description_deinit(struct ekb_csr_description *description);

#endif
