// The options by which a measurement takes a deployment for its load.

#ifndef EKUBENCH_SRC_CLI_WORKLOAD_H
#define EKUBENCH_SRC_CLI_WORKLOAD_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/workload.h"

#include <argp.h>
#include <stdbool.h>

// What is asked for, and what is made of it.
struct ekb_cli_workload {
    const char *scenario; // A built-in one or a file; NULL: no deployment.
    bool has_release;
    enum ekb_release release; // Where it is not given, that of the deployment.
    struct ekb_deployment *deployment;
    struct ekb_workload *workload;
};

enum {
    EKB_CLI_WORKLOAD_SCENARIO = 1200,
    EKB_CLI_WORKLOAD_RELEASE,
};

// EKB_CLI_WORKLOAD_OPTIONS are their rows in the table of a command, in that group.
// clang-format off
#define EKB_CLI_WORKLOAD_OPTIONS(group) \
    {"scenario", EKB_CLI_WORKLOAD_SCENARIO, "NAME|FILE", 0, \
     "With a deployment's certificates, EKU modes and links: a built-in one (`ekubench scenario " \
     "list`) or a file (docs/deployments.md)", (group)}, \
    {"release", EKB_CLI_WORKLOAD_RELEASE, "RELEASE", 0, \
     "With --scenario: by the rules of that release (default: the last that the deployment " \
     "names)", (group)}
// clang-format on

// ekb_cli_parse_workload obeys one of them, or returns ARGP_ERR_UNKNOWN.
error_t ekb_cli_parse_workload(struct ekb_cli_workload *workload, int key, const char *text,
                               struct argp_state *state);

// ekb_cli_workload_create makes the workload that is asked for; nothing if none is. Release with
// ekb_cli_workload_destroy, also after an error. EKB_USAGE where `settings` has what the deployment
// says itself (key, depth), or a release without a scenario; errors of ekb_deployment_open and
// ekb_workload_create.
EKB_NODISCARD enum ekb_err ekb_cli_workload_create(struct ekb_cli_workload *workload,
                                                   const struct ekb_plan_settings *settings,
                                                   struct ekb_fail *reterr_fail);
void ekb_cli_workload_destroy(struct ekb_cli_workload *workload);

#endif
