#include "ekubench/peer/server.h"

#include "support/served.h"
#include "support/stores.h"
#include "support/wire.h"

#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <string.h>
#include <unistd.h>

// Alerts by number (RFC 8446 section 6).
#define ALERT_PROTOCOL_VERSION 70
#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_UNSUPPORTED_CERTIFICATE 43
#define ALERT_UNKNOWN_CA 48
#define ALERT_CERTIFICATE_REQUIRED 116

// A deadline that a test can wait for.
#define SHORT_DEADLINE_NS (UINT64_C(300) * EKB_NS_PER_MS)

static struct store_fixture stores;
static struct served server;

static void set_up(void)
{
    skip_without_io_uring();
    store_fixture_init(&stores);
}

static void tear_down(void)
{
    served_deinit(&server);
    store_fixture_deinit(&stores);
}

TestSuite(server, .init = set_up, .fini = tear_down, .timeout = 60);

static void start(const struct served_spec *spec)
{
    served_start(&server, stores.server, spec);
}

static void start_with_short_deadline(void)
{
    start(&(struct served_spec){.deadline_ns = SHORT_DEADLINE_NS});
}

static const struct ekb_address *address(void)
{
    return served_address(&server, 0);
}

static const struct ekb_tally_arm *arm(void)
{
    return served_arm(&server, 0);
}

// stop_after is the end of every test of survival: the one failure was counted under `err`, an
// honest client is accepted afterwards, and the counts add up.
static void stop_after_failure(enum ekb_err err)
{
    served_await(&arm()->failures[err], 1);
    cr_expect(wire_handshake(address(), stores.client, EKB_TLS_ANY), "an honest client is refused");
    served_stop(&server);
    cr_expect_eq(arm()->failed, 1, "%llu failed", (unsigned long long)arm()->failed);
    cr_expect_eq(arm()->failures[err], 1, "%llu x %s", (unsigned long long)arm()->failures[err],
                 ekb_err_name(err));
    cr_expect_eq(arm()->accepted, 1, "%llu accepted", (unsigned long long)arm()->accepted);
    cr_expect_eq(arm()->started, 2, "%llu started", (unsigned long long)arm()->started);
}

// send_alone makes a connection that sends `len` bytes and waits for the server to end it.
static void send_alone(const void *data, size_t len)
{
    const int fd = wire_connect(address());
    wire_send(fd, data, len);
    (void)shutdown(fd, SHUT_WR);
    cr_expect_neq(wire_await_end(fd), WIRE_PATIENCE_OVER);
    wire_close(fd);
}

// Honest clients.

struct version_case {
    const char *name;
    enum ekb_tls_version version;
};

Test(server, accepts_when_client_certificate_satisfies_policy)
{
    static const struct version_case cases[] = {
        {"TLS 1.2", EKB_TLS_1_2}, {"TLS 1.3", EKB_TLS_1_3}, {"any", EKB_TLS_ANY}};
    start(&(struct served_spec){0});

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect(wire_handshake(address(), stores.client, cases[i].version), "%s", cases[i].name);
    }

    served_stop(&server);
    cr_expect_eq(arm()->accepted, 3);
    cr_expect_eq(arm()->started, 3);
}

Test(server, confirms_with_one_k_when_it_accepts)
{
    struct wire_client client;
    start(&(struct served_spec){0});
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);

    cr_assert(wire_client_advance(&client, WIRE_CONFIRMED));

    cr_expect_eq(ekb_endpoint_app_len(client.endpoint), 1);
    cr_expect_eq(ekb_endpoint_app(client.endpoint)[0], EKB_SERVER_CONFIRMATION);
    wire_client_deinit(&client);
    served_stop(&server);
}

