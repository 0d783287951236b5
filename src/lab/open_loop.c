#include "ekubench/lab/open_loop.h"

#include "ekubench/lab/assemble.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static enum ekb_err copy_stretches(struct ekb_record_open_loop *loop,
                                   const struct ekb_client_options *client)
{
    loop->stretches = calloc(client->num_stretches, sizeof loop->stretches[0]);
    if (loop->stretches == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < client->num_stretches; i++) {
        const struct ekb_pace_stretch *stretch = &client->stretches[i];
        loop->stretches[i] = (struct ekb_record_stretch){stretch->duration_ns, stretch->begin_per_s,
                                                         stretch->end_per_s};
    }
    loop->num_stretches = client->num_stretches;
    return EKB_OK;
}

// The measured time, as it was planned: from the end of the warm-up to the end of the last slice
// that was reached.
struct window {
    uint64_t begin_ns;
    uint64_t end_ns;
};

static struct window measured(const struct ekb_stage *stage)
{
    const struct ekb_timeline *timeline = &stage->timeline;
    const uint32_t last = ekb_timeline_slice(timeline, stage->client.tally->ended_ns);
    struct window window = {.begin_ns = timeline->num_warmup * timeline->slice_ns,
                            .end_ns = timeline->num_slices * timeline->slice_ns};
    if (last < timeline->num_slices) {
        window.end_ns = stage->client.tally->ended_ns - timeline->origin_ns;
    }
    return window;
}

static enum ekb_err fill(struct ekb_record_open_loop *loop, const struct ekb_stage *stage,
                         const struct ekb_client_options *client)
{
    const struct ekb_tally *tally = stage->client.tally;
    const struct window window = measured(stage);
    const double seconds = (double)(window.end_ns - window.begin_ns) / 1e9;
    const double planned =
        ekb_pace_expected(client->stretches, client->num_stretches, window.end_ns) -
        ekb_pace_expected(client->stretches, client->num_stretches, window.begin_ns);
    loop->known = true;
    EKB_RECORD_COPY(loop->arrivals, ekb_arrivals_kind_name(client->arrivals));
    loop->planned_per_s = seconds > 0 ? planned / seconds : (double)NAN;
    loop->offered_per_s =
        seconds > 0
            ? (double)(tally->lag.moments.count + tally->dropped_wait.moments.count) / seconds
            : (double)NAN;
    enum ekb_err err = copy_stretches(loop, client);
    if (err == EKB_OK) {
        err = ekb_assemble_summarize(&loop->lag_ns, &tally->lag);
    }
    return err != EKB_OK ? err
                         : ekb_assemble_summarize(&loop->dropped_wait_ns, &tally->dropped_wait);
}

static void check_drops(struct ekb_record *record, const struct ekb_record_stage *stage)
{
    uint64_t dropped = 0;
    uint64_t due = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        if (strcmp(record->arms[i].stage, stage->name) == 0) {
            dropped += record->arms[i].dropped;
            due += record->arms[i].dropped + record->arms[i].client.started;
        }
    }
    if (dropped > 0) {
        ekb_record_add_reason(record,
                              "%s: %llu of %llu arrivals found all %llu connections under way and "
                              "were dropped",
                              stage->name, (unsigned long long)dropped, (unsigned long long)due,
                              (unsigned long long)stage->in_flight);
    }
}

// check_generator says if the load was not the one that was planned, or its times are not the
// server's.
static void check_generator(struct ekb_record *record, const struct ekb_record_stage *stage,
                            uint64_t p99_latency_ns, uint64_t limit_ns, bool ended_early)
{
    const struct ekb_record_open_loop *loop = &stage->open_loop;
    const double due = loop->planned_per_s * (double)stage->duration_ns / 1e9;
    const double allowed = EKB_OPEN_LOOP_MAX_OFF * due + 4.0 * sqrt(due);
    const double off =
        fabs(loop->offered_per_s - loop->planned_per_s) * (double)stage->duration_ns / 1e9;
    const struct ekb_record_cpu *cpu = &record->client_cpu[record->num_client_cpu - 1];
    if (off > allowed && !ended_early) {
        ekb_record_add_reason(record, "%s: the client offered %.1f/s where %.1f/s were planned",
                              stage->name, loop->offered_per_s, loop->planned_per_s);
    }
    const uint64_t measure_ns = limit_ns > 0 ? limit_ns : p99_latency_ns;
    if (loop->lag_ns.p99.known && measure_ns > 0 &&
        (double)loop->lag_ns.p99.value > EKB_OPEN_LOOP_MAX_LAG * (double)measure_ns) {
        ekb_record_add_reason(record,
                              "%s: the client was late: the 99th percentile of its lag is %.2f ms, "
                              "that of latency %.2f ms",
                              stage->name, (double)loop->lag_ns.p99.value / 1e6,
                              (double)p99_latency_ns / 1e6);
    }
    if (cpu->busy_percent.known && cpu->busy_percent.value > EKB_OPEN_LOOP_MAX_BUSY_PERCENT) {
        ekb_record_add_reason(record, "%s: the client's CPU was %.0f %% busy: it sets the pace",
                              stage->name, cpu->busy_percent.value);
    }
}

enum ekb_err ekb_open_loop_add_within(struct ekb_record *record, const struct ekb_stage *stage,
                                      const struct ekb_client_options *client, uint64_t limit_ns)
{
    if (client->stretches == NULL) {
        return EKB_OK;
    }
    struct ekb_record_stage *row = &record->plan.stages[record->plan.num_stages - 1];
    const size_t num_arms = stage->client.tally->num_arms;
    uint64_t p99_latency_ns = 0;
    enum ekb_err err = fill(&row->open_loop, stage, client);
    for (size_t i = 0; i < num_arms && err == EKB_OK; i++) {
        struct ekb_record_arm *arm = &record->arms[record->num_arms - num_arms + i];
        const struct ekb_tally_arm *counted = &stage->client.tally->arms[i];
        arm->dropped = counted->dropped;
        err = ekb_assemble_summarize(&arm->uncorrected_latency_ns, &counted->uncorrected);
        if (arm->latency_ns.p99.known && arm->latency_ns.p99.value > p99_latency_ns) {
            p99_latency_ns = arm->latency_ns.p99.value;
        }
    }
    if (err == EKB_OK) {
        check_drops(record, row);
        const bool ended_early = stage->client.tally->ended_ns <
                                 ekb_timeline_start(&stage->timeline, stage->timeline.num_slices);
        check_generator(record, row, p99_latency_ns, limit_ns, ended_early);
    }
    return err;
}

enum ekb_err ekb_open_loop_add(struct ekb_record *record, const struct ekb_stage *stage,
                               const struct ekb_client_options *client)
{
    return ekb_open_loop_add_within(record, stage, client, 0);
}
