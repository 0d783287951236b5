#include "ekubench/store/release.h"

#include <criterion/criterion.h>

#include <string.h>

#define SERVER EKB_EKU_SERVER_AUTH
#define CLIENT EKB_EKU_CLIENT_AUTH
#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)

TestSuite(release, .timeout = 10);

Test(release, is_found_by_any_version_that_it_covers)
{
    static const struct {
        const char *text;
        enum ekb_release release;
    } versions[] = {{"X8.11", EKB_RELEASE_X14_1}, {"X14.0.3", EKB_RELEASE_X14_1},
                    {"X14.1", EKB_RELEASE_X14_1}, {"X14.1.99", EKB_RELEASE_X14_1},
                    {"X14.2", EKB_RELEASE_X14_2}, {"x14.3.4", EKB_RELEASE_X14_2},
                    {"X15.0", EKB_RELEASE_X14_2}, {"15.3.2", EKB_RELEASE_X14_2},
                    {"X15.4", EKB_RELEASE_X15_4}, {"X15.4.1", EKB_RELEASE_X15_4},
                    {"X15.5", EKB_RELEASE_X15_5}, {"X15.10", EKB_RELEASE_X15_5},
                    {"X16.0", EKB_RELEASE_X15_5}};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        enum ekb_release release = EKB_RELEASE_NUM;
        cr_expect_eq(ekb_release_parse(&release, versions[i].text), EKB_OK, "%s", versions[i].text);
        cr_expect_eq(release, versions[i].release, "%s is %s", versions[i].text,
                     ekb_release_rules(release)->name);
    }
}

Test(release, is_no_version)
{
    static const char *const texts[] = {"",      "X",        "X15",       "15.",   "X15.5.",
                                        ".5",    "Y15.5",    "X15.5.1.2", "X15,5", "X15.5 ",
                                        "X-1.5", "X15.five", "X12345.1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum ekb_release release;
        cr_expect_eq(ekb_release_parse(&release, texts[i]), EKB_USAGE, "\"%s\"", texts[i]);
    }
}

Test(release, has_a_name_that_finds_it_again)
{
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        enum ekb_release release = EKB_RELEASE_NUM;
        cr_expect_eq(ekb_release_parse(&release, ekb_release_rules((enum ekb_release)i)->name),
                     EKB_OK);
        cr_expect_eq((int)release, i);
    }
}

// docs/domain.md section 8, column by column.
Test(release, has_the_rules_of_the_table)
{
    static const struct {
        bool two_stores, has_switch, always, ecdsa;
        unsigned core, edge, edge_switched, client, signature;
        enum ekb_eku_mode cluster;
    } rows[EKB_RELEASE_NUM] = {
        {false, false, false, false, BOTH, BOTH, BOTH, BOTH, BOTH, EKB_EKU_ON},
        {false, false, true, true, BOTH, BOTH, BOTH, BOTH, BOTH, EKB_EKU_ON},
        {false, false, true, true, BOTH, BOTH, SERVER, BOTH, SERVER, EKB_EKU_NONE},
        {true, true, true, true, SERVER, SERVER, SERVER, CLIENT, SERVER, EKB_EKU_NONE},
    };
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        const enum ekb_release release = (enum ekb_release)i;
        const struct ekb_release_rules *rules = ekb_release_rules(release);
        const struct ekb_release_node core = {.release = release, .kind = EKB_NODE_CORE};
        const struct ekb_release_node edge = {.release = release, .kind = EKB_NODE_EDGE};
        const struct ekb_release_node core_switched = {
            .release = release, .kind = EKB_NODE_CORE, .server_eku_upload = true};
        const struct ekb_release_node switched = {
            .release = release, .kind = EKB_NODE_EDGE, .server_eku_upload = true};
        cr_expect_eq(rules->two_stores, rows[i].two_stores, "%s", rules->name);
        cr_expect_eq(rules->has_mode_switch, rows[i].has_switch, "%s", rules->name);
        cr_expect_eq(rules->outbound == EKB_OUTBOUND_ALWAYS, rows[i].always, "%s", rules->name);
        cr_expect_eq(rules->prefers_ecdsa, rows[i].ecdsa, "%s", rules->name);
        cr_expect_eq(rules->cluster_mode, rows[i].cluster, "%s", rules->name);
        cr_expect_eq(rules->signature_needs, rows[i].signature, "%s", rules->name);
        cr_expect_eq(ekb_release_gate(&core, EKB_STORE_SERVER), rows[i].core, "%s", rules->name);
        // The switch is E's alone.
        cr_expect_eq(ekb_release_gate(&core_switched, EKB_STORE_SERVER), rows[i].core, "%s",
                     rules->name);
        cr_expect_eq(ekb_release_gate(&edge, EKB_STORE_SERVER), rows[i].edge, "%s", rules->name);
        cr_expect_eq(ekb_release_gate(&switched, EKB_STORE_SERVER), rows[i].edge_switched, "%s",
                     rules->name);
        cr_expect_eq(ekb_release_gate(&core, EKB_STORE_CLIENT), rows[i].client, "%s", rules->name);
    }
}

// A far end is somebody else's.
Test(release, has_no_gate_for_a_far_end)
{
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        const struct ekb_release_node far = {.release = (enum ekb_release)i, .kind = EKB_NODE_FAR};
        cr_expect_eq(ekb_release_gate(&far, EKB_STORE_SERVER), 0u);
        cr_expect_eq(ekb_release_gate(&far, EKB_STORE_CLIENT), 0u);
    }
}

Test(release, has_the_check_on_where_there_is_no_switch)
{
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        const struct ekb_release_node off = {
            .release = (enum ekb_release)i, .kind = EKB_NODE_EDGE, .mode = EKB_EKU_OFF};
        const struct ekb_release_node far = {
            .release = (enum ekb_release)i, .kind = EKB_NODE_FAR, .mode = EKB_EKU_OFF};
        cr_expect_eq(ekb_release_mode(&off), i == EKB_RELEASE_X15_5 ? EKB_EKU_OFF : EKB_EKU_ON);
        cr_expect_eq(ekb_release_mode(&far), EKB_EKU_OFF, "a far end has its own");
    }
}

Test(release, names_kinds_of_nodes)
{
    for (int i = 0; i < EKB_NODE_NUM_KINDS; i++) {
        enum ekb_node_kind kind = EKB_NODE_NUM_KINDS;
        cr_expect_eq(ekb_node_kind_parse(&kind, ekb_node_kind_name((enum ekb_node_kind)i)), EKB_OK);
        cr_expect_eq((int)kind, i);
    }
    enum ekb_node_kind kind;
    cr_expect_eq(ekb_node_kind_parse(&kind, "Core"), EKB_USAGE);
    cr_expect_eq(ekb_node_kind_parse(&kind, ""), EKB_USAGE);
}

Test(release, presents_the_servers_certificate_as_a_client_where_there_is_one_store)
{
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        const struct ekb_release_node edge = {.release = (enum ekb_release)i,
                                              .kind = EKB_NODE_EDGE};
        const struct ekb_release_node far = {.release = (enum ekb_release)i, .kind = EKB_NODE_FAR};
        cr_expect_eq(ekb_release_client_side(&edge),
                     i == EKB_RELEASE_X15_5 ? EKB_STORE_CLIENT : EKB_STORE_SERVER);
        cr_expect_eq(ekb_release_client_side(&far), EKB_STORE_CLIENT, "a far end has two stores");
    }
}
