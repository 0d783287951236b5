// What the parts of `ekubench compare` share.

#ifndef EKUBENCH_SRC_CLI_COMPARE_H
#define EKUBENCH_SRC_CLI_COMPARE_H

#include "cli/cli.h"

#include "ekubench/stat/gate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_COMPARE_MAX_ROWS 128
#define EKB_COMPARE_NAME_LEN 96

// There is no A/A control with fewer (ekb_verdict_control_is_possible).
#define EKB_COMPARE_MIN_QUADRUPLES 8
#define EKB_COMPARE_QUADRUPLES 10

// One number of one side: with its interval, or, if `exact`, without noise.
struct ekb_compare_value {
    char name[EKB_COMPARE_NAME_LEN]; // "cost/on-d1 server CPU"
    char unit[8];
    bool exact;
    struct ekb_estimate estimate;
};

// What two sides must have in common to be compared.
struct ekb_compare_trait {
    const char *schema;              // Of the file that has it: a string literal.
    char name[EKB_COMPARE_NAME_LEN]; // "host.cpu_model"
    char value[1024];
};

struct ekb_compare_side {
    char label[EKB_COMPARE_NAME_LEN];
    struct ekb_compare_value values[EKB_COMPARE_MAX_ROWS];
    size_t num_values;
    struct ekb_compare_trait traits[EKB_COMPARE_MAX_ROWS];
    size_t num_traits;
    const char *schemas[2]; // Of the files that were read: string literals.
    size_t num_schemas;
    bool clean;
};

// A comparison of one number.
struct ekb_compare_row {
    char name[EKB_COMPARE_NAME_LEN];
    char unit[8];
    bool exact;
    bool gates; // Its outcome decides the status; else it is advice.
    bool
        only_alone; // The interval excludes zero, but of so many rows one does too often by chance.
    double base;
    double now;
    struct ekb_estimate change; // In percent; positive is worse. No numbers if it is withheld.
    size_t family;              // Rows that answer one question, this one included; 0 counts as 1.
    double threshold;           // In percent.
    enum ekb_gate_outcome outcome;
    char verdict[128];
};

struct ekb_comparison {
    char labels[2][EKB_COMPARE_NAME_LEN]; // Of the base and the new one.
    struct ekb_compare_row rows[EKB_COMPARE_MAX_ROWS];
    size_t num_rows;
    char notes[64][256];
    size_t num_notes;
    bool disturbed; // There are no times, because the machine was disturbed.
};

// What the user wants of it.
struct ekb_compare_wish {
    double time_percent;
    double instructions_percent; // 0: the default, or what the history says.
    bool gate_time;
    bool force;
    const char *history; // Directory, or NULL.
    // Of interleaved runs.
    uint32_t num_quadruples;
    bool with_times;
    bool with_instructions;
};

// ekb_compare_clean replaces what must get into no table in a text from elsewhere: control
// characters, '|', and what is no UTF-8 (a character that was cut too).
void ekb_compare_clean(char *text);

// ekb_compare_load reads a side from a file, or from result.json and instructions.json in a
// directory. EKB_NOT_FOUND; EKB_PARSE, also for numbers that cannot be and names that come twice or
// are too long; EKB_TOO_BIG.
EKB_NODISCARD enum ekb_err ekb_compare_load(struct ekb_compare_side *out_side, const char *path,
                                            struct ekb_fail *reterr_fail);

// ekb_compare_history stores the values of one number in the files (*.json) of a directory, in the
// order of their names, newly allocated. Errors of ekb_compare_load.
EKB_NODISCARD enum ekb_err ekb_compare_history(double **out_values, size_t *out_num_values,
                                               const char *directory, const char *name,
                                               struct ekb_fail *reterr_fail);

// ekb_compare_sides fills the comparison of what both sides have. EKB_USAGE, with the difference
// named, if they do not compare, a count that one side alone has included; EKB_DISTURBED if one is
// not clean; errors of ekb_compare_history. What is forced is noted.
EKB_NODISCARD enum ekb_err ekb_compare_sides(struct ekb_comparison *out_comparison,
                                             const struct ekb_compare_side *base,
                                             const struct ekb_compare_side *now,
                                             const struct ekb_compare_wish *wish,
                                             struct ekb_fail *reterr_fail);

// ekb_compare_run_binaries measures two programs in turn and fills the comparison.
// ekb_compare_run_plans does so with two plans of this program, without counting instructions, and
// ekb_compare_run_stores measures two stores handshake by handshake. EKB_STOPPED; EKB_UNSUPPORTED
// if a program cannot be measured; EKB_DISTURBED; errors of ekb_cli_read_plan,
// ekb_instructions_count and ekb_measure_run.
EKB_NODISCARD enum ekb_err ekb_compare_run_binaries(struct ekb_comparison *out_comparison,
                                                    const char *base, const char *now,
                                                    const struct ekb_compare_wish *wish,
                                                    struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_compare_run_plans(struct ekb_comparison *out_comparison,
                                                 const char *base, const char *now,
                                                 const struct ekb_compare_wish *wish,
                                                 struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_compare_run_stores(struct ekb_comparison *out_comparison,
                                                  const char *base, const char *now,
                                                  const struct ekb_compare_wish *wish,
                                                  struct ekb_fail *reterr_fail);

// ekb_compare_adjust makes `rows` a family: from the p-values of their changes, Holm's adjustment
// (stat/verdict) says which of them are nothing but one of many. EKB_VERDICT_MAX_FAMILY at most.
void ekb_compare_adjust(struct ekb_compare_row *rows, const double *p, size_t num_rows);

// ekb_compare_add_exact and ekb_compare_add_interval append a row and judge it.
// ekb_compare_add_withheld appends one about which nothing is said, and why: it is inconclusive.
// ekb_compare_add_note appends a line.
void ekb_compare_add_exact(struct ekb_comparison *comparison, const char *name, double base,
                           double now, double threshold);
void ekb_compare_add_interval(struct ekb_comparison *comparison, const struct ekb_compare_row *row,
                              const struct ekb_compare_wish *wish);
void ekb_compare_add_withheld(struct ekb_comparison *comparison, const struct ekb_compare_row *row,
                              const char *reason, const struct ekb_compare_wish *wish);
void ekb_compare_add_note(struct ekb_comparison *comparison, const char *format, ...)
    EKB_PRINTF(2, 3);

// ekb_compare_status returns the exit status that the gates give.
int ekb_compare_status(const struct ekb_comparison *comparison);

// The forms in which it is printed.
enum ekb_compare_form {
    EKB_COMPARE_TEXT,
    EKB_COMPARE_JSON,
    EKB_COMPARE_MARKDOWN,
};
int ekb_compare_print(const struct ekb_comparison *comparison, enum ekb_compare_form form);

#endif
