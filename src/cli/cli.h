// The command line: words in, tables out, exit status. One file per command; this header has what
// they share.
//
// Results go to standard output, progress and messages to standard error. A message is one line
// that says what is wrong and what to do.

#ifndef EKUBENCH_SRC_CLI_H
#define EKUBENCH_SRC_CLI_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/session.h"
#include "ekubench/peer/pin.h"
#include "ekubench/stat/record.h"

#include <argp.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>

// Exit statuses, the same for every command.
enum {
    EKB_EXIT_OK = 0,
    EKB_EXIT_GATE =
        1, // A gate failed: a regression, a rejected upload, a chain that does not verify.
    EKB_EXIT_USAGE = 2,        // Wrong usage or unreadable input.
    EKB_EXIT_ENVIRONMENT = 3,  // The environment cannot give a valid answer.
    EKB_EXIT_INCONCLUSIVE = 4, // The effect is below what the run could detect.
};

// What an option for the type of a key takes.
#define EKB_CLI_KEY_TYPES "p256, p384, rsa2048, rsa3072, rsa4096 or ed25519"

// The commands. Each gets its own name as argv[0] and returns the exit status; what it understands
// is in its table. cli/commands.c lists them.
int ekb_cli_audit(int argc, char **argv);
int ekb_cli_capacity(int argc, char **argv);
int ekb_cli_compare(int argc, char **argv);
int ekb_cli_completion(int argc, char **argv);
int ekb_cli_doctor(int argc, char **argv);
int ekb_cli_instructions(int argc, char **argv);
int ekb_cli_load(int argc, char **argv);
int ekb_cli_manual(int argc, char **argv);
int ekb_cli_measure(int argc, char **argv);
int ekb_cli_merge(int argc, char **argv);
int ekb_cli_pki(int argc, char **argv);
int ekb_cli_probe(int argc, char **argv);
int ekb_cli_report(int argc, char **argv);
int ekb_cli_scenario(int argc, char **argv);
int ekb_cli_serve(int argc, char **argv);
int ekb_cli_store(int argc, char **argv);
int ekb_cli_verify(int argc, char **argv);
extern const struct argp ekb_cli_audit_argp;
extern const struct argp ekb_cli_capacity_argp;
extern const struct argp ekb_cli_compare_argp;
extern const struct argp ekb_cli_completion_argp;
extern const struct argp ekb_cli_doctor_argp;
extern const struct argp ekb_cli_instructions_argp;
extern const struct argp ekb_cli_load_argp;
extern const struct argp ekb_cli_manual_argp;
extern const struct argp ekb_cli_measure_argp;
extern const struct argp ekb_cli_merge_argp;
extern const struct argp ekb_cli_pki_argp;
extern const struct argp ekb_cli_probe_argp;
extern const struct argp ekb_cli_report_argp;
extern const struct argp ekb_cli_scenario_argp;
extern const struct argp ekb_cli_serve_argp;
extern const struct argp ekb_cli_store_argp;
extern const struct argp ekb_cli_verify_argp;

// ekb_cli_parse runs argp over the arguments with messages prefixed "ekubench <command>". It ends
// the process with status 2 on wrong usage, an abbreviated option included, and with 0 after
// --help.
void ekb_cli_parse(const struct argp *argp, int argc, char **argv, void *input);

// ekb_cli_end returns the exit status of a command that would have ended with `status`: results
// that did not arrive are not done. It writes what standard output still has to get, and says why
// that cannot be, unless a reader went away that had what it wanted.
int ekb_cli_end(int status);

// ekb_cli_parse_output returns the value of an option -o; wrong usage if it is empty.
const char *ekb_cli_parse_output(const char *text, struct argp_state *state);

// ekb_cli_options returns the options of `argp`, which may have none: the list ends with one
// without a name.
const struct argp_option *ekb_cli_options(const struct argp *argp);

// ekb_cli_find_option returns the option with that long name, NULL if there is none.
const struct argp_option *ekb_cli_find_option(const struct argp *argp, const char *name,
                                              size_t len);

// ekb_cli_suggest_option returns the long name of an option, or `other` (NULL: no other), for which
// the `len` characters of `word` may have been meant, or NULL.
const char *ekb_cli_suggest_option(const struct argp *argp, const char *word, size_t len,
                                   const char *other);

// ekb_cli_find_key returns the option with that key, for a short one its letter; NULL if there is
// none.
const struct argp_option *ekb_cli_find_key(const struct argp *argp, int key);

// ekb_cli_option_of returns the option that a word of the command line gives, of letters that stand
// together the one that has a value, or else the last; NULL for an argument, and for none that
// there is. `*out_takes_next`: its value is the next word.
const struct argp_option *ekb_cli_option_of(const struct argp *argp, const char *word,
                                            bool *out_takes_next);

