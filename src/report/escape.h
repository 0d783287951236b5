// Texts of a record in the languages of reports. Texts are UTF-8 without control characters, as
// they are read (stat/record).

#ifndef EKUBENCH_SRC_REPORT_ESCAPE_H
#define EKUBENCH_SRC_REPORT_ESCAPE_H

#include <stdio.h>

// Each writes `text` so that a reader of the language gets it back and sees nothing else in it:
// report_json_text with its quotes, report_csv_text with quotes if it needs them (RFC 4180), and a
// "'" before what spreadsheets would take for a formula.
void report_json_text(FILE *out, const char *text);
void report_csv_text(FILE *out, const char *text);
void report_xml_text(FILE *out, const char *text);      // In text and in "attributes".
void report_markdown_text(FILE *out, const char *text); // In a paragraph and in a table.
void report_markdown_html(FILE *out, const char *text); // In an HTML element within it.
void report_label_text(FILE *out, const char *text);    // OpenMetrics, within quotes.

// report_json_real writes a number with fifteen digits; `null` if it is not finite.
void report_json_real(FILE *out, double value);

#endif
