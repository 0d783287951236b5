#include "cli/cli.h"
#include "cli/compare.h"

#include "ekubench/base/file.h"
#include "ekubench/report/distribution.h"
#include "ekubench/report/format.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct arguments {
    char **paths; // In `argv`.
    size_t num_paths;
    const struct ekb_report_format *format;
    const char *output;
    struct ekb_report_choice choice;
};

enum {
    OPTION_ARM = 256,
    OPTION_METRIC,
    OPTION_JSON,
};

static const struct ekb_report_format *parse_format(const char *name, struct argp_state *state)
{
    char names[256] = "";
    size_t len = 0;
    const struct ekb_report_format *format = ekb_report_format_find(name);
    if (format != NULL) {
        return format;
    }
    for (size_t i = 0; (format = ekb_report_format_at(i)) != NULL && len < sizeof names; i++) {
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i > 0 ? ", " : "",
                                format->name);
    }
    ekb_cli_refuse(state, "--format %s: one of %s is wanted", name, names);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'f':
        arguments->format = parse_format(text, state);
        return 0;
    case 'o':
        arguments->output = ekb_cli_parse_output(text, state);
        return 0;
    case OPTION_ARM:
        arguments->choice.arm = text;
        return 0;
    case OPTION_METRIC:
        arguments->choice.metric = text;
        return 0;
    case OPTION_JSON:
        arguments->format = parse_format("json", state);
        return 0;
    case ARGP_KEY_ARGS:
        arguments->paths = state->argv + state->next;
        arguments->num_paths = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        ekb_cli_refuse(state, "a result is wanted: a file, or a directory with result.json");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"format", 'f', "NAME", 0,
     "text (default), json, markdown, html, csv, hgrm, hlog, junit, github-benchmark, "
     "bencher, openmetrics",
     1},
    {"json", OPTION_JSON, NULL, 0, "The same as --format json", 1},
    {"output", 'o', "FILE", 0,
     "Write FILE, whole or not at all, instead of standard output. For hgrm without --arm: a "
     "directory, which gets a file for each distribution",
     2},
    {"arm", OPTION_ARM, "STAGE/NAME", 0, "For hgrm: of which arm", 3},
    {"metric", OPTION_METRIC, "NAME", 0,
     "For hgrm: latency_ns (default), uncorrected_latency_ns, connect_ns, server_cpu_ns, "
     "verify_ns, client_cpu_ns",
     3},
    {0},
};

static const char doc[] =
    "Report a result: a file, or a directory with result.json. Of several, text, markdown, "
    "html, csv, junit and openmetrics hold all, side by side.\v"
    "The same results give the same bytes, whenever and wherever. Exit status: 0 done, clean or "
    "not; 2 wrong usage, or no such result.\n\nExamples:\n"
    "  ekubench report results/latest\n"
    "  ekubench report result.json --format markdown >>\"$GITHUB_STEP_SUMMARY\"\n"
    "  ekubench report before after --format markdown\n"
    "  ekubench report results/latest --format html -o report.html\n"
    "  ekubench report result.json --format junit -o ekubench.xml\n"
    "  ekubench report result.json --format hgrm --arm load/on | less\n"
    "  ekubench report result.json --format hgrm -o percentiles\n"
    "  ekubench report a.json b.json c.json --format csv -o all.csv";

static int print(const char *text, const char *output)
{
    struct ekb_fail fail = {0};
    if (output == NULL) {
        (void)fputs(text, stdout);
        (void)fflush(stdout);
        return EKB_EXIT_OK;
    }
    return ekb_file_write_output(output, text, strlen(text), &fail) == EKB_OK ? EKB_EXIT_OK
                                                                              : ekb_cli_fail(&fail);
}

