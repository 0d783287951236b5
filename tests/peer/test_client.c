#include "ekubench/peer/client.h"

#include "support/served.h"
#include "support/stores.h"
#include "support/wire.h"

#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALERT_UNSUPPORTED_CERTIFICATE 43
#define SHORT_DEADLINE_NS (UINT64_C(200) * EKB_NS_PER_MS)
#define MAX_ARMS 3

// A client worker under test, and what it counts.
struct loading {
    struct ekb_client_arm arms[MAX_ARMS];
    struct ekb_timeline timeline;
    struct ekb_client_options options;
    struct ekb_worker worker;
};

static struct store_fixture stores;
static struct served served;
static struct wire_server foreign;
static struct loading load;

static void set_up(void)
{
    skip_without_io_uring();
    store_fixture_init(&stores);
    wire_server_init(&foreign);
    load = (struct loading){
        // A minute: tests end by count, by giving up or by command.
        .timeline = {.slice_ns = EKB_NS_PER_S, .num_slices = 60},
        .options = {.num_arms = 1,
                    .in_flight = 4,
                    .max_starts = 10,
                    .deadline_ns = 10 * EKB_NS_PER_S,
                    .seed = 7},
        .worker = {.control_fd = -1, .ended = true},
    };
    load.options.arms = load.arms;
    load.options.timeline = &load.timeline;
    for (size_t i = 0; i < MAX_ARMS; i++) {
        load.arms[i] = (struct ekb_client_arm){.target = foreign.address,
                                               .store_path = stores.client,
                                               .version = EKB_TLS_ANY,
                                               .kind = EKB_CLIENT_FULL,
                                               .expect = EKB_EXPECT_ACCEPT};
    }
}

static void tear_down(void)
{
    ekb_worker_reap(&load.worker, 0);
    ekb_tally_destroy(load.options.tally);
    wire_server_deinit(&foreign);
    store_fixture_deinit(&stores);
}

TestSuite(client, .init = set_up, .fini = tear_down, .timeout = 60);

static enum ekb_err body(void *context, int control_fd, void (*ready)(void *), void *ready_context,
                         struct ekb_fail *reterr_fail)
{
    return ekb_client_run(context, control_fd, ready, ready_context, reterr_fail);
}

// keep_series has the client keep a series, if the timeline wants one.
static void keep_series(struct ekb_tally *tally)
{
    const struct ekb_timeline *timeline = &load.timeline;
    if (timeline->interval_ns > 0) {
        cr_assert_eq(ekb_series_create(&tally->series, timeline->num_slices * timeline->slice_ns,
                                       timeline->interval_ns),
                     EKB_OK);
    }
}

static void start(void)
{
    struct ekb_fail fail = {0};
    struct ekb_tally *tally = NULL;
    cr_assert_eq(ekb_tally_create(&tally, load.options.num_arms, load.timeline.num_slices, 0),
                 EKB_OK);
    load.options.tally = tally;
    keep_series(tally);
    load.timeline.origin_ns = ekb_clock_now_ns();
    cr_assert_eq(ekb_worker_spawn(&load.worker, EKB_WORKER_UNPINNED, body, &load.options, &fail),
                 EKB_OK, "%s", fail.detail);
}

static const struct ekb_tally_arm *arm(void)
{
    return &load.options.tally->arms[0];
}

// expect_series_adds_up checks the intervals' sums against the arms'.
static void expect_series_adds_up(void)
{
    const struct ekb_series *series = load.options.tally->series;
    struct ekb_series_interval sum = {0};
    uint64_t num_latencies = 0;
    for (size_t i = 0; i < series->num_intervals; i++) {
        const struct ekb_series_interval *interval = &series->intervals[i];
        sum.started += interval->started;
        sum.accepted += interval->accepted;
        sum.rejected += interval->rejected;
        sum.failed += interval->failed;
        sum.dropped += interval->dropped;
        num_latencies += ekb_hist_count(interval->latency);
    }
    uint64_t num_expected = 0;
    for (size_t i = 0; i < load.options.num_arms; i++) {
        const struct ekb_tally_arm *a = &load.options.tally->arms[i];
        num_expected += load.arms[i].expect == EKB_EXPECT_ACCEPT ? a->accepted : a->rejected;
        sum.started -= a->started;
        sum.accepted -= a->accepted;
        sum.rejected -= a->rejected;
        sum.failed -= a->failed;
        sum.dropped -= a->dropped;
    }
    cr_expect_eq(sum.started, 0u);
    cr_expect_eq(sum.accepted, 0u);
    cr_expect_eq(sum.rejected, 0u);
    cr_expect_eq(sum.failed, 0u);
    cr_expect_eq(sum.dropped, 0u);
    cr_expect_eq(num_latencies, num_expected);
}

