#include "cli/target.h"

#include "cli/cli.h"

void ekb_cli_target_init(struct ekb_cli_target *out_target)
{
    *out_target = (struct ekb_cli_target){
        .arm = {.version = EKB_TLS_ANY, .expect_accept = true, .kind = EKB_CLIENT_FULL},
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

error_t ekb_cli_parse_target(struct ekb_cli_target *target, int key, const char *text,
                             struct argp_state *state)
{
    switch (key) {
    case EKB_CLI_TARGET_STORE:
        target->arm.store_path = text;
        target->given = "--store";
        return 0;
    case EKB_CLI_TARGET_SNI:
        target->arm.sni = text;
        target->given = "--sni";
        return 0;
    case EKB_CLI_TARGET_INSECURE:
        target->insecure = true;
        target->given = "--insecure";
        return 0;
    case EKB_CLI_TARGET_CONFIRM:
        if (ekb_confirm_parse(&target->confirm, text) != EKB_OK) {
            ekb_cli_refuse(state,
                           "--confirm %s: first, byte, ticket, close, http or none is wanted",
                           text);
        }
        target->given = "--confirm";
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void ekb_cli_check_target(struct ekb_cli_target *target, struct argp_state *state)
{
    if (target->arm.store_path == NULL && !target->insecure) {
        ekb_cli_refuse(state, "--store DIR (client certificate and CAs), or --insecure, is wanted");
    }
    if (target->tls != NULL && ekb_tls_version_parse(&target->arm.version, target->tls) != EKB_OK) {
        ekb_cli_refuse(state, "--tls %s: 1.2, 1.3 or any is wanted", target->tls);
    }
    target->arm.kind = target->insecure ? EKB_CLIENT_CHEAP : EKB_CLIENT_FULL;
}
