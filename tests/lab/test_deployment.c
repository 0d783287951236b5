#include "ekubench/lab/deployment.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(deployment, .timeout = 10);

#define WHOLE                                                                                      \
    "; a comment\n[deployment]\nname = mine\ntitle = Two nodes\nca = CA1, CA2\n"                   \
    "release = X15.4, X15.5\neku-mode = on, off\n"                                                 \
    "[node C]\nkind = core\nserver = CA2 server rsa2048\nclient = CA1 both p256 depth=2\n"         \
    "trust = CA1\n"                                                                                \
    "[node E]\nkind = edge\nhost = edge.example\nserver = CA2 both\nclient = upgrade\n"            \
    "eku-mode = off\nserver-eku-upload = yes\n"                                                    \
    "[node far]\nserver = CA1 server rsa2048\nsecond = self-signed server p384\nclient = none\n"   \
    "named = no\ntrust = none\n"                                                                   \
    "[link uc-zone]\ninitiator = C\nresponder = E\n"                                               \
    "[link webex]\nkind = b2b\ninitiator = E\nresponder = far\naddress = 192.0.2.1\nport = 5062\n" \
    "[expect]\nuc-zone = active\n[expect off]\nwebex = failed\n"                                   \
    "[expect X14.1, on]\nwebex = failed, unknown_ca\n"

static struct ekb_deployment deployment;

static void read(const char *text)
{
    struct ekb_fail fail = {.err = EKB_OK};
    cr_assert_eq(ekb_deployment_parse(&deployment, text, "mine.ini", &fail), EKB_OK, "%s",
                 fail.detail);
}

Test(deployment, is_read_whole)
{
    read(WHOLE);
    cr_expect_str_eq(deployment.name, "mine");
    cr_expect_str_eq(deployment.title, "Two nodes");
    cr_expect_eq(deployment.num_releases, 2);
    cr_expect_eq(deployment.releases[1], EKB_RELEASE_X15_5);
    cr_expect_eq(deployment.num_modes, 2);
    cr_expect_eq(deployment.num_cas, 2);
    cr_assert_eq(deployment.num_nodes, 3);
    const struct ekb_deployment_node *core = &deployment.nodes[0];
    cr_expect_eq(core->rules.kind, EKB_NODE_CORE);
    cr_expect_str_eq(core->host, "c.example");
    cr_expect_eq(core->trusts, 1u);
    cr_expect_eq(core->server.ca, 1);
    cr_expect_eq(core->server.eku, (unsigned)EKB_EKU_SERVER_AUTH);
    cr_expect_eq(core->server.key_type, EKB_KEY_RSA2048);
    cr_expect_eq(core->client.depth, 2);
    cr_expect_eq(core->client.eku, (unsigned)(EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH));
    const struct ekb_deployment_node *edge = &deployment.nodes[1];
    cr_expect_str_eq(edge->host, "edge.example");
    cr_expect_eq(edge->client.origin, EKB_ORIGIN_UPGRADE);
    cr_expect(edge->has_mode && edge->rules.mode == EKB_EKU_OFF);
    cr_expect(edge->rules.server_eku_upload);
    cr_expect_eq(edge->trusts, 3u, "all, unless it is said");
    const struct ekb_deployment_node *far = &deployment.nodes[2];
    cr_expect_eq(far->rules.kind, EKB_NODE_FAR);
    cr_expect_eq(far->second.origin, EKB_ORIGIN_SELF_SIGNED);
    cr_expect_eq(far->client.origin, EKB_ORIGIN_NONE);
    cr_expect(far->unnamed);
    cr_expect_eq(far->trusts, 0u);
    cr_assert_eq(deployment.num_links, 2);
    cr_expect_eq(deployment.links[0].kind, EKB_LINK_UC_ZONE);
    cr_expect_eq(deployment.links[1].kind, EKB_LINK_B2B);
    cr_expect_eq(deployment.links[1].port, 5062);
    cr_expect_str_eq(deployment.links[1].address, "192.0.2.1");
}

