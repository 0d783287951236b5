// The links of a deployment; how much of the cost is this tool's; several results side by side.

#include "report/html_internal.h"
#include "report/overlay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Links.

static void write_level(FILE *out, bool known, const struct ekb_estimate *level)
{
    char text[64];
    html_cell(out, "%s", known ? text_interval(text, level, text_us) : "-");
}

// Links are numbered, from 1, in the plot and in the table.

// is_drawn is true of those whose cost is known.
static bool is_drawn(const struct ekb_record_arm *arm)
{
    return text_is_link(arm) && arm->server_cpu_interval_known;
}

static size_t num_links_of(const struct ekb_record *record)
{
    size_t num = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        num += text_is_link(&record->arms[i]) ? 1 : 0;
    }
    return num;
}

// How a link's handshakes end, and how its cost is drawn.
static const struct {
    const char *expect;
    const char *label;
} outcomes[] = {
    {"accept", "the initiator is accepted"},
    {"reject", "the initiator is rejected"},
    {"refuse", "the initiator refuses the responder"},
};
#define NUM_OUTCOMES (sizeof outcomes / sizeof outcomes[0])

// More would be a picture that nobody sees at once.
#define MAX_DRAWN_LINKS 40

// write_points writes number, mean and interval of each link that ends in one way. False if none
// does.
static bool write_points(FILE *script, const struct ekb_record *record, size_t outcome)
{
    size_t number = 0;
    bool any = false;
    (void)fprintf(script, "$%s << EOD\n", outcomes[outcome].expect);
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        const struct ekb_estimate *cpu = &arm->server_cpu_interval;
        number += text_is_link(arm) ? 1 : 0;
        if (is_drawn(arm) && strcmp(arm->expect, outcomes[outcome].expect) == 0) {
            (void)fprintf(script, "%zu %.6g %.6g %.6g\n", number, cpu->estimate / 1e3,
                          cpu->low / 1e3, cpu->high / 1e3);
            any = true;
        }
    }
    (void)fputs("EOD\n", script);
    return any;
}

// write_cost_axis makes room for all intervals.
static void write_cost_axis(struct html_plot *plot, const struct ekb_record *record)
{
    double low = (double)INFINITY;
    double high = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        if (is_drawn(arm)) {
            low = fmin(low, arm->server_cpu_interval.low / 1e3);
            high = fmax(high, arm->server_cpu_interval.high / 1e3);
        }
    }
    const double room = fmax(0.06 * (high - low), 0.02 * high);
    html_plot_even_axis(plot, 'x', fmax(low - room, 0), high + room);
}

// plot_links draws the means with their intervals, the first link on top. Names are in the table.
static void plot_links(struct html_page *page)
{
    const struct ekb_record *record = page->record;
    const size_t num_links = num_links_of(record);
    bool any[NUM_OUTCOMES];
    struct html_plot plot;
    if (num_links > MAX_DRAWN_LINKS ||
        !html_plot_begin(page, &plot, 100 + 34 * (unsigned)num_links, HTML_POINTS)) {
        return;
    }
    for (size_t outcome = 0; outcome < NUM_OUTCOMES; outcome++) {
        any[outcome] = write_points(plot.script, record, outcome);
    }
    write_cost_axis(&plot, record);
    (void)fprintf(plot.script,
                  "set yrange [%zu.6:0.4]\nset ytics 1,1,%zu\nset grid noytics xtics\n"
                  "set xlabel \"us of the responder's CPU per handshake\"\nset ylabel 'link'\n"
                  "plot 1/0 notitle",
                  num_links, num_links);
    for (size_t outcome = 0; outcome < NUM_OUTCOMES; outcome++) {
        if (any[outcome]) {
            (void)fprintf(plot.script, ", $%s using 2:1:3:4 with xerrorbars",
                          outcomes[outcome].expect);
            html_plot_point(&plot, outcome);
            html_plot_name(&plot, outcome, "%s", outcomes[outcome].label);
        }
    }
    (void)fputc('\n', plot.script);
    html_plot_end(page, &plot, "The responder's CPU per handshake, by the link's number below",
                  "A point with its interval for each of %zu links, one below the other, by their "
                  "numbers in the table below: the responder's CPU per handshake. Intervals that "
                  "do not meet are of links that differ.",
                  num_links);
}

