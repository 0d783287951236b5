// Markdown as GitHub and GitLab take it: fits a comment on a pull request. The answer first, what
// is to be known before it is believed, the tables that most want, and the rest folded.

#include "report/answer.h"
#include "report/escape.h"
#include "report/format_internal.h"
#include "report/overlay.h"
#include "report/text_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static void write_answer(FILE *out, const struct ekb_record *record)
{
    struct report_answer answer = {.num_sentences = 0};
    report_answer_all(&answer, record, NULL);
    for (size_t i = 0; i < answer.num_sentences; i++) {
        report_markdown_text(out, answer.sentences[i]);
        (void)fputs(i + 1 < answer.num_sentences ? " " : "\n\n", out);
    }
}

static void write_validity(FILE *out, const struct ekb_record *record)
{
    if (ekb_record_is_clean(record)) {
        (void)fputs("**Clean**: nothing speaks against these numbers.\n", out);
    } else {
        (void)fputs("**NOT CLEAN**: do not trust these numbers.\n\n", out);
    }
    for (size_t i = 0; i < record->num_reasons; i++) {
        (void)fputs("- ", out);
        report_markdown_text(out, record->reasons[i]);
        (void)fputc('\n', out);
    }
}

static const char *unit_of(const struct ekb_record_effect *effect, struct text_unit *out_unit)
{
    const bool is_time = strcmp(effect->unit, "ns") == 0;
    const bool is_small = fabs(effect->estimate.low) < 1e3 && fabs(effect->estimate.high) < 1e3 &&
                          !(effect->mde >= 1e3);
    *out_unit = is_time && !is_small ? text_us : text_plain;
    return is_time && !is_small ? "us" : effect->unit;
}

static void write_effect(FILE *out, const struct ekb_record_effect *effect)
{
    char interval[64];
    char least[32];
    struct text_unit unit;
    const char *unit_name = unit_of(effect, &unit);
    (void)fputs("| ", out);
    report_markdown_text(out, effect->question);
    (void)fputs("<br>", out);
    report_markdown_text(out, effect->contrast);
    (void)fputs(" | ", out);
    report_markdown_text(out, effect->stage);
    (void)fputs(" | ", out);
    report_markdown_text(out, effect->metric);
    (void)fprintf(out, " | %s | %s | ", text_signed_interval(interval, effect, unit),
                  text_least(least, effect, unit));
    report_markdown_text(out, unit_name);
    (void)fputs(" | ", out);
    report_markdown_text(out, effect->verdict);
    (void)fputs(" |\n", out);
}

// is_main is true for the effects that are not folded: what verification costs the server.
static bool is_main(const struct ekb_record_effect *effect)
{
    return (strcmp(effect->metric, EKB_METRIC_SERVER_CPU) == 0 ||
            strcmp(effect->metric, EKB_METRIC_PURPOSE) == 0) &&
           strcmp(effect->question, EKB_EFFECT_CONTROL) != 0 &&
           strcmp(effect->question, EKB_EFFECT_TIMERS) != 0;
}

// write_effects writes the main effects, or the others.
static void write_effects(FILE *out, const struct ekb_record *record, bool wants_main)
{
    bool some = false;
    for (size_t i = 0; i < record->num_effects; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        if (is_main(effect) != wants_main) {
            continue;
        }
        if (!some) {
            (void)fputs("\n| effect | stage | of | estimate, 95 % interval | least seen | unit | "
                        "verdict |\n"
                        "|---|---|---|--:|--:|---|---|\n",
                        out);
        }
        some = true;
        write_effect(out, effect);
    }
}

static void write_ms(FILE *out, struct ekb_record_u64 value)
{
    if (value.known) {
        (void)fprintf(out, " %.2f |", (double)value.value / 1e6);
    } else {
        (void)fputs(" - |", out);
    }
}

static void write_mean(FILE *out, bool known, const struct ekb_estimate *mean)
{
    char text[64] = "-";
    if (known) {
        (void)text_interval(text, mean, text_us);
    }
    (void)fprintf(out, " %s |", text);
}

static void write_arms(FILE *out, const struct ekb_record *record)
{
    if (record->num_arms == 0) {
        return;
    }
    (void)fputs("\n| arm | accepted | rejected | failed | p50, ms | p99, ms | server CPU, us | "
                "client CPU, us |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
                out);
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        (void)fputs("| ", out);
        report_markdown_text(out, arm->stage);
        (void)fputc('/', out);
        report_markdown_text(out, arm->name);
        (void)fprintf(out, " | %llu | %llu | %llu |", (unsigned long long)arm->client.accepted,
                      (unsigned long long)arm->client.rejected,
                      (unsigned long long)arm->client.failed);
        write_ms(out, arm->latency_ns.p50);
        write_ms(out, arm->latency_ns.p99);
        write_mean(out, arm->server_cpu_interval_known, &arm->server_cpu_interval);
        write_mean(out, arm->client_cpu_interval_known, &arm->client_cpu_interval);
        (void)fputc('\n', out);
    }
}

static void write_trials(FILE *out, const struct ekb_record_capacity *capacity)
{
    if (!capacity->known || capacity->num_trials == 0) {
        return;
    }
    (void)fprintf(out,
                  "\n| trial | rate/s | due | errors | p%g, ms | outcome |\n"
                  "|---|--:|--:|--:|--:|---|\n",
                  capacity->percentile);
    for (size_t i = 0; i < capacity->num_trials; i++) {
        const struct ekb_record_trial *trial = &capacity->trials[i];
        char rate[32];
        (void)fprintf(out, "| %zu, ", i + 1);
        report_markdown_text(out, trial->purpose);
        (void)fprintf(out, " | %s | %llu | %llu |", text_real(rate, 0, trial->rate_per_s),
                      (unsigned long long)trial->due, (unsigned long long)trial->errors);
        write_ms(out, trial->latency_ns);
        (void)fputc(' ', out);
        report_markdown_text(out, trial->outcome);
        if (trial->reason[0] != '\0') {
            (void)fputs(": ", out);
            report_markdown_text(out, trial->reason);
        }
        (void)fputs(" |\n", out);
    }
}

