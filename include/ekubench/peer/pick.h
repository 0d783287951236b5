// Which of many identities the next connection presents. Pure: seeded, without a clock, and without
// an allocation once made.
//
// Zipf's distribution gives the identity of rank k, from 1, a weight of k^-s; the first identity
// has rank 1 in every worker, so that the workers together follow it as each of them does. It is
// drawn by inversion: a uniform number looked up in the table of cumulative weights, by bisection
// (Devroye, Non-Uniform Random Variate Generation, 1986, section III.2). For tables that would not
// fit there is rejection-inversion (Hörmann and Derflinger, ACM TOMACS 6(3), 1996); here a hundred
// thousand identities take 800 KB.

#ifndef EKUBENCH_PEER_PICK_H
#define EKUBENCH_PEER_PICK_H

#include "ekubench/base/err.h"
#include "ekubench/peer/pace.h"

#include <stddef.h>
#include <stdint.h>

enum ekb_pick_kind {
    EKB_PICK_ROUND_ROBIN, // One after another, all of them before any comes again.
    EKB_PICK_UNIFORM,     // Each with the same probability, whatever came before.
    EKB_PICK_ZIPF,
    EKB_PICK_NUM_KINDS
};

struct ekb_pick_rule {
    enum ekb_pick_kind kind;
    double exponent; // Of Zipf's distribution.
};

#define EKB_PICK_DEFAULT_EXPONENT 1.0
#define EKB_PICK_MAX_EXPONENT 10.0

// Enough for any text that ekb_pick_format writes.
#define EKB_PICK_TEXT_LEN 32

// ekb_pick_parse reads "round-robin", "uniform", "zipf" (with the default exponent) or "zipf:1.2"
// (0 to EKB_PICK_MAX_EXPONENT, digits and a point). EKB_USAGE. ekb_pick_format writes such a text.
EKB_NODISCARD enum ekb_err ekb_pick_parse(struct ekb_pick_rule *out_rule, const char *text);
const char *ekb_pick_format(char out_text[EKB_PICK_TEXT_LEN], const struct ekb_pick_rule *rule);

struct ekb_pick;

// ekb_pick_create prepares the picks of one worker among `num` identities (1 at least); release it
// with `ekb_pick_destroy` (NULL is legal). Workers that go round pick every share->count-th
// identity, the first of them share->index: together they go round exactly. The others draw
// independently of one another. The same arguments give the same picks. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_pick_create(struct ekb_pick **out_pick,
                                           const struct ekb_pick_rule *rule, size_t num,
                                           const struct ekb_pace_share *share, uint64_t seed);
void ekb_pick_destroy(struct ekb_pick *pick);

// ekb_pick_next returns which identity is next, below `num`.
size_t ekb_pick_next(struct ekb_pick *pick);

#endif
