// Distributions drawn: percentiles, and how many there are of each.

#include "report/html_internal.h"

#include "ekubench/report/distribution.h"
#include "ekubench/stat/hist.h"

#include <math.h>
#include <stdlib.h>

// Points in each decade of 1 / (1 - p), and bars of a histogram.
#define POINTS_PER_DECADE 40
#define NUM_BINS 48

// A percentile is known while ten samples are beyond it.
#define LEAST_BEYOND 10.0

struct opened {
    struct ekb_hist *hists[HTML_NUM_SERIES];
    double low_ms, high_ms; // Of all of them.
    double most_times;      // The largest 1 / (1 - p) that any of them knows.
};

static void close_all(struct opened *opened)
{
    for (size_t i = 0; i < HTML_NUM_SERIES; i++) {
        free(opened->hists[i]);
    }
}

static double ms(double ns)
{
    return ns / 1e6;
}

// open_all returns false if there is no memory.
static bool open_all(struct opened *opened, const struct html_curves *curves)
{
    opened->low_ms = (double)INFINITY;
    for (size_t i = 0; i < curves->num; i++) {
        const struct ekb_moments *moments = &curves->summaries[i]->moments;
        opened->hists[i] = ekb_report_distribution_open(curves->summaries[i]);
        if (opened->hists[i] == NULL) {
            return false;
        }
        opened->low_ms = fmin(opened->low_ms, ms((double)(moments->min > 0 ? moments->min : 1)));
        opened->high_ms = fmax(opened->high_ms, ms((double)moments->max));
        opened->most_times = fmax(opened->most_times, (double)moments->count / LEAST_BEYOND);
    }
    opened->high_ms = fmax(opened->high_ms, 1.01 * opened->low_ms);
    return true;
}

// Percentiles.

// write_percentiles writes 1 / (1 - p) and the value, as far as it is known.
static void write_percentiles(FILE *script, const struct ekb_hist *hist,
                              const struct ekb_record_summary *summary)
{
    const double most = (double)summary->moments.count / LEAST_BEYOND;
    const double least_ms = ms((double)summary->moments.min);
    for (unsigned i = 0;; i++) {
        const double times = pow(10, (double)i / POINTS_PER_DECADE);
        if (times > most) {
            break;
        }
        const double value = ms((double)ekb_hist_percentile(hist, 100.0 * (1.0 - 1.0 / times)));
        (void)fprintf(script, "%.5g %.5g\n", times, fmax(value, least_ms));
    }
}

// highest_percentile returns the highest value that write_percentiles writes.
static double highest_percentile(const struct opened *opened, const struct html_curves *curves)
{
    double highest_ms = 0;
    for (size_t i = 0; i < curves->num; i++) {
        const double most = (double)curves->summaries[i]->moments.count / LEAST_BEYOND;
        if (most > 1) {
            highest_ms =
                fmax(highest_ms,
                     ms((double)ekb_hist_percentile(opened->hists[i], 100.0 * (1.0 - 1.0 / most))));
        }
    }
    return highest_ms;
}

static void begin_data(struct html_plot *plot, size_t index)
{
    (void)fprintf(plot->script, "$curve%zu << EOD\n", index);
}

static void write_plot(struct html_plot *plot, const struct html_curves *curves)
{
    for (size_t i = 0; i < curves->num; i++) {
        (void)fprintf(plot->script, "%s$curve%zu using 1:2 with lines", i == 0 ? "plot " : ", ", i);
        html_plot_line(plot, i);
        html_plot_name(plot, i, "%s", curves->labels[i]);
    }
    (void)fputc('\n', plot->script);
}

