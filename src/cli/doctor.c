#include "cli/cli.h"

#include "ekubench/lab/doctor.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OPTION_JSON = 256,
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    enum ekb_cli_format *format = state->input;
    switch (key) {
    case OPTION_JSON:
        *format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"json", OPTION_JSON, NULL, 0, "Print the findings as JSON", 0},
    {0},
};

static const char doc[] =
    "Can this machine measure? Checks what decides whether numbers taken here can be trusted.\v"
    "Exit status: 0 yes, perhaps with warnings; 3 no.";

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

int ekb_cli_doctor(int argc, char **argv)
{
    static const struct argp argp = {.options = options, .parser = parse, .doc = doc};
    enum ekb_cli_format format = EKB_CLI_TEXT;
    struct ekb_doctor_finding findings[EKB_DOCTOR_MAX_FINDINGS];
    int status = EKB_EXIT_OK;

    ekb_cli_parse(&argp, argc, argv, &format);
    const size_t num_findings = ekb_doctor_examine(findings);
    if (format == EKB_CLI_JSON) {
        status = print_json(findings, num_findings);
    } else {
        print_table(findings, num_findings);
    }
    if (ekb_doctor_worst(findings, num_findings) == EKB_DOCTOR_FAIL) {
        status = EKB_EXIT_ENVIRONMENT;
    }
    return status;
}
