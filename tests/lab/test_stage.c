#include "ekubench/lab/stage.h"

#include "support/served.h"
#include "support/stores.h"
#include "support/wire.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/worker.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// A stage with two arms: one is accepted, one rejected.
enum {
    ACCEPTED,
    REJECTED,
    NUM_ARMS
};

static struct store_fixture stores;
static struct ekb_listener listeners[NUM_ARMS];
static struct ekb_client_arm arms[NUM_ARMS];
static struct ekb_server_options server;
static struct ekb_client_options client;
static struct ekb_stage stage;
static const uint8_t expect[NUM_ARMS] = {1, 0};
static const struct ekb_timeline timeline = {
    .slice_ns = 100 * EKB_NS_PER_MS, .num_slices = 8, .num_warmup = 2};
static const struct ekb_timeline long_timeline = {.slice_ns = EKB_NS_PER_S, .num_slices = 300};

static void set_up(void)
{
    skip_without_io_uring();
    store_fixture_init(&stores);
    for (size_t i = 0; i < NUM_ARMS; i++) {
        listeners[i] = (struct ekb_listener){.address = wire_loopback(),
                                             .policy = ekb_policy_default(),
                                             .version = EKB_TLS_1_3,
                                             .arm = (uint16_t)i,
                                             .fd = -1};
    }
    server = (struct ekb_server_options){.store_path = stores.server,
                                         .listeners = listeners,
                                         .num_listeners = NUM_ARMS,
                                         .max_connections = 64,
                                         .deadline_ns = 5 * EKB_NS_PER_S,
                                         .expect = expect};
    cr_assert_eq(ekb_server_open(&server, NULL), EKB_OK);
    for (size_t i = 0; i < NUM_ARMS; i++) {
        arms[i] = (struct ekb_client_arm){.target = listeners[i].address,
                                          .store_path = stores.client,
                                          .version = EKB_TLS_1_3,
                                          .expect = expect[i] != 0 ? EKB_EXPECT_ACCEPT
                                                                   : EKB_EXPECT_REJECT};
    }
    arms[REJECTED].store_path = stores.wrong_eku;
    client = (struct ekb_client_options){.arms = arms,
                                         .num_arms = NUM_ARMS,
                                         .in_flight = 8,
                                         .deadline_ns = 5 * EKB_NS_PER_S,
                                         .seed = 1};
}

static void tear_down(void)
{
    ekb_stage_deinit(&stage);
    ekb_server_close(&server);
    store_fixture_deinit(&stores);
}

TestSuite(stage, .init = set_up, .fini = tear_down, .timeout = 90);

// What a test does while the stage runs, once some handshakes have ended.
struct meddling {
    void (*act)(struct meddling *meddling);
    volatile sig_atomic_t stop;
    int num_calls;
    bool done;
    struct ekb_stage_progress last;
};

static void on_progress(void *context, const struct ekb_stage_progress *progress)
{
    struct meddling *meddling = context;
    meddling->num_calls++;
    meddling->last = *progress;
    if (meddling->act != NULL && !meddling->done && progress->accepted > 0) {
        meddling->done = true;
        meddling->act(meddling);
    }
}

static enum ekb_err run(const struct ekb_timeline *when, struct meddling *meddling,
                        struct ekb_fail *reterr_fail)
{
    const struct ekb_stage_control control = {
        .progress = on_progress, .context = meddling, .stop = &meddling->stop};
    return ekb_stage_run(&stage, &server, &client, when, &control, reterr_fail);
}

// expect_no_children fails the test if a worker is left, running or not waited for.
static void expect_no_children(void)
{
    const pid_t left = waitpid(-1, NULL, WNOHANG);
    cr_expect(left == -1 && errno == ECHILD, "process %d is left", (int)left);
}

