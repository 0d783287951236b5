// The parts of verification one by one, without timers in them: each operation is repeated 0, 8, 32
// and 64 times between two reads of the clock, in random order within a round, and the slope over
// the number of repeats is what one costs. Hodges-Lehmann over rounds, with its 95 % interval.

#include "bench.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/memory.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/stat/rank.h"
#include "ekubench/stat/replicate.h"
#include "ekubench/tls/config.h"

#include <openssl/base.h>
#include <openssl/mem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <time.h>

#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)
#define NUM_REPEATS 4
static const double repeats[NUM_REPEATS] = {0, 8, 32, 64};

// What an operation works on.
struct subject {
    struct ekb_hierarchy *hierarchy;
    struct ekb_chain *chain;
    struct ekb_key *key;
    X509_STORE *store;
    STACK_OF(X509) * presented;
    uint8_t *der; // Of the leaf.
    int der_len;
    struct ekb_memory_pair *pair;
    struct ekb_tls_config *client;
    struct ekb_tls_config *server[EKB_EKU_NUM_MODES];
};

static void need(bool condition)
{
    if (!condition) {
        (void)fputs("bench_x509: making the certificates failed\n", stderr);
        exit(3);
    }
}

static void make_ends(struct subject *subject)
{
    const struct ekb_identity identity = {.chain = subject->chain, .key = subject->key};
    struct ekb_tls_options tls = {.role = EKB_ROLE_CLIENT,
                                  .version = EKB_TLS_1_3,
                                  .identity = &identity,
                                  .trust = ekb_hierarchy_root(subject->hierarchy),
                                  .policy = ekb_policy_default()};
    need(ekb_tls_config_create(&subject->client, &tls, NULL) == EKB_OK);
    tls.role = EKB_ROLE_SERVER;
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        tls.policy.eku = (enum ekb_eku_mode)mode;
        need(ekb_tls_config_create(&subject->server[mode], &tls, NULL) == EKB_OK);
    }
    need(ekb_memory_pair_create(&subject->pair) == EKB_OK);
}

static X509 *x509_of(const struct ekb_chain *chain, size_t index)
{
    size_t der_len = 0;
    const uint8_t *der = ekb_chain_der(chain, index, &der_len);
    X509 *x509 = d2i_X509(NULL, &der, (long)der_len);
    need(x509 != NULL);
    return x509;
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
    subject->der_len = i2d_X509(sk_X509_value(subject->presented, 0), &subject->der);
    need(subject->der_len > 0);
    make_ends(subject);
}

static void release(struct subject *subject)
{
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        ekb_tls_config_destroy(subject->server[mode]);
    }
    ekb_tls_config_destroy(subject->client);
    ekb_memory_pair_destroy(subject->pair);
    OPENSSL_free(subject->der);
    sk_X509_pop_free(subject->presented, X509_free);
    X509_STORE_free(subject->store);
    ekb_chain_destroy(subject->chain);
    ekb_key_destroy(subject->key);
    ekb_hierarchy_destroy(subject->hierarchy);
}

typedef void operation(const struct subject *subject, enum ekb_eku_mode mode);

static void check_purpose(const struct subject *subject, enum ekb_eku_mode mode)
{
    static volatile int sink;
    sink = X509_check_purpose(sk_X509_value(subject->presented, 0), ekb_policy_purpose(mode), 0);
    (void)sink;
}

static void parse(const struct subject *subject, enum ekb_eku_mode mode)
{
    const uint8_t *der = subject->der;
    X509 *x509 = d2i_X509(NULL, &der, subject->der_len);
    (void)mode;
    need(x509 != NULL);
    X509_free(x509);
}

static void parse_extensions(const struct subject *subject, enum ekb_eku_mode mode)
{
    const uint8_t *der = subject->der;
    X509 *x509 = d2i_X509(NULL, &der, subject->der_len);
    (void)mode;
    need(x509 != NULL && X509_check_purpose(x509, -1, 0) == 1);
    X509_free(x509);
}

