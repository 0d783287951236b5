#include "ekubench/peer/memory.h"

#include "support/fixtures.h"
#include "support/tls_link.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdbool.h>

#define ALERT_PROTOCOL_VERSION 70

static struct fixture_pki pki;
static struct ekb_identity identity;
static struct ekb_memory_pair *pair;

static void set_up(void)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
    fixture_pki_init(&pki, &spec);
    identity = (struct ekb_identity){.chain = pki.chain, .key = pki.key};
    cr_assert_eq(ekb_memory_pair_create(&pair), EKB_OK);
}

static void tear_down(void)
{
    ekb_memory_pair_destroy(pair);
    fixture_pki_deinit(&pki);
}

TestSuite(memory, .init = set_up, .fini = tear_down, .timeout = 60);

// A clock that only moves when told to.
static uint64_t read_frozen(void *context)
{
    const uint64_t *now_ns = context;
    return *now_ns;
}

// A clock of which every reading takes 10 ns.
static uint64_t read_ticking(void *context)
{
    uint64_t *now_ns = context;
    return *now_ns += 10;
}

static struct ekb_tls_config *config_of(enum ekb_role role, enum ekb_tls_version version,
                                        const struct ekb_identity *presented,
                                        const struct ekb_tls_observer *observer)
{
    const struct ekb_tls_options options = {.role = role,
                                            .version = version,
                                            .identity = presented,
                                            .trust = fixture_pki_root(&pki),
                                            .policy = ekb_policy_default(),
                                            .observer = observer};
    return tls_config(&options);
}

static struct ekb_memory_outcome handshake(enum ekb_tls_version client_version,
                                           enum ekb_tls_version server_version,
                                           const struct ekb_identity *client_identity)
{
    struct ekb_memory_outcome outcome;
    const struct ekb_clock clock = ekb_clock_monotonic();
    struct ekb_tls_config *client =
        config_of(EKB_ROLE_CLIENT, client_version, client_identity, NULL);
    struct ekb_tls_config *server = config_of(EKB_ROLE_SERVER, server_version, &identity, NULL);
    ekb_memory_handshake(pair, &outcome, client, server, &clock);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
    return outcome;
}

Test(memory, ignores_null_when_destroyed)
{
    ekb_memory_pair_destroy(NULL);
}

Test(memory, succeeds_without_alerts_when_both_sides_agree)
{
    for (unsigned version = 0; version < EKB_TLS_NUM_VERSIONS; version++) {
        const char *name = ekb_tls_version_name((enum ekb_tls_version)version);

        const struct ekb_memory_outcome got =
            handshake((enum ekb_tls_version)version, (enum ekb_tls_version)version, &identity);

        cr_expect_eq(got.client_err, EKB_OK, "%s: %s", name, ekb_err_name(got.client_err));
        cr_expect_eq(got.server_err, EKB_OK, "%s: %s", name, ekb_err_name(got.server_err));
        cr_expect_eq(got.client_alert, -1, "%s: %d", name, got.client_alert);
        cr_expect_eq(got.server_alert, -1, "%s: %d", name, got.server_alert);
        cr_expect_eq(got.server_verify_result, 0, "%s: %d", name, got.server_verify_result);
    }
}

Test(memory, ends_with_a_code_on_both_sides_when_there_is_no_common_version)
{
    static const enum ekb_tls_version pairs[][2] = {{EKB_TLS_1_2, EKB_TLS_1_3},
                                                    {EKB_TLS_1_3, EKB_TLS_1_2}};
    for (size_t i = 0; i < 2; i++) {
        const struct ekb_memory_outcome got = handshake(pairs[i][0], pairs[i][1], &identity);

        cr_expect_eq(got.server_err, EKB_TLS_VERSION, "%zu: %s", i, ekb_err_name(got.server_err));
        cr_expect_eq(got.client_err, EKB_TLS_ALERT, "%zu: %s", i, ekb_err_name(got.client_err));
        cr_expect_eq(got.server_alert, ALERT_PROTOCOL_VERSION, "%zu: %d", i, got.server_alert);
        cr_expect_eq(got.client_alert, ALERT_PROTOCOL_VERSION, "%zu: %d", i, got.client_alert);
    }
}

Test(memory, counts_the_bytes_of_each_side_when_it_carries_them)
{
    size_t chain_len = 0;
    for (size_t i = 0; i < ekb_chain_len(pki.chain); i++) {
        size_t der_len;
        (void)ekb_chain_der(pki.chain, i, &der_len);
        chain_len += der_len;
    }
    for (unsigned version = 0; version < 2; version++) {
        const char *name = ekb_tls_version_name((enum ekb_tls_version)version);

        const struct ekb_memory_outcome got =
            handshake((enum ekb_tls_version)version, (enum ekb_tls_version)version, &identity);

        // A chain each, and up to 1 KiB of everything else.
        cr_expect(got.client_sent_bytes > chain_len && got.client_sent_bytes < chain_len + 1024,
                  "%s: %" PRIu64 ", chain of %zu", name, got.client_sent_bytes, chain_len);
        cr_expect(got.server_sent_bytes > chain_len && got.server_sent_bytes < chain_len + 1024,
                  "%s: %" PRIu64 ", chain of %zu", name, got.server_sent_bytes, chain_len);
    }
}

