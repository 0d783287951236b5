#include "ekubench/io/net.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534
// TEST-NET-1 (RFC 5737): no host has it.
#define FOREIGN_ADDRESS "192.0.2.1:0"

TestSuite(net, .timeout = 60);

static struct ekb_address parsed(const char *text)
{
    struct ekb_address address = {0};
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_address_parse(&address, text, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", text, fail.detail);
    return address;
}

// listening returns a listener on a free port of `text`, and where it is.
static int listening(struct ekb_address *out_address, const char *text)
{
    int fd = -1;
    struct ekb_fail fail = {0};
    const struct ekb_address address = parsed(text);
    const enum ekb_err err = ekb_net_listen(&fd, &address, false, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", text, fail.detail);
    cr_assert_eq(ekb_net_local_address(out_address, fd), EKB_OK);
    return fd;
}

static int connected(const struct ekb_address *address)
{
    int fd = -1;
    cr_assert_eq(ekb_net_client_socket(&fd, address->storage.ss_family, NULL), EKB_OK);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address->storage, address->len), 0, "%s",
                 strerror(errno));
    return fd;
}

static int int_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

// Addresses.

Test(net, resolves_to_each_address_of_a_name_the_first_of_which_is_what_is_parsed)
{
    struct ekb_addresses found;
    char first[EKB_ADDRESS_TEXT_LEN];
    char text[EKB_ADDRESS_TEXT_LEN];
    const struct ekb_address address = parsed("localhost:7001");
    cr_assert_eq(ekb_address_resolve(&found, "localhost:7001", NULL), EKB_OK);
    cr_assert_geq(found.num, 1);
    cr_assert_leq(found.num, EKB_ADDRESSES_MAX);
    cr_expect_str_eq(ekb_address_format(first, &found.all[0]), ekb_address_format(text, &address));
    for (size_t i = 1; i < found.num; i++) {
        cr_expect_str_neq(ekb_address_format(text, &found.all[i]), first);
        cr_expect_eq(ekb_address_port(&found.all[i]), 7001);
    }
    cr_expect_eq(ekb_address_resolve(&found, "[::1]:7001", NULL), EKB_OK);
    cr_expect_eq(found.num, 1);
    cr_expect_eq(ekb_address_resolve(&found, "nowhere.invalid:1", NULL), EKB_NOT_FOUND);
    cr_expect_eq(ekb_address_resolve(&found, "::1:7001", NULL), EKB_USAGE);
}

Test(net, writes_what_it_read_when_the_address_is_numeric)
{
    static const char *const texts[] = {
        "127.0.0.1:7001", "0.0.0.0:0", "255.255.255.255:65535", "10.1.2.3:80",
        "[::1]:7001",     "[::]:0",    "[2001:db8::42]:443",    "[::ffff:1.2.3.4]:65535",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[EKB_ADDRESS_TEXT_LEN];
        const struct ekb_address address = parsed(texts[i]);

        const char *got = ekb_address_format(text, &address);

        cr_expect_eq(got, text);
        cr_expect_str_eq(text, texts[i], "%s, not %s", text, texts[i]);
    }
}

Test(net, resolves_the_name_when_the_address_has_one)
{
    const struct ekb_address address = parsed("localhost:7001");

    const int family = address.storage.ss_family;
    cr_expect(family == AF_INET || family == AF_INET6, "%d", family);
    cr_expect_eq(ekb_address_port(&address), 7001, "%u", ekb_address_port(&address));
}

Test(net, refuses_an_address_when_it_is_malformed)
{
    static const char *const texts[] = {
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        ":7001",
        "localhost",
        "127.0.0.1:x",
        "127.0.0.1:70x",
        "127.0.0.1: 70",
        "127.0.0.1:+70",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "127.0.0.1:18446744073709551617",
        "127.0.0.1:https",
        "::1:7001",
        "::1",
        "[::1]",
        "[::1]:",
        "[::1",
        "[::1:7001",
        "::1]:7001",
        "[]:7001",
        "7001",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ekb_address address = {.len = 99};
        struct ekb_fail fail = {0};

        const enum ekb_err err = ekb_address_parse(&address, texts[i], &fail);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s (%s)", texts[i], ekb_err_name(err), fail.detail);
        cr_expect_eq(address.len, 99u, "\"%s\": the output was changed", texts[i]);
        cr_expect_not_null(strstr(fail.detail, texts[i]), "%s", fail.detail);
    }
}

