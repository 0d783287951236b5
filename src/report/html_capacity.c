// How many handshakes a second the server takes while the objective is met.

#include "report/html_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <string.h>

// How a trial ended, and how it is drawn.
static const struct {
    const char *outcome;
    const char *label;
} outcomes[] = {
    {"passed", "passed: it met the objective"},
    {"failed", "failed: it did not"},
    {"invalid", "invalid: something other than the server was in the way"},
};
#define NUM_OUTCOMES (sizeof outcomes / sizeof outcomes[0])

// trial_at returns the trials in their order, the validation last; NULL beyond.
static const struct ekb_record_trial *trial_at(const struct ekb_record_capacity *capacity,
                                               size_t index)
{
    if (index < capacity->num_trials) {
        return &capacity->trials[index];
    }
    return index == capacity->num_trials && capacity->validated ? &capacity->validation : NULL;
}

// latency_ms and accepted_per_s return what is drawn of a trial, NaN if unknown.
static double latency_ms(const struct ekb_record_trial *trial)
{
    return trial->latency_ns.known ? (double)trial->latency_ns.value / 1e6 : (double)NAN;
}

static double accepted_per_s(const struct ekb_record_trial *trial)
{
    return trial->due > 0 ? trial->rate_per_s * (double)trial->accepted / (double)trial->due
                          : (double)NAN;
}

static void write_points(struct html_plot *plot, const struct ekb_record_capacity *capacity,
                         double (*value_of)(const struct ekb_record_trial *))
{
    const struct ekb_record_trial *trial = NULL;
    for (size_t outcome = 0; outcome < NUM_OUTCOMES; outcome++) {
        (void)fprintf(plot->script, "$%s << EOD\n", outcomes[outcome].outcome);
        for (size_t i = 0; (trial = trial_at(capacity, i)) != NULL; i++) {
            if (strcmp(trial->outcome, outcomes[outcome].outcome) == 0 && !isnan(value_of(trial))) {
                (void)fprintf(plot->script, "%.6g %.6g\n", trial->rate_per_s, value_of(trial));
            }
        }
        (void)fputs("EOD\n", plot->script);
    }
}

// write_plot draws the points, after what is drawn first.
static void write_plot(struct html_plot *plot, const struct ekb_record_capacity *capacity)
{
    for (size_t outcome = 0; outcome < NUM_OUTCOMES; outcome++) {
        const struct ekb_record_trial *trial = NULL;
        bool any = false;
        for (size_t i = 0; (trial = trial_at(capacity, i)) != NULL; i++) {
            any = any || strcmp(trial->outcome, outcomes[outcome].outcome) == 0;
        }
        if (any) {
            (void)fprintf(plot->script, ", $%s using 1:2 with points", outcomes[outcome].outcome);
            html_plot_point(plot, outcome);
            html_plot_name(plot, outcome, "%s", outcomes[outcome].label);
        }
    }
    (void)fputc('\n', plot->script);
}

// A range of rates that shows all trials.
static void write_rate_axis(struct html_plot *plot, const struct ekb_record_capacity *capacity)
{
    const struct ekb_record_trial *trial = NULL;
    double low = (double)INFINITY;
    double high = 0;
    for (size_t i = 0; (trial = trial_at(capacity, i)) != NULL; i++) {
        low = fmin(low, trial->rate_per_s);
        high = fmax(high, trial->rate_per_s);
    }
    const double room = fmax(0.06 * (high - low), 0.02 * high);
    html_plot_even_axis(plot, 'x', fmax(low - room, 0), high + room);
    // The answer lies between these.
    if (capacity->lower_per_s > 0) {
        (void)fprintf(plot->script,
                      "set arrow from first %.6g, graph 0 to first %.6g, graph 1 nohead dt (6,5) "
                      "lw 1.5 lc rgb " HTML_PLOT_INK "\n",
                      capacity->lower_per_s, capacity->lower_per_s);
    }
}

static void write_accepted_axis(struct html_plot *plot, const struct ekb_record_capacity *capacity)
{
    const struct ekb_record_trial *trial = NULL;
    double low = (double)INFINITY;
    double high = 0;
    for (size_t i = 0; (trial = trial_at(capacity, i)) != NULL; i++) {
        if (!isnan(accepted_per_s(trial))) {
            low = fmin(low, accepted_per_s(trial));
            high = fmax(high, accepted_per_s(trial));
        }
    }
    if (high > 0) {
        const double room = fmax(0.06 * (high - low), 0.02 * high);
        html_plot_even_axis(plot, 'y', fmax(low - room, 0), high + room);
    }
}

