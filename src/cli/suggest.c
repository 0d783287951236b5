#include "cli/suggest.h"

#include <string.h>

#define MAX_LEN 32

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t ekb_cli_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[MAX_LEN + 1][MAX_LEN + 1];
    if (a_len > MAX_LEN || b_len > MAX_LEN) {
        return a_len > b_len ? a_len : b_len;
    }
    for (size_t i = 0; i <= a_len; i++) {
        for (size_t j = 0; j <= b_len; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            const size_t changed = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            rows[i][j] = least(changed, least(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
            }
        }
    }
    return rows[a_len][b_len];
}

void ekb_cli_suggest(struct ekb_cli_suggestion *suggestion, const char *candidate)
{
    const size_t len = strlen(candidate);
    const size_t longer = len > suggestion->len ? len : suggestion->len;
    const size_t allowed = longer < 6 ? 1 : longer / 3;
    size_t distance = ekb_cli_distance(suggestion->word, suggestion->len, candidate, len);
    if (suggestion->len >= 2 && strncmp(candidate, suggestion->word, suggestion->len) == 0) {
        distance = 1; // The rest was left out.
    }
    if (distance <= allowed && (suggestion->best == NULL || distance < suggestion->distance)) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}
