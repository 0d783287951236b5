#include "ekubench/lab/blocks.h"

#include "ekubench/lab/assemble.h"
#include "ekubench/lab/effects.h"
#include "ekubench/peer/sequence.h"
#include "ekubench/stat/check.h"
#include "ekubench/stat/replicate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Faster machines measure longer, but not more often than this.
#define MAX_QUADRUPLES 20

// A stage may take that part longer than planned, if a verdict depends on it.
#define STRETCH 5
#define METHOD "quadruples ABBA or BAAB of blocks, Hodges-Lehmann, signed-rank interval"

// cpu_share returns the share of one CPU that a side used in the measured part of a block.
static double cpu_share(const struct ekb_timeline *timeline, const struct ekb_tally *tally,
                        uint32_t first, uint32_t end)
{
    uint64_t cpu_ns = 0;
    uint64_t measured_ns = 0;
    for (uint32_t i = first; i < end; i++) {
        if (ekb_timeline_kind(timeline, i) == EKB_SLICE_MEASURED) {
            cpu_ns += tally->cpu_ns_at[i + 1] - tally->cpu_ns_at[i];
            measured_ns += timeline->slice_ns;
        }
    }
    return (double)cpu_ns / (double)measured_ns;
}

// fill_times sets what a handshake took. By Little's law the time between two acceptances is the
// mean latency divided by the number in flight. Counting the acceptances would say the same with
// more noise: in a closed loop they come in waves, and a block ends somewhere in one.
static void fill_times(struct ekb_record_block *block, const struct ekb_stage *stage,
                       uint32_t in_flight, const struct ekb_distribution *latency, uint32_t first,
                       uint32_t end)
{
    if (latency->moments.count == 0) {
        return;
    }
    const double wall_ns = ekb_moments_mean(&latency->moments) / (double)in_flight;
    const double server = cpu_share(&stage->timeline, stage->server.tally, first, end);
    const double client = cpu_share(&stage->timeline, stage->client.tally, first, end);
    block->wall_ns = (struct ekb_record_real){.known = true, .value = wall_ns};
    block->server_cpu_ns = (struct ekb_record_real){.known = true, .value = wall_ns * server};
    block->client_cpu_ns = (struct ekb_record_real){.known = true, .value = wall_ns * client};
    // Ten samples beyond it, or it is no percentile.
    if (latency->moments.count >= 1000) {
        block->p99_ns = (struct ekb_record_u64){.known = true,
                                                .value = ekb_hist_percentile(latency->hist, 99.0)};
    }
}

static void add_usage(struct ekb_record_block *block, const struct ekb_tally *tally, uint32_t slice)
{
    const struct ekb_tally_usage *usage = &tally->usage[slice];
    block->voluntary_switches += usage->voluntary_switches;
    block->involuntary_switches += usage->involuntary_switches;
    block->page_faults += usage->minor_faults + usage->major_faults;
}

// fill_block describes a block from its slices [first, end).
static void fill_block(struct ekb_record_block *block, const struct ekb_stage *stage,
                       uint32_t first, uint32_t end)
{
    const struct ekb_timeline *timeline = &stage->timeline;
    const struct ekb_tally *client = stage->client.tally;
    struct ekb_covariates mean = {0};
    uint64_t measured_ns = 0;
    for (uint32_t i = first; i < end; i++) {
        const struct ekb_covariates covariates = ekb_assemble_covariates(stage, i);
        mean.steal_percent += covariates.steal_percent / (double)(end - first);
        mean.wait_percent += covariates.wait_percent / (double)(end - first);
        block->retransmitted_segments += stage->network_by_slice[i].retransmitted_segments;
        block->listen_overflows += stage->network_by_slice[i].listen_overflows;
        add_usage(block, client, i);
        add_usage(block, stage->server.tally, i);
        if (ekb_timeline_kind(timeline, i) == EKB_SLICE_MEASURED) {
            measured_ns += timeline->slice_ns;
            for (size_t arm = 0; arm < client->num_arms; arm++) {
                block->accepted += client->accepted_by_arm[i * client->num_arms + arm];
            }
        }
    }
    block->disturbed = ekb_check_is_disturbed(&mean, 1);
    block->steal_percent = mean.steal_percent;
    block->wait_percent = mean.wait_percent;
    block->measured_ns = measured_ns;
    block->accepted_per_s = (double)block->accepted * 1e9 / (double)measured_ns;
}

static bool is_finished(const struct ekb_stage *stage, uint32_t end)
{
    return stage->client.tally->cpu_ns_at[end] != 0 && stage->server.tally->cpu_ns_at[end] != 0;
}

