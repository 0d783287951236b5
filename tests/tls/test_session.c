// Sessions as a client of ours takes and offers them. What a server's tickets are good for is in
// test_resumption.c.

#include "support/fixtures.h"
#include "support/tls_link.h"

#include "ekubench/tls/config.h"
#include "ekubench/tls/endpoint.h"

#include <criterion/criterion.h>

#include <stdbool.h>
#include <string.h>

static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};

static struct fixture_pki pki;
static struct fixture_pki other_pki; // Of another kind of key.
static struct ekb_identity identity;
static struct ekb_identity other_identity;
static struct ekb_chain *roots;
static unsigned num_verified; // Clients, by servers.

static void note_begin(void *context)
{
    (void)context;
    num_verified++;
}

static void note_end(void *context)
{
    (void)context;
}

static const struct ekb_tls_observer observer = {.verify_begin = note_begin,
                                                 .verify_end = note_end};

static void set_up(void)
{
    const unsigned usages = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH;
    fixture_pki_init(&pki, &(struct fixture_pki_spec){.key_type = EKB_KEY_P256, .eku = usages});
    fixture_pki_init(&other_pki,
                     &(struct fixture_pki_spec){.key_type = EKB_KEY_ED25519, .eku = usages});
    identity = (struct ekb_identity){.chain = pki.chain, .key = pki.key};
    other_identity = (struct ekb_identity){.chain = other_pki.chain, .key = other_pki.key};
    roots = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(roots, fixture_pki_root(&pki), 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(roots, fixture_pki_root(&other_pki), 0), EKB_OK);
}

static void tear_down(void)
{
    ekb_chain_destroy(roots);
    fixture_pki_deinit(&other_pki);
    fixture_pki_deinit(&pki);
}

TestSuite(session, .init = set_up, .fini = tear_down, .timeout = 60);

static struct ekb_tls_options options_of(enum ekb_role role, enum ekb_tls_version version,
                                         enum ekb_tls_resumption resumption)
{
    return (struct ekb_tls_options){.role = role,
                                    .version = version,
                                    .identity = &identity,
                                    .trust = roots,
                                    .policy = ekb_policy_default(),
                                    .resumption = resumption,
                                    .observer = role == EKB_ROLE_SERVER ? &observer : NULL};
}

static struct ekb_tls_config *client_of(enum ekb_tls_version version)
{
    const struct ekb_tls_options options = options_of(EKB_ROLE_CLIENT, version, EKB_TLS_RESUME_ON);
    return tls_config(&options);
}

static struct ekb_tls_config *server_of(enum ekb_tls_resumption resumption)
{
    const struct ekb_tls_options options = options_of(EKB_ROLE_SERVER, EKB_TLS_ANY, resumption);
    return tls_config(&options);
}

// Both sides.
struct both {
    struct tls_link link;
    struct ekb_tls_config *client;
    struct ekb_tls_config *server;
};

static void both_init(struct both *out_both, enum ekb_tls_version version)
{
    out_both->client = client_of(version);
    out_both->server = server_of(EKB_TLS_RESUME_ON);
    tls_link_init(&out_both->link, out_both->client, out_both->server);
}

static void both_deinit(struct both *both)
{
    tls_link_deinit(&both->link);
    ekb_tls_config_destroy(both->server);
    ekb_tls_config_destroy(both->client);
}

// confirm has the server say that it accepts, with which tickets go out in TLS 1.3.
static void confirm(struct tls_link *link)
{
    static const uint8_t confirmation = 'K';
    cr_assert_eq(ekb_endpoint_state(link->server), EKB_ENDPOINT_READY, "%s",
                 ekb_err_name(ekb_endpoint_error(link->server)));
    cr_assert_eq(ekb_endpoint_write(link->server, &confirmation, 1), EKB_OK);
    tls_link_run(link);
    cr_assert_eq(ekb_endpoint_app_len(link->client), 1);
}

// connect_with makes a new connection in which the client offers `session` (borrowed; NULL: none).
static void connect_with(struct both *both, const struct ekb_tls_session *session)
{
    const struct ekb_endpoint_choice choice = {.session = session};
    num_verified = 0;
    tls_link_restart_as(&both->link, both->client, &choice, both->server);
    tls_link_run(&both->link);
    confirm(&both->link);
}

