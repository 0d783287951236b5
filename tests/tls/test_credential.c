// What a connection presents where that is not always the same: a server with two certificates, a
// client with many.

#include "support/fixtures.h"
#include "support/tls_link.h"

#include "ekubench/tls/config.h"
#include "ekubench/tls/endpoint.h"

#include <criterion/criterion.h>
#include <openssl/mem.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ALERT_HANDSHAKE_FAILURE 40
#define BOTH_USAGES (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)
#define NUM_IDENTITIES 6

static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};

// By kind of key, each under a root of its own; made when first asked for.
static struct fixture_pki pkis[EKB_KEY_NUM_TYPES];

static const struct fixture_pki *pki_of(enum ekb_key_type type)
{
    const struct fixture_pki_spec spec = {.key_type = type, .eku = BOTH_USAGES};
    if (pkis[type].chain == NULL) {
        fixture_pki_init(&pkis[type], &spec);
    }
    return &pkis[type];
}

static struct ekb_identity identity_of(enum ekb_key_type type)
{
    return (struct ekb_identity){.chain = pki_of(type)->chain, .key = pki_of(type)->key};
}

static void tear_down(void)
{
    for (size_t type = 0; type < EKB_KEY_NUM_TYPES; type++) {
        fixture_pki_deinit(&pkis[type]);
    }
}

TestSuite(second, .fini = tear_down, .timeout = 60);

// A server with two certificates.

static struct ekb_tls_options one_way_server(enum ekb_tls_version version)
{
    struct ekb_policy policy = ekb_policy_default();
    policy.verify = EKB_VERIFY_ONE_WAY;
    return (struct ekb_tls_options){.role = EKB_ROLE_SERVER, .version = version, .policy = policy};
}

struct wish_case {
    const char *name;
    enum ekb_tls_version client_version;
    enum ekb_tls_version server_version;
    enum ekb_key_type one;
    enum ekb_key_type other;
    struct ekb_tls_preferences client;
    enum ekb_key_type presented;
    const char *signature; // What it signs with; NULL: the library's choice.
};

// expect_presented lets the client trust the root of the wanted certificate alone.
static void expect_presented(const struct wish_case *c, enum ekb_key_type first,
                             enum ekb_key_type second)
{
    char name[128];
    struct tls_link link;
    const struct ekb_identity identity = identity_of(first);
    const struct ekb_identity second_identity = identity_of(second);
    struct ekb_tls_options server = one_way_server(c->server_version);
    server.identity = &identity;
    server.second_identity = &second_identity;
    const struct ekb_tls_options client = {.role = EKB_ROLE_CLIENT,
                                           .version = c->client_version,
                                           .preferences = c->client,
                                           .trust = fixture_pki_root(pki_of(c->presented)),
                                           .policy = ekb_policy_default()};
    struct ekb_tls_config *server_config = tls_config(&server);
    struct ekb_tls_config *client_config = tls_config(&client);
    (void)snprintf(name, sizeof name, "%s, %s first", c->name, ekb_key_type_name(first));

    tls_link_init(&link, client_config, server_config);
    tls_link_run(&link);

    const enum ekb_err of_client = ekb_endpoint_error(link.client);
    const enum ekb_err of_server = ekb_endpoint_error(link.server);
    cr_expect_eq(of_client, EKB_OK, "%s: client: %s", name, ekb_err_name(of_client));
    cr_expect_eq(of_server, EKB_OK, "%s: server: %s", name, ekb_err_name(of_server));
    cr_expect_eq(ekb_endpoint_state(link.client), EKB_ENDPOINT_READY, "%s", name);
    const char *signature = ekb_endpoint_signature_name(link.client);
    cr_expect(c->signature == NULL || strcmp(signature, c->signature) == 0, "%s: %s", name,
              signature);
    tls_link_deinit(&link);
    ekb_tls_config_destroy(client_config);
    ekb_tls_config_destroy(server_config);
}

