#include "cli/cli.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/store/change.h"
#include "ekubench/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_NAMES 16

struct arguments {
    const char *directory;
    enum ekb_key_type key_type;
    unsigned server_eku;
    unsigned client_eku;
    unsigned depth;
    uint64_t validity_ns;
    const char *dns_names[MAX_NAMES];
    size_t num_dns_names;
    const char *ip_addresses[MAX_NAMES];
    size_t num_ip_addresses;
};

enum {
    OPTION_SERVER_EKU = 256,
    OPTION_CLIENT_EKU,
    OPTION_VALIDITY,
    OPTION_DNS,
    OPTION_IP,
};

static void add_name(struct argp_state *state, const char **names, size_t *num_names,
                     const char *name)
{
    if (*num_names == MAX_NAMES) {
        ekb_cli_refuse(state, "at most %d names of a kind", MAX_NAMES);
    }
    names[(*num_names)++] = name;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    uint64_t count = 0;
    switch (key) {
    case 'k':
        if (ekb_key_type_parse(&arguments->key_type, text) != EKB_OK) {
            ekb_cli_refuse(state, "--key %s: " EKB_CLI_KEY_TYPES " is wanted", text);
        }
        return 0;
    case 'd':
        if (ekb_units_parse_count(&count, text, 1, EKB_MINT_MAX_DEPTH) != EKB_OK) {
            ekb_cli_refuse(state, "--depth %s: a number from 1 to %d is wanted", text,
                           EKB_MINT_MAX_DEPTH);
        }
        arguments->depth = (unsigned)count;
        return 0;
    case OPTION_SERVER_EKU:
        if (ekb_eku_parse(&arguments->server_eku, text) != EKB_OK) {
            ekb_cli_refuse(
                state, "--server-eku %s: serverAuth, clientAuth, codeSigning, any, both or none",
                text);
        }
        return 0;
    case OPTION_CLIENT_EKU:
        if (ekb_eku_parse(&arguments->client_eku, text) != EKB_OK) {
            ekb_cli_refuse(
                state, "--client-eku %s: serverAuth, clientAuth, codeSigning, any, both or none",
                text);
        }
        return 0;
    case OPTION_VALIDITY:
        if (ekb_units_parse_duration(&arguments->validity_ns, text) != EKB_OK ||
            arguments->validity_ns < EKB_NS_PER_S) {
            ekb_cli_refuse(state, "--validity %s: a duration such as 720h, at least 1s, is wanted",
                           text);
        }
        return 0;
    case OPTION_DNS:
        add_name(state, arguments->dns_names, &arguments->num_dns_names, text);
        return 0;
    case OPTION_IP:
        add_name(state, arguments->ip_addresses, &arguments->num_ip_addresses, text);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0 && strcmp(text, "mint") != 0) {
            ekb_cli_refuse(state, "unknown word \"%s\"; `ekubench pki mint DIR` mints", text);
        } else if (state->arg_num == 1) {
            arguments->directory = text;
        } else if (state->arg_num > 1) {
            ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        }
        return 0;
    case ARGP_KEY_END:
        if (arguments->directory == NULL) {
            ekb_cli_refuse(state, "a directory for the store is wanted: `ekubench pki mint DIR`");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"key", 'k', "TYPE", 0, EKB_CLI_KEY_TYPES " (default p256)", 0},
    {"depth", 'd', "N", 0,
     "Certificates above the leaf: 1 (default) = signed by the root, up to 10", 0},
    {"server-eku", OPTION_SERVER_EKU, "SET", 0,
     "EKUs of the server certificate (default serverAuth)", 0},
    {"client-eku", OPTION_CLIENT_EKU, "SET", 0,
     "EKUs of the client certificate (default clientAuth): serverAuth, clientAuth, codeSigning, "
     "any, "
     "joined by commas; both; none = no extension",
     0},
    {"validity", OPTION_VALIDITY, "TIME", 0, "How long the certificates live (default 720h)", 0},
    {"dns", OPTION_DNS, "NAME", 0,
     "dNSName of the server certificate (default localhost); may be repeated", 0},
    {"ip", OPTION_IP, "ADDRESS", 0, "iPAddress of it (default 127.0.0.1); may be repeated", 0},
    {0},
};

static const char doc[] =
    "Mint a CA hierarchy and a server and a client certificate, written to DIR as a dual store: "
    "server.pem, "
    "privkey.pem, client.pem, clientprivkey.pem, ca.pem. The CAs' keys are not kept.\v"
    "An existing store in DIR is not overwritten.\n\nExamples:\n"
    "  ekubench pki mint store\n"
    "  ekubench pki mint store --depth 3 --client-eku serverAuth --key rsa2048";

