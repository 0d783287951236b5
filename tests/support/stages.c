#include "support/stages.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#define ALERT_UNSUPPORTED_CERTIFICATE 43

static void init_side(struct ekb_stage_side *side, size_t num_arms,
                      const struct ekb_timeline *timeline, int cpu)
{
    const uint32_t num_slices = timeline->num_slices;
    cr_assert_eq(
        ekb_tally_create(&side->tally, num_arms, num_slices, ekb_timeline_num_blocks(timeline)),
        EKB_OK);
    side->num_workers = 1;
    side->cpus[0] = cpu;
    for (uint32_t i = 0; i < num_slices; i++) {
        side->tally->cpu_ns_at[i] = 1000 + i * STAGE_FIXTURE_CPU_NS;
        side->tally->steps_ns[i] = STAGE_FIXTURE_STEPS_NS;
    }
    side->tally->cpu_ns_at[num_slices] = 1000 + num_slices * STAGE_FIXTURE_CPU_NS;
    (void)snprintf(side->tally->ring_setup, sizeof side->tally->ring_setup, "by hand");
}

static void init(struct ekb_stage *out_stage, size_t num_arms, const struct ekb_timeline *timeline)
{
    *out_stage = (struct ekb_stage){.timeline = *timeline, .steal_known = true};
    init_side(&out_stage->server, num_arms, timeline, 0);
    init_side(&out_stage->client, num_arms, timeline, 1);
    out_stage->steal_by_slice = calloc(timeline->num_slices, sizeof out_stage->steal_by_slice[0]);
    cr_assert_not_null(out_stage->steal_by_slice);
    out_stage->network_by_slice =
        calloc(timeline->num_slices, sizeof out_stage->network_by_slice[0]);
    cr_assert_not_null(out_stage->network_by_slice);
}

void stage_fixture_init(struct ekb_stage *out_stage, size_t num_arms, uint32_t num_slices,
                        uint32_t num_warmup, uint32_t floor_every)
{
    const struct ekb_timeline timeline = {.origin_ns = 1,
                                          .slice_ns = STAGE_FIXTURE_SLICE_NS,
                                          .num_slices = num_slices,
                                          .num_warmup = num_warmup,
                                          .floor_every = floor_every};
    init(out_stage, num_arms, &timeline);
}

void stage_fixture_init_blocks(struct ekb_stage *out_stage, size_t num_arms, uint32_t num_blocks,
                               uint32_t block_slices, uint32_t washout_slices, uint32_t num_warmup)
{
    const struct ekb_timeline timeline = {.origin_ns = 1,
                                          .slice_ns = STAGE_FIXTURE_SLICE_NS,
                                          .num_slices = num_warmup + num_blocks * block_slices,
                                          .num_warmup = num_warmup,
                                          .block_slices = block_slices,
                                          .washout_slices = washout_slices};
    init(out_stage, num_arms, &timeline);
}

void stage_fixture_use_cpu(struct ekb_stage_side *side, uint32_t slice, uint64_t cpu_ns)
{
    uint64_t *at = side->tally->cpu_ns_at;
    const uint64_t before_ns = at[slice + 1] - at[slice];
    for (size_t i = slice + 1; i <= side->tally->num_slices; i++) {
        at[i] = at[i] - before_ns + cpu_ns;
    }
}

void stage_fixture_end(struct ekb_stage_side *side, uint32_t slice)
{
    for (size_t i = slice + 1; i <= side->tally->num_slices; i++) {
        side->tally->cpu_ns_at[i] = 0;
    }
}

static void add_samples(const struct ekb_stage *stage, struct ekb_tally *tally, size_t arm_index,
                        uint32_t slice, uint64_t count, uint64_t steps_ns)
{
    struct ekb_tally_arm *arm = &tally->arms[arm_index];
    tally->completed[slice] += count;
    arm->started += count;
    arm->steps_by_slice[slice].count += count;
    arm->steps_by_slice[slice].sum += count * steps_ns;
    arm->wire_by_slice[slice].count += count;
    arm->wire_by_slice[slice].sum += count * 3000;
    const uint32_t block = ekb_timeline_block(&stage->timeline, slice);
    for (uint64_t i = 0;
         ekb_timeline_kind(&stage->timeline, slice) == EKB_SLICE_MEASURED && i < count; i++) {
        ekb_distribution_add(&arm->steps, steps_ns);
        arm->sent_bytes += 1000;
        if (tally == stage->client.tally) {
            ekb_distribution_add(&arm->latency, STAGE_FIXTURE_LATENCY * steps_ns);
            ekb_distribution_add(&arm->connect, steps_ns / 10 + 1);
            if (block != UINT32_MAX) {
                ekb_distribution_add(&tally->latency_by_block[block],
                                     STAGE_FIXTURE_LATENCY * steps_ns);
            }
        } else {
            ekb_distribution_add(&arm->verify, steps_ns / 2 + 1);
        }
    }
}

void stage_fixture_accept(struct ekb_stage *stage, size_t arm, uint32_t slice, uint64_t count,
                          uint64_t steps_ns)
{
    struct ekb_tally *const sides[] = {stage->server.tally, stage->client.tally};
    for (size_t i = 0; i < 2; i++) {
        add_samples(stage, sides[i], arm, slice, count, steps_ns);
        sides[i]->arms[arm].accepted += count;
        sides[i]->accepted_by_arm[slice * sides[i]->num_arms + arm] += count;
    }
}

void stage_fixture_reject(struct ekb_stage *stage, size_t arm, uint32_t slice, uint64_t count,
                          uint64_t steps_ns)
{
    struct ekb_tally *const sides[] = {stage->server.tally, stage->client.tally};
    for (size_t i = 0; i < 2; i++) {
        add_samples(stage, sides[i], arm, slice, count, steps_ns);
        sides[i]->arms[arm].rejected += count;
        sides[i]->arms[arm].alerts[ALERT_UNSUPPORTED_CERTIFICATE] += count;
    }
    stage->server.tally->arms[arm].failures[EKB_VERIFY_PURPOSE] += count;
    stage->client.tally->arms[arm].failures[EKB_TLS_ALERT] += count;
}

void stage_fixture_floor(struct ekb_stage *stage, uint32_t slice, uint64_t count,
                         uint64_t memory_ns)
{
    struct ekb_tally *const sides[] = {stage->server.tally, stage->client.tally};
    for (size_t i = 0; i < 2; i++) {
        sides[i]->floor_by_slice[slice].count += count;
        sides[i]->floor_by_slice[slice].sum += count * memory_ns;
        for (uint64_t j = 0; j < count; j++) {
            ekb_distribution_add(&sides[i]->floor, memory_ns);
        }
    }
}
