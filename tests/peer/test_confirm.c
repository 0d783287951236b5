// What counts as a verdict, against connections in memory that are stopped where a test wants them.

#include "ekubench/peer/confirm.h"

#include "support/fixtures.h"
#include "support/tls_link.h"

#include "tls/tls_internal.h"

#include <criterion/criterion.h>
#include <openssl/cipher.h>
#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define RECORD_HEADER_LEN 5

static struct fixture_pki pki;
static struct ekb_identity identity;
static struct tls_link connection;
static struct ekb_tls_config *client;
static struct ekb_tls_config *server;

static void set_up(void)
{
    const unsigned usages = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH;
    fixture_pki_init(&pki, &(struct fixture_pki_spec){.key_type = EKB_KEY_P256, .eku = usages});
    identity = (struct ekb_identity){.chain = pki.chain, .key = pki.key};
}

static void tear_down(void)
{
    tls_link_deinit(&connection);
    ekb_tls_config_destroy(server);
    ekb_tls_config_destroy(client);
    fixture_pki_deinit(&pki);
}

TestSuite(confirm, .init = set_up, .fini = tear_down, .timeout = 60);

// begin starts a connection; nothing has been carried yet.
static void begin(enum ekb_tls_version version, enum ekb_tls_resumption resumption)
{
    struct ekb_tls_options options = {.role = EKB_ROLE_CLIENT,
                                      .version = version,
                                      .identity = &identity,
                                      .trust = fixture_pki_root(&pki),
                                      .policy = ekb_policy_default(),
                                      .resumption = resumption};
    if (client != NULL) {
        tls_link_deinit(&connection);
        ekb_tls_config_destroy(server);
        ekb_tls_config_destroy(client);
    }
    client = tls_config(&options);
    options.role = EKB_ROLE_SERVER;
    server = tls_config(&options);
    tls_link_init(&connection, client, server);
}

static bool has_pending(void)
{
    size_t wire_len;
    return ekb_endpoint_pending(connection.client, &wire_len) != NULL;
}

// send_pending sends what the client has to say.
static void send_pending(void)
{
    static const struct tls_cut uncut;
    (void)tls_flush(connection.client, &connection.to_server, &uncut);
}

// feed_server brings the server all that was sent, and has its answer on the way.
static void feed_server(void)
{
    static const struct tls_cut uncut;
    while (tls_deliver(connection.server, &connection.to_server, &connection.to_client, &uncut)) {
    }
    (void)tls_flush(connection.server, &connection.to_client, &uncut);
}

// feed_record brings the client the next record and leaves what it has to say pending. False if
// there was none.
static bool feed_record(void)
{
    struct tls_bytes *bytes = &connection.to_client;
    if (tls_bytes_len(bytes) < RECORD_HEADER_LEN) {
        return false;
    }
    const uint8_t *record = bytes->data + bytes->begin;
    const size_t len = RECORD_HEADER_LEN + ((size_t)record[3] << 8) + record[4];
    cr_assert_leq(len, tls_bytes_len(bytes));
    cr_assert_eq(ekb_endpoint_feed(connection.client, record, len), EKB_OK);
    bytes->begin += len;
    return true;
}

static void feed_client(void)
{
    while (feed_record()) {
    }
}

// hand_shake goes on until the client's own handshake is over and its last flight is sent. The
// server has not answered to that yet.
static void hand_shake(void)
{
    while (ekb_endpoint_state(connection.client) == EKB_ENDPOINT_HANDSHAKING) {
        send_pending();
        feed_server();
        while (!has_pending() && feed_record()) {
        }
    }
    cr_assert_eq(ekb_endpoint_state(connection.client), EKB_ENDPOINT_READY);
    send_pending();
}

static void server_writes(const char *text)
{
    cr_assert_eq(ekb_endpoint_write(connection.server, (const uint8_t *)text, strlen(text)),
                 EKB_OK);
    feed_server();
}

