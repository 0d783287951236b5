#include "ekubench/io/loop.h"

#include "ekubench/base/clock.h"
#include "ekubench/io/net.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SEEN 4096
#define A_LONG_TIME (5 * EKB_NS_PER_S)

// What the handler has seen.
struct seen {
    size_t num;
    struct ekb_completion all[MAX_SEEN];
};

static struct ekb_loop *loop;
static struct seen seen;

// The time limit is for what could hang.
TestSuite(loop, .timeout = 60);

static void note(void *context, const struct ekb_completion *completion)
{
    struct seen *into = context;
    cr_assert_lt(into->num, (size_t)MAX_SEEN);
    into->all[into->num++] = *completion;
}

// open_loop makes the loop, or skips the test where io_uring cannot be used.
static void open_loop(uint32_t num_submissions, uint32_t num_completions)
{
    const struct ekb_loop_options options = {.num_submissions = num_submissions,
                                             .num_completions = num_completions};
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_loop_create(&loop, &options, &fail);
    if (err == EKB_NO_IO_URING) {
        cr_skip_test("io_uring cannot be used here: %s", fail.detail);
    }
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

static void run_once(uint64_t wait_ns)
{
    const enum ekb_err err = ekb_loop_run(loop, wait_ns, note, &seen);
    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
}

// run_until runs the loop until `num` completions have been seen.
static void run_until(size_t num)
{
    const uint64_t end_ns = ekb_clock_now_ns() + 30 * EKB_NS_PER_S;
    while (seen.num < num) {
        cr_assert_lt(ekb_clock_now_ns(), end_ns, "%zu completions, not %zu", seen.num, num);
        run_once(EKB_NS_PER_S);
    }
}

static struct ekb_op_tag tag_of(enum ekb_op op, uint32_t slot)
{
    return (struct ekb_op_tag){.op = op, .slot = slot, .generation = 1};
}

// completion_of returns the only completion with operation `op`.
static const struct ekb_completion *completion_of(enum ekb_op op)
{
    const struct ekb_completion *found = NULL;
    for (size_t i = 0; i < seen.num; i++) {
        if (seen.all[i].tag.op == op) {
            cr_assert_null(found, "operation %d completed twice", (int)op);
            found = &seen.all[i];
        }
    }
    cr_assert_not_null(found, "operation %d did not complete", (int)op);
    return found;
}

static int listening(struct ekb_address *out_address)
{
    int fd = -1;
    struct ekb_address any = {0};
    cr_assert_eq(ekb_address_parse(&any, "127.0.0.1:0", NULL), EKB_OK);
    cr_assert_eq(ekb_net_listen(&fd, &any, false, NULL), EKB_OK);
    cr_assert_eq(ekb_net_local_address(out_address, fd), EKB_OK);
    return fd;
}

static int connected(const struct ekb_address *address)
{
    int fd = -1;
    cr_assert_eq(ekb_net_client_socket(&fd, AF_INET, NULL), EKB_OK);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address->storage, address->len), 0);
    return fd;
}

static void make_pair(int out_fds[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out_fds), 0);
}

static void close_all(int first, int second)
{
    ekb_loop_destroy(loop);
    (void)close(first);
    (void)close(second);
}

// Lifecycle.

Test(loop, ignores_null_when_destroyed)
{
    ekb_loop_destroy(NULL);
}

Test(loop, says_how_it_was_set_up_when_created)
{
    open_loop(5, 100);

    const char *text = ekb_loop_setup_text(loop);

    // Both are rounded up to powers of two.
    cr_expect_not_null(strstr(text, "8 sq"), "%s", text);
    cr_expect_not_null(strstr(text, "128 cq"), "%s", text);
    ekb_loop_destroy(loop);
}

Test(loop, is_capped_by_the_kernel_when_too_much_is_asked_for)
{
    open_loop(1u << 20, 1u << 20);

    ekb_loop_nop(loop, tag_of(EKB_OP_NOP, 1));
    run_until(1);

    cr_expect_eq(completion_of(EKB_OP_NOP)->result, 0);
    ekb_loop_destroy(loop);
}