// finish waits for the end of the client and checks that every arm's counts add up.
static enum ekb_err finish(void)
{
    ekb_worker_reap(&load.worker, SERVED_PATIENCE_NS);
    for (size_t i = 0; i < load.options.num_arms; i++) {
        const struct ekb_tally_arm *a = &load.options.tally->arms[i];
        cr_expect_eq(a->started, a->accepted + a->rejected + a->failed + a->unfinished,
                     "arm %zu does not add up", i);
    }
    if (load.options.tally->series != NULL) {
        expect_series_adds_up();
    }
    return load.worker.fail.err;
}

// The scripts of foreign servers.

static void say_garbage(void *context, int fd)
{
    static const char garbage[] = "220 mail.example ESMTP at your service\r\n";
    (void)context;
    (void)wire_try_send(fd, garbage, sizeof garbage - 1);
    (void)shutdown(fd, SHUT_WR);
    (void)wire_await_end(fd);
    wire_close(fd);
}

// The client reads the end of the stream: a close with unread bytes would be a reset.
static void close_in_order(void *context, int fd)
{
    (void)context;
    (void)shutdown(fd, SHUT_WR);
    (void)wire_await_end(fd);
    wire_close(fd);
}

static void reset(void *context, int fd)
{
    (void)context;
    wire_reset(fd);
}

static void reset_after_hello(void *context, int fd)
{
    char hello[64];
    ssize_t count;
    (void)context;
    do {
        count = recv(fd, hello, sizeof hello, 0);
    } while (count < 0 && errno == EINTR);
    wire_reset(fd);
}

// Connections that a script leaves open until the end of the test process.
static void say_nothing(void *context, int fd)
{
    (void)context;
    (void)fd;
}

struct tls_script {
    struct ekb_tls_config *config;
    const char *reply;
};

static void reset_after_flight(void *context, int fd)
{
    const struct tls_script *script = context;
    wire_serve_flight(fd, script->config);
    wire_reset(fd);
}

static void make_handshake(void *context, int fd)
{
    const struct tls_script *script = context;
    (void)wire_serve_handshake(fd, script->config, script->reply);
    // Left open: the verdict is the client's to give.
}

static void serve(void (*script)(void *context, int fd), void *context)
{
    wire_server_run(&foreign, &load.worker, 0, script, context);
}

// Servers that are no servers.

Test(client, gives_up_with_connect_refused_when_nothing_listens)
{
    char address[EKB_ADDRESS_TEXT_LEN];
    load.arms[0].target = wire_free_port();
    load.options.max_starts = 0;

    start();
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_CONNECT_REFUSED, "%s", ekb_err_name(err));
    cr_expect(strstr(load.worker.fail.detail, ekb_address_format(address, &load.arms[0].target)) !=
                  NULL,
              "no address in: %s", load.worker.fail.detail);
    cr_expect_geq(arm()->failures[EKB_CONNECT_REFUSED], EKB_CLIENT_GIVE_UP);
    cr_expect_eq(arm()->failed, arm()->failures[EKB_CONNECT_REFUSED]);
}

struct foreign_case {
    const char *name;
    void (*script)(void *context, int fd);
    enum ekb_err err;
    void *context;
};

static void expect_to_give_up(const struct foreign_case *c)
{
    load.options.max_starts = 0;
    load.options.deadline_ns = SHORT_DEADLINE_NS;

    start();
    serve(c->script, c->context);
    const enum ekb_err err = finish();

    cr_expect_eq(err, c->err, "%s: ended with %s", c->name, ekb_err_name(err));
    cr_expect_geq(arm()->failures[c->err], EKB_CLIENT_GIVE_UP, "%s: %llu counted", c->name,
                  (unsigned long long)arm()->failures[c->err]);
    cr_expect_eq(arm()->accepted + arm()->rejected, 0, "%s", c->name);
}