// Two workers' series are one, which adds up to the arms; a second live is one of its intervals.
Test(stage, keeps_a_series_when_the_timeline_wants_one)
{
    struct ekb_timeline with_series = timeline;
    struct meddling meddling = {0};
    struct ekb_fail fail = {0};
    uint64_t sums[2] = {0};
    with_series.num_slices = 15;
    with_series.interval_ns = 500 * EKB_NS_PER_MS;
    client.share.count = 2;

    const enum ekb_err err = run(&with_series, &meddling, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    const struct ekb_series *series = stage.client.tally->series;
    cr_assert_not_null(series);
    cr_assert_eq(series->num_intervals, 4u);
    cr_expect_null(stage.server.tally->series);
    for (size_t i = 0; i < series->num_intervals; i++) {
        sums[ACCEPTED] += series->intervals[i].accepted;
        sums[REJECTED] += series->intervals[i].rejected;
    }
    for (size_t i = 0; i < 3; i++) {
        cr_expect_gt(ekb_hist_count(series->intervals[i].latency), 0u, "%zu", i);
    }
    cr_expect_eq(sums[ACCEPTED], stage.client.tally->arms[ACCEPTED].accepted);
    cr_expect_eq(sums[REJECTED], stage.client.tally->arms[REJECTED].rejected);
    cr_expect(meddling.last.second.known);
    cr_expect_gt(meddling.last.second.completed, 0u);
    cr_expect(meddling.last.second.max_ns.known);
    cr_expect(!meddling.last.is_warmup);
    expect_no_children();
}

Test(stage, reconciles_when_it_runs_to_its_end)
{
    struct meddling meddling = {0};
    struct ekb_fail fail = {0};

    const enum ekb_err err = run(&timeline, &meddling, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    cr_expect(!stage.interrupted);
    for (size_t i = 0; i < NUM_ARMS; i++) {
        const struct ekb_tally_arm *ours = &stage.client.tally->arms[i];
        const struct ekb_tally_arm *theirs = &stage.server.tally->arms[i];
        cr_expect_gt(ours->started, 0, "arm %zu", i);
        cr_expect_eq(ours->started,
                     ours->accepted + ours->rejected + ours->failed + ours->unfinished,
                     "arm %zu, client", i);
        cr_expect_eq(theirs->started,
                     theirs->accepted + theirs->rejected + theirs->failed + theirs->unfinished,
                     "arm %zu, server", i);
        cr_expect_eq(ours->accepted, theirs->accepted, "arm %zu", i);
        cr_expect_eq(ours->rejected, theirs->rejected, "arm %zu", i);
        cr_expect_eq(ours->failed, 0, "arm %zu: %llu failed", i, (unsigned long long)ours->failed);
    }
    cr_expect_eq(stage.client.tally->arms[ACCEPTED].rejected, 0);
    cr_expect_eq(stage.client.tally->arms[REJECTED].accepted, 0);
    expect_no_children();
}

Test(stage, tells_where_it_is_while_it_runs)
{
    struct meddling meddling = {0};

    cr_assert_eq(run(&timeline, &meddling, NULL), EKB_OK);

    cr_expect_gt(meddling.num_calls, 1);
    cr_expect_eq(meddling.last.total_ns, 800 * EKB_NS_PER_MS);
    cr_expect_gt(meddling.last.elapsed_ns, 0);
    cr_expect_gt(meddling.last.accepted, 0);
    cr_expect_gt(meddling.last.rejected, 0);
}

Test(stage, keeps_slices_apart)
{
    struct meddling meddling = {0};

    cr_assert_eq(run(&timeline, &meddling, NULL), EKB_OK);

    const struct ekb_tally *tally = stage.server.tally;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < timeline.num_slices; i++) {
        const struct ekb_slice_sum *slice = &tally->arms[ACCEPTED].steps_by_slice[i];
        cr_expect_eq(slice->count > 0, i >= timeline.num_warmup, "slice %u", i);
        cr_expect_gt(tally->cpu_ns_at[i + 1], tally->cpu_ns_at[i], "slice %u", i);
        sum += slice->sum;
    }
    cr_expect_eq(tally->arms[ACCEPTED].steps.moments.sum, sum);
}

static void ask_to_stop(struct meddling *meddling)
{
    meddling->stop = 1;
}

Test(stage, ends_soon_and_keeps_its_counts_when_asked_to_stop)
{
    struct meddling meddling = {.act = ask_to_stop};
    struct ekb_fail fail = {0};

    const enum ekb_err err = run(&long_timeline, &meddling, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    cr_expect(stage.interrupted);
    cr_expect_gt(stage.client.tally->arms[ACCEPTED].accepted, 0);
    for (size_t i = 0; i < NUM_ARMS; i++) {
        const struct ekb_tally_arm *ours = &stage.client.tally->arms[i];
        cr_expect_eq(ours->started,
                     ours->accepted + ours->rejected + ours->failed + ours->unfinished, "arm %zu",
                     i);
    }
    expect_no_children();
}

Test(stage, ends_soon_when_asked_to_stop_before_it_began)
{
    struct meddling meddling = {.stop = 1};

    const enum ekb_err err = run(&long_timeline, &meddling, NULL);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect(stage.interrupted);
    expect_no_children();
}

// kill_worker kills the child of the calling process that was forked as number `index`.
static void kill_worker(int index)
{
    char path[64];
    int pids[2] = {0, 0};
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fscanf(file, "%d %d", &pids[0], &pids[1]), 2);
    (void)fclose(file);
    cr_assert_eq(kill(pids[index], SIGKILL), 0);
}

static void kill_server(struct meddling *meddling)
{
    (void)meddling;
    kill_worker(0);
}

static void kill_client(struct meddling *meddling)
{
    (void)meddling;
    kill_worker(1);
}

Test(stage, says_that_a_worker_died_when_the_server_is_killed)
{
    struct meddling meddling = {.act = kill_server};
    struct ekb_fail fail = {0};

    const enum ekb_err err = run(&long_timeline, &meddling, &fail);

    cr_expect_eq(err, EKB_WORKER_DIED, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "signal 9") != NULL, "%s", fail.detail);
    expect_no_children();
}

