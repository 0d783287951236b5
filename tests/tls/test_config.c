#include "ekubench/tls/config.h"

#include "support/fixtures.h"
#include "support/tls_link.h"

#include <criterion/criterion.h>
#include <openssl/base.h>
#include <openssl/err.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct fixture_pki pki;
static struct ekb_identity identity;
static struct ekb_chain *empty;

static void set_up(void)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
    fixture_pki_init(&pki, &spec);
    identity = (struct ekb_identity){.chain = pki.chain, .key = pki.key};
    empty = ekb_chain_create();
}

static void tear_down(void)
{
    ekb_chain_destroy(empty);
    fixture_pki_deinit(&pki);
}

TestSuite(config, .init = set_up, .fini = tear_down);

static struct ekb_tls_options server_options(void)
{
    return (struct ekb_tls_options){.role = EKB_ROLE_SERVER,
                                    .version = EKB_TLS_1_3,
                                    .identity = &identity,
                                    .trust = fixture_pki_root(&pki),
                                    .policy = ekb_policy_default()};
}

static struct ekb_tls_options client_options(void)
{
    struct ekb_tls_options options = server_options();
    options.role = EKB_ROLE_CLIENT;
    return options;
}

// refuses asserts that the configuration cannot be made, and says why.
static void refuses(const struct ekb_tls_options *options, enum ekb_err expected,
                    const char *detail_part)
{
    struct ekb_tls_config *config = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_tls_config_create(&config, options, &fail);

    const bool changed = config != NULL;
    ekb_tls_config_destroy(config);
    cr_assert_eq(err, expected, "%s: %s", ekb_err_name(err), fail.detail);
    cr_assert_eq(fail.err, expected, "%s", ekb_err_name(fail.err));
    cr_assert_not_null(strstr(fail.detail, detail_part), "%s", fail.detail);
    cr_assert_not(changed, "the output was changed");
    cr_assert_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
}

// Versions.

static const struct {
    enum ekb_tls_version version;
    const char *name;
} versions[] = {{EKB_TLS_1_2, "1.2"}, {EKB_TLS_1_3, "1.3"}, {EKB_TLS_ANY, "any"}};

Test(config, has_a_name_when_a_version)
{
    for (size_t i = 0; i < EKB_TLS_NUM_VERSIONS; i++) {
        const char *name = ekb_tls_version_name(versions[i].version);

        cr_expect_str_eq(name, versions[i].name, "%s, not %s", name, versions[i].name);
    }
}

Test(config, reads_a_version_when_it_is_one)
{
    for (size_t i = 0; i < EKB_TLS_NUM_VERSIONS; i++) {
        enum ekb_tls_version version = EKB_TLS_NUM_VERSIONS;

        const enum ekb_err err = ekb_tls_version_parse(&version, versions[i].name);

        cr_expect_eq(err, EKB_OK, "%s: %s", versions[i].name, ekb_err_name(err));
        cr_expect_eq(version, versions[i].version, "%s: %d", versions[i].name, (int)version);
    }
}

