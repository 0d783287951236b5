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

// Quadruples.

#define NUM_QUADRUPLES 4000

static unsigned num_of(const struct ekb_quadruple *quadruple, enum ekb_quadruple_arm arm)
{
    unsigned count = 0;
    for (size_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
        count += quadruple->arms[i] == arm;
    }
    return count;
}

static bool is_b(const struct ekb_quadruple *quadruple, size_t place)
{
    return quadruple->arms[place] == EKB_QUADRUPLE_B;
}

static bool is_equal(const struct ekb_quadruple *a, const struct ekb_quadruple *b)
{
    bool equal = a->begins_with_b == b->begins_with_b;
    for (size_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
        equal = equal && a->arms[i] == b->arms[i];
    }
    return equal;
}

// twin_is_first tells which of the two blocks of A is the twin.
static bool twin_is_first(const struct ekb_quadruple *quadruple)
{
    for (size_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
        if (!is_b(quadruple, i)) {
            return quadruple->arms[i] == EKB_QUADRUPLE_TWIN;
        }
    }
    return false;
}

Test(quadruple, is_abba_or_baab_with_one_twin_when_of_any_seed_and_index)
{
    static const uint64_t seeds[] = {0, 1, 2024, UINT64_C(1) << 62, UINT64_MAX};
    static const uint32_t begins[] = {0, UINT32_MAX - 200};
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            for (uint32_t k = 0; k < 200; k++) {
                const struct ekb_quadruple quadruple = ekb_quadruple_make(seeds[i], begins[j] + k);

                cr_expect_eq(num_of(&quadruple, EKB_QUADRUPLE_A), 1u);
                cr_expect_eq(num_of(&quadruple, EKB_QUADRUPLE_TWIN), 1u);
                cr_expect_eq(num_of(&quadruple, EKB_QUADRUPLE_B), 2u);
                cr_expect_eq(is_b(&quadruple, 0), quadruple.begins_with_b);
                // A mirror image of itself: that is how a straight line cancels.
                cr_expect_eq(is_b(&quadruple, 0), is_b(&quadruple, 3));
                cr_expect_eq(is_b(&quadruple, 1), is_b(&quadruple, 2));
            }
        }
    }
}

// The four outcomes of two fair and independent coins: chi-square with three degrees of freedom is
// above 16.3 once in a thousand; the seeds are fixed, so that it is or is not.
static void expect_fair(const unsigned counts[4], const char *what)
{
    const double expected = NUM_QUADRUPLES / 4.0;
    double chi_square = 0;
    for (size_t i = 0; i < 4; i++) {
        chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    cr_expect_lt(chi_square, 16.3, "%s: %f of %u, %u, %u, %u", what, chi_square, counts[0],
                 counts[1], counts[2], counts[3]);
}

Test(quadruple, throws_two_fair_coins_when_many_are_made)
{
    unsigned by_index[4] = {0};
    unsigned by_seed[4] = {0};

    for (uint32_t i = 0; i < NUM_QUADRUPLES; i++) {
        const struct ekb_quadruple a = ekb_quadruple_make(1, i);
        const struct ekb_quadruple b = ekb_quadruple_make(i, 0);
        by_index[2 * a.begins_with_b + twin_is_first(&a)]++;
        by_seed[2 * b.begins_with_b + twin_is_first(&b)]++;
    }

    expect_fair(by_index, "indices");
    expect_fair(by_seed, "seeds");
}

// A coin that only alternated would be fair too.
Test(quadruple, does_not_follow_from_the_one_before_when_many_are_made)
{
    unsigned begins[4] = {0};
    unsigned twins[4] = {0};
    struct ekb_quadruple before = ekb_quadruple_make(7, 0);

    for (uint32_t i = 1; i <= NUM_QUADRUPLES; i++) {
        const struct ekb_quadruple quadruple = ekb_quadruple_make(7, i);
        begins[2 * before.begins_with_b + quadruple.begins_with_b]++;
        twins[2 * twin_is_first(&before) + twin_is_first(&quadruple)]++;
        before = quadruple;
    }

    expect_fair(begins, "which begins");
    expect_fair(twins, "which is the twin");
}

Test(quadruple, is_the_same_when_seed_and_index_are)
{
    struct ekb_quadruple forward[100];

    for (uint32_t i = 0; i < 100; i++) {
        forward[i] = ekb_quadruple_make(99, i);
    }

    // In another order, with others between them.
    for (uint32_t i = 100; i-- > 0;) {
        (void)ekb_quadruple_make(i, 7 * i);
        const struct ekb_quadruple again = ekb_quadruple_make(99, i);
        cr_expect(is_equal(&forward[i], &again), "%" PRIu32, i);
    }
}

Test(quadruple, differs_when_the_seed_does)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        unsigned num_equal = 0;

        for (uint32_t i = 0; i < 1000; i++) {
            const struct ekb_quadruple first = ekb_quadruple_make(seed, i);
            const struct ekb_quadruple second = ekb_quadruple_make(seed + 1, i);
            num_equal += is_equal(&first, &second);
        }

        // A quarter agrees by chance; the standard deviation is 14.
        cr_expect(num_equal > 180 && num_equal < 320, "seeds %" PRIu64 " and the next: %u of 1000",
                  seed, num_equal);
    }
}
