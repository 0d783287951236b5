#include "ekubench/peer/timeline.h"

uint32_t ekb_timeline_slice(const struct ekb_timeline *timeline, uint64_t now_ns)
{
    if (now_ns <= timeline->origin_ns) {
        return 0;
    }
    const uint64_t slice = (now_ns - timeline->origin_ns) / timeline->slice_ns;
    return slice < timeline->num_slices ? (uint32_t)slice : timeline->num_slices;
}

enum ekb_slice_kind ekb_timeline_kind(const struct ekb_timeline *timeline, uint32_t slice)
{
    if (slice >= timeline->num_slices) {
        return EKB_SLICE_OVER;
    }
    if (slice < timeline->num_warmup) {
        return EKB_SLICE_WARMUP;
    }
    if (timeline->block_slices > 0) {
        const uint32_t place = (slice - timeline->num_warmup) % timeline->block_slices;
        return place < timeline->washout_slices ? EKB_SLICE_WASHOUT : EKB_SLICE_MEASURED;
    }
    if (timeline->floor_every == 0) {
        return EKB_SLICE_MEASURED;
    }
    const uint32_t to_floor =
        timeline->floor_every - 1 - (slice - timeline->num_warmup) % timeline->floor_every;
    return to_floor == 0                          ? EKB_SLICE_FLOOR
           : to_floor == 1 && timeline->tcp_floor ? EKB_SLICE_TCP
                                                  : EKB_SLICE_MEASURED;
}

uint32_t ekb_timeline_block(const struct ekb_timeline *timeline, uint32_t slice)
{
    if (timeline->block_slices == 0 || slice < timeline->num_warmup ||
        slice >= timeline->num_slices) {
        return UINT32_MAX;
    }
    const uint32_t block = (slice - timeline->num_warmup) / timeline->block_slices;
    return block < ekb_timeline_num_blocks(timeline) ? block : UINT32_MAX;
}

uint32_t ekb_timeline_num_blocks(const struct ekb_timeline *timeline)
{
    return timeline->block_slices > 0
               ? (timeline->num_slices - timeline->num_warmup) / timeline->block_slices
               : 0;
}

uint64_t ekb_timeline_ending_ns(const struct ekb_timeline *timeline)
{
    return timeline->slice_ns / 5;
}

uint64_t ekb_timeline_start(const struct ekb_timeline *timeline, uint32_t slice)
{
    return timeline->origin_ns + slice * timeline->slice_ns;
}
