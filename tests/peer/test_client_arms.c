// A client whose arms have shares: which it draws, what it resumes, what both sides count. And
// answers that are verdicts.

#include "support/served.h"
#include "support/stores.h"
#include "support/wire.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/rng.h"
#include "ekubench/peer/client.h"
#include "ekubench/store/store.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_ARMS 4
#define SEED 7

static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};

static struct store_fixture stores;
static struct served served;
static struct ekb_client_arm arms[MAX_ARMS];
static struct ekb_timeline timeline;
static struct ekb_client_options options;
static struct ekb_worker worker;

static void set_up(void)
{
    skip_without_io_uring();
    store_fixture_init(&stores);
    // A minute: tests end by count.
    timeline = (struct ekb_timeline){.slice_ns = EKB_NS_PER_S, .num_slices = 60};
    worker = (struct ekb_worker){.control_fd = -1, .ended = true};
    options = (struct ekb_client_options){.arms = arms,
                                          .in_flight = 8,
                                          .max_starts = 120,
                                          .deadline_ns = 10 * EKB_NS_PER_S,
                                          .seed = SEED,
                                          .timeline = &timeline};
    for (size_t i = 0; i < MAX_ARMS; i++) {
        arms[i] = (struct ekb_client_arm){.store_path = stores.client,
                                          .version = EKB_TLS_1_3,
                                          .kind = EKB_CLIENT_CHEAP,
                                          .expect = EKB_EXPECT_ACCEPT};
    }
}

static void tear_down(void)
{
    ekb_worker_reap(&worker, 0);
    ekb_tally_destroy(options.tally);
    store_fixture_deinit(&stores);
}

TestSuite(client_arms, .init = set_up, .fini = tear_down, .timeout = 100);

static enum ekb_err body(void *context, int control_fd, void (*ready)(void *), void *ready_context,
                         struct ekb_fail *reterr_fail)
{
    return ekb_client_run(context, control_fd, ready, ready_context, reterr_fail);
}

static const struct ekb_tally_arm *arm(size_t index)
{
    return &options.tally->arms[index];
}

static void start(void)
{
    struct ekb_fail fail = {0};
    struct ekb_tally *tally = NULL;
    ekb_tally_destroy(options.tally);
    cr_assert_eq(ekb_tally_create(&tally, options.num_arms, timeline.num_slices, 0), EKB_OK);
    options.tally = tally;
    timeline.origin_ns = ekb_clock_now_ns();
    cr_assert_eq(ekb_worker_spawn(&worker, EKB_WORKER_UNPINNED, body, &options, &fail), EKB_OK,
                 "%s", fail.detail);
}

// finish waits for the end of the client and checks that every arm's counts add up.
static enum ekb_err finish(void)
{
    ekb_worker_reap(&worker, 30 * EKB_NS_PER_S);
    for (size_t i = 0; i < options.num_arms; i++) {
        cr_expect_eq(arm(i)->started,
                     arm(i)->accepted + arm(i)->rejected + arm(i)->failed + arm(i)->unfinished,
                     "arm %zu does not add up", i);
        cr_expect_leq(arm(i)->resumed, arm(i)->accepted, "arm %zu", i);
    }
    return worker.fail.err;
}

// run makes the load against listener `i` of `served`, modulo their number, for arm `i`.
static void run(size_t num_arms)
{
    options.num_arms = num_arms;
    for (size_t i = 0; i < num_arms; i++) {
        arms[i].target = *served_address(&served, i % served.options.num_listeners);
    }
    start();
    const enum ekb_err err = finish();
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), worker.fail.detail);
}

// Shares.

// expect_draws expects the counts that follow from the seed, each connection being one draw.
static void expect_draws(size_t num_arms)
{
    uint64_t wanted[MAX_ARMS] = {0};
    struct ekb_rng rng;
    ekb_rng_init(&rng, ~options.seed);
    for (uint64_t i = 0; i < options.max_starts; i++) {
        const double drawn = ekb_rng_uniform(&rng);
        double begin = 0;
        for (size_t k = 0; k < num_arms; k++) {
            wanted[k] += drawn >= begin && drawn < begin + arms[k].share ? 1 : 0;
            begin += arms[k].share;
        }
    }
    for (size_t i = 0; i < num_arms; i++) {
        const double mean = arms[i].share * (double)options.max_starts;
        const double deviation = sqrt(mean * (1 - arms[i].share));
        const double distance = fabs((double)arm(i)->started - mean);
        cr_expect_eq(arm(i)->started, wanted[i], "arm %zu: %llu, not %llu", i,
                     (unsigned long long)arm(i)->started, (unsigned long long)wanted[i]);
        // And whatever the generator is: of as many draws.
        cr_expect_leq(distance, 4 * deviation, "arm %zu: %f from %f", i, distance, mean);
    }
}

