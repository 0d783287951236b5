// A client that keeps its tickets and offers them again, made of the library alone, against servers
// of ours. What must never happen: that a ticket opens what its holder's certificate would not.

#include "support/fixtures.h"
#include "support/tls_link.h"

#include "pki/pki_internal.h"
#include "tls/tls_internal.h"

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/mem.h>
#include <openssl/ssl.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

// Alerts by number (RFC 8446 section 6). -1: any.
#define ALERT_ANY (-1)
#define ALERT_UNSUPPORTED_CERTIFICATE 43
#define ALERT_REVOKED 44
#define ALERT_EXPIRED 45
#define ALERT_UNKNOWN_CA 48

// Times of CRLs, and one after all certificates have expired.
#define DAY INT64_C(86400)
#define CRL_FROM FIXTURE_NOT_BEFORE
#define CRL_UNTIL FIXTURE_NOT_AFTER
#define CRL_SHORT_UNTIL (FIXTURE_NOT_AFTER - 100000)
#define NONE_SHORT_LIVED SIZE_MAX
static const int64_t too_late = FIXTURE_NOT_AFTER + 1000;

static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};

// Who comes.
enum who {
    WHO_BOTH, // clientAuth and serverAuth; two CAs above it.
    WHO_CLIENT_AUTH,
    WHO_SERVER_AUTH,
    WHO_NO_EKU,
    WHO_ANONYMOUS, // Without a certificate.
    NUM_WHO
};

static struct fixture_pki pkis[NUM_WHO];
static struct ekb_identity server_identity;
static struct ekb_chain *all_roots;
static struct ekb_crls *revoking; // WHO_BOTH; lists of its two CAs.
static struct ekb_crls *harmless; // As above, but with nobody on them.
static struct ekb_tls_observer observer;
static unsigned num_verified; // Chains, by servers.
static SSL_SESSION *ticket;   // The latest that a client has got, or NULL.
static int64_t server_now_s;  // The clock of servers that were given one.

static void note_begin(void *context)
{
    (void)context;
    num_verified++;
}

static void note_end(void *context)
{
    (void)context;
}

// make_crls makes a list of each CA; that of CA `short_lived` (0: the root's) ends before the
// others.
static struct ekb_crls *make_crls(const struct fixture_pki *pki, size_t num_revoked,
                                  size_t short_lived)
{
    const struct ekb_chain *const revoked[] = {pki->chain};
    struct ekb_fail fail = {0};
    struct ekb_crls *crls = ekb_crls_create();
    cr_assert_not_null(crls);
    for (size_t i = 0; i < pki->depth; i++) {
        // Only the leaf's issuer has something to revoke.
        const struct ekb_crl_spec spec = {.revoked = revoked,
                                          .num_revoked = i + 1 == pki->depth ? num_revoked : 0,
                                          .this_update = CRL_FROM,
                                          .next_update =
                                              i == short_lived ? CRL_SHORT_UNTIL : CRL_UNTIL};
        cr_assert_eq(ekb_crls_issue(crls, pki->cas[i], &spec, &fail), EKB_OK, "%s", fail.detail);
    }
    return crls;
}

static void set_up(void)
{
    static const unsigned usages[] = {
        [WHO_BOTH] = EKB_EKU_CLIENT_AUTH | EKB_EKU_SERVER_AUTH,
        [WHO_CLIENT_AUTH] = EKB_EKU_CLIENT_AUTH,
        [WHO_SERVER_AUTH] = EKB_EKU_SERVER_AUTH,
        [WHO_NO_EKU] = EKB_EKU_ABSENT,
    };
    all_roots = ekb_chain_create();
    for (size_t who = 0; who < WHO_ANONYMOUS; who++) {
        const struct fixture_pki_spec spec = {
            .key_type = EKB_KEY_P256, .depth = who == WHO_BOTH ? 2 : 1, .eku = usages[who]};
        fixture_pki_init(&pkis[who], &spec);
        cr_assert_eq(ekb_chain_append(all_roots, fixture_pki_root(&pkis[who]), 0), EKB_OK);
    }
    server_identity =
        (struct ekb_identity){.chain = pkis[WHO_BOTH].chain, .key = pkis[WHO_BOTH].key};
    revoking = make_crls(&pkis[WHO_BOTH], 1, NONE_SHORT_LIVED);
    harmless = make_crls(&pkis[WHO_BOTH], 0, NONE_SHORT_LIVED);
    observer = (struct ekb_tls_observer){.verify_begin = note_begin, .verify_end = note_end};
}

static void tear_down(void)
{
    SSL_SESSION_free(ticket);
    ekb_crls_destroy(harmless);
    ekb_crls_destroy(revoking);
    ekb_chain_destroy(all_roots);
    for (size_t who = 0; who < WHO_ANONYMOUS; who++) {
        fixture_pki_deinit(&pkis[who]);
    }
}

TestSuite(resumption, .init = set_up, .fini = tear_down, .timeout = 60);

// Servers.

static struct ekb_tls_options options_with(enum ekb_tls_resumption resumption)
{
    return (struct ekb_tls_options){.role = EKB_ROLE_SERVER,
                                    .version = EKB_TLS_ANY,
                                    .identity = &server_identity,
                                    .trust = all_roots,
                                    .policy = ekb_policy_default(),
                                    .resumption = resumption,
                                    .observer = &observer};
}

