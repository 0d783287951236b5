#include "cli/commands.h"

#include "cli/cli.h"
#include "cli/suggest.h"

#include <string.h>

const struct ekb_cli_command ekb_cli_commands[] = {
    {"measure", ekb_cli_measure,
     "what verifying client certificates costs, measured on this machine", &ekb_cli_measure_argp,
     NULL},
    {"capacity", ekb_cli_capacity, "how many can it take? the highest rate that meets an objective",
     &ekb_cli_capacity_argp, NULL},
    {"compare", ekb_cli_compare, "is one slower than the other? results, programs, stores; for CI",
     &ekb_cli_compare_argp, NULL},
    {"report", ekb_cli_report,
     "a result as tables, Markdown, CSV, for HdrHistogram, CI, dashboards", &ekb_cli_report_argp,
     NULL},
    {"merge", ekb_cli_merge, "several results of one plan as one, exactly", &ekb_cli_merge_argp,
     NULL},
    {"serve", ekb_cli_serve, "the dual-store TLS server, one listener per policy",
     &ekb_cli_serve_argp, NULL},
    {"load", ekb_cli_load, "the load client, against any TLS server", &ekb_cli_load_argp, NULL},
    {"store", ekb_cli_store, "keep the dual certificate store of a node", &ekb_cli_store_argp,
     "init show upload csr trust reset upgrade diag"},
    {"verify", ekb_cli_verify, "what verification says of a certificate chain",
     &ekb_cli_verify_argp, NULL},
    {"probe", ekb_cli_probe, "what a server shows, and what a node makes of it",
     &ekb_cli_probe_argp, NULL},
    {"audit", ekb_cli_audit, "which certificates break which links, and what to do",
     &ekb_cli_audit_argp, NULL},
    {"scenario", ekb_cli_scenario, "run a deployment: stores, servers, links, real handshakes",
     &ekb_cli_scenario_argp, "list show run"},
    {"pki", ekb_cli_pki, "mint certification authorities and certificates", &ekb_cli_pki_argp,
     "mint"},
    {"instructions", ekb_cli_instructions, "instructions of a handshake, counted without noise",
     &ekb_cli_instructions_argp, NULL},
    {"doctor", ekb_cli_doctor, "can this machine measure?", &ekb_cli_doctor_argp, NULL},
    {"manual", ekb_cli_manual, "this program's manual page", &ekb_cli_manual_argp, NULL},
    {"completion", ekb_cli_completion, "what a shell needs to complete its command line",
     &ekb_cli_completion_argp, "bash zsh"},
};

const size_t ekb_cli_num_commands = sizeof ekb_cli_commands / sizeof ekb_cli_commands[0];

const struct ekb_cli_command *ekb_cli_find_command(const char *name)
{
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        if (strcmp(ekb_cli_commands[i].name, name) == 0) {
            return &ekb_cli_commands[i];
        }
    }
    return NULL;
}

const char *ekb_cli_suggest_command(const char *word)
{
    struct ekb_cli_suggestion suggestion = {.word = word, .len = strlen(word)};
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        ekb_cli_suggest(&suggestion, ekb_cli_commands[i].name);
    }
    return suggestion.best;
}
