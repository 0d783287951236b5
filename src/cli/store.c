#include "cli/store.h"

#include "cli/password.h"

#include "ekubench/base/file.h"
#include "ekubench/base/units.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/admin.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 8
#define MAX_NAMES 16

struct names {
    const char *items[MAX_NAMES];
    size_t len;
};

struct arguments {
    const char *words[MAX_WORDS]; // Verb, and what it is done to.
    size_t num_words;
    const char *store;
    const char *certificate;
    const char *key_file;
    enum ekb_upload_key key;
    enum ekb_upload_copy copy;
    const char *password_file;
    enum ekb_store_form form;
    enum ekb_upgrade_mode upgrade;
    const char *issuer;
    const char *common_name;
    const char *organization;
    enum ekb_key_type key_type;
    struct names dns_names;
    struct names ip_addresses;
    const char *output;
    const char *event_log;
    const char *listeners;
    uint64_t capture_s;
};

enum {
    OPTION_KEY = 256,
    OPTION_USE_CURRENT_KEY,
    OPTION_USE_CSR_KEY,
    OPTION_ALSO_AS_CLIENT,
    OPTION_PASSWORD_FILE,
    OPTION_PEM,
    OPTION_JSON,
    OPTION_FORCE,
    OPTION_ISSUER,
    OPTION_CN,
    OPTION_ORG,
    OPTION_KEY_TYPE,
    OPTION_DNS,
    OPTION_IP,
    OPTION_EVENT_LOG,
    OPTION_LISTENERS,
    OPTION_CAPTURE,
};

static void add_name(struct names *names, const char *name, struct argp_state *state)
{
    if (names->len == MAX_NAMES) {
        argp_error(state, "at most %d names of a kind", MAX_NAMES);
    }
    names->items[names->len++] = name;
}

static void set_key(struct arguments *arguments, enum ekb_upload_key key, struct argp_state *state)
{
    if (arguments->key != EKB_UPLOAD_KEY_ANY) {
        argp_error(state, "one of --key, --use-current-key and --use-csr-key is enough");
    }
    arguments->key = key;
}

// parse_rest reads the options of `csr` and `diag`.
static error_t parse_rest(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_CN:
        arguments->common_name = text;
        return 0;
    case OPTION_ORG:
        arguments->organization = text;
        return 0;
    case OPTION_KEY_TYPE:
        if (ekb_key_type_parse(&arguments->key_type, text) != EKB_OK) {
            argp_error(state,
                       "--key-type %s: p256, p384, rsa2048, rsa3072, rsa4096 or ed25519 is wanted",
                       text);
        }
        return 0;
    case OPTION_DNS:
        add_name(&arguments->dns_names, text, state);
        return 0;
    case OPTION_IP:
        add_name(&arguments->ip_addresses, text, state);
        return 0;
    case 'o':
        arguments->output = text;
        return 0;
    case OPTION_EVENT_LOG:
        arguments->event_log = text;
        return 0;
    case OPTION_LISTENERS:
        arguments->listeners = text;
        return 0;
    case OPTION_CAPTURE:
        if (ekb_units_parse_count(&arguments->capture_s, text, 1, 3600) != EKB_OK) {
            argp_error(state, "--capture %s: seconds, from 1 to 3600, are wanted", text);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 's':
        arguments->store = text;
        return 0;
    case 'c':
        arguments->certificate = text;
        return 0;
    case OPTION_KEY:
        set_key(arguments, EKB_UPLOAD_KEY_GIVEN, state);
        arguments->key_file = text;
        return 0;
    case OPTION_USE_CURRENT_KEY:
        set_key(arguments, EKB_UPLOAD_KEY_CURRENT, state);
        return 0;
    case OPTION_USE_CSR_KEY:
        set_key(arguments, EKB_UPLOAD_KEY_REQUEST, state);
        return 0;
    case OPTION_ALSO_AS_CLIENT:
        arguments->copy = EKB_UPLOAD_ALSO_AS_CLIENT;
        return 0;
    case OPTION_PASSWORD_FILE:
        arguments->password_file = text;
        return 0;
    case OPTION_PEM:
        arguments->form = EKB_STORE_FORM_PEM;
        return 0;
    case OPTION_JSON:
        arguments->form = EKB_STORE_FORM_JSON;
        return 0;
    case OPTION_FORCE:
        arguments->upgrade = EKB_UPGRADE_FORCE;
        return 0;
    case OPTION_ISSUER:
        arguments->issuer = text;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->num_words == MAX_WORDS) {
            argp_error(state, "unexpected argument \"%s\"", text);
        }
        arguments->words[arguments->num_words++] = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->num_words == 0) {
            argp_error(state, "init, show, upload, csr, trust, reset, upgrade or diag is wanted");
        }
        if (arguments->store == NULL) {
            argp_error(state, "--store DIR is wanted");
        }
        return 0;
    default:
        return parse_rest(key, text, state);
    }
}