static void server_closes(void)
{
    ekb_endpoint_close(connection.server);
    feed_server();
}

// Names.

static const char *const state_names[] = {"waiting",  "ask",     "part",
                                          "accepted", "refused", "malformed"};

static void expect_at(int line, enum ekb_confirm mode, bool asked, enum ekb_confirm_state wanted)
{
    const enum ekb_confirm_state state = ekb_confirm_look(mode, connection.client, asked);
    cr_expect_eq(state, wanted, "line %d: %s%s: %s, not %s", line, ekb_confirm_name(mode),
                 asked ? ", asked" : "", state_names[state], state_names[wanted]);
}

#define EXPECT(mode, asked, wanted)                                                                \
    expect_at(__LINE__, EKB_CONFIRM_##mode, asked, EKB_CONFIRM_STATE_##wanted)

// EXPECT_ALL_WAIT expects that no mode has come to anything, asked or not.
#define EXPECT_ALL_WAIT() expect_all_wait(__LINE__)
static void expect_all_wait(int line)
{
    for (unsigned mode = 0; mode < EKB_CONFIRM_NUM; mode++) {
        expect_at(line, (enum ekb_confirm)mode, false, EKB_CONFIRM_STATE_WAITING);
        expect_at(line, (enum ekb_confirm)mode, true, EKB_CONFIRM_STATE_WAITING);
    }
}

Test(confirm, has_a_name_that_is_read_back)
{
    static const char *const names[] = {"first", "byte", "ticket", "close", "http", "none"};
    for (unsigned mode = 0; mode < EKB_CONFIRM_NUM; mode++) {
        enum ekb_confirm parsed = EKB_CONFIRM_NUM;

        const enum ekb_err err = ekb_confirm_parse(&parsed, names[mode]);

        cr_expect_eq(err, EKB_OK, "%s", names[mode]);
        cr_expect_eq(parsed, (enum ekb_confirm)mode, "%s", names[mode]);
        cr_expect_str_eq(ekb_confirm_name((enum ekb_confirm)mode), names[mode]);
    }
    cr_expect_str_eq(ekb_confirm_name(EKB_CONFIRM_NUM), "");
}

Test(confirm, refuses_what_is_no_name)
{
    static const char *const texts[] = {"", "First", "firs", "byte ", "tickets", "https", "0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum ekb_confirm parsed = EKB_CONFIRM_NUM;

        const enum ekb_err err = ekb_confirm_parse(&parsed, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\"", texts[i]);
        cr_expect_eq(parsed, EKB_CONFIRM_NUM, "\"%s\": written", texts[i]);
    }
}

// TLS 1.3.

Test(confirm, waits_in_tls_1_3_until_the_clients_last_flight_is_sent)
{
    begin(EKB_TLS_1_3, EKB_TLS_RESUME_ON);
    EXPECT_ALL_WAIT(); // Its hello is pending.
    send_pending();
    EXPECT_ALL_WAIT();
    feed_server();
    EXPECT_ALL_WAIT();
    while (!has_pending() && feed_record()) {
    }

    cr_assert_eq(ekb_endpoint_state(connection.client), EKB_ENDPOINT_READY);
    cr_assert(has_pending());
    EXPECT(NONE, false, WAITING);
    EXPECT(FIRST, false, WAITING);
    EXPECT(HTTP, false, ASK); // The request goes out with it.
    EXPECT(HTTP, true, WAITING);
}

// A request finds no room beside a long flight, and waits until that has gone.
Test(confirm, does_not_ask_beside_a_long_flight)
{
    size_t wire_len = 0;
    fixture_pki_deinit(&pki);
    fixture_pki_init(&pki,
                     &(struct fixture_pki_spec){.key_type = EKB_KEY_P256,
                                                .depth = EKB_MINT_MAX_DEPTH,
                                                .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH});
    identity = (struct ekb_identity){.chain = pki.chain, .key = pki.key};
    begin(EKB_TLS_1_3, EKB_TLS_RESUME_OFF);
    send_pending();
    feed_server();
    while (!has_pending() && feed_record()) {
    }
    cr_assert_eq(ekb_endpoint_state(connection.client), EKB_ENDPOINT_READY);
    (void)ekb_endpoint_pending(connection.client, &wire_len);
    cr_assert_gt(wire_len, (size_t)EKB_ENDPOINT_TX_LEN / 2, "%zu", wire_len);
    EXPECT(HTTP, false, WAITING);

    send_pending();

    EXPECT(HTTP, false, ASK);
}

// The server has said nothing of the client's certificate.
Test(confirm, takes_the_clients_end_for_none_only_in_tls_1_3)
{
    begin(EKB_TLS_1_3, EKB_TLS_RESUME_ON);

    hand_shake();

    EXPECT(NONE, false, ACCEPTED);
    EXPECT(FIRST, false, WAITING);
    EXPECT(FIRST, true, WAITING);
    EXPECT(BYTE, false, WAITING);
    EXPECT(TICKET, false, WAITING);
    EXPECT(CLOSE, false, WAITING);
    EXPECT(HTTP, false, ASK);
    EXPECT(HTTP, true, WAITING);
}

Test(confirm, takes_a_ticket_of_tls_1_3)
{
    begin(EKB_TLS_1_3, EKB_TLS_RESUME_ON);
    hand_shake();
    feed_server();
    server_writes("K"); // With which the tickets go out, before it.

    while (ekb_endpoint_num_tickets(connection.client) == 0) {
        cr_assert(feed_record());
    }

    cr_assert_eq(ekb_endpoint_app_len(connection.client), 0);
    EXPECT(FIRST, false, ACCEPTED);
    EXPECT(TICKET, false, ACCEPTED);
    EXPECT(BYTE, false, WAITING);
    EXPECT(CLOSE, false, WAITING);
    feed_client();
    EXPECT(BYTE, false, ACCEPTED);
    EXPECT(TICKET, false, ACCEPTED);
}

Test(confirm, takes_a_byte_of_tls_1_3)
{
    begin(EKB_TLS_1_3, EKB_TLS_RESUME_OFF);
    hand_shake();
    feed_server();
    server_writes("K");

    feed_client();

    cr_assert_eq(ekb_endpoint_num_tickets(connection.client), 0u);
    EXPECT(FIRST, false, ACCEPTED);
    EXPECT(BYTE, false, ACCEPTED);
    EXPECT(NONE, false, ACCEPTED);
    EXPECT(TICKET, false, WAITING);
    EXPECT(CLOSE, false, WAITING);
}

Test(confirm, takes_a_close_of_either_version)
{
    static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};
    for (size_t i = 0; i < 2; i++) {
        begin(versions[i], EKB_TLS_RESUME_OFF);
        hand_shake();
        feed_server();
        server_closes();

        feed_client();

        cr_assert_eq(ekb_endpoint_state(connection.client), EKB_ENDPOINT_CLOSED);
        EXPECT(CLOSE, false, ACCEPTED);
        EXPECT(FIRST, false, ACCEPTED);
        EXPECT(FIRST, true, ACCEPTED);
        EXPECT(BYTE, false, WAITING);
        EXPECT(TICKET, false, WAITING);
        EXPECT(HTTP, false, WAITING); // Nobody can be asked any more.
        EXPECT(HTTP, true, WAITING);
    }
}

