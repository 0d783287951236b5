#include "cli/mint.h"

#include "cli/cli.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/file.h"
#include "ekubench/base/units.h"
#include "ekubench/pki/client_fault.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/store/change.h"
#include "ekubench/store/identities.h"
#include "ekubench/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BACKDATE_S 3600
_Static_assert(BACKDATE_S > EKB_CLIENT_FAULT_LIFE_S, "what is expired is so at once");

#define SHOW_EVERY_NS (100 * EKB_NS_PER_MS)

// Kinds of clients that have a certificate to be rejected for.
static const enum ekb_client_fault faults[] = {EKB_CLIENT_FAULT_WRONG_EKU,
                                               EKB_CLIENT_FAULT_UNKNOWN_CA,
                                               EKB_CLIENT_FAULT_EXPIRED, EKB_CLIENT_FAULT_REVOKED};
#define NUM_FAULTS (sizeof faults / sizeof faults[0])

// What is minted before any of it is written; the many clients are not among it.
struct minted {
    const struct ekb_mint_request *request;
    struct ekb_hierarchy *hierarchy;
    struct ekb_identity sides[EKB_STORE_NUM_SIDES];
    struct ekb_identity rejects[NUM_FAULTS];
    struct ekb_crls *crls; // NULL: none.
};

static void identity_deinit(struct ekb_identity *identity)
{
    ekb_chain_destroy(identity->chain);
    ekb_key_destroy(identity->key);
    *identity = (struct ekb_identity){0};
}

static void minted_deinit(struct minted *minted)
{
    for (size_t side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        identity_deinit(&minted->sides[side]);
    }
    for (size_t i = 0; i < NUM_FAULTS; i++) {
        identity_deinit(&minted->rejects[i]);
    }
    ekb_crls_destroy(minted->crls);
    ekb_hierarchy_destroy(minted->hierarchy);
}

// Minting.

static enum ekb_err mint_server(struct minted *minted, struct ekb_fail *reterr_fail)
{
    const struct ekb_mint_request *request = minted->request;
    struct ekb_identity *identity = &minted->sides[EKB_STORE_SERVER];
    const struct ekb_mint_leaf spec = {.common_name = request->dns_names[0],
                                       .eku = request->server_eku,
                                       .dns_names = request->dns_names,
                                       .num_dns_names = request->num_dns_names,
                                       .ip_addresses = request->ip_addresses,
                                       .num_ip_addresses = request->num_ip_addresses};
    return ekb_hierarchy_issue(&identity->chain, &identity->key, minted->hierarchy, request->depth,
                               &spec, reterr_fail);
}

static enum ekb_err mint_client(struct ekb_identity *identity, struct minted *minted,
                                const char *common_name, enum ekb_client_fault fault,
                                struct ekb_fail *reterr_fail)
{
    const struct ekb_mint_leaf spec = {.common_name = common_name,
                                       .eku = minted->request->client_eku};
    return ekb_client_fault_issue(&identity->chain, &identity->key, minted->hierarchy,
                                  minted->request->depth, fault, &spec, reterr_fail);
}

// mint_rejects mints the clients to be rejected, and the CRLs.
static enum ekb_err mint_rejects(struct minted *minted, struct ekb_fail *reterr_fail)
{
    struct ekb_hierarchy_revoked revoked = {.depth = minted->request->depth};
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < NUM_FAULTS && err == EKB_OK; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "ekubench client %s", ekb_client_fault_name(faults[i]));
        err = mint_client(&minted->rejects[i], minted, name, faults[i], reterr_fail);
        if (faults[i] == EKB_CLIENT_FAULT_REVOKED) {
            revoked.chain = minted->rejects[i].chain;
        }
    }
    return err == EKB_OK ? ekb_hierarchy_issue_crls(&minted->crls, minted->hierarchy, revoked.depth,
                                                    &revoked, 1, reterr_fail)
                         : err;
}

