#include "ekubench/peer/sequence.h"

#include <assert.h>

void ekb_sequence_init(struct ekb_sequence *out_sequence, uint16_t num_arms, uint64_t seed)
{
    assert(num_arms >= 1 && num_arms <= EKB_SEQUENCE_MAX_ARMS);
    ekb_rng_init(&out_sequence->rng, seed);
    out_sequence->num_arms = num_arms;
    out_sequence->position = num_arms;
    for (uint16_t i = 0; i < num_arms; i++) {
        out_sequence->block[i] = i;
    }
}

uint16_t ekb_sequence_next(struct ekb_sequence *sequence)
{
    if (sequence->position == sequence->num_arms) {
        ekb_rng_shuffle(&sequence->rng, sequence->block, sequence->num_arms);
        sequence->position = 0;
    }
    return sequence->block[sequence->position++];
}

struct ekb_quadruple ekb_quadruple_make(uint64_t seed, uint32_t index)
{
    struct ekb_rng rng;
    struct ekb_quadruple quadruple;
    ekb_rng_init(&rng, seed ^ (UINT64_C(0x9e3779b97f4a7c15) * (index + UINT64_C(1))));
    quadruple.begins_with_b = ekb_rng_below(&rng, 2) != 0;
    uint64_t twin = ekb_rng_below(&rng, 2); // Which A is the twin: the first or the second.
    for (uint32_t i = 0; i < EKB_QUADRUPLE_LEN; i++) {
        const bool is_inner = i == 1 || i == 2;
        if (is_inner != quadruple.begins_with_b) {
            quadruple.arms[i] = EKB_QUADRUPLE_B;
        } else {
            quadruple.arms[i] = twin == 0 ? EKB_QUADRUPLE_TWIN : EKB_QUADRUPLE_A;
            twin ^= 1;
        }
    }
    return quadruple;
}