Test(deployment, expects_what_is_said_of_a_run)
{
    read(WHOLE);
    const struct ekb_deployment_expectation *said =
        ekb_deployment_expect(&deployment, "uc-zone", EKB_RELEASE_X15_5, EKB_EKU_OFF);
    cr_assert_not_null(said);
    cr_expect_eq(said->expected, EKB_EXPECTED_ACTIVE);
    // What is said without a release is about those of the deployment.
    cr_expect_null(ekb_deployment_expect(&deployment, "uc-zone", EKB_RELEASE_X14_2, EKB_EKU_ON));
    cr_expect_null(ekb_deployment_expect(&deployment, "webex", EKB_RELEASE_X15_5, EKB_EKU_ON));
    said = ekb_deployment_expect(&deployment, "webex", EKB_RELEASE_X15_5, EKB_EKU_OFF);
    cr_assert_not_null(said);
    cr_expect_eq(said->expected, EKB_EXPECTED_FAILED);
    said = ekb_deployment_expect(&deployment, "webex", EKB_RELEASE_X14_1, EKB_EKU_ON);
    cr_assert_not_null(said);
    cr_expect_str_eq(said->reason, "unknown_ca");
    cr_expect_null(ekb_deployment_expect(&deployment, "webex", EKB_RELEASE_X14_1, EKB_EKU_OFF));
}

#define HEAD "[deployment]\nca = CA1\n"
#define NODES "[node C]\nkind = core\n[node E]\nkind = edge\n"
#define LINK "[link uc-zone]\ninitiator = C\nresponder = E\n"

