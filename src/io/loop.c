#include "ekubench/io/loop.h"

#include "ekubench/base/clock.h"

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ekb_loop {
    struct io_uring ring;
    uint64_t num_overflows;
    bool has_5_19; // Multishot accept, poll-first receive.
    char setup_text[128];
};

// The ladder, best first. Each rung needs a newer kernel than the next; -EINVAL means "step down".
static const struct {
    unsigned flags;
    const char *text;
} ladder[] = {
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
     "single-issuer+defer-taskrun"},
    {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL, "coop-taskrun"},
    {0, "plain"},
};

static enum ekb_err refuse(struct ekb_fail *reterr_fail, int reason)
{
    const char *advice = "see `ekubench doctor`";
    if (reason == EPERM || reason == EACCES) {
        advice = "forbidden by a seccomp filter (containers: run with seccomp unconfined) or by "
                 "the sysctl "
                 "kernel.io_uring_disabled";
    } else if (reason == ENOSYS) {
        advice =
            "the kernel was built without it or a sandbox hides it; Linux 5.19 or newer is needed";
    } else if (reason == EINVAL) {
        advice = "the kernel is too old; Linux 5.19 or newer is needed";
    } else if (reason == ENOMEM) {
        advice = "raise the locked-memory limit (ulimit -l)";
    } else if (reason == EMFILE || reason == ENFILE) {
        advice = "raise the limit of open files (ulimit -n)";
    }
    return ekb_fail_set(reterr_fail, EKB_NO_IO_URING, reason, "%s", advice);
}

static bool is_supported(struct io_uring *ring, int opcode)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    const bool supported = probe != NULL && io_uring_opcode_supported(probe, opcode) != 0;
    io_uring_free_probe(probe);
    return supported;
}

enum ekb_err ekb_loop_create(struct ekb_loop **out_loop, const struct ekb_loop_options *options,
                             struct ekb_fail *reterr_fail)
{
    struct ekb_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "event loop");
    }

    int result = -EINVAL;
    for (size_t rung = 0; rung < sizeof ladder / sizeof ladder[0] && result == -EINVAL; rung++) {
        struct io_uring_params params = {
            .flags = ladder[rung].flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
            .cq_entries = options->num_completions > options->num_submissions
                              ? options->num_completions
                              : options->num_submissions,
        };
        result = io_uring_queue_init_params(options->num_submissions, &loop->ring, &params);
        if (result == 0) {
            (void)snprintf(loop->setup_text, sizeof loop->setup_text, "%s, %u sq, %u cq",
                           ladder[rung].text, params.sq_entries, params.cq_entries);
        }
    }
    if (result < 0) {
        free(loop);
        return refuse(reterr_fail, -result);
    }
    (void)io_uring_register_ring_fd(&loop->ring); // Saves a descriptor look-up per call, no more.
    loop->has_5_19 = is_supported(&loop->ring, IORING_OP_SOCKET);
    *out_loop = loop;
    return EKB_OK;
}

void ekb_loop_destroy(struct ekb_loop *loop)
{
    if (loop != NULL) {
        io_uring_queue_exit(&loop->ring);
        free(loop);
    }
}

// next_sqe returns a free submission entry, submitting what is queued if there is none.
static struct io_uring_sqe *next_sqe(struct ekb_loop *loop)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
    while (sqe == NULL) {
        const int submitted = io_uring_submit(&loop->ring);
        EKB_CHECK(submitted >= 0 || submitted == -EINTR || submitted == -EAGAIN ||
                  submitted == -EBUSY);
        sqe = io_uring_get_sqe(&loop->ring);
    }
    return sqe;
}

// tagged comes last: the prepare functions zero the user data.
static void tagged(struct io_uring_sqe *sqe, struct ekb_op_tag tag)
{
    io_uring_sqe_set_data64(sqe, ekb_op_pack(tag));
}

void ekb_loop_accept(struct ekb_loop *loop, struct ekb_op_tag tag, int listen_fd)
{
    if (!loop->has_5_19) {
        ekb_loop_accept_one(loop, tag, listen_fd);
        return;
    }
    struct io_uring_sqe *sqe = next_sqe(loop);
    io_uring_prep_multishot_accept(sqe, listen_fd, NULL, NULL, SOCK_CLOEXEC);
    tagged(sqe, tag);
}

