// The answers: what verification costs, rung by rung, certificate by certificate, and what of it is
// the EKU check.

#include "report/answer.h"
#include "report/text_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

const struct ekb_record_arm *text_find_cost_arm(const struct ekb_record *record, const char *mode,
                                                unsigned long long depth)
{
    char name[EKB_RECORD_NAME_LEN];
    (void)snprintf(name, sizeof name, "%s-d%llu", mode, depth);
    return ekb_record_find_arm(record, EKB_STAGE_COST, name);
}

void text_write_answer(FILE *out, const struct ekb_record *record)
{
    struct report_answer answer = {.num_sentences = 0};
    report_answer_all(&answer, record, TEXT_VALIDITY);
    text_rule(out, "The answer");
    text_write_said(out, &answer);
}

// The ladder.

const struct text_rung text_rungs[TEXT_NUM_RUNGS] = {
    {"+ certificate and client's signature", "+ certificate requested", "parse-d1 - one-way"},
    {"+ chain verified, no EKU check", "+ chain verified", "none-d1 - parse-d1"},
    {"+ EKU off (serverAuth)", "+ EKU off", "off-d1 - none-d1"},
    {"+ EKU on (clientAuth) instead", "+ EKU on instead", "on-d1 - off-d1"},
    {"+ name checked", "+ name checked", "name-d1 - on-d1"},
    {"+ CRL checked", "+ CRL checked", "crl-d1 - name-d1"},
};

const char text_rungs_meaning[] =
    "Certificate and client's signature: the certificate is asked for and parsed, and the "
    "signature "
    "that proves its key (CertificateVerify) checked. Chain: the signatures of the certificates "
    "are "
    "verified up to the root. CRL: whether a certificate was revoked; the library verifies the "
    "list's signature anew in every handshake, once for each certificate of the chain and once for "
    "the root.";

static const char *added(char out_text[64], const struct ekb_record *record, const char *metric,
                         const char *contrast)
{
    return text_signed_interval(out_text,
                                text_find_effect(record, EKB_EFFECT_LADDER, metric, contrast),
                                strcmp(metric, EKB_METRIC_WIRE) == 0 ? text_plain : text_us);
}

static void write_rung(FILE *out, const struct ekb_record *record, const char *label,
                       const char *contrast)
{
    char server[64];
    char client[64];
    char bytes[64];
    const struct ekb_record_effect *wire =
        text_find_effect(record, EKB_EFFECT_LADDER, EKB_METRIC_WIRE, contrast);
    // Bytes vary by the few that signatures differ in length: their interval says nothing.
    if (wire != NULL) {
        (void)snprintf(bytes, sizeof bytes, "%+.0f", wire->estimate.estimate + 0.0);
    } else {
        (void)snprintf(bytes, sizeof bytes, "-");
    }
    (void)fprintf(out, "%-36s  %-24s  %-22s  %6s\n", label,
                  added(server, record, EKB_METRIC_SERVER_CPU, contrast),
                  added(client, record, EKB_METRIC_CLIENT_CPU, contrast),
                  strcmp(bytes, "-0") == 0 ? "+0" : bytes);
}

// write_level writes the first row, on which the others stand.
static void write_level(FILE *out, const struct ekb_record_arm *arm)
{
    char server[64] = "-";
    char client[64] = "-";
    char bytes[32] = "-";
    if (arm->server_cpu_interval_known) {
        (void)text_interval(server, &arm->server_cpu_interval, text_us);
    }
    if (arm->client_cpu_interval_known) {
        (void)text_interval(client, &arm->client_cpu_interval, text_us);
    }
    if (arm->client_sent_bytes.known && arm->server_sent_bytes.known) {
        (void)snprintf(bytes, sizeof bytes, "%.0f",
                       arm->client_sent_bytes.value + arm->server_sent_bytes.value);
    }
    (void)fprintf(out, "%-36s  %-24s  %-22s  %6s\n", "one-way TLS", server, client, bytes);
}

void text_write_ladder(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_arm *one_way = ekb_record_find_arm(record, EKB_STAGE_COST, "one-way");
    if (one_way == NULL) {
        return;
    }
    text_rule(out, "What does each rung of verification add?");
    if (!one_way->server_cpu_interval_known &&
        text_find_effect(record, EKB_EFFECT_LADDER, EKB_METRIC_SERVER_CPU, NULL) == NULL) {
        text_not_measured(out, record, EKB_STAGE_COST);
        return;
    }
    text_wrapped(out,
                 "us of CPU per handshake in TLS and in our own code, %llu in flight, the client's "
                 "leaf signed by the root; mean [95 %% interval]. Differences are taken slice by "
                 "slice: they are not exactly those of two levels.",
                 (unsigned long long)text_find_stage(record, EKB_STAGE_COST)->in_flight);
    (void)fprintf(out, "\n%-36s  %-24s  %-22s  %6s\n", "", "server", "client", "bytes");
    write_level(out, one_way);
    for (size_t i = 0; i < TEXT_NUM_RUNGS; i++) {
        write_rung(out, record, text_rungs[i].label, text_rungs[i].contrast);
    }
    text_wrapped(out, "%s", text_rungs_meaning);
}