Test(memory, judges_each_connection_alone_when_the_pair_is_used_again)
{
    for (int i = 0; i < 20; i++) {
        const enum ekb_tls_version version = i % 4 < 2 ? EKB_TLS_1_2 : EKB_TLS_1_3;
        const bool presents = i % 2 == 0;

        const struct ekb_memory_outcome got =
            handshake(version, version, presents ? &identity : NULL);

        cr_expect_eq(got.server_err, presents ? EKB_OK : EKB_TLS_NO_CERTIFICATE, "%d: %s", i,
                     ekb_err_name(got.server_err));
        cr_expect_eq(got.client_err, presents ? EKB_OK : EKB_TLS_ALERT, "%d: %s", i,
                     ekb_err_name(got.client_err));
        cr_expect_eq(got.client_alert < 0, presents, "%d: %d", i, got.client_alert);
    }
}

// Time.

Test(memory, spends_no_time_when_the_clock_stands_still)
{
    uint64_t now_ns = 1000;
    struct ekb_memory_outcome got;
    const struct ekb_clock clock = {.now_ns = read_frozen, .context = &now_ns};
    struct ekb_tls_config *client = config_of(EKB_ROLE_CLIENT, EKB_TLS_1_3, &identity, NULL);
    struct ekb_tls_config *server = config_of(EKB_ROLE_SERVER, EKB_TLS_1_3, &identity, NULL);

    ekb_memory_handshake(pair, &got, client, server, &clock);

    cr_expect_eq(got.client_ns, 0u, "%" PRIu64, got.client_ns);
    cr_expect_eq(got.server_ns, 0u, "%" PRIu64, got.server_ns);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
}

static void nothing(void *context)
{
    (void)context;
}

static void spend_a_millisecond(void *context)
{
    uint64_t *now_ns = context;
    *now_ns += EKB_NS_PER_MS;
}

// The observer moves the clock while one side verifies: only that side may be charged.
Test(memory, charges_the_side_that_works_when_time_passes)
{
    static const enum ekb_role roles[] = {EKB_ROLE_CLIENT, EKB_ROLE_SERVER};
    for (unsigned version = 0; version < 2; version++) {
        for (size_t i = 0; i < 2; i++) {
            uint64_t now_ns = 1000;
            struct ekb_memory_outcome got;
            const struct ekb_clock clock = {.now_ns = read_frozen, .context = &now_ns};
            const struct ekb_tls_observer observer = {
                .verify_begin = nothing, .verify_end = spend_a_millisecond, .context = &now_ns};
            const bool by_client = roles[i] == EKB_ROLE_CLIENT;
            struct ekb_tls_config *client =
                config_of(EKB_ROLE_CLIENT, (enum ekb_tls_version)version, &identity,
                          by_client ? &observer : NULL);
            struct ekb_tls_config *server =
                config_of(EKB_ROLE_SERVER, (enum ekb_tls_version)version, &identity,
                          by_client ? NULL : &observer);

            ekb_memory_handshake(pair, &got, client, server, &clock);

            cr_expect_eq(got.client_ns, by_client ? EKB_NS_PER_MS : 0, "TLS %s, %zu: %" PRIu64,
                         ekb_tls_version_name((enum ekb_tls_version)version), i, got.client_ns);
            cr_expect_eq(got.server_ns, by_client ? 0 : EKB_NS_PER_MS, "TLS %s, %zu: %" PRIu64,
                         ekb_tls_version_name((enum ekb_tls_version)version), i, got.server_ns);
            ekb_tls_config_destroy(client);
            ekb_tls_config_destroy(server);
        }
    }
}

Test(memory, charges_no_more_than_has_passed_when_the_clock_ticks)
{
    uint64_t now_ns = 0;
    struct ekb_memory_outcome got;
    const struct ekb_clock clock = {.now_ns = read_ticking, .context = &now_ns};
    struct ekb_tls_config *client = config_of(EKB_ROLE_CLIENT, EKB_TLS_1_3, &identity, NULL);
    struct ekb_tls_config *server = config_of(EKB_ROLE_SERVER, EKB_TLS_1_3, &identity, NULL);

    ekb_memory_handshake(pair, &got, client, server, &clock);

    cr_expect_gt(got.client_ns, 0u);
    cr_expect_gt(got.server_ns, 0u);
    cr_expect_leq(got.client_ns + got.server_ns, now_ns, "%" PRIu64 " + %" PRIu64 " of %" PRIu64,
                  got.client_ns, got.server_ns, now_ns);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
}
