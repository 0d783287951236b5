// The verbs of `ekubench store` that change something.

#include "cli/store.h"

#include "cli/password.h"

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

static enum ekb_err parse_side(enum ekb_store_side *out_side, const struct ekb_store_words *words,
                               size_t position, struct ekb_fail *reterr_fail)
{
    const char *word = position < words->num_words ? words->words[position] : "";
    if (strcmp(word, "server") == 0 || strcmp(word, "client") == 0) {
        *out_side = strcmp(word, "server") == 0 ? EKB_STORE_SERVER : EKB_STORE_CLIENT;
        return EKB_OK;
    }
    return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "server or client is wanted after \"%s\"",
                        words->words[position - 1]);
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
static enum ekb_err read_upload(struct ekb_bundle *bundle, const struct ekb_store_words *words,
                                struct ekb_fail *reterr_fail)
{
    char password[EKB_PASSWORD_LEN] = "";
    if (words->certificate == NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "--cert FILE is wanted");
    }
    enum ekb_err err = ekb_bundle_read(bundle, words->certificate, NULL, reterr_fail);
    const bool needed_password = err == EKB_NEED_PASSWORD && words->key_file == NULL;
    if (err == EKB_NEED_PASSWORD) {
        err = ekb_password_read(password, words->certificate, words->password_file, reterr_fail);
        if (err == EKB_OK) {
            err = ekb_bundle_read(bundle, words->certificate, password, reterr_fail);
        }
    }
    explicit_bzero(password, sizeof password);
    if (err == EKB_OK && words->key_file != NULL) {
        ekb_key_destroy(bundle->key);
        bundle->key = NULL;
        bundle->key_fault = (struct ekb_fail){.err = EKB_OK};
        // What is wrong with it is said after what is wrong with the certificate.
        if (ekb_key_read_pem(&bundle->key, words->key_file, &bundle->key_fault) == EKB_NOMEM) {
            err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", words->key_file);
        }
    }
    if (err == EKB_OK && bundle->key != NULL && !needed_password) {
        warn_of_shared(words->key_file != NULL ? words->key_file : words->certificate);
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

static void say_upload(const struct ekb_store_words *words,
                       const struct ekb_upload_outcome *outcome)
{
    if (outcome->root[0] != '\0') {
        ekb_cli_say("the root %s was left out: roots are not sent", outcome->root);
    }
    say_certificate(words->copy == EKB_UPLOAD_ALSO_AS_CLIENT ? "in both stores now"
                                                             : "in the store now",
                    &outcome->leaf);
}

// choose_gate sets what the gate of the release and node demands. Where there is one store, nothing
// goes into a client's.
static enum ekb_err choose_gate(struct ekb_upload *wish, const struct ekb_store_words *words,
                                struct ekb_fail *reterr_fail)
{
    const struct ekb_release_rules *rules = ekb_release_rules(words->node.release);
    if (!rules->two_stores &&
        (wish->side == EKB_STORE_CLIENT || wish->copy == EKB_UPLOAD_ALSO_AS_CLIENT)) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "%s has one store: the server's certificate is the client's, too",
                            rules->covers);
    }
    wish->needs = ekb_release_gate(&words->node, wish->side);
    return EKB_OK;
}

int ekb_store_upload(const struct ekb_store_words *words)
{
    struct ekb_fail fail = {0};
    struct ekb_upload_outcome outcome = {.root = ""};
    struct ekb_bundle bundle = {0};
    struct ekb_upload wish = {
        .bundle = &bundle, .key = words->key, .copy = words->copy, .now = (int64_t)time(NULL)};
    enum ekb_err err = parse_side(&wish.side, words, 1, &fail);
    if (err == EKB_OK) {
        err = choose_gate(&wish, words, &fail);
    }
    if (err == EKB_OK) {
        err = read_upload(&bundle, words, &fail);
    }
    if (err == EKB_OK) {
        err = ekb_admin_upload(words->store, &wish, &outcome, &fail);
    }
    if (err == EKB_OK) {
        say_upload(words, &outcome);
    }
    ekb_bundle_deinit(&bundle);
    return finish(err, &outcome.warning, &fail);
}

int ekb_store_trust_add(const struct ekb_store_words *words)
{
    struct ekb_fail fail = {0};
    struct ekb_gate_warning warning = {""};
    struct ekb_chain *uploaded = NULL;
    enum ekb_err err = words->num_words > 2
                           ? ekb_chain_read(&uploaded, words->words[2], EKB_CHAIN_DER, &fail)
                           : ekb_fail_set(&fail, EKB_USAGE, 0, "trust add: a file is wanted");
    if (err == EKB_OK) {
        err = ekb_admin_trust_add(words->store, uploaded, (int64_t)time(NULL), &warning, &fail);
    }
    if (err == EKB_OK) {
        say_certificates("trusted now", uploaded);
    }
    ekb_chain_destroy(uploaded);
    return finish(err, &warning, &fail);
}