Test(config, refuses_a_version_when_it_is_none)
{
    static const char *const texts[] = {"",    "1.1", "1.4",    "1",       "13",
                                        "Any", "all", "TLS1.3", "TLSv1.3", "1.3 "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum ekb_tls_version version = EKB_TLS_NUM_VERSIONS;

        const enum ekb_err err = ekb_tls_version_parse(&version, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s", texts[i], ekb_err_name(err));
        cr_expect_eq(version, EKB_TLS_NUM_VERSIONS, "\"%s\": the output was changed", texts[i]);
    }
}

Test(config, names_the_librarys_version_when_asked)
{
    cr_assert_eq(ekb_tls_library_api(), (unsigned)BORINGSSL_API_VERSION, "%u",
                 ekb_tls_library_api());
}

// Creation.

Test(config, ignores_null_when_destroyed)
{
    ekb_tls_config_destroy(NULL);
}

Test(config, keeps_its_role_when_created)
{
    const struct ekb_tls_options for_server = server_options();
    const struct ekb_tls_options for_client = client_options();

    struct ekb_tls_config *server = tls_config(&for_server);
    struct ekb_tls_config *client = tls_config(&for_client);

    cr_expect_eq(ekb_tls_config_role(server), EKB_ROLE_SERVER);
    cr_expect_eq(ekb_tls_config_role(client), EKB_ROLE_CLIENT);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
}

Test(config, can_be_created_when_the_options_agree)
{
    static const struct ekb_identity none;
    for (unsigned level = 0; level < EKB_VERIFY_NUM_LEVELS; level++) {
        struct ekb_tls_options options = server_options();
        options.policy.verify = (enum ekb_verify_level)level;
        if (level != EKB_VERIFY_FULL) {
            options.trust = NULL;
        }
        ekb_tls_config_destroy(tls_config(&options));
    }
    static const enum ekb_verify_level client_levels[] = {EKB_VERIFY_FULL, EKB_VERIFY_RAW};
    for (size_t i = 0; i < 2; i++) {
        struct ekb_tls_options options = client_options();
        options.policy.verify = client_levels[i];
        ekb_tls_config_destroy(tls_config(&options));
        options.identity = NULL;
        ekb_tls_config_destroy(tls_config(&options));
        options.identity = &none;
        ekb_tls_config_destroy(tls_config(&options));
    }
}

Test(config, takes_a_ca_twice_when_the_trusted_list_has_it_twice)
{
    struct ekb_tls_options options = server_options();
    struct ekb_chain *trust = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(trust, fixture_pki_root(&pki), 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(trust, fixture_pki_root(&pki), 0), EKB_OK);
    options.trust = trust;

    ekb_tls_config_destroy(tls_config(&options));

    ekb_chain_destroy(trust);
}

Test(config, outlives_what_it_was_made_of_when_created)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
    struct fixture_pki short_lived;
    struct tls_link link;
    char *sni = strdup("test.example");
    fixture_pki_init(&short_lived, &spec);
    const struct ekb_identity its = {.chain = short_lived.chain, .key = short_lived.key};
    struct ekb_tls_options options = server_options();
    options.identity = &its;
    options.trust = fixture_pki_root(&short_lived);
    struct ekb_tls_config *server = tls_config(&options);
    options.role = EKB_ROLE_CLIENT;
    options.sni = sni;
    struct ekb_tls_config *client = tls_config(&options);
    fixture_pki_deinit(&short_lived);
    free(sni);

    tls_link_init(&link, client, server);
    tls_link_run(&link);

    cr_expect_eq(ekb_endpoint_state(link.server), EKB_ENDPOINT_READY);
    tls_link_deinit(&link);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
}

// Options that contradict each other.

Test(config, refuses_a_server_when_it_has_no_identity)
{
    static const struct ekb_identity none;
    struct ekb_tls_options options = server_options();

    options.identity = NULL;
    refuses(&options, EKB_USAGE, "certificate and a key");
    options.identity = &none;
    refuses(&options, EKB_USAGE, "certificate and a key");
}

Test(config, refuses_a_server_when_half_of_its_identity_is_missing)
{
    const struct ekb_identity no_key = {.chain = pki.chain};
    const struct ekb_identity no_chain = {.key = pki.key};
    struct ekb_tls_options options = server_options();

    options.identity = &no_key;
    refuses(&options, EKB_USAGE, "certificate and a key");
    options.identity = &no_chain;
    refuses(&options, EKB_USAGE, "certificate and a key");
}

Test(config, refuses_a_client_when_its_key_is_missing)
{
    const struct ekb_identity no_key = {.chain = pki.chain};
    struct ekb_tls_options options = client_options();
    options.identity = &no_key;

    refuses(&options, EKB_USAGE, "key");
}

Test(config, refuses_a_client_when_its_certificate_is_missing)
{
    const struct ekb_identity no_chain = {.key = pki.key};
    struct ekb_tls_options options = client_options();
    options.identity = &no_chain;

    refuses(&options, EKB_USAGE, "certificate");
}

Test(config, refuses_a_client_when_it_verifies_in_part)
{
    static const enum ekb_verify_level levels[] = {EKB_VERIFY_PARSE, EKB_VERIFY_ONE_WAY};
    for (size_t i = 0; i < 2; i++) {
        struct ekb_tls_options options = client_options();
        options.policy.verify = levels[i];

        refuses(&options, EKB_USAGE, "client");
    }
}

Test(config, refuses_full_verification_when_there_is_no_trusted_list)
{
    for (unsigned role = 0; role < 2; role++) {
        struct ekb_tls_options options = server_options();
        options.role = (enum ekb_role)role;

        options.trust = NULL;

        refuses(&options, EKB_USAGE, "ca.pem");
    }
}

Test(config, refuses_a_policy_when_its_depth_limit_is_zero)
{
    struct ekb_tls_options options = server_options();
    options.policy.max_depth = 0;

    refuses(&options, EKB_USAGE, "depth");
}