static void verify(const struct subject *subject, enum ekb_eku_mode mode)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    need(X509_STORE_CTX_init(context, subject->store, sk_X509_value(subject->presented, 0),
                             subject->presented) == 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    if (mode != EKB_EKU_NONE) {
        need(X509_VERIFY_PARAM_set_purpose(param, ekb_policy_purpose(mode)) == 1);
    }
    need(X509_verify_cert(context) == 1);
    X509_STORE_CTX_free(context);
}

static void handshake(const struct subject *subject, enum ekb_eku_mode mode)
{
    const struct ekb_clock clock = ekb_clock_monotonic();
    struct ekb_memory_outcome outcome;
    ekb_memory_handshake(subject->pair, &outcome, subject->client, subject->server[mode], &clock);
    need(outcome.client_err == EKB_OK && outcome.server_err == EKB_OK);
}

static uint64_t time_repeats(const struct subject *subject, operation *op, enum ekb_eku_mode mode,
                             unsigned num)
{
    const uint64_t begin_ns = ekb_clock_now_ns();
    for (unsigned i = 0; i < num; i++) {
        op(subject, mode);
    }
    return ekb_clock_now_ns() - begin_ns;
}

static void measure(const struct subject *subject, const char *name, operation *op,
                    enum ekb_eku_mode mode, size_t num_rounds)
{
    static struct ekb_slice_sum slices[NUM_REPEATS * BENCH_MAX_ROUNDS];
    static double slopes[BENCH_MAX_ROUNDS];
    const struct ekb_slice_arms arms = {
        .slices = slices, .num_slices = num_rounds, .x = repeats, .num_arms = NUM_REPEATS};
    struct ekb_estimate estimate;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 1);
    for (size_t round = 0; round < num_rounds; round++) {
        uint16_t order[NUM_REPEATS] = {0, 1, 2, 3};
        ekb_rng_shuffle(&rng, order, NUM_REPEATS);
        for (size_t i = 0; i < NUM_REPEATS; i++) {
            const size_t arm = order[i];
            slices[arm * num_rounds + round] =
                (struct ekb_slice_sum){1, time_repeats(subject, op, mode, (unsigned)repeats[arm])};
        }
    }
    const size_t num_slopes = ekb_replicate_slopes(slopes, NULL, &arms);
    if (ekb_rank_estimate(&estimate, slopes, num_slopes, 0.95) == EKB_OK) {
        (void)printf("%-44s %12.1f [%.1f, %.1f] ns\n", name, estimate.estimate, estimate.low,
                     estimate.high);
    } else {
        (void)printf("%-44s too few rounds\n", name);
    }
}

static void measure_depth(unsigned depth, size_t num_rounds)
{
    struct subject subject = {.der = NULL};
    char name[64];
    make(&subject, depth);
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        (void)snprintf(name, sizeof name, "X509_verify_cert, depth %u, EKU %s", depth,
                       ekb_eku_mode_name((enum ekb_eku_mode)mode));
        measure(&subject, name, verify, (enum ekb_eku_mode)mode, num_rounds);
    }
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        (void)snprintf(name, sizeof name, "handshake in memory, both sides, d%u, EKU %s", depth,
                       ekb_eku_mode_name((enum ekb_eku_mode)mode));
        measure(&subject, name, handshake, (enum ekb_eku_mode)mode, num_rounds);
    }
    release(&subject);
}

int main(int argc, char **argv)
{
    const size_t num_rounds = bench_rounds(argc, argv, 40);
    struct subject subject = {.der = NULL};
    (void)printf("what one costs: slope over 0, 8, 32, 64 repeats, %zu rounds\n", num_rounds);
    make(&subject, 1);
    measure(&subject, "X509_check_purpose, clientAuth", check_purpose, EKB_EKU_ON, num_rounds);
    measure(&subject, "X509_check_purpose, serverAuth", check_purpose, EKB_EKU_OFF, num_rounds);
    measure(&subject, "d2i_X509", parse, EKB_EKU_NONE, num_rounds);
    measure(&subject, "d2i_X509 and its extensions", parse_extensions, EKB_EKU_NONE, num_rounds);
    release(&subject);
    for (unsigned depth = 1; depth <= 3; depth++) {
        measure_depth(depth, num_rounds);
    }
    return 0;
}
