#include "cli/target.h"

#include "cli/cli.h"

void ekb_cli_target_init(struct ekb_cli_target *out_target)
{
    *out_target = (struct ekb_cli_target){
        .arm = {.version = EKB_TLS_ANY, .expect = EKB_EXPECT_ACCEPT, .kind = EKB_CLIENT_FULL},
        .confirm = EKB_CONFIRM_FIRST};
}

void ekb_cli_set_target(struct ekb_cli_target *target, const char *text, struct argp_state *state)
{
    struct ekb_fail fail;
    char message[512];
    if (ekb_address_parse(&target->arm.target, text, &fail) != EKB_OK) {
        ekb_fail_text(message, sizeof message, &fail);
        ekb_cli_refuse(state, "%s", message);
    }
    if (ekb_address_port(&target->arm.target) == 0) {
        ekb_cli_refuse(state, "%s: nothing listens at port 0", text);
    }
    target->text = text;
}

// parse_trust reads what the client presents and trusts.
static const char *parse_trust(struct ekb_cli_target *target, int key, const char *text,
                               struct argp_state *state)
{
    switch (key) {
    case EKB_CLI_TARGET_STORE:
        target->arm.store_path = text;
        return "--store";
    case EKB_CLI_TARGET_CA:
        target->arm.ca_path = text;
        return "--ca";
    case EKB_CLI_TARGET_INSECURE:
        target->insecure = true;
        return "--insecure";
    case EKB_CLI_TARGET_IDENTITIES:
        target->arm.identities = text;
        return "--identities";
    case EKB_CLI_TARGET_PICK:
        if (ekb_pick_parse(&target->arm.pick, text) != EKB_OK) {
            ekb_cli_refuse(state,
                           "--pick %s: round-robin, uniform, zipf or zipf:EXPONENT (0 to 10) is "
                           "wanted",
                           text);
        }
        target->pick_set = true;
        return "--pick";
    default:
        return NULL;
    }
}

// parse_shape reads what the handshake is.
static const char *parse_shape(struct ekb_cli_target *target, int key, const char *text,
                               struct argp_state *state)
{
    struct ekb_tls_preferences *preferences = &target->arm.preferences;
    struct ekb_name name;
    switch (key) {
    case EKB_CLI_TARGET_SNI:
        if (ekb_name_parse(&name, text) != EKB_OK || name.kind != EKB_NAME_DNS) {
            ekb_cli_refuse(state, "--sni \"%s\": a host name is wanted", text);
        }
        target->arm.sni = text;
        return "--sni";
    case EKB_CLI_TARGET_CONFIRM:
        if (ekb_confirm_parse(&target->confirm, text) != EKB_OK) {
            ekb_cli_refuse(
                state, "--confirm %s: first, byte, ticket, close, http or none is wanted", text);
        }
        return "--confirm";
    case EKB_CLI_TARGET_GROUPS:
        ekb_cli_parse_preference(preferences, &preferences->groups, text, state);
        return "--groups";
    case EKB_CLI_TARGET_CIPHERS:
        ekb_cli_parse_preference(preferences, &preferences->ciphers, text, state);
        return "--ciphers";
    case EKB_CLI_TARGET_SIGNATURES:
        ekb_cli_parse_preference(preferences, &preferences->signatures, text, state);
        return "--signatures";
    default:
        return NULL;
    }
}

error_t ekb_cli_parse_target(struct ekb_cli_target *target, int key, const char *text,
                             struct argp_state *state)
{
    const char *given = parse_trust(target, key, text, state);
    given = given != NULL ? given : parse_shape(target, key, text, state);
    if (given == NULL) {
        return ARGP_ERR_UNKNOWN;
    }
    target->given = given;
    return 0;
}

void ekb_cli_check_target(struct ekb_cli_target *target, struct argp_state *state)
{
    struct ekb_client_arm *arm = &target->arm;
    if (arm->store_path == NULL && arm->ca_path == NULL && !target->insecure) {
        ekb_cli_refuse(state, "--store DIR (client certificate and CAs), --ca FILE, or --insecure, "
                              "is wanted");
    }
    if (target->insecure && arm->ca_path != NULL) {
        ekb_cli_refuse(state, "--ca verifies the server, --insecure does not: one of them");
    }
    if (target->pick_set && arm->identities == NULL) {
        ekb_cli_refuse(state, "--pick is of --identities");
    }
    if (target->tls != NULL && ekb_tls_version_parse(&arm->version, target->tls) != EKB_OK) {
        ekb_cli_refuse(state, "--tls %s: 1.2, 1.3 or any is wanted", target->tls);
    }
    if (target->tls != NULL && arm->version == EKB_TLS_1_3 && arm->preferences.ciphers != NULL) {
        ekb_cli_refuse(state, "--ciphers is of TLS 1.2: the suite of TLS 1.3 is the library's "
                              "choice");
    }
    arm->kind = target->insecure ? EKB_CLIENT_CHEAP : EKB_CLIENT_FULL;
}
