#include "ekubench/store/diag.h"

#include "ekubench/base/file.h"
#include "ekubench/base/units.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/admin.h"
#include "ekubench/store/store.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// The end of the event log that is kept.
#define MAX_LOG_LEN (16u << 20)
#define SECONDS_A_DAY (INT64_C(24) * 3600)

// Everything that is written about one store.
struct dump {
    const char *directory;
    const struct ekb_diag_options *options;
    const struct ekb_store *store;
    const char *path;
};

const char *ekb_diag_file_name(char out_name[EKB_DIAG_NAME_LEN],
                               const struct ekb_diag_options *options, const char *prefix,
                               const char *suffix)
{
    const time_t now = (time_t)options->now;
    struct tm local;
    char stamp[32] = "";
    char host[128];
    size_t len = 0;
    for (const char *c = options->host; *c != '\0' && len + 1 < sizeof host; c++) {
        const bool plain = isalnum((unsigned char)*c) != 0 || *c == '.';
        host[len] = '-';
        if (plain) {
            host[len] = *c;
        }
        len++;
    }
    host[len] = '\0';
    if (localtime_r(&now, &local) != NULL) {
        (void)strftime(stamp, sizeof stamp, "%Y-%m-%d_%H_%M_%S", &local);
    }
    (void)snprintf(out_name, EKB_DIAG_NAME_LEN, "%s_%s_%s.%s", prefix, host, stamp, suffix);
    return out_name;
}

static enum ekb_err write_file(const struct dump *dump, const char *prefix, const char *suffix,
                               const char *text, unsigned mode, struct ekb_fail *reterr_fail)
{
    char name[EKB_DIAG_NAME_LEN];
    char *file =
        ekb_file_join(dump->directory, ekb_diag_file_name(name, dump->options, prefix, suffix));
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "diagnostics");
    }
    const enum ekb_err err = ekb_file_write_atomic(file, text, strlen(text), mode, reterr_fail);
    free(file);
    return err;
}

static enum ekb_err write_chain(const struct dump *dump, const char *prefix,
                                const struct ekb_chain *chain, struct ekb_fail *reterr_fail)
{
    if (chain == NULL) {
        return EKB_OK;
    }
    char *text = ekb_chain_to_pem(chain);
    const enum ekb_err err = text != NULL ? write_file(dump, prefix, "pem", text, 0644, reterr_fail)
                                          : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "diagnostics");
    free(text);
    return err;
}

// Dumps: lines of "name: value", and the same as XML.

struct writer {
    FILE *text;
    FILE *xml;
};

static void put_escaped(FILE *file, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            (void)fputs("&amp;", file);
            break;
        case '<':
            (void)fputs("&lt;", file);
            break;
        case '>':
            (void)fputs("&gt;", file);
            break;
        case '"':
            (void)fputs("&quot;", file);
            break;
        default:
            (void)fputc((unsigned char)*c < ' ' ? ' ' : *c, file);
            break;
        }
    }
}

static void put(const struct writer *writer, const char *name, const char *value)
{
    (void)fprintf(writer->text, "%s: %s\n", name, value);
    (void)fputs("  <item name=\"", writer->xml);
    put_escaped(writer->xml, name);
    (void)fputs("\">", writer->xml);
    put_escaped(writer->xml, value);
    (void)fputs("</item>\n", writer->xml);
}

static void put_number(const struct writer *writer, const char *name, long long value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", value);
    put(writer, name, text);
}

typedef void fill_dump(const struct writer *writer, const struct dump *dump);

static enum ekb_err write_dump(const struct dump *dump, const char *prefix, const char *root,
                               fill_dump *fill, struct ekb_fail *reterr_fail)
{
    char *text = NULL;
    char *xml = NULL;
    size_t text_len = 0;
    size_t xml_len = 0;
    const struct writer writer = {.text = open_memstream(&text, &text_len),
                                  .xml = open_memstream(&xml, &xml_len)};
    enum ekb_err err = EKB_NOMEM;
    if (writer.text != NULL && writer.xml != NULL) {
        (void)fprintf(writer.xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s>\n", root);
        fill(&writer, dump);
        (void)fprintf(writer.xml, "</%s>\n", root);
        err = EKB_OK;
    }
    const bool text_closed = writer.text != NULL && fclose(writer.text) == 0;
    const bool xml_closed = writer.xml != NULL && fclose(writer.xml) == 0;
    if (err != EKB_OK || !text_closed || !xml_closed) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "diagnostics");
    } else {
        err = write_file(dump, prefix, "txt", text, 0644, reterr_fail);
    }
    if (err == EKB_OK) {
        err = write_file(dump, prefix, "xml", xml, 0644, reterr_fail);
    }
    free(text);
    free(xml);
    return err;
}

