#include "ekubench/io/deadline.h"

#include "ekubench/base/rng.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdbool.h>

#define CAPACITY 8
#define TTL 100

static struct ekb_deadlines *deadlines;

static void set_up(void)
{
    cr_assert_eq(ekb_deadlines_create(&deadlines, CAPACITY, TTL), EKB_OK);
}

static void tear_down(void)
{
    ekb_deadlines_destroy(deadlines);
}

TestSuite(deadline, .init = set_up, .fini = tear_down);

// assert_pops asserts that `slot` is the next one to expire at `now_ns`.
static void assert_pops(uint32_t slot, uint64_t now_ns)
{
    uint32_t popped = UINT32_MAX;
    cr_assert(ekb_deadlines_pop(deadlines, &popped, now_ns), "nothing has expired");
    cr_assert_eq(popped, slot, "%" PRIu32 ", not %" PRIu32, popped, slot);
}

static void assert_pops_nothing(uint64_t now_ns)
{
    uint32_t popped = UINT32_MAX;
    cr_assert_not(ekb_deadlines_pop(deadlines, &popped, now_ns), "slot %" PRIu32, popped);
    cr_assert_eq(popped, UINT32_MAX, "the output was changed");
}

Test(deadline, ignores_null_when_destroyed)
{
    ekb_deadlines_destroy(NULL);
}

Test(deadline, never_comes_when_nothing_is_armed)
{
    const uint64_t next_ns = ekb_deadlines_next(deadlines);

    cr_assert_eq(next_ns, UINT64_MAX, "%" PRIu64, next_ns);
    assert_pops_nothing(1000000);
}

// So that all can be drained without a case for the empty list.
Test(deadline, pops_nothing_when_empty_at_the_end_of_time)
{
    assert_pops_nothing(UINT64_MAX);
}

Test(deadline, comes_after_the_time_to_live_when_armed)
{
    ekb_deadlines_arm(deadlines, 3, 1000);

    cr_assert_eq(ekb_deadlines_next(deadlines), 1100u, "%" PRIu64, ekb_deadlines_next(deadlines));
    assert_pops_nothing(1099);
    assert_pops(3, 1100);
}

Test(deadline, is_disarmed_when_popped)
{
    ekb_deadlines_arm(deadlines, 3, 1000);

    assert_pops(3, 5000);

    assert_pops_nothing(5000);
    cr_assert_eq(ekb_deadlines_next(deadlines), UINT64_MAX);
}

Test(deadline, pops_in_the_order_of_arming_when_several_have_expired)
{
    static const uint32_t slots[] = {5, 0, 7, 2};
    for (uint64_t i = 0; i < 4; i++) {
        ekb_deadlines_arm(deadlines, slots[i], 1000 + i);
    }

    for (size_t i = 0; i < 4; i++) {
        assert_pops(slots[i], 2000);
    }

    assert_pops_nothing(2000);
}

Test(deadline, pops_only_what_has_expired_when_more_is_armed)
{
    ekb_deadlines_arm(deadlines, 1, 1000);
    ekb_deadlines_arm(deadlines, 2, 1050);

    assert_pops(1, 1149);

    assert_pops_nothing(1149);
    assert_pops(2, 1150);
}

Test(deadline, pops_all_when_armed_at_the_same_time)
{
    for (uint32_t slot = 0; slot < CAPACITY; slot++) {
        ekb_deadlines_arm(deadlines, slot, 1000);
    }

    for (uint32_t slot = 0; slot < CAPACITY; slot++) {
        assert_pops(slot, 1100);
    }

    assert_pops_nothing(1100);
}

Test(deadline, never_comes_when_disarmed)
{
    static const uint32_t slots[] = {1, 2, 3};
    for (size_t disarmed = 0; disarmed < 3; disarmed++) {
        for (size_t i = 0; i < 3; i++) {
            ekb_deadlines_arm(deadlines, slots[i], 1000);
        }

        ekb_deadlines_disarm(deadlines, slots[disarmed]);

        for (size_t i = 0; i < 3; i++) {
            if (i != disarmed) {
                assert_pops(slots[i], 2000);
            }
        }
        assert_pops_nothing(2000);
    }
}

Test(deadline, changes_nothing_when_disarming_what_is_not_armed)
{
    ekb_deadlines_arm(deadlines, 1, 1000);

    ekb_deadlines_disarm(deadlines, 2);
    ekb_deadlines_disarm(deadlines, 2);

    assert_pops(1, 1100);
    assert_pops_nothing(1100);
}

Test(deadline, starts_anew_and_goes_to_the_end_when_armed_again)
{
    ekb_deadlines_arm(deadlines, 1, 1000);
    ekb_deadlines_arm(deadlines, 2, 1010);

    ekb_deadlines_arm(deadlines, 1, 1050);

    assert_pops(2, 1149);
    assert_pops_nothing(1149);
    assert_pops(1, 1150);
}

Test(deadline, can_be_armed_again_when_popped)
{
    ekb_deadlines_arm(deadlines, 1, 1000);
    assert_pops(1, 1100);

    ekb_deadlines_arm(deadlines, 1, 1100);

    assert_pops_nothing(1199);
    assert_pops(1, 1200);
}

Test(deadline, works_from_time_zero_when_the_clock_starts_there)
{
    ekb_deadlines_arm(deadlines, 0, 0);

    assert_pops_nothing(TTL - 1);
    assert_pops(0, TTL);
}

// The same random operations on a plain table.
Test(deadline, agrees_with_a_plain_table_when_used_at_random)
{
    uint64_t expires[CAPACITY] = {0};
    uint64_t now_ns = 1;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 1);

    for (int step = 0; step < 20000; step++) {
        const uint32_t slot = (uint32_t)ekb_rng_below(&rng, CAPACITY);
        const uint64_t action = ekb_rng_below(&rng, 4);
        now_ns += 1 + ekb_rng_below(&rng, 30);
        if (action < 2) {
            ekb_deadlines_arm(deadlines, slot, now_ns);
            expires[slot] = now_ns + TTL;
        } else if (action == 2) {
            ekb_deadlines_disarm(deadlines, slot);
            expires[slot] = 0;
        } else {
            uint32_t popped = UINT32_MAX;
            uint32_t first = UINT32_MAX;
            for (uint32_t i = 0; i < CAPACITY; i++) {
                const bool due = expires[i] != 0 && expires[i] <= now_ns;
                if (due && (first == UINT32_MAX || expires[i] < expires[first])) {
                    first = i;
                }
            }

            const bool got = ekb_deadlines_pop(deadlines, &popped, now_ns);

            cr_assert_eq(got, first != UINT32_MAX, "step %d", step);
            cr_assert_eq(popped, first, "step %d: %" PRIu32 ", not %" PRIu32, step, popped, first);
            if (got) {
                expires[first] = 0;
            }
        }
    }
}
