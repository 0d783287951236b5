#include "cli/cli.h"

#include "cli/audit_print.h"
#include "cli/password.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/audit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Debian's place for the roots that browsers trust.
#define PUBLIC_ROOTS "/etc/ssl/certs/ca-certificates.crt"
#define MAX_TARGETS 256

struct arguments {
    struct ekb_audit_options options;
    const char *targets[MAX_TARGETS];
    size_t num_targets;
    const char *public_roots;
    const char *trust;
    const char *password_file;
    enum ekb_audit_form form;
    bool has_at;
};

enum {
    OPTION_RELEASE = 256,
    OPTION_MODE,
    OPTION_AT,
    OPTION_ROLE,
    OPTION_NODE,
    OPTION_PASSWORD_FILE,
    OPTION_PUBLIC_ROOTS,
    OPTION_TRUST,
    OPTION_CAS,
    OPTION_JSON,
    OPTION_CSV,
};

static void parse_role(unsigned *out_roles, const char *text, struct argp_state *state)
{
    *out_roles = strcmp(text, "server") == 0   ? (unsigned)EKB_AUDIT_SERVER
                 : strcmp(text, "client") == 0 ? (unsigned)EKB_AUDIT_CLIENT
                 : strcmp(text, "both") == 0   ? (unsigned)EKB_AUDIT_SERVER | EKB_AUDIT_CLIENT
                                               : 0U;
    if (*out_roles == 0) {
        ekb_cli_refuse(state, "--role %s: server, client or both is wanted", text);
    }
}

static void parse_node(unsigned *out_nodes, const char *text, struct argp_state *state)
{
    enum ekb_node_kind kind;
    if (ekb_node_kind_parse(&kind, text) != EKB_OK) {
        ekb_cli_refuse(state, "--node %s: core, edge or far is wanted", text);
    }
    *out_nodes = 1U << kind;
}

static void parse_mode(enum ekb_eku_mode *out_mode, const char *text, struct argp_state *state)
{
    if (ekb_eku_mode_parse(out_mode, text) != EKB_OK || *out_mode == EKB_EKU_NONE) {
        ekb_cli_refuse(state, "--mode %s: on or off is wanted", text);
    }
}

static void set_form(struct arguments *arguments, enum ekb_audit_form form,
                     struct argp_state *state)
{
    if (arguments->form != EKB_AUDIT_TEXT && arguments->form != form) {
        ekb_cli_refuse(state, "one of --json and --csv is enough");
    }
    arguments->form = form;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_RELEASE:
        if (ekb_release_parse(&arguments->options.release, text) != EKB_OK) {
            ekb_cli_refuse(state, "--release %s: a release such as X15.5 is wanted", text);
        }
        return 0;
    case OPTION_MODE:
        parse_mode(&arguments->options.mode, text, state);
        return 0;
    case OPTION_AT:
        ekb_cli_parse_time(&arguments->options.at, text, state);
        arguments->has_at = true;
        return 0;
    case OPTION_ROLE:
        parse_role(&arguments->options.roles, text, state);
        return 0;
    case OPTION_NODE:
        parse_node(&arguments->options.nodes, text, state);
        return 0;
    case OPTION_PASSWORD_FILE:
        arguments->password_file = text;
        return 0;
    case OPTION_PUBLIC_ROOTS:
        arguments->public_roots = text;
        return 0;
    case OPTION_TRUST:
        arguments->trust = text;
        return 0;
    case OPTION_CAS:
        arguments->options.with_cas = true;
        return 0;
    case 't':
        if (ekb_units_parse_duration(&arguments->options.deadline_ns, text) != EKB_OK ||
            arguments->options.deadline_ns < 100 * EKB_NS_PER_MS ||
            arguments->options.deadline_ns > 60 * EKB_NS_PER_S) {
            ekb_cli_refuse(state, "--timeout %s: a duration from 100ms to 60s is wanted", text);
        }
        return 0;
    case OPTION_JSON:
        set_form(arguments, EKB_AUDIT_JSON, state);
        return 0;
    case OPTION_CSV:
        set_form(arguments, EKB_AUDIT_CSV, state);
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->num_targets == MAX_TARGETS) {
            ekb_cli_refuse(state, "at most %d paths and servers (a directory is one)", MAX_TARGETS);
        }
        arguments->targets[arguments->num_targets++] = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->num_targets == 0) {
            ekb_cli_refuse(state, "a file, a directory or HOST:PORT is wanted");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"release", OPTION_RELEASE, "RELEASE", 0, "By the rules of that release (default X15.5)", 0},
    {"mode", OPTION_MODE, "MODE", 0, "With the EKU checking mode on (the default) or off", 0},
    {"at", OPTION_AT, "TIME", 0, "As of then (default now)", 0},
    {"role", OPTION_ROLE, "ROLE", 0,
     "What certificates in files are used as: server, client or both (default: nobody knows; "
     "stores and servers say it themselves)",
     0},
    {"node", OPTION_NODE, "KIND", 0,
     "Whose certificates they are: core or edge (a node's), or far (somebody else's); default: "
     "nobody knows",
     0},
    {"password-file", OPTION_PASSWORD_FILE, "FILE", 0,
     "A file whose first line is the password of the PKCS #12 files", 0},
    {"public-roots", OPTION_PUBLIC_ROOTS, "FILE", 0,
     "The roots of public CAs, PEM (default " PUBLIC_ROOTS ", if it is there)", 0},
    {"trust", OPTION_TRUST, "FILE", 0, "Roots of your own CAs, PEM (of a store: its own list)", 0},
    {"cas", OPTION_CAS, NULL, 0, "List the certificates of CAs, too", 0},
    {"timeout", 't', "TIME", 0, "Of each connection (default 5s)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 0},
    {"csv", OPTION_CSV, NULL, 0, "Print comma-separated values, with a line of names", 0},
    {0},
};