Test(client_arms, are_drawn_by_their_shares)
{
    static const double shares[] = {0.5, 0.125, 0.3, 0.075};
    served_start(&served, stores.server, &(struct served_spec){0});
    for (size_t i = 0; i < 4; i++) {
        arms[i].share = shares[i];
    }
    options.max_starts = 300;

    run(4);
    served_stop(&served);

    expect_draws(4);
    served_deinit(&served);
}

Test(client_arms, are_drawn_otherwise_when_the_seed_is_another)
{
    served_start(&served, stores.server, &(struct served_spec){0});
    arms[0].share = 0.5;
    arms[1].share = 0.5;
    options.max_starts = 100;

    run(2);
    const uint64_t with_one = arm(0)->started;
    expect_draws(2);
    options.seed = SEED + 2;
    run(2);
    const uint64_t with_another = arm(0)->started;
    expect_draws(2);
    served_stop(&served);

    cr_expect_neq(with_one, with_another, "%llu", (unsigned long long)with_one);
    served_deinit(&served);
}

Test(client_arms, are_never_drawn_when_they_have_no_share)
{
    static const double shares[][4] = {{0, 0.5, 0, 0.5}, {0, 0, 0, 1}};
    served_start(&served, stores.server, &(struct served_spec){0});
    options.max_starts = 60;
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        for (size_t k = 0; k < 4; k++) {
            arms[k].share = shares[i][k];
        }

        run(4);

        expect_draws(4);
        for (size_t k = 0; k < 4; k++) {
            cr_expect(shares[i][k] > 0 || arm(k)->started == 0, "%zu: arm %zu: %llu", i, k,
                      (unsigned long long)arm(k)->started);
        }
    }
    served_stop(&served);
    served_deinit(&served);
}

// A rounding error short of 1 goes to the last that has a share.
Test(client_arms, are_drawn_when_the_shares_do_not_reach_the_whole)
{
    served_start(&served, stores.server, &(struct served_spec){0});
    arms[0].share = 0.25;
    arms[1].share = 0.25;
    arms[2].share = 0;
    options.max_starts = 100;

    run(3);
    served_stop(&served);

    cr_expect_eq(arm(2)->started, 0);
    cr_expect_eq(arm(0)->started + arm(1)->started, 100);
    cr_expect_gt(arm(1)->started, 2 * arm(0)->started);
    served_deinit(&served);
}

Test(client_arms, are_drawn_equally_when_none_has_a_share)
{
    served_start(&served, stores.server, &(struct served_spec){0});
    options.max_starts = 60;

    run(3);
    served_stop(&served);

    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(arm(i)->started, 20, "arm %zu: %llu", i, (unsigned long long)arm(i)->started);
    }
    served_deinit(&served);
}

// Rejects.

Test(client_arms, are_rejected_by_their_share)
{
    for (size_t i = 0; i < 2; i++) {
        served_start(&served, stores.server, &(struct served_spec){0});
        options.max_starts = 160;
        arms[0].share = 0.75;
        arms[1].share = 0.25;
        arms[1].store_path = stores.wrong_eku;
        arms[1].expect = EKB_EXPECT_REJECT;
        arms[0].version = versions[i];
        arms[1].version = versions[i];

        run(2);
        served_stop(&served);

        const struct ekb_tally_arm *server = served_arm(&served, 0);
        expect_draws(2);
        cr_expect_eq(arm(0)->accepted, arm(0)->started);
        cr_expect_eq(arm(1)->rejected, arm(1)->started);
        cr_expect_eq(server->accepted, arm(0)->accepted);
        cr_expect_eq(server->rejected, arm(1)->rejected);
        // Rejections are what is measured there.
        cr_expect_eq(arm(1)->latency.moments.count, arm(1)->rejected);
        served_deinit(&served);
    }
}