Test(deployment, names_the_line_that_is_wrong)
{
    static const struct {
        const char *text;
        const char *words[2];
    } wrong[] = {
        {"key = 1\n", {"mine.ini:1: ", "section"}},
        {"[deployment]\nsite = 1\n", {"mine.ini:2: ", "site"}},
        {"[deploy]\na = 1\n", {"mine.ini:1: ", "[deploy]"}},
        {"[deployment]\nrelease = 15\n", {"mine.ini:2: ", "\"15\""}},
        {"[deployment]\neku-mode = none\n", {"mine.ini:2: ", "on or off"}},
        {"[deployment]\neku-mode = on, off, on\n", {"mine.ini:2: ", "both"}},
        {HEAD "[node C]\nkind = middle\n", {"mine.ini:4: ", "middle"}},
        {HEAD "[node C]\nserver = CA9 both\n", {"mine.ini:4: ", "CA9"}},
        {HEAD "[node C]\nserver = CA1 bot\n", {"mine.ini:4: ", "\"bot\""}},
        {HEAD "[node C]\nserver = CA1 depth=0\n", {"mine.ini:4: ", "depth=0"}},
        {HEAD "[node C]\ntrust = CA1, CA2\n", {"mine.ini:4: ", "CA2"}},
        {HEAD "[node C]\nserver-eku-upload = maybe\n", {"mine.ini:4: ", "yes or no"}},
        {HEAD "[node C]\ncolour = red\n", {"mine.ini:4: ", "colour"}},
        {HEAD "[node C]\nkind = core\n[node E]\nkind = edge\n[node C]\nkind = far\n",
         {"mine.ini:7: ", "already"}},
        {HEAD NODES "[link uc-zone]\ninitiator = X\n", {"mine.ini:8: ", "\"X\""}},
        {HEAD NODES "[link uc-zone]\nport = 70000\n", {"mine.ini:8: ", "70000"}},
        {HEAD NODES "[link uc-zone]\nkind = tunnel\n", {"mine.ini:8: ", "\"tunnel\": uc-zone"}},
        {HEAD NODES LINK "[expect]\nuc-zone = maybe\n", {"mine.ini:11: ", "maybe"}},
        {HEAD NODES LINK "[expect later]\nuc-zone = active\n", {"mine.ini:10: ", "later"}},
        {"[deployment\n", {"mine.ini:1: ", "section"}},
        {"[deployment\n[node C\n[what]\n", {"mine.ini:1: ", "[section]"}},
        {HEAD "[expect]] \n", {"mine.ini:3: ", "after the section"}},
        {"[deployment]\nca = CA1\nca = CA2\n", {"mine.ini:3: ", "ca is said already"}},
        {"[deployment]\nca = CA1, CA1\n", {"mine.ini:2: ", "\"CA1\" already"}},
        {"[deployment]\nrelease = X15.5, X15.6\n",
         {"mine.ini:2: ", "X15.6 has the rules of X15.5"}},
        {"[deployment]\neku-mode = on, on\n", {"mine.ini:2: ", "both"}},
        {HEAD NODES "[deployment]\nname = x\n", {"mine.ini:7: ", "already"}},
        {HEAD "[node C]\nserver = copy\n", {"mine.ini:4: ", "server = copy: only a client"}},
        {HEAD "[node C]\nserver = upgrade\n", {"mine.ini:4: ", "server = upgrade"}},
        {HEAD "[node C]\nsecond = copy\n", {"mine.ini:4: ", "second = copy"}},
        {HEAD "[node C]\nclient = copy both\n", {"mine.ini:4: ", "nothing is wanted after"}},
        {HEAD "[node C]\nserver = none p256\n", {"mine.ini:4: ", "nothing is wanted after"}},
        {HEAD "[node C]\nserver = CA1 server client\n", {"mine.ini:4: ", "once each"}},
        {HEAD "[node C]\nserver = CA1 p256 p384\n", {"mine.ini:4: ", "once each"}},
        {HEAD "[node C]\nserver = self-signed depth=2\n", {"mine.ini:4: ", "no depth"}},
        {HEAD "[node C]\ntrust = none, CA1\n", {"mine.ini:4: ", "or none"}},
        {HEAD "[node C]\ntrust =\n", {"mine.ini:4: ", "or none"}},
        {HEAD "[node C]\nhost = 192.0.2.1\n", {"mine.ini:4: ", "DNS name"}},
        {HEAD "[node C]\nhost = a_b.example\n", {"mine.ini:4: ", "DNS name"}},
        {HEAD "[node C]\nhost = *.example\n", {"mine.ini:4: ", "DNS name"}},
        {HEAD "[node C]\nhost = "
              "a-long-label-a-long-label-a-long-label.a-long-label-a-long-label.example\n",
         {"mine.ini:4: ", "64 characters"}},
        {HEAD "[node C]\nhost = a b\n", {"mine.ini:4: ", "DNS name"}},
        {HEAD "[node C]\nkind = far\nkind = core\n", {"mine.ini:5: ", "kind is said already"}},
        {HEAD "[node C D]\nkind = far\n", {"mine.ini:3: ", "a name of letters"}},
        {HEAD "[node a-name-that-is-longer-than-all-that-inih-would-keep-of-it]\n",
         {"mine.ini:3: ", "longer than 47 characters"}},
        {HEAD "[node a-name-of-just-48-characters-which-is-one-too-ma]\n",
         {"mine.ini:3: ", "longer than 47 characters"}},
        {HEAD NODES "[link a-name-that-is-longer-than-all-that-inih-would-keep-of-it]\n",
         {"mine.ini:7: ", "longer than 47 characters"}},
        {HEAD NODES LINK LINK, {"mine.ini:10: ", "already"}},
        {HEAD NODES "[link mra]\n", {"mine.ini:7: ", "mra"}},
        {HEAD NODES "[link uc-zone]\naddress = a b\n", {"mine.ini:8: ", "IP address"}},
        {HEAD "title = red \033[31m\n", {"mine.ini:3: ", "control character"}},
        {HEAD "title = \xf6\n", {"mine.ini:3: ", "UTF-8"}},
        {HEAD NODES LINK "[expect none]\nuc-zone = active\n", {"mine.ini:10: ", "on or off"}},
        {HEAD NODES LINK "[expect on, off]\n", {"mine.ini:10: ", "one EKU mode"}},
        {HEAD NODES LINK "[expect X14.1, X14.2]\n", {"mine.ini:10: ", "one release"}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed, unknown_ca, oops\n",
         {"mine.ini:11: ", "\"oops\""}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed, unassigned\n",
         {"mine.ini:11: ", "\"unassigned\""}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed, ok\n", {"mine.ini:11: ", "\"ok\""}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed,\n", {"mine.ini:11: ", "a reason"}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed unknown_ca\n",
         {"mine.ini:11: ", "after a comma"}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed, unknown_ca, verify_purpose\n",
         {"mine.ini:11: ", "unknown_ca is the reason already"}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed, depth=x\n",
         {"mine.ini:11: ", "depth=N or depth>N"}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed, depth=1, depth>0\n",
         {"mine.ini:11: ", "depth=N or depth>N"}},
        {HEAD NODES LINK "[expect]\nuc-zone = failed, log=\n", {"mine.ini:11: ", "a text of 1"}},
        {HEAD NODES LINK "[expect]\nuc-zone = active, unknown_ca\n",
         {"mine.ini:11: ", "only asks"}},
        {HEAD NODES LINK "[expect]\nmra = fails, unknown_ca\n", {"mine.ini:11: ", "mra works"}},
        {HEAD NODES LINK "[expect]\nuc-zone = active\n[expect off]\nuc-zone = failed\n"
                         "[expect]\nuc-zone = failed\n",
         {"mine.ini:15: ", "said already"}},
        {HEAD "[node C]\nupgrade = maybe\n", {"mine.ini:4: ", "yes or no"}},
        {HEAD "[node C]\ncluster-tls-verify = off\n", {"mine.ini:4: ", "enforcing or permissive"}},
        {HEAD "no value\n", {"mine.ini:3: ", "key = value"}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct ekb_fail fail = {.err = EKB_OK};
        cr_expect_eq(ekb_deployment_parse(&deployment, wrong[i].text, "mine.ini", &fail), EKB_PARSE,
                     "%zu: %s", i, wrong[i].text);
        for (int word = 0; word < 2; word++) {
            cr_expect_not_null(strstr(fail.detail, wrong[i].words[word]),
                               "%zu: no \"%s\" in \"%s\"", i, wrong[i].words[word], fail.detail);
        }
    }
}