Test(server, counts_by_listener_when_it_has_several)
{
    start(&(struct served_spec){.listeners = {"", ",eku=off", ",eku=none", ",verify=one-way"}});

    cr_expect(wire_handshake(served_address(&server, 0), stores.client, EKB_TLS_1_3));
    cr_expect(!wire_handshake(served_address(&server, 1), stores.client, EKB_TLS_1_3));
    cr_expect(wire_handshake(served_address(&server, 2), stores.wrong_eku, EKB_TLS_1_3));
    cr_expect(wire_handshake(served_address(&server, 3), stores.anonymous, EKB_TLS_1_3));

    served_stop(&server);
    cr_expect_eq(served_arm(&server, 0)->accepted, 1);
    cr_expect_eq(served_arm(&server, 1)->rejected, 1);
    cr_expect_eq(served_arm(&server, 1)->failures[EKB_VERIFY_PURPOSE], 1);
    cr_expect_eq(served_arm(&server, 2)->accepted, 1);
    cr_expect_eq(served_arm(&server, 3)->accepted, 1);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(served_arm(&server, i)->started, 1, "listener %zu", i);
    }
}

// Clients without the right certificate: rejected, with the alert that fits.

struct rejection {
    const char *name;
    const char *store_path;
    enum ekb_tls_version version;
    enum ekb_err err;
    int alert;
};

Test(server, rejects_with_fitting_alert_when_certificate_does_not_do)
{
    const struct rejection cases[] = {
        {"wrong EKU, 1.3", stores.wrong_eku, EKB_TLS_1_3, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
        {"wrong EKU, 1.2", stores.wrong_eku, EKB_TLS_1_2, EKB_VERIFY_PURPOSE,
         ALERT_UNSUPPORTED_CERTIFICATE},
        {"none, 1.3", stores.anonymous, EKB_TLS_1_3, EKB_TLS_NO_CERTIFICATE,
         ALERT_CERTIFICATE_REQUIRED},
        {"none, 1.2", stores.anonymous, EKB_TLS_1_2, EKB_TLS_NO_CERTIFICATE,
         ALERT_HANDSHAKE_FAILURE},
        {"unknown CA, 1.3", stores.stranger, EKB_TLS_1_3, EKB_VERIFY_NO_LOCAL_ISSUER,
         ALERT_UNKNOWN_CA},
        {"unknown CA, 1.2", stores.stranger, EKB_TLS_1_2, EKB_VERIFY_NO_LOCAL_ISSUER,
         ALERT_UNKNOWN_CA},
    };
    const size_t num_cases = sizeof cases / sizeof cases[0];
    start(&(struct served_spec){0});

    for (size_t i = 0; i < num_cases; i++) {
        const struct rejection *c = &cases[i];
        const uint64_t before = arm()->failures[c->err];
        const uint64_t alerts_before = arm()->alerts[c->alert];
        const int alert = wire_handshake_alert(address(), c->store_path, c->version);
        served_await(&arm()->rejected, i + 1);
        cr_expect_eq(alert, c->alert, "%s: alert %d", c->name, alert);
        cr_expect_eq(arm()->failures[c->err], before + 1, "%s: not counted as %s", c->name,
                     ekb_err_name(c->err));
        cr_expect_eq(arm()->alerts[c->alert], alerts_before + 1, "%s: alert not counted", c->name);
    }

    cr_expect(wire_handshake(address(), stores.client, EKB_TLS_ANY), "an honest client is refused");
    served_stop(&server);
    cr_expect_eq(arm()->rejected, num_cases);
    cr_expect_eq(arm()->failed, 0);
    cr_expect_eq(arm()->accepted, 1);
}

Test(server, fails_with_tls_version_when_there_is_none_in_common)
{
    start(&(struct served_spec){.listeners = {",tls=1.3", ",tls=1.2"}});

    const int old_client =
        wire_handshake_alert(served_address(&server, 0), stores.client, EKB_TLS_1_2);
    const int new_client =
        wire_handshake_alert(served_address(&server, 1), stores.client, EKB_TLS_1_3);

    cr_expect_eq(old_client, ALERT_PROTOCOL_VERSION, "alert %d", old_client);
    cr_expect_eq(new_client, ALERT_PROTOCOL_VERSION, "alert %d", new_client);
    cr_expect(wire_handshake(served_address(&server, 0), stores.client, EKB_TLS_1_3));
    cr_expect(wire_handshake(served_address(&server, 1), stores.client, EKB_TLS_1_2));
    served_stop(&server);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(served_arm(&server, i)->failures[EKB_TLS_VERSION], 1, "listener %zu", i);
        cr_expect_eq(served_arm(&server, i)->failed, 1, "listener %zu", i);
        cr_expect_eq(served_arm(&server, i)->alerts[ALERT_PROTOCOL_VERSION], 1, "listener %zu", i);
    }
}