// expect_wishes expects the same, whichever stands first.
static void expect_wishes(const struct wish_case *cases, size_t num_cases)
{
    for (size_t i = 0; i < num_cases; i++) {
        expect_presented(&cases[i], cases[i].one, cases[i].other);
        expect_presented(&cases[i], cases[i].other, cases[i].one);
    }
}

#define EXPECT_WISHES(cases) expect_wishes(cases, sizeof(cases) / sizeof(cases)[0])
#define SIGNATURES(list)                                                                           \
    {                                                                                              \
        .signatures = (list)                                                                       \
    }
#define CIPHERS(list)                                                                              \
    {                                                                                              \
        .ciphers = (list)                                                                          \
    }

Test(second, is_presented_by_the_clients_signatures_in_tls_1_3)
{
    static const struct wish_case cases[] = {
        {"P-256 before RSA", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256"), EKB_KEY_P256,
         "ecdsa_secp256r1_sha256"},
        {"RSA before P-256", EKB_TLS_1_3, EKB_TLS_ANY, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256"), EKB_KEY_RSA2048,
         "rsa_pss_rsae_sha256"},
        {"any version", EKB_TLS_ANY, EKB_TLS_ANY, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pss_rsae_sha512:ecdsa_secp256r1_sha256"), EKB_KEY_RSA2048,
         "rsa_pss_rsae_sha512"},
        {"P-384 before RSA", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P384, EKB_KEY_RSA2048,
         SIGNATURES("ecdsa_secp384r1_sha384:rsa_pss_rsae_sha384"), EKB_KEY_P384,
         "ecdsa_secp384r1_sha384"},
        {"RSA before P-384", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P384, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pss_rsae_sha384:ecdsa_secp384r1_sha384"), EKB_KEY_RSA2048,
         "rsa_pss_rsae_sha384"},
        {"Ed25519 before RSA", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_ED25519, EKB_KEY_RSA2048,
         SIGNATURES("ed25519:rsa_pss_rsae_sha256"), EKB_KEY_ED25519, "ed25519"},
        {"RSA before Ed25519", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_ED25519, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pss_rsae_sha256:ed25519"), EKB_KEY_RSA2048, "rsa_pss_rsae_sha256"},
        {"the usual order",
         EKB_TLS_1_3,
         EKB_TLS_1_3,
         EKB_KEY_P384,
         EKB_KEY_RSA2048,
         {NULL},
         EKB_KEY_P384,
         NULL},
    };
    EXPECT_WISHES(cases);
}

// In TLS 1.3 the curve is part of an algorithm's name.
Test(second, is_told_apart_by_its_curve_in_tls_1_3)
{
    static const struct wish_case cases[] = {
        {"P-256 before P-384", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P256, EKB_KEY_P384,
         SIGNATURES("ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384"), EKB_KEY_P256,
         "ecdsa_secp256r1_sha256"},
        {"P-384 before P-256", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P256, EKB_KEY_P384,
         SIGNATURES("ecdsa_secp384r1_sha384:ecdsa_secp256r1_sha256"), EKB_KEY_P384,
         "ecdsa_secp384r1_sha384"},
        {"a curve that nobody has", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P384, EKB_KEY_ED25519,
         SIGNATURES("ecdsa_secp521r1_sha512:ecdsa_secp256r1_sha256:ed25519:ecdsa_secp384r1_sha384"),
         EKB_KEY_ED25519, "ed25519"},
    };
    EXPECT_WISHES(cases);
}

// PKCS #1 signs certificates in TLS 1.3, not handshakes (RFC 8446 section 4.2.3).
Test(second, is_not_presented_for_an_algorithm_of_tls_1_2_in_tls_1_3)
{
    static const struct wish_case cases[] = {
        {"PKCS #1 first", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pkcs1_sha256:ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256"), EKB_KEY_P256,
         "ecdsa_secp256r1_sha256"},
    };
    EXPECT_WISHES(cases);
}

Test(second, is_presented_by_the_clients_suites_in_tls_1_2)
{
    static const struct wish_case cases[] = {
        {"ECDSA first", EKB_TLS_1_2, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_RSA2048,
         CIPHERS("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"), EKB_KEY_P256,
         "ecdsa_secp256r1_sha256"},
        {"RSA first", EKB_TLS_1_2, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_RSA2048,
         CIPHERS("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"), EKB_KEY_RSA2048,
         NULL},
        {"the usual order",
         EKB_TLS_1_2,
         EKB_TLS_ANY,
         EKB_KEY_P384,
         EKB_KEY_RSA2048,
         {NULL},
         EKB_KEY_P384,
         NULL},
        {"Ed25519 is with ECDSA",
         EKB_TLS_1_2,
         EKB_TLS_1_2,
         EKB_KEY_ED25519,
         EKB_KEY_RSA2048,
         {NULL},
         EKB_KEY_ED25519,
         "ed25519"},
        {"the server has not the first", EKB_TLS_1_2, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_RSA2048,
         CIPHERS("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"), EKB_KEY_P256,
         "ecdsa_secp256r1_sha256"},
        // The signatures of a client that could TLS 1.3 are no order in TLS 1.2.
        {"the server cannot 1.3", EKB_TLS_ANY, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256"), EKB_KEY_P256,
         "ecdsa_secp256r1_sha256"},
        {"the client cannot 1.3", EKB_TLS_1_2, EKB_TLS_ANY, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256"), EKB_KEY_P256,
         "ecdsa_secp256r1_sha256"},
    };
    EXPECT_WISHES(cases);
}

Test(second, is_presented_when_the_client_can_only_that_one)
{
    static const struct wish_case cases[] = {
        {"RSA alone, 1.3", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pss_rsae_sha384"), EKB_KEY_RSA2048, "rsa_pss_rsae_sha384"},
        {"P-256 alone, 1.3", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("ecdsa_secp256r1_sha256"), EKB_KEY_P256, "ecdsa_secp256r1_sha256"},
        {"Ed25519 alone, 1.3", EKB_TLS_1_3, EKB_TLS_1_3, EKB_KEY_P256, EKB_KEY_ED25519,
         SIGNATURES("ed25519"), EKB_KEY_ED25519, "ed25519"},
        {"RSA alone, 1.2", EKB_TLS_1_2, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_RSA2048,
         CIPHERS("ECDHE-RSA-AES256-GCM-SHA384"), EKB_KEY_RSA2048, NULL},
        {"ECDSA alone, 1.2", EKB_TLS_1_2, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_RSA2048,
         CIPHERS("ECDHE-ECDSA-AES256-GCM-SHA384"), EKB_KEY_P256, "ecdsa_secp256r1_sha256"},
    };
    EXPECT_WISHES(cases);
}

// In TLS 1.2 a suite is not all: the client must know the algorithm, and the curve.
Test(second, is_presented_in_tls_1_2_when_the_client_cannot_verify_the_other)
{
    static const struct wish_case cases[] = {
        {"only PSS", EKB_TLS_1_2, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pss_rsae_sha256"), EKB_KEY_RSA2048, "rsa_pss_rsae_sha256"},
        {"only PKCS #1", EKB_TLS_1_2, EKB_TLS_ANY, EKB_KEY_P256, EKB_KEY_RSA2048,
         SIGNATURES("rsa_pkcs1_sha256"), EKB_KEY_RSA2048, "rsa_pkcs1_sha256"},
        {"no Ed25519", EKB_TLS_1_2, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_ED25519,
         SIGNATURES("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256"), EKB_KEY_P256,
         "ecdsa_secp256r1_sha256"},
        {"only Ed25519", EKB_TLS_1_2, EKB_TLS_1_2, EKB_KEY_P256, EKB_KEY_ED25519,
         SIGNATURES("ed25519"), EKB_KEY_ED25519, "ed25519"},
        {"no P-384",
         EKB_TLS_1_2,
         EKB_TLS_1_2,
         EKB_KEY_P384,
         EKB_KEY_RSA2048,
         {.groups = "X25519:P-256"},
         EKB_KEY_RSA2048,
         NULL},
        {"no P-384, two curves",
         EKB_TLS_1_2,
         EKB_TLS_1_2,
         EKB_KEY_P384,
         EKB_KEY_P256,
         {.groups = "X25519:P-256"},
         EKB_KEY_P256,
         NULL},
        {"no P-256, two curves",
         EKB_TLS_1_2,
         EKB_TLS_1_2,
         EKB_KEY_P384,
         EKB_KEY_P256,
         {.groups = "X25519:P-384"},
         EKB_KEY_P384,
         NULL},
        // A curve that is no curve of exchange.
        {"Ed25519 has none",
         EKB_TLS_1_2,
         EKB_TLS_1_2,
         EKB_KEY_ED25519,
         EKB_KEY_RSA2048,
         {.groups = "X25519"},
         EKB_KEY_ED25519,
         "ed25519"},
    };
    EXPECT_WISHES(cases);
}

struct neither_case {
    const char *name;
    enum ekb_tls_version version;
    struct ekb_tls_preferences client;
};

Test(second, is_of_no_use_when_the_client_can_neither)
{
    static const struct neither_case cases[] = {
        {"signatures, 1.3", EKB_TLS_1_3, SIGNATURES("rsa_pss_rsae_sha256:ecdsa_secp384r1_sha384")},
        {"suites, 1.2", EKB_TLS_1_2, CIPHERS("ECDHE-RSA-AES128-GCM-SHA256")},
        {"signatures, 1.2", EKB_TLS_1_2, SIGNATURES("rsa_pss_rsae_sha256")},
    };
    const struct ekb_identity identity = identity_of(EKB_KEY_P256);
    const struct ekb_identity second_identity = identity_of(EKB_KEY_ED25519);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_link link;
        struct ekb_tls_options server = one_way_server(EKB_TLS_ANY);
        server.identity = &identity;
        server.second_identity = &second_identity;
        const struct ekb_tls_options client = {.role = EKB_ROLE_CLIENT,
                                               .version = cases[i].version,
                                               .preferences = cases[i].client,
                                               .trust = fixture_pki_root(pki_of(EKB_KEY_P256)),
                                               .policy = ekb_policy_default()};
        struct ekb_tls_config *server_config = tls_config(&server);
        struct ekb_tls_config *client_config = tls_config(&client);

        tls_link_init(&link, client_config, server_config);
        tls_link_run(&link);

        const enum ekb_err err = ekb_endpoint_error(link.server);
        cr_expect_eq(err, EKB_TLS_NO_COMMON, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_eq(ekb_endpoint_error(link.client), EKB_TLS_ALERT, "%s", cases[i].name);
        cr_expect_eq(ekb_endpoint_alert_received(link.client), ALERT_HANDSHAKE_FAILURE, "%s: %d",
                     cases[i].name, ekb_endpoint_alert_received(link.client));
        tls_link_deinit(&link);
        ekb_tls_config_destroy(client_config);
        ekb_tls_config_destroy(server_config);
    }
}

static void expect_refused(const struct ekb_tls_options *options, enum ekb_err wanted,
                           const char *name)
{
    struct ekb_tls_config *config = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_tls_config_create(&config, options, &fail);

    cr_expect_eq(err, wanted, "%s: %s: %s", name, ekb_err_name(err), fail.detail);
    cr_expect_null(config, "%s", name);
    cr_expect_neq(fail.detail[0], '\0', "%s", name);
}

// And not in the first handshake in which a client wants it.
Test(second, is_refused_at_creation_when_it_cannot_be_used)
{
    const struct ekb_identity good = identity_of(EKB_KEY_P256);
    const struct ekb_identity other = identity_of(EKB_KEY_P384);
    const struct ekb_identity mixed = {.chain = other.chain, .key = good.key};
    const struct {
        const char *name;
        struct ekb_identity first;
        struct ekb_identity second;
        enum ekb_err err;
    } cases[] = {
        {"key of another", good, mixed, EKB_TLS_BAD_CERTIFICATE},
        {"key of another, the first", mixed, good, EKB_TLS_BAD_CERTIFICATE},
        {"no key", good, {.chain = other.chain}, EKB_USAGE},
        {"no certificate", good, {.key = other.key}, EKB_USAGE},
        {"nothing", good, {NULL}, EKB_USAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_tls_options server = one_way_server(EKB_TLS_ANY);
        server.identity = &cases[i].first;
        server.second_identity = &cases[i].second;

        expect_refused(&server, cases[i].err, cases[i].name);
    }
}

Test(second, is_refused_when_it_is_a_clients)
{
    const struct ekb_identity identity = identity_of(EKB_KEY_P256);
    const struct ekb_tls_options client = {.role = EKB_ROLE_CLIENT,
                                           .version = EKB_TLS_ANY,
                                           .identity = &identity,
                                           .second_identity = &identity,
                                           .trust = fixture_pki_root(pki_of(EKB_KEY_P256)),
                                           .policy = ekb_policy_default()};

    expect_refused(&client, EKB_USAGE, "client");
}

// The identities, and the configuration, may go before the connection.
Test(second, outlives_what_it_was_made_of)
{
    struct tls_link link;
    const struct ekb_identity identity = identity_of(EKB_KEY_P256);
    struct fixture_pki passing;
    fixture_pki_init(&passing, &(struct fixture_pki_spec){.key_type = EKB_KEY_P384,
                                                          .depth = 3,
                                                          .eku = EKB_EKU_SERVER_AUTH});
    const struct ekb_identity second_identity = {.chain = passing.chain, .key = passing.key};
    struct ekb_tls_options server = one_way_server(EKB_TLS_1_3);
    server.identity = &identity;
    server.second_identity = &second_identity;
    const struct ekb_tls_options client = {.role = EKB_ROLE_CLIENT,
                                           .version = EKB_TLS_1_3,
                                           .preferences = SIGNATURES("ecdsa_secp384r1_sha384"),
                                           .trust = fixture_pki_root(&passing),
                                           .policy = ekb_policy_default()};
    struct ekb_tls_config *server_config = tls_config(&server);
    struct ekb_tls_config *client_config = tls_config(&client);
    fixture_pki_deinit(&passing);
    tls_link_init(&link, client_config, server_config);
    ekb_tls_config_destroy(client_config);
    ekb_tls_config_destroy(server_config);

    tls_link_run(&link);

    const enum ekb_err err = ekb_endpoint_error(link.client);
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    // The whole chain, without its root.
    cr_expect_eq(ekb_endpoint_num_peer_certs(link.client), 3);
    tls_link_deinit(&link);
}

// A client that presents one of many.

struct many {
    struct ekb_chain *chains[NUM_IDENTITIES];
    struct ekb_key *keys[NUM_IDENTITIES];
    struct ekb_identity identities[NUM_IDENTITIES];
    struct ekb_identity server_identity;
    struct fixture_pki pki;
    struct ekb_ca *intermediate;
};

static struct many many;
static size_t num_seen[NUM_IDENTITIES]; // Connections in which a server has verified that one.

static void note_nothing(void *context)
{
    (void)context;
}

static void note_verified(void *context, void *chain)
{
    uint8_t *der = NULL;
    const int der_len = i2d_X509(X509_STORE_CTX_get0_cert(chain), &der);
    (void)context;
    cr_assert_gt(der_len, 0);
    for (size_t i = 0; i < NUM_IDENTITIES; i++) {
        size_t len = 0;
        const uint8_t *known = ekb_chain_der(many.chains[i], 0, &len);
        num_seen[i] += (size_t)der_len == len && memcmp(der, known, len) == 0 ? 1 : 0;
    }
    OPENSSL_free(der);
}

static const struct ekb_tls_observer observer = {
    .verify_begin = note_nothing, .verify_end = note_nothing, .verified = note_verified};

// set_up_many makes identities of several kinds, some with an intermediate.
static void set_up_many(void)
{
    static const enum ekb_key_type types[] = {EKB_KEY_P256, EKB_KEY_P384, EKB_KEY_ED25519};
    const struct ekb_mint_ca ca = {.common_name = "intermediate",
                                   .key_type = EKB_KEY_P256,
                                   .not_before = FIXTURE_NOT_BEFORE,
                                   .not_after = FIXTURE_NOT_AFTER};
    fixture_pki_init(&many.pki,
                     &(struct fixture_pki_spec){.key_type = EKB_KEY_P256, .eku = BOTH_USAGES});
    many.server_identity = (struct ekb_identity){.chain = many.pki.chain, .key = many.pki.key};
    cr_assert_eq(ekb_ca_create_intermediate(&many.intermediate, many.pki.cas[0], &ca, NULL),
                 EKB_OK);
    for (size_t i = 0; i < NUM_IDENTITIES; i++) {
        char name[32];
        const struct ekb_mint_leaf leaf = {.common_name = name,
                                           .key_type = types[i % 3],
                                           .eku = EKB_EKU_CLIENT_AUTH,
                                           .not_before = FIXTURE_NOT_BEFORE,
                                           .not_after = FIXTURE_NOT_AFTER};
        (void)snprintf(name, sizeof name, "client %zu", i);
        cr_assert_eq(ekb_ca_issue(&many.chains[i], &many.keys[i],
                                  i % 2 == 0 ? many.pki.cas[0] : many.intermediate, &leaf, NULL),
                     EKB_OK);
        many.identities[i] = (struct ekb_identity){.chain = many.chains[i], .key = many.keys[i]};
    }
}

static void tear_down_many(void)
{
    for (size_t i = 0; i < NUM_IDENTITIES; i++) {
        ekb_chain_destroy(many.chains[i]);
        ekb_key_destroy(many.keys[i]);
    }
    ekb_ca_destroy(many.intermediate);
    fixture_pki_deinit(&many.pki);
}

TestSuite(identities, .init = set_up_many, .fini = tear_down_many, .timeout = 60);

static struct ekb_tls_config *many_client(enum ekb_tls_version version)
{
    const struct ekb_tls_options options = {.role = EKB_ROLE_CLIENT,
                                            .version = version,
                                            .identities = many.identities,
                                            .num_identities = NUM_IDENTITIES,
                                            .trust = fixture_pki_root(&many.pki),
                                            .policy = ekb_policy_default()};
    return tls_config(&options);
}

static struct ekb_tls_config *many_server(void)
{
    const struct ekb_tls_options options = {.role = EKB_ROLE_SERVER,
                                            .version = EKB_TLS_ANY,
                                            .identity = &many.server_identity,
                                            .trust = fixture_pki_root(&many.pki),
                                            .policy = ekb_policy_default(),
                                            .observer = &observer,
                                            .probe = true};
    return tls_config(&options);
}

Test(identities, are_presented_by_their_place)
{
    static const size_t order[] = {0, 1, 2, 3, 4, 5, 3, 3, 0, 5};
    struct ekb_tls_config *server = many_server();
    for (size_t i = 0; i < 2; i++) {
        struct tls_link link;
        struct ekb_tls_config *client = many_client(versions[i]);
        size_t expected[NUM_IDENTITIES] = {0};
        memset(num_seen, 0, sizeof num_seen);
        tls_link_init(&link, client, server);
        for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
            const struct ekb_endpoint_choice choice = {.identity = order[k]};
            expected[order[k]]++;

            tls_link_restart_as(&link, client, &choice, server);
            tls_link_run(&link);

            const enum ekb_err err = ekb_endpoint_error(link.server);
            cr_expect_eq(err, EKB_OK, "TLS %s, %zu: %s", ekb_tls_version_name(versions[i]),
                         order[k], ekb_err_name(err));
            cr_expect_eq(num_seen[order[k]], expected[order[k]], "TLS %s, %zu: not seen",
                         ekb_tls_version_name(versions[i]), order[k]);
            cr_expect_eq(ekb_endpoint_num_peer_certs(link.server),
                         ekb_chain_len(many.chains[order[k]]), "%zu", order[k]);
        }
        for (size_t k = 0; k < NUM_IDENTITIES; k++) {
            cr_expect_eq(num_seen[k], expected[k], "TLS %s, %zu: %zu times",
                         ekb_tls_version_name(versions[i]), k, num_seen[k]);
        }
        tls_link_deinit(&link);
        ekb_tls_config_destroy(client);
    }
    ekb_tls_config_destroy(server);
}

Test(identities, begin_with_the_first_when_nothing_is_chosen)
{
    for (size_t i = 0; i < 2; i++) {
        struct tls_link link;
        struct ekb_tls_config *client = many_client(versions[i]);
        struct ekb_tls_config *server = many_server();
        memset(num_seen, 0, sizeof num_seen);

        tls_link_init(&link, client, server);
        tls_link_run(&link);

        cr_expect_eq(ekb_endpoint_error(link.server), EKB_OK);
        cr_expect_eq(num_seen[0], 1, "TLS %s", ekb_tls_version_name(versions[i]));
        tls_link_deinit(&link);
        ekb_tls_config_destroy(server);
        ekb_tls_config_destroy(client);
    }
}

// The library looks at them when they are presented; the peer is not to blame.
Test(identities, fail_as_ours_when_a_key_is_of_another)
{
    struct ekb_endpoint *endpoint = NULL;
    many.identities[2].key = many.keys[1];
    struct ekb_tls_config *client = many_client(EKB_TLS_1_3);
    cr_assert_eq(ekb_endpoint_create(&endpoint), EKB_OK);

    const enum ekb_err bad =
        ekb_endpoint_start_as(endpoint, client, &(struct ekb_endpoint_choice){.identity = 2});
    ekb_endpoint_stop(endpoint);
    const enum ekb_err good =
        ekb_endpoint_start_as(endpoint, client, &(struct ekb_endpoint_choice){.identity = 1});

    cr_expect_eq(bad, EKB_USAGE, "%s", ekb_err_name(bad));
    cr_expect_eq(good, EKB_OK, "%s", ekb_err_name(good));
    ekb_endpoint_destroy(endpoint);
    ekb_tls_config_destroy(client);
}

Test(identities, are_the_configurations_own)
{
    struct tls_link link;
    struct ekb_tls_config *client = many_client(EKB_TLS_1_3);
    struct ekb_tls_config *server = many_server();
    memset(num_seen, 0, sizeof num_seen);
    ekb_key_destroy(many.keys[4]);
    many.keys[4] = NULL;
    memset(many.identities, 0, sizeof many.identities);

    tls_link_init(&link, client, server);
    tls_link_restart_as(&link, client, &(struct ekb_endpoint_choice){.identity = 4}, server);
    tls_link_run(&link);

    cr_expect_eq(ekb_endpoint_error(link.server), EKB_OK);
    cr_expect_eq(num_seen[4], 1);
    tls_link_deinit(&link);
    ekb_tls_config_destroy(server);
    ekb_tls_config_destroy(client);
}
