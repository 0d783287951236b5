#include "ekubench/lab/audit.h"

#include "ekubench/base/file.h"
#include "ekubench/lab/outbound.h"
#include "ekubench/lab/peer_probe.h"
#include "ekubench/peer/visit.h"
#include "ekubench/pki/bundle.h"
#include "ekubench/store/store.h"

#include <errno.h>
#include <fts.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define DAY_S INT64_C(86400)
#define MAX_ISSUERS 16

// Judging.

// find_issuer returns the place in `issuers` of the issuer of a certificate, or their number.
static size_t find_issuer(const struct ekb_chain *chain, size_t index,
                          const struct ekb_chain *issuers)
{
    const size_t num = issuers != NULL ? ekb_chain_len(issuers) : 0;
    size_t issuer = 0;
    while (issuer < num && !ekb_chain_is_issued_by(chain, index, issuers, issuer)) {
        issuer++;
    }
    return issuer;
}

// take_root says which root of `roots` has issued the certificate, if one has.
static bool take_root(struct ekb_audit_item *item, enum ekb_audit_pki pki,
                      const struct ekb_chain *chain, size_t index, const struct ekb_chain *roots)
{
    struct ekb_description root;
    const size_t issuer = find_issuer(chain, index, roots);
    if (roots == NULL || issuer == ekb_chain_len(roots)) {
        return false;
    }
    ekb_chain_describe(&root, roots, issuer);
    memcpy(item->root, root.subject, sizeof item->root);
    item->pki = pki;
    return true;
}

// find_root goes up from the certificate, through issuers in its own file, to a root.
static void find_root(struct ekb_audit_item *item, const struct ekb_audit_options *options,
                      const struct ekb_chain *chain, size_t index)
{
    struct ekb_description at = item->certificate;
    item->pki = EKB_AUDIT_UNKNOWN;
    item->root[0] = '\0';
    if (at.is_self_signed) {
        const bool is_public =
            take_root(item, EKB_AUDIT_PUBLIC, chain, index, options->public_roots);
        if (!is_public) {
            memcpy(item->root, at.subject, sizeof item->root);
            item->pki = at.is_ca ? EKB_AUDIT_PRIVATE : EKB_AUDIT_SELF_SIGNED;
        }
        return;
    }
    for (size_t steps = 0; steps < MAX_ISSUERS; steps++) {
        if (take_root(item, EKB_AUDIT_PUBLIC, chain, index, options->public_roots) ||
            take_root(item, EKB_AUDIT_PRIVATE, chain, index, options->private_roots)) {
            return;
        }
        index = find_issuer(chain, index, chain);
        if (index == ekb_chain_len(chain)) {
            return;
        }
        ekb_chain_describe(&at, chain, index);
        if (at.is_self_signed) {
            memcpy(item->root, at.subject, sizeof item->root);
            item->pki = EKB_AUDIT_PRIVATE;
            return;
        }
    }
}

// holds_initiator is true if a certificate of that role is what the initiator of the link presents:
// of C's check of E's signature it is the server's.
static bool is_initiators(enum ekb_link link, unsigned role)
{
    return link == EKB_LINK_SIP_SERVICE ? role == EKB_AUDIT_SERVER : role == EKB_AUDIT_CLIENT;
}

// judge_link says what the certificate is good for on `link` in one role: before `responder` as an
// initiator's, before `initiator` as a responder's.
static enum ekb_audit_link judge_link(const struct ekb_audit_item *item, enum ekb_link link,
                                      unsigned role, const struct ekb_release_node *responder,
                                      const struct ekb_release_node *initiator)
{
    struct ekb_link_demand demand;
    if (is_initiators(link, role)) {
        demand = ekb_link_demand_of_initiator(link, responder);
    } else if (role == EKB_AUDIT_SERVER && link != EKB_LINK_SIP_SERVICE) {
        demand = ekb_link_demand_of_responder(link, initiator);
    } else {
        return EKB_AUDIT_NO_PART;
    }
    if (!demand.chain) {
        return EKB_AUDIT_NO_PART; // Nobody looks at it.
    }
    return item->is_valid && ekb_link_allows(&demand, item->certificate.eku) ? EKB_AUDIT_WORKS
                                                                             : EKB_AUDIT_BREAKS;
}

