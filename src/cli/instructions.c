#include "cli/cli.h"

#include "ekubench/base/file.h"
#include "ekubench/base/units.h"
#include "ekubench/lab/instructions.h"
#include "ekubench_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *run;
    const char *output;
    const char *binary;
    enum ekb_count_part part;
    uint64_t num_handshakes;
    enum ekb_cli_format format;
};

enum {
    OPTION_RUN = 256,
    OPTION_PART,
    OPTION_HANDSHAKES,
    OPTION_JSON,
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_RUN:
        arguments->run = text;
        return 0;
    case OPTION_PART:
        if (ekb_count_part_parse(&arguments->part, text) != EKB_OK) {
            ekb_cli_refuse(state, "--part %s: client, server or verify is wanted", text);
        }
        return 0;
    case OPTION_HANDSHAKES:
        if (ekb_units_parse_count(&arguments->num_handshakes, text, 1, 100000) != EKB_OK) {
            ekb_cli_refuse(state, "--handshakes %s: a count from 1 to 100000 is wanted", text);
        }
        return 0;
    case 'o':
        arguments->output = ekb_cli_parse_output(text, state);
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->binary != NULL) {
            ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        }
        arguments->binary = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write the counts as JSON into FILE", 0},
    {"handshakes", OPTION_HANDSHAKES, "N", 0, "Handshakes of each count (default 64)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON instead of a table", 0},
    {"part", OPTION_PART, "PART", 0, "With --run: client, server or verify, as it is counted", 0},
    {"run", OPTION_RUN, "SCENARIO", 0,
     "Only make the handshakes of one scenario, in memory: what is run under valgrind", 0},
    {0},
};

static const char doc[] =
    "Count the instructions of a handshake in memory under valgrind's callgrind: client, server, "
    "and the verification of the client's chain. BINARY is the ekubench to count (default: this "
    "one).\v"
    "It takes a minute or two. The numbers have no noise: a second run of the same build on the "
    "same "
    "machine gives the same to the instruction. Processor features are frozen at what every x86-64 "
    "with AES-NI has.\n\n"
    "Exit status: 0 done; 2 wrong usage; 3 valgrind is missing or cannot run the binary.\n\n"
    "Examples:\n"
    "  ekubench instructions\n"
    "  ekubench instructions -o before.json";

static json_t *counts_json(const struct ekb_instructions *counts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < EKB_NUM_COUNT_SCENARIOS && list != NULL; i++) {
        for (unsigned part = 0; part < EKB_COUNT_NUM_PARTS; part++) {
            json_t *row = json_pack("{s:s, s:s, s:f}", "scenario", ekb_count_scenarios[i].name,
                                    "part", ekb_count_part_name((enum ekb_count_part)part),
                                    "per_handshake", counts->counts[i][part]);
            if (json_array_append_new(list, row) != 0) {
                json_decref(list);
                return NULL;
            }
        }
    }
    return json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:b, s:I, s:o}", "schema",
                     "ekubench.instructions/1", "build", "version", EKB_BUILD_VERSION, "git",
                     EKB_BUILD_GIT, "compiler", EKB_BUILD_COMPILER, "build_type", EKB_BUILD_TYPE,
                     "boringssl", EKB_BUILD_BORINGSSL_REVISION, "frozen", counts->is_frozen ? 1 : 0,
                     "handshakes", (json_int_t)counts->num_handshakes, "instructions", list);
}

static void print_table(const struct ekb_instructions *counts)
{
    (void)printf("%-18s", "per handshake");
    for (unsigned part = 0; part < EKB_COUNT_NUM_PARTS; part++) {
        (void)printf(" %14s", ekb_count_part_name((enum ekb_count_part)part));
    }
    (void)putchar('\n');
    for (size_t i = 0; i < EKB_NUM_COUNT_SCENARIOS; i++) {
        (void)printf("%-18s", ekb_count_scenarios[i].name);
        for (unsigned part = 0; part < EKB_COUNT_NUM_PARTS; part++) {
            char text[EKB_UNITS_TEXT_LEN];
            (void)printf(" %14s",
                         ekb_units_format_count(text, (uint64_t)(counts->counts[i][part] + 0.5)));
        }
        (void)putchar('\n');
    }
}

static int write_output(const struct arguments *arguments, const struct ekb_instructions *counts)
{
    struct ekb_fail fail = {0};
    json_t *json = counts_json(counts);
    char *text = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (text == NULL) {
        ekb_cli_say("out of memory");
        return EKB_EXIT_ENVIRONMENT;
    }
    const enum ekb_err err = ekb_file_write_output(arguments->output, text, strlen(text), &fail);
    free(text);
    return err == EKB_OK ? EKB_EXIT_OK : ekb_cli_fail(&fail);
}

static int count(const struct arguments *arguments)
{
    struct ekb_instructions counts;
    struct ekb_fail fail = {0};
    const char *binary = arguments->binary != NULL ? arguments->binary : "/proc/self/exe";
    char self[4096];
    int status = EKB_EXIT_OK;
    if (arguments->binary == NULL && realpath(binary, self) != NULL) {
        binary = self;
    }
    const enum ekb_err err = ekb_instructions_count(&counts, binary, arguments->num_handshakes,
                                                    ekb_cli_stop_flag(), &fail);
    if (err != EKB_OK) {
        (void)ekb_cli_fail(&fail);
        return EKB_EXIT_ENVIRONMENT;
    }
    if (arguments->output != NULL) {
        status = write_output(arguments, &counts);
    }
    if (arguments->format == EKB_CLI_JSON) {
        const int printed = ekb_cli_print_json(counts_json(&counts));
        return status != EKB_EXIT_OK ? status : printed;
    }
    print_table(&counts);
    if (!counts.is_frozen) {
        ekb_cli_say("libekubench-frozen.so is not beside this program: counts vary by some 0.1 %%");
    }
    return status;
}

static int run(const struct arguments *arguments)
{
    struct ekb_fail fail = {0};
    const struct ekb_count_scenario *scenario = ekb_count_scenario_find(arguments->run);
    if (scenario == NULL) {
        ekb_cli_say("there is no scenario \"%s\"", arguments->run);
        return EKB_EXIT_USAGE;
    }
    return ekb_count_scenario_run(scenario, arguments->part, arguments->num_handshakes, &fail) ==
                   EKB_OK
               ? EKB_EXIT_OK
               : ekb_cli_fail(&fail);
}

const struct argp ekb_cli_instructions_argp = {
    .options = options, .parser = parse, .args_doc = "[BINARY]", .doc = doc};

int ekb_cli_instructions(int argc, char **argv)
{
    struct arguments arguments = {.num_handshakes = EKB_INSTRUCTIONS_HANDSHAKES};
    ekb_cli_parse(&ekb_cli_instructions_argp, argc, argv, &arguments);
    return arguments.run != NULL ? run(&arguments) : count(&arguments);
}
