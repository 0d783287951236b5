// What verification costs: rung by rung, by depth, rejected clients.

#include "report/answer.h"
#include "report/html_internal.h"
#include "report/text_internal.h"

#include <math.h>
#include <string.h>

static const char *write_level(char out_text[64], bool known, const struct ekb_estimate *level)
{
    (void)snprintf(out_text, 64, "-");
    return known ? text_interval(out_text, level, text_us) : out_text;
}

static const char *write_bytes(char out_text[32], const struct ekb_record_effect *effect)
{
    (void)snprintf(out_text, 32, "-");
    if (effect != NULL) {
        const double bytes = round(effect->estimate.estimate) + 0.0;
        (void)snprintf(out_text, 32, "%+.0f", bytes);
    }
    return out_text;
}

// The ladder.

static const struct ekb_record_effect *rung_effect(const struct ekb_record *record,
                                                   const char *metric, size_t rung)
{
    return text_find_effect(record, EKB_EFFECT_LADDER, metric, text_rungs[rung].contrast);
}

// write_bar writes a row of the plot's data: position, begin, end and interval of the end, label.
static void write_bar(FILE *script, double position, double begin_us,
                      const struct ekb_estimate *added, bool is_level)
{
    char text[64];
    (void)text_interval(text, added, text_us);
    (void)fprintf(script, "%g %.6g %.6g %.6g %.6g \"%s%.*s\"\n", position, begin_us,
                  begin_us + added->estimate / 1e3, begin_us + added->low / 1e3,
                  begin_us + added->high / 1e3, is_level || added->estimate < 0 ? "" : "+",
                  (int)strcspn(text, " "), text);
}

static void plot_ladder(struct html_page *page, const struct ekb_record_arm *one_way)
{
    struct html_plot plot;
    double height_us = one_way->server_cpu_interval.estimate / 1e3;
    char level[64];
    if (!one_way->server_cpu_interval_known || !html_plot_begin(page, &plot, 380, HTML_POINTS)) {
        return;
    }
    (void)fputs("$bars << EOD\n", plot.script);
    write_bar(plot.script, TEXT_NUM_RUNGS + 1, 0, &one_way->server_cpu_interval, true);
    for (size_t i = 0; i < TEXT_NUM_RUNGS; i++) {
        const struct ekb_record_effect *effect =
            rung_effect(page->record, EKB_METRIC_SERVER_CPU, i);
        if (effect != NULL) {
            write_bar(plot.script, (double)(TEXT_NUM_RUNGS - i), height_us, &effect->estimate,
                      false);
            height_us += effect->estimate.estimate / 1e3;
        }
    }
    (void)fprintf(plot.script, "EOD\nset yrange [0.4:%d.6]\n", TEXT_NUM_RUNGS + 1);
    html_plot_even_axis(&plot, 'x', 0, 1.25 * height_us);
    (void)fprintf(plot.script, "set grid noytics xtics\nset ytics ('one-way TLS' %d",
                  TEXT_NUM_RUNGS + 1);
    for (size_t i = 0; i < TEXT_NUM_RUNGS; i++) {
        (void)fprintf(plot.script, ", '%s' %zu", text_rungs[i].short_label, TEXT_NUM_RUNGS - i);
    }
    (void)fputs(")\nset xlabel 'us of server CPU per handshake'\n"
                "plot $bars using (($2+$3)/2):1:2:3:($1-0.3):($1+0.3) with boxxyerror fs solid 1 "
                "border",
                plot.script);
    html_plot_shade(&plot, 0);
    (void)fputs(", $bars using 3:1:4:5 with xerrorbars pt 0 lw 1.5 lc rgb " HTML_PLOT_INK
                ", $bars using 5:1:6 with labels left offset 0.7,0 textcolor rgb " HTML_PLOT_INK
                "\n",
                plot.script);
    html_plot_end(page, &plot, "Server CPU of a handshake, rung by rung",
                  "Horizontal bars, each beginning where the one above ends: one-way TLS takes %s "
                  "us of server CPU, and each kind of verification adds to it. The table below has "
                  "the numbers.",
                  text_interval(level, &one_way->server_cpu_interval, text_us));
}

