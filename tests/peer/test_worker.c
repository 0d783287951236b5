#include "ekubench/peer/worker.h"

#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS (10 * EKB_NS_PER_S)

TestSuite(worker, .timeout = 60);

// What a worker leaves for its parent to see.
struct shared {
    pid_t pid;
    cpu_set_t cpus;
    int last_command;
};

static struct shared *make_shared(void)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(shared, MAP_FAILED);
    return shared;
}

static struct ekb_worker spawn(int cpu, ekb_worker_body *body, void *context)
{
    struct ekb_worker worker = {.control_fd = -1, .ended = true};
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_worker_spawn(&worker, cpu, body, context, &fail), EKB_OK, "%s", fail.detail);
    return worker;
}

static void await_ready(struct ekb_worker *worker)
{
    const uint64_t until_ns = ekb_clock_now_ns() + PATIENCE_NS;
    while (!worker->ready && !worker->ended && ekb_clock_now_ns() < until_ns) {
        ekb_worker_update(worker, 1, 100 * EKB_NS_PER_MS);
    }
    cr_assert(worker->ready, "it does not get ready: %s", worker->fail.detail);
}

// Bodies.

static enum ekb_err end_at_once(void *context, int control_fd, void (*ready)(void *),
                                void *ready_context, struct ekb_fail *reterr_fail)
{
    struct shared *shared = context;
    (void)control_fd;
    (void)reterr_fail;
    if (shared != NULL) {
        shared->pid = getpid();
        CPU_ZERO(&shared->cpus);
        (void)sched_getaffinity(0, sizeof shared->cpus, &shared->cpus);
    }
    ready(ready_context);
    return EKB_OK;
}

static enum ekb_err fail_with_detail(void *context, int control_fd, void (*ready)(void *),
                                     void *ready_context, struct ekb_fail *reterr_fail)
{
    (void)context;
    (void)control_fd;
    (void)ready;
    (void)ready_context;
    return ekb_fail_set(reterr_fail, EKB_NO_IO_URING, EPERM, "the ring of %d", 42);
}

// obey waits for one command (or the parent's end) and remembers it.
static enum ekb_err obey(void *context, int control_fd, void (*ready)(void *), void *ready_context,
                         struct ekb_fail *reterr_fail)
{
    struct shared *shared = context;
    char byte = 0;
    (void)reterr_fail;
    shared->pid = getpid();
    ready(ready_context);
    if (recv(control_fd, &byte, 1, 0) == 1) {
        shared->last_command = byte;
    }
    return EKB_OK;
}

static enum ekb_err hang(void *context, int control_fd, void (*ready)(void *), void *ready_context,
                         struct ekb_fail *reterr_fail)
{
    struct shared *shared = context;
    (void)control_fd;
    (void)reterr_fail;
    if (shared != NULL) {
        shared->pid = getpid();
    }
    ready(ready_context);
    while (pause() != 0) {
        // Signals do not end it.
    }
    return EKB_OK;
}

static enum ekb_err abort_itself(void *context, int control_fd, void (*ready)(void *),
                                 void *ready_context, struct ekb_fail *reterr_fail)
{
    (void)context;
    (void)control_fd;
    (void)reterr_fail;
    ready(ready_context);
    (void)raise(SIGABRT);
    return EKB_OK;
}

static enum ekb_err exit_silently(void *context, int control_fd, void (*ready)(void *),
                                  void *ready_context, struct ekb_fail *reterr_fail)
{
    (void)control_fd;
    (void)ready;
    (void)ready_context;
    (void)reterr_fail;
    _exit(*(const int *)context);
}

// Reports.

Test(worker, reports_ready_and_end_when_all_is_well)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, end_at_once, NULL);

    await_ready(&worker);
    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect(worker.ended);
    cr_expect_eq(worker.fail.err, EKB_OK, "%s", worker.fail.detail);
    cr_expect_eq(worker.control_fd, -1);
}

Test(worker, runs_in_a_process_of_its_own)
{
    struct shared *shared = make_shared();
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, end_at_once, shared);

    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect_eq(shared->pid, worker.pid);
    cr_expect_neq(shared->pid, getpid());
}

Test(worker, hands_over_the_failure_when_its_body_fails)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, fail_with_detail, NULL);

    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect(!worker.ready);
    cr_expect_eq(worker.fail.err, EKB_NO_IO_URING, "%s", ekb_err_name(worker.fail.err));
    cr_expect_eq(worker.fail.sys_errno, EPERM);
    cr_expect_str_eq(worker.fail.detail, "the ring of 42");
}

// Deaths.

Test(worker, names_the_signal_when_killed)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, hang, NULL);
    await_ready(&worker);

    cr_assert_eq(kill(worker.pid, SIGKILL), 0);
    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect_eq(worker.fail.err, EKB_WORKER_DIED, "%s", ekb_err_name(worker.fail.err));
    cr_expect(strstr(worker.fail.detail, "signal 9 (Killed)") != NULL, "%s", worker.fail.detail);
}

