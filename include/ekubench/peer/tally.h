// The tally of one worker: everything that it counts, in memory shared with its parent.
//
// One writer (the worker), one reader (the parent, who may look while it grows and reads for good
// after the worker has ended). No locks: the fields are plain 64-bit numbers, and what the parent
// reads early is for a progress line only. Allocated whole before the worker starts; nothing in it
// grows.

#ifndef EKUBENCH_PEER_TALLY_H
#define EKUBENCH_PEER_TALLY_H

#include "ekubench/base/err.h"
#include "ekubench/peer/series.h"
#include "ekubench/stat/estimate.h"
#include "ekubench/stat/hist.h"
#include "ekubench/stat/moments.h"

#include <stddef.h>
#include <stdint.h>

#define EKB_TALLY_NUM_ALERTS 256

// What is expected of the connections of an arm: only what ends so is measured.
enum ekb_expect {
    EKB_EXPECT_REJECT, // The server rejects the client.
    EKB_EXPECT_ACCEPT,
    EKB_EXPECT_REFUSE, // The client refuses the server.
};

// ekb_expect_name returns "reject", "accept" or "refuse".
const char *ekb_expect_name(enum ekb_expect expect);

// Samples of one quantity: exact moments beside the histogram.
struct ekb_distribution {
    struct ekb_moments moments;
    struct ekb_hist *hist;
};

struct ekb_tally_arm {
    // Every handshake, warm-up included. started = accepted + rejected + failed + unfinished, once
    // the worker has ended.
    uint64_t started;
    uint64_t accepted;
    uint64_t rejected;
    uint64_t failed;
    uint64_t unfinished;
    uint64_t resumed; // Of the accepted ones.
    uint64_t dropped; // Client, open loop: due when no connection was free; never started.
    uint64_t failures[EKB_ERR_COUNT];
    uint64_t alerts[EKB_TALLY_NUM_ALERTS]; // Client: received. Server: sent.

    // Handshakes with the arm's expected outcome that ended in a measured slice.
    struct ekb_distribution latency;     // Client only. From the planned start.
    struct ekb_distribution uncorrected; // Client, open loop. From the actual start.
    struct ekb_distribution connect;     // Client only.
    struct ekb_distribution steps;
    struct ekb_distribution verify;
    uint64_t sent_bytes; // On the wire, TLS records with their headers.
    struct ekb_slice_sum *steps_by_slice;
    struct ekb_slice_sum *wire_by_slice; // Bytes sent and received, TLS records with their headers.
};

// What the kernel did to a worker in a slice.
struct ekb_tally_usage {
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
    uint64_t minor_faults;
    uint64_t major_faults;
};

// What probes have measured (pki/probe), each a sum over samples by slice.
enum ekb_tally_probe {
    EKB_TALLY_PROBE_EMPTY,
    EKB_TALLY_PROBE_FIRST,   // By certificate: the first look at its purpose.
    EKB_TALLY_PROBE_PURPOSE, // By certificate: the second.
    EKB_TALLY_PROBE_PARSE,   // By certificate.
    EKB_TALLY_PROBE_VERIFY,  // By handshake.
    EKB_TALLY_PROBE_REPEATS, // And the next ones: of so many repeats, as ekb_tally_repeats says.
    EKB_TALLY_NUM_REPEATS = 4,
    EKB_TALLY_NUM_PROBES = EKB_TALLY_PROBE_REPEATS + EKB_TALLY_NUM_REPEATS
};
extern const uint32_t ekb_tally_repeats[EKB_TALLY_NUM_REPEATS]; // 0, 8, 32, 64

struct ekb_tally {
    size_t num_arms;
    size_t num_slices;
    size_t num_blocks;
    struct ekb_tally_arm *arms;

    // By slice. `cpu_ns_at[i]` is the worker's CPU time at the start of slice i (num_slices + 1
    // entries; 0: not reached).
    uint64_t *cpu_ns_at;
    uint64_t *open_at; // Connections open at the start of slice i; as many entries.
    struct ekb_tally_usage *usage;
    uint64_t *run_delay_ns; // How long something else had the worker's CPU.
    uint64_t *steps_ns;
    uint64_t *completed;       // Accepted or rejected.
    uint64_t *accepted_by_arm; // [slice * num_arms + arm]

    struct ekb_slice_sum *probes[EKB_TALLY_NUM_PROBES]; // Server only; by slice.
    struct ekb_distribution
        *latency_by_block; // Client only; of the block's arm, without the washout.

    struct ekb_distribution floor; // The in-memory handshake, this side's part of it.
    struct ekb_slice_sum *floor_by_slice;

    // Client, open loop, of those planned in measured slices.
    struct ekb_distribution lag;          // From a planned start to the actual one.
    struct ekb_distribution dropped_wait; // From a dropped one's planned start until a connection
                                          // was free: what its latency would have been at least.

    struct ekb_series *series; // Client only; owned. NULL: none is kept.

    uint64_t num_overflows;     // Of the completion queue.
    uint64_t num_accept_errors; // Server: accept failed, as for want of descriptors.
    uint64_t ended_ns;          // When the worker had nothing more to do (CLOCK_MONOTONIC).
    uint64_t open_connections;
    uint64_t peak_connections;
    uint64_t user_ns; // CPU of the measured part as the kernel splits it.
    uint64_t system_ns;
    char ring_setup[128];
    char version[16]; // Negotiated in the first full handshake.
    char cipher[64];
    char group[32];
    char signature[32]; // The server's.
};

// ekb_tally_create makes an empty tally in newly-mapped shared memory; release it with
// `ekb_tally_destroy` (NULL is legal). EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_tally_create(struct ekb_tally **out_tally, size_t num_arms,
                                            size_t num_slices, size_t num_blocks);
void ekb_tally_destroy(struct ekb_tally *tally);

// ekb_tally_merge adds what `from` has counted to `to`, another tally of the same size, when both
// workers have ended: counts, sums and histograms add up, exactly. Processor time of a slice is
// known if both reached its end; of delays the longer one counts, for either disturbs the slice. If
// one keeps a series both do.
void ekb_tally_merge(struct ekb_tally *to, const struct ekb_tally *from);

// ekb_tally_settle counts as unfinished what a worker had under way that died, and has it end now,
// at `now_ns` (CLOCK_MONOTONIC).
void ekb_tally_settle(struct ekb_tally *tally, uint64_t now_ns);

// ekb_distribution_add counts one sample.
void ekb_distribution_add(struct ekb_distribution *distribution, uint64_t value_ns);

#endif