Test(client, gives_up_with_not_tls_when_server_sends_garbage)
{
    expect_to_give_up(&(struct foreign_case){"garbage", say_garbage, EKB_TLS_NOT_TLS, NULL});
}

Test(client, gives_up_with_deadline_when_server_never_answers)
{
    expect_to_give_up(&(struct foreign_case){"silence", say_nothing, EKB_DEADLINE, NULL});
}

Test(client, gives_up_with_peer_closed_when_server_closes_at_once)
{
    expect_to_give_up(&(struct foreign_case){"close", close_in_order, EKB_PEER_CLOSED, NULL});
}

Test(client, gives_up_with_peer_reset_when_server_resets_at_once)
{
    expect_to_give_up(&(struct foreign_case){"reset", reset, EKB_PEER_RESET, NULL});
}

Test(client, gives_up_with_peer_reset_when_server_resets_after_hello)
{
    expect_to_give_up(&(struct foreign_case){"reset", reset_after_hello, EKB_PEER_RESET, NULL});
}

// What the client has to say next cannot be sent any more: the first it hears of the reset.
Test(client, gives_up_with_peer_reset_when_server_resets_after_its_flight)
{
    struct tls_script script = {wire_server_config(stores.server), NULL};

    expect_to_give_up(&(struct foreign_case){"reset", reset_after_flight, EKB_PEER_RESET, &script});

    ekb_tls_config_destroy(script.config);
}

// It makes no difference to the end of a connection how much of the server the client verifies.
Test(client, counts_garbage_when_it_is_cheap)
{
    load.arms[0].kind = EKB_CLIENT_CHEAP;

    expect_to_give_up(&(struct foreign_case){"garbage, cheap", say_garbage, EKB_TLS_NOT_TLS, NULL});
}

// What counts as accepted.

Test(client, accepts_when_confirmation_byte_comes)
{
    struct tls_script script = {wire_server_config(stores.server), "x"};

    start();
    serve(make_handshake, &script);
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), load.worker.fail.detail);
    cr_expect_eq(arm()->accepted, 10);
    ekb_tls_config_destroy(script.config);
}

Test(client, fails_at_deadline_when_confirmation_byte_never_comes)
{
    struct tls_script script = {wire_server_config(stores.server), NULL};
    load.options.max_starts = 0;
    load.options.deadline_ns = SHORT_DEADLINE_NS;

    start();
    serve(make_handshake, &script);
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_DEADLINE, "%s", ekb_err_name(err));
    cr_expect_eq(arm()->accepted, 0);
    ekb_tls_config_destroy(script.config);
}

Test(client, accepts_without_byte_when_none_is_wanted)
{
    static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};
    struct tls_script script = {wire_server_config(stores.server), NULL};
    load.options.confirm = EKB_CONFIRM_NONE;
    load.options.num_arms = 2;
    for (size_t i = 0; i < 2; i++) {
        load.arms[i].version = versions[i];
    }

    start();
    serve(make_handshake, &script);
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), load.worker.fail.detail);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(load.options.tally->arms[i].accepted, 5, "TLS %s",
                     ekb_tls_version_name(versions[i]));
    }
    ekb_tls_config_destroy(script.config);
}

Test(client, notes_what_was_negotiated_when_it_is_accepted)
{
    struct tls_script script = {wire_server_config(stores.server), "x"};
    load.arms[0].version = EKB_TLS_1_2;

    start();
    serve(make_handshake, &script);

    cr_expect_eq(finish(), EKB_OK);
    cr_expect_str_eq(load.options.tally->version, "TLSv1.2");
    cr_expect_neq(load.options.tally->cipher[0], '\0');
    ekb_tls_config_destroy(script.config);
}

// Whom it trusts.

