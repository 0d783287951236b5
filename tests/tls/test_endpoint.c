#include "ekubench/tls/endpoint.h"

#include "support/fixtures.h"
#include "support/tls_link.h"

#include <criterion/criterion.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pool.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALERT_BAD_RECORD_MAC 20
#define ALERT_RECORD_OVERFLOW 22
#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_ILLEGAL_PARAMETER 47
#define ALERT_UNKNOWN_CA 48
#define ALERT_DECRYPT_ERROR 51
#define ALERT_PROTOCOL_VERSION 70

#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)
// A certificate takes about 450 bytes.
#define NUM_CERTS_BEYOND_TX 30
#define NUM_CERTS_BEYOND_RECORD 60
#define NUM_CERTS_BEYOND_MESSAGE 400

static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};
static const struct tls_cut uncut;

// Client and server present the same.
static struct fixture_pki pki;
static struct ekb_identity identity;

static void set_up(void)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 2, .eku = BOTH};
    fixture_pki_init(&pki, &spec);
    identity = (struct ekb_identity){.chain = pki.chain, .key = pki.key};
}

static void tear_down(void)
{
    fixture_pki_deinit(&pki);
}

TestSuite(endpoint, .init = set_up, .fini = tear_down, .timeout = 110);

static struct ekb_tls_options options_of(enum ekb_role role, enum ekb_tls_version version)
{
    return (struct ekb_tls_options){.role = role,
                                    .version = version,
                                    .identity = &identity,
                                    .trust = fixture_pki_root(&pki),
                                    .policy = ekb_policy_default()};
}

static struct ekb_tls_config *config_of(enum ekb_role role, enum ekb_tls_version version)
{
    const struct ekb_tls_options options = options_of(role, version);
    return tls_config(&options);
}

// server_of makes a server's configuration with another level.
static struct ekb_tls_config *server_of(enum ekb_verify_level verify, enum ekb_tls_version version)
{
    struct ekb_tls_options options = options_of(EKB_ROLE_SERVER, version);
    options.policy.verify = verify;
    return tls_config(&options);
}

// One endpoint and its configuration.
struct side {
    struct ekb_endpoint *endpoint;
    struct ekb_tls_config *config;
};

static struct side side_of(struct ekb_tls_config *config)
{
    struct side side = {.config = config};
    cr_assert_eq(ekb_endpoint_create(&side.endpoint), EKB_OK);
    cr_assert_eq(ekb_endpoint_start(side.endpoint, config), EKB_OK);
    return side;
}

static void side_deinit(struct side *side)
{
    ekb_endpoint_destroy(side->endpoint);
    ekb_tls_config_destroy(side->config);
}

// Both sides, with their configurations.
struct both {
    struct tls_link link;
    struct ekb_tls_config *client;
    struct ekb_tls_config *server;
};

static void both_init(struct both *out_both, struct ekb_tls_config *client,
                      struct ekb_tls_config *server)
{
    out_both->client = client;
    out_both->server = server;
    tls_link_init(&out_both->link, client, server);
}

static void both_init_of(struct both *out_both, enum ekb_tls_version version)
{
    both_init(out_both, config_of(EKB_ROLE_CLIENT, version), config_of(EKB_ROLE_SERVER, version));
}

static void both_deinit(struct both *both)
{
    tls_link_deinit(&both->link);
    ekb_tls_config_destroy(both->client);
    ekb_tls_config_destroy(both->server);
}

static void expect_state(const struct ekb_endpoint *endpoint, enum ekb_endpoint_state state,
                         const char *label)
{
    cr_expect_eq(ekb_endpoint_state(endpoint), state, "%s: state %d, not %d (%s, %s)", label,
                 (int)ekb_endpoint_state(endpoint), (int)state,
                 ekb_err_name(ekb_endpoint_error(endpoint)), ekb_endpoint_library_reason(endpoint));
}

static void expect_ready(const struct both *both, const char *label)
{
    expect_state(both->link.client, EKB_ENDPOINT_READY, label);
    expect_state(both->link.server, EKB_ENDPOINT_READY, label);
}

static void expect_failed(const struct ekb_endpoint *endpoint, enum ekb_err err, const char *label)
{
    expect_state(endpoint, EKB_ENDPOINT_FAILED, label);
    cr_expect_eq(ekb_endpoint_error(endpoint), err, "%s: %s, not %s (%s)", label,
                 ekb_err_name(ekb_endpoint_error(endpoint)), ekb_err_name(err),
                 ekb_endpoint_library_reason(endpoint));
}

static size_t pending_len(const struct ekb_endpoint *endpoint)
{
    size_t len = 99;
    const uint8_t *pending = ekb_endpoint_pending(endpoint, &len);
    cr_assert_eq(pending == NULL, len == 0, "%zu bytes at %p", len, (const void *)pending);
    return len;
}

// Lifecycle.

Test(endpoint, ignores_null_when_destroyed)
{
    ekb_endpoint_destroy(NULL);
}

Test(endpoint, is_idle_when_created)
{
    struct ekb_endpoint *endpoint = NULL;

    cr_assert_eq(ekb_endpoint_create(&endpoint), EKB_OK);

    expect_state(endpoint, EKB_ENDPOINT_IDLE, "created");
    cr_expect_eq(ekb_endpoint_error(endpoint), EKB_OK);
    cr_expect_eq(ekb_endpoint_verify_result(endpoint), 0);
    cr_expect_eq(ekb_endpoint_app_len(endpoint), 0u);
    cr_expect_eq(ekb_endpoint_num_peer_certs(endpoint), 0u);
    cr_expect_eq(pending_len(endpoint), 0u);
    cr_expect_str_empty(ekb_endpoint_library_reason(endpoint));
    cr_expect_str_empty(ekb_endpoint_version_name(endpoint));
    cr_expect_str_empty(ekb_endpoint_cipher_name(endpoint));
    ekb_endpoint_destroy(endpoint);
}

Test(endpoint, has_no_alert_when_created)
{
    struct ekb_endpoint *endpoint = NULL;

    cr_assert_eq(ekb_endpoint_create(&endpoint), EKB_OK);

    cr_expect_eq(ekb_endpoint_alert_sent(endpoint), -1, "%d", ekb_endpoint_alert_sent(endpoint));
    cr_expect_eq(ekb_endpoint_alert_received(endpoint), -1, "%d",
                 ekb_endpoint_alert_received(endpoint));
    ekb_endpoint_destroy(endpoint);
}

Test(endpoint, has_a_client_hello_pending_when_a_client_is_started)
{
    for (size_t i = 0; i < 2; i++) {
        size_t len = 0;
        struct side client = side_of(config_of(EKB_ROLE_CLIENT, versions[i]));

        const uint8_t *pending = ekb_endpoint_pending(client.endpoint, &len);

        expect_state(client.endpoint, EKB_ENDPOINT_HANDSHAKING, "client");
        cr_assert_gt(len, 6u, "%zu", len);
        // A handshake record, which holds a ClientHello.
        cr_expect(pending[0] == 22 && pending[5] == 1, "%d, %d", pending[0], pending[5]);
        side_deinit(&client);
    }
}

Test(endpoint, waits_for_the_client_when_a_server_is_started)
{
    struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));

    expect_state(server.endpoint, EKB_ENDPOINT_HANDSHAKING, "server");
    cr_expect_eq(pending_len(server.endpoint), 0u);
    cr_expect_eq(ekb_endpoint_alert_sent(server.endpoint), -1);
    cr_expect_eq(ekb_endpoint_alert_received(server.endpoint), -1);
    side_deinit(&server);
}

Test(endpoint, names_nothing_when_nothing_is_negotiated)
{
    struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));
    struct side client = side_of(config_of(EKB_ROLE_CLIENT, EKB_TLS_ANY));
    const struct ekb_endpoint *endpoints[] = {server.endpoint, client.endpoint};
    for (size_t i = 0; i < 2; i++) {
        cr_expect_str_empty(ekb_endpoint_version_name(endpoints[i]), "%zu: %s", i,
                            ekb_endpoint_version_name(endpoints[i]));
        cr_expect_str_empty(ekb_endpoint_cipher_name(endpoints[i]), "%zu: %s", i,
                            ekb_endpoint_cipher_name(endpoints[i]));
        cr_expect_eq(ekb_endpoint_num_peer_certs(endpoints[i]), 0u);
    }
    side_deinit(&client);
    side_deinit(&server);
}

