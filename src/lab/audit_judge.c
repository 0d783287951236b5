#include "ekubench/lab/audit.h"

#include "ekubench/pki/cert.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/policy.h"
#include "ekubench/store/gate.h"
#include "lab/audit_internal.h"

#include <string.h>

#define DAY_S INT64_C(86400)
#define MAX_ISSUERS 16
#define MAX_TRIES 16
#define BOTH_USAGES (unsigned)(EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)
#define BOTH_ROLES (unsigned)(EKB_AUDIT_SERVER | EKB_AUDIT_CLIENT)
#define OF(kind) (1U << (kind))

// What the parts of a judgement share.
struct judge {
    struct ekb_audit_item *item;
    const struct ekb_audit_options *options;
    struct ekb_chain *path; // From the certificate up, as far as its file goes.
    unsigned nodes;         // 1 << enum ekb_node_kind: of which it may be.
    bool is_ours;           // It is taken for one of a node that has one of our releases.
};

// The way up.

// find_issuer returns the place in `issuers` of the issuer of a certificate, or their number. Of
// those that have the issuer's name only the first ones are tried: a file may have a thousand, and
// a signature takes its time.
static size_t find_issuer(const struct ekb_chain *chain, size_t index,
                          const struct ekb_chain *issuers)
{
    const size_t num = issuers != NULL ? ekb_chain_len(issuers) : 0;
    size_t tries = 0;
    for (size_t issuer = 0; issuer < num && tries < MAX_TRIES; issuer++) {
        if (ekb_chain_is_named_by(chain, index, issuers, issuer)) {
            tries++;
            if (ekb_chain_is_issued_by(chain, index, issuers, issuer)) {
                return issuer;
            }
        }
    }
    return num;
}

// climb makes the path: a self-signed certificate is its end.
static enum ekb_err climb(struct ekb_chain *path, const struct ekb_chain *chain, size_t index)
{
    enum ekb_err err = EKB_OK;
    for (size_t steps = 0; err == EKB_OK && steps < MAX_ISSUERS && index < ekb_chain_len(chain);
         steps++) {
        struct ekb_description at;
        err = ekb_chain_append(path, chain, index);
        ekb_chain_describe(&at, chain, index);
        index = at.is_self_signed ? ekb_chain_len(chain) : find_issuer(chain, index, chain);
    }
    return err;
}

// take_root says which root of `roots` has issued certificate `index` of the path, if one has.
static bool take_root(const struct judge *judge, size_t index, const struct ekb_chain *roots,
                      enum ekb_audit_pki pki)
{
    struct ekb_description root;
    const size_t issuer = find_issuer(judge->path, index, roots);
    if (roots == NULL || issuer == ekb_chain_len(roots)) {
        return false;
    }
    ekb_chain_describe(&root, roots, issuer);
    memcpy(judge->item->root, root.subject, sizeof judge->item->root);
    judge->item->pki = pki;
    return true;
}

// find_root says where the path ends, and returns how many of its certificates are below that: a
// certificate of the file that is a root, or has been issued by one that is known, has nothing
// above it that counts.
static size_t find_root(const struct judge *judge)
{
    const size_t len = ekb_chain_len(judge->path);
    struct ekb_description last = judge->item->certificate;
    for (size_t i = 0; i < len; i++) {
        if (take_root(judge, i, judge->options->public_roots, EKB_AUDIT_PUBLIC)) {
            return i + 1;
        }
        ekb_chain_describe(&last, judge->path, i);
        if (!last.is_self_signed &&
            take_root(judge, i, judge->options->private_roots, EKB_AUDIT_PRIVATE)) {
            return i + 1;
        }
    }
    judge->item->pki = EKB_AUDIT_UNKNOWN;
    judge->item->root[0] = '\0';
    if (!last.is_self_signed) {
        return len;
    }
    memcpy(judge->item->root, last.subject, sizeof judge->item->root);
    judge->item->pki = len > 1 || last.is_ca ? EKB_AUDIT_PRIVATE : EKB_AUDIT_SELF_SIGNED;
    return len > 1 ? len - 1 : 1;
}