int ekb_store_trust_remove(const struct ekb_store_words *words)
{
    struct ekb_fail fail = {0};
    struct ekb_chain *removed = NULL;
    if (words->num_words < 3) {
        ekb_cli_say("trust remove: a serial number is wanted");
        return EKB_EXIT_USAGE;
    }
    const enum ekb_err err =
        ekb_admin_trust_remove(&removed, words->store, words->words[2], words->issuer, &fail);
    if (err == EKB_OK) {
        say_certificates("no longer trusted", removed);
    }
    ekb_chain_destroy(removed);
    return finish(err, NULL, &fail);
}

static enum ekb_err make_request(const struct ekb_store_words *words, enum ekb_store_side side,
                                 struct ekb_fail *reterr_fail)
{
    const struct ekb_csr_spec spec = {
        .common_name = words->common_name,
        .organization = words->organization,
        .eku = side == EKB_STORE_SERVER ? EKB_EKU_SERVER_AUTH : EKB_EKU_CLIENT_AUTH,
        .dns_names = words->dns_names.items,
        .num_dns_names = words->dns_names.len,
        .ip_addresses = words->ip_addresses.items,
        .num_ip_addresses = words->ip_addresses.len,
    };
    if (spec.common_name == NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "csr new: --cn NAME is wanted");
    }
    return ekb_admin_csr_new(words->store, side, words->key_type, &spec,
                             words->upgrade == EKB_UPGRADE_FORCE ? EKB_CSR_REPLACE : EKB_CSR_KEEP,
                             reterr_fail);
}

// print_request prints the pending request. Junk is none.
static enum ekb_err print_request(const struct ekb_store_words *words, enum ekb_store_side side,
                                  struct ekb_fail *reterr_fail)
{
    struct ekb_csr_description description = {.subject = ""};
    char *pem = NULL;
    enum ekb_err err = ekb_admin_csr_read(&pem, words->store, side, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_csr_describe(&description, pem, reterr_fail);
    }
    if (err == EKB_OK) {
        (void)fputs(pem, stdout);
    }
    ekb_csr_description_deinit(&description);
    free(pem);
    return err;
}

int ekb_store_csr_new(const struct ekb_store_words *words)
{
    struct ekb_fail fail = {0};
    enum ekb_store_side side = EKB_STORE_SERVER;
    enum ekb_err err = parse_side(&side, words, 2, &fail);
    if (err == EKB_OK) {
        err = make_request(words, side, &fail);
    }
    if (err == EKB_OK) {
        err = print_request(words, side, &fail);
    }
    return finish(err, NULL, &fail);
}

int ekb_store_csr_show(const struct ekb_store_words *words)
{
    struct ekb_fail fail = {0};
    enum ekb_store_side side = EKB_STORE_SERVER;
    enum ekb_err err = parse_side(&side, words, 2, &fail);
    if (err == EKB_OK) {
        err = print_request(words, side, &fail);
    }
    return finish(err, NULL, &fail);
}

int ekb_store_csr_discard(const struct ekb_store_words *words)
{
    struct ekb_fail fail = {0};
    enum ekb_store_side side = EKB_STORE_SERVER;
    enum ekb_err err = parse_side(&side, words, 2, &fail);
    if (err == EKB_OK) {
        err = ekb_admin_csr_discard(words->store, side, &fail);
    }
    return finish(err, NULL, &fail);
}

// host_of returns what the self-signed certificate is for; `name` is room for the host's.
static struct ekb_admin_host host_of(const struct ekb_store_words *words, char *name,
                                     size_t name_len)
{
    if (gethostname(name, name_len - 1) != 0) {
        (void)snprintf(name, name_len, "localhost");
    }
    return (struct ekb_admin_host){
        .name = words->common_name != NULL ? words->common_name : name,
        .key_type = words->key_type,
        .dns_names = words->dns_names.items,
        .num_dns_names = words->dns_names.len,
        .ip_addresses = words->ip_addresses.items,
        .num_ip_addresses = words->ip_addresses.len,
    };
}

int ekb_store_reset(const struct ekb_store_words *words)
{
    char name[256] = "";
    struct ekb_fail fail = {0};
    const struct ekb_admin_host host = host_of(words, name, sizeof name);
    return finish(ekb_admin_reset(words->store, &host, (int64_t)time(NULL), &fail), NULL, &fail);
}

int ekb_store_init(const struct ekb_store_words *words)
{
    char name[256] = "";
    struct ekb_fail fail = {0};
    const struct ekb_admin_host host = host_of(words, name, sizeof name);
    return finish(ekb_admin_init(words->store, &host, (int64_t)time(NULL), &fail), NULL, &fail);
}

int ekb_store_upgrade(const struct ekb_store_words *words)
{
    struct ekb_fail fail = {0};
    enum ekb_upgrade done = EKB_UPGRADE_KEPT;
    const enum ekb_err err = ekb_admin_upgrade(&done, words->store, words->upgrade, &fail);
    if (err == EKB_OK) {
        (void)printf(done == EKB_UPGRADE_COPIED
                         ? "the server certificate and its key are in the client store now\n"
                         : "there is a client store already, and it is kept\n");
    }
    return finish(err, NULL, &fail);
}
