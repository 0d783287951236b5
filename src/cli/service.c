#include "cli/service.h"

#include "cli/eventlog.h"
#include "cli/listeners.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/event.h"
#include "ekubench/peer/listen.h"
#include "ekubench/peer/worker.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

// Descriptors beside the connections: ring, listeners, library, standard streams.
#define SPARE_DESCRIPTORS 128
#define PREPARE_NS (30 * EKB_NS_PER_S)
#define LOOK_EVERY_NS (100 * EKB_NS_PER_MS)

// Listeners as they are asked for, before anything is bound.
struct wish {
    struct ekb_listener listeners[EKB_SERVICE_MAX_LISTENERS];
    size_t num_listeners;
};

struct service {
    const struct ekb_service_options *options;
    struct wish wish;                 // As it was at the start.
    struct wish bound;                // With the addresses that the system chose.
    struct ekb_listener *reload_from; // What the worker takes at a reload; shared with it.
    struct ekb_server_options server;
    struct ekb_tally *tally;
    struct ekb_event_queue *events;
    struct ekb_eventlog log;
    struct ekb_worker worker;
    bool reloading; // The worker has been told, and has not answered.
};

// What is to be served.

static enum ekb_err add_word(struct wish *wish, const char *word, struct ekb_fail *reterr_fail)
{
    if (wish->num_listeners == EKB_SERVICE_MAX_LISTENERS) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "at most %d listeners",
                            EKB_SERVICE_MAX_LISTENERS);
    }
    struct ekb_listener *listener = &wish->listeners[wish->num_listeners];
    const enum ekb_err err = ekb_listener_parse(listener, word, reterr_fail);
    if (err == EKB_OK) {
        listener->arm = (uint16_t)wish->num_listeners++;
    }
    return err;
}

static enum ekb_err add_file(struct wish *wish, const char *path, struct ekb_fail *reterr_fail)
{
    struct ekb_listeners_file file = {.num_words = 0};
    enum ekb_err err = ekb_listeners_read(&file, path, reterr_fail);
    for (size_t i = 0; i < file.num_words && err == EKB_OK; i++) {
        err = add_word(wish, file.words[i], reterr_fail);
    }
    ekb_listeners_deinit(&file);
    return err;
}

static enum ekb_err read_wish(struct wish *out_wish, const struct ekb_service_options *options,
                              struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    *out_wish = (struct wish){0};
    for (size_t i = 0; i < options->num_words && err == EKB_OK; i++) {
        err = add_word(out_wish, options->words[i], reterr_fail);
    }
    if (err == EKB_OK && options->listeners_path != NULL) {
        err = add_file(out_wish, options->listeners_path, reterr_fail);
    }
    if (err == EKB_OK && out_wish->num_listeners == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s names no listener",
                            options->listeners_path);
    }
    return err;
}

static bool are_at_same_addresses(const struct wish *a, const struct wish *b)
{
    if (a->num_listeners != b->num_listeners) {
        return false;
    }
    for (size_t i = 0; i < a->num_listeners; i++) {
        char first[EKB_ADDRESS_TEXT_LEN];
        char second[EKB_ADDRESS_TEXT_LEN];
        if (strcmp(ekb_address_format(first, &a->listeners[i].address),
                   ekb_address_format(second, &b->listeners[i].address)) != 0) {
            return false;
        }
    }
    return true;
}

// Reloading.

// check_wish makes all configurations once in this process, so that what is wrong is found while
// the worker goes on undisturbed.
static enum ekb_err check_wish(const struct service *service, struct wish *wish,
                               struct ekb_fail *reterr_fail)
{
    enum ekb_err err = read_wish(wish, service->options, reterr_fail);
    if (err == EKB_OK && !are_at_same_addresses(wish, &service->wish)) {
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                           "%s: listeners may change, but not their addresses, number and order",
                           service->options->listeners_path);
    }
    if (err == EKB_OK) {
        struct ekb_server_options server = service->server;
        server.listeners = wish->listeners;
        err = ekb_server_check(&server, reterr_fail);
    }
    return err;
}

