// What is said of a run, in text, in the table and in JSON alike.

#include "cli/scenario.h"

#include "ekubench/lab/foretell.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *ekb_scenario_node_name(const struct ekb_deployment *deployment, size_t node)
{
    return deployment->nodes[node].name;
}

const char *ekb_scenario_state_name(bool active)
{
    return active ? "Active" : "Failed";
}

const char *ekb_scenario_mra_name(enum ekb_scenario_mra mra)
{
    return mra == EKB_MRA_WORKS ? "works" : mra == EKB_MRA_FAILS ? "fails" : "-";
}

// is_of_mra is true if MRA is made of links of this kind.
static bool is_of_mra(enum ekb_link kind)
{
    for (size_t i = 0; i < EKB_DEPLOYMENT_NUM_MRA; i++) {
        if (ekb_deployment_mra[i] == kind) {
            return true;
        }
    }
    return false;
}

char *ekb_scenario_mra_why(const struct ekb_scenario_run *run)
{
    char *text = NULL;
    size_t text_len = 0;
    size_t num = 0;
    FILE *file = open_memstream(&text, &text_len);
    if (file == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < run->num_links; i++) {
        const struct ekb_scenario_link *result = &run->links[i];
        const struct ekb_link_row *row = ekb_link_row(result->link->kind);
        const bool is_named = strcmp(result->link->name, row->name) != 0;
        if (!result->active && is_of_mra(result->link->kind)) {
            (void)fprintf(file, "%s%s%s%s (%s)", num++ > 0 ? ", " : "", row->title,
                          is_named ? " " : "", is_named ? result->link->name : "",
                          ekb_err_sentence(result->err));
        }
    }
    (void)fclose(file);
    return text;
}

enum ekb_release ekb_scenario_gate(const struct ekb_deployment *deployment,
                                   const struct ekb_scenario_run *run, size_t node,
                                   enum ekb_store_side side)
{
    struct ekb_release_node rules = deployment->nodes[node].rules;
    rules.release = run->release;
    return side == EKB_STORE_SERVER ? ekb_foretell_gate(&deployment->nodes[node], rules).release
                                    : run->release;
}

bool ekb_scenario_has_own_mode(const struct ekb_deployment_node *node, enum ekb_release release)
{
    return node->has_mode &&
           (node->rules.kind == EKB_NODE_FAR || ekb_release_rules(release)->has_mode_switch);
}

bool ekb_scenario_is_refused(const struct ekb_deployment *deployment,
                             const struct ekb_scenario_run *run)
{
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
            if (run->refusals[i][side].err != EKB_OK) {
                return true;
            }
        }
    }
    return false;
}

// is_said is true if something was expected of the run, by whoever wrote the deployment.
static bool is_said(const struct ekb_scenario_run *run)
{
    bool said = !run->mra_is_foretold;
    for (size_t i = 0; i < run->num_links; i++) {
        said = said || run->links[i].said != NULL;
    }
    return said;
}

bool ekb_scenario_is_elsewhere(const struct ekb_deployment *deployment,
                               const struct ekb_scenario_run *run)
{
    return deployment->num_expectations > 0 && !is_said(run);
}

const char *ekb_scenario_basis(const struct ekb_scenario_run *run)
{
    if (is_said(run)) {
        return "expected";
    }
    for (size_t i = 0; i < run->num_links; i++) {
        if (run->links[i].expected != EKB_EXPECTED_UNKNOWN) {
            return "rules";
        }
    }
    return NULL;
}

const char *ekb_scenario_accord(const struct ekb_scenario_run *run)
{
    const char *const basis = ekb_scenario_basis(run);
    return !run->matches                 ? "NO"
           : basis == NULL               ? "-"
           : strcmp(basis, "rules") == 0 ? "rules"
                                         : "yes";
}
