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
