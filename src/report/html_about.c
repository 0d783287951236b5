// What a reader has to know of a run before and after its numbers: whether they can be trusted,
// where they come from, and how to make them again.

#include "report/html_internal.h"

#include "ekubench/base/units.h"

#include <stdarg.h>
#include <string.h>

// Validity.

static void write_list(FILE *out, size_t num_lines, const char (*lines)[EKB_RECORD_LINE_LEN])
{
    if (num_lines == 0) {
        return;
    }
    (void)fputs("<ul>\n", out);
    for (size_t i = 0; i < num_lines; i++) {
        (void)fputs("<li>", out);
        html_text(out, "%s", lines[i]);
        (void)fputs("</li>\n", out);
    }
    (void)fputs("</ul>\n", out);
}

static void write_failures(struct html_page *page, const struct ekb_record *record)
{
    static const char *const columns[] = {"arm", "handshakes", "<ended by", "<expected", NULL};
    bool is_first = true;
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        for (size_t j = 0; j < arm->client.failures.num_items; j++) {
            if (is_first) {
                html_table(page, "Handshakes that were not accepted", columns);
                is_first = false;
            }
            html_row(page->out, "%s/%s", arm->stage, arm->name);
            html_cell(page->out, "%llu", (unsigned long long)arm->client.failures.items[j].count);
            html_words(page->out, "%s", arm->client.failures.items[j].name);
            html_words(page->out, "%s", strcmp(arm->expect, "accept") != 0 ? "yes" : "NO");
            html_row_end(page->out);
        }
    }
    if (!is_first) {
        html_table_end(page->out);
    }
}

static void write_box(FILE *out, const struct ekb_record *record)
{
    const bool clean = ekb_record_is_clean(record);
    struct report_answer said = {.num_sentences = 0};
    (void)fprintf(out, "<div class=\"box %s\">\n<p><strong>%s</strong>", clean ? "good" : "bad",
                  clean ? "Clean" : "Not clean.");
    if (clean) {
        text_say_clean(&said, record);
        // Its first word stands there.
        html_text(out, "%s", said.sentences[0] + strlen("Clean"));
    } else {
        html_text(out, " Do not trust these numbers, for these reasons:%s",
                  record->interrupted ? " The run was interrupted before its plan was done." : "");
    }
    (void)fputs("</p>\n", out);
    write_list(out, record->num_reasons, (const char(*)[EKB_RECORD_LINE_LEN])record->reasons);
    if (record->num_notes > 0) {
        (void)fputs("<p>What a reader should know all the same:</p>\n", out);
        write_list(out, record->num_notes, (const char(*)[EKB_RECORD_LINE_LEN])record->notes);
    }
    (void)fputs("</div>\n", out);
}

static bool any_has_control(const struct ekb_report_set *set)
{
    struct report_answer said = {.num_sentences = 0};
    for (size_t i = 0; i < set->num_results; i++) {
        text_say_controls(&said, set->results[i].record);
    }
    return said.num_sentences > 0;
}

void html_write_validity(struct html_page *page)
{
    FILE *out = page->out;
    html_section(out, "validity", HTML_VALIDITY);
    html_reading(out, "What the run found out about itself.%s",
                 any_has_control(page->set) ? " The A/A control is the same treatment measured "
                                              "twice, as if it were two: the true difference is 0."
                                            : "");
    for (size_t i = 0; i < page->set->num_results; i++) {
        const struct ekb_record *record = page->set->results[i].record;
        struct report_answer said = {.num_sentences = 0};
        if (page->set->num_results > 1) {
            (void)fputs("<h3>", out);
            html_text(out, "(%zu) %s", i + 1, page->set->results[i].label);
            (void)fputs("</h3>\n", out);
        }
        write_box(out, record);
        text_say_outcomes(&said, record);
        text_say_controls(&said, record);
        if (record->host.steal_percent.known) {
            report_say(&said, "The hypervisor took %.1f %% of the machine during the run.",
                       record->host.steal_percent.value);
        }
        text_say_words(&said, record);
        html_write_said(out, &said);
        write_failures(page, record);
    }
    html_section_end(out);
}

// Environment.

static void write_fact(FILE *out, const char *name, const char *format, ...) EKB_PRINTF(3, 4);

static void write_fact(FILE *out, const char *name, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (text[0] != '\0') {
        html_row(out, "%s", name);
        html_words(out, "%s", text);
        html_row_end(out);
    }
}

