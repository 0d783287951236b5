// Our own code allocates nothing per connection: the sources of tls, io and peer are compiled into
// this program with malloc and its kin renamed to counters (tests/CMakeLists.txt), and a server and
// a client worker handshake hundreds of times.

// Here the real ones are meant.
#undef malloc
#undef calloc
#undef realloc

#include "ekubench/base/clock.h"
#include "ekubench/io/loop.h"
#include "ekubench/peer/client.h"
#include "ekubench/peer/server.h"
#include "ekubench/peer/worker.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/store/store.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// In memory shared by the processes: allocations in all, and at the moment when a worker was ready.
struct counts {
    uint64_t all;
    uint64_t at_ready;
};

static struct counts *counts; // Of the process that is running: [0] server, [1] client.

void *ekb_counted_malloc(size_t size);
void *ekb_counted_calloc(size_t num_items, size_t item_len);
void *ekb_counted_realloc(void *pointer, size_t size);

static void count(void)
{
    if (counts != NULL) {
        counts->all++;
    }
}

void *ekb_counted_malloc(size_t size)
{
    count();
    return malloc(size);
}

void *ekb_counted_calloc(size_t num_items, size_t item_len)
{
    count();
    return calloc(num_items, item_len);
}

void *ekb_counted_realloc(void *pointer, size_t size)
{
    count();
    return realloc(pointer, size);
}

struct setup {
    struct counts *shared; // Two.
    struct ekb_server_options server;
    struct ekb_client_options client;
    void (*ready)(void *);
    void *ready_context;
};

static void note_ready(void *context)
{
    struct setup *setup = context;
    counts->at_ready = counts->all;
    setup->ready(setup->ready_context);
}

static enum ekb_err server_body(void *context, int control_fd, void (*ready)(void *),
                                void *ready_context, struct ekb_fail *reterr_fail)
{
    struct setup *setup = context;
    counts = &setup->shared[0];
    setup->ready = ready;
    setup->ready_context = ready_context;
    return ekb_server_run(&setup->server, control_fd, note_ready, setup, reterr_fail);
}

static enum ekb_err client_body(void *context, int control_fd, void (*ready)(void *),
                                void *ready_context, struct ekb_fail *reterr_fail)
{
    struct setup *setup = context;
    counts = &setup->shared[1];
    setup->ready = ready;
    setup->ready_context = ready_context;
    return ekb_client_run(&setup->client, control_fd, note_ready, setup, reterr_fail);
}

static void fill_store(const char *path)
{
    struct ekb_hierarchy *hierarchy = NULL;
    cr_assert(eq(
        int,
        ekb_hierarchy_create(&hierarchy, EKB_KEY_P256, FIXTURE_NOT_BEFORE, FIXTURE_NOT_AFTER, NULL),
        EKB_OK));
    const struct ekb_mint_leaf spec = {.common_name = "node",
                                       .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        struct ekb_identity identity = {0};
        cr_assert(eq(int,
                     ekb_hierarchy_issue(&identity.chain, &identity.key, hierarchy, 2, &spec, NULL),
                     EKB_OK));
        cr_assert(eq(int,
                     ekb_store_write_identity(path, (enum ekb_store_side)side, &identity, NULL),
                     EKB_OK));
        ekb_chain_destroy(identity.chain);
        ekb_key_destroy(identity.key);
    }
    cr_assert(eq(int, ekb_store_write_trust(path, ekb_hierarchy_root(hierarchy), NULL), EKB_OK));
    ekb_hierarchy_destroy(hierarchy);
}

static void skip_without_io_uring(void)
{
    const struct ekb_loop_options options = {.num_submissions = 8, .num_completions = 16};
    struct ekb_loop *loop = NULL;
    if (ekb_loop_create(&loop, &options, NULL) == EKB_NO_IO_URING) {
        cr_skip_test("io_uring is forbidden here");
    }
    ekb_loop_destroy(loop);
}

