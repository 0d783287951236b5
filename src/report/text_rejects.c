// What a rejected client costs: of one kind in a sentence, of several in a table.

#include "report/text_internal.h"

#include <stdbool.h>
#include <string.h>

#define TITLE "What does a rejected client cost?"

// write_comparison compares a rejected client to an accepted one, if that is known.
static const char *write_comparison(char out_text[256], const struct ekb_record *record)
{
    char server[64];
    char client[64];
    const struct ekb_record_effect *of_server =
        text_find_effect(record, EKB_EFFECT_REJECT, EKB_METRIC_SERVER_CPU, NULL);
    const struct ekb_record_effect *of_client =
        text_find_effect(record, EKB_EFFECT_REJECT, EKB_METRIC_CLIENT_CPU, NULL);
    out_text[0] = '\0';
    if (of_server != NULL && of_client != NULL) {
        (void)snprintf(out_text, 256,
                       " Compared to an accepted client, slice by slice (not exactly the "
                       "difference of two levels): server %s us, client %s us.",
                       text_signed_interval(server, of_server, text_us),
                       text_signed_interval(client, of_client, text_us));
    }
    return out_text;
}

const char text_why_cheaper[] =
    "The server stops at the first thing that is wrong. Usage and issuer are looked at before any "
    "signature is verified, revocation after the CRL's signature, expiry after the signatures of "
    "the chain; that of the client (CertificateVerify) is not verified of one that is rejected.";

void text_say_reject(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_arm *rejected =
        ekb_record_find_arm(record, EKB_STAGE_COST, EKB_ARM_REJECT_EKU);
    char level[64];
    char comparison[256];
    if (rejected != NULL && rejected->server_cpu_interval_known) {
        report_say(answer, "EKU checking on, a leaf without clientAuth: %s us of server CPU.%s",
                   text_interval(level, &rejected->server_cpu_interval, text_us),
                   write_comparison(comparison, record));
        report_say(answer, "%s", text_why_cheaper);
    }
}

// Several kinds.

const struct text_kind text_kinds[TEXT_NUM_KINDS] = {
    {"accepted", EKB_ARM_ACCEPT, NULL},
    {"accepted, CRL consulted", EKB_ARM_ACCEPT_CRL, NULL},
    {"usage not clientAuth", EKB_ARM_REJECT_EKU, EKB_ARM_ACCEPT},
    {"unknown CA", EKB_ARM_REJECT_CA, EKB_ARM_ACCEPT},
    {"expired", EKB_ARM_REJECT_EXPIRED, EKB_ARM_ACCEPT},
    {"revoked, CRL consulted", EKB_ARM_REJECT_REVOKED, EKB_ARM_ACCEPT_CRL},
    {"no certificate", EKB_ARM_REJECT_NONE, EKB_ARM_ACCEPT},
};

const struct ekb_record_arm *text_find_kind(const struct ekb_record *record,
                                            const struct text_kind *kind)
{
    return ekb_record_find_arm(record, EKB_STAGE_COST, kind->arm);
}

const struct ekb_record_effect *text_find_kind_effect(const struct ekb_record *record,
                                                      const struct text_kind *kind)
{
    char contrast[EKB_RECORD_TEXT_LEN];
    (void)snprintf(contrast, sizeof contrast, "%s - %s", kind->arm, kind->control);
    return text_find_effect(record, EKB_EFFECT_REJECT, EKB_METRIC_SERVER_CPU, contrast);
}

size_t text_num_rejected(const struct ekb_record *record)
{
    size_t num = 0;
    for (size_t i = 0; i < TEXT_NUM_KINDS; i++) {
        num +=
            text_kinds[i].control != NULL && text_find_kind(record, &text_kinds[i]) != NULL ? 1 : 0;
    }
    return num;
}

static bool any_is_known(const struct ekb_record *record)
{
    bool known = false;
    for (size_t i = 0; i < TEXT_NUM_KINDS; i++) {
        const struct ekb_record_arm *arm = text_find_kind(record, &text_kinds[i]);
        known = known || (arm != NULL && arm->server_cpu_interval_known);
    }
    return known;
}

static const char *write_latency(char out_text[32], const struct ekb_record_arm *arm,
                                 struct ekb_record_u64 value)
{
    const bool known = arm->latency_ns.known && value.known;
    (void)snprintf(out_text, 32, known ? "%.0f" : "-", (double)value.value / text_us.divisor);
    return out_text;
}

const char *text_alert_of(const struct ekb_record_arm *arm)
{
    const struct ekb_record_count *most = NULL;
    for (size_t i = 0; i < arm->client.alerts.num_items; i++) {
        const struct ekb_record_count *count = &arm->client.alerts.items[i];
        most = most == NULL || count->count > most->count ? count : most;
    }
    return most != NULL ? most->name : "";
}

static void write_row(FILE *out, const struct ekb_record *record, const struct text_kind *kind,
                      const struct ekb_record_arm *arm)
{
    char level[64] = "-";
    char difference[64] = "";
    char p50[32];
    char p99[32];
    if (arm->server_cpu_interval_known) {
        (void)text_interval(level, &arm->server_cpu_interval, text_us);
    }
    if (kind->control != NULL) {
        (void)text_signed_interval(difference, text_find_kind_effect(record, kind), text_us);
    }
    (void)fprintf(out, "%-24s  %-22s  %-23s  %6s  %6s  %s\n", kind->label, level, difference,
                  write_latency(p50, arm, arm->latency_ns.p50),
                  write_latency(p99, arm, arm->latency_ns.p99), text_alert_of(arm));
}

static void write_table(FILE *out, const struct ekb_record *record)
{
    if (!any_is_known(record)) {
        text_not_measured(out, record, EKB_STAGE_COST);
        return;
    }
    text_wrapped(
        out, "us of server CPU per handshake, and us from the start of the connection until "
             "the client knows. The difference is to a client that is accepted, with the CRL "
             "consulted for both or for neither, taken slice by slice: it is not exactly that of "
             "two levels.");
    (void)fprintf(out, "\n%-24s  %-22s  %-23s  %6s  %6s  %s\n", "client", "server CPU",
                  "difference", "p50", "p99", "alert");
    for (size_t i = 0; i < TEXT_NUM_KINDS; i++) {
        const struct ekb_record_arm *arm = text_find_kind(record, &text_kinds[i]);
        if (arm != NULL) {
            write_row(out, record, &text_kinds[i], arm);
        }
    }
    text_wrapped(out, "%s", text_why_cheaper);
}

void text_write_rejects(FILE *out, const struct ekb_record *record)
{
    struct report_answer said = {.num_sentences = 0};
    if (text_num_rejected(record) > 1) {
        text_rule(out, TITLE);
        write_table(out, record);
        return;
    }
    text_say_reject(&said, record);
    if (said.num_sentences > 0) {
        text_rule(out, TITLE);
        text_write_said(out, &said);
    }
}