static void table_ladder(struct html_page *page, const struct ekb_record_arm *one_way)
{
    static const char *const columns[] = {"rung", "server CPU, us", "client CPU, us",
                                          "bytes on the wire", NULL};
    FILE *out = page->out;
    char server[64];
    char client[64];
    char bytes[32] = "-";
    html_table(page, "CPU per handshake, and what each rung adds, with 95 % intervals", columns);
    html_row(out, "one-way TLS");
    html_cell(
        out, "%s",
        write_level(server, one_way->server_cpu_interval_known, &one_way->server_cpu_interval));
    html_cell(
        out, "%s",
        write_level(client, one_way->client_cpu_interval_known, &one_way->client_cpu_interval));
    if (one_way->client_sent_bytes.known && one_way->server_sent_bytes.known) {
        (void)snprintf(bytes, sizeof bytes, "%.0f",
                       one_way->client_sent_bytes.value + one_way->server_sent_bytes.value);
    }
    html_cell(out, "%s", bytes);
    html_row_end(out);
    for (size_t i = 0; i < TEXT_NUM_RUNGS; i++) {
        html_row(out, "%s", text_rungs[i].label);
        html_cell(out, "%s",
                  text_signed_interval(server, rung_effect(page->record, EKB_METRIC_SERVER_CPU, i),
                                       text_us));
        html_cell(out, "%s",
                  text_signed_interval(client, rung_effect(page->record, EKB_METRIC_CLIENT_CPU, i),
                                       text_us));
        html_cell(out, "%s", write_bytes(bytes, rung_effect(page->record, EKB_METRIC_WIRE, i)));
        html_row_end(out);
    }
    html_table_end(out);
}

void html_write_ladder(struct html_page *page)
{
    const struct ekb_record *record = page->record;
    const struct ekb_record_arm *one_way = ekb_record_find_arm(record, EKB_STAGE_COST, "one-way");
    const struct ekb_record_stage *stage = text_find_stage(record, EKB_STAGE_COST);
    if (one_way == NULL || stage == NULL) {
        return;
    }
    html_section(page->out, "ladder", "What does each rung of verification add?");
    if (!one_way->server_cpu_interval_known &&
        text_find_effect(record, EKB_EFFECT_LADDER, EKB_METRIC_SERVER_CPU, NULL) == NULL) {
        html_write_not_measured(page->out, record, EKB_STAGE_COST);
    } else {
        html_reading(
            page->out,
            "The processor time of a handshake in TLS and in our own code, with %llu "
            "handshakes under way. The first row is TLS that asks no client for a "
            "certificate; each row below adds one thing to the row above. The client's "
            "certificate is signed by the root. EKU off wants it to be for serverAuth, EKU "
            "on for clientAuth instead. Thin lines "
            "are the intervals of what is added. Differences are taken slice by slice, fractions "
            "of a second in which all arms have handshakes: they are not exactly those of two "
            "levels.",
            (unsigned long long)stage->in_flight);
        html_reading(page->out, "%s", text_rungs_meaning);
        plot_ladder(page, one_way);
        table_ladder(page, one_way);
    }
    html_section_end(page->out);
}

// Depth.

static const struct {
    const char *mode;
    const char *label;
    const char *contrast;
} modes[] = {
    {"on", "EKU checking on", EKB_CONTRAST_DEPTH_ON},
    {"off", "EKU checking off", EKB_CONTRAST_DEPTH_OFF},
    {"none", "no EKU check", EKB_CONTRAST_DEPTH_NONE},
};
#define NUM_MODES (sizeof modes / sizeof modes[0])

static const struct ekb_record_effect *slope_of(const struct ekb_record *record, size_t mode)
{
    return text_find_effect(record, EKB_EFFECT_DEPTH, EKB_METRIC_SERVER_CPU, modes[mode].contrast);
}

// write_fit writes the line with the slope that was found, through the middle of a mode's points.
static void write_fit(FILE *script, const struct ekb_record *record, size_t mode)
{
    const struct ekb_record_effect *slope = slope_of(record, mode);
    double sum_depth = 0;
    double sum_us = 0;
    double num = 0;
    for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
        const struct ekb_record_arm *arm =
            text_find_cost_arm(record, modes[mode].mode, text_depths[i]);
        if (arm != NULL && arm->server_cpu_interval_known) {
            sum_depth += (double)text_depths[i];
            sum_us += arm->server_cpu_interval.estimate / 1e3;
            num++;
        }
    }
    if (slope != NULL && num > 0) {
        (void)fprintf(script, ", %.6g + %.6g * (x - %.6g) with lines dt (6,5) lw 1 lc rgb %s",
                      sum_us / num, slope->estimate.estimate / 1e3, sum_depth / num, HTML_PLOT_INK);
    }
}

