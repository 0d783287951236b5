#include "ekubench/lab/stores.h"

#include "ekubench/base/file.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALIDITY_S (INT64_C(30) * 24 * 3600)
#define BACKDATE_S INT64_C(3600)

struct client_store {
    unsigned depth;
    unsigned eku;
    char *path;
};

struct ekb_stores {
    char *directory;
    char *server;
    struct client_store clients[EKB_PLAN_MAX_ARMS];
    size_t num_clients;
    struct ekb_hierarchy *hierarchy;
};

static enum ekb_err fill_store(struct ekb_stores *stores, const char *path,
                               enum ekb_store_side side, unsigned depth, unsigned eku,
                               struct ekb_fail *reterr_fail)
{
    static const char *const names[EKB_STORE_NUM_SIDES] = {"server.ekubench.test",
                                                           "client.ekubench.test"};
    static const char *const loopback = "127.0.0.1";
    const struct ekb_mint_leaf spec = {.common_name = names[side],
                                       .eku = eku,
                                       .dns_names = &names[side],
                                       .num_dns_names = 1,
                                       .ip_addresses = &loopback,
                                       .num_ip_addresses = side == EKB_STORE_SERVER ? 1 : 0};
    struct ekb_identity identity = {0};
    enum ekb_err err = ekb_hierarchy_issue(&identity.chain, &identity.key, stores->hierarchy, depth,
                                           &spec, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_write_identity(path, side, &identity, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_store_write_trust(path, ekb_hierarchy_root(stores->hierarchy), reterr_fail);
    }
    ekb_chain_destroy(identity.chain);
    ekb_key_destroy(identity.key);
    return err;
}

// chain_of returns the depth and usages of the chain that `arm` presents. An arm whose server asks
// for no certificate still has a store: its client would present it.
static struct client_store chain_of(const struct ekb_plan_arm *arm)
{
    const bool asks_nothing = arm->depth == 0;
    return (struct client_store){.depth = asks_nothing ? 1 : arm->depth,
                                 .eku = asks_nothing ? EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH
                                                     : arm->client_eku};
}

static const struct client_store *find_client(const struct ekb_stores *stores,
                                              const struct ekb_plan_arm *arm)
{
    const struct client_store wanted = chain_of(arm);
    for (size_t i = 0; i < stores->num_clients; i++) {
        if (stores->clients[i].depth == wanted.depth && stores->clients[i].eku == wanted.eku) {
            return &stores->clients[i];
        }
    }
    return NULL;
}

static enum ekb_err add_client(struct ekb_stores *stores, const struct ekb_plan_arm *arm,
                               struct ekb_fail *reterr_fail)
{
    if (find_client(stores, arm) != NULL) {
        return EKB_OK;
    }
    struct client_store *client = &stores->clients[stores->num_clients];
    *client = chain_of(arm);
    if (asprintf(&client->path, "%s/client-%zu", stores->directory, stores->num_clients) < 0) {
        client->path = NULL;
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    stores->num_clients++;
    return fill_store(stores, client->path, EKB_STORE_CLIENT, client->depth, client->eku,
                      reterr_fail);
}

static enum ekb_err make_directory(struct ekb_stores *stores, struct ekb_fail *reterr_fail)
{
    const char *parent = getenv("TMPDIR");
    if (asprintf(&stores->directory, "%s/ekubench-XXXXXX", parent != NULL ? parent : "/tmp") < 0) {
        stores->directory = NULL;
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    if (mkdtemp(stores->directory) == NULL) {
        const int reason = errno;
        (void)ekb_fail_set(reterr_fail, EKB_SYSTEM, reason, "temporary directory %s",
                           stores->directory);
        free(stores->directory);
        stores->directory = NULL;
        return EKB_SYSTEM;
    }
    stores->server = ekb_file_join(stores->directory, "server");
    return stores->server != NULL ? EKB_OK : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
}

enum ekb_err ekb_stores_create(struct ekb_stores **out_stores, const struct ekb_plan *plan,
                               struct ekb_fail *reterr_fail)
{
    const int64_t now = (int64_t)time(NULL);
    struct ekb_stores *stores = calloc(1, sizeof *stores);
    if (stores == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    enum ekb_err err = make_directory(stores, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_hierarchy_create(&stores->hierarchy, plan->key_type, now - BACKDATE_S,
                                   now + VALIDITY_S, reterr_fail);
    }
    if (err == EKB_OK) {
        err = fill_store(stores, stores->server, EKB_STORE_SERVER, 1, EKB_EKU_SERVER_AUTH,
                         reterr_fail);
    }
    for (size_t i = 0; i < plan->num_stages; i++) {
        for (size_t j = 0; j < plan->stages[i].num_arms && err == EKB_OK; j++) {
            err = add_client(stores, &plan->stages[i].arms[j], reterr_fail);
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
    for (size_t i = 0; i < stores->num_clients; i++) {
        free(stores->clients[i].path);
    }
    ekb_hierarchy_destroy(stores->hierarchy);
    free(stores->server);
    free(stores->directory);
    free(stores);
}

const char *ekb_stores_server(const struct ekb_stores *stores)
{
    return stores->server;
}

const char *ekb_stores_client(const struct ekb_stores *stores, const struct ekb_plan_arm *arm)
{
    const struct client_store *client = find_client(stores, arm);
    EKB_CHECK(client != NULL);
    return client->path;
}