// session_of makes a full handshake and takes the session.
static struct ekb_tls_session *session_of(struct both *both)
{
    connect_with(both, NULL);
    struct ekb_tls_session *session = ekb_endpoint_take_session(both->link.client);
    cr_assert_not_null(session);
    return session;
}

static void expect_resumed(const struct both *both, bool resumed, const char *name)
{
    cr_expect_eq(ekb_endpoint_is_resumed(both->link.client), resumed, "%s: client", name);
    cr_expect_eq(ekb_endpoint_is_resumed(both->link.server), resumed, "%s: server", name);
    cr_expect_eq(num_verified, resumed ? 0u : 1u, "%s: %u verified", name, num_verified);
}

// What a connection brings.

Test(session, is_taken_once)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);
        connect_with(&both, NULL);

        struct ekb_tls_session *first = ekb_endpoint_take_session(both.link.client);
        struct ekb_tls_session *second = ekb_endpoint_take_session(both.link.client);

        cr_expect_not_null(first, "TLS %s", ekb_tls_version_name(versions[i]));
        cr_expect_null(second, "TLS %s", ekb_tls_version_name(versions[i]));
        ekb_tls_session_destroy(first);
        both_deinit(&both);
    }
}

Test(session, is_for_single_use_in_tls_1_3_only)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);

        struct ekb_tls_session *session = session_of(&both);

        cr_expect_eq(ekb_tls_session_is_single_use(session), versions[i] == EKB_TLS_1_3, "TLS %s",
                     ekb_tls_version_name(versions[i]));
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

Test(session, may_be_null_when_destroyed)
{
    ekb_tls_session_destroy(NULL);
}

// With a leak checker: what nobody takes goes with the connection, or when a newer one comes.
Test(session, is_released_when_nobody_takes_it)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);

        connect_with(&both, NULL);
        connect_with(&both, NULL);
        ekb_endpoint_stop(both.link.client);

        cr_expect_null(ekb_endpoint_take_session(both.link.client), "TLS %s",
                       ekb_tls_version_name(versions[i]));
        both_deinit(&both);
    }
}

Test(session, comes_to_clients_only)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);

        connect_with(&both, NULL);

        cr_expect_null(ekb_endpoint_take_session(both.link.server), "TLS %s",
                       ekb_tls_version_name(versions[i]));
        both_deinit(&both);
    }
}

Test(session, does_not_come_before_the_servers_ticket)
{
    struct both both;
    both_init(&both, EKB_TLS_1_3);

    tls_link_run(&both.link); // Tickets wait for what the server writes next.
    struct ekb_tls_session *before = ekb_endpoint_take_session(both.link.client);
    const uint32_t num_before = ekb_endpoint_num_tickets(both.link.client);
    confirm(&both.link);
    struct ekb_tls_session *after = ekb_endpoint_take_session(both.link.client);

    cr_expect_null(before);
    cr_expect_eq(num_before, 0u);
    cr_expect_not_null(after);
    ekb_tls_session_destroy(after);
    both_deinit(&both);
}

Test(session, is_none_when_the_client_does_not_resume)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        const struct ekb_tls_options options =
            options_of(EKB_ROLE_CLIENT, versions[i], EKB_TLS_RESUME_OFF);
        both.client = tls_config(&options);
        both.server = server_of(EKB_TLS_RESUME_ON);
        tls_link_init(&both.link, both.client, both.server);

        connect_with(&both, NULL);

        cr_expect_null(ekb_endpoint_take_session(both.link.client), "TLS %s",
                       ekb_tls_version_name(versions[i]));
        both_deinit(&both);
    }
}

Test(session, is_none_when_the_server_does_not_resume)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both.client = client_of(versions[i]);
        both.server = server_of(EKB_TLS_RESUME_OFF);
        tls_link_init(&both.link, both.client, both.server);

        connect_with(&both, NULL);

        cr_expect_null(ekb_endpoint_take_session(both.link.client), "TLS %s",
                       ekb_tls_version_name(versions[i]));
        cr_expect_eq(ekb_endpoint_num_tickets(both.link.client), 0u);
        both_deinit(&both);
    }
}

// In TLS 1.2 there can be one; how many in TLS 1.3 is the server's library's business.
Test(session, tickets_are_counted_by_connection)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);

        connect_with(&both, NULL);
        const uint32_t first = ekb_endpoint_num_tickets(both.link.client);
        connect_with(&both, NULL);
        const uint32_t second = ekb_endpoint_num_tickets(both.link.client);

        cr_expect_geq(first, 1u, "TLS %s", ekb_tls_version_name(versions[i]));
        cr_expect(versions[i] == EKB_TLS_1_3 || first == 1, "%u", first);
        cr_expect_eq(second, first, "TLS %s: %u, then %u", ekb_tls_version_name(versions[i]), first,
                     second);
        cr_expect_eq(ekb_endpoint_num_tickets(both.link.server), 0u);
        both_deinit(&both);
    }
}