// What is no TLS.

Test(server, survives_when_client_sends_garbage)
{
    static const char garbage[64] = "\x01\x02\x03\x04garbage that goes on for a while";
    start(&(struct served_spec){0});

    send_alone(garbage, sizeof garbage);

    stop_after_failure(EKB_TLS_NOT_TLS);
}

Test(server, survives_when_client_sends_zeroes)
{
    static const char zeroes[4096];
    start(&(struct served_spec){0});

    send_alone(zeroes, sizeof zeroes);

    stop_after_failure(EKB_TLS_NOT_TLS);
}

Test(server, survives_when_client_sends_http)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    start(&(struct served_spec){0});

    send_alone(request, strlen(request));

    stop_after_failure(EKB_TLS_NOT_TLS);
}

Test(server, survives_when_record_claims_more_than_it_may_have)
{
    static const char header[] = {0x16, 0x03, 0x01, '\xff', '\xff'};
    start(&(struct served_spec){0});

    send_alone(header, sizeof header);

    stop_after_failure(EKB_TLS_BAD_RECORD);
}

Test(server, survives_when_garbage_is_endless)
{
    static char garbage[1 << 20];
    start(&(struct served_spec){0});
    memset(garbage, 0x5a, sizeof garbage);
    const int fd = wire_connect(address());

    (void)wire_try_send(fd, garbage, sizeof garbage);
    (void)wire_try_send(fd, garbage, sizeof garbage);

    cr_expect_neq(wire_await_end(fd), WIRE_PATIENCE_OVER, "the server goes on reading");
    wire_close(fd);
    stop_after_failure(EKB_TLS_NOT_TLS);
}

Test(server, survives_garbage_when_it_does_not_verify)
{
    static const char garbage[] = "garbage that goes on for a while";
    static const char *const names[] = {"full", "parse", "raw", "one-way"};
    start(&(struct served_spec){
        .listeners = {",verify=full", ",verify=parse", ",verify=raw", ",verify=one-way"}});

    for (size_t i = 0; i < 4; i++) {
        const int fd = wire_connect(served_address(&server, i));
        (void)wire_try_send(fd, garbage, sizeof garbage);
        cr_expect_neq(wire_await_end(fd), WIRE_PATIENCE_OVER, "%s", names[i]);
        wire_close(fd);
    }

    served_stop(&server);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(served_arm(&server, i)->failures[EKB_TLS_NOT_TLS], 1, "%s", names[i]);
    }
}

// Ends that come too early.

Test(server, survives_when_client_closes_at_once)
{
    start(&(struct served_spec){0});

    wire_close(wire_connect(address()));

    stop_after_failure(EKB_PEER_CLOSED);
}

Test(server, survives_when_client_resets_at_once)
{
    start(&(struct served_spec){0});

    wire_reset(wire_connect(address()));

    stop_after_failure(EKB_PEER_RESET);
}

Test(server, survives_when_client_resets_after_accept)
{
    start(&(struct served_spec){0});
    const int fd = wire_connect(address());
    served_await(&arm()->started, 1);

    wire_reset(fd);

    stop_after_failure(EKB_PEER_RESET);
}

