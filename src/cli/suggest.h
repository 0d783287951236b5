// What a mistyped word may have been meant for.

#ifndef EKUBENCH_SRC_CLI_SUGGEST_H
#define EKUBENCH_SRC_CLI_SUGGEST_H

#include <stddef.h>

struct ekb_cli_suggestion {
    const char *word; // As it was typed; `len` characters.
    size_t len;
    const char *best; // NULL: nothing is near.
    size_t distance;
};

// ekb_cli_distance returns how many letters must be put in, left out, replaced, or changed with
// their neighbours, to make one word of the other (optimal string alignment).
size_t ekb_cli_distance(const char *a, size_t a_len, const char *b, size_t b_len);

// ekb_cli_suggest takes `candidate`, which is borrowed, for the best if it is nearer than the one
// before, and near enough: a third of the letters may be wrong, one at least; or the word begins
// it.
void ekb_cli_suggest(struct ekb_cli_suggestion *suggestion, const char *candidate);

#endif