// What is made of it.

Test(session, is_resumed_on_both_sides_when_offered)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        const char *name = ekb_tls_version_name(versions[i]);
        both_init(&both, versions[i]);
        connect_with(&both, NULL);
        expect_resumed(&both, false, name);
        struct ekb_tls_session *session = ekb_endpoint_take_session(both.link.client);

        connect_with(&both, session);

        expect_resumed(&both, true, name);
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

Test(session, is_not_kept_for_the_next_connection)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        const char *name = ekb_tls_version_name(versions[i]);
        both_init(&both, versions[i]);
        struct ekb_tls_session *session = session_of(&both);
        connect_with(&both, session);

        connect_with(&both, NULL);

        expect_resumed(&both, false, name);
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

Test(session, can_be_offered_again_in_tls_1_2)
{
    struct both both;
    both_init(&both, EKB_TLS_1_2);
    struct ekb_tls_session *session = session_of(&both);

    for (int i = 0; i < 3; i++) {
        connect_with(&both, session);
        expect_resumed(&both, true, "again");
    }

    ekb_tls_session_destroy(session);
    both_deinit(&both);
}

// Resumed connections bring what the next ones offer.
Test(session, comes_anew_of_a_resumed_connection_in_tls_1_3)
{
    struct both both;
    both_init(&both, EKB_TLS_1_3);
    struct ekb_tls_session *session = session_of(&both);

    for (int i = 0; i < 4; i++) {
        connect_with(&both, session);
        expect_resumed(&both, true, "next");
        ekb_tls_session_destroy(session);
        session = ekb_endpoint_take_session(both.link.client);
        cr_assert_not_null(session, "%d", i);
    }

    ekb_tls_session_destroy(session);
    both_deinit(&both);
}

Test(session, falls_back_when_the_server_has_another_ticket_key)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        const char *name = ekb_tls_version_name(versions[i]);
        both_init(&both, versions[i]);
        struct ekb_tls_session *session = session_of(&both);
        ekb_tls_config_destroy(both.server);
        both.server = server_of(EKB_TLS_RESUME_ON);

        connect_with(&both, session);

        expect_resumed(&both, false, name);
        // And a new one has come, which does.
        struct ekb_tls_session *newer = ekb_endpoint_take_session(both.link.client);
        connect_with(&both, newer);
        expect_resumed(&both, true, name);
        ekb_tls_session_destroy(newer);
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

Test(session, falls_back_when_the_server_does_not_resume)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);
        struct ekb_tls_session *session = session_of(&both);
        ekb_tls_config_destroy(both.server);
        both.server = server_of(EKB_TLS_RESUME_OFF);

        connect_with(&both, session);

        expect_resumed(&both, false, ekb_tls_version_name(versions[i]));
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

Test(session, falls_back_when_it_is_of_another_version)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);
        struct ekb_tls_session *session = session_of(&both);
        ekb_tls_config_destroy(both.client);
        both.client = client_of(versions[1 - i]);

        connect_with(&both, session);

        expect_resumed(&both, false, ekb_tls_version_name(versions[i]));
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

Test(session, outlives_its_connection_and_configuration)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);
        struct ekb_tls_session *session = session_of(&both);
        tls_link_deinit(&both.link);
        ekb_tls_config_destroy(both.client);
        both.client = client_of(versions[i]);
        tls_link_init(&both.link, both.client, both.server);

        connect_with(&both, session);

        expect_resumed(&both, true, ekb_tls_version_name(versions[i]));
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

Test(session, is_not_resumed_when_there_is_no_connection)
{
    struct both both;
    both_init(&both, EKB_TLS_1_3);
    struct ekb_tls_session *session = session_of(&both);
    connect_with(&both, session);

    ekb_endpoint_stop(both.link.client);

    cr_expect_not(ekb_endpoint_is_resumed(both.link.client));
    ekb_tls_session_destroy(session);
    both_deinit(&both);
}

// Beside two certificates, of which none is shown then.

