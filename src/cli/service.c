#include "cli/service.h"

#include "cli/eventlog.h"
#include "cli/listeners.h"

#include "ekubench/base/clock.h"
#include "ekubench/peer/crew.h"
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

// What a worker has to tell.
struct source {
    struct ekb_event_queue *queue;
    struct ekb_event next; // The oldest, if there is one.
    bool has_next;
};

// What the workers have said to a reload: one line in the log, whatever their number.
struct answers {
    uint32_t num_awaited; // 0: none is under way.
    uint32_t num_failed;
    struct ekb_event event; // The first failure; if there is none, the longest reload.
};

struct service {
    const struct ekb_service_options *options;
    struct wish wish;                 // As it was at the start.
    struct wish bound;                // With the addresses that the system chose.
    struct ekb_listener *reload_from; // What the workers take at a reload; shared with them.
    struct ekb_server_options server;
    struct ekb_crew crew;
    struct ekb_worker workers[EKB_CREW_MAX];
    struct source sources[EKB_CREW_MAX]; // By worker.
    struct ekb_eventlog log;
    struct answers answers;
    bool announced;
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

// share_tickets has several workers take one another's tickets: a client comes to any of them.
static enum ekb_err share_tickets(struct wish *wish, uint32_t num_workers,
                                  struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < wish->num_listeners && num_workers > 1; i++) {
        if (ekb_ticket_key_make(&wish->listeners[i].ticket_key) != EKB_OK) {
            return ekb_fail_set(reterr_fail, EKB_TLS_INTERNAL, 0, "key of tickets");
        }
    }
    return EKB_OK;
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
    return err == EKB_OK ? share_tickets(out_wish, options->num_workers, reterr_fail) : err;
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
    service->answers = (struct answers){.num_awaited = service->crew.num_workers};
    for (uint32_t i = 0; i < service->crew.num_workers; i++) {
        ekb_worker_command_reload(&service->workers[i]);
    }
}

static void take_terms(struct service *service)
{
    for (size_t i = 0; i < service->bound.num_listeners; i++) {
        ekb_listener_take_terms(&service->bound.listeners[i], &service->reload_from[i]);
    }
}

