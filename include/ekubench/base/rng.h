// A seeded pseudo-random generator: xoshiro256** seeded by splitmix64 (Blackman and Vigna,
// "Scrambled linear pseudorandom number generators", ACM TOMS 47(4), 2021).
//
// For experiment design only: order of arms, bootstrap resampling. The same seed gives the same
// sequence on every machine. Nothing secret may come from it; keys use the TLS library's generator.

#ifndef EKUBENCH_BASE_RNG_H
#define EKUBENCH_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct ekb_rng {
    uint64_t state[4];
};

// ekb_rng_init seeds `*out_rng`. Every seed, 0 included, is good.
void ekb_rng_init(struct ekb_rng *out_rng, uint64_t seed);

// ekb_rng_next returns the next 64 uniform bits.
uint64_t ekb_rng_next(struct ekb_rng *rng);

// ekb_rng_uniform returns a number from 0 to below 1, of 53 bits.
double ekb_rng_uniform(struct ekb_rng *rng);

// ekb_rng_below returns a uniform integer in [0, bound) without modulo bias. `bound` is at least 1.
uint64_t ekb_rng_below(struct ekb_rng *rng, uint64_t bound);

// ekb_rng_shuffle permutes the `num_items` elements of `items` uniformly (Fisher-Yates).
void ekb_rng_shuffle(struct ekb_rng *rng, uint16_t *items, size_t num_items);

#endif
