#include "cli/cli.h"
#include "cli/compare.h"

#include "ekubench/base/file.h"
#include "ekubench/stat/merge.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    char **paths; // In `argv`.
    size_t num_paths;
    const char *output;
    enum ekb_cli_format format;
};

enum {
    OPTION_JSON = 256,
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->output = ekb_cli_parse_output(text, state);
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->paths = state->argv + state->next;
        arguments->num_paths = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (arguments->num_paths < 2) {
            ekb_cli_refuse(state, "two results or more are wanted");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"output", 'o', "DIR|FILE", 0,
     EKB_CLI_OUTPUT_HELP "; or, if the name ends in .json, write the result to FILE", 1},
    {"json", OPTION_JSON, NULL, 0, "Print the result as JSON instead of tables", 1},
    {0},
};

static const char doc[] =
    "Merge results of `load` or `measure`, files or directories with result.json, into one: "
    "counts, sums and histograms add, and percentiles are those of the whole.\v"
    "Loads that ran at the same time (nine tenths of it at least) are one load of several "
    "generators: what was in flight and the rates add. Of other runs only what does not depend on "
    "when it was is merged. Results of different plans are refused, and so is the same run twice. "
    "Nothing is averaged: what the parts do not have is left out, and a note says so. Exit "
    "status: 0 done; 2 wrong usage, no results, or they do not merge; 3 the "
    "merged "
    "result is not clean.\n\nExamples:\n"
    "  ekubench merge rank-*.json -o all\n"
    "  ekubench merge a/result.json b/result.json -o both.json\n"
    "  ekubench merge host1 host2 --json | jq .arms[].latency_ns.p99";

static bool is_file(const char *output)
{
    static const char suffix[] = ".json";
    const size_t len = strlen(output);
    return len > sizeof suffix - 1 && strcmp(output + len - (sizeof suffix - 1), suffix) == 0;
}

static enum ekb_err write_file(const char *path, const struct ekb_record *record,
                               struct ekb_fail *reterr_fail)
{
    char *text = NULL;
    enum ekb_err err = ekb_record_to_json(&text, record);
    if (err != EKB_OK) {
        return ekb_fail_set(reterr_fail, err, 0, "merged result");
    }
    err = ekb_file_write_output(path, text, strlen(text), reterr_fail);
    free(text);
    return err;
}

// finish writes the merged record where it was asked for.
static int finish(struct ekb_record *record, const struct arguments *arguments)
{
    struct ekb_fail fail = {0};
    const char *directory = arguments->output;
    if (directory != NULL && is_file(directory)) {
        if (write_file(directory, record, &fail) != EKB_OK) {
            return ekb_cli_fail(&fail);
        }
        directory = NULL;
    }
    return ekb_cli_finish(record, EKB_OK, &fail, directory, arguments->format);
}

static int merge(const struct arguments *arguments, struct ekb_record *records,
                 struct ekb_merge_part *parts)
{
    struct ekb_fail fail = {0};
    struct ekb_record merged;
    for (size_t i = 0; i < arguments->num_paths; i++) {
        ekb_compare_clean(arguments->paths[i]);
        parts[i] = (struct ekb_merge_part){.label = arguments->paths[i], .record = &records[i]};
    }
    if (ekb_merge_records(&merged, parts, arguments->num_paths, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    const int status = finish(&merged, arguments);
    ekb_record_deinit(&merged);
    return status;
}

static int run(const struct arguments *arguments)
{
    struct ekb_fail fail = {0};
    struct ekb_record *records = calloc(arguments->num_paths, sizeof records[0]);
    struct ekb_merge_part *parts = calloc(arguments->num_paths, sizeof parts[0]);
    enum ekb_err err = EKB_OK;
    int status = EKB_EXIT_ENVIRONMENT;
    if (records == NULL || parts == NULL) {
        ekb_cli_say("out of memory");
        goto out;
    }
    for (size_t i = 0; i < arguments->num_paths && err == EKB_OK; i++) {
        err = ekb_cli_read_result(&records[i], arguments->paths[i], &fail);
    }
    status = err == EKB_OK ? merge(arguments, records, parts) : ekb_cli_fail(&fail);
    for (size_t i = 0; i < arguments->num_paths; i++) {
        ekb_record_deinit(&records[i]);
    }
out:
    free(records);
    free(parts);
    return status;
}

const struct argp ekb_cli_merge_argp = {
    .options = options, .parser = parse, .args_doc = "RESULT RESULT...", .doc = doc};

int ekb_cli_merge(int argc, char **argv)
{
    struct arguments arguments = {.format = EKB_CLI_TEXT};
    ekb_cli_parse(&ekb_cli_merge_argp, argc, argv, &arguments);
    return run(&arguments);
}