// take_answer writes what came of a reload when the last worker has answered.
static void take_answer(struct service *service, const struct ekb_event *event)
{
    struct answers *answers = &service->answers;
    const bool failed = event->kind == EKB_EVENT_RELOAD_FAILED;
    const bool is_longer = answers->num_failed == 0 && event->spent_ns >= answers->event.spent_ns;
    if (failed ? answers->num_failed++ == 0 : is_longer) {
        answers->event = *event;
    }
    if (answers->num_awaited > 1) {
        answers->num_awaited--;
        return;
    }
    answers->num_awaited = 0;
    if (answers->num_failed == 0) {
        take_terms(service);
    } else if (answers->num_failed < service->crew.num_workers) {
        const struct ekb_fail first = answers->event.fail;
        (void)ekb_fail_set(&answers->event.fail, first.err, first.sys_errno,
                           "%u of %u workers go on with the old store and policies: %s",
                           (unsigned)answers->num_failed, (unsigned)service->crew.num_workers,
                           first.detail);
    }
    ekb_eventlog_write(&service->log, &answers->event);
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

// next_event takes the oldest of what the workers have to tell; false if there is nothing.
static bool next_event(struct service *service, struct ekb_event *out_event)
{
    struct source *oldest = NULL;
    for (uint32_t i = 0; i < service->crew.num_workers; i++) {
        struct source *source = &service->sources[i];
        source->has_next = source->has_next || ekb_event_pop(&source->next, source->queue);
        if (source->has_next && (oldest == NULL || source->next.at_ns < oldest->next.at_ns)) {
            oldest = source;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    *out_event = oldest->next;
    oldest->has_next = false;
    return true;
}

static uint64_t num_lost(const struct service *service)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < service->crew.num_workers; i++) {
        sum += ekb_event_num_lost(service->sources[i].queue);
    }
    return sum;
}

// hear takes what the workers had to tell, but no more than one queue of each: signals wait.
static void hear(struct service *service)
{
    struct ekb_event event;
    size_t num_left = (size_t)service->crew.num_workers * EKB_EVENT_QUEUE_LEN;
    ekb_eventlog_begin(&service->log, ekb_clock_now_ns(), num_lost(service));
    while (num_left-- > 0 && next_event(service, &event)) {
        if (event.kind == EKB_EVENT_REFUSED) {
            ekb_eventlog_write(&service->log, &event);
        } else {
            take_answer(service, &event);
        }
    }
}

static void look(struct service *service)
{
    ekb_worker_update(service->workers, (int)service->crew.num_workers, LOOK_EVERY_NS);
    hear(service);
}

static bool have_all(const struct service *service, bool (*is_so)(const struct ekb_worker *worker))
{
    bool all = true;
    for (uint32_t i = 0; i < service->crew.num_workers; i++) {
        all = all && is_so(&service->workers[i]);
    }
    return all;
}

static bool is_ready(const struct ekb_worker *worker)
{
    return worker->ready;
}

static bool has_ended(const struct ekb_worker *worker)
{
    return worker->ended;
}

static bool lives(const struct ekb_worker *worker)
{
    return !worker->ended;
}

// drain lets open connections end, until their deadline at the latest.
static void drain(struct service *service, const volatile sig_atomic_t *stop)
{
    const uint64_t until_ns = ekb_clock_now_ns() + service->options->deadline_ns + 2 * EKB_NS_PER_S;
    for (uint32_t i = 0; i < service->crew.num_workers; i++) {
        ekb_worker_command_stop(&service->workers[i]);
    }
    while (!have_all(service, has_ended) && *stop != EKB_CLI_HURRY &&
           ekb_clock_now_ns() < until_ns) {
        look(service);
    }
    for (uint32_t i = 0; i < service->crew.num_workers; i++) {
        ekb_worker_command_abort(&service->workers[i]);
    }
    for (uint32_t i = 0; i < service->crew.num_workers; i++) {
        ekb_worker_reap(&service->workers[i], EKB_NS_PER_S);
    }
    hear(service);
}

// supervise waits for the workers to get ready, then for a signal, the end of the duration, or a
// worker's end.
static void supervise(struct service *service)
{
    const uint64_t duration_ns = service->options->duration_ns;
    const volatile sig_atomic_t *stop = ekb_cli_stop_flag();
    volatile sig_atomic_t *reload_wanted = ekb_cli_reload_flag();
    const uint64_t begin_ns = ekb_clock_now_ns();
    while (have_all(service, lives) && *stop == EKB_CLI_GO_ON) {
        const uint64_t spent_ns = ekb_clock_now_ns() - begin_ns;
        if ((duration_ns != 0 && spent_ns >= duration_ns) ||
            (!service->announced && spent_ns > PREPARE_NS)) {
            break;
        }
        // Short waits: a signal that comes just before the wait is noticed soon all the same.
        look(service);
        if (!service->announced && have_all(service, is_ready)) {
            announce(service);
            service->announced = true;
        }
        // One at a time: the workers read what the next one would write.
        if (service->announced && service->answers.num_awaited == 0 && *reload_wanted != 0) {
            *reload_wanted = 0;
            reload(service);
        }
    }
    drain(service, stop);
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
    for (uint32_t i = 0; i < options->num_workers; i++) {
        if (ekb_event_queue_create(&service->sources[i].queue) != EKB_OK) {
            return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "server");
        }
    }
    err = ekb_eventlog_open(&service->log, options->event_log, &options->event_limits, reterr_fail);
    if (err == EKB_OK) {
        // This process holds all workers' sockets for a while.
        const size_t sockets = options->num_workers * service->wish.num_listeners;
        const size_t most = options->max_connections > sockets ? options->max_connections : sockets;
        err = ekb_net_need_descriptors(most + SPARE_DESCRIPTORS, reterr_fail);
    }
    return err;
}

// choose_cpus leaves it to the system unless the user has named some.
static enum ekb_err choose_cpus(int out_cpus[EKB_CREW_MAX],
                                const struct ekb_service_options *options,
                                struct ekb_fail *reterr_fail)
{
    return ekb_pin_choose(out_cpus, options->num_workers, &options->pin, NULL, 0, 0, reterr_fail);
}