Test(config, needs_no_detail_when_it_refuses)
{
    struct ekb_tls_config *config = NULL;
    struct ekb_tls_options options = server_options();
    options.identity = NULL;

    cr_assert_eq(ekb_tls_config_create(&config, &options, NULL), EKB_USAGE);
}

// Identities that the library refuses.

Test(config, refuses_an_identity_when_the_key_is_of_another_certificate)
{
    struct ekb_key *other = NULL;
    cr_assert_eq(ekb_key_generate(&other, EKB_KEY_P256, NULL), EKB_OK);
    const struct ekb_identity mixed = {.chain = pki.chain, .key = other};
    struct ekb_tls_options options = server_options();
    options.identity = &mixed;

    // With the library's reason.
    refuses(&options, EKB_TLS_BAD_CERTIFICATE, "PRIVATE_KEY_MISMATCH");

    ekb_key_destroy(other);
}

Test(config, refuses_an_identity_when_the_key_is_of_another_type)
{
    struct ekb_key *other = NULL;
    cr_assert_eq(ekb_key_generate(&other, EKB_KEY_ED25519, NULL), EKB_OK);
    const struct ekb_identity mixed = {.chain = pki.chain, .key = other};
    struct ekb_tls_options options = client_options();
    options.identity = &mixed;

    refuses(&options, EKB_TLS_BAD_CERTIFICATE, "PRIVATE_KEY_MISMATCH");

    ekb_key_destroy(other);
}

Test(config, refuses_an_identity_when_the_leaf_comes_last)
{
    struct ekb_chain *reversed = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(reversed, pki.chain, 1), EKB_OK);
    cr_assert_eq(ekb_chain_append(reversed, pki.chain, 0), EKB_OK);
    const struct ekb_identity wrong = {.chain = reversed, .key = pki.key};
    struct ekb_tls_options options = server_options();
    options.identity = &wrong;

    refuses(&options, EKB_TLS_BAD_CERTIFICATE, "");

    ekb_chain_destroy(reversed);
}

Test(config, refuses_an_identity_when_the_chain_is_empty)
{
    const struct ekb_identity wrong = {.chain = empty, .key = pki.key};
    struct ekb_tls_options options = server_options();
    options.identity = &wrong;
    struct ekb_tls_config *config = NULL;

    const enum ekb_err err = ekb_tls_config_create(&config, &options, NULL);

    cr_assert(err == EKB_USAGE || err == EKB_TLS_BAD_CERTIFICATE, "%s", ekb_err_name(err));
    cr_assert_null(config);
}

// Server names.

Test(config, asks_for_the_server_name_when_it_has_one)
{
    size_t len = 0;
    struct ekb_tls_options options = client_options();
    struct ekb_endpoint *endpoint = NULL;
    options.sni = "test.example";
    struct ekb_tls_config *with = tls_config(&options);
    options.sni = NULL;
    struct ekb_tls_config *without = tls_config(&options);
    cr_assert_eq(ekb_endpoint_create(&endpoint), EKB_OK);

    cr_assert_eq(ekb_endpoint_start(endpoint, with), EKB_OK);
    const uint8_t *hello = ekb_endpoint_pending(endpoint, &len);
    cr_expect_not_null(memmem(hello, len, "test.example", 12));
    ekb_endpoint_stop(endpoint);
    cr_assert_eq(ekb_endpoint_start(endpoint, without), EKB_OK);
    hello = ekb_endpoint_pending(endpoint, &len);
    cr_expect_null(memmem(hello, len, "test.example", 12));

    ekb_endpoint_destroy(endpoint);
    ekb_tls_config_destroy(without);
    ekb_tls_config_destroy(with);
}

Test(config, completes_the_handshake_when_it_has_a_server_name)
{
    // Names are not checked: any will do.
    static const char *const names[] = {"test.example", "elsewhere.example", "a"};
    const struct ekb_tls_options for_server = server_options();
    struct ekb_tls_config *server = tls_config(&for_server);
    for (size_t i = 0; i < 3; i++) {
        struct tls_link link;
        struct ekb_tls_options options = client_options();
        options.sni = names[i];
        struct ekb_tls_config *client = tls_config(&options);

        tls_link_init(&link, client, server);
        tls_link_run(&link);

        cr_expect_eq(ekb_endpoint_state(link.client), EKB_ENDPOINT_READY, "%s", names[i]);
        cr_expect_eq(ekb_endpoint_state(link.server), EKB_ENDPOINT_READY, "%s", names[i]);
        tls_link_deinit(&link);
        ekb_tls_config_destroy(client);
    }
    ekb_tls_config_destroy(server);
}