void ekb_loop_accept_one(struct ekb_loop *loop, struct ekb_op_tag tag, int listen_fd)
{
    struct io_uring_sqe *sqe = next_sqe(loop);
    io_uring_prep_accept(sqe, listen_fd, NULL, NULL, SOCK_CLOEXEC);
    tagged(sqe, tag);
}

void ekb_loop_connect(struct ekb_loop *loop, struct ekb_op_tag tag, int fd,
                      const struct sockaddr *address, socklen_t address_len)
{
    struct io_uring_sqe *sqe = next_sqe(loop);
    io_uring_prep_connect(sqe, fd, address, address_len);
    tagged(sqe, tag);
}

void ekb_loop_recv(struct ekb_loop *loop, struct ekb_op_tag tag, int fd, void *buffer, size_t len,
                   enum ekb_recv_hint hint)
{
    struct io_uring_sqe *sqe = next_sqe(loop);
    io_uring_prep_recv(sqe, fd, buffer, len, 0);
    if (hint == EKB_RECV_LATER && loop->has_5_19) {
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    }
    tagged(sqe, tag);
}

void ekb_loop_send(struct ekb_loop *loop, struct ekb_op_tag tag, int fd, const void *buffer,
                   size_t len)
{
    struct io_uring_sqe *sqe = next_sqe(loop);
    io_uring_prep_send(sqe, fd, buffer, len, MSG_WAITALL | MSG_NOSIGNAL);
    tagged(sqe, tag);
}

void ekb_loop_nop(struct ekb_loop *loop, struct ekb_op_tag tag)
{
    struct io_uring_sqe *sqe = next_sqe(loop);
    io_uring_prep_nop(sqe);
    tagged(sqe, tag);
}

void ekb_loop_cancel(struct ekb_loop *loop, struct ekb_op_tag target)
{
    struct io_uring_sqe *sqe = next_sqe(loop);
    io_uring_prep_cancel64(sqe, ekb_op_pack(target), 0);
    tagged(sqe, (struct ekb_op_tag){
                    .op = EKB_OP_CANCEL, .slot = target.slot, .generation = target.generation});
}

// dispatch hands over the completions that are there, up to EKB_LOOP_BATCH. A handler may queue
// operations.
static void dispatch(struct ekb_loop *loop, ekb_loop_handler *handler, void *context)
{
    struct io_uring_cqe *batch[EKB_LOOP_BATCH];
    const unsigned count = io_uring_peek_batch_cqe(&loop->ring, batch, EKB_LOOP_BATCH);
    for (unsigned i = 0; i < count; i++) {
        const struct ekb_completion completion = {
            .tag = ekb_op_unpack(io_uring_cqe_get_data64(batch[i])),
            .result = batch[i]->res,
            .more = (batch[i]->flags & IORING_CQE_F_MORE) != 0,
        };
        handler(context, &completion);
    }
    io_uring_cq_advance(&loop->ring, count);
}

enum ekb_err ekb_loop_run(struct ekb_loop *loop, uint64_t wait_ns, ekb_loop_handler *handler,
                          void *context)
{
    struct io_uring_cqe *first = NULL;
    struct __kernel_timespec timeout = {.tv_sec = (long long)(wait_ns / EKB_NS_PER_S),
                                        .tv_nsec = (long long)(wait_ns % EKB_NS_PER_S)};
    // Even without waiting the kernel must be entered for events: with deferred task work nothing
    // completes otherwise.
    const int result = io_uring_submit_and_wait_timeout(&loop->ring, &first, 1, &timeout, NULL);
    // The ring's own counter grows only for completions that are lost; those that the kernel holds
    // back for want of room show in a flag.
    loop->num_overflows += io_uring_cq_has_overflow(&loop->ring) ? 1 : 0;
    // -EBUSY: the completion queue has overflowed; draining it lets the kernel go on.
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY &&
        result != -EAGAIN) {
        return EKB_SYSTEM;
    }
    dispatch(loop, handler, context);
    return EKB_OK;
}

uint64_t ekb_loop_num_overflows(const struct ekb_loop *loop)
{
    return loop->num_overflows + *loop->ring.cq.koverflow;
}

const char *ekb_loop_setup_text(const struct ekb_loop *loop)
{
    return loop->setup_text;
}