static int report_set(const struct arguments *arguments, const struct ekb_report_set *set,
                      const char *output)
{
    char *text = NULL;
    struct ekb_fail fail = {0};
    if (ekb_report_format_write(&text, arguments->format, set, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    const int status = print(text, output);
    free(text);
    return status;
}

// report_each writes a file for each distribution into a directory.
static int report_each(const struct arguments *arguments, const struct ekb_report_set *set)
{
    struct ekb_fail fail = {0};
    struct ekb_report_distribution distribution = {.arm = NULL};
    int status = ekb_cli_claim_output(arguments->output, &fail) == EKB_OK ? EKB_EXIT_OK
                                                                          : ekb_cli_fail(&fail);
    while (status == EKB_EXIT_OK &&
           ekb_report_distribution_next(set->results[0].record, &distribution)) {
        char name[EKB_REPORT_DISTRIBUTION_NAME_LEN];
        char file[EKB_REPORT_DISTRIBUTION_NAME_LEN + 16];
        char arm[2 * EKB_RECORD_NAME_LEN + 2];
        struct ekb_report_set one = *set;
        if (arguments->choice.metric != NULL &&
            strcmp(arguments->choice.metric, distribution.metric) != 0) {
            continue;
        }
        (void)snprintf(file, sizeof file, "%s.us.%s",
                       ekb_report_distribution_name(name, set->results[0].record, &distribution),
                       arguments->format->extension);
        (void)snprintf(arm, sizeof arm, "%s/%s", distribution.arm->stage, distribution.arm->name);
        one.choice = (struct ekb_report_choice){.arm = arm, .metric = distribution.metric};
        char *path = ekb_file_join(arguments->output, file);
        if (path == NULL) {
            ekb_cli_say("out of memory");
            return EKB_EXIT_ENVIRONMENT;
        }
        status = report_set(arguments, &one, path);
        free(path);
    }
    return status;
}

// is_input is true if the output is the file of the result `path`, or its result.json.
static bool is_input(const char *output, const char *path)
{
    struct stat of_output;
    struct stat of_input;
    char *file = NULL;
    if (stat(output, &of_output) != 0 || !S_ISREG(of_output.st_mode) ||
        stat(path, &of_input) != 0) {
        return false;
    }
    if (S_ISDIR(of_input.st_mode)) {
        file = ekb_file_join(path, "result.json");
    }
    const bool is_there = file == NULL || stat(file, &of_input) == 0;
    free(file);
    return is_there && of_output.st_dev == of_input.st_dev && of_output.st_ino == of_input.st_ino;
}

// check_output refuses to replace a result, which cannot be measured again, by a report of it.
static int check_output(const struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->num_paths; i++) {
        if (arguments->output != NULL && strcmp(arguments->format->name, "json") != 0 &&
            is_input(arguments->output, arguments->paths[i])) {
            ekb_cli_say("-o %s: that is the result itself, which its report would replace",
                        arguments->output);
            return EKB_EXIT_USAGE;
        }
    }
    return EKB_EXIT_OK;
}

static int report(const struct arguments *arguments, const struct ekb_report_set *set)
{
    const bool is_each = arguments->format->breadth == EKB_REPORT_ONE_DISTRIBUTION &&
                         arguments->choice.arm == NULL && arguments->output != NULL &&
                         set->num_results == 1;
    return is_each ? report_each(arguments, set) : report_set(arguments, set, arguments->output);
}

// read_all reads the records, up to the first one that cannot be read.
static int read_all(struct ekb_record *records, struct ekb_report_result *results,
                    const struct arguments *arguments)
{
    struct ekb_fail fail = {0};
    for (size_t i = 0; i < arguments->num_paths; i++) {
        if (ekb_cli_read_result(&records[i], arguments->paths[i], &fail) != EKB_OK) {
            return ekb_cli_fail(&fail);
        }
        char *label = strdup(arguments->paths[i]);
        if (label == NULL) {
            ekb_cli_say("out of memory");
            return EKB_EXIT_ENVIRONMENT;
        }
        ekb_compare_clean(label);
        results[i] = (struct ekb_report_result){.label = label, .record = &records[i]};
    }
    return EKB_EXIT_OK;
}

static void free_all(struct ekb_record *records, struct ekb_report_result *results,
                     size_t num_results)
{
    for (size_t i = 0; i < num_results && records != NULL && results != NULL; i++) {
        ekb_record_deinit(&records[i]);
        free(results[i].label);
    }
    free(records);
    free(results);
}

static int run(const struct arguments *arguments)
{
    struct ekb_record *records = calloc(arguments->num_paths, sizeof records[0]);
    struct ekb_report_result *results = calloc(arguments->num_paths, sizeof results[0]);
    int status = EKB_EXIT_ENVIRONMENT;
    if (records == NULL || results == NULL) {
        ekb_cli_say("out of memory");
    } else {
        status = check_output(arguments);
    }
    if (status == EKB_EXIT_OK) {
        status = read_all(records, results, arguments);
    }
    if (status == EKB_EXIT_OK) {
        const struct ekb_report_set set = {
            .results = results, .num_results = arguments->num_paths, .choice = arguments->choice};
        status = report(arguments, &set);
    }
    free_all(records, results, arguments->num_paths);
    return status;
}

const struct argp ekb_cli_report_argp = {
    .options = options, .parser = parse, .args_doc = "RESULT...", .doc = doc};

int ekb_cli_report(int argc, char **argv)
{
    struct arguments arguments = {.format = ekb_report_format_find("text")};
    ekb_cli_parse(&ekb_cli_report_argp, argc, argv, &arguments);
    return run(&arguments);
}
