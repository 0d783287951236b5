#include "ekubench/lab/audit.h"

#include "ekubench/base/units.h"
#include "ekubench/pki/cert.h"
#include "ekubench/store/link.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

const char *ekb_audit_links_text(char out_text[EKB_AUDIT_LINKS_LEN], unsigned links,
                                 const char *separator)
{
    out_text[0] = '\0';
    for (int link = 0; link < EKB_LINK_NUM; link++) {
        const size_t len = strlen(out_text);
        if ((links & 1U << link) != 0) {
            (void)snprintf(out_text + len, EKB_AUDIT_LINKS_LEN - len, "%s%s",
                           len > 0 ? separator : "", ekb_link_row((enum ekb_link)link)->name);
        }
    }
    return out_text;
}

// add appends to a text, as far as there is room.
static void add(char out_text[EKB_AUDIT_TEXT_LEN], const char *format, ...) EKB_PRINTF(2, 3);

static void add(char out_text[EKB_AUDIT_TEXT_LEN], const char *format, ...)
{
    const size_t len = strlen(out_text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out_text + len, EKB_AUDIT_TEXT_LEN - len, format, arguments);
    va_end(arguments);
}

const char *ekb_audit_upgrade_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                   const struct ekb_audit_item *item)
{
    char links[EKB_AUDIT_LINKS_LEN];
    (void)ekb_audit_links_text(links, item->copy_breaks, ", ");
    (void)snprintf(out_text, EKB_AUDIT_TEXT_LEN,
                   "this one is copied into the client store, and then breaks %s",
                   item->copy_breaks != 0 ? links : "nothing");
    return out_text;
}

const char *ekb_audit_reason_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                  const struct ekb_audit_item *item, unsigned fault)
{
    char time[EKB_UNITS_TEXT_LEN];
    char usages[EKB_EKU_TEXT_LEN];
    out_text[0] = '\0';
    switch (fault) {
    case EKB_FAULT_EXPIRED:
        add(out_text, "not valid after %s",
            ekb_units_format_time(time, item->certificate.not_after));
        break;
    case EKB_FAULT_NOT_YET:
        add(out_text, "not valid before %s",
            ekb_units_format_time(time, item->certificate.not_before));
        break;
    case EKB_FAULT_INTERMEDIATE:
        add(out_text, "an intermediate above it is not valid at that time");
        break;
    case EKB_FAULT_SELF_SIGNED:
        add(out_text, "self-signed: nobody can trust it");
        break;
    case EKB_FAULT_KEY_USAGE:
        add(out_text, "its key usage lacks digitalSignature");
        break;
    case EKB_FAULT_CHAIN:
        add(out_text, "%s",
            item->verdict == EKB_UNSUPPORTED ? "no TLS here can use its key"
                                             : ekb_err_sentence(item->verdict));
        break;
    case EKB_FAULT_NO_USAGE:
        add(out_text, "good for neither serverAuth nor clientAuth%s",
            (item->certificate.eku & EKB_EKU_ANY) != 0
                ? " (anyExtendedKeyUsage alone stands for neither)"
                : "");
        break;
    case EKB_FAULT_USAGES:
        add(out_text, "not good for %s", ekb_eku_format(usages, item->missing));
        break;
    case EKB_FAULT_CHROME:
        add(out_text, "public with both usages: Chrome distrusts it since 2026-06-15");
        break;
    case EKB_FAULT_GATE:
        add(out_text, "refused by the gate");
        break;
    default:
        assert(fault == EKB_FAULT_COPY);
        (void)ekb_audit_upgrade_text(out_text, item);
        break;
    }
    return out_text;
}

// add_refused adds what to do of what the gate refuses.
static void add_refused(char out_text[EKB_AUDIT_TEXT_LEN], const struct ekb_audit_item *item)
{
    const struct ekb_audit_gate *server = &item->gates[EKB_STORE_SERVER];
    const bool is_servers = server->asked && server->refusal.err != EKB_OK;
    add(out_text, "%s%sreplace it: the gate of the %s store refuses it",
        item->roles == 0 ? "if a node is to have it, " : "",
        is_servers && server->switch_admits ? "turn EnableServerEkuUpload on (an edge node), or "
                                            : "",
        is_servers ? "server" : "client");
}

