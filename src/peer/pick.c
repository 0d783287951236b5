#include "ekubench/peer/pick.h"

#include "ekubench/base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Others draw from generators of the same seed: their numbers are not to be these.
#define SALT UINT64_C(0x7069636b)

struct ekb_pick {
    enum ekb_pick_kind kind;
    size_t num;
    size_t next; // Round-robin,
    size_t step; // below `num`.
    struct ekb_rng rng;
    double cumulative[]; // Zipf: of the weights up to each rank, `num` of them.
};

// Rules as text.

#define ZIPF "zipf"

// parse_exponent reads digits with a point in between, after which nothing comes.
static enum ekb_err parse_exponent(double *out_exponent, const char *text)
{
    const size_t num_digits = strspn(text, "0123456789");
    const char *rest = text + num_digits;
    if (rest[0] == '.') {
        const size_t num_decimals = strspn(rest + 1, "0123456789");
        rest += num_decimals > 0 ? num_decimals + 1 : 0;
    }
    const double exponent = strtod(text, NULL);
    if (num_digits == 0 || rest[0] != '\0' || !(exponent <= EKB_PICK_MAX_EXPONENT)) {
        return EKB_USAGE;
    }
    *out_exponent = exponent;
    return EKB_OK;
}

enum ekb_err ekb_pick_parse(struct ekb_pick_rule *out_rule, const char *text)
{
    struct ekb_pick_rule rule = {.kind = EKB_PICK_ZIPF, .exponent = EKB_PICK_DEFAULT_EXPONENT};
    if (strcmp(text, "round-robin") == 0) {
        rule.kind = EKB_PICK_ROUND_ROBIN;
    } else if (strcmp(text, "uniform") == 0) {
        rule.kind = EKB_PICK_UNIFORM;
    } else if (strncmp(text, ZIPF ":", strlen(ZIPF ":")) == 0) {
        const enum ekb_err err = parse_exponent(&rule.exponent, text + strlen(ZIPF ":"));
        if (err != EKB_OK) {
            return err;
        }
    } else if (strcmp(text, ZIPF) != 0) {
        return EKB_USAGE;
    }
    *out_rule = rule;
    return EKB_OK;
}

const char *ekb_pick_format(char out_text[EKB_PICK_TEXT_LEN], const struct ekb_pick_rule *rule)
{
    switch (rule->kind) {
    case EKB_PICK_ROUND_ROBIN:
        (void)snprintf(out_text, EKB_PICK_TEXT_LEN, "round-robin");
        break;
    case EKB_PICK_UNIFORM:
        (void)snprintf(out_text, EKB_PICK_TEXT_LEN, "uniform");
        break;
    case EKB_PICK_ZIPF:
    case EKB_PICK_NUM_KINDS:
        (void)snprintf(out_text, EKB_PICK_TEXT_LEN, ZIPF ":%g", rule->exponent);
        break;
    }
    return out_text;
}

// Picking.

enum ekb_err ekb_pick_create(struct ekb_pick **out_pick, const struct ekb_pick_rule *rule,
                             size_t num, const struct ekb_pace_share *share, uint64_t seed)
{
    assert(num > 0 && share->index < share->count);
    const size_t num_cumulative = rule->kind == EKB_PICK_ZIPF ? num : 0;
    struct ekb_pick *pick = calloc(1, sizeof *pick + num_cumulative * sizeof pick->cumulative[0]);
    if (pick == NULL) {
        return EKB_NOMEM;
    }
    pick->kind = rule->kind;
    pick->num = num;
    pick->next = share->index % num;
    pick->step = share->count % num;
    ekb_rng_init(&pick->rng, seed ^ SALT ^ (share->index * UINT64_C(0x9e3779b97f4a7c15)));
    double sum = 0;
    for (size_t i = 0; i < num_cumulative; i++) {
        sum += pow((double)(i + 1), -rule->exponent);
        pick->cumulative[i] = sum;
    }
    *out_pick = pick;
    return EKB_OK;
}

void ekb_pick_destroy(struct ekb_pick *pick)
{
    free(pick);
}

static size_t next_in_turn(struct ekb_pick *pick)
{
    const size_t picked = pick->next;
    pick->next = (pick->next + pick->step) % pick->num;
    return picked;
}

// invert returns the first rank, from 0, whose cumulative weight is above a uniform number.
static size_t invert(struct ekb_pick *pick)
{
    // Of 53 bits, below 1. Rounding can make the product the whole sum: that is the last rank's.
    const double uniform = (double)(ekb_rng_next(&pick->rng) >> 11) * 0x1p-53;
    const double wanted = uniform * pick->cumulative[pick->num - 1];
    size_t first = 0;
    size_t last = pick->num - 1;
    while (first < last) {
        const size_t middle = first + (last - first) / 2;
        if (pick->cumulative[middle] > wanted) {
            last = middle;
        } else {
            first = middle + 1;
        }
    }
    return first;
}

size_t ekb_pick_next(struct ekb_pick *pick)
{
    switch (pick->kind) {
    case EKB_PICK_ROUND_ROBIN:
        return next_in_turn(pick);
    case EKB_PICK_UNIFORM:
        return (size_t)ekb_rng_below(&pick->rng, pick->num);
    case EKB_PICK_ZIPF:
    case EKB_PICK_NUM_KINDS:
        break;
    }
    return invert(pick);
}
