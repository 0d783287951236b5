#include "ekubench/lab/site.h"

#include "ekubench/base/file.h"
#include "ekubench/lab/foretell.h"
#include "ekubench/pki/bundle.h"
#include "ekubench/pki/mint.h"
#include "ekubench/store/admin.h"
#include "lab/site_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define VALIDITY_S (INT64_C(90) * 24 * 3600)
#define BACKDATE_S INT64_C(3600)

struct site_node {
    char *store;
    char *second; // NULL: none.
    struct ekb_fail refusals[EKB_STORE_NUM_SIDES];
    bool is_upgraded;
    struct ekb_release_node rules;
};

struct ekb_site {
    const struct ekb_deployment *deployment;
    char *directory;
    bool is_temporary;
    int64_t now;
    struct ekb_ca *cas[EKB_DEPLOYMENT_MAX_CAS];
    struct site_node nodes[EKB_DEPLOYMENT_MAX_NODES];
};

// Minting.

static enum ekb_err make_cas(struct ekb_site *site, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < site->deployment->num_cas && err == EKB_OK; i++) {
        const struct ekb_mint_ca spec = {.common_name = site->deployment->cas[i],
                                         .key_type = EKB_KEY_P256,
                                         .not_before = site->now - BACKDATE_S,
                                         .not_after = site->now + VALIDITY_S};
        err = ekb_ca_create_root(&site->cas[i], &spec, reterr_fail);
    }
    return err;
}

// issue_below makes `depth` - 1 CAs below the root `ca`, and the leaf below these.
static enum ekb_err issue_below(struct ekb_bundle *out_bundle, const struct ekb_ca *ca,
                                const char *ca_name, unsigned depth,
                                const struct ekb_mint_leaf *leaf, struct ekb_fail *reterr_fail)
{
    char name[64];
    struct ekb_ca *below = NULL;
    if (depth <= 1) {
        return ekb_ca_issue(&out_bundle->chain, &out_bundle->key, ca, leaf, reterr_fail);
    }
    (void)snprintf(name, sizeof name, "%.40s intermediate", ca_name);
    const struct ekb_mint_ca spec = {.common_name = name,
                                     .key_type = EKB_KEY_P256,
                                     .not_before = leaf->not_before,
                                     .not_after = leaf->not_after};
    enum ekb_err err = ekb_ca_create_intermediate(&below, ca, &spec, reterr_fail);
    if (err == EKB_OK) {
        err = issue_below(out_bundle, below, ca_name, depth - 1, leaf, reterr_fail);
    }
    ekb_ca_destroy(below);
    return err;
}

// other_than returns a name that is not `host`.
static const char *other_than(const char *host)
{
    return strcasecmp(host, "other.example") != 0 ? "other.example" : "another.example";
}

// mint makes what `identity` of `node` says.
static enum ekb_err mint(struct ekb_bundle *out_bundle, const struct ekb_site *site,
                         const struct ekb_deployment_node *node,
                         const struct ekb_deployment_identity *identity,
                         struct ekb_fail *reterr_fail)
{
    const char *const host = node->unnamed ? other_than(node->host) : node->host;
    const struct ekb_mint_leaf leaf = {.common_name = host,
                                       .key_type = identity->key_type,
                                       .eku = identity->eku,
                                       .not_before = site->now - BACKDATE_S,
                                       .not_after = site->now + VALIDITY_S,
                                       .dns_names = &host,
                                       .num_dns_names = 1};
    *out_bundle = (struct ekb_bundle){.chain = NULL};
    return identity->origin == EKB_ORIGIN_SELF_SIGNED
               ? ekb_mint_self_signed(&out_bundle->chain, &out_bundle->key, &leaf, reterr_fail)
               : issue_below(out_bundle, site->cas[identity->ca],
                             site->deployment->cas[identity->ca], identity->depth, &leaf,
                             reterr_fail);
}

// Filling stores.

// is_refusal is true for what the gate says, as against what goes wrong.
static bool is_refusal(enum ekb_err err)
{
    return err >= EKB_REFUSED_USAGE && err <= EKB_REFUSED_PENDING;
}

