// What the parts of the HTML report share.
//
// The page is XML as well as HTML: every element is closed, every attribute quoted, no named
// entities but XML's own. Nothing of a record is written but through html_text and what is made of
// it: names come from files that may come from anywhere.

#ifndef EKUBENCH_SRC_REPORT_HTML_INTERNAL_H
#define EKUBENCH_SRC_REPORT_HTML_INTERNAL_H

#include "report/answer.h"
#include "report/text_internal.h"

#include "ekubench/report/format.h"
#include "ekubench/stat/record.h"

#include <stdbool.h>
#include <stdio.h>

enum html_plots {
    HTML_PLOTS_NONE,    // Tables only.
    HTML_PLOTS_GNUPLOT, // Drawn by gnuplot, if it is there.
};

struct html_page {
    FILE *out;
    const struct ekb_report_set *set;
    const struct ekb_record *record; // The first of the set.
    enum html_plots plots;
    unsigned num_plots;  // That are drawn: each has names of its own in the page.
    unsigned num_tables; // Likewise.
    bool is_short_of_memory;
};

// report_html_write writes the page. EKB_NOMEM.
EKB_NODISCARD enum ekb_err report_html_write(FILE *out, const struct ekb_report_set *set,
                                             enum html_plots plots, struct ekb_fail *reterr_fail);

// The title of the section that says what the run found out about itself.
#define HTML_VALIDITY "Can the numbers be trusted?"

// html_style is the page's style sheet, to be put into a style element.
extern const char html_style[];

// Elements (html_write.c).

// html_text writes at most 2,047 characters of text, escaped; html_paragraph puts them into a
// paragraph, html_reading into one that says how a plot or table is read.
void html_text(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);
void html_paragraph(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);
void html_reading(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);

// html_section begins a section called `id`, html_section_end ends it.
void html_section(FILE *out, const char *id, const char *title);
void html_section_end(FILE *out);

// html_table begins a table whose columns are called `columns`, up to a NULL; the first is that of
// the rows' names. Each row is begun by html_row, with its name, filled by html_cell, or html_words
// in a column whose name begins with "<", with one text for each further column, and ended by
// html_row_end.
void html_table(struct html_page *page, const char *caption, const char *const *columns);
void html_row(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);
void html_cell(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);
void html_words(FILE *out, const char *format, ...) EKB_PRINTF(2, 3);
void html_row_end(FILE *out);
void html_table_end(FILE *out);

// html_cell_percentile fills one with a percentile of `summary`, "-" if it is not known.
void html_cell_percentile(FILE *out, const struct ekb_record_summary *summary,
                          struct ekb_record_u64 percentile, struct text_unit unit);

// html_write_said writes each sentence as a paragraph.
void html_write_said(FILE *out, const struct report_answer *said);

// html_write_not_measured says, instead of a table in which nothing is known, why that is so of
// `stage`.
void html_write_not_measured(FILE *out, const struct ekb_record *record, const char *stage);

// Plots (html_plot.c).

// Series differ in colour, dashes and points.
#define HTML_NUM_SERIES 6

// What the data are drawn as, and so what stands in the legend.
enum html_marks {
    HTML_LINES,
    HTML_POINTS
};

// A plot that is being made: gnuplot's script, and the legend that will stand below it. Names of
// arms go into the legend only: no text of a record ever gets into the script.
struct html_plot {
    unsigned height; // In units of which the width is HTML_PLOT_WIDTH.
    enum html_marks marks;
    FILE *script;
    char *script_text;
    size_t script_len;
    FILE *legend;
    char *legend_text;
    size_t legend_len;
};
#define HTML_PLOT_WIDTH 736

// html_plot_begin begins a plot, with everything set that all plots have in common. False if none
// are drawn; there is nothing to be ended then.
bool html_plot_begin(const struct html_page *page, struct html_plot *out_plot, unsigned height,
                     enum html_marks marks);

// These write how series number `series` (from 0) is drawn: "lc rgb '#0a0b11' dt (12,4) lw 2" and
// "lc rgb '#0a0b11' pt 7 ps 0.8 lw 2". html_shade writes its colour alone.
void html_plot_line(struct html_plot *plot, size_t series);
void html_plot_point(struct html_plot *plot, size_t series);
void html_plot_shade(struct html_plot *plot, size_t series);

// Other colours of plots: of what must not be missed, and of what is behind the data.
#define HTML_PLOT_INK "'#0a0b03'"
#define HTML_PLOT_LIMIT "'#0a0b04'"
#define HTML_PLOT_BAND "'#0a0b05'"

// html_plot_log_axis makes `axis`, 'x' or 'y', logarithmic, from `low` to `high`, both positive.
void html_plot_log_axis(struct html_plot *plot, char axis, double low, double high);

// html_plot_even_axis gives it even distances.
void html_plot_even_axis(struct html_plot *plot, char axis, double low, double high);

// html_plot_panel begins number `index` of several plots below one another, of one script. Its
// values go from 0 to `most`, which is positive.
void html_plot_panel(struct html_plot *plot, unsigned index, unsigned num_panels, double most);

// html_plot_name adds a line to the legend: what is drawn as that series.
void html_plot_name(struct html_plot *plot, size_t series, const char *format, ...)
    EKB_PRINTF(3, 4);

// html_plot_end has the plot drawn and writes it as a figure called `title`. The description, of at
// most 2,047 characters, is for those who do not see it.
void html_plot_end(struct html_page *page, struct html_plot *plot, const char *title,
                   const char *format, ...) EKB_PRINTF(4, 5);

// html_plot_is_possible tells whether there is a gnuplot.
bool html_plot_is_possible(void);

// html_svg writes gnuplot's `svg` as a part of a page: our colours become variables of the style
// sheet, and every name in it begins with `prefix`. It has `title` and `description`.
// html_svg_is_whole tells whether it is one from its beginning to its end; of others nothing is
// written.
bool html_svg_is_whole(const char *svg);
void html_svg(FILE *out, const char *svg, const char *prefix, const char *title,
              const char *description);

// html_stage_is_shown is true for stages that are there to be looked at, and have something to
// show.
bool html_stage_is_shown(const struct ekb_record *record, const struct ekb_record_stage *stage);

// Sections. Each writes nothing if the record has nothing for it.
void html_write_validity(struct html_page *page);
void html_write_ladder(struct html_page *page);
void html_write_eku(struct html_page *page);
void html_write_depth(struct html_page *page);
void html_write_rejects(struct html_page *page);

// html_plot_curves draws the latencies of summaries that have a histogram: their percentiles, and
// how many there are of each. `labels` has as many names.
struct html_curves {
    const struct ekb_record_summary *summaries[HTML_NUM_SERIES];
    char labels[HTML_NUM_SERIES][128];
    size_t num;
};
void html_plot_curves(struct html_page *page, const struct html_curves *curves, const char *title);
void html_write_latency(struct html_page *page);
void html_write_capacity(struct html_page *page);
void html_write_time(struct html_page *page);
void html_write_floors(struct html_page *page);
void html_write_links(struct html_page *page);
void html_write_overlay(struct html_page *page);
void html_write_about(struct html_page *page);

#endif