static enum ekb_err add_rows(struct ekb_record *record, const struct ekb_plan_stage *plan,
                             const struct ekb_stage *stage, uint64_t seed)
{
    const uint32_t num_blocks = ekb_timeline_num_blocks(&stage->timeline);
    struct ekb_record_block *rows =
        realloc(record->blocks, (record->num_blocks + num_blocks + 1) * sizeof rows[0]);
    if (rows == NULL) {
        return EKB_NOMEM;
    }
    record->blocks = rows;
    for (uint32_t index = 0; index < num_blocks; index++) {
        const uint32_t first = stage->timeline.num_warmup + index * plan->block_slices;
        const uint32_t end = first + plan->block_slices;
        const struct ekb_quadruple quadruple = ekb_quadruple_make(seed, index / EKB_QUADRUPLE_LEN);
        if (!is_finished(stage, end)) {
            break;
        }
        struct ekb_record_block *block = &rows[record->num_blocks++];
        *block = (struct ekb_record_block){.quadruple = index / EKB_QUADRUPLE_LEN};
        EKB_RECORD_COPY(block->stage, plan->name);
        EKB_RECORD_COPY(block->arm, plan->arms[quadruple.arms[index % EKB_QUADRUPLE_LEN]].name);
        fill_block(block, stage, first, end);
        fill_times(block, stage, plan->in_flight, &stage->client.tally->latency_by_block[index],
                   first, end);
    }
    return EKB_OK;
}

// From blocks to contrasts.

enum metric {
    WALL,
    P99,
    SERVER_CPU,
    NUM_METRICS
};

static const struct {
    const char *name;
    const char *unit;
    double equivalence;
} metrics[NUM_METRICS] = {
    [WALL] = {EKB_METRIC_WALL, "%", EKB_BLOCKS_EQUIVALENCE_WALL_PERCENT},
    [P99] = {EKB_METRIC_P99, "%", EKB_BLOCKS_EQUIVALENCE_P99_PERCENT},
    [SERVER_CPU] = {EKB_METRIC_SERVER_CPU, "ns", EKB_EFFECT_EQUIVALENCE_NS},
};

// value_of returns what is compared of one block: of times in percent the logarithm. NaN if
// unknown.
static double value_of(const struct ekb_record_block *block, enum metric metric)
{
    switch (metric) {
    case WALL:
        return block->wall_ns.known ? log(block->wall_ns.value) : (double)NAN;
    case P99:
        return block->p99_ns.known ? log((double)block->p99_ns.value) : (double)NAN;
    case SERVER_CPU:
        return block->server_cpu_ns.known ? block->server_cpu_ns.value : (double)NAN;
    case NUM_METRICS:
        break;
    }
    return (double)NAN;
}

// The contrasts of all quadruples in one metric.
struct contrasts {
    double *treatment; // A - B.
    double *control;   // Twin - A.
    size_t num;
};

static double scaled(double difference, enum metric metric)
{
    return metric == SERVER_CPU ? difference : 100.0 * expm1(difference);
}

// add_quadruple adds the contrasts of four blocks, unless one of their values is unknown.
static void add_quadruple(struct contrasts *contrasts, const struct ekb_record_block *blocks,
                          const struct ekb_quadruple *quadruple, enum metric metric)
{
    double values[EKB_QUADRUPLE_LEN];
    double twin = 0;
    double plain = 0;
    for (size_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
        values[i] = value_of(&blocks[i], metric);
        if (isnan(values[i])) {
            return;
        }
        twin = quadruple->arms[i] == EKB_QUADRUPLE_TWIN ? values[i] : twin;
        plain = quadruple->arms[i] == EKB_QUADRUPLE_A ? values[i] : plain;
    }
    contrasts->treatment[contrasts->num] =
        scaled(-ekb_replicate_quadruple(values, quadruple->begins_with_b ? 1 : 0), metric);
    contrasts->control[contrasts->num++] = scaled(twin - plain, metric);
}

static bool is_disturbed(const struct ekb_record_block *blocks)
{
    bool disturbed = false;
    for (size_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
        disturbed = disturbed || blocks[i].disturbed;
    }
    return disturbed;
}

struct workspace {
    const struct ekb_plan_stage *plan;
    struct ekb_record_block *blocks;
    size_t num_quadruples;
    uint64_t seed;
    double *memory;
    struct contrasts contrasts[NUM_METRICS];
};

