// What a measurement of costs says first: what the EKU check costs, what costs something, and what
// rejected clients do.

#include "report/answer.h"
#include "report/text_internal.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// The check.

// per_cent writes what share of `whole_ns` a time is, with its sign: "0.005 %".
static const char *per_cent(char out_text[32], double ns, double whole_ns)
{
    (void)snprintf(out_text, 32, "%.*g %%", fabs(ns) < 0.01 * whole_ns ? 1 : 2,
                   100.0 * ns / whole_ns);
    return out_text;
}

// write_difference writes what a mode costs over another in a whole handshake: "-1.1 us [-2.8,
// 0.6] (-0.4 %)".
static const char *write_difference(char out_text[160], const struct ekb_record_effect *effect,
                                    double whole_ns)
{
    char amount[96];
    char share[32];
    (void)snprintf(out_text, 160, "%s (%s)", report_amount(amount, &effect->estimate),
                   per_cent(share, effect->estimate.estimate, whole_ns));
    return out_text;
}

static bool sees_nothing(const struct ekb_record_effect *effect)
{
    return strncmp(effect->verdict, "no detectable", 13) == 0;
}

// write_verdict writes that of a comparison, with what it would have seen if it saw nothing.
static const char *write_verdict(char out_text[256], const struct ekb_record_effect *effect,
                                 double whole_ns)
{
    const struct ekb_estimate least = {.estimate = effect->mde};
    char share[32];
    char verdict[EKB_RECORD_TEXT_LEN];
    if (sees_nothing(effect)) {
        (void)snprintf(out_text, 256, "no detectable difference; %.3g us (%s) would have been seen",
                       least.estimate / text_us.divisor, per_cent(share, effect->mde, whole_ns));
    } else if (strncmp(effect->verdict, "no verdict", 10) == 0) {
        (void)snprintf(out_text, 256, "%s", effect->verdict);
    } else {
        (void)snprintf(out_text, 256, "%s", text_short_verdict(verdict, effect));
    }
    return out_text;
}

// say_whole compares whole handshakes with the check to those without any, and with it off.
static void say_whole(struct report_answer *answer, const struct ekb_record_effect *none,
                      const struct ekb_record_effect *off, double whole_ns)
{
    char differences[2][160];
    char verdicts[2][256];
    (void)write_difference(differences[0], none, whole_ns);
    (void)write_verdict(verdicts[0], none, whole_ns);
    if (off == NULL) {
        report_say(answer,
                   "A whole handshake with the check differs from one without any by %s of server "
                   "CPU: %s.",
                   differences[0], verdicts[0]);
        return;
    }
    (void)write_difference(differences[1], off, whole_ns);
    (void)write_verdict(verdicts[1], off, whole_ns);
    if (sees_nothing(none) && sees_nothing(off)) {
        report_say(answer,
                   "A whole handshake with the check differs from one without any by %s of server "
                   "CPU, and from one with it off (for serverAuth) by %s: %s.",
                   differences[0], differences[1],
                   off->mde > none->mde ? verdicts[1] : verdicts[0]);
    } else {
        report_say(answer,
                   "A whole handshake with the check differs from one without any by %s of server "
                   "CPU: %s; and from one with it off (for serverAuth) by %s: %s.",
                   differences[0], verdicts[0], differences[1], verdicts[1]);
    }
}

static void say_eku(struct report_answer *answer, const struct ekb_record *record,
                    const struct ekb_record_arm *mutual)
{
    const struct ekb_record_effect *check = text_find_effect(
        record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_TIMER);
    const struct ekb_record_effect *first = text_find_effect(
        record, EKB_EFFECT_COMPONENT, EKB_METRIC_PURPOSE, EKB_CONTRAST_PURPOSE_FIRST);
    const struct ekb_record_effect *none = text_find_eku_effect(record, "on-d1 - none-d1");
    const double whole_ns = mutual->server_cpu_interval.estimate;
    char amount[96];
    char cold[96];
    char share[32];
    if (check == NULL || first == NULL || none == NULL || !(whole_ns > 0)) {
        return;
    }
    report_say(answer,
               "Checking the client's EKU costs the server %s per certificate with warm caches, "
               "%s of a verified handshake, and %s when the certificate was not looked at before.",
               report_amount(amount, &check->estimate),
               per_cent(share, check->estimate.estimate, whole_ns),
               report_amount(cold, &first->estimate));
    say_whole(answer, none, text_find_eku_effect(record, "on-d1 - off-d1"), whole_ns);
}

