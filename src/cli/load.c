#include "cli/cli.h"
#include "cli/load_plan.h"
#include "cli/target.h"
#include "cli/words.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"
#include "ekubench/lab/load.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// What an open loop may have in flight if nobody says.
#define OPEN_LOOP_IN_FLIGHT 4000

struct arguments {
    struct ekb_load_settings settings;
    struct ekb_cli_target target;
    const char *output;
    double rate_per_s; // 0: closed loop.
    const char *steps;
    bool in_flight_set;
    bool arrivals_set;
    bool count_set;
    enum ekb_cli_format format;
};

struct default_word {
    const char *name;
    char value[8];
};

enum {
    OPTION_TARGET = 256,
    OPTION_COUNT,
    OPTION_WARMUP,
    OPTION_RAMP,
    OPTION_RATE,
    OPTION_STEPS,
    OPTION_ARRIVALS,
    OPTION_SEED,
    OPTION_WORKERS,
    OPTION_PIN,
    OPTION_DEADLINE,
    OPTION_TLS,
    OPTION_RESUME_SHARE,
    OPTION_REJECT_SHARE,
    OPTION_REJECT_STORE,
    OPTION_EXPECT,
    OPTION_JSON,
};

static void parse_duration(uint64_t *out_ns, const char *option, const char *text, uint64_t min_ns,
                           struct argp_state *state)
{
    // A day: a longer load is a mistake.
    if (ekb_units_parse_duration(out_ns, text) != EKB_OK || *out_ns < min_ns ||
        *out_ns > UINT64_C(86400) * EKB_NS_PER_S) {
        ekb_cli_refuse(state, "%s %s: a duration such as 10s, at most 24h, is wanted", option,
                       text);
    }
}

// parse_word reads an option whose value is one of two words.
static bool parse_word(const char *option, const char *text, const char *first, const char *second,
                       struct argp_state *state)
{
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0) {
        ekb_cli_refuse(state, "%s %s: %s or %s is wanted", option, text, first, second);
    }
    return strcmp(text, first) == 0;
}

static double parse_rate(const char *option, const char *text, struct argp_state *state)
{
    double per_s = 0;
    if (ekb_units_parse_rate(&per_s, text) != EKB_OK) {
        ekb_cli_refuse(state, "%s %s: a rate such as 1500/s or 2k/s is wanted", option, text);
    }
    return per_s;
}

// add_stretch appends a stretch of the open loop's rate.
static void add_stretch(struct ekb_load_settings *settings, uint64_t duration_ns,
                        double begin_per_s, double end_per_s, struct argp_state *state)
{
    if (settings->num_stretches == EKB_LOAD_MAX_STRETCHES) {
        ekb_cli_refuse(state, "--steps: at most %d steps", EKB_LOAD_MAX_STRETCHES - 1);
    }
    settings->stretches[settings->num_stretches++] =
        (struct ekb_pace_stretch){duration_ns, begin_per_s, end_per_s};
}

// parse_steps reads "500/s:10s,1k/s:10s" and sets how long is measured: until the end of the last.
static void parse_steps(struct ekb_load_settings *settings, const char *text,
                        struct argp_state *state)
{
    settings->duration_ns = 0;
    while (*text != '\0') {
        char rate[EKB_UNITS_TEXT_LEN];
        char duration[EKB_UNITS_TEXT_LEN];
        uint64_t duration_ns = 0;
        const size_t rate_len = strcspn(text, ":,");
        const size_t duration_len = text[rate_len] == ':' ? strcspn(text + rate_len + 1, ",") : 0;
        if (rate_len >= sizeof rate || duration_len >= sizeof duration || duration_len == 0) {
            ekb_cli_refuse(state, "--steps %s: RATE:TIME,RATE:TIME,... is wanted", text);
        }
        (void)snprintf(rate, sizeof rate, "%.*s", (int)rate_len, text);
        (void)snprintf(duration, sizeof duration, "%.*s", (int)duration_len, text + rate_len + 1);
        const double per_s = parse_rate("--steps", rate, state);
        parse_duration(&duration_ns, "--steps", duration, 100 * EKB_NS_PER_MS, state);
        add_stretch(settings, duration_ns, per_s, per_s, state);
        settings->duration_ns += duration_ns;
        text += rate_len + 1 + duration_len;
        text += *text == ',' ? 1 : 0;
    }
}

