// Which CPUs workers run on.
//
// What the user says (`--pin auto|off|LIST`) as data, and the CPU of each worker that follows from
// it. Pure but for ekb_pin_check, which asks the system which CPUs there are.

#ifndef EKUBENCH_PEER_PIN_H
#define EKUBENCH_PEER_PIN_H

#include "ekubench/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define EKB_PIN_MAX_CPUS 64

enum ekb_pin_mode {
    EKB_PIN_AUTO, // A CPU for each worker if there are as many; else the scheduler decides.
    EKB_PIN_OFF,  // The scheduler decides.
    EKB_PIN_LIST,
};

// Zeroed it is EKB_PIN_AUTO.
struct ekb_pin {
    enum ekb_pin_mode mode;
    int cpus[EKB_PIN_MAX_CPUS]; // EKB_PIN_LIST: of the workers in their order.
    size_t num_cpus;
};

// ekb_pin_parse reads "auto", "off" or a list such as "0,2-5"; a CPU that is named twice takes two
// workers. EKB_USAGE (the detail says what is wrong).
EKB_NODISCARD enum ekb_err ekb_pin_parse(struct ekb_pin *out_pin, const char *text,
                                         struct ekb_fail *reterr_fail);

// ekb_pin_check_among sees that each CPU of a list is one of `allowed[0..num_allowed)`; of the
// machine's there are those below `num_configured`. EKB_USAGE. ekb_pin_check asks the system for
// both.
EKB_NODISCARD enum ekb_err ekb_pin_check_among(const struct ekb_pin *pin, const int *allowed,
                                               size_t num_allowed, int num_configured,
                                               struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_pin_check(const struct ekb_pin *pin, struct ekb_fail *reterr_fail);

// ekb_pin_choose stores the CPU of each of `num_workers` workers, or EKB_WORKER_UNPINNED.
// `allowed[0..num_allowed)` are the CPUs that may be used: EKB_PIN_AUTO takes them in order, after
// leaving `num_spared` to others, if there are enough for all of these. EKB_USAGE if a list is
// shorter than the workers are many.
EKB_NODISCARD enum ekb_err ekb_pin_choose(int *out_cpus, size_t num_workers,
                                          const struct ekb_pin *pin, const int *allowed,
                                          size_t num_allowed, size_t num_spared,
                                          struct ekb_fail *reterr_fail);

#endif
