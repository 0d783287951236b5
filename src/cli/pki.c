#include "cli/cli.h"
#include "cli/mint.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/key.h"
#include "ekubench/pki/mint.h"
#include "ekubench/store/identities.h"

#include <string.h>

enum {
    OPTION_SERVER_EKU = 256,
    OPTION_CLIENT_EKU,
    OPTION_VALIDITY,
    OPTION_DNS,
    OPTION_IP,
    OPTION_COUNT,
    OPTION_REJECTS,
};

static void add_name(struct argp_state *state, const char **names, size_t *num_names,
                     const char *name)
{
    if (*num_names == EKB_MINT_MAX_NAMES) {
        ekb_cli_refuse(state, "at most %d names of a kind", EKB_MINT_MAX_NAMES);
    }
    names[(*num_names)++] = name;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct ekb_mint_request *request = state->input;
    uint64_t count = 0;
    switch (key) {
    case 'k':
        if (ekb_key_type_parse(&request->key_type, text) != EKB_OK) {
            ekb_cli_refuse(state, "--key %s: " EKB_CLI_KEY_TYPES " is wanted", text);
        }
        return 0;
    case 'd':
        if (ekb_units_parse_count(&count, text, 1, EKB_MINT_MAX_DEPTH) != EKB_OK) {
            ekb_cli_refuse(state, "--depth %s: a number from 1 to %d is wanted", text,
                           EKB_MINT_MAX_DEPTH);
        }
        request->depth = (unsigned)count;
        return 0;
    case OPTION_SERVER_EKU:
        if (ekb_eku_parse(&request->server_eku, text) != EKB_OK) {
            ekb_cli_refuse(
                state, "--server-eku %s: serverAuth, clientAuth, codeSigning, any, both or none",
                text);
        }
        return 0;
    case OPTION_CLIENT_EKU:
        if (ekb_eku_parse(&request->client_eku, text) != EKB_OK) {
            ekb_cli_refuse(
                state, "--client-eku %s: serverAuth, clientAuth, codeSigning, any, both or none",
                text);
        }
        return 0;
    case OPTION_VALIDITY:
        if (ekb_units_parse_duration(&request->validity_ns, text) != EKB_OK ||
            request->validity_ns < EKB_NS_PER_S) {
            ekb_cli_refuse(
                state, "--validity %s: a time such as 30d or 12h, at least 1s, is wanted", text);
        }
        return 0;
    case OPTION_DNS:
        add_name(state, request->dns_names, &request->num_dns_names, text);
        return 0;
    case OPTION_IP:
        add_name(state, request->ip_addresses, &request->num_ip_addresses, text);
        return 0;
    case OPTION_COUNT:
        if (ekb_units_parse_count(&count, text, 1, EKB_IDENTITIES_MAX) != EKB_OK) {
            ekb_cli_refuse(state, "--count %s: a number of clients from 1 to %d is wanted", text,
                           EKB_IDENTITIES_MAX);
        }
        request->num_clients = (size_t)count;
        return 0;
    case OPTION_REJECTS:
        request->rejects = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0 && strcmp(text, "mint") != 0) {
            ekb_cli_refuse(state, "unknown word \"%s\"; `ekubench pki mint DIR` mints", text);
        } else if (state->arg_num == 1) {
            request->directory = text;
        } else if (state->arg_num > 1) {
            ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        }
        return 0;
    case ARGP_KEY_END:
        if (request->directory == NULL) {
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
    {"validity", OPTION_VALIDITY, "TIME", 0, "How long the certificates live (default 30d)", 0},
    {"dns", OPTION_DNS, "NAME", 0,
     "dNSName of the server certificate (default localhost); may be repeated", 0},
    {"ip", OPTION_IP, "ADDRESS", 0,
     "iPAddress of the server certificate (default 127.0.0.1); may be repeated", 0},
    {"count", OPTION_COUNT, "N", 0,
     "Mint N client identities, too, distinct certificates of the same CA, each with its key in "
     "one "
     "file: DIR/clients/00001.pem, ...; up to 100000. Ctrl-C ends it after the one at hand",
     0},
    {"rejects", OPTION_REJECTS, NULL, 0,
     "Make, too, a store for each kind of client that a server is to reject, to load it with: "
     "DIR/rejects/wrong-eku (serverAuth alone), unknown-ca, expired, revoked; and into DIR the "
     "CRL, "
     "client-ca.crl, that lists the revoked one",
     0},
    {0},
};

static const char doc[] =
    "Mint a CA hierarchy and a server and a client certificate, written to DIR as a dual store: "
    "server.pem, "
    "privkey.pem, client.pem, clientprivkey.pem, ca.pem. The CAs' keys are not kept.\v"
    "An existing store in DIR is not overwritten, nor are clients or rejects.\n\nExamples:\n"
    "  ekubench pki mint store\n"
    "  ekubench pki mint store --depth 3 --client-eku serverAuth --key rsa2048\n"
    "  ekubench pki mint store --count 5000 --rejects\n"
    "  ekubench load 127.0.0.1:7001 --store store/rejects/expired --expect reject";

const struct argp ekb_cli_pki_argp = {
    .options = options, .parser = parse, .args_doc = "mint DIR", .doc = doc};

int ekb_cli_pki(int argc, char **argv)
{
    struct ekb_mint_request request = {.key_type = EKB_KEY_P256,
                                       .server_eku = EKB_EKU_SERVER_AUTH,
                                       .client_eku = EKB_EKU_CLIENT_AUTH,
                                       .depth = 1,
                                       .validity_ns = UINT64_C(720) * 3600 * EKB_NS_PER_S};

    ekb_cli_parse(&ekb_cli_pki_argp, argc, argv, &request);
    if (request.num_dns_names == 0) {
        request.dns_names[request.num_dns_names++] = "localhost";
    }
    if (request.num_ip_addresses == 0) {
        request.ip_addresses[request.num_ip_addresses++] = "127.0.0.1";
    }
    return ekb_mint_run(&request);
}
