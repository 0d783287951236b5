// Workloads: a deployment as a load. Its nodes' stores, and its links as the arms of a plan, one
// for each EKU checking mode that makes a difference to a link.
//
// First every link is made once, as a scenario (lab/scenario): what is not as it is expected to be
// is not worth measuring, and what comes of a link is what the measurement then expects of it: that
// the initiator is accepted, or rejected, or that it refuses the responder.

#ifndef EKUBENCH_LAB_WORKLOAD_H
#define EKUBENCH_LAB_WORKLOAD_H

#include "ekubench/base/err.h"
#include "ekubench/lab/deployment.h"
#include "ekubench/lab/plan.h"
#include "ekubench/store/release.h"
#include "ekubench/tls/config.h"

#include <signal.h>
#include <stddef.h>

// Under which rules it is made.
struct ekb_workload_terms {
    enum ekb_release release;
    enum ekb_tls_version version;      // Of the look at the links.
    const volatile sig_atomic_t *stop; // As in struct ekb_scenario_terms; or NULL.
};

struct ekb_workload;

// ekb_workload_create makes the deployment's stores and looks at its links: under each of its modes
// where the release has that switch. Arms are called "LINK-on", "LINK-off" and "LINK-none" (no
// usage asked for: the baseline) where the responder goes by its mode, else "LINK". `deployment`
// must outlive the workload; release with `ekb_workload_destroy` (NULL is legal). EKB_USAGE if no
// link is a connection, if there are more arms than a plan has, if two would have the same name, or
// if a link does not do what is expected of it; errors of ekb_scenario_run and ekb_site_create.
EKB_NODISCARD enum ekb_err ekb_workload_create(struct ekb_workload **out_workload,
                                               const struct ekb_deployment *deployment,
                                               const struct ekb_workload_terms *terms,
                                               struct ekb_fail *reterr_fail);
void ekb_workload_destroy(struct ekb_workload *workload);

// ekb_workload_num_arms returns how many arms there are, ekb_workload_arm one of them; borrowed.
size_t ekb_workload_num_arms(const struct ekb_workload *workload);
const struct ekb_plan_arm *ekb_workload_arm(const struct ekb_workload *workload, size_t index);

// ekb_workload_find returns the first accepted arm of the link called `link` (NULL: of any) under
// `mode` (NULL: any but none; arms without a mode fit each). NULL if there is none.
const struct ekb_plan_arm *ekb_workload_find(const struct ekb_workload *workload, const char *link,
                                             const enum ekb_eku_mode *mode);

// ekb_workload_link_of returns the name of the link of `arm`, which is one of the workload's.
const char *ekb_workload_link_of(const struct ekb_workload *workload,
                                 const struct ekb_plan_arm *arm);

// ekb_workload_apply makes `plan`, which is "quick" or "standard", one of this workload: its stage
// of costs has all arms, an A/A control, and contrasts of the modes of each link; its stage of load
// the first link that is accepted with and without a check, if there is one. The others go. The
// workload must outlive the plan.
void ekb_workload_apply(struct ekb_plan *plan, const struct ekb_workload *workload);

#endif