Test(loop, has_no_overflow_when_created)
{
    open_loop(8, 32);

    cr_expect_eq(ekb_loop_num_overflows(loop), 0u, "%" PRIu64, ekb_loop_num_overflows(loop));
    ekb_loop_destroy(loop);
}

Test(loop, closes_its_descriptors_when_destroyed)
{
    const int before = dup(0);
    (void)close(before);
    open_loop(8, 32);

    ekb_loop_destroy(loop);

    const int after = dup(0);
    cr_expect_eq(after, before, "%d, not %d", after, before);
    (void)close(after);
}

Test(loop, cannot_be_created_when_there_are_no_descriptors)
{
    const struct ekb_loop_options options = {.num_submissions = 8, .num_completions = 32};
    struct ekb_fail fail = {0};
    open_loop(8, 32);
    ekb_loop_destroy(loop);
    loop = NULL;
    const int next = dup(0);
    const struct rlimit limit = {.rlim_cur = (rlim_t)next, .rlim_max = (rlim_t)next};
    (void)close(next);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

    const enum ekb_err err = ekb_loop_create(&loop, &options, &fail);

    cr_assert_eq(err, EKB_NO_IO_URING, "%s", ekb_err_name(err));
    cr_assert_eq(fail.sys_errno, EMFILE, "%s", strerror(fail.sys_errno));
    cr_assert_not_null(strstr(fail.detail, "ulimit -n"), "%s", fail.detail);
    cr_assert_null(loop, "the output was changed");
}

// What a child without io_uring reports.
struct refusal {
    enum ekb_err err;
    struct ekb_fail fail;
};

// refused_with creates a loop in a child whose io_uring_setup fails with `reason`.
static struct refusal refused_with(int reason)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)reason),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    const struct ekb_loop_options options = {.num_submissions = 8, .num_completions = 32};
    struct refusal refusal = {0};
    int ends[2];
    int status = 0;
    cr_assert_eq(pipe(ends), 0);
    (void)fflush(NULL);
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        struct ekb_loop *child_loop = NULL;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
            _exit(77);
        }
        refusal.err = ekb_loop_create(&child_loop, &options, &refusal.fail);
        _exit(write(ends[1], &refusal, sizeof refusal) == sizeof refusal ? 0 : 1);
    }
    (void)close(ends[1]);
    const ssize_t count = read(ends[0], &refusal, sizeof refusal);
    (void)close(ends[0]);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        cr_skip_test("no seccomp filter can be installed here");
    }
    cr_assert_eq(count, (ssize_t)sizeof refusal, "status %d", status);
    return refusal;
}

Test(loop, says_that_a_filter_or_sysctl_forbids_it_when_not_permitted)
{
    const struct refusal refusal = refused_with(EPERM);

    cr_expect_eq(refusal.err, EKB_NO_IO_URING, "%s", ekb_err_name(refusal.err));
    cr_expect_eq(refusal.fail.sys_errno, EPERM, "%s", strerror(refusal.fail.sys_errno));
    cr_expect_not_null(strstr(refusal.fail.detail, "seccomp"), "%s", refusal.fail.detail);
    cr_expect_not_null(strstr(refusal.fail.detail, "kernel.io_uring_disabled"), "%s",
                       refusal.fail.detail);
}

Test(loop, says_which_linux_it_needs_when_missing)
{
    const struct refusal refusal = refused_with(ENOSYS);

    cr_expect_eq(refusal.err, EKB_NO_IO_URING, "%s", ekb_err_name(refusal.err));
    cr_expect_eq(refusal.fail.sys_errno, ENOSYS, "%s", strerror(refusal.fail.sys_errno));
    cr_expect_not_null(strstr(refusal.fail.detail, "5.19"), "%s", refusal.fail.detail);
}

