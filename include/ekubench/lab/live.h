// Live figures: what the clients of a stage did in the last second, from tallies that still grow.
//
// The parent looks at them every now and then (lab/stage); when a second has passed since the last
// time, what came in it is what the counts have grown by, and what the histograms of the series
// have gained. Everything is counted in exactly one second. No clock: a caller gives the time.

#ifndef EKUBENCH_LAB_LIVE_H
#define EKUBENCH_LAB_LIVE_H

#include "ekubench/base/err.h"
#include "ekubench/peer/tally.h"
#include "ekubench/stat/hist.h"
#include "ekubench/stat/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The last full second. A look may come late: it is then a little longer.
struct ekb_live_second {
    bool known; // False until one is over.
    uint64_t length_ns;
    uint64_t completed; // Accepted or rejected.
    uint64_t failed;
    uint64_t dropped;
    // Latency of expected verdicts, from the planned start; unknown without a series, and with
    // fewer than ten samples beyond a percentile.
    struct ekb_record_u64 p50_ns, p99_ns, max_ns;
};

struct ekb_live {
    struct ekb_live_second last;
    uint64_t origin_ns;
    uint64_t begin_ns;             // Of the second that goes on.
    struct ekb_live_second before; // Totals when it began,
    struct ekb_hist *hist_before;  // and the latencies in the interval
    size_t interval;               // in which it did.
    struct ekb_hist *hist_now;
    struct ekb_hist *hist_since;
};

// ekb_live_init prepares for tallies that begin with zero at `origin_ns`; release it with
// `ekb_live_deinit`, also after an error. A zeroed one is legal. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_live_init(struct ekb_live *live, uint64_t origin_ns);
void ekb_live_deinit(struct ekb_live *live);

// ekb_live_look looks at the tallies of all clients, always the same, at `now_ns`. If a second is
// over, it becomes `live->last`, and the next one begins.
void ekb_live_look(struct ekb_live *live, const struct ekb_tally *const *tallies,
                   size_t num_tallies, uint64_t now_ns);

#endif