Test(worker, names_the_signal_when_it_crashes)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, abort_itself, NULL);

    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect_eq(worker.fail.err, EKB_WORKER_DIED, "%s", ekb_err_name(worker.fail.err));
    cr_expect(strstr(worker.fail.detail, "signal 6 (Aborted)") != NULL, "%s", worker.fail.detail);
}

Test(worker, is_seen_to_be_gone_when_killed)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, hang, NULL);
    await_ready(&worker);

    cr_assert_eq(kill(worker.pid, SIGKILL), 0);
    ekb_worker_update(&worker, 1, PATIENCE_NS);

    cr_expect(worker.ended);
    cr_expect_eq(worker.fail.err, EKB_WORKER_DIED);
    ekb_worker_reap(&worker, PATIENCE_NS);
}

// "If it ended without a report, `fail` says how."
Test(worker, names_the_status_when_it_ends_without_a_report)
{
    int status = 7;
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, exit_silently, &status);

    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect_eq(worker.fail.err, EKB_WORKER_DIED, "%s", ekb_err_name(worker.fail.err));
    cr_expect(strstr(worker.fail.detail, "status 7") != NULL, "how it ended is not in: %s",
              worker.fail.detail);
}

Test(worker, died_when_it_ends_well_without_a_report)
{
    int status = 0;
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, exit_silently, &status);

    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect_eq(worker.fail.err, EKB_WORKER_DIED, "%s", ekb_err_name(worker.fail.err));
}

Test(worker, is_killed_when_it_does_not_end_in_time)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, hang, NULL);
    await_ready(&worker);

    ekb_worker_reap(&worker, 50 * EKB_NS_PER_MS);

    cr_expect_eq(worker.fail.err, EKB_WORKER_DIED, "%s", ekb_err_name(worker.fail.err));
    cr_expect_eq(kill(worker.pid, 0), -1, "it lives");
    cr_expect_eq(errno, ESRCH);
}

// The parent: it spawns a worker and waits to be killed.
Test(worker, is_gone_when_its_parent_is_killed)
{
    struct shared *shared = make_shared();
    // The orphan becomes ours to reap, so that its end can be told from a zombie.
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    const pid_t parent = fork();
    cr_assert_geq(parent, 0);
    if (parent == 0) {
        struct ekb_worker worker = {.control_fd = -1, .ended = true};
        if (ekb_worker_spawn(&worker, EKB_WORKER_UNPINNED, hang, shared, NULL) != EKB_OK) {
            _exit(1);
        }
        for (;;) {
            (void)pause();
        }
    }
    const uint64_t until_ns = ekb_clock_now_ns() + PATIENCE_NS;
    while (*(volatile pid_t *)&shared->pid == 0 && ekb_clock_now_ns() < until_ns) {
        (void)usleep(1000);
    }
    cr_assert_neq(shared->pid, 0, "the worker never began");

    cr_assert_eq(kill(parent, SIGKILL), 0);
    cr_assert_eq(waitpid(parent, NULL, 0), parent);
    const uint64_t gone_by_ns = ekb_clock_now_ns() + 2 * EKB_NS_PER_S;
    pid_t reaped;
    while ((reaped = waitpid(shared->pid, NULL, WNOHANG)) == 0 && ekb_clock_now_ns() < gone_by_ns) {
        (void)usleep(1000);
    }

    cr_expect_eq(reaped, shared->pid, "the worker lives on without its parent");
    (void)kill(shared->pid, SIGKILL);
}

// Commands and signals.

struct command_case {
    const char *name;
    void (*give)(struct ekb_worker *worker);
};

Test(worker, gets_each_command_as_another_byte)
{
    static const struct command_case cases[] = {{"go", ekb_worker_command_go},
                                                {"stop", ekb_worker_command_stop},
                                                {"abort", ekb_worker_command_abort}};
    struct shared *shared = make_shared();
    int commands[3];

    for (size_t i = 0; i < 3; i++) {
        struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, obey, shared);
        shared->last_command = 0;
        cases[i].give(&worker);
        ekb_worker_reap(&worker, PATIENCE_NS);
        cr_expect_eq(worker.fail.err, EKB_OK, "%s: %s", cases[i].name, worker.fail.detail);
        commands[i] = shared->last_command;
        cr_expect_neq(commands[i], 0, "%s did not arrive", cases[i].name);
    }

    cr_expect_neq(commands[0], commands[1]);
    cr_expect_neq(commands[1], commands[2]);
    cr_expect_neq(commands[0], commands[2]);
}

Test(worker, ignores_commands_when_it_is_gone)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, hang, NULL);
    await_ready(&worker);
    cr_assert_eq(kill(worker.pid, SIGKILL), 0);

    // No SIGPIPE, whether or not its end has been noticed.
    ekb_worker_command_stop(&worker);
    ekb_worker_update(&worker, 1, PATIENCE_NS);
    ekb_worker_command_abort(&worker);
    ekb_worker_reap(&worker, PATIENCE_NS);
    ekb_worker_command_go(&worker);

    cr_expect_eq(worker.fail.err, EKB_WORKER_DIED);
}

