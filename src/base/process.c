#include "ekubench/base/process.h"

#include "ekubench/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS (20 * EKB_NS_PER_MS)

#define NO_FILE (-1)

// open_as makes `number` a copy of `from` in the program, or /dev/null without one.
static void open_as(posix_spawn_file_actions_t *actions, int number, int from, int flags)
{
    if (from == NO_FILE) {
        (void)posix_spawn_file_actions_addopen(actions, number, "/dev/null", flags, 0);
    } else {
        (void)posix_spawn_file_actions_adddup2(actions, from, number);
    }
}

static enum ekb_err start(pid_t *out_pid, const char *const *words, char *const *variables,
                          int input, int output, struct ekb_fail *reterr_fail)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    (void)posix_spawn_file_actions_init(&actions);
    open_as(&actions, STDIN_FILENO, input, O_RDONLY);
    open_as(&actions, STDOUT_FILENO, output, O_WRONLY);
    open_as(&actions, STDERR_FILENO, NO_FILE, O_WRONLY);
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

enum ekb_err ekb_process_start(pid_t *out_pid, const char *const *words, char *const *variables,
                               struct ekb_fail *reterr_fail)
{
    return start(out_pid, words, variables, NO_FILE, NO_FILE, reterr_fail);
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

// Filters.

// write_all writes `text` to a file of its own, and goes back to its beginning.
static bool write_all(int file, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        const ssize_t written = write(file, text, left);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text += written > 0 ? written : 0;
        left -= written > 0 ? (size_t)written : 0;
    }
    return lseek(file, 0, SEEK_SET) == 0;
}

// read_all returns all that is in `file`, as a newly-allocated string.
static enum ekb_err read_all(char **out_text, int file)
{
    struct stat status;
    size_t len = 0;
    if (fstat(file, &status) != 0 || status.st_size < 0) {
        return EKB_SYSTEM;
    }
    const size_t size = (size_t)status.st_size;
    char *text = malloc(size + 1);
    if (text == NULL) {
        return EKB_NOMEM;
    }
    while (len < size) {
        const ssize_t got = pread(file, text + len, size - len, (off_t)len);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        len += got > 0 ? (size_t)got : 0;
    }
    text[len] = '\0';
    *out_text = text;
    return EKB_OK;
}

static enum ekb_err run_filter(const char *const *words, char *const *variables, int input,
                               int output, uint64_t limit_ns, struct ekb_fail *reterr_fail)
{
    pid_t pid = 0;
    int status = 0;
    enum ekb_err err = start(&pid, words, variables, input, output, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_process_wait(&status, pid, limit_ns, NULL);
        if (err == EKB_OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
            err = ekb_fail_set(reterr_fail, EKB_SYSTEM, 0, "%s failed", words[0]);
        }
    }
    return err;
}

enum ekb_err ekb_process_filter(char **out_text, const char *const *words, char *const *variables,
                                const char *input_text, uint64_t limit_ns,
                                struct ekb_fail *reterr_fail)
{
    // Files in memory, not pipes: neither side waits for the other.
    const int input = memfd_create("input", MFD_CLOEXEC);
    const int output = memfd_create("output", MFD_CLOEXEC);
    enum ekb_err err = EKB_SYSTEM;
    if (input < 0 || output < 0 || !write_all(input, input_text)) {
        err = ekb_fail_set(reterr_fail, EKB_SYSTEM, errno, "a file in memory");
    } else {
        err = run_filter(words, variables, input, output, limit_ns, reterr_fail);
    }
    if (err == EKB_OK) {
        err = read_all(out_text, output);
    }
    if (input >= 0) {
        (void)close(input);
    }
    if (output >= 0) {
        (void)close(output);
    }
    return err;
}
