#include "ekubench/lab/audit.h"

#include "ekubench/base/file.h"
#include "ekubench/lab/outbound.h"
#include "ekubench/lab/peer_probe.h"
#include "ekubench/peer/visit.h"
#include "ekubench/pki/bundle.h"
#include "ekubench/pki/policy.h"
#include "ekubench/store/store.h"

#include <errno.h>
#include <fts.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

// Finding.

struct auditor {
    struct ekb_audit_totals *totals;
    const struct ekb_audit_options *options;
    void **seen; // Directories, as a tree of tsearch; NULL: none is kept.
};

struct place {
    dev_t device;
    ino_t inode;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    if (left->device != right->device) {
        return left->device < right->device ? -1 : 1;
    }
    return left->inode < right->inode ? -1 : left->inode > right->inode ? 1 : 0;
}

// see remembers a directory; `*out_is_new` is false if it was seen before, by whatever way links
// have led there.
static enum ekb_err see(const struct auditor *auditor, const struct stat *stat, bool *out_is_new)
{
    struct place *place = malloc(sizeof *place);
    if (place == NULL) {
        return EKB_NOMEM;
    }
    *place = (struct place){stat->st_dev, stat->st_ino};
    struct place *const *const found = tsearch(place, auditor->seen, compare_places);
    *out_is_new = found != NULL && *found == place;
    if (!*out_is_new) {
        free(place);
    }
    return found != NULL ? EKB_OK : EKB_NOMEM;
}

static void tell_problem(const struct auditor *auditor, const char *source,
                         const struct ekb_fail *fail)
{
    auditor->totals->unreadable++;
    auditor->options->tell(auditor->options->context, NULL, source, fail);
}

// tell_chain tells the certificates of `chain`, found as `found` says: a CA's only if that is asked
// for. Of a store and of a server only the first is presented.
static enum ekb_err tell_chain(const struct auditor *auditor, const struct ekb_chain *chain,
                               const struct ekb_audit_item *found)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < ekb_chain_len(chain) && err == EKB_OK; i++) {
        struct ekb_audit_item item = *found;
        struct ekb_description description;
        ekb_chain_describe(&description, chain, i);
        // What is presented is no CA's certificate for that, whatever it says of itself.
        const bool is_presented =
            found->roles != 0 && (i == 0 || (found->place == EKB_AUDIT_FILE && !description.is_ca));
        if (description.is_ca && !is_presented && !auditor->options->with_cas) {
            auditor->totals->cas++;
            continue;
        }
        item.roles = is_presented ? found->roles : 0;
        item.is_alone = found->is_alone && is_presented;
        err = ekb_audit_judge(&item, auditor->options, chain, i);
        if (err == EKB_OK) {
            auditor->totals->certificates++;
            auditor->totals->breaking += item.breaks ? 1 : 0;
            auditor->totals->to_act += item.to_act ? 1 : 0;
            auditor->totals->steps |= item.steps;
            auditor->options->tell(auditor->options->context, &item, found->source, NULL);
        }
    }
    return err;
}

// tell_faults tells what could not be read of a file; of too many the number.
static void tell_faults(const struct auditor *auditor, const struct ekb_bundle *bundle,
                        const char *source)
{
    struct ekb_fail more;
    const size_t num =
        bundle->num_faults < EKB_BUNDLE_MAX_FAULTS ? bundle->num_faults : EKB_BUNDLE_MAX_FAULTS;
    for (size_t i = 0; i < num; i++) {
        tell_problem(auditor, source, &bundle->faults[i]);
    }
    if (bundle->num_faults > num) {
        (void)ekb_fail_say(&more, EKB_PARSE, "%s: %zu more blocks cannot be read", source,
                           bundle->num_faults - num);
        tell_problem(auditor, source, &more);
    }
}

static bool ends_with(const char *text, const char *ending)
{
    const size_t len = strlen(text);
    const size_t ending_len = strlen(ending);
    return len >= ending_len && strcasecmp(text + len - ending_len, ending) == 0;
}

// is_called_certificate is true if the name says that there is a certificate in it.
static bool is_called_certificate(const char *path)
{
    static const char *const endings[] = {".pem", ".crt", ".cer", ".der", ".p12", ".pfx"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (ends_with(path, endings[i])) {
            return true;
        }
    }
    return false;
}