static void log_failure(struct service *service, const struct ekb_fail *fail)
{
    const struct ekb_event event = {
        .kind = EKB_EVENT_RELOAD_FAILED, .at_ns = ekb_event_now_ns(), .fail = *fail};
    ekb_eventlog_write(&service->log, &event);
}

static void reload(struct service *service)
{
    struct ekb_fail fail = {0};
    struct wish wish;
    // First, so that what comes of the rest is in the new file.
    if (ekb_eventlog_reopen(&service->log, &fail) != EKB_OK) {
        log_failure(service, &fail);
    }
    if (check_wish(service, &wish, &fail) != EKB_OK) {
        log_failure(service, &fail);
        return;
    }
    memcpy(service->reload_from, wish.listeners, sizeof wish.listeners);
    ekb_worker_command_reload(&service->worker);
    service->reloading = true;
}

// Running.

static void announce(const struct service *service)
{
    FILE *stream = service->options->format == EKB_CLI_JSON ? stderr : stdout;
    for (size_t i = 0; i < service->wish.num_listeners; i++) {
        char label[EKB_LISTENER_TEXT_LEN];
        ekb_listener_format(label, sizeof label, &service->bound.listeners[i]);
        (void)fprintf(stream, "listening on %s\n", label);
    }
    (void)fflush(stream);
}

static void take_terms(struct service *service)
{
    for (size_t i = 0; i < service->bound.num_listeners; i++) {
        ekb_listener_take_terms(&service->bound.listeners[i], &service->reload_from[i]);
    }
}

// hear takes what the worker had to tell, but no more than one queue of it: signals wait.
static void hear(struct service *service)
{
    struct ekb_event event;
    size_t num_heard = 0;
    ekb_eventlog_begin(&service->log, ekb_clock_now_ns(), ekb_event_num_lost(service->events));
    while (num_heard++ < EKB_EVENT_QUEUE_LEN && ekb_event_pop(&event, service->events)) {
        if (event.kind == EKB_EVENT_RELOADED) {
            take_terms(service);
        }
        service->reloading = service->reloading && event.kind == EKB_EVENT_REFUSED;
        ekb_eventlog_write(&service->log, &event);
    }
}

static void look(struct service *service)
{
    ekb_worker_update(&service->worker, 1, LOOK_EVERY_NS);
    hear(service);
}

// drain lets open connections end, until their deadline at the latest.
static void drain(struct service *service, const volatile sig_atomic_t *stop)
{
    const uint64_t until_ns = ekb_clock_now_ns() + service->options->deadline_ns + 2 * EKB_NS_PER_S;
    ekb_worker_command_stop(&service->worker);
    while (!service->worker.ended && *stop != EKB_CLI_HURRY && ekb_clock_now_ns() < until_ns) {
        look(service);
    }
    ekb_worker_command_abort(&service->worker);
    ekb_worker_reap(&service->worker, EKB_NS_PER_S);
    hear(service);
}

// supervise waits for the worker to get ready, then for a signal, the end of the duration, or the
// worker's end.
static void supervise(struct service *service)
{
    const uint64_t duration_ns = service->options->duration_ns;
    const volatile sig_atomic_t *stop = ekb_cli_stop_flag();
    volatile sig_atomic_t *reload_wanted = ekb_cli_reload_flag();
    const uint64_t begin_ns = ekb_clock_now_ns();
    bool announced = false;
    while (!service->worker.ended && *stop == EKB_CLI_GO_ON) {
        const uint64_t spent_ns = ekb_clock_now_ns() - begin_ns;
        if ((duration_ns != 0 && spent_ns >= duration_ns) ||
            (!service->worker.ready && spent_ns > PREPARE_NS)) {
            break;
        }
        // Short waits: a signal that comes just before the wait is noticed soon all the same.
        look(service);
        if (service->worker.ready && !announced) {
            announce(service);
            announced = true;
        }
        // One at a time: the worker reads what the next one would write.
        if (service->worker.ready && !service->reloading && *reload_wanted != 0) {
            *reload_wanted = 0;
            reload(service);
        }
    }
    drain(service, stop);
}

