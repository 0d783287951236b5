// What the verbs of `ekubench store` share.

#ifndef EKUBENCH_SRC_CLI_STORE_H
#define EKUBENCH_SRC_CLI_STORE_H

#include "cli/cli.h"

#include "ekubench/pki/cert.h"
#include "ekubench/store/store.h"

// In which form certificates are shown.
enum ekb_store_form {
    EKB_STORE_FORM_TEXT,
    EKB_STORE_FORM_PEM,
    EKB_STORE_FORM_JSON,
};

// ekb_store_show prints both stores and the trusted CA list of the store `path` and returns the
// exit status; what is wrong with a part is said, and the rest is shown. ekb_store_show_trust
// prints the trusted CA list alone, and reads nothing else.
int ekb_store_show(const char *path, enum ekb_store_form form);
int ekb_store_show_trust(const char *path, enum ekb_store_form form);

// ekb_store_warn says on standard error what is wrong, if anything is.
void ekb_store_warn(const struct ekb_fail *fault);

struct ekb_store_diag {
    const char *store;
    const char *output;
    const char *event_log; // Or NULL.
    const char *listeners; // A file as `serve --listeners` reads it, or NULL.
    unsigned capture_s;    // 0: no packets.
};

// ekb_store_write_diag writes diagnostics and returns the exit status. A capture that is not
// allowed or not possible is said, and status 3; the other files are there all the same.
int ekb_store_write_diag(const struct ekb_store_diag *wish);

#endif