static const char doc[] =
    "List the certificates in files (PEM, DER, PKCS #12), directories, stores and of servers: what "
    "they are used for, on which links they work, by release and mode, what the upload gate says, "
    "and what to do before public CAs leave clientAuth out.\v"
    "A link works if the other end trusts the root: that is not known here, nor are names looked "
    "at. Peers are taken to have the --mode that is given (uc-zone, neighbor), a far end to check "
    "(b2b), ClusterDB to be Enforcing (cluster).\n\n"
    "A release up to X15.4 has one store: the server's certificate is the client's, too. Of a "
    "server it is not known whether it is such a node, unless --node says so.\n\n"
    "What cannot be read is listed, too, and is no error as long as something can.\n\nExit status: "
    "0 no certificate breaks a link on which it is used; 1 one does; 2 wrong usage, or nothing at "
    "all could be read of what was named.\n\nExamples:\n"
    "  ekubench audit /etc/ssl STORE cucm.example:8443\n"
    "  ekubench audit STORE --node edge --release X15.4\n"
    "  ekubench audit certs --role client --mode off --at 2026-06-15 \\\n"
    "      --csv >audit.csv";

const struct argp ekb_cli_audit_argp = {
    .options = options, .parser = parse, .args_doc = "PATH|HOST:PORT...", .doc = doc};

static enum ekb_err audit_target(struct ekb_audit_totals *totals,
                                 const struct ekb_audit_options *audit, const char *target,
                                 struct ekb_fail *reterr_fail)
{
    const bool is_path = access(target, F_OK) == 0 || strchr(target, ':') == NULL;
    return is_path ? ekb_audit_path(totals, audit, target, reterr_fail)
                   : ekb_audit_server(totals, audit, target, reterr_fail);
}

// read_roots reads a list of roots that is named, or, if it is there, the usual one.
static enum ekb_err read_roots(struct ekb_chain **out_roots, const char *path, const char *usual,
                               struct ekb_fail *reterr_fail)
{
    if (path == NULL && (usual == NULL || access(usual, R_OK) != 0)) {
        return EKB_OK;
    }
    return ekb_chain_read_pem(out_roots, path != NULL ? path : usual, reterr_fail);
}

// has_read_nothing is true if there was something to read, and all of it cannot be read.
static bool has_read_nothing(const struct ekb_audit_totals *totals)
{
    return totals->unreadable > 0 && totals->certificates + totals->cas + totals->without == 0;
}

int ekb_cli_audit(int argc, char **argv)
{
    struct arguments arguments = {.options = {.release = EKB_RELEASE_X15_5,
                                              .mode = EKB_EKU_ON,
                                              .deadline_ns = 5 * EKB_NS_PER_S}};
    struct ekb_audit_printer printer = {.options = &arguments.options};
    struct ekb_audit_totals totals = {.files = 0};
    struct ekb_chain *public_roots = NULL;
    struct ekb_chain *private_roots = NULL;
    struct ekb_fail fail = {.err = EKB_OK};
    char password[EKB_PASSWORD_LEN] = "";
    ekb_cli_parse(&ekb_cli_audit_argp, argc, argv, &arguments);
    enum ekb_err err = read_roots(&public_roots, arguments.public_roots, PUBLIC_ROOTS, &fail);
    if (err == EKB_OK) {
        err = read_roots(&private_roots, arguments.trust, NULL, &fail);
    }
    if (err == EKB_OK && arguments.password_file != NULL) {
        err = ekb_password_read(password, "PKCS #12", arguments.password_file, &fail);
    }
    arguments.options.at = arguments.has_at ? arguments.options.at : (int64_t)time(NULL);
    arguments.options.public_roots = public_roots;
    arguments.options.private_roots = private_roots;
    arguments.options.password = arguments.password_file != NULL ? password : NULL;
    arguments.options.stop = ekb_cli_stop_flag();
    arguments.options.tell = ekb_audit_print;
    arguments.options.context = &printer;
    if (err == EKB_OK) {
        printer.form = arguments.form;
        ekb_audit_print_begin(&printer);
        for (size_t i = 0; i < arguments.num_targets && err == EKB_OK; i++) {
            err = audit_target(&totals, &arguments.options, arguments.targets[i], &fail);
        }
        ekb_audit_print_end(&printer, &totals);
    }
    explicit_bzero(password, sizeof password);
    ekb_chain_destroy(private_roots);
    ekb_chain_destroy(public_roots);
    if (err != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    return totals.breaking > 0         ? EKB_EXIT_GATE
           : has_read_nothing(&totals) ? EKB_EXIT_USAGE
                                       : EKB_EXIT_OK;
}