// What is minted, before any of it is written.
struct minted {
    struct ekb_hierarchy *hierarchy;
    struct ekb_identity identities[EKB_STORE_NUM_SIDES];
};

static void minted_deinit(struct minted *minted)
{
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        ekb_chain_destroy(minted->identities[side].chain);
        ekb_key_destroy(minted->identities[side].key);
    }
    ekb_hierarchy_destroy(minted->hierarchy);
}

static enum ekb_err mint_side(struct minted *minted, const struct arguments *arguments,
                              enum ekb_store_side side, struct ekb_fail *reterr_fail)
{
    const bool is_server = side == EKB_STORE_SERVER;
    const struct ekb_mint_leaf spec = {
        .common_name = is_server ? arguments->dns_names[0] : "ekubench client",
        .eku = is_server ? arguments->server_eku : arguments->client_eku,
        .dns_names = arguments->dns_names,
        .num_dns_names = is_server ? arguments->num_dns_names : 0,
        .ip_addresses = arguments->ip_addresses,
        .num_ip_addresses = is_server ? arguments->num_ip_addresses : 0,
    };
    return ekb_hierarchy_issue(&minted->identities[side].chain, &minted->identities[side].key,
                               minted->hierarchy, arguments->depth, &spec, reterr_fail);
}

static enum ekb_err mint(struct minted *minted, const struct arguments *arguments,
                         struct ekb_fail *reterr_fail)
{
    const int64_t not_before = (int64_t)time(NULL) - 3600;
    const int64_t not_after = not_before + 3600 + (int64_t)(arguments->validity_ns / EKB_NS_PER_S);
    enum ekb_err err = ekb_hierarchy_create(&minted->hierarchy, arguments->key_type, not_before,
                                            not_after, reterr_fail);
    for (int side = 0; side < EKB_STORE_NUM_SIDES && err == EKB_OK; side++) {
        err = mint_side(minted, arguments, (enum ekb_store_side)side, reterr_fail);
    }
    return err;
}

static enum ekb_err write_store(const char *directory, const struct minted *minted,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_change *change = NULL;
    enum ekb_err err = ekb_change_begin(&change, directory, reterr_fail);
    for (int side = 0; side < EKB_STORE_NUM_SIDES && err == EKB_OK; side++) {
        err = ekb_change_put_identity(change, (enum ekb_store_side)side, &minted->identities[side],
                                      reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_put_trust(change, ekb_hierarchy_root(minted->hierarchy), reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    return err;
}

static enum ekb_err refuse_existing(const char *directory, struct ekb_fail *reterr_fail)
{
    const enum ekb_err err = ekb_store_find(directory, reterr_fail);
    if (err != EKB_OK) {
        return err == EKB_NOT_FOUND ? EKB_OK : err;
    }
    return ekb_fail_say(reterr_fail, EKB_EXISTS,
                        "%s holds a store; choose another directory or remove it", directory);
}

int ekb_cli_pki(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "mint DIR", .doc = doc};
    struct arguments arguments = {.key_type = EKB_KEY_P256,
                                  .server_eku = EKB_EKU_SERVER_AUTH,
                                  .client_eku = EKB_EKU_CLIENT_AUTH,
                                  .depth = 1,
                                  .validity_ns = UINT64_C(720) * 3600 * EKB_NS_PER_S};
    struct minted minted = {0};
    struct ekb_fail fail = {0};

    ekb_cli_parse(&argp, argc, argv, &arguments);
    if (arguments.num_dns_names == 0) {
        arguments.dns_names[arguments.num_dns_names++] = "localhost";
    }
    if (arguments.num_ip_addresses == 0) {
        arguments.ip_addresses[arguments.num_ip_addresses++] = "127.0.0.1";
    }
    enum ekb_err err = refuse_existing(arguments.directory, &fail);
    if (err == EKB_OK) {
        err = mint(&minted, &arguments, &fail);
    }
    if (err == EKB_OK) {
        err = write_store(arguments.directory, &minted, &fail);
    }
    minted_deinit(&minted);
    if (err != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    (void)printf("%s: server, client and trusted CA list written, depth %u, %s\n",
                 arguments.directory, arguments.depth, ekb_key_type_name(arguments.key_type));
    return EKB_EXIT_OK;
}
