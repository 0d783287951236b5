#include "cli/service.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"
#include "ekubench/peer/listen.h"

#include <string.h>

struct arguments {
    struct ekb_service_options service;
    int64_t verify_at;
};

// Of a log file: some dozens of lines, so that there is something in it.
#define MIN_EVENT_SIZE 64000

enum {
    OPTION_DEADLINE = 256,
    OPTION_DURATION,
    OPTION_AT,
    OPTION_LISTENERS,
    OPTION_EVENT_LOG,
    OPTION_EVENT_RATE,
    OPTION_EVENT_SIZE,
    OPTION_JSON,
    OPTION_SHARED_LISTENER,
    OPTION_PIN,
};

// add_listener sees that the word is one, and keeps it as it is: a reload reads it again.
static void add_listener(struct ekb_service_options *service, const char *text,
                         struct argp_state *state)
{
    struct ekb_listener listener;
    struct ekb_fail fail;
    char message[512];
    if (service->num_words == EKB_SERVICE_MAX_LISTENERS) {
        ekb_cli_refuse(state, "at most %d listeners", EKB_SERVICE_MAX_LISTENERS);
    }
    if (ekb_listener_parse(&listener, text, &fail) != EKB_OK) {
        ekb_fail_text(message, sizeof message, &fail);
        ekb_cli_refuse(state, "--listen: %s", message);
    }
    service->words[service->num_words++] = text;
}