// What came before the close counts after it.
Test(confirm, takes_a_ticket_or_a_byte_when_the_close_comes_with_it)
{
    begin(EKB_TLS_1_3, EKB_TLS_RESUME_ON);
    hand_shake();
    feed_server();
    server_writes("K");
    server_closes();

    feed_client();

    cr_assert_eq(ekb_endpoint_state(connection.client), EKB_ENDPOINT_CLOSED);
    EXPECT(BYTE, false, ACCEPTED);
    EXPECT(TICKET, false, ACCEPTED);
    EXPECT(CLOSE, false, ACCEPTED);
    EXPECT(FIRST, false, ACCEPTED);
}

// TLS 1.2.

Test(confirm, takes_the_end_of_a_full_handshake_of_tls_1_2)
{
    begin(EKB_TLS_1_2, EKB_TLS_RESUME_OFF);

    hand_shake();

    EXPECT(FIRST, false, ACCEPTED);
    EXPECT(NONE, false, ACCEPTED);
    EXPECT(BYTE, false, WAITING);
    EXPECT(TICKET, false, WAITING);
    EXPECT(CLOSE, false, WAITING);
    EXPECT(HTTP, false, ASK);
    feed_server();
    server_writes("K");
    feed_client();
    EXPECT(BYTE, false, ACCEPTED);
}

