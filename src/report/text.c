#include "ekubench/report/text.h"

#include "report/text_internal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char *text_machine(char out_text[256], const struct ekb_record *record)
{
    const char *model = record->host.cpu_model;
    if (record->host.cpus == 0 || (record->num_parts > 0 && model[0] == '\0')) {
        (void)snprintf(out_text, 256, "%s",
                       record->num_parts > 0 ? "several machines" : "an unknown machine");
    } else {
        (void)snprintf(
            out_text, 256, "%llu %sCPU%s (%s)", (unsigned long long)record->host.cpus,
            record->host.virtual_machine_known && record->host.virtual_machine ? "virtual " : "",
            record->host.cpus == 1 ? "" : "s", model[0] != '\0' ? model : "unknown");
    }
    return out_text;
}

// write_side writes "server on CPU 0", nothing if that is not known.
static const char *write_side(char out_text[96], const char *name,
                              const struct ekb_record_cpu *stages, size_t num_stages)
{
    out_text[0] = '\0';
    for (size_t i = 0; i < num_stages && out_text[0] == '\0'; i++) {
        const char *list = stages[i].cpu_list;
        if (list[0] != '\0') {
            (void)snprintf(out_text, 96, "%s on CPU%s %s", name,
                           strpbrk(list, "-,") != NULL ? "s" : "", list);
        }
    }
    return out_text;
}

const char *text_sides(char out_text[384], const struct ekb_record *record)
{
    char server[96];
    char client[96];
    (void)write_side(server, "server", record->server_cpu, record->num_server_cpu);
    (void)write_side(client, "client", record->client_cpu, record->num_client_cpu);
    out_text[0] = '\0';
    if (record->num_parts > 0) {
        return out_text; // Each part has its own.
    }
    if (record->plan.target[0] != '\0') {
        (void)snprintf(out_text, 384, "%s%sserver at %s", client, client[0] != '\0' ? ", " : "",
                       record->plan.target);
    } else if (server[0] != '\0' && client[0] != '\0') {
        (void)snprintf(out_text, 384, "%s, %s, over loopback", server, client);
    }
    return out_text;
}

const char *text_revision(const struct ekb_record *record)
{
    return record->build.boringssl_revision[0] != '\0' ? record->build.boringssl_revision : "-";
}

const char *text_api(char out_text[24], const struct ekb_record *record)
{
    const unsigned long long version = record->build.boringssl_api_version;
    if (version == 0) {
        return "-";
    }
    (void)snprintf(out_text, 24, "%llu", version);
    return out_text;
}

const char *text_assembly(const struct ekb_record *record)
{
    if (!record->build.boringssl_assembly_known) {
        return "assembly: -";
    }
    return record->build.boringssl_assembly ? "with assembly" : "WITHOUT assembly";
}

static void write_head(FILE *out, const struct ekb_record *record)
{
    char machine[256];
    char sides[384];
    char api[24];
    (void)text_sides(sides, record);
    (void)fprintf(out, "ekubench %s  %s  %s\n", record->build.version, record->kind,
                  record->started_at);
    text_wrapped(out, "TLS %s, %s, groups %s, key %s; %s%s%s%s%s; BoringSSL %s (API %s, %s)",
                 record->plan.tls,
                 record->plan.cipher[0] != '\0' ? record->plan.cipher : "cipher unknown",
                 record->plan.groups, record->plan.key[0] != '\0' ? record->plan.key : "-",
                 text_machine(machine, record), record->host.kernel[0] != '\0' ? ", " : "",
                 record->host.kernel, sides[0] != '\0' ? "; " : "", sides, text_revision(record),
                 text_api(api, record), text_assembly(record));
    if (record->num_parts > 0) {
        text_wrapped(out, "Merged from %zu results of `ekubench %s`.", record->num_parts,
                     ekb_record_base_kind(record));
    }
    if (record->plan.scenario[0] != '\0') {
        const bool is_one_link = record->capacity.known && record->num_arms > 0;
        text_wrapped(out, "Deployment %s%s%s, by the rules of release %s", record->plan.scenario,
                     is_one_link ? ", link " : "", is_one_link ? record->arms[0].name : "",
                     record->plan.release);
    }
    if (!ekb_record_is_clean(record)) {
        (void)fprintf(out, "\nNOT CLEAN: do not trust these numbers; \"Validity\" says why.\n");
    }
}

// say_uncounted says what is not among the handshakes that are counted.
static void say_uncounted(struct report_answer *answer, const struct ekb_record *record,
                          uint64_t num_bare)
{
    if (num_bare > 0) {
        report_say(answer, "Beside them %llu TCP connections without TLS, for the floor.",
                   (unsigned long long)num_bare);
    }
    if (record->capacity.num_trials > 0) {
        report_say(answer, "The trials of the search have their counts in their table, and are not "
                           "among them.");
    }
}

void text_say_outcomes(struct report_answer *answer, const struct ekb_record *record)
{
    struct ekb_record_outcomes sum = {0};
    uint64_t num_bare = 0;
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_outcomes *client = &record->arms[i].client;
        if (strcmp(record->arms[i].verify, "tcp") == 0) {
            num_bare += client->started;
            continue;
        }
        sum.started += client->started;
        sum.accepted += client->accepted;
        sum.rejected += client->rejected;
        sum.failed += client->failed;
        sum.unfinished += client->unfinished;
    }
    report_say(answer,
               "%llu handshakes: %llu accepted, %llu rejected, %llu failed, %llu unfinished.",
               (unsigned long long)sum.started, (unsigned long long)sum.accepted,
               (unsigned long long)sum.rejected, (unsigned long long)sum.failed,
               (unsigned long long)sum.unfinished);
    say_uncounted(answer, record, num_bare);
}