// Depth.

static void write_cost_cell(FILE *out, const struct ekb_record_arm *arm)
{
    char text[64] = "-";
    if (arm != NULL && arm->server_cpu_interval_known) {
        (void)text_interval(text, &arm->server_cpu_interval, text_us);
    }
    (void)fprintf(out, "  %-26s", text);
}

static void write_slope_cell(FILE *out, const struct ekb_record *record, const char *contrast)
{
    char text[64];
    (void)fprintf(out, "  %-26s",
                  text_signed_interval(
                      text,
                      text_find_effect(record, EKB_EFFECT_DEPTH, EKB_METRIC_SERVER_CPU, contrast),
                      text_us));
}

static void write_slope_line(FILE *out, const struct ekb_record *record, const char *label,
                             const char *question, const char *contrast)
{
    char server[64];
    char client[64];
    char bytes[64];
    const struct ekb_record_effect *wire =
        text_find_effect(record, question, EKB_METRIC_WIRE, contrast);
    if (wire == NULL) {
        return;
    }
    (void)snprintf(bytes, sizeof bytes, "%+.0f", wire->estimate.estimate);
    (void)fprintf(
        out, "%-36s  %-24s  %-22s  %6s\n", label,
        text_signed_interval(
            server, text_find_effect(record, question, EKB_METRIC_SERVER_CPU, contrast), text_us),
        text_signed_interval(
            client, text_find_effect(record, question, EKB_METRIC_CLIENT_CPU, contrast), text_us),
        bytes);
}

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

// say_straightness says whether each further certificate costs as much as the one before: from
// one to the next the cost grows by twice the coefficient of the second degree.
static void say_straightness(struct report_answer *answer, const char *label,
                             const struct ekb_record_effect *curve)
{
    char change[128];
    if (curve == NULL) {
        return;
    }
    const struct ekb_estimate growth = {.estimate = 2 * curve->estimate.estimate,
                                        .low = 2 * curve->estimate.low,
                                        .high = 2 * curve->estimate.high,
                                        .n = curve->estimate.n};
    const char *verdict = curve->verdict;
    (void)report_change(change, &growth);
    if (begins_with(verdict, "slower") || begins_with(verdict, "faster") ||
        begins_with(verdict, "more") || begins_with(verdict, "less")) {
        report_say(answer, "%s: No: each further certificate costs %s than the one before.", label,
                   change);
    } else if (begins_with(verdict, "equivalent") || begins_with(verdict, "no detectable")) {
        report_say(answer, "%s: Yes, as far as this run can see: each costs %s than the last.",
                   label, change);
    } else {
        report_say(answer, "%s: No answer; %s.", label, verdict);
    }
}

void text_say_linearity(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_effect *client = text_find_effect(
        record, EKB_EFFECT_LINEARITY, EKB_METRIC_SERVER_CPU, EKB_CONTRAST_CLIENT_CURVE);
    const struct ekb_record_effect *server = text_find_effect(
        record, EKB_EFFECT_LINEARITY, EKB_METRIC_CLIENT_CPU, EKB_CONTRAST_SERVER_CURVE);
    if (client == NULL && server == NULL) {
        return;
    }
    report_say(answer,
               "Does each further certificate cost the side that verifies it as much as the "
               "one before?");
    say_straightness(answer, "Client's chain", client);
    say_straightness(answer, "Server's chain", server);
}

// depth_is_known is true if there is anything to be put into the tables of depths.
static bool depth_is_known(const struct ekb_record *record)
{
    static const char *const modes[] = {"on", "off", "none"};
    bool known =
        text_find_effect(record, EKB_EFFECT_DEPTH, EKB_METRIC_SERVER_CPU, NULL) != NULL ||
        text_find_effect(record, EKB_EFFECT_SERVER_DEPTH, EKB_METRIC_CLIENT_CPU, NULL) != NULL;
    for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
        for (size_t mode = 0; mode < sizeof modes / sizeof modes[0]; mode++) {
            const struct ekb_record_arm *arm =
                text_find_cost_arm(record, modes[mode], text_depths[i]);
            known = known || (arm != NULL && arm->server_cpu_interval_known);
        }
    }
    return known;
}

