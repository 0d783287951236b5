// The course of a load: rate and latency by second, and what the hypervisor took by block.

#include "report/html_internal.h"

#include <math.h>
#include <string.h>

// Fewer are no course.
#define LEAST_INTERVALS 3

static const struct ekb_record_interval *last_of(const struct ekb_record_series *series)
{
    return &series->intervals[series->num_intervals - 1];
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static double middle_s(const struct ekb_record_interval *interval)
{
    return seconds(interval->start_ns) + seconds(interval->duration_ns) / 2;
}

// A value of an interval, NaN where it is not known.
typedef double value_of_interval(const struct ekb_record_interval *interval);

static double due_per_s(const struct ekb_record_interval *interval)
{
    return (double)(interval->started + interval->dropped) / seconds(interval->duration_ns);
}

static double accepted_per_s(const struct ekb_record_interval *interval)
{
    return (double)interval->accepted / seconds(interval->duration_ns);
}

static double p50_ms(const struct ekb_record_interval *interval)
{
    return interval->p50_ns.known ? (double)interval->p50_ns.value / 1e6 : (double)NAN;
}

static double p99_ms(const struct ekb_record_interval *interval)
{
    return interval->p99_ns.known ? (double)interval->p99_ns.value / 1e6 : (double)NAN;
}

static double steal(const struct ekb_record_interval *interval)
{
    return interval->steal_percent.known ? interval->steal_percent.value : (double)NAN;
}

// What is drawn, one below the other; steal only if it is known.
static const struct panel {
    const char *label;
    double least_top; // Its axis goes at least up to that.
    size_t num_lines;
    struct {
        const char *name;
        value_of_interval *value_of;
    } lines[2];
} panels[] = {
    {"per second", 0, 2, {{"accepted", accepted_per_s}, {"due", due_per_s}}},
    {"latency, ms", 0, 2, {{"p99", p99_ms}, {"p50", p50_ms}}},
    {"steal, %", 1, 1, {{"steal", steal}}},
};
#define NUM_PANELS (sizeof panels / sizeof panels[0])

// is_drawn is false of the remainder at the end, too short for a rate.
static bool is_drawn(const struct ekb_record_series *series, size_t index)
{
    const uint64_t duration_ns = series->intervals[index].duration_ns;
    return duration_ns > 0 && duration_ns >= series->interval_ns / 2;
}

// write_intervals writes one value of each; where it is not known the line is broken.
static void write_intervals(FILE *script, const char *name, const struct ekb_record_series *series,
                            value_of_interval *value_of)
{
    (void)fprintf(script, "$%s << EOD\n", name);
    for (size_t i = 0; i < series->num_intervals; i++) {
        const struct ekb_record_interval *interval = &series->intervals[i];
        const double value = is_drawn(series, i) ? value_of(interval) : (double)NAN;
        if (!isnan(value)) {
            (void)fprintf(script, "%.6g %.6g\n", middle_s(interval), value);
        } else if (is_drawn(series, i)) {
            (void)fputc('\n', script);
        }
    }
    (void)fputs("EOD\n", script);
}

// num_lines_of is that of a panel. In a closed loop what is accepted is due again at once: the two
// coincide.
static size_t num_lines_of(const struct panel *panel, const struct ekb_record_stage *stage)
{
    const bool has_due = panel->num_lines > 1 && panel->lines[1].value_of == due_per_s;
    return has_due && !stage->open_loop.known ? 1 : panel->num_lines;
}

// top_of returns the highest value of a panel or what it reaches at least, 1 if none is positive.
static double top_of(const struct panel *panel, const struct ekb_record_series *series)
{
    double top = panel->least_top;
    for (size_t line = 0; line < panel->num_lines; line++) {
        for (size_t i = 0; i < series->num_intervals; i++) {
            if (is_drawn(series, i)) {
                top = fmax(top, panel->lines[line].value_of(&series->intervals[i]));
            }
        }
    }
    return top > 0 ? top : 1;
}

static void write_panel(struct html_plot *plot, const struct ekb_record_stage *stage,
                        const struct ekb_record_series *series, unsigned index, unsigned num_panels)
{
    const struct panel *panel = &panels[index];
    const size_t num_lines = num_lines_of(panel, stage);
    const bool is_last = index + 1 == num_panels;
    for (size_t i = 0; i < num_lines; i++) {
        write_intervals(plot->script, panel->lines[i].name, series, panel->lines[i].value_of);
    }
    html_plot_panel(plot, index, num_panels, top_of(panel, series));
    (void)fprintf(plot->script, "set format x '%s'\n%sset ylabel '%s'\n", is_last ? "%g" : "",
                  is_last ? "set xlabel 's from the start of the stage'\n" : "", panel->label);
    for (size_t i = 0; i < num_lines; i++) {
        (void)fprintf(plot->script, "%s$%s using 1:2 with lines", i == 0 ? "plot " : ", ",
                      panel->lines[i].name);
        html_plot_line(plot, i);
    }
    (void)fputc('\n', plot->script);
}

static void plot_series(struct html_page *page, const struct ekb_record_stage *stage,
                        const struct ekb_record_series *series)
{
    const bool with_steal = text_is_steal_known(series);
    const unsigned num_panels = with_steal ? NUM_PANELS : NUM_PANELS - 1;
    const double end_s = seconds(last_of(series)->start_ns + last_of(series)->duration_ns);
    const bool is_open = stage->open_loop.known;
    struct html_plot plot;
    char title[128];
    if (!html_plot_begin(page, &plot, with_steal ? 600 : 440, HTML_LINES)) {
        return;
    }
    (void)fprintf(plot.script,
                  "set xrange [0:%.6g]\n"
                  "set object rectangle from first 0, graph 0 to first %.6g, graph 1 behind fc rgb "
                  "" HTML_PLOT_BAND " fs solid 1 noborder\n",
                  end_s, seconds(stage->warmup_ns));
    for (unsigned i = 0; i < num_panels; i++) {
        write_panel(&plot, stage, series, i, num_panels);
    }
    html_plot_name(&plot, 0, "rate: accepted; latency: 99th percentile%s",
                   with_steal ? "; steal" : "");
    html_plot_name(&plot, 1, "%slatency: median", is_open ? "rate: due (begun or dropped); " : "");
    (void)snprintf(title, sizeof title, "Rate%s over time, stage %s",
                   with_steal ? ", latency and steal" : " and latency", stage->name);
    html_plot_end(page, &plot, title,
                  "%s panels over %.0f seconds: handshakes %saccepted per second, %sthe "
                  "median and 99th percentile of latency%s. The warm-up at the beginning is "
                  "shaded.",
                  with_steal ? "Three" : "Two", end_s, is_open ? "due and " : "",
                  with_steal ? "" : "and ",
                  with_steal ? ", and the share of the machine that the hypervisor took" : "");
}

// Of at most that many rows of a table each is an interval; else several.
#define MAX_ROWS 60

static void table_series(struct html_page *page, const struct ekb_record_stage *stage,
                         const struct ekb_record_series *series)
{
    const bool with_steal = text_is_steal_known(series);
    const char *const columns[] = {"from, s",
                                   "due/s",
                                   "accepted/s",
                                   "rejected",
                                   "failed",
                                   "dropped",
                                   "under way",
                                   "p50, ms",
                                   "p99, ms",
                                   "max, ms",
                                   with_steal ? "steal, %" : NULL,
                                   NULL};
    const struct ekb_record_summary known = {.known = true};
    FILE *out = page->out;
    char caption[128];
    if (series->num_intervals > MAX_ROWS) {
        html_reading(out, "(%zu intervals: too many for a table here; result.json has them.)",
                     series->num_intervals);
        return;
    }
    (void)snprintf(caption, sizeof caption, "The course of stage %s", stage->name);
    (void)fputs("<details>\n<summary>The same as a table</summary>\n", out);
    html_table(page, caption, columns);
    for (size_t i = 0; i < series->num_intervals; i++) {
        const struct ekb_record_interval *interval = &series->intervals[i];
        if (interval->duration_ns == 0) {
            continue;
        }
        html_row(out, "%.3g", seconds(interval->start_ns));
        html_cell(out, "%.0f", due_per_s(interval));
        html_cell(out, "%.0f", accepted_per_s(interval));
        html_cell(out, "%llu", (unsigned long long)interval->rejected);
        html_cell(out, "%llu", (unsigned long long)interval->failed);
        html_cell(out, "%llu", (unsigned long long)interval->dropped);
        html_cell(out, "%llu", (unsigned long long)interval->in_flight);
        html_cell_percentile(out, &known, interval->p50_ns, text_ms);
        html_cell_percentile(out, &known, interval->p99_ns, text_ms);
        html_cell_percentile(out, &known, interval->max_ns, text_ms);
        if (with_steal) {
            html_cell(out, interval->steal_percent.known ? "%.1f" : "-",
                      interval->steal_percent.value);
        }
        html_row_end(out);
    }
    html_table_end(out);
    (void)fputs("</details>\n", out);
}

// Blocks.

static bool is_of(const struct ekb_record_block *block, const struct ekb_record_stage *stage)
{
    return strcmp(block->stage, stage->name) == 0;
}

typedef double value_of_block(const struct ekb_record_block *block);

// By Little's law, the number in flight over the mean latency: how many are accepted in a block
// depends on where in a wave it ends. Without a latency there are but these.
static double block_rate(const struct ekb_record_block *block)
{
    return block->wall_ns.known && block->wall_ns.value > 0 ? 1e9 / block->wall_ns.value
                                                            : block->accepted_per_s;
}

static double block_p99_ms(const struct ekb_record_block *block)
{
    return block->p99_ns.known ? (double)block->p99_ns.value / 1e6 : (double)NAN;
}

static double block_steal(const struct ekb_record_block *block)
{
    return block->steal_percent;
}

// arm_number returns by which series the blocks of an arm are drawn.
static size_t arm_number(const struct ekb_record *record, const struct ekb_record_stage *stage,
                         const char *name)
{
    size_t number = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        if (strcmp(record->arms[i].stage, stage->name) == 0) {
            if (strcmp(record->arms[i].name, name) == 0) {
                break;
            }
            number++;
        }
    }
    return number % HTML_NUM_SERIES;
}

