#include "ekubench/base/process.h"

#include "ekubench/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS (20 * EKB_NS_PER_MS)

#define NO_FILE (-1)

// What is started, and how.
struct program {
    const char *const *words;
    char *const *variables;
    int input, output;
    rlim_t max_output; // Bytes that it may write to any file.
    int death_signal;  // What it gets when this process ends before it.
};

// open_as makes `number` a copy of `from`, or of /dev/null without one.
static bool open_as(int number, int from, int flags)
{
    if (from == number) {
        return fcntl(number, F_SETFD, 0) == 0;
    }
    const int file = from == NO_FILE ? open("/dev/null", flags | O_CLOEXEC) : from;
    return file == number || (file >= 0 && dup2(file, number) == number);
}

static bool limit_output(rlim_t max_output)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    struct rlimit limit;
    if (max_output == RLIM_INFINITY) {
        return true;
    }
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return false;
    }
    limit.rlim_cur = max_output < limit.rlim_max ? max_output : limit.rlim_max;
    // The signal of the limit ends it, and leaves no file behind.
    return signal(SIGXFSZ, SIG_DFL) != SIG_ERR && setrlimit(RLIMIT_CORE, &none) == 0 &&
           setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

// become makes this process, a copy of `parent`, the program. It returns only if that cannot be,
// with errno.
static void become(const struct program *program, pid_t parent)
{
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, program->death_signal) != 0) {
        return;
    }
    if (getppid() != parent) {
        _exit(127); // It has ended in between.
    }
    if (open_as(STDIN_FILENO, program->input, O_RDONLY) &&
        open_as(STDOUT_FILENO, program->output, O_WRONLY) &&
        open_as(STDERR_FILENO, NO_FILE, O_WRONLY) && limit_output(program->max_output)) {
        // execvpe does not change its arguments.
        (void)execvpe(program->words[0], (char *const *)(uintptr_t)program->words,
                      program->variables != NULL ? program->variables : environ);
    }
}

// open_report makes a pipe through which a child says why it cannot be the program; it closes when
// it is. Its writing end is none of the three that the child opens anew.
static bool open_report(int out_ends[2])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    out_ends[0] = ends[0];
    out_ends[1] = fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)close(ends[1]);
    if (out_ends[1] < 0) {
        (void)close(ends[0]);
    }
    return out_ends[1] >= 0;
}

// start_child returns 0 with the program's process, or an errno.
static int start_child(pid_t *out_pid, const struct program *program)
{
    const pid_t parent = getpid();
    int report[2];
    int reason = 0;
    ssize_t got;
    if (!open_report(report)) {
        return errno;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        become(program, parent);
        reason = errno;
        got = write(report[1], &reason, sizeof reason);
        _exit(got == (ssize_t)sizeof reason ? 127 : 126);
    }
    const int fork_reason = errno;
    (void)close(report[1]);
    do {
        got = pid > 0 ? read(report[0], &reason, sizeof reason) : 0;
    } while (got < 0 && errno == EINTR);
    (void)close(report[0]);
    if (pid < 0) {
        return fork_reason;
    }
    if (got != (ssize_t)sizeof reason) {
        *out_pid = pid;
        return 0;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return reason;
}

static enum ekb_err start(pid_t *out_pid, const struct program *program,
                          struct ekb_fail *reterr_fail)
{
    const int reason = start_child(out_pid, program);
    if (reason == 0) {
        return EKB_OK;
    }
    return ekb_fail_set(reterr_fail, reason == ENOENT ? EKB_NOT_FOUND : EKB_SYSTEM, reason, "%s",
                        program->words[0]);
}

enum ekb_err ekb_process_start(pid_t *out_pid, const char *const *words, char *const *variables,
                               struct ekb_fail *reterr_fail)
{
    const struct program program = {.words = words,
                                    .variables = variables,
                                    .input = NO_FILE,
                                    .output = NO_FILE,
                                    .max_output = RLIM_INFINITY,
                                    .death_signal = SIGTERM};
    return start(out_pid, &program, reterr_fail);
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

static enum ekb_err run_filter(const struct program *program, uint64_t limit_ns,
                               struct ekb_fail *reterr_fail)
{
    pid_t pid = 0;
    int status = 0;
    enum ekb_err err = start(&pid, program, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    err = ekb_process_wait(&status, pid, limit_ns, NULL);
    if (err == EKB_OK && WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) {
        return ekb_fail_say(reterr_fail, EKB_TOO_BIG, "%s has written more than %u MiB",
                            program->words[0], EKB_PROCESS_MAX_OUTPUT >> 20);
    }
    if (err == EKB_OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        return ekb_fail_set(reterr_fail, EKB_SYSTEM, 0, "%s failed", program->words[0]);
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
        const struct program program = {.words = words,
                                        .variables = variables,
                                        .input = input,
                                        .output = output,
                                        .max_output = EKB_PROCESS_MAX_OUTPUT,
                                        .death_signal = SIGKILL};
        err = run_filter(&program, limit_ns, reterr_fail);
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