static void table_links(struct html_page *page)
{
    static const char *const columns[] = {
        "link",    "<client", "responder's CPU, us", "initiator's CPU, us", "median, us",
        "p99, us", NULL};
    FILE *out = page->out;
    size_t number = 0;
    html_table(page, "CPU per handshake on either side, with 95 % intervals, and latency", columns);
    for (size_t i = 0; i < page->record->num_arms; i++) {
        const struct ekb_record_arm *arm = &page->record->arms[i];
        if (!text_is_link(arm)) {
            continue;
        }
        html_row(out, "%zu. %s", ++number, arm->name);
        html_words(out, "%s", text_outcome_of(arm));
        write_level(out, arm->server_cpu_interval_known, &arm->server_cpu_interval);
        write_level(out, arm->client_cpu_interval_known, &arm->client_cpu_interval);
        html_cell_percentile(out, &arm->latency_ns, arm->latency_ns.p50, text_us);
        html_cell_percentile(out, &arm->latency_ns, arm->latency_ns.p99, text_us);
        html_row_end(out);
    }
    html_table_end(out);
}

static void table_contrasts(struct html_page *page, const char *question)
{
    static const char *const columns[] = {"contrast", "server CPU, us",
                                          "least that could be seen, us", "<verdict", NULL};
    FILE *out = page->out;
    if (text_find_effect(page->record, question, EKB_METRIC_SERVER_CPU, NULL) == NULL) {
        return;
    }
    html_table(page, question, columns);
    for (size_t i = 0; i < page->record->num_effects; i++) {
        const struct ekb_record_effect *effect = &page->record->effects[i];
        char text[64];
        char least[32];
        char verdict[EKB_RECORD_TEXT_LEN];
        if (strcmp(effect->question, question) != 0 ||
            strcmp(effect->metric, EKB_METRIC_SERVER_CPU) != 0) {
            continue;
        }
        html_row(out, "%s", effect->contrast);
        html_cell(out, "%s", text_signed_interval(text, effect, text_us));
        html_cell(out, "%s", text_least(least, effect, text_us));
        html_words(out, "%s", text_short_verdict(verdict, effect));
        html_row_end(out);
    }
    html_table_end(out);
}

static bool any_is_known(const struct ekb_record *record)
{
    bool known = false;
    for (size_t i = 0; i < record->num_arms; i++) {
        known = known || is_drawn(&record->arms[i]);
    }
    return known;
}

void html_write_links(struct html_page *page)
{
    const struct ekb_record *record = page->record;
    if (record->plan.scenario[0] == '\0' || text_find_stage(record, EKB_STAGE_COST) == NULL) {
        return;
    }
    html_section(page->out, "links", "What does a handshake cost on each link?");
    html_reading(page->out,
                 "A link is who connects to whom in the deployment %s, with what either side "
                 "presents and verifies by the rules of release %s; its name ends in the EKU "
                 "checking mode where the responder goes by it (none: no usage is asked for). The "
                 "initiator opens the connection, the responder answers it.",
                 record->plan.scenario, record->plan.release);
    if (any_is_known(record)) {
        plot_links(page);
    } else {
        struct report_answer said = {.num_sentences = 0};
        text_say_not_measured(&said, record, EKB_STAGE_COST);
        html_write_said(page->out, &said);
    }
    table_links(page);
    table_contrasts(page, EKB_EFFECT_LINK);
    table_contrasts(page, EKB_EFFECT_REJECT_LINK);
    html_section_end(page->out);
}

// Floors.

static void write_floor(FILE *out, const char *side, const struct ekb_record_side_floor *floor)
{
    char tax[64];
    html_row(out, "%s", side);
    write_level(out, floor->interval_known, &floor->interval);
    write_level(out, floor->tcp_known, &floor->tcp);
    write_level(out, floor->measured_known, &floor->measured);
    html_cell(out, "%s",
              floor->tax_known ? text_interval(tax, &floor->tax_percent, text_plain) : "-");
    html_row_end(out);
}