static void plot_depth(struct html_page *page)
{
    const struct ekb_record *record = page->record;
    const struct ekb_record_effect *slope = slope_of(record, 0);
    struct html_plot plot;
    char text[64];
    if (!html_plot_begin(page, &plot, 380, HTML_POINTS)) {
        return;
    }
    for (size_t mode = 0; mode < NUM_MODES; mode++) {
        (void)fprintf(plot.script, "$mode%zu << EOD\n", mode);
        for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
            const struct ekb_record_arm *arm =
                text_find_cost_arm(record, modes[mode].mode, text_depths[i]);
            if (arm != NULL && arm->server_cpu_interval_known) {
                const struct ekb_estimate *cpu = &arm->server_cpu_interval;
                // Side by side, or they would cover one another.
                (void)fprintf(plot.script, "%.6g %.6g %.6g %.6g\n",
                              (double)text_depths[i] + 0.1 * ((double)mode - 1),
                              cpu->estimate / 1e3, cpu->low / 1e3, cpu->high / 1e3);
            }
        }
        (void)fputs("EOD\n", plot.script);
    }
    (void)fputs("set xrange [0.5:5.5]\nset xtics 1\nset yrange [0:*]\n"
                "set xlabel 'certificates above the client''s own (depth)'\n"
                "set ylabel 'us of server CPU'\nplot 1/0 notitle",
                plot.script);
    write_fit(plot.script, record, 0);
    for (size_t mode = 0; mode < NUM_MODES; mode++) {
        (void)fprintf(plot.script, ", $mode%zu using 1:2:3:4 with yerrorbars", mode);
        html_plot_point(&plot, mode);
        html_plot_name(&plot, mode, "%s", modes[mode].label);
    }
    (void)fputc('\n', plot.script);
    html_plot_end(page, &plot, "Server CPU of a handshake by the depth of the client's chain",
                  "Points with intervals for three EKU modes, which lie on top of one another, "
                  "along a straight line: each further certificate adds %s us. The table below has "
                  "the numbers.",
                  text_signed_interval(text, slope, text_us));
}

static void table_depth(struct html_page *page)
{
    static const char *const columns[] = {"depth", "EKU checking on", "EKU checking off",
                                          "no EKU check", NULL};
    FILE *out = page->out;
    char text[64];
    html_table(page, "us of server CPU per handshake, with 95 % intervals", columns);
    for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
        html_row(out, "depth %llu", text_depths[i]);
        for (size_t mode = 0; mode < NUM_MODES; mode++) {
            const struct ekb_record_arm *arm =
                text_find_cost_arm(page->record, modes[mode].mode, text_depths[i]);
            html_cell(out, "%s",
                      write_level(text, arm != NULL && arm->server_cpu_interval_known,
                                  arm != NULL ? &arm->server_cpu_interval : NULL));
        }
        html_row_end(out);
    }
    html_row(out, "each further, on average");
    for (size_t mode = 0; mode < NUM_MODES; mode++) {
        html_cell(out, "%s", text_signed_interval(text, slope_of(page->record, mode), text_us));
    }
    html_row_end(out);
    html_table_end(out);
}