Test(stage, says_that_a_worker_died_when_the_client_is_killed)
{
    struct meddling meddling = {.act = kill_client};
    struct ekb_fail fail = {0};

    const enum ekb_err err = run(&long_timeline, &meddling, &fail);

    cr_expect_eq(err, EKB_WORKER_DIED, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "signal 9") != NULL, "%s", fail.detail);
    expect_no_children();
}

// Several client workers.

static void expect_sums(void)
{
    for (size_t i = 0; i < NUM_ARMS; i++) {
        const struct ekb_tally_arm *ours = &stage.client.tally->arms[i];
        const struct ekb_tally_arm *theirs = &stage.server.tally->arms[i];
        const uint64_t unread = ours->unfinished + ours->failed;
        cr_expect_gt(ours->started, 0, "arm %zu", i);
        cr_expect_eq(ours->started,
                     ours->accepted + ours->rejected + ours->failed + ours->unfinished,
                     "arm %zu does not add up", i);
        cr_expect(ours->accepted <= theirs->accepted && theirs->accepted <= ours->accepted + unread,
                  "arm %zu: %llu, %llu", i, (unsigned long long)ours->accepted,
                  (unsigned long long)theirs->accepted);
    }
}

Test(stage, adds_up_what_several_clients_do)
{
    struct meddling meddling = {0};
    struct ekb_fail fail = {0};
    client.share.count = 3;
    client.in_flight = 8;
    client.max_starts = 100;

    const enum ekb_err err = run(&long_timeline, &meddling, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    cr_expect_eq(stage.client.num_workers, 3u);
    expect_sums();
    cr_expect_eq(stage.client.tally->arms[0].started + stage.client.tally->arms[1].started, 100u);
    // 3 and 3 and 2.
    cr_expect_leq(stage.client.tally->peak_connections, 8u);
    cr_expect_geq(stage.client.tally->peak_connections, 6u);
    expect_no_children();
}

Test(stage, gives_an_open_loop_its_rate_when_clients_are_several)
{
    static const struct ekb_pace_stretch stretch = {EKB_NS_PER_S, 150, 150};
    struct meddling meddling = {0};
    client.share.count = 3;
    client.stretches = &stretch;
    client.num_stretches = 1;
    client.arrivals = EKB_ARRIVALS_FIXED;
    client.in_flight = 30;

    cr_assert_eq(run(&timeline, &meddling, NULL), EKB_OK);

    expect_sums();
    // 800 ms, the end left out.
    cr_expect_eq(stage.client.tally->arms[0].started + stage.client.tally->arms[1].started +
                     stage.client.tally->arms[0].dropped + stage.client.tally->arms[1].dropped,
                 119u);
}

// The results of the others are kept, and what the dead one had under way is unfinished.
Test(stage, keeps_what_was_counted_when_one_of_several_clients_is_killed)
{
    struct meddling meddling = {.act = kill_client};
    struct ekb_fail fail = {0};
    client.share.count = 3;

    const enum ekb_err err = run(&long_timeline, &meddling, &fail);

    cr_expect_eq(err, EKB_WORKER_DIED, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "signal 9") != NULL, "%s", fail.detail);
    cr_assert_not_null(stage.client.tally);
    expect_sums();
    cr_expect_gt(stage.client.tally->arms[ACCEPTED].accepted, 0u);
    expect_no_children();
}

// Several server workers.

