// Clients whose key may not sign: TLS has them sign all the same (RFC 8446 section 4.4.2.2, RFC
// 5246 section 7.4.6), and so they are rejected, whatever else is looked at, and told why.

#include "support/fixtures.h"
#include "support/forge.h"
#include "support/tls_link.h"

#include "pki/pki_internal.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include <stdbool.h>
#include <stdio.h>

#define ALERT_UNSUPPORTED_CERTIFICATE 43

static struct fixture_pki server_pki;
static EVP_PKEY *root_key;
static EVP_PKEY *client_key; // RSA: with an EC key the library refuses to be such a client.
static struct ekb_chain *root;

static void set_up(void)
{
    static const struct forgery ca = {
        .subject = "root", .issuer = "root", .basic_constraints = "CA:TRUE"};
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .eku = EKB_EKU_SERVER_AUTH};
    RSA *rsa = RSA_new();
    BIGNUM *exponent = BN_new();
    client_key = EVP_PKEY_new();
    cr_assert(BN_set_word(exponent, RSA_F4) == 1 &&
              RSA_generate_key_ex(rsa, 2048, exponent, NULL) == 1 &&
              EVP_PKEY_assign_RSA(client_key, rsa) == 1);
    BN_free(exponent);
    fixture_pki_init(&server_pki, &spec);
    root_key = forge_key();
    root = forge(&ca, root_key, root_key);
}

static void tear_down(void)
{
    ekb_chain_destroy(root);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(client_key);
    fixture_pki_deinit(&server_pki);
}

TestSuite(key_usage, .init = set_up, .fini = tear_down, .timeout = 60);

static SSL_CTX *client_context(const struct ekb_chain *chain, enum ekb_tls_version version)
{
    const uint16_t number = version == EKB_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    CRYPTO_BUFFER *certificate = ekb_chain_buffer(chain, 0);
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    cr_assert(context != NULL && SSL_CTX_set_min_proto_version(context, number) == 1 &&
              SSL_CTX_set_max_proto_version(context, number) == 1 &&
              SSL_CTX_set_chain_and_key(context, &certificate, 1, client_key, NULL) == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    return context;
}

// What came of a connection.
struct outcome {
    bool accepted;
    enum ekb_err err;
    int alert;          // As the server sent it,
    int received_alert; // and as the client got it.
};

static struct outcome connect(const char *key_usage, const struct ekb_policy *policy,
                              enum ekb_tls_version version)
{
    const struct forgery leaf = {.subject = "client",
                                 .issuer = "root",
                                 .key_usage = key_usage,
                                 .eku = "clientAuth,serverAuth"};
    const struct ekb_identity identity = {.chain = server_pki.chain, .key = server_pki.key};
    const struct ekb_tls_options options = {.role = EKB_ROLE_SERVER,
                                            .version = EKB_TLS_ANY,
                                            .identity = &identity,
                                            .trust = root,
                                            .policy = *policy};
    struct ekb_tls_config *config = tls_config(&options);
    struct ekb_chain *chain = forge(&leaf, client_key, root_key);
    struct ekb_endpoint *server = NULL;
    struct tls_foreign client;
    struct tls_bytes to_server = {0};
    cr_assert_eq(ekb_endpoint_create(&server), EKB_OK);
    cr_assert_eq(ekb_endpoint_start(server, config), EKB_OK);
    tls_foreign_init(&client, client_context(chain, version), EKB_ROLE_CLIENT, &to_server);
    tls_foreign_run(&client, server, &to_server);

    const int reason = ERR_GET_REASON(client.reason);
    const struct outcome outcome = {
        .accepted = ekb_endpoint_state(server) == EKB_ENDPOINT_READY,
        .err = ekb_endpoint_error(server),
        .alert = ekb_endpoint_alert_sent(server),
        .received_alert = reason >= SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : -1};
    tls_foreign_deinit(&client);
    tls_bytes_deinit(&to_server);
    ekb_endpoint_destroy(server);
    ekb_chain_destroy(chain);
    ekb_tls_config_destroy(config);
    return outcome;
}

static void expect_rejected(const char *name, const struct outcome *outcome)
{
    cr_expect_not(outcome->accepted, "%s", name);
    cr_expect_eq(outcome->err, EKB_VERIFY_PURPOSE, "%s: %s", name, ekb_err_name(outcome->err));
    cr_expect_eq(outcome->alert, ALERT_UNSUPPORTED_CERTIFICATE, "%s: alert %d", name,
                 outcome->alert);
    cr_expect_eq(outcome->received_alert, ALERT_UNSUPPORTED_CERTIFICATE, "%s: alert %d came", name,
                 outcome->received_alert);
}

static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};

Test(key_usage, is_rejected_when_it_is_not_for_signatures)
{
    static const char *const usages[] = {"keyEncipherment", "keyAgreement",
                                         "nonRepudiation,keyEncipherment", "keyCertSign,cRLSign"};
    for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++) {
        for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
            for (size_t k = 0; k < 2; k++) {
                char name[128];
                struct ekb_policy policy = ekb_policy_default();
                policy.eku = (enum ekb_eku_mode)mode;
                (void)snprintf(name, sizeof name, "%s, eku=%s, TLS %s", usages[i],
                               ekb_eku_mode_name(policy.eku), ekb_tls_version_name(versions[k]));

                const struct outcome outcome = connect(usages[i], &policy, versions[k]);

                expect_rejected(name, &outcome);
            }
        }
    }
}

Test(key_usage, is_rejected_at_every_level_when_it_is_not_for_signatures)
{
    static const enum ekb_verify_level levels[] = {EKB_VERIFY_PARSE, EKB_VERIFY_RAW};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        for (size_t k = 0; k < 2; k++) {
            char name[128];
            struct ekb_policy policy = ekb_policy_default();
            policy.verify = levels[i];
            (void)snprintf(name, sizeof name, "verify=%s, TLS %s", ekb_verify_level_name(levels[i]),
                           ekb_tls_version_name(versions[k]));

            const struct outcome outcome = connect("keyAgreement", &policy, versions[k]);

            expect_rejected(name, &outcome);
        }
    }
}

Test(key_usage, is_accepted_when_it_is_for_signatures)
{
    static const char *const usages[] = {NULL, "digitalSignature", "critical,digitalSignature",
                                         "digitalSignature,keyEncipherment"};
    const struct ekb_policy policy = ekb_policy_default();
    for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++) {
        for (size_t k = 0; k < 2; k++) {
            const struct outcome outcome = connect(usages[i], &policy, versions[k]);

            cr_expect(outcome.accepted, "%s, TLS %s: %s", usages[i] != NULL ? usages[i] : "absent",
                      ekb_tls_version_name(versions[k]), ekb_err_name(outcome.err));
        }
    }
}
