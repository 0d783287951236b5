#include "peer/client_config.h"

#include "ekubench/store/store.h"

#include <stdbool.h>
#include <stdlib.h>

// load_trust sets the CAs that `arm` trusts: borrowed from `store`, or read into `*owned`.
static enum ekb_err load_trust(const struct ekb_chain **out_trust, struct ekb_chain **owned,
                               const struct ekb_client_arm *arm, const struct ekb_store *store,
                               struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    if (arm->ca_path != NULL) {
        err = ekb_chain_read_pem(owned, arm->ca_path, reterr_fail);
        *out_trust = *owned;
    } else {
        *out_trust = store != NULL ? ekb_store_trust(store) : NULL;
    }
    return err;
}

static enum ekb_err make_config(struct ekb_tls_config **out_config,
                                const struct ekb_client_arm *arm, struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    struct ekb_chain *trust = NULL;
    const bool full = arm->kind == EKB_CLIENT_FULL;
    if (arm->flights != NULL) {
        return ekb_tls_config_create_bare(out_config, EKB_ROLE_CLIENT, arm->flights);
    }
    const unsigned need =
        EKB_STORE_NEED_CLIENT | (full && arm->ca_path == NULL ? EKB_STORE_NEED_TRUST : 0u);
    if (arm->store_path != NULL) {
        const enum ekb_err err = ekb_store_load(&store, arm->store_path, need, reterr_fail);
        if (err != EKB_OK) {
            return err;
        }
    }
    struct ekb_tls_options tls = {
        .role = EKB_ROLE_CLIENT,
        .version = arm->version,
        .preferences = arm->preferences,
        .identity = store != NULL ? ekb_store_identity(store, EKB_STORE_CLIENT) : NULL,
        .policy = {.eku = EKB_EKU_ON,
                   .verify = full ? EKB_VERIFY_FULL : EKB_VERIFY_RAW,
                   .max_depth = EKB_POLICY_DEFAULT_MAX_DEPTH},
        .resumption =
            arm->keeps_sessions || arm->resumes ? EKB_TLS_RESUME_ON : EKB_TLS_RESUME_OFF,
        .sni = arm->sni,
    };
    enum ekb_err err = load_trust(&tls.trust, &trust, arm, store, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_tls_config_create(out_config, &tls, reterr_fail);
    }
    ekb_chain_destroy(trust);
    ekb_store_destroy(store);
    return err;
}

void ekb_client_configs_destroy(struct ekb_tls_config **configs, size_t num_configs)
{
    for (size_t i = 0; configs != NULL && i < num_configs; i++) {
        ekb_tls_config_destroy(configs[i]);
    }
    free(configs);
}

enum ekb_err ekb_client_configs_create(struct ekb_tls_config ***out_configs,
                                       const struct ekb_client_options *options,
                                       struct ekb_fail *reterr_fail)
{
    struct ekb_tls_config **configs = calloc(options->num_arms, sizeof(struct ekb_tls_config *));
    if (configs == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "arms");
    }
    for (size_t i = 0; i < options->num_arms; i++) {
        const enum ekb_err err = make_config(&configs[i], &options->arms[i], reterr_fail);
        if (err != EKB_OK) {
            ekb_client_configs_destroy(configs, options->num_arms);
            return err;
        }
    }
    *out_configs = configs;
    return EKB_OK;
}
