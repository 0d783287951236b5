#include "cli/scenario.h"

#include "cli/cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMES 32

struct arguments {
    const char *verb;
    const char *names[MAX_NAMES];
    size_t num_names;
    bool all;
    bool has_release;
    enum ekb_release release;
    enum ekb_tls_version version;
    const char *keep;
    enum ekb_cli_format format;
};

enum {
    OPTION_ALL = 256,
    OPTION_RELEASE,
    OPTION_TLS,
    OPTION_KEEP,
    OPTION_JSON,
};

static void check_words(const struct arguments *arguments, struct argp_state *state)
{
    if (arguments->verb == NULL) {
        ekb_cli_refuse(state, "list, show or run is wanted");
    }
    const bool is_run = strcmp(arguments->verb, "run") == 0;
    if (!is_run && strcmp(arguments->verb, "list") != 0 && strcmp(arguments->verb, "show") != 0) {
        ekb_cli_refuse(state, "there is no \"scenario %s\": list, show or run is wanted",
                       arguments->verb);
    }
    if (is_run && (arguments->num_names > 0) == arguments->all) {
        ekb_cli_refuse(state, "run: names, files, or --all, are wanted");
    }
    if (strcmp(arguments->verb, "show") == 0 && arguments->num_names != 1) {
        ekb_cli_refuse(state, "show: one name is wanted");
    }
    if (strcmp(arguments->verb, "list") == 0 && arguments->num_names > 0) {
        ekb_cli_refuse(state, "list: unexpected argument \"%s\"", arguments->names[0]);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_ALL:
        arguments->all = true;
        return 0;
    case OPTION_RELEASE:
        if (ekb_release_parse(&arguments->release, text) != EKB_OK) {
            ekb_cli_refuse(state, "--release %s: a release such as X15.5 is wanted", text);
        }
        arguments->has_release = true;
        return 0;
    case OPTION_TLS:
        if (ekb_tls_version_parse(&arguments->version, text) != EKB_OK) {
            ekb_cli_refuse(state, "--tls %s: 1.2, 1.3 or any is wanted", text);
        }
        return 0;
    case OPTION_KEEP:
        if (text[0] == '\0') {
            ekb_cli_refuse(state, "--keep: a directory is wanted");
        }
        arguments->keep = text;
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->verb == NULL) {
            arguments->verb = text;
        } else if (arguments->num_names < MAX_NAMES) {
            arguments->names[arguments->num_names++] = text;
        } else {
            ekb_cli_refuse(state, "at most %d names", MAX_NAMES);
        }
        return 0;
    case ARGP_KEY_END:
        check_words(arguments, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"all", OPTION_ALL, NULL, 0, "run: all that `scenario list` lists", 0},
    {"release", OPTION_RELEASE, "RELEASE", 0,
     "run: under the rules of that release (X14.1, X15.4, ...), in the place of the deployment's",
     0},
    {"tls", OPTION_TLS, "VERSION", 0, "run: 1.3 (the default), 1.2 or any", 0},
    {"keep", OPTION_KEEP, "DIR", 0, "run: leave the stores in DIR, a directory for each run", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 0},
    {0},
};

static const char doc[] =
    "Run a deployment of two nodes and what they talk to: with certificates minted for it, stores "
    "filled through the gate, dual-store servers on loopback, and a real handshake for each link. "
    "What comes of it is put beside what is expected.\v"
    "`show NAME` prints a built-in one as the file that FILE may be; docs/deployments.md describes "
    "it.\n\nExit status: 0 all is as expected; 1 something is not; 2 wrong usage or unreadable "
    "input; "
    "3 it cannot be run here.\n\nExamples:\n"
    "  ekubench scenario run --all\n"
    "  ekubench scenario run condition-2.1 --release X15.4\n"
    "  ekubench scenario show condition-4 >mine.ini\n"
    "  ekubench scenario run mine.ini --json";

const struct argp ekb_cli_scenario_argp = {.options = options,
                                           .parser = parse,
                                           .args_doc = "list\nshow NAME\nrun NAME|FILE...|--all",
                                           .doc = doc};

