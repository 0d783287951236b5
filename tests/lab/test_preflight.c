#include "ekubench/lab/preflight.h"

#include "ekubench/base/clock.h"
#include "ekubench/io/net.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <string.h>

enum {
    FILES,
    PORTS,
    QUEUE,
    CONNTRACK
};

// A machine with Linux's defaults, and what it takes easily.
static struct ekb_preflight_limits limits;
static struct ekb_preflight_load load;
static struct ekb_preflight_finding findings[EKB_PREFLIGHT_NUM_CHECKS];

static void set_up(void)
{
    limits = (struct ekb_preflight_limits){
        .descriptors = 20000, .ports = 28232, .somaxconn = 4096, .conntrack_max = 262144};
    load = (struct ekb_preflight_load){.in_flight = 2000,
                                       .at_once = 2000,
                                       .client_workers = 1,
                                       .server_workers = 1,
                                       .is_loopback4 = true};
}

TestSuite(preflight, .init = set_up);

static void expect_level(size_t check, enum ekb_preflight_level level)
{
    ekb_preflight_check(findings, &load, &limits);
    cr_expect_eq(findings[check].level, level, "%s: %s", findings[check].check,
                 findings[check].found);
    cr_expect_eq(findings[check].advice[0] == '\0', level == EKB_PREFLIGHT_OK, "%s: \"%s\"",
                 findings[check].check, findings[check].advice);
    cr_expect_eq(findings[check].err != EKB_OK, level == EKB_PREFLIGHT_IMPOSSIBLE);
}

static void expect_words(size_t check, const char *found, const char *advice)
{
    cr_expect(strstr(findings[check].found, found) != NULL, "no \"%s\" in: %s", found,
              findings[check].found);
    cr_expect(strstr(findings[check].advice, advice) != NULL, "no \"%s\" in: %s", advice,
              findings[check].advice);
}

Test(preflight, passes_a_load_that_fits)
{
    for (size_t i = 0; i < EKB_PREFLIGHT_NUM_CHECKS; i++) {
        expect_level(i, EKB_PREFLIGHT_OK);
        cr_expect(findings[i].found[0] != '\0', "%s", findings[i].check);
    }
}

// A client worker opens what is in flight and 128 files beside.
Test(preflight, counts_descriptors_of_each_client_worker)
{
    load.server_workers = 0;
    load.in_flight = 20000 - 128;
    expect_level(FILES, EKB_PREFLIGHT_OK);
    load.in_flight = 20000 - 128 + 1;
    expect_level(FILES, EKB_PREFLIGHT_IMPOSSIBLE);
    expect_words(FILES, "1 client worker needs 20001 open files, 20000 are allowed",
                 "take 2 client workers");
    cr_expect_eq(findings[FILES].err, EKB_DESCRIPTORS);
    load.client_workers = 2;
    expect_level(FILES, EKB_PREFLIGHT_OK);
}

// A server worker has room for a quarter more than its share, and 256.
Test(preflight, counts_descriptors_of_each_server_worker)
{
    load.client_workers = 2;
    load.in_flight = 20000;
    expect_level(FILES, EKB_PREFLIGHT_IMPOSSIBLE);
    expect_words(FILES, "1 server worker needs 25384 open files",
                 "take 2 client and 2 server workers");
    load.server_workers = 2;
    expect_level(FILES, EKB_PREFLIGHT_OK);
    cr_expect_eq(ekb_preflight_room(20000, 2), 12756u);
    cr_expect_eq(ekb_preflight_room(20000, 0), ekb_preflight_room(20000, 1));
}

Test(preflight, names_no_number_of_workers_when_none_would_do)
{
    limits.descriptors = 1024;
    load.in_flight = 20000;
    expect_level(FILES, EKB_PREFLIGHT_IMPOSSIBLE);
    expect_words(FILES, "1024 are allowed", "fewer in flight");
}

Test(preflight, counts_ports_of_one_source_address_when_the_target_is_elsewhere)
{
    load.server_workers = 0;
    load.client_workers = 4;
    load.is_loopback4 = false;
    load.in_flight = 28232;
    expect_level(PORTS, EKB_PREFLIGHT_OK);
    load.in_flight = 28233;
    expect_level(PORTS, EKB_PREFLIGHT_IMPOSSIBLE);
    expect_words(PORTS, "28233 local ports are needed, there are 28232 for each of 1 source",
                 "only to 127.0.0.0/8");
    cr_expect_eq(findings[PORTS].err, EKB_CONNECT_NO_PORT);
}

Test(preflight, counts_ports_of_many_source_addresses_on_loopback)
{
    load.in_flight = 28233;
    expect_level(PORTS, EKB_PREFLIGHT_OK);
    limits.ports = 100;
    load.in_flight = 6400;
    expect_level(PORTS, EKB_PREFLIGHT_OK);
    load.in_flight = 6401;
    expect_level(PORTS, EKB_PREFLIGHT_IMPOSSIBLE);
    expect_words(PORTS, "6401", "ip_local_port_range");
}

Test(preflight, notes_a_short_accept_queue)
{
    load.at_once = 4096;
    expect_level(QUEUE, EKB_PREFLIGHT_OK);
    load.at_once = 4097;
    expect_level(QUEUE, EKB_PREFLIGHT_NOTE);
    expect_words(QUEUE, "4097 connections may begin at once, 1 accept queue", "somaxconn");
}