// What goes where.
struct delivery {
    const char *store;
    enum ekb_store_side side;
    enum ekb_upload_copy copy;
    unsigned needs; // The gate's usages.
};

// upload mints what `identity` says and takes it to the gate. A refusal goes to `*out_refusal`.
static enum ekb_err upload(const struct ekb_site *site, const struct ekb_deployment_node *node,
                           const struct ekb_deployment_identity *identity,
                           const struct delivery *delivery, struct ekb_fail *out_refusal,
                           struct ekb_fail *reterr_fail)
{
    struct ekb_bundle bundle = {.chain = NULL};
    struct ekb_upload_outcome outcome;
    const struct ekb_upload upload = {.side = delivery->side,
                                      .bundle = &bundle,
                                      .key = EKB_UPLOAD_KEY_GIVEN,
                                      .copy = delivery->copy,
                                      .needs = delivery->needs,
                                      .now = site->now};
    struct ekb_fail fail = {.err = EKB_OK};
    enum ekb_err err = mint(&bundle, site, node, identity, &fail);
    if (err == EKB_OK) {
        err = ekb_admin_upload(delivery->store, &upload, &outcome, &fail);
    }
    ekb_bundle_deinit(&bundle);
    if (err == EKB_OK) {
        return EKB_OK;
    }
    if (is_refusal(err)) {
        *out_refusal = fail;
        return EKB_OK;
    }
    if (reterr_fail != NULL) {
        *reterr_fail = fail;
    }
    return err;
}

// put mints what `identity` says and puts it where it is to be, past any gate.
static enum ekb_err put(const struct ekb_site *site, const struct ekb_deployment_node *node,
                        const struct ekb_deployment_identity *identity,
                        const struct delivery *delivery, struct ekb_fail *reterr_fail)
{
    struct ekb_bundle bundle = {.chain = NULL};
    enum ekb_err err = mint(&bundle, site, node, identity, reterr_fail);
    const struct ekb_identity minted = {bundle.chain, bundle.key};
    if (err == EKB_OK) {
        err = ekb_store_write_identity(delivery->store, delivery->side, &minted, reterr_fail);
    }
    if (err == EKB_OK && delivery->copy == EKB_UPLOAD_ALSO_AS_CLIENT) {
        err = ekb_store_write_identity(delivery->store, EKB_STORE_CLIENT, &minted, reterr_fail);
    }
    ekb_bundle_deinit(&bundle);
    return err;
}

static enum ekb_err add_trust(const struct ekb_site *site, const struct ekb_deployment_node *node,
                              const char *store, struct ekb_fail *reterr_fail)
{
    struct ekb_gate_warning warning;
    enum ekb_err err = EKB_OK;
    if (node->trusts == 0) { // A list all the same: it trusts nobody.
        struct ekb_chain *nobody = ekb_chain_create();
        err = nobody != NULL ? ekb_store_write_trust(store, nobody, reterr_fail)
                             : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
        ekb_chain_destroy(nobody);
    }
    for (size_t i = 0; i < site->deployment->num_cas && err == EKB_OK; i++) {
        if ((node->trusts & (1U << i)) != 0) {
            err = ekb_admin_trust_add(store, ekb_ca_certificate(site->cas[i]), site->now, &warning,
                                      reterr_fail);
        }
    }
    return err;
}

static enum ekb_err begin_store(const struct ekb_site *site, const struct ekb_deployment_node *node,
                                const char *store, struct ekb_fail *reterr_fail)
{
    const struct ekb_admin_host host = {.name = node->host, .key_type = EKB_KEY_P256};
    const enum ekb_err err = ekb_admin_init(store, &host, site->now, reterr_fail);
    return err == EKB_OK ? add_trust(site, node, store, reterr_fail) : err;
}

