// The links of a deployment: what each costs, and what the EKU check costs on it.

#include "report/text_internal.h"

#include <string.h>

bool text_is_twin(const struct ekb_record_arm *arm)
{
    const char *ending = strstr(arm->name, "-again");
    return ending != NULL && strcmp(ending, "-again") == 0;
}

bool text_is_link(const struct ekb_record_arm *arm)
{
    return strcmp(arm->stage, EKB_STAGE_COST) == 0 && !text_is_twin(arm);
}

static const char *write_level(char out_text[64], bool known, const struct ekb_estimate *level)
{
    (void)snprintf(out_text, 64, "-");
    return known ? text_interval(out_text, level, text_us) : out_text;
}

static const char *write_latency(char out_text[32], const struct ekb_record_arm *arm,
                                 struct ekb_record_u64 value)
{
    const bool known = arm->latency_ns.known && value.known;
    (void)snprintf(out_text, 32, known ? "%.0f" : "-", (double)value.value / text_us.divisor);
    return out_text;
}

const char *text_outcome_of(const struct ekb_record_arm *arm)
{
    return strcmp(arm->expect, "accept") == 0   ? "accepted"
           : strcmp(arm->expect, "reject") == 0 ? "rejected"
                                                : "refuses";
}

static void write_link(FILE *out, const struct ekb_record_arm *arm)
{
    char server[64];
    char client[64];
    char p50[32];
    char p99[32];
    (void)fprintf(out, "%-26s  %-8s  %-21s  %-21s  %6s  %6s\n", arm->name, text_outcome_of(arm),
                  write_level(server, arm->server_cpu_interval_known, &arm->server_cpu_interval),
                  write_level(client, arm->client_cpu_interval_known, &arm->client_cpu_interval),
                  write_latency(p50, arm, arm->latency_ns.p50),
                  write_latency(p99, arm, arm->latency_ns.p99));
}

static void write_contrast(FILE *out, const struct ekb_record_effect *effect)
{
    char interval[64];
    char least[32];
    char verdict[EKB_RECORD_TEXT_LEN];
    (void)fprintf(out, "%-40s  %-21s  %6s  %s\n", effect->contrast,
                  text_signed_interval(interval, effect, text_us),
                  text_least(least, effect, text_us), text_short_verdict(verdict, effect));
}

// write_contrasts writes those that answer `question`, in server CPU.
static void write_contrasts(FILE *out, const struct ekb_record *record, const char *question)
{
    if (text_find_effect(record, question, EKB_METRIC_SERVER_CPU, NULL) == NULL) {
        return;
    }
    text_rule(out, question);
    (void)fprintf(out, "%-40s  %-21s  %6s  %s\n", "us of server CPU", "[95 % interval]", "least",
                  "verdict");
    (void)fprintf(out, "%-40s  %-21s  %6s\n", "", "", "seen");
    for (size_t i = 0; i < record->num_effects; i++) {
        const struct ekb_record_effect *effect = &record->effects[i];
        if (strcmp(effect->question, question) == 0 &&
            strcmp(effect->metric, EKB_METRIC_SERVER_CPU) == 0) {
            write_contrast(out, effect);
        }
    }
}

void text_write_links(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_stage *stage = text_find_stage(record, EKB_STAGE_COST);
    if (record->plan.scenario[0] == '\0' || stage == NULL) {
        return;
    }
    text_rule(out, "What does a handshake cost on each link?");
    text_wrapped(out,
                 "The links of %s, release %s, and the EKU checking mode where the responder goes "
                 "by it (none: no usage is asked for). us of CPU per handshake, responder and "
                 "initiator, and us until the initiator knows, %llu in flight.",
                 record->plan.scenario, record->plan.release, (unsigned long long)stage->in_flight);
    (void)fprintf(out, "\n%-26s  %-8s  %-21s  %-21s  %6s  %6s\n", "link", "client",
                  "responder's CPU", "initiator's CPU", "p50", "p99");
    for (size_t i = 0; i < record->num_arms; i++) {
        if (text_is_link(&record->arms[i])) {
            write_link(out, &record->arms[i]);
        }
    }
    write_contrasts(out, record, EKB_EFFECT_LINK);
    write_contrasts(out, record, EKB_EFFECT_REJECT_LINK);
}
