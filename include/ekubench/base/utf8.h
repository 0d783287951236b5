// UTF-8 (RFC 3629): bytes to characters.

#ifndef EKUBENCH_BASE_UTF8_H
#define EKUBENCH_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

// ekb_utf8_next stores in `*out_code` the character at the beginning of the `text_len` bytes of
// `text` and returns how many bytes it has. 0, with nothing stored: there is none, or it is cut
// off, not in its shortest form, or a surrogate.
size_t ekb_utf8_next(uint32_t *out_code, const uint8_t *text, size_t text_len);

// ekb_utf8_cut returns how many bytes of `text`, at most `max_len`, can be kept without cutting
// through a character. What is not UTF-8 counts as characters of one byte.
size_t ekb_utf8_cut(const char *text, size_t max_len);

// ekb_utf8_clean replaces by "?" each byte of `text` that does something else than to be read when
// it is printed: control characters, U+0080 to U+009F included, and what is not UTF-8.
void ekb_utf8_clean(char *text);

#endif
