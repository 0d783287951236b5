// Diagnostics of a store: one directory of files for whoever has to help (docs/domain.md section
// 7). Certificates only; never a key.

#ifndef EKUBENCH_STORE_DIAG_H
#define EKUBENCH_STORE_DIAG_H

#include "ekubench/base/err.h"

#include <stddef.h>
#include <stdint.h>

// A setting or a state, as a name with dots and a value.
struct ekb_diag_item {
    const char *name;
    const char *value;
};

struct ekb_diag_options {
    const char *host;      // For the file names; letters, digits, dots and hyphens of it.
    int64_t now;           // Seconds since the epoch: the one time stamp of all names (local time).
    const char *event_log; // File whose end becomes loggingsnapshot, or NULL.
    // Settings beside those of the store, as of listeners.
    const struct ekb_diag_item *settings;
    size_t num_settings;
    // Gets what is wrong with the store, a fault at a time; or NULL. It is in xstat_dump too.
    void (*on_fault)(const struct ekb_fail *fault);
};

// Enough for any name that ekb_diag_file_name writes.
#define EKB_DIAG_NAME_LEN 256

// ekb_diag_file_name writes "`prefix`_<host>_<YYYY-MM-DD_HH_MM_SS>.`suffix`" into `out_name` and
// returns it.
const char *ekb_diag_file_name(char out_name[EKB_DIAG_NAME_LEN],
                               const struct ekb_diag_options *options, const char *prefix,
                               const char *suffix);

// ekb_diag_write writes the diagnostics of the store `path` into the directory `directory`, which
// is made (mode 0700) if it is missing: ca_, server_ and client_ (PEM; missing if there is none),
// xconf_dump_ and xstat_dump_ (txt and xml), loggingsnapshot_. Each file whole or not at all.
// What is wrong with a part of the store keeps nobody from writing the rest. Errors of
// ekb_store_survey and ekb_file_*; an event log that cannot be
// read, or is none (a private key, say), is said in loggingsnapshot, and is the error returned
// after everything else was written.
EKB_NODISCARD enum ekb_err ekb_diag_write(const char *directory, const char *path,
                                          const struct ekb_diag_options *options,
                                          struct ekb_fail *reterr_fail);

#endif
