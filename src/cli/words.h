// The words of a command: what its options were given as, whether on the command line or in a plan
// file.
//
// A plan file is an INI file (ekb_cli_parse_file) whose keys are the long names of the command's
// options. Which those are is in the command's option table alone: an option that is added there
// can be in a plan file, and is printed, without another word about it.

#ifndef EKUBENCH_SRC_CLI_WORDS_H
#define EKUBENCH_SRC_CLI_WORDS_H

#include "ekubench/base/err.h"

#include <argp.h>
#include <stdbool.h>

#define EKB_CLI_MAX_WORDS 64

// The options of a command that knows plan files, for its table.
enum {
    EKB_CLI_OPTION_PLAN = 1280,
    EKB_CLI_OPTION_PRINT_PLAN,
};

struct ekb_cli_words {
    const struct argp *argp;               // Borrowed: at most EKB_CLI_MAX_WORDS options.
    const char *command;                   // The only section of a plan file.
    const char *positional;                // The option that the argument stands for, or NULL.
    void *input;                           // Of `argp`'s parser.
    const char *values[EKB_CLI_MAX_WORDS]; // By option; NULL: not given. Borrowed.
    bool print_plan;                       // What the user wants is to see the plan.
};

// ekb_cli_words_give obeys the option `name` as if it had been given: for defaults, before
// ekb_cli_words_parse. `value` is borrowed for as long as the command goes on.
void ekb_cli_words_give(struct ekb_cli_words *words, const char *name, char *value);

// ekb_cli_words_parse obeys the plan file that the command line names, if it does, and then the
// command line, as ekb_cli_parse does: it goes before the file. A file cannot name another one.
// Errors of ekb_cli_parse_file.
EKB_NODISCARD enum ekb_err ekb_cli_words_parse(struct ekb_cli_words *words, int argc, char **argv,
                                               struct ekb_fail *reterr_fail);

// ekb_cli_words_get returns what the option `name` was given as, NULL if it was not.
const char *ekb_cli_words_get(const struct ekb_cli_words *words, const char *name);

// ekb_cli_words_set changes what ekb_cli_words_print prints of the option `name`, and nothing else:
// for what follows from other options. NULL: nothing is printed.
void ekb_cli_words_set(struct ekb_cli_words *words, const char *name, const char *value);

// ekb_cli_words_print prints the words on standard output as a plan file, without those that say
// where the result goes. EKB_UNSUPPORTED if a value cannot stand in one.
EKB_NODISCARD enum ekb_err ekb_cli_words_print(const struct ekb_cli_words *words,
                                               struct ekb_fail *reterr_fail);

#endif
