#include "peer/client_config.h"

#include "ekubench/store/identities.h"
#include "ekubench/store/store.h"

#include <stdbool.h>
#include <stdlib.h>

// What a configuration is made from, owned.
struct parts {
    struct ekb_store *store;
    struct ekb_store *trust_store;
    struct ekb_chain *cas;
    struct ekb_identities identities;
};

static void parts_deinit(struct parts *parts)
{
    ekb_identities_deinit(&parts->identities);
    ekb_chain_destroy(parts->cas);
    ekb_store_destroy(parts->trust_store);
    ekb_store_destroy(parts->store);
}

// load_parts reads what `arm` presents and trusts; `*out_trust` is borrowed from them.
static enum ekb_err load_parts(struct parts *parts, const struct ekb_chain **out_trust,
                               const struct ekb_client_arm *arm, struct ekb_fail *reterr_fail)
{
    const bool is_own = arm->trust_store == NULL && arm->ca_path == NULL;
    const bool full = arm->kind == EKB_CLIENT_FULL;
    const unsigned presents = arm->presents_server ? EKB_STORE_NEED_SERVER : EKB_STORE_NEED_CLIENT;
    const unsigned need =
        (arm->identities == NULL ? presents : 0u) | (full && is_own ? EKB_STORE_NEED_TRUST : 0u);
    enum ekb_err err = EKB_OK;
    *out_trust = NULL;
    if (arm->store_path != NULL) {
        err = ekb_store_load(&parts->store, arm->store_path, need, reterr_fail);
        *out_trust = err == EKB_OK ? ekb_store_trust(parts->store) : NULL;
    }
    if (err == EKB_OK && arm->identities != NULL) {
        err = ekb_identities_read(&parts->identities, arm->identities, reterr_fail);
    }
    if (err == EKB_OK && arm->ca_path != NULL) {
        err = ekb_chain_read_pem(&parts->cas, arm->ca_path, reterr_fail);
        *out_trust = parts->cas;
    } else if (err == EKB_OK && full && arm->trust_store != NULL) {
        err = ekb_store_load(&parts->trust_store, arm->trust_store, EKB_STORE_NEED_TRUST,
                             reterr_fail);
        *out_trust = err == EKB_OK ? ekb_store_trust(parts->trust_store) : NULL;
    }
    return err;
}

static enum ekb_err make_config(struct ekb_tls_config **out_config,
                                const struct ekb_client_arm *arm, struct ekb_fail *reterr_fail)
{
    struct parts parts = {.store = NULL};
    const bool full = arm->kind == EKB_CLIENT_FULL;
    const struct ekb_chain *trust = NULL;
    if (arm->flights != NULL) {
        return ekb_tls_config_create_bare(out_config, EKB_ROLE_CLIENT, arm->flights);
    }
    enum ekb_err err = load_parts(&parts, &trust, arm, reterr_fail);
    if (err != EKB_OK) {
        parts_deinit(&parts);
        return err;
    }
    const struct ekb_policy usual = {.verify = EKB_VERIFY_FULL,
                                     .max_depth = EKB_POLICY_DEFAULT_MAX_DEPTH};
    const enum ekb_store_side side = arm->presents_server ? EKB_STORE_SERVER : EKB_STORE_CLIENT;
    struct ekb_tls_options tls = {
        .role = EKB_ROLE_CLIENT,
        .version = arm->version,
        .preferences = arm->preferences,
        .identity = parts.store != NULL ? ekb_store_identity(parts.store, side) : NULL,
        .identities = parts.identities.all,
        .num_identities = parts.identities.num,
        .trust = trust,
        .policy = arm->policy != NULL ? *arm->policy : usual,
        .goes_by_mode = arm->policy != NULL,
        .resumption = arm->keeps_sessions || arm->resumes ? EKB_TLS_RESUME_ON : EKB_TLS_RESUME_OFF,
        .sni = arm->sni,
    };
    if (!full) {
        tls.policy = (struct ekb_policy){.verify = EKB_VERIFY_RAW,
                                         .max_depth = EKB_POLICY_DEFAULT_MAX_DEPTH};
    }
    err = ekb_tls_config_create(out_config, &tls, reterr_fail);
    parts_deinit(&parts);
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
