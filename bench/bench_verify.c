// Certificate verification: a bare X509_verify_cert, the same through pki/verify, by depth, and
// with a CRL of the root; and what the upload gate takes for one certificate.

#include "bench.h"

#include "ekubench/base/clock.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/pki/verify.h"
#include "ekubench/store/gate.h"

#include <openssl/base.h>
#include <openssl/bytestring.h>
#include <openssl/pool.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define VERIFICATIONS_PER_ROUND 20
#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)

static const unsigned depths[] = {1, 2, 3, 5};
#define NUM_DEPTHS (sizeof depths / sizeof depths[0])

struct subject {
    struct ekb_hierarchy *hierarchy;
    struct ekb_chain *chain;
    struct ekb_key *key;
    // The same for the library alone.
    X509_STORE *store;
    STACK_OF(X509) * presented;
    struct ekb_verifier *verifier;
    struct ekb_crls *crls;
    struct ekb_verifier *with_crls;
};

static void need(bool condition)
{
    if (!condition) {
        (void)fputs("bench_verify: making the certificates failed\n", stderr);
        exit(3);
    }
}

static X509 *x509_of(const struct ekb_chain *chain, size_t index)
{
    size_t der_len = 0;
    const uint8_t *der = ekb_chain_der(chain, index, &der_len);
    X509 *x509 = d2i_X509(NULL, &der, (long)der_len);
    need(x509 != NULL);
    return x509;
}

static void make_with_crls(struct subject *subject, const struct ekb_verify_options *options,
                           int64_t now)
{
    const struct ekb_crl_spec spec = {.this_update = now - 3600, .next_update = now + 86400};
    struct ekb_verify_options with_crls = *options;
    subject->crls = ekb_crls_create();
    need(subject->crls != NULL);
    need(ekb_crls_issue(subject->crls, ekb_hierarchy_root_ca(subject->hierarchy), &spec, NULL) ==
         EKB_OK);
    with_crls.crls = subject->crls;
    need(ekb_verifier_create(&subject->with_crls, &with_crls, NULL) == EKB_OK);
}

static void make(struct subject *subject, unsigned depth)
{
    const int64_t now = (int64_t)time(NULL);
    const struct ekb_mint_leaf leaf = {.common_name = "bench", .eku = BOTH};
    need(ekb_hierarchy_create(&subject->hierarchy, EKB_KEY_P256, now - 3600, now + 86400, NULL) ==
         EKB_OK);
    need(ekb_hierarchy_issue(&subject->chain, &subject->key, subject->hierarchy, depth, &leaf,
                             NULL) == EKB_OK);
    subject->store = X509_STORE_new();
    subject->presented = sk_X509_new_null();
    need(subject->store != NULL && subject->presented != NULL);
    X509 *root = x509_of(ekb_hierarchy_root(subject->hierarchy), 0);
    need(X509_STORE_add_cert(subject->store, root) == 1);
    X509_free(root);
    for (size_t i = 0; i < ekb_chain_len(subject->chain); i++) {
        need(sk_X509_push(subject->presented, x509_of(subject->chain, i)) != 0);
    }
    const struct ekb_verify_options options = {.trust = ekb_hierarchy_root(subject->hierarchy),
                                               .policy = ekb_policy_default()};
    need(ekb_verifier_create(&subject->verifier, &options, NULL) == EKB_OK);
    make_with_crls(subject, &options, now);
}

static void release(struct subject *subject)
{
    ekb_verifier_destroy(subject->with_crls);
    ekb_crls_destroy(subject->crls);
    ekb_verifier_destroy(subject->verifier);
    sk_X509_pop_free(subject->presented, X509_free);
    X509_STORE_free(subject->store);
    ekb_chain_destroy(subject->chain);
    ekb_key_destroy(subject->key);
    ekb_hierarchy_destroy(subject->hierarchy);
}