static const struct argp_option options[] = {
    {"store", 's', "DIR", 0, "The store", 0},
    {"cert", 'c', "FILE", 0, "upload: the certificate and its intermediates; PEM, DER or PKCS #12",
     0},
    {"key", OPTION_KEY, "FILE", 0, "upload: its private key, PEM", 0},
    {"use-current-key", OPTION_USE_CURRENT_KEY, NULL, 0, "upload: it belongs to the present key",
     0},
    {"use-csr-key", OPTION_USE_CSR_KEY, NULL, 0,
     "upload: it belongs to the key of the pending signing request", 0},
    {"also-as-client", OPTION_ALSO_AS_CLIENT, NULL, 0,
     "upload server: the same pair goes into the client store too, past its gate", 0},
    {"password-file", OPTION_PASSWORD_FILE, "FILE", 0,
     "upload: its first line is the password of a PKCS #12 file (default: ask on the terminal)", 0},
    {"pem", OPTION_PEM, NULL, 0, "show, trust list: the certificates as PEM", 0},
    {"json", OPTION_JSON, NULL, 0, "show, trust list: as JSON", 0},
    {"force", OPTION_FORCE, NULL, 0,
     "upgrade: also over a client store that exists; csr new: over a pending request", 0},
    {"issuer", OPTION_ISSUER, "NAME", 0, "trust remove: of this issuer, as trust list has it", 0},
    {"cn", OPTION_CN, "NAME", 0, "csr new: common name; init, reset: the host's name", 0},
    {"org", OPTION_ORG, "NAME", 0, "csr new: organization", 0},
    {"key-type", OPTION_KEY_TYPE, "TYPE", 0,
     "csr new, init, reset: p256 (default), p384, rsa2048, rsa3072, rsa4096 or ed25519", 0},
    {"dns", OPTION_DNS, "NAME", 0, "csr new, init, reset: dNSName; may be repeated", 0},
    {"ip", OPTION_IP, "ADDRESS", 0, "csr new, init, reset: iPAddress; may be repeated", 0},
    {"output", 'o', "DIR", 0, "diag: where the files go", 0},
    {"event-log", OPTION_EVENT_LOG, "FILE", 0, "diag: the event log of `ekubench serve`", 0},
    {"listeners", OPTION_LISTENERS, "FILE", 0, "diag: the listeners of `ekubench serve`", 0},
    {"capture", OPTION_CAPTURE, "SECONDS", 0,
     "diag: also capture packets for so long (needs tcpdump and the right to)", 0},
    {0},
};

static const char doc[] =
    "Keep the dual certificate store of a node: a server store, a client store, and one trusted CA "
    "list for both.\v"
    "init: make a store with a self-signed server certificate. show: what is in it. upload: put a "
    "certificate into one of the two. csr: signing requests. trust: the trusted CA list. reset: "
    "the "
    "self-signed server certificate again. upgrade: copy the server's pair into the client store. "
    "diag: files for whoever has to help. "
    "Keys are never shown.\n\nExit status: 0 done; 1 refused, and nothing has changed; 2 wrong "
    "usage "
    "or unreadable input; 3 the system does not let it.\n\nExamples:\n"
    "  ekubench store init -s store --cn host.example\n"
    "  ekubench store trust add root.pem -s store\n"
    "  ekubench store upload server -s store --cert chain.pem --key key.pem\n"
    "  ekubench store show -s store";

// Doing.

// is_refusal is true if nothing is wrong but what was asked for.
static bool is_refusal(const struct ekb_fail *fail)
{
    return (fail->err >= EKB_REFUSED_USAGE && fail->err <= EKB_REFUSED_PENDING) ||
           strncmp(fail->detail, EKB_GATE_SENTENCE, strlen(EKB_GATE_SENTENCE)) == 0;
}