static const char *side_name(enum ekb_store_side side)
{
    return side == EKB_STORE_SERVER ? "server" : "client";
}

static void fill_settings(const struct writer *writer, const struct dump *dump)
{
    put(writer, "store.path", dump->path);
    put(writer, "store.host", dump->options->host);
    put(writer, "store.crl", ekb_store_crls(dump->store) != NULL ? "present" : "absent");
    for (size_t i = 0; i < dump->options->num_settings; i++) {
        put(writer, dump->options->settings[i].name, dump->options->settings[i].value);
    }
}

// put_texts puts a list in one line; `nothing` if it is empty.
static void put_texts(const struct writer *writer, const char *name, const struct ekb_texts *texts,
                      const char *separator, const char *nothing)
{
    char *joined = ekb_texts_join(texts, separator);
    put(writer, name, joined != NULL && joined[0] != '\0' ? joined : nothing);
    free(joined);
}

static void fill_lists(const struct writer *writer, const char *prefix,
                       const struct ekb_chain *chain, size_t index)
{
    struct ekb_texts names = {0};
    struct ekb_texts usages = {0};
    char name[128];
    if (ekb_chain_names(&names, chain, index) == EKB_OK) {
        (void)snprintf(name, sizeof name, "%s.names", prefix);
        put_texts(writer, name, &names, ", ", "-");
    }
    if (ekb_chain_usages(&usages, chain, index) == EKB_OK) {
        (void)snprintf(name, sizeof name, "%s.usages", prefix);
        put_texts(writer, name, &usages, "+", "absent");
    }
    ekb_texts_deinit(&names);
    ekb_texts_deinit(&usages);
}

static void fill_certificate(const struct writer *writer, const char *prefix,
                             const struct ekb_chain *chain, size_t index, int64_t now)
{
    struct ekb_description description;
    char name[128];
    char text[EKB_UNITS_TEXT_LEN];
    char key[EKB_KEY_KIND_TEXT_LEN];
    ekb_chain_describe(&description, chain, index);
    const struct ekb_diag_item items[] = {
        {"subject", description.subject},
        {"issuer", description.issuer},
        {"serial", description.serial},
        {"key", ekb_key_kind_format(key, description.key_kind, description.key_bits)},
        {"not_after", ekb_units_format_time(text, description.not_after)},
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", prefix, items[i].name);
        put(writer, name, items[i].value);
    }
    fill_lists(writer, prefix, chain, index);
    (void)snprintf(name, sizeof name, "%s.days_left", prefix);
    put_number(writer, name, (description.not_after - now) / SECONDS_A_DAY);
}

static void fill_fault(const struct writer *writer, const struct dump *dump,
                       enum ekb_store_part part)
{
    static const char *const names[EKB_STORE_NUM_PARTS] = {"server.fault", "client.fault",
                                                           "trust.fault", "crl.fault"};
    const struct ekb_fail *fault = ekb_store_fault(dump->store, part);
    char text[512] = "none";
    if (fault->err != EKB_OK) {
        ekb_fail_text(text, sizeof text, fault);
    }
    put(writer, names[part], text);
}

static void fill_state(const struct writer *writer, const struct dump *dump)
{
    char name[64];
    for (int part = 0; part < EKB_STORE_NUM_PARTS; part++) {
        fill_fault(writer, dump, (enum ekb_store_part)part);
    }
    for (int i = 0; i < EKB_STORE_NUM_SIDES; i++) {
        const enum ekb_store_side side = (enum ekb_store_side)i;
        const struct ekb_chain *chain = ekb_store_identity(dump->store, side)->chain;
        char *request = NULL;
        (void)snprintf(name, sizeof name, "%s.chain_certificates", side_name(side));
        put_number(writer, name, chain != NULL ? (long long)ekb_chain_len(chain) : 0);
        if (chain != NULL) {
            fill_certificate(writer, side_name(side), chain, 0, dump->options->now);
        }
        const bool pending = ekb_admin_csr_read(&request, dump->path, side, NULL) == EKB_OK;
        (void)snprintf(name, sizeof name, "%s.signing_request", side_name(side));
        put(writer, name,
            pending ? "in progress" : "There is no certificate signing request in progress");
        free(request);
    }
    const struct ekb_chain *trust = ekb_store_trust(dump->store);
    const size_t len = trust != NULL ? ekb_chain_len(trust) : 0;
    put_number(writer, "trust.certificates", (long long)len);
    for (size_t i = 0; i < len; i++) {
        (void)snprintf(name, sizeof name, "trust.%zu", i + 1);
        fill_certificate(writer, name, trust, i, dump->options->now);
    }
}

