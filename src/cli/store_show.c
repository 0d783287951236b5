#include "cli/store.h"

#include "cli/describe.h"

#include "ekubench/base/units.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/admin.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const side_names[EKB_STORE_NUM_SIDES] = {
    [EKB_STORE_SERVER] = "server", [EKB_STORE_CLIENT] = "client"};

// Text.

// A pending signing request; `fail` says why there is no description.
struct request {
    struct ekb_csr_description description;
    struct ekb_fail fail;
};

static void read_request(struct request *request, const char *path, enum ekb_store_side side)
{
    char *pem = NULL;
    *request = (struct request){.fail = {.err = EKB_OK}};
    enum ekb_err err = ekb_admin_csr_read(&pem, path, side, &request->fail);
    if (err == EKB_OK) {
        err = ekb_csr_describe(&request->description, pem, &request->fail);
    }
    (void)err; // It is in `fail`.
    free(pem);
}

static void print_request(const struct request *request)
{
    char text[512];
    if (request->fail.err == EKB_OK) {
        char *names = ekb_texts_join(&request->description.names, ", ");
        const bool named = names != NULL && names[0] != '\0';
        (void)printf("  request     in progress: %s%s%s\n", request->description.subject,
                     named ? ", " : "", named ? names : "");
        free(names);
        return;
    }
    ekb_fail_text(text, sizeof text, &request->fail);
    (void)printf("  request     %s\n", text);
}

// nothing_of says what a part is of which nothing is there.
static const char *nothing_of(const struct ekb_store *store, enum ekb_store_part part)
{
    return ekb_store_fault(store, part)->err == EKB_OK ? "empty" : "cannot be read";
}

static void print_side(const struct ekb_store *store, enum ekb_store_side side,
                       const struct request *request)
{
    const struct ekb_chain *chain = ekb_store_identity(store, side)->chain;
    (void)printf("%s store\n", side == EKB_STORE_SERVER ? "Server" : "Client");
    if (chain == NULL) {
        (void)printf("  %s\n", nothing_of(store, (enum ekb_store_part)side));
    } else {
        ekb_cli_print_description(chain, 0);
        (void)printf("  chain       %zu certificate%s\n", ekb_chain_len(chain),
                     ekb_chain_len(chain) == 1 ? "" : "s");
    }
    print_request(request);
    (void)printf("\n");
}

static void print_trust(const struct ekb_store *store)
{
    const struct ekb_chain *trust = ekb_store_trust(store);
    const size_t len = trust != NULL ? ekb_chain_len(trust) : 0;
    if (ekb_store_fault(store, EKB_STORE_PART_TRUST)->err != EKB_OK) {
        (void)printf("Trusted CA list: %s\n", nothing_of(store, EKB_STORE_PART_TRUST));
        return;
    }
    (void)printf("Trusted CA list: %zu certificate%s\n", len, len == 1 ? "" : "s");
    for (size_t i = 0; i < len; i++) {
        struct ekb_description description;
        char until[EKB_UNITS_TEXT_LEN];
        ekb_chain_describe(&description, trust, i);
        (void)printf("  %s  until %s  %s\n    issuer %s\n", description.serial,
                     ekb_units_format_time(until, description.not_after), description.subject,
                     description.issuer);
    }
}

// PEM: what `openssl` and the like read.

static int print_chain_pem(const struct ekb_chain *chain)
{
    char *text = chain != NULL ? ekb_chain_to_pem(chain) : NULL;
    if (chain != NULL && text == NULL) {
        ekb_cli_say("out of memory");
        return EKB_EXIT_ENVIRONMENT;
    }
    (void)fputs(text != NULL ? text : "", stdout);
    free(text);
    return EKB_EXIT_OK;
}

// JSON.

static json_t *chain_json(const struct ekb_chain *chain)
{
    json_t *list = json_array();
    for (size_t i = 0; chain != NULL && i < ekb_chain_len(chain); i++) {
        (void)json_array_append_new(list, ekb_cli_description_json(chain, i));
    }
    return list;
}

// request_json takes the request's names.
static json_t *request_json(struct request *request)
{
    char text[512];
    if (request->fail.err == EKB_NOT_FOUND) {
        return json_null();
    }
    if (request->fail.err != EKB_OK) {
        ekb_fail_text(text, sizeof text, &request->fail);
        return json_pack("{s:s}", "error", text);
    }
    return json_pack("{s:s, s:o}", "subject", request->description.subject, "names",
                     ekb_cli_texts_json(&request->description.names));
}

// Faults: a line each, and in JSON an object each.

