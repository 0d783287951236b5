#include "report/escape.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// A character and what stands for it.
struct replacement {
    char from;
    const char *to;
};

static void write_replaced(FILE *out, const char *text, const struct replacement *rows,
                           size_t num_rows)
{
    for (const char *at = text; *at != '\0'; at++) {
        const char *to = NULL;
        for (size_t i = 0; i < num_rows && to == NULL; i++) {
            to = rows[i].from == *at ? rows[i].to : NULL;
        }
        if (to != NULL) {
            (void)fputs(to, out);
        } else {
            (void)fputc(*at, out);
        }
    }
}

void report_json_text(FILE *out, const char *text)
{
    // "</script>" in a page must not end what it is in.
    static const struct replacement rows[] = {
        {'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {'<', "\\u003c"}};
    (void)fputc('"', out);
    write_replaced(out, text, rows, sizeof rows / sizeof rows[0]);
    (void)fputc('"', out);
}

void report_json_real(FILE *out, double value)
{
    if (isfinite(value)) {
        (void)fprintf(out, "%.15g", value + 0.0);
    } else {
        (void)fputs("null", out);
    }
}

void report_csv_text(FILE *out, const char *text)
{
    static const struct replacement rows[] = {{'"', "\"\""}};
    if (strpbrk(text, ",\"\r\n") == NULL) {
        (void)fputs(text, out);
        return;
    }
    (void)fputc('"', out);
    write_replaced(out, text, rows, 1);
    (void)fputc('"', out);
}

// XML has no way at all to say U+FFFE and U+FFFF.
static bool is_no_character(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return bytes[0] == 0xef && bytes[1] == 0xbf && (bytes[2] == 0xbe || bytes[2] == 0xbf);
}

void report_xml_text(FILE *out, const char *text)
{
    static const struct replacement rows[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (const char *at = text; *at != '\0'; at++) {
        if (is_no_character(at)) {
            (void)fputc('?', out);
            at += 2;
        } else {
            const char one[2] = {*at, '\0'};
            write_replaced(out, one, rows, sizeof rows / sizeof rows[0]);
        }
    }
}

void report_markdown_text(FILE *out, const char *text)
{
    // An "@" would call somebody.
    static const struct replacement rows[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'|', "&#124;"}, {'@', "&#64;"},
        {'\\', "\\\\"}, {'`', "\\`"},  {'*', "\\*"},  {'[', "\\["},    {']', "\\]"},
        {'~', "\\~"},   {'_', "\\_"},  {'\n', " "},
    };
    for (const char *at = text; *at != '\0'; at++) {
        const char one[2] = {*at, '\0'};
        const bool is_inside = *at == '_' && at > text && isalnum((unsigned char)at[-1]) != 0 &&
                               isalnum((unsigned char)at[1]) != 0;
        if (is_inside) {
            (void)fputc('_', out);
        } else {
            write_replaced(out, one, rows, sizeof rows / sizeof rows[0]);
        }
    }
}

void report_label_text(FILE *out, const char *text)
{
    static const struct replacement rows[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}};
    write_replaced(out, text, rows, sizeof rows / sizeof rows[0]);
}
