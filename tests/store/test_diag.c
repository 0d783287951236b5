#include "ekubench/store/diag.h"

#include "ekubench/store/admin.h"
#include "ekubench/store/change.h"
#include "ekubench/store/store.h"
#include "support/fixtures.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOW INT64_C(1774767279) // 2026-03-29T06:54:39Z
#define STAMP "host.example_2026-03-29_06_54_39"

static struct fixture_dir dir;
static struct fixture_pki pki;
static char store_path[512];
static char output[512];
static struct ekb_diag_options options;

static void set_up(void)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH};
    (void)setenv("TZ", "UTC", 1);
    tzset();
    fixture_dir_init(&dir);
    fixture_pki_init(&pki, &spec);
    (void)fixture_dir_file(store_path, &dir, "store");
    (void)fixture_dir_file(output, &dir, "out");
    const struct ekb_identity identity = {.chain = pki.chain, .key = pki.key};
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        cr_assert_eq(
            ekb_store_write_identity(store_path, (enum ekb_store_side)side, &identity, NULL),
            EKB_OK);
    }
    cr_assert_eq(ekb_store_write_trust(store_path, fixture_pki_root(&pki), NULL), EKB_OK);
    options = (struct ekb_diag_options){.host = "host.example", .now = NOW};
}

static void tear_down(void)
{
    fixture_pki_deinit(&pki);
    fixture_dir_deinit(&dir);
}

TestSuite(diag, .init = set_up, .fini = tear_down, .timeout = 30);