Test(endpoint, is_idle_when_stopped)
{
    struct side client = side_of(config_of(EKB_ROLE_CLIENT, EKB_TLS_1_3));

    ekb_endpoint_stop(client.endpoint);
    expect_state(client.endpoint, EKB_ENDPOINT_IDLE, "stopped");
    ekb_endpoint_stop(client.endpoint);
    expect_state(client.endpoint, EKB_ENDPOINT_IDLE, "stopped twice");

    side_deinit(&client);
}

Test(endpoint, has_nothing_pending_when_stopped)
{
    struct side client = side_of(config_of(EKB_ROLE_CLIENT, EKB_TLS_1_3));
    cr_assert_gt(pending_len(client.endpoint), 0u);

    ekb_endpoint_stop(client.endpoint);

    cr_expect_eq(pending_len(client.endpoint), 0u, "%zu", pending_len(client.endpoint));
    side_deinit(&client);
}

// Handshakes.

static void expect_handshake(enum ekb_tls_version version, const struct tls_cut *cut,
                             const char *cut_name)
{
    char label[64];
    struct both both;
    const bool is_1_3 = version == EKB_TLS_1_3;
    (void)snprintf(label, sizeof label, "TLS %s, %s", ekb_tls_version_name(version), cut_name);
    both_init_of(&both, version);
    both.link.cut = *cut;

    tls_link_run(&both.link);

    expect_ready(&both, label);
    const struct ekb_endpoint *ends[] = {both.link.client, both.link.server};
    for (size_t i = 0; i < 2; i++) {
        cr_expect_str_eq(ekb_endpoint_version_name(ends[i]), is_1_3 ? "TLSv1.3" : "TLSv1.2", "%s",
                         label);
        cr_expect_eq(strncmp(ekb_endpoint_cipher_name(ends[i]),
                             is_1_3 ? "TLS_" : "TLS_ECDHE_ECDSA_", is_1_3 ? 4 : 16),
                     0, "%s: %s", label, ekb_endpoint_cipher_name(ends[i]));
        cr_expect_eq(ekb_endpoint_num_peer_certs(ends[i]), 2u, "%s: %zu", label,
                     ekb_endpoint_num_peer_certs(ends[i]));
        cr_expect_eq(ekb_endpoint_error(ends[i]), EKB_OK, "%s", label);
        cr_expect_eq(ekb_endpoint_verify_result(ends[i]), 0, "%s: %d", label,
                     ekb_endpoint_verify_result(ends[i]));
        cr_expect_eq(ekb_endpoint_alert_sent(ends[i]), -1, "%s", label);
        cr_expect_eq(ekb_endpoint_alert_received(ends[i]), -1, "%s", label);
        cr_expect_str_empty(ekb_endpoint_library_reason(ends[i]), "%s", label);
    }
    both_deinit(&both);
}

Test(endpoint, completes_the_handshake_when_flights_come_whole)
{
    expect_handshake(EKB_TLS_1_2, &uncut, "whole");
    expect_handshake(EKB_TLS_1_3, &uncut, "whole");
}

Test(endpoint, completes_the_handshake_when_bytes_come_one_at_a_time)
{
    const struct tls_cut cut = {.max_len = 1};
    expect_handshake(EKB_TLS_1_2, &cut, "byte by byte");
    expect_handshake(EKB_TLS_1_3, &cut, "byte by byte");
}

Test(endpoint, completes_the_handshake_when_bytes_come_and_go_in_random_pieces)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        char name[32];
        struct ekb_rng rng;
        const struct tls_cut cut = {.rng = &rng};
        ekb_rng_init(&rng, seed);
        (void)snprintf(name, sizeof name, "seed %d", (int)seed);

        expect_handshake(versions[seed % 2], &cut, name);
    }
}

static void expect_handshake_with_key(enum ekb_key_type type)
{
    const struct fixture_pki_spec spec = {.key_type = type, .depth = 2, .eku = BOTH};
    struct fixture_pki keyed;
    fixture_pki_init(&keyed, &spec);
    identity = (struct ekb_identity){.chain = keyed.chain, .key = keyed.key};
    for (size_t i = 0; i < 2; i++) {
        char label[64];
        struct both both;
        struct ekb_tls_options options = options_of(EKB_ROLE_SERVER, versions[i]);
        options.trust = fixture_pki_root(&keyed);
        struct ekb_tls_config *server = tls_config(&options);
        options.role = EKB_ROLE_CLIENT;
        both_init(&both, tls_config(&options), server);
        (void)snprintf(label, sizeof label, "%s, TLS %s", ekb_key_type_name(type),
                       ekb_tls_version_name(versions[i]));

        tls_link_run(&both.link);

        expect_ready(&both, label);
        both_deinit(&both);
    }
    fixture_pki_deinit(&keyed);
}

Test(endpoint, completes_the_handshake_when_keys_are_p256)
{
    expect_handshake_with_key(EKB_KEY_P256);
}

Test(endpoint, completes_the_handshake_when_keys_are_p384)
{
    expect_handshake_with_key(EKB_KEY_P384);
}

Test(endpoint, completes_the_handshake_when_keys_are_ed25519)
{
    expect_handshake_with_key(EKB_KEY_ED25519);
}

Test(endpoint, completes_the_handshake_when_keys_are_rsa2048)
{
    expect_handshake_with_key(EKB_KEY_RSA2048);
}

Test(endpoint, completes_the_handshake_when_keys_are_rsa3072)
{
    expect_handshake_with_key(EKB_KEY_RSA3072);
}

Test(endpoint, completes_the_handshake_when_keys_are_rsa4096)
{
    expect_handshake_with_key(EKB_KEY_RSA4096);
}

Test(endpoint, takes_the_highest_common_version_when_any_will_do)
{
    static const struct {
        enum ekb_tls_version client;
        enum ekb_tls_version server;
        const char *name;
    } cases[] = {
        {EKB_TLS_ANY, EKB_TLS_ANY, "TLSv1.3"}, {EKB_TLS_ANY, EKB_TLS_1_2, "TLSv1.2"},
        {EKB_TLS_1_2, EKB_TLS_ANY, "TLSv1.2"}, {EKB_TLS_ANY, EKB_TLS_1_3, "TLSv1.3"},
        {EKB_TLS_1_3, EKB_TLS_ANY, "TLSv1.3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct both both;
        both_init(&both, config_of(EKB_ROLE_CLIENT, cases[i].client),
                  config_of(EKB_ROLE_SERVER, cases[i].server));

        tls_link_run(&both.link);

        expect_ready(&both, cases[i].name);
        cr_expect_str_eq(ekb_endpoint_version_name(both.link.server), cases[i].name, "%zu: %s", i,
                         ekb_endpoint_version_name(both.link.server));
        both_deinit(&both);
    }
}

Test(endpoint, fails_on_both_sides_when_there_is_no_common_version)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, config_of(EKB_ROLE_CLIENT, versions[i]),
                  config_of(EKB_ROLE_SERVER, versions[1 - i]));

        tls_link_run(&both.link);

        expect_failed(both.link.server, EKB_TLS_VERSION, "server");
        expect_failed(both.link.client, EKB_TLS_ALERT, "client");
        cr_expect_eq(ekb_endpoint_alert_sent(both.link.server), ALERT_PROTOCOL_VERSION);
        cr_expect_eq(ekb_endpoint_alert_received(both.link.client), ALERT_PROTOCOL_VERSION);
        both_deinit(&both);
    }
}

Test(endpoint, tells_the_server_why_when_the_client_refuses_it)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 1, .eku = BOTH};
    struct fixture_pki other;
    fixture_pki_init(&other, &spec);
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        struct ekb_tls_options options = options_of(EKB_ROLE_CLIENT, versions[i]);
        options.trust = fixture_pki_root(&other);
        both_init(&both, tls_config(&options), config_of(EKB_ROLE_SERVER, versions[i]));

        tls_link_run(&both.link);

        expect_failed(both.link.client, EKB_VERIFY_NO_LOCAL_ISSUER, "client");
        cr_expect_eq(ekb_endpoint_verify_result(both.link.client),
                     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        cr_expect_eq(ekb_endpoint_alert_sent(both.link.client), ALERT_UNKNOWN_CA);
        expect_failed(both.link.server, EKB_TLS_ALERT, "server");
        cr_expect_eq(ekb_endpoint_alert_received(both.link.server), ALERT_UNKNOWN_CA, "%d",
                     ekb_endpoint_alert_received(both.link.server));
        cr_expect_eq(ekb_endpoint_alert_sent(both.link.server), -1);
        both_deinit(&both);
    }
    fixture_pki_deinit(&other);
}

