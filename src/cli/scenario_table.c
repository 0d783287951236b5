// The table of several runs: a line for each.

#include "cli/scenario.h"

#include "ekubench/tls/config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// state_of returns the state of the links of a kind: of several, the worst.
static const char *state_of(const struct ekb_scenario_run *run, enum ekb_link kind)
{
    const char *state = "-";
    for (size_t i = 0; i < run->num_links; i++) {
        if (run->links[i].link->kind == kind) {
            if (!run->links[i].active) {
                return ekb_scenario_state_name(false);
            }
            state = ekb_scenario_state_name(true);
        }
    }
    return state;
}

static size_t count_kind(const struct ekb_scenario_run *run, enum ekb_link kind)
{
    size_t num = 0;
    for (size_t i = 0; i < run->num_links; i++) {
        num += run->links[i].link->kind == kind ? 1 : 0;
    }
    return num;
}

// is_shown is true for a link that no other column speaks of: those of the UC zone and of the SSH
// tunnel do if they are the only ones, and that of MRA does for the rest of it, if they are active.
static bool is_shown(const struct ekb_scenario_run *run, const struct ekb_scenario_link *result)
{
    const enum ekb_link kind = result->link->kind;
    if (kind == EKB_LINK_UC_ZONE || kind == EKB_LINK_SSH_TUNNEL) {
        return count_kind(run, kind) > 1;
    }
    const bool is_of_mra = kind == EKB_LINK_SIP_SERVICE || kind == EKB_LINK_TRAFFIC;
    return !is_of_mra || !result->active || run->mra == EKB_MRA_UNKNOWN;
}

// other_links returns the states of those links, newly allocated; NULL if out of memory.
static char *other_links(const struct ekb_scenario_run *run)
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
        if (is_shown(run, result)) {
            (void)fprintf(file, "%s%s %s", num++ > 0 ? ", " : "", result->link->name,
                          ekb_scenario_state_name(result->active));
        }
    }
    (void)fputs(num == 0 ? "-" : "", file);
    (void)fclose(file);
    return text;
}

void ekb_scenario_print_head(FILE *file)
{
    (void)fprintf(file, "%-16s %-7s %-4s %-4s %-8s %-8s %-6s %-28s %s\n", "deployment", "release",
                  "EKU", "TLS", "UC zone", "SSH", "MRA", "other links", "matches");
}

// print_notes prints what keeps a run from being what it seems.
static void print_notes(FILE *file, const struct ekb_deployment *deployment,
                        const struct ekb_scenario_run *run)
{
    const bool refused = ekb_scenario_is_refused(deployment, run);
    const bool elsewhere = ekb_scenario_is_elsewhere(deployment, run);
    if (refused || elsewhere) {
        (void)fprintf(file, " (%s%s%s)", refused ? "a gate refuses a certificate" : "",
                      refused && elsewhere ? "; " : "",
                      elsewhere ? "[expect] says nothing of it" : "");
    }
}

void ekb_scenario_print_row(FILE *file, const struct ekb_deployment *deployment,
                            const struct ekb_scenario_run *run)
{
    const struct ekb_release_rules *rules = ekb_release_rules(run->release);
    char *others = other_links(run);
    (void)fprintf(file, "%-16s %-7s %-4s %-4s %-8s %-8s %-6s %-28s %s", deployment->name,
                  rules->name, ekb_eku_mode_name(rules->has_mode_switch ? run->mode : EKB_EKU_ON),
                  ekb_tls_version_name(run->version), state_of(run, EKB_LINK_UC_ZONE),
                  state_of(run, EKB_LINK_SSH_TUNNEL), ekb_scenario_mra_name(run->mra),
                  others != NULL ? others : "out of memory", ekb_scenario_accord(run));
    print_notes(file, deployment, run);
    (void)fputc('\n', file);
    free(others);
}
