#include "cli/cli.h"

#include "cli/target.h"
#include "cli/workload.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"
#include "ekubench/lab/capacity.h"
#include "ekubench/pki/mint.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    struct ekb_capacity_settings settings;
    struct ekb_cli_target target;
    struct ekb_cli_workload workload;
    const char *link; // Of the deployment; NULL: the first that is accepted.
    const char *output;
    // What was given that is of one kind of server only: the option's name, or NULL.
    const char *of_ours;
    enum ekb_cli_format format;
    bool slo_set;
};

enum {
    OPTION_SLO = 256,
    OPTION_ERRORS,
    OPTION_TARGET,
    OPTION_BUDGET,
    OPTION_FULL_CLIENT,
    OPTION_WORKERS,
    OPTION_SERVER_WORKERS,
    OPTION_SHARED_LISTENER,
    OPTION_PIN,
    OPTION_VARY,
    OPTION_VARY_SEARCH,
    OPTION_REJECT_SHARE,
    OPTION_RESUME_SHARE,
    OPTION_LINK,
    OPTION_JSON,
};

// parse_percentile reads "99" or "99.9", digits alone.
static bool parse_percentile(double *out_percentile, const char *text, size_t len)
{
    char digits[16];
    if (len == 0 || len >= sizeof digits || strspn(text, "0123456789.") < len || text[0] == '.') {
        return false;
    }
    (void)snprintf(digits, sizeof digits, "%.*s", (int)len, text);
    char *end = NULL;
    *out_percentile = strtod(digits, &end);
    return *end == '\0' && *out_percentile >= 1 && *out_percentile < 100;
}

// parse_slo reads "p99=20ms".
static void parse_slo(struct ekb_capacity_objective *objective, const char *text,
                      struct argp_state *state)
{
    const size_t len = strcspn(text, "=");
    if (text[0] != 'p' || text[len] != '=' ||
        !parse_percentile(&objective->percentile, text + 1, len - 1) ||
        ekb_units_parse_duration(&objective->limit_ns, text + len + 1) != EKB_OK ||
        objective->limit_ns < 10 * EKB_NS_PER_US || objective->limit_ns > 10 * EKB_NS_PER_S) {
        ekb_cli_refuse(state,
                       "--slo %s: a percentile and a time of 10us to 10s, such as p99=20ms or "
                       "p99.9=50ms, is wanted",
                       text);
    }
}

// parse_part reads a share that leaves something of the load.
static double parse_part(const char *option, const char *text, struct argp_state *state)
{
    const double share = ekb_cli_parse_share(option, text, state);
    if (!(share < 1)) {
        ekb_cli_refuse(state, "%s %s: less than 100%% is wanted", option, text);
    }
    return share;
}

// parse_value reads one value of a dimension.
static struct ekb_variant parse_value(enum ekb_variant_dimension dimension, const char *text,
                                      const char *whole, struct argp_state *state)
{
    struct ekb_variant variant = {.dimension = dimension};
    uint64_t depth = 0;
    bool good = false;
    switch (dimension) {
    case EKB_VARIANT_EKU:
        good = ekb_eku_mode_parse(&variant.eku, text) == EKB_OK;
        break;
    case EKB_VARIANT_DEPTH:
        good = ekb_units_parse_count(&depth, text, 1, EKB_MINT_MAX_DEPTH) == EKB_OK;
        variant.depth = (unsigned)depth;
        break;
    case EKB_VARIANT_KEY:
        good = ekb_key_type_parse(&variant.key_type, text) == EKB_OK;
        break;
    }
    if (!good) {
        ekb_cli_refuse(state, "--vary %s: \"%s\" is no value of that", whole, text);
    }
    return variant;
}