static enum ekb_err body(void *context, int control_fd, void (*ready)(void *), void *ready_context,
                         struct ekb_fail *reterr_fail)
{
    return ekb_server_run(context, control_fd, ready, ready_context, reterr_fail);
}

static enum ekb_err share_listeners(struct service *service, struct ekb_fail *reterr_fail)
{
    struct ekb_listener *shared = mmap(NULL, sizeof service->wish.listeners, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "listeners");
    }
    memcpy(shared, service->wish.listeners, sizeof service->wish.listeners);
    service->reload_from = shared;
    service->bound = service->wish;
    service->server.listeners = service->bound.listeners;
    service->server.num_listeners = service->bound.num_listeners;
    service->server.reload_from = shared;
    return EKB_OK;
}

static enum ekb_err prepare(struct service *service, struct ekb_fail *reterr_fail)
{
    const struct ekb_service_options *options = service->options;
    enum ekb_err err = read_wish(&service->wish, options, reterr_fail);
    if (err == EKB_OK) {
        err = share_listeners(service, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    if (ekb_tally_create(&service->tally, service->wish.num_listeners, 1, 0) != EKB_OK ||
        ekb_event_queue_create(&service->events) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "server");
    }
    service->server.tally = service->tally;
    service->server.events = service->events;
    err = ekb_eventlog_open(&service->log, options->event_log, &options->event_limits, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_net_need_descriptors(options->max_connections + SPARE_DESCRIPTORS, reterr_fail);
    }
    return err;
}

static enum ekb_err start(struct service *service, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = ekb_server_check(&service->server, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_server_open(&service->server, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_worker_spawn(&service->worker, EKB_WORKER_UNPINNED, body, &service->server,
                               reterr_fail);
        ekb_server_close(&service->server);
    }
    return err;
}

static void release(struct service *service)
{
    ekb_eventlog_close(&service->log);
    ekb_event_queue_destroy(service->events);
    ekb_tally_destroy(service->tally);
    if (service->reload_from != NULL) {
        (void)munmap(service->reload_from, sizeof service->wish.listeners);
    }
}

int ekb_service_run(const struct ekb_service_options *options)
{
    uint8_t expect_accept[EKB_SERVICE_MAX_LISTENERS];
    // Nothing is measured by slices here: one that never begins.
    static const struct ekb_timeline timeline = {
        .origin_ns = UINT64_MAX / 2, .slice_ns = EKB_NS_PER_S, .num_slices = 1, .num_warmup = 1};
    struct ekb_fail fail = {0};
    struct service service = {.options = options,
                              .worker = {.control_fd = -1, .ended = true},
                              .server = {.store_path = options->store,
                                         .verify_at = options->verify_at,
                                         .max_connections = options->max_connections,
                                         .deadline_ns = options->deadline_ns,
                                         .timeline = &timeline,
                                         .expect_accept = expect_accept}};
    int status = EKB_EXIT_OK;
    memset(expect_accept, 1, sizeof expect_accept);
    enum ekb_err err = prepare(&service, &fail);
    if (err == EKB_OK) {
        err = start(&service, &fail);
    }
    if (err == EKB_OK) {
        supervise(&service);
        fail = service.worker.fail;
        err = fail.err;
    }
    if (err == EKB_OK) {
        status = ekb_service_print_totals(service.bound.listeners, service.bound.num_listeners,
                                          service.tally, options->format);
    } else {
        status = ekb_cli_fail(&fail);
    }
    release(&service);
    return status;
}
