#include "cli/store.h"

#include "ekubench/base/units.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    OPTION_KEY = 256, // The others are letters.
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
    OPTION_RELEASE,
    OPTION_NODE,
    OPTION_SERVER_EKU_UPLOAD, // The last one.
};

static void add_name(struct ekb_store_list *names, const char *name, struct argp_state *state)
{
    if (names->len == EKB_STORE_MAX_NAMES) {
        ekb_cli_refuse(state, "at most %d names of a kind", EKB_STORE_MAX_NAMES);
    }
    names->items[names->len++] = name;
}

static void set_key(struct ekb_store_words *words, enum ekb_upload_key key,
                    struct argp_state *state)
{
    if (words->key != EKB_UPLOAD_KEY_ANY) {
        ekb_cli_refuse(state, "one of --key, --use-current-key and --use-csr-key is enough");
    }
    words->key = key;
}

static void set_form(struct ekb_store_words *words, enum ekb_store_form form,
                     struct argp_state *state)
{
    if (words->form != EKB_STORE_FORM_TEXT && words->form != form) {
        ekb_cli_refuse(state, "one of --pem and --json is enough");
    }
    words->form = form;
}

// parse_gate reads the options that say whose gate an upload meets.
static error_t parse_gate(int key, const char *text, struct argp_state *state)
{
    struct ekb_store_words *words = state->input;
    switch (key) {
    case OPTION_RELEASE:
        if (ekb_release_parse(&words->node.release, text) != EKB_OK) {
            ekb_cli_refuse(state, "--release %s: a release such as X15.5 is wanted", text);
        }
        return 0;
    case OPTION_NODE:
        if (ekb_node_kind_parse(&words->node.kind, text) != EKB_OK ||
            words->node.kind == EKB_NODE_FAR) {
            ekb_cli_refuse(state, "--node %s: core or edge is wanted", text);
        }
        return 0;
    case OPTION_SERVER_EKU_UPLOAD:
        words->node.server_eku_upload = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// parse_rest reads the options of `csr` and `diag`.
static error_t parse_rest(int key, char *text, struct argp_state *state)
{
    struct ekb_store_words *words = state->input;
    switch (key) {
    case OPTION_CN:
        words->common_name = text;
        return 0;
    case OPTION_ORG:
        words->organization = text;
        return 0;
    case OPTION_KEY_TYPE:
        if (ekb_key_type_parse(&words->key_type, text) != EKB_OK) {
            ekb_cli_refuse(state, "--key-type %s: " EKB_CLI_KEY_TYPES " is wanted", text);
        }
        return 0;
    case OPTION_DNS:
        add_name(&words->dns_names, text, state);
        return 0;
    case OPTION_IP:
        add_name(&words->ip_addresses, text, state);
        return 0;
    case 'o':
        words->output = text;
        return 0;
    case OPTION_EVENT_LOG:
        words->event_log = text;
        return 0;
    case 'l':
        add_name(&words->listen, text, state);
        return 0;
    case OPTION_LISTENERS:
        words->listeners = text;
        return 0;
    case OPTION_CAPTURE:
        if (ekb_units_parse_count(&words->capture_s, text, 1, 3600) != EKB_OK) {
            ekb_cli_refuse(state, "--capture %s: seconds, from 1 to 3600, are wanted", text);
        }
        return 0;
    default:
        return parse_gate(key, text, state);
    }
}

static bool is_option(int key)
{
    return key == 's' || key == 'c' || key == 'l' || key == 'o' ||
           (key >= OPTION_KEY && key <= OPTION_SERVER_EKU_UPLOAD);
}

// bit_of returns the place of an option in a set of options.
static uint32_t bit_of(int key)
{
    static const char letters[] = "sclo";
    return key >= OPTION_KEY ? 1u << (key - OPTION_KEY + 4)
                             : 1u << (strchr(letters, key) - letters);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct ekb_store_words *words = state->input;
    if (is_option(key)) {
        words->options |= bit_of(key);
    }
    switch (key) {
    case 's':
        words->store = text;
        return 0;
    case 'c':
        words->certificate = text;
        return 0;
    case OPTION_KEY:
        set_key(words, EKB_UPLOAD_KEY_GIVEN, state);
        words->key_file = text;
        return 0;
    case OPTION_USE_CURRENT_KEY:
        set_key(words, EKB_UPLOAD_KEY_CURRENT, state);
        return 0;
    case OPTION_USE_CSR_KEY:
        set_key(words, EKB_UPLOAD_KEY_REQUEST, state);
        return 0;
    case OPTION_ALSO_AS_CLIENT:
        words->copy = EKB_UPLOAD_ALSO_AS_CLIENT;
        return 0;
    case OPTION_PASSWORD_FILE:
        words->password_file = text;
        return 0;
    case OPTION_PEM:
        set_form(words, EKB_STORE_FORM_PEM, state);
        return 0;
    case OPTION_JSON:
        set_form(words, EKB_STORE_FORM_JSON, state);
        return 0;
    case OPTION_FORCE:
        words->upgrade = EKB_UPGRADE_FORCE;
        return 0;
    case OPTION_ISSUER:
        words->issuer = text;
        return 0;
    case ARGP_KEY_ARG:
        if (words->num_words == EKB_STORE_MAX_WORDS) {
            ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        }
        words->words[words->num_words++] = text;
        return 0;
    case ARGP_KEY_END:
        if (words->num_words == 0) {
            ekb_cli_refuse(state,
                           "init, show, upload, csr, trust, reset, upgrade or diag is wanted");
        }
        if (words->store == NULL) {
            ekb_cli_refuse(state, "--store DIR is wanted");
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
    {"key", OPTION_KEY, "FILE", 0, "upload: the certificate's private key, PEM", 0},
    {"use-current-key", OPTION_USE_CURRENT_KEY, NULL, 0,
     "upload: the certificate belongs to the present key", 0},
    {"use-csr-key", OPTION_USE_CSR_KEY, NULL, 0,
     "upload: the certificate belongs to the key of the pending signing request", 0},
    {"also-as-client", OPTION_ALSO_AS_CLIENT, NULL, 0,
     "upload server: the same pair goes into the client store too, past its gate", 0},
    {"password-file", OPTION_PASSWORD_FILE, "FILE", 0,
     "upload: a file whose first line is the password of a PKCS #12 file (default: ask on the "
     "terminal)",
     0},
    {"release", OPTION_RELEASE, "RELEASE", 0,
     "upload: the gate of that release (default X15.5; before it there is one store, and its gate "
     "wants "
     "both usages)",
     0},
    {"node", OPTION_NODE, "KIND", 0, "upload: of a core (default) or edge node", 0},
    {"server-eku-upload", OPTION_SERVER_EKU_UPLOAD, NULL, 0,
     "upload: EnableServerEkuUpload is on (X15.4, edge): serverAuth is enough", 0},
    {"pem", OPTION_PEM, NULL, 0, "show, trust list: the certificates as PEM", 0},
    {"json", OPTION_JSON, NULL, 0, "show, trust list: as JSON", 0},
    {"force", OPTION_FORCE, NULL, 0,
     "upgrade: also over a client store that exists; csr new: over a pending request", 0},
    {"issuer", OPTION_ISSUER, "NAME", 0,
     "trust remove: the certificate of this issuer, as trust list has it", 0},
    {"cn", OPTION_CN, "NAME", 0, "csr new: common name; init, reset: the host's name", 0},
    {"org", OPTION_ORG, "NAME", 0, "csr new: organization", 0},
    {"key-type", OPTION_KEY_TYPE, "TYPE", 0,
     "csr new, init, reset: " EKB_CLI_KEY_TYPES " (default p256)", 0},
    {"dns", OPTION_DNS, "NAME", 0, "csr new, init, reset: dNSName; may be repeated", 0},
    {"ip", OPTION_IP, "ADDRESS", 0, "csr new, init, reset: iPAddress; may be repeated", 0},
    {"output", 'o', "DIR", 0, "diag: where the files go", 0},
    {"event-log", OPTION_EVENT_LOG, "FILE", 0, "diag: the event log of `ekubench serve`", 0},
    {"listen", 'l', "LISTENER", 0, "diag: a listener of `ekubench serve`; may be repeated", 0},
    {"listeners", OPTION_LISTENERS, "FILE", 0, "diag: the file of listeners of `ekubench serve`",
     0},
    {"capture", OPTION_CAPTURE, "SECONDS", 0,
     "diag: also capture packets for so long (needs tcpdump and the right to)", 0},
    {0},
};

static const char doc[] =
    "Keep the dual certificate store of a node: a server store, a client store, and one trusted CA "
    "list for both.\v"
    "init: make a store with a self-signed server certificate. show [server|client|trust]: what is "
    "in it. upload server|client: put a certificate into it. csr new|show|discard server|client: "
    "signing requests. trust add FILE, trust remove "
    "SERIAL, trust list: the trusted CA list. reset: the self-signed server certificate again. "
    "upgrade: copy the server's pair into the client store. "
    "diag: files for whoever has to help. "
    "Keys are never shown.\n\nExit status: 0 done; 1 refused, and nothing has changed; 2 wrong "
    "usage "
    "or unreadable input; 3 the system does not let it.\n\nExamples:\n"
    "  ekubench store init -s store --cn host.example\n"
    "  ekubench store trust add root.pem -s store\n"
    "  ekubench store upload server -s store --cert chain.pem --key key.pem\n"
    "  ekubench store show -s store";

// Doing.

static int show(const struct ekb_store_words *words)
{
    static const struct {
        const char *word;
        unsigned parts;
    } views[] = {{"server", EKB_STORE_NEED_SERVER},
                 {"client", EKB_STORE_NEED_CLIENT},
                 {"trust", EKB_STORE_NEED_TRUST}};
    if (words->num_words < 2) {
        return ekb_store_show(words->store, words->form, EKB_STORE_ALL);
    }
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        if (strcmp(words->words[1], views[i].word) == 0) {
            return ekb_store_show(words->store, words->form, views[i].parts);
        }
    }
    ekb_cli_say("server, client, trust or nothing is wanted after \"show\"");
    return EKB_EXIT_USAGE;
}

static int trust_list(const struct ekb_store_words *words)
{
    return ekb_store_show_trust(words->store, words->form);
}

static int diag(const struct ekb_store_words *words)
{
    const struct ekb_store_diag wish = {.store = words->store,
                                        .output = words->output,
                                        .event_log = words->event_log,
                                        .listen = &words->listen,
                                        .listeners = words->listeners,
                                        .capture_s = (unsigned)words->capture_s};
    if (words->output == NULL) {
        ekb_cli_say("diag: --output DIR is wanted");
        return EKB_EXIT_USAGE;
    }
    return ekb_store_write_diag(&wish);
}

// What there is to do. A verb that is nothing alone is in it once for each of its second words.
struct verb {
    const char *word;
    const char *second; // Or NULL.
    size_t max_words;
    int (*run)(const struct ekb_store_words *words);
    int options[10]; // Those that belong to it beside --store; 0 ends them.
};

static const struct verb verbs[] = {
    {"init", NULL, 1, ekb_store_init, {OPTION_CN, OPTION_KEY_TYPE, OPTION_DNS, OPTION_IP}},
    {"show", NULL, 2, show, {OPTION_PEM, OPTION_JSON}},
    {"upload",
     NULL,
     2,
     ekb_store_upload,
     {'c', OPTION_KEY, OPTION_USE_CURRENT_KEY, OPTION_USE_CSR_KEY, OPTION_ALSO_AS_CLIENT,
      OPTION_PASSWORD_FILE, OPTION_RELEASE, OPTION_NODE, OPTION_SERVER_EKU_UPLOAD}},
    {"csr",
     "new",
     3,
     ekb_store_csr_new,
     {OPTION_CN, OPTION_ORG, OPTION_KEY_TYPE, OPTION_DNS, OPTION_IP, OPTION_FORCE}},
    {"csr", "show", 3, ekb_store_csr_show, {0}},
    {"csr", "discard", 3, ekb_store_csr_discard, {0}},
    {"trust", "add", 3, ekb_store_trust_add, {0}},
    {"trust", "remove", 3, ekb_store_trust_remove, {OPTION_ISSUER}},
    {"trust", "list", 2, trust_list, {OPTION_PEM, OPTION_JSON}},
    {"reset", NULL, 1, ekb_store_reset, {OPTION_CN, OPTION_KEY_TYPE, OPTION_DNS, OPTION_IP}},
    {"upgrade", NULL, 1, ekb_store_upgrade, {OPTION_FORCE}},
    {"diag", NULL, 1, diag, {'o', 'l', OPTION_EVENT_LOG, OPTION_LISTENERS, OPTION_CAPTURE}},
};

// find_verb returns what the words ask for, or says what is wrong with them.
static const struct verb *find_verb(const struct ekb_store_words *words)
{
    const char *second = words->num_words > 1 ? words->words[1] : "";
    bool known = false;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(words->words[0], verbs[i].word) != 0) {
            continue;
        }
        if (verbs[i].second == NULL || strcmp(second, verbs[i].second) == 0) {
            return &verbs[i];
        }
        known = true;
    }
    if (!known) {
        ekb_cli_say(
            "there is no \"%s\"; init, show, upload, csr, trust, reset, upgrade and diag there are",
            words->words[0]);
    } else if (strcmp(words->words[0], "csr") == 0) {
        ekb_cli_say("csr new, csr show or csr discard, and server or client, is wanted");
    } else {
        ekb_cli_say("trust add FILE, trust remove SERIAL or trust list is wanted");
    }
    return NULL;
}

// takes_options is true if all options that were given belong to the verb; else it says which does
// not: one that is not heeded might have been what mattered.
static bool takes_options(const struct verb *verb, const struct ekb_store_words *words)
{
    uint32_t taken = bit_of('s');
    for (size_t i = 0; i < sizeof verb->options / sizeof verb->options[0]; i++) {
        taken |= verb->options[i] != 0 ? bit_of(verb->options[i]) : 0;
    }
    for (const struct argp_option *option = options; option->name != NULL; option++) {
        if ((words->options & bit_of(option->key) & ~taken) != 0) {
            ekb_cli_say("--%s is no option of `store %s%s%s`", option->name, verb->word,
                        verb->second != NULL ? " " : "", verb->second != NULL ? verb->second : "");
            return false;
        }
    }
    return true;
}

const struct argp ekb_cli_store_argp = {
    .options = options, .parser = parse, .args_doc = "VERB [WHAT...]", .doc = doc};

int ekb_cli_store(int argc, char **argv)
{
    struct ekb_store_words words = {.key_type = EKB_KEY_P256,
                                    .node = {.release = EKB_RELEASE_X15_5, .kind = EKB_NODE_CORE}};

    ekb_cli_parse(&ekb_cli_store_argp, argc, argv, &words);
    const struct verb *verb = find_verb(&words);
    if (verb == NULL || !takes_options(verb, &words)) {
        return EKB_EXIT_USAGE;
    }
    if (words.num_words > verb->max_words) {
        ekb_cli_say("unexpected argument \"%s\"", words.words[verb->max_words]);
        return EKB_EXIT_USAGE;
    }
    return verb->run(&words);
}
