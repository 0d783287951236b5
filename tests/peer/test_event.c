#include "ekubench/peer/event.h"

#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The parent looks ten times a second: what comes in between must fit.
#define MIN_CAPACITY 8000
// More than any queue holds.
#define FLOOD 100000

static struct ekb_event_queue *queue;

static void set_up(void)
{
    cr_assert_eq(ekb_event_queue_create(&queue), EKB_OK);
}

static void tear_down(void)
{
    ekb_event_queue_destroy(queue);
}

TestSuite(event, .init = set_up, .fini = tear_down, .timeout = 60);

// The queue. Events are told apart by their time.

static void push(uint64_t number)
{
    const struct ekb_event event = {.kind = EKB_EVENT_REFUSED, .at_ns = number};
    ekb_event_push(queue, &event);
}

// pop_all takes all events, which must be `first` and those that follow it, and returns how many.
static uint64_t pop_all(uint64_t first)
{
    struct ekb_event event;
    uint64_t count = 0;
    while (ekb_event_pop(&event, queue)) {
        cr_assert_eq(event.at_ns, first + count, "event %llu, not %llu",
                     (unsigned long long)event.at_ns, (unsigned long long)(first + count));
        count++;
    }
    return count;
}

Test(event, ignores_null_when_destroyed)
{
    ekb_event_queue_destroy(NULL);
}

Test(event, is_not_there_when_nothing_was_pushed)
{
    struct ekb_event event = {.at_ns = 77};

    const bool found = ekb_event_pop(&event, queue);

    cr_expect_not(found);
    cr_expect_eq(event.at_ns, 77, "written in spite of that");
    cr_expect_eq(ekb_event_num_lost(queue), 0);
}

Test(event, comes_out_as_it_went_in)
{
    struct ekb_event in = {.kind = EKB_EVENT_REFUSED, .at_ns = 123456789, .peer.len = 16};
    struct ekb_event out = {0};
    struct ekb_fail *fail = &in.fail;
    (void)ekb_fail_set(fail, EKB_VERIFY_REVOKED, 13, "why");
    cr_assert_eq(ekb_address_parse(&in.peer, "10.1.2.3:4", NULL), EKB_OK);
    cr_assert_eq(ekb_address_parse(&in.local, "[::1]:5061", NULL), EKB_OK);

    ekb_event_push(queue, &in);
    memset(&in, 0x5a, sizeof in); // It is a copy that is kept.
    cr_assert(ekb_event_pop(&out, queue));

    char peer[EKB_ADDRESS_TEXT_LEN];
    char local[EKB_ADDRESS_TEXT_LEN];
    cr_expect_eq(out.kind, EKB_EVENT_REFUSED, "%d", (int)out.kind);
    cr_expect_eq(out.at_ns, 123456789, "%llu", (unsigned long long)out.at_ns);
    cr_expect_str_eq(ekb_address_format(peer, &out.peer), "10.1.2.3:4");
    cr_expect_str_eq(ekb_address_format(local, &out.local), "[::1]:5061");
    cr_expect_eq(out.fail.err, EKB_VERIFY_REVOKED, "%s", ekb_err_name(out.fail.err));
    cr_expect_eq(out.fail.sys_errno, 13, "%d", out.fail.sys_errno);
    cr_expect_str_eq(out.fail.detail, "why");
    cr_expect_not(ekb_event_pop(&out, queue), "there is a second one");
}

Test(event, comes_out_in_the_order_of_pushing)
{
    for (uint64_t i = 0; i < 100; i++) {
        push(i);
    }

    cr_expect_eq(pop_all(0), 100);
    cr_expect_eq(ekb_event_num_lost(queue), 0);
}

Test(event, fits_when_there_is_a_burst)
{
    for (uint64_t i = 0; i < MIN_CAPACITY; i++) {
        push(i);
    }

    cr_expect_eq(ekb_event_num_lost(queue), 0, "%llu",
                 (unsigned long long)ekb_event_num_lost(queue));
    cr_expect_eq(pop_all(0), MIN_CAPACITY);
}