Test(loop, says_that_the_kernel_is_too_old_when_every_setup_is_invalid)
{
    const struct refusal refusal = refused_with(EINVAL);

    cr_expect_eq(refusal.err, EKB_NO_IO_URING, "%s", ekb_err_name(refusal.err));
    cr_expect_not_null(strstr(refusal.fail.detail, "too old"), "%s", refusal.fail.detail);
}

Test(loop, says_what_to_raise_when_memory_may_not_be_locked)
{
    const struct refusal refusal = refused_with(ENOMEM);

    cr_expect_eq(refusal.err, EKB_NO_IO_URING, "%s", ekb_err_name(refusal.err));
    cr_expect_not_null(strstr(refusal.fail.detail, "ulimit -l"), "%s", refusal.fail.detail);
}

// Running.

Test(loop, completes_a_nop_when_run)
{
    open_loop(8, 32);
    ekb_loop_nop(loop, tag_of(EKB_OP_NOP, 5));

    run_once(A_LONG_TIME);

    cr_assert_eq(seen.num, 1u, "%zu", seen.num);
    cr_expect_eq(seen.all[0].result, 0, "%d", seen.all[0].result);
    cr_expect_not(seen.all[0].more);
    ekb_loop_destroy(loop);
}

Test(loop, submits_nothing_when_not_run)
{
    int fds[2];
    char byte = 0;
    make_pair(fds);
    open_loop(8, 32);

    ekb_loop_send(loop, tag_of(EKB_OP_SEND, 0), fds[0], "x", 1);

    cr_assert_eq(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
    cr_assert_eq(errno, EAGAIN);
    close_all(fds[0], fds[1]);
}

Test(loop, completes_what_is_ready_when_it_does_not_wait)
{
    open_loop(8, 32);
    ekb_loop_nop(loop, tag_of(EKB_OP_NOP, 5));

    run_once(0);

    cr_assert_eq(seen.num, 1u, "%zu", seen.num);
    ekb_loop_destroy(loop);
}

Test(loop, gives_the_tag_back_when_completing)
{
    static const struct ekb_op_tag tags[] = {
        {EKB_OP_NOP, 0, 0},
        {EKB_OP_NOP, UINT32_MAX, EKB_OP_GENERATION_MASK},
        {EKB_OP_CONTROL, 12345, 0x800001},
    };
    open_loop(8, 32);
    for (size_t i = 0; i < 3; i++) {
        ekb_loop_nop(loop, tags[i]);
    }

    run_until(3);

    for (size_t i = 0; i < 3; i++) {
        const struct ekb_op_tag *got = &seen.all[i].tag;
        cr_expect(got->op == tags[i].op && got->slot == tags[i].slot &&
                      got->generation == tags[i].generation,
                  "%zu: %d, %" PRIu32 ", %" PRIu32, i, (int)got->op, got->slot, got->generation);
    }
    ekb_loop_destroy(loop);
}

Test(loop, returns_when_nothing_completes_in_time)
{
    const uint64_t wait_ns = 30 * EKB_NS_PER_MS;
    open_loop(8, 32);
    const uint64_t begin_ns = ekb_clock_now_ns();

    run_once(wait_ns);

    const uint64_t waited_ns = ekb_clock_now_ns() - begin_ns;
    cr_expect_geq(waited_ns, wait_ns * 9 / 10, "%" PRIu64 " ns", waited_ns);
    cr_expect_eq(seen.num, 0u, "%zu", seen.num);
    ekb_loop_destroy(loop);
}

Test(loop, returns_at_once_when_it_does_not_wait_and_nothing_is_there)
{
    int fds[2];
    char byte;
    make_pair(fds);
    open_loop(8, 32);
    ekb_loop_recv(loop, tag_of(EKB_OP_RECV, 0), fds[0], &byte, 1, EKB_RECV_NOW);

    run_once(0);

    cr_expect_eq(seen.num, 0u, "%zu", seen.num);
    close_all(fds[0], fds[1]);
}

static volatile sig_atomic_t num_signals;

static void count_signal(int number)
{
    (void)number;
    num_signals++;
}

Test(loop, returns_without_error_when_a_signal_comes)
{
    const struct sigaction action = {.sa_handler = count_signal};
    const struct itimerval timer = {.it_value = {.tv_usec = 20000}};
    open_loop(8, 32);
    cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
    cr_assert_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);

    // Longer than the test's time limit.
    const enum ekb_err err = ekb_loop_run(loop, 600 * EKB_NS_PER_S, note, &seen);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_eq(num_signals, 1, "%d", (int)num_signals);
    ekb_loop_destroy(loop);
}

