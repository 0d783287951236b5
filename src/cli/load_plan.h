// The plan file of a load: what was said, what follows from it, and in comments what it does.

#ifndef EKUBENCH_SRC_CLI_LOAD_PLAN_H
#define EKUBENCH_SRC_CLI_LOAD_PLAN_H

#include "cli/words.h"

#include "ekubench/lab/load.h"

// ekb_cli_print_load_plan prints the plan in force on standard output, as a file that makes the
// same one again, and returns the exit status. `words` have been parsed into `settings`.
int ekb_cli_print_load_plan(struct ekb_cli_words *words, const struct ekb_load_settings *settings);

#endif
