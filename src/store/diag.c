#include "ekubench/store/diag.h"

#include "ekubench/base/file.h"
#include "ekubench/store/store.h"
#include "store/diag_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// The end of the event log that is kept.
#define MAX_LOG_LEN (16u << 20)

// Everything that is written about one store.
struct dump {
    const char *directory;
    const struct ekb_diag_options *options;
    struct ekb_diag_about about;
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

static enum ekb_err write_dump(const struct dump *dump, const char *prefix, enum ekb_dump which,
                               struct ekb_fail *reterr_fail)
{
    char *text = NULL;
    char *xml = NULL;
    enum ekb_err err = ekb_diag_dump(&text, &xml, &dump->about, which);
    if (err != EKB_OK) {
        return ekb_fail_set(reterr_fail, err, 0, "diagnostics");
    }
    err = write_file(dump, prefix, "txt", text, 0644, reterr_fail);
    if (err == EKB_OK) {
        err = write_file(dump, prefix, "xml", xml, 0644, reterr_fail);
    }
    free(text);
    free(xml);
    return err;
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
    (void)read_log(&log, options->event_log, &log_fault);
    const struct dump dump = {
        .directory = directory,
        .options = options,
        .about = {.options = options, .store = store, .path = path, .log = log}};
    err = ekb_file_make_dirs(directory, 0700, reterr_fail);
    if (err == EKB_OK) {
        err = write_chain(&dump, "ca", ekb_store_trust(store), reterr_fail);
    }
    for (int i = 0; i < EKB_STORE_NUM_SIDES && err == EKB_OK; i++) {
        const enum ekb_store_side side = (enum ekb_store_side)i;
        err = write_chain(&dump, ekb_diag_sides[side], ekb_store_identity(store, side)->chain,
                          reterr_fail);
    }
    if (err == EKB_OK) {
        err = write_dump(&dump, "xconf_dump", EKB_DUMP_SETTINGS, reterr_fail);
    }
    if (err == EKB_OK) {
        err = write_dump(&dump, "xstat_dump", EKB_DUMP_STATE, reterr_fail);
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
