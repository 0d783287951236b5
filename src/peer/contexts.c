#include "peer/contexts.h"

#include "ekubench/store/store.h"

#include <stdlib.h>

struct ekb_contexts {
    size_t num_configs;
    struct ekb_tls_config **configs; // By listener; some may be the same.
};

static bool are_alike(const struct ekb_listener *a, const struct ekb_listener *b)
{
    return a->version == b->version && a->resumption == b->resumption &&
           ekb_policy_equal(&a->policy, &b->policy);
}

static unsigned needs(const struct ekb_server_options *options)
{
    unsigned need = EKB_STORE_NEED_SERVER;
    for (size_t i = 0; i < options->num_listeners; i++) {
        const struct ekb_policy *policy = &options->listeners[i].policy;
        need |= policy->verify == EKB_VERIFY_FULL ? EKB_STORE_NEED_TRUST : 0u;
        need |= policy->crl == EKB_CRL_ON ? EKB_STORE_NEED_CRLS : 0u;
    }
    return need;
}

static enum ekb_err fill(struct ekb_contexts *contexts, const struct ekb_server_options *options,
                         const struct ekb_store *store, const struct ekb_tls_observer *observer,
                         struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < options->num_listeners && err == EKB_OK; i++) {
        const struct ekb_listener *listener = &options->listeners[i];
        for (size_t j = 0; j < i && contexts->configs[i] == NULL; j++) {
            contexts->configs[i] =
                are_alike(listener, &options->listeners[j]) ? contexts->configs[j] : NULL;
        }
        if (contexts->configs[i] != NULL) {
            continue;
        }
        const struct ekb_tls_options tls = {
            .role = EKB_ROLE_SERVER,
            .version = listener->version,
            .identity = ekb_store_identity(store, EKB_STORE_SERVER),
            .trust = ekb_store_trust(store),
            .crls = listener->policy.crl != EKB_CRL_OFF ? ekb_store_crls(store) : NULL,
            .resumption = listener->resumption,
            .verify_at = options->verify_at,
            .policy = listener->policy,
            .observer = observer,
        };
        err = ekb_tls_config_create(&contexts->configs[i], &tls, reterr_fail);
    }
    return err;
}

enum ekb_err ekb_contexts_create(struct ekb_contexts **out_contexts,
                                 const struct ekb_server_options *options,
                                 const struct ekb_tls_observer *observer,
                                 struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    EKB_CHECK(options->num_listeners > 0);
    struct ekb_contexts *contexts = calloc(1, sizeof *contexts);
    if (contexts != NULL) {
        contexts->configs = calloc(options->num_listeners, sizeof(struct ekb_tls_config *));
    }
    if (contexts == NULL || contexts->configs == NULL) {
        free(contexts);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "listeners");
    }
    contexts->num_configs = options->num_listeners;
    enum ekb_err err = ekb_store_load(&store, options->store_path, needs(options), reterr_fail);
    if (err == EKB_OK) {
        err = fill(contexts, options, store, observer, reterr_fail);
    }
    ekb_store_destroy(store);
    if (err != EKB_OK) {
        ekb_contexts_destroy(contexts);
        return err;
    }
    *out_contexts = contexts;
    return EKB_OK;
}

void ekb_contexts_destroy(struct ekb_contexts *contexts)
{
    if (contexts == NULL) {
        return;
    }
    for (size_t i = 0; i < contexts->num_configs; i++) {
        struct ekb_tls_config *config = contexts->configs[i];
        for (size_t j = i; j < contexts->num_configs; j++) {
            contexts->configs[j] = contexts->configs[j] == config ? NULL : contexts->configs[j];
        }
        ekb_tls_config_destroy(config);
    }
    free(contexts->configs);
    free(contexts);
}

const struct ekb_tls_config *ekb_contexts_get(const struct ekb_contexts *contexts, size_t index)
{
    EKB_CHECK(index < contexts->num_configs);
    return contexts->configs[index];
}