Test(event, is_counted_as_lost_when_there_is_no_room)
{
    for (uint64_t i = 0; i < FLOOD; i++) {
        push(i);
    }

    const uint64_t num_lost = ekb_event_num_lost(queue);
    const uint64_t num_kept = pop_all(0); // The oldest.
    cr_expect_gt(num_lost, 0);
    cr_expect_eq(num_kept + num_lost, FLOOD, "%llu kept, %llu lost", (unsigned long long)num_kept,
                 (unsigned long long)num_lost);
    cr_expect_eq(ekb_event_num_lost(queue), num_lost, "popping changed it");
}

Test(event, fits_again_when_one_was_popped)
{
    struct ekb_event event;
    for (uint64_t i = 0; i < FLOOD; i++) {
        push(i);
    }
    const uint64_t num_lost = ekb_event_num_lost(queue);
    const uint64_t num_kept = FLOOD - num_lost;

    cr_assert(ekb_event_pop(&event, queue));
    push(num_kept);
    const uint64_t num_lost_after = ekb_event_num_lost(queue);
    push(FLOOD);

    cr_expect_eq(num_lost_after, num_lost, "%llu", (unsigned long long)num_lost_after);
    cr_expect_eq(ekb_event_num_lost(queue), num_lost + 1);
    cr_expect_eq(pop_all(1), num_kept);
}

Test(event, keeps_its_order_when_the_queue_wraps_around)
{
    uint64_t num_pushed = 0;
    uint64_t num_popped = 0;
    // Lengths that divide no power of two.
    for (int turn = 0; turn < 1000; turn++) {
        for (int i = 0; i < 37; i++) {
            push(num_pushed++);
        }
        num_popped += pop_all(num_popped);
        cr_assert_eq(num_popped, num_pushed, "turn %d: %llu of %llu", turn,
                     (unsigned long long)num_popped, (unsigned long long)num_pushed);
    }

    cr_expect_eq(ekb_event_num_lost(queue), 0);
}

// The log promises that a reload is answered in a storm too, and the totals need to know of it:
// refused connections must not take all of the room.
Test(event, has_room_for_reloads_when_there_are_too_many_refusals)
{
    static const enum ekb_event_kind kinds[] = {EKB_EVENT_RELOADED, EKB_EVENT_RELOAD_FAILED};
    struct ekb_event event = {0};
    size_t num_reloads = 0;
    for (uint64_t i = 0; i < FLOOD; i++) {
        push(i);
    }

    for (size_t i = 0; i < 2; i++) {
        const struct ekb_event reload = {.kind = kinds[i]};
        ekb_event_push(queue, &reload);
    }

    while (ekb_event_pop(&event, queue)) {
        num_reloads += event.kind != EKB_EVENT_REFUSED;
    }
    cr_expect_eq(num_reloads, 2, "%zu of 2", num_reloads);
}

// Across processes.

// in_child runs `act` in a child process, which ends after it.
static pid_t in_child(void (*act)(void))
{
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        act();
        _exit(0);
    }
    return pid;
}

static void push_three(void)
{
    for (uint64_t i = 0; i < 3; i++) {
        push(i);
    }
}

static void push_flood(void)
{
    for (uint64_t i = 0; i < FLOOD; i++) {
        push(i);
    }
}

Test(event, is_there_when_a_child_pushed_it)
{
    int status = -1;

    const pid_t pid = in_child(push_three);
    cr_assert_eq(waitpid(pid, &status, 0), pid);

    cr_expect_eq(status, 0, "%d", status);
    cr_expect_eq(pop_all(0), 3);
}

Test(event, is_lost_to_both_when_a_child_pushes_too_many)
{
    const pid_t pid = in_child(push_flood);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);

    const uint64_t num_lost = ekb_event_num_lost(queue);
    cr_expect_eq(num_lost + pop_all(0), FLOOD, "%llu lost", (unsigned long long)num_lost);
}

