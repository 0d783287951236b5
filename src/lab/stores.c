#include "ekubench/lab/stores.h"

#include "ekubench/base/file.h"
#include "ekubench/pki/client_fault.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/store/change.h"
#include "ekubench/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALIDITY_S (INT64_C(30) * 24 * 3600)
#define BACKDATE_S INT64_C(3600)

// Where the root is that all trust, by itself.
#define TRUST_NAME "ca.pem"

// A store of one side with a chain of its own.
struct chain_store {
    enum ekb_store_side side;
    unsigned depth;
    unsigned eku;
    enum ekb_client_fault fault;
    char *path;
};

#define MAX_STORES (2 * EKB_PLAN_MAX_ARMS)

struct ekb_stores {
    char *directory;
    char *trust_path;
    struct chain_store stores[MAX_STORES];
    size_t num_stores;
    struct ekb_hierarchy *hierarchy;
    struct ekb_crls *crls; // Of the servers. Made after the clients, since they say who is revoked.
    struct ekb_hierarchy_revoked revoked[MAX_STORES];
    struct ekb_chain *revoked_chains[MAX_STORES]; // Theirs.
    size_t num_revoked;
};

// write_store puts everything into the store, as one change.
static enum ekb_err write_store(const struct ekb_stores *stores, const struct chain_store *store,
                                const struct ekb_identity *identity, struct ekb_fail *reterr_fail)
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
        err = ekb_change_put_crls(change, stores->crls, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    return err;
}

// keep_revoked takes `chain` for the CRLs, if that is the fault of its store.
static void keep_revoked(struct ekb_stores *stores, const struct chain_store *store,
                         struct ekb_chain **chain)
{
    if (store->fault == EKB_CLIENT_FAULT_REVOKED && *chain != NULL) {
        stores->revoked[stores->num_revoked] =
            (struct ekb_hierarchy_revoked){.chain = *chain, .depth = store->depth};
        stores->revoked_chains[stores->num_revoked++] = *chain;
        *chain = NULL;
    }
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
    enum ekb_err err = ekb_client_fault_issue(&identity.chain, &identity.key, stores->hierarchy,
                                              store->depth, store->fault, &spec, reterr_fail);
    if (err == EKB_OK) {
        err = write_store(stores, store, &identity, reterr_fail);
    }
    keep_revoked(stores, store, &identity.chain);
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
                                                    : arm->client_eku,
                                .fault = arm->fault};
}

static const struct chain_store *find(const struct ekb_stores *stores, struct chain_store wanted)
{
    for (size_t i = 0; i < stores->num_stores; i++) {
        const struct chain_store *store = &stores->stores[i];
        if (store->side == wanted.side && store->depth == wanted.depth &&
            store->eku == wanted.eku && store->fault == wanted.fault) {
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

// add_side adds what the arms need of one side.
static enum ekb_err add_side(struct ekb_stores *stores, const struct ekb_plan *plan,
                             enum ekb_store_side side, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < plan->num_stages; i++) {
        for (size_t j = 0; j < plan->stages[i].num_arms && err == EKB_OK; j++) {
            const struct ekb_plan_arm *arm = &plan->stages[i].arms[j];
            const bool presents =
                side == EKB_STORE_SERVER || arm->fault != EKB_CLIENT_FAULT_NO_CERTIFICATE;
            if (arm->store == NULL && arm->link == NULL && presents) {
                err = add(stores, side == EKB_STORE_SERVER ? server_of(arm) : client_of(arm),
                          reterr_fail);
            }
        }
    }
    return err;
}

// issue_crls makes a CRL of the root and of every CA that has a revoked client below it.
static enum ekb_err issue_crls(struct ekb_stores *stores, struct ekb_fail *reterr_fail)
{
    unsigned depth = 1;
    for (size_t i = 0; i < stores->num_revoked; i++) {
        depth = stores->revoked[i].depth > depth ? stores->revoked[i].depth : depth;
    }
    return ekb_hierarchy_issue_crls(&stores->crls, stores->hierarchy, depth, stores->revoked,
                                    stores->num_revoked, reterr_fail);
}

static enum ekb_err fill(struct ekb_stores *stores, const struct ekb_plan *plan,
                         struct ekb_fail *reterr_fail)
{
    const int64_t now = (int64_t)time(NULL);
    enum ekb_err err = ekb_file_make_temporary(&stores->directory, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_hierarchy_create(&stores->hierarchy, plan->key_type, now - BACKDATE_S,
                                   now + VALIDITY_S, reterr_fail);
    }
    if (err == EKB_OK) {
        stores->trust_path = ekb_file_join(stores->directory, TRUST_NAME);
        err = stores->trust_path != NULL
                  ? ekb_chain_write_pem(ekb_hierarchy_root(stores->hierarchy), stores->trust_path,
                                        reterr_fail)
                  : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    if (err == EKB_OK) {
        err = add_side(stores, plan, EKB_STORE_CLIENT, reterr_fail);
    }
    if (err == EKB_OK) {
        err = issue_crls(stores, reterr_fail);
    }
    return err == EKB_OK ? add_side(stores, plan, EKB_STORE_SERVER, reterr_fail) : err;
}

enum ekb_err ekb_stores_create(struct ekb_stores **out_stores, const struct ekb_plan *plan,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_stores *stores = calloc(1, sizeof *stores);
    if (stores == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    const enum ekb_err err = fill(stores, plan, reterr_fail);
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
    for (size_t i = 0; i < stores->num_revoked; i++) {
        ekb_chain_destroy(stores->revoked_chains[i]);
    }
    ekb_crls_destroy(stores->crls);
    ekb_hierarchy_destroy(stores->hierarchy);
    free(stores->trust_path);
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
    if (arm->link != NULL) {
        return arm->link->server_store;
    }
    return arm->store != NULL ? arm->store : path_of(stores, server_of(arm));
}

const char *ekb_stores_client(const struct ekb_stores *stores, const struct ekb_plan_arm *arm)
{
    if (arm->link != NULL) {
        return arm->link->client_store;
    }
    if (arm->fault == EKB_CLIENT_FAULT_NO_CERTIFICATE) {
        return NULL;
    }
    return arm->store != NULL ? arm->store : path_of(stores, client_of(arm));
}

const char *ekb_stores_trust(const struct ekb_stores *stores)
{
    return stores->trust_path;
}
