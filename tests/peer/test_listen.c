#include "ekubench/peer/listen.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

static struct ekb_listener parse(const char *text)
{
    struct ekb_listener listener = {.fd = 77};
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_listener_parse(&listener, text, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", text, fail.detail);
    return listener;
}

Test(listen, takes_defaults_when_only_an_address_is_named)
{
    char address[EKB_ADDRESS_TEXT_LEN];

    const struct ekb_listener listener = parse("127.0.0.1:7001");

    cr_expect_str_eq(ekb_address_format(address, &listener.address), "127.0.0.1:7001");
    cr_expect_eq(listener.policy.eku, EKB_EKU_ON);
    cr_expect_eq(listener.policy.verify, EKB_VERIFY_FULL);
    cr_expect_eq(listener.policy.max_depth, EKB_POLICY_DEFAULT_MAX_DEPTH);
    cr_expect_eq(listener.policy.eku_absent, EKB_EKU_ABSENT_ACCEPT);
    cr_expect_eq(listener.policy.crl, EKB_CRL_AUTO);
    cr_expect_eq(listener.policy.name.kind, EKB_NAME_NONE);
    cr_expect_eq(listener.version, EKB_TLS_ANY);
    cr_expect_eq(listener.resumption, EKB_TLS_RESUME_OFF);
}

Test(listen, takes_what_is_named_when_all_is)
{
    const struct ekb_listener listener = parse("127.0.0.1:0,eku=off,verify=parse,tls=1.2,depth=3");

    cr_expect_eq(listener.policy.eku, EKB_EKU_OFF);
    cr_expect_eq(listener.policy.verify, EKB_VERIFY_PARSE);
    cr_expect_eq(listener.version, EKB_TLS_1_2);
    cr_expect_eq(listener.policy.max_depth, 3);
}

Test(listen, takes_what_is_named_when_it_is_what_came_later)
{
    const struct ekb_listener listener =
        parse("127.0.0.1:0,eku-absent=reject,crl=on,resume=on,name=client.example");

    cr_expect_eq(listener.policy.eku_absent, EKB_EKU_ABSENT_REJECT);
    cr_expect_eq(listener.policy.crl, EKB_CRL_ON);
    cr_expect_eq(listener.resumption, EKB_TLS_RESUME_ON);
    cr_expect_eq(listener.policy.name.kind, EKB_NAME_DNS);
    cr_expect_str_eq(listener.policy.name.text, "client.example");
    cr_expect_eq(listener.policy.eku, EKB_EKU_ON); // No word is taken for its beginning.
}

Test(listen, takes_preferences_and_a_second_certificate)
{
    const struct ekb_listener listener =
        parse("127.0.0.1:0,groups=hybrid:X25519:P-256,second=/var/lib/a store,"
              "ciphers=ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256,tls=1.2");
    const struct ekb_listener plain = parse("127.0.0.1:0");

    cr_expect_str_eq(listener.groups, "hybrid:X25519:P-256");
    cr_expect_str_eq(listener.ciphers, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256");
    cr_expect_str_eq(listener.second_store, "/var/lib/a store");
    cr_expect_eq(listener.version, EKB_TLS_1_2);
    cr_expect_str_eq(plain.groups, "");
    cr_expect_str_eq(plain.ciphers, "");
    cr_expect_str_eq(plain.second_store, "");
}

// parse_long parses a listener whose last option has a value of `len` times 'd'.
static enum ekb_err parse_long(struct ekb_listener *out_listener, const char *option, size_t len)
{
    char text[2 * EKB_LISTENER_PATH_LEN];
    const size_t begin = strlen(option);
    cr_assert_lt(begin + len, sizeof text);
    memcpy(text, option, begin);
    memset(text + begin, 'd', len);
    text[begin + len] = '\0';
    return ekb_listener_parse(out_listener, text, NULL);
}

Test(listen, takes_the_longest_path_and_refuses_a_longer_one)
{
    struct ekb_listener listener = {.fd = 77};

    const enum ekb_err fits =
        parse_long(&listener, "127.0.0.1:0,second=", EKB_LISTENER_PATH_LEN - 1);
    const size_t len = strlen(listener.second_store);
    const enum ekb_err longer = parse_long(&listener, "127.0.0.1:0,second=", EKB_LISTENER_PATH_LEN);

    cr_expect_eq(fits, EKB_OK);
    cr_expect_eq(len, EKB_LISTENER_PATH_LEN - 1, "%zu", len);
    cr_expect_eq(longer, EKB_USAGE);
}

Test(listen, refuses_lists_that_are_too_long)
{
    struct ekb_listener listener = {.fd = 77};

    for (size_t len = EKB_LISTENER_LIST_LEN - 2; len < EKB_LISTENER_LIST_LEN + 2; len++) {
        cr_expect_eq(parse_long(&listener, "127.0.0.1:0,groups=", len), EKB_USAGE);
        cr_expect_eq(parse_long(&listener, "127.0.0.1:0,ciphers=", len), EKB_USAGE);
    }
    cr_expect_eq(listener.fd, 77);
}

Test(listen, takes_options_in_any_order)
{
    const struct ekb_listener listener = parse("127.0.0.1:0,depth=100,tls=1.3,eku=none");

    cr_expect_eq(listener.policy.max_depth, 100);
    cr_expect_eq(listener.version, EKB_TLS_1_3);
    cr_expect_eq(listener.policy.eku, EKB_EKU_NONE);
}

Test(listen, knows_every_mode_and_level)
{
    static const char *const modes[] = {"on", "off", "none"};
    static const char *const levels[] = {"full", "parse", "raw", "one-way"};
    char text[64];

    for (unsigned i = 0; i < EKB_EKU_NUM_MODES; i++) {
        (void)snprintf(text, sizeof text, "127.0.0.1:0,eku=%s", modes[i]);
        cr_expect_eq(parse(text).policy.eku, (enum ekb_eku_mode)i, "%s", text);
    }
    for (unsigned i = 0; i < EKB_VERIFY_NUM_LEVELS; i++) {
        (void)snprintf(text, sizeof text, "127.0.0.1:0,verify=%s", levels[i]);
        cr_expect_eq(parse(text).policy.verify, (enum ekb_verify_level)i, "%s", text);
    }
}

Test(listen, knows_every_value_of_a_switch)
{
    static const char *const absents[] = {"accept", "reject"};
    static const char *const crls[] = {"auto", "on", "off"};
    static const char *const resumptions[] = {"off", "on"};
    char text[64];

    for (unsigned i = 0; i < EKB_EKU_ABSENT_NUM; i++) {
        (void)snprintf(text, sizeof text, "127.0.0.1:0,eku-absent=%s", absents[i]);
        cr_expect_eq(parse(text).policy.eku_absent, (enum ekb_eku_absent)i, "%s", text);
    }
    for (unsigned i = 0; i < EKB_CRL_NUM_MODES; i++) {
        (void)snprintf(text, sizeof text, "127.0.0.1:0,crl=%s", crls[i]);
        cr_expect_eq(parse(text).policy.crl, (enum ekb_crl_mode)i, "%s", text);
    }
    for (unsigned i = 0; i <= EKB_TLS_RESUME_ON; i++) {
        (void)snprintf(text, sizeof text, "127.0.0.1:0,resume=%s", resumptions[i]);
        cr_expect_eq(parse(text).resumption, (enum ekb_tls_resumption)i, "%s", text);
    }
}

struct name_case {
    const char *text;
    enum ekb_name_kind kind;
    const char *name;
};

Test(listen, finds_the_kind_of_a_name)
{
    static const struct name_case cases[] = {
        {"client.example", EKB_NAME_DNS, "client.example"},
        {"localhost", EKB_NAME_DNS, "localhost"},
        {"192.0.2.7", EKB_NAME_IP, "192.0.2.7"},
        {"2001:db8::7", EKB_NAME_IP, "2001:db8::7"},
        {"[2001:db8::7]", EKB_NAME_IP, "2001:db8::7"},
        {"a.user@client.example", EKB_NAME_EMAIL, "a.user@client.example"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "127.0.0.1:0,name=%s,eku=off", cases[i].text);
        const struct ekb_listener listener = parse(text);
        cr_expect_eq(listener.policy.name.kind, cases[i].kind, "%s: %d", text,
                     (int)listener.policy.name.kind);
        cr_expect_str_eq(listener.policy.name.text, cases[i].name, "%s", text);
        cr_expect_eq(listener.policy.eku, EKB_EKU_OFF, "%s: what follows is lost", text);
    }
}

Test(listen, takes_the_longest_name)
{
    char name[EKB_NAME_LEN];
    char text[EKB_NAME_LEN + 32];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 60; i < sizeof name - 1; i += 61) {
        name[i] = '.';
    }
    (void)snprintf(text, sizeof text, "127.0.0.1:0,name=%s", name);

    const struct ekb_listener listener = parse(text);

    cr_expect_str_eq(listener.policy.name.text, name);
}

Test(listen, takes_ipv6_when_in_brackets)
{
    char address[EKB_ADDRESS_TEXT_LEN];

    const struct ekb_listener listener = parse("[::1]:7001,eku=off");

    cr_expect_str_eq(ekb_address_format(address, &listener.address), "[::1]:7001");
    cr_expect_eq(listener.policy.eku, EKB_EKU_OFF);
}

struct bad_case {
    const char *text;
    const char *in_detail;
};

Test(listen, refuses_and_names_the_part_when_it_is_bad)
{
    static const struct bad_case cases[] = {
        {"", ""},
        {"127.0.0.1", "127.0.0.1"},
        {"127.0.0.1:", "127.0.0.1:"},
        {"127.0.0.1:x", "127.0.0.1:x"},
        {"127.0.0.1:65536", "65536"},
        {"127.0.0.1:-1", "-1"},
        {"127.0.0.1:7001x", "7001x"},
        {":7001", ":7001"},
        {"::1:7001", "::1:7001"},
        {"eku=on", "eku=on"},
        {"127.0.0.1:1,eku", "eku"},
        {"127.0.0.1:1,eku=", "eku="},
        {"127.0.0.1:1,eku=maybe", "eku=maybe"},
        {"127.0.0.1:1,eku=ON", "eku=ON"},
        {"127.0.0.1:1,eku=onn", "eku=onn"},
        {"127.0.0.1:1,EKU=on", "EKU=on"},
        {"127.0.0.1:1,ek=on", "ek=on"},
        {"127.0.0.1:1,ekus=on", "ekus=on"},
        {"127.0.0.1:1,=on", "=on"},
        {"127.0.0.1:1,verify=some", "verify=some"},
        {"127.0.0.1:1,tls=1.1", "tls=1.1"},
        {"127.0.0.1:1,tls=", "tls="},
        {"127.0.0.1:1,depth=0", "depth=0"},
        {"127.0.0.1:1,depth=101", "depth=101"},
        {"127.0.0.1:1,depth=-1", "depth=-1"},
        {"127.0.0.1:1,depth=1.5", "depth=1.5"},
        {"127.0.0.1:1,depth=", "depth="},
        {"127.0.0.1:1,eku=on,surprise=1", "surprise=1"},
        {"127.0.0.1:1,eku-absent=maybe", "eku-absent=maybe"},
        {"127.0.0.1:1,eku-absent=", "eku-absent="},
        {"127.0.0.1:1,eku-absent", "eku-absent"},
        {"127.0.0.1:1,eku-absent=Reject", "eku-absent=Reject"},
        {"127.0.0.1:1,eku-=reject", "eku-=reject"},
        {"127.0.0.1:1,eku_absent=reject", "eku_absent=reject"},
        {"127.0.0.1:1,crl=yes", "crl=yes"},
        {"127.0.0.1:1,crl=", "crl="},
        {"127.0.0.1:1,crl", "crl"},
        {"127.0.0.1:1,crl=on ", "crl=on "},
        {"127.0.0.1:1,resume=auto", "resume=auto"},
        {"127.0.0.1:1,resume=", "resume="},
        {"127.0.0.1:1,resume=1", "resume=1"},
        {"127.0.0.1:1,resumption=on", "resumption=on"},
        {"127.0.0.1:1,name=", "name="},
        {"127.0.0.1:1,name", "name"},
        {"127.0.0.1:1,name=two words", "name=two words"},
        {"127.0.0.1:1,name=https://client.example/", "name=https://client.example/"},
        {"127.0.0.1:1,name=client.example:443", "name=client.example:443"},
        {"127.0.0.1:1,name=[client.example]", "name=[client.example]"},
        {"127.0.0.1:1,name=[192.0.2.7]", "name=[192.0.2.7]"},
        {"127.0.0.1:1,crl=off,eku-absent=no,name=x", "\"eku-absent=no\""},
        {"127.0.0.1:1 ,eku=on", "1 "},
        {"127.0.0.1:1,groups=", "groups="},
        {"127.0.0.1:1,groups", "hybrid"},
        {"127.0.0.1:1,groups=P-257", "groups=P-257"},
        {"127.0.0.1:1,groups=P-256:", "groups=P-256:"},
        {"127.0.0.1:1,groups=P-256:P-256", "joined by colons"},
        {"127.0.0.1:1,groups=P-256,X25519", "\"X25519\""},
        {"127.0.0.1:1,group=P-256", "groups="},
        {"127.0.0.1:1,groups=P-256,groups=P-384", "groups= is there twice"},
        {"127.0.0.1:1,ciphers=", "ciphers="},
        {"127.0.0.1:1,ciphers", "suites of TLS 1.2"},
        {"127.0.0.1:1,ciphers=TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
        {"127.0.0.1:1,ciphers=P-256", "ciphers=P-256"},
        {"127.0.0.1:1,cipher=ECDHE-RSA-AES128-GCM-SHA256", "ciphers="},
        {"127.0.0.1:1,second=", "second="},
        {"127.0.0.1:1,second", "another store"},
        {"127.0.0.1:1,second=a,second=a", "second= is there twice"},
        {"127.0.0.1:1,eku=on,eku=off", "\"eku=off\""},
        {"127.0.0.1:1,eku=on,tls=1.2,eku=on", "eku= is there twice"},
        {"127.0.0.1:1,name=a.example,name=b.example", "name=b.example"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_listener listener = {.fd = 77};
        struct ekb_fail fail = {0};
        const enum ekb_err err = ekb_listener_parse(&listener, cases[i].text, &fail);
        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s", cases[i].text, ekb_err_name(err));
        cr_expect(strstr(fail.detail, cases[i].in_detail) != NULL, "\"%s\": %s", cases[i].text,
                  fail.detail);
        cr_expect_eq(listener.fd, 77, "\"%s\": written in spite of the error", cases[i].text);
    }
}

Test(listen, is_not_found_when_name_does_not_resolve)
{
    struct ekb_listener listener;
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_listener_parse(&listener, "no-such-host.invalid:7001", &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "no-such-host.invalid") != NULL, "%s", fail.detail);
}

Test(listen, may_be_parsed_without_a_place_for_the_failure)
{
    struct ekb_listener listener;

    const enum ekb_err err = ekb_listener_parse(&listener, "127.0.0.1:1,eku=maybe", NULL);

    cr_expect_eq(err, EKB_USAGE);
}

Test(listen, is_written_with_every_option)
{
    char text[160];
    const struct ekb_listener listener = parse("127.0.0.1:7001");

    ekb_listener_format(text, sizeof text, &listener);

    cr_expect_str_eq(text, "127.0.0.1:7001,eku=on,verify=full,tls=any,depth=32");
}

Test(listen, reads_back_what_it_wrote)
{
    static const char *const texts[] = {
        "127.0.0.1:7001,eku=on,verify=full,tls=any,depth=32",
        "127.0.0.1:0,eku=off,verify=full,tls=1.2,depth=1",
        "[::1]:65535,eku=none,verify=full,tls=1.3,depth=100",
        "127.0.0.1:0,verify=parse,tls=1.2",
        "127.0.0.1:0,verify=raw,tls=any,resume=on",
        "[::1]:65535,verify=one-way,tls=1.3",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,eku-absent=reject",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,crl=on",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,crl=off",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,resume=on",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,name=client.example",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,name=192.0.2.7",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,name=2001:db8::7",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,name=a.user@client.example",
        "[::1]:1,eku=off,verify=full,tls=1.2,depth=2,eku-absent=reject,crl=off,resume=on,name=a.b",
        "127.0.0.1:1,eku=on,verify=full,tls=any,depth=32,groups=hybrid:P-384",
        "127.0.0.1:1,verify=raw,tls=1.2,ciphers=ECDHE-RSA-AES128-GCM-SHA256",
        "127.0.0.1:1,verify=one-way,tls=any,second=/some/where else",
        "[::1]:1,verify=raw,tls=any,resume=on,groups=P-256,ciphers=ECDHE-RSA-AES128-GCM-SHA256,"
        "second=dir",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[160];
        const struct ekb_listener listener = parse(texts[i]);
        ekb_listener_format(text, sizeof text, &listener);
        cr_expect_str_eq(text, texts[i], "%s, not %s", text, texts[i]);
    }
}

// The longest of everything.
Test(listen, reads_back_the_longest)
{
    char text[EKB_LISTENER_TEXT_LEN];
    struct ekb_listener listener =
        parse("[1234:1234:1234:1234:1234:1234:1234:1234]:65535,eku=none,verify=full,tls=any,"
              "depth=100,eku-absent=reject,crl=auto,resume=on");
    listener.policy.crl = EKB_CRL_OFF;
    listener.policy.name.kind = EKB_NAME_DNS;
    memset(listener.policy.name.text, 'n', sizeof listener.policy.name.text - 1);
    memset(listener.groups, 'g', sizeof listener.groups - 1);
    memset(listener.ciphers, 'c', sizeof listener.ciphers - 1);
    memset(listener.second_store, 's', sizeof listener.second_store - 1);

    ekb_listener_format(text, sizeof text, &listener);

    const char *at = strstr(text, ",second=");
    cr_assert_not_null(at);
    cr_expect_str_eq(at + strlen(",second="), listener.second_store, "%zu", strlen(text));
    cr_expect_lt(strlen(text) + 1, sizeof text);
}

Test(listen, says_nothing_of_what_is_the_default_though_it_was_named)
{
    char text[160];
    const struct ekb_listener listener =
        parse("127.0.0.1:7001,eku-absent=accept,crl=auto,resume=off");

    ekb_listener_format(text, sizeof text, &listener);

    cr_expect_str_eq(text, "127.0.0.1:7001,eku=on,verify=full,tls=any,depth=32", "%s", text);
}

// Nothing of it is looked at.
Test(listen, says_nothing_of_what_chains_are_verified_for_when_they_are_not)
{
    char text[160];
    const struct ekb_listener listener =
        parse("127.0.0.1:7001,verify=raw,eku=off,depth=3,crl=on,eku-absent=reject,name=a.example");

    ekb_listener_format(text, sizeof text, &listener);

    cr_expect_str_eq(text, "127.0.0.1:7001,verify=raw,tls=any", "%s", text);
}

// On a reload: who listens where stays.
Test(listen, takes_all_terms_of_another_and_keeps_its_place)
{
    char text[256];
    char address[EKB_ADDRESS_TEXT_LEN];
    struct ekb_listener listener = parse("127.0.0.1:7001");
    const struct ekb_listener from =
        parse("127.0.0.1:7002,eku=off,tls=1.2,depth=3,resume=on,name=a.example,groups=P-256,"
              "ciphers=ECDHE-RSA-AES128-GCM-SHA256,second=dir");
    listener.fd = 5;
    listener.arm = 6;

    ekb_listener_take_terms(&listener, &from);

    ekb_listener_format(text, sizeof text, &listener);
    cr_expect_str_eq(text,
                     "127.0.0.1:7001,eku=off,verify=full,tls=1.2,depth=3,resume=on,name=a.example,"
                     "groups=P-256,ciphers=ECDHE-RSA-AES128-GCM-SHA256,second=dir",
                     "%s", text);
    cr_expect_str_eq(ekb_address_format(address, &listener.address), "127.0.0.1:7001");
    cr_expect_eq(listener.fd, 5);
    cr_expect_eq(listener.arm, 6);
}

Test(listen, gives_up_its_own_terms_when_it_takes_others)
{
    char text[256];
    struct ekb_listener listener =
        parse("127.0.0.1:7001,groups=P-256,ciphers=ECDHE-RSA-AES128-GCM-SHA256,second=dir");
    const struct ekb_listener from = parse("127.0.0.1:7002");

    ekb_listener_take_terms(&listener, &from);

    ekb_listener_format(text, sizeof text, &listener);
    cr_expect_str_eq(text, "127.0.0.1:7001,eku=on,verify=full,tls=any,depth=32", "%s", text);
}

Test(listen, is_cut_off_when_there_is_no_room)
{
    char text[8] = "xxxxxxx";
    const struct ekb_listener listener = parse("127.0.0.1:7001");

    ekb_listener_format(text, sizeof text, &listener);

    cr_expect_str_eq(text, "127.0.0");
}