// open_for makes the listeners those of so many workers.
static void open_for(uint32_t num_workers, enum ekb_listening listening)
{
    ekb_server_close(&server);
    server.num_workers = num_workers;
    server.listening = listening;
    for (size_t i = 0; i < NUM_ARMS; i++) {
        listeners[i].address = wire_loopback();
    }
    cr_assert_eq(ekb_server_open(&server, NULL), EKB_OK);
    for (size_t i = 0; i < NUM_ARMS; i++) {
        arms[i].target = listeners[i].address;
    }
}

// expect_exact expects both sides to count the same when nothing was cut off.
static void expect_exact(void)
{
    expect_sums();
    for (size_t i = 0; i < NUM_ARMS; i++) {
        const struct ekb_tally_arm *ours = &stage.client.tally->arms[i];
        const struct ekb_tally_arm *theirs = &stage.server.tally->arms[i];
        cr_expect_eq(ours->started, theirs->started, "arm %zu", i);
        cr_expect_eq(ours->accepted, theirs->accepted, "arm %zu", i);
        cr_expect_eq(ours->rejected, theirs->rejected, "arm %zu", i);
        cr_expect_eq(ours->failed + theirs->failed, 0u, "arm %zu", i);
    }
}

Test(stage, adds_up_what_several_servers_do)
{
    static const enum ekb_listening ways[] = {EKB_LISTENING_EACH, EKB_LISTENING_SHARED};
    for (size_t i = 0; i < 2; i++) {
        struct meddling meddling = {0};
        struct ekb_fail fail = {0};
        open_for(3, ways[i]);
        client.share.count = 2;
        client.in_flight = 12;
        client.max_starts = 150;

        const enum ekb_err err = run(&long_timeline, &meddling, &fail);

        cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
        cr_expect_eq(stage.server.num_workers, 3u);
        cr_expect_eq(stage.listening, ways[i]);
        expect_exact();
        cr_expect_eq(stage.server.tally->arms[0].started + stage.server.tally->arms[1].started,
                     150u);
        cr_expect_gt(stage.server.memory_base_bytes, 0u);
        cr_expect_eq(listeners[0].fd, -1);
        expect_no_children();
        ekb_stage_deinit(&stage);
    }
}

// The processor time of a slice is that of all workers of a side.
Test(stage, adds_up_the_processor_time_of_several_servers)
{
    struct meddling meddling = {0};
    open_for(2, EKB_LISTENING_EACH);

    cr_assert_eq(run(&timeline, &meddling, NULL), EKB_OK);

    const struct ekb_tally *tally = stage.server.tally;
    uint64_t steps_ns = 0;
    for (uint32_t i = 0; i < timeline.num_slices; i++) {
        cr_expect_gt(tally->cpu_ns_at[i + 1], tally->cpu_ns_at[i], "slice %u", i);
        steps_ns += tally->arms[ACCEPTED].steps_by_slice[i].sum;
    }
    cr_expect_eq(tally->arms[ACCEPTED].steps.moments.sum, steps_ns);
}

// kill_second kills the second of the server's workers.
static void kill_second(struct meddling *meddling)
{
    (void)meddling;
    kill_worker(1);
}

Test(stage, keeps_what_was_counted_when_one_of_several_servers_is_killed)
{
    struct meddling meddling = {.act = kill_second};
    struct ekb_fail fail = {0};
    open_for(2, EKB_LISTENING_EACH);

    const enum ekb_err err = run(&long_timeline, &meddling, &fail);

    cr_expect_eq(err, EKB_WORKER_DIED, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "server worker 2 of 2") != NULL, "%s", fail.detail);
    cr_expect(strstr(fail.detail, "signal 9") != NULL, "%s", fail.detail);
    cr_assert_not_null(stage.server.tally);
    cr_expect_gt(stage.client.tally->arms[ACCEPTED].accepted, 0u);
    for (size_t i = 0; i < NUM_ARMS; i++) {
        const struct ekb_tally_arm *theirs = &stage.server.tally->arms[i];
        cr_expect_eq(theirs->started,
                     theirs->accepted + theirs->rejected + theirs->failed + theirs->unfinished,
                     "arm %zu does not add up", i);
    }
    expect_no_children();
}

// Pinning.

Test(stage, takes_the_cpus_that_are_named)
{
    struct meddling meddling = {0};
    struct ekb_pin pin = {.mode = EKB_PIN_LIST, .num_cpus = 3};
    const struct ekb_stage_control control = {
        .progress = on_progress, .context = &meddling, .pin = &pin};
    cr_assert_geq(ekb_worker_cpus(pin.cpus, 1), 1);
    pin.cpus[1] = pin.cpus[0];
    pin.cpus[2] = pin.cpus[0];
    open_for(2, EKB_LISTENING_EACH);

    cr_assert_eq(ekb_stage_run(&stage, &server, &client, &timeline, &control, NULL), EKB_OK);

    cr_expect_eq(stage.server.cpus[0], pin.cpus[0]);
    cr_expect_eq(stage.server.cpus[1], pin.cpus[0]);
    cr_expect_eq(stage.client.cpus[0], pin.cpus[0]);
}

