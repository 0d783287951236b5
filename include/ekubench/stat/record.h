// The record of a run: the data model of the result file, schema "ekubench.result/1".
//
// Everything that is printed about a run is derived from this. Times are nanoseconds; what is
// unknown is absent here and `null` in the file. Keys are added, never renamed, within a schema
// number; the file's meaning is written down in docs/result.md, its form in
// docs/result.schema.json.
//
// A record owns all that it points to; `ekb_record_deinit` frees it. Text fields are fixed arrays,
// always terminated. Not for the hot path: workers count in shared memory (peer/tally), and the
// runner fills the record afterwards.

#ifndef EKUBENCH_STAT_RECORD_H
#define EKUBENCH_STAT_RECORD_H

#include "ekubench/base/err.h"
#include "ekubench/stat/estimate.h"
#include "ekubench/stat/hist.h"
#include "ekubench/stat/moments.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_RECORD_SCHEMA "ekubench.result/1"
#define EKB_RECORD_NAME_LEN 48
#define EKB_RECORD_TEXT_LEN 160
#define EKB_RECORD_LINE_LEN 320 // Of a reason or a note.
#define EKB_RECORD_COMMAND_LEN 1024

// An integer, or a real number, that may be unknown.
struct ekb_record_u64 {
    bool known;
    uint64_t value;
};
struct ekb_record_real {
    bool known;
    double value;
};

// A count under a name: failures by stable code, alerts by name.
struct ekb_record_count {
    char name[EKB_RECORD_NAME_LEN];
    uint64_t count;
};
struct ekb_record_counts {
    struct ekb_record_count *items;
    size_t num_items;
};

// A distribution: exact moments, percentiles (unknown with fewer than ten samples beyond),
// histogram (text owned by the record, newly allocated).
struct ekb_record_summary {
    bool known;
    struct ekb_moments moments;
    struct ekb_record_u64 p50, p90, p99, p999;
    char *hdr; // HdrHistogram V2, or NULL.
};

// Handshakes of one arm as one side saw them. started = accepted + rejected + failed + unfinished.
struct ekb_record_outcomes {
    uint64_t started;
    uint64_t accepted;
    uint64_t rejected;
    uint64_t failed;
    uint64_t unfinished;
    uint64_t resumed;                  // Of the accepted ones.
    struct ekb_record_counts failures; // Of rejected and failed ones, by stable code.
    struct ekb_record_counts alerts;   // Client: received. Server: sent.
};

struct ekb_record_arm {
    char name[EKB_RECORD_NAME_LEN];
    char stage[EKB_RECORD_NAME_LEN];
    char eku[8];    // "on", "off", "none"; "" = unknown
    char verify[8]; // "full", "parse", "raw", "one-way", "tcp" (no TLS); "" = unknown
    uint64_t depth; // Certificates above the leaf of the client's chain; 0: none sent.
    char key[EKB_RECORD_NAME_LEN];     // Key type of the client's chain, "p256".
    char client_eku[64];               // EKUs in the client's leaf.
    char tls[8];                       // "1.2", "1.3", "any"
    char expect[8];                    // "accept", "reject", "refuse"
    uint64_t identities;               // How many its clients present in all.
    char pick[32];                     // By which rule they pick one; "" = there is one.
    struct ekb_record_outcomes client; // The arm's `handshakes`, `failures`, `alerts`.
    struct ekb_record_outcomes server;
    bool server_known; // False when the server was not ours.
    bool resumes;      // Its handshakes are expected to resume a session.
    bool server_cpu_interval_known;
    bool client_cpu_interval_known;
    uint64_t dropped; // Open loop: due when no connection was free; never started.
    struct ekb_record_summary latency_ns;             // Planned start to the server's verdict.
    struct ekb_record_summary uncorrected_latency_ns; // Actual start to it; open loop only.
    struct ekb_record_summary connect_ns;             // Planned start to connected.
    // Time in the connection's own steps on either side (docs/method.md); of the server's, the part
    // inside certificate verification.
    struct ekb_record_summary server_cpu_ns;
    struct ekb_record_summary verify_ns;
    struct ekb_record_summary client_cpu_ns;
    // Means per handshake that ended as expected: accepted, or rejected.
    struct ekb_record_real client_sent_bytes;
    struct ekb_record_real server_sent_bytes;
    struct ekb_estimate server_cpu_interval; // Mean of server_cpu_ns with its interval over slices.
    struct ekb_estimate client_cpu_interval;
};

