// The EKU check, through every channel.

#include "report/answer.h"
#include "report/html_internal.h"
#include "report/text_internal.h"

#include <math.h>

// plot_eku draws what whole handshakes with the check cost more than those without, by depth.
static void plot_eku(struct html_page *page)
{
    struct text_channel channels[TEXT_MAX_CHANNELS];
    const struct ekb_record_effect *off = text_find_eku_effect(page->record, "on-d1 - off-d1");
    const struct ekb_record_effect *effects[TEXT_NUM_DEPTHS];
    struct html_plot plot;
    double most_us = 0;
    double within_us = 0;
    size_t num = 0;
    if (text_list_channels(channels, page->record, TEXT_HANDSHAKES) == 0 ||
        !html_plot_begin(page, &plot, 320, HTML_POINTS)) {
        return;
    }
    (void)fputs("$points << EOD\n", plot.script);
    for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
        char contrast[EKB_RECORD_TEXT_LEN];
        (void)snprintf(contrast, sizeof contrast, "on-d%llu - none-d%llu", text_depths[i],
                       text_depths[i]);
        effects[i] = text_find_eku_effect(page->record, contrast);
        if (effects[i] != NULL) {
            const struct ekb_estimate *estimate = &effects[i]->estimate;
            (void)fprintf(plot.script, "%llu %.6g %.6g %.6g\n", text_depths[i],
                          estimate->estimate / 1e3, estimate->low / 1e3, estimate->high / 1e3);
            most_us = fmax(most_us, fmax(fabs(estimate->low), fabs(estimate->high)) / 1e3);
            within_us = fmax(within_us, effects[i]->equivalence / 1e3);
            num++;
        }
    }
    (void)fputs("EOD\n$switch << EOD\n", plot.script);
    if (off != NULL) {
        (void)fprintf(plot.script, "1.15 %.6g %.6g %.6g\n", off->estimate.estimate / 1e3,
                      off->estimate.low / 1e3, off->estimate.high / 1e3);
        most_us = fmax(most_us, fmax(fabs(off->estimate.low), fabs(off->estimate.high)) / 1e3);
    }
    most_us = 1.15 * fmax(most_us, within_us);
    (void)fputs("EOD\nset xrange [0.5:5.5]\nset xtics 1\n"
                "set xlabel 'certificates above the client''s own (depth)'\n"
                "set ylabel 'us of server CPU'\n",
                plot.script);
    html_plot_even_axis(&plot, 'y', -most_us, most_us);
    if (within_us > 0) {
        (void)fprintf(plot.script,
                      "set label 'does not matter' at first 4, first %.6g center "
                      "offset 0,-0.7 textcolor rgb " HTML_PLOT_INK "\n",
                      within_us);
        (void)fprintf(plot.script,
                      "set object rectangle from graph 0, first %.6g to graph 1, first %.6g "
                      "behind fc rgb " HTML_PLOT_BAND " fs solid 1 noborder\n",
                      -within_us, within_us);
    }
    (void)fputs("plot 0 with lines lw 1 lc rgb " HTML_PLOT_INK
                ", $points using 1:2:3:4 with yerrorbars",
                plot.script);
    html_plot_point(&plot, 0);
    html_plot_name(&plot, 0, "EKU checking on minus no check");
    if (off != NULL) {
        (void)fputs(", $switch using 1:2:3:4 with yerrorbars", plot.script);
        html_plot_point(&plot, 1);
        html_plot_name(&plot, 1, "EKU checking on minus off");
    }
    (void)fputc('\n', plot.script);
    html_plot_end(page, &plot, "What the EKU check adds to a whole handshake",
                  "Points with intervals at %zu depths, around zero. The table below has the "
                  "numbers.",
                  num);
}

static void table_eku(struct html_page *page)
{
    // The verdict first, for screens that are too narrow for all.
    static const char *const columns[] = {"on - none, unless it says otherwise", "<verdict",
                                          "difference", "least that could be seen", NULL};
    static const enum text_channel_group groups[] = {TEXT_COMPONENT, TEXT_HANDSHAKES, TEXT_BLOCKS};
    FILE *out = page->out;
    html_table(page, "The cost of the EKU check, through every channel, with 95 % intervals",
               columns);
    for (size_t group = 0; group < sizeof groups / sizeof groups[0]; group++) {
        struct text_channel channels[TEXT_MAX_CHANNELS];
        const size_t num = text_list_channels(channels, page->record, groups[group]);
        for (size_t i = 0; i < num; i++) {
            const struct text_channel *channel = &channels[i];
            char interval[64];
            char least[32];
            char verdict[EKB_RECORD_TEXT_LEN];
            html_row(out, "%s", channel->label);
            html_words(out, "%s", text_short_verdict(verdict, channel->effect));
            html_cell(out, "%s %s", text_signed_interval(interval, channel->effect, channel->unit),
                      channel->unit_name);
            html_cell(out, "%s %s", text_least(least, channel->effect, channel->unit),
                      channel->unit_name);
            html_row_end(out);
        }
    }
    html_table_end(out);
}

void html_write_eku(struct html_page *page)
{
    struct report_answer said = {.num_sentences = 0};
    const bool known = text_eku_is_known(page->record);
    if (!known && (text_find_cost_arm(page->record, "on", 1) == NULL ||
                   text_find_cost_arm(page->record, "none", 1) == NULL)) {
        return;
    }
    html_section(page->out, "eku", "What does the EKU check cost?");
    if (!known) {
        html_write_not_measured(page->out, page->record, EKB_STAGE_COST);
    } else {
        html_reading(page->out, "%s", text_modes);
        html_reading(
            page->out,
            "If zero (the line) is inside of an interval, the two modes cannot be told "
            "apart. Three ways of measuring, called channels, look at it: timers inside "
            "of the verification (component), whole handshakes in turn, and blocks of "
            "time under full load. Of true differences as large as the least that could be "
            "seen, four in five are found.");
        plot_eku(page);
        table_eku(page);
        text_say_verdicts(&said, page->record);
        text_say_missing_verdicts(&said, page->record);
        text_say_agreement(&said, page->record);
        html_write_said(page->out, &said);
    }
    html_section_end(page->out);
}
