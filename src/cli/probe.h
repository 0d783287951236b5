// What `ekubench probe` prints.

#ifndef EKUBENCH_SRC_CLI_PROBE_H
#define EKUBENCH_SRC_CLI_PROBE_H

#include "ekubench/lab/peer_probe.h"

// What was asked for and what was found.
struct ekb_cli_probe_report {
    const char *target; // As the user wrote it.
    const struct ekb_peer_probe_options *options;
    const struct ekb_peer_probe *probe;
};

// ekb_cli_probe_text prints the report on standard output; if the server has shown no certificate,
// one line on standard error that says why. ekb_cli_probe_json prints JSON on standard output in
// either case, and returns the exit status of ekb_cli_print_json.
void ekb_cli_probe_text(const struct ekb_cli_probe_report *report);
int ekb_cli_probe_json(const struct ekb_cli_probe_report *report);

#endif