static void write_diag(void)
{
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_diag_write(output, store_path, &options, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

// text_of returns what is in a file of the diagnostics; free it.
static char *text_of(const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", output, name);
    return fixture_read(path, NULL);
}

static void expect_part(const char *name, const char *part)
{
    char *text = text_of(name);
    cr_expect_not_null(strstr(text, part), "no \"%s\" in %s:\n%s", part, name, text);
    free(text);
}

Test(diag, writes_every_file_under_one_time_stamp)
{
    static const char *const names[] = {
        "ca_" STAMP ".pem",         "server_" STAMP ".pem",         "client_" STAMP ".pem",
        "xconf_dump_" STAMP ".txt", "xconf_dump_" STAMP ".xml",     "xstat_dump_" STAMP ".txt",
        "xstat_dump_" STAMP ".xml", "loggingsnapshot_" STAMP ".txt"};
    const size_t num_names = sizeof names / sizeof names[0];
    size_t num_entries = 0;

    write_diag();

    for (size_t i = 0; i < num_names; i++) {
        free(text_of(names[i])); // Fails the test if it is not there.
    }
    DIR *directory = opendir(output);
    cr_assert_not_null(directory);
    for (const struct dirent *entry = readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        num_entries += entry->d_name[0] != '.' ? 1 : 0;
    }
    (void)closedir(directory);
    cr_expect_eq(num_entries, num_names, "%zu files", num_entries);
    cr_expect_eq(fixture_mode(output), 0700u, "%04o", fixture_mode(output));
}

Test(diag, holds_no_key)
{
    char key_path[1024];
    (void)snprintf(key_path, sizeof key_path, "%s/privkey.pem", store_path);
    char *key = fixture_read(key_path, NULL);
    char *body = strchr(key, '\n') + 1;
    body[40] = '\0'; // A line of it, unique.

    write_diag();

    DIR *directory = opendir(output);
    cr_assert_not_null(directory);
    for (const struct dirent *entry = readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *text = text_of(entry->d_name);
        cr_expect_null(strstr(text, body), "the key is in %s", entry->d_name);
        cr_expect_null(strstr(text, "PRIVATE KEY"), "%s", entry->d_name);
        free(text);
    }
    (void)closedir(directory);
    free(key);
}

Test(diag, has_the_chains_that_are_in_the_store)
{
    char path[1024];
    struct ekb_chain *chain = NULL;

    write_diag();

    (void)snprintf(path, sizeof path, "%s/server_" STAMP ".pem", output);
    cr_assert_eq(ekb_chain_read_pem(&chain, path, NULL), EKB_OK);
    cr_expect_eq(ekb_chain_len(chain), ekb_chain_len(pki.chain));
    ekb_chain_destroy(chain);
}

Test(diag, says_what_is_in_the_store)
{
    const struct ekb_csr_spec spec = {.common_name = "asked.example"};
    cr_assert_eq(
        ekb_admin_csr_new(store_path, EKB_STORE_CLIENT, EKB_KEY_P256, &spec, EKB_CSR_KEEP, NULL),
        EKB_OK);

    write_diag();

    expect_part("xstat_dump_" STAMP ".txt", "server.chain_certificates: 2\n");
    expect_part("xstat_dump_" STAMP ".txt", "server.usages: serverAuth\n");
    expect_part("xstat_dump_" STAMP ".txt", "server.chain.2.subject: CN=test intermediate 1");
    expect_part("xstat_dump_" STAMP ".txt", "server.fault: none\n");
    expect_part("xstat_dump_" STAMP ".txt", "crl.lists: 0\n");
    expect_part("xstat_dump_" STAMP ".txt",
                "server.signing_request: There is no certificate signing request in progress\n");
    expect_part("xstat_dump_" STAMP ".txt", "client.signing_request: in progress\n");
    expect_part("xstat_dump_" STAMP ".txt", "trust.certificates: 1\n");
    expect_part("xstat_dump_" STAMP ".xml", "<item name=\"trust.certificates\">1</item>");
}

Test(diag, escapes_settings_in_xml)
{
    static const struct ekb_diag_item items[] = {{"listener.1", "a<b>&\"c\n"}};
    options.settings = items;
    options.num_settings = 1;

    write_diag();

    expect_part("xconf_dump_" STAMP ".xml",
                "<item name=\"listener.1\">a&lt;b&gt;&amp;&quot;c </item>");
    expect_part("xconf_dump_" STAMP ".txt", "listener.1: a<b>&");
    expect_part("xconf_dump_" STAMP ".txt", "store.crl: absent\n");
}

Test(diag, has_the_event_log)
{
    char log[512];
    fixture_write_text(fixture_dir_file(log, &dir, "events"), "first line\nsecond line\n");
    options.event_log = log;

    write_diag();

    expect_part("loggingsnapshot_" STAMP ".txt", "first line\nsecond line\n");
    expect_part("xstat_dump_" STAMP ".txt", "event_log.lines: 2\n");
}

Test(diag, says_why_when_the_event_log_cannot_be_read)
{
    struct ekb_fail fail = {0};
    options.event_log = "/nonexistent/events";

    const enum ekb_err err = ekb_diag_write(output, store_path, &options, &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    free(text_of("xstat_dump_" STAMP ".txt"));
    expect_part("loggingsnapshot_" STAMP ".txt", "/nonexistent/events");
}

Test(diag, counts_events_by_name)
{
    char log[512];
    fixture_write_text(fixture_dir_file(log, &dir, "events"),
                       "a tvcs: Event=\"Inbound TLS Negotiation Error\" Service=\"SIP\"\n"
                       "b tvcs: Event=\"Reloaded\" Service=\"SIP\"\n"
                       "something else\n"
                       "c tvcs: Event=\"Inbound TLS Negotiation Error\" Service=\"SIP\"");
    options.event_log = log;

    write_diag();

    expect_part("xstat_dump_" STAMP ".txt", "event_log.lines: 4\n"
                                            "event_log.events.Inbound TLS Negotiation Error: 2\n"
                                            "event_log.events.Reloaded: 1\n");
}

Test(diag, describes_the_crls)
{
    struct ekb_crls *crls = ekb_crls_create();
    struct ekb_change *change = NULL;
    const struct ekb_chain *const revoked[] = {pki.chain};
    const struct ekb_crl_spec spec = {.revoked = revoked,
                                      .num_revoked = 1,
                                      .this_update = NOW - 86400,
                                      .next_update = NOW + INT64_C(3) * 86400};
    cr_assert_eq(ekb_crls_issue(crls, pki.cas[0], &spec, NULL), EKB_OK);
    cr_assert_eq(ekb_change_begin(&change, store_path, NULL), EKB_OK);
    cr_assert_eq(ekb_change_put_crls(change, crls, NULL), EKB_OK);
    cr_assert_eq(ekb_change_commit(change, NULL), EKB_OK);
    ekb_change_destroy(change);

    write_diag();

    expect_part("xstat_dump_" STAMP ".txt", "crl.lists: 1\ncrl.1.issuer: CN=test root,O=ekubench\n"
                                            "crl.1.revoked: 1\n");
    expect_part("xstat_dump_" STAMP ".txt",
                "crl.1.next_update: 2026-04-01T06:54:39Z\ncrl.1.days_left: 3\n");
    expect_part("xconf_dump_" STAMP ".txt", "store.crl: present\n");
    ekb_crls_destroy(crls);
}

Test(diag, copies_no_key_in_the_place_of_an_event_log)
{
    char key_path[1024];
    char log[512];
    char snapshot[1024];
    (void)snprintf(key_path, sizeof key_path, "%s/privkey.pem", store_path);
    (void)snprintf(snapshot, sizeof snapshot, "%s/loggingsnapshot_" STAMP ".txt", output);
    char *key = fixture_read(key_path, NULL);
    char text[2048];
    (void)snprintf(text, sizeof text, "a line\n%s", key);
    const struct {
        const char *text;
        size_t len;
        const char *word;
    } cases[] = {
        {key, strlen(key), "private key"},
        {text, strlen(text), "private key"},
        {"\x30\x82\x00\x01", 4, "no text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_fail fail = {0};
        fixture_write(fixture_dir_file(log, &dir, "events"), cases[i].text, cases[i].len, 0600);
        options.event_log = log;

        const enum ekb_err err = ekb_diag_write(output, store_path, &options, &fail);

        cr_expect_eq(err, EKB_PARSE, "%zu: %s", i, ekb_err_name(err));
        cr_expect_not_null(strstr(fail.detail, cases[i].word), "%zu: %s", i, fail.detail);
        char *written = text_of("loggingsnapshot_" STAMP ".txt");
        cr_expect_null(strstr(written, "PRIVATE KEY"), "%zu: %s", i, written);
        cr_expect_not_null(strstr(written, cases[i].word), "%zu: %s", i, written);
        cr_expect_eq(fixture_mode(snapshot), 0640u, "%04o", fixture_mode(snapshot));
        free(written);
    }
    free(key);
}

Test(diag, lacks_what_the_store_lacks)
{
    const struct ekb_admin_host host = {.name = "host.example"};
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/client_" STAMP ".pem", output);
    (void)fixture_dir_file(store_path, &dir, "fresh");
    cr_assert_eq(ekb_admin_init(store_path, &host, NOW, NULL), EKB_OK);

    write_diag();

    cr_expect_null(fopen(path, "re"), "there is a client certificate");
    expect_part("xstat_dump_" STAMP ".txt", "client.chain_certificates: 0\n");
}

Test(diag, makes_a_file_name_of_any_host_name)
{
    char name[EKB_DIAG_NAME_LEN];
    options.host = "../a b/c";

    cr_expect_str_eq(ekb_diag_file_name(name, &options, "ca", "pem"),
                     "ca_..-a-b-c_2026-03-29_06_54_39.pem");
}

Test(diag, fails_when_there_is_no_store)
{
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_diag_write(output, "/nonexistent/store", &options, &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect_null(opendir(output), "something was written");
}
