#include "ekubench/lab/peer_probe.h"

#include "ekubench/base/clock.h"
#include "ekubench/lab/rejection.h"

#include <time.h>

#define SETTLE_NS (500 * EKB_NS_PER_MS)

// What the parts of a probe share.
struct prober {
    struct ekb_peer_probe_options options; // With the address that connects as the target.
    struct ekb_peer_probe *out;
    struct ekb_store *store;
    struct ekb_chain *nobody; // The list of a store that has none.
};

static const char *sni_of(const struct ekb_peer_probe_options *options)
{
    struct ekb_name name;
    return ekb_name_parse(&name, options->name) == EKB_OK && name.kind == EKB_NAME_DNS
               ? options->name
               : NULL;
}

enum ekb_err ekb_peer_probe_look(struct ekb_visit *out_visit,
                                 const struct ekb_peer_probe_options *options,
                                 struct ekb_tls_preferences preferences,
                                 struct ekb_fail *reterr_fail)
{
    struct ekb_tls_options tls = {.role = EKB_ROLE_CLIENT,
                                  .version = options->version,
                                  .preferences = preferences,
                                  .policy = ekb_policy_default(),
                                  .sni = sni_of(options)};
    struct ekb_tls_config *config = NULL;
    tls.policy.verify = EKB_VERIFY_RAW;
    enum ekb_err err = ekb_tls_config_create(&config, &tls, reterr_fail);
    if (err == EKB_OK) {
        // A server that asks for a certificate rejects who has none: only then is there an answer
        // to wait for.
        const struct ekb_visit_options visit = {.target = options->target,
                                                .config = config,
                                                .deadline_ns = options->deadline_ns,
                                                .settle_ns = 0};
        err = ekb_visit_make(out_visit, &visit, reterr_fail);
    }
    ekb_tls_config_destroy(config);
    return err;
}

// has_chain is true if the server has presented a certificate that can be read.
static bool has_chain(const struct ekb_visit *visit)
{
    return visit->peer != NULL && ekb_chain_len(visit->peer) > 0;
}

static enum ekb_probe_kind kind_of(const struct ekb_chain *chain)
{
    struct ekb_description leaf;
    ekb_chain_describe(&leaf, chain, 0);
    return leaf.key_kind == EKB_KEY_KIND_RSA ? EKB_PROBE_RSA : EKB_PROBE_ECDSA;
}

// preferred_by returns the kind of certificate for which `release` asks first.
static enum ekb_probe_kind preferred_by(enum ekb_release release)
{
    return ekb_release_rules(release)->prefers_ecdsa ? EKB_PROBE_ECDSA : EKB_PROBE_RSA;
}

// connect_and_look looks at the first address that connects, or at the last one that does not.
static enum ekb_err connect_and_look(struct prober *prober, struct ekb_fail *reterr_fail)
{
    const struct ekb_addresses one = {.all = {prober->options.target}, .num = 1};
    const struct ekb_addresses *addresses =
        prober->options.addresses != NULL ? prober->options.addresses : &one;
    const struct ekb_tls_preferences preferences =
        ekb_outbound_preferences(ekb_release_rules(prober->options.release)->prefers_ecdsa);
    struct ekb_visit *look = &prober->out->look;
    enum ekb_err err = EKB_OK;
    look->err = EKB_CONNECT_FAILED;
    for (size_t i = 0; i < addresses->num && err == EKB_OK && look->err >= EKB_CONNECT_REFUSED &&
                       look->err <= EKB_CONNECT_FAILED;
         i++) {
        prober->options.target = addresses->all[i];
        err = ekb_peer_probe_look(look, &prober->options, preferences, reterr_fail);
    }
    prober->out->address = prober->options.target;
    return err;
}

static const struct ekb_chain *trust_of(const struct prober *prober)
{
    const struct ekb_chain *trust = ekb_store_trust(prober->store);
    return trust != NULL ? trust : prober->nobody;
}

