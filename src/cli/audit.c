#include "cli/cli.h"

#include "cli/password.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/audit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Debian's place for the roots that browsers trust.
#define PUBLIC_ROOTS "/etc/ssl/certs/ca-certificates.crt"
#define MAX_TARGETS 256

enum form {
    FORM_TEXT,
    FORM_JSON,
    FORM_CSV,
};

struct arguments {
    struct ekb_audit_options options;
    const char *targets[MAX_TARGETS];
    size_t num_targets;
    const char *public_roots;
    const char *trust;
    const char *password_file;
    enum form form;
    bool has_at;
};

enum {
    OPTION_RELEASE = 256,
    OPTION_MODE,
    OPTION_AT,
    OPTION_ROLE,
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

static void parse_mode(enum ekb_eku_mode *out_mode, const char *text, struct argp_state *state)
{
    if (ekb_eku_mode_parse(out_mode, text) != EKB_OK || *out_mode == EKB_EKU_NONE) {
        ekb_cli_refuse(state, "--mode %s: on or off is wanted", text);
    }
}

static void set_form(struct arguments *arguments, enum form form, struct argp_state *state)
{
    if (arguments->form != FORM_TEXT && arguments->form != form) {
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
        set_form(arguments, FORM_JSON, state);
        return 0;
    case OPTION_CSV:
        set_form(arguments, FORM_CSV, state);
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
     "stores "
     "and servers say it themselves)",
     0},
    {"password-file", OPTION_PASSWORD_FILE, "FILE", 0,
     "Its first line is the password of the PKCS #12 files", 0},
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
    "they "
    "are used for, on which links they work, and what to do before public CAs leave clientAuth "
    "out.\v"
    "What cannot be read is listed, too, and is no error.\n\nExit status: 0 no certificate breaks "
    "a "
    "link on which it is used; 1 one does; 2 wrong usage.\n\nExamples:\n"
    "  ekubench audit /etc/ssl STORE cucm.example:8443\n"
    "  ekubench audit certs --role client --mode off --at 2026-06-15 --csv >audit.csv";

const struct argp ekb_cli_audit_argp = {
    .options = options, .parser = parse, .args_doc = "PATH|HOST:PORT...", .doc = doc};

// What is printed, as it is found.
struct printer {
    const struct arguments *arguments;
    uint64_t num; // So far.
};

static const char *roles_name(unsigned roles)
{
    return roles == (EKB_AUDIT_SERVER | EKB_AUDIT_CLIENT) ? "both"
           : roles == EKB_AUDIT_SERVER                    ? "server"
           : roles == EKB_AUDIT_CLIENT                    ? "client"
                                                          : "?";
}

static const char *place_name(enum ekb_audit_place place)
{
    return place == EKB_AUDIT_STORE ? "store" : place == EKB_AUDIT_LIVE ? "server" : "file";
}

// mtls_text says whether it takes part in mutual TLS as a client.
static const char *mtls_text(const struct ekb_audit_item *item)
{
    return (item->roles & EKB_AUDIT_CLIENT) != 0 ? "yes"
           : item->roles != 0                    ? "no"
           : item->may_be_client                 ? "perhaps"
                                                 : "no";
}

// links_text joins the names of the links of which that is found, under the release and mode of the
// audit.
#define LINKS_TEXT_LEN 128
static const char *links_text(char out_text[LINKS_TEXT_LEN], const struct ekb_audit_item *item,
                              const struct ekb_audit_options *audit, enum ekb_audit_link found,
                              const char *separator)
{
    const int mode = audit->mode == EKB_EKU_OFF ? 1 : 0;
    out_text[0] = '\0';
    for (int link = 0; link < EKB_LINK_NUM; link++) {
        const size_t len = strlen(out_text);
        if (item->links[audit->release][mode][link] == found) {
            (void)snprintf(out_text + len, LINKS_TEXT_LEN - len, "%s%s", len > 0 ? separator : "",
                           ekb_link_row((enum ekb_link)link)->name);
        }
    }
    return out_text;
}

// Text.

static void print_head(const struct printer *printer)
{
    const struct ekb_audit_options *audit = &printer->arguments->options;
    (void)printf("By the rules of %s, EKU mode %s\n", ekb_release_rules(audit->release)->covers,
                 ekb_release_rules(audit->release)->has_mode_switch ? ekb_eku_mode_name(audit->mode)
                                                                    : "on (no switch)");
    (void)printf("%6s  %-6s  %-22s  %-11s  %s\n", "days", "role", "usages", "CA", "subject, where");
}

static void print_text(const struct printer *printer, const struct ekb_audit_item *item)
{
    char usages[EKB_EKU_TEXT_LEN];
    char links[LINKS_TEXT_LEN];
    const struct ekb_audit_options *audit = &printer->arguments->options;
    (void)printf("%6lld  %-6s  %-22s  %-11s  %s\n        %s\n", (long long)item->days_left,
                 roles_name(item->roles), ekb_eku_format(usages, item->certificate.eku),
                 ekb_audit_pki_name(item->pki), item->certificate.subject, item->source);
    if (links_text(links, item, audit, EKB_AUDIT_WORKS, ", ")[0] != '\0') {
        (void)printf("        works: %s\n", links);
    }
    if (links_text(links, item, audit, EKB_AUDIT_BREAKS, ", ")[0] != '\0') {
        (void)printf("        %s: %s\n", item->breaks ? "BREAKS" : "would break", links);
    }
    (void)printf("        %s\n", ekb_audit_advice_text(item->advice));
}

static void print_totals(const struct ekb_audit_totals *totals)
{
    (void)printf("%llu certificates; %llu break a link on which they are used; %llu to act on\n",
                 (unsigned long long)totals->certificates, (unsigned long long)totals->breaking,
                 (unsigned long long)totals->to_act);
    (void)printf("%llu files looked at: %llu without a certificate, %llu that cannot be read; %llu "
                 "certificates of CAs not listed\n",
                 (unsigned long long)totals->files, (unsigned long long)totals->without,
                 (unsigned long long)totals->unreadable, (unsigned long long)totals->cas);
    if (totals->to_act > 0) {
        (void)printf(
            "What can be done, of a public certificate that a TLS client uses:\n"
            "  A  have it issued under another root, which still gives both usages\n"
            "  B  renew it before the deadline, and stop its automatic renewal\n"
            "  C  take one of a private CA (for C; not for E, whose far ends do not know that CA)\n"
            "  D  upgrade: X15.4 takes server certificates without clientAuth, X15.5 has two "
            "stores\n"
            "2026-02-11 Let's Encrypt's classic profile drops clientAuth; 2026-03-15 public "
            "certificates\n"
            "live 200 days at most; 2026-05 public CAs stop giving clientAuth; 2026-06-15 Chrome\n"
            "distrusts public certificates with both usages. Switching the check off leaves those "
            "of the\n"
            "chain and of names in force.\n");
    }
}

// JSON.

static json_t *links_json(const struct ekb_audit_item *item)
{
    static const char *const words[] = {"-", "works", "breaks"};
    json_t *releases = json_object();
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        const struct ekb_release_rules *rules = ekb_release_rules((enum ekb_release)release);
        json_t *modes = json_object();
        for (int mode = 0; mode < (rules->has_mode_switch ? 2 : 1); mode++) {
            json_t *links = json_object();
            for (int link = 0; link < EKB_LINK_NUM; link++) {
                (void)json_object_set_new(links, ekb_link_row((enum ekb_link)link)->name,
                                          json_string(words[item->links[release][mode][link]]));
            }
            (void)json_object_set_new(modes, mode == 0 ? "on" : "off", links);
        }
        (void)json_object_set_new(releases, rules->name, modes);
    }
    return releases;
}

static json_t *item_json(const struct ekb_audit_item *item)
{
    char usages[EKB_EKU_TEXT_LEN];
    char until[EKB_UNITS_TEXT_LEN];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:s, s:o}",
                     "source", item->source, "place", place_name(item->place), "role",
                     roles_name(item->roles), "subject", item->certificate.subject, "issuer",
                     item->certificate.issuer, "root", item->root[0] != '\0' ? item->root : NULL,
                     "serial", item->certificate.serial, "usages",
                     ekb_eku_format(usages, item->certificate.eku), "not_after",
                     ekb_units_format_time(until, item->certificate.not_after), "days_left",
                     (json_int_t)item->days_left, "ca", ekb_audit_pki_name(item->pki), "mtls",
                     mtls_text(item), "breaks", (int)item->breaks, "advice",
                     ekb_audit_advice_text(item->advice), "links", links_json(item));
}