struct ekb_record_throughput {
    char stage[EKB_RECORD_NAME_LEN];
    char arm[EKB_RECORD_NAME_LEN]; // "" = all arms together.
    double accepted_per_s;         // NaN if unknown: no block was finished.
    bool interval_known;           // Of accepted_per_s, over the blocks.
    struct ekb_estimate interval;
    uint64_t block_ns; // Length of a block.
    uint64_t *blocks;  // Accepted in each block, in order.
    size_t num_blocks;
};

// What the clients of a stage did in an interval of it. Everything counts when it happened: a
// latency when its verdict came.
struct ekb_record_interval {
    uint64_t start_ns; // After the stage's, the warm-up included.
    uint64_t duration_ns;
    uint64_t started;
    uint64_t accepted;
    uint64_t rejected;
    uint64_t failed;
    uint64_t dropped;
    uint64_t in_flight;                           // At its end: started, and no verdict yet.
    struct ekb_record_u64 p50_ns, p99_ns, max_ns; // Latency of expected verdicts.
    struct ekb_record_real steal_percent;         // Of the machine's time, by the hypervisor.
};

struct ekb_record_series {
    char stage[EKB_RECORD_NAME_LEN];
    uint64_t interval_ns;                  // Of each but the last ones, which end with the stage.
    struct ekb_record_interval *intervals; // In order; newly allocated.
    size_t num_intervals;
};

// A block: a stretch of time under load with one arm.
struct ekb_record_block {
    char stage[EKB_RECORD_NAME_LEN];
    char arm[EKB_RECORD_NAME_LEN];
    uint64_t quadruple;
    bool disturbed;       // Its quadruple is left out.
    uint64_t measured_ns; // Its length without the washout.
    uint64_t accepted;    // In it.
    double accepted_per_s;
    struct ekb_record_u64 p99_ns;                        // Of the latency.
    struct ekb_record_real wall_ns;                      // Mean latency / number in flight.
    struct ekb_record_real server_cpu_ns, client_cpu_ns; // All CPU per handshake.
    // Of the whole block, the washout included.
    double steal_percent;
    double wait_percent;
    uint64_t voluntary_switches, involuntary_switches, page_faults; // Of both workers.
    uint64_t retransmitted_segments, listen_overflows;
};

struct ekb_record_effect {
    char question[EKB_RECORD_TEXT_LEN];
    char contrast[EKB_RECORD_TEXT_LEN];
    char stage[EKB_RECORD_NAME_LEN];
    char
        metric[EKB_RECORD_NAME_LEN]; // Of what: "server_cpu_ns", "client_cpu_ns", "wire_bytes", ...
    char unit[16];                   // "ns", "bytes", "%"
    struct ekb_estimate estimate;
    struct ekb_estimate bootstrap; // The cross-check: mean and bootstrap interval.
    double p_adjusted;             // NaN if there was no test.
    double equivalence;            // What counts as no difference that matters; 0: nothing does.
    double mde;
    char verdict[EKB_RECORD_TEXT_LEN];
    char method[EKB_RECORD_TEXT_LEN];
};

// CPU of one side over one stage's measured window.
struct ekb_record_cpu {
    char stage[EKB_RECORD_NAME_LEN];
    uint64_t user_ns, system_ns, total_ns;
    uint64_t handshakes; // Completed (accepted or rejected) in the window.
    uint64_t steps_ns;   // Part of total_ns spent in the connections' steps.
    uint64_t workers;
    uint64_t window_ns; // Wall time of the window, without floor slices, of all workers together.
    struct ekb_record_real per_handshake_ns;   // total_ns / handshakes
    struct ekb_record_real kernel_and_loop_ns; // (total_ns - steps_ns) / handshakes
    struct ekb_record_real busy_percent;
    struct ekb_record_u64 memory_base_bytes; // Resident before the first connection.
    struct ekb_record_u64 memory_peak_bytes;
    struct ekb_record_u64 peak_connections;
    struct ekb_record_real memory_per_connection_bytes;
    uint64_t ring_overflows;
    char ring_setup[EKB_RECORD_TEXT_LEN];
    char cpu_list[32];
};

// A stretch of time of an open loop, in which the rate goes in a straight line.
struct ekb_record_stretch {
    uint64_t duration_ns;
    double begin_per_s, end_per_s;
};

// What is to be said of an open loop only, of its measured time.
struct ekb_record_open_loop {
    bool known;
    char arrivals[EKB_RECORD_NAME_LEN];   // "poisson", "fixed"
    struct ekb_record_stretch *stretches; // From the start, the warm-up included; newly allocated.
    size_t num_stretches;
    double planned_per_s;
    double offered_per_s;                      // Started or dropped.
    struct ekb_record_summary lag_ns;          // Planned to actual start.
    struct ekb_record_summary dropped_wait_ns; // Planned start to when a connection was free.
};

