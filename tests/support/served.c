#include "support/served.h"

#include "ekubench/base/clock.h"
#include "ekubench/io/loop.h"
#include "ekubench/peer/listen.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

void skip_without_io_uring(void)
{
    const struct ekb_loop_options options = {.num_submissions = 8, .num_completions = 32};
    struct ekb_loop *loop = NULL;
    struct ekb_fail fail = {0};
    if (ekb_loop_create(&loop, &options, &fail) == EKB_NO_IO_URING) {
        cr_skip_test("io_uring cannot be used here: %s", fail.detail);
    }
    ekb_loop_destroy(loop);
}

static enum ekb_err body(void *context, int control_fd, void (*ready)(void *), void *ready_context,
                         struct ekb_fail *reterr_fail)
{
    return ekb_server_run(context, control_fd, ready, ready_context, reterr_fail);
}

static void add_listener(struct served *served, const char *options_text)
{
    char text[64 + EKB_LISTENER_PATH_LEN];
    struct ekb_fail fail = {0};
    struct ekb_listener *listener = &served->listeners[served->options.num_listeners];
    (void)snprintf(text, sizeof text, "127.0.0.1:0%s", options_text);
    cr_assert_eq(ekb_listener_parse(listener, text, &fail), EKB_OK, "%s", fail.detail);
    listener->arm = (uint16_t)served->options.num_listeners++;
}

void served_start(struct served *out_served, const char *store_path, const struct served_spec *spec)
{
    struct ekb_tally *tally = NULL;
    struct ekb_fail fail = {0};
    *out_served = (struct served){
        .timeline = {.origin_ns = UINT64_MAX / 2,
                     .slice_ns = EKB_NS_PER_S,
                     .num_slices = 1,
                     .num_warmup = 1},
        .options = {.store_path = store_path,
                    .max_connections = spec->max_connections != 0 ? spec->max_connections : 64,
                    .deadline_ns = spec->deadline_ns != 0 ? spec->deadline_ns : 10 * EKB_NS_PER_S,
                    .reload_from = spec->reload_from,
                    .events = spec->events,
                    .tells_accepted = spec->tells_accepted},
        .worker = {.control_fd = -1, .ended = true},
    };
    memset(out_served->expect, 1, sizeof out_served->expect);
    out_served->options.listeners = out_served->listeners;
    out_served->options.expect = out_served->expect;
    out_served->options.timeline = &out_served->timeline;
    add_listener(out_served, spec->listeners[0] != NULL ? spec->listeners[0] : "");
    for (size_t i = 1; i < SERVED_MAX_LISTENERS && spec->listeners[i] != NULL; i++) {
        add_listener(out_served, spec->listeners[i]);
    }
    cr_assert_eq(ekb_tally_create(&tally, out_served->options.num_listeners, 1, 0), EKB_OK);
    out_served->options.tally = tally;
    cr_assert_eq(ekb_server_open(&out_served->options, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_worker_spawn(&out_served->worker, EKB_WORKER_UNPINNED, body,
                                  &out_served->options, &fail),
                 EKB_OK, "%s", fail.detail);
    ekb_server_close(&out_served->options);
    const uint64_t until_ns = ekb_clock_now_ns() + SERVED_PATIENCE_NS;
    while (!out_served->worker.ready && !out_served->worker.ended) {
        cr_assert_lt(ekb_clock_now_ns(), until_ns, "the server does not get ready");
        ekb_worker_update(&out_served->worker, 1, 100 * EKB_NS_PER_MS);
    }
    cr_assert(out_served->worker.ready, "%s: %s", ekb_err_name(out_served->worker.fail.err),
              out_served->worker.fail.detail);
}

const struct ekb_address *served_address(const struct served *served, size_t index)
{
    return &served->listeners[index].address;
}

const struct ekb_tally_arm *served_arm(const struct served *served, size_t index)
{
    return &served->options.tally->arms[index];
}

void served_await_at(int line, const uint64_t *counter, uint64_t wanted, const char *text)
{
    const volatile uint64_t *shared = counter; // Written by the worker.
    const uint64_t until_ns = ekb_clock_now_ns() + SERVED_PATIENCE_NS;
    while (*shared < wanted && ekb_clock_now_ns() < until_ns) {
        const struct timespec pause = {.tv_nsec = (long)EKB_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
    cr_assert_geq(*shared, wanted, "line %d: %s is %llu, not %llu", line, text,
                  (unsigned long long)*shared, (unsigned long long)wanted);
}

struct ekb_event served_await_event(struct ekb_event_queue *queue)
{
    struct ekb_event event = {.at_ns = 0};
    const uint64_t until_ns = ekb_clock_now_ns() + SERVED_PATIENCE_NS;
    while (!ekb_event_pop(&event, queue)) {
        const struct timespec pause = {.tv_nsec = (long)EKB_NS_PER_MS};
        cr_assert_lt(ekb_clock_now_ns(), until_ns, "there is no event");
        (void)nanosleep(&pause, NULL);
    }
    return event;
}

void served_stop(struct served *served)
{
    ekb_worker_command_stop(&served->worker);
    ekb_worker_reap(&served->worker, served->options.deadline_ns + SERVED_PATIENCE_NS);
    cr_assert_eq(served->worker.fail.err, EKB_OK, "%s: %s", ekb_err_name(served->worker.fail.err),
                 served->worker.fail.detail);
    for (size_t i = 0; i < served->options.num_listeners; i++) {
        const struct ekb_tally_arm *arm = served_arm(served, i);
        cr_assert_eq(arm->started, arm->accepted + arm->rejected + arm->failed + arm->unfinished,
                     "arm %zu: %llu started, %llu accepted, %llu rejected, %llu failed, %llu "
                     "unfinished",
                     i, (unsigned long long)arm->started, (unsigned long long)arm->accepted,
                     (unsigned long long)arm->rejected, (unsigned long long)arm->failed,
                     (unsigned long long)arm->unfinished);
    }
}

void served_deinit(struct served *served)
{
    ekb_tally_destroy(served->options.tally);
}
