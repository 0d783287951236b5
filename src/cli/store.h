// What the verbs of `ekubench store` share.

#ifndef EKUBENCH_SRC_CLI_STORE_H
#define EKUBENCH_SRC_CLI_STORE_H

#include "cli/cli.h"

#include "ekubench/pki/key.h"
#include "ekubench/store/admin.h"
#include "ekubench/store/release.h"
#include "ekubench/store/store.h"

#include <stddef.h>
#include <stdint.h>

// In which form certificates are shown.
enum ekb_store_form {
    EKB_STORE_FORM_TEXT,
    EKB_STORE_FORM_PEM,
    EKB_STORE_FORM_JSON,
};

#define EKB_STORE_MAX_WORDS 8
#define EKB_STORE_MAX_NAMES 64

struct ekb_store_list {
    const char *items[EKB_STORE_MAX_NAMES];
    size_t len;
};

// What stands on the command line.
struct ekb_store_words {
    const char *words[EKB_STORE_MAX_WORDS]; // Verb, and what it is done to.
    size_t num_words;
    uint32_t options; // Those that were given.
    const char *store;
    const char *certificate;
    const char *key_file;
    enum ekb_upload_key key;
    enum ekb_upload_copy copy;
    const char *password_file;
    struct ekb_release_node node; // Whose gate an upload meets.
    enum ekb_store_form form;
    enum ekb_upgrade_mode upgrade;
    const char *issuer;
    const char *common_name;
    const char *organization;
    enum ekb_key_type key_type;
    struct ekb_store_list dns_names;
    struct ekb_store_list ip_addresses;
    const char *output;
    const char *event_log;
    struct ekb_store_list listen;
    const char *listeners;
    uint64_t capture_s;
};

// The verbs that change something (store_change.c). They return the exit status.
int ekb_store_init(const struct ekb_store_words *words);
int ekb_store_reset(const struct ekb_store_words *words);
int ekb_store_upload(const struct ekb_store_words *words);
int ekb_store_upgrade(const struct ekb_store_words *words);
int ekb_store_trust_add(const struct ekb_store_words *words);
int ekb_store_trust_remove(const struct ekb_store_words *words);
int ekb_store_csr_new(const struct ekb_store_words *words);
int ekb_store_csr_show(const struct ekb_store_words *words);
int ekb_store_csr_discard(const struct ekb_store_words *words);

// ekb_store_show prints those of both stores and the trusted CA list of the store `path` that are
// in the set `parts`, and returns the exit status; what is wrong with a part is said, and the rest
// is shown. ekb_store_show_trust prints the trusted CA list alone, which must be whole.
int ekb_store_show(const char *path, enum ekb_store_form form, unsigned parts);
int ekb_store_show_trust(const char *path, enum ekb_store_form form);

// ekb_store_warn says on standard error what is wrong, if anything is.
void ekb_store_warn(const struct ekb_fail *fault);

struct ekb_store_diag {
    const char *store;
    const char *output;
    const char *event_log;               // Or NULL.
    const struct ekb_store_list *listen; // Listeners as of `serve --listen`.
    const char *listeners;               // A file as `serve --listeners` reads it, or NULL.
    unsigned capture_s;                  // 0: no packets.
};

// ekb_store_write_diag writes diagnostics and returns the exit status. A capture that is not
// allowed or not possible is said, and status 3; the other files are there all the same.
int ekb_store_write_diag(const struct ekb_store_diag *wish);

#endif
