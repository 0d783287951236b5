#include "ekubench/lab/workload.h"

#include "ekubench/lab/foretell.h"
#include "ekubench/lab/outbound.h"
#include "ekubench/lab/scenario.h"
#include "ekubench/lab/site.h"
#include "ekubench/store/link.h"
#include "ekubench/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEFT_OUT_LEN 512
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
    char left_out[LEFT_OUT_LEN];
};

// What one end does of the other.

// mode_of returns the mode in which a policy asks for what `demand` asks for.
static enum ekb_eku_mode mode_of(const struct ekb_link_demand *demand)
{
    return (demand->usages & EKB_EKU_CLIENT_AUTH) != 0   ? EKB_EKU_ON
           : (demand->usages & EKB_EKU_SERVER_AUTH) != 0 ? EKB_EKU_OFF
                                                         : EKB_EKU_NONE;
}

static enum ekb_err policy_of(struct ekb_policy *out_policy, const struct ekb_link_demand *demand,
                              const char *name, struct ekb_fail *reterr_fail)
{
    *out_policy = ekb_policy_default();
    out_policy->eku = mode_of(demand);
    if (demand->name && ekb_name_parse(&out_policy->name, name) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\" is no name", name);
    }
    return EKB_OK;
}

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

// fill_link says how the initiator of link `index` goes about it; `arm` gets what it presents.
static enum ekb_err fill_link(struct ekb_workload *workload, size_t index, struct ekb_plan_arm *arm,
                              struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_link *it = &workload->deployment->links[index];
    const struct ekb_release_node rules = ekb_site_rules(workload->site, it->initiator);
    const struct ekb_link_demand demand = ekb_link_demand_of_responder(it->kind, &rules);
    const char *const host =
        it->address[0] != '\0' ? it->address : workload->deployment->nodes[it->responder].host;
    struct ekb_plan_link *link = &workload->links[index];
    *link = (struct ekb_plan_link){
        .server_store = ekb_site_store(workload->site, it->responder),
        .second_store = ekb_site_second(workload->site, it->responder),
        .client_store = ekb_site_store(workload->site, it->initiator),
        .presents_server = ekb_release_client_side(&rules) == EKB_STORE_SERVER,
        .trust_store = ekb_site_store(workload->site, it->initiator),
    };
    if (rules.kind != EKB_NODE_FAR) {
        link->preferences =
            ekb_outbound_preferences(ekb_release_rules(rules.release)->prefers_ecdsa);
    }
    const enum ekb_err err = policy_of(&link->policy, &demand, host, reterr_fail);
    link->policy.verify = demand.chain ? EKB_VERIFY_FULL : EKB_VERIFY_RAW;
    link->sni = link->policy.name.kind == EKB_NAME_DNS ? link->policy.name.text : NULL;
    return err == EKB_OK ? take_identity(link, arm, reterr_fail) : err;
}

// Arms.

static bool has_arm(const struct ekb_workload *workload, const char *name)
{
    for (size_t i = 0; i < workload->num_arms; i++) {
        if (strcmp(workload->arms[i].plan.name, name) == 0) {
            return true;
        }
    }
    return false;
}

// add_arm adds the arm of link `index`, whose responder verifies what `demand` says, unless it is
// there.
static enum ekb_err add_arm(struct ekb_workload *workload, size_t index,
                            const struct ekb_link_demand *demand, bool is_accepted,
                            struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_link *it = &workload->deployment->links[index];
    const bool has_mode = goes_by_mode(it);
    struct ekb_plan_arm arm = {
        .link = &workload->links[index], .server_depth = 1, .expect_accept = is_accepted};
    (void)snprintf(arm.name, sizeof arm.name, "%.*s%s%s", LINK_NAME_LEN, it->name,
                   has_mode ? "-" : "", has_mode ? ekb_eku_mode_name(mode_of(demand)) : "");
    if (has_arm(workload, arm.name)) {
        return EKB_OK;
    }
    if (workload->num_arms + 1 == EKB_PLAN_MAX_ARMS) { // One is the control's.
        return ekb_fail_say(reterr_fail, EKB_USAGE,
                            "%s has too many links to be measured at once: at most %d, each with "
                            "each mode counted",
                            workload->deployment->name, EKB_PLAN_MAX_ARMS - 1);
    }
    enum ekb_err err = fill_link(workload, index, &arm, reterr_fail);
    if (err == EKB_OK) {
        err = policy_of(&arm.policy, demand, workload->deployment->nodes[it->initiator].host,
                        reterr_fail);
    }
    if (!demand->chain) {
        arm.policy.verify = arm.link->client_store != NULL && ekb_link_row(it->kind)->asks
                                ? EKB_VERIFY_PARSE
                                : EKB_VERIFY_ONE_WAY;
    }
    workload->arms[workload->num_arms++] =
        (struct workload_arm){.plan = arm, .link = index, .has_mode = has_mode};
    return err;
}

static void leave_out(struct ekb_workload *workload, const struct ekb_scenario_link *seen)
{
    const struct ekb_deployment *deployment = workload->deployment;
    const size_t len = strlen(workload->left_out);
    (void)snprintf(workload->left_out + len, LEFT_OUT_LEN - len, "%s%s (%s refuses %s: %s)",
                   len > 0 ? "; " : "", seen->link->name,
                   deployment->nodes[seen->link->initiator].name,
                   deployment->nodes[seen->link->responder].name, ekb_err_sentence(seen->err));
}

// take_link adds the arms of a link that has been seen under one mode.
static enum ekb_err take_link(struct ekb_workload *workload, size_t index,
                              const struct ekb_scenario_link *seen, struct ekb_fail *reterr_fail)
{
    struct ekb_link_demand demand = seen->initiator.demand;
    if (seen->link->kind == EKB_LINK_SIP_SERVICE) {
        return EKB_OK; // No connection.
    }
    if (!seen->active && seen->by_initiator) {
        if (strstr(workload->left_out, seen->link->name) == NULL) {
            leave_out(workload, seen);
        }
        return EKB_OK;
    }
    const enum ekb_err err = add_arm(workload, index, &demand, seen->active, reterr_fail);
    if (err != EKB_OK || !goes_by_mode(seen->link)) {
        return err;
    }
    // Without a usage to ask for, it is the usage alone that cannot be wrong.
    demand.usages = 0;
    return add_arm(workload, index, &demand, seen->active || seen->err == EKB_VERIFY_PURPOSE,
                   reterr_fail);
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
        err =
            ekb_fail_say(reterr_fail, EKB_USAGE, "%s has nothing to measure: %s", deployment->name,
                         workload->left_out[0] != '\0' ? workload->left_out
                                                       : "none of its links is a connection");
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

const char *ekb_workload_left_out(const struct ekb_workload *workload)
{
    return workload->left_out;
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
            arm->plan.expect_accept) {
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
        !control->expect_accept) {
        return;
    }
    struct ekb_plan_contrast *contrast = &stage->contrasts[stage->num_contrasts++];
    contrast->question = treated->expect_accept ? EKB_EFFECT_LINK : EKB_EFFECT_REJECT_LINK;
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
        if (none != NULL && none != arm && arm->expect_accept && none->expect_accept) {
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
    plan->left_out = workload->left_out;
}