Test(endpoint, refuses_the_server_when_its_certificate_is_for_clients)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 1, .eku = EKB_EKU_CLIENT_AUTH};
    struct fixture_pki other;
    fixture_pki_init(&other, &spec);
    const struct ekb_identity for_clients = {.chain = other.chain, .key = other.key};
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        struct ekb_tls_options server = options_of(EKB_ROLE_SERVER, versions[i]);
        struct ekb_tls_options client = options_of(EKB_ROLE_CLIENT, versions[i]);
        server.identity = &for_clients;
        client.trust = fixture_pki_root(&other);
        // The mode is for clients' certificates: a client checks for serverAuth whatever it says.
        client.policy.eku = EKB_EKU_NONE;
        both_init(&both, tls_config(&client), tls_config(&server));

        tls_link_run(&both.link);

        expect_failed(both.link.client, EKB_VERIFY_PURPOSE, "client");
        both_deinit(&both);
    }
    fixture_pki_deinit(&other);
}

Test(endpoint, accepts_any_server_when_the_client_does_not_verify)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 1, .eku = EKB_EKU_CLIENT_AUTH};
    struct fixture_pki other;
    fixture_pki_init(&other, &spec);
    const struct ekb_identity for_clients = {.chain = other.chain, .key = other.key};
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        struct ekb_tls_options server = options_of(EKB_ROLE_SERVER, versions[i]);
        struct ekb_tls_options client = options_of(EKB_ROLE_CLIENT, versions[i]);
        server.identity = &for_clients;
        client.policy.verify = EKB_VERIFY_RAW;
        client.trust = NULL;
        both_init(&both, tls_config(&client), tls_config(&server));

        tls_link_run(&both.link);

        expect_ready(&both, "cheap client");
        both_deinit(&both);
    }
    fixture_pki_deinit(&other);
}

// In TLS 1.3 the client is ready before the server has looked at its certificate.
Test(endpoint, fails_after_ready_when_a_client_is_rejected_in_tls_1_3)
{
    struct both both;
    struct ekb_tls_options options = options_of(EKB_ROLE_CLIENT, EKB_TLS_1_3);
    options.identity = NULL;
    both_init(&both, tls_config(&options), config_of(EKB_ROLE_SERVER, EKB_TLS_1_3));
    (void)tls_flush(both.link.client, &both.link.to_server, &uncut);
    (void)tls_deliver(both.link.server, &both.link.to_server, &both.link.to_client, &uncut);
    (void)tls_deliver(both.link.client, &both.link.to_client, &both.link.to_server, &uncut);
    expect_state(both.link.client, EKB_ENDPOINT_READY, "before the verdict");

    tls_link_run(&both.link);

    expect_failed(both.link.server, EKB_TLS_NO_CERTIFICATE, "server");
    expect_failed(both.link.client, EKB_TLS_ALERT, "after the verdict");
    both_deinit(&both);
}

// A client that does not parse certificates is rejected like any other.
Test(endpoint, fails_when_a_client_that_does_not_verify_is_rejected)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        struct ekb_tls_options options = options_of(EKB_ROLE_CLIENT, versions[i]);
        options.identity = NULL;
        options.policy.verify = EKB_VERIFY_RAW;
        both_init(&both, tls_config(&options), config_of(EKB_ROLE_SERVER, versions[i]));

        tls_link_run(&both.link);

        expect_failed(both.link.server, EKB_TLS_NO_CERTIFICATE, "server");
        expect_failed(both.link.client, EKB_TLS_ALERT, "client");
        both_deinit(&both);
    }
}

// Flights that are longer than the buffer.

// long_identity is the identity with many more certificates, which nobody needs.
static struct ekb_identity long_identity(size_t num_certs)
{
    struct ekb_chain *chain = ekb_chain_create();
    for (size_t i = 0; i < num_certs; i++) {
        cr_assert_eq(ekb_chain_append(chain, pki.chain, i < 2 ? i : 1), EKB_OK);
    }
    return (struct ekb_identity){.chain = chain, .key = pki.key};
}

static void expect_long_handshake(size_t num_certs, const struct tls_cut *cut, const char *name)
{
    struct ekb_identity longer = long_identity(num_certs);
    for (size_t i = 0; i < 2; i++) {
        char label[64];
        struct both both;
        struct ekb_tls_options client = options_of(EKB_ROLE_CLIENT, versions[i]);
        struct ekb_tls_options server = options_of(EKB_ROLE_SERVER, versions[i]);
        client.identity = &longer;
        server.identity = &longer;
        both_init(&both, tls_config(&client), tls_config(&server));
        both.link.cut = *cut;
        (void)snprintf(label, sizeof label, "%zu certificates, TLS %s, %s", num_certs,
                       ekb_tls_version_name(versions[i]), name);

        tls_link_run(&both.link);

        expect_ready(&both, label);
        cr_expect_gt(both.link.max_parts, 1u, "%s: %zu parts", label, both.link.max_parts);
        cr_expect_eq(ekb_endpoint_num_peer_certs(both.link.server), num_certs, "%s: %zu", label,
                     ekb_endpoint_num_peer_certs(both.link.server));
        cr_expect_eq(ekb_endpoint_num_peer_certs(both.link.client), num_certs, "%s: %zu", label,
                     ekb_endpoint_num_peer_certs(both.link.client));
        both_deinit(&both);
    }
    ekb_chain_destroy(longer.chain);
}

Test(endpoint, sends_a_flight_in_parts_when_it_is_longer_than_the_buffer)
{
    expect_long_handshake(NUM_CERTS_BEYOND_TX, &uncut, "whole");
}

Test(endpoint, sends_a_message_in_parts_when_it_is_longer_than_a_record)
{
    expect_long_handshake(NUM_CERTS_BEYOND_RECORD, &uncut, "whole");
}

Test(endpoint, sends_a_long_flight_when_it_comes_and_goes_in_random_pieces)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct ekb_rng rng;
        const struct tls_cut cut = {.rng = &rng};
        ekb_rng_init(&rng, seed);

        expect_long_handshake(NUM_CERTS_BEYOND_RECORD, &cut, "random");
    }
}

Test(endpoint, offers_the_same_bytes_until_they_are_sent_when_asked_again)
{
    size_t len = 0;
    size_t len_again = 0;
    struct side client = side_of(config_of(EKB_ROLE_CLIENT, EKB_TLS_1_3));
    const uint8_t *pending = ekb_endpoint_pending(client.endpoint, &len);

    const uint8_t *again = ekb_endpoint_pending(client.endpoint, &len_again);
    cr_expect(again == pending && len_again == len, "%zu, not %zu", len_again, len);
    cr_assert_eq(ekb_endpoint_sent(client.endpoint, 10), EKB_OK);
    again = ekb_endpoint_pending(client.endpoint, &len_again);

    // The rest stays where it is, for a send that is under way.
    cr_expect(again == pending + 10 && len_again == len - 10, "%zu, not %zu", len_again, len - 10);
    cr_assert_eq(ekb_endpoint_sent(client.endpoint, len - 10), EKB_OK);
    cr_expect_eq(pending_len(client.endpoint), 0u);
    side_deinit(&client);
}

// The rest of what was fed is borrowed until the flight is out.
Test(endpoint, goes_on_with_what_was_fed_when_a_long_flight_is_out)
{
    struct tls_bytes hello = {0};
    struct tls_bytes flight = {0};
    struct ekb_identity longer = long_identity(NUM_CERTS_BEYOND_TX);
    struct ekb_tls_options options = options_of(EKB_ROLE_SERVER, EKB_TLS_1_2);
    options.identity = &longer;
    struct side server = side_of(tls_config(&options));
    struct side client = side_of(config_of(EKB_ROLE_CLIENT, EKB_TLS_1_2));
    (void)tls_flush(client.endpoint, &hello, &uncut);
    tls_bytes_add(&hello, "this is no record", 17);

    const enum ekb_err err = ekb_endpoint_feed(server.endpoint, hello.data, tls_bytes_len(&hello));
    cr_expect_eq(err, EKB_OK, "%s before the flight is out", ekb_err_name(err));
    (void)tls_flush(server.endpoint, &flight, &uncut);

    expect_state(server.endpoint, EKB_ENDPOINT_FAILED, "after the flight");
    cr_expect_gt(tls_bytes_len(&flight), (size_t)EKB_ENDPOINT_TX_LEN);
    tls_bytes_deinit(&hello);
    tls_bytes_deinit(&flight);
    ekb_chain_destroy(longer.chain);
    side_deinit(&client);
    side_deinit(&server);
}

