#include "ekubench/lab/deployment.h"

#include <string.h>

const enum ekb_link ekb_deployment_mra[EKB_DEPLOYMENT_NUM_MRA] = {
    EKB_LINK_UC_ZONE, EKB_LINK_SSH_TUNNEL, EKB_LINK_SIP_SERVICE, EKB_LINK_TRAFFIC};

enum ekb_err ekb_deployment_check_release(const struct ekb_deployment *deployment,
                                          enum ekb_release release, struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        const struct ekb_deployment_node *node = &deployment->nodes[i];
        if (node->has_release && node->rules.release != release) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                                "C and E must run the same release, and this run is under %s: node "
                                "%s says release = %s; leave that line out to try others",
                                ekb_release_rules(release)->name, node->name,
                                ekb_release_rules(node->rules.release)->name);
        }
    }
    return EKB_OK;
}

static bool is_own(const struct ekb_deployment *deployment, enum ekb_release release)
{
    for (size_t i = 0; i < deployment->num_releases; i++) {
        if (deployment->releases[i] == release) {
            return true;
        }
    }
    return false;
}

// rank_of says how narrow the runs are of which an expectation speaks.
static int rank_of(const struct ekb_deployment_expectation *expectation)
{
    return (expectation->has_release ? 2 : 0) + (expectation->has_mode ? 1 : 0);
}

bool ekb_deployment_is_about(const struct ekb_deployment *deployment,
                             const struct ekb_deployment_expectation *expectation,
                             enum ekb_release release, enum ekb_eku_mode mode)
{
    return (expectation->has_release ? expectation->release == release
                                     : is_own(deployment, release)) &&
           (!expectation->has_mode || expectation->mode == mode);
}

const struct ekb_deployment_expectation *
ekb_deployment_expect(const struct ekb_deployment *deployment, const char *what,
                      enum ekb_release release, enum ekb_eku_mode mode)
{
    const struct ekb_deployment_expectation *best = NULL;
    for (size_t i = 0; i < deployment->num_expectations; i++) {
        const struct ekb_deployment_expectation *it = &deployment->expectations[i];
        if (strcmp(it->what, what) == 0 && ekb_deployment_is_about(deployment, it, release, mode) &&
            (best == NULL || rank_of(it) > rank_of(best))) {
            best = it;
        }
    }
    return best;
}

bool ekb_deployment_is_minted(const struct ekb_deployment_identity *identity)
{
    return identity->origin == EKB_ORIGIN_CA || identity->origin == EKB_ORIGIN_SELF_SIGNED;
}
