#include "ekubench/store/link.h"

#include <criterion/criterion.h>

#include <string.h>

TestSuite(link, .timeout = 10);

static struct ekb_release_node node(enum ekb_release release, enum ekb_node_kind kind,
                                    enum ekb_eku_mode mode)
{
    return (struct ekb_release_node){.release = release, .kind = kind, .mode = mode};
}

// expect_demand compares with "chain, clientAuth", "nothing", ...
static void expect_demand(int line, struct ekb_link_demand demand, const char *wanted)
{
    char text[EKB_LINK_DEMAND_TEXT_LEN];
    cr_expect_str_eq(ekb_link_demand_text(text, &demand), wanted, "line %d", line);
}

// docs/domain.md section 10: how the responder verifies the initiator, by release; of the modes,
// the first is on and the second off where there is a switch.
static const struct {
    enum ekb_link link;
    enum ekb_node_kind responder;
    const char *before; // Up to X15.3,
    const char *x15_4;
    const char *on;
    const char *off;
} of_initiators[] = {
    {EKB_LINK_UC_ZONE, EKB_NODE_EDGE, "chain, clientAuth", "chain, clientAuth", "chain, clientAuth",
     "chain, serverAuth"},
    {EKB_LINK_SSH_TUNNEL, EKB_NODE_EDGE, "chain, clientAuth", "chain, clientAuth",
     "chain, clientAuth", "chain, clientAuth"},
    {EKB_LINK_NEIGHBOR, EKB_NODE_EDGE, "chain, clientAuth, name", "chain, clientAuth, name",
     "chain, clientAuth, name", "chain, serverAuth, name"},
    {EKB_LINK_TRAFFIC, EKB_NODE_FAR, "nothing", "nothing", "nothing", "nothing"},
    {EKB_LINK_CLUSTER, EKB_NODE_CORE, "chain, clientAuth", "chain", "chain", "chain"},
    {EKB_LINK_SIP_SERVICE, EKB_NODE_CORE, "chain, clientAuth, serverAuth", "chain, serverAuth",
     "chain, serverAuth", "chain, serverAuth"},
    {EKB_LINK_BROWSER, EKB_NODE_EDGE, "nothing", "nothing", "nothing", "nothing"},
};

Test(link, demands_of_the_initiator_what_the_table_says)
{
    for (size_t i = 0; i < sizeof of_initiators / sizeof of_initiators[0]; i++) {
        for (int release = 0; release < EKB_RELEASE_NUM; release++) {
            const struct ekb_release_node on =
                node((enum ekb_release)release, of_initiators[i].responder, EKB_EKU_ON);
            const struct ekb_release_node off =
                node((enum ekb_release)release, of_initiators[i].responder, EKB_EKU_OFF);
            const char *wanted = release < EKB_RELEASE_X15_4    ? of_initiators[i].before
                                 : release == EKB_RELEASE_X15_4 ? of_initiators[i].x15_4
                                                                : of_initiators[i].on;
            expect_demand(__LINE__, ekb_link_demand_of_initiator(of_initiators[i].link, &on),
                          wanted);
            expect_demand(__LINE__, ekb_link_demand_of_initiator(of_initiators[i].link, &off),
                          release == EKB_RELEASE_X15_5 ? of_initiators[i].off : wanted);
        }
    }
}

// ClusterDB with TLS verify on Permissive takes any certificate, on either side; nothing else does.
Test(link, verifies_nothing_of_a_cluster_that_is_permissive)
{
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        for (int link = 0; link < EKB_LINK_NUM; link++) {
            const struct ekb_release_node enforcing =
                node((enum ekb_release)release, EKB_NODE_EDGE, EKB_EKU_ON);
            struct ekb_release_node permissive = enforcing;
            permissive.cluster_verify = EKB_TLS_VERIFY_PERMISSIVE;
            char text[EKB_LINK_DEMAND_TEXT_LEN];
            const struct ekb_link_demand of_initiator =
                ekb_link_demand_of_initiator((enum ekb_link)link, &enforcing);
            const struct ekb_link_demand of_responder =
                ekb_link_demand_of_responder((enum ekb_link)link, &enforcing);

            expect_demand(__LINE__, ekb_link_demand_of_initiator((enum ekb_link)link, &permissive),
                          link == EKB_LINK_CLUSTER ? "nothing"
                                                   : ekb_link_demand_text(text, &of_initiator));
            expect_demand(__LINE__, ekb_link_demand_of_responder((enum ekb_link)link, &permissive),
                          link == EKB_LINK_CLUSTER ? "nothing"
                                                   : ekb_link_demand_text(text, &of_responder));
        }
    }
}