static double run_bare(const struct subject *subject)
{
    const uint64_t begin_ns = ekb_clock_now_ns();
    for (int i = 0; i < VERIFICATIONS_PER_ROUND; i++) {
        X509_STORE_CTX *context = X509_STORE_CTX_new();
        need(X509_STORE_CTX_init(context, subject->store, sk_X509_value(subject->presented, 0),
                                 subject->presented) == 1);
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
        need(X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) == 1);
        need(X509_verify_cert(context) == 1);
        X509_STORE_CTX_free(context);
    }
    return (double)(ekb_clock_now_ns() - begin_ns) / VERIFICATIONS_PER_ROUND / 1e3;
}

static double run_ours(const struct subject *subject, const struct ekb_verifier *verifier)
{
    const uint64_t begin_ns = ekb_clock_now_ns();
    for (int i = 0; i < VERIFICATIONS_PER_ROUND; i++) {
        struct ekb_verify_outcome outcome;
        need(ekb_verifier_check(verifier, subject->chain, &outcome, NULL) == EKB_OK);
        need(outcome.err == EKB_OK);
    }
    return (double)(ekb_clock_now_ns() - begin_ns) / VERIFICATIONS_PER_ROUND / 1e3;
}

static double run_gate(const struct subject *subject)
{
    struct ekb_chain *sorted = NULL;
    struct ekb_gate_warning warning;
    const uint64_t begin_ns = ekb_clock_now_ns();
    need(ekb_gate_sort(&sorted, subject->chain, NULL) == EKB_OK);
    need(ekb_gate_check_chain(EKB_STORE_CLIENT, sorted, (int64_t)time(NULL), &warning, NULL) ==
         EKB_OK);
    need(ekb_gate_check_key(sorted, subject->key, NULL) == EKB_OK);
    const uint64_t spent_ns = ekb_clock_now_ns() - begin_ns;
    ekb_chain_destroy(sorted);
    return (double)spent_ns / 1e3;
}

static void measure(unsigned depth, size_t num_rounds)
{
    static double bare[BENCH_MAX_ROUNDS];
    static double ours[BENCH_MAX_ROUNDS];
    static double ratio[BENCH_MAX_ROUNDS];
    static double crl[BENCH_MAX_ROUNDS];
    static double gate[BENCH_MAX_ROUNDS];
    struct subject subject = {0};
    make(&subject, depth);
    for (size_t round = 0; round < num_rounds; round++) {
        // Who comes first changes, so that a drift of the machine falls on both.
        if (round % 2 == 0) {
            bare[round] = run_bare(&subject);
            ours[round] = run_ours(&subject, subject.verifier);
        } else {
            ours[round] = run_ours(&subject, subject.verifier);
            bare[round] = run_bare(&subject);
        }
        ratio[round] = ours[round] / bare[round];
        crl[round] = depth == 1 ? run_ours(&subject, subject.with_crls) : 0;
        gate[round] = run_gate(&subject);
    }
    (void)printf("%5u %10.2f %12.2f %8.3f %12.2f\n", depth, bench_median(bare, num_rounds),
                 bench_median(ours, num_rounds), bench_median(ratio, num_rounds),
                 bench_median(gate, num_rounds));
    if (depth == 1) { // Deeper chains would need lists of the CAs between.
        (void)printf("%5s %10s %12.2f %8.3f   with a CRL, of the root\n", "", "",
                     bench_median(crl, num_rounds),
                     bench_median(crl, num_rounds) / bench_median(bare, num_rounds));
    }
    release(&subject);
}

int main(int argc, char **argv)
{
    const size_t num_rounds = bench_rounds(argc, argv, 100);
    (void)printf("verification of one P-256 chain; us, medians over %zu rounds; ratio by round\n"
                 "depth       bare   pki/verify    ratio  upload gate\n",
                 num_rounds);
    for (size_t i = 0; i < NUM_DEPTHS; i++) {
        measure(depths[i], num_rounds);
    }
    return 0;
}