static void chain_nops(void *context, const struct ekb_completion *completion)
{
    note(context, completion);
    if (completion->tag.slot < 99) {
        ekb_loop_nop(loop, tag_of(EKB_OP_NOP, completion->tag.slot + 1));
    }
}

Test(loop, completes_what_the_handler_has_queued_when_run_again)
{
    open_loop(8, 32);
    ekb_loop_nop(loop, tag_of(EKB_OP_NOP, 0));

    for (int i = 0; i < 1000 && seen.num < 100; i++) {
        cr_assert_eq(ekb_loop_run(loop, A_LONG_TIME, chain_nops, &seen), EKB_OK);
    }

    cr_assert_eq(seen.num, 100u, "%zu", seen.num);
    ekb_loop_destroy(loop);
}

// assert_each_once asserts that each of slots 0 to `num` - 1 has completed once.
static void assert_each_once(uint32_t num)
{
    bool done[MAX_SEEN] = {false};
    cr_assert_eq(seen.num, num, "%zu, not %" PRIu32, seen.num, num);
    for (size_t i = 0; i < seen.num; i++) {
        const uint32_t slot = seen.all[i].tag.slot;
        cr_assert(slot < num && !done[slot], "slot %" PRIu32, slot);
        done[slot] = true;
    }
}

// What the handlers of a turn have queued waits for its end: it is not to wait for hundreds.
Test(loop, hands_over_no_more_than_a_batch_when_more_is_there)
{
    const uint32_t num = 2 * EKB_LOOP_BATCH + 3;
    open_loop(64, 256);
    for (uint32_t slot = 0; slot < num; slot++) {
        ekb_loop_nop(loop, tag_of(EKB_OP_NOP, slot));
    }

    run_once(A_LONG_TIME);
    cr_expect_eq(seen.num, (size_t)EKB_LOOP_BATCH, "%zu", seen.num);
    // The rest is there: nothing has to be waited for.
    run_once(0);
    cr_expect_eq(seen.num, (size_t)2 * EKB_LOOP_BATCH, "%zu", seen.num);
    run_once(0);

    assert_each_once(num);
    ekb_loop_destroy(loop);
}

Test(loop, completes_all_when_more_is_queued_than_the_submission_queue_holds)
{
    open_loop(4, 1024);

    for (uint32_t slot = 0; slot < 500; slot++) {
        ekb_loop_nop(loop, tag_of(EKB_OP_NOP, slot));
    }
    run_until(500);

    assert_each_once(500);
    cr_expect_eq(ekb_loop_num_overflows(loop), 0u, "%" PRIu64, ekb_loop_num_overflows(loop));
    ekb_loop_destroy(loop);
}

Test(loop, completes_all_when_more_completes_than_the_completion_queue_holds)
{
    open_loop(4, 8);

    for (uint32_t slot = 0; slot < 500; slot++) {
        ekb_loop_nop(loop, tag_of(EKB_OP_NOP, slot));
    }
    run_until(500);

    assert_each_once(500);
    ekb_loop_destroy(loop);
}

Test(loop, counts_overflows_when_more_completes_than_the_completion_queue_holds)
{
    open_loop(4, 8);
    for (uint32_t slot = 0; slot < 500; slot++) {
        ekb_loop_nop(loop, tag_of(EKB_OP_NOP, slot));
    }

    run_until(500);

    cr_expect_gt(ekb_loop_num_overflows(loop), 0u, "%" PRIu64, ekb_loop_num_overflows(loop));
    ekb_loop_destroy(loop);
}

// Receiving and sending.

