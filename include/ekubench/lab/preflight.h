// Preflight: does what a run will have open at a time fit into the limits of this machine?
//
// Descriptors, local ports, the accept queue, connection tracking: each check says what there is,
// what is wanted, and how to get it, before anything has been started. The arithmetic is pure; the
// limits are read by ekb_preflight_read_limits.

#ifndef EKUBENCH_LAB_PREFLIGHT_H
#define EKUBENCH_LAB_PREFLIGHT_H

#include "ekubench/base/err.h"
#include "ekubench/peer/server.h"
#include "ekubench/stat/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the system allows. 0: not known.
struct ekb_preflight_limits {
    uint64_t descriptors; // Of one process, raised as far as it may.
    uint64_t ports;       // Local ones, for each source address.
    uint64_t somaxconn;
    uint64_t conntrack_max; // 0 also where connections are not tracked.
    uint64_t conntrack_count;
};

// What a run wants.
struct ekb_preflight_load {
    uint64_t in_flight; // Of all client workers together.
    uint64_t at_once;   // Of these, at most so many are begun before a server can accept them.
    uint32_t client_workers;
    uint32_t server_workers; // 0: the server is not ours.
    enum ekb_listening listening;
    bool is_loopback4; // Clients have the addresses of 127.0.0.0/8; else one.
};

enum ekb_preflight_level {
    EKB_PREFLIGHT_OK,
    EKB_PREFLIGHT_NOTE,       // It may go wrong, and shows then.
    EKB_PREFLIGHT_IMPOSSIBLE, // It must go wrong.
};

struct ekb_preflight_finding {
    const char *check; // A string literal.
    enum ekb_preflight_level level;
    enum ekb_err err; // If it is impossible.
    char found[160];  // What there is, and what is wanted.
    char advice[160]; // How to get it; "" if there is nothing to do.
};

#define EKB_PREFLIGHT_NUM_CHECKS 4

// ekb_preflight_check makes all checks. Pure.
void ekb_preflight_check(struct ekb_preflight_finding out_findings[EKB_PREFLIGHT_NUM_CHECKS],
                         const struct ekb_preflight_load *load,
                         const struct ekb_preflight_limits *limits);

// ekb_preflight_read_limits reads the limits of this process and machine.
void ekb_preflight_read_limits(struct ekb_preflight_limits *out_limits);

// ekb_preflight_pass makes all checks for the stage called `stage` and notes in `record` what may
// go wrong. EKB_DESCRIPTORS, EKB_CONNECT_NO_PORT or EKB_SYSTEM if something must; the detail names
// all of that, as far as there is room.
EKB_NODISCARD enum ekb_err ekb_preflight_pass(struct ekb_record *record, const char *stage,
                                              const struct ekb_preflight_load *load,
                                              struct ekb_fail *reterr_fail);

// ekb_preflight_at_once returns how many of `in_flight` connections of a closed loop are begun
// before the server can accept them, if `ramp_ns` pass until all are.
uint64_t ekb_preflight_at_once(uint64_t in_flight, uint64_t ramp_ns);

// ekb_preflight_room returns for how many connections each server worker needs room at least: the
// kernel does not deal them out evenly, and some are ending while their successors begin. With one
// worker or several, twice `in_flight` is enough in any case.
uint64_t ekb_preflight_room(uint64_t in_flight, uint32_t server_workers);

// ekb_preflight_most returns how many connections of `load` (whose own number does not matter) the
// open files of `limits` allow; UINT64_MAX if they are not known. Pure.
uint64_t ekb_preflight_most(const struct ekb_preflight_load *load,
                            const struct ekb_preflight_limits *limits);

#endif