static enum ekb_err start(struct service *service, struct ekb_fail *reterr_fail)
{
    int cpus[EKB_CREW_MAX];
    enum ekb_err err = choose_cpus(cpus, service->options, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_server_check(&service->server, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_server_open(&service->server, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_crew_open(&service->crew, &service->server, service->server.num_listeners, 1,
                            reterr_fail);
    }
    for (uint32_t i = 0; i < service->crew.num_workers && err == EKB_OK; i++) {
        service->crew.workers[i].events = service->sources[i].queue;
        err = ekb_crew_spawn(&service->workers[i], &service->crew, i, cpus[i], reterr_fail);
    }
    ekb_crew_close(&service->crew);
    return err;
}

// first_failure hands over why the first worker ended that did not end as it was told.
static enum ekb_err first_failure(const struct service *service, struct ekb_fail *reterr_fail)
{
    for (uint32_t i = 0; i < service->crew.num_workers; i++) {
        const struct ekb_fail *fail = &service->workers[i].fail;
        if (fail->err == EKB_WORKER_DIED && service->crew.num_workers > 1) {
            return ekb_fail_set(reterr_fail, fail->err, 0, "worker %u of %u, %s", (unsigned)i + 1,
                                (unsigned)service->crew.num_workers, fail->detail);
        }
        if (fail->err != EKB_OK) {
            *reterr_fail = *fail;
            return fail->err;
        }
    }
    return EKB_OK;
}

// print_totals prints what all workers have counted together.
static int print_totals(struct service *service)
{
    struct ekb_tally *sum = ekb_crew_merge(&service->crew, service->workers);
    const int status = ekb_service_print_totals(
        service->bound.listeners, service->bound.num_listeners, sum, service->options->format);
    ekb_tally_destroy(sum);
    return status;
}

static void release(struct service *service)
{
    for (uint32_t i = 0; i < EKB_CREW_MAX; i++) { // What has not been started whole.
        ekb_worker_command_abort(&service->workers[i]);
        ekb_worker_reap(&service->workers[i], EKB_NS_PER_S);
    }
    ekb_eventlog_close(&service->log);
    ekb_crew_deinit(&service->crew);
    ekb_server_close(&service->server);
    for (uint32_t i = 0; i < EKB_CREW_MAX; i++) {
        ekb_event_queue_destroy(service->sources[i].queue);
    }
    if (service->reload_from != NULL) {
        (void)munmap(service->reload_from, sizeof service->wish.listeners);
    }
}

int ekb_service_run(const struct ekb_service_options *options)
{
    uint8_t expect[EKB_SERVICE_MAX_LISTENERS];
    // Nothing is measured by slices here: one that never begins.
    static const struct ekb_timeline timeline = {
        .origin_ns = UINT64_MAX / 2, .slice_ns = EKB_NS_PER_S, .num_slices = 1, .num_warmup = 1};
    struct ekb_fail fail = {0};
    struct service service = {.options = options,
                              .server = {.store_path = options->store,
                                         .verify_at = options->verify_at,
                                         .num_workers = options->num_workers,
                                         .listening = options->listening,
                                         .max_connections = options->max_connections,
                                         .deadline_ns = options->deadline_ns,
                                         .timeline = &timeline,
                                         .expect = expect}};
    int status = EKB_EXIT_OK;
    memset(expect, EKB_EXPECT_ACCEPT, sizeof expect);
    for (size_t i = 0; i < EKB_CREW_MAX; i++) {
        service.workers[i] = (struct ekb_worker){.control_fd = -1, .ended = true};
    }
    enum ekb_err err = prepare(&service, &fail);
    if (err == EKB_OK) {
        err = start(&service, &fail);
    }
    if (err == EKB_OK) {
        supervise(&service);
        err = first_failure(&service, &fail);
    }
    // Of several workers the others' totals are worth having if one has died.
    if (err == EKB_OK || (service.announced && options->num_workers > 1)) {
        status = print_totals(&service);
    }
    if (err != EKB_OK) {
        status = ekb_cli_fail(&fail);
    }
    release(&service);
    return status;
}
