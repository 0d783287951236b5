// The workers of one server: who gets the connections, what is counted, and what becomes of it when
// one of them goes.

#include "ekubench/peer/crew.h"

#include "support/served.h"
#include "support/stores.h"
#include "support/wire.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/listen.h"

#include <criterion/criterion.h>

#include <signal.h>

#define NUM_WORKERS 3
#define MANY 60

static struct store_fixture stores;
static struct ekb_timeline timeline = {
    .origin_ns = UINT64_MAX / 2, .slice_ns = EKB_NS_PER_S, .num_slices = 1, .num_warmup = 1};
static const uint8_t expect[1] = {1};
static struct ekb_listener listener;
static struct ekb_server_options options;
static struct ekb_crew crew;
static struct ekb_worker workers[NUM_WORKERS];

static void set_up(void)
{
    skip_without_io_uring();
    store_fixture_init(&stores);
    cr_assert_eq(ekb_listener_parse(&listener, "127.0.0.1:0", NULL), EKB_OK);
    options = (struct ekb_server_options){.store_path = stores.server,
                                          .listeners = &listener,
                                          .num_listeners = 1,
                                          .num_workers = NUM_WORKERS,
                                          .max_connections = 64,
                                          .deadline_ns = 5 * EKB_NS_PER_S,
                                          .timeline = &timeline,
                                          .expect = expect};
    for (size_t i = 0; i < NUM_WORKERS; i++) {
        workers[i] = (struct ekb_worker){.control_fd = -1, .ended = true};
    }
}

static void tear_down(void)
{
    for (size_t i = 0; i < NUM_WORKERS; i++) {
        ekb_worker_command_abort(&workers[i]);
        ekb_worker_reap(&workers[i], EKB_NS_PER_S);
    }
    ekb_crew_deinit(&crew);
    ekb_server_close(&options);
    store_fixture_deinit(&stores);
}

TestSuite(crew, .init = set_up, .fini = tear_down, .timeout = 60);

static void start(enum ekb_listening listening)
{
    struct ekb_fail fail = {0};
    const uint64_t until_ns = ekb_clock_now_ns() + SERVED_PATIENCE_NS;
    options.listening = listening;
    cr_assert_eq(ekb_server_open(&options, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_crew_open(&crew, &options, 1, 1, &fail), EKB_OK, "%s", fail.detail);
    for (uint32_t i = 0; i < crew.num_workers; i++) {
        cr_assert_eq(ekb_crew_spawn(&workers[i], &crew, i, EKB_WORKER_UNPINNED, &fail), EKB_OK,
                     "%s", fail.detail);
    }
    ekb_crew_close(&crew);
    for (uint32_t i = 0; i < crew.num_workers; i++) {
        while (!workers[i].ready && !workers[i].ended) {
            cr_assert_lt(ekb_clock_now_ns(), until_ns, "a worker does not get ready");
            ekb_worker_update(&workers[i], 1, 100 * EKB_NS_PER_MS);
        }
        cr_assert(workers[i].ready, "%s", workers[i].fail.detail);
    }
}

static void stop(void)
{
    for (uint32_t i = 0; i < crew.num_workers; i++) {
        ekb_worker_command_stop(&workers[i]);
    }
    for (uint32_t i = 0; i < crew.num_workers; i++) {
        ekb_worker_reap(&workers[i], SERVED_PATIENCE_NS);
    }
}

static uint64_t accepted_by(uint32_t worker)
{
    return crew.workers[worker].tally->arms[0].accepted;
}

// serve_many makes connections one after the other, all of which must be accepted.
static void serve_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        cr_assert(wire_handshake(&listener.address, stores.client, EKB_TLS_1_3), "connection %zu",
                  i);
    }
}

static void expect_sum(void)
{
    uint64_t parts[NUM_WORKERS] = {0};
    for (uint32_t i = 0; i < crew.num_workers; i++) {
        parts[i] = accepted_by(i);
    }
    struct ekb_tally *sum = ekb_crew_merge(&crew, workers);
    cr_assert_not_null(sum);
    cr_expect_eq(sum->arms[0].accepted, (uint64_t)MANY, "%llu and %llu and %llu",
                 (unsigned long long)parts[0], (unsigned long long)parts[1],
                 (unsigned long long)parts[2]);
    cr_expect_eq(sum->arms[0].started, (uint64_t)MANY);
    cr_expect_eq(sum->num_accept_errors, 0u);
    cr_expect_eq(parts[0] + parts[1] + parts[2], (uint64_t)MANY);
    ekb_tally_destroy(sum);
}