Test(client, refuses_untrusted_server_when_it_is_full)
{
    struct tls_script script = {wire_server_config(stores.server), "x"};
    load.arms[0].store_path = stores.doubter;
    load.options.max_starts = 0;

    start();
    serve(make_handshake, &script);
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_VERIFY_NO_LOCAL_ISSUER, "%s", ekb_err_name(err));
    cr_expect_eq(arm()->accepted, 0);
    cr_expect_geq(arm()->failures[EKB_VERIFY_NO_LOCAL_ISSUER], EKB_CLIENT_GIVE_UP);
    ekb_tls_config_destroy(script.config);
}

Test(client, accepts_untrusted_server_when_it_is_cheap)
{
    struct tls_script script = {wire_server_config(stores.server), "x"};
    load.arms[0].store_path = stores.doubter;
    load.arms[0].kind = EKB_CLIENT_CHEAP;

    start();
    serve(make_handshake, &script);

    cr_expect_eq(finish(), EKB_OK, "%s", load.worker.fail.detail);
    cr_expect_eq(arm()->accepted, 10);
    ekb_tls_config_destroy(script.config);
}

// Against our own server: both sides count the same.

Test(client, reconciles_with_server_when_arms_differ)
{
    served_start(&served, stores.server,
                 &(struct served_spec){.listeners = {",eku=on", ",eku=on", ",eku=none"}});
    load.options.num_arms = 3;
    load.options.max_starts = 90;
    load.timeline.interval_ns = 50 * EKB_NS_PER_MS;
    load.options.in_flight = 16;
    load.arms[0] =
        (struct ekb_client_arm){.store_path = stores.client, .expect = EKB_EXPECT_ACCEPT};
    load.arms[1] =
        (struct ekb_client_arm){.store_path = stores.wrong_eku, .expect = EKB_EXPECT_REJECT};
    load.arms[2] =
        (struct ekb_client_arm){.store_path = stores.wrong_eku, .expect = EKB_EXPECT_ACCEPT};
    for (size_t i = 0; i < 3; i++) {
        load.arms[i].target = *served_address(&served, i);
        load.arms[i].version = EKB_TLS_1_3;
    }

    start();
    const enum ekb_err err = finish();
    served_stop(&served);

    cr_expect_eq(err, EKB_OK, "%s", load.worker.fail.detail);
    for (size_t i = 0; i < 3; i++) {
        const struct ekb_tally_arm *client = &load.options.tally->arms[i];
        const struct ekb_tally_arm *server = served_arm(&served, i);
        cr_expect_eq(client->started, 30, "arm %zu: %llu started", i,
                     (unsigned long long)client->started);
        cr_expect_eq(client->accepted, server->accepted, "arm %zu", i);
        cr_expect_eq(client->rejected, server->rejected, "arm %zu", i);
        cr_expect_eq(server->failed, 0, "arm %zu", i);
    }
    cr_expect_eq(load.options.tally->arms[0].accepted, 30);
    cr_expect_eq(load.options.tally->arms[1].rejected, 30);
    cr_expect_eq(load.options.tally->arms[1].failures[EKB_TLS_ALERT], 30);
    cr_expect_eq(load.options.tally->arms[1].alerts[ALERT_UNSUPPORTED_CERTIFICATE], 30);
    cr_expect_eq(load.options.tally->arms[2].accepted, 30);
    served_deinit(&served);
}

Test(client, is_rejected_when_it_has_no_certificate)
{
    served_start(&served, stores.server, &(struct served_spec){0});
    load.arms[0].target = *served_address(&served, 0);
    load.arms[0].kind = EKB_CLIENT_CHEAP;
    load.arms[0].store_path = NULL;
    load.arms[0].expect = EKB_EXPECT_REJECT;

    start();
    const enum ekb_err err = finish();
    served_stop(&served);

    cr_expect_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), load.worker.fail.detail);
    cr_expect_eq(arm()->rejected, 10);
    cr_expect_eq(served_arm(&served, 0)->failures[EKB_TLS_NO_CERTIFICATE], 10);
    served_deinit(&served);
}

// A rejection is a verdict: a server that refuses all clients is not given up on.
Test(client, goes_on_when_all_are_rejected)
{
    served_start(&served, stores.server, &(struct served_spec){0});
    load.arms[0].target = *served_address(&served, 0);
    load.arms[0].store_path = stores.wrong_eku;
    load.options.max_starts = 4 * EKB_CLIENT_GIVE_UP;

    start();
    const enum ekb_err err = finish();
    served_stop(&served);

    cr_expect_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), load.worker.fail.detail);
    cr_expect_eq(arm()->rejected, 4 * EKB_CLIENT_GIVE_UP);
    served_deinit(&served);
}

