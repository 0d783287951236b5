#include "ekubench/base/utf8.h"

#include <stdbool.h>
#include <string.h>

size_t ekb_utf8_next(uint32_t *out_code, const uint8_t *text, size_t text_len)
{
    // The first character that needs so many bytes.
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (text_len == 0) {
        return 0;
    }
    const size_t len = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (len > text_len || (len > 1 && (text[0] < 0xc2 || text[0] > 0xf4))) {
        return 0;
    }
    uint32_t code = len == 1 ? text[0] : text[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3fU);
    }
    const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < smallest[len] || code > 0x10ffff || is_surrogate) {
        return 0;
    }
    *out_code = code;
    return len;
}

// step_of returns how many bytes to go on by: a character's, or one of what is none, whose code is
// 0.
static size_t step_of(uint32_t *out_code, const char *text, size_t text_len)
{
    *out_code = 0;
    const size_t len = ekb_utf8_next(out_code, (const uint8_t *)text, text_len);
    return len > 0 ? len : 1;
}

size_t ekb_utf8_cut(const char *text, size_t max_len)
{
    const size_t text_len = strlen(text);
    size_t at = 0;
    while (at < text_len) {
        uint32_t code = 0;
        const size_t step = step_of(&code, text + at, text_len - at);
        if (at + step > max_len) {
            break;
        }
        at += step;
    }
    return at;
}

void ekb_utf8_clean(char *text)
{
    const size_t text_len = strlen(text);
    size_t at = 0;
    while (at < text_len) {
        uint32_t code = 0;
        const size_t step = step_of(&code, text + at, text_len - at);
        if (code < ' ' || (code >= 0x7f && code <= 0x9f)) {
            memset(text + at, '?', step);
        }
        at += step;
    }
}