static enum ekb_err audit_file(const struct auditor *auditor, const char *path, bool is_named)
{
    struct ekb_bundle bundle = {.chain = NULL};
    struct ekb_fail fail = {.err = EKB_OK};
    const struct ekb_audit_item found = {
        .source = path, .place = EKB_AUDIT_FILE, .roles = auditor->options->roles};
    const bool is_meant = is_named || is_called_certificate(path);
    auditor->totals->files++;
    enum ekb_err err = ekb_bundle_survey(&bundle, path, auditor->options->password, &fail);
    if (err == EKB_NOMEM) {
        return err;
    }
    const bool has_any = err == EKB_OK && ekb_chain_len(bundle.chain) > 0;
    if (!has_any && !is_meant && (err == EKB_OK || err == EKB_PARSE)) {
        auditor->totals->without++;
        err = EKB_OK;
    } else if (err != EKB_OK) {
        tell_problem(auditor, path, &fail);
        err = EKB_OK;
    } else {
        err = tell_chain(auditor, bundle.chain, &found);
        tell_faults(auditor, &bundle, path);
    }
    ekb_bundle_deinit(&bundle);
    return err;
}

// Stores.

// The files of a store, which are told by the store, and what it keeps them in.
static bool is_stores(const char *name)
{
    static const char *const names[] = {"server.pem",        "privkey.pem", "client.pem",
                                        "clientprivkey.pem", "ca.pem",      "client-ca.crl",
                                        "generated_csr",     ".data",       ".lock"};
    if (strncmp(name, ".data.", strlen(".data.")) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

// One side of a store, read.
struct side {
    const struct ekb_chain *chain; // NULL: none.
    struct ekb_bundle survey;      // Of what is malformed.
    bool is_absent;                // There is nothing of it that could be read.
};

// read_side takes what the store has of a side; of a malformed file what can be read of it.
static enum ekb_err read_side(struct side *out_side, const struct ekb_store *store,
                              const char *path, enum ekb_store_side side)
{
    const struct ekb_fail *fault = ekb_store_fault(store, (enum ekb_store_part)side);
    out_side->chain = ekb_store_identity(store, side)->chain;
    out_side->is_absent = out_side->chain == NULL && fault->err == EKB_OK;
    if (out_side->chain != NULL || fault->err != EKB_PARSE) {
        return EKB_OK;
    }
    char *file = ekb_file_join(path, side == EKB_STORE_SERVER ? "server.pem" : "client.pem");
    const enum ekb_err err =
        file != NULL ? ekb_bundle_survey(&out_side->survey, file, NULL, NULL) : EKB_NOMEM;
    free(file);
    out_side->chain = err == EKB_OK ? out_side->survey.chain : NULL;
    return err == EKB_NOMEM ? err : EKB_OK;
}

static bool is_there(const struct side *side)
{
    return side->chain != NULL && ekb_chain_len(side->chain) > 0;
}

// tell_sides tells the certificates of both sides; one that is on both once, with both roles.
static enum ekb_err tell_sides(const struct auditor *auditor,
                               const struct side sides[EKB_STORE_NUM_SIDES], const char *path)
{
    const struct side *server = &sides[EKB_STORE_SERVER];
    const struct side *client = &sides[EKB_STORE_CLIENT];
    struct ekb_audit_item found = {.source = path, .place = EKB_AUDIT_STORE};
    enum ekb_err err = EKB_OK;
    const bool same =
        is_there(server) && is_there(client) && ekb_chain_same(server->chain, 0, client->chain, 0);
    if (is_there(server)) {
        found.roles = same ? EKB_AUDIT_SERVER | EKB_AUDIT_CLIENT : EKB_AUDIT_SERVER;
        found.is_alone = client->is_absent;
        err = tell_chain(auditor, server->chain, &found);
    }
    if (err == EKB_OK && is_there(client) && !same) {
        found.roles = EKB_AUDIT_CLIENT;
        found.is_alone = false;
        err = tell_chain(auditor, client->chain, &found);
    }
    return err;
}

// tell_store_faults tells what is wrong with a store, but for what is wrong with its keys.
static void tell_store_faults(const struct auditor *auditor, const struct ekb_store *store,
                              const struct side sides[EKB_STORE_NUM_SIDES], const char *path)
{
    for (int part = 0; part < EKB_STORE_NUM_PARTS; part++) {
        const struct ekb_fail *fault = ekb_store_fault(store, (enum ekb_store_part)part);
        if (part < EKB_STORE_NUM_SIDES && sides[part].survey.num_faults > 0) {
            tell_faults(auditor, &sides[part].survey, path);
        } else if (fault->err != EKB_OK && fault->err != EKB_KEY_MISMATCH &&
                   fault->err != EKB_PERMISSION) {
            tell_problem(auditor, path, fault);
        }
    }
}

// audit_sides tells the store with its own trusted CAs as private roots.
static enum ekb_err audit_sides(const struct auditor *auditor, const struct ekb_store *store,
                                const char *path)
{
    struct side sides[EKB_STORE_NUM_SIDES] = {{.chain = NULL}};
    struct ekb_audit_options options = *auditor->options;
    const struct auditor with_trust = {auditor->totals, &options, NULL};
    enum ekb_err err = EKB_OK;
    if (options.private_roots == NULL) {
        options.private_roots = ekb_store_trust(store);
    }
    for (int side = 0; side < EKB_STORE_NUM_SIDES && err == EKB_OK; side++) {
        err = read_side(&sides[side], store, path, (enum ekb_store_side)side);
    }
    if (err == EKB_OK) {
        err = tell_sides(&with_trust, sides, path);
    }
    if (err == EKB_OK) {
        tell_store_faults(auditor, store, sides, path);
    }
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        ekb_bundle_deinit(&sides[side].survey);
    }
    return err;
}

// audit_store tells the store at `path` if there is one.
static enum ekb_err audit_store(const struct auditor *auditor, const char *path)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail;
    if (ekb_store_find(path, NULL) != EKB_OK) {
        return EKB_OK;
    }
    enum ekb_err err = ekb_store_survey(&store, path, EKB_STORE_ALL, &fail);
    if (err == EKB_NOMEM) {
        return err;
    }
    if (err != EKB_OK) {
        tell_problem(auditor, path, &fail);
        return EKB_OK;
    }
    err = audit_sides(auditor, store, path);
    ekb_store_destroy(store);
    return err;
}