Test(session, is_resumed_when_the_server_has_two_certificates)
{
    static const char *const wishes[] = {"ecdsa_secp256r1_sha256:ed25519",
                                         "ed25519:ecdsa_secp256r1_sha256"};
    for (size_t i = 0; i < 4; i++) {
        struct both both;
        const enum ekb_tls_version version = versions[i % 2];
        struct ekb_tls_options client = options_of(EKB_ROLE_CLIENT, version, EKB_TLS_RESUME_ON);
        struct ekb_tls_options server = options_of(EKB_ROLE_SERVER, EKB_TLS_ANY, EKB_TLS_RESUME_ON);
        client.preferences.signatures = wishes[i / 2];
        server.second_identity = &other_identity;
        both.client = tls_config(&client);
        both.server = tls_config(&server);
        tls_link_init(&both.link, both.client, both.server);
        struct ekb_tls_session *session = session_of(&both);
        expect_resumed(&both, false, wishes[i / 2]);
        const char *signature = ekb_endpoint_signature_name(both.link.client);
        cr_expect(version == EKB_TLS_1_2 || strncmp(wishes[i / 2], signature, 7) == 0, "%s",
                  signature);

        connect_with(&both, session);

        expect_resumed(&both, true, wishes[i / 2]);
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

// A client whose wish has changed resumes all the same: the certificate was shown before.
Test(session, is_resumed_when_the_client_would_have_the_other_certificate)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        struct ekb_tls_options client = options_of(EKB_ROLE_CLIENT, versions[i], EKB_TLS_RESUME_ON);
        struct ekb_tls_options server = options_of(EKB_ROLE_SERVER, EKB_TLS_ANY, EKB_TLS_RESUME_ON);
        server.second_identity = &other_identity;
        client.preferences.signatures = "ecdsa_secp256r1_sha256:ed25519";
        both.client = tls_config(&client);
        both.server = tls_config(&server);
        tls_link_init(&both.link, both.client, both.server);
        struct ekb_tls_session *session = session_of(&both);
        ekb_tls_config_destroy(both.client);
        client.preferences.signatures = "ed25519:ecdsa_secp256r1_sha256";
        both.client = tls_config(&client);

        connect_with(&both, session);

        expect_resumed(&both, true, ekb_tls_version_name(versions[i]));
        ekb_tls_session_destroy(session);
        both_deinit(&both);
    }
}

// Goodbye.

Test(session, close_lets_the_peer_go_on_writing)
{
    static const uint8_t last_word[] = "last word";
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        const char *name = ekb_tls_version_name(versions[i]);
        both_init(&both, versions[i]);
        tls_link_run(&both.link);
        cr_assert_eq(ekb_endpoint_state(both.link.server), EKB_ENDPOINT_READY);

        ekb_endpoint_close(both.link.client);
        tls_link_run(&both.link);
        const enum ekb_endpoint_state told = ekb_endpoint_state(both.link.server);
        const enum ekb_err err =
            ekb_endpoint_write(both.link.server, last_word, sizeof last_word - 1);
        tls_link_run(&both.link);

        cr_expect_eq(told, EKB_ENDPOINT_CLOSED, "TLS %s: %d", name, (int)told);
        cr_expect_eq(err, EKB_OK, "TLS %s: %s", name, ekb_err_name(err));
        cr_expect_eq(ekb_endpoint_state(both.link.client), EKB_ENDPOINT_READY, "TLS %s", name);
        cr_expect_eq(ekb_endpoint_app_len(both.link.client), sizeof last_word - 1, "TLS %s", name);
        cr_expect_eq(memcmp(ekb_endpoint_app(both.link.client), last_word, sizeof last_word - 1),
                     0);
        // No alert but close_notify.
        cr_expect_eq(ekb_endpoint_alert_received(both.link.server), -1);
        both_deinit(&both);
    }
}

Test(session, close_on_both_sides_ends_in_order)
{
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        both_init(&both, versions[i]);
        connect_with(&both, NULL);

        ekb_endpoint_close(both.link.client);
        ekb_endpoint_close(both.link.server);
        tls_link_run(&both.link);

        cr_expect_eq(ekb_endpoint_state(both.link.client), EKB_ENDPOINT_CLOSED);
        cr_expect_eq(ekb_endpoint_state(both.link.server), EKB_ENDPOINT_CLOSED);
        cr_expect_eq(ekb_endpoint_error(both.link.client), EKB_OK);
        both_deinit(&both);
    }
}