Test(endpoint, refuses_the_chain_when_it_is_longer_than_a_message_may_be)
{
    struct ekb_identity longer = long_identity(NUM_CERTS_BEYOND_MESSAGE);
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        struct ekb_tls_options client = options_of(EKB_ROLE_CLIENT, versions[i]);
        client.identity = &longer;
        both_init(&both, tls_config(&client), config_of(EKB_ROLE_SERVER, versions[i]));

        tls_link_run(&both.link);

        expect_failed(both.link.server, EKB_TLS_PROTOCOL, "server");
        expect_failed(both.link.client, EKB_TLS_ALERT, "client");
        cr_expect_eq(ekb_endpoint_alert_received(both.link.client), ALERT_ILLEGAL_PARAMETER, "%d",
                     ekb_endpoint_alert_received(both.link.client));
        both_deinit(&both);
    }
    ekb_chain_destroy(longer.chain);
}

// Application data.

Test(endpoint, counts_and_keeps_application_data_when_it_comes)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init_of(&both, versions[i]);
        tls_link_run(&both.link);

        cr_assert_eq(ekb_endpoint_write(both.link.server, (const uint8_t *)"KO", 2), EKB_OK);
        cr_assert_eq(ekb_endpoint_write(both.link.server, (const uint8_t *)"!", 1), EKB_OK);
        tls_link_run(&both.link);

        cr_expect_eq(ekb_endpoint_app_len(both.link.client), 3u, "%zu",
                     ekb_endpoint_app_len(both.link.client));
        cr_expect_eq(memcmp(ekb_endpoint_app(both.link.client), "KO!", 3), 0);
        cr_expect_eq(ekb_endpoint_app_len(both.link.server), 0u);
        expect_ready(&both, "afterwards");
        both_deinit(&both);
    }
}

Test(endpoint, carries_application_data_both_ways_when_ready)
{
    struct both both;
    both_init_of(&both, EKB_TLS_1_3);
    tls_link_run(&both.link);

    cr_assert_eq(ekb_endpoint_write(both.link.client, (const uint8_t *)"ping", 4), EKB_OK);
    cr_assert_eq(ekb_endpoint_write(both.link.server, (const uint8_t *)"K", 1), EKB_OK);
    tls_link_run(&both.link);

    cr_expect_eq(ekb_endpoint_app_len(both.link.server), 4u);
    cr_expect_eq(memcmp(ekb_endpoint_app(both.link.server), "ping", 4), 0);
    cr_expect_eq(ekb_endpoint_app_len(both.link.client), 1u);
    both_deinit(&both);
}

Test(endpoint, counts_what_it_does_not_keep_when_there_is_much_data)
{
    uint8_t data[1024];
    struct both both;
    both_init_of(&both, EKB_TLS_1_3);
    tls_link_run(&both.link);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7);
    }

    for (int i = 0; i < 10; i++) {
        cr_assert_eq(ekb_endpoint_write(both.link.server, data + i, sizeof data - 10), EKB_OK);
        tls_link_run(&both.link);
    }
    cr_assert_eq(ekb_endpoint_write(both.link.server, data, sizeof data), EKB_OK);
    tls_link_run(&both.link);

    cr_expect_eq(ekb_endpoint_app_len(both.link.client), 10 * (sizeof data - 10) + sizeof data,
                 "%zu", ekb_endpoint_app_len(both.link.client));
    cr_expect_eq(memcmp(ekb_endpoint_app(both.link.client), data, EKB_ENDPOINT_APP_LEN), 0);
    both_deinit(&both);
}