// plan_open_loop makes the rate of the open loop from what the options say: a ramp, the rest of the
// warm-up, and what is measured.
static void plan_open_loop(struct arguments *arguments, struct argp_state *state)
{
    struct ekb_load_settings *settings = &arguments->settings;
    struct ekb_load_settings steps = {.num_stretches = 0};
    double first_per_s = arguments->rate_per_s;
    if (arguments->steps != NULL) {
        parse_steps(&steps, arguments->steps, state);
        if (steps.num_stretches == 0) {
            ekb_cli_refuse(state, "--steps: there are none");
        }
        first_per_s = steps.stretches[0].begin_per_s;
        settings->duration_ns = steps.duration_ns;
    }
    if (settings->ramp_ns > 0) {
        add_stretch(settings, settings->ramp_ns, 0, first_per_s, state);
    }
    if (settings->warmup_ns > settings->ramp_ns) {
        add_stretch(settings, settings->warmup_ns - settings->ramp_ns, first_per_s, first_per_s,
                    state);
    }
    if (arguments->steps == NULL) {
        add_stretch(settings, settings->duration_ns, first_per_s, first_per_s, state);
    }
    for (size_t i = 0; i < steps.num_stretches; i++) {
        add_stretch(settings, steps.stretches[i].duration_ns, steps.stretches[i].begin_per_s,
                    steps.stretches[i].end_per_s, state);
    }
    settings->in_flight = arguments->in_flight_set ? settings->in_flight : OPEN_LOOP_IN_FLIGHT;
}

static void check_load(struct arguments *arguments, struct argp_state *state)
{
    struct ekb_load_settings *settings = &arguments->settings;
    const bool open_loop = arguments->rate_per_s > 0 || arguments->steps != NULL;
    if (arguments->count_set) {
        settings->warmup_ns = 0;
    }
    if (settings->ramp_ns > settings->warmup_ns) {
        ekb_cli_refuse(state, "the ramp is part of the warm-up (--warmup) and cannot be longer");
    }
    if (arguments->rate_per_s > 0 && arguments->steps != NULL) {
        ekb_cli_refuse(state, "--rate or --steps, not both");
    }
    if (!open_loop && arguments->arrivals_set) {
        ekb_cli_refuse(state, "--arrivals is of an open loop, with --rate or --steps");
    }
    if (open_loop) {
        plan_open_loop(arguments, state);
    }
    if (settings->in_flight < settings->num_workers) {
        ekb_cli_refuse(state, "%u client workers have less than one connection each",
                       (unsigned)settings->num_workers);
    }
}

static void check_arguments(struct arguments *arguments, struct argp_state *state)
{
    if (arguments->target.text == NULL) {
        ekb_cli_refuse(state, "the server's ADDR:PORT is wanted");
    }
    struct ekb_load_settings *settings = &arguments->settings;
    ekb_cli_check_target(&arguments->target, state);
    settings->arm = arguments->target.arm;
    settings->target_text = arguments->target.text;
    settings->confirm = arguments->target.confirm;
    if (settings->reject_store != NULL && !(settings->reject_share > 0)) {
        ekb_cli_refuse(state, "--reject-store is of --reject-share");
    }
    if (settings->arm.expect != EKB_EXPECT_ACCEPT &&
        (settings->reject_share > 0 || settings->resume_share > 0)) {
        ekb_cli_refuse(state, "--expect reject is of all: without --reject-share and "
                              "--resume-share");
    }
    if (settings->max_starts > 0 && settings->max_starts < settings->num_workers) {
        ekb_cli_refuse(state, "--count: %u client workers have less than one handshake each",
                       (unsigned)settings->num_workers);
    }
    check_load(arguments, state);
}

