#include "cli/cli.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"
#include "ekubench/peer/listen.h"
#include "ekubench/peer/server.h"
#include "ekubench/peer/worker.h"
#include "ekubench/tls/alert.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LISTENERS 64
#define LABEL_LEN (EKB_ADDRESS_TEXT_LEN + EKB_NAME_LEN + 120)
// Descriptors beside the connections: ring, listeners, library, standard streams.
#define SPARE_DESCRIPTORS 128
#define PREPARE_NS (30 * EKB_NS_PER_S)

struct arguments {
    const char *store;
    struct ekb_listener listeners[MAX_LISTENERS];
    size_t num_listeners;
    uint32_t max_connections;
    uint64_t deadline_ns;
    uint64_t duration_ns; // 0: until a signal.
    int64_t verify_at;
    bool verify_at_set;
    enum ekb_cli_format format;
};

enum {
    OPTION_DEADLINE = 256,
    OPTION_DURATION,
    OPTION_AT,
    OPTION_JSON,
};

static void add_listener(struct arguments *arguments, const char *text, struct argp_state *state)
{
    struct ekb_fail fail;
    char message[512];
    if (arguments->num_listeners == MAX_LISTENERS) {
        argp_error(state, "at most %d listeners", MAX_LISTENERS);
    }
    struct ekb_listener *listener = &arguments->listeners[arguments->num_listeners];
    if (ekb_listener_parse(listener, text, &fail) != EKB_OK) {
        ekb_fail_text(message, sizeof message, &fail);
        argp_error(state, "--listen: %s", message);
    }
    listener->arm = (uint16_t)arguments->num_listeners++;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    uint64_t count = 0;
    switch (key) {
    case 's':
        arguments->store = text;
        return 0;
    case 'l':
        add_listener(arguments, text, state);
        return 0;
    case 'm':
        if (ekb_units_parse_count(&count, text, 1, 100000) != EKB_OK) {
            argp_error(state, "--max-connections %s: a count from 1 to 100000 is wanted", text);
        }
        arguments->max_connections = (uint32_t)count;
        return 0;
    case OPTION_DEADLINE:
        if (ekb_units_parse_duration(&arguments->deadline_ns, text) != EKB_OK ||
            arguments->deadline_ns < 10 * EKB_NS_PER_MS) {
            argp_error(state, "--deadline %s: a duration such as 10s, at least 10ms, is wanted",
                       text);
        }
        return 0;
    case OPTION_DURATION:
        if (ekb_units_parse_duration(&arguments->duration_ns, text) != EKB_OK) {
            argp_error(state, "--duration %s: a duration such as 60s is wanted", text);
        }
        return 0;
    case OPTION_AT:
        if (ekb_units_parse_time(&arguments->verify_at, text) != EKB_OK) {
            argp_error(state,
                       "--at %s: a time such as 2026-03-29T06:54:39Z, or seconds since 1970, is "
                       "wanted",
                       text);
        }
        arguments->verify_at_set = true;
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", text);
        return 0;
    case ARGP_KEY_END:
        if (arguments->store == NULL || arguments->num_listeners == 0) {
            argp_error(state, "--store DIR and at least one --listen ADDR:PORT are wanted");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"store", 's', "DIR", 0, "The dual store: server.pem, privkey.pem, ca.pem", 0},
    {"listen", 'l', "ADDR:PORT[,KEY=VALUE]...", 0,
     "A listener and its policy; may be repeated. eku=on|off|none (default on), "
     "eku-absent=accept|reject (a leaf without the extension; default accept), "
     "verify=full|parse|raw|one-way (default full), tls=1.2|1.3|any (default any), depth=N "
     "(default "
     "32), crl=auto|on|off (client-ca.crl; default auto: if it is there), name=NAME (that the "
     "client "
     "must have). Port 0: any free port",
     0},
    {"max-connections", 'm', "N", 0,
     "Connections open at a time (default 4096); more are reset and counted", 0},
    {"deadline", OPTION_DEADLINE, "TIME", 0,
     "For a handshake, and for the client's close (default 10s)", 0},
    {"duration", OPTION_DURATION, "TIME", 0, "End after this time (default: at SIGINT or SIGTERM)",
     0},
    {"at", OPTION_AT, "TIME", 0, "Verify client certificates as of then (default now)", 0},
    {"json", OPTION_JSON, NULL, 0,
     "Print the totals as JSON; the listeners are then announced on standard error", 0},
    {0},
};

static const char doc[] =
    "Run the dual-store TLS server. A client whose certificate satisfies the listener's policy "
    "gets one byte of "
    "application data ('K') and is expected to close; another one gets the alert that fits.\v"
    "SIGINT or SIGTERM: no new connections, those that are open may end, then the "
    "totals; a second one: they may not.\n\nExamples:\n"
    "  ekubench serve --store store --listen 127.0.0.1:7001\n"
    "  ekubench serve -s store -l 127.0.0.1:7001 -l 127.0.0.1:7002,eku=off";

static enum ekb_err body(void *context, int control_fd, void (*ready)(void *), void *ready_context,
                         struct ekb_fail *reterr_fail)
{
    return ekb_server_run(context, control_fd, ready, ready_context, reterr_fail);
}

static json_t *failures_json(const struct ekb_tally_arm *arm)
{
    json_t *object = json_object();
    for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
        if (arm->failures[err] > 0) {
            (void)json_object_set_new(object, ekb_err_name((enum ekb_err)err),
                                      json_integer((json_int_t)arm->failures[err]));
        }
    }
    return object;
}

