// gnuplot's SVG, made part of a page. gnuplot writes fixed colours, the same names in every
// picture, titles of its own making, and groups with nothing in them.

#include "report/escape.h"
#include "report/html_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// Our colours in a script are '#0a0bXX', so that no other is taken for one of them.
#define MARK_RED 10
#define MARK_GREEN 11

static const struct {
    unsigned blue;
    const char *variable;
} colours[] = {
    {0x01, "var(--line)"}, {0x02, "var(--grid)"}, {0x03, "var(--ink)"}, {0x04, "var(--bad)"},
    {0x05, "var(--band)"}, {0x11, "var(--s1)"},   {0x12, "var(--s2)"},  {0x13, "var(--s3)"},
    {0x14, "var(--s4)"},   {0x15, "var(--s5)"},   {0x16, "var(--s6)"},
};

static const char *variable_of(const unsigned long rgb[3])
{
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
        if (rgb[0] == MARK_RED && rgb[1] == MARK_GREEN && rgb[2] == colours[i].blue) {
            return colours[i].variable;
        }
    }
    return "var(--ink)";
}

// write_colour writes the colour that `value` begins with as a variable and returns how long it
// was: 0 if there is none.
static size_t write_colour(FILE *out, const char *value)
{
    unsigned long rgb[3] = {0};
    const char *at = value;
    if (strncmp(at, "rgb(", 4) == 0) {
        char *end = NULL;
        at += 4;
        for (size_t i = 0; i < 3; i++) {
            rgb[i] = strtoul(at, &end, 10);
            at = end + strspn(end, ", ");
        }
        at += *at == ')' ? 1 : 0;
    } else if (*at == '#' && strspn(at + 1, "0123456789abcdefABCDEF") == 6) {
        const unsigned long whole = strtoul(at + 1, NULL, 16);
        rgb[0] = whole >> 16;
        rgb[1] = whole >> 8 & 0xff;
        rgb[2] = whole & 0xff;
        at += 7;
    } else if (strcspn(at, "\"';") == 5 && strncmp(at, "black", 5) == 0) {
        at += 5;
    } else if (strcspn(at, "\"';") == 5 && strncmp(at, "white", 5) == 0) {
        // Around points, to set them apart from what is behind them.
        (void)fputs("var(--page)", out);
        return 5;
    }
    if (at > value) {
        (void)fputs(variable_of(rgb), out);
    }
    return (size_t)(at - value);
}

// write_reference does the same with a name: "#gpPt1" and "url(#clip1)".
static size_t write_reference(FILE *out, const char *value, const char *prefix)
{
    const size_t begin_len = strncmp(value, "url(#", 5) == 0 ? 5 : (value[0] == '#' ? 1 : 0);
    if (begin_len > 0) {
        (void)fprintf(out, "%.*s%s-", (int)begin_len, value, prefix);
    }
    return begin_len;
}

static bool is_called(const char *tag, size_t name_len, const char *name)
{
    return name_len == strlen(name) && strncmp(tag, name, name_len) == 0;
}

// write_rules writes a style attribute's value: "fill:none; color:black".
static void write_rules(FILE *out, const char *value, size_t len)
{
    const char *const end = value + len;
    bool is_value = false; // Before it: the rule's name.
    while (value < end) {
        const size_t done = is_value ? write_colour(out, value) : 0;
        if (done > 0) {
            value += done;
        } else {
            (void)fputc(*value++, out);
        }
        is_value = value[-1] == ':' || (is_value && value[-1] == ' ');
    }
}

// write_value writes an attribute's value, `len` bytes.
static void write_value(FILE *out, const char *name, size_t name_len, const char *value, size_t len,
                        const char *prefix)
{
    size_t done = 0;
    if (is_called(name, name_len, "style")) {
        write_rules(out, value, len);
        return;
    }
    if (is_called(name, name_len, "id")) {
        (void)fprintf(out, "%s-", prefix);
    } else {
        done = write_colour(out, value);
        done += done == 0 ? write_reference(out, value, prefix) : 0;
    }
    done = done < len ? done : len;
    (void)fprintf(out, "%.*s", (int)(len - done), value + done);
}

