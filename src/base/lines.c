#include "ekubench/base/lines.h"

#include "ekubench/base/utf8.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// char_len returns how many bytes the character at `text` has; 0: it is no printable one.
static size_t char_len(const char *text, size_t text_len)
{
    uint32_t code = 0;
    const size_t len = ekb_utf8_next(&code, (const uint8_t *)text, text_len);
    const bool is_control = (code < 0x20 && code != '\t') || (code >= 0x7f && code < 0xa0);
    return is_control ? 0 : len;
}

bool ekb_lines_is_printable(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        const size_t one = char_len(text + at, len - at);
        if (one == 0) {
            return false;
        }
        at += one;
    }
    return true;
}

char *ekb_lines_read(char *out_text, int size, struct ekb_lines *lines)
{
    if (lines->next[0] == '\0') {
        return NULL;
    }
    const size_t len = strcspn(lines->next, "\n");
    // A carriage return may end a line.
    const size_t text_len = len > 0 && lines->next[len - 1] == '\r' ? len - 1 : len;
    const size_t all = len + (lines->next[len] == '\n' ? 1 : 0);
    lines->line++;
    lines->is_indented = lines->next[0] == ' ' || lines->next[0] == '\t';
    lines->wanted[0] = '\0';
    if (all >= (size_t)size) {
        (void)snprintf(lines->wanted, sizeof lines->wanted, "the line is longer than %d characters",
                       size - 2);
    } else if (!ekb_lines_is_printable(lines->next, text_len)) {
        (void)snprintf(lines->wanted, sizeof lines->wanted,
                       "the line has a control character, or is not UTF-8");
    }
    (void)snprintf(out_text, (size_t)size, "%.*s", (int)all, lines->next);
    lines->next += all;
    return out_text;
}