Test(preflight, counts_an_accept_queue_for_each_socket)
{
    load.at_once = 8192;
    load.server_workers = 2;
    expect_level(QUEUE, EKB_PREFLIGHT_OK);
    load.listening = EKB_LISTENING_SHARED;
    expect_level(QUEUE, EKB_PREFLIGHT_NOTE);
}

Test(preflight, does_not_judge_the_accept_queue_of_another_machine)
{
    load.at_once = 20000;
    load.server_workers = 0;
    expect_level(QUEUE, EKB_PREFLIGHT_NOTE);
    load.is_loopback4 = false;
    expect_level(QUEUE, EKB_PREFLIGHT_OK);
}

Test(preflight, counts_tracked_connections_twice)
{
    limits.conntrack_count = 262144 - 4000;
    expect_level(CONNTRACK, EKB_PREFLIGHT_OK);
    limits.conntrack_count++;
    expect_level(CONNTRACK, EKB_PREFLIGHT_IMPOSSIBLE);
    expect_words(CONNTRACK, "4000 more", "nf_conntrack_max");
    limits.conntrack_max = 0;
    expect_level(CONNTRACK, EKB_PREFLIGHT_OK);
}

Test(preflight, lets_pass_what_is_not_known)
{
    limits = (struct ekb_preflight_limits){.descriptors = 0};
    load.in_flight = 200000;
    load.at_once = 200000;
    for (size_t i = 0; i < EKB_PREFLIGHT_NUM_CHECKS; i++) {
        expect_level(i, EKB_PREFLIGHT_OK);
    }
}

Test(preflight, knows_what_begins_at_once)
{
    static const struct {
        uint64_t in_flight;
        uint64_t ramp_ns;
        uint64_t at_once;
    } cases[] = {
        {20000, 0, 20000},
        {20000, 100 * EKB_NS_PER_MS, 20000},
        {20000, EKB_NS_PER_S, 2000},
        {20000, 10 * EKB_NS_PER_S, 200},
        {20000, 100 * EKB_NS_PER_S, 64}, // A turn of the client.
        {10, 10 * EKB_NS_PER_S, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t at_once = ekb_preflight_at_once(cases[i].in_flight, cases[i].ramp_ns);

        cr_expect_eq(at_once, cases[i].at_once, "%zu: %" PRIu64, i, at_once);
    }
}

Test(preflight, knows_the_limits_of_this_machine)
{
    struct ekb_preflight_limits here;

    ekb_preflight_read_limits(&here);

    cr_expect_gt(here.descriptors, 0u);
    cr_expect_gt(here.ports, 0u);
    cr_expect_gt(here.somaxconn, 0u);
    // That is what can be had.
    cr_expect_eq(ekb_net_need_descriptors(here.descriptors, NULL), EKB_OK);
    cr_expect_eq(ekb_net_need_descriptors(UINT64_C(1) << 40, NULL), EKB_DESCRIPTORS);
}

Test(preflight, names_all_that_is_impossible)
{
    struct ekb_record record = {.num_notes = 0};
    struct ekb_fail fail = {0};
    load.in_flight = UINT64_C(1) << 40; // Of everything.
    load.at_once = UINT64_C(1) << 40;

    const enum ekb_err err = ekb_preflight_pass(&record, "load", &load, &fail);

    cr_expect_eq(err, EKB_DESCRIPTORS, "%s", ekb_err_name(err));
    cr_expect(strstr(fail.detail, "open files") != NULL, "%s", fail.detail);
    cr_expect(strstr(fail.detail, "local ports") != NULL, "%s", fail.detail);
    cr_assert_eq(record.num_notes, 1u);
    cr_expect(strstr(record.notes[0], "load: ") == record.notes[0], "%s", record.notes[0]);
    cr_expect(strstr(record.notes[0], "somaxconn") != NULL, "%s", record.notes[0]);
}

// As many as ekb_preflight_check lets pass, and not one more.
Test(preflight, knows_how_many_the_open_files_allow)
{
    static const struct {
        uint64_t descriptors;
        uint32_t clients, servers;
    } rows[] = {{20000, 1, 1}, {20000, 2, 2}, {1024, 1, 1}, {65536, 3, 1}, {20000, 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct ekb_preflight_limits allowed = {.descriptors = rows[i].descriptors};
        struct ekb_preflight_load wish = {.client_workers = rows[i].clients,
                                          .server_workers = rows[i].servers,
                                          .is_loopback4 = true};
        struct ekb_preflight_finding found_by[EKB_PREFLIGHT_NUM_CHECKS];
        wish.in_flight = ekb_preflight_most(&wish, &allowed);
        cr_expect_gt(wish.in_flight, 100u);
        ekb_preflight_check(found_by, &wish, &allowed);
        cr_expect_eq(found_by[0].level, EKB_PREFLIGHT_OK, "row %zu: %s", i, found_by[0].found);
        wish.in_flight += wish.in_flight / 50 + 10;
        ekb_preflight_check(found_by, &wish, &allowed);
        cr_expect_eq(found_by[0].level, EKB_PREFLIGHT_IMPOSSIBLE, "row %zu: %s", i,
                     found_by[0].found);
    }
}

Test(preflight, allows_nothing_where_there_is_nothing)
{
    const struct ekb_preflight_load wish = {.client_workers = 1, .server_workers = 1};
    const struct ekb_preflight_limits few = {.descriptors = 64};
    const struct ekb_preflight_limits unknown = {.descriptors = 0};
    cr_expect_eq(ekb_preflight_most(&wish, &few), 0u);
    cr_expect_eq(ekb_preflight_most(&wish, &unknown), UINT64_MAX);
}
