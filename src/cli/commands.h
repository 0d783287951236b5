// The commands of the program, as a table: what dispatches to them, lists them, describes them and
// completes them.

#ifndef EKUBENCH_SRC_CLI_COMMANDS_H
#define EKUBENCH_SRC_CLI_COMMANDS_H

#include <argp.h>
#include <stddef.h>

struct ekb_cli_command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
    const struct argp *argp; // What it understands.
    // Its first words, if it has some, separated by blanks: "list show run". NULL.
    const char *verbs;
};

extern const struct ekb_cli_command ekb_cli_commands[];
extern const size_t ekb_cli_num_commands;

// ekb_cli_find_command returns the command called `name`, or NULL.
const struct ekb_cli_command *ekb_cli_find_command(const char *name);

// ekb_cli_suggest_command returns the name of a command that `word` may have been meant for, or
// NULL.
const char *ekb_cli_suggest_command(const char *word);

#endif