static void table_slopes(struct html_page *page)
{
    static const char *const columns[] = {"each further certificate", "server CPU, us",
                                          "client CPU, us", "bytes", NULL};
    static const char *const rows[][3] = {
        {"in the client's chain", EKB_EFFECT_DEPTH, EKB_CONTRAST_DEPTH_ON},
        {"in the server's chain", EKB_EFFECT_SERVER_DEPTH, EKB_CONTRAST_SERVER_DEPTH},
    };
    char text[64];
    char bytes[32];
    html_table(page, "What one more certificate costs either side, with 95 % intervals", columns);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct ekb_record_effect *server =
            text_find_effect(page->record, rows[i][1], EKB_METRIC_SERVER_CPU, rows[i][2]);
        const struct ekb_record_effect *client =
            text_find_effect(page->record, rows[i][1], EKB_METRIC_CLIENT_CPU, rows[i][2]);
        const struct ekb_record_effect *wire =
            text_find_effect(page->record, rows[i][1], EKB_METRIC_WIRE, rows[i][2]);
        html_row(page->out, "%s", rows[i][0]);
        html_cell(page->out, "%s", text_signed_interval(text, server, text_us));
        html_cell(page->out, "%s", text_signed_interval(text, client, text_us));
        html_cell(page->out, "%s", write_bytes(bytes, wire));
        html_row_end(page->out);
    }
    html_table_end(page->out);
}

void html_write_depth(struct html_page *page)
{
    struct report_answer said = {.num_sentences = 0};
    const struct ekb_record_arm *first = text_find_cost_arm(page->record, "on", text_depths[0]);
    if (first == NULL || text_find_cost_arm(page->record, "on", text_depths[1]) == NULL) {
        return;
    }
    html_section(page->out, "depth", "What does each extra certificate cost?");
    if (!first->server_cpu_interval_known && slope_of(page->record, 0) == NULL) {
        html_write_not_measured(page->out, page->record, EKB_STAGE_COST);
    } else {
        html_reading(
            page->out,
            "A client's certificate may come with others that vouch for it, intermediates; "
            "the server verifies each. Depth 1: it is signed by the root itself; depth 2: "
            "by one intermediate, which the root signed. The dashed line has "
            "the slope that was found with EKU checking on: what each further certificate "
            "adds. Intervals that are not seen are smaller than the points.");
        plot_depth(page);
        table_depth(page);
        table_slopes(page);
        text_say_linearity(&said, page->record);
        html_write_said(page->out, &said);
    }
    html_section_end(page->out);
}

// Rejected and resumed.

static void table_kinds(struct html_page *page)
{
    static const char *const columns[] = {
        "client", "server CPU, us", "difference, us", "median, us", "p99, us", "<alert", NULL};
    FILE *out = page->out;
    char text[64];
    html_table(page, "Server CPU per handshake, and the time until the client knows", columns);
    for (size_t i = 0; i < TEXT_NUM_KINDS; i++) {
        const struct text_kind *kind = &text_kinds[i];
        const struct ekb_record_arm *arm = text_find_kind(page->record, kind);
        if (arm == NULL) {
            continue;
        }
        html_row(out, "%s", kind->label);
        html_cell(out, "%s",
                  write_level(text, arm->server_cpu_interval_known, &arm->server_cpu_interval));
        html_cell(
            out, "%s",
            kind->control != NULL
                ? text_signed_interval(text, text_find_kind_effect(page->record, kind), text_us)
                : "");
        html_cell_percentile(out, &arm->latency_ns, arm->latency_ns.p50, text_us);
        html_cell_percentile(out, &arm->latency_ns, arm->latency_ns.p99, text_us);
        html_words(out, "%s", text_alert_of(arm));
        html_row_end(out);
    }
    html_table_end(out);
}

void html_write_rejects(struct html_page *page)
{
    struct report_answer rejected = {.num_sentences = 0};
    struct report_answer resumed = {.num_sentences = 0};
    const bool has_kinds = text_num_rejected(page->record) > 1;
    text_say_reject(&rejected, page->record);
    text_say_resumed(&resumed, page->record);
    if (has_kinds || rejected.num_sentences > 0) {
        html_section(page->out, "rejected", "What does a rejected client cost?");
        if (has_kinds) {
            html_reading(
                page->out,
                "Clients that a server must turn away, by what is wrong with their "
                "certificate. The difference is to a client that is accepted, with the "
                "revocation list (CRL) consulted for both or for neither, and taken slice by "
                "slice: it is not exactly that of two levels.");
            table_kinds(page);
            html_reading(page->out, "%s", text_why_cheaper);
        } else {
            html_write_said(page->out, &rejected);
        }
        html_section_end(page->out);
    }
    if (resumed.num_sentences > 0) {
        html_section(page->out, "resumed", "What does a resumed handshake cost?");
        html_write_said(page->out, &resumed);
        html_section_end(page->out);
    }
}
