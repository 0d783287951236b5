#include "support/wire.h"

#include "ekubench/base/clock.h"
#include "ekubench/store/store.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Sockets.

struct ekb_address wire_loopback(void)
{
    struct ekb_address address = {0};
    cr_assert_eq(ekb_address_parse(&address, "127.0.0.1:0", NULL), EKB_OK);
    return address;
}

struct ekb_address wire_free_port(void)
{
    struct ekb_address address = wire_loopback();
    int fd = -1;
    cr_assert_eq(ekb_net_listen(&fd, &address, false, NULL), EKB_OK);
    cr_assert_eq(ekb_net_local_address(&address, fd), EKB_OK);
    cr_assert_eq(close(fd), 0);
    return address;
}

static void be_patient(int fd)
{
    const struct timeval patience = {.tv_sec = WIRE_PATIENCE_S};
    const int one = 1;
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    cr_assert_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
}

// A call with a time limit is not restarted by itself after an interruption, and an io_uring that
// this process has had may still interrupt it.
static ssize_t send_some(int fd, const void *data, size_t len)
{
    ssize_t count;
    do {
        count = send(fd, data, len, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return count;
}

static ssize_t recv_some(int fd, void *data, size_t len)
{
    ssize_t count;
    do {
        count = recv(fd, data, len, 0);
    } while (count < 0 && errno == EINTR);
    return count;
}

int wire_connect(const struct ekb_address *address)
{
    const int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address->storage, address->len), 0, "%s",
                 strerror(errno));
    be_patient(fd);
    return fd;
}

bool wire_try_send(int fd, const void *data, size_t len)
{
    const char *position = data;
    while (len > 0) {
        const ssize_t count = send_some(fd, position, len);
        if (count < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            return false;
        }
        cr_assert_gt(count, 0, "%s", strerror(errno));
        position += count;
        len -= (size_t)count;
    }
    return true;
}

void wire_send(int fd, const void *data, size_t len)
{
    cr_assert(wire_try_send(fd, data, len), "the peer has gone");
}

enum wire_end wire_await_end(int fd)
{
    char scratch[4096];
    ssize_t count;
    do {
        count = recv_some(fd, scratch, sizeof scratch);
    } while (count > 0);
    if (count == 0) {
        return WIRE_CLOSED;
    }
    return errno == ECONNRESET ? WIRE_RESET : WIRE_PATIENCE_OVER;
}

void wire_close(int fd)
{
    (void)close(fd);
}

void wire_reset(int fd)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    (void)close(fd);
}

// TLS over a blocking socket.

static bool send_pending(int fd, struct ekb_endpoint *endpoint)
{
    size_t wire_len;
    const uint8_t *wire;
    while ((wire = ekb_endpoint_pending(endpoint, &wire_len)) != NULL) {
        if (!wire_try_send(fd, wire, wire_len)) {
            return false;
        }
        ekb_endpoint_sent(endpoint, wire_len);
    }
    return true;
}

// receive feeds what comes next; false if nothing will, or the endpoint refuses it.
static bool receive(int fd, struct ekb_endpoint *endpoint)
{
    uint8_t wire[4096];
    const ssize_t count = recv_some(fd, wire, sizeof wire);
    return count > 0 && ekb_endpoint_feed(endpoint, wire, (size_t)count) == EKB_OK;
}

static bool has_pending(const struct ekb_endpoint *endpoint)
{
    size_t wire_len;
    return ekb_endpoint_pending(endpoint, &wire_len) != NULL;
}

static struct ekb_tls_config *client_config(const char *store_path, enum ekb_tls_version version)
{
    struct ekb_store *store = NULL;
    struct ekb_tls_config *config = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_store_load(&store, store_path, EKB_STORE_NEED_TRUST, &fail), EKB_OK, "%s",
                 fail.detail);
    const struct ekb_identity *identity = ekb_store_identity(store, EKB_STORE_CLIENT);
    const struct ekb_tls_options options = {
        .role = EKB_ROLE_CLIENT,
        .version = version,
        .identity = identity->chain != NULL ? identity : NULL,
        .trust = ekb_store_trust(store),
        .policy = ekb_policy_default(),
    };
    cr_assert_eq(ekb_tls_config_create(&config, &options, &fail), EKB_OK, "%s", fail.detail);
    ekb_store_destroy(store);
    return config;
}

void wire_client_init(struct wire_client *out_client, const struct ekb_address *address,
                      const char *store_path, enum ekb_tls_version version)
{
    *out_client = (struct wire_client){.fd = wire_connect(address), .step = WIRE_CONNECTED};
    out_client->config = client_config(store_path, version);
    cr_assert_eq(ekb_endpoint_create(&out_client->endpoint), EKB_OK);
    cr_assert_eq(ekb_endpoint_start(out_client->endpoint, out_client->config), EKB_OK);
}

void wire_client_deinit(struct wire_client *client)
{
    if (client->fd >= 0) {
        wire_close(client->fd);
    }
    ekb_endpoint_destroy(client->endpoint);
    ekb_tls_config_destroy(client->config);
}

void wire_client_reset(struct wire_client *client)
{
    wire_reset(client->fd);
    client->fd = -1;
}