static struct ekb_tls_config *server_with(enum ekb_tls_resumption resumption)
{
    const struct ekb_tls_options options = options_with(resumption);
    return tls_config(&options);
}

static void tell_time(const SSL *ssl, struct timeval *out_clock)
{
    (void)ssl;
    *out_clock = (struct timeval){.tv_sec = server_now_s};
}

// server_in_time makes a server whose tickets see `server_now_s`.
static struct ekb_tls_config *server_in_time(const struct ekb_tls_options *options)
{
    struct ekb_tls_config *config = tls_config(options);
    server_now_s = 1800000000;
    SSL_CTX_set_current_time_cb(config->context, tell_time);
    return config;
}

// Clients.

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1; // It is ours now.
}

static SSL_CTX *client_context(enum who who, enum ekb_tls_version version)
{
    const uint16_t number = version == EKB_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    cr_assert(context != NULL && SSL_CTX_set_min_proto_version(context, number) == 1 &&
              SSL_CTX_set_max_proto_version(context, number) == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    if (who != WHO_ANONYMOUS) {
        const struct fixture_pki *pki = &pkis[who];
        CRYPTO_BUFFER *certs[EKB_MINT_MAX_DEPTH];
        const size_t num_certs = ekb_chain_len(pki->chain);
        for (size_t i = 0; i < num_certs; i++) {
            certs[i] = ekb_chain_buffer(pki->chain, i);
        }
        cr_assert_eq(
            SSL_CTX_set_chain_and_key(context, certs, num_certs, ekb_key_pkey(pki->key), NULL), 1);
    }
    return context;
}

// A connection.
struct visit {
    struct tls_foreign client;
    struct ekb_endpoint *server;
    struct tls_bytes to_server;
    struct tls_bytes to_client;
    bool confirmed;
};

// visit_init begins a connection, in which the client offers `offered` (borrowed; NULL: nothing).
static void visit_init(struct visit *out_visit, const struct ekb_tls_config *config, enum who who,
                       enum ekb_tls_version version, SSL_SESSION *offered)
{
    SSL_CTX *context = client_context(who, version);
    BIO *in_bio = BIO_new(BIO_s_mem());
    BIO *out_bio = BIO_new(BIO_s_mem());
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    cr_assert(in_bio != NULL && out_bio != NULL && ssl != NULL);
    BIO_set_mem_eof_return(in_bio, -1); // Empty is not the end.
    BIO_set_mem_eof_return(out_bio, -1);
    SSL_set_bio(ssl, in_bio, out_bio);
    SSL_set_connect_state(ssl);
    cr_assert_eq(SSL_set_session(ssl, offered), 1);
    *out_visit = (struct visit){.client = {.ssl = ssl}};
    num_verified = 0;
    cr_assert_eq(ekb_endpoint_create(&out_visit->server), EKB_OK);
    cr_assert_eq(ekb_endpoint_start(out_visit->server, config), EKB_OK);
    tls_foreign_step(&out_visit->client, &out_visit->to_client, &out_visit->to_server);
}

// visit_step carries a part of what is under way, and has the server confirm when it is ready, with
// which tickets go out in TLS 1.3. False if there was nothing.
static bool visit_step(struct visit *visit)
{
    static const struct tls_cut cut = {.max_len = 300};
    static const uint8_t confirmation = 'K';
    const bool moved = tls_deliver(visit->server, &visit->to_server, &visit->to_client, &cut);
    if (!visit->confirmed && ekb_endpoint_state(visit->server) == EKB_ENDPOINT_READY) {
        visit->confirmed = true;
        (void)ekb_endpoint_write(visit->server, &confirmation, 1);
        (void)tls_flush(visit->server, &visit->to_client, &cut);
    }
    if (tls_bytes_len(&visit->to_client) == 0) {
        return moved;
    }
    tls_foreign_step(&visit->client, &visit->to_client, &visit->to_server);
    return true;
}

static void visit_run(struct visit *visit)
{
    while (visit_step(visit)) {
    }
}

static void visit_deinit(struct visit *visit)
{
    tls_foreign_deinit(&visit->client);
    ekb_endpoint_destroy(visit->server);
    tls_bytes_deinit(&visit->to_server);
    tls_bytes_deinit(&visit->to_client);
}

// What came of a connection.
struct outcome {
    bool accepted; // And confirmed, on both sides.
    bool resumed;
    unsigned num_verified;
    enum ekb_err err;
    int alert;
};

static struct outcome visit_outcome(const struct visit *visit)
{
    const struct outcome outcome = {
        .accepted = ekb_endpoint_state(visit->server) == EKB_ENDPOINT_READY && visit->client.done &&
                    visit->client.num_read == 1,
        .resumed = visit->client.done && SSL_session_reused(visit->client.ssl) == 1,
        .num_verified = num_verified,
        .err = ekb_endpoint_error(visit->server),
        .alert = ekb_endpoint_alert_sent(visit->server)};
    return outcome;
}

static struct outcome visit(const struct ekb_tls_config *config, enum who who,
                            enum ekb_tls_version version, SSL_SESSION *offered)
{
    struct visit visit;
    visit_init(&visit, config, who, version, offered);
    visit_run(&visit);
    const struct outcome outcome = visit_outcome(&visit);
    visit_deinit(&visit);
    return outcome;
}

// take_ticket returns what the latest client got, to be freed; NULL if there was none.
static SSL_SESSION *take_ticket(void)
{
    SSL_SESSION *taken = ticket;
    ticket = NULL;
    return taken;
}

// get_ticket makes a full handshake and returns the ticket.
static SSL_SESSION *get_ticket(const struct ekb_tls_config *config, enum who who,
                               enum ekb_tls_version version)
{
    const struct outcome outcome = visit(config, who, version, NULL);
    cr_assert(outcome.accepted, "TLS %s: %s", ekb_tls_version_name(version),
              ekb_err_name(outcome.err));
    cr_assert_not(outcome.resumed);
    cr_assert_not_null(ticket, "TLS %s: no ticket", ekb_tls_version_name(version));
    return take_ticket();
}

static void expect_resumed(const struct outcome *outcome, const char *name)
{
    cr_expect(outcome->accepted, "%s: %s", name, ekb_err_name(outcome->err));
    cr_expect(outcome->resumed, "%s: not resumed", name);
    cr_expect_eq(outcome->num_verified, 0, "%s: %u verified", name, outcome->num_verified);
}

// expect_anew expects a full handshake, with the certificate verified, that is accepted.
static void expect_anew(const struct outcome *outcome, const char *name)
{
    cr_expect(outcome->accepted, "%s: %s", name, ekb_err_name(outcome->err));
    cr_expect_not(outcome->resumed, "%s: resumed", name);
    cr_expect_eq(outcome->num_verified, 1, "%s: %u verified", name, outcome->num_verified);
}

// Off.

Test(resumption, gives_no_ticket_when_it_is_off)
{
    struct ekb_tls_config *config = server_with(EKB_TLS_RESUME_OFF);
    for (size_t i = 0; i < 2; i++) {
        const char *name = ekb_tls_version_name(versions[i]);

        const struct outcome outcome = visit(config, WHO_BOTH, versions[i], NULL);

        expect_anew(&outcome, name);
        SSL_SESSION *given = take_ticket();
        cr_expect_null(given, "TLS %s: a session that could be resumed", name);
        SSL_SESSION_free(given);
    }
    ekb_tls_config_destroy(config);
}

Test(resumption, verifies_anew_when_it_is_off_and_a_client_has_a_ticket)
{
    struct ekb_tls_config *on = server_with(EKB_TLS_RESUME_ON);
    struct ekb_tls_config *off = server_with(EKB_TLS_RESUME_OFF);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *old = get_ticket(on, WHO_BOTH, versions[i]);

        const struct outcome outcome = visit(off, WHO_BOTH, versions[i], old);

        expect_anew(&outcome, ekb_tls_version_name(versions[i]));
        SSL_SESSION_free(old);
    }
    ekb_tls_config_destroy(off);
    ekb_tls_config_destroy(on);
}

