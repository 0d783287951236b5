#include "lab/scenario_internal.h"

#include "ekubench/lab/foretell.h"
#include "ekubench/tls/alert.h"

#include <string.h>

// fits is true if what came of the link is all that was said of it.
static bool fits(const struct ekb_scenario_link *result,
                 const struct ekb_deployment_expectation *said)
{
    const bool has_reason =
        said->reason[0] == '\0' || strcmp(said->reason, ekb_err_name(result->err)) == 0 ||
        (result->alert >= 0 && strcmp(said->reason, ekb_alert_name(result->alert)) == 0);
    const bool has_depth = !said->has_depth || (result->verify_depth >= 0 &&
                                                (unsigned)result->verify_depth >= said->min_depth &&
                                                (unsigned)result->verify_depth <= said->max_depth);
    const bool has_log = said->log[0] == '\0' || strstr(result->event, said->log) != NULL ||
                         strstr(result->outbound, said->log) != NULL;
    return has_reason && has_depth && has_log && (result->asks || !said->asks);
}

// is_of_role is true if the end presented what is in the store of its role; or nothing, and it need
// not, or has nothing.
static bool is_of_role(const struct ekb_scenario_end *end, bool must)
{
    static const char *const stores[] = {
        [EKB_STORE_SERVER] = "server", [EKB_STORE_CLIENT] = "client"};
    if (!end->presented) {
        return !must || !end->has_one;
    }
    return strcmp(end->store, stores[end->role]) == 0 || strcmp(end->store, "both") == 0 ||
           (end->role == EKB_STORE_SERVER && strcmp(end->store, "second") == 0);
}

void ekb_scenario_judge(struct ekb_scenario_runner *runner, size_t index)
{
    const struct ekb_scenario_terms *terms = runner->terms;
    struct ekb_scenario_link *result = &runner->out->links[index];
    result->said =
        ekb_deployment_expect(runner->deployment, result->link->name, terms->release, terms->mode);
    result->is_foretold = result->said == NULL;
    result->expected = result->said != NULL ? result->said->expected
                                            : ekb_foretell_link(runner->deployment, result->link,
                                                                terms->release, terms->mode);
    result->has_roles =
        is_of_role(&result->initiator, result->active && result->asks) &&
        is_of_role(&result->responder, result->active && ekb_scenario_is_connection(result->link));
    result->matches = result->has_roles &&
                      (result->expected == EKB_EXPECTED_UNKNOWN ||
                       result->active == (result->expected == EKB_EXPECTED_ACTIVE)) &&
                      (result->said == NULL || fits(result, result->said));
    runner->out->matches = runner->out->matches && result->matches;
}

void ekb_scenario_conclude(struct ekb_scenario_runner *runner)
{
    struct ekb_scenario_run *run = runner->out;
    enum ekb_expected seen[EKB_DEPLOYMENT_MAX_LINKS];
    enum ekb_expected expected[EKB_DEPLOYMENT_MAX_LINKS];
    for (size_t i = 0; i < run->num_links; i++) {
        seen[i] = run->links[i].active ? EKB_EXPECTED_ACTIVE : EKB_EXPECTED_FAILED;
        expected[i] = run->links[i].expected;
    }
    const enum ekb_expected mra = ekb_foretell_mra(runner->deployment, seen);
    const struct ekb_deployment_expectation *said =
        ekb_deployment_expect(runner->deployment, "mra", run->release, run->mode);
    run->mra = mra == EKB_EXPECTED_ACTIVE   ? EKB_MRA_WORKS
               : mra == EKB_EXPECTED_FAILED ? EKB_MRA_FAILS
                                            : EKB_MRA_UNKNOWN;
    run->mra_is_foretold = said == NULL;
    run->expected_mra =
        said != NULL ? said->expected : ekb_foretell_mra(runner->deployment, expected);
    run->mra_matches = run->expected_mra == EKB_EXPECTED_UNKNOWN || run->expected_mra == mra;
    run->matches = run->matches && run->mra_matches;
}
