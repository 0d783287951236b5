// The other end of a connection, by script: blocking sockets and, on top of them, a TLS client and
// a TLS server that stop wherever a test wants them to. Every read and write has a time limit; what
// cannot be done fails the test.

#ifndef EKUBENCH_TESTS_SUPPORT_WIRE_H
#define EKUBENCH_TESTS_SUPPORT_WIRE_H

#include "ekubench/io/net.h"
#include "ekubench/peer/worker.h"
#include "ekubench/tls/config.h"
#include "ekubench/tls/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How long a blocking call waits at most.
#define WIRE_PATIENCE_S 10

// Sockets.

// wire_loopback is 127.0.0.1, port 0. wire_free_port is 127.0.0.1 with a port at which nothing
// listens.
struct ekb_address wire_loopback(void);
struct ekb_address wire_free_port(void);

// wire_connect returns a new connection to `address`.
int wire_connect(const struct ekb_address *address);

// wire_send sends all bytes. wire_try_send does so unless the peer has gone, and then returns
// false.
void wire_send(int fd, const void *data, size_t len);
bool wire_try_send(int fd, const void *data, size_t len);

// How a peer ends a connection.
enum wire_end {
    WIRE_CLOSED,
    WIRE_RESET,
    WIRE_PATIENCE_OVER
};

// wire_await_end reads and forgets until the peer ends the connection, and says how it did.
enum wire_end wire_await_end(int fd);

// wire_close closes in order; wire_reset closes by reset.
void wire_close(int fd);
void wire_reset(int fd);

// A TLS client that is driven step by step.

enum wire_step {
    WIRE_CONNECTED,
    WIRE_HELLO_SENT,
    WIRE_SERVER_FLIGHT_READ, // The client's second flight is pending.
    WIRE_CERTIFICATE_SENT,   // The second flight is sent.
    WIRE_CONFIRMED,          // Application data has come.
};

struct wire_client {
    int fd; // -1: given away or closed.
    struct ekb_endpoint *endpoint;
    struct ekb_tls_config *config;
    enum wire_step step;
};

// wire_client_init connects to `address`. `store_path` is the client store to present (without a
// client identity in it: no certificate) and to verify the server with. wire_client_deinit closes
// what is still open.
void wire_client_init(struct wire_client *out_client, const struct ekb_address *address,
                      const char *store_path, enum ekb_tls_version version);
void wire_client_deinit(struct wire_client *client);

// wire_client_advance goes on until `step` is reached; false if the handshake failed or the
// connection ended before.
bool wire_client_advance(struct wire_client *client, enum wire_step step);

// wire_client_reset closes the connection by reset.
void wire_client_reset(struct wire_client *client);

// wire_handshake makes one whole connection and closes it in order; true if the server confirmed.
// wire_handshake_alert returns the alert that the server sent, -1 if none came.
bool wire_handshake(const struct ekb_address *address, const char *store_path,
                    enum ekb_tls_version version);
int wire_handshake_alert(const struct ekb_address *address, const char *store_path,
                         enum ekb_tls_version version);

// A server that is not ours.

struct wire_server {
    int listen_fd;
    struct ekb_address address;
    size_t num_accepted;
};

// wire_server_init listens on a port of its own; wire_server_deinit stops listening.
void wire_server_init(struct wire_server *out_server);
void wire_server_deinit(struct wire_server *server);

// wire_server_run accepts connections and gives each, blocking and owned by it from then on, to
// `serve`, until `worker` has ended, `enough` of them are accepted (0: no limit), or the patience
// is over (which fails the test).
void wire_server_run(struct wire_server *server, struct ekb_worker *worker, size_t enough,
                     void (*serve)(void *context, int fd), void *context);

// wire_serve_handshake makes a TLS handshake on `fd` with `config`, as a server; true if it
// completed. Afterwards it sends `reply` (NULL: nothing) as application data. The connection stays
// open.
bool wire_serve_handshake(int fd, const struct ekb_tls_config *config, const char *reply);

// wire_serve_flight answers the client's first flight on `fd` and goes no further.
void wire_serve_flight(int fd, const struct ekb_tls_config *config);

// wire_server_config makes a server's configuration from the server identity of `store_path` that
// asks for no client certificate.
struct ekb_tls_config *wire_server_config(const char *store_path);

#endif