Test(loop, receives_what_is_there_when_asked)
{
    static const enum ekb_recv_hint hints[] = {EKB_RECV_NOW, EKB_RECV_LATER};
    int fds[2];
    make_pair(fds);
    open_loop(8, 32);
    for (size_t i = 0; i < 2; i++) {
        char buffer[16] = {0};
        seen.num = 0;
        cr_assert_eq(write(fds[1], "hello", 5), 5);

        ekb_loop_recv(loop, tag_of(EKB_OP_RECV, 3), fds[0], buffer, sizeof buffer, hints[i]);
        run_until(1);

        cr_expect_eq(completion_of(EKB_OP_RECV)->result, 5, "hint %zu: %d", i, seen.all[0].result);
        cr_expect_str_eq(buffer, "hello", "%s", buffer);
    }
    close_all(fds[0], fds[1]);
}

Test(loop, receives_what_comes_later_when_asked_before)
{
    static const enum ekb_recv_hint hints[] = {EKB_RECV_NOW, EKB_RECV_LATER};
    int fds[2];
    make_pair(fds);
    open_loop(8, 32);
    for (size_t i = 0; i < 2; i++) {
        char buffer[16] = {0};
        seen.num = 0;
        ekb_loop_recv(loop, tag_of(EKB_OP_RECV, 3), fds[0], buffer, sizeof buffer, hints[i]);
        run_once(0);
        cr_assert_eq(seen.num, 0u, "hint %zu", i);

        cr_assert_eq(write(fds[1], "later", 5), 5);
        run_until(1);

        cr_expect_eq(completion_of(EKB_OP_RECV)->result, 5, "hint %zu: %d", i, seen.all[0].result);
        cr_expect_str_eq(buffer, "later", "%s", buffer);
    }
    close_all(fds[0], fds[1]);
}

Test(loop, receives_no_more_than_fits_when_more_is_there)
{
    int fds[2];
    char buffer[4] = "@@@";
    make_pair(fds);
    open_loop(8, 32);
    cr_assert_eq(write(fds[1], "hello", 5), 5);

    ekb_loop_recv(loop, tag_of(EKB_OP_RECV, 3), fds[0], buffer, 2, EKB_RECV_NOW);
    run_until(1);

    cr_expect_eq(seen.all[0].result, 2, "%d", seen.all[0].result);
    cr_expect_str_eq(buffer, "he@", "%s", buffer);
    close_all(fds[0], fds[1]);
}

Test(loop, receives_zero_when_the_peer_has_closed)
{
    int fds[2];
    char byte;
    make_pair(fds);
    open_loop(8, 32);
    cr_assert_eq(shutdown(fds[1], SHUT_WR), 0);

    ekb_loop_recv(loop, tag_of(EKB_OP_RECV, 3), fds[0], &byte, 1, EKB_RECV_LATER);
    run_until(1);

    cr_expect_eq(seen.all[0].result, 0, "%d", seen.all[0].result);
    close_all(fds[0], fds[1]);
}

Test(loop, receives_an_error_when_the_descriptor_is_none)
{
    char byte;
    open_loop(8, 32);

    ekb_loop_recv(loop, tag_of(EKB_OP_RECV, 3), -1, &byte, 1, EKB_RECV_NOW);
    run_until(1);

    cr_expect_eq(seen.all[0].result, -EBADF, "%d", seen.all[0].result);
    ekb_loop_destroy(loop);
}

Test(loop, sends_all_when_the_peer_is_slow)
{
    enum {
        BIG = 4 << 20
    };
    int fds[2];
    char *out = malloc(BIG);
    char *in = malloc(BIG);
    size_t got = 0;
    make_pair(fds);
    open_loop(8, 32);
    for (size_t i = 0; i < BIG; i++) {
        out[i] = (char)(i * 31 >> 4);
    }

    ekb_loop_send(loop, tag_of(EKB_OP_SEND, 3), fds[0], out, BIG);
    while (got < BIG) {
        run_once(0);
        const ssize_t count = recv(fds[1], in + got, BIG - got, MSG_DONTWAIT);
        cr_assert(count > 0 || errno == EAGAIN, "%s", strerror(errno));
        got += count > 0 ? (size_t)count : 0;
    }
    run_until(1);

    cr_expect_eq(completion_of(EKB_OP_SEND)->result, BIG, "%d", seen.all[0].result);
    cr_expect_eq(memcmp(in, out, BIG), 0);
    free(out);
    free(in);
    close_all(fds[0], fds[1]);
}