// Resumption.

// resume_half makes arm 1 resume what arm 0 brings.
static void resume_half(enum ekb_tls_version version)
{
    for (size_t i = 0; i < 2; i++) {
        arms[i].share = 0.5;
        arms[i].version = version;
        arms[i].kind = EKB_CLIENT_FULL;
    }
    arms[0].keeps_sessions = true;
    arms[1].resumes = true;
    arms[1].session_arm = 0;
}

static void expect_resumption(const char *name)
{
    const struct ekb_tally_arm *server = served_arm(&served, 0);
    cr_expect_eq(arm(0)->accepted + arm(1)->accepted, options.max_starts, "%s", name);
    cr_expect_eq(arm(0)->resumed, 0, "%s", name);
    cr_expect_eq(arm(1)->resumed, arm(1)->accepted, "%s", name);
    cr_expect_eq(server->accepted, options.max_starts, "%s: %llu", name,
                 (unsigned long long)server->accepted);
    cr_expect_eq(server->resumed, arm(1)->resumed, "%s: %llu, but %llu", name,
                 (unsigned long long)server->resumed, (unsigned long long)arm(1)->resumed);
    // Half of them, but for those that came before there was anything to resume.
    cr_expect_geq(arm(1)->resumed, options.max_starts / 4, "%s: %llu", name,
                  (unsigned long long)arm(1)->resumed);
    cr_expect_leq(arm(1)->resumed, options.max_starts * 3 / 4, "%s: %llu", name,
                  (unsigned long long)arm(1)->resumed);
    cr_expect_eq(arm(1)->latency.moments.count, arm(1)->resumed, "%s", name);
    cr_expect_eq(arm(0)->latency.moments.count, arm(0)->accepted, "%s", name);
}

Test(client_arms, resume_by_their_share_and_the_server_says_the_same)
{
    static const enum ekb_confirm confirms[] = {EKB_CONFIRM_FIRST, EKB_CONFIRM_BYTE};
    for (size_t i = 0; i < 4; i++) {
        char name[64];
        options.confirm = confirms[i / 2];
        (void)snprintf(name, sizeof name, "TLS %s, %s", ekb_tls_version_name(versions[i % 2]),
                       ekb_confirm_name(options.confirm));
        served_start(&served, stores.server, &(struct served_spec){.listeners = {",resume=on"}});
        resume_half(versions[i % 2]);

        run(2);
        served_stop(&served);

        expect_resumption(name);
        served_deinit(&served);
    }
}

// Sessions of TLS 1.2 may be offered again and again: one that arm 0 has brought is enough.
Test(client_arms, resume_again_when_a_session_may_be)
{
    served_start(&served, stores.server, &(struct served_spec){.listeners = {",resume=on"}});
    resume_half(EKB_TLS_1_2);
    arms[0].share = 0;
    arms[1].share = 1;
    options.in_flight = 1;
    options.max_starts = 40;

    run(2);
    served_stop(&served);

    cr_expect_eq(arm(0)->started, 1, "%llu", (unsigned long long)arm(0)->started);
    cr_expect_eq(arm(1)->resumed, 39, "%llu", (unsigned long long)arm(1)->resumed);
    cr_expect_eq(served_arm(&served, 0)->resumed, 39);
    served_deinit(&served);
}

// In TLS 1.3 each once; a resumed connection brings the next one.
Test(client_arms, resume_what_a_resumed_connection_brings)
{
    served_start(&served, stores.server, &(struct served_spec){.listeners = {",resume=on"}});
    resume_half(EKB_TLS_1_3);
    arms[0].share = 0;
    arms[1].share = 1;
    options.in_flight = 1;
    options.max_starts = 40;

    run(2);
    served_stop(&served);

    cr_expect_eq(arm(0)->started, 1, "%llu", (unsigned long long)arm(0)->started);
    cr_expect_eq(arm(1)->resumed, 39, "%llu", (unsigned long long)arm(1)->resumed);
    cr_expect_eq(served_arm(&served, 0)->resumed, 39);
    served_deinit(&served);
}

