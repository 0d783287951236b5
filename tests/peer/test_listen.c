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
    cr_expect_eq(listener.version, EKB_TLS_ANY);
}

Test(listen, takes_what_is_named_when_all_is)
{
    const struct ekb_listener listener = parse("127.0.0.1:0,eku=off,verify=parse,tls=1.2,depth=3");

    cr_expect_eq(listener.policy.eku, EKB_EKU_OFF);
    cr_expect_eq(listener.policy.verify, EKB_VERIFY_PARSE);
    cr_expect_eq(listener.version, EKB_TLS_1_2);
    cr_expect_eq(listener.policy.max_depth, 3);
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
        {"127.0.0.1:1 ,eku=on", "1 "},
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
        "127.0.0.1:0,eku=off,verify=raw,tls=1.2,depth=1",
        "[::1]:65535,eku=none,verify=one-way,tls=1.3,depth=100",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[160];
        const struct ekb_listener listener = parse(texts[i]);
        ekb_listener_format(text, sizeof text, &listener);
        cr_expect_str_eq(text, texts[i]);
    }
}

Test(listen, is_cut_off_when_there_is_no_room)
{
    char text[8] = "xxxxxxx";
    const struct ekb_listener listener = parse("127.0.0.1:7001");

    ekb_listener_format(text, sizeof text, &listener);

    cr_expect_str_eq(text, "127.0.0");
}
