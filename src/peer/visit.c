#include "ekubench/peer/visit.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/confirm.h"
#include "ekubench/tls/endpoint.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RX_LEN 16384

struct visit {
    struct ekb_visit *out;
    struct ekb_endpoint *endpoint;
    int fd;
    uint64_t until_ns; // The deadline, and then the end of the wait for a verdict.
    bool settles;      // The client's own handshake has ended.
};

// await waits until the socket is ready for `events`; EKB_DEADLINE.
static enum ekb_err await(const struct visit *visit, short events)
{
    for (;;) {
        struct pollfd pollfd = {.fd = visit->fd, .events = events};
        const uint64_t now_ns = ekb_clock_now_ns();
        if (now_ns >= visit->until_ns) {
            return EKB_DEADLINE;
        }
        const uint64_t left_ms = (visit->until_ns - now_ns) / EKB_NS_PER_MS + 1;
        const int num = poll(&pollfd, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (num > 0) {
            return EKB_OK;
        }
        if (num < 0 && errno != EINTR) {
            return EKB_TRANSPORT;
        }
    }
}

static enum ekb_err finish_connect(const struct visit *visit)
{
    int reason = 0;
    socklen_t len = sizeof reason;
    const enum ekb_err err = await(visit, POLLOUT);
    if (err != EKB_OK) {
        return err == EKB_DEADLINE ? EKB_CONNECT_TIMEOUT : err;
    }
    if (getsockopt(visit->fd, SOL_SOCKET, SO_ERROR, &reason, &len) != 0) {
        reason = errno;
    }
    return reason == 0 ? EKB_OK : ekb_net_err_from_errno(reason);
}

static enum ekb_err connect_to(struct visit *visit, const struct ekb_address *target)
{
    const int result = connect(visit->fd, (const struct sockaddr *)&target->storage, target->len);
    enum ekb_err err = EKB_OK;
    if (result != 0) {
        err = errno == EINPROGRESS ? finish_connect(visit) : ekb_net_err_from_errno(errno);
    }
    if (err == EKB_OK && ekb_net_local_address(&visit->out->local, visit->fd) != EKB_OK) {
        visit->out->local.len = 0;
    }
    return err;
}

// send_pending sends all that is pending, an alert of a failed endpoint included.
static enum ekb_err send_pending(const struct visit *visit)
{
    for (;;) {
        size_t len = 0;
        const uint8_t *bytes = ekb_endpoint_pending(visit->endpoint, &len);
        if (len == 0) {
            return EKB_OK;
        }
        const ssize_t sent = send(visit->fd, bytes, len, MSG_NOSIGNAL);
        if (sent > 0) {
            (void)ekb_endpoint_sent(visit->endpoint, (size_t)sent);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            const enum ekb_err err = await(visit, POLLOUT);
            if (err != EKB_OK) {
                return err;
            }
        } else if (errno != EINTR) {
            return ekb_net_err_from_errno(errno);
        }
    }
}

// receive waits for bytes and feeds them.
static enum ekb_err receive(const struct visit *visit)
{
    uint8_t bytes[RX_LEN];
    const enum ekb_err err = await(visit, POLLIN);
    if (err != EKB_OK) {
        return err;
    }
    const ssize_t len = recv(visit->fd, bytes, sizeof bytes, 0);
    if (len < 0) {
        return errno == EINTR || errno == EAGAIN ? EKB_OK : ekb_net_err_from_errno(errno);
    }
    if (len == 0) {
        return EKB_PEER_CLOSED;
    }
    (void)ekb_endpoint_feed(visit->endpoint, bytes, (size_t)len);
    return send_pending(visit); // The bytes are borrowed until nothing is pending.
}

// settle begins the wait for the server's verdict when the client's own handshake has ended.
static void settle(struct visit *visit, uint64_t settle_ns)
{
    const uint64_t end_ns = ekb_clock_now_ns() + settle_ns;
    if (!visit->settles && ekb_endpoint_state(visit->endpoint) == EKB_ENDPOINT_READY) {
        visit->settles = true;
        visit->until_ns = end_ns < visit->until_ns ? end_ns : visit->until_ns;
    }
}

// converse makes the handshake and waits for the verdict.
static enum ekb_err converse(struct visit *visit, uint64_t settle_ns)
{
    enum ekb_err err = send_pending(visit);
    while (err == EKB_OK && ekb_endpoint_state(visit->endpoint) != EKB_ENDPOINT_FAILED) {
        settle(visit, settle_ns);
        const enum ekb_confirm_state state =
            ekb_confirm_look(EKB_CONFIRM_FIRST, visit->endpoint, true);
        if (state == EKB_CONFIRM_STATE_ACCEPTED) {
            visit->out->confirmed = true;
            return EKB_OK;
        }
        err = receive(visit);
    }
    if (ekb_endpoint_state(visit->endpoint) == EKB_ENDPOINT_FAILED) {
        return ekb_endpoint_error(visit->endpoint);
    }
    // A server that says nothing, or hangs up on who says nothing, has nothing against the client.
    return visit->settles && err == EKB_DEADLINE ? EKB_OK : err;
}

static void look_around(const struct visit *visit)
{
    struct ekb_visit *out = visit->out;
    const struct ekb_endpoint *endpoint = visit->endpoint;
    (void)snprintf(out->version, sizeof out->version, "%s", ekb_endpoint_version_name(endpoint));
    (void)snprintf(out->cipher, sizeof out->cipher, "%s", ekb_endpoint_cipher_name(endpoint));
    (void)snprintf(out->group, sizeof out->group, "%s", ekb_endpoint_group_name(endpoint));
    (void)snprintf(out->signature, sizeof out->signature, "%s",
                   ekb_endpoint_signature_name(endpoint));
    (void)snprintf(out->reason, sizeof out->reason, "%s", ekb_endpoint_library_reason(endpoint));
    out->alert_received = ekb_endpoint_alert_received(endpoint);
    out->alert_sent = ekb_endpoint_alert_sent(endpoint);
    out->was_asked = ekb_tls_trace_has(&out->trace, EKB_TLS_MESSAGE_CERTIFICATE_REQUEST, false);
}

// part says goodbye, so that the server does not take the end for a fault.
static void part(const struct visit *visit)
{
    if (visit->out->err == EKB_OK && ekb_endpoint_state(visit->endpoint) == EKB_ENDPOINT_READY) {
        ekb_endpoint_close(visit->endpoint);
        (void)send_pending(visit);
    }
}

enum ekb_err ekb_visit_make(struct ekb_visit *out_visit, const struct ekb_visit_options *options,
                            struct ekb_fail *reterr_fail)
{
    struct visit visit = {
        .out = out_visit, .fd = -1, .until_ns = ekb_clock_now_ns() + options->deadline_ns};
    *out_visit = (struct ekb_visit){.alert_received = -1, .alert_sent = -1};
    visit.fd =
        socket(options->target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // A machine without IPv6 cannot get at an address of it; another one may do.
    if (visit.fd < 0 && errno == EAFNOSUPPORT) {
        out_visit->err = EKB_CONNECT_UNREACHABLE;
        return EKB_OK;
    }
    if (visit.fd < 0) {
        const int reason = errno;
        return ekb_fail_set(reterr_fail,
                            reason == EMFILE || reason == ENFILE ? EKB_DESCRIPTORS : EKB_SYSTEM,
                            reason, "a socket");
    }
    enum ekb_err err = ekb_endpoint_create(&visit.endpoint);
    if (err != EKB_OK) {
        (void)close(visit.fd);
        return ekb_fail_set(reterr_fail, err, 0, "a connection");
    }
    ekb_endpoint_watch(visit.endpoint, &out_visit->trace);
    out_visit->err = connect_to(&visit, &options->target);
    if (out_visit->err == EKB_OK) {
        out_visit->err = ekb_endpoint_start(visit.endpoint, options->config);
    }
    if (out_visit->err == EKB_OK) {
        out_visit->err = converse(&visit, options->settle_ns);
    }
    part(&visit);
    look_around(&visit);
    err = ekb_endpoint_copy_peer_chain(&out_visit->peer, visit.endpoint);
    ekb_endpoint_destroy(visit.endpoint);
    (void)close(visit.fd);
    return err == EKB_OK ? err : ekb_fail_set(reterr_fail, err, 0, "a certificate chain");
}

void ekb_visit_deinit(struct ekb_visit *visit)
{
    ekb_chain_destroy(visit->peer);
    *visit = (struct ekb_visit){.alert_received = -1, .alert_sent = -1};
}