static double most_of_blocks(const struct ekb_record *record, const struct ekb_record_stage *stage,
                             value_of_block *value_of)
{
    double most = 0;
    for (size_t i = 0; i < record->num_blocks; i++) {
        if (is_of(&record->blocks[i], stage)) {
            most = fmax(most, value_of(&record->blocks[i]));
        }
    }
    return most > 0 ? most : 1;
}

// write_blocks draws one value of all blocks, by number, in one panel.
static void write_blocks(struct html_plot *plot, const struct ekb_record *record,
                         const struct ekb_record_stage *stage, const char *name,
                         value_of_block *value_of)
{
    for (size_t series = 0; series < HTML_NUM_SERIES; series++) {
        size_t number = 0;
        (void)fprintf(plot->script, "$%s%zu << EOD\n", name, series);
        for (size_t i = 0; i < record->num_blocks; i++) {
            const struct ekb_record_block *block = &record->blocks[i];
            number += is_of(block, stage) ? 1 : 0;
            if (is_of(block, stage) && !isnan(value_of(block)) &&
                arm_number(record, stage, block->arm) == series) {
                (void)fprintf(plot->script, "%zu %.6g\n", number, value_of(block));
            }
        }
        (void)fputs("EOD\n", plot->script);
    }
    (void)fputs("plot 1/0 notitle", plot->script);
    for (size_t series = 0; series < HTML_NUM_SERIES; series++) {
        (void)fprintf(plot->script, ", $%s%zu using 1:2 with points", name, series);
        html_plot_point(plot, series);
    }
    (void)fputc('\n', plot->script);
}

