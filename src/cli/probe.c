#include "cli/cli.h"

#include "cli/describe.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/peer_probe.h"
#include "ekubench/tls/alert.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    struct ekb_peer_probe_options options;
    const char *target; // As the user wrote it.
    char host[EKB_NAME_LEN];
    int64_t at;
    enum ekb_cli_format format;
};

enum {
    OPTION_NAME = 256,
    OPTION_RELEASE,
    OPTION_TLS,
    OPTION_AT,
    OPTION_JSON,
};

static void set_target(struct arguments *arguments, const char *text, struct argp_state *state)
{
    struct ekb_fail fail;
    char message[512];
    const char *begin = text;
    size_t len = 0;
    if (arguments->target != NULL) {
        ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
    }
    if (ekb_address_parse(&arguments->options.target, text, &fail) != EKB_OK) {
        ekb_fail_text(message, sizeof message, &fail);
        ekb_cli_refuse(state, "%s", message);
    }
    len = (size_t)(strrchr(text, ':') - text);
    if (begin[0] == '[') {
        begin++;
        len -= 2;
    }
    (void)snprintf(arguments->host, sizeof arguments->host, "%.*s", (int)len, begin);
    arguments->target = text;
}

static void check(struct arguments *arguments, struct argp_state *state)
{
    struct ekb_name name;
    if (arguments->target == NULL) {
        ekb_cli_refuse(state, "HOST:PORT is wanted");
    }
    if (arguments->options.store == NULL) {
        ekb_cli_refuse(state, "--store DIR, the node's certificates and trusted CAs, is wanted");
    }
    if (arguments->options.name == NULL) {
        arguments->options.name = arguments->host;
    }
    if (ekb_name_parse(&name, arguments->options.name) != EKB_OK || name.kind == EKB_NAME_EMAIL) {
        ekb_cli_refuse(state, "--name %s: a DNS name or an IP address is wanted",
                       arguments->options.name);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ekb_peer_probe_options *options = &arguments->options;
    switch (key) {
    case 's':
        options->store = text;
        return 0;
    case 't':
        if (ekb_units_parse_duration(&options->deadline_ns, text) != EKB_OK ||
            options->deadline_ns < 100 * EKB_NS_PER_MS ||
            options->deadline_ns > 60 * EKB_NS_PER_S) {
            ekb_cli_refuse(state, "--timeout %s: a duration from 100ms to 60s is wanted", text);
        }
        return 0;
    case OPTION_NAME:
        options->name = text;
        return 0;
    case OPTION_RELEASE:
        if (ekb_release_parse(&options->release, text) != EKB_OK) {
            ekb_cli_refuse(state, "--release %s: a release such as X15.5 is wanted", text);
        }
        return 0;
    case OPTION_TLS:
        if (ekb_tls_version_parse(&options->version, text) != EKB_OK) {
            ekb_cli_refuse(state, "--tls %s: 1.2, 1.3 or any is wanted", text);
        }
        return 0;
    case OPTION_AT:
        ekb_cli_parse_time(&arguments->at, text, state);
        options->at = &arguments->at;
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        set_target(arguments, text, state);
        return 0;
    case ARGP_KEY_END:
        check(arguments, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"store", 's', "DIR", 0, "The node's store: its client certificate, and the CAs it trusts", 0},
    {"name", OPTION_NAME, "NAME", 0, "What the server has to be called (default: HOST)", 0},
    {"release", OPTION_RELEASE, "RELEASE", 0, "As a node of that release (default X15.5)", 0},
    {"tls", OPTION_TLS, "VERSION", 0, "any (the default), 1.3 or 1.2", 0},
    {"at", OPTION_AT, "TIME", 0, "Verify as of then (default now)", 0},
    {"timeout", 't', "TIME", 0, "Of each connection (default 5s)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 0},
    {0},
};

static const char doc[] =
    "Connect to a server as a node would, and say what it presents, what the node makes of it, and "
    "what the node would log. Of a server with an RSA and an ECDSA certificate both are shown, and "
    "which one each release gets.\v"
    "Exit status: 0 the connection works; 1 it does not, the report says why; 2 wrong usage; 3 the "
    "server cannot be reached.\n\nExamples:\n"
    "  ekubench probe cucm.example:8443 --store DIR\n"
    "  ekubench probe 192.0.2.7:6972 --store DIR --name cucm.example --release X14.1";

const struct argp ekb_cli_probe_argp = {
    .options = options, .parser = parse, .args_doc = "HOST:PORT", .doc = doc};

static const char *const kind_names[EKB_PROBE_NUM_KINDS] = {"RSA", "ECDSA"};

// address_of returns the address without its port and brackets.
static const char *address_of(char out_text[EKB_ADDRESS_TEXT_LEN],
                              const struct ekb_address *address)
{
    (void)ekb_address_format(out_text, address);
    *strrchr(out_text, ':') = '\0';
    const size_t len = strlen(out_text);
    if (out_text[0] == '[') {
        out_text[len - 1] = '\0';
        return out_text + 1;
    }
    return out_text;
}

// works is true if the node's own connection came about.
static bool works(const struct ekb_peer_probe *probe)
{
    return probe->visited && probe->visit.err == EKB_OK;
}

// verdict_of returns what the node makes of what its release gets; NULL if it does not look at it.
static const struct ekb_outbound_verdict *verdict_of(const struct ekb_peer_probe *probe,
                                                     enum ekb_release release)
{
    enum ekb_probe_kind kind;
    return ekb_release_rules(release)->outbound == EKB_OUTBOUND_ALWAYS &&
                   ekb_peer_probe_kind_of(&kind, probe, release)
               ? &probe->verdicts[kind]
               : NULL;
}

static const char *verdict_text(const struct ekb_outbound_verdict *verdict)
{
    return verdict == NULL ? "not verified" : ekb_err_sentence(verdict->err);
}

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

static void print_releases(const struct ekb_peer_probe *probe)
{
    (void)printf("What each release gets of it\n");
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        enum ekb_probe_kind kind;
        const struct ekb_release_rules *rules = ekb_release_rules((enum ekb_release)i);
        if (ekb_peer_probe_kind_of(&kind, probe, (enum ekb_release)i)) {
            const struct ekb_outbound_verdict *verdict = verdict_of(probe, (enum ekb_release)i);
            (void)printf("  %-15s %-6s %s\n", rules->covers, kind_names[kind],
                         verdict != NULL && verdict->err == EKB_OK ? "accepted"
                                                                   : verdict_text(verdict));
        }
    }
}

// print_end prints what came of the node's own connection.
static void print_end(const struct arguments *arguments, const struct ekb_peer_probe *probe)
{
    char log[EKB_OUTBOUND_LOG_LEN];
    char address[EKB_ADDRESS_TEXT_LEN];
    const struct ekb_visit *visit = &probe->visit;
    const struct ekb_outbound_verdict *verdict = verdict_of(probe, arguments->options.release);
    if (works(probe)) {
        (void)printf("The connection works%s\n",
                     visit->was_asked && !visit->confirmed
                         ? " (the server has not said that it accepts the client's certificate)"
                         : "");
        return;
    }
    (void)printf("The connection fails: %s", ekb_err_sentence(visit->err));
    if (visit->alert_received >= 0) {
        (void)printf(" (%s)", ekb_alert_name(visit->alert_received));
    }
    (void)printf("\n");
    if (verdict != NULL && verdict->err != EKB_OK) {
        (void)printf("%s", ekb_outbound_log(log, verdict, arguments->options.name,
                                            address_of(address, &arguments->options.target)));
        (void)printf("What to do: %s\n", ekb_outbound_hint(verdict));
    }
}

static void print_text(const struct arguments *arguments, const struct ekb_peer_probe *probe)
{
    const struct ekb_visit *look = &probe->look;
    (void)printf("%s: %s, %s%s%s\n", arguments->target, look->version, look->cipher,
                 look->group[0] != '\0' ? ", " : "", look->group);
    print_certificates(probe);
    print_releases(probe);
    (void)printf("As a node of %s\n", ekb_release_rules(arguments->options.release)->covers);
    if (!probe->visit.was_asked && !look->was_asked) {
        (void)printf("  It is not asked for a certificate\n");
    } else if (probe->presents) {
        (void)printf("  It is asked for a certificate, and presents its client certificate, serial "
                     "%s\n",
                     probe->serial);
    } else {
        (void)printf("  It is asked for a certificate, and has none in its client store\n");
    }
    print_end(arguments, probe);
}

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

static json_t *releases_json(const struct ekb_peer_probe *probe)
{
    json_t *list = json_array();
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        enum ekb_probe_kind kind;
        if (ekb_peer_probe_kind_of(&kind, probe, (enum ekb_release)i)) {
            const struct ekb_outbound_verdict *verdict = verdict_of(probe, (enum ekb_release)i);
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

static int print_json(const struct arguments *arguments, const struct ekb_peer_probe *probe)
{
    char log[EKB_OUTBOUND_LOG_LEN] = "";
    char address[EKB_ADDRESS_TEXT_LEN];
    const struct ekb_visit *visit = &probe->visit;
    const struct ekb_outbound_verdict *verdict = verdict_of(probe, arguments->options.release);
    json_t *certificates = json_array();
    for (int kind = 0; kind < EKB_PROBE_NUM_KINDS; kind++) {
        if (probe->chains[kind] != NULL) {
            (void)json_array_append_new(certificates, certificate_json(probe, kind));
        }
    }
    if (!works(probe) && verdict != NULL) {
        (void)ekb_outbound_log(log, verdict, arguments->options.name,
                               address_of(address, &arguments->options.target));
    }
    return ekb_cli_print_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:s?, s:b, s:s, s:s?, s:s, s:s}", "target",
        arguments->target, "name", arguments->options.name, "release",
        ekb_release_rules(arguments->options.release)->name, "version", probe->look.version,
        "cipher", probe->look.cipher, "group", probe->look.group, "certificates", certificates,
        "releases", releases_json(probe), "asked", (int)(visit->was_asked || probe->look.was_asked),
        "presented", probe->presents ? probe->serial : NULL, "works", (int)works(probe), "code",
        ekb_err_name(visit->err), "alert",
        visit->alert_received >= 0 ? ekb_alert_name(visit->alert_received) : NULL, "log", log,
        "hint", !works(probe) && verdict != NULL ? ekb_outbound_hint(verdict) : ""));
}

// say_unreachable says that the server showed no certificate.
static int say_unreachable(const struct arguments *arguments, const struct ekb_visit *look)
{
    if (look->err == EKB_TLS_ALERT && look->alert_received >= 0) {
        ekb_cli_say("%s: %s (%s)", arguments->target, ekb_err_sentence(look->err),
                    ekb_alert_name(look->alert_received));
    } else {
        ekb_cli_say("%s: %s", arguments->target,
                    look->err != EKB_OK ? ekb_err_sentence(look->err)
                                        : "the server presents no certificate");
    }
    return EKB_EXIT_ENVIRONMENT;
}

int ekb_cli_probe(int argc, char **argv)
{
    struct arguments arguments = {.options = {.release = EKB_RELEASE_X15_5,
                                              .version = EKB_TLS_ANY,
                                              .deadline_ns = 5 * EKB_NS_PER_S}};
    struct ekb_peer_probe probe;
    struct ekb_fail fail = {.err = EKB_OK};
    int status = EKB_EXIT_OK;
    ekb_cli_parse(&ekb_cli_probe_argp, argc, argv, &arguments);
    if (ekb_peer_probe_make(&probe, &arguments.options, &fail) != EKB_OK) {
        status = ekb_cli_fail(&fail);
    } else if (!probe.has_kind) {
        status = say_unreachable(&arguments, &probe.look);
    } else if (arguments.format == EKB_CLI_JSON) {
        status = print_json(&arguments, &probe);
    } else {
        print_text(&arguments, &probe);
    }
    if (status == EKB_EXIT_OK && !works(&probe)) {
        status = EKB_EXIT_GATE;
    }
    ekb_peer_probe_deinit(&probe);
    return status;
}
