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