static int list(enum ekb_cli_format format)
{
    json_t *all = json_array();
    for (size_t i = 0; i < EKB_NUM_SCENARIOS_BUILTIN; i++) {
        struct ekb_deployment *deployment = calloc(1, sizeof *deployment);
        if (deployment == NULL ||
            ekb_deployment_parse(deployment, ekb_scenario_builtins[i].text,
                                 ekb_scenario_builtins[i].name, NULL) != EKB_OK) {
            free(deployment);
            json_decref(all);
            ekb_cli_say("out of memory");
            return EKB_EXIT_ENVIRONMENT;
        }
        if (format == EKB_CLI_JSON) {
            (void)json_array_append_new(
                all, json_pack("{s:s, s:s}", "name", deployment->name, "title", deployment->title));
        } else {
            (void)printf("%-16s %s\n", deployment->name, deployment->title);
        }
        free(deployment);
    }
    if (format == EKB_CLI_JSON) {
        return ekb_cli_print_json(all);
    }
    json_decref(all);
    return EKB_EXIT_OK;
}

static int show(const char *name)
{
    const struct ekb_scenario_builtin *builtin = ekb_scenario_builtin_find(name);
    if (builtin == NULL) {
        ekb_cli_say("there is no scenario \"%s\"; `ekubench scenario list` lists them", name);
        return EKB_EXIT_USAGE;
    }
    (void)printf("; ekubench scenario run FILE\n%s", builtin->text);
    return EKB_EXIT_OK;
}

// What a series of runs has come to.
struct series {
    const struct arguments *arguments;
    json_t *json; // NULL: text.
    FILE *table;  // A line for each run.
    size_t num_runs;
    bool all_match;
};

// run_once makes one run, under one release and mode, and prints it.
static enum ekb_err run_once(struct series *series, const struct ekb_deployment *deployment,
                             const struct ekb_scenario_terms *wish, struct ekb_fail *reterr_fail)
{
    struct ekb_scenario_terms terms = *wish;
    struct ekb_scenario_run *run = calloc(1, sizeof *run);
    char *directory = NULL;
    enum ekb_err err = EKB_OK;
    if (run == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a run");
    }
    if (series->arguments->keep != NULL &&
        asprintf(&directory, "%s/%s-%s-%s", series->arguments->keep, deployment->name,
                 ekb_release_rules(terms.release)->name, ekb_eku_mode_name(terms.mode)) < 0) {
        directory = NULL;
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a run");
    }
    if (err == EKB_OK) {
        terms.directory = directory;
        err = ekb_scenario_run(run, deployment, &terms, reterr_fail);
    }
    if (err == EKB_OK) {
        series->all_match = series->all_match && run->matches;
        series->num_runs++;
        if (series->json != NULL) {
            (void)json_array_append_new(series->json, ekb_scenario_json(deployment, run));
        } else {
            ekb_scenario_print(deployment, run);
            ekb_scenario_print_row(series->table, deployment, run);
        }
    }
    free(directory);
    free(run);
    return err;
}

// The runs of a deployment: one under each of its releases and modes. Where a release has no switch
// there is one mode.
struct runs {
    struct ekb_scenario_terms terms[2 * EKB_RELEASE_NUM];
    size_t num;
};

static struct runs runs_of(const struct arguments *arguments,
                           const struct ekb_deployment *deployment)
{
    struct runs runs = {.num = 0};
    const size_t num_releases = arguments->has_release ? 1 : deployment->num_releases;
    for (size_t i = 0; i < num_releases; i++) {
        const enum ekb_release release =
            arguments->has_release ? arguments->release : deployment->releases[i];
        const bool has_switch = ekb_release_rules(release)->has_mode_switch;
        const size_t num_modes = has_switch ? deployment->num_modes : 1;
        for (size_t j = 0; j < num_modes; j++) {
            runs.terms[runs.num++] =
                (struct ekb_scenario_terms){.release = release,
                                            .mode = has_switch ? deployment->modes[j] : EKB_EKU_ON,
                                            .version = arguments->version,
                                            .stop = ekb_cli_stop_flag()};
        }
    }
    return runs;
}

static bool is_asked(const struct ekb_deployment *deployment,
                     const struct ekb_deployment_expectation *expectation, const struct runs *runs)
{
    for (size_t i = 0; i < runs->num; i++) {
        if (ekb_deployment_is_about(deployment, expectation, runs->terms[i].release,
                                    runs->terms[i].mode)) {
            return true;
        }
    }
    return false;
}

