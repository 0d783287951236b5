#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/probe.h"

#include "ekubench/tls/alert.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[EKB_PROBE_NUM_KINDS] = {"RSA", "ECDSA"};

static const char *const side_names[EKB_STORE_NUM_SIDES] = {
    [EKB_STORE_SERVER] = "server", [EKB_STORE_CLIENT] = "client"};

// address_of returns the address without its port and brackets.
static const char *address_of(char out_text[EKB_ADDRESS_TEXT_LEN],
                              const struct ekb_peer_probe *probe)
{
    (void)ekb_address_format(out_text, &probe->address);
    *strrchr(out_text, ':') = '\0';
    const size_t len = strlen(out_text);
    if (out_text[0] == '[') {
        out_text[len - 1] = '\0';
        return out_text + 1;
    }
    return out_text;
}

// verdict_of returns what the node makes of what its release gets; NULL if it does not look at it.
static const struct ekb_outbound_verdict *verdict_of(const struct ekb_cli_probe_report *report,
                                                     enum ekb_release release)
{
    enum ekb_probe_kind kind;
    return ekb_peer_probe_verifies(report->options, release) &&
                   ekb_peer_probe_kind_of(&kind, report->probe, release)
               ? &report->probe->verdicts[kind]
               : NULL;
}

// end_of returns the connection that was the last word: the node's own, if it came to that.
static const struct ekb_visit *end_of(const struct ekb_peer_probe *probe)
{
    return probe->visited ? &probe->visit : &probe->look;
}

// reason_of says what went wrong with a connection.
static const char *reason_of(const struct ekb_visit *visit)
{
    return visit->err != EKB_OK ? ekb_err_sentence(visit->err)
                                : "the server presents no certificate";
}

// detail_of says more of it: the server's alert, or what the library has against the server.
static const char *detail_of(const struct ekb_visit *visit)
{
    if (visit->err == EKB_TLS_ALERT && visit->alert_received >= 0) {
        return ekb_alert_name(visit->alert_received);
    }
    return visit->err > EKB_TLS_NOT_TLS && visit->err <= EKB_TLS_INTERNAL ? visit->reason : "";
}

static const char *log_of(char out_text[EKB_OUTBOUND_LOG_LEN],
                          const struct ekb_cli_probe_report *report)
{
    char address[EKB_ADDRESS_TEXT_LEN];
    return ekb_outbound_log(out_text, &report->probe->verdict, report->options->name,
                            address_of(address, report->probe));
}

// Text.

static void print_certificates(const struct ekb_peer_probe *probe)
{
    for (int kind = 0; kind < EKB_PROBE_NUM_KINDS; kind++) {
        const struct ekb_chain *chain = probe->chains[kind];
        if (chain == NULL) {
            continue;
        }
        const struct ekb_outbound_verdict *verdict = &probe->verdicts[kind];
        (void)printf("%s certificate: %s\n", kind_names[kind],
                     verdict->err == EKB_OK ? "trusted, and of that name"
                                            : ekb_err_sentence(verdict->err));
        for (size_t i = 0; i < ekb_chain_len(chain); i++) {
            if (i > 0) {
                (void)printf(" sent with it\n");
            }
            ekb_cli_print_description(chain, i);
        }
    }
}

static void print_releases(const struct ekb_cli_probe_report *report)
{
    (void)printf("What each release gets of it\n");
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        enum ekb_probe_kind kind;
        if (!ekb_peer_probe_kind_of(&kind, report->probe, (enum ekb_release)i)) {
            continue;
        }
        const struct ekb_outbound_verdict *verdict = verdict_of(report, (enum ekb_release)i);
        const char *text = "not verified";
        if (verdict != NULL) {
            text = verdict->err == EKB_OK ? "accepted" : ekb_err_sentence(verdict->err);
        }
        (void)printf("  %-15s %-6s %s\n", ekb_release_rules((enum ekb_release)i)->covers,
                     kind_names[kind], text);
    }
}

