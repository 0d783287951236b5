// The timeline of a stage: wall time cut into slices, known to every process that takes part.
//
// Slices are the unit of replication. The first ones warm up and are not measured. Every
// `floor_every`-th measured slice is a floor slice: no connection is started in it, and the workers
// measure the same handshake in memory instead, so that the floor is taken in the same minutes as
// what stands on it. With `tcp_floor` the slice before a floor slice is a TCP slice: its
// connections exchange the bytes of a handshake, without TLS. Pure arithmetic.

#ifndef EKUBENCH_PEER_TIMELINE_H
#define EKUBENCH_PEER_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

struct ekb_timeline {
    uint64_t origin_ns; // Start of slice 0.
    uint64_t slice_ns;
    uint32_t num_slices; // Warm-up included.
    uint32_t num_warmup;
    uint32_t floor_every;    // 0: no floor slices.
    bool tcp_floor;          // With `floor_every` above 2.
    uint32_t block_slices;   // 0: no blocks. The slices after the warm-up make blocks of so many,
    uint32_t washout_slices; // of which the first ones are not measured.
    uint64_t interval_ns;    // Of the series that clients keep (peer/series); 0: none.
};

enum ekb_slice_kind {
    EKB_SLICE_WARMUP,
    EKB_SLICE_MEASURED,
    EKB_SLICE_FLOOR,
    EKB_SLICE_TCP,
    EKB_SLICE_WASHOUT, // Connections of the block before are ending.
    EKB_SLICE_OVER     // Past the end.
};

// ekb_timeline_slice returns the index of the slice at `now_ns`: 0 before the origin, `num_slices`
// past the end.
uint32_t ekb_timeline_slice(const struct ekb_timeline *timeline, uint64_t now_ns);

// ekb_timeline_kind returns what slice `slice` is for.
enum ekb_slice_kind ekb_timeline_kind(const struct ekb_timeline *timeline, uint32_t slice);

// ekb_timeline_start returns when slice `slice` starts; `num_slices` gives the end of the last.
uint64_t ekb_timeline_start(const struct ekb_timeline *timeline, uint32_t slice);

// ekb_timeline_block returns the block of slice `slice`, UINT32_MAX if it is in none;
// ekb_timeline_num_blocks how many whole ones there are.
uint32_t ekb_timeline_block(const struct ekb_timeline *timeline, uint32_t slice);
uint32_t ekb_timeline_num_blocks(const struct ekb_timeline *timeline);

// ekb_timeline_ending_ns returns how long before the end of a slice nothing new begins, if there
// are floor slices and the next one is of another kind: a fifth of a slice.
uint64_t ekb_timeline_ending_ns(const struct ekb_timeline *timeline);

#endif