Test(net, refuses_an_address_when_its_host_is_too_long)
{
    char text[300];
    struct ekb_address address;
    memset(text, 'a', 256);
    memcpy(text + 256, ":7001", 6);

    const enum ekb_err err = ekb_address_parse(&address, text, NULL);

    cr_assert_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
}

Test(net, finds_no_address_when_the_name_does_not_resolve)
{
    struct ekb_address address = {.len = 99};
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_address_parse(&address, "no-such-host.invalid:7001", &fail);

    cr_assert_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_assert_not_null(strstr(fail.detail, "no-such-host.invalid"), "%s", fail.detail);
    cr_assert_eq(address.len, 99u, "the output was changed");
}

Test(net, changes_only_the_port_when_given_another)
{
    static const char *const texts[][2] = {{"127.0.0.1:7001", "127.0.0.1:65535"},
                                           {"[2001:db8::42]:0", "[2001:db8::42]:65535"}};
    for (size_t i = 0; i < 2; i++) {
        char text[EKB_ADDRESS_TEXT_LEN];
        const struct ekb_address address = parsed(texts[i][0]);

        const struct ekb_address changed = ekb_address_with_port(&address, 65535);

        cr_expect_str_eq(ekb_address_format(text, &changed), texts[i][1], "%s", text);
        cr_expect_str_eq(ekb_address_format(text, &address), texts[i][0], "%s", text);
    }
}

Test(net, knows_ipv4_loopback_when_it_sees_it)
{
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:1", true},        {"127.255.255.255:1", true}, {"127.0.0.0:1", true},
        {"126.255.255.255:1", false}, {"128.0.0.0:1", false},      {"0.0.0.127:1", false},
        {"[::1]:1", false},           {"[7f00::]:1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ekb_address address = parsed(cases[i].text);

        cr_expect_eq(ekb_address_is_loopback4(&address), cases[i].loopback, "%s", cases[i].text);
    }
}

// Listening.

Test(net, takes_a_free_port_when_it_listens_on_none)
{
    static const char *const texts[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < 2; i++) {
        struct ekb_address address;

        const int fd = listening(&address, texts[i]);

        cr_expect_neq(ekb_address_port(&address), 0, "%s", texts[i]);
        const int client = connected(&address);
        (void)close(client);
        (void)close(fd);
    }
}

Test(net, says_which_address_when_it_is_in_use)
{
    int fd = -1;
    char text[EKB_ADDRESS_TEXT_LEN];
    struct ekb_address address;
    struct ekb_fail fail = {0};
    const int first = listening(&address, "127.0.0.1:0");
    (void)ekb_address_format(text, &address);

    const enum ekb_err err = ekb_net_listen(&fd, &address, false, &fail);

    cr_expect_eq(err, EKB_ADDRESS_IN_USE, "%s", ekb_err_name(err));
    cr_expect_eq(fail.sys_errno, EADDRINUSE, "%s", strerror(fail.sys_errno));
    cr_expect_not_null(strstr(fail.detail, text), "%s", fail.detail);
    cr_expect_eq(fd, -1, "the output was changed");
    (void)close(first);
}