// On.

Test(resumption, resumes_when_it_is_on)
{
    struct ekb_tls_config *config = server_with(EKB_TLS_RESUME_ON);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *old = get_ticket(config, WHO_BOTH, versions[i]);

        const struct outcome outcome = visit(config, WHO_BOTH, versions[i], old);

        expect_resumed(&outcome, ekb_tls_version_name(versions[i]));
        SSL_SESSION_free(old);
    }
    ekb_tls_config_destroy(config);
}

Test(resumption, resumes_at_every_level_when_it_is_on)
{
    for (unsigned level = 0; level < EKB_VERIFY_NUM_LEVELS; level++) {
        struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
        options.policy.verify = (enum ekb_verify_level)level;
        struct ekb_tls_config *config = tls_config(&options);
        for (size_t i = 0; i < 2; i++) {
            SSL_SESSION *old = get_ticket(config, WHO_BOTH, versions[i]);

            const struct outcome outcome = visit(config, WHO_BOTH, versions[i], old);

            expect_resumed(&outcome, ekb_verify_level_name((enum ekb_verify_level)level));
            SSL_SESSION_free(old);
        }
        ekb_tls_config_destroy(config);
    }
}

Test(resumption, resumes_again_when_a_ticket_is_shown_twice)
{
    struct ekb_tls_config *config = server_with(EKB_TLS_RESUME_ON);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *old = get_ticket(config, WHO_BOTH, versions[i]);

        for (int time = 0; time < 3; time++) {
            const struct outcome outcome = visit(config, WHO_BOTH, versions[i], old);
            expect_resumed(&outcome, ekb_tls_version_name(versions[i]));
        }
        SSL_SESSION_free(old);
    }
    ekb_tls_config_destroy(config);
}

// The ticket takes the place of a certificate that is not shown.
Test(resumption, resumes_when_the_client_has_no_certificate_any_more)
{
    struct ekb_tls_config *config = server_with(EKB_TLS_RESUME_ON);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *old = get_ticket(config, WHO_BOTH, versions[i]);

        const struct outcome outcome = visit(config, WHO_ANONYMOUS, versions[i], old);

        expect_resumed(&outcome, ekb_tls_version_name(versions[i]));
        SSL_SESSION_free(old);
    }
    ekb_tls_config_destroy(config);
}

// Tickets that are none.