// parse_shape reads the options that say how much load there is, and when.
static error_t parse_shape(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ekb_load_settings *settings = &arguments->settings;
    switch (key) {
    case OPTION_COUNT:
        if (ekb_units_parse_count(&settings->max_starts, text, 1, UINT64_C(1) << 40) != EKB_OK) {
            ekb_cli_refuse(state, "--count %s: a count is wanted", text);
        }
        arguments->count_set = true;
        return 0;
    case OPTION_WARMUP:
        parse_duration(&settings->warmup_ns, "--warmup", text, 0, state);
        return 0;
    case OPTION_RAMP:
        parse_duration(&settings->ramp_ns, "--ramp", text, 0, state);
        return 0;
    case OPTION_RATE:
        arguments->rate_per_s = parse_rate("--rate", text, state);
        return 0;
    case OPTION_STEPS:
        arguments->steps = text;
        return 0;
    case OPTION_ARRIVALS:
        settings->arrivals = parse_word("--arrivals", text, "poisson", "fixed", state)
                                 ? EKB_ARRIVALS_POISSON
                                 : EKB_ARRIVALS_FIXED;
        arguments->arrivals_set = true;
        return 0;
    case OPTION_SEED:
        if (ekb_units_parse_count(&settings->seed, text, 1, UINT64_C(1) << 53) != EKB_OK) {
            ekb_cli_refuse(state, "--seed %s: a whole number from 1 to 2^53 is wanted", text);
        }
        return 0;
    case OPTION_WORKERS:
        ekb_cli_parse_workers(&settings->num_workers, "--client-workers", text, state);
        return 0;
    case OPTION_PIN:
        ekb_cli_parse_pin(&settings->pin, text, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// parse_outcomes reads the options that say what is to become of the connections.
static error_t parse_outcomes(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ekb_load_settings *settings = &arguments->settings;
    switch (key) {
    case OPTION_EXPECT:
        arguments->target.arm.expect = parse_word("--expect", text, "accept", "reject", state)
                                           ? EKB_EXPECT_ACCEPT
                                           : EKB_EXPECT_REJECT;
        return 0;
    case OPTION_RESUME_SHARE:
        settings->resume_share = ekb_cli_parse_share("--resume-share", text, state);
        return 0;
    case OPTION_REJECT_SHARE:
        settings->reject_share = ekb_cli_parse_share("--reject-share", text, state);
        return 0;
    case OPTION_REJECT_STORE:
        settings->reject_store = text;
        return 0;
    default:
        return parse_shape(key, text, state);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ekb_load_settings *settings = &arguments->settings;
    switch (key) {
    case OPTION_TARGET:
        ekb_cli_set_target(&arguments->target, text, state);
        return 0;
    case OPTION_TLS:
        arguments->target.tls = text;
        return 0;
    case 'n':
        ekb_cli_parse_in_flight(&settings->in_flight, text, state);
        arguments->in_flight_set = true;
        return 0;
    case 't':
        parse_duration(&settings->duration_ns, "--duration", text, 100 * EKB_NS_PER_MS, state);
        return 0;
    case 'o':
        arguments->output = text;
        return 0;
    case OPTION_DEADLINE:
        parse_duration(&settings->deadline_ns, "--deadline", text, 10 * EKB_NS_PER_MS, state);
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        }
        ekb_cli_set_target(&arguments->target, text, state);
        return 0;
    case ARGP_KEY_END:
        check_arguments(arguments, state);
        return 0;
    default: {
        const error_t err = ekb_cli_parse_target(&arguments->target, key, text, state);
        return err == ARGP_ERR_UNKNOWN ? parse_outcomes(key, text, state) : err;
    }
    }
}

static const struct argp_option options[] = {
    {"plan", EKB_CLI_OPTION_PLAN, "FILE", 0,
     "Read options from an INI file, with their names as keys; what the command line says of an "
     "option goes before it",
     0},
    {"print-plan", EKB_CLI_OPTION_PRINT_PLAN, NULL, 0,
     "Print what would be done as an INI file for --plan, and do nothing else", 0},
    {"target", OPTION_TARGET, "ADDR:PORT", 0, "The server, as the argument: for plan files", 0},
    {"in-flight", 'n', "N", 0,
     "Connections in flight at all times (default 100); open loop: at most (default 4000)", 0},
    {"rate", OPTION_RATE, "RATE", 0,
     "Open loop: start connections at this rate (1500/s, 2k/s), whatever becomes of them", 0},
    {"steps", OPTION_STEPS, "RATE:TIME,...", 0, "Open loop whose rate changes in steps", 0},
    {"arrivals", OPTION_ARRIVALS, "poisson|fixed", 0,
     "Open loop: as of independent clients (default), or at equal distances", 0},
    {"seed", OPTION_SEED, "N", 0, "Seed of the arrivals (default 1)", 0},
    {"client-workers", OPTION_WORKERS, "N", 0,
     "Processes that share the load, each on a CPU of its own if there are as many and one more "
     "(default 1)",
     0},
    {"pin", OPTION_PIN, EKB_CLI_PIN_ARG, 0,
     "CPUs of the client workers, in their order (0,2-5); auto (default): one each if there are as "
     "many and one more, for the server; off: as the system likes",
     0},
    {"duration", 't', "TIME", 0, "How long to measure (default 10s)", 0},
    {"count", OPTION_COUNT, "N", 0, "End after N handshakes, if that comes first; without warm-up",
     0},
    {"warmup", OPTION_WARMUP, "TIME", 0, "Run this long before measuring (default 1s)", 0},
    {"ramp", OPTION_RAMP, "TIME", 0,
     "Within the warm-up: start connections evenly over this time; open loop: raise the rate over "
     "it "
     "(default: all at once)",
     0},
    {"deadline", OPTION_DEADLINE, "TIME", 0, "For one handshake (default 10s)", 0},
    {"tls", OPTION_TLS, "VERSION", 0, "1.2, 1.3 or any (default)", 0},
    {"resume-share", OPTION_RESUME_SHARE, "SHARE", 0,
     "Share of the connections that resume a session (30%, 0.3), of those not to be rejected; "
     "proven: what is not resumed does not count as such",
     0},
    {"reject-share", OPTION_REJECT_SHARE, "SHARE", 0,
     "Share of the connections that are to be rejected", 0},
    {"reject-store", OPTION_REJECT_STORE, "DIR", 0,
     "What clients that are to be rejected present: DIR's client.pem (default: no certificate)", 0},
    {"expect", OPTION_EXPECT, "accept|reject", 0,
     "What should become of the handshakes (default accept); anything else is not clean", 0},
    {"output", 'o', "DIR", 0, EKB_CLI_OUTPUT_HELP, 0},
    {"json", OPTION_JSON, NULL, 0, "Print the result as JSON instead of tables", 0},
    EKB_CLI_TARGET_OPTIONS(1),
    {0},
};

static const char doc[] =
    "Load a TLS server with full handshakes: a fixed number in flight (closed loop), or at a rate "
    "(open loop), with latency from the planned start.\v"
    "The load is meant for servers that are yours. Exit status: 0 done; 2 wrong usage; 3 the "
    "server cannot be "
    "reached, speaks no TLS, or the result is not clean.\n\nExamples:\n"
    "  ekubench load 127.0.0.1:7001 --store store -n 500 -t 30s\n"
    "  ekubench load 127.0.0.1:7001 --store store -n 5000 --warmup 5s --ramp 3s\n"
    "  ekubench load 127.0.0.1:7001 --store store --rate 1500/s -t 30s\n"
    "  ekubench load 127.0.0.1:7001 --store store --steps 500/s:10s,1k/s:10s\n"
    "  ekubench load 127.0.0.1:7001 --store store --steps 1k/s:10s --ramp 1s \\\n"
    "      --print-plan >my.ini\n"
    "  ekubench load --plan my.ini --store other\n"
    "  A server that gives tickets (ours: serve --listen ...,resume=on) resumes:\n"
    "    ekubench load 127.0.0.1:7001 --store store --resume-share 30% \\\n"
    "        --reject-share 5%\n"
    "  nginx, haproxy and the like:\n"
    "    ekubench load 127.0.0.1:8443 --ca ca.pem --confirm http -n 200\n"
    "  ekubench load localhost:443 --insecure --groups hybrid:X25519 --count 1000";

static enum ekb_err run(struct ekb_record *out_record, const void *settings,
                        const struct ekb_session_control *control, struct ekb_fail *reterr_fail)
{
    return ekb_load_run(out_record, settings, control, reterr_fail);
}

const struct argp ekb_cli_load_argp = {
    .options = options, .parser = parse, .args_doc = "ADDR:PORT", .doc = doc};

int ekb_cli_load(int argc, char **argv)
{
    struct default_word defaults[] = {
        {"seed", "1"},       {"client-workers", "1"}, {"duration", "10s"}, {"warmup", "1s"},
        {"deadline", "10s"}, {"confirm", "first"},    {"tls", "any"},      {"expect", "accept"},
    };
    struct arguments arguments = {.settings = {.in_flight = 100}};
    ekb_cli_target_init(&arguments.target);
    struct ekb_cli_words words = {
        .argp = &ekb_cli_load_argp, .command = "load", .positional = "target", .input = &arguments};
    struct ekb_fail fail;
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        ekb_cli_words_give(&words, defaults[i].name, defaults[i].value);
    }
    if (ekb_cli_words_parse(&words, argc, argv, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    if (words.print_plan) {
        return ekb_cli_print_load_plan(&words, &arguments.settings);
    }
    if (arguments.output != NULL && ekb_cli_claim_output(arguments.output, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    const struct ekb_cli_job job = {.run = run,
                                    .what = &arguments.settings,
                                    .argp = &ekb_cli_load_argp,
                                    .argc = argc,
                                    .argv = argv};
    return ekb_cli_run_to_end(&job, NULL, arguments.output, arguments.format);
}
