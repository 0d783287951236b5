#include "report/escape.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

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
    const char *quote = strpbrk(text, ",\"\r\n") != NULL ? "\"" : "";
    // A spreadsheet takes a text that begins so for a formula.
    const bool is_formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
    (void)fprintf(out, "%s%s", quote, is_formula ? "'" : "");
    write_replaced(out, text, rows, 1);
    (void)fputs(quote, out);
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

// IMPLEMENTATION NOTES
//
// Markdown is read twice. Its marks are taken first: backslashes and entities stop that. Then
// GitHub and GitLab look through the texts of the page for what calls somebody, points to an issue,
// is an emoji or a formula: entities are characters again by then, and only an element ends a text.

// num_digits returns how many digits `text` begins with.
static size_t num_digits(const char *text)
{
    return strspn(text, "0123456789");
}

// begins_emoji is true for the colon of ":smile:", not for those of "01:13:32" and "X25519:P-256:".
static bool begins_emoji(const char *at)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_+-";
    const size_t len = strspn(at + 1, letters);
    return len > 0 && at[1 + len] == ':' && !(len == 2 && num_digits(at + 1) == 2);
}

// is_call is true if what begins at `at`, in `text`, is looked for in the page.
static bool is_call(const char *text, const char *at)
{
    switch (*at) {
    case '@':
    case '$':
        return true;
    case '#':
        return num_digits(at + 1) > 0;
    case ':':
        return begins_emoji(at) || strncmp(at, "://", 3) == 0;
    case '.':
        return at - text >= 3 && strncasecmp(at - 3, "www", 3) == 0 &&
               (at - text == 3 || isalnum((unsigned char)at[-4]) == 0);
    default:
        return false;
    }
}

// begins_block is true for the character that makes a heading, a list or a line of what `text`, at
// the beginning of a line, begins with.
static bool begins_block(const char *text, const char *at)
{
    const size_t len = (size_t)(at - text);
    switch (*at) {
    case '#':
        return true;
    case '-':
    case '+':
        return len == 0 && (at[1] == ' ' || at[1] == '\0' || at[1] == *at);
    case '.':
    case ')':
        return len > 0 && num_digits(text) == len && (at[1] == ' ' || at[1] == '\0');
    default:
        return false;
    }
}

static void write_entity(FILE *out, char character)
{
    (void)fprintf(out, "&#%d;", (unsigned char)character);
}

static void write_call(FILE *out, char character)
{
    (void)fputs("<span>", out);
    write_entity(out, character);
    (void)fputs("</span>", out);
}

void report_markdown_text(FILE *out, const char *text)
{
    static const struct replacement rows[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'|', "&#124;"}, {'\\', "\\\\"}, {'`', "\\`"},
        {'*', "\\*"},   {'[', "\\["},  {']', "\\]"},  {'~', "\\~"},    {'_', "\\_"},   {'\n', " "},
    };
    const char *begin = text + strspn(text, " "); // Four would make it code.
    for (const char *at = begin; *at != '\0'; at++) {
        const char one[2] = {*at, '\0'};
        const bool is_inside = *at == '_' && at > begin && isalnum((unsigned char)at[-1]) != 0 &&
                               isalnum((unsigned char)at[1]) != 0;
        if (is_inside) {
            (void)fputc('_', out);
        } else if (is_call(begin, at)) {
            write_call(out, *at);
        } else if (begins_block(begin, at)) {
            write_entity(out, *at);
        } else {
            write_replaced(out, one, rows, sizeof rows / sizeof rows[0]);
        }
    }
}

void report_markdown_html(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        const char one[2] = {*at, '\0'};
        if (is_call(text, at)) {
            write_call(out, *at);
        } else {
            report_xml_text(out, one);
        }
    }
}

void report_label_text(FILE *out, const char *text)
{
    static const struct replacement rows[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}};
    write_replaced(out, text, rows, sizeof rows / sizeof rows[0]);
}