Test(client_arms, leave_it_to_the_other_when_nothing_is_brought)
{
    for (size_t i = 0; i < 2; i++) {
        served_start(&served, stores.server, &(struct served_spec){.listeners = {",resume=off"}});
        resume_half(versions[i]);
        options.max_starts = 40;

        run(2);
        served_stop(&served);

        cr_expect_eq(arm(0)->accepted, 40, "TLS %s", ekb_tls_version_name(versions[i]));
        cr_expect_eq(arm(1)->started, 0, "TLS %s", ekb_tls_version_name(versions[i]));
        cr_expect_eq(served_arm(&served, 0)->resumed, 0);
        served_deinit(&served);
    }
}

Test(client_arms, resume_nothing_when_no_sessions_are_kept)
{
    served_start(&served, stores.server, &(struct served_spec){.listeners = {",resume=on"}});
    resume_half(EKB_TLS_1_3);
    arms[0].keeps_sessions = false;
    options.max_starts = 40;

    run(2);
    served_stop(&served);

    cr_expect_eq(arm(0)->accepted, 40);
    cr_expect_eq(arm(1)->started, 0);
    served_deinit(&served);
}

// Another listener has another key: what it does not resume is accepted, and no sample of the arm.
Test(client_arms, count_as_not_resumed_when_the_server_falls_back)
{
    for (size_t i = 0; i < 2; i++) {
        served_start(&served, stores.server,
                     &(struct served_spec){.listeners = {",resume=on", ",resume=on,depth=9"}});
        resume_half(versions[i]);
        arms[1].session_arm = 0;
        options.max_starts = 60;
        // What falls back brings a session of its own listener: not to be offered.
        options.in_flight = 1;

        run(2);
        served_stop(&served);

        cr_expect_gt(arm(1)->accepted, 0);
        cr_expect_lt(arm(1)->resumed, arm(1)->accepted, "TLS %s",
                     ekb_tls_version_name(versions[i]));
        cr_expect_eq(arm(1)->resumed, served_arm(&served, 1)->resumed);
        cr_expect_eq(arm(0)->resumed + served_arm(&served, 0)->resumed, 0);
        cr_expect_eq(arm(1)->latency.moments.count, arm(1)->resumed);
        served_deinit(&served);
    }
}

Test(client_arms, resume_beside_rejects)
{
    served_start(&served, stores.server, &(struct served_spec){.listeners = {",resume=on"}});
    resume_half(EKB_TLS_ANY);
    arms[0].share = 0.4;
    arms[1].share = 0.4;
    arms[2].share = 0.2;
    arms[2].store_path = stores.wrong_eku;
    arms[2].expect = EKB_EXPECT_REJECT;

    run(3);
    served_stop(&served);

    const struct ekb_tally_arm *server = served_arm(&served, 0);
    cr_expect_gt(arm(1)->resumed, 0);
    cr_expect_eq(arm(1)->resumed, arm(1)->accepted);
    cr_expect_eq(server->resumed, arm(1)->resumed);
    cr_expect_eq(arm(2)->rejected, arm(2)->started);
    cr_expect_eq(server->rejected, arm(2)->rejected);
    cr_expect_eq(arm(2)->resumed, 0);
    served_deinit(&served);
}

Test(client_arms, note_what_full_handshakes_have_negotiated)
{
    served_start(&served, stores.server,
                 &(struct served_spec){.listeners = {",resume=on,groups=P-384:P-256"}});
    resume_half(EKB_TLS_1_3);
    arms[0].preferences.groups = "P-384:X25519";
    arms[1].preferences.groups = "P-384:X25519";

    run(2);
    served_stop(&served);

    cr_expect_str_eq(options.tally->group, "P-384");
    cr_expect_str_eq(options.tally->version, "TLSv1.3");
    cr_expect_str_eq(options.tally->signature, "ecdsa_secp256r1_sha256");
    served_deinit(&served);
}

// Answers over the wire.

struct script {
    struct ekb_tls_config *config;
    const char *reply;
};

static void answer(void *context, int fd)
{
    const struct script *script = context;
    (void)wire_serve_handshake(fd, script->config, script->reply);
    // Left open: the verdict is the client's to give.
}