Test(loop, fails_without_a_signal_when_sending_to_a_closed_peer)
{
    int fds[2];
    make_pair(fds);
    open_loop(8, 32);
    (void)close(fds[1]);

    ekb_loop_send(loop, tag_of(EKB_OP_SEND, 3), fds[0], "x", 1);
    run_until(1);

    cr_expect_eq(seen.all[0].result, -EPIPE, "%d", seen.all[0].result);
    close_all(fds[0], -1);
}

// Cancelling.

Test(loop, ends_a_pending_receive_when_cancelled)
{
    int fds[2];
    char byte;
    const struct ekb_op_tag target = {EKB_OP_RECV, 77, 0xabcdef};
    make_pair(fds);
    open_loop(8, 32);
    ekb_loop_recv(loop, target, fds[0], &byte, 1, EKB_RECV_NOW);
    run_once(0);
    cr_assert_eq(seen.num, 0u);

    ekb_loop_cancel(loop, target);
    run_until(2);

    const struct ekb_completion *received = completion_of(EKB_OP_RECV);
    const struct ekb_completion *cancelled = completion_of(EKB_OP_CANCEL);
    cr_expect_eq(received->result, -ECANCELED, "%d", received->result);
    cr_expect_eq(received->tag.slot, 77u);
    cr_expect_eq(received->tag.generation, 0xabcdefu);
    cr_expect_eq(cancelled->result, 0, "%d", cancelled->result);
    cr_expect_eq(cancelled->tag.slot, 77u, "%" PRIu32, cancelled->tag.slot);
    cr_expect_eq(cancelled->tag.generation, 0xabcdefu, "%" PRIx32, cancelled->tag.generation);
    close_all(fds[0], fds[1]);
}

Test(loop, leaves_operations_of_other_generations_alone_when_cancelling)
{
    int fds[2];
    char byte;
    make_pair(fds);
    open_loop(8, 32);
    ekb_loop_recv(loop, (struct ekb_op_tag){EKB_OP_RECV, 77, 2}, fds[0], &byte, 1, EKB_RECV_NOW);
    run_once(0);

    ekb_loop_cancel(loop, (struct ekb_op_tag){EKB_OP_RECV, 77, 1});
    run_until(1);

    cr_assert_eq(seen.num, 1u, "%zu", seen.num);
    cr_expect_eq(completion_of(EKB_OP_CANCEL)->result, -ENOENT, "%d", seen.all[0].result);
    close_all(fds[0], fds[1]);
}

Test(loop, only_completes_the_request_when_there_is_nothing_to_cancel)
{
    open_loop(8, 32);

    ekb_loop_cancel(loop, tag_of(EKB_OP_SEND, 4));
    run_until(1);

    const struct ekb_completion *cancelled = completion_of(EKB_OP_CANCEL);
    cr_expect_eq(cancelled->result, -ENOENT, "%d", cancelled->result);
    cr_expect_eq(cancelled->tag.slot, 4u, "%" PRIu32, cancelled->tag.slot);
    ekb_loop_destroy(loop);
}

// Connecting and accepting.

Test(loop, accepts_several_connections_when_asked_once)
{
    enum {
        MANY = 5
    };
    int clients[MANY];
    struct ekb_address address;
    const int fd = listening(&address);
    open_loop(8, 32);
    ekb_loop_accept(loop, tag_of(EKB_OP_ACCEPT, 2), fd);
    run_once(0);

    for (int i = 0; i < MANY; i++) {
        clients[i] = connected(&address);
        run_until((size_t)i + 1);
    }

    for (size_t i = 0; i < MANY; i++) {
        cr_expect_geq(seen.all[i].result, 0, "%zu: %d", i, seen.all[i].result);
        cr_expect(seen.all[i].more, "%zu", i);
        cr_expect_eq(seen.all[i].tag.slot, 2u);
        (void)close(seen.all[i].result);
        (void)close(clients[i]);
    }
    close_all(fd, -1);
}