void html_write_floors(struct html_page *page)
{
    static const char *const columns[] = {"side",         "in memory, us", "bare TCP, us",
                                          "measured, us", "engine tax, %", NULL};
    const struct ekb_record *record = page->record;
    const struct ekb_record_stage *stage = text_find_stage(record, EKB_STAGE_FLOOR);
    struct report_answer said = {.num_sentences = 0};
    if (!record->floors_known || !record->server_floor.memory_ns.known) {
        return;
    }
    html_section(page->out, "floors", "How much of it is this tool?");
    html_reading(
        page->out,
        "The least that a handshake can cost: the same one in memory, without a network, "
        "and a TCP connection that exchanges as many bytes without TLS. What is measured "
        "beyond the sum of these two is the engine's tax; it is taken turn by turn, and so not "
        "exactly that of the columns. EKU on, depth 1, %llu in "
        "flight; all CPU time of the process, and of the kernel for it.",
        stage != NULL ? (unsigned long long)stage->in_flight : 0);
    html_table(page, "All CPU time per handshake, with 95 % intervals", columns);
    write_floor(page->out, "server", &record->server_floor);
    write_floor(page->out, "client", &record->client_floor);
    html_table_end(page->out);
    text_say_levels(&said, record);
    html_write_said(page->out, &said);
    html_section_end(page->out);
}

// Several results.

// find_common returns the stage and arm of the first result that all others have too and that has
// most to tell: NULL if there is none.
static const struct ekb_record_arm *find_common(const struct ekb_report_set *set)
{
    const struct ekb_record *first = set->results[0].record;
    for (size_t i = first->num_arms; i > 0; i--) {
        const struct ekb_record_arm *arm = &first->arms[i - 1];
        bool common = arm->latency_ns.known && !text_is_twin(arm);
        for (size_t j = 1; j < set->num_results && common; j++) {
            const struct ekb_record_arm *other =
                ekb_record_find_arm(set->results[j].record, arm->stage, arm->name);
            common = other != NULL && other->latency_ns.known;
        }
        if (common) {
            return arm;
        }
    }
    return NULL;
}

static void plot_overlay(struct html_page *page)
{
    const struct ekb_record_arm *arm = find_common(page->set);
    struct html_curves curves = {.num = 0};
    char of[160];
    if (arm == NULL) {
        return;
    }
    for (size_t i = 0; i < page->set->num_results && curves.num < HTML_NUM_SERIES; i++) {
        const struct ekb_record_arm *other =
            ekb_record_find_arm(page->set->results[i].record, arm->stage, arm->name);
        if (other->latency_ns.hdr != NULL && other->latency_ns.moments.count > 0) {
            curves.summaries[curves.num] = &other->latency_ns;
            (void)snprintf(curves.labels[curves.num++], sizeof curves.labels[0], "(%zu) %.100s",
                           i + 1, page->set->results[i].label);
        }
    }
    (void)snprintf(of, sizeof of, "%s/%s of each result", arm->stage, arm->name);
    html_plot_curves(page, &curves, of);
}

static void table_overlay(struct html_page *page, const struct report_overlay *overlay)
{
    const char **columns = calloc(page->set->num_results + 2, sizeof columns[0]);
    char(*labels)[96] = calloc(page->set->num_results, sizeof labels[0]);
    if (columns == NULL || labels == NULL) {
        page->is_short_of_memory = true;
        free(columns);
        free(labels);
        return;
    }
    columns[0] = "number";
    for (size_t i = 0; i < page->set->num_results; i++) {
        (void)snprintf(labels[i], sizeof labels[i], "(%zu)", i + 1);
        columns[i + 1] = labels[i];
    }
    html_table(page, "The numbers of all results, with intervals where they are known", columns);
    for (size_t row = 0; row < overlay->num_rows; row++) {
        html_row(page->out, "%s %s", overlay->rows[row]->of, overlay->rows[row]->metric);
        for (size_t i = 0; i < page->set->num_results; i++) {
            char cell[REPORT_CELL_LEN];
            html_cell(page->out, "%s", report_overlay_cell(cell, overlay, row, i));
        }
        html_row_end(page->out);
    }
    html_table_end(page->out);
    free(columns);
    free(labels);
}

void html_write_overlay(struct html_page *page)
{
    struct report_overlay overlay;
    html_section(page->out, "overlay", "How do the results differ?");
    html_reading(page->out,
                 "The results side by side. Numbers of different runs differ by more than their "
                 "intervals say, which do not know of what changes from run to run: ekubench "
                 "compare decides whether a difference is one. A report of a single result has "
                 "more of it.");
    plot_overlay(page);
    if (report_overlay_init(&overlay, page->set) == EKB_OK) {
        table_overlay(page, &overlay);
    } else {
        page->is_short_of_memory = true;
    }
    report_overlay_deinit(&overlay);
    html_section_end(page->out);
}
