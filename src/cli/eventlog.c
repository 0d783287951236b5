#include "cli/eventlog.h"

#include "cli/cli.h"
#include "ekubench/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A line, what ends a torn one before it, and its own end.
#define LINE_LEN (EKB_EVENT_TEXT_LEN + 2)

// open_file does not wait for the reader of a pipe, and makes do without one.
static int open_file(const char *path)
{
    const int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    const int fd = open(path, O_WRONLY | flags, 0640);
    return fd < 0 && errno == ENXIO ? open(path, O_RDWR | flags, 0640) : fd;
}

static enum ekb_err open_path(int *out_fd, const char *path, struct ekb_fail *reterr_fail)
{
    const int fd = open_file(path);
    if (fd < 0) {
        const int reason = errno;
        enum ekb_err err = reason == ENOENT ? EKB_NOT_FOUND : EKB_SYSTEM;
        err = reason == EACCES || reason == EROFS || reason == EISDIR ? EKB_PERMISSION : err;
        return ekb_fail_set(reterr_fail, err, reason, "event log %s", path);
    }
    *out_fd = fd;
    return EKB_OK;
}

enum ekb_err ekb_eventlog_open(struct ekb_eventlog *out_log, const char *path,
                               const struct ekb_eventlog_limits *limits,
                               struct ekb_fail *reterr_fail)
{
    int fd = STDERR_FILENO;
    if (path != NULL) {
        const enum ekb_err err = open_path(&fd, path, reterr_fail);
        if (err != EKB_OK) {
            return err;
        }
    }
    *out_log = (struct ekb_eventlog){
        .path = path, .fd = fd, .is_open = true, .told_ns = ekb_clock_now_ns(), .limits = *limits};
    return EKB_OK;
}

enum ekb_err ekb_eventlog_reopen(struct ekb_eventlog *log, struct ekb_fail *reterr_fail)
{
    int fd = -1;
    assert(log->is_open);
    if (log->path == NULL) {
        return EKB_OK;
    }
    const enum ekb_err err = open_path(&fd, log->path, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    (void)close(log->fd);
    log->fd = fd;
    log->is_torn = false;
    log->has_complained = false;
    return EKB_OK;
}

// takes_line is true if a line can be written without waiting. Standard error is asked: it is not
// ours alone, and so may not be made not to wait.
static bool takes_line(const struct ekb_eventlog *log)
{
    struct pollfd polled = {.fd = log->fd, .events = POLLOUT};
    return log->path != NULL || (poll(&polled, 1, 0) == 1 && (polled.revents & POLLOUT) != 0);
}

static void complain(struct ekb_eventlog *log, int reason)
{
    if (!log->has_complained && log->path != NULL) {
        ekb_cli_say("event log %s: lines are left out: %s", log->path, strerror(reason));
        log->has_complained = true;
    }
}

// is_at_its_path is true if the log's file has its path still: whoever renamed it has not said so
// yet (ekb_eventlog_reopen).
static bool is_at_its_path(const struct ekb_eventlog *log, const struct stat *file)
{
    struct stat there;
    return stat(log->path, &there) == 0 && there.st_dev == file->st_dev &&
           there.st_ino == file->st_ino;
}

// begin_new renames the file, in the place of the one before, and begins a new one. 0, or why not.
static int begin_new(struct ekb_eventlog *log, const struct stat *file)
{
    char *old = NULL;
    if (is_at_its_path(log, file)) {
        if (asprintf(&old, "%s" EKB_EVENTLOG_OLD_ENDING, log->path) < 0) {
            return ENOMEM;
        }
        const int reason = rename(log->path, old) == 0 ? 0 : errno;
        free(old);
        if (reason != 0) {
            return reason;
        }
    }
    const int fd = open_file(log->path);
    if (fd < 0) {
        return errno;
    }
    (void)close(log->fd);
    log->fd = fd;
    log->is_torn = false;
    return 0;
}

// make_room sees that the file may have `len` bytes more. 0, or why that cannot be. It looks at the
// file each time: others may append to it, or cut it.
static int make_room(struct ekb_eventlog *log, size_t len)
{
    struct stat file;
    if (log->path == NULL || log->limits.max_len == 0 || fstat(log->fd, &file) != 0 ||
        !S_ISREG(file.st_mode) || (uint64_t)file.st_size + len <= log->limits.max_len) {
        return 0;
    }
    return begin_new(log, &file);
}

// put writes one line, or counts it as left out. False if it was not written whole.
static bool put(struct ekb_eventlog *log, const char *text)
{
    char line[LINE_LEN];
    const size_t text_len = strnlen(text, EKB_EVENT_TEXT_LEN - 1);
    size_t len = 0;
    const int obstacle = make_room(log, text_len + 2);
    if (obstacle != 0) {
        log->num_left_out++;
        complain(log, obstacle);
        return false;
    }
    if (log->is_torn) {
        line[len++] = '\n';
    }
    memcpy(line + len, text, text_len);
    len += text_len;
    line[len++] = '\n';

    const ssize_t written = takes_line(log) ? write(log->fd, line, len) : 0;
    if (written == (ssize_t)len) {
        log->is_torn = false;
        return true;
    }
    const int reason = written < 0 ? errno : written > 0 ? ENOSPC : EAGAIN;
    // One byte of a line that had to begin with an end may have been that end.
    log->is_torn = written > 0 ? written > 1 || !log->is_torn : log->is_torn;
    log->num_left_out++;
    complain(log, reason);
    return false;
}

// may_write takes one line from what is left of the second.
static bool may_write(struct ekb_eventlog *log, uint64_t at_ns)
{
    const uint64_t second = at_ns / EKB_NS_PER_S;
    struct ekb_eventlog_second *budget = &log->seconds[second % 2];
    if (second != budget->second) {
        *budget = (struct ekb_eventlog_second){.second = second};
    }
    return log->limits.lines_per_s == 0 || budget->num_lines++ < log->limits.lines_per_s;
}

// confess is silent about itself: if it cannot be written there is nothing more to tell.
static void confess(struct ekb_eventlog *log)
{
    char text[EKB_EVENT_TEXT_LEN];
    const uint64_t num_left_out = log->num_left_out;
    const bool written = put(log, ekb_event_format_lost(text, ekb_event_now_ns(), num_left_out));
    log->num_left_out = written ? 0 : num_left_out;
}

void ekb_eventlog_begin(struct ekb_eventlog *log, uint64_t now_ns, uint64_t num_lost)
{
    log->num_left_out += num_lost - log->num_lost;
    log->num_lost = num_lost;
    // Once a second, beside the lines that are allowed: else, with few allowed, these would be all.
    if (log->num_left_out > 0 && now_ns - log->told_ns >= EKB_NS_PER_S) {
        confess(log);
        log->told_ns = now_ns;
    }
}

void ekb_eventlog_write(struct ekb_eventlog *log, const struct ekb_event *event)
{
    char text[EKB_EVENT_TEXT_LEN];
    // What the operator asked for is answered in a storm too.
    if (event->kind != EKB_EVENT_REFUSED || may_write(log, event->at_ns)) {
        (void)put(log, ekb_event_format(text, event));
    } else {
        log->num_left_out++;
    }
}

void ekb_eventlog_close(struct ekb_eventlog *log)
{
    if (!log->is_open) {
        return;
    }
    if (log->num_left_out > 0) {
        confess(log);
    }
    if (log->path != NULL) {
        (void)close(log->fd);
    }
    *log = (struct ekb_eventlog){0};
}
