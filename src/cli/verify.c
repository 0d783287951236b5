#include "cli/cli.h"

#include "ekubench/base/units.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/verify.h"
#include "ekubench/tls/alert.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MAX_FILES 64

struct files {
    const char *paths[MAX_FILES];
    size_t num_paths;
};

struct arguments {
    struct files certificates; // The first has the leaf.
    struct files trust;
    const char *crl;
    struct ekb_verify_options options;
    int64_t at;
    enum ekb_cli_format format;
};

enum {
    OPTION_EKU_ABSENT = 256,
    OPTION_NAME,
    OPTION_AT,
    OPTION_CRL,
    OPTION_DEPTH,
    OPTION_PARTIAL_CHAIN,
    OPTION_JSON,
};

static void add_file(struct files *files, const char *path, struct argp_state *state)
{
    if (files->num_paths == MAX_FILES) {
        ekb_cli_refuse(state, "at most %d files of a kind", MAX_FILES);
    }
    files->paths[files->num_paths++] = path;
}

// The peer's role decides what it is verified for; docs/domain.md section 3 has the modes.
static void parse_purpose(enum ekb_eku_mode *out_mode, const char *text, struct argp_state *state)
{
    if (strcmp(text, "client") == 0) {
        *out_mode = EKB_EKU_ON;
    } else if (strcmp(text, "server") == 0) {
        *out_mode = EKB_EKU_OFF;
    } else if (strcmp(text, "none") == 0) {
        *out_mode = EKB_EKU_NONE;
    } else {
        ekb_cli_refuse(state, "--purpose %s: client, server or none is wanted", text);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ekb_policy *policy = &arguments->options.policy;
    uint64_t count = 0;
    switch (key) {
    case 'c':
        add_file(&arguments->certificates, text, state);
        return 0;
    case 't':
        add_file(&arguments->trust, text, state);
        return 0;
    case 'p':
        parse_purpose(&policy->eku, text, state);
        return 0;
    case OPTION_EKU_ABSENT:
        if (ekb_eku_absent_parse(&policy->eku_absent, text) != EKB_OK) {
            ekb_cli_refuse(state, "--eku-absent %s: accept or reject is wanted", text);
        }
        return 0;
    case OPTION_NAME:
        if (ekb_name_parse(&policy->name, text) != EKB_OK) {
            ekb_cli_refuse(
                state, "--name %s: a DNS name, an IP address or an e-mail address is wanted", text);
        }
        return 0;
    case OPTION_AT:
        ekb_cli_parse_time(&arguments->at, text, state);
        arguments->options.at = &arguments->at;
        return 0;
    case OPTION_CRL:
        if (arguments->crl != NULL) {
            ekb_cli_refuse(state, "--crl is given twice; one file may hold many CRLs");
        }
        arguments->crl = text;
        return 0;
    case OPTION_DEPTH:
        if (ekb_units_parse_count(&count, text, 1, 100) != EKB_OK) {
            ekb_cli_refuse(state, "--depth %s: a number from 1 to 100 is wanted", text);
        }
        policy->max_depth = (unsigned)count;
        return 0;
    case OPTION_PARTIAL_CHAIN:
        arguments->options.anchor = EKB_ANCHOR_LISTED;
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        return 0;
    case ARGP_KEY_END:
        if (arguments->certificates.num_paths == 0) {
            ekb_cli_refuse(state, "--cert FILE is wanted");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"cert", 'c', "FILE", 0,
     "The chain: the leaf first, then intermediates in any order; may be repeated", 0},
    {"trust", 't', "FILE", 0, "Trusted CA list; may be repeated (without one, nothing is accepted)",
     0},
    {"purpose", 'p', "PURPOSE", 0,
     "What it is verified for: client (EKU checking on, the default), server (off), or none", 0},
    {"eku-absent", OPTION_EKU_ABSENT, "accept|reject", 0,
     "A leaf without extended key usage (default accept: it permits every usage)", 0},
    {"name", OPTION_NAME, "NAME", 0, "DNS name, IP address or e-mail address that it must have", 0},
    {"at", OPTION_AT, "TIME", 0, "Verify as of then (default now)", 0},
    {"crl", OPTION_CRL, "FILE", 0,
     "CRLs; every certificate of the chain then needs one from its issuer", 0},
    {"depth", OPTION_DEPTH, "N", 0,
     "Certificates above the leaf at most, the root included (default 32)", 0},
    {"partial-chain", OPTION_PARTIAL_CHAIN, NULL, 0,
     "Any certificate of the trusted CA list may end the chain, not self-signed ones alone", 0},
    {"json", OPTION_JSON, NULL, 0, "Print the verdict as JSON", 0},
    {0},
};

static const char doc[] =
    "Say what certificate verification says of a chain, as `ekubench serve` would judge it. Files "
    "are PEM, or one certificate in DER.\v"
    "A handshake asks one thing more, the key usage digitalSignature (if the leaf has key usage): "
    "a "
    "chain that is accepted without it gets a note on standard error.\n\n"
    "Exit status: 0 accepted; 1 rejected; 2 wrong usage or unreadable input.\n\nExamples:\n"
    "  ekubench verify --cert store/client.pem --trust store/ca.pem\n"
    "  ekubench verify -c client.pem -t ca.pem --purpose server \\\n"
    "      --name host.example --at 2026-06-15";

static enum ekb_err read_files(struct ekb_chain **out_chain, const struct files *files,
                               unsigned accept, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    struct ekb_chain *all = ekb_chain_create();
    if (all == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "certificates");
    }
    for (size_t i = 0; i < files->num_paths && err == EKB_OK; i++) {
        struct ekb_chain *part = NULL;
        err = ekb_chain_read(&part, files->paths[i], accept, reterr_fail);
        for (size_t j = 0; err == EKB_OK && j < ekb_chain_len(part); j++) {
            err = ekb_chain_append(all, part, j);
        }
        ekb_chain_destroy(part);
    }
    if (err != EKB_OK) {
        ekb_chain_destroy(all);
        return err;
    }
    *out_chain = all;
    return EKB_OK;
}

static void print_text(const struct ekb_verify_outcome *outcome)
{
    if (outcome->err == EKB_OK) {
        (void)printf("accepted\nchain        %zu certificates\n", outcome->chain_len);
        return;
    }
    (void)printf("rejected: %s\ncode         %s\n", ekb_err_sentence(outcome->err),
                 ekb_err_name(outcome->err));
    if (outcome->depth >= 0) {
        (void)printf("depth        %d\n", outcome->depth);
    }
    if (outcome->subject[0] != '\0') {
        (void)printf("certificate  %s\n", outcome->subject);
    }
    (void)printf("alert        %s (%d)\n", ekb_alert_name(outcome->alert), outcome->alert);
}

static int print_json(const struct ekb_verify_outcome *outcome)
{
    const bool accepted = outcome->err == EKB_OK;
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:i, s:s?, s:s?, s:i}", "verdict",
                  accepted ? "accepted" : "rejected", "code", ekb_err_name(outcome->err), "reason",
                  ekb_err_sentence(outcome->err), "library_result", outcome->library_result,
                  "certificate", outcome->subject[0] != '\0' ? outcome->subject : NULL, "alert",
                  accepted ? NULL : ekb_alert_name(outcome->alert), "chain_certificates",
                  (int)outcome->chain_len);
    if (object != NULL) {
        (void)json_object_set_new(object, "depth",
                                  outcome->depth >= 0 ? json_integer(outcome->depth) : json_null());
    }
    return ekb_cli_print_json(object);
}