// Every event comes out once, in order, or is counted.
Test(event, is_popped_or_counted_when_a_child_pushes_meanwhile)
{
    struct ekb_event event;
    uint64_t num_popped = 0;
    uint64_t next = 0;
    bool ended = false;
    const pid_t pid = in_child(push_flood);

    for (;;) {
        if (ekb_event_pop(&event, queue)) {
            cr_assert_geq(event.at_ns, next, "%llu after %llu", (unsigned long long)event.at_ns,
                          (unsigned long long)next);
            next = event.at_ns + 1;
            num_popped++;
        } else if (ended) {
            break;
        } else {
            ended = waitpid(pid, NULL, WNOHANG) == pid;
        }
    }

    const uint64_t num_lost = ekb_event_num_lost(queue);
    cr_expect_eq(num_popped + num_lost, FLOOD, "%llu popped, %llu lost",
                 (unsigned long long)num_popped, (unsigned long long)num_lost);
}

// Time.

Test(event, has_the_time_of_the_wall_clock)
{
    const time_t before = time(NULL);

    const uint64_t now_ns = ekb_event_now_ns();

    // time() reads a coarser clock, which may be a tick behind.
    cr_expect_geq(now_ns / EKB_NS_PER_S, (uint64_t)before);
    cr_expect_leq(now_ns / EKB_NS_PER_S, (uint64_t)time(NULL) + 1);
}

// The text.

// 2026-03-29 06:54:39.839 UTC.
#define AT_NS UINT64_C(1774767279839000000)
#define UTC_TEXT "2026-03-29 06:54:39.839"

static void set_zone(const char *zone)
{
    cr_assert_eq(setenv("TZ", zone, 1), 0);
    tzset();
}

static struct ekb_event refused(const char *peer, const char *local, enum ekb_err err)
{
    struct ekb_event event = {
        .kind = EKB_EVENT_REFUSED, .at_ns = AT_NS, .fail = {.err = err, .alert = -1}};
    cr_assert_eq(ekb_address_parse(&event.peer, peer, NULL), EKB_OK, "%s", peer);
    cr_assert_eq(ekb_address_parse(&event.local, local, NULL), EKB_OK, "%s", local);
    return event;
}

static struct ekb_event reload_failed(enum ekb_err err, int sys_errno, const char *detail)
{
    struct ekb_event event = {.kind = EKB_EVENT_RELOAD_FAILED, .at_ns = AT_NS};
    (void)ekb_fail_set(&event.fail, err, sys_errno, "%s", detail);
    return event;
}

static void expect_line(const struct ekb_event *event, const char *wanted)
{
    char text[EKB_EVENT_TEXT_LEN];
    const char *line = ekb_event_format(text, event);
    cr_expect_eq(line, text, "another text is returned");
    cr_expect_str_eq(line, wanted, "\n     %s\nnot: %s", line, wanted);
}

// expect_whole expects one line with the values of `num_fields` fields between quotes, the last
// one being the time.
static void expect_whole(const char *line, size_t num_fields, const char *name)
{
    static const char end[] = " UTCTime=\"" UTC_TEXT "\"";
    const size_t len = strlen(line);
    size_t num_quotes = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)line[i];
        num_quotes += c == '"';
        cr_expect(c >= ' ' && c != 0x7f, "%s: character %d in: %s", name, c, line);
    }
    cr_expect_eq(num_quotes, 2 * num_fields, "%s: %zu quotes in: %s", name, num_quotes, line);
    cr_expect_lt(len, (size_t)EKB_EVENT_TEXT_LEN, "%s: %zu", name, len);
    cr_assert_gt(len, sizeof end, "%s: %s", name, line);
    cr_expect_str_eq(line + len - (sizeof end - 1), end, "%s: %s", name, line);
}

Test(event, is_the_products_line_when_a_connection_was_refused)
{
    const struct ekb_event event =
        refused("10.106.80.16:25046", "10.106.80.31:7001", EKB_VERIFY_PURPOSE);
    if (access("/usr/share/zoneinfo/Asia/Kolkata", R_OK) != 0) {
        cr_skip_test("no time zones are installed");
    }
    set_zone("Asia/Kolkata");

    expect_line(&event,
                "2026-03-29T12:24:39.839+05:30 tvcs: Event=\"Inbound TLS Negotiation Error\" "
                "Service=\"SIP\" Src-ip=\"10.106.80.16\" Src-port=\"25046\" "
                "Dst-ip=\"10.106.80.31\" Dst-port=\"7001\" "
                "Detail=\"unsupported certificate purpose\" Protocol=\"TLS\" Level=\"1\" "
                "UTCTime=\"2026-03-29 06:54:39.839\"");
}

