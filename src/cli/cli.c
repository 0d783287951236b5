#include "cli/cli.h"

#include "cli/suggest.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/file.h"
#include "ekubench/base/units.h"
#include "ekubench/base/utf8.h"
#include "ekubench/report/text.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Of argp's help: what it is written for, and what it needs beside the names of options.
#define HELP_WIDTH 80
#define MIN_HELP_WIDTH 45

const struct argp_option *ekb_cli_options(const struct argp *argp)
{
    static const struct argp_option none = {0};
    return argp->options != NULL ? argp->options : &none;
}

const struct argp_option *ekb_cli_find_option(const struct argp *argp, const char *name, size_t len)
{
    for (const struct argp_option *option = ekb_cli_options(argp); option->name != NULL; option++) {
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0) {
            return option;
        }
    }
    return NULL;
}

const struct argp_option *ekb_cli_find_key(const struct argp *argp, int key)
{
    for (const struct argp_option *option = ekb_cli_options(argp); option->name != NULL; option++) {
        if (option->key == key) {
            return option;
        }
    }
    return NULL;
}

const struct argp_option *ekb_cli_option_of(const struct argp *argp, const char *word,
                                            bool *out_takes_next)
{
    const struct argp_option *option = NULL;
    *out_takes_next = false;
    if (word[0] != '-' || word[1] == '\0') {
        return NULL;
    }
    if (word[1] == '-') {
        const size_t len = strcspn(word + 2, "=");
        option = ekb_cli_find_option(argp, word + 2, len);
        *out_takes_next = option != NULL && option->arg != NULL && word[len + 2] == '\0';
        return option;
    }
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        option = ekb_cli_find_key(argp, (unsigned char)*letter);
        if (option != NULL && option->arg != NULL) {
            *out_takes_next = letter[1] == '\0';
            break;
        }
    }
    return option;
}

const char *ekb_cli_suggest_option(const struct argp *argp, const char *word, size_t len,
                                   const char *other)
{
    struct ekb_cli_suggestion suggestion = {.word = word, .len = len};
    for (const struct argp_option *option = ekb_cli_options(argp); option->name != NULL; option++) {
        ekb_cli_suggest(&suggestion, option->name);
    }
    if (other != NULL) {
        ekb_cli_suggest(&suggestion, other);
    }
    return suggestion.best;
}

// has_reader is false if standard output is a pipe that nobody reads from any more.
static bool has_reader(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) <= 0 || (output.revents & POLLERR) == 0;
}

int ekb_cli_end(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    const int reason = errno;
    if (!has_reader()) {
        // `| head` has had what it wants. The status that other programs have then, killed by the
        // signal.
        return status == EKB_EXIT_OK ? 128 + SIGPIPE : status;
    }
    ekb_cli_say("standard output: %s", strerror(reason));
    return status == EKB_EXIT_OK ? EKB_EXIT_ENVIRONMENT : status;
}

// end_help is for the help that argp prints: it ends the process with status 0, whether the help
// got anywhere or not.
static void end_help(void)
{
    const int status = ekb_cli_end(EKB_EXIT_OK);
    if (status != EKB_EXIT_OK) {
        _exit(status);
    }
}

// is_help is true for the options by which argp prints help.
static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "--usage") == 0 || strcmp(word, "-?") == 0;
}

const char *ekb_cli_parse_output(const char *text, struct argp_state *state)
{
    if (text[0] == '\0') {
        ekb_cli_refuse(state, "-o: the name of a file is wanted");
    }
    return text;
}

// refuse_option ends the process: there is no option `word`.
_Noreturn static void refuse_option(const char *command, const char *format, ...) EKB_PRINTF(2, 3);

_Noreturn static void refuse_option(const char *command, const char *format, ...)
{
    char prefix[80];
    va_list args;
    va_start(args, format);
    (void)snprintf(prefix, sizeof prefix, "%s: ", command);
    ekb_cli_say_as(prefix, format, args);
    va_end(args);
    (void)fprintf(stderr, "Try `%s --help' or `%s --usage' for more information.\n", command,
                  command);
    exit(EKB_EXIT_USAGE);
}

