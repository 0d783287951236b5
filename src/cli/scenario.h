// What the parts of `ekubench scenario` share.

#ifndef EKUBENCH_SRC_CLI_SCENARIO_H
#define EKUBENCH_SRC_CLI_SCENARIO_H

#include "ekubench/lab/scenario.h"

#include <jansson.h>
#include <stdio.h>

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
