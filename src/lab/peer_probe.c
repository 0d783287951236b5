#include "ekubench/lab/peer_probe.h"

#include "ekubench/base/clock.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/store.h"

#include <stdio.h>
#include <string.h>

#define SETTLE_NS (500 * EKB_NS_PER_MS)

// What the parts of a probe share.
struct prober {
    const struct ekb_peer_probe_options *options;
    struct ekb_peer_probe *out;
    struct ekb_store *store;
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

static bool is_rsa(const struct ekb_chain *chain)
{
    struct ekb_description leaf;
    ekb_chain_describe(&leaf, chain, 0);
    return leaf.key_kind == EKB_KEY_KIND_RSA;
}

// look_for stores what the server has of one kind, and what the node would make of it.
static enum ekb_err look_for(const struct prober *prober, enum ekb_probe_kind kind,
                             struct ekb_fail *reterr_fail)
{
    struct ekb_visit visit = {.err = EKB_OK};
    struct ekb_peer_probe *out = prober->out;
    enum ekb_err err = ekb_peer_probe_look(&visit, prober->options,
                                           ekb_outbound_only(kind == EKB_PROBE_ECDSA), reterr_fail);
    // A server may send what it was not asked for, having nothing else (RFC 8446 section 4.4.2.2).
    if (err == EKB_OK && visit.peer != NULL && ekb_chain_len(visit.peer) > 0 &&
        is_rsa(visit.peer) == (kind == EKB_PROBE_RSA)) {
        out->chains[kind] = visit.peer;
        visit.peer = NULL;
        err = ekb_outbound_judge(&out->verdicts[kind], out->chains[kind],
                                 ekb_store_trust(prober->store), prober->options->name,
                                 prober->options->at, reterr_fail);
    }
    ekb_visit_deinit(&visit);
    return err;
}

// visit connects as the node does: by the rules of its release.
static enum ekb_err visit(const struct prober *prober, struct ekb_fail *reterr_fail)
{
    const struct ekb_peer_probe_options *options = prober->options;
    const struct ekb_release_rules *release = ekb_release_rules(options->release);
    const struct ekb_identity *identity = ekb_store_identity(prober->store, EKB_STORE_CLIENT);
    struct ekb_tls_options tls = {.role = EKB_ROLE_CLIENT,
                                  .version = options->version,
                                  .preferences = ekb_outbound_preferences(release->prefers_ecdsa),
                                  .identity = identity->chain != NULL ? identity : NULL,
                                  .trust = ekb_store_trust(prober->store),
                                  .policy = ekb_policy_default(),
                                  .verify_at = options->at,
                                  .sni = sni_of(options)};
    struct ekb_tls_config *config = NULL;
    if (release->outbound == EKB_OUTBOUND_ALWAYS) {
        if (ekb_name_parse(&tls.policy.name, options->name) != EKB_OK) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\" is no name", options->name);
        }
    } else {
        tls.policy.verify = EKB_VERIFY_RAW;
    }
    if (identity->chain != NULL) {
        struct ekb_description leaf;
        ekb_chain_describe(&leaf, identity->chain, 0);
        prober->out->presents = true;
        memcpy(prober->out->serial, leaf.serial, sizeof prober->out->serial);
    }
    enum ekb_err err = ekb_tls_config_create(&config, &tls, reterr_fail);
    if (err == EKB_OK) {
        const struct ekb_visit_options wish = {.target = options->target,
                                               .config = config,
                                               .deadline_ns = options->deadline_ns,
                                               .settle_ns = SETTLE_NS};
        prober->out->visited = true;
        err = ekb_visit_make(&prober->out->visit, &wish, reterr_fail);
    }
    ekb_tls_config_destroy(config);
    return err;
}

enum ekb_err ekb_peer_probe_make(struct ekb_peer_probe *out_probe,
                                 const struct ekb_peer_probe_options *options,
                                 struct ekb_fail *reterr_fail)
{
    struct prober prober = {.options = options, .out = out_probe};
    const bool ecdsa_first = ekb_release_rules(options->release)->prefers_ecdsa;
    *out_probe = (struct ekb_peer_probe){.has_kind = false};
    enum ekb_err err =
        ekb_store_load(&prober.store, options->store, EKB_STORE_NEED_TRUST, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_peer_probe_look(&out_probe->look, options, ekb_outbound_preferences(ecdsa_first),
                                  reterr_fail);
    }
    if (err == EKB_OK && out_probe->look.peer != NULL && ekb_chain_len(out_probe->look.peer) > 0) {
        out_probe->has_kind = true;
        out_probe->kind = is_rsa(out_probe->look.peer) ? EKB_PROBE_RSA : EKB_PROBE_ECDSA;
        for (int kind = 0; kind < EKB_PROBE_NUM_KINDS && err == EKB_OK; kind++) {
            err = look_for(&prober, (enum ekb_probe_kind)kind, reterr_fail);
        }
        if (err == EKB_OK) {
            err = visit(&prober, reterr_fail);
        }
    }
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

bool ekb_peer_probe_kind_of(enum ekb_probe_kind *out_kind, const struct ekb_peer_probe *probe,
                            enum ekb_release release)
{
    const bool ecdsa_first = ekb_release_rules(release)->prefers_ecdsa;
    const enum ekb_probe_kind first = ecdsa_first ? EKB_PROBE_ECDSA : EKB_PROBE_RSA;
    const enum ekb_probe_kind other = ecdsa_first ? EKB_PROBE_RSA : EKB_PROBE_ECDSA;
    *out_kind = probe->chains[first] != NULL ? first : other;
    return probe->chains[*out_kind] != NULL;
}
