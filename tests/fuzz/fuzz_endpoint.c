// Wire bytes into both roles of the TLS endpoint: whatever a peer sends ends in a state and a
// stable code. The first byte chooses the role and how the rest is cut into pieces.

#include "ekubench/pki/hierarchy.h"
#include "ekubench/tls/endpoint.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

static struct ekb_tls_config *configs[2]; // By role.
static struct ekb_endpoint *endpoint;

static void must(enum ekb_err err)
{
    if (err != EKB_OK) {
        abort();
    }
}

static void prepare(void)
{
    struct ekb_hierarchy *hierarchy = NULL;
    struct ekb_identity identity = {0};
    const struct ekb_mint_leaf spec = {.common_name = "fuzz",
                                       .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
    must(ekb_hierarchy_create(&hierarchy, EKB_KEY_P256, 1577836800, 2524607999, NULL));
    must(ekb_hierarchy_issue(&identity.chain, &identity.key, hierarchy, 1, &spec, NULL));
    for (int role = 0; role < 2; role++) {
        const struct ekb_tls_options options = {.role = (enum ekb_role)role,
                                                .version = EKB_TLS_ANY,
                                                .identity = &identity,
                                                .trust = ekb_hierarchy_root(hierarchy),
                                                .policy = ekb_policy_default()};
        must(ekb_tls_config_create(&configs[role], &options, NULL));
    }
    must(ekb_endpoint_create(&endpoint));
    ekb_chain_destroy(identity.chain);
    ekb_key_destroy(identity.key);
    ekb_hierarchy_destroy(hierarchy);
}

static void send_all(void)
{
    size_t wire_len;
    while (ekb_endpoint_pending(endpoint, &wire_len) != NULL) {
        ekb_endpoint_sent(endpoint, wire_len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
    if (endpoint == NULL) {
        prepare();
    }
    if (data_len < 1) {
        return 0;
    }
    const size_t piece_len = (size_t)(data[0] >> 1) + 1;
    ekb_endpoint_start(endpoint, configs[data[0] & 1]);
    send_all();
    for (size_t begin = 1; begin < data_len; begin += piece_len) {
        const size_t left = data_len - begin;
        const enum ekb_err err =
            ekb_endpoint_feed(endpoint, data + begin, left < piece_len ? left : piece_len);
        EKB_CHECK(err == ekb_endpoint_error(endpoint));
        EKB_CHECK((err != EKB_OK) == (ekb_endpoint_state(endpoint) == EKB_ENDPOINT_FAILED));
        send_all();
    }
    // Nobody who does not hold a key gets this far.
    EKB_CHECK(ekb_endpoint_state(endpoint) != EKB_ENDPOINT_READY);
    ekb_endpoint_stop(endpoint);
    return 0;
}