// parse_event obeys the options of the event log.
static error_t parse_event(struct ekb_service_options *service, int key, const char *text,
                           struct argp_state *state)
{
    uint64_t count = 0;
    switch (key) {
    case OPTION_EVENT_LOG:
        service->event_log = text;
        return 0;
    case OPTION_EVENT_RATE:
        if (ekb_units_parse_count(&service->event_limits.lines_per_s, text, 0, 1000000) != EKB_OK) {
            ekb_cli_refuse(state, "--event-rate %s: lines a second are wanted, 0 for no limit",
                           text);
        }
        return 0;
    case OPTION_EVENT_SIZE:
        if (ekb_units_parse_size(&count, text, 0, UINT64_C(1) << 50) != EKB_OK ||
            (count > 0 && count < MIN_EVENT_SIZE)) {
            ekb_cli_refuse(state,
                           "--event-size %s: bytes are wanted, such as 100M or 64MiB, at least "
                           "64k, 0 for no limit",
                           text);
        }
        service->event_limits.max_len = count;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ekb_service_options *service = &arguments->service;
    uint64_t count = 0;
    switch (key) {
    case 's':
        service->store = text;
        return 0;
    case 'l':
        add_listener(service, text, state);
        return 0;
    case 'm':
        if (ekb_units_parse_count(&count, text, 1, 100000) != EKB_OK) {
            ekb_cli_refuse(state, "--max-connections %s: a count from 1 to 100000 is wanted", text);
        }
        service->max_connections = (uint32_t)count;
        return 0;
    case 'w':
        ekb_cli_parse_workers(&service->num_workers, "--workers", text, state);
        return 0;
    case OPTION_SHARED_LISTENER:
        service->listening = EKB_LISTENING_SHARED;
        return 0;
    case OPTION_PIN:
        ekb_cli_parse_pin(&service->pin, text, state);
        return 0;
    case OPTION_DEADLINE:
        if (ekb_units_parse_duration(&service->deadline_ns, text) != EKB_OK ||
            service->deadline_ns < 10 * EKB_NS_PER_MS) {
            ekb_cli_refuse(state, "--deadline %s: a duration such as 10s, at least 10ms, is wanted",
                           text);
        }
        return 0;
    case OPTION_DURATION:
        if (ekb_units_parse_duration(&service->duration_ns, text) != EKB_OK ||
            service->duration_ns == 0) {
            ekb_cli_refuse(state, "--duration %s: a duration such as 60s is wanted", text);
        }
        return 0;
    case OPTION_AT:
        ekb_cli_parse_time(&arguments->verify_at, text, state);
        service->verify_at = &arguments->verify_at;
        return 0;
    case OPTION_LISTENERS:
        service->listeners_path = text;
        return 0;
    case OPTION_JSON:
        service->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        return 0;
    case ARGP_KEY_END:
        if (service->store == NULL ||
            (service->num_words == 0 && service->listeners_path == NULL)) {
            ekb_cli_refuse(state, "--store DIR and at least one --listen ADDR:PORT are wanted");
        }
        return 0;
    default:
        return parse_event(service, key, text, state);
    }
}

static const struct argp_option options[] = {
    {"store", 's', "DIR", 0, "The dual store: server.pem, privkey.pem, ca.pem", 0},
    {"listen", 'l', "ADDR:PORT[,KEY=VALUE]...", 0,
     "A listener and its policy; may be repeated. eku=on|off|none (default on), "
     "eku-absent=accept|reject (a leaf without the extension; default accept), "
     "verify=full|parse|raw|one-way (default full), tls=1.2|1.3|any (default any), depth=N "
     "(default 32), crl=auto|on|off (client-ca.crl; default auto: if it is there), resume=on|off "
     "(tickets; default off), name=NAME (that the client must have), groups=X25519:P-256:... (or "
     "hybrid), ciphers=... (of TLS 1.2), second=DIR (a store whose server certificate, of another "
     "kind of key, is held beside: the client's preference decides). Port 0: any free port",
     0},
    {"max-connections", 'm', "N", 0,
     "Connections open at a time in a worker (default 4096); more are reset and counted", 0},
    {"workers", 'w', "N", 0,
     "Processes that serve, each with a listening socket of its own (SO_REUSEPORT; default 1)", 0},
    {"shared-listener", OPTION_SHARED_LISTENER, NULL, 0,
     "All workers accept from one socket, one connection at a time: for latency", 0},
    {"pin", OPTION_PIN, EKB_CLI_PIN_ARG, 0,
     "CPUs of the workers, in their order (0,2-5); auto (default) and off: as the system likes", 0},
    {"deadline", OPTION_DEADLINE, "TIME", 0,
     "For a handshake, and for the client's close (default 10s)", 0},
    {"duration", OPTION_DURATION, "TIME", 0, "End after this time (default: at SIGINT or SIGTERM)",
     0},
    {"listeners", OPTION_LISTENERS, "FILE", 0,
     "More listeners, one a line, # begins a comment; read again on SIGHUP", 0},
    {"event-log", OPTION_EVENT_LOG, "FILE", 0,
     "Append a line for each refused connection (default: to standard error); opened again on "
     "SIGHUP",
     0},
    {"event-rate", OPTION_EVENT_RATE, "N", 0,
     "At most N lines of the event log with one second in their time stamps, and a line a second "
     "that says "
     "how many were left out (default 50; 0: no limit)",
     0},
    {"event-size", OPTION_EVENT_SIZE, "SIZE", 0,
     "An event log that would get longer becomes FILE.1, in the place of the one before, and a new "
     "one begins: k, M, G (or kB, MB, GB) are powers of 1000, KiB, MiB, GiB of 1024 (default 100M; "
     "0: no limit)",
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
    "totals; a second one: they may not. SIGHUP: the event log is opened again and the store read "
    "again, and the "
    "policies in the file of --listeners; connections that have begun go on, and what cannot be "
    "read changes "
    "nothing.\n\nExamples:\n"
    "  ekubench serve --store store --listen 127.0.0.1:7001\n"
    "  ekubench serve -s store -l 127.0.0.1:7001 -l 127.0.0.1:7002,eku=off";

const struct argp ekb_cli_serve_argp = {.options = options, .parser = parse, .doc = doc};

int ekb_cli_serve(int argc, char **argv)
{
    struct arguments arguments = {
        .service = {.num_workers = 1,
                    .max_connections = 4096,
                    .deadline_ns = 10 * EKB_NS_PER_S,
                    .event_limits = {.lines_per_s = 50, .max_len = UINT64_C(100000000)}}};

    ekb_cli_parse(&ekb_cli_serve_argp, argc, argv, &arguments);
    return ekb_service_run(&arguments.service);
}