// refuse_long refuses a long option, `len` letters without the dashes, and says what may have been
// meant.
_Noreturn static void refuse_long(const struct argp *argp, const char *command, const char *word,
                                  size_t len)
{
    const char *const near = ekb_cli_suggest_option(argp, word + 2, len, "help");
    refuse_option(command, "unrecognized option '%.*s'%s%s%s", (int)len + 2, word,
                  near != NULL ? "; did you mean --" : "", near != NULL ? near : "",
                  near != NULL ? "?" : "");
}

// refuse_unprintable refuses letters of options that getopt would print as they are.
static void refuse_unprintable(const char *command, const char *word)
{
    for (const char *at = word; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f) {
            refuse_option(command, "invalid option -- '%s'", word + 1);
        }
    }
}

// refuse_abbreviations ends the process at a long option that is not written out. argp would
// complete it: a "--password SECRET" meant for another program became a file name, and was printed.
static void refuse_abbreviations(const struct argp *argp, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || word[1] == '\0') {
            continue;
        }
        if (is_help(word)) {
            (void)atexit(end_help);
            continue;
        }
        bool takes_next = false;
        const struct argp_option *option = ekb_cli_option_of(argp, word, &takes_next);
        if (word[1] == '-' && option == NULL) {
            refuse_long(argp, argv[0], word, strcspn(word + 2, "="));
        }
        if (word[1] != '-' && ekb_cli_find_key(argp, (unsigned char)word[1]) == NULL) {
            refuse_unprintable(argv[0], word);
        }
        i += takes_next ? 1 : 0;
    }
}

// help_width returns how many columns there are for help: as many as COLUMNS says, whatever it is
// written to, or as the terminal has. 0: nobody says.
static uint64_t help_width(void)
{
    const char *const said = getenv("COLUMNS");
    struct winsize size;
    uint64_t width = 0;
    if (said != NULL && ekb_units_parse_count(&width, said, 1, UINT16_MAX) == EKB_OK) {
        return width;
    }
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// fit_help has argp break the lines of its help for what is narrower than it thinks.
static void fit_help(void)
{
    char format[32];
    const uint64_t width = help_width();
    if (width >= MIN_HELP_WIDTH && width < HELP_WIDTH) {
        (void)snprintf(format, sizeof format, "rmargin=%u", (unsigned)width - 1);
        (void)setenv("ARGP_HELP_FMT", format, 0);
    }
}

void ekb_cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    char name[64];
    char *const command = argv[0];
    (void)snprintf(name, sizeof name, "ekubench %s", command);
    argv[0] = name;
    argp_err_exit_status = EKB_EXIT_USAGE;
    refuse_abbreviations(argp, argc, argv);
    fit_help();
    // argp ends the process itself on errors, --help and --version.
    if (argp_parse(argp, argc, argv, 0, NULL, input) != 0) {
        exit(EKB_EXIT_USAGE);
    }
    argv[0] = command;
}

void ekb_cli_parse_time(int64_t *out_seconds, const char *text, struct argp_state *state)
{
    if (ekb_units_parse_time(out_seconds, text) != EKB_OK) {
        ekb_cli_refuse(
            state, "--at %s: a time such as 2026-03-29T06:54:39Z, or seconds since 1970, is wanted",
            text);
    }
}

void ekb_cli_say_as(const char *prefix, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        (void)fputs("ekubench: out of memory\n", stderr);
        return;
    }
    ekb_utf8_clean(text);
    (void)fprintf(stderr, "%s%s\n", prefix, text);
    free(text);
}

void ekb_cli_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ekb_cli_say_as("ekubench: ", format, args);
    va_end(args);
}