// open_store reads the node's store, and what is for the release in it.
static enum ekb_err open_store(struct prober *prober, struct ekb_fail *reterr_fail)
{
    const struct ekb_release_node node = {.release = prober->options.release,
                                          .kind = EKB_NODE_CORE};
    struct ekb_peer_probe *out = prober->out;
    enum ekb_err err = ekb_store_find(prober->options.store, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_load(&prober->store, prober->options.store, 0, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    prober->nobody = ekb_chain_create();
    if (prober->nobody == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", prober->options.store);
    }
    out->num_trusted = ekb_chain_len(trust_of(prober));
    out->side = ekb_release_client_side(&node);
    const struct ekb_chain *chain = ekb_store_identity(prober->store, out->side)->chain;
    if (chain != NULL) {
        out->has_leaf = true;
        ekb_chain_describe(&out->leaf, chain, 0);
    }
    return EKB_OK;
}

// judge_chain is what the node makes of a chain.
static enum ekb_err judge_chain(struct ekb_outbound_verdict *out_verdict,
                                const struct prober *prober, const struct ekb_chain *chain,
                                struct ekb_fail *reterr_fail)
{
    return ekb_outbound_judge(out_verdict, chain, trust_of(prober), prober->options.name,
                              prober->options.at, reterr_fail);
}

// keep takes the chain that the server has presented, if it is the first of its kind, and judges
// it.
static enum ekb_err keep(const struct prober *prober, struct ekb_visit *visit,
                         struct ekb_fail *reterr_fail)
{
    struct ekb_peer_probe *out = prober->out;
    if (!has_chain(visit)) {
        return EKB_OK;
    }
    const enum ekb_probe_kind kind = kind_of(visit->peer);
    if (out->chains[kind] != NULL) {
        return EKB_OK;
    }
    out->chains[kind] = visit->peer;
    visit->peer = NULL;
    return judge_chain(&out->verdicts[kind], prober, out->chains[kind], reterr_fail);
}

// take_preferred notes and keeps what came where one kind was asked for first.
static enum ekb_err take_preferred(const struct prober *prober, enum ekb_probe_kind preferred,
                                   struct ekb_visit *visit, struct ekb_fail *reterr_fail)
{
    struct ekb_peer_probe *out = prober->out;
    if (has_chain(visit)) {
        out->preferred[preferred].shown = true;
        out->preferred[preferred].kind = kind_of(visit->peer);
    }
    return keep(prober, visit, reterr_fail);
}

// look_around finds what comes of the other preference, and, of a kind that neither has brought,
// what comes where there is no choice: servers may have a preference of their own.
static enum ekb_err look_around(const struct prober *prober, struct ekb_fail *reterr_fail)
{
    struct ekb_peer_probe *out = prober->out;
    const enum ekb_probe_kind first = preferred_by(prober->options.release);
    const enum ekb_probe_kind other = first == EKB_PROBE_RSA ? EKB_PROBE_ECDSA : EKB_PROBE_RSA;
    struct ekb_visit visit = {.err = EKB_OK};
    enum ekb_err err = take_preferred(prober, first, &out->look, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_peer_probe_look(&visit, &prober->options,
                                  ekb_outbound_preferences(other == EKB_PROBE_ECDSA), reterr_fail);
    }
    if (err == EKB_OK) {
        err = take_preferred(prober, other, &visit, reterr_fail);
    }
    for (int kind = 0; kind < EKB_PROBE_NUM_KINDS && err == EKB_OK; kind++) {
        if (out->chains[kind] != NULL) {
            continue;
        }
        ekb_visit_deinit(&visit);
        err = ekb_peer_probe_look(&visit, &prober->options,
                                  ekb_outbound_only(kind == EKB_PROBE_ECDSA), reterr_fail);
        // It may send the other all the same, having nothing else (RFC 8446 section 4.4.2.2).
        if (err == EKB_OK) {
            err = keep(prober, &visit, reterr_fail);
        }
    }
    ekb_visit_deinit(&visit);
    return err;
}

// connect makes the connection as the node does: by the rules of its release.
static enum ekb_err connect_as_node(const struct prober *prober, struct ekb_fail *reterr_fail)
{
    const struct ekb_peer_probe_options *options = &prober->options;
    const struct ekb_identity *identity = ekb_store_identity(prober->store, prober->out->side);
    struct ekb_tls_options tls = {
        .role = EKB_ROLE_CLIENT,
        .version = options->version,
        .preferences = ekb_outbound_preferences(ekb_release_rules(options->release)->prefers_ecdsa),
        .identity = prober->out->has_leaf ? identity : NULL,
        .trust = trust_of(prober),
        .policy = ekb_policy_default(),
        .verify_at = options->at,
        .sni = sni_of(options)};
    struct ekb_tls_config *config = NULL;
    if (!ekb_peer_probe_verifies(options, options->release)) {
        tls.policy.verify = EKB_VERIFY_RAW;
    } else if (ekb_name_parse(&tls.policy.name, options->name) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\" is no name", options->name);
    }
    enum ekb_err err = ekb_tls_config_create(&config, &tls, reterr_fail);
    if (err == EKB_OK) {
        // A server that does not ask for a certificate has nothing to say about one.
        const struct ekb_visit_options wish = {.target = options->target,
                                               .config = config,
                                               .deadline_ns = options->deadline_ns,
                                               .settle_ns =
                                                   prober->out->look.was_asked ? SETTLE_NS : 0};
        prober->out->visited = true;
        err = ekb_visit_make(&prober->out->visit, &wish, reterr_fail);
    }
    ekb_tls_config_destroy(config);
    return err;
}

// is_told is true if the server has said all that it has to say before the client's certificate.
static bool is_told(const struct ekb_tls_trace *trace)
{
    return ekb_tls_trace_has(trace, EKB_TLS_MESSAGE_SERVER_HELLO_DONE, false) ||
           ekb_tls_trace_has(trace, EKB_TLS_MESSAGE_FINISHED, false);
}

static enum ekb_probe_client client_of(const struct ekb_peer_probe *probe)
{
    const struct ekb_tls_trace *trace = &probe->visit.trace;
    if (!probe->look.was_asked && !probe->visit.was_asked) {
        return is_told(&probe->look.trace) || is_told(trace) ? EKB_PROBE_CLIENT_NOT_ASKED
                                                             : EKB_PROBE_CLIENT_NOT_KNOWN;
    }
    if (ekb_tls_trace_has(trace, EKB_TLS_MESSAGE_CERTIFICATE_VERIFY, true)) {
        return EKB_PROBE_CLIENT_PRESENTED;
    }
    return !probe->has_leaf && ekb_tls_trace_has(trace, EKB_TLS_MESSAGE_CERTIFICATE, true)
               ? EKB_PROBE_CLIENT_EMPTY
               : EKB_PROBE_CLIENT_TOO_EARLY;
}

// visit connects as the node does, and sees what came of it.
static enum ekb_err visit(const struct prober *prober, struct ekb_fail *reterr_fail)
{
    struct ekb_peer_probe *out = prober->out;
    enum ekb_err err = connect_as_node(prober, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    out->client = client_of(out);
    if (ekb_peer_probe_verifies(&prober->options, prober->options.release) &&
        has_chain(&out->visit)) {
        err = judge_chain(&out->verdict, prober, out->visit.peer, reterr_fail);
        // TLS asks for more than X.509 does: that the key may sign.
        if (err == EKB_OK && out->verdict.err == EKB_OK &&
            out->visit.err >= EKB_VERIFY_UNSPECIFIED) {
            out->verdict.err = out->visit.err;
            out->verdict.depth = 0;
        }
    }
    return err;
}

enum ekb_err ekb_peer_probe_make(struct ekb_peer_probe *out_probe,
                                 const struct ekb_peer_probe_options *options,
                                 struct ekb_fail *reterr_fail)
{
    struct prober prober = {.options = *options, .out = out_probe};
    *out_probe = (struct ekb_peer_probe){.visited = false};
    enum ekb_err err = open_store(&prober, reterr_fail);
    if (err == EKB_OK) {
        err = connect_and_look(&prober, reterr_fail);
    }
    if (err == EKB_OK && has_chain(&out_probe->look)) {
        err = look_around(&prober, reterr_fail);
        if (err == EKB_OK) {
            err = visit(&prober, reterr_fail);
        }
    }
    ekb_chain_destroy(prober.nobody);
    ekb_store_destroy(prober.store);
    return err;
}

void ekb_peer_probe_deinit(struct ekb_peer_probe *probe)
{
    ekb_visit_deinit(&probe->look);
    ekb_visit_deinit(&probe->visit);
    for (int kind = 0; kind < EKB_PROBE_NUM_KINDS; kind++) {
        ekb_chain_destroy(probe->chains[kind]);
        probe->chains[kind] = NULL;
    }
}

bool ekb_peer_probe_shows(const struct ekb_peer_probe *probe)
{
    return probe->chains[EKB_PROBE_RSA] != NULL || probe->chains[EKB_PROBE_ECDSA] != NULL;
}

bool ekb_peer_probe_kind_of(enum ekb_probe_kind *out_kind, const struct ekb_peer_probe *probe,
                            enum ekb_release release)
{
    const enum ekb_probe_kind preferred = preferred_by(release);
    *out_kind = probe->preferred[preferred].kind;
    return probe->preferred[preferred].shown;
}

bool ekb_peer_probe_verifies(const struct ekb_peer_probe_options *options, enum ekb_release release)
{
    return options->discovery || ekb_release_rules(release)->outbound == EKB_OUTBOUND_ALWAYS;
}

bool ekb_peer_probe_works(const struct ekb_peer_probe *probe)
{
    return probe->visited && probe->visit.err == EKB_OK;
}

static const char *rejection_hint(const struct ekb_peer_probe *probe, const struct ekb_visit *visit)
{
    const int64_t now = (int64_t)time(NULL); // The server's clock: whatever the node verifies at.
    const struct ekb_rejection rejection = {
        .alert = visit->err == EKB_TLS_ALERT ? visit->alert_received : EKB_REJECTION_HUNG_UP,
        .asked = visit->was_asked,
        .presented = probe->client == EKB_PROBE_CLIENT_PRESENTED,
        .eku = probe->leaf.eku,
        .self_signed = probe->leaf.is_self_signed,
        .expired = now < probe->leaf.not_before || now > probe->leaf.not_after,
        .two_stores = probe->side == EKB_STORE_CLIENT};
    return ekb_rejection_hint(&rejection);
}

const char *ekb_peer_probe_hint(const struct ekb_peer_probe *probe)
{
    const struct ekb_visit *end = probe->visited ? &probe->visit : &probe->look;
    const struct ekb_outbound_verdict *verdict = &probe->verdict;
    if (verdict->err != EKB_OK) {
        return probe->num_trusted == 0 && verdict->err != EKB_VERIFY_SELF_SIGNED_LEAF
                   ? "the trusted CA list is empty: add the root of the server's chain to it "
                     "(`ekubench store trust add`)"
                   : ekb_outbound_hint(verdict);
    }
    if (end->err >= EKB_VERIFY_UNSPECIFIED) { // TLS has seen it before there was a chain to judge.
        return ekb_outbound_hint(&(struct ekb_outbound_verdict){.err = end->err});
    }
    switch ((int)end->err) { // Of many.
    case EKB_TLS_ALERT:
    case EKB_PEER_CLOSED:
    case EKB_PEER_RESET:
        return rejection_hint(probe, end);
    case EKB_TLS_NO_COMMON:
        return "no signature that the key of the node's certificate can make is among those that "
               "the server takes: have one issued for another kind of key";
    case EKB_TLS_NOT_TLS:
        return "that is no TLS server: look at the port";
    default:
        return "";
    }
}