static void write_fact(FILE *out, const char *name, const char *value)
{
    if (value[0] != '\0') {
        (void)fprintf(out, "| %s | ", name);
        report_markdown_text(out, value);
        (void)fputs(" |\n", out);
    }
}

static void write_environment(FILE *out, const struct ekb_record *record)
{
    char text[64];
    (void)fputs("\n| | |\n|---|---|\n", out);
    write_fact(out, "started", record->started_at);
    write_fact(out, "plan", record->plan.name);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)record->plan.seed);
    write_fact(out, "seed", text);
    write_fact(out, "target", record->plan.target);
    write_fact(out, "TLS", record->plan.tls);
    write_fact(out, "cipher", record->plan.cipher);
    write_fact(out, "groups", record->plan.groups);
    write_fact(out, "key", record->plan.key);
    write_fact(out, "CPU", record->host.cpu_model);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)record->host.cpus);
    write_fact(out, "CPUs", record->host.cpus > 0 ? text : "");
    write_fact(out, "kernel", record->host.kernel);
    write_fact(out, "ekubench", record->build.version);
    write_fact(out, "git", record->build.git);
    write_fact(out, "compiler", record->build.compiler);
    write_fact(out, "flags", record->build.flags);
    write_fact(out, "BoringSSL", record->build.boringssl_revision);
    for (size_t i = 0; i < record->num_notes; i++) {
        write_fact(out, "note", record->notes[i]);
    }
}

static void begin_fold(FILE *out, const char *title)
{
    (void)fputs("\n<details><summary>", out);
    report_markdown_html(out, title);
    (void)fputs("</summary>\n\n", out);
}

static void end_fold(FILE *out)
{
    (void)fputs("\n</details>\n", out);
}

static void write_title(FILE *out, const struct ekb_record *record)
{
    (void)fputs("### ekubench ", out);
    report_markdown_text(out, record->kind);
    if (record->plan.name[0] != '\0') {
        (void)fputs(": ", out);
        report_markdown_text(out, record->plan.name);
    }
    (void)fputs("\n\n", out);
}

static void write_one(FILE *out, const struct ekb_record *record)
{
    const bool is_long = record->num_arms > 8;
    write_title(out, record);
    write_answer(out, record);
    write_validity(out, record);
    write_effects(out, record, true);
    if (!is_long) {
        write_arms(out, record);
    } else {
        begin_fold(out, "Arms");
        write_arms(out, record);
        end_fold(out);
    }
    if (record->num_effects > 0) {
        begin_fold(out, "Other effects: controls, the client's side, bytes");
        write_effects(out, record, false);
        end_fold(out);
    }
    if (record->capacity.known) {
        begin_fold(out, "Trials");
        write_trials(out, &record->capacity);
        end_fold(out);
    }
    begin_fold(out, "Environment and plan");
    write_environment(out, record);
    end_fold(out);
}

static void write_overlay(FILE *out, const struct report_overlay *overlay)
{
    char cell[REPORT_CELL_LEN];
    const struct ekb_report_set *set = overlay->set;
    (void)fputs("| |", out);
    for (size_t i = 0; i < set->num_results; i++) {
        (void)fputc(' ', out);
        report_markdown_text(out, set->results[i].label);
        (void)fputs(" |", out);
    }
    (void)fputs("\n|---|", out);
    for (size_t i = 0; i < set->num_results; i++) {
        (void)fputs("--:|", out);
    }
    (void)fputs("\n| clean |", out);
    for (size_t i = 0; i < set->num_results; i++) {
        (void)fputs(ekb_record_is_clean(set->results[i].record) ? " yes |" : " **NO** |", out);
    }
    for (size_t row = 0; row < overlay->num_rows; row++) {
        (void)fputs("\n| ", out);
        report_markdown_text(out, overlay->rows[row]->of);
        (void)fputc(' ', out);
        report_markdown_text(out, overlay->rows[row]->metric);
        (void)fputs(" |", out);
        for (size_t i = 0; i < set->num_results; i++) {
            (void)fprintf(out, " %s |", report_overlay_cell(cell, overlay, row, i));
        }
    }
    (void)fputc('\n', out);
}

static enum ekb_err write_several(FILE *out, const struct ekb_report_set *set)
{
    struct report_overlay overlay;
    const enum ekb_err err = report_overlay_init(&overlay, set);
    if (err == EKB_OK) {
        (void)fprintf(out, "### ekubench: %zu results\n\n", set->num_results);
        write_overlay(out, &overlay);
        for (size_t i = 0; i < set->num_results; i++) {
            begin_fold(out, set->results[i].label);
            write_answer(out, set->results[i].record);
            write_validity(out, set->results[i].record);
            write_environment(out, set->results[i].record);
            end_fold(out);
        }
    }
    report_overlay_deinit(&overlay);
    return err;
}

enum ekb_err report_write_markdown(FILE *out, const struct ekb_report_set *set,
                                   struct ekb_fail *reterr_fail)
{
    if (set->num_results == 1) {
        write_one(out, set->results[0].record);
        return EKB_OK;
    }
    return write_several(out, set) == EKB_OK ? EKB_OK
                                             : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "report");
}