static void plot_latency(struct html_page *page, const struct ekb_record_capacity *capacity)
{
    const struct ekb_record_trial *trial = NULL;
    const double limit_ms = (double)capacity->limit_ns / 1e6;
    struct html_plot plot;
    char limit[EKB_UNITS_TEXT_LEN];
    char dashed[96] = "";
    double low = limit_ms;
    double high = limit_ms;
    if (capacity->num_trials == 0 || limit_ms <= 0 ||
        !html_plot_begin(page, &plot, 400, HTML_POINTS)) {
        return;
    }
    for (size_t i = 0; (trial = trial_at(capacity, i)) != NULL; i++) {
        if (trial->latency_ns.known && trial->latency_ns.value > 0) {
            low = fmin(low, latency_ms(trial));
            high = fmax(high, latency_ms(trial));
        }
    }
    write_points(&plot, capacity, latency_ms);
    write_rate_axis(&plot, capacity);
    html_plot_log_axis(&plot, 'y', 0.8 * low, 1.4 * high);
    (void)fprintf(plot.script,
                  "set xlabel 'handshakes due per second'\nset ylabel 'p%g of latency, ms'\n"
                  "set label 'objective' at graph 0.01, first %.6g left offset 0,0.6 textcolor rgb "
                  "" HTML_PLOT_LIMIT "\nplot %.6g with lines lw 2 lc rgb " HTML_PLOT_LIMIT,
                  capacity->percentile, limit_ms, limit_ms);
    write_plot(&plot, capacity);
    if (capacity->lower_per_s > 0) {
        (void)snprintf(dashed, sizeof dashed, " and a dashed one at the answer of %.0f per second",
                       capacity->lower_per_s);
    }
    html_plot_end(page, &plot, "Latency against rate",
                  "One point for each trial: the rate and the %gth percentile of latency, with a "
                  "line at the objective of %s%s. The table below has the numbers.",
                  capacity->percentile, ekb_units_format_ns(limit, (double)capacity->limit_ns),
                  dashed);
}

// Below this share of what was due nothing is missing that could be seen.
#define ALL_ACCEPTED 0.98

static bool all_are_accepted(const struct ekb_record_capacity *capacity)
{
    const struct ekb_record_trial *trial = NULL;
    bool all = true;
    for (size_t i = 0; (trial = trial_at(capacity, i)) != NULL; i++) {
        all = all && accepted_per_s(trial) >= ALL_ACCEPTED * trial->rate_per_s;
    }
    return all;
}

static void plot_throughput(struct html_page *page, const struct ekb_record_capacity *capacity)
{
    struct html_plot plot;
    if (capacity->num_trials == 0 || !html_plot_begin(page, &plot, 340, HTML_POINTS)) {
        return;
    }
    write_points(&plot, capacity, accepted_per_s);
    write_rate_axis(&plot, capacity);
    write_accepted_axis(&plot, capacity);
    (void)fputs("set xlabel 'handshakes due per second'\nset ylabel 'of them accepted, /s'\n"
                "plot x with lines lw 1 lc rgb " HTML_PLOT_INK,
                plot.script);
    write_plot(&plot, capacity);
    html_plot_end(page, &plot, "Throughput against rate",
                  "One point for each trial: the rate that was due and how many of it were "
                  "accepted, along the line where both are the same.");
}

static void say_throughput(FILE *out, const struct ekb_record_capacity *capacity)
{
    if (capacity->num_trials > 0 && all_are_accepted(capacity)) {
        html_paragraph(
            out,
            "Throughput: in every trial at least %.0f %% of the handshakes that were due "
            "were accepted. What suffers at too high a rate is the latency.",
            100 * ALL_ACCEPTED);
    }
}

static const char *write_real(char out_text[32], struct ekb_record_real value)
{
    (void)snprintf(out_text, 32, value.known ? "%.0f" : "-", value.value);
    return out_text;
}