Test(event, has_addresses_without_brackets_when_they_are_ipv6)
{
    const struct ekb_event event =
        refused("[2001:db8::1]:25046", "[::1]:7001", EKB_VERIFY_NO_LOCAL_ISSUER);
    set_zone("UTC0");

    expect_line(&event,
                "2026-03-29T06:54:39.839+00:00 tvcs: Event=\"Inbound TLS Negotiation Error\" "
                "Service=\"SIP\" Src-ip=\"2001:db8::1\" Src-port=\"25046\" Dst-ip=\"::1\" "
                "Dst-port=\"7001\" Detail=\"unable to get local issuer certificate\" "
                "Protocol=\"TLS\" Level=\"1\" UTCTime=\"2026-03-29 06:54:39.839\"");
}

// What a listener on [::] sees of an IPv4 client.
Test(event, has_ipv4_addresses_when_they_are_mapped)
{
    const struct ekb_event event =
        refused("[::ffff:10.106.80.16]:25046", "[::ffff:127.0.0.1]:7001", EKB_VERIFY_PURPOSE);
    set_zone("UTC0");

    expect_line(&event,
                "2026-03-29T06:54:39.839+00:00 tvcs: Event=\"Inbound TLS Negotiation Error\" "
                "Service=\"SIP\" Src-ip=\"10.106.80.16\" Src-port=\"25046\" "
                "Dst-ip=\"127.0.0.1\" Dst-port=\"7001\" "
                "Detail=\"unsupported certificate purpose\" "
                "Protocol=\"TLS\" Level=\"1\" UTCTime=\"2026-03-29 06:54:39.839\"");
}

// A connection that has been reset has no peer any more. What stands for it is nobody's address.
Test(event, is_whole_when_the_peer_is_unknown)
{
    static const char head[] =
        "2026-03-29T06:54:39.839+00:00 tvcs: Event=\"Inbound TLS Negotiation Error\" "
        "Service=\"SIP\" Src-ip=\"";
    static const char rest[] =
        "Dst-ip=\"10.106.80.31\" Dst-port=\"7001\" Detail=\"the peer reset the connection\" "
        "Protocol=\"TLS\" Level=\"1\" UTCTime=\"2026-03-29 06:54:39.839\"";
    char text[EKB_EVENT_TEXT_LEN];
    struct ekb_event event = refused("10.1.1.1:1", "10.106.80.31:7001", EKB_PEER_RESET);
    memset(&event.peer, 0, sizeof event.peer);
    set_zone("UTC0");

    const char *line = ekb_event_format(text, &event);

    expect_whole(line, 10, "unknown peer");
    cr_expect_eq(strncmp(line, head, sizeof head - 1), 0, "%s", line);
    cr_expect_not_null(strstr(line, "\" Src-port=\""), "%s", line);
    cr_expect_not_null(strstr(line, rest), "%s", line);
}

Test(event, is_whole_when_no_address_is_known)
{
    char text[EKB_EVENT_TEXT_LEN];
    const struct ekb_event event = {
        .kind = EKB_EVENT_REFUSED, .at_ns = AT_NS, .fail = {.err = EKB_PEER_RESET}};
    set_zone("UTC0");

    expect_whole(ekb_event_format(text, &event), 10, "no address");
}

// Zeroed but for its length, as it was in the place that `ekb_net_peer_address` did not fill.
Test(event, is_whole_when_the_peer_is_half_known)
{
    char text[EKB_EVENT_TEXT_LEN];
    struct ekb_event event = refused("[2001:db8::1]:25046", "[::1]:7001", EKB_PEER_RESET);
    event.peer.len = 0;
    set_zone("UTC0");

    expect_whole(ekb_event_format(text, &event), 10, "no length");
}

