#include "report/escape.h"
#include "report/html_internal.h"

#include <stdarg.h>
#include <stdbool.h>

#define TEXT_LEN 2048

static void write_text(FILE *out, const char *format, va_list args)
{
    char text[TEXT_LEN];
    (void)vsnprintf(text, sizeof text, format, args);
    report_xml_text(out, text);
}

void html_text(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_text(out, format, args);
    va_end(args);
}

void html_paragraph(FILE *out, const char *format, ...)
{
    va_list args;
    (void)fputs("<p>", out);
    va_start(args, format);
    write_text(out, format, args);
    va_end(args);
    (void)fputs("</p>\n", out);
}

void html_reading(FILE *out, const char *format, ...)
{
    va_list args;
    (void)fputs("<p class=\"reading\">", out);
    va_start(args, format);
    write_text(out, format, args);
    va_end(args);
    (void)fputs("</p>\n", out);
}

void html_section(FILE *out, const char *id, const char *title)
{
    (void)fprintf(out, "\n<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">",
                  id, id, id);
    html_text(out, "%s", title);
    (void)fputs("</h2>\n", out);
}

void html_section_end(FILE *out)
{
    (void)fputs("</section>\n", out);
}

void html_table(struct html_page *page, const char *caption, const char *const *columns)
{
    FILE *out = page->out;
    page->num_tables++;
    // Above the box that scrolls, not to be scrolled away with the table. A box that scrolls must
    // be reachable by keyboard.
    (void)fprintf(out, "<p class=\"caption\" id=\"table-%u\">", page->num_tables);
    html_text(out, "%s", caption);
    (void)fprintf(out,
                  "</p>\n<div class=\"table\" role=\"region\" tabindex=\"0\" "
                  "aria-labelledby=\"table-%u\">\n<table aria-labelledby=\"table-%u\">\n",
                  page->num_tables, page->num_tables);
    (void)fputs("<thead>\n<tr>", out);
    for (size_t i = 0; columns[i] != NULL; i++) {
        const bool is_words = columns[i][0] == '<';
        (void)fprintf(out, "<th scope=\"col\"%s>", is_words ? " class=\"words\"" : "");
        html_text(out, "%s", columns[i] + (is_words ? 1 : 0));
        (void)fputs("</th>", out);
    }
    (void)fputs("</tr>\n</thead>\n<tbody>\n", out);
}

void html_row(FILE *out, const char *format, ...)
{
    va_list args;
    (void)fputs("<tr><th scope=\"row\">", out);
    va_start(args, format);
    write_text(out, format, args);
    va_end(args);
    (void)fputs("</th>", out);
}

void html_cell(FILE *out, const char *format, ...)
{
    va_list args;
    (void)fputs("<td>", out);
    va_start(args, format);
    write_text(out, format, args);
    va_end(args);
    (void)fputs("</td>", out);
}

void html_words(FILE *out, const char *format, ...)
{
    va_list args;
    (void)fputs("<td class=\"words\">", out);
    va_start(args, format);
    write_text(out, format, args);
    va_end(args);
    (void)fputs("</td>", out);
}

void html_row_end(FILE *out)
{
    (void)fputs("</tr>\n", out);
}

void html_table_end(FILE *out)
{
    (void)fputs("</tbody>\n</table>\n</div>\n", out);
}

void html_cell_percentile(FILE *out, const struct ekb_record_summary *summary,
                          struct ekb_record_u64 percentile, struct text_unit unit)
{
    const double value = (double)percentile.value / unit.divisor;
    if (summary->known && percentile.known) {
        html_cell(out, "%.*f", value < 10 ? 2 : (value < 100 ? 1 : 0), value);
    } else {
        html_cell(out, "-");
    }
}

void html_write_said(FILE *out, const struct report_answer *said)
{
    for (size_t i = 0; i < said->num_sentences; i++) {
        html_paragraph(out, "%s", said->sentences[i]);
    }
}

void html_write_not_measured(FILE *out, const struct ekb_record *record, const char *stage)
{
    struct report_answer said = {.num_sentences = 0};
    text_say_not_measured(&said, record, stage);
    html_write_said(out, &said);
}