Test(endpoint, keeps_the_first_bytes_when_data_comes_in_pieces)
{
    static const char text[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,;:!?";
    struct both both;
    both_init_of(&both, EKB_TLS_1_3);
    tls_link_run(&both.link);

    for (size_t i = 0; i + 5 <= sizeof text - 1; i += 5) {
        cr_assert_eq(ekb_endpoint_write(both.link.server, (const uint8_t *)text + i, 5), EKB_OK);
    }
    tls_link_run(&both.link);

    cr_expect_eq(ekb_endpoint_app_len(both.link.client), 65u, "%zu",
                 ekb_endpoint_app_len(both.link.client));
    cr_expect_eq(memcmp(ekb_endpoint_app(both.link.client), text, EKB_ENDPOINT_APP_LEN), 0);
    both_deinit(&both);
}

// The confirmation follows the server's last flight at once.
Test(endpoint, finds_application_data_when_it_comes_with_the_last_flight)
{
    for (size_t i = 0; i < 2; i++) {
        struct tls_bytes to_client = {0};
        struct tls_bytes to_server = {0};
        struct side server = side_of(config_of(EKB_ROLE_SERVER, versions[i]));
        struct side client = side_of(config_of(EKB_ROLE_CLIENT, versions[i]));
        (void)tls_flush(client.endpoint, &to_server, &uncut);
        (void)tls_deliver(server.endpoint, &to_server, &to_client, &uncut);
        (void)tls_deliver(client.endpoint, &to_client, &to_server, &uncut);
        cr_assert_eq(ekb_endpoint_feed(server.endpoint, to_server.data + to_server.begin,
                                       tls_bytes_len(&to_server)),
                     EKB_OK);
        expect_state(server.endpoint, EKB_ENDPOINT_READY, "server");

        cr_assert_eq(ekb_endpoint_write(server.endpoint, (const uint8_t *)"K", 1), EKB_OK);
        (void)tls_flush(server.endpoint, &to_client, &uncut);
        (void)tls_deliver(client.endpoint, &to_client, &to_server, &uncut);

        expect_state(client.endpoint, EKB_ENDPOINT_READY, "client");
        cr_expect_eq(ekb_endpoint_app_len(client.endpoint), 1u, "TLS %s: %zu",
                     ekb_tls_version_name(versions[i]), ekb_endpoint_app_len(client.endpoint));
        tls_bytes_deinit(&to_client);
        tls_bytes_deinit(&to_server);
        side_deinit(&client);
        side_deinit(&server);
    }
}

// Use of one endpoint for many connections.

Test(endpoint, judges_each_connection_alone_when_used_for_many)
{
    struct both both;
    both_init_of(&both, EKB_TLS_1_3);
    struct ekb_tls_options options = options_of(EKB_ROLE_CLIENT, EKB_TLS_1_3);
    options.identity = NULL;
    struct ekb_tls_config *without = tls_config(&options);

    for (int i = 0; i < 60; i++) {
        char label[32];
        (void)snprintf(label, sizeof label, "connection %d", i);
        tls_link_restart(&both.link, i % 3 == 1 ? without : both.client, both.server);
        if (i % 3 == 2) {
            tls_bytes_add(&both.link.to_server, "GET / HTTP/1.1\r\n\r\n", 18);
        }

        tls_link_run(&both.link);

        if (i % 3 == 0) {
            expect_ready(&both, label);
            cr_expect_eq(ekb_endpoint_alert_sent(both.link.server), -1, "%s", label);
            cr_expect_eq(ekb_endpoint_error(both.link.server), EKB_OK, "%s", label);
            cr_expect_str_empty(ekb_endpoint_library_reason(both.link.server), "%s", label);
            cr_assert_eq(ekb_endpoint_write(both.link.server, (const uint8_t *)"K", 1), EKB_OK);
            tls_link_run(&both.link);
            cr_expect_eq(ekb_endpoint_app_len(both.link.client), 1u, "%s", label);
        } else {
            expect_failed(both.link.server, i % 3 == 1 ? EKB_TLS_NO_CERTIFICATE : EKB_TLS_NOT_TLS,
                          label);
        }
    }

    ekb_tls_config_destroy(without);
    both_deinit(&both);
}

Test(endpoint, can_change_its_role_when_started_again)
{
    struct both both;
    both_init_of(&both, EKB_TLS_1_3);
    tls_link_run(&both.link);
    struct ekb_endpoint *kept = both.link.client;
    both.link.client = both.link.server;
    both.link.server = kept;

    tls_link_restart(&both.link, both.client, both.server);
    tls_link_run(&both.link);

    expect_ready(&both, "exchanged");
    both_deinit(&both);
}

// Bytes that are not what they should be.

static const uint8_t huge_record[] = {22, 3, 1, 0xff, 0xff, 0};
static const uint8_t fatal_alert[] = {21, 3, 3, 0, 2, 2, ALERT_HANDSHAKE_FAILURE};
static const uint8_t zeros[64];
static const uint8_t data_record[] = {23, 3, 3, 0, 3, 'a', 'b', 'c'};
static const uint8_t hello_request[] = {22, 3, 3, 0, 4, 0, 0, 0, 0};
static const uint8_t empty_hello[] = {22, 3, 1, 0, 4, 1, 0, 0, 0};

static const struct {
    const char *name;
    const void *bytes;
    size_t len;
    enum ekb_err server_err;
    enum ekb_err client_err;
} garbage[] = {
    {"HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, EKB_TLS_NOT_TLS, EKB_TLS_NOT_TLS},
    {"HTTP post", "POST / HTTP/1.1\r\n\r\n", 19, EKB_TLS_NOT_TLS, EKB_TLS_NOT_TLS},
    {"HTTP proxy request", "CONNECT x:443 HTTP/1.1\r\n\r\n", 26, EKB_TLS_NOT_TLS, EKB_TLS_NOT_TLS},
    {"HTTP response", "HTTP/1.1 400 Bad Request\r\n\r\n", 28, EKB_TLS_NOT_TLS, EKB_TLS_NOT_TLS},
    {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", 21, EKB_TLS_NOT_TLS, EKB_TLS_NOT_TLS},
    {"SMTP", "220 mail.example ESMTP\r\n", 24, EKB_TLS_NOT_TLS, EKB_TLS_NOT_TLS},
    {"zeros", zeros, sizeof zeros, EKB_TLS_NOT_TLS, EKB_TLS_NOT_TLS},
    {"a record of 65535 bytes", huge_record, sizeof huge_record, EKB_TLS_BAD_RECORD,
     EKB_TLS_BAD_RECORD},
    {"an alert first", fatal_alert, sizeof fatal_alert, EKB_TLS_ALERT, EKB_TLS_ALERT},
    {"application data first", data_record, sizeof data_record, EKB_TLS_PROTOCOL, EKB_TLS_PROTOCOL},
    {"a HelloRequest first", hello_request, sizeof hello_request, EKB_TLS_PROTOCOL,
     EKB_TLS_PROTOCOL},
    {"an empty ClientHello", empty_hello, sizeof empty_hello, EKB_TLS_PROTOCOL, EKB_TLS_PROTOCOL},
};

#define NUM_GARBAGE (sizeof garbage / sizeof garbage[0])

// fed_garbage starts an endpoint and feeds it row `index`, whole or byte by byte.
static struct side fed_garbage(size_t index, enum ekb_role role, const struct tls_cut *cut)
{
    struct tls_bytes in = {0};
    struct tls_bytes out = {0};
    struct side side = side_of(config_of(role, EKB_TLS_ANY));
    tls_bytes_add(&in, garbage[index].bytes, garbage[index].len);
    (void)tls_flush(side.endpoint, &out, cut);
    while (tls_deliver(side.endpoint, &in, &out, cut)) {
    }
    tls_bytes_deinit(&in);
    tls_bytes_deinit(&out);
    return side;
}

static void expect_garbage_refused(const struct tls_cut *cut)
{
    for (size_t i = 0; i < NUM_GARBAGE; i++) {
        char label[64];
        struct side server = fed_garbage(i, EKB_ROLE_SERVER, cut);
        struct side client = fed_garbage(i, EKB_ROLE_CLIENT, cut);

        (void)snprintf(label, sizeof label, "%s to the server", garbage[i].name);
        expect_failed(server.endpoint, garbage[i].server_err, label);
        (void)snprintf(label, sizeof label, "%s to the client", garbage[i].name);
        expect_failed(client.endpoint, garbage[i].client_err, label);
        cr_expect_eq(ERR_peek_error(), 0u, "%s: the library's error queue is not empty",
                     garbage[i].name);

        side_deinit(&client);
        side_deinit(&server);
    }
}

Test(endpoint, says_what_is_wrong_when_garbage_comes_whole)
{
    expect_garbage_refused(&uncut);
}

Test(endpoint, says_what_is_wrong_when_garbage_comes_byte_by_byte)
{
    const struct tls_cut cut = {.max_len = 1};
    expect_garbage_refused(&cut);
}

Test(endpoint, has_no_verification_result_when_nothing_was_verified)
{
    for (size_t i = 0; i < NUM_GARBAGE; i++) {
        struct side server = fed_garbage(i, EKB_ROLE_SERVER, &uncut);
        struct side client = fed_garbage(i, EKB_ROLE_CLIENT, &uncut);

        cr_expect_eq(ekb_endpoint_verify_result(server.endpoint), 0, "%s to the server: %d",
                     garbage[i].name, ekb_endpoint_verify_result(server.endpoint));
        cr_expect_eq(ekb_endpoint_verify_result(client.endpoint), 0, "%s to the client: %d",
                     garbage[i].name, ekb_endpoint_verify_result(client.endpoint));

        side_deinit(&client);
        side_deinit(&server);
    }
}

Test(endpoint, names_the_alert_when_one_comes_first)
{
    struct tls_bytes in = {0};
    struct tls_bytes out = {0};
    struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));
    tls_bytes_add(&in, fatal_alert, sizeof fatal_alert);

    (void)tls_deliver(server.endpoint, &in, &out, &uncut);

    cr_expect_eq(ekb_endpoint_alert_received(server.endpoint), ALERT_HANDSHAKE_FAILURE, "%d",
                 ekb_endpoint_alert_received(server.endpoint));
    cr_expect_eq(ekb_endpoint_alert_sent(server.endpoint), -1);
    cr_expect_eq(tls_bytes_len(&out), 0u, "an alert was answered");
    tls_bytes_deinit(&in);
    side_deinit(&server);
}

// A peer that gives up in order, as `openssl s_client` does when it is interrupted.
Test(endpoint, says_that_the_peer_closed_when_it_closes_in_the_handshake)
{
    static const uint8_t close_notify[] = {21, 3, 3, 0, 2, 1, 0};
    static const enum ekb_role roles[] = {EKB_ROLE_SERVER, EKB_ROLE_CLIENT};
    for (size_t i = 0; i < 2; i++) {
        struct tls_bytes in = {0};
        struct tls_bytes out = {0};
        struct side side = side_of(config_of(roles[i], EKB_TLS_ANY));
        (void)tls_flush(side.endpoint, &out, &uncut);
        tls_bytes_add(&in, close_notify, sizeof close_notify);

        (void)tls_deliver(side.endpoint, &in, &out, &uncut);

        expect_failed(side.endpoint, EKB_PEER_CLOSED, i == 0 ? "server" : "client");
        cr_expect_eq(ekb_endpoint_alert_received(side.endpoint), -1);
        tls_bytes_deinit(&in);
        tls_bytes_deinit(&out);
        side_deinit(&side);
    }
}

// is_a_peers_fault is true for the codes that bytes alone can cause.
static bool is_a_peers_fault(enum ekb_err err)
{
    return err == EKB_TLS_NOT_TLS || err == EKB_TLS_BAD_RECORD || err == EKB_TLS_PROTOCOL ||
           err == EKB_TLS_ALERT || err == EKB_TLS_VERSION || err == EKB_TLS_NO_COMMON;
}

Test(endpoint, blames_the_peer_when_random_bytes_come)
{
    struct ekb_rng rng;
    const struct tls_cut cut = {.rng = &rng};
    ekb_rng_init(&rng, 1);
    for (int i = 0; i < 500; i++) {
        uint8_t bytes[200];
        struct tls_bytes in = {0};
        struct tls_bytes out = {0};
        struct side side =
            side_of(config_of(i % 2 == 0 ? EKB_ROLE_SERVER : EKB_ROLE_CLIENT, EKB_TLS_ANY));
        for (size_t j = 0; j < sizeof bytes; j++) {
            bytes[j] = (uint8_t)ekb_rng_next(&rng);
        }
        tls_bytes_add(&in, bytes, sizeof bytes);
        (void)tls_flush(side.endpoint, &out, &cut);

        while (tls_deliver(side.endpoint, &in, &out, &cut)) {
        }

        const enum ekb_err err = ekb_endpoint_error(side.endpoint);
        cr_expect_eq(ekb_endpoint_state(side.endpoint), EKB_ENDPOINT_FAILED, "%d: %02x %02x %02x",
                     i, bytes[0], bytes[1], bytes[2]);
        cr_expect(is_a_peers_fault(err), "%d: %s (%s)", i, ekb_err_name(err),
                  ekb_endpoint_library_reason(side.endpoint));
        tls_bytes_deinit(&in);
        tls_bytes_deinit(&out);
        side_deinit(&side);
    }
}

// A ClientHello with one byte changed: whatever that means, no certificate was sent yet.
Test(endpoint, blames_the_peer_when_its_first_flight_is_damaged)
{
    struct ekb_rng rng;
    struct tls_bytes hello = {0};
    struct side client = side_of(config_of(EKB_ROLE_CLIENT, EKB_TLS_ANY));
    ekb_rng_init(&rng, 2);
    (void)tls_flush(client.endpoint, &hello, &uncut);
    for (size_t i = 0; i < tls_bytes_len(&hello); i++) {
        struct tls_bytes in = {0};
        struct tls_bytes out = {0};
        struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));
        tls_bytes_add(&in, hello.data, tls_bytes_len(&hello));
        in.data[i] ^= (uint8_t)(1 + ekb_rng_below(&rng, 255));

        (void)tls_deliver(server.endpoint, &in, &out, &uncut);

        const enum ekb_err err = ekb_endpoint_error(server.endpoint);
        cr_expect(err == EKB_OK || is_a_peers_fault(err), "byte %zu: %s (%s)", i, ekb_err_name(err),
                  ekb_endpoint_library_reason(server.endpoint));
        cr_expect_neq(ekb_endpoint_state(server.endpoint), EKB_ENDPOINT_READY, "byte %zu", i);
        tls_bytes_deinit(&in);
        tls_bytes_deinit(&out);
        side_deinit(&server);
    }
    tls_bytes_deinit(&hello);
    side_deinit(&client);
}

