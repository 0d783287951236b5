#include "ekubench/base/rng.h"

#include <assert.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

void ekb_rng_init(struct ekb_rng *out_rng, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        out_rng->state[i] = splitmix64(&seed);
    }
}

uint64_t ekb_rng_next(struct ekb_rng *rng)
{
    uint64_t *s = rng->state;
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    const uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double ekb_rng_uniform(struct ekb_rng *rng)
{
    return (double)(ekb_rng_next(rng) >> 11) * 0x1p-53;
}

uint64_t ekb_rng_below(struct ekb_rng *rng, uint64_t bound)
{
    assert(bound > 0);
    // Values below 2^64 mod bound would be over-represented; they are drawn again.
    const uint64_t threshold = (UINT64_MAX - bound + 1) % bound;
    uint64_t value;
    do {
        value = ekb_rng_next(rng);
    } while (value < threshold);
    return value % bound;
}

void ekb_rng_shuffle(struct ekb_rng *rng, uint16_t *items, size_t num_items)
{
    for (size_t i = num_items; i > 1; i--) {
        const size_t j = (size_t)ekb_rng_below(rng, i);
        const uint16_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
