#include "ekubench/store/release.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SERVER EKB_EKU_SERVER_AUTH
#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)

static const struct {
    unsigned major;
    unsigned minor; // The first version that it covers.
    struct ekb_release_rules rules;
} releases[] = {
    [EKB_RELEASE_X14_1] = {0,
                           0,
                           {.name = "X14.1",
                            .covers = "up to X14.1",
                            .server_needs = BOTH,
                            .outbound = EKB_OUTBOUND_DISCOVERY,
                            .cluster_mode = EKB_EKU_ON,
                            .signature_needs = BOTH}},
    [EKB_RELEASE_X14_2] = {14,
                           2,
                           {.name = "X14.2",
                            .covers = "X14.2 to X15.3",
                            .server_needs = BOTH,
                            .outbound = EKB_OUTBOUND_ALWAYS,
                            .prefers_ecdsa = true,
                            .cluster_mode = EKB_EKU_ON,
                            .signature_needs = BOTH}},
    [EKB_RELEASE_X15_4] = {15,
                           4,
                           {.name = "X15.4",
                            .covers = "X15.4",
                            .server_needs = BOTH,
                            .has_upload_switch = true,
                            .server_needs_switched = SERVER,
                            .outbound = EKB_OUTBOUND_ALWAYS,
                            .prefers_ecdsa = true,
                            .cluster_mode = EKB_EKU_NONE,
                            .signature_needs = SERVER}},
    [EKB_RELEASE_X15_5] = {15,
                           5,
                           {.name = "X15.5",
                            .covers = "X15.5 and later",
                            .two_stores = true,
                            .server_needs = SERVER,
                            .has_mode_switch = true,
                            .outbound = EKB_OUTBOUND_ALWAYS,
                            .prefers_ecdsa = true,
                            .cluster_mode = EKB_EKU_NONE,
                            .signature_needs = SERVER}},
};

const struct ekb_release_rules *ekb_release_rules(enum ekb_release release)
{
    return &releases[release].rules;
}

// take_number reads digits, at most four.
static bool take_number(unsigned *out_number, const char **text)
{
    const char *begin = *text;
    *out_number = 0;
    while (isdigit((unsigned char)**text) && *text - begin < 4) {
        *out_number = *out_number * 10 + (unsigned)(**text - '0');
        (*text)++;
    }
    return *text > begin;
}

enum ekb_err ekb_release_parse(enum ekb_release *out_release, const char *text)
{
    unsigned number[3] = {0};
    size_t num = 0;
    if (*text == 'X' || *text == 'x') {
        text++;
    }
    do {
        if (num == 3 || !take_number(&number[num++], &text)) {
            return EKB_USAGE;
        }
    } while (*text++ == '.');
    if (text[-1] != '\0' || num < 2) {
        return EKB_USAGE;
    }
    size_t row = EKB_RELEASE_NUM - 1;
    while (number[0] < releases[row].major ||
           (number[0] == releases[row].major && number[1] < releases[row].minor)) {
        row--;
    }
    *out_release = (enum ekb_release)row;
    return EKB_OK;
}

static const char *const kinds[] = {"core", "edge", "far"};

const char *ekb_node_kind_name(enum ekb_node_kind kind)
{
    return kinds[kind];
}

enum ekb_err ekb_node_kind_parse(enum ekb_node_kind *out_kind, const char *text)
{
    for (unsigned i = 0; i < EKB_NODE_NUM_KINDS; i++) {
        if (strcmp(text, kinds[i]) == 0) {
            *out_kind = (enum ekb_node_kind)i;
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

enum ekb_eku_mode ekb_release_mode(const struct ekb_release_node *node)
{
    return node->kind == EKB_NODE_FAR || releases[node->release].rules.has_mode_switch ? node->mode
                                                                                       : EKB_EKU_ON;
}

unsigned ekb_release_gate(const struct ekb_release_node *node, enum ekb_store_side side)
{
    const struct ekb_release_rules *rules = &releases[node->release].rules;
    if (node->kind == EKB_NODE_FAR) { // Its administrators' business.
        return 0;
    }
    if (side == EKB_STORE_CLIENT && rules->two_stores) {
        return EKB_EKU_CLIENT_AUTH;
    }
    return rules->has_upload_switch && node->kind == EKB_NODE_EDGE && node->server_eku_upload
               ? rules->server_needs_switched
               : rules->server_needs;
}

enum ekb_store_side ekb_release_client_side(const struct ekb_release_node *node)
{
    return node->kind == EKB_NODE_FAR || releases[node->release].rules.two_stores
               ? EKB_STORE_CLIENT
               : EKB_STORE_SERVER;
}