static enum ekb_err verify(struct ekb_verify_outcome *out_outcome, struct arguments *arguments,
                           struct ekb_fail *reterr_fail)
{
    struct ekb_chain *chain = NULL;
    struct ekb_chain *trust = NULL;
    struct ekb_crls *crls = NULL;
    struct ekb_verifier *verifier = NULL;
    const unsigned accept = EKB_CHAIN_DER | EKB_CHAIN_TRUST_SETTINGS;
    enum ekb_err err = read_files(&chain, &arguments->certificates, accept, reterr_fail);
    if (err == EKB_OK) {
        err = read_files(&trust, &arguments->trust, accept, reterr_fail);
    }
    if (err == EKB_OK && arguments->crl != NULL) {
        err = ekb_crls_read(&crls, arguments->crl, reterr_fail);
    }
    if (err == EKB_OK) {
        arguments->options.trust = trust;
        arguments->options.crls = crls;
        err = ekb_verifier_create(&verifier, &arguments->options, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_verifier_check(verifier, chain, out_outcome, reterr_fail);
    }
    ekb_verifier_destroy(verifier);
    ekb_crls_destroy(crls);
    ekb_chain_destroy(trust);
    ekb_chain_destroy(chain);
    return err;
}

const struct argp ekb_cli_verify_argp = {.options = options, .parser = parse, .doc = doc};

int ekb_cli_verify(int argc, char **argv)
{
    struct arguments arguments = {.options = {.policy = ekb_policy_default()}};
    struct ekb_verify_outcome outcome;
    struct ekb_fail fail;
    int status = EKB_EXIT_OK;

    ekb_cli_parse(&ekb_cli_verify_argp, argc, argv, &arguments);
    if (verify(&outcome, &arguments, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    if (arguments.format == EKB_CLI_JSON) {
        status = print_json(&outcome);
    } else {
        print_text(&outcome);
    }
    if (outcome.err == EKB_OK && !outcome.may_sign) {
        ekb_cli_say(
            "note: the key usage of the leaf lacks digitalSignature: in a TLS handshake it is "
            "rejected (%s)",
            ekb_err_sentence(EKB_VERIFY_PURPOSE));
    }
    return status == EKB_EXIT_OK && outcome.err != EKB_OK ? EKB_EXIT_GATE : status;
}