static void print_client(const struct ekb_peer_probe *probe)
{
    const char *const side = side_names[probe->side];
    switch (probe->client) {
    case EKB_PROBE_CLIENT_NOT_KNOWN:
        (void)printf("  The handshake ends before it could be asked for a certificate\n");
        break;
    case EKB_PROBE_CLIENT_NOT_ASKED:
        (void)printf("  It is not asked for a certificate\n");
        break;
    case EKB_PROBE_CLIENT_TOO_EARLY:
        (void)printf("  The server asks for a certificate; the handshake ends before the node "
                     "presents one\n");
        break;
    case EKB_PROBE_CLIENT_EMPTY:
        (void)printf("  It is asked for a certificate, and has none in its %s store\n", side);
        break;
    case EKB_PROBE_CLIENT_PRESENTED:
        (void)printf("  It is asked for a certificate, and presents its %s certificate, serial "
                     "%s\n",
                     side, probe->leaf.serial);
        break;
    }
}

// print_end prints what came of the node's own connection.
static void print_end(const struct ekb_cli_probe_report *report)
{
    char log[EKB_OUTBOUND_LOG_LEN];
    const struct ekb_visit *visit = &report->probe->visit;
    if (ekb_peer_probe_works(report->probe)) {
        (void)printf("The connection works%s\n",
                     report->probe->client == EKB_PROBE_CLIENT_PRESENTED && !visit->confirmed
                         ? " (the server has not said that it accepts the client's certificate)"
                         : "");
        return;
    }
    const char *const hint = ekb_peer_probe_hint(report->probe);
    const char *const detail = detail_of(visit);
    (void)printf("The connection fails: %s%s%s%s\n%s", reason_of(visit),
                 detail[0] != '\0' ? " (" : "", detail, detail[0] != '\0' ? ")" : "",
                 log_of(log, report));
    if (hint[0] != '\0') {
        (void)printf("What to do: %s\n", hint);
    }
}

// say_nothing_shown says that the server showed no certificate.
static void say_nothing_shown(const struct ekb_cli_probe_report *report)
{
    const struct ekb_visit *look = &report->probe->look;
    const char *const hint = ekb_peer_probe_hint(report->probe);
    const char *const detail = detail_of(look);
    ekb_cli_say("%s: %s%s%s%s%s%s", report->target, reason_of(look), detail[0] != '\0' ? " (" : "",
                detail, detail[0] != '\0' ? ")" : "", hint[0] != '\0' ? "; " : "", hint);
}

void ekb_cli_probe_text(const struct ekb_cli_probe_report *report)
{
    char address[EKB_ADDRESS_TEXT_LEN];
    const struct ekb_peer_probe *probe = report->probe;
    const struct ekb_visit *look = &probe->look;
    if (!ekb_peer_probe_shows(probe)) {
        say_nothing_shown(report);
        return;
    }
    (void)printf("%s", report->target);
    // A name is of somebody: of whom?
    if (strstr(report->target, address_of(address, probe)) == NULL) {
        (void)printf(" (%s)", address_of(address, probe));
    }
    (void)printf(": %s, %s%s%s\n", look->version, look->cipher, look->group[0] != '\0' ? ", " : "",
                 look->group);
    print_certificates(probe);
    print_releases(report);
    (void)printf("As a node of %s%s\n", ekb_release_rules(report->options->release)->name,
                 report->options->discovery ? ", at discovery with TLS verify mode on" : "");
    if (probe->num_trusted == 0) {
        (void)printf("  It trusts no server: the trusted CA list is empty\n");
    }
    print_client(probe);
    print_end(report);
}

// JSON.

static json_t *certificate_json(const struct ekb_peer_probe *probe, int kind)
{
    const struct ekb_outbound_verdict *verdict = &probe->verdicts[kind];
    json_t *chain = json_array();
    for (size_t i = 0; i < ekb_chain_len(probe->chains[kind]); i++) {
        (void)json_array_append_new(chain, ekb_cli_description_json(probe->chains[kind], i));
    }
    return json_pack("{s:s, s:o, s:s, s:s, s:o}", "kind", kind_names[kind], "chain", chain, "code",
                     ekb_err_name(verdict->err), "verdict", ekb_err_sentence(verdict->err), "depth",
                     verdict->depth >= 0 ? json_integer(verdict->depth) : json_null());
}