// ekb_cli_refuse says what is wrong with an option's value, and where if it is from a file, and
// ends the process with status 2. In place of argp_error, which knows no files.
_Noreturn void ekb_cli_refuse(const struct argp_state *state, const char *format, ...)
    EKB_PRINTF(2, 3);

// ekb_cli_parse_file obeys the options in the INI file `path` as if they stood on the command line.
// Keys are their long names; a flag has the value yes or no; a list may go on in the next line,
// indented, after a comma. The only section, if there is one, is
// `section`, the command's name. A wrong option ends the process with status 2 and a message that
// names the line. Errors of ekb_file_read; EKB_PARSE for what is no INI file.
EKB_NODISCARD enum ekb_err ekb_cli_parse_file(const struct argp *argp, const char *path,
                                              const char *section, void *input,
                                              struct ekb_fail *reterr_fail);

// ekb_cli_read_plan makes the plan of the file `path`, as `ekubench measure --plan` does. Errors of
// ekb_cli_parse_file; EKB_USAGE.
EKB_NODISCARD enum ekb_err ekb_cli_read_plan(struct ekb_plan *out_plan, const char *path,
                                             struct ekb_fail *reterr_fail);

// The options that say what handshakes are made: their keys, and ekb_cli_parse_treatment, which
// obeys one of them, or returns ARGP_ERR_UNKNOWN.
enum {
    EKB_CLI_OPTION_TLS = 1024,
    EKB_CLI_OPTION_KEY,
    EKB_CLI_OPTION_EKU,
    EKB_CLI_OPTION_DEPTH,
    EKB_CLI_OPTION_SEED,
    EKB_CLI_OPTION_GROUPS,
    EKB_CLI_OPTION_CIPHERS,
};
error_t ekb_cli_parse_treatment(struct ekb_plan_settings *plan, int key, const char *text,
                                struct argp_state *state);

// ekb_cli_parse_preference stores the list `text` in `*list`, a part of `preferences`; wrong usage
// if the library does not know all of it.
void ekb_cli_parse_preference(const struct ekb_tls_preferences *preferences, const char **list,
                              const char *text, struct argp_state *state);

// ekb_cli_check_treatment sees that the options do not contradict one another. EKB_USAGE.
EKB_NODISCARD enum ekb_err ekb_cli_check_treatment(const struct ekb_plan_settings *plan,
                                                   struct ekb_fail *reterr_fail);

// The help of --groups, without its default.
#define EKB_CLI_GROUPS_HELP                                                                        \
    "Key agreement groups, the most preferred first: X25519, P-256, P-384, P-521, hybrid (X25519 " \
    "with a post-quantum KEM)"

// What --pin takes, and its help without what "auto" means for the command.
#define EKB_CLI_PIN_ARG "auto|off|LIST"

// ekb_cli_parse_pin, ekb_cli_parse_workers and ekb_cli_parse_in_flight read the values of --pin, of
// an option for workers that is called `option`, and of --in-flight; wrong usage if they cannot be
// had.
void ekb_cli_parse_pin(struct ekb_pin *out_pin, const char *text, struct argp_state *state);
void ekb_cli_parse_workers(uint32_t *out_count, const char *option, const char *text,
                           struct argp_state *state);
void ekb_cli_parse_in_flight(uint32_t *out_count, const char *text, struct argp_state *state);

// ekb_cli_parse_share returns the value of `option`, a share from 0 to 1; wrong usage if it is
// none.
double ekb_cli_parse_share(const char *option, const char *text, struct argp_state *state);

// ekb_cli_parse_time reads the value of an option --at; wrong usage if it is no time.
void ekb_cli_parse_time(int64_t *out_seconds, const char *text, struct argp_state *state);

// ekb_cli_say prints one formatted line, "ekubench: ...", on standard error. Names and values in it
// are from anywhere: control characters are printed as "?". ekb_cli_say_as is the same for another
// beginning than "ekubench: ".
void ekb_cli_say(const char *format, ...) EKB_PRINTF(1, 2);
void ekb_cli_say_as(const char *prefix, const char *format, va_list args) EKB_PRINTF(2, 0);

// ekb_cli_fail prints `fail` as one line on standard error and returns the exit status that fits
// it.
int ekb_cli_fail(const struct ekb_fail *fail);

// What the flag of ekb_cli_stop_flag says.
enum {
    EKB_CLI_GO_ON,
    EKB_CLI_STOP,  // End in order, and keep what was measured.
    EKB_CLI_HURRY, // The same without waiting for anybody.
};