// finish says how it went.
static int finish(enum ekb_err err, const struct ekb_gate_warning *warning,
                  const struct ekb_fail *fail)
{
    if (err == EKB_OK) {
        if (warning != NULL && warning->text[0] != '\0') {
            ekb_cli_say("warning: %s", warning->text);
        }
        return EKB_EXIT_OK;
    }
    const int status = ekb_cli_fail(fail);
    return is_refusal(fail) ? EKB_EXIT_GATE : status;
}

static enum ekb_err parse_side(enum ekb_store_side *out_side, const struct arguments *arguments,
                               size_t position, struct ekb_fail *reterr_fail)
{
    const char *word = position < arguments->num_words ? arguments->words[position] : "";
    if (strcmp(word, "server") == 0 || strcmp(word, "client") == 0) {
        *out_side = strcmp(word, "server") == 0 ? EKB_STORE_SERVER : EKB_STORE_CLIENT;
        return EKB_OK;
    }
    return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "server or client is wanted after \"%s\"",
                        arguments->words[position - 1]);
}

// warn_of_shared warns of a private key that others than its owner may read: where it came from, it
// stays.
static void warn_of_shared(const char *file)
{
    struct stat status;
    if (stat(file, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        ekb_cli_say("warning: %s has mode %04o; a private key is for its owner only (0600)", file,
                    (unsigned)(status.st_mode & 07777));
    }
}

// read_upload reads certificate and key. A password is asked for only if one is needed.
static enum ekb_err read_upload(struct ekb_bundle *bundle, const struct arguments *arguments,
                                struct ekb_fail *reterr_fail)
{
    char password[EKB_PASSWORD_LEN] = "";
    if (arguments->certificate == NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "--cert FILE is wanted");
    }
    enum ekb_err err = ekb_bundle_read(bundle, arguments->certificate, NULL, reterr_fail);
    const bool needed_password = err == EKB_NEED_PASSWORD && arguments->key_file == NULL;
    if (err == EKB_NEED_PASSWORD) {
        err = ekb_password_read(password, arguments->certificate, arguments->password_file,
                                reterr_fail);
        if (err == EKB_OK) {
            err = ekb_bundle_read(bundle, arguments->certificate, password, reterr_fail);
        }
    }
    explicit_bzero(password, sizeof password);
    if (err == EKB_OK && arguments->key_file != NULL) {
        ekb_key_destroy(bundle->key);
        bundle->key = NULL;
        bundle->key_fault = (struct ekb_fail){.err = EKB_OK};
        // What is wrong with it is said after what is wrong with the certificate.
        if (ekb_key_read_pem(&bundle->key, arguments->key_file, &bundle->key_fault) == EKB_NOMEM) {
            err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", arguments->key_file);
        }
    }
    if (err == EKB_OK && bundle->key != NULL && !needed_password) {
        warn_of_shared(arguments->key_file != NULL ? arguments->key_file : arguments->certificate);
    }
    return err;
}

// say_certificate says what has become of a certificate.
static void say_certificate(const char *what, const struct ekb_description *description)
{
    char until[EKB_UNITS_TEXT_LEN];
    ekb_cli_say("%s: %s, serial %s, until %s", what, description->subject, description->serial,
                ekb_units_format_time(until, description->not_after));
}

static void say_certificates(const char *what, const struct ekb_chain *chain)
{
    for (size_t i = 0; i < ekb_chain_len(chain); i++) {
        struct ekb_description description;
        ekb_chain_describe(&description, chain, i);
        say_certificate(what, &description);
    }
}

static void say_upload(const struct arguments *arguments, const struct ekb_upload_outcome *outcome)
{
    if (outcome->root[0] != '\0') {
        ekb_cli_say("the root %s was left out: roots are not sent", outcome->root);
    }
    say_certificate(arguments->copy == EKB_UPLOAD_ALSO_AS_CLIENT ? "in both stores now"
                                                                 : "in the store now",
                    &outcome->leaf);
}