// add_variant appends a variant unless it is there.
static void add_variant(struct ekb_capacity_settings *settings, const struct ekb_variant *variant,
                        struct argp_state *state)
{
    char name[EKB_PLAN_NAME_LEN];
    char other[EKB_PLAN_NAME_LEN];
    (void)ekb_variant_name(name, variant);
    for (size_t i = 0; i < settings->num_variants; i++) {
        if (strcmp(ekb_variant_name(other, &settings->variants[i]), name) == 0) {
            return;
        }
    }
    if (settings->num_variants == sizeof settings->variants / sizeof settings->variants[0]) {
        ekb_cli_refuse(state, "--vary: at most %zu variants",
                       sizeof settings->variants / sizeof settings->variants[0]);
    }
    settings->variants[settings->num_variants++] = *variant;
}

// parse_vary reads "eku=on,off,none", "depth=1,2,3" or "key=p256,rsa2048".
static void parse_vary(struct ekb_capacity_settings *settings, const char *text,
                       struct argp_state *state)
{
    static const char *const names[] = {
        [EKB_VARIANT_EKU] = "eku=", [EKB_VARIANT_DEPTH] = "depth=", [EKB_VARIANT_KEY] = "key="};
    size_t dimension = 0;
    while (dimension < 3 && strncmp(text, names[dimension], strlen(names[dimension])) != 0) {
        dimension++;
    }
    if (dimension == 3) {
        ekb_cli_refuse(
            state, "--vary %s: eku=on,off,none or depth=1,2,3 or key=p256,rsa2048 is wanted", text);
    }
    const char *rest = text + strlen(names[dimension]);
    do {
        char value[EKB_UNITS_TEXT_LEN];
        const size_t len = strcspn(rest, ",");
        (void)snprintf(value, sizeof value, "%.*s", (int)len, rest);
        const struct ekb_variant variant =
            parse_value((enum ekb_variant_dimension)dimension, value, text, state);
        add_variant(settings, &variant, state);
        rest += len;
    } while (*rest++ == ',');
}

static void refuse_together(const char *option, const char *with, struct argp_state *state)
{
    ekb_cli_refuse(state, "%s is of %s", option, with);
}

// drop_main takes the main treatment out of the variants: it is there anyway.
static void drop_main(struct ekb_capacity_settings *settings)
{
    struct ekb_plan plan;
    size_t num_kept = 0;
    EKB_CHECK(ekb_plan_builtin(&plan, EKB_PLAN_COMPARE, &settings->plan) == EKB_OK);
    for (size_t i = 0; i < settings->num_variants; i++) {
        if (!ekb_variant_is_main(&settings->variants[i], &plan)) {
            settings->variants[num_kept++] = settings->variants[i];
        }
    }
    settings->num_variants = num_kept;
}

static void check_arguments(struct arguments *arguments, struct argp_state *state)
{
    struct ekb_capacity_settings *settings = &arguments->settings;
    struct ekb_fail fail;
    if (!arguments->slo_set) {
        ekb_cli_refuse(state, "the objective is wanted, such as --slo p99=20ms");
    }
    if (arguments->target.text == NULL) {
        if (arguments->target.given != NULL) {
            refuse_together(arguments->target.given, "a server at ADDR:PORT, which is not given",
                            state);
        }
        if (arguments->link != NULL && arguments->workload.scenario == NULL) {
            refuse_together("--link", "--scenario", state);
        }
        if (settings->reject_share > 0 && arguments->workload.scenario != NULL) {
            ekb_cli_refuse(state, "--reject-share: the deployment has no clients without the EKU");
        }
        if (settings->vary_search && settings->num_variants == 0) {
            ekb_cli_refuse(state, "--vary-search: there is nothing to vary (--vary)");
        }
        if (settings->reject_share > 0 && settings->plan.eku_set &&
            settings->plan.eku == EKB_EKU_NONE) {
            ekb_cli_refuse(state, "--reject-share: with --eku none nobody is rejected");
        }
        if (arguments->target.tls != NULL) {
            (void)ekb_cli_parse_treatment(&settings->plan, EKB_CLI_OPTION_TLS,
                                          arguments->target.tls, state);
        }
        settings->plan.preferences = arguments->target.arm.preferences;
        if (ekb_cli_check_treatment(&settings->plan, &fail) != EKB_OK) {
            ekb_cli_refuse(state, "%s", fail.detail);
        }
        drop_main(settings);
        return;
    }
    if (arguments->of_ours != NULL) {
        refuse_together(arguments->of_ours, "ekubench's own server, not of one at ADDR:PORT",
                        state);
    }
    ekb_cli_check_target(&arguments->target, state);
    settings->target_text = arguments->target.text;
    settings->target = arguments->target.arm;
    settings->confirm = arguments->target.confirm;
}

