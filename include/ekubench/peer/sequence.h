// The order of arms: a seeded, block-randomised sequence. Each block holds every arm once, in
// random order, so that all arms share every stretch of time equally and no periodic disturbance
// can favour one. Pure.

#ifndef EKUBENCH_PEER_SEQUENCE_H
#define EKUBENCH_PEER_SEQUENCE_H

#include "ekubench/base/rng.h"

#include <stdbool.h>
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

// Quadruples: the order of arms where a stretch of time has one arm only. Four blocks, ABBA or BAAB
// by a seeded coin, so that a drift that is a straight line cancels and no periodic disturbance can
// favour an arm. One of the two blocks of A, by another coin, is its twin: an arm of the same
// treatment, the A/A control inside of each quadruple.

#define EKB_QUADRUPLE_LEN 4

enum ekb_quadruple_arm {
    EKB_QUADRUPLE_A,
    EKB_QUADRUPLE_TWIN,
    EKB_QUADRUPLE_B,
    EKB_QUADRUPLE_NUM_ARMS
};

struct ekb_quadruple {
    enum ekb_quadruple_arm arms[EKB_QUADRUPLE_LEN];
    bool begins_with_b;
};

// ekb_quadruple_make returns quadruple `index` of the run with that seed.
struct ekb_quadruple ekb_quadruple_make(uint64_t seed, uint32_t index);

#endif