Test(server, survives_when_client_resets_after_its_hello)
{
    struct wire_client client;
    start(&(struct served_spec){0});
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
    cr_assert(wire_client_advance(&client, WIRE_HELLO_SENT));

    wire_client_reset(&client);

    stop_after_failure(EKB_PEER_RESET);
    wire_client_deinit(&client);
}

Test(server, survives_when_client_resets_after_the_server_flight)
{
    struct wire_client client;
    start(&(struct served_spec){0});
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
    cr_assert(wire_client_advance(&client, WIRE_SERVER_FLIGHT_READ));

    wire_client_reset(&client);

    stop_after_failure(EKB_PEER_RESET);
    wire_client_deinit(&client);
}

// Whether the confirmation went out before the reset came is for the kernel to say: accepted or
// failed, but counted once.
Test(server, survives_when_client_resets_after_its_certificate)
{
    enum {
        ROUNDS = 20
    };
    start(&(struct served_spec){0});
    for (int i = 0; i < ROUNDS; i++) {
        struct wire_client client;
        wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
        cr_assert(wire_client_advance(&client, WIRE_CERTIFICATE_SENT));

        wire_client_reset(&client);

        wire_client_deinit(&client);
    }

    cr_expect(wire_handshake(address(), stores.client, EKB_TLS_ANY), "an honest client is refused");
    served_stop(&server);
    cr_expect_eq(arm()->started, ROUNDS + 1);
    cr_expect_eq(arm()->accepted + arm()->failures[EKB_PEER_RESET], ROUNDS + 1,
                 "%llu accepted, %llu reset", (unsigned long long)arm()->accepted,
                 (unsigned long long)arm()->failures[EKB_PEER_RESET]);
}

Test(server, keeps_its_verdict_when_client_resets_after_confirmation)
{
    struct wire_client client;
    start(&(struct served_spec){0});
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
    cr_assert(wire_client_advance(&client, WIRE_CONFIRMED));

    wire_client_reset(&client);

    wire_client_deinit(&client);
    cr_expect(wire_handshake(address(), stores.client, EKB_TLS_ANY), "an honest client is refused");
    served_stop(&server);
    cr_expect_eq(arm()->accepted, 2);
    cr_expect_eq(arm()->failed, 0);
}

Test(server, survives_when_client_closes_after_its_hello)
{
    struct wire_client client;
    start(&(struct served_spec){0});
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
    cr_assert(wire_client_advance(&client, WIRE_SERVER_FLIGHT_READ));

    wire_client_deinit(&client);

    stop_after_failure(EKB_PEER_CLOSED);
}

// Slow clients.

Test(server, gives_up_at_deadline_when_client_never_sends)
{
    start_with_short_deadline();
    const int fd = wire_connect(address());

    const enum wire_end end = wire_await_end(fd);

    cr_expect_neq(end, WIRE_PATIENCE_OVER, "the connection stays open");
    wire_close(fd);
    stop_after_failure(EKB_DEADLINE);
}

Test(server, gives_up_at_deadline_when_client_stops_in_its_hello)
{
    struct wire_client client;
    size_t wire_len;
    start_with_short_deadline();
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
    const uint8_t *wire = ekb_endpoint_pending(client.endpoint, &wire_len);

    wire_send(client.fd, wire, wire_len / 2);

    cr_expect_neq(wire_await_end(client.fd), WIRE_PATIENCE_OVER, "the connection stays open");
    wire_client_deinit(&client);
    stop_after_failure(EKB_DEADLINE);
}

