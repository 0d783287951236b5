#include "cli/selftest.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/doctor.h"
#include "ekubench/lab/plan.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OPTION_JSON = 256,
    OPTION_SELF_TEST,
    OPTION_SEED,
};

struct arguments {
    enum ekb_cli_format format;
    bool self_test;
    uint64_t seed;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case OPTION_SELF_TEST:
        arguments->self_test = true;
        return 0;
    case OPTION_SEED:
        if (ekb_units_parse_count(&arguments->seed, text, 1, UINT64_C(1) << 53) != EKB_OK) {
            ekb_cli_refuse(state, "--seed %s: a whole number from 1 to 2^53 is wanted", text);
        }
        return 0;
    case ARGP_KEY_ARG:
        ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"self-test", OPTION_SELF_TEST, NULL, 0,
     "Make one arm slower by 1, 5 and 20 us and say what is found of it (48 s)", 0},
    {"seed", OPTION_SEED, "N", 0, "Seed of the self-test's order of arms (default 1)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print the findings as JSON", 0},
    {0},
};

static const char doc[] =
    "Can this machine measure? Checks what decides whether numbers taken here can be trusted.\v"
    "Exit status: 0 yes, perhaps with warnings; 3 no; with --self-test, 4 if an effect of 5 us or "
    "more was not found.";

static void print_table(const struct ekb_doctor_finding *findings, size_t num_findings)
{
    for (size_t i = 0; i < num_findings; i++) {
        (void)printf("%-5s %-19s %s\n", ekb_doctor_level_name(findings[i].level), findings[i].check,
                     findings[i].found);
        if (findings[i].advice[0] != '\0') {
            (void)printf("%-25s %s\n", "", findings[i].advice);
        }
    }
}

static int print_json(const struct ekb_doctor_finding *findings, size_t num_findings)
{
    json_t *list = json_array();
    for (size_t i = 0; i < num_findings && list != NULL; i++) {
        json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "check", findings[i].check, "level",
                                 ekb_doctor_level_name(findings[i].level), "found",
                                 findings[i].found, "advice", findings[i].advice);
        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return ekb_cli_print_json(list);
}

const struct argp ekb_cli_doctor_argp = {.options = options, .parser = parse, .doc = doc};

int ekb_cli_doctor(int argc, char **argv)
{
    struct arguments arguments = {.format = EKB_CLI_TEXT, .seed = EKB_PLAN_DEFAULT_SEED};
    struct ekb_doctor_finding findings[EKB_DOCTOR_MAX_FINDINGS];
    int status = EKB_EXIT_OK;

    ekb_cli_parse(&ekb_cli_doctor_argp, argc, argv, &arguments);
    if (arguments.self_test) {
        return ekb_cli_self_test(arguments.format, arguments.seed);
    }
    const size_t num_findings = ekb_doctor_examine(findings);
    if (arguments.format == EKB_CLI_JSON) {
        status = print_json(findings, num_findings);
    } else {
        print_table(findings, num_findings);
    }
    if (ekb_doctor_worst(findings, num_findings) == EKB_DOCTOR_FAIL) {
        status = EKB_EXIT_ENVIRONMENT;
    }
    return status;
}
