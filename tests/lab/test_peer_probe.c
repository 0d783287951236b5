#include "ekubench/lab/peer_probe.h"

#include "ekubench/base/clock.h"
#include "ekubench/store/admin.h"
#include "support/fixtures.h"
#include "support/served.h"
#include "support/stores.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// As the certificates of the fixtures have it.
#define HOST "localhost"

static struct store_fixture stores;
static struct served served;
static char both[512];   // A server store with a self-signed ECDSA certificate,
static char second[512]; // one with an RSA certificate of a CA
static char node[512];   // which this one trusts, that has certificates for either role;
static char fresh[512];  // and one in which is a server certificate, and nothing else.

// write_stores makes those that the fixture has not.
static void write_stores(void)
{
    struct fixture_pki pki;
    const struct ekb_admin_host host = {.name = HOST, .key_type = EKB_KEY_P256};
    const int64_t now = (int64_t)time(NULL);
    fixture_pki_init(&pki, &(struct fixture_pki_spec){.key_type = EKB_KEY_RSA2048,
                                                      .depth = 1,
                                                      .eku = EKB_EKU_SERVER_AUTH});
    const struct ekb_identity identity = {.chain = pki.chain, .key = pki.key};
    (void)fixture_dir_file(both, &stores.dir, "both");
    (void)fixture_dir_file(second, &stores.dir, "second");
    (void)fixture_dir_file(node, &stores.dir, "node");
    (void)fixture_dir_file(fresh, &stores.dir, "fresh");
    cr_assert_eq(ekb_admin_init(both, &host, now, NULL), EKB_OK);
    cr_assert_eq(ekb_store_write_trust(both, fixture_pki_root(&pki), NULL), EKB_OK);
    cr_assert_eq(ekb_admin_init(second, &host, now, NULL), EKB_OK);
    cr_assert_eq(ekb_store_write_identity(second, EKB_STORE_SERVER, &identity, NULL), EKB_OK);
    cr_assert_eq(ekb_admin_init(node, &host, now, NULL), EKB_OK);
    cr_assert_eq(ekb_store_write_identity(node, EKB_STORE_CLIENT, &identity, NULL), EKB_OK);
    cr_assert_eq(ekb_store_write_trust(node, fixture_pki_root(&pki), NULL), EKB_OK);
    cr_assert_eq(ekb_admin_init(fresh, &host, now, NULL), EKB_OK);
    fixture_pki_deinit(&pki);
}

static void set_up(void)
{
    skip_without_io_uring();
    store_fixture_init(&stores);
    write_stores();
}

static void tear_down(void)
{
    store_fixture_deinit(&stores);
}

TestSuite(peer_probe, .init = set_up, .fini = tear_down, .timeout = 60);

// Either version by itself, and what is made of both.
static const struct {
    const char *listener;
    enum ekb_tls_version version;
} versions[] = {{",tls=1.2", EKB_TLS_1_2}, {",tls=1.3", EKB_TLS_1_3}, {"", EKB_TLS_ANY}};
#define NUM_VERSIONS (sizeof versions / sizeof versions[0])

// serve runs a server until served_stop.
static void serve(const char *store, const char *listener, const char *more)
{
    char text[1024];
    const struct served_spec spec = {.listeners = {text}};
    (void)snprintf(text, sizeof text, "%s%s", listener, more);
    served_start(&served, store, &spec);
}

static void stop(void)
{
    served_stop(&served);
    served_deinit(&served);
}

static struct ekb_peer_probe_options options_of(const char *store, enum ekb_tls_version version)
{
    return (struct ekb_peer_probe_options){.target = *served_address(&served, 0),
                                           .store = store,
                                           .name = HOST,
                                           .release = EKB_RELEASE_X15_5,
                                           .version = version,
                                           .deadline_ns = 5 * EKB_NS_PER_S};
}

static struct ekb_peer_probe probe_with(const struct ekb_peer_probe_options *options)
{
    struct ekb_peer_probe probe;
    struct ekb_fail fail = {.err = EKB_OK};
    cr_assert_eq(ekb_peer_probe_make(&probe, options, &fail), EKB_OK, "%s", fail.detail);
    return probe;
}