// parse_preference reads what both kinds of servers know.
static error_t parse_preference(struct ekb_cli_target *target, int key, const char *text,
                                struct argp_state *state)
{
    const char *const given = target->given;
    const error_t err = ekb_cli_parse_target(target, key, text, state);
    target->given = given;
    return err;
}

// parse_load reads the options that say what the load is, and what it is compared with.
static error_t parse_load(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ekb_capacity_settings *settings = &arguments->settings;
    switch (key) {
    case OPTION_FULL_CLIENT:
        settings->full_client = true;
        arguments->of_ours = "--full-client";
        return 0;
    case OPTION_WORKERS:
        ekb_cli_parse_workers(&settings->plan.client_workers, "--client-workers", text, state);
        return 0;
    case OPTION_SERVER_WORKERS:
        ekb_cli_parse_workers(&settings->plan.server_workers, "--server-workers", text, state);
        arguments->of_ours = "--server-workers";
        return 0;
    case OPTION_SHARED_LISTENER:
        settings->plan.listening = EKB_LISTENING_SHARED;
        arguments->of_ours = "--shared-listener";
        return 0;
    case OPTION_PIN:
        ekb_cli_parse_pin(&settings->plan.pin, text, state);
        return 0;
    case EKB_CLI_WORKLOAD_SCENARIO:
    case EKB_CLI_WORKLOAD_RELEASE:
        arguments->of_ours = "--scenario";
        return ekb_cli_parse_workload(&arguments->workload, key, text, state);
    case OPTION_LINK:
        arguments->of_ours = "--link";
        arguments->link = text;
        return 0;
    case OPTION_VARY:
        parse_vary(settings, text, state);
        arguments->of_ours = "--vary";
        return 0;
    case OPTION_VARY_SEARCH:
        settings->vary_search = true;
        arguments->of_ours = "--vary-search";
        return 0;
    case OPTION_REJECT_SHARE:
        settings->reject_share = parse_part("--reject-share", text, state);
        arguments->of_ours = "--reject-share";
        return 0;
    case OPTION_RESUME_SHARE:
        settings->resume_share = parse_part("--resume-share", text, state);
        arguments->of_ours = "--resume-share";
        return 0;
    case EKB_CLI_OPTION_KEY:
    case EKB_CLI_OPTION_EKU:
    case EKB_CLI_OPTION_DEPTH:
        arguments->of_ours = key == EKB_CLI_OPTION_KEY   ? "--key"
                             : key == EKB_CLI_OPTION_EKU ? "--eku"
                                                         : "--depth";
        return ekb_cli_parse_treatment(&settings->plan, key, text, state);
    case EKB_CLI_OPTION_TLS:
        arguments->target.tls = text; // Which versions there are depends on whose server it is.
        return 0;
    case EKB_CLI_OPTION_SEED:
        return ekb_cli_parse_treatment(&settings->plan, key, text, state);
    case EKB_CLI_TARGET_GROUPS:
    case EKB_CLI_TARGET_CIPHERS:
        return parse_preference(&arguments->target, key, text, state);
    default:
        return ekb_cli_parse_target(&arguments->target, key, text, state);
    }
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
        settings->objective.max_error_share = parse_part("--errors", text, state);
        return 0;
    case OPTION_TARGET:
        if (ekb_units_parse_rate(&settings->target_per_s, text) != EKB_OK) {
            ekb_cli_refuse(state, "--target %s: a rate such as 50000/s or 50k/s is wanted", text);
        }
        return 0;
    case OPTION_BUDGET:
        if (ekb_units_parse_duration(&settings->budget_ns, text) != EKB_OK ||
            settings->budget_ns < 2 * EKB_NS_PER_S || settings->budget_ns > 3600 * EKB_NS_PER_S) {
            ekb_cli_refuse(state, "--budget %s: a duration from 2s to 1h is wanted", text);
        }
        return 0;
    case 'o':
        arguments->output = text;
        return 0;
    case OPTION_JSON:
        arguments->format = EKB_CLI_JSON;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
        }
        ekb_cli_set_target(&arguments->target, text, state);
        return 0;
    case ARGP_KEY_END:
        check_arguments(arguments, state);
        return 0;
    default:
        return parse_load(key, text, state);
    }
}

