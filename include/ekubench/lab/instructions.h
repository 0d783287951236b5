// Instructions: what a handshake takes, counted instead of timed, so that the number has no noise.
//
// Handshakes are made in memory under valgrind's callgrind, which counts while one function runs
// and not otherwise: all that the client does, all that the server does, or the server's
// verification of the client's chain. The kernel is not in it. The processor features that the TLS
// library may use are fixed at what every x86-64 with AES-NI has, so that a count does not depend
// on the machine.

#ifndef EKUBENCH_LAB_INSTRUCTIONS_H
#define EKUBENCH_LAB_INSTRUCTIONS_H

#include "ekubench/base/err.h"
#include "ekubench/pki/policy.h"
#include "ekubench/tls/config.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A handshake that is counted: EKU mode on, off or none, or no client certificate at all.
struct ekb_count_scenario {
    const char *name; // "tls1.3-on-d1"
    enum ekb_tls_version version;
    enum ekb_eku_mode eku;
    enum ekb_verify_level verify;
    unsigned depth; // Of the client's chain.
};

#define EKB_NUM_COUNT_SCENARIOS 7
extern const struct ekb_count_scenario ekb_count_scenarios[EKB_NUM_COUNT_SCENARIOS];

// ekb_count_scenario_find returns the scenario called `name`, or NULL.
const struct ekb_count_scenario *ekb_count_scenario_find(const char *name);

// Whose instructions.
enum ekb_count_part {
    EKB_COUNT_CLIENT,
    EKB_COUNT_SERVER,
    EKB_COUNT_VERIFY, // Of the server's: the verification of the client's chain.
    EKB_COUNT_NUM_PARTS
};

// ekb_count_part_name returns "client", "server" or "verify"; ekb_count_part_parse reads one back
// (EKB_USAGE).
const char *ekb_count_part_name(enum ekb_count_part part);
EKB_NODISCARD enum ekb_err ekb_count_part_parse(enum ekb_count_part *out_part, const char *text);

// ekb_count_scenario_run mints what the scenario needs and makes `num_handshakes` handshakes in
// memory: the body of the process that callgrind watches for `part`. The handshake's error, if one
// fails; errors of ekb_stores_create.
EKB_NODISCARD enum ekb_err ekb_count_scenario_run(const struct ekb_count_scenario *scenario,
                                                  enum ekb_count_part part, uint64_t num_handshakes,
                                                  struct ekb_fail *reterr_fail);

// Counts per handshake by scenario and part; 0 where nothing runs.
struct ekb_instructions {
    uint64_t num_handshakes;
    bool is_frozen; // Chance was taken out of the counted process; without it counts vary by some
                    // 0.1 %.
    double counts[EKB_NUM_COUNT_SCENARIOS][EKB_COUNT_NUM_PARTS];
};

#define EKB_INSTRUCTIONS_HANDSHAKES 64

// ekb_instructions_count runs `binary` (an ekubench) under callgrind, once for each scenario and
// part, as many at a time as there are processors. `stop` may be NULL. EKB_NOT_FOUND if valgrind is
// not installed, EKB_UNSUPPORTED if the binary cannot be counted (an ekubench that cannot do this,
// a sanitizer), EKB_STOPPED, EKB_SYSTEM, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_instructions_count(struct ekb_instructions *out_counts,
                                                  const char *binary, uint64_t num_handshakes,
                                                  const volatile sig_atomic_t *stop,
                                                  struct ekb_fail *reterr_fail);

#endif
