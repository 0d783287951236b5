// Timers inside of certificate verification: what its parts cost where they happen, on the
// certificates of a real handshake, just verified.
//
// The purpose check is made again (its first run was the library's own, inside of the
// verification), so that the library's caches are as it found them. A timer costs about as much as
// the check: an empty one is measured beside it, to be taken off; and the check is repeated, so
// that a slope over the number of repeats has no timer in it.

#ifndef EKUBENCH_PKI_PROBE_H
#define EKUBENCH_PKI_PROBE_H

#include "ekubench/base/clock.h"

#include <stdint.h>

// One look at one verified chain.
struct ekb_probe_sample {
    uint64_t empty_ns; // A timer around nothing.
    // A timer around the purpose check (clientAuth) of each certificate: sums over the first look,
    // after signatures have been verified and the processor's caches are full of that, and over a
    // second one right after it.
    uint64_t first_ns;
    uint64_t purpose_ns;
    uint32_t num_checked; // Certificates that the peer sent: the leaf and the intermediates.
    uint64_t parse_ns;    // Parsing each of them anew, its extensions included: sum.
    uint64_t repeats_ns;  // A timer around `repeats` purpose checks of the leaf.
    uint32_t repeats;
};

// ekb_probe_measure takes one sample. `chain` is what a TLS observer is given
// (tls/config). Certificates beyond the tenth are left out.
void ekb_probe_measure(struct ekb_probe_sample *out_sample, void *chain,
                       const struct ekb_clock *clock, uint32_t repeats);

#endif
