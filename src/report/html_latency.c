// Latencies: of what the arms of a stage have, side by side.

#include "report/html_internal.h"
#include "report/numbers.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <string.h>

static bool has_histogram(const struct ekb_record_summary *summary)
{
    return summary->known && summary->hdr != NULL && summary->moments.count > 0;
}

// Curves.

// Of the cost stage's arms, which are many, those that differ most.
static const char *const telling[] = {"one-way", "on-d1", "on-d5", EKB_ARM_RESUMED,
                                      EKB_ARM_REJECT_EKU};

static bool is_telling(const struct ekb_record_arm *arm)
{
    for (size_t i = 0; i < sizeof telling / sizeof telling[0]; i++) {
        if (strcmp(arm->name, telling[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void add_curve(struct html_curves *curves, const struct ekb_record_summary *summary,
                      const char *name, const char *kind)
{
    if (has_histogram(summary) && curves->num < HTML_NUM_SERIES) {
        curves->summaries[curves->num] = summary;
        (void)snprintf(curves->labels[curves->num++], sizeof curves->labels[0], "%s%s", name, kind);
    }
}

static size_t num_arms_of(const struct ekb_record *record, const char *stage)
{
    size_t num = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        num += strcmp(record->arms[i].stage, stage) == 0 ? 1 : 0;
    }
    return num;
}

static void collect(struct html_curves *curves, const struct ekb_record *record, const char *stage)
{
    const bool are_many = num_arms_of(record, stage) > HTML_NUM_SERIES;
    const bool is_choice = are_many && ekb_record_find_arm(record, stage, "one-way") != NULL;
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        const bool is_drawn = is_choice ? is_telling(arm) : !(are_many && text_is_twin(arm));
        if (strcmp(arm->stage, stage) == 0 && is_drawn) {
            const bool both = has_histogram(&arm->uncorrected_latency_ns);
            add_curve(curves, &arm->latency_ns, arm->name, both ? ", from the planned start" : "");
            add_curve(curves, &arm->uncorrected_latency_ns, arm->name,
                      ", uncorrected: from the actual start");
        }
    }
}

// say_choice says which arms are drawn if not all are.
static void say_choice(struct report_answer *answer, const struct html_curves *curves,
                       size_t num_arms)
{
    char names[512] = "";
    size_t names_len = 0;
    for (size_t i = 0; i < curves->num && names_len < sizeof names; i++) {
        names_len += (size_t)snprintf(names + names_len, sizeof names - names_len, "%s%s",
                                      i > 0 ? ", " : "", curves->labels[i]);
    }
    if (curves->num > 0 && curves->num < num_arms) {
        report_say(answer, "The plots show %zu of %zu arms: %s. The table has all.", curves->num,
                   num_arms, names);
    }
}

// Tables.

static void write_row(struct html_page *page, const struct ekb_record_arm *arm)
{
    FILE *out = page->out;
    // Where arms take turns, what one of them accepts in a second says nothing.
    const double rate =
        report_stage_has_rates(arm->stage) ? text_rate_of(page->record, arm) : (double)NAN;
    const struct ekb_record_summary *latency = &arm->latency_ns;
    html_row(out, "%s", arm->name);
    html_cell(out, "%llu", (unsigned long long)arm->client.accepted);
    html_cell(out, "%llu", (unsigned long long)arm->client.rejected);
    html_cell(out, "%llu", (unsigned long long)arm->client.failed);
    if (isnan(rate)) {
        html_cell(out, "-");
    } else {
        html_cell(out, "%.0f", rate);
    }
    html_cell_percentile(out, latency, latency->p50, text_ms);
    html_cell_percentile(out, latency, latency->p90, text_ms);
    html_cell_percentile(out, latency, latency->p99, text_ms);
    html_cell_percentile(out, latency, latency->p999, text_ms);
    html_cell_percentile(out, latency, (struct ekb_record_u64){true, latency->moments.max},
                         text_ms);
    html_row_end(out);
}

static void write_other_row(FILE *out, const char *name, const struct ekb_record_summary *summary)
{
    if (!summary->known || summary->moments.count == 0) {
        return;
    }
    html_row(out, "%s", name);
    for (size_t i = 0; i < 4; i++) {
        html_cell(out, " ");
    }
    html_cell_percentile(out, summary, summary->p50, text_ms);
    html_cell_percentile(out, summary, summary->p90, text_ms);
    html_cell_percentile(out, summary, summary->p99, text_ms);
    html_cell_percentile(out, summary, summary->p999, text_ms);
    html_cell_percentile(out, summary, (struct ekb_record_u64){true, summary->moments.max},
                         text_ms);
    html_row_end(out);
}

static void write_table(struct html_page *page, const struct ekb_record_stage *stage)
{
    static const char *const columns[] = {"arm",        "accepted", "rejected", "failed",
                                          "accepted/s", "p50, ms",  "p90, ms",  "p99, ms",
                                          "p99.9, ms",  "max, ms",  NULL};
    const struct ekb_record *record = page->record;
    char caption[192];
    (void)snprintf(caption, sizeof caption,
                   "Handshakes and latency percentiles, stage %s (-: too few to say%s)",
                   stage->name,
                   strcmp(stage->name, EKB_STAGE_COST) == 0
                       ? "; of a rate: arms take turns, so that there is none of one"
                       : "");
    html_table(page, caption, columns);
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        if (strcmp(arm->stage, stage->name) == 0) {
            char name[2 * EKB_RECORD_NAME_LEN];
            write_row(page, arm);
            (void)snprintf(name, sizeof name, "%s, uncorrected", arm->name);
            write_other_row(page->out, name, &arm->uncorrected_latency_ns);
        }
    }
    write_other_row(page->out, "the client's lag", &stage->open_loop.lag_ns);
    write_other_row(page->out, "what was dropped would have waited",
                    &stage->open_loop.dropped_wait_ns);
    html_table_end(page->out);
}

// say_what_counts says of what the counts and rates of a stage with blocks are.
static void say_what_counts(struct report_answer *answer, const struct ekb_record *record,
                            const struct ekb_record_stage *stage)
{
    for (size_t i = 0; i < record->num_blocks; i++) {
        if (strcmp(record->blocks[i].stage, stage->name) == 0 &&
            report_stage_has_rates(stage->name) && record->num_parts == 0) {
            report_say(
                answer,
                "Counts are of the whole stage; rates and latencies are without the warm-up "
                "and the changes of arm. The rate of an arm is the number in flight over its "
                "mean latency, block by block; verdicts come in waves, which make peaks in "
                "the distribution.");
            return;
        }
    }
}

static void write_stage(struct html_page *page, const struct ekb_record_stage *stage)
{
    const struct ekb_record *record = page->record;
    struct html_curves curves = {.num = 0};
    struct report_answer said = {.num_sentences = 0};
    char title[128];
    (void)fputs("<h3>", page->out);
    html_text(page->out, "Stage %s", stage->name);
    (void)fputs("</h3>\n", page->out);
    text_say_shape(&said, stage);
    say_what_counts(&said, record, stage);
    const bool are_several = num_arms_of(record, stage->name) > 1;
    text_say_side(&said, are_several ? "Server, over all arms" : "Server",
                  ekb_record_find_cpu(record->server_cpu, record->num_server_cpu, stage->name));
    text_say_side(&said, are_several ? "Client, over all arms" : "Client",
                  ekb_record_find_cpu(record->client_cpu, record->num_client_cpu, stage->name));
    collect(&curves, record, stage->name);
    if (page->plots != HTML_PLOTS_NONE) {
        say_choice(&said, &curves, num_arms_of(record, stage->name));
    }
    html_write_said(page->out, &said);
    (void)snprintf(title, sizeof title, "stage %s", stage->name);
    html_plot_curves(page, &curves, title);
    write_table(page, stage);
}

bool html_stage_is_shown(const struct ekb_record *record, const struct ekb_record_stage *stage)
{
    bool known = false;
    for (size_t i = 0; i < record->num_arms; i++) {
        known = known || (strcmp(record->arms[i].stage, stage->name) == 0 &&
                          record->arms[i].latency_ns.known);
    }
    // Those of a search for capacity are but steps to its answer, the validation.
    const bool is_step = record->capacity.known ? strcmp(stage->name, "validation") != 0
                                                : strcmp(stage->name, EKB_STAGE_PILOT) == 0 ||
                                                      strcmp(stage->name, EKB_STAGE_FLOOR) == 0;
    return known && !is_step;
}

void html_write_latency(struct html_page *page)
{
    const struct ekb_record *record = page->record;
    struct report_answer said = {.num_sentences = 0};
    bool is_first = true;
    for (size_t i = record->plan.num_stages; i > 0; i--) {
        // What was under load comes first.
        const struct ekb_record_stage *stage = &record->plan.stages[i - 1];
        if (!html_stage_is_shown(record, stage)) {
            continue;
        }
        if (is_first) {
            html_section(page->out, "latency", "How long do clients wait?");
            html_reading(page->out,
                         "Latency is the time from the start of the connection until the client "
                         "has the server's verdict. p99 is the 99th percentile: 99 of 100 "
                         "handshakes took at most that long. In a closed loop there is always the "
                         "same number under way, and latency is mostly waiting for the others; in "
                         "an open loop handshakes begin when they are due, as those of real "
                         "clients do, and count from then (corrected). Percentiles with fewer than "
                         "ten handshakes beyond them are left out. The axis of latency is "
                         "logarithmic, so that equal distances are equal factors.");
            if (strcmp(ekb_record_base_kind(record), "load") == 0) {
                text_say_negotiated(&said, record);
                html_write_said(page->out, &said);
            }
            is_first = false;
        }
        write_stage(page, stage);
    }
    if (!is_first) {
        html_section_end(page->out);
    }
}