// allowed returns what verification takes a certificate for, by its own usages.
static unsigned allowed(const struct ekb_description *certificate)
{
    return certificate->eku == EKB_EKU_ABSENT ? BOTH_USAGES : certificate->eku & BOTH_USAGES;
}

static bool is_valid(const struct ekb_description *certificate, int64_t at)
{
    return certificate->not_before <= at && at <= certificate->not_after;
}

// weigh takes the intermediates below the root into account: each must allow the usage, too, and be
// valid.
static void weigh(const struct judge *judge, size_t num_below_root)
{
    struct ekb_audit_item *item = judge->item;
    item->good_for = allowed(&item->certificate);
    item->is_valid = is_valid(&item->certificate, judge->options->at);
    for (size_t i = 1; i < num_below_root; i++) {
        struct ekb_description intermediate;
        ekb_chain_describe(&intermediate, judge->path, i);
        item->good_for &= allowed(&intermediate);
        item->is_valid = item->is_valid && is_valid(&intermediate, judge->options->at);
    }
}

// Roles.

// has_one_store is true if a node of that release presents one certificate in both roles.
static bool has_one_store(enum ekb_release release)
{
    const struct ekb_release_node node = {.release = release, .kind = EKB_NODE_CORE};
    return ekb_release_client_side(&node) == EKB_STORE_SERVER;
}

// roles_of returns in which roles it is presented: those that are known, or those that it is good
// for. A CA's certificate in a file is presented by nobody.
static unsigned roles_of(const struct ekb_audit_item *item)
{
    if (item->roles != 0 || item->certificate.is_ca) {
        return item->roles;
    }
    return ((item->good_for & EKB_EKU_SERVER_AUTH) != 0 ? (unsigned)EKB_AUDIT_SERVER : 0U) |
           ((item->good_for & EKB_EKU_CLIENT_AUTH) != 0 ? (unsigned)EKB_AUDIT_CLIENT : 0U);
}

// roles_under is roles_of under the rules of a release: where there is one store, the server's
// certificate has both, and the client's alone is not used (`*out_unused`).
static unsigned roles_under(const struct judge *judge, enum ekb_release release, bool *out_unused)
{
    const unsigned roles = roles_of(judge->item);
    const bool one_store = judge->is_ours && has_one_store(release);
    *out_unused = one_store && roles == EKB_AUDIT_CLIENT;
    return one_store && (roles & EKB_AUDIT_SERVER) != 0 ? BOTH_ROLES : roles;
}

static enum ekb_audit_mtls judge_mtls(const struct judge *judge)
{
    const struct ekb_audit_item *item = judge->item;
    const enum ekb_release release = judge->options->release;
    bool unused = false;
    const unsigned roles = roles_under(judge, release, &unused);
    const bool has_part = (roles & EKB_AUDIT_CLIENT) != 0 && !unused;
    if (item->roles == 0) {
        return has_part ? EKB_MTLS_PERHAPS : EKB_MTLS_NO;
    }
    // A server of which nobody knows whether it is a node.
    if (!has_part && !judge->is_ours && has_one_store(release) &&
        (judge->nodes & ~OF(EKB_NODE_FAR)) != 0) {
        return EKB_MTLS_PERHAPS;
    }
    return has_part ? EKB_MTLS_YES : EKB_MTLS_NO;
}

// Links.

static bool may_be_at(unsigned nodes, enum ekb_link_end end)
{
    switch (end) {
    case EKB_END_CORE:
        return (nodes & OF(EKB_NODE_CORE)) != 0;
    case EKB_END_EDGE:
        return (nodes & OF(EKB_NODE_EDGE)) != 0;
    case EKB_END_FAR:
        return (nodes & OF(EKB_NODE_FAR)) != 0;
    case EKB_END_SAME:
        return (nodes & ~OF(EKB_NODE_FAR)) != 0;
    case EKB_END_ANY:
        break;
    }
    return true;
}

