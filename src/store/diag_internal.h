// The dumps of the diagnostics: lines of "name: value", and the same as XML.

#ifndef EKUBENCH_SRC_STORE_DIAG_INTERNAL_H
#define EKUBENCH_SRC_STORE_DIAG_INTERNAL_H

#include "ekubench/base/err.h"
#include "ekubench/store/diag.h"
#include "ekubench/store/store.h"

enum ekb_dump {
    EKB_DUMP_SETTINGS,
    EKB_DUMP_STATE, // States and counters.
};

// What the dumps are about. All borrowed.
struct ekb_diag_about {
    const struct ekb_diag_options *options;
    const struct ekb_store *store;
    const char *path;
    const char *log; // The end of the event log, or NULL.
};

// The sides' names in names of files and items.
extern const char *const ekb_diag_sides[EKB_STORE_NUM_SIDES];

// ekb_diag_dump returns a dump in both forms, newly allocated; free them with `free`. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_diag_dump(char **out_text, char **out_xml,
                                         const struct ekb_diag_about *about, enum ekb_dump which);

#endif