static void warn_of_faults(const struct ekb_store *store)
{
    for (int part = 0; part < EKB_STORE_NUM_PARTS; part++) {
        ekb_store_warn(ekb_store_fault(store, (enum ekb_store_part)part));
    }
}

static json_t *faults_json(const struct ekb_store *store)
{
    static const char *const parts[EKB_STORE_NUM_PARTS] = {"server", "client", "trust", "crl"};
    json_t *list = json_array();
    for (int part = 0; part < EKB_STORE_NUM_PARTS; part++) {
        const struct ekb_fail *fault = ekb_store_fault(store, (enum ekb_store_part)part);
        char text[512];
        ekb_fail_text(text, sizeof text, fault);
        if (fault->err != EKB_OK) {
            (void)json_array_append_new(list,
                                        json_pack("{s:s, s:s, s:s}", "part", parts[part], "code",
                                                  ekb_err_name(fault->err), "text", text));
        }
    }
    return list;
}

void ekb_store_warn(const struct ekb_fail *fault)
{
    char text[512];
    if (fault->err != EKB_OK) {
        ekb_fail_text(text, sizeof text, fault);
        ekb_cli_say("warning: %s", text);
    }
}

// Parts of it.

static void show_text(const char *path, const struct ekb_store *store, unsigned parts)
{
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        struct request request;
        if ((parts & 1u << side) != 0) {
            read_request(&request, path, (enum ekb_store_side)side);
            print_side(store, (enum ekb_store_side)side, &request);
            ekb_csr_description_deinit(&request.description);
        }
    }
    if ((parts & EKB_STORE_NEED_TRUST) != 0) {
        print_trust(store);
    }
}

// show_pem: readers of PEM skip the lines that say what follows.
static int show_pem(const struct ekb_store *store, unsigned parts)
{
    static const char *const names[] = {"server", "client", "trust"};
    const struct ekb_chain *const chains[] = {ekb_store_identity(store, EKB_STORE_SERVER)->chain,
                                              ekb_store_identity(store, EKB_STORE_CLIENT)->chain,
                                              ekb_store_trust(store)};
    int status = EKB_EXIT_OK;
    for (size_t i = 0; i < 3 && status == EKB_EXIT_OK; i++) {
        if ((parts & 1u << i) == 0 || chains[i] == NULL || ekb_chain_len(chains[i]) == 0) {
            continue;
        }
        if (parts == EKB_STORE_ALL) {
            (void)printf("# %s\n", names[i]);
        }
        status = print_chain_pem(chains[i]);
    }
    return status;
}

static int show_json(const char *path, const struct ekb_store *store, unsigned parts)
{
    json_t *object = json_object();
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        const struct ekb_chain *chain = ekb_store_identity(store, (enum ekb_store_side)side)->chain;
        struct request request;
        if ((parts & 1u << side) == 0) {
            continue;
        }
        read_request(&request, path, (enum ekb_store_side)side);
        (void)json_object_set_new(
            object, side_names[side],
            json_pack("{s:o, s:o}", "chain", chain_json(chain), "request", request_json(&request)));
        ekb_csr_description_deinit(&request.description);
    }
    if ((parts & EKB_STORE_NEED_TRUST) != 0) {
        (void)json_object_set_new(object, "trust", chain_json(ekb_store_trust(store)));
    }
    (void)json_object_set_new(object, "faults", faults_json(store));
    return ekb_cli_print_json(object);
}

int ekb_store_show(const char *path, enum ekb_store_form form, unsigned parts)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail;
    int status = EKB_EXIT_OK;
    if (ekb_store_survey(&store, path, parts, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    warn_of_faults(store);
    switch (form) {
    case EKB_STORE_FORM_TEXT:
        show_text(path, store, parts);
        break;
    case EKB_STORE_FORM_PEM:
        status = show_pem(store, parts);
        break;
    case EKB_STORE_FORM_JSON:
        status = show_json(path, store, parts);
        break;
    }
    ekb_store_destroy(store);
    return status;
}

int ekb_store_show_trust(const char *path, enum ekb_store_form form)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail;
    int status = EKB_EXIT_OK;
    if (ekb_store_survey(&store, path, EKB_STORE_NEED_TRUST, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    if (ekb_store_fault(store, EKB_STORE_PART_TRUST)->err != EKB_OK) {
        status = ekb_cli_fail(ekb_store_fault(store, EKB_STORE_PART_TRUST));
    } else if (form == EKB_STORE_FORM_TEXT) {
        print_trust(store);
    } else if (form == EKB_STORE_FORM_PEM) {
        status = print_chain_pem(ekb_store_trust(store));
    } else {
        status = ekb_cli_print_json(chain_json(ekb_store_trust(store)));
    }
    ekb_store_destroy(store);
    return status;
}
