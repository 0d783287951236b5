// What one stage of a plan needs while it runs: listeners, what clients do, and the names of it
// all.

#ifndef EKUBENCH_SRC_LAB_STAGING_H
#define EKUBENCH_SRC_LAB_STAGING_H

#include "ekubench/lab/plan.h"
#include "ekubench/lab/preflight.h"
#include "ekubench/lab/stores.h"
#include "ekubench/peer/client.h"
#include "ekubench/peer/server.h"
#include "ekubench/stat/record.h"

struct ekb_staging {
    struct ekb_listener listeners[EKB_PLAN_MAX_ARMS];
    struct ekb_client_arm client_arms[EKB_PLAN_MAX_ARMS];
    uint8_t expect[EKB_PLAN_MAX_ARMS];
    struct ekb_record_arm labels[EKB_PLAN_MAX_ARMS];
    struct ekb_flights flights;
    struct ekb_pace_stretch rate;
    struct ekb_server_options server;
    struct ekb_client_options client;
};

// ekb_staging_needs says what `stage` will have open.
struct ekb_preflight_load ekb_staging_needs(const struct ekb_plan_stage *stage);

// ekb_staging_most returns how many connections such a stage may have in flight on this machine.
uint64_t ekb_staging_most(const struct ekb_plan_stage *stage, const struct ekb_address *target);

// ekb_staging_look_ahead sees that `stage` can be run, before it has taken its time: notes go into
// `record`. `target` is a server that is not ours, or NULL. Errors of ekb_preflight_pass and
// ekb_pin_choose.
EKB_NODISCARD enum ekb_err ekb_staging_look_ahead(struct ekb_record *record,
                                                  const struct ekb_plan_stage *stage,
                                                  const struct ekb_address *target,
                                                  struct ekb_fail *reterr_fail);

// ekb_staging_init prepares both sides of `stage` and opens the listeners, on loopback;
// ekb_stage_run closes them. Must stay where it is: its parts point at one another. Errors of
// ekb_server_open and ekb_flights_record.
EKB_NODISCARD enum ekb_err ekb_staging_init(struct ekb_staging *staging,
                                            const struct ekb_plan *plan,
                                            const struct ekb_plan_stage *stage,
                                            const struct ekb_stores *stores,
                                            struct ekb_fail *reterr_fail);

// ekb_staging_load sets the client's load as the stage has it, for the arms in `client_arms`: the
// part of ekb_staging_init that is also there where the server is not ours.
void ekb_staging_load(struct ekb_staging *staging, const struct ekb_plan *plan,
                      const struct ekb_plan_stage *stage);

// ekb_staging_label describes the stage for the record.
struct ekb_record_stage ekb_staging_label(const struct ekb_plan_stage *stage);

#endif