static bool take_step(struct wire_client *client)
{
    bool done = true;
    switch (client->step) {
    case WIRE_CONNECTED:
    case WIRE_SERVER_FLIGHT_READ:
        done = send_pending(client->fd, client->endpoint);
        break;
    case WIRE_HELLO_SENT:
        while (done && !has_pending(client->endpoint)) {
            done = receive(client->fd, client->endpoint);
        }
        break;
    case WIRE_CERTIFICATE_SENT:
        while (done && ekb_endpoint_app_len(client->endpoint) == 0) {
            // It has more to say only if the server has asked for another hello.
            done =
                receive(client->fd, client->endpoint) && send_pending(client->fd, client->endpoint);
        }
        break;
    case WIRE_CONFIRMED:
        break;
    }
    client->step += done ? 1 : 0;
    return done;
}

bool wire_client_advance(struct wire_client *client, enum wire_step step)
{
    while (client->step < step) {
        if (!take_step(client)) {
            return false;
        }
    }
    return true;
}

bool wire_handshake(const struct ekb_address *address, const char *store_path,
                    enum ekb_tls_version version)
{
    struct wire_client client;
    wire_client_init(&client, address, store_path, version);
    const bool confirmed = wire_client_advance(&client, WIRE_CONFIRMED);
    wire_client_deinit(&client);
    return confirmed;
}

int wire_handshake_alert(const struct ekb_address *address, const char *store_path,
                         enum ekb_tls_version version)
{
    struct wire_client client;
    wire_client_init(&client, address, store_path, version);
    (void)wire_client_advance(&client, WIRE_CONFIRMED);
    const int alert = ekb_endpoint_alert_received(client.endpoint);
    wire_client_deinit(&client);
    return alert;
}

// Servers.

void wire_server_init(struct wire_server *out_server)
{
    *out_server = (struct wire_server){.listen_fd = -1, .address = wire_loopback()};
    cr_assert_eq(ekb_net_listen(&out_server->listen_fd, &out_server->address, false, NULL), EKB_OK);
    cr_assert_eq(ekb_net_local_address(&out_server->address, out_server->listen_fd), EKB_OK);
}

void wire_server_deinit(struct wire_server *server)
{
    (void)close(server->listen_fd);
}

void wire_server_run(struct wire_server *server, struct ekb_worker *worker, size_t enough,
                     void (*serve)(void *context, int fd), void *context)
{
    const uint64_t until_ns = ekb_clock_now_ns() + WIRE_PATIENCE_S * EKB_NS_PER_S;
    struct pollfd polled = {.fd = server->listen_fd, .events = POLLIN};
    while (!worker->ended && (enough == 0 || server->num_accepted < enough)) {
        cr_assert_lt(ekb_clock_now_ns(), until_ns, "the worker does not end");
        if (poll(&polled, 1, 5) > 0) {
            const int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
            cr_assert_geq(fd, 0, "%s", strerror(errno));
            be_patient(fd);
            server->num_accepted++;
            serve(context, fd);
        }
        ekb_worker_update(worker, 1, 0);
    }
}

bool wire_serve_handshake(int fd, const struct ekb_tls_config *config, const char *reply)
{
    struct ekb_endpoint *endpoint = NULL;
    cr_assert_eq(ekb_endpoint_create(&endpoint), EKB_OK);
    bool going = ekb_endpoint_start(endpoint, config) == EKB_OK;
    while (going && ekb_endpoint_state(endpoint) == EKB_ENDPOINT_HANDSHAKING) {
        going = receive(fd, endpoint) && send_pending(fd, endpoint);
    }
    const bool completed = ekb_endpoint_state(endpoint) == EKB_ENDPOINT_READY;
    if (completed && reply != NULL) {
        cr_assert_eq(ekb_endpoint_write(endpoint, (const uint8_t *)reply, strlen(reply)), EKB_OK);
    }
    (void)send_pending(fd, endpoint);
    ekb_endpoint_destroy(endpoint);
    return completed;
}

void wire_serve_flight(int fd, const struct ekb_tls_config *config)
{
    struct ekb_endpoint *endpoint = NULL;
    cr_assert_eq(ekb_endpoint_create(&endpoint), EKB_OK);
    bool going = ekb_endpoint_start(endpoint, config) == EKB_OK;
    while (going && !has_pending(endpoint)) {
        going = receive(fd, endpoint);
    }
    (void)send_pending(fd, endpoint);
    ekb_endpoint_destroy(endpoint);
}

struct ekb_tls_config *wire_server_config(const char *store_path)
{
    struct ekb_store *store = NULL;
    struct ekb_tls_config *config = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_store_load(&store, store_path, EKB_STORE_NEED_SERVER, &fail), EKB_OK, "%s",
                 fail.detail);
    const struct ekb_tls_options options = {
        .role = EKB_ROLE_SERVER,
        .version = EKB_TLS_ANY,
        .identity = ekb_store_identity(store, EKB_STORE_SERVER),
        .policy = {.eku = EKB_EKU_NONE,
                   .verify = EKB_VERIFY_ONE_WAY,
                   .max_depth = EKB_POLICY_DEFAULT_MAX_DEPTH},
    };
    cr_assert_eq(ekb_tls_config_create(&config, &options, &fail), EKB_OK, "%s", fail.detail);
    ekb_store_destroy(store);
    return config;
}
