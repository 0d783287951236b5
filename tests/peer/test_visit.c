#include "ekubench/peer/visit.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/event.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/store.h"
#include "ekubench/tls/alert.h"
#include "support/served.h"
#include "support/stores.h"

#include <criterion/criterion.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct store_fixture stores;
static struct served served;
static struct ekb_event_queue *events;
static bool runs;

static void set_up(void)
{
    skip_without_io_uring();
    store_fixture_init(&stores);
    cr_assert_eq(ekb_event_queue_create(&events), EKB_OK);
}

static void tear_down(void)
{
    if (runs) {
        served_stop(&served);
        served_deinit(&served);
    }
    ekb_event_queue_destroy(events);
    store_fixture_deinit(&stores);
}

TestSuite(visit, .init = set_up, .fini = tear_down, .timeout = 60);

static void serve(const char *listener)
{
    const struct served_spec spec = {.listeners = {listener}, .events = events};
    served_start(&served, stores.server, &spec);
    runs = true;
}

// make_config makes a client's configuration from a store; without `verifies` it takes any server.
static struct ekb_tls_config *make_config(const char *path, bool verifies)
{
    struct ekb_store *store = NULL;
    struct ekb_tls_config *config = NULL;
    struct ekb_fail fail = {.err = EKB_OK};
    struct ekb_tls_options tls = {
        .role = EKB_ROLE_CLIENT, .version = EKB_TLS_ANY, .policy = ekb_policy_default()};
    cr_assert_eq(ekb_store_load(&store, path, EKB_STORE_NEED_TRUST, &fail), EKB_OK, "%s",
                 fail.detail);
    tls.identity = ekb_store_identity(store, EKB_STORE_CLIENT);
    tls.trust = ekb_store_trust(store);
    tls.policy.verify = verifies ? EKB_VERIFY_FULL : EKB_VERIFY_RAW;
    cr_assert_eq(ekb_tls_config_create(&config, &tls, &fail), EKB_OK, "%s", fail.detail);
    ekb_store_destroy(store);
    return config;
}

// visit_at visits `target` with the store's client.
static struct ekb_visit visit_at(const struct ekb_address *target, const char *path, bool verifies)
{
    struct ekb_visit visit;
    struct ekb_fail fail = {.err = EKB_OK};
    struct ekb_tls_config *config = make_config(path, verifies);
    const struct ekb_visit_options options = {.target = *target,
                                              .config = config,
                                              .deadline_ns = 2 * EKB_NS_PER_S,
                                              .settle_ns = EKB_NS_PER_S};
    cr_assert_eq(ekb_visit_make(&visit, &options, &fail), EKB_OK, "%s", fail.detail);
    ekb_tls_config_destroy(config);
    return visit;
}

static struct ekb_visit visit_server(const char *path, bool verifies)
{
    return visit_at(served_address(&served, 0), path, verifies);
}

// expect_leaf compares the serial number of what the server presented with that in its store.
static void expect_leaf(const struct ekb_visit *visit)
{
    struct ekb_store *store = NULL;
    struct ekb_description wanted;
    struct ekb_description found;
    cr_assert_eq(ekb_store_load(&store, stores.server, EKB_STORE_NEED_SERVER, NULL), EKB_OK);
    ekb_chain_describe(&wanted, ekb_store_identity(store, EKB_STORE_SERVER)->chain, 0);
    cr_assert_not_null(visit->peer);
    ekb_chain_describe(&found, visit->peer, 0);
    cr_expect_str_eq(found.serial, wanted.serial);
    ekb_store_destroy(store);
}

Test(visit, tells_of_a_handshake_that_is_accepted)
{
    serve("");
    struct ekb_visit visit = visit_server(stores.client, true);
    cr_expect_eq(visit.err, EKB_OK, "%s", ekb_err_name(visit.err));
    cr_expect(visit.confirmed);
    cr_expect(visit.was_asked);
    cr_expect_str_eq(visit.version, "TLSv1.3");
    cr_expect_str_not_empty(visit.cipher);
    cr_expect_str_not_empty(visit.group);
    cr_expect_str_eq(visit.signature, "ecdsa_secp256r1_sha256");
    cr_expect_eq(visit.alert_sent, -1);
    cr_expect_eq(visit.alert_received, -1);
    expect_leaf(&visit);
    cr_expect(ekb_tls_trace_has(&visit.trace, EKB_TLS_MESSAGE_CERTIFICATE, true));
    cr_expect(ekb_tls_trace_has(&visit.trace, EKB_TLS_MESSAGE_CERTIFICATE, false));
    cr_expect_str_eq(ekb_tls_message_name(visit.trace.messages[0].type), "ClientHello");
    ekb_visit_deinit(&visit);
}

// In TLS 1.3 the server rejects after the client's own handshake has ended.
Test(visit, tells_of_the_servers_rejection)
{
    static const char *const versions[] = {",tls=1.2", ",tls=1.3"};
    for (size_t i = 0; i < 2; i++) {
        serve(versions[i]);
        struct ekb_visit visit = visit_server(stores.wrong_eku, true);
        cr_expect_eq(visit.err, EKB_TLS_ALERT, "%s: %s", versions[i], ekb_err_name(visit.err));
        cr_expect_str_eq(ekb_alert_name(visit.alert_received), "unsupported_certificate");
        cr_expect_not(visit.confirmed);
        expect_leaf(&visit);
        ekb_visit_deinit(&visit);
        served_stop(&served);
        served_deinit(&served);
        runs = false;
    }
}