// Clients without a certificate.

// outcome_of returns what a server that asks in the way of `policy` makes of a client that presents
// `presented`.
static enum ekb_err outcome_of(const struct ekb_policy *policy, enum ekb_tls_version version,
                               const struct ekb_identity *presented)
{
    struct tls_link link;
    struct ekb_tls_options for_server = server_options();
    struct ekb_tls_options for_client = client_options();
    for_server.version = version;
    for_server.policy = *policy;
    for_client.version = version;
    for_client.identity = presented;
    struct ekb_tls_config *server = tls_config(&for_server);
    struct ekb_tls_config *client = tls_config(&for_client);

    tls_link_init(&link, client, server);
    tls_link_run(&link);

    const enum ekb_err err = ekb_endpoint_state(link.server) == EKB_ENDPOINT_READY
                                 ? EKB_OK
                                 : ekb_endpoint_error(link.server);
    tls_link_deinit(&link);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
    return err;
}

Test(config, lets_in_who_has_no_certificate_when_one_is_optional)
{
    static const enum ekb_verify_level levels[] = {EKB_VERIFY_FULL, EKB_VERIFY_PARSE,
                                                   EKB_VERIFY_RAW};
    struct tls_self_signed entity;
    tls_self_signed_init(&entity, EKB_KEY_P256, EKB_EKU_CLIENT_AUTH);
    struct ekb_identity stranger = tls_self_signed_identity(&entity);
    for (size_t i = 0; i < 6; i++) {
        const enum ekb_tls_version version = i % 2 == 0 ? EKB_TLS_1_2 : EKB_TLS_1_3;
        struct ekb_policy policy = ekb_policy_default();
        policy.verify = levels[i / 2];

        const enum ekb_err without = outcome_of(&policy, version, NULL);
        policy.cert = EKB_CERT_OPTIONAL;
        const enum ekb_err let_in = outcome_of(&policy, version, NULL);
        const enum ekb_err with = outcome_of(&policy, version, &identity);
        const enum ekb_err bad = outcome_of(&policy, version, &stranger);

        const char *const level = ekb_verify_level_name(policy.verify);
        cr_expect_eq(without, EKB_TLS_NO_CERTIFICATE, "%s: %s", level, ekb_err_name(without));
        cr_expect_eq(let_in, EKB_OK, "%s: %s", level, ekb_err_name(let_in));
        cr_expect_eq(with, EKB_OK, "%s: %s", level, ekb_err_name(with));
        cr_expect_eq(bad, policy.verify == EKB_VERIFY_FULL ? EKB_VERIFY_SELF_SIGNED_LEAF : EKB_OK,
                     "%s: what is presented is judged all the same: %s", level, ekb_err_name(bad));
    }
    tls_identity_deinit(&stranger);
    tls_self_signed_deinit(&entity);
}

// Observers.

struct observed {
    int num_begun;
    int num_ended;
    int num_out_of_order;
};

static void note_begin(void *context)
{
    struct observed *observed = context;
    observed->num_out_of_order += observed->num_begun != observed->num_ended;
    observed->num_begun++;
}

static void note_end(void *context)
{
    struct observed *observed = context;
    observed->num_ended++;
    observed->num_out_of_order += observed->num_begun != observed->num_ended;
}

// What one connection tells an observer.
struct watched {
    const char *name;
    enum ekb_role role; // Whose observer.
    enum ekb_verify_level verify;
    enum ekb_eku_mode eku;
    bool presents; // The client has a certificate.
    int num_expected;
};

static void watch(const struct watched *watched, enum ekb_tls_version version)
{
    struct tls_link link;
    struct observed observed = {0};
    const struct ekb_tls_observer observer = {
        .verify_begin = note_begin, .verify_end = note_end, .context = &observed};
    struct ekb_tls_options for_server = server_options();
    struct ekb_tls_options for_client = client_options();
    struct ekb_tls_options *of_role = watched->role == EKB_ROLE_SERVER ? &for_server : &for_client;
    for_server.version = version;
    for_client.version = version;
    for_server.policy.eku = watched->eku;
    for_client.identity = watched->presents ? &identity : NULL;
    of_role->observer = &observer;
    of_role->policy.verify = watched->verify;
    struct ekb_tls_config *server = tls_config(&for_server);
    struct ekb_tls_config *client = tls_config(&for_client);

    tls_link_init(&link, client, server);
    tls_link_run(&link);

    const char *version_name = ekb_tls_version_name(version);
    cr_expect_eq(observed.num_begun, watched->num_expected, "%s, TLS %s: %d", watched->name,
                 version_name, observed.num_begun);
    cr_expect_eq(observed.num_ended, watched->num_expected, "%s, TLS %s: %d", watched->name,
                 version_name, observed.num_ended);
    cr_expect_eq(observed.num_out_of_order, 0, "%s, TLS %s", watched->name, version_name);
    tls_link_deinit(&link);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
}