Test(server, gives_up_at_deadline_when_client_stops_in_its_second_flight)
{
    static const struct version_case cases[] = {{"TLS 1.2", EKB_TLS_1_2}, {"TLS 1.3", EKB_TLS_1_3}};
    const size_t num_cases = sizeof cases / sizeof cases[0];
    start_with_short_deadline();

    for (size_t i = 0; i < num_cases; i++) {
        struct wire_client client;
        size_t wire_len;
        wire_client_init(&client, address(), stores.client, cases[i].version);
        cr_assert(wire_client_advance(&client, WIRE_SERVER_FLIGHT_READ), "%s", cases[i].name);
        const uint8_t *wire = ekb_endpoint_pending(client.endpoint, &wire_len);
        wire_send(client.fd, wire, wire_len / 2);
        cr_expect_neq(wire_await_end(client.fd), WIRE_PATIENCE_OVER, "%s: stays open",
                      cases[i].name);
        wire_client_deinit(&client);
    }

    cr_expect(wire_handshake(address(), stores.client, EKB_TLS_ANY), "an honest client is refused");
    served_stop(&server);
    cr_expect_eq(arm()->failures[EKB_DEADLINE], num_cases);
    cr_expect_eq(arm()->accepted, 1);
}

// The deadline is one for the whole handshake: sending a byte now and then does not extend it.
Test(server, gives_up_at_deadline_when_client_drips)
{
    struct wire_client client;
    size_t wire_len;
    bool alive = true;
    start_with_short_deadline();
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
    const uint8_t *wire = ekb_endpoint_pending(client.endpoint, &wire_len);

    for (size_t i = 0; i < wire_len && i < 100 && alive; i++) {
        alive = wire_try_send(client.fd, wire + i, 1);
        (void)usleep(20 * 1000);
    }

    cr_expect(!alive, "a drip kept the connection open for 2 s");
    wire_client_deinit(&client);
    stop_after_failure(EKB_DEADLINE);
}

static void send_bytewise(struct wire_client *client)
{
    size_t wire_len;
    const uint8_t *wire;
    while ((wire = ekb_endpoint_pending(client->endpoint, &wire_len)) != NULL) {
        for (size_t i = 0; i < wire_len; i++) {
            wire_send(client->fd, wire + i, 1);
        }
        ekb_endpoint_sent(client->endpoint, wire_len);
    }
}

Test(server, accepts_when_client_sends_byte_by_byte)
{
    static const struct version_case cases[] = {{"TLS 1.2", EKB_TLS_1_2}, {"TLS 1.3", EKB_TLS_1_3}};
    start(&(struct served_spec){0});

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_client client;
        wire_client_init(&client, address(), stores.client, cases[i].version);
        send_bytewise(&client);
        cr_assert(wire_client_advance(&client, WIRE_SERVER_FLIGHT_READ));
        send_bytewise(&client);
        cr_expect(wire_client_advance(&client, WIRE_CONFIRMED), "%s", cases[i].name);
        wire_client_deinit(&client);
    }

    served_stop(&server);
    cr_expect_eq(arm()->accepted, 2);
    cr_expect_eq(arm()->failed, 0);
}

Test(server, closes_at_deadline_when_client_never_closes)
{
    struct wire_client client;
    start_with_short_deadline();
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
    cr_assert(wire_client_advance(&client, WIRE_CONFIRMED));

    const enum wire_end end = wire_await_end(client.fd);

    cr_expect_neq(end, WIRE_PATIENCE_OVER, "the connection stays open");
    wire_client_deinit(&client);
    cr_expect(wire_handshake(address(), stores.client, EKB_TLS_ANY), "an honest client is refused");
    served_stop(&server);
    cr_expect_eq(arm()->accepted, 2);
    cr_expect_eq(arm()->failed, 0);
    cr_expect_eq(arm()->unfinished, 0);
}

Test(server, closes_when_rejected_client_never_closes)
{
    struct wire_client client;
    start(&(struct served_spec){0});
    wire_client_init(&client, address(), stores.wrong_eku, EKB_TLS_1_3);
    (void)wire_client_advance(&client, WIRE_CONFIRMED);

    // It drains for a second, far less than its deadline.
    const enum wire_end end = wire_await_end(client.fd);

    cr_expect_neq(end, WIRE_PATIENCE_OVER, "the connection stays open");
    wire_client_deinit(&client);
    served_stop(&server);
    cr_expect_eq(arm()->rejected, 1);
    cr_expect_eq(server.options.tally->open_connections, 0);
}

