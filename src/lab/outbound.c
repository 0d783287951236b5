#include "ekubench/lab/outbound.h"

#include "ekubench/pki/verify.h"

#include <stdio.h>
#include <string.h>

#define ECDSA_SIGNATURES                                                                           \
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519"
#define RSA_SIGNATURES                                                                             \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pkcs1_sha256:"                \
    "rsa_pkcs1_sha384:rsa_pkcs1_sha512"
// All that the library has of either kind, but for Triple-DES, which no node offers: who looks at a
// server wants to see its certificate, however old its suites are. The best first; without forward
// secrecy last.
#define ECDSA_CIPHERS                                                                              \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"   \
    "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
#define RSA_CIPHERS                                                                                \
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:"         \
    "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA:"                                                   \
    "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA"
// An ECDSA key's curve has to be among them in TLS 1.2.
#define GROUPS EKB_TLS_GROUPS ":P-521"

struct ekb_tls_preferences ekb_outbound_preferences(bool ecdsa_first)
{
    struct ekb_tls_preferences preferences = {.groups = GROUPS};
    preferences.signatures =
        ecdsa_first ? ECDSA_SIGNATURES ":" RSA_SIGNATURES : RSA_SIGNATURES ":" ECDSA_SIGNATURES;
    preferences.ciphers =
        ecdsa_first ? ECDSA_CIPHERS ":" RSA_CIPHERS : RSA_CIPHERS ":" ECDSA_CIPHERS;
    return preferences;
}

struct ekb_tls_preferences ekb_outbound_only(bool ecdsa)
{
    return (struct ekb_tls_preferences){.groups = GROUPS,
                                        .signatures = ecdsa ? ECDSA_SIGNATURES : RSA_SIGNATURES,
                                        .ciphers = ecdsa ? ECDSA_CIPHERS : RSA_CIPHERS};
}

// verify judges the chain by `options`, and perhaps its name.
static enum ekb_err verify(struct ekb_outbound_verdict *verdict,
                           const struct ekb_verify_options *options, const struct ekb_chain *chain,
                           struct ekb_fail *reterr_fail)
{
    struct ekb_verify_outcome outcome;
    const enum ekb_err err = ekb_verify_once(&outcome, options, chain, reterr_fail);
    if (err == EKB_OK) {
        *verdict = (struct ekb_outbound_verdict){.err = outcome.err, .depth = outcome.depth};
        memcpy(verdict->subject, outcome.subject, sizeof verdict->subject);
    }
    return err;
}

enum ekb_err ekb_outbound_judge(struct ekb_outbound_verdict *out_verdict,
                                const struct ekb_chain *chain, const struct ekb_chain *trust,
                                const char *name, const int64_t *at, struct ekb_fail *reterr_fail)
{
    struct ekb_verify_options options = {
        .trust = trust, .policy = ekb_policy_default(), .anchor = EKB_ANCHOR_ROOT, .at = at};
    options.policy.eku = EKB_EKU_OFF;
    enum ekb_err err = verify(out_verdict, &options, chain, reterr_fail);
    if (err != EKB_OK || out_verdict->err != EKB_OK) {
        return err;
    }
    if (ekb_name_parse(&options.policy.name, name) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\" is no name", name);
    }
    err = verify(out_verdict, &options, chain, reterr_fail);
    out_verdict->is_name = out_verdict->err != EKB_OK;
    return err;
}

const char *ekb_outbound_log(char out_text[EKB_OUTBOUND_LOG_LEN],
                             const struct ekb_outbound_verdict *verdict, const char *server,
                             const char *address)
{
    if (verdict->err == EKB_OK) {
        out_text[0] = '\0';
    } else if (verdict->is_name) {
        (void)snprintf(out_text, EKB_OUTBOUND_LOG_LEN,
                       "WARNING: SNI (%s) not in certificate. Action=Terminate server=%s(%s)\n",
                       server, server, address);
    } else {
        (void)snprintf(out_text, EKB_OUTBOUND_LOG_LEN,
                       "WARNING: Core server certificate verification failed for (%s). "
                       "Action=Terminate Error=%s server=%s(%s) depth=%d\n"
                       "ERROR: SSL connection failed for '%s': certificate verify failed\n",
                       server, ekb_err_sentence(verdict->err), server, address,
                       verdict->depth >= 0 ? verdict->depth : 0, server);
    }
    return out_text;
}

#define UNKNOWN_CA                                                                                 \
    "add the root of the server's chain to the trusted CA list (`ekubench store trust add`), and " \
    "have the server send its intermediates"
#define CLOCK "look at the clock; if it is right, renew the certificate"

static const struct {
    enum ekb_err err;
    const char *hint;
} hints[] = {
    {EKB_VERIFY_SELF_SIGNED_LEAF,
     "the server's certificate is signed by itself: have a CA of the trusted list issue it"},
    {EKB_VERIFY_NO_LOCAL_ISSUER, UNKNOWN_CA},
    {EKB_VERIFY_NO_ISSUER, UNKNOWN_CA},
    {EKB_VERIFY_LEAF_SIGNATURE, UNKNOWN_CA},
    {EKB_VERIFY_SELF_SIGNED_IN_CHAIN, UNKNOWN_CA},
    {EKB_VERIFY_UNTRUSTED, UNKNOWN_CA},
    {EKB_VERIFY_EXPIRED, CLOCK},
    {EKB_VERIFY_NOT_YET_VALID, CLOCK},
    {EKB_VERIFY_PURPOSE,
     "the certificate is not for servers: have it issued with serverAuth, and, if it has key "
     "usages, with digitalSignature"},
};

const char *ekb_outbound_hint(const struct ekb_outbound_verdict *verdict)
{
    if (verdict->err == EKB_OK) {
        return "";
    }
    if (verdict->is_name) {
        return "connect by a name that is in the certificate's SANs, or have the certificate "
               "issued with this one in them";
    }
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (hints[i].err == verdict->err) {
            return hints[i].hint;
        }
    }
    return "have the certificate issued anew; `ekubench verify` says more of it";
}