static void plot_blocks(struct html_page *page, const struct ekb_record_stage *stage, size_t num)
{
    const struct ekb_record *record = page->record;
    struct html_plot plot;
    char title[128];
    if (!html_plot_begin(page, &plot, 520, HTML_POINTS)) {
        return;
    }
    (void)fprintf(plot.script, "set xrange [0:%zu]\n", num + 1);
    html_plot_panel(&plot, 0, 3, most_of_blocks(record, stage, block_rate));
    (void)fputs("set format x ''\nset ylabel 'rate, /s'\n", plot.script);
    write_blocks(&plot, record, stage, "rate", block_rate);
    html_plot_panel(&plot, 1, 3, most_of_blocks(record, stage, block_p99_ms));
    (void)fputs("set ylabel 'p99, ms'\n", plot.script);
    write_blocks(&plot, record, stage, "late", block_p99_ms);
    html_plot_panel(&plot, 2, 3, most_of_blocks(record, stage, block_steal));
    (void)fputs("set format x '%g'\nset xlabel 'block, in the order of time'\n"
                "set ylabel 'steal, %'\n",
                plot.script);
    write_blocks(&plot, record, stage, "steal", block_steal);
    for (size_t i = 0; i < record->num_arms; i++) {
        if (strcmp(record->arms[i].stage, stage->name) == 0) {
            html_plot_name(&plot, arm_number(record, stage, record->arms[i].name), "%s",
                           record->arms[i].name);
        }
    }
    (void)snprintf(title, sizeof title, "Rate, latency and steal by block, stage %s", stage->name);
    html_plot_end(page, &plot, title,
                  "Three panels with a point for each of %zu blocks: handshakes per second, as the "
                  "number in flight over the mean latency, 99th percentile of latency, and the "
                  "share of the machine that the "
                  "hypervisor took.",
                  num);
}

