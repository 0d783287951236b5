#include "cli/cli.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/measure.h"
#include "ekubench/lab/plan.h"

#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *plan;
    const char *output;
    struct ekb_plan_settings settings;
    enum ekb_cli_format format;
};

enum {
    OPTION_SEED = 256,
    OPTION_TLS,
    OPTION_JSON,
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    uint64_t count = 0;
    switch (key) {
    case 'p':
        arguments->plan = text;
        return 0;
    case 'o':
        arguments->output = text;
        return 0;
    case 'n':
        if (ekb_units_parse_count(&count, text, 1, 20000) != EKB_OK) {
            argp_error(state, "--in-flight %s: a count from 1 to 20000 is wanted", text);
        }
        arguments->settings.in_flight = (uint32_t)count;
        return 0;
    case OPTION_SEED:
        if (ekb_units_parse_count(&count, text, 1, UINT64_C(1) << 53) != EKB_OK) {
            argp_error(state, "--seed %s: a whole number from 1 to 2^53 is wanted", text);
        }
        arguments->settings.seed = count;
        return 0;
    case OPTION_TLS:
        if (ekb_tls_version_parse(&arguments->settings.version, text) != EKB_OK ||
            arguments->settings.version == EKB_TLS_ANY) {
            argp_error(state, "--tls %s: 1.2 or 1.3 is wanted", text);
        }
        arguments->settings.version_set = true;
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"plan", 'p', "NAME", 0,
     "Built-in plan: quick (at most 40 s) or standard (at most 120 s, the default)", 0},
    {"output", 'o', "DIR", 0, "Write result.json and report.txt into DIR", 0},
    {"in-flight", 'n', "N", 0, "Connections in flight in the load stage (default 2000)", 0},
    {"tls", OPTION_TLS, "VERSION", 0, "1.3 (the default) or 1.2", 0},
    {"seed", OPTION_SEED, "N", 0,
     "Seed of the order of arms (default 1): the same seed, the same order", 0},
    {"json", OPTION_JSON, NULL, 0, "Print the result as JSON instead of tables", 0},
    {0},
};

static const char doc[] =
    "Measure what verifying client certificates costs: real mutual-TLS handshakes over loopback "
    "against the dual-store server, EKU checking on, off and none, chains of several depths.\v"
    "Exit status: 0 done; 2 wrong usage; 3 the environment cannot give a valid answer (the report "
    "says why).\n\nExamples:\n"
    "  ekubench measure --plan quick\n"
    "  ekubench measure -o results/today --in-flight 5000";

static int run(const struct arguments *arguments, const struct ekb_plan *plan)
{
    struct ekb_record record;
    struct ekb_fail fail = {0};
    struct ekb_cli_progress progress;
    ekb_cli_progress_init(&progress);
    const struct ekb_session_control control = {
        .progress = ekb_cli_progress_show, .context = &progress, .stop = ekb_cli_stop_flag()};

    const enum ekb_err err = ekb_measure_run(&record, plan, &control, &fail);
    ekb_cli_progress_end(&progress);
    const int status = ekb_cli_finish(&record, err, &fail, arguments->output, arguments->format);
    ekb_record_deinit(&record);
    return status;
}

int ekb_cli_measure(int argc, char **argv)
{
    static const struct argp argp = {.options = options, .parser = parse, .doc = doc};
    struct arguments arguments = {.plan = "standard"};
    struct ekb_plan plan;
    struct ekb_fail fail;

    ekb_cli_parse(&argp, argc, argv, &arguments);
    if (ekb_plan_builtin(&plan, arguments.plan, &arguments.settings) != EKB_OK) {
        ekb_cli_say("there is no plan \"%s\"; the plans are quick, standard and compare",
                    arguments.plan);
        return EKB_EXIT_USAGE;
    }
    // An unusable place for the result is better known before two minutes of work than after.
    if (arguments.output != NULL && ekb_cli_claim_output(arguments.output, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    return run(&arguments, &plan);
}