// is_initiators is true if a certificate of that role is what the initiator of the link presents:
// of C's check of E's signature it is the server's.
static bool is_initiators(enum ekb_link link, unsigned role)
{
    return link == EKB_LINK_SIP_SERVICE ? role == EKB_AUDIT_SERVER : role == EKB_AUDIT_CLIENT;
}

// judge_link says what the certificate is good for on `link` in one role: before `responder` as an
// initiator's, before `initiator` as a responder's.
static enum ekb_audit_link judge_link(const struct judge *judge, enum ekb_link link, unsigned role,
                                      const struct ekb_release_node *responder,
                                      const struct ekb_release_node *initiator)
{
    const struct ekb_audit_item *item = judge->item;
    const struct ekb_link_row *row = ekb_link_row(link);
    const bool initiates = is_initiators(link, role);
    const struct ekb_link_demand demand = initiates ? ekb_link_demand_of_initiator(link, responder)
                                                    : ekb_link_demand_of_responder(link, initiator);
    const bool has_part = (initiates || role == EKB_AUDIT_SERVER) &&
                          may_be_at(judge->nodes, initiates ? row->initiator : row->responder);
    if (!has_part || !demand.chain) { // Nobody looks at it.
        return EKB_AUDIT_NO_PART;
    }
    // A bit more than it has, so that no usage at all does not look like an extension that is
    // absent.
    return item->is_valid && item->certificate.may_sign &&
                   ekb_link_allows(&demand, item->good_for | EKB_EKU_OTHER)
               ? EKB_AUDIT_WORKS
               : EKB_AUDIT_BREAKS;
}

// judge_links fills one column: all links under a release and a mode.
static void judge_links(const struct judge *judge, enum ekb_release release, enum ekb_eku_mode mode,
                        enum ekb_audit_link out_links[EKB_LINK_NUM])
{
    bool unused = false;
    const unsigned roles = roles_under(judge, release, &unused);
    // Whose rules they are: C's and E's are the same, as far as links go. A far end has a mode of
    // its own, and is taken to check.
    const struct ekb_release_node ours = {.release = release, .kind = EKB_NODE_CORE, .mode = mode};
    const struct ekb_release_node theirs = {
        .release = release, .kind = EKB_NODE_FAR, .mode = EKB_EKU_ON};
    for (int link = 0; link < EKB_LINK_NUM; link++) {
        const struct ekb_release_node *responder =
            ekb_link_row((enum ekb_link)link)->responder == EKB_END_FAR ? &theirs : &ours;
        out_links[link] = EKB_AUDIT_NO_PART;
        for (unsigned role = 1; role <= EKB_AUDIT_CLIENT; role <<= 1) {
            const enum ekb_audit_link found =
                (roles & role) != 0 ? judge_link(judge, (enum ekb_link)link, role, responder, &ours)
                                    : EKB_AUDIT_NO_PART;
            out_links[link] = found > out_links[link] ? found : out_links[link];
        }
        if (unused && out_links[link] != EKB_AUDIT_NO_PART) {
            out_links[link] = EKB_AUDIT_UNUSED;
        }
    }
}

static void judge_all_links(const struct judge *judge)
{
    struct ekb_audit_item *item = judge->item;
    const struct ekb_audit_options *options = judge->options;
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        judge_links(judge, (enum ekb_release)release, EKB_EKU_ON, item->links[release][0]);
        judge_links(judge, (enum ekb_release)release, EKB_EKU_OFF, item->links[release][1]);
    }
    item->breaks = false;
    for (int link = 0; link < EKB_LINK_NUM && item->roles != 0; link++) {
        item->breaks =
            item->breaks ||
            item->links[options->release][options->mode == EKB_EKU_OFF][link] == EKB_AUDIT_BREAKS;
    }
}

// The gate.

