#include "cli/cli.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"
#include "ekubench/lab/capacity.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    struct ekb_capacity_settings settings;
    const char *output;
    enum ekb_cli_format format;
    bool slo_set;
};

enum {
    OPTION_SLO = 256,
    OPTION_ERRORS,
    OPTION_TARGET,
    OPTION_BUDGET,
    OPTION_FULL_CLIENT,
    OPTION_JSON,
};

// parse_slo reads "p99=20ms".
static void parse_slo(struct ekb_capacity_objective *objective, const char *text,
                      struct argp_state *state)
{
    char *end = NULL;
    const double percentile = text[0] == 'p' ? strtod(text + 1, &end) : 0;
    if (end == NULL || *end != '=' || !(percentile >= 1) || !(percentile < 100) ||
        ekb_units_parse_duration(&objective->limit_ns, end + 1) != EKB_OK ||
        objective->limit_ns < 10 * EKB_NS_PER_US || objective->limit_ns > 10 * EKB_NS_PER_S) {
        ekb_cli_refuse(state,
                       "--slo %s: a percentile and a time of 10us to 10s, such as p99=20ms or "
                       "p99.9=50ms, is wanted",
                       text);
    }
    objective->percentile = percentile;
}

// parse_share reads "0.1%" or "0.001".
static double parse_share(const char *option, const char *text, struct argp_state *state)
{
    char *end = NULL;
    double share = strtod(text, &end);
    const bool is_percent = strcmp(end, "%") == 0;
    share = is_percent ? share / 100.0 : share;
    if (end == text || (*end != '\0' && !is_percent) || !(share >= 0) || !(share < 1)) {
        ekb_cli_refuse(state, "%s %s: a share such as 0.1%% is wanted", option, text);
    }
    return share;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ekb_capacity_settings *settings = &arguments->settings;
    switch (key) {
    case OPTION_SLO:
        parse_slo(&settings->objective, text, state);
        arguments->slo_set = true;
        return 0;
    case OPTION_ERRORS:
        settings->objective.max_error_share = parse_share("--errors", text, state);
        return 0;
    case OPTION_TARGET:
        if (ekb_units_parse_rate(&settings->target_per_s, text) != EKB_OK) {
            ekb_cli_refuse(state, "--target %s: a rate such as 50000/s or 50k/s is wanted", text);
        }
        return 0;
    case OPTION_BUDGET:
        if (ekb_units_parse_duration(&settings->budget_ns, text) != EKB_OK ||
            settings->budget_ns < 10 * EKB_NS_PER_S || settings->budget_ns > 3600 * EKB_NS_PER_S) {
            ekb_cli_refuse(state, "--budget %s: a duration from 10s to 1h is wanted", text);
        }
        return 0;
    case OPTION_FULL_CLIENT:
        settings->full_client = true;
        return 0;
    case 'o':
        arguments->output = text;
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
    case ARGP_KEY_END:
        if (!arguments->slo_set) {
            ekb_cli_refuse(state, "the objective is wanted, such as --slo p99=20ms");
        }
        return 0;
    default:
        return ekb_cli_parse_treatment(&settings->plan, key, text, state);
    }
}

static const struct argp_option options[] = {
    {"slo", OPTION_SLO, "pN=TIME", 0,
     "The objective: that percentile of latency, from the planned start, is at most TIME", 1},
    {"errors", OPTION_ERRORS, "SHARE", 0,
     "Of what is due, this share may end otherwise than accepted (default 0)", 1},
    {"target", OPTION_TARGET, "RATE", 0, "Project cores and machines for this rate", 1},
    {"budget", OPTION_BUDGET, "TIME", 0, "For the trials (default 120s)", 1},
    {"full-client", OPTION_FULL_CLIENT, NULL, 0,
     "A client that verifies the server, as real ones do (default: a cheap one, so that the client "
     "does not set the limit)",
     2},
    {"tls", EKB_CLI_OPTION_TLS, "VERSION", 0, "1.3 (the default) or 1.2", 2},
    {"key", EKB_CLI_OPTION_KEY, "TYPE", 0, "Keys of all certificates: " EKB_CLI_KEY_TYPES, 2},
    {"eku", EKB_CLI_OPTION_EKU, "MODE", 0, "on (default), off or none", 2},
    {"depth", EKB_CLI_OPTION_DEPTH, "N", 0, "Certificates above the client's leaf (default 1)", 2},
    {"seed", EKB_CLI_OPTION_SEED, "N", 0, "Seed of the arrivals (default 1)", 2},
    {"output", 'o', "DIR", 0, "Write result.json and report.txt into DIR", 3},
    {"json", OPTION_JSON, NULL, 0, "Print the result as JSON instead of tables", 3},
    {0},
};

static const char doc[] =
    "Find the highest rate of handshakes at which an objective is met, by open-loop trials against "
    "the dual-store server on this machine, and project it to a target.\v"
    "Exit status: 0 done; 2 wrong usage; 3 the environment cannot give a valid answer; 4 the "
    "bounds "
    "are not close when the time is up.\n\nExamples:\n"
    "  ekubench capacity --slo p99=20ms\n"
    "  ekubench capacity --slo p99=5ms --key rsa2048 --depth 2 --target 50k/s";

static enum ekb_err run(struct ekb_record *out_record, const void *settings,
                        const struct ekb_session_control *control, struct ekb_fail *reterr_fail)
{
    return ekb_capacity_run(out_record, settings, control, reterr_fail);
}

static int judge(const struct ekb_record *record)
{
    return strcmp(record->capacity.state, "exhausted") == 0 ? EKB_EXIT_INCONCLUSIVE : EKB_EXIT_OK;
}

int ekb_cli_capacity(int argc, char **argv)
{
    static const struct argp argp = {.options = options, .parser = parse, .doc = doc};
    struct arguments arguments = {.settings = {.budget_ns = 120 * EKB_NS_PER_S}};
    struct ekb_fail fail;
    ekb_cli_parse(&argp, argc, argv, &arguments);
    if (arguments.output != NULL && ekb_cli_claim_output(arguments.output, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    const struct ekb_cli_job job = {.run = run, .what = &arguments.settings};
    return ekb_cli_run_to_end(&job, judge, arguments.output, arguments.format);
}