Test(worker, ignores_the_signals_of_the_terminal)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct shared *shared = make_shared();
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, obey, shared);
    await_ready(&worker);

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        cr_assert_eq(kill(worker.pid, signals[i]), 0);
    }
    ekb_worker_update(&worker, 1, 100 * EKB_NS_PER_MS);

    cr_expect(!worker.ended, "a signal ended it");
    ekb_worker_command_stop(&worker);
    ekb_worker_reap(&worker, PATIENCE_NS);
    cr_expect_eq(worker.fail.err, EKB_OK, "%s", worker.fail.detail);
}

// Waiting.

Test(worker, update_returns_when_time_is_over)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, hang, NULL);
    await_ready(&worker);

    const uint64_t begin_ns = ekb_clock_now_ns();
    ekb_worker_update(&worker, 1, 50 * EKB_NS_PER_MS);
    const uint64_t spent_ns = ekb_clock_now_ns() - begin_ns;

    cr_expect_geq(spent_ns, 50 * EKB_NS_PER_MS);
    cr_expect_lt(spent_ns, PATIENCE_NS);
    cr_expect(!worker.ended);
    ekb_worker_reap(&worker, 0);
}

static void do_nothing(int number)
{
    (void)number;
}

Test(worker, update_returns_when_a_signal_comes)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, hang, NULL);
    await_ready(&worker);
    struct sigaction action = {.sa_handler = do_nothing};
    const struct itimerval timer = {.it_value = {.tv_usec = 50000}};
    cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
    cr_assert_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);

    const uint64_t begin_ns = ekb_clock_now_ns();
    ekb_worker_update(&worker, 1, 30 * EKB_NS_PER_S);

    cr_expect_lt(ekb_clock_now_ns() - begin_ns, 20 * EKB_NS_PER_S);
    ekb_worker_reap(&worker, 0);
}

Test(worker, update_takes_reports_of_several)
{
    struct ekb_worker workers[3];
    for (int i = 0; i < 3; i++) {
        workers[i] = spawn(EKB_WORKER_UNPINNED, end_at_once, NULL);
    }

    const uint64_t until_ns = ekb_clock_now_ns() + PATIENCE_NS;
    while (!(workers[0].ended && workers[1].ended && workers[2].ended) &&
           ekb_clock_now_ns() < until_ns) {
        ekb_worker_update(workers, 3, 100 * EKB_NS_PER_MS);
    }

    for (int i = 0; i < 3; i++) {
        cr_expect(workers[i].ready, "worker %d", i);
        cr_expect(workers[i].ended, "worker %d", i);
        ekb_worker_reap(&workers[i], PATIENCE_NS);
    }
}

Test(worker, reap_does_nothing_when_there_is_no_worker)
{
    struct ekb_worker worker = {.control_fd = -1};

    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect_eq(worker.fail.err, EKB_OK);
}

// CPUs and memory.

Test(worker, runs_on_one_cpu_when_pinned)
{
    struct shared *shared = make_shared();
    int cpus[64];
    const int num_cpus = ekb_worker_cpus(cpus, 64);
    cr_assert_geq(num_cpus, 1);
    const int last = cpus[(num_cpus < 64 ? num_cpus : 64) - 1];

    struct ekb_worker worker = spawn(last, end_at_once, shared);
    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect_eq(CPU_COUNT(&shared->cpus), 1);
    cr_expect(CPU_ISSET((size_t)last, &shared->cpus));
}

Test(worker, may_use_all_cpus_when_unpinned)
{
    struct shared *shared = make_shared();
    cpu_set_t own;
    CPU_ZERO(&own);
    cr_assert_eq(sched_getaffinity(0, sizeof own, &own), 0);

    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, end_at_once, shared);
    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_expect(CPU_EQUAL(&own, &shared->cpus));
}

Test(worker, leaves_its_parent_unpinned)
{
    cpu_set_t before;
    cpu_set_t after;
    int cpu;
    CPU_ZERO(&before);
    CPU_ZERO(&after);
    cr_assert_geq(ekb_worker_cpus(&cpu, 1), 1);
    cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);

    struct ekb_worker worker = spawn(cpu, end_at_once, NULL);
    ekb_worker_reap(&worker, PATIENCE_NS);

    cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
    cr_expect(CPU_EQUAL(&before, &after));
}

Test(worker, cpus_counts_all_when_there_is_room_for_few)
{
    int all[CPU_SETSIZE];
    int one = -1;

    const int num_all = ekb_worker_cpus(all, CPU_SETSIZE);
    const int num_one = ekb_worker_cpus(&one, 1);
    const int num_none = ekb_worker_cpus(NULL, 0);

    cr_expect_geq(num_all, 1);
    cr_expect_eq(num_one, num_all);
    cr_expect_eq(num_none, num_all);
    cr_expect_eq(one, all[0]);
}

Test(worker, has_resident_memory_while_it_runs)
{
    struct ekb_worker worker = spawn(EKB_WORKER_UNPINNED, hang, NULL);
    await_ready(&worker);

    const uint64_t running = ekb_worker_resident_bytes(&worker);
    ekb_worker_reap(&worker, 0);
    const uint64_t gone = ekb_worker_resident_bytes(&worker);

    cr_expect_gt(running, 0);
    cr_expect_eq(gone, 0);
}