static void table_blocks(struct html_page *page, const struct ekb_record_stage *stage)
{
    static const char *const columns[] = {"block",    "<arm",      "rate, /s", "p99, ms",
                                          "steal, %", "waited, %", "<used",    NULL};
    const struct ekb_record_summary known = {.known = true};
    FILE *out = page->out;
    char caption[128];
    size_t number = 0;
    (void)snprintf(caption, sizeof caption,
                   "The blocks of stage %s (rate: the number in flight over the mean latency)",
                   stage->name);
    (void)fputs("<details>\n<summary>The blocks as a table</summary>\n", out);
    html_table(page, caption, columns);
    for (size_t i = 0; i < page->record->num_blocks; i++) {
        const struct ekb_record_block *block = &page->record->blocks[i];
        if (!is_of(block, stage)) {
            continue;
        }
        char text[32];
        html_row(out, "%zu", ++number);
        html_words(out, "%s", block->arm);
        html_cell(out, "%s", text_real(text, 0, block_rate(block)));
        html_cell_percentile(out, &known, block->p99_ns, text_ms);
        html_cell(out, "%s", text_real(text, 1, block->steal_percent));
        html_cell(out, "%s", text_real(text, 1, block->wait_percent));
        html_words(out, "%s", block->disturbed ? "no: disturbed" : "yes");
        html_row_end(out);
    }
    html_table_end(out);
    (void)fputs("</details>\n", out);
}

// say_spread says how far the blocks that were used lie apart.
static void say_spread(struct report_answer *answer, const struct ekb_record *record,
                       const struct ekb_record_stage *stage)
{
    double low_ms = (double)INFINITY;
    double high_ms = 0;
    double sum_ms = 0;
    size_t num = 0;
    for (size_t i = 0; i < record->num_blocks; i++) {
        const struct ekb_record_block *block = &record->blocks[i];
        if (is_of(block, stage) && !block->disturbed && block->wall_ns.known) {
            const double mean_ms = block->wall_ns.value * (double)stage->in_flight / 1e6;
            low_ms = fmin(low_ms, mean_ms);
            high_ms = fmax(high_ms, mean_ms);
            sum_ms += mean_ms;
            num++;
        }
    }
    if (num > 1 && sum_ms > 0) {
        report_say(answer,
                   "The mean latency of the blocks of stage %s lies between %.3g and %.3g ms, a "
                   "spread of %.0f %%.",
                   stage->name, low_ms, high_ms, 100.0 * (high_ms - low_ms) * (double)num / sum_ms);
    }
}

// find_series returns that of a stage if it is long enough to be looked at, else NULL.
static const struct ekb_record_series *find_series(const struct ekb_record *record,
                                                   const struct ekb_record_stage *stage)
{
    const struct ekb_record_series *series = ekb_record_find_series(record, stage->name);
    return series != NULL && series->num_intervals >= LEAST_INTERVALS ? series : NULL;
}

static size_t num_blocks_of(const struct ekb_record *record, const struct ekb_record_stage *stage)
{
    size_t num = 0;
    for (size_t i = 0; i < record->num_blocks; i++) {
        num += is_of(&record->blocks[i], stage) ? 1 : 0;
    }
    return num;
}

static void write_stage(struct html_page *page, const struct ekb_record_stage *stage)
{
    const struct ekb_record_series *series = find_series(page->record, stage);
    const size_t num_blocks = num_blocks_of(page->record, stage);
    if (series != NULL) {
        plot_series(page, stage, series);
        table_series(page, stage, series);
    }
    if (num_blocks > 0) {
        plot_blocks(page, stage, num_blocks);
        table_blocks(page, stage);
    }
}

// has_closed_course is true if the course of a closed loop is shown.
static bool has_closed_course(const struct ekb_record *record)
{
    bool has = false;
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        const struct ekb_record_stage *stage = &record->plan.stages[i];
        has = has || (strcmp(stage->shape, "open-loop") != 0 &&
                      html_stage_is_shown(record, stage) && find_series(record, stage) != NULL);
    }
    return has;
}

void html_write_time(struct html_page *page)
{
    const struct ekb_record *record = page->record;
    struct report_answer said = {.num_sentences = 0};
    bool known = false;
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        const struct ekb_record_stage *stage = &record->plan.stages[i];
        known = known || (html_stage_is_shown(record, stage) &&
                          (find_series(record, stage) != NULL || num_blocks_of(record, stage) > 0));
    }
    if (!known) {
        return;
    }
    html_section(page->out, "time", "Was it steady?");
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        if (html_stage_is_shown(record, &record->plan.stages[i])) {
            say_spread(&said, record, &record->plan.stages[i]);
        }
    }
    html_write_said(page->out, &said);
    html_reading(page->out,
                 "What happened over time: a rate or latency that drifts or jumps makes every mean "
                 "less certain. Steal is the share of the machine that the hypervisor gave to "
                 "others; blocks that were disturbed by it, or by other work, are left out of the "
                 "answers.");
    if (has_closed_course(record)) {
        html_reading(page->out,
                     "In a closed loop with many in flight, confirmations come in waves, about one "
                     "latency apart, so that the rate of single seconds swings without the server "
                     "being unsteady.");
    }
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        if (html_stage_is_shown(record, &record->plan.stages[i])) {
            write_stage(page, &record->plan.stages[i]);
        }
    }
    html_section_end(page->out);
}