Test(loop, accepts_what_has_queued_up_when_asked_afterwards)
{
    int clients[3];
    struct ekb_address address;
    const int fd = listening(&address);
    open_loop(8, 32);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = connected(&address);
    }

    ekb_loop_accept(loop, tag_of(EKB_OP_ACCEPT, 2), fd);
    run_until(3);

    for (size_t i = 0; i < 3; i++) {
        cr_expect_geq(seen.all[i].result, 0, "%zu: %d", i, seen.all[i].result);
        (void)close(seen.all[i].result);
        (void)close(clients[i]);
    }
    close_all(fd, -1);
}

Test(loop, accepts_again_when_cancelled_and_asked_again)
{
    struct ekb_address address;
    const struct ekb_op_tag tag = tag_of(EKB_OP_ACCEPT, 2);
    const int fd = listening(&address);
    open_loop(8, 32);
    ekb_loop_accept(loop, tag, fd);
    run_once(0);
    ekb_loop_cancel(loop, tag);
    run_until(2);
    cr_assert_eq(completion_of(EKB_OP_ACCEPT)->result, -ECANCELED);
    cr_assert_not(completion_of(EKB_OP_ACCEPT)->more);
    seen.num = 0;

    ekb_loop_accept(loop, tag, fd);
    const int client = connected(&address);
    run_until(1);

    cr_expect_geq(seen.all[0].result, 0, "%d", seen.all[0].result);
    (void)close(seen.all[0].result);
    (void)close(client);
    close_all(fd, -1);
}

// The kernel reads the limit when the operation is submitted.
Test(loop, stops_accepting_until_asked_again_when_there_are_no_descriptors)
{
    struct ekb_address address;
    struct rlimit limit;
    const struct ekb_op_tag tag = tag_of(EKB_OP_ACCEPT, 2);
    const int fd = listening(&address);
    const int client = connected(&address);
    open_loop(8, 32);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ekb_loop_accept(loop, tag, fd);

    run_until(1);

    cr_expect_eq(seen.all[0].result, -EMFILE, "%d", seen.all[0].result);
    cr_expect_not(seen.all[0].more);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    seen.num = 0;
    ekb_loop_accept(loop, tag, fd);
    run_until(1);
    cr_expect_geq(seen.all[0].result, 0, "%d", seen.all[0].result);
    (void)close(seen.all[0].result);
    (void)close(client);
    close_all(fd, -1);
}

Test(loop, connects_when_someone_listens)
{
    int client = -1;
    struct ekb_address address;
    const int fd = listening(&address);
    open_loop(8, 32);
    cr_assert_eq(ekb_net_client_socket(&client, AF_INET, NULL), EKB_OK);

    ekb_loop_connect(loop, tag_of(EKB_OP_CONNECT, 3), client,
                     (const struct sockaddr *)&address.storage, address.len);
    run_until(1);

    cr_expect_eq(completion_of(EKB_OP_CONNECT)->result, 0, "%d", seen.all[0].result);
    close_all(fd, client);
}

Test(loop, is_refused_when_nobody_listens)
{
    int client = -1;
    struct ekb_address address;
    (void)close(listening(&address));
    open_loop(8, 32);
    cr_assert_eq(ekb_net_client_socket(&client, AF_INET, NULL), EKB_OK);

    ekb_loop_connect(loop, tag_of(EKB_OP_CONNECT, 3), client,
                     (const struct sockaddr *)&address.storage, address.len);
    run_until(1);

    cr_expect_eq(completion_of(EKB_OP_CONNECT)->result, -ECONNREFUSED, "%d", seen.all[0].result);
    close_all(client, -1);
}