// What the server presented is told although the client did not take it.
Test(visit, tells_of_its_own_rejection_and_of_whom)
{
    serve("");
    struct ekb_visit visit = visit_server(stores.doubter, true);
    cr_expect_eq(visit.err, EKB_VERIFY_NO_LOCAL_ISSUER, "%s", ekb_err_name(visit.err));
    cr_expect_str_eq(ekb_alert_name(visit.alert_sent), "unknown_ca");
    expect_leaf(&visit);
    ekb_visit_deinit(&visit);
    visit = visit_server(stores.doubter, false);
    cr_expect_eq(visit.err, EKB_OK, "whoever does not verify takes any");
    ekb_visit_deinit(&visit);
}

Test(visit, is_not_asked_where_nothing_is_asked_for)
{
    serve(",verify=one-way");
    struct ekb_visit visit = visit_server(stores.client, true);
    cr_expect_eq(visit.err, EKB_OK);
    cr_expect_not(visit.was_asked);
    cr_expect_not(ekb_tls_trace_has(&visit.trace, EKB_TLS_MESSAGE_CERTIFICATE, true));
    ekb_visit_deinit(&visit);
}

// listen_only makes a socket that accepts nobody, and says where it is.
static int listen_only(struct ekb_address *out_address)
{
    struct ekb_address any;
    int fd = -1;
    cr_assert_eq(ekb_address_parse(&any, "127.0.0.1:0", NULL), EKB_OK);
    cr_assert_eq(ekb_net_listen(&fd, &any, false, NULL), EKB_OK);
    cr_assert_eq(ekb_net_local_address(out_address, fd), EKB_OK);
    return fd;
}

Test(visit, ends_at_its_deadline_when_nobody_answers)
{
    struct ekb_address target;
    const int fd = listen_only(&target);
    const uint64_t begin_ns = ekb_clock_now_ns();
    struct ekb_visit visit = visit_at(&target, stores.client, true);
    cr_expect_eq(visit.err, EKB_DEADLINE, "%s", ekb_err_name(visit.err));
    cr_expect_geq(ekb_clock_now_ns() - begin_ns, 2 * EKB_NS_PER_S);
    cr_expect_null(visit.peer);
    ekb_visit_deinit(&visit);
    (void)close(fd);
}

Test(visit, tells_that_nobody_is_there)
{
    struct ekb_address target;
    (void)close(listen_only(&target));
    struct ekb_visit visit = visit_at(&target, stores.client, true);
    cr_expect_eq(visit.err, EKB_CONNECT_REFUSED, "%s", ekb_err_name(visit.err));
    ekb_visit_deinit(&visit);
}

// As an IPv6 address is to a machine without IPv6.
Test(visit, tells_that_an_address_of_a_strange_family_cannot_be_reached)
{
    const struct ekb_address target = {.storage = {.ss_family = AF_APPLETALK},
                                       .len = sizeof(struct sockaddr_storage)};
    struct ekb_visit visit = visit_at(&target, stores.client, true);
    cr_expect_eq(visit.err, EKB_CONNECT_UNREACHABLE, "%s", ekb_err_name(visit.err));
    ekb_visit_deinit(&visit);
}

Test(visit, tells_of_a_server_that_hangs_up)
{
    struct ekb_address target;
    const int fd = listen_only(&target);
    if (fork() == 0) {
        const int peer = accept(fd, NULL, NULL);
        (void)close(peer);
        _exit(0);
    }
    struct ekb_visit visit = visit_at(&target, stores.client, true);
    cr_expect(visit.err == EKB_PEER_CLOSED || visit.err == EKB_PEER_RESET, "%s",
              ekb_err_name(visit.err));
    ekb_visit_deinit(&visit);
    (void)close(fd);
}

// A server tells whom it has accepted only if that is asked for, and then with what was presented.
Test(visit, is_told_by_the_server_with_its_serial_number)
{
    struct ekb_store *store = NULL;
    struct ekb_description wanted;
    const struct served_spec spec = {.listeners = {""}, .events = events, .tells_accepted = true};
    served_start(&served, stores.server, &spec);
    runs = true;
    struct ekb_visit visit = visit_server(stores.client, true);
    cr_expect_eq(visit.err, EKB_OK);
    served_await(&served_arm(&served, 0)->accepted, 1);
    const struct ekb_event event = served_await_event(events);
    cr_expect_eq(event.kind, EKB_EVENT_ACCEPTED);
    cr_assert_eq(ekb_store_load(&store, stores.client, EKB_STORE_NEED_CLIENT, NULL), EKB_OK);
    ekb_chain_describe(&wanted, ekb_store_identity(store, EKB_STORE_CLIENT)->chain, 0);
    cr_expect_str_eq(event.serial, wanted.serial);
    ekb_store_destroy(store);
    ekb_visit_deinit(&visit);
}
