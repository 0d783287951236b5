#include "pki/pki_internal.h"

#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <string.h>

// has_no_host_name is true if there are names in subjectAltName, and none is of a host.
static bool has_no_host_name(X509 *leaf)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool none = names != NULL;
    for (size_t i = 0; i < sk_GENERAL_NAME_num(names) && none; i++) {
        const int type = sk_GENERAL_NAME_value(names, i)->type;
        none = type != GEN_DNS && type != GEN_IPADD;
    }
    GENERAL_NAMES_free(names);
    return none;
}

// is_constrained is true if a CA of the chain constrains names. That the library applies to
// subjectAltName, or, if there is none, has it refuse a common name that looks like a host's.
static bool is_constrained(const STACK_OF(X509) * chain)
{
    for (size_t i = 1; i < sk_X509_num(chain); i++) {
        if (X509_get_ext_by_NID(sk_X509_value(chain, i), NID_name_constraints, -1) >= 0) {
            return true;
        }
    }
    return false;
}

// has_common_name compares as the library does where there is no subjectAltName, by showing it a
// certificate that has none.
static bool has_common_name(X509 *leaf, const char *host)
{
    X509 *bare = X509_dup(leaf);
    bool has = false;
    if (bare != NULL) {
        const int at = X509_get_ext_by_NID(bare, NID_subject_alt_name, -1);
        X509_EXTENSION_free(at >= 0 ? X509_delete_ext(bare, at) : NULL);
        has = X509_check_host(bare, host, strlen(host), 0, NULL) == 1;
    }
    X509_free(bare);
    return has;
}

bool ekb_pki_common_name_counts(const STACK_OF(X509) * chain, const char *host)
{
    X509 *leaf = sk_X509_value(chain, 0);
    const bool counts =
        has_no_host_name(leaf) && !is_constrained(chain) && has_common_name(leaf, host);
    ERR_clear_error();
    return counts;
}