// Docs/domain.md section 9: RSA, trusted, beside ECDSA, self-signed.
Test(peer_probe, tells_which_of_two_certificates_each_release_gets)
{
    static const enum ekb_probe_kind wanted[EKB_RELEASE_NUM] = {
        [EKB_RELEASE_X14_1] = EKB_PROBE_RSA,
        [EKB_RELEASE_X14_2] = EKB_PROBE_ECDSA,
        [EKB_RELEASE_X15_4] = EKB_PROBE_ECDSA,
        [EKB_RELEASE_X15_5] = EKB_PROBE_ECDSA};
    char more[600];
    (void)snprintf(more, sizeof more, ",verify=one-way,second=%s", second);
    for (size_t i = 0; i < NUM_VERSIONS; i++) {
        serve(both, versions[i].listener, more);
        for (int release = 0; release < EKB_RELEASE_NUM; release++) {
            struct ekb_peer_probe_options options = options_of(node, versions[i].version);
            options.release = (enum ekb_release)release;
            struct ekb_peer_probe probe = probe_with(&options);
            enum ekb_probe_kind kind = EKB_PROBE_NUM_KINDS;
            cr_expect(ekb_peer_probe_kind_of(&kind, &probe, options.release));
            cr_expect_eq(kind, wanted[release], "%zu, release %d", i, release);
            cr_expect_eq(probe.verdicts[EKB_PROBE_RSA].err, EKB_OK);
            cr_expect_eq(probe.verdicts[EKB_PROBE_ECDSA].err, EKB_VERIFY_SELF_SIGNED_LEAF);
            cr_expect_eq(ekb_peer_probe_works(&probe), release == EKB_RELEASE_X14_1);
            cr_expect_eq(probe.verdict.err,
                         release == EKB_RELEASE_X14_1 ? EKB_OK : EKB_VERIFY_SELF_SIGNED_LEAF);
            cr_expect_eq(probe.client, EKB_PROBE_CLIENT_NOT_ASKED);
            ekb_peer_probe_deinit(&probe);
        }
        stop();
    }
}

// What the oldest releases verify at discovery alone: the RSA certificate, by its name too.
Test(peer_probe, verifies_at_discovery_what_is_not_verified_otherwise)
{
    char more[600];
    (void)snprintf(more, sizeof more, ",verify=one-way,second=%s", second);
    enum ekb_probe_kind kind = EKB_PROBE_NUM_KINDS;
    serve(both, "", more);
    struct ekb_peer_probe_options options = options_of(node, EKB_TLS_ANY);
    options.release = EKB_RELEASE_X14_1;
    options.name = "other.example";
    struct ekb_peer_probe probe = probe_with(&options);
    cr_expect(ekb_peer_probe_works(&probe));
    cr_expect_eq(probe.verdict.err, EKB_OK, "nothing is verified");
    cr_expect_not(ekb_peer_probe_verifies(&options, EKB_RELEASE_X14_1));
    cr_expect(ekb_peer_probe_verifies(&options, EKB_RELEASE_X14_2));
    ekb_peer_probe_deinit(&probe);
    options.discovery = true;
    probe = probe_with(&options);
    cr_expect(ekb_peer_probe_verifies(&options, EKB_RELEASE_X14_1));
    cr_expect_not(ekb_peer_probe_works(&probe));
    cr_expect(probe.verdict.is_name);
    cr_expect(ekb_peer_probe_kind_of(&kind, &probe, EKB_RELEASE_X14_1));
    cr_expect_eq(kind, EKB_PROBE_RSA);
    ekb_peer_probe_deinit(&probe);
    stop();
}

// What the node has to present, and what became of it.
static const struct {
    const char *what;
    const char *store;
    const char *listener; // Beside the version.
    enum ekb_release release;
    enum ekb_probe_client client;
    bool works;
    const char *hint; // A part of it.
} clients[] = {
    {"accepted", stores.client, "", EKB_RELEASE_X15_5, EKB_PROBE_CLIENT_PRESENTED, true, ""},
    {"not asked", stores.client, ",verify=one-way", EKB_RELEASE_X15_5, EKB_PROBE_CLIENT_NOT_ASKED,
     true, ""},
    {"usage", stores.wrong_eku, "", EKB_RELEASE_X15_5, EKB_PROBE_CLIENT_PRESENTED, false,
     "upload one with clientAuth to the client store"},
    {"usage, mode off", stores.client, ",eku=off", EKB_RELEASE_X15_5, EKB_PROBE_CLIENT_PRESENTED,
     false, "as with EKU checking mode off"},
    {"CA", stores.stranger, "", EKB_RELEASE_X15_5, EKB_PROBE_CLIENT_PRESENTED, false,
     "add its root to the server's trusted CA list"},
    {"none", stores.anonymous, "", EKB_RELEASE_X15_5, EKB_PROBE_CLIENT_EMPTY, false,
     "none was presented: upload one with clientAuth to the client store"},
    {"none before there were two", stores.client, "", EKB_RELEASE_X14_2, EKB_PROBE_CLIENT_EMPTY,
     false, "for both roles before X15.5"},
    {"the server's before there were two", stores.server, "", EKB_RELEASE_X15_4,
     EKB_PROBE_CLIENT_PRESENTED, false, "have the certificate issued with clientAuth too"},
    {"too early", stores.doubter, "", EKB_RELEASE_X15_5, EKB_PROBE_CLIENT_TOO_EARLY, false,
     "add the root of the server's chain"},
};

