#include "ekubench/base/rng.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

// Known answers, from an implementation of the paper in another language.
static const struct {
    uint64_t seed;
    uint64_t state[4];
    uint64_t outputs[5];
} known[] = {
    {UINT64_C(0),
     {UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4), UINT64_C(0x06c45d188009454f),
      UINT64_C(0xf88bb8a8724c81ec)},
     {UINT64_C(0x99ec5f36cb75f2b4), UINT64_C(0xbf6e1f784956452a), UINT64_C(0x1a5f849d4933e6e0),
      UINT64_C(0x6aa594f1262d2d2c), UINT64_C(0xbba5ad4a1f842e59)}},
    {UINT64_C(1),
     {UINT64_C(0x910a2dec89025cc1), UINT64_C(0xbeeb8da1658eec67), UINT64_C(0xf893a2eefb32555e),
      UINT64_C(0x71c18690ee42c90b)},
     {UINT64_C(0xb3f2af6d0fc710c5), UINT64_C(0x853b559647364cea), UINT64_C(0x92f89756082a4514),
      UINT64_C(0x642e1c7bc266a3a7), UINT64_C(0xb27a48e29a233673)}},
    {UINT64_C(0x123456789abcdef0),
     {UINT64_C(0x161922c645ce50e8), UINT64_C(0xad760cafa1697b60), UINT64_C(0x3501ff44902ca50d),
      UINT64_C(0x417cb9a826d831df)},
     {UINT64_C(0xe01d6fafc557f1b9), UINT64_C(0xbd627ebe4406b404), UINT64_C(0x2c23132b578b57db),
      UINT64_C(0x2e8b319d4d1f276a), UINT64_C(0x608d57acf53888e4)}},
    {UINT64_MAX,
     {UINT64_C(0xe4d971771b652c20), UINT64_C(0xe99ff867dbf682c9), UINT64_C(0x382ff84cb27281e9),
      UINT64_C(0x6d1db36ccba982d2)},
     {UINT64_C(0x8f5520d52a7ead08), UINT64_C(0xc476a018caa1802d), UINT64_C(0x81de31c0d260469e),
      UINT64_C(0xbf658d7e065f3c2f), UINT64_C(0x913593fda1bca32a)}},
};

#define NUM_KNOWN (sizeof known / sizeof known[0])

Test(rng, fills_its_state_by_splitmix64_when_seeded)
{
    for (size_t i = 0; i < NUM_KNOWN; i++) {
        struct ekb_rng rng;

        ekb_rng_init(&rng, known[i].seed);

        for (size_t j = 0; j < 4; j++) {
            cr_expect_eq(rng.state[j], known[i].state[j],
                         "seed %" PRIx64 ", word %zu: %" PRIx64 ", not %" PRIx64, known[i].seed, j,
                         rng.state[j], known[i].state[j]);
        }
    }
}

Test(rng, gives_the_known_answers_when_seeded)
{
    for (size_t i = 0; i < NUM_KNOWN; i++) {
        struct ekb_rng rng;
        ekb_rng_init(&rng, known[i].seed);

        for (size_t j = 0; j < 5; j++) {
            const uint64_t got = ekb_rng_next(&rng);

            cr_expect_eq(got, known[i].outputs[j],
                         "seed %" PRIx64 ", output %zu: %" PRIx64 ", not %" PRIx64, known[i].seed,
                         j, got, known[i].outputs[j]);
        }
    }
}

// The first outputs of the authors' own code from the state 1, 2, 3, 4.
Test(rng, gives_the_authors_answers_when_started_from_their_state)
{
    static const uint64_t expected[] = {UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240),
                                        UINT64_C(1215971899390074240)};
    struct ekb_rng rng = {.state = {1, 2, 3, 4}};

    for (size_t i = 0; i < 4; i++) {
        const uint64_t got = ekb_rng_next(&rng);

        cr_expect_eq(got, expected[i], "output %zu: %" PRIu64, i, got);
    }
}

Test(rng, gives_the_known_numbers_when_bounded)
{
    static const struct {
        uint64_t bound;
        uint64_t number;
    } expected[] = {
        {1, 0},
        {2, 0},
        {3, 2},
        {10, 3},
        {1000, 476},
        {6, 0},
        {6, 4},
        {6, 3},
        {UINT64_C(1) << 32, 1855415422},
        {(UINT64_C(1) << 63) + 1, UINT64_C(1537523385446153276)},
    };
    struct ekb_rng rng;
    ekb_rng_init(&rng, 42);

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const uint64_t got = ekb_rng_below(&rng, expected[i].bound);

        cr_expect_eq(got, expected[i].number, "below %" PRIu64 ": %" PRIu64 ", not %" PRIu64,
                     expected[i].bound, got, expected[i].number);
    }
}

