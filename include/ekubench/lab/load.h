// The load client alone, against any TLS server: one stage with one arm, and its record.

#ifndef EKUBENCH_LAB_LOAD_H
#define EKUBENCH_LAB_LOAD_H

#include "ekubench/base/err.h"
#include "ekubench/lab/session.h"
#include "ekubench/peer/client.h"
#include "ekubench/peer/pin.h"
#include "ekubench/stat/record.h"

#include <stdint.h>

// Steps of the rate of an open loop.
#define EKB_LOAD_MAX_STRETCHES 64

struct ekb_load_settings {
    struct ekb_client_arm arm; // Of those that are to be accepted after a full handshake.
    double resume_share;       // Of the others: how many resume a session. From 0 to 1.
    double reject_share;       // Of all: how many are to be rejected, with
    const char *reject_store;  // the client certificate of this store; NULL: with none.
    const char *target_text;   // As the user wrote it.
    uint32_t in_flight;        // Open loop: at most.
    uint64_t ramp_ns; // Closed loop: how long it takes from none to `in_flight`, in the warm-up.
    // The rate of an open loop from its start on, the warm-up included; none: closed loop.
    struct ekb_pace_stretch stretches[EKB_LOAD_MAX_STRETCHES];
    size_t num_stretches;
    enum ekb_arrivals_kind arrivals;
    uint64_t seed;
    uint32_t num_workers; // Client workers, 1 to EKB_STAGE_MAX_WORKERS.
    struct ekb_pin pin;   // Their CPUs.
    uint64_t warmup_ns;
    uint64_t duration_ns; // Measured, after the warm-up.
    uint64_t max_starts;  // 0: no limit but the duration.
    uint64_t deadline_ns;
    enum ekb_confirm confirm;
};

// ekb_load_label_arm describes, in a zeroed `*arm`, what a client presents. Errors of
// ekb_store_load.
EKB_NODISCARD enum ekb_err ekb_load_label_arm(struct ekb_record_arm *arm,
                                              const struct ekb_client_arm *client,
                                              struct ekb_fail *reterr_fail);

// ekb_load_run runs the load and fills `*out_record` (release with ekb_record_deinit, also after an
// error). Interrupted: EKB_OK, the record says so. Errors of ekb_client_check and ekb_stage_run.
EKB_NODISCARD enum ekb_err ekb_load_run(struct ekb_record *out_record,
                                        const struct ekb_load_settings *settings,
                                        const struct ekb_session_control *control,
                                        struct ekb_fail *reterr_fail);

#endif