Test(config, tells_its_observer_of_each_verification_when_it_has_one)
{
    static const struct watched cases[] = {
        {"server, full", EKB_ROLE_SERVER, EKB_VERIFY_FULL, EKB_EKU_ON, true, 1},
        {"server, full, mode none", EKB_ROLE_SERVER, EKB_VERIFY_FULL, EKB_EKU_NONE, true, 1},
        {"server, parse", EKB_ROLE_SERVER, EKB_VERIFY_PARSE, EKB_EKU_ON, true, 0},
        {"server, raw", EKB_ROLE_SERVER, EKB_VERIFY_RAW, EKB_EKU_ON, true, 0},
        {"server, one-way", EKB_ROLE_SERVER, EKB_VERIFY_ONE_WAY, EKB_EKU_ON, true, 0},
        {"server, no certificate", EKB_ROLE_SERVER, EKB_VERIFY_FULL, EKB_EKU_ON, false, 0},
        {"client, full", EKB_ROLE_CLIENT, EKB_VERIFY_FULL, EKB_EKU_ON, true, 1},
        {"client, raw", EKB_ROLE_CLIENT, EKB_VERIFY_RAW, EKB_EKU_ON, true, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        watch(&cases[i], EKB_TLS_1_2);
        watch(&cases[i], EKB_TLS_1_3);
    }
}

// A rejection is a verification too. The observer changes no verdict.
Test(config, tells_its_observer_when_the_verification_fails)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_CLIENT_AUTH};
    struct fixture_pki theirs;
    struct tls_link link;
    struct observed observed = {0};
    const struct ekb_tls_observer observer = {
        .verify_begin = note_begin, .verify_end = note_end, .context = &observed};
    fixture_pki_init(&theirs, &spec);
    const struct ekb_identity unknown = {.chain = theirs.chain, .key = theirs.key};
    struct ekb_tls_options for_server = server_options();
    struct ekb_tls_options for_client = client_options();
    for_server.observer = &observer;
    for_client.identity = &unknown;
    struct ekb_tls_config *server = tls_config(&for_server);
    struct ekb_tls_config *client = tls_config(&for_client);

    tls_link_init(&link, client, server);
    tls_link_run(&link);

    cr_expect_eq(observed.num_begun, 1, "%d", observed.num_begun);
    cr_expect_eq(observed.num_ended, 1, "%d", observed.num_ended);
    cr_expect_eq(ekb_endpoint_error(link.server), EKB_VERIFY_NO_LOCAL_ISSUER, "%s",
                 ekb_err_name(ekb_endpoint_error(link.server)));
    tls_link_deinit(&link);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
    fixture_pki_deinit(&theirs);
}

// Resumption is off: every connection is verified anew.
Test(config, tells_its_observer_every_time_when_a_client_comes_again)
{
    struct tls_link link;
    struct observed observed = {0};
    const struct ekb_tls_observer observer = {
        .verify_begin = note_begin, .verify_end = note_end, .context = &observed};
    for (unsigned version = 0; version < 2; version++) {
        struct ekb_tls_options for_server = server_options();
        struct ekb_tls_options for_client = client_options();
        for_server.version = (enum ekb_tls_version)version;
        for_client.version = (enum ekb_tls_version)version;
        for_server.observer = &observer;
        struct ekb_tls_config *server = tls_config(&for_server);
        struct ekb_tls_config *client = tls_config(&for_client);
        observed = (struct observed){0};

        tls_link_init(&link, client, server);
        for (int i = 0; i < 5; i++) {
            tls_link_restart(&link, client, server);
            tls_link_run(&link);
        }

        cr_expect_eq(observed.num_begun, 5, "TLS %s: %d",
                     ekb_tls_version_name((enum ekb_tls_version)version), observed.num_begun);
        tls_link_deinit(&link);
        ekb_tls_config_destroy(client);
        ekb_tls_config_destroy(server);
    }
}