static void write_environment(struct html_page *page, const struct ekb_record *record)
{
    static const char *const columns[] = {"environment", "<value", NULL};
    FILE *out = page->out;
    char memory[EKB_UNITS_TEXT_LEN];
    char machine[256];
    char sides[384];
    char api[24];
    html_table(page, "The machine and the program", columns);
    write_fact(out, "processor", "%s", text_machine(machine, record));
    write_fact(out, "client and server", "%s", text_sides(sides, record));
    write_fact(out, "memory", "%s",
               record->host.memory_bytes > 0
                   ? ekb_units_format_bytes(memory, (double)record->host.memory_bytes)
                   : "");
    write_fact(out, "virtual machine", "%s",
               record->host.virtual_machine_known ? (record->host.virtual_machine ? "yes" : "no")
                                                  : "unknown");
    write_fact(out, "kernel", "%s", record->host.kernel);
    write_fact(out, "clock source", "%s", record->host.clocksource);
    write_fact(out, "congestion control", "%s", record->host.congestion_control);
    write_fact(out, "ekubench", "%s, commit %s, %s, %s, %s", record->build.version,
               record->build.git, record->build.build_type, record->build.compiler,
               record->build.flags);
    write_fact(out, "BoringSSL", "%s, API %s, %s", text_revision(record), text_api(api, record),
               text_assembly(record));
    write_fact(out, "other libraries", "liburing %s, HdrHistogram_c %s, jansson %s, zlib %s",
               record->build.liburing, record->build.hdr_histogram, record->build.jansson,
               record->build.zlib);
    write_fact(out, "TLS", "%s, %s", record->plan.tls,
               record->plan.cipher[0] != '\0' ? record->plan.cipher : "cipher unknown");
    write_fact(out, "groups", "%s%s%s", record->plan.groups,
               record->plan.group[0] != '\0' ? "; negotiated: " : "", record->plan.group);
    write_fact(out, "key", "%s", record->plan.key);
    write_fact(out, "server signs with", "%s", record->plan.server_signature);
    write_fact(out, "workers", "%llu of the server, %llu of the client",
               (unsigned long long)record->plan.server_workers,
               (unsigned long long)record->plan.client_workers);
    html_table_end(out);
}

// Parts of a merged result.

static void write_parts(struct html_page *page, const struct ekb_record *record)
{
    static const char *const columns[] = {"part",     "<began", "took", "handshakes",
                                          "<machine", "<clean", NULL};
    FILE *out = page->out;
    char text[EKB_UNITS_TEXT_LEN];
    if (record->num_parts == 0) {
        return;
    }
    html_table(page, "The results that this one was merged from", columns);
    for (size_t i = 0; i < record->num_parts; i++) {
        const struct ekb_record_part *part = &record->parts[i];
        html_row(out, "%zu", i + 1);
        html_words(out, "%s", part->started_at);
        html_cell(out, "%s", ekb_units_format_ns(text, (double)part->duration_ns));
        html_cell(out, "%llu", (unsigned long long)part->started);
        html_words(out, "%llu x %s, %s", (unsigned long long)part->cpus, part->cpu_model,
                   part->kernel);
        html_words(out, "%s", part->clean ? "yes" : "NO");
        html_row_end(out);
    }
    html_table_end(out);
}

// Plan.

// write_left_out writes how many slices are, or where arms have blocks, how many of these.
static const char *write_left_out(char out_text[64], const struct ekb_record *record,
                                  const struct ekb_record_stage *stage)
{
    size_t num_blocks = 0;
    size_t num_disturbed = 0;
    for (size_t i = 0; i < record->num_blocks; i++) {
        const struct ekb_record_block *block = &record->blocks[i];
        const bool is_of = strcmp(block->stage, stage->name) == 0;
        num_blocks += is_of ? 1 : 0;
        num_disturbed += is_of && block->disturbed ? 1 : 0;
    }
    if (num_blocks > 0) {
        (void)snprintf(out_text, 64, "%zu of %zu blocks", num_disturbed, num_blocks);
    } else {
        (void)snprintf(out_text, 64, "%llu of %llu slices",
                       (unsigned long long)stage->num_slices_dropped,
                       (unsigned long long)stage->num_slices);
    }
    return out_text;
}

