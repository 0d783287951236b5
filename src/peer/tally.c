#include "ekubench/peer/tally.h"

#include <sys/mman.h>

const uint32_t ekb_tally_repeats[EKB_TALLY_NUM_REPEATS] = {0, 8, 32, 64};

// A region is measured first and cut afterwards by the same code: with `base` NULL `take` only adds
// up.
struct region {
    uint8_t *base;
    size_t used;
};

static void *take(struct region *region, size_t num_items, size_t item_len)
{
    const size_t begin = (region->used + 63) & ~(size_t)63;
    region->used = begin + num_items * item_len;
    return region->base != NULL ? region->base + begin : NULL;
}

static void take_distribution(struct region *region, struct ekb_distribution *distribution)
{
    void *memory = take(region, 1, ekb_hist_size());
    if (memory != NULL) {
        distribution->hist = ekb_hist_init(memory);
    }
}

static struct ekb_tally *lay_out(struct region *region, size_t num_arms, size_t num_slices,
                                 size_t num_blocks)
{
    struct ekb_tally measuring = {0};
    struct ekb_tally_arm measuring_arm = {0};
    struct ekb_tally *placed = take(region, 1, sizeof *placed);
    struct ekb_tally *tally = placed != NULL ? placed : &measuring;

    tally->num_arms = num_arms;
    tally->num_slices = num_slices;
    tally->num_blocks = num_blocks;
    tally->arms = take(region, num_arms, sizeof tally->arms[0]);
    tally->cpu_ns_at = take(region, num_slices + 1, sizeof(uint64_t));
    tally->usage = take(region, num_slices, sizeof tally->usage[0]);
    tally->run_delay_ns = take(region, num_slices, sizeof(uint64_t));
    tally->steps_ns = take(region, num_slices, sizeof(uint64_t));
    tally->completed = take(region, num_slices, sizeof(uint64_t));
    tally->accepted_by_arm = take(region, num_slices * num_arms, sizeof(uint64_t));
    tally->floor_by_slice = take(region, num_slices, sizeof(struct ekb_slice_sum));
    take_distribution(region, &tally->floor);
    take_distribution(region, &tally->lag);
    take_distribution(region, &tally->dropped_wait);
    for (size_t i = 0; i < EKB_TALLY_NUM_PROBES; i++) {
        tally->probes[i] = take(region, num_slices, sizeof(struct ekb_slice_sum));
    }
    tally->latency_by_block = take(region, num_blocks, sizeof tally->latency_by_block[0]);
    for (size_t i = 0; i < num_blocks; i++) {
        struct ekb_distribution measuring_block = {.hist = NULL};
        take_distribution(region, placed != NULL ? &tally->latency_by_block[i] : &measuring_block);
    }
    for (size_t i = 0; i < num_arms; i++) {
        struct ekb_tally_arm *arm = placed != NULL ? &tally->arms[i] : &measuring_arm;
        take_distribution(region, &arm->latency);
        take_distribution(region, &arm->uncorrected);
        take_distribution(region, &arm->connect);
        take_distribution(region, &arm->steps);
        take_distribution(region, &arm->verify);
        arm->steps_by_slice = take(region, num_slices, sizeof(struct ekb_slice_sum));
        arm->wire_by_slice = take(region, num_slices, sizeof(struct ekb_slice_sum));
    }
    return placed;
}

// The mapping's length is kept in front of the tally.
struct header {
    size_t mapped_len;
};

enum ekb_err ekb_tally_create(struct ekb_tally **out_tally, size_t num_arms, size_t num_slices,
                              size_t num_blocks)
{
    struct region region = {.base = NULL, .used = sizeof(struct header)};
    (void)lay_out(&region, num_arms, num_slices, num_blocks);
    const size_t mapped_len = region.used;

    uint8_t *memory = mmap(NULL, mapped_len, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return EKB_NOMEM;
    }
    ((struct header *)(void *)memory)->mapped_len = mapped_len;
    region = (struct region){.base = memory, .used = sizeof(struct header)};
    *out_tally = lay_out(&region, num_arms, num_slices, num_blocks);
    EKB_CHECK(region.used == mapped_len);
    return EKB_OK;
}

void ekb_tally_destroy(struct ekb_tally *tally)
{
    if (tally != NULL) {
        // `take` rounds up to 64, so the tally begins 64 bytes after its header.
        struct header *header = (struct header *)(void *)((uint8_t *)tally - 64);
        EKB_CHECK(munmap(header, header->mapped_len) == 0);
    }
}

void ekb_distribution_add(struct ekb_distribution *distribution, uint64_t value_ns)
{
    ekb_moments_add(&distribution->moments, value_ns);
    ekb_hist_record(distribution->hist, value_ns);
}
