// What the event loop costs by itself: operations that do nothing, in batches of several sizes, and
// a byte sent and received over a socket pair. The clock read, of which there is one a step, for
// comparison.

#include "bench.h"

#include "ekubench/base/clock.h"
#include "ekubench/io/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPERATIONS 4096

static uint64_t num_completed;

static void count(void *context, const struct ekb_completion *completion)
{
    (void)context;
    num_completed += completion->result >= 0 ? 1 : 0;
}

static void turn(struct ekb_loop *loop, uint64_t until)
{
    while (num_completed < until) {
        if (ekb_loop_run(loop, EKB_NS_PER_S, count, NULL) != EKB_OK) {
            exit(3);
        }
    }
}

static double run_nops(struct ekb_loop *loop, unsigned batch)
{
    const uint64_t begin_ns = ekb_clock_now_ns();
    for (unsigned done = 0; done < OPERATIONS; done += batch) {
        for (unsigned i = 0; i < batch; i++) {
            ekb_loop_nop(loop, (struct ekb_op_tag){.op = EKB_OP_NOP});
        }
        turn(loop, num_completed + batch);
    }
    return (double)(ekb_clock_now_ns() - begin_ns) / OPERATIONS;
}

static double run_bytes(struct ekb_loop *loop, const int pair[2])
{
    char out = 'K';
    char in = 0;
    const uint64_t begin_ns = ekb_clock_now_ns();
    for (unsigned done = 0; done < OPERATIONS; done++) {
        ekb_loop_send(loop, (struct ekb_op_tag){.op = EKB_OP_SEND}, pair[0], &out, 1);
        ekb_loop_recv(loop, (struct ekb_op_tag){.op = EKB_OP_RECV}, pair[1], &in, 1, EKB_RECV_NOW);
        turn(loop, num_completed + 2);
    }
    return (double)(ekb_clock_now_ns() - begin_ns) / OPERATIONS;
}

static double run_clock(void)
{
    const uint64_t begin_ns = ekb_clock_now_ns();
    for (unsigned i = 0; i < OPERATIONS; i++) {
        (void)ekb_clock_now_ns();
    }
    return (double)(ekb_clock_now_ns() - begin_ns) / OPERATIONS;
}

int main(int argc, char **argv)
{
    enum {
        NUM_ROWS = 5
    };
    static const char *const names[NUM_ROWS] = {"nop, 1 at a time", "nop, 16 at a time",
                                                "nop, 128 at a time", "byte sent and received",
                                                "clock read"};
    static double spent[NUM_ROWS][BENCH_MAX_ROUNDS];
    const size_t num_rounds = bench_rounds(argc, argv, 50);
    const struct ekb_loop_options options = {.num_submissions = 256, .num_completions = 1024};
    struct ekb_loop *loop = NULL;
    struct ekb_fail fail;
    struct ekb_rng rng;
    int pair[2];

    if (ekb_loop_create(&loop, &options, &fail) != EKB_OK) {
        char text[512];
        ekb_fail_text(text, sizeof text, &fail);
        (void)fprintf(stderr, "bench_loop: %s\n", text);
        return 3;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return 3;
    }
    ekb_rng_init(&rng, 1);
    for (size_t round = 0; round < num_rounds; round++) {
        uint16_t order[NUM_ROWS] = {0, 1, 2, 3, 4};
        ekb_rng_shuffle(&rng, order, NUM_ROWS);
        for (size_t i = 0; i < NUM_ROWS; i++) {
            static const unsigned batches[] = {1, 16, 128};
            const uint16_t row = order[i];
            spent[row][round] = row < 3   ? run_nops(loop, batches[row])
                                : row < 4 ? run_bytes(loop, pair)
                                          : run_clock();
        }
    }
    (void)printf("event loop (%s); ns per operation, median over %zu rounds (least)\n",
                 ekb_loop_setup_text(loop), num_rounds);
    for (int row = 0; row < NUM_ROWS; row++) {
        const double median = bench_median(spent[row], num_rounds);
        (void)printf("%-24s %8.1f (%.1f)\n", names[row], median, spent[row][0]);
    }
    (void)close(pair[0]);
    (void)close(pair[1]);
    ekb_loop_destroy(loop);
    return 0;
}