Test(deployment, is_none_if_it_makes_no_sense)
{
    static const struct {
        const char *text;
        const char *word;
    } wrong[] = {
        {HEAD NODES, "[link]"},
        {HEAD NODES "[link uc-zone]\ninitiator = E\nresponder = C\n",
         "mine.ini:7: [link uc-zone]: uc-zone goes from a core node to an edge node; this one goes "
         "from E (edge) to C (core)"},
        {HEAD NODES "[link uc-zone]\ninitiator = C\n",
         "mine.ini:7: [link uc-zone]: initiator and responder are wanted: add a line \"responder "
         "= "},
        {HEAD NODES "[link uc-zone]\nresponder = E\n", "add a line \"initiator = "},
        {HEAD NODES "[link mine]\ninitiator = C\nresponder = E\n",
         "mine.ini:7: [link mine]: its kind"},
        {HEAD NODES LINK "[expect]\n\nb2b = active\n",
         "mine.ini:12: [expect]: \"b2b\" is no link of the deployment, nor mra; its links are "
         "uc-zone"},
        {HEAD
         "release = X15.5\n[node C]\nkind = core\n[node E]\nkind = edge\nrelease = X15.4\n" LINK,
         "mine.ini:6: C and E must run the same release: node E has X15.4, [deployment] X15.5"},
        {HEAD "[node C..x]\nkind = core\n[node E]\nkind = edge\n[link uc-zone]\n"
              "initiator = C..x\nresponder = E\n",
         "mine.ini:3: [node C..x]: host is wanted"},
        {"", "[link]"},
        {HEAD NODES LINK "[expect]\nmra = fails\n",
         "mine.ini:11: [expect]: mra is made of four links, and there is no ssh-tunnel"},
        {HEAD NODES "[link sip-service]\ninitiator = E\nresponder = C\n[expect]\n"
                    "sip-service = active, asks\n",
         "no connection"},
        {HEAD NODES "[node far]\nrelease = X15.5\n" LINK, "[node far]: release"},
        {HEAD "[node C]\nkind = core\nserver-eku-upload = yes\n[node E]\nkind = edge\n" LINK,
         "[node C]: server-eku-upload"},
        {HEAD "[node C]\nkind = core\nstore = /x\nserver = CA1\n[node E]\nkind = edge\n" LINK,
         "[node C]: store is used as it is"},
        {HEAD "[node C]\nkind = core\nserver = CA1 rsa2048\nsecond = CA1 p256\n[node E]\n"
              "kind = edge\n" LINK,
         "[node C]: second is of far"},
        {HEAD NODES "[node far]\nserver = CA1 p384\nsecond = CA1 p256\n" LINK,
         "[node far]: second is beside"},
        {HEAD NODES "[node far]\nsecond = CA1 p256\n" LINK, "[node far]: second is beside"},
        {"[deployment]\nca = CA1\n[node C]\nkind = core\nrelease = X15.4\n[node E]\n"
         "kind = edge\nrelease = X15.5\n" LINK,
         "mine.ini:3: C and E must run the same release: node C has X15.4, node E X15.5; say it "},
        {HEAD "[node C]\nkind = core\nrelease = X15.4\n[node E]\nkind = edge\n" LINK,
         "node C has X15.4, node E says none; say it once, in [deployment]"},
        {HEAD NODES LINK "[node F]\nkind = far\nupgrade = no\n",
         "mine.ini:10: [node F]: upgrade is"},
        {HEAD NODES LINK "[node F]\nkind = far\ncluster-tls-verify = permissive\n",
         "[node F]: cluster-tls-verify is of core and edge"},
        {HEAD "release = X15.4, X15.5\n[node C]\nkind = core\n[node E]\nkind = edge\n"
              "release = X15.4\n" LINK,
         "must run the same release: node E has X15.4, [deployment] X15.4 and others"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct ekb_fail fail = {.err = EKB_OK};
        cr_expect_eq(ekb_deployment_parse(&deployment, wrong[i].text, "mine.ini", &fail), EKB_USAGE,
                     "%zu", i);
        cr_expect_not_null(strstr(fail.detail, wrong[i].word), "%zu: no \"%s\" in \"%s\"", i,
                           wrong[i].word, fail.detail);
    }
}

Test(deployment, takes_a_node_of_the_same_release)
{
    read("[deployment]\nca = CA1\nrelease = X15.4\n[node C]\nkind = core\nrelease = X15.4.2\n"
         "[node E]\nkind = edge\n" LINK);
    cr_expect_eq(deployment.releases[0], EKB_RELEASE_X15_4);
}

Test(deployment, has_the_release_of_its_nodes_if_it_says_none)
{
    read("[deployment]\nca = CA1\n[node C]\nkind = core\nrelease = X15.4\n"
         "[node E]\nkind = edge\nrelease = X15.4\n" LINK);

    cr_expect_eq(deployment.num_releases, 1);
    cr_expect_eq(deployment.releases[0], EKB_RELEASE_X15_4);
}

Test(deployment, cannot_be_run_under_another_release_than_its_nodes_say)
{
    struct ekb_fail fail = {.err = EKB_OK};
    read("[deployment]\nca = CA1\n[node C]\nkind = core\nrelease = X15.5\n"
         "[node E]\nkind = edge\n" LINK);

    cr_expect_eq(ekb_deployment_check_release(&deployment, EKB_RELEASE_X15_5, &fail), EKB_OK);
    cr_expect_eq(ekb_deployment_check_release(&deployment, EKB_RELEASE_X15_4, &fail), EKB_USAGE);
    cr_expect_not_null(strstr(fail.detail, "under X15.4: node C says release = X15.5"), "%s",
                       fail.detail);
}

// As editors on other systems write it: a mark at the beginning, two characters at the end of a
// line, keys indented.
Test(deployment, is_read_however_it_is_laid_out)
{
    read("\xef\xbb\xbf[deployment]\r\n  title = K\xc3\xb6ln\r\n\tca = CA1, CA2\r\n"
         "[node an_empty] ; nothing is said of it\r\n[ node  C ]\r\n  kind = core\r\n"
         "  trust = CA2\r\n[node E]\r\nkind = edge\r\n"
         "  [link uc-zone]\r\n  initiator = C\r\n  responder = E\r\n");

    cr_expect_str_eq(deployment.title, "K\xc3\xb6ln");
    cr_expect_eq(deployment.num_cas, 2);
    cr_assert_eq(deployment.num_nodes, 3);
    cr_expect_str_eq(deployment.nodes[0].name, "an_empty");
    cr_expect_str_eq(deployment.nodes[0].host, "an-empty.example");
    cr_expect_eq(deployment.nodes[0].rules.kind, EKB_NODE_FAR);
    cr_expect_eq(deployment.nodes[1].rules.kind, EKB_NODE_CORE);
    cr_expect_eq(deployment.nodes[1].trusts, 2u);
    cr_expect_eq(deployment.num_links, 1);
}

// The narrower says more of a run, wherever it stands.
Test(deployment, expects_what_is_said_of_the_narrowest_runs)
{
    static const char *const orders[] = {
        "[expect]\nuc-zone = active\n[expect off]\nuc-zone = failed, depth=1\n"
        "[expect X15.5]\nuc-zone = failed, depth=2\n"
        "[expect X15.5, off]\nuc-zone = failed, depth=3\n",
        "[expect off, X15.5]\nuc-zone = failed, depth=3\n"
        "[expect X15.5]\nuc-zone = failed, depth=2\n"
        "[expect off]\nuc-zone = failed, depth=1\n[expect]\nuc-zone = active\n"};
    for (size_t i = 0; i < 2; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text,
                       "[deployment]\nca = CA1\nrelease = X15.4, X15.5\n" NODES LINK "%s",
                       orders[i]);
        read(text);
        const struct ekb_deployment_expectation *const said[] = {
            ekb_deployment_expect(&deployment, "uc-zone", EKB_RELEASE_X15_4, EKB_EKU_ON),
            ekb_deployment_expect(&deployment, "uc-zone", EKB_RELEASE_X15_4, EKB_EKU_OFF),
            ekb_deployment_expect(&deployment, "uc-zone", EKB_RELEASE_X15_5, EKB_EKU_ON),
            ekb_deployment_expect(&deployment, "uc-zone", EKB_RELEASE_X15_5, EKB_EKU_OFF)};

        for (unsigned run = 0; run < 4; run++) {
            cr_assert_not_null(said[run]);
            cr_expect_eq(said[run]->min_depth, run, "order %zu, run %u: %s", i, run,
                         said[run]->details);
        }
    }
}