Test(event, is_whole_whatever_the_reason)
{
    set_zone("UTC0");
    for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
        char text[EKB_EVENT_TEXT_LEN];
        char detail[128];
        const struct ekb_event event = refused("10.1.1.1:1", "10.1.1.2:2", (enum ekb_err)err);
        (void)snprintf(detail, sizeof detail, " Detail=\"%s\" ",
                       ekb_err_sentence((enum ekb_err)err));

        const char *line = ekb_event_format(text, &event);

        expect_whole(line, 10, ekb_err_name((enum ekb_err)err));
        cr_expect_not_null(strstr(line, detail), "%s: %s", detail, line);
    }
}

Test(event, says_so_when_all_was_read_anew)
{
    const struct ekb_event event = {.kind = EKB_EVENT_RELOADED, .at_ns = AT_NS};
    set_zone("IST-5:30");

    expect_line(&event, "2026-03-29T12:24:39.839+05:30 tvcs: Event=\"Reloaded\" Service=\"SIP\" "
                        "Detail=\"store and policies read anew\" Level=\"1\" "
                        "UTCTime=\"2026-03-29 06:54:39.839\"");
}

Test(event, says_why_when_it_could_not_be_read_anew)
{
    const struct ekb_event event = reload_failed(EKB_NOT_FOUND, 2, "/etc/store/server.pem");
    set_zone("IST-5:30");

    expect_line(&event,
                "2026-03-29T12:24:39.839+05:30 tvcs: Event=\"Reload Failed\" Service=\"SIP\" "
                "Detail=\"/etc/store/server.pem: cannot be found\" "
                "Level=\"1\" UTCTime=\"2026-03-29 06:54:39.839\"");
}

Test(event, says_how_many_when_lines_were_left_out)
{
    char text[EKB_EVENT_TEXT_LEN];
    set_zone("IST-5:30");

    const char *line = ekb_event_format_lost(text, AT_NS, 1234);

    cr_expect_eq(line, text, "another text is returned");
    cr_expect_str_eq(
        line,
        "2026-03-29T12:24:39.839+05:30 tvcs: Event=\"Events Left Out\" Service=\"SIP\" "
        "Detail=\"1234 lines\" Level=\"1\" UTCTime=\"2026-03-29 06:54:39.839\"",
        "%s", line);
}

Test(event, says_how_many_when_it_is_the_largest_number)
{
    char text[EKB_EVENT_TEXT_LEN];
    set_zone("UTC0");

    const char *line = ekb_event_format_lost(text, AT_NS, UINT64_MAX);

    expect_whole(line, 5, "the largest number");
    cr_expect_not_null(strstr(line, "\"18446744073709551615 lines\""), "%s", line);
}

struct hostile {
    const char *name;
    const char *detail;
};

Test(event, stays_one_line_whatever_the_detail)
{
    static const struct hostile cases[] = {
        {"quote", "a \"quoted\" word"},
        {"quote at the end", "ends with \""},
        {"forged field", "x\" Event=\"Reloaded"},
        {"forged line", "x\"\n2026-03-29T12:24:39.839+05:30 tvcs: Event=\"Reloaded\""},
        {"newline", "one\ntwo"},
        {"carriage return", "one\rtwo"},
        {"tab", "one\ttwo"},
        {"escape sequence", "\033[2Jgone"},
        {"first and last control character", "\001\037"},
        {"delete", "one\177two"},
        {"format", "%s%n%d"},
        {"nothing", ""},
    };
    set_zone("UTC0");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[EKB_EVENT_TEXT_LEN];
        const struct ekb_event event = reload_failed(EKB_PARSE, 0, cases[i].detail);

        const char *line = ekb_event_format(text, &event);

        expect_whole(line, 5, cases[i].name);
    }
}

Test(event, keeps_the_letters_of_a_detail)
{
    char text[EKB_EVENT_TEXT_LEN];
    const struct ekb_event event =
        reload_failed(EKB_NOT_FOUND, 0, "/srv/Größe/ключ 'x' \\ = [100%] ~");
    set_zone("UTC0");

    const char *line = ekb_event_format(text, &event);

    cr_expect_not_null(strstr(line, "Detail=\"/srv/Größe/ключ 'x' \\ = [100%] ~: something"), "%s",
                       line);
}

