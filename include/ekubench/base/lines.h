// Lines of a text, one at a time and counted, for parsers that take them so and do not say where
// they are (inih). A line is text that can be printed as it is: UTF-8 without control characters.

#ifndef EKUBENCH_BASE_LINES_H
#define EKUBENCH_BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>

// Zeroed, but for `next`: before the first line.
struct ekb_lines {
    const char *next; // What has not been read, zero-terminated; borrowed.
    unsigned line;    // Number of the present line, from 1.
    bool is_indented; // It begins with a blank.
    char wanted[64];  // What is wrong with it, if something is; else "".
};

// ekb_lines_read is fgets, of at most `size` - 1 bytes, for the next line of `lines`. Of one that
// is longer, or that is no printable text, it says so in `lines->wanted`, "" for all others; of
// such a line it returns what fits. NULL at the end of the text.
char *ekb_lines_read(char *out_text, int size, struct ekb_lines *lines);

// ekb_lines_is_printable is true if the `len` bytes of `text` can stand in a line; behind them
// there is a byte that is no part of a character, such as the zero.
bool ekb_lines_is_printable(const char *text, size_t len);

#endif