static int status_of(enum ekb_err err)
{
    switch ((int)err) {
    case EKB_USAGE:
    case EKB_PARSE:
    case EKB_TOO_BIG:
    case EKB_NOT_FOUND:
    case EKB_KEY_MISMATCH:
    case EKB_UNSUPPORTED:
    case EKB_EXISTS:
    case EKB_PERMISSION:
    case EKB_NEED_PASSWORD:
    case EKB_TLS_BAD_CERTIFICATE:
        return EKB_EXIT_USAGE;
    default:
        return EKB_EXIT_ENVIRONMENT;
    }
}

int ekb_cli_fail(const struct ekb_fail *fail)
{
    char text[1024];
    ekb_fail_text(text, sizeof text, fail);
    ekb_cli_say("%s", text);
    if (fail->sys_errno == EROFS) {
        return EKB_EXIT_ENVIRONMENT;
    }
    // A file where a directory should be is the user's word, not the system's fault.
    return fail->sys_errno == ENOTDIR ? EKB_EXIT_USAGE : status_of(fail->err);
}

static volatile sig_atomic_t stop_flag;

// on_signal lets an end that has been asked for go its way for a second at least: timeout(1)
// signals twice, and whoever presses Ctrl-C twice does not mean to lose the result. Who asks again
// after that does not want to wait, and who asks a third time finds the program hanging.
static void on_signal(int number)
{
    static uint64_t asked_ns; // Touched only here; the handler is not interrupted by itself.
    const uint64_t now_ns = ekb_clock_now_ns();
    if (stop_flag != EKB_CLI_GO_ON && now_ns - asked_ns < EKB_NS_PER_S) {
        return;
    }
    asked_ns = now_ns;
    if (stop_flag == EKB_CLI_HURRY) {
        _exit(128 + number);
    }
    stop_flag = stop_flag == EKB_CLI_GO_ON ? EKB_CLI_STOP : EKB_CLI_HURRY;
}

const volatile sig_atomic_t *ekb_cli_stop_flag(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    // No SA_RESTART: the wait that a signal interrupts must return.
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaddset(&action.sa_mask, numbers[i]);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaction(numbers[i], &action, &before);
        if (numbers[i] == SIGHUP && before.sa_handler == SIG_IGN) {
            (void)sigaction(SIGHUP, &before, NULL); // The wish of nohup(1).
        }
    }
    return &stop_flag;
}

static volatile sig_atomic_t reload_flag;

static void on_hangup(int number)
{
    (void)number;
    reload_flag = 1;
}

volatile sig_atomic_t *ekb_cli_reload_flag(void)
{
    struct sigaction action = {.sa_handler = on_hangup};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGHUP, &action, NULL);
    return &reload_flag;
}

static enum ekb_err write_text(const char *directory, const char *name, const char *text,
                               struct ekb_fail *reterr_fail)
{
    assert(text != NULL);
    char *path = ekb_file_join(directory, name);
    if (path == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", name);
    }
    const enum ekb_err err = ekb_file_write_output(path, text, strlen(text), reterr_fail);
    free(path);
    return err;
}

// A record as it is stored, and the report of what is stored: `ekubench report` says the same of
// the file, to the byte.
struct forms {
    char *json;
    char *text;
};

static void free_forms(struct forms *forms)
{
    free(forms->json);
    free(forms->text);
}

static enum ekb_err make_forms(struct forms *out_forms, const struct ekb_record *record,
                               struct ekb_fail *reterr_fail)
{
    struct forms forms = {0};
    struct ekb_record stored = {0};
    struct ekb_fail why = {0};
    enum ekb_err err = ekb_record_to_json(&forms.json, record);
    if (err == EKB_OK) {
        // A record that cannot be read back is a fault of ours; what was measured is not lost by
        // it.
        const bool is_readable =
            ekb_record_from_json(&stored, forms.json, strlen(forms.json), &why) == EKB_OK;
        err = ekb_report_text(&forms.text, is_readable ? &stored : record);
        if (!is_readable) {
            ekb_cli_say("the result cannot be read back: %s", why.detail);
        }
    }
    ekb_record_deinit(&stored);
    if (err != EKB_OK) {
        free_forms(&forms);
        return ekb_fail_set(reterr_fail, err, 0, "result");
    }
    *out_forms = forms;
    return EKB_OK;
}