static const struct argp_option options[] = {
    {"slo", OPTION_SLO, "pN=TIME", 0,
     "The objective: that percentile of latency, from the planned start, is at most TIME", 1},
    {"errors", OPTION_ERRORS, "SHARE", 0,
     "Of what is due, this share may end otherwise than accepted (default 0)", 1},
    {"target", OPTION_TARGET, "RATE", 0, "Project cores and machines for this rate", 1},
    {"reject-share", OPTION_REJECT_SHARE, "SHARE", 0,
     "Of the load, this share are clients without the EKU: their cost is measured, the rest "
     "projected",
     1},
    {"resume-share", OPTION_RESUME_SHARE, "SHARE", 0,
     "Of those accepted, this share resume a session: their cost is measured, the rest projected",
     1},
    {"budget", OPTION_BUDGET, "TIME", 0,
     "Time for the search (default 120s), beside ceiling, validation and variants; below two "
     "minutes "
     "its "
     "trials are shorter",
     1},
    {"full-client", OPTION_FULL_CLIENT, NULL, 0,
     "A client that verifies the server, as real ones do (default: a cheap one, so that the client "
     "does not set the limit)",
     2},
    {"server-workers", OPTION_SERVER_WORKERS, "N", 0,
     "Processes of the server, each on a CPU of its own if there are as many (default 1)", 2},
    {"client-workers", OPTION_WORKERS, "N", 0,
     "Processes that share the load, each on a CPU of its own if there are as many and one more "
     "(default 1)",
     2},
    {"shared-listener", OPTION_SHARED_LISTENER, NULL, 0,
     "All server workers accept from one socket; else each has its own (SO_REUSEPORT)", 2},
    {"pin", OPTION_PIN, EKB_CLI_PIN_ARG, 0,
     "CPUs of the workers, the server's first (0,2-5); auto (default): one each if there are as "
     "many; off: as the system likes",
     2},
    {"tls", EKB_CLI_OPTION_TLS, "VERSION", 0,
     "1.3 (the default) or 1.2; of a server at ADDR:PORT any, too (the default there)", 2},
    {"key", EKB_CLI_OPTION_KEY, "TYPE", 0, "Keys of all certificates: " EKB_CLI_KEY_TYPES, 2},
    {"eku", EKB_CLI_OPTION_EKU, "MODE", 0, "on (default), off or none", 2},
    {"depth", EKB_CLI_OPTION_DEPTH, "N", 0, "Certificates above the client's leaf (default 1)", 2},
    {"vary", OPTION_VARY, "WHAT=VALUE,...", 0,
     "How it differs with another value of eku, depth or key, one at a time: measured side by "
     "side, "
     "the rate projected (may be repeated)",
     2},
    {"vary-search", OPTION_VARY_SEARCH, NULL, 0,
     "Search for the rate of each variant, too: as long again for each", 2},
    EKB_CLI_WORKLOAD_OPTIONS(2),
    {"link", OPTION_LINK, "NAME", 0,
     "With --scenario: the link whose rate is found (default: the first whose initiator is "
     "accepted); --eku chooses between the modes",
     2},
    {"seed", EKB_CLI_OPTION_SEED, "N", 0, "Seed of the arrivals (default 1)", 2},
    EKB_CLI_TARGET_OPTIONS(3),
    {"output", 'o', "DIR", 0, EKB_CLI_OUTPUT_HELP, 4},
    {"json", OPTION_JSON, NULL, 0, "Print the result as JSON instead of tables", 4},
    {0},
};

