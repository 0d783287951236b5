#include "ekubench/peer/worker.h"

#include "ekubench/base/clock.h"
#include "peer/engine.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum report_kind {
    REPORT_READY,
    REPORT_END
};

struct report {
    enum report_kind kind;
    struct ekb_fail fail;
};

static void send_report(int fd, const struct report *report)
{
    ssize_t count;
    do {
        count = send(fd, report, sizeof *report, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
}

static void report_ready(void *context)
{
    const struct report report = {.kind = REPORT_READY};
    send_report(*(const int *)context, &report);
}

static void pin(int cpu)
{
    cpu_set_t set;
    if (cpu < 0) {
        return;
    }
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set); // The CPU is one of those we may use.
}

static void become_worker(int cpu, pid_t parent)
{
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(0); // The parent went away before prctl.
    }
    pin(cpu);
}

enum ekb_err ekb_worker_spawn(struct ekb_worker *out_worker, int cpu, ekb_worker_body *body,
                              void *context, struct ekb_fail *reterr_fail)
{
    int pair[2];
    // Sequenced packets: a report arrives whole or not at all.
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return ekb_fail_set(reterr_fail, EKB_SYSTEM, errno, "worker process");
    }
    (void)fflush(NULL); // Buffered output must not come out of both processes.
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) {
        const int reason = errno;
        (void)close(pair[0]);
        (void)close(pair[1]);
        return ekb_fail_set(reterr_fail, EKB_SYSTEM, reason, "worker process");
    }
    if (pid == 0) {
        (void)close(pair[0]);
        become_worker(cpu, parent);
        struct report report = {.kind = REPORT_END};
        const enum ekb_err err = body(context, pair[1], report_ready, &pair[1], &report.fail);
        report.fail.err = err;
        send_report(pair[1], &report);
        // exit, not _exit: a leak checker reports at exit.
        exit(err == EKB_OK ? 0 : 1);
    }
    (void)close(pair[1]);
    *out_worker = (struct ekb_worker){.pid = pid, .control_fd = pair[0]};
    return EKB_OK;
}

static void command(struct ekb_worker *worker, char byte)
{
    if (worker->control_fd >= 0 && !worker->ended) {
        (void)send(worker->control_fd, &byte, 1, MSG_NOSIGNAL);
    }
}

void ekb_worker_command_go(struct ekb_worker *worker)
{
    command(worker, EKB_CONTROL_GO);
}

void ekb_worker_command_stop(struct ekb_worker *worker)
{
    command(worker, EKB_CONTROL_STOP);
}

void ekb_worker_command_abort(struct ekb_worker *worker)
{
    command(worker, EKB_CONTROL_ABORT);
}

void ekb_worker_command_reload(struct ekb_worker *worker)
{
    command(worker, EKB_CONTROL_RELOAD);
}

static void take_report(struct ekb_worker *worker)
{
    struct report report;
    const ssize_t count = recv(worker->control_fd, &report, sizeof report, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count != (ssize_t)sizeof report) {
        worker->ended = true;
        (void)ekb_fail_set(&worker->fail, EKB_WORKER_DIED, 0, "process %d", (int)worker->pid);
    } else if (report.kind == REPORT_READY) {
        worker->ready = true;
    } else {
        worker->ended = true;
        worker->fail = report.fail;
    }
}

void ekb_worker_update(struct ekb_worker *workers, int num_workers, uint64_t wait_ns)
{
    enum {
        MAX_WORKERS = 64
    };
    struct pollfd polled[MAX_WORKERS];
    EKB_CHECK(num_workers <= MAX_WORKERS);
    for (int i = 0; i < num_workers; i++) {
        // A negative descriptor is ignored by poll.
        polled[i] =
            (struct pollfd){.fd = workers[i].ended ? -1 : workers[i].control_fd, .events = POLLIN};
    }
    const struct timespec wait = {.tv_sec = (time_t)(wait_ns / EKB_NS_PER_S),
                                  .tv_nsec = (long)(wait_ns % EKB_NS_PER_S)};
    if (ppoll(polled, (nfds_t)num_workers, &wait, NULL) <= 0) {
        return;
    }
    for (int i = 0; i < num_workers; i++) {
        if (polled[i].revents != 0) {
            take_report(&workers[i]);
        }
    }
}

static bool wait_child(pid_t pid, int *out_status, uint64_t wait_ns)
{
    const uint64_t until_ns = ekb_clock_now_ns() + wait_ns;
    for (;;) {
        const pid_t reaped = waitpid(pid, out_status, WNOHANG);
        if (reaped == pid || (reaped < 0 && errno != EINTR)) {
            return true;
        }
        if (ekb_clock_now_ns() >= until_ns) {
            return false;
        }
        const struct timespec pause = {.tv_nsec = 2 * (long)EKB_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
}

void ekb_worker_reap(struct ekb_worker *worker, uint64_t wait_ns)
{
    int status = 0;
    if (worker->control_fd < 0) {
        return;
    }
    while (!worker->ended) {
        const uint64_t before_ns = ekb_clock_now_ns();
        ekb_worker_update(worker, 1, wait_ns);
        const uint64_t spent_ns = ekb_clock_now_ns() - before_ns;
        wait_ns = spent_ns < wait_ns ? wait_ns - spent_ns : 0;
        if (wait_ns == 0) {
            break;
        }
    }
    if (!wait_child(worker->pid, &status, worker->ended ? 5 * EKB_NS_PER_S : 0)) {
        (void)kill(worker->pid, SIGKILL);
        (void)waitpid(worker->pid, &status, 0);
    }
    if (WIFSIGNALED(status)) {
        (void)ekb_fail_set(&worker->fail, EKB_WORKER_DIED, 0,
                           "process %d was ended by signal %d (%s)", (int)worker->pid,
                           WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if ((worker->fail.err == EKB_OK && WEXITSTATUS(status) != 0) ||
               worker->fail.err == EKB_WORKER_DIED) {
        (void)ekb_fail_set(&worker->fail, EKB_WORKER_DIED, 0, "process %d ended with status %d",
                           (int)worker->pid, WEXITSTATUS(status));
    }
    (void)close(worker->control_fd);
    worker->control_fd = -1;
    worker->ended = true;
}

uint64_t ekb_worker_resident_bytes(const struct ekb_worker *worker)
{
    char path[64];
    char line[256];
    unsigned long long kibibytes = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)worker->pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kibibytes = strtoull(line + 8, NULL, 10);
            break;
        }
    }
    (void)fclose(file);
    return kibibytes * 1024;
}

int ekb_worker_cpus(int *out_cpus, int max_cpus)
{
    cpu_set_t set;
    int count = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 0;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set)) {
            if (count < max_cpus) {
                out_cpus[count] = cpu;
            }
            count++;
        }
    }
    return count;
}
