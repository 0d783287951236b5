// What `ekubench pki mint` does once its words are understood: a dual store and, if they are
// wanted, many client identities and clients to be rejected beside it.

#ifndef EKUBENCH_SRC_CLI_MINT_H
#define EKUBENCH_SRC_CLI_MINT_H

#include "ekubench/base/err.h"
#include "ekubench/pki/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_MINT_MAX_NAMES 16

// The folder beside the store that has a store for each kind of client to be rejected.
#define EKB_MINT_REJECTS_FOLDER "rejects"

struct ekb_mint_request {
    const char *directory;
    enum ekb_key_type key_type;
    unsigned server_eku;
    unsigned client_eku;
    unsigned depth;
    uint64_t validity_ns;
    const char *dns_names[EKB_MINT_MAX_NAMES];
    size_t num_dns_names;
    const char *ip_addresses[EKB_MINT_MAX_NAMES];
    size_t num_ip_addresses;
    size_t num_clients; // Identities beside the store's own.
    bool rejects;
};

// ekb_mint_run mints and writes, says what it has written, and returns the exit status. A signal
// ends it between two client identities.
int ekb_mint_run(const struct ekb_mint_request *request);

#endif
