#include "cli/probe.h"
#include "cli/cli.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/peer_probe.h"

#include <stdio.h>
#include <string.h>

struct arguments {
    struct ekb_peer_probe_options options;
    const char *target; // As the user wrote it.
    const char *given_name;
    struct ekb_name name;
    int64_t at;
    enum ekb_cli_format format;
};

enum {
    OPTION_NAME = 256,
    OPTION_RELEASE,
    OPTION_DISCOVERY,
    OPTION_TLS,
    OPTION_AT,
    OPTION_JSON,
};

// take_host takes the host of HOST:PORT, without the brackets of an IPv6 address. What is no such
// form has no host.
static void take_host(char out_host[EKB_NAME_LEN], const char *target)
{
    const char *const colon = strrchr(target, ':');
    const char *begin = target;
    size_t len = colon != NULL ? (size_t)(colon - target) : 0;
    if (len > 2 && begin[0] == '[' && begin[len - 1] == ']') {
        begin++;
        len -= 2;
    }
    (void)snprintf(out_host, EKB_NAME_LEN, "%.*s", (int)len, begin);
}

// check sees that all is there, and makes the name what certificates have: without the dot that
// ends a complete one, and without brackets.
static void check(struct arguments *arguments, struct argp_state *state)
{
    char host[EKB_NAME_LEN];
    if (arguments->target == NULL) {
        ekb_cli_refuse(state, "HOST:PORT is wanted");
    }
    if (arguments->options.store == NULL) {
        ekb_cli_refuse(state, "--store DIR, the node's certificates and trusted CAs, is wanted");
    }
    take_host(host, arguments->target);
    const char *const text = arguments->given_name != NULL ? arguments->given_name : host;
    if (ekb_name_parse(&arguments->name, text) != EKB_OK ||
        arguments->name.kind == EKB_NAME_EMAIL || strcmp(text, ".") == 0) {
        ekb_cli_refuse(state,
                       arguments->given_name != NULL
                           ? "--name %s: a DNS name or an IP address is wanted"
                           : "\"%s\": HOST:PORT is wanted ([ADDRESS]:PORT for IPv6)",
                       arguments->given_name != NULL ? text : arguments->target);
    }
    const size_t len = strlen(arguments->name.text);
    if (arguments->name.text[len - 1] == '.') {
        arguments->name.text[len - 1] = '\0';
    }
    arguments->options.name = arguments->name.text;
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
        arguments->given_name = text;
        return 0;
    case OPTION_RELEASE:
        if (ekb_release_parse(&options->release, text) != EKB_OK) {
            ekb_cli_refuse(state, "--release %s: a release such as X15.5 is wanted", text);
        }
        return 0;
    case OPTION_DISCOVERY:
        options->discovery = true;
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
        if (arguments->target != NULL) {
            ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        }
        arguments->target = text;
        return 0;
    case ARGP_KEY_END:
        check(arguments, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"store", 's', "DIR", 0,
     "The node's store: the certificate that it presents (the server's before X15.5, where there "
     "is one store), and the CAs it trusts",
     0},
    {"name", OPTION_NAME, "NAME", 0, "What the server has to be called (default: HOST)", 0},
    {"release", OPTION_RELEASE, "RELEASE", 0, "As a node of that release (default X15.5)", 0},
    {"discovery", OPTION_DISCOVERY, NULL, 0,
     "As at discovery with TLS verify mode on: up to X14.1 it verifies only then", 0},
    {"tls", OPTION_TLS, "VERSION", 0, "any (the default), 1.3 or 1.2", 0},
    {"at", OPTION_AT, "TIME", 0, "Verify as of then (default now)", 0},
    {"timeout", 't', "TIME", 0, "Of each connection (default 5s)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 0},
    {0},
};

static const char doc[] =
    "Connect to a server as a node would, and say what it presents, what the node makes of it, and "
    "what the node would log. Of a server with an RSA and an ECDSA certificate both are shown, and "
    "which one each release gets. Of a name with several addresses, the first that connects is "
    "taken.\v"
    "Beside the node's own connection there are a few that only look, and present no certificate: "
    "a "
    "server that demands one logs these as rejected.\n\n"
    "Exit status: 0 the connection works; 1 it does not, the report says why; 2 wrong usage; 3 the "
    "server cannot be reached, or does not answer in TLS.\n\nExamples:\n"
    "  ekubench probe cucm.example:8443 --store DIR\n"
    "  ekubench probe 192.0.2.7:6972 --store DIR --name cucm.example \\\n"
    "      --release X14.1";

const struct argp ekb_cli_probe_argp = {
    .options = options, .parser = parse, .args_doc = "HOST:PORT", .doc = doc};

// reach finds the addresses of the target's name: EKB_NOT_FOUND is the server's fault, not the
// user's, and ends like any other server that cannot be reached.
static int reach(struct ekb_addresses *out_addresses, const struct arguments *arguments)
{
    struct ekb_fail fail = {.err = EKB_OK};
    const enum ekb_err err = ekb_address_resolve(out_addresses, arguments->target, &fail);
    const int status = err == EKB_OK ? EKB_EXIT_OK : ekb_cli_fail(&fail);
    return err == EKB_NOT_FOUND ? EKB_EXIT_ENVIRONMENT : status;
}

// status_of: a server that answers in TLS has been reached, whatever came of it.
static int status_of(const struct ekb_peer_probe *probe)
{
    if (ekb_peer_probe_works(probe)) {
        return EKB_EXIT_OK;
    }
    const enum ekb_err err = probe->look.err;
    const bool answers = ekb_peer_probe_shows(probe) || err == EKB_OK || err == EKB_TLS_ALERT ||
                         err > EKB_TLS_NOT_TLS;
    return answers ? EKB_EXIT_GATE : EKB_EXIT_ENVIRONMENT;
}

// print prints what was found, and returns the exit status.
static int print(const struct arguments *arguments, const struct ekb_peer_probe *probe)
{
    const struct ekb_cli_probe_report report = {arguments->target, &arguments->options, probe};
    int status = EKB_EXIT_OK;
    if (arguments->format == EKB_CLI_JSON) {
        status = ekb_cli_probe_json(&report);
    } else {
        ekb_cli_probe_text(&report);
    }
    return status == EKB_EXIT_OK ? status_of(probe) : status;
}

int ekb_cli_probe(int argc, char **argv)
{
    struct arguments arguments = {.options = {.release = EKB_RELEASE_X15_5,
                                              .version = EKB_TLS_ANY,
                                              .deadline_ns = 5 * EKB_NS_PER_S}};
    struct ekb_addresses addresses;
    struct ekb_peer_probe probe;
    struct ekb_fail fail = {.err = EKB_OK};
    ekb_cli_parse(&ekb_cli_probe_argp, argc, argv, &arguments);
    int status = reach(&addresses, &arguments);
    if (status != EKB_EXIT_OK) {
        return status;
    }
    arguments.options.addresses = &addresses;
    if (ekb_peer_probe_make(&probe, &arguments.options, &fail) != EKB_OK) {
        status = ekb_cli_fail(&fail);
    } else {
        status = print(&arguments, &probe);
    }
    ekb_peer_probe_deinit(&probe);
    return status;
}
