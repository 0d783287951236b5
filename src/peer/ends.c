#include "ekubench/peer/ends.h"

#include "ekubench/peer/memory.h"
#include "ekubench/store/store.h"

static enum ekb_err make(struct ekb_tls_config **out_config, const char *store_path,
                         struct ekb_tls_options *tls, struct ekb_fail *reterr_fail)
{
    const bool is_server = tls->role == EKB_ROLE_SERVER;
    struct ekb_store *store = NULL;
    enum ekb_err err = ekb_store_load(
        &store, store_path,
        EKB_STORE_NEED_TRUST | (is_server ? EKB_STORE_NEED_SERVER : EKB_STORE_NEED_CLIENT),
        reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    tls->identity = ekb_store_identity(store, is_server ? EKB_STORE_SERVER : EKB_STORE_CLIENT);
    tls->trust = ekb_store_trust(store);
    tls->crls = is_server && tls->policy.crl != EKB_CRL_OFF ? ekb_store_crls(store) : NULL;
    err = ekb_tls_config_create(out_config, tls, reterr_fail);
    ekb_store_destroy(store);
    return err;
}

enum ekb_err ekb_ends_make_server(struct ekb_tls_config **out_config,
                                  const struct ekb_ends_spec *spec, struct ekb_fail *reterr_fail)
{
    struct ekb_tls_options tls = {.role = EKB_ROLE_SERVER,
                                  .version = spec->version,
                                  .preferences = spec->preferences,
                                  .policy = spec->policy};
    return make(out_config, spec->server_store, &tls, reterr_fail);
}

enum ekb_err ekb_ends_make_client(struct ekb_tls_config **out_config,
                                  const struct ekb_ends_spec *spec, struct ekb_fail *reterr_fail)
{
    struct ekb_tls_options tls = {.role = EKB_ROLE_CLIENT,
                                  .version = spec->version,
                                  .preferences = spec->preferences,
                                  .policy = ekb_policy_default()};
    if (spec->cheap_client) {
        tls.policy.verify = EKB_VERIFY_RAW;
    }
    return make(out_config, spec->client_store, &tls, reterr_fail);
}

static enum ekb_err record(struct ekb_flights *out_flights, const struct ekb_tls_config *client,
                           const struct ekb_tls_config *server)
{
    const struct ekb_clock clock = ekb_clock_monotonic();
    struct ekb_memory_outcome outcome;
    struct ekb_memory_pair *pair = NULL;
    if (ekb_memory_pair_create(&pair) != EKB_OK) {
        return EKB_NOMEM;
    }
    ekb_memory_handshake(pair, &outcome, client, server, &clock);
    ekb_memory_pair_destroy(pair);
    const enum ekb_err err = outcome.client_err != EKB_OK ? outcome.client_err : outcome.server_err;
    if (err == EKB_OK) {
        *out_flights = outcome.flights;
    }
    return err;
}

enum ekb_err ekb_flights_record(struct ekb_flights *out_flights, const struct ekb_ends_spec *spec,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_tls_config *client = NULL;
    struct ekb_tls_config *server = NULL;
    enum ekb_err err = ekb_ends_make_client(&client, spec, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_ends_make_server(&server, spec, reterr_fail);
    }
    if (err == EKB_OK) {
        err = record(out_flights, client, server);
        if (err != EKB_OK) {
            (void)ekb_fail_set(reterr_fail, err, 0, "a handshake in memory");
        }
    }
    ekb_tls_config_destroy(server);
    ekb_tls_config_destroy(client);
    return err;
}