static void plot_percentiles(struct html_page *page, const struct opened *opened,
                             const struct html_curves *curves, const char *of)
{
    struct html_plot plot;
    char title[256];
    const double highest_ms = highest_percentile(opened, curves);
    if (opened->most_times <= 2 || !html_plot_begin(page, &plot, 400, HTML_LINES)) {
        return;
    }
    for (size_t i = 0; i < curves->num; i++) {
        begin_data(&plot, i);
        write_percentiles(plot.script, opened->hists[i], curves->summaries[i]);
        (void)fputs("EOD\n", plot.script);
    }
    html_plot_log_axis(&plot, 'y', 0.95 * opened->low_ms,
                       1.05 * fmax(highest_ms, 1.01 * opened->low_ms));
    (void)fprintf(plot.script,
                  "set logscale x 10\nset xrange [1:%.6g]\n"
                  "set xtics ('0' 1, '50' 2, '90' 10, '99' 100, '99.9' 1e3, '99.99' 1e4, "
                  "'99.999' 1e5, '99.9999' 1e6)\n"
                  "set xlabel 'percentile: so many %% of the handshakes took at most'\n"
                  "set ylabel 'latency, ms'\n",
                  1.1 * opened->most_times);
    write_plot(&plot, curves);
    (void)snprintf(title, sizeof title, "Percentiles of latency, %s", of);
    html_plot_end(page, &plot, title,
                  "One rising curve for each of %zu arms, from the median through the 90th and "
                  "99th percentile to the highest that is known; both axes are logarithmic. The "
                  "table below has the numbers.",
                  curves->num);
}

// Histograms.

static size_t bin_of(const struct opened *opened, double value_ms)
{
    const double share = log(value_ms / opened->low_ms) / log(opened->high_ms / opened->low_ms);
    const double bin = floor(share * NUM_BINS);
    return bin < 0 ? 0 : (bin >= NUM_BINS ? NUM_BINS - 1 : (size_t)bin);
}

// write_bins writes the outline of a histogram's bars.
static void write_bins(FILE *script, const struct opened *opened, const struct ekb_hist *hist)
{
    double shares[NUM_BINS] = {0};
    struct ekb_hist_bucket bucket = {0};
    const double count = (double)ekb_hist_count(hist);
    const double factor = pow(opened->high_ms / opened->low_ms, 1.0 / NUM_BINS);
    while (ekb_hist_next_bucket(hist, &bucket)) {
        const double middle_ms = ms(((double)bucket.low_ns + (double)bucket.high_ns) / 2);
        shares[bin_of(opened, middle_ms)] += 100.0 * (double)bucket.count / count;
    }
    for (size_t i = 0; i < NUM_BINS; i++) {
        const double begin_ms = opened->low_ms * pow(factor, (double)i);
        (void)fprintf(script, "%.5g %.4g\n%.5g %.4g\n", begin_ms, shares[i], begin_ms * factor,
                      shares[i]);
    }
}

static void plot_histogram(struct html_page *page, const struct opened *opened,
                           const struct html_curves *curves, const char *of)
{
    struct html_plot plot;
    char title[256];
    if (!html_plot_begin(page, &plot, 340, HTML_LINES)) {
        return;
    }
    for (size_t i = 0; i < curves->num; i++) {
        begin_data(&plot, i);
        write_bins(plot.script, opened, opened->hists[i]);
        (void)fputs("EOD\n", plot.script);
    }
    html_plot_log_axis(&plot, 'x', opened->low_ms, opened->high_ms);
    (void)fputs("set yrange [0:*]\nset xlabel 'latency, ms'\n"
                "set ylabel '% of the handshakes'\n",
                plot.script);
    write_plot(&plot, curves);
    (void)snprintf(title, sizeof title, "How often each latency came up, %s", of);
    html_plot_end(page, &plot, title,
                  "Outlines of %zu histograms with %d bars each over a logarithmic axis of "
                  "latency. The table below has the percentiles.",
                  curves->num, NUM_BINS);
}

void html_plot_curves(struct html_page *page, const struct html_curves *curves, const char *of)
{
    struct opened opened = {.high_ms = 0};
    if (page->plots == HTML_PLOTS_NONE || curves->num == 0) {
        return;
    }
    if (open_all(&opened, curves)) {
        plot_histogram(page, &opened, curves, of);
        plot_percentiles(page, &opened, curves, of);
    } else {
        page->is_short_of_memory = true;
    }
    close_all(&opened);
}
