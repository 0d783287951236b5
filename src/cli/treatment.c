#include "cli/cli.h"

#include "ekubench/base/units.h"
#include "ekubench/pki/mint.h"

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
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
