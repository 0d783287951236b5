#include "ekubench/lab/stores.h"

#include "ekubench/base/file.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/store/change.h"
#include "ekubench/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALIDITY_S (INT64_C(30) * 24 * 3600)
#define BACKDATE_S INT64_C(3600)

// A store of one side with a chain of its own.
struct chain_store {
    enum ekb_store_side side;
    unsigned depth;
    unsigned eku;
    char *path;
};

struct ekb_stores {
    char *directory;
    struct chain_store stores[2 * EKB_PLAN_MAX_ARMS];
    size_t num_stores;
    struct ekb_hierarchy *hierarchy;
};

// issue_crls makes a CRL of the root, with nobody on it.
static enum ekb_err issue_crls(struct ekb_crls **out_crls, const struct ekb_stores *stores,
                               struct ekb_fail *reterr_fail)
{
    const int64_t now = (int64_t)time(NULL);
    const struct ekb_crl_spec spec = {.this_update = now - BACKDATE_S,
                                      .next_update = now + VALIDITY_S};
    struct ekb_crls *crls = ekb_crls_create();
    if (crls == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    const enum ekb_err err =
        ekb_crls_issue(crls, ekb_hierarchy_root_ca(stores->hierarchy), &spec, reterr_fail);
    if (err != EKB_OK) {
        ekb_crls_destroy(crls);
        return err;
    }
    *out_crls = crls;
    return EKB_OK;
}

// write_store puts everything into the store, as one change.
static enum ekb_err write_store(const struct ekb_stores *stores, const struct chain_store *store,
                                const struct ekb_identity *identity, const struct ekb_crls *crls,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_change *change = NULL;
    enum ekb_err err = ekb_change_begin(&change, store->path, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_change_put_identity(change, store->side, identity, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_put_trust(change, ekb_hierarchy_root(stores->hierarchy), reterr_fail);
    }
    if (err == EKB_OK && store->side == EKB_STORE_SERVER) {
        err = ekb_change_put_crls(change, crls, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    return err;
}

static enum ekb_err fill_store(struct ekb_stores *stores, const struct chain_store *store,
                               struct ekb_fail *reterr_fail)
{
    static const char *const names[EKB_STORE_NUM_SIDES] = {EKB_PLAN_SERVER_NAME,
                                                           EKB_PLAN_CLIENT_NAME};
    static const char *const loopback = "127.0.0.1";
    const struct ekb_mint_leaf spec = {.common_name = names[store->side],
                                       .eku = store->eku,
                                       .dns_names = &names[store->side],
                                       .num_dns_names = 1,
                                       .ip_addresses = &loopback,
                                       .num_ip_addresses = store->side == EKB_STORE_SERVER ? 1 : 0};
    struct ekb_identity identity = {0};
    struct ekb_crls *crls = NULL;
    enum ekb_err err = ekb_hierarchy_issue(&identity.chain, &identity.key, stores->hierarchy,
                                           store->depth, &spec, reterr_fail);
    if (err == EKB_OK) {
        err = issue_crls(&crls, stores, reterr_fail);
    }
    if (err == EKB_OK) {
        err = write_store(stores, store, &identity, crls, reterr_fail);
    }
    ekb_crls_destroy(crls);
    ekb_chain_destroy(identity.chain);
    ekb_key_destroy(identity.key);
    return err;
}

// server_of and client_of return what the two sides of `arm` present. An arm whose server asks for
// no certificate still has a client store: its client would present it.
static struct chain_store server_of(const struct ekb_plan_arm *arm)
{
    return (struct chain_store){
        .side = EKB_STORE_SERVER, .depth = arm->server_depth, .eku = EKB_EKU_SERVER_AUTH};
}

static struct chain_store client_of(const struct ekb_plan_arm *arm)
{
    const bool asks_nothing = arm->depth == 0;
    return (struct chain_store){.side = EKB_STORE_CLIENT,
                                .depth = asks_nothing ? 1 : arm->depth,
                                .eku = asks_nothing ? EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH
                                                    : arm->client_eku};
}

static const struct chain_store *find(const struct ekb_stores *stores, struct chain_store wanted)
{
    for (size_t i = 0; i < stores->num_stores; i++) {
        const struct chain_store *store = &stores->stores[i];
        if (store->side == wanted.side && store->depth == wanted.depth &&
            store->eku == wanted.eku) {
            return store;
        }
    }
    return NULL;
}

static enum ekb_err add(struct ekb_stores *stores, struct chain_store wanted,
                        struct ekb_fail *reterr_fail)
{
    if (find(stores, wanted) != NULL) {
        return EKB_OK;
    }
    EKB_CHECK(stores->num_stores < sizeof stores->stores / sizeof stores->stores[0]);
    struct chain_store *store = &stores->stores[stores->num_stores];
    *store = wanted;
    if (asprintf(&store->path, "%s/%s-%zu", stores->directory,
                 wanted.side == EKB_STORE_SERVER ? "server" : "client", stores->num_stores) < 0) {
        store->path = NULL;
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    stores->num_stores++;
    return fill_store(stores, store, reterr_fail);
}

enum ekb_err ekb_stores_create(struct ekb_stores **out_stores, const struct ekb_plan *plan,
                               struct ekb_fail *reterr_fail)
{
    const int64_t now = (int64_t)time(NULL);
    struct ekb_stores *stores = calloc(1, sizeof *stores);
    if (stores == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    enum ekb_err err = ekb_file_make_temporary(&stores->directory, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_hierarchy_create(&stores->hierarchy, plan->key_type, now - BACKDATE_S,
                                   now + VALIDITY_S, reterr_fail);
    }
    for (size_t i = 0; i < plan->num_stages; i++) {
        for (size_t j = 0; j < plan->stages[i].num_arms && err == EKB_OK; j++) {
            const struct ekb_plan_arm *arm = &plan->stages[i].arms[j];
            err = arm->store == NULL ? add(stores, server_of(arm), reterr_fail) : EKB_OK;
            if (err == EKB_OK && arm->store == NULL) {
                err = add(stores, client_of(arm), reterr_fail);
            }
        }
    }
    if (err != EKB_OK) {
        ekb_stores_destroy(stores);
        return err;
    }
    *out_stores = stores;
    return EKB_OK;
}

void ekb_stores_destroy(struct ekb_stores *stores)
{
    if (stores == NULL) {
        return;
    }
    if (stores->directory != NULL) {
        ekb_file_remove_tree(stores->directory);
    }
    for (size_t i = 0; i < stores->num_stores; i++) {
        free(stores->stores[i].path);
    }
    ekb_hierarchy_destroy(stores->hierarchy);
    free(stores->directory);
    free(stores);
}

static const char *path_of(const struct ekb_stores *stores, struct chain_store wanted)
{
    const struct chain_store *store = find(stores, wanted);
    EKB_CHECK(store != NULL);
    return store->path;
}

const char *ekb_stores_server(const struct ekb_stores *stores, const struct ekb_plan_arm *arm)
{
    return arm->store != NULL ? arm->store : path_of(stores, server_of(arm));
}

const char *ekb_stores_client(const struct ekb_stores *stores, const struct ekb_plan_arm *arm)
{
    return arm->store != NULL ? arm->store : path_of(stores, client_of(arm));
}
