#include "cli/compare.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode {
    MODE_RESULTS,
    MODE_RUN,
    MODE_PLANS,
    MODE_STORES,
};

struct arguments {
    const char *base;
    const char *now;
    enum mode mode;
    enum ekb_compare_form form;
    struct ekb_compare_wish wish;
    // What was said, to be refused where it has no effect.
    bool has_mode;
    bool has_quadruples;
    bool has_time_threshold;
};

enum {
    OPTION_RUN = 256,
    OPTION_PLANS,
    OPTION_STORES,
    OPTION_HISTORY,
    OPTION_TIME,
    OPTION_GATE_TIME,
    OPTION_INSTRUCTIONS,
    OPTION_QUADRUPLES,
    OPTION_NO_TIMES,
    OPTION_NO_INSTRUCTIONS,
    OPTION_FORCE,
    OPTION_JSON,
    OPTION_MARKDOWN,
};

// parse_percent reads "5" or "5%".
static double parse_percent(const char *name, const char *text, struct argp_state *state)
{
    double value = 0;
    if (ekb_units_parse_percent(&value, text) != EKB_OK || !(value > 0) || value > 1000) {
        ekb_cli_refuse(state, "%s %s: a percentage above 0 is wanted", name, text);
    }
    return value;
}

static error_t set_mode(struct arguments *arguments, enum mode mode, struct argp_state *state)
{
    if (arguments->has_mode && arguments->mode != mode) {
        ekb_cli_refuse(state, "one of --run, --plans and --stores is wanted");
    }
    arguments->has_mode = true;
    arguments->mode = mode;
    return 0;
}

static error_t parse_flag(int key, struct arguments *arguments, struct argp_state *state)
{
    switch (key) {
    case OPTION_RUN:
        return set_mode(arguments, MODE_RUN, state);
    case OPTION_PLANS:
        return set_mode(arguments, MODE_PLANS, state);
    case OPTION_STORES:
        return set_mode(arguments, MODE_STORES, state);
    case OPTION_GATE_TIME:
        arguments->wish.gate_time = true;
        return 0;
    case OPTION_NO_TIMES:
        arguments->wish.with_times = false;
        return 0;
    case OPTION_NO_INSTRUCTIONS:
        arguments->wish.with_instructions = false;
        return 0;
    case OPTION_FORCE:
        arguments->wish.force = true;
        return 0;
    case OPTION_JSON:
        arguments->form = EKB_COMPARE_JSON;
        return 0;
    case OPTION_MARKDOWN:
        arguments->form = EKB_COMPARE_MARKDOWN;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// check_options refuses options that would have no effect.
static void check_options(const struct arguments *arguments, struct argp_state *state)
{
    static const char *const modes[] = {"with two results", "with --run", "with --plans",
                                        "with --stores"};
    const struct ekb_compare_wish *wish = &arguments->wish;
    const bool is_run = arguments->mode == MODE_RUN;
    const bool is_running = is_run || arguments->mode == MODE_PLANS;
    const bool has_instructions =
        arguments->mode == MODE_RESULTS || (is_run && wish->with_instructions);
    const bool has_times = !is_run || wish->with_times;
    const struct {
        const char *name;
        bool said;
        bool has_effect;
    } rules[] = {
        {"--no-times", !wish->with_times, is_run},
        {"--no-instructions", !wish->with_instructions, is_run},
        {"--quadruples", arguments->has_quadruples, is_running && has_times},
        {"--history", wish->history != NULL, has_instructions},
        {"--instructions-threshold", wish->instructions_percent > 0, has_instructions},
        {"--time-threshold", arguments->has_time_threshold, has_times},
        {"--gate-time", wish->gate_time, has_times},
        {"--force", wish->force, has_instructions || !is_running},
    };
    if (is_run && !wish->with_times && !wish->with_instructions) {
        ekb_cli_refuse(state, "--no-times and --no-instructions leave nothing to compare");
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].said && !rules[i].has_effect) {
            ekb_cli_refuse(state, "%s has no effect %s%s", rules[i].name, modes[arguments->mode],
                           !is_run                    ? ""
                           : !wish->with_times        ? " --no-times"
                           : !wish->with_instructions ? " --no-instructions"
                                                      : "");
        }
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_HISTORY:
        arguments->wish.history = text;
        return 0;
    case OPTION_TIME:
        arguments->has_time_threshold = true;
        arguments->wish.time_percent = parse_percent("--time-threshold", text, state);
        return 0;
    case OPTION_INSTRUCTIONS:
        arguments->wish.instructions_percent =
            parse_percent("--instructions-threshold", text, state);
        return 0;
    case OPTION_QUADRUPLES: {
        uint64_t count = 0;
        if (ekb_units_parse_count(&count, text, EKB_COMPARE_MIN_QUADRUPLES, 1000) != EKB_OK) {
            ekb_cli_refuse(state, "--quadruples %s: a count from %u to 1000 is wanted", text,
                           EKB_COMPARE_MIN_QUADRUPLES);
        }
        arguments->has_quadruples = true;
        arguments->wish.num_quadruples = (uint32_t)count;
        return 0;
    }
    case ARGP_KEY_ARG:
        if (arguments->now != NULL) {
            ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        }
        *(arguments->base == NULL ? &arguments->base : &arguments->now) = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->now == NULL) {
            ekb_cli_refuse(state, "two things to compare are wanted");
        }
        check_options(arguments, state);
        return 0;
    default:
        return parse_flag(key, arguments, state);
    }
}