Test(deployment, expects_more_than_a_status)
{
    read(HEAD NODES LINK "[expect]\nuc-zone = failed ,  verify_purpose, depth>0 , asks,"
                         " log=Detail=\"unsupported certificate purpose\" \n");

    const struct ekb_deployment_expectation *said =
        ekb_deployment_expect(&deployment, "uc-zone", EKB_RELEASE_X15_5, EKB_EKU_ON);
    cr_assert_not_null(said);
    cr_expect_str_eq(said->reason, "verify_purpose");
    cr_expect(said->has_depth && said->min_depth == 1 && said->max_depth > 1000);
    cr_expect(said->asks);
    cr_expect_str_eq(said->log, "Detail=\"unsupported certificate purpose\"");
    cr_expect_not_null(strstr(said->details, "verify_purpose, depth>0"), "%s", said->details);
}

// No line, key or list is too long for it.
Test(deployment, refuses_too_much_of_anything)
{
    char *text = malloc(200000);
    cr_assert_not_null(text);
    struct ekb_fail fail = {.err = EKB_OK};
    size_t len = (size_t)sprintf(text, "[deployment]\nca = ");
    for (int i = 0; i < 9; i++) {
        len += (size_t)sprintf(text + len, "c%d,", i);
    }
    cr_expect_eq(ekb_deployment_parse(&deployment, text, "x", &fail), EKB_PARSE);
    len = (size_t)sprintf(text, "[deployment]\ntitle = ");
    memset(text + len, 'x', 1000);
    text[len + 1000] = '\0';
    cr_expect_eq(ekb_deployment_parse(&deployment, text, "x", &fail), EKB_PARSE);
    len = (size_t)sprintf(text, HEAD);
    for (int i = 0; i < 20; i++) {
        len += (size_t)sprintf(text + len, "[node n%d]\nkind = far\n", i);
    }
    cr_expect_eq(ekb_deployment_parse(&deployment, text, "x", &fail), EKB_PARSE);
    cr_expect_not_null(strstr(fail.detail, "at most 16 nodes"), "%s", fail.detail);
    free(text);
}