static json_t *certificates_json(const struct ekb_peer_probe *probe)
{
    json_t *list = json_array();
    for (int kind = 0; kind < EKB_PROBE_NUM_KINDS; kind++) {
        if (probe->chains[kind] != NULL) {
            (void)json_array_append_new(list, certificate_json(probe, kind));
        }
    }
    return list;
}

static json_t *releases_json(const struct ekb_cli_probe_report *report)
{
    json_t *list = json_array();
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        enum ekb_probe_kind kind;
        if (ekb_peer_probe_kind_of(&kind, report->probe, (enum ekb_release)i)) {
            const struct ekb_outbound_verdict *verdict = verdict_of(report, (enum ekb_release)i);
            (void)json_array_append_new(
                list, json_pack("{s:s, s:s, s:s, s:s?}", "release",
                                ekb_release_rules((enum ekb_release)i)->name, "covers",
                                ekb_release_rules((enum ekb_release)i)->covers, "certificate",
                                kind_names[kind], "code",
                                verdict != NULL ? ekb_err_name(verdict->err) : NULL));
        }
    }
    return list;
}

// asked_json is null if it is not known.
static json_t *asked_json(const struct ekb_peer_probe *probe)
{
    return probe->client == EKB_PROBE_CLIENT_NOT_KNOWN
               ? json_null()
               : json_boolean(probe->client != EKB_PROBE_CLIENT_NOT_ASKED);
}

int ekb_cli_probe_json(const struct ekb_cli_probe_report *report)
{
    char log[EKB_OUTBOUND_LOG_LEN];
    char address[EKB_ADDRESS_TEXT_LEN];
    const struct ekb_peer_probe *probe = report->probe;
    const struct ekb_visit *look = &probe->look;
    const struct ekb_visit *end = end_of(probe);
    const bool presented = probe->client == EKB_PROBE_CLIENT_PRESENTED;
    const bool works = ekb_peer_probe_works(probe);
    if (!ekb_peer_probe_shows(probe)) {
        say_nothing_shown(report);
    }
    json_t *found =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:I}", "target", report->target, "address",
                  address_of(address, probe), "name", report->options->name, "release",
                  ekb_release_rules(report->options->release)->name, "discovery",
                  (int)report->options->discovery, "trusted_cas", (json_int_t)probe->num_trusted);
    json_t *server = json_pack("{s:s, s:s, s:s, s:o, s:o}", "version", look->version, "cipher",
                               look->cipher, "group", look->group, "certificates",
                               certificates_json(probe), "releases", releases_json(report));
    json_t *client =
        json_pack("{s:o, s:s?, s:s?, s:b, s:b, s:s, s:s, s:s?, s:s, s:s}", "asked",
                  asked_json(probe), "presented", presented ? probe->leaf.serial : NULL,
                  "presented_from", presented ? side_names[probe->side] : NULL, "works", (int)works,
                  "confirmed", (int)(works && end->confirmed), "code",
                  ekb_err_name(end->err != EKB_OK || works ? end->err : EKB_TLS_NO_CERTIFICATE),
                  "reason", works ? "" : reason_of(end), "alert",
                  end->alert_received >= 0 ? ekb_alert_name(end->alert_received) : NULL, "log",
                  log_of(log, report), "hint", works ? "" : ekb_peer_probe_hint(probe));
    const bool whole = found != NULL && server != NULL && client != NULL &&
                       json_object_update(found, server) == 0 &&
                       json_object_update(found, client) == 0;
    json_decref(server);
    json_decref(client);
    if (!whole) {
        json_decref(found);
        found = NULL;
    }
    return ekb_cli_print_json(found);
}