static enum ekb_err fill_server(struct ekb_site *site, size_t index, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_node *node = &site->deployment->nodes[index];
    struct site_node *made = &site->nodes[index];
    const struct ekb_release_node rules = ekb_foretell_gate(node, made->rules);
    const bool copies =
        node->client.origin == EKB_ORIGIN_COPY && ekb_release_rules(rules.release)->two_stores;
    const struct delivery delivery = {.store = made->store,
                                      .side = EKB_STORE_SERVER,
                                      .copy =
                                          copies ? EKB_UPLOAD_ALSO_AS_CLIENT : EKB_UPLOAD_ONE_STORE,
                                      .needs = ekb_release_gate(&rules, EKB_STORE_SERVER)};
    return ekb_deployment_is_minted(&node->server)
               ? upload(site, node, &node->server, &delivery, &made->refusals[EKB_STORE_SERVER],
                        reterr_fail)
               : EKB_OK;
}

// fill_client gives the client store what it is to have. Where there is one store, there is none to
// fill.
static enum ekb_err fill_client(struct ekb_site *site, size_t index, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_node *node = &site->deployment->nodes[index];
    struct site_node *made = &site->nodes[index];
    enum ekb_upgrade upgrade;
    if (ekb_release_client_side(&made->rules) == EKB_STORE_SERVER) {
        return EKB_OK;
    }
    if (node->client.origin == EKB_ORIGIN_UPGRADE) {
        return made->refusals[EKB_STORE_SERVER].err == EKB_OK
                   ? ekb_admin_upgrade(&upgrade, made->store, EKB_UPGRADE_FORCE, reterr_fail)
                   : EKB_OK;
    }
    const struct delivery delivery = {.store = made->store,
                                      .side = EKB_STORE_CLIENT,
                                      .needs = ekb_release_gate(&made->rules, EKB_STORE_CLIENT)};
    return ekb_deployment_is_minted(&node->client)
               ? upload(site, node, &node->client, &delivery, &made->refusals[EKB_STORE_CLIENT],
                        reterr_fail)
               : EKB_OK;
}

