#include "ekubench/peer/timeline.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <stddef.h>

// Ten slices of 100 from 1000 on: two to warm up, then every third is for the floor.
static const struct ekb_timeline timeline = {
    .origin_ns = 1000, .slice_ns = 100, .num_slices = 10, .num_warmup = 2, .floor_every = 3};

Test(timeline, knows_the_slice_when_given_the_time)
{
    static const struct {
        uint64_t now_ns;
        uint32_t slice;
    } cases[] = {
        {0, 0},    {999, 0},  {1000, 0}, {1099, 0},  {1100, 1},  {1199, 1},  {1850, 8},
        {1899, 8}, {1900, 9}, {1999, 9}, {2000, 10}, {2001, 10}, {5000, 10}, {UINT64_MAX, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint32_t slice = ekb_timeline_slice(&timeline, cases[i].now_ns);

        cr_expect_eq(slice, cases[i].slice, "%" PRIu64 ": %" PRIu32 ", not %" PRIu32,
                     cases[i].now_ns, slice, cases[i].slice);
    }
}

Test(timeline, knows_what_a_slice_is_for_when_asked)
{
    static const enum ekb_slice_kind kinds[] = {
        EKB_SLICE_WARMUP,   EKB_SLICE_WARMUP,   EKB_SLICE_MEASURED, EKB_SLICE_MEASURED,
        EKB_SLICE_FLOOR,    EKB_SLICE_MEASURED, EKB_SLICE_MEASURED, EKB_SLICE_FLOOR,
        EKB_SLICE_MEASURED, EKB_SLICE_MEASURED, EKB_SLICE_OVER,     EKB_SLICE_OVER,
    };
    for (uint32_t slice = 0; slice < 12; slice++) {
        const enum ekb_slice_kind kind = ekb_timeline_kind(&timeline, slice);

        cr_expect_eq(kind, kinds[slice], "%" PRIu32 ": %d, not %d", slice, (int)kind,
                     (int)kinds[slice]);
    }
}

Test(timeline, is_over_when_the_slice_is_far_beyond_the_end)
{
    cr_assert_eq(ekb_timeline_kind(&timeline, UINT32_MAX), EKB_SLICE_OVER);
}

Test(timeline, has_no_floor_when_it_wants_none)
{
    struct ekb_timeline without = timeline;
    without.floor_every = 0;

    for (uint32_t slice = 2; slice < 10; slice++) {
        const enum ekb_slice_kind kind = ekb_timeline_kind(&without, slice);

        cr_expect_eq(kind, EKB_SLICE_MEASURED, "%" PRIu32 ": %d", slice, (int)kind);
    }
}

Test(timeline, has_nothing_but_floor_when_every_slice_is_one)
{
    struct ekb_timeline floor_only = timeline;
    floor_only.floor_every = 1;

    for (uint32_t slice = 0; slice < 10; slice++) {
        const enum ekb_slice_kind kind = ekb_timeline_kind(&floor_only, slice);

        cr_expect_eq(kind, slice < 2 ? EKB_SLICE_WARMUP : EKB_SLICE_FLOOR, "%" PRIu32 ": %d", slice,
                     (int)kind);
    }
}

Test(timeline, only_warms_up_when_no_slice_is_left)
{
    struct ekb_timeline warmup_only = timeline;
    warmup_only.num_warmup = 10;

    for (uint32_t slice = 0; slice < 10; slice++) {
        cr_expect_eq(ekb_timeline_kind(&warmup_only, slice), EKB_SLICE_WARMUP, "%" PRIu32, slice);
    }
    cr_expect_eq(ekb_timeline_kind(&warmup_only, 10), EKB_SLICE_OVER);
}

Test(timeline, is_over_at_once_when_it_has_no_slices)
{
    const struct ekb_timeline empty = {.origin_ns = 1000, .slice_ns = 100};

    cr_expect_eq(ekb_timeline_slice(&empty, 1500), 0u);
    cr_expect_eq(ekb_timeline_kind(&empty, 0), EKB_SLICE_OVER);
    cr_expect_eq(ekb_timeline_start(&empty, 0), 1000u);
}

Test(timeline, knows_when_a_slice_starts_when_asked)
{
    static const struct {
        uint32_t slice;
        uint64_t start_ns;
    } cases[] = {{0, 1000}, {1, 1100}, {9, 1900}, {10, 2000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t start_ns = ekb_timeline_start(&timeline, cases[i].slice);

        cr_expect_eq(start_ns, cases[i].start_ns, "%" PRIu32 ": %" PRIu64, cases[i].slice,
                     start_ns);
    }
}

Test(timeline, does_not_wrap_when_slices_are_long_and_many)
{
    // A day, in slices of 10 s, after three years of uptime.
    const struct ekb_timeline day = {.origin_ns = UINT64_C(94608000000000000),
                                     .slice_ns = UINT64_C(10000000000),
                                     .num_slices = 8640};

    const uint64_t end_ns = ekb_timeline_start(&day, 8640);

    cr_expect_eq(end_ns - day.origin_ns, UINT64_C(86400000000000), "%" PRIu64, end_ns);
    cr_expect_eq(ekb_timeline_slice(&day, end_ns - 1), 8639u);
    cr_expect_eq(ekb_timeline_slice(&day, end_ns), 8640u);
}

Test(timeline, starts_each_slice_where_it_belongs_when_both_are_asked)
{
    for (uint32_t slice = 0; slice <= timeline.num_slices; slice++) {
        const uint64_t start_ns = ekb_timeline_start(&timeline, slice);

        cr_expect_eq(ekb_timeline_slice(&timeline, start_ns), slice, "%" PRIu32, slice);
        if (slice > 0) {
            cr_expect_eq(ekb_timeline_slice(&timeline, start_ns - 1), slice - 1, "%" PRIu32, slice);
        }
    }
}

// TCP slices.

Test(timeline, has_a_tcp_slice_before_each_floor_slice_when_it_wants_them)
{
    static const enum ekb_slice_kind kinds[] = {
        EKB_SLICE_WARMUP, EKB_SLICE_WARMUP, EKB_SLICE_MEASURED, EKB_SLICE_TCP, EKB_SLICE_FLOOR,
        EKB_SLICE_MEASURED, EKB_SLICE_TCP, EKB_SLICE_FLOOR,
        // The last turn is cut short: it has what comes first of it.
        EKB_SLICE_MEASURED, EKB_SLICE_TCP, EKB_SLICE_OVER};
    struct ekb_timeline with_tcp = timeline;
    with_tcp.tcp_floor = true;

    for (uint32_t slice = 0; slice < sizeof kinds / sizeof kinds[0]; slice++) {
        const enum ekb_slice_kind kind = ekb_timeline_kind(&with_tcp, slice);

        cr_expect_eq(kind, kinds[slice], "%" PRIu32 ": %d, not %d", slice, (int)kind,
                     (int)kinds[slice]);
    }
}

Test(timeline, measures_all_but_the_last_two_of_a_turn_when_turns_are_long)
{
    struct ekb_timeline with_tcp = timeline;
    with_tcp.tcp_floor = true;
    with_tcp.floor_every = 5;
    with_tcp.num_slices = 2 + 3 * 5;

    for (uint32_t slice = 2; slice < with_tcp.num_slices; slice++) {
        const uint32_t place = (slice - 2) % 5;
        const enum ekb_slice_kind expected = place == 4   ? EKB_SLICE_FLOOR
                                             : place == 3 ? EKB_SLICE_TCP
                                                          : EKB_SLICE_MEASURED;
        const enum ekb_slice_kind kind = ekb_timeline_kind(&with_tcp, slice);

        cr_expect_eq(kind, expected, "%" PRIu32 ": %d, not %d", slice, (int)kind, (int)expected);
    }
}

Test(timeline, has_no_tcp_slice_when_it_has_no_floor)
{
    struct ekb_timeline without = timeline;
    without.tcp_floor = true;
    without.floor_every = 0;

    for (uint32_t slice = 2; slice < 10; slice++) {
        const enum ekb_slice_kind kind = ekb_timeline_kind(&without, slice);

        cr_expect_eq(kind, EKB_SLICE_MEASURED, "%" PRIu32 ": %d", slice, (int)kind);
    }
}

// Blocks: two slices of warm-up, then two blocks of four slices, of which one is washout, and
// three slices of a third.
static const struct ekb_timeline blocks = {.origin_ns = 1000,
                                           .slice_ns = 100,
                                           .num_slices = 13,
                                           .num_warmup = 2,
                                           .block_slices = 4,
                                           .washout_slices = 1};

Test(timeline, counts_whole_blocks_when_it_has_blocks)
{
    static const struct {
        uint32_t num_slices;
        uint32_t num_blocks;
    } cases[] = {{2, 0}, {3, 0}, {5, 0}, {6, 1}, {9, 1}, {10, 2}, {13, 2}, {14, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_timeline cut = blocks;
        cut.num_slices = cases[i].num_slices;

        const uint32_t num_blocks = ekb_timeline_num_blocks(&cut);

        cr_expect_eq(num_blocks, cases[i].num_blocks, "%" PRIu32 " slices: %" PRIu32,
                     cases[i].num_slices, num_blocks);
    }
}

Test(timeline, has_no_blocks_when_it_wants_none)
{
    cr_expect_eq(ekb_timeline_num_blocks(&timeline), 0u);
    for (uint32_t slice = 0; slice < 12; slice++) {
        cr_expect_eq(ekb_timeline_block(&timeline, slice), UINT32_MAX, "%" PRIu32, slice);
    }
}

// Neither the warm-up nor the block that is cut short is a block: nothing may be counted there.
Test(timeline, knows_the_block_of_a_slice_when_it_is_in_a_whole_one)
{
    static const uint32_t expected[] = {UINT32_MAX, UINT32_MAX, 0,          0,          0,
                                        0,          1,          1,          1,          1,
                                        UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (uint32_t slice = 0; slice < sizeof expected / sizeof expected[0]; slice++) {
        const uint32_t block = ekb_timeline_block(&blocks, slice);

        cr_expect_eq(block, expected[slice], "%" PRIu32 ": %" PRIu32 ", not %" PRIu32, slice, block,
                     expected[slice]);
    }
    cr_expect_eq(ekb_timeline_block(&blocks, UINT32_MAX), UINT32_MAX);
}

Test(timeline, washes_out_the_first_slices_of_each_block_when_it_has_blocks)
{
    for (uint32_t washout = 0; washout <= blocks.block_slices; washout++) {
        struct ekb_timeline washed = blocks;
        washed.washout_slices = washout;

        cr_expect_eq(ekb_timeline_kind(&washed, 0), EKB_SLICE_WARMUP);
        cr_expect_eq(ekb_timeline_kind(&washed, 1), EKB_SLICE_WARMUP);
        for (uint32_t slice = 2; slice < 10; slice++) {
            const enum ekb_slice_kind expected =
                (slice - 2) % 4 < washout ? EKB_SLICE_WASHOUT : EKB_SLICE_MEASURED;
            const enum ekb_slice_kind kind = ekb_timeline_kind(&washed, slice);

            cr_expect_eq(kind, expected, "washout %" PRIu32 ", slice %" PRIu32 ": %d", washout,
                         slice, (int)kind);
        }
        cr_expect_eq(ekb_timeline_kind(&washed, 13), EKB_SLICE_OVER);
    }
}

Test(timeline, gives_each_block_as_many_slices_as_it_says_when_counted)
{
    uint32_t lengths[2] = {0};

    for (uint32_t slice = 0; slice < blocks.num_slices; slice++) {
        const uint32_t block = ekb_timeline_block(&blocks, slice);
        if (block != UINT32_MAX) {
            cr_assert_lt(block, 2u, "%" PRIu32, block);
            lengths[block]++;
        }
    }

    cr_expect_eq(lengths[0], 4u, "%" PRIu32, lengths[0]);
    cr_expect_eq(lengths[1], 4u, "%" PRIu32, lengths[1]);
}

Test(timeline, ends_a_slice_a_fifth_before_its_end_when_the_next_is_of_another_kind)
{
    static const uint64_t slices_ns[] = {5, 100, 250000000, 200000000, 3600000000000};
    for (size_t i = 0; i < sizeof slices_ns / sizeof slices_ns[0]; i++) {
        const struct ekb_timeline of_length = {.slice_ns = slices_ns[i], .num_slices = 10};

        const uint64_t ending_ns = ekb_timeline_ending_ns(&of_length);

        cr_expect_eq(ending_ns * 5, slices_ns[i], "%" PRIu64 " of %" PRIu64, ending_ns,
                     slices_ns[i]);
    }
}