// print_object prints one element of the list, which is made as it goes.
static void print_object(struct printer *printer, json_t *object)
{
    (void)fputs(printer->num > 0 ? ",\n" : "\n", stdout);
    if (object != NULL) {
        (void)json_dumpf(object, stdout, JSON_COMPACT);
    }
    json_decref(object);
}

// CSV (RFC 4180).

static void print_field(const char *text, const char *end)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        (void)fputs(*text == '"' ? "\"\"" : (const char[]){*text, '\0'}, stdout);
    }
    (void)printf("\"%s", end);
}

static void print_csv(const struct printer *printer, const struct ekb_audit_item *item)
{
    char usages[EKB_EKU_TEXT_LEN];
    char until[EKB_UNITS_TEXT_LEN];
    char links[LINKS_TEXT_LEN];
    const struct ekb_audit_options *audit = &printer->arguments->options;
    const char *const fields[] = {item->source,
                                  place_name(item->place),
                                  roles_name(item->roles),
                                  item->certificate.subject,
                                  item->certificate.issuer,
                                  item->root,
                                  item->certificate.serial,
                                  ekb_eku_format(usages, item->certificate.eku),
                                  ekb_units_format_time(until, item->certificate.not_after),
                                  ekb_audit_pki_name(item->pki),
                                  mtls_text(item)};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        print_field(fields[i], ",");
    }
    (void)printf("%lld,", (long long)item->days_left);
    print_field(links_text(links, item, audit, EKB_AUDIT_WORKS, " "), ",");
    print_field(links_text(links, item, audit, EKB_AUDIT_BREAKS, " "), ",");
    print_field(ekb_audit_advice_text(item->advice), ",");
    print_field("", "\r\n");
}