// fill_second makes a store for the second server certificate, of a far end. No node has a name
// with a plus.
static enum ekb_err fill_second(struct ekb_site *site, size_t index, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_node *node = &site->deployment->nodes[index];
    struct site_node *made = &site->nodes[index];
    if (!ekb_deployment_is_minted(&node->second)) {
        return EKB_OK;
    }
    if (asprintf(&made->second, "%s/%s+second", site->directory, node->name) < 0) {
        made->second = NULL;
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    const struct delivery delivery = {.store = made->second, .side = EKB_STORE_SERVER};
    const enum ekb_err err = begin_store(site, node, made->second, reterr_fail);
    return err == EKB_OK ? put(site, node, &node->second, &delivery, reterr_fail) : err;
}

// fill_far gives a far end what it is to have. What it takes in is not for us to say.
static enum ekb_err fill_far(struct ekb_site *site, size_t index, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_node *node = &site->deployment->nodes[index];
    const bool copies =
        node->client.origin == EKB_ORIGIN_COPY || node->client.origin == EKB_ORIGIN_UPGRADE;
    const struct delivery server = {.store = site->nodes[index].store,
                                    .side = EKB_STORE_SERVER,
                                    .copy =
                                        copies ? EKB_UPLOAD_ALSO_AS_CLIENT : EKB_UPLOAD_ONE_STORE};
    const struct delivery client = {.store = site->nodes[index].store, .side = EKB_STORE_CLIENT};
    enum ekb_err err = EKB_OK;
    if (ekb_deployment_is_minted(&node->server)) {
        err = put(site, node, &node->server, &server, reterr_fail);
    }
    if (err == EKB_OK && ekb_deployment_is_minted(&node->client)) {
        err = put(site, node, &node->client, &client, reterr_fail);
    }
    return err == EKB_OK ? fill_second(site, index, reterr_fail) : err;
}

// take_store takes somebody's own store, or a copy of it where that has to be upgraded.
static enum ekb_err take_store(struct ekb_site *site, size_t index, const char *copy,
                               struct ekb_fail *reterr_fail)
{
    struct site_node *made = &site->nodes[index];
    struct ekb_site_own own = {.store = NULL};
    const enum ekb_err err =
        ekb_site_own_take(&own, &site->deployment->nodes[index], &made->rules, copy, reterr_fail);
    if (err == EKB_OK) {
        made->store = own.store;
        made->is_upgraded = own.is_upgraded;
        memcpy(made->refusals, own.refusals, sizeof made->refusals);
    }
    return err;
}

static enum ekb_err make_node(struct ekb_site *site, size_t index,
                              const struct ekb_site_terms *terms, struct ekb_fail *reterr_fail)
{
    const struct ekb_deployment_node *node = &site->deployment->nodes[index];
    struct site_node *made = &site->nodes[index];
    made->rules = ekb_foretell_rules(site->deployment, index, terms->release, terms->mode);
    char *store = ekb_file_join(site->directory, node->name);
    if (store == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    if (node->store[0] != '\0') {
        const enum ekb_err taken = take_store(site, index, store, reterr_fail);
        free(store);
        return taken;
    }
    made->store = store;
    enum ekb_err err = begin_store(site, node, made->store, reterr_fail);
    if (err == EKB_OK && made->rules.kind == EKB_NODE_FAR) {
        return fill_far(site, index, reterr_fail);
    }
    if (err == EKB_OK) {
        err = fill_server(site, index, reterr_fail);
    }
    return err == EKB_OK ? fill_client(site, index, reterr_fail) : err;
}

// make_directory makes the place of the stores; one that there is must be empty.
static enum ekb_err make_directory(struct ekb_site *site, const struct ekb_site_terms *terms,
                                   struct ekb_fail *reterr_fail)
{
    if (terms->directory == NULL) {
        site->is_temporary = true;
        return ekb_file_make_temporary(&site->directory, reterr_fail);
    }
    site->directory = strdup(terms->directory);
    if (site->directory == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    const enum ekb_err err = ekb_file_make_dirs(site->directory, 0700, reterr_fail);
    // A directory with something in it cannot be removed, and an empty one can be made again.
    if (err == EKB_OK && rmdir(site->directory) != 0) {
        return ekb_fail_set(reterr_fail, EKB_EXISTS, errno, "%s", site->directory);
    }
    return err == EKB_OK ? ekb_file_make_dirs(site->directory, 0700, reterr_fail) : err;
}

enum ekb_err ekb_site_create(struct ekb_site **out_site, const struct ekb_deployment *deployment,
                             const struct ekb_site_terms *terms, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = ekb_deployment_check_release(deployment, terms->release, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    struct ekb_site *site = calloc(1, sizeof *site);
    if (site == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    site->deployment = deployment;
    site->now = (int64_t)time(NULL);
    err = make_directory(site, terms, reterr_fail);
    if (err == EKB_OK) {
        err = make_cas(site, reterr_fail);
    }
    for (size_t i = 0; i < deployment->num_nodes && err == EKB_OK; i++) {
        err = make_node(site, i, terms, reterr_fail);
    }
    if (err != EKB_OK) {
        ekb_site_destroy(site);
        return err;
    }
    *out_site = site;
    return EKB_OK;
}

void ekb_site_destroy(struct ekb_site *site)
{
    if (site == NULL) {
        return;
    }
    for (size_t i = 0; i < EKB_DEPLOYMENT_MAX_NODES; i++) {
        free(site->nodes[i].store);
        free(site->nodes[i].second);
    }
    for (size_t i = 0; i < EKB_DEPLOYMENT_MAX_CAS; i++) {
        ekb_ca_destroy(site->cas[i]);
    }
    if (site->is_temporary && site->directory != NULL) {
        ekb_file_remove_tree(site->directory);
    }
    free(site->directory);
    free(site);
}

const char *ekb_site_store(const struct ekb_site *site, size_t node)
{
    return site->nodes[node].store;
}

const char *ekb_site_second(const struct ekb_site *site, size_t node)
{
    return site->nodes[node].second;
}

bool ekb_site_is_upgraded(const struct ekb_site *site, size_t node)
{
    return site->nodes[node].is_upgraded;
}

const struct ekb_fail *ekb_site_refusal(const struct ekb_site *site, size_t node,
                                        enum ekb_store_side side)
{
    return &site->nodes[node].refusals[side];
}

struct ekb_release_node ekb_site_rules(const struct ekb_site *site, size_t node)
{
    return site->nodes[node].rules;
}