// How it ends.

Test(client, keeps_in_flight_when_server_is_silent)
{
    load.options.max_starts = 0;
    load.options.in_flight = 6;

    start();
    wire_server_run(&foreign, &load.worker, 6, say_nothing, NULL);
    served_await(&arm()->started, 6);

    cr_expect_eq(load.options.tally->open_connections, 6);
    cr_expect_eq(arm()->started, 6);
}

Test(client, ends_quickly_and_counts_unfinished_when_aborted)
{
    load.options.max_starts = 0;
    load.options.deadline_ns = 60 * EKB_NS_PER_S;
    start();
    wire_server_run(&foreign, &load.worker, 4, say_nothing, NULL);

    ekb_worker_command_abort(&load.worker);
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_OK, "%s", load.worker.fail.detail);
    cr_expect_eq(arm()->unfinished, 4);
    cr_expect_eq(arm()->started, 4);
}

Test(client, starts_nothing_new_when_stopped)
{
    load.options.max_starts = 0;
    load.options.deadline_ns = SHORT_DEADLINE_NS;
    start();
    wire_server_run(&foreign, &load.worker, 4, say_nothing, NULL);

    ekb_worker_command_stop(&load.worker);
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_OK, "%s", load.worker.fail.detail);
    cr_expect_eq(arm()->started, 4, "%llu started", (unsigned long long)arm()->started);
    cr_expect_eq(arm()->failures[EKB_DEADLINE] + arm()->unfinished, 4);
}

Test(client, ends_when_timeline_is_over)
{
    served_start(&served, stores.server, &(struct served_spec){0});
    load.arms[0].target = *served_address(&served, 0);
    load.options.max_starts = 0;
    load.timeline =
        (struct ekb_timeline){.slice_ns = 50 * EKB_NS_PER_MS, .num_slices = 4, .num_warmup = 1};

    start();
    const enum ekb_err err = finish();
    served_stop(&served);

    cr_expect_eq(err, EKB_OK, "%s", load.worker.fail.detail);
    cr_expect_gt(arm()->accepted, 0);
    cr_expect_eq(arm()->accepted, arm()->started);
    cr_expect_neq(load.options.tally->cpu_ns_at[4], 0, "the end was not noted");
    cr_expect_eq(load.options.tally->open_at[0], 0u, "before the first");
    for (size_t i = 1; i <= 4; i++) {
        cr_expect_leq(load.options.tally->open_at[i], load.options.in_flight, "slice %zu", i);
    }
    served_deinit(&served);
}

Test(client, keeps_samples_of_measured_slices_only_when_it_warms_up)
{
    served_start(&served, stores.server, &(struct served_spec){0});
    load.arms[0].target = *served_address(&served, 0);
    load.options.max_starts = 0;
    load.timeline =
        (struct ekb_timeline){.slice_ns = 100 * EKB_NS_PER_MS, .num_slices = 3, .num_warmup = 2};

    start();
    cr_expect_eq(finish(), EKB_OK);
    served_stop(&served);

    const struct ekb_slice_sum *slices = arm()->steps_by_slice;
    cr_expect_eq(slices[0].count + slices[1].count, 0);
    cr_expect_gt(slices[2].count, 0);
    cr_expect_eq(arm()->latency.moments.count, slices[2].count);
    cr_expect_eq(arm()->steps.moments.sum, slices[2].sum);
    cr_expect_lt(arm()->latency.moments.count, arm()->accepted);
    served_deinit(&served);
}

// Outcomes that were not expected are counted, but are no samples.
Test(client, keeps_no_samples_when_outcome_is_not_the_expected_one)
{
    served_start(&served, stores.server, &(struct served_spec){0});
    load.arms[0].target = *served_address(&served, 0);
    load.arms[0].expect = EKB_EXPECT_REJECT;

    start();
    cr_expect_eq(finish(), EKB_OK);
    served_stop(&served);

    cr_expect_eq(arm()->accepted, 10);
    cr_expect_eq(arm()->latency.moments.count, 0);
    cr_expect_eq(arm()->steps.moments.count, 0);
    served_deinit(&served);
}

