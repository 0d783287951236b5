// What a listener's groups, ciphers and second certificate come to on the wire, and after a reload.

#include "support/served.h"
#include "support/stores.h"
#include "support/wire.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/file.h"
#include "ekubench/peer/listen.h"
#include "ekubench/store/store.h"

#include <criterion/criterion.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static struct store_fixture stores;
static struct served server;
static char second[512];            // A store with a server certificate for a key on P-384.
static struct ekb_listener *wanted; // What the server takes when it reloads; shared with it.
static struct ekb_event_queue *events;

static void set_up(void)
{
    struct fixture_pki pki;
    struct ekb_fail fail = {0};
    skip_without_io_uring();
    store_fixture_init(&stores);
    fixture_pki_init(
        &pki, &(struct fixture_pki_spec){.key_type = EKB_KEY_P384, .eku = EKB_EKU_SERVER_AUTH});
    const struct ekb_identity identity = {.chain = pki.chain, .key = pki.key};
    (void)fixture_dir_file(second, &stores.dir, "second");
    cr_assert_eq(ekb_file_make_dirs(second, 0755, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_store_write_identity(second, EKB_STORE_SERVER, &identity, &fail), EKB_OK, "%s",
                 fail.detail);
    fixture_pki_deinit(&pki);
    wanted = mmap(NULL, sizeof *wanted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(wanted, MAP_FAILED);
    cr_assert_eq(ekb_event_queue_create(&events), EKB_OK);
}

static void tear_down(void)
{
    served_deinit(&server);
    ekb_event_queue_destroy(events);
    (void)munmap(wanted, sizeof *wanted);
    store_fixture_deinit(&stores);
}

TestSuite(terms, .init = set_up, .fini = tear_down, .timeout = 60);

static void want(const char *terms)
{
    char text[1200];
    struct ekb_fail fail = {0};
    (void)snprintf(text, sizeof text, "127.0.0.1:0%s", terms);
    cr_assert_eq(ekb_listener_parse(wanted, text, &fail), EKB_OK, "%s", fail.detail);
}

static void start(const char *terms)
{
    want(terms);
    served_start(
        &server, stores.server,
        &(struct served_spec){.listeners = {terms}, .reload_from = wanted, .events = events});
}

// reload has the server take what is wanted by now, and returns what it tells.
static enum ekb_event_kind reload(void)
{
    enum ekb_event_kind kind = EKB_EVENT_REFUSED;
    ekb_worker_command_reload(&server.worker);
    while (kind == EKB_EVENT_REFUSED) {
        kind = served_await_event(events).kind;
    }
    return kind;
}

// What a client came to know of a connection.
struct found {
    bool confirmed;
    char group[32];
    char cipher[64];
    char signature[32];
};

// visit comes as the right client, which takes any server's certificate.
static struct found visit(enum ekb_tls_version version,
                          const struct ekb_tls_preferences *preferences)
{
    struct found found;
    struct ekb_fail fail = {0};
    struct ekb_store *store = NULL;
    struct wire_client client = {.fd = wire_connect(served_address(&server, 0)),
                                 .step = WIRE_CONNECTED};
    cr_assert_eq(ekb_store_load(&store, stores.client, EKB_STORE_NEED_CLIENT, &fail), EKB_OK, "%s",
                 fail.detail);
    struct ekb_policy raw = ekb_policy_default();
    raw.verify = EKB_VERIFY_RAW;
    const struct ekb_tls_options options = {.role = EKB_ROLE_CLIENT,
                                            .version = version,
                                            .identity = ekb_store_identity(store, EKB_STORE_CLIENT),
                                            .preferences = *preferences,
                                            .policy = raw};
    cr_assert_eq(ekb_tls_config_create(&client.config, &options, &fail), EKB_OK, "%s", fail.detail);
    ekb_store_destroy(store);
    cr_assert_eq(ekb_endpoint_create(&client.endpoint), EKB_OK);
    cr_assert_eq(ekb_endpoint_start(client.endpoint, client.config), EKB_OK);
    found.confirmed = wire_client_advance(&client, WIRE_CONFIRMED);
    (void)snprintf(found.group, sizeof found.group, "%s", ekb_endpoint_group_name(client.endpoint));
    (void)snprintf(found.cipher, sizeof found.cipher, "%s",
                   ekb_endpoint_cipher_name(client.endpoint));
    (void)snprintf(found.signature, sizeof found.signature, "%s",
                   ekb_endpoint_signature_name(client.endpoint));
    wire_client_deinit(&client);
    return found;
}

static const struct ekb_tls_preferences usual = {NULL};
static const struct ekb_tls_preferences only_x25519 = {.groups = "X25519"};
static const struct ekb_tls_preferences only_p384 = {.groups = "P-384"};
static const struct ekb_tls_preferences p384_first = {
    .signatures = "ecdsa_secp384r1_sha384:ecdsa_secp256r1_sha256"};
static const struct ekb_tls_preferences p384_last = {
    .signatures = "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384"};

Test(terms, are_the_usual_ones_when_nothing_is_named)
{
    start("");

    const struct found found = visit(EKB_TLS_1_3, &usual);
    const struct found wished = visit(EKB_TLS_1_3, &p384_first);
    served_stop(&server);

    cr_expect(found.confirmed && wished.confirmed);
    cr_expect_str_eq(found.group, "X25519");
    cr_expect_str_eq(wished.signature, "ecdsa_secp256r1_sha256");
}

Test(terms, decide_groups_and_ciphers)
{
    start(",groups=P-384:P-256,ciphers=ECDHE-ECDSA-AES256-GCM-SHA384");

    const struct found none = visit(EKB_TLS_1_3, &only_x25519);
    const struct found usual_1_3 = visit(EKB_TLS_1_3, &usual);
    const struct found usual_1_2 = visit(EKB_TLS_1_2, &usual);
    served_stop(&server);

    cr_expect_not(none.confirmed);
    cr_expect(usual_1_3.confirmed && usual_1_2.confirmed);
    cr_expect_str_eq(usual_1_3.group, "P-256"); // The client's order.
    cr_expect_str_eq(usual_1_2.cipher, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
    cr_expect_eq(served_arm(&server, 0)->failures[EKB_TLS_NO_COMMON], 1);
}

Test(terms, give_the_second_certificate_to_who_wants_it)
{
    char terms[600];
    (void)snprintf(terms, sizeof terms, ",second=%s", second);
    start(terms);

    const struct found first_wished = visit(EKB_TLS_1_3, &p384_last);
    const struct found second_wished = visit(EKB_TLS_1_3, &p384_first);
    served_stop(&server);

    cr_expect(first_wished.confirmed && second_wished.confirmed);
    cr_expect_str_eq(first_wished.signature, "ecdsa_secp256r1_sha256");
    cr_expect_str_eq(second_wished.signature, "ecdsa_secp384r1_sha384");
}

Test(terms, are_taken_anew_when_it_reloads)
{
    char terms[600];
    (void)snprintf(terms, sizeof terms, ",groups=P-384,second=%s", second);
    start("");
    cr_expect(visit(EKB_TLS_1_3, &only_x25519).confirmed);
    cr_expect(visit(EKB_TLS_1_3, &only_p384).confirmed);
    want(terms);

    const enum ekb_event_kind there = reload();
    const struct found refused = visit(EKB_TLS_1_3, &only_x25519);
    const struct found taken = visit(EKB_TLS_1_3, &p384_first);
    want("");
    const enum ekb_event_kind back = reload();
    const struct found again = visit(EKB_TLS_1_3, &only_x25519);
    const struct found alone = visit(EKB_TLS_1_3, &p384_first);
    served_stop(&server);

    cr_expect_eq(there, EKB_EVENT_RELOADED);
    cr_expect_not(refused.confirmed);
    cr_expect(taken.confirmed);
    cr_expect_str_eq(taken.group, "P-384");
    cr_expect_str_eq(taken.signature, "ecdsa_secp384r1_sha384");
    cr_expect_eq(back, EKB_EVENT_RELOADED);
    cr_expect(again.confirmed);
    cr_expect_str_eq(alone.signature, "ecdsa_secp256r1_sha256");
}

Test(terms, stay_when_the_new_ones_cannot_be_had)
{
    start(",groups=P-384,ciphers=ECDHE-ECDSA-AES256-GCM-SHA384");
    want(",groups=X25519,second=/nonexistent/store");

    const enum ekb_event_kind kind = reload();
    const struct found refused = visit(EKB_TLS_1_3, &only_x25519);
    const struct found taken = visit(EKB_TLS_1_3, &only_p384);
    // And when it reads them again, of its own.
    want(",groups=P-384,ciphers=ECDHE-ECDSA-AES256-GCM-SHA384");
    const enum ekb_event_kind next = reload();
    const struct found as_before = visit(EKB_TLS_1_3, &only_p384);
    served_stop(&server);

    cr_expect_eq(kind, EKB_EVENT_RELOAD_FAILED);
    cr_expect_not(refused.confirmed);
    cr_expect(taken.confirmed);
    cr_expect_eq(next, EKB_EVENT_RELOADED);
    cr_expect(as_before.confirmed);
}