// The server has verified the client when it sends a ticket, but its Finished is still to come.
Test(confirm, does_not_take_a_ticket_of_tls_1_2_before_the_end)
{
    begin(EKB_TLS_1_2, EKB_TLS_RESUME_ON);
    while (ekb_endpoint_num_tickets(connection.client) == 0) {
        send_pending();
        feed_server();
        while (!has_pending() && ekb_endpoint_num_tickets(connection.client) == 0 &&
               feed_record()) {
        }
    }

    cr_assert_eq(ekb_endpoint_state(connection.client), EKB_ENDPOINT_HANDSHAKING);
    EXPECT_ALL_WAIT();
    feed_client();
    cr_assert_eq(ekb_endpoint_state(connection.client), EKB_ENDPOINT_READY);
    EXPECT(TICKET, false, ACCEPTED);
    EXPECT(FIRST, false, ACCEPTED);
}

// resume makes a connection of TLS 1.2, and begins another that offers its session.
static struct ekb_tls_session *resume(void)
{
    begin(EKB_TLS_1_2, EKB_TLS_RESUME_ON);
    hand_shake();
    feed_server();
    feed_client();
    struct ekb_tls_session *session = ekb_endpoint_take_session(connection.client);
    cr_assert_not_null(session);
    const struct ekb_endpoint_choice choice = {.session = session};
    tls_link_restart_as(&connection, client, &choice, server);
    return session;
}

// The client's Finished is the last, and a reset might take it back.
Test(confirm, parts_when_tls_1_2_is_resumed)
{
    struct ekb_tls_session *session = resume();
    send_pending();
    EXPECT(FIRST, false, WAITING);
    feed_server();
    feed_client();
    cr_assert(ekb_endpoint_is_resumed(connection.client) && has_pending());
    EXPECT(FIRST, false, WAITING); // Its Finished is still here.

    send_pending();

    EXPECT(FIRST, false, PART);
    EXPECT(FIRST, true, WAITING);
    EXPECT(NONE, false, ACCEPTED);
    EXPECT(BYTE, false, WAITING);
    EXPECT(CLOSE, false, WAITING);
    EXPECT(HTTP, false, ASK);
    ekb_tls_session_destroy(session);
}

// renewing_key is the key of a server that gives a new ticket whenever it takes one.
static int renewing_key(SSL *ssl, uint8_t *key_name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                        HMAC_CTX *hmac, int encrypt)
{
    static const uint8_t key[16] = "known to us all";
    (void)ssl;
    if (encrypt == 1) {
        memset(key_name, 'n', 16);
        memset(iv, 'i', 16);
    }
    cr_assert(HMAC_Init_ex(hmac, key, sizeof key, EVP_sha256(), NULL) == 1 &&
              EVP_CipherInit_ex(cipher, EVP_aes_128_cbc(), NULL, key, iv, encrypt) == 1);
    return encrypt == 1 ? 1 : 2;
}

