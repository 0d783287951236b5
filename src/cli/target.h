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
    bool pick_set;
};

enum {
    EKB_CLI_TARGET_STORE = 's',
    EKB_CLI_TARGET_SNI = 1100,
    EKB_CLI_TARGET_CA,
    EKB_CLI_TARGET_INSECURE,
    EKB_CLI_TARGET_CONFIRM,
    EKB_CLI_TARGET_GROUPS,
    EKB_CLI_TARGET_CIPHERS,
    EKB_CLI_TARGET_SIGNATURES,
    EKB_CLI_TARGET_IDENTITIES,
    EKB_CLI_TARGET_PICK,
};

// EKB_CLI_TARGET_OPTIONS are their rows in the table of a command, in that group.
// clang-format off
#define EKB_CLI_TARGET_OPTIONS(group) \
    {"store", EKB_CLI_TARGET_STORE, "DIR", 0, \
     "Present DIR's client.pem and trust its ca.pem (the server's chain is verified, its name is " \
     "not)", (group)}, \
    {"ca", EKB_CLI_TARGET_CA, "FILE", 0, \
     "Trust the CAs in FILE (PEM) in the place of the store's", (group)}, \
    {"insecure", EKB_CLI_TARGET_INSECURE, NULL, 0, \
     "Do not verify the server (cheap client: its certificate is not parsed)", (group)}, \
    {"sni", EKB_CLI_TARGET_SNI, "NAME", 0, "Server name to ask for", (group)}, \
    {"confirm", EKB_CLI_TARGET_CONFIRM, "WHAT", 0, \
     "What counts as the server's verdict: first (default) = the first byte, ticket or close that it " \
     "sends, in TLS 1.2 its Finished; byte, ticket or close = that; http = its answer to a request " \
     "(400, 401, 403, 495 and 496 are rejections); none = the client's own handshake has ended, " \
     "which in TLS 1.3 is before the server has seen the client's certificate", (group)}, \
    {"groups", EKB_CLI_TARGET_GROUPS, "LIST", 0, \
     EKB_CLI_GROUPS_HELP "; default " EKB_TLS_GROUPS, (group)}, \
    {"ciphers", EKB_CLI_TARGET_CIPHERS, "LIST", 0, \
     "Cipher suites of TLS 1.2, by OpenSSL's names", (group)}, \
    {"signatures", EKB_CLI_TARGET_SIGNATURES, "LIST", 0, \
     "Signature algorithms to accept, the most preferred first, as " \
     "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256: decides which certificate a server with two " \
     "sends (in TLS 1.2 the order of --ciphers does)", (group)}, \
    {"identities", EKB_CLI_TARGET_IDENTITIES, "DIR", 0, \
     "Present client identities from DIR, in the place of the store's: PEM files with a key and its " \
     "chain each (`ekubench pki mint --count` makes them)", (group)}, \
    {"pick", EKB_CLI_TARGET_PICK, "RULE", 0, \
     "Which of the --identities a connection presents: round-robin (default), uniform, zipf, zipf:EXPONENT", \
     (group)}
// clang-format on

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