// The event log.

// check_log refuses what is no event log: above all a private key, in whatever form.
static enum ekb_err check_log(const char *text, size_t text_len, const char *path,
                              struct ekb_fail *reterr_fail)
{
    if (strstr(text, "PRIVATE KEY") != NULL) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s holds a private key, and was not copied",
                            path);
    }
    for (size_t i = 0; i < text_len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) {
            return ekb_fail_say(reterr_fail, EKB_PARSE,
                                "%s is no text, and was not copied as an event log", path);
        }
    }
    return EKB_OK;
}

// read_log returns the end of the event log, newly allocated; NULL if none was named.
static enum ekb_err read_log(char **out_text, const char *path, struct ekb_fail *reterr_fail)
{
    uint8_t *text = NULL;
    size_t text_len = 0;
    if (path == NULL) {
        *out_text = NULL;
        return EKB_OK;
    }
    enum ekb_err err = ekb_file_read_end(&text, &text_len, path, MAX_LOG_LEN, reterr_fail);
    if (err == EKB_OK) {
        err = check_log((const char *)text, text_len, path, reterr_fail);
    }
    if (err != EKB_OK) {
        ekb_file_free_secret(text, text_len);
        return err;
    }
    *out_text = (char *)text;
    return EKB_OK;
}

// write_log writes the event log `text`, or why there is none.
static enum ekb_err write_log(const struct dump *dump, const char *text,
                              const struct ekb_fail *fault, struct ekb_fail *reterr_fail)
{
    char reason[512] = "no event log was named";
    char message[520];
    if (fault->err != EKB_OK) {
        ekb_fail_text(reason, sizeof reason, fault);
    }
    (void)snprintf(message, sizeof message, "%s\n", reason);
    // It has addresses in it, as the log itself, and its mode.
    return write_file(dump, "loggingsnapshot", "txt", text != NULL ? text : message, 0640,
                      reterr_fail);
}

enum ekb_err ekb_diag_write(const char *directory, const char *path,
                            const struct ekb_diag_options *options, struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    struct ekb_fail log_fault = {.err = EKB_OK};
    char *log = NULL;
    enum ekb_err err = ekb_store_survey(&store, path, EKB_STORE_ALL, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    for (int part = 0; part < EKB_STORE_NUM_PARTS; part++) {
        const struct ekb_fail *fault = ekb_store_fault(store, (enum ekb_store_part)part);
        if (options->on_fault != NULL && fault->err != EKB_OK) {
            options->on_fault(fault);
        }
    }
    const struct dump dump = {
        .directory = directory, .options = options, .store = store, .path = path};
    (void)read_log(&log, options->event_log, &log_fault);
    err = ekb_file_make_dirs(directory, 0700, reterr_fail);
    if (err == EKB_OK) {
        err = write_chain(&dump, "ca", ekb_store_trust(store), reterr_fail);
    }
    for (int i = 0; i < EKB_STORE_NUM_SIDES && err == EKB_OK; i++) {
        const enum ekb_store_side side = (enum ekb_store_side)i;
        err = write_chain(&dump, side_name(side), ekb_store_identity(store, side)->chain,
                          reterr_fail);
    }
    if (err == EKB_OK) {
        err = write_dump(&dump, "xconf_dump", "configuration", fill_settings, reterr_fail);
    }
    if (err == EKB_OK) {
        err = write_dump(&dump, "xstat_dump", "status", fill_state, reterr_fail);
    }
    if (err == EKB_OK) {
        err = write_log(&dump, log, &log_fault, reterr_fail);
    }
    free(log);
    ekb_store_destroy(store);
    // The last word: all the rest has been written.
    if (err == EKB_OK && log_fault.err != EKB_OK && reterr_fail != NULL) {
        *reterr_fail = log_fault;
    }
    return err == EKB_OK ? log_fault.err : err;
}
