// The links of a deployment; how much of the cost is this tool's; several results side by side.

#include "report/html_internal.h"
#include "report/overlay.h"

#include <stdlib.h>
#include <string.h>

// Links.

static void write_level(FILE *out, bool known, const struct ekb_estimate *level)
{
    char text[64];
    html_cell(out, "%s", known ? text_interval(text, level, text_us) : "-");
}

static void table_links(struct html_page *page)
{
    static const char *const columns[] = {
        "link",    "<client", "responder's CPU, us", "initiator's CPU, us", "median, us",
        "p99, us", NULL};
    FILE *out = page->out;
    html_table(page, "CPU per handshake on either side, with 95 % intervals, and latency", columns);
    for (size_t i = 0; i < page->record->num_arms; i++) {
        const struct ekb_record_arm *arm = &page->record->arms[i];
        if (strcmp(arm->stage, EKB_STAGE_COST) != 0 || text_is_twin(arm)) {
            continue;
        }
        html_row(out, "%s", arm->name);
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
        char verdict[EKB_RECORD_TEXT_LEN];
        if (strcmp(effect->question, question) != 0 ||
            strcmp(effect->metric, EKB_METRIC_SERVER_CPU) != 0) {
            continue;
        }
        html_row(out, "%s", effect->contrast);
        html_cell(out, "%s", text_signed_interval(text, effect, text_us));
        html_cell(out, "%.2g", effect->mde / text_us.divisor);
        html_words(out, "%s", text_short_verdict(verdict, effect));
        html_row_end(out);
    }
    html_table_end(out);
}

static bool any_is_known(const struct ekb_record *record)
{
    bool known = false;
    for (size_t i = 0; i < record->num_arms; i++) {
        known = known || (strcmp(record->arms[i].stage, EKB_STAGE_COST) == 0 &&
                          record->arms[i].server_cpu_interval_known);
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
    if (!any_is_known(record)) {
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
    if (!record->floors_known || !record->server_floor.memory_ns.known) {
        return;
    }
    html_section(page->out, "floors", "How much of it is this tool?");
    html_reading(page->out,
                 "The least that a handshake can cost: the same one in memory, without a network, "
                 "and a TCP connection that exchanges as many bytes without TLS. What is measured "
                 "beyond the sum of these two is the engine's tax.");
    html_table(page, "All CPU time per handshake, with 95 % intervals", columns);
    write_floor(page->out, "server", &record->server_floor);
    write_floor(page->out, "client", &record->client_floor);
    html_table_end(page->out);
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
