// What the parts of `ekubench scenario` share.

#ifndef EKUBENCH_SRC_CLI_SCENARIO_H
#define EKUBENCH_SRC_CLI_SCENARIO_H

#include "ekubench/lab/scenario.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// Words (scenario_words).

const char *ekb_scenario_node_name(const struct ekb_deployment *deployment, size_t node);
const char *ekb_scenario_state_name(bool active);
const char *ekb_scenario_mra_name(enum ekb_scenario_mra mra);

// ekb_scenario_mra_why returns which of the links fail of which MRA is made, and why, newly
// allocated; NULL if out of memory.
char *ekb_scenario_mra_why(const struct ekb_scenario_run *run);

// ekb_scenario_gate returns the release whose gate a certificate of `node` has met: for a server's
// that is there since before the upgrade, the one before.
enum ekb_release ekb_scenario_gate(const struct ekb_deployment *deployment,
                                   const struct ekb_scenario_run *run, size_t node,
                                   enum ekb_store_side side);

// ekb_scenario_has_own_mode is true if `node` has an EKU checking mode of its own, and `release`
// heeds it.
bool ekb_scenario_has_own_mode(const struct ekb_deployment_node *node, enum ekb_release release);

// ekb_scenario_is_refused is true if a gate refuses a certificate of the run, or would.
// ekb_scenario_is_elsewhere is true if something is expected, and nothing of it of this run.
bool ekb_scenario_is_refused(const struct ekb_deployment *deployment,
                             const struct ekb_scenario_run *run);
bool ekb_scenario_is_elsewhere(const struct ekb_deployment *deployment,
                               const struct ekb_scenario_run *run);

// ekb_scenario_basis returns what the run was held to: "expected" if something was said of it,
// "rules" if nothing was, NULL if the rules know nothing of it either. ekb_scenario_accord returns
// the word of the table: "yes", "rules" or "-" accordingly, and "NO" if something does not match.
const char *ekb_scenario_basis(const struct ekb_scenario_run *run);
const char *ekb_scenario_accord(const struct ekb_scenario_run *run);

// Forms: text (scenario_print), the table (scenario_table), JSON (scenario_json).

// ekb_scenario_print prints what came of a run, link by link.
void ekb_scenario_print(const struct ekb_deployment *deployment,
                        const struct ekb_scenario_run *run);

// ekb_scenario_print_head and ekb_scenario_print_row write the table of several runs: a line each.
void ekb_scenario_print_head(FILE *file);
void ekb_scenario_print_row(FILE *file, const struct ekb_deployment *deployment,
                            const struct ekb_scenario_run *run);

// ekb_scenario_json returns a run as JSON, newly allocated; NULL if out of memory.
json_t *ekb_scenario_json(const struct ekb_deployment *deployment,
                          const struct ekb_scenario_run *run);

#endif