Test(stage, starts_nothing_when_too_few_cpus_are_named)
{
    const struct ekb_pin pin = {.mode = EKB_PIN_LIST, .num_cpus = 1};
    const struct ekb_stage_control control = {.pin = &pin};
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_stage_run(&stage, &server, &client, &timeline, &control, &fail);

    cr_expect_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "2 workers") != NULL, "%s", fail.detail);
    cr_expect_eq(listeners[0].fd, -1, "the listeners are left open");
    expect_no_children();
}

Test(stage, hands_over_the_reason_when_the_server_cannot_begin)
{
    struct meddling meddling = {0};
    struct ekb_fail fail = {0};
    server.store_path = "/nonexistent/store";

    const enum ekb_err err = run(&timeline, &meddling, &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "/nonexistent/store") != NULL, "%s", fail.detail);
    expect_no_children();
}

Test(stage, hands_over_the_reason_when_the_client_cannot_begin)
{
    struct meddling meddling = {0};
    struct ekb_fail fail = {0};
    arms[REJECTED].store_path = "/nonexistent/store";

    const enum ekb_err err = run(&timeline, &meddling, &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "/nonexistent/store") != NULL, "%s", fail.detail);
    expect_no_children();
}

Test(stage, hands_over_the_reason_when_a_foreign_server_is_not_there)
{
    const struct ekb_stage_control control = {0};
    struct ekb_fail fail = {0};
    arms[0].target = wire_free_port();
    client.num_arms = 1;

    const enum ekb_err err = ekb_stage_run(&stage, NULL, &client, &long_timeline, &control, &fail);

    cr_expect_eq(err, EKB_CONNECT_REFUSED, "%s", ekb_err_name(err));
    cr_expect_null(stage.server.tally);
    expect_no_children();
}

Test(stage, needs_descriptors_for_all_connections)
{
    struct meddling meddling = {0};
    struct ekb_fail fail = {0};
    const struct rlimit few = {.rlim_cur = 100, .rlim_max = 100};
    // Root may raise the hard limit again, anybody else may not.
    store_fixture_deinit(&stores);
    cr_assert(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);

    const enum ekb_err err = run(&timeline, &meddling, &fail);

    cr_expect_eq(err, EKB_DESCRIPTORS, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "100") != NULL, "%s", fail.detail);
    cr_expect_eq(listeners[0].fd, -1, "the listeners are left open");
    expect_no_children();
}

Test(stage, may_be_released_when_zeroed)
{
    struct ekb_stage none = {0};

    ekb_stage_deinit(&none);
}

Test(stage, shares_the_machine_fairly_when_there_are_two_cpus)
{
    struct meddling meddling = {0};
    int cpus[2];
    if (ekb_worker_cpus(cpus, 2) < 2) {
        cr_skip_test("there is one CPU only");
    }

    cr_assert_eq(run(&timeline, &meddling, NULL), EKB_OK);

    cr_expect_geq(stage.server.cpus[0], 0);
    cr_expect_geq(stage.client.cpus[0], 0);
    cr_expect_neq(stage.server.cpus[0], stage.client.cpus[0]);
    cr_expect_gt(stage.server.memory_peak_bytes, 0);
}

// Workers that are pinned to one CPU can be busy on one only.
Test(stage, counts_the_cpus_on_which_workers_can_run)
{
    const struct ekb_stage_side apart = {.num_workers = 3, .cpus = {0, 1, 2}};
    const struct ekb_stage_side together = {.num_workers = 3, .cpus = {1, 0, 1}};
    const struct ekb_stage_side free_ones = {.num_workers = 2,
                                             .cpus = {EKB_WORKER_UNPINNED, EKB_WORKER_UNPINNED}};
    const struct ekb_stage_side none = {.num_workers = 0};
    cr_expect_eq(ekb_stage_num_cpus(&apart), 3u);
    cr_expect_eq(ekb_stage_num_cpus(&together), 2u);
    cr_expect_eq(ekb_stage_num_cpus(&free_ones), 2u);
    cr_expect_eq(ekb_stage_num_cpus(&none), 0u);
}
