#include "ekubench/lab/workload.h"

#include "ekubench/lab/scenario.h"
#include "ekubench/lab/site.h"
#include "ekubench/pki/verify.h"
#include "ekubench/store/link.h"
#include "ekubench/store/store.h"
#include "lab/scenario_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// So much of a link's name is in an arm's.
#define LINK_NAME_LEN (EKB_PLAN_NAME_LEN - (int)sizeof "-none" - (int)sizeof EKB_PLAN_TWIN)

struct workload_arm {
    struct ekb_plan_arm plan;
    size_t link;   // Of the deployment.
    bool has_mode; // Its responder goes by the mode.
};

struct ekb_workload {
    const struct ekb_deployment *deployment;
    struct ekb_workload_terms terms;
    struct ekb_site *site;
    struct ekb_plan_link links[EKB_DEPLOYMENT_MAX_LINKS]; // By link.
    struct workload_arm arms[EKB_PLAN_MAX_ARMS];
    size_t num_arms;
};

static bool goes_by_mode(const struct ekb_deployment_link *link)
{
    return ekb_link_row(link->kind)->of_initiator == EKB_RULE_MODE;
}

// take_identity tells of the certificate that `node` presents as a client, if it has one.
static enum ekb_err take_identity(struct ekb_plan_link *link, struct ekb_plan_arm *arm,
                                  struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    const enum ekb_err err =
        ekb_store_survey(&store, link->client_store, EKB_STORE_ALL, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_identity *identity =
        ekb_store_identity(store, link->presents_server ? EKB_STORE_SERVER : EKB_STORE_CLIENT);
    arm->depth = 0;
    if (identity->chain == NULL || ekb_chain_len(identity->chain) == 0) {
        link->client_store = NULL;
    } else {
        arm->depth = (unsigned)ekb_chain_len(identity->chain);
        arm->client_eku = ekb_chain_eku(identity->chain, 0);
        link->key_type = ekb_key_type_of(identity->key);
    }
    ekb_store_destroy(store);
    return EKB_OK;
}

// Arms.

// find_arm returns the arm called `name`, or NULL.
static const struct workload_arm *find_arm(const struct ekb_workload *workload, const char *name)
{
    for (size_t i = 0; i < workload->num_arms; i++) {
        if (strcmp(workload->arms[i].plan.name, name) == 0) {
            return &workload->arms[i];
        }
    }
    return NULL;
}

// is_twins_name is true if the name is one that a control may have.
static bool is_twins_name(const char *name)
{
    const size_t len = strlen(name);
    return len > strlen(EKB_PLAN_TWIN) &&
           strcmp(name + len - strlen(EKB_PLAN_TWIN), EKB_PLAN_TWIN) == 0;
}

// add_arm adds the arm of link `index`, whose responder verifies what `demand` says, unless it is
// there.
static enum ekb_err add_arm(struct ekb_workload *workload, size_t index,
                            const struct ekb_link_demand *demand, enum ekb_expect expect,
                            struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment *deployment = workload->deployment;
    const struct ekb_deployment_link *it = &deployment->links[index];
    struct ekb_plan_link *link = &workload->links[index];
    const bool has_mode = goes_by_mode(it);
    struct ekb_plan_arm arm = {.link = link, .server_depth = 1, .expect = expect};
    enum ekb_err err = ekb_scenario_listener(&arm.policy, deployment, it, demand, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    (void)snprintf(arm.name, sizeof arm.name, "%.*s%s%s", LINK_NAME_LEN, it->name,
                   has_mode ? "-" : "", has_mode ? ekb_eku_mode_name(arm.policy.eku) : "");
    const struct workload_arm *same = find_arm(workload, arm.name);
    if (same != NULL && same->link == index) {
        return EKB_OK;
    }
    if (same != NULL || is_twins_name(arm.name)) {
        return ekb_fail_say(
            reterr_fail, EKB_USAGE, "[link %s]: to be measured it needs another name: \"%s\" is %s",
            it->name, arm.name, same != NULL ? "another link's" : "what a control is called");
    }
    if (workload->num_arms + 1 == EKB_PLAN_MAX_ARMS) { // One is the control's.
        return ekb_fail_say(reterr_fail, EKB_USAGE,
                            "%s has too many links to be measured at once: at most %d, each with "
                            "each mode counted",
                            deployment->name, EKB_PLAN_MAX_ARMS - 1);
    }
    err = ekb_scenario_initiator(link, workload->site, deployment, it, reterr_fail);
    if (err == EKB_OK) {
        err = take_identity(link, &arm, reterr_fail);
    }
    workload->arms[workload->num_arms++] =
        (struct workload_arm){.plan = arm, .link = index, .has_mode = has_mode};
    return err;
}

static enum ekb_expect expected_of(const struct ekb_scenario_link *seen)
{
    return seen->active         ? EKB_EXPECT_ACCEPT
           : seen->by_initiator ? EKB_EXPECT_REFUSE
                                : EKB_EXPECT_REJECT;
}

// expect_without finds what comes of a link whose responder rejects the initiator, if it asks for
// no usage: what it verifies then may be wrong, too.
static enum ekb_err expect_without(enum ekb_expect *out_expect, const struct ekb_workload *workload,
                                   const struct ekb_scenario_link *seen,
                                   const struct ekb_link_demand *demand,
                                   struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_link *link = seen->link;
    struct ekb_verify_options options = {.anchor = EKB_ANCHOR_ROOT};
    struct ekb_verify_outcome outcome = {.err = seen->err};
    struct ekb_plan_link initiator;
    struct ekb_store *presenting = NULL;
    struct ekb_store *trusting = NULL;
    enum ekb_err err =
        ekb_scenario_initiator(&initiator, workload->site, workload->deployment, link, reterr_fail);
    if (err == EKB_OK) {
        err =
            ekb_scenario_listener(&options.policy, workload->deployment, link, demand, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_store_survey(&presenting, initiator.client_store, EKB_STORE_ALL, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_store_survey(&trusting, initiator.server_store, EKB_STORE_ALL, reterr_fail);
    }
    if (err == EKB_OK) {
        const struct ekb_identity *identity = ekb_store_identity(
            presenting, initiator.presents_server ? EKB_STORE_SERVER : EKB_STORE_CLIENT);
        options.trust = ekb_store_trust(trusting);
        if (identity->chain != NULL && ekb_chain_len(identity->chain) > 0) {
            err = ekb_verify_once(&outcome, &options, identity->chain, reterr_fail);
        }
    }
    *out_expect = outcome.err == EKB_OK ? EKB_EXPECT_ACCEPT : EKB_EXPECT_REJECT;
    ekb_store_destroy(trusting);
    ekb_store_destroy(presenting);
    return err;
}

// take_link adds the arms of a link that has been seen under one mode.
static enum ekb_err take_link(struct ekb_workload *workload, size_t index,
                              const struct ekb_scenario_link *seen, struct ekb_fail *reterr_fail)
{
    struct ekb_link_demand demand = seen->initiator.demand;
    if (!ekb_scenario_is_connection(seen->link)) {
        return EKB_OK;
    }
    enum ekb_expect expect = expected_of(seen);
    enum ekb_err err = add_arm(workload, index, &demand, expect, reterr_fail);
    if (err != EKB_OK || !goes_by_mode(seen->link)) {
        return err;
    }
    demand.usages = 0;
    if (expect == EKB_EXPECT_REJECT) {
        err = expect_without(&expect, workload, seen, &demand, reterr_fail);
    }
    return err == EKB_OK ? add_arm(workload, index, &demand, expect, reterr_fail) : err;
}

// look makes each link once, under one mode, and adds the arms that this shows.
static enum ekb_err look(struct ekb_workload *workload, enum ekb_eku_mode mode,
                         struct ekb_fail *reterr_fail)
{
    const struct ekb_scenario_terms terms = {.release = workload->terms.release,
                                             .mode = mode,
                                             .version = workload->terms.version,
                                             .stop = workload->terms.stop};
    struct ekb_scenario_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a scenario");
    }
    enum ekb_err err = ekb_scenario_run(run, workload->deployment, &terms, reterr_fail);
    if (err == EKB_OK && !run->matches) {
        err =
            ekb_fail_say(reterr_fail, EKB_USAGE,
                         "%s does not do what is expected of it (EKU mode %s): `ekubench scenario "
                         "run` says what",
                         workload->deployment->name, ekb_eku_mode_name(mode));
    }
    for (size_t i = 0; i < run->num_links && err == EKB_OK; i++) {
        err = take_link(workload, i, &run->links[i], reterr_fail);
    }
    free(run);
    return err;
}

static enum ekb_err check_names(const struct ekb_deployment *deployment,
                                struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < deployment->num_links; i++) {
        if (strlen(deployment->links[i].name) > LINK_NAME_LEN) {
            return ekb_fail_say(reterr_fail, EKB_USAGE,
                                "[link %s]: to be measured, a link has a name of at most %d "
                                "characters",
                                deployment->links[i].name, LINK_NAME_LEN);
        }
    }
    return EKB_OK;
}

// by_link orders arms by their links, and by their modes.
static int by_link(const void *a, const void *b)
{
    const struct workload_arm *left = a;
    const struct workload_arm *right = b;
    if (left->link != right->link) {
        return left->link < right->link ? -1 : 1;
    }
    return (int)left->plan.policy.eku - (int)right->plan.policy.eku;
}

static enum ekb_err fill(struct ekb_workload *workload, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment *deployment = workload->deployment;
    const struct ekb_site_terms site = {.release = workload->terms.release,
                                        .mode = deployment->modes[0]};
    const size_t num_modes =
        ekb_release_rules(workload->terms.release)->has_mode_switch ? deployment->num_modes : 1;
    enum ekb_err err = check_names(deployment, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_site_create(&workload->site, deployment, &site, reterr_fail);
    }
    for (size_t i = 0; i < num_modes && err == EKB_OK; i++) {
        err = look(workload, deployment->modes[i], reterr_fail);
    }
    if (err == EKB_OK && workload->num_arms == 0) {
        err = ekb_fail_say(reterr_fail, EKB_USAGE,
                           "%s has nothing to measure: none of its links is a connection",
                           deployment->name);
    }
    qsort(workload->arms, workload->num_arms, sizeof workload->arms[0], by_link);
    return err;
}

enum ekb_err ekb_workload_create(struct ekb_workload **out_workload,
                                 const struct ekb_deployment *deployment,
                                 const struct ekb_workload_terms *terms,
                                 struct ekb_fail *reterr_fail)
{
    struct ekb_workload *workload = calloc(1, sizeof *workload);
    if (workload == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a workload");
    }
    workload->deployment = deployment;
    workload->terms = *terms;
    const enum ekb_err err = fill(workload, reterr_fail);
    if (err != EKB_OK) {
        ekb_workload_destroy(workload);
        return err;
    }
    *out_workload = workload;
    return EKB_OK;
}

void ekb_workload_destroy(struct ekb_workload *workload)
{
    if (workload != NULL) {
        ekb_site_destroy(workload->site);
        free(workload);
    }
}

size_t ekb_workload_num_arms(const struct ekb_workload *workload)
{
    return workload->num_arms;
}

const struct ekb_plan_arm *ekb_workload_arm(const struct ekb_workload *workload, size_t index)
{
    return &workload->arms[index].plan;
}

const char *ekb_workload_link_of(const struct ekb_workload *workload,
                                 const struct ekb_plan_arm *arm)
{
    return workload->deployment->links[arm->link - workload->links].name;
}

const struct ekb_plan_arm *ekb_workload_find(const struct ekb_workload *workload, const char *link,
                                             const enum ekb_eku_mode *mode)
{
    for (size_t i = 0; i < workload->num_arms; i++) {
        const struct workload_arm *arm = &workload->arms[i];
        const char *const name = workload->deployment->links[arm->link].name;
        const enum ekb_eku_mode its_mode = arm->plan.policy.eku;
        const bool is_wanted = mode != NULL ? its_mode == *mode : its_mode != EKB_EKU_NONE;
        if ((link == NULL || strcmp(name, link) == 0) && (!arm->has_mode || is_wanted) &&
            arm->plan.expect == EKB_EXPECT_ACCEPT) {
            return &arm->plan;
        }
    }
    return NULL;
}

// Plans.

// copy_arm adds the arm to the stage, with `ending` to its name.
static void copy_arm(struct ekb_plan_stage *stage, const struct ekb_plan_arm *arm,
                     const char *ending)
{
    struct ekb_plan_arm *copy = &stage->arms[stage->num_arms++];
    *copy = *arm;
    (void)snprintf(copy->name, sizeof copy->name, "%.*s%s",
                   (int)(sizeof copy->name - sizeof EKB_PLAN_TWIN), arm->name, ending);
}

static void add_contrast(struct ekb_plan_stage *stage, const struct ekb_plan_arm *treated,
                         const struct ekb_plan_arm *control)
{
    if (stage->num_contrasts == sizeof stage->contrasts / sizeof stage->contrasts[0] ||
        control->expect != EKB_EXPECT_ACCEPT) {
        return;
    }
    struct ekb_plan_contrast *contrast = &stage->contrasts[stage->num_contrasts++];
    contrast->question =
        treated->expect == EKB_EXPECT_ACCEPT ? EKB_EFFECT_LINK : EKB_EFFECT_REJECT_LINK;
    (void)snprintf(contrast->treated, sizeof contrast->treated, "%s", treated->name);
    (void)snprintf(contrast->control, sizeof contrast->control, "%s", control->name);
}

// find_mode returns the arm of that link and mode, or NULL.
static const struct ekb_plan_arm *find_mode(const struct ekb_workload *workload, size_t link,
                                            enum ekb_eku_mode mode)
{
    for (size_t i = 0; i < workload->num_arms; i++) {
        const struct workload_arm *arm = &workload->arms[i];
        if (arm->link == link && arm->has_mode && arm->plan.policy.eku == mode) {
            return &arm->plan;
        }
    }
    return NULL;
}

// add_contrasts compares the modes of each link: each with none, and on with off.
static void add_contrasts(struct ekb_plan_stage *stage, const struct ekb_workload *workload)
{
    for (size_t i = 0; i < workload->num_arms; i++) {
        const struct workload_arm *arm = &workload->arms[i];
        const struct ekb_plan_arm *none = find_mode(workload, arm->link, EKB_EKU_NONE);
        const struct ekb_plan_arm *off = find_mode(workload, arm->link, EKB_EKU_OFF);
        if (!arm->has_mode || arm->plan.policy.eku == EKB_EKU_NONE) {
            continue;
        }
        if (none != NULL) {
            add_contrast(stage, &arm->plan, none);
        }
        if (off != NULL && arm->plan.policy.eku == EKB_EKU_ON) {
            add_contrast(stage, &arm->plan, off);
        }
    }
}

static void fill_cost_stage(struct ekb_plan_stage *stage, const struct ekb_workload *workload)
{
    const struct ekb_plan_arm *twin = ekb_workload_find(workload, NULL, NULL);
    stage->num_arms = 0;
    stage->num_contrasts = 0;
    for (size_t i = 0; i < workload->num_arms; i++) {
        copy_arm(stage, &workload->arms[i].plan, "");
    }
    copy_arm(stage, twin != NULL ? twin : &workload->arms[0].plan, EKB_PLAN_TWIN);
    add_contrasts(stage, workload);
}

// fill_load_stage makes blocks of the first link that is accepted with and without the check. False
// if there is none.
static bool fill_load_stage(struct ekb_plan_stage *stage, const struct ekb_workload *workload)
{
    for (size_t i = 0; i < workload->num_arms; i++) {
        const struct ekb_plan_arm *arm = &workload->arms[i].plan;
        const struct ekb_plan_arm *none = find_mode(workload, workload->arms[i].link, EKB_EKU_NONE);
        if (none != NULL && none != arm && arm->expect == EKB_EXPECT_ACCEPT &&
            none->expect == EKB_EXPECT_ACCEPT) {
            stage->num_arms = 0;
            copy_arm(stage, arm, "");
            copy_arm(stage, arm, EKB_PLAN_TWIN);
            copy_arm(stage, none, "");
            return true;
        }
    }
    return false;
}

void ekb_workload_apply(struct ekb_plan *plan, const struct ekb_workload *workload)
{
    const int cost = ekb_plan_stage_index(plan, EKB_PLAN_STAGE_COST);
    const int load = ekb_plan_stage_index(plan, EKB_PLAN_STAGE_LOAD);
    EKB_CHECK(cost >= 0 && load > cost);
    struct ekb_plan_stage *stages = plan->stages;
    stages[0] = stages[cost];
    stages[1] = stages[load];
    fill_cost_stage(&stages[0], workload);
    plan->num_stages = fill_load_stage(&stages[1], workload) ? 2 : 1;
    plan->scenario = workload->deployment->name;
    plan->release = ekb_release_rules(workload->terms.release)->name;
}