Test(endpoint, waits_when_the_stream_is_cut_short)
{
    struct tls_bytes hello = {0};
    struct side client = side_of(config_of(EKB_ROLE_CLIENT, EKB_TLS_ANY));
    (void)tls_flush(client.endpoint, &hello, &uncut);
    for (size_t len = 0; len < tls_bytes_len(&hello); len++) {
        struct tls_bytes in = {0};
        struct tls_bytes out = {0};
        struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));
        tls_bytes_add(&in, hello.data, len);

        (void)tls_deliver(server.endpoint, &in, &out, &uncut);

        cr_expect_eq(ekb_endpoint_state(server.endpoint), EKB_ENDPOINT_HANDSHAKING, "%zu bytes: %s",
                     len, ekb_err_name(ekb_endpoint_error(server.endpoint)));
        cr_expect_eq(tls_bytes_len(&out), 0u, "%zu bytes were answered", len);
        tls_bytes_deinit(&in);
        tls_bytes_deinit(&out);
        side_deinit(&server);
    }
    tls_bytes_deinit(&hello);
    side_deinit(&client);
}

Test(endpoint, consumes_nothing_when_fed_no_bytes)
{
    struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));
    uint8_t nothing[1] = {0};

    const enum ekb_err err = ekb_endpoint_feed(server.endpoint, nothing, 0);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    expect_state(server.endpoint, EKB_ENDPOINT_HANDSHAKING, "server");
    side_deinit(&server);
}

Test(endpoint, has_an_alert_pending_when_it_fails)
{
    size_t len = 0;
    struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));

    const enum ekb_err err = ekb_endpoint_feed(server.endpoint, huge_record, sizeof huge_record);

    const uint8_t *pending = ekb_endpoint_pending(server.endpoint, &len);
    cr_expect_eq(err, EKB_TLS_BAD_RECORD, "%s", ekb_err_name(err));
    cr_assert_eq(len, 7u, "%zu", len);
    cr_expect(pending[0] == 21 && pending[5] == 2 && pending[6] == ALERT_RECORD_OVERFLOW,
              "%d, %d, %d", pending[0], pending[5], pending[6]);
    cr_expect_eq(ekb_endpoint_alert_sent(server.endpoint), ALERT_RECORD_OVERFLOW);
    side_deinit(&server);
}

Test(endpoint, keeps_its_first_error_when_more_is_fed)
{
    struct tls_bytes hello = {0};
    struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));
    struct side client = side_of(config_of(EKB_ROLE_CLIENT, EKB_TLS_ANY));
    (void)tls_flush(client.endpoint, &hello, &uncut);
    cr_assert_eq(ekb_endpoint_feed(server.endpoint, huge_record, sizeof huge_record),
                 EKB_TLS_BAD_RECORD);
    const size_t alert_len = pending_len(server.endpoint);

    for (int i = 0; i < 3; i++) {
        const enum ekb_err err =
            ekb_endpoint_feed(server.endpoint, hello.data, tls_bytes_len(&hello));

        cr_expect_eq(err, EKB_TLS_BAD_RECORD, "%d: %s", i, ekb_err_name(err));
        cr_expect_eq(pending_len(server.endpoint), alert_len, "%d: %zu", i,
                     pending_len(server.endpoint));
        expect_failed(server.endpoint, EKB_TLS_BAD_RECORD, "fed again");
    }
    const enum ekb_err err = ekb_endpoint_sent(server.endpoint, alert_len);
    cr_expect_eq(err, EKB_TLS_BAD_RECORD, "%s", ekb_err_name(err));
    cr_expect_eq(pending_len(server.endpoint), 0u);
    tls_bytes_deinit(&hello);
    side_deinit(&client);
    side_deinit(&server);
}

Test(endpoint, has_the_librarys_reason_when_it_fails)
{
    struct side server = side_of(config_of(EKB_ROLE_SERVER, EKB_TLS_ANY));

    (void)ekb_endpoint_feed(server.endpoint, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18);

    cr_expect_str_eq(ekb_endpoint_library_reason(server.endpoint), "HTTP_REQUEST", "%s",
                     ekb_endpoint_library_reason(server.endpoint));
    side_deinit(&server);
}

// Records that were damaged on their way.

Test(endpoint, says_that_a_record_is_bad_when_the_second_flight_is_damaged)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init_of(&both, versions[i]);
        (void)tls_flush(both.link.client, &both.link.to_server, &uncut);
        (void)tls_deliver(both.link.server, &both.link.to_server, &both.link.to_client, &uncut);
        (void)tls_deliver(both.link.client, &both.link.to_client, &both.link.to_server, &uncut);
        both.link.to_server.data[both.link.to_server.end - 1] ^= 1;

        tls_link_run(&both.link);

        expect_failed(both.link.server, EKB_TLS_BAD_RECORD, "server");
        cr_expect_eq(ekb_endpoint_alert_sent(both.link.server), ALERT_BAD_RECORD_MAC, "%d",
                     ekb_endpoint_alert_sent(both.link.server));
        expect_failed(both.link.client, EKB_TLS_ALERT, "client");
        both_deinit(&both);
    }
}

Test(endpoint, says_that_a_record_is_bad_when_application_data_is_damaged)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init_of(&both, versions[i]);
        tls_link_run(&both.link);
        cr_assert_eq(ekb_endpoint_write(both.link.server, (const uint8_t *)"K", 1), EKB_OK);
        (void)tls_flush(both.link.server, &both.link.to_client, &uncut);
        both.link.to_client.data[both.link.to_client.end - 1] ^= 1;

        tls_link_run(&both.link);

        expect_failed(both.link.client, EKB_TLS_BAD_RECORD, "client");
        cr_expect_eq(ekb_endpoint_app_len(both.link.client), 0u);
        both_deinit(&both);
    }
}

// Peers that are not ours.

// foreign_context makes a context that accepts every server.
static enum ssl_verify_result_t accept_all(SSL *ssl, uint8_t *out_alert)
{
    (void)ssl;
    (void)out_alert;
    return ssl_verify_ok;
}

static SSL_CTX *foreign_context(enum ekb_tls_version version)
{
    const uint16_t protocol = version == EKB_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX *context = SSL_CTX_new(TLS_with_buffers_method());
    cr_assert(context != NULL && SSL_CTX_set_min_proto_version(context, protocol) == 1 &&
              SSL_CTX_set_max_proto_version(context, protocol) == 1);
    SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, accept_all);
    return context;
}