static json_t *alerts_json(const struct ekb_tally_arm *arm)
{
    json_t *object = json_object();
    for (int alert = 0; alert < EKB_TALLY_NUM_ALERTS; alert++) {
        if (arm->alerts[alert] > 0) {
            (void)json_object_set_new(object, ekb_alert_name(alert),
                                      json_integer((json_int_t)arm->alerts[alert]));
        }
    }
    return object;
}

static json_t *listener_json(const struct ekb_listener *listener, const struct ekb_tally_arm *arm)
{
    char address[EKB_ADDRESS_TEXT_LEN];
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:o}", "address",
        ekb_address_format(address, &listener->address), "eku",
        ekb_eku_mode_name(listener->policy.eku), "verify",
        ekb_verify_level_name(listener->policy.verify), "tls",
        ekb_tls_version_name(listener->version), "depth", (json_int_t)listener->policy.max_depth,
        "handshakes", "started", (json_int_t)arm->started, "accepted", (json_int_t)arm->accepted,
        "rejected", (json_int_t)arm->rejected, "failed", (json_int_t)arm->failed, "unfinished",
        (json_int_t)arm->unfinished, "failures", failures_json(arm), "alerts", alerts_json(arm));
}

static int print_totals_json(const struct arguments *arguments, const struct ekb_tally *tally)
{
    json_t *list = json_array();
    for (size_t i = 0; i < arguments->num_listeners; i++) {
        if (json_array_append_new(list, listener_json(&arguments->listeners[i], &tally->arms[i])) !=
            0) {
            json_decref(list);
            return ekb_cli_print_json(NULL);
        }
    }
    return ekb_cli_print_json(json_pack("{s:o}", "listeners", list));
}

static void print_totals(const struct arguments *arguments, const struct ekb_tally *tally)
{
    for (size_t i = 0; i < arguments->num_listeners; i++) {
        const struct ekb_tally_arm *arm = &tally->arms[i];
        char label[LABEL_LEN];
        ekb_listener_format(label, sizeof label, &arguments->listeners[i]);
        (void)printf(
            "%s: %llu connections: %llu accepted, %llu rejected, %llu failed, %llu unfinished\n",
            label, (unsigned long long)arm->started, (unsigned long long)arm->accepted,
            (unsigned long long)arm->rejected, (unsigned long long)arm->failed,
            (unsigned long long)arm->unfinished);
        for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
            if (arm->failures[err] > 0) {
                (void)printf("  %s: %llu (%s)\n", ekb_err_name((enum ekb_err)err),
                             (unsigned long long)arm->failures[err],
                             ekb_err_sentence((enum ekb_err)err));
            }
        }
        for (int alert = 0; alert < EKB_TALLY_NUM_ALERTS; alert++) {
            if (arm->alerts[alert] > 0) {
                (void)printf("  alert %s sent: %llu\n", ekb_alert_name(alert),
                             (unsigned long long)arm->alerts[alert]);
            }
        }
    }
    (void)fflush(stdout);
}

static void announce(const struct arguments *arguments)
{
    FILE *stream = arguments->format == EKB_CLI_JSON ? stderr : stdout;
    for (size_t i = 0; i < arguments->num_listeners; i++) {
        char label[LABEL_LEN];
        ekb_listener_format(label, sizeof label, &arguments->listeners[i]);
        (void)fprintf(stream, "listening on %s\n", label);
    }
    (void)fflush(stream);
}