// More than it can hold.

Test(server, resets_and_counts_when_all_slots_are_in_use)
{
    enum {
        SLOTS = 4,
        EXTRA = 3
    };
    int fds[SLOTS];
    start(&(struct served_spec){.max_connections = SLOTS});
    for (int i = 0; i < SLOTS; i++) {
        fds[i] = wire_connect(address());
    }
    served_await(&arm()->started, SLOTS);

    for (int i = 0; i < EXTRA; i++) {
        const int fd = wire_connect(address());
        cr_expect_eq(wire_await_end(fd), WIRE_RESET, "connection %d too many is not reset", i);
        wire_close(fd);
    }

    cr_expect_eq(arm()->failures[EKB_SERVER_FULL], EXTRA);
    for (int i = 0; i < SLOTS; i++) {
        wire_close(fds[i]);
    }
    served_await(&arm()->failures[EKB_PEER_CLOSED], SLOTS);
    cr_expect(wire_handshake(address(), stores.client, EKB_TLS_ANY), "it does not recover");
    served_stop(&server);
    cr_expect_eq(arm()->started, SLOTS + EXTRA + 1);
    cr_expect_eq(server.options.tally->peak_connections, SLOTS);
}

Test(server, serves_again_when_slots_are_freed_by_deadline)
{
    enum {
        SLOTS = 2
    };
    int fds[SLOTS];
    start(&(struct served_spec){.max_connections = SLOTS, .deadline_ns = SHORT_DEADLINE_NS});
    for (int i = 0; i < SLOTS; i++) {
        fds[i] = wire_connect(address());
    }

    served_await(&arm()->failures[EKB_DEADLINE], SLOTS);

    cr_expect(wire_handshake(address(), stores.client, EKB_TLS_ANY), "its slots are lost");
    for (int i = 0; i < SLOTS; i++) {
        wire_close(fds[i]);
    }
    served_stop(&server);
}

// One after the other through few slots: a slot that is not given back would be noticed.
Test(server, reuses_slots_when_connections_come_and_go)
{
    enum {
        ROUNDS = 50
    };
    start(&(struct served_spec){.max_connections = 3, .deadline_ns = 30 * EKB_NS_PER_S});

    for (int i = 0; i < ROUNDS; i++) {
        wire_close(wire_connect(address()));
        served_await(&arm()->failures[EKB_PEER_CLOSED], (uint64_t)i + 1);
        cr_assert(wire_handshake(address(), stores.client, EKB_TLS_1_3), "round %d", i);
        served_await(&arm()->accepted, (uint64_t)i + 1);
        (void)wire_handshake(address(), stores.wrong_eku, EKB_TLS_1_3);
        served_await(&arm()->rejected, (uint64_t)i + 1);
    }

    served_stop(&server);
    cr_expect_eq(arm()->started, 3 * ROUNDS);
    cr_expect_eq(arm()->failures[EKB_SERVER_FULL], 0);
}

// Its end.

Test(server, refuses_connections_when_it_has_stopped)
{
    start(&(struct served_spec){0});
    const struct ekb_address where = *address();

    served_stop(&server);

    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_expect_neq(connect(fd, (const struct sockaddr *)&where.storage, where.len), 0);
    (void)close(fd);
}

// A server that is started again wants the same port.
Test(server, frees_its_port_when_it_has_stopped)
{
    enum {
        ROUNDS = 100
    };
    for (int i = 0; i < ROUNDS; i++) {
        struct ekb_fail fail = {0};
        start(&(struct served_spec){0});
        struct ekb_listener again = {.address = *address()};
        struct ekb_server_options options = {.listeners = &again, .num_listeners = 1};

        served_stop(&server);

        const enum ekb_err err = ekb_server_open(&options, &fail);
        cr_assert_eq(err, EKB_OK, "round %d: %s (%s)", i, fail.detail, ekb_err_name(err));
        ekb_server_close(&options);
        if (i < ROUNDS - 1) {
            served_deinit(&server);
        }
    }
}