static const char doc[] =
    "Find the highest rate of handshakes at which an objective is met, by open-loop trials against "
    "the dual-store server on this machine, or a server of yours at ADDR:PORT, and project it to a "
    "target.\v"
    "Only of ekubench's own server: --key, --eku, --depth, --vary, --vary-search, --scenario, "
    "--release, --link, --reject-share, --resume-share, --full-client, --server-workers, "
    "--shared-listener. Only of a server of yours: --store, --ca, --insecure, --identities, "
    "--pick, "
    "--sni, --confirm, --signatures. All others are of both.\n\n"
    "What is projected is marked PROJECTED; all else is measured. A rate counts only if the work "
    "in hand does not grow, whatever the objective, and only after a validation. Exit status: 0 "
    "done; 2 wrong usage; 3 the environment cannot give a valid answer; 4 the bounds are not close "
    "when the time is up, or no validation met the objective.\n\nExamples:\n"
    "  How many handshakes can one core verify at p99 <= 20 ms, and how many cores\n"
    "  do 50,000 a second need, with longer chains, and with one client in twenty\n"
    "  rejected?\n"
    "    ekubench capacity --slo p99=20ms --target 50k/s --vary depth=1,2,3 \\\n"
    "        --reject-share 5%\n"
    "  A stricter objective, other keys:\n"
    "    ekubench capacity --slo p99=5ms --key rsa2048 --depth 2\n"
    "  A link of a deployment, with and without the check:\n"
    "    ekubench capacity --slo p99=20ms --scenario condition-2.1 --vary eku=off\n"
    "  A server of yours elsewhere:\n"
    "    ekubench capacity 192.0.2.1:7001 --slo p99=50ms --store DIR --target 10k/s";

// status_of returns the exit status of what was found.
static int status_of(const struct ekb_record_capacity *capacity)
{
    return strcmp(capacity->state, "exhausted") == 0 || strcmp(capacity->state, "unvalidated") == 0
               ? EKB_EXIT_INCONCLUSIVE
               : EKB_EXIT_OK;
}

static enum ekb_err run(struct ekb_record *out_record, const void *settings,
                        const struct ekb_session_control *control, struct ekb_fail *reterr_fail)
{
    return ekb_capacity_run(out_record, settings, control, reterr_fail);
}

static int judge(const struct ekb_record *record)
{
    return status_of(&record->capacity);
}

// check_variants sees that the link is accepted under each mode that it is to be compared with.
static enum ekb_err check_variants(const struct arguments *arguments, const char *link,
                                   struct ekb_fail *reterr_fail)
{
    const struct ekb_capacity_settings *settings = &arguments->settings;
    for (size_t i = 0; i < settings->num_variants; i++) {
        const struct ekb_variant *variant = &settings->variants[i];
        if (variant->dimension != EKB_VARIANT_EKU) {
            return ekb_fail_say(reterr_fail, EKB_USAGE,
                                "--vary: with --scenario the deployment says keys and depths");
        }
        const struct ekb_plan_arm *arm =
            ekb_workload_find(arguments->workload.workload, link, &variant->eku);
        if (arm == NULL || arm->policy.eku != variant->eku) {
            return ekb_fail_say(reterr_fail, EKB_USAGE,
                                "--vary eku=%s: %s is not accepted so, or does not go by the mode, "
                                "or the deployment has not that mode",
                                ekb_eku_mode_name(variant->eku), link);
        }
    }
    return EKB_OK;
}