Test(deployment, is_opened_by_the_name_of_a_built_in_one_or_the_path_of_a_file)
{
    char directory[] = "/tmp/ekubench-deployment-XXXXXX";
    char path[64];
    struct ekb_fail fail = {.err = EKB_OK};
    cr_assert_not_null(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/my site.ini", directory);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert(fputs(HEAD NODES LINK, file) >= 0);
    cr_assert_eq(fclose(file), 0);

    cr_expect_eq(ekb_deployment_open(&deployment, "condition-2.1", &fail), EKB_OK, "%s",
                 fail.detail);
    cr_expect_str_eq(deployment.name, "condition-2.1");
    cr_expect_eq(ekb_deployment_open(&deployment, path, &fail), EKB_OK, "%s", fail.detail);
    cr_expect_str_eq(deployment.name, "my_site.ini");
    cr_expect_eq(deployment.num_links, 1);
    cr_expect_eq(ekb_deployment_open(&deployment, "condition-9", &fail), EKB_USAGE);
    cr_expect_not_null(strstr(fail.detail, "scenario list"), "%s", fail.detail);
    (void)snprintf(path + strlen(directory), sizeof path - strlen(directory), "/absent.ini");
    cr_expect_eq(ekb_deployment_open(&deployment, path, &fail), EKB_NOT_FOUND);

    (void)snprintf(path + strlen(directory), sizeof path - strlen(directory), "/my site.ini");
    (void)remove(path);
    (void)remove(directory);
}

// A store is where the file says, seen from the file.
Test(deployment, takes_the_path_of_a_store_as_relative_to_the_file)
{
    char directory[] = "/tmp/ekubench-deployment-XXXXXX";
    char path[64];
    char wanted[128];
    struct ekb_fail fail = {.err = EKB_OK};
    cr_assert_not_null(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/my.ini", directory);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert(fputs(HEAD "[node C]\nkind = core\nstore = stores/c\n"
                         "[node E]\nkind = edge\nstore = /stores/e\n" LINK,
                    file) >= 0);
    cr_assert_eq(fclose(file), 0);

    cr_expect_eq(ekb_deployment_read(&deployment, path, &fail), EKB_OK, "%s", fail.detail);
    (void)snprintf(wanted, sizeof wanted, "%s/stores/c", directory);
    cr_expect_str_eq(deployment.nodes[0].store, wanted);
    cr_expect_str_eq(deployment.nodes[1].store, "/stores/e");

    (void)remove(path);
    (void)remove(directory);
}

