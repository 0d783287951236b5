#include "ekubench/lab/audit.h"

#include <assert.h>
#include <stdio.h>

const char *ekb_audit_pki_name(enum ekb_audit_pki pki)
{
    static const char *const names[] = {[EKB_AUDIT_UNKNOWN] = "unknown",
                                        [EKB_AUDIT_PUBLIC] = "public",
                                        [EKB_AUDIT_PRIVATE] = "private",
                                        [EKB_AUDIT_SELF_SIGNED] = "self-signed"};
    return names[pki];
}

const char *ekb_audit_mtls_name(enum ekb_audit_mtls mtls)
{
    static const char *const names[] = {
        [EKB_MTLS_NO] = "no", [EKB_MTLS_PERHAPS] = "perhaps", [EKB_MTLS_YES] = "yes"};
    return names[mtls];
}

const char *ekb_audit_link_name(enum ekb_audit_link link)
{
    static const char *const names[] = {[EKB_AUDIT_NO_PART] = "-",
                                        [EKB_AUDIT_UNUSED] = "unused",
                                        [EKB_AUDIT_WORKS] = "works",
                                        [EKB_AUDIT_BREAKS] = "breaks"};
    return names[link];
}

const char *ekb_audit_advice_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                  const struct ekb_audit_item *item)
{
    static const char *const texts[] = {
        [EKB_ADVICE_NOT_AFFECTED] = "not affected",
        [EKB_ADVICE_KEEP] = "keep: it is for servers only",
        [EKB_ADVICE_ACT] = "act: another root with both usages (A), renew in time (B)",
        [EKB_ADVICE_FIND_CA] = "find out: is its CA public?",
        [EKB_ADVICE_FIND_ROLE] = "find out: it is public; does a TLS client use it?",
        [EKB_ADVICE_UNUSED] = "nothing now: this release has no client store",
        [EKB_ADVICE_CA] = "nothing: look at what it has issued",
        [EKB_ADVICE_EXPIRED] = "renew: it has expired",
    };
    (void)snprintf(out_text, EKB_AUDIT_TEXT_LEN, "%s%s%s", texts[item->advice],
                   (item->steps & EKB_STEP_PRIVATE) != 0 ? ", a private CA for a core node (C)"
                                                         : "",
                   (item->steps & EKB_STEP_UPGRADE) != 0 ? ", or upgrade (D)" : "");
    return out_text;
}

const char *ekb_audit_gate_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                const struct ekb_audit_gate *gate)
{
    char reason[EKB_AUDIT_TEXT_LEN / 2];
    if (gate->refusal.err == EKB_OK) {
        (void)snprintf(out_text, EKB_AUDIT_TEXT_LEN, "accepted");
        return out_text;
    }
    ekb_fail_text(reason, sizeof reason, &gate->refusal);
    (void)snprintf(out_text, EKB_AUDIT_TEXT_LEN, "refused: %s%s%s", reason,
                   gate->switch_admits ? " An edge node with EnableServerEkuUpload on takes it."
                                       : "",
                   gate->copy_admits ? " As a copy of the server's it goes in." : "");
    return out_text;
}

static const struct {
    int64_t at;
    const char *before;
    const char *after;
} dates[EKB_AUDIT_NUM_DATES] = {
    [EKB_DATE_LETS_ENCRYPT] = {INT64_C(1770768000),
                               "from 2026-02-11 on Let's Encrypt's classic profile gives no "
                               "clientAuth: its successor will lack it",
                               "since 2026-02-11 Let's Encrypt's classic profile gives no "
                               "clientAuth: its successor will lack it"},
    [EKB_DATE_200_DAYS] = {INT64_C(1773532800),
                           "from 2026-03-15 on public certificates live 200 days at most: its "
                           "successor will",
                           "since 2026-03-15 public certificates live 200 days at most: its "
                           "successor will"},
    [EKB_DATE_CLIENT_AUTH] = {INT64_C(1777593600),
                              "from 2026-05 on public CAs give no clientAuth: its successor will "
                              "lack it",
                              "since 2026-05 public CAs give no clientAuth: its successor will "
                              "lack it"},
    [EKB_DATE_CHROME] = {INT64_C(1781481600),
                         "from 2026-06-15 on Chrome distrusts it: it is public and has both usages",
                         "since 2026-06-15 Chrome distrusts it: it is public and has both usages"},
};

int64_t ekb_audit_date_time(enum ekb_audit_date date)
{
    return dates[date].at;
}

const char *ekb_audit_date_text(enum ekb_audit_date date, int64_t at)
{
    assert(date < EKB_AUDIT_NUM_DATES);
    return at < dates[date].at ? dates[date].before : dates[date].after;
}