Test(resumption, verifies_anew_when_the_ticket_was_changed)
{
    struct ekb_tls_config *config = server_with(EKB_TLS_RESUME_ON);
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *bytes = NULL;
        size_t len = 0;
        SSL_SESSION *old = get_ticket(config, WHO_BOTH, versions[i]);
        SSL_SESSION_get0_ticket(old, &bytes, &len);
        uint8_t *changed = malloc(len);
        cr_assert(len > 0 && changed != NULL);
        // Key name, initialization vector, content, and what authenticates them.
        const size_t places[] = {0, 20, len / 2, len - 1};
        for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
            SSL_SESSION_get0_ticket(old, &bytes, &len);
            memcpy(changed, bytes, len);
            changed[places[k]] ^= 1;
            cr_assert_eq(SSL_SESSION_set_ticket(old, changed, len), 1);

            const struct outcome outcome = visit(config, WHO_BOTH, versions[i], old);

            expect_anew(&outcome, ekb_tls_version_name(versions[i]));
            changed[places[k]] ^= 1;
            cr_assert_eq(SSL_SESSION_set_ticket(old, changed, len), 1);
        }
        free(changed);
        SSL_SESSION_free(old);
    }
    ekb_tls_config_destroy(config);
}

Test(resumption, gives_no_ticket_when_it_rejects)
{
    struct ekb_tls_config *config = server_with(EKB_TLS_RESUME_ON);
    for (size_t i = 0; i < 2; i++) {
        const struct outcome outcome = visit(config, WHO_SERVER_AUTH, versions[i], NULL);

        SSL_SESSION *given = take_ticket();
        cr_expect_eq(outcome.err, EKB_VERIFY_PURPOSE, "%s", ekb_err_name(outcome.err));
        cr_expect_null(given, "TLS %s: a ticket", ekb_tls_version_name(versions[i]));
        SSL_SESSION_free(given);
    }
    ekb_tls_config_destroy(config);
}

// Another configuration. A ticket from one with `before` is shown to one with `after`.

typedef void edit(struct ekb_tls_options *options);

static void same(struct ekb_tls_options *options)
{
    (void)options;
}

static void eku_off(struct ekb_tls_options *options)
{
    options->policy.eku = EKB_EKU_OFF;
}

static void eku_none(struct ekb_tls_options *options)
{
    options->policy.eku = EKB_EKU_NONE;
}

static void absent_rejected(struct ekb_tls_options *options)
{
    options->policy.eku_absent = EKB_EKU_ABSENT_REJECT;
}

static void other_trust(struct ekb_tls_options *options)
{
    options->trust = fixture_pki_root(&pkis[WHO_CLIENT_AUTH]);
}

static void other_trust_of_both(struct ekb_tls_options *options)
{
    options->trust = fixture_pki_root(&pkis[WHO_BOTH]);
}

static void with_crl(struct ekb_tls_options *options)
{
    options->crls = revoking;
}

static void with_harmless_crl(struct ekb_tls_options *options)
{
    options->crls = harmless;
}

static void name_of(struct ekb_tls_options *options, const char *name)
{
    cr_assert_eq(ekb_name_parse(&options->policy.name, name), EKB_OK);
}

static void good_name(struct ekb_tls_options *options)
{
    name_of(options, "test.example");
}

static void other_name(struct ekb_tls_options *options)
{
    name_of(options, "elsewhere.example");
}

static void other_ip(struct ekb_tls_options *options)
{
    name_of(options, "10.9.8.7");
}

static void other_email(struct ekb_tls_options *options)
{
    name_of(options, "somebody@elsewhere.example");
}

static void depth_1(struct ekb_tls_options *options)
{
    options->policy.max_depth = 1;
}

static void parsed(struct ekb_tls_options *options)
{
    options->policy.verify = EKB_VERIFY_PARSE;
}

static void raw(struct ekb_tls_options *options)
{
    options->policy.verify = EKB_VERIFY_RAW;
}

static void one_way(struct ekb_tls_options *options)
{
    options->policy.verify = EKB_VERIFY_ONE_WAY;
}

static void later(struct ekb_tls_options *options)
{
    options->verify_at = &too_late;
}

struct change {
    const char *name;
    enum who who;
    edit *before;
    edit *after;
    enum ekb_err err; // EKB_OK: accepted, but verified anew.
    int alert;
};

static void expect_change(const struct change *change, enum ekb_tls_version version)
{
    char name[128];
    struct ekb_tls_options before = options_with(EKB_TLS_RESUME_ON);
    struct ekb_tls_options after = options_with(EKB_TLS_RESUME_ON);
    change->before(&before);
    change->after(&after);
    struct ekb_tls_config *old_config = tls_config(&before);
    struct ekb_tls_config *new_config = tls_config(&after);
    SSL_SESSION *old = get_ticket(old_config, change->who, version);
    (void)snprintf(name, sizeof name, "%s, TLS %s", change->name, ekb_tls_version_name(version));

    const struct outcome outcome = visit(new_config, change->who, version, old);

    cr_expect_not(outcome.resumed, "%s: resumed", name);
    cr_expect_eq(outcome.err, change->err, "%s: %s", name, ekb_err_name(outcome.err));
    cr_expect_eq(outcome.accepted, change->err == EKB_OK, "%s: accepted: %d", name,
                 (int)outcome.accepted);
    if (change->alert != ALERT_ANY) {
        cr_expect_eq(outcome.alert, change->alert, "%s: alert %d", name, outcome.alert);
    }
    // And where it came from it is as good as before.
    const struct outcome again = visit(old_config, change->who, version, old);
    cr_expect(again.accepted && again.resumed, "%s: %s", name, ekb_err_name(again.err));
    SSL_SESSION_free(old);
    ekb_tls_config_destroy(new_config);
    ekb_tls_config_destroy(old_config);
}

