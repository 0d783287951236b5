#include "ekubench/base/process.h"

#include "ekubench/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS (20 * EKB_NS_PER_MS)

enum ekb_err ekb_process_start(pid_t *out_pid, const char *const *words, char *const *variables,
                               struct ekb_fail *reterr_fail)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    // posix_spawn does not change its arguments.
    const int reason =
        posix_spawnp(out_pid, words[0], &actions, &attributes, (char *const *)(uintptr_t)words,
                     variables != NULL ? variables : environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (reason == 0) {
        return EKB_OK;
    }
    return ekb_fail_set(reterr_fail, reason == ENOENT ? EKB_NOT_FOUND : EKB_SYSTEM, reason, "%s",
                        words[0]);
}

// has_ended tells whether it has, and leaves it to be reaped: until then nobody else gets its id.
static bool has_ended(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

// wait_until returns true if the program has ended, false if the time came first or *stop was set.
static bool wait_until(pid_t pid, uint64_t end_ns, const volatile sig_atomic_t *stop)
{
    const struct timespec pause = {.tv_nsec = (long)LOOK_EVERY_NS};
    while (!has_ended(pid)) {
        if ((stop != NULL && *stop != 0) || ekb_clock_now_ns() >= end_ns) {
            return false;
        }
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

enum ekb_err ekb_process_wait(int *out_status, pid_t pid, uint64_t limit_ns,
                              const volatile sig_atomic_t *stop)
{
    enum ekb_err err = EKB_OK;
    if (!wait_until(pid, ekb_clock_now_ns() + limit_ns, stop)) {
        err = stop != NULL && *stop != 0 ? EKB_STOPPED : EKB_DEADLINE;
        (void)kill(-pid, SIGTERM);
        (void)wait_until(pid, ekb_clock_now_ns() + EKB_PROCESS_GRACE_NS, NULL);
        // Also if it has ended: what it started may not have.
        (void)kill(-pid, SIGKILL);
    }
    *out_status = 0;
    while (waitpid(pid, out_status, 0) < 0 && errno == EINTR) {
    }
    return err;
}
