// The file of --listeners: one listener a line, each in one word; # begins a comment.

#ifndef EKUBENCH_SRC_CLI_LISTENERS_H
#define EKUBENCH_SRC_CLI_LISTENERS_H

#include "ekubench/base/err.h"

#include <stddef.h>

#define EKB_LISTENERS_MAX 64

struct ekb_listeners_file {
    const char *words[EKB_LISTENERS_MAX]; // Point into `text`.
    size_t num_words;
    char *text;
};

// ekb_listeners_read reads the file `path`; release with `ekb_listeners_deinit` (zeroed is legal).
// Errors of ekb_file_read; EKB_USAGE if a line has more than one word or there are more than
// EKB_LISTENERS_MAX.
EKB_NODISCARD enum ekb_err ekb_listeners_read(struct ekb_listeners_file *out_file, const char *path,
                                              struct ekb_fail *reterr_fail);
void ekb_listeners_deinit(struct ekb_listeners_file *file);

#endif