// add_remedy adds what to do of the gravest fault.
static void add_remedy(char out_text[EKB_AUDIT_TEXT_LEN], const struct ekb_audit_item *item)
{
    const unsigned gravest = item->faults & (~item->faults + 1);
    char reason[EKB_AUDIT_TEXT_LEN];
    char links[EKB_AUDIT_LINKS_LEN];
    char usages[EKB_EKU_TEXT_LEN];
    (void)ekb_audit_reason_text(reason, item, gravest);
    switch (gravest) {
    case EKB_FAULT_EXPIRED:
        add(out_text, "renew: it has expired");
        break;
    case EKB_FAULT_NOT_YET:
        add(out_text, "wait, or replace it: it is %s", reason);
        break;
    case EKB_FAULT_INTERMEDIATE:
        add(out_text, "replace its chain: %s", reason);
        break;
    case EKB_FAULT_SELF_SIGNED:
        add(out_text, "replace it by one that a CA has issued: nobody can trust it");
        break;
    case EKB_FAULT_NO_USAGE:
        add(out_text, "replace it: it is %s", reason);
        break;
    case EKB_FAULT_USAGES:
        add(out_text, "replace it: it has not the usages that %s ask for (%s)",
            ekb_audit_links_text(links, item->lacking, ", "),
            ekb_eku_format(usages, item->missing));
        break;
    case EKB_FAULT_CHROME:
        add(out_text, "for servers renew it with serverAuth alone%s: Chrome distrusts it",
            (item->steps & EKB_STEP_UPGRADE) != 0 ? ", after an upgrade (D)" : "");
        break;
    case EKB_FAULT_GATE:
        add_refused(out_text, item);
        break;
    case EKB_FAULT_COPY:
        add(out_text, "put another one into the client store: a copy of this one breaks %s",
            ekb_audit_links_text(links, item->copy_breaks, ", "));
        break;
    default:
        add(out_text, "replace it: %s", reason);
        break;
    }
}

// add_steps adds what can be done of a public certificate that a client uses.
static void add_steps(char out_text[EKB_AUDIT_TEXT_LEN], unsigned steps)
{
    const char *const texts[] = {
        "another root with both usages (A)",
        (steps & EKB_STEP_STOP) != 0 ? "stop its automatic renewal (B)" : "renew in time (B)",
        "a private CA for a core node (C)",
        "upgrade (D)",
    };
    const unsigned letters = steps & ((1U << (sizeof texts / sizeof texts[0])) - 1);
    add(out_text, "act: ");
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const bool is_first = (letters & ((1U << i) - 1)) == 0;
        const bool is_last = letters >> i == 1;
        if ((letters & 1U << i) != 0) {
            add(out_text, "%s%s%s", is_first ? "" : ", ", is_last && !is_first ? "or " : "",
                texts[i]);
        }
    }
    if ((steps & EKB_STEP_CLIENT) != 0) {
        add(out_text,
            "%sa certificate with clientAuth in the client store, or the server's copied with "
            "--also-as-client where the other end does not ask for clientAuth",
            letters != 0 ? "; now: " : "");
    } else if (letters == 0) {
        add(out_text, "a client's certificate needs clientAuth");
    }
}

const char *ekb_audit_advice_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                  const struct ekb_audit_item *item)
{
    static const char find_ca[] = "find out: is its CA public? (name your own CA's root with "
                                  "--trust, a public CA's with --public-roots)";
    static const char *const texts[] = {
        [EKB_ADVICE_NOT_AFFECTED] = "not affected",
        [EKB_ADVICE_KEEP] = "keep: it is for servers only",
        [EKB_ADVICE_FIND_CA] = find_ca,
        [EKB_ADVICE_FIND_ROLE] = "find out: it is public; does a TLS client use it?",
        [EKB_ADVICE_UNUSED] = "nothing now: this release has no client store",
        [EKB_ADVICE_CA] = "nothing: look at what it has issued",
    };
    const bool goes_on = (item->advice == EKB_ADVICE_ACT && item->steps != 0) ||
                         item->advice == EKB_ADVICE_FIND_CA || item->advice == EKB_ADVICE_FIND_ROLE;
    out_text[0] = '\0';
    if (item->faults != 0) {
        add_remedy(out_text, item);
        add(out_text, "%s", goes_on ? "; " : "");
    }
    if (item->faults != 0 && !goes_on) {
        return out_text;
    }
    if (item->advice == EKB_ADVICE_ACT) {
        add_steps(out_text, item->steps);
    } else {
        add(out_text, "%s", texts[item->advice]);
    }
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
