#include "cli/cli.h"

#include "cli/workload.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/measure.h"
#include "ekubench/lab/plan.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct arguments {
    const char *plan;
    const char *output;
    struct ekb_plan_settings settings;
    uint64_t duration_ns; // 0: the plan's.
    struct ekb_cli_workload workload;
    enum ekb_cli_format format;
    bool print_plan;
};

enum {
    OPTION_PRINT_PLAN = 256,
    OPTION_SERVER_WORKERS,
    OPTION_CLIENT_WORKERS,
    OPTION_SHARED_LISTENER,
    OPTION_PIN,
    OPTION_JSON,
};

#define PLANS "the plans are quick, standard, rejects, compare and load"

// parse_plan_of_file returns the name of a plan that a plan file names, which can be no file.
static const char *parse_plan_of_file(const char *text, struct argp_state *state)
{
    const struct ekb_plan_settings settings = {0};
    struct ekb_plan plan;
    if (ekb_plan_builtin(&plan, text, &settings) == EKB_NOT_FOUND) {
        ekb_cli_refuse(state, "plan = %s: there is no such plan; " PLANS, text);
    }
    return text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'p':
        arguments->plan = state->hook != NULL ? parse_plan_of_file(text, state) : text;
        return 0;
    case 'o':
        arguments->output = text;
        return 0;
    case EKB_CLI_WORKLOAD_SCENARIO:
    case EKB_CLI_WORKLOAD_RELEASE:
        return ekb_cli_parse_workload(&arguments->workload, key, text, state);
    case 'n':
        ekb_cli_parse_in_flight(&arguments->settings.in_flight, text, state);
        return 0;
    case OPTION_SERVER_WORKERS:
        ekb_cli_parse_workers(&arguments->settings.server_workers, "--server-workers", text, state);
        return 0;
    case OPTION_CLIENT_WORKERS:
        ekb_cli_parse_workers(&arguments->settings.client_workers, "--client-workers", text, state);
        return 0;
    case OPTION_SHARED_LISTENER:
        arguments->settings.listening = EKB_LISTENING_SHARED;
        return 0;
    case OPTION_PIN:
        ekb_cli_parse_pin(&arguments->settings.pin, text, state);
        return 0;
    case 't':
        if (ekb_units_parse_duration(&arguments->duration_ns, text) != EKB_OK ||
            arguments->duration_ns == 0) {
            ekb_cli_refuse(state, "--duration %s: a time such as 10m is wanted", text);
        }
        return 0;
    case OPTION_PRINT_PLAN:
        arguments->print_plan = true;
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        return 0;
    default:
        return ekb_cli_parse_treatment(&arguments->settings, key, text, state);
    }
}

