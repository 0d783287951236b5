#include "cli/cli.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/stage.h"
#include "ekubench/pki/mint.h"

#include <string.h>

// Of all workers; what each can have open is the machine's business (lab/preflight).
#define MAX_IN_FLIGHT 200000

void ekb_cli_parse_pin(struct ekb_pin *out_pin, const char *text, struct argp_state *state)
{
    struct ekb_fail fail;
    if (ekb_pin_parse(out_pin, text, &fail) != EKB_OK || ekb_pin_check(out_pin, &fail) != EKB_OK) {
        ekb_cli_refuse(state, "--pin: %s", fail.detail);
    }
}

void ekb_cli_parse_workers(uint32_t *out_count, const char *option, const char *text,
                           struct argp_state *state)
{
    uint64_t count = 0;
    if (ekb_units_parse_count(&count, text, 1, EKB_STAGE_MAX_WORKERS) != EKB_OK) {
        ekb_cli_refuse(state, "%s %s: a count from 1 to %d is wanted", option, text,
                       EKB_STAGE_MAX_WORKERS);
    }
    *out_count = (uint32_t)count;
}

void ekb_cli_parse_in_flight(uint32_t *out_count, const char *text, struct argp_state *state)
{
    uint64_t count = 0;
    if (ekb_units_parse_count(&count, text, 1, MAX_IN_FLIGHT) != EKB_OK) {
        ekb_cli_refuse(state, "--in-flight %s: a count from 1 to %d is wanted", text,
                       MAX_IN_FLIGHT);
    }
    *out_count = (uint32_t)count;
}

double ekb_cli_parse_share(const char *option, const char *text, struct argp_state *state)
{
    double share = 0;
    if (ekb_units_parse_share(&share, text) != EKB_OK) {
        ekb_cli_refuse(state, "%s %s: a share such as 5%% or 0.05 is wanted", option, text);
    }
    return share;
}

void ekb_cli_parse_preference(const struct ekb_tls_preferences *preferences, const char **list,
                              const char *text, struct argp_state *state)
{
    struct ekb_fail fail;
    *list = text;
    if (ekb_tls_preferences_check(preferences, &fail) != EKB_OK) {
        ekb_cli_refuse(state, "%s", fail.detail);
    }
    if (strlen(text) >= EKB_LISTENER_LIST_LEN) {
        ekb_cli_refuse(state, "%s: a list of less than %d characters is wanted", text,
                       EKB_LISTENER_LIST_LEN);
    }
}

enum ekb_err ekb_cli_check_treatment(const struct ekb_plan_settings *plan,
                                     struct ekb_fail *reterr_fail)
{
    const bool is_tls12 = plan->version_set && plan->version == EKB_TLS_1_2;
    const bool is_p256 = !plan->key_type_set || plan->key_type == EKB_KEY_P256;
    const bool is_p384 = plan->key_type_set && plan->key_type == EKB_KEY_P384;
    const char *const curve = is_p256 ? "P-256" : is_p384 ? "P-384" : NULL;
    if (is_tls12 && plan->preferences.groups != NULL && curve != NULL &&
        strstr(plan->preferences.groups, curve) == NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "--groups %s: in TLS 1.2 the list must have the curve of the "
                            "certificates, %s",
                            plan->preferences.groups, curve);
    }
    if (plan->preferences.ciphers == NULL || is_tls12) {
        return EKB_OK;
    }
    return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                        "--ciphers is of TLS 1.2 (--tls 1.2): the suite of TLS 1.3 is the "
                        "library's choice");
}

error_t ekb_cli_parse_treatment(struct ekb_plan_settings *plan, int key, const char *text,
                                struct argp_state *state)
{
    uint64_t count = 0;
    switch (key) {
    case EKB_CLI_OPTION_TLS:
        if (ekb_tls_version_parse(&plan->version, text) != EKB_OK || plan->version == EKB_TLS_ANY) {
            ekb_cli_refuse(state, "--tls %s: 1.2 or 1.3 is wanted", text);
        }
        plan->version_set = true;
        return 0;
    case EKB_CLI_OPTION_KEY:
        if (ekb_key_type_parse(&plan->key_type, text) != EKB_OK) {
            ekb_cli_refuse(state, "--key %s: " EKB_CLI_KEY_TYPES " is wanted", text);
        }
        plan->key_type_set = true;
        return 0;
    case EKB_CLI_OPTION_EKU:
        if (ekb_eku_mode_parse(&plan->eku, text) != EKB_OK) {
            ekb_cli_refuse(state, "--eku %s: on, off or none is wanted", text);
        }
        plan->eku_set = true;
        return 0;
    case EKB_CLI_OPTION_DEPTH:
        if (ekb_units_parse_count(&count, text, 1, EKB_MINT_MAX_DEPTH) != EKB_OK) {
            ekb_cli_refuse(state, "--depth %s: a count from 1 to %d is wanted", text,
                           EKB_MINT_MAX_DEPTH);
        }
        plan->depth = (unsigned)count;
        return 0;
    case EKB_CLI_OPTION_SEED:
        if (ekb_units_parse_count(&plan->seed, text, 1, UINT64_C(1) << 53) != EKB_OK) {
            ekb_cli_refuse(state, "--seed %s: a whole number from 1 to 2^53 is wanted", text);
        }
        return 0;
    case EKB_CLI_OPTION_GROUPS:
        ekb_cli_parse_preference(&plan->preferences, &plan->preferences.groups, text, state);
        return 0;
    case EKB_CLI_OPTION_CIPHERS:
        ekb_cli_parse_preference(&plan->preferences, &plan->preferences.ciphers, text, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