static enum ekb_err mint(struct minted *minted, struct ekb_fail *reterr_fail)
{
    const struct ekb_mint_request *request = minted->request;
    const int64_t now = (int64_t)time(NULL);
    enum ekb_err err =
        ekb_hierarchy_create(&minted->hierarchy, request->key_type, now - BACKDATE_S,
                             now + (int64_t)(request->validity_ns / EKB_NS_PER_S), reterr_fail);
    if (err == EKB_OK) {
        err = mint_server(minted, reterr_fail);
    }
    if (err == EKB_OK) {
        err = mint_client(&minted->sides[EKB_STORE_CLIENT], minted, "ekubench client",
                          EKB_CLIENT_FAULT_NONE, reterr_fail);
    }
    return err == EKB_OK && request->rejects ? mint_rejects(minted, reterr_fail) : err;
}

// Writing.

// write_store writes the store `path` with the identities that are not NULL.
static enum ekb_err write_store(const char *path, const struct minted *minted,
                                const struct ekb_identity *server,
                                const struct ekb_identity *client, const struct ekb_crls *crls,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_change *change = NULL;
    enum ekb_err err = ekb_change_begin(&change, path, reterr_fail);
    if (err == EKB_OK && server != NULL) {
        err = ekb_change_put_identity(change, EKB_STORE_SERVER, server, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_put_identity(change, EKB_STORE_CLIENT, client, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_put_trust(change, ekb_hierarchy_root(minted->hierarchy), reterr_fail);
    }
    if (err == EKB_OK && crls != NULL) {
        err = ekb_change_put_crls(change, crls, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    return err;
}

static enum ekb_err write_rejects(const struct minted *minted, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < NUM_FAULTS && err == EKB_OK; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/" EKB_MINT_REJECTS_FOLDER "/%s", minted->request->directory,
                     ekb_client_fault_name(faults[i])) < 0) {
            return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", minted->request->directory);
        }
        err = write_store(path, minted, NULL, &minted->rejects[i], NULL, reterr_fail);
        free(path);
    }
    return err;
}

static enum ekb_err write_all(const struct minted *minted, struct ekb_fail *reterr_fail)
{
    const struct ekb_mint_request *request = minted->request;
    const enum ekb_err err =
        write_store(request->directory, minted, &minted->sides[EKB_STORE_SERVER],
                    &minted->sides[EKB_STORE_CLIENT], minted->crls, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    (void)printf("%s: server, client and trusted CA list written, depth %u, %s\n",
                 request->directory, request->depth, ekb_key_type_name(request->key_type));
    return request->rejects ? write_rejects(minted, reterr_fail) : EKB_OK;
}

static void announce_rejects(const struct ekb_mint_request *request)
{
    (void)printf("%s/" EKB_MINT_REJECTS_FOLDER ":", request->directory);
    for (size_t i = 0; i < NUM_FAULTS; i++) {
        (void)printf(" %s%s", ekb_client_fault_name(faults[i]), i + 1 < NUM_FAULTS ? "," : "");
    }
    (void)printf("; %s has the CRL that lists the revoked one\n", request->directory);
}

// Many clients.

static void show(struct ekb_cli_progress *progress, size_t num_done, size_t num_wanted)
{
    const uint64_t now_ns = ekb_clock_now_ns();
    char done[EKB_UNITS_TEXT_LEN];
    char wanted[EKB_UNITS_TEXT_LEN];
    if (!progress->is_terminal ||
        (progress->shown && now_ns - progress->last_line_ns < SHOW_EVERY_NS)) {
        return;
    }
    (void)fprintf(stderr, "\r\033[K%s of %s client identities",
                  ekb_units_format_count(done, num_done),
                  ekb_units_format_count(wanted, num_wanted));
    (void)fflush(stderr);
    progress->last_line_ns = now_ns;
    progress->shown = true;
}

// add_clients mints one after another and writes it, until a signal says stop.
static enum ekb_err add_clients(size_t *num_done, struct minted *minted, const char *path,
                                struct ekb_fail *reterr_fail)
{
    const volatile sig_atomic_t *stop = ekb_cli_stop_flag();
    const size_t num_wanted = minted->request->num_clients;
    struct ekb_cli_progress progress;
    enum ekb_err err = EKB_OK;
    ekb_cli_progress_init(&progress);
    while (err == EKB_OK && *stop == EKB_CLI_GO_ON && *num_done < num_wanted) {
        struct ekb_identity identity = {0};
        char name[64];
        (void)snprintf(name, sizeof name, "ekubench client %05zu", *num_done + 1);
        show(&progress, *num_done, num_wanted);
        err = mint_client(&identity, minted, name, EKB_CLIENT_FAULT_NONE, reterr_fail);
        if (err == EKB_OK) {
            err = ekb_identities_add(path, *num_done + 1, &identity, reterr_fail);
        }
        *num_done += err == EKB_OK ? 1 : 0;
        identity_deinit(&identity);
    }
    ekb_cli_progress_end(&progress);
    return err;
}

// write_clients writes the many clients, says how many there are, and returns the exit status.
static int write_clients(struct minted *minted)
{
    const size_t num_wanted = minted->request->num_clients;
    struct ekb_fail fail = {0};
    size_t num_done = 0;
    char done[EKB_UNITS_TEXT_LEN];
    char wanted[EKB_UNITS_TEXT_LEN];
    char *path = ekb_file_join(minted->request->directory, EKB_IDENTITIES_FOLDER);
    enum ekb_err err = path != NULL ? add_clients(&num_done, minted, path, &fail)
                                    : ekb_fail_set(&fail, EKB_NOMEM, 0, "clients");
    if (num_done > 0) {
        struct ekb_fail sync_fail = {0};
        const enum ekb_err sync_err = ekb_identities_sync(path, &sync_fail);
        if (err == EKB_OK && sync_err != EKB_OK) {
            err = sync_err;
            fail = sync_fail;
        }
    }
    int status = EKB_EXIT_OK;
    (void)ekb_units_format_count(done, num_done);
    (void)ekb_units_format_count(wanted, num_wanted);
    if (err != EKB_OK) {
        status = ekb_cli_fail(&fail);
        ekb_cli_say("%s of %s client identities are in %s", done, wanted, path != NULL ? path : "");
    } else if (num_done < num_wanted) {
        status = EKB_EXIT_ENVIRONMENT;
        ekb_cli_say("interrupted: %s of %s client identities are in %s", done, wanted, path);
    } else {
        (void)printf("%s: %s client identities\n", path, done);
    }
    free(path);
    return status;
}

// What is there already.

// expect_free refuses if there is anything at DIR/`name`.
static enum ekb_err expect_free(const char *directory, const char *name,
                                struct ekb_fail *reterr_fail)
{
    char *path = ekb_file_join(directory, name);
    if (path == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", directory);
    }
    const enum ekb_err err =
        access(path, F_OK) == 0
            ? ekb_fail_say(reterr_fail, EKB_EXISTS,
                           "%s exists; choose another directory or remove it", path)
            : EKB_OK;
    free(path);
    return err;
}

static enum ekb_err refuse_existing(const struct ekb_mint_request *request,
                                    struct ekb_fail *reterr_fail)
{
    const char *directory = request->directory;
    enum ekb_err err = ekb_store_find(directory, reterr_fail);
    if (err != EKB_NOT_FOUND) {
        return err != EKB_OK
                   ? err
                   : ekb_fail_say(reterr_fail, EKB_EXISTS,
                                  "%s holds a store; choose another directory or remove it",
                                  directory);
    }
    err = request->num_clients > 0 ? expect_free(directory, EKB_IDENTITIES_FOLDER, reterr_fail)
                                   : EKB_OK;
    return err == EKB_OK && request->rejects
               ? expect_free(directory, EKB_MINT_REJECTS_FOLDER, reterr_fail)
               : err;
}

int ekb_mint_run(const struct ekb_mint_request *request)
{
    struct minted minted = {.request = request};
    struct ekb_fail fail = {0};
    int status = EKB_EXIT_OK;
    enum ekb_err err = refuse_existing(request, &fail);
    if (err == EKB_OK) {
        err = mint(&minted, &fail);
    }
    if (err == EKB_OK) {
        err = write_all(&minted, &fail);
    }
    if (err != EKB_OK) {
        status = ekb_cli_fail(&fail);
    }
    if (err == EKB_OK && request->rejects) {
        announce_rejects(request);
    }
    (void)fflush(stdout);
    if (err == EKB_OK && request->num_clients > 0) {
        status = write_clients(&minted);
    }
    minted_deinit(&minted);
    return status;
}