// say_none says that there is no such link, and which there are.
static enum ekb_err say_none(const struct arguments *arguments, const enum ekb_eku_mode *mode,
                             struct ekb_fail *reterr_fail)
{
    const struct ekb_workload *workload = arguments->workload.workload;
    char others[256] = "";
    for (size_t i = 0; i < ekb_workload_num_arms(workload); i++) {
        const struct ekb_plan_arm *arm = ekb_workload_arm(workload, i);
        const size_t len = strlen(others);
        if (arm->expect == EKB_EXPECT_ACCEPT) {
            (void)snprintf(others + len, sizeof others - len, "%s%s", len > 0 ? ", " : "",
                           arm->name);
        }
    }
    return ekb_fail_say(reterr_fail, EKB_USAGE, "%s has no link%s%s that is accepted%s%s; %s%s",
                        arguments->settings.scenario, arguments->link != NULL ? " " : "",
                        arguments->link != NULL ? arguments->link : "",
                        mode != NULL ? " by EKU mode " : "",
                        mode != NULL ? ekb_eku_mode_name(*mode) : "",
                        others[0] != '\0' ? "accepted are " : "none is", others);
}

// choose_link takes the link of the deployment whose rate is to be found.
static enum ekb_err choose_link(struct arguments *arguments, struct ekb_fail *reterr_fail)
{
    struct ekb_capacity_settings *settings = &arguments->settings;
    const struct ekb_workload *workload = arguments->workload.workload;
    const enum ekb_eku_mode *mode = settings->plan.eku_set ? &settings->plan.eku : NULL;
    const struct ekb_plan_arm *arm = ekb_workload_find(workload, arguments->link, mode);
    if (arm == NULL || (mode != NULL && arm->policy.eku != *mode)) {
        return say_none(arguments, mode, reterr_fail);
    }
    settings->arm = arm;
    settings->plan.eku = arm->policy.eku;
    settings->plan.eku_set = true;
    drop_main(settings);
    return check_variants(arguments, ekb_workload_link_of(workload, arm), reterr_fail);
}

static enum ekb_err prepare(struct arguments *arguments, struct ekb_fail *reterr_fail)
{
    struct ekb_capacity_settings *settings = &arguments->settings;
    enum ekb_err err = ekb_cli_workload_create(&arguments->workload, &settings->plan, reterr_fail);
    if (err == EKB_OK && arguments->workload.workload != NULL) {
        settings->scenario = arguments->workload.deployment->name;
        settings->release = ekb_release_rules(arguments->workload.release)->name;
        err = choose_link(arguments, reterr_fail);
    }
    if (err == EKB_OK && arguments->output != NULL) {
        err = ekb_cli_claim_output(arguments->output, reterr_fail);
    }
    return err;
}

const struct argp ekb_cli_capacity_argp = {
    .options = options, .parser = parse, .args_doc = "[ADDR:PORT]", .doc = doc};

int ekb_cli_capacity(int argc, char **argv)
{
    struct arguments arguments = {.settings = {.budget_ns = 120 * EKB_NS_PER_S}};
    struct ekb_fail fail;
    ekb_cli_target_init(&arguments.target);
    ekb_cli_parse(&ekb_cli_capacity_argp, argc, argv, &arguments);
    const struct ekb_cli_job job = {.run = run,
                                    .what = &arguments.settings,
                                    .argp = &ekb_cli_capacity_argp,
                                    .argc = argc,
                                    .argv = argv};
    const int status = prepare(&arguments, &fail) == EKB_OK
                           ? ekb_cli_run_to_end(&job, judge, arguments.output, arguments.format)
                           : ekb_cli_fail(&fail);
    ekb_cli_workload_destroy(&arguments.workload);
    return status;
}
