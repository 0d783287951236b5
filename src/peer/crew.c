#include "ekubench/peer/crew.h"

#include "ekubench/base/clock.h"
#include "ekubench/io/net.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_shared(const struct ekb_crew *crew)
{
    return crew->workers[0].listening == EKB_LISTENING_SHARED;
}

// open_sockets gives worker `index` its sockets, beside those of the first one.
static enum ekb_err open_sockets(struct ekb_crew *crew, uint32_t index,
                                 struct ekb_fail *reterr_fail)
{
    const struct ekb_server_options *first = &crew->workers[0];
    struct ekb_server_options *worker = &crew->workers[index];
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < worker->num_listeners && err == EKB_OK; i++) {
        struct ekb_listener *listener = &worker->listeners[i];
        if (is_shared(crew)) {
            listener->fd = first->listeners[i].fd;
        } else {
            err = ekb_net_listen(&listener->fd, &listener->address, true, reterr_fail);
        }
    }
    return err;
}

// add_worker makes worker `num_workers` one of the crew, without sockets.
static enum ekb_err add_worker(struct ekb_crew *crew, const struct ekb_server_options *options,
                               size_t num_arms, size_t num_slices, struct ekb_fail *reterr_fail)
{
    struct ekb_listener *listeners = calloc(options->num_listeners, sizeof listeners[0]);
    struct ekb_tally *tally = NULL;
    if (listeners == NULL || ekb_tally_create(&tally, num_arms, num_slices, 0) != EKB_OK) {
        free(listeners);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "server workers");
    }
    memcpy(listeners, options->listeners, options->num_listeners * sizeof listeners[0]);
    for (size_t i = 0; i < options->num_listeners; i++) {
        listeners[i].fd = -1;
    }
    struct ekb_server_options *worker = &crew->workers[crew->num_workers++];
    *worker = *options;
    worker->listeners = listeners;
    worker->tally = tally;
    return EKB_OK;
}

enum ekb_err ekb_crew_open(struct ekb_crew *out_crew, struct ekb_server_options *options,
                           size_t num_arms, size_t num_slices, struct ekb_fail *reterr_fail)
{
    const uint32_t num_workers = options->num_workers > 0 ? options->num_workers : 1;
    enum ekb_err err = EKB_OK;
    EKB_CHECK(num_workers <= EKB_CREW_MAX);
    *out_crew = (struct ekb_crew){.num_workers = 0};
    for (uint32_t i = 0; i < num_workers && err == EKB_OK; i++) {
        err = add_worker(out_crew, options, num_arms, num_slices, reterr_fail);
    }
    for (size_t i = 0; i < options->num_listeners && err == EKB_OK; i++) {
        out_crew->workers[0].listeners[i].fd = options->listeners[i].fd;
        options->listeners[i].fd = -1;
    }
    for (uint32_t i = 1; i < num_workers && err == EKB_OK; i++) {
        err = open_sockets(out_crew, i, reterr_fail);
    }
    return err;
}

void ekb_crew_close(struct ekb_crew *crew)
{
    for (uint32_t i = 0; i < crew->num_workers; i++) {
        struct ekb_server_options *worker = &crew->workers[i];
        for (size_t j = 0; j < worker->num_listeners && i > 0 && is_shared(crew); j++) {
            worker->listeners[j].fd = -1; // Closed as the first one's.
        }
        ekb_server_close(worker);
    }
}

void ekb_crew_deinit(struct ekb_crew *crew)
{
    ekb_crew_close(crew);
    for (uint32_t i = 0; i < crew->num_workers; i++) {
        free(crew->workers[i].listeners);
        ekb_tally_destroy(crew->workers[i].tally);
    }
    *crew = (struct ekb_crew){.num_workers = 0};
}

struct duty {
    struct ekb_crew *crew;
    uint32_t index;
};

static enum ekb_err body(void *context, int control_fd, void (*ready)(void *), void *ready_context,
                         struct ekb_fail *reterr_fail)
{
    const struct duty *duty = context;
    for (uint32_t i = 0; i < duty->crew->num_workers && !is_shared(duty->crew); i++) {
        if (i != duty->index) {
            ekb_server_close(&duty->crew->workers[i]);
        }
    }
    return ekb_server_run(&duty->crew->workers[duty->index], control_fd, ready, ready_context,
                          reterr_fail);
}

enum ekb_err ekb_crew_spawn(struct ekb_worker *out_worker, struct ekb_crew *crew, uint32_t index,
                            int cpu, struct ekb_fail *reterr_fail)
{
    struct duty duty = {.crew = crew, .index = index};
    EKB_CHECK(index < crew->num_workers);
    return ekb_worker_spawn(out_worker, cpu, body, &duty, reterr_fail);
}

struct ekb_tally *ekb_crew_merge(struct ekb_crew *crew, const struct ekb_worker *workers)
{
    struct ekb_tally *sum = crew->workers[0].tally;
    for (uint32_t i = 0; i < crew->num_workers; i++) {
        if (workers[i].fail.err == EKB_WORKER_DIED) {
            ekb_tally_settle(crew->workers[i].tally, ekb_clock_now_ns());
        }
        if (i > 0) {
            ekb_tally_merge(sum, crew->workers[i].tally);
        }
    }
    crew->workers[0].tally = NULL;
    return sum;
}
