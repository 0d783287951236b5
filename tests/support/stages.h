// Stages made by hand: both tallies empty, every slice reached, nothing stolen, a CPU for each
// side. What assembles them and estimates from them is tested on numbers that are known.

#ifndef EKUBENCH_TESTS_SUPPORT_STAGES_H
#define EKUBENCH_TESTS_SUPPORT_STAGES_H

#include "ekubench/lab/stage.h"

#include <stddef.h>
#include <stdint.h>

#define STAGE_FIXTURE_SLICE_NS UINT64_C(100000000)
// What each side spends of each slice, in steps and in all.
#define STAGE_FIXTURE_STEPS_NS UINT64_C(60000000)
#define STAGE_FIXTURE_CPU_NS UINT64_C(90000000)
#define STAGE_FIXTURE_LATENCY 3

// stage_fixture_init makes a stage with `num_arms` arms; release it with ekb_stage_deinit.
void stage_fixture_init(struct ekb_stage *out_stage, size_t num_arms, uint32_t num_slices,
                        uint32_t num_warmup, uint32_t floor_every);

// stage_fixture_init_blocks makes one with `num_blocks` blocks of `block_slices` slices each, after
// `num_warmup` others.
void stage_fixture_init_blocks(struct ekb_stage *out_stage, size_t num_arms, uint32_t num_blocks,
                               uint32_t block_slices, uint32_t washout_slices, uint32_t num_warmup);

// stage_fixture_use_cpu makes `side` spend `cpu_ns` in slice `slice`, and no more or less in the
// others.
void stage_fixture_use_cpu(struct ekb_stage_side *side, uint32_t slice, uint64_t cpu_ns);

// stage_fixture_end makes `side` end in slice `slice`: it does not reach the next one.
void stage_fixture_end(struct ekb_stage_side *side, uint32_t slice);

// stage_fixture_accept adds `count` accepted handshakes to `arm` on both sides, in slice `slice`,
// each with the cost `steps_ns` and the latency STAGE_FIXTURE_LATENCY times that.
// stage_fixture_reject adds rejected ones, with the alert
// unsupported_certificate.
void stage_fixture_accept(struct ekb_stage *stage, size_t arm, uint32_t slice, uint64_t count,
                          uint64_t steps_ns);
void stage_fixture_reject(struct ekb_stage *stage, size_t arm, uint32_t slice, uint64_t count,
                          uint64_t steps_ns);

// stage_fixture_floor adds `count` handshakes in memory to both sides, in slice `slice`.
void stage_fixture_floor(struct ekb_stage *stage, uint32_t slice, uint64_t count,
                         uint64_t memory_ns);

#endif
