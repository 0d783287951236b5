#include "ekubench/lab/scenario.h"

#include "lab/scenario_internal.h"

#include <stdlib.h>

static void begin_links(struct ekb_scenario_runner *runner)
{
    struct ekb_scenario_run *run = runner->out;
    run->num_links = runner->deployment->num_links;
    for (size_t i = 0; i < run->num_links; i++) {
        const struct ekb_deployment_link *link = &runner->deployment->links[i];
        const struct ekb_release_node initiator = ekb_site_rules(runner->site, link->initiator);
        const struct ekb_release_node responder = ekb_site_rules(runner->site, link->responder);
        run->links[i] = (struct ekb_scenario_link){
            .link = link,
            .initiator = {.demand = ekb_link_demand_of_initiator(link->kind, &responder),
                          .role = ekb_scenario_is_connection(link)
                                      ? ekb_release_client_side(&initiator)
                                      : EKB_STORE_SERVER},
            .responder = {.demand = ekb_link_demand_of_responder(link->kind, &initiator),
                          .role = EKB_STORE_SERVER},
            .alert = -1,
            .verify_depth = -1};
    }
    for (size_t i = 0; i < runner->deployment->num_nodes; i++) {
        for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
            run->refusals[i][side] = *ekb_site_refusal(runner->site, i, (enum ekb_store_side)side);
        }
        run->upgraded[i] = ekb_site_is_upgraded(runner->site, i);
    }
}

static enum ekb_err run_links(struct ekb_scenario_runner *runner, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < runner->out->num_links && err == EKB_OK; i++) {
        if (runner->terms->stop != NULL && *runner->terms->stop != 0) {
            return ekb_fail_say(reterr_fail, EKB_STOPPED, "interrupted");
        }
        err = ekb_scenario_try(runner, i, reterr_fail);
        if (err == EKB_OK) {
            ekb_scenario_judge(runner, i);
        }
    }
    return err;
}

enum ekb_err ekb_scenario_run(struct ekb_scenario_run *out_run,
                              const struct ekb_deployment *deployment,
                              const struct ekb_scenario_terms *terms, struct ekb_fail *reterr_fail)
{
    const struct ekb_site_terms site = {
        .release = terms->release, .mode = terms->mode, .directory = terms->directory};
    struct ekb_scenario_runner *runner = calloc(1, sizeof *runner);
    if (runner == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a scenario");
    }
    *out_run = (struct ekb_scenario_run){
        .release = terms->release, .mode = terms->mode, .version = terms->version, .matches = true};
    runner->deployment = deployment;
    runner->terms = terms;
    runner->out = out_run;
    for (size_t i = 0; i < EKB_DEPLOYMENT_MAX_NODES; i++) {
        runner->hosts[i].worker = (struct ekb_worker){.control_fd = -1, .ended = true};
    }
    enum ekb_err err = ekb_site_create(&runner->site, deployment, &site, reterr_fail);
    if (err == EKB_OK) {
        begin_links(runner);
        err = ekb_scenario_start(runner, reterr_fail);
    }
    if (err == EKB_OK) {
        err = run_links(runner, reterr_fail);
    }
    if (err == EKB_OK) {
        ekb_scenario_conclude(runner);
    }
    ekb_scenario_stop(runner);
    ekb_site_destroy(runner->site);
    free(runner);
    return err;
}