static int upload(const struct arguments *arguments)
{
    struct ekb_fail fail = {0};
    struct ekb_upload_outcome outcome = {.root = ""};
    struct ekb_bundle bundle = {0};
    struct ekb_upload wish = {.bundle = &bundle,
                              .key = arguments->key,
                              .copy = arguments->copy,
                              .now = (int64_t)time(NULL)};
    enum ekb_err err = parse_side(&wish.side, arguments, 1, &fail);
    if (err == EKB_OK) {
        err = read_upload(&bundle, arguments, &fail);
    }
    if (err == EKB_OK) {
        err = ekb_admin_upload(arguments->store, &wish, &outcome, &fail);
    }
    if (err == EKB_OK) {
        say_upload(arguments, &outcome);
    }
    ekb_bundle_deinit(&bundle);
    return finish(err, &outcome.warning, &fail);
}

static int trust_add(const struct arguments *arguments)
{
    struct ekb_fail fail = {0};
    struct ekb_gate_warning warning = {""};
    struct ekb_chain *uploaded = NULL;
    const char *file = arguments->num_words > 2 ? arguments->words[2] : arguments->certificate;
    enum ekb_err err = file != NULL
                           ? ekb_chain_read(&uploaded, file, EKB_CHAIN_DER, &fail)
                           : ekb_fail_set(&fail, EKB_USAGE, 0, "trust add: a file is wanted");
    if (err == EKB_OK) {
        err = ekb_admin_trust_add(arguments->store, uploaded, (int64_t)time(NULL), &warning, &fail);
    }
    if (err == EKB_OK) {
        say_certificates("trusted now", uploaded);
    }
    ekb_chain_destroy(uploaded);
    return finish(err, &warning, &fail);
}

static int trust_remove(const struct arguments *arguments)
{
    struct ekb_fail fail = {0};
    struct ekb_chain *removed = NULL;
    const enum ekb_err err = ekb_admin_trust_remove(&removed, arguments->store, arguments->words[2],
                                                    arguments->issuer, &fail);
    if (err == EKB_OK) {
        say_certificates("no longer trusted", removed);
    }
    ekb_chain_destroy(removed);
    return finish(err, NULL, &fail);
}

static int trust(const struct arguments *arguments)
{
    const char *word = arguments->num_words > 1 ? arguments->words[1] : "";
    if (strcmp(word, "add") == 0) {
        return trust_add(arguments);
    }
    if (strcmp(word, "list") == 0) {
        return ekb_store_show_trust(arguments->store, arguments->form);
    }
    if (strcmp(word, "remove") == 0 && arguments->num_words > 2) {
        return trust_remove(arguments);
    }
    ekb_cli_say("trust add FILE, trust remove SERIAL or trust list is wanted");
    return EKB_EXIT_USAGE;
}

static enum ekb_err csr_new(const struct arguments *arguments, enum ekb_store_side side,
                            struct ekb_fail *reterr_fail)
{
    const struct ekb_csr_spec spec = {
        .common_name = arguments->common_name,
        .organization = arguments->organization,
        .eku = side == EKB_STORE_SERVER ? EKB_EKU_SERVER_AUTH : EKB_EKU_CLIENT_AUTH,
        .dns_names = arguments->dns_names.items,
        .num_dns_names = arguments->dns_names.len,
        .ip_addresses = arguments->ip_addresses.items,
        .num_ip_addresses = arguments->ip_addresses.len,
    };
    if (spec.common_name == NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "csr new: --cn NAME is wanted");
    }
    return ekb_admin_csr_new(
        arguments->store, side, arguments->key_type, &spec,
        arguments->upgrade == EKB_UPGRADE_FORCE ? EKB_CSR_REPLACE : EKB_CSR_KEEP, reterr_fail);
}

static int csr(const struct arguments *arguments)
{
    const char *word = arguments->num_words > 1 ? arguments->words[1] : "";
    struct ekb_fail fail = {0};
    enum ekb_store_side side = EKB_STORE_SERVER;
    char *pem = NULL;
    if (strcmp(word, "new") != 0 && strcmp(word, "show") != 0 && strcmp(word, "discard") != 0) {
        ekb_cli_say("csr new, csr show or csr discard, and server or client, is wanted");
        return EKB_EXIT_USAGE;
    }
    enum ekb_err err = parse_side(&side, arguments, 2, &fail);
    if (err == EKB_OK && strcmp(word, "new") == 0) {
        err = csr_new(arguments, side, &fail);
    } else if (err == EKB_OK && strcmp(word, "discard") == 0) {
        err = ekb_admin_csr_discard(arguments->store, side, &fail);
    }
    if (err == EKB_OK && strcmp(word, "discard") != 0) {
        err = ekb_admin_csr_read(&pem, arguments->store, side, &fail);
    }
    if (err == EKB_OK && pem != NULL) {
        struct ekb_csr_description description = {.subject = ""};
        err = ekb_csr_describe(&description, pem, &fail);
        ekb_csr_description_deinit(&description);
    }
    if (err == EKB_OK && pem != NULL) {
        (void)fputs(pem, stdout);
    }
    free(pem);
    return finish(err, NULL, &fail);
}

