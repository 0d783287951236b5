// The TLS handshake in memory, by version, verification and depth: the floor under everything that
// ekubench measures over sockets, and what the TLS library allocates for it.

#include "bench.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/memory.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HANDSHAKES_PER_ROUND 20
#define MAX_ROWS 128

// BoringSSL calls these instead of malloc and free when a program defines them; declared here,
// because its headers do not.
void *OPENSSL_memory_alloc(size_t size);
void OPENSSL_memory_free(void *pointer);
size_t OPENSSL_memory_get_size(void *pointer);

static struct {
    uint64_t calls;
    uint64_t bytes;
} allocated;

// The size stands in front of the block, in a place that keeps the block aligned.
#define PREFIX_LEN 16

void *OPENSSL_memory_alloc(size_t size)
{
    uint8_t *block = malloc(size + PREFIX_LEN);
    if (block == NULL) {
        return NULL;
    }
    memcpy(block, &size, sizeof size);
    allocated.calls++;
    allocated.bytes += size;
    return block + PREFIX_LEN;
}

void OPENSSL_memory_free(void *pointer)
{
    if (pointer != NULL) {
        uint8_t *block = (uint8_t *)pointer - PREFIX_LEN;
        size_t size;
        memcpy(&size, block, sizeof size);
        explicit_bzero(block, size + PREFIX_LEN); // As the library does by itself.
        free(block);
    }
}

size_t OPENSSL_memory_get_size(void *pointer)
{
    size_t size = 0;
    if (pointer != NULL) {
        memcpy(&size, (uint8_t *)pointer - PREFIX_LEN, sizeof size);
    }
    return size;
}

struct row {
    char name[64];
    struct ekb_tls_config *client;
    struct ekb_tls_config *server;
    bool expect_accept;
    double server_us[BENCH_MAX_ROUNDS];
    double client_us[BENCH_MAX_ROUNDS];
    uint64_t allocations;
    uint64_t allocated_bytes;
    uint64_t client_sent;
    uint64_t server_sent;
};

static struct row rows[MAX_ROWS];
static size_t num_rows;
static struct ekb_hierarchy *hierarchy;
static struct ekb_identity server_identity;

static void must(enum ekb_err err, const struct ekb_fail *fail)
{
    if (err != EKB_OK) {
        char text[512];
        ekb_fail_text(text, sizeof text, fail);
        (void)fprintf(stderr, "bench_endpoint: %s\n", text);
        exit(3);
    }
}

static struct ekb_identity issue(unsigned depth, unsigned eku)
{
    struct ekb_identity identity = {0};
    struct ekb_fail fail = {0};
    const struct ekb_mint_leaf spec = {.common_name = "bench", .eku = eku};
    must(ekb_hierarchy_issue(&identity.chain, &identity.key, hierarchy, depth, &spec, &fail),
         &fail);
    return identity;
}

static void add_row(enum ekb_tls_version version, const struct ekb_policy *policy, unsigned depth,
                    unsigned eku, const char *label)
{
    struct ekb_fail fail = {0};
    struct row *row = &rows[num_rows++];
    struct ekb_identity client_identity = issue(depth, eku);
    const struct ekb_tls_options server = {.role = EKB_ROLE_SERVER,
                                           .version = version,
                                           .identity = &server_identity,
                                           .trust = ekb_hierarchy_root(hierarchy),
                                           .policy = *policy};
    const struct ekb_tls_options client = {.role = EKB_ROLE_CLIENT,
                                           .version = version,
                                           .identity = &client_identity,
                                           .trust = ekb_hierarchy_root(hierarchy),
                                           .policy = ekb_policy_default()};
    (void)snprintf(row->name, sizeof row->name, "%s %-8s %2u", ekb_tls_version_name(version), label,
                   depth);
    row->expect_accept = strcmp(label, "reject") != 0;
    must(ekb_tls_config_create(&row->server, &server, &fail), &fail);
    must(ekb_tls_config_create(&row->client, &client, &fail), &fail);
    ekb_chain_destroy(client_identity.chain);
    ekb_key_destroy(client_identity.key);
}