// A far end has a mode of its own, whatever the release of ours.
Test(link, lets_a_far_end_have_its_own_mode)
{
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        const struct ekb_release_node on =
            node((enum ekb_release)release, EKB_NODE_FAR, EKB_EKU_ON);
        const struct ekb_release_node off =
            node((enum ekb_release)release, EKB_NODE_FAR, EKB_EKU_OFF);
        expect_demand(__LINE__, ekb_link_demand_of_initiator(EKB_LINK_B2B, &on),
                      "chain, clientAuth");
        expect_demand(__LINE__, ekb_link_demand_of_initiator(EKB_LINK_B2B, &off),
                      "chain, serverAuth");
    }
}

Test(link, demands_of_the_responder_what_the_table_says)
{
    static const struct {
        enum ekb_link link;
        enum ekb_node_kind initiator;
        const char *first; // Up to X14.1,
        const char *rest;
    } rows[] = {
        {EKB_LINK_UC_ZONE, EKB_NODE_CORE, "chain, serverAuth", "chain, serverAuth"},
        {EKB_LINK_SSH_TUNNEL, EKB_NODE_CORE, "nothing", "nothing"},
        {EKB_LINK_NEIGHBOR, EKB_NODE_EDGE, "chain, serverAuth, name", "chain, serverAuth, name"},
        {EKB_LINK_B2B, EKB_NODE_EDGE, "chain, serverAuth, name", "chain, serverAuth, name"},
        {EKB_LINK_TRAFFIC, EKB_NODE_CORE, "nothing", "chain, serverAuth, name"},
        {EKB_LINK_SIP_SERVICE, EKB_NODE_EDGE, "nothing", "nothing"},
        {EKB_LINK_BROWSER, EKB_NODE_FAR, "chain, serverAuth, name", "chain, serverAuth, name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int release = 0; release < EKB_RELEASE_NUM; release++) {
            const struct ekb_release_node initiator =
                node((enum ekb_release)release, rows[i].initiator, EKB_EKU_ON);
            expect_demand(__LINE__, ekb_link_demand_of_responder(rows[i].link, &initiator),
                          release == EKB_RELEASE_X14_1 ? rows[i].first : rows[i].rest);
        }
    }
}

Test(link, allows_what_has_all_usages_or_no_extension)
{
    const struct ekb_link_demand both = {.chain = true,
                                         .usages = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
    const struct ekb_link_demand client = {.chain = true, .usages = EKB_EKU_CLIENT_AUTH};
    const struct ekb_link_demand none = {.chain = true};
    cr_expect(ekb_link_allows(&both, EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH));
    cr_expect(ekb_link_allows(&both, EKB_EKU_ABSENT));
    cr_expect_not(ekb_link_allows(&both, EKB_EKU_SERVER_AUTH));
    cr_expect_not(ekb_link_allows(&both, EKB_EKU_CLIENT_AUTH));
    cr_expect_not(ekb_link_allows(&client, EKB_EKU_ANY), "any alone satisfies no mode");
    cr_expect_not(ekb_link_allows(&client, EKB_EKU_OTHER));
    cr_expect(ekb_link_allows(&client, EKB_EKU_CLIENT_AUTH | EKB_EKU_OTHER));
    cr_expect(ekb_link_allows(&none, EKB_EKU_OTHER));
}

Test(link, is_found_by_its_name)
{
    for (int i = 0; i < EKB_LINK_NUM; i++) {
        enum ekb_link link = EKB_LINK_NUM;
        cr_expect_eq(ekb_link_parse(&link, ekb_link_row((enum ekb_link)i)->name), EKB_OK);
        cr_expect_eq((int)link, i);
    }
    enum ekb_link link;
    cr_expect_eq(ekb_link_parse(&link, "uc"), EKB_USAGE);
    cr_expect_eq(ekb_link_parse(&link, ""), EKB_USAGE);
}
