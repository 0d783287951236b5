#include "peer/contexts.h"

#include "ekubench/peer/listen.h"
#include "ekubench/store/store.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct ekb_contexts {
    size_t num_configs;
    struct ekb_tls_config **configs; // By listener; some may be the same.
};

// What configurations are made from: the server's options and the store in hand.
struct shop {
    const struct ekb_server_options *options;
    const struct ekb_tls_observer *observer;
    struct ekb_store *store;
};

static bool have_one_store(const struct ekb_listener *a, const struct ekb_listener *b)
{
    return a->store_path == b->store_path || (a->store_path != NULL && b->store_path != NULL &&
                                              strcmp(a->store_path, b->store_path) == 0);
}

// are_alike takes no notice of ticket keys: of the listeners that share a configuration the first
// one's is taken, in every worker.
static bool are_alike(const struct ekb_listener *a, const struct ekb_listener *b)
{
    return a->flights == b->flights && a->probe == b->probe && a->version == b->version &&
           a->resumption == b->resumption && strcmp(a->groups, b->groups) == 0 &&
           strcmp(a->ciphers, b->ciphers) == 0 && strcmp(a->second_store, b->second_store) == 0 &&
           have_one_store(a, b) && ekb_policy_equal(&a->policy, &b->policy);
}

// load_store reads the store of `listener`, with all that its users need.
static enum ekb_err load_store(struct ekb_store **out_store,
                               const struct ekb_server_options *options,
                               const struct ekb_listener *listener, struct ekb_fail *reterr_fail)
{
    const char *path = listener->store_path != NULL ? listener->store_path : options->store_path;
    unsigned need = EKB_STORE_NEED_SERVER;
    for (size_t i = 0; i < options->num_listeners; i++) {
        const struct ekb_listener *user = &options->listeners[i];
        if (have_one_store(user, listener)) {
            need |= user->policy.verify == EKB_VERIFY_FULL ? EKB_STORE_NEED_TRUST : 0u;
            need |= user->policy.crl == EKB_CRL_ON ? EKB_STORE_NEED_CRLS : 0u;
        }
    }
    return ekb_store_load(out_store, path, need, reterr_fail);
}

// make_config makes the configuration of `listener` from its store.
static enum ekb_err make_config(struct ekb_tls_config **out_config, const struct shop *shop,
                                const struct ekb_listener *listener, struct ekb_fail *reterr_fail)
{
    const struct ekb_store *store = shop->store;
    struct ekb_store *second = NULL;
    struct ekb_tls_options tls = {
        .role = EKB_ROLE_SERVER,
        .version = listener->version,
        .preferences = ekb_listener_preferences(listener),
        .identity = ekb_store_identity(store, EKB_STORE_SERVER),
        .trust = ekb_store_trust(store),
        .crls = listener->policy.crl != EKB_CRL_OFF ? ekb_store_crls(store) : NULL,
        .resumption = listener->resumption,
        .ticket_key = &listener->ticket_key,
        .verify_at = shop->options->verify_at,
        .policy = listener->policy,
        .observer = shop->observer,
        .probe = listener->probe && shop->observer != NULL,
    };
    enum ekb_err err = EKB_OK;
    if (listener->second_store[0] != '\0') {
        err = ekb_store_load(&second, listener->second_store, EKB_STORE_NEED_SERVER, reterr_fail);
    }
    if (err == EKB_OK) {
        tls.second_identity = second != NULL ? ekb_store_identity(second, EKB_STORE_SERVER) : NULL;
        err = ekb_tls_config_create(out_config, &tls, reterr_fail);
    }
    ekb_store_destroy(second);
    return err;
}

// fill reads each store once if the listeners that share it stand together.
static enum ekb_err fill(struct ekb_contexts *contexts, const struct ekb_server_options *options,
                         const struct ekb_tls_observer *observer, struct ekb_fail *reterr_fail)
{
    const struct ekb_listener *owner = NULL; // Of the store that is in hand.
    struct shop shop = {.options = options, .observer = observer};
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
        if (listener->flights != NULL) {
            err = ekb_tls_config_create_bare(&contexts->configs[i], EKB_ROLE_SERVER,
                                             listener->flights);
            continue;
        }
        if (owner == NULL || !have_one_store(owner, listener)) {
            ekb_store_destroy(shop.store);
            shop.store = NULL;
            owner = listener;
            err = load_store(&shop.store, options, listener, reterr_fail);
            if (err != EKB_OK) {
                break;
            }
        }
        err = make_config(&contexts->configs[i], &shop, listener, reterr_fail);
    }
    ekb_store_destroy(shop.store);
    return err;
}

enum ekb_err ekb_contexts_create(struct ekb_contexts **out_contexts,
                                 const struct ekb_server_options *options,
                                 const struct ekb_tls_observer *observer,
                                 struct ekb_fail *reterr_fail)
{
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
    const enum ekb_err err = fill(contexts, options, observer, reterr_fail);
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