struct ekb_record_stage {
    char name[EKB_RECORD_NAME_LEN];
    char shape[EKB_RECORD_NAME_LEN]; // "closed-loop", "open-loop"
    uint64_t in_flight;              // Open loop: at most.
    struct ekb_record_open_loop open_loop;
    uint64_t ramp_ns;
    uint64_t warmup_ns, duration_ns, slice_ns;
    uint64_t floor_every; // Every n-th slice measures the floor; 0 = none.
    char client[8];       // "full", "cheap"
    char listening[16];   // Of several server workers: "per-worker", "shared"; else "".
    uint64_t num_slices;
    uint64_t num_slices_dropped;        // By the steal rule.
    struct ekb_record_count network[8]; // Change of TcpExt/Tcp counters over the stage.
    size_t num_network;
    struct ekb_record_real steal_percent;
};

struct ekb_record_side_floor {
    struct ekb_record_summary memory_ns;
    bool interval_known;
    struct ekb_estimate interval; // Of the handshake in memory.
    bool tcp_known;
    struct ekb_estimate tcp; // All CPU per connection that exchanges the same bytes without TLS.
    bool measured_known;
    struct ekb_estimate measured; // All CPU per handshake over the loop.
    bool tax_known;
    struct ekb_estimate tax_percent;    // 100 (measured / (memory + tcp) - 1)
    struct ekb_record_real over_memory; // measured / memory
    struct ekb_record_real steps_over_memory;
};

// One trial of a search for the highest rate that meets an objective.
struct ekb_record_trial {
    char purpose[16]; // "search", "validation"
    double rate_per_s;
    uint64_t duration_ns;
    uint64_t seed;                    // Of its arrivals.
    char outcome[8];                  // "passed", "failed", "invalid"
    char reason[EKB_RECORD_TEXT_LEN]; // Why it did not pass.
    double offered_per_s;
    struct ekb_record_u64 latency_ns; // At the objective's percentile, of all that were due.
    struct ekb_record_u64 lag_p99_ns;
    uint64_t due, accepted, errors; // Of the measured time; errors: failed, rejected, dropped.
    uint64_t dropped;               // Of the whole trial: no connection was free.
    // Connections under way, in its first and in its last third (stat/backlog).
    struct ekb_record_real in_flight_begin, in_flight_end;
    struct ekb_record_real server_busy_percent, client_busy_percent;
};

// A closed loop that was tried for the ceiling.
struct ekb_record_ceiling {
    uint64_t in_flight;
    double accepted_per_s;
    struct ekb_record_real server_busy_percent, client_busy_percent;
};

// How the capacity differs with another treatment. A cost is measured side by side with the main
// treatment's; a rate is projected from that, unless it was searched for.
struct ekb_record_variant {
    char name[EKB_RECORD_NAME_LEN]; // "main", "eku=off", "depth=3", "key=rsa2048"
    char eku[8];
    uint64_t depth;
    char key[EKB_RECORD_NAME_LEN];
    bool cost_known;
    struct ekb_estimate cost_factor;   // To the main treatment's.
    struct ekb_estimate server_cpu_ns; // The main treatment's at the answer, times the factor.
    bool rate_known;
    struct ekb_estimate projected_per_s; // PROJECTED: where the server is as busy as at the answer.
    struct ekb_record_real target_cores; // PROJECTED, likewise.
    bool searched;                       // Measured, by a search of its own:
    char state[16];
    double ceiling_per_s, lower_per_s, upper_per_s;
};
#define EKB_RECORD_MAX_VARIANTS 12

// The load that a target has beside what is measured: projected.
struct ekb_record_mix {
    bool known; // Asked for.
    double reject_share, resume_share;
    // Measured, as for a variant: the server's cost of a rejected handshake; of a resumed one, and
    // of the full one that it has its ticket from.
    bool rejected_known;
    struct ekb_estimate rejected_cpu_ns;
    bool resumed_known;
    struct ekb_estimate resumed_cpu_ns, tickets_cpu_ns;
    // PROJECTED, where the server is as busy as at the answer. Of all, rejected ones included.
    bool rate_known;
    double mean_cpu_ns;
    struct ekb_estimate rate_per_s;
    double accepted_per_s;
    struct ekb_record_real target_cores;
};