// A connection of a foreign client with one of our servers.
struct visit {
    struct side server;
    struct tls_foreign client;
    struct tls_bytes to_server;
};

static void visit_init(struct visit *out_visit, SSL_CTX *client, struct ekb_tls_config *server)
{
    *out_visit = (struct visit){.server = side_of(server)};
    tls_foreign_init(&out_visit->client, client, EKB_ROLE_CLIENT, &out_visit->to_server);
}

static void visit_run(struct visit *visit)
{
    tls_foreign_run(&visit->client, visit->server.endpoint, &visit->to_server);
}

static void visit_deinit(struct visit *visit)
{
    tls_foreign_deinit(&visit->client);
    tls_bytes_deinit(&visit->to_server);
    side_deinit(&visit->server);
}

Test(endpoint, serves_a_foreign_client_when_it_speaks_tls)
{
    for (size_t i = 0; i < 2; i++) {
        struct visit visit;
        visit_init(&visit, foreign_context(versions[i]),
                   server_of(EKB_VERIFY_ONE_WAY, versions[i]));

        visit_run(&visit);

        expect_state(visit.server.endpoint, EKB_ENDPOINT_READY, "server");
        cr_expect(visit.client.done);
        cr_expect_not(visit.client.failed);
        visit_deinit(&visit);
    }
}

Test(endpoint, is_closed_when_the_peer_closes_in_order)
{
    for (size_t i = 0; i < 2; i++) {
        struct visit visit;
        visit_init(&visit, foreign_context(versions[i]),
                   server_of(EKB_VERIFY_ONE_WAY, versions[i]));
        visit_run(&visit);

        cr_assert_geq(SSL_shutdown(visit.client.ssl), 0);
        visit_run(&visit);

        expect_state(visit.server.endpoint, EKB_ENDPOINT_CLOSED, "server");
        cr_expect_eq(ekb_endpoint_error(visit.server.endpoint), EKB_OK);
        // That is no alert worth a number.
        cr_expect_eq(ekb_endpoint_alert_received(visit.server.endpoint), -1, "%d",
                     ekb_endpoint_alert_received(visit.server.endpoint));
        visit_deinit(&visit);
    }
}

Test(endpoint, keeps_the_data_when_the_peer_closes_right_after_it)
{
    for (size_t i = 0; i < 2; i++) {
        struct visit visit;
        visit_init(&visit, foreign_context(versions[i]),
                   server_of(EKB_VERIFY_ONE_WAY, versions[i]));
        visit_run(&visit);

        cr_assert_eq(SSL_write(visit.client.ssl, "bye", 3), 3);
        cr_assert_geq(SSL_shutdown(visit.client.ssl), 0);
        visit_run(&visit);

        expect_state(visit.server.endpoint, EKB_ENDPOINT_CLOSED, "server");
        cr_expect_eq(ekb_endpoint_app_len(visit.server.endpoint), 3u, "%zu",
                     ekb_endpoint_app_len(visit.server.endpoint));
        visit_deinit(&visit);
    }
}

Test(endpoint, ignores_what_follows_when_the_peer_has_closed)
{
    struct tls_bytes out = {0};
    struct visit visit;
    visit_init(&visit, foreign_context(EKB_TLS_1_3), server_of(EKB_VERIFY_ONE_WAY, EKB_TLS_1_3));
    visit_run(&visit);
    cr_assert_geq(SSL_shutdown(visit.client.ssl), 0);
    tls_foreign_step(&visit.client, &out, &visit.to_server);
    // In the same bytes, and in later ones.
    tls_bytes_add(&visit.to_server, zeros, sizeof zeros);
    (void)tls_deliver(visit.server.endpoint, &visit.to_server, &out, &uncut);
    expect_state(visit.server.endpoint, EKB_ENDPOINT_CLOSED, "the same bytes");

    const enum ekb_err err = ekb_endpoint_feed(visit.server.endpoint, zeros, sizeof zeros);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    expect_state(visit.server.endpoint, EKB_ENDPOINT_CLOSED, "later bytes");
    cr_expect_eq(tls_bytes_len(&out), 0u);
    tls_bytes_deinit(&out);
    visit_deinit(&visit);
}

// What a foreign client offers that no server of ours takes.
static void expect_visit_refused(SSL_CTX *client, enum ekb_tls_version version, enum ekb_err err,
                                 int alert, const char *label)
{
    struct visit visit;
    visit_init(&visit, client, config_of(EKB_ROLE_SERVER, version));

    visit_run(&visit);

    expect_failed(visit.server.endpoint, err, label);
    cr_expect_eq(ekb_endpoint_alert_sent(visit.server.endpoint), alert, "%s: alert %d", label,
                 ekb_endpoint_alert_sent(visit.server.endpoint));
    cr_expect(visit.client.failed, "%s", label);
    visit_deinit(&visit);
}

Test(endpoint, has_nothing_in_common_when_no_cipher_is_shared)
{
    SSL_CTX *client = foreign_context(EKB_TLS_1_2);
    cr_assert_eq(SSL_CTX_set_strict_cipher_list(client, "ECDHE-ECDSA-CHACHA20-POLY1305"), 1);

    expect_visit_refused(client, EKB_TLS_1_2, EKB_TLS_NO_COMMON, ALERT_HANDSHAKE_FAILURE, "cipher");
}

Test(endpoint, has_nothing_in_common_when_no_group_is_shared)
{
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX *client = foreign_context(versions[i]);
        cr_assert_eq(SSL_CTX_set1_curves_list(client, "P-521"), 1);

        expect_visit_refused(client, versions[i], EKB_TLS_NO_COMMON, ALERT_HANDSHAKE_FAILURE,
                             "group");
    }
}

Test(endpoint, has_nothing_in_common_when_no_signature_algorithm_is_shared)
{
    static const uint16_t rsa[] = {SSL_SIGN_RSA_PSS_RSAE_SHA256};
    SSL_CTX *client = foreign_context(EKB_TLS_1_3);
    cr_assert_eq(SSL_CTX_set_verify_algorithm_prefs(client, rsa, 1), 1);

    expect_visit_refused(client, EKB_TLS_1_3, EKB_TLS_NO_COMMON, ALERT_HANDSHAKE_FAILURE,
                         "signature algorithm");
}

Test(endpoint, has_no_version_in_common_when_the_peer_is_old)
{
    SSL_CTX *client = foreign_context(EKB_TLS_1_2);
    cr_assert_eq(SSL_CTX_set_min_proto_version(client, TLS1_VERSION), 1);
    cr_assert_eq(SSL_CTX_set_max_proto_version(client, TLS1_1_VERSION), 1);

    expect_visit_refused(client, EKB_TLS_ANY, EKB_TLS_VERSION, ALERT_PROTOCOL_VERSION, "TLS 1.1");
}

// The library reports a bad point first by its arithmetic, which knows no certificates either.
Test(endpoint, blames_the_protocol_when_a_key_share_is_no_point)
{
    static const uint8_t share_header[] = {0, 23, 0, 65, 4};
    struct visit visit;
    SSL_CTX *client = foreign_context(EKB_TLS_1_3);
    cr_assert_eq(SSL_CTX_set1_curves_list(client, "P-256"), 1);
    visit_init(&visit, client, config_of(EKB_ROLE_SERVER, EKB_TLS_1_3));
    uint8_t *share = memmem(visit.to_server.data, tls_bytes_len(&visit.to_server), share_header,
                            sizeof share_header);
    cr_assert_not_null(share);
    share[sizeof share_header + 63] ^= 1;

    visit_run(&visit);

    expect_failed(visit.server.endpoint, EKB_TLS_PROTOCOL, "key share");
    visit_deinit(&visit);
}

// Clients that do not hold the key of the certificate that they present.

static enum ssl_private_key_result_t sign_wrongly(SSL *ssl, uint8_t *out, size_t *out_len,
                                                  size_t max_out, uint16_t algorithm,
                                                  const uint8_t *in, size_t in_len)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    struct tls_self_signed other;
    const int type = SSL_get_signature_algorithm_key_type(algorithm);
    (void)ssl;
    // With another key of the same type: a signature in every respect but one.
    tls_self_signed_init(&other, type == EVP_PKEY_RSA ? EKB_KEY_RSA2048 : EKB_KEY_P256,
                         EKB_EKU_ABSENT);
    EVP_PKEY_CTX *key = NULL;
    *out_len = max_out;
    cr_assert_eq(EVP_DigestSignInit(digest, &key, SSL_get_signature_algorithm_digest(algorithm),
                                    NULL, other.pkey),
                 1);
    if (SSL_is_signature_algorithm_rsa_pss(algorithm)) {
        cr_assert(EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(key, -1) == 1);
    }
    cr_assert_eq(EVP_DigestSign(digest, out, out_len, in, in_len), 1);
    tls_self_signed_deinit(&other);
    EVP_MD_CTX_free(digest);
    return ssl_private_key_success;
}