static void await(struct ekb_worker *worker, const bool *flag)
{
    for (int i = 0; i < 300 && !*flag; i++) {
        ekb_worker_update(worker, 1, 100 * EKB_NS_PER_MS);
    }
    cr_assert(eq(int, *flag ? 1 : 0, 1));
}

Test(allocations, nothing_is_allocated_by_our_code_once_the_workers_are_ready)
{
    enum {
        HANDSHAKES = 300
    };
    skip_without_io_uring();
    struct fixture_dir dir = {0};
    fixture_dir_init(&dir);
    fill_store(dir.path);
    struct setup *setup =
        mmap(NULL, sizeof *setup, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct ekb_timeline *timeline =
        mmap(NULL, sizeof *timeline, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    setup->shared = mmap(NULL, 2 * sizeof setup->shared[0], PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *timeline = (struct ekb_timeline){
        .origin_ns = UINT64_MAX / 2, .slice_ns = 20 * EKB_NS_PER_S, .num_slices = 1};
    const uint8_t expect = 1;
    struct ekb_tally *tallies[2] = {0};
    cr_assert(eq(int, ekb_tally_create(&tallies[0], 1, 1, 0), EKB_OK));
    cr_assert(eq(int, ekb_tally_create(&tallies[1], 1, 1, 0), EKB_OK));
    struct ekb_listener listener = {.policy = ekb_policy_default(), .version = EKB_TLS_ANY};
    cr_assert(eq(int, ekb_address_parse(&listener.address, "127.0.0.1:0", NULL), EKB_OK));
    setup->server = (struct ekb_server_options){.store_path = dir.path,
                                                .listeners = &listener,
                                                .num_listeners = 1,
                                                .max_connections = 64,
                                                .deadline_ns = 10 * EKB_NS_PER_S,
                                                .timeline = timeline,
                                                .tally = tallies[0],
                                                .expect = &expect};
    cr_assert(eq(int, ekb_server_open(&setup->server, NULL), EKB_OK));
    const struct ekb_client_arm arm = {.target = listener.address,
                                       .store_path = dir.path,
                                       .version = EKB_TLS_ANY,
                                       .kind = EKB_CLIENT_FULL,
                                       .expect = EKB_EXPECT_ACCEPT};
    setup->client = (struct ekb_client_options){.arms = &arm,
                                                .num_arms = 1,
                                                .in_flight = 20,
                                                .max_starts = HANDSHAKES,
                                                .deadline_ns = 10 * EKB_NS_PER_S,
                                                .timeline = timeline,
                                                .tally = tallies[1]};
    struct ekb_worker server;
    struct ekb_worker client;

    cr_assert(
        eq(int, ekb_worker_spawn(&server, EKB_WORKER_UNPINNED, server_body, setup, NULL), EKB_OK));
    await(&server, &server.ready);
    cr_assert(
        eq(int, ekb_worker_spawn(&client, EKB_WORKER_UNPINNED, client_body, setup, NULL), EKB_OK));
    await(&client, &client.ready);
    timeline->origin_ns = ekb_clock_now_ns();
    ekb_worker_command_go(&client);
    await(&client, &client.ended);
    ekb_worker_reap(&client, 10 * EKB_NS_PER_S);
    ekb_worker_command_stop(&server);
    ekb_worker_reap(&server, 10 * EKB_NS_PER_S);

    cr_expect(eq(u64, tallies[1]->arms[0].accepted, HANDSHAKES));
    for (int i = 0; i < 2; i++) {
        cr_expect(gt(u64, setup->shared[i].at_ready, 0), "the counters are in place");
        cr_expect(eq(u64, setup->shared[i].all, setup->shared[i].at_ready));
    }
    ekb_server_close(&setup->server);
    ekb_tally_destroy(tallies[0]);
    ekb_tally_destroy(tallies[1]);
    fixture_dir_deinit(&dir);
}
