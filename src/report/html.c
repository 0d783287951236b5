// The HTML report: one page, whole in itself, to be read in any browser, offline, and on paper.

#include "report/answer.h"
#include "report/format_internal.h"
#include "report/html_internal.h"

#include "ekubench/base/units.h"

#include <string.h>

static const char *title_of(const struct html_page *page)
{
    const struct ekb_record *record = page->record;
    if (page->set->num_results > 1) {
        return "Several results of ekubench, side by side";
    }
    if (record->plan.scenario[0] != '\0' && strcmp(ekb_record_base_kind(record), "measure") == 0) {
        return "What the handshakes of a deployment cost";
    }
    if (strcmp(ekb_record_base_kind(record), "measure") == 0) {
        return "What verifying a client's certificate costs a TLS server";
    }
    return strcmp(ekb_record_base_kind(record), "capacity") == 0
               ? "How many TLS handshakes a server can take"
               : "How a TLS server answers under load";
}

static void write_head(const struct html_page *page)
{
    FILE *out = page->out;
    (void)fputs("<!DOCTYPE html>\n"
                "<html lang=\"en\" xml:lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n"
                "<head>\n<meta charset=\"utf-8\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>",
                out);
    html_text(out, "%s - ekubench", title_of(page));
    (void)fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>", html_style);
    html_text(out, "%s", title_of(page));
    (void)fputs("</h1>\n", out);
}

// write_started writes "2026-03-29T06:54:39.839Z" without what nobody asks for, and what is no time
// as it is.
static void write_started(FILE *out, const char *started_at)
{
    uint64_t instant_ms = 0;
    if (ekb_units_parse_instant(&instant_ms, started_at) == EKB_OK) {
        html_text(out, " on %.10s at %.5s UTC", started_at, started_at + 11);
    } else if (started_at[0] != '\0') {
        html_text(out, " on %s", started_at);
    }
}

static void write_facts(FILE *out, const struct ekb_record *record)
{
    char machine[256];
    char sides[384];
    (void)fputs("<p class=\"facts\">", out);
    html_text(out, "Measured by ekubench %s (%s%s%s)", record->build.version, record->kind,
              record->plan.name[0] != '\0' ? ", plan " : "", record->plan.name);
    write_started(out, record->started_at);
    (void)text_sides(sides, record);
    html_text(out, " on %s%s%s.", text_machine(machine, record), sides[0] != '\0' ? "; " : "",
              sides);
    if (record->num_parts > 0) {
        html_text(out, " Merged from %zu results of ekubench %s.", record->num_parts,
                  ekb_record_base_kind(record));
    }
    if (record->plan.scenario[0] != '\0') {
        const bool is_one_link = record->capacity.known && record->num_arms > 0;
        html_text(out, " Deployment %s%s%s, by the rules of release %s.", record->plan.scenario,
                  is_one_link ? ", link " : "", is_one_link ? record->arms[0].name : "",
                  record->plan.release);
    }
    (void)fputs("</p>\n", out);
}

static void write_sentences(FILE *out, const struct ekb_record *record)
{
    struct report_answer answer = {.num_sentences = 0};
    report_answer_all(&answer, record, HTML_VALIDITY);
    for (size_t i = 0; i < answer.num_sentences; i++) {
        html_paragraph(out, "%s", answer.sentences[i]);
    }
}

// write_arms says what names of arms mean.
static void write_arms(FILE *out, const struct ekb_record *record)
{
    struct report_answer said = {.num_sentences = 0};
    text_say_arms(&said, record);
    if (said.num_sentences == 0) {
        return;
    }
    (void)fputs("<details>\n<summary>The arms of this run, by their names</summary>\n<ul>\n", out);
    for (size_t i = 0; i < said.num_sentences; i++) {
        (void)fputs("<li>", out);
        html_text(out, "%s", said.sentences[i]);
        (void)fputs("</li>\n", out);
    }
    (void)fputs("</ul>\n</details>\n", out);
}

// write_words says what words mean that are used before their sections.
static void write_words(struct html_page *page)
{
    FILE *out = page->out;
    html_reading(out,
                 "How to read the numbers: a handshake is what client and server exchange before "
                 "they can send data; it is accepted once the server has confirmed the client. An "
                 "arm is one way of doing it, and arms take turns, so that what disturbs one "
                 "disturbs all; a stage is a part of the run with one kind of load. 1 ms is 1,000 "
                 "us (microseconds), 1 us is 1,000 ns. A number with "
                 "[low, high] is an estimate and its 95 %% interval: repeated, the run would put "
                 "such intervals around the true value 19 times in 20. A difference whose interval "
                 "has 0 in it was not seen. EKU, extended key usage, is what a certificate says it "
                 "may be used for: clientAuth or serverAuth.");
    if (text_eku_is_known(page->record)) {
        html_reading(out, "%s", text_modes);
    }
    write_arms(out, page->record);
}

static void write_answer(struct html_page *page)
{
    FILE *out = page->out;
    (void)fputs("<div class=\"answer\">\n", out);
    for (size_t i = 0; i < page->set->num_results; i++) {
        if (page->set->num_results > 1) {
            (void)fputs("<p><strong>", out);
            html_text(out, "(%zu) %s", i + 1, page->set->results[i].label);
            (void)fputs("</strong></p>\n", out);
        }
        write_facts(out, page->set->results[i].record);
        if (!ekb_record_is_clean(page->set->results[i].record)) {
            (void)fputs("<div class=\"box bad\"><p><strong>Not clean.</strong> ", out);
            html_text(out, "Do not trust these numbers; the reasons stand below.");
            (void)fputs("</p></div>\n", out);
        }
        write_sentences(out, page->set->results[i].record);
    }
    write_words(page);
    (void)fputs("</div>\n", out);
    if (page->plots == HTML_PLOTS_NONE) {
        (void)fputs("<div class=\"box\"><p>", out);
        html_text(out, "The plots are left out, since there is no gnuplot. Install it (Debian: "
                       "apt-get install gnuplot-nox) and write this report again; the tables have "
                       "all numbers.");
        (void)fputs("</p></div>\n", out);
    }
}

static void write_sections(struct html_page *page)
{
    html_write_validity(page);
    if (page->set->num_results > 1) {
        html_write_overlay(page);
        return;
    }
    html_write_capacity(page);
    html_write_links(page);
    html_write_ladder(page);
    html_write_eku(page);
    html_write_depth(page);
    html_write_rejects(page);
    html_write_latency(page);
    html_write_time(page);
    html_write_floors(page);
}

enum ekb_err report_html_write(FILE *out, const struct ekb_report_set *set, enum html_plots plots,
                               struct ekb_fail *reterr_fail)
{
    struct html_page page = {
        .out = out, .set = set, .record = set->results[0].record, .plots = plots};
    if (plots == HTML_PLOTS_GNUPLOT && !html_plot_is_possible()) {
        page.plots = HTML_PLOTS_NONE;
    }
    write_head(&page);
    write_answer(&page);
    write_sections(&page);
    html_write_about(&page);
    (void)fputs("</main>\n</body>\n</html>\n", out);
    return page.is_short_of_memory ? ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "report") : EKB_OK;
}

enum ekb_err report_write_html(FILE *out, const struct ekb_report_set *set,
                               struct ekb_fail *reterr_fail)
{
    return report_html_write(out, set, HTML_PLOTS_GNUPLOT, reterr_fail);
}
