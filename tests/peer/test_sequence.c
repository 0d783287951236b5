#include "ekubench/peer/sequence.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

// Known answers, from an implementation in another language.
Test(sequence, gives_the_known_order_when_seeded)
{
    static const uint16_t expected[] = {0, 4, 2, 1, 3, 3, 2, 0, 4, 1, 4, 0, 2, 1, 3};
    struct ekb_sequence sequence;
    ekb_sequence_init(&sequence, 5, 2024);

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const uint16_t arm = ekb_sequence_next(&sequence);

        cr_expect_eq(arm, expected[i], "%zu: %u, not %u", i, arm, expected[i]);
    }
}

Test(sequence, has_every_arm_once_in_each_block_when_of_any_length)
{
    static const uint16_t lengths[] = {1, 2, 3, 7, 100, EKB_SEQUENCE_MAX_ARMS};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct ekb_sequence sequence;
        ekb_sequence_init(&sequence, lengths[i], 1);

        for (int block = 0; block < 20; block++) {
            bool seen[EKB_SEQUENCE_MAX_ARMS] = {false};
            for (uint16_t position = 0; position < lengths[i]; position++) {
                const uint16_t arm = ekb_sequence_next(&sequence);

                cr_assert(arm < lengths[i] && !seen[arm], "%u arms, block %d: arm %u", lengths[i],
                          block, arm);
                seen[arm] = true;
            }
        }
    }
}

Test(sequence, is_the_same_when_the_seed_is)
{
    struct ekb_sequence first;
    struct ekb_sequence second;
    ekb_sequence_init(&first, 10, 99);
    // What was in the memory before must not matter.
    memset(&second, 0xa5, sizeof second);
    ekb_sequence_init(&second, 10, 99);

    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(ekb_sequence_next(&first), ekb_sequence_next(&second), "%d", i);
    }
}

Test(sequence, differs_when_the_seed_does)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct ekb_sequence first;
        struct ekb_sequence second;
        int num_equal = 0;
        ekb_sequence_init(&first, 10, seed);
        ekb_sequence_init(&second, 10, seed + 1);

        for (int i = 0; i < 1000; i++) {
            num_equal += ekb_sequence_next(&first) == ekb_sequence_next(&second);
        }

        // A tenth agrees by chance.
        cr_expect_lt(num_equal, 200, "seeds %" PRIu64 " and the next: %d of 1000", seed, num_equal);
    }
}

Test(sequence, changes_the_order_from_block_to_block_when_it_goes_on)
{
    uint16_t blocks[2][8];
    int num_equal = 0;
    struct ekb_sequence sequence;
    ekb_sequence_init(&sequence, 8, 5);

    for (int block = 0; block < 100; block++) {
        for (size_t i = 0; i < 8; i++) {
            blocks[block % 2][i] = ekb_sequence_next(&sequence);
        }
        num_equal += block > 0 && memcmp(blocks[0], blocks[1], sizeof blocks[0]) == 0;
    }

    cr_assert_leq(num_equal, 1, "%d", num_equal);
}

Test(sequence, puts_every_arm_at_every_place_equally_often_when_it_goes_on)
{
    int counts[4][4] = {0};
    struct ekb_sequence sequence;
    ekb_sequence_init(&sequence, 4, 6);

    for (int block = 0; block < 40000; block++) {
        for (size_t place = 0; place < 4; place++) {
            counts[place][ekb_sequence_next(&sequence)]++;
        }
    }

    // 10000 expected each; the standard deviation is 87.
    for (size_t place = 0; place < 4; place++) {
        for (size_t arm = 0; arm < 4; arm++) {
            const int count = counts[place][arm];
            cr_expect(count > 9500 && count < 10500, "arm %zu at %zu: %d", arm, place, count);
        }
    }
}