// Before it starts.

Test(client, check_names_the_store_when_it_is_missing)
{
    struct ekb_fail fail = {0};
    load.arms[0].store_path = "/nonexistent/store";

    const enum ekb_err err = ekb_client_check(&load.options, &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "/nonexistent/store") != NULL, "%s", fail.detail);
}

Test(client, check_needs_trusted_list_only_when_client_is_full)
{
    char trust[512];
    cr_assert_eq(unlink(fixture_dir_file(trust, &stores.dir, "client/ca.pem")), 0);

    const enum ekb_err full = ekb_client_check(&load.options, NULL);
    load.arms[0].kind = EKB_CLIENT_CHEAP;
    const enum ekb_err cheap = ekb_client_check(&load.options, NULL);

    cr_expect_eq(full, EKB_NOT_FOUND, "%s", ekb_err_name(full));
    cr_expect_eq(cheap, EKB_OK, "%s", ekb_err_name(cheap));
}

Test(client, reports_the_reason_when_its_store_is_missing)
{
    load.arms[0].store_path = "/nonexistent/store";

    start();
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect(strstr(load.worker.fail.detail, "/nonexistent/store") != NULL, "%s",
              load.worker.fail.detail);
    cr_expect(!load.worker.ready);
}

// The open loop.

static const struct ekb_pace_stretch two_hundred = {EKB_NS_PER_S, 200, 200};

// open_loop makes the load 200 connections a second, at equal distances, for a second, of which
// 900 ms are measured. It begins in half a second.
static void open_loop(void)
{
    load.timeline =
        (struct ekb_timeline){.slice_ns = 100 * EKB_NS_PER_MS, .num_slices = 10, .num_warmup = 1};
    load.options.stretches = &two_hundred;
    load.options.num_stretches = 1;
    load.options.arrivals = EKB_ARRIVALS_FIXED;
    load.options.share = (struct ekb_pace_share){0, 1};
    load.options.max_starts = 0;
    load.options.in_flight = 100;
}

static void start_later(void)
{
    struct ekb_fail fail = {0};
    struct ekb_tally *tally = NULL;
    cr_assert_eq(ekb_tally_create(&tally, load.options.num_arms, load.timeline.num_slices, 0),
                 EKB_OK);
    load.options.tally = tally;
    keep_series(tally);
    load.timeline.origin_ns = ekb_clock_now_ns() + EKB_NS_PER_S / 2;
    cr_assert_eq(ekb_worker_spawn(&load.worker, EKB_WORKER_UNPINNED, body, &load.options, &fail),
                 EKB_OK, "%s", fail.detail);
}

static void sleep_until(uint64_t at_ns)
{
    while (ekb_clock_now_ns() < at_ns) {
        (void)usleep(1000);
    }
}

Test(client, starts_what_is_due_when_the_loop_is_open)
{
    served_start(&served, stores.server, &(struct served_spec){.max_connections = 200});
    open_loop();
    load.arms[0].target = *served_address(&served, 0);

    start_later();
    const enum ekb_err err = finish();
    served_stop(&served);

    const struct ekb_tally *tally = load.options.tally;
    cr_expect_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), load.worker.fail.detail);
    // The 200th is due at the very end, which is over.
    cr_expect_eq(arm()->started, 199u, "%llu", (unsigned long long)arm()->started);
    cr_expect_eq(arm()->accepted, arm()->started);
    cr_expect_eq(arm()->dropped, 0u);
    cr_expect_eq(tally->lag.moments.count, 180u); // From the 20th on, at 100 ms.
    cr_expect_eq(arm()->latency.moments.count, 180u);
    cr_expect_eq(arm()->latency.moments.count, arm()->uncorrected.moments.count);
    cr_expect_geq(arm()->latency.moments.sum, arm()->uncorrected.moments.sum);
    served_deinit(&served);
}