// What is expected is about some runs, and not about others.
Test(deployment, knows_which_runs_an_expectation_is_about)
{
    read(HEAD "release = X15.4, X15.5\n" NODES LINK "[expect]\nuc-zone = active\n"
              "[expect off]\nuc-zone = failed\n[expect X14.1]\nuc-zone = failed\n");
    const struct ekb_deployment_expectation *plain = &deployment.expectations[0];
    const struct ekb_deployment_expectation *off = &deployment.expectations[1];
    const struct ekb_deployment_expectation *old = &deployment.expectations[2];

    cr_expect(ekb_deployment_is_about(&deployment, plain, EKB_RELEASE_X15_4, EKB_EKU_ON));
    cr_expect_not(ekb_deployment_is_about(&deployment, plain, EKB_RELEASE_X14_1, EKB_EKU_ON));
    cr_expect(ekb_deployment_is_about(&deployment, off, EKB_RELEASE_X15_5, EKB_EKU_OFF));
    cr_expect_not(ekb_deployment_is_about(&deployment, off, EKB_RELEASE_X15_5, EKB_EKU_ON));
    cr_expect(ekb_deployment_is_about(&deployment, old, EKB_RELEASE_X14_1, EKB_EKU_ON));
    cr_expect_eq(off->section_line, 13u, "%u", off->section_line);
    cr_expect_eq(off->line, 14u, "%u", off->line);
}

// The message that lists the kinds of links has them all.
Test(deployment, lists_all_kinds_of_links)
{
    struct ekb_fail fail = {.err = EKB_OK};
    cr_expect_eq(ekb_deployment_parse(&deployment, HEAD NODES "[link x]\nkind = y\n", "x", &fail),
                 EKB_PARSE);
    for (int link = 0; link < EKB_LINK_NUM; link++) {
        const char *const name = ekb_link_row((enum ekb_link)link)->name;
        cr_expect_not_null(strstr(fail.detail, name), "no %s in %s", name, fail.detail);
    }
}