static void write_stages(struct html_page *page, const struct ekb_record *record)
{
    static const char *const columns[] = {"stage",    "<load",    "under way", "warm-up",
                                          "measured", "left out", NULL};
    FILE *out = page->out;
    char text[EKB_UNITS_TEXT_LEN];
    char left_out[64];
    if (record->plan.num_stages == 0) {
        return;
    }
    html_table(page,
               "The stages of the plan. Measured: without the warm-up, and without the begin of "
               "each block, in which the connections of the one before end. Left out of the "
               "estimates: slices, or blocks, disturbed by other work or by steal.",
               columns);
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        const struct ekb_record_stage *stage = &record->plan.stages[i];
        char rate[32];
        html_row(out, "%s", stage->name);
        if (stage->open_loop.known) {
            html_words(out, "open loop, %s/s, %s",
                       text_real(rate, 0, stage->open_loop.planned_per_s),
                       stage->open_loop.arrivals);
        } else {
            html_words(out, "%s", stage->shape[0] != '\0' ? stage->shape : "closed-loop");
        }
        html_cell(out, "%s%s", stage->open_loop.known ? "at most " : "",
                  ekb_units_format_count(text, stage->in_flight));
        html_cell(out, "%s", ekb_units_format_ns(text, (double)stage->warmup_ns));
        html_cell(out, "%s", ekb_units_format_ns(text, (double)stage->duration_ns));
        html_cell(out, "%s", write_left_out(left_out, record, stage));
        html_row_end(out);
    }
    html_table_end(out);
}

static void write_arms(struct html_page *page, const struct ekb_record *record)
{
    static const char *const columns[] = {"arm",   "<EKU check", "<verified",
                                          "depth", "<key",       "<client's EKUs",
                                          "TLS",   "<expected",  NULL};
    FILE *out = page->out;
    if (record->num_arms == 0) {
        return;
    }
    (void)fputs("<details>\n<summary>All arms</summary>\n", out);
    html_table(page, "The arms: what was done in turn", columns);
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        html_row(out, "%s/%s", arm->stage, arm->name);
        html_words(out, "%s", arm->eku[0] != '\0' ? arm->eku : "-");
        html_words(out, "%s", arm->verify[0] != '\0' ? arm->verify : "-");
        html_cell(out, "%llu", (unsigned long long)arm->depth);
        html_words(out, "%s", arm->key[0] != '\0' ? arm->key : "-");
        html_words(out, "%s", arm->client_eku[0] != '\0' ? arm->client_eku : "-");
        html_cell(out, "%s", arm->tls);
        html_words(out, "%s", arm->expect);
        html_row_end(out);
    }
    html_table_end(out);
    (void)fputs("</details>\n", out);
}

// How to make it again.

static void write_again(struct html_page *page, const struct ekb_record *record)
{
    FILE *out = page->out;
    html_paragraph(out,
                   "On a machine like the one above these commands measure the same again, in "
                   "the sources of ekubench%s%s. Files that they name are as they were then.",
                   record->build.git[0] != '\0' ? " of commit " : "", record->build.git);
    (void)fputs("<pre>./scripts/deps.sh\n"
                "cmake --preset release &amp;&amp; cmake --build --preset release\n"
                "PATH=$PWD/build/release:$PATH\n",
                out);
    if (record->plan.command[0] != '\0') {
        html_text(out, "%s -o again\n", record->plan.command);
    } else {
        html_text(out, "# the result does not say by which command it was made\n");
    }
    if (record->num_parts > 0) {
        html_text(out,
                  "# in %zu parts at the same time, each with its share of it; then\n"
                  "ekubench merge PART... -o again\n",
                  record->num_parts);
    }
    (void)fputs("ekubench report again --format html -o again.html\n</pre>\n", out);
}

void html_write_about(struct html_page *page)
{
    FILE *out = page->out;
    html_section(out, "environment", "Where was it measured, and what?");
    for (size_t i = 0; i < page->set->num_results; i++) {
        const struct ekb_record *record = page->set->results[i].record;
        if (page->set->num_results > 1) {
            (void)fputs("<h3>", out);
            html_text(out, "(%zu) %s", i + 1, page->set->results[i].label);
            (void)fputs("</h3>\n", out);
        }
        write_environment(page, record);
        write_parts(page, record);
        write_stages(page, record);
        write_arms(page, record);
    }
    html_section_end(out);
    html_section(out, "again", "How to measure it again");
    for (size_t i = 0; i < page->set->num_results; i++) {
        write_again(page, page->set->results[i].record);
    }
    html_section_end(out);
}
