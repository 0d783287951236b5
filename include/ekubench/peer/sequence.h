// The order of arms: a seeded, block-randomised sequence. Each block holds every arm once, in
// random order, so that all arms share every stretch of time equally and no periodic disturbance
// can favour one. Pure.

#ifndef EKUBENCH_PEER_SEQUENCE_H
#define EKUBENCH_PEER_SEQUENCE_H

#include "ekubench/base/rng.h"

#include <stdint.h>

#define EKB_SEQUENCE_MAX_ARMS 256

struct ekb_sequence {
    struct ekb_rng rng;
    uint16_t num_arms;
    uint16_t position;
    uint16_t block[EKB_SEQUENCE_MAX_ARMS];
};

// ekb_sequence_init starts the sequence for `num_arms` arms (1 to EKB_SEQUENCE_MAX_ARMS). The same
// seed gives the same order.
void ekb_sequence_init(struct ekb_sequence *out_sequence, uint16_t num_arms, uint64_t seed);

// ekb_sequence_next returns the next arm.
uint16_t ekb_sequence_next(struct ekb_sequence *sequence);

#endif