Test(event, is_whole_when_the_detail_is_the_longest)
{
    char detail[sizeof((struct ekb_fail *)NULL)->detail];
    memset(detail, 'x', sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    set_zone("UTC0");
    for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
        if (err == EKB_USAGE) {
            continue; // Its detail stands alone.
        }
        // EILSEQ has the longest reason: "Invalid or incomplete multibyte or wide character".
        char text[EKB_EVENT_TEXT_LEN];
        char wanted[768];
        const struct ekb_event event = reload_failed((enum ekb_err)err, 84, detail);
        (void)snprintf(wanted, sizeof wanted, " Detail=\"%s: %s (%s)\" ", detail,
                       ekb_err_sentence((enum ekb_err)err), strerror(84));

        const char *line = ekb_event_format(text, &event);

        expect_whole(line, 5, ekb_err_name((enum ekb_err)err));
        cr_expect_not_null(strstr(line, wanted), "%s: %s", ekb_err_name((enum ekb_err)err), line);
    }
}

// Nothing else is as long: all of its parts at their longest.
Test(event, is_whole_when_the_addresses_are_the_longest)
{
    static const char longest[] = "[2001:1234:5678:9abc:def0:1234:5678:9abc]:65535";
    set_zone("<-0330>3:30");
    for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
        char text[EKB_EVENT_TEXT_LEN];
        const struct ekb_event event = refused(longest, longest, (enum ekb_err)err);

        const char *line = ekb_event_format(text, &event);

        expect_whole(line, 10, ekb_err_name((enum ekb_err)err));
        cr_expect_not_null(strstr(line, "Src-ip=\"2001:1234:5678:9abc:def0:1234:5678:9abc\" "
                                        "Src-port=\"65535\""),
                           "%s", line);
    }
}

struct zone_case {
    const char *zone;
    uint64_t at_ns;
    const char *head;
    const char *utc;
};

Test(event, has_the_local_time_with_its_offset)
{
    static const struct zone_case cases[] = {
        {"UTC0", AT_NS, "2026-03-29T06:54:39.839+00:00 tvcs: ", UTC_TEXT},
        {"IST-5:30", AT_NS, "2026-03-29T12:24:39.839+05:30 tvcs: ", UTC_TEXT},
        {"<-0330>3:30", AT_NS, "2026-03-29T03:24:39.839-03:30 tvcs: ", UTC_TEXT},
        {"<+14>-14", AT_NS, "2026-03-29T20:54:39.839+14:00 tvcs: ", UTC_TEXT},
        // The day is another one.
        {"<-12>12", AT_NS, "2026-03-28T18:54:39.839-12:00 tvcs: ", UTC_TEXT},
        // A second before the clocks go forward, and at that second.
        {"CET-1CEST,M3.5.0,M10.5.0/3", UINT64_C(1774745999999999999),
         "2026-03-29T01:59:59.999+01:00 tvcs: ", "2026-03-29 00:59:59.999"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", UINT64_C(1774746000000000000),
         "2026-03-29T03:00:00.000+02:00 tvcs: ", "2026-03-29 01:00:00.000"},
        // Milliseconds are cut, not rounded, and have their zeroes.
        {"UTC0", UINT64_C(1774767279007999999),
         "2026-03-29T06:54:39.007+00:00 tvcs: ", "2026-03-29 06:54:39.007"},
        {"UTC0", UINT64_C(0), "1970-01-01T00:00:00.000+00:00 tvcs: ", "1970-01-01 00:00:00.000"},
        // Beyond 32 bits of seconds.
        {"UTC0", UINT64_C(4294967296) * EKB_NS_PER_S,
         "2106-02-07T06:28:16.000+00:00 tvcs: ", "2106-02-07 06:28:16.000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[EKB_EVENT_TEXT_LEN];
        char utc[64];
        const struct ekb_event event = {.kind = EKB_EVENT_RELOADED, .at_ns = cases[i].at_ns};
        (void)snprintf(utc, sizeof utc, " UTCTime=\"%s\"", cases[i].utc);
        set_zone(cases[i].zone);

        const char *line = ekb_event_format(text, &event);

        cr_expect_eq(strncmp(line, cases[i].head, strlen(cases[i].head)), 0, "%s: %s",
                     cases[i].zone, line);
        cr_expect_not_null(strstr(line, utc), "%s: %s", cases[i].zone, line);
    }
}