// merge keeps the worse of two roles.
static enum ekb_audit_link merge(enum ekb_audit_link a, enum ekb_audit_link b)
{
    return a > b ? a : b;
}

// assumed_roles returns the roles by which links are judged: those that are known, or what the
// usages are for.
static unsigned assumed_roles(const struct ekb_audit_item *item)
{
    const unsigned eku = item->certificate.eku;
    if (item->roles != 0) {
        return item->roles;
    }
    if (eku == EKB_EKU_ABSENT) {
        return EKB_AUDIT_SERVER | EKB_AUDIT_CLIENT;
    }
    return ((eku & EKB_EKU_SERVER_AUTH) != 0 ? (unsigned)EKB_AUDIT_SERVER : 0U) |
           ((eku & EKB_EKU_CLIENT_AUTH) != 0 ? (unsigned)EKB_AUDIT_CLIENT : 0U);
}

static void judge_links(struct ekb_audit_item *item)
{
    const unsigned roles = assumed_roles(item);
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        for (int mode = 0; mode < 2; mode++) {
            // Whose rules they are: C's and E's are the same, as far as links go. A far end has a
            // mode of its own, and is taken to check.
            const struct ekb_release_node ours = {.release = (enum ekb_release)release,
                                                  .kind = EKB_NODE_CORE,
                                                  .mode = mode == 0 ? EKB_EKU_ON : EKB_EKU_OFF};
            const struct ekb_release_node theirs = {
                .release = (enum ekb_release)release, .kind = EKB_NODE_FAR, .mode = EKB_EKU_ON};
            for (int link = 0; link < EKB_LINK_NUM; link++) {
                const struct ekb_release_node verifier =
                    ekb_link_row((enum ekb_link)link)->responder == EKB_END_FAR ? theirs : ours;
                enum ekb_audit_link found = EKB_AUDIT_NO_PART;
                for (unsigned role = 1; role <= EKB_AUDIT_CLIENT; role <<= 1) {
                    if ((roles & role) != 0) {
                        found = merge(
                            found, judge_link(item, (enum ekb_link)link, role, &verifier, &ours));
                    }
                }
                item->links[release][mode][link] = found;
            }
        }
    }
}

static enum ekb_audit_advice advise(const struct ekb_audit_item *item)
{
    if (item->days_left < 0) {
        return EKB_ADVICE_EXPIRED;
    }
    if (item->pki == EKB_AUDIT_PRIVATE || item->pki == EKB_AUDIT_SELF_SIGNED) {
        return EKB_ADVICE_NOT_AFFECTED;
    }
    if (item->pki == EKB_AUDIT_UNKNOWN) {
        return EKB_ADVICE_FIND_OUT;
    }
    if ((item->roles & EKB_AUDIT_CLIENT) != 0) {
        return EKB_ADVICE_ACT;
    }
    return item->roles != 0 || !item->may_be_client ? EKB_ADVICE_KEEP : EKB_ADVICE_FIND_OUT;
}

void ekb_audit_judge(struct ekb_audit_item *item, const struct ekb_audit_options *options,
                     const struct ekb_chain *chain, size_t index)
{
    ekb_chain_describe(&item->certificate, chain, index);
    const int64_t left_s = item->certificate.not_after - options->at;
    item->days_left = left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
    item->is_valid = left_s >= 0 && item->certificate.not_before <= options->at;
    item->may_be_client = item->certificate.eku == EKB_EKU_ABSENT ||
                          (item->certificate.eku & EKB_EKU_CLIENT_AUTH) != 0;
    find_root(item, options, chain, index);
    judge_links(item);
    item->breaks = false;
    for (int link = 0; link < EKB_LINK_NUM && item->roles != 0; link++) {
        item->breaks = item->breaks ||
                       item->links[options->release][options->mode == EKB_EKU_OFF ? 1 : 0][link] ==
                           EKB_AUDIT_BREAKS;
    }
    item->advice = advise(item);
}

