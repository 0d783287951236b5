// What `ekubench serve` does once its words are understood: its workers, signals, event log.

#ifndef EKUBENCH_SRC_CLI_SERVICE_H
#define EKUBENCH_SRC_CLI_SERVICE_H

#include "cli/cli.h"
#include "cli/eventlog.h"

#include "ekubench/peer/pin.h"
#include "ekubench/peer/server.h"
#include "ekubench/peer/tally.h"

#include <stddef.h>
#include <stdint.h>

#define EKB_SERVICE_MAX_LISTENERS 64

struct ekb_service_options {
    const char *store;
    const char *words[EKB_SERVICE_MAX_LISTENERS]; // Listeners, each in one word.
    size_t num_words;
    const char *listeners_path; // A file with more of them, or NULL.
    uint32_t num_workers;       // 1 to EKB_CREW_MAX.
    enum ekb_listening listening;
    struct ekb_pin pin;       // EKB_PIN_AUTO: as EKB_PIN_OFF.
    uint32_t max_connections; // Of each worker.
    uint64_t deadline_ns;
    uint64_t duration_ns; // 0: until a signal.
    const int64_t *verify_at;
    const char *event_log; // NULL: standard error.
    struct ekb_eventlog_limits event_limits;
    enum ekb_cli_format format;
};

// ekb_service_run serves until it is told to stop, prints the totals of all workers together, and
// returns the exit status. If one of several workers dies the others are ended in order.
int ekb_service_run(const struct ekb_service_options *options);

// ekb_service_print_totals prints what came of the connections of each listener and returns the
// exit status.
int ekb_service_print_totals(const struct ekb_listener *listeners, size_t num_listeners,
                             const struct ekb_tally *tally, enum ekb_cli_format format);

#endif
