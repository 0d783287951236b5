#include "cli/cli.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ekb_cli_progress_init(struct ekb_cli_progress *progress)
{
    const char *terminal = getenv("TERM");
    *progress =
        (struct ekb_cli_progress){.is_terminal = isatty(STDERR_FILENO) != 0 && terminal != NULL &&
                                                 strcmp(terminal, "dumb") != 0};
}

// A line that is not rewritten appears this often.
#define LINE_EVERY_NS (10 * EKB_NS_PER_S)

void ekb_cli_progress_show(void *context, const struct ekb_session_report *now)
{
    struct ekb_cli_progress *progress = context;
    const uint64_t now_ns = ekb_clock_now_ns();
    const uint64_t done = now->now.accepted + now->now.rejected;
    char count[EKB_UNITS_TEXT_LEN];
    char failed[64] = "";

    if (progress->last_stage != now->stage || now_ns - progress->last_ns >= EKB_NS_PER_S) {
        progress->rate =
            progress->last_stage == now->stage && done >= progress->last_done
                ? (double)(done - progress->last_done) * 1e9 / (double)(now_ns - progress->last_ns)
                : 0;
        progress->last_stage = now->stage;
        progress->last_done = done;
        progress->last_ns = now_ns;
    }
    if (!progress->is_terminal && progress->shown &&
        now_ns - progress->last_line_ns < LINE_EVERY_NS) {
        return;
    }
    if (now->now.failed > 0) {
        (void)snprintf(failed, sizeof failed, ", %llu failed", (unsigned long long)now->now.failed);
    }
    (void)fprintf(stderr, "%s%s: %s handshakes, %.0f/s, %llu in flight%s; %llu s left%s",
                  progress->is_terminal ? "\r\033[K" : "", now->stage,
                  ekb_units_format_count(count, done), progress->rate,
                  (unsigned long long)now->now.in_flight, failed,
                  (unsigned long long)((now->left_ns + EKB_NS_PER_S - 1) / EKB_NS_PER_S),
                  progress->is_terminal ? "" : "\n");
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