static void add_rows(enum ekb_tls_version version)
{
    static const unsigned depths[] = {1, 2, 3, 5, 10};
    const unsigned both = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH;
    struct ekb_policy policy = ekb_policy_default();
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        policy.verify = EKB_VERIFY_FULL;
        for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
            policy.eku = (enum ekb_eku_mode)mode;
            add_row(version, &policy, depths[i], both, ekb_eku_mode_name(policy.eku));
        }
        policy.eku = EKB_EKU_ON;
        add_row(version, &policy, depths[i], EKB_EKU_SERVER_AUTH, "reject");
        policy.verify = EKB_VERIFY_PARSE;
        add_row(version, &policy, depths[i], both, "parse");
        policy.verify = EKB_VERIFY_RAW;
        add_row(version, &policy, depths[i], both, "raw");
    }
    policy.verify = EKB_VERIFY_ONE_WAY;
    add_row(version, &policy, 1, both, "one-way");
}

static void run_row(struct ekb_memory_pair *pair, struct row *row, size_t round)
{
    const struct ekb_clock clock = ekb_clock_monotonic();
    const uint64_t calls = allocated.calls;
    const uint64_t bytes = allocated.bytes;
    uint64_t server_ns = 0;
    uint64_t client_ns = 0;
    for (int i = 0; i < HANDSHAKES_PER_ROUND; i++) {
        struct ekb_memory_outcome outcome;
        ekb_memory_handshake(pair, &outcome, row->client, row->server, &clock);
        if ((outcome.client_err == EKB_OK) != row->expect_accept) {
            (void)fprintf(stderr, "bench_endpoint: %s: unexpected outcome %s\n", row->name,
                          ekb_err_name(outcome.client_err));
            exit(1);
        }
        server_ns += outcome.server_ns;
        client_ns += outcome.client_ns;
        row->client_sent = outcome.client_sent_bytes;
        row->server_sent = outcome.server_sent_bytes;
    }
    row->server_us[round] = (double)server_ns / HANDSHAKES_PER_ROUND / 1e3;
    row->client_us[round] = (double)client_ns / HANDSHAKES_PER_ROUND / 1e3;
    row->allocations = (allocated.calls - calls) / HANDSHAKES_PER_ROUND;
    row->allocated_bytes = (allocated.bytes - bytes) / HANDSHAKES_PER_ROUND;
}

int main(int argc, char **argv)
{
    const size_t num_rounds = bench_rounds(argc, argv, 20);
    const int64_t now = (int64_t)time(NULL);
    struct ekb_fail fail = {0};
    struct ekb_memory_pair *pair = NULL;
    struct ekb_rng rng;
    uint16_t order[MAX_ROWS];

    must(ekb_hierarchy_create(&hierarchy, EKB_KEY_P256, now - 3600, now + 86400, &fail), &fail);
    must(ekb_memory_pair_create(&pair), &fail);
    server_identity = issue(1, EKB_EKU_SERVER_AUTH);
    add_rows(EKB_TLS_1_3);
    add_rows(EKB_TLS_1_2);

    ekb_rng_init(&rng, 1);
    for (uint16_t i = 0; i < num_rows; i++) {
        order[i] = i;
    }
    for (size_t round = 0; round < num_rounds; round++) {
        ekb_rng_shuffle(&rng, order, num_rows);
        for (size_t i = 0; i < num_rows; i++) {
            run_row(pair, &rows[order[i]], round);
        }
    }

    (void)printf("in-memory handshake, P-256, both sides in one process; us, median over %zu "
                 "rounds of %d (least)\n",
                 num_rounds, HANDSHAKES_PER_ROUND);
    (void)printf("%-16s %18s %18s %7s %9s %7s %7s\n", "TLS verify depth", "server", "client",
                 "allocs", "bytes", "C->S", "S->C");
    for (size_t i = 0; i < num_rows; i++) {
        struct row *row = &rows[i];
        const double server = bench_median(row->server_us, num_rounds);
        const double client = bench_median(row->client_us, num_rounds);
        (void)printf("%-16s %9.1f (%6.1f) %9.1f (%6.1f) %7llu %9llu %7llu %7llu\n", row->name,
                     server, row->server_us[0], client, row->client_us[0],
                     (unsigned long long)row->allocations, (unsigned long long)row->allocated_bytes,
                     (unsigned long long)row->client_sent, (unsigned long long)row->server_sent);
        ekb_tls_config_destroy(row->client);
        ekb_tls_config_destroy(row->server);
    }
    ekb_memory_pair_destroy(pair);
    ekb_chain_destroy(server_identity.chain);
    ekb_key_destroy(server_identity.key);
    ekb_hierarchy_destroy(hierarchy);
    return 0;
}