static void expect_changes(const struct change *changes, size_t num_changes)
{
    for (size_t i = 0; i < num_changes; i++) {
        for (size_t k = 0; k < 2; k++) {
            expect_change(&changes[i], versions[k]);
        }
    }
}

#define EXPECT_CHANGES(changes) expect_changes(changes, sizeof(changes) / sizeof(changes)[0])

Test(resumption, verifies_anew_when_the_eku_mode_is_another)
{
    static const struct change changes[] = {
        {"serverAuth, off to on", WHO_SERVER_AUTH, eku_off, same, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
        {"serverAuth, none to on", WHO_SERVER_AUTH, eku_none, same, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
        {"clientAuth, on to off", WHO_CLIENT_AUTH, same, eku_off, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
        {"clientAuth, none to off", WHO_CLIENT_AUTH, eku_none, eku_off, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
        {"both, off to on", WHO_BOTH, eku_off, same, EKB_OK, ALERT_ANY},
        {"serverAuth, off to none", WHO_SERVER_AUTH, eku_off, eku_none, EKB_OK, ALERT_ANY},
        {"no usage, accepted to rejected", WHO_NO_EKU, same, absent_rejected, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
    };
    EXPECT_CHANGES(changes);
}

Test(resumption, verifies_anew_when_the_trusted_list_is_another)
{
    static const struct change changes[] = {
        {"not on it any more", WHO_BOTH, same, other_trust, EKB_VERIFY_NO_LOCAL_ISSUER,
         ALERT_UNKNOWN_CA},
        {"on it still", WHO_BOTH, same, other_trust_of_both, EKB_OK, ALERT_ANY},
    };
    EXPECT_CHANGES(changes);
}

Test(resumption, verifies_anew_when_there_is_a_crl)
{
    static const struct change changes[] = {
        {"revoked", WHO_BOTH, same, with_crl, EKB_VERIFY_REVOKED, ALERT_REVOKED},
        {"revoked on a newer list", WHO_BOTH, with_harmless_crl, with_crl, EKB_VERIFY_REVOKED,
         ALERT_REVOKED},
        {"not revoked", WHO_BOTH, same, with_harmless_crl, EKB_OK, ALERT_ANY},
        {"no list of its CA", WHO_CLIENT_AUTH, same, with_harmless_crl, EKB_VERIFY_NO_CRL,
         ALERT_ANY},
    };
    EXPECT_CHANGES(changes);
}

Test(resumption, verifies_anew_when_the_name_is_another)
{
    static const struct change changes[] = {
        {"none to another", WHO_BOTH, same, other_name, EKB_VERIFY_HOSTNAME, ALERT_ANY},
        {"its own to another", WHO_BOTH, good_name, other_name, EKB_VERIFY_HOSTNAME, ALERT_ANY},
        {"its own to an address", WHO_BOTH, good_name, other_ip, EKB_VERIFY_IP, ALERT_ANY},
        {"its own to e-mail", WHO_BOTH, good_name, other_email, EKB_VERIFY_EMAIL, ALERT_ANY},
        {"none to its own", WHO_BOTH, same, good_name, EKB_OK, ALERT_ANY},
    };
    EXPECT_CHANGES(changes);
}

Test(resumption, verifies_anew_when_the_level_is_another)
{
    static const struct change changes[] = {
        {"parse to full", WHO_SERVER_AUTH, parsed, same, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
        {"raw to full", WHO_SERVER_AUTH, raw, same, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
        {"one-way to full", WHO_ANONYMOUS, one_way, same, EKB_TLS_NO_CERTIFICATE, ALERT_ANY},
        {"one-way to parse", WHO_ANONYMOUS, one_way, parsed, EKB_TLS_NO_CERTIFICATE, ALERT_ANY},
        {"one-way to raw", WHO_ANONYMOUS, one_way, raw, EKB_TLS_NO_CERTIFICATE, ALERT_ANY},
    };
    EXPECT_CHANGES(changes);
}

Test(resumption, verifies_anew_when_depth_or_time_is_another)
{
    static const struct change changes[] = {
        {"too deep", WHO_BOTH, same, depth_1, EKB_VERIFY_CHAIN_TOO_LONG, ALERT_ANY},
        {"expired", WHO_BOTH, same, later, EKB_VERIFY_EXPIRED, ALERT_EXPIRED},
    };
    EXPECT_CHANGES(changes);
}

// As after a reload that changed nothing: the key is another one all the same.
Test(resumption, verifies_anew_when_the_configuration_was_made_anew)
{
    static const struct change changes[] = {
        {"made anew", WHO_BOTH, same, same, EKB_OK, ALERT_ANY},
        {"made anew, off", WHO_SERVER_AUTH, eku_off, eku_off, EKB_OK, ALERT_ANY},
    };
    EXPECT_CHANGES(changes);
}

// One key in two configurations, as of two workers.
static void expect_with_keys(const struct ekb_ticket_key *first,
                             const struct ekb_ticket_key *second, bool resumed)
{
    for (size_t k = 0; k < 2; k++) {
        struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
        options.ticket_key = first;
        struct ekb_tls_config *giver = tls_config(&options);
        options.ticket_key = second;
        struct ekb_tls_config *taker = tls_config(&options);
        SSL_SESSION *given = get_ticket(giver, WHO_BOTH, versions[k]);

        const struct outcome outcome = visit(taker, WHO_BOTH, versions[k], given);

        (resumed ? expect_resumed : expect_anew)(&outcome, ekb_tls_version_name(versions[k]));
        SSL_SESSION_free(given);
        ekb_tls_config_destroy(taker);
        ekb_tls_config_destroy(giver);
    }
}

Test(resumption, resumes_at_another_configuration_with_the_same_key)
{
    struct ekb_ticket_key key = {0};
    cr_assert_eq(ekb_ticket_key_make(&key), EKB_OK);

    expect_with_keys(&key, &key, true);
}

Test(resumption, verifies_anew_when_the_key_is_another)
{
    struct ekb_ticket_key key = {0};
    struct ekb_ticket_key other = {0};
    cr_assert_eq(ekb_ticket_key_make(&key), EKB_OK);
    cr_assert_eq(ekb_ticket_key_make(&other), EKB_OK);

    expect_with_keys(&key, &other, false);
    expect_with_keys(&key, NULL, false);
}

// A zeroed key is none, and not one that everybody knows.
Test(resumption, verifies_anew_when_both_keys_are_zeroed)
{
    static const struct ekb_ticket_key none = {.set = false};

    expect_with_keys(&none, &none, false);
}

// The other way in: what is in flight when a policy comes in force belongs to the old one.
Test(resumption, gives_no_pass_for_the_new_policy_when_the_old_one_ends_meanwhile)
{
    for (size_t i = 0; i < 2; i++) {
        struct visit slow;
        struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
        eku_off(&options);
        struct ekb_tls_config *old_config = tls_config(&options);
        visit_init(&slow, old_config, WHO_SERVER_AUTH, versions[i], NULL);
        (void)visit_step(&slow);
        ekb_tls_config_destroy(old_config);
        struct ekb_tls_config *new_config = server_with(EKB_TLS_RESUME_ON);
        visit_run(&slow);
        const struct outcome first = visit_outcome(&slow);
        visit_deinit(&slow);
        SSL_SESSION *old = take_ticket();
        cr_assert(first.accepted, "%s", ekb_err_name(first.err));

        const struct outcome outcome = visit(new_config, WHO_SERVER_AUTH, versions[i], old);

        cr_expect_not(outcome.accepted, "TLS %s", ekb_tls_version_name(versions[i]));
        cr_expect_eq(outcome.err, EKB_VERIFY_PURPOSE, "%s", ekb_err_name(outcome.err));
        cr_expect_eq(outcome.alert, ALERT_UNSUPPORTED_CERTIFICATE, "%d", outcome.alert);
        SSL_SESSION_free(old);
        ekb_tls_config_destroy(new_config);
    }
}

// Configurations that go before their connections.

// outlive makes a connection of which the configuration is destroyed after `num_steps`.
static struct outcome outlive(const struct ekb_tls_options *options, enum who who,
                              enum ekb_tls_version version, bool resumes, int num_steps)
{
    struct visit visit;
    struct ekb_tls_config *config = tls_config(options);
    SSL_SESSION *old = resumes ? get_ticket(config, who, version) : NULL;
    visit_init(&visit, config, who, version, old);
    for (int i = 0; i < num_steps; i++) {
        (void)visit_step(&visit);
    }
    ekb_tls_config_destroy(config);
    visit_run(&visit);
    const struct outcome outcome = visit_outcome(&visit);
    visit_deinit(&visit);
    SSL_SESSION_free(old);
    SSL_SESSION_free(take_ticket());
    return outcome;
}

// More than any of these connections takes.
#define MAX_STEPS 16

Test(resumption, accepts_when_the_configuration_goes_first)
{
    const struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
    for (size_t i = 0; i < 2; i++) {
        for (int num_steps = 0; num_steps < MAX_STEPS; num_steps++) {
            char name[64];
            (void)snprintf(name, sizeof name, "TLS %s, %d steps", ekb_tls_version_name(versions[i]),
                           num_steps);

            const struct outcome outcome =
                outlive(&options, WHO_BOTH, versions[i], false, num_steps);

            expect_anew(&outcome, name);
        }
    }
}

Test(resumption, rejects_when_the_configuration_goes_first)
{
    struct ekb_tls_options options = options_with(EKB_TLS_RESUME_OFF);
    options.crls = revoking;
    for (size_t i = 0; i < 2; i++) {
        for (int num_steps = 0; num_steps < MAX_STEPS; num_steps++) {
            const struct outcome outcome =
                outlive(&options, WHO_BOTH, versions[i], false, num_steps);

            cr_expect_eq(outcome.err, EKB_VERIFY_REVOKED, "TLS %s, %d steps: %s",
                         ekb_tls_version_name(versions[i]), num_steps, ekb_err_name(outcome.err));
        }
    }
}

Test(resumption, resumes_when_the_configuration_goes_first)
{
    const struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
    for (size_t i = 0; i < 2; i++) {
        for (int num_steps = 0; num_steps < MAX_STEPS; num_steps++) {
            char name[64];
            (void)snprintf(name, sizeof name, "TLS %s, %d steps", ekb_tls_version_name(versions[i]),
                           num_steps);

            const struct outcome outcome =
                outlive(&options, WHO_BOTH, versions[i], true, num_steps);

            expect_resumed(&outcome, name);
        }
    }
}

// Levels that have no verifier.
Test(resumption, accepts_at_every_level_when_the_configuration_goes_first)
{
    for (unsigned level = 0; level < EKB_VERIFY_NUM_LEVELS; level++) {
        struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
        options.policy.verify = (enum ekb_verify_level)level;
        for (size_t i = 0; i < 2; i++) {
            const struct outcome outcome = outlive(&options, WHO_BOTH, versions[i], true, 1);

            expect_resumed(&outcome, ekb_verify_level_name((enum ekb_verify_level)level));
        }
    }
}

Test(resumption, keeps_many_connections_apart_when_their_configurations_go_first)
{
    enum {
        NUM = 20
    };
    struct visit visits[NUM];
    for (int i = 0; i < NUM; i++) {
        struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
        options.policy.eku = i % 2 == 0 ? EKB_EKU_ON : EKB_EKU_OFF;
        struct ekb_tls_config *config = tls_config(&options);
        visit_init(&visits[i], config, WHO_CLIENT_AUTH, versions[i / 2 % 2], NULL);
        ekb_tls_config_destroy(config);
    }

    for (int i = 0; i < NUM; i++) {
        visit_run(&visits[i]);
    }

    for (int i = 0; i < NUM; i++) {
        const struct outcome outcome = visit_outcome(&visits[i]);
        const enum ekb_err wanted = i % 2 == 0 ? EKB_OK : EKB_VERIFY_PURPOSE;
        cr_expect_eq(outcome.err, wanted, "%d: %s", i, ekb_err_name(outcome.err));
        visit_deinit(&visits[i]);
    }
}

// How long a ticket is good.

Test(resumption, tells_the_client_how_long_a_ticket_is_good)
{
    struct ekb_tls_config *config = server_with(EKB_TLS_RESUME_ON);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *given = get_ticket(config, WHO_BOTH, versions[i]);

        // In TLS 1.2 what the server says is a hint; in TLS 1.3 the client's library has made it
        // the session's own limit.
        const uint32_t told_s = versions[i] == EKB_TLS_1_2
                                    ? SSL_SESSION_get_ticket_lifetime_hint(given)
                                    : SSL_SESSION_get_timeout(given);

        cr_expect_leq(told_s, EKB_TLS_TICKET_S, "TLS %s: %u s", ekb_tls_version_name(versions[i]),
                      told_s);
        cr_expect_gt(told_s, 0, "TLS %s", ekb_tls_version_name(versions[i]));
        SSL_SESSION_free(given);
    }
    ekb_tls_config_destroy(config);
}

struct age_case {
    const char *name;
    int64_t age_s;
    bool resumed;
};

Test(resumption, verifies_anew_when_a_ticket_is_too_old)
{
    static const struct age_case cases[] = {
        {"at once", 0, true},
        {"just good", EKB_TLS_TICKET_S - 1, true},
        {"just too old", EKB_TLS_TICKET_S + 1, false},
        {"a day", INT64_C(86400), false},
        {"from the future", INT64_C(-10), false},
    };
    const struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
    struct ekb_tls_config *config = server_in_time(&options);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            char name[64];
            SSL_SESSION *old = get_ticket(config, WHO_BOTH, versions[i]);
            (void)snprintf(name, sizeof name, "%s, TLS %s", cases[k].name,
                           ekb_tls_version_name(versions[i]));
            server_now_s += cases[k].age_s;

            const struct outcome outcome = visit(config, WHO_BOTH, versions[i], old);

            if (cases[k].resumed) {
                expect_resumed(&outcome, name);
            } else {
                expect_anew(&outcome, name);
            }
            SSL_SESSION_free(old);
        }
    }
    ekb_tls_config_destroy(config);
}

// What must be over when a ticket ends, beside the hour.
enum limit {
    LIMIT_CERTIFICATE,
    LIMIT_CRL_OF_LEAF,
    LIMIT_CRL_OF_INTERMEDIATE,
    NUM_LIMITS
};

static const char *const limit_names[NUM_LIMITS] = {"certificate", "CRL of the leaf's issuer",
                                                    "CRL of the root"};

#define LEFT_S 600

// expect_end makes a server that verifies `LEFT_S` seconds before something ends, and shows it a
// ticket that is `age_s` old.
static void expect_end(enum limit limit, enum ekb_tls_version version, int64_t age_s, bool resumed)
{
    char name[128];
    const int64_t end = limit == LIMIT_CERTIFICATE ? FIXTURE_NOT_AFTER : CRL_SHORT_UNTIL;
    const int64_t at = end - LEFT_S;
    const size_t short_lived = limit == LIMIT_CRL_OF_LEAF ? 1 : 0;
    struct ekb_crls *crls =
        limit == LIMIT_CERTIFICATE ? NULL : make_crls(&pkis[WHO_BOTH], 0, short_lived);
    struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
    options.crls = crls;
    options.verify_at = &at;
    struct ekb_tls_config *config = server_in_time(&options);
    SSL_SESSION *old = get_ticket(config, WHO_BOTH, version);
    (void)snprintf(name, sizeof name, "%s, TLS %s, after %lld s", limit_names[limit],
                   ekb_tls_version_name(version), (long long)age_s);
    server_now_s += age_s;

    const struct outcome outcome = visit(config, WHO_BOTH, version, old);

    if (resumed) {
        expect_resumed(&outcome, name);
    } else {
        expect_anew(&outcome, name);
    }
    SSL_SESSION_free(old);
    ekb_tls_config_destroy(config);
    ekb_crls_destroy(crls);
}

// The time of verification stands still here: after so many seconds the certificate, or the list,
// would be over.
Test(resumption, verifies_anew_when_a_certificate_or_a_crl_is_over)
{
    for (unsigned limit = 0; limit < NUM_LIMITS; limit++) {
        for (size_t i = 0; i < 2; i++) {
            expect_end((enum limit)limit, versions[i], LEFT_S - 1, true);
            expect_end((enum limit)limit, versions[i], LEFT_S, false);
        }
    }
}

// Both are short-lived: what the ticket ends with is what ends first, were it an intermediate.
Test(resumption, verifies_anew_when_a_ca_is_over)
{
    const int64_t at = FIXTURE_NOT_AFTER - DAY - LEFT_S;
    const struct ekb_mint_ca spec = {.common_name = "short-lived",
                                     .key_type = EKB_KEY_P256,
                                     .not_before = FIXTURE_NOT_BEFORE,
                                     .not_after = FIXTURE_NOT_AFTER - DAY};
    const struct ekb_mint_leaf leaf = {.common_name = "client",
                                       .key_type = EKB_KEY_P256,
                                       .eku = EKB_EKU_CLIENT_AUTH,
                                       .not_before = FIXTURE_NOT_BEFORE,
                                       .not_after = FIXTURE_NOT_AFTER};
    struct ekb_ca *ca = NULL;
    struct fixture_pki *pki = &pkis[WHO_CLIENT_AUTH];
    cr_assert_eq(ekb_ca_create_intermediate(&ca, pki->cas[0], &spec, NULL), EKB_OK);
    ekb_chain_destroy(pki->chain);
    ekb_key_destroy(pki->key);
    cr_assert_eq(ekb_ca_issue(&pki->chain, &pki->key, ca, &leaf, NULL), EKB_OK);
    struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
    options.verify_at = &at;
    struct ekb_tls_config *config = server_in_time(&options);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *old = get_ticket(config, WHO_CLIENT_AUTH, versions[i]);
        server_now_s += LEFT_S - 1;
        const struct outcome before = visit(config, WHO_CLIENT_AUTH, versions[i], old);
        server_now_s += 1;

        const struct outcome after = visit(config, WHO_CLIENT_AUTH, versions[i], old);

        expect_resumed(&before, ekb_tls_version_name(versions[i]));
        expect_anew(&after, ekb_tls_version_name(versions[i]));
        SSL_SESSION_free(old);
    }
    ekb_tls_config_destroy(config);
    ekb_ca_destroy(ca);
}

// A resumed connection gets a new ticket. Were that one good for as long again, who comes often
// enough would never be verified any more; hence what counts is the last full handshake.
static void expect_last_handshake_counts(enum ekb_verify_level level, enum ekb_tls_version version)
{
    struct ekb_tls_options options = options_with(EKB_TLS_RESUME_ON);
    options.policy.verify = level;
    struct ekb_tls_config *config = server_in_time(&options);
    const int64_t verified_s = server_now_s;
    SSL_SESSION *old = get_ticket(config, WHO_BOTH, version);

    // Three times in the life of a ticket, with the latest one.
    bool resumed = true;
    for (int come = 0; come < 5 && resumed; come++) {
        server_now_s += EKB_TLS_TICKET_S / 3;
        const struct outcome outcome = visit(config, WHO_BOTH, version, old);
        SSL_SESSION *newer = take_ticket();
        cr_assert(outcome.accepted, "%s", ekb_err_name(outcome.err));
        resumed = outcome.resumed;
        cr_expect(!resumed || server_now_s - verified_s <= EKB_TLS_TICKET_S,
                  "%s, TLS %s: resumed %lld s after the last full handshake",
                  ekb_verify_level_name(level), ekb_tls_version_name(version),
                  (long long)(server_now_s - verified_s));
        if (newer != NULL) {
            SSL_SESSION_free(old);
            old = newer;
        }
    }
    SSL_SESSION_free(old);
    ekb_tls_config_destroy(config);
}

Test(resumption, verifies_anew_when_the_last_full_handshake_is_too_old)
{
    static const enum ekb_verify_level levels[] = {EKB_VERIFY_FULL, EKB_VERIFY_PARSE,
                                                   EKB_VERIFY_RAW};
    for (size_t level = 0; level < sizeof levels / sizeof levels[0]; level++) {
        for (size_t i = 0; i < 2; i++) {
            expect_last_handshake_counts(levels[level], versions[i]);
        }
    }
}