Test(peer_probe, tells_what_became_of_the_clients_certificate)
{
    for (size_t i = 0; i < NUM_VERSIONS; i++) {
        for (size_t j = 0; j < sizeof clients / sizeof clients[0]; j++) {
            serve(stores.server, versions[i].listener, clients[j].listener);
            struct ekb_peer_probe_options options =
                options_of(clients[j].store, versions[i].version);
            options.release = clients[j].release;
            struct ekb_peer_probe probe = probe_with(&options);
            const char *hint = ekb_peer_probe_hint(&probe);
            cr_expect_eq(probe.client, clients[j].client, "%s: %d", clients[j].what,
                         (int)probe.client);
            cr_expect_eq(ekb_peer_probe_works(&probe), clients[j].works, "%s: %s", clients[j].what,
                         ekb_err_name(probe.visit.err));
            cr_expect(clients[j].works ? hint[0] == '\0' : strstr(hint, clients[j].hint) != NULL,
                      "%s: %s", clients[j].what, hint);
            ekb_peer_probe_deinit(&probe);
            stop();
        }
    }
}

Test(peer_probe, presents_the_store_that_the_release_has_for_clients)
{
    serve(stores.server, "", ",verify=raw");
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        struct ekb_store *store = NULL;
        struct ekb_description wanted;
        const enum ekb_store_side side =
            release == EKB_RELEASE_X15_5 ? EKB_STORE_CLIENT : EKB_STORE_SERVER;
        struct ekb_peer_probe_options options = options_of(node, EKB_TLS_ANY);
        options.release = (enum ekb_release)release;
        struct ekb_peer_probe probe = probe_with(&options);
        cr_assert_eq(ekb_store_load(&store, node, EKB_STORE_NEED_CLIENT, NULL), EKB_OK);
        ekb_chain_describe(&wanted, ekb_store_identity(store, side)->chain, 0);
        cr_expect_eq(probe.side, side);
        cr_expect_str_eq(probe.leaf.serial, wanted.serial, "release %d", release);
        ekb_store_destroy(store);
        ekb_peer_probe_deinit(&probe);
    }
    stop();
}

Test(peer_probe, trusts_nobody_from_a_store_without_trusted_cas)
{
    serve(stores.server, "", ",verify=one-way");
    const struct ekb_peer_probe_options options = options_of(fresh, EKB_TLS_ANY);
    struct ekb_peer_probe probe = probe_with(&options);
    cr_expect_eq(probe.num_trusted, 0);
    cr_expect_not(ekb_peer_probe_works(&probe));
    cr_expect_eq(probe.verdict.err, EKB_VERIFY_NO_LOCAL_ISSUER, "%s",
                 ekb_err_name(probe.verdict.err));
    cr_expect_not_null(strstr(ekb_peer_probe_hint(&probe), "the trusted CA list is empty"));
    ekb_peer_probe_deinit(&probe);
    stop();
}

Test(peer_probe, fails_without_a_store)
{
    struct ekb_peer_probe probe;
    serve(stores.server, "", "");
    const struct ekb_peer_probe_options options = options_of(stores.dir.path, EKB_TLS_ANY);
    cr_expect_eq(ekb_peer_probe_make(&probe, &options, NULL), EKB_NOT_FOUND);
    ekb_peer_probe_deinit(&probe);
    stop();
}

// address_of_nobody returns an address at which nothing listens.
static struct ekb_address address_of_nobody(void)
{
    struct ekb_address address;
    int fd = -1;
    cr_assert_eq(ekb_address_parse(&address, "127.0.0.1:0", NULL), EKB_OK);
    cr_assert_eq(ekb_net_listen(&fd, &address, false, NULL), EKB_OK);
    cr_assert_eq(ekb_net_local_address(&address, fd), EKB_OK);
    (void)close(fd);
    return address;
}

Test(peer_probe, takes_the_first_address_that_connects)
{
    char found[EKB_ADDRESS_TEXT_LEN];
    char wanted[EKB_ADDRESS_TEXT_LEN];
    serve(stores.server, "", "");
    struct ekb_peer_probe_options options = options_of(stores.client, EKB_TLS_ANY);
    struct ekb_addresses addresses = {
        .all = {address_of_nobody(), *served_address(&served, 0), address_of_nobody()}, .num = 3};
    options.addresses = &addresses;
    struct ekb_peer_probe probe = probe_with(&options);
    cr_expect(ekb_peer_probe_works(&probe));
    cr_expect_str_eq(ekb_address_format(found, &probe.address),
                     ekb_address_format(wanted, &addresses.all[1]));
    ekb_peer_probe_deinit(&probe);
    stop();
    addresses.num = 1;
    probe = probe_with(&options);
    cr_expect_eq(probe.look.err, EKB_CONNECT_REFUSED);
    cr_expect_not(ekb_peer_probe_shows(&probe));
    cr_expect_not(ekb_peer_probe_works(&probe));
    cr_expect_eq(probe.client, EKB_PROBE_CLIENT_NOT_KNOWN);
    ekb_peer_probe_deinit(&probe);
}