static enum ekb_err fill_contrasts(struct workspace *work)
{
    const size_t n = work->num_quadruples;
    work->memory = calloc((size_t)2 * NUM_METRICS * n + 1, sizeof work->memory[0]);
    if (work->memory == NULL) {
        return EKB_NOMEM;
    }
    for (size_t metric = 0; metric < NUM_METRICS; metric++) {
        struct contrasts *contrasts = &work->contrasts[metric];
        contrasts->treatment = work->memory + (2 * metric) * n;
        contrasts->control = work->memory + (2 * metric + 1) * n;
        for (size_t q = 0; q < n; q++) {
            const struct ekb_quadruple quadruple = ekb_quadruple_make(work->seed, (uint32_t)q);
            const struct ekb_record_block *blocks = work->blocks + q * EKB_QUADRUPLE_LEN;
            if (!is_disturbed(blocks)) {
                add_quadruple(contrasts, blocks, &quadruple, (enum metric)metric);
            }
        }
    }
    return EKB_OK;
}

static enum ekb_err append(struct ekb_record *record, const struct workspace *work,
                           const char *question, const struct ekb_contrast *contrasts)
{
    const bool is_control = strcmp(question, EKB_EFFECT_CONTROL) == 0;
    enum ekb_err err = EKB_OK;
    for (unsigned metric = 0; metric < NUM_METRICS && err == EKB_OK; metric++) {
        char text[EKB_RECORD_TEXT_LEN];
        (void)snprintf(text, sizeof text, "%s - %s",
                       work->plan->arms[is_control ? EKB_QUADRUPLE_TWIN : EKB_QUADRUPLE_A].name,
                       work->plan->arms[is_control ? EKB_QUADRUPLE_A : EKB_QUADRUPLE_B].name);
        const struct ekb_effect_label label = {.question = question,
                                               .contrast = text,
                                               .stage = work->plan->name,
                                               .metric = metrics[metric].name,
                                               .unit = metrics[metric].unit,
                                               .method = METHOD};
        err = ekb_effects_append(record, &label, &contrasts[metric]);
    }
    return err;
}

// heed_control takes the verdict back if the control says so, or cannot say anything.
static void heed_control(struct ekb_record *record, const struct workspace *work,
                         struct ekb_contrast *treatment, const struct ekb_contrast *control,
                         const char *metric)
{
    if (!treatment->known || !ekb_verdict_control_is_possible(control->num_values)) {
        treatment->verdict = EKB_VERDICT_NONE;
    } else if (ekb_verdict_control_differs(control->values, control->num_values)) {
        treatment->verdict = EKB_VERDICT_WITHHELD;
        ekb_record_add_reason(record,
                              "%s: the A/A control shows a difference where there is none (%s)",
                              work->plan->name, metric);
    }
}

static enum ekb_err add_contrasts(struct ekb_record *record, const struct workspace *work)
{
    struct ekb_contrast treatments[NUM_METRICS];
    struct ekb_contrast controls[NUM_METRICS];
    for (unsigned metric = 0; metric < NUM_METRICS; metric++) {
        const struct contrasts *contrasts = &work->contrasts[metric];
        treatments[metric] = (struct ekb_contrast){.values = contrasts->treatment,
                                                   .num_values = contrasts->num,
                                                   .equivalence = metrics[metric].equivalence};
        controls[metric] =
            (struct ekb_contrast){.values = contrasts->control, .num_values = contrasts->num};
    }
    enum ekb_err err = EKB_OK;
    // Each metric is a question of its own, as in the other channels: there is nothing to adjust.
    for (unsigned metric = 0; metric < NUM_METRICS && err == EKB_OK; metric++) {
        err = ekb_verdict_decide(&controls[metric], 1, false);
        if (err == EKB_OK) {
            err = ekb_verdict_decide(&treatments[metric], 1, false);
        }
    }
    for (unsigned metric = 0; metric < NUM_METRICS && err == EKB_OK; metric++) {
        heed_control(record, work, &treatments[metric], &controls[metric], metrics[metric].name);
    }
    if (err == EKB_OK) {
        err = append(record, work, EKB_EFFECT_CONTROL, controls);
    }
    return err != EKB_OK ? err : append(record, work, EKB_EFFECT_LOAD, treatments);
}

static bool is_empty(const struct ekb_record_block *blocks)
{
    bool empty = false;
    for (size_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
        empty = empty || !blocks[i].wall_ns.known;
    }
    return empty;
}