static void close_at_once(void *context, int fd)
{
    const struct script *script = context;
    (void)wire_serve_handshake(fd, script->config, script->reply);
    wire_close(fd);
}

static void reset_at_the_goodbye(void *context, int fd)
{
    const struct script *script = context;
    char goodbye = 0;
    (void)wire_serve_handshake(fd, script->config, script->reply);
    (void)recv(fd, &goodbye, 1, 0);
    wire_reset(fd);
}

// resuming_config makes a server's configuration that gives tickets and verifies nobody.
static struct ekb_tls_config *resuming_config(void)
{
    struct ekb_store *store = NULL;
    struct ekb_tls_config *config = NULL;
    struct ekb_policy one_way = ekb_policy_default();
    one_way.verify = EKB_VERIFY_ONE_WAY;
    cr_assert_eq(ekb_store_load(&store, stores.server, EKB_STORE_NEED_SERVER, NULL), EKB_OK);
    const struct ekb_tls_options server = {.role = EKB_ROLE_SERVER,
                                           .version = EKB_TLS_1_2,
                                           .identity = ekb_store_identity(store, EKB_STORE_SERVER),
                                           .policy = one_way,
                                           .resumption = EKB_TLS_RESUME_ON};
    cr_assert_eq(ekb_tls_config_create(&config, &server, NULL), EKB_OK);
    ekb_store_destroy(store);
    return config;
}

// A resumed handshake of TLS 1.2 ends with the client's Finished. Of a server that says nothing the
// client hears when it has said goodbye.
Test(client_arms, take_the_end_for_the_verdict_when_tls_1_2_is_resumed)
{
    static void (*const ends[])(void *context, int fd) = {close_at_once, reset_at_the_goodbye};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct wire_server foreign;
        struct script script = {resuming_config(), NULL};
        wire_server_init(&foreign);
        resume_half(EKB_TLS_1_2);
        arms[0].share = 0;
        arms[1].share = 1;
        arms[0].target = foreign.address;
        arms[1].target = foreign.address;
        options.num_arms = 2;
        options.in_flight = 1;
        options.max_starts = 12;

        start();
        wire_server_run(&foreign, &worker, 0, ends[i], &script);
        const enum ekb_err err = finish();

        cr_expect_eq(err, EKB_OK, "%zu: %s", i, ekb_err_name(err));
        cr_expect_eq(arm(0)->accepted, 1, "%zu: %llu", i, (unsigned long long)arm(0)->accepted);
        cr_expect_eq(arm(1)->accepted, 11, "%zu: %llu", i, (unsigned long long)arm(1)->accepted);
        cr_expect_eq(arm(1)->resumed, 11, "%zu: %llu", i, (unsigned long long)arm(1)->resumed);
        wire_server_deinit(&foreign);
        ekb_tls_config_destroy(script.config);
    }
}

static void ask_for(const char *reply, enum ekb_tls_version version)
{
    struct wire_server foreign;
    struct script script = {wire_server_config(stores.server), reply};
    wire_server_init(&foreign);
    options.num_arms = 1;
    options.max_starts = 8;
    options.confirm = EKB_CONFIRM_HTTP;
    arms[0].target = foreign.address;
    arms[0].version = version;

    start();
    wire_server_run(&foreign, &worker, 0, answer, &script);
    const enum ekb_err err = finish();

    cr_expect_eq(err, EKB_OK, "%s: %s", reply, ekb_err_name(err));
    wire_server_deinit(&foreign);
    ekb_tls_config_destroy(script.config);
}

Test(client_arms, take_the_status_of_an_answer_for_the_verdict)
{
    for (size_t i = 0; i < 2; i++) {
        ask_for("HTTP/1.1 200 OK\r\n\r\n", versions[i]);
        cr_expect_eq(arm(0)->accepted, 8);

        ask_for("HTTP/1.1 403 Forbidden\r\n\r\n", versions[i]);
        cr_expect_eq(arm(0)->rejected, 8);
        cr_expect_eq(arm(0)->failures[EKB_HTTP_REFUSED], 8);
    }
    ask_for("220 mail.example ESMTP\r\n", EKB_TLS_1_3);
    cr_expect_eq(arm(0)->failed, 8);
    cr_expect_eq(arm(0)->failures[EKB_HTTP_MALFORMED], 8);
}
