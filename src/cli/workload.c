#include "cli/workload.h"

#include "cli/cli.h"

#include <stdlib.h>

error_t ekb_cli_parse_workload(struct ekb_cli_workload *workload, int key, const char *text,
                               struct argp_state *state)
{
    switch (key) {
    case EKB_CLI_WORKLOAD_SCENARIO:
        workload->scenario = text;
        return 0;
    case EKB_CLI_WORKLOAD_RELEASE:
        if (ekb_release_parse(&workload->release, text) != EKB_OK) {
            ekb_cli_refuse(state, "--release %s: a release such as X15.5 is wanted", text);
        }
        workload->has_release = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum ekb_err check(const struct ekb_cli_workload *workload,
                          const struct ekb_plan_settings *settings, struct ekb_fail *reterr_fail)
{
    if (workload->scenario == NULL) {
        return workload->has_release
                   ? ekb_fail_say(reterr_fail, EKB_USAGE, "--release is of --scenario")
                   : EKB_OK;
    }
    return settings->key_type_set || settings->depth != 0
               ? ekb_fail_say(reterr_fail, EKB_USAGE,
                              "--key and --depth: with --scenario the deployment says it")
               : EKB_OK;
}

enum ekb_err ekb_cli_workload_create(struct ekb_cli_workload *workload,
                                     const struct ekb_plan_settings *settings,
                                     struct ekb_fail *reterr_fail)
{
    struct ekb_workload_terms terms = {.version =
                                           settings->version_set ? settings->version : EKB_TLS_1_3,
                                       .stop = ekb_cli_stop_flag()};
    enum ekb_err err = check(workload, settings, reterr_fail);
    if (err != EKB_OK || workload->scenario == NULL) {
        return err;
    }
    workload->deployment = calloc(1, sizeof *workload->deployment);
    if (workload->deployment == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a deployment");
    }
    err = ekb_deployment_open(workload->deployment, workload->scenario, reterr_fail);
    if (err == EKB_OK) {
        const struct ekb_deployment *deployment = workload->deployment;
        if (!workload->has_release) {
            workload->release = deployment->releases[deployment->num_releases - 1];
        }
        terms.release = workload->release;
        err = ekb_workload_create(&workload->workload, deployment, &terms, reterr_fail);
    }
    return err;
}

void ekb_cli_workload_destroy(struct ekb_cli_workload *workload)
{
    ekb_workload_destroy(workload->workload);
    free(workload->deployment);
    workload->workload = NULL;
    workload->deployment = NULL;
}