// By a hash of ports: that one of three gets nothing of 60 happens once in 10^10 times.
Test(crew, adds_up_what_workers_with_sockets_of_their_own_accept)
{
    start(EKB_LISTENING_EACH);
    serve_many();
    stop();

    for (uint32_t i = 0; i < NUM_WORKERS; i++) {
        cr_expect_gt(accepted_by(i), 0u, "worker %u", i);
    }
    expect_sum();
}

// With nothing else to do they take turns.
Test(crew, adds_up_what_workers_of_one_socket_accept)
{
    start(EKB_LISTENING_SHARED);
    serve_many();
    stop();

    for (uint32_t i = 0; i < NUM_WORKERS; i++) {
        cr_expect_gt(accepted_by(i), 0u, "worker %u", i);
    }
    expect_sum();
}

Test(crew, may_be_of_one)
{
    options.num_workers = 0;
    start(EKB_LISTENING_EACH);
    cr_expect_eq(crew.num_workers, 1u);
    serve_many();
    stop();
    expect_sum();
}

static void expect_others_to_go_on(enum ekb_listening listening)
{
    start(listening);
    cr_assert_eq(kill(workers[1].pid, SIGKILL), 0);
    ekb_worker_reap(&workers[1], EKB_NS_PER_S);
    cr_assert_eq(workers[1].fail.err, EKB_WORKER_DIED);

    serve_many();
    stop();

    cr_expect_eq(workers[0].fail.err, EKB_OK);
    cr_expect_eq(workers[2].fail.err, EKB_OK);
    cr_expect_eq(accepted_by(1), 0u);
    expect_sum();
}

// None of them has a socket of another one's: it would be given connections that nobody accepts.
Test(crew, goes_on_when_a_worker_with_a_socket_of_its_own_dies)
{
    expect_others_to_go_on(EKB_LISTENING_EACH);
}

Test(crew, goes_on_when_a_worker_of_one_socket_dies)
{
    expect_others_to_go_on(EKB_LISTENING_SHARED);
}

Test(crew, counts_as_unfinished_what_a_worker_had_that_died)
{
    start(EKB_LISTENING_EACH);
    crew.workers[1].tally->arms[0].started = 7;
    crew.workers[1].tally->arms[0].accepted = 3;
    crew.workers[1].tally->arms[0].rejected = 1;
    cr_assert_eq(kill(workers[1].pid, SIGKILL), 0);
    ekb_worker_reap(&workers[1], EKB_NS_PER_S);
    stop();

    struct ekb_tally *sum = ekb_crew_merge(&crew, workers);

    cr_expect_eq(sum->arms[0].started, 7u);
    cr_expect_eq(sum->arms[0].unfinished, 3u);
    ekb_tally_destroy(sum);
}

// A second server at the same address would be given a part of the connections.
Test(crew, does_not_share_its_address_with_another_server)
{
    struct ekb_listener other_listener = {.fd = -1};
    struct ekb_server_options other = options;
    struct ekb_fail fail = {0};
    start(EKB_LISTENING_EACH);
    other_listener.address = listener.address;
    other.listeners = &other_listener;
    other.num_workers = 2;

    const enum ekb_err err = ekb_server_open(&other, &fail);

    cr_expect_eq(err, EKB_ADDRESS_IN_USE, "%s", ekb_err_name(err));
    ekb_server_close(&other);
}

Test(crew, may_be_released_when_zeroed)
{
    struct ekb_crew none = {.num_workers = 0};

    cr_expect_null(ekb_crew_merge(&none, NULL));
    ekb_crew_deinit(&none);
}

Test(crew, closes_what_no_worker_came_to_have)
{
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_server_open(&options, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_crew_open(&crew, &options, 1, 1, &fail), EKB_OK, "%s", fail.detail);
    cr_expect_eq(listener.fd, -1);

    ekb_crew_deinit(&crew);

    // Nobody listens there any more.
    options.num_workers = 1;
    cr_expect_eq(ekb_server_open(&options, &fail), EKB_OK, "%s", fail.detail);
}
