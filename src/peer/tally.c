#include "ekubench/peer/tally.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

const uint32_t ekb_tally_repeats[EKB_TALLY_NUM_REPEATS] = {0, 8, 32, 64};

// A region is measured first and cut afterwards by the same code: with `base` NULL `take` only adds
// up.
struct region {
    uint8_t *base;
    size_t used;
};

const char *ekb_expect_name(enum ekb_expect expect)
{
    static const char *const names[] = {"reject", "accept", "refuse"};
    return names[expect];
}

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
    tally->open_at = take(region, num_slices + 1, sizeof(uint64_t));
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
        ekb_series_destroy(tally->series);
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

// Merging.

static void merge_distribution(struct ekb_distribution *to, const struct ekb_distribution *from)
{
    ekb_moments_merge(&to->moments, &from->moments);
    ekb_hist_merge(to->hist, from->hist);
}

static void merge_slices(struct ekb_slice_sum *to, const struct ekb_slice_sum *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i].count += from[i].count;
        to[i].sum += from[i].sum;
    }
}

static void merge_counts(uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

static void merge_arm(struct ekb_tally_arm *to, const struct ekb_tally_arm *from, size_t num_slices)
{
    to->started += from->started;
    to->accepted += from->accepted;
    to->rejected += from->rejected;
    to->failed += from->failed;
    to->unfinished += from->unfinished;
    to->resumed += from->resumed;
    to->dropped += from->dropped;
    merge_counts(to->failures, from->failures, EKB_ERR_COUNT);
    merge_counts(to->alerts, from->alerts, EKB_TALLY_NUM_ALERTS);
    merge_distribution(&to->latency, &from->latency);
    merge_distribution(&to->uncorrected, &from->uncorrected);
    merge_distribution(&to->connect, &from->connect);
    merge_distribution(&to->steps, &from->steps);
    merge_distribution(&to->verify, &from->verify);
    to->sent_bytes += from->sent_bytes;
    merge_slices(to->steps_by_slice, from->steps_by_slice, num_slices);
    merge_slices(to->wire_by_slice, from->wire_by_slice, num_slices);
}

static void merge_usage(struct ekb_tally *to, const struct ekb_tally *from)
{
    for (size_t i = 0; i <= to->num_slices; i++) {
        const bool both = to->cpu_ns_at[i] != 0 && from->cpu_ns_at[i] != 0;
        to->cpu_ns_at[i] = both ? to->cpu_ns_at[i] + from->cpu_ns_at[i] : 0;
    }
    for (size_t i = 0; i < to->num_slices; i++) {
        to->usage[i].voluntary_switches += from->usage[i].voluntary_switches;
        to->usage[i].involuntary_switches += from->usage[i].involuntary_switches;
        to->usage[i].minor_faults += from->usage[i].minor_faults;
        to->usage[i].major_faults += from->usage[i].major_faults;
        if (from->run_delay_ns[i] > to->run_delay_ns[i]) {
            to->run_delay_ns[i] = from->run_delay_ns[i];
        }
    }
    to->user_ns += from->user_ns;
    to->system_ns += from->system_ns;
}

static void merge_texts(struct ekb_tally *to, const struct ekb_tally *from)
{
    if (to->ring_setup[0] == '\0') {
        memcpy(to->ring_setup, from->ring_setup, sizeof to->ring_setup);
    }
    if (to->cipher[0] == '\0') {
        memcpy(to->version, from->version, sizeof to->version);
        memcpy(to->cipher, from->cipher, sizeof to->cipher);
        memcpy(to->group, from->group, sizeof to->group);
        memcpy(to->signature, from->signature, sizeof to->signature);
    }
}

void ekb_tally_merge(struct ekb_tally *to, const struct ekb_tally *from)
{
    EKB_CHECK(to->num_arms == from->num_arms && to->num_slices == from->num_slices &&
              to->num_blocks == from->num_blocks);
    for (size_t i = 0; i < to->num_arms; i++) {
        merge_arm(&to->arms[i], &from->arms[i], to->num_slices);
    }
    merge_usage(to, from);
    merge_counts(to->open_at, from->open_at, to->num_slices + 1);
    merge_counts(to->steps_ns, from->steps_ns, to->num_slices);
    merge_counts(to->completed, from->completed, to->num_slices);
    merge_counts(to->accepted_by_arm, from->accepted_by_arm, to->num_slices * to->num_arms);
    for (size_t i = 0; i < EKB_TALLY_NUM_PROBES; i++) {
        merge_slices(to->probes[i], from->probes[i], to->num_slices);
    }
    for (size_t i = 0; i < to->num_blocks; i++) {
        merge_distribution(&to->latency_by_block[i], &from->latency_by_block[i]);
    }
    merge_distribution(&to->floor, &from->floor);
    merge_slices(to->floor_by_slice, from->floor_by_slice, to->num_slices);
    merge_distribution(&to->lag, &from->lag);
    merge_distribution(&to->dropped_wait, &from->dropped_wait);
    if (to->series != NULL && from->series != NULL) {
        ekb_series_merge(to->series, from->series);
    }
    to->num_overflows += from->num_overflows;
    to->num_accept_errors += from->num_accept_errors;
    to->ended_ns = from->ended_ns > to->ended_ns ? from->ended_ns : to->ended_ns;
    to->open_connections += from->open_connections;
    to->peak_connections += from->peak_connections;
    merge_texts(to, from);
}

void ekb_tally_settle(struct ekb_tally *tally, uint64_t now_ns)
{
    if (tally->ended_ns == 0) {
        tally->ended_ns = now_ns;
    }
    for (size_t i = 0; i < tally->num_arms; i++) {
        struct ekb_tally_arm *arm = &tally->arms[i];
        const uint64_t ended = arm->accepted + arm->rejected + arm->failed;
        arm->unfinished = arm->started > ended ? arm->started - ended : 0;
    }
}