static void print_csv_problem(const char *source, const char *problem)
{
    print_field(source, ",");
    for (int i = 0; i < 14; i++) {
        (void)putchar(',');
    }
    print_field(problem, "\r\n");
}

static void print_begin(const struct printer *printer)
{
    if (printer->arguments->form == FORM_TEXT) {
        print_head(printer);
    } else if (printer->arguments->form == FORM_JSON) {
        (void)printf("{\"items\": [");
    } else {
        (void)printf(
            "source,place,role,subject,issuer,root,serial,usages,not_after,ca,mtls,days_left,"
            "works,breaks,advice,problem\r\n");
    }
}

// clean writes what is no printable ASCII as \\xHH: names of files are anybody's, and go to
// terminals and into JSON.
#define CLEAN_LEN 2048
static const char *clean(char out_text[CLEAN_LEN], const char *text)
{
    size_t len = 0;
    for (; *text != '\0' && len + 5 < CLEAN_LEN; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte >= ' ' && byte < 0x7f) {
            out_text[len++] = *text;
        } else {
            len += (size_t)snprintf(out_text + len, CLEAN_LEN - len, "\\x%02x", byte);
        }
    }
    out_text[len] = '\0';
    return out_text;
}

static void tell(void *context, const struct ekb_audit_item *found, const char *path,
                 const struct ekb_fail *problem)
{
    struct printer *printer = context;
    const enum form form = printer->arguments->form;
    char raw[512] = "";
    char text[CLEAN_LEN] = "";
    char source[CLEAN_LEN];
    struct ekb_audit_item copy;
    const struct ekb_audit_item *item = NULL;
    (void)clean(source, path);
    if (found != NULL) {
        copy = *found;
        copy.source = source;
        item = &copy;
    } else {
        ekb_fail_text(raw, sizeof raw, problem);
        (void)clean(text, raw);
    }
    if (form == FORM_JSON) {
        print_object(printer, item != NULL
                                  ? item_json(item)
                                  : json_pack("{s:s, s:s, s:s}", "source", source, "code",
                                              ekb_err_name(problem->err), "problem", text));
    } else if (form == FORM_CSV && item != NULL) {
        print_csv(printer, item);
    } else if (form == FORM_CSV) {
        print_csv_problem(source, text);
    } else if (item != NULL) {
        print_text(printer, item);
    } else {
        (void)printf("     -  cannot be read: %s\n", text);
    }
    printer->num++;
}

static void print_end(const struct printer *printer, const struct ekb_audit_totals *totals)
{
    if (printer->arguments->form == FORM_TEXT) {
        print_totals(totals);
    } else if (printer->arguments->form == FORM_JSON) {
        (void)printf(
            "\n], \"totals\": {\"files\": %llu, \"certificates\": %llu, \"cas\": %llu, "
            "\"unreadable\": %llu, \"without\": %llu, \"breaking\": %llu, \"to_act\": %llu}}\n",
            (unsigned long long)totals->files, (unsigned long long)totals->certificates,
            (unsigned long long)totals->cas, (unsigned long long)totals->unreadable,
            (unsigned long long)totals->without, (unsigned long long)totals->breaking,
            (unsigned long long)totals->to_act);
    }
}

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

int ekb_cli_audit(int argc, char **argv)
{
    struct arguments arguments = {.options = {.release = EKB_RELEASE_X15_5,
                                              .mode = EKB_EKU_ON,
                                              .deadline_ns = 5 * EKB_NS_PER_S}};
    struct printer printer = {.arguments = &arguments};
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
    arguments.options.tell = tell;
    arguments.options.context = &printer;
    if (err == EKB_OK) {
        print_begin(&printer);
        for (size_t i = 0; i < arguments.num_targets && err == EKB_OK; i++) {
            err = audit_target(&totals, &arguments.options, arguments.targets[i], &fail);
        }
        print_end(&printer, &totals);
    }
    explicit_bzero(password, sizeof password);
    ekb_chain_destroy(private_roots);
    ekb_chain_destroy(public_roots);
    if (err != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    return totals.breaking > 0 ? EKB_EXIT_GATE : EKB_EXIT_OK;
}
