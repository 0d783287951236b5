// The event loop: one io_uring, one thread, one dispatch function.
//
// A loop belongs to the thread (here: the worker process) that created it. Calls of the
// `ekb_loop_accept`, `_connect`,
// `_recv`, ... group only queue an operation; `ekb_loop_run` submits what is queued, waits, and
// hands every completion to the handler. An operation owns its buffer (and address) until its
// completion has been handled. Nothing here knows what the bytes mean.
//
// Setup ladder: SINGLE_ISSUER + DEFER_TASKRUN (Linux 6.1), COOP_TASKRUN (5.19), plain. The
// completion queue is sized to the load; overflows of it are counted, because the kernel then keeps
// completions back and every latency is suspect.

#ifndef EKUBENCH_IO_LOOP_H
#define EKUBENCH_IO_LOOP_H

#include "ekubench/base/err.h"
#include "ekubench/io/op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct ekb_loop;

struct ekb_loop_options {
    uint32_t num_submissions; // Queue length; rounded up to a power of two, capped by the kernel.
    uint32_t num_completions; // At least four times the operations in flight.
};

// A completed operation. `result` is the system call's: a count or descriptor, or -errno. `more` is
// true when the same operation will complete again (accept).
struct ekb_completion {
    struct ekb_op_tag tag;
    int32_t result;
    bool more;
};

typedef void ekb_loop_handler(void *context, const struct ekb_completion *completion);

// ekb_loop_create makes a newly-allocated loop; release it with `ekb_loop_destroy` (NULL is legal).
// EKB_NO_IO_URING if the kernel refuses (the detail says why and what to do: forbidden by seccomp
// or sysctl, missing, too old), EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_loop_create(struct ekb_loop **out_loop,
                                           const struct ekb_loop_options *options,
                                           struct ekb_fail *reterr_fail);
void ekb_loop_destroy(struct ekb_loop *loop);

// ekb_loop_accept accepts connections on `listen_fd` until it fails or is cancelled (multishot); a
// completion without `more` means that it must be called again. On kernels before 5.19 it accepts
// one.
void ekb_loop_accept(struct ekb_loop *loop, struct ekb_op_tag tag, int listen_fd);

// ekb_loop_accept_one accepts one connection: for a socket that other processes accept from too.
void ekb_loop_accept_one(struct ekb_loop *loop, struct ekb_op_tag tag, int listen_fd);

// ekb_loop_connect connects `fd` to `address`, which must stay valid until completion.
void ekb_loop_connect(struct ekb_loop *loop, struct ekb_op_tag tag, int fd,
                      const struct sockaddr *address, socklen_t address_len);

// ekb_loop_recv receives up to `len` bytes into `buffer`. With `EKB_RECV_LATER` it waits for
// readiness before the first try, which saves a futile one when nothing can have come yet.
enum ekb_recv_hint {
    EKB_RECV_NOW,
    EKB_RECV_LATER
};
void ekb_loop_recv(struct ekb_loop *loop, struct ekb_op_tag tag, int fd, void *buffer, size_t len,
                   enum ekb_recv_hint hint);

// ekb_loop_send sends all `len` bytes of `buffer` (the kernel continues short sends); the
// completion is a count below `len` only if an error came after some bytes. No SIGPIPE.
void ekb_loop_send(struct ekb_loop *loop, struct ekb_op_tag tag, int fd, const void *buffer,
                   size_t len);

// ekb_loop_nop completes at once with 0.
void ekb_loop_nop(struct ekb_loop *loop, struct ekb_op_tag tag);

// ekb_loop_cancel asks for the end of the operation with `target`; that one completes (with
// -ECANCELED, unless it was faster), and the request itself completes with tag EKB_OP_CANCEL of the
// same slot and generation.
void ekb_loop_cancel(struct ekb_loop *loop, struct ekb_op_tag target);

// Completions that one turn handles at most. What handlers queue goes to the kernel when the turn
// is over, so that a turn of hundreds would hold back the first one's answer for as long as all of
// them take.
#define EKB_LOOP_BATCH 16

// ekb_loop_run submits what is queued, waits at most `wait_ns` for a first completion (0: not at
// all), and calls `handler` with each completion that is there, up to EKB_LOOP_BATCH; what is left
// is there at once in the next turn. EKB_OK also if there was none, or on a signal. EKB_SYSTEM if
// the ring fails.
EKB_NODISCARD enum ekb_err ekb_loop_run(struct ekb_loop *loop, uint64_t wait_ns,
                                        ekb_loop_handler *handler, void *context);

// ekb_loop_num_overflows returns how often completions did not fit into the completion queue so
// far.
uint64_t ekb_loop_num_overflows(const struct ekb_loop *loop);

// ekb_loop_setup_text says how the ring was set up ("single-issuer+defer-taskrun, 4096 sq, 16384
// cq").
const char *ekb_loop_setup_text(const struct ekb_loop *loop);

#endif