// As servers of OpenSSL do: the ticket comes when the client's Finished is still to go.
Test(confirm, parts_when_tls_1_2_is_resumed_with_a_new_ticket)
{
    begin(EKB_TLS_1_2, EKB_TLS_RESUME_ON);
    SSL_CTX_set_tlsext_ticket_key_cb(server->context, renewing_key);
    tls_link_restart(&connection, client, server);
    hand_shake();
    struct ekb_tls_session *session = ekb_endpoint_take_session(connection.client);
    cr_assert_not_null(session);
    const struct ekb_endpoint_choice choice = {.session = session};
    tls_link_restart_as(&connection, client, &choice, server);
    send_pending();
    feed_server();

    feed_client();

    cr_assert(ekb_endpoint_is_resumed(connection.client) && has_pending());
    cr_assert_eq(ekb_endpoint_num_tickets(connection.client), 1);
    EXPECT(FIRST, false, WAITING);
    EXPECT(TICKET, false, ACCEPTED);
    send_pending();
    EXPECT(FIRST, false, PART);
    ekb_tls_session_destroy(session);
}

// What the server sends then is the verdict, before and after the goodbye.
Test(confirm, takes_a_byte_or_a_close_when_tls_1_2_is_resumed)
{
    struct ekb_tls_session *session = resume();
    hand_shake();
    cr_assert(ekb_endpoint_is_resumed(connection.client));
    EXPECT(FIRST, false, PART);
    ekb_endpoint_close(connection.client);
    send_pending();
    feed_server();
    cr_assert_eq(ekb_endpoint_state(connection.server), EKB_ENDPOINT_CLOSED);
    EXPECT(FIRST, true, WAITING);
    server_writes("K");

    feed_client();

    EXPECT(FIRST, true, ACCEPTED);
    EXPECT(FIRST, false, ACCEPTED);
    EXPECT(BYTE, true, ACCEPTED);
    ekb_tls_session_destroy(session);
}

Test(confirm, does_not_part_when_tls_1_3_is_resumed)
{
    begin(EKB_TLS_1_3, EKB_TLS_RESUME_ON);
    hand_shake();
    feed_server();
    server_writes("K");
    feed_client();
    struct ekb_tls_session *session = ekb_endpoint_take_session(connection.client);
    const struct ekb_endpoint_choice choice = {.session = session};
    tls_link_restart_as(&connection, client, &choice, server);

    hand_shake();

    cr_assert(ekb_endpoint_is_resumed(connection.client));
    EXPECT(FIRST, false, WAITING);
    EXPECT(FIRST, true, WAITING);
    feed_server();
    server_writes("K");
    feed_client();
    EXPECT(FIRST, false, ACCEPTED);
    ekb_tls_session_destroy(session);
}

// HTTP.

struct answer_case {
    const char *text;
    enum ekb_confirm_state state;
};

// ask_1_3 comes to where the request has been sent.
static void ask_1_3(void)
{
    begin(EKB_TLS_1_3, EKB_TLS_RESUME_OFF);
    hand_shake();
    EXPECT(HTTP, false, ASK);
    feed_server();
    EXPECT(HTTP, true, WAITING);
}

