#include "report/html_internal.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/process.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

// A plot takes a fraction of a second.
#define LIMIT_NS (60 * EKB_NS_PER_S)
#define DESCRIPTION_LEN 2048

// What gnuplot reads: the script, and none of its user's or the system's settings.
static const char *const words[] = {"gnuplot", "--default-settings", "-", NULL};

static enum ekb_err run(char **out_svg, const char *script)
{
    // The same picture in every language, everywhere.
    char path[4096];
    char locale[] = "LC_ALL=C";
    char zone[] = "TZ=UTC";
    const char *own_path = getenv("PATH");
    (void)snprintf(path, sizeof path, "PATH=%s", own_path != NULL ? own_path : "/usr/bin:/bin");
    char *const variables[] = {path, locale, zone, NULL};
    return ekb_process_filter(out_svg, words, variables, script, LIMIT_NS, NULL);
}

bool html_plot_is_possible(void)
{
    char *text = NULL;
    const bool possible = run(&text, "exit\n") == EKB_OK;
    free(text);
    return possible;
}

// Series: a dash pattern as gnuplot has it, a point as gnuplot and as HTML have it.
static const struct {
    const char *dashes;
    int point;
    const char *mark;
} series_styles[HTML_NUM_SERIES] = {
    {"1", 7, "&#9679;"},           {"(12,5)", 9, "&#9650;"},  {"(3,4)", 5, "&#9632;"},
    {"(12,4,3,4)", 13, "&#9670;"}, {"(20,5)", 11, "&#9660;"}, {"(7,4)", 6, "&#9675;"},
};

static unsigned colour_of(size_t series)
{
    return 0x11 + (unsigned)(series % HTML_NUM_SERIES);
}

void html_plot_line(struct html_plot *plot, size_t series)
{
    (void)fprintf(plot->script, " lc rgb '#0a0b%02x' dt %s lw 2", colour_of(series),
                  series_styles[series % HTML_NUM_SERIES].dashes);
}

void html_plot_point(struct html_plot *plot, size_t series)
{
    (void)fprintf(plot->script, " lc rgb '#0a0b%02x' pt %d ps 0.9 lw 2", colour_of(series),
                  series_styles[series % HTML_NUM_SERIES].point);
}

void html_plot_shade(struct html_plot *plot, size_t series)
{
    (void)fprintf(plot->script, " fc rgb '#0a0b%02x'", colour_of(series));
}

bool html_plot_begin(const struct html_page *page, struct html_plot *out_plot, unsigned height,
                     enum html_marks marks)
{
    *out_plot = (struct html_plot){.height = height, .marks = marks};
    if (page->plots == HTML_PLOTS_NONE) {
        return false;
    }
    out_plot->script = open_memstream(&out_plot->script_text, &out_plot->script_len);
    out_plot->legend = open_memstream(&out_plot->legend_text, &out_plot->legend_len);
    if (out_plot->script == NULL || out_plot->legend == NULL) {
        if (out_plot->script != NULL) {
            (void)fclose(out_plot->script);
        }
        if (out_plot->legend != NULL) {
            (void)fclose(out_plot->legend);
        }
        free(out_plot->script_text);
        free(out_plot->legend_text);
        return false;
    }
    (void)fprintf(out_plot->script,
                  "set terminal svg size %d,%u dynamic noenhanced font 'sans-serif,17'\n"
                  "set border 3 lc rgb '#0a0b01' lw 1\n"
                  "set tics nomirror textcolor rgb '#0a0b03'\n"
                  "set xlabel textcolor rgb '#0a0b03'\n"
                  "set ylabel textcolor rgb '#0a0b03'\n"
                  "set grid lt 1 lc rgb '#0a0b02' lw 1\n"
                  "set key off\n",
                  HTML_PLOT_WIDTH, height);
    return true;
}