static const struct argp_option options[] = {
    {"plan", 'p', "NAME|FILE", 0,
     "Built-in plan: quick (at most 45 s), standard (at most 120 s, the default), rejects (clients "
     "with the wrong usage, of an unknown CA, expired, revoked, without a certificate; 20 s), "
     "compare (one arm, 2 s) or load (one arm under load, 7 s or more); or an INI file (with a / "
     "or "
     "ending in .ini) with the names of options as keys; what the command line says goes before it",
     0},
    EKB_CLI_WORKLOAD_OPTIONS(0),
    {"print-plan", OPTION_PRINT_PLAN, NULL, 0,
     "Print the plan as an INI file for --plan, and do nothing else", 0},
    {"output", 'o', "DIR", 0, EKB_CLI_OUTPUT_HELP, 0},
    {"duration", 't', "TIME", 0,
     "Measure longer than the plan does, up to 30m in all, for narrower intervals", 0},
    {"in-flight", 'n', "N", 0,
     "Connections in flight in the load stage (default 2000, in quick 600), or in the only one "
     "(rejects: 4, compare: 64)",
     0},
    {"server-workers", OPTION_SERVER_WORKERS, "N", 0,
     "Server processes of the load stage (default 1); the other stages have one", 0},
    {"client-workers", OPTION_CLIENT_WORKERS, "N", 0,
     "Client processes of the load stage (default 1); the other stages have one", 0},
    {"shared-listener", OPTION_SHARED_LISTENER, NULL, 0,
     "All server workers accept from one socket, for latency; else each has its own (SO_REUSEPORT)",
     0},
    {"pin", OPTION_PIN, EKB_CLI_PIN_ARG, 0,
     "CPUs of the load stage's workers, the server's first (0,2-5); auto (default): one each if "
     "there are as many; off: as the system likes",
     0},
    {"tls", EKB_CLI_OPTION_TLS, "VERSION", 0, "1.3 (the default) or 1.2", 0},
    {"key", EKB_CLI_OPTION_KEY, "TYPE", 0, "Keys of all certificates: " EKB_CLI_KEY_TYPES, 0},
    {"eku", EKB_CLI_OPTION_EKU, "MODE", 0,
     "In the plans compare and load: on (default), off or none", 0},
    {"depth", EKB_CLI_OPTION_DEPTH, "N", 0,
     "In the plans compare and load: certificates above the client's leaf (default 1)", 0},
    {"groups", EKB_CLI_OPTION_GROUPS, "LIST", 0,
     EKB_CLI_GROUPS_HELP ", of both sides; default " EKB_TLS_GROUPS, 0},
    {"ciphers", EKB_CLI_OPTION_CIPHERS, "LIST", 0,
     "Cipher suites of TLS 1.2, by OpenSSL's names, of both sides", 0},
    {"seed", EKB_CLI_OPTION_SEED, "N", 0,
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
    "  ekubench measure --print-plan --key rsa2048 >rsa.ini\n"
    "  ekubench measure --plan rsa.ini\n"
    "  ekubench measure -o results/today --in-flight 5000\n"
    "  ekubench measure --plan quick --scenario condition-2.1";

enum ekb_err ekb_cli_measure_plan(struct ekb_record *out_record, const void *plan,
                                  const struct ekb_session_control *control,
                                  struct ekb_fail *reterr_fail)
{
    return ekb_measure_run(out_record, plan, control, reterr_fail);
}

static void print_preferences(const struct ekb_tls_preferences *preferences)
{
    if (preferences->groups != NULL) {
        (void)printf("groups = %s\n", preferences->groups);
    }
    if (preferences->ciphers != NULL) {
        (void)printf("ciphers = %s\n", preferences->ciphers);
    }
}

// print_workers prints what differs from one worker of each side and the system's choice of CPUs.
static void print_workers(const struct ekb_plan_stage *stage)
{
    if (stage->server_workers > 0) {
        (void)printf("server-workers = %u\n", (unsigned)stage->server_workers);
    }
    if (stage->client_workers > 0) {
        (void)printf("client-workers = %u\n", (unsigned)stage->client_workers);
    }
    if (stage->listening == EKB_LISTENING_SHARED) {
        (void)printf("shared-listener = yes\n");
    }
    if (stage->pin.mode == EKB_PIN_OFF) {
        (void)printf("pin = off\n");
    }
    for (size_t i = 0; i < stage->pin.num_cpus; i++) {
        (void)printf("%s%d%s", i == 0 ? "pin = " : ",", stage->pin.cpus[i],
                     i + 1 == stage->pin.num_cpus ? "\n" : "");
    }
}

// print_plan prints what makes the plan again: as a comment, what it is.
static void print_plan(const struct arguments *arguments, const struct ekb_plan *plan)
{
    char duration[EKB_UNITS_TEXT_LEN];
    const struct ekb_plan_settings *settings = &arguments->settings;
    const struct ekb_plan_stage *last = &plan->stages[plan->num_stages - 1];
    (void)printf("; ekubench measure --plan FILE\n[measure]\nplan = %s\ntls = %s\n"
                 "in-flight = %u\nseed = %llu\n",
                 plan->name, ekb_tls_version_name(plan->version), (unsigned)last->in_flight,
                 (unsigned long long)plan->seed);
    if (plan->scenario != NULL) {
        (void)printf("scenario = %s\nrelease = %s\n", arguments->workload.scenario, plan->release);
    } else {
        (void)printf("key = %s\n", ekb_key_type_name(plan->key_type));
    }
    print_preferences(&plan->preferences);
    print_workers(last);
    if (arguments->duration_ns != 0) {
        (void)printf("duration = %.10gs\n", (double)arguments->duration_ns / 1e9);
    }
    if (strcmp(plan->name, EKB_PLAN_COMPARE) == 0 || strcmp(plan->name, EKB_PLAN_LOAD) == 0) {
        (void)printf("eku = %s\ndepth = %u\n", ekb_eku_mode_name(settings->eku),
                     last->arms[0].depth);
    }
    (void)printf("\n; What it does, in some %s:\n",
                 ekb_units_format_ns(duration, (double)ekb_plan_duration_ns(plan)));
    for (size_t i = 0; i < plan->num_stages; i++) {
        const struct ekb_plan_stage *stage = &plan->stages[i];
        (void)printf("; stage %s: %s, %u in flight; arms", stage->name,
                     ekb_units_format_ns(duration, (double)(stage->num_slices * stage->slice_ns)),
                     (unsigned)stage->in_flight);
        // A line of an INI file is not long.
        for (size_t j = 0; j < stage->num_arms; j++) {
            (void)printf("%s %s", j % 8 == 0 && j > 0 ? "\n;  " : "", stage->arms[j].name);
        }
        (void)putchar('\n');
    }
}

static bool is_file(const char *plan)
{
    const size_t len = strlen(plan);
    return strchr(plan, '/') != NULL || (len > 4 && strcmp(plan + len - 4, ".ini") == 0);
}

const struct argp ekb_cli_measure_argp = {.options = options, .parser = parse, .doc = doc};

// make_plan makes the plan that the arguments ask for.
static enum ekb_err make_plan(struct ekb_plan *out_plan, const struct arguments *arguments,
                              struct ekb_fail *reterr_fail)
{
    enum ekb_err err = ekb_cli_check_treatment(&arguments->settings, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    err = ekb_plan_builtin(out_plan, arguments->plan, &arguments->settings);
    if (err == EKB_NOT_FOUND) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "there is no plan \"%s\"; " PLANS
                            " (a file has a / in its name, or ends in .ini)",
                            arguments->plan);
    }
    if (err == EKB_USAGE) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "EKU mode and depth can be set in the plans compare and load only: in "
                            "\"%s\" they are what is compared",
                            arguments->plan);
    }
    if (err == EKB_OK && arguments->duration_ns != 0 &&
        ekb_plan_stretch(out_plan, arguments->duration_ns) != EKB_OK) {
        char least[EKB_UNITS_TEXT_LEN];
        return ekb_fail_set(
            reterr_fail, EKB_USAGE, 0,
            "--duration: the plan \"%s\" takes %s, and can be made to take up to 30m",
            arguments->plan, ekb_units_format_ns(least, (double)ekb_plan_duration_ns(out_plan)));
    }
    if (err == EKB_OK && arguments->workload.scenario != NULL &&
        (ekb_plan_stage_index(out_plan, EKB_PLAN_STAGE_COST) < 0 ||
         ekb_plan_stage_index(out_plan, EKB_PLAN_STAGE_LOAD) < 0)) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "--scenario goes with the plans quick and standard, not with \"%s\"",
                            arguments->plan);
    }
    return err;
}

