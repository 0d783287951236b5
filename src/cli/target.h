// The options of a load client that say which server it talks to, and what it presents there.

#ifndef EKUBENCH_SRC_CLI_TARGET_H
#define EKUBENCH_SRC_CLI_TARGET_H

#include "ekubench/peer/client.h"

#include <argp.h>
#include <stdbool.h>

struct ekb_cli_target {
    const char *text; // ADDR:PORT as the user wrote it; NULL: not given.
    struct ekb_client_arm arm;
    enum ekb_confirm confirm;
    const char *tls;   // The version's name, or NULL: any.
    const char *given; // One of the options below that was given, or NULL.
    bool insecure;
};

enum {
    EKB_CLI_TARGET_STORE = 's',
    EKB_CLI_TARGET_SNI = 1100,
    EKB_CLI_TARGET_INSECURE,
    EKB_CLI_TARGET_CONFIRM,
};

// EKB_CLI_TARGET_OPTIONS are their rows in the table of a command.
#define EKB_CLI_TARGET_OPTIONS(group)                                                              \
    {"store",                                                                                      \
     EKB_CLI_TARGET_STORE,                                                                         \
     "DIR",                                                                                        \
     0,                                                                                            \
     "For ADDR:PORT: present DIR's client.pem and trust its ca.pem (the server's chain is "        \
     "verified, its name is not)",                                                                 \
     (group)},                                                                                     \
        {"sni", EKB_CLI_TARGET_SNI, "NAME", 0, "For ADDR:PORT: server name to ask for", (group)},  \
        {"insecure", EKB_CLI_TARGET_INSECURE, NULL, 0, "For ADDR:PORT: do not verify the server",  \
         (group)},                                                                                 \
    {                                                                                              \
        "confirm", EKB_CLI_TARGET_CONFIRM, "WHAT", 0,                                              \
            "For ADDR:PORT, when a handshake counts as accepted: byte (default) = the server's "   \
            "first byte of application data; none = the client's own handshake has ended",         \
            (group)                                                                                \
    }

// ekb_cli_target_init makes one that is not given.
void ekb_cli_target_init(struct ekb_cli_target *out_target);

// ekb_cli_set_target obeys the argument ADDR:PORT; ekb_cli_parse_target one of the options, or
// returns ARGP_ERR_UNKNOWN; ekb_cli_check_target completes the arm when all have been read. Each
// ends the process with status 2 on wrong usage.
void ekb_cli_set_target(struct ekb_cli_target *target, const char *text, struct argp_state *state);
error_t ekb_cli_parse_target(struct ekb_cli_target *target, int key, const char *text,
                             struct argp_state *state);
void ekb_cli_check_target(struct ekb_cli_target *target, struct argp_state *state);

#endif
