#include "ekubench/lab/session.h"

#include "ekubench/base/clock.h"

#include <stdio.h>

struct ekb_session ekb_session_begin(struct ekb_record *out_record, const char *kind)
{
    struct ekb_session session = {.begin_ns = ekb_clock_now_ns()};
    *out_record = (struct ekb_record){0};
    (void)snprintf(out_record->kind, sizeof out_record->kind, "%s", kind);
    ekb_clock_format_utc(out_record->started_at, sizeof out_record->started_at);
    ekb_host_describe(out_record);
    session.ticks_known = ekb_host_read_ticks(&session.ticks);
    return session;
}

void ekb_session_end(const struct ekb_session *session, struct ekb_record *record)
{
    struct ekb_host_ticks ticks;
    if (session->ticks_known && ekb_host_read_ticks(&ticks)) {
        record->host.steal_percent =
            (struct ekb_record_real){true, ekb_host_steal_percent(&session->ticks, &ticks)};
    }
    record->duration_ns = ekb_clock_now_ns() - session->begin_ns;
}

static void forward(void *context, const struct ekb_stage_progress *now)
{
    const struct ekb_session_progress *progress = context;
    const uint64_t here_ns = now->total_ns > now->elapsed_ns ? now->total_ns - now->elapsed_ns : 0;
    const struct ekb_session_report report = {
        .stage = progress->stage, .left_ns = here_ns + progress->later_ns, .now = *now};
    if (progress->control->progress != NULL) {
        progress->control->progress(progress->control->context, &report);
    }
}

struct ekb_stage_control ekb_session_stage_control(struct ekb_session_progress *progress)
{
    return (struct ekb_stage_control){
        .progress = forward, .context = progress, .stop = progress->control->stop};
}