Test(rng, stays_below_the_bound_when_bounded)
{
    static const uint64_t bounds[] = {1,
                                      2,
                                      3,
                                      7,
                                      256,
                                      1000003,
                                      UINT32_MAX,
                                      INT64_MAX,
                                      (UINT64_C(1) << 63) + 1,
                                      UINT64_MAX,
                                      UINT64_MAX - 1};
    struct ekb_rng rng;
    ekb_rng_init(&rng, 1);

    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        for (int draw = 0; draw < 1000; draw++) {
            const uint64_t got = ekb_rng_below(&rng, bounds[i]);

            cr_assert_lt(got, bounds[i], "%" PRIu64 " below %" PRIu64, got, bounds[i]);
        }
    }
}

Test(rng, reaches_every_number_when_bounded)
{
    bool seen[20] = {false};
    struct ekb_rng rng;
    ekb_rng_init(&rng, 2);

    for (int draw = 0; draw < 1000; draw++) {
        seen[ekb_rng_below(&rng, 20)] = true;
    }

    for (size_t i = 0; i < 20; i++) {
        cr_expect(seen[i], "%zu was never drawn", i);
    }
}

// A remainder alone would give the lowest third of [0, 3 * 2^62) half of all draws.
Test(rng, has_no_modulo_bias_when_the_bound_is_no_power_of_two)
{
    const uint64_t third = UINT64_C(1) << 62;
    int in_first = 0;
    struct ekb_rng rng;
    ekb_rng_init(&rng, 3);

    for (int draw = 0; draw < 30000; draw++) {
        in_first += ekb_rng_below(&rng, 3 * third) < third;
    }

    // 10000 expected; the standard deviation is 82.
    cr_assert(in_first > 9500 && in_first < 10500, "%d of 30000", in_first);
}

// The upper 53 bits of the known outputs, as fractions of 1.
Test(rng, gives_the_known_fractions_when_uniform)
{
    for (size_t i = 0; i < NUM_KNOWN; i++) {
        struct ekb_rng rng;
        ekb_rng_init(&rng, known[i].seed);

        for (size_t j = 0; j < 5; j++) {
            const double got = ekb_rng_uniform(&rng);

            const double expected = (double)(known[i].outputs[j] >> 11) / 9007199254740992.0;
            cr_expect_eq(got, expected, "seed %" PRIx64 ", %zu: %.17g, not %.17g", known[i].seed, j,
                         got, expected);
        }
    }
}

// Of 64 bits that are all ones, and of none: an output is the second word of the state times 5,
// rotated, times 9.
Test(rng, stays_below_one_when_uniform)
{
    struct ekb_rng most = {.state = {1, UINT64_C(0x4fc71c71c71c71c7), 2, 3}};
    struct ekb_rng least = {.state = {1, 0, 2, 3}};
    struct ekb_rng next = most;
    cr_assert_eq(ekb_rng_next(&next), UINT64_MAX);

    cr_expect_eq(ekb_rng_uniform(&most), 1 - 0x1p-53);
    cr_expect_eq(ekb_rng_uniform(&least), 0.0);
}

Test(rng, gives_the_known_order_when_shuffling)
{
    static const uint16_t expected[] = {8, 3, 9, 0, 7, 2, 1, 6, 5, 4};
    uint16_t items[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct ekb_rng rng;
    ekb_rng_init(&rng, 7);

    ekb_rng_shuffle(&rng, items, 10);

    for (size_t i = 0; i < 10; i++) {
        cr_expect_eq(items[i], expected[i], "place %zu: %u, not %u", i, items[i], expected[i]);
    }
}

Test(rng, keeps_every_item_when_shuffling)
{
    uint16_t items[1000];
    bool seen[1000] = {false};
    struct ekb_rng rng;
    ekb_rng_init(&rng, 4);
    for (uint16_t i = 0; i < 1000; i++) {
        items[i] = i;
    }

    ekb_rng_shuffle(&rng, items, 1000);

    for (size_t i = 0; i < 1000; i++) {
        cr_assert(items[i] < 1000 && !seen[items[i]], "%u at %zu", items[i], i);
        seen[items[i]] = true;
    }
}

Test(rng, changes_nothing_when_shuffling_less_than_two_items)
{
    uint16_t items[] = {11, 22};
    struct ekb_rng rng;
    struct ekb_rng before;
    ekb_rng_init(&rng, 5);
    before = rng;

    ekb_rng_shuffle(&rng, items, 0);
    ekb_rng_shuffle(&rng, items, 1);

    cr_expect(items[0] == 11 && items[1] == 22, "%u, %u", items[0], items[1]);
    cr_expect_eq(memcmp(&rng, &before, sizeof rng), 0, "numbers were drawn");
}

Test(rng, gives_all_orders_equally_often_when_shuffling)
{
    int counts[6] = {0};
    struct ekb_rng rng;
    ekb_rng_init(&rng, 6);

    for (int i = 0; i < 60000; i++) {
        uint16_t items[] = {0, 1, 2};
        ekb_rng_shuffle(&rng, items, 3);
        counts[2 * items[0] + (items[1] > items[2])]++;
    }

    // 10000 expected each; the standard deviation is 91.
    for (size_t i = 0; i < 6; i++) {
        cr_expect(counts[i] > 9500 && counts[i] < 10500, "order %zu: %d", i, counts[i]);
    }
}