Test(confirm, reads_the_status_of_an_answer)
{
    static const struct answer_case cases[] = {
        {"HTTP/1.1 200 OK\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.0 200 OK\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 200", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 204 No Content\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 302 Found\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 404 Not Found\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 402 Payment Required\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 405 Not Allowed\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 494 Header Too Large\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 497 HTTP to HTTPS\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 500 Error\r\n", EKB_CONFIRM_STATE_ACCEPTED},
        {"HTTP/1.1 400 Bad Request\r\n", EKB_CONFIRM_STATE_REFUSED},
        {"HTTP/1.1 401 Unauthorized\r\n", EKB_CONFIRM_STATE_REFUSED},
        {"HTTP/1.1 403 Forbidden\r\n", EKB_CONFIRM_STATE_REFUSED},
        {"HTTP/1.0 403 Forbidden\r\n", EKB_CONFIRM_STATE_REFUSED},
        {"HTTP/1.1 403", EKB_CONFIRM_STATE_REFUSED},
        {"HTTP/1.1 495 SSL Certificate Error\r\n", EKB_CONFIRM_STATE_REFUSED},
        {"HTTP/1.1 496 SSL Certificate Required\r\n", EKB_CONFIRM_STATE_REFUSED},
        {"220 mail.example ESMTP\r\n", EKB_CONFIRM_STATE_MALFORMED},
        {"HTTP/2.0 200 OK\r\n", EKB_CONFIRM_STATE_MALFORMED},
        {"http/1.1 200 OK\r\n", EKB_CONFIRM_STATE_MALFORMED},
        {"HTTP/1.1 2x0 OK\r\n", EKB_CONFIRM_STATE_MALFORMED},
        {"HTTP/1.1  200 OK\r\n", EKB_CONFIRM_STATE_MALFORMED},
        {"HTTP/1.10200 OK\r\n", EKB_CONFIRM_STATE_MALFORMED},
        {"HTTP/1.1 -40 OK\r\n", EKB_CONFIRM_STATE_MALFORMED},
        {"HTTP/1.1 40\r\n\r\n", EKB_CONFIRM_STATE_MALFORMED},
        {"<html>HTTP/1.1 200", EKB_CONFIRM_STATE_MALFORMED},
        {"K", EKB_CONFIRM_STATE_WAITING},
        {"HTTP/1.1 40", EKB_CONFIRM_STATE_WAITING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask_1_3();
        server_writes(cases[i].text);

        feed_client();

        const enum ekb_confirm_state state =
            ekb_confirm_look(EKB_CONFIRM_HTTP, connection.client, true);
        cr_expect_eq(state, cases[i].state, "\"%s\": %s", cases[i].text, state_names[state]);
    }
}

Test(confirm, waits_for_the_whole_status_when_it_comes_in_pieces)
{
    static const char answer[] = "HTTP/1.1 403 Forbidden\r\n";
    ask_1_3();
    for (size_t len = 1; len < sizeof answer; len++) {
        const char piece[] = {answer[len - 1], '\0'};
        server_writes(piece);

        feed_client();

        const enum ekb_confirm_state state =
            ekb_confirm_look(EKB_CONFIRM_HTTP, connection.client, true);
        cr_expect_eq(state, len < 12 ? EKB_CONFIRM_STATE_WAITING : EKB_CONFIRM_STATE_REFUSED,
                     "%.*s: %s", (int)len, answer, state_names[state]);
    }
}

// A status that comes with the server's close, and what is too long to be kept.
Test(confirm, reads_the_status_when_the_answer_is_over)
{
    char answer[600];
    ask_1_3();
    memset(answer, 'x', sizeof answer);
    memcpy(answer, "HTTP/1.1 495 ", 13);
    answer[sizeof answer - 1] = '\0';
    server_writes(answer);
    server_closes();

    feed_client();

    cr_assert_eq(ekb_endpoint_state(connection.client), EKB_ENDPOINT_CLOSED);
    EXPECT(HTTP, true, REFUSED);
}

// Nothing of the last connection is left.
Test(confirm, does_not_read_the_answer_of_the_connection_before)
{
    ask_1_3();
    server_writes("HTTP/1.1 403 Forbidden\r\n");
    feed_client();
    EXPECT(HTTP, true, REFUSED);

    tls_link_restart(&connection, client, server);
    hand_shake();

    EXPECT(HTTP, false, ASK);
    EXPECT(HTTP, true, WAITING);
    feed_server();
    server_writes("HTTP/1.1 200");
    feed_client();
    EXPECT(HTTP, true, ACCEPTED);
}