const char *ekb_audit_pki_name(enum ekb_audit_pki pki)
{
    static const char *const names[] = {[EKB_AUDIT_UNKNOWN] = "unknown",
                                        [EKB_AUDIT_PUBLIC] = "public",
                                        [EKB_AUDIT_PRIVATE] = "private",
                                        [EKB_AUDIT_SELF_SIGNED] = "self-signed"};
    return names[pki];
}

static const char act[] =
    "act: another root with both usages, renew before the deadline, a private CA (C only), or "
    "upgrade";

const char *ekb_audit_advice_text(enum ekb_audit_advice advice)
{
    static const char *const texts[] = {
        [EKB_ADVICE_NOT_AFFECTED] = "not affected",
        [EKB_ADVICE_KEEP] = "keep: it is for servers only",
        [EKB_ADVICE_ACT] = act,
        [EKB_ADVICE_FIND_OUT] = "find out: public? used as a TLS client?",
        [EKB_ADVICE_EXPIRED] = "renew: it has expired",
    };
    return texts[advice];
}

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

// tell_chain tells the certificates of `chain`: a CA's only if that is asked for.
static void tell_chain(const struct auditor *auditor, const struct ekb_chain *chain,
                       const char *source, enum ekb_audit_place place, unsigned roles)
{
    for (size_t i = 0; i < ekb_chain_len(chain); i++) {
        struct ekb_audit_item item = {.source = source, .place = place, .roles = roles};
        struct ekb_description description;
        ekb_chain_describe(&description, chain, i);
        // What is presented is no CA's certificate for that, whatever it says of itself.
        const bool is_presented = i == 0 && roles != 0;
        if (description.is_ca && !is_presented && !auditor->options->with_cas) {
            auditor->totals->cas++;
            continue;
        }
        item.roles = description.is_ca && !is_presented ? 0 : roles;
        ekb_audit_judge(&item, auditor->options, chain, i);
        auditor->totals->certificates++;
        auditor->totals->breaking += item.breaks ? 1 : 0;
        auditor->totals->to_act += item.advice == EKB_ADVICE_ACT ? 1 : 0;
        auditor->options->tell(auditor->options->context, &item, source, NULL);
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
    auditor->totals->files++;
    const enum ekb_err err = ekb_bundle_read(&bundle, path, auditor->options->password, &fail);
    if (err == EKB_NOMEM) {
        return err;
    }
    if (err == EKB_OK && bundle.chain != NULL) {
        tell_chain(auditor, bundle.chain, path, EKB_AUDIT_FILE, auditor->options->roles);
    } else if (err == EKB_OK || (err == EKB_PARSE && !is_named && !is_called_certificate(path))) {
        auditor->totals->without++;
    } else {
        tell_problem(auditor, path, &fail);
    }
    ekb_bundle_deinit(&bundle);
    return EKB_OK;
}

// Stores.

// The files of a store, which are told by the store.
static bool is_stores(const char *name)
{
    static const char *const names[] = {"server.pem",        "privkey.pem", "client.pem",
                                        "clientprivkey.pem", "ca.pem",      "client-ca.crl",
                                        "generated_csr"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

// audit_side tells the certificate of one side, with the trusted CAs of the store as private roots.
static void audit_side(const struct auditor *auditor, const struct ekb_store *store,
                       const char *path, enum ekb_store_side side)
{
    const struct ekb_identity *identity = ekb_store_identity(store, side);
    const struct ekb_fail *fault = ekb_store_fault(store, (enum ekb_store_part)side);
    const struct ekb_identity *other =
        ekb_store_identity(store, side == EKB_STORE_SERVER ? EKB_STORE_CLIENT : EKB_STORE_SERVER);
    if (fault->err != EKB_OK && fault->err != EKB_KEY_MISMATCH && fault->err != EKB_PERMISSION) {
        tell_problem(auditor, path, fault);
    }
    if (identity->chain == NULL || ekb_chain_len(identity->chain) == 0) {
        return;
    }
    const bool same = other->chain != NULL && ekb_chain_len(other->chain) > 0 &&
                      ekb_chain_same(identity->chain, 0, other->chain, 0);
    if (same && side == EKB_STORE_CLIENT) {
        return; // It was told as the server's, with both roles.
    }
    struct ekb_audit_options options = *auditor->options;
    if (options.private_roots == NULL) {
        options.private_roots = ekb_store_trust(store);
    }
    const struct auditor with_trust = {auditor->totals, &options, NULL};
    const unsigned role = side == EKB_STORE_SERVER ? EKB_AUDIT_SERVER : EKB_AUDIT_CLIENT;
    tell_chain(&with_trust, identity->chain, path, EKB_AUDIT_STORE,
               same ? EKB_AUDIT_SERVER | EKB_AUDIT_CLIENT : role);
}

// audit_store tells the store at `path` if there is one.
static enum ekb_err audit_store(const struct auditor *auditor, const char *path)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail;
    if (ekb_store_find(path, NULL) != EKB_OK) {
        return EKB_OK;
    }
    const enum ekb_err err = ekb_store_survey(&store, path, EKB_STORE_ALL, &fail);
    if (err == EKB_NOMEM) {
        return err;
    }
    if (err != EKB_OK) {
        tell_problem(auditor, path, &fail);
        return EKB_OK;
    }
    audit_side(auditor, store, path, EKB_STORE_SERVER);
    audit_side(auditor, store, path, EKB_STORE_CLIENT);
    ekb_store_destroy(store);
    return EKB_OK;
}

static bool is_hidden(const FTSENT *entry)
{
    return entry->fts_level > 0 && entry->fts_name[0] == '.';
}

// visit_entry looks at one entry of the tree.
static enum ekb_err visit_entry(const struct auditor *auditor, FTS *tree, FTSENT *entry)
{
    struct ekb_fail fail;
    bool is_new = true;
    enum ekb_err err = EKB_OK;
    const bool is_named = entry->fts_level == 0;
    if (is_hidden(entry) ||
        (!is_named && is_stores(entry->fts_name) && entry->fts_parent->fts_number != 0)) {
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
            (void)ekb_fail_set(&fail, EKB_PARSE, 0, "%s is no file", entry->fts_path);
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
        err = visit_entry(&auditor, tree, entry);
    }
    (void)fts_close(tree);
    tdestroy(seen, free);
    free(copy);
    return err == EKB_OK ? err : ekb_fail_set(reterr_fail, err, 0, "%s", path);
}

// Servers.

enum ekb_err ekb_audit_server(struct ekb_audit_totals *totals,
                              const struct ekb_audit_options *options, const char *target,
                              struct ekb_fail *reterr_fail)
{
    const struct auditor auditor = {totals, options, NULL};
    struct ekb_visit visits[2] = {{.err = EKB_OK}, {.err = EKB_OK}};
    struct ekb_peer_probe_options probe = {
        .name = "", .version = EKB_TLS_ANY, .deadline_ns = options->deadline_ns};
    struct ekb_fail fail;
    enum ekb_err err = EKB_OK;
    if (ekb_address_parse(&probe.target, target, &fail) != EKB_OK) {
        tell_problem(&auditor, target, &fail);
        return EKB_OK;
    }
    for (int i = 0; i < 2 && err == EKB_OK; i++) {
        err = ekb_peer_probe_look(&visits[i], &probe, ekb_outbound_only(i == 0), reterr_fail);
    }
    const bool has[2] = {visits[0].peer != NULL && ekb_chain_len(visits[0].peer) > 0,
                         visits[1].peer != NULL && ekb_chain_len(visits[1].peer) > 0};
    if (err == EKB_OK && !has[0] && !has[1]) {
        (void)ekb_fail_set(&fail, visits[0].err != EKB_OK ? visits[0].err : EKB_TLS_NO_CERTIFICATE,
                           0, "%s", target);
        tell_problem(&auditor, target, &fail);
    }
    for (int i = 0; i < 2 && err == EKB_OK; i++) {
        // One that it sends to both is one.
        if (has[i] && !(i == 1 && has[0] && ekb_chain_same(visits[0].peer, 0, visits[1].peer, 0))) {
            tell_chain(&auditor, visits[i].peer, target, EKB_AUDIT_LIVE, EKB_AUDIT_SERVER);
        }
    }
    ekb_visit_deinit(&visits[0]);
    ekb_visit_deinit(&visits[1]);
    return err;
}