static enum ekb_err write_results(const char *path, const struct forms *forms,
                                  struct ekb_fail *reterr_fail)
{
    enum ekb_err err = ekb_file_make_dirs(path, 0755, reterr_fail);
    if (err == EKB_OK) {
        err = write_text(path, "result.json", forms->json, reterr_fail);
    }
    if (err == EKB_OK) {
        err = write_text(path, "report.txt", forms->text, reterr_fail);
    }
    return err;
}

int ekb_cli_print_json(json_t *value)
{
    char *text = value != NULL ? json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(value);
    if (text == NULL) {
        ekb_cli_say("out of memory");
        return EKB_EXIT_ENVIRONMENT;
    }
    (void)puts(text);
    (void)fflush(stdout);
    free(text);
    return EKB_EXIT_OK;
}

enum ekb_err ekb_cli_claim_output(const char *path, struct ekb_fail *reterr_fail)
{
    if (path[0] == '\0') {
        return ekb_fail_say(reterr_fail, EKB_USAGE, "-o: the name of a directory is wanted");
    }
    const enum ekb_err err = ekb_file_make_dirs(path, 0755, reterr_fail);
    if (err == EKB_OK && access(path, W_OK | X_OK) != 0) {
        return ekb_fail_set(reterr_fail, EKB_PERMISSION, errno, "%s", path);
    }
    return err;
}

int ekb_cli_finish(struct ekb_record *record, enum ekb_err err, struct ekb_fail *fail,
                   const char *output, enum ekb_cli_format format)
{
    int status = EKB_EXIT_OK;
    if (err != EKB_OK) {
        status = ekb_cli_fail(fail);
        ekb_record_add_reason(record, "ended early: %s", ekb_err_sentence(fail->err));
    }
    // Of a run that ended early there is what came before, if anything did.
    const bool has_something = err == EKB_OK || record->num_arms > 0;
    struct forms forms = {0};
    if (has_something && make_forms(&forms, record, fail) != EKB_OK) {
        return ekb_cli_fail(fail);
    }
    if (output != NULL && record->num_arms > 0 && write_results(output, &forms, fail) != EKB_OK) {
        status = ekb_cli_fail(fail);
    }
    if (has_something) {
        (void)fputs(format == EKB_CLI_JSON ? forms.json : forms.text, stdout);
        (void)fflush(stdout);
    }
    free_forms(&forms);
    return status == EKB_EXIT_OK && !ekb_record_is_clean(record) ? EKB_EXIT_ENVIRONMENT : status;
}

enum ekb_err ekb_cli_run(struct ekb_record *out_record, const struct ekb_cli_job *job,
                         struct ekb_fail *reterr_fail)
{
    struct ekb_cli_progress progress;
    ekb_cli_progress_init(&progress);
    const struct ekb_session_control control = {
        .progress = ekb_cli_progress_show, .context = &progress, .stop = ekb_cli_stop_flag()};
    const enum ekb_err err = job->run(out_record, job->what, &control, reterr_fail);
    ekb_cli_progress_end(&progress);
    return err;
}

// record_command records the command line, unless it is too long to be typed again.
static void record_command(struct ekb_record *record, const struct ekb_cli_job *job)
{
    char *command =
        job->argp != NULL ? ekb_cli_command_line(job->argp, job->argc, job->argv) : NULL;
    if (command != NULL && strlen(command) < sizeof record->plan.command) {
        EKB_RECORD_COPY(record->plan.command, command);
    }
    free(command);
}

int ekb_cli_run_to_end(const struct ekb_cli_job *job, int (*judge)(const struct ekb_record *record),
                       const char *output, enum ekb_cli_format format)
{
    struct ekb_record record;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_cli_run(&record, job, &fail);
    record_command(&record, job);
    int status = ekb_cli_finish(&record, err, &fail, output, format);
    if (status == EKB_EXIT_OK && judge != NULL) {
        status = judge(&record);
    }
    ekb_record_deinit(&record);
    return status;
}