Test(server, lets_open_connection_end_when_stopped)
{
    struct wire_client client;
    start(&(struct served_spec){0});
    wire_client_init(&client, address(), stores.client, EKB_TLS_1_3);
    cr_assert(wire_client_advance(&client, WIRE_SERVER_FLIGHT_READ));

    ekb_worker_command_stop(&server.worker);

    cr_expect(wire_client_advance(&client, WIRE_CONFIRMED), "it was cut off");
    wire_client_deinit(&client);
    served_stop(&server);
    cr_expect_eq(arm()->accepted, 1);
}

Test(server, ends_quickly_and_counts_unfinished_when_aborted)
{
    start(&(struct served_spec){.deadline_ns = 60 * EKB_NS_PER_S});
    const int fd = wire_connect(address());
    served_await(&arm()->started, 1);

    ekb_worker_command_abort(&server.worker);
    ekb_worker_reap(&server.worker, SERVED_PATIENCE_NS);

    cr_expect_eq(server.worker.fail.err, EKB_OK, "%s", server.worker.fail.detail);
    cr_expect_eq(arm()->unfinished, 1);
    cr_expect_eq(arm()->started, 1);
    wire_close(fd);
}

// Before it starts.

Test(server_open, tells_the_port_when_the_system_chooses)
{
    struct ekb_listener listener = {.address = wire_loopback()};
    struct ekb_server_options options = {.listeners = &listener, .num_listeners = 1};

    cr_assert_eq(ekb_server_open(&options, NULL), EKB_OK);

    cr_expect_neq(ekb_address_port(&listener.address), 0);
    cr_expect_geq(listener.fd, 0);
    ekb_server_close(&options);
    cr_expect_eq(listener.fd, -1);
}

Test(server_open, closes_what_it_opened_when_a_port_is_in_use)
{
    struct wire_server occupant;
    wire_server_init(&occupant);
    struct ekb_listener listeners[2] = {{.address = wire_loopback()},
                                        {.address = occupant.address}};
    struct ekb_server_options options = {.listeners = listeners, .num_listeners = 2};
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_server_open(&options, &fail);

    cr_expect_eq(err, EKB_ADDRESS_IN_USE, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "127.0.0.1:") != NULL, "%s", fail.detail);
    cr_expect_eq(listeners[0].fd, -1);
    cr_expect_eq(listeners[1].fd, -1);
    wire_server_deinit(&occupant);
}

Test(server_check, names_the_store_when_it_is_missing)
{
    struct ekb_listener listener = {.address = wire_loopback(), .policy = ekb_policy_default()};
    const struct ekb_server_options options = {
        .store_path = "/nonexistent/store", .listeners = &listener, .num_listeners = 1};
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_server_check(&options, &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "/nonexistent/store") != NULL, "%s", fail.detail);
}

Test(server_check, needs_trusted_list_only_when_it_verifies)
{
    struct store_fixture made;
    char trust[512];
    struct ekb_listener listener = {.address = wire_loopback(), .policy = ekb_policy_default()};
    struct ekb_fail fail = {0};
    store_fixture_init(&made);
    const struct ekb_server_options options = {
        .store_path = made.server, .listeners = &listener, .num_listeners = 1};
    cr_assert_eq(unlink(fixture_dir_file(trust, &made.dir, "server/ca.pem")), 0);

    const enum ekb_err full = ekb_server_check(&options, &fail);
    listener.policy.verify = EKB_VERIFY_PARSE;
    const enum ekb_err parse = ekb_server_check(&options, NULL);

    cr_expect_eq(full, EKB_NOT_FOUND, "%s", ekb_err_name(full));
    cr_expect(strstr(fail.detail, "ca.pem") != NULL, "%s", fail.detail);
    cr_expect_eq(parse, EKB_OK, "%s", ekb_err_name(parse));
    store_fixture_deinit(&made);
}