// check_workers sees that no client worker of the load stage is without a connection.
static enum ekb_err check_workers(const struct ekb_plan *plan, struct ekb_fail *reterr_fail)
{
    const struct ekb_plan_stage *stage = &plan->stages[plan->num_stages - 1];
    if (stage->in_flight >= stage->client_workers) {
        return EKB_OK;
    }
    return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                        "%u client workers have less than one connection each",
                        (unsigned)stage->client_workers);
}

enum ekb_err ekb_cli_read_plan(struct ekb_plan *out_plan, const char *path,
                               struct ekb_fail *reterr_fail)
{
    struct arguments arguments = {.plan = "standard"};
    const enum ekb_err err =
        ekb_cli_parse_file(&ekb_cli_measure_argp, path, "measure", &arguments, reterr_fail);
    return err == EKB_OK ? make_plan(out_plan, &arguments, reterr_fail) : err;
}

// read_arguments reads the command line, and the plan file that it names: the command line goes
// before it.
static enum ekb_err read_arguments(struct arguments *arguments, int argc, char **argv,
                                   struct ekb_fail *reterr_fail)
{
    struct arguments from_file = {.plan = "standard"};
    ekb_cli_parse(&ekb_cli_measure_argp, argc, argv, arguments);
    if (!is_file(arguments->plan)) {
        return EKB_OK;
    }
    const enum ekb_err err = ekb_cli_parse_file(&ekb_cli_measure_argp, arguments->plan, "measure",
                                                &from_file, reterr_fail);
    if (err == EKB_OK) {
        const char *const name = from_file.plan;
        *arguments = from_file;
        ekb_cli_parse(&ekb_cli_measure_argp, argc, argv, arguments);
        arguments->plan = name;
    }
    return err;
}

static enum ekb_err prepare(struct ekb_plan *out_plan, struct arguments *arguments,
                            struct ekb_fail *reterr_fail)
{
    enum ekb_err err = make_plan(out_plan, arguments, reterr_fail);
    if (err == EKB_OK) {
        err = check_workers(out_plan, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_cli_workload_create(&arguments->workload, &arguments->settings, reterr_fail);
    }
    if (err == EKB_OK && arguments->workload.workload != NULL) {
        ekb_workload_apply(out_plan, arguments->workload.workload);
    }
    return err;
}

static int run(struct arguments *arguments, int argc, char **argv)
{
    struct ekb_plan plan;
    struct ekb_fail fail;
    if (prepare(&plan, arguments, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    if (arguments->print_plan) {
        print_plan(arguments, &plan);
        return EKB_EXIT_OK;
    }
    // An unusable place for the result is better known before two minutes of work than after.
    if (arguments->output != NULL && ekb_cli_claim_output(arguments->output, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    const struct ekb_cli_job job = {.run = ekb_cli_measure_plan,
                                    .what = &plan,
                                    .argp = &ekb_cli_measure_argp,
                                    .argc = argc,
                                    .argv = argv};
    return ekb_cli_run_to_end(&job, NULL, arguments->output, arguments->format);
}

int ekb_cli_measure(int argc, char **argv)
{
    struct arguments arguments = {.plan = "standard"};
    struct ekb_fail fail;
    if (read_arguments(&arguments, argc, argv, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    const int status = run(&arguments, argc, argv);
    ekb_cli_workload_destroy(&arguments.workload);
    return status;
}