// write_tag writes a tag, from "<" to ">", `len` bytes.
static void write_tag(FILE *out, const char *tag, size_t len, const char *prefix)
{
    const char *const end = tag + len;
    const char *at = tag;
    while (at < end) {
        const char *quote = at + strcspn(at, "'\"");
        if (quote >= end) {
            break;
        }
        const char *value_end = strchr(quote + 1, *quote);
        if (value_end == NULL || value_end >= end) {
            break;
        }
        const char *name_end = quote;
        while (name_end > at && (name_end[-1] == '=' || name_end[-1] == ' ')) {
            name_end--;
        }
        const char *name = name_end;
        while (name > at && (isalnum((unsigned char)name[-1]) != 0 || name[-1] == '-')) {
            name--;
        }
        const size_t name_len = (size_t)(name_end - name);
        // Panels of one picture have the same names, which nothing refers to.
        const bool is_dropped =
            is_called(name, name_len, "id") && strncmp(quote + 1, "gnuplot_", 8) == 0;
        // "xlink:href" is "href" in a page.
        const bool has_space = name - at >= 6 && strncmp(name - 6, "xlink:", 6) == 0;
        (void)fprintf(out, "%.*s", (int)(name - at - (has_space ? 6 : 0)), at);
        if (!is_dropped) {
            (void)fprintf(out, "%.*s=\"", (int)name_len, name);
            write_value(out, name, name_len, quote + 1, (size_t)(value_end - quote - 1), prefix);
            (void)fputc('"', out);
        }
        at = value_end + 1;
    }
    (void)fprintf(out, "%.*s", (int)(end - at), at);
}

// skip_past returns what comes after `what`, or the end of the text.
static const char *skip_past(const char *text, const char *what)
{
    const char *found = strstr(text, what);
    return found != NULL ? found + strlen(what) : text + strlen(text);
}

// skip_empty returns what comes after a group with nothing in it, NULL if `tag` begins none.
static const char *skip_empty(const char *tag)
{
    if (strncmp(tag, "<g ", 3) != 0) {
        return NULL;
    }
    const char *inside = skip_past(tag, ">");
    inside += strspn(inside, " \t\n");
    return strncmp(inside, "</g>", 4) == 0 ? inside + 4 : NULL;
}

// skip_unwanted returns what comes after something that has no place in a page, NULL if `tag`
// begins nothing of that kind.
static const char *skip_unwanted(const char *tag)
{
    static const char *const rows[][2] = {
        {"<title>", "</title>"},  {"<desc>", "</desc>"},    {"<!--", "-->"},
        {"<script", "</script>"}, {"<filter", "</filter>"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strncmp(tag, rows[i][0], strlen(rows[i][0])) == 0) {
            return skip_past(tag, rows[i][1]);
        }
    }
    return skip_empty(tag);
}

static void write_content(FILE *out, const char *at, const char *prefix)
{
    while (*at != '\0' && strncmp(at, "</svg>", 6) != 0) {
        const char *after = *at == '<' ? skip_unwanted(at) : NULL;
        if (after != NULL) {
            at = after;
        } else if (*at == '<') {
            const size_t len = (size_t)(skip_past(at, ">") - at);
            write_tag(out, at, len, prefix);
            at += len;
        } else if (isspace((unsigned char)*at) != 0) {
            // Of the space between tags one blank is enough, and that not always.
            const size_t len = strspn(at, " \t\n\r");
            (void)fputs(at[len] == '<' ? "\n" : " ", out);
            at += len;
        } else {
            (void)fputc(*at++, out);
        }
    }
}

// find_box returns the numbers of the picture's box, NULL if it is no picture, or not all of it.
static const char *find_box(const char *svg)
{
    static const char name[] = "viewBox=\"";
    const char *begin = strstr(svg, "<svg");
    const char *box = begin != NULL ? strstr(begin, name) : NULL;
    return box != NULL && strstr(box, "</svg>") != NULL ? box + strlen(name) : NULL;
}

bool html_svg_is_whole(const char *svg)
{
    return find_box(svg) != NULL;
}

void html_svg(FILE *out, const char *svg, const char *prefix, const char *title,
              const char *description)
{
    const char *box = find_box(svg);
    if (box == NULL) {
        return;
    }
    (void)fprintf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"%.*s\" role=\"img\">\n"
                  "<title>",
                  (int)strcspn(box, "\""), box);
    report_xml_text(out, title);
    (void)fputs("</title>\n<desc>", out);
    report_xml_text(out, description);
    (void)fputs("</desc>\n", out);
    write_content(out, skip_past(box, ">"), prefix);
    (void)fputs("</svg>\n", out);
}
