#include "cli/cli.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void ekb_cli_progress_init(struct ekb_cli_progress *progress)
{
    const char *terminal = getenv("TERM");
    *progress =
        (struct ekb_cli_progress){.is_terminal = isatty(STDERR_FILENO) != 0 && terminal != NULL &&
                                                 strcmp(terminal, "dumb") != 0};
}

// Parts of the line that may be left out, the first of them first.
enum {
    SHED_NOTHING,
    SHED_MEDIAN,
    SHED_LATENCY,
    SHED_IN_FLIGHT,
    NUM_SHED
};

// append adds the formatted part to `text`, as far as there is room, and returns the length that it
// would have.
static size_t append(char text[EKB_CLI_PROGRESS_LEN], size_t len, const char *format, ...)
    EKB_PRINTF(3, 4);
static size_t append(char text[EKB_CLI_PROGRESS_LEN], size_t len, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const size_t room = len < EKB_CLI_PROGRESS_LEN ? EKB_CLI_PROGRESS_LEN - len : 0;
    char *const to = room > 0 ? text + len : NULL;
    const int added = vsnprintf(to, room, format, args);
    va_end(args);
    return len + (size_t)added;
}

static size_t append_latency(char text[EKB_CLI_PROGRESS_LEN], size_t len,
                             const struct ekb_live_second *second, int shed)
{
    char ns[EKB_UNITS_TEXT_LEN];
    if (second->p50_ns.known && shed < SHED_MEDIAN) {
        len = append(text, len, ", p50 %s", ekb_units_format_ns(ns, (double)second->p50_ns.value));
    }
    // Of few samples the longest says more than nothing.
    const bool has_tail = second->p99_ns.known;
    if ((has_tail || second->max_ns.known) && shed < SHED_LATENCY) {
        const uint64_t value = has_tail ? second->p99_ns.value : second->max_ns.value;
        len = append(text, len, ", %s %s", has_tail ? "p99" : "max",
                     ekb_units_format_ns(ns, (double)value));
    }
    return len;
}

// write_line writes the line without what is shed, and returns its length.
static size_t write_line(char text[EKB_CLI_PROGRESS_LEN], const struct ekb_session_report *report,
                         int shed)
{
    const struct ekb_live_second *second = &report->now.second;
    char count[EKB_UNITS_TEXT_LEN];
    const char *comma = "";
    size_t len = append(text, 0, "%s: %s", report->stage, report->now.is_warmup ? "warm-up, " : "");
    if (second->known) {
        const double per_s = (double)second->completed * 1e9 / (double)second->length_ns;
        len = append(text, len, "%s/s", ekb_units_format_count(count, (uint64_t)(per_s + 0.5)));
        comma = ", ";
    }
    if (shed < SHED_IN_FLIGHT || !second->known) {
        len = append(text, len, "%s%s in flight", comma,
                     ekb_units_format_count(count, report->now.in_flight));
    }
    if (second->known) {
        len = append_latency(text, len, second, shed);
        len = append(text, len, ", %s failed", ekb_units_format_count(count, second->failed));
    }
    if (second->dropped > 0) {
        len = append(text, len, ", %s dropped", ekb_units_format_count(count, second->dropped));
    }
    const uint64_t left_s = (report->left_ns + EKB_NS_PER_S - 1) / EKB_NS_PER_S;
    return append(text, len, "; %llu s left", (unsigned long long)left_s);
}

const char *ekb_cli_progress_text(char out_text[EKB_CLI_PROGRESS_LEN], size_t width,
                                  const struct ekb_session_report *report)
{
    const size_t room = width < EKB_CLI_PROGRESS_LEN ? width : EKB_CLI_PROGRESS_LEN;
    int shed = SHED_NOTHING;
    while (write_line(out_text, report, shed) >= room && shed + 1 < NUM_SHED) {
        shed++;
    }
    out_text[room - 1] = '\0';
    return out_text;
}

// width_of_terminal returns the columns of the terminal that `fd` is, or those of any.
static size_t width_of_terminal(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col
                                                                : EKB_CLI_PROGRESS_LEN;
}

// A line that is not rewritten appears this often.
#define LINE_EVERY_NS (10 * EKB_NS_PER_S)

void ekb_cli_progress_show(void *context, const struct ekb_session_report *now)
{
    struct ekb_cli_progress *progress = context;
    const uint64_t now_ns = ekb_clock_now_ns();
    char text[EKB_CLI_PROGRESS_LEN];
    const size_t width =
        progress->is_terminal ? width_of_terminal(STDERR_FILENO) : EKB_CLI_PROGRESS_LEN;
    if (!progress->is_terminal && progress->shown &&
        now_ns - progress->last_line_ns < LINE_EVERY_NS) {
        return;
    }
    (void)fprintf(stderr, "%s%s%s", progress->is_terminal ? "\r\033[K" : "",
                  ekb_cli_progress_text(text, width, now), progress->is_terminal ? "" : "\n");
    (void)fflush(stderr);
    progress->last_line_ns = now_ns;
    progress->shown = true;
}

void ekb_cli_progress_end(struct ekb_cli_progress *progress)
{
    if (progress->is_terminal && progress->shown) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
    }
}