static void check_dropped(struct ekb_record *record, const struct workspace *work)
{
    uint64_t num_disturbed = 0;
    uint64_t num_empty = 0;
    for (size_t q = 0; q < work->num_quadruples; q++) {
        const struct ekb_record_block *blocks = work->blocks + q * EKB_QUADRUPLE_LEN;
        num_disturbed += is_disturbed(blocks) ? 1 : 0;
        num_empty += is_empty(blocks) && !is_disturbed(blocks) ? 1 : 0;
    }
    if (ekb_check_too_many_dropped(num_disturbed, work->num_quadruples)) {
        ekb_record_add_reason(
            record, "%s: other work or the hypervisor disturbed %llu of %zu quadruples",
            work->plan->name, (unsigned long long)num_disturbed, work->num_quadruples);
    }
    if (ekb_check_too_many_dropped(num_empty, work->num_quadruples)) {
        ekb_record_add_reason(
            record, "%s: in %llu of %zu quadruples no handshake began and ended within its block",
            work->plan->name, (unsigned long long)num_empty, work->num_quadruples);
    }
}

// check_washout sees that connections of a block do not reach into what is measured of the next
// one: of those that do, a block keeps the short ones only.
static void check_washout(struct ekb_record *record, const struct workspace *work,
                          const struct ekb_stage *stage)
{
    const struct ekb_plan_stage *plan = work->plan;
    const double washout_ns = (double)plan->washout_slices * (double)plan->slice_ns;
    double sum_ns = 0;
    double num = 0;
    for (size_t i = 0; i < plan->num_arms; i++) {
        const struct ekb_moments *moments = &stage->client.tally->arms[i].latency.moments;
        sum_ns += (double)moments->sum;
        num += (double)moments->count;
    }
    if (num > 0 && sum_ns / num > washout_ns) {
        ekb_record_add_reason(record,
                              "%s: handshakes took %.0f ms, longer than the washout of %.0f ms: "
                              "blocks show differences smaller than they are",
                              plan->name, sum_ns / num / 1e6, washout_ns / 1e6);
    }
}

static uint32_t slices_of(double ns, uint64_t slice_ns)
{
    const double slices = ceil(ns / (double)slice_ns);
    return slices < 1 ? 1 : slices > 1e6 ? 1000000 : (uint32_t)slices;
}

void ekb_blocks_size(struct ekb_plan_stage *plan, struct ekb_record *record, double rate_per_s)
{
    if (!(rate_per_s > 0) || plan->block_slices == 0) {
        return;
    }
    const double latency_ns = (double)plan->in_flight / rate_per_s * 1e9;
    const uint32_t budget = plan->num_slices;
    const uint32_t planned =
        (plan->num_slices - plan->num_warmup) / plan->block_slices / EKB_QUADRUPLE_LEN;
    plan->washout_slices = slices_of(1.4 * latency_ns, plan->slice_ns);
    plan->block_slices = plan->washout_slices + slices_of(1.05 * latency_ns, plan->slice_ns);
    plan->num_warmup = slices_of(2.0 * latency_ns, plan->slice_ns);
    const uint32_t quadruple = EKB_QUADRUPLE_LEN * plan->block_slices;
    uint32_t num = budget > plan->num_warmup ? (budget - plan->num_warmup) / quadruple : 0;
    const uint32_t wanted = plan->num_warmup + EKB_BLOCKS_MIN_QUADRUPLES * quadruple;
    if (num < EKB_BLOCKS_MIN_QUADRUPLES && wanted <= budget + budget / STRETCH) {
        num = EKB_BLOCKS_MIN_QUADRUPLES;
    }
    const uint32_t most = planned > MAX_QUADRUPLES ? planned : MAX_QUADRUPLES;
    num = num < 1 ? 1 : num > most ? most : num;
    plan->num_slices = plan->num_warmup + num * quadruple;
    if (num < EKB_BLOCKS_MIN_QUADRUPLES) {
        ekb_record_add_note(record,
                            "%s: a handshake takes some %.0f ms with %u in flight, so that there "
                            "is time for %u quadruples of blocks only, of which %d are needed for "
                            "a verdict (fewer in flight need less time)",
                            plan->name, latency_ns / 1e6, (unsigned)plan->in_flight, (unsigned)num,
                            EKB_BLOCKS_MIN_QUADRUPLES);
    }
}

enum ekb_err ekb_blocks_add(struct ekb_record *record, const struct ekb_plan_stage *plan,
                            const struct ekb_stage *stage, uint64_t seed)
{
    const size_t num_before = record->num_blocks;
    enum ekb_err err = add_rows(record, plan, stage, seed);
    if (err != EKB_OK) {
        return err;
    }
    struct workspace work = {
        .plan = plan,
        .blocks = record->blocks + num_before,
        .num_quadruples = (record->num_blocks - num_before) / EKB_QUADRUPLE_LEN,
        .seed = seed,
    };
    err = fill_contrasts(&work);
    if (err == EKB_OK) {
        err = add_contrasts(record, &work);
    }
    check_dropped(record, &work);
    check_washout(record, &work, stage);
    free(work.memory);
    return err;
}