Test(net, listens_again_at_once_when_a_connection_of_the_old_listener_is_in_time_wait)
{
    struct ekb_address address;
    int fd = -1;
    struct ekb_fail fail = {0};
    const int first = listening(&address, "127.0.0.1:0");
    const int client = connected(&address);
    const int accepted = accept(first, NULL, NULL);
    char byte;
    // The server closes first, in order: its side is in TIME_WAIT.
    (void)close(accepted);
    cr_assert_eq(read(client, &byte, 1), 0);
    cr_assert_eq(shutdown(client, SHUT_WR), 0);
    (void)close(first);

    const enum ekb_err err = ekb_net_listen(&fd, &address, false, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    (void)close(fd);
    (void)close(client);
}

Test(net, shares_an_address_when_all_listeners_say_so)
{
    int first = -1;
    int second = -1;
    struct ekb_address address = parsed("127.0.0.1:0");
    cr_assert_eq(ekb_net_listen(&first, &address, true, NULL), EKB_OK);
    cr_assert_eq(ekb_net_local_address(&address, first), EKB_OK);

    const enum ekb_err err = ekb_net_listen(&second, &address, true, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    (void)close(first);
    (void)close(second);
}

Test(net, does_not_share_an_address_when_the_first_listener_did_not)
{
    int second = -1;
    struct ekb_address address;
    const int first = listening(&address, "127.0.0.1:0");

    const enum ekb_err err = ekb_net_listen(&second, &address, true, NULL);

    cr_assert_eq(err, EKB_ADDRESS_IN_USE, "%s", ekb_err_name(err));
    (void)close(first);
}

Test(net, accepts_connections_without_delay_when_listening)
{
    struct ekb_address address;
    const int fd = listening(&address, "127.0.0.1:0");
    const int client = connected(&address);

    const int accepted = accept(fd, NULL, NULL);

    cr_assert_geq(accepted, 0);
    cr_expect_eq(int_option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
    (void)close(accepted);
    (void)close(client);
    (void)close(fd);
}

Test(net, has_a_queue_for_many_connections_when_listening)
{
    enum {
        MANY = 100
    };
    int clients[MANY];
    struct ekb_address address;
    const int fd = listening(&address, "127.0.0.1:0");

    for (int i = 0; i < MANY; i++) {
        clients[i] = connected(&address);
    }

    for (int i = 0; i < MANY; i++) {
        const int accepted = accept(fd, NULL, NULL);
        cr_expect_geq(accepted, 0, "%d: %s", i, strerror(errno));
        (void)close(accepted);
        (void)close(clients[i]);
    }
    (void)close(fd);
}

Test(net, keeps_its_sockets_from_other_programs_when_it_makes_them)
{
    struct ekb_address address;
    const int listener = listening(&address, "127.0.0.1:0");
    const int client = connected(&address);

    cr_expect(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    cr_expect(fcntl(client, F_GETFD) & FD_CLOEXEC);
    (void)close(client);
    (void)close(listener);
}

Test(net, fails_to_listen_when_the_address_is_not_of_this_host)
{
    int fd = -1;
    struct ekb_fail fail = {0};
    const struct ekb_address address = parsed(FOREIGN_ADDRESS);

    const enum ekb_err err = ekb_net_listen(&fd, &address, false, &fail);

    cr_assert_eq(err, EKB_SYSTEM, "%s", ekb_err_name(err));
    cr_assert_eq(fail.sys_errno, EADDRNOTAVAIL, "%s", strerror(fail.sys_errno));
    cr_assert_eq(fd, -1, "the output was changed");
}

Test(net, fails_to_listen_when_the_port_is_privileged)
{
    int fd = -1;
    int first_port = 0;
    struct ekb_fail fail = {0};
    const struct ekb_address address = parsed("127.0.0.1:1");
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    if (file == NULL || fscanf(file, "%d", &first_port) != 1 || first_port <= 1) {
        cr_skip_test("every port is unprivileged here");
    }
    (void)fclose(file);
    if (geteuid() == 0) {
        cr_assert_eq(seteuid(NOBODY), 0);
    }

    const enum ekb_err err = ekb_net_listen(&fd, &address, false, &fail);

    cr_assert_eq(seteuid(getuid()), 0);
    cr_assert_eq(err, EKB_PERMISSION, "%s", ekb_err_name(err));
    cr_assert_not_null(strstr(fail.detail, "127.0.0.1:1"), "%s", fail.detail);
}

// no_descriptors lets this process open nothing more.
static void no_descriptors(void)
{
    const int next = dup(0);
    const struct rlimit limit = {.rlim_cur = (rlim_t)next, .rlim_max = (rlim_t)next};
    cr_assert_geq(next, 0);
    (void)close(next);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

Test(net, fails_to_listen_when_there_are_no_descriptors)
{
    int fd = -1;
    struct ekb_fail fail = {0};
    const struct ekb_address address = parsed("127.0.0.1:0");
    no_descriptors();

    const enum ekb_err err = ekb_net_listen(&fd, &address, false, &fail);

    cr_assert_eq(err, EKB_DESCRIPTORS, "%s", ekb_err_name(err));
    cr_assert_eq(fail.sys_errno, EMFILE, "%s", strerror(fail.sys_errno));
}

Test(net, has_no_local_address_when_it_is_no_socket)
{
    struct ekb_address address = {.len = 99};

    const enum ekb_err err = ekb_net_local_address(&address, -1);

    cr_assert_eq(err, EKB_SYSTEM, "%s", ekb_err_name(err));
    cr_assert_eq(address.len, 99u, "the output was changed");
}

// Client sockets.

Test(net, lingers_for_no_time_when_a_client)
{
    int fd = -1;
    struct linger linger = {0};
    socklen_t len = sizeof linger;

    cr_assert_eq(ekb_net_client_socket(&fd, AF_INET, NULL), EKB_OK);

    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len), 0);
    cr_expect(linger.l_onoff == 1 && linger.l_linger == 0, "%d, %d", linger.l_onoff,
              linger.l_linger);
    (void)close(fd);
}

Test(net, resets_the_connection_when_a_client_closes)
{
    struct ekb_address address;
    char byte;
    const int fd = listening(&address, "127.0.0.1:0");
    const int client = connected(&address);
    const int accepted = accept(fd, NULL, NULL);

    (void)close(client);

    cr_assert_eq(read(accepted, &byte, 1), -1);
    cr_assert_eq(errno, ECONNRESET, "%s", strerror(errno));
    (void)close(accepted);
    (void)close(fd);
}

Test(net, leaves_nagle_on_when_a_client)
{
    int fd = -1;

    cr_assert_eq(ekb_net_client_socket(&fd, AF_INET, NULL), EKB_OK);

    cr_expect_eq(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    (void)close(fd);
}

Test(net, comes_from_its_source_when_a_client_has_one)
{
    static const struct {
        const char *listener;
        const char *source;
    } cases[] = {
        {"127.0.0.1:0", "127.0.0.2:0"}, {"127.0.0.1:0", "127.3.4.5:0"}, {"[::1]:0", "[::1]:0"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int client = -1;
        char text[EKB_ADDRESS_TEXT_LEN];
        struct ekb_address address;
        struct ekb_address peer = {.len = sizeof peer.storage};
        const struct ekb_address source = parsed(cases[i].source);
        const int fd = listening(&address, cases[i].listener);

        const enum ekb_err err = ekb_net_client_socket(&client, address.storage.ss_family, &source);
        cr_assert_eq(err, EKB_OK, "%s: %s", cases[i].source, ekb_err_name(err));
        cr_assert_eq(connect(client, (const struct sockaddr *)&address.storage, address.len), 0,
                     "%s", strerror(errno));

        const int accepted = accept(fd, (struct sockaddr *)&peer.storage, &peer.len);
        cr_assert_geq(accepted, 0);
        cr_expect_neq(ekb_address_port(&peer), 0);
        peer = ekb_address_with_port(&peer, 0);
        cr_expect_str_eq(ekb_address_format(text, &peer), cases[i].source, "%s", text);
        (void)close(accepted);
        (void)close(client);
        (void)close(fd);
    }
}

Test(net, chooses_the_port_at_connect_when_a_client_has_a_source)
{
    int client = -1;
    struct ekb_address address;
    const struct ekb_address source = parsed("127.0.0.9:0");

    cr_assert_eq(ekb_net_client_socket(&client, AF_INET, &source), EKB_OK);

    cr_assert_eq(ekb_net_local_address(&address, client), EKB_OK);
    cr_assert_eq(ekb_address_port(&address), 0, "%u", ekb_address_port(&address));
    (void)close(client);
}

Test(net, fails_to_make_a_client_when_the_source_is_not_of_this_host)
{
    int fd = -1;
    const struct ekb_address source = parsed(FOREIGN_ADDRESS);

    const enum ekb_err err = ekb_net_client_socket(&fd, AF_INET, &source);

    cr_assert_eq(err, EKB_CONNECT_NO_PORT, "%s", ekb_err_name(err));
    cr_assert_eq(fd, -1, "the output was changed");
}

Test(net, leaks_no_descriptor_when_it_fails)
{
    int fd = -1;
    const struct ekb_address foreign = parsed(FOREIGN_ADDRESS);
    const int before = dup(0);
    (void)close(before);

    cr_expect_neq(ekb_net_client_socket(&fd, AF_INET, &foreign), EKB_OK);
    cr_expect_neq(ekb_net_listen(&fd, &foreign, false, NULL), EKB_OK);

    const int after = dup(0);
    cr_expect_eq(after, before, "%d, not %d", after, before);
    (void)close(after);
}

Test(net, fails_to_make_a_client_when_there_are_no_descriptors)
{
    int fd = -1;
    no_descriptors();

    const enum ekb_err err = ekb_net_client_socket(&fd, AF_INET, NULL);

    cr_assert_eq(err, EKB_DESCRIPTORS, "%s", ekb_err_name(err));
}

Test(net, fails_to_make_a_client_when_the_family_is_unknown)
{
    int fd = -1;

    const enum ekb_err err = ekb_net_client_socket(&fd, AF_MAX, NULL);

    cr_assert_eq(err, EKB_SYSTEM, "%s", ekb_err_name(err));
}

// Sockets used again.

Test(net, resets_the_connection_when_asked)
{
    struct ekb_address address;
    char byte;
    const int fd = listening(&address, "127.0.0.1:0");
    const int client = connected(&address);
    const int accepted = accept(fd, NULL, NULL);

    const enum ekb_err err = ekb_net_reset(client);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_eq(read(accepted, &byte, 1), -1);
    cr_assert_eq(errno, ECONNRESET, "%s", strerror(errno));
    (void)close(accepted);
    (void)close(client);
    (void)close(fd);
}

Test(net, connects_from_its_source_and_another_port_when_used_again)
{
    enum {
        MANY = 50
    };
    int client = -1;
    int num_same = 0;
    uint16_t last_port = 0;
    struct ekb_address address;
    const struct ekb_address source = parsed("127.0.0.7:0");
    const int fd = listening(&address, "127.0.0.1:0");
    cr_assert_eq(ekb_net_client_socket(&client, AF_INET, &source), EKB_OK);

    for (int i = 0; i < MANY; i++) {
        char text[EKB_ADDRESS_TEXT_LEN];
        struct ekb_address peer = {.len = sizeof peer.storage};
        cr_assert_eq(connect(client, (const struct sockaddr *)&address.storage, address.len), 0,
                     "%d: %s", i, strerror(errno));
        const int accepted = accept(fd, (struct sockaddr *)&peer.storage, &peer.len);
        cr_assert_geq(accepted, 0, "%d", i);
        num_same += ekb_address_port(&peer) == last_port;
        last_port = ekb_address_port(&peer);
        peer = ekb_address_with_port(&peer, 0);
        cr_expect_str_eq(ekb_address_format(text, &peer), "127.0.0.7:0", "%d: %s", i, text);

        cr_assert_eq(ekb_net_reset(client), EKB_OK, "%d", i);
        (void)close(accepted);
    }

    // By chance one port may come twice.
    cr_expect_leq(num_same, 2, "%d of %d", num_same, MANY);
    (void)close(client);
    (void)close(fd);
}

Test(net, forgets_what_was_not_read_when_reset)
{
    struct ekb_address address;
    char byte = 0;
    const int fd = listening(&address, "127.0.0.1:0");
    const int client = connected(&address);
    const int first = accept(fd, NULL, NULL);
    cr_assert_eq(write(first, "old", 3), 3);
    cr_assert_eq(recv(client, &byte, 1, MSG_PEEK), 1);

    cr_assert_eq(ekb_net_reset(client), EKB_OK);
    cr_assert_eq(connect(client, (const struct sockaddr *)&address.storage, address.len), 0);
    const int second = accept(fd, NULL, NULL);
    cr_assert_eq(write(second, "new", 3), 3);

    cr_assert_eq(read(client, &byte, 1), 1);
    cr_expect_eq(byte, 'n', "%c", byte);
    (void)close(second);
    (void)close(first);
    (void)close(client);
    (void)close(fd);
}

Test(net, still_closes_by_reset_when_used_again)
{
    struct ekb_address address;
    char byte;
    const int fd = listening(&address, "127.0.0.1:0");
    const int client = connected(&address);
    cr_assert_eq(ekb_net_reset(client), EKB_OK);
    (void)close(accept(fd, NULL, NULL));
    cr_assert_eq(connect(client, (const struct sockaddr *)&address.storage, address.len), 0);
    const int accepted = accept(fd, NULL, NULL);

    (void)close(client);

    cr_assert_eq(read(accepted, &byte, 1), -1);
    cr_assert_eq(errno, ECONNRESET, "%s", strerror(errno));
    (void)close(accepted);
    (void)close(fd);
}

Test(net, fails_to_reset_when_it_is_no_socket)
{
    const enum ekb_err err = ekb_net_reset(-1);

    cr_assert_eq(err, EKB_SYSTEM, "%s", ekb_err_name(err));
}

// Errors.

Test(net, has_a_code_for_each_reason_when_translating)
{
    static const struct {
        int reason;
        enum ekb_err err;
    } cases[] = {
        {ECONNREFUSED, EKB_CONNECT_REFUSED},
        {ETIMEDOUT, EKB_CONNECT_TIMEOUT},
        {ENETUNREACH, EKB_CONNECT_UNREACHABLE},
        {EHOSTUNREACH, EKB_CONNECT_UNREACHABLE},
        {ENETDOWN, EKB_CONNECT_UNREACHABLE},
        {EADDRNOTAVAIL, EKB_CONNECT_NO_PORT},
        {ECONNRESET, EKB_PEER_RESET},
        {EPIPE, EKB_PEER_RESET},
        {ECONNABORTED, EKB_PEER_RESET},
        {EMFILE, EKB_DESCRIPTORS},
        {ENFILE, EKB_DESCRIPTORS},
        {ECANCELED, EKB_STOPPED},
        {EIO, EKB_TRANSPORT},
        {9999, EKB_TRANSPORT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const enum ekb_err err = ekb_net_err_from_errno(cases[i].reason);

        cr_expect_eq(err, cases[i].err, "%s: %s, not %s", strerror(cases[i].reason),
                     ekb_err_name(err), ekb_err_name(cases[i].err));
    }
}

// Descriptors.

static struct rlimit descriptor_limit(void)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit;
}

Test(net, changes_no_limit_when_enough_descriptors_are_allowed)
{
    const struct rlimit before = descriptor_limit();

    const enum ekb_err err = ekb_net_need_descriptors(before.rlim_cur, NULL);

    const struct rlimit after = descriptor_limit();
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_eq(after.rlim_cur, before.rlim_cur);
    cr_expect_eq(after.rlim_max, before.rlim_max);
}

Test(net, raises_the_soft_limit_when_the_hard_limit_allows_it)
{
    struct rlimit limit = descriptor_limit();
    const rlim_t hard = limit.rlim_max;
    limit.rlim_cur = 100;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

    const enum ekb_err err = ekb_net_need_descriptors(200, NULL);

    limit = descriptor_limit();
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_geq(limit.rlim_cur, 200u, "%lu", (unsigned long)limit.rlim_cur);
    cr_expect_eq(limit.rlim_max, hard, "%lu", (unsigned long)limit.rlim_max);
}

// Without the right to raise hard limits, in a child: nothing gives that back.
Test(net, says_both_numbers_when_the_hard_limit_cannot_be_raised)
{
    struct report {
        enum ekb_err err;
        struct ekb_fail fail;
        struct rlimit limit;
    } report = {0};
    int ends[2];
    int status = 0;
    cr_assert_eq(pipe(ends), 0);
    (void)fflush(NULL);
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        const struct rlimit low = {.rlim_cur = 64, .rlim_max = 128};
        if (setrlimit(RLIMIT_NOFILE, &low) != 0 || (getuid() == 0 && setuid(NOBODY) != 0)) {
            _exit(1);
        }
        report.err = ekb_net_need_descriptors(12345, &report.fail);
        (void)getrlimit(RLIMIT_NOFILE, &report.limit);
        _exit(write(ends[1], &report, sizeof report) == sizeof report ? 0 : 2);
    }
    (void)close(ends[1]);

    cr_assert_eq(read(ends[0], &report, sizeof report), (ssize_t)sizeof report);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    (void)close(ends[0]);

    cr_expect_eq(report.err, EKB_DESCRIPTORS, "%s", ekb_err_name(report.err));
    cr_expect_not_null(strstr(report.fail.detail, "12345"), "%s", report.fail.detail);
    cr_expect_not_null(strstr(report.fail.detail, "128"), "%s", report.fail.detail);
    cr_expect_not_null(strstr(report.fail.detail, "ulimit"), "%s", report.fail.detail);
    cr_expect_eq(report.limit.rlim_cur, 64u, "%lu", (unsigned long)report.limit.rlim_cur);
}

// Counters.

// read_column returns the kernel's counter `name` of the lines that begin with `group`, counting
// columns in the line of names.
static uint64_t read_column(const char *file_path, const char *group, const char *name)
{
    char names[8192];
    char values[8192];
    FILE *file = fopen(file_path, "re");
    cr_assert_not_null(file);
    do {
        cr_assert_not_null(fgets(names, sizeof names, file), "no %s", group);
        cr_assert_not_null(fgets(values, sizeof values, file));
    } while (strncmp(names, group, strlen(group)) != 0);
    (void)fclose(file);

    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, " %s", name);
    const char *found = strstr(names, wanted);
    cr_assert_not_null(found, "no %s", name);
    const char *value = values;
    for (const char *c = names; c <= found; c++) {
        if (*c == ' ') {
            value = strchr(value, ' ') + 1;
        }
    }
    return strtoull(value, NULL, 10);
}

Test(net, reads_the_kernels_counters_when_asked)
{
    static const char netstat[] = "/proc/net/netstat";
    static const char snmp[] = "/proc/net/snmp";
    struct ekb_net_counters counters;
    const uint64_t retransmitted = read_column(snmp, "Tcp:", "RetransSegs");
    const uint64_t drops = read_column(netstat, "TcpExt:", "ListenDrops");
    const uint64_t cookies = read_column(netstat, "TcpExt:", "TCPReqQFullDoCookies");
    const uint64_t time_waits = read_column(netstat, "TcpExt:", "TCPTimeWaitOverflow");
    const uint64_t aborts = read_column(netstat, "TcpExt:", "TCPAbortOnMemory");

    cr_assert(ekb_net_read_counters(&counters));

    // They only grow.
    cr_expect(retransmitted <= counters.retransmitted_segments &&
                  counters.retransmitted_segments <= read_column(snmp, "Tcp:", "RetransSegs"),
              "%" PRIu64, counters.retransmitted_segments);
    cr_expect(drops <= counters.listen_drops &&
                  counters.listen_drops <= read_column(netstat, "TcpExt:", "ListenDrops"),
              "%" PRIu64, counters.listen_drops);
    cr_expect(cookies <= counters.request_queue_full_cookies &&
                  counters.request_queue_full_cookies <=
                      read_column(netstat, "TcpExt:", "TCPReqQFullDoCookies"),
              "%" PRIu64, counters.request_queue_full_cookies);
    cr_expect(time_waits <= counters.time_wait_overflows &&
                  counters.time_wait_overflows <=
                      read_column(netstat, "TcpExt:", "TCPTimeWaitOverflow"),
              "%" PRIu64, counters.time_wait_overflows);
    cr_expect(aborts <= counters.aborts_on_memory &&
                  counters.aborts_on_memory <= read_column(netstat, "TcpExt:", "TCPAbortOnMemory"),
              "%" PRIu64, counters.aborts_on_memory);
}

Test(net, counts_overflows_when_a_listener_is_too_slow)
{
    enum {
        MANY = 8
    };
    int clients[MANY];
    struct ekb_address address;
    struct ekb_net_counters before;
    struct ekb_net_counters after;
    const int fd = listening(&address, "127.0.0.1:0");
    cr_assert_eq(listen(fd, 0), 0);
    cr_assert(ekb_net_read_counters(&before));

    for (int i = 0; i < MANY; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(clients[i], (const struct sockaddr *)&address.storage, address.len);
    }

    cr_assert(ekb_net_read_counters(&after));
    cr_expect_gt(after.listen_overflows, before.listen_overflows, "%" PRIu64,
                 after.listen_overflows);
    cr_expect_gt(after.listen_drops, before.listen_drops, "%" PRIu64, after.listen_drops);
    for (int i = 0; i < MANY; i++) {
        (void)close(clients[i]);
    }
    (void)close(fd);
}

Test(net, knows_the_range_of_ephemeral_ports_when_asked)
{
    uint32_t low = 0;
    uint32_t high = 0;
    struct ekb_address address;
    struct ekb_address local;
    const int fd = listening(&address, "127.0.0.1:0");
    const int client = connected(&address);
    cr_assert_eq(ekb_net_local_address(&local, client), EKB_OK);

    cr_assert(ekb_net_port_range(&low, &high));

    const uint16_t port = ekb_address_port(&local);
    cr_expect_lt(low, high, "%" PRIu32 " to %" PRIu32, low, high);
    cr_expect(low <= port && port <= high, "%" PRIu32 " to %" PRIu32 ", but %u", low, high, port);
    (void)close(client);
    (void)close(fd);
}