// ekb_cli_stop_flag installs handlers for SIGINT, SIGTERM and SIGHUP (unless that was ignored) that
// set the flag it returns: the first signal to EKB_CLI_STOP, another one a second later or more to
// EKB_CLI_HURRY, and one more ends the process at once.
const volatile sig_atomic_t *ekb_cli_stop_flag(void);

// ekb_cli_reload_flag takes SIGHUP away from the above: it sets the flag returned here to 1, and
// who obeys sets it back.
volatile sig_atomic_t *ekb_cli_reload_flag(void);

// A progress line on standard error: rewritten in place on a terminal, a line every ten seconds
// elsewhere.
struct ekb_cli_progress {
    bool is_terminal;
    uint64_t last_line_ns;
    bool shown;
};

// ekb_cli_progress_text writes the line for `report`: rate, latency and failures are those of the
// last second. It fits a terminal of `width` columns, two or more, and of 80; what there is no room
// for is left out, percentiles first.
#define EKB_CLI_PROGRESS_LEN 80
const char *ekb_cli_progress_text(char out_text[EKB_CLI_PROGRESS_LEN], size_t width,
                                  const struct ekb_session_report *report);

// ekb_cli_progress_init looks at standard error; ekb_cli_progress_show is the callback of a
// measurement (its context is the struct); ekb_cli_progress_end wipes the line.
void ekb_cli_progress_init(struct ekb_cli_progress *progress);
void ekb_cli_progress_show(void *context, const struct ekb_session_report *now);
void ekb_cli_progress_end(struct ekb_cli_progress *progress);

// ekb_cli_read_result overwrites `*out_record` with the result in the file `path`, or in
// result.json of the directory `path`. EKB_NOT_FOUND, EKB_PARSE and other errors of ekb_file_read
// and ekb_record_from_json, with the file's name; the record is empty then.
EKB_NODISCARD enum ekb_err ekb_cli_read_result(struct ekb_record *out_record, const char *path,
                                               struct ekb_fail *reterr_fail);

// The forms in which a record is printed.
enum ekb_cli_format {
    EKB_CLI_TEXT,
    EKB_CLI_JSON
};

// ekb_cli_print_json prints `value` on standard output, takes it, and returns the exit status. NULL
// stands for memory that could not be had.
int ekb_cli_print_json(json_t *value);

// What --output of a command that measures says of DIR.
#define EKB_CLI_OUTPUT_HELP                                                                        \
    "Write result.json and report.txt into DIR, which is made if need be; an earlier result "      \
    "there "                                                                                       \
    "is replaced"

// ekb_cli_claim_output makes the directory `path` if it is missing and sees that files can be
// written there: an unusable place is better known before two minutes of work than after. Errors of
// ekb_file_make_dirs; EKB_PERMISSION; EKB_USAGE without a name.
EKB_NODISCARD enum ekb_err ekb_cli_claim_output(const char *path, struct ekb_fail *reterr_fail);

// ekb_cli_command_line returns the command line as a text for a shell, without the options `output`
// and `json`: what measures the same again. Newly allocated; NULL if there is no memory.
char *ekb_cli_command_line(const struct argp *argp, int argc, char **argv);

// What a command runs: a function of the lab and what it is given.
struct ekb_cli_job {
    enum ekb_err (*run)(struct ekb_record *out_record, const void *what,
                        const struct ekb_session_control *control, struct ekb_fail *reterr_fail);
    const void *what;
    // The command line, which ekb_cli_run_to_end records; or NULL.
    const struct argp *argp;
    int argc;
    char **argv;
};

// ekb_cli_run runs `job` with a progress line, until a signal says stop. `*out_record` and errors
// as the function has them.
EKB_NODISCARD enum ekb_err ekb_cli_run(struct ekb_record *out_record, const struct ekb_cli_job *job,
                                       struct ekb_fail *reterr_fail);

// ekb_cli_measure_plan is the function of a job that measures the plan `plan`.
EKB_NODISCARD enum ekb_err ekb_cli_measure_plan(struct ekb_record *out_record, const void *plan,
                                                const struct ekb_session_control *control,
                                                struct ekb_fail *reterr_fail);

// ekb_cli_run_to_end runs `job` and ends it as ekb_cli_finish does. `judge` (NULL: nobody) has the
// last word on the exit status of a run that went well.
int ekb_cli_run_to_end(const struct ekb_cli_job *job, int (*judge)(const struct ekb_record *record),
                       const char *output, enum ekb_cli_format format);

// ekb_cli_finish ends a run: says what went wrong (`err` with `fail`), writes result.json and
// report.txt into the directory `output` (NULL: nowhere), each whole or not at all, prints the
// record on standard output, and returns the exit status. What was measured before an error is
// written, but not printed.
int ekb_cli_finish(struct ekb_record *record, enum ekb_err err, struct ekb_fail *fail,
                   const char *output, enum ekb_cli_format format);

#endif