// host_of returns what the self-signed certificate is for; `name` is room for the host's.
static struct ekb_admin_host host_of(const struct arguments *arguments, char *name, size_t name_len)
{
    if (gethostname(name, name_len - 1) != 0) {
        (void)snprintf(name, name_len, "localhost");
    }
    return (struct ekb_admin_host){
        .name = arguments->common_name != NULL ? arguments->common_name : name,
        .key_type = arguments->key_type,
        .dns_names = arguments->dns_names.items,
        .num_dns_names = arguments->dns_names.len,
        .ip_addresses = arguments->ip_addresses.items,
        .num_ip_addresses = arguments->ip_addresses.len,
    };
}

static int reset(const struct arguments *arguments)
{
    char name[256] = "";
    struct ekb_fail fail = {0};
    const struct ekb_admin_host host = host_of(arguments, name, sizeof name);
    return finish(ekb_admin_reset(arguments->store, &host, (int64_t)time(NULL), &fail), NULL,
                  &fail);
}

static int init(const struct arguments *arguments)
{
    char name[256] = "";
    struct ekb_fail fail = {0};
    const struct ekb_admin_host host = host_of(arguments, name, sizeof name);
    return finish(ekb_admin_init(arguments->store, &host, (int64_t)time(NULL), &fail), NULL, &fail);
}

static int show(const struct arguments *arguments)
{
    return ekb_store_show(arguments->store, arguments->form);
}

static int upgrade(const struct arguments *arguments)
{
    struct ekb_fail fail = {0};
    enum ekb_upgrade done = EKB_UPGRADE_KEPT;
    const enum ekb_err err = ekb_admin_upgrade(&done, arguments->store, arguments->upgrade, &fail);
    if (err == EKB_OK) {
        (void)printf(done == EKB_UPGRADE_COPIED
                         ? "the server certificate and its key are in the client store now\n"
                         : "there is a client store already, and it is kept\n");
    }
    return finish(err, NULL, &fail);
}

static int diag(const struct arguments *arguments)
{
    const struct ekb_store_diag wish = {.store = arguments->store,
                                        .output = arguments->output,
                                        .event_log = arguments->event_log,
                                        .listeners = arguments->listeners,
                                        .capture_s = (unsigned)arguments->capture_s};
    if (arguments->output == NULL) {
        ekb_cli_say("diag: --output DIR is wanted");
        return EKB_EXIT_USAGE;
    }
    return ekb_store_write_diag(&wish);
}

static const struct {
    const char *word;
    size_t max_words;
    int (*run)(const struct arguments *arguments);
} verbs[] = {
    {"init", 1, init},   {"show", 1, show},   {"upload", 2, upload},   {"csr", 3, csr},
    {"trust", 3, trust}, {"reset", 1, reset}, {"upgrade", 1, upgrade}, {"diag", 1, diag},
};

int ekb_cli_store(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "VERB [WHAT...]", .doc = doc};
    struct arguments arguments = {.key_type = EKB_KEY_P256};

    ekb_cli_parse(&argp, argc, argv, &arguments);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(arguments.words[0], verbs[i].word) != 0) {
            continue;
        }
        if (arguments.num_words > verbs[i].max_words) {
            ekb_cli_say("unexpected argument \"%s\"", arguments.words[verbs[i].max_words]);
            return EKB_EXIT_USAGE;
        }
        return verbs[i].run(&arguments);
    }
    ekb_cli_say(
        "there is no \"%s\"; init, show, upload, csr, trust, reset, upgrade and diag there are",
        arguments.words[0]);
    return EKB_EXIT_USAGE;
}
