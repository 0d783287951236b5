// `ekubench doctor --self-test`.

#ifndef EKUBENCH_SRC_CLI_SELFTEST_H
#define EKUBENCH_SRC_CLI_SELFTEST_H

#include "cli/cli.h"

#include <stdint.h>

// ekb_cli_self_test injects known effects into arms, prints what was recovered, and returns the
// exit status: 0 if all effects of 5 us and more were found and the control showed none; 3 if the
// machine disturbed the run; 4 if an effect was not found.
int ekb_cli_self_test(enum ekb_cli_format format, uint64_t seed);

#endif
