#include "cli/eventlog.h"

#include "ekubench/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum ekb_err ekb_eventlog_open(struct ekb_eventlog *out_log, const char *path, uint64_t lines_per_s,
                               struct ekb_fail *reterr_fail)
{
    FILE *file = stderr;
    if (path != NULL) {
        const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        file = fd >= 0 ? fdopen(fd, "a") : NULL;
        if (file == NULL) {
            const int reason = errno;
            enum ekb_err err = reason == ENOENT ? EKB_NOT_FOUND : EKB_SYSTEM;
            err = reason == EACCES || reason == EROFS || reason == EISDIR ? EKB_PERMISSION : err;
            if (fd >= 0) {
                (void)close(fd);
            }
            return ekb_fail_set(reterr_fail, err, reason, "event log %s", path);
        }
    }
    const uint64_t now_ns = ekb_clock_now_ns();
    *out_log = (struct ekb_eventlog){.file = file,
                                     .told_ns = now_ns,
                                     .lines_per_s = lines_per_s,
                                     .allowance = (double)lines_per_s,
                                     .filled_ns = now_ns};
    return EKB_OK;
}

static void fill(struct ekb_eventlog *log, uint64_t now_ns)
{
    const double most = (double)log->lines_per_s;
    log->allowance += most * (double)(now_ns - log->filled_ns) / 1e9;
    log->allowance = log->allowance < most ? log->allowance : most;
    log->filled_ns = now_ns;
}

// may_write takes one line from the allowance.
static bool may_write(struct ekb_eventlog *log)
{
    if (log->lines_per_s == 0) {
        return true;
    }
    if (log->allowance < 1) {
        return false;
    }
    log->allowance -= 1;
    return true;
}

static void confess(struct ekb_eventlog *log)
{
    char text[EKB_EVENT_TEXT_LEN];
    (void)fprintf(log->file, "%s\n",
                  ekb_event_format_lost(text, ekb_event_now_ns(), log->num_left_out));
    log->num_left_out = 0;
}

void ekb_eventlog_begin(struct ekb_eventlog *log, uint64_t now_ns, uint64_t num_lost)
{
    fill(log, now_ns);
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
    if (event->kind != EKB_EVENT_REFUSED || may_write(log)) {
        (void)fprintf(log->file, "%s\n", ekb_event_format(text, event));
    } else {
        log->num_left_out++;
    }
}

void ekb_eventlog_end(struct ekb_eventlog *log)
{
    (void)fflush(log->file);
}

void ekb_eventlog_close(struct ekb_eventlog *log)
{
    if (log->file == NULL) {
        return;
    }
    if (log->num_left_out > 0) {
        confess(log);
    }
    if (log->file != stderr) {
        (void)fclose(log->file);
    }
    *log = (struct ekb_eventlog){0};
}