// The answer to "how many can it take?". Projections are marked so.
struct ekb_record_capacity {
    bool known;
    double percentile; // The objective: that percentile of latency
    uint64_t limit_ns; // is at most this,
    double max_error_share;
    // "found", "ceiling", "generator", "nothing", "exhausted", "ended", "unvalidated",
    // "disturbed"
    char state[16];
    double ceiling_per_s; // Of the closed loops, the best.
    struct ekb_record_ceiling *ceilings;
    size_t num_ceilings;
    double highest_per_s; // No trial is above it: it could not be told from an overload.
    double lower_per_s;   // The highest rate that meets the objective, validated; 0: none does.
    double upper_per_s;   // The lowest that does not; infinite if none fails to.
    // In their order; those validations that are not `validation`, too.
    struct ekb_record_trial *trials;
    size_t num_trials;
    // Of the validation at `lower_per_s`.
    bool validated;
    struct ekb_record_trial validation;
    struct ekb_record_real server_cpu_ns, client_cpu_ns;
    struct ekb_record_real server_utilisation; // Of the server's cores, there: at most 1.
    // The same with their intervals over the validation's blocks.
    bool blocks_known;
    struct ekb_estimate server_cpu_blocks, client_cpu_blocks, utilisation_blocks;
    uint64_t server_cores; // 0: not ours.
    char limiter[32];
    // Projections.
    struct ekb_record_real target_per_s, target_cores, target_machines, headroom;
    struct ekb_record_mix mix;
    struct ekb_record_variant variants[EKB_RECORD_MAX_VARIANTS]; // The first is the main one.
    size_t num_variants;
};

// A result that a merged one is made of.
struct ekb_record_part {
    char kind[16];
    char started_at[32];
    uint64_t duration_ns;
    uint64_t seed;
    uint64_t client_workers;
    uint64_t started; // Handshakes that its clients began.
    bool clean;
    char version[32], git[64];
    char kernel[96], cpu_model[96];
    uint64_t cpus, memory_bytes;
};

#define EKB_RECORD_MAX_REASONS 24

struct ekb_record {
    char kind[16]; // "measure", "load", "capacity", "merge"
    char started_at[32];
    uint64_t duration_ns;

    struct ekb_record_part *parts; // Of a merged result (stat/merge), in their order.
    size_t num_parts;

    struct {
        char version[32], git[64], compiler[96], flags[192], build_type[32];
        char boringssl_revision[64], liburing[32], hdr_histogram[32], jansson[32], zlib[32];
        char criterion[32];
        uint64_t boringssl_api_version;
        bool boringssl_assembly_known;
        bool boringssl_assembly;
    } build;

    struct {
        char kernel[96], cpu_model[96], clocksource[32], congestion_control[32];
        uint64_t cpus, memory_bytes, descriptors_limit, somaxconn;
        char port_range[32];
        struct ekb_record_real steal_percent;
        bool virtual_machine_known, virtual_machine;
    } host;

    struct {
        char name[EKB_RECORD_NAME_LEN];
        uint64_t seed; // At most INT64_MAX, to be readable from the file.
        char tls[8], groups[256], cipher[64], key[EKB_RECORD_NAME_LEN];
        char group[32], server_signature[32]; // Negotiated, as `cipher`.
        char target[EKB_RECORD_TEXT_LEN];     // "" = the embedded server; else ADDR:PORT.
        // The deployment whose links are the arms, and its release; "".
        char scenario[EKB_RECORD_NAME_LEN], release[16];
        char confirm[16]; // As ekb_confirm_name says.
        // For a shell, without what says where the result goes; "" = unknown.
        char command[EKB_RECORD_COMMAND_LEN];
        uint64_t server_workers, client_workers;
        uint64_t deadline_ns;
        struct ekb_record_stage *stages;
        size_t num_stages;
    } plan;

    struct ekb_record_arm *arms;
    size_t num_arms;
    struct ekb_record_throughput *throughput;
    size_t num_throughput;
    struct ekb_record_series *series; // Of stages under load.
    size_t num_series;
    struct ekb_record_effect *effects;
    size_t num_effects;
    struct ekb_record_block *blocks;
    size_t num_blocks;

    struct ekb_record_capacity capacity;

    bool floors_known;
    struct ekb_record_side_floor server_floor, client_floor;

    struct ekb_record_cpu *server_cpu; // One per stage.
    size_t num_server_cpu;
    struct ekb_record_cpu *client_cpu;
    size_t num_client_cpu;