static void write_slope_lines(FILE *out, const struct ekb_record *record)
{
    if (text_find_effect(record, EKB_EFFECT_DEPTH, EKB_METRIC_WIRE, NULL) == NULL &&
        text_find_effect(record, EKB_EFFECT_SERVER_DEPTH, EKB_METRIC_WIRE, NULL) == NULL) {
        return;
    }
    (void)fprintf(out, "\n%-36s  %-24s  %-22s  %6s\n", "+1 certificate, us and bytes", "server",
                  "client", "bytes");
    write_slope_line(out, record, "in the client's chain", EKB_EFFECT_DEPTH, EKB_CONTRAST_DEPTH_ON);
    write_slope_line(out, record, "in the server's chain", EKB_EFFECT_SERVER_DEPTH,
                     EKB_CONTRAST_SERVER_DEPTH);
}

void text_write_depth(FILE *out, const struct ekb_record *record)
{
    // With one depth there is none.
    if (text_find_cost_arm(record, "on", 1) == NULL ||
        text_find_cost_arm(record, "on", text_depths[1]) == NULL ||
        text_find_stage(record, EKB_STAGE_COST) == NULL) {
        return;
    }
    text_rule(out, "What does each extra certificate cost?");
    if (!depth_is_known(record)) {
        text_not_measured(out, record, EKB_STAGE_COST);
        return;
    }
    text_wrapped(
        out, "us of server CPU per handshake; depth = certificates above the client's leaf: the "
             "root and, from depth 2 on, intermediates. The leaf has both usages and is "
             "accepted in every mode.");
    (void)fprintf(out, "\n%-14s  %-26s  %-26s  %-26s\n", "", "EKU checking on", "EKU checking off",
                  "no EKU check");
    for (size_t i = 0; i < TEXT_NUM_DEPTHS; i++) {
        (void)fprintf(out, "depth %-8llu", text_depths[i]);
        write_cost_cell(out, text_find_cost_arm(record, "on", text_depths[i]));
        write_cost_cell(out, text_find_cost_arm(record, "off", text_depths[i]));
        write_cost_cell(out, text_find_cost_arm(record, "none", text_depths[i]));
        (void)fputc('\n', out);
    }
    (void)fprintf(out, "%-14s", "+1 certificate");
    write_slope_cell(out, record, EKB_CONTRAST_DEPTH_ON);
    write_slope_cell(out, record, EKB_CONTRAST_DEPTH_OFF);
    write_slope_cell(out, record, EKB_CONTRAST_DEPTH_NONE);
    (void)fputc('\n', out);
    write_slope_lines(out, record);
    struct report_answer said = {.num_sentences = 0};
    text_say_linearity(&said, record);
    text_write_said(out, &said);
}

// Resumption.

void text_say_resumed(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_arm *resumed =
        ekb_record_find_arm(record, EKB_STAGE_COST, EKB_ARM_RESUMED);
    const struct ekb_record_effect *server =
        text_find_effect(record, EKB_EFFECT_RESUMED, EKB_METRIC_SERVER_CPU, EKB_CONTRAST_RESUMED);
    const struct ekb_record_effect *client =
        text_find_effect(record, EKB_EFFECT_RESUMED, EKB_METRIC_CLIENT_CPU, EKB_CONTRAST_RESUMED);
    const struct ekb_record_effect *tickets =
        text_find_effect(record, EKB_EFFECT_RESUMED, EKB_METRIC_SERVER_CPU, EKB_CONTRAST_TICKETS);
    char level[64];
    char texts[3][64];
    if (resumed == NULL || !resumed->server_cpu_interval_known || server == NULL ||
        client == NULL || tickets == NULL) {
        return;
    }
    report_say(answer,
               "By ticket, nothing presented or verified: %s us of server CPU. Compared to a full "
               "handshake: server %s us, client %s us. Giving the tickets costs the server %s us "
               "in a full one.",
               text_interval(level, &resumed->server_cpu_interval, text_us),
               text_signed_interval(texts[0], server, text_us),
               text_signed_interval(texts[1], client, text_us),
               text_signed_interval(texts[2], tickets, text_us));
}

void text_write_resumed(FILE *out, const struct ekb_record *record)
{
    struct report_answer said = {.num_sentences = 0};
    text_say_resumed(&said, record);
    if (said.num_sentences > 0) {
        text_rule(out, "What does a resumed handshake cost?");
        text_write_said(out, &said);
    }
}