static enum ssl_private_key_result_t sign_with_zeros(SSL *ssl, uint8_t *out, size_t *out_len,
                                                     size_t max_out, uint16_t algorithm,
                                                     const uint8_t *in, size_t in_len)
{
    (void)ssl;
    (void)algorithm;
    (void)in;
    (void)in_len;
    *out_len = max_out;
    memset(out, 0, max_out);
    return ssl_private_key_success;
}

static enum ssl_private_key_result_t no_decrypt(SSL *ssl, uint8_t *out, size_t *out_len,
                                                size_t max_out, const uint8_t *in, size_t in_len)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in;
    (void)in_len;
    return ssl_private_key_failure;
}

static enum ssl_private_key_result_t no_complete(SSL *ssl, uint8_t *out, size_t *out_len,
                                                 size_t max_out)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    return ssl_private_key_failure;
}

static const SSL_PRIVATE_KEY_METHOD wrong_key = {sign_wrongly, no_decrypt, no_complete};
static const SSL_PRIVATE_KEY_METHOD zero_key = {sign_with_zeros, no_decrypt, no_complete};

// present has `client` present the certificates, `num_certs` of them, with a key method or a key.
static void present(SSL_CTX *client, CRYPTO_BUFFER *const *certs, size_t num_certs, EVP_PKEY *pkey,
                    const SSL_PRIVATE_KEY_METHOD *method)
{
    cr_assert_eq(SSL_CTX_set_chain_and_key(client, certs, num_certs, pkey, method), 1);
}

static CRYPTO_BUFFER *buffer_of(X509 *x509)
{
    uint8_t *der = NULL;
    const int der_len = i2d_X509(x509, &der);
    cr_assert_gt(der_len, 0);
    CRYPTO_BUFFER *buffer = CRYPTO_BUFFER_new(der, (size_t)der_len, NULL);
    OPENSSL_free(der);
    return buffer;
}

static void expect_liar_refused(enum ekb_key_type type, const SSL_PRIVATE_KEY_METHOD *method,
                                enum ekb_verify_level verify, enum ekb_tls_version version)
{
    char label[100];
    struct tls_self_signed entity;
    struct visit visit;
    SSL_CTX *client = foreign_context(version);
    tls_self_signed_init(&entity, type, EKB_EKU_CLIENT_AUTH);
    CRYPTO_BUFFER *cert = buffer_of(entity.x509);
    struct ekb_identity shown = tls_self_signed_identity(&entity);
    struct ekb_tls_options options = options_of(EKB_ROLE_SERVER, version);
    options.policy.verify = verify;
    options.trust = shown.chain; // The certificate itself is good.
    present(client, &cert, 1, NULL, method);
    visit_init(&visit, client, tls_config(&options));
    (void)snprintf(label, sizeof label, "%s, TLS %s, level %s, %s", ekb_key_type_name(type),
                   ekb_tls_version_name(version), ekb_verify_level_name(verify),
                   method == &zero_key ? "zeros" : "another key");

    visit_run(&visit);

    expect_failed(visit.server.endpoint, EKB_TLS_BAD_SIGNATURE, label);
    cr_expect_eq(ekb_endpoint_alert_sent(visit.server.endpoint), ALERT_DECRYPT_ERROR,
                 "%s: alert %d", label, ekb_endpoint_alert_sent(visit.server.endpoint));
    visit_deinit(&visit);
    CRYPTO_BUFFER_free(cert);
    tls_identity_deinit(&shown);
    tls_self_signed_deinit(&entity);
}

static void expect_liars_refused(enum ekb_verify_level verify)
{
    for (size_t i = 0; i < 2; i++) {
        expect_liar_refused(EKB_KEY_P256, &wrong_key, verify, versions[i]);
        expect_liar_refused(EKB_KEY_P256, &zero_key, verify, versions[i]);
        expect_liar_refused(EKB_KEY_RSA2048, &wrong_key, verify, versions[i]);
        expect_liar_refused(EKB_KEY_RSA2048, &zero_key, verify, versions[i]);
        expect_liar_refused(EKB_KEY_ED25519, &zero_key, verify, versions[i]);
    }
}

Test(endpoint, refuses_a_client_without_its_key_when_it_verifies_fully)
{
    expect_liars_refused(EKB_VERIFY_FULL);
}

Test(endpoint, refuses_a_client_without_its_key_when_it_only_parses)
{
    expect_liars_refused(EKB_VERIFY_PARSE);
}

Test(endpoint, refuses_a_client_without_its_key_when_it_only_reads_the_key)
{
    expect_liars_refused(EKB_VERIFY_RAW);
}

// Certificates that are none.

// visit_with_garbage_behind presents a good leaf, followed by something that is no certificate.
static void visit_with_garbage_behind(struct visit *out_visit, struct tls_self_signed *entity,
                                      enum ekb_verify_level verify, enum ekb_tls_version version)
{
    static const uint8_t bytes[] = "this is no certificate";
    SSL_CTX *client = foreign_context(version);
    CRYPTO_BUFFER *certs[] = {buffer_of(entity->x509),
                              CRYPTO_BUFFER_new(bytes, sizeof bytes, NULL)};
    present(client, certs, 2, entity->pkey, NULL);
    visit_init(out_visit, client, server_of(verify, version));
    visit_run(out_visit);
    CRYPTO_BUFFER_free(certs[0]);
    CRYPTO_BUFFER_free(certs[1]);
}

Test(endpoint, refuses_an_intermediate_when_it_is_no_certificate)
{
    static const enum ekb_verify_level levels[] = {EKB_VERIFY_FULL, EKB_VERIFY_PARSE};
    struct tls_self_signed entity;
    tls_self_signed_init(&entity, EKB_KEY_P256, EKB_EKU_CLIENT_AUTH);
    for (size_t i = 0; i < 4; i++) {
        struct visit visit;

        visit_with_garbage_behind(&visit, &entity, levels[i / 2], versions[i % 2]);

        expect_failed(visit.server.endpoint, EKB_TLS_BAD_CERTIFICATE,
                      ekb_verify_level_name(levels[i / 2]));
        visit_deinit(&visit);
    }
    tls_self_signed_deinit(&entity);
}

Test(endpoint, accepts_what_is_no_certificate_behind_the_leaf_when_it_reads_only_the_key)
{
    struct tls_self_signed entity;
    tls_self_signed_init(&entity, EKB_KEY_P256, EKB_EKU_CLIENT_AUTH);
    for (size_t i = 0; i < 2; i++) {
        struct visit visit;

        visit_with_garbage_behind(&visit, &entity, EKB_VERIFY_RAW, versions[i]);

        expect_state(visit.server.endpoint, EKB_ENDPOINT_READY, "raw");
        cr_expect_eq(ekb_endpoint_num_peer_certs(visit.server.endpoint), 2u);
        visit_deinit(&visit);
    }
    tls_self_signed_deinit(&entity);
}

// A name that cannot be asked for is our own fault, and not the peer's.
Test(endpoint, does_not_blame_the_peer_when_its_own_server_name_is_impossible)
{
    char name[400];
    struct ekb_endpoint *endpoint = NULL;
    struct ekb_tls_options options = options_of(EKB_ROLE_CLIENT, EKB_TLS_1_3);
    struct ekb_tls_config *config = NULL;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    options.sni = name;
    cr_assert_eq(ekb_endpoint_create(&endpoint), EKB_OK);

    // Refused at once, or when a connection begins.
    enum ekb_err err = ekb_tls_config_create(&config, &options, NULL);
    if (err == EKB_OK) {
        err = ekb_endpoint_start(endpoint, config);
    }

    cr_expect(err == EKB_USAGE || err == EKB_TLS_INTERNAL, "%s", ekb_err_name(err));
    ekb_endpoint_destroy(endpoint);
    ekb_tls_config_destroy(config);
}
