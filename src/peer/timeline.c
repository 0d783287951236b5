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
    const bool is_floor =
        timeline->floor_every > 0 &&
        (slice - timeline->num_warmup) % timeline->floor_every == timeline->floor_every - 1;
    return is_floor ? EKB_SLICE_FLOOR : EKB_SLICE_MEASURED;
}

uint64_t ekb_timeline_start(const struct ekb_timeline *timeline, uint32_t slice)
{
    return timeline->origin_ns + slice * timeline->slice_ns;
}