// say_unasked says of the sections [expect ...] in `name`, a deployment or its file, that were
// about none of the runs.
static void say_unasked(const char *name, const struct ekb_deployment *deployment,
                        const struct runs *runs)
{
    unsigned line = 0;
    for (size_t i = 0; i < deployment->num_expectations; i++) {
        const struct ekb_deployment_expectation *it = &deployment->expectations[i];
        const char *const release = it->has_release ? ekb_release_rules(it->release)->name : "";
        const char *const mode = it->has_mode ? ekb_eku_mode_name(it->mode) : "";
        if (it->section_line == line || is_asked(deployment, it, runs)) {
            continue;
        }
        line = it->section_line;
        const bool under = !it->has_release && !it->has_mode;
        ekb_cli_say("%s, line %u: no run is %s%s%s%s: what [expect%s%s%s%s] says is not checked; "
                    "links of which nothing else is said are held to the rules alone",
                    name, line,
                    it->has_release ? "under " : (under ? "under a release of the deployment" : ""),
                    release, it->has_mode ? (it->has_release ? " with mode " : "with mode ") : "",
                    mode, it->has_release ? " " : "", release,
                    it->has_mode ? (it->has_release ? ", " : " ") : "", mode);
    }
}

static enum ekb_err run_deployment(struct series *series, const char *name,
                                   const struct ekb_deployment *deployment,
                                   struct ekb_fail *reterr_fail)
{
    const struct runs runs = runs_of(series->arguments, deployment);
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < runs.num && err == EKB_OK; i++) {
        err = run_once(series, deployment, &runs.terms[i], reterr_fail);
    }
    if (err == EKB_OK) {
        say_unasked(name, deployment, &runs);
    }
    return err;
}

static enum ekb_err run_named(struct series *series, const char *name, struct ekb_fail *reterr_fail)
{
    struct ekb_deployment *deployment = calloc(1, sizeof *deployment);
    if (deployment == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a deployment");
    }
    enum ekb_err err = ekb_deployment_open(deployment, name, reterr_fail);
    if (err == EKB_OK) {
        err = run_deployment(series, name, deployment, reterr_fail);
    }
    free(deployment);
    return err;
}

static enum ekb_err run_all(struct series *series, struct ekb_fail *reterr_fail)
{
    const struct arguments *arguments = series->arguments;
    const size_t num = arguments->all ? EKB_NUM_SCENARIOS_BUILTIN : arguments->num_names;
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < num && err == EKB_OK; i++) {
        err =
            run_named(series, arguments->all ? ekb_scenario_builtins[i].name : arguments->names[i],
                      reterr_fail);
    }
    return err;
}

static int run(const struct arguments *arguments)
{
    char *table = NULL;
    size_t table_len = 0;
    struct ekb_fail fail = {.err = EKB_OK};
    struct series series = {.arguments = arguments,
                            .json = arguments->format == EKB_CLI_JSON ? json_array() : NULL,
                            .table = open_memstream(&table, &table_len),
                            .all_match = true};
    if (series.table == NULL) {
        json_decref(series.json);
        ekb_cli_say("out of memory");
        return EKB_EXIT_ENVIRONMENT;
    }
    ekb_scenario_print_head(series.table);
    const enum ekb_err err = run_all(&series, &fail);
    (void)fclose(series.table);
    int status = series.all_match ? EKB_EXIT_OK : EKB_EXIT_GATE;
    // Of a series that ended early there is what came before.
    if (series.json != NULL && (err == EKB_OK || series.num_runs > 0)) {
        const int printed = ekb_cli_print_json(series.json);
        status = printed != EKB_EXIT_OK ? printed : status;
    } else if (series.json == NULL && series.num_runs > 0) {
        (void)fputs(table, stdout);
    } else {
        json_decref(series.json);
    }
    free(table);
    return err == EKB_OK ? status : ekb_cli_fail(&fail);
}

int ekb_cli_scenario(int argc, char **argv)
{
    struct arguments arguments = {.version = EKB_TLS_1_3};
    ekb_cli_parse(&ekb_cli_scenario_argp, argc, argv, &arguments);
    if (strcmp(arguments.verb, "list") == 0) {
        return list(arguments.format);
    }
    if (strcmp(arguments.verb, "show") == 0) {
        return show(arguments.names[0]);
    }
    return run(&arguments);
}