    bool interrupted;
    char reasons[EKB_RECORD_MAX_REASONS]
                [EKB_RECORD_LINE_LEN]; // Why the numbers are not to be trusted.
    size_t num_reasons;
    char notes[EKB_RECORD_MAX_REASONS]
              [EKB_RECORD_LINE_LEN]; // What a reader should know all the same.
    size_t num_notes;
};

// EKB_RECORD_COPY copies `text` into the array `field`, cut to fit.
#define EKB_RECORD_COPY(field, text) ekb_record_copy_text((field), sizeof(field), (text))
void ekb_record_copy_text(char *out_text, size_t text_len, const char *text);

// ekb_record_deinit frees all that `record` owns and zeroes it. A zeroed record is legal.
void ekb_record_deinit(struct ekb_record *record);

// ekb_record_add_reason and ekb_record_add_note append a formatted line; one that does
// not fit ends with "...", and when full, the last line is replaced by "and more".
// `ekb_record_is_clean` is true if there is no reason.
void ekb_record_add_reason(struct ekb_record *record, const char *format, ...) EKB_PRINTF(2, 3);
void ekb_record_add_note(struct ekb_record *record, const char *format, ...) EKB_PRINTF(2, 3);
bool ekb_record_is_clean(const struct ekb_record *record);

// ekb_record_num_expected returns how many handshakes of the arm ended as they were expected to, as
// the client saw them: accepted, rejected, or, where it is to refuse the server, refused by it.
uint64_t ekb_record_num_expected(const struct ekb_record_arm *arm);

// ekb_record_base_kind returns what was run: the kind, of a merged result that of its parts.
const char *ekb_record_base_kind(const struct ekb_record *record);

// ekb_record_estimate_rate gives the rate of `row` its interval over the blocks, if they are
// enough. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_record_estimate_rate(struct ekb_record_throughput *row);

// ekb_record_counts_add adds `count` to what `name` has, appending it if it is new. 0 adds nothing,
// not even the name. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_record_counts_add(struct ekb_record_counts *counts, const char *name,
                                                 uint64_t count);

// ekb_record_summarize overwrites `*out_summary` from exact moments and a histogram of the same
// samples (which may be NULL: no percentiles). A percentile with fewer than ten samples beyond it
// stays unknown; none lies outside the exact minimum and maximum. Free its `hdr` unless a record
// comes to own it. EKB_NOMEM, EKB_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_record_summarize(struct ekb_record_summary *out_summary,
                                                const struct ekb_moments *moments,
                                                const struct ekb_hist *hist);

// ekb_record_percentile returns the percentile `permille` / 10 of `hist`, at most its largest
// value: unknown with fewer than ten samples beyond it.
struct ekb_record_u64 ekb_record_percentile(const struct ekb_hist *hist, unsigned permille);

// ekb_record_to_json returns the record as a newly-allocated JSON text (keys in the order of the
// schema, indented by 2, ends with a newline); free it with `free`. A number that is not finite
// becomes `null`, and so does an empty text that may be unknown; bytes that are not UTF-8 become
// "?". EKB_NOMEM; EKB_TOO_BIG if an integer is above INT64_MAX, the largest that JSON readers agree
// on.
EKB_NODISCARD enum ekb_err ekb_record_to_json(char **out_text, const struct ekb_record *record);

// ekb_record_from_json overwrites `*out_record` with the record that ekb_record_to_json wrote as
// the `len` bytes of `text`, on whatever machine and by whatever version: written again it is the
// same, and so is every report of it. What older versions did not write is unknown; what later ones
// write beside it is left out, and so is an effect whose estimate or interval is `null`: any other
// interval that is not whole is unknown. Control characters become "?". The text may come from
// anywhere. EKB_PARSE, with where and what is wanted in `reterr_fail`, if it is no JSON, no result,
// one of another schema, or has values that cannot be; EKB_NOMEM. The record is empty then.
EKB_NODISCARD enum ekb_err ekb_record_from_json(struct ekb_record *out_record, const char *text,
                                                size_t len, struct ekb_fail *reterr_fail);

// ekb_record_find_arm returns the arm called `name` in stage `stage`, or NULL.
const struct ekb_record_arm *ekb_record_find_arm(const struct ekb_record *record, const char *stage,
                                                 const char *name);

// ekb_record_find_series returns the series of `stage`, or NULL.
const struct ekb_record_series *ekb_record_find_series(const struct ekb_record *record,
                                                       const char *stage);

// ekb_record_find_cpu returns the row of `stage`, or NULL.
const struct ekb_record_cpu *ekb_record_find_cpu(const struct ekb_record_cpu *rows, size_t num_rows,
                                                 const char *stage);

#endif
