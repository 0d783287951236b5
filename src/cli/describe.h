// A certificate as `ekubench store show` prints it, for whoever prints one.

#ifndef EKUBENCH_SRC_CLI_DESCRIBE_H
#define EKUBENCH_SRC_CLI_DESCRIBE_H

#include "ekubench/pki/describe.h"

#include <jansson.h>
#include <stddef.h>

// ekb_cli_print_description prints certificate `index`, a line for each thing that is said of it.
void ekb_cli_print_description(const struct ekb_chain *chain, size_t index);

// ekb_cli_description_json returns it as JSON, ekb_cli_texts_json a list of texts, which it
// releases; newly allocated, NULL if out of memory. Usages are null if there is no such extension,
// which permits all of them.
json_t *ekb_cli_description_json(const struct ekb_chain *chain, size_t index);
json_t *ekb_cli_texts_json(struct ekb_texts *texts);

#endif