// drain lets open connections end, until their deadline at the latest.
static void drain(struct ekb_worker *worker, uint64_t deadline_ns,
                  const volatile sig_atomic_t *stop)
{
    const uint64_t until_ns = ekb_clock_now_ns() + deadline_ns + 2 * EKB_NS_PER_S;
    ekb_worker_command_stop(worker);
    while (!worker->ended && *stop != EKB_CLI_HURRY && ekb_clock_now_ns() < until_ns) {
        ekb_worker_update(worker, 1, 100 * EKB_NS_PER_MS);
    }
    ekb_worker_command_abort(worker);
    ekb_worker_reap(worker, EKB_NS_PER_S);
}

// supervise waits for the worker to get ready, then for a signal, the end of the duration, or the
// worker's end.
static void supervise(const struct arguments *arguments, struct ekb_worker *worker)
{
    const volatile sig_atomic_t *stop = ekb_cli_stop_flag();
    const uint64_t begin_ns = ekb_clock_now_ns();
    bool announced = false;
    while (!worker->ended && *stop == EKB_CLI_GO_ON) {
        const uint64_t spent_ns = ekb_clock_now_ns() - begin_ns;
        if ((arguments->duration_ns != 0 && spent_ns >= arguments->duration_ns) ||
            (!worker->ready && spent_ns > PREPARE_NS)) {
            break;
        }
        // Short waits: a signal that comes just before the wait is noticed soon all the same.
        ekb_worker_update(worker, 1, 100 * EKB_NS_PER_MS);
        if (worker->ready && !announced) {
            announce(arguments);
            announced = true;
        }
    }
    drain(worker, arguments->deadline_ns, stop);
}

static int serve(struct arguments *arguments, struct ekb_server_options *server)
{
    struct ekb_fail fail = {0};
    struct ekb_worker worker = {.control_fd = -1, .ended = true};
    enum ekb_err err = ekb_net_need_descriptors(server->max_connections + SPARE_DESCRIPTORS, &fail);
    if (err == EKB_OK) {
        err = ekb_server_check(server, &fail);
    }
    if (err == EKB_OK) {
        err = ekb_server_open(server, &fail);
    }
    if (err == EKB_OK) {
        err = ekb_worker_spawn(&worker, EKB_WORKER_UNPINNED, body, server, &fail);
        ekb_server_close(server);
    }
    if (err != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    supervise(arguments, &worker);
    if (worker.fail.err != EKB_OK) {
        return ekb_cli_fail(&worker.fail);
    }
    if (arguments->format == EKB_CLI_JSON) {
        return print_totals_json(arguments, server->tally);
    }
    print_totals(arguments, server->tally);
    return EKB_EXIT_OK;
}

int ekb_cli_serve(int argc, char **argv)
{
    static const struct argp argp = {.options = options, .parser = parse, .doc = doc};
    struct arguments arguments = {.max_connections = 4096, .deadline_ns = 10 * EKB_NS_PER_S};
    // Nothing is measured by slices here: one that never begins.
    const struct ekb_timeline timeline = {
        .origin_ns = UINT64_MAX / 2, .slice_ns = EKB_NS_PER_S, .num_slices = 1, .num_warmup = 1};
    uint8_t expect_accept[MAX_LISTENERS];
    struct ekb_tally *tally = NULL;

    ekb_cli_parse(&argp, argc, argv, &arguments);
    memset(expect_accept, 1, sizeof expect_accept);
    if (ekb_tally_create(&tally, arguments.num_listeners, timeline.num_slices) != EKB_OK) {
        ekb_cli_say("out of memory");
        return EKB_EXIT_ENVIRONMENT;
    }
    struct ekb_server_options server = {
        .store_path = arguments.store,
        .verify_at = arguments.verify_at_set ? &arguments.verify_at : NULL,
        .listeners = arguments.listeners,
        .num_listeners = arguments.num_listeners,
        .max_connections = arguments.max_connections,
        .deadline_ns = arguments.deadline_ns,
        .timeline = &timeline,
        .tally = tally,
        .expect_accept = expect_accept,
    };
    const int status = serve(&arguments, &server);
    ekb_tally_destroy(tally);
    return status;
}
