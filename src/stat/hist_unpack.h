// The text form of a histogram (docs/method.md: HdrHistogram V2, compressed, base64), unpacked.

#ifndef EKUBENCH_SRC_STAT_HIST_UNPACK_H
#define EKUBENCH_SRC_STAT_HIST_UNPACK_H

#include "ekubench/base/err.h"

#include <stddef.h>
#include <stdint.h>

// What a histogram must be like for its counts to be counts of ours.
struct ekb_hist_shape {
    int64_t lowest;
    int64_t highest;
    int32_t digits;
};

// ekb_hist_unpack overwrites `counts`, of which there are `num_counts`, with those of `text`. It
// trusts nothing that the text says. EKB_PARSE if it is no histogram, one of another shape, or its
// counts together are more than INT64_MAX; EKB_NOMEM. After an error the counts are anything.
EKB_NODISCARD enum ekb_err ekb_hist_unpack(int64_t *counts, size_t num_counts,
                                           const struct ekb_hist_shape *shape, const char *text);

#endif