static void write_outcomes(FILE *out, const struct ekb_record *record)
{
    struct report_answer said = {.num_sentences = 0};
    text_say_outcomes(&said, record);
    text_write_said(out, &said);
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        const bool expected = strcmp(arm->expect, "accept") != 0;
        for (size_t j = 0; j < arm->client.failures.num_items; j++) {
            const struct ekb_record_count *failure = &arm->client.failures.items[j];
            (void)fprintf(out, "  %s/%s: %llu x %s%s\n", arm->stage, arm->name,
                          (unsigned long long)failure->count, failure->name,
                          expected ? " (expected)" : "");
        }
        for (size_t j = 0; j < arm->client.alerts.num_items; j++) {
            (void)fprintf(out, "  %s/%s: alert %s x %llu\n", arm->stage, arm->name,
                          arm->client.alerts.items[j].name,
                          (unsigned long long)arm->client.alerts.items[j].count);
        }
    }
}

void text_say_controls(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_effect *server =
        text_find_effect(record, EKB_EFFECT_CONTROL, EKB_METRIC_SERVER_CPU, NULL);
    const struct ekb_record_effect *client =
        text_find_effect(record, EKB_EFFECT_CONTROL, EKB_METRIC_CLIENT_CPU, NULL);
    const struct ekb_record_effect *blocks =
        text_find_effect(record, EKB_EFFECT_CONTROL, EKB_METRIC_WALL, NULL);
    char text[64];
    if (server != NULL) {
        report_say(answer, "A/A control (the same arm twice), server: difference %s us.",
                   text_interval(text, &server->estimate, text_us));
    }
    if (client != NULL) {
        report_say(answer, "A/A control, client: difference %s us.",
                   text_interval(text, &client->estimate, text_us));
    }
    if (blocks != NULL) {
        report_say(answer, "A/A control, blocks: wall time per handshake differs by %s %%.",
                   text_interval(text, &blocks->estimate, text_plain));
    }
    if (server != NULL || client != NULL || blocks != NULL) {
        report_say(answer,
                   "By chance one in twenty of these 95 %% intervals misses 0; if the 99 %% "
                   "interval of a control does, verdicts are withheld and the run is not clean.");
    }
}

static void write_validity(FILE *out, const struct ekb_record *record)
{
    text_rule(out, TEXT_VALIDITY);
    write_outcomes(out, record);
    struct report_answer said = {.num_sentences = 0};
    struct report_answer rest = {.num_sentences = 0};
    text_say_controls(&said, record);
    text_write_said(out, &said);
    if (record->host.steal_percent.known) {
        text_wrapped(out, "The hypervisor took %.1f %% of the machine during the run.",
                     record->host.steal_percent.value);
    }
    for (size_t i = 0; i < record->num_notes; i++) {
        text_wrapped(out, "Note: %s.", record->notes[i]);
    }
    text_say_words(&rest, record);
    if (ekb_record_is_clean(record)) {
        text_say_clean(&rest, record);
        text_write_said(out, &rest);
        return;
    }
    text_write_said(out, &rest);
    (void)fprintf(out, "NOT CLEAN: do not trust these numbers:\n");
    for (size_t i = 0; i < record->num_reasons; i++) {
        (void)fputs("  ", out);
        text_wrapped(out, "- %s", record->reasons[i]);
    }
}

static void write_costs(FILE *out, const struct ekb_record *record)
{
    if (text_find_only_arm(record) != NULL) {
        text_write_only_arm(out, record);
        return;
    }
    if (ekb_record_is_clean(record)) {
        text_write_answer(out, record);
    }
    text_write_links(out, record);
    text_write_ladder(out, record);
    text_write_eku(out, record);
    text_write_depth(out, record);
    text_write_rejects(out, record);
    text_write_resumed(out, record);
}

// strip_line_ends removes the blanks that columns leave at the ends of lines.
static void strip_line_ends(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        while (*from == '\n' && to > text && to[-1] == ' ') {
            to--;
        }
        *to++ = *from;
    }
    *to = '\0';
}

enum ekb_err ekb_report_text(char **out_text, const struct ekb_record *record)
{
    char *text = NULL;
    size_t text_len = 0;
    FILE *out = open_memstream(&text, &text_len);
    if (out == NULL) {
        return EKB_NOMEM;
    }
    write_head(out, record);
    if (!ekb_record_is_clean(record)) { // There is none, whatever was asked for.
        text_write_answer(out, record);
    }
    text_write_foreign_load(out, record);
    text_write_capacity(out, record);
    if (strcmp(ekb_record_base_kind(record), "measure") == 0) {
        write_costs(out, record);
        text_write_load(out, record);
        text_write_floors(out, record);
    }
    write_validity(out, record);
    if (fclose(out) != 0) {
        free(text);
        return EKB_NOMEM;
    }
    strip_line_ends(text);
    *out_text = text;
    return EKB_OK;
}
