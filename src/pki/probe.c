#include "ekubench/pki/probe.h"

#include <openssl/mem.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stddef.h>

#define MAX_CERTIFICATES 10

static uint64_t time_purpose(X509 *x509, int is_ca, const struct ekb_clock *clock, uint32_t repeats)
{
    // The result must be used, or there is nothing to time.
    volatile int sink = 0;
    const uint64_t begin_ns = ekb_clock_now(clock);
    for (uint32_t i = 0; i < repeats; i++) {
        sink += X509_check_purpose(x509, X509_PURPOSE_SSL_CLIENT, is_ca);
    }
    return ekb_clock_now(clock) - begin_ns;
}

// time_parse parses the certificate anew, and has its extensions read: the first look at a purpose
// does that, in every EKU mode.
static uint64_t time_parse(X509 *x509, const struct ekb_clock *clock)
{
    uint8_t *der = NULL;
    const int der_len = i2d_X509(x509, &der);
    if (der_len <= 0) {
        return 0;
    }
    const uint8_t *rest = der;
    const uint64_t begin_ns = ekb_clock_now(clock);
    X509 *parsed = d2i_X509(NULL, &rest, der_len);
    if (parsed != NULL) {
        (void)X509_check_purpose(parsed, -1, 0);
    }
    const uint64_t spent_ns = ekb_clock_now(clock) - begin_ns;
    X509_free(parsed);
    OPENSSL_free(der);
    return spent_ns;
}

void ekb_probe_measure(struct ekb_probe_sample *out_sample, void *chain,
                       const struct ekb_clock *clock, uint32_t repeats)
{
    X509_STORE_CTX *context = chain;
    const STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(context);
    const size_t num_sent = sk_X509_num(sent);
    *out_sample = (struct ekb_probe_sample){.repeats = repeats};
    if (num_sent == 0) {
        return;
    }
    X509 *leaf = sk_X509_value(sent, 0);
    (void)time_purpose(leaf, 0, clock, 0); // The clock's first look.
    out_sample->empty_ns = time_purpose(leaf, 0, clock, 0);
    for (size_t i = 0; i < num_sent && i < MAX_CERTIFICATES; i++) {
        X509 *x509 = sk_X509_value(sent, i);
        out_sample->first_ns += time_purpose(x509, i > 0 ? 1 : 0, clock, 1);
        out_sample->purpose_ns += time_purpose(x509, i > 0 ? 1 : 0, clock, 1);
        out_sample->parse_ns += time_parse(x509, clock);
        out_sample->num_checked++;
    }
    out_sample->repeats_ns = time_purpose(leaf, 0, clock, repeats);
}