// A silent server holds five connections until their deadline. What is due meanwhile is dropped,
// and keeps its place in time: the rate is what was wanted.
Test(client, drops_what_it_has_no_connection_for)
{
    open_loop();
    load.timeline.interval_ns = 200 * EKB_NS_PER_MS;
    load.options.in_flight = 5;
    load.options.deadline_ns = 450 * EKB_NS_PER_MS;

    start_later();
    serve(say_nothing, NULL);
    (void)finish();

    const struct ekb_tally *tally = load.options.tally;
    cr_expect_eq(arm()->accepted, 0u);
    cr_expect_eq(arm()->failed, arm()->started);
    cr_expect(arm()->started >= 10 && arm()->started <= 15, "%llu",
              (unsigned long long)arm()->started);
    cr_expect_eq(arm()->started + arm()->dropped, 199u, "%llu + %llu",
                 (unsigned long long)arm()->started, (unsigned long long)arm()->dropped);
    cr_expect_eq(tally->lag.moments.count + tally->dropped_wait.moments.count, 180u);
    // Of 450 ms with all connections taken an arrival waits half on the mean.
    cr_assert_gt(tally->dropped_wait.moments.count, 100u);
    const double mean_ms = ekb_moments_mean(&tally->dropped_wait.moments) / 1e6;
    cr_expect(mean_ms > 150 && mean_ms < 350, "%f ms", mean_ms);
    cr_expect_geq(tally->dropped_wait.moments.max, 380 * EKB_NS_PER_MS);
    // A failure counts when it comes: at the deadline, after 450 ms.
    const struct ekb_series *series = tally->series;
    cr_expect_eq(series->intervals[0].failed + series->intervals[1].failed, 0u);
}

// What a stopped client could not start in time is late, and says so: its latency is from the
// planned start, and only the uncorrected one from the actual.
Test(client, counts_latency_from_the_planned_start)
{
    served_start(&served, stores.server, &(struct served_spec){.max_connections = 200});
    open_loop();
    load.arms[0].target = *served_address(&served, 0);
    load.timeline.interval_ns = 500 * EKB_NS_PER_MS;

    start_later();
    sleep_until(load.timeline.origin_ns + 300 * EKB_NS_PER_MS);
    cr_assert_eq(kill(load.worker.pid, SIGSTOP), 0);
    sleep_until(load.timeline.origin_ns + 700 * EKB_NS_PER_MS);
    cr_assert_eq(kill(load.worker.pid, SIGCONT), 0);
    cr_expect_eq(finish(), EKB_OK, "%s", load.worker.fail.detail);
    served_stop(&served);

    const struct ekb_tally *tally = load.options.tally;
    // When it goes on, what was due meanwhile is more at once than it may have in flight, perhaps.
    cr_expect_eq(arm()->started + arm()->dropped, 199u, "%llu + %llu",
                 (unsigned long long)arm()->started, (unsigned long long)arm()->dropped);
    cr_expect_geq(tally->lag.moments.max, 350 * EKB_NS_PER_MS);
    cr_expect_geq(arm()->latency.moments.max, 350 * EKB_NS_PER_MS);
    // Of the slices that it slept through there was nothing: other work, as far as they go.
    for (uint32_t slice = 4; slice <= 5; slice++) {
        cr_expect_eq(tally->run_delay_ns[slice], load.timeline.slice_ns, "%u: %llu", slice,
                     (unsigned long long)tally->run_delay_ns[slice]);
    }
    // The latencies of those are of the interval in which they ended.
    cr_expect_geq(ekb_hist_max(tally->series->intervals[1].latency), 350 * EKB_NS_PER_MS);
    // 80 of 180 came up to 400 ms late.
    cr_expect_geq(arm()->latency.moments.sum, arm()->uncorrected.moments.sum + 10 * EKB_NS_PER_S);
    served_deinit(&served);
}

Test(client, ends_an_open_loop_when_enough_have_started)
{
    served_start(&served, stores.server, &(struct served_spec){.max_connections = 200});
    open_loop();
    load.timeline.num_slices = 600;
    load.arms[0].target = *served_address(&served, 0);
    load.options.max_starts = 20;

    start_later();
    cr_expect_eq(finish(), EKB_OK, "%s", load.worker.fail.detail);
    served_stop(&served);

    cr_expect_eq(arm()->started, 20u);
    cr_expect_eq(arm()->accepted, 20u);
    served_deinit(&served);
}