// ask_gate asks the gate of `node` for the store of `side`.
static struct ekb_fail ask_gate(const struct judge *judge, const struct ekb_release_node *node,
                                enum ekb_store_side side)
{
    struct ekb_gate_warning warning;
    struct ekb_fail refusal = {.err = EKB_OK};
    refusal.err = ekb_gate_check_chain(ekb_release_gate(node, side), judge->path,
                                       judge->options->at, &warning, &refusal);
    return refusal;
}

// judge_gate asks for each store that the certificate would be in. Of nodes that may be of either
// kind it asks as the core node, whose gate is the stricter one.
static void judge_gate(const struct judge *judge)
{
    struct ekb_audit_gate *gates = judge->item->gates;
    const bool is_core = (judge->nodes & OF(EKB_NODE_CORE)) != 0;
    const struct ekb_release_node node = {.release = judge->options->release,
                                          .kind = is_core ? EKB_NODE_CORE : EKB_NODE_EDGE};
    const struct ekb_release_node switched = {
        .release = node.release, .kind = EKB_NODE_EDGE, .server_eku_upload = true};
    const unsigned roles = roles_of(judge->item);
    memset(gates, 0, EKB_STORE_NUM_SIDES * sizeof gates[0]);
    if (!judge->is_ours) {
        return;
    }
    if ((roles & EKB_AUDIT_SERVER) != 0) {
        struct ekb_audit_gate *gate = &gates[EKB_STORE_SERVER];
        gate->asked = true;
        gate->refusal = ask_gate(judge, &node, EKB_STORE_SERVER);
        gate->switch_admits = gate->refusal.err != EKB_OK &&
                              (judge->nodes & OF(EKB_NODE_EDGE)) != 0 &&
                              ask_gate(judge, &switched, EKB_STORE_SERVER).err == EKB_OK;
    }
    if ((roles & EKB_AUDIT_CLIENT) != 0 && !has_one_store(node.release)) {
        struct ekb_audit_gate *gate = &gates[EKB_STORE_CLIENT];
        gate->asked = true;
        gate->refusal = ask_gate(judge, &node, EKB_STORE_CLIENT);
        gate->copy_admits = gate->refusal.err != EKB_OK && gates[EKB_STORE_SERVER].asked &&
                            gates[EKB_STORE_SERVER].refusal.err == EKB_OK;
    }
}

// The whole.

// is_unused is true if it is of a client store, and the audited release has none.
static bool is_unused(const struct judge *judge)
{
    bool unused = false;
    (void)roles_under(judge, judge->options->release, &unused);
    return unused && judge->item->roles != 0;
}

// may_be_of returns the kinds of nodes that the certificate may be of: a store is one of ours.
static unsigned may_be_of(const struct ekb_audit_item *item,
                          const struct ekb_audit_options *options)
{
    const unsigned all = OF(EKB_NODE_CORE) | OF(EKB_NODE_EDGE) | OF(EKB_NODE_FAR);
    return options->nodes != 0              ? options->nodes
           : item->place == EKB_AUDIT_STORE ? all & ~OF(EKB_NODE_FAR)
                                            : all;
}

enum ekb_err ekb_audit_judge(struct ekb_audit_item *item, const struct ekb_audit_options *options,
                             const struct ekb_chain *chain, size_t index)
{
    struct judge judge = {.item = item, .options = options, .nodes = may_be_of(item, options)};
    judge.is_ours = (judge.nodes & ~OF(EKB_NODE_FAR)) != 0 &&
                    (item->place != EKB_AUDIT_LIVE || options->nodes != 0);
    judge.path = ekb_chain_create();
    const enum ekb_err err = judge.path != NULL ? climb(judge.path, chain, index) : EKB_NOMEM;
    if (err == EKB_OK) {
        ekb_chain_describe(&item->certificate, chain, index);
        const int64_t left_s = item->certificate.not_after - options->at;
        item->days_left = left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
        weigh(&judge, find_root(&judge));
        judge_all_links(&judge);
        judge_gate(&judge);
        item->mtls = judge_mtls(&judge);
        ekb_audit_advise(item, judge.nodes, is_unused(&judge));
    }
    ekb_chain_destroy(judge.path);
    return err;
}