static const struct argp_option options[] = {
    {"run", OPTION_RUN, NULL, 0,
     "BASE and NEW are ekubench programs: count their instructions and measure them in turn", 1},
    {"plans", OPTION_PLANS, NULL, 0,
     "BASE and NEW are files as of `ekubench measure --plan compare --print-plan`: measure them in "
     "turn",
     1},
    {"stores", OPTION_STORES, NULL, 0,
     "BASE and NEW are dual stores: measure handshakes with either, in turn (45 s)", 1},
    {"quadruples", OPTION_QUADRUPLES, "N", 0,
     "With --run and --plans: times are of N quadruples of runs, 10 s each (default 10)", 2},
    {"no-times", OPTION_NO_TIMES, NULL, 0, "With --run: instructions only", 2},
    {"no-instructions", OPTION_NO_INSTRUCTIONS, NULL, 0, "With --run: times only", 2},
    {"instructions-threshold", OPTION_INSTRUCTIONS, "PERCENT", 0,
     "More instructions than this fail (default 0.2, or what --history says)", 3},
    {"history", OPTION_HISTORY, "DIR", 0,
     "Results of earlier times (*.json, by name): the threshold is what their changes make "
     "unusual, at most 5; 1 while there are fewer than ten",
     3},
    {"time-threshold", OPTION_TIME, "PERCENT", 0, "Limit of times (default 5)", 3},
    {"gate-time", OPTION_GATE_TIME, NULL, 0, "Times beyond their limit fail; else they are advice",
     3},
    {"force", OPTION_FORCE, NULL, 0, "Compare also what does not compare", 4},
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 5},
    {"markdown", OPTION_MARKDOWN, NULL, 0, "Print a table for a pull request", 5},
    {0},
};

static const char doc[] =
    "Decide whether NEW is slower than BASE: two results (files, or directories with result.json "
    "and instructions.json), two programs, two plans, or two stores. Instructions gate, times "
    "advise.\v"
    "Exit status: 0 no regression; 1 a gate failed; 2 wrong usage, or they do not compare; 3 no "
    "valid answer here; 4 the interval is too wide to say.\n\nExamples:\n"
    "  ekubench compare --run old/ekubench new/ekubench\n"
    "  ekubench compare --plans tls12.ini tls13.ini\n"
    "  ekubench compare before.json after.json --markdown\n"
    "  ekubench compare --stores store-rsa store-ecdsa";

static enum ekb_err compare_results(struct ekb_comparison *comparison,
                                    const struct arguments *arguments, struct ekb_fail *reterr_fail)
{
    struct ekb_compare_side *sides = calloc(2, sizeof sides[0]);
    if (sides == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "results");
    }
    enum ekb_err err = ekb_compare_load(&sides[0], arguments->base, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_compare_load(&sides[1], arguments->now, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_compare_sides(comparison, &sides[0], &sides[1], &arguments->wish, reterr_fail);
    }
    free(sides);
    return err;
}

static void set_labels(struct ekb_comparison *comparison, const struct arguments *arguments)
{
    const char *const names[2] = {arguments->base, arguments->now};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(comparison->labels[i], sizeof comparison->labels[i], "%s", names[i]);
        ekb_compare_clean(comparison->labels[i]);
    }
}

static int run(const struct arguments *arguments)
{
    struct ekb_comparison *comparison = calloc(1, sizeof *comparison);
    struct ekb_fail fail = {0};
    enum ekb_err err = EKB_NOMEM;
    if (comparison == NULL) {
        ekb_cli_say("out of memory");
        return EKB_EXIT_ENVIRONMENT;
    }
    switch (arguments->mode) {
    case MODE_RESULTS:
        err = compare_results(comparison, arguments, &fail);
        break;
    case MODE_RUN:
        err = ekb_compare_run_binaries(comparison, arguments->base, arguments->now,
                                       &arguments->wish, &fail);
        break;
    case MODE_PLANS:
        err = ekb_compare_run_plans(comparison, arguments->base, arguments->now, &arguments->wish,
                                    &fail);
        break;
    case MODE_STORES:
        err = ekb_compare_run_stores(comparison, arguments->base, arguments->now, &arguments->wish,
                                     &fail);
        break;
    }
    set_labels(comparison, arguments);
    int status = err == EKB_OK ? ekb_compare_status(comparison) : ekb_cli_fail(&fail);
    if (err == EKB_OK) {
        const int printed = ekb_compare_print(comparison, arguments->form);
        status = printed != EKB_EXIT_OK ? printed : status;
    }
    free(comparison);
    return status;
}

const struct argp ekb_cli_compare_argp = {
    .options = options, .parser = parse, .args_doc = "BASE NEW", .doc = doc};

int ekb_cli_compare(int argc, char **argv)
{
    struct arguments arguments = {.wish = {.time_percent = EKB_GATE_TIME_PERCENT,
                                           .num_quadruples = EKB_COMPARE_QUADRUPLES,
                                           .with_times = true,
                                           .with_instructions = true}};
    ekb_cli_parse(&ekb_cli_compare_argp, argc, argv, &arguments);
    return run(&arguments);
}