void html_plot_name(struct html_plot *plot, size_t series, const char *format, ...)
{
    char name[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(name, sizeof name, format, args);
    va_end(args);
    (void)fprintf(plot->legend, "<li><span class=\"key %s k%zu\" aria-hidden=\"true\">%s</span>",
                  plot->marks == HTML_LINES ? "line" : "point", series % HTML_NUM_SERIES + 1,
                  plot->marks == HTML_LINES ? "&#160;"
                                            : series_styles[series % HTML_NUM_SERIES].mark);
    html_text(plot->legend, "%s", name);
    (void)fputs("</li>\n", plot->legend);
}

static void write_figure(struct html_page *page, const struct html_plot *plot, const char *svg,
                         const char *title, const char *description)
{
    char prefix[24];
    (void)snprintf(prefix, sizeof prefix, "plot-%u", ++page->num_plots);
    (void)fputs("<figure>\n<figcaption>", page->out);
    html_text(page->out, "%s", title);
    (void)fputs("</figcaption>\n", page->out);
    html_svg(page->out, svg, prefix, title, description);
    if (plot->legend_len > 0) {
        (void)fprintf(page->out, "<ul class=\"legend\">\n%s</ul>\n", plot->legend_text);
    }
    (void)fputs("</figure>\n", page->out);
}

void html_plot_end(struct html_page *page, struct html_plot *plot, const char *title,
                   const char *format, ...)
{
    char description[DESCRIPTION_LEN];
    char *svg = NULL;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(description, sizeof description, format, args);
    va_end(args);
    const bool is_whole = (fclose(plot->script) == 0) & (fclose(plot->legend) == 0);
    if (is_whole && run(&svg, plot->script_text) == EKB_OK && html_svg_is_whole(svg)) {
        write_figure(page, plot, svg, title, description);
    } else {
        html_reading(page->out, "(gnuplot could not draw the plot \"%s\".)", title);
    }
    free(svg);
    free(plot->script_text);
    free(plot->legend_text);
}

// Axes.

// nice_step returns the largest of 1, 2, 5, 10, ... times a power of ten that is at most `step`.
static double nice_step(double step)
{
    const double power = pow(10, floor(log10(step)));
    const double times = step / power;
    return power * (times >= 5 ? 5 : (times >= 2 ? 2 : 1));
}

static void write_tic(FILE *script, double value, unsigned *num_tics)
{
    (void)fprintf(script, "%s'%.10g' %.10g", (*num_tics)++ == 0 ? "" : ", ", value, value);
}

// Up to which factor between its ends an axis has its tics at even distances, and up to which at
// 1, 2, 5, 10, ...
#define EVEN_FACTOR 10.0
#define FINE_FACTOR 300.0

static void write_even_tics(FILE *script, double low, double high)
{
    unsigned num_tics = 0;
    const double step = nice_step((high - low) / 3);
    const long last = lround(floor(high / step));
    for (long i = lround(ceil(low / step)); i <= last; i++) {
        write_tic(script, (double)i * step, &num_tics);
    }
}

static void write_decades(FILE *script, double low, double high)
{
    static const double times[] = {1, 2, 5};
    const size_t num_times = high / low < FINE_FACTOR ? 3 : 1;
    const long last = lround(floor(log10(high)));
    unsigned num_tics = 0;
    for (long power = lround(floor(log10(low))); power <= last; power++) {
        for (size_t i = 0; i < num_times; i++) {
            const double value = times[i] * pow(10, (double)power);
            if (value >= low && value <= high) {
                write_tic(script, value, &num_tics);
            }
        }
    }
}

void html_plot_log_axis(struct html_plot *plot, char axis, double low, double high)
{
    (void)fprintf(plot->script, "set logscale %c 10\nset %crange [%.6g:%.6g]\nset %ctics (", axis,
                  axis, low, high, axis);
    if (high / low < EVEN_FACTOR) {
        write_even_tics(plot->script, low, high);
    } else {
        write_decades(plot->script, low, high);
    }
    (void)fputs(")\n", plot->script);
}

void html_plot_even_axis(struct html_plot *plot, char axis, double low, double high)
{
    (void)fprintf(plot->script, "set %crange [%.6g:%.6g]\nset %ctics %.6g\n", axis, low, high, axis,
                  2 * nice_step((high - low) / 8));
}

void html_plot_panel(struct html_plot *plot, unsigned index, unsigned num_panels, double most)
{
    // Room for the axis below the last, and between any two.
    const double bottom = 84.0 / plot->height;
    const double gap = 26.0 / plot->height;
    const double top = 1 - 14.0 / plot->height;
    const double each = (top - bottom + gap) / num_panels;
    const double high = top - index * each;
    if (index == 0) {
        (void)fputs("set multiplot\n", plot->script);
    }
    (void)fprintf(plot->script,
                  "set lmargin at screen 0.18\nset rmargin at screen 0.97\n"
                  "set tmargin at screen %.4f\nset bmargin at screen %.4f\n",
                  high, high - each + gap);
    (void)fprintf(plot->script, "set yrange [0:%.6g]\nset ytics %.6g\n", 1.08 * most,
                  nice_step(most / 2));
}