static void table_trials(struct html_page *page, const struct ekb_record_capacity *capacity)
{
    char percentile[32];
    const char *const columns[] = {"trial",          "rate, /s", "s",           "due",
                                   "errors",         percentile, "lag p99, ms", "server busy, %",
                                   "client busy, %", "<outcome", NULL};
    const struct ekb_record_trial *trial = NULL;
    FILE *out = page->out;
    char text[32];
    if (trial_at(capacity, 0) == NULL) {
        return;
    }
    (void)snprintf(percentile, sizeof percentile, "p%g, ms", capacity->percentile);
    html_table(page, "The trials, in their order", columns);
    for (size_t i = 0; (trial = trial_at(capacity, i)) != NULL; i++) {
        const struct ekb_record_summary known = {.known = true};
        char rate[32];
        html_row(out, strcmp(trial->purpose, "search") == 0 ? "%zu" : "%zu, validation", i + 1);
        html_cell(out, "%s", text_real(rate, 0, trial->rate_per_s));
        html_cell(out, "%.3g", (double)trial->duration_ns / 1e9);
        html_cell(out, "%llu", (unsigned long long)trial->due);
        html_cell(out, "%llu", (unsigned long long)trial->errors);
        html_cell_percentile(out, &known, trial->latency_ns, text_ms);
        html_cell_percentile(out, &known, trial->lag_p99_ns, text_ms);
        html_cell(out, "%s", write_real(text, trial->server_busy_percent));
        html_cell(out, "%s", write_real(text, trial->client_busy_percent));
        html_words(out, "%s%s%s", trial->outcome, trial->reason[0] != '\0' ? ": " : "",
                   trial->reason);
        html_row_end(out);
    }
    html_table_end(out);
}

static void write_variant(FILE *out, const struct ekb_record_variant *variant)
{
    char text[64] = "-";
    html_row(out, "%s", variant->name);
    html_cell(out, "%s",
              variant->cost_known ? text_interval(text, &variant->server_cpu_ns, text_us) : "-");
    if (variant->searched && variant->lower_per_s > 0) {
        html_cell(out, "%.0f%s", variant->lower_per_s, text_is_at_least(variant) ? " or more" : "");
    } else {
        html_cell(out, variant->searched ? "none" : "-");
    }
    if (variant->rate_known) {
        html_cell(out, "%.0f [%.0f, %.0f]", variant->projected_per_s.estimate,
                  variant->projected_per_s.low, variant->projected_per_s.high);
        html_cell(out, "%.3f [%.3f, %.3f]", 1.0 / variant->cost_factor.estimate,
                  1.0 / variant->cost_factor.high, 1.0 / variant->cost_factor.low);
    } else {
        html_cell(out, "-");
        html_cell(out, "-");
    }
    html_cell(out, "%s", write_real(text, variant->target_cores));
    html_row_end(out);
}

static void table_variants(struct html_page *page, const struct ekb_record_capacity *capacity)
{
    static const char *const columns[] = {"treatment",
                                          "server CPU per handshake, us",
                                          "measured, /s",
                                          "PROJECTED, /s",
                                          "rate, of the main one's",
                                          "cores for the target, PROJECTED",
                                          NULL};
    if (capacity->num_variants == 0) {
        return;
    }
    (void)fputs("<h3>How does it differ with other certificates and checks?</h3>\n", page->out);
    html_reading(page->out,
                 "Costs are measured side by side. Rates at the objective are PROJECTED from them, "
                 "where the server is as busy as at the main one's, unless they were searched for; "
                 "the intervals are of the cost alone.");
    html_table(page, "Other treatments", columns);
    for (size_t i = 0; i < capacity->num_variants; i++) {
        write_variant(page->out, &capacity->variants[i]);
    }
    html_table_end(page->out);
}

void html_write_capacity(struct html_page *page)
{
    const struct ekb_record_capacity *capacity = &page->record->capacity;
    struct report_answer said = {.num_sentences = 0};
    if (!capacity->known) {
        return;
    }
    html_section(page->out, "capacity", "At which rate does the server fall behind?");
    html_reading(page->out,
                 "Each trial lets handshakes begin at one rate, whether the server keeps up or "
                 "not, and asks whether the objective (the red line) was met. Below the capacity "
                 "latency is low and every handshake that is due is accepted; above it, waiting "
                 "grows without end. The dashed line is the answer: the highest rate at which the "
                 "objective was met and met again in a longer trial, the validation.");
    plot_latency(page, capacity);
    plot_throughput(page, capacity);
    say_throughput(page->out, capacity);
    text_say_capacity(&said, page->record);
    html_write_said(page->out, &said);
    table_trials(page, capacity);
    table_variants(page, capacity);
    html_section_end(page->out);
}