// What costs something.

// write_dearest writes the dearest of what can be asked beyond a verified client, if any costs.
static const char *write_dearest(char out_text[160], const struct ekb_record *record)
{
    static const char *const rows[][2] = {{"name-d1 - on-d1", "checking its name"},
                                          {"crl-d1 - name-d1", "consulting a CRL"}};
    double most = 0;
    char amount[96];
    out_text[0] = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct ekb_record_effect *effect =
            text_find_effect(record, EKB_EFFECT_LADDER, EKB_METRIC_SERVER_CPU, rows[i][0]);
        if (effect != NULL && effect->estimate.low > 0 && effect->estimate.estimate > most) {
            most = effect->estimate.estimate;
            (void)snprintf(out_text, 160, ", %s %s", rows[i][1],
                           report_amount(amount, &effect->estimate));
        }
    }
    return out_text;
}

void report_answer_costs(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_effect *slope =
        text_find_effect(record, EKB_EFFECT_DEPTH, EKB_METRIC_SERVER_CPU, EKB_CONTRAST_DEPTH_ON);
    const struct ekb_record_effect *reject =
        text_find_effect(record, EKB_EFFECT_REJECT, EKB_METRIC_SERVER_CPU, NULL);
    const struct ekb_record_arm *one_way = ekb_record_find_arm(record, EKB_STAGE_COST, "one-way");
    const struct ekb_record_arm *mutual = ekb_record_find_arm(record, EKB_STAGE_COST, "on-d1");
    char amounts[3][96];
    char dearest[160];
    char saved[128];
    if (text_find_stage(record, EKB_STAGE_COST) == NULL || mutual == NULL ||
        !mutual->server_cpu_interval_known) {
        return;
    }
    say_eku(answer, record, mutual);
    if (one_way != NULL && one_way->server_cpu_interval_known && slope != NULL && reject != NULL) {
        report_say(answer,
                   "What costs is the certificate itself: one-way TLS takes %s of server CPU (the "
                   "kernel's share is not in it), a verified client %s, each further certificate "
                   "in its chain %s%s; and a client rejected for its EKU takes %s than an accepted "
                   "one.",
                   report_amount(amounts[0], &one_way->server_cpu_interval),
                   report_amount(amounts[1], &mutual->server_cpu_interval),
                   report_amount(amounts[2], &slope->estimate), write_dearest(dearest, record),
                   report_change(saved, &reject->estimate));
    }
}

// Rejected clients of several kinds.

void report_answer_rejects(struct report_answer *answer, const struct ekb_record *record)
{
    const struct text_kind *least = NULL;
    const struct text_kind *most = NULL;
    double low = 0;
    double high = 0;
    char amounts[4][96];
    char crl[128] = "";
    for (size_t i = 0; i < TEXT_NUM_KINDS; i++) {
        const struct ekb_record_arm *arm = text_find_kind(record, &text_kinds[i]);
        if (text_kinds[i].control == NULL || arm == NULL || !arm->server_cpu_interval_known) {
            continue;
        }
        const double cost = arm->server_cpu_interval.estimate;
        least = least == NULL || cost < low ? &text_kinds[i] : least;
        low = least == &text_kinds[i] ? cost : low;
        most = most == NULL || cost > high ? &text_kinds[i] : most;
        high = most == &text_kinds[i] ? cost : high;
    }
    const struct ekb_record_arm *accepted =
        ekb_record_find_arm(record, EKB_STAGE_COST, EKB_ARM_ACCEPT);
    const struct ekb_record_arm *with_crl =
        ekb_record_find_arm(record, EKB_STAGE_COST, EKB_ARM_ACCEPT_CRL);
    if (least == most || accepted == NULL || !accepted->server_cpu_interval_known) {
        return; // One kind is a part of what costs are.
    }
    if (with_crl != NULL && with_crl->server_cpu_interval_known) {
        (void)snprintf(crl, sizeof crl, ", and %s with the CRL consulted",
                       report_amount(amounts[3], &with_crl->server_cpu_interval));
    }
    report_say(answer,
               "A rejected client costs the server between %s (%s) and %s (%s) of CPU; an accepted "
               "one %s%s.",
               report_amount(amounts[0], &text_find_kind(record, least)->server_cpu_interval),
               least->label,
               report_amount(amounts[1], &text_find_kind(record, most)->server_cpu_interval),
               most->label, report_amount(amounts[2], &accepted->server_cpu_interval), crl);
}