// is_passed_over is true for what a store has told already, and for what is hidden, which is
// counted.
static bool is_passed_over(const struct auditor *auditor, const FTSENT *entry)
{
    if (entry->fts_level == 0) {
        return false;
    }
    if (entry->fts_parent->fts_number != 0 && is_stores(entry->fts_name)) {
        return true;
    }
    // A directory that is skipped is seen twice.
    const bool is_hidden = entry->fts_name[0] == '.';
    auditor->totals->hidden += is_hidden && entry->fts_info != FTS_DP ? 1 : 0;
    return is_hidden;
}

// visit_entry looks at one entry of the tree.
static enum ekb_err visit_entry(const struct auditor *auditor, FTS *tree, FTSENT *entry)
{
    struct ekb_fail fail;
    bool is_new = true;
    enum ekb_err err = EKB_OK;
    const bool is_named = entry->fts_level == 0;
    if (is_passed_over(auditor, entry)) {
        (void)fts_set(tree, entry, FTS_SKIP);
        return EKB_OK;
    }
    switch (entry->fts_info) {
    case FTS_D:
        err = see(auditor, entry->fts_statp, &is_new);
        if (err != EKB_OK || !is_new) {
            (void)fts_set(tree, entry, FTS_SKIP);
            return err;
        }
        entry->fts_number = ekb_store_find(entry->fts_accpath, NULL) == EKB_OK ? 1 : 0;
        return audit_store(auditor, entry->fts_path);
    case FTS_F:
        return audit_file(auditor, entry->fts_path, is_named);
    case FTS_DC:
        (void)ekb_fail_set(&fail, EKB_PARSE, 0, "%s: a loop of directories", entry->fts_path);
        tell_problem(auditor, entry->fts_path, &fail);
        return EKB_OK;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
    case FTS_SLNONE:
        (void)ekb_fail_set(&fail, entry->fts_errno == EACCES ? EKB_PERMISSION : EKB_NOT_FOUND,
                           entry->fts_errno, "%s", entry->fts_path);
        tell_problem(auditor, entry->fts_path, &fail);
        return EKB_OK;
    case FTS_DEFAULT: // A device, a pipe, a socket.
        if (is_named) {
            (void)ekb_fail_say(&fail, EKB_PARSE, "%s is neither a file nor a directory",
                               entry->fts_path);
            tell_problem(auditor, entry->fts_path, &fail);
        }
        return EKB_OK;
    default:
        return EKB_OK;
    }
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_stopped(const struct ekb_audit_options *options)
{
    return options->stop != NULL && *options->stop != 0;
}

enum ekb_err ekb_audit_path(struct ekb_audit_totals *totals,
                            const struct ekb_audit_options *options, const char *path,
                            struct ekb_fail *reterr_fail)
{
    void *seen = NULL;
    const struct auditor auditor = {totals, options, &seen};
    char *copy = strdup(path);
    char *const paths[] = {copy, NULL};
    enum ekb_err err = EKB_OK;
    FTS *tree = copy != NULL ? fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name) : NULL;
    if (tree == NULL && copy != NULL && errno != ENOMEM) { // An empty path.
        struct ekb_fail fail;
        (void)ekb_fail_set(&fail, EKB_NOT_FOUND, errno, "\"%s\"", path);
        tell_problem(&auditor, path, &fail);
        free(copy);
        return EKB_OK;
    }
    if (tree == NULL) {
        free(copy);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    FTSENT *entry;
    while (err == EKB_OK && (entry = fts_read(tree)) != NULL) {
        err = is_stopped(options) ? EKB_STOPPED : visit_entry(&auditor, tree, entry);
    }
    (void)fts_close(tree);
    tdestroy(seen, free);
    free(copy);
    return err == EKB_OK ? err : ekb_fail_set(reterr_fail, err, 0, "%s", path);
}

// Servers.

// copy_host copies the host of HOST:PORT: by that name the server is asked for its certificate.
static void copy_host(char out_name[EKB_NAME_LEN], const char *target)
{
    const char *end = strrchr(target, ':');
    const size_t len = end != NULL ? (size_t)(end - target) : 0;
    (void)snprintf(out_name, EKB_NAME_LEN, "%.*s", len < EKB_NAME_LEN ? (int)len : 0, target);
}

static bool has_shown(const struct ekb_visit *visit)
{
    return visit->peer != NULL && ekb_chain_len(visit->peer) > 0;
}

// tell_no_address tells why `target` is no server: `why` is from ekb_address_parse.
static void tell_no_address(const struct auditor *auditor, const char *target,
                            const struct ekb_fail *why)
{
    struct ekb_fail fail = *why;
    if (why->err == EKB_NOT_FOUND) {
        (void)ekb_fail_say(&fail, EKB_NOT_FOUND, "%s: the host has no address that is known (%s)",
                           target, why->detail);
    }
    tell_problem(auditor, target, &fail);
}

// tell_visits tells what the server has shown to who wanted RSA, and to who wanted ECDSA.
static enum ekb_err tell_visits(const struct auditor *auditor, const struct ekb_visit visits[2],
                                const char *target)
{
    const struct ekb_audit_item found = {
        .source = target, .place = EKB_AUDIT_LIVE, .roles = EKB_AUDIT_SERVER};
    struct ekb_fail fail;
    enum ekb_err err = EKB_OK;
    if (!has_shown(&visits[0]) && !has_shown(&visits[1])) {
        (void)ekb_fail_set(&fail, visits[0].err != EKB_OK ? visits[0].err : EKB_TLS_NO_CERTIFICATE,
                           0, "%s", target);
        tell_problem(auditor, target, &fail);
        return EKB_OK;
    }
    // One that it sends to both is one.
    const bool same = has_shown(&visits[0]) && has_shown(&visits[1]) &&
                      ekb_chain_same(visits[0].peer, 0, visits[1].peer, 0);
    for (int i = 0; i < (same ? 1 : 2) && err == EKB_OK; i++) {
        if (has_shown(&visits[i])) {
            err = tell_chain(auditor, visits[i].peer, &found);
        }
    }
    return err;
}

enum ekb_err ekb_audit_server(struct ekb_audit_totals *totals,
                              const struct ekb_audit_options *options, const char *target,
                              struct ekb_fail *reterr_fail)
{
    const struct auditor auditor = {totals, options, NULL};
    struct ekb_visit visits[2] = {{.err = EKB_OK}, {.err = EKB_OK}};
    char name[EKB_NAME_LEN];
    struct ekb_peer_probe_options probe = {
        .name = name, .version = EKB_TLS_ANY, .deadline_ns = options->deadline_ns};
    struct ekb_fail fail;
    enum ekb_err err = EKB_OK;
    if (ekb_address_parse(&probe.target, target, &fail) != EKB_OK) {
        tell_no_address(&auditor, target, &fail);
        return EKB_OK;
    }
    copy_host(name, target);
    for (int i = 0; i < 2 && err == EKB_OK; i++) {
        if (is_stopped(options)) {
            err = ekb_fail_set(reterr_fail, EKB_STOPPED, 0, "%s", target);
            break;
        }
        err = ekb_peer_probe_look(&visits[i], &probe, ekb_outbound_only(i == 0), reterr_fail);
    }
    if (err == EKB_OK) {
        err = tell_visits(&auditor, visits, target);
        err = err == EKB_OK ? err : ekb_fail_set(reterr_fail, err, 0, "%s", target);
    }
    ekb_visit_deinit(&visits[0]);
    ekb_visit_deinit(&visits[1]);
    return err;
}
