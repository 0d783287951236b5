#include "ekubench/lab/audit.h"

#include "ekubench/pki/cert.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/policy.h"
#include "ekubench/pki/verify.h"
#include "ekubench/store/gate.h"
#include "lab/audit_internal.h"

#include <string.h>

#define DAY_S INT64_C(86400)
#define MAX_ISSUERS 16
#define MAX_TRIES 16
#define BOTH_USAGES (unsigned)(EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)
#define BOTH_ROLES (unsigned)(EKB_AUDIT_SERVER | EKB_AUDIT_CLIENT)
#define OF(kind) (1U << (kind))
#define DATE_FAULTS (unsigned)(EKB_FAULT_EXPIRED | EKB_FAULT_NOT_YET)
// With one of these it works on no link.
#define BARRING_FAULTS                                                                             \
    (unsigned)(EKB_FAULT_EXPIRED | EKB_FAULT_NOT_YET | EKB_FAULT_INTERMEDIATE |                    \
               EKB_FAULT_SELF_SIGNED | EKB_FAULT_KEY_USAGE | EKB_FAULT_CHAIN)

// What the parts of a judgement share.
struct judge {
    struct ekb_audit_item *item;
    const struct ekb_audit_options *options;
    struct ekb_chain *path; // From the certificate up, as far as its file goes.
    struct ekb_chain *top;  // What is trusted: the root, or the last of the path.
    unsigned nodes;         // 1 << enum ekb_node_kind: of which it may be.
    bool is_ours;           // It is taken for one of a node that has one of our releases.
    bool is_unused;         // It is of a client store, and the audited release has none.
    enum ekb_err err;       // EKB_NOMEM.
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
static bool take_root(struct judge *judge, size_t index, const struct ekb_chain *roots,
                      enum ekb_audit_pki pki)
{
    struct ekb_description root;
    const size_t issuer = find_issuer(judge->path, index, roots);
    if (roots == NULL || issuer == ekb_chain_len(roots)) {
        return false;
    }
    judge->err = ekb_chain_append(judge->top, roots, issuer);
    ekb_chain_describe(&root, roots, issuer);
    memcpy(judge->item->root, root.subject, sizeof judge->item->root);
    judge->item->pki = pki;
    return true;
}

// find_root says where the path ends, and returns how many of its certificates are below that: a
// certificate of the file that is a root, or has been issued by one that is known, has nothing
// above it that counts.
static size_t find_root(struct judge *judge)
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
    judge->err = ekb_chain_append(judge->top, judge->path, len - 1);
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
    return certificate->not_before <= at && at < certificate->not_after;
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

static bool is_about_dates(enum ekb_err err)
{
    return err == EKB_VERIFY_EXPIRED || err == EKB_VERIFY_NOT_YET_VALID;
}

// verify has the library verify the path, with no usage asked for. What it says of dates and usages
// is said apart.
static void verify(struct judge *judge)
{
    struct ekb_audit_item *item = judge->item;
    struct ekb_verify_outcome outcome = {.err = EKB_OK};
    struct ekb_verify_options options = {.trust = judge->top,
                                         .policy = ekb_policy_default(),
                                         .anchor = EKB_ANCHOR_LISTED,
                                         .at = &judge->options->at};
    options.policy.eku = EKB_EKU_NONE;
    item->verdict = EKB_OK;
    if (item->certificate.is_ca || item->pki == EKB_AUDIT_SELF_SIGNED || judge->err != EKB_OK) {
        return;
    }
    if (item->certificate.key_kind == EKB_KEY_KIND_OTHER) {
        item->verdict = EKB_UNSUPPORTED;
        return;
    }
    judge->err = ekb_verify_once(&outcome, &options, judge->path, NULL);
    item->verdict = is_about_dates(outcome.err) ? EKB_OK : outcome.err;
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

// is_presented is true of all but a CA's certificate that is merely in a file.
static bool is_presented(const struct ekb_audit_item *item)
{
    return item->roles != 0 || !item->certificate.is_ca;
}

// is_distrusted is true if Chrome distrusts it by now, as a server's.
static bool is_distrusted(const struct judge *judge)
{
    const struct ekb_audit_item *item = judge->item;
    return item->pki == EKB_AUDIT_PUBLIC && (item->certificate.eku & BOTH_USAGES) == BOTH_USAGES &&
           (roles_of(item) & EKB_AUDIT_SERVER) != 0 &&
           judge->options->at >= ekb_audit_date_time(EKB_DATE_CHROME);
}

// find_faults says what is wrong with it whatever the links and the gate ask for.
static unsigned find_faults(const struct judge *judge)
{
    const struct ekb_audit_item *item = judge->item;
    const struct ekb_description *certificate = &item->certificate;
    const bool is_over = judge->options->at >= certificate->not_after;
    const bool is_early = judge->options->at < certificate->not_before;
    const unsigned dated = (is_over ? (unsigned)EKB_FAULT_EXPIRED : 0U) |
                           (is_early ? (unsigned)EKB_FAULT_NOT_YET : 0U);
    if (!is_presented(item)) {
        return dated;
    }
    return dated |
           (!is_over && !is_early && !item->is_valid ? (unsigned)EKB_FAULT_INTERMEDIATE : 0U) |
           (item->pki == EKB_AUDIT_SELF_SIGNED ? (unsigned)EKB_FAULT_SELF_SIGNED : 0U) |
           (!certificate->may_sign ? (unsigned)EKB_FAULT_KEY_USAGE : 0U) |
           (item->verdict != EKB_OK ? (unsigned)EKB_FAULT_CHAIN : 0U) |
           (item->good_for == 0 ? (unsigned)EKB_FAULT_NO_USAGE : 0U) |
           (is_distrusted(judge) ? (unsigned)EKB_FAULT_CHROME : 0U);
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
    if (!has_part && item->is_alone) { // The upgrade makes a client's of it.
        return EKB_MTLS_PERHAPS;
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

// By which rules links are judged.
struct column {
    struct ekb_release_node ours;
    struct ekb_release_node theirs; // A far end has a mode of its own, and is taken to check.
    unsigned roles;
    bool unused; // It is of a client store, and there is none.
};

static struct column column_of(const struct judge *judge, enum ekb_release release,
                               enum ekb_eku_mode mode)
{
    // Whose rules they are: C's and E's are the same, as far as links go.
    struct column column = {
        .ours = {.release = release, .kind = EKB_NODE_CORE, .mode = mode},
        .theirs = {.release = release, .kind = EKB_NODE_FAR, .mode = EKB_EKU_ON},
    };
    column.roles = roles_under(judge, release, &column.unused);
    return column;
}

// find_demand says what is verified of the certificate on `link` in one role: by the responder as
// of an initiator's, by the initiator as of a responder's. Nothing, if it has no part in it.
static struct ekb_link_demand find_demand(const struct judge *judge, const struct column *column,
                                          enum ekb_link link, unsigned role)
{
    const struct ekb_link_row *row = ekb_link_row(link);
    const bool initiates = is_initiators(link, role);
    const bool has_part = (column->roles & role) != 0 && (initiates || role == EKB_AUDIT_SERVER) &&
                          may_be_at(judge->nodes, initiates ? row->initiator : row->responder);
    if (!has_part) {
        return (struct ekb_link_demand){.chain = false};
    }
    return initiates ? ekb_link_demand_of_initiator(
                           link, row->responder == EKB_END_FAR ? &column->theirs : &column->ours)
                     : ekb_link_demand_of_responder(link, &column->ours);
}

// judge_link says what the certificate is good for on `link`, in its roles.
static enum ekb_audit_link judge_link(const struct judge *judge, const struct column *column,
                                      enum ekb_link link)
{
    const struct ekb_audit_item *item = judge->item;
    const bool is_distrusted = link == EKB_LINK_BROWSER && (item->faults & EKB_FAULT_CHROME) != 0;
    enum ekb_audit_link found = EKB_AUDIT_NO_PART;
    for (unsigned role = 1; role <= EKB_AUDIT_CLIENT; role <<= 1) {
        const struct ekb_link_demand demand = find_demand(judge, column, link, role);
        // A bit more than it has, so that no usage at all does not look like an extension that is
        // absent.
        const bool works = (item->faults & BARRING_FAULTS) == 0 && !is_distrusted &&
                           ekb_link_allows(&demand, item->good_for | EKB_EKU_OTHER);
        if (demand.chain && found != EKB_AUDIT_BREAKS) {
            found = works ? EKB_AUDIT_WORKS : EKB_AUDIT_BREAKS;
        }
    }
    return column->unused && found != EKB_AUDIT_NO_PART ? EKB_AUDIT_UNUSED : found;
}

// judge_links fills one column: all links under a release and a mode.
static void judge_links(const struct judge *judge, enum ekb_release release, enum ekb_eku_mode mode,
                        enum ekb_audit_link out_links[EKB_LINK_NUM])
{
    const struct column column = column_of(judge, release, mode);
    for (int link = 0; link < EKB_LINK_NUM; link++) {
        out_links[link] = judge_link(judge, &column, (enum ekb_link)link);
    }
}

// judge_used says what comes of the roles in which it is known to be used.
static void judge_used(const struct judge *judge)
{
    struct ekb_audit_item *item = judge->item;
    const struct ekb_audit_options *options = judge->options;
    const struct column column = column_of(judge, options->release, options->mode);
    item->breaks = false;
    item->lacking = 0;
    item->missing = 0;
    for (int link = 0; link < EKB_LINK_NUM && item->roles != 0 && !column.unused; link++) {
        item->breaks =
            item->breaks || judge_link(judge, &column, (enum ekb_link)link) == EKB_AUDIT_BREAKS;
        for (unsigned role = 1; role <= EKB_AUDIT_CLIENT; role <<= 1) {
            const struct ekb_link_demand demand =
                find_demand(judge, &column, (enum ekb_link)link, role);
            const unsigned missing = demand.usages & ~item->good_for;
            item->lacking |= missing != 0 ? 1U << link : 0U;
            item->missing |= missing;
        }
    }
}

// judge_copy says what becomes of one that the upgrade copies into the client store.
static void judge_copy(const struct judge *judge)
{
    struct ekb_audit_item *item = judge->item;
    const struct ekb_audit_options *options = judge->options;
    const enum ekb_release release =
        has_one_store(options->release) ? EKB_RELEASE_X15_5 : options->release;
    struct column column = column_of(judge, release, options->mode);
    column.roles = EKB_AUDIT_CLIENT;
    item->copy_breaks = 0;
    for (int link = 0; link < EKB_LINK_NUM && item->is_alone; link++) {
        const bool breaks = judge_link(judge, &column, (enum ekb_link)link) == EKB_AUDIT_BREAKS;
        item->copy_breaks |= breaks ? 1U << link : 0U;
    }
}

static void judge_all_links(const struct judge *judge)
{
    struct ekb_audit_item *item = judge->item;
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        judge_links(judge, (enum ekb_release)release, EKB_EKU_ON, item->links[release][0]);
        judge_links(judge, (enum ekb_release)release, EKB_EKU_OFF, item->links[release][1]);
    }
    judge_used(judge);
    judge_copy(judge);
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

// find_refusals says which faults the links and the gate have found. What goes in as a copy is not
// refused.
static unsigned find_refusals(const struct judge *judge)
{
    const struct ekb_audit_item *item = judge->item;
    unsigned faults = (item->lacking != 0 ? (unsigned)EKB_FAULT_USAGES : 0U) |
                      (item->copy_breaks != 0 ? (unsigned)EKB_FAULT_COPY : 0U);
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        const struct ekb_audit_gate *gate = &item->gates[side];
        const bool is_refused = gate->asked && gate->refusal.err != EKB_OK && !gate->copy_admits;
        faults |= is_refused ? (unsigned)EKB_FAULT_GATE : 0U;
    }
    return faults;
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
    judge.top = ekb_chain_create();
    judge.err =
        judge.path != NULL && judge.top != NULL ? climb(judge.path, chain, index) : EKB_NOMEM;
    if (judge.err == EKB_OK) {
        ekb_chain_describe(&item->certificate, chain, index);
        const int64_t left_s = item->certificate.not_after - options->at;
        item->days_left = left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
        weigh(&judge, find_root(&judge));
        verify(&judge);
        (void)roles_under(&judge, options->release, &judge.is_unused);
        item->faults = find_faults(&judge);
        judge_all_links(&judge);
        judge_gate(&judge);
        item->mtls = judge_mtls(&judge);
        item->faults |= find_refusals(&judge);
        // What else is wrong with one that is not used does not matter now.
        item->faults &= judge.is_unused ? DATE_FAULTS : ~0U;
        ekb_audit_advise(item, options, judge.nodes, judge.is_unused);
    }
    ekb_chain_destroy(judge.top);
    ekb_chain_destroy(judge.path);
    return judge.err;
}
